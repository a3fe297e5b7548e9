//! The section "Shared Queues".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! shared_queues {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section SharedQueues shared_queues "Shared Queues"
            host {
                /// Opens the queue of a name, which is created if it does not exist.
                fn env.proxy_register_shared_queue(
                    name: Bytes[name_data, name_size],
                ) -> (queue_id: U32[return_queue_id]) Status { OK, INVALID_MEMORY_ACCESS };
                /// Finds a queue by VM and name.
                fn env.proxy_resolve_shared_queue(
                    vm_id: Bytes[vm_id_data, vm_id_size],
                    name: Bytes[name_data, name_size],
                ) -> (queue_id: U32[return_queue_id]) Status { OK, NOT_FOUND, INVALID_MEMORY_ACCESS };
                /// Adds an item to the end of a queue.
                fn env.proxy_enqueue_shared_queue(
                    queue_id: U32[queue_id],
                    value: Bytes[value_data, value_size],
                ) -> () Status { OK, NOT_FOUND, INVALID_MEMORY_ACCESS };
                /// Removes the item at the front of a queue and returns it.
                fn env.proxy_dequeue_shared_queue(
                    queue_id: U32[queue_id],
                ) -> (value: Bytes[return_value_data, return_value_size])
                Status { OK, NOT_FOUND, EMPTY, INVALID_MEMORY_ACCESS };
            }
            guest {
                /// An item was added to a queue that the plugin has registered.
                fn proxy_on_queue_ready(plugin_context_id: U32, queue_id: U32) -> Nothing;
            }
        }
    };
}
