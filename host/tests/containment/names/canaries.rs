//! The share of a canary that is retired, removed, ended or rolled back, and the successors of plugins.

use pw_host::{Canary, PluginConfig};

use super::{check_denied, denies};

use crate::support::{World, forwarded, on, statuses};

const HALF: Canary = Canary { share: 50, faults: 100 };
const ALL: Canary = Canary { share: 100, faults: 100 };

#[test]
fn the_share_of_a_retired_canary_returns_to_the_plugin() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    let canary = world.proxy.canary(plugin, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.retire_plugin(canary);
    check_denied(&mut world, plugin);
    assert_eq!(world.proxy.usage().vms, 1);
}

#[test]
fn the_share_of_a_removed_canary_returns_to_the_plugin() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    let canary = world.proxy.canary(plugin, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.remove_plugin(canary);
    check_denied(&mut world, plugin);
}

#[test]
fn the_share_of_a_terminated_canary_returns_to_the_plugin() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    let canary = world.proxy.canary(plugin, &module, PluginConfig::default(), ALL).expect("it starts");
    world.proxy.terminate_plugin(canary);
    check_denied(&mut world, plugin);
}

#[test]
fn the_share_of_a_canarys_retired_canary_returns_to_the_plugin() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    let first = world.proxy.canary(plugin, &module, PluginConfig::default(), HALF).expect("it starts");
    let second = world.proxy.canary(first, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.retire_plugin(second);
    check_denied(&mut world, plugin);
    check_denied(&mut world, first);
    world.proxy.retire_plugin(first);
    check_denied(&mut world, plugin);
    assert_eq!(world.proxy.usage().vms, 1);
}

#[test]
fn the_share_of_a_canary_in_the_middle_returns_to_the_plugin() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    let first = world.proxy.canary(plugin, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.canary(first, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.retire_plugin(first);
    check_denied(&mut world, plugin);
}

#[test]
fn a_terminated_log_only_canary_gets_no_copies() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    let config = || PluginConfig { log_only: true, ..PluginConfig::default() };
    let canary = world.proxy.canary(plugin, &module, config(), ALL).expect("it starts");
    check_denied(&mut world, plugin);
    world.proxy.terminate_plugin(canary);
    check_denied(&mut world, plugin);
}

#[test]
fn the_share_of_a_crashed_canary_returns_to_the_plugin() {
    let mut world = World::new();
    let module = denies(&world);
    let traps = world.module(&[on("proxy_on_request_headers", ""), on("proxy_on_foreign_function", "unreachable")]);
    let plugin = world.start(&module, PluginConfig::default());
    let canary = world.proxy.canary(plugin, &traps, PluginConfig::default(), ALL).expect("it starts");
    world.proxy.foreign_function(canary, 0, "");
    check_denied(&mut world, plugin);
}

#[test]
fn rolling_back_ends_the_canarys_canary_too() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    let first = world.proxy.canary(plugin, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.canary(first, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.roll_back(plugin);
    check_denied(&mut world, plugin);
    assert_eq!(world.proxy.usage().vms, 1);
}

#[test]
fn a_promoted_canary_serves_after_its_plugin_is_retired_and_removed() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    world.proxy.canary(plugin, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.promote(plugin);
    world.proxy.retire_plugin(plugin);
    check_denied(&mut world, plugin);
    world.proxy.remove_plugin(plugin);
    check_denied(&mut world, plugin);
    assert_eq!(world.proxy.usage().vms, 1);
}

#[test]
fn retiring_a_replaced_plugin_does_not_affect_its_successor() {
    for end in [0, 1, 2] {
        let mut world = World::new();
        let module = denies(&world);
        let old = world.start(&module, PluginConfig::default());
        let new = world.proxy.replace_plugin(old, &module, PluginConfig::default()).expect("it starts");
        match end {
            0 => world.proxy.retire_plugin(old),
            1 => world.proxy.remove_plugin(old),
            _ => world.proxy.terminate_plugin(old),
        }
        check_denied(&mut world, old);
        check_denied(&mut world, new);
    }
}

#[test]
fn streams_of_a_terminated_successor_fail() {
    let mut world = World::new();
    let module = denies(&world);
    let old = world.start(&module, PluginConfig::default());
    let new = world.proxy.replace_plugin(old, &module, PluginConfig::default()).expect("it starts");
    world.proxy.terminate_plugin(new);
    world.finish();
    world.get(&[old]);
    let effects = world.finish();
    assert!(forwarded(&effects).is_empty() && statuses(&effects) == ["503"], "{effects:?}");
}

#[test]
fn operations_on_terminated_plugins_do_not_affect_others() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    let terminated = world.start(&module, PluginConfig::default());
    let canary = world.proxy.canary(terminated, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.terminate_plugin(terminated);
    for gone in [terminated, canary] {
        world.proxy.terminate_plugin(gone);
        world.proxy.promote(gone);
        world.proxy.roll_back(gone);
        world.proxy.retire_plugin(gone);
        world.proxy.remove_plugin(gone);
        world.proxy.foreign_function(gone, 0, "");
    }
    check_denied(&mut world, plugin);
    assert_eq!(world.proxy.usage().vms, 1);
}
