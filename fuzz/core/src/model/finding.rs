//! What the model has to say against a run.

use pw_abi::Function;
use pw_cases::data::{Data, Fields};
use pw_cases::transcript::Returned;

/// Something that could not be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about, in the same words for the same bug: a function, a callback, a message.
    pub about: String,
    /// What was expected of it, and what came instead.
    pub message: String,
    /// The plugin's place in the scenario, where it is about one.
    pub plugin: Option<usize>,
    /// What a case can say to have it so, if it can.
    pub wanted: Option<Wanted>,
}

/// What comes out at an end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Out {
    /// To the upstream, or else to the client.
    pub upstream: bool,
    /// The header fields.
    pub fields: Fields,
    /// The names of fields that are not among them, but came.
    pub absent: Vec<Data>,
    /// The body.
    pub body: Data,
    /// Whether it ends.
    pub end: bool,
}

/// What a case can expect so that it fails where the finding was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// That an action of the script is answered otherwise.
    Answer(u32, Wrong),
    /// That the plugin never gets a callback.
    Never(&'static str),
    /// That the plugin gets it.
    Due(&'static str),
    /// That the callback is called with this in the place of an argument.
    Argument(&'static str, usize, u32),
    /// That the operator reads this of the metric of that name, in the last step.
    Metric(String, u64),
    /// What comes out of the first stream, to the upstream or else to the client.
    Out(Out),
    /// What a case says of the whole run, as it writes it.
    Line(String),
}

/// What was expected of a call, and what came instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The statuses that would have been right; none where a trap would have been.
    pub statuses: Vec<u32>,
    /// The returned value that would have been right, by the parameter's name.
    pub returned: Option<(&'static str, Returned)>,
    /// What came instead, in words.
    pub actual: String,
    /// The specification leaves it open, and the host has said otherwise of itself.
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

/// What of an answer is wrong, in the same words for the same bug.
pub(super) fn aspect(function: &Function, wrong: &Wrong) -> String {
    match &wrong.returned {
        Some((name, Returned::Untouched)) => format!("leaves {name} alone"),
        Some((name, _)) => format!("returns {name}"),
        None => describe(function, wrong),
    }
}
