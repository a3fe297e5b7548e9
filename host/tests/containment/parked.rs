//! Work that is left for later, and plugins that end meanwhile: nothing is reordered, lost or kept.

use std::time::Duration;

use pw_host::{Effect, FailurePolicy, Limits, Piece, PluginConfig, PluginId, Reload, StreamInfo, Usage};

use crate::support::{World, ask, body, call, ended, headers, on, response, returning, status};

const HEADERS: &str = "proxy_on_request_headers";
const BODY: &str = "proxy_on_request_body";
const FOREIGN: &str = "proxy_on_foreign_function";

fn start(world: &mut World, parts: &[String], open: bool, callbacks: usize) -> PluginId {
    let module = world.module(parts);
    let limits = Limits { callbacks_per_event: callbacks, ..Limits::default() };
    let failure = FailurePolicy { open, reload: None };
    world.start(&module, PluginConfig { limits, failure, ..PluginConfig::default() })
}

/// Two HTTP calls of a plugin time out. It has the budget for one callback, so the other one waits.
fn parked(world: &mut World) {
    world.proxy.advance(Duration::from_millis(1));
    assert_eq!(world.proxy.next_due(), Some(Duration::ZERO), "the other response does not wait");
}

fn answered() -> String {
    on("proxy_on_http_call_response", "")
}

fn two_calls() -> String {
    format!("(drop {}) (drop {})", ask(0, 1), ask(0, 1))
}

#[test]
fn later_pieces_wait_until_a_plugin_is_detached() {
    for trap in [false, true] {
        let mut world = World::new();
        let parts = [on(HEADERS, &two_calls()), answered(), returning(BODY, "", 1), on(FOREIGN, "unreachable")];
        let plugin = start(&mut world, &parts, true, 1);
        let stream = world.open(&[plugin]);
        world.proxy.request(stream, headers(false));
        world.proxy.request(stream, Piece::body("one ", false));
        parked(&mut world);
        match trap {
            true => world.proxy.foreign_function(plugin, 0, ""),
            false => world.proxy.terminate_plugin(plugin),
        }
        world.proxy.request(stream, Piece::body("two ", false));
        world.proxy.request(stream, Piece::body("three", true));
        let effects = world.finish();
        assert_eq!(String::from_utf8_lossy(&body(&effects, true)), "one two three", "by a trap: {trap}");
    }
}

#[test]
fn what_two_plugins_buffered_is_sent_in_order_whichever_ends_first() {
    for first in [0, 1] {
        let mut world = World::new();
        let parts = [returning("proxy_on_new_connection", "", 1), returning("proxy_on_downstream_data", "", 1)];
        let plugins = [start(&mut world, &parts, true, 1), start(&mut world, &parts, true, 1)];
        let stream = world.proxy.open_connection(&plugins, StreamInfo::default());
        world.proxy.downstream_data(stream, "one", false);
        world.proxy.terminate_plugin(plugins[first]);
        world.proxy.downstream_data(stream, "two", false);
        world.proxy.terminate_plugin(plugins[1 - first]);
        let effects = world.finish();
        assert_eq!(effects.first(), Some(&Effect::Connect { stream }), "{effects:?}");
        assert_eq!(body(&effects, true), b"onetwo");
    }
}

#[test]
fn cancels_calls_of_a_plugin_whose_end_waits() {
    let mut world = World::new();
    let parts =
        [on(HEADERS, &format!("{} (drop {})", two_calls(), ask(0, 0))), answered(), on("proxy_on_done", "unreachable")];
    let plugin = start(&mut world, &parts, true, 1);
    let stream = world.get(&[plugin]);
    parked(&mut world);
    world.proxy.downstream_reset(stream);
    world.proxy.terminate_plugin(plugin);
    let effects = world.finish();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::CancelHttpCall { .. })), "{effects:?}");
    assert_eq!(world.proxy.usage(), Usage::default());
}

#[test]
fn a_waiting_response_is_not_for_the_restarted_plugin() {
    let mut world = World::new();
    let module = world.module(&[on(HEADERS, &two_calls()), on(BODY, "unreachable"), answered()]);
    let limits = Limits { callbacks_per_event: 1, ..Limits::default() };
    let failure = FailurePolicy { open: true, reload: Some(Reload { base: Duration::ZERO, ..Reload::default() }) };
    let plugin = world.start(&module, PluginConfig { limits, failure, ..PluginConfig::default() });
    let stream = world.open(&[plugin]);
    world.proxy.request(stream, headers(false));
    parked(&mut world);
    world.proxy.request(stream, Piece::body("trap", true));
    world.seen.reset();
    let effects = world.pass(Duration::from_secs(5));
    assert!(effects.contains(&Effect::Restarted { plugin }), "{effects:?}");
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_http_call_response"), 0);
}

#[test]
fn copies_whose_end_waits_do_not_stay() {
    for (trap, held) in [(false, 1), (true, 1), (false, 1 << 20)] {
        let mut world = World::new();
        let module = world.module(&[
            on("proxy_on_new_connection", &call("close_stream", &[2])),
            on("proxy_on_downstream_data", ""),
            on(FOREIGN, "unreachable"),
        ]);
        let limits = Limits { callbacks_per_event: 2, held, ..Limits::default() };
        let plugin = world.start(&module, PluginConfig { limits, log_only: true, ..PluginConfig::default() });
        for _ in 0..10 {
            let stream = world.proxy.open_connection(&[plugin, plugin], StreamInfo::default());
            world.proxy.downstream_data(stream, "0123456789", false);
        }
        match trap {
            true => world.proxy.foreign_function(plugin, 0, ""),
            false => world.proxy.terminate_plugin(plugin),
        }
        let streams = world.proxy.usage().streams;
        assert!(streams > 0);
        world.finish();
        let left = world.proxy.usage();
        assert!(left.streams <= 10, "not only the clients' streams are left: {left:?}");
        if !trap {
            assert_eq!((left.charged, left.contexts), (0, 0));
        }
    }
}

#[test]
fn the_report_of_a_log_only_plugin_does_not_depend_on_its_budget() {
    let change = |buffer| call("set_buffer_bytes", &[buffer, 0, 2, 16, 8]);
    let parts = [on(BODY, &change(0)), on("proxy_on_response_body", &change(1)), on("proxy_on_response_headers", "")];
    let report = |callbacks_per_event, held| {
        let mut world = World::new();
        let module = world.module(&parts);
        let limits = Limits { callbacks_per_event, held, ..Limits::default() };
        let plugin = world.start(&module, PluginConfig { limits, log_only: true, ..PluginConfig::default() });
        let stream = world.open(&[plugin]);
        world.proxy.request(stream, headers(false));
        for end in [false, false, true] {
            world.proxy.request(stream, Piece::body("ab", end));
        }
        world.proxy.response(stream, response("200", false));
        for end in [false, false, true] {
            world.proxy.response(stream, Piece::body("cd", end));
        }
        let effects = world.finish();
        let discarded = effects.into_iter().filter(|effect| matches!(effect, Effect::Discarded { .. }));
        discarded.map(|effect| format!("{effect:?}")).collect::<Vec<_>>()
    };
    assert_eq!(report(10_000, 1 << 20).len(), 2, "the body of each message");
    for held in [1, 2, 4, 100, 1 << 20] {
        let expected = report(10_000, held);
        for callbacks in [1, 2, 3] {
            assert_eq!(report(callbacks, held), expected, "{callbacks} callbacks, {held} bytes");
        }
    }
}

#[test]
fn calls_proxy_on_done_once() {
    let mut world = World::new();
    let plugin = start(&mut world, &[on("proxy_on_done", ""), on(HEADERS, "")], true, 2);
    let streams = [world.get(&[plugin]), world.get(&[plugin])];
    world.seen.reset();
    world.proxy.retire_plugin(plugin);
    streams.into_iter().for_each(|stream| world.proxy.downstream_reset(stream));
    world.finish();
    // Once for each stream's context, and once for the plugin's own.
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_done"), 3);
    assert_eq!(world.proxy.usage(), Usage::default());
}

#[test]
fn a_call_names_one_host_and_one_method_of_a_service() {
    let grpc = |service: &str, size: usize| {
        format!(
            "(data (i32.const 0x300) \"{service}\") {}",
            on(
                HEADERS,
                &format!(
                    "(i32.store (i32.const 0) {}) {}",
                    status("grpc_call", &[16, 8, 0x300, size as u32, 0x300, 1, 0, 0, 0, 0, 0, 8]),
                    call("log", &[2, 0, 4])
                )
            )
        )
    };
    for (service, fits) in [("a.B", true), ("a.B/C", false), ("a?x=", false), ("a#b", false), ("a%2fb", false)] {
        let mut world = World::new();
        let plugin = world.add(Limits::default(), &[grpc(service, service.len())]);
        world.get(&[plugin]);
        let effects = world.finish();
        let sent = effects.iter().any(|effect| matches!(effect, Effect::GrpcCall { .. }));
        assert_eq!(sent, fits, "{service}: {effects:?}");
    }
}

/// A plugin continues a stream at which pieces wait, without the budget for what follows, and is ended before that.
fn check_ended_while_it_continues(tcp: bool, callbacks: usize, pieces: usize, advances: [bool; 2], reset_first: bool) {
    let mut world = World::new();
    let go: String = (0..4).map(|what| call("continue_stream", &[what])).collect();
    let go = format!("{} {go} {}", call("set_effective_context", &[2]), call("done", &[]));
    let paused = ["proxy_on_new_connection", "proxy_on_downstream_data", HEADERS, BODY].map(|on| returning(on, "", 1));
    let parts = [paused.concat(), returning("proxy_on_done", "", 0), on(FOREIGN, &go)];
    let plugin = start(&mut world, &parts, false, callbacks);
    let stream = if tcp {
        world.proxy.open_connection(&[plugin], StreamInfo::default())
    } else {
        let stream = world.open(&[plugin]);
        world.proxy.request(stream, headers(false));
        stream
    };
    for _ in 0..pieces {
        match tcp {
            true => world.proxy.downstream_data(stream, "a", false),
            false => world.proxy.request(stream, Piece::body("a", false)),
        }
    }
    let advance = |world: &mut World, advances| {
        if advances {
            world.proxy.advance(Duration::ZERO);
        }
    };
    advance(&mut world, advances[0]);
    world.proxy.foreign_function(plugin, 0, "");
    advance(&mut world, advances[1]);
    if reset_first {
        world.proxy.downstream_reset(stream);
    }
    world.proxy.terminate_plugin(plugin);
    world.proxy.downstream_reset(stream);
    assert_eq!(ended(&world.finish()), 1, "TCP: {tcp}, {callbacks} callbacks, {pieces} pieces, {advances:?}");
    assert_eq!(world.proxy.usage(), Usage::default());
}

#[test]
fn a_plugin_is_ended_while_it_continues() {
    for case in 0..16 {
        let is = |bit: u32| case >> bit & 1 == 1;
        for (callbacks, pieces) in [(1, 1), (1, 2), (2, 2), (3, 3)] {
            check_ended_while_it_continues(is(0), callbacks, pieces, [is(1), is(2)], is(3));
        }
    }
}

#[test]
fn drops_everything_after_a_client_reset() {
    let mut world = World::new();
    let plugins = [(); 2].map(|()| start(&mut world, &[returning("proxy_on_new_connection", "", 1)], true, 1));
    let streams = [(); 2].map(|()| world.proxy.open_connection(&plugins, StreamInfo::default()));
    streams.into_iter().for_each(|stream| world.proxy.downstream_data(stream, "a", false));
    world.finish();
    // The second plugin has the budget for one of the connections, and the other one's opening waits for the next event.
    world.proxy.terminate_plugin(plugins[0]);
    assert_eq!(world.proxy.next_due(), Some(Duration::ZERO));
    world.proxy.terminate_plugin(plugins[1]);
    streams.into_iter().for_each(|stream| world.proxy.downstream_reset(stream));
    let effects = world.finish();
    for stream in streams {
        let connected = effects.contains(&Effect::Connect { stream });
        let is_sent = |effect: &Effect| matches!(effect, Effect::Upstream { stream: sent, .. } if *sent == stream);
        assert!(connected || !effects.iter().any(is_sent), "{effects:?}");
    }
    assert_eq!(ended(&effects), 2);
}
