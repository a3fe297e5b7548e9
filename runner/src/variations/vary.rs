//! How a host may behave otherwise, and still be right: its answers to open questions, its limits, when it delivers what, and what its peers do.

use std::time::Duration;

use pw_cases::data::{Data, Fields};
use pw_cases::scenario::{Scenario, Step};
use pw_host::Choices;

/// A way in which a host may behave otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Variation {
    /// It answers this open question in the other way.
    Choice(&'static str),
    /// It answers all of them at random, by this seed.
    Choices(u64),
    /// It has no room for anything of this limit.
    Full(&'static str),
    /// Something else is different.
    Change(&'static Change),
}

/// A change of what happens.
#[derive(Debug)]
pub(crate) struct Change {
    /// What is different.
    name: &'static str,
    /// What plugins get to see of messages is the same.
    same_messages: bool,
    /// The scenarios that it makes of one.
    make: fn(&Scenario) -> Vec<Scenario>,
}

impl PartialEq for Change {
    fn eq(&self, other: &Change) -> bool {
        self.name == other.name
    }
}

impl Eq for Change {}

/// The limits that plugins see as a failed call.
const LIMITS: [&str; 6] = ["calls", "metrics", "properties", "queue", "queues", "shared_data"];
/// A stream between the steps of a case has a number from here on. Cases have fewer.
const OTHER_STREAMS: u32 = 1_000;
/// More than the timeout of any call of the SDK kit.
const LATE: Duration = Duration::from_secs(5);
/// The size of a header that makes a plugin's allocator ask for memory.
const LARGE: usize = 200_000;
/// How many small pieces a body comes in, before the rest of it comes.
const PIECES: usize = 24;

/// A value that is not UTF-8.
const BYTES: [u8; 5] = [0x63, 0x61, 0x66, 0xe9, 0xff];

static CHANGES: [Change; 15] = [
    Change {
        name: "bodies come in pieces of a byte",
        same_messages: true,
        make: |usual| one(usual, |step| pieces(step, 1)),
    },
    Change {
        name: "bodies come in pieces of 7 bytes",
        same_messages: true,
        make: |usual| one(usual, |step| pieces(step, 7)),
    },
    Change { name: "another stream runs between the steps", same_messages: true, make: other_streams },
    Change {
        name: "5 seconds pass between the steps",
        same_messages: true,
        make: |usual| between(usual, |_| vec![Step::Advance { milliseconds: LATE.as_millis() as u64 }]),
    },
    Change { name: "no server answers a call", same_messages: true, make: |usual| one(usual, unanswered) },
    Change { name: "all servers of calls fail", same_messages: true, make: |usual| one(usual, failed) },
    Change {
        name: "the servers of calls answer without fields and bytes",
        same_messages: false,
        make: |usual| one(usual, empty_answer),
    },
    Change {
        name: "the client gives up",
        same_messages: false,
        make: |usual| given_up(usual, |stream| Step::ClientReset { stream }),
    },
    Change {
        name: "the upstream gives up",
        same_messages: false,
        make: |usual| given_up(usual, |stream| Step::UpstreamReset { stream }),
    },
    Change { name: "messages have no fields", same_messages: false, make: without_fields },
    Change {
        name: "no value of a field is UTF-8",
        same_messages: false,
        make: |usual| each_map(usual, &|fields| values(fields, &BYTES)),
    },
    Change {
        name: "all values of fields are empty",
        same_messages: false,
        make: |usual| each_map(usual, &|fields| values(fields, &[])),
    },
    Change {
        name: "messages have a field of 200 kB",
        same_messages: false,
        make: |usual| each_map(usual, &|fields| fields.push(("x-large".into(), Data(vec![b'a'; LARGE])))),
    },
    Change { name: "bodies and messages are empty", same_messages: false, make: |usual| one(usual, empty_bytes) },
    Change {
        name: "the host calls the plugin's foreign function between the steps",
        same_messages: true,
        make: |usual| between(usual, |_| vec![Step::ForeignCall { function: 1, arguments: Data::default() }]),
    },
];

impl Variation {
    /// All of them, with this number of settings at random.
    pub(crate) fn all(seeds: u64) -> Vec<Variation> {
        let choices = Choices::NAMES.iter().map(|name| Variation::Choice(name));
        let full = LIMITS.into_iter().map(Variation::Full);
        let changes = CHANGES.iter().map(Variation::Change);
        choices.chain(full).chain(changes).chain((1..=seeds).map(Variation::Choices)).collect()
    }

    /// In words.
    pub(crate) fn name(&self) -> String {
        match self {
            Variation::Choice(name) => format!("{name} = {}", !usual(name)),
            Variation::Choices(seed) => format!("all choices at random, seed {seed}"),
            Variation::Full(limit) => format!("the limit `{limit}` is 0"),
            Variation::Change(change) => change.name.to_owned(),
        }
    }

    /// Whether the specification says that a host may be like that. It names no status for a host that is full, but for calls.
    pub(crate) fn is_specified(&self) -> bool {
        !matches!(self, Variation::Full(limit) if *limit != "calls")
    }

    /// Whether peers send the same as usually, so that a plugin has as much reason to change or refuse it.
    pub(crate) fn sends_the_same(&self) -> bool {
        !matches!(self, Variation::Change(Change { same_messages: false, .. }))
    }

    /// The scenarios that it makes of one; none if it changes nothing.
    pub(crate) fn of(&self, scenario: &Scenario) -> Vec<Scenario> {
        let mut varied = scenario.clone();
        match self {
            Variation::Choice(name) => drop(varied.choices.insert((*name).to_owned(), !usual(name))),
            Variation::Choices(seed) => {
                let choices = Choices::drawn(*seed);
                let other = Choices::NAMES.iter().filter(|name| choices.get(name) != Some(usual(name)));
                varied.choices = other.map(|name| ((*name).to_owned(), !usual(name))).collect();
            }
            Variation::Full(limit) => {
                for plugin in &mut varied.plugins {
                    plugin.settings.limits.insert((*limit).to_owned(), 0);
                }
            }
            Variation::Change(change) => {
                let mut made = (change.make)(scenario);
                made.retain(|varied| varied.steps != scenario.steps);
                return made;
            }
        }
        vec![varied]
    }
}

/// What the reference host usually does.
fn usual(name: &str) -> bool {
    Choices::default().get(name).unwrap_or_default()
}

/// With each step replaced by these.
fn one(usual: &Scenario, steps: impl Fn(&Step) -> Vec<Step>) -> Vec<Scenario> {
    vec![Scenario { steps: usual.steps.iter().flat_map(steps).collect(), ..usual.clone() }]
}

/// With these steps after each one. They are given its number.
fn between(usual: &Scenario, steps: impl Fn(u32) -> Vec<Step>) -> Vec<Scenario> {
    let after = |(number, step): (usize, &Step)| [vec![step.clone()], steps(number as u32)].concat();
    vec![Scenario { steps: usual.steps.iter().enumerate().flat_map(after).collect(), ..usual.clone() }]
}

fn pieces(step: &Step, size: usize) -> Vec<Step> {
    let (Step::RequestBody { body, end_of_stream, .. } | Step::ResponseBody { body, end_of_stream, .. }) = step else {
        return vec![step.clone()];
    };
    let small = body.0.len().min(PIECES * size);
    let mut bodies: Vec<&[u8]> = body.0[..small].chunks(size).collect();
    bodies.extend(Some(&body.0[small..]).filter(|rest| !rest.is_empty() || bodies.is_empty()));
    let last = bodies.len() - 1;
    let piece = |(index, bytes): (usize, &&[u8])| {
        let mut step = step.clone();
        if let Step::RequestBody { body, end_of_stream: end, .. }
        | Step::ResponseBody { body, end_of_stream: end, .. } = &mut step
        {
            (*body, *end) = (Data(bytes.to_vec()), *end_of_stream && index == last);
        }
        step
    };
    bodies.iter().enumerate().map(piece).collect()
}

/// Between the steps, whole streams that no case is about, of the protocol that the case is about.
fn other_streams(usual: &Scenario) -> Vec<Scenario> {
    let tcp = usual.steps.iter().any(|step| matches!(step, Step::Connect { .. }));
    between(usual, if tcp { other_connection } else { other_stream })
}

fn other_connection(number: u32) -> Vec<Step> {
    let stream = OTHER_STREAMS + number;
    vec![
        Step::Connect { stream },
        Step::ClientData { stream, data: "other".into(), end_of_stream: true },
        Step::UpstreamData { stream, data: "other".into(), end_of_stream: true },
    ]
}

fn other_stream(number: u32) -> Vec<Step> {
    let stream = OTHER_STREAMS + number;
    let fields =
        |fields: &[(&str, &str)]| fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let request =
        [(":method", "POST"), (":scheme", "http"), (":authority", "other.test"), (":path", "/other"), ("x-other", "1")];
    vec![
        Step::RequestHeaders { stream, headers: fields(&request), end_of_stream: false },
        Step::RequestBody { stream, body: "other".into(), end_of_stream: true },
        Step::ResponseHeaders { stream, headers: fields(&[(":status", "200")]), end_of_stream: false },
        Step::ResponseBody { stream, body: "other".into(), end_of_stream: true },
    ]
}

fn unanswered(step: &Step) -> Vec<Step> {
    vec![match *step {
        Step::CallResponse { call, .. } => Step::CallReset { call },
        Step::GrpcInitialMetadata { call, .. } | Step::GrpcMessage { call, .. } | Step::GrpcClose { call, .. } => {
            Step::GrpcReset { call }
        }
        _ => step.clone(),
    }]
}

fn failed(step: &Step) -> Vec<Step> {
    vec![match *step {
        Step::CallResponse { call, .. } => Step::CallResponse {
            call,
            headers: vec![(":status".into(), "503".into())],
            body: "no".into(),
            trailers: Fields::new(),
        },
        Step::GrpcMessage { call, .. } | Step::GrpcClose { call, .. } => {
            Step::GrpcClose { call, status: 13, message: "no".to_owned(), metadata: Fields::new() }
        }
        _ => step.clone(),
    }]
}

fn empty_answer(step: &Step) -> Vec<Step> {
    vec![match step {
        Step::CallResponse { call, headers, .. } => {
            let headers = headers.iter().filter(|(name, _)| is_pseudo(name)).cloned().collect();
            Step::CallResponse { call: *call, headers, body: Data::default(), trailers: Fields::new() }
        }
        Step::GrpcInitialMetadata { call, .. } => Step::GrpcInitialMetadata { call: *call, metadata: Fields::new() },
        Step::GrpcMessage { call, .. } => Step::GrpcMessage { call: *call, message: Data::default() },
        Step::GrpcClose { call, status, .. } => {
            Step::GrpcClose { call: *call, status: *status, message: String::new(), metadata: Fields::new() }
        }
        _ => step.clone(),
    }]
}

/// After each step in turn, all streams that are open are given up. What comes after that is about the plugins' calls.
fn given_up(usual: &Scenario, reset: impl Fn(u32) -> Step) -> Vec<Scenario> {
    let at = |end: usize| {
        let (before, after) = usual.steps.split_at(end);
        let mut streams: Vec<u32> = before.iter().filter_map(Step::stream).collect();
        streams.sort_unstable();
        streams.dedup();
        let resets = streams.into_iter().map(&reset);
        let after = after.iter().filter(|step| step.stream().is_none()).cloned();
        Scenario { steps: before.iter().cloned().chain(resets).chain(after).collect(), ..usual.clone() }
    };
    (1..=usual.steps.len()).map(at).collect()
}

fn is_pseudo(name: &Data) -> bool {
    name.0.starts_with(b":")
}

fn values(fields: &mut Fields, bytes: &[u8]) {
    fields.iter_mut().filter(|(name, _)| !is_pseudo(name)).for_each(|(_, value)| *value = Data(bytes.to_vec()));
}

/// Without fields that are not pseudo headers. A host writes a map without any as no bytes, or as a NUL.
fn without_fields(usual: &Scenario) -> Vec<Scenario> {
    let made = each_map(usual, &|fields| fields.retain(|(name, _)| is_pseudo(name)));
    let written = |varied: &Scenario, is_nul: bool| {
        let mut varied = varied.clone();
        varied.choices.insert("empty_maps_are_a_nul".to_owned(), is_nul);
        varied
    };
    made.iter().flat_map(|varied| [false, true].map(|is_nul| written(varied, is_nul))).collect()
}

/// With every map of fields changed.
fn each_map(usual: &Scenario, change: &dyn Fn(&mut Fields)) -> Vec<Scenario> {
    one(usual, |step| {
        let mut step = step.clone();
        match &mut step {
            Step::RequestHeaders { headers: fields, .. }
            | Step::ResponseHeaders { headers: fields, .. }
            | Step::RequestTrailers { trailers: fields, .. }
            | Step::ResponseTrailers { trailers: fields, .. }
            | Step::GrpcInitialMetadata { metadata: fields, .. }
            | Step::GrpcClose { metadata: fields, .. } => change(fields),
            Step::CallResponse { headers, trailers, .. } => {
                change(headers);
                change(trailers);
            }
            _ => {}
        }
        vec![step]
    })
}

fn empty_bytes(step: &Step) -> Vec<Step> {
    let mut step = step.clone();
    if let Step::RequestBody { body: bytes, .. }
    | Step::ResponseBody { body: bytes, .. }
    | Step::CallResponse { body: bytes, .. }
    | Step::ClientData { data: bytes, .. }
    | Step::UpstreamData { data: bytes, .. }
    | Step::GrpcMessage { message: bytes, .. }
    | Step::ForeignCall { arguments: bytes, .. } = &mut step
    {
        *bytes = Data::default();
    }
    vec![step]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Scenario {
        let request = vec![(":path".into(), "/".into()), ("x-one".into(), "1".into())];
        let response = vec![(":status".into(), "200".into())];
        let steps = vec![
            Step::RequestHeaders { stream: 0, headers: request, end_of_stream: false },
            Step::RequestBody { stream: 0, body: "0123456789".into(), end_of_stream: true },
            Step::CallResponse { call: 0, headers: response, body: "yes".into(), trailers: Fields::new() },
        ];
        Scenario { steps, ..Scenario::default() }
    }

    #[test]
    fn each_variation_changes_a_case_that_has_what_it_is_about() {
        let mut case = case();
        case.plugins.push(pw_cases::scenario::Plugin::new("plugin", pw_cases::scenario::Guest::Module(Vec::new())));
        for variation in Variation::all(3) {
            let made = variation.of(&case);
            assert!(!made.is_empty(), "{}", variation.name());
            for varied in made {
                let same = varied.steps == case.steps
                    && varied.choices == case.choices
                    && varied.plugins[0].settings == case.plugins[0].settings;
                assert!(!same, "{}", variation.name());
            }
        }
        let nothing = Scenario::default();
        assert!(CHANGES.iter().all(|change| Variation::Change(change).of(&nothing).is_empty()));
    }

    #[test]
    fn pieces_are_the_body() {
        let [varied] = &Variation::Change(&CHANGES[1]).of(&case())[..] else { panic!("it makes one") };
        let bodies: Vec<(Data, bool)> = varied
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::RequestBody { body, end_of_stream, .. } => Some((body.clone(), *end_of_stream)),
                _ => None,
            })
            .collect();
        assert_eq!(bodies, [("0123456".into(), false), ("789".into(), true)]);
    }

    #[test]
    fn what_is_given_up_ends_after_each_step_in_turn() {
        let reset = |stream| Step::ClientReset { stream };
        let made = given_up(&case(), reset);
        let counts: Vec<usize> = made.iter().map(|varied| varied.steps.len()).collect();
        assert_eq!(counts, [3, 4, 4]);
        assert_eq!(made[0].steps[1], reset(0));
    }
}
