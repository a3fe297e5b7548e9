//! Ids of queues and metrics are only valid in the VM ids that have them.

use std::collections::BTreeSet;

use pw_abi::Status;

use super::named;
use crate::support::{World, call, on, put, queue, said, say, status};

/// A plugin of VM id `b` that guesses ids 0 to 3, and one of VM id `a` that owns them.
#[track_caller]
fn check_foreign(owns: &[String], function: &str, args: &str, of_owner: fn(&mut World) -> usize) {
    let mut world = World::new();
    let owner = world.module(owns);
    world.start(&owner, named("a"));
    let before = of_owner(&mut world);
    let each = format!("(drop (call ${function} {args}))");
    let guess = crate::support::repeat(4, &each);
    let thief = world.module(&[on("proxy_on_request_headers", &guess)]);
    let thief = world.start(&thief, named("b"));
    world.get(&[thief]);
    assert_eq!(world.seen.answers(thief, function, Status::NOT_FOUND), 4, "{function} with the ids that it guesses");
    assert_eq!(of_owner(&mut world), before);
}

fn owner() -> Vec<String> {
    // The queue has an item.
    vec![queue(), on("proxy_on_context_create", ""), on("proxy_on_tick", ""), {
        let put = status("enqueue_shared_queue", &[1, 16, 8]);
        let define = call("define_metric", &[1, 16, 8, 8]);
        let register = call("register_shared_queue", &[16, 8, 8]);
        on("proxy_on_vm_start", &format!("{register} (drop {put}) {define}"))
    }]
}

#[test]
fn an_item_of_another_vm_ids_queue_cannot_be_taken() {
    check_foreign(&owner(), "dequeue_shared_queue", "(local.get $i) (i32.const 0) (i32.const 4)", |world| {
        world.proxy.usage().queued
    });
}

#[test]
fn another_vm_ids_queue_cannot_be_filled() {
    check_foreign(&owner(), "enqueue_shared_queue", "(local.get $i) (i32.const 16) (i32.const 8)", |world| {
        world.proxy.usage().queued
    });
}

#[test]
fn another_vm_ids_metric_cannot_be_recorded() {
    check_foreign(&owner(), "record_metric", "(local.get $i) (i64.const 7)", |world| {
        world.proxy.metrics().iter().map(|(_, value)| *value as usize).sum()
    });
}

#[test]
fn another_vm_ids_metric_cannot_be_incremented() {
    check_foreign(&owner(), "increment_metric", "(local.get $i) (i64.const 7)", |world| {
        world.proxy.metrics().iter().map(|(_, value)| *value as usize).sum()
    });
}

#[test]
fn another_vm_ids_metric_cannot_be_read() {
    check_foreign(&owner(), "get_metric", "(local.get $i) (i32.const 0)", |_| 0);
}

#[test]
fn a_queue_that_was_resolved_can_be_used() {
    let mut world = World::new();
    let owner = world.module(&owner());
    world.start(&owner, named("a"));
    let resolve =
        "(if (call $resolve_shared_queue (i32.const 300) (i32.const 1) (i32.const 16) (i32.const 8) (i32.const 8))
        (then unreachable))";
    let take = "(call $dequeue_shared_queue (i32.load (i32.const 8)) (i32.const 0) (i32.const 4))";
    let reader = world.module(&[
        "(data (i32.const 300) \"a\")".to_owned(),
        on("proxy_on_request_headers", &format!("{resolve} {}", say(take))),
    ]);
    let reader = world.start(&reader, named("b"));
    world.get(&[reader]);
    assert_eq!(said(&world.effects(), reader), [Status::OK.0]);
    // What one VM id has resolved is not valid in a third.
    let thief = world.module(&[on(
        "proxy_on_request_headers",
        &say("(call $dequeue_shared_queue (i32.const 1) (i32.const 0) (i32.const 4))"),
    )]);
    let thief = world.start(&thief, named("c"));
    world.get(&[thief]);
    assert_eq!(said(&world.effects(), thief), [Status::NOT_FOUND.0]);
}

#[test]
fn ids_of_queues_are_not_reused() {
    let mut world = World::new();
    let owner = world.module(&[queue(), on("proxy_on_request_headers", &say("(global.get $queue)"))]);
    let mut ids = BTreeSet::new();
    for _ in 0..10 {
        let plugin = world.start(&owner, named("a"));
        world.get(&[plugin]);
        let id = said(&world.effects(), plugin)[0];
        assert!(ids.insert(id), "{id} is reused");
        world.proxy.terminate_plugin(plugin);
        world.finish();
    }
}

#[test]
fn puts_an_item_back_into_its_queue() {
    // A call that cannot return the item leaves the queue as it was.
    let mut world = World::new();
    let bad = "(drop (call $dequeue_shared_queue (global.get $queue) (i32.const -1) (i32.const 4)))";
    let parts = [queue(), on("proxy_on_request_headers", &format!("(drop {}) {bad}", put(8)))];
    let module = world.module(&parts);
    let plugin = world.start(&module, named("a"));
    world.get(&[plugin]);
    assert_eq!(world.proxy.usage().queued, 8);
}
