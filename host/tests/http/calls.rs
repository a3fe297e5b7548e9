//! HTTP and gRPC calls of plugins, and what their servers respond.

use pw_abi::Status;
use pw_host::{Effect, Fields, GrpcEvent};

use crate::support::{Call, GET, Text, World, at_request, get, said};

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
    assert_eq!(effects.len(), 1, "a call is made: {effects:?}");

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
    assert_eq!(effects.len(), 1, "a call is made: {effects:?}");

    let mut world = at_request(&[Call::Grpc("a.B", "C", &[("x-a", "1"), ("x-a", "2")])]);
    let (statuses, effects) = said(world.request(get(true)));
    assert_eq!(statuses, [0]);
    assert!(matches!(effects.first(), Some(Effect::GrpcCall { .. })), "{effects:?}");
}

#[test]
fn a_response_that_is_not_http_is_a_failure_of_the_call() {
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
    assert_eq!(said(world.effects()).0, [0, 0], "there are headers or a body");
    let metadata = Fields::from([("a b", "c")]);
    world.proxy.grpc_event(grpc, GrpcEvent::InitialMetadata(metadata.into()));
    let (said, effects) = said(world.effects());
    assert_eq!((said, effects), (vec![13], vec![Effect::CancelGrpcCall { call: grpc }]));
    world.proxy.grpc_event(grpc, GrpcEvent::Message("late".into()));
    assert_eq!(world.effects(), []);
}
