//! HTTP's own rules hold for what plugins, clients, upstreams and servers of calls give, and cost no more the more they give.

mod support;

use pw_abi::Status;
use pw_host::{Effect, Fields, GrpcEvent, Piece};

use crate::support::{
    Call, GET, IMPORTS, REQUEST, RESPONSE, TRAILERS, Text, World, at_request, get, request, said, status,
};

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
    // The map is larger than a plugin may make one, so that only what takes nothing more is done.
    assert_eq!(statuses, [Status::INTERNAL_FAILURE.0, Status::INTERNAL_FAILURE.0, Status::OK.0]);
    let [Effect::Upstream { piece: Piece::Headers { headers, .. }, .. }] = effects.as_slice() else {
        panic!("{} effects", effects.len());
    };
    assert_eq!((headers.len(), headers.get(b"x-9"), headers.get(b"X-10")), (200_002, None, Some(&b"v"[..])));
}

#[test]
fn a_map_beyond_the_limit_is_refused_before_it_is_decoded() {
    let value = "v".repeat(1 << 20);
    // Behind what is too much there is something that does not parse.
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
    // Valid, but the second of what there is once.
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
fn trailers_have_neither_pseudo_headers_nor_fields_that_frame_route_or_connect() {
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
fn bytes_that_http_carries_are_carried_and_whitespace_around_values_is_not() {
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
fn a_request_that_lost_what_it_needs_is_not_sent() {
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
        assert_eq!((statuses, effects), (vec![0], world.refused("503")));
    }
}

#[test]
fn pseudo_headers_are_sent_first_whenever_they_were_added() {
    let mut world = at_request(&[Call::Remove(REQUEST, ":path"), Call::Add(REQUEST, ":path", "/other")]);
    let (_, effects) = said(world.request(Piece::headers(request(&[("x", "y")]), true)));
    let fields = [(":method", "GET"), (":authority", "example.test"), (":path", "/other"), ("x", "y")];
    assert_eq!(effects, [world.up(Piece::headers(Fields::from(fields), true))]);
}

#[test]
fn a_response_that_lost_its_status_or_got_one_that_others_follow_is_not_sent() {
    for call in [Call::Remove(RESPONSE, ":status"), Call::Replace(RESPONSE, ":status", "103")] {
        let mut text = Text::default();
        text.callback("proxy_on_response_headers", &[call]);
        let mut world = World::of(&text.wat());
        world.request(get(true));
        let (statuses, effects) = said(world.response(status("200", true)));
        let mut expected = vec![Effect::ResetUpstream { stream: world.stream }];
        expected.extend(world.refused("503"));
        assert_eq!((statuses, effects), (vec![0], expected));
    }
}

#[test]
fn informational_responses_come_before_the_others_and_nothing_comes_twice() {
    let mut world = World::plain();
    world.request(get(true));
    assert_eq!(world.response(Piece::body("early", false)), []);
    assert_eq!(world.response(status("103", true)), [], "it cannot end a message");
    assert_eq!(world.response(status("103", false)), [world.down(status("103", false))]);
    assert_eq!(world.response(Piece::body("early", false)), [], "nor can it have a body");
    assert_eq!(world.response(Piece::trailers(Fields::new())), []);
    assert_eq!(world.response(status("100", false)), [world.down(status("100", false))]);
    assert_eq!(world.response(status("200", false)), [world.down(status("200", false))]);
    assert_eq!(world.response(status("103", false)), []);
    assert_eq!(world.response(status("200", false)), []);
    assert_eq!(world.response(Piece::body("a", false)), [world.down(Piece::body("a", false))]);
    assert_eq!(world.response(status("200", true)), []);
    let end = [world.down(Piece::body("b", true)), Effect::StreamEnded { stream: world.stream }];
    assert_eq!(world.response(Piece::body("b", true)), end);
    assert_eq!(world.response(status("200", true)), []);
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
fn an_upstream_that_fails_behind_an_informational_response_can_still_be_answered_for() {
    let mut world = World::plain();
    world.request(get(true));
    world.response(status("103", false));
    world.proxy.upstream_reset(world.stream);
    let mut expected = vec![Effect::ResetUpstream { stream: world.stream }];
    expected.extend(world.refused("503"));
    assert_eq!(world.effects(), expected);
}

#[test]
fn a_client_that_sends_what_is_not_http_gets_a_400() {
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
        assert_eq!(world.request(Piece::headers(headers, false)), world.refused("400"));
        assert_eq!(world.request(Piece::body("more", true)), []);
    }
    let mut world = World::plain();
    world.request(get(false));
    let trailers = Piece::trailers(Fields::from([(":path", "/")]));
    let mut expected = vec![Effect::ResetUpstream { stream: world.stream }];
    expected.extend(world.refused("400"));
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
fn an_upstream_that_answers_what_is_not_http_has_failed() {
    let odd: [&[(&str, &str)]; 5] = [
        &[],
        &[(":status", "20")],
        &[(":status", "200"), (":path", "/")],
        &[(":status", "200"), ("a", "b\0")],
        &[(":status", "200"), ("content-length", "x")],
    ];
    for headers in odd {
        let mut world = World::plain();
        world.request(get(true));
        let mut expected = vec![Effect::ResetUpstream { stream: world.stream }];
        expected.extend(world.refused("503"));
        let headers: Fields = headers.iter().copied().collect();
        assert_eq!(world.response(Piece::headers(headers, false)), expected);
    }
}

#[test]
fn framing_is_taken_out_of_what_peers_send() {
    let mut world = World::plain();
    let sent = Piece::headers(request(&[("transfer-encoding", "chunked"), ("x", "y")]), false);
    assert_eq!(world.request(sent), [world.up(Piece::headers(request(&[("x", "y")]), false))]);
    let trailers = Piece::trailers(Fields::from([("content-length", "5"), ("x", "y")]));
    assert_eq!(world.request(trailers), [world.up(Piece::trailers(Fields::from([("x", "y")])))]);
}

#[test]
fn a_body_is_as_long_as_was_promised() {
    let promised = |length: &str, end| Piece::headers(request(&[("content-length", length)]), end);
    let reset = |world: &World| {
        let mut expected = vec![Effect::ResetUpstream { stream: world.stream }];
        expected.extend(world.refused("503"));
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
fn where_a_plugin_can_change_the_body_no_length_is_promised() {
    let changes = "(import \"env\" \"proxy_set_buffer_bytes\" (func (param i32 i32 i32 i32 i32) (result i32)))";
    let gets = "(func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32) (i32.const 0))";
    let promised = Piece::headers(request(&[("content-length", "3")]), false);
    for (imports, exports, goes) in [(changes, gets, true), (changes, "", false), ("", gets, false)] {
        let mut world = World::of(&format!("(module {imports} {IMPORTS} {exports})"));
        let sent = if goes { get(false) } else { promised.clone() };
        assert_eq!(world.request(promised.clone()), [world.up(sent)]);
    }
}

#[test]
fn a_response_that_can_have_no_body_has_none() {
    let head = [(":method", "HEAD"), (":path", "/"), (":authority", "example.test")];
    for (request, code) in [(GET, "204"), (GET, "304"), (head, "200")] {
        let mut world = World::plain();
        world.request(Piece::headers(Fields::from(request), true));
        world.response(status(code, false));
        assert_eq!(world.response(Piece::body("abc", false)), [world.down(Piece::body("", false))]);
        let end = [world.down(Piece::body("", true)), Effect::StreamEnded { stream: world.stream }];
        assert_eq!(world.response(Piece::trailers(Fields::from([("x", "y")]))), end);
    }
}

/// The headers and the body of a plugin's local response.
#[track_caller]
fn local(method: &str, code: u32, headers: &[(&str, &str)], body: &str) -> (Fields, String) {
    let mut world = at_request(&[Call::Respond(code, headers, body)]);
    let request = [(":method", method), (":path", "/"), (":authority", "example.test")];
    let (statuses, effects) = said(world.request(Piece::headers(Fields::from(request), true)));
    assert_eq!(statuses, [0]);
    let mut sent = (Fields::new(), String::new());
    for effect in effects {
        match effect {
            Effect::Downstream { piece: Piece::Headers { headers, .. }, .. } => sent.0 = Fields::clone(&headers),
            Effect::Downstream { piece: Piece::Body { body, .. }, .. } => sent.1 += &String::from_utf8_lossy(&body),
            _ => {}
        }
    }
    sent
}

#[test]
fn a_local_response_has_the_right_length() {
    let given = [("content-length", "7"), ("x", "y"), ("Content-Length", "8")];
    let expected = [(":status", "403"), ("content-length", "3"), ("x", "y"), ("content-type", "text/plain")];
    let expected = Fields::from(expected);
    assert_eq!(local("GET", 403, &given, "abc"), (expected.clone(), "abc".to_owned()));
    assert_eq!(local("HEAD", 403, &given, "abc"), (expected, String::new()));
    assert_eq!(local("GET", 403, &[("content-length", "odd")], "").0.get(b"content-length"), Some(&b"0"[..]));
    for code in [204, 304] {
        let status = code.to_string();
        let expected = Fields::from([(":status", status.as_str()), ("x", "y")]);
        assert_eq!(local("GET", code, &given, "abc"), (expected, String::new()));
    }
}

#[test]
fn a_local_response_smuggles_nothing() {
    let odd = [(":path", "/"), (":evil", "x"), ("a b", "c"), ("a", "b\nc"), ("transfer-encoding", "chunked")];
    for field in odd {
        let mut world = at_request(&[Call::Respond(403, &[field], "abc")]);
        let (statuses, effects) = said(world.request(get(true)));
        assert_eq!(statuses, [Status::BAD_ARGUMENT.0], "{field:?}");
        assert_eq!(effects, [world.up(get(true))]);
    }
}

#[test]
fn a_call_smuggles_nothing_and_has_the_right_length() {
    let odd = [
        ("a b", "c"),
        ("a", "b\r\nc"),
        (":status", "200"),
        (":path", "/b"),
        ("transfer-encoding", "chunked"),
        ("content-length", "x"),
    ];
    let all: Vec<Vec<(&str, &str)>> = odd.iter().map(|field| [&GET[..], &[*field]].concat()).collect();
    let broken = [
        vec![(":method", "GET"), (":path", "/ x"), (":authority", "a")],
        vec![(":method", "G T"), (":path", "/"), (":authority", "a")],
        vec![(":method", "GET"), (":path", "/"), (":authority", "a/b")],
    ];
    let calls: Vec<Call<'_>> = all.iter().chain(&broken).map(|headers| Call::Http(headers, "abc")).collect();
    let mut world = at_request(&calls);
    let (statuses, effects) = said(world.request(get(true)));
    assert_eq!(statuses, vec![Status::BAD_ARGUMENT.0; calls.len()]);
    assert_eq!(effects.len(), 1, "no call is made: {effects:?}");

    let headers = [("content-length", "9"), (":method", "GET"), ("x", " y "), (":path", "/"), (":authority", "a")];
    let mut world = at_request(&[Call::Http(&headers, "abc")]);
    let (statuses, effects) = said(world.request(get(true)));
    assert_eq!(statuses, [0]);
    let Some(Effect::HttpCall { headers, .. }) = effects.first() else { panic!("{effects:?}") };
    let expected = [(":method", "GET"), (":path", "/"), (":authority", "a"), ("content-length", "3"), ("x", "y")];
    assert_eq!(**headers, Fields::from(expected));
}

#[test]
fn a_grpc_call_smuggles_nothing() {
    let metadata: [&[(&str, &str)]; 8] = [
        &[("a\r\nb", "c")],
        &[("a", "b\nc")],
        &[("a", "b\0")],
        &[("", "a")],
        &[("a b", "c")],
        &[(":path", "/other")],
        &[("content-length", "5")],
        &[("transfer-encoding", "chunked")],
    ];
    let names = [("a.B\r\n", "C"), ("a.B", "C\0"), ("a.B", "C HTTP/1.1"), ("a\tB", "C"), ("a.B", "\u{7f}")];
    let names = names.iter().map(|(service, method)| Call::Grpc(service, method, &[]));
    let calls: Vec<Call<'_>> = metadata.iter().map(|metadata| Call::Grpc("a.B", "C", metadata)).chain(names).collect();
    let mut world = at_request(&calls);
    let (statuses, effects) = said(world.request(get(true)));
    assert_eq!(statuses, vec![Status::PARSE_FAILURE.0; calls.len()]);
    assert_eq!(effects.len(), 1, "no call is made: {effects:?}");

    let mut world = at_request(&[Call::Grpc("a.B", "C", &[("x-a", "1"), ("x-a", "2")])]);
    let (statuses, effects) = said(world.request(get(true)));
    assert_eq!(statuses, [0]);
    assert!(matches!(effects.first(), Some(Effect::GrpcCall { .. })), "{effects:?}");
}

#[test]
fn the_answer_of_a_server_that_is_not_http_is_a_failure() {
    let answered = "(func (export \"proxy_on_http_call_response\") (param i32 i32 i32 i32 i32)
        (call $say (local.get 2)) (call $say (local.get 3)))
        (func (export \"proxy_on_grpc_receive_initial_metadata\") (param i32 i32 i32) (call $say (i32.const 77)))
        (func (export \"proxy_on_grpc_close\") (param i32 i32 i32) (call $say (local.get 2)))";
    let mut text = Text::default();
    text.callback("proxy_on_request_headers", &[Call::Http(&GET, ""), Call::Grpc("a.B", "C", &[])]);
    text.functions += answered;
    let mut world = World::of(&text.wat());
    let effects = world.request(get(true));
    let http = effects.iter().find_map(|effect| match effect {
        Effect::HttpCall { call, .. } => Some(*call),
        _ => None,
    });
    let grpc = effects.iter().find_map(|effect| match effect {
        Effect::GrpcCall { call, .. } => Some(*call),
        _ => None,
    });
    let (http, grpc) = (http.expect("a call is made"), grpc.expect("a gRPC stream is opened"));
    let headers = Fields::from([(":status", "200"), ("a", "b\r\nc: d")]);
    world.proxy.http_call_response(http, headers, "abc", Fields::new());
    assert_eq!(said(world.effects()).0, [0, 0], "neither headers nor a body");
    let metadata = Fields::from([("a b", "c")]);
    world.proxy.grpc_event(grpc, GrpcEvent::InitialMetadata(metadata.into()));
    let (said, effects) = said(world.effects());
    assert_eq!((said, effects), (vec![13], vec![Effect::CancelGrpcCall { call: grpc }]));
    world.proxy.grpc_event(grpc, GrpcEvent::Message("late".into()));
    assert_eq!(world.effects(), []);
}
