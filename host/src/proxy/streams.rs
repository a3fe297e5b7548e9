//! Streams: how messages move through a chain of plugins.
//!
//! A message moves piece by piece from plugin to plugin, requests in the order of the chain and responses against it.
//! What a plugin holds back lies in its [`Stage`](crate::state::Stage). Pausing from headers holds back everything
//! behind them, without callbacks; pausing from the body goes on calling back, with all that was held so far. A TCP
//! connection is two messages whose headers, without fields, are its opening, and whose bodies are its bytes.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use pw_abi::PeerType;

use super::{PluginId, Proxy, StreamId, StreamInfo, lifecycle, rollout, shadow, tcp, wire};
use crate::effect::{Effect, Piece};
use crate::fields::Fields;
use crate::guest::On;
use crate::http::Progress;
use crate::planted::planted;
use crate::state::{
    Context, Deferred, Direction, Filter, LocalResponse, Message, Phase, Protocol, Shadow, Stage, Stream,
};

impl Proxy {
    /// A client has opened an HTTP stream, which is to run through these plugins, or through those that have their places
    /// by now; not through those that are retired. It fails if one of them is gone.
    ///
    /// # Panics
    ///
    /// Panics if a plugin is not of this proxy.
    pub fn open_stream(&mut self, plugins: &[PluginId], info: StreamInfo) -> StreamId {
        self.open(plugins, info, Protocol::Http)
    }

    pub(super) fn open(&mut self, plugins: &[PluginId], info: StreamInfo, protocol: Protocol) -> StreamId {
        let state = self.state();
        let serial = state.next_serial;
        let mut chain = Vec::with_capacity(plugins.len());
        plugins.iter().for_each(|plugin| rollout::choose(state, *plugin, serial, &mut chain));
        let plugins = chain;
        let id = insert(self, &plugins, info, protocol, None);
        for (place, plugin) in plugins.into_iter().enumerate() {
            // A plugin that faults may have ended the stream for those behind it, which then do not hear of it.
            if self.state().find(id).is_none_or(|found| found.over) {
                break;
            }
            if tell(self, id, place).is_none() && self.state().plugins[plugin.0].log_only {
                let copy = shadow::open(self, id, plugin);
                if let Some(found) = self.state().find(id) {
                    found.filters[place].shadow = copy;
                }
            }
        }
        self.settle();
        id
    }

    /// A piece of the request came from the client. What cannot come before or behind what came is dropped, such as a body
    /// without headers, headers once more, or anything after the end. Fields that HTTP cannot carry end the stream with a 400.
    pub fn request(&mut self, stream: StreamId, piece: Piece) {
        self.message(stream, Direction::Request, piece);
    }

    /// A piece of the response came from the upstream; dropped as those of requests are. Headers of informational responses
    /// come before the others. Fields that HTTP cannot carry end the stream as [`Proxy::upstream_reset`] does.
    pub fn response(&mut self, stream: StreamId, piece: Piece) {
        self.message(stream, Direction::Response, piece);
    }

    /// The client gave the stream up.
    pub fn downstream_reset(&mut self, stream: StreamId) {
        if let Some(found) = self.state().find(stream).filter(|found| !found.over) {
            let contacted = found.request.sent;
            found.closed_by(PeerType::REMOTE, PeerType::LOCAL);
            if contacted {
                self.state().emit(stream, Effect::ResetUpstream { stream });
            }
            end(self, stream);
            self.settle();
        }
    }

    /// The upstream gave the stream up: the client gets a 503, or is cut off if it has part of a response. That of a
    /// TCP stream is cut off.
    pub fn upstream_reset(&mut self, stream: StreamId) {
        if let Some(found) = self.state().find(stream).filter(|found| !found.over) {
            found.closed_by(PeerType::LOCAL, PeerType::REMOTE);
        }
        fail(self, stream);
        self.settle();
    }

    pub(super) fn message(&mut self, stream: StreamId, direction: Direction, mut piece: Piece) {
        if let Some(found) = self.state().find(stream).filter(|found| !found.over) {
            let http = found.protocol == Protocol::Http;
            if !found.message(direction).takes(&piece, http) {
                return;
            }
            if !http || wire::enters(self, stream, direction, &mut piece) {
                feed(self, stream, direction, 0, piece);
            }
            self.settle();
        }
    }
}

/// Puts a stream into the books, with ids for its plugins' contexts; only on a shadow for those that are log-only.
pub(super) fn insert(
    proxy: &mut Proxy,
    plugins: &[PluginId],
    info: StreamInfo,
    protocol: Protocol,
    shadow: Option<Shadow>,
) -> StreamId {
    let state = proxy.state();
    let id = StreamId { index: state.streams.vacant_key(), serial: state.next_serial, shadow: shadow.is_some() };
    state.next_serial += u64::from(shadow.is_none());
    let mut filters = Vec::with_capacity(plugins.len());
    for plugin in plugins {
        let owner = &state.plugins[plugin.0];
        let gone = owner.vm.is_none() || owner.log_only && shadow.is_none();
        let context = if gone { 0 } else { state.new_context(*plugin) };
        let (request, response) = (Stage::default(), Stage::default());
        filters.push(Filter { plugin: *plugin, context, gone, shadow: None, request, response });
    }
    let (request, response) = (Message::default(), Message::default());
    let (started, properties) = (state.now, Default::default());
    state.streams.insert(Stream {
        id,
        protocol,
        info,
        started,
        filters,
        request,
        response,
        local: None,
        closed: false,
        properties,
        properties_size: 0,
        over: false,
        shadow,
    });
    id
}

/// Begins the context of a plugin in a stream's chain; none if the plugin is not there.
pub(super) fn tell(proxy: &mut Proxy, stream: StreamId, place: usize) -> Option<()> {
    let filter = proxy.state().find(stream)?.filters.get(place).filter(|filter| !filter.gone)?;
    let (plugin, context) = (filter.plugin, filter.context);
    let owner = &mut proxy.state().plugins[plugin.0];
    owner.contexts.insert(context, Context { stream: Some((stream.index, place)), pending: false });
    let root = owner.root;
    lifecycle::create(proxy, plugin, context, Some(root));
    Some(())
}

/// Gives a piece to the `nth` plugin of a direction, or to the other end of the chain.
pub(super) fn feed(proxy: &mut Proxy, stream: StreamId, direction: Direction, nth: usize, piece: Piece) {
    let Some(found) = proxy.state().find(stream).filter(|found| found.moves()) else { return };
    let message = found.message(direction);
    match &piece {
        Piece::Headers { headers, .. } => message.headers = Some(headers.clone()),
        Piece::Trailers { trailers } => message.trailers = Some(trailers.clone()),
        Piece::Body { .. } => {}
    }
    let tcp = found.protocol != Protocol::Http;
    let Some(place) = found.place(nth, direction) else { return emit(proxy, stream, direction, piece) };
    let filter = &mut found.filters[place];
    let (plugin, context) = (filter.plugin, filter.context);
    if filter.gone {
        if let Some(copy) = filter.shadow {
            shadow::give(proxy, copy, direction, piece.clone());
        }
        let owner = &proxy.state().plugins[plugin.0];
        let open = owner.failure.open || owner.log_only && !stream.shadow;
        return if open { feed(proxy, stream, direction, nth + 1, piece) } else { fail(proxy, stream) };
    }
    let stage = filter.stage(direction);
    let waits = stage.paused && stage.phase != Some(Phase::Body);
    if let Piece::Body { body, .. } = &piece {
        let held = stage.held(waits) + body.len();
        if held > proxy.state().plugins[plugin.0].limits.held {
            return refuse(proxy, stream, direction, "413");
        }
    }
    let Some(stage) = self::stage(proxy, stream, direction, nth) else { return };
    if waits {
        return stage.wait(piece);
    }
    let (on, size, end) = stage.take_in(piece, direction, tcp);
    let action = proxy.call(plugin, on, context, [context, size, u32::from(end), 0, 0]);
    let Some(found) = proxy.state().find(stream).filter(|found| found.moves()) else { return };
    let stage = found.filters[place].stage(direction);
    let paused = action.flatten().is_some_and(|action| action != pw_abi::Action::CONTINUE.0);
    if paused && !std::mem::take(&mut stage.resume) {
        stage.paused = true;
    } else {
        release(proxy, stream, direction, nth);
    }
}

impl Stage {
    /// Puts a piece to what is held, and says which callback is due for it, with its two arguments.
    fn take_in(&mut self, piece: Piece, direction: Direction, tcp: bool) -> (On, u32, bool) {
        let request = direction == Direction::Request;
        let on = |on_request, on_response| if request { on_request } else { on_response };
        self.resume = false;
        match piece {
            Piece::Headers { headers, end_of_stream } => {
                let count = headers.len() as u32;
                self.phase = Some(Phase::Headers);
                self.headers = Some((headers, end_of_stream));
                let on = if tcp { On::NewConnection } else { on(On::RequestHeaders, On::ResponseHeaders) };
                (on, count, end_of_stream)
            }
            Piece::Body { body, end_of_stream } => {
                let chunk = body.len() as u32;
                let body = match self.body.take() {
                    Some((held, _)) if !held.is_empty() => joined(held, &body),
                    _ => body,
                };
                let mut size = body.len() as u32;
                planted!(OnlyTheChunk => size = chunk);
                self.phase = Some(Phase::Body);
                self.body = Some((body, end_of_stream));
                let on_http = on(On::RequestBody, On::ResponseBody);
                let on = if tcp { on(On::DownstreamData, On::UpstreamData) } else { on_http };
                (on, size, end_of_stream)
            }
            Piece::Trailers { trailers } => {
                let count = trailers.len() as u32;
                self.phase = Some(Phase::Trailers);
                self.trailers = Some(trailers);
                (on(On::RequestTrailers, On::ResponseTrailers), count, false)
            }
        }
    }
}

/// Grows what is held in its place where nobody else has it, so that a long body costs each byte once.
fn joined(held: Bytes, more: &[u8]) -> Bytes {
    let mut held = held.try_into_mut().unwrap_or_else(BytesMut::from);
    held.extend_from_slice(more);
    held.freeze()
}

/// Lets everything go that the `nth` plugin holds, and then gives it what waited.
fn release(proxy: &mut Proxy, stream: StreamId, direction: Direction, nth: usize) {
    let Some(stage) = stage(proxy, stream, direction, nth) else { return };
    for piece in stage.release().into_iter().flatten() {
        feed(proxy, stream, direction, nth + 1, piece);
    }
    while let Some(piece) = stage_idle(proxy, stream, direction, nth).and_then(Stage::next) {
        feed(proxy, stream, direction, nth, piece);
    }
}

fn stage(proxy: &mut Proxy, stream: StreamId, direction: Direction, nth: usize) -> Option<&mut Stage> {
    let found = proxy.state().find(stream)?;
    let place = found.place(nth, direction)?;
    Some(found.filters[place].stage(direction))
}

fn stage_idle(proxy: &mut Proxy, stream: StreamId, direction: Direction, nth: usize) -> Option<&mut Stage> {
    stage(proxy, stream, direction, nth).filter(|stage| !stage.paused || stage.phase == Some(Phase::Body))
}

/// A piece leaves the chain.
fn emit(proxy: &mut Proxy, stream: StreamId, direction: Direction, mut piece: Piece) {
    let http = proxy.state().find(stream).is_some_and(|found| found.protocol == Protocol::Http);
    if http && !wire::leaves(proxy, stream, direction, &mut piece) {
        return fail(proxy, stream);
    }
    let Some(found) = proxy.state().find(stream) else { return };
    let message = found.message(direction);
    message.sent = message.left != Progress::Informational;
    message.complete = piece.ends();
    let waits = found.request.sent && !found.request.complete;
    if found.protocol != Protocol::Http {
        return tcp::emit(proxy, stream, direction, piece);
    }
    let over = direction == Direction::Response && piece.ends();
    proxy.state().emit(stream, effect(stream, direction, piece));
    if over {
        if waits {
            proxy.state().emit(stream, Effect::ResetUpstream { stream });
        }
        end(proxy, stream);
    } else if stream.shadow && direction == Direction::Request {
        shadow::sent(proxy, stream);
    }
}

/// A piece goes out at the end of the chain.
pub(super) fn effect(stream: StreamId, direction: Direction, piece: Piece) -> Effect {
    match direction {
        Direction::Request => Effect::Upstream { stream, piece },
        Direction::Response => Effect::Downstream { stream, piece },
    }
}

/// Does what a call asked for.
pub(super) fn deferred(proxy: &mut Proxy, deferred: Deferred) {
    match deferred {
        Deferred::Continue { stream, filter, direction } => {
            let Some(found) = proxy.state().find(stream) else { return };
            let nth = if direction == Direction::Request { filter } else { found.filters.len() - 1 - filter };
            if stage(proxy, stream, direction, nth).is_some_and(|stage| stage.paused) {
                release(proxy, stream, direction, nth);
            }
        }
        Deferred::Close { stream } => cut(proxy, stream, true),
        Deferred::LocalResponse { stream } => {
            if let Some(local) =
                proxy.state().find(stream).filter(|found| !found.over).and_then(|found| found.local.take())
            {
                respond(proxy, stream, local);
            }
        }
        Deferred::Finalise { plugin, context } => lifecycle::finalise(proxy, plugin, context),
        Deferred::QueueReady { plugin, queue } => {
            let root = proxy.state().plugins[plugin.0].root;
            proxy.call(plugin, On::QueueReady, root, [root, queue, 0, 0, 0]);
        }
    }
}

/// Sends a response of a plugin's own. Other plugins do not see it: it did not come from the upstream.
fn respond(proxy: &mut Proxy, stream: StreamId, LocalResponse { headers, body }: LocalResponse) {
    let Some(found) = proxy.state().find(stream) else { return };
    let headers = Arc::new(headers);
    found.response.headers = Some(headers.clone());
    found.response.size = body.len() as u64;
    let contacted = found.request.sent;
    let state = proxy.state();
    if contacted {
        state.emit(stream, Effect::ResetUpstream { stream });
    }
    let end_of_stream = body.is_empty();
    state.emit(stream, Effect::Downstream { stream, piece: Piece::Headers { headers, end_of_stream } });
    if !end_of_stream {
        state.emit(stream, Effect::Downstream { stream, piece: Piece::Body { body, end_of_stream: true } });
    }
    end(proxy, stream);
}

/// The host itself answers 503, or cuts the client off if part of a response is out.
pub(super) fn fail(proxy: &mut Proxy, stream: StreamId) {
    let Some(found) = proxy.state().find(stream).filter(|found| !found.over) else { return };
    if found.response.sent || found.protocol != Protocol::Http {
        return cut(proxy, stream, true);
    }
    found.local = None;
    let headers = Fields::from([(":status", "503")]);
    respond(proxy, stream, LocalResponse { headers, body: Bytes::new() });
}

/// A message cannot be taken: a request is answered by a status, everything else is cut off.
pub(super) fn refuse(proxy: &mut Proxy, stream: StreamId, direction: Direction, status: &str) {
    let Some(found) = proxy.state().find(stream) else { return };
    if direction == Direction::Response || found.response.sent || found.protocol != Protocol::Http {
        return cut(proxy, stream, true);
    }
    found.local = None;
    let headers = Fields::from([(":status", status)]);
    respond(proxy, stream, LocalResponse { headers, body: Bytes::new() });
}

/// Cuts a stream off on both sides.
pub(super) fn cut(proxy: &mut Proxy, stream: StreamId, downstream: bool) {
    let Some(found) = proxy.state().find(stream).filter(|found| !found.over) else { return };
    let contacted = found.request.sent;
    let state = proxy.state();
    if contacted {
        state.emit(stream, Effect::ResetUpstream { stream });
    }
    if downstream {
        state.emit(stream, Effect::ResetDownstream { stream });
    }
    end(proxy, stream);
}

/// Nothing more moves; the contexts end.
pub(super) fn end(proxy: &mut Proxy, stream: StreamId) {
    let Some(found) = proxy.state().find(stream) else { return };
    found.over = true;
    shadow::end(proxy, stream);
    tcp::closed(proxy, stream);
    let Some(found) = proxy.state().find(stream) else { return };
    for place in 0..found.filters.len() {
        if let Some((plugin, context)) = filter(proxy, stream, place) {
            lifecycle::done(proxy, plugin, context);
        }
    }
    forget(proxy, stream.index);
}

/// The plugin at a place of a stream's chain, and its context there, unless it is gone or was never told of it.
pub(super) fn filter(proxy: &mut Proxy, stream: StreamId, place: usize) -> Option<(PluginId, u32)> {
    let filter = proxy.state().find(stream)?.filters.get(place).filter(|filter| !filter.gone)?;
    let (plugin, context) = (filter.plugin, filter.context);
    proxy.state().plugins[plugin.0].contexts.contains_key(&context).then_some((plugin, context))
}

/// Drops a stream that is over once none of its contexts is left.
pub(super) fn forget(proxy: &mut Proxy, index: usize) {
    let state = proxy.state();
    let Some(found) = state.streams.get(index).filter(|found| found.over) else { return };
    let lives = |filter: &Filter| !filter.gone && state.plugins[filter.plugin.0].contexts.contains_key(&filter.context);
    if !found.filters.iter().any(lives) {
        let stream = found.id;
        state.streams.remove(index);
        if !stream.shadow {
            state.effects.push_back(Effect::StreamEnded { stream });
        }
    }
}

/// A stream that a plugin is not there for any more, and its places in the chain.
pub(super) type Left = (StreamId, Vec<usize>);

/// A plugin that has faulted or ended is taken out of its streams.
pub(super) fn part(proxy: &mut Proxy, plugin: PluginId) -> Vec<Left> {
    let mut left = Vec::new();
    for stream in streams_of(proxy, plugin) {
        let Some(found) = proxy.state().find(stream) else { continue };
        let of_plugin = |place: &usize| found.filters[*place].plugin == plugin;
        let places: Vec<usize> = (0..found.filters.len()).filter(of_plugin).collect();
        places.iter().for_each(|place| found.filters[*place].gone = true);
        left.push((stream, places));
    }
    left
}

/// The streams that a plugin has left fail, or go on without it.
pub(super) fn abandon(proxy: &mut Proxy, plugin: PluginId, left: Vec<Left>) {
    let open = proxy.state().plugins[plugin.0].failure.open;
    for (stream, places) in left {
        let Some(found) = proxy.state().find(stream) else { continue };
        let count = found.filters.len();
        if !open {
            fail(proxy, stream);
            continue;
        }
        for place in places {
            release(proxy, stream, Direction::Request, place);
            release(proxy, stream, Direction::Response, count - 1 - place);
        }
    }
}

/// The streams that run through a plugin.
pub(super) fn streams_of(proxy: &mut Proxy, plugin: PluginId) -> Vec<StreamId> {
    let through = |stream: &&Stream| stream.filters.iter().any(|filter| filter.plugin == plugin && !filter.gone);
    proxy.state().streams.iter().map(|(_, stream)| stream).filter(through).map(|stream| stream.id).collect()
}
