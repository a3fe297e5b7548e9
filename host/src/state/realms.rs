//! Which plugins count as those of a VM id, and what they define together.

use pw_abi::MetricType;

use super::State;
use super::account::METRIC;
use super::realm::{Metric, Realm};
use crate::planted::planted;

impl State {
    /// Counts a plugin as one of a VM id. The number of the realm.
    pub(crate) fn join_realm(&mut self, vm_id: &str) -> usize {
        let index = match self.realm_names.get(vm_id) {
            Some(index) => *index,
            None => {
                let index = self.realms.insert(Realm { vm_id: vm_id.to_owned(), ..Realm::default() });
                self.realm_names.insert(vm_id.to_owned(), index);
                index
            }
        };
        if let Some(realm) = self.realms.get_mut(index) {
            realm.members += 1;
        }
        index
    }

    /// A plugin of a VM id will not be started again; what they share is removed with the last one.
    pub(crate) fn leave_realm(&mut self, index: usize) {
        let Some(realm) = self.realms.get_mut(index) else { return };
        realm.members = realm.members.saturating_sub(1);
        if realm.members > 0 {
            return;
        }
        let realm = self.realms.remove(index);
        self.realm_names.remove(&realm.vm_id);
        for queue in realm.queue_names.values() {
            self.queues.remove(queue);
        }
        for metric in realm.metrics {
            let Some(found) = self.metrics.get_mut(&metric) else { continue };
            found.holders -= 1;
            if found.holders == 0
                && let Some(removed) = self.metrics.remove(&metric)
            {
                self.metric_names[removed.metric_type.0 as usize].remove(&removed.name);
            }
        }
    }

    /// The VM id of the active plugin.
    pub(crate) fn realm(&mut self) -> &mut Realm {
        let realm = self.plugin().realm;
        self.realms.get_mut(realm).expect("a running plugin counts as one of its VM id")
    }

    /// Whether `bytes` more can be charged to the active plugin's VM id.
    pub(crate) fn realm_has_room(&mut self, bytes: usize) -> bool {
        let max = self.limits().host_memory;
        self.realm().account.has_room(bytes, max)
    }

    /// Whether a metric of that name has another type.
    pub(crate) fn is_of_another_type(&self, metric_type: MetricType, name: &[u8]) -> bool {
        let mut others = self.metric_names.iter().enumerate().filter(|(of_type, _)| *of_type != metric_type.0 as usize);
        others.any(|(_, names)| names.contains_key(name))
    }

    /// The id of a metric of a known type, which is defined if it does not exist; `None` if that exceeds a limit.
    pub(crate) fn define(&mut self, metric_type: MetricType, name: &[u8]) -> Option<u32> {
        let of_type = metric_type.0 as usize;
        let known = self.metric_names[of_type].get(name).copied();
        planted!(DefineResets => if let Some(metric) = known.and_then(|id| self.metrics.get_mut(&id)) {
            metric.value = 0;
        });
        if let Some(id) = known.filter(|id| self.realm().metrics.contains(id)) {
            return Some(id);
        }
        let cost = 2 * name.len() + METRIC;
        let max = self.limits().metrics;
        if !self.realm_has_room(cost) || known.is_none() && self.plugin().metrics >= max {
            return None;
        }
        let id = known.unwrap_or_else(|| {
            self.plugin().metrics += 1;
            self.next_metric += 1;
            let metric = Metric { metric_type, name: name.to_vec(), value: 0, holders: 0 };
            self.metrics.insert(self.next_metric, metric);
            self.metric_names[of_type].insert(name.to_vec(), self.next_metric);
            self.next_metric
        });
        if let Some(metric) = self.metrics.get_mut(&id) {
            metric.holders += 1;
        }
        let realm = self.realm();
        realm.metrics.insert(id);
        realm.account.add(cost);
        Some(id)
    }
}
