//! The section "Metrics".

use pw_abi::MetricType;
use pw_cases::transcript::Returned;

use super::Metrics as Function;
use crate::model::call::{Call, Judged};
use crate::model::finding::Wanted;
use crate::model::metrics::Metric;
use crate::model::state::{BAD_ARGUMENT, Model, NOT_FOUND, OK};

pub(super) fn judge(function: Function, model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let scenario = model.scenario.clone();
    let own = &scenario.plugins[model.instances[instance].plugin].settings.vm_id;
    match function {
        Function::proxy_define_metric => define(model, own, call),
        Function::proxy_record_metric => existing(model, own, call, record),
        Function::proxy_increment_metric => existing(model, own, call, increment),
        Function::proxy_get_metric => existing(model, own, call, read),
    }
}

/// Judges a call about the metric whose id is its first argument.
fn existing(model: &mut Model, own: &str, call: &Call<'_>, judge: fn(&mut Metric, &Call<'_>) -> Judged) -> Judged {
    let Some(metric) = model.metrics.metrics.iter_mut().find(|metric| metric.id == call.word(0)) else {
        return call.is(&[NOT_FOUND]);
    };
    if metric.known_to.contains(own) { judge(metric, call) } else { call.chosen(&[NOT_FOUND]) }
}

fn record(metric: &mut Metric, call: &Call<'_>) -> Judged {
    call.is(&[OK])?;
    metric.value = call.number(1);
    Ok(())
}

fn read(metric: &mut Metric, call: &Call<'_>) -> Judged {
    call.is(&[OK])?;
    call.returns(1, metric.value)
}

/// A name and a type are one metric; the specification does not say what the same name with another type is. No id is
/// returned twice.
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
        // Plugins that have just crashed are removed at some time before the step is over; what they shared may be removed already.
        let stays = model.metrics.metrics[place].known_to.iter().any(|vm_id| model.has_plugins(vm_id));
        let known = &mut model.metrics.metrics[place];
        if stays || known.id == id {
            known.known_to.insert(own.to_owned());
            return call.returns(2, known.id.into());
        }
        model.metrics.metrics.remove(place);
    }
    if !model.metrics.ids.insert(id) {
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
    /// Checks what the operator reads: invalid UTF-8 in a name is shown with replacement characters.
    pub(in crate::model) fn metric(&mut self, name: &str, value: u64) {
        let is_named = |metric: &&Metric| String::from_utf8_lossy(&metric.name) == name;
        if !self.blind && !self.metrics.metrics.iter().filter(is_named).any(|metric| metric.value == value) {
            let message = format!("the operator reads {value} of {name:?}, which never had that value");
            let mut named = self.metrics.metrics.iter().filter(is_named);
            let only = named.next().filter(|_| named.next().is_none());
            let wanted = only.map(|metric| Wanted::Metric(name.to_owned(), metric.value));
            self.found("metrics", &message, None, wanted);
        }
    }
}
