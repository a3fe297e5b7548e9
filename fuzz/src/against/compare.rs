//! Two transcripts of one scenario, call by call.

use std::fmt;

use pw_abi::Version;
use pw_cases::transcript::Transcript;

use super::rows::{DECIDED_ELSEWHERE, Open};
use super::seen::{Item, windows};

/// Where a host differs from the reference host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is about: `function/STATUS` by the reference host's answer, a callback, or `upstream`, `client`.
    pub clause: String,
    /// What the other host does instead, in few words.
    pub instead: String,
    /// The call that it is about, if it is about one.
    pub action: Option<u32>,
    /// What the reference host did.
    pub expected: String,
    /// What the other did.
    pub seen: String,
    /// Why it is nobody's fault.
    pub open: Option<&'static str>,
    /// What follows cannot be compared.
    pub last: bool,
}

impl Difference {
    /// What differences have in common that are one.
    pub fn key(&self) -> (String, String) {
        (self.clause.clone(), self.instead.clone())
    }
}

/// The differences of two transcripts of one scenario, whose reports are read. After the first that is not about a call's
/// answer nothing is compared.
pub fn compare(reference: &Transcript, other: &Transcript, version: Version) -> Vec<Difference> {
    let (reference, other) = (windows(reference, version), windows(other, version));
    let mut differences = Vec::new();
    for (at, expected) in reference.iter().enumerate() {
        let none = Vec::new();
        let seen = other.get(at).unwrap_or(&none);
        for place in 0..expected.len().max(seen.len()) {
            let (expected, seen) = (expected.get(place), seen.get(place));
            if let (Some(Item::Gone(..)), Some(Item::Gone(..))) = (expected, seen) {
                return differences;
            }
            if expected != seen {
                let difference = difference(expected, seen, version);
                let last = difference.last;
                differences.push(difference);
                if last {
                    return differences;
                }
            }
        }
    }
    differences
}

fn difference(expected: Option<&Item>, seen: Option<&Item>, version: Version) -> Difference {
    let (clause, instead, action, last) = match (expected, seen) {
        (Some(Item::Call(function, action, status, _)), Some(Item::Call(other, same, answer, _)))
            if function == other && action == same =>
        {
            let clause = format!("{function}/{}", name(function, *status, version));
            let instead = match answer == status {
                true => "other values".to_owned(),
                false => name(function, *answer, version),
            };
            (clause, instead, *action, false)
        }
        (Some(Item::Callback(one, _)), Some(Item::Callback(other, _))) if one == other => {
            (one.clone(), "other arguments".to_owned(), None, true)
        }
        (Some(Item::Other(one, _)), Some(Item::Other(other, _))) if one == other => {
            ((*one).to_owned(), "something else".to_owned(), None, *one != "log")
        }
        (Some(expected), Some(seen @ Item::Gone(..))) => (about(expected, version), about(seen, version), None, true),
        (Some(expected), Some(seen)) => {
            (about(expected, version), format!("{} first", about(seen, version)), None, true)
        }
        (Some(expected), None) => (about(expected, version), "nothing".to_owned(), None, true),
        (None, Some(seen)) => (about(seen, version), "though nothing was to come".to_owned(), None, true),
        (None, None) => (String::new(), String::new(), None, true),
    };
    let open = DECIDED_ELSEWHERE.iter().find(|row| is_open(row, &clause, &instead)).map(|row| row.why);
    let text = |item: Option<&Item>| item.map_or("nothing".to_owned(), ToString::to_string);
    Difference { clause, instead, action, expected: text(expected), seen: text(seen), open, last }
}

fn is_open(row: &Open, clause: &str, instead: &str) -> bool {
    let (of, status) = clause.split_once('/').unwrap_or((clause, ""));
    row.of == of && (row.status.is_empty() || row.status == status) && (row.seen.is_empty() || row.seen == instead)
}

fn about(item: &Item, version: Version) -> String {
    match item {
        Item::Callback(name, _) => name.clone(),
        Item::Call(function, _, status, _) => format!("{function}/{}", name(function, *status, version)),
        Item::Other(what, _) => (*what).to_owned(),
        Item::Gone(what, _) => (*what).to_owned(),
    }
}

fn name(function: &str, status: u32, version: Version) -> String {
    let row = pw_abi::host_function(version, function);
    row.and_then(|row| row.status_name(status)).map_or_else(|| status.to_string(), str::to_owned)
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Callback(name, args) => write!(f, "{name}({})", args.join(", ")),
            Item::Call(function, _, status, values) => {
                let name = pw_abi::SECTIONS.iter().flat_map(|section| section.host).find(|row| row.name == function);
                match name.and_then(|row| row.status_name(*status)) {
                    Some(name) => write!(f, "{function} = {name}")?,
                    None => write!(f, "{function} = {status}")?,
                }
                values.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
            }
            Item::Other(_, text) | Item::Gone(_, text) => f.write_str(text),
        }
    }
}
