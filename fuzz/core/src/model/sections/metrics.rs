//! The section "Metrics".

use std::collections::BTreeSet;

use pw_abi::MetricType;
use pw_cases::transcript::Returned;

use crate::model::call::{Call, Judged};
use crate::model::{BAD_ARGUMENT, Choices, Model, NOT_FOUND, OK, Wanted};

/// All metrics.
#[derive(Default)]
pub(in crate::model) struct Metrics {
    metrics: Vec<Metric>,
    /// All ids that were ever given.
    given: BTreeSet<u32>,
}

/// A metric of the proxy.
struct Metric {
    id: u32,
    metric_type: MetricType,
    name: Vec<u8>,
    value: u64,
    /// The VM ids whose plugins have defined it.
    known_to: BTreeSet<String>,
}

impl Metrics {
    /// The last plugin of a VM id is gone, and with it the metrics that no other has defined.
    pub(in crate::model) fn end(&mut self, vm_id: &str) {
        for metric in &mut self.metrics {
            metric.known_to.remove(vm_id);
        }
        self.metrics.retain(|metric| !metric.known_to.is_empty());
    }
}

pub(super) fn judge(model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let scenario = model.scenario.clone();
    let own = &scenario.plugins[model.instances[instance].plugin].settings.vm_id;
    if call.function.name == "proxy_define_metric" {
        return define(model, own, call);
    }
    let Some(metric) = model.metrics.metrics.iter_mut().find(|metric| metric.id == call.word(0)) else {
        return call.is(&[NOT_FOUND]);
    };
    if call.choices == Choices::Reference && !metric.known_to.contains(own) {
        return call.chosen(&[NOT_FOUND]);
    }
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

/// A name and a type are one metric; what the same name of another type is, the specification does not say. No id is
/// given twice.
fn define(model: &mut Model, own: &str, call: &Call<'_>) -> Judged {
    let (metric_type, name) = (MetricType(call.word(0)), call.bytes(1));
    if metric_type > MetricType::HISTOGRAM {
        return call.is(&[BAD_ARGUMENT]);
    }
    call.is(&[OK])?;
    if !call.ok() {
        return Ok(());
    }
    let id = call.returned(2) as u32;
    let is_same = |metric: &Metric| metric.metric_type == metric_type && metric.name == name;
    if let Some(place) = model.metrics.metrics.iter().position(is_same) {
        // Plugins that have just crashed go some time before the step is over; what is theirs may be gone already.
        let stays = model.metrics.metrics[place].known_to.iter().any(|vm_id| model.has_plugins(vm_id));
        let known = &mut model.metrics.metrics[place];
        if stays || known.id == id {
            known.known_to.insert(own.to_owned());
            return call.returns(2, known.id.into());
        }
        model.metrics.metrics.remove(place);
    }
    if !model.metrics.given.insert(id) {
        return call.wrong_value(2, Returned::Untouched, format!("{id}, which was another metric's"));
    }
    let (name, known_to) = (name.to_vec(), [own.to_owned()].into());
    model.metrics.metrics.push(Metric { id, metric_type, name, value: 0, known_to });
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
        if !self.blind && !self.metrics.metrics.iter().filter(is_named).any(|metric| metric.value == value) {
            let message = format!("the operator reads {value} of {name:?}, which it never was");
            let mut named = self.metrics.metrics.iter().filter(is_named);
            let only = named.next().filter(|_| named.next().is_none());
            let wanted = only.map(|metric| Wanted::Metric(name.to_owned(), metric.value));
            self.found("metrics", &message, None, wanted);
        }
    }
}
