//! The adapter protocol: JSON lines between the runner and a program that drives a host.
//!
//! The runner writes [`Request`]s to the adapter's standard input; the adapter answers each with one [`Response`] on
//! its standard output, and may write anything to its standard error. `schemas/protocol.json` says the same in JSON
//! Schema.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scenario::{Failure, Step};
use crate::transcript::Event;

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;

/// From the runner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Who are you, and what can you do? Answered by [`Response::Host`].
    Start {
        /// [`PROTOCOL`].
        protocol: u32,
    },
    /// Run this. Answered by [`Response::Ran`], [`Response::Skipped`] or [`Response::Errored`].
    Run(Run),
    /// Go on with the scenario that was run last, if it was to be kept: more steps for the plugins that run. Streams and
    /// calls are numbered on. Answered as [`Request::Run`] is; what a host's death ended cannot go on.
    More {
        /// What the world does.
        steps: Vec<Step>,
    },
    /// End; not answered.
    Stop,
}

/// A scenario as an adapter gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The case, for messages.
    pub id: String,
    /// The version of the ABI that it is run for.
    pub abi: String,
    /// The chain.
    pub plugins: Vec<Plugin>,
    /// What the world does. After the last step streams that still run are cut off, without an event.
    pub steps: Vec<Step>,
    /// The case may take the host down: give it a host process of its own, and tell of its death by
    /// [`Event::Died`].
    pub hazard: bool,
    /// More steps may follow: after the last step nothing is cut off, until there is another run or the end.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keep: bool,
}

/// A plugin as an adapter gets it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// Its name; unique in the scenario. The events name plugins by it.
    pub name: String,
    /// The VM that it lives in.
    pub vm_id: String,
    /// The VM's configuration.
    pub vm_configuration: crate::data::Data,
    /// The plugin's configuration.
    pub configuration: crate::data::Data,
    /// It is on no stream.
    pub background: bool,
    /// It is not started until a step puts it into another's place.
    #[serde(default, skip_serializing_if = "is_false")]
    pub standby: bool,
    /// What it would do to streams is told, and not done.
    #[serde(default, skip_serializing_if = "is_false")]
    pub log_only: bool,
    /// The limits that are not the host's own, by name; see [`crate::scenario::LIMITS`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, u64>,
    /// What the host does when it faults.
    pub failure: Failure,
    /// The host functions that it may call and the callbacks that it gets; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// The module, in base64.
    pub wasm: String,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// From the adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Response {
    /// To [`Request::Start`].
    Host(Host),
    /// The scenario was run, and this was seen.
    Ran {
        /// In order. An [`Event::Step`] comes before what is seen of each step, counted from 0 in each answer; only a
        /// refusal or a death ends them early.
        events: Vec<Event>,
    },
    /// The scenario cannot be run on this host.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The adapter failed. The runner may go on with the next scenario.
    Errored {
        /// What failed, and the way out.
        context: String,
    },
}

/// Who a host is, and what it can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Such as `envoy`.
    pub name: String,
    /// Such as `1.40.0`.
    pub version: String,
    /// The versions of the ABI that it implements.
    pub abi: Vec<String>,
    /// What it can be made to do; a scenario that needs more is skipped with the reason.
    pub capabilities: Vec<Capability>,
}

/// Something that a scenario may need of a host and of its adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// HTTP streams.
    Http,
    /// TCP streams.
    Tcp,
    /// Several streams at a time.
    ConcurrentStreams,
    /// Several plugins on a stream.
    Chains,
    /// HTTP calls of plugins.
    HttpCalls,
    /// gRPC calls and streams of plugins.
    Grpc,
    /// Calls of plugins' foreign functions.
    ForeignCalls,
    /// Telling of the metrics of plugins.
    Metrics,
    /// Plugins that are on no stream.
    Background,
    /// Failing open, and starting plugins again.
    Failure,
    /// Limiting what a plugin may fill.
    Limits,
    /// Restricting what a plugin may call and which callbacks it gets.
    Capabilities,
    /// Giving a plugin another configuration while the host runs.
    Reconfigure,
    /// Putting plugins into the place of others, and taking them away, while the host runs.
    Replace,
    /// Trying a plugin on a share of the streams.
    Canary,
    /// Running plugins without letting them act.
    LogOnly,
    /// Running several plugins in one VM.
    SharedVms,
    /// Time that passes.
    Time,
    /// Environment variables.
    Environment,
    /// Telling of faults.
    Faults,
    /// Header names with upper-case letters, on the wire.
    MixedCaseHeaders,
    /// Removing the plugins while the host runs.
    Shutdown,
    /// Going on with what runs: [`Request::More`].
    Keep,
}

impl Capability {
    /// The name on the wire, and what a host without it cannot do.
    pub fn describe(self) -> (&'static str, &'static str) {
        match self {
            Capability::Http => ("http", "cannot be given HTTP streams"),
            Capability::Tcp => ("tcp", "cannot be given TCP streams"),
            Capability::ConcurrentStreams => ("concurrent_streams", "cannot be given several streams at a time"),
            Capability::Chains => ("chains", "cannot put several plugins on a stream"),
            Capability::HttpCalls => ("http_calls", "cannot let plugins make HTTP calls"),
            Capability::Grpc => ("grpc", "cannot let plugins make gRPC calls"),
            Capability::ForeignCalls => ("foreign_calls", "cannot call foreign functions of plugins"),
            Capability::Metrics => ("metrics", "cannot tell the metrics of plugins"),
            Capability::Background => ("background", "cannot run plugins that are on no stream"),
            Capability::Failure => ("failure", "cannot fail open or start plugins again"),
            Capability::Limits => ("limits", "cannot limit what plugins may fill"),
            Capability::Capabilities => ("capabilities", "cannot restrict what plugins may call"),
            Capability::Reconfigure => ("reconfigure", "cannot give plugins another configuration while it runs"),
            Capability::Replace => ("replace", "cannot replace or remove plugins while it runs"),
            Capability::Canary => ("canary", "cannot try plugins on a share of the streams"),
            Capability::LogOnly => ("log_only", "cannot run plugins without letting them act"),
            Capability::SharedVms => ("shared_vms", "cannot run several plugins in one VM"),
            Capability::Time => ("time", "cannot let time pass"),
            Capability::Environment => ("environment", "cannot give plugins environment variables"),
            Capability::Faults => ("faults", "cannot tell of faults"),
            Capability::MixedCaseHeaders => ("mixed_case_headers", "cannot receive header names in upper case"),
            Capability::Shutdown => ("shutdown", "cannot remove plugins while it runs"),
            Capability::Keep => ("keep", "cannot be given more steps while it runs"),
        }
    }
}
