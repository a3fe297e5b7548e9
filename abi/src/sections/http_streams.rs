//! The section "HTTP streams".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! http_streams {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section HttpStreams http_streams "HTTP streams"
            host {
                /// Sends a local response, instead of one from the upstream.
                fn env.proxy_send_local_response(
                    status_code: U32[status_code],
                    status_code_details: Bytes[status_code_details_data, status_code_details_size],
                    body: Bytes[body_data, body_size],
                    serialized_headers: Pairs[serialized_headers_data, serialized_headers_size],
                    grpc_status: U32[grpc_status],
                ) -> () Status { OK, INVALID_MEMORY_ACCESS };
                /// Resumes the paused request.
                fn env.proxy_continue_request() -> () Nothing {} until V0_1_0;
                /// Resumes the paused response.
                fn env.proxy_continue_response() -> () Nothing {} until V0_1_0;
                /// Makes the host choose the request's route again.
                fn env.proxy_clear_route_cache() -> () Nothing {} until V0_1_0;
            }
            guest {
                /// The request's headers came from the client.
                fn proxy_on_request_headers(stream_context_id: U32, num_headers: Size, end_of_stream: Bool since V0_2_0) -> Action;
                /// A piece of the request's body came from the client.
                fn proxy_on_request_body(stream_context_id: U32, body_size: Size, end_of_stream: Bool) -> Action;
                /// The request's trailers came from the client.
                fn proxy_on_request_trailers(stream_context_id: U32, num_trailers: Size) -> Action;
                /// The response's headers came from the upstream.
                fn proxy_on_response_headers(stream_context_id: U32, num_headers: Size, end_of_stream: Bool since V0_2_0) -> Action;
                /// A piece of the response's body came from the upstream.
                fn proxy_on_response_body(stream_context_id: U32, body_size: Size, end_of_stream: Bool) -> Action;
                /// The response's trailers came from the upstream.
                fn proxy_on_response_trailers(stream_context_id: U32, num_trailers: Size) -> Action;
            }
        }
    };
}
