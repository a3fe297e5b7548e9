//! Two transcripts of one scenario, call by call.

use std::collections::BTreeSet;
use std::fmt;

use pw_abi::Version;
use pw_cases::departure::Departure;
use pw_cases::known::Differs;
use pw_cases::transcript::Transcript;

use super::rules::{Instead, Open, RULES, TRAILERS};
use super::seen::{Call, Item, windows};

/// Where a host differs from the reference host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is about: `function/STATUS` by the reference host's answer, a callback, or `upstream`, `client`.
    pub clause: String,
    /// What the other host did first, if it did something else.
    pub also: Option<String>,
    /// What the other host does instead.
    pub instead: Departure,
    /// The call that it is about, if it is about one.
    pub action: Option<u32>,
    /// What the reference host did.
    pub expected: String,
    /// What the other did.
    pub seen: String,
    /// The case that asks the question, if neither host is wrong.
    pub open: Option<&'static str>,
    /// What follows cannot be compared.
    pub last: bool,
    /// What was called before: functions, each also as `callback/function`.
    pub called: BTreeSet<String>,
}

/// The clause, what is done instead, and what explains it, if something does.
pub type Key = (String, Departure, String);

impl Difference {
    /// Whether the host crashed.
    pub fn is_crash(&self) -> bool {
        matches!(self.instead, Departure::Crash(_))
    }

    /// Whether what follows may differ because of it: the two hosts are in different states.
    pub fn taints(&self) -> bool {
        self.action.is_none()
            || !["proxy_get", "proxy_log", "fd_write"].iter().any(|start| self.clause.starts_with(start))
    }

    /// Whether it is the one of an expected failure.
    pub fn is(&self, known: &Differs) -> bool {
        let clause = known.clause.as_ref().is_none_or(|clause| *clause == self.clause);
        clause && known.instead == self.instead && known.after.iter().all(|call| self.called.contains(call))
    }

    /// What differences have in common that are one.
    pub fn key(&self) -> Key {
        (self.clause.clone(), self.instead.clone(), self.open.unwrap_or_default().to_owned())
    }
}

/// The differences of two transcripts of one scenario, whose reports are read. After the first that is not about a call's
/// answer nothing is compared, but a crash is always reported.
pub fn compare(reference: &Transcript, other: &Transcript, version: Version, host: &str) -> Vec<Difference> {
    let (reference, other) = (windows(reference, version, host), windows(other, version, host));
    let mut comparison = Comparison::new(version);
    comparison.windows(&reference, &other);
    let crash = other.iter().flatten().find_map(|item| match item {
        Item::Gone("died", how) => Some(how),
        _ => None,
    });
    let mut differences = comparison.differences;
    if let Some(how) = crash {
        // The cause may be the call that was due, or what came before.
        let (clause, expected) = comparison.due.unwrap_or((comparison.before, "that it continues".to_owned()));
        let instead = Departure::Crash(how.clone());
        let (seen, called) = (instead.to_string(), all_calls(&other));
        let (also, action, open, last) = (None, None, None, true);
        differences.push(Difference { clause, also, instead, action, expected, seen, open, last, called });
    }
    differences
}

/// How far two transcripts are compared.
struct Comparison {
    version: Version,
    /// See [`Difference::called`].
    called: BTreeSet<String>,
    /// The callback that runs, or was the last to run.
    within: String,
    /// What was seen last.
    before: String,
    /// What would have been seen next, clause and text, when the host died.
    due: Option<(String, String)>,
    differences: Vec<Difference>,
}

impl Comparison {
    fn new(version: Version) -> Comparison {
        Comparison {
            version,
            called: BTreeSet::new(),
            within: String::new(),
            before: String::new(),
            due: None,
            differences: Vec::new(),
        }
    }

    fn windows(&mut self, reference: &[Vec<Item>], other: &[Vec<Item>]) {
        for at in 0..reference.len().max(other.len()) {
            let [one, other] = [reference, other].map(|windows| windows.get(at).map_or(&[][..], Vec::as_slice));
            if is_another_order(one, other) {
                return;
            }
            for place in 0..one.len().max(other.len()) {
                if !self.goes_on(one.get(place), other.get(place)) {
                    return;
                }
            }
        }
    }

    /// Compares what was seen at one place; whether what follows can be compared.
    fn goes_on(&mut self, expected: Option<&Item>, seen: Option<&Item>) -> bool {
        match (expected, seen) {
            (Some(Item::Gone(..)), Some(Item::Gone("fault", _))) => return false,
            (_, Some(Item::Gone("died", _))) => {
                self.due = expected.map(|item| (about(item, self.version), item.to_string()));
                return false;
            }
            _ => {}
        }
        let marks = [expected, seen].into_iter().flatten().flat_map(Item::marks);
        self.called.extend(marks.map(|mark| (*mark).to_owned()));
        if let Some(Item::Call(call)) = seen {
            self.called.insert(format!("{}/{}", self.within, call.function));
        }
        let difference = (expected != seen).then(|| difference((expected, seen), &self.called, self.version));
        let last = difference.as_ref().is_some_and(|difference| difference.last);
        self.differences.extend(difference);
        self.called.remove(TRAILERS);
        if let Some(seen) = seen {
            self.before = about(seen, self.version);
        }
        match seen {
            Some(Item::Callback(name, _)) => self.within.clone_from(name),
            Some(Item::Call(call)) => {
                self.called.insert(call.function.clone());
            }
            _ => {}
        }
        !last
    }
}

/// What was called: functions, each also as `callback/function`.
fn all_calls(windows: &[Vec<Item>]) -> BTreeSet<String> {
    let mut within = "";
    let mut calls = BTreeSet::new();
    for item in windows.iter().flatten() {
        match item {
            Item::Callback(name, _) => within = name,
            Item::Call(call) => {
                calls.insert(call.function.clone());
                calls.insert(format!("{within}/{}", call.function));
            }
            _ => {}
        }
    }
    calls
}

/// Whether the same calls reach their servers in another order, as they may. From then on a number stands for another call.
fn is_another_order(one: &[Item], other: &[Item]) -> bool {
    let calls = |window: &[Item]| -> Vec<String> {
        let outgoing = window.iter().filter_map(|item| match item {
            Item::Other("callout" | "gRPC", text) => Some(text.clone()),
            _ => None,
        });
        outgoing.collect()
    };
    let (mut one, mut other) = (calls(one), calls(other));
    if one == other {
        return false;
    }
    one.sort();
    other.sort();
    one == other
}

fn difference(
    (expected, seen): (Option<&Item>, Option<&Item>),
    called: &BTreeSet<String>,
    version: Version,
) -> Difference {
    let (clause, instead, action, last) = match (expected, seen) {
        (Some(Item::Call(one)), Some(Item::Call(other)))
            if one.function == other.function && one.action == other.action =>
        {
            let clause = format!("{}/{}", one.function, name(&one.function, one.status, version));
            let instead = match one.status == other.status {
                true => Departure::OtherValues,
                false => Departure::Status(name(&one.function, other.status, version)),
            };
            (clause, instead, one.action, false)
        }
        (Some(Item::Callback(one, args)), Some(Item::Callback(other, others))) if one == other => {
            let additional = has_additional_elements(args, others);
            let instead = if additional { Departure::AdditionalElements } else { Departure::OtherArguments };
            (one.clone(), instead, None, false)
        }
        (Some(Item::Other(one, _)), Some(Item::Other(other, _))) if one == other => {
            ((*one).to_owned(), Departure::AnotherMessage, None, false)
        }
        (Some(expected), Some(seen)) => (about(expected, version), Departure::First(about(seen, version)), None, true),
        (Some(expected), None) => (about(expected, version), Departure::Nothing, None, true),
        (None, Some(seen)) => (about(seen, version), Departure::Unexpected, None, true),
        (None, None) => (String::new(), Departure::Nothing, None, true),
    };
    let is_call = action.is_some();
    let open = RULES.open.iter().find(|row| is_open(row, (&clause, &instead, is_call), called));
    let open = open.map(|row| row.why.as_str());
    let text = |item: Option<&Item>| item.map_or("nothing".to_owned(), ToString::to_string);
    let also = seen.filter(|_| last).map(|item| about(item, version));
    let (expected, seen, called) = (text(expected), text(seen), called.clone());
    Difference { clause, also, instead, action, expected, seen, open, last, called }
}

/// Whether a callback reports elements where there were none, and all else is the same.
fn has_additional_elements(expected: &[String], seen: &[String]) -> bool {
    let besides = |one: &str, other: &str| one == "num_elements=none" && other == "num_elements=some";
    expected.len() == seen.len() && expected.iter().zip(seen).all(|(one, other)| one == other || besides(one, other))
}

fn is_open(row: &Open, (clause, instead, is_call): (&str, &Departure, bool), called: &BTreeSet<String>) -> bool {
    let (of, status) = clause.split_once('/').unwrap_or((clause, ""));
    let is_of = match row.of.as_str() {
        // What follows from a call that was made is anything but the answer to another.
        "*" if row.given.is_none() => is_call,
        "*" => !is_call,
        own => own == of,
    };
    let is_instead = match (&row.instead, instead) {
        (Instead::Anything, _) => true,
        (Instead::AnotherError, Departure::Status(name)) => is_call && !["OK", "SUCCESS"].contains(&name.as_str()),
        (Instead::AnotherError, _) => false,
        (Instead::This(own), instead) => own == instead,
        (Instead::FirstWithPrefix(prefix), Departure::First(what)) => what.starts_with(prefix),
        (Instead::FirstWithPrefix(_), _) => false,
    };
    let is_given = row.given.as_ref().is_none_or(|given| called.contains(given));
    is_of && is_instead && is_given && row.status.as_ref().is_none_or(|own| own == status)
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

impl Item {
    fn marks(&self) -> &[&'static str] {
        if let Item::Call(call) = self { &call.marks } else { &[] }
    }
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
