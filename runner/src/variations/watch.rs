//! One run on the reference host, and what of it no plugin may do: trap, hang, or let something pass as it came that it usually changes.

use std::collections::BTreeMap;
use std::fmt;

use pw_cases::data::{Data, Fields};
use pw_cases::scenario::{Scenario, Step};
use pw_cases::transcript::{Event, Part};
use pw_reference::{Reference, Trace};

/// Log lines of at least these levels may say why a plugin gives up.
const COMPLAINTS: [&str; 3] = ["WARN", "ERROR", "CRITICAL"];
/// The host's words for a start that a plugin refuses, which it may.
const REFUSALS: [&str; 2] = ["proxy_on_vm_start returned false", "proxy_on_configure returned false"];

/// What was seen of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The first fault, if there is one.
    pub(crate) fault: Option<Fault>,
    /// What reached its peer as it was sent.
    pub(crate) unchanged: Vec<Piece>,
    /// What did not, or not at all.
    pub(crate) changed: Vec<Piece>,
}

/// A plugin that trapped, or that the host stopped.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// What it is known by.
    pub(crate) cause: Cause,
    /// The host's words.
    pub(crate) reason: String,
    /// What the plugin logged last, if that is a complaint.
    pub(crate) complaint: Option<Data>,
}

/// Faults with the same cause are taken for the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cause {
    /// The plugin's name in the case.
    pub(crate) plugin: String,
    /// Where: a callback, or a function of the start.
    callback: String,
    /// What the plugin logged last, if that is a complaint. Numbers are replaced by `#`, except those of lines of sources.
    complaint: Option<String>,
    /// The last call of the plugin that returned, and what.
    call: Option<(String, String)>,
}

impl Cause {
    /// Whether plugins fault for the same cause: with the same words if they have any, but for numbers in them, else after the same call.
    pub(crate) fn is_same(&self, other: &Cause) -> bool {
        let calls = self.complaint.is_some() || self.call == other.call;
        (&self.callback, &self.complaint) == (&other.callback, &other.complaint) && calls
    }

    /// The callback, as the name of a file.
    pub(crate) fn slug(&self) -> String {
        let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        self.callback.chars().map(word).take(60).collect()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "traps in {}", self.callback)?;
        match &self.call {
            Some((call, result)) => write!(f, ", after {call} returned {result}"),
            None => Ok(()),
        }
    }
}

/// A part of an HTTP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Piece {
    stream: u32,
    /// It is of a request; else of a response.
    request: bool,
    what: &'static str,
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} of a {}", self.what, if self.request { "request" } else { "response" })
    }
}

/// A message as it was sent, or as it came.
#[derive(Clone, Debug, Default, PartialEq)]
struct Message {
    headers: Option<Fields>,
    body: Option<Data>,
    trailers: Option<Fields>,
}

/// The messages by stream; those of requests, and those of responses.
type Messages = BTreeMap<(u32, bool), Message>;

/// Runs a scenario. An error is ours, or that of the scenario.
pub(crate) fn watch(host: &Reference, scenario: &Scenario) -> Result<Seen, String> {
    let mut world = host.world(scenario)?;
    let trace = Trace::default();
    world.proxy().observe(Box::new(trace.clone()));
    if host.start(&mut world, scenario)? {
        world.run(&scenario.steps);
    }
    let events = world.take_events()?;
    let last = scenario.plugins.last().map(|plugin| plugin.settings.name.clone()).unwrap_or_default();
    let fault = fault(&events).map(|(plugin, reason, complaint)| {
        let calls = trace.take(|id| world.name(id, if plugin.is_empty() { &last } else { &plugin }));
        Fault { cause: cause(plugin, &reason, complaint.as_ref(), &calls), reason, complaint }
    });
    let (sent, came) = (sent(scenario), came(&events));
    let pieces = sent.iter().flat_map(|(key, message)| compared(*key, message, came.get(key)));
    let (unchanged, changed): (Vec<_>, Vec<_>) = pieces.partition(|(_, same)| *same);
    let only = |pieces: Vec<(Piece, bool)>| pieces.into_iter().map(|(piece, _)| piece).collect();
    Ok(Seen { fault, unchanged: only(unchanged), changed: only(changed) })
}

/// The first fault of a run: the plugin, the host's words, and what the plugin logged last before it.
fn fault(events: &[Event]) -> Option<(String, String, Option<Data>)> {
    let at = events.iter().position(|event| match event {
        Event::Fault { .. } => true,
        Event::Refused { reason, .. } => !REFUSALS.contains(&reason.as_str()),
        _ => false,
    })?;
    let (Event::Fault { plugin, reason } | Event::Refused { plugin, reason }) = &events[at] else { return None };
    let lines = events[..at].iter().rev().filter_map(|event| match event {
        Event::Log { plugin: logged, level, message } if logged == plugin => Some((level, message)),
        _ => None,
    });
    let last: Vec<&Data> =
        lines.take_while(|(level, _)| COMPLAINTS.contains(&level.as_str())).map(|(_, message)| message).collect();
    Some((plugin.clone(), reason.clone(), complaint(&last)))
}

/// What a plugin complains about, by its last lines, the last one first: some log each piece of a text alone. What follows an empty line
/// is a list of functions.
fn complaint(last: &[&Data]) -> Option<Data> {
    let text: Vec<u8> = last.iter().rev().flat_map(|line| line.0.iter().copied()).collect();
    let end = text.windows(2).position(|two| two == b"\n\n").unwrap_or(text.len());
    let text = text[..end].trim_ascii();
    (!text.is_empty()).then(|| Data(text.to_vec()))
}

fn cause(plugin: String, reason: &str, complaint: Option<&Data>, calls: &[Event]) -> Cause {
    let callback = reason.split_once(" failed: ").map_or(reason, |(callback, _)| callback).to_owned();
    let call = calls.iter().rev().find_map(|event| match event {
        Event::Call { plugin: calling, function, status, .. } if *calling == plugin && !is_an_end(function) => {
            Some((function, *status))
        }
        _ => None,
    });
    let call = call.map(|(function, status)| {
        let row = pw_cases::script::functions().find(|row| row.name == *function);
        let name = row.and_then(|row| row.status_name(status));
        (function.clone(), name.map_or_else(|| status.to_string(), str::to_owned))
    });
    let complaint = complaint.map(|complaint| without_numbers(&String::from_utf8_lossy(&complaint.0)));
    Cause { plugin, callback, complaint, call }
}

/// Whether it is what a plugin does when it has given up: it says so, and its language's library asks WASI for more, such as to exit.
fn is_an_end(function: &str) -> bool {
    let row = pw_cases::script::functions().find(|row| row.name == function);
    function == "proxy_log" || row.is_none_or(|row| row.module != "env")
}

fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut is_place = false;
    for c in text.chars() {
        is_place = match c {
            ':' | '(' => true,
            c => is_place && c.is_ascii_digit(),
        };
        match c {
            c if is_place || !c.is_ascii_digit() => out.push(c),
            _ if out.ends_with('#') => {}
            // A list of numbers may be longer another time.
            _ if out.ends_with("#, ") => out.truncate(out.len() - 2),
            _ => out.push('#'),
        }
    }
    out
}

/// What the client and the upstream send.
fn sent(scenario: &Scenario) -> Messages {
    let mut messages = Messages::new();
    for step in &scenario.steps {
        let request =
            matches!(step, Step::RequestHeaders { .. } | Step::RequestBody { .. } | Step::RequestTrailers { .. });
        let Some(stream) = step.stream() else { continue };
        let message = messages.entry((stream, request)).or_default();
        match step {
            Step::RequestHeaders { headers, .. } | Step::ResponseHeaders { headers, .. } => {
                message.headers = Some(headers.clone());
            }
            Step::RequestBody { body, .. } | Step::ResponseBody { body, .. } => message.more(body),
            Step::RequestTrailers { trailers, .. } | Step::ResponseTrailers { trailers, .. } => {
                message.trailers = Some(trailers.clone());
            }
            _ => {}
        }
    }
    messages
}

/// What the upstream and the client get.
fn came(events: &[Event]) -> Messages {
    let mut messages = Messages::new();
    for event in events {
        let (stream, part, request) = match event {
            Event::Upstream { stream, part } => (stream, part, true),
            Event::Client { stream, part } => (stream, part, false),
            _ => continue,
        };
        let message = messages.entry((*stream, request)).or_default();
        match part {
            Part::Headers { headers, .. } => message.headers = Some(headers.clone()),
            Part::Body { body, .. } => message.more(body),
            Part::Trailers { trailers } => message.trailers = Some(trailers.clone()),
            Part::Opened | Part::Reset => {}
        }
    }
    messages
}

impl Message {
    fn more(&mut self, bytes: &Data) {
        self.body.get_or_insert_default().0.extend(&bytes.0);
    }
}

/// Each piece that was sent, and whether it came like that.
fn compared((stream, request): (u32, bool), sent: &Message, came: Option<&Message>) -> Vec<(Piece, bool)> {
    let none = Message::default();
    let came = came.unwrap_or(&none);
    let pieces = [
        ("headers", sent.headers.is_some(), sent.headers == came.headers),
        ("body", sent.body.as_ref().is_some_and(|body| !body.0.is_empty()), sent.body == came.body),
        ("trailers", sent.trailers.is_some(), sent.trailers == came.trailers),
    ];
    let was_sent = pieces.into_iter().filter(|(_, was_sent, _)| *was_sent);
    was_sent.map(|(what, _, same)| (Piece { stream, request, what }, same)).collect()
}

#[cfg(test)]
mod tests {
    use pw_cases::scenario::{Guest, Plugin};

    use super::*;

    const PLUGIN: &str = r#"(module
      (import "env" "proxy_get_status" (func (param i32 i32 i32) (result i32)))
      (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "x-secret")
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $remove (i32.const 0) (i32.const 0) (i32.const 8)))
        i32.const 0)
      (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
        unreachable))"#;

    fn seen(body: &str) -> Seen {
        let wasm = wat::parse_str(PLUGIN).unwrap_or_else(|error| panic!("{error}"));
        let headers = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/"), ("x-secret", "1")]
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec();
        let mut steps = vec![Step::RequestHeaders { stream: 0, headers, end_of_stream: body.is_empty() }];
        if !body.is_empty() {
            steps.push(Step::RequestBody { stream: 0, body: body.into(), end_of_stream: true });
        }
        let plugins = vec![Plugin::new("one", Guest::Module(wasm))];
        let host = Reference::new().unwrap_or_else(|error| panic!("{error}"));
        watch(&host, &Scenario { plugins, steps, ..Scenario::default() }).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_fault_is_known_by_its_place_and_the_last_call() {
        let seen = seen("body");
        let fault = seen.fault.expect("it traps");
        let words = "traps in proxy_on_request_body, after proxy_remove_header_map_value returned OK";
        assert_eq!((fault.cause.plugin.as_str(), fault.cause.to_string().as_str()), ("one", words));
        assert!(fault.complaint.is_none() && fault.reason.contains("unreachable"), "{fault:?}");
    }

    #[test]
    fn a_complaint_is_put_together_from_its_pieces() {
        let pieces: Vec<Data> = ["\ngoroutine 1:", "\n", "index out of range", "panic: "].map(Data::from).to_vec();
        let pieces: Vec<&Data> = pieces.iter().collect();
        assert_eq!(complaint(&pieces), Some("panic: index out of range".into()));
        assert_eq!(complaint(&[]), None);
    }

    #[test]
    fn numbers_are_left_out_but_for_places() {
        let text = "panicked at src/a.rs:12:3: the index is 47, at runtime.ts(28:5)";
        assert_eq!(without_numbers(text), "panicked at src/a.rs:12:3: the index is #, at runtime.ts(28:5)");
        assert_eq!(without_numbers("bytes: [99, 233], 2 of them"), "bytes: [#], # of them");
    }

    #[test]
    fn what_a_plugin_changes_does_not_come_as_it_was_sent() {
        let seen = seen("");
        assert!(seen.fault.is_none() && seen.unchanged.is_empty());
        let names: Vec<String> = seen.changed.iter().map(Piece::to_string).collect();
        assert_eq!(names, ["the headers of a request"]);
    }
}
