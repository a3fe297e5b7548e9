//! The limits of a plugin: its VM, its time, and the host's memory that it may use. Plain numbers.

/// The limits of a plugin. Each default is more than an honest plugin needs, and less than what would crash a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum size of its memory, in bytes; growing beyond it fails in the plugin. By default 1 GiB, as in Envoy.
    pub memory: usize,
    /// Maximum number of entries of each of its tables. By default a million; compilers emit some thousand.
    pub table_elements: usize,
    /// Maximum fuel of each call into the plugin, in wasmtime's units of about an instruction, plus the same again for each MiB of its
    /// module, as a large plugin has much to set up, such as a firewall's rules. A call that needs more traps. Used with
    /// [`Metering::Fuel`](crate::Metering). By default a billion: some tenths of a second.
    pub fuel: u64,
    /// Maximum number of the engine's ticks that each call into the plugin may last before it traps. Used with
    /// [`Metering::Epochs`](crate::Metering). By default 10.
    pub epochs: u64,
    /// Maximum number of lines that a callback may log; the others are dropped, and one line says so. By default 10,000.
    pub log_lines: usize,
    /// Maximum number of bytes that a callback may log; a line that exceeds it is dropped, and those after it. By default 16 MiB.
    pub log_bytes: usize,
    /// Maximum number of bytes of a body, or of a connection's data, that are buffered at the plugin, per stream and direction. A
    /// larger request is answered with status 413, everything else is reset; a plugin that makes a body larger gets
    /// INTERNAL_FAILURE. By default 64 MiB.
    pub held: usize,
    /// Maximum size of a map of fields, in bytes; a plugin that makes it larger gets INTERNAL_FAILURE. By default 1 MiB: no peer
    /// accepts such headers.
    pub fields: usize,
    /// Maximum number of bytes of keys and values of shared data in the plugin's VM id; then INTERNAL_FAILURE. By default 64 MiB.
    pub shared_data: usize,
    /// Maximum number of bytes of items in a queue; then INTERNAL_FAILURE. By default 64 MiB.
    pub queue: usize,
    /// Maximum number of queues of the plugin's VM id; then INTERNAL_FAILURE. By default 1,000.
    pub queues: usize,
    /// Maximum number of metrics that the plugin was the first to define; then INTERNAL_FAILURE. By default 10,000.
    pub metrics: usize,
    /// Maximum number of HTTP and gRPC calls of the plugin in flight; then INTERNAL_FAILURE. By default 1,000.
    pub calls: usize,
    /// Maximum number of contexts whose end the plugin delays; then a context ends although the plugin asks for more time. By default
    /// 10,000.
    pub pending: usize,
    /// Maximum number of bytes of names and values of the properties that the plugin has set on a stream; then INTERNAL_FAILURE. By
    /// default 1 MiB.
    pub properties: usize,
    /// Maximum number of bytes of a path that is looked up in the embedder's sources of properties, which have no longer ones, and of a
    /// value that they return; INTERNAL_FAILURE for a larger value. By default 1 MiB.
    pub property_source: usize,
    /// Maximum number of bytes of the host's memory that exist because of the plugin, with a constant for each item besides its
    /// bytes. What the other limits bound counts too. A call that needs more returns INTERNAL_FAILURE, or has no effect if it
    /// has no status. What outlives plugins on purpose (shared data, queues, metrics) is counted for all plugins of a VM id
    /// together. By default 256 MiB.
    pub host_memory: usize,
    /// Maximum number of callbacks of the plugin that run because of one event, a call of one of [`Proxy`](crate::Proxy)'s methods. The
    /// others wait for [`Proxy::advance`](crate::Proxy::advance). What cannot be divided is finished, such as the last three
    /// callbacks of a context. By default 10,000.
    pub callbacks_per_event: usize,
}

impl Limits {
    /// A limit by its name, to be changed; `None` if there is no such limit. Not those of a call's time, whose unit depends on the metering, and
    /// not [`callbacks_per_event`](Limits::callbacks_per_event).
    pub fn get_mut(&mut self, name: &str) -> Option<&mut usize> {
        Some(match name {
            "memory" => &mut self.memory,
            "table_elements" => &mut self.table_elements,
            "log_lines" => &mut self.log_lines,
            "log_bytes" => &mut self.log_bytes,
            "held" => &mut self.held,
            "fields" => &mut self.fields,
            "shared_data" => &mut self.shared_data,
            "queue" => &mut self.queue,
            "queues" => &mut self.queues,
            "metrics" => &mut self.metrics,
            "calls" => &mut self.calls,
            "pending" => &mut self.pending,
            "properties" => &mut self.properties,
            "host_memory" => &mut self.host_memory,
            _ => return None,
        })
    }

    /// The limits of a plugin whose module has this size, in bytes.
    pub(crate) fn of_module(self, bytes: usize) -> Limits {
        let more = (u128::from(self.fuel) * bytes as u128) >> 20;
        Limits { fuel: self.fuel.saturating_add(u64::try_from(more).unwrap_or(u64::MAX)), ..self }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        const MIB: usize = 1 << 20;
        Limits {
            memory: 1024 * MIB,
            table_elements: 1_000_000,
            fuel: 1_000_000_000,
            epochs: 10,
            log_lines: 10_000,
            log_bytes: 16 * MIB,
            held: 64 * MIB,
            fields: MIB,
            shared_data: 64 * MIB,
            queue: 64 * MIB,
            queues: 1_000,
            metrics: 10_000,
            calls: 1_000,
            pending: 10_000,
            properties: MIB,
            property_source: MIB,
            host_memory: 256 * MIB,
            callbacks_per_event: 10_000,
        }
    }
}
