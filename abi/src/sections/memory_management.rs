//! The section "Memory management".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! memory_management {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section MemoryManagement memory_management "Memory management"
            host {}
            guest {
                /// Allocates memory in the guest; 0 means that it failed.
                fn proxy_on_memory_allocate(memory_size: Size) -> Address;
                /// The older name of the allocator, called only if the newer one does not exist.
                fn malloc(memory_size: Size) -> Address;
            }
        }
    };
}
