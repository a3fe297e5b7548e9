//! Listeners for Envoy (LDS): a file that it watches. Its log says whether it runs what is there.

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use crate::log::LogLine;

const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
/// The component that logs what becomes of listeners.
pub const COMPONENT: &str = "upstream";

/// The listener that Envoy is to run, and what it says of it.
#[derive(Debug)]
pub struct Lds {
    /// Where the file is, and nothing else: Envoy watches the whole folder.
    folder: TempDir,
    /// What is in the file.
    sent: Option<Value>,
    /// What was there when Envoy last said that it runs it.
    running: Option<Value>,
    /// Whether Envoy runs what is in the file; `None` until it says so.
    verdict: Option<bool>,
}

impl Lds {
    /// A file with a listener that Envoy will reject, or without one.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn create(rejected: Option<Value>) -> io::Result<Lds> {
        let folder = tempfile::Builder::new().prefix("pw-conform-").tempdir()?;
        let lds = Lds { folder, sent: rejected, running: None, verdict: None };
        lds.write()?;
        Ok(lds)
    }

    /// The file that Envoy watches.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("listeners.json")
    }

    /// Sets the listener that Envoy is to run; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn update(&mut self, listener: Option<Value>) -> io::Result<()> {
        // Envoy says nothing of what it runs already.
        if listener == self.running {
            (self.sent, self.verdict) = (listener, Some(true));
            return Ok(());
        }
        (self.sent, self.verdict) = (listener, None);
        self.write()
    }

    /// Whether Envoy has accepted the latest update; `None` until it says so.
    pub fn verdict(&self) -> Option<bool> {
        self.verdict
    }

    /// Reads a line of the log.
    pub fn read(&mut self, line: &LogLine) {
        if line.component == "config" && rejection(&line.text()).is_some() {
            self.verdict = Some(false);
        } else if line.component == COMPONENT {
            let done: &[u8] = if self.sent.is_some() { b"lds: add/update listener" } else { b"lds: remove listener" };
            if line.message.starts_with(done) {
                self.running.clone_from(&self.sent);
                self.verdict = Some(true);
            }
        }
    }

    /// Envoy sees a file that is moved, and never half of it.
    fn write(&self) -> io::Result<()> {
        let typed = |listener: &Value| {
            let mut listener = listener.clone();
            listener["@type"] = json!(LISTENER);
            listener
        };
        let resources: Vec<Value> = self.sent.iter().map(typed).collect();
        let mut file = NamedTempFile::new_in(&self.folder)?;
        file.write_all(json!({ "resources": resources }).to_string().as_bytes())?;
        file.persist(self.path())?;
        Ok(())
    }
}

/// Why Envoy has rejected an update, if a line of its log says that, without the name of the listener, which is different in
/// each scenario.
pub fn rejection(line: &str) -> Option<String> {
    let (_, reason) = line.split_once(" rejected: ")?;
    let bare = reason.strip_prefix("Error adding/updating listener(s) ").and_then(|rest| rest.split_once(": "));
    Some(bare.map_or(reason, |(_, reason)| reason).to_owned())
}

/// Why Envoy did not start, if a line of its log says that it has rejected a plugin in the background.
pub fn refusal(line: &str) -> Option<String> {
    let (reason, _) = line.strip_prefix("error `")?.split_once("` initializing config")?;
    Some(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Level;

    #[test]
    fn reads_why_envoy_rejects_a_plugin() {
        let line = "Filesystem config update rejected: \
                    Error adding/updating listener(s) scenario-1: Unable to create Wasm plugin p";
        assert_eq!(rejection(line).as_deref(), Some("Unable to create Wasm plugin p"));
        assert_eq!(rejection("x rejected: a: b").as_deref(), Some("a: b"));
        assert_eq!(rejection("all is well"), None);
        let line = "error `Unable to create Wasm plugin p` initializing config 'x'";
        assert_eq!(refusal(line).as_deref(), Some("Unable to create Wasm plugin p"));
        assert_eq!(refusal("all is well"), None);
    }

    fn says(lds: &mut Lds, component: &str, message: &str) {
        let line = LogLine { thread: 1, level: Level::Info, component: component.into(), message: message.into() };
        lds.read(&line);
    }

    fn file(lds: &Lds) -> Value {
        serde_json::from_slice(&std::fs::read(lds.path()).expect("it was written")).expect("it is JSON")
    }

    #[test]
    fn the_log_says_whether_an_update_was_accepted() {
        let mut lds = Lds::create(None).expect("there is room for a file");
        assert_eq!(file(&lds), json!({ "resources": [] }));
        let mut update = |listener: Option<Value>, line: (&str, &str), verdict| {
            lds.update(listener).expect("there is room for a file");
            assert_eq!(lds.verdict(), None);
            says(&mut lds, COMPONENT, "cm init: all clusters initialized");
            assert_eq!(lds.verdict(), None);
            says(&mut lds, line.0, line.1);
            assert_eq!(lds.verdict(), Some(verdict));
            file(&lds)
        };
        let named = |name: &str| Some(json!({ "name": name }));
        let expected = json!({ "resources": [{ "name": "a", "@type": LISTENER }] });
        assert_eq!(update(named("a"), (COMPONENT, "lds: add/update listener 'a'"), true), expected);
        let rejected = "Filesystem config update rejected: Error adding/updating listener(s) a: no";
        update(Some(json!({ "name": "a", "x": 1 })), ("config", rejected), false);
        update(None, (COMPONENT, "lds: remove listener 'a'"), true);
        update(named("a"), (COMPONENT, "lds: add/update listener 'a'"), true);
    }

    #[test]
    fn what_runs_already_is_accepted_at_once() {
        let mut lds = Lds::create(None).expect("there is room for a file");
        lds.update(None).expect("nothing is written");
        assert_eq!(lds.verdict(), Some(true));
        lds.update(Some(json!({ "name": "a" }))).expect("there is room for a file");
        says(&mut lds, "config", "Filesystem config update rejected: no");
        lds.update(None).expect("nothing is written");
        assert_eq!(lds.verdict(), Some(true));
    }
}
