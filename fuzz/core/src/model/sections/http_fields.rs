//! The section "HTTP fields".

use pw_abi::{MapType, Version};

use super::HttpFields;
use crate::model::call::{Call, Judged};
use crate::model::calls::Subject;
use crate::model::fields::{Map, Of, carries};
use crate::model::state::{BAD_ARGUMENT, Model, NOT_FOUND, OK};
use crate::model::stream::{Direction, Part};

pub(super) fn judge(function: HttpFields, model: &mut Model, _: usize, call: &Call<'_>) -> Judged {
    let map = MapType(call.word(0));
    if map > MapType::HTTP_CALL_RESPONSE_TRAILERS {
        return call.is(&[BAD_ARGUMENT]);
    }
    if place(map).is_some() && model.here_is_unfollowed() {
        return call.promised();
    }
    if let Some((direction, part)) = place(map).filter(|_| model.logging()) {
        return logged(function, model, direction, part, call);
    }
    match function {
        HttpFields::proxy_get_header_map_size
        | HttpFields::proxy_get_header_map_pairs
        | HttpFields::proxy_get_header_map_value => {
            let Some(found) = model.map(map) else { return call.chosen(&[BAD_ARGUMENT]) };
            read(function, found, call)
        }
        HttpFields::proxy_set_header_map_pairs
        | HttpFields::proxy_add_header_map_value
        | HttpFields::proxy_replace_header_map_value
        | HttpFields::proxy_remove_header_map_value => {
            let Some(found) = model.map_mut(map) else { return call.chosen(&[BAD_ARGUMENT]) };
            write(function, found, of(map), call)
        }
    }
}

/// In `proxy_on_log` all maps can be read, and none changed.
fn logged(function: HttpFields, model: &mut Model, direction: Direction, part: Part, call: &Call<'_>) -> Judged {
    match function {
        HttpFields::proxy_get_header_map_size
        | HttpFields::proxy_get_header_map_pairs
        | HttpFields::proxy_get_header_map_value => {}
        _ => return call.chosen(&[BAD_ARGUMENT]),
    }
    let stream = model.here().map(|(number, _)| number).and_then(|number| model.streams.get_mut(&number));
    match stream {
        // Another context's, which is not at its end.
        Some(stream) if !stream.over => call.promised(),
        Some(stream) if stream.http => read(function, &stream.way(direction).logged(part), call),
        _ => read(function, &Map::default(), call),
    }
}

fn read(function: HttpFields, map: &Map, call: &Call<'_>) -> Judged {
    match function {
        HttpFields::proxy_get_header_map_size => {
            call.is(&[OK])?;
            call.returns(1, map.serialised().len() as u64)
        }
        HttpFields::proxy_get_header_map_pairs => {
            call.is(&[OK])?;
            call.returns_bytes(1, &map.serialised())
        }
        _ => match map.get(call.bytes(1)) {
            Some(value) => {
                call.is(&[OK])?;
                call.returns_bytes(2, value)
            }
            None if call.version == Version::V0_1_0 => {
                call.is(&[OK])?;
                call.returns_bytes(2, b"")
            }
            None => call.is(&[NOT_FOUND]),
        },
    }
}

/// A call with what HTTP cannot carry fails, and changes nothing.
fn write(function: HttpFields, map: &mut Map, of: Of, call: &Call<'_>) -> Judged {
    match function {
        HttpFields::proxy_set_header_map_pairs => {
            let Some(pairs) = Map::parse(of, call.bytes(1)) else { return call.chosen(&[BAD_ARGUMENT]) };
            call.is(&[OK])?;
            if call.ok() {
                *map = pairs;
            }
        }
        HttpFields::proxy_remove_header_map_value => {
            call.is(&[OK])?;
            if call.ok() {
                map.remove(call.bytes(1));
            }
        }
        _ => {
            let (key, value) = (call.bytes(1), call.bytes(2));
            let adds = function == HttpFields::proxy_add_header_map_value;
            if !carries(of, key, value) || adds && map.has_one(key) {
                return call.chosen(&[BAD_ARGUMENT]);
            }
            call.is(&[OK])?;
            match (call.ok(), adds) {
                (true, true) => map.add(key, value),
                (true, false) => map.replace(key, value),
                _ => {}
            }
        }
    }
    Ok(())
}

fn of(map: MapType) -> Of {
    match map {
        MapType::HTTP_REQUEST_HEADERS => Of::Request,
        MapType::HTTP_RESPONSE_HEADERS => Of::Response,
        _ => Of::Rest,
    }
}

fn place(map: MapType) -> Option<(Direction, Part)> {
    Some(match map {
        MapType::HTTP_REQUEST_HEADERS => (Direction::Request, Part::Headers),
        MapType::HTTP_REQUEST_TRAILERS => (Direction::Request, Part::Trailers),
        MapType::HTTP_RESPONSE_HEADERS => (Direction::Response, Part::Headers),
        MapType::HTTP_RESPONSE_TRAILERS => (Direction::Response, Part::Trailers),
        _ => return None,
    })
}

impl Model {
    fn logging(&self) -> bool {
        self.frame.as_ref().is_some_and(|frame| frame.name == "proxy_on_log")
    }

    fn map(&mut self, map: MapType) -> Option<&Map> {
        if place(map).is_some() {
            return self.map_mut(map).map(|map| &*map);
        }
        match (map, &self.frame.as_ref()?.subject) {
            (MapType::HTTP_CALL_RESPONSE_HEADERS, Subject::HttpCall { headers, .. }) => Some(headers),
            (MapType::HTTP_CALL_RESPONSE_TRAILERS, Subject::HttpCall { trailers, .. }) => Some(trailers),
            (MapType::GRPC_CALL_INITIAL_METADATA, Subject::InitialMetadata(metadata))
            | (MapType::GRPC_CALL_TRAILING_METADATA, Subject::TrailingMetadata(metadata)) => Some(metadata),
            _ => None,
        }
    }

    /// A map of a message that is buffered at the plugin; trailers also if they can be added.
    fn map_mut(&mut self, map: MapType) -> Option<&mut Map> {
        let (direction, part) = place(map)?;
        let (number, place) = self.here()?;
        let stream = self.streams.get_mut(&number).filter(|stream| stream.http)?;
        let stage = stream.stage(direction, place);
        match part {
            Part::Headers if stage.part == Some(part) => stage.headers.as_mut().map(|(map, _)| map),
            Part::Trailers if stage.part == Some(part) || stage.takes_trailers() => {
                Some(stage.trailers.get_or_insert_default())
            }
            _ => None,
        }
    }
}
