//! The section "Buffers".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! buffers {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section Buffers buffers "Buffers"
            host {
                /// Replaces `size` bytes from `start` on by others, to prepend, insert, replace or append.
                fn env.proxy_set_buffer_bytes(
                    buffer_id: BufferType[buffer_id],
                    start: Size[start],
                    size: Size[size],
                    value: Bytes[value_data, value_size],
                ) -> () Status { OK, BAD_ARGUMENT, NOT_FOUND, INVALID_MEMORY_ACCESS };
                /// Reads at most `max_size` bytes from `start` on.
                fn env.proxy_get_buffer_bytes(
                    buffer_id: BufferType[buffer_id],
                    start: Size[start],
                    max_size: Size[max_size],
                ) -> (value: Bytes[return_value_data, return_value_size])
                Status { OK, BAD_ARGUMENT, NOT_FOUND, INVALID_MEMORY_ACCESS };
                /// Returns the size of a buffer in bytes.
                fn env.proxy_get_buffer_status(
                    buffer_id: BufferType[buffer_id],
                ) -> (buffer_size: U32[return_buffer_size], unused: U32[return_unused])
                Status { OK, BAD_ARGUMENT, NOT_FOUND, INVALID_MEMORY_ACCESS };
            }
            guest {}
        }
    };
}
