//! The section "Metrics". A name and a type are one metric, whoever defines it, and have one id.

use pw_abi::{MetricType, Metrics, Status};

use crate::planted::planted;
use crate::state::{Metric, State};

impl Metrics for State {
    fn proxy_define_metric(&mut self, metric_type: MetricType, name: &[u8]) -> Result<u32, Status> {
        if metric_type > MetricType::HISTOGRAM {
            return Err(Status::BAD_ARGUMENT);
        }
        let known = self.metrics.iter().position(|metric| metric.name == name && metric.metric_type == metric_type);
        let definer = self.active.plugin;
        let own = self.metrics.iter().filter(|metric| metric.definer == definer).count();
        if known.is_none() && own >= self.limits().metrics {
            return Err(Status::INTERNAL_FAILURE);
        }
        let index = known.unwrap_or_else(|| {
            self.metrics.push(Metric { definer, metric_type, name: name.to_vec(), value: 0 });
            self.metrics.len() - 1
        });
        Ok(index as u32 + 1)
    }

    /// A histogram's value is the one that was recorded last.
    fn proxy_record_metric(&mut self, metric: u32, value: u64) -> Result<(), Status> {
        let metric = self.metric(metric)?;
        planted!(RecordAdds => if metric.metric_type == MetricType::COUNTER {
            metric.value = metric.value.wrapping_add(value);
            return Ok(());
        });
        metric.value = value;
        Ok(())
    }

    /// A counter does not go down, nothing goes below 0, and a histogram has nothing that a difference could apply to.
    fn proxy_increment_metric(&mut self, metric: u32, delta: i64) -> Result<(), Status> {
        let metric = self.metric(metric)?;
        planted!(CounterGoesDown => {
            metric.value = metric.value.wrapping_add_signed(delta);
            return Ok(());
        });
        let applies = match metric.metric_type {
            MetricType::COUNTER => delta >= 0,
            MetricType::GAUGE => true,
            _ => false,
        };
        let value = metric.value.checked_add_signed(delta).filter(|_| applies);
        metric.value = value.ok_or(Status::BAD_ARGUMENT)?;
        Ok(())
    }

    fn proxy_get_metric(&mut self, metric: u32) -> Result<u64, Status> {
        let value = self.metric(metric)?.value;
        planted!(MetricOfFourBytes => return Ok(value & 0xFFFF_FFFF));
        Ok(value)
    }
}

impl State {
    fn metric(&mut self, id: u32) -> Result<&mut Metric, Status> {
        planted!(UnknownMetric => if id as usize > self.metrics.len() {
            return Err(Status::BAD_ARGUMENT);
        });
        let index = (id as usize).checked_sub(1).ok_or(Status::NOT_FOUND)?;
        self.metrics.get_mut(index).ok_or(Status::NOT_FOUND)
    }
}
