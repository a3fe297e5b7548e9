//! The section "gRPC calls".
//!
//! All ids of a plugin's calls, HTTP and gRPC, are different. The id of a call in flight of the wrong kind is a bad argument, any
//! other id is not found.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pw_abi::{GrpcCalls, Status};

use crate::effect::Effect;
use crate::http::{self, Part};
use crate::ids::GrpcCallId;
use crate::planted::planted;
use crate::state::account::{CALL, EFFECT, MAP};
use crate::state::{CallId, GrpcCall, GrpcKind, GrpcSeen, State, Timer};

impl GrpcCalls for State {
    /// The timeout is in milliseconds; 0: no timeout.
    fn proxy_grpc_call(
        &mut self,
        upstream: &[u8],
        service: &[u8],
        method: &[u8],
        metadata: &[u8],
        message: &[u8],
        timeout: u32,
    ) -> Result<u32, Status> {
        let timeout = (timeout > 0).then(|| Duration::from_millis(timeout.into()));
        // Room for both the call and its message is checked first.
        let (call, token) =
            self.open([upstream, service, method, metadata], GrpcKind::Call, timeout, message.len() + EFFECT)?;
        self.send(call, Some(message), true)?;
        Ok(token)
    }

    fn proxy_grpc_stream(
        &mut self,
        upstream: &[u8],
        service: &[u8],
        method: &[u8],
        metadata: &[u8],
    ) -> Result<u32, Status> {
        self.open([upstream, service, method, metadata], GrpcKind::Stream, None, 0).map(|(_, token)| token)
    }

    fn proxy_grpc_send(&mut self, stream: u32, message: &[u8], end_stream: bool) -> Result<(), Status> {
        let choices = self.config.choices;
        let (call, kind) = self.grpc_call(stream)?;
        match *kind {
            GrpcKind::Stream => {}
            GrpcKind::HalfClosed if choices.late_grpc_messages_are_dropped => return Ok(()),
            GrpcKind::Call if choices.call_ids_of_another_kind_are_not_found => return Err(Status::NOT_FOUND),
            GrpcKind::HalfClosed | GrpcKind::Call => return Err(Status::BAD_ARGUMENT),
        }
        self.send(call, Some(message), end_stream)?;
        if end_stream && let Some(found) = self.grpc_calls.get_mut(&call) {
            found.kind = GrpcKind::HalfClosed;
        }
        Ok(())
    }

    /// The call has no more callbacks.
    fn proxy_grpc_cancel(&mut self, call_or_stream: u32) -> Result<(), Status> {
        let (call, _) = self.grpc_call(call_or_stream)?;
        self.remove_call(CallId::Grpc(call));
        // Its cost was charged when the call began.
        self.effect(Effect::CancelGrpcCall { call });
        Ok(())
    }

    /// Ends the plugin's side of a stream, on which the server may continue. That side of a call has ended already, so that the call
    /// is cancelled.
    fn proxy_grpc_close(&mut self, call_or_stream: u32) -> Result<(), Status> {
        let choices = self.config.choices;
        let (call, kind) = self.grpc_call(call_or_stream)?;
        match *kind {
            GrpcKind::Call => return self.proxy_grpc_cancel(call_or_stream),
            GrpcKind::HalfClosed if choices.closes_grpc_again => {}
            GrpcKind::HalfClosed => return Err(Status::BAD_ARGUMENT),
            GrpcKind::Stream => {
                self.send(call, None, true)?;
                planted!(CloseIsFinal => {
                    self.remove_call(CallId::Grpc(call));
                    return Ok(());
                });
                if let Some(found) = self.grpc_calls.get_mut(&call) {
                    found.kind = GrpcKind::HalfClosed;
                }
            }
        }
        Ok(())
    }
}

impl State {
    /// Opens a call or stream: upstream, service, method, initial metadata. `more` bytes must have room too.
    ///
    /// # Errors
    ///
    /// PARSE_FAILURE if one of them does not parse or is not HTTP, or if the plugin may not call the upstream; INTERNAL_FAILURE if a
    /// limit is exceeded.
    fn open(
        &mut self,
        [upstream, service, method, metadata]: [&[u8]; 4],
        kind: GrpcKind,
        timeout: Option<Duration>,
        more: usize,
    ) -> Result<(GrpcCallId, u32), Status> {
        let upstream = self.upstream(upstream).ok_or(Status::PARSE_FAILURE)?;
        let text = |bytes| {
            let text = str::from_utf8(bytes).ok().filter(|text| http::is_path_segment(text.as_bytes()));
            text.ok_or(Status::PARSE_FAILURE)
        };
        let (service, method) = (text(service)?, text(method)?);
        let size = upstream.len() + service.len() + method.len() + MAP + 2 * metadata.len() + EFFECT;
        if !self.has_room(CALL + EFFECT + size + more) {
            return Err(Status::INTERNAL_FAILURE);
        }
        let max = self.limits().fields;
        let mut metadata = Arc::new(Part::Trailers.read(metadata, max, Status::PARSE_FAILURE)?);
        http::normalize(&mut metadata);
        self.check_calls()?;
        let charge = self.charge(CALL)?;
        let plugin = self.active.plugin;
        let call = GrpcCallId(self.next_call);
        self.next_call += 1;
        let token = self.next_token();
        let deadline = timeout.and_then(|timeout| self.uptime.checked_add(timeout.as_nanos() as u64));
        if let Some(deadline) = deadline {
            self.timers.set(deadline, Timer::GrpcCall(call, plugin));
        }
        self.plugin().calls.insert(token, CallId::Grpc(call));
        self.grpc_calls
            .insert(call, GrpcCall { plugin, token, kind, seen: GrpcSeen::default(), deadline, _charge: charge });
        let [upstream, service, method] = [upstream, service, method].map(str::to_owned);
        self.plugin_effect(Effect::GrpcCall { call, plugin, upstream, service, method, metadata, timeout }, size)?;
        Ok((call, token))
    }

    /// Sends a message, the end of the stream, or both.
    fn send(&mut self, call: GrpcCallId, message: Option<&[u8]>, end_of_stream: bool) -> Result<(), Status> {
        let size = message.map_or(0, <[u8]>::len);
        if !self.has_room(EFFECT + size) {
            return Err(Status::INTERNAL_FAILURE);
        }
        let message = message.map(Bytes::copy_from_slice);
        self.plugin_effect(Effect::GrpcSend { call, message, end_of_stream }, size)
    }

    /// The active plugin's call or stream of that id.
    fn grpc_call(&mut self, token: u32) -> Result<(GrpcCallId, &mut GrpcKind), Status> {
        let choices = self.config.choices;
        match self.plugin().calls.get(&token).copied() {
            Some(CallId::Grpc(id)) => {
                let call = self.grpc_calls.get_mut(&id).ok_or(Status::NOT_FOUND)?;
                Ok((id, &mut call.kind))
            }
            Some(CallId::Http(_)) if choices.call_ids_of_another_kind_are_not_found => Err(Status::NOT_FOUND),
            None if choices.unknown_grpc_ids_are_not_found => Err(Status::NOT_FOUND),
            Some(CallId::Http(_)) | None => Err(Status::BAD_ARGUMENT),
        }
    }
}
