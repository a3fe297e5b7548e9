//! The section "Timers".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! timers {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section Timers timers "Timers"
            host {
                /// Sets the period of ticks in milliseconds; 0 means no ticks.
                fn env.proxy_set_tick_period_milliseconds(tick_period: U32[tick_period]) -> () Status { OK };
            }
            guest {
                /// The plugin's tick period has passed.
                fn proxy_on_tick(plugin_context_id: U32) -> Nothing;
            }
        }
    };
}
