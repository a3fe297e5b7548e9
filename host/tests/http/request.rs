//! Requests: what plugins and clients may put into them, and what is sent to the upstream.

use pw_abi::Status;
use pw_host::{Effect, Fields, Piece};

use crate::support::{Call, GET, IMPORTS, REQUEST, TRAILERS, Text, World, at_request, get, request, said, status};

#[test]
fn a_plugin_sets_400_000_pairs() {
    let size = 4 + 400_000 * 11;
    let wat = format!(
        "(module {IMPORTS}
            (func (export \"proxy_on_request_trailers\") (param i32 i32) (result i32)
                (local $at i32) (local $left i32)
                (i32.store (i32.const 65536) (i32.const 400000))
                (local.set $at (i32.const 65540))
                (local.set $left (i32.const 400000))
                (loop $sizes
                    (i64.store (local.get $at) (i64.const 1))
                    (local.set $at (i32.add (local.get $at) (i32.const 8)))
                    (br_if $sizes (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
                (local.set $left (i32.const 400000))
                (loop $texts
                    (i32.store8 (local.get $at) (i32.add (i32.const 97) (i32.rem_u (local.get $left) (i32.const 26))))
                    (i32.store16 offset=1 (local.get $at) (i32.const 0))
                    (local.set $at (i32.add (local.get $at) (i32.const 3)))
                    (br_if $texts (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
                (call $say (call $set (i32.const {map}) (i32.const 65536) (i32.const {size})))
                (call $say (call $replace (i32.const {map}) (i32.const 65536) (i32.const 0)
                    (i32.const 65536) (i32.const 0)))
                (i32.const 0)))",
        map = TRAILERS.0
    );
    let mut world = World::of(&wat);
    world.request(get(false));
    let (statuses, effects) = said(world.request(Piece::trailers(Fields::new())));
    assert_eq!(statuses, [Status::OK.0, Status::BAD_ARGUMENT.0], "the second has an empty name");
    let [Effect::Upstream { piece: Piece::Trailers { trailers }, .. }] = effects.as_slice() else {
        panic!("{} effects", effects.len());
    };
    assert_eq!(trailers.len(), 400_000);
    assert_eq!(trailers.iter().filter(|(name, _)| *name == b"a").count(), 400_000 / 26);
}

#[test]
fn a_client_sends_200_000_fields_and_a_plugin_changes_some() {
    let mut world = at_request(&[
        Call::Add(REQUEST, "x-7", "again"),
        Call::Replace(REQUEST, "X-8", "other"),
        Call::Remove(REQUEST, "x-9"),
    ]);
    let many = (0..200_000).map(|number| (format!("x-{number}"), "v".to_owned()));
    let headers = GET.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).chain(many);
    let (statuses, effects) = said(world.request(Piece::headers(headers.collect::<Fields>(), true)));
    // The map exceeds the limit, so that only calls that need no more memory succeed.
    assert_eq!(statuses, [Status::INTERNAL_FAILURE.0, Status::INTERNAL_FAILURE.0, Status::OK.0]);
    let [Effect::Upstream { piece: Piece::Headers { headers, .. }, .. }] = effects.as_slice() else {
        panic!("{} effects", effects.len());
    };
    assert_eq!((headers.len(), headers.get(b"x-9"), headers.get(b"X-10")), (200_002, None, Some(&b"v"[..])));
}

#[test]
fn rejects_a_map_beyond_the_limit_before_it_is_decoded() {
    let value = "v".repeat(1 << 20);
    // The map exceeds the limit, and its end does not parse.
    let mut text = Text::default();
    let mut pairs = pw_abi::pairs::encode([(&b"x"[..], value.as_bytes())]);
    *pairs.last_mut().expect("there are bytes") = 1;
    let large = text.bytes(&pairs);
    let calls = [
        format!("(call $set (i32.const {}) {large})", REQUEST.0),
        format!(
            "(call $respond (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) {large} (i32.const -1))"
        ),
    ];
    let calls: String = calls.iter().map(|call| format!("(call $say {call})")).collect();
    text.functions =
        format!("(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) {calls} (i32.const 0))");
    let mut world = World::of(&text.wat());
    let (statuses, effects) = said(world.request(get(true)));
    assert_eq!(statuses, [Status::INTERNAL_FAILURE.0; 2]);
    assert_eq!(effects, [world.up(get(true))]);
}

#[test]
fn a_plugin_smuggles_nothing_into_a_request() {
    let odd = [
        ("transfer-encoding ", "x"),
        ("transfer-encoding", "chunked"),
        ("Transfer-Encoding", "chunked"),
        ("x-a: b", "c"),
        (" x", "y"),
        ("x\0", "y"),
        ("x\t", "y"),
        ("", "y"),
        (":evil", "y"),
        (":status", "200"),
        (":path", "/a HTTP/1.1\tx"),
        (":path", "/a HTTP/1.1"),
        (":path", "a"),
        (":path", ""),
        (":method", "GET /"),
        (":method", ""),
        (":authority", "a b"),
        (":authority", "user@host"),
        (":scheme", "a:b"),
        ("x", "a\r\nb: c"),
        ("x", "\u{1}"),
        ("x", "\u{7f}"),
        ("content-length", "+1"),
        ("content-length", "1, 1"),
    ];
    let replaced = odd.iter().map(|(name, value)| Call::Replace(REQUEST, name, value));
    let added = odd.iter().map(|(name, value)| Call::Add(REQUEST, name, value));
    // Valid, but the message already has such a field.
    let twice = [(":path", "/b"), (":Method", "GET"), ("content-length", "1"), ("HOST", "b")];
    let second = twice.iter().map(|(name, value)| Call::Add(REQUEST, name, value));
    let both: Vec<Vec<(&str, &str)>> = odd
        .iter()
        .chain(&twice)
        .map(|field| [&GET[..], &[("content-length", "1"), ("host", "example.test"), *field]].concat())
        .collect();
    let set = both.iter().map(|pairs| Call::Set(REQUEST, pairs));
    let calls: Vec<Call<'_>> = replaced.chain(added).chain(second).chain(set).collect();
    let mut world = at_request(&calls);
    let sent = Piece::headers(request(&[("content-length", "1"), ("host", "example.test")]), false);
    let (statuses, effects) = said(world.request(sent.clone()));
    assert_eq!(statuses, vec![Status::BAD_ARGUMENT.0; calls.len()]);
    assert_eq!(effects, [world.up(sent)]);
}

#[test]
fn rejects_trailers_that_frame_route_or_connect() {
    let odd = [
        (":path", "/"),
        (":status", "200"),
        ("a b", ""),
        ("content-length", "0"),
        ("transfer-encoding", "x"),
        ("host", "other.test"),
        ("connection", "close"),
        ("Keep-Alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("TE", "trailers"),
        ("upgrade", "websocket"),
    ];
    let mut text = Text::default();
    let calls: Vec<Call<'_>> = odd.iter().map(|(name, value)| Call::Add(TRAILERS, name, value)).collect();
    text.callback("proxy_on_request_trailers", &calls);
    let mut world = World::of(&text.wat());
    world.request(get(false));
    let trailers = Piece::trailers(Fields::from([("x", "y")]));
    let (statuses, effects) = said(world.request(trailers.clone()));
    assert_eq!(statuses, vec![Status::BAD_ARGUMENT.0; odd.len()]);
    assert_eq!(effects, [world.up(trailers)]);
}

#[test]
fn keeps_valid_bytes_and_removes_whitespace_around_values() {
    let mut world = at_request(&[
        Call::Add(REQUEST, "x-tab", "a\tb"),
        Call::Add(REQUEST, "x-text", "\u{e9}"),
        Call::Add(REQUEST, "x-around", " \ta b "),
        Call::Add(REQUEST, "x-empty", ""),
        Call::Add(REQUEST, "!#$%&'*+-.^_`|~", "1"),
    ]);
    let (statuses, effects) = said(world.request(get(true)));
    assert_eq!(statuses, [0; 5]);
    let more =
        [("x-tab", "a\tb"), ("x-text", "\u{e9}"), ("x-around", "a b"), ("x-empty", ""), ("!#$%&'*+-.^_`|~", "1")];
    assert_eq!(effects, [world.up(Piece::headers(request(&more), true))]);
}

#[test]
fn does_not_send_a_request_without_its_pseudo_headers() {
    for calls in [
        &[Call::Remove(REQUEST, ":path")][..],
        &[Call::Remove(REQUEST, ":METHOD")],
        &[Call::Set(REQUEST, &[])],
        &[Call::Set(REQUEST, &[(":method", "GET"), ("x", "y")])],
        // A CONNECT has no path.
        &[Call::Replace(REQUEST, ":method", "CONNECT")],
    ] {
        let mut world = at_request(calls);
        let (statuses, effects) = said(world.request(get(true)));
        assert_eq!((statuses, effects), (vec![0], world.failed("503")));
    }
}

#[test]
fn sends_pseudo_headers_first() {
    let mut world = at_request(&[Call::Remove(REQUEST, ":path"), Call::Add(REQUEST, ":path", "/other")]);
    let (_, effects) = said(world.request(Piece::headers(request(&[("x", "y")]), true)));
    let fields = [(":method", "GET"), (":authority", "example.test"), (":path", "/other"), ("x", "y")];
    assert_eq!(effects, [world.up(Piece::headers(Fields::from(fields), true))]);
}

#[test]
fn a_request_has_headers_once() {
    let mut world = World::plain();
    assert_eq!(world.request(get(false)), [world.up(get(false))]);
    assert_eq!(world.request(get(false)), []);
    assert_eq!(world.request(Piece::body("a", false)), [world.up(Piece::body("a", false))]);
    assert_eq!(world.request(get(true)), []);
    assert_eq!(world.request(Piece::trailers(Fields::new())), [world.up(Piece::trailers(Fields::new()))]);
    assert_eq!(world.request(Piece::body("late", true)), []);
}

#[test]
fn answers_a_request_that_is_not_http_with_400() {
    let odd: [&[(&str, &str)]; 12] = [
        &[],
        &[(":method", "GET")],
        &[(":path", "/")],
        &[(":method", "GET"), (":path", "/a b")],
        &[(":method", "GET"), (":path", "/"), (":path", "/")],
        &[(":method", "GET"), (":path", "/"), (":status", "200")],
        &[(":method", "GET"), (":path", "/"), ("a b", "c")],
        &[(":method", "GET"), (":path", "/"), ("a", "b\r\nc: d")],
        &[(":method", "GET"), (":path", "/"), ("content-length", "1"), ("content-length", "2")],
        &[(":method", "GET"), (":path", "/"), ("host", "a"), ("host", "b")],
        &[(":method", "CONNECT"), (":path", "/"), (":authority", "a:1")],
        &[(":method", "CONNECT")],
    ];
    for headers in odd {
        let mut world = World::plain();
        let headers: Fields = headers.iter().copied().collect();
        assert_eq!(world.request(Piece::headers(headers, false)), world.failed("400"));
        assert_eq!(world.request(Piece::body("more", true)), []);
    }
    let mut world = World::plain();
    world.request(get(false));
    let trailers = Piece::trailers(Fields::from([(":path", "/")]));
    let mut expected = vec![Effect::ResetUpstream { stream: world.stream }];
    expected.extend(world.failed("400"));
    assert_eq!(world.request(trailers), expected);
}

#[test]
fn a_tunnel_has_no_path() {
    let mut world = World::plain();
    let connect = Piece::headers(Fields::from([(":method", "CONNECT"), (":authority", "a.test:443")]), false);
    assert_eq!(world.request(connect.clone()), [world.up(connect)]);
    assert_eq!(world.response(status("200", false)), [world.down(status("200", false))]);
    assert_eq!(world.request(Piece::body("hello", false)), [world.up(Piece::body("hello", false))]);
    assert_eq!(world.response(Piece::body("hello", false)), [world.down(Piece::body("hello", false))]);
}

#[test]
fn removes_framing_fields() {
    let mut world = World::plain();
    let sent = Piece::headers(request(&[("transfer-encoding", "chunked"), ("x", "y")]), false);
    assert_eq!(world.request(sent), [world.up(Piece::headers(request(&[("x", "y")]), false))]);
    let trailers = Piece::trailers(Fields::from([("content-length", "5"), ("x", "y")]));
    assert_eq!(world.request(trailers), [world.up(Piece::trailers(Fields::from([("x", "y")])))]);
}

#[test]
fn resets_a_body_that_differs_from_its_content_length() {
    let promised = |length: &str, end| Piece::headers(request(&[("content-length", length)]), end);
    let reset = |world: &World| {
        let mut expected = vec![Effect::ResetUpstream { stream: world.stream }];
        expected.extend(world.failed("503"));
        expected
    };
    let mut world = World::plain();
    assert_eq!(world.request(promised("3", false)), [world.up(promised("3", false))]);
    assert_eq!(world.request(Piece::body("ab", false)), [world.up(Piece::body("ab", false))]);
    assert_eq!(world.request(Piece::body("c", true)), [world.up(Piece::body("c", true))]);

    let mut world = World::plain();
    world.request(promised("3", false));
    assert_eq!(world.request(Piece::body("abcd", false)), reset(&world), "too long");

    let mut world = World::plain();
    world.request(promised("3", false));
    assert_eq!(world.request(Piece::body("ab", true)), reset(&world), "too short");

    let mut world = World::plain();
    world.request(promised("3", false));
    assert_eq!(world.request(Piece::trailers(Fields::new())), reset(&world), "none");

    let mut world = World::plain();
    assert_eq!(world.request(promised("3", true)), [world.up(promised("0", true))]);
}

#[test]
fn removes_the_content_length_if_a_plugin_can_change_the_body() {
    let changes = "(import \"env\" \"proxy_set_buffer_bytes\" (func (param i32 i32 i32 i32 i32) (result i32)))";
    let gets = "(func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32) (i32.const 0))";
    let promised = Piece::headers(request(&[("content-length", "3")]), false);
    for (imports, exports, goes) in [(changes, gets, true), (changes, "", false), ("", gets, false)] {
        let mut world = World::of(&format!("(module {imports} {IMPORTS} {exports})"));
        let sent = if goes { get(false) } else { promised.clone() };
        assert_eq!(world.request(promised.clone()), [world.up(sent)]);
    }
}
