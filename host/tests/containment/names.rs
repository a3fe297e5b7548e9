//! Names that stand for one thing: ids of streams, copies, plugins, canaries, calls, queues, metrics, whenever they are used.

use std::collections::BTreeSet;
use std::time::Duration;

use pw_abi::Status;
use pw_host::{
    Canary, Effect, FailurePolicy, Fields, Limits, Module, Piece, PluginConfig, PluginId, Reload, StreamId, StreamInfo,
};

use crate::support::{
    World, ask, body, call, ended, forwarded, headers, on, put, queue, response, returning, said, say, status, statuses,
};

const HALF: Canary = Canary { share: 50, faults: 100 };
const ALL: Canary = Canary { share: 100, faults: 100 };

fn named(vm_id: &str) -> PluginConfig {
    PluginConfig { vm_id: vm_id.to_owned(), ..PluginConfig::default() }
}

/// A plugin that answers each request with 403.
fn denies(world: &World) -> Module {
    let answer = call("send_local_response", &[403, 0, 0, 0, 0, 0, 0, u32::MAX]);
    world.module(&[returning("proxy_on_request_headers", &answer, 1)])
}

/// Of a hundred streams for a plugin each is answered 403, so each ran through a plugin.
#[track_caller]
fn check_denied(world: &mut World, plugin: PluginId) {
    world.finish();
    for number in 0..100 {
        world.get(&[plugin]);
        let effects = world.finish();
        assert!(forwarded(&effects).is_empty(), "request {number} passes by all plugins");
        assert_eq!(statuses(&effects), ["403"], "request {number}");
    }
}

#[test]
fn the_share_of_a_retired_canary_falls_back() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    let canary = world.proxy.canary(plugin, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.retire_plugin(canary);
    check_denied(&mut world, plugin);
    assert_eq!(world.proxy.usage().vms, 1);
}

#[test]
fn the_share_of_a_removed_canary_falls_back() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    let canary = world.proxy.canary(plugin, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.remove_plugin(canary);
    check_denied(&mut world, plugin);
}

#[test]
fn the_share_of_a_terminated_canary_falls_back() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    let canary = world.proxy.canary(plugin, &module, PluginConfig::default(), ALL).expect("it starts");
    world.proxy.terminate_plugin(canary);
    check_denied(&mut world, plugin);
}

#[test]
fn the_share_of_a_canarys_retired_canary_falls_back() {
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
fn the_share_of_a_canary_in_the_middle_falls_back() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    let first = world.proxy.canary(plugin, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.canary(first, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.retire_plugin(first);
    check_denied(&mut world, plugin);
}

#[test]
fn the_share_of_a_log_only_canary_that_is_gone_is_nobodys() {
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
fn a_canary_that_is_given_up_gives_its_share_back() {
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
fn retiring_a_plugin_that_was_replaced_leaves_its_successor() {
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
fn a_successor_that_is_gone_lets_nothing_pass() {
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
fn operations_on_what_is_gone_change_nothing_for_those_that_serve() {
    let mut world = World::new();
    let module = denies(&world);
    let plugin = world.start(&module, PluginConfig::default());
    let dead = world.start(&module, PluginConfig::default());
    let canary = world.proxy.canary(dead, &module, PluginConfig::default(), HALF).expect("it starts");
    world.proxy.terminate_plugin(dead);
    for gone in [dead, canary] {
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

/// A plugin of VM id `b` that uses ids 1 to 3 although it has got none; and one of VM id `a` that has.
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
    assert_eq!(world.seen.answers(thief, function, Status::NOT_FOUND), 4, "{function} of all that it guesses");
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
    // What one VM id has resolved is no more to a third.
    let thief = world.module(&[on(
        "proxy_on_request_headers",
        &say("(call $dequeue_shared_queue (i32.const 1) (i32.const 0) (i32.const 4))"),
    )]);
    let thief = world.start(&thief, named("c"));
    world.get(&[thief]);
    assert_eq!(said(&world.effects(), thief), [Status::NOT_FOUND.0]);
}

#[test]
fn ids_of_queues_that_are_gone_are_not_those_of_new_ones() {
    let mut world = World::new();
    let owner = world.module(&[queue(), on("proxy_on_request_headers", &say("(global.get $queue)"))]);
    let mut ids = BTreeSet::new();
    for _ in 0..10 {
        let plugin = world.start(&owner, named("a"));
        world.get(&[plugin]);
        let id = said(&world.effects(), plugin)[0];
        assert!(ids.insert(id), "{id} is given twice");
        world.proxy.terminate_plugin(plugin);
        world.finish();
    }
}

#[test]
fn a_copy_that_is_dead_gets_nothing_of_the_next() {
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
    assert_eq!(said(&effects, second), [3, 5], "each piece once");
    assert_eq!(body(&effects, true), b"abcdefgh");
}

#[test]
fn copies_in_the_same_place_one_after_another_are_apart() {
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
    assert_eq!(said(&effects, plugin), [], "it is not the copy of the old one");
    assert_eq!(forwarded(&effects).len(), 1);
}

#[test]
fn ids_of_streams_are_given_once() {
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
        assert!(ids.insert(stream), "{stream:?} is given twice");
        world.proxy.downstream_reset(stream);
    }
    // Those that are over mean nothing any more.
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
fn the_answer_to_a_call_of_the_dead_is_nobodys() {
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
    assert_eq!(calls.iter().collect::<BTreeSet<_>>().len(), 5, "all are different");
    world.effects();
    for call in calls {
        world.proxy.http_call_response(call, Fields::new(), "late", Fields::new());
    }
    assert_eq!(said(&world.finish(), plugin), [], "its new VM did not make them");
}

/// Is not done at first; its foreign function traps.
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
fn a_removed_plugin_does_not_come_back_when_it_traps() {
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
fn a_plugin_that_is_never_done_is_ended_by_force() {
    let mut world = World::new();
    let module = lingers(&world);
    let plugin = world.start(&module, immortal());
    world.get(&[plugin]);
    world.proxy.remove_plugin(plugin);
    assert_eq!(world.proxy.usage().vms, 1, "it asks for time");
    world.effects();
    world.seen.reset();
    world.proxy.terminate_plugin(plugin);
    world.finish();
    assert_eq!(world.seen.all_callbacks(plugin), 0, "none of its callbacks is called again");
    let usage = world.proxy.usage();
    assert_eq!((usage.vms, usage.contexts, usage.streams), (0, 0, 0));
    assert_eq!(said(&world.pass(Duration::from_secs(10)), plugin), []);
}

#[test]
fn a_removed_plugin_that_is_never_done_gets_no_streams() {
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
fn streams_of_a_terminated_plugin_fail_or_go_on_as_its_policy_says() {
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
fn terminating_one_of_a_shared_vm_leaves_the_other() {
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
fn a_plugin_that_is_replaced_while_it_awaits_a_restart_does_not_come_back() {
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

#[test]
fn an_item_put_back_is_in_its_own_queue() {
    // A call that cannot write what it took leaves the queue as it was.
    let mut world = World::new();
    let bad = "(drop (call $dequeue_shared_queue (global.get $queue) (i32.const -1) (i32.const 4)))";
    let parts = [queue(), on("proxy_on_request_headers", &format!("(drop {}) {bad}", put(8)))];
    let module = world.module(&parts);
    let plugin = world.start(&module, named("a"));
    world.get(&[plugin]);
    assert_eq!(world.proxy.usage().queued, 8);
}
