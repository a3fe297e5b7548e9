//! No `Reload` policy loops within one call, and a plugin that cannot be restarted is given up.

use std::time::Duration;

use pw_host::{Effect, FailurePolicy, Metering, Piece, PluginConfig, PluginId, ProxyConfig, Reload, StreamInfo, Usage};

use crate::support::{World, call, ended, faults, headers, on, returning, status, statuses};

/// A VM id keeps shared data while its plugin awaits a restart: this plugin starts once, and never again.
fn starts_once() -> Vec<String> {
    let known = status("get_shared_data", &[16, 8, 0, 4, 8]);
    vec![
        on(
            "proxy_on_vm_start",
            &format!("(if (i32.eqz {known}) (then unreachable)) {}", call("set_shared_data", &[16, 8, 16, 8, 0])),
        ),
        on("proxy_on_request_headers", "unreachable"),
    ]
}

fn traps() -> Vec<String> {
    vec![on("proxy_on_vm_start", ""), on("proxy_on_request_headers", "unreachable")]
}

fn start(world: &mut World, parts: &[String], reload: Reload) -> PluginId {
    let failure = FailurePolicy { open: false, reload: Some(reload) };
    let module = world.module(parts);
    world.start(&module, PluginConfig { vm_id: "a".to_owned(), failure, ..PluginConfig::default() })
}

/// The number of starts of the plugin.
fn starts(world: &World, plugin: PluginId) -> usize {
    world.seen.callbacks(plugin, "proxy_on_vm_start")
}

/// A plugin that cannot be restarted, after it has run for some time: one call restarts it at most once, and in an hour it is
/// restarted at most `limit` times and then given up.
#[track_caller]
fn check_given_up(reload: Reload, lived: Duration) {
    let mut world = World::new();
    let plugin = start(&mut world, &starts_once(), reload);
    world.proxy.advance(lived);
    world.get(&[plugin]);
    for _ in 0..5 {
        let before = starts(&world, plugin);
        world.proxy.advance(Duration::from_nanos(1));
        assert!(starts(&world, plugin) <= before + 1, "{} starts in one call", starts(&world, plugin) - before);
    }
    world.pass(Duration::from_secs(3600));
    let again = starts(&world, plugin) - 1;
    assert!(again <= reload.limit as usize, "{again} starts again, of at most {}", reload.limit);
    assert!(again > 0, "it was not restarted");
    assert_eq!(world.proxy.next_due(), None, "it is not given up");
    world.get(&[plugin]);
    assert!(statuses(&world.effects()).contains(&"503".to_owned()));
}

#[test]
fn gives_up_without_a_delay() {
    check_given_up(Reload { max: Duration::ZERO, limit: 3, ..Reload::default() }, Duration::ZERO);
}

#[test]
fn gives_up_without_a_delay_after_a_long_run() {
    check_given_up(Reload { max: Duration::ZERO, limit: 3, ..Reload::default() }, Duration::from_secs(1000));
}

#[test]
fn gives_up_without_a_first_delay() {
    check_given_up(Reload { base: Duration::ZERO, ..Reload::default() }, Duration::from_secs(61));
}

#[test]
fn gives_up_with_the_default_delays() {
    check_given_up(Reload::default(), Duration::from_secs(3600));
}

#[test]
fn gives_up_with_a_short_maximum() {
    let reload = Reload { base: Duration::from_secs(1), max: Duration::from_nanos(1), limit: 5 };
    check_given_up(reload, Duration::from_secs(10));
}

#[test]
fn gives_up_on_a_plugin_whose_callback_traps_at_once() {
    let mut world = World::new();
    let reload = Reload { base: Duration::ZERO, max: Duration::from_secs(60), limit: 7 };
    let parts =
        [on("proxy_on_vm_start", &call("set_tick_period_milliseconds", &[1])), on("proxy_on_tick", "unreachable")];
    let plugin = start(&mut world, &parts, reload);
    let effects = world.pass(Duration::from_secs(3600));
    // It starts, and then again seven times.
    assert_eq!((starts(&world, plugin), faults(&effects).len()), (8, 8), "it never runs for a minute");
    assert_eq!(world.proxy.next_due(), None);
}

#[test]
fn one_step_of_time_restarts_a_plugin_once() {
    let mut world = World::new();
    let reload = Reload { base: Duration::ZERO, max: Duration::ZERO, limit: u32::MAX };
    let parts =
        [on("proxy_on_vm_start", &call("set_tick_period_milliseconds", &[1])), on("proxy_on_tick", "unreachable")];
    let plugin = start(&mut world, &parts, reload);
    for _ in 0..10 {
        world.seen.reset();
        world.proxy.advance(Duration::from_secs(3600));
        assert!(starts(&world, plugin) <= 1 && world.seen.callbacks(plugin, "proxy_on_tick") <= 1);
    }
}

#[test]
fn ten_thousand_restarts_of_a_plugin() {
    let mut world = World::of(Metering::None, ProxyConfig::default());
    let reload = Reload { base: Duration::ZERO, max: Duration::ZERO, limit: u32::MAX };
    let plugin = start(&mut world, &traps(), reload);
    for number in 0..10_000 {
        world.get(&[plugin]);
        world.proxy.advance(Duration::from_nanos(1));
        let effects = world.finish();
        assert_eq!((faults(&effects).len(), ended(&effects)), (1, 1), "fault {number}");
        assert!(effects.contains(&Effect::Restarted { plugin }));
    }
    let usage = world.proxy.usage();
    assert_eq!((usage.vms, usage.contexts, usage.streams), (1, 1, 0));
}

#[test]
fn thousands_of_plugins_restart_at_once() {
    const PLUGINS: usize = 10_000;
    let mut world = World::of(Metering::None, ProxyConfig::default());
    let failure = FailurePolicy { open: false, reload: Some(Reload::default()) };
    let module = world.module(&traps());
    // They share a VM, and all crash with one of them.
    let config = PluginConfig { vm_id: "a".to_owned(), failure, ..PluginConfig::default() };
    let plugins: Vec<_> = (0..PLUGINS).map(|_| world.start(&module, config.clone())).collect();
    world.get(&plugins[..1]);
    assert_eq!(faults(&world.finish()).len(), PLUGINS);
    world.proxy.advance(Duration::from_secs(1));
    let effects = world.finish();
    let restarted = effects.iter().filter(|effect| matches!(effect, Effect::Restarted { .. })).count();
    assert_eq!(restarted, PLUGINS);
    assert_eq!(world.proxy.usage().vms, 1);
}

#[test]
fn a_plugin_that_returns_false_at_its_start_is_not_started() {
    let mut world = World::new();
    let reload = Reload { base: Duration::ZERO, max: Duration::ZERO, limit: u32::MAX };
    let failure = FailurePolicy { open: false, reload: Some(reload) };
    let module = world.module(&[on("proxy_on_vm_start", "unreachable")]);
    let refused = world.proxy.add_plugin(&module, PluginConfig { failure, ..PluginConfig::default() });
    assert!(refused.is_err());
    assert_eq!(world.pass(Duration::from_secs(10)), []);
    assert_eq!(world.proxy.next_due(), None);
}

#[test]
fn timers_that_are_due_come_in_the_order_of_their_times() {
    let mut world = World::new();
    let tick = |milliseconds| {
        [
            on("proxy_on_configure", &call("set_tick_period_milliseconds", &[milliseconds])),
            on("proxy_on_tick", &crate::support::say("(i32.const 1)")),
        ]
    };
    let plugins: Vec<_> =
        [30, 10, 20].into_iter().map(|period| world.add(pw_host::Limits::default(), &tick(period))).collect();
    world.proxy.advance(Duration::from_secs(1));
    let by = |effect: &Effect| if let Effect::Log { plugin, .. } = effect { Some(*plugin) } else { None };
    let order: Vec<_> = world.finish().iter().filter_map(by).collect();
    assert_eq!(order, [plugins[1], plugins[2], plugins[0]]);
}

#[test]
fn a_stream_ends_although_a_restarted_plugin_reuses_context_ids() {
    let mut world = World::new();
    let traps = world.module(&[on("proxy_on_foreign_function", "unreachable"), on("proxy_on_request_headers", "")]);
    let reload = Some(Reload { base: Duration::from_millis(1), ..Reload::default() });
    let config = PluginConfig { failure: FailurePolicy { open: true, reload }, ..PluginConfig::default() };
    let traps = world.start(&traps, config);
    let holds = world.module(&[returning("proxy_on_done", "", 0)]);
    let holds = world.start(&holds, PluginConfig::default());
    let old = world.get(&[traps, holds]);
    world.proxy.downstream_reset(old);
    assert_eq!(ended(&world.finish()), 0, "no plugin delays its end");
    world.proxy.foreign_function(traps, 0, "");
    world.pass(Duration::from_secs(1));
    // The first context of the plugin's new VM has the id that the first one of its old VM had.
    let new = world.get(&[traps]);
    world.proxy.terminate_plugin(holds);
    let effects = world.finish();
    assert!(effects.contains(&Effect::StreamEnded { stream: old }), "{effects:?}");
    world.proxy.terminate_plugin(traps);
    world.proxy.downstream_reset(new);
    world.finish();
    assert_eq!(world.proxy.usage(), Usage::default());
}

#[test]
fn the_copy_of_a_fail_open_log_only_plugin_ends() {
    // Its copy has the whole stream, and only waits for the plugin to release it.
    for terminate in [false, true] {
        let mut world = World::new();
        let module = world
            .module(&[returning("proxy_on_request_headers", "", 1), on("proxy_on_foreign_function", "unreachable")]);
        let failure = FailurePolicy { open: true, reload: None };
        let plugin = world.start(&module, PluginConfig { log_only: true, failure, ..PluginConfig::default() });
        let stream = world.get(&[plugin]);
        world.proxy.response(stream, Piece::headers([(":status", "200")], true));
        assert_eq!((ended(&world.finish()), world.proxy.usage().streams), (1, 1));
        match terminate {
            true => world.proxy.terminate_plugin(plugin),
            false => world.proxy.foreign_function(plugin, 0, ""),
        }
        world.finish();
        assert_eq!(world.proxy.usage(), Usage::default());
    }
}

#[test]
fn what_a_fail_open_plugin_buffered_at_two_places_is_sent_in_order() {
    for tcp in [true, false] {
        let mut world = World::new();
        // The first of its two contexts pauses the bytes, the second one, created last, the start of the connection or the headers.
        let second = "(i32.eq (local.get 0) (i32.const 3))";
        let pauses = |callback: &str, when: &str| on(callback, &format!("(if {when} (then (return (i32.const 1))))"));
        let not = format!("(i32.eqz {second})");
        let parts = [
            pauses("proxy_on_new_connection", second),
            pauses("proxy_on_downstream_data", &not),
            pauses("proxy_on_request_headers", second),
            pauses("proxy_on_request_body", &not),
            on("proxy_on_foreign_function", "unreachable"),
        ];
        let module = world.module(&parts);
        let failure = FailurePolicy { open: true, reload: None };
        let plugin = world.start(&module, PluginConfig { failure, ..PluginConfig::default() });
        let chain = [plugin, plugin];
        let stream = if tcp {
            world.proxy.open_connection(&chain, StreamInfo::default())
        } else {
            let stream = world.open(&chain);
            world.proxy.request(stream, headers(false));
            stream
        };
        world.proxy.request(stream, Piece::body("bytes", true));
        assert!(world.finish().is_empty(), "not all of it is buffered");
        world.proxy.foreign_function(plugin, 0, "");
        let effects = world.finish();
        let order: Vec<&Effect> = effects.iter().filter(|effect| !matches!(effect, Effect::Fault { .. })).collect();
        let opens = |effect: &Effect| {
            matches!(effect, Effect::Connect { .. } | Effect::Upstream { piece: Piece::Headers { .. }, .. })
        };
        let bytes = |effect: &Effect| matches!(effect, Effect::Upstream { piece: Piece::Body { .. }, .. });
        assert!(matches!(order[..], [first, last] if opens(first) && bytes(last)), "{effects:?}");
    }
}
