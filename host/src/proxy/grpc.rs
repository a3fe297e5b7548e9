//! gRPC calls and streams: what their servers say goes to the plugins.

use super::{Proxy, wire};
use crate::effect::{Effect, GrpcCallId};
use crate::guest::On;
use crate::state::{GrpcEvent, Subject};

impl Proxy {
    /// The server of a plugin's gRPC call or stream says something. What nobody waits for any more is dropped; metadata that HTTP
    /// cannot carry ends it.
    pub fn grpc_event(&mut self, call: GrpcCallId, event: GrpcEvent) {
        let Some(found) = self.state().grpc_calls.get(&call) else { return };
        let (plugin, token) = (found.plugin, found.token);
        let event = wire::sound(self, call, event);
        let (on, number) = match &event {
            GrpcEvent::InitialMetadata(metadata) => (On::GrpcReceiveInitialMetadata, metadata.len() as u32),
            GrpcEvent::Message(message) => (On::GrpcReceive, message.len() as u32),
            GrpcEvent::TrailingMetadata(metadata) => (On::GrpcReceiveTrailingMetadata, metadata.len() as u32),
            GrpcEvent::Closed { status, .. } => {
                self.state().grpc_calls.remove(&call);
                (On::GrpcClose, *status)
            }
        };
        self.call_about(plugin, on, [token, number, 0, 0], Subject::Grpc(event));
        self.settle();
    }
}

pub(super) fn timed_out(proxy: &mut Proxy, call: GrpcCallId) {
    const DEADLINE_EXCEEDED: u32 = 4;
    proxy.state().effects.push_back(Effect::CancelGrpcCall { call });
    proxy.grpc_event(call, GrpcEvent::Closed { status: DEADLINE_EXCEEDED, message: "the call timed out".to_owned() });
}
