//! What was seen of a run: the one answer of every host.
//!
//! An adapter reports what can be seen from outside: steps done, plugins refused, log lines, what upstream, client and
//! the servers of calls received, faults. From the probe guest's log lines the callbacks and calls are read; the
//! reference host also records them itself.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::{Data, Fields};
use crate::tagged::tagged;

/// What was seen of a run, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Transcript {
    /// In the order in which it was seen.
    pub events: Vec<Event>,
}

tagged! {
    "event"
    /// One thing that was seen.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Event = "Event" {
        /// The world does the step of this index; what follows is seen after it. What comes before the first is the start.
        Step {
            /// Counted from 0.
            index: u32,
        },
        /// The host did not take a plugin: its module, its start or its configuration failed.
        Refused {
            /// The plugin's name.
            plugin: String,
            /// The host's words.
            reason: String,
        },
        /// A plugin wrote to the host's log.
        Log {
            /// The plugin's name.
            plugin: String,
            /// `TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR` or `CRITICAL`.
            level: String,
            /// The message.
            message: Data,
        },
        /// Something reached the upstream.
        Upstream {
            /// Which stream.
            stream: u32,
            /// What.
            part: Part,
        },
        /// Something reached the client.
        Client {
            /// Which stream.
            stream: u32,
            /// What.
            part: Part,
        },
        /// A call of a plugin's reached its server.
        HttpCall {
            /// Counted from 0.
            call: u32,
            /// The upstream that the plugin named.
            upstream: String,
            /// The request's headers.
            headers: Fields,
            /// The request's body.
            body: Data,
            /// The request's trailers.
            trailers: Fields,
        },
        /// Something reached the server of a gRPC call or stream of a plugin's.
        Grpc {
            /// Counted from 0.
            call: u32,
            /// What.
            part: GrpcPart,
        },
        /// What a metric of a plugin's was when the operator read it.
        Metric {
            /// The name that the plugin gave it.
            name: String,
            /// The value.
            value: u64,
        },
        /// A plugin trapped, or was stopped by the host.
        Fault {
            /// The plugin's name.
            plugin: String,
            /// The host's words.
            reason: String,
        },
        /// What a log-only plugin would have done to a stream.
        Discarded {
            /// The plugin's name.
            plugin: String,
            /// Which stream.
            stream: u32,
            /// What: see the manual of case files.
            what: String,
        },
        /// A canary faulted too often, and gets no more streams.
        RolledBack {
            /// The name of the plugin that was to be replaced.
            plugin: String,
        },
        /// The host process died.
        Died {
            /// How: `SIGSEGV`, `exit status 1`.
            how: String,
        },
        /// The host called a plugin.
        Callback {
            /// The plugin's name.
            plugin: String,
            /// The export's name.
            name: String,
            /// The arguments, as bits.
            args: Vec<u32>,
        },
        /// A callback returned.
        Returned {
            /// The plugin's name.
            plugin: String,
            /// The export's name.
            name: String,
            /// The result, if the callback has one.
            result: Option<u32>,
        },
        /// A plugin called the host, and the call returned.
        Call {
            /// The plugin's name.
            plugin: String,
            /// The function's name.
            function: String,
            /// Which action of the plugin's script, if it was one.
            #[serde(skip_serializing_if = "Option::is_none")]
            action: Option<u32>,
            /// The in-arguments, as people read them.
            args: Vec<String>,
            /// What it returned, as bits; 0 where the function returns nothing.
            status: u32,
            /// What it wrote, by parameter or lane.
            returned: Vec<(String, Returned)>,
        },
    }
}

tagged! {
    "part"
    /// A piece of an HTTP message or of a TCP stream.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Part = "Part" {
        /// The TCP connection was opened.
        Opened,
        /// The headers.
        Headers {
            /// With pseudo headers.
            headers: Fields,
            /// Nothing follows.
            end_of_stream: bool,
        },
        /// A piece of the body.
        Body {
            /// The piece.
            body: Data,
            /// Nothing follows.
            end_of_stream: bool,
        },
        /// The trailers.
        Trailers {
            /// The trailers.
            trailers: Fields,
        },
        /// The stream was reset.
        Reset,
    }
}

tagged! {
    "part"
    /// A piece of a gRPC call or stream on its way to the server.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum GrpcPart = "GrpcPart" {
        /// The beginning.
        Opened {
            /// The upstream that the plugin named.
            upstream: String,
            /// The service's full name.
            service: String,
            /// The method's name.
            method: String,
            /// The initial metadata, perhaps among others of the host's.
            metadata: Fields,
        },
        /// A message.
        Message {
            /// The message.
            message: Data,
        },
        /// The plugin sends no more.
        End,
        /// The call or stream was cancelled.
        Reset,
    }
}

/// What a call wrote through an out-parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Returned {
    /// A number.
    Number(u64),
    /// Bytes.
    Bytes(Data),
    /// Nothing was written: the place is as it was before.
    Untouched,
    /// A pointer and a size that are not those of bytes: partly written, or outside of the memory.
    Odd {
        /// The pointer as found.
        pointer: u32,
        /// The size as found.
        size: u32,
    },
}

impl Transcript {
    /// The events of each window: first the start, then one per step that was done.
    pub fn windows(&self) -> Vec<&[Event]> {
        self.events.split(|event| matches!(event, Event::Step { .. })).collect()
    }
}

/// A serialised map as people read it.
pub fn pairs_text(bytes: &[u8]) -> String {
    match pw_abi::pairs::decode(bytes) {
        Ok(pairs) => {
            let pairs: Fields = pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
            fields_text(&pairs)
        }
        Err(malformed) => format!("{} ({malformed})", Data::from(bytes)),
    }
}

pub(crate) fn fields_text(fields: &Fields) -> String {
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{{{}}}", fields.join(", "))
}

/// One line per event, calls below the callback that makes them, as strace shows a process.
impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines(f, |_| None)
    }
}

impl Transcript {
    /// The lines, each with what `note` has to add.
    pub(crate) fn lines(&self, f: &mut fmt::Formatter<'_>, note: impl Fn(&Event) -> Option<String>) -> fmt::Result {
        let mut depth = 0;
        for event in &self.events {
            if matches!(event, Event::Returned { .. }) {
                depth = usize::saturating_sub(depth, 1);
            }
            if matches!(event, Event::Step { .. }) {
                depth = 0;
            }
            writeln!(f, "{:width$}{event}{}", "", note(event).unwrap_or_default(), width = 2 * depth)?;
            if matches!(event, Event::Callback { name, .. } if !is_allocator(name)) {
                depth += 1;
            }
        }
        Ok(())
    }
}

fn is_allocator(name: &str) -> bool {
    pw_abi::section("memory_management").is_some_and(|section| section.guest.iter().any(|row| row.name == name))
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Step { index } => write!(f, "step {}", index + 1),
            Event::Refused { plugin, reason } => write!(f, "{plugin}: refused: {reason}"),
            Event::Log { plugin, level, message } => write!(f, "{plugin}: log {level} {message}"),
            Event::Upstream { stream, part } => write!(f, "upstream {stream} <- {part}"),
            Event::Client { stream, part } => write!(f, "client {stream} <- {part}"),
            Event::HttpCall { call, upstream, headers, body, trailers } => {
                write!(f, "call {call} to {upstream:?} <- {}", fields_text(headers))?;
                if !body.0.is_empty() {
                    write!(f, " body {body}")?;
                }
                if trailers.is_empty() { Ok(()) } else { write!(f, " trailers {}", fields_text(trailers)) }
            }
            Event::Grpc { call, part } => write!(f, "gRPC {call} <- {part}"),
            Event::Metric { name, value } => write!(f, "metric {name:?} is {value}"),
            Event::Fault { plugin, reason } => write!(f, "{plugin}: fault: {reason}"),
            Event::Discarded { plugin, stream, what } => write!(f, "{plugin}: would: stream {stream}: {what}"),
            Event::RolledBack { plugin } => write!(f, "{plugin}: its canary is rolled back"),
            Event::Died { how } => write!(f, "the host died: {how}"),
            Event::Callback { plugin, name, args } => {
                let args: Vec<String> = args.iter().map(u32::to_string).collect();
                write!(f, "{plugin}: {name}({})", args.join(", "))
            }
            Event::Returned { name, result, .. } => match (result, action(name)) {
                (Some(result), true) => write!(f, "= {}", pw_abi::Action(*result)),
                (Some(result), false) => write!(f, "= {result}"),
                (None, _) => f.write_str("= ()"),
            },
            Event::Call { function, args, status, returned, .. } => {
                write!(f, "{function}({})", args.join(", "))?;
                match pw_abi::SECTIONS.iter().flat_map(|section| section.host).find(|row| row.name == function) {
                    Some(row) if row.returns == pw_abi::Returns::Nothing => {}
                    Some(row) => match row.status_name(*status) {
                        Some(name) => write!(f, " = {name}")?,
                        None => write!(f, " = {status}")?,
                    },
                    None => write!(f, " = {status}")?,
                }
                let kind = |name: &str| {
                    let row =
                        pw_abi::SECTIONS.iter().flat_map(|section| section.host).find(|row| row.name == function)?;
                    row.params.iter().find(|param| param.name == name).map(|param| param.kind)
                };
                returned.iter().try_for_each(|(name, value)| match (kind(name), value) {
                    (Some(pw_abi::Kind::Pairs), Returned::Bytes(bytes)) => {
                        write!(f, " {name}={}", pairs_text(&bytes.0))
                    }
                    _ => write!(f, " {name}={value}"),
                })
            }
        }
    }
}

fn action(callback: &str) -> bool {
    let row = pw_abi::SECTIONS.iter().flat_map(|section| section.guest).find(|row| row.name == callback);
    row.and_then(|row| row.result) == Some(pw_abi::Kind::Enum(pw_abi::Action::TABLE))
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |end_of_stream: &bool| if *end_of_stream { " end" } else { "" };
        match self {
            Part::Opened => f.write_str("opened"),
            Part::Headers { headers, end_of_stream } => {
                write!(f, "headers {}{}", fields_text(headers), end(end_of_stream))
            }
            Part::Body { body, end_of_stream } => write!(f, "body {body}{}", end(end_of_stream)),
            Part::Trailers { trailers } => write!(f, "trailers {}", fields_text(trailers)),
            Part::Reset => f.write_str("reset"),
        }
    }
}

impl fmt::Display for GrpcPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GrpcPart::Opened { upstream, service, method, metadata } => {
                write!(f, "{service}/{method} at {upstream:?} {}", fields_text(metadata))
            }
            GrpcPart::Message { message } => write!(f, "message {message}"),
            GrpcPart::End => f.write_str("end"),
            GrpcPart::Reset => f.write_str("reset"),
        }
    }
}

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Returned::Number(number) => write!(f, "{number}"),
            Returned::Bytes(bytes) => write!(f, "{bytes}"),
            Returned::Untouched => f.write_str("untouched"),
            Returned::Odd { pointer, size } => write!(f, "{pointer:#x}+{size:#x}"),
        }
    }
}
