//! Two transcripts of one scenario, call by call.

use std::fmt;

use pw_abi::Version;
use pw_cases::transcript::Transcript;

use super::rows::{OPEN, Open, PSEUDO_HEADER};
use super::seen::{Call, Item, windows};

/// Where a host differs from the reference host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is about: `function/STATUS` by the reference host's answer, a callback, or `upstream`, `client`.
    pub clause: String,
    /// What the other host did first, if it did something else.
    pub also: Option<String>,
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

/// The clause, what is done instead, and why it is open, if it is.
pub type Key = (String, String, &'static str);

impl Difference {
    /// Whether the host died.
    pub fn is_death(&self) -> bool {
        self.instead.starts_with("dies")
    }

    /// Whether what follows may differ because of it: the two hosts are in different states.
    pub fn taints(&self) -> bool {
        self.action.is_none()
            || !["proxy_get", "proxy_log", "fd_write"].iter().any(|start| self.clause.starts_with(start))
    }

    /// What differences have in common that are one.
    pub fn key(&self) -> Key {
        (self.clause.clone(), self.instead.clone(), self.open.unwrap_or_default())
    }
}

/// The differences of two transcripts of one scenario, whose reports are read. After the first that is not about a call's
/// answer nothing is compared, but that the host died is always told.
pub fn compare(reference: &Transcript, other: &Transcript, version: Version, host: &str) -> Vec<Difference> {
    let (reference, other) = (windows(reference, version, host), windows(other, version, host));
    let mut differences = Vec::new();
    let mut called = Vec::new();
    let mut before = String::new();
    'windows: for at in 0..reference.len().max(other.len()) {
        let of = |windows: &'_ [Vec<Item>], place: usize| windows.get(at).and_then(|window| window.get(place)).cloned();
        let length = |windows: &[Vec<Item>]| windows.get(at).map_or(0, Vec::len);
        for place in 0..length(&reference).max(length(&other)) {
            let (expected, seen) = (of(&reference, place), of(&other, place));
            if let (Some(Item::Gone(..)), Some(Item::Gone("fault", _))) = (&expected, &seen) {
                break 'windows;
            }
            if let Some(Item::Gone("died", how)) = &seen {
                differences.push(death(expected.as_ref(), how, version));
                break 'windows;
            }
            if expected != seen {
                let difference = difference((expected.as_ref(), seen.as_ref()), &called, version);
                let last = difference.last;
                differences.push(difference);
                if last {
                    break 'windows;
                }
            }
            if let Some(seen) = &seen {
                before = about(seen, version);
                if let Item::Call(call) = seen {
                    called.push(call.function.clone());
                    called.extend(call.pseudo.then(|| PSEUDO_HEADER.to_owned()));
                }
            }
        }
    }
    let deaths = other.iter().flatten().find_map(|item| match item {
        Item::Gone("died", how) => Some(how),
        _ => None,
    });
    if let Some(how) = deaths.filter(|_| !differences.iter().any(Difference::is_death)) {
        differences.push(Difference { clause: before, ..death(None, how, version) });
    }
    differences
}

/// The host died where the reference host went on.
fn death(expected: Option<&Item>, how: &str, version: Version) -> Difference {
    Difference {
        clause: expected.map_or(String::new(), |item| about(item, version)),
        also: None,
        instead: how.to_owned(),
        action: None,
        expected: expected.map_or("that it lives".to_owned(), ToString::to_string),
        seen: how.to_owned(),
        open: None,
        last: true,
    }
}

fn difference((expected, seen): (Option<&Item>, Option<&Item>), called: &[String], version: Version) -> Difference {
    let (clause, instead, action, last) = match (expected, seen) {
        (Some(Item::Call(one)), Some(Item::Call(other)))
            if one.function == other.function && one.action == other.action =>
        {
            let clause = format!("{}/{}", one.function, name(&one.function, one.status, version));
            let instead = match one.status == other.status {
                true => "other values".to_owned(),
                false => name(&one.function, other.status, version),
            };
            (clause, instead, one.action, false)
        }
        (Some(Item::Callback(one, _)), Some(Item::Callback(other, _))) if one == other => {
            (one.clone(), "other arguments".to_owned(), None, false)
        }
        (Some(Item::Other(one, _)), Some(Item::Other(other, _))) if one == other => {
            ((*one).to_owned(), "something else goes out".to_owned(), None, false)
        }
        (Some(expected), Some(seen)) => {
            (about(expected, version), format!("{} first", about(seen, version)), None, true)
        }
        (Some(expected), None) => (about(expected, version), "nothing".to_owned(), None, true),
        (None, Some(seen)) => (about(seen, version), "though nothing was to come".to_owned(), None, true),
        (None, None) => (String::new(), String::new(), None, true),
    };
    let is_call = action.is_some();
    let open = OPEN.iter().find(|row| is_open(row, (&clause, &instead, is_call), called)).map(|row| row.why);
    let text = |item: Option<&Item>| item.map_or("nothing".to_owned(), ToString::to_string);
    let also = seen.filter(|_| last).map(|item| about(item, version));
    Difference { clause, also, instead, action, expected: text(expected), seen: text(seen), open, last }
}

fn is_open(row: &Open, (clause, instead, is_call): (&str, &str, bool), called: &[String]) -> bool {
    let (of, status) = clause.split_once('/').unwrap_or((clause, ""));
    let is_of = match row.of {
        // What follows from a call that was made is anything but the answer to another.
        "*" if row.given.is_empty() => is_call,
        "*" => !is_call,
        own => own == of,
    };
    let is_instead = match row.instead {
        "!" => is_call && !["OK", "SUCCESS", "other values"].contains(&instead),
        own => instead.starts_with(own),
    };
    let is_given = row.given.is_empty() || called.iter().any(|function| function == row.given);
    is_of && is_instead && is_given && (row.status.is_empty() || row.status == status)
}

fn about(item: &Item, version: Version) -> String {
    match item {
        Item::Callback(name, _) => name.clone(),
        Item::Call(call) => format!("{}/{}", call.function, name(&call.function, call.status, version)),
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
            Item::Call(Call { function, status, returned, .. }) => {
                let name = pw_abi::SECTIONS.iter().flat_map(|section| section.host).find(|row| row.name == function);
                match name.and_then(|row| row.status_name(*status)) {
                    Some(name) => write!(f, "{function} = {name}")?,
                    None => write!(f, "{function} = {status}")?,
                }
                returned.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
            }
            Item::Other(_, text) | Item::Gone(_, text) => f.write_str(text),
        }
    }
}
