//! Limits of any value are defined, and a plugin cannot crash the embedder's code.

use std::collections::BTreeMap;

use pw_abi::Status;
use pw_host::{
    Engine, Fields, ForeignFunction, Limits, Metering, Module, Observer, Piece, PluginConfig, PluginId, Pool, Proxy,
    ProxyConfig, StartError, StreamInfo,
};

const PLUGIN: &str = r#"(module
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (table 1 funcref)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $log (i32.const 2) (i32.const 16) (i32.const 8)))
        (call $add (i32.const 0) (i32.const 16) (i32.const 8) (i32.const 24) (i32.const 8))))"#;

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is a module")
}

/// Starts a plugin with these limits, and sends a request through it: nothing panics, and another plugin with the default
/// limits still works.
fn works(engine: &Engine, module: &Module, limits: Limits, what: &str) -> bool {
    let mut proxy = Proxy::new(ProxyConfig::default());
    let plugin = proxy.add_plugin(module, PluginConfig { limits, ..PluginConfig::default() });
    let request = || Fields::from([(":method", "GET"), (":path", "/"), (":authority", "a")]);
    if let Ok(plugin) = plugin {
        // The engine has ticked since it was created.
        engine.tick();
        let stream = proxy.open_stream(&[plugin], StreamInfo::default());
        proxy.request(stream, Piece::headers(request(), true));
    }
    while proxy.next_effect().is_some() {}
    let other = proxy.add_plugin(module, PluginConfig::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let stream = proxy.open_stream(&[other], StreamInfo::default());
    proxy.request(stream, Piece::headers(request(), true));
    assert!(std::iter::from_fn(|| proxy.next_effect()).count() > 0, "{what}");
    plugin.is_ok()
}

#[test]
fn limits_of_any_value_are_defined() {
    type Set = fn(&mut Limits, u64);
    let fields: [(&str, Set); 17] = [
        ("memory", |limits, value| limits.memory = value as usize),
        ("table_elements", |limits, value| limits.table_elements = value as usize),
        ("fuel", |limits, value| limits.fuel = value),
        ("epochs", |limits, value| limits.epochs = value),
        ("log_lines", |limits, value| limits.log_lines = value as usize),
        ("log_bytes", |limits, value| limits.log_bytes = value as usize),
        ("held", |limits, value| limits.held = value as usize),
        ("fields", |limits, value| limits.fields = value as usize),
        ("shared_data", |limits, value| limits.shared_data = value as usize),
        ("queue", |limits, value| limits.queue = value as usize),
        ("queues", |limits, value| limits.queues = value as usize),
        ("metrics", |limits, value| limits.metrics = value as usize),
        ("calls", |limits, value| limits.calls = value as usize),
        ("pending", |limits, value| limits.pending = value as usize),
        ("properties", |limits, value| limits.properties = value as usize),
        ("host_memory", |limits, value| limits.host_memory = value as usize),
        ("callbacks_per_event", |limits, value| limits.callbacks_per_event = value as usize),
    ];
    for metering in [Metering::None, Metering::Fuel, Metering::Epochs] {
        let engine = Engine::new(metering).expect("wasmtime runs here");
        let module = Module::new(&engine, &wasm(PLUGIN)).expect("it is a plugin");
        engine.tick();
        let mut all = [0, 1, u64::MAX].map(|value| (value, Limits::default()));
        for (name, set) in fields {
            for (value, all) in &mut all {
                let mut limits = Limits::default();
                set(&mut limits, *value);
                set(all, *value);
                let started = works(&engine, &module, limits, &format!("{name} = {value}, {metering:?}"));
                assert!(started || *value < 2, "{name} = {value}, {metering:?}: not started");
            }
        }
        for (value, all) in all {
            let started = works(&engine, &module, all, &format!("all = {value}, {metering:?}"));
            assert!(started || value < 2, "all = {value}, {metering:?}");
        }
    }
}

/// `u64::MAX` once wrapped around, so that every call was interrupted once the engine had ticked.
#[test]
fn the_maximum_of_epochs_interrupts_nothing() {
    let engine = Engine::new(Metering::Epochs).expect("wasmtime runs here");
    let module = Module::new(&engine, &wasm(PLUGIN)).expect("it is a plugin");
    (0..100).for_each(|_| engine.tick());
    for epochs in [u64::MAX, u64::MAX - 1, u64::MAX / 2 + 1, 1 << 40] {
        let limits = Limits { epochs, ..Limits::default() };
        let mut proxy = Proxy::new(ProxyConfig::default());
        let plugin = proxy.add_plugin(&module, PluginConfig { limits, ..PluginConfig::default() }).expect("it starts");
        let stream = proxy.open_stream(&[plugin], StreamInfo::default());
        proxy.request(
            stream,
            Piece::headers(Fields::from([(":method", "GET"), (":path", "/"), (":authority", "a")]), true),
        );
        let seen: Vec<String> =
            std::iter::from_fn(|| proxy.next_effect()).map(|effect| format!("{effect:?}")).collect();
        assert!(!seen.iter().any(|effect| effect.starts_with("Fault")), "{epochs}: {seen:?}");
    }
}

#[test]
fn pools_of_any_size_are_defined() {
    let zero = Pool { instances: 0, memory: 0, tables: 0, table_elements: 0, resident: 0 };
    let pool = Pool { instances: 2, ..Pool::default() };
    let rows = [
        zero,
        Pool { instances: 0, ..pool },
        Pool { memory: 0, ..pool },
        Pool { tables: 0, ..pool },
        Pool { table_elements: 0, ..pool },
        Pool { resident: usize::MAX, ..pool },
        Pool { instances: u32::MAX, ..pool },
        Pool { memory: usize::MAX, ..pool },
        Pool { tables: u32::MAX, ..pool },
        Pool { table_elements: usize::MAX, ..pool },
    ];
    for pool in rows {
        // A pool without enough address space is an error, and so is a module that does not fit into the pool.
        let Ok(engine) = Engine::with_pool(Metering::None, pool) else { continue };
        if let Ok(module) = Module::new(&engine, &wasm(PLUGIN)) {
            let _ = Proxy::new(ProxyConfig::default()).add_plugin(&module, PluginConfig::default());
        }
    }
    let engine = Engine::with_pool(Metering::None, pool).expect("a pool of two");
    assert!(Module::new(&engine, &wasm(PLUGIN)).is_ok());
}

struct Silent;

impl Observer for Silent {
    fn callback(&mut self, _: PluginId, _: &'static str, _: &[u32]) {}
    fn returned(&mut self, _: PluginId, _: &'static str, _: Option<u32>) {}
    fn call(&mut self, _: PluginId, _: &'static pw_abi::Function, _: &[u64], _: Option<u32>, _: &[u8]) {}
}

/// An export with the name of a callback that the version does not have is not called, whatever its type.
#[test]
fn does_not_call_exports_that_the_version_does_not_have() {
    let engine = Engine::new(Metering::None).expect("wasmtime runs here");
    for params in
        ["", "(param i32)", "(param i64)", "(param i32 i32 i32 i32 i32 i32 i32)", "(param f32 f32 f32 f32 f32)"]
    {
        for result in ["", "(result i32)", "(result i32 i32 i32)", "(result i64)"] {
            let text = format!(
                "(module (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_1_0\"))
                 (func (export \"malloc\") (param i32) (result i32) i32.const 8)
                 (func (export \"proxy_on_foreign_function\") {params} {result} unreachable))"
            );
            let module = Module::new(&engine, &wasm(&text)).unwrap_or_else(|error| panic!("{text}: {error}"));
            let mut proxy = Proxy::new(ProxyConfig::default());
            proxy.observe(Box::new(Silent));
            let plugin = proxy.add_plugin(&module, PluginConfig::default()).expect("it starts");
            proxy.foreign_function(plugin, 1, &b"x"[..]);
            assert_eq!(proxy.next_effect().map(|effect| format!("{effect:?}")), None, "{params} {result}");
        }
    }
}

/// The panic of a foreign function crashes only the plugin that called it.
#[test]
fn a_panic_of_a_foreign_function_crashes_its_plugin() {
    let text = r#"(module
        (import "env" "proxy_call_foreign_function" (func $call (param i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 16) "odd")
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 1024))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $call (i32.const 16) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 32) (i32.const 36)))
            (i32.const 1)))"#;
    let engine = Engine::new(Metering::None).expect("wasmtime runs here");
    let (calling, other) = (Module::new(&engine, &wasm(text)), Module::new(&engine, &wasm(PLUGIN)));
    let (calling, other) = (calling.expect("it is a plugin"), other.expect("it is a plugin"));
    type Panics = fn(&[u8]) -> Result<Vec<u8>, Status>;
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("once more");
        }
    }
    let panics: [Panics; 4] = [
        |_| panic!("on purpose"),
        |arguments| Ok(vec![arguments[7]]),
        |_| std::panic::panic_any(7),
        |_| std::panic::panic_any(Bomb),
    ];
    for panics in panics {
        let functions = BTreeMap::from([("odd".to_owned(), ForeignFunction::new(panics))]);
        let mut proxy = Proxy::new(ProxyConfig { foreign_functions: functions, ..ProxyConfig::default() });
        let healthy = proxy.add_plugin(&other, PluginConfig::default()).expect("it starts");
        let started = proxy.add_plugin(&calling, PluginConfig::default());
        let Err(StartError::Trap(reason)) = started else { panic!("{started:?}") };
        assert!(reason.contains("proxy_on_configure failed: a foreign function panicked: "), "{reason}");
        let stream = proxy.open_stream(&[healthy], StreamInfo::default());
        let request = Fields::from([(":method", "GET"), (":path", "/"), (":authority", "a")]);
        proxy.request(stream, Piece::headers(request, true));
        assert!(std::iter::from_fn(|| proxy.next_effect()).count() > 0, "the other plugin does not work");
    }
}
