//! One account of host memory per plugin: whatever a plugin fills, by many small things or few large ones, in one callback or
//! over many streams, it is within `Limits::host_memory`. `tests/memory.rs` compares the account with the allocator.

use std::time::Duration;

use pw_abi::{Status, Version};
use pw_host::{Canary, Effect, FailurePolicy, Limits, Piece, PluginConfig, PluginId, Reload, StreamId};

use crate::support::{
    MIB, World, ask, body, call, compile, ended, faults, forever, headers, on, pairs, put, queue, repeat, response,
    returning, said, say, status, weight,
};

/// What the plugins here may have. Their fuel is enough to ask for many times as much.
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

/// A plugin that calls something `times` times in one callback of a stream, with `$i` at address 0 before each.
fn greedy(world: &mut World, times: usize, each: &str, more: &[String]) -> PluginId {
    let each = format!("(i32.store (i32.const 0) (local.get $i)) {each}");
    let parts = [MEMORY.to_owned(), on("proxy_on_request_headers", &repeat(times, &each))];
    world.add(LIMITS, &[&parts, more].concat())
}

/// Beyond the limit a call answers INTERNAL_FAILURE; and what came out before is within it.
#[track_caller]
fn check_refused(function: &str, times: usize, each: &str, more: &[String]) {
    let mut world = World::new();
    let plugin = greedy(&mut world, times, each, more);
    world.get(&[plugin]);
    world.check_charged(plugin, LIMITS);
    let weight = weight(&world.effects());
    assert!(weight <= 2 * MIB, "{weight} bytes to drain");
    assert!(world.seen.answers(plugin, function, Status::OK) > 0, "some calls of {function} are fine");
    let refused = world.seen.answers(plugin, function, Status::INTERNAL_FAILURE);
    assert!(refused > 0, "no call of {function} is refused");
}

#[test]
fn queue_items_without_a_byte() {
    let each = format!("(drop {})", put(0));
    check_refused("enqueue_shared_queue", 100_000, &each, &[queue()]);
}

#[test]
fn queue_items_of_a_byte() {
    let each = format!("(drop {})", put(1));
    check_refused("enqueue_shared_queue", 100_000, &each, &[queue()]);
}

#[test]
fn large_queue_items() {
    let each = format!("(drop {})", put(100_000));
    check_refused("enqueue_shared_queue", 50, &each, &[queue()]);
}

#[test]
fn queues_with_long_names() {
    check_refused("register_shared_queue", 50, &call("register_shared_queue", &[0, 100_000, 4]), &[]);
}

#[test]
fn queues_with_short_names() {
    check_refused("register_shared_queue", 50_000, &call("register_shared_queue", &[0, 4, 8]), &[]);
}

#[test]
fn keys_of_shared_data_without_values() {
    check_refused("set_shared_data", 100_000, &call("set_shared_data", &[0, 4, 0, 0, 0]), &[]);
}

#[test]
fn large_values_of_shared_data() {
    check_refused("set_shared_data", 50, &call("set_shared_data", &[0, 4, 0, 100_000, 0]), &[]);
}

#[test]
fn long_names_of_metrics() {
    check_refused("define_metric", 50, &call("define_metric", &[0, 0, 100_000, 8]), &[]);
}

#[test]
fn short_names_of_metrics() {
    check_refused("define_metric", 50_000, &call("define_metric", &[1, 0, 4, 8]), &[]);
}

#[test]
fn properties_without_values() {
    check_refused("set_property", 50_000, &call("set_property", &[0, 4, 0, 0]), &[]);
}

#[test]
fn large_properties() {
    check_refused("set_property", 50, &call("set_property", &[0, 4, 0, 100_000]), &[]);
}

#[test]
fn http_calls_with_large_bodies() {
    let each = format!("(drop {})", ask(100_000, 1000));
    check_refused("http_call", 50, &each, &[]);
}

#[test]
fn http_calls_without_bodies() {
    let each = format!("(drop {})", ask(0, 1000));
    check_refused("http_call", 20_000, &each, &[]);
}

/// The arguments of a gRPC stream without metadata.
fn stream() -> (String, String) {
    let (metadata, size) = pairs(0x400, &[]);
    (metadata, status("grpc_stream", &[16, 8, 16, 8, 16, 8, 0x400, size, 8]))
}

#[test]
fn grpc_streams_that_are_opened_and_cancelled() {
    let (metadata, open) = stream();
    let each = format!("(drop {open}) (drop (call $grpc_cancel (i32.load (i32.const 8))))");
    check_refused("grpc_stream", 50_000, &each, &[metadata]);
}

#[test]
fn large_grpc_messages() {
    let (metadata, open) = stream();
    let opens = on("proxy_on_configure", &format!("(drop {open})"));
    check_refused("grpc_send", 50, &call("grpc_send", &[1, 0, 100_000, 0]), &[metadata, opens]);
}

#[test]
fn empty_grpc_messages() {
    let (metadata, open) = stream();
    let opens = on("proxy_on_configure", &format!("(drop {open})"));
    check_refused("grpc_send", 50_000, &call("grpc_send", &[1, 0, 0, 0]), &[metadata, opens]);
}

#[test]
fn grpc_calls_with_long_names_of_services() {
    let (metadata, size) = pairs(0x400, &[]);
    let call = call("grpc_call", &[16, 8, 0x10000, 100_000, 16, 8, 0x400, size, 0, 0, 0, 8]);
    // The name is made of NULs where names are not checked; where they are, of letters.
    let letters = on("proxy_on_configure", "(memory.fill (i32.const 0x10000) (i32.const 97) (i32.const 100000))");
    check_refused("grpc_call", 50, &call, &[metadata, letters]);
}

#[test]
fn headers_that_plugins_add() {
    let letters = on("proxy_on_configure", "(memory.fill (i32.const 0x10000) (i32.const 97) (i32.const 100000))");
    check_refused("add_header_map_value", 50, &call("add_header_map_value", &[0, 16, 8, 0x10000, 100_000]), &[letters]);
}

/// What a plugin is charged that adds that many fields to a request.
fn charged_for_fields(fields: usize) -> usize {
    let mut world = World::new();
    // Names of four letters and digits.
    let digit = |at: usize, shift: usize| {
        let digit = format!("(i32.and (i32.shr_u (local.get $i) (i32.const {shift})) (i32.const 15))");
        format!("(i32.store8 (i32.const {at}) (i32.add (i32.const 97) {digit}))")
    };
    let name: String = (0..4).map(|at| digit(at, 4 * at)).collect();
    let add = format!("(if {} (then unreachable))", status("add_header_map_value", &[0, 0, 4, 16, 8]));
    let parts = [MEMORY.to_owned(), returning("proxy_on_request_headers", &repeat(fields, &(name + &add)), 1)];
    let plugin = world.add(Limits { host_memory: 64 * MIB, ..LIMITS }, &parts);
    world.get(&[plugin]);
    assert_eq!(world.seen.answers(plugin, "add_header_map_value", Status::OK), fields);
    world.proxy.charged(plugin).expect("it is there")
}

#[test]
fn many_fields_are_charged_in_proportion_to_their_number() {
    let (some, many) = (charged_for_fields(2000), charged_for_fields(20_000));
    assert!(some >= 2000 * 12, "{some} bytes for names and values of 24,000");
    assert!((5 * some..20 * some).contains(&many), "{some} bytes for 2000 fields, {many} for ten times as many");
}

#[test]
fn a_body_that_a_plugin_makes_larger() {
    let mut world = World::new();
    let grow = repeat(50, &call("set_buffer_bytes", &[0, 0, 0, 0, 100_000]));
    let plugin = world.add(LIMITS, &[MEMORY.to_owned(), on("proxy_on_request_body", &grow)]);
    let stream = world.open(&[plugin]);
    world.proxy.request(stream, headers(false));
    world.proxy.request(stream, Piece::body("body", true));
    assert!(world.seen.answers(plugin, "set_buffer_bytes", Status::INTERNAL_FAILURE) > 0);
    let bytes = body(&world.effects(), true).len();
    assert!(bytes <= MIB, "{bytes} bytes");
}

#[test]
fn a_large_local_response() {
    let mut world = World::new();
    let answer = call("send_local_response", &[403, 0, 0, 0, 2 * MIB as u32, 0, 0, u32::MAX]);
    let plugin = world.add(LIMITS, &[MEMORY.to_owned(), on("proxy_on_request_headers", &answer)]);
    world.get(&[plugin]);
    assert_eq!(world.seen.answers(plugin, "send_local_response", Status::INTERNAL_FAILURE), 1);
    assert_eq!(body(&world.effects(), false), b"");
}

#[test]
fn one_callback_answers_many_streams() {
    let mut world = World::new();
    let answer = call("send_local_response", &[403, 0, 0, 0, 100_000, 0, 0, u32::MAX]);
    let context = "(drop (call $set_effective_context (i32.add (local.get $i) (i32.const 2))))";
    let parts = [
        MEMORY.to_owned(),
        returning("proxy_on_request_headers", "", 1),
        on("proxy_on_foreign_function", &repeat(30, &format!("{context} {answer}"))),
    ];
    let plugin = world.add(LIMITS, &parts);
    for _ in 0..30 {
        world.get(&[plugin]);
    }
    world.proxy.foreign_function(plugin, 0, "");
    world.check_charged(plugin, LIMITS);
    let weight = weight(&world.effects());
    assert!(weight <= 2 * MIB, "{weight} bytes");
    assert!(world.seen.answers(plugin, "send_local_response", Status::INTERNAL_FAILURE) > 0);
}

/// Log lines have no status that says so: they are dropped.
#[track_caller]
fn check_log(size: u32, times: usize) {
    let mut world = World::new();
    let plugin = greedy(&mut world, times, &call("log", &[2, 0, size]), &[]);
    world.get(&[plugin]);
    world.check_charged(plugin, LIMITS);
    let effects = world.effects();
    let weight = weight(&effects);
    assert!(weight <= 2 * MIB, "{weight} bytes to drain");
    let lines = |effects: &[Effect]| effects.iter().filter(|effect| matches!(effect, Effect::Log { .. })).count();
    assert!((1..times).contains(&lines(&effects)), "{} lines", lines(&effects));
    world.get(&[plugin]);
    assert!(lines(&world.effects()) > 0, "when they are drained there is room again");
}

#[test]
fn log_lines_without_a_byte() {
    check_log(0, 50_000);
}

#[test]
fn large_log_lines() {
    check_log(100_000, 50);
}

#[test]
fn lines_that_each_tick_logs() {
    let mut world = World::new();
    let parts = [
        MEMORY.to_owned(),
        on("proxy_on_configure", &call("set_tick_period_milliseconds", &[1])),
        on("proxy_on_tick", &call("log", &[2, 0, 50_000])),
    ];
    let plugin = world.add(LIMITS, &parts);
    for _ in 0..1000 {
        world.proxy.advance(Duration::from_millis(1));
    }
    assert_eq!(world.seen.callbacks(plugin, "proxy_on_tick"), 1000);
    world.check_charged(plugin, LIMITS);
    let weight = weight(&world.effects());
    assert!(weight <= 2 * MIB, "{weight} bytes to drain");
}

#[test]
fn routes_that_are_cleared_again_and_again() {
    let mut world = World::new();
    let parts = [on("proxy_on_request_headers", &repeat(100_000, &call("clear_route_cache", &[]))).replacen(
        "(param i32 i32 i32)",
        "(param i32 i32)",
        1,
    )];
    let module = compile(&world.engine, Version::V0_1_0, &parts);
    let plugin = world.start(&module, PluginConfig { limits: LIMITS, ..PluginConfig::default() });
    world.get(&[plugin]);
    world.check_charged(plugin, LIMITS);
    let weight = weight(&world.effects());
    assert!(weight <= 2 * MIB, "{weight} bytes to drain");
}

#[test]
fn closing_and_continuing_again_and_again() {
    for (function, args) in [("continue_stream", 0), ("close_stream", 0), ("continue_stream", 1)] {
        let mut world = World::new();
        let parts = [
            returning("proxy_on_request_headers", "", 1),
            on(
                "proxy_on_foreign_function",
                &(call("set_effective_context", &[2]) + &forever(&call(function, &[args]))),
            ),
        ];
        let plugin = world.add(Limits { fuel: 10_000_000, ..LIMITS }, &parts);
        world.get(&[plugin]);
        world.proxy.foreign_function(plugin, 0, "");
        let effects = world.finish();
        assert_eq!(faults(&effects), [plugin], "{function}");
        assert!(effects.len() < 10, "{} effects of {function}", effects.len());
    }
}

/// Streams whose contexts their plugin does not let go are kept up to the limit, however few contexts that is.
#[track_caller]
fn check_pending(more: &[String], bytes: usize) {
    let mut world = World::new();
    let parts = [MEMORY.to_owned(), returning("proxy_on_done", "", 0)];
    let plugin = world.add(LIMITS, &[&parts, more].concat());
    for _ in 0..200 {
        let stream = world.open(&[plugin]);
        world.proxy.request(stream, headers(false));
        world.proxy.request(stream, Piece::body(vec![b'x'; 60_000], false));
        world.proxy.downstream_reset(stream);
        world.finish();
        world.check_charged(plugin, LIMITS);
    }
    let contexts = world.proxy.usage().contexts;
    assert!(contexts > 1, "some are kept");
    assert!((contexts - 1) * bytes <= MIB, "{contexts} contexts, each with {bytes} bytes");
    assert!(contexts > MIB / (2 * bytes + 4000), "{contexts} contexts: each costs far more than {bytes} bytes");
}

#[test]
fn bodies_of_streams_that_are_pending() {
    check_pending(&[returning("proxy_on_request_body", "", 1)], 60_000);
}

#[test]
fn properties_of_streams_that_are_pending() {
    let set = call("set_property", &[16, 7, 0, 20_000]);
    check_pending(&[on("proxy_on_request_headers", &set)], 20_000);
}

#[test]
fn headers_of_streams_that_are_pending() {
    let add = call("add_header_map_value", &[0, 16, 8, 0x10000, 20_000]);
    let letters = on("proxy_on_configure", "(memory.fill (i32.const 0x10000) (i32.const 97) (i32.const 20000))");
    check_pending(&[on("proxy_on_request_headers", &add), letters], 20_000);
}

#[test]
fn metrics_go_with_the_last_plugin_of_their_vm_id() {
    let mut world = World::new();
    let module = world.module(&[on("proxy_on_configure", &call("define_metric", &[0, 16, 8, 8]))]);
    let config = PluginConfig { vm_id: "a".to_owned(), ..PluginConfig::default() };
    let [first, second] = [(); 2].map(|()| world.start(&module, config.clone()));
    world.proxy.remove_plugin(first);
    world.finish();
    assert_eq!(world.proxy.metrics().len(), 1, "the second is there");
    world.proxy.remove_plugin(second);
    world.finish();
    assert_eq!(world.proxy.metrics().len(), 0);
    assert_eq!(world.proxy.usage().charged, 0);
}

/// A plugin that leaves shared data, a queue with an item and a metric when it starts, and traps when it is told to.
fn leaves() -> Vec<String> {
    let enqueue = format!("(drop {})", put(8));
    let all = call("set_shared_data", &[16, 8, 16, 8, 0]) + &call("define_metric", &[0, 16, 8, 8]);
    let start = on("proxy_on_vm_start", &all);
    vec![queue(), start, on("proxy_on_request_headers", &enqueue), on("proxy_on_foreign_function", "unreachable")]
}

#[test]
fn what_outlives_plugins_goes_with_the_last_that_is_given_up() {
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
            assert_eq!((waiting.shared_data, waiting.queued), (before.shared_data, before.queued), "it comes back");
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
fn what_a_terminated_plugin_leaves_is_released() {
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
fn one_plugins_account_is_not_anothers() {
    let mut world = World::new();
    let attacker = greedy(&mut world, 50, &call("log", &[2, 0, 100_000]), &[]);
    let victim = world.add(LIMITS, &[on("proxy_on_request_headers", &say("(i32.const 7)"))]);
    world.get(&[attacker]);
    world.get(&[victim]);
    assert_eq!(said(&world.effects(), victim), [7]);
    assert_eq!(world.proxy.charged(victim).map(|bytes| bytes < MIB / 2), Some(true));
}

#[test]
fn what_a_vm_id_shares_is_one_account_for_all_of_its_plugins() {
    let mut world = World::new();
    let plugins: Vec<_> = (0..20)
        .map(|number| {
            // Each has keys of its own.
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
    let refused = |plugin: &PluginId| world.seen.answers(*plugin, "set_shared_data", Status::INTERNAL_FAILURE);
    assert_eq!(plugins.iter().map(refused).sum::<usize>(), 20 * 8 - 10, "ten values of 100,000 bytes fit into a MiB");
}

#[test]
fn informational_responses_count_as_what_is_held() {
    let mut world = World::new();
    let limits = Limits { held: MIB, host_memory: 256 * MIB, ..LIMITS };
    let plugin = world.add(limits, &[returning("proxy_on_response_headers", "", 1)]);
    let stream = world.get(&[plugin]);
    let large = Piece::headers(crate::support::request(&[(":status", "103"), ("x-a", &"v".repeat(50_000))]), false);
    world.proxy.response(stream, response("103", false));
    for _ in 0..100 {
        world.proxy.response(stream, large.clone());
    }
    assert_eq!(ended(&world.finish()), 1, "5 MB of headers are too much");
}

#[test]
fn empty_pieces_count_as_what_is_held() {
    let mut world = World::new();
    let limits = Limits { held: MIB, host_memory: 256 * MIB, ..LIMITS };
    let plugin = world.add(limits, &[returning("proxy_on_request_headers", "", 1)]);
    let stream = world.open(&[plugin]);
    world.proxy.request(stream, headers(false));
    for _ in 0..200_000 {
        world.proxy.request(stream, Piece::body("", false));
    }
    assert_eq!(ended(&world.finish()), 1, "200,000 pieces take more than a MiB");
}

#[test]
fn a_copy_that_empties_each_piece_keeps_none() {
    let mut world = World::new();
    let module = world.module(&[on("proxy_on_request_body", &call("set_buffer_bytes", &[0, 0, u32::MAX >> 1, 0, 0]))]);
    let config = PluginConfig { log_only: true, limits: LIMITS, ..PluginConfig::default() };
    let plugin = world.start(&module, config);
    let stream = world.open(&[plugin]);
    world.proxy.request(stream, headers(false));
    for _ in 0..200 {
        world.proxy.request(stream, Piece::body(vec![b'x'; 60_000], false));
        assert_eq!(body(&world.effects(), true).len(), 60_000, "the stream itself goes on");
        world.check_charged(plugin, LIMITS);
    }
}

#[test]
fn a_copy_that_pauses_does_not_keep_more_than_its_account() {
    let mut world = World::new();
    let module = world.module(&[returning("proxy_on_request_body", "", 1)]);
    let config = PluginConfig { log_only: true, limits: LIMITS, ..PluginConfig::default() };
    let plugin = world.start(&module, config);
    let streams: Vec<StreamId> = (0..20).map(|_| world.open(&[plugin])).collect();
    for stream in streams {
        world.proxy.request(stream, headers(false));
        for _ in 0..4 {
            world.proxy.request(stream, Piece::body(vec![b'x'; 60_000], false));
            assert_eq!(body(&world.effects(), true).len(), 60_000, "the stream itself goes on");
            world.check_charged(plugin, LIMITS);
        }
    }
}

#[test]
fn a_canary_has_an_account_too() {
    let mut world = World::new();
    let calm = world.module(&[on("proxy_on_request_headers", "")]);
    let loud =
        world.module(&[MEMORY.to_owned(), on("proxy_on_request_headers", &repeat(50, &call("log", &[2, 0, 100_000])))]);
    let plugin = world.start(&calm, PluginConfig { limits: LIMITS, ..PluginConfig::default() });
    let how = Canary { share: 100, faults: 100 };
    let config = PluginConfig { limits: LIMITS, ..PluginConfig::default() };
    let canary = world.proxy.canary(plugin, &loud, config, how).expect("it starts");
    for _ in 0..5 {
        world.get(&[plugin]);
    }
    world.check_charged(canary, LIMITS);
    let weight = weight(&world.effects());
    assert!(weight <= 2 * MIB, "{weight} bytes to drain");
}

#[test]
fn what_is_drained_is_released() {
    let mut world = World::new();
    let plugin = greedy(&mut world, 5, &call("log", &[2, 0, 100_000]), &[]);
    let idle = world.proxy.charged(plugin).expect("it is there");
    let stream = world.get(&[plugin]);
    assert!(world.proxy.charged(plugin).is_some_and(|bytes| (500_000..=MIB).contains(&bytes)));
    world.effects();
    world.proxy.response(stream, response("200", true));
    world.effects();
    assert_eq!(world.proxy.charged(plugin), Some(idle), "as before the stream");
}

#[test]
fn what_waits_in_effects_is_released_when_its_plugin_is_gone() {
    let mut world = World::new();
    let plugin = greedy(&mut world, 5, &call("log", &[2, 0, 100_000]), &[]);
    world.get(&[plugin]);
    let charged = world.proxy.usage().charged;
    assert!((500_000..=MIB).contains(&charged), "{charged} bytes are charged for five lines of 100,000 bytes");
    world.proxy.terminate_plugin(plugin);
    let weight = weight(&world.effects());
    assert!((500_000..MIB).contains(&weight), "{weight} bytes");
    assert_eq!(world.proxy.usage().charged, 0, "all is drained");
}

#[test]
fn properties_over_many_streams() {
    let mut world = World::new();
    let parts = [MEMORY.to_owned(), on("proxy_on_request_headers", &call("set_property", &[16, 7, 0, 20_000]))];
    let plugin = world.add(LIMITS, &parts);
    for _ in 0..200 {
        world.get(&[plugin]);
        world.effects();
        world.check_charged(plugin, LIMITS);
    }
    assert!(world.seen.answers(plugin, "set_property", Status::INTERNAL_FAILURE) > 100);
}
