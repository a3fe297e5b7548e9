//! The section "HTTP fields".

use pw_abi::{MapType, Version};

use super::calls::Subject;
use crate::model::call::{Call, Judged};
use crate::model::fields::{Map, Of, carries};
use crate::model::stream::{Direction, Part};
use crate::model::{BAD_ARGUMENT, Model, NOT_FOUND, OK};

pub(super) fn judge(model: &mut Model, _: usize, call: &Call<'_>) -> Judged {
    let map = MapType(call.word(0));
    if map > MapType::HTTP_CALL_RESPONSE_TRAILERS {
        return call.is(&[BAD_ARGUMENT]);
    }
    let writes = !call.function.name.starts_with("proxy_get_");
    let of_stream = place(map).is_some();
    if of_stream && (model.here_is_wild() || model.logging()) {
        return call.promised();
    }
    if writes {
        let Some(found) = model.map_mut(map) else { return call.chosen(&[BAD_ARGUMENT]) };
        return write(found, of(map), call);
    }
    let Some(found) = model.map(map) else { return call.chosen(&[BAD_ARGUMENT]) };
    match call.function.name {
        "proxy_get_header_map_size" => {
            call.is(&[OK])?;
            call.returns(1, found.serialised().len() as u64)
        }
        "proxy_get_header_map_pairs" => {
            call.is(&[OK])?;
            call.returns_bytes(1, &found.serialised())
        }
        _ => match found.get(call.bytes(1)) {
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

/// What HTTP cannot carry is refused, and changes nothing.
fn write(map: &mut Map, of: Of, call: &Call<'_>) -> Judged {
    match call.function.name {
        "proxy_set_header_map_pairs" => {
            let Some(pairs) = Map::parse(of, call.bytes(1)) else { return call.chosen(&[BAD_ARGUMENT]) };
            call.is(&[OK])?;
            if call.ok() {
                *map = pairs;
            }
        }
        "proxy_remove_header_map_value" => {
            call.is(&[OK])?;
            if call.ok() {
                map.remove(call.bytes(1));
            }
        }
        name => {
            let (key, value) = (call.bytes(1), call.bytes(2));
            if !carries(of, key, value) || name == "proxy_add_header_map_value" && map.has_one(key) {
                return call.chosen(&[BAD_ARGUMENT]);
            }
            call.is(&[OK])?;
            match (call.ok(), name) {
                (true, "proxy_add_header_map_value") => map.add(key, value),
                (true, _) => map.replace(key, value),
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

    /// A map of a message, where it is held; trailers also where they can be added.
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
