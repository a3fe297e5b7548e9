//! One account of host memory per plugin: whatever a plugin allocates in the host, many small things or few large ones, in one
//! callback or over many streams, is within `Limits::host_memory`. `tests/memory` compares the account with the allocator.

mod calls;
mod effects;
mod shared;
mod streams;

use pw_abi::Status;
use pw_host::{Limits, PluginId};

use crate::support::{MIB, World, on, repeat, weight};

/// The limits of the plugins here. Their fuel is enough to ask for many times as much.
const LIMITS: Limits = Limits {
    memory: 64 * MIB,
    table_elements: 1000,
    fuel: 100_000_000,
    epochs: 10,
    log_lines: usize::MAX,
    log_bytes: usize::MAX,
    held: usize::MAX,
    fields: usize::MAX,
    shared_data: usize::MAX,
    queue: usize::MAX,
    queues: usize::MAX,
    metrics: usize::MAX,
    calls: usize::MAX,
    pending: usize::MAX,
    properties: usize::MAX,
    property_source: usize::MAX,
    host_memory: MIB,
    callbacks_per_event: 10_000,
};

const MEMORY: &str = "(memory (export \"memory\") 64)";

/// A plugin that makes a call `times` times in one callback of a stream, with `$i` at address 0 before each.
fn greedy(world: &mut World, times: usize, each: &str, more: &[String]) -> PluginId {
    let each = format!("(i32.store (i32.const 0) (local.get $i)) {each}");
    let parts = [MEMORY.to_owned(), on("proxy_on_request_headers", &repeat(times, &each))];
    world.add(LIMITS, &[&parts, more].concat())
}

/// Beyond the limit a call returns INTERNAL_FAILURE, and the effects before that are within it.
#[track_caller]
fn check_rejected(function: &str, times: usize, each: &str, more: &[String]) {
    let mut world = World::new();
    let plugin = greedy(&mut world, times, each, more);
    world.get(&[plugin]);
    world.check_charged(plugin, LIMITS);
    let weight = weight(&world.effects());
    assert!(weight <= 2 * MIB, "{weight} bytes to drain");
    assert!(world.seen.answers(plugin, function, Status::OK) > 0, "no call of {function} succeeds");
    let rejected = world.seen.answers(plugin, function, Status::INTERNAL_FAILURE);
    assert!(rejected > 0, "no call of {function} is rejected");
}
