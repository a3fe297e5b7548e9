//! Judges a window of a transcript: what was seen between two steps, or in the whole run.

use std::collections::BTreeMap;

use crate::case::{Arguments, CallMade, Expect, GrpcMade, LogLine, Message, RETURNED, Wire};
use crate::data::{Data, Fields};
use crate::judge::Judging;
use crate::transcript::{Event, GrpcPart, Part, Returned};
use crate::want::{Saved, Want};

/// What was expected, and what was seen instead.
type Failure = Option<(String, String)>;

impl Judging<'_> {
    pub(super) fn window(&mut self, expect: &Expect, events: &[Event], stream: u32) {
        if let Some(any) = &expect.fault {
            let fault = events.iter().find_map(|event| match event {
                Event::Fault { reason, .. } => Some(reason.clone()),
                _ => None,
            });
            self.any(any, "fault", |expected| {
                let text = if *expected { "a fault" } else { "no fault" };
                (*expected != fault.is_some()).then(|| (text.to_owned(), fault.clone().unwrap_or("none".to_owned())))
            });
        }
        let called = callbacks(events);
        if let Some(any) = &expect.callbacks {
            self.any(any, "callbacks", |expected| {
                let same =
                    expected.len() == called.len() && expected.iter().zip(&called).all(|(one, seen)| is(one, seen));
                (!same).then(|| first_difference(expected, &called))
            });
        }
        if let Some((line, order)) = &expect.order {
            let places = places(events);
            let mut rest = places.iter();
            let missing = order.iter().find(|name| !rest.any(|(plugin, seen)| is(name, &(*plugin, seen.as_str()))));
            if let Some(missing) = missing {
                self.finding(
                    *line,
                    "order of callbacks",
                    format!("{} (lacks {missing} in its place)", order.join(", ")),
                    if order.iter().any(|name| name.ends_with(RETURNED)) {
                        ends_shown(&places)
                    } else {
                        shown(&called)
                    },
                );
            }
        }
        if let Some((line, never)) = &expect.never {
            for name in never.iter().filter(|name| called.iter().any(|seen| is(name, seen))) {
                self.finding(*line, "callbacks", format!("never {name}"), shown(&called));
            }
        }
        if let Some((line, lines)) = &expect.log {
            self.log(*line, lines, events);
        }
        if let Some((line, lines)) = &expect.never_log {
            for event in events.iter().filter(|event| lines.iter().any(|line| log_line_is(line, event))) {
                self.finding(*line, "log", "never this line", event.to_string());
            }
        }
        if let Some(any) = &expect.upstream {
            let parts = parts(events, |event| match event {
                Event::Upstream { stream: seen, part } if *seen == stream => Some(part),
                _ => None,
            });
            self.any(any, "upstream", |wire| wire_fails(wire, &parts));
        }
        if let Some(any) = &expect.client {
            let parts = parts(events, |event| match event {
                Event::Client { stream: seen, part } if *seen == stream => Some(part),
                _ => None,
            });
            self.any(any, "client", |wire| wire_fails(wire, &parts));
        }
        if let Some(any) = &expect.calls {
            self.any(any, "calls", |calls| calls_fail(calls, events));
        }
        if let Some(any) = &expect.grpc {
            self.any(any, "gRPC", |calls| grpc_fails(calls, events));
        }
        if let Some((line, arguments)) = &expect.arguments {
            self.arguments(*line, arguments, events);
        }
        if let Some(any) = &expect.would {
            let seen: Vec<&str> = events
                .iter()
                .filter_map(|event| match event {
                    Event::Discarded { what, .. } => Some(what.as_str()),
                    _ => None,
                })
                .collect();
            let text = |changes: &[&str]| if changes.is_empty() { "nothing".to_owned() } else { changes.join(", ") };
            self.any(any, "what would be done", |expected| {
                let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
                (expected != seen).then(|| (text(&expected), text(&seen)))
            });
        }
        if let Some((line, expected)) = expect.rolled_back {
            let seen = events.iter().any(|event| matches!(event, Event::RolledBack { .. }));
            if seen != expected {
                let text = |is: bool| if is { "rolled back" } else { "left as it is" };
                self.finding(line, "the canary", text(expected), text(seen));
            }
        }
        if let Some((line, metrics)) = &expect.metrics {
            self.metrics(*line, metrics, events);
        }
    }

    /// These callbacks with these arguments, in this order, perhaps others between them.
    fn arguments(&mut self, line: usize, expected: &[Arguments], events: &[Event]) {
        let mut rest = events.iter();
        for arguments in expected {
            if !rest.any(|event| arguments_are(arguments, &self.saved, event)) {
                let called = |event: &&Event| matches!(event, Event::Callback { plugin, name, .. } if is(&arguments.callback, &(plugin, name)));
                let seen: Vec<String> = events.iter().filter(called).map(Event::to_string).collect();
                let wants: Vec<String> = arguments
                    .wants
                    .iter()
                    .map(|(place, want)| format!("{} {want}", parameter(&arguments.callback, *place)))
                    .collect();
                let seen = if seen.is_empty() { "not called".to_owned() } else { seen.join(", ") };
                return self.finding(
                    line,
                    "arguments",
                    format!("{} with {}", arguments.callback, wants.join(", ")),
                    seen,
                );
            }
        }
    }

    /// Each of these has been read, and no other is judged.
    fn metrics(&mut self, line: usize, expected: &[(String, Want)], events: &[Event]) {
        for (expected, want) in expected {
            let value = events.iter().find_map(|event| match event {
                Event::Metric { name, value } if name == expected => Some(*value),
                _ => None,
            });
            if !value.is_some_and(|value| want.admits(&Returned::Number(value), &self.saved)) {
                let seen = value.map_or("no such metric".to_owned(), |value| value.to_string());
                self.finding(line, "metric", format!("{expected} {want}"), seen);
            }
        }
    }

    fn log(&mut self, line: usize, lines: &[LogLine], events: &[Event]) {
        let mut rest = events.iter();
        for expected in lines {
            if !rest.any(|event| log_line_is(expected, event)) {
                let seen: Vec<String> = events
                    .iter()
                    .filter_map(|event| match event {
                        Event::Log { level, message, .. } => Some(format!("{level} {message}")),
                        _ => None,
                    })
                    .collect();
                let message = expected.message.as_ref().map_or("a line".to_owned(), Want::to_string);
                let level = expected.level.as_deref().unwrap_or("any level");
                let seen = if seen.is_empty() { "no such line".to_owned() } else { seen.join(", ") };
                return self.finding(line, "log", format!("{level} {message}, in its place"), seen);
            }
        }
    }
}

fn log_line_is(expected: &LogLine, event: &Event) -> bool {
    let Event::Log { plugin, level, message } = event else { return false };
    expected.plugin.as_ref().is_none_or(|expected| expected == plugin)
        && expected.level.as_ref().is_none_or(|expected| expected == level)
        && expected.message.as_ref().is_none_or(|want| want.admits(&Returned::Bytes(message.clone()), &Saved::new()))
}

fn arguments_are(expected: &Arguments, saved: &Saved, event: &Event) -> bool {
    let Event::Callback { plugin, name, args } = event else { return false };
    // An argument that the version does not have is not judged.
    let admits = |(place, want): &(usize, Want)| {
        args.get(*place).is_none_or(|seen| want.admits(&Returned::Number((*seen).into()), saved))
    };
    is(&expected.callback, &(plugin, name)) && expected.wants.iter().all(admits)
}

fn parameter(callback: &str, place: usize) -> &'static str {
    let bare = callback.rsplit('/').next().unwrap_or_default();
    let row = crate::script::callbacks().find(|row| row.name == bare);
    row.and_then(|row| row.params.get(place)).map_or("", |param| param.name)
}

fn callbacks(events: &[Event]) -> Vec<(&str, &str)> {
    let called = events.iter().filter_map(|event| match event {
        Event::Callback { plugin, name, .. } => Some((plugin.as_str(), name.as_str())),
        _ => None,
    });
    called.collect()
}

/// The callbacks, and their ends.
fn places(events: &[Event]) -> Vec<(&str, String)> {
    let places = events.iter().filter_map(|event| match event {
        Event::Callback { plugin, name, .. } => Some((plugin.as_str(), name.clone())),
        Event::Returned { plugin, name, .. } => Some((plugin.as_str(), format!("{name}{RETURNED}"))),
        _ => None,
    });
    places.collect()
}

/// Whether `name`, perhaps with a plugin's name and a slash in front, is the callback that was seen.
fn is(name: &str, seen: &(&str, &str)) -> bool {
    match name.split_once('/') {
        Some((plugin, callback)) => (plugin, callback) == *seen,
        None => name == seen.1,
    }
}

fn shown(called: &[(&str, &str)]) -> String {
    if called.is_empty() { "none".to_owned() } else { names(called).join(", ") }
}

fn ends_shown(places: &[(&str, String)]) -> String {
    let places: Vec<(&str, &str)> = places.iter().map(|(plugin, name)| (*plugin, name.as_str())).collect();
    shown(&places)
}

/// The callbacks, with the plugins' names where there are several.
fn names(called: &[(&str, &str)]) -> Vec<String> {
    let several = called.iter().any(|(plugin, _)| *plugin != called[0].0);
    let name = |(plugin, name): &(&str, &str)| if several { format!("{plugin}/{name}") } else { (*name).to_owned() };
    called.iter().map(name).collect()
}

/// Two lists of callbacks from where they differ on, with the one before that.
fn first_difference(expected: &[String], called: &[(&str, &str)]) -> (String, String) {
    let same = expected.iter().zip(called).take_while(|(one, seen)| is(one, seen)).count();
    let start = same.saturating_sub(1);
    let text = |all: &[String]| match (&all[start.min(all.len())..], start) {
        ([], _) => "none".to_owned(),
        (rest, 0) => rest.join(", "),
        (rest, _) => format!("…, {}", rest.join(", ")),
    };
    (text(expected), text(&names(called)))
}

fn parts<'a>(events: &'a [Event], part: impl Fn(&'a Event) -> Option<&'a Part>) -> Vec<&'a Part> {
    events.iter().filter_map(part).collect()
}

fn wire_fails(wire: &Wire, parts: &[&Part]) -> Failure {
    let seen = || {
        let parts: Vec<String> = parts.iter().map(|part| part.to_string()).collect();
        if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
    };
    match wire {
        Wire::Nothing => (!parts.is_empty()).then(|| ("nothing".to_owned(), seen())),
        Wire::Reset => (!parts.iter().any(|part| **part == Part::Reset)).then(|| ("a reset".to_owned(), seen())),
        Wire::Closed => {
            let end = |part: &&Part| matches!(part, Part::Reset | Part::Body { end_of_stream: true, .. });
            (!parts.iter().any(end)).then(|| ("the end of the connection".to_owned(), seen()))
        }
        Wire::Message(message) => {
            let mut whole = Whole::default();
            parts.iter().for_each(|part| whole.add(part));
            let reset = if parts.iter().any(|part| **part == Part::Reset) { ", and a reset" } else { "" };
            message_fails(message, &whole).map(|(expected, actual)| (expected, format!("{actual}{reset}")))
        }
    }
}

/// The parts of a message put together.
#[derive(Default)]
struct Whole {
    /// A TCP connection was opened.
    opened: bool,
    headers: Option<Fields>,
    body: Vec<u8>,
    trailers: Option<Fields>,
    end_of_stream: bool,
}

impl Whole {
    fn is_nothing(&self) -> bool {
        !self.opened && self.headers.is_none() && self.trailers.is_none() && self.body.is_empty() && !self.end_of_stream
    }

    fn add(&mut self, part: &Part) {
        match part {
            Part::Headers { headers, end_of_stream } => {
                self.headers = Some(headers.clone());
                self.end_of_stream |= end_of_stream;
            }
            Part::Body { body, end_of_stream } => {
                self.body.extend(&body.0);
                self.end_of_stream |= end_of_stream;
            }
            Part::Trailers { trailers } => {
                self.trailers = Some(trailers.clone());
                self.end_of_stream = true;
            }
            Part::Opened => self.opened = true,
            Part::Reset => {}
        }
    }
}

/// What of the message was expected and is not so, and what was seen in its place.
fn message_fails(message: &Message, whole: &Whole) -> Failure {
    let none = Fields::new();
    let headers = whole.headers.as_ref().unwrap_or(&none);
    let trailers = whole.trailers.as_ref().unwrap_or(&none);
    let admits = |want: &Want, seen: Returned| want.admits(&seen, &Saved::new());
    if whole.is_nothing() {
        return Some((message.text(), "nothing".to_owned()));
    }
    if let Some(want) = &message.status {
        let status = values(headers, ":status").first().and_then(|value| value.as_str()?.parse().ok());
        if !status.is_some_and(|status| admits(want, Returned::Number(status))) {
            return Some((format!("status {want}"), fields_seen(":status", headers, "header")));
        }
    }
    fields_fail(&message.headers, headers, "header")
        .or_else(|| present(&message.absent, headers, "header"))
        .or_else(|| fields_fail(&message.trailers, trailers, "trailer"))
        .or_else(|| present(&message.absent_trailers, trailers, "trailer"))
        .or_else(|| {
            let (want, body) = (message.body.as_ref()?, Returned::Bytes(Data(whole.body.clone())));
            (!admits(want, body.clone())).then(|| (format!("body {want}"), format!("body {}", want.show(&body))))
        })
        .or_else(|| {
            let end = message.end_of_stream?;
            let text = |end: bool| if end { "the end of the message" } else { "no end of the message" }.to_owned();
            (end != whole.end_of_stream).then(|| (text(end), text(whole.end_of_stream)))
        })
}

fn fields_fail(wanted: &[(String, Vec<Want>)], fields: &Fields, what: &str) -> Failure {
    let fails = |(name, wants): &&(String, Vec<Want>)| {
        let values = values(fields, name);
        let admits = |(want, value): (&Want, &&Data)| want.admits(&Returned::Bytes((*value).clone()), &Saved::new());
        values.len() != wants.len() || !wants.iter().zip(&values).all(admits)
    };
    let (name, wants) = wanted.iter().find(fails)?;
    Some((format!("{what} {name}: {}", Want::all_text(wants)), fields_seen(name, fields, what)))
}

fn present(absent: &[String], fields: &Fields, what: &str) -> Failure {
    let name = absent.iter().find(|name| !values(fields, name).is_empty())?;
    Some((format!("no {what} {name}"), fields_seen(name, fields, what)))
}

/// The fields of that name.
fn fields_seen(name: &str, fields: &Fields, what: &str) -> String {
    match values(fields, name).as_slice() {
        [] => format!("no {what} {name}"),
        values => {
            let values: Vec<String> = values.iter().map(|value| value.to_string()).collect();
            format!("{what} {name}: {}", values.join(" and "))
        }
    }
}

fn values<'a>(fields: &'a Fields, name: &str) -> Vec<&'a Data> {
    fields.iter().filter(|(known, _)| known.0.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value).collect()
}

fn calls_fail(expected: &[CallMade], events: &[Event]) -> Failure {
    let made: Vec<&Event> = events.iter().filter(|event| matches!(event, Event::HttpCall { .. })).collect();
    let seen = || made.iter().map(|event| event.to_string()).collect::<Vec<_>>().join(", ");
    if made.len() != expected.len() {
        return Some((format!("{} calls", expected.len()), if made.is_empty() { "none".to_owned() } else { seen() }));
    }
    expected.iter().zip(&made).find_map(|(expected, made)| {
        let Event::HttpCall { upstream, headers, body, trailers, .. } = made else { return None };
        let whole = Whole {
            opened: false,
            headers: Some(headers.clone()),
            body: body.0.clone(),
            trailers: (!trailers.is_empty()).then(|| trailers.clone()),
            end_of_stream: true,
        };
        let elsewhere = expected.upstream.as_ref().filter(|expected| *expected != upstream);
        let elsewhere = elsewhere.map(|expected| (format!("a call to {expected}"), format!("a call to {upstream}")));
        elsewhere.or_else(|| message_fails(&expected.message, &whole))
    })
}

/// A gRPC call or stream put together.
struct Grpc<'a> {
    upstream: &'a String,
    service: &'a String,
    method: &'a String,
    metadata: &'a Fields,
    messages: Vec<&'a Data>,
    end_of_stream: bool,
    reset: bool,
}

fn grpc_fails(expected: &[GrpcMade], events: &[Event]) -> Failure {
    let mut made: BTreeMap<u32, Grpc<'_>> = BTreeMap::new();
    for event in events {
        let Event::Grpc { call, part } = event else { continue };
        match (part, made.get_mut(call)) {
            (GrpcPart::Opened { upstream, service, method, metadata }, _) => {
                let (messages, end_of_stream, reset) = (Vec::new(), false, false);
                made.insert(*call, Grpc { upstream, service, method, metadata, messages, end_of_stream, reset });
            }
            (GrpcPart::Message { message }, Some(call)) => call.messages.push(message),
            (GrpcPart::End, Some(call)) => call.end_of_stream = true,
            (GrpcPart::Reset, Some(call)) => call.reset = true,
            (_, None) => {}
        }
    }
    let seen = || {
        let parts: Vec<String> =
            events.iter().filter(|event| matches!(event, Event::Grpc { .. })).map(Event::to_string).collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    };
    if made.len() != expected.len() {
        return Some((format!("{} gRPC calls", expected.len()), seen()));
    }
    expected.iter().zip(made.values()).find_map(|(expected, made)| grpc_differs(expected, made))
}

fn grpc_differs(expected: &GrpcMade, made: &Grpc<'_>) -> Failure {
    let text = |what: &str, expected: &Option<String>, made: &String| {
        let other = expected.as_ref().filter(|expected| *expected != made)?;
        Some((format!("{what} {other:?}"), format!("{what} {made:?}")))
    };
    let flag = |what: &str, expected: Option<bool>, made: bool| {
        let text = |is: bool| format!("{}{what}", if is { "" } else { "no " });
        expected.filter(|expected| *expected != made).map(|expected| (text(expected), text(made)))
    };
    let messages = || {
        let wants = expected.messages.as_ref()?;
        let admits = |(want, seen): (&Want, &&Data)| want.admits(&Returned::Bytes((*seen).clone()), &Saved::new());
        let same = wants.len() == made.messages.len() && wants.iter().zip(&made.messages).all(admits);
        let text = |messages: Vec<String>| format!("the messages [{}]", messages.join(", "));
        let wanted = || text(wants.iter().map(Want::to_string).collect());
        (!same).then(|| (wanted(), text(made.messages.iter().map(|message| message.to_string()).collect())))
    };
    text("the upstream", &expected.upstream, made.upstream)
        .or_else(|| text("the service", &expected.service, made.service))
        .or_else(|| text("the method", &expected.method, made.method))
        .or_else(|| fields_fail(&expected.metadata, made.metadata, "metadata"))
        .or_else(messages)
        .or_else(|| flag("end of the plugin's messages", expected.end_of_stream, made.end_of_stream))
        .or_else(|| flag("reset", expected.reset, made.reset))
}
