//! The adapter for the host.

use std::process::Command;

use pw_adapter_kit::job::Run;
use pw_adapter_kit::target::{ClientPort, Driver, Finding, Found, Launch, Line, Ports, Target, Vm};
use pw_cases::protocol::{Feature, Host, PROTOCOL};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::CLIENT_PORT;

/// The host's program, which is this one.
pub(crate) struct Fake;

impl Target for Fake {
    fn describe(&self) -> Host {
        let features = vec![Feature::Http, Feature::Chains, Feature::HttpCalls, Feature::Keep];
        let (name, version, abi) = ("fake".into(), "1".into(), vec!["0.2.1".into()]);
        Host { protocol: PROTOCOL, name, version, abi, features, in_process: false }
    }

    fn unsupported(&self, run: &Run) -> Option<String> {
        run.plugins.iter().any(|plugin| plugin.settings.background).then(|| "there is no background".into())
    }

    fn needs_own_process(&self, _: &Run) -> bool {
        true
    }

    fn launch(&self, run: &Run, ports: &Ports) -> Result<Launch, String> {
        let plugins: Vec<Value> = run
            .plugins
            .iter()
            .map(|plugin| json!({ "name": plugin.settings.name, "configuration": plugin.settings.configuration.as_str() }))
            .collect();
        let config = json!({
            "http": ports.http,
            "barrier": ports.barrier,
            "upstream": ports.upstream,
            "auth": ports.callees[0],
            "plugins": plugins,
        });
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        let file = folder.path().join("host.json");
        std::fs::write(&file, config.to_string()).map_err(|error| error.to_string())?;
        let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
        command.arg("host").arg(file);
        let driver = Box::new(Process { names: Vec::new(), _folder: folder });
        Ok(Launch { command, driver, barriers: vec![ports.barrier], client_port: ClientPort::Field(CLIENT_PORT) })
    }
}

struct Process {
    names: Vec<String>,
    _folder: TempDir,
}

impl Driver for Process {
    fn begin(&mut self, _: u32, run: &Run, _: &[usize]) {
        self.names = run.plugins.iter().map(|plugin| plugin.settings.name.clone()).collect();
    }

    fn classify(&self, line: &[u8]) -> Line {
        let excerpt = Some(String::from_utf8_lossy(line).into_owned());
        Line { of_plugins: line.starts_with(b"log ") || line.starts_with(b"reject "), excerpt, signal: None }
    }

    /// Lines are `log PLUGIN MESSAGE` and `reject PLUGIN REASON`.
    fn read(&mut self, line: &[u8]) -> Option<Found> {
        let mut words = std::str::from_utf8(line).ok()?.splitn(3, ' ');
        let (kind, name, text) = (words.next()?, words.next()?, words.next()?);
        let finding = match kind {
            "log" => Finding::Log { level: "INFO", message: text.into() },
            "reject" => Finding::Rejected(text.into()),
            _ => return None,
        };
        let plugin = self.names.iter().position(|known| known == name)?;
        Some(Found { plugin, vm: Vm::Serving, finding })
    }
}
