//! What plugins add to streams: headers, bodies, properties, local responses, contexts that wait, copies.

use pw_abi::Status;
use pw_host::{Limits, Piece, PluginConfig, StreamId};

use super::{LIMITS, MEMORY, check_rejected};
use crate::support::{MIB, World, body, call, ended, headers, on, repeat, response, returning, status, weight};

#[test]
fn properties_without_values() {
    check_rejected("set_property", 50_000, &call("set_property", &[0, 4, 0, 0]), &[]);
}

#[test]
fn large_properties() {
    check_rejected("set_property", 50, &call("set_property", &[0, 4, 0, 100_000]), &[]);
}

#[test]
fn headers_that_plugins_add() {
    let letters = on("proxy_on_configure", "(memory.fill (i32.const 0x10000) (i32.const 97) (i32.const 100000))");
    check_rejected(
        "add_header_map_value",
        50,
        &call("add_header_map_value", &[0, 16, 8, 0x10000, 100_000]),
        &[letters],
    );
}

/// The charge for a plugin that adds a number of fields to a request.
fn charged_for_fields(fields: usize) -> usize {
    let mut world = World::new();
    // Names of four letters and digits.
    let digit = |at: usize, shift: usize| {
        let digit = format!("(i32.and (i32.shr_u (local.get $i) (i32.const {shift})) (i32.const 15))");
        format!("(i32.store8 (i32.const {at}) (i32.add (i32.const 97) {digit}))")
    };
    let name: String = (0..4).map(|at| digit(at, 4 * at)).collect();
    let add = format!("(if {} (then unreachable))", status("add_header_map_value", &[0, 0, 4, 16, 8]));
    let parts = [MEMORY.to_owned(), returning("proxy_on_request_headers", &repeat(fields, &(name + &add)), 1)];
    let plugin = world.add(Limits { host_memory: 64 * MIB, ..LIMITS }, &parts);
    world.get(&[plugin]);
    assert_eq!(world.seen.answers(plugin, "add_header_map_value", Status::OK), fields);
    world.proxy.charged(plugin).expect("the plugin has an account")
}

#[test]
fn many_fields_are_charged_in_proportion_to_their_number() {
    let (some, many) = (charged_for_fields(2000), charged_for_fields(20_000));
    assert!(some >= 2000 * 12, "{some} bytes for names and values of 24,000");
    assert!((5 * some..20 * some).contains(&many), "{some} bytes for 2000 fields, {many} for ten times as many");
}

#[test]
fn a_body_that_a_plugin_makes_larger() {
    let mut world = World::new();
    let grow = repeat(50, &call("set_buffer_bytes", &[0, 0, 0, 0, 100_000]));
    let plugin = world.add(LIMITS, &[MEMORY.to_owned(), on("proxy_on_request_body", &grow)]);
    let stream = world.open(&[plugin]);
    world.proxy.request(stream, headers(false));
    world.proxy.request(stream, Piece::body("body", true));
    assert!(world.seen.answers(plugin, "set_buffer_bytes", Status::INTERNAL_FAILURE) > 0);
    let bytes = body(&world.effects(), true).len();
    assert!(bytes <= MIB, "{bytes} bytes");
}

#[test]
fn a_large_local_response() {
    let mut world = World::new();
    let answer = call("send_local_response", &[403, 0, 0, 0, 2 * MIB as u32, 0, 0, u32::MAX]);
    let plugin = world.add(LIMITS, &[MEMORY.to_owned(), on("proxy_on_request_headers", &answer)]);
    world.get(&[plugin]);
    assert_eq!(world.seen.answers(plugin, "send_local_response", Status::INTERNAL_FAILURE), 1);
    assert_eq!(body(&world.effects(), false), b"");
}

#[test]
fn local_responses_of_one_callback_to_many_streams() {
    let mut world = World::new();
    let answer = call("send_local_response", &[403, 0, 0, 0, 100_000, 0, 0, u32::MAX]);
    let context = "(drop (call $set_effective_context (i32.add (local.get $i) (i32.const 2))))";
    let parts = [
        MEMORY.to_owned(),
        returning("proxy_on_request_headers", "", 1),
        on("proxy_on_foreign_function", &repeat(30, &format!("{context} {answer}"))),
    ];
    let plugin = world.add(LIMITS, &parts);
    for _ in 0..30 {
        world.get(&[plugin]);
    }
    world.proxy.foreign_function(plugin, 0, "");
    world.check_charged(plugin, LIMITS);
    let weight = weight(&world.effects());
    assert!(weight <= 2 * MIB, "{weight} bytes");
    assert!(world.seen.answers(plugin, "send_local_response", Status::INTERNAL_FAILURE) > 0);
}

/// Streams whose end their plugin delays are kept up to the limit of its account.
#[track_caller]
fn check_pending(more: &[String], bytes: usize) {
    let mut world = World::new();
    let parts = [MEMORY.to_owned(), returning("proxy_on_done", "", 0)];
    let plugin = world.add(LIMITS, &[&parts, more].concat());
    for _ in 0..200 {
        let stream = world.open(&[plugin]);
        world.proxy.request(stream, headers(false));
        world.proxy.request(stream, Piece::body(vec![b'x'; 60_000], false));
        world.proxy.downstream_reset(stream);
        world.finish();
        world.check_charged(plugin, LIMITS);
    }
    let contexts = world.proxy.usage().contexts;
    assert!(contexts > 1, "none is kept");
    assert!((contexts - 1) * bytes <= MIB, "{contexts} contexts, each with {bytes} bytes");
    assert!(contexts > MIB / (2 * bytes + 4000), "{contexts} contexts: each costs far more than {bytes} bytes");
}

#[test]
fn bodies_of_streams_that_are_pending() {
    check_pending(&[returning("proxy_on_request_body", "", 1)], 60_000);
}

#[test]
fn properties_of_streams_that_are_pending() {
    let set = call("set_property", &[16, 7, 0, 20_000]);
    check_pending(&[on("proxy_on_request_headers", &set)], 20_000);
}

#[test]
fn headers_of_streams_that_are_pending() {
    let add = call("add_header_map_value", &[0, 16, 8, 0x10000, 20_000]);
    let letters = on("proxy_on_configure", "(memory.fill (i32.const 0x10000) (i32.const 97) (i32.const 20000))");
    check_pending(&[on("proxy_on_request_headers", &add), letters], 20_000);
}

#[test]
fn buffered_informational_responses_count() {
    let mut world = World::new();
    let limits = Limits { held: MIB, host_memory: 256 * MIB, ..LIMITS };
    let plugin = world.add(limits, &[returning("proxy_on_response_headers", "", 1)]);
    let stream = world.get(&[plugin]);
    let large = Piece::headers(crate::support::request(&[(":status", "103"), ("x-a", &"v".repeat(50_000))]), false);
    world.proxy.response(stream, response("103", false));
    for _ in 0..100 {
        world.proxy.response(stream, large.clone());
    }
    assert_eq!(ended(&world.finish()), 1, "5 MB of headers do not exceed the limit");
}

#[test]
fn buffered_empty_pieces_count() {
    let mut world = World::new();
    let limits = Limits { held: MIB, host_memory: 256 * MIB, ..LIMITS };
    let plugin = world.add(limits, &[returning("proxy_on_request_headers", "", 1)]);
    let stream = world.open(&[plugin]);
    world.proxy.request(stream, headers(false));
    for _ in 0..200_000 {
        world.proxy.request(stream, Piece::body("", false));
    }
    assert_eq!(ended(&world.finish()), 1, "200,000 pieces do not exceed the limit");
}

#[test]
fn a_copy_that_empties_each_piece_keeps_none() {
    let mut world = World::new();
    let module = world.module(&[on("proxy_on_request_body", &call("set_buffer_bytes", &[0, 0, u32::MAX >> 1, 0, 0]))]);
    let config = PluginConfig { log_only: true, limits: LIMITS, ..PluginConfig::default() };
    let plugin = world.start(&module, config);
    let stream = world.open(&[plugin]);
    world.proxy.request(stream, headers(false));
    for _ in 0..200 {
        world.proxy.request(stream, Piece::body(vec![b'x'; 60_000], false));
        assert_eq!(body(&world.effects(), true).len(), 60_000, "the stream itself does not continue");
        world.check_charged(plugin, LIMITS);
    }
}

#[test]
fn a_copy_that_pauses_does_not_keep_more_than_its_account() {
    let mut world = World::new();
    let module = world.module(&[returning("proxy_on_request_body", "", 1)]);
    let config = PluginConfig { log_only: true, limits: LIMITS, ..PluginConfig::default() };
    let plugin = world.start(&module, config);
    let streams: Vec<StreamId> = (0..20).map(|_| world.open(&[plugin])).collect();
    for stream in streams {
        world.proxy.request(stream, headers(false));
        for _ in 0..4 {
            world.proxy.request(stream, Piece::body(vec![b'x'; 60_000], false));
            assert_eq!(body(&world.effects(), true).len(), 60_000, "the stream itself does not continue");
            world.check_charged(plugin, LIMITS);
        }
    }
}

#[test]
fn properties_over_many_streams() {
    let mut world = World::new();
    let parts = [MEMORY.to_owned(), on("proxy_on_request_headers", &call("set_property", &[16, 7, 0, 20_000]))];
    let plugin = world.add(LIMITS, &parts);
    for _ in 0..200 {
        world.get(&[plugin]);
        world.effects();
        world.check_charged(plugin, LIMITS);
    }
    assert!(world.seen.answers(plugin, "set_property", Status::INTERNAL_FAILURE) > 100);
}
