//! Streams as the model has them: for each direction what is on its way to each plugin, what is held there, and what is to
//! come out at the end.

use std::collections::VecDeque;

use super::fields::{Map, Of};

/// A piece of a message. Of a TCP connection the opening is headers without fields, and data is a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Headers(Map, bool),
    Body(Vec<u8>, bool),
    Trailers(Map),
}

/// Which piece a callback is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Headers,
    Body,
    Trailers,
}

/// Which message: the request, or what the client sends; the response, or what the upstream sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Request,
    Response,
}

/// Whether an instance lets a piece pass without its callback.
pub(super) type Skips<'a> = &'a dyn Fn(usize, &'static str) -> bool;

/// A stream.
pub(super) struct Stream {
    pub(super) http: bool,
    /// The plugins' instances, in the order of the chain.
    pub(super) chain: Vec<usize>,
    pub(super) request: Way,
    pub(super) response: Way,
    /// A plugin's own response, headers and body, that is to come.
    pub(super) local: Option<(Map, Vec<u8>)>,
    /// One is on its way, and nothing else is.
    pub(super) answered: bool,
    /// Its headers at the end of the chain, where they wait for its body.
    buffered: Option<Map>,
    /// The client asked by HEAD.
    pub(super) is_head: bool,
    /// Nothing moves any more.
    pub(super) over: bool,
    /// What happens to its messages cannot be told any more: it was cut off, answered by a plugin, or lost one.
    pub(super) wild: bool,
    pub(super) properties: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A message on its way.
#[derive(Default)]
pub(super) struct Way {
    /// By the order in which the message meets the plugins.
    pub(super) stages: Vec<Stage>,
    pub(super) begun: bool,
    pub(super) ended: bool,
    /// What is to have come out.
    pub(super) out: Flat,
    /// What has been seen to come out.
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
    /// What it was not called for yet.
    pub(super) incoming: VecDeque<Piece>,
    /// The callback that runs, or from which the message is paused.
    pub(super) part: Option<Part>,
    pub(super) paused: bool,
    /// Headers have come here.
    pub(super) reached: bool,
    /// The callback that runs has asked to go on.
    pub(super) resume: bool,
    pub(super) headers: Option<(Map, bool)>,
    pub(super) body: Option<(Vec<u8>, bool)>,
    pub(super) trailers: Option<Map>,
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

/// Which message and which part of it a callback is about.
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
    /// The headers say how long the body is, if there is one or they say something of it.
    fn measure(&mut self) {
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

    pub(super) fn ends(&self) -> bool {
        match self {
            Piece::Headers(_, end) | Piece::Body(_, end) => *end,
            Piece::Trailers(_) => true,
        }
    }
}

impl Stage {
    /// Puts a piece to what is held; its size as the callback is told it, and whether it is the last.
    pub(super) fn take(&mut self, piece: Piece) -> (u32, bool) {
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

    /// Everything that is held. Trailers that a plugin could have added, and has not, are none.
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

impl Stream {
    pub(super) fn new(http: bool, chain: Vec<usize>) -> Stream {
        let way = || Way { stages: chain.iter().map(|_| Stage::default()).collect(), ..Way::default() };
        let (request, response) = (way(), way());
        Stream {
            http,
            chain,
            request,
            response,
            local: None,
            answered: false,
            buffered: None,
            is_head: false,
            over: false,
            wild: false,
            properties: Vec::new(),
        }
    }

    pub(super) fn way(&mut self, direction: Direction) -> &mut Way {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// What of a message is at a place of the chain: responses meet the last plugin first.
    pub(super) fn stage(&mut self, direction: Direction, place: usize) -> &mut Stage {
        let nth = self.nth(direction, place);
        &mut self.way(direction).stages[nth]
    }

    /// A property becomes this; what it was.
    pub(super) fn sets(&mut self, path: &[u8], value: Option<Vec<u8>>) -> Option<Vec<u8>> {
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

    /// A piece comes in at the beginning of the chain. One that nothing can come before or behind is dropped.
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

    /// Its contexts are only being created: nothing of the request has come yet.
    pub(super) fn opens(&mut self) {
        self.request.stages.iter_mut().for_each(|stage| *stage = Stage::default());
        self.request.out = Flat::default();
        self.is_head = false;
    }

    /// Whether nothing of a direction moves, as a plugin has answered the request itself.
    pub(super) fn stops(&self, direction: Direction) -> bool {
        self.local.is_some() || self.answered && direction == Direction::Request
    }

    /// A plugin's own response comes. It passes the plugins that the request has come to, unless it replaces another response; then it passes
    /// none, and how far that was is not followed.
    pub(super) fn answer(&mut self, skips: Skips<'_>) {
        let Some((headers, body)) = self.local.take() else { return };
        if self.wild || self.over || self.answered || self.response.begun {
            self.wild = true;
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

    /// Lets everything go that is held at a place.
    pub(super) fn release(&mut self, direction: Direction, place: usize, skips: Skips<'_>) {
        let nth = self.nth(direction, place);
        self.let_go(direction, nth, skips);
    }

    fn let_go(&mut self, direction: Direction, nth: usize, skips: Skips<'_>) {
        for piece in self.way(direction).stages[nth].release() {
            self.push(direction, nth + 1, piece, skips);
        }
        let waiting = std::mem::take(&mut self.way(direction).stages[nth].incoming);
        for piece in waiting {
            self.push(direction, nth, piece, skips);
        }
    }

    /// A piece comes to the `nth` plugin, or out at the end. A plugin without the callback does not see it.
    fn push(&mut self, direction: Direction, nth: usize, piece: Piece, skips: Skips<'_>) {
        if self.over || self.stops(direction) {
            return;
        }
        let (is_local, is_head) = (self.answered, self.is_head);
        let count = self.chain.len();
        if nth == count {
            let of = if direction == Direction::Request { Of::Request } else { Of::Response };
            let piece = match piece {
                Piece::Headers(map, _) if self.http && !map.is_whole(of) => {
                    // It cannot be sent, and the host answers in its place.
                    (self.over, self.wild) = (true, true);
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
                way.out.measure();
            }
            let both = self.request.out.end && self.response.out.end;
            self.over = if self.http { self.response.out.end } else { both };
            return;
        }
        let place = if direction == Direction::Request { nth } else { count - 1 - nth };
        let skipped = skips(self.chain[place], callback(self.http, direction, piece.part()));
        let stage = &mut self.way(direction).stages[nth];
        let waits = stage.paused && stage.part != Some(Part::Body);
        if !skipped || waits || !stage.incoming.is_empty() {
            stage.incoming.push_back(piece);
            return;
        }
        stage.take(piece);
        self.let_go(direction, nth, skips);
    }
}
