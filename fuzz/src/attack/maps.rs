//! From the plan of a message to what is sent, and about how many bytes that takes.

use pw_host::{Fields, Piece};

use super::plan::{Map, ODD, Shape};

pub(super) fn piece_of(shape: &Shape, end: bool) -> (Piece, usize) {
    match shape {
        Shape::Headers(map) => (Piece::headers(fields(*map), end), size(*map)),
        Shape::Body(size) => (Piece::body(vec![b'a'; *size], end), *size),
        Shape::Trailers(map) => (Piece::trailers(fields(*map)), size(*map)),
    }
}

/// About how many bytes it takes.
pub(super) fn size_of(shape: &Shape) -> usize {
    match shape {
        Shape::Headers(map) | Shape::Trailers(map) => size(*map),
        Shape::Body(size) => *size,
    }
}

/// The fields that a map stands for.
pub(super) fn fields(map: Map) -> Fields {
    let request =
        [(":method", "GET"), (":scheme", "http"), (":authority", "example.test"), (":path", "/"), ("x-a", "1")];
    match map {
        Map::Empty => Fields::new(),
        Map::Request => Fields::from(request),
        Map::Response(status) => Fields::from([(":status".to_owned(), status.to_string())]),
        Map::Many(count) => {
            let more = (0..count).map(|number| (format!("{number:x}"), String::new()));
            request.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain(more).collect()
        }
        Map::Large(size) => request
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .chain([("x-b", "b".repeat(size))])
            .collect(),
        Map::Odd(number) => request.into_iter().chain([ODD[number]]).collect(),
    }
}

/// About how many bytes it takes.
pub(super) fn size(map: Map) -> usize {
    match map {
        Map::Empty | Map::Request | Map::Response(_) | Map::Odd(_) => 200,
        Map::Many(count) => 200 + 200 * count,
        Map::Large(size) => 200 + size,
    }
}
