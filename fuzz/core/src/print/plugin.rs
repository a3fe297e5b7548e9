//! A plugin as a case file has it: what differs from the usual.

use std::fmt::Write;

use pw_cases::scenario::{Failure, Guest, Plugin};
use pw_cases::script::Allocation;

use super::values::{data, text};

pub(super) fn print(plugin: &Plugin) -> String {
    let mut out = format!("\n[[plugin]]\nname = {}\n", text(&plugin.settings.name));
    let mut line = |key: &str, value: String| {
        let _ = writeln!(out, "{key} = {value}");
    };
    if !plugin.settings.vm_id.is_empty() {
        line("vm_id", text(&plugin.settings.vm_id));
    }
    if !plugin.settings.vm_configuration.0.is_empty() {
        line("vm_configuration", data(&plugin.settings.vm_configuration));
    }
    if !plugin.settings.configuration.0.is_empty() {
        line("configuration", data(&plugin.settings.configuration));
    }
    for (key, set) in [
        ("background", plugin.settings.background),
        ("standby", plugin.settings.standby),
        ("log_only", plugin.settings.log_only),
    ] {
        if set {
            line(key, "true".to_owned());
        }
    }
    if !plugin.settings.limits.is_empty() {
        let limits: Vec<String> =
            plugin.settings.limits.iter().map(|(name, most)| format!("{name} = {most}")).collect();
        line("limits", format!("{{ {} }}", limits.join(", ")));
    }
    match plugin.settings.failure {
        Failure::Closed => {}
        Failure::Open => line("failure", "\"open\"".to_owned()),
        Failure::Reload => line("failure", "\"reload\"".to_owned()),
    }
    if let Some(capabilities) = &plugin.settings.capabilities {
        line("capabilities", names(capabilities));
    }
    if !plugin.settings.environment.is_empty() {
        let pairs: Vec<String> = plugin
            .settings
            .environment
            .iter()
            .map(|(name, value)| format!("{} = {}", text(name), text(value)))
            .collect();
        line("environment", format!("{{ {} }}", pairs.join(", ")));
    }
    let Guest::Probe(script) = &plugin.guest else { return out };
    if !script.without.is_empty() {
        line("without", names(&script.without));
    }
    if script.allocators != ["proxy_on_memory_allocate"] {
        line("allocators", names(&script.allocators));
    }
    match script.allocation {
        Allocation::Bump => {}
        Allocation::Grow => line("allocation", "\"grow\"".to_owned()),
        Allocation::Trap => line("allocation", "\"trap\"".to_owned()),
        Allocation::Constant(address) => line("allocation", address.to_string()),
    }
    if script.report_allocations {
        line("report_allocations", "true".to_owned());
    }
    out
}

fn names(names: &[impl AsRef<str>]) -> String {
    let names: Vec<String> = names.iter().map(|name| text(name.as_ref())).collect();
    format!("[{}]", names.join(", "))
}
