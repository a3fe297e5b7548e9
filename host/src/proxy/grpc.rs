//! gRPC calls and streams: events from their servers go to the plugins.

use std::sync::Arc;

use super::{Proxy, wire};
use crate::callbacks::On;
use crate::effect::Effect;
use crate::ids::GrpcCallId;
use crate::state::{About, CallId, Charge, GrpcEvent, GrpcKind, Subject, Work};

impl Proxy {
    /// An event from the server of a plugin's gRPC call or stream. It is dropped if the call was cancelled; metadata that HTTP cannot
    /// carry ends the call.
    pub fn grpc_event(&mut self, call: GrpcCallId, event: GrpcEvent) {
        self.begin();
        received(self, call, event);
        self.run();
    }
}

fn received(proxy: &mut Proxy, call: GrpcCallId, event: GrpcEvent) {
    let event = wire::checked(proxy, call, event);
    let choices = proxy.state().config.choices;
    let Some(found) = proxy.state().grpc_calls.get_mut(&call) else { return };
    let is_call = found.kind == GrpcKind::Call;
    let seen = found.seen;
    found.seen = seen.with(&event);
    if is_call && seen.message && matches!(event, GrpcEvent::Closed { .. }) && !choices.answered_grpc_calls_are_closed {
        return proxy.state().remove_call(CallId::Grpc(call));
    }
    if !is_call && choices.grpc_metadata_always_comes {
        if !seen.initial && !matches!(event, GrpcEvent::InitialMetadata(_)) {
            delivered(proxy, call, GrpcEvent::InitialMetadata(Arc::default()));
        }
        if !seen.trailing && matches!(event, GrpcEvent::Closed { .. }) {
            delivered(proxy, call, GrpcEvent::TrailingMetadata(Arc::default()));
        }
    }
    delivered(proxy, call, event);
}

/// Schedules the callback for an event.
fn delivered(proxy: &mut Proxy, call: GrpcCallId, event: GrpcEvent) {
    let state = proxy.state();
    let Some(found) = state.grpc_calls.get(&call) else { return };
    let (plugin, token) = (found.plugin, found.token);
    let (on, number) = match &event {
        GrpcEvent::InitialMetadata(metadata) => (On::proxy_on_grpc_receive_initial_metadata, metadata.len() as u32),
        GrpcEvent::Message(message) => (On::proxy_on_grpc_receive, message.len() as u32),
        GrpcEvent::TrailingMetadata(metadata) => (On::proxy_on_grpc_receive_trailing_metadata, metadata.len() as u32),
        GrpcEvent::Closed { status, .. } => {
            state.remove_call(CallId::Grpc(call));
            (On::proxy_on_grpc_close, *status)
        }
    };
    if !proxy.about(plugin, on, [token, number, 0, 0], Subject::Grpc(event)) {
        // What waits for the plugin exceeds its limit: the call ends, and the plugin gets only that event.
        const RESOURCE_EXHAUSTED: u32 = 8;
        let state = proxy.state();
        if state.grpc_calls.contains_key(&call) {
            state.remove_call(CallId::Grpc(call));
            state.effect(Effect::CancelGrpcCall { call });
        }
        let message = "more waits for the plugin than it may hold".to_owned();
        let subject = Subject::Grpc(GrpcEvent::Closed { status: RESOURCE_EXHAUSTED, message });
        let (on, args) = (On::proxy_on_grpc_close, [token, RESOURCE_EXHAUSTED, 0, 0]);
        state.agenda.last(Work::About(Box::new(About { plugin, on, args, subject, _charge: Charge::default() })));
    }
}

pub(super) fn timed_out(proxy: &mut Proxy, call: GrpcCallId) {
    const DEADLINE_EXCEEDED: u32 = 4;
    const UNAVAILABLE: u32 = 14;
    if proxy.state().grpc_calls.contains_key(&call) {
        proxy.state().effect(Effect::CancelGrpcCall { call });
        let status = match proxy.state().config.choices.grpc_timeouts_are_unavailable {
            true => UNAVAILABLE,
            false => DEADLINE_EXCEEDED,
        };
        let event = GrpcEvent::Closed { status, message: "the call timed out".to_owned() };
        received(proxy, call, event);
        // Another call that is due now stays in flight until its own timer is handled.
        proxy.state().agenda.last_is_next();
    }
}
