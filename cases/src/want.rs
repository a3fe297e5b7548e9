//! What is expected of a value, and whether a value that was seen is that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::data::{Data, Fields};
use crate::transcript::{Returned, pairs_text};

/// What is expected of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Want {
    /// The place is as it was.
    Untouched,
    /// This number.
    Number(u64),
    /// At least this.
    AtLeast(u64),
    /// At most this.
    AtMost(u64),
    /// These bytes.
    Bytes(Data),
    /// These bytes, somewhere.
    Contains(Data),
    /// These bytes, first.
    Prefix(Data),
    /// These bytes, last.
    Suffix(Data),
    /// Bytes whose number is this.
    Size(Box<Want>),
    /// A serialised map of just these pairs, in order.
    Pairs(Fields),
    /// A serialised map with these pairs among others.
    Includes(Fields),
    /// The number kept under this name.
    SameAs(String),
    /// Another number than that kept under this name.
    DiffersFrom(String),
    /// Anything but this.
    Not(Box<Want>),
    /// One of these.
    OneOf(Vec<Want>),
    /// All of these.
    All(Vec<Want>),
}

/// The numbers that a script kept, by name.
pub type Saved = BTreeMap<String, u64>;

impl Want {
    /// Whether `seen` is what is wanted.
    pub fn admits(&self, seen: &Returned, saved: &Saved) -> bool {
        match (self, seen) {
            (Want::Untouched, seen) => *seen == Returned::Untouched,
            (Want::Not(want), seen) => *seen != Returned::Untouched && !want.admits(seen, saved),
            (Want::OneOf(wants), seen) => wants.iter().any(|want| want.admits(seen, saved)),
            (Want::All(wants), seen) => wants.iter().all(|want| want.admits(seen, saved)),
            (Want::Number(want), Returned::Number(seen)) => want == seen,
            (Want::AtLeast(want), Returned::Number(seen)) => want <= seen,
            (Want::AtMost(want), Returned::Number(seen)) => want >= seen,
            (Want::SameAs(name), Returned::Number(seen)) => saved.get(name) == Some(seen),
            (Want::DiffersFrom(name), Returned::Number(seen)) => saved.get(name).is_some_and(|saved| saved != seen),
            (Want::Bytes(want), Returned::Bytes(seen)) => want == seen,
            (Want::Contains(want), Returned::Bytes(seen)) => {
                want.0.is_empty() || seen.0.windows(want.0.len()).any(|part| part == want.0)
            }
            (Want::Prefix(want), Returned::Bytes(seen)) => seen.0.starts_with(&want.0),
            (Want::Suffix(want), Returned::Bytes(seen)) => seen.0.ends_with(&want.0),
            (Want::Size(want), Returned::Bytes(seen)) => want.admits(&Returned::Number(seen.0.len() as u64), saved),
            (Want::Pairs(want), Returned::Bytes(seen)) => pairs(seen).is_some_and(|seen| seen == *want),
            (Want::Includes(want), Returned::Bytes(seen)) => pairs(seen).is_some_and(|seen| {
                let seen: BTreeSet<_> = seen.iter().map(|(name, value)| (&name.0, &value.0)).collect();
                want.iter().all(|(name, value)| seen.contains(&(&name.0, &value.0)))
            }),
            _ => false,
        }
    }

    /// Several values in their order.
    pub(crate) fn all_text(wants: &[Want]) -> String {
        wants.iter().map(Want::to_string).collect::<Vec<_>>().join(" and ")
    }

    /// A value that was seen, in the words of what is wanted.
    pub fn show(&self, seen: &Returned) -> String {
        match (self, seen) {
            (Want::Pairs(_) | Want::Includes(_), Returned::Bytes(bytes)) => pairs_text(&bytes.0),
            _ => seen.to_string(),
        }
    }
}

fn pairs(bytes: &Data) -> Option<Fields> {
    let pairs = pw_abi::pairs::decode(&bytes.0).ok()?;
    Some(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |wants: &[Want], word: &str| wants.iter().map(Want::to_string).collect::<Vec<_>>().join(word);
        let fields = |fields: &Fields| {
            fields.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(", ")
        };
        match self {
            Want::Untouched => f.write_str("untouched"),
            Want::Number(number) => write!(f, "{number}"),
            Want::AtLeast(number) => write!(f, "at least {number}"),
            Want::AtMost(number) => write!(f, "at most {number}"),
            Want::Bytes(bytes) => write!(f, "{bytes}"),
            Want::Contains(bytes) => write!(f, "something with {bytes} in it"),
            Want::Prefix(bytes) => write!(f, "something that begins with {bytes}"),
            Want::Suffix(bytes) => write!(f, "something that ends with {bytes}"),
            Want::Size(size) => write!(f, "{size} bytes"),
            Want::Pairs(pairs) => write!(f, "{{{}}}", fields(pairs)),
            Want::Includes(pairs) => write!(f, "a map with {{{}}} among others", fields(pairs)),
            Want::SameAs(name) => write!(f, "the same as `{name}`"),
            Want::DiffersFrom(name) => write!(f, "something else than `{name}`"),
            Want::Not(want) => write!(f, "anything but {want}"),
            Want::OneOf(wants) => f.write_str(&list(wants, " or ")),
            Want::All(wants) => f.write_str(&list(wants, " and ")),
        }
    }
}
