//! The section "Metrics".

use pw_abi::MetricType;
use pw_cases::transcript::Returned;

use crate::model::call::{Call, Judged};
use crate::model::{BAD_ARGUMENT, Model, NOT_FOUND, OK, Wanted};

/// A metric of the proxy.
pub(in crate::model) struct Metric {
    id: u32,
    metric_type: MetricType,
    name: Vec<u8>,
    value: u64,
}

pub(super) fn judge(model: &mut Model, _: usize, call: &Call<'_>) -> Judged {
    if call.function.name == "proxy_define_metric" {
        return define(model, call);
    }
    let Some(metric) = model.metrics.iter_mut().find(|metric| metric.id == call.word(0)) else {
        return call.is(&[NOT_FOUND]);
    };
    match call.function.name {
        "proxy_record_metric" => {
            call.is(&[OK])?;
            metric.value = call.number(1);
            Ok(())
        }
        "proxy_increment_metric" => increment(metric, call),
        _ => {
            call.is(&[OK])?;
            call.returns(1, metric.value)
        }
    }
}

/// A name and a type are one metric; what the same name of another type is, the specification does not say.
fn define(model: &mut Model, call: &Call<'_>) -> Judged {
    let (metric_type, name) = (MetricType(call.word(0)), call.bytes(1));
    if metric_type > MetricType::HISTOGRAM {
        return call.is(&[BAD_ARGUMENT]);
    }
    call.is(&[OK])?;
    if !call.ok() {
        return Ok(());
    }
    let id = call.returned(2) as u32;
    let known = model.metrics.iter().find(|metric| metric.metric_type == metric_type && metric.name == name);
    if let Some(known) = known {
        return call.returns(2, known.id.into());
    }
    if model.metrics.iter().any(|metric| metric.id == id) {
        return call.wrong_value(2, Returned::Untouched, format!("{id}, which is another metric's"));
    }
    model.metrics.push(Metric { id, metric_type, name: name.to_vec(), value: 0 });
    Ok(())
}

fn increment(metric: &mut Metric, call: &Call<'_>) -> Judged {
    let delta = call.number(1) as i64;
    let sum = metric.value.checked_add_signed(delta);
    match (metric.metric_type, sum) {
        (MetricType::COUNTER, _) if delta < 0 => return call.is(&[BAD_ARGUMENT]),
        (MetricType::COUNTER | MetricType::GAUGE, Some(_)) => call.is(&[OK])?,
        _ => return call.chosen(&[BAD_ARGUMENT]),
    }
    metric.value = sum.filter(|_| call.ok()).unwrap_or(metric.value);
    Ok(())
}

impl Model {
    /// What the operator reads: a name that is no UTF-8 is shown as near to it as can be.
    pub(in crate::model) fn metric(&mut self, name: &str, value: u64) {
        let is_named = |metric: &&Metric| String::from_utf8_lossy(&metric.name) == name;
        if !self.blind && !self.metrics.iter().filter(is_named).any(|metric| metric.value == value) {
            let message = format!("the operator reads {value} of {name:?}, which it never was");
            let mut named = self.metrics.iter().filter(is_named);
            let only = named.next().filter(|_| named.next().is_none());
            let wanted = only.map(|metric| Wanted::Metric(name.to_owned(), metric.value));
            self.found("metrics", &message, None, wanted);
        }
    }
}
