//! An event has a budget, and a callback a maximum time: what is left waits, in order, and is not dropped.

use std::time::Duration;

use pw_abi::Status;
use pw_host::{Effect, GrpcEvent, Limits, Metering, Piece, PluginConfig, PluginId, ProxyConfig};

use crate::support::{
    MIB, World, ask, call, ended, faults, headers, on, pairs, put, queue, repeat, returning, said, say, status, weight,
};

/// Units of fuel that each call into a plugin has here.
const FUEL: u64 = 1_000_000;

fn limits() -> Limits {
    Limits { fuel: FUEL, ..Limits::default() }
}

#[test]
fn the_deadline_is_checked_between_calls() {
    let mut world = World::of(Metering::Epochs, ProxyConfig::default());
    // The deadline passes in the foreign function. What follows has no loop and no call within the module.
    let late = call("log", &[2, 16, 8]).repeat(1000);
    let ticks = call("call_foreign_function", &[16, 8, 0, 0, 0, 4]);
    let attack = on("proxy_on_request_headers", &(ticks + &late));
    let plugin = world.add(Limits { epochs: 10, ..Limits::default() }, &[attack]);
    world.get(&[plugin]);
    assert_eq!(faults(&world.finish()), [plugin], "it is not stopped");
    let lines = world.seen.calls(plugin, "log");
    assert!(lines < 1000, "{lines} calls after the deadline");
}

#[test]
fn repeated_calls_that_time_out_do_so_once_per_advance() {
    let mut world = World::new();
    let parts = [
        on("proxy_on_foreign_function", &repeat(1000, &format!("(drop {})", ask(0, 1)))),
        on("proxy_on_http_call_response", &format!("(drop {})", ask(0, 1))),
    ];
    let plugin = world.add(Limits::default(), &parts);
    world.proxy.foreign_function(plugin, 0, "");
    world.seen.reset();
    world.proxy.advance(Duration::from_millis(100));
    let callbacks = world.seen.callbacks(plugin, "proxy_on_http_call_response");
    assert_eq!(callbacks, 1000, "each call that is due times out once");
    world.effects();
    world.proxy.advance(Duration::from_millis(1));
    assert_eq!(
        world.seen.callbacks(plugin, "proxy_on_http_call_response"),
        2000,
        "not those made then at the next time"
    );
}

#[test]
fn a_long_step_of_time_is_one_tick() {
    let mut world = World::new();
    let parts = [on("proxy_on_foreign_function", &call("set_tick_period_milliseconds", &[1])), on("proxy_on_tick", "")];
    let plugin = world.add(Limits::default(), &parts);
    world.proxy.foreign_function(plugin, 0, "");
    world.proxy.advance(Duration::from_secs(3600));
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_tick"), 1);
    assert_eq!(world.proxy.next_due(), Some(Duration::from_millis(1)), "not a full period later");
    world.pass(Duration::from_millis(10));
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_tick"), 11, "step by step not each of them happens");
}

#[test]
fn a_hundred_thousand_ticks_are_due_at_once() {
    const PLUGINS: usize = 100_000;
    let mut world = World::of(Metering::None, ProxyConfig { plugins: PLUGINS, ..ProxyConfig::default() });
    let parts = [on("proxy_on_configure", &call("set_tick_period_milliseconds", &[1000])), on("proxy_on_tick", "")];
    let module = world.module(&parts);
    let config = PluginConfig { vm_id: "a".to_owned(), ..PluginConfig::default() };
    let plugins: Vec<PluginId> = (0..PLUGINS).map(|_| world.start(&module, config.clone())).collect();
    world.seen.reset();
    world.proxy.advance(Duration::from_secs(10));
    world.finish();
    assert_eq!(world.seen.of_all("proxy_on_tick"), PLUGINS);
    assert_eq!(world.seen.callbacks(plugins[PLUGINS - 1], "proxy_on_tick"), 1);
}

/// A plugin that enqueues in its own queue's callback, which does `each`.
fn storm(each: &str) -> [String; 3] {
    [queue(), on("proxy_on_queue_ready", each), on("proxy_on_foreign_function", &format!("(drop {})", put(0)))]
}

/// No event runs more callbacks of the plugin than its limit, whatever the number of items, and what waits is within its
/// account.
#[track_caller]
fn check_storm(items: usize, dequeues: bool) {
    const CALLBACKS: usize = 500;
    let mut world = World::new();
    let limits = Limits { callbacks_per_event: CALLBACKS, host_memory: MIB, ..Limits::default() };
    let take = if dequeues {
        "(drop (call $dequeue_shared_queue (global.get $queue) (i32.const 0) (i32.const 4)))"
    } else {
        ""
    };
    let each = format!("{take} {}", format!("(drop {})", put(1)).repeat(items));
    let plugin = world.add(limits, &storm(&each));
    world.proxy.foreign_function(plugin, 0, "");
    for event in 0..50 {
        world.seen.reset();
        if event % 2 == 0 {
            world.get(&[plugin]);
        } else {
            world.proxy.advance(Duration::ZERO);
        }
        let callbacks = world.seen.all_callbacks(plugin);
        // Two public calls make a request.
        assert!(callbacks <= 2 * CALLBACKS + 2, "{callbacks} callbacks in event {event}");
        world.check_charged(plugin, limits);
        world.effects();
    }
    if dequeues {
        assert_eq!(world.proxy.next_due(), Some(Duration::ZERO), "it has ended");
    } else {
        // Items that are not dequeued fill the account, and then it ends.
        world.finish();
        assert!(world.seen.answers(plugin, "enqueue_shared_queue", Status::INTERNAL_FAILURE) > 0);
    }
}

#[test]
fn a_queue_that_feeds_itself_once() {
    check_storm(1, true);
}

#[test]
fn a_queue_that_feeds_itself_twice() {
    check_storm(2, false);
}

#[test]
fn a_queue_that_feeds_itself_nine_times() {
    check_storm(9, true);
}

#[test]
fn two_plugins_that_feed_each_others_queues() {
    const CALLBACKS: usize = 500;
    let mut world = World::new();
    let limits = Limits { callbacks_per_event: CALLBACKS, host_memory: MIB, ..Limits::default() };
    let module = world.module(&storm(&format!("(drop {}) (drop {})", put(0), put(0))));
    let config = PluginConfig { limits, vm_id: "a".to_owned(), ..PluginConfig::default() };
    let [first, second] = [(); 2].map(|()| world.start(&module, config.clone()));
    world.proxy.foreign_function(first, 0, "");
    for _ in 0..20 {
        world.seen.reset();
        world.proxy.advance(Duration::ZERO);
        for plugin in [first, second] {
            let callbacks = world.seen.all_callbacks(plugin);
            assert!((1..=CALLBACKS + 1).contains(&callbacks), "{callbacks} callbacks");
        }
    }
}

#[test]
fn an_event_runs_few_expensive_callbacks() {
    let mut world = World::new();
    // Some 600,000 units each, of a million.
    let spin = repeat(100_000, "");
    let each = format!("{spin} (drop {}) (drop {})", put(0), put(0));
    let plugin = world.add(limits(), &storm(&each));
    world.proxy.foreign_function(plugin, 0, "");
    for _ in 0..5 {
        world.seen.reset();
        world.proxy.advance(Duration::ZERO);
        let callbacks = world.seen.all_callbacks(plugin);
        assert!((1..=3).contains(&callbacks), "{callbacks} callbacks");
    }
    assert_eq!(faults(&world.effects()), [], "one of them was stopped");
}

#[test]
fn what_is_left_of_an_event_comes_later_in_order() {
    const ITEMS: usize = 3000;
    let mut world = World::new();
    let item = format!("(i32.store (i32.const 16) (local.get $i)) (drop {})", put(4));
    let take = format!(
        "(drop (call $dequeue_shared_queue (global.get $queue) (i32.const 0) (i32.const 4))) {}",
        say("(i32.load (i32.load (i32.const 0)))")
    );
    let parts = [queue(), on("proxy_on_queue_ready", &take), on("proxy_on_foreign_function", &repeat(ITEMS, &item))];
    let plugin = world.add(Limits { callbacks_per_event: 100, ..Limits::default() }, &parts);
    world.proxy.foreign_function(plugin, 0, "");
    assert_eq!(world.proxy.next_due(), Some(Duration::ZERO));
    let numbers = said(&world.finish(), plugin);
    assert_eq!(numbers, (0..ITEMS as u32).collect::<Vec<_>>());
    assert_eq!(world.proxy.next_due(), None);
}

#[test]
fn pieces_that_wait_for_the_budget_come_in_order() {
    const PIECES: usize = 5000;
    let mut world = World::new();
    let go = call("set_effective_context", &[2]) + &call("continue_stream", &[0]);
    let parts = [
        returning("proxy_on_request_headers", "", 1),
        on("proxy_on_request_body", ""),
        on("proxy_on_foreign_function", &go),
    ];
    let plugin = world.add(Limits { callbacks_per_event: 100, ..Limits::default() }, &parts);
    let stream = world.open(&[plugin]);
    world.proxy.request(stream, headers(false));
    for number in 0..PIECES {
        world.proxy.request(stream, Piece::body(vec![number as u8], false));
    }
    world.seen.reset();
    world.proxy.foreign_function(plugin, 0, "");
    let callbacks = world.seen.all_callbacks(plugin);
    assert!(callbacks <= 101, "{callbacks} callbacks in one event");
    // More comes while the rest still waits, and comes after it.
    world.proxy.request(stream, Piece::body("end", true));
    let bytes = crate::support::body(&world.finish(), true);
    let expected: Vec<u8> = (0..PIECES).map(|number| number as u8).chain(*b"end").collect();
    assert_eq!(bytes, expected);
}

#[test]
fn removing_a_plugin_with_many_streams_takes_several_events() {
    const STREAMS: usize = 2000;
    let mut world = World::new();
    let parts = [on("proxy_on_done", ""), on("proxy_on_log", ""), on("proxy_on_delete", "")];
    let limits = Limits { callbacks_per_event: 100, ..Limits::default() };
    let plugin = world.add(limits, &parts);
    for _ in 0..STREAMS {
        world.get(&[plugin]);
    }
    world.effects();
    world.seen.reset();
    world.proxy.remove_plugin(plugin);
    let callbacks = world.seen.all_callbacks(plugin);
    assert!(callbacks <= 101, "{callbacks} callbacks in one event");
    assert_eq!(ended(&world.finish()), STREAMS);
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_delete"), STREAMS + 1);
    assert_eq!(world.proxy.usage().vms, 0);
}

#[test]
fn the_work_of_one_plugin_does_not_delay_anothers_request() {
    let mut world = World::new();
    let limits = Limits { callbacks_per_event: 100, ..Limits::default() };
    let attacker = world.add(limits, &storm(&format!("(drop {}) (drop {})", put(0), put(0))));
    let victim = world.add(Limits::default(), &[on("proxy_on_request_headers", "")]);
    world.proxy.foreign_function(attacker, 0, "");
    for _ in 0..10 {
        world.effects();
        world.get(&[victim]);
        assert_eq!(crate::support::forwarded(&world.effects()).len(), 1, "not in the same call");
    }
}

#[test]
fn each_of_many_messages_of_a_server_costs_one_callback() {
    let mut world = World::new();
    let (metadata, size) = pairs(0x400, &[]);
    let open = status("grpc_stream", &[16, 8, 16, 8, 16, 8, 0x400, size, 8]);
    let parts = [
        metadata,
        on("proxy_on_foreign_function", &format!("(if {open} (then unreachable))")),
        on("proxy_on_grpc_receive", &call("grpc_send", &[1, 16, 8, 0]).repeat(10)),
    ];
    let limits = Limits { host_memory: MIB, ..Limits::default() };
    let plugin = world.add(limits, &parts);
    world.proxy.foreign_function(plugin, 0, "");
    let effects = world.effects();
    let id = |effect: &Effect| if let Effect::GrpcCall { call, .. } = effect { Some(*call) } else { None };
    let stream = effects.iter().find_map(id).expect("the stream is opened");
    for _ in 0..10_000 {
        world.proxy.grpc_event(stream, GrpcEvent::Message("message".into()));
    }
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_grpc_receive"), 10_000);
    assert!(world.seen.answers(plugin, "grpc_send", Status::INTERNAL_FAILURE) > 0, "no message is rejected");
    world.check_charged(plugin, limits);
    let weight = weight(&world.effects());
    assert!(weight <= 2 * MIB, "{weight} bytes to drain");
    world.proxy.grpc_event(stream, GrpcEvent::Closed { status: 0, message: String::new() });
}

#[test]
fn calls_made_at_responses_are_spread_over_events() {
    let mut world = World::new();
    let twice = format!("(drop {})", ask(0, 1)).repeat(2);
    let parts = [
        on("proxy_on_foreign_function", &format!("(drop {})", ask(0, 1))),
        on("proxy_on_http_call_response", &twice),
        on("proxy_on_request_headers", ""),
    ];
    let plugin = world.add(Limits::default(), &parts);
    world.proxy.foreign_function(plugin, 0, "");
    for round in 0..9 {
        let due = 1 << round;
        assert_eq!(world.proxy.usage().calls, due);
        world.seen.reset();
        // A call made when another times out is due a millisecond later.
        world.proxy.advance(Duration::from_secs(1));
        assert_eq!(world.seen.callbacks(plugin, "proxy_on_http_call_response"), due, "in round {round}");
    }
    world.effects();
    world.get(&[plugin]);
    assert_eq!(crate::support::forwarded(&world.effects()).len(), 1, "a request does not go through");
}

#[test]
fn a_call_with_a_timeout_of_zero_is_never_due() {
    let mut world = World::new();
    let parts = [
        on("proxy_on_foreign_function", &format!("(drop {})", ask(0, 0))),
        on("proxy_on_http_call_response", &format!("(drop {})", ask(0, 0))),
    ];
    let plugin = world.add(Limits::default(), &parts);
    world.proxy.foreign_function(plugin, 0, "");
    world.effects();
    assert_eq!((world.proxy.usage().calls, world.proxy.next_due()), (1, None));
    world.pass(Duration::from_secs(3600));
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_http_call_response"), 0);
    assert_eq!(world.proxy.usage().calls, 1);
}
