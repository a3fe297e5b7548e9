//! Answers to the calls of plugins, and time.

use proxy_wasm_host::HeaderMapExt;
use proxy_wasm_host::abi::v0_2_1::{GrpcStatus, GuestError, HttpCallResponse};
use serde_json::Value;

use super::{Plugin, Proxy, Scope};
use crate::data::{bytes, fields};
use crate::services::Call;

/// gRPC's status codes.
const DEADLINE_EXCEEDED: u32 = 4;
pub(super) const UNAVAILABLE: u32 = 14;

impl Proxy {
    /// Calls the plugin that has made a call, unless the call has ended.
    fn deliver(&mut self, call: Call, deliver: impl FnOnce(&mut Scope<'_>) -> Result<(), GuestError>) {
        let Some(vm) = self.vms.iter().position(|vm| vm.guest.id() == call.guest) else { return };
        let Some(open) = self.vms[vm].guest.open_callout(call.id) else { return };
        let caller = |plugin: &Plugin| (plugin.vm, plugin.root) == (vm, open.root);
        if let Some(plugin) = self.plugins.iter().position(caller) {
            self.call(plugin, deliver);
            self.obey();
        }
    }

    pub(super) fn http_response(&mut self, call: Call, response: HttpCallResponse<'static>) {
        self.deliver(call, |scope| scope.on_http_call_response(call.context, call.id, response));
    }

    pub(super) fn grpc_closed(&mut self, call: Call, code: u32, message: &str) {
        let status = GrpcStatus::new(code, message);
        self.deliver(call, |scope| scope.on_grpc_close(call.context, call.id, status));
    }

    pub(super) fn grpc_event(&mut self, call: Call, kind: &str, step: &Value) {
        let pairs = fields(&step["metadata"]).pairs();
        let metadata = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        match kind {
            "grpc_initial_metadata" => {
                self.deliver(call, |scope| scope.on_grpc_receive_initial_metadata(call.context, call.id, metadata))
            }
            "grpc_message" => {
                let message = bytes(&step["message"]);
                self.deliver(call, |scope| scope.on_grpc_receive(call.context, call.id, message.into()));
            }
            "grpc_close" => {
                self.deliver(call, |scope| scope.on_grpc_receive_trailing_metadata(call.context, call.id, metadata));
                let code = step["status"].as_u64().unwrap_or_default() as u32;
                self.grpc_closed(call, code, step["message"].as_str().unwrap_or_default());
            }
            _ => self.grpc_closed(call, UNAVAILABLE, "reset"),
        }
    }

    /// Lets time pass: what falls due happens at its time, timers before timeouts.
    pub(super) fn advance(&mut self, milliseconds: u64) {
        let until = self.services.uptime().saturating_add(milliseconds.saturating_mul(1_000_000));
        loop {
            let tick = |plugin: &Plugin| plugin.tick.map(|(_, due)| due);
            let ticks = self.plugins.iter().filter_map(tick).min();
            let desk = self.services.desk();
            let calls = desk.http_calls.iter().chain(&desk.grpc_calls).filter_map(|call| call.due).min();
            drop(desk);
            let Some(due) = ticks.into_iter().chain(calls).min().filter(|due| *due <= until) else { break };
            self.services.set_uptime(due);
            for plugin in 0..self.plugins.len() {
                let Plugin { tick: Some((period, at)), root, .. } = self.plugins[plugin] else { continue };
                if at <= due {
                    self.plugins[plugin].tick = Some((period, due + period));
                    self.call(plugin, |scope| scope.on_tick(root));
                    self.settle();
                }
            }
            self.time_out(due);
        }
        self.services.set_uptime(until);
    }

    /// Ends the calls whose time is over.
    fn time_out(&mut self, now: u64) {
        let take = |calls: &mut Vec<Call>| -> Vec<Call> {
            let late = calls.iter_mut().filter(|call| call.due.is_some_and(|due| due <= now));
            late.map(|call| {
                call.due = None;
                *call
            })
            .collect()
        };
        let mut desk = self.services.desk();
        let (http, grpc) = (take(&mut desk.http_calls), take(&mut desk.grpc_calls));
        drop(desk);
        for call in http {
            self.http_response(call, HttpCallResponse::failed());
            self.settle();
        }
        for call in grpc {
            self.grpc_closed(call, DEADLINE_EXCEEDED, "the call timed out");
            self.settle();
        }
    }
}
