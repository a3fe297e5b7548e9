//! The section "gRPC calls".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! grpc_calls {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section GrpcCalls grpc_calls "gRPC calls"
            host {
                /// Sends one gRPC message; one response message is expected.
                fn env.proxy_grpc_call(
                    upstream_name: Bytes[upstream_name_data, upstream_name_size],
                    service_name: Bytes[service_name_data, service_name_size],
                    method_name: Bytes[method_name_data, method_name_size],
                    serialized_initial_metadata: Pairs[serialized_initial_metadata_data, serialized_initial_metadata_size],
                    message: Bytes[message_data, message_size],
                    timeout: U32[timeout],
                ) -> (call_id: U32[return_call_id])
                Status { OK, PARSE_FAILURE, INTERNAL_FAILURE, INVALID_MEMORY_ACCESS };
                /// Opens a gRPC stream.
                fn env.proxy_grpc_stream(
                    upstream_name: Bytes[upstream_name_data, upstream_name_size],
                    service_name: Bytes[service_name_data, service_name_size],
                    method_name: Bytes[method_name_data, method_name_size],
                    serialized_initial_metadata: Pairs[serialized_initial_metadata_data, serialized_initial_metadata_size],
                ) -> (stream_id: U32[return_stream_id])
                Status { OK, PARSE_FAILURE, INTERNAL_FAILURE, INVALID_MEMORY_ACCESS };
                /// Sends a message on a gRPC stream.
                fn env.proxy_grpc_send(
                    stream_id: U32[stream_id],
                    message: Bytes[message_data, message_size],
                    end_stream: Bool[end_stream],
                ) -> () Status { OK, BAD_ARGUMENT, NOT_FOUND, INVALID_MEMORY_ACCESS };
                /// Cancels a gRPC call or stream.
                fn env.proxy_grpc_cancel(
                    call_or_stream_id: U32[call_or_stream_id],
                ) -> () Status { OK, BAD_ARGUMENT, NOT_FOUND };
                /// Ends the plugin's side of a gRPC call or stream.
                fn env.proxy_grpc_close(
                    call_or_stream_id: U32[call_or_stream_id],
                ) -> () Status { OK, BAD_ARGUMENT, NOT_FOUND };
            }
            guest {
                /// The server's initial metadata came.
                fn proxy_on_grpc_receive_initial_metadata(plugin_context_id: U32, call_id: U32, num_elements: Size) -> Nothing;
                /// A message came from the server.
                fn proxy_on_grpc_receive(plugin_context_id: U32, call_id: U32, message_size: Size) -> Nothing;
                /// The server's trailing metadata came.
                fn proxy_on_grpc_receive_trailing_metadata(plugin_context_id: U32, call_id: U32, num_elements: Size) -> Nothing;
                /// A gRPC call or stream is closed.
                fn proxy_on_grpc_close(plugin_context_id: U32, call_id: U32, status_code: U32) -> Nothing;
            }
        }
    };
}
