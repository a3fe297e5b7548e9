//! Reads the plugins of a case.

use pw_abi::Version;

use crate::case::{Module, Plugin};
use crate::format::{json, values};
use crate::language;
use crate::node::{Node, Read, Table, Value, meant};
use crate::scenario::PluginSettings;
use crate::script::{self, Allocation};

/// How the name of a module begins that is a plugin of the SDK kit, and no file.
pub const KIT: &str = "kit:";

/// How a case gets at a module's file, named as in the case; after [`KIT`], it is that of a plugin of the SDK kit.
pub type Modules<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

pub(super) fn plugin(node: &Node, modules: Modules<'_>) -> Read<Plugin> {
    let table = node.table(&language::PLUGIN.names())?;
    let settings = json::object(&table, &language::SETTINGS)?;
    let settings: PluginSettings =
        serde_json::from_value(settings.into()).or_else(|error| node.complain(error.to_string()))?;
    table.map("capabilities", capabilities)?;
    let mut module = table.map("module", |node| read_module(node, modules))?;
    if let Some(node) = table.find("kit") {
        if module.is_some() {
            return node.complain("a plugin has one of `module` and `kit`");
        }
        module = Some(of_the_kit(node, modules)?);
    }
    if let Some(key) =
        ["without", "allocators", "allocation", "report_allocations"].iter().find(|key| table.find(key).is_some())
        && module.is_some()
    {
        return table.need(key)?.complain(format!("`{key}` is about the probe, and this plugin has its own module"));
    }
    Ok(Plugin {
        line: node.line,
        settings,
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
    const OF_THE_VM: [&str; 12] = [
        "vm_id",
        "vm_configuration",
        "limits",
        "capabilities",
        "environment",
        "module",
        "kit",
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

/// Whether a case is about plugins of the SDK kit.
pub(super) fn any_of_the_kit(case: &Table<'_>) -> Read<bool> {
    Ok(case
        .items("plugin")?
        .iter()
        .any(|plugin| plugin.entries().is_ok_and(|keys| keys.iter().any(|(key, _)| key == "kit"))))
}

/// Names of host functions and callbacks.
fn capabilities(node: &Node) -> Read<()> {
    let names = values::strings(node)?;
    let known = || script::functions().map(|row| row.name).chain(script::callbacks().map(|row| row.name));
    for (name, node) in names.iter().zip(node.list()?) {
        if !known().any(|known| known == name) {
            let known: Vec<&str> = known().collect();
            return node.complain(format!("unknown function or callback `{name}`{}", meant(name, known.into_iter())));
        }
    }
    Ok(())
}

/// The versions that the modules are marked with; all final ones if none is.
pub(super) fn marked(plugins: &[Plugin]) -> Vec<Version> {
    let is_in = |version: &Version, module: &Module| match module {
        Module::Text { text, .. } => text.contains(version.marker()),
        Module::Binary { bytes, .. } => {
            bytes.windows(version.marker().len()).any(|part| part == version.marker().as_bytes())
        }
    };
    let modules = || plugins.iter().filter_map(|plugin| plugin.module.as_ref());
    let marked: Vec<Version> =
        Version::ALL.into_iter().filter(|version| modules().any(|module| is_in(version, module))).collect();
    if let [_] = marked[..] { marked } else { Version::FINAL.to_vec() }
}

/// The module of a plugin of the SDK kit.
fn of_the_kit(node: &Node, modules: Modules<'_>) -> Read<Module> {
    let name = format!("{KIT}{}", node.text()?);
    let complain = |_| node.complain("this is a plugin of the SDK kit, of which `pw-conform sdk` has the modules");
    modules(&name).or_else(complain).map(|bytes| Module::Binary { name, bytes })
}

fn read_module(node: &Node, modules: Modules<'_>) -> Read<Module> {
    let name = node.text()?;
    let bytes = modules(name).or_else(|error| node.complain(format!("failed to read the module {name}: {error}")))?;
    if !name.ends_with(".wat") {
        return Ok(Module::Binary { name: name.to_owned(), bytes });
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
