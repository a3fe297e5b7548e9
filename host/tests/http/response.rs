//! Responses, of upstreams and of plugins: their status, their length, and their order.

use pw_abi::Status;
use pw_host::{Effect, Fields, Piece};

use crate::support::{Call, GET, RESPONSE, Text, World, at_request, get, said, status};

#[test]
fn does_not_send_a_response_without_a_final_status() {
    for call in [Call::Remove(RESPONSE, ":status"), Call::Replace(RESPONSE, ":status", "103")] {
        let mut text = Text::default();
        text.callback("proxy_on_response_headers", &[call]);
        let mut world = World::of(&text.wat());
        world.request(get(true));
        let (statuses, effects) = said(world.response(status("200", true)));
        let mut expected = vec![Effect::ResetUpstream { stream: world.stream }];
        expected.extend(world.failed("503"));
        assert_eq!((statuses, effects), (vec![0], expected));
    }
}

#[test]
fn informational_responses_come_before_the_final_one() {
    let mut world = World::plain();
    world.request(get(true));
    assert_eq!(world.response(Piece::body("early", false)), []);
    assert_eq!(world.response(status("103", true)), [], "it ends the message");
    assert_eq!(world.response(status("103", false)), [world.down(status("103", false))]);
    assert_eq!(world.response(Piece::body("early", false)), [], "it has a body");
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
fn answers_503_if_the_upstream_fails_after_an_informational_response() {
    let mut world = World::plain();
    world.request(get(true));
    world.response(status("103", false));
    world.proxy.upstream_reset(world.stream);
    let mut expected = vec![Effect::ResetUpstream { stream: world.stream }];
    expected.extend(world.failed("503"));
    assert_eq!(world.effects(), expected);
}

#[test]
fn a_response_that_is_not_http_is_a_failure_of_the_upstream() {
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
        expected.extend(world.failed("503"));
        let headers: Fields = headers.iter().copied().collect();
        assert_eq!(world.response(Piece::headers(headers, false)), expected);
    }
}

#[test]
fn removes_a_body_that_the_status_does_not_permit() {
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
fn rejects_a_local_response_that_is_not_http() {
    let odd = [(":path", "/"), (":evil", "x"), ("a b", "c"), ("a", "b\nc"), ("transfer-encoding", "chunked")];
    for field in odd {
        let mut world = at_request(&[Call::Respond(403, &[field], "abc")]);
        let (statuses, effects) = said(world.request(get(true)));
        assert_eq!(statuses, [Status::BAD_ARGUMENT.0], "{field:?}");
        assert_eq!(effects, [world.up(get(true))]);
    }
}
