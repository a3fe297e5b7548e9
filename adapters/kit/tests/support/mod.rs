//! The parts of the test with a host.

pub(crate) mod host;
pub(crate) mod target;
pub(crate) mod tests;

use serde_json::Value;

/// The field that names the client to the upstream.
pub(crate) const CLIENT_PORT: &str = "x-client-port";

/// A string in the host's configuration.
#[track_caller]
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("the adapter has written it")
}
