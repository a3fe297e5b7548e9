//! Plugins that fill the host's memory, or make it work: by many small things, few large ones, or again and again.

use super::text::{
    BIG, COUNT, MIB, NEXT, OUT, OUT_SIZE, answer, ask, call, crash_after, enqueue, forever, grpc, register, repeat,
    status, until_refused,
};
use super::{Kind, kind};

const BODY: &str = "proxy_on_request_body";
const CONFIGURE: &str = "proxy_on_configure";
const DONE: &str = "proxy_on_done";
const HEADERS: &str = "proxy_on_request_headers";
const QUEUE: &str = "proxy_on_queue_ready";
/// Metadata of gRPC without an entry.
const NONE: [u32; 2] = [BIG, 4];
/// A name of gRPC's.
const NAME: [u32; 2] = [16, 8];
const KIB: usize = 1 << 10;

pub(super) fn kinds() -> Vec<Kind> {
    [filling(), calling(), holding(), working()].into_iter().flatten().collect()
}

/// What calls leave in the host.
fn filling() -> Vec<Kind> {
    let lines = |level, size, lines| repeat(lines, &call("log", &[level, BIG, size]));
    let numbered = format!("(i32.store (i32.const {BIG}) (i32.load (i32.const {COUNT})))");
    let long_metric = format!("(block (result i32) {numbered} {})", status("define_metric", &[0, BIG, MIB / 2, OUT]));
    vec![
        kind("floods the log").request(&lines(2, 128, 1_000)),
        kind("logs long lines that nobody reads").request(&lines(0, MIB, 20)),
        kind("logs in each tick").tick(5, &lines(2, 16_384, 100)),
        kind("floods its queue").on(CONFIGURE, &register()).request(&until_refused(&enqueue(128))),
        kind("floods its queue with nothing").on(CONFIGURE, &register()).request(&until_refused(&enqueue(0))),
        kind("floods shared data").request(&until_refused(&status("set_shared_data", &[COUNT, 4, 0, 128, 0]))),
        kind("floods the metrics").request(&until_refused(&status("define_metric", &[0, COUNT, 4, OUT]))),
        kind("gives metrics long names").request(&until_refused(&long_metric)),
        kind("floods properties").request(&until_refused(&status("set_property", &[COUNT, 4, 0, 128]))),
        kind("asks for a property by a long path")
            .request(&repeat(8, &call("get_property", &[BIG, MIB, OUT, OUT_SIZE]))),
        kind("sets many fields").request(&many_fields()),
        kind("answers at length").request(&format!("(drop {})", answer(MIB))),
        kind("answers all its streams in a tick").returning(HEADERS, "", 1).tick(
            10,
            &repeat(256, &format!("(drop (call $set_effective_context (local.get $i))) (drop {})", answer(MIB / 4))),
        ),
    ]
}

/// A map of many names of one byte.
fn many_fields() -> String {
    const FIELDS: u32 = 40_000;
    let at = |start, each| format!("(i32.add (i32.const {start}) (i32.mul (local.get $i) (i32.const {each})))");
    let (sizes, names) = (BIG + 4, BIG + 4 + 8 * FIELDS);
    let pair = format!("(i32.store {} (i32.const 1)) (i32.store8 {} (i32.const 120))", at(sizes, 8), at(names, 3));
    let write = format!("(i32.store (i32.const {BIG}) (i32.const {FIELDS})) {}", repeat(FIELDS, &pair));
    write + &call("set_header_map_pairs", &[0, BIG, 4 + 11 * FIELDS])
}

/// Calls to others.
fn calling() -> Vec<Kind> {
    let (open, again) = (grpc(NAME, NONE), ask(0, 3));
    let send = |size| {
        format!("(call $grpc_send (i32.load (i32.const {OUT})) (i32.const {BIG}) (i32.const {size}) (i32.const 0))")
    };
    vec![
        kind("makes calls and crashes").request(&format!("{} unreachable", until_refused(&ask(0, 0)))),
        kind("makes calls with large bodies").request(&until_refused(&ask(MIB, 1_000))),
        kind("calls again when a call has timed out")
            .request(&repeat(20, &format!("(drop {again})")))
            .on("proxy_on_http_call_response", &format!("(drop {again})")),
        kind("opens and cancels gRPC streams")
            .request(&repeat(2_000, &format!("(drop {open}) (drop (call $grpc_cancel (i32.load (i32.const {OUT}))))"))),
        kind("sends large messages by gRPC").request(&format!("(drop {open}) {}", until_refused(&send(MIB)))),
        kind("sends empty messages by gRPC")
            .request(&format!("(drop {open}) {}", repeat(2_000, &format!("(drop {})", send(0))))),
        kind("crashes when gRPC answers").request(&format!("(drop {open})")).on("proxy_on_grpc_receive", "unreachable"),
    ]
}

/// What stays after a stream has ended, and what waits in it.
fn holding() -> Vec<Kind> {
    vec![
        kind("keeps contexts, and crashes").returning(DONE, "", 0).request(&crash_after(64)),
        kind("keeps bodies of ended streams, and crashes")
            .body(128 * KIB)
            .returning(BODY, "", 1)
            .returning(DONE, "", 0)
            .request(&crash_after(64)),
        kind("keeps properties of ended streams, and crashes")
            .returning(DONE, "", 0)
            .request(&(crash_after(64) + &call("set_property", &[COUNT, 4, BIG, 12 << 10]))),
        kind("empties bodies of copies")
            .body(256 * KIB)
            .on(BODY, &call("set_buffer_bytes", &[0, 0, u32::MAX, 0, 0]))
            .tuned(|config| config.log_only = true),
        kind("makes bodies larger")
            .body(64 * KIB)
            .on(BODY, &until_refused(&status("set_buffer_bytes", &[0, u32::MAX, 0, BIG, 128 << 10]))),
        kind("crashes on a body that it holds").body(64 * KIB).returning(
            BODY,
            "(if (local.get 2) (then unreachable))",
            1,
        ),
    ]
}

/// Work that a call or an event leads to.
fn working() -> Vec<Kind> {
    let take = call("dequeue_shared_queue", &[0, OUT_SIZE, COUNT]).replacen(
        "(i32.const 0)",
        &format!("(i32.load (i32.const {OUT}))"),
        1,
    );
    let put = format!("(drop {})", enqueue(8));
    let spin = "(loop $spin (br_if $spin (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1)))
        (i32.const 300000))))";
    vec![
        kind("fills its memory with random bytes").burning().request(&forever(&call("random_get", &[BIG, MIB]))),
        kind("changes one byte of a body again and again").burning().body(256 * KIB).returning(
            BODY,
            &format!("(if (local.get 2) (then {}))", forever(&call("set_buffer_bytes", &[0, 0, 1, BIG, 1]))),
            1,
        ),
        kind("reads its headers again and again")
            .burning()
            .request(&forever(&call("get_header_map_pairs", &[0, OUT, OUT_SIZE]))),
        kind("writes nothing many times").request(&call("fd_write", &[1, BIG, MIB / 8, OUT])),
        Kind { version: pw_abi::Version::V0_1_0, ..kind("clears the route again and again") }
            .burning()
            .request(&forever("(call $clear_route_cache)")),
        kind("continues again and again").returning(HEADERS, &repeat(10_000, &call("continue_stream", &[0])), 1),
        kind("fills its queue when an item is ready, and crashes")
            .on(CONFIGURE, &register())
            .request(&put)
            .on(QUEUE, &format!("{} {take} {put} {put}", crash_after(500))),
        kind("works on an item as long as it may, and crashes")
            .burning()
            .on(CONFIGURE, &register())
            .request(&put)
            .on(QUEUE, &format!("{} {take} {put} {spin}", crash_after(40))),
        kind("looks for others' contexts").request(&repeat(
            1_000,
            &format!(
                "(drop (call $set_effective_context (local.get $i))) {} (drop {NEXT})",
                call("add_header_map_value", &[0, 16, 8, 16, 8])
            ),
        )),
    ]
}
