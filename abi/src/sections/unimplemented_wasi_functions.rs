//! The section "Unimplemented WASI functions".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! unimplemented_wasi_functions {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section UnimplementedWasiFunctions unimplemented_wasi_functions "Unimplemented WASI functions"
            host {
                /// Returns that there are no arguments.
                fn wasi_snapshot_preview1.args_sizes_get(
                ) -> (argc: U32[return_argc], argv_buffer_size: U32[return_argv_buffer_size]) Errno { SUCCESS, FAULT };
                /// Writes nothing, as there are no arguments.
                fn wasi_snapshot_preview1.args_get(
                    argv: Address[return_argv],
                    argv_size: Address[return_argv_size],
                ) -> () Errno { SUCCESS };
                /// Ends the guest; no plugin has a reason to call it.
                fn wasi_snapshot_preview1.proc_exit(exit_code: U32[exit_code]) -> () Nothing {};
            }
            guest {}
        }
    };
}
