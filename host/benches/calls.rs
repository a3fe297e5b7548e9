//! The cost of calls and callbacks, each against a bare wasmtime shim that does the same work, in the same run.
//!
//! `cargo bench -p pw-host --bench calls`. All but the first make 1000 calls per iteration; Criterion shows the time of all of them, and
//! calls per second. What to look at is `host` against `bare`.

mod bare;

use std::hint::black_box;

use bare::Bare;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pw_host::{Engine, Fields, Metering, Module, Piece, PluginConfig, PluginId, Proxy, ProxyConfig, StreamInfo};

const HEADERS: [(&str, &str); 8] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "example.test"),
    (":path", "/some/path?and=query"),
    ("user-agent", "bench/1.0"),
    ("accept", "*/*"),
    ("x-request-id", "3b241101-e2bb-4255-8caf-4136c566a962"),
    ("x-forwarded-proto", "https"),
];

fn host(module: &Module, what: usize) -> (Proxy, PluginId) {
    let mut proxy = Proxy::new(ProxyConfig::default());
    let config = PluginConfig { configuration: vec![0; what], ..PluginConfig::default() };
    let plugin = proxy.add_plugin(module, config).expect("the plugin starts");
    (proxy, plugin)
}

/// One request through the plugin, answered, and every effect drained.
fn host_request(proxy: &mut Proxy, plugin: PluginId, headers: &Fields) {
    let stream = proxy.open_stream(&[plugin], StreamInfo::default());
    proxy.request(stream, Piece::headers(headers.clone(), true));
    proxy.downstream_reset(stream);
    while let Some(effect) = proxy.next_effect() {
        black_box(effect);
    }
}

fn bare_headers() -> Vec<(Vec<u8>, Vec<u8>)> {
    HEADERS.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

fn benches(criterion: &mut Criterion) {
    let wasm = wat::parse_str(include_str!("plugin.wat")).expect("the text is a module");
    let engine = Engine::new(Metering::None).expect("wasmtime runs here");
    let module = Module::new(&engine, &wasm).expect("the module is a plugin");
    let bare = Bare::new(&wasm, &wasmtime::Config::new()).expect("the module links");
    let fields = Fields::from(HEADERS);
    let named = ["whole request", "empty call", "header read", "header replaced", "all pairs of 8 headers"];
    for (what, name) in named.into_iter().enumerate() {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(if what == 0 { 1 } else { 1000 }));
        let (mut proxy, plugin) = host(&module, what);
        group.bench_function(BenchmarkId::from_parameter("host"), |bencher| {
            bencher.iter(|| host_request(&mut proxy, plugin, &fields));
        });
        let mut instance = bare.start(what as u32).expect("the plugin starts");
        let mut context = 1;
        group.bench_function(BenchmarkId::from_parameter("bare"), |bencher| {
            bencher.iter(|| {
                context += 1;
                black_box(instance.request(context, bare_headers()).expect("no trap"))
            });
        });
        group.finish();
    }
}

criterion_group!(all, benches);
criterion_main!(all);
