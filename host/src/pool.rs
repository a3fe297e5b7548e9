//! What a pool of VMs has room for. Plain numbers, and how wasmtime is told of them.

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Room for VMs that is set apart when the engine is made, so that a VM starts and ends without asking the operating
/// system for memory: what a plugin left in its place is wiped, and what its module's data is comes by copy on write.
///
/// Only address space is taken ahead: 4 GiB and a guard for each VM, so that its accesses need no checks, and 16 bytes
/// for each entry of a table. Of a plugin's [`Limits`](crate::Limits) and these numbers the lesser ones hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// VMs at a time; a plugin that would be one too many is not started. A thousand.
    pub instances: u32,
    /// Bytes that a VM's memory may have; a module that wants more at once is refused. 1 GiB, as a plugin's limit.
    pub memory: usize,
    /// Tables that a VM may have; a module that wants more is refused. Four: compilers make one.
    pub tables: u32,
    /// Entries that each table may have; a module that wants more at once is refused. Twenty thousand.
    pub table_elements: usize,
    /// Bytes of a memory that stay in RAM when its VM has ended, as far as it has written to them; those behind them go
    /// back to the operating system. They are wiped: what was written alone where Linux can tell (since 6.7), else all.
    /// 2 MiB: what most plugins touch.
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
