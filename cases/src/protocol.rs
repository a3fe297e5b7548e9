//! The adapter protocol: JSON lines between the harness and a program that drives a host.
//!
//! The harness writes [`Request`]s to the standard input of the adapter. The adapter answers each of them with one [`Response`] on its
//! standard output; it may write anything to its standard error. `runner/schemas/protocol.json` says the same in JSON Schema, and
//! `docs/adapters.md` how to write an adapter.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::Base64;
use crate::scenario::{PluginSettings, Step};
use crate::tagged::tagged;
use crate::transcript::Event;

/// The version of the protocol.
pub const PROTOCOL: u32 = 2;

tagged! {
    "type"
    /// From the harness.
    #[derive(Clone, Debug, PartialEq)]
    pub enum Request = "Request" {
        /// What host is it, and what can it do? Answered by [`Response::Host`].
        Start {
            /// [`PROTOCOL`].
            protocol: u32,
        },
        /// Keep this module of the probe, which later runs name and bring scripts for. Answered by [`Response::Kept`].
        Shape {
            /// Its name in [`Guest::Shape`].
            id: String,
            /// The module.
            wasm: Base64,
            /// The place of the script's first byte in the module.
            offset: usize,
            /// The number of bytes that a script may have; those that it does not have are 0.
            size: usize,
            /// Where in the memory of an instance the script lies, for hosts that write it there.
            address: u32,
        },
        /// Keep this module, which later runs name. Answered by [`Response::Kept`].
        Module {
            /// Its name in [`Guest::Module`].
            id: String,
            /// The module.
            wasm: Base64,
        },
        /// Run a scenario. Answered by [`Response::Ran`], [`Response::Skipped`] or [`Response::Errored`].
        Run(Run),
        /// More steps for the scenario that was run last, which was to be kept. Streams and calls are numbered on. Answered as
        /// [`Request::Run`] is; a host that crashed cannot continue.
        More {
            /// What the world does.
            steps: Vec<Step>,
        },
        /// End. Not answered.
        Stop,
    }
}

/// A scenario as an adapter gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The id of the case, for messages.
    pub id: String,
    /// The version of the ABI that it is run for.
    pub abi: String,
    /// The chain of plugins.
    pub plugins: Vec<Plugin>,
    /// What the world does. After the last step, streams that still run are ended without an event.
    pub steps: Vec<Step>,
    /// The case may crash the host: give it its own host process, and report a crash by [`Event::Died`].
    pub hazard: bool,
    /// The client and the upstream speak HTTP/1.1: only for hosts with the feature [`Feature::Http1`].
    #[serde(default, skip_serializing_if = "is_false")]
    pub http1: bool,
    /// Answers to open questions of the specification, by name: only for hosts with the feature [`Feature::Choices`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub choices: BTreeMap<String, bool>,
    /// More steps may follow: nothing is ended after the last step, until there is another run or the end.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keep: bool,
    /// Write each event at once, as [`Response::Event`], before the answer: the host crashed in this case before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub trace: bool,
}

/// A plugin as an adapter gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// How it is set up.
    pub settings: PluginSettings,
    /// Its module.
    pub guest: Guest,
}

/// The module of a plugin, which the adapter keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Guest {
    /// A module by its name.
    Module(String),
    /// A shape by its name, and the script that it gets.
    Shape {
        /// The name.
        id: String,
        /// The script. At most as long as the shape has bytes for it.
        script: Base64,
    },
}

fn first_protocol() -> u32 {
    1
}

fn is_false(flag: &bool) -> bool {
    !flag
}

tagged! {
    "type"
    /// From the adapter.
    #[derive(Clone, Debug, PartialEq)]
    pub enum Response = "Response" {
        /// To [`Request::Start`].
        Host(Host),
        /// To [`Request::Shape`] and [`Request::Module`].
        Kept,
        /// Before the answer to a [`Run`] with `trace`: this was seen. All of them come once more in [`Response::Ran`].
        Event {
            /// What was seen.
            event: Event,
        },
        /// The scenario was run, and this was seen.
        Ran {
            /// In order. An [`Event::Step`] comes before what is seen of each step, counted from 0 in each answer; only a
            /// module that is refused or a crash of the host ends them early.
            events: Vec<Event>,
        },
        /// The scenario cannot be run on this host.
        Skipped {
            /// Why.
            reason: String,
        },
        /// The adapter failed. The harness may continue with the next scenario.
        Errored {
            /// What failed, and the way out.
            context: String,
        },
    }
}

/// Who a host is, and what it can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// [`PROTOCOL`]; 1 for adapters that do not know of it.
    #[serde(default = "first_protocol")]
    pub protocol: u32,
    /// Such as `envoy`.
    pub name: String,
    /// Such as `1.40.0`.
    pub version: String,
    /// The versions of the ABI that it implements.
    pub abi: Vec<String>,
    /// What it can be made to do; a scenario that needs more is skipped with the reason.
    pub features: Vec<Feature>,
    /// The host is in the adapter's own process, so that a crash of the adapter is a crash of the host.
    #[serde(default, skip_serializing_if = "is_false")]
    pub in_process: bool,
}

/// Declares the features: for each its variant, its name on the wire, what it is, and what a host without it cannot do.
macro_rules! features {
    ($($variant:ident $name:literal $what:literal $lack:literal)+) => {
        /// Something that a scenario may need of a host and of its adapter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Feature {
            $(#[doc = $what] #[serde(rename = $name)] $variant,)+
        }

        impl Feature {
            /// All of them.
            pub const ALL: &[Feature] = &[$(Feature::$variant),+];

            /// The name on the wire.
            pub fn name(self) -> &'static str {
                match self {
                    $(Feature::$variant => $name,)+
                }
            }

            /// What it is, as a sentence.
            pub fn description(self) -> &'static str {
                match self {
                    $(Feature::$variant => $what.trim_ascii(),)+
                }
            }

            /// What a host without it cannot do: `cannot …`.
            pub fn lack(self) -> &'static str {
                match self {
                    $(Feature::$variant => $lack,)+
                }
            }
        }
    };
}

features! {
    Http "http" "HTTP streams." "cannot be given HTTP streams"
    Http1 "http1" "HTTP streams whose client and upstream speak HTTP/1.1." "cannot be given HTTP streams over HTTP/1.1"
    Tcp "tcp" "TCP streams." "cannot be given TCP streams"
    ConcurrentStreams "concurrent_streams" "Several streams at a time." "cannot be given several streams at a time"
    Chains "chains" "Several plugins on a stream." "cannot put several plugins on a stream"
    HttpCalls "http_calls" "HTTP calls of plugins." "cannot let plugins make HTTP calls"
    Grpc "grpc" "gRPC calls and streams of plugins." "cannot let plugins make gRPC calls"
    ForeignCalls "foreign_calls" "Calls of the plugins' foreign functions." "cannot call foreign functions of plugins"
    Metrics "metrics" "Reading the metrics of plugins." "cannot report the metrics of plugins"
    Background "background" "Plugins that are on no stream." "cannot run plugins that are on no stream"
    Failure "failure" "Failing open, and starting plugins again." "cannot fail open or start plugins again"
    Limits "limits" "Limiting what a plugin may fill." "cannot limit what plugins may fill"
    Capabilities "capabilities" "Restricting what a plugin may call and which callbacks it gets." "cannot restrict what plugins may call"
    Reconfigure "reconfigure" "Giving a plugin another configuration while the host runs." "cannot give plugins another configuration while it runs"
    Replace "replace" "Putting plugins in the place of others, and removing them, while the host runs." "cannot replace or remove plugins while it runs"
    Canary "canary" "Trying a plugin on a share of the streams." "cannot try plugins on a share of the streams"
    LogOnly "log_only" "Running plugins without letting them act." "cannot run plugins without letting them act"
    SharedVms "shared_vms" "Running several plugins in one VM." "cannot run several plugins in one VM"
    Time "time" "Letting time pass." "cannot let time pass"
    Environment "environment" "Environment variables." "cannot give plugins environment variables"
    Faults "faults" "Reporting faults of plugins." "cannot report faults of plugins"
    MixedCaseHeaders "mixed_case_headers" "Header names with upper-case letters, on the wire." "cannot receive header names in upper case"
    Shutdown "shutdown" "Removing the plugins while the host runs." "cannot remove plugins while it runs"
    Keep "keep" "Continuing a scenario that was run: the request `more`." "cannot be given more steps while it runs"
    Choices "choices" "Answering open questions of the specification as a case says." "cannot be told how to answer open questions"
}

/// A line that goes to an adapter or comes from it.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(title = "A message of the adapter protocol")]
#[expect(dead_code, reason = "it is there for its schema")]
enum Message {
    /// From the harness.
    Request(Request),
    /// From the adapter.
    Response(Response),
}

/// The JSON Schema of every message.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Message)
}
