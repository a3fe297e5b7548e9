//! Plugins that share a VM. In a scenario that is generated each has a script of its own; the probe that they share has the scripts of all.

use std::borrow::Cow;

use pw_cases::scenario::{Guest, Plugin, PluginSettings, Scenario, roots};
use pw_cases::script::{self, Script};

/// For each plugin the place of the first in its VM.
pub(crate) fn homes(plugins: &[Plugin]) -> Vec<usize> {
    let mut homes = Vec::with_capacity(plugins.len());
    for (place, plugin) in plugins.iter().enumerate() {
        let home = (0..place).find(|home| homes[*home] == *home && is_one_vm(&plugins[*home], plugin));
        homes.push(home.unwrap_or(place));
    }
    homes
}

fn is_one_vm(one: &Plugin, other: &Plugin) -> bool {
    !one.settings.vm_id.is_empty() && vm(one).is_some() && vm(one) == vm(other)
}

/// What is the VM's: plugins share it only if all of that is the same.
fn vm(plugin: &Plugin) -> Option<impl PartialEq> {
    let PluginSettings { vm_id, vm_configuration, limits, capabilities, environment, log_only, .. } = &plugin.settings;
    let Script { without, allocators, allocation, .. } = plugin.guest.script()?;
    Some((vm_id, vm_configuration, limits, capabilities, environment, log_only, without, allocators, allocation))
}

/// The places of the plugins that live in a plugin's VM, in their order.
pub(crate) fn members(homes: &[usize], home: usize) -> Vec<usize> {
    (0..homes.len()).filter(|place| homes[*place] == home).collect()
}

/// The scenario as a host runs it.
pub fn joined(scenario: &Scenario) -> Cow<'_, Scenario> {
    let homes = homes(&scenario.plugins);
    if homes.iter().enumerate().all(|(place, home)| place == *home) {
        return Cow::Borrowed(scenario);
    }
    let mut joined = scenario.clone();
    for home in (0..homes.len()).filter(|place| homes[*place] == *place) {
        let members = members(&homes, home);
        let settings: Vec<_> = members.iter().map(|member| &scenario.plugins[*member].settings).collect();
        let Some(mut script) = joined.plugins[home].guest.script().cloned().filter(|_| members.len() > 1) else {
            continue;
        };
        script.members(&roots(&settings, scenario.steps.iter()));
        for (number, member) in members.iter().enumerate().skip(1) {
            let Some(own) = scenario.plugins[*member].guest.script() else { continue };
            for callback in 0..script::callbacks().count() {
                script.of(number, callback).clone_from(&own.entries[callback]);
            }
        }
        for member in members {
            joined.plugins[member].guest = Guest::Probe(script.clone());
        }
    }
    Cow::Owned(joined)
}
