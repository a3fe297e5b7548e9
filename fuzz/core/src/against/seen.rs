//! A transcript as it can be compared: without what is up to a host, ids by the order in which they were first seen,
//! and each window in an order that does not depend on luck.

use std::collections::BTreeMap;

use pw_abi::{Callback, Function, Kind, LogLevel, Returns, Version};
use pw_cases::data::{Data, Fields};
use pw_cases::transcript::{Event, GrpcPart, Part, Returned, Transcript};

use super::rules::{LOST_CALL, LOST_ITEM, PSEUDO_HEADER, RULES, Swap, TRAILERS, TWICE};

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A callback: its name and arguments.
    Callback(String, Vec<String>),
    /// A call.
    Call(Call),
    /// Anything else: what it is about, and all of it.
    Other(&'static str, String),
    /// The plugin or the host is gone, and how.
    Gone(&'static str, String),
}

/// See [`Item::Call`].
#[derive(Clone, Debug, Eq)]
pub(super) struct Call {
    pub(super) function: String,
    pub(super) action: Option<u32>,
    pub(super) status: u32,
    pub(super) returned: Vec<(String, String)>,
    /// What it does that matters to [`super::rows::Open`], for itself and for what follows.
    pub(super) marks: Vec<&'static str>,
}

impl PartialEq for Call {
    fn eq(&self, other: &Call) -> bool {
        let key = |call: &Call| (call.action, call.status);
        self.function == other.function && key(self) == key(other) && self.returned == other.returned
    }
}

/// Fields that a proxy adds.
const ADDED: [&str; 11] = [
    "x-envoy-expected-rq-timeout-ms",
    "x-forwarded-proto",
    "date",
    "server",
    "x-request-id",
    "x-envoy-internal",
    "content-length",
    "content-type",
    "te",
    "grpc-timeout",
    ":scheme",
];
/// What is different in each run, or is for the host to say.
const VARYING: [&str; 7] = [
    "proxy_get_current_time_nanoseconds",
    "clock_time_get",
    "random_get",
    "proxy_get_log_level",
    "proxy_get_header_map_size",
    "proxy_get_property",
    "environ_get",
];
/// Numbers that a host gives as it likes.
const IDS: [(&str, &str); 6] = [
    ("queue_id", "queue"),
    ("metric_id", "metric"),
    ("cas", "cas"),
    ("call_id", "call"),
    ("stream_id", "call"),
    ("call_or_stream_id", "call"),
];

/// The windows of a transcript, without that of the start.
pub(super) fn windows(transcript: &Transcript, version: Version, host: &str) -> Vec<Vec<Item>> {
    let mut names = Names::default();
    let transcript = without_own_words(transcript);
    let windows = transcript.windows().into_iter().skip(1);
    windows
        .map(|window| ordered(window, host).iter().flat_map(|event| items(event, version, &mut names)).collect())
        .collect()
}

/// Without what a host adds to its own errors for the client, a body or fields.
fn without_own_words(transcript: &Transcript) -> Transcript {
    let mut plugins = false;
    let mut own = false;
    let mut events = Vec::new();
    for event in &transcript.events {
        plugins |= matches!(event, Event::Call { function, .. } if function == "proxy_send_local_response");
        if let Event::Client { part: Part::Headers { headers, .. }, .. } = event
            && !plugins
            && fields(headers).starts_with("\":status\": \"5")
        {
            own = true;
            let headers = headers.iter().filter(|(name, _)| name.0 == b":status").cloned().collect();
            events.push(Event::Client { stream: 0, part: Part::Headers { headers, end_of_stream: true } });
        } else if !(own && matches!(event, Event::Client { .. })) {
            events.push(event.clone());
        }
    }
    Transcript { events }
}

/// Ids by kind, in the order in which they were first seen.
#[derive(Default)]
struct Names(BTreeMap<(&'static str, u64), usize>);

impl Names {
    fn name(&mut self, kind: &'static str, id: u64) -> String {
        let next = self.0.keys().filter(|(known, _)| *known == kind).count();
        format!("{kind} {}", self.0.entry((kind, id)).or_insert(next))
    }
}

/// Callbacks and what is in them, then what reached calls' servers, the upstream, the client. That an item came to a queue is
/// reported at the end, as it is delivered by another way than all else.
fn ordered(window: &[Event], host: &str) -> Vec<Event> {
    let mut blocks: Vec<Vec<Event>> = Vec::new();
    let mut outside = Vec::new();
    let mut within = false;
    for event in window {
        if is_outside(event) {
            push_part(&mut outside, event.clone());
            continue;
        }
        match blocks.last_mut() {
            Some(block) if within => block.push(event.clone()),
            _ => blocks.push(vec![event.clone()]),
        }
        within = matches!(event, Event::Callback { .. }) || within && !matches!(event, Event::Returned { .. });
    }
    let starts =
        |block: &Vec<Event>, with: &str| matches!(block.first(), Some(Event::Callback { name, .. }) if name == with);
    for Swap { first, then, .. } in RULES.swap.iter().filter(|row| row.host == host) {
        let place = |name: &str| blocks.iter().position(|block| starts(block, name));
        if let (Some(first), Some(then)) = (place(first), place(then))
            && first < then
        {
            let block = blocks.remove(then);
            blocks.insert(first, block);
        }
    }
    let (queues, others): (Vec<_>, Vec<_>) =
        blocks.into_iter().partition(|block| starts(block, "proxy_on_queue_ready"));
    outside.retain(|event| !is_nothing(event));
    without_what_is_cut_off(&mut outside);
    outside.sort_by_key(place);
    others.into_iter().chain(queues).flatten().chain(outside).collect()
}

/// Without what a plugin sends right before it cuts the stream off, which may get lost; see grpc_calls/cancel_behind_close.
fn without_what_is_cut_off(outside: &mut Vec<Event>) {
    let reset = |event: &Event| match event {
        Event::Grpc { call, part: GrpcPart::Reset } => Some(*call),
        _ => None,
    };
    let cut: Vec<u32> = outside.iter().filter_map(reset).collect();
    outside.retain(|event| match event {
        Event::Grpc { call, part: GrpcPart::Message { .. } | GrpcPart::End } => !cut.contains(call),
        _ => true,
    });
}

fn is_outside(event: &Event) -> bool {
    matches!(event, Event::HttpCall { .. } | Event::Grpc { .. } | Event::Upstream { .. } | Event::Client { .. })
}

/// A piece of a body that is none; or that the upstream is given up, which is between the host and the upstream.
fn is_nothing(event: &Event) -> bool {
    let (Event::Upstream { part, .. } | Event::Client { part, .. }) = event else { return false };
    let gives_up = matches!((event, part), (Event::Upstream { .. }, Part::Reset));
    gives_up || matches!(part, Part::Body { body, end_of_stream: false } if body.0.is_empty())
}

fn place(event: &Event) -> (u8, u32) {
    match event {
        Event::HttpCall { .. } => (1, 0),
        Event::Grpc { call, .. } => (2, *call),
        Event::Upstream { stream, .. } => (3, *stream),
        _ => (4, 0),
    }
}

/// Pieces of a body that follow each other become one; trailers that are none are its end.
fn push_part(parts: &mut Vec<Event>, event: Event) {
    let last = parts.iter_mut().rev().find(|earlier| place(earlier) == place(&event));
    if let (Event::Upstream { part, .. } | Event::Client { part, .. }, Some(last)) = (&event, last)
        && let Event::Upstream { part: Part::Body { body, end_of_stream }, .. }
        | Event::Client { part: Part::Body { body, end_of_stream }, .. } = last
    {
        match part {
            Part::Body { body: more, end_of_stream: end } => {
                body.0.extend_from_slice(&more.0);
                *end_of_stream |= *end;
                return;
            }
            Part::Trailers { trailers } if fields(trailers).is_empty() => {
                *end_of_stream = true;
                return;
            }
            _ => {}
        }
    }
    parts.push(event);
}

fn items(event: &Event, version: Version, names: &mut Names) -> Vec<Item> {
    let Event::HttpCall { upstream, headers, body, trailers, .. } = event else {
        return item(event, version, names).into_iter().collect();
    };
    let message = format!("call to {upstream} <- {} body {body}", fields(headers));
    let trailers = format!("call to {upstream} <- trailers {}", fields(trailers));
    vec![Item::Other("callout", message), Item::Other("callout trailers", trailers)]
}

fn item(event: &Event, version: Version, names: &mut Names) -> Option<Item> {
    Some(match event {
        Event::Callback { name, args, .. } => {
            let args = match pw_abi::callback(version, name) {
                Some(row) => arguments(row, version, args, names),
                None => Vec::new(),
            };
            Item::Callback(name.clone(), args)
        }
        Event::Call { function, action, status, returned, args, .. } => {
            let row = pw_abi::host_function(version, function)?;
            let marks = marks(function, args, row.status_name(*status));
            let (function, action, status) = (function.clone(), *action, *status);
            Item::Call(Call { function, action, status, returned: values(row, status, returned, names), marks })
        }
        Event::Log { level, .. } if [LogLevel::TRACE, LogLevel::DEBUG].iter().any(|low| low.to_string() == *level) => {
            return None;
        }
        Event::Log { level, message, .. } => Item::Other("log", format!("log {level} {message}")),
        Event::Upstream { part, .. } => Item::Other("upstream", format!("upstream <- {}", shown(part))),
        Event::Client { part, .. } => Item::Other("client", format!("client <- {}", shown(part))),
        Event::Grpc { part, .. } => Item::Other("gRPC", grpc(part)),
        Event::Fault { .. } => Item::Gone("fault", "the plugin faults".to_owned()),
        Event::Died { how } => Item::Gone("died", how.clone()),
        _ => return None,
    })
}

fn marks(function: &str, args: &[String], status: Option<&str>) -> Vec<&'static str> {
    let lost = ["proxy_http_call", "proxy_grpc_call", "proxy_grpc_stream"].contains(&function)
        && status == Some("INVALID_MEMORY_ACCESS");
    let item = function == "proxy_dequeue_shared_queue" && status == Some("INVALID_MEMORY_ACCESS");
    let changes = ["proxy_add", "proxy_replace", "proxy_remove"].iter().any(|start| function.starts_with(start));
    let pseudo = function == "proxy_set_header_map_pairs" || changes && args.iter().any(|arg| arg.starts_with("\":"));
    let trailers = args.first().is_some_and(|map| map.ends_with("_TRAILERS"));
    let twice = function == "proxy_http_call"
        && [":method", ":path", ":authority"]
            .iter()
            .any(|name| args.get(1).is_some_and(|headers| headers.matches(&format!("\"{name}\":")).count() > 1));
    [(pseudo, PSEUDO_HEADER), (trailers, TRAILERS), (twice, TWICE), (lost, LOST_CALL), (item, LOST_ITEM)]
        .into_iter()
        .filter_map(|(is, mark)| is.then_some(mark))
        .collect()
}

/// The arguments of a callback, without the number of fields, as a proxy may have added some.
fn arguments(row: &Callback, version: Version, args: &[u32], names: &mut Names) -> Vec<String> {
    let params = row.params(version).zip(args);
    let shown = params.map(|(param, value)| {
        let number = u64::from(*value);
        let text = match param.name {
            name if name.ends_with("context_id") => names.name("context", number),
            // The server's HTTP adds fields there.
            "num_elements" if row.name == "proxy_on_grpc_receive_initial_metadata" => "any".to_owned(),
            name if name.starts_with("num_") => if *value == 0 { "none" } else { "some" }.to_owned(),
            "queue_id" => names.name("queue", number),
            "call_id" => names.name("call", number),
            _ => value.to_string(),
        };
        format!("{}={text}", param.name)
    });
    shown.collect()
}

/// What a call returned; of one that failed nothing is promised.
fn values(row: &Function, status: u32, returned: &[(String, Returned)], names: &mut Names) -> Vec<(String, String)> {
    if row.returns != Returns::Nothing && status != 0 || VARYING.contains(&row.name) {
        return Vec::new();
    }
    let value = |(name, value): &(String, Returned)| {
        let kind = row.params.iter().find(|param| param.name == *name).map(|param| param.kind);
        let id = IDS.iter().find(|(known, _)| known == name);
        let text = match (value, id, kind) {
            (Returned::Number(number), Some((_, id)), _) => names.name(id, *number),
            (Returned::Bytes(bytes), _, Some(Kind::Pairs)) => pairs(bytes),
            // A place that the script itself had chosen, or where something lies.
            (Returned::Number(_), None, None) => return None,
            // Nothing, in one form or the other.
            (Returned::Odd { size: 0, .. }, ..) => Data::default().to_string(),
            _ => value.to_string(),
        };
        Some((name.clone(), text))
    };
    returned.iter().filter_map(value).collect()
}

fn pairs(bytes: &Data) -> String {
    match pw_abi::pairs::decode(&bytes.0) {
        Ok(pairs) => fields(&pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect()),
        Err(malformed) => malformed.to_string(),
    }
}

/// Whether any proxy may add a field of that name.
pub(crate) fn is_added(name: &Data) -> bool {
    ADDED.iter().any(|added| name.0.eq_ignore_ascii_case(added.as_bytes()))
}

/// Fields by name; those of one name in their order.
fn fields(fields: &Fields) -> String {
    let own = fields.iter().filter(|(name, _)| !is_added(name));
    let mut lines: Vec<(String, String)> =
        own.map(|(name, value)| (name.to_string().to_ascii_lowercase(), value.to_string())).collect();
    lines.sort_by(|one, other| one.0.cmp(&other.0));
    lines.iter().map(|(name, value)| format!("{name}: {value}; ")).collect()
}

fn shown(part: &Part) -> String {
    match part {
        Part::Headers { headers, end_of_stream } => {
            format!("headers {{{}}}{}", fields(headers), if *end_of_stream { " end" } else { "" })
        }
        // Nothing and then the end, in one form or another.
        Part::Trailers { trailers } if fields(trailers).is_empty() => "end".to_owned(),
        Part::Body { body, end_of_stream: true } if body.0.is_empty() => "end".to_owned(),
        Part::Trailers { trailers } => format!("trailers {{{}}}", fields(trailers)),
        part => part.to_string(),
    }
}

fn grpc(part: &GrpcPart) -> String {
    match part {
        GrpcPart::Opened { upstream, service, method, metadata } => {
            format!("gRPC <- {service}/{method} at {upstream} {{{}}}", fields(metadata))
        }
        part => format!("gRPC <- {part}"),
    }
}
