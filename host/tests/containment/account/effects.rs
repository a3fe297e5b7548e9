//! Effects that are not drained, log lines above all.

use std::time::Duration;

use pw_abi::Version;
use pw_host::{Canary, Effect, Limits, PluginConfig};

use super::{LIMITS, MEMORY, greedy};
use crate::support::{MIB, World, call, compile, faults, forever, on, repeat, response, returning, said, say, weight};

/// Lines beyond the limit are dropped.
#[track_caller]
fn check_log(size: u32, times: usize) {
    let mut world = World::new();
    let plugin = greedy(&mut world, times, &call("log", &[2, 0, size]), &[]);
    world.get(&[plugin]);
    world.check_charged(plugin, LIMITS);
    let effects = world.effects();
    let weight = weight(&effects);
    assert!(weight <= 2 * MIB, "{weight} bytes to drain");
    let lines = |effects: &[Effect]| effects.iter().filter(|effect| matches!(effect, Effect::Log { .. })).count();
    assert!((1..times).contains(&lines(&effects)), "{} lines", lines(&effects));
    world.get(&[plugin]);
    assert!(lines(&world.effects()) > 0, "after they were drained no line is logged");
}

#[test]
fn log_lines_without_a_byte() {
    check_log(0, 50_000);
}

#[test]
fn large_log_lines() {
    check_log(100_000, 50);
}

#[test]
fn lines_that_each_tick_logs() {
    let mut world = World::new();
    let parts = [
        MEMORY.to_owned(),
        on("proxy_on_configure", &call("set_tick_period_milliseconds", &[1])),
        on("proxy_on_tick", &call("log", &[2, 0, 50_000])),
    ];
    let plugin = world.add(LIMITS, &parts);
    for _ in 0..1000 {
        world.proxy.advance(Duration::from_millis(1));
    }
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_tick"), 1000);
    world.check_charged(plugin, LIMITS);
    let weight = weight(&world.effects());
    assert!(weight <= 2 * MIB, "{weight} bytes to drain");
}

#[test]
fn repeatedly_cleared_routes() {
    let mut world = World::new();
    let parts = [on("proxy_on_request_headers", &repeat(100_000, &call("clear_route_cache", &[]))).replacen(
        "(param i32 i32 i32)",
        "(param i32 i32)",
        1,
    )];
    let module = compile(&world.engine, Version::V0_1_0, &parts);
    let plugin = world.start(&module, PluginConfig { limits: LIMITS, ..PluginConfig::default() });
    world.get(&[plugin]);
    world.check_charged(plugin, LIMITS);
    let weight = weight(&world.effects());
    assert!(weight <= 2 * MIB, "{weight} bytes to drain");
}

#[test]
fn repeatedly_closed_and_resumed_streams() {
    for (function, args) in [("continue_stream", 0), ("close_stream", 0), ("continue_stream", 1)] {
        let mut world = World::new();
        let parts = [
            returning("proxy_on_request_headers", "", 1),
            on(
                "proxy_on_foreign_function",
                &(call("set_effective_context", &[2]) + &forever(&call(function, &[args]))),
            ),
        ];
        let plugin = world.add(Limits { fuel: 10_000_000, ..LIMITS }, &parts);
        world.get(&[plugin]);
        world.proxy.foreign_function(plugin, 0, "");
        let effects = world.finish();
        assert_eq!(faults(&effects), [plugin], "{function}");
        assert!(effects.len() < 10, "{} effects of {function}", effects.len());
    }
}

#[test]
fn one_plugins_account_is_not_anothers() {
    let mut world = World::new();
    let attacker = greedy(&mut world, 50, &call("log", &[2, 0, 100_000]), &[]);
    let victim = world.add(LIMITS, &[on("proxy_on_request_headers", &say("(i32.const 7)"))]);
    world.get(&[attacker]);
    world.get(&[victim]);
    assert_eq!(said(&world.effects(), victim), [7]);
    assert_eq!(world.proxy.charged(victim).map(|bytes| bytes < MIB / 2), Some(true));
}

#[test]
fn a_canary_has_an_account_too() {
    let mut world = World::new();
    let calm = world.module(&[on("proxy_on_request_headers", "")]);
    let loud =
        world.module(&[MEMORY.to_owned(), on("proxy_on_request_headers", &repeat(50, &call("log", &[2, 0, 100_000])))]);
    let plugin = world.start(&calm, PluginConfig { limits: LIMITS, ..PluginConfig::default() });
    let how = Canary { share: 100, faults: 100 };
    let config = PluginConfig { limits: LIMITS, ..PluginConfig::default() };
    let canary = world.proxy.canary(plugin, &loud, config, how).expect("it starts");
    for _ in 0..5 {
        world.get(&[plugin]);
    }
    world.check_charged(canary, LIMITS);
    let weight = weight(&world.effects());
    assert!(weight <= 2 * MIB, "{weight} bytes to drain");
}

#[test]
fn draining_effects_releases_them() {
    let mut world = World::new();
    let plugin = greedy(&mut world, 5, &call("log", &[2, 0, 100_000]), &[]);
    let idle = world.proxy.charged(plugin).expect("the plugin has an account");
    let stream = world.get(&[plugin]);
    assert!(world.proxy.charged(plugin).is_some_and(|bytes| (500_000..=MIB).contains(&bytes)));
    world.effects();
    world.proxy.response(stream, response("200", true));
    world.effects();
    assert_eq!(world.proxy.charged(plugin), Some(idle), "not as before the stream");
}

#[test]
fn draining_effects_of_a_removed_plugin_releases_them() {
    let mut world = World::new();
    let plugin = greedy(&mut world, 5, &call("log", &[2, 0, 100_000]), &[]);
    world.get(&[plugin]);
    let charged = world.proxy.usage().charged;
    assert!((500_000..=MIB).contains(&charged), "{charged} bytes are charged for five lines of 100,000 bytes");
    world.proxy.terminate_plugin(plugin);
    let weight = weight(&world.effects());
    assert!((500_000..MIB).contains(&weight), "{weight} bytes");
    assert_eq!(world.proxy.usage().charged, 0, "all is drained, but something is charged");
}
