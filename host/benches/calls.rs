//! The cost of calls and requests: of the host without metering, of the host with epochs, and of bare wasmtime with hand-written
//! shims, measured in turns in one run.
//!
//! `cargo bench -p pw-host --bench calls -- [OPTIONS] [PART OF A ROW'S NAME]`
//!
//! - `--peer PROGRAM` also runs the program of another host (`benches/peer`), which prints the time of each row.
//! - `--profile REQUESTS` only sends that number of requests through the host, to be run under a profiler.

mod bare;
mod measure;
mod rows;

use std::collections::HashMap;
use std::hint::black_box;
use std::process::Command;

use bare::Bare;
use bytes::Bytes;
use pw_host::{Engine, Fields, Metering, Module, Piece, PluginConfig, PluginId, Proxy, ProxyConfig, StreamInfo};
use rows::{ROWS, Row};

/// The number of times that the table is measured.
const PASSES: usize = 3;

/// A proxy with the plugins of a row.
struct Host {
    proxy: Proxy,
    plugins: Vec<PluginId>,
    fields: Fields,
    body: Vec<u8>,
}

impl Host {
    fn new(row: &Row, wasm: &[u8], metering: Metering) -> Host {
        let engine = Engine::new(metering).expect("wasmtime runs here");
        let module = Module::new(&engine, wasm).expect("the module is a plugin");
        let mut proxy = Proxy::new(ProxyConfig::default());
        let mut add = || proxy.add_plugin(&module, PluginConfig::default()).expect("the plugin starts");
        let plugins = (0..row.plugins).map(|_| add()).collect();
        Host { proxy, plugins, fields: row.headers().into_iter().collect(), body: vec![b'.'; row.body] }
    }

    /// One request through the plugins, reset by the client, and every effect drained.
    fn request(&mut self) {
        let Host { proxy, plugins, fields, body } = self;
        let info = StreamInfo { protocol: "HTTP/1.1", ..StreamInfo::default() };
        let stream = proxy.open_stream(plugins, info);
        proxy.request(stream, Piece::headers(fields.clone(), body.is_empty()));
        if !body.is_empty() {
            proxy.request(stream, Piece::body(Bytes::from(body.clone()), true));
        }
        proxy.downstream_reset(stream);
        while let Some(effect) = proxy.next_effect() {
            assert!(!matches!(effect, pw_host::Effect::Fault { .. }), "the calls are OK");
            black_box(effect);
        }
    }
}

/// Nanoseconds of the host without metering, with epochs, and of bare wasmtime.
fn measure(row: &Row) -> [f64; 3] {
    let wasm = row.wasm();
    let mut host = Host::new(row, &wasm, Metering::None);
    let mut epochs = Host::new(row, &wasm, Metering::Epochs);
    let bare = Bare::new(&wasm, &wasmtime::Config::new()).expect("the module links");
    let mut instances: Vec<_> = (0..row.plugins).map(|_| bare.start().expect("the plugin starts")).collect();
    let bytes = |text: String| text.into_bytes();
    let headers: Vec<_> = row.headers().into_iter().map(|(name, value)| (bytes(name), bytes(value))).collect();
    let (body, mut context) = (vec![b'.'; row.body], 1);
    let mut bare = || {
        context += 1;
        let mut request = (headers.clone(), body.clone());
        for instance in &mut instances {
            request = instance.request(context, request).expect("no trap");
        }
        black_box(request);
    };
    let begun = measure::now();
    (0..3).for_each(|_| host.request());
    let once = (measure::now() - begun).as_secs_f64() / 3.0;
    let (rounds, batch) = ((0.2 / once).clamp(30.0, 1_000.0) as usize, rows::batch(once));
    let all = measure::least(
        rounds,
        [
            &mut || (0..batch).for_each(|_| host.request()),
            &mut || (0..batch).for_each(|_| epochs.request()),
            &mut || (0..batch).for_each(|_| bare()),
        ],
    );
    all.map(|nanoseconds| nanoseconds / row.per() / batch as f64)
}

/// The output of another host's program: per line a row's name, a tab, nanoseconds.
fn peer(program: &str) -> HashMap<String, f64> {
    let output = Command::new(program).output().unwrap_or_else(|error| panic!("failed to run {program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("it prints text");
    let rows = text.lines().filter_map(|line| line.split_once('\t'));
    rows.map(|(name, nanoseconds)| (name.to_owned(), nanoseconds.parse().expect("a number"))).collect()
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (mut filter, mut program, mut profile) = (String::new(), None, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--peer" => program = arguments.next(),
            "--profile" => profile = arguments.next().and_then(|requests| requests.parse().ok()),
            _ => filter = argument,
        }
    }
    let rows: Vec<&Row> = ROWS.iter().filter(|row| row.name.contains(&filter)).collect();
    if let Some(requests) = profile {
        for row in rows {
            let mut host = Host::new(row, &row.wasm(), Metering::None);
            (0..requests).for_each(|_: usize| host.request());
        }
        return;
    }
    let mut all = vec![[f64::INFINITY; 3]; rows.len()];
    let mut others: HashMap<String, f64> = HashMap::new();
    for _ in 0..PASSES {
        for (row, least) in rows.iter().zip(&mut all) {
            let measured = measure(row);
            least.iter_mut().zip(measured).for_each(|(least, measured)| *least = least.min(measured));
        }
        for (name, nanoseconds) in program.as_deref().map(peer).into_iter().flatten() {
            let least = others.entry(name).or_insert(f64::INFINITY);
            *least = least.min(nanoseconds);
        }
    }
    let (titles, line) = match program {
        Some(_) => (" peer | with epochs : peer |", " ---: | ---: |"),
        None => ("", ""),
    };
    println!("| nanoseconds | host | with epochs | bare wasmtime | host : bare |{titles}");
    println!("| --- | ---: | ---: | ---: | ---: |{line}");
    for (row, [host, epochs, bare]) in rows.iter().zip(&all) {
        let other = others.get(row.name).map(|other| format!(" {other:.1} | {:.2} |", epochs / other));
        let other = other.unwrap_or_else(|| if program.is_some() { " | |".to_owned() } else { String::new() });
        println!("| {} | {host:.1} | {epochs:.1} | {bare:.1} | {:.2} |{other}", row.name, host / bare);
    }
    let of =
        |plugins: usize| rows.iter().position(|row| row.plugins == plugins && row.times == 0).map(|place| all[place]);
    if let (Some(one), Some(many)) = (of(1), of(20)) {
        let [host, epochs, bare] = [0, 1, 2].map(|side| (many[side] - one[side]) / 19.0);
        let other = if program.is_some() { " | |" } else { "" };
        println!("| each further plugin | {host:.1} | {epochs:.1} | {bare:.1} | {:.2} |{other}", host / bare);
    }
}
