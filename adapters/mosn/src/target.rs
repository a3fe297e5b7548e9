//! The server: what it can do, its configuration, and how it is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use pw_adapter_kit::job::{Plugin, Run};
use pw_adapter_kit::target::{CALLEES, ClientPort, DEAD, Launch, Ports, Target, UPSTREAM};
use pw_cases::data::Data;
use pw_cases::protocol::{Feature, Host, PROTOCOL};
use serde_json::{Value, json};

use crate::driver::Process;

/// The version of MOSN in `server/go.mod`.
const VERSION: &str = "1.6.1";
/// The versions of the ABI that MOSN has packages for.
const ABI: [&str; 2] = ["0.1.0", "0.2.0"];
const FEATURES: [Feature; 6] =
    [Feature::Http, Feature::ConcurrentStreams, Feature::Chains, Feature::HttpCalls, Feature::Time, Feature::Faults];
/// The field that names the client's port to the upstream.
const CLIENT_PORT: &str = "x-mosn-client-port";
/// The key under which a plugin finds its configuration.
const CONFIGURATION: &str = "configuration";

/// A MOSN that can be started.
pub struct Mosn {
    /// The server's program.
    program: PathBuf,
}

impl Mosn {
    /// Started from this program.
    pub fn new(program: PathBuf) -> Mosn {
        Mosn { program }
    }
}

impl Target for Mosn {
    fn describe(&self) -> Host {
        Host {
            name: "mosn".into(),
            version: VERSION.into(),
            protocol: PROTOCOL,
            abi: ABI.map(str::to_owned).to_vec(),
            features: FEATURES.to_vec(),
            in_process: false,
        }
    }

    fn unsupported(&self, run: &Run) -> Option<String> {
        let settings = || run.plugins.iter().map(|plugin| &plugin.settings);
        if settings().any(|settings| !settings.vm_configuration.0.is_empty()) {
            return Some("MOSN has no configuration of VMs that an operator could write".into());
        }
        settings()
            .any(|settings| settings.configuration.as_str().is_none())
            .then(|| "the configuration of a plugin in MOSN is text".into())
    }

    fn needs_own_process(&self, _run: &Run) -> bool {
        true
    }

    fn launch(&self, run: &Run, ports: &Ports) -> Result<Launch, String> {
        let failed = |error: std::io::Error| format!("failed to write a file: {error}");
        let folder = tempfile::Builder::new().prefix("pw-conform-").tempdir().map_err(failed)?;
        // MOSN writes its files beside the folder of its configuration.
        let inner = folder.path().join("conf");
        std::fs::create_dir(&inner).map_err(failed)?;
        for (at, plugin) in run.plugins.iter().enumerate() {
            std::fs::write(module(&inner, at), &plugin.wasm).map_err(failed)?;
        }
        let file = inner.join("mosn.json");
        std::fs::write(&file, config(run, ports, &inner).to_string()).map_err(failed)?;
        let mut command = Command::new(&self.program);
        command.arg("start").arg("--config").arg(&file);
        for plugin in &run.plugins {
            command.arg("--plugin").arg(&plugin.settings.name);
        }
        Ok(Launch {
            command,
            driver: Box::new(Process::new(folder)),
            barriers: vec![ports.barrier],
            client_port: ClientPort::Field(CLIENT_PORT),
        })
    }
}

/// The file of a module, by the plugin's place in the scenario.
fn module(folder: &Path, at: usize) -> PathBuf {
    folder.join(format!("{at}.wasm"))
}

fn config(run: &Run, ports: &Ports, folder: &Path) -> Value {
    let wasms: Vec<Value> =
        run.plugins.iter().enumerate().map(|(at, plugin)| wasm(&module(folder, at), plugin)).collect();
    let filters: Vec<Value> = run.plugins.iter().map(filter).collect();
    let callees = CALLEES.iter().zip(ports.callees).map(|(name, port)| cluster(name, port));
    let clusters: Vec<Value> =
        [cluster(UPSTREAM, ports.upstream), cluster(DEAD, ports.dead)].into_iter().chain(callees).collect();
    json!({
        "pid": folder.join("mosn.pid"),
        "wasm_global_plugins": wasms,
        "servers": [{
            "default_log_path": "stderr",
            "default_log_level": "INFO",
            // One thread for all of Go's code, so that an answer to a ping says that earlier work is done.
            "processor": 1,
            "routers": [router()],
            "listeners": [listener("http", ports.http, filters), listener("barrier", ports.barrier, Vec::new())],
        }],
        "cluster_manager": { "clusters": clusters },
    })
}

/// A module that is loaded; the engine is named after its plugin.
fn wasm(file: &Path, plugin: &Plugin) -> Value {
    let name = &plugin.settings.name;
    json!({ "plugin_name": name, "vm_config": { "engine": name, "path": file }, "instance_num": 1 })
}

/// A plugin on the streams of a listener. MOSN gives the entries of the filter's configuration that are texts to the plugin.
fn filter(plugin: &Plugin) -> Value {
    let mut config = json!({ "from_wasm_plugin": plugin.settings.name });
    if plugin.settings.configuration != Data::default()
        && let Some(text) = plugin.settings.configuration.as_str()
    {
        config[CONFIGURATION] = json!(text);
    }
    json!({ "type": "proxywasm", "config": config })
}

fn router() -> Value {
    let port = json!({ "header": { "key": CLIENT_PORT, "value": "%client_port%" }, "append": false });
    json!({
        "router_config_name": "router",
        "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routers": [{
                "match": { "prefix": "/" },
                "route": { "cluster_name": UPSTREAM },
            }],
            "request_headers_to_add": [port],
        }],
    })
}

fn listener(name: &str, port: u16, stream_filters: Vec<Value>) -> Value {
    let proxy = json!({
        "downstream_protocol": "Http2",
        "upstream_protocol": "Http2",
        "router_config_name": "router",
    });
    json!({
        "name": name,
        "address": format!("127.0.0.1:{port}"),
        "bind_port": true,
        "filter_chains": [{ "filters": [{ "type": "proxy", "config": proxy }] }],
        "stream_filters": stream_filters,
    })
}

fn cluster(name: &str, port: u16) -> Value {
    json!({
        "name": name,
        "type": "SIMPLE",
        "lb_type": "LB_RANDOM",
        "hosts": [{ "address": format!("127.0.0.1:{port}") }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_an_entry_of_the_filter() {
        let plain = filter(&Plugin::default().set(|settings| settings.name = "a".into()));
        assert_eq!(plain["config"], json!({ "from_wasm_plugin": "a" }));
        let plugin = Plugin::default().set(|settings| settings.configuration = Data::from("level: 3"));
        assert_eq!(filter(&plugin)["config"]["configuration"], "level: 3");
    }
}
