//! The host's work for a plugin is metered, and one event has a budget: what is left waits, in order, and is not dropped.

use std::time::Duration;

use pw_abi::{Status, Version};
use pw_host::{Effect, GrpcEvent, Limits, Metering, Piece, PluginConfig, PluginId, ProxyConfig};

use crate::support::{
    MIB, World, ask, call, compile, ended, faults, forever, headers, on, pairs, put, queue, repeat, returning, said,
    say, status, weight,
};

/// Units of fuel that each call into a plugin has here.
const FUEL: u64 = 1_000_000;
/// Bytes that the host may touch for a unit of fuel: many more than copying moves in the time of an instruction.
const BYTES_PER_UNIT: u64 = 64;
/// Units that a call costs at least: crossing to the host and back takes longer than as many instructions.
const UNITS_PER_CALL: u64 = 15;

const HEADERS: &str = "proxy_on_request_headers";
const BODY: &str = "proxy_on_request_body";

fn limits() -> Limits {
    Limits { fuel: FUEL, ..Limits::default() }
}

/// Runs a callback of a request that does something and then calls one function until it is stopped; how often it has called it.
#[track_caller]
fn calls_until_stopped(callback: (&str, &str), function: &str, args: &[u32], more: &[String]) -> u64 {
    let mut world = World::new();
    let memory = "(memory (export \"memory\") 40)".to_owned();
    let (callback, before) = callback;
    let attack = on(callback, &format!("{before} {}", forever(&call(function, args))));
    let plugin = world.add(limits(), &[&[memory, attack], more].concat());
    let stream = world.open(&[plugin]);
    world.proxy.request(stream, headers(false));
    world.proxy.request(stream, Piece::body(vec![b'x'; MIB], false));
    let effects = world.finish();
    assert_eq!(faults(&effects), [plugin], "it is stopped");
    let calls = world.seen.calls(plugin, function) as u64;
    assert!(calls > 0, "{function} is called");
    calls
}

/// A callback is stopped before it has made the host touch more bytes than its fuel pays for.
#[track_caller]
fn check_metered(function: &str, args: &[u32], bytes: u64, more: &[String]) {
    check_calls(function, calls_until_stopped((BODY, ""), function, args, more), bytes);
}

#[track_caller]
fn check_calls(function: &str, calls: u64, bytes: u64) {
    let allowed = (FUEL / UNITS_PER_CALL).min(FUEL * BYTES_PER_UNIT / bytes.max(1)) + 1;
    assert!(calls <= allowed, "{calls} calls of {function}, each about {bytes} bytes, of at most {allowed}");
}

#[test]
fn random_bytes_cost_fuel() {
    check_metered("random_get", &[0x10000, 0x10000], 0x10000, &[]);
}

#[test]
fn reading_many_environment_variables_costs_fuel() {
    for (function, bytes) in [("environ_get", 300_000), ("environ_sizes_get", 0)] {
        let mut world = World::new();
        let memory = "(memory (export \"memory\") 40)".to_owned();
        let args = if bytes > 0 { [0x10000, 0x20000] } else { [0, 4] };
        let attack = on(HEADERS, &forever(&call(function, &args)));
        let module = compile(&world.engine, Version::V0_2_1, &[memory, attack]);
        let environment = (0..5000).map(|number| (format!("NAME_{number}"), "v".repeat(50))).collect();
        let plugin = world.start(&module, PluginConfig { limits: limits(), environment, ..PluginConfig::default() });
        world.get(&[plugin]);
        assert_eq!(faults(&world.finish()), [plugin], "it is stopped");
        // That there are 5000 of them costs at least a unit each.
        let allowed = FUEL / 5000 + 1;
        let calls = world.seen.calls(plugin, function) as u64;
        assert!(0 < calls && calls <= allowed, "{calls} calls of {function}, of at most {allowed}");
        check_calls(function, calls, bytes);
    }
}

#[test]
fn changing_a_byte_of_a_large_body_costs_fuel() {
    // A byte is put in front of it, so that all of it moves.
    check_metered("set_buffer_bytes", &[0, 0, 0, 16, 1], MIB as u64, &[]);
}

#[test]
fn reading_a_large_body_costs_fuel() {
    check_metered("get_buffer_bytes", &[0, 0, MIB as u32, 0, 4], MIB as u64, &[allocator()]);
}

#[test]
fn reading_all_of_a_map_costs_fuel() {
    // Names are aaaa, baaa and so on.
    let name = "(i32.store (i32.const 0) (i32.add (i32.const 0x61616161) (local.get $i)))";
    let add = format!("{name} (if {} (then unreachable))", status("add_header_map_value", &[0, 0, 4, 0x10000, 4000]));
    let letters = "(memory.fill (i32.const 0x10000) (i32.const 97) (i32.const 4000))";
    let fill = format!("{letters} {}", repeat(10, &add));
    let function = "get_header_map_pairs";
    let calls = calls_until_stopped((HEADERS, &fill), function, &[0, 0, 4], &[allocator()]);
    check_calls(function, calls, 40_000);
}

/// Sets the request's headers to these and others; how often that is possible.
#[track_caller]
fn calls_that_set(fields: &[(&str, &str)]) -> (u64, u32) {
    let usual = [(":method", "GET"), (":path", "/"), (":authority", "upstream")];
    let (data, size) = pairs(0x20000, &[&usual, fields].concat());
    let args = [0, 0x20000, size];
    let works = format!("(if {} (then unreachable))", status("set_header_map_pairs", &args));
    (calls_until_stopped((HEADERS, &works), "set_header_map_pairs", &args, &[data]), size)
}

#[test]
fn setting_a_map_costs_fuel() {
    let (calls, size) = calls_that_set(&[("x-a", &"v".repeat(60_000))]);
    check_calls("set_header_map_pairs", calls, size.into());
}

#[test]
fn logging_costs_fuel() {
    check_metered("log", &[5, 0x10000, 0x10000], 0x10000, &[]);
}

/// One call can be more work than a callback may make, however little the host does for it meanwhile.
#[test]
fn what_a_plugin_cannot_pay_for_is_not_done() {
    const LINE: u32 = 8 << 20;
    let mut world = World::new();
    let memory = "(memory (export \"memory\") 129)".to_owned();
    let parts = [memory, on(HEADERS, &call("log", &[2, 0x10000, LINE]))];
    let [poor, rich] = [FUEL, 10 * FUEL].map(|fuel| world.add(Limits { fuel, ..Limits::default() }, &parts));
    for (plugin, stopped) in [(poor, true), (rich, false)] {
        world.get(&[plugin]);
        let effects = world.finish();
        assert_eq!(faults(&effects).contains(&plugin), stopped);
        assert_eq!(weight(&effects) < LINE as usize, stopped, "a line of {} bytes", weight(&effects));
    }
}

#[test]
fn a_line_below_the_log_level_costs_fuel() {
    check_metered("log", &[0, 0x10000, 4], 0, &[]);
}

#[test]
fn shared_data_costs_fuel() {
    check_metered("set_shared_data", &[16, 8, 0x10000, 0x10000, 0], 0x10000, &[]);
}

#[test]
fn a_long_path_of_a_property_costs_fuel() {
    check_metered("get_property", &[0x10000, 0x10000, 0, 4], 0x10000, &[]);
}

/// What is ten times as long costs about ten times as much: neither as much as what is short, nor a hundred times.
#[track_caller]
fn check_proportion(short: u64, long: u64) {
    assert!(long >= 20, "{long} calls are too few to compare");
    assert!((5 * long..=15 * long).contains(&short), "{short} calls with little, {long} with ten times as much");
}

#[test]
fn paths_of_properties_with_many_parts_cost_in_proportion() {
    // Every byte of the path separates two parts.
    let [short, long] = [10_000, 100_000]
        .map(|size| calls_until_stopped((BODY, ""), "get_property", &[0x10000, size, 0, 4], &[allocator()]));
    check_proportion(short, long);
}

#[test]
fn maps_of_many_fields_cost_in_proportion() {
    let [short, long] = [400, 4000].map(|count| {
        let names: Vec<String> = (0..count).map(|number| format!("x-{number}")).collect();
        let fields: Vec<(&str, &str)> = names.iter().map(|name| (&name[..], "a value")).collect();
        calls_that_set(&fields).0
    });
    check_proportion(short, long);
}

#[test]
fn many_empty_pieces_of_a_line_cost_fuel() {
    check_metered("fd_write", &[1, 0x10000, 0x2000, 0], 0x10000, &[]);
}

/// Pieces of a line lie at addresses that the plugin gives, here one piece of 2 MiB.
#[test]
fn a_large_piece_of_a_line_costs_fuel() {
    const SIZE: u32 = 2 << 20;
    let prepare = format!("(i32.store (i32.const 0) (i32.const 0)) (i32.store (i32.const 4) (i32.const {SIZE}))");
    let calls = calls_until_stopped((BODY, &prepare), "fd_write", &[1, 0, 1, 8], &[]);
    check_calls("fd_write", calls + 1, SIZE.into());
}

#[test]
fn a_clock_costs_fuel() {
    check_metered("get_current_time_nanoseconds", &[0], 0, &[]);
}

#[test]
fn a_refused_call_costs_fuel() {
    check_metered("log", &[99, 0, 0], 0, &[]);
}

#[test]
fn a_value_that_is_not_there_costs_fuel() {
    check_metered("get_shared_data", &[0x10000, 0x10000, 0, 4, 8], 0x10000, &[]);
}

#[test]
fn the_status_of_no_call_costs_fuel() {
    check_metered("get_status", &[0, 4, 8], 0, &[]);
}

#[test]
fn a_function_without_a_status_costs_fuel() {
    let mut world = World::new();
    let attack = on("proxy_on_request_headers", &forever(&call("clear_route_cache", &[])));
    let attack = attack.replacen("(param i32 i32 i32)", "(param i32 i32)", 1);
    let module = compile(&world.engine, Version::V0_1_0, &[attack]);
    let plugin = world.start(&module, PluginConfig { limits: limits(), ..PluginConfig::default() });
    world.get(&[plugin]);
    assert_eq!(faults(&world.finish()), [plugin]);
    let calls = world.seen.calls(plugin, "clear_route_cache") as u64;
    assert!(calls > 0 && calls <= FUEL / UNITS_PER_CALL, "{calls} calls");
}

/// Lets the host write where nothing else is.
fn allocator() -> String {
    "(func (export \"malloc\") (param i32) (result i32) (i32.const 0x80000))".to_owned()
}

#[test]
fn the_deadline_is_checked_between_calls() {
    let mut world = World::of(Metering::Epochs, ProxyConfig::default());
    // The clock runs out in the foreign function. What follows has no loop and no call within the module.
    let late = call("log", &[2, 16, 8]).repeat(1000);
    let ticks = call("call_foreign_function", &[16, 8, 0, 0, 0, 4]);
    let attack = on("proxy_on_request_headers", &(ticks + &late));
    let plugin = world.add(Limits { epochs: 10, ..Limits::default() }, &[attack]);
    world.get(&[plugin]);
    assert_eq!(faults(&world.finish()), [plugin], "it is stopped");
    let lines = world.seen.calls(plugin, "log");
    assert!(lines < 1000, "{lines} calls after the deadline");
}

#[test]
fn calls_that_time_out_and_are_made_again_do_not_outrun_time() {
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
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_http_call_response"), 2000, "and those made then a time later");
}

#[test]
fn a_long_step_of_time_is_one_tick() {
    let mut world = World::new();
    let parts = [on("proxy_on_foreign_function", &call("set_tick_period_milliseconds", &[1])), on("proxy_on_tick", "")];
    let plugin = world.add(Limits::default(), &parts);
    world.proxy.foreign_function(plugin, 0, "");
    world.proxy.advance(Duration::from_secs(3600));
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_tick"), 1);
    assert_eq!(world.proxy.next_due(), Some(Duration::from_millis(1)), "a full period later");
    world.pass(Duration::from_millis(10));
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_tick"), 11, "step by step each of them happens");
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

/// A plugin whose queue feeds itself: each ready callback does `each`.
fn storm(each: &str) -> [String; 3] {
    [queue(), on("proxy_on_queue_ready", each), on("proxy_on_foreign_function", &format!("(drop {})", put(0)))]
}

/// However many items a ready callback adds, no event runs more callbacks of the plugin than its limit, and what waits is
/// within its account.
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
        assert_eq!(world.proxy.next_due(), Some(Duration::ZERO), "it never ends");
    } else {
        // Items that nobody takes fill the account, and then the storm is over.
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
fn callbacks_that_each_burn_much_are_few() {
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
    assert_eq!(faults(&world.effects()), [], "none of them was too long");
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
    // More comes while the rest still waits, and is behind it.
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
fn the_storm_of_one_plugin_does_not_hold_anothers_request() {
    let mut world = World::new();
    let limits = Limits { callbacks_per_event: 100, ..Limits::default() };
    let attacker = world.add(limits, &storm(&format!("(drop {}) (drop {})", put(0), put(0))));
    let victim = world.add(Limits::default(), &[on("proxy_on_request_headers", "")]);
    world.proxy.foreign_function(attacker, 0, "");
    for _ in 0..10 {
        world.effects();
        world.get(&[victim]);
        assert_eq!(crate::support::forwarded(&world.effects()).len(), 1, "in the same call");
    }
}

#[test]
fn messages_of_a_server_that_come_in_a_storm_cost_one_callback_each() {
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
    assert!(world.seen.answers(plugin, "grpc_send", Status::INTERNAL_FAILURE) > 0, "nobody drains them");
    world.check_charged(plugin, limits);
    let weight = weight(&world.effects());
    assert!(weight <= 2 * MIB, "{weight} bytes to drain");
    world.proxy.grpc_event(stream, GrpcEvent::Closed { status: 0, message: String::new() });
}

#[test]
fn answers_that_make_calls_do_not_end_in_one_event() {
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
        // What is called when a call times out is not due before a millisecond later.
        world.proxy.advance(Duration::from_secs(1));
        assert_eq!(world.seen.callbacks(plugin, "proxy_on_http_call_response"), due, "in round {round}");
    }
    world.effects();
    world.get(&[plugin]);
    assert_eq!(crate::support::forwarded(&world.effects()).len(), 1, "a request passes");
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
