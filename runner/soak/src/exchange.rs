//! A request through healthy plugins and its answer: what is sent, and what has to come out. Pure.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use pw_host::{Fields, Piece, StreamId};

/// How many healthy plugins a request runs through.
pub(super) const CHAIN: usize = 3;

/// What every body is a part of.
static BODY: [u8; 1024] = [b'.'; 1024];

/// A request in flight.
pub(super) struct Exchange {
    pub(super) stream: StreamId,
    pub(super) begun: Instant,
    /// What the upstream answers, until it has.
    pub(super) answer: Vec<Piece>,
    /// What has to come out yet at the upstream's end, and at the client's.
    upstream: VecDeque<Piece>,
    client: VecDeque<Piece>,
    altered: bool,
    pub(super) ended: bool,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// Something came out that is not what has to.
    Altered,
    /// Something did not come out.
    Lost,
}

impl Exchange {
    /// The request of a number, with its answer, through plugins that add these fields.
    pub(super) fn new(
        stream: StreamId,
        begun: Instant,
        number: u64,
        request: &[Piece],
        fields: [&str; CHAIN],
    ) -> Exchange {
        let id = id(number);
        let answer = answer(number, &id);
        let upstream = added(request, &id, fields.into_iter());
        let client = added(&answer, &id, fields.into_iter().rev());
        Exchange { stream, begun, answer, upstream, client, altered: false, ended: false }
    }

    /// Something came out for the upstream.
    pub(super) fn upstream_gets(&mut self, piece: &Piece) {
        self.altered |= self.upstream.pop_front().as_ref() != Some(piece);
    }

    /// Something came out for the client.
    pub(super) fn client_gets(&mut self, piece: &Piece) {
        self.altered |= self.client.pop_front().as_ref() != Some(piece);
    }

    /// It was given up.
    pub(super) fn cut(&mut self) {
        self.altered = true;
    }

    pub(super) fn end(&self) -> End {
        match self.upstream.is_empty() && self.client.is_empty() && self.ended {
            _ if self.altered => End::Altered,
            true => End::Whole,
            false => End::Lost,
        }
    }
}

/// The pieces with fields that plugins add in this order.
fn added<'a>(pieces: &[Piece], id: &str, plugins: impl Iterator<Item = &'a str>) -> VecDeque<Piece> {
    let mut pieces: VecDeque<Piece> = pieces.iter().cloned().collect();
    if let Some(Piece::Headers { headers, .. }) = pieces.front_mut() {
        let fields = Arc::make_mut(headers);
        plugins.for_each(|plugin| fields.add(plugin.as_bytes(), id.as_bytes()));
    }
    pieces
}

/// The value of `x-request-id`, which is that of the fields that plugins add.
fn id(number: u64) -> String {
    format!("{number:016x}")
}

/// Every fourth request has a body.
pub(super) fn request(number: u64) -> Vec<Piece> {
    let (id, with_body) = (id(number), number.is_multiple_of(4));
    let path = format!("/soak/{number}");
    let fields: [(&str, &str); 6] = [
        (":method", if with_body { "POST" } else { "GET" }),
        (":scheme", "http"),
        (":authority", "example.test"),
        (":path", &path),
        ("x-request-id", &id),
        ("user-agent", "soak/1"),
    ];
    let mut pieces = vec![Piece::headers(Fields::from(fields), !with_body)];
    if with_body {
        pieces.push(Piece::body(body(number), true));
    }
    pieces
}

fn answer(number: u64, id: &str) -> Vec<Piece> {
    let fields: [(&str, &str); 3] = [(":status", "200"), ("x-request-id", id), ("content-type", "text/plain")];
    vec![Piece::headers(Fields::from(fields), false), Piece::body(body(number + 1), true)]
}

/// Of varying length.
fn body(number: u64) -> &'static [u8] {
    &BODY[..1 + (number % 1000) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; CHAIN] = ["x-a", "x-b", "x-c"];

    fn exchange(number: u64, fields: [&str; CHAIN]) -> Exchange {
        // Streams have numbers that only a proxy gives.
        let mut proxy = pw_host::Proxy::new(pw_host::ProxyConfig::default());
        let stream = proxy.open_stream(&[], pw_host::StreamInfo::default());
        Exchange::new(stream, Instant::now(), number, &request(number), fields)
    }

    /// What has to come out of such a request.
    fn pieces(number: u64, fields: [&str; CHAIN]) -> (Vec<Piece>, Vec<Piece>) {
        let Exchange { upstream, client, .. } = exchange(number, fields);
        (upstream.into(), client.into())
    }

    /// What is said of the eighth request, of which these pieces came out.
    fn end(upstream: &[Piece], client: &[Piece], ended: bool) -> End {
        let mut exchange = exchange(8, FIELDS);
        upstream.iter().for_each(|piece| exchange.upstream_gets(piece));
        client.iter().for_each(|piece| exchange.client_gets(piece));
        exchange.ended = ended;
        exchange.end()
    }

    #[test]
    fn what_is_lost_or_altered_is_seen() {
        let (up, down) = pieces(8, FIELDS);
        let Some(Piece::Headers { headers, .. }) = down.first() else { panic!("headers come first") };
        let names: Vec<&[u8]> = headers.iter().map(|(name, _)| name).skip(3).collect();
        assert_eq!((names, up.len(), down.len()), (vec![&b"x-c"[..], b"x-b", b"x-a"], 2, 2));
        assert_eq!(end(&up, &down, true), End::Whole);
        assert_eq!(end(&up, &down, false), End::Lost);
        assert_eq!(end(&up[..1], &down, true), End::Lost);
        assert_eq!(end(&up, &down[..1], true), End::Lost);
        assert_eq!(end(&[up.clone(), down.clone()].concat(), &down, true), End::Altered);
        assert_eq!(end(&request(8), &down, true), End::Altered, "no plugin has added its field");
        assert_eq!(end(&pieces(8, ["x-b", "x-a", "x-c"]).0, &down, true), End::Altered, "in another order");
        assert_eq!(end(&pieces(9, FIELDS).0, &down, true), End::Altered, "another request");
        assert_eq!(end(&up, &pieces(9, FIELDS).1, true), End::Altered, "another's answer");
    }
}
