//! How streams end: by their last piece, a local response, a reset, a failure, or because a plugin was detached.
//!
//! As in [`streams`](super::streams), each function does one entry of the work list or one step of it.

use std::sync::Arc;

use super::chain::{self, clear, release_in_turn, remove_if_ended};
use super::{Proxy, lifecycle, shadow};
use crate::effect::{Effect, Piece};
use crate::fields::Fields;
use crate::http::{self, Progress};
use crate::ids::StreamId;
use crate::local_response;
use crate::planted::planted;
use crate::state::{Charges, Direction, LocalResponse, Protocol, Undo, Work};

/// Sends a local response, through the chain unless another response is in it already.
pub(super) fn local_response(proxy: &mut Proxy, stream: StreamId) {
    let callbacks = proxy.state().config.choices.local_response_callbacks;
    let Some(found) = proxy.state().find(stream).filter(|found| !found.over) else { return };
    let Some(local) = found.local.take() else { return };
    let begun = found.answered || !matches!(found.response.came, Progress::Nothing | Progress::Informational);
    if callbacks && !begun { answer_through(proxy, stream, local) } else { respond(proxy, stream, local) }
}

/// Sends a local response through the plugins that the request has reached. Nothing else of the stream moves after that.
fn answer_through(proxy: &mut Proxy, stream: StreamId, LocalResponse { headers, body, charge }: LocalResponse) {
    let Some(found) = proxy.state().find(stream) else { return };
    let contacted = found.has_upstream();
    let informed = found.response.came == Progress::Informational;
    let nth = found.filters.len().saturating_sub(found.request.reached);
    found.answered = true;
    (found.response.size, found.response.ended) = (body.len() as u64, true);
    for filter in &mut found.filters {
        filter.request.drop_waiting();
        if informed {
            filter.response.clear();
        }
    }
    let state = proxy.state();
    if informed {
        state.agenda.drop_response(stream);
    }
    if contacted {
        state.emit(stream, Effect::ResetUpstream { stream });
    }
    let (direction, end_of_stream) = (Direction::Response, body.is_empty());
    let piece = |piece, charges| Work::Piece { stream, direction, nth, piece, charges };
    let mut charges = Charges::default();
    charges.add(charge);
    if !end_of_stream {
        let body = Piece::Body { body, end_of_stream: true };
        state.agenda.first([piece(body, std::mem::take(&mut charges))]);
    }
    let headers = Piece::Headers { headers: Arc::new(headers), end_of_stream };
    state.agenda.first([piece(headers, charges)]);
}

/// A piece of a local response has reached the end of the chain: the pieces to send now. The headers are buffered until the next piece
/// comes, and get its length.
pub(super) fn with_length(
    proxy: &mut Proxy,
    stream: StreamId,
    piece: Piece,
    charges: Charges,
) -> impl Iterator<Item = (Piece, Charges)> + use<> {
    let always = proxy.state().config.choices.local_response_content_length;
    let found = proxy.state().find(stream);
    let waiting = match found {
        Some(found) if matches!(piece, Piece::Headers { end_of_stream: false, .. }) => {
            found.buffered = Some((piece, charges));
            return None.into_iter().chain(None);
        }
        Some(found) => found.buffered.take(),
        None => None,
    };
    let size = if let Piece::Body { body, .. } = &piece { body.len() } else { 0 };
    let first = waiting.map(|(mut waiting, charges)| {
        if let Piece::Headers { headers, .. } = &mut waiting {
            local_response::set_length(headers, size, always);
        }
        (waiting, charges)
    });
    first.into_iter().chain(Some((piece, charges)))
}

/// Sends a response of the host, or a local response without callbacks.
fn respond(proxy: &mut Proxy, stream: StreamId, LocalResponse { headers, body, charge }: LocalResponse) {
    let Some(found) = proxy.state().find(stream) else { return };
    let mut headers = Arc::new(headers);
    http::normalize(&mut headers);
    found.response.headers = Some(headers.clone());
    found.response.size = body.len() as u64;
    let contacted = found.has_upstream();
    let state = proxy.state();
    if contacted {
        state.emit(stream, Effect::ResetUpstream { stream });
    }
    let end_of_stream = body.is_empty();
    let mut charges = Charges::default();
    charges.add(charge);
    let headers = Effect::Downstream { stream, piece: Piece::Headers { headers, end_of_stream } };
    if end_of_stream {
        state.emit_charged(stream, headers, charges);
    } else {
        state.emit(stream, headers);
        let body = Effect::Downstream { stream, piece: Piece::Body { body, end_of_stream: true } };
        state.emit_charged(stream, body, charges);
    }
    end(proxy, stream);
}

/// The host responds with status 503, or resets the stream if part of a response was sent.
pub(super) fn fail(proxy: &mut Proxy, stream: StreamId) {
    answer(proxy, stream, "503");
}

/// The same, with callbacks for the response as for a plugin's local response, if no response has begun.
pub(super) fn fail_through(proxy: &mut Proxy, stream: StreamId) {
    let Some(found) = proxy.state().find(stream).filter(|found| !found.over) else { return };
    if found.response.sent || found.answered || found.response.came != Progress::Nothing {
        return fail(proxy, stream);
    }
    found.local = None;
    let headers = Fields::from([(":status", "503")]);
    answer_through(proxy, stream, LocalResponse { headers, ..LocalResponse::default() });
}

/// A message is not accepted: the host responds to a request with a status, and resets the stream of a response.
pub(super) fn reject(proxy: &mut Proxy, stream: StreamId, direction: Direction, status: &str) {
    match direction {
        Direction::Request => answer(proxy, stream, status),
        Direction::Response => reset(proxy, stream, true),
    }
}

/// The host responds, or resets the stream if part of a response was sent.
fn answer(proxy: &mut Proxy, stream: StreamId, status: &str) {
    let Some(found) = proxy.state().find(stream).filter(|found| !found.over) else { return };
    if found.response.sent || found.protocol != Protocol::Http {
        return reset(proxy, stream, true);
    }
    found.local = None;
    let headers = Fields::from([(":status", status)]);
    respond(proxy, stream, LocalResponse { headers, ..LocalResponse::default() });
}

/// A plugin has closed the stream, and has not crashed since.
pub(super) fn close(proxy: &mut Proxy, stream: StreamId) {
    if proxy.state().find(stream).is_some_and(|found| found.closed) {
        reset(proxy, stream, true);
    }
}

/// Resets a stream to the upstream, and if `downstream` to the client too.
pub(super) fn reset(proxy: &mut Proxy, stream: StreamId, downstream: bool) {
    let Some(found) = proxy.state().find(stream).filter(|found| !found.over) else { return };
    let contacted = found.has_upstream();
    let state = proxy.state();
    if contacted {
        state.emit(stream, Effect::ResetUpstream { stream });
    }
    if downstream {
        state.emit(stream, Effect::ResetDownstream { stream });
    }
    end(proxy, stream);
}

/// The stream is over: nothing more moves, and the contexts end.
pub(super) fn end(proxy: &mut Proxy, stream: StreamId) {
    let Some(found) = proxy.state().find(stream).filter(|found| !found.over) else { return };
    found.over = true;
    found.buffered = None;
    let alone = found.shadow.as_ref().filter(|shadow| shadow.alone).map(|shadow| shadow.plugin);
    for filter in &mut found.filters {
        filter.request.drop_waiting();
        filter.response.drop_waiting();
    }
    found.keep_held(Direction::Request);
    found.keep_held(Direction::Response);
    let (tcp, connected) = (found.protocol != Protocol::Http, found.request.sent);
    if let Some(owner) = alone.and_then(|plugin| proxy.state().plugins.get_mut(plugin)) {
        owner.alone -= 1;
    }
    let agenda = &mut proxy.state().agenda;
    agenda.first([Work::Done { stream, place: 0 }]);
    if tcp {
        agenda.first([Work::Closed { stream, upstream: connected, place: 0 }]);
    }
    shadow::end(proxy, stream);
}

/// The stream is over: the context of the plugin at a place ends, and then those at later places.
pub(super) fn done(proxy: &mut Proxy, stream: StreamId, place: usize) {
    let Some(found) = proxy.state().find(stream) else { return };
    let more = place + 1 < found.filters.len();
    if more {
        proxy.state().agenda.first([Work::Done { stream, place: place + 1 }]);
    }
    match chain::context_at(proxy, stream, place) {
        // The stream is removed with its last context.
        Some((plugin, context)) => lifecycle::done(proxy, plugin, context),
        None => {
            clear(proxy, stream.index, place);
            if !more {
                remove_if_ended(proxy, stream.index);
            }
        }
    }
}

/// A plugin was detached from a stream, which fails or continues without it.
pub(super) fn detached(proxy: &mut Proxy, stream: StreamId, places: &[usize]) {
    let state = proxy.state();
    let Some(found) = state.find(stream) else { return };
    if found.over {
        places.iter().for_each(|place| clear(proxy, stream.index, *place));
        return remove_if_ended(proxy, stream.index);
    }
    let plugin = places.first().and_then(|place| found.filters.get(*place)).map(|filter| filter.plugin);
    if !plugin.is_some_and(|plugin| state.plugins.fails_open(plugin)) {
        return state.agenda.first([Work::Fail { stream }]);
    }
    if stream.shadow {
        // A copy has no use without its plugin.
        return state.agenda.first([Work::EndCopy { stream }]);
    }
    let count = state.find(stream).map_or(0, |found| found.filters.len());
    // The last entry put in front is done first: requests before responses, and of each message the pieces that are furthest.
    for place in places.iter().rev() {
        let mut nth = count - 1 - place;
        planted!(WrongPlaceResumed => nth = *place);
        planted!(HeldBodyLost => if let Some(stage) = chain::stage(proxy, stream, Direction::Response, nth) {
            stage.body = None;
        });
        release_in_turn(proxy, stream, Direction::Response, nth);
    }
    for place in places {
        planted!(HeldBodyLost => if let Some(stage) = chain::stage(proxy, stream, Direction::Request, *place) {
            stage.body = None;
        });
        release_in_turn(proxy, stream, Direction::Request, *place);
    }
}

/// Undoes what a callback has changed.
pub(super) fn undo(proxy: &mut Proxy, changes: Vec<Undo>) {
    for change in changes.into_iter().rev() {
        let Some(found) = proxy.state().find(change.stream()) else { continue };
        match change {
            Undo::Headers(_, place, direction, headers) => found.filters[place].stage(direction).headers = headers,
            Undo::Body(_, place, direction, body) => found.filters[place].stage(direction).body = body,
            Undo::Trailers(_, place, direction, trailers) => found.filters[place].stage(direction).trailers = trailers,
            Undo::Property(_, path, property) => {
                let size = path.len();
                if let Some(removed) = found.properties.remove(&path) {
                    found.filters[removed.place].properties_size -= size + removed.value.len();
                }
                if let Some(property) = property {
                    found.filters[property.place].properties_size += size + property.value.len();
                    found.properties.insert(path, property);
                }
            }
            Undo::LocalResponse(_) => found.local = None,
            Undo::Close(_) => found.closed = false,
        }
    }
}
