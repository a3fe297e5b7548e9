//! What the model reports of a run.

use pw_abi::Function;
use pw_cases::data::{Data, Fields};
use pw_cases::transcript::Returned;

/// Something that cannot be right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// What it is about, in the same words for the same bug: a function, a callback, a message.
    pub about: String,
    /// What was expected, and what came instead.
    pub message: String,
    /// The plugin's index in the scenario, if it is about one.
    pub plugin: Option<usize>,
    /// How often the plugin got the callback that came wrongly before that, in the same step.
    pub before: usize,
    /// A case can tell it from what is right: no other instance of the plugin, and no other run of the same action, is named alike.
    pub tells: bool,
    /// What a case can expect so that it fails here, if it can.
    pub wanted: Option<Wanted>,
}

/// What comes out at an end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Out {
    /// The stream.
    pub stream: u32,
    /// To the upstream, or else to the client.
    pub upstream: bool,
    /// The header fields.
    pub fields: Fields,
    /// The names of fields that came, but must not.
    pub absent: Vec<Data>,
    /// The body.
    pub body: Data,
    /// The trailers, if there are any.
    pub trailers: Option<Fields>,
    /// Names that are not among them.
    pub absent_trailers: Vec<Data>,
    /// Whether it ends.
    pub end: bool,
}

/// What a case can expect so that it fails where the model found something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// That an action of the script, by its id, has another outcome.
    Answer(u32, Wrong),
    /// That the plugin never gets a callback.
    Never(&'static str),
    /// That the plugin gets a callback.
    Due(&'static str),
    /// That an argument of the callback, by its index, has this value.
    Argument(&'static str, usize, u32),
    /// That the operator reads this value of the metric of that name, in the last step.
    Metric(String, u64),
    /// What comes out of a stream, to the upstream or else to the client.
    Out(Out),
    /// A line of a case that is about the whole run.
    Line(String),
}

/// What was expected of a call, and what came instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The statuses that would have been right; none if a trap would have been.
    pub statuses: Vec<u32>,
    /// The returned value that would have been right, by the parameter's name.
    pub returned: Option<(&'static str, Returned)>,
    /// What came instead, in words.
    pub actual: String,
    /// It is an open question of the specification, and not what the reference host has chosen.
    pub open: bool,
}

/// What would have been right, in words.
pub(super) fn describe(function: &Function, wrong: &Wrong) -> String {
    let name = |status: &u32| function.status_name(*status).map_or_else(|| status.to_string(), str::to_owned);
    let statuses: Vec<String> = wrong.statuses.iter().map(name).collect();
    let statuses = if statuses.is_empty() { "a trap".to_owned() } else { statuses.join(" or ") };
    match &wrong.returned {
        Some((name, value)) => format!("{statuses} with {name} {value}"),
        None => statuses,
    }
}

/// The part of an answer that is wrong, in the same words for the same bug.
pub(super) fn aspect(function: &Function, wrong: &Wrong) -> String {
    match &wrong.returned {
        Some((name, Returned::Untouched)) => format!("leaves {name} alone"),
        Some((name, _)) => format!("returns {name}"),
        None => describe(function, wrong),
    }
}
