//! A shadow: the copy of a stream on which a log-only plugin runs, and what comes out of it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::account::{Account, Charge, MAP, PIECE};
use super::direction::Direction;
use crate::effect::{Discarded, Piece};
use crate::fields::Fields;
use crate::ids::{PluginId, StreamId};

/// What a stream has if it is a copy.
pub(crate) struct Shadow {
    pub(crate) plugin: PluginId,
    /// The stream that it is a copy of.
    pub(crate) of: StreamId,
    /// The pieces of the response that came before the plugin had released the request.
    early: VecDeque<Piece>,
    /// Bytes of bodies in `early`.
    pub(crate) early_size: usize,
    /// Bytes of memory that `early` takes.
    early_cost: usize,
    /// Whether the stream that it is a copy of is over.
    pub(crate) alone: bool,
    /// The charge for what is kept: of what the plugin got, and of what came early.
    charge: Charge,
    request: Given,
    response: Given,
}

/// What a plugin got of a message; of the body, what it has not passed on yet.
#[derive(Default)]
struct Given {
    headers: Arc<Fields>,
    trailers: Arc<Fields>,
    body: VecDeque<Bytes>,
    /// Bytes of `body`.
    size: usize,
    /// Whether the plugin has passed on another body.
    differs: bool,
}

impl Shadow {
    pub(crate) fn new(plugin: PluginId, of: StreamId) -> Shadow {
        let (request, response) = (Given::default(), Given::default());
        let charge = Charge::default();
        Shadow {
            plugin,
            of,
            early: VecDeque::new(),
            early_size: 0,
            early_cost: 0,
            alone: false,
            charge,
            request,
            response,
        }
    }

    /// Charges the plugin for what is kept, with one more piece; false if the account would exceed `max`.
    pub(crate) fn charge(&mut self, piece: &Piece, account: &Account, max: usize) -> bool {
        let kept = self.request.cost() + self.response.cost() + self.early_cost;
        self.charge.resize(account, kept + PIECE + size(piece), max)
    }

    /// Keeps a piece of the response until the plugin has released the request.
    pub(crate) fn wait(&mut self, piece: Piece) {
        self.early_cost += PIECE + size(&piece);
        if let Piece::Body { body, .. } = &piece {
            self.early_size += body.len();
        }
        self.early.push_back(piece);
    }

    pub(crate) fn has_early(&self) -> bool {
        !self.early.is_empty()
    }

    /// Takes the piece that came first.
    pub(crate) fn next(&mut self) -> Option<Piece> {
        let piece = self.early.pop_front()?;
        self.early_cost -= PIECE + size(&piece);
        if let Piece::Body { body, .. } = &piece {
            self.early_size -= body.len();
        }
        Some(piece)
    }

    /// Keeps a piece that the plugin is about to get.
    pub(crate) fn record(&mut self, direction: Direction, piece: &Piece) {
        let given = self.given(direction);
        match piece {
            Piece::Headers { headers, .. } => given.headers = headers.clone(),
            Piece::Body { body, .. } if !given.differs && !body.is_empty() => {
                given.size += body.len();
                given.body.push_back(body.clone());
            }
            Piece::Body { .. } => {}
            Piece::Trailers { trailers } => given.trailers = trailers.clone(),
        }
    }

    /// What the plugin has changed in a piece that it passes on. A changed body is reported once.
    pub(crate) fn changes(&mut self, direction: Direction, piece: Piece) -> Vec<Discarded> {
        let request = direction == Direction::Request;
        let given = self.given(direction);
        let body = match &piece {
            Piece::Body { body, end_of_stream } => given.changes_body(body, *end_of_stream),
            Piece::Headers { end_of_stream, .. } => given.changes_body(&[], *end_of_stream),
            Piece::Trailers { .. } => given.changes_body(&[], true),
        };
        let mut changes: Vec<Discarded> = body.then_some(Discarded::Body { request }).into_iter().collect();
        match piece {
            Piece::Headers { headers, .. } if headers != given.headers => {
                changes.push(Discarded::Headers { request, before: given.headers.clone(), after: headers });
            }
            Piece::Trailers { trailers } if trailers != given.trailers => {
                changes.push(Discarded::Trailers { request, before: given.trailers.clone(), after: trailers });
            }
            _ => {}
        }
        changes
    }

    fn given(&mut self, direction: Direction) -> &mut Given {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }
}

impl Given {
    fn cost(&self) -> usize {
        let maps = self.headers.footprint() + self.trailers.footprint();
        // What the plugin has not passed on is also buffered in the copy.
        2 * self.size + PIECE * self.body.len() + 2 * MAP + maps
    }

    /// Whether the body that the plugin passes on differs, with this piece, from what it got; true only once.
    fn changes_body(&mut self, body: &[u8], end_of_stream: bool) -> bool {
        if self.differs {
            return false;
        }
        self.differs = !self.matches(body) || end_of_stream && self.body.iter().any(|piece| !piece.is_empty());
        if self.differs {
            (self.body, self.size) = (VecDeque::new(), 0);
        }
        self.differs
    }

    fn matches(&mut self, mut body: &[u8]) -> bool {
        while !body.is_empty() {
            let Some(piece) = self.body.front_mut() else { return false };
            let size = piece.len().min(body.len());
            if piece[..size] != body[..size] {
                return false;
            }
            body = &body[size..];
            piece.advance(size);
            self.size -= size;
            if piece.is_empty() {
                self.body.pop_front();
            }
        }
        true
    }
}

/// Bytes of memory that a piece takes.
pub(crate) fn size(piece: &Piece) -> usize {
    match piece {
        Piece::Headers { headers: map, .. } | Piece::Trailers { trailers: map } => MAP + map.footprint(),
        Piece::Body { body, .. } => body.len(),
    }
}
