//! What the specification leaves open between two hosts, and what a campaign does not ask of a host since it is known to
//! take it down. Rows only; each with its reason.

/// Something in which hosts may differ.
pub(super) struct Open {
    /// A function, a callback, or `upstream`, `client`; `*` for any function.
    pub(super) of: &'static str,
    /// The reference host's status; empty for any.
    pub(super) status: &'static str,
    /// What the other host does instead, by its first words; `!` for any other error, empty for anything.
    pub(super) instead: &'static str,
    /// A function that was called before in the same scenario, or [`PSEUDO_HEADER`], [`TRAILERS`], [`TWICE`], [`LOST_CALL`],
    /// [`LOST_ITEM`]; empty if that does not matter.
    pub(super) given: &'static str,
    /// Why it is nobody's fault: a case of the catalog that asks the question, or words.
    pub(super) why: &'static str,
}

/// A call that is left out of scripts for a host.
pub(super) struct Avoided {
    /// The host.
    pub(super) host: &'static str,
    /// The function.
    pub(super) function: &'static str,
    /// The callbacks in which it is left out; none for all.
    pub(super) within: &'static [&'static str],
    /// Only where the callback has made the stream end before.
    pub(super) again: bool,
    /// Only with this.
    pub(super) with: With,
    /// Why.
    pub(super) why: &'static str,
}

const END: &[&str] = &["proxy_on_done", "proxy_on_log", "proxy_on_delete"];
const NO_RESPONSE: &[&str] = &[
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_done",
    "proxy_on_log",
    "proxy_on_delete",
    "proxy_on_queue_ready",
];
const RESPONSE: &[&str] = &["proxy_on_response_headers", "proxy_on_response_body", "proxy_on_response_trailers"];

/// See [`Avoided::with`].
pub(super) enum With {
    /// Anything.
    Any,
    /// A parameter that is this number.
    Number(&'static str, u64),
    /// A parameter that is this number or a larger one.
    AtLeast(&'static str, u64),
    /// A parameter that is no bytes at all.
    Nothing(&'static str),
    /// Names or values that HTTP/2 cannot carry.
    Unsendable,
}

/// What makes a stream end.
pub(super) const ENDING: [&str; 2] = ["proxy_send_local_response", "proxy_close_stream"];

/// See [`Avoided`].
pub(super) const AVOIDED: &[Avoided] = &[
    Avoided {
        host: "envoy",
        function: "proxy_send_local_response",
        within: &[],
        again: true,
        with: With::Any,
        why: "dies: http_streams/local_response_twice_to_a_response",
    },
    Avoided {
        host: "envoy",
        function: "proxy_close_stream",
        within: &[],
        again: true,
        with: With::Any,
        why: "dies: common_stream_operations/close_response_twice",
    },
    Avoided {
        host: "envoy",
        function: "proxy_send_local_response",
        within: END,
        again: false,
        with: With::Any,
        why: "dies: generated/hazards/proxy_on_log.proxy_send_local_response",
    },
    Avoided {
        host: "envoy",
        function: "proxy_close_stream",
        within: &["proxy_on_response_trailers"],
        again: false,
        with: With::Any,
        why: "dies: common_stream_operations/close_response_at_trailers",
    },
    Avoided {
        host: "envoy",
        function: "proxy_close_stream",
        within: END,
        again: false,
        with: With::Any,
        why: "dies: generated/hazards/proxy_on_log.proxy_close_stream",
    },
    Avoided {
        host: "envoy",
        function: "proxy_grpc_call",
        within: &[],
        again: false,
        with: With::Nothing("upstream_name"),
        why: "dies: grpc_calls/empty_upstream",
    },
    Avoided {
        host: "envoy",
        function: "proxy_grpc_stream",
        within: &[],
        again: false,
        with: With::Nothing("upstream_name"),
        why: "dies: grpc_calls/empty_upstream_of_a_stream",
    },
    Avoided {
        host: "envoy",
        function: "proxy_get_buffer_bytes",
        within: &[],
        again: false,
        with: With::Number("buffer_id", 8),
        why: "dies: buffers/foreign_arguments_behind_a_held_body",
    },
    Avoided {
        host: "envoy",
        function: "proxy_get_buffer_status",
        within: &[],
        again: false,
        with: With::Number("buffer_id", 8),
        why: "dies: buffers/foreign_arguments_behind_a_held_body",
    },
    Avoided {
        host: "envoy",
        function: "proxy_set_buffer_bytes",
        within: &[],
        again: false,
        with: With::Number("buffer_id", 8),
        why: "dies: buffers/foreign_arguments_behind_a_held_body",
    },
    Avoided {
        host: "envoy",
        function: "proxy_grpc_stream",
        within: &[],
        again: false,
        with: With::Unsendable,
        why: "hangs: grpc_calls/unsendable_streams",
    },
    Avoided {
        host: "envoy",
        function: "proxy_grpc_call",
        within: &[],
        again: false,
        with: With::Unsendable,
        why: "hangs: grpc_calls/unsendable_streams",
    },
    Avoided {
        host: "envoy",
        function: "proxy_http_call",
        within: &[],
        again: false,
        with: With::AtLeast("timeout", 0x8000_0000),
        why: "refuses: http_calls/timeout_largest",
    },
    Avoided {
        host: "envoy",
        function: "proxy_continue_stream",
        within: NO_RESPONSE,
        again: false,
        with: With::Number("stream_type", 1),
        why: "dies: common_stream_operations/continue_the_other_direction",
    },
    Avoided {
        host: "envoy",
        function: "proxy_continue_stream",
        within: RESPONSE,
        again: false,
        with: With::Number("stream_type", 1),
        why: "dies: common_stream_operations/continue_a_response_within_its_headers",
    },
];

/// A host that calls one callback before another, where the reference host does it the other way round, so that everything
/// behind them can be compared. Nothing is scripted for the one that it calls late.
pub(super) struct Swapped {
    /// The host.
    pub(super) host: &'static str,
    /// What it calls first.
    pub(super) first: &'static str,
    /// What it calls then.
    pub(super) then: &'static str,
}

/// What is left out for a host, and why.
pub fn avoided(host: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    AVOIDED.iter().filter(move |row| row.host == host).map(|row| (row.function, row.why))
}

/// See [`Swapped`]. The expected failures have it as context_lifecycle/done_log_delete.
pub(super) const SWAPPED: &[Swapped] = &[Swapped { host: "envoy", first: "proxy_on_log", then: "proxy_on_done" }];

/// What counts as called when a header whose name begins with a colon was changed, or perhaps was.
pub(super) const PSEUDO_HEADER: &str = "pseudo header";
/// What counts as called by a call over the network that failed for a bad address, perhaps that of its id.
pub(super) const LOST_CALL: &str = "lost call";
/// What counts as called by taking an item from a queue to a bad address, which perhaps has lost it.
pub(super) const LOST_ITEM: &str = "lost item";
/// What counts as called by a call about trailers, for this call only.
pub(super) const TRAILERS: &str = "trailers";
/// What counts as called when a call was sent with such a header twice.
pub(super) const TWICE: &str = "pseudo header twice";

const fn status(of: &'static str, status: &'static str, instead: &'static str, why: &'static str) -> Open {
    Open { of, status, instead, given: "", why }
}

const fn after(given: &'static str, of: &'static str, status: &'static str, why: &'static str) -> Open {
    Open { of, status, instead: "", given, why }
}

/// The answer to a call that was made although it failed.
const fn unasked(of: &'static str) -> Open {
    Open { of, status: "", instead: "though nothing was to come", given: LOST_CALL, why: NO_ID }
}

const TWO_FAULTS: &str = "foreign_function_interface/bad_pointers_to_unknown_function";
const NOTHING: &str = "randomness/nothing_behind_the_end";
const MALFORMED: &str = "http_fields/set_pairs_malformed";
const UNAVAILABLE: &str = "http_fields/response_headers_too_early";
const EMPTY_KEY: &str = "http_fields/add_empty_key";
const PSEUDO: &str = "http_fields/replace_path";
const CAS: &str = "shared_key_value_store/cas_for_missing_key";
const OWN_RESPONSE: &str = "http_streams/local_response_callbacks";
const PROPERTIES: &str = "properties/sizes";
const IDS: &str = "grpc_calls/unknown_ids";
const SWITCH: &str = "context_lifecycle/effective_context_zero";
const TOO_LATE: &str = "http_fields/too_late_to_change";
const NO_ID: &str = "grpc_calls/bad_return_pointer_sends_nothing";
const REFUSED: &str = "grpc_calls/stream_refused_callbacks";
const TRAILERS_LATER: &str = "http_fields/trailers_from_the_other_direction";
const DEAD: &str = "grpc_calls/dead_upstream";

/// See [`Open`].
pub(super) const OPEN: &[Open] = &[
    status("*", "INVALID_MEMORY_ACCESS", "!", TWO_FAULTS),
    status("*", "FAULT", "!", TWO_FAULTS),
    status("*", "PARSE_FAILURE", "!", TWO_FAULTS),
    status("proxy_http_call", "BAD_ARGUMENT", "!", TWO_FAULTS),
    status("*", "BAD_ARGUMENT", "INVALID_MEMORY_ACCESS", TWO_FAULTS),
    status("*", "NOT_FOUND", "INVALID_MEMORY_ACCESS", TWO_FAULTS),
    status("*", "EMPTY", "INVALID_MEMORY_ACCESS", TWO_FAULTS),
    status("*", "INVALID_MEMORY_ACCESS", "OK", NOTHING),
    status("*", "FAULT", "SUCCESS", NOTHING),
    status("fd_write", "FAULT", "log", NO_ID),
    status("proxy_call_foreign_function", "OK", "NOT_FOUND", "foreign_function_interface/echo"),
    status("proxy_define_metric", "OK", "", "metrics/defined_twice"),
    status("proxy_get_metric", "OK", "BAD_ARGUMENT", "metrics/histogram_as_a_number"),
    after("proxy_increment_metric", "proxy_get_metric", "OK", "metrics/gauge_below_zero"),
    status("proxy_increment_metric", "BAD_ARGUMENT", "OK", "metrics/gauge_below_zero"),
    status("proxy_set_shared_data", "CAS_MISMATCH", "OK", CAS),
    after("proxy_set_shared_data", "proxy_get_shared_data", "", CAS),
    after(
        "proxy_register_shared_queue",
        "proxy_resolve_shared_queue",
        "NOT_FOUND",
        "shared_queues/register_to_a_bad_place",
    ),
    after(LOST_ITEM, "proxy_dequeue_shared_queue", "OK", "shared_queues/dequeue_to_a_bad_place"),
    status("proxy_get_header_map_pairs", "BAD_ARGUMENT", "", UNAVAILABLE),
    status("proxy_get_header_map_value", "BAD_ARGUMENT", "", UNAVAILABLE),
    status("proxy_get_header_map_size", "BAD_ARGUMENT", "", UNAVAILABLE),
    status("proxy_get_header_map_value", "OK", "other values", "http_fields/get_value_of_several"),
    status("proxy_get_header_map_pairs", "OK", "other values", "http_fields/get_pairs_of_several"),
    status("proxy_set_header_map_pairs", "BAD_ARGUMENT", "OK", MALFORMED),
    status("proxy_add_header_map_value", "BAD_ARGUMENT", "OK", EMPTY_KEY),
    status("proxy_replace_header_map_value", "BAD_ARGUMENT", "OK", EMPTY_KEY),
    status("proxy_remove_header_map_value", "BAD_ARGUMENT", "OK", EMPTY_KEY),
    status("proxy_get_property", "", "", PROPERTIES),
    status("proxy_set_property", "", "", "properties/set_built_in"),
    status("proxy_grpc_cancel", "NOT_FOUND", "BAD_ARGUMENT", IDS),
    status("proxy_grpc_close", "NOT_FOUND", "BAD_ARGUMENT", IDS),
    status("proxy_grpc_send", "NOT_FOUND", "BAD_ARGUMENT", IDS),
    status("proxy_grpc_cancel", "BAD_ARGUMENT", "NOT_FOUND", IDS),
    status("proxy_grpc_close", "BAD_ARGUMENT", "NOT_FOUND", IDS),
    status("proxy_grpc_send", "BAD_ARGUMENT", "NOT_FOUND", IDS),
    status("proxy_grpc_call", "OK", "INTERNAL_FAILURE", DEAD),
    status("proxy_grpc_stream", "OK", "INTERNAL_FAILURE", DEAD),
    status("proxy_http_call", "OK", "INTERNAL_FAILURE", DEAD),
    status("proxy_grpc_call", "PARSE_FAILURE", "OK", "grpc_calls/malformed_metadata"),
    status("proxy_grpc_stream", "PARSE_FAILURE", "OK", "grpc_calls/malformed_metadata"),
    status("proxy_http_call", "BAD_ARGUMENT", "OK", "http_calls/malformed_headers"),
    status("proxy_on_http_call_response", "", "other arguments", "http_calls/reset"),
    status("proxy_send_local_response", "BAD_ARGUMENT", "OK", "http_streams/local_response_malformed_headers"),
    after("proxy_send_local_response", "proxy_send_local_response", "", "http_streams/local_response_twice"),
    after("proxy_send_local_response", "*", "", OWN_RESPONSE),
    status("proxy_set_effective_context", "BAD_ARGUMENT", "OK", SWITCH),
    status("proxy_continue_stream", "UNIMPLEMENTED", "OK", "common_stream_operations/tcp_stream_types"),
    status("proxy_continue_stream", "", "", "common_stream_operations/continue_what_is_not_paused"),
    after("proxy_continue_stream", "*", "", "common_stream_operations/continue_within_the_callback_that_pauses"),
    after("proxy_close_stream", "*", "", "common_stream_operations/close_and_continue"),
    status("proxy_get_status", "OK", "other values", "common_stream_operations/status_without_a_call"),
    after(PSEUDO_HEADER, "*", "", PSEUDO),
    after("proxy_grpc_close", "proxy_grpc_call", "", "grpc_calls/close_call"),
    after("proxy_grpc_cancel", "proxy_grpc_call", "", "grpc_calls/close_call"),
    after("proxy_continue_stream", "proxy_add_header_map_value", "OK", TOO_LATE),
    after("proxy_continue_stream", "proxy_replace_header_map_value", "OK", TOO_LATE),
    after("proxy_continue_stream", "proxy_remove_header_map_value", "OK", TOO_LATE),
    after("proxy_continue_stream", "proxy_set_header_map_pairs", "OK", TOO_LATE),
    after("proxy_close_stream", "proxy_add_header_map_value", "OK", TOO_LATE),
    after("proxy_close_stream", "proxy_replace_header_map_value", "OK", TOO_LATE),
    after("proxy_close_stream", "proxy_remove_header_map_value", "OK", TOO_LATE),
    after("proxy_close_stream", "proxy_set_header_map_pairs", "OK", TOO_LATE),
    after("proxy_close_stream", "proxy_get_header_map_value", "OK", TOO_LATE),
    after("proxy_close_stream", "proxy_get_header_map_pairs", "OK", TOO_LATE),
    after("proxy_continue_stream", "proxy_get_header_map_value", "", TOO_LATE),
    after("proxy_continue_stream", "proxy_get_header_map_pairs", "", TOO_LATE),
    status("proxy_get_header_map_value", "NOT_FOUND", "BAD_ARGUMENT", "http_fields/added_trailers_can_be_read"),
    status("proxy_on_request_body", "", "", "http_streams/request_behind_the_response"),
    after("proxy_continue_stream", "proxy_get_buffer_bytes", "OK", TOO_LATE),
    after("proxy_continue_stream", "proxy_get_buffer_status", "OK", TOO_LATE),
    status("proxy_grpc_close", "NOT_FOUND", "OK", "grpc_calls/ids_after_the_end"),
    after("proxy_grpc_close", "proxy_grpc_send", "", "grpc_calls/send_after_the_last"),
    status("proxy_on_grpc_receive", "", "nothing", "grpc_calls/call_closed_after_its_answer"),
    status("proxy_get_header_map_value", "NOT_FOUND", "OK", "http_fields/changes_in_on_log"),
    after("random_get", "log", "", "randomness/bytes"),
    status("proxy_on_request_trailers", "", "", "http_streams/request_behind_the_response"),
    status("proxy_on_grpc_receive_trailing_metadata", "", "proxy_on_grpc_receive_initial_metadata first", REFUSED),
    status("proxy_on_grpc_receive_trailing_metadata", "", "elements besides", "grpc_calls/status_in_trailing_metadata"),
    after(LOST_CALL, "gRPC", "", NO_ID),
    after(LOST_CALL, "callout", "", NO_ID),
    unasked("proxy_on_http_call_response"),
    unasked("proxy_on_grpc_receive_initial_metadata"),
    unasked("proxy_on_grpc_receive"),
    unasked("proxy_on_grpc_close"),
    Open { of: "*", status: "", instead: "gRPC first", given: LOST_CALL, why: NO_ID },
    Open { of: "*", status: "", instead: "callout first", given: LOST_CALL, why: NO_ID },
    Open { of: "*", status: "", instead: "proxy_on_grpc_", given: LOST_CALL, why: NO_ID },
    Open { of: "*", status: "", instead: "proxy_on_http_call_response first", given: LOST_CALL, why: NO_ID },
    // That an item came to a queue is told after all else, be it that something else follows from it.
    status("proxy_on_queue_ready", "", "proxy_on_response_headers first", OWN_RESPONSE),
    status("proxy_on_queue_ready", "", "proxy_on_http_call_response first", "http_calls/malformed_headers"),
    after("proxy_close_stream", "proxy_set_effective_context", "OK", "common_stream_operations/close_and_continue"),
    after(TWICE, "callout", "", "http_calls/path_twice"),
    after(TRAILERS, "proxy_add_header_map_value", "OK", TRAILERS_LATER),
    after(TRAILERS, "proxy_replace_header_map_value", "OK", TRAILERS_LATER),
    after(TRAILERS, "proxy_remove_header_map_value", "OK", TRAILERS_LATER),
    after(TRAILERS, "proxy_set_header_map_pairs", "OK", TRAILERS_LATER),
    status("proxy_on_done", "", "proxy_on_response_headers first", "http_streams/upstream_reset_callbacks"),
    after("proxy_grpc_send", "proxy_grpc_send", "BAD_ARGUMENT", "grpc_calls/send_after_the_last"),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pw_cases::case::{Case, Level};
    use pw_cases::catalog;

    use super::*;

    /// A row's reason is a case, so that it cannot be forgotten when the case goes.
    #[test]
    fn reasons_are_cases_of_the_catalog() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/catalog");
        let (cases, _) = catalog::whole(&folder);
        let is_case = |id: &str| cases.iter().any(|case| case.id == id);
        // What is random is for nobody to decide.
        for why in OPEN.iter().filter(|row| row.given != "random_get").map(|row| row.why) {
            let asks = |case: &&Case| case.id == why && case.level == Level::Unspecified;
            assert!(cases.iter().any(|case| asks(&case)), "no case {why} that asks a question");
        }
        for why in AVOIDED.iter().map(|row| row.why) {
            let id = why.split_once(": ").map_or(why, |(_, id)| id);
            assert!(is_case(id), "no case {id}");
        }
    }
}
