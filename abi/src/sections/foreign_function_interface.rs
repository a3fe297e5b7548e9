//! The section "Foreign function interface (FFI)".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! foreign_function_interface {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section ForeignFunctionInterface foreign_function_interface "Foreign function interface (FFI)"
            host {
                /// Calls a function that the host's embedder has registered.
                fn env.proxy_call_foreign_function(
                    name: Bytes[name_data, name_size],
                    arguments: Bytes[arguments_data, arguments_size],
                ) -> (results: Bytes[return_results_data, return_results_size])
                Status { OK, NOT_FOUND, INVALID_MEMORY_ACCESS };
            }
            guest {
                /// The host's embedder calls a function of the plugin.
                fn proxy_on_foreign_function(plugin_context_id: U32, function_id: U32, arguments_size: Size) -> Nothing since V0_2_0;
            }
        }
    };
}
