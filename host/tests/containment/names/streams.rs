//! Ids of streams, their copies, and calls are used once.

use std::collections::BTreeSet;
use std::time::Duration;

use pw_host::{Effect, FailurePolicy, Fields, Limits, Piece, PluginConfig, Reload, StreamId, StreamInfo};

use crate::support::{World, ask, body, forwarded, headers, on, response, said, say};

#[test]
fn a_crashed_copy_gets_nothing_of_the_next() {
    let mut world = World::new();
    let traps =
        world.module(&[on("proxy_on_context_create", "(if (i32.ne (local.get 1) (i32.const 0)) (then unreachable))")]);
    let counts = world.module(&[on("proxy_on_request_body", &say("(local.get 1)"))]);
    let config = || PluginConfig { log_only: true, ..PluginConfig::default() };
    let (first, second) = (world.start(&traps, config()), world.start(&counts, config()));
    let stream = world.open(&[first, second]);
    world.proxy.request(stream, headers(false));
    world.proxy.request(stream, Piece::body("abc", false));
    world.proxy.request(stream, Piece::body("defgh", true));
    let effects = world.finish();
    assert_eq!(said(&effects, second), [3, 5], "not each piece once");
    assert_eq!(body(&effects, true), b"abcdefgh");
}

#[test]
fn successive_copies_in_the_same_place_are_separate() {
    let mut world = World::new();
    let sees = [on("proxy_on_request_headers", &say("(i32.const 1)")), on("proxy_on_foreign_function", "unreachable")];
    let module = world.module(&sees);
    let reload = Some(Reload { base: Duration::ZERO, ..Reload::default() });
    let failure = FailurePolicy { open: true, reload };
    let config = PluginConfig { log_only: true, failure, ..PluginConfig::default() };
    let plugin = world.start(&module, config);
    let old = world.open(&[plugin]);
    world.proxy.foreign_function(plugin, 0, "");
    world.proxy.advance(Duration::from_secs(1));
    // The stream that was opened before has no copy in the new VM.
    world.get(&[plugin]);
    assert_eq!(said(&world.finish(), plugin), [1]);
    world.proxy.request(old, headers(true));
    let effects = world.finish();
    assert_eq!(said(&effects, plugin), [], "it is the copy of the old stream");
    assert_eq!(forwarded(&effects).len(), 1);
}

#[test]
fn ids_of_streams_are_not_reused() {
    let mut world = World::new();
    let plugin = world.add(Limits::default(), &[on("proxy_on_request_headers", "")]);
    let copies = world.module(&[on("proxy_on_request_headers", "")]);
    let copies = world.start(&copies, PluginConfig { log_only: true, ..PluginConfig::default() });
    let mut ids = BTreeSet::new();
    for number in 0..1000 {
        let stream = match number % 3 {
            0 => world.open(&[plugin]),
            1 => world.open(&[copies, plugin, copies]),
            _ => world.proxy.open_connection(&[plugin], StreamInfo::default()),
        };
        assert!(ids.insert(stream), "{stream:?} is reused");
        world.proxy.downstream_reset(stream);
    }
    // The ids of ended streams are not valid any more.
    let live = world.open(&[plugin]);
    world.finish();
    for stream in ids {
        abuse(&mut world, stream);
    }
    assert_eq!(world.finish(), []);
    world.proxy.request(live, headers(true));
    assert_eq!(forwarded(&world.finish()).len(), 1);
}

fn abuse(world: &mut World, stream: StreamId) {
    world.proxy.request(stream, headers(false));
    world.proxy.response(stream, response("200", true));
    world.proxy.upstream_data(stream, "bytes", true);
    world.proxy.downstream_data(stream, "bytes", true);
    world.proxy.upstream_reset(stream);
    world.proxy.downstream_reset(stream);
}

#[test]
fn a_restarted_plugin_does_not_get_responses_to_earlier_calls() {
    let mut world = World::new();
    let parts = [
        on("proxy_on_configure", &format!("(drop {})", ask(0, 1000))),
        on("proxy_on_http_call_response", &say("(local.get 1)")),
        on("proxy_on_foreign_function", "unreachable"),
    ];
    let module = world.module(&parts);
    let reload = Some(Reload { base: Duration::ZERO, max: Duration::ZERO, limit: 10 });
    let failure = FailurePolicy { open: false, reload };
    let plugin = world.start(&module, PluginConfig { failure, ..PluginConfig::default() });
    let mut calls = Vec::new();
    for _ in 0..5 {
        let id = |effect: &Effect| if let Effect::HttpCall { call, .. } = effect { Some(*call) } else { None };
        calls.extend(world.effects().iter().filter_map(id));
        world.proxy.foreign_function(plugin, 0, "");
        world.proxy.advance(Duration::from_nanos(1));
    }
    assert_eq!(calls.iter().collect::<BTreeSet<_>>().len(), 5, "they are not all different");
    world.effects();
    for call in calls {
        world.proxy.http_call_response(call, Fields::new(), "late", Fields::new());
    }
    assert_eq!(said(&world.finish(), plugin), [], "its new VM gets them");
}
