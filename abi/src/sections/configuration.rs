//! The section "Configuration".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! configuration {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section Configuration configuration "Configuration"
            host {
                /// Reads the configuration of the VM or the plugin that is being started.
                fn env.proxy_get_configuration(
                ) -> (value: Bytes[return_value_data, return_value_size])
                Status { OK, INVALID_MEMORY_ACCESS } until V0_1_0;
            }
            guest {
                /// The VM starts; false means that it must not be used.
                fn proxy_on_vm_start(unused: U32, vm_configuration_size: Size) -> Bool;
                /// The plugin starts; false means that it must not be used.
                fn proxy_on_configure(plugin_context_id: U32, plugin_configuration_size: Size) -> Bool;
            }
        }
    };
}
