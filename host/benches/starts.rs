//! The cost of starting a plugin, and of replacing one that has crashed, each against bare wasmtime in the same run.
//!
//! `cargo bench -p pw-host --bench starts`. Both sides have a pool of the same size. A start is everything from a compiled
//! module to a configured plugin, and its end; the host's includes creating a proxy. A replacement is a request in which the
//! plugin crashes, its response (503), and the start of the plugin in a new VM.

mod bare;
mod measure;

use std::hint::black_box;
use std::time::Duration;

use bare::Bare;
use pw_host::{
    Effect, Engine, FailurePolicy, Fields, Metering, Module, Piece, PluginConfig, PluginId, Pool, Proxy, ProxyConfig,
    Reload, StreamInfo,
};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

const POOL: Pool = Pool { instances: 16, memory: 1 << 30, tables: 4, table_elements: 20_000, resident: 2 << 20 };

/// wasmtime's configuration for [`POOL`].
fn pooled() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(POOL.instances).total_memories(POOL.instances);
    pool.total_tables(POOL.instances * POOL.tables).max_tables_per_module(POOL.tables);
    pool.max_memory_size(POOL.memory).table_elements(POOL.table_elements);
    pool.linear_memory_keep_resident(POOL.resident).table_keep_resident(POOL.resident);
    pool.pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// A small plugin.
const SMALL: &str = r#"(module
  (memory (export "memory") 2)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_log") (param i32))
  (func (export "proxy_on_delete") (param i32))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) BODY))"#;

/// A proxy with a plugin that is restarted at once.
fn host(module: &Module) -> (Proxy, PluginId) {
    let mut proxy = Proxy::new(ProxyConfig::default());
    let reload = Reload { base: Duration::ZERO, max: Duration::ZERO, limit: u32::MAX };
    let failure = FailurePolicy { open: false, reload: Some(reload) };
    let config = PluginConfig { failure, ..PluginConfig::default() };
    let plugin = proxy.add_plugin(module, config).expect("the plugin starts");
    (proxy, plugin)
}

/// A request in which the plugin crashes, until it runs again.
fn crash(proxy: &mut Proxy, plugin: PluginId, headers: &Fields) {
    let stream = proxy.open_stream(&[plugin], StreamInfo::default());
    proxy.request(stream, Piece::headers(headers.clone(), true));
    proxy.advance(Duration::ZERO);
    let mut restarted = false;
    while let Some(effect) = proxy.next_effect() {
        restarted |= matches!(effect, Effect::Restarted { .. });
        black_box(effect);
    }
    assert!(restarted, "the plugin was not restarted");
}

/// Microseconds of the host and of bare wasmtime.
fn starts(wasm: &[u8], pool: bool) -> [f64; 2] {
    let (engine, config) = match pool {
        true => (Engine::with_pool(Metering::None, POOL), pooled()),
        false => (Engine::new(Metering::None), Config::new()),
    };
    let module = Module::new(&engine.expect("wasmtime runs here"), wasm).expect("the module is a plugin");
    let bare = Bare::new(wasm, &config).expect("the module links");
    least(|| drop(black_box(host(&module))), || drop(black_box(bare.start().expect("the plugin starts"))))
}

fn least(mut host: impl FnMut(), mut bare: impl FnMut()) -> [f64; 2] {
    measure::least(1_000, [&mut host, &mut bare]).map(|nanoseconds| nanoseconds / 1_000.0)
}

fn row(name: &str, [host, bare]: [f64; 2]) {
    println!("| {name} | {host:.1} | {bare:.1} | {:.2} |", host / bare);
}

fn main() {
    println!("| microseconds | host | bare wasmtime | host : bare |");
    println!("| --- | ---: | ---: | ---: |");
    let small = wat::parse_str(SMALL.replace("BODY", "(i32.const 0)")).expect("the text is a module");
    let compiled = include_bytes!("../../cases/plugins/rust-0.2.5/headers.wasm");
    for (name, wasm) in [("started", &small[..]), ("started, a plugin of the Rust SDK", compiled)] {
        row(name, starts(wasm, true));
        row(&format!("{name}, without a pool"), starts(wasm, false));
    }

    let small = wat::parse_str(SMALL.replace("BODY", "unreachable")).expect("the text is a module");
    let headers = Fields::from([(":method", "GET"), (":path", "/"), (":authority", "example.test")]);
    let engine = Engine::with_pool(Metering::None, POOL).expect("wasmtime runs here");
    let module = Module::new(&engine, &small).expect("the module is a plugin");
    let (mut proxy, plugin) = host(&module);
    let bare = Bare::new(&small, &pooled()).expect("the module links");
    let mut instance = bare.start().expect("the plugin starts");
    let replaced = least(
        || crash(&mut proxy, plugin, &headers),
        || {
            assert!(instance.request(2, (Vec::new(), Vec::new())).is_err(), "the plugin did not crash");
            instance = bare.start().expect("the plugin starts");
        },
    );
    row("replaced after a crash", replaced);
}
