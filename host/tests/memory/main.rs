//! The accounts of host memory are compared with the allocator: what is charged is within a factor of two of what is allocated,
//! both ways; and a host under attack allocates no more than its limits say.
//!
//! One test, as nothing else may allocate while it runs.

mod bounds;
mod plugins;
mod shared;
mod streams;
#[expect(dead_code, reason = "attacks of other kinds need more of it")]
#[path = "../containment/support.rs"]
mod support;

use peak_alloc::PeakAlloc;
use pw_host::{Limits, Metering, PluginConfig, PluginId, ProxyConfig};

use crate::support::{MIB, World, on, repeat};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Bytes by which the account and the allocator may differ besides the factor: an open stream, queues and trees that keep a
/// little capacity, what the observer counts.
const SLACK: usize = 48 << 10;

/// Bytes that the host keeps for a stream that has ended.
const STREAM: usize = 1536;

/// Only the memory of a plugin is bounded, to more than any row takes.
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

/// Something that is done with a world and its plugin.
type Step = dyn Fn(&mut World, PluginId);

/// Something that is charged.
struct Row {
    name: String,
    config: PluginConfig,
    parts: Vec<String>,
    fill: Box<Step>,
    /// Ends all of it but for the effects; `None` if only the end of the plugin does.
    empty: Option<Box<Step>>,
}

impl Row {
    /// A plugin that does something `times` times, with `$i` at address 0 before each.
    fn new(name: &str, times: usize, each: &str) -> Row {
        Row::emptied(name, times, each, "")
    }

    /// The same, with something that ends it.
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

    /// Its memory is not released before the plugin ends.
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

/// Runs a row. What is wrong.
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
    // The memory of ended streams is kept for other streams.
    let max_left = SLACK + usage.streams.next_power_of_two() * STREAM;
    let mut wrong = Vec::new();
    if charged < 10 * SLACK || charged > 2 * seen + SLACK || seen > 2 * charged + SLACK {
        wrong.push(format!("{}: {charged} bytes are charged, {seen} are allocated, {usage:?}", row.name));
    }
    if let Some(empty) = &row.empty {
        empty(&mut world, plugin);
        drop(world.finish());
        let (charged, left) = (world.proxy.usage().charged, ALLOCATOR.current_usage().saturating_sub(baseline));
        if charged != at_rest || left > max_left {
            wrong.push(format!("{}: at the end {charged} bytes are charged, {left} are allocated", row.name));
        }
    }
    world.proxy.terminate_plugin(plugin);
    drop(world.finish());
    let (charged, left) = (world.proxy.usage().charged, ALLOCATOR.current_usage().saturating_sub(baseline));
    if charged != 0 || left > max_left {
        wrong.push(format!("{}: without the plugin {charged} bytes are charged, {left} are allocated", row.name));
    }
    wrong
}

/// Numbers of elements with which a growing vector is almost full, and half empty.
const COUNTS: [usize; 2] = [8100, 8300];

/// Dequeues an item.
const TAKE: &str = "(drop (call $dequeue_shared_queue (global.get $queue) (i32.const 0x200) (i32.const 0x204)))";

/// Chooses the context of a stream, by its number from 0, as the effective one: the first stream's is 2.
fn at(number: &str) -> String {
    format!("(drop (call $set_effective_context (i32.add {number} (i32.const 2))))")
}

#[test]
fn what_is_allocated_is_charged_and_bounded() {
    let mut rows = Vec::new();
    for add in [
        plugins::log_lines,
        shared::queues,
        shared::shared_data,
        streams::streams,
        plugins::calls,
        plugins::late,
        streams::copies,
    ] {
        add(&mut rows);
    }
    let wrong: Vec<String> = rows.iter().flat_map(check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    bounds::check_pieces();
    bounds::check_informational_responses();
    bounds::check_closing_and_continuing();
    bounds::check_changes();
    bounds::check_a_long_line();
    bounds::check_readers();
    bounds::check_everything();
}
