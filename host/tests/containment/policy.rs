//! Policies cannot be bypassed: properties of the host, log lines, quotas, and the changes of a plugin that has crashed.

use std::net::SocketAddr;
use std::sync::Arc;

use pw_abi::{LogLevel, Status};
use pw_host::{CertificateInfo, Effect, FailurePolicy, Fields, Limits, Piece, PluginConfig, StreamInfo, TlsInfo};

use crate::support::{
    MIB, World, body, call, ended, faults, forwarded, headers, on, put, queue, repeat, response, returning, said, say,
    status, statuses,
};

/// Paths that only the host can set; a dot stands for the NUL between their parts.
const VOUCHED: &[&str] = &[
    "connection.id",
    "connection.mtls",
    "connection.requested_server_name",
    "connection.tls_version",
    "connection.subject_local_certificate",
    "connection.subject_peer_certificate",
    "connection.dns_san_local_certificate",
    "connection.dns_san_peer_certificate",
    "connection.uri_san_local_certificate",
    "connection.uri_san_peer_certificate",
    "connection.sha256_peer_certificate_digest",
    "connection.termination_details",
    "connection",
    "source.address",
    "source.port",
    "source",
    "destination.address",
    "destination.port",
    "upstream.address",
    "upstream.port",
    "upstream.local_address",
    "upstream.tls_version",
    "upstream.subject_peer_certificate",
    "upstream.transport_failure_reason",
    "request.path",
    "request.method",
    "request.headers.authorization",
    "request.headers.x-forwarded-for",
    "request.time",
    "request.total_size",
    "request",
    "response.code",
    "response.code_details",
    "response.headers.x-a",
    "response.trailers.x-a",
    "response.flags",
    "response.size",
    "plugin_name",
    "plugin_root_id",
    "plugin_vm_id",
    "connection.anything",
    "request.anything",
    "response.anything",
    "upstream.anything",
    "source.anything",
    "destination.anything",
];

/// A path as a data segment, and its size.
fn path(text: &str) -> (String, u32) {
    (format!("(data (i32.const 600) \"{}\")", text.replace('.', "\\00")), text.len() as u32)
}

/// A plugin that sets a property to `evil`, in a callback, with a path that may end in a NUL.
#[track_caller]
fn check_vouched(info: &StreamInfo, text: &str, callback: &str, nul: u32) {
    let mut world = World::new();
    let (data, size) = path(text);
    let value = "(data (i32.const 700) \"evil\")".to_owned();
    let set = say(&status("set_property", &[600, size + nul, 700, 4]));
    let attacker = world.add(Limits::default(), &[data.clone(), value, on(callback, &set)]);
    let get =
        format!("{} {}", say(&status("get_property", &[600, size, 4, 8])), say("(i32.load (i32.load (i32.const 4)))"),);
    // It logs the value only if there is one.
    let victim = world.add(Limits::default(), &[data, on("proxy_on_response_headers", &get)]);
    let stream = world.proxy.open_stream(&[victim, attacker], info.clone());
    world.proxy.request(stream, Piece::headers(crate::support::request(&[("authorization", "me")]), true));
    world.proxy.response(stream, response("200", true));
    let effects = world.finish();
    let answers = said(&effects, attacker);
    assert!(!answers.is_empty() && answers.iter().all(|answer| *answer != Status::OK.0), "{text}: {answers:?}");
    let evil = u32::from_le_bytes(*b"evil");
    assert!(!said(&effects, victim).contains(&evil), "{text} is forged");
}

#[test]
fn a_property_of_the_host_cannot_be_set_if_it_is_unknown() {
    for text in VOUCHED {
        check_vouched(&StreamInfo::default(), text, "proxy_on_request_headers", 0);
    }
}

#[test]
fn a_property_of_the_host_cannot_be_set_if_it_is_known() {
    let address: SocketAddr = ([127, 0, 0, 1], 80).into();
    let certificate = CertificateInfo { subject: "CN=user".to_owned(), ..CertificateInfo::default() };
    let tls = TlsInfo { peer: certificate, mtls: true, ..TlsInfo::default() };
    let info = StreamInfo {
        source: Some(address),
        destination: Some(address),
        tls: Some(Arc::new(tls)),
        protocol: "HTTP/1.1",
        ..StreamInfo::default()
    };
    for text in VOUCHED {
        check_vouched(&info, text, "proxy_on_request_headers", 0);
    }
}

#[test]
fn a_property_of_the_host_cannot_be_set_earlier_or_later() {
    for text in ["connection.subject_peer_certificate", "response.code", "upstream.address", "plugin_name"] {
        for callback in ["proxy_on_context_create", "proxy_on_response_headers", "proxy_on_done", "proxy_on_log"] {
            check_vouched(&StreamInfo::default(), text, callback, 0);
        }
        check_vouched(&StreamInfo::default(), text, "proxy_on_request_headers", 1);
    }
}

#[test]
fn a_plugins_own_property_can_be_set_and_read() {
    let mut world = World::new();
    let (data, size) = path("my.own");
    let set = say(&status("set_property", &[600, size, 16, 4]));
    let get = say(&status("get_property", &[600, size, 4, 8]));
    let plugin = world.add(Limits::default(), &[data, on("proxy_on_request_headers", &(set + &get))]);
    world.get(&[plugin]);
    assert_eq!(said(&world.finish(), plugin), [0, 0]);
}

#[test]
fn properties_of_one_plugin_do_not_use_up_anothers_limit() {
    let mut world = World::new();
    let memory = "(memory (export \"memory\") 64)".to_owned();
    let limits = Limits { properties: MIB, ..Limits::default() };
    let set =
        format!("(i32.store (i32.const 600) (local.get $i)) {}", call("set_property", &[600, 4, 0x10000, 30_000]));
    let attacker = world.add(limits, &[memory, on("proxy_on_request_headers", &repeat(100, &set))]);
    let small = say(&status("set_property", &[16, 7, 16, 6]));
    let victim = world.add(limits, &[on("proxy_on_request_headers", &small)]);
    world.get(&[attacker, victim]);
    assert_eq!(said(&world.finish(), victim), [Status::OK.0]);
    assert!(world.seen.answers(attacker, "set_property", Status::INTERNAL_FAILURE) > 0);
}

#[test]
fn overwriting_anothers_property_does_not_use_up_its_limit() {
    let mut world = World::new();
    let memory = "(memory (export \"memory\") 64)".to_owned();
    let limits = Limits { properties: 10_000, ..Limits::default() };
    let make = say(&status("set_property", &[16, 7, 16, 6]));
    let first = world.add(limits, &[on("proxy_on_request_headers", &make), on("proxy_on_response_headers", &make)]);
    let large = say(&status("set_property", &[16, 7, 0x10000, 9_900]));
    let second = world.add(limits, &[memory, on("proxy_on_request_headers", &large)]);
    let stream = world.get(&[first, second]);
    world.proxy.response(stream, response("200", true));
    let effects = world.finish();
    assert_eq!(said(&effects, second), [Status::OK.0]);
    assert_eq!(said(&effects, first), [Status::OK.0, Status::OK.0]);
}

/// Lines that a module's start section logs do not suppress another plugin's.
#[track_caller]
fn check_log(trap: &str) {
    let mut world = World::new();
    let loud =
        format!("(func $start (local $i i32) {} {trap}) (start $start)", repeat(10_005, &call("log", &[2, 16, 8])));
    let victim = world.add(Limits::default(), &[on("proxy_on_request_headers", &say("(i32.const 7)").repeat(3))]);
    let module = world.module(&[loud]);
    let started = world.proxy.add_plugin(&module, PluginConfig::default());
    assert_eq!(started.is_err(), !trap.is_empty());
    world.effects();
    world.get(&[victim]);
    assert_eq!(said(&world.finish(), victim), [7, 7, 7]);
}

#[test]
fn a_start_section_that_logs_much_suppresses_no_other_log() {
    check_log("");
}

#[test]
fn a_start_section_that_logs_much_and_traps_suppresses_no_other_log() {
    check_log("unreachable");
}

#[test]
fn a_callback_that_logs_much_suppresses_no_other_log() {
    let mut world = World::new();
    let loud = repeat(20_000, &call("log", &[2, 16, 8]));
    for trap in ["", "unreachable"] {
        let attacker = world.add(Limits::default(), &[on("proxy_on_request_headers", &format!("{loud} {trap}"))]);
        let victim = world.add(Limits::default(), &[on("proxy_on_request_headers", &say("(i32.const 7)"))]);
        world.get(&[attacker]);
        world.get(&[victim]);
        assert_eq!(said(&world.finish(), victim), [7]);
    }
}

#[test]
fn an_allocator_that_logs_much_suppresses_no_other_log() {
    let mut world = World::new();
    let loud = format!(
        "(func (export \"malloc\") (param i32) (result i32) (local $i i32) {} (i32.const 0xD000))",
        repeat(20_000, &call("log", &[2, 16, 8]))
    );
    let get = call("get_property", &[600, 11, 4, 8]);
    let parts = [path("plugin_name").0, loud, on("proxy_on_request_headers", &get)];
    let attacker = world.add(Limits::default(), &parts);
    let victim = world.add(Limits::default(), &[on("proxy_on_request_headers", &say("(i32.const 7)"))]);
    world.get(&[attacker, victim]);
    assert_eq!(said(&world.finish(), victim), [7]);
}

#[test]
fn a_proxy_that_logs_only_errors_drops_less() {
    let mut world =
        World::of(pw_host::Metering::Fuel, pw_host::ProxyConfig { log_level: LogLevel::ERROR, ..Default::default() });
    let loud = repeat(20_000, &call("log", &[2, 16, 8])) + &call("log", &[4, 16, 8]);
    let plugin = world.add(Limits::default(), &[on("proxy_on_request_headers", &loud)]);
    world.get(&[plugin]);
    let effects = world.finish();
    let lines = effects.iter().filter(|effect| matches!(effect, Effect::Log { .. })).count();
    assert_eq!(lines, 1, "lines below the level are not counted");
}

/// A fail-open plugin that calls a function in a callback and traps. The rest of the exchange is as without it.
#[track_caller]
fn check_undone(callback: &str, function: &str, args: &[u32], data: &str) {
    let run = |changes: bool| {
        let mut world = World::new();
        let names = "(data (i32.const 600) \"authorization\") (data (i32.const 620) \"x-added\")";
        let change = if changes { call(function, args) } else { String::new() };
        let parts = [names.to_owned(), data.to_owned(), on(callback, &format!("{change} unreachable"))];
        let module = world.module(&parts);
        let failure = FailurePolicy { open: true, reload: None };
        let attacker = world.start(&module, PluginConfig { failure, ..PluginConfig::default() });
        let (data, size) = path("my.own");
        let read = say(&status("get_property", &[600, size, 4, 8]));
        let next = world.add(Limits::default(), &[data, on("proxy_on_log", &read)]);
        let stream = world.open(&[attacker, next]);
        let fields = crate::support::request(&[("authorization", "secret")]);
        world.proxy.request(stream, Piece::headers(fields, false));
        world.proxy.request(stream, Piece::body("the body", false));
        world.proxy.request(stream, Piece::trailers(Fields::from([("x-trailer", "yes")])));
        world.proxy.response(stream, Piece::headers(Fields::from([(":status", "200"), ("authorization", "b")]), false));
        world.proxy.response(stream, Piece::body("the answer", false));
        world.proxy.response(stream, Piece::trailers(Fields::from([("x-trailer", "no")])));
        let effects = world.finish();
        assert_eq!(faults(&effects), [attacker], "{callback}: it traps");
        let changed = world.seen.answers(attacker, function, Status::OK);
        assert_eq!(changed, usize::from(changes), "{callback}: {function} changes something");
        let seen = effects.into_iter().filter(|effect| !matches!(effect, Effect::Fault { .. }));
        seen.collect::<Vec<_>>()
    };
    assert_eq!(run(true), run(false), "{callback}: {function}");
}

#[test]
fn headers_that_a_fail_open_plugin_changed_before_it_trapped_are_as_before() {
    let request = [(":method", "PUT"), (":path", "/evil"), (":authority", "evil.test")];
    let response = [(":status", "201"), ("x-evil", "yes")];
    for (callback, map, pairs) in
        [("proxy_on_request_headers", 0, &request[..]), ("proxy_on_response_headers", 2, &response)]
    {
        check_undone(callback, "remove_header_map_value", &[map, 600, 13], "");
        check_undone(callback, "add_header_map_value", &[map, 620, 7, 16, 8], "");
        check_undone(callback, "replace_header_map_value", &[map, 600, 13, 16, 8], "");
        let (data, size) = crate::support::pairs(0x400, pairs);
        check_undone(callback, "set_header_map_pairs", &[map, 0x400, size], &data);
    }
}

#[test]
fn trailers_that_a_fail_open_plugin_changed_before_it_trapped_are_as_before() {
    for (callback, map) in [("proxy_on_request_trailers", 1), ("proxy_on_response_trailers", 3)] {
        check_undone(callback, "add_header_map_value", &[map, 620, 7, 16, 8], "");
    }
}

#[test]
fn bodies_that_a_fail_open_plugin_changed_before_it_trapped_are_as_before() {
    for (callback, buffer) in [("proxy_on_request_body", 0), ("proxy_on_response_body", 1)] {
        check_undone(callback, "set_buffer_bytes", &[buffer, 0, 3, 16, 8], "");
        check_undone(callback, "set_buffer_bytes", &[buffer, 0, 100, 0, 0], "");
    }
}

#[test]
fn properties_that_a_fail_open_plugin_set_before_it_trapped_are_removed() {
    let own = "(data (i32.const 700) \"my\\00own\")";
    for callback in ["proxy_on_request_headers", "proxy_on_request_body", "proxy_on_response_headers"] {
        check_undone(callback, "set_property", &[700, 6, 16, 8], own);
    }
}

#[test]
fn a_local_response_of_a_fail_open_plugin_that_trapped_is_not_sent() {
    check_undone("proxy_on_request_headers", "send_local_response", &[200, 0, 0, 16, 8, 0, 0, u32::MAX], "");
    check_undone("proxy_on_request_headers", "close_stream", &[0], "");
    check_undone("proxy_on_request_headers", "continue_stream", &[0], "");
}

#[test]
fn what_a_fail_open_plugin_changed_before_stays() {
    let mut world = World::new();
    let module = world.module(&[
        on("proxy_on_request_headers", &call("add_header_map_value", &[0, 16, 8, 16, 8])),
        on("proxy_on_request_body", "unreachable"),
    ]);
    let failure = FailurePolicy { open: true, reload: None };
    let plugin = world.start(&module, PluginConfig { failure, ..PluginConfig::default() });
    let stream = world.open(&[plugin]);
    world.proxy.request(stream, headers(false));
    world.proxy.request(stream, Piece::body("body", true));
    let effects = world.finish();
    assert_eq!(forwarded(&effects)[0].get(b"upstream"), Some(&b"upstream"[..]));
    assert_eq!(body(&effects, true), b"body");
}

#[test]
fn a_fail_open_plugin_undoes_only_its_own_streams_change() {
    // The callback also acts on another stream of the plugin, and that change is undone too.
    let mut world = World::new();
    let module = world.module(&[
        returning("proxy_on_request_headers", "", 1),
        on(
            "proxy_on_foreign_function",
            &format!(
                "{} {} unreachable",
                call("set_effective_context", &[2]),
                call("add_header_map_value", &[0, 16, 8, 16, 8])
            ),
        ),
    ]);
    let failure = FailurePolicy { open: true, reload: None };
    let plugin = world.start(&module, PluginConfig { failure, ..PluginConfig::default() });
    world.get(&[plugin]);
    world.finish();
    world.proxy.foreign_function(plugin, 0, "");
    let effects = world.finish();
    assert_eq!(forwarded(&effects).len(), 1);
    assert_eq!(forwarded(&effects)[0].get(b"upstream"), None);
}

#[test]
fn a_fail_closed_plugin_that_traps_passes_nothing_on() {
    let mut world = World::new();
    let leak = call("continue_stream", &[0]) + &call("add_header_map_value", &[0, 16, 8, 16, 8]) + "unreachable";
    let plugin = world
        .add(Limits::default(), &[queue(), on("proxy_on_request_headers", &(format!("(drop {})", put(1)) + &leak))]);
    world.get(&[plugin]);
    let effects = world.finish();
    assert!(forwarded(&effects).is_empty());
    assert_eq!((statuses(&effects), ended(&effects)), (vec!["503".to_owned()], 1));
}
