//! The section "Clocks".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! clocks {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section Clocks clocks "Clocks"
            host {
                /// Reads the wall clock, in nanoseconds since 1970; the time need not change during a callback.
                fn env.proxy_get_current_time_nanoseconds(
                ) -> (time: U64[return_time]) Status { OK, INVALID_MEMORY_ACCESS };
                /// Reads one of two clocks, in nanoseconds.
                fn wasi_snapshot_preview1.clock_time_get(
                    clock_id: ClockId[clock_id],
                    unused: U64[unused],
                ) -> (time: U64[return_time]) Errno { SUCCESS, NOTSUP, FAULT };
            }
            guest {}
        }
    };
}
