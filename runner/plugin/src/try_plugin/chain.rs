//! The chain that WasmPlugin resources make: from files to modules and configurations, and its listing.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::wasm_plugin::{self, Inbound, Kind, Lined, Url, Variable, WasmPlugin, fail_strategy};
use pw_cases::files;
use pw_cases::format::{Complaint, Error};
use pw_host::{Engine, Module, PluginConfig};

use crate::sha256::hex;
use pw_harness::error::HarnessError;
use pw_reference::policy;

/// Plugins, and those that are not among them.
pub(super) struct Chain {
    port: u16,
    plugins: wasm_plugin::Chain,
    /// In which file each resource is, by the plugin's name.
    files: Vec<(String, PathBuf)>,
}

/// The chain of a request that is inbound to that port.
pub(super) fn read(paths: &[PathBuf], port: u16) -> Result<Chain, HarnessError> {
    let mut resources = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        let source =
            files::read(path, files::TEXT).map_err(|error| HarnessError::io("read", path.display(), &error))?;
        let source = String::from_utf8(source).map_err(|_| complain(path, 0, "it is not UTF-8"))?;
        let read = wasm_plugin::read(&source);
        let read = read.map_err(|Complaint { line, message }| complain(path, line, message))?;
        files.extend(read.iter().map(|plugin| (plugin.name.clone(), path.clone())));
        resources.extend(read);
    }
    let plugins = wasm_plugin::Chain::of(resources, Inbound { kind: Kind::Http, port })?;
    Ok(Chain { port, plugins, files })
}

fn complain(file: &Path, line: usize, message: impl Into<String>) -> HarnessError {
    let error = Error { file: file.display().to_string(), line, message: message.into() };
    HarnessError::new(error.to_string())
}

impl Chain {
    /// The plugins in their order, and what is left out and without effect.
    pub(super) fn listing(&self) -> String {
        let wasm_plugin::Chain { plugins, left_out } = &self.plugins;
        let mut text = format!("# the chain of a request inbound to port {}\n", self.port);
        for (place, plugin) in plugins.iter().enumerate() {
            let _ = writeln!(text, "  {}. {}", place + 1, described(plugin));
        }
        if plugins.is_empty() {
            text.push_str("  nothing\n");
        }
        for (plugin, reason) in left_out {
            let _ = writeln!(text, "  left out: {}: {reason}", plugin.name);
        }
        for plugin in plugins {
            if let Url::Path(path) = &plugin.url.value {
                let _ =
                    writeln!(text, "  note: to Istio {path} is an image, for it has no scheme: write file://{path}");
            }
            let fields: Vec<&str> = plugin.unused.iter().map(|field| field.value).collect();
            if !fields.is_empty() {
                let _ = writeln!(text, "  note: without effect here: {} of {}", fields.join(", "), plugin.name);
            }
        }
        text
    }

    /// The modules, and how they are set up.
    pub(super) fn load(self, engine: &Engine) -> Result<Vec<(Module, PluginConfig)>, HarnessError> {
        let files = self.files;
        let file = |name: &str| files.iter().find(|(known, _)| known == name).map(|(_, file)| file.as_path());
        let member = |plugin: WasmPlugin| {
            let file = file(&plugin.name).unwrap_or(Path::new(""));
            let module = module(engine, file, &plugin);
            let module = module.map_err(|Complaint { line, message }| complain(file, line, message))?;
            Ok((module, config(plugin)))
        };
        self.plugins.plugins.into_iter().map(member).collect()
    }
}

/// `shop.auth: AUTHN, priority 10, FAIL_CLOSE`.
fn described(plugin: &WasmPlugin) -> String {
    let priority = plugin.priority.map_or("no priority".to_owned(), |priority| format!("priority {priority}"));
    format!("{}: {}, {priority}, {}", plugin.name, plugin.phase.name(), fail_strategy(plugin.failure))
}

/// The module in the file that the resource in `file` names. Relative paths are from that file on.
fn module(engine: &Engine, file: &Path, plugin: &WasmPlugin) -> Result<Module, Complaint> {
    let Lined { line, value: url } = &plugin.url;
    let at_url = |message: String| Complaint { line: *line, message: format!("spec.url: {message}") };
    let path = match url {
        Url::File(path) | Url::Path(path) => file.parent().unwrap_or(Path::new("")).join(path),
        Url::Remote(url) => return Err(at_url(not_fetched(url))),
    };
    let shown = path.display();
    let wasm = files::read(&path, files::MODULE).map_err(|error| at_url(format!("failed to read {shown}: {error}")))?;
    if let Some(Lined { line, value: expected }) = &plugin.sha256
        && hex(&wasm) != *expected
    {
        let message = format!("spec.sha256: {shown} has {}, and the resource says {expected}", hex(&wasm));
        return Err(Complaint { line: *line, message });
    }
    super::load::compile(engine, &wasm).map_err(|error| at_url(format!("failed to load {shown}: {error}")))
}

fn not_fetched(url: &str) -> String {
    match url.split_once("://") {
        Some(("http" | "https", _)) => format!("{url} is not fetched here: download it, and write file://PATH"),
        None if [".wasm", ".wat"].iter().any(|end| url.ends_with(end)) => {
            format!("{url} is the name of an image, for it has no scheme: write file://{url}")
        }
        _ => format!("{url} is an image, which is not fetched here: take the module out of it, and write file://PATH"),
    }
}

/// As Istio sets Envoy up. A variable that the proxy itself has not is left out.
fn config(plugin: WasmPlugin) -> PluginConfig {
    let variable = |Variable { name, value, .. }: Variable| {
        let value = value.or_else(|| std::env::var(&name).ok())?;
        Some((name, value))
    };
    PluginConfig {
        environment: plugin.environment.into_iter().filter_map(variable).collect(),
        name: plugin.name,
        root_id: plugin.root_id,
        configuration: plugin.configuration.0,
        failure: policy(plugin.failure),
        ..PluginConfig::default()
    }
}
