//! A stream: for each plugin of its chain and each direction what is held there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use pw_abi::PeerType;

use super::account::{MAP, PIECE, PLACE, STREAM};
use super::{Account, Charge, Charges, Shadow};
use crate::effect::{Discarded, Effect, Piece};
use crate::fields::Fields;
use crate::http::{Facts, Progress};
use crate::proxy::StreamInfo;
use crate::{PluginId, StreamId};

/// An HTTP request and its response, or the two directions of a TCP connection, on their way through a chain of plugins.
pub(crate) struct Stream {
    pub(crate) id: StreamId,
    pub(crate) protocol: Protocol,
    pub(crate) info: StreamInfo,
    /// Nanoseconds since 1970.
    pub(crate) started: u64,
    pub(crate) filters: Vec<Filter>,
    pub(crate) request: Message,
    pub(crate) response: Message,
    /// A response that a plugin gave itself and that was not sent yet.
    pub(crate) local: Option<LocalResponse>,
    /// A local response is on its way through the chain: nothing else of the stream's messages moves any more.
    pub(crate) answered: bool,
    /// The headers of that, at the end of the chain, until it is known how long it is.
    pub(crate) buffered: Option<(Piece, Charges)>,
    /// A plugin has closed the stream, which is about to be done.
    pub(crate) closed: bool,
    /// What plugins have set by `proxy_set_property`.
    pub(crate) properties: BTreeMap<Vec<u8>, Property>,
    /// Nothing more is processed: the response is complete, or the stream was cut off.
    pub(crate) over: bool,
    /// At how many places, counted from the first, nothing is left of a stream that is over.
    pub(crate) ended: usize,
    /// What pieces cost that came while work for the stream was left for later.
    pub(crate) backlog: usize,
    /// The client or the upstream has reset it.
    pub(crate) reset: bool,
    /// The client has: nothing of its messages goes any further, not even what comes behind something that was dropped.
    pub(crate) client_gone: bool,
    /// It is the copy of another.
    pub(crate) shadow: Option<Shadow>,
}

/// What a stream is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    /// A connection opens by headers without a field; bodies are its bytes.
    Tcp {
        /// Who ended the connection to the client, and who the one to the upstream.
        closed_by: (PeerType, PeerType),
    },
}

/// A message as it is known to all plugins of the chain.
#[derive(Default)]
pub(crate) struct Message {
    /// As seen last.
    pub(crate) headers: Option<Arc<Fields>>,
    /// How many plugins of the chain the headers have come to, and the other end if they have.
    pub(crate) reached: usize,
    /// As they came, if they are on their way, and what there is to know of them.
    pub(crate) came_as: Option<(Arc<Fields>, Facts)>,
    /// As seen last.
    pub(crate) trailers: Option<Arc<Fields>>,
    /// Bytes of the body that came in.
    pub(crate) size: u64,
    /// How much of it came in.
    pub(crate) came: Progress,
    /// All of it came in.
    pub(crate) ended: bool,
    /// A request whose method was HEAD when it came in.
    pub(crate) is_head: bool,
    /// How much of it went out at the other end of the chain.
    pub(crate) left: Progress,
    /// Bytes of the body that its content length promises and that did not go out yet.
    pub(crate) owed: Option<u64>,
    /// A response that goes out without a body, whatever comes in.
    pub(crate) has_no_body: bool,
    /// The headers went out at the other end of the chain; not only those of informational responses.
    pub(crate) sent: bool,
    /// The whole message did.
    pub(crate) complete: bool,
}

/// A response that a plugin gives itself.
#[derive(Default)]
pub(crate) struct LocalResponse {
    pub(crate) headers: Fields,
    pub(crate) body: Bytes,
    pub(crate) charge: Charge,
}

/// A property that a plugin has set on a stream.
pub(crate) struct Property {
    pub(crate) value: Bytes,
    /// Whose it is, by its place in the chain.
    pub(crate) place: usize,
    pub(crate) _charge: Charge,
}

/// What a part of a stream was before a callback changed it.
pub(crate) enum Undo {
    Headers(StreamId, usize, Direction, Option<(Arc<Fields>, bool)>),
    Body(StreamId, usize, Direction, Option<(Bytes, bool)>),
    Trailers(StreamId, usize, Direction, Option<Arc<Fields>>),
    Property(StreamId, Vec<u8>, Option<Property>),
    /// It gave a response itself.
    LocalResponse(StreamId),
    /// It closed the stream.
    Close(StreamId),
}

impl Undo {
    pub(crate) fn stream(&self) -> StreamId {
        match self {
            Undo::Headers(stream, ..)
            | Undo::Body(stream, ..)
            | Undo::Trailers(stream, ..)
            | Undo::Property(stream, ..)
            | Undo::LocalResponse(stream)
            | Undo::Close(stream) => *stream,
        }
    }
}

/// A plugin's place in a chain.
pub(crate) struct Filter {
    pub(crate) plugin: PluginId,
    pub(crate) context: u32,
    /// Which start of the plugin it was that the stream was opened for.
    pub(crate) incarnation: u64,
    /// The plugin is not there for this stream: it has faulted, or was not there from the beginning.
    pub(crate) gone: bool,
    /// The plugin is log-only, and runs on this copy in place of the stream.
    pub(crate) shadow: Option<StreamId>,
    /// Bytes of names and values of the properties that it has set.
    pub(crate) properties_size: usize,
    pub(crate) request: Stage,
    pub(crate) response: Stage,
}

/// What of a message is held at a plugin.
#[derive(Default)]
pub(crate) struct Stage {
    /// The callback that runs, or from which processing is paused.
    pub(crate) phase: Option<Phase>,
    pub(crate) paused: bool,
    /// The callback that runs has asked to be continued.
    pub(crate) resume: bool,
    /// What is paused is about to be continued.
    pub(crate) continuing: bool,
    /// Headers, and whether they end the message.
    pub(crate) headers: Option<(Arc<Fields>, bool)>,
    /// The body so far, and whether this is its end.
    pub(crate) body: Option<(Bytes, bool)>,
    pub(crate) trailers: Option<Arc<Fields>>,
    /// Bytes of bodies that came here.
    came: usize,
    /// What plugins have made of what is held, if they have.
    made: Option<Box<Made>>,
    /// What came while the headers were held.
    waiting: Option<Box<Waiting>>,
}

/// What plugins have made of what is held.
#[derive(Default)]
struct Made {
    /// The plugin here, of the headers, the body and the trailers beyond what came.
    grown: [Charge; 3],
    /// Plugins before it.
    carried: Charges,
}

/// Pieces that wait.
#[derive(Default)]
struct Waiting {
    pieces: VecDeque<(Piece, Charges)>,
    /// Bytes of bodies.
    size: usize,
    /// What they cost besides.
    cost: usize,
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Headers,
    Body,
    Trailers,
}

/// Which message of a stream; of a TCP connection, to the upstream or from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    Request,
    Response,
}

impl Stream {
    /// Bytes that the stream takes for as long as the plugin at a place holds up its end.
    pub(crate) fn footprint(&self, place: usize) -> usize {
        let filter = self.filters.get(place);
        let held = filter.map_or(0, |filter| filter.request.footprint() + filter.response.footprint());
        let map = |map: &Option<Arc<Fields>>| map.as_ref().map_or(0, |map| MAP + map.footprint());
        let message = |message: &Message| map(&message.headers) + map(&message.trailers);
        STREAM + PLACE * self.filters.len() + held + message(&self.request) + message(&self.response)
    }

    /// Whether pieces of a direction go on through the chain.
    pub(crate) fn moves(&self, direction: Direction) -> bool {
        let waits = !self.over && !self.closed && !self.client_gone && self.local.is_none();
        waits && !(self.answered && direction == Direction::Request)
    }

    /// Whether the upstream is at work for the stream.
    pub(crate) fn has_upstream(&self) -> bool {
        self.request.sent && !self.answered
    }

    pub(crate) fn message(&mut self, direction: Direction) -> &mut Message {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// What an effect of a shadow would change, if its plugin were to act.
    pub(crate) fn would(&mut self, effect: Effect) -> Vec<Discarded> {
        let begun = self.response.came != Progress::Nothing;
        let Some(shadow) = &mut self.shadow else { return Vec::new() };
        match effect {
            Effect::Upstream { piece, .. } => shadow.changes(Direction::Request, piece),
            Effect::Downstream { piece, .. } if begun => shadow.changes(Direction::Response, piece),
            Effect::Downstream { piece: Piece::Headers { headers, .. }, .. } => vec![Discarded::Answer { headers }],
            Effect::ResetDownstream { .. } => vec![Discarded::Reset],
            Effect::ClearRouteCache { .. } => vec![Discarded::ClearRouteCache],
            _ => Vec::new(),
        }
    }

    /// Remembers who ended the connection to the client and the one to the upstream, if this is about connections.
    pub(crate) fn closed_by(&mut self, downstream: PeerType, upstream: PeerType) {
        if let Protocol::Tcp { closed_by } = &mut self.protocol {
            *closed_by = (downstream, upstream);
        }
    }

    /// Where in the chain the `nth` plugin of a direction is: responses go backwards.
    pub(crate) fn place(&self, nth: usize, direction: Direction) -> Option<usize> {
        match direction {
            Direction::Request => (nth < self.filters.len()).then_some(nth),
            Direction::Response => self.filters.len().checked_sub(nth + 1),
        }
    }
}

impl Stream {
    /// Which plugin of a direction the one at a place is.
    pub(crate) fn nth(&self, place: usize, direction: Direction) -> Option<usize> {
        // Counting from the other end is its own inverse.
        self.place(place, direction)
    }
}

impl Message {
    /// Whether a piece, of which this is known, can come now. A TCP connection opens once, and has but bytes then.
    pub(crate) fn takes(&mut self, piece: &Piece, http: bool, facts: &Facts) -> bool {
        let came = match (piece, self.came) {
            _ if http => self.came.with(piece, facts),
            (_, Progress::End) | (Piece::Trailers { .. }, _) => None,
            (Piece::Headers { .. }, came) => (came == Progress::Nothing).then_some(Progress::Headers),
            (Piece::Body { .. }, _) => Some(if piece.ends() { Progress::End } else { Progress::Headers }),
        };
        let Some(came) = came else { return false };
        match piece {
            Piece::Headers { .. } => self.is_head = facts.is_head,
            Piece::Body { body, .. } => self.size += body.len() as u64,
            Piece::Trailers { .. } => {}
        }
        self.came = came;
        self.ended = piece.ends();
        true
    }
}

impl Filter {
    /// Whether the plugin is gone and what it held of a message is there: it is let go when the entry that the plugin has left is
    /// done, before all that comes behind.
    pub(crate) fn has_left(&mut self, direction: Direction) -> bool {
        self.gone && self.stage(direction).phase.is_some()
    }

    pub(crate) fn stage(&mut self, direction: Direction) -> &mut Stage {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }
}

impl Stage {
    /// Whether this is the callback that saw the end of a message without trailers, so that some can be added.
    pub(crate) fn takes_new_trailers(&self) -> bool {
        self.phase == Some(Phase::Body) && matches!(self.body, Some((_, true)))
    }

    /// Bytes of bodies that are held: of what waits, or of what the plugin sees.
    pub(crate) fn held(&self, waits: bool) -> usize {
        if waits {
            self.waiting.as_ref().map_or(0, |waiting| waiting.size)
        } else {
            self.body.as_ref().map_or(0, |(body, _)| body.len())
        }
    }

    /// Whether pieces that wait cost more than may be, whatever their bodies.
    pub(crate) fn waits_for_too_much(&self, piece: &Piece, most: usize) -> bool {
        self.waiting.as_ref().map_or(0, |waiting| waiting.cost).saturating_add(cost(piece)) > most
    }

    /// Lets a piece wait.
    pub(crate) fn wait(&mut self, piece: Piece, charges: Charges) {
        let waiting = self.waiting.get_or_insert_default();
        waiting.cost += cost(&piece);
        if let Piece::Body { body, .. } = &piece {
            waiting.size += body.len();
        }
        waiting.pieces.push_back((piece, charges));
    }

    pub(crate) fn has_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// The piece that has waited longest.
    pub(crate) fn next(&mut self) -> Option<(Piece, Charges)> {
        let waiting = self.waiting.as_mut()?;
        let (piece, charges) = waiting.pieces.pop_front()?;
        waiting.cost -= cost(&piece);
        if let Piece::Body { body, .. } = &piece {
            waiting.size -= body.len();
        }
        if waiting.pieces.is_empty() {
            self.waiting = None;
        }
        Some((piece, charges))
    }

    /// Bytes of a body came here, and what plugins before this one have made of the piece.
    pub(crate) fn comes(&mut self, bytes: usize, charges: Charges) {
        self.came += bytes;
        if charges.is_some() {
            self.made.get_or_insert_default().carried.add_all(charges);
        }
    }

    /// Charges the plugin for the headers, the body or the trailers being as long as that; false if there is no room.
    pub(crate) fn grow(&mut self, phase: Phase, size: usize, account: &Account, most: usize) -> bool {
        /// What maps grow by at a time, so that few calls change the account.
        const STEP: usize = 1 << 10;
        let (place, size) = match phase {
            Phase::Headers => (0, size + MAP),
            Phase::Body => (1, size.saturating_sub(self.came)),
            Phase::Trailers => (2, size + MAP),
        };
        if size == 0 {
            return true;
        }
        let charge = &mut self.made.get_or_insert_default().grown[place];
        size <= charge.bytes()
            || charge.resize(account, size.next_multiple_of(STEP), most)
            || charge.resize(account, size, most)
    }

    /// What plugins have made of what is held here, for the piece that takes it along.
    pub(crate) fn charges(&mut self) -> Charges {
        self.came = 0;
        let Some(made) = self.made.take() else { return Charges::default() };
        let mut charges = made.carried;
        made.grown.into_iter().for_each(|grown| charges.add(grown));
        charges
    }

    /// Nothing moves any more: what waits is dropped.
    pub(crate) fn drop_waiting(&mut self) {
        self.waiting = None;
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Stage::default();
    }

    /// Bytes of what is held.
    fn footprint(&self) -> usize {
        let map = |map: Option<&Arc<Fields>>| map.map_or(0, |map| MAP + map.footprint());
        let headers = self.headers.as_ref().map(|(headers, _)| headers);
        self.held(false) + map(headers) + map(self.trailers.as_ref())
    }

    /// Everything that is held, in order; what waits stays.
    pub(crate) fn release(&mut self) -> [Option<Piece>; 3] {
        // Trailers that came end the message even when a plugin has emptied them; those that it could have added do not.
        let came = self.phase == Some(Phase::Trailers);
        self.phase = None;
        self.paused = false;
        self.resume = false;
        self.continuing = false;
        let trailers = self.trailers.take().filter(|trailers| came || !trailers.is_empty());
        let headers = self.headers.take().map(|(headers, end_of_stream)| Piece::Headers { headers, end_of_stream });
        let body = self.body.take();
        let body = body.map(|(body, end)| Piece::Body { body, end_of_stream: end && trailers.is_none() });
        [headers, body, trailers.map(|trailers| Piece::Trailers { trailers })]
    }
}

/// What a piece costs that waits.
pub(crate) fn piece_cost(piece: &Piece) -> usize {
    cost(piece) + if let Piece::Body { body, .. } = piece { body.len() } else { 0 }
}

/// What a piece costs that waits, besides the bytes of a body.
fn cost(piece: &Piece) -> usize {
    PIECE
        + match piece {
            Piece::Headers { headers: map, .. } | Piece::Trailers { trailers: map } => MAP + map.footprint(),
            Piece::Body { .. } => 0,
        }
}
