//! Time, and callbacks that are not about a stream: ticks, responses to calls, timeouts, restarts.

use std::sync::Arc;

use bytes::Bytes;

use super::{Proxy, grpc, lifecycle};
use crate::callbacks::On;
use crate::effect::Effect;
use crate::fields::Fields;
use crate::http::Part;
use crate::ids::{HttpCallId, PluginId};
use crate::planted::planted;
use crate::state::{About, CallId, Charge, HttpCallEnd, Owner, Subject, Timer, Work};

impl Proxy {
    /// The response to an HTTP call of a plugin. A response to a call that was cancelled is dropped, and one with fields that
    /// HTTP cannot carry makes the call fail.
    pub fn http_call_response(&mut self, call: HttpCallId, headers: Fields, body: impl Into<Bytes>, trailers: Fields) {
        let (mut headers, mut trailers) = (Arc::new(headers), Arc::new(trailers));
        if Part::Response.receive(&mut headers).is_none() || Part::Trailers.receive(&mut trailers).is_none() {
            return self.http_call_failed(call);
        }
        let end = HttpCallEnd { headers, body: body.into(), trailers, status: (0, "") };
        self.begin();
        ended(self, call, end);
        self.run();
    }

    /// An HTTP call of a plugin has failed.
    pub fn http_call_failed(&mut self, call: HttpCallId) {
        self.begin();
        let end = failure(self, "the call failed", "503");
        ended(self, call, end);
        self.run();
    }

    /// Schedules a callback in a plugin's own context, after what is due. If it has to wait for earlier work of the plugin, its
    /// subject is charged to the plugin; false if that exceeds the plugin's limit.
    pub(super) fn about(&mut self, plugin: PluginId, on: On, args: [u32; 4], subject: Subject) -> bool {
        let state = self.state();
        let mut charge = Charge::default();
        if state.agenda.waits(Owner::Plugin(plugin))
            && let Some(found) = state.plugins.get(plugin)
        {
            match found.account.charge(subject.size(), found.limits.host_memory) {
                Some(charged) => charge = charged,
                None => return false,
            }
        }
        state.agenda.last(Work::About(Box::new(About { plugin, on, args, subject, _charge: charge })));
        true
    }
}

/// Runs a callback in a plugin's own context; its subject is dropped when the callback returns.
pub(super) fn about(proxy: &mut Proxy, About { plugin, on, args: [a, b, c, d], subject, .. }: About) {
    let Some(root) = proxy.root(plugin) else { return };
    proxy.state().active.subject = Some(Box::new(subject));
    proxy.call(plugin, on, root, [root, a, b, c, d]);
    planted!(AnswerStays => return);
    proxy.state().active.subject = None;
}

/// Advances the time, and does what is due then and what earlier events have left.
pub(super) fn advance(proxy: &mut Proxy, duration: u64) {
    proxy.begin();
    let state = proxy.state();
    let until = state.uptime.saturating_add(duration);
    state.now = state.now.saturating_add(until - state.uptime);
    state.uptime = until;
    state.agenda.resume();
    for timer in state.timers.take_due(until) {
        state.agenda.last(Work::Due(timer));
    }
    proxy.run();
}

/// A timer is due, unless it was cancelled since.
pub(super) fn due(proxy: &mut Proxy, timer: Timer) {
    let plugin = timer.plugin();
    let now = proxy.state().uptime;
    match timer {
        Timer::Tick(_) => {
            let state = proxy.state();
            let Some(found) = state.plugins.get_mut(plugin) else { return };
            let Some((period, _)) = found.tick.filter(|(_, due)| *due <= now) else { return };
            // After a stall there is one tick, and the next one a full period later.
            found.tick = now.checked_add(period).map(|due| (period, due));
            if let Some((_, due)) = found.tick {
                state.timers.set(due, timer);
            }
            if let Some(root) = proxy.root(plugin) {
                proxy.call(plugin, On::proxy_on_tick, root, [root, 0, 0, 0, 0]);
            }
        }
        Timer::HttpCall(call, _) => {
            if proxy.state().http_calls.contains_key(&call) {
                proxy.state().effect(Effect::CancelHttpCall { call });
                let end = failure(proxy, "the call timed out", "504");
                ended(proxy, call, end);
                // Another call that is due now stays in flight until its own timer is handled.
                proxy.state().agenda.last_is_next();
            }
        }
        Timer::GrpcCall(call, _) => grpc::timed_out(proxy, call),
        Timer::Restart(_) => lifecycle::restart(proxy, plugin),
    }
}

/// The end of a call that has failed; `status` is that of a response of the host's own.
fn failure(proxy: &mut Proxy, reason: &'static str, status: &str) -> HttpCallEnd {
    const UNAVAILABLE: u32 = 14;
    let has_response = proxy.state().config.choices.failed_calls_have_responses;
    let headers = if has_response { Arc::new(Fields::from([(":status", status)])) } else { Arc::default() };
    HttpCallEnd { headers, status: (UNAVAILABLE, reason), ..HttpCallEnd::default() }
}

fn ended(proxy: &mut Proxy, call: HttpCallId, end: HttpCallEnd) {
    let state = proxy.state();
    let Some((mut plugin, token)) = state.http_calls.get(&call).map(|call| (call.plugin, call.token)) else { return };
    state.remove_call(CallId::Http(call));
    planted!(AnswerToTheLast => plugin = proxy.sources.last_key_value().map_or(plugin, |(last, _)| *last));
    let args = [token, end.headers.len() as u32, end.body.len() as u32, end.trailers.len() as u32];
    if !proxy.about(plugin, On::proxy_on_http_call_response, args, Subject::HttpCall(end)) {
        let end = failure(proxy, "the answer has no room", "503");
        let args = [token, end.headers.len() as u32, 0, 0];
        let subject = Subject::HttpCall(end);
        let waits = About { plugin, on: On::proxy_on_http_call_response, args, subject, _charge: Charge::default() };
        proxy.state().agenda.last(Work::About(Box::new(waits)));
    }
}
