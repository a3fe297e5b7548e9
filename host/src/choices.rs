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
}
