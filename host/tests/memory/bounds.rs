//! A host under attack allocates no more at a time than its limits say.

use std::time::Duration;

use pw_abi::Status;
use pw_host::{FailurePolicy, Fields, Limits, Metering, Piece, PluginConfig, PluginId, ProxyConfig, StreamInfo};

use crate::support::{
    MIB, World, ask, call, ended, faults, headers, on, pairs, put, queue, repeat, response, returning, status,
};
use crate::{ALLOCATOR, FILL, LIMITS, MEMORY, SLACK, at, foreign};

/// The peak of the bytes that are allocated while something runs, without those before.
fn peak(run: impl FnOnce()) -> usize {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    run();
    ALLOCATOR.peak_usage().saturating_sub(before)
}

/// Bytes of bodies that may wait; pieces may cost the same amount besides.
const HELD: usize = 16 * MIB;

fn unmetered() -> World {
    World::of(Metering::None, ProxyConfig::default())
}

/// Pauses requests, responses and connections at their start; its foreign function resumes the first stream.
fn gate() -> Vec<String> {
    let go: String = [0, 1, 2].map(|what| call("continue_stream", &[what])).concat();
    let paused = ["request_headers", "response_headers", "new_connection"];
    let paused = paused.map(|what| returning(&format!("proxy_on_{what}"), "", 1)).concat();
    vec![MEMORY.to_owned(), paused, foreign(&(at("(i32.const 0)") + &go), "")]
}

/// Pieces of some bytes come after paused headers, which are then resumed. The peak, and the number of streams that ended.
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

/// What clients and upstreams send waits within `held`: once for the bytes, once for the other cost of pieces.
pub(crate) fn check_pieces() {
    let max = 2 * HELD;
    for what in ["request", "response", "connection"] {
        for size in [0, 1] {
            let (peak, ends) = pieces(what, 1_000_000, size);
            println!("{peak:>11} at most, of {max}: a million pieces of {size} bytes of a {what}");
            assert_eq!(ends, 1, "{what}: a million pieces do not exceed the limit");
            assert!(peak <= max, "{what}: {peak} bytes for pieces of {size} bytes");
        }
        // Fewer are passed on, and then they are effects.
        let (peak, ends) = pieces(what, 50_000, 1);
        println!("{peak:>11} at most, of {max}: 50,000 pieces of a {what} that are continued");
        assert_eq!(ends, 0, "{what}: 50,000 pieces exceed the limit");
        assert!(peak <= max, "{what}: {peak} bytes for pieces that are continued");
    }
}

pub(crate) fn check_informational_responses() {
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
    let max = 2 * HELD;
    println!("{peak:>11} at most, of {max}: 2000 informational responses of 64 KiB");
    assert_eq!(ended(&world.finish()), 1, "they do not exceed the limit");
    assert!(peak > HELD / 2, "{peak} bytes: none of them has waited");
    assert!(peak <= max, "{peak} bytes");
}

/// A paused stream is resumed and closed repeatedly: it is scheduled once.
pub(crate) fn check_closing_and_continuing() {
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
        assert!(world.seen.answers(plugin, function, Status::OK) > 0, "{function}({what}) does nothing");
        assert!(peak <= SLACK, "{peak} bytes for {function}({what})");
    }
}

/// A fail-open plugin changes a stream repeatedly: the old value is kept once.
pub(crate) fn check_changes() {
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
        assert!(world.seen.answers(plugin, function, Status::OK) > 0, "{function} does nothing");
        assert!(peak <= SLACK, "{peak} bytes for {function}");
    }
}

/// A line above the limit is dropped without a copy.
pub(crate) fn check_a_long_line() {
    const LINE: usize = 32 * MIB;
    let mut world = unmetered();
    let write = "(i32.store (i32.const 4) (i32.const 33554432)) (drop (call $fd_write (i32.const 1) (i32.const 0)
        (i32.const 1) (i32.const 8)))";
    let memory = "(memory (export \"memory\") 1024)".to_owned();
    let plugin = world.add(Limits { log_bytes: MIB, ..LIMITS }, &[memory, on("proxy_on_foreign_function", write)]);
    world.effects();
    let peak = peak(|| world.proxy.foreign_function(plugin, FILL, ""));
    let max = 2 * MIB;
    println!("{peak:>11} at most, of {max}: a line of {LINE} bytes");
    assert_eq!(world.seen.calls(plugin, "fd_write"), 1);
    assert!(peak <= max, "{peak} bytes");
}

/// A thousand plugins read a queue: an item waits once, not once for each of them.
pub(crate) fn check_readers() {
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
    let max = MIB;
    println!("{peak:>11} at most, of {max}: {ITEMS} items of a queue that {READERS} plugins read");
    assert_eq!(world.seen.of_all("proxy_on_queue_ready"), READERS * ITEMS);
    assert!(peak <= max, "{peak} bytes");
}

/// A plugin does everything at once, as many times as it can.
pub(crate) fn check_everything() {
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
    // One account is the plugin's, the other its VM id's.
    let max = 2 * 2 * HOST_MEMORY + SLACK;
    println!("{peak:>11} at most, of {max}: everything at once, {charged} bytes charged");
    assert_eq!(faults(&world.effects()), [], "it is stopped");
    assert!(charged > HOST_MEMORY && charged <= 2 * HOST_MEMORY, "{charged} bytes are charged to the two accounts");
    assert!(peak <= max, "{peak} bytes");
    world.proxy.terminate_plugin(plugin);
    world.finish();
    assert_eq!(world.proxy.usage().charged, 0);
}
