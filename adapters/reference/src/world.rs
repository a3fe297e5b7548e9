//! The world around the reference host: a client, an upstream, the servers of calls; what they receive becomes events.

mod effects;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use pw_cases::data::{Data, Fields};
use pw_cases::scenario::Step;
use pw_cases::transcript::Event;
use pw_host::{
    Canary, Choices, ForeignFunction, GrpcCallId, GrpcEvent, HttpCallId, Module, ModuleError, Piece, PluginConfig,
    PluginId, Proxy, ProxyConfig, StartError, StreamId, StreamInfo, Usage,
};

use crate::room::{Room, TOO_LONG};
use crate::zlib;

/// The upstreams that cases may name; the last refuses connections.
pub const UPSTREAMS: [&str; 4] = ["upstream", "auth", "callout", "dead"];

/// When the world begins, in nanoseconds since 1970: 2020-01-01.
pub const START: u64 = 1_577_836_800_000_000_000;

/// How often the proxy is advanced at one time while it has work left. Each round does as much as one event may.
const ROUNDS: usize = 32;

/// A proxy and what is around it.
pub struct World {
    proxy: Proxy,
    plugins: Vec<Running>,
    /// Those that wait for a step, by name.
    standby: HashMap<String, (Loaded, PluginConfig)>,
    /// Those that are on every stream.
    chain: Vec<PluginId>,
    streams: BTreeMap<u32, Stream>,
    /// What HTTP streams are said to be of.
    protocol: &'static str,
    calls: Vec<HttpCallId>,
    grpc_calls: Vec<GrpcCallId>,
    /// What was seen so far.
    pub events: Vec<Event>,
    room: Room,
    /// Why a plugin could not be started, if it was for want of memory.
    no_memory: Option<String>,
}

/// A module, or why the host does not take it.
type Loaded = Result<Module, ModuleError>;

struct Running {
    id: PluginId,
    name: String,
    /// What it was started from.
    module: Module,
    config: PluginConfig,
}

struct Stream {
    id: StreamId,
    /// The upstream has a request that it can answer.
    upstream: bool,
}

impl World {
    /// A proxy without plugins, in the world of cases.
    pub fn new() -> World {
        World::with_choices(Choices::default())
    }

    /// The same, with these answers to open questions.
    pub fn with_choices(choices: Choices) -> World {
        World::of(Some(UPSTREAMS.map(str::to_owned).to_vec()), choices)
    }

    /// A proxy without plugins, where these upstreams are, or any.
    pub fn of(upstreams: Option<Vec<String>>, choices: Choices) -> World {
        let config = ProxyConfig {
            choices,
            start_time: START,
            seed: 1,
            log_level: pw_abi::LogLevel::TRACE,
            upstreams,
            plugins: 100,
            foreign_functions: [
                ("compress".to_owned(), ForeignFunction::new(zlib::compress)),
                ("echo".to_owned(), ForeignFunction::new(|arguments| Ok(arguments.to_vec()))),
                ("uncompress".to_owned(), ForeignFunction::new(zlib::uncompress)),
            ]
            .into(),
            ..ProxyConfig::default()
        };
        let proxy = Proxy::new(config);
        World {
            proxy,
            plugins: Vec::new(),
            standby: HashMap::new(),
            chain: Vec::new(),
            streams: BTreeMap::new(),
            protocol: "HTTP/2",
            calls: Vec::new(),
            grpc_calls: Vec::new(),
            events: Vec::new(),
            room: Room::default(),
            no_memory: None,
        }
    }

    /// The proxy.
    pub fn proxy(&mut self) -> &mut Proxy {
        &mut self.proxy
    }

    /// Loads and starts a plugin. A refusal is an event; false then.
    pub fn start(&mut self, module: Loaded, config: PluginConfig, background: bool) -> bool {
        let name = config.name.clone();
        let started = match module {
            Ok(module) => match self.proxy.add_plugin(&module, config.clone()) {
                Ok(id) => Ok(Running { id, name: name.clone(), module, config }),
                Err(error) => Err(self.refused(&error)),
            },
            Err(error) => Err(error.to_string()),
        };
        // What a plugin logs before it fails is reported, too; the plugins before it have their names already.
        let refused = started.map(|running| {
            self.chain.extend((!background).then_some(running.id));
            self.plugins.push(running);
        });
        self.drain(&name);
        if let Err(reason) = refused {
            self.events.push(Event::Refused { plugin: name, reason });
            return false;
        }
        self.finish();
        true
    }

    /// Keeps a plugin for the step that starts it.
    pub fn stand_by(&mut self, module: Loaded, config: PluginConfig) {
        self.standby.insert(config.name.clone(), (module, config));
    }

    /// The name of a plugin; that of one which is just being started is `starting`.
    pub fn name(&self, plugin: PluginId, starting: &str) -> String {
        let known = self.plugins.iter().find(|running| running.id == plugin);
        known.map_or(starting, |running| &running.name).to_owned()
    }

    /// Whether the transcript is too long to keep, so that its end is missing.
    pub fn is_full(&self) -> bool {
        self.room.is_full()
    }

    /// Takes the transcript so far; fails if its end is missing.
    pub fn take_events(&mut self) -> Result<Vec<Event>, String> {
        match &self.no_memory {
            Some(reason) => Err(format!("{reason}: raise the limit of memory, or use fewer --jobs")),
            None if self.is_full() => Err(TOO_LONG.to_owned()),
            None => Ok(std::mem::take(&mut self.events)),
        }
    }

    /// Forgets what was seen, and all streams and calls: the next ones are numbered from 0 again. The plugins and the time stay.
    pub fn forget(&mut self) {
        self.streams.clear();
        self.calls.clear();
        self.grpc_calls.clear();
        self.events.clear();
        self.room = Room::default();
    }

    /// Why a plugin was not started. That the system lacks memory is not the plugin's fault.
    fn refused(&mut self, error: &StartError) -> String {
        if let StartError::NoMemory(reason) = error {
            self.no_memory = Some(reason.clone());
        }
        error.to_string()
    }

    /// Does steps, which may continue earlier ones, as long as there is room for what is seen.
    pub fn run(&mut self, steps: &[Step]) {
        for (index, step) in steps.iter().enumerate() {
            self.run_one(index, step);
        }
    }

    /// Does the step of that number, unless there is no room for what is seen.
    pub(crate) fn run_one(&mut self, index: usize, step: &Step) {
        if self.is_full() {
            return;
        }
        self.events.push(Event::Step { index: index as u32 });
        self.step(step);
        self.drain("");
        self.finish();
    }

    /// The names of the plugins that have been started.
    pub(crate) fn names(&self) -> Vec<(PluginId, String)> {
        self.plugins.iter().map(|running| (running.id, running.name.clone())).collect()
    }

    /// The client and the upstream speak HTTP/1.1 from now on.
    pub fn speak_http1(&mut self) {
        self.protocol = "HTTP/1.1";
    }

    /// Does a step.
    pub fn step(&mut self, step: &Step) {
        let stream = step.stream().and_then(|stream| self.streams.get(&stream));
        let to_upstream = stream.map(|stream| stream.id);
        let to_client = stream.filter(|stream| stream.upstream).map(|stream| stream.id);
        match (step, to_upstream, to_client) {
            (Step::RequestHeaders { stream, headers, end_of_stream }, _, _) => {
                let id = self.proxy.open_stream(&self.chain, info(*stream, self.protocol));
                self.streams.insert(*stream, Stream { id, upstream: false });
                self.proxy.request(id, Piece::headers(fields(headers), *end_of_stream));
            }
            (Step::RequestBody { body, end_of_stream, .. }, Some(id), _) => {
                self.proxy.request(id, Piece::body(body.0.clone(), *end_of_stream));
            }
            (Step::RequestTrailers { trailers, .. }, Some(id), _) => {
                self.proxy.request(id, Piece::trailers(fields(trailers)));
            }
            (Step::ResponseHeaders { headers, end_of_stream, .. }, _, Some(id)) => {
                self.proxy.response(id, Piece::headers(fields(headers), *end_of_stream));
            }
            (Step::ResponseBody { body, end_of_stream, .. }, _, Some(id)) => {
                self.proxy.response(id, Piece::body(body.0.clone(), *end_of_stream));
            }
            (Step::ResponseTrailers { trailers, .. }, _, Some(id)) => {
                self.proxy.response(id, Piece::trailers(fields(trailers)));
            }
            (Step::Connect { stream }, _, _) => {
                let id = self.proxy.open_connection(&self.chain, info(*stream, ""));
                self.streams.insert(*stream, Stream { id, upstream: false });
            }
            (Step::ClientData { data, end_of_stream, .. }, Some(id), _) => {
                self.proxy.downstream_data(id, data.0.clone(), *end_of_stream);
            }
            (Step::UpstreamData { data, end_of_stream, .. }, _, Some(id)) => {
                self.proxy.upstream_data(id, data.0.clone(), *end_of_stream);
            }
            (Step::ClientReset { .. }, Some(id), _) => self.proxy.downstream_reset(id),
            (Step::UpstreamReset { .. }, _, Some(id)) => self.proxy.upstream_reset(id),
            (Step::CallResponse { call, headers, body, trailers }, _, _) => {
                if let Some(call) = self.calls.get(*call as usize) {
                    self.proxy.http_call_response(*call, fields(headers), body.0.clone(), fields(trailers));
                }
            }
            (Step::CallReset { call }, _, _) => {
                if let Some(call) = self.calls.get(*call as usize) {
                    self.proxy.http_call_failed(*call);
                }
            }
            (Step::GrpcInitialMetadata { call, metadata }, _, _) => {
                self.grpc(*call, GrpcEvent::InitialMetadata(Arc::new(fields(metadata))));
            }
            (Step::GrpcMessage { call, message }, _, _) => {
                self.grpc(*call, GrpcEvent::Message(message.0.clone().into()));
            }
            (Step::GrpcClose { call, status, message, metadata }, _, _) => {
                self.grpc(*call, GrpcEvent::TrailingMetadata(Arc::new(fields(metadata))));
                self.grpc(*call, GrpcEvent::Closed { status: *status, message: message.clone() });
            }
            (Step::GrpcReset { call }, _, _) => {
                const UNAVAILABLE: u32 = 14;
                self.grpc(*call, GrpcEvent::Closed { status: UNAVAILABLE, message: "reset".to_owned() });
            }
            (Step::ForeignCall { function, arguments }, _, _) => {
                let first = self.plugins.first().map(|plugin| plugin.name.clone()).unwrap_or_default();
                if let Some(plugin) = self.ids(&first).last() {
                    self.proxy.foreign_function(plugin, *function, arguments.0.clone());
                }
            }
            (Step::Reconfigure { plugin, configuration }, _, _) => self.reconfigure(plugin, configuration),
            (Step::Replace { plugin, by }, _, _) => {
                let Some((module, config)) = self.standby.remove(by) else { return };
                self.put(plugin, module, config, |proxy, old, module, config| {
                    proxy.replace_plugin(old, module, config)
                });
            }
            (Step::Canary { plugin, by, share, faults }, _, _) => {
                let Some((module, config)) = self.standby.remove(by) else { return };
                let canary = Canary { share: *share, faults: *faults };
                self.put(plugin, module, config, |proxy, old, module, config| {
                    proxy.canary(old, module, config, canary)
                });
            }
            (Step::Promote { plugin }, _, _) => self.each_of(plugin, Proxy::promote),
            (Step::RollBack { plugin }, _, _) => self.each_of(plugin, Proxy::roll_back),
            (Step::Remove { plugin }, _, _) => self.each_of(plugin, Proxy::retire_plugin),
            (Step::ReadMetrics, _, _) => {
                let metrics = self.proxy.metrics().into_iter();
                let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
                self.events.extend(metrics.map(|(metric, value)| Event::Metric { name: name(metric), value }));
            }
            (Step::Advance { milliseconds }, _, _) => self.advance(Duration::from_millis(*milliseconds)),
            (Step::Shutdown, _, _) => self.plugins.iter().for_each(|plugin| self.proxy.remove_plugin(plugin.id)),
            // The peer does not exist: the request never reached it, or the stream is over.
            _ => {}
        }
    }

    /// Lets time pass as a proxy at work does: what falls due happens at its time.
    pub fn advance(&mut self, duration: Duration) {
        /// At how many times a plugin may have more to do than [`ROUNDS`]; then all of the time that is left passes at once.
        const STUCK: usize = 16;
        let (mut left, mut rounds, mut stuck) = (duration, 0, 0);
        loop {
            let next = self.proxy.next_due().filter(|due| *due <= left);
            self.proxy.advance(next.unwrap_or(left));
            self.drain("");
            let Some(passed) = next.filter(|_| !self.is_full()) else { return };
            left -= passed;
            rounds = if passed.is_zero() { rounds + 1 } else { 0 };
            if rounds == ROUNDS {
                // A plugin that never comes to an end does not stop the clock.
                stuck += 1;
                let step = if stuck == STUCK { left } else { left.min(Duration::from_millis(1)) };
                self.proxy.advance(step);
                self.drain("");
                left -= step;
                rounds = 0;
                if left.is_zero() {
                    return;
                }
            }
        }
    }

    /// Does what an event has left, until nothing is left that is due now. Plugins that never come to an end wait for the next step.
    fn finish(&mut self) {
        for _ in 0..ROUNDS {
            if self.proxy.next_due() != Some(Duration::ZERO) || self.is_full() {
                return;
            }
            self.proxy.advance(Duration::ZERO);
            self.drain("");
        }
    }

    /// Ends all streams and plugins.
    ///
    /// # Errors
    ///
    /// What the host still holds then, although nothing is there that it could be for.
    pub(crate) fn end(mut self) -> Result<(), String> {
        let streams: Vec<StreamId> = self.streams.values().map(|stream| stream.id).collect();
        streams.into_iter().for_each(|stream| self.proxy.downstream_reset(stream));
        let plugins: Vec<PluginId> = self.plugins.iter().map(|plugin| plugin.id).collect();
        plugins.into_iter().for_each(|plugin| self.proxy.terminate_plugin(plugin));
        for _ in 0..ROUNDS * ROUNDS {
            while self.proxy.next_effect().is_some() {}
            if self.proxy.next_due() != Some(Duration::ZERO) {
                break;
            }
            self.proxy.advance(Duration::ZERO);
        }
        match self.proxy.usage() {
            usage if usage == Usage::default() => Ok(()),
            usage => Err(format!("when all plugins have ended, the host still holds {usage:?}")),
        }
    }

    fn reconfigure(&mut self, plugin: &str, configuration: &Data) {
        let Some(running) = self.plugins.iter().find(|running| running.name == plugin) else { return };
        let config = PluginConfig { configuration: configuration.0.clone(), ..running.config.clone() };
        let module = Ok(running.module.clone());
        self.put(plugin, module, config, |proxy, old, module, config| proxy.replace_plugin(old, module, config));
    }

    /// Starts a plugin in the place of another, wholly or in part.
    fn put(
        &mut self,
        plugin: &str,
        module: Loaded,
        config: PluginConfig,
        start: impl Fn(&mut Proxy, PluginId, &Module, PluginConfig) -> Result<PluginId, StartError>,
    ) {
        let Some(old) = self.ids(plugin).last() else { return };
        let name = config.name.clone();
        let started = module.map_err(|error| error.to_string()).and_then(|module| {
            let id = start(&mut self.proxy, old, &module, config.clone()).map_err(|error| self.refused(&error))?;
            Ok(Running { id, name: name.clone(), module, config })
        });
        match started {
            Ok(running) => {
                self.plugins.push(running);
                self.drain("");
            }
            Err(reason) => {
                self.drain(&name);
                self.events.push(Event::Refused { plugin: name, reason });
            }
        }
    }

    fn each_of(&mut self, plugin: &str, operate: impl Fn(&mut Proxy, PluginId)) {
        let ids: Vec<PluginId> = self.ids(plugin).collect();
        ids.into_iter().for_each(|id| operate(&mut self.proxy, id));
    }

    /// The plugins of a name, the latest last.
    fn ids(&self, plugin: &str) -> impl Iterator<Item = PluginId> {
        self.plugins.iter().filter(move |running| running.name == plugin).map(|running| running.id)
    }

    fn grpc(&mut self, call: u32, event: GrpcEvent) {
        if let Some(call) = self.grpc_calls.get(call as usize) {
            self.proxy.grpc_event(*call, event);
        }
    }
}

fn info(stream: u32, protocol: &'static str) -> StreamInfo {
    StreamInfo {
        connection_id: u64::from(stream) + 1,
        source: Some(([127, 0, 0, 1], 40000).into()),
        destination: Some(([127, 0, 0, 1], 8080).into()),
        upstream: Some(([127, 0, 0, 1], 8081).into()),
        upstream_local: Some(([127, 0, 0, 1], 40001).into()),
        protocol,
        ..StreamInfo::default()
    }
}

impl Default for World {
    fn default() -> World {
        World::new()
    }
}

fn fields(fields: &Fields) -> pw_host::Fields {
    fields.iter().map(|(name, value)| (&name.0, &value.0)).collect()
}
