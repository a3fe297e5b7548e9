//! Shared by the attacks: modules generated from the table's rows, and a world that counts what happens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pw_abi::{Function, Version};
use pw_host::{
    Effect, Engine, Fields, ForeignFunction, Limits, Metering, Module, Observer, Piece, PluginConfig, PluginId, Proxy,
    ProxyConfig, StreamId, StreamInfo,
};

/// Rounds of `advance` after which a proxy that still has work counts as endless.
const MAX_ROUNDS: usize = 20_000;
/// The address that the guest's allocator returns.
const ALLOCATED: usize = 0xC000;
/// Where the serialised headers of a call are.
const CALL_HEADERS: usize = 64;

pub(crate) const MIB: usize = 1 << 20;

/// A module's text; its imports, exports and memory follow from its parts.
pub(crate) fn text(version: Version, parts: &[String]) -> String {
    let body = parts.concat();
    let imports: String = pw_abi::host_functions(version)
        .filter(|row| body.contains(&format!("${}", short(row.name))))
        .map(|row| {
            let params: String = row.lanes().map(|(_, lane)| format!(" {}", lane.name())).collect();
            let result = row.result().map_or("", |_| "(result i32)");
            let name = short(row.name);
            format!("(import \"{}\" \"{}\" (func ${name} (param{params}) {result}))", row.module, row.name)
        })
        .collect();
    let memory = if body.contains("(memory") { "" } else { "(memory (export \"memory\") 1)" };
    let data: String = call_headers().iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        "(module {imports} {memory}
            (data (i32.const 16) \"upstream\") (data (i32.const {CALL_HEADERS}) \"{data}\")
            (func (export \"{}\"))
            (func (export \"proxy_on_memory_allocate\") (param i32) (result i32) (i32.const {ALLOCATED}))
            {body})",
        version.marker()
    )
}

fn call_headers() -> Vec<u8> {
    let headers: [(&[u8], &[u8]); 3] = [(b":method", b"GET"), (b":path", b"/"), (b":authority", b"upstream")];
    pw_abi::pairs::encode(headers)
}

fn short(name: &str) -> &str {
    name.strip_prefix("proxy_").unwrap_or(name)
}

/// A callback of v0.2.1 with the locals `$i` and `$n`. It returns what continues or accepts.
pub(crate) fn on(callback: &str, body: &str) -> String {
    let accepts = ["proxy_on_vm_start", "proxy_on_configure", "proxy_on_done"].contains(&callback);
    returning(callback, body, u32::from(accepts))
}

/// The same, with this result.
pub(crate) fn returning(callback: &str, body: &str, result: u32) -> String {
    let row = pw_abi::callback(Version::V0_2_1, callback).unwrap_or_else(|| panic!("no callback {callback}"));
    let params: String = row.params(Version::V0_2_1).map(|_| " i32").collect();
    let (ty, value) = match row.result {
        Some(_) => ("(result i32)", format!("(i32.const {result})")),
        None => ("", String::new()),
    };
    format!("(func (export \"{callback}\") (param{params}) {ty} (local $i i32) (local $n i32) {body} {value})")
}

/// A call with these arguments, whose status is dropped.
pub(crate) fn call(name: &str, args: &[u32]) -> String {
    let status = status(name, args);
    match function(name).result() {
        Some(_) => format!("(drop {status})"),
        None => status,
    }
}

/// A call with these arguments, whose status stays on the stack.
pub(crate) fn status(name: &str, args: &[u32]) -> String {
    let lanes = function(name).lanes().zip(args);
    let args: String = lanes.map(|((_, lane), arg)| format!(" ({}.const {arg})", lane.name())).collect();
    format!("(call ${name}{args})")
}

fn function(name: &str) -> &'static Function {
    let rows = Version::FINAL.into_iter().flat_map(pw_abi::host_functions);
    rows.into_iter().find(|row| short(row.name) == name).unwrap_or_else(|| panic!("no function {name}"))
}

/// Repeats something; `$i` counts from 0.
pub(crate) fn repeat(times: usize, body: &str) -> String {
    format!(
        "(local.set $i (i32.const 0))
        (loop $next {body}
            (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {times}))))"
    )
}

/// Does something until the plugin is stopped.
pub(crate) fn forever(body: &str) -> String {
    format!("(loop $next {body} (br $next))")
}

/// Logs a number.
pub(crate) fn say(value: &str) -> String {
    format!("(i32.store (i32.const 0) {value}) {}", call("log", &[2, 0, 4]))
}

/// Makes an HTTP call with a body of some bytes and a timeout in milliseconds; its status stays on the stack.
pub(crate) fn ask(body_size: u32, timeout: u32) -> String {
    let headers = call_headers().len() as u32;
    status("http_call", &[16, 8, CALL_HEADERS as u32, headers, 0, body_size, 0, 0, timeout, 8])
}

/// Sets `$queue` to the queue of the plugin's VM id; must come before the callbacks.
pub(crate) fn queue() -> String {
    let register = status("register_shared_queue", &[16, 8, 8]);
    let register = format!("(if {register} (then unreachable)) (global.set $queue (i32.load (i32.const 8)))");
    format!("(global $queue (mut i32) (i32.const 0)) {}", on("proxy_on_configure", &register))
}

/// Enqueues an item of some bytes in `$queue`; its status stays on the stack.
pub(crate) fn put(size: u32) -> String {
    format!("(call $enqueue_shared_queue (global.get $queue) (i32.const 16) (i32.const {size}))")
}

/// Names and values as a data segment, and its size.
pub(crate) fn pairs(address: usize, pairs: &[(&str, &str)]) -> (String, u32) {
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let bytes = pw_abi::pairs::encode(pairs.iter().copied());
    let data: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    (format!("(data (i32.const {address}) \"{data}\")"), bytes.len() as u32)
}

pub(crate) fn engine(metering: Metering) -> Engine {
    Engine::new(metering).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn compile(engine: &Engine, version: Version, parts: &[String]) -> Module {
    let wasm = wat::parse_str(text(version, parts)).unwrap_or_else(|error| panic!("{error}"));
    Module::new(engine, &wasm).unwrap_or_else(|error| panic!("{error}"))
}

/// A proxy whose callbacks and calls are counted.
pub(crate) struct World {
    pub(crate) proxy: Proxy,
    pub(crate) engine: Engine,
    pub(crate) seen: Seen,
}

impl World {
    /// A world in which modules are metered by fuel.
    pub(crate) fn new() -> World {
        World::of(Metering::Fuel, ProxyConfig::default())
    }

    /// A world; its plugins may call any upstream, and the foreign function `upstream` ticks the engine.
    pub(crate) fn of(metering: Metering, config: ProxyConfig) -> World {
        let engine = engine(metering);
        let clock = engine.clone();
        let tick = ForeignFunction::new(move |_| {
            (0..100).for_each(|_| clock.tick());
            Ok(Vec::new())
        });
        let foreign_functions = [("upstream".to_owned(), tick)].into();
        let mut proxy = Proxy::new(ProxyConfig { upstreams: None, foreign_functions, ..config });
        let seen = Seen::default();
        proxy.observe(Box::new(seen.clone()));
        World { proxy, engine, seen }
    }

    pub(crate) fn module(&self, parts: &[String]) -> Module {
        compile(&self.engine, Version::V0_2_1, parts)
    }

    /// Starts a plugin with these limits and nothing else.
    #[track_caller]
    pub(crate) fn add(&mut self, limits: Limits, parts: &[String]) -> PluginId {
        let module = self.module(parts);
        self.start(&module, PluginConfig { limits, ..PluginConfig::default() })
    }

    #[track_caller]
    pub(crate) fn start(&mut self, module: &Module, config: PluginConfig) -> PluginId {
        self.proxy.add_plugin(module, config).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Opens a stream and sends a request of only headers.
    pub(crate) fn get(&mut self, plugins: &[PluginId]) -> StreamId {
        let stream = self.open(plugins);
        self.proxy.request(stream, headers(true));
        stream
    }

    pub(crate) fn open(&mut self, plugins: &[PluginId]) -> StreamId {
        self.proxy.open_stream(plugins, StreamInfo::default())
    }

    /// The effects so far.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.proxy.next_effect()).collect()
    }

    /// Runs until the proxy has nothing left that is due now. All effects.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> Vec<Effect> {
        let mut effects = self.effects();
        for _ in 0..MAX_ROUNDS {
            if self.proxy.next_due() != Some(Duration::ZERO) {
                return effects;
            }
            self.proxy.advance(Duration::ZERO);
            effects.extend(self.effects());
        }
        panic!("after {MAX_ROUNDS} rounds the proxy is not done");
    }

    /// Advances the time step by step, so that each tick happens. All effects.
    #[track_caller]
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<Effect> {
        let mut effects = self.finish();
        let mut left = time;
        for _ in 0..MAX_ROUNDS {
            let Some(step) = self.proxy.next_due().filter(|due| *due <= left) else {
                self.proxy.advance(left);
                effects.extend(self.finish());
                return effects;
            };
            self.proxy.advance(step);
            left -= step;
            effects.extend(self.effects());
        }
        panic!("after {MAX_ROUNDS} steps {left:?} are left");
    }

    /// Asserts that what is charged to a plugin is within its limit, and a part of what is charged to all.
    #[track_caller]
    pub(crate) fn check_charged(&mut self, plugin: PluginId, limits: Limits) {
        let charged = self.proxy.charged(plugin).expect("the plugin is there, so it has an account");
        assert!(charged <= limits.host_memory, "{charged} bytes are charged, of at most {}", limits.host_memory);
        let all = self.proxy.usage().charged;
        assert!(charged <= all, "{charged} bytes are charged to the plugin, and {all} to all");
    }
}

/// Headers of a request.
pub(crate) fn headers(end_of_stream: bool) -> Piece {
    Piece::headers(request(&[]), end_of_stream)
}

pub(crate) fn request(more: &[(&str, &str)]) -> Fields {
    let usual = [(":method", "GET"), (":path", "/"), (":authority", "example.test")];
    usual.iter().chain(more).map(|(name, value)| (*name, *value)).collect()
}

/// Headers of a response.
pub(crate) fn response(status: &str, end_of_stream: bool) -> Piece {
    Piece::headers(Fields::from([(":status", status)]), end_of_stream)
}

/// The numbers that a plugin has logged.
pub(crate) fn said(effects: &[Effect], by: PluginId) -> Vec<u32> {
    let number = |effect: &Effect| match effect {
        Effect::Log { plugin, message, .. } if *plugin == by => {
            message.first_chunk().filter(|_| message.len() == 4).map(|bytes| u32::from_le_bytes(*bytes))
        }
        _ => None,
    };
    effects.iter().filter_map(number).collect()
}

pub(crate) fn faults(effects: &[Effect]) -> Vec<PluginId> {
    let plugin = |effect: &Effect| if let Effect::Fault { plugin, .. } = effect { Some(*plugin) } else { None };
    effects.iter().filter_map(plugin).collect()
}

/// The number of streams that ended.
pub(crate) fn ended(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::StreamEnded { .. })).count()
}

/// The statuses of the responses that clients get.
pub(crate) fn statuses(effects: &[Effect]) -> Vec<String> {
    let status = |effect: &Effect| match effect {
        Effect::Downstream { piece: Piece::Headers { headers, .. }, .. } => {
            headers.get(b":status").map(|status| String::from_utf8_lossy(status).into_owned())
        }
        _ => None,
    };
    effects.iter().filter_map(status).collect()
}

/// Headers that were sent to the upstream.
pub(crate) fn forwarded(effects: &[Effect]) -> Vec<&Fields> {
    let headers = |effect| match effect {
        &Effect::Upstream { piece: Piece::Headers { ref headers, .. }, .. } => Some(&**headers),
        _ => None,
    };
    effects.iter().filter_map(headers).collect()
}

/// Bytes of bodies that were sent to the upstream, or else to the client.
pub(crate) fn body(effects: &[Effect], upstream: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for effect in effects {
        match effect {
            Effect::Upstream { piece: Piece::Body { body, .. }, .. } if upstream => bytes.extend_from_slice(body),
            Effect::Downstream { piece: Piece::Body { body, .. }, .. } if !upstream => bytes.extend_from_slice(body),
            _ => {}
        }
    }
    bytes
}

/// The bytes in effects, with the minimum cost of each.
pub(crate) fn weight(effects: &[Effect]) -> usize {
    let piece = |piece: &Piece| match piece {
        Piece::Body { body, .. } => body.len(),
        Piece::Headers { headers: fields, .. } | Piece::Trailers { trailers: fields } => {
            fields.iter().map(|(name, value)| name.len() + value.len()).sum()
        }
    };
    let bytes = |effect: &Effect| match effect {
        Effect::Log { message, .. } => message.len(),
        Effect::Upstream { piece: sent, .. } | Effect::Downstream { piece: sent, .. } => piece(sent),
        Effect::HttpCall { body, .. } => body.len(),
        Effect::GrpcSend { message, .. } => message.as_ref().map_or(0, |message| message.len()),
        _ => 0,
    };
    effects.iter().map(|effect| bytes(effect) + size_of::<Effect>() / 2).sum()
}

/// What an observer has counted.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Counts>>);

#[derive(Default)]
pub(crate) struct Counts {
    callbacks: BTreeMap<(PluginId, &'static str), usize>,
    calls: BTreeMap<(PluginId, &'static str, Option<u32>), usize>,
}

impl Seen {
    /// The number of runs of a callback since the last `reset`.
    pub(crate) fn callbacks(&self, plugin: PluginId, name: &str) -> usize {
        self.counts().callbacks.iter().filter(|((who, on), _)| *who == plugin && *on == name).map(|(_, n)| n).sum()
    }

    /// The number of runs of a callback in all plugins since the last `reset`.
    pub(crate) fn of_all(&self, name: &str) -> usize {
        self.counts().callbacks.iter().filter(|((_, on), _)| *on == name).map(|(_, n)| n).sum()
    }

    /// The number of callbacks of a plugin since the last `reset`.
    pub(crate) fn all_callbacks(&self, plugin: PluginId) -> usize {
        self.counts().callbacks.iter().filter(|((who, _), _)| *who == plugin).map(|(_, n)| n).sum()
    }

    /// The number of calls of a function since the last `reset`.
    pub(crate) fn calls(&self, plugin: PluginId, name: &str) -> usize {
        let counts = self.counts();
        counts.calls.iter().filter(|((who, what, _), _)| *who == plugin && short(what) == name).map(|(_, n)| n).sum()
    }

    /// The number of calls of a function that returned a status since the last `reset`.
    pub(crate) fn answers(&self, plugin: PluginId, name: &str, status: pw_abi::Status) -> usize {
        let counts = self.counts();
        let mut found = counts.calls.iter().filter(|((who, what, _), _)| *who == plugin && short(what) == name);
        found.find(|((_, _, answer), _)| *answer == Some(status.0)).map_or(0, |(_, n)| *n)
    }

    pub(crate) fn reset(&self) {
        *self.counts() = Counts::default();
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Seen {
    fn callback(&mut self, plugin: PluginId, name: &'static str, _: &[u32]) {
        *self.counts().callbacks.entry((plugin, name)).or_default() += 1;
    }

    fn returned(&mut self, _: PluginId, _: &'static str, _: Option<u32>) {}

    fn call(&mut self, plugin: PluginId, function: &'static Function, _: &[u64], result: Option<u32>, _: &[u8]) {
        *self.counts().calls.entry((plugin, function.name, result)).or_default() += 1;
    }
}
