//! The section "HTTP calls".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! http_calls {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section HttpCalls http_calls "HTTP calls"
            host {
                /// Sends an HTTP request from the plugin to an upstream.
                fn env.proxy_http_call(
                    upstream_name: Bytes[upstream_name_data, upstream_name_size],
                    serialized_headers: Pairs[serialized_headers_data, serialized_headers_size],
                    body: Bytes[body_data, body_size],
                    serialized_trailers: Pairs[serialized_trailers_data, serialized_trailers_size],
                    timeout: U32[timeout],
                ) -> (call_id: U32[return_call_id])
                Status { OK, BAD_ARGUMENT, INTERNAL_FAILURE, INVALID_MEMORY_ACCESS };
            }
            guest {
                /// An HTTP call of the plugin got a response, or failed, in which case there are 0 headers.
                fn proxy_on_http_call_response(plugin_context_id: U32, call_id: U32, num_headers: Size, body_size: Size, num_trailers: Size) -> Nothing;
            }
        }
    };
}
