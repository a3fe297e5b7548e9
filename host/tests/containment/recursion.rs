//! The depth of the host's stack does not depend on input: pieces, chains, crashes that cause crashes, copies of streams.

use std::time::Duration;

use pw_abi::Version;
use pw_host::{
    Effect, FailurePolicy, Limits, Metering, Piece, PluginConfig, PluginId, ProxyConfig, StreamId, StreamInfo,
};

use crate::support::{
    World, body, call, compile, ended, faults, forwarded, headers, on, put, queue, repeat, request, response,
    returning, statuses,
};

const PIECES: usize = 1_000_000;
const CHAIN: usize = 10_000;
/// Maximum cost of a waiting piece besides its own bytes.
const MAX_COST_OF_PIECE: usize = 256;

fn unmetered() -> World {
    World::of(Metering::None, ProxyConfig { plugins: 20_000, ..ProxyConfig::default() })
}

/// Pauses requests and responses at their headers; its foreign function continues both on the stream of context 2.
fn gate() -> Vec<String> {
    let go = ["set_effective_context", "continue_stream", "continue_stream"].into_iter().zip([2, 0, 1]);
    let go: String = go.map(|(name, arg)| call(name, &[arg])).collect();
    vec![
        returning("proxy_on_request_headers", "", 1),
        returning("proxy_on_response_headers", "", 1),
        on("proxy_on_foreign_function", &go),
    ]
}

/// Sends pieces of some bytes after a request's or a response's paused headers, and then resumes. What has waited is sent whole
/// and in order, or the stream has ended because it exceeded the limit.
#[track_caller]
fn check_waiting(direction: &str, size: usize) {
    let mut world = unmetered();
    let plugin = world.add(Limits::default(), &gate());
    let stream = world.open(&[plugin]);
    world.proxy.request(stream, headers(direction != "request"));
    if direction == "response" {
        world.proxy.foreign_function(plugin, 0, "");
        world.proxy.response(stream, response("200", false));
    }
    world.effects();
    let mut waited = PIECES;
    for number in 0..PIECES {
        let piece = Piece::body(vec![number as u8; size], number + 1 == PIECES);
        match direction {
            "request" => world.proxy.request(stream, piece),
            _ => world.proxy.response(stream, piece),
        }
        if waited == PIECES && number % 1000 == 0 && world.proxy.usage().effects > 0 {
            waited = number;
        }
    }
    if waited < PIECES {
        // They exceeded the limit, which includes the cost of pieces.
        assert!(waited > Limits::default().held / MAX_COST_OF_PIECE, "the stream ended after {waited} pieces");
        let effects = world.finish();
        let cut = effects.iter().filter(|effect| matches!(effect, Effect::ResetDownstream { .. })).count();
        let expected = if direction == "request" { (vec!["413".to_owned()], 0) } else { (vec![], 1) };
        assert_eq!((statuses(&effects), cut), expected);
        assert_eq!((faults(&effects), ended(&effects)), (vec![], 1));
        return;
    }
    world.proxy.foreign_function(plugin, 0, "");
    let effects = world.finish();
    let bytes = body(&effects, direction == "request");
    assert_eq!(bytes.len(), PIECES * size, "bytes that were sent");
    assert!(size == 0 || bytes.iter().zip(0usize..).all(|(byte, number)| *byte == number as u8), "in order");
    assert_eq!(ended(&effects), usize::from(direction == "response"));
}

#[test]
fn a_million_bytes_of_a_request_one_by_one_after_paused_headers() {
    check_waiting("request", 1);
}

#[test]
fn a_million_empty_pieces_of_a_request_after_paused_headers() {
    check_waiting("request", 0);
}

#[test]
fn a_million_bytes_of_a_response_one_by_one_after_paused_headers() {
    check_waiting("response", 1);
}

#[test]
fn a_million_empty_pieces_of_a_response_after_paused_headers() {
    check_waiting("response", 0);
}

/// The same on a connection that is paused when it opens.
#[track_caller]
fn check_connection(size: usize, upstream: bool) {
    let mut world = unmetered();
    let go: String = [("set_effective_context", 2), ("continue_stream", 2), ("continue_stream", 3)]
        .into_iter()
        .map(|(name, arg)| call(name, &[arg]))
        .collect();
    let action = u32::from(!upstream);
    let parts = [
        returning("proxy_on_new_connection", "", action),
        returning("proxy_on_upstream_data", "", 1),
        on("proxy_on_foreign_function", &go),
    ];
    let plugin = world.add(Limits { held: 256 << 20, ..Limits::default() }, &parts);
    let stream = world.proxy.open_connection(&[plugin], StreamInfo::default());
    let pieces = if upstream { PIECES / 10 } else { PIECES };
    for number in 0..pieces {
        let last = number + 1 == pieces;
        match upstream {
            true => world.proxy.upstream_data(stream, vec![number as u8; size], last),
            false => world.proxy.downstream_data(stream, vec![number as u8; size], last),
        }
    }
    world.proxy.foreign_function(plugin, 0, "");
    let effects = world.finish();
    let bytes = body(&effects, !upstream);
    assert!(bytes.len() == pieces * size || ended(&effects) == 1, "{} bytes, {} ends", bytes.len(), ended(&effects));
}

#[test]
fn a_million_bytes_of_a_client_one_by_one_after_a_paused_connection() {
    check_connection(1, false);
}

#[test]
fn a_million_empty_pieces_of_a_client_after_a_paused_connection() {
    check_connection(0, false);
}

#[test]
fn an_upstreams_bytes_one_by_one_at_a_plugin_that_pauses_each() {
    check_connection(1, true);
}

#[test]
fn informational_responses_after_paused_headers_come_out_or_end_the_stream() {
    const RESPONSES: usize = 100_000;
    let mut world = unmetered();
    let plugin = world.add(Limits::default(), &gate());
    let stream = world.get(&[plugin]);
    world.proxy.foreign_function(plugin, 0, "");
    for _ in 0..RESPONSES {
        world.proxy.response(stream, response("103", false));
    }
    world.proxy.response(stream, response("200", true));
    let mut over = ended(&world.finish());
    // Each of them is paused again.
    for _ in 0..=RESPONSES {
        if over > 0 {
            break;
        }
        world.proxy.foreign_function(plugin, 0, "");
        over += ended(&world.finish());
    }
    assert_eq!(over, 1);
}

/// `count` plugins that are one module in one VM, or each in its own.
fn crowd(world: &mut World, parts: &[String], count: usize, vm_id: &str, open: bool) -> Vec<PluginId> {
    let module = world.module(parts);
    let failure = FailurePolicy { open, reload: None };
    let config = PluginConfig { vm_id: vm_id.to_owned(), failure, ..PluginConfig::default() };
    (0..count).map(|_| world.start(&module, config.clone())).collect()
}

#[test]
fn a_request_and_its_response_go_through_a_long_chain() {
    let mut world = unmetered();
    let parts = ["request", "response"].map(|what| on(&format!("proxy_on_{what}_headers"), ""));
    let chain = crowd(&mut world, &parts, CHAIN, "a", false);
    let stream = world.get(&chain);
    assert_eq!(forwarded(&world.finish()).len(), 1);
    world.proxy.response(stream, response("200", true));
    let effects = world.finish();
    assert_eq!((statuses(&effects), ended(&effects)), (vec!["200".to_owned()], 1));
    for plugin in [chain[0], chain[CHAIN - 1]] {
        assert_eq!(world.seen.callbacks(plugin, "proxy_on_request_headers"), 1);
        assert_eq!(world.seen.callbacks(plugin, "proxy_on_response_headers"), 1);
    }
}

#[test]
fn each_plugin_of_a_long_chain_pauses_and_continues_itself() {
    let mut world = unmetered();
    // It is continued before it returns PAUSE, so one event takes the request through the whole chain.
    let parts = [returning("proxy_on_request_headers", &call("continue_stream", &[0]), 1)];
    let chain = crowd(&mut world, &parts, CHAIN, "a", false);
    world.get(&chain);
    assert_eq!(forwarded(&world.finish()).len(), 1);
    assert_eq!(world.seen.callbacks(chain[CHAIN - 1], "proxy_on_request_headers"), 1);
}

#[test]
fn a_long_chain_of_pausing_plugins_is_continued_by_a_queue() {
    let mut world = unmetered();
    // Each pauses; the item that it enqueues continues its stream when the queue is ready.
    let go = format!("(call $set_effective_context (global.get $context)) drop {}", call("continue_stream", &[0]));
    let parts = [
        "(global $context (mut i32) (i32.const 0))".to_owned(),
        queue(),
        returning("proxy_on_request_headers", &format!("(global.set $context (local.get 0)) (drop {})", put(0)), 1),
        on("proxy_on_queue_ready", &go),
    ];
    let chain = crowd(&mut world, &parts, 100, "", false);
    // Plugins without a VM id share queues too, so all are notified of each item: resuming what is not paused is OK.
    world.get(&chain);
    assert_eq!(forwarded(&world.finish()).len(), 1);
}

#[test]
fn a_long_chain_of_fail_open_plugins_traps_one_by_one() {
    let mut world = unmetered();
    let chain = crowd(&mut world, &[on("proxy_on_request_headers", "unreachable")], CHAIN, "", true);
    world.get(&chain);
    let effects = world.finish();
    assert_eq!((faults(&effects).len(), forwarded(&effects).len()), (CHAIN, 1));
}

#[test]
fn the_last_plugin_of_a_long_chain_sends_a_local_response() {
    let mut world = unmetered();
    let parts = ["request", "response"].map(|what| on(&format!("proxy_on_{what}_headers"), ""));
    let mut chain = crowd(&mut world, &parts, CHAIN, "a", false);
    let answer = call("send_local_response", &[403, 0, 0, 0, 0, 0, 0, u32::MAX]);
    chain.push(world.add(Limits::default(), &[returning("proxy_on_request_headers", &answer, 1)]));
    world.get(&chain);
    let effects = world.finish();
    assert_eq!((statuses(&effects), ended(&effects)), (vec!["403".to_owned()], 1));
}

#[test]
fn the_same_plugin_ten_thousand_times_in_a_chain() {
    let mut world = unmetered();
    let parts = [on("proxy_on_request_headers", ""), on("proxy_on_delete", "")];
    let plugin = world.add(Limits::default(), &parts);
    let stream = world.get(&vec![plugin; CHAIN]);
    assert_eq!(forwarded(&world.finish()).len(), 1);
    world.proxy.downstream_reset(stream);
    assert_eq!(ended(&world.finish()), 1);
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_delete"), CHAIN);
    assert_eq!(world.proxy.usage().contexts, 1);
}

/// Opens a stream for each two neighbours and ends the first; each plugin traps in that callback when a stream ends.
#[track_caller]
fn check_cascade(count: usize, callback: &str, open: bool) {
    let mut world = unmetered();
    let parts = [on(callback, "unreachable")];
    let plugins = crowd(&mut world, &parts, count, "", open);
    let streams: Vec<StreamId> = plugins.windows(2).map(|pair| world.get(pair)).collect();
    world.effects();
    world.proxy.downstream_reset(streams[0]);
    let effects = world.finish();
    if !open {
        assert_eq!((faults(&effects).len(), ended(&effects)), (count, streams.len()));
        assert_eq!(world.proxy.usage().streams, 0);
        return;
    }
    // The other streams continue, and each gets its response.
    assert_eq!((faults(&effects), ended(&effects)), (plugins[..2].to_vec(), 1));
    for (stream, plugin) in streams[1..].iter().zip(&plugins[2..]) {
        world.proxy.response(*stream, response("200", true));
        let effects = world.finish();
        assert_eq!((statuses(&effects), ended(&effects)), (vec!["200".to_owned()], 1));
        assert_eq!(faults(&effects), [*plugin], "not the one that has not crashed yet");
    }
    assert_eq!(world.proxy.usage().streams, 0);
}

#[test]
fn crashes_that_crash_others_in_proxy_on_done() {
    check_cascade(CHAIN, "proxy_on_done", false);
}

#[test]
fn crashes_that_crash_others_in_proxy_on_log() {
    check_cascade(1000, "proxy_on_log", false);
}

#[test]
fn crashes_that_crash_others_in_proxy_on_delete() {
    check_cascade(1000, "proxy_on_delete", false);
}

#[test]
fn crashes_of_fail_open_plugins_do_not_cause_others() {
    check_cascade(1000, "proxy_on_done", true);
}

#[test]
fn a_plugin_that_resumes_in_the_callback_that_it_resumes() {
    let mut world = unmetered();
    // Each piece of the body pauses, and the callback resumes it.
    let again: String = (0..100).map(|_| call("continue_stream", &[0])).collect();
    let parts = [
        returning("proxy_on_request_headers", "", 1),
        returning("proxy_on_request_body", &again, 1),
        on("proxy_on_foreign_function", &(call("set_effective_context", &[2]) + &again)),
    ];
    let plugin = world.add(Limits::default(), &parts);
    let stream = world.open(&[plugin]);
    world.proxy.request(stream, headers(false));
    for number in 0..10_000 {
        world.proxy.request(stream, Piece::body("x", number == 9_999));
    }
    world.proxy.foreign_function(plugin, 0, "");
    let effects = world.finish();
    assert_eq!(body(&effects, true).len(), 10_000);
}

#[test]
fn ten_thousand_copies_of_a_stream() {
    let mut world = unmetered();
    let module = world.module(&[on("proxy_on_request_headers", ""), on("proxy_on_response_headers", "")]);
    let config = PluginConfig { vm_id: "a".to_owned(), log_only: true, ..PluginConfig::default() };
    let chain: Vec<_> = (0..CHAIN).map(|_| world.start(&module, config.clone())).collect();
    let stream = world.get(&chain);
    assert_eq!(forwarded(&world.finish()).len(), 1);
    world.proxy.response(stream, response("200", true));
    let effects = world.finish();
    assert_eq!((statuses(&effects), ended(&effects)), (vec!["200".to_owned()], 1));
    assert_eq!(world.seen.callbacks(chain[CHAIN - 1], "proxy_on_response_headers"), 1);
    assert_eq!(world.proxy.usage().streams, 0);
}

#[test]
fn a_response_waits_piece_by_piece_for_the_copy_of_its_request() {
    let mut world = unmetered();
    let parts = [
        returning("proxy_on_request_headers", "", 1),
        on("proxy_on_response_body", ""),
        on("proxy_on_foreign_function", &(call("set_effective_context", &[2]) + &call("continue_stream", &[0]))),
    ];
    let module = world.module(&parts);
    let plugin = world.start(&module, PluginConfig { log_only: true, ..PluginConfig::default() });
    let stream = world.get(&[plugin]);
    world.proxy.response(stream, response("200", false));
    for _ in 0..100_000 {
        world.proxy.response(stream, Piece::body("x", false));
    }
    world.proxy.foreign_function(plugin, 0, "");
    let effects = world.finish();
    assert_eq!(body(&effects, false).len(), 100_000, "the client does not get all of it");
    let given = world.seen.callbacks(plugin, "proxy_on_response_body");
    assert!(given == 100_000 || world.proxy.usage().streams == 1, "{given} pieces, and the copy has not ended");
}

#[test]
fn streams_end_in_a_long_line_of_restarts() {
    let mut world = unmetered();
    let parts = [on("proxy_on_context_create", "(if (i32.ne (local.get 1) (i32.const 0)) (then unreachable))")];
    let plugins = crowd(&mut world, &parts, 1000, "", false);
    for plugin in &plugins {
        world.get(&[*plugin]);
    }
    world.proxy.advance(Duration::from_secs(1));
    let effects = world.finish();
    assert_eq!((faults(&effects).len(), ended(&effects)), (1000, 1000));
    assert!(statuses(&effects).iter().all(|status| status == "503"));
}

#[test]
fn a_chain_of_successors_ends_at_the_last() {
    let mut world = unmetered();
    let module = world.module(&[on("proxy_on_request_headers", "")]);
    let config = || PluginConfig { vm_id: "a".to_owned(), ..PluginConfig::default() };
    let first = world.start(&module, config());
    let mut last = first;
    for _ in 0..CHAIN {
        last = world.proxy.replace_plugin(first, &module, config()).expect("it starts");
    }
    world.get(&[first]);
    assert_eq!(forwarded(&world.finish()).len(), 1);
    assert_eq!(world.seen.callbacks(last, "proxy_on_request_headers"), 1);
    assert_eq!(world.proxy.usage().vms, 1);
}

#[test]
fn a_canary_of_a_canary_of_a_canary() {
    let mut world = unmetered();
    let module = world.module(&[on("proxy_on_request_headers", "")]);
    let config = || PluginConfig { vm_id: "a".to_owned(), ..PluginConfig::default() };
    let how = pw_host::Canary { share: 100, faults: 100 };
    let first = world.start(&module, config());
    let mut last = first;
    for _ in 0..1000 {
        last = world.proxy.canary(last, &module, config(), how).expect("it starts");
    }
    world.get(&[first]);
    assert_eq!(forwarded(&world.finish()).len(), 1);
    world.proxy.roll_back(first);
    world.finish();
    world.seen.reset();
    world.get(&[first]);
    assert_eq!(world.seen.callbacks(first, "proxy_on_request_headers"), 1);
    assert_eq!(world.proxy.usage().contexts, 2 + 2, "the first plugin, and its streams");
    assert_ne!(first, last);
}

/// A module for v0.1.0 continues by functions without a status.
#[test]
fn a_plugin_for_the_first_version_resumes_any_number_of_times() {
    let mut world = unmetered();
    let again = repeat(100_000, &call("continue_request", &[]));
    // Its headers do not say whether they end the request.
    let parts =
        [returning("proxy_on_request_headers", &again, 1).replacen("(param i32 i32 i32)", "(param i32 i32)", 1)];
    let module = compile(&world.engine, Version::V0_1_0, &parts);
    let plugin = world.start(&module, PluginConfig::default());
    world.get(&[plugin]);
    assert_eq!(forwarded(&world.finish()).len(), 1);
    let stream = world.proxy.open_stream(&[plugin], StreamInfo::default());
    world.proxy.request(stream, Piece::headers(request(&[("x-a", "b")]), false));
    assert!(world.finish().iter().any(|effect| matches!(effect, Effect::Upstream { .. })));
}
