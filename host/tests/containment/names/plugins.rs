//! Removed and terminated plugins do not come back.

use std::time::Duration;

use pw_host::{Effect, FailurePolicy, Module, PluginConfig, Reload};

use super::{check_denied, denies, named};
use crate::support::{World, call, ended, forwarded, on, returning, said, say, statuses};

/// Delays its end; its foreign function traps.
fn lingers(world: &World) -> Module {
    world.module(&[
        returning("proxy_on_done", "", 0),
        on("proxy_on_foreign_function", "unreachable"),
        on("proxy_on_request_headers", ""),
        on("proxy_on_tick", &say("(i32.const 1)")),
        on("proxy_on_configure", &call("set_tick_period_milliseconds", &[1000])),
    ])
}

fn immortal() -> PluginConfig {
    let reload = Some(Reload { base: Duration::ZERO, max: Duration::ZERO, limit: u32::MAX });
    PluginConfig { failure: FailurePolicy { open: false, reload }, ..PluginConfig::default() }
}

#[test]
fn a_removed_plugin_that_traps_is_not_restarted() {
    for retired in [false, true] {
        let mut world = World::new();
        let module = lingers(&world);
        let plugin = world.start(&module, immortal());
        if retired {
            world.proxy.retire_plugin(plugin);
        } else {
            world.proxy.remove_plugin(plugin);
        }
        world.proxy.foreign_function(plugin, 0, "");
        let effects = world.pass(Duration::from_secs(10));
        assert!(!effects.contains(&Effect::Restarted { plugin }), "{effects:?}");
        assert_eq!(world.proxy.usage().vms, 0);
        assert_eq!(world.proxy.next_due(), None);
    }
}

#[test]
fn terminate_plugin_ends_a_plugin_that_delays_its_end() {
    let mut world = World::new();
    let module = lingers(&world);
    let plugin = world.start(&module, immortal());
    world.get(&[plugin]);
    world.proxy.remove_plugin(plugin);
    assert_eq!(world.proxy.usage().vms, 1, "it does not delay its end");
    world.effects();
    world.seen.reset();
    world.proxy.terminate_plugin(plugin);
    world.finish();
    assert_eq!(world.seen.all_callbacks(plugin), 0, "a callback is called again");
    let usage = world.proxy.usage();
    assert_eq!((usage.vms, usage.contexts, usage.streams), (0, 0, 0));
    assert_eq!(said(&world.pass(Duration::from_secs(10)), plugin), []);
}

#[test]
fn a_removed_plugin_that_delays_its_end_gets_no_streams() {
    let mut world = World::new();
    let module = lingers(&world);
    let plugin = world.start(&module, immortal());
    world.proxy.remove_plugin(plugin);
    world.finish();
    world.seen.reset();
    world.get(&[plugin]);
    let effects = world.finish();
    assert!(forwarded(&effects).is_empty(), "{effects:?}");
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_request_headers"), 0);
}

#[test]
fn streams_of_a_terminated_plugin_fail_or_continue_as_its_policy_says() {
    for open in [false, true] {
        let mut world = World::new();
        let module = world.module(&[returning("proxy_on_request_headers", "", 1)]);
        let failure = FailurePolicy { open, reload: None };
        let plugin = world.start(&module, PluginConfig { failure, ..PluginConfig::default() });
        world.get(&[plugin]);
        world.finish();
        world.proxy.terminate_plugin(plugin);
        let effects = world.finish();
        match open {
            true => assert_eq!((forwarded(&effects).len(), ended(&effects)), (1, 0)),
            false => assert_eq!(statuses(&effects), ["503"]),
        }
    }
}

#[test]
fn terminating_a_plugin_does_not_affect_another_in_its_vm() {
    let mut world = World::new();
    let module = world.module(&[on("proxy_on_request_headers", ""), returning("proxy_on_done", "", 0)]);
    let [first, second] = [(); 2].map(|()| world.start(&module, named("a")));
    world.proxy.terminate_plugin(first);
    world.finish();
    world.seen.reset();
    world.get(&[second]);
    assert_eq!(forwarded(&world.finish()).len(), 1);
    assert_eq!(world.seen.callbacks(second, "proxy_on_request_headers"), 1);
    assert_eq!(world.seen.all_callbacks(first), 0);
}

#[test]
fn a_plugin_replaced_before_its_restart_is_not_restarted() {
    let mut world = World::new();
    let traps = world.module(&[on("proxy_on_foreign_function", "unreachable")]);
    let module = denies(&world);
    let old = world.start(&traps, immortal());
    world.proxy.foreign_function(old, 0, "");
    world.proxy.replace_plugin(old, &module, PluginConfig::default()).expect("it starts");
    let effects = world.pass(Duration::from_secs(10));
    assert!(!effects.contains(&Effect::Restarted { plugin: old }));
    check_denied(&mut world, old);
    assert_eq!(world.proxy.usage().vms, 1);
}
