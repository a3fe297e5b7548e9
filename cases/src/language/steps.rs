//! The kinds of steps.

use crate::language::form::{Form, Key};
use crate::protocol::Feature;
use crate::scenario::Step;

/// A kind of step.
#[derive(Debug)]
pub struct Kind {
    /// The key that says it.
    pub key: Key,
    /// What the value of that key is in [`Step`]; nothing where it is just `true`.
    pub field: Option<&'static str>,
    /// The further keys that it can have.
    pub details: &'static [Key],
    /// The callback that it causes in a plugin that is not paused.
    pub callback: Option<&'static str>,
    /// What it needs of a host.
    pub feature: Option<Feature>,
}

/// The kind of a step.
pub fn of(step: &Step) -> &'static Kind {
    let name = step.name();
    STEPS.iter().find(|kind| kind.key.name == name).unwrap_or(&STEPS[0])
}

/// An hour.
const ADVANCE: i64 = 3_600_000;
const U32: i64 = u32::MAX as i64;

const STREAM: Key =
    Key::usually("stream", Form::Number(0, U32), "0", "The stream, numbered from 0 in the order of their opening.");
const CALL: Key = Key::usually(
    "call",
    Form::Number(0, U32),
    "0",
    "The HTTP call, or the gRPC call or stream, numbered from 0 in the order in which they reach their servers.",
);
const END: Key = Key::said(
    "end_of_stream",
    Form::Flag,
    "Whether the message ends with it. Left out, it does, unless a later step continues the message.",
);
const TCP_END: Key =
    Key::usually("end_of_stream", Form::Flag, "false", "Whether no more bytes will come from this side.");
const BODY: Key = Key::usually("body", Form::Bytes, "\"\"", "The body of the response.");
const TRAILERS: Key = Key::usually("trailers", Form::Fields, "[]", "The trailers of the response.");
const MESSAGE: Key = Key::usually("message", Form::Text, "\"\"", "The message of gRPC's status.");
const METADATA: Key = Key::usually("metadata", Form::Fields, "[]", "The trailing metadata, besides the status.");
const ARGUMENTS: Key = Key::usually("arguments", Form::Bytes, "\"\"", "What the function is called with.");
const PLUGIN: Key = Key::usually("plugin", Form::Text, "\"plugin\"", "The plugin's name.");
const BY: Key = Key::needed("by", Form::Text, "The name of a plugin with `standby = true`.");
const SHARE: Key = Key::needed("share", Form::Number(0, 100), "How many of 100 new streams the standby plugin gets.");
const FAULTS: Key = Key::usually(
    "faults",
    Form::Number(0, 100),
    "0",
    "In how many of 100 of its streams the standby plugin may fault before it is rolled back.",
);

/// All kinds but `start`, which is no step of the world.
pub static STEPS: [Kind; 27] = [
    Kind {
        key: Key::said(
            "request_headers",
            Form::Fields,
            "The client sends the headers of a request, which opens the stream.",
        ),
        field: Some("headers"),
        details: &[STREAM, END],
        callback: Some("proxy_on_request_headers"),
        feature: Some(Feature::Http),
    },
    Kind {
        key: Key::said("request_body", Form::Bytes, "The client sends a piece of the request's body."),
        field: Some("body"),
        details: &[STREAM, END],
        callback: Some("proxy_on_request_body"),
        feature: None,
    },
    Kind {
        key: Key::said(
            "request_trailers",
            Form::Fields,
            "The client sends the request's trailers, which ends the request.",
        ),
        field: Some("trailers"),
        details: &[STREAM],
        callback: Some("proxy_on_request_trailers"),
        feature: None,
    },
    Kind {
        key: Key::said("response_headers", Form::Fields, "The upstream sends the headers of the response."),
        field: Some("headers"),
        details: &[STREAM, END],
        callback: Some("proxy_on_response_headers"),
        feature: None,
    },
    Kind {
        key: Key::said("response_body", Form::Bytes, "The upstream sends a piece of the response's body."),
        field: Some("body"),
        details: &[STREAM, END],
        callback: Some("proxy_on_response_body"),
        feature: None,
    },
    Kind {
        key: Key::said(
            "response_trailers",
            Form::Fields,
            "The upstream sends the response's trailers, which ends the response.",
        ),
        field: Some("trailers"),
        details: &[STREAM],
        callback: Some("proxy_on_response_trailers"),
        feature: None,
    },
    Kind {
        key: Key::said("connect", Form::True, "The client opens a TCP connection, which is a stream."),
        field: None,
        details: &[STREAM],
        callback: Some("proxy_on_new_connection"),
        feature: Some(Feature::Tcp),
    },
    Kind {
        key: Key::said("client_data", Form::Bytes, "The client sends bytes on its TCP connection."),
        field: Some("data"),
        details: &[STREAM, TCP_END],
        callback: Some("proxy_on_downstream_data"),
        feature: None,
    },
    Kind {
        key: Key::said("upstream_data", Form::Bytes, "The upstream sends bytes on its TCP connection."),
        field: Some("data"),
        details: &[STREAM, TCP_END],
        callback: Some("proxy_on_upstream_data"),
        feature: None,
    },
    Kind {
        key: Key::said("client_reset", Form::True, "The client resets the stream, or closes its TCP connection."),
        field: None,
        details: &[STREAM],
        callback: None,
        feature: None,
    },
    Kind {
        key: Key::said("upstream_reset", Form::True, "The upstream resets the stream, or closes its TCP connection."),
        field: None,
        details: &[STREAM],
        callback: None,
        feature: None,
    },
    Kind {
        key: Key::said(
            "call_response",
            Form::Fields,
            "The server of a plugin's HTTP call responds, with these headers.",
        ),
        field: Some("headers"),
        details: &[CALL, BODY, TRAILERS],
        callback: Some("proxy_on_http_call_response"),
        feature: Some(Feature::HttpCalls),
    },
    Kind {
        key: Key::said(
            "call_reset",
            Form::True,
            "The server of a plugin's HTTP call resets its stream without a response.",
        ),
        field: None,
        details: &[CALL],
        callback: Some("proxy_on_http_call_response"),
        feature: Some(Feature::HttpCalls),
    },
    Kind {
        key: Key::said(
            "grpc_initial_metadata",
            Form::Fields,
            "The server of a plugin's gRPC call or stream sends its initial metadata.",
        ),
        field: Some("metadata"),
        details: &[CALL],
        callback: Some("proxy_on_grpc_receive_initial_metadata"),
        feature: Some(Feature::Grpc),
    },
    Kind {
        key: Key::said("grpc_message", Form::Bytes, "The server of a plugin's gRPC call or stream sends a message."),
        field: Some("message"),
        details: &[CALL],
        callback: Some("proxy_on_grpc_receive"),
        feature: Some(Feature::Grpc),
    },
    Kind {
        key: Key::said(
            "grpc_close",
            Form::Number(0, U32),
            "The server of a plugin's gRPC call or stream ends it with this status code.",
        ),
        field: Some("status"),
        details: &[CALL, MESSAGE, METADATA],
        callback: Some("proxy_on_grpc_close"),
        feature: Some(Feature::Grpc),
    },
    Kind {
        key: Key::said("grpc_reset", Form::True, "The server of a plugin's gRPC call or stream resets it."),
        field: None,
        details: &[CALL],
        callback: Some("proxy_on_grpc_close"),
        feature: Some(Feature::Grpc),
    },
    Kind {
        key: Key::said(
            "foreign_call",
            Form::Number(0, U32),
            "The host calls the foreign function with this number of the first plugin.",
        ),
        field: Some("function"),
        details: &[ARGUMENTS],
        callback: Some("proxy_on_foreign_function"),
        feature: Some(Feature::ForeignCalls),
    },
    Kind {
        key: Key::said(
            "reconfigure",
            Form::Bytes,
            "The operator gives a plugin this configuration. Streams that are open finish with the old one.",
        ),
        field: Some("configuration"),
        details: &[PLUGIN],
        callback: None,
        feature: Some(Feature::Reconfigure),
    },
    Kind {
        key: Key::said(
            "replace",
            Form::Text,
            "The operator puts a standby plugin into the place of this plugin. Streams that are open finish with the old one.",
        ),
        field: Some("plugin"),
        details: &[BY],
        callback: None,
        feature: Some(Feature::Replace),
    },
    Kind {
        key: Key::said(
            "canary",
            Form::Text,
            "The operator gives a share of the new streams of this plugin to a standby plugin.",
        ),
        field: Some("plugin"),
        details: &[BY, SHARE, FAULTS],
        callback: None,
        feature: Some(Feature::Canary),
    },
    Kind {
        key: Key::said("promote", Form::Text, "The operator gives all new streams of this plugin to its canary."),
        field: Some("plugin"),
        details: &[],
        callback: None,
        feature: None,
    },
    Kind {
        key: Key::said("roll_back", Form::Text, "The operator gives no more streams to the canary of this plugin."),
        field: Some("plugin"),
        details: &[],
        callback: None,
        feature: None,
    },
    Kind {
        key: Key::said(
            "remove",
            Form::Text,
            "The operator takes this plugin out of new streams. Streams that are open finish with it.",
        ),
        field: Some("plugin"),
        details: &[],
        callback: None,
        feature: Some(Feature::Replace),
    },
    Kind {
        key: Key::said("read_metrics", Form::True, "The operator reads all metrics of plugins."),
        field: None,
        details: &[],
        callback: None,
        feature: Some(Feature::Metrics),
    },
    Kind {
        key: Key::said(
            "advance",
            Form::Number(0, ADVANCE),
            "This many milliseconds pass. The steps of a case cause 100,000 ticks at most.",
        ),
        field: Some("milliseconds"),
        details: &[],
        callback: Some("proxy_on_tick"),
        feature: Some(Feature::Time),
    },
    Kind {
        key: Key::said("shutdown", Form::True, "The operator removes the plugins; open streams are reset first."),
        field: None,
        details: &[],
        callback: None,
        feature: Some(Feature::Shutdown),
    },
];
