//! Properties that the embedder provides.

use std::fmt;

use bytes::Bytes;

/// Provides properties that the host itself does not have: of all streams and plugins
/// ([`ProxyConfig::properties`](crate::ProxyConfig::properties)), or of one stream ([`StreamInfo::properties`](crate::StreamInfo::properties)).
///
/// `proxy_get_property` returns the first of these:
///
/// 1. what a plugin has set on the stream with `proxy_set_property`;
/// 2. what the host has, such as `source.address` or `plugin_name`; for a path such as `request`, which has others below it, a failure;
/// 3. what the source of the stream returns;
/// 4. what the source of the proxy returns.
///
/// Plugins cannot set anything below `connection`, `source`, `destination`, `upstream`, `request` and `response`: no plugin can forge what a
/// source returns there. Elsewhere a plugin can set another value on a stream.
///
/// A source is only called when a plugin reads a property, and while that plugin runs, so it must not use the proxy. If it panics, the
/// plugin traps, as with a [`ForeignFunction`](crate::ForeignFunction). [`Limits::property_source`](crate::Limits::property_source) bounds paths and
/// values.
///
/// A function from paths to values is a source:
///
/// ```
/// use std::sync::Arc;
/// use bytes::Bytes;
/// use pw_host::{PropertySource, Proxy, ProxyConfig, StreamInfo};
///
/// struct Node { id: String }
///
/// impl PropertySource for Node {
///     fn property(&self, path: &[u8]) -> Option<Bytes> {
///         (path == b"node\0id").then(|| Bytes::from(self.id.clone()))
///     }
/// }
///
/// let node = Arc::new(Node { id: "edge-7".to_owned() });
/// let mut proxy = Proxy::new(ProxyConfig { properties: Some(node), ..ProxyConfig::default() });
///
/// let route = |path: &[u8]| (path == b"route_name").then(|| Bytes::from_static(b"checkout"));
/// let stream = proxy.open_stream(&[], StreamInfo { properties: Some(Arc::new(route)), ..StreamInfo::default() });
/// # let _ = stream;
/// ```
pub trait PropertySource: Send + Sync {
    /// The value at a path, whose parts are separated by NUL, with none at the end; `None` if there is no such property.
    ///
    /// Plugins expect numbers, times and durations as 8 bytes, little-endian, times and durations in nanoseconds, and a truth value as one
    /// byte.
    fn property(&self, path: &[u8]) -> Option<Bytes>;
}

impl<F: Fn(&[u8]) -> Option<Bytes> + Send + Sync> PropertySource for F {
    fn property(&self, path: &[u8]) -> Option<Bytes> {
        self(path)
    }
}

impl fmt::Debug for dyn PropertySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PropertySource")
    }
}
