//! What a resource says. Knows nothing of files and of chains.

use pw_cases::data::Data;
use pw_cases::scenario::Failure;

/// A resource, read.
#[derive(Clone, Debug)]
pub struct WasmPlugin {
    /// The line on which it begins, counted from 1.
    pub line: usize,
    /// `<namespace>.<name>`, by which Envoy knows it.
    pub name: String,
    /// `default` if it says none.
    pub namespace: String,
    /// When the cluster got it; empty if it does not say.
    pub created: String,
    /// Where its module is.
    pub url: Lined<Url>,
    /// What the module's SHA-256 digest has to be, in hex.
    pub sha256: Option<Lined<String>>,
    /// Where in the chain it is.
    pub phase: Phase,
    /// Where in the phase.
    pub priority: Option<i32>,
    /// What happens when it faults.
    pub failure: Failure,
    /// What it is a filter of.
    pub kind: Kind,
    /// What the plugin gets: its `pluginConfig` as JSON, or nothing.
    pub configuration: Data,
    /// `pluginName`: which of the module's plugins it is.
    pub root_id: String,
    /// Its environment variables.
    pub environment: Vec<Variable>,
    /// The traffic that it is for: any of these; if there are none, all.
    pub selectors: Vec<Selector>,
    /// Fields that it has and only a cluster uses, with their lines.
    pub unused: Vec<Lined<&'static str>>,
}

/// A value of a resource, and its line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the sentence says it")]
pub struct Lined<T> {
    pub line: usize,
    pub value: T,
}

/// Where a module is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Url {
    /// A file.
    File(String),
    /// A path without a scheme, which Istio would take for an image.
    Path(String),
    /// `http://…`, `https://…`, or an image, with `oci://` in front or nothing.
    Remote(String),
}

/// Where in the chain a plugin is: around Istio's own filters, before the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "Istio's own names")]
pub enum Phase {
    Authn,
    Authz,
    Stats,
    Unspecified,
}

/// What a plugin is a filter of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "Istio's own names")]
pub enum Kind {
    Http,
    Network,
}

/// An environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The line of its name, counted from 1.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Its value; none if it is that of the proxy's own variable of this name.
    pub value: Option<String>,
}

/// Traffic that a plugin is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Inbound traffic is.
    pub inbound: bool,
    /// To one of these ports; if there are none, to any.
    pub ports: Vec<u16>,
}

impl Phase {
    /// The phases, as resources write them.
    pub const ALL: [(&'static str, Phase); 4] = [
        ("AUTHN", Phase::Authn),
        ("AUTHZ", Phase::Authz),
        ("STATS", Phase::Stats),
        ("UNSPECIFIED_PHASE", Phase::Unspecified),
    ];

    /// As resources write it.
    pub fn name(self) -> &'static str {
        name_of(&Phase::ALL, self)
    }
}

impl Kind {
    /// The types, as resources write them.
    pub const ALL: [(&'static str, Kind); 3] =
        [("HTTP", Kind::Http), ("NETWORK", Kind::Network), ("UNSPECIFIED_PLUGIN_TYPE", Kind::Http)];

    /// As resources write it.
    pub fn name(self) -> &'static str {
        name_of(&Kind::ALL, self)
    }
}

/// What a resource may say of failures.
pub const FAIL_STRATEGIES: [(&str, Failure); 3] =
    [("FAIL_CLOSE", Failure::Closed), ("FAIL_OPEN", Failure::Open), ("FAIL_RELOAD", Failure::Reload)];

/// The strategy as resources write it.
pub fn fail_strategy(failure: Failure) -> &'static str {
    name_of(&FAIL_STRATEGIES, failure)
}

fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, known)| *known == value).map_or("", |(name, _)| name)
}
