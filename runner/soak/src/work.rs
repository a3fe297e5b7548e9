//! What an event makes plugins do: their callbacks, and the calls that they make, by plugin.

use std::sync::{Arc, Mutex, PoisonError};

use pw_abi::Function;
use pw_host::{Observer, PluginId};

/// Counts what it sees of a proxy. All clones are one.
#[derive(Clone, Default)]
pub(super) struct Watch(Arc<Mutex<Vec<Work>>>);

/// What a plugin did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) plugin: PluginId,
    pub(super) callbacks: u64,
    pub(super) calls: u64,
}

impl Watch {
    /// What was done since it was asked last, one entry for each plugin.
    pub(super) fn take(&self, into: &mut Vec<Work>) {
        into.clear();
        {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *seen, into);
        }
        into.sort_unstable_by_key(|work| work.plugin);
        into.dedup_by(|next, work| {
            let same = next.plugin == work.plugin;
            if same {
                work.callbacks += next.callbacks;
                work.calls += next.calls;
            }
            same
        });
    }

    fn add(&self, plugin: PluginId, callbacks: u64, calls: u64) {
        // Nothing panics while it is locked.
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.last_mut().filter(|last| last.plugin == plugin) {
            Some(last) => {
                last.callbacks += callbacks;
                last.calls += calls;
            }
            None => seen.push(Work { plugin, callbacks, calls }),
        }
    }
}

impl Observer for Watch {
    fn callback(&mut self, plugin: PluginId, _name: &'static str, _args: &[u32]) {
        self.add(plugin, 1, 0);
    }

    fn returned(&mut self, _plugin: PluginId, _name: &'static str, _result: Option<u32>) {}

    fn call(&mut self, plugin: PluginId, _: &'static Function, _: &[u64], _: Option<u32>, _: &[u8]) {
        self.add(plugin, 0, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_by_plugin() {
        let (watch, one) = (Watch::default(), PluginId::default());
        watch.add(one, 1, 0);
        watch.add(one, 1, 5);
        let mut seen = Vec::new();
        watch.take(&mut seen);
        assert_eq!(seen, [Work { plugin: one, callbacks: 2, calls: 5 }]);
        watch.take(&mut seen);
        assert_eq!(seen, []);
    }
}
