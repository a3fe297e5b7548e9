//! The section "Properties".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! properties {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section Properties properties "Properties"
            host {
                /// Reads the property at a path.
                fn env.proxy_get_property(
                    path: Path[path_data, path_size],
                ) -> (value: Bytes[return_value_data, return_value_size])
                Status { OK, NOT_FOUND, SERIALIZATION_FAILURE, INVALID_MEMORY_ACCESS };
                /// Sets the property at a path.
                fn env.proxy_set_property(
                    path: Path[path_data, path_size],
                    value: Bytes[value_data, value_size],
                ) -> () Status { OK, NOT_FOUND, INVALID_MEMORY_ACCESS };
            }
            guest {}
        }
    };
}
