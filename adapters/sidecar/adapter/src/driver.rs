//! One process of the sidecar: what its log says, and its metrics.

use std::cell::RefCell;

use pw_adapter_kit::job::Run;
use pw_adapter_kit::target::{Driver, Finding, Found, Line, MetricsRequest, Vm};
use pw_cases::data::Data;
use serde_json::Value;
use tempfile::TempDir;

/// A process of the sidecar.
pub struct Process {
    /// The names of the plugins.
    plugins: Vec<String>,
    /// The plugin that was not started. The log of the start is read after all of it was classified.
    refused: RefCell<Option<String>>,
    /// The files that it reads when it starts.
    _folder: TempDir,
}

impl Process {
    /// A process that starts, with its files in a folder.
    pub fn new(folder: TempDir) -> Process {
        Process { plugins: Vec::new(), refused: RefCell::default(), _folder: folder }
    }
}

impl Driver for Process {
    fn begin(&mut self, _process: u32, run: &Run, _chain: &[usize]) {
        self.plugins = run.plugins.iter().map(|plugin| plugin.settings.name.clone()).collect();
    }

    fn classify(&self, line: &[u8]) -> Line {
        let Some((plugin, line)) = parse(line) else {
            return Line { excerpt: Some(String::from_utf8_lossy(line).into_owned()), ..Line::default() };
        };
        if line.get("refused").is_some() {
            *self.refused.borrow_mut() = Some(plugin);
        }
        Line { of_plugins: true, ..Line::default() }
    }

    fn read(&mut self, line: &[u8]) -> Option<Found> {
        let (name, line) = parse(line)?;
        let plugin = self.plugins.iter().position(|known| *known == name)?;
        // What a refused plugin has logged explains the refusal.
        let vm = if self.refused.borrow().as_ref() == Some(&name) { Vm::Other(0) } else { Vm::Serving };
        let text = |key: &str| line.get(key).and_then(Value::as_str);
        let finding = match (text("refused"), text("crashed"), text("level")) {
            (Some(reason), _, _) => Finding::Rejected(reason.to_owned()),
            (_, Some(reason), _) => Finding::Fault(reason.to_owned()),
            (_, _, Some(level)) => Finding::Log { level: self::level(level)?, message: message(line.get("message")?)? },
            _ => return None,
        };
        Some(Found { plugin, vm, finding })
    }

    fn metrics_request(&self) -> Option<MetricsRequest> {
        Some(MetricsRequest { path: "/metrics" })
    }

    fn metrics(&self, body: &[u8]) -> Result<Vec<(String, u64)>, String> {
        serde_json::from_slice(body).map_err(|error| error.to_string())
    }
}

/// The name of the plugin that a line is about, and all of the line.
fn parse(line: &[u8]) -> Option<(String, Value)> {
    let line: Value = serde_json::from_slice(line).ok()?;
    Some((line.get("plugin")?.as_str()?.to_owned(), line))
}

fn level(name: &str) -> Option<&'static str> {
    let names = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"];
    names.into_iter().find(|known| *known == name)
}

/// Text, or an object with hex digits.
fn message(value: &Value) -> Option<Data> {
    serde_json::from_value(value.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(plugins: &[&str]) -> Process {
        let plugins = plugins.iter().map(|name| (*name).to_owned()).collect();
        Process { plugins, ..Process::new(TempDir::new().expect("it can be made")) }
    }

    #[test]
    fn reads_what_a_plugin_logs() {
        let found = process(&["a", "b"]).read(br#"{"plugin":"b","level":"INFO","message":{"hex":"ff"}}"#);
        let finding = Finding::Log { level: "INFO", message: Data(vec![0xff]) };
        assert_eq!(found, Some(Found { plugin: 1, vm: Vm::Serving, finding }));
        assert_eq!(process(&["a"]).read(b"sidecar: something else"), None);
    }

    #[test]
    fn what_a_refused_plugin_has_logged_is_a_trial() {
        let mut process = process(&["a"]);
        let lines = [&br#"{"plugin":"a","level":"INFO","message":"x"}"#[..], br#"{"plugin":"a","refused":"no"}"#];
        lines.iter().for_each(|line| assert!(process.classify(line).of_plugins));
        let found = lines.map(|line| process.read(line).expect("it is about a plugin"));
        assert!(found.iter().all(|found| found.vm == Vm::Other(0)));
        assert_eq!(found[1].finding, Finding::Rejected("no".into()));
    }
}
