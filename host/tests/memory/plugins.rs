//! What is charged to a plugin: its log lines, its calls, and what waits for it.

use std::time::Duration;

use pw_host::{Effect, Fields, PluginId};

use crate::support::{World, ask, call, on, pairs, put, queue, repeat, status};
use crate::{COUNTS, FILL, Row, TAKE, foreign};

pub(crate) fn log_lines(rows: &mut Vec<Row>) {
    for times in COUNTS {
        for size in [0, 10] {
            rows.push(Row::new(&format!("log lines of {size} bytes"), times, &call("log", &[2, 0x100, size])));
        }
    }
    rows.push(Row::new("log lines of 10,000 bytes", 500, &call("log", &[2, 0x100, 10_000])));
}

pub(crate) fn calls(rows: &mut Vec<Row>) {
    let expire = |world: &mut World, _: PluginId| {
        world.proxy.advance(Duration::from_secs(10));
        drop(world.finish());
    };
    let drained = |world: &mut World, plugin| {
        world.proxy.foreign_function(plugin, FILL, "");
        drop(world.effects());
    };
    for times in COUNTS {
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
            let name = format!("gRPC messages of {size} bytes that are not drained");
            let cancel = call("grpc_cancel", &[1]);
            rows.push(Row::emptied(&name, times, &send, &cancel).with(std::slice::from_ref(&metadata)));
        }
    }
}

/// What comes for a plugin that has used up its budget for an event.
pub(crate) fn late(rows: &mut Vec<Row>) {
    for (times, size) in [(8100, 0), (8300, 0), (2000, 1000)] {
        let parts = [queue(), on("proxy_on_queue_ready", ""), on("proxy_on_http_call_response", "")];
        // The first notices are for this event, and what comes waits after the others.
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
