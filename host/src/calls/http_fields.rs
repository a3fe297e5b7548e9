//! The section "HTTP fields".
//!
//! A map that is not available in the callback is a bad argument, for reading and for writing, and so is a map that can only be
//! read if the call writes.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use pw_abi::{HttpFields, MapType, Status};

use crate::callbacks::On;
use crate::fields::Fields;
use crate::http;
use crate::ids::StreamId;
use crate::planted::planted;
use crate::state::{Active, Direction, GrpcEvent, Phase, Protocol, ReadFields, Stage, State, Subject, Undo};
use crate::value::Value;

/// Stands for a map that never came.
static EMPTY: LazyLock<Arc<Fields>> = LazyLock::new(Arc::default);

/// Bytes of memory that a field takes besides its name and value.
const FIELD: usize = 64;

impl HttpFields for State {
    fn proxy_get_header_map_size(&mut self, map: MapType) -> Result<u32, Status> {
        let serialized = self.config.choices.map_sizes_are_serialized;
        let map = self.map(map)?;
        Ok(if serialized { map.serialized_size() } else { map.bytes() } as u32)
    }

    fn proxy_get_header_map_pairs(&mut self, map: MapType) -> Result<ReadFields, Status> {
        let empty_is_nul = self.config.choices.empty_maps_are_a_nul;
        self.map(map).map(|map| ReadFields { fields: map.clone(), empty_is_nul })
    }

    /// A map that does not parse or is not HTTP changes nothing.
    fn proxy_set_header_map_pairs(&mut self, map: MapType, pairs: &[u8]) -> Result<(), Status> {
        let max = self.limits().fields;
        let place = self.map_mut(map, 2 * pairs.len())?;
        let fields = rules(map).read(pairs, max, Status::BAD_ARGUMENT)?;
        planted!(SetPairsMerges => {
            fields.iter().for_each(|(key, value)| place.replace(key, value));
            return Ok(());
        });
        *place = fields;
        Ok(())
    }

    fn proxy_get_header_map_value(&mut self, map: MapType, key: &[u8]) -> Result<Value, Status> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let found = self.map(map).map(|map| {
            map.get(key).map(|value| {
                scratch.clear();
                scratch.extend_from_slice(value);
            })
        });
        let size = scratch.len();
        self.scratch = scratch;
        if found?.is_some() {
            return Ok(Value::Scratch(size));
        }
        let not_found = self.rules().missing_key_is_not_found || self.config.choices.missing_keys_are_never_empty;
        if not_found { Err(Status::NOT_FOUND) } else { Ok(Bytes::new().into()) }
    }

    fn proxy_add_header_map_value(&mut self, map: MapType, key: &[u8], value: &[u8]) -> Result<(), Status> {
        let max = self.limits().fields;
        let place = self.map_mut(map, 2 * (key.len() + value.len()) + FIELD)?;
        check(rules(map).permits_more(place, key, value), value)?;
        if !place.has_room(key, value, false, max) {
            return Err(Status::INTERNAL_FAILURE);
        }
        place.add(key, value);
        Ok(())
    }

    fn proxy_replace_header_map_value(&mut self, map: MapType, key: &[u8], value: &[u8]) -> Result<(), Status> {
        let max = self.limits().fields;
        let place = self.map_mut(map, 2 * (key.len() + value.len()) + FIELD)?;
        check(rules(map).permits(key, value), value)?;
        if !place.has_room(key, value, true, max) {
            return Err(Status::INTERNAL_FAILURE);
        }
        place.replace(key, value);
        Ok(())
    }

    /// Also removes pseudo headers; those that the message needs must be set again before it leaves the chain.
    fn proxy_remove_header_map_value(&mut self, map: MapType, key: &[u8]) -> Result<(), Status> {
        self.map_mut(map, 0)?.remove(key);
        Ok(())
    }
}

/// Rejects what HTTP cannot carry, so that no plugin smuggles a field into a message.
fn check(permitted: bool, value: &[u8]) -> Result<(), Status> {
    planted!(EmptyValueRefused => if value.is_empty() {
        return Err(Status::BAD_ARGUMENT);
    });
    if permitted { Ok(()) } else { Err(Status::BAD_ARGUMENT) }
}

/// The part of a message to which a writable map belongs, for the rules of HTTP.
fn rules(map: MapType) -> http::Part {
    match map {
        MapType::HTTP_REQUEST_HEADERS => http::Part::Request,
        MapType::HTTP_RESPONSE_HEADERS => http::Part::Response,
        _ => http::Part::Trailers,
    }
}

/// The message to which a map belongs, and the part of it.
fn part(map: MapType) -> Option<(Direction, Phase)> {
    match map {
        MapType::HTTP_REQUEST_HEADERS => Some((Direction::Request, Phase::Headers)),
        MapType::HTTP_REQUEST_TRAILERS => Some((Direction::Request, Phase::Trailers)),
        MapType::HTTP_RESPONSE_HEADERS => Some((Direction::Response, Phase::Headers)),
        MapType::HTTP_RESPONSE_TRAILERS => Some((Direction::Response, Phase::Trailers)),
        _ => None,
    }
}

impl State {
    /// The map that a call reads.
    fn map(&mut self, map: MapType) -> Result<&Arc<Fields>, Status> {
        let unavailable = self.unavailable(map);
        self.readable(map).ok_or(unavailable)
    }

    /// The status of a call on a map that is not available.
    fn unavailable(&self, map: MapType) -> Status {
        let not_found =
            self.config.choices.unavailable_maps_are_not_found && map <= MapType::HTTP_CALL_RESPONSE_TRAILERS;
        if not_found { Status::NOT_FOUND } else { Status::BAD_ARGUMENT }
    }

    /// The status of a call that changes a map that is not available, or can only be read.
    fn unwritable(&mut self, map: MapType) -> Status {
        let read_only = match self.config.choices.read_only_maps_are_not_found {
            true => Status::NOT_FOUND,
            false => Status::BAD_ARGUMENT,
        };
        if self.readable(map).is_some() { read_only } else { self.unavailable(map) }
    }

    fn readable(&mut self, map: MapType) -> Option<&Arc<Fields>> {
        let Some((direction, phase)) = part(map) else {
            return match (map, self.active.subject.as_deref()) {
                (MapType::HTTP_CALL_RESPONSE_HEADERS, Some(Subject::HttpCall(call))) => Some(&call.headers),
                (MapType::HTTP_CALL_RESPONSE_TRAILERS, Some(Subject::HttpCall(call))) => Some(&call.trailers),
                (MapType::GRPC_CALL_INITIAL_METADATA, Some(Subject::Grpc(GrpcEvent::InitialMetadata(metadata))))
                | (MapType::GRPC_CALL_TRAILING_METADATA, Some(Subject::Grpc(GrpcEvent::TrailingMetadata(metadata)))) => {
                    Some(metadata)
                }
                _ => None,
            };
        };
        if self.active.callback == Some(On::proxy_on_log) {
            // All maps can be read there; one that never came has no fields.
            let message = self.http_stream().map(|(stream, _)| &*stream.message(direction));
            let map = message
                .and_then(|found| if phase == Phase::Headers { &found.headers } else { &found.trailers }.as_ref());
            return Some(map.unwrap_or(&EMPTY));
        }
        let (stream, filter) = self.http_stream()?;
        let stage = stream.filters[filter].stage(direction);
        match phase {
            Phase::Headers if stage.phase == Some(phase) => stage.headers.as_ref().map(|(headers, _)| headers),
            Phase::Trailers if stage.phase == Some(phase) => stage.trailers.as_ref(),
            Phase::Trailers if stage.accepts_new_trailers() => Some(&*stage.trailers.get_or_insert_default()),
            _ => None,
        }
    }

    /// The map that a call changes, with room for `more` bytes of memory.
    fn map_mut(&mut self, map: MapType, more: usize) -> Result<&mut Fields, Status> {
        let choices = &self.config.choices;
        let unwritable = match choices.unavailable_maps_are_not_found || choices.read_only_maps_are_not_found {
            true => self.unwritable(map),
            false => Status::BAD_ARGUMENT,
        };
        let (direction, phase) = part(map).ok_or(unwritable)?;
        let State { active, streams, plugins, .. } = self;
        let here = active.stream.filter(|_| active.callback != Some(On::proxy_on_log));
        let found = here.and_then(|(stream, place)| Some((streams.get_mut(stream)?, place)));
        let http = found.filter(|(stream, _)| stream.protocol == Protocol::Http);
        let ((stream, place), plugin) = http.zip(plugins.get(active.plugin)).ok_or(unwritable)?;
        let id = stream.id;
        let stage = stream.filters[place].stage(direction);
        let there = match phase {
            Phase::Headers => stage.phase == Some(phase) && stage.headers.is_some(),
            Phase::Trailers => stage.phase == Some(phase) || stage.accepts_new_trailers(),
            Phase::Body => false,
        };
        if !there {
            return Err(unwritable);
        }
        let map =
            if phase == Phase::Headers { stage.headers.as_ref().map(|it| &it.0) } else { stage.trailers.as_ref() };
        let size = map.map_or(0, |map| map.footprint()) + more;
        if !stage.grow(phase, size, &plugin.account, plugin.limits.host_memory) {
            return Err(Status::INTERNAL_FAILURE);
        }
        if plugin.failure.open {
            keep(active, (id, place, direction, phase), stage);
        }
        let map = match phase {
            Phase::Headers => stage.headers.as_mut().map(|(headers, _)| headers),
            _ => Some(stage.trailers.get_or_insert_default()),
        };
        map.map(Arc::make_mut).ok_or(unwritable)
    }

    /// Keeps the body before the callback changes it, if a crash undoes the change.
    pub(super) fn keep_body(&mut self, direction: Direction) {
        if !self.plugin().failure.open {
            return;
        }
        let State { active, streams, .. } = self;
        let found = active.stream.and_then(|(stream, place)| Some((streams.get_mut(stream)?, place)));
        if let Some((stream, place)) = found {
            let id = stream.id;
            keep(active, (id, place, direction, Phase::Body), stream.filters[place].stage(direction));
        }
    }
}

/// Keeps a part of a message before the callback changes it: the plugin fails open, and if it crashes the stream continues as if the
/// callback had not run.
fn keep(active: &mut Active, part: (StreamId, usize, Direction, Phase), stage: &Stage) {
    let changes = active.changes.get_or_insert_default();
    if !changes.parts.insert(part) {
        return;
    }
    let (stream, place, direction, phase) = part;
    changes.undo.push(match phase {
        Phase::Headers => Undo::Headers(stream, place, direction, stage.headers.clone()),
        Phase::Body => Undo::Body(stream, place, direction, stage.body.clone()),
        Phase::Trailers => Undo::Trailers(stream, place, direction, stage.trailers.clone()),
    });
}
