//! gRPC calls and streams in flight, and events from their servers.

use std::sync::Arc;

use bytes::Bytes;

use super::account::{Charge, MAP};
use crate::fields::Fields;
use crate::ids::PluginId;

/// A plugin's gRPC call or stream in flight.
pub(crate) struct GrpcCall {
    pub(crate) plugin: PluginId,
    /// The id that was returned to the plugin.
    pub(crate) token: u32,
    /// Whether the plugin may send messages on it.
    pub(crate) kind: GrpcKind,
    /// What its server has sent.
    pub(crate) seen: GrpcSeen,
    /// Nanoseconds since the start.
    pub(crate) deadline: Option<u64>,
    pub(crate) _charge: Charge,
}

/// What a server has sent.
#[derive(Clone, Copy, Default)]
pub(crate) struct GrpcSeen {
    pub(crate) initial: bool,
    pub(crate) message: bool,
    pub(crate) trailing: bool,
}

impl GrpcSeen {
    /// With an event more.
    pub(crate) fn with(mut self, event: &GrpcEvent) -> GrpcSeen {
        match event {
            GrpcEvent::InitialMetadata(_) => self.initial = true,
            GrpcEvent::Message(_) => (self.initial, self.message) = (true, true),
            GrpcEvent::TrailingMetadata(_) => (self.initial, self.trailing) = (true, true),
            GrpcEvent::Closed { .. } => {}
        }
        self
    }
}

/// What the plugin may still send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrpcKind {
    /// A call, whose one message was sent.
    Call,
    /// A stream.
    Stream,
    /// A stream whose plugin's side is closed.
    HalfClosed,
}

/// An event from the server of a gRPC call or stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrpcEvent {
    /// The initial metadata.
    InitialMetadata(Arc<Fields>),
    /// A message.
    Message(Bytes),
    /// The trailing metadata.
    TrailingMetadata(Arc<Fields>),
    /// The end; nothing comes after it.
    Closed {
        /// gRPC's status code; 0 is success.
        status: u32,
        /// gRPC's status message.
        message: String,
    },
}

impl GrpcEvent {
    /// Bytes of memory that it takes.
    pub(crate) fn size(&self) -> usize {
        match self {
            GrpcEvent::InitialMetadata(metadata) | GrpcEvent::TrailingMetadata(metadata) => MAP + metadata.footprint(),
            GrpcEvent::Message(message) => message.len(),
            GrpcEvent::Closed { message, .. } => message.len(),
        }
    }
}
