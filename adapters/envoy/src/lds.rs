//! Listeners for Envoy (LDS): it polls by HTTP, and the answer waits until there is something new.
//!
//! A poll names the version that Envoy runs, so the poll after an update shows whether it was accepted. Knows no sockets:
//! a poll is a stream of a connection, both by number.

use std::collections::BTreeMap;

use pw_adapter_kit::http2::Frame;
use pw_adapter_kit::target::Reply;
use serde_json::{Value, json};

const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";

/// The listeners that Envoy is to run, and what it says that it runs.
#[derive(Debug, Default)]
pub struct Lds {
    listeners: Vec<Value>,
    /// The latest version, counted from 1.
    version: u64,
    /// The latest version that was sent.
    sent: u64,
    /// Whether the latest poll says that Envoy runs `sent`.
    verdict: Option<bool>,
    /// Polls that are not complete.
    bodies: BTreeMap<(u64, u32), Vec<u8>>,
    /// The poll that is not answered.
    waiting: Option<(u64, u32)>,
}

impl Lds {
    /// Sets the listeners that Envoy is to run. Returns the answer to the poll that waits.
    pub fn update(&mut self, mut listeners: Vec<Value>) -> Option<Reply> {
        listeners.iter_mut().for_each(|listener| listener["@type"] = json!(LISTENER));
        self.listeners = listeners;
        self.version += 1;
        self.verdict = None;
        self.answer()
    }

    /// Whether Envoy has accepted the latest update; `None` until it says so.
    pub fn verdict(&self) -> Option<bool> {
        self.verdict.filter(|_| self.sent == self.version)
    }

    /// Takes a frame of a poll. Returns the answer to it, if there is something new.
    pub fn receive(&mut self, connection: u64, frame: Frame) -> Option<Reply> {
        let (stream, ended) = match frame {
            Frame::Headers { stream, end_of_stream, .. } => (stream, end_of_stream),
            Frame::Data { stream, bytes, end_of_stream } => {
                self.bodies.entry((connection, stream)).or_default().extend(bytes);
                (stream, end_of_stream)
            }
            Frame::Reset { stream } => {
                self.bodies.remove(&(connection, stream));
                self.waiting.take_if(|waiting| *waiting == (connection, stream));
                return None;
            }
            Frame::Pong(_) => return None,
        };
        if !ended {
            return None;
        }
        let poll: Value = serde_json::from_slice(&self.bodies.remove(&(connection, stream))?).ok()?;
        let running = poll.get("version_info").or_else(|| poll.get("versionInfo")).and_then(Value::as_str);
        self.verdict = Some(running.is_some_and(|running| running == self.sent.to_string()));
        self.waiting = Some((connection, stream));
        self.answer()
    }

    fn answer(&mut self) -> Option<Reply> {
        let (connection, stream) = self.waiting.take_if(|_| self.sent < self.version)?;
        self.sent = self.version;
        self.verdict = None;
        let body = json!({
            "version_info": self.version.to_string(),
            "type_url": LISTENER,
            "resources": self.listeners,
        });
        Some(Reply { connection, stream, content_type: "application/json", body: body.to_string() })
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

    #[test]
    fn reads_why_envoy_rejects_a_plugin() {
        let line = "REST config for /v3/discovery:listeners rejected: \
                    Error adding/updating listener(s) scenario-1: Unable to create Wasm plugin p";
        assert_eq!(rejection(line).as_deref(), Some("Unable to create Wasm plugin p"));
        assert_eq!(rejection("x rejected: a: b").as_deref(), Some("a: b"));
        assert_eq!(rejection("all is well"), None);
        let line = "error `Unable to create Wasm plugin p` initializing config 'x'";
        assert_eq!(refusal(line).as_deref(), Some("Unable to create Wasm plugin p"));
        assert_eq!(refusal("all is well"), None);
    }

    fn poll(stream: u32, version: &str) -> Frame {
        let bytes = json!({ "version_info": version }).to_string().into_bytes();
        Frame::Data { stream, bytes, end_of_stream: true }
    }

    #[test]
    fn the_poll_after_an_update_is_the_verdict() {
        let mut lds = Lds::default();
        assert_eq!(lds.update(vec![]), None);
        assert!(lds.receive(1, poll(1, "")).is_some_and(|answer| answer.body.contains(r#""version_info":"1""#)));
        assert_eq!(lds.verdict(), None);
        assert_eq!(lds.receive(1, poll(3, "1")), None);
        assert_eq!(lds.verdict(), Some(true));
        let answer = lds.update(vec![json!({ "name": "a" })]).expect("a poll waits");
        assert_eq!((answer.connection, answer.stream), (1, 3));
        assert_eq!(lds.receive(1, poll(5, "1")), None);
        assert_eq!(lds.verdict(), Some(false));
    }
}
