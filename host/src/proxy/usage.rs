//! What a proxy holds, for monitoring.

use super::Proxy;
use crate::guest::Guest;
use crate::ids::PluginId;

/// What a proxy holds at the moment, for all of its plugins together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Running VMs.
    pub vms: usize,
    /// Contexts of plugins and of streams.
    pub contexts: usize,
    /// Streams, also those whose end a plugin delays.
    pub streams: usize,
    /// HTTP and gRPC calls in flight.
    pub calls: usize,
    /// Bytes of shared data.
    pub shared_data: usize,
    /// Queues.
    pub queues: usize,
    /// Bytes of items in queues.
    pub queued: usize,
    /// Metrics.
    pub metrics: usize,
    /// Effects that are not drained yet.
    pub effects: usize,
    /// Bytes of the host's memory that are charged to plugins and VM ids, see [`Limits::host_memory`](crate::Limits::host_memory).
    pub charged: usize,
}

impl Proxy {
    /// What the proxy holds.
    pub fn usage(&mut self) -> Usage {
        let vms = self.guests.iter().flatten().count();
        let state = self.state();
        let plugins: usize = state.plugins.iter().map(|plugin| plugin.account.used()).sum();
        let realms = state.realms.iter().map(|(_, realm)| realm);
        Usage {
            vms,
            contexts: state.plugins.iter().map(|plugin| plugin.contexts.len()).sum(),
            streams: state.streams.len(),
            calls: state.http_calls.len() + state.grpc_calls.len(),
            shared_data: realms.clone().map(|realm| realm.shared_size).sum(),
            queues: state.queues.len(),
            queued: state.queues.values().map(|queue| queue.size).sum(),
            metrics: state.metrics.len(),
            effects: state.effects(),
            charged: plugins + realms.map(|realm| realm.account.used()).sum::<usize>(),
        }
    }

    /// Bytes of the linear memories of all running VMs, which never become smaller.
    pub fn memory(&self) -> usize {
        self.guests.iter().flatten().map(Guest::memory_size).sum()
    }

    /// Bytes of the host's memory that are charged to a plugin, without those of its VM id; `None` if it was removed.
    pub fn charged(&self, plugin: PluginId) -> Option<usize> {
        let state = self.state.as_ref()?;
        state.plugins.get(plugin).map(|plugin| plugin.account.used())
    }
}
