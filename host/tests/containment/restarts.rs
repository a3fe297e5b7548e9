//! No policy of `Reload` loops within one call, and a plugin that does not start again is given up.

use std::time::Duration;

use pw_host::{Effect, FailurePolicy, Metering, PluginConfig, PluginId, ProxyConfig, Reload};

use crate::support::{World, call, ended, faults, on, status, statuses};

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

/// How often the plugin was started, with the first time.
fn starts(world: &World, plugin: PluginId) -> usize {
    world.seen.callbacks(plugin, "proxy_on_vm_start")
}

/// A plugin that does not start again, after it has lived for some time: one call starts it once at most, and in an hour it is
/// tried `limit` times at most and given up.
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
    assert!(again > 0, "it is tried");
    assert_eq!(world.proxy.next_due(), None, "it is given up");
    world.get(&[plugin]);
    assert!(statuses(&world.effects()).contains(&"503".to_owned()));
}

#[test]
fn a_plugin_without_a_wait_is_given_up() {
    check_given_up(Reload { max: Duration::ZERO, limit: 3, ..Reload::default() }, Duration::ZERO);
}

#[test]
fn a_plugin_without_a_wait_that_lived_long_is_given_up() {
    check_given_up(Reload { max: Duration::ZERO, limit: 3, ..Reload::default() }, Duration::from_secs(1000));
}

#[test]
fn a_plugin_without_a_first_wait_is_given_up() {
    check_given_up(Reload { base: Duration::ZERO, ..Reload::default() }, Duration::from_secs(61));
}

#[test]
fn a_plugin_with_the_usual_waits_is_given_up() {
    check_given_up(Reload::default(), Duration::from_secs(3600));
}

#[test]
fn a_plugin_with_a_short_maximum_is_given_up() {
    let reload = Reload { base: Duration::from_secs(1), max: Duration::from_nanos(1), limit: 5 };
    check_given_up(reload, Duration::from_secs(10));
}

#[test]
fn a_plugin_whose_callback_traps_at_once_is_given_up() {
    let mut world = World::new();
    let reload = Reload { base: Duration::ZERO, max: Duration::from_secs(60), limit: 7 };
    let parts =
        [on("proxy_on_vm_start", &call("set_tick_period_milliseconds", &[1])), on("proxy_on_tick", "unreachable")];
    let plugin = start(&mut world, &parts, reload);
    let effects = world.pass(Duration::from_secs(3600));
    // It starts, and then again seven times.
    assert_eq!((starts(&world, plugin), faults(&effects).len()), (8, 8), "it never lives for a minute");
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
    // They live in one VM, and so they all fail with one of them.
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
fn a_plugin_that_never_accepts_its_start_stays_refused() {
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
