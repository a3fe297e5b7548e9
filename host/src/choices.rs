//! What the host does where the specification is silent. Plain data; nothing else in the crate decides such a question.

use std::fmt;

macro_rules! choices {
    ($(#[$attribute:meta])* pub struct Choices { $($(#[doc = $doc:literal])* $name:ident = $default:literal;)* }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Choices {
            $($(#[doc = $doc])* pub $name: bool,)*
        }

        impl Default for Choices {
            fn default() -> Choices {
                Choices { $($name: $default,)* }
            }
        }

        impl Choices {
            /// Their names, in the order in which they are declared.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// What is said of each, in that order: what its two answers mean, the questions with the ids of the catalog's cases, and what
            /// hosts or plugins in the field do. In Markdown, line by line, with empty lines between paragraphs.
            pub const DOCS: &[&[&str]] = &[$(&[$($doc),*]),*];

            /// An answer by its name; `None` if there is no such choice.
            pub fn get(&self, name: &str) -> Option<bool> {
                match name {
                    $(stringify!($name) => Some(self.$name),)*
                    _ => None,
                }
            }

            /// An answer by its name, to be changed; `None` if there is no such choice.
            pub fn get_mut(&mut self, name: &str) -> Option<&mut bool> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

choices! {
    /// Answers to open questions of the specification. Each default is the answer that deployed plugins rely on; the other answer
    /// is legal too, and both are tested. For each question the catalog has a case that accepts every answer.
    ///
    /// ```
    /// use pw_host::{Choices, Proxy, ProxyConfig};
    ///
    /// let choices = Choices { local_response_callbacks: false, ..Choices::default() };
    /// let proxy = Proxy::new(ProxyConfig { choices, ..ProxyConfig::default() });
    /// # drop(proxy);
    /// ```
    ///
    /// If one of two answers is unsafe there is no choice: a response to HEAD has no body, and no message has a wrong content length.
    pub struct Choices {
        /// If true, `proxy_on_response_headers` and `proxy_on_response_body` are called for a local response, in the plugins that the request
        /// has reached, including the plugin that sent it; if false, no plugin gets a callback for it. If headers of another response, the
        /// upstream's or a local one, have come before, a local response replaces it without callbacks: each stream has these callbacks at
        /// most once.
        ///
        /// The questions: does a plugin see its own response in the callbacks for responses (`http_streams/local_response_callbacks`), which plugins
        /// of a chain see it (`http_streams/local_response_passes_the_chain`), and may one of them replace it
        /// (`http_streams/local_response_to_a_local_response`)?
        ///
        /// Envoy calls them in the plugins that the request's headers have reached; plugins add CORS headers there.
        local_response_callbacks = true;
        /// If true, `source.address`, `destination.address`, `upstream.address` and `upstream.local_address` are `ip:port`; if false, only the
        /// IP address.
        ///
        /// The question: does an address include the port? (`properties/ends_of_connections`)
        ///
        /// Envoy includes it; plugins split the address at the port, and read an empty address if there is none.
        addresses_with_ports = true;
        /// If true, `proxy_on_log` is called for the contexts of plugins too, when they end; if false, only for those of streams.
        ///
        /// The question: `proxy_on_log` is described for any context; is it called for a plugin's? (`context_lifecycle/shutdown_logs_the_plugin`)
        ///
        /// Envoy does not call it, and the SDKs for AssemblyScript abort when it is called.
        log_plugin_contexts = false;
        /// If true, a local response to a gRPC request with a `grpc_status` other than -1 is sent as a gRPC response without messages: status
        /// 200, the gRPC status in `grpc-status`, the body in `grpc-message`. If false, `grpc_status` is ignored.
        ///
        /// The questions: what is `grpc_status` for, and which requests get a response that has it (`http_streams/local_response_to_grpc`,
        /// `http_streams/local_response_to_others_than_grpc`), and what does -1 disable (`http_streams/local_response_to_grpc_without_a_status`)?
        ///
        /// Envoy does this, and derives a gRPC status from the status code for -1. ngx_wasm_module ignores it.
        grpc_local_responses = true;
        /// If true, a local response with a body has a `content-length`; if false, only if the plugin set one. It is right in either case.
        ///
        /// The questions: does the host add the content length of its body to a local response (`http_streams/local_response_without_a_length`), and
        /// what does it do with a wrong one from a plugin (`http_streams/local_response_of_a_false_length`)?
        ///
        /// Envoy sets it, whatever the plugin has set.
        local_response_content_length = true;
        /// If true, a local response with a body gets the `content-type` `text/plain` if the plugin set none; if false, it has none then.
        ///
        /// The question: which content type does a local response with a body have if the plugin sets none?
        /// (`http_streams/local_response_without_a_type`)
        ///
        /// Envoy sets `text/plain`.
        local_response_content_type = true;
        /// If true, `proxy_get_buffer_bytes` with a start at or after the end of the buffer returns no bytes; if false, it is BAD_ARGUMENT.
        ///
        /// The question: is such a start an error? (`buffers/get_past_the_end`)
        reads_past_the_end = true;
        /// If true, `proxy_set_buffer_bytes` with a size that reaches past the end of the buffer replaces all from the start on; if false, it is
        /// BAD_ARGUMENT, and nothing changes.
        ///
        /// The question: may the size mean all that there is? (`buffers/set_more_than_there_is`)
        ///
        /// Plugins pass the largest number to replace a body.
        writes_past_the_end = true;
        /// If true, a configuration that is empty is a buffer without bytes; if false, it is NOT_FOUND.
        ///
        /// The question: is an empty configuration available? (`configuration/empty`)
        empty_configurations = true;
        /// If true, a gauge that is decremented below 0 wraps around; if false, that is BAD_ARGUMENT, and nothing changes.
        ///
        /// The question: what is a gauge below 0? (`metrics/gauge_below_zero`)
        gauges_wrap = false;
        /// If true, a counter that is incremented beyond 64 bits wraps around; if false, that is BAD_ARGUMENT, and nothing changes.
        ///
        /// The question: what comes after the largest number? (`metrics/counter_beyond_64_bits`)
        counters_wrap = false;
        /// If true, recording a smaller value than a counter has sets it; if false, that is BAD_ARGUMENT.
        ///
        /// The question: may a counter be set back? (`metrics/record_counter_lower`)
        counters_can_be_lowered = true;
        /// If true, an increment by 0 is OK; if false, it is BAD_ARGUMENT.
        ///
        /// The question: is an increment by nothing one? (`metrics/increment_by_zero`)
        increments_by_zero = true;
        /// If true, the value of a histogram is the last that was recorded; if false, it has none, which is BAD_ARGUMENT.
        ///
        /// The question: what is read from a histogram? (`metrics/histogram_as_a_number`)
        histograms_have_values = true;
        /// If true, a histogram can be incremented, which records its last value and the increment; if false, that is BAD_ARGUMENT.
        ///
        /// The question: what does an increment do to a histogram? (`metrics/histogram_as_a_number`)
        histograms_can_be_incremented = false;
        /// If true, `proxy_set_shared_data` with a compare-and-swap value that is not 0 creates a key that does not exist; if false, that is
        /// CAS_MISMATCH.
        ///
        /// The question: does a value match a key that does not exist? (`shared_key_value_store/cas_for_missing_key`)
        compare_and_swap_creates = false;
        /// If true, every plugin that has registered a queue gets `proxy_on_queue_ready` for an item; if false, only the last one that did.
        ///
        /// The question: is it called in every plugin that has registered the queue? (`shared_queues/each_registrant_is_called`) Envoy calls
        /// the last.
        items_are_announced_to_all = true;
        /// If true, the plugin's allocator is called for a value without bytes, too; if false, the host asks it for nothing.
        ///
        /// The question: is the plugin's allocator called for a value without bytes? (`memory_management/allocation_for_an_empty_value`) MOSN
        /// does that. An allocator may return a null pointer, which stands for failure.
        empty_values_are_allocated = false;
        /// If true, an item that is dequeued and cannot be returned, for want of memory of the plugin or a good place, stays in the queue; if
        /// false, it is lost.
        ///
        /// The question: what becomes of an item that cannot be returned? (`shared_queues/dequeue_without_memory`)
        undelivered_items_stay = true;
        /// If true, `random_get` returns more than 64 KiB at a time, up to 1 MiB; if false, that is INVAL.
        ///
        /// The question: how many bytes are too many? (`randomness/sixty_four_kilobytes`)
        large_random_numbers = false;
        /// If true, properties that are numbers are decimal text; if false, they are 8 bytes, little-endian.
        ///
        /// The question: how are numbers written? (`properties/sizes`, `properties/ids_and_ports`, `properties/protocol_and_times`)
        ///
        /// Envoy's are 8 bytes, which SDKs read.
        numbers_as_text = false;
        /// If true, changing a buffer that can only be read is NOT_FOUND; if false, it is BAD_ARGUMENT.
        ///
        /// The questions: what does a call answer that changes such a buffer (`buffers/set_configuration`, `configuration/vm_configuration_read_only`,
        /// `foreign_function_interface/arguments_are_read_only`, `grpc_calls/read_only_message`, `http_calls/answer_is_read_only`)?
        ///
        /// Envoy answers BAD_ARGUMENT.
        read_only_buffers_are_not_found = true;
        /// If true, changing a map that can only be read is NOT_FOUND; if false, it is BAD_ARGUMENT.
        ///
        /// The questions: what does a call answer that changes such a map (`grpc_calls/read_only_metadata`, `http_calls/answer_is_read_only`,
        /// `http_fields/change_in_on_log`)?
        read_only_maps_are_not_found = false;
        /// If true, a map that is not available in the callback is NOT_FOUND; if false, it is BAD_ARGUMENT.
        ///
        /// The questions: what does a call on such a map answer (`http_fields/response_headers_too_early`, `http_fields/request_headers_too_late`,
        /// `http_fields/call_response_elsewhere`, `http_fields/request_trailers_too_early`, `http_fields/response_trailers_too_early`,
        /// `http_fields/too_late_to_change`, `http_fields/headers_of_a_connection`, `http_fields/grpc_metadata_elsewhere`,
        /// `http_calls/answer_headers_are_gone_later`), and what does adding a trailer answer before the end of the body
        /// (`http_fields/add_trailers_before_the_end`, `http_fields/add_response_trailers_before_the_end`)?
        unavailable_maps_are_not_found = false;
        /// If true, a key that a map lacks is NOT_FOUND in v0.1.0 too; if false, its value is empty there.
        ///
        /// The question: what is the value of a missing key in v0.1.0? (`http_fields/get_value_missing_key_0_1_0`)
        missing_keys_are_never_empty = false;
        /// If true, `proxy_get_header_map_size` returns the size of the serialised map; if false, that of all keys and values.
        ///
        /// The question: which size is it? (`http_fields/size`)
        ///
        /// Envoy returns that of the keys and values.
        map_sizes_are_serialized = true;
        /// If true, a plugin that reads an empty map gets one NUL; if false, no bytes.
        ///
        /// The text allows both.
        empty_maps_are_a_nul = false;
        /// If true, the ids of contexts, calls and gRPC streams begin near 2^32; if false, at 1.
        ///
        /// The text says only that they are unique.
        ids_are_large = false;
        /// If true, the body of a response to an HTTP call that has none is a buffer without bytes; if false, it is NOT_FOUND.
        ///
        /// The question: is the body of such a response available? (`http_calls/answer_without_a_body`)
        empty_call_bodies = true;
        /// If true, an HTTP call that has failed gets a response of the host's own, with the status 503, or 504 if it timed out; if false, it has
        /// no headers.
        ///
        /// The questions: has such a call headers (`http_calls/reset`, `http_calls/timeout_answer`)?
        ///
        /// Envoy makes such a response.
        failed_calls_have_responses = false;
        /// If true, the status of an HTTP call that was responded to is that of the response; if false, it is 0.
        ///
        /// The question: what does `proxy_get_status` return then? (`common_stream_operations/status_of_an_answered_call`)
        call_status_is_the_responses = false;
        /// If true, `proxy_get_status` returns 0 outside of the callbacks that it is for; if false, it is NOT_FOUND.
        ///
        /// The question: what does it answer there? (`common_stream_operations/status_without_a_call`)
        status_outside_of_callbacks = true;
        /// If true, continuing what is not paused is OK; if false, it is BAD_ARGUMENT, and has no effect.
        ///
        /// The questions: what does it answer (`common_stream_operations/continue_what_is_not_paused`,
        /// `common_stream_operations/continue_a_response_within_its_headers`, `common_stream_operations/tcp_continue_what_is_not_paused`), and what does
        /// it answer for a stream that has ended (`common_stream_operations/continue_request_in_on_log`,
        /// `common_stream_operations/continue_request_in_on_delete`)?
        ///
        /// Plugins continue to be on the safe side.
        continues_what_is_not_paused = true;
        /// If true, a callback that continues its own message and returns PAUSE does not pause it; if false, it does.
        ///
        /// The question: which of the two counts? (`common_stream_operations/continue_within_the_callback_that_pauses`)
        continue_prevents_a_pause = true;
        /// If true, continuing a stream type of the other protocol is OK, and has no effect; if false, it is UNIMPLEMENTED.
        ///
        /// The questions: which stream types has a stream (`common_stream_operations/tcp_stream_types`, `common_stream_operations/tcp_continue_http_types`)?
        continues_types_of_others = false;
        /// If true, closing a stream type of the other protocol closes the stream; if false, it is OK, and has no effect.
        ///
        /// The question: what does closing a request do to a TCP stream? (`common_stream_operations/tcp_close_http_types`)
        ///
        /// Envoy does nothing.
        closes_by_types_of_others = true;
        /// If true, closing a stream that is being closed is OK; if false, it is BAD_ARGUMENT.
        ///
        /// The question: what does it answer? (`common_stream_operations/close_response_twice`)
        closes_again = true;
        /// If true, `proxy_continue_stream` and `proxy_close_stream` return OK and do nothing in a context without a stream; if false, they return
        /// BAD_ARGUMENT.
        ///
        /// The question: what do they answer in the plugin's own context? (`common_stream_operations/without_a_stream`)
        stream_operations_without_a_stream = true;
        /// If true, every number but 0 is true where a plugin returns a truth value; if false, only 1 is.
        ///
        /// The questions: which numbers are true (`configuration/configure_two`, `configuration/vm_start_two`)?
        any_number_is_true = true;
        /// If true, `proxy_get_configuration` returns the plugin's configuration in all callbacks but `proxy_on_vm_start`; if false, nothing but in the
        /// two callbacks that are about a configuration.
        ///
        /// The question: what does it return in the others? (`configuration/get_configuration_elsewhere`)
        configurations_are_everywhere = false;
        /// If true, `proxy_set_effective_context` with 0 is OK, and the callback has no stream then; if false, it is BAD_ARGUMENT.
        ///
        /// The question: does 0 name a context? (`context_lifecycle/effective_context_zero`)
        ///
        /// Envoy answers OK.
        zero_is_a_context = false;
        /// If true, an id that is that of no gRPC call or stream, or of one that is over, is NOT_FOUND; if false, it is BAD_ARGUMENT.
        ///
        /// The questions: which ids are invalid, and which are unknown (`grpc_calls/unknown_ids`, `grpc_calls/cancelled_ids`,
        /// `grpc_calls/ids_after_the_end`)?
        ///
        /// Envoy answers BAD_ARGUMENT for ids that it has not given.
        unknown_grpc_ids_are_not_found = true;
        /// If true, the id of an HTTP call is NOT_FOUND for the functions of gRPC, and so is that of a gRPC call for sending; if false, it is
        /// BAD_ARGUMENT.
        ///
        /// The questions: is such an id an invalid one (`grpc_calls/id_of_an_http_call`, `grpc_calls/send_on_a_call`)?
        call_ids_of_another_kind_are_not_found = false;
        /// If true, a message that is sent on a gRPC stream which the plugin has ended is dropped, and the call is OK; if false, it is BAD_ARGUMENT.
        ///
        /// The question: what does sending answer there? (`grpc_calls/send_after_the_last`)
        ///
        /// Envoy drops it.
        late_grpc_messages_are_dropped = false;
        /// If true, closing a gRPC stream whose plugin's side is closed is OK; if false, it is BAD_ARGUMENT.
        ///
        /// The question: what does it answer? (`grpc_calls/close_twice`)
        closes_grpc_again = true;
        /// If true, a gRPC call that timed out has the status UNAVAILABLE (14); if false, DEADLINE_EXCEEDED (4).
        ///
        /// The question: which status has it? (`grpc_calls/call_timeout_status`)
        ///
        /// Envoy's is UNAVAILABLE.
        grpc_timeouts_are_unavailable = false;
        /// If true, the callbacks for the initial and the trailing metadata of a gRPC stream are called, with no pairs, where its server has sent none;
        /// if false, they are not.
        ///
        /// The questions: are they called (`grpc_calls/stream_reset_at_once`, `grpc_calls/stream_reset_behind_its_metadata`,
        /// `grpc_calls/stream_refused_callbacks`)?
        ///
        /// Envoy calls them.
        grpc_metadata_always_comes = false;
        /// If true, `proxy_on_grpc_close` is called at the end of a gRPC call whose message has come; if false, only where none has.
        ///
        /// The question: which callbacks follow a call? (`grpc_calls/call_closed_after_its_answer`)
        ///
        /// Envoy calls it only where no message has come.
        answered_grpc_calls_are_closed = true;
        /// If true, a local response that comes too late, or where there is no HTTP stream, is OK, and dropped; if false, it is BAD_ARGUMENT.
        ///
        /// The questions: what does `proxy_send_local_response` answer there (`http_streams/local_response_too_late`,
        /// `http_streams/local_response_in_on_done`, `http_streams/local_response_in_on_log`, `http_streams/local_response_on_a_connection`,
        /// `http_streams/local_response_without_a_stream`)?
        late_local_responses_are_dropped = false;
        /// If true, an action that is neither CONTINUE nor PAUSE pauses; if false, it continues.
        ///
        /// The questions: what does a host do with such an action (`http_streams/unknown_action`, `http_streams/unknown_action_of_request_body`,
        /// `http_streams/unknown_action_of_response_headers`, `http_streams/unknown_action_of_response_body`)?
        unknown_actions_pause = true;
        /// If true, the response that the host makes because the upstream has failed passes the callbacks for responses; if false, no plugin gets a
        /// callback for it.
        ///
        /// The question: does a plugin see such a response? (`http_streams/upstream_reset_callbacks`)
        ///
        /// Envoy calls them.
        host_responses_have_callbacks = false;
        /// If true, `proxy_set_property` on a property of the host is OK, and has no effect; if false, it is NOT_FOUND.
        ///
        /// The question: what becomes of such a value? (`properties/set_built_in`)
        ///
        /// Envoy ignores it.
        set_host_properties_are_ignored = false;
        /// If true, a path that is the beginning of others is NOT_FOUND; if false, it is SERIALIZATION_FAILURE.
        ///
        /// The question: is there a property at such a path? (`properties/part_of_a_path`)
        parts_of_paths_are_not_found = false;
        /// If true, metrics of different types can have the same name; if false, defining the second is BAD_ARGUMENT.
        ///
        /// The question: may they? (`metrics/defined_as_two_types`)
        metric_types_share_names = true;
        /// If true, compare-and-swap values count the changes of each key; if false, those of all keys.
        ///
        /// The question: are they unique? (`shared_key_value_store/cas_of_another_key`, `shared_key_value_store/cas_of_another_key_after_a_change`)
        compare_and_swap_values_of_keys = false;
        /// If true, a key has another compare-and-swap value after it was set to the value that it has; if false, the same.
        ///
        /// The question: does every call change it? (`shared_key_value_store/cas_after_the_same_value`)
        equal_values_are_changes = true;
        /// If true, an empty VM id is the plugin's own where a queue is resolved; if false, it is the one without a name.
        ///
        /// The question: does it stand for the plugin's VM? (`shared_queues/resolve_by_empty_vm_id`)
        empty_vm_id_is_the_own = true;
        /// If true, the address of `random_get` has to be in the memory even if no byte is asked for; if false, it has not.
        ///
        /// The question: is an address invalid where nothing is written? (`randomness/nothing_behind_the_end`)
        empty_random_numbers_are_checked = true;
        /// If true, `proc_exit` returns; if false, it ends the plugin as a trap does.
        ///
        /// The questions: what does a call of it do (`unimplemented_wasi_functions/proc_exit`, `integration/proc_exit_of_wasi_unstable`,
        /// `faults/after_proc_exit`)?
        ///
        /// Envoy returns. Compilers take for granted that it does not.
        proc_exit_returns = false;
    }
}

impl Choices {
    /// Answers at random, by a seed.
    pub fn drawn(seed: u64) -> Choices {
        let (mut choices, mut random) = (Choices::default(), fastrand::Rng::with_seed(seed));
        for name in Choices::NAMES {
            if let Some(choice) = choices.get_mut(name) {
                *choice = random.bool();
            }
        }
        choices
    }
}

/// `name=value` of those that are not the default, separated by commas; nothing if all are.
impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = Choices::default();
        let changed = Choices::NAMES.iter().filter(|name| self.get(name) != usual.get(name));
        let changed: Vec<String> =
            changed.map(|name| format!("{name}={}", self.get(name).unwrap_or_default())).collect();
        f.write_str(&changed.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_have_names() {
        let mut choices = Choices::default();
        assert_eq!(choices.to_string(), "");
        *choices.get_mut("log_plugin_contexts").expect("there is one") = true;
        assert!(choices.log_plugin_contexts);
        assert_eq!(choices.to_string(), "log_plugin_contexts=true");
        assert_eq!((choices.get("unheard_of"), choices.get_mut("unheard_of")), (None, None));
        assert!(Choices::NAMES.iter().all(|name| choices.get(name).is_some()));
    }

    #[test]
    fn seeds_draw_both_answers_of_each_question() {
        for name in Choices::NAMES {
            let drawn: Vec<bool> = (0..20).filter_map(|seed| Choices::drawn(seed).get(name)).collect();
            assert!(drawn.contains(&true) && drawn.contains(&false), "{name}");
        }
    }
}
