//! A plugin as a case file has it: what differs from the usual.

use std::fmt::Write;

use pw_cases::language::{self, text};
use pw_cases::scenario::{Guest, Plugin, PluginSettings};
use pw_cases::script::Allocation;

/// `home` is the plugin in whose VM it lives, if not in its own.
pub(super) fn print(plugin: &Plugin, home: Option<&Plugin>) -> String {
    let name = text(&plugin.settings.name);
    if let Some(home) = home {
        // All else is the VM's.
        let PluginSettings { name: _, configuration, background, standby, failure, .. } = plugin.settings.clone();
        let own = PluginSettings { configuration, background, standby, failure, ..PluginSettings::default() };
        let own = language::entries(&own, &language::SETTINGS[1..]);
        return format!("\n[[plugin]]\nname = {name}\nvm = {}\n{own}", text(&home.settings.name));
    }
    let mut out =
        format!("\n[[plugin]]\nname = {name}\n{}", language::entries(&plugin.settings, &language::SETTINGS[1..]));
    let mut line = |key: &str, value: String| {
        let _ = writeln!(out, "{key} = {value}");
    };
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
