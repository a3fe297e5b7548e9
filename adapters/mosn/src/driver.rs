//! One process of MOSN: what its log says.

use std::cell::RefCell;

use pw_adapter_kit::job::Run;
use pw_adapter_kit::target::{Driver, Finding, Found, Line, Vm};
use pw_cases::data::Data;
use serde_json::Value;
use tempfile::TempDir;

/// A process of MOSN.
pub struct Process {
    /// The names of the plugins.
    plugins: Vec<String>,
    /// The plugin that was not loaded. The log of the start is read after all of it was classified.
    refused: RefCell<Option<String>>,
    /// The files that it reads when it starts, and that it writes.
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
        if line.get("failed").is_some() {
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
        let finding = match (text("failed"), text("fault"), text("level")) {
            (Some(reason), _, _) => Finding::Rejected(reason.to_owned()),
            (_, Some(reason), _) => Finding::Fault(reason.to_owned()),
            (_, _, Some(level)) if line.get("guest").is_some() => {
                Finding::Log { level: self::level(level)?, message: message(line.get("message")?)? }
            }
            _ => return None,
        };
        Some(Found { plugin, vm, finding })
    }

    fn is_busy(&self, process: u32) -> bool {
        runs(process).unwrap_or_default()
    }
}

/// Whether a thread of a process runs: goroutines pass work on, and a ping is answered by another one. `None` if the kernel does
/// not show it.
fn runs(process: u32) -> Option<bool> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let stat = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("stat")).ok();
    // The name of the program, which may have any characters, ends at the last bracket.
    let is_running = |stat: String| stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('R'));
    Some(threads.flatten().filter_map(stat).any(is_running))
}

/// The name of the plugin that a line is about, and all of the line.
fn parse(line: &[u8]) -> Option<(String, Value)> {
    let line: Value = serde_json::from_slice(line).ok()?;
    Some((line.get("plugin")?.as_str()?.to_owned(), line))
}

fn level(name: &str) -> Option<&'static str> {
    let names = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];
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
    fn reads_what_a_plugin_logs_and_how_it_fails() {
        let mut process = process(&["a", "b"]);
        let log = br#"{"plugin":"b","level":"INFO","message":{"hex":"ff"},"guest":true}"#;
        let finding = Finding::Log { level: "INFO", message: Data(vec![0xff]) };
        assert_eq!(process.read(log), Some(Found { plugin: 1, vm: Vm::Serving, finding }));
        let fault = process.read(br#"{"plugin":"a","fault":"unreachable"}"#).map(|found| found.finding);
        assert_eq!(fault, Some(Finding::Fault("unreachable".into())));
    }

    #[test]
    fn passes_over_what_the_server_logs() {
        let mut process = process(&["a"]);
        assert_eq!(process.read(br#"{"plugin":"a","level":"ERROR","message":"[imports] of the server"}"#), None);
        assert_eq!(process.read(br#"{"level":"INFO","message":"x"}"#), None);
        assert_eq!(process.read(b"2026-11-28 [INFO] x"), None);
    }

    #[test]
    fn what_a_refused_plugin_has_logged_is_a_trial() {
        let mut process = process(&["a"]);
        let lines =
            [&br#"{"plugin":"a","level":"INFO","message":"x","guest":true}"#[..], br#"{"plugin":"a","failed":"no"}"#];
        lines.iter().for_each(|line| assert!(process.classify(line).of_plugins));
        let found = lines.map(|line| process.read(line).expect("it is about a plugin"));
        assert!(found.iter().all(|found| found.vm == Vm::Other(0)));
        assert_eq!(found[1].finding, Finding::Rejected("no".into()));
    }
}
