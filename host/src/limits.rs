//! What bounds a plugin: its VM, its time, and what of the host's own memory it may fill. Plain numbers.

/// The limits of a plugin. Each default is more than an honest plugin needs, and less than what takes a proxy down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that its memory may grow to; growing further fails in the plugin. 1 GiB, as Envoy grants.
    pub memory: usize,
    /// Entries that each of its tables may grow to. A million: compilers make some thousand.
    pub table_elements: usize,
    /// Units of wasmtime's fuel, about one per instruction, that each call into the plugin may burn before it faults, and as
    /// many again for each MiB of its module: a large plugin has much to set up, such as a firewall's rules. Of effect with
    /// [`Metering::Fuel`](crate::Metering). A billion: some tenths of a second.
    pub fuel: u64,
    /// Ticks of the engine that each call into the plugin may last before it faults; of effect with
    /// [`Metering::Epochs`](crate::Metering). Ten.
    pub epochs: u64,
    /// Lines that a callback may log; further ones are dropped, and one line says so. Ten thousand.
    pub log_lines: usize,
    /// Bytes that a callback may log; a line that goes beyond them is dropped like those after the last. 16 MiB.
    pub log_bytes: usize,
    /// Bytes of a body or of a connection's data that may be held at the plugin, per stream and direction. A request
    /// beyond them is answered 413, everything else cut off; a plugin that makes a body larger gets INTERNAL_FAILURE.
    /// 64 MiB.
    pub held: usize,
    /// Bytes that a map of fields may take; a plugin that makes it larger gets INTERNAL_FAILURE. 1 MiB: no peer takes
    /// such headers.
    pub fields: usize,
    /// Bytes of keys and values of shared data in the plugin's VM id; INTERNAL_FAILURE beyond. 64 MiB.
    pub shared_data: usize,
    /// Bytes of items in a queue; INTERNAL_FAILURE beyond. 64 MiB.
    pub queue: usize,
    /// Queues that the plugin's VM id has when it registers another; INTERNAL_FAILURE beyond. A thousand.
    pub queues: usize,
    /// Metrics that the plugin was the first to define; INTERNAL_FAILURE beyond. Ten thousand.
    pub metrics: usize,
    /// HTTP and gRPC calls of the plugin in flight; INTERNAL_FAILURE beyond. A thousand.
    pub calls: usize,
    /// Contexts whose end the plugin holds up; beyond them a context ends although the plugin asks for more time. Ten
    /// thousand.
    pub pending: usize,
    /// Bytes of names and values of the properties that the plugin has set on a stream; INTERNAL_FAILURE beyond. 1 MiB.
    pub properties: usize,
    /// Bytes of a path that the embedder's sources of properties are asked for, which know no longer one, and of a value that they give;
    /// INTERNAL_FAILURE for one beyond them. 1 MiB.
    pub property_source: usize,
    /// Bytes of the host's own memory that exist because of the plugin, with a constant for each item besides its bytes. What
    /// the other limits bound counts towards it. A call that needs more answers INTERNAL_FAILURE, or has no effect where it
    /// has no status. What outlives plugins on purpose (shared data, queues, metrics) is counted for all plugins of a VM id
    /// together. 256 MiB.
    pub host_memory: usize,
    /// Callbacks of the plugin that one event, a call of one of [`Proxy`](crate::Proxy)'s methods, may run. What is left waits for
    /// [`Proxy::advance`](crate::Proxy::advance). What cannot be divided is finished, such as the last three callbacks of a
    /// context. Ten thousand.
    pub callbacks_per_event: usize,
}

impl Limits {
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
