//! The cost of starting a plugin, and of replacing one that has crashed, each against bare wasmtime in the same run.
//!
//! `cargo bench -p pw-host --bench starts`. Both sides have a pool of the same size. A start is everything from a compiled
//! module to a plugin that has its configuration, and its end; the host's is that of a proxy as well. A replacement is a
//! request in which the plugin crashes, what becomes of it (503), and the start of the plugin in a new VM.

mod bare;

use std::hint::black_box;
use std::time::Duration;

use bare::Bare;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use pw_host::{
    Effect, Engine, FailurePolicy, Fields, Metering, Module, Piece, PluginConfig, PluginId, Pool, Proxy, ProxyConfig,
    Reload, StreamInfo,
};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

const POOL: Pool = Pool { instances: 16, memory: 1 << 30, tables: 4, table_elements: 20_000, resident: 2 << 20 };

/// What [`POOL`] is to wasmtime.
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

/// A proxy with a plugin that comes back at once; the size of its configuration says what it does.
fn host(module: &Module, what: usize) -> (Proxy, PluginId) {
    let mut proxy = Proxy::new(ProxyConfig::default());
    let reload = Reload { base: Duration::ZERO, max: Duration::ZERO, limit: u32::MAX };
    let failure = FailurePolicy { open: false, reload: Some(reload) };
    let config = PluginConfig { configuration: vec![0; what], failure, ..PluginConfig::default() };
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
    assert!(restarted, "the plugin crashes and comes back");
}

fn starts(group: &mut BenchmarkGroup<'_, WallTime>, wasm: &[u8]) {
    for (name, engine, config) in [
        ("", Engine::with_pool(Metering::None, POOL), pooled()),
        (" without a pool", Engine::new(Metering::None), Config::new()),
    ] {
        let module = Module::new(&engine.expect("wasmtime runs here"), wasm).expect("the module is a plugin");
        group.bench_function(format!("host{name}"), |bencher| bencher.iter(|| host(&module, 0)));
        let bare = Bare::new(wasm, &config).expect("the module links");
        group.bench_function(format!("bare{name}"), |bencher| {
            bencher.iter(|| bare.start(0).expect("the plugin starts"));
        });
    }
}

fn benches(criterion: &mut Criterion) {
    let small = wat::parse_str(include_str!("plugin.wat")).expect("the text is a module");
    let compiled = include_bytes!("../../cases/plugins/rust/headers.wasm");
    for (name, wasm) in [("started", &small[..]), ("started, a plugin of the Rust SDK", compiled)] {
        let mut group = criterion.benchmark_group(name);
        starts(&mut group, wasm);
        group.finish();
    }

    const CRASHES: usize = 5;
    let headers = Fields::from([(":method", "GET"), (":path", "/"), (":authority", "example.test")]);
    let mut group = criterion.benchmark_group("replaced after a crash");
    let engine = Engine::with_pool(Metering::None, POOL).expect("wasmtime runs here");
    let module = Module::new(&engine, &small).expect("the module is a plugin");
    let (mut proxy, plugin) = host(&module, CRASHES);
    group.bench_function("host", |bencher| bencher.iter(|| crash(&mut proxy, plugin, &headers)));
    let bare = Bare::new(&small, &pooled()).expect("the module links");
    let mut instance = bare.start(CRASHES as u32).expect("the plugin starts");
    group.bench_function("bare", |bencher| {
        bencher.iter(|| {
            instance.request(2, Vec::new()).expect_err("the plugin crashes");
            instance = bare.start(CRASHES as u32).expect("the plugin starts");
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
