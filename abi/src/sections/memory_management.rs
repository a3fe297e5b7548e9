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
                /// Asks the guest for memory of a size; 0 means that there is none.
                fn proxy_on_memory_allocate(memory_size: Size) -> Address;
                /// The older name of the allocator, called only where the newer one is absent.
                fn malloc(memory_size: Size) -> Address;
            }
        }
    };
}
