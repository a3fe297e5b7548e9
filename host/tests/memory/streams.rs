//! What is charged to a plugin because of its streams and their copies.

use pw_host::{Fields, Piece, PluginConfig, PluginId};

use crate::support::{World, call, headers, on, repeat, response, returning};
use crate::{LIMITS, Row, at};

/// Streams of a plugin, whose memory is released when they end.
pub(crate) fn streams(rows: &mut Vec<Row>) {
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
        let name = format!("{times} local responses of {size} bytes that are not drained");
        rows.push(Row::streams(&name, &parts, fill, ""));
    }
}

/// Opens streams with this number of fields, and bodies of some bytes; drops the effects.
fn open(world: &mut World, plugin: PluginId, fields: usize, body: usize, streams: usize) {
    for _ in 0..streams {
        let stream = world.open(&[plugin]);
        let more: Fields = (0..fields).map(|number| (format!("x-name-{number}"), "a value".repeat(3))).collect();
        let mut all = crate::support::request(&[]);
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

/// Copies of streams on which log-only plugins run.
pub(crate) fn copies(rows: &mut Vec<Row>) {
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
            let name = format!("{pieces} pieces of {size} bytes after headers on each of {STREAMS} copies, paused");
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
        let name = format!("{pieces} pieces of {size} bytes for each of {STREAMS} copies that pause the request");
        rows.push(Row { config: config(), ..Row::streams(&name, &parts, early, "").then(reset) });
    }
}
