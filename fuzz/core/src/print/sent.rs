//! What a host has sent, as a case expects it: lines of `[expect]`.

use pw_cases::data::{Data, Fields};
use pw_cases::language::{bytes as data, fields, text};
use pw_cases::transcript::{Event, GrpcPart, Part, Transcript};

use crate::against::is_added;

/// The gRPC calls and streams, if any were made.
pub(crate) fn grpc(transcript: &Transcript) -> Option<String> {
    let mut made: Vec<(u32, Vec<&GrpcPart>)> = Vec::new();
    for event in &transcript.events {
        let Event::Grpc { call, part } = event else { continue };
        match made.iter_mut().find(|(known, _)| known == call) {
            Some((_, parts)) => parts.push(part),
            None => made.push((*call, vec![part])),
        }
    }
    let lines = made.iter().map(|(_, parts)| {
        let mut named = String::new();
        let mut messages = Vec::new();
        for part in parts {
            match part {
                GrpcPart::Opened { upstream, service, method, metadata } => {
                    let names = [("upstream", upstream), ("service", service), ("method", method)];
                    named.extend(names.map(|(key, name)| format!("{key} = {}, ", text(name))));
                    named += &format!("metadata = {}, ", own(metadata));
                }
                GrpcPart::Message { message } => messages.push(data(message)),
                GrpcPart::End | GrpcPart::Reset => {}
            }
        }
        let (messages, ends, reset) =
            (messages.join(", "), parts.contains(&&GrpcPart::End), parts.contains(&&GrpcPart::Reset));
        format!("{{ {named}messages = [{messages}], end_of_stream = {ends}, reset = {reset} }}")
    });
    list("grpc", lines.collect())
}

/// The HTTP calls, if any were made.
pub(crate) fn calls(transcript: &Transcript) -> Option<String> {
    let lines = transcript.events.iter().filter_map(|event| match event {
        Event::HttpCall { upstream, headers, body, trailers, .. } => Some(format!(
            "{{ upstream = {}, headers = {}, body = {}, trailers = {} }}",
            text(upstream),
            own(headers),
            data(body),
            own(trailers)
        )),
        _ => None,
    });
    list("calls", lines.collect())
}

/// What has reached the upstream, or else the client, of the first stream.
pub(crate) fn wire(transcript: &Transcript, upstream: bool) -> String {
    let parts = transcript.events.iter().filter_map(|event| match event {
        Event::Upstream { stream: 0, part } if upstream => Some(part),
        Event::Client { stream: 0, part } if !upstream => Some(part),
        _ => None,
    });
    let (mut body, mut ends, mut sent) = (Data::default(), false, String::new());
    for part in parts {
        match part {
            // A case cannot expect a part of a response and a reset. If a part has come, it expects that, and no end.
            Part::Reset if !upstream && sent.is_empty() => return format!("{} = \"reset\"\n", side(upstream)),
            Part::Opened | Part::Reset => {}
            Part::Headers { headers, end_of_stream } => {
                sent += &format!("headers = {}, ", own(headers));
                ends |= end_of_stream;
            }
            Part::Body { body: more, end_of_stream } => {
                body.0.extend_from_slice(&more.0);
                ends |= end_of_stream;
            }
            Part::Trailers { trailers } => {
                sent += &format!("trailers = {}, ", own(trailers));
                ends = true;
            }
        }
    }
    match sent.is_empty() && body.0.is_empty() {
        true => format!("{} = \"nothing\"\n", side(upstream)),
        false => format!("{} = {{ {sent}body = {}, end_of_stream = {ends} }}\n", side(upstream), data(&body)),
    }
}

/// What the ends of a stream are called.
pub(super) fn side(upstream: bool) -> &'static str {
    if upstream { "upstream" } else { "client" }
}

fn list(key: &str, lines: Vec<String>) -> Option<String> {
    (!lines.is_empty()).then(|| format!("{key} = [{}]\n", lines.join(", ")))
}

/// Without those that any proxy may add, and those whose names a case cannot write.
fn own(all: &Fields) -> String {
    let can_be_written = |name: &Data| name.as_str().is_some_and(|name| !name.chars().any(char::is_control));
    fields(&all.iter().filter(|(name, _)| !is_added(name) && can_be_written(name)).cloned().collect())
}
