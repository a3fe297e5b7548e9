//! A stream: for each plugin of its chain and each direction what is buffered there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use pw_abi::PeerType;

use super::account::{Account, Charge, Charges, MAP, PIECE, PLACE, STREAM};
use super::direction::Direction;
use super::shadow::Shadow;
use crate::config::StreamInfo;
use crate::effect::{Discarded, Effect, Piece};
use crate::fields::Fields;
use crate::http::{Facts, Progress};
use crate::ids::{PluginId, StreamId};
use crate::planted::planted;

/// An HTTP request and its response, or the two directions of a TCP connection, in a chain of plugins.
pub(crate) struct Stream {
    pub(crate) id: StreamId,
    pub(crate) protocol: Protocol,
    pub(crate) info: StreamInfo,
    /// Nanoseconds since 1970.
    pub(crate) started: u64,
    pub(crate) filters: Vec<Filter>,
    pub(crate) request: Message,
    pub(crate) response: Message,
    /// A local response that was not sent yet.
    pub(crate) local: Option<LocalResponse>,
    /// Whether a local response moves through the chain: then nothing else of the stream's messages moves.
    pub(crate) answered: bool,
    /// The headers of a local response at the end of the chain, until its length is known.
    pub(crate) buffered: Option<(Piece, Charges)>,
    /// Whether a plugin has closed the stream, which is about to be reset.
    pub(crate) closed: bool,
    /// What plugins have set with `proxy_set_property`.
    pub(crate) properties: BTreeMap<Vec<u8>, Property>,
    /// Whether nothing more is processed: the response is complete, or the stream was reset.
    pub(crate) over: bool,
    /// If the stream is over: the number of places, from the first, whose contexts have ended.
    pub(crate) ended: usize,
    /// Bytes of memory of the pieces that came while work for the stream was left for later.
    pub(crate) backlog: usize,
    /// Whether the client or the upstream has reset it.
    pub(crate) reset: bool,
    /// Whether the client has reset it: nothing of its messages moves any more.
    pub(crate) client_gone: bool,
    /// What it has if it is the copy of another.
    pub(crate) shadow: Option<Shadow>,
}

/// The protocol of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    /// A TCP connection: headers without fields when it opens, its bytes as bodies.
    Tcp {
        /// The peer that closed the connection to the client, and the one that closed the connection to the upstream.
        closed_by: (PeerType, PeerType),
    },
}

/// A message, as far as it is the same for all plugins of the chain.
#[derive(Default)]
pub(crate) struct Message {
    /// The headers at the plugin that they reached last.
    pub(crate) headers: Option<Arc<Fields>>,
    /// The number of plugins that the headers have reached, plus one if they have reached the end of the chain.
    pub(crate) reached: usize,
    /// The headers as they entered the chain, with their facts, until they leave it.
    pub(crate) came_as: Option<(Arc<Fields>, Facts)>,
    /// The trailers at the plugin that they reached last.
    pub(crate) trailers: Option<Arc<Fields>>,
    /// Bytes of the body that have entered the chain.
    pub(crate) size: u64,
    /// What has entered the chain.
    pub(crate) came: Progress,
    /// Whether all of it has entered the chain.
    pub(crate) ended: bool,
    /// Whether it is a request whose method was HEAD when it entered the chain.
    pub(crate) is_head: bool,
    /// What was sent at the end of the chain.
    pub(crate) left: Progress,
    /// Bytes of the body that its content length promises and that were not sent yet.
    pub(crate) owed: Option<u64>,
    /// Whether it is a response that is sent without a body, whatever enters the chain.
    pub(crate) has_no_body: bool,
    /// Whether headers, other than of informational responses, were sent at the end of the chain.
    pub(crate) sent: bool,
    /// Whether the whole message was sent.
    pub(crate) complete: bool,
}

/// A local response.
#[derive(Default)]
pub(crate) struct LocalResponse {
    pub(crate) headers: Fields,
    pub(crate) body: Bytes,
    pub(crate) charge: Charge,
}

/// A property that a plugin has set on a stream.
pub(crate) struct Property {
    pub(crate) value: Bytes,
    /// The place in the chain of the plugin that has set it.
    pub(crate) place: usize,
    pub(crate) _charge: Charge,
}

/// The old value of a part of a stream that a callback has changed.
pub(crate) enum Undo {
    Headers(StreamId, usize, Direction, Option<(Arc<Fields>, bool)>),
    Body(StreamId, usize, Direction, Option<(Bytes, bool)>),
    Trailers(StreamId, usize, Direction, Option<Arc<Fields>>),
    Property(StreamId, Vec<u8>, Option<Property>),
    /// The callback sent a local response.
    LocalResponse(StreamId),
    /// The callback closed the stream.
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
    /// The start of the plugin, by its count, for which the stream was opened.
    pub(crate) incarnation: u64,
    /// Whether the plugin is not in this stream: it has crashed, or did not run when the stream was opened.
    pub(crate) gone: bool,
    /// If the plugin is log-only, the copy on which it runs instead of the stream.
    pub(crate) shadow: Option<StreamId>,
    /// Bytes of names and values of the properties that it has set.
    pub(crate) properties_size: usize,
    pub(crate) request: Stage,
    pub(crate) response: Stage,
}

/// What is buffered of a message at a plugin.
#[derive(Default)]
pub(crate) struct Stage {
    /// The part that the running callback is about, or at which the message is paused.
    pub(crate) phase: Option<Phase>,
    pub(crate) paused: bool,
    /// Whether the running callback has resumed the message.
    pub(crate) resume: bool,
    /// Whether what is paused is about to be resumed.
    pub(crate) continuing: bool,
    /// The headers, and whether they end the message.
    pub(crate) headers: Option<(Arc<Fields>, bool)>,
    /// The body so far, and whether this is its end.
    pub(crate) body: Option<(Bytes, bool)>,
    pub(crate) trailers: Option<Arc<Fields>>,
    /// Bytes of the body that have come here.
    came: usize,
    /// What plugins have added to what is buffered.
    added: Option<Box<Added>>,
    /// What came while the message was paused at the headers.
    waiting: Option<Box<Waiting>>,
}

/// Charges for what plugins have added to what is buffered.
#[derive(Default)]
struct Added {
    /// Charges of the plugin here: for the headers, the body and the trailers.
    grown: [Charge; 3],
    /// Charges of earlier plugins.
    carried: Charges,
}

/// Pieces that wait.
#[derive(Default)]
struct Waiting {
    pieces: VecDeque<(Piece, Charges)>,
    /// Bytes of bodies.
    size: usize,
    /// Other bytes of memory that they take.
    cost: usize,
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Headers,
    Body,
    Trailers,
}

impl Stream {
    /// Bytes of memory that the stream takes while the plugin at a place delays its end.
    pub(crate) fn footprint(&self, place: usize) -> usize {
        let filter = self.filters.get(place);
        let held = filter.map_or(0, |filter| filter.request.footprint() + filter.response.footprint());
        let map = |map: &Option<Arc<Fields>>| map.as_ref().map_or(0, |map| MAP + map.footprint());
        let message = |message: &Message| map(&message.headers) + map(&message.trailers);
        STREAM + PLACE * self.filters.len() + held + message(&self.request) + message(&self.response)
    }

    /// Whether pieces of a direction move through the chain.
    pub(crate) fn moves(&self, direction: Direction) -> bool {
        let waits = !self.over && !self.closed && !self.client_gone && self.local.is_none();
        waits && !(self.answered && direction == Direction::Request)
    }

    /// Whether the upstream handles the stream.
    pub(crate) fn has_upstream(&self) -> bool {
        planted!(UpstreamStaysOpen => return self.request.sent && !self.answered && !self.request.complete);
        self.request.sent && !self.answered
    }

    pub(crate) fn message(&mut self, direction: Direction) -> &mut Message {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// The stream is over: maps that a plugin still holds are what `proxy_on_log` reads, as plugins have changed them, perhaps in
    /// `proxy_on_done`.
    pub(crate) fn keep_held(&mut self, direction: Direction) {
        let in_chain = self.filters.iter_mut().filter(|filter| !filter.gone);
        let mut stages = in_chain.map(|filter| filter.stage(direction)).filter(|stage| stage.phase.is_some());
        // The one that is furthest: responses go backwards.
        let furthest = if direction == Direction::Request { stages.next_back() } else { stages.next() };
        let Some(stage) = furthest else { return };
        let (headers, trailers) = (stage.headers.as_ref().map(|(headers, _)| headers.clone()), stage.trailers.clone());
        let message = self.message(direction);
        message.headers = headers.or(message.headers.take());
        message.trailers = trailers.or(message.trailers.take());
    }

    /// What an effect of a copy would change, if its plugin were not log-only.
    pub(crate) fn discarded(&mut self, effect: Effect) -> Vec<Discarded> {
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

    /// Sets the peers that closed the connections to the client and to the upstream, if it is a TCP stream.
    pub(crate) fn closed_by(&mut self, downstream: PeerType, upstream: PeerType) {
        if let Protocol::Tcp { closed_by } = &mut self.protocol {
            *closed_by = (downstream, upstream);
        }
    }

    /// The place in the chain of the `nth` plugin of a direction: responses go backwards.
    pub(crate) fn place(&self, nth: usize, direction: Direction) -> Option<usize> {
        match direction {
            Direction::Request => (nth < self.filters.len()).then_some(nth),
            Direction::Response => self.filters.len().checked_sub(nth + 1),
        }
    }
}

impl Stream {
    /// The number of the plugin at a place, in a direction.
    pub(crate) fn nth(&self, place: usize, direction: Direction) -> Option<usize> {
        // Counting from the other end is its own inverse.
        self.place(place, direction)
    }
}

impl Message {
    /// Whether a piece with these facts can come now. A TCP connection opens once, and has only bytes after that.
    pub(crate) fn accepts(&mut self, piece: &Piece, http: bool, facts: &Facts) -> bool {
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
    /// Whether the plugin was detached and part of a message is still buffered here: it is passed on when the entry `Detached` is
    /// done, before all later pieces.
    pub(crate) fn has_leftover(&mut self, direction: Direction) -> bool {
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
    /// Whether the plugin has got the end of a message without trailers, so that it can add some.
    pub(crate) fn accepts_new_trailers(&self) -> bool {
        self.phase == Some(Phase::Body) && matches!(self.body, Some((_, true)))
    }

    /// Bytes of bodies that are buffered: of what waits, or of what the plugin sees.
    pub(crate) fn held(&self, waits: bool) -> usize {
        if waits {
            self.waiting.as_ref().map_or(0, |waiting| waiting.size)
        } else {
            self.body.as_ref().map_or(0, |(body, _)| body.len())
        }
    }

    /// Whether pieces that wait, with this one, cost more than `max` bytes besides their bodies.
    pub(crate) fn waiting_exceeds(&self, piece: &Piece, max: usize) -> bool {
        self.waiting.as_ref().map_or(0, |waiting| waiting.cost).saturating_add(cost(piece)) > max
    }

    /// Adds a piece to those that wait.
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

    /// Takes the piece that has waited longest.
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

    /// Bytes of a body have come here, with the charges of earlier plugins for the piece.
    pub(crate) fn came(&mut self, bytes: usize, charges: Charges) {
        self.came += bytes;
        if charges.is_some() {
            self.added.get_or_insert_default().carried.add_all(charges);
        }
    }

    /// Charges the plugin for the size of the headers, the body or the trailers; false if the account would exceed `max`.
    pub(crate) fn grow(&mut self, phase: Phase, size: usize, account: &Account, max: usize) -> bool {
        /// Bytes by which a charge grows, so that few calls change the account.
        const CHARGE_STEP: usize = 1 << 10;
        let (place, size) = match phase {
            Phase::Headers => (0, size + MAP),
            Phase::Body => (1, size.saturating_sub(self.came)),
            Phase::Trailers => (2, size + MAP),
        };
        if size == 0 {
            return true;
        }
        let charge = &mut self.added.get_or_insert_default().grown[place];
        size <= charge.bytes()
            || charge.resize(account, size.next_multiple_of(CHARGE_STEP), max)
            || charge.resize(account, size, max)
    }

    /// Takes the charges for what plugins have added, for the piece that carries them.
    pub(crate) fn charges(&mut self) -> Charges {
        self.came = 0;
        let Some(added) = self.added.take() else { return Charges::default() };
        let mut charges = added.carried;
        added.grown.into_iter().for_each(|grown| charges.add(grown));
        charges
    }

    /// Drops what waits.
    pub(crate) fn drop_waiting(&mut self) {
        self.waiting = None;
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Stage::default();
    }

    /// Bytes of memory of what is buffered.
    fn footprint(&self) -> usize {
        let map = |map: Option<&Arc<Fields>>| map.map_or(0, |map| MAP + map.footprint());
        let headers = self.headers.as_ref().map(|(headers, _)| headers);
        self.held(false) + map(headers) + map(self.trailers.as_ref())
    }

    /// Takes everything that is buffered, in order; what waits stays.
    pub(crate) fn release(&mut self) -> [Option<Piece>; 3] {
        // Trailers that came end the message even if a plugin has emptied them; empty ones that it could have added do not.
        let came = self.phase == Some(Phase::Trailers);
        planted!(AddedTrailersLost => if !came {
            self.trailers = None;
        });
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

/// Bytes of memory that a waiting piece takes.
pub(crate) fn piece_cost(piece: &Piece) -> usize {
    cost(piece) + if let Piece::Body { body, .. } = piece { body.len() } else { 0 }
}

/// Bytes of memory that a waiting piece takes, besides its body.
fn cost(piece: &Piece) -> usize {
    PIECE
        + match piece {
            Piece::Headers { headers: map, .. } | Piece::Trailers { trailers: map } => MAP + map.footprint(),
            Piece::Body { .. } => 0,
        }
}
