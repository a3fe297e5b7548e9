//! What the attack may do: an observer that counts callbacks, a clock of the thread's own work, and the allocator's view.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use peak_alloc::PeakAlloc;
use pw_abi::Function;
use pw_host::{Observer, PluginId};

/// Callbacks of each plugin in the event at hand.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<HashMap<PluginId, usize>>>);

impl Watch {
    /// Begins an event.
    pub(crate) fn begin(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn callbacks(&self) -> Vec<(PluginId, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(plugin, count)| (*plugin, *count)).collect()
    }
}

impl Observer for Watch {
    fn callback(&mut self, plugin: PluginId, _: &'static str, _: &[u32]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(plugin).or_default() += 1;
    }

    fn returned(&mut self, _: PluginId, _: &'static str, _: Option<u32>) {}

    fn call(&mut self, _: PluginId, _: &'static Function, _: &[u64], _: Option<u32>, _: &[u8]) {}
}

/// Bytes that are allocated; none where the program has no allocator that counts.
pub(crate) fn allocated() -> usize {
    PeakAlloc.current_usage()
}

/// The most of them since [`forget_peak`].
pub(crate) fn peak() -> usize {
    PeakAlloc.peak_usage()
}

pub(crate) fn forget_peak() {
    PeakAlloc.reset_peak_usage();
}

/// Nanoseconds that this thread has worked, as Linux counts them; other work of the machine is not in it. Zero where the system
/// does not say.
pub(crate) fn worked() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
