//! The section "HTTP calls".

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pw_abi::{HttpCalls, Status};

use crate::effect::Effect;
use crate::http::{self, Facts, Part};
use crate::ids::{HttpCallId, PluginId};
use crate::planted::planted;
use crate::state::account::{CALL, EFFECT, MAP};
use crate::state::{CallId, HttpCall, State, Timer, Vm};

impl HttpCalls for State {
    /// A content length is corrected to that of the body. A timeout of 0 means none. The response goes to the plugin's own context,
    /// whichever context made the call.
    fn proxy_http_call(
        &mut self,
        upstream: &[u8],
        headers: &[u8],
        body: &[u8],
        trailers: &[u8],
        timeout: u32,
    ) -> Result<u32, Status> {
        let upstream = self.upstream(upstream).ok_or(Status::BAD_ARGUMENT)?;
        let size = upstream.len() + 2 * (headers.len() + trailers.len()) + body.len() + 2 * MAP;
        if !self.has_room(CALL + EFFECT + size) {
            return Err(Status::INTERNAL_FAILURE);
        }
        let max = self.limits().fields;
        let headers = Part::Request.read(headers, max, Status::BAD_ARGUMENT)?;
        let trailers = Part::Trailers.read(trailers, max, Status::BAD_ARGUMENT)?;
        let facts = Facts::of(&headers);
        if !facts.authority || !facts.method || !facts.path || !Part::Request.is_whole(&facts) {
            return Err(Status::BAD_ARGUMENT);
        }
        let (mut headers, mut trailers) = (Arc::new(headers), Arc::new(trailers));
        http::set_content_length(&mut headers, Some(body.len()));
        http::normalize_known(&mut headers, &facts);
        http::normalize(&mut trailers);
        self.check_calls()?;
        let timeout = (timeout > 0).then(|| Duration::from_millis(timeout.into()));
        let mut deadline = timeout.and_then(|timeout| self.uptime.checked_add(timeout.as_nanos() as u64));
        planted!(TimeoutOnAWheel => deadline = deadline.and_then(|due| due.checked_next_multiple_of(100_000_000)));
        let (call, plugin) = (HttpCallId(self.next_call), self.active.plugin);
        self.next_call += 1;
        let token = self.next_token();
        let charge = self.charge(CALL)?;
        if let Some(deadline) = deadline {
            self.timers.set(deadline, Timer::HttpCall(call, plugin));
        }
        self.plugin().calls.insert(token, CallId::Http(call));
        self.http_calls.insert(call, HttpCall { plugin, token, deadline, _charge: charge });
        let (upstream, body) = (upstream.to_owned(), Bytes::copy_from_slice(body));
        self.plugin_effect(Effect::HttpCall { call, plugin, upstream, headers, body, trailers, timeout }, size)?;
        Ok(token)
    }
}

impl State {
    /// The name of an upstream, if plugins may call it.
    pub(super) fn upstream<'a>(&self, name: &'a [u8]) -> Option<&'a str> {
        let allowed = self.config.upstreams.as_ref();
        let name = str::from_utf8(name).ok();
        name.filter(|name| allowed.is_none_or(|allowed| allowed.iter().any(|known| known == name)))
    }

    /// Fails if the plugin has the maximum number of calls in flight.
    pub(super) fn check_calls(&mut self) -> Result<(), Status> {
        let plugin = self.plugin();
        if plugin.calls.len() < plugin.limits.calls { Ok(()) } else { Err(Status::INTERNAL_FAILURE) }
    }

    /// An id for a new call of the active plugin.
    pub(super) fn next_token(&mut self) -> u32 {
        let State { plugins, vms, active, .. } = self;
        let Some(vm) = plugins.get(active.plugin).and_then(|plugin| plugin.vm).and_then(|vm| vms.get_mut(vm)) else {
            return 0;
        };
        let Vm { plugins: members, calls, .. } = vm;
        let has = |member: &PluginId, id| plugins.get(*member).is_some_and(|found| found.calls.contains_key(&id));
        calls.next(|id| members.iter().any(|member| has(member, id)))
    }
}
