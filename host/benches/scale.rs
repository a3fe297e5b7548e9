//! The cost of an operation when there are ten, a thousand or a hundred thousand of something already.
//!
//! `cargo bench -p pw-host --bench scale`. Thread CPU time, the minimum of some rounds, per operation. Nothing may grow by more
//! than the logarithm of the number, and the effects of the machine's caches.

mod measure;

use std::hint::black_box;
use std::time::Duration;

use pw_host::{
    Effect, Engine, Fields, Limits, Metering, Module, Piece, PluginConfig, PluginId, Pool, Proxy, ProxyConfig,
    StreamInfo,
};

const COUNTS: [usize; 3] = [10, 1_000, 100_000];
/// Operations of a callback.
const EACH: usize = 10;
/// Number of rounds, of which the fastest counts.
const ROUNDS: usize = 5;

/// A plugin that does something [`EACH`] times with each request, with another number at address 96 each time.
fn wasm(setup: &str, request: &str, others: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
  (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
  (import "env" "proxy_http_call" (func $http (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
  (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
  (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
  (import "env" "proxy_dequeue_shared_queue" (func $dequeue (param i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $set_data (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "upstream")
  (data (i32.const 128) "\03\00\00\00\07\00\00\00\03\00\00\00\05\00\00\00\01\00\00\00\0a\00\00\00\01\00\00\00:method\00GET\00:path\00/\00:authority\00a\00")
  (global $number (mut i64) (i64.const 0))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (drop {setup}) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $left i32)
    (local.set $left (i32.const {EACH}))
    (loop $next
      (global.set $number (i64.add (global.get $number) (i64.const 1)))
      (i64.store (i32.const 96) (global.get $number))
      (if {request} (then (unreachable)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $next (local.get $left)))
    (i32.const 0))
  {others})"#
    );
    wat::parse_str(text).expect("the text is a module")
}

const NOTHING: &str = "(i32.const 0)";
const HTTP_CALL: &str =
    "(call $http (i32.const 16) (i32.const 8) (i32.const 128) (i32.const 61) (i32.const 0) (i32.const 0)
    (i32.const 0) (i32.const 0) (i32.const 3600000) (i32.const 88))";

fn unlimited() -> Limits {
    const MANY: usize = 10_000_000;
    let bytes = 1 << 40;
    Limits {
        calls: MANY,
        metrics: MANY,
        queues: MANY,
        pending: MANY,
        shared_data: bytes,
        host_memory: bytes,
        ..Limits::default()
    }
}

/// A proxy in which there is a large number of something.
struct Large {
    proxy: Proxy,
    plugin: PluginId,
    fields: Fields,
}

impl Large {
    fn new(wasm: &[u8]) -> Large {
        let engine = Engine::new(Metering::None).expect("wasmtime runs here");
        let module = Module::new(&engine, wasm).expect("the module is a plugin");
        let mut proxy = Proxy::new(config());
        let config = PluginConfig { vm_id: "vm".to_owned(), limits: unlimited(), ..PluginConfig::default() };
        let plugin = proxy.add_plugin(&module, config).expect("the plugin starts");
        let fields = Fields::from([(":method", "GET"), (":path", "/"), (":authority", "example.test")]);
        Large { proxy, plugin, fields }
    }

    /// A request that stays open.
    fn open(&mut self) -> pw_host::StreamId {
        let stream = self.proxy.open_stream(&[self.plugin], StreamInfo::default());
        self.proxy.request(stream, Piece::headers(self.fields.clone(), true));
        stream
    }

    /// A request that is over.
    fn request(&mut self) {
        let stream = self.open();
        self.proxy.downstream_reset(stream);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.proxy.next_effect() {
            assert!(!matches!(effect, Effect::Fault { .. }), "{effect:?}");
            black_box(effect);
        }
    }
}

fn config() -> ProxyConfig {
    ProxyConfig { upstreams: None, plugins: 1_000_000, ..ProxyConfig::default() }
}

/// The minimum time of one of some operations, in nanoseconds.
fn each(operations: usize, mut run: impl FnMut()) -> f64 {
    measure::least(ROUNDS, [&mut || (0..operations).for_each(|_| run())])[0] / operations as f64
}

/// Nanoseconds of a request while `count` others are open.
fn streams(count: usize) -> f64 {
    let mut large = Large::new(&wasm(NOTHING, NOTHING, ""));
    (0..count).for_each(|_| _ = large.open());
    large.drain();
    each(1_000, || large.request())
}

/// The same for a log-only plugin, which runs on copies of the streams.
fn copies(count: usize) -> f64 {
    let engine = Engine::new(Metering::None).expect("wasmtime runs here");
    let module = Module::new(&engine, &wasm(NOTHING, NOTHING, "")).expect("the module is a plugin");
    let mut large = Large::new(&wasm(NOTHING, NOTHING, ""));
    let log_only = PluginConfig { log_only: true, limits: unlimited(), ..PluginConfig::default() };
    large.plugin = large.proxy.add_plugin(&module, log_only).expect("the plugin starts");
    (0..count).for_each(|_| _ = large.open());
    large.drain();
    each(1_000, || large.request())
}

/// Nanoseconds of an HTTP call and its response while `count` others are in flight, each with a timeout.
fn calls(count: usize) -> f64 {
    let mut large = Large::new(&wasm(NOTHING, HTTP_CALL, ""));
    let proxy = |large: &mut Large| {
        let mut calls = Vec::new();
        let stream = large.open();
        large.proxy.downstream_reset(stream);
        while let Some(effect) = large.proxy.next_effect() {
            if let Effect::HttpCall { call, .. } = effect {
                calls.push(call);
            }
        }
        assert_eq!(calls.len(), EACH);
        calls
    };
    (0..count.div_ceil(EACH)).for_each(|_| _ = proxy(&mut large));
    each(100, || {
        for call in proxy(&mut large) {
            large.proxy.http_call_response(call, Fields::from([(":status", "200")]), &b""[..], Fields::new());
        }
        large.drain();
    }) / EACH as f64
}

/// Nanoseconds of an `advance` in which nothing is due, while `count` calls wait for their timeouts.
fn timers(count: usize) -> f64 {
    let mut large = Large::new(&wasm(NOTHING, HTTP_CALL, ""));
    (0..count.div_ceil(EACH)).for_each(|_| large.request());
    each(1_000, || {
        large.proxy.advance(Duration::from_nanos(1));
        black_box(large.proxy.next_due());
    })
}

/// Nanoseconds per tick, when `count` plugins of one VM have a tick due at the same time.
fn ticks(count: usize) -> f64 {
    let engine = Engine::new(Metering::None).expect("wasmtime runs here");
    let tick = "(func (export \"proxy_on_tick\") (param i32))";
    let module = Module::new(&engine, &wasm("(call $tick (i32.const 1000))", NOTHING, tick)).expect("a plugin");
    let mut proxy = Proxy::new(config());
    for _ in 0..count {
        let config = PluginConfig { vm_id: "vm".to_owned(), ..PluginConfig::default() };
        proxy.add_plugin(&module, config).expect("the plugin starts");
    }
    each(1, || {
        proxy.advance(Duration::from_secs(1));
        while proxy.next_due() == Some(Duration::ZERO) {
            proxy.advance(Duration::ZERO);
        }
    }) / count as f64
}

/// Nanoseconds per timeout, when `count` calls time out at the same time.
fn timeouts(count: usize) -> f64 {
    let mut large = Large::new(&wasm(NOTHING, HTTP_CALL, ""));
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        (0..count / EACH).for_each(|_| large.request());
        let begun = measure::now();
        large.proxy.advance(Duration::from_secs(3600));
        while large.proxy.next_due() == Some(Duration::ZERO) {
            large.proxy.advance(Duration::ZERO);
        }
        least = least.min((measure::now() - begun).as_nanos() as f64 / count as f64);
        large.drain();
    }
    least
}

/// Nanoseconds to define another metric, when there are `count`.
fn metrics(count: usize) -> f64 {
    populated(
        count,
        "(i32.or (call $define (i32.const 0) (i32.const 96) (i32.const 8) (i32.const 88))
        (call $increment (i32.load (i32.const 88)) (i64.const 1)))",
    )
}

/// Nanoseconds to set another key of shared data, when there are `count`.
fn keys(count: usize) -> f64 {
    populated(count, "(call $set_data (i32.const 96) (i32.const 8) (i32.const 16) (i32.const 8) (i32.const 0))")
}

/// Nanoseconds to register another queue, and to enqueue and dequeue an item, when there are `count`.
fn queues(count: usize) -> f64 {
    populated(
        count,
        "(i32.or (call $register (i32.const 96) (i32.const 8) (i32.const 88))
        (i32.or (call $enqueue (i32.load (i32.const 88)) (i32.const 16) (i32.const 8))
            (call $dequeue (i32.load (i32.const 88)) (i32.const 80) (i32.const 84))))",
    )
}

fn populated(count: usize, call: &str) -> f64 {
    let mut large = Large::new(&wasm(NOTHING, call, ""));
    (0..count / EACH).for_each(|_| large.request());
    // So few that the number hardly changes.
    let operations = (count / EACH / 10).clamp(1, 100);
    each(operations, || large.request()) / EACH as f64
}

/// Nanoseconds of a request while `count` contexts wait for `proxy_done`.
fn pending(count: usize) -> f64 {
    let done = "(global $requests (mut i32) (i32.const 0))
        (func (export \"proxy_on_done\") (param i32) (result i32)
            (global.set $requests (i32.add (global.get $requests) (i32.const 1)))
            (i32.gt_u (global.get $requests) (i32.const COUNT)))";
    let mut large = Large::new(&wasm(NOTHING, NOTHING, &done.replace("COUNT", &count.to_string())));
    (0..count).for_each(|_| large.request());
    each(1_000, || large.request())
}

/// Nanoseconds to start each of `count` plugins in its own VM, and of a request through the last one.
fn plugins(count: usize) -> [f64; 2] {
    let pool = Pool { instances: 21_000, ..Pool::default() };
    let engine = Engine::with_pool(Metering::None, pool).expect("wasmtime runs here");
    let module = Module::new(&engine, &wasm(NOTHING, NOTHING, "")).expect("the module is a plugin");
    let mut large = Large::new(&wasm(NOTHING, NOTHING, ""));
    load(&mut large, &module, count, count)
}

/// The same with a hundred plugins in each VM.
fn shared(count: usize) -> [f64; 2] {
    let engine = Engine::new(Metering::None).expect("wasmtime runs here");
    let module = Module::new(&engine, &wasm(NOTHING, NOTHING, "")).expect("the module is a plugin");
    let mut large = Large::new(&wasm(NOTHING, NOTHING, ""));
    load(&mut large, &module, count, count.div_ceil(100))
}

fn load(large: &mut Large, module: &Module, count: usize, vms: usize) -> [f64; 2] {
    let begun = measure::now();
    for number in 0..count {
        let config = PluginConfig { vm_id: format!("vm {}", number % vms), ..PluginConfig::default() };
        large.plugin = large.proxy.add_plugin(module, config).expect("the plugin starts");
    }
    let loading = (measure::now() - begun).as_nanos() as f64 / count as f64;
    [loading, each(1_000, || large.request())]
}

fn row(name: &str, figures: &[f64]) {
    let (least, most) =
        figures.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), it| (least.min(*it), most.max(*it)));
    let figures: String = figures.iter().map(|nanoseconds| format!(" {nanoseconds:.0} |")).collect();
    println!("| {name} |{figures} {:.1} |", most / least);
}

fn main() {
    let filter = std::env::args().skip(1).find(|argument| argument != "--bench").unwrap_or_default();
    let wanted = |name: &str| name.contains(&filter);
    println!("| nanoseconds | 10 | 1,000 | 100,000 | most : least |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    type Scale = fn(usize) -> f64;
    let all: [(&str, Scale); 10] = [
        ("a request, streams open", streams),
        ("a request, copies for a log-only plugin open", copies),
        ("a request, contexts not done", pending),
        ("an HTTP call and its response, others in flight", calls),
        ("advancing time, timeouts set", timers),
        ("a tick, due at once", ticks),
        ("a timeout, at once", timeouts),
        ("a new metric", metrics),
        ("a new key", keys),
        ("a new queue and an item", queues),
    ];
    for (name, scale) in all.into_iter().filter(|(name, _)| wanted(name)) {
        row(name, &COUNTS.map(scale));
    }
    for (name, counts, scale) in [
        ("plugins in their own VMs (10, 1,000, 10,000)", [10, 1_000, 10_000], plugins as fn(usize) -> [f64; 2]),
        ("plugins, a hundred in each VM", COUNTS, shared),
    ] {
        if wanted(name) {
            let figures = counts.map(scale);
            row(&format!("starting one: {name}"), &figures.map(|[start, _]| start));
            row(&format!("a request: {name}"), &figures.map(|[_, request]| request));
        }
    }
}
