//! Queues, shared data and metrics, which are charged to a VM id.

use std::time::Duration;

use pw_abi::Status;
use pw_host::{FailurePolicy, PluginConfig, PluginId, Reload};

use super::{LIMITS, MEMORY, check_rejected};
use crate::support::{MIB, World, call, on, put, queue, repeat};

#[test]
fn queue_items_without_a_byte() {
    let each = format!("(drop {})", put(0));
    check_rejected("enqueue_shared_queue", 100_000, &each, &[queue()]);
}

#[test]
fn queue_items_of_a_byte() {
    let each = format!("(drop {})", put(1));
    check_rejected("enqueue_shared_queue", 100_000, &each, &[queue()]);
}

#[test]
fn large_queue_items() {
    let each = format!("(drop {})", put(100_000));
    check_rejected("enqueue_shared_queue", 50, &each, &[queue()]);
}

#[test]
fn queues_with_long_names() {
    check_rejected("register_shared_queue", 50, &call("register_shared_queue", &[0, 100_000, 4]), &[]);
}

#[test]
fn queues_with_short_names() {
    check_rejected("register_shared_queue", 50_000, &call("register_shared_queue", &[0, 4, 8]), &[]);
}

#[test]
fn keys_of_shared_data_without_values() {
    check_rejected("set_shared_data", 100_000, &call("set_shared_data", &[0, 4, 0, 0, 0]), &[]);
}

#[test]
fn large_values_of_shared_data() {
    check_rejected("set_shared_data", 50, &call("set_shared_data", &[0, 4, 0, 100_000, 0]), &[]);
}

#[test]
fn long_names_of_metrics() {
    check_rejected("define_metric", 50, &call("define_metric", &[0, 0, 100_000, 8]), &[]);
}

#[test]
fn short_names_of_metrics() {
    check_rejected("define_metric", 50_000, &call("define_metric", &[1, 0, 4, 8]), &[]);
}

#[test]
fn removes_metrics_with_the_last_plugin_of_their_vm_id() {
    let mut world = World::new();
    let module = world.module(&[on("proxy_on_configure", &call("define_metric", &[0, 16, 8, 8]))]);
    let config = PluginConfig { vm_id: "a".to_owned(), ..PluginConfig::default() };
    let [first, second] = [(); 2].map(|()| world.start(&module, config.clone()));
    world.proxy.remove_plugin(first);
    world.finish();
    assert_eq!(world.proxy.metrics().len(), 1, "the second plugin has ended too");
    world.proxy.remove_plugin(second);
    world.finish();
    assert_eq!(world.proxy.metrics().len(), 0);
    assert_eq!(world.proxy.usage().charged, 0);
}

/// A plugin that adds shared data, a queue and a metric when it starts, an item at each request, and traps in its foreign function.
fn leaves() -> Vec<String> {
    let enqueue = format!("(drop {})", put(8));
    let all = call("set_shared_data", &[16, 8, 16, 8, 0]) + &call("define_metric", &[0, 16, 8, 8]);
    let start = on("proxy_on_vm_start", &all);
    vec![queue(), start, on("proxy_on_request_headers", &enqueue), on("proxy_on_foreign_function", "unreachable")]
}

#[test]
fn removes_what_a_vm_id_shares_with_its_last_plugin() {
    for reload in [None, Some(Reload { limit: 1, ..Reload::default() })] {
        let mut world = World::new();
        let module = world.module(&leaves());
        let failure = FailurePolicy { open: false, reload };
        let config = PluginConfig { vm_id: "a".to_owned(), failure, ..PluginConfig::default() };
        let plugin = world.start(&module, config);
        world.get(&[plugin]);
        world.finish();
        let before = world.proxy.usage();
        assert!(before.shared_data > 0 && before.queued > 0 && before.metrics == 1, "{before:?}");
        world.proxy.foreign_function(plugin, 0, "");
        world.finish();
        if reload.is_some() {
            let waiting = world.proxy.usage();
            assert_eq!(
                (waiting.shared_data, waiting.queued),
                (before.shared_data, before.queued),
                "before its restart"
            );
            world.pass(Duration::from_secs(10));
            world.proxy.foreign_function(plugin, 0, "");
            world.pass(Duration::from_secs(10));
        }
        let after = world.proxy.usage();
        assert_eq!((after.shared_data, after.queued, after.queues, after.metrics), (0, 0, 0, 0), "{reload:?}");
        assert_eq!(after.charged, 0, "{reload:?}");
    }
}

#[test]
fn releases_what_a_terminated_plugin_leaves() {
    let mut world = World::new();
    let module = world.module(&leaves());
    let plugin = world.start(&module, PluginConfig { vm_id: "a".to_owned(), ..PluginConfig::default() });
    world.get(&[plugin]);
    world.proxy.terminate_plugin(plugin);
    world.finish();
    let after = world.proxy.usage();
    assert_eq!((after.vms, after.contexts, after.streams, after.queues, after.charged), (0, 0, 0, 0, 0), "{after:?}");
    assert_eq!(world.proxy.charged(plugin), None);
}

#[test]
fn a_vm_id_has_one_account_for_all_of_its_plugins() {
    let mut world = World::new();
    let plugins: Vec<_> = (0..20)
        .map(|number| {
            // Each has its own keys.
            let key = format!("(i32.store (i32.const 0) (i32.add (local.get $i) (i32.const {})))", 8 * number);
            let each = key + &call("set_shared_data", &[0, 4, 0, 100_000, 0]);
            let module = world.module(&[MEMORY.to_owned(), on("proxy_on_request_headers", &repeat(8, &each))]);
            let vm_id = "a".to_owned();
            world.start(&module, PluginConfig { vm_id, limits: LIMITS, ..PluginConfig::default() })
        })
        .collect();
    for plugin in &plugins {
        world.get(&[*plugin]);
    }
    let usage = world.proxy.usage();
    assert_eq!(usage.vms, plugins.len());
    assert!((MIB / 2..=MIB).contains(&usage.shared_data), "{} bytes of shared data", usage.shared_data);
    assert!(usage.charged <= MIB, "{} bytes are charged to the VM id", usage.charged);
    let rejected = |plugin: &PluginId| world.seen.answers(*plugin, "set_shared_data", Status::INTERNAL_FAILURE);
    assert_eq!(plugins.iter().map(rejected).sum::<usize>(), 20 * 8 - 10, "ten values of 100,000 bytes fit into a MiB");
}
