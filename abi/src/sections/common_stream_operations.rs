//! The section "Common HTTP and TCP stream operations".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! common_stream_operations {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section CommonStreamOperations common_stream_operations "Common HTTP and TCP stream operations"
            host {
                /// Resumes a paused direction of the stream.
                fn env.proxy_continue_stream(
                    stream_type: StreamType[stream_type],
                ) -> () Status { OK, BAD_ARGUMENT, UNIMPLEMENTED } since V0_2_0;
                /// Closes or resets a direction of the stream.
                fn env.proxy_close_stream(
                    stream_type: StreamType[stream_type],
                ) -> () Status { OK, BAD_ARGUMENT } since V0_2_0;
                /// Reads the status of the HTTP or gRPC call that the running callback is about.
                fn env.proxy_get_status(
                ) -> (status_code: U32[return_status_code], status_message: Bytes[return_status_message_data, return_status_message_size])
                Status { OK, INVALID_MEMORY_ACCESS };
            }
            guest {}
        }
    };
}
