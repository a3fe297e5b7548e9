//! Time and HTTP calls: ticks, answers, timeouts.

use std::sync::Arc;

use bytes::Bytes;

use super::{HttpCallId, PluginId, Proxy, grpc, lifecycle};
use crate::effect::{Effect, GrpcCallId};
use crate::fields::Fields;
use crate::guest::On;
use crate::http::Part;
use crate::planted::planted;
use crate::state::{HttpCallEnd, Subject};

impl Proxy {
    /// The answer to an HTTP call of a plugin's. An answer that nobody waits for any more is dropped, and
    /// one with fields that HTTP cannot carry is a failure.
    pub fn http_call_response(&mut self, call: HttpCallId, headers: Fields, body: impl Into<Bytes>, trailers: Fields) {
        let (mut headers, mut trailers) = (Arc::new(headers), Arc::new(trailers));
        if !Part::Response.receive(&mut headers) || !Part::Trailers.receive(&mut trailers) {
            return self.http_call_failed(call);
        }
        let end = HttpCallEnd { headers, body: body.into(), trailers, status: (0, "") };
        ended(self, call, end);
    }

    /// The HTTP call of a plugin's has failed.
    pub fn http_call_failed(&mut self, call: HttpCallId) {
        ended(self, call, failure("the call failed"));
    }
}

enum Due {
    Tick(PluginId),
    Timeout(HttpCallId),
    GrpcTimeout(GrpcCallId),
    Restart(PluginId),
}

pub(super) fn advance(proxy: &mut Proxy, duration: u64) {
    let until = proxy.state().uptime.saturating_add(duration);
    while let Some((time, due)) = next_due(proxy).filter(|(time, _)| *time <= until) {
        set_time(proxy, time);
        match due {
            Due::Tick(plugin) => {
                let tick = &mut proxy.state().plugins[plugin.0].tick;
                *tick = tick.and_then(|(period, due)| Some((period, due.checked_add(period)?)));
                let root = proxy.state().plugins[plugin.0].root;
                proxy.call(plugin, On::Tick, root, [root, 0, 0, 0, 0]);
                proxy.settle();
            }
            Due::Timeout(call) => {
                proxy.state().effects.push_back(Effect::CancelHttpCall { call });
                ended(proxy, call, failure("the call timed out"));
            }
            Due::GrpcTimeout(call) => grpc::timed_out(proxy, call),
            Due::Restart(plugin) => lifecycle::restart(proxy, plugin),
        }
    }
    set_time(proxy, until);
}

/// What falls due first; among several, ticks in the order of the plugins and then calls in theirs.
fn next_due(proxy: &mut Proxy) -> Option<(u64, Due)> {
    let state = proxy.state();
    let ticks = state
        .plugins
        .iter()
        .enumerate()
        .filter_map(|(index, plugin)| Some((plugin.tick?.1, Due::Tick(PluginId(index)))));
    let timeouts = state.http_calls.iter().filter_map(|(id, call)| Some((call.deadline?, Due::Timeout(*id))));
    let grpc = state.grpc_calls.iter().filter_map(|(id, call)| Some((call.deadline?, Due::GrpcTimeout(*id))));
    let plugins = state.plugins.iter().enumerate();
    let restarts = plugins.filter_map(|(index, plugin)| Some((plugin.revival.due?, Due::Restart(PluginId(index)))));
    ticks.chain(timeouts).chain(grpc).chain(restarts).min_by_key(|(time, _)| *time)
}

fn set_time(proxy: &mut Proxy, uptime: u64) {
    let state = proxy.state();
    state.now = state.now.saturating_add(uptime - state.uptime);
    state.uptime = uptime;
}

fn failure(reason: &'static str) -> HttpCallEnd {
    const UNAVAILABLE: u32 = 14;
    HttpCallEnd { status: (UNAVAILABLE, reason), ..HttpCallEnd::default() }
}

fn ended(proxy: &mut Proxy, call: HttpCallId, end: HttpCallEnd) {
    let Some(mut call) = proxy.state().http_calls.remove(&call) else { return };
    planted!(AnswerToTheLast => call.plugin = PluginId(proxy.sources.len() - 1));
    let args = [call.token, end.headers.len() as u32, end.body.len() as u32, end.trailers.len() as u32];
    proxy.call_about(call.plugin, On::HttpCallResponse, args, Subject::HttpCall(end));
    proxy.settle();
}
