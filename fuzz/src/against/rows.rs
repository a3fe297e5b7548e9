//! What the specification leaves open between two hosts, and what a campaign does not ask of a host since it is known to
//! take it down. Rows only; each with its reason.

/// Something in which hosts may differ.
pub struct Open {
    /// A function, or a callback.
    pub of: &'static str,
    /// The reference host's status; empty for any.
    pub status: &'static str,
    /// The other host's status; empty for any.
    pub seen: &'static str,
    /// Why it is nobody's fault.
    pub why: &'static str,
}

/// A call that is left out of scripts for a host.
pub struct Avoided {
    /// The host.
    pub host: &'static str,
    /// The function.
    pub function: &'static str,
    /// The callbacks in which it is left out; none for all.
    pub within: &'static [&'static str],
    /// The parameter that makes it so, and its value; no bytes at all where there is none.
    pub with: Option<(&'static str, Option<u64>)>,
    /// Why.
    pub why: &'static str,
}

const END: &[&str] = &["proxy_on_done", "proxy_on_log", "proxy_on_delete"];
const REQUEST: &[&str] = &["proxy_on_request_headers", "proxy_on_request_body", "proxy_on_request_trailers"];

/// See [`Avoided`].
pub const AVOIDED: &[Avoided] = &[
    Avoided {
        host: "envoy",
        function: "proxy_send_local_response",
        within: END,
        with: None,
        why: "dies: derived/hazards/proxy_on_log.proxy_send_local_response",
    },
    Avoided {
        host: "envoy",
        function: "proxy_close_stream",
        within: END,
        with: None,
        why: "dies: derived/hazards/proxy_on_log.proxy_close_stream",
    },
    Avoided {
        host: "envoy",
        function: "proxy_grpc_call",
        within: &[],
        with: Some(("upstream_name", None)),
        why: "dies: grpc_calls/empty_upstream",
    },
    Avoided {
        host: "envoy",
        function: "proxy_grpc_stream",
        within: &[],
        with: Some(("upstream_name", None)),
        why: "dies: grpc_calls/empty_upstream_of_a_stream",
    },
    Avoided {
        host: "envoy",
        function: "proxy_continue_stream",
        within: REQUEST,
        with: Some(("stream_type", Some(1))),
        why: "dies: common_stream_operations/continue_the_other_direction",
    },
];

/// See [`Open`].
pub const DECIDED_ELSEWHERE: &[Open] = &[];
