//! With which arguments each function does what it is for, and in which callback.

use pw_abi::Function;

use crate::generate::contexts::{Context, context};

/// A call that no argument spoils.
#[derive(Debug)]
pub(super) struct Valid {
    /// The function.
    pub(super) function: &'static str,
    /// The callback in which it is made.
    at: &'static str,
    /// The functions that are called before it, whose values it needs.
    pub(super) after: &'static [&'static str],
    /// The arguments, as a case file writes them.
    pub(super) args: &'static [(&'static str, &'static str)],
    /// The returned number that others need, kept under its own name.
    save: Option<&'static str>,
    /// The parameters whose fault would not be the call's only one on every host: what the call is about may not exist.
    pub(super) doubtful: &'static [&'static str],
}

const REQUEST: &str = "proxy_on_request_headers";
const BODY: &str = "proxy_on_request_body";
const HEADERS: (&str, &str) = ("map_id", "\"HTTP_REQUEST_HEADERS\"");
const REQUEST_BODY: (&str, &str) = ("buffer_id", "\"HTTP_REQUEST_BODY\"");
const QUEUE: (&str, &str) = ("queue_id", "{ saved = \"queue_id\" }");
const METRIC: (&str, &str) = ("metric_id", "{ saved = \"metric_id\" }");
const NAME: (&str, &str) = ("name", "\"$id\"");
const KEY: (&str, &str) = ("key", "\"$id\"");
const FIELD: (&str, &str) = ("key", "\"x-derived\"");
const VALUE: (&str, &str) = ("value", "\"value\"");
const UPSTREAM: (&str, &str) = ("upstream_name", "\"callout\"");
const SERVICE: (&str, &str) = ("service_name", "\"test.Service\"");
const METHOD: (&str, &str) = ("method_name", "\"Method\"");
const METADATA: (&str, &str) = ("serialized_initial_metadata", "[[\"x-derived\", \"value\"]]");

const fn valid(function: &'static str, args: &'static [(&'static str, &'static str)]) -> Valid {
    Valid { function, at: REQUEST, after: &[], args, save: None, doubtful: &[] }
}

/// One row per function that has parameters; the others are called with nothing.
static VALID: [Valid; 45] = [
    valid("proxy_set_effective_context", &[("context_id", "{ saved = \"arg0\" }")]),
    Valid { at: "proxy_on_configure", ..valid("proxy_get_configuration", &[]) },
    valid("proxy_log", &[("log_level", "\"INFO\""), ("message", "\"derived\"")]),
    valid("fd_write", &[("fd_id", "\"STDOUT\""), ("iovec", "[\"derived\"]")]),
    valid("proxy_get_log_level", &[]),
    valid("proxy_get_current_time_nanoseconds", &[]),
    valid("clock_time_get", &[("clock_id", "\"REALTIME\""), ("unused", "0")]),
    valid("proxy_set_tick_period_milliseconds", &[("tick_period", "3600000")]),
    valid("random_get", &[("buffer_size", "16")]),
    valid("environ_sizes_get", &[]),
    valid("environ_get", &[]),
    Valid { at: BODY, ..valid("proxy_set_buffer_bytes", &[REQUEST_BODY, ("start", "0"), ("size", "0"), VALUE]) },
    Valid { at: BODY, ..valid("proxy_get_buffer_bytes", &[REQUEST_BODY, ("start", "0"), ("max_size", "4")]) },
    Valid { at: BODY, ..valid("proxy_get_buffer_status", &[REQUEST_BODY]) },
    valid("proxy_get_header_map_size", &[HEADERS]),
    valid("proxy_get_header_map_pairs", &[HEADERS]),
    valid(
        "proxy_set_header_map_pairs",
        &[
            HEADERS,
            (
                "serialized_pairs",
                "[[\":method\", \"POST\"], [\":scheme\", \"http\"], [\":authority\", \"example.test\"], [\":path\", \"/\"]]",
            ),
        ],
    ),
    valid("proxy_get_header_map_value", &[HEADERS, ("key", "\":path\"")]),
    valid("proxy_add_header_map_value", &[HEADERS, FIELD, VALUE]),
    valid("proxy_replace_header_map_value", &[HEADERS, FIELD, VALUE]),
    valid("proxy_remove_header_map_value", &[HEADERS, FIELD]),
    valid("proxy_continue_stream", &[("stream_type", "\"HTTP_REQUEST\"")]),
    valid("proxy_close_stream", &[("stream_type", "\"HTTP_REQUEST\"")]),
    Valid { at: "proxy_on_http_call_response", ..valid("proxy_get_status", &[]) },
    valid(
        "proxy_send_local_response",
        &[
            ("status_code", "403"),
            ("status_code_details", "\"derived\""),
            ("body", "\"no\""),
            ("serialized_headers", "[[\"x-derived\", \"value\"]]"),
            ("grpc_status", "-1"),
        ],
    ),
    valid(
        "proxy_http_call",
        &[
            UPSTREAM,
            ("serialized_headers", "[[\":method\", \"GET\"], [\":authority\", \"callout\"], [\":path\", \"/\"]]"),
            ("body", "\"bytes\""),
            ("serialized_trailers", "[[\"x-derived\", \"value\"]]"),
            ("timeout", "5000"),
        ],
    ),
    valid("proxy_grpc_call", &[UPSTREAM, SERVICE, METHOD, METADATA, ("message", "\"message\""), ("timeout", "5000")]),
    Valid { save: Some("stream_id"), ..valid("proxy_grpc_stream", &[UPSTREAM, SERVICE, METHOD, METADATA]) },
    Valid {
        after: &["proxy_grpc_stream"],
        ..valid(
            "proxy_grpc_send",
            &[("stream_id", "{ saved = \"stream_id\" }"), ("message", "\"message\""), ("end_stream", "false")],
        )
    },
    Valid {
        after: &["proxy_grpc_stream"],
        ..valid("proxy_grpc_cancel", &[("call_or_stream_id", "{ saved = \"stream_id\" }")])
    },
    Valid {
        after: &["proxy_grpc_stream"],
        ..valid("proxy_grpc_close", &[("call_or_stream_id", "{ saved = \"stream_id\" }")])
    },
    valid("proxy_set_shared_data", &[KEY, VALUE, ("cas", "0")]),
    Valid { after: &["proxy_set_shared_data"], ..valid("proxy_get_shared_data", &[KEY]) },
    Valid { save: Some("queue_id"), ..valid("proxy_register_shared_queue", &[NAME]) },
    Valid {
        after: &["proxy_register_shared_queue"],
        ..valid("proxy_resolve_shared_queue", &[("vm_id", "\"$id\""), NAME])
    },
    Valid { after: &["proxy_register_shared_queue"], ..valid("proxy_enqueue_shared_queue", &[QUEUE, VALUE]) },
    Valid {
        after: &["proxy_register_shared_queue", "proxy_enqueue_shared_queue"],
        ..valid("proxy_dequeue_shared_queue", &[QUEUE])
    },
    Valid { save: Some("metric_id"), ..valid("proxy_define_metric", &[("metric_type", "\"COUNTER\""), NAME]) },
    Valid { after: &["proxy_define_metric"], ..valid("proxy_record_metric", &[METRIC, ("value", "1")]) },
    Valid { after: &["proxy_define_metric"], ..valid("proxy_increment_metric", &[METRIC, ("delta", "1")]) },
    Valid { after: &["proxy_define_metric"], ..valid("proxy_get_metric", &[METRIC]) },
    // No property has to exist, and none has to be one that can be set.
    Valid { doubtful: &["value"], ..valid("proxy_get_property", &[("path", "[\"plugin_name\"]")]) },
    Valid { doubtful: &["value"], ..valid("proxy_set_property", &[("path", "[\"derived\"]"), VALUE]) },
    // No foreign function is known to every host.
    Valid {
        doubtful: &["arguments", "results"],
        ..valid(
            "proxy_call_foreign_function",
            &[("name", "\"pw_conform_unknown_function\""), ("arguments", "\"bytes\"")],
        )
    },
    valid("proc_exit", &[("exit_code", "1")]),
];

/// The valid call of a function; one without a row is called with nothing.
pub(super) fn of(row: &Function) -> &'static Valid {
    static NOTHING: Valid = valid("", &[]);
    VALID.iter().find(|valid| valid.function == row.name).unwrap_or(&NOTHING)
}

impl Valid {
    /// Where it is made.
    pub(super) fn context(&self) -> Option<&'static Context> {
        context(self.at)
    }

    /// The calls that are made before it.
    pub(super) fn before(&self) -> Vec<String> {
        self.after
            .iter()
            .filter_map(|name| super::functions().find(|row| row.name == *name))
            .map(|row| call(row, &[]))
            .collect()
    }
}

/// The text of the valid call of a function, but with these arguments in place of its own, or beside them. Only where there
/// are none is what others need kept.
pub(super) fn call(row: &Function, instead: &[(&str, &str)]) -> String {
    let valid = of(row);
    let given = |name: &str| instead.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
    let own = valid.args.iter().map(|(name, value)| (*name, given(name).unwrap_or(value)));
    let lanes = instead.iter().copied().filter(|(name, _)| valid.args.iter().all(|(own, _)| own != name));
    let args: Vec<String> = own.chain(lanes).map(|(name, value)| format!("{name} = {value}")).collect();
    let save = valid.save.filter(|_| instead.is_empty());
    let save = save.map_or(String::new(), |name| format!("save = {{ {name} = \"{name}\" }}\n"));
    format!("call = \"{}\"\nargs = {{ {} }}\n{save}", row.name, args.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_of_a_function_and_names_a_context() {
        for valid in &VALID {
            assert!(crate::generate::functions().any(|row| row.name == valid.function), "{}", valid.function);
            assert!(valid.context().is_some(), "{}", valid.function);
        }
    }
}
