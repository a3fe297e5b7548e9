//! The section "Metrics".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! metrics {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section Metrics metrics "Metrics"
            host {
                /// Defines a metric.
                fn env.proxy_define_metric(
                    metric_type: MetricType[metric_type],
                    name: Bytes[name_data, name_size],
                ) -> (metric_id: U32[return_metric_id]) Status { OK, BAD_ARGUMENT, INVALID_MEMORY_ACCESS };
                /// Sets a metric to a value.
                fn env.proxy_record_metric(metric_id: U32[metric_id], value: U64[value]) -> () Status { OK, NOT_FOUND };
                /// Changes a metric by a difference.
                fn env.proxy_increment_metric(
                    metric_id: U32[metric_id],
                    delta: I64[delta],
                ) -> () Status { OK, NOT_FOUND, BAD_ARGUMENT };
                /// Reads a metric.
                fn env.proxy_get_metric(
                    metric_id: U32[metric_id],
                ) -> (value: U64[return_value]) Status { OK, NOT_FOUND, INVALID_MEMORY_ACCESS };
            }
            guest {}
        }
    };
}
