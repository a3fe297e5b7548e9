//! A shadow: the copy of a stream that a log-only plugin runs on, and what comes out of it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::Direction;
use crate::effect::{Discarded, Piece};
use crate::{Fields, PluginId, StreamId};

/// What a stream is that only its plugin takes for real.
pub(crate) struct Shadow {
    pub(crate) plugin: PluginId,
    /// The stream that it is a copy of.
    pub(crate) of: StreamId,
    /// What came of the response before the plugin had let the request go, which can only be answered then.
    pub(crate) early: VecDeque<Piece>,
    /// Bytes of bodies that came early.
    pub(crate) early_size: usize,
    /// The stream that it is a copy of is over.
    pub(crate) alone: bool,
    request: Given,
    response: Given,
}

/// What a plugin was given of a message; of the body, what it has not let go yet.
#[derive(Default)]
struct Given {
    headers: Arc<Fields>,
    trailers: Arc<Fields>,
    body: VecDeque<Bytes>,
    /// It has let another body go.
    differs: bool,
}

impl Shadow {
    pub(crate) fn new(plugin: PluginId, of: StreamId) -> Shadow {
        let (request, response) = (Given::default(), Given::default());
        Shadow { plugin, of, early: VecDeque::new(), early_size: 0, alone: false, request, response }
    }

    /// Remembers what the plugin is about to see.
    pub(crate) fn give(&mut self, direction: Direction, piece: &Piece) {
        let given = self.given(direction);
        match piece {
            Piece::Headers { headers, .. } => given.headers = headers.clone(),
            Piece::Body { body, .. } if !given.differs => given.body.push_back(body.clone()),
            Piece::Body { .. } => {}
            Piece::Trailers { trailers } => given.trailers = trailers.clone(),
        }
    }

    /// What is different about a piece that the plugin lets go. A body is told of once.
    pub(crate) fn changes(&mut self, direction: Direction, piece: Piece) -> Vec<Discarded> {
        let request = direction == Direction::Request;
        let given = self.given(direction);
        let body = match &piece {
            Piece::Body { body, end_of_stream } => given.loses(body, *end_of_stream),
            Piece::Headers { end_of_stream, .. } => given.loses(&[], *end_of_stream),
            Piece::Trailers { .. } => given.loses(&[], true),
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
    /// Whether the body becomes another one by what comes of it now.
    fn loses(&mut self, body: &[u8], end_of_stream: bool) -> bool {
        if self.differs {
            return false;
        }
        self.differs = !self.matches(body) || end_of_stream && self.body.iter().any(|piece| !piece.is_empty());
        if self.differs {
            self.body.clear();
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
            if piece.is_empty() {
                self.body.pop_front();
            }
        }
        true
    }
}
