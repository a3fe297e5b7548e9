//! The section "Environment variables".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! environment_variables {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section EnvironmentVariables environment_variables "Environment variables"
            host {
                /// Returns the number of environment variables, and their size in bytes.
                fn wasi_snapshot_preview1.environ_sizes_get(
                ) -> (num_elements: U32[return_num_elements], buffer_size: U32[return_buffer_size])
                Errno { SUCCESS, FAULT };
                /// Writes the variables as `NAME=value` with a NUL at the end, and an array of pointers to them.
                fn wasi_snapshot_preview1.environ_get(
                    array: Address[return_array],
                    buffer: Address[return_buffer],
                ) -> (variables: Writes[]) Errno { SUCCESS, FAULT };
            }
            guest {}
        }
    };
}
