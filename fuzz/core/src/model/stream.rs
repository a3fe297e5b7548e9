//! Streams as the model sees them: for each direction what is to reach each plugin, what is buffered there, and what must
//! come out at the end.

use std::collections::VecDeque;

use super::fields::{Map, Of};

/// A piece of a message, with its end of stream. The start of a TCP connection counts as headers without fields, its data as a
/// body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Headers(Map, bool),
    Body(Vec<u8>, bool),
    Trailers(Map),
}

/// The part of a message that a callback is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Headers,
    Body,
    Trailers,
}

/// The request, or what the client sends; the response, or what the upstream sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Request,
    Response,
}

/// Whether a piece passes an instance without this callback.
pub(super) type Skips<'a> = &'a dyn Fn(usize, &'static str) -> bool;

/// A stream.
pub(super) struct Stream {
    pub(super) http: bool,
    /// The plugins' instances, in the order of the chain.
    pub(super) chain: Vec<usize>,
    /// A place in the chain that may be a canary's, and the canary.
    pub(super) undecided: Option<(usize, usize)>,
    /// For each of them the bytes of a body that may be held there, if that is limited.
    pub(super) limits: Vec<Option<usize>>,
    pub(super) request: Way,
    pub(super) response: Way,
    /// A local response, headers and body, that is still to be sent.
    pub(super) local: Option<(Map, Vec<u8>)>,
    /// A local response moves through the chain, and nothing else does.
    pub(super) answered: bool,
    /// The local response's headers at the end of the chain, buffered until its body comes.
    buffered: Option<Map>,
    /// The request's method is HEAD.
    pub(super) is_head: bool,
    /// Both messages have ended.
    pub(super) over: bool,
    /// The client has gone in this step, and the upstream has not been told so.
    pub(super) leaves_upstream: bool,
    /// The model no longer follows its messages: it was reset, a plugin sent a local response, or a plugin crashed.
    pub(super) unfollowed: bool,
    pub(super) properties: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A message in its direction.
#[derive(Default)]
pub(super) struct Way {
    /// A stage for each plugin, in the order in which the message reaches them.
    pub(super) stages: Vec<Stage>,
    pub(super) begun: bool,
    pub(super) ended: bool,
    /// The headers and the trailers as they were passed on last.
    last: [Option<Map>; 2],
    /// What must have come out.
    pub(super) out: Flat,
    /// What has come out.
    pub(super) seen: Flat,
}

/// All pieces of a message together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flat {
    pub(super) headers: Option<Map>,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Option<Map>,
    pub(super) end: bool,
}

/// A message at a plugin.
#[derive(Default)]
pub(super) struct Stage {
    /// The pieces for which it was not called yet.
    pub(super) incoming: VecDeque<Piece>,
    /// The part that the running callback is about, or at which the message is paused.
    pub(super) part: Option<Part>,
    pub(super) paused: bool,
    /// Headers have come here.
    pub(super) reached: bool,
    /// The running callback has resumed the message.
    pub(super) resume: bool,
    pub(super) headers: Option<(Map, bool)>,
    pub(super) body: Option<(Vec<u8>, bool)>,
    pub(super) trailers: Option<Map>,
}

/// What is held of a message at a plugin.
#[derive(Clone)]
pub(super) struct Held {
    headers: Option<(Map, bool)>,
    body: Option<(Vec<u8>, bool)>,
    trailers: Option<Map>,
}

/// The callback for a piece.
fn callback(http: bool, direction: Direction, part: Part) -> &'static str {
    match (http, direction, part) {
        (true, Direction::Request, Part::Headers) => "proxy_on_request_headers",
        (true, Direction::Request, Part::Body) => "proxy_on_request_body",
        (true, Direction::Request, Part::Trailers) => "proxy_on_request_trailers",
        (true, Direction::Response, Part::Headers) => "proxy_on_response_headers",
        (true, Direction::Response, Part::Body) => "proxy_on_response_body",
        (true, Direction::Response, Part::Trailers) => "proxy_on_response_trailers",
        (false, _, Part::Headers) => "proxy_on_new_connection",
        (false, Direction::Request, _) => "proxy_on_downstream_data",
        (false, Direction::Response, _) => "proxy_on_upstream_data",
    }
}

/// The message that a callback is about, and the part of it.
pub(super) fn piece_of(name: &str) -> Option<(Direction, Part)> {
    Some(match name {
        "proxy_on_request_headers" | "proxy_on_new_connection" => (Direction::Request, Part::Headers),
        "proxy_on_request_body" | "proxy_on_downstream_data" => (Direction::Request, Part::Body),
        "proxy_on_request_trailers" => (Direction::Request, Part::Trailers),
        "proxy_on_response_headers" => (Direction::Response, Part::Headers),
        "proxy_on_response_body" | "proxy_on_upstream_data" => (Direction::Response, Part::Body),
        "proxy_on_response_trailers" => (Direction::Response, Part::Trailers),
        _ => return None,
    })
}

impl Flat {
    pub(super) fn add(&mut self, piece: Piece) {
        match piece {
            Piece::Headers(map, end) => {
                self.headers = Some(map);
                self.end |= end;
            }
            Piece::Body(bytes, end) => {
                self.body.extend(bytes);
                self.end |= end;
            }
            Piece::Trailers(map) => {
                self.trailers = Some(map);
                self.end = true;
            }
        }
    }
}

impl Flat {
    /// Sets `content-length` to the size of the body if there is a body or a `content-length`.
    fn set_length(&mut self) {
        const LENGTH: &[u8] = b"content-length";
        let size = self.body.len();
        if let Some(headers) = &mut self.headers
            && (size > 0 || headers.get(LENGTH).is_some())
        {
            headers.replace(LENGTH, size.to_string().as_bytes());
        }
    }
}

impl Piece {
    pub(super) fn part(&self) -> Part {
        match self {
            Piece::Headers(..) => Part::Headers,
            Piece::Body(..) => Part::Body,
            Piece::Trailers(..) => Part::Trailers,
        }
    }

    /// Bytes of a body.
    fn size(&self) -> usize {
        if let Piece::Body(body, _) = self { body.len() } else { 0 }
    }

    /// Whether it is the last of its message.
    pub(super) fn ends(&self) -> bool {
        match self {
            Piece::Headers(_, end) | Piece::Body(_, end) => *end,
            Piece::Trailers(_) => true,
        }
    }
}

impl Stage {
    /// Adds a piece to what is buffered. The arguments of its callback: its size, and whether it is the last.
    pub(super) fn hold(&mut self, piece: Piece) -> (u32, bool) {
        self.resume = false;
        self.part = Some(piece.part());
        match piece {
            Piece::Headers(map, end) => {
                let size = map.0.len() as u32;
                self.reached = true;
                self.headers = Some((map, end));
                (size, end)
            }
            Piece::Body(bytes, end) => {
                let mut held = self.body.take().map_or_else(Vec::new, |(held, _)| held);
                held.extend(bytes);
                let size = held.len() as u32;
                self.body = Some((held, end));
                (size, end)
            }
            Piece::Trailers(map) => {
                let size = map.0.len() as u32;
                self.trailers = Some(map);
                (size, false)
            }
        }
    }

    /// Whether what waits and a further piece are larger than this.
    fn waits_beyond(&self, piece: &Piece, limit: usize) -> bool {
        let waiting: usize = self.incoming.iter().map(Piece::size).sum();
        piece.size() > 0 && waiting + piece.size() > limit
    }

    /// Whether what is held and the next piece are larger than this.
    pub(super) fn holds_beyond(&self, limit: usize) -> bool {
        let held = self.body.as_ref().map_or(0, |(body, _)| body.len());
        self.incoming.front().is_some_and(|piece| piece.size() > 0 && held + piece.size() > limit)
    }

    /// What is held.
    pub(super) fn held(&self) -> Held {
        Held { headers: self.headers.clone(), body: self.body.clone(), trailers: self.trailers.clone() }
    }

    /// Makes what is held what it was.
    pub(super) fn hold_again(&mut self, Held { headers, body, trailers }: Held) {
        (self.headers, self.body, self.trailers) = (headers, body, trailers);
    }

    /// Takes everything that is buffered. Trailers that a plugin could have added, but has not, do not exist.
    fn release(&mut self) -> Vec<Piece> {
        let came = self.part == Some(Part::Trailers);
        (self.part, self.paused, self.resume) = (None, false, false);
        let trailers = self.trailers.take().filter(|map| came || !map.0.is_empty());
        let headers = self.headers.take().map(|(map, end)| Piece::Headers(map, end));
        let body = self.body.take().map(|(bytes, end)| Piece::Body(bytes, end && trailers.is_none()));
        headers.into_iter().chain(body).chain(trailers.map(Piece::Trailers)).collect()
    }

    /// Whether a request that came here is one of gRPC.
    pub(super) fn is_grpc(&self) -> bool {
        let headers = self.headers.as_ref().map(|(map, _)| map);
        headers.and_then(|map| map.get(b"content-type")).is_some_and(|value| value.starts_with(b"application/grpc"))
    }

    /// Whether trailers can be added to a message that came without.
    pub(super) fn takes_trailers(&self) -> bool {
        self.part == Some(Part::Body) && matches!(self.body, Some((_, true)))
    }
}

impl Way {
    /// The headers or the trailers as plugins have changed them, once the stream is over: also those that one still holds.
    pub(super) fn logged(&self, part: Part) -> Map {
        let held = self.stages.iter().rev().find(|stage| stage.part.is_some());
        let (held, last) = match part {
            Part::Headers => (held.and_then(|stage| stage.headers.as_ref()).map(|(map, _)| map), &self.last[0]),
            _ => (held.and_then(|stage| stage.trailers.as_ref()), &self.last[1]),
        };
        held.or(last.as_ref()).cloned().unwrap_or_default()
    }
}

impl Stream {
    pub(super) fn new(http: bool, chain: Vec<usize>) -> Stream {
        let way = || Way { stages: chain.iter().map(|_| Stage::default()).collect(), ..Way::default() };
        let (request, response) = (way(), way());
        Stream {
            http,
            limits: vec![None; chain.len()],
            chain,
            undecided: None,
            request,
            response,
            local: None,
            answered: false,
            buffered: None,
            is_head: false,
            over: false,
            leaves_upstream: false,
            unfollowed: false,
            properties: Vec::new(),
        }
    }

    pub(super) fn way(&mut self, direction: Direction) -> &mut Way {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// The stage at a place of the chain: responses reach the last plugin first.
    pub(super) fn stage(&mut self, direction: Direction, place: usize) -> &mut Stage {
        let nth = self.nth(direction, place);
        &mut self.way(direction).stages[nth]
    }

    /// Whether more has come to a plugin than may be held there.
    pub(super) fn is_full(&self) -> bool {
        let count = self.chain.len();
        (0..count).any(|place| {
            let stages = [&self.request.stages[place], &self.response.stages[count - 1 - place]];
            self.limits[place].is_some_and(|limit| stages.into_iter().any(|stage| stage.holds_beyond(limit)))
        })
    }

    /// An instance that has not got a piece which nothing holds back, and the callback for it.
    pub(super) fn passed(&self) -> Option<(usize, &'static str)> {
        let ways = [(Direction::Request, &self.request), (Direction::Response, &self.response)];
        ways.into_iter().filter(|_| !self.unfollowed).find_map(|(direction, way)| {
            let free = way.stages.iter().enumerate().filter(|(_, stage)| !stage.paused);
            free.filter_map(|(nth, stage)| Some((nth, stage.incoming.front()?.part()))).next().map(|(nth, part)| {
                // Counting from the other end is its own inverse.
                (self.chain[self.nth(direction, nth)], callback(self.http, direction, part))
            })
        })
    }

    /// Sets or removes a property; its old value.
    pub(super) fn set_property(&mut self, path: &[u8], value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let known = self.properties.iter().position(|(known, _)| known == path);
        let old = known.map(|place| self.properties.swap_remove(place).1);
        self.properties.extend(value.map(|value| (path.to_vec(), value)));
        old
    }

    fn nth(&self, direction: Direction, place: usize) -> usize {
        match direction {
            Direction::Request => place,
            Direction::Response => self.chain.len() - 1 - place,
        }
    }

    /// A piece enters the chain. A piece before the headers or after the end is dropped.
    pub(super) fn enter(&mut self, direction: Direction, piece: Piece, skips: Skips<'_>) {
        let http = self.http;
        let way = self.way(direction);
        let fits = match piece.part() {
            Part::Headers => !way.begun,
            Part::Body => way.begun || !http,
            Part::Trailers => way.begun,
        };
        if !way.ended && fits {
            way.begun = true;
            way.ended = piece.ends();
            if let (Piece::Headers(map, _), Direction::Request) = (&piece, direction) {
                self.is_head = map.get(b":method") == Some(b"HEAD");
            }
            self.push(direction, 0, piece, skips);
        }
    }

    /// Its contexts are still being created: nothing of the request has come yet.
    pub(super) fn clear_request(&mut self) {
        self.request.stages.iter_mut().for_each(|stage| *stage = Stage::default());
        self.request.out = Flat::default();
        self.request.last = Default::default();
        self.is_head = false;
    }

    /// Whether nothing of a direction moves, as a local response replaces it.
    pub(super) fn is_replaced(&self, direction: Direction) -> bool {
        self.local.is_some() || self.answered && direction == Direction::Request
    }

    /// A local response is sent. It goes through the plugins that the request has reached, unless it replaces another response: then it goes
    /// through none, and the stream is no longer followed.
    pub(super) fn respond(&mut self, skips: Skips<'_>) {
        let Some((headers, body)) = self.local.take() else { return };
        if self.unfollowed || self.over || self.answered || self.response.begun {
            self.unfollowed = true;
            return;
        }
        self.answered = true;
        self.request.stages.iter_mut().for_each(|stage| stage.incoming.clear());
        let reached = self.request.stages.iter().filter(|stage| stage.reached).count();
        let nth = self.chain.len() - reached;
        let has_body = !body.is_empty();
        self.push(Direction::Response, nth, Piece::Headers(headers, !has_body), skips);
        if has_body {
            self.push(Direction::Response, nth, Piece::Body(body, true), skips);
        }
    }

    /// Passes on everything that is buffered at a place.
    pub(super) fn release(&mut self, direction: Direction, place: usize, skips: Skips<'_>) {
        let nth = self.nth(direction, place);
        self.pass_on(direction, nth, skips);
    }

    fn pass_on(&mut self, direction: Direction, nth: usize, skips: Skips<'_>) {
        for piece in self.way(direction).stages[nth].release() {
            self.push(direction, nth + 1, piece, skips);
        }
        let waiting = std::mem::take(&mut self.way(direction).stages[nth].incoming);
        for piece in waiting {
            self.push(direction, nth, piece, skips);
        }
    }

    /// A piece reaches the `nth` plugin, or the end of the chain. It passes a plugin without the callback.
    fn push(&mut self, direction: Direction, nth: usize, piece: Piece, skips: Skips<'_>) {
        if self.over || self.is_replaced(direction) {
            return;
        }
        match &piece {
            Piece::Headers(map, _) => self.way(direction).last[0] = Some(map.clone()),
            Piece::Trailers(map) => self.way(direction).last[1] = Some(map.clone()),
            Piece::Body(..) => {}
        }
        let (is_local, is_head) = (self.answered, self.is_head);
        let count = self.chain.len();
        if nth == count {
            let of = if direction == Direction::Request { Of::Request } else { Of::Response };
            let piece = match piece {
                Piece::Headers(map, _) if self.http && !map.is_whole(of) => {
                    // It cannot be sent, and the host answers instead.
                    (self.over, self.unfollowed) = (true, true);
                    return;
                }
                Piece::Headers(map, end) => Piece::Headers(map.in_order(), end),
                piece => piece,
            };
            let piece = match piece {
                Piece::Headers(map, false) if is_local => {
                    self.buffered = Some(map);
                    return;
                }
                piece => piece,
            };
            let waited = self.buffered.take().map(|map| Piece::Headers(map, false));
            let way = self.way(direction);
            waited.into_iter().chain([piece]).for_each(|piece| way.out.add(piece));
            if is_local && !is_head {
                way.out.set_length();
            }
            let both = self.request.out.end && self.response.out.end;
            self.over = if self.http { self.response.out.end } else { both };
            return;
        }
        let place = if direction == Direction::Request { nth } else { count - 1 - nth };
        let skipped = skips(self.chain[place], callback(self.http, direction, piece.part()));
        let limit = self.limits[place];
        let stage = &mut self.way(direction).stages[nth];
        let waits = stage.paused && stage.part != Some(Part::Body);
        if waits && limit.is_some_and(|limit| stage.waits_beyond(&piece, limit)) {
            // The host answers instead.
            (self.over, self.unfollowed) = (true, true);
            return;
        }
        if !skipped || waits || !stage.incoming.is_empty() {
            stage.incoming.push_back(piece);
            return;
        }
        stage.hold(piece);
        self.pass_on(direction, nth, skips);
    }
}
