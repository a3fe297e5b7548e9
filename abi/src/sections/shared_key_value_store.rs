//! The section "Shared Key-Value Store".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! shared_key_value_store {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section SharedKeyValueStore shared_key_value_store "Shared Key-Value Store"
            host {
                /// Stores a value, unless a nonzero compare-and-swap value does not match.
                fn env.proxy_set_shared_data(
                    key: Bytes[key_data, key_size],
                    value: Bytes[value_data, value_size],
                    cas: U32[cas],
                ) -> () Status { OK, CAS_MISMATCH, INVALID_MEMORY_ACCESS };
                /// Reads a value and its compare-and-swap value.
                fn env.proxy_get_shared_data(
                    key: Bytes[key_data, key_size],
                ) -> (value: Bytes[return_value_data, return_value_size], cas: U32[return_cas])
                Status { OK, NOT_FOUND, INVALID_MEMORY_ACCESS };
            }
            guest {}
        }
    };
}
