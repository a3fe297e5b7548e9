//! Plugins that crash, hang and hoard in ways that need little of the host; and what starts, ends and names of plugins have to
//! do with that.

use pw_abi::Version;
use pw_host::{Limits, Reload};
use std::time::Duration;

use super::text::{BIG, COUNT, MIB, NAME, NEXT, OUT, OUT_SIZE, call, crash_after, forever, repeat, status};
use super::{Kind, kind};

const CREATE: &str = "proxy_on_context_create";
const DONE: &str = "proxy_on_done";
/// Of a stream's context, not of the plugin's own.
const CRASH_FOR_STREAMS: &str = "(if (local.get 1) (then unreachable))";

pub(super) fn kinds() -> Vec<Kind> {
    let path = status("get_header_map_value", &[0, 32, 5, OUT, OUT_SIZE]);
    let noise = call("log", &[2, 16, 8]);
    vec![
        kind("crashes").request("unreachable"),
        kind("hangs").burning().request(&forever("")),
        kind("recurses without end")
            .request("(drop (call $deep (i32.const 1)))")
            .with("(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))"),
        kind("calls the host from deep in its stack").request("(drop (call $deep (i32.const 1)))").with(&format!(
            "(func $deep (param i32) (result i32) (drop {path}) (i32.add (i32.const 1) (call $deep (local.get 0))))"
        )),
        kind("exits").request(&call("proc_exit", &[7])),
        kind("crashes in a tick").tick(1, "unreachable"),
        kind("crashes in proxy_on_done").on(DONE, "unreachable"),
        kind("crashes in proxy_on_log").on("proxy_on_log", "unreachable"),
        kind("crashes in proxy_on_delete").on("proxy_on_delete", "unreachable"),
        kind("crashes in proxy_on_context_create").on(CREATE, CRASH_FOR_STREAMS),
        kind("crashes on a copy of a stream").on(CREATE, CRASH_FOR_STREAMS).tuned(|config| config.log_only = true),
        kind("crashes with a long reason").with(&format!(
            "(func (@name \"{}\") (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) unreachable)",
            "\\1b[2J".repeat(20_000)
        )),
        kind("wants all memory").request("(loop $more (br_if $more (call $hoard))) unreachable"),
        kind("keeps all memory").request("(drop (call $hoard))"),
        kind("grows its tables").with("(table $all 1 funcref)").request(
            "(loop $more (br_if $more (i32.ne (i32.const -1) (table.grow $all (ref.null func) (i32.const 100)))))",
        ),
        kind("uses bad pointers").request(
            &[
                call("get_header_map_value", &[0, u32::MAX - 7, 64, 0, 4]),
                call("get_header_map_value", &[0, 32, 5, u32::MAX, u32::MAX]),
                call("set_shared_data", &[BIG + MIB - 6, u32::MAX, 0, u32::MAX, 0]),
                call("log", &[2, BIG + MIB - 1, 2]),
                call("fd_write", &[1, BIG, u32::MAX, OUT]),
                "(drop (i32.load (i32.const -8)))".to_owned(),
            ]
            .concat(),
        ),
        Kind {
            allocate: "(if (i32.eq (call $next) (i32.const 1)) (then (return (i32.const -8))))
                (if (i32.eq (global.get $count) (i32.const 2)) (then (return (i32.const 0))))
                (drop (call $get_header_map_value
                    (i32.const 0) (i32.const 32) (i32.const 5) (i32.const 72) (i32.const 76)))
                unreachable",
            ..kind("allocates badly").request(&forever(&format!("(drop {path})")))
        },
        starts_once("starts once only"),
        starts_once("is given up after three starts").tuned(|config| {
            let (base, max) = (Duration::ZERO, Duration::ZERO);
            config.failure.reload = Some(Reload { base, max, limit: 3 });
        }),
        kind("hangs in its start section").with("(func $hang (loop $again (br $again))) (start $hang)"),
        kind("logs too much in its start section")
            .request(&crash_after(8))
            .with(&format!("(func $noise (local $i i32) {}) (start $noise)", repeat(10_005, &noise))),
        kind("has limits of zero").request("unreachable").tuned(|config| config.limits = ZERO),
        kind("has the largest limits").request("unreachable").tuned(|config| {
            let Limits { memory, host_memory, callbacks_per_event, .. } = config.limits;
            config.limits = Limits { memory, host_memory, callbacks_per_event, ..LARGEST };
        }),
        kind("calls a foreign function that panics")
            .request(&call("call_foreign_function", &[NAME[0], NAME[1], 0, 0, OUT, OUT_SIZE])),
        kind("has no VM id").request("unreachable").tuned(|config| config.vm_id.clear()),
        kind("is never done").returning(DONE, "", 0).request(&crash_after(32)),
        odd_callback(),
        kind("holds its requests").returning("proxy_on_request_headers", "", 1),
    ]
}

/// It starts if it has not been started before.
fn starts_once(name: &'static str) -> Kind {
    let (share, [key, size]) = (call("set_shared_data", &[NAME[0], NAME[1], NAME[0], NAME[1], 0]), NAME);
    let shared = status("get_shared_data", &[key, size, OUT, OUT_SIZE, COUNT]);
    kind(name)
        .request("unreachable")
        .on("proxy_on_configure", &format!("(if (i32.eqz {shared}) (then (return (i32.const 0)))) {share}"))
}

/// v0.1.0 does not have this callback: what its type is does not matter.
fn odd_callback() -> Kind {
    let version = Version::V0_1_0;
    Kind { version, ..kind("exports a callback of an odd type") }
        .request(&format!("(drop {NEXT}) unreachable"))
        .with("(func (export \"proxy_on_foreign_function\") (param i32 i32 i32 i32 i32 i32 i32) unreachable)")
}

const LARGEST: Limits = Limits {
    memory: usize::MAX,
    table_elements: usize::MAX,
    fuel: u64::MAX,
    epochs: u64::MAX,
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
    host_memory: usize::MAX,
    callbacks_per_event: usize::MAX,
};

const ZERO: Limits = Limits {
    memory: 0,
    table_elements: 0,
    fuel: 0,
    epochs: 0,
    log_lines: 0,
    log_bytes: 0,
    held: 0,
    fields: 0,
    shared_data: 0,
    queue: 0,
    queues: 0,
    metrics: 0,
    calls: 0,
    pending: 0,
    properties: 0,
    property_source: 0,
    host_memory: 0,
    callbacks_per_event: 0,
};
