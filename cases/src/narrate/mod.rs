//! Scenarios in words: what the world does in a step, which call a plugin makes, and a transcript with both. Pure.

mod script;

use std::fmt::{self, Write};

use pw_abi::Function;

use crate::data::Fields;
use crate::report::written_args;
use crate::scenario::{Scenario, Step};
use crate::script::{Act, Action, Lane};
use crate::transcript::{Event, Transcript, fields_text};

pub use self::script::script;

/// What the world does in a step, such as `the client sends request headers {:method: "GET"} on stream 0, end of stream`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |end: &bool| if *end { ", end of stream" } else { "" };
        let map = |fields: &Fields| fields_text(fields);
        match self {
            Step::RequestHeaders { stream, headers, end_of_stream } => {
                write!(f, "the client sends request headers {} on stream {stream}{}", map(headers), end(end_of_stream))
            }
            Step::RequestBody { stream, body, end_of_stream } => {
                write!(f, "the client sends request body {body} on stream {stream}{}", end(end_of_stream))
            }
            Step::RequestTrailers { stream, trailers } => {
                write!(f, "the client sends request trailers {} on stream {stream}", map(trailers))
            }
            Step::ResponseHeaders { stream, headers, end_of_stream } => {
                let end = end(end_of_stream);
                write!(f, "the upstream sends response headers {} on stream {stream}{end}", map(headers))
            }
            Step::ResponseBody { stream, body, end_of_stream } => {
                write!(f, "the upstream sends response body {body} on stream {stream}{}", end(end_of_stream))
            }
            Step::ResponseTrailers { stream, trailers } => {
                write!(f, "the upstream sends response trailers {} on stream {stream}", map(trailers))
            }
            Step::Connect { stream } => write!(f, "the client opens TCP connection {stream}"),
            Step::ClientData { stream, data, end_of_stream } => {
                write!(f, "the client sends {data} on TCP connection {stream}{}", end(end_of_stream))
            }
            Step::UpstreamData { stream, data, end_of_stream } => {
                write!(f, "the upstream sends {data} on TCP connection {stream}{}", end(end_of_stream))
            }
            Step::ClientReset { stream } => write!(f, "the client resets stream {stream}"),
            Step::UpstreamReset { stream } => write!(f, "the upstream resets stream {stream}"),
            Step::CallResponse { call, headers, body, trailers } => {
                write!(f, "HTTP call {call} is answered with headers {} body {body}", map(headers))?;
                if trailers.is_empty() { Ok(()) } else { write!(f, " trailers {}", map(trailers)) }
            }
            Step::CallReset { call } => write!(f, "HTTP call {call} is reset by its server"),
            Step::GrpcInitialMetadata { call, metadata } => {
                write!(f, "gRPC call {call} gets initial metadata {}", map(metadata))
            }
            Step::GrpcMessage { call, message } => write!(f, "gRPC call {call} gets message {message}"),
            Step::GrpcClose { call, status, message, metadata } => {
                write!(f, "gRPC call {call} is closed with status {status} {message:?} {}", map(metadata))
            }
            Step::GrpcReset { call } => write!(f, "gRPC call {call} is reset by its server"),
            Step::ForeignCall { function, arguments } => {
                write!(f, "the host calls foreign function {function} with {arguments}")
            }
            Step::Reconfigure { plugin, configuration } => {
                write!(f, "the operator gives plugin {plugin} the configuration {configuration}")
            }
            Step::Replace { plugin, by } => write!(f, "the operator replaces plugin {plugin} by {by}"),
            Step::Canary { plugin, by, share, faults } => write!(
                f,
                "the operator gives {share} % of the new streams of plugin {plugin} to {by}, which may fault in {faults} %"
            ),
            Step::Promote { plugin } => write!(f, "the operator promotes the canary of plugin {plugin}"),
            Step::RollBack { plugin } => write!(f, "the operator rolls the canary of plugin {plugin} back"),
            Step::Remove { plugin } => write!(f, "the operator removes plugin {plugin}"),
            Step::ReadMetrics => f.write_str("the operator reads the metrics"),
            Step::Advance { milliseconds } => write!(f, "{milliseconds} ms pass"),
            Step::Shutdown => f.write_str("the operator removes all plugins"),
        }
    }
}

/// What a script does, such as `proxy_get_header_map_value(map_id=HTTP_REQUEST_HEADERS, key="a")`. An out-pointer that the
/// script gives itself, since it is out of bounds, follows: `, return_value_data at 0x3ffffd`.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.act {
            Act::Trap => f.write_str("a trap"),
            Act::Call { function, lanes, .. } => {
                f.write_str(&call(function, &written_args(function, lanes)))?;
                own_places(function, lanes).iter().try_for_each(|place| write!(f, ", {place}"))
            }
        }
    }
}

/// A call with the names of its arguments.
pub fn call(function: &Function, args: &[String]) -> String {
    let names = function.params.iter().filter(|param| !param.out).map(|param| param.name);
    let args: Vec<String> = names.zip(args).map(|(name, arg)| format!("{name}={arg}")).collect();
    format!("{}({})", function.name, args.join(", "))
}

/// The out-pointers that are not to room of the probe's own.
fn own_places(function: &Function, lanes: &[Lane]) -> Vec<String> {
    let params = function.params.iter().flat_map(|param| param.lanes.iter().map(move |name| (param, *name)));
    let own = params.zip(lanes).filter_map(|((param, name), lane)| match lane {
        Lane::Bits(address) if param.out => Some(format!("{name} at {address:#x}")),
        _ => None,
    });
    own.collect()
}

/// A transcript with what the world did in each step, and where the out-pointers of a probe's calls led.
#[derive(Clone, Copy, Debug)]
pub struct Narrated<'a> {
    /// What was seen.
    pub transcript: &'a Transcript,
    /// What was done.
    pub scenario: &'a Scenario,
}

impl fmt::Display for Narrated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transcript.lines(f, |event| match event {
            Event::Step { index } => self.scenario.steps.get(*index as usize).map(|step| format!(": {step}")),
            Event::Call { action: Some(action), .. } => {
                let action = self.scenario.action(*action)?;
                let Act::Call { function, lanes, .. } = &action.act else { return None };
                let mut text = String::new();
                for place in own_places(function, lanes) {
                    let _ = write!(text, ", {place}");
                }
                Some(text)
            }
            _ => None,
        })
    }
}

impl Scenario {
    /// The action of a script with that number.
    pub fn action(&self, id: u32) -> Option<&Action> {
        let scripts = self.plugins.iter().filter_map(|plugin| plugin.guest.script());
        scripts.flat_map(|script| script.actions()).find(|action| action.id == id)
    }
}

#[cfg(test)]
mod tests {
    use pw_abi::Version;

    use super::*;
    use crate::format;

    const CASE: &str = r#"
title = "a place out of bounds"
clause = ["proxy_get_header_map_value/INVALID_MEMORY_ACCESS"]
level = "required"

[[step]]
request_headers = [[":method", "GET"]]

[[step.guest]]
in = "proxy_on_request_headers"
call = "proxy_get_header_map_value"
args = { map_id = "HTTP_REQUEST_HEADERS", key = ":method", return_value_data = "end-3" }
expect = "INVALID_MEMORY_ACCESS"
"#;

    #[test]
    fn steps_and_calls_are_said_in_words() {
        let case =
            format::parse("a", "a.toml", CASE, &|_| Err(String::new())).unwrap_or_else(|error| panic!("{error}"));
        let lowered = case.lower(Version::V0_2_1).unwrap_or_else(|complaint| panic!("{}", complaint.message));
        let step = "the client sends request headers {\":method\": \"GET\"} on stream 0, end of stream";
        assert_eq!(lowered.scenario.steps[0].to_string(), step);
        let action = lowered.scenario.action(lowered.calls[0].action).map(Action::to_string);
        let call =
            "proxy_get_header_map_value(map_id=HTTP_REQUEST_HEADERS, key=\":method\"), return_value_data at 0x3ffffd";
        assert_eq!(action.as_deref(), Some(call));
        let transcript = Transcript { events: vec![Event::Step { index: 0 }, Event::Step { index: 7 }] };
        let narrated = Narrated { transcript: &transcript, scenario: &lowered.scenario }.to_string();
        assert_eq!(narrated, format!("step 1: {step}\nstep 8\n"));
    }
}
