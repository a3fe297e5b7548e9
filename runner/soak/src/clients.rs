//! Clients and upstreams that send invalid or very large messages, as rows.

use std::sync::{Arc, LazyLock};

use pw_host::{Fields, Piece, PluginId, StreamId};

use crate::traffic::Traffic;

/// A client and an upstream of one stream.
pub(super) struct Client {
    /// What they do.
    pub(super) name: &'static str,
    /// The stream is a TCP connection.
    pub(super) tcp: bool,
    /// Healthy plugins have to cope with it: they get headers of one request, and can add their fields.
    pub(super) legal: bool,
    pub(super) act: fn(&mut Traffic, StreamId),
}

const HTTP: Client = Client { name: "", tcp: false, legal: false, act: |_, _| {} };
const TCP: Client = Client { tcp: true, legal: true, ..HTTP };

pub(super) const CLIENTS: &[Client] = &[
    Client { name: "sends a body in pieces of a byte and empty ones", legal: true, act: tiny_pieces, ..HTTP },
    Client { name: "sends a large body", legal: true, act: large_body, ..HTTP },
    Client { name: "answers with many informational responses", legal: true, act: informational, ..HTTP },
    Client { name: "answers with headers again after a body", legal: true, act: headers_again, ..HTTP },
    Client {
        name: "sends many fields",
        legal: true,
        act: |traffic, stream| fields(traffic, stream, &MANY_FIELDS),
        ..HTTP
    },
    Client { name: "sends 100,000 fields", act: |traffic, stream| fields(traffic, stream, &TOO_MANY_FIELDS), ..HTTP },
    Client { name: "resets at any point", legal: true, act: resets, ..HTTP },
    Client { name: "sends more after the end", legal: true, act: after_the_end, ..HTTP },
    Client { name: "answers before it is asked", act: early, ..HTTP },
    Client { name: "sends a body without headers", act: headless, ..HTTP },
    Client { name: "sends what HTTP cannot carry", act: not_http, ..HTTP },
    Client { name: "answers with what HTTP cannot carry", legal: true, act: answer_not_http, ..HTTP },
    Client { name: "opens a stream and sends nothing", act: |_, _| {}, ..HTTP },
    Client { name: "sends a request through all bad plugins at once", act: through_all, ..HTTP },
    Client { name: "sends data by TCP in pieces of a byte and empty ones", act: tcp_pieces, ..TCP },
    Client { name: "sends data by TCP after the end", act: tcp_after_the_end, ..TCP },
    Client { name: "sends HTTP on a TCP connection", act: tcp_http, ..TCP },
    Client { name: "resets a TCP connection twice", act: tcp_resets, ..TCP },
];

/// Names and values of a byte, with the field that healthy plugins look for; within what a map may take.
static MANY_FIELDS: LazyLock<[Arc<Fields>; 2]> = LazyLock::new(|| many(5_000));
static TOO_MANY_FIELDS: LazyLock<[Arc<Fields>; 2]> = LazyLock::new(|| many(100_000));
/// A piece of a large body.
static PIECE: [u8; 64 << 10] = [b'.'; 64 << 10];

const REQUEST: [(&str, &str); 5] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":authority", "example.test"),
    (":path", "/"),
    ("x-request-id", "hostile"),
];

/// Headers and trailers.
fn many(fields: usize) -> [Arc<Fields>; 2] {
    let more = || std::iter::repeat_n(("x", "y"), fields);
    [REQUEST.into_iter().chain(more()).collect(), more().collect()].map(Arc::new)
}

fn request(end: bool) -> Piece {
    Piece::headers(Fields::from(REQUEST), end)
}

fn response(status: &str, end: bool) -> Piece {
    Piece::headers(Fields::from([(":status", status), ("x-request-id", "hostile")]), end)
}

fn byte(end: bool) -> Piece {
    Piece::body(&b"."[..], end)
}

fn tiny_pieces(traffic: &mut Traffic, stream: StreamId) {
    traffic.request(stream, request(false));
    for count in 0..1_000 {
        traffic.request(stream, if count % 2 == 0 { byte(false) } else { Piece::body(&b""[..], false) });
    }
    traffic.request(stream, byte(true));
    traffic.response(stream, response("200", true));
}

fn large_body(traffic: &mut Traffic, stream: StreamId) {
    traffic.request(stream, request(false));
    (0..32).for_each(|_| traffic.request(stream, Piece::body(&PIECE[..], false)));
    traffic.request(stream, Piece::trailers(Fields::from([("x", "y")])));
    traffic.response(stream, response("200", false));
    (0..32).for_each(|count| traffic.response(stream, Piece::body(&PIECE[..], count == 31)));
}

fn informational(traffic: &mut Traffic, stream: StreamId) {
    traffic.request(stream, request(true));
    (0..200).for_each(|_| traffic.response(stream, response("103", false)));
    traffic.response(stream, response("200", true));
}

fn headers_again(traffic: &mut Traffic, stream: StreamId) {
    traffic.request(stream, request(true));
    traffic.response(stream, response("200", false));
    traffic.response(stream, byte(false));
    traffic.response(stream, response("103", false));
    traffic.response(stream, response("200", true));
    traffic.response(stream, byte(true));
}

fn fields(traffic: &mut Traffic, stream: StreamId, [headers, trailers]: &[Arc<Fields>; 2]) {
    traffic.request(stream, Piece::Headers { headers: headers.clone(), end_of_stream: false });
    traffic.request(stream, Piece::Trailers { trailers: trailers.clone() });
    traffic.response(stream, response("200", true));
}

fn resets(traffic: &mut Traffic, stream: StreamId) {
    let point = traffic.draw(6);
    traffic.request(stream, request(false));
    for step in 0..point {
        match step {
            0 | 1 => traffic.request(stream, byte(false)),
            2 => traffic.response(stream, response("103", false)),
            3 => traffic.response(stream, response("200", false)),
            _ => traffic.response(stream, byte(false)),
        }
    }
    match traffic.draw(2) {
        0 => traffic.event(|proxy| proxy.downstream_reset(stream)),
        _ => traffic.event(|proxy| proxy.upstream_reset(stream)),
    }
    traffic.request(stream, byte(true));
    traffic.response(stream, response("200", true));
}

fn after_the_end(traffic: &mut Traffic, stream: StreamId) {
    traffic.request(stream, request(true));
    let more = || [request(false), byte(false), Piece::trailers(Fields::new()), byte(true)];
    more().into_iter().for_each(|piece| traffic.request(stream, piece));
    traffic.response(stream, response("200", true));
    more().into_iter().for_each(|piece| traffic.request(stream, piece));
    traffic.response(stream, response("200", true));
    traffic.response(stream, byte(true));
}

fn early(traffic: &mut Traffic, stream: StreamId) {
    traffic.response(stream, response("200", false));
    traffic.response(stream, byte(false));
    traffic.request(stream, request(true));
    traffic.response(stream, byte(true));
}

fn headless(traffic: &mut Traffic, stream: StreamId) {
    traffic.request(stream, byte(false));
    traffic.request(stream, Piece::trailers(Fields::from([("x", "y")])));
    traffic.response(stream, byte(true));
}

fn not_http(traffic: &mut Traffic, stream: StreamId) {
    let bad: [(&str, &str); 5] = [("x: y", "z"), ("x", "a\r\nb: c"), (":evil", "1"), (":status", "200"), ("", "")];
    let number = traffic.draw(bad.len());
    let headers: Fields = REQUEST.into_iter().chain([bad[number]]).collect();
    traffic.request(stream, Piece::headers(headers, true));
}

fn answer_not_http(traffic: &mut Traffic, stream: StreamId) {
    let bad: [[(&str, &str); 2]; 4] = [
        [(":status", "200"), ("x: y", "z")],
        [(":status", "77777"), ("x", "y")],
        [(":status", "200"), ("content-length", "minus one")],
        [(":status", "200"), ("x", "a\nb")],
    ];
    let number = traffic.draw(bad.len());
    traffic.request(stream, request(true));
    traffic.response(stream, Piece::headers(Fields::from(bad[number]), true));
}

fn through_all(traffic: &mut Traffic, stream: StreamId) {
    traffic.event(|proxy| proxy.downstream_reset(stream));
    let plugins: Vec<PluginId> = traffic.fleet.bad.iter().filter_map(|bad| bad.plugin).collect();
    let stream = traffic.open_other(&plugins, false);
    traffic.request(stream, request(false));
    traffic.request(stream, byte(true));
    traffic.response(stream, response("200", false));
    traffic.response(stream, byte(true));
    traffic.event(|proxy| proxy.downstream_reset(stream));
}

fn tcp_pieces(traffic: &mut Traffic, stream: StreamId) {
    traffic.event(|proxy| proxy.upstream_data(stream, &b"early"[..], false));
    for count in 0..500 {
        let data = if count % 2 == 0 { &b"."[..] } else { b"" };
        traffic.event(|proxy| proxy.downstream_data(stream, data, false));
        traffic.event(|proxy| proxy.upstream_data(stream, data, false));
    }
    (0..16).for_each(|_| traffic.event(|proxy| proxy.downstream_data(stream, &PIECE[..], false)));
    traffic.event(|proxy| proxy.downstream_data(stream, &b""[..], true));
    traffic.event(|proxy| proxy.upstream_data(stream, &b""[..], true));
}

fn tcp_after_the_end(traffic: &mut Traffic, stream: StreamId) {
    for _ in 0..3 {
        traffic.event(|proxy| proxy.downstream_data(stream, &b"end"[..], true));
        traffic.event(|proxy| proxy.downstream_data(stream, &b"more"[..], false));
        traffic.event(|proxy| proxy.upstream_data(stream, &b"end"[..], true));
        traffic.event(|proxy| proxy.upstream_data(stream, &b"more"[..], false));
    }
}

fn tcp_http(traffic: &mut Traffic, stream: StreamId) {
    traffic.request(stream, request(false));
    traffic.response(stream, response("200", false));
    traffic.request(stream, Piece::trailers(Fields::new()));
    traffic.event(|proxy| proxy.downstream_data(stream, &b"data"[..], false));
}

fn tcp_resets(traffic: &mut Traffic, stream: StreamId) {
    traffic.event(|proxy| proxy.downstream_data(stream, &b"data"[..], false));
    for _ in 0..2 {
        traffic.event(|proxy| proxy.upstream_reset(stream));
        traffic.event(|proxy| proxy.downstream_reset(stream));
    }
    traffic.event(|proxy| proxy.upstream_data(stream, &b"data"[..], true));
}
