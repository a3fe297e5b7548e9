//! Plugins that run endlessly, or use all they can: they are stopped in time, and stay within their limits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use pw_abi::Function;
use pw_host::{
    Effect, Engine, Fields, ForeignFunction, Limits, Metering, Module, Observer, Piece, PluginConfig, PluginId, Pool,
    Proxy, ProxyConfig, StreamInfo,
};

const PAGE: usize = 65_536;
const LIMIT: u64 = 8;

/// What the plugins here have in common: `say` logs a number, `tick` calls the foreign function `tick`.
const COMMON: &str = r#"
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "tick")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
    (func $say (param i32)
        (i32.store (i32.const 0) (local.get 0))
        (drop (call $log (i32.const 2) (i32.const 0) (i32.const 4))))
    (func $tick (drop (call $foreign (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 12))))
"#;

fn engine(metering: Metering) -> Engine {
    Engine::new(metering).unwrap_or_else(|error| panic!("{error}"))
}

/// A plugin that runs this for a request.
fn added(proxy: &mut Proxy, engine: &Engine, head: &str, body: &str, limits: Limits) -> PluginId {
    let text = format!(
        "(module {COMMON} {head}
            (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (local $number i32)
                {body} (i32.const 0)))"
    );
    let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let module = Module::new(engine, &wasm).unwrap_or_else(|error| panic!("{error}"));
    let config = PluginConfig { limits, ..PluginConfig::default() };
    proxy.add_plugin(&module, config).unwrap_or_else(|error| panic!("{error}"))
}

/// The effects of a request through the plugin.
fn request(proxy: &mut Proxy, plugin: PluginId) -> Vec<Effect> {
    let stream = proxy.open_stream(&[plugin], StreamInfo::default());
    let headers = Fields::from([(":method", "GET"), (":path", "/"), (":authority", "example.test")]);
    proxy.request(stream, Piece::headers(headers, true));
    std::iter::from_fn(|| proxy.next_effect()).collect()
}

/// The reason of the fault among the effects.
#[track_caller]
fn fault(effects: &[Effect]) -> String {
    let reason = |effect: &Effect| if let Effect::Fault { reason, .. } = effect { Some(reason.clone()) } else { None };
    effects.iter().find_map(reason).unwrap_or_else(|| panic!("no fault in {effects:?}"))
}

/// The last number that was logged.
fn said(effects: &[Effect]) -> Option<u32> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Log { message, .. } => message.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)),
        _ => None,
    })
}

/// Records the maximum size of a plugin's memory, and that it runs.
#[derive(Clone, Default)]
struct Watch {
    largest: Arc<AtomicUsize>,
    begun: Arc<AtomicBool>,
}

impl Observer for Watch {
    fn callback(&mut self, _: PluginId, _: &'static str, _: &[u32]) {}

    fn returned(&mut self, _: PluginId, _: &'static str, _: Option<u32>) {}

    fn call(&mut self, _: PluginId, _: &'static Function, _: &[u64], _: Option<u32>, memory: &[u8]) {
        self.largest.fetch_max(memory.len(), SeqCst);
        self.begun.store(true, SeqCst);
    }
}

#[test]
fn an_endless_loop_is_stopped_within_twice_its_limit() {
    let engine = engine(Metering::Epochs);
    let ticks = Arc::new(AtomicU64::new(0));
    let tick = {
        let (engine, ticks) = (engine.clone(), ticks.clone());
        ForeignFunction::new(move |_| {
            ticks.fetch_add(1, SeqCst);
            engine.tick();
            Ok(Vec::new())
        })
    };
    let foreign_functions = BTreeMap::from([("tick".to_owned(), tick)]);
    let mut proxy = Proxy::new(ProxyConfig { foreign_functions, ..ProxyConfig::default() });
    let limits = Limits { epochs: LIMIT, ..Limits::default() };
    let plugin = added(&mut proxy, &engine, "", "(loop $again (call $tick) (br $again)) (unreachable)", limits);
    let seen = request(&mut proxy, plugin);
    assert!(fault(&seen).starts_with("proxy_on_request_headers failed: "), "{seen:?}");
    let ticks = ticks.load(SeqCst);
    assert!((LIMIT..=2 * LIMIT).contains(&ticks), "{ticks} ticks");
}

#[test]
fn an_endless_loop_without_a_call_is_stopped_by_ticks_of_another_thread() {
    let engine = engine(Metering::Epochs);
    let watch = Watch::default();
    let (begun, done) = (watch.begun.clone(), Arc::new(AtomicBool::new(false)));
    let ticker = {
        let (engine, done) = (engine.clone(), done.clone());
        thread::spawn(move || {
            while !begun.load(SeqCst) {
                thread::yield_now();
            }
            (0..2 * LIMIT).for_each(|_| engine.tick());
            // These ticks stop it. If not, further ones end the test.
            let patience = Instant::now() + Duration::from_secs(20);
            while !done.load(SeqCst) && Instant::now() < patience {
                thread::yield_now();
            }
            let in_time = done.load(SeqCst);
            (0..1000 * LIMIT).for_each(|_| engine.tick());
            in_time
        })
    };
    let mut proxy = Proxy::new(ProxyConfig::default());
    proxy.observe(Box::new(watch));
    let limits = Limits { epochs: LIMIT, ..Limits::default() };
    let plugin =
        added(&mut proxy, &engine, "", "(call $say (i32.const 1)) (loop $again (br $again)) (unreachable)", limits);
    let seen = request(&mut proxy, plugin);
    done.store(true, SeqCst);
    fault(&seen);
    assert_eq!(ticker.join().ok(), Some(true), "it runs after twice its limit");
}

#[test]
fn a_memory_bomb_never_has_more_than_its_limit() {
    let pool = Pool { instances: 1, ..Pool::default() };
    let pooled = Engine::with_pool(Metering::None, pool).unwrap_or_else(|error| panic!("{error}"));
    for engine in [engine(Metering::None), pooled] {
        let mut proxy = Proxy::new(ProxyConfig::default());
        let watch = Watch::default();
        proxy.observe(Box::new(watch.clone()));
        let body = "(loop $more
            (local.set $number (memory.grow (i32.const 1)))
            (call $say (memory.size))
            (br_if $more (i32.ne (local.get $number) (i32.const -1))))";
        let limits = Limits { memory: 100 * PAGE + 1, ..Limits::default() };
        let plugin = added(&mut proxy, &engine, "", body, limits);
        assert_eq!(said(&request(&mut proxy, plugin)), Some(100));
        assert_eq!(watch.largest.load(SeqCst), 100 * PAGE);
    }
}

#[test]
fn a_table_bomb_never_has_more_than_its_limit() {
    let mut proxy = Proxy::new(ProxyConfig::default());
    let body = "(loop $more
        (local.set $number (table.grow $table (ref.null func) (i32.const 7)))
        (br_if $more (i32.ne (local.get $number) (i32.const -1))))
        (call $say (table.size $table))";
    let limits = Limits { table_elements: 1000, ..Limits::default() };
    let plugin = added(&mut proxy, &engine(Metering::None), "(table $table 1 funcref)", body, limits);
    assert_eq!(said(&request(&mut proxy, plugin)), Some(995), "1 and 142 times 7");
}

#[test]
fn endless_recursion_crashes_the_plugin() {
    let mut proxy = Proxy::new(ProxyConfig::default());
    let head = "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))";
    let body = "(call $say (call $deep (i32.const 1)))";
    let plugin = added(&mut proxy, &engine(Metering::None), head, body, Limits::default());
    let seen = request(&mut proxy, plugin);
    assert!(fault(&seen).contains("call stack exhausted"), "{seen:?}");
}
