//! The metrics of a run.

use std::collections::BTreeSet;

use pw_abi::MetricType;

/// All metrics.
#[derive(Default)]
pub(in crate::model) struct Metrics {
    pub(in crate::model) metrics: Vec<Metric>,
    /// All ids that were ever returned.
    pub(in crate::model) ids: BTreeSet<u32>,
}

/// A metric of the proxy.
pub(in crate::model) struct Metric {
    pub(in crate::model) id: u32,
    pub(in crate::model) metric_type: MetricType,
    pub(in crate::model) name: Vec<u8>,
    pub(in crate::model) value: u64,
    /// The VM ids whose plugins have defined it.
    pub(in crate::model) known_to: BTreeSet<String>,
}

impl Metrics {
    /// The last plugin of a VM id has ended, and with it the metrics that no other VM id has defined.
    pub(in crate::model) fn end(&mut self, vm_id: &str) {
        for metric in &mut self.metrics {
            metric.known_to.remove(vm_id);
        }
        self.metrics.retain(|metric| !metric.known_to.is_empty());
    }
}
