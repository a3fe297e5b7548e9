//! Both ends of a chain: what peers send is HTTP before plugins see it, and what plugins let go is HTTP before it is sent.

use bytes::Bytes;

use super::{PluginId, Proxy, StreamId, streams};
use crate::effect::{Effect, GrpcCallId, Piece};
use crate::guest::On;
use crate::http::{self, Part, Progress};
use crate::state::{Direction, GrpcEvent};

/// A piece comes in. False if it is not HTTP: a request is answered 400 then, and a response 503, if that can still be.
pub(super) fn enters(proxy: &mut Proxy, stream: StreamId, direction: Direction, piece: &mut Piece) -> bool {
    let sound = match piece {
        Piece::Headers { headers, .. } => part(direction).receive(headers) && part(direction).is_whole(headers),
        Piece::Trailers { trailers } => Part::Trailers.receive(trailers),
        Piece::Body { .. } => true,
    };
    if !sound {
        match direction {
            Direction::Request => streams::refuse(proxy, stream, direction, "400"),
            Direction::Response => streams::fail(proxy, stream),
        }
    }
    sound
}

/// A piece is about to go out. False if that would not be HTTP.
///
/// Headers go out before it is known what becomes of the body: where a plugin could change it, they go without a content length.
pub(super) fn leaves(proxy: &mut Proxy, stream: StreamId, direction: Direction, piece: &mut Piece) -> bool {
    let declared = match piece {
        Piece::Headers { headers, .. } => http::content_length(headers),
        _ => None,
    };
    let changes = declared.is_some() && may_change_the_body(proxy, stream, direction);
    let Some(found) = proxy.state().find(stream) else { return false };
    let is_head = found.request.is_head;
    let message = found.message(direction);
    let Some(left) = message.left.with(piece) else { return false };
    message.left = left;
    match piece {
        Piece::Headers { headers, end_of_stream } => {
            if !part(direction).is_whole(headers) {
                return false;
            }
            http::tidy(headers);
            let status = http::status(headers).filter(|_| direction == Direction::Response);
            message.has_no_body = status.is_some_and(|status| is_head || http::has_no_body(status));
            match status {
                Some(100..=199 | 204) => http::set_content_length(headers, None),
                Some(_) if message.has_no_body => {}
                _ if *end_of_stream => http::set_content_length(headers, Some(0)),
                _ if changes => http::set_content_length(headers, None),
                _ => message.owed = declared,
            }
        }
        Piece::Body { body, .. } if message.has_no_body => *body = Bytes::new(),
        Piece::Body { body, .. } => match message.owed.map(|owed| owed.checked_sub(body.len() as u64)) {
            Some(None) => return false,
            Some(owed) => message.owed = owed,
            None => {}
        },
        Piece::Trailers { .. } if message.has_no_body => *piece = Piece::body("", true),
        Piece::Trailers { trailers } => http::tidy(trailers),
    }
    left != Progress::End || message.owed.is_none_or(|owed| owed == 0)
}

/// Whether a plugin of the chain gets the bodies of a direction, and imports what it changes them with.
fn may_change_the_body(proxy: &mut Proxy, stream: StreamId, direction: Direction) -> bool {
    let on = if direction == Direction::Request { On::RequestBody } else { On::ResponseBody };
    let Some(found) = proxy.state().find(stream) else { return false };
    let plugins: Vec<PluginId> =
        found.filters.iter().filter(|filter| !filter.gone).map(|filter| filter.plugin).collect();
    plugins.into_iter().any(|plugin| {
        let vm = proxy.state().plugins[plugin.0].vm;
        let gets = vm.and_then(|vm| proxy.guests.get(vm)?.as_ref()).is_some_and(|guest| guest.has(on));
        let source = proxy.sources.get(plugin.0).and_then(Option::as_ref);
        gets && source.is_none_or(|source| {
            source.0.pre.module().imports().any(|import| import.name() == "proxy_set_buffer_bytes")
        })
    })
}

/// What the server of a gRPC call says. Metadata that is not HTTP ends the call.
pub(super) fn sound(proxy: &mut Proxy, call: GrpcCallId, mut event: GrpcEvent) -> GrpcEvent {
    const INTERNAL: u32 = 13;
    let sound = match &mut event {
        GrpcEvent::InitialMetadata(metadata) => Part::Response.receive(metadata),
        GrpcEvent::TrailingMetadata(metadata) => Part::Trailers.receive(metadata),
        GrpcEvent::Message(_) | GrpcEvent::Closed { .. } => true,
    };
    if sound {
        return event;
    }
    proxy.state().effects.push_back(Effect::CancelGrpcCall { call });
    GrpcEvent::Closed { status: INTERNAL, message: "the server's metadata is not valid".to_owned() }
}

fn part(direction: Direction) -> Part {
    match direction {
        Direction::Request => Part::Request,
        Direction::Response => Part::Response,
    }
}
