//! What the attack may do: an observer that counts callbacks, a clock of the thread's own work, and the allocator's view.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peak_alloc::PeakAlloc;
use pw_abi::Function;
use pw_host::{Observer, PluginId};

/// What plugins were called for.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// Callbacks of each plugin in the event at hand.
    callbacks: HashMap<PluginId, usize>,
    /// The contexts that each plugin knows, and whether it was asked if they are done.
    contexts: HashMap<PluginId, HashMap<u32, bool>>,
    wrong: Option<String>,
}

impl Watch {
    /// Begins an event.
    pub(crate) fn begin(&self) {
        self.seen().callbacks.clear();
    }

    pub(crate) fn callbacks(&self) -> Vec<(PluginId, usize)> {
        self.seen().callbacks.iter().map(|(plugin, count)| (*plugin, *count)).collect()
    }

    /// The first callback that was for a context which is not there.
    pub(crate) fn wrong(&self) -> Option<String> {
        self.seen().wrong.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Watch {
    fn callback(&mut self, plugin: PluginId, name: &'static str, args: &[u32]) {
        let seen = &mut *self.seen();
        *seen.callbacks.entry(plugin).or_default() += 1;
        let Some(context) = args.first().copied() else { return };
        if name == "proxy_on_context_create" && args.get(1) == Some(&0) {
            // A plugin that is started again knows nothing of what was.
            seen.contexts.insert(plugin, HashMap::new());
        }
        // A plugin without `proxy_on_context_create` is not checked.
        let Some(contexts) = seen.contexts.get_mut(&plugin) else { return };
        let fits = match name {
            "proxy_on_context_create" => contexts.insert(context, false).is_none(),
            "proxy_on_done" => contexts.insert(context, true) == Some(false),
            "proxy_on_delete" => contexts.remove(&context).is_some(),
            _ => contexts.contains_key(&context),
        };
        if !fits {
            seen.wrong.get_or_insert(format!("{plugin:?} is called for {name} {args:?}, and has {contexts:?}"));
        }
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
