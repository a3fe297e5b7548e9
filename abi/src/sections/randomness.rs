//! The section "Randomness".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! randomness {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section Randomness randomness "Randomness"
            host {
                /// Fills memory with random bytes.
                fn wasi_snapshot_preview1.random_get(
                    buffer: Address[buffer],
                    buffer_size: Size[buffer_size],
                ) -> (bytes: Writes[]) Errno { SUCCESS, INVAL, FAULT };
            }
            guest {}
        }
    };
}
