//! The ids of plugins, streams and calls.

/// A plugin of a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginId(pub(crate) usize);

/// An HTTP stream of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    pub(crate) index: usize,
    pub(crate) serial: u64,
    /// Whether it is the copy of another, on which a log-only plugin runs.
    pub(crate) shadow: bool,
}

/// An HTTP call that a plugin has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpCallId(pub(crate) u64);

/// A gRPC call or stream that a plugin has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrpcCallId(pub(crate) u64);
