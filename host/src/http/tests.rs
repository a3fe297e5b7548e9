//! Which fields are valid, in which form a message is sent, and in which order its parts come.

use super::*;

#[track_caller]
fn check(part: Part, valid: bool, fields: &[(&[u8], &[u8])]) {
    for (name, value) in fields {
        let text = String::from_utf8_lossy;
        assert_eq!(part.permits(name, value), valid, "{part:?} {}: {:?}", text(name), text(value));
    }
}

#[test]
fn names_are_tokens_and_values_have_no_control_characters() {
    let valid: &[(&[u8], &[u8])] = &[
        (b"x", b""),
        (b"X-Upper", b"a"),
        (b"!#$%&'*+-.^_`|~09", b"a"),
        (b"x", b"a\tb c"),
        (b"x", b" a\t"),
        (b"x", b"caf\xE9"),
    ];
    let broken: &[(&[u8], &[u8])] = &[
        (b"", b"a"),
        (b"x y", b"a"),
        (b"x:", b"a"),
        (b" x", b"a"),
        (b"x\0", b"a"),
        (b"x\xE9", b"a"),
        (b"transfer-encoding ", b"chunked"),
        (b"x", b"a\r"),
        (b"x", b"a\nb"),
        (b"x", b"\0"),
        (b"x", b"\x01"),
        (b"x", b"\x7F"),
        (b"Transfer-Encoding", b"chunked"),
        (b":", b""),
        (b":evil", b"a"),
    ];
    for part in [Part::Request, Part::Response, Part::Trailers] {
        check(part, true, valid);
        check(part, false, broken);
    }
}

#[test]
fn permits_only_valid_pseudo_headers_of_the_part() {
    let request: &[(&[u8], &[u8])] = &[
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", b"[::1]:443"),
        (b":authority", b""),
        (b":path", b"/a?b=\xE9"),
        (b":path", b"*"),
        (b":protocol", b"connect-udp"),
    ];
    check(Part::Request, true, request);
    check(Part::Response, false, request);
    check(Part::Trailers, false, request);
    check(Part::Response, true, &[(b":status", b"100"), (b":Status", b"599")]);
    check(Part::Request, false, &[(b":status", b"200")]);
    let odd: [&[u8]; 7] = [b"", b"20", b"2000", b"099", b"600", b"2 0", b"+20"];
    odd.into_iter().for_each(|status| check(Part::Response, false, &[(b":status", status)]));
    let broken: &[(&[u8], &[u8])] = &[
        (b":method", b""),
        (b":method", b"GET /a"),
        (b":scheme", b""),
        (b":scheme", b"ht tp"),
        (b":scheme", b"1http"),
        (b":authority", b"a b"),
        (b":authority", b"user@host"),
        (b":authority", b"host/path"),
        (b":path", b""),
        (b":path", b"a"),
        (b":path", b"*a"),
        (b":path", b"/a HTTP/1.1"),
        (b":path", b"/a\tb"),
        (b":path", b"/a#b"),
        (b":protocol", b""),
        (b":protocol", b"a/"),
    ];
    check(Part::Request, false, broken);
}

#[test]
fn a_content_length_is_a_number() {
    check(Part::Request, true, &[(b"content-length", b"0"), (b"Content-Length", b" 18446744073709551615")]);
    let odd: [&[u8]; 6] = [b"", b"-1", b"+1", b"1, 1", b"0x1", b"18446744073709551616"];
    odd.into_iter().for_each(|value| check(Part::Response, false, &[(b"content-length", value)]));
    check(Part::Trailers, false, &[(b"content-length", b"0"), (b"Host", b"a")]);
}

#[test]
fn rejects_a_second_host_and_a_protocol_without_connect() {
    let received = |fields: &[(&str, &str)]| {
        let mut fields = Arc::new(fields.iter().copied().collect::<Fields>());
        Part::Request.receive(&mut fields).is_some_and(|facts| Part::Request.is_whole(&facts))
    };
    let to = |method, more: &[(&'static str, &'static str)]| {
        [&[(":method", method), (":path", "/"), (":authority", "a.test")], more].concat()
    };
    assert!(received(&to("GET", &[("host", "A.test")])));
    assert!(!received(&to("GET", &[("host", "b.test")])));
    assert!(received(&to("CONNECT", &[(":protocol", "websocket")])));
    assert!(!received(&to("POST", &[(":protocol", "websocket")])));
    let mut changed = Arc::new(to("GET", &[("host", "b.test"), ("x", "1")]).into_iter().collect::<Fields>());
    normalize(&mut changed);
    assert_eq!(*changed, to("GET", &[("x", "1")]).into_iter().collect::<Fields>());
}

#[test]
fn rejects_a_map_that_is_too_large() {
    let size = |pairs: &[(&[u8], &[u8])]| text_size(&pairs::encode(pairs.iter().copied()));
    assert_eq!(size(&[]), 0);
    assert_eq!(size(&[(b"a", b""), (b"bc", b"def")]), 6);
    assert_eq!(text_size(&[1, 0]), 0);
    assert_eq!(text_size(&[0xFF; 100]), 0);
    let pairs = pairs::encode([(&b"a"[..], &b"bc"[..])]);
    let read = |max| Part::Trailers.read(&pairs, max, Status::BAD_ARGUMENT);
    assert_eq!(read(2), Err(Status::INTERNAL_FAILURE));
    assert_eq!(read(3), Ok(Fields::from([("a", "bc")])));
}

#[test]
fn the_parts_of_a_message_have_an_order() {
    let headers = |status: &str, end| Piece::headers(Fields::from([(":status", status)]), end);
    let (body, last, trailers) = (Piece::body("a", false), Piece::body("", true), Piece::trailers(Fields::new()));
    let message = |pieces: &[&Piece]| {
        pieces.iter().try_fold(Progress::Nothing, |progress, piece| progress.with(piece, &Facts::of_piece(piece)))
    };
    let (early, found) = (&headers("103", false), &headers("200", false));
    assert_eq!(message(&[early, early, found, &body, &trailers]), Some(Progress::End));
    assert_eq!(message(&[found, &body, &last]), Some(Progress::End));
    assert_eq!(message(&[&headers("101", false), &body]), Some(Progress::Headers));
    let broken: [&[&Piece]; 8] = [
        &[&body],
        &[&trailers],
        &[early, &body],
        &[&headers("103", true)],
        &[found, found],
        &[found, early],
        &[found, &body, found],
        &[found, &last, &trailers],
    ];
    broken.into_iter().for_each(|pieces| assert_eq!(message(pieces), None, "{pieces:?}"));
}

#[test]
fn normalizes_the_order_and_removes_whitespace_around_values() {
    let mut fields = Arc::new(Fields::from([("x-a", " 1\t"), (":path", "/"), ("x-b", "2 3"), (":method", "GET")]));
    normalize(&mut fields);
    assert_eq!(*fields, Fields::from([(":path", "/"), (":method", "GET"), ("x-a", "1"), ("x-b", "2 3")]));
    let same = fields.clone();
    normalize(&mut fields);
    assert!(Arc::ptr_eq(&same, &fields), "what is in order is not copied");
}
