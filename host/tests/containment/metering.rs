//! The host's work for a plugin is metered: each call costs fuel, and so does each byte that it reads or writes.

use pw_abi::Version;
use pw_host::{Limits, Piece, PluginConfig};

use crate::support::{MIB, World, call, compile, faults, forever, headers, on, pairs, repeat, status, weight};

/// Units of fuel that each call into a plugin has here.
const FUEL: u64 = 1_000_000;
/// Bytes that the host may read or write for a unit of fuel: many more than a copy moves in the time of an instruction.
const BYTES_PER_UNIT: u64 = 64;
/// Minimum fuel of a call: the transition to the host and back takes longer than as many instructions.
const UNITS_PER_CALL: u64 = 15;

const HEADERS: &str = "proxy_on_request_headers";
const BODY: &str = "proxy_on_request_body";

fn limits() -> Limits {
    Limits { fuel: FUEL, ..Limits::default() }
}

/// Runs a callback of a request that does something and then calls one function until it is stopped. The number of calls.
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
    assert_eq!(faults(&effects), [plugin], "it is not stopped");
    let calls = world.seen.calls(plugin, function) as u64;
    assert!(calls > 0, "{function} is called");
    calls
}

/// A callback is stopped before the host has read or written more bytes than its fuel allows.
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
        assert_eq!(faults(&world.finish()), [plugin], "it is not stopped");
        // Each of the 5000 costs at least a unit.
        let allowed = FUEL / 5000 + 1;
        let calls = world.seen.calls(plugin, function) as u64;
        assert!(0 < calls && calls <= allowed, "{calls} calls of {function}, of at most {allowed}");
        check_calls(function, calls, bytes);
    }
}

#[test]
fn changing_a_byte_of_a_large_body_costs_fuel() {
    // A byte is inserted at its front, so that all of it moves.
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

/// Sets the request's headers to these and others. The number of times until it is stopped.
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

/// One call can be more work than a callback may do.
#[test]
fn a_call_beyond_the_fuel_is_not_done() {
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

/// Ten times the length costs about ten times as much: neither the same nor a hundred times as much.
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
fn a_rejected_call_costs_fuel() {
    check_metered("log", &[99, 0, 0], 0, &[]);
}

#[test]
fn a_missing_value_costs_fuel() {
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

/// An address at which nothing else is.
fn allocator() -> String {
    "(func (export \"malloc\") (param i32) (result i32) (i32.const 0x80000))".to_owned()
}
