//! What was seen of a run: the one answer of every host.
//!
//! An adapter tells what can be seen from outside: steps done, plugins refused, log lines, what upstream, client and
//! the servers of calls received, faults. From the probe guest's log lines the callbacks and calls are read; the
//! reference host also records them itself.

use serde::{Deserialize, Serialize};

use crate::data::{Data, Fields};

/// What was seen of a run, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    /// In the order in which it was seen.
    pub events: Vec<Event>,
}

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
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
    /// A plugin trapped, or was stopped by the host.
    Fault {
        /// The plugin's name.
        plugin: String,
        /// The host's words.
        reason: String,
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

/// A piece of an HTTP message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case", deny_unknown_fields)]
pub enum Part {
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
    /// The stream was cut off.
    Reset,
}

/// What a call wrote through an out-parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Returned {
    /// A number.
    Number(u64),
    /// Bytes.
    Bytes(Data),
    /// Nothing was written: the place is as it was before.
    Untouched,
    /// A pointer and a size that are no bytes: partly written, or outside of the memory.
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
