//! What the embedder configures: proxies, plugins, the connections of streams.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use pw_abi::{LogLevel, Status};

use crate::choices::Choices;
use crate::limits::Limits;
use crate::policy::FailurePolicy;
use crate::property_source::PropertySource;

/// The configuration of a proxy.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// The time at the start, in nanoseconds since 1970.
    pub start_time: u64,
    /// The seed of all randomness.
    pub seed: u64,
    /// Log lines below this level are dropped.
    pub log_level: LogLevel,
    /// The upstreams that plugins may call; `None`: any.
    pub upstreams: Option<Vec<String>>,
    /// Maximum number of plugins at a time, running or to be restarted. By default 10,000, each with a VM.
    pub plugins: usize,
    /// The foreign functions that plugins may call, by name.
    pub foreign_functions: BTreeMap<String, ForeignFunction>,
    /// Answers to open questions of the specification.
    pub choices: Choices,
    /// Properties of all streams and plugins.
    pub properties: Option<Arc<dyn PropertySource>>,
}

/// A function of the embedder that plugins may call.
#[derive(Clone)]
pub struct ForeignFunction(Arc<Function>);

/// From arguments to results, or to the status that the call returns.
type Function = dyn Fn(&[u8]) -> Result<Vec<u8>, Status> + Send + Sync;

impl ForeignFunction {
    /// A function from arguments to results, or to the status that the call returns instead.
    pub fn new(function: impl Fn(&[u8]) -> Result<Vec<u8>, Status> + Send + Sync + 'static) -> ForeignFunction {
        ForeignFunction(Arc::new(function))
    }

    pub(crate) fn call(&self, arguments: &[u8]) -> Result<Vec<u8>, Status> {
        (self.0)(arguments)
    }
}

impl fmt::Debug for ForeignFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignFunction")
    }
}

impl Default for ProxyConfig {
    fn default() -> ProxyConfig {
        ProxyConfig {
            start_time: 0,
            seed: 0,
            log_level: LogLevel::INFO,
            upstreams: Some(Vec::new()),
            plugins: 10_000,
            foreign_functions: BTreeMap::new(),
            choices: Choices::default(),
            properties: None,
        }
    }
}

/// The configuration of a plugin.
#[derive(Clone, Debug, Default)]
pub struct PluginConfig {
    /// Its name, the property `plugin_name`.
    pub name: String,
    /// The property `plugin_root_id`.
    pub root_id: String,
    /// The property `plugin_vm_id`. Plugins with the same one share data and queues; they also share a VM if its module,
    /// configuration, environment, limits, capabilities, and whether it is log-only are the same. A plugin without one has a VM
    /// of its own.
    pub vm_id: String,
    /// The content of `PLUGIN_CONFIGURATION`.
    pub configuration: Vec<u8>,
    /// The content of `VM_CONFIGURATION`.
    pub vm_configuration: Vec<u8>,
    /// Its environment variables: names and values.
    pub environment: Vec<(String, String)>,
    /// Its limits.
    pub limits: Limits,
    /// What happens when it crashes.
    pub failure: FailurePolicy,
    /// Whether it runs on a copy of each stream; then [`Effect::Discarded`](crate::Effect::Discarded) reports what it would have done. Its calls and its
    /// shared data are real. A copy lasts after its stream until the plugin is done with it.
    pub log_only: bool,
    /// The host functions that it may call and the callbacks that it gets, by name; `None`: all. A function that it may not
    /// call returns INTERNAL_FAILURE, or NOTSUP if it is a WASI function.
    pub capabilities: Option<BTreeSet<String>>,
}

impl PluginConfig {
    /// What plugins with one VM must have in common, besides the module.
    pub(crate) fn vm(&self) -> impl PartialEq {
        let PluginConfig { vm_id, vm_configuration, environment, limits, capabilities, log_only, .. } = self;
        (vm_id, vm_configuration, environment, limits, capabilities, log_only)
    }
}

/// The connections of a stream, for properties.
#[derive(Clone, Debug, Default)]
pub struct StreamInfo {
    /// The number of the client's connection.
    pub connection_id: u64,
    /// The client's address.
    pub source: Option<SocketAddr>,
    /// The proxy's address on the client's connection.
    pub destination: Option<SocketAddr>,
    /// The upstream's address.
    pub upstream: Option<SocketAddr>,
    /// The proxy's address on the upstream's connection.
    pub upstream_local: Option<SocketAddr>,
    /// TLS of the client's connection, if it has TLS; its streams share it.
    pub tls: Option<Arc<TlsInfo>>,
    /// TLS of the upstream's connection, if it has TLS; its streams share it.
    pub upstream_tls: Option<Arc<TlsInfo>>,
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
    /// More properties of the stream.
    pub properties: Option<Arc<dyn PropertySource>>,
}

/// TLS of a connection, for properties. What is empty is not known.
#[derive(Clone, Debug, Default)]
pub struct TlsInfo {
    /// Such as `TLSv1.3`.
    pub version: String,
    /// The server name that the client requested.
    pub requested_server_name: String,
    /// Whether the client's certificate was validated.
    pub mtls: bool,
    /// The proxy's certificate.
    pub local: CertificateInfo,
    /// The peer's certificate.
    pub peer: CertificateInfo,
}

/// A certificate, for properties. What is empty is not known.
#[derive(Clone, Debug, Default)]
pub struct CertificateInfo {
    /// Its subject.
    pub subject: String,
    /// Its first DNS name.
    pub dns_san: String,
    /// Its first URI.
    pub uri_san: String,
    /// Its SHA-256 digest, in hex.
    pub sha256_digest: String,
}
