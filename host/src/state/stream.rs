//! A stream: for each plugin of its chain and each direction what is held there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use pw_abi::PeerType;

use super::Shadow;
use crate::effect::{Discarded, Effect, Piece};
use crate::fields::Fields;
use crate::http::Progress;
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
    /// A plugin has closed the stream, which is about to be done.
    pub(crate) closed: bool,
    /// What plugins have set by `proxy_set_property`.
    pub(crate) properties: BTreeMap<Vec<u8>, Bytes>,
    /// Bytes of their names and values.
    pub(crate) properties_size: usize,
    /// Nothing more is processed: the response is complete, or the stream was cut off.
    pub(crate) over: bool,
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
    /// As seen last.
    pub(crate) trailers: Option<Arc<Fields>>,
    /// Bytes of the body that came in.
    pub(crate) size: u64,
    /// How much of it came in.
    came: Progress,
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
pub(crate) struct LocalResponse {
    pub(crate) headers: Fields,
    pub(crate) body: Bytes,
}

/// A plugin's place in a chain.
pub(crate) struct Filter {
    pub(crate) plugin: PluginId,
    pub(crate) context: u32,
    /// The plugin is not there for this stream: it has faulted, or was not there from the beginning.
    pub(crate) gone: bool,
    /// The plugin is log-only, and runs on this copy in place of the stream.
    pub(crate) shadow: Option<StreamId>,
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
    /// Headers, and whether they end the message.
    pub(crate) headers: Option<(Arc<Fields>, bool)>,
    /// The body so far, and whether this is its end.
    pub(crate) body: Option<(Bytes, bool)>,
    pub(crate) trailers: Option<Arc<Fields>>,
    /// What came while the headers were held, and how many bytes of bodies that is.
    waiting: VecDeque<Piece>,
    waiting_size: usize,
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Headers,
    Body,
    Trailers,
}

/// Which message of a stream; of a TCP connection, to the upstream or from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Response,
}

impl Stream {
    /// Whether pieces go on through the chain.
    pub(crate) fn moves(&self) -> bool {
        !self.over && !self.closed && self.local.is_none()
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

impl Message {
    /// Whether a piece can come now. A TCP connection opens once, and has but bytes then.
    pub(crate) fn takes(&mut self, piece: &Piece, http: bool) -> bool {
        let came = match (piece, self.came) {
            _ if http => self.came.with(piece),
            (_, Progress::End) | (Piece::Trailers { .. }, _) => None,
            (Piece::Headers { .. }, came) => (came == Progress::Nothing).then_some(Progress::Headers),
            (Piece::Body { .. }, _) => Some(if piece.ends() { Progress::End } else { Progress::Headers }),
        };
        let Some(came) = came else { return false };
        match piece {
            Piece::Headers { headers, .. } => self.is_head = headers.get(b":method") == Some(b"HEAD"),
            Piece::Body { body, .. } => self.size += body.len() as u64,
            Piece::Trailers { .. } => {}
        }
        self.came = came;
        self.ended = piece.ends();
        true
    }
}

impl Filter {
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
        if waits { self.waiting_size } else { self.body.as_ref().map_or(0, |(body, _)| body.len()) }
    }

    /// Lets a piece wait.
    pub(crate) fn wait(&mut self, piece: Piece) {
        if let Piece::Body { body, .. } = &piece {
            self.waiting_size += body.len();
        }
        self.waiting.push_back(piece);
    }

    /// The piece that has waited longest.
    pub(crate) fn next(&mut self) -> Option<Piece> {
        let piece = self.waiting.pop_front()?;
        if let Piece::Body { body, .. } = &piece {
            self.waiting_size -= body.len();
        }
        Some(piece)
    }

    /// Everything that is held, in order; what waits stays.
    pub(crate) fn release(&mut self) -> [Option<Piece>; 3] {
        // Trailers that came end the message even when a plugin has emptied them; those that it could have added do not.
        let came = self.phase == Some(Phase::Trailers);
        self.phase = None;
        self.paused = false;
        self.resume = false;
        let trailers = self.trailers.take().filter(|trailers| came || !trailers.is_empty());
        let headers = self.headers.take().map(|(headers, end_of_stream)| Piece::Headers { headers, end_of_stream });
        let body = self.body.take();
        let body = body.map(|(body, end)| Piece::Body { body, end_of_stream: end && trailers.is_none() });
        [headers, body, trailers.map(|trailers| Piece::Trailers { trailers })]
    }
}
