//! The size of a pool of VMs. Plain numbers, and wasmtime's configuration from them.

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// A pool of VMs that is reserved when the engine is created, so that VMs start and end without memory from the operating
/// system: what the last plugin has left is cleared, and the data of the module is mapped by copy on write.
///
/// Only address space is reserved: 4 GiB and a guard for each VM, so that its accesses need no checks, and 16 bytes for
/// each entry of a table. The lower one of a plugin's [`Limits`](crate::Limits) and these numbers applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Maximum number of VMs at a time; a plugin that needs another is not started. By default 1,000.
    pub instances: u32,
    /// Maximum size of a VM's memory, in bytes; a module that starts with more is rejected. By default 1 GiB, as a plugin's limit.
    pub memory: usize,
    /// Maximum number of tables of a VM; a module with more is rejected. By default 4; compilers emit one.
    pub tables: u32,
    /// Maximum number of entries of each table; a module that starts with more is rejected. By default 20,000.
    pub table_elements: usize,
    /// Bytes of a memory that stay in RAM after its VM has ended, if they were written; those after them are returned to the
    /// operating system. They are cleared: only what was written if Linux knows (since 6.7), otherwise all. By default 2 MiB,
    /// which is what most plugins touch.
    pub resident: usize,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool { instances: 1_000, memory: 1 << 30, tables: 4, table_elements: 20_000, resident: 2 << 20 }
    }
}

impl Pool {
    pub(crate) fn configure(&self, config: &mut Config) {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_core_instances(self.instances)
            .total_memories(self.instances)
            .total_tables(self.instances.saturating_mul(self.tables))
            .max_memory_size(self.memory)
            .max_tables_per_module(self.tables)
            .table_elements(self.table_elements)
            .linear_memory_keep_resident(self.resident)
            .table_keep_resident(self.resident)
            .pagemap_scan(Enabled::Auto);
        config.memory_init_cow(true);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
}
