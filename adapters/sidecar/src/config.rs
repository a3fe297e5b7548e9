//! The configuration, as it is written in JSON. Unknown keys are errors.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pw_host::{FailurePolicy, Limits, PluginConfig, Reload};
use serde::Deserialize;

/// The configuration of a sidecar.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where the operator connects: `/metrics` has the metrics of plugins.
    pub admin: Option<SocketAddr>,
    /// The number of worker threads, each with its own VMs. By default one.
    #[serde(default = "one")]
    pub workers: usize,
    /// Upstreams by name; plugins may call all of them.
    pub upstreams: BTreeMap<String, Upstream>,
    /// The name of the upstream to which requests are sent.
    pub route: String,
    /// The chain of plugins: the first sees requests first.
    #[serde(default)]
    pub plugins: Vec<Plugin>,
    /// A field with the client's port that is added to each request after the plugins have run.
    pub client_port_field: Option<String>,
    /// How modules are compiled.
    #[serde(default)]
    pub compiler: Compiler,
    /// How lines about plugins are written to standard error.
    #[serde(default)]
    pub log: LogFormat,
    /// Whether plugins may log below INFO.
    #[serde(default)]
    pub verbose: bool,
    /// Bytes of a frame of HTTP/2 that peers may send.
    #[serde(default = "frame_bytes")]
    pub frame_bytes: u32,
    /// Seconds that requests in flight have to finish once the sidecar is to end.
    #[serde(default = "drain_seconds")]
    pub drain_seconds: u64,
}

/// A server to which requests are sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it speaks.
    #[serde(default)]
    pub protocol: Protocol,
}

/// What an upstream speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1, one request at a time on a connection.
    #[default]
    Http1,
    /// HTTP/2 without TLS, one connection for each worker.
    Http2,
}

/// How modules are compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compiler {
    /// Slowly, to fast code.
    #[default]
    Cranelift,
    /// Fast, to slower code.
    Winch,
}

/// How lines about plugins are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// A plugin of the chain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// Its name in the log.
    pub name: String,
    /// The file of its module; relative to the file of configuration.
    pub file: PathBuf,
    /// Plugins with the same one share data and queues in each worker, and a VM if their modules and VM configurations are the same.
    #[serde(default)]
    pub vm_id: String,
    /// What it is configured with.
    #[serde(default)]
    pub configuration: Text,
    /// What its VM is configured with.
    #[serde(default)]
    pub vm_configuration: Text,
    /// Its environment variables.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// What happens when it crashes.
    #[serde(default)]
    pub failure: Failure,
    /// What it may call and which callbacks it gets; none means all.
    pub capabilities: Option<Vec<String>>,
    /// It is on no stream, and runs in the first worker only.
    #[serde(default)]
    pub background: bool,
    /// Limits that differ from the defaults, by their names in [`Limits`].
    #[serde(default)]
    pub limits: BTreeMap<String, usize>,
}

/// Bytes: as text, or if they are not UTF-8 as `{"hex": "00ff"}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// As text.
    Plain(String),
    /// As hex digits.
    Hex {
        /// The digits.
        hex: String,
    },
}

/// What happens when a plugin crashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failure {
    /// Streams fail.
    #[default]
    Closed,
    /// Streams continue without it.
    Open,
    /// Streams fail until it is started again.
    Reload,
}

fn one() -> usize {
    1
}

fn frame_bytes() -> u32 {
    16 << 10
}

fn drain_seconds() -> u64 {
    10
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not a configuration; the message names the file.
    pub fn read(file: &Path) -> Result<Config, String> {
        let failed = |error: &dyn std::fmt::Display| format!("failed to read {}: {error}", file.display());
        let text = std::fs::read_to_string(file).map_err(|error| failed(&error))?;
        let mut config: Config = serde_json::from_str(&text).map_err(|error| failed(&error))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        config.plugins.iter_mut().for_each(|plugin| plugin.file = folder.join(&plugin.file));
        config.check().map_err(|error| failed(&error))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if !self.upstreams.contains_key(&self.route) {
            return Err(format!("there is no upstream `{}`, which `route` names", self.route));
        }
        if self.workers == 0 {
            return Err("`workers` is 0".to_owned());
        }
        if !(1 << 14..1 << 24).contains(&self.frame_bytes) {
            return Err("`frame_bytes` is not between 16384 and 16777215".to_owned());
        }
        self.plugins.iter().try_for_each(|plugin| plugin.config().map(drop))
    }
}

impl Plugin {
    /// Its configuration for the host.
    ///
    /// # Errors
    ///
    /// A limit or hex digits that there are not.
    pub fn config(&self) -> Result<PluginConfig, String> {
        let failed = |error: String| format!("plugin `{}`: {error}", self.name);
        Ok(PluginConfig {
            name: self.name.clone(),
            root_id: String::new(),
            vm_id: self.vm_id.clone(),
            configuration: self.configuration.bytes().map_err(failed)?,
            vm_configuration: self.vm_configuration.bytes().map_err(failed)?,
            environment: self.environment.clone().into_iter().collect(),
            failure: FailurePolicy {
                open: self.failure == Failure::Open,
                reload: (self.failure == Failure::Reload).then(Reload::default),
            },
            capabilities: self.capabilities.clone().map(|names| names.into_iter().collect()),
            log_only: false,
            limits: limits(&self.limits).map_err(failed)?,
        })
    }
}

fn limits(named: &BTreeMap<String, usize>) -> Result<Limits, String> {
    let mut limits = Limits::default();
    for (name, max) in named {
        *limits.get_mut(name).ok_or_else(|| format!("there is no limit `{name}`"))? = *max;
    }
    Ok(limits)
}

impl Text {
    fn bytes(&self) -> Result<Vec<u8>, String> {
        let hex = match self {
            Text::Plain(text) => return Ok(text.clone().into_bytes()),
            Text::Hex { hex } => hex,
        };
        let digit = |digit: &u8| char::from(*digit).to_digit(16).map(|digit| digit as u8);
        let pair = |pair: &[u8]| if let [high, low] = pair { Some(digit(high)? << 4 | digit(low)?) } else { None };
        let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(pair).collect();
        bytes.ok_or_else(|| format!("{hex:?} is not pairs of hex digits"))
    }
}

impl Default for Text {
    fn default() -> Text {
        Text::Plain(String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let config: Config = serde_json::from_str(text).map_err(|error| error.to_string())?;
        config.check().map(|()| config)
    }

    #[test]
    fn little_has_to_be_said() {
        let config =
            read(r#"{ "listen": "127.0.0.1:0", "route": "a", "upstreams": { "a": { "address": "127.0.0.1:1" } } }"#);
        let config = config.expect("it is a configuration");
        assert_eq!((config.workers, config.plugins.len(), config.upstreams["a"].protocol), (1, 0, Protocol::Http1));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let plugin = |more: &str| {
            format!(
                r#"{{ "listen": "127.0.0.1:0", "route": "a", "upstreams": {{ "a": {{ "address": "127.0.0.1:1" }} }},
                "plugins": [{{ "name": "p", "file": "p.wasm", {more} }}] }}"#
            )
        };
        let rows = [
            (r#"{ "listen": "127.0.0.1:0", "route": "b", "upstreams": {} }"#.to_owned(), "no upstream `b`"),
            (plugin(r#""limits": { "air": 1 }"#), "plugin `p`: there is no limit `air`"),
            (plugin(r#""configuration": { "hex": "0" }"#), "not pairs of hex digits"),
            (plugin(r#""configuraton": """#), "unknown field `configuraton`"),
        ];
        for (text, part) in rows {
            let error = read(&text).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn bytes_are_text_or_hex() {
        assert_eq!(Text::Plain("a".into()).bytes(), Ok(b"a".to_vec()));
        assert_eq!(Text::Hex { hex: "00fF".into() }.bytes(), Ok(vec![0, 255]));
    }
}
