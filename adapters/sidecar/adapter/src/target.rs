//! The sidecar's program: what it can do, its configuration, and how it is started.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use pw_abi::Version;
use pw_adapter_kit::job::{Plugin, Run};
use pw_adapter_kit::target::{CALLEES, ClientPort, DEAD, Launch, Ports, Target, UPSTREAM};
use pw_cases::data::Data;
use pw_cases::protocol::{Feature, Host, PROTOCOL};
use pw_cases::scenario::Failure;
use serde_json::{Value, json};

use crate::driver::Process;

/// The field that names the client's port to the upstream.
const CLIENT_PORT: &str = "x-sidecar-client-port";
/// Bytes of a frame: more than any body of a case, so that a piece of a body is one frame and one callback.
const FRAME_BYTES: u32 = 4 << 20;

const FEATURES: [Feature; 14] = [
    Feature::Http,
    Feature::Http1,
    Feature::ConcurrentStreams,
    Feature::Chains,
    Feature::HttpCalls,
    Feature::Metrics,
    Feature::Background,
    Feature::Failure,
    Feature::Limits,
    Feature::Capabilities,
    Feature::SharedVms,
    Feature::Time,
    Feature::Environment,
    Feature::Faults,
];

/// A sidecar that can be started.
pub struct Sidecar {
    /// The program and its first arguments, which the file of configuration follows.
    command: Vec<OsString>,
    version: String,
}

impl Sidecar {
    /// Started by this command, which is not empty; the file of configuration is its last argument.
    pub fn new(command: Vec<OsString>, version: &str) -> Sidecar {
        Sidecar { command, version: version.to_owned() }
    }
}

impl Target for Sidecar {
    fn describe(&self) -> Host {
        Host {
            name: "sidecar".into(),
            version: self.version.clone(),
            protocol: PROTOCOL,
            abi: Version::ALL.iter().map(|version| version.name().to_owned()).collect(),
            features: FEATURES.to_vec(),
            in_process: false,
        }
    }

    fn unsupported(&self, _run: &Run) -> Option<String> {
        None
    }

    fn needs_own_process(&self, _run: &Run) -> bool {
        true
    }

    fn launch(&self, run: &Run, ports: &Ports) -> Result<Launch, String> {
        let failed = |error: std::io::Error| format!("failed to write a file: {error}");
        let folder = tempfile::Builder::new().prefix("pw-conform-").tempdir().map_err(failed)?;
        for (at, plugin) in run.plugins.iter().enumerate() {
            std::fs::write(folder.path().join(module(at)), &plugin.wasm).map_err(failed)?;
        }
        let file = folder.path().join("sidecar.json");
        std::fs::write(&file, config(run, ports).to_string()).map_err(failed)?;
        Ok(Launch {
            command: command(&self.command, &file),
            driver: Box::new(Process::new(folder)),
            barriers: vec![ports.admin],
            client_port: ClientPort::Field(CLIENT_PORT),
        })
    }
}

fn command(words: &[OsString], file: &Path) -> Command {
    let mut words = words.iter();
    let mut command = Command::new(words.next().cloned().unwrap_or_default());
    command.args(words).arg(file);
    command
}

/// The file of a module, by the plugin's place in the scenario.
fn module(at: usize) -> String {
    format!("{at}.wasm")
}

fn config(run: &Run, ports: &Ports) -> Value {
    let address = |port: u16| json!({ "address": format!("127.0.0.1:{port}"), "protocol": "http2" });
    let upstream = json!({ "address": format!("127.0.0.1:{}", ports.upstream), "protocol": if run.http1 { "http1" } else { "http2" } });
    let mut upstreams = json!({ UPSTREAM: upstream, DEAD: address(ports.dead) });
    CALLEES.iter().zip(ports.callees).for_each(|(name, port)| upstreams[*name] = address(port));
    let plugins: Vec<Value> = run.plugins.iter().enumerate().map(|(at, plugin)| self::plugin(at, plugin)).collect();
    json!({
        "listen": format!("127.0.0.1:{}", ports.http),
        "admin": format!("127.0.0.1:{}", ports.admin),
        "upstreams": upstreams,
        "route": UPSTREAM,
        "plugins": plugins,
        "client_port_field": CLIENT_PORT,
        "compiler": "winch",
        "log": "json",
        "verbose": true,
        "frame_bytes": FRAME_BYTES,
    })
}

fn plugin(at: usize, plugin: &Plugin) -> Value {
    let settings = &plugin.settings;
    let failure = match settings.failure {
        Failure::Closed => "closed",
        Failure::Open => "open",
        Failure::Reload => "reload",
    };
    json!({
        "name": settings.name,
        "file": module(at),
        "vm_id": settings.vm_id,
        "configuration": bytes(&settings.configuration),
        "vm_configuration": bytes(&settings.vm_configuration),
        "environment": settings.environment,
        "failure": failure,
        "capabilities": settings.capabilities,
        "background": settings.background,
        "limits": settings.limits,
    })
}

fn bytes(data: &Data) -> Value {
    match data.as_str() {
        Some(text) => json!(text),
        None => json!({ "hex": data.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_written_with_all_of_its_bytes() {
        let value = plugin(2, &Plugin::default().set(|settings| settings.configuration = Data(vec![0, 0xff])));
        assert_eq!((&value["file"], &value["configuration"]), (&json!("2.wasm"), &json!({ "hex": "00ff" })));
        assert_eq!(value["failure"], "closed");
    }
}
