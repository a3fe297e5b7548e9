//! How messages move through the chain of plugins, piece by piece. What a plugin pauses is kept in its [`Stage`]: at headers and
//! trailers all that follows waits without callbacks, at the body the callback is called for each further piece, with all that is kept.

use proxy_wasm_host::abi::v0_2_1::StreamKind;
use proxy_wasm_host::abi::v0_2_1::types::{Action, PeerType};
use proxy_wasm_host::{HeaderMap, HeaderMapExt, VecHeaderMap};
use serde_json::{Value, json};

use super::Proxy;
use crate::data::{data, seen};
use crate::stream::{Command, Filter, Message, Phase, Piece, REQUEST, RESPONSE, Stage, Stream};

impl Proxy {
    /// A client opens a stream: its contexts are created, then its first piece moves.
    pub(super) fn open(&mut self, number: u32, tcp: bool, first: Piece) {
        let kind = if tcp { StreamKind::Tcp } else { StreamKind::Http };
        let mut stream = Stream {
            tcp,
            opened: self.services.uptime(),
            filters: Vec::new(),
            messages: [Message::default(), Message::default()],
            properties: Default::default(),
            upstream_gone: false,
            over: false,
            closed_by: (PeerType::Local, PeerType::Local),
        };
        for (plugin, found) in self.plugins.iter().enumerate().filter(|(_, plugin)| !plugin.background) {
            let guest = self.vms[found.vm].guest.id();
            stream.filters.push(Filter { plugin, guest, context: None, stages: Default::default() });
        }
        let count = stream.filters.len();
        self.streams.streams.insert(number, stream);
        for place in 0..count {
            let Some(found) = self.live(number) else { return };
            let plugin = found.filters[place].plugin;
            let root = self.plugins[plugin].root;
            let created = self.call(plugin, |scope| {
                let context = scope.on_context_create(Some(root))?;
                scope.expect_stream_kind(context, kind)?;
                Ok(context)
            });
            let Some(found) = self.live(number) else { return };
            match created {
                Some(context) => found.filters[place].context = Some(context),
                None => self.work.push_back(Command::Fail { stream: number }),
            }
            self.obey();
        }
        self.message(number, REQUEST, first);
    }

    /// A stream that is not over.
    pub(super) fn live(&mut self, stream: u32) -> Option<&mut Stream> {
        self.streams.streams.get_mut(&stream).filter(|stream| !stream.over)
    }

    /// A piece came from the client or the upstream.
    pub(super) fn message(&mut self, stream: u32, direction: usize, piece: Piece) {
        let Some(found) = self.live(stream) else { return };
        if direction == RESPONSE && !found.messages[REQUEST].sent {
            return;
        }
        let message = &mut found.messages[direction];
        match &piece {
            _ if message.ended => return,
            Piece::Headers(_, end_of_stream) => message.ended = *end_of_stream,
            Piece::Body(body, end_of_stream) => {
                message.size += body.len() as u64;
                message.ended = *end_of_stream;
            }
            Piece::Trailers(_) => message.ended = true,
        }
        self.feed(stream, direction, 0, piece);
    }

    /// Passes a piece to the `nth` plugin of a direction, or out of the chain.
    fn feed(&mut self, stream: u32, direction: usize, nth: usize, piece: Piece) {
        let Some(found) = self.live(stream) else { return };
        let message = &mut found.messages[direction];
        match &piece {
            Piece::Headers(headers, _) => message.headers = headers.clone(),
            Piece::Trailers(trailers) => message.trailers = trailers.clone(),
            Piece::Body(..) => {}
        }
        let Some(place) = found.place(direction, nth) else { return self.send(stream, direction, piece) };
        let tcp = found.tcp;
        let filter = &mut found.filters[place];
        let stage = &mut filter.stages[direction];
        if stage.paused && stage.phase != Phase::Body {
            return stage.waiting.push_back(piece);
        }
        let (plugin, Some(context)) = (filter.plugin, filter.context) else { return };
        let (size, end) = stage.keep(piece);
        let phase = stage.phase;
        let action = self.call(plugin, |scope| match (phase, direction, tcp) {
            (Phase::Headers, _, true) => scope.on_new_connection(context),
            (_, REQUEST, true) => scope.on_downstream_data(context, size, end),
            (_, _, true) => scope.on_upstream_data(context, size, end),
            (Phase::Headers, REQUEST, _) => scope.on_request_headers(context, size, end),
            (Phase::Headers, _, _) => scope.on_response_headers(context, size, end),
            (Phase::Body, REQUEST, _) => scope.on_request_body(context, size, end),
            (Phase::Body, _, _) => scope.on_response_body(context, size, end),
            (Phase::Trailers, REQUEST, _) => scope.on_request_trailers(context, size),
            (Phase::Trailers, _, _) => scope.on_response_trailers(context, size),
        });
        if action.is_none() {
            self.work.push_back(Command::Fail { stream });
        }
        self.obey();
        let Some(found) = self.live(stream) else { return };
        let stage = &mut found.filters[place].stages[direction];
        if action == Some(Action::Pause) && !std::mem::take(&mut stage.resume) {
            stage.paused = true;
        } else {
            self.release(stream, direction, place);
        }
    }

    /// Passes on all that a plugin has kept, and then what waits.
    pub(super) fn release(&mut self, stream: u32, direction: usize, place: usize) {
        let Some(found) = self.live(stream) else { return };
        let nth = found.nth(direction, place);
        let stage = &mut found.filters[place].stages[direction];
        stage.paused = false;
        for piece in stage.take() {
            self.feed(stream, direction, nth + 1, piece);
        }
        while let Some(found) = self.live(stream) {
            let stage = &mut found.filters[place].stages[direction];
            let next = if stage.paused && stage.phase != Phase::Body { None } else { stage.waiting.pop_front() };
            let Some(piece) = next else { return };
            self.feed(stream, direction, nth, piece);
        }
    }

    /// A piece leaves the chain.
    fn send(&mut self, stream: u32, direction: usize, piece: Piece) {
        let Some(found) = self.live(stream) else { return };
        if let Piece::Headers(headers, _) = &piece
            && !found.tcp
            && !is_head(direction, headers)
        {
            return self.fail(stream);
        }
        let message = &mut found.messages[direction];
        message.sent = true;
        let (part, end) = match piece {
            Piece::Headers(..) if found.tcp => (json!({ "part": "opened" }), false),
            Piece::Headers(headers, end) => (headers_part(&headers, end), end),
            Piece::Body(body, end) => (body_part(&body, end), end),
            Piece::Trailers(trailers) => (json!({ "part": "trailers", "trailers": seen(&trailers) }), true),
        };
        message.complete = end;
        let (tcp, answered) = (found.tcp, found.messages[RESPONSE].complete);
        let requested = found.messages[REQUEST].complete;
        if end && !(answered && requested) {
            let first = if direction == REQUEST { PeerType::Remote } else { PeerType::Local };
            let second = if direction == REQUEST { PeerType::Local } else { PeerType::Remote };
            found.closed_by = (first, second);
        }
        self.event(stream, direction, part);
        if tcp && answered && requested {
            self.end(stream);
        } else if !tcp && answered {
            self.reset_upstream(stream);
            self.end(stream);
        }
    }

    pub(super) fn event(&self, stream: u32, direction: usize, part: Value) {
        let receiver = if direction == REQUEST { "upstream" } else { "client" };
        self.services.desk().event(json!({ "event": receiver, "stream": stream, "part": part }));
    }
}

impl Stream {
    /// The place of the `nth` plugin of a direction: requests move in the order of the chain, responses against it.
    fn place(&self, direction: usize, nth: usize) -> Option<usize> {
        (nth < self.filters.len()).then(|| self.nth(direction, nth))
    }

    fn nth(&self, direction: usize, place: usize) -> usize {
        if direction == REQUEST { place } else { self.filters.len() - 1 - place }
    }
}

impl Stage {
    /// Adds a piece to what is kept. The size, and whether the message ends with it, as the callback gets them.
    fn keep(&mut self, piece: Piece) -> (u32, bool) {
        self.resume = false;
        match piece {
            Piece::Headers(headers, end) => {
                let count = headers.pairs().len();
                self.phase = Phase::Headers;
                self.headers = Some((headers, end));
                (count as u32, end)
            }
            Piece::Body(more, end) => {
                self.phase = Phase::Body;
                let mut body = self.body.take().map(|(body, _)| body).unwrap_or_default();
                body.extend(more);
                let size = body.len();
                self.body = Some((body, end));
                (size as u32, end)
            }
            Piece::Trailers(trailers) => {
                let count = trailers.pairs().len();
                self.phase = Phase::Trailers;
                self.trailers = Some(trailers);
                (count as u32, true)
            }
        }
    }

    /// Takes what is kept. Trailers that the plugin has added end the message instead of its body.
    fn take(&mut self) -> impl Iterator<Item = Piece> + use<> {
        let trailers = self.trailers.take().filter(|trailers| self.phase == Phase::Trailers || !trailers.is_empty());
        let ends = trailers.is_none();
        let headers = self.headers.take().map(|(headers, end)| Piece::Headers(headers, end));
        let body = self.body.take().map(|(body, end)| Piece::Body(body, end && ends));
        headers.into_iter().chain(body).chain(trailers.map(Piece::Trailers))
    }
}

/// Whether a message can be sent with these headers: those of a request say what is asked for, those of a response have a status.
fn is_head(direction: usize, headers: &VecHeaderMap) -> bool {
    let has = |name: &[u8]| headers.get(name).is_some_and(|value| !value.is_empty());
    match direction {
        REQUEST => has(b":method") && has(b":path"),
        _ => headers.get(b":status").is_some_and(|status| status.len() == 3 && status.iter().all(u8::is_ascii_digit)),
    }
}

pub(super) fn headers_part(headers: &VecHeaderMap, end_of_stream: bool) -> Value {
    json!({ "part": "headers", "headers": seen(headers), "end_of_stream": end_of_stream })
}

pub(super) fn body_part(body: &[u8], end_of_stream: bool) -> Value {
    json!({ "part": "body", "body": data(body), "end_of_stream": end_of_stream })
}
