//! The two ends of a chain: checks that what peers send is HTTP before plugins see it, and that what plugins pass on is HTTP before
//! it is sent.

use std::sync::Arc;

use bytes::Bytes;

use super::Proxy;
use crate::callbacks::On;
use crate::effect::{Effect, Piece};
use crate::http::{self, Facts, Part, Progress};
use crate::ids::GrpcCallId;
use crate::ids::{PluginId, StreamId};
use crate::state::{Direction, GrpcEvent};

/// Checks a piece that enters the chain; `None` if it is not HTTP.
pub(super) fn enters(direction: Direction, piece: &mut Piece) -> Option<Facts> {
    match piece {
        Piece::Headers { headers, .. } => {
            part(direction).receive(headers).filter(|facts| part(direction).is_whole(facts))
        }
        Piece::Trailers { trailers } => Part::Trailers.receive(trailers),
        Piece::Body { .. } => Some(Facts::default()),
    }
}

/// Checks a piece that is about to be sent. False if it is not HTTP.
///
/// Headers are sent before the body is complete: if a plugin can change the body, they are sent without a content length.
pub(super) fn leaves(proxy: &mut Proxy, stream: StreamId, direction: Direction, piece: &mut Piece) -> bool {
    let facts = match piece {
        Piece::Headers { headers, .. } => {
            let came = proxy.state().find(stream).and_then(|found| found.message(direction).came_as.take());
            // If no plugin has changed the headers, it is still the same map.
            let same = came.filter(|(came, _)| Arc::ptr_eq(came, headers));
            same.map_or_else(|| Facts::of(headers), |(_, facts)| facts)
        }
        _ => Facts::default(),
    };
    // The length of a local response is known.
    let changes = facts.content_length.is_some()
        && !proxy.state().find(stream).is_some_and(|found| found.answered)
        && may_change_the_body(proxy, stream, direction);
    let Some(found) = proxy.state().find(stream) else { return false };
    let is_head = found.request.is_head;
    let message = found.message(direction);
    let Some(left) = message.left.with(piece, &facts) else { return false };
    message.left = left;
    match piece {
        Piece::Headers { headers, end_of_stream } => {
            if !part(direction).is_whole(&facts) {
                return false;
            }
            http::normalize_known(headers, &facts);
            let status = facts.status.filter(|_| direction == Direction::Response);
            message.has_no_body = status.is_some_and(|status| is_head || http::has_no_body(status));
            match status {
                _ if !facts.has_content_length => {}
                Some(100..=199 | 204) => http::set_content_length(headers, None),
                Some(_) if message.has_no_body => {}
                _ if *end_of_stream => http::set_content_length(headers, Some(0)),
                _ if changes => http::set_content_length(headers, None),
                _ => message.owed = facts.content_length,
            }
        }
        Piece::Body { body, .. } if message.has_no_body => *body = Bytes::new(),
        Piece::Body { body, .. } => match message.owed.map(|owed| owed.checked_sub(body.len() as u64)) {
            Some(None) => return false,
            Some(owed) => message.owed = owed,
            None => {}
        },
        Piece::Trailers { .. } if message.has_no_body => *piece = Piece::body("", true),
        Piece::Trailers { trailers } => http::normalize(trailers),
    }
    left != Progress::End || message.owed.is_none_or(|owed| owed == 0)
}

/// Whether a plugin of the chain gets the bodies of a direction, and imports the function that changes them.
fn may_change_the_body(proxy: &mut Proxy, stream: StreamId, direction: Direction) -> bool {
    let on = if direction == Direction::Request { On::proxy_on_request_body } else { On::proxy_on_response_body };
    let Proxy { state: Some(state), guests, .. } = proxy else { return false };
    let Some(found) = state.streams.get(stream.index).filter(|found| found.id == stream) else { return false };
    let guest = |plugin: PluginId| guests.get(state.plugins.get(plugin)?.vm?)?.as_ref();
    let present = found.filters.iter().filter(|filter| !filter.gone);
    present.filter_map(|filter| guest(filter.plugin)).any(|guest| guest.has(on) && guest.sets_buffers())
}

/// Checks an event of a gRPC call. Metadata that is not HTTP ends the call.
pub(super) fn checked(proxy: &mut Proxy, call: GrpcCallId, mut event: GrpcEvent) -> GrpcEvent {
    const INTERNAL: u32 = 13;
    let valid = match &mut event {
        GrpcEvent::InitialMetadata(metadata) => Part::Response.receive(metadata).is_some(),
        GrpcEvent::TrailingMetadata(metadata) => Part::Trailers.receive(metadata).is_some(),
        GrpcEvent::Message(_) | GrpcEvent::Closed { .. } => true,
    };
    if valid {
        return event;
    }
    proxy.state().effect(Effect::CancelGrpcCall { call });
    GrpcEvent::Closed { status: INTERNAL, message: "the server's metadata is not valid".to_owned() }
}

fn part(direction: Direction) -> Part {
    match direction {
        Direction::Request => Part::Request,
        Direction::Response => Part::Response,
    }
}
