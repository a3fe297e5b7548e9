//! The section "HTTP calls".

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pw_abi::{HttpCalls, Status};

use crate::HttpCallId;
use crate::effect::Effect;
use crate::http::{self, Part};
use crate::state::{HttpCall, State, unused};

impl HttpCalls for State {
    /// A content length becomes that of the body. A timeout of 0 is none. The answer goes to the plugin's own context, whichever context asked.
    fn proxy_http_call(
        &mut self,
        upstream: &[u8],
        headers: &[u8],
        body: &[u8],
        trailers: &[u8],
        timeout: u32,
    ) -> Result<u32, Status> {
        let upstream = self.upstream(upstream).ok_or(Status::BAD_ARGUMENT)?;
        let most = self.limits().fields;
        let headers = Part::Request.read(headers, most, Status::BAD_ARGUMENT)?;
        let trailers = Part::Trailers.read(trailers, most, Status::BAD_ARGUMENT)?;
        if [":authority", ":method", ":path"].iter().any(|name| headers.get(name.as_bytes()).is_none()) {
            return Err(Status::BAD_ARGUMENT);
        }
        let (mut headers, mut trailers) = (Arc::new(headers), Arc::new(trailers));
        http::set_content_length(&mut headers, Some(body.len()));
        http::tidy(&mut headers);
        http::tidy(&mut trailers);
        self.check_calls()?;
        let timeout = (timeout > 0).then(|| Duration::from_millis(timeout.into()));
        let deadline = timeout.and_then(|timeout| self.uptime.checked_add(timeout.as_nanos() as u64));
        let (call, plugin) = (HttpCallId(self.next_call), self.active.plugin);
        self.next_call += 1;
        let token = self.next_token();
        self.http_calls.insert(call, HttpCall { plugin, token, deadline });
        let body = Bytes::copy_from_slice(body);
        self.effects.push_back(Effect::HttpCall { call, plugin, upstream, headers, body, trailers, timeout });
        Ok(token)
    }
}

impl State {
    /// An upstream that plugins may call.
    pub(super) fn upstream(&self, name: &[u8]) -> Option<String> {
        let allowed = self.config.upstreams.as_ref();
        let name = str::from_utf8(name).ok();
        name.filter(|name| allowed.is_none_or(|allowed| allowed.iter().any(|known| known == name))).map(str::to_owned)
    }

    /// A plugin has so many calls in flight at most.
    pub(super) fn check_calls(&self) -> Result<(), Status> {
        let plugin = self.active.plugin;
        let http = self.http_calls.values().filter(|call| call.plugin == plugin).count();
        let grpc = self.grpc_calls.values().filter(|call| call.plugin == plugin).count();
        if http + grpc < self.limits().calls { Ok(()) } else { Err(Status::INTERNAL_FAILURE) }
    }

    /// An id for a call of the active plugin's.
    pub(super) fn next_token(&mut self) -> u32 {
        self.vm().map_or(0, |vm| unused(&mut vm.next_call, |_| false))
    }
}
