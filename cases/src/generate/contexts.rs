//! How each callback is brought about.

/// A callback, and what leads to it.
#[derive(Debug)]
pub(super) struct Context {
    /// The callback.
    pub(super) callback: &'static str,
    /// The texts of the steps that lead to it; it is called in the last.
    pub(super) steps: &'static [&'static str],
}

impl Context {
    /// The text of further steps: the stream, if there is one, is reset, and the plugin serves another one.
    pub(super) fn next(&self) -> String {
        let begins = |what: &str| self.steps.iter().any(|step| step.starts_with(what));
        let (tcp, http) = (begins("connect"), begins("request_headers"));
        let reset = if tcp || http { "\n[[step]]\nclient_reset = true\n" } else { "" };
        let stream = u8::from(tcp || http);
        let opened = if tcp { CONNECT } else { NEXT };
        let then = if tcp { NEXT_BYTES.replace("$stream", &stream.to_string()) } else { NEXT_REQUEST.to_owned() };
        format!("{reset}\n[[step]]\nstream = {stream}\n{opened}\n{then}")
    }
}

const NEXT: &str = r#"request_headers = [[":method", "GET"], [":scheme", "http"], [":authority", "example.test"], [":path", "/"], ["x-next", "yes"]]"#;
const NEXT_REQUEST: &str = r#"
[step.expect]
upstream = { headers = [["x-next", "yes"]], end_of_stream = true }
"#;
const NEXT_BYTES: &str = r#"
[[step]]
stream = $stream
client_data = "next"

[step.expect]
upstream = { body = "next" }
"#;

const START: &str = "start = true";
const REQUEST: &str =
    r#"request_headers = [[":method", "POST"], [":scheme", "http"], [":authority", "example.test"], [":path", "/"]]"#;
const REQUEST_BODY: &str = r#"request_body = "some bytes""#;
const RESPONSE: &str = r#"response_headers = [[":status", "200"]]"#;
const RESPONSE_BODY: &str = r#"response_body = "some bytes""#;

const TICKING: &str = r#"start = true
[[step.guest]]
in = "proxy_on_configure"
call = "proxy_set_tick_period_milliseconds"
args = { tick_period = 20 }"#;

const CALLING: &str = r#"start = true
[[step.guest]]
in = "proxy_on_configure"
call = "proxy_http_call"
args = { upstream_name = "callout", serialized_headers = [[":method", "GET"], [":authority", "callout"], [":path", "/"]], body = "", serialized_trailers = [], timeout = 5000 }"#;

const QUEUEING: &str = r#"request_headers = [[":method", "POST"], [":scheme", "http"], [":authority", "example.test"], [":path", "/"]]
[[step.guest]]
call = "proxy_register_shared_queue"
args = { name = "$id" }
save = { queue_id = "queue_id" }
[[step.guest]]
call = "proxy_enqueue_shared_queue"
args = { queue_id = { saved = "queue_id" }, value = "item" }"#;

const CONNECT: &str = "connect = true";
const CLIENT_DATA: &str = r#"client_data = "some bytes""#;
const UPSTREAM_DATA: &str = r#"upstream_data = "some bytes""#;
const CLIENT_END: &str = "client_data = \"\"\nend_of_stream = true";
const UPSTREAM_END: &str = "upstream_data = \"\"\nend_of_stream = true";

const STREAMING: &str = r#"request_headers = [[":method", "POST"], [":scheme", "http"], [":authority", "example.test"], [":path", "/"]]
[[step.guest]]
call = "proxy_grpc_stream"
args = { upstream_name = "callout", service_name = "pw.Test", method_name = "Talk", serialized_initial_metadata = [] }"#;
const GRPC_FIRST: &str = r#"grpc_initial_metadata = [["x-first", "yes"]]"#;
const GRPC_MESSAGE: &str = r#"grpc_message = "some bytes""#;
const GRPC_CLOSE: &str = "grpc_close = 0\nmetadata = [[\"x-last\", \"yes\"]]";

/// The callbacks that a case can bring about.
pub(super) static CONTEXTS: [Context; 25] = [
    Context { callback: "proxy_on_vm_start", steps: &[START] },
    Context { callback: "proxy_on_context_create", steps: &[START] },
    Context { callback: "proxy_on_configure", steps: &[START] },
    Context { callback: "proxy_on_tick", steps: &[TICKING, "advance = 60"] },
    Context { callback: "proxy_on_request_headers", steps: &[REQUEST] },
    Context { callback: "proxy_on_request_body", steps: &[REQUEST, REQUEST_BODY] },
    Context {
        callback: "proxy_on_request_trailers",
        steps: &[REQUEST, REQUEST_BODY, r#"request_trailers = [["x-trailer", "yes"]]"#],
    },
    Context { callback: "proxy_on_response_headers", steps: &[REQUEST, RESPONSE] },
    Context { callback: "proxy_on_response_body", steps: &[REQUEST, RESPONSE, RESPONSE_BODY] },
    Context {
        callback: "proxy_on_response_trailers",
        steps: &[REQUEST, RESPONSE, RESPONSE_BODY, r#"response_trailers = [["x-trailer", "yes"]]"#],
    },
    Context { callback: "proxy_on_log", steps: &[REQUEST, RESPONSE] },
    Context { callback: "proxy_on_done", steps: &[REQUEST, RESPONSE] },
    Context { callback: "proxy_on_delete", steps: &[REQUEST, RESPONSE] },
    Context { callback: "proxy_on_http_call_response", steps: &[CALLING, r#"call_response = [[":status", "200"]]"#] },
    Context { callback: "proxy_on_new_connection", steps: &[CONNECT] },
    Context { callback: "proxy_on_downstream_data", steps: &[CONNECT, CLIENT_DATA] },
    Context { callback: "proxy_on_upstream_data", steps: &[CONNECT, CLIENT_DATA, UPSTREAM_DATA] },
    Context {
        callback: "proxy_on_downstream_connection_close",
        steps: &[CONNECT, CLIENT_DATA, UPSTREAM_DATA, UPSTREAM_END, CLIENT_END],
    },
    Context {
        callback: "proxy_on_upstream_connection_close",
        steps: &[CONNECT, CLIENT_DATA, UPSTREAM_DATA, UPSTREAM_END, CLIENT_END],
    },
    Context { callback: "proxy_on_grpc_receive_initial_metadata", steps: &[STREAMING, GRPC_FIRST] },
    Context { callback: "proxy_on_grpc_receive", steps: &[STREAMING, GRPC_FIRST, GRPC_MESSAGE] },
    Context {
        callback: "proxy_on_grpc_receive_trailing_metadata",
        steps: &[STREAMING, GRPC_FIRST, GRPC_MESSAGE, GRPC_CLOSE],
    },
    Context { callback: "proxy_on_grpc_close", steps: &[STREAMING, GRPC_FIRST, GRPC_MESSAGE, GRPC_CLOSE] },
    Context { callback: "proxy_on_foreign_function", steps: &["foreign_call = 7\narguments = \"some bytes\""] },
    Context { callback: "proxy_on_queue_ready", steps: &[QUEUEING, "advance = 60"] },
];

/// The start function, in which there is no context yet.
pub(super) static INITIALIZE: Context = Context { callback: "_initialize", steps: &[START] };

/// The allocator, called in the midst of another call.
pub(super) static ALLOCATE: Context = Context {
    callback: "proxy_on_memory_allocate",
    steps: &[
        r#"request_headers = [[":method", "POST"], [":scheme", "http"], [":authority", "example.test"], [":path", "/"]]
[[step.guest]]
call = "proxy_get_header_map_value"
args = { map_id = "HTTP_REQUEST_HEADERS", key = ":path" }
accept = [
  { expect = "OK", answer = "the call that allocates: OK" },
  { expect = "INVALID_MEMORY_ACCESS", answer = "the call that allocates: INVALID_MEMORY_ACCESS" },
  { expect = "INTERNAL_FAILURE", answer = "the call that allocates: INTERNAL_FAILURE" },
  { expect = "TRAP", answer = "the call that allocates: TRAP" },
]"#,
    ],
};

/// The context of that callback.
pub(super) fn context(callback: &str) -> Option<&'static Context> {
    CONTEXTS.iter().chain([&INITIALIZE, &ALLOCATE]).find(|context| context.callback == callback)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No step of a case causes these yet, or the probe does not export them.
    const WITHOUT: [&str; 7] = [
        "proxy_abi_version_0_1_0",
        "proxy_abi_version_0_2_0",
        "proxy_abi_version_0_2_1",
        "proxy_abi_version_0_x_x",
        "main",
        "_start",
        "malloc",
    ];

    #[test]
    fn every_callback_has_a_context_or_is_known_to_have_none() {
        for row in crate::script::callbacks() {
            assert_ne!(context(row.name).is_some(), WITHOUT.contains(&row.name), "{}", row.name);
        }
    }
}
