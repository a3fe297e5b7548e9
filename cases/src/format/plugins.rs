//! Reads the plugins of a case.

use std::collections::BTreeMap;

use crate::case::{Module, Plugin};
use crate::format::values::{self, data};
use crate::node::{Node, Read, Value, meant};
use crate::scenario::{Failure, LIMITS, PluginSettings};
use crate::script::{self, Allocation};

/// How a case gets at a module's file, named as in the case.
pub type Modules<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

pub(super) fn plugin(node: &Node, modules: Modules<'_>) -> Read<Plugin> {
    let table = node.table(&[
        "name",
        "vm_id",
        "vm_configuration",
        "configuration",
        "vm",
        "background",
        "standby",
        "log_only",
        "limits",
        "failure",
        "capabilities",
        "environment",
        "module",
        "without",
        "allocators",
        "allocation",
        "report_allocations",
    ])?;
    let text = |key| table.map(key, |node| node.text().map(str::to_owned));
    let environment = table.map("environment", |node| {
        node.entries()?.iter().map(|(name, value)| Ok((name.clone(), value.text()?.to_owned()))).collect()
    })?;
    let module = table.map("module", |node| module(node, modules))?;
    if let Some(key) =
        ["without", "allocators", "allocation", "report_allocations"].iter().find(|key| table.find(key).is_some())
        && module.is_some()
    {
        return table.need(key)?.complain(format!("`{key}` is about the probe, and this plugin has its own module"));
    }
    Ok(Plugin {
        line: node.line,
        settings: PluginSettings {
            name: text("name")?.unwrap_or("plugin".to_owned()),
            vm_id: text("vm_id")?.unwrap_or_default(),
            vm_configuration: table.map("vm_configuration", data)?.unwrap_or_default(),
            configuration: table.map("configuration", data)?.unwrap_or_default(),
            limits: table.map("limits", limits)?.unwrap_or_default(),
            failure: table.map("failure", failure)?.unwrap_or_default(),
            capabilities: table.map("capabilities", capabilities)?,
            background: table.map("background", Node::flag)?.unwrap_or(false),
            standby: table.map("standby", Node::flag)?.unwrap_or(false),
            log_only: table.map("log_only", Node::flag)?.unwrap_or(false),
            environment: environment.unwrap_or_default(),
        },
        home: None,
        module,
        without: table.items("without")?.to_vec(),
        allocators: table.map("allocators", |node| node.list().map(<[Node]>::to_vec))?,
        allocation: table.map("allocation", allocation)?.unwrap_or(Allocation::Bump),
        report_allocations: table.map("report_allocations", Node::flag)?.unwrap_or(false),
    })
}

/// The plugins of a case; one that shares another's VM is made of what that one is made of.
pub(super) fn plugins(nodes: &[Node], modules: Modules<'_>) -> Read<Vec<Plugin>> {
    const OF_THE_VM: [&str; 11] = [
        "vm_id",
        "vm_configuration",
        "limits",
        "capabilities",
        "environment",
        "module",
        "without",
        "allocators",
        "allocation",
        "report_allocations",
        "log_only",
    ];
    let mut plugins: Vec<Plugin> = Vec::new();
    for node in nodes {
        let own = plugin(node, modules)?;
        let Some((_, name)) = node.entries()?.iter().find(|(key, _)| key == "vm") else {
            plugins.push(own);
            continue;
        };
        if let Some((key, node)) = node.entries()?.iter().find(|(key, _)| OF_THE_VM.contains(&key.as_str())) {
            return node.complain(format!("`{key}` is the VM's, and this plugin shares that of another"));
        }
        let text = name.text()?;
        let Some(home) = plugins.iter().position(|plugin| plugin.settings.name == text && plugin.home.is_none()) else {
            let names = plugins.iter().map(|plugin| plugin.settings.name.as_str());
            return name.complain(format!("no plugin `{text}` with its own VM before{}", meant(text, names)));
        };
        if plugins[home].settings.vm_id.is_empty() {
            return name.complain(format!("only plugins with a `vm_id` share their VM: give `{text}` one"));
        }
        let shared = plugins[home].clone();
        let PluginSettings { name, configuration, background, standby, failure, .. } = own.settings;
        let settings = PluginSettings { name, configuration, background, standby, failure, ..shared.settings };
        plugins.push(Plugin { line: own.line, settings, home: Some(home), ..shared });
    }
    Ok(plugins)
}

fn limits(node: &Node) -> Read<BTreeMap<String, u64>> {
    let table = node.table(&LIMITS)?;
    let limit = |name: &&str| Ok(table.map(name, Node::number)?.map(|most| ((*name).to_owned(), most)));
    LIMITS.iter().filter_map(|name| limit(name).transpose()).collect()
}

fn failure(node: &Node) -> Read<Failure> {
    const NAMES: [(&str, Failure); 3] =
        [("closed", Failure::Closed), ("open", Failure::Open), ("reload", Failure::Reload)];
    let text = node.text()?;
    match NAMES.iter().find(|(name, _)| *name == text) {
        Some((_, failure)) => Ok(*failure),
        None => node.complain(format!("unknown policy `{text}`{}", meant(text, NAMES.iter().map(|(name, _)| *name)))),
    }
}

/// Names of host functions and callbacks.
fn capabilities(node: &Node) -> Read<Vec<String>> {
    let names = values::strings(node)?;
    let known = || script::functions().map(|row| row.name).chain(script::callbacks().map(|row| row.name));
    for (name, node) in names.iter().zip(node.list()?) {
        if !known().any(|known| known == name) {
            let known: Vec<&str> = known().collect();
            return node.complain(format!("unknown function or callback `{name}`{}", meant(name, known.into_iter())));
        }
    }
    Ok(names)
}

fn module(node: &Node, modules: Modules<'_>) -> Read<Module> {
    let name = node.text()?;
    let bytes = modules(name).or_else(|error| node.complain(format!("failed to read the module {name}: {error}")))?;
    if !name.ends_with(".wat") {
        return Ok(Module::Binary(bytes));
    }
    let text = String::from_utf8(bytes).or_else(|_| node.complain(format!("{name} is not UTF-8")))?;
    Ok(Module::Text { name: name.to_owned(), text })
}

fn allocation(node: &Node) -> Read<Allocation> {
    match &node.value {
        Value::Text(text) if text == "grow" => Ok(Allocation::Grow),
        Value::Text(text) if text == "trap" => Ok(Allocation::Trap),
        _ => values::address(node).map(Allocation::Constant),
    }
}
