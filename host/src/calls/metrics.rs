//! The section "Metrics". A name and a type are one metric, whichever plugins define it, with one id, which is valid in the VM
//! ids that have defined it.

use pw_abi::{MetricType, Metrics, Status};

use crate::planted::planted;
use crate::state::{Metric, State};

impl Metrics for State {
    fn proxy_define_metric(&mut self, metric_type: MetricType, name: &[u8]) -> Result<u32, Status> {
        if metric_type > MetricType::HISTOGRAM {
            return Err(Status::BAD_ARGUMENT);
        }
        if !self.config.choices.metric_types_share_names && self.is_of_another_type(metric_type, name) {
            return Err(Status::BAD_ARGUMENT);
        }
        self.define(metric_type, name).ok_or(Status::INTERNAL_FAILURE)
    }

    /// A histogram's value is the last one that was recorded.
    fn proxy_record_metric(&mut self, metric: u32, value: u64) -> Result<(), Status> {
        let can_be_lowered = self.config.choices.counters_can_be_lowered;
        let metric = self.metric(metric)?;
        if !can_be_lowered && metric.metric_type == MetricType::COUNTER && value < metric.value {
            return Err(Status::BAD_ARGUMENT);
        }
        planted!(RecordAdds => if metric.metric_type == MetricType::COUNTER {
            metric.value = metric.value.wrapping_add(value);
            return Ok(());
        });
        metric.value = value;
        Ok(())
    }

    /// A counter is not decremented.
    fn proxy_increment_metric(&mut self, metric: u32, delta: i64) -> Result<(), Status> {
        let choices = self.config.choices;
        let metric = self.metric(metric)?;
        planted!(CounterGoesDown => {
            metric.value = metric.value.wrapping_add_signed(delta);
            return Ok(());
        });
        let applies = match metric.metric_type {
            MetricType::COUNTER => delta >= 0,
            MetricType::GAUGE => true,
            _ => choices.histograms_can_be_incremented,
        };
        let wraps = match metric.metric_type {
            MetricType::COUNTER => choices.counters_wrap,
            MetricType::GAUGE => choices.gauges_wrap,
            _ => false,
        };
        let value = match wraps {
            true => Some(metric.value.wrapping_add_signed(delta)),
            false => metric.value.checked_add_signed(delta),
        };
        let value = value.filter(|_| applies && (delta != 0 || choices.increments_by_zero));
        metric.value = value.ok_or(Status::BAD_ARGUMENT)?;
        Ok(())
    }

    fn proxy_get_metric(&mut self, metric: u32) -> Result<u64, Status> {
        let has_values = self.config.choices.histograms_have_values;
        let metric = self.metric(metric)?;
        if !has_values && metric.metric_type == MetricType::HISTOGRAM {
            return Err(Status::BAD_ARGUMENT);
        }
        let value = metric.value;
        planted!(MetricOfFourBytes => return Ok(value & 0xFFFF_FFFF));
        Ok(value)
    }
}

impl State {
    fn metric(&mut self, id: u32) -> Result<&mut Metric, Status> {
        planted!(UnknownMetric => if !self.metrics.contains_key(&id) {
            return Err(Status::BAD_ARGUMENT);
        });
        if !self.realm().metrics.contains(&id) {
            return Err(Status::NOT_FOUND);
        }
        self.metrics.get_mut(&id).ok_or(Status::NOT_FOUND)
    }
}
