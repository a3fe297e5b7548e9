//! What happens in a case: the plugins, and what the world outside of the host does to them, step by step.
//!
//! Knows nothing of any host, of files, or of what is expected.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::{Data, Fields};
use crate::probe::{Template, assemble};
use crate::script::Script;
use crate::shape::Shape;
use crate::tagged::tagged;

/// Plugins on one chain, and what the world does.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// In the order of the chain: the first sees requests first and responses last.
    pub plugins: Vec<Plugin>,
    /// What the world does, in order. Before the first step the plugins are loaded and started.
    pub steps: Vec<Step>,
    /// The case may crash a host, and so gets its own host process.
    pub hazard: bool,
    /// The client and the upstream speak HTTP/1.1.
    pub http1: bool,
    /// How the host answers open questions of the specification, by the name of the reference host's choice; the others as it usually does.
    pub choices: BTreeMap<String, bool>,
}

/// A plugin: how it is set up, and its module.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// How it is set up.
    pub settings: PluginSettings,
    /// The module.
    pub guest: Guest,
}

impl Plugin {
    /// A plugin with nothing set up but its name.
    pub fn new(name: &str, guest: Guest) -> Plugin {
        Plugin { settings: PluginSettings { name: name.to_owned(), ..PluginSettings::default() }, guest }
    }
}

/// How a plugin is set up. On the wire fields may be left out that have their usual value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PluginSettings {
    /// Its name; unique in the scenario. Events name plugins by it.
    pub name: String,
    /// The VM that it lives in.
    pub vm_id: String,
    /// What the buffer `VM_CONFIGURATION` shows.
    pub vm_configuration: Data,
    /// What the buffer `PLUGIN_CONFIGURATION` shows.
    pub configuration: Data,
    /// It is on no stream.
    pub background: bool,
    /// It is not started until a step puts it in another plugin's place.
    pub standby: bool,
    /// What it would do to streams is reported, and not done.
    pub log_only: bool,
    /// The limits that differ from the host's own, by name; see [`LIMITS`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, u64>,
    /// What the host does when the plugin faults.
    pub failure: Failure,
    /// The host functions that it may call and the callbacks that it gets; none means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
    /// Its environment variables.
    pub environment: BTreeMap<String, String>,
}

/// The limits of a plugin that a case can set: bytes of memory; entries of a table; lines and bytes of log per
/// callback; bytes of a body that is held; bytes of a map of fields; bytes of shared data of a VM id; bytes of items in a
/// queue; queues; metrics; calls in flight; contexts that wait for their end; bytes of properties of a stream; bytes of the
/// host's memory, with what each item costs besides its bytes.
pub const LIMITS: [&str; 14] = [
    "memory",
    "table_elements",
    "log_lines",
    "log_bytes",
    "held",
    "fields",
    "shared_data",
    "queue",
    "queues",
    "metrics",
    "calls",
    "pending",
    "properties",
    "host_memory",
];

/// What a host does when a plugin faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Streams fail.
    #[default]
    Closed,
    /// Streams continue without the plugin.
    Open,
    /// Streams fail until the plugin is started again, after a wait.
    Reload,
}

/// Whose contexts the plugin contexts of a VM are, in the order of their creation: the places of the plugins among those that live there.
pub fn roots<'a>(members: &[&PluginSettings], steps: impl Iterator<Item = &'a Step>) -> Vec<u8> {
    let member = |name: &str| members.iter().position(|member| member.name == name);
    let first = (0..members.len()).filter(|member| !members[*member].standby);
    let later = steps.filter_map(|step| match step {
        Step::Reconfigure { plugin, .. } => member(plugin),
        Step::Replace { by, .. } | Step::Canary { by, .. } => member(by),
        _ => None,
    });
    first.chain(later).map(|member| member as u8).collect()
}

/// A plugin's module.
#[derive(Clone, Debug)]
pub enum Guest {
    /// The probe guest with a script.
    Probe(Script),
    /// Any other module.
    Module(Vec<u8>),
    /// A probe without its script, as an adapter gets it, and the script's bytes.
    Shaped(Arc<Shape>, Vec<u8>),
}

impl Guest {
    /// The script of a probe, if it is one whose script is not bytes yet.
    pub fn script(&self) -> Option<&Script> {
        if let Guest::Probe(script) = self { Some(script) } else { None }
    }

    /// The same, to be changed.
    pub fn script_mut(&mut self) -> Option<&mut Script> {
        if let Guest::Probe(script) = self { Some(script) } else { None }
    }

    /// The bytes of the module; of a probe, those of the smallest that can run its script.
    ///
    /// # Errors
    ///
    /// The probe cannot be assembled, or a script does not fit its shape.
    pub fn wasm(&self) -> Result<Vec<u8>, String> {
        match self {
            Guest::Module(wasm) => Ok(wasm.clone()),
            Guest::Shaped(shape, script) => shape.with_script(script),
            Guest::Probe(script) => assemble(&Template::smallest(script).wat(&script.bytes()))
                .map_err(|error| format!("failed to assemble the probe: {error}")),
        }
    }
}

tagged! {
    "do"
    /// Something that the world outside of the host does.
    ///
    /// `stream` numbers the streams from 0 in the order of their opening; `call` numbers the plugins' HTTP calls from 0 in
    /// the order in which they reach the outside, and the gRPC calls and streams likewise.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Step = "Step" {
        /// The client sends the headers of a request, which opens the stream.
        RequestHeaders {
            /// Which stream.
            stream: u32,
            /// Lower-case names, pseudo headers first.
            headers: Fields,
            /// No body and no trailers will follow.
            end_of_stream: bool,
        },
        /// The client sends a piece of the request's body.
        RequestBody {
            /// Which stream.
            stream: u32,
            /// The piece.
            body: Data,
            /// Nothing will follow.
            end_of_stream: bool,
        },
        /// The client sends the request's trailers, which ends the request.
        RequestTrailers {
            /// Which stream.
            stream: u32,
            /// The trailers.
            trailers: Fields,
        },
        /// The upstream sends the headers of the response.
        ResponseHeaders {
            /// Which stream.
            stream: u32,
            /// With `:status`.
            headers: Fields,
            /// No body and no trailers will follow.
            end_of_stream: bool,
        },
        /// The upstream sends a piece of the response's body.
        ResponseBody {
            /// Which stream.
            stream: u32,
            /// The piece.
            body: Data,
            /// Nothing will follow.
            end_of_stream: bool,
        },
        /// The upstream sends the response's trailers, which ends the response.
        ResponseTrailers {
            /// Which stream.
            stream: u32,
            /// The trailers.
            trailers: Fields,
        },
        /// The client opens a TCP connection, which opens the stream.
        Connect {
            /// Which stream.
            stream: u32,
        },
        /// The client sends bytes on its TCP connection.
        ClientData {
            /// Which stream.
            stream: u32,
            /// The bytes.
            data: Data,
            /// It sends no more.
            end_of_stream: bool,
        },
        /// The upstream sends bytes on its TCP connection.
        UpstreamData {
            /// Which stream.
            stream: u32,
            /// The bytes.
            data: Data,
            /// It sends no more.
            end_of_stream: bool,
        },
        /// The client gives the stream up.
        ClientReset {
            /// Which stream.
            stream: u32,
        },
        /// The upstream gives the stream up.
        UpstreamReset {
            /// Which stream.
            stream: u32,
        },
        /// The server of an HTTP call of a plugin's answers.
        CallResponse {
            /// Which call.
            call: u32,
            /// With `:status`.
            headers: Fields,
            /// The whole body.
            body: Data,
            /// The trailers, if any.
            trailers: Fields,
        },
        /// The server of an HTTP call of a plugin's closes the stream without an answer.
        CallReset {
            /// Which call.
            call: u32,
        },
        /// The server of a gRPC call of a plugin's sends its initial metadata.
        GrpcInitialMetadata {
            /// Which gRPC call or stream.
            call: u32,
            /// The metadata.
            metadata: Fields,
        },
        /// The server of a gRPC call of a plugin's sends a message.
        GrpcMessage {
            /// Which gRPC call or stream.
            call: u32,
            /// The message.
            message: Data,
        },
        /// The server of a gRPC call of a plugin's ends it.
        GrpcClose {
            /// Which gRPC call or stream.
            call: u32,
            /// gRPC's status code.
            status: u32,
            /// gRPC's status message.
            message: String,
            /// The trailing metadata, besides the status.
            metadata: Fields,
        },
        /// The server of a gRPC call of a plugin's cuts it off.
        GrpcReset {
            /// Which gRPC call or stream.
            call: u32,
        },
        /// The host calls the first plugin's foreign function.
        ForeignCall {
            /// The function's number.
            function: u32,
            /// The arguments.
            arguments: Data,
        },
        /// The operator gives a plugin another configuration. Streams that run finish with the old one.
        Reconfigure {
            /// The plugin's name.
            plugin: String,
            /// The new configuration.
            configuration: Data,
        },
        /// The operator puts a standby plugin into another's place. Streams that run finish with the old one.
        Replace {
            /// The plugin's name.
            plugin: String,
            /// The standby plugin's.
            by: String,
        },
        /// The operator gives a share of a plugin's new streams to a standby plugin.
        Canary {
            /// The plugin's name.
            plugin: String,
            /// The standby plugin's.
            by: String,
            /// How many streams in a hundred.
            share: u8,
            /// In how many of its streams in a hundred it may fault before it is rolled back.
            faults: u8,
        },
        /// The operator gives all new streams to a plugin's canary.
        Promote {
            /// The plugin's name.
            plugin: String,
        },
        /// The operator gives a plugin's canary no more streams.
        RollBack {
            /// The plugin's name.
            plugin: String,
        },
        /// The operator takes a plugin out of new streams. Streams that run finish with it.
        Remove {
            /// The plugin's name.
            plugin: String,
        },
        /// The operator reads all metrics of plugins.
        ReadMetrics,
        /// Time passes.
        Advance {
            /// Milliseconds.
            milliseconds: u64,
        },
        /// The operator removes the plugins; streams that still run are reset first.
        Shutdown,
    }
}

impl Step {
    /// The name that case files use.
    pub fn name(&self) -> &'static str {
        match self {
            Step::RequestHeaders { .. } => "request_headers",
            Step::RequestBody { .. } => "request_body",
            Step::RequestTrailers { .. } => "request_trailers",
            Step::ResponseHeaders { .. } => "response_headers",
            Step::ResponseBody { .. } => "response_body",
            Step::ResponseTrailers { .. } => "response_trailers",
            Step::Connect { .. } => "connect",
            Step::ClientData { .. } => "client_data",
            Step::UpstreamData { .. } => "upstream_data",
            Step::ClientReset { .. } => "client_reset",
            Step::UpstreamReset { .. } => "upstream_reset",
            Step::CallResponse { .. } => "call_response",
            Step::CallReset { .. } => "call_reset",
            Step::GrpcInitialMetadata { .. } => "grpc_initial_metadata",
            Step::GrpcMessage { .. } => "grpc_message",
            Step::GrpcClose { .. } => "grpc_close",
            Step::GrpcReset { .. } => "grpc_reset",
            Step::ForeignCall { .. } => "foreign_call",
            Step::Reconfigure { .. } => "reconfigure",
            Step::Replace { .. } => "replace",
            Step::Canary { .. } => "canary",
            Step::Promote { .. } => "promote",
            Step::RollBack { .. } => "roll_back",
            Step::Remove { .. } => "remove",
            Step::ReadMetrics => "read_metrics",
            Step::Advance { .. } => "advance",
            Step::Shutdown => "shutdown",
        }
    }

    /// The stream that it is about.
    pub fn stream(&self) -> Option<u32> {
        match self {
            Step::RequestHeaders { stream, .. }
            | Step::RequestBody { stream, .. }
            | Step::RequestTrailers { stream, .. }
            | Step::ResponseHeaders { stream, .. }
            | Step::ResponseBody { stream, .. }
            | Step::ResponseTrailers { stream, .. }
            | Step::Connect { stream }
            | Step::ClientData { stream, .. }
            | Step::UpstreamData { stream, .. }
            | Step::ClientReset { stream }
            | Step::UpstreamReset { stream } => Some(*stream),
            _ => None,
        }
    }

    /// The number of the stream that it is about, to be changed.
    pub fn stream_mut(&mut self) -> Option<&mut u32> {
        match self {
            Step::RequestHeaders { stream, .. }
            | Step::RequestBody { stream, .. }
            | Step::RequestTrailers { stream, .. }
            | Step::ResponseHeaders { stream, .. }
            | Step::ResponseBody { stream, .. }
            | Step::ResponseTrailers { stream, .. }
            | Step::Connect { stream }
            | Step::ClientData { stream, .. }
            | Step::UpstreamData { stream, .. }
            | Step::ClientReset { stream }
            | Step::UpstreamReset { stream } => Some(stream),
            _ => None,
        }
    }

    /// The plugin that it is about, and the one that takes its place.
    pub fn plugins(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Step::Replace { plugin, by } | Step::Canary { plugin, by, .. } => (Some(plugin), Some(by)),
            Step::Reconfigure { plugin, .. }
            | Step::Promote { plugin }
            | Step::RollBack { plugin }
            | Step::Remove { plugin } => (Some(plugin), None),
            _ => (None, None),
        }
    }
}
