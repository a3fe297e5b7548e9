//! The accounts of host memory are compared with the allocator: what is charged is within a factor of two of what is allocated,
//! both ways, whatever it is; and a host under attack allocates no more than its limits say.
//!
//! One test, so that nothing else allocates beside it.

#[expect(dead_code, reason = "attacks of other kinds need more of it")]
#[path = "containment/support.rs"]
mod support;

use std::time::Duration;

use peak_alloc::PeakAlloc;
use pw_abi::Status;
use pw_host::{
    Effect, FailurePolicy, Fields, Limits, Metering, Piece, PluginConfig, PluginId, ProxyConfig, StreamInfo,
};

use crate::support::{
    MIB, World, ask, call, ended, faults, headers, on, pairs, put, queue, repeat, response, returning, status,
};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Bytes by which the account and the allocator may differ besides the factor: a stream that is open, queues and trees that
/// keep a little for the next event, what the observer counts.
const SLACK: usize = 48 << 10;

/// Bytes that the host keeps of a place for a stream.
const STREAM: usize = 1536;

/// Of what a plugin may have only the memory is bounded, and that is more than any row takes.
const LIMITS: Limits = Limits {
    memory: 64 * MIB,
    table_elements: 1000,
    fuel: 1_000_000_000,
    epochs: 10,
    log_lines: usize::MAX,
    log_bytes: usize::MAX,
    held: 64 * MIB,
    fields: MIB,
    shared_data: usize::MAX,
    queue: usize::MAX,
    queues: usize::MAX,
    metrics: usize::MAX,
    calls: usize::MAX,
    pending: usize::MAX,
    properties: usize::MAX,
    property_source: usize::MAX,
    host_memory: 256 * MIB,
    callbacks_per_event: 10_000,
};

const MEMORY: &str = "(memory (export \"memory\") 64)";

/// Arguments of the foreign function: one fills, one empties.
const FILL: u32 = 1;
const EMPTY: u32 = 2;

/// What is done to a world and its plugin.
type Step = dyn Fn(&mut World, PluginId);

/// Things that are charged.
struct Row {
    name: String,
    config: PluginConfig,
    parts: Vec<String>,
    fill: Box<Step>,
    /// Ends all of it but for the effects; none if only the end of the plugin does.
    empty: Option<Box<Step>>,
}

impl Row {
    /// A plugin that does something `times` times, with `$i` at address 0 before each.
    fn new(name: &str, times: usize, each: &str) -> Row {
        Row::emptied(name, times, each, "")
    }

    /// The same, and then does something to end that.
    fn emptied(name: &str, times: usize, each: &str, empty: &str) -> Row {
        let fill = repeat(times, &format!("(i32.store (i32.const 0) (local.get $i)) {each}"));
        Row {
            name: format!("{times} {name}"),
            config: PluginConfig { limits: LIMITS, ..PluginConfig::default() },
            parts: vec![MEMORY.to_owned(), foreign(&fill, empty)],
            fill: Box::new(|world, plugin| world.proxy.foreign_function(plugin, FILL, "")),
            empty: Some(Box::new(|world, plugin| world.proxy.foreign_function(plugin, EMPTY, ""))),
        }
    }

    /// A plugin, and what its streams do.
    fn streams(name: &str, parts: &[String], fill: impl Fn(&mut World, PluginId) + 'static, empty: &str) -> Row {
        Row {
            parts: [&[MEMORY.to_owned(), foreign("", empty)], parts].concat(),
            fill: Box::new(fill),
            name: name.to_owned(),
            ..Row::new("", 1, "")
        }
    }

    fn with(mut self, parts: &[String]) -> Row {
        self.parts.extend_from_slice(parts);
        self
    }

    /// It stays as long as the plugin.
    fn that_stays(mut self) -> Row {
        self.empty = None;
        self
    }

    fn filled(mut self, fill: impl Fn(&mut World, PluginId) + 'static) -> Row {
        self.fill = Box::new(fill);
        self
    }

    fn then(mut self, empty: impl Fn(&mut World, PluginId) + 'static) -> Row {
        self.empty = Some(Box::new(empty));
        self
    }
}

fn foreign(fill: &str, empty: &str) -> String {
    let chosen = |id: u32, body: &str| format!("(if (i32.eq (local.get 1) (i32.const {id})) (then {body}))");
    on("proxy_on_foreign_function", &(chosen(FILL, fill) + &chosen(EMPTY, empty)))
}

/// Runs a row; what is wrong about it.
fn check(row: &Row) -> Vec<String> {
    let mut world = World::of(Metering::Fuel, ProxyConfig::default());
    let module = world.module(&row.parts);
    let plugin = world.start(&module, row.config.clone());
    world.proxy.foreign_function(plugin, 0, "");
    world.finish();
    world.seen.reset();
    let (at_rest, baseline) = (world.proxy.usage().charged, ALLOCATOR.current_usage());
    (row.fill)(&mut world, plugin);
    let usage = world.proxy.usage();
    let charged = usage.charged.saturating_sub(at_rest);
    let seen = ALLOCATOR.current_usage().saturating_sub(baseline);
    println!("{:>11} charged {:>11} seen {:>5.2}  {}", charged, seen, charged as f64 / seen as f64, row.name);
    // Streams' places are kept for other streams.
    let most_left = SLACK + usage.streams.next_power_of_two() * STREAM;
    let mut wrong = Vec::new();
    if charged < 10 * SLACK || charged > 2 * seen + SLACK || seen > 2 * charged + SLACK {
        wrong.push(format!("{}: {charged} bytes are charged, {seen} are allocated, {usage:?}", row.name));
    }
    if let Some(empty) = &row.empty {
        empty(&mut world, plugin);
        drop(world.finish());
        let (charged, left) = (world.proxy.usage().charged, ALLOCATOR.current_usage().saturating_sub(baseline));
        if charged != at_rest || left > most_left {
            wrong.push(format!("{}: at the end {charged} bytes are charged, {left} are allocated", row.name));
        }
    }
    world.proxy.terminate_plugin(plugin);
    drop(world.finish());
    let (charged, left) = (world.proxy.usage().charged, ALLOCATOR.current_usage().saturating_sub(baseline));
    if charged != 0 || left > most_left {
        wrong.push(format!("{}: without the plugin {charged} bytes are charged, {left} are allocated", row.name));
    }
    wrong
}

/// Takes an item from the queue.
const TAKE: &str = "(drop (call $dequeue_shared_queue (global.get $queue) (i32.const 0x200) (i32.const 0x204)))";

/// Numbers of things at which a growing vector is almost full, and half empty.
const FULL: [usize; 2] = [8100, 8300];

fn log_lines(rows: &mut Vec<Row>) {
    for times in FULL {
        for size in [0, 10] {
            rows.push(Row::new(&format!("log lines of {size} bytes"), times, &call("log", &[2, 0x100, size])));
        }
    }
    rows.push(Row::new("log lines of 10,000 bytes", 500, &call("log", &[2, 0x100, 10_000])));
}

fn queues(rows: &mut Vec<Row>) {
    for times in FULL {
        for size in [0, 1, 1000] {
            let name = format!("items of {size} bytes in a queue");
            let put = format!("(drop {})", put(size));
            rows.push(Row::emptied(&name, times, &put, &repeat(times, TAKE)).with(&[queue()]));
        }
        let put = format!("(drop {}) {TAKE}", put(0));
        let ready = on("proxy_on_queue_ready", "");
        let mut row = Row::new("notices of queues that wait", times, &put).with(&[queue(), ready]);
        row.config.limits.callbacks_per_event = 1000;
        rows.push(row);
        rows.push(Row::new("queues", times, &call("register_shared_queue", &[0, 8, 8])).that_stays());
        rows.push(Row::new("metrics", times, &call("define_metric", &[0, 0, 8, 8])).that_stays());
    }
    rows.push(
        Row::new("metrics with names of 1000 bytes", 2000, &call("define_metric", &[0, 0, 1000, 8])).that_stays(),
    );
}

fn shared_data(rows: &mut Vec<Row>) {
    for size in [0, 1000] {
        let set = call("set_shared_data", &[0, 8, 0x100, size, 0]);
        rows.push(Row::new(&format!("keys of shared data with {size} bytes"), 10_000, &set).that_stays());
    }
}

/// Streams of a plugin that are as they are until it is over.
fn streams(rows: &mut Vec<Row>) {
    for (times, size) in [(10_000, 0), (10_000, 30), (3000, 1000)] {
        let set = call("set_property", &[0, 8, 0x100, size]);
        let all = repeat(times, &format!("(i32.store (i32.const 0) (local.get $i)) {set}"));
        let name = format!("{times} properties with {size} bytes on a stream");
        let parts = [on("proxy_on_request_headers", &all)];
        let mut row = Row::streams(&name, &parts, |world, plugin| open(world, plugin, 1, 0, 1), "").then(reset);
        row.config.limits.fuel = u64::MAX;
        rows.push(row);
    }
    let done = |streams| repeat(streams, &(at("(local.get $i)") + &call("done", &[])));
    for (fields, bodies, name) in [
        (0, 0, "contexts that wait"),
        (0, 1000, "contexts that wait with bodies of 1000 bytes"),
        (100, 0, "contexts that wait with 100 fields"),
        (1, 0, "contexts that wait with a field"),
    ] {
        const STREAMS: usize = 1000;
        let parts = [returning("proxy_on_done", "", 0), returning("proxy_on_request_body", "", 1)];
        let fill = move |world: &mut World, plugin| {
            open(world, plugin, fields, bodies, STREAMS);
            reset(world, plugin);
        };
        rows.push(Row::streams(&format!("{STREAMS} {name}"), &parts, fill, &done(STREAMS)));
    }
    let larger = call("set_buffer_bytes", &[0, 1 << 20, 0, 0x100, 20_000]);
    let parts = [returning("proxy_on_request_body", &larger, 1)];
    let fill = |world: &mut World, plugin| open(world, plugin, 0, 1, 100);
    rows.push(Row::streams("100 bodies that are 20,000 bytes larger", &parts, fill, "").then(reset));
    let letters = "(memory.fill (i32.const 0x100) (i32.const 97) (i32.const 10000))";
    let add = format!("{letters} {}", call("add_header_map_value", &[0, 0x100, 4, 0x100, 10_000]).repeat(5));
    let parts = [returning("proxy_on_request_headers", &add, 1)];
    let fill = |world: &mut World, plugin| open(world, plugin, 0, 0, 100);
    rows.push(Row::streams("100 header maps that are 50,000 bytes larger", &parts, fill, "").then(reset));
    let add = format!("{letters} {}", repeat(500, &call("add_header_map_value", &[0, 0x100, 4, 0x100, 4])));
    let parts = [returning("proxy_on_request_headers", &add, 1)];
    rows.push(Row::streams("100 header maps with 500 fields more", &parts, fill, "").then(reset));
    for (times, size) in [(8100, 0), (8300, 0), (1000, 2000)] {
        let answer = call("send_local_response", &[403, 0, 0, 0x100, size, 0, 0, u32::MAX]);
        let parts = [returning("proxy_on_request_headers", &answer, 1)];
        let fill = move |world: &mut World, plugin| {
            for _ in 0..times {
                world.get(&[plugin]);
            }
        };
        let name = format!("{times} local responses of {size} bytes that nobody drains");
        rows.push(Row::streams(&name, &parts, fill, ""));
    }
}

/// Makes the context of a stream the effective one: the first stream's is 2.
fn at(number: &str) -> String {
    format!("(drop (call $set_effective_context (i32.add {number} (i32.const 2))))")
}

/// Opens streams with that many fields, and bodies of some bytes; drops the effects.
fn open(world: &mut World, plugin: PluginId, fields: usize, body: usize, streams: usize) {
    for _ in 0..streams {
        let stream = world.open(&[plugin]);
        let more: Fields = (0..fields).map(|number| (format!("x-name-{number}"), "a value".repeat(3))).collect();
        let mut all = support::request(&[]);
        more.iter().for_each(|(name, value)| all.add(name, value));
        world.proxy.request(stream, Piece::headers(all, false));
        if body > 0 {
            world.proxy.request(stream, Piece::body(vec![b'x'; body], false));
        }
        drop(world.effects());
        OPEN.with_borrow_mut(|open| open.push(stream));
    }
}

thread_local! {
    /// The streams that `open` has opened, for `reset`.
    static OPEN: std::cell::RefCell<Vec<pw_host::StreamId>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn reset(world: &mut World, _: PluginId) {
    for stream in OPEN.take() {
        world.proxy.downstream_reset(stream);
        drop(world.effects());
    }
}

fn calls(rows: &mut Vec<Row>) {
    let expire = |world: &mut World, _: PluginId| {
        world.proxy.advance(Duration::from_secs(10));
        drop(world.finish());
    };
    let drained = |world: &mut World, plugin| {
        world.proxy.foreign_function(plugin, FILL, "");
        drop(world.effects());
    };
    for times in FULL {
        for size in [0, 1000] {
            let each = format!("(drop {})", ask(size, 1000));
            let row = || Row::new(&format!("HTTP calls with {size} bytes"), times, &each).then(expire);
            rows.push(row());
            rows.push(Row {
                name: format!("{times} HTTP calls with {size} bytes, drained"),
                fill: Box::new(drained),
                ..row()
            });
        }
        let (metadata, size) = pairs(0x400, &[]);
        let stream = status("grpc_stream", &[16, 8, 16, 8, 16, 8, 0x400, size, 8]);
        let cancel = repeat(times, "(drop (call $grpc_cancel (i32.add (local.get $i) (i32.const 1))))");
        let row = || {
            Row::emptied("gRPC streams", times, &format!("(drop {stream})"), &cancel)
                .with(std::slice::from_ref(&metadata))
        };
        rows.push(row());
        rows.push(Row { name: format!("{times} gRPC streams, drained"), fill: Box::new(drained), ..row() });
        for size in [0, 10, 1000] {
            let once = format!("(if (i32.eqz (local.get $i)) (then (drop {stream})))");
            let send = once + &call("grpc_send", &[1, 0x100, size, 0]);
            let name = format!("gRPC messages of {size} bytes that nobody drains");
            let cancel = call("grpc_cancel", &[1]);
            rows.push(Row::emptied(&name, times, &send, &cancel).with(std::slice::from_ref(&metadata)));
        }
    }
}

/// What comes for a plugin that has used up its share of an event.
fn late(rows: &mut Vec<Row>) {
    for (times, size) in [(8100, 0), (8300, 0), (2000, 1000)] {
        let parts = [queue(), on("proxy_on_queue_ready", ""), on("proxy_on_http_call_response", "")];
        // The first notices are for this event, and the others keep what comes waiting.
        let notices = repeat(200, &format!("(drop {})", put(0)));
        let late = |name: &str, fill: &str| {
            let mut row = Row::new(&format!("{name} of {size} bytes that come late"), times, "").with(&parts);
            row.config.limits.callbacks_per_event = 100;
            row.parts[1] = foreign(&format!("{fill} {notices}"), &repeat(200, TAKE));
            row
        };
        let arguments = late("arguments of foreign functions", "");
        rows.push(arguments.filled(move |world, plugin| {
            world.proxy.foreign_function(plugin, FILL, "");
            for _ in 0..times {
                world.proxy.foreign_function(plugin, 0, vec![b'x'; size]);
            }
        }));
        let answers = late("answers to HTTP calls", &repeat(times, &format!("(drop {})", ask(0, 0))));
        rows.push(answers.filled(move |world, plugin| {
            world.proxy.foreign_function(plugin, FILL, "");
            while let Some(effect) = world.proxy.next_effect() {
                let Effect::HttpCall { call, .. } = effect else { continue };
                let fields = Fields::from([(":status", "200")]);
                world.proxy.http_call_response(call, fields, vec![b'x'; size], Fields::new());
            }
        }));
    }
}

/// Copies of streams on which log-only plugins run.
fn copies(rows: &mut Vec<Row>) {
    for (pieces, size) in [(1000, 0), (1000, 1), (500, 1000), (530, 1000)] {
        const STREAMS: usize = 10;
        let config = || PluginConfig { log_only: true, limits: LIMITS, ..PluginConfig::default() };
        let given = move |world: &mut World, plugin| {
            for _ in 0..STREAMS {
                let stream = world.open(&[plugin]);
                world.proxy.request(stream, headers(false));
                for _ in 0..pieces {
                    world.proxy.request(stream, Piece::body(vec![b'x'; size], false));
                }
                drop(world.effects());
                OPEN.with_borrow_mut(|open| open.push(stream));
            }
        };
        let parts = [returning("proxy_on_request_body", "", 1)];
        if size > 0 {
            let name = format!("{pieces} pieces of {size} bytes on each of {STREAMS} copies, paused");
            rows.push(Row { config: config(), ..Row::streams(&name, &parts, given, "").then(reset) });
            let parts = [returning("proxy_on_request_headers", "", 1)];
            let name = format!("{pieces} pieces of {size} bytes behind headers on each of {STREAMS} copies, paused");
            rows.push(Row { config: config(), ..Row::streams(&name, &parts, given, "").then(reset) });
        }
        let early = move |world: &mut World, plugin| {
            for _ in 0..STREAMS {
                let stream = world.get(&[plugin]);
                world.proxy.response(stream, response("200", false));
                for _ in 0..pieces {
                    world.proxy.response(stream, Piece::body(vec![b'x'; size], false));
                }
                drop(world.effects());
                OPEN.with_borrow_mut(|open| open.push(stream));
            }
        };
        let parts = [returning("proxy_on_request_headers", "", 1)];
        let name = format!("{pieces} pieces of {size} bytes for each of {STREAMS} copies that hold the request");
        rows.push(Row { config: config(), ..Row::streams(&name, &parts, early, "").then(reset) });
    }
}

/// The bytes that are allocated at a time while something runs, besides those before it.
fn peak(run: impl FnOnce()) -> usize {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    run();
    ALLOCATOR.peak_usage().saturating_sub(before)
}

/// Bytes of bodies that may wait; pieces may cost as much besides.
const HELD: usize = 16 * MIB;

fn unmetered() -> World {
    World::of(Metering::None, ProxyConfig::default())
}

/// Pauses requests, responses and connections at their beginning; its foreign function continues the first stream.
fn gate() -> Vec<String> {
    let go: String = [0, 1, 2].map(|what| call("continue_stream", &[what])).concat();
    let paused = ["request_headers", "response_headers", "new_connection"];
    let paused = paused.map(|what| returning(&format!("proxy_on_{what}"), "", 1)).concat();
    vec![MEMORY.to_owned(), paused, foreign(&(at("(i32.const 0)") + &go), "")]
}

/// Pieces of some bytes come behind headers that are paused, then they are continued; the peak, and how many streams ended.
fn pieces(what: &str, pieces: usize, size: usize) -> (usize, usize) {
    let mut world = unmetered();
    let plugin = world.add(Limits { held: HELD, ..Limits::default() }, &gate());
    let stream = match what {
        "connection" => world.proxy.open_connection(&[plugin], StreamInfo::default()),
        _ => world.open(&[plugin]),
    };
    match what {
        "request" => world.proxy.request(stream, headers(false)),
        "response" => {
            world.proxy.request(stream, headers(true));
            world.proxy.foreign_function(plugin, FILL, "");
            world.proxy.response(stream, response("200", false));
        }
        _ => {}
    }
    world.effects();
    let mut ends = 0;
    let peak = peak(|| {
        for _ in 0..pieces {
            let body = vec![b'x'; size];
            match what {
                "request" => world.proxy.request(stream, Piece::body(body, false)),
                "response" => world.proxy.response(stream, Piece::body(body, false)),
                _ => world.proxy.downstream_data(stream, body, false),
            }
        }
        world.proxy.foreign_function(plugin, FILL, "");
        while let Some(effect) = world.proxy.next_effect() {
            ends += ended(std::slice::from_ref(&effect));
        }
    });
    (peak, ends)
}

/// What clients and upstreams send waits within `held`: once for the bytes, once for what a piece costs besides.
fn check_pieces() {
    let most = 2 * HELD;
    for what in ["request", "response", "connection"] {
        for size in [0, 1] {
            let (peak, ends) = pieces(what, 1_000_000, size);
            println!("{peak:>11} at most, of {most}: a million pieces of {size} bytes of a {what}");
            assert_eq!(ends, 1, "{what}: a million pieces are too many");
            assert!(peak <= most, "{what}: {peak} bytes for pieces of {size} bytes");
        }
        // Fewer are let go, and then they are effects.
        let (peak, ends) = pieces(what, 50_000, 1);
        println!("{peak:>11} at most, of {most}: 50,000 pieces of a {what} that are continued");
        assert_eq!(ends, 0, "{what}: 50,000 pieces are let go");
        assert!(peak <= most, "{what}: {peak} bytes for pieces that are continued");
    }
}

fn check_informational_responses() {
    let mut world = unmetered();
    let plugin = world.add(Limits { held: HELD, ..Limits::default() }, &gate());
    let stream = world.get(&[plugin]);
    world.proxy.foreign_function(plugin, FILL, "");
    world.effects();
    let peak = peak(|| {
        for _ in 0..2000 {
            let fields = Fields::from([(":status", "103"), ("x-a", &"v".repeat(64 << 10))]);
            world.proxy.response(stream, Piece::headers(fields, false));
        }
    });
    let most = 2 * HELD;
    println!("{peak:>11} at most, of {most}: 2000 informational responses of 64 KiB");
    assert_eq!(ended(&world.finish()), 1, "they are too much");
    assert!(peak > HELD / 2, "{peak} bytes: some of them have waited");
    assert!(peak <= most, "{peak} bytes");
}

/// A stream that is paused is continued and closed again and again: what is asked for once is kept once.
fn check_closing_and_continuing() {
    for (function, what) in [("continue_stream", 0), ("continue_stream", 1), ("close_stream", 0), ("close_stream", 1)] {
        let mut world = unmetered();
        let again = at("(i32.const 0)") + &repeat(100_000, &call(function, &[what]));
        let parts = [
            MEMORY.to_owned(),
            returning("proxy_on_request_headers", "", 1),
            returning("proxy_on_response_headers", "", 1),
            foreign(&again, ""),
        ];
        let plugin = world.add(LIMITS, &parts);
        let stream = world.get(&[plugin]);
        world.proxy.response(stream, response("200", true));
        world.effects();
        world.proxy.foreign_function(plugin, 0, "");
        world.seen.reset();
        let peak = peak(|| world.proxy.foreign_function(plugin, FILL, ""));
        println!("{peak:>11} at most, of {SLACK}: {function}({what}) 100,000 times");
        assert_eq!(world.seen.calls(plugin, function), 100_000);
        assert!(world.seen.answers(plugin, function, Status::OK) > 0, "{function}({what}) does something");
        assert!(peak <= SLACK, "{peak} bytes for {function}({what})");
    }
}

/// A fail-open plugin changes a stream again and again: it is kept once what the stream was before.
fn check_changes() {
    for (function, args) in [
        ("set_property", &[16, 7, 16, 8][..]),
        ("replace_header_map_value", &[0, 16, 8, 16, 8]),
        ("send_local_response", &[403, 0, 0, 0, 0, 0, 0, u32::MAX]),
        ("close_stream", &[0]),
    ] {
        let mut world = unmetered();
        let again = repeat(100_000, &call(function, args));
        let module = world.module(&[MEMORY.to_owned(), returning("proxy_on_request_headers", &again, 1)]);
        let failure = FailurePolicy { open: true, reload: None };
        let plugin = world.start(&module, PluginConfig { limits: LIMITS, failure, ..PluginConfig::default() });
        let peak = peak(|| {
            world.get(&[plugin]);
        });
        println!("{peak:>11} at most, of {SLACK}: {function} 100,000 times on a stream");
        assert_eq!(world.seen.calls(plugin, function), 100_000);
        assert!(world.seen.answers(plugin, function, Status::OK) > 0, "{function} does something");
        assert!(peak <= SLACK, "{peak} bytes for {function}");
    }
}

/// A line that is longer than it may be is not copied on the way to be dropped.
fn check_a_long_line() {
    const LINE: usize = 32 * MIB;
    let mut world = unmetered();
    let write = "(i32.store (i32.const 4) (i32.const 33554432)) (drop (call $fd_write (i32.const 1) (i32.const 0)
        (i32.const 1) (i32.const 8)))";
    let memory = "(memory (export \"memory\") 1024)".to_owned();
    let plugin = world.add(Limits { log_bytes: MIB, ..LIMITS }, &[memory, on("proxy_on_foreign_function", write)]);
    world.effects();
    let peak = peak(|| world.proxy.foreign_function(plugin, FILL, ""));
    let most = 2 * MIB;
    println!("{peak:>11} at most, of {most}: a line of {LINE} bytes");
    assert_eq!(world.seen.calls(plugin, "fd_write"), 1);
    assert!(peak <= most, "{peak} bytes");
}

/// A thousand plugins read a queue: what comes into it waits once, not once for each of them.
fn check_readers() {
    const READERS: usize = 1000;
    const ITEMS: usize = 100;
    let mut world = unmetered();
    let all = repeat(ITEMS, &format!("(drop {})", put(1)));
    let module = world.module(&[
        queue(),
        on("proxy_on_queue_ready", ""),
        on("proxy_on_foreign_function", &all),
        MEMORY.to_owned(),
    ]);
    let limits = Limits { host_memory: 64 * MIB, ..LIMITS };
    let config = PluginConfig { limits, vm_id: "a".to_owned(), ..PluginConfig::default() };
    let plugins: Vec<PluginId> = (0..READERS).map(|_| world.start(&module, config.clone())).collect();
    world.effects();
    world.seen.reset();
    let peak = peak(|| world.proxy.foreign_function(plugins[0], FILL, ""));
    let most = MIB;
    println!("{peak:>11} at most, of {most}: {ITEMS} items of a queue that {READERS} plugins read");
    assert_eq!(world.seen.of_all("proxy_on_queue_ready"), READERS * ITEMS);
    assert!(peak <= most, "{peak} bytes");
}

/// A plugin does everything at once, as often as it can.
fn check_everything() {
    const HOST_MEMORY: usize = 16 * MIB;
    let (metadata, size) = pairs(0x400, &[]);
    let open = status("grpc_stream", &[16, 8, 16, 8, 16, 8, 0x400, size, 8]);
    let letters = "(memory.fill (i32.const 0x500) (i32.const 97) (i32.const 10000))".to_owned();
    let each = [
        "(i32.store (i32.const 0) (local.get $i))".to_owned(),
        call("log", &[2, 0x500, 100]),
        call("set_shared_data", &[0, 8, 0x500, 100, 0]),
        call("define_metric", &[0, 0, 100, 8]),
        call("set_property", &[0, 4, 0x500, 100]),
        call("register_shared_queue", &[0, 8, 8]),
        format!("(drop {})", put(0)),
        format!("(drop {})", ask(100, 1000)),
        format!("(drop {open})"),
        call("grpc_send", &[1, 0x500, 100, 0]),
        call("add_header_map_value", &[0, 0x500, 4, 0x500, 100]),
        call("set_buffer_bytes", &[0, 1 << 20, 0, 0x500, 1000]),
        call("send_local_response", &[403, 0, 0, 0x500, 1000, 0, 0, u32::MAX]),
    ];
    let all = letters + &repeat(20_000, &each.concat());
    let parts = [
        MEMORY.to_owned(),
        metadata,
        queue(),
        returning("proxy_on_request_headers", &all, 1),
        returning("proxy_on_request_body", &all, 1),
        on("proxy_on_queue_ready", &call("log", &[2, 0x500, 1000])),
        on("proxy_on_http_call_response", &call("log", &[2, 0x500, 1000])),
        returning("proxy_on_done", "", 0),
    ];
    let mut world = unmetered();
    let limits = Limits { host_memory: HOST_MEMORY, callbacks_per_event: 100, ..LIMITS };
    let plugin = world.add(limits, &parts);
    world.effects();
    let mut charged = 0;
    let peak = peak(|| {
        for _ in 0..3 {
            let stream = world.get(&[plugin]);
            charged = charged.max(world.proxy.usage().charged);
            world.proxy.downstream_reset(stream);
            world.proxy.advance(Duration::from_secs(2));
            charged = charged.max(world.proxy.usage().charged);
        }
    });
    // One account is the plugin's, the other that of what outlives it.
    let most = 2 * 2 * HOST_MEMORY + SLACK;
    println!("{peak:>11} at most, of {most}: everything at once, {charged} bytes charged");
    assert_eq!(faults(&world.effects()), [], "it does what it likes");
    assert!(charged > HOST_MEMORY && charged <= 2 * HOST_MEMORY, "{charged} bytes are charged to the two accounts");
    assert!(peak <= most, "{peak} bytes");
    world.proxy.terminate_plugin(plugin);
    world.finish();
    assert_eq!(world.proxy.usage().charged, 0);
}

#[test]
fn what_is_allocated_is_charged_and_bounded() {
    let mut rows = Vec::new();
    for add in [log_lines, queues, shared_data, streams, calls, late, copies] {
        add(&mut rows);
    }
    let wrong: Vec<String> = rows.iter().flat_map(check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    check_pieces();
    check_informational_responses();
    check_closing_and_continuing();
    check_changes();
    check_a_long_line();
    check_readers();
    check_everything();
}
