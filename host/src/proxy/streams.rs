//! Streams: how messages move through a chain of plugins.
//!
//! A message moves piece by piece from plugin to plugin, requests in the order of the chain and responses against it.
//! What is paused at a plugin is buffered in its [`Stage`]. If it is paused at the headers, everything after
//! them is buffered without callbacks; if it is paused at the body, the callback is called for each further piece, with all that
//! is buffered. A TCP connection is two messages: headers without fields when it opens, and its bytes as bodies.
//!
//! Each function here does one entry of the work list, or one step of it, and appends what follows to the list.

use bytes::{Bytes, BytesMut};
use pw_abi::{Action, PeerType};

use super::chain::{self, effect, insert, is_last, release_in_turn, stage};
use super::{Proxy, endings, lifecycle, rollout, shadow, tcp, wire};
use crate::callbacks::On;
use crate::config::StreamInfo;
use crate::effect::{Effect, Piece};
use crate::http::{Facts, Progress};
use crate::ids::{PluginId, StreamId};
use crate::planted::planted;
use crate::state::{Charges, Context, Direction, Owner, Phase, Protocol, Stage, State, Stream, Work};

/// Minimum of the limit for the cost of pieces that wait at a plugin, in bytes, whatever the limit for bodies is.
pub(super) const MIN_WAITING_BYTES: usize = 1 << 20;

/// The status for a request that exceeds what may be buffered.
const TOO_LARGE: &str = "413";

impl Proxy {
    /// A client has opened an HTTP stream, which runs through these plugins, or through those that have replaced them, but not
    /// through retired ones. It fails if one of them does not run.
    ///
    /// # Panics
    ///
    /// Panics if a plugin belongs to another proxy.
    pub fn open_stream(&mut self, plugins: &[PluginId], info: StreamInfo) -> StreamId {
        self.open(plugins, info, Protocol::Http)
    }

    pub(super) fn open(&mut self, plugins: &[PluginId], info: StreamInfo, protocol: Protocol) -> StreamId {
        let state = self.state();
        assert!(plugins.iter().all(|plugin| state.plugins.knows(*plugin)), "a plugin belongs to another proxy");
        let number = state.next_stream;
        state.next_stream += 1;
        let mut chain = Vec::with_capacity(plugins.len());
        plugins.iter().for_each(|plugin| rollout::choose(state, *plugin, number, &mut chain));
        let stream = insert(self, &chain, info, protocol, None);
        self.event(Work::Open { stream, place: 0 });
        stream
    }

    /// A piece of the request came from the client. A piece out of order is dropped, such as a body without headers, headers for a
    /// second time, or anything after the end or after a local response. Fields that HTTP cannot carry end the stream with status
    /// 400.
    pub fn request(&mut self, stream: StreamId, piece: Piece) {
        self.http_message(stream, Direction::Request, piece);
    }

    /// A piece of the response came from the upstream; out of order it is dropped, as for requests. Headers of informational responses
    /// come before the others. Fields that HTTP cannot carry end the stream as [`Proxy::upstream_reset`] does.
    pub fn response(&mut self, stream: StreamId, piece: Piece) {
        self.http_message(stream, Direction::Response, piece);
    }

    /// The client has reset the stream.
    pub fn downstream_reset(&mut self, stream: StreamId) {
        if let Some(found) = self.state().find(stream).filter(|found| !found.over && !found.reset) {
            (found.reset, found.client_gone) = (true, true);
            found.closed_by(PeerType::REMOTE, PeerType::LOCAL);
            self.state().agenda.drop_pieces(stream);
            self.event(Work::ClientReset { stream });
        }
    }

    /// The upstream has reset the stream: the client gets status 503, or the stream is reset if part of a response was sent. A TCP
    /// connection is closed.
    pub fn upstream_reset(&mut self, stream: StreamId) {
        let is_open = |found: &&mut Stream| !found.over && !found.reset && !found.answered;
        if let Some(found) = self.state().find(stream).filter(is_open) {
            found.reset = true;
            found.closed_by(PeerType::LOCAL, PeerType::REMOTE);
            let nothing_came = found.protocol == Protocol::Http && found.response.came == Progress::Nothing;
            let shown = self.state().config.choices.host_responses_have_callbacks && nothing_came;
            self.event(if shown { Work::FailThrough { stream } } else { Work::Fail { stream } });
        }
    }

    /// A TCP stream accepts only bodies.
    fn http_message(&mut self, stream: StreamId, direction: Direction, piece: Piece) {
        let http = self.state().find(stream).is_some_and(|found| found.protocol == Protocol::Http);
        if http || matches!(piece, Piece::Body { .. }) {
            self.begin();
            self.message(stream, direction, piece);
        }
    }

    /// Handles a piece as a part of the event that has begun.
    pub(super) fn message(&mut self, stream: StreamId, direction: Direction, mut piece: Piece) {
        let Some(found) = self.state().find(stream).filter(|found| !found.over && !found.answered) else { return };
        let http = found.protocol == Protocol::Http;
        let facts = if http { wire::enters(direction, &mut piece) } else { Some(Facts::default()) };
        if !found.message(direction).accepts(&piece, http, &facts.unwrap_or_else(|| Facts::of_piece(&piece))) {
            return;
        }
        if let (Some(facts), Piece::Headers { headers, .. }) = (&facts, &piece) {
            found.message(direction).came_as = Some((headers.clone(), *facts));
        }
        if facts.is_none() {
            return self.more(match direction {
                Direction::Request => Work::Reject { stream, direction, status: "400" },
                Direction::Response => Work::Fail { stream },
            });
        }
        if !self.state().agenda.waits(Owner::Stream(stream)) {
            if let Some(found) = self.state().find(stream) {
                found.backlog = 0;
            }
        } else if !self.may_wait(stream, &piece) {
            // What waits is dropped with the stream.
            self.state().agenda.drop_parked(Owner::Stream(stream));
            return self.more(Work::Reject { stream, direction, status: TOO_LARGE });
        }
        self.more(Work::Piece { stream, direction, nth: 0, piece, charges: Charges::default() });
    }

    /// Counts a piece that waits because an earlier event has left work for its stream; false if it exceeds the limit.
    fn may_wait(&mut self, stream: StreamId, piece: &Piece) -> bool {
        let state = self.state();
        let Some(plugins) = state.find(stream).map(|found| {
            found.backlog = found.backlog.saturating_add(crate::state::piece_cost(piece));
            (found.backlog, found.filters.iter().map(|filter| filter.plugin).collect::<Vec<_>>())
        }) else {
            return false;
        };
        let (backlog, plugins) = plugins;
        let held = plugins.iter().filter_map(|plugin| state.plugins.get(*plugin)).map(|plugin| plugin.limits.held);
        backlog <= held.max().unwrap_or(0).max(MIN_WAITING_BYTES)
    }
}

/// Begins the context of a plugin in a stream's chain, or a log-only plugin's copy of the stream.
pub(super) fn notify_created(proxy: &mut Proxy, stream: StreamId, place: usize) {
    let state = proxy.state();
    // The crash of an earlier plugin may have ended the stream: then later ones are not notified of it.
    let Some(found) = state.find(stream).filter(|found| !found.over) else { return };
    let Some(filter) = found.filters.get(place) else { return };
    let (plugin, context, gone, incarnation) = (filter.plugin, filter.context, filter.gone, filter.incarnation);
    let alone = found.shadow.as_ref().is_some_and(|shadow| shadow.alone);
    if place + 1 < found.filters.len() {
        state.agenda.first([Work::Open { stream, place: place + 1 }]);
    }
    let Some(owner) = state.plugins.get_mut(plugin) else { return };
    if gone {
        if owner.log_only && !stream.shadow {
            shadow::open(proxy, stream, place, plugin);
        }
        return;
    }
    // It may have crashed since the stream was opened, or been removed.
    let is_gone = owner.vm.is_none() || owner.incarnation != incarnation || owner.removed;
    if stream.shadow && is_gone || alone && owner.retired {
        // Nothing else would end the copy.
        return state.agenda.first([Work::EndCopy { stream }]);
    }
    if is_gone {
        if let Some(filter) = state.find(stream).and_then(|found| found.filters.get_mut(place)) {
            filter.gone = true;
        }
        return;
    }
    owner.contexts.insert(context, Context { stream: Some((stream.index, place)), pending: None });
    let root = owner.root;
    lifecycle::create(proxy, plugin, context, Some(root));
}

/// Passes a piece to the `nth` plugin of a direction, or to the end of the chain.
pub(super) fn feed(
    proxy: &mut Proxy,
    stream: StreamId,
    direction: Direction,
    nth: usize,
    piece: Piece,
    charges: Charges,
) {
    let Some(found) = proxy.state().find(stream).filter(|found| found.moves(direction)) else { return };
    let message = found.message(direction);
    match &piece {
        Piece::Headers { headers, .. } => (message.headers, message.reached) = (Some(headers.clone()), nth + 1),
        Piece::Trailers { trailers } => message.trailers = Some(trailers.clone()),
        Piece::Body { .. } => {}
    }
    let tcp = found.protocol != Protocol::Http;
    let Some(place) = found.place(nth, direction) else { return emit(proxy, stream, direction, piece, charges) };
    let filter = &mut found.filters[place];
    let (plugin, context) = (filter.plugin, filter.context);
    let leftover = filter.has_leftover(direction);
    if filter.gone && !leftover {
        return pass_by(proxy, stream, place, Work::Piece { stream, direction, nth: nth + 1, piece, charges });
    }
    let stage = filter.stage(direction);
    let waits = leftover || stage.paused && stage.phase != Some(Phase::Body);
    let held = stage.held(waits);
    let State { streams, plugins, agenda, .. } = proxy.state();
    let Some(limits) = plugins.get(plugin).map(|plugin| plugin.limits) else { return };
    let Some(found) = streams.get_mut(stream.index) else { return };
    let stage = found.filters[place].stage(direction);
    let body = if let Piece::Body { body, .. } = &piece { body.len() } else { 0 };
    let spare = usize::from(crate::planted::has(crate::planted::Planted::HeldOffByOne));
    if body > 0 && held + body + spare > limits.held
        || waits && stage.waiting_exceeds(&piece, limits.held.max(MIN_WAITING_BYTES))
    {
        return agenda.first([Work::Reject { stream, direction, status: TOO_LARGE }]);
    }
    if waits {
        return stage.wait(piece, charges);
    }
    stage.came(body, charges);
    let (on, size, end) = stage.buffer(piece, direction, tcp);
    let action = proxy.call(plugin, on, context, [context, size, u32::from(end), 0, 0]);
    let unknown_pauses = proxy.state().config.choices.unknown_actions_pause;
    let Some(found) = proxy.state().find(stream).filter(|found| found.moves(direction)) else { return };
    planted!(TrailersLost => {
        let trailers = found.message(direction).trailers.clone();
        let stage = found.filters[place].stage(direction);
        if stage.phase == Some(Phase::Trailers) && stage.body.is_some() {
            stage.trailers = trailers;
        }
    });
    let filter = &mut found.filters[place];
    if filter.gone {
        return;
    }
    let stage = filter.stage(direction);
    let pauses = |action| action == Action::PAUSE.0 || unknown_pauses && action != Action::CONTINUE.0;
    let paused = action.flatten().is_some_and(pauses);
    if paused && !std::mem::take(&mut stage.resume) {
        stage.paused = true;
    } else {
        release(proxy, stream, direction, nth);
    }
}

/// A piece passes a plugin that is not in the stream, or makes the stream fail.
fn pass_by(proxy: &mut Proxy, stream: StreamId, place: usize, next: Work) {
    let state = proxy.state();
    let Some(filter) = state.find(stream).and_then(|found| found.filters.get(place)) else { return };
    let (plugin, copy) = (filter.plugin, filter.shadow);
    let log_only = state.plugins.get(plugin).is_some_and(|owner| owner.log_only) && !stream.shadow;
    if !state.plugins.fails_open(plugin) && !log_only {
        return state.agenda.first([Work::Fail { stream }]);
    }
    let copied = match (&next, copy) {
        (Work::Piece { direction, piece, .. }, Some(copy)) => {
            Some(Work::Copy { stream: copy, direction: *direction, piece: piece.clone() })
        }
        _ => None,
    };
    state.agenda.first([next]);
    if let Some(copied) = copied {
        state.agenda.first([copied]);
    }
}

impl Stage {
    /// Adds a piece to what is buffered. The callback for it, with its two arguments.
    fn buffer(&mut self, piece: Piece, direction: Direction, tcp: bool) -> (On, u32, bool) {
        let request = direction == Direction::Request;
        let on = |on_request, on_response| if request { on_request } else { on_response };
        self.resume &= crate::planted::has(crate::planted::Planted::ResumeRemembered);
        match piece {
            Piece::Headers { headers, end_of_stream } => {
                let count = headers.len() as u32;
                self.phase = Some(Phase::Headers);
                self.headers = Some((headers, end_of_stream));
                let on = if tcp {
                    On::proxy_on_new_connection
                } else {
                    on(On::proxy_on_request_headers, On::proxy_on_response_headers)
                };
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
                let on_http = on(On::proxy_on_request_body, On::proxy_on_response_body);
                let on = if tcp { on(On::proxy_on_downstream_data, On::proxy_on_upstream_data) } else { on_http };
                (on, size, end_of_stream)
            }
            Piece::Trailers { trailers } => {
                let count = trailers.len() as u32;
                self.phase = Some(Phase::Trailers);
                self.trailers = Some(trailers);
                (on(On::proxy_on_request_trailers, On::proxy_on_response_trailers), count, false)
            }
        }
    }
}

/// Appends to what is buffered, in place if it is not shared, so that a long body costs each byte once.
fn joined(held: Bytes, more: &[u8]) -> Bytes {
    let mut held = held.try_into_mut().unwrap_or_else(BytesMut::from);
    held.extend_from_slice(more);
    held.freeze()
}

/// Passes on everything that is buffered at the `nth` plugin, and then what waits.
fn release(proxy: &mut Proxy, stream: StreamId, direction: Direction, nth: usize) {
    let Some(found) = stage(proxy, stream, direction, nth) else { return };
    // Mostly there is one piece, which leaves the chain.
    if !found.has_waiting() && !stream.shadow && is_last(proxy, stream, direction, nth) {
        let Some(stage) = stage(proxy, stream, direction, nth) else { return };
        let mut charges = stage.charges();
        let pieces = stage.release();
        let mut pieces = pieces.into_iter().flatten().peekable();
        while let Some(piece) = pieces.next() {
            let charges = if pieces.peek().is_none() { std::mem::take(&mut charges) } else { Charges::default() };
            feed(proxy, stream, direction, nth + 1, piece, charges);
        }
        return;
    }
    release_in_turn(proxy, stream, direction, nth);
}

/// Passes the piece that has waited longest to the `nth` plugin, and then the others, unless it pauses again.
pub(super) fn waiting(proxy: &mut Proxy, stream: StreamId, direction: Direction, nth: usize) {
    let Some(filter) = chain::filter_at(proxy, stream, direction, nth) else { return };
    // What is buffered at a detached plugin comes first: the entry `Detached` passes it on, and then what waits.
    let mut leftover = filter.has_leftover(direction);
    planted!(EndlessWait => leftover = false);
    let stage = filter.stage(direction);
    let idle = !leftover && (!stage.paused || stage.phase == Some(Phase::Body));
    let Some((piece, charges)) = idle.then(|| stage.next()).flatten() else { return };
    planted!(Recursion => {
        feed(proxy, stream, direction, nth, piece, charges);
        waiting(proxy, stream, direction, nth);
        // Without this the compiler turns it into a loop.
        std::hint::black_box(&proxy);
        return;
    });
    proxy
        .state()
        .agenda
        .first([Work::Piece { stream, direction, nth, piece, charges }, Work::Waiting { stream, direction, nth }]);
}

/// A plugin has resumed what it has paused.
pub(super) fn resume(proxy: &mut Proxy, stream: StreamId, place: usize, direction: Direction) {
    let Some(found) = proxy.state().find(stream) else { return };
    let Some(nth) = found.nth(place, direction) else { return };
    let stage = found.filters[place].stage(direction);
    if std::mem::take(&mut stage.continuing) && stage.paused {
        planted!(BodyTwice => if stage.phase == Some(Phase::Body) && let Some((body, end_of_stream)) = stage.body.take() {
            stage.paused = false;
            return feed(proxy, stream, direction, nth, Piece::Body { body, end_of_stream }, Charges::default());
        });
        release(proxy, stream, direction, nth);
    }
}

/// A piece leaves the chain.
fn emit(proxy: &mut Proxy, stream: StreamId, direction: Direction, piece: Piece, charges: Charges) {
    if !proxy.state().find(stream).is_some_and(|found| found.answered) {
        return send(proxy, stream, direction, piece, charges);
    }
    for (piece, charges) in endings::with_length(proxy, stream, piece, charges) {
        send(proxy, stream, direction, piece, charges);
    }
}

/// Sends a piece at the end of the chain, if HTTP permits it.
fn send(proxy: &mut Proxy, stream: StreamId, direction: Direction, mut piece: Piece, charges: Charges) {
    let Some(found) = proxy.state().find(stream).filter(|found| !found.over) else { return };
    let http = found.protocol == Protocol::Http;
    if http && !wire::leaves(proxy, stream, direction, &mut piece) {
        return endings::fail(proxy, stream);
    }
    let Some(found) = proxy.state().find(stream) else { return };
    let message = found.message(direction);
    message.sent = message.left != Progress::Informational;
    message.complete = piece.ends();
    let waits = found.has_upstream() && !found.request.complete;
    if found.protocol != Protocol::Http {
        return tcp::emit(proxy, stream, direction, piece, charges);
    }
    let over = direction == Direction::Response && piece.ends();
    proxy.state().emit_charged(stream, effect(stream, direction, piece), charges);
    if over {
        if waits {
            proxy.state().emit(stream, Effect::ResetUpstream { stream });
        }
        endings::end(proxy, stream);
    } else if stream.shadow && direction == Direction::Request {
        proxy.state().agenda.first([Work::Early { stream }]);
    }
}
