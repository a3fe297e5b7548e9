//! A proxy around the library: it starts plugins, calls them, and does what they ask for.

mod calls;
mod endings;
mod messages;

use std::collections::VecDeque;
use std::sync::Arc;

use proxy_wasm_host::abi::v0_2_1::types::LogLevel;
use proxy_wasm_host::abi::v0_2_1::{
    CallScope, ContextId, Guest, GuestError, Host, HttpCallResponse, PluginConfig, Started, VmServices,
};
use proxy_wasm_host::{HeaderMapExt, Limits, Module, VecHeaderMap};
use serde_json::{Value, json};

use self::calls::UNAVAILABLE;
use crate::data::{bytes, fields};
use crate::services::Services;
use crate::stream::{Command, Piece, REQUEST, RESPONSE, Stream, Streams};

/// How much a step may have left to do, so that plugins that never come to an end do not stop the scenario.
const MAX_WORK: usize = 1000;

/// A proxy and its plugins.
pub struct Proxy {
    host: Host,
    pub services: Arc<Services>,
    vms: Vec<Vm>,
    plugins: Vec<Plugin>,
    streams: Streams,
    /// What is left to do when the running callback has returned.
    work: VecDeque<Command>,
    /// Contexts that wait for `proxy_done`, by their plugins; the streams of a plugin are before its own context.
    pending: Vec<(usize, ContextId)>,
}

/// A guest, and what plugins need to have in common to share it.
struct Vm {
    guest: Guest,
    likeness: Value,
}

struct Plugin {
    name: String,
    vm: usize,
    root: ContextId,
    background: bool,
    /// The period of its timer, and when it is due, in nanoseconds.
    tick: Option<(u64, u64)>,
}

type Scope<'a> = CallScope<'a, Streams>;

impl Proxy {
    /// A proxy without plugins.
    pub fn new(host: &Host, trace: bool) -> Proxy {
        Proxy {
            host: host.clone(),
            services: Arc::new(Services::new(trace)),
            vms: Vec::new(),
            plugins: Vec::new(),
            streams: Streams::default(),
            work: VecDeque::new(),
            pending: Vec::new(),
        }
    }

    /// Loads and starts a plugin; fails with the reason if the library refuses it, or the plugin itself.
    pub fn start(&mut self, settings: &Value, guest: &Value, wasm: &[u8]) -> Result<(), String> {
        let name = settings["name"].as_str().unwrap_or_default().to_owned();
        self.services.desk().running = name.clone();
        let vm = self.vm(settings, guest, wasm).map_err(|error| error.to_string())?;
        let config = PluginConfig::new()
            .with_name(name.clone())
            .with_root_id(name.clone())
            .with_configuration(bytes(&settings["configuration"]));
        let started = self.vms[vm].guest.start(config).map_err(|error| error.to_string())?;
        let root = match started {
            Started::Serving(root) => root,
            Started::Refused { callback, .. } => return Err(format!("{callback} returned false")),
        };
        let background = settings["background"] == true;
        self.plugins.push(Plugin { name, vm, root, background, tick: None });
        self.set_ticks(vm);
        self.settle();
        Ok(())
    }

    /// The VM of a plugin: a plugin with a VM id shares that of an earlier one which is the same but for the configuration.
    fn vm(&mut self, settings: &Value, guest: &Value, wasm: &[u8]) -> Result<usize, GuestError> {
        let likeness = json!([settings["vm_id"], settings["vm_configuration"], settings["environment"], guest]);
        let shared = settings["vm_id"].as_str().is_some_and(|id| !id.is_empty());
        if let Some(vm) = self.vms.iter().position(|vm| shared && vm.likeness == likeness) {
            return Ok(vm);
        }
        let variables = settings["environment"].as_object().into_iter().flatten();
        let environment = variables.map(|(name, value)| (name.clone().into_bytes(), bytes(value))).collect();
        let services = VmServices::new(self.services.clone())
            .with_clock(self.services.clone())
            .with_callouts(self.services.clone())
            .with_shared(self.services.clone())
            .with_environment(environment)
            .with_log_level(LogLevel::Trace)
            .with_vm_id(bytes(&settings["vm_id"]))
            .with_vm_configuration(bytes(&settings["vm_configuration"]));
        let module = Module::new(self.host.engine(), wasm)?;
        let guest = Guest::new(&self.host, &module, services, &Limits::default())?;
        self.vms.push(Vm { guest, likeness });
        Ok(self.vms.len() - 1)
    }

    /// Does a step of a scenario, and all that follows from it.
    pub fn step(&mut self, step: &Value) -> Result<(), String> {
        let number = |key: &str| step[key].as_u64().unwrap_or_default();
        let (stream, nth) = (number("stream") as u32, number("call") as usize);
        match step["do"].as_str().unwrap_or_default() {
            "request_headers" => self.open(stream, false, headers(step)),
            "connect" => self.open(stream, true, Piece::Headers(VecHeaderMap::default(), false)),
            "request_body" => self.message(stream, REQUEST, body(step, "body")),
            "request_trailers" => self.message(stream, REQUEST, Piece::Trailers(fields(&step["trailers"]))),
            "response_headers" => self.message(stream, RESPONSE, headers(step)),
            "response_body" => self.message(stream, RESPONSE, body(step, "body")),
            "response_trailers" => self.message(stream, RESPONSE, Piece::Trailers(fields(&step["trailers"]))),
            "client_data" => self.message(stream, REQUEST, body(step, "data")),
            "upstream_data" => self.message(stream, RESPONSE, body(step, "data")),
            "client_reset" => self.client_reset(stream),
            "upstream_reset" => self.upstream_reset(stream),
            kind @ ("call_response" | "call_reset") => {
                let call = self.services.desk().http_calls.get(nth).copied();
                let response = if kind == "call_reset" { HttpCallResponse::failed() } else { http_response(step) };
                call.into_iter().for_each(|call| self.http_response(call, response.clone()));
            }
            kind @ ("grpc_initial_metadata" | "grpc_message" | "grpc_close" | "grpc_reset") => {
                let call = self.services.desk().grpc_calls.get(nth).copied();
                call.into_iter().for_each(|call| self.grpc_event(call, kind, step));
            }
            "foreign_call" => {
                let (function, arguments) = (number("function") as u32, bytes(&step["arguments"]));
                if let Some(root) = self.plugins.first().map(|plugin| plugin.root) {
                    self.call(0, |scope| scope.on_foreign_function(root, function, arguments.into()));
                }
            }
            "read_metrics" => self.services.report_metrics(),
            "advance" => self.advance(number("milliseconds")),
            "shutdown" => self.shutdown(),
            other => return Err(format!("this adapter does not know the step {other:?}")),
        }
        self.settle();
        Ok(())
    }

    /// Calls a plugin, with all streams within its reach; `None` if it fails or has failed before.
    fn call<R>(&mut self, plugin: usize, call: impl FnOnce(&mut Scope<'_>) -> Result<R, GuestError>) -> Option<R> {
        let (name, vm) = (self.plugins[plugin].name.clone(), self.plugins[plugin].vm);
        let guest = &mut self.vms[vm].guest;
        if guest.is_poisoned() {
            return None;
        }
        self.services.desk().running = name.clone();
        self.streams.now = self.services.uptime();
        let (answer, streams) = guest.with(std::mem::take(&mut self.streams), call);
        self.streams = streams;
        let (id, crashed, open) = (guest.id(), guest.is_poisoned(), guest.open_callouts());
        self.set_ticks(vm);
        let commands = std::mem::take(&mut self.streams.commands);
        if crashed {
            // What the callback has asked for is not done.
            let reason = answer.as_ref().err().map(ToString::to_string).unwrap_or_default();
            let mut desk = self.services.desk();
            desk.event(json!({ "event": "fault", "plugin": name, "reason": reason }));
            desk.abandon(id, open.into_iter().map(|open| open.callout));
            drop(desk);
            let plugins = &self.plugins;
            let hit = |stream: &Stream| stream.filters.iter().any(|filter| plugins[filter.plugin].vm == vm);
            let streams = self.streams.streams.iter().filter(|(_, stream)| hit(stream));
            self.work.extend(streams.map(|(stream, _)| Command::Fail { stream: *stream }));
        } else {
            self.work.extend(commands);
        }
        answer.inspect_err(|error| eprintln!("{name}: {error}")).ok()
    }

    /// Notes what the plugins of a VM have done to their timers.
    fn set_ticks(&mut self, vm: usize) {
        let now = self.services.uptime();
        for (root, period) in self.vms[vm].guest.take_changes().tick_periods {
            let plugin = self.plugins.iter_mut().find(|plugin| (plugin.vm, plugin.root) == (vm, root));
            if let Some(plugin) = plugin {
                let period = period.map(|period| period.as_nanos() as u64);
                plugin.tick = period.map(|period| (period, now + period));
            }
        }
    }

    /// Does what callbacks have asked for.
    fn obey(&mut self) {
        while let Some(command) = self.work.pop_front() {
            match command {
                Command::Continue { stream, place, direction } => {
                    let stage = self.live(stream).map(|found| &found.filters[place].stages[direction]);
                    if stage.is_some_and(|stage| stage.paused) {
                        self.release(stream, direction, place);
                    }
                }
                Command::Close { stream } => self.reset(stream),
                Command::Respond { stream, headers, body } => self.respond(stream, headers, body),
                Command::Fail { stream } => self.fail(stream),
            }
        }
    }

    /// Does all that is left: what callbacks have asked for, calls to the dead server, items of queues, contexts that are done.
    fn settle(&mut self) {
        for _ in 0..MAX_WORK {
            self.obey();
            let mut desk = self.services.desk();
            let dead = std::mem::take(&mut desk.dead);
            let queues = std::mem::take(&mut desk.queues);
            drop(desk);
            let done = self.take_done();
            if dead.is_empty() && queues.is_empty() && done.is_empty() {
                return;
            }
            for (call, grpc) in dead {
                if grpc {
                    self.grpc_closed(call, UNAVAILABLE, "no connection");
                } else {
                    self.http_response(call, HttpCallResponse::failed());
                }
            }
            for queue in queues {
                for plugin in 0..self.plugins.len() {
                    let Plugin { vm, root, .. } = self.plugins[plugin];
                    if self.vms[vm].guest.queue_registrants(queue).contains(&root) {
                        self.call(plugin, |scope| scope.on_queue_ready(root, queue));
                        self.obey();
                    }
                }
            }
            for (plugin, context) in done {
                self.delete(plugin, context);
            }
        }
    }
}

fn headers(step: &Value) -> Piece {
    Piece::Headers(fields(&step["headers"]), step["end_of_stream"] == true)
}

fn body(step: &Value, key: &str) -> Piece {
    Piece::Body(bytes(&step[key]), step["end_of_stream"] == true)
}

fn http_response(step: &Value) -> HttpCallResponse<'static> {
    let owned = |key: &str| {
        let pairs = fields(&step[key]).pairs();
        pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    };
    let response = HttpCallResponse::received(owned("headers"));
    response.with_body(bytes(&step["body"])).with_trailers(owned("trailers"))
}
