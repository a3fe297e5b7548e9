//! Each name stands for one thing: ids of streams, copies, plugins, canaries, calls, queues and metrics, whenever they are used.

mod canaries;
mod plugins;
mod streams;
mod vm_ids;

use pw_host::{Module, PluginConfig, PluginId};

use crate::support::{World, call, forwarded, returning, statuses};

fn named(vm_id: &str) -> PluginConfig {
    PluginConfig { vm_id: vm_id.to_owned(), ..PluginConfig::default() }
}

/// A plugin that sends a local response with status 403 to each request.
fn denies(world: &World) -> Module {
    let answer = call("send_local_response", &[403, 0, 0, 0, 0, 0, 0, u32::MAX]);
    world.module(&[returning("proxy_on_request_headers", &answer, 1)])
}

/// Each of a hundred streams for a plugin gets status 403, so each ran through a plugin.
#[track_caller]
fn check_denied(world: &mut World, plugin: PluginId) {
    world.finish();
    for number in 0..100 {
        world.get(&[plugin]);
        let effects = world.finish();
        assert!(forwarded(&effects).is_empty(), "request {number} bypasses all plugins");
        assert_eq!(statuses(&effects), ["403"], "request {number}");
    }
}
