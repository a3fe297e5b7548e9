//! The plugins of a case that has Istio's resources in their place.

use crate::case::Plugin;
use crate::format::Modules;
use crate::format::node::{Node, Read, Value};
use crate::format::plugins::module_named;
use crate::wasm_plugin::{self, Chain, Inbound, Kind, Url, WasmPlugin};

/// The module that is the probe guest.
const PROBE: &str = "probe";

/// The streams of cases arrive at this port.
const PORT: u16 = 80;

/// The chain of the resources in a file beside the case, or in the text itself if it has several lines.
pub(super) fn wasm_plugins(node: &Node, steps: &[Node], modules: Modules<'_>) -> Read<Vec<Plugin>> {
    let text = node.text()?;
    let (source, place) = if text.contains('\n') {
        (text.to_owned(), "line ".to_owned())
    } else {
        let bytes = modules(text).or_else(|error| node.complain(format!("failed to read {text}: {error}")))?;
        let source = String::from_utf8(bytes).or_else(|_| node.complain(format!("{text} is not UTF-8")))?;
        (source, format!("{text}:"))
    };
    let resources = wasm_plugin::read(&source);
    let resources =
        resources.or_else(|complaint| node.complain(format!("{place}{}: {}", complaint.line, complaint.message)))?;
    let kind = if steps.iter().any(connects) { Kind::Network } else { Kind::Http };
    let chain = Chain::of(resources, Inbound { kind, port: PORT }).or_else(|message| node.complain(message))?;
    if chain.plugins.is_empty() {
        return node.complain("none of the plugins is on the streams of this case");
    }
    let plain = super::plugin(&Node { line: node.line, value: Value::Table(Vec::new()) }, modules)?;
    let plugin = |resource| {
        let plugin = plugin(plain.clone(), resource, modules);
        plugin.or_else(|(line, message)| node.complain(format!("{place}{line}: {message}")))
    };
    chain.plugins.into_iter().map(plugin).collect()
}

fn connects(step: &Node) -> bool {
    step.entries().is_ok_and(|entries| entries.iter().any(|(key, _)| key == "connect"))
}

/// The plugin of a resource, as `plain` but for what the resource says. An error has a line of the resource's.
fn plugin(plain: Plugin, resource: WasmPlugin, modules: Modules<'_>) -> Result<Plugin, (usize, String)> {
    let without_effect = |name| format!("spec.{name} has no effect in a case: leave it out");
    if let Some(field) = resource.unheeded.first() {
        return Err((field.line, without_effect(field.value)));
    }
    if let Some(sha256) = resource.sha256 {
        return Err((sha256.line, without_effect("sha256")));
    }
    if !resource.root_id.is_empty() {
        return Err((resource.line, without_effect("pluginName")));
    }
    let module = match resource.url.value {
        Url::File(name) if name == PROBE => None,
        Url::File(name) | Url::Path(name) => {
            Some(module_named(&name, modules).map_err(|error| (resource.url.line, error))?)
        }
        Url::Remote(url) => {
            return Err((
                resource.url.line,
                format!("spec.url: {url} is no file: write file://{PROBE}, or a file beside the case"),
            ));
        }
    };
    let environment = resource.environment.into_iter().map(|variable| match variable.value {
        Some(value) => Ok((variable.name, value)),
        None => Err((variable.line, format!("{}: a case knows nothing of the host's own environment", variable.name))),
    });
    Ok(Plugin {
        name: resource.name,
        configuration: resource.configuration,
        failure: resource.failure,
        environment: environment.collect::<Result<_, _>>()?,
        module,
        ..plain
    })
}
