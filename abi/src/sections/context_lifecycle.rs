//! The section "Context lifecycle".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! context_lifecycle {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section ContextLifecycle context_lifecycle "Context lifecycle"
            host {
                /// Notifies the host that the active context, whose end `proxy_on_done` has delayed, may end.
                fn env.proxy_done() -> () Status { OK, NOT_FOUND };
                /// Chooses the context on which later calls in this callback act.
                fn env.proxy_set_effective_context(context_id: U32[context_id]) -> () Status { OK, BAD_ARGUMENT };
            }
            guest {
                /// A context begins: of a plugin if the parent is 0, otherwise of a stream of that plugin.
                fn proxy_on_context_create(context_id: U32, parent_context_id: U32) -> Nothing;
                /// The host is done with a context; false keeps it until `proxy_done`.
                fn proxy_on_done(context_id: U32) -> Bool;
                /// The context's state can be read for the last time, for access logs.
                fn proxy_on_log(context_id: U32) -> Nothing;
                /// A context ends; its id is not valid any more.
                fn proxy_on_delete(context_id: U32) -> Nothing;
            }
        }
    };
}
