//! The section "Environment variables".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! environment_variables {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section EnvironmentVariables environment_variables "Environment variables"
            host {
                /// Tells how many variables the plugin was given, and how many bytes they take.
                fn wasi_snapshot_preview1.environ_sizes_get(
                ) -> (num_elements: U32[return_num_elements], buffer_size: U32[return_buffer_size])
                Errno { SUCCESS, FAULT };
                /// Writes the variables as `NAME=value` and NUL, and an array of pointers to them.
                fn wasi_snapshot_preview1.environ_get(
                    array: Address[return_array],
                    buffer: Address[return_buffer],
                ) -> (variables: Writes[]) Errno { SUCCESS, FAULT };
            }
            guest {}
        }
    };
}
