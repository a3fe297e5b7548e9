//! The attacker's plugins: from their plan to a module and its configuration.

use std::time::Duration;

use pw_host::{FailurePolicy, Module, PluginConfig, Reload};

use super::guest;
use super::plan::{self, Plugin};

/// A plugin of the attacker's, unless the host refuses its module.
pub(super) fn template(plugin: &Plugin) -> Option<(Module, PluginConfig)> {
    let module = match &plugin.module {
        plan::Module::Guest { version, allocator, entries, values } => {
            guest::module(*version).with_data(0, &guest::image(*allocator, entries, &values.0))
        }
        plan::Module::Random(wasm) => Module::new(guest::engine(), wasm).ok()?,
    };
    let reload = plugin.reload.map(|(limit, base)| Reload {
        base: Duration::from_millis(base),
        max: Duration::from_millis(base.saturating_mul(4)),
        limit,
    });
    let config = PluginConfig {
        name: "attacker".to_owned(),
        vm_id: plugin.vm_id.to_owned(),
        limits: plugin.limits,
        failure: FailurePolicy { open: plugin.open, reload },
        log_only: plugin.log_only,
        ..PluginConfig::default()
    };
    Some((module, config))
}
