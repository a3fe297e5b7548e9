//! How streams and contexts end.

use proxy_wasm_host::VecHeaderMap;
use proxy_wasm_host::abi::v0_2_1::types::PeerType;
use proxy_wasm_host::abi::v0_2_1::{ContextId, ContextState};
use serde_json::json;

use super::Proxy;
use super::messages::{body_part, headers_part};
use crate::stream::{REQUEST, RESPONSE};

impl Proxy {
    /// A plugin, or the proxy, responds instead of the upstream.
    pub(super) fn respond(&mut self, stream: u32, headers: VecHeaderMap, body: Vec<u8>) {
        let Some(found) = self.live(stream).filter(|found| !found.messages[RESPONSE].sent) else { return };
        let message = &mut found.messages[RESPONSE];
        message.headers = headers.clone();
        message.size = body.len() as u64;
        self.reset_upstream(stream);
        self.event(stream, RESPONSE, headers_part(&headers, body.is_empty()));
        if !body.is_empty() {
            self.event(stream, RESPONSE, body_part(&body, true));
        }
        self.end(stream);
    }

    /// The stream cannot go on: the client gets status 503, or a reset if it has a part of the response.
    pub(super) fn fail(&mut self, stream: u32) {
        let Some(found) = self.live(stream) else { return };
        if found.tcp || found.messages[RESPONSE].sent {
            return self.reset(stream);
        }
        self.respond(stream, [(b":status".to_vec(), b"503".to_vec())].into_iter().collect(), Vec::new());
    }

    /// Resets a stream on both sides.
    pub(super) fn reset(&mut self, stream: u32) {
        if self.live(stream).is_some() {
            self.reset_upstream(stream);
            self.event(stream, RESPONSE, json!({ "part": "reset" }));
            self.end(stream);
        }
    }

    /// Resets the request at the upstream, unless both sides of the exchange have ended.
    pub(super) fn reset_upstream(&mut self, stream: u32) {
        let Some(found) = self.live(stream) else { return };
        let [request, response] = &found.messages;
        if request.sent && !found.upstream_gone && !(request.complete && response.ended) {
            self.event(stream, REQUEST, json!({ "part": "reset" }));
        }
    }

    pub(super) fn client_reset(&mut self, stream: u32) {
        let Some(found) = self.live(stream) else { return };
        found.closed_by = (PeerType::Remote, PeerType::Local);
        self.reset_upstream(stream);
        self.end(stream);
    }

    pub(super) fn upstream_reset(&mut self, stream: u32) {
        let Some(found) = self.live(stream).filter(|found| found.messages[REQUEST].sent) else { return };
        found.closed_by = (PeerType::Local, PeerType::Remote);
        found.upstream_gone = true;
        self.fail(stream);
    }

    /// The stream is over: nothing moves any more, and its contexts end.
    pub(super) fn end(&mut self, stream: u32) {
        let Some(found) = self.live(stream) else { return };
        found.over = true;
        let (downstream, upstream) = found.closed_by;
        let (tcp, connected) = (found.tcp, found.messages[REQUEST].sent);
        let contexts = found.filters.iter().filter_map(|filter| Some((filter.plugin, filter.context?)));
        let contexts: Vec<_> = contexts.collect();
        if tcp {
            for (plugin, context) in contexts.iter().filter(|_| connected) {
                self.call(*plugin, |scope| scope.on_upstream_connection_close(*context, upstream));
            }
            for (plugin, context) in &contexts {
                self.call(*plugin, |scope| scope.on_downstream_connection_close(*context, downstream));
            }
        }
        for (plugin, context) in contexts {
            self.done(plugin, context);
        }
    }

    /// A context ends, or waits until its plugin calls `proxy_done`.
    fn done(&mut self, plugin: usize, context: ContextId) {
        match self.call(plugin, |scope| scope.on_done(context)) {
            Some(true) => self.delete(plugin, context),
            Some(false) => self.pending.push((plugin, context)),
            None => {}
        }
    }

    /// Takes the contexts for which `proxy_done` was called since.
    pub(super) fn take_done(&mut self) -> Vec<(usize, ContextId)> {
        let (vms, plugins) = (&self.vms, &self.plugins);
        let is_done = |(plugin, context): &mut (usize, ContextId)| {
            let guest = &vms[plugins[*plugin].vm].guest;
            guest.context_state(*context) == Some(ContextState::Done) && !guest.has_stream_contexts(*context)
        };
        self.pending.extract_if(.., is_done).collect()
    }

    /// A context is logged, if it is that of a stream, and deleted.
    pub(super) fn delete(&mut self, plugin: usize, context: ContextId) {
        let is_root = self.plugins[plugin].root == context;
        let guest = &self.vms[self.plugins[plugin].vm].guest;
        if guest.has_stream_contexts(context) {
            return self.pending.push((plugin, context));
        }
        let id = guest.id();
        let ended = self.call(plugin, |scope| {
            if !is_root {
                scope.on_log(context)?;
            }
            scope.on_delete(context)
        });
        self.services.desk().abandon(id, ended.into_iter().flatten());
        if is_root {
            self.plugins[plugin].tick = None;
        }
        for filter in self.streams.streams.values_mut().flat_map(|stream| &mut stream.filters) {
            if filter.guest == id && filter.context == Some(context) {
                filter.context = None;
            }
        }
    }

    /// The operator removes all plugins.
    pub(super) fn shutdown(&mut self) {
        let streams: Vec<u32> = self.streams.streams.keys().copied().collect();
        streams.into_iter().for_each(|stream| self.reset(stream));
        self.obey();
        for plugin in 0..self.plugins.len() {
            self.done(plugin, self.plugins[plugin].root);
            self.obey();
        }
    }
}
