//! A proxy around the library: it starts plugins, moves messages through the chain of plugins, ends streams, and lets time pass.
//!
//! A message moves piece by piece. What a plugin pauses is kept in its [`Stage`]: at headers and trailers everything behind waits
//! without callbacks, at the body the callback is called for each further piece, with all that is kept.

use std::collections::VecDeque;
use std::sync::Arc;

use proxy_wasm_host::abi::v0_2_1::types::{Action, PeerType};
use proxy_wasm_host::abi::v0_2_1::{
    CallScope, ContextId, ContextState, GrpcStatus, Guest, GuestError, Host, HttpCallResponse, PluginConfig, Started,
    StreamKind, VmServices,
};
use proxy_wasm_host::{HeaderMap, HeaderMapExt, Limits, Module, VecHeaderMap};
use serde_json::{Value, json};

use crate::data::{bytes, data, fields, seen};
use crate::services::{Call, Services};
use crate::stream::{Command, Filter, Message, Phase, Piece, REQUEST, RESPONSE, Stage, Stream, Streams};

/// How much a step may have left to do, so that plugins that never come to an end do not stop the scenario.
const MAX_WORK: usize = 1000;

/// gRPC's status codes.
const DEADLINE_EXCEEDED: u32 = 4;
const UNAVAILABLE: u32 = 14;

/// A proxy and its plugins.
pub struct Proxy {
    host: Host,
    pub services: Arc<Services>,
    vms: Vec<Vm>,
    plugins: Vec<Plugin>,
    streams: Streams,
    /// What is left to do when the running callback has returned.
    work: VecDeque<Work>,
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

enum Work {
    /// A plugin has crashed, or returned nonsense: the stream cannot go on.
    Fail(u32),
    Command(Command),
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
            .with_log_level(proxy_wasm_host::abi::v0_2_1::types::LogLevel::Trace)
            .with_vm_id(bytes(&settings["vm_id"]))
            .with_vm_configuration(bytes(&settings["vm_configuration"]));
        let module = Module::new(self.host.engine(), wasm)?;
        let guest = Guest::new(&self.host, &module, services, &Limits::default())?;
        self.vms.push(Vm { guest, likeness });
        Ok(self.vms.len() - 1)
    }

    /// Does a step of a scenario, and all that follows from it.
    pub fn step(&mut self, step: &Value) -> Result<(), String> {
        let stream = step["stream"].as_u64().unwrap_or_default() as u32;
        let end_of_stream = step["end_of_stream"] == true;
        let call = |list: &[Call]| list.get(step["call"].as_u64().unwrap_or_default() as usize).copied();
        let piece = |direction, piece| Some((direction, piece));
        let body = |key: &str| Piece::Body(bytes(&step[key]), end_of_stream);
        let message = match step["do"].as_str().unwrap_or_default() {
            "request_headers" => {
                self.open(stream, false);
                piece(REQUEST, Piece::Headers(fields(&step["headers"]), end_of_stream))
            }
            "connect" => {
                self.open(stream, true);
                piece(REQUEST, Piece::Headers(VecHeaderMap::default(), false))
            }
            "response_headers" => piece(RESPONSE, Piece::Headers(fields(&step["headers"]), end_of_stream)),
            "request_body" => piece(REQUEST, body("body")),
            "response_body" => piece(RESPONSE, body("body")),
            "client_data" => piece(REQUEST, body("data")),
            "upstream_data" => piece(RESPONSE, body("data")),
            "request_trailers" => piece(REQUEST, Piece::Trailers(fields(&step["trailers"]))),
            "response_trailers" => piece(RESPONSE, Piece::Trailers(fields(&step["trailers"]))),
            "client_reset" => {
                self.client_reset(stream);
                None
            }
            "upstream_reset" => {
                self.upstream_reset(stream);
                None
            }
            "call_response" => {
                let call = call(&self.services.desk().http_calls);
                let owned = |fields: VecHeaderMap| {
                    fields.pairs().into_iter().map(|(name, value)| (name.into(), value.into())).collect()
                };
                let response = HttpCallResponse::received(owned(fields(&step["headers"])))
                    .with_body(bytes(&step["body"]))
                    .with_trailers(owned(fields(&step["trailers"])));
                self.http_response(call, response);
                None
            }
            "call_reset" => {
                let call = call(&self.services.desk().http_calls);
                self.http_response(call, HttpCallResponse::failed());
                None
            }
            kind @ ("grpc_initial_metadata" | "grpc_message" | "grpc_close" | "grpc_reset") => {
                let call = call(&self.services.desk().grpc_calls);
                self.grpc_event(call, kind, step);
                None
            }
            "foreign_call" => {
                let function = step["function"].as_u64().unwrap_or_default() as u32;
                let arguments = bytes(&step["arguments"]);
                if let Some(root) = self.plugins.first().map(|plugin| plugin.root) {
                    self.call(0, |scope| scope.on_foreign_function(root, function, arguments.into()));
                }
                None
            }
            "read_metrics" => {
                self.services.report_metrics();
                None
            }
            "advance" => {
                self.advance(step["milliseconds"].as_u64().unwrap_or_default());
                None
            }
            "shutdown" => {
                self.shutdown();
                None
            }
            other => return Err(format!("this adapter does not know the step {other:?}")),
        };
        if let Some((direction, piece)) = message {
            self.message(stream, direction, piece);
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
            self.work.extend(streams.map(|(number, _)| Work::Fail(*number)));
        } else {
            self.work.extend(commands.into_iter().map(Work::Command));
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
        while let Some(work) = self.work.pop_front() {
            match work {
                Work::Fail(stream) => self.fail(stream),
                Work::Command(Command::Continue { stream, place, direction }) => {
                    let Some(found) = self.live(stream) else { continue };
                    if found.filters[place].stages[direction].paused {
                        self.release(stream, direction, place);
                    }
                }
                Work::Command(Command::Close { stream }) => self.reset(stream),
                Work::Command(Command::Respond { stream, headers, body }) => self.respond(stream, headers, body),
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
                    self.http_response(Some(call), HttpCallResponse::failed());
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

/// Messages.
impl Proxy {
    /// Creates the contexts of a new stream.
    fn open(&mut self, number: u32, tcp: bool) {
        let kind = if tcp { StreamKind::Tcp } else { StreamKind::Http };
        let mut stream = Stream {
            tcp,
            opened: self.services.uptime(),
            filters: Vec::new(),
            messages: [Message::default(), Message::default()],
            properties: Default::default(),
            upstream_gone: false,
            over: false,
            closed_by: (PeerType::Local, PeerType::Local),
        };
        for (plugin, found) in self.plugins.iter().enumerate().filter(|(_, plugin)| !plugin.background) {
            let guest = self.vms[found.vm].guest.id();
            stream.filters.push(Filter { plugin, guest, context: None, stages: Default::default() });
        }
        let count = stream.filters.len();
        self.streams.streams.insert(number, stream);
        for place in 0..count {
            let Some(found) = self.live(number) else { return };
            let plugin = found.filters[place].plugin;
            let root = self.plugins[plugin].root;
            let created = self.call(plugin, |scope| {
                let context = scope.on_context_create(Some(root))?;
                scope.expect_stream_kind(context, kind)?;
                Ok(context)
            });
            let Some(found) = self.live(number) else { return };
            match created {
                Some(context) => found.filters[place].context = Some(context),
                None => self.work.push_back(Work::Fail(number)),
            }
            self.obey();
        }
    }

    /// A stream that is not over.
    fn live(&mut self, stream: u32) -> Option<&mut Stream> {
        self.streams.streams.get_mut(&stream).filter(|stream| !stream.over)
    }

    /// A piece came from the client or the upstream.
    fn message(&mut self, stream: u32, direction: usize, piece: Piece) {
        let Some(found) = self.live(stream) else { return };
        if direction == RESPONSE && !found.messages[REQUEST].sent {
            return;
        }
        let message = &mut found.messages[direction];
        match &piece {
            _ if message.ended => return,
            Piece::Headers(_, end_of_stream) => message.ended = *end_of_stream,
            Piece::Body(body, end_of_stream) => {
                message.size += body.len() as u64;
                message.ended = *end_of_stream;
            }
            Piece::Trailers(_) => message.ended = true,
        }
        self.feed(stream, direction, 0, piece);
    }

    /// Passes a piece to the `nth` plugin of a direction, or out of the chain.
    fn feed(&mut self, stream: u32, direction: usize, nth: usize, piece: Piece) {
        let Some(found) = self.live(stream) else { return };
        let message = &mut found.messages[direction];
        match &piece {
            Piece::Headers(headers, _) => message.headers = headers.clone(),
            Piece::Trailers(trailers) => message.trailers = trailers.clone(),
            Piece::Body(..) => {}
        }
        let Some(place) = found.place(direction, nth) else { return self.send(stream, direction, piece) };
        let tcp = found.tcp;
        let filter = &mut found.filters[place];
        let stage = &mut filter.stages[direction];
        if stage.paused && stage.phase != Phase::Body {
            return stage.waiting.push_back(piece);
        }
        let (plugin, Some(context)) = (filter.plugin, filter.context) else { return };
        let (size, end) = stage.keep(piece);
        let phase = stage.phase;
        let action = self.call(plugin, |scope| match (phase, direction, tcp) {
            (Phase::Headers, _, true) => scope.on_new_connection(context),
            (_, REQUEST, true) => scope.on_downstream_data(context, size, end),
            (_, _, true) => scope.on_upstream_data(context, size, end),
            (Phase::Headers, REQUEST, _) => scope.on_request_headers(context, size, end),
            (Phase::Headers, _, _) => scope.on_response_headers(context, size, end),
            (Phase::Body, REQUEST, _) => scope.on_request_body(context, size, end),
            (Phase::Body, _, _) => scope.on_response_body(context, size, end),
            (Phase::Trailers, REQUEST, _) => scope.on_request_trailers(context, size),
            (Phase::Trailers, _, _) => scope.on_response_trailers(context, size),
        });
        if action.is_none() {
            self.work.push_back(Work::Fail(stream));
        }
        self.obey();
        let Some(found) = self.live(stream) else { return };
        let stage = &mut found.filters[place].stages[direction];
        if action == Some(Action::Pause) && !std::mem::take(&mut stage.resume) {
            stage.paused = true;
        } else {
            self.release(stream, direction, place);
        }
    }

    /// Passes on all that a plugin has kept, and then what waits.
    fn release(&mut self, stream: u32, direction: usize, place: usize) {
        let Some(found) = self.live(stream) else { return };
        let nth = found.nth(direction, place);
        let stage = &mut found.filters[place].stages[direction];
        stage.paused = false;
        for piece in stage.take() {
            self.feed(stream, direction, nth + 1, piece);
        }
        while let Some(found) = self.live(stream) {
            let stage = &mut found.filters[place].stages[direction];
            let next = if stage.paused && stage.phase != Phase::Body { None } else { stage.waiting.pop_front() };
            let Some(piece) = next else { return };
            self.feed(stream, direction, nth, piece);
        }
    }

    /// A piece leaves the chain.
    fn send(&mut self, stream: u32, direction: usize, piece: Piece) {
        let Some(found) = self.live(stream) else { return };
        if let Piece::Headers(headers, _) = &piece
            && !found.tcp
            && !is_head(direction, headers)
        {
            return self.fail(stream);
        }
        let message = &mut found.messages[direction];
        message.sent = true;
        let (part, end) = match piece {
            Piece::Headers(..) if found.tcp => (json!({ "part": "opened" }), false),
            Piece::Headers(headers, end) => (headers_part(&headers, end), end),
            Piece::Body(body, end) => (body_part(&body, end), end),
            Piece::Trailers(trailers) => (json!({ "part": "trailers", "trailers": seen(&trailers) }), true),
        };
        message.complete = end;
        let (tcp, answered) = (found.tcp, found.messages[RESPONSE].complete);
        let requested = found.messages[REQUEST].complete;
        if end && !(answered && requested) {
            let first = if direction == REQUEST { PeerType::Remote } else { PeerType::Local };
            let second = if direction == REQUEST { PeerType::Local } else { PeerType::Remote };
            found.closed_by = (first, second);
        }
        self.event(stream, direction, part);
        if tcp && answered && requested {
            self.end(stream);
        } else if !tcp && answered {
            self.reset_upstream(stream);
            self.end(stream);
        }
    }

    fn event(&self, stream: u32, direction: usize, part: Value) {
        let receiver = if direction == REQUEST { "upstream" } else { "client" };
        self.services.desk().event(json!({ "event": receiver, "stream": stream, "part": part }));
    }
}

/// Ends.
impl Proxy {
    /// A plugin, or the proxy, responds instead of the upstream.
    fn respond(&mut self, stream: u32, headers: VecHeaderMap, body: Vec<u8>) {
        let Some(found) = self.live(stream).filter(|found| !found.messages[RESPONSE].sent) else { return };
        let message = &mut found.messages[RESPONSE];
        message.headers = headers.clone();
        message.size = body.len() as u64;
        self.reset_upstream(stream);
        self.event(stream, RESPONSE, headers_part(&headers, body.is_empty()));
        if !body.is_empty() {
            self.event(stream, RESPONSE, body_part(&body, true));
        }
        self.end(stream);
    }

    /// The stream cannot go on: the client gets status 503, or a reset if it has a part of the response.
    fn fail(&mut self, stream: u32) {
        let Some(found) = self.live(stream) else { return };
        if found.tcp || found.messages[RESPONSE].sent {
            return self.reset(stream);
        }
        self.respond(stream, [(b":status".to_vec(), b"503".to_vec())].into_iter().collect(), Vec::new());
    }

    /// Resets a stream on both sides.
    fn reset(&mut self, stream: u32) {
        if self.live(stream).is_some() {
            self.reset_upstream(stream);
            self.event(stream, RESPONSE, json!({ "part": "reset" }));
            self.end(stream);
        }
    }

    /// The upstream is told that nothing more comes, if there is anything that it waits for or still has to send.
    fn reset_upstream(&mut self, stream: u32) {
        let Some(found) = self.live(stream) else { return };
        let [request, response] = &found.messages;
        if request.sent && !found.upstream_gone && !(request.complete && response.ended) {
            self.event(stream, REQUEST, json!({ "part": "reset" }));
        }
    }

    fn client_reset(&mut self, stream: u32) {
        let Some(found) = self.live(stream) else { return };
        found.closed_by = (PeerType::Remote, PeerType::Local);
        self.reset_upstream(stream);
        self.end(stream);
    }

    fn upstream_reset(&mut self, stream: u32) {
        let Some(found) = self.live(stream).filter(|found| found.messages[REQUEST].sent) else { return };
        found.closed_by = (PeerType::Local, PeerType::Remote);
        found.upstream_gone = true;
        self.fail(stream);
    }

    /// The stream is over: nothing moves any more, and its contexts end.
    fn end(&mut self, stream: u32) {
        let Some(found) = self.live(stream) else { return };
        found.over = true;
        let (downstream, upstream) = found.closed_by;
        let (tcp, connected) = (found.tcp, found.messages[REQUEST].sent);
        let contexts = found.filters.iter().filter_map(|filter| Some((filter.plugin, filter.context?)));
        let contexts: Vec<_> = contexts.collect();
        if tcp {
            for (plugin, context) in contexts.iter().filter(|_| connected) {
                self.call(*plugin, |scope| scope.on_upstream_connection_close(*context, upstream));
            }
            for (plugin, context) in &contexts {
                self.call(*plugin, |scope| scope.on_downstream_connection_close(*context, downstream));
            }
        }
        for (plugin, context) in contexts {
            self.done(plugin, context);
        }
    }

    /// A context ends, or waits until its plugin calls `proxy_done`.
    fn done(&mut self, plugin: usize, context: ContextId) {
        match self.call(plugin, |scope| scope.on_done(context)) {
            Some(true) => self.delete(plugin, context),
            Some(false) => self.pending.push((plugin, context)),
            None => {}
        }
    }

    /// Takes the contexts for which `proxy_done` was called since.
    fn take_done(&mut self) -> Vec<(usize, ContextId)> {
        let (vms, plugins) = (&self.vms, &self.plugins);
        let is_done = |(plugin, context): &mut (usize, ContextId)| {
            let guest = &vms[plugins[*plugin].vm].guest;
            guest.context_state(*context) == Some(ContextState::Done) && !guest.has_stream_contexts(*context)
        };
        self.pending.extract_if(.., is_done).collect()
    }

    /// A context is logged, if it is that of a stream, and deleted.
    fn delete(&mut self, plugin: usize, context: ContextId) {
        let is_root = self.plugins[plugin].root == context;
        let guest = &self.vms[self.plugins[plugin].vm].guest;
        if guest.has_stream_contexts(context) {
            return self.pending.push((plugin, context));
        }
        let id = guest.id();
        let ended = self.call(plugin, |scope| {
            if !is_root {
                scope.on_log(context)?;
            }
            scope.on_delete(context)
        });
        self.services.desk().abandon(id, ended.into_iter().flatten());
        if is_root {
            self.plugins[plugin].tick = None;
        }
        for filter in self.streams.streams.values_mut().flat_map(|stream| &mut stream.filters) {
            if filter.guest == id && filter.context == Some(context) {
                filter.context = None;
            }
        }
    }

    /// The operator removes all plugins.
    fn shutdown(&mut self) {
        let streams: Vec<u32> = self.streams.streams.keys().copied().collect();
        streams.into_iter().for_each(|stream| self.reset(stream));
        self.obey();
        for plugin in 0..self.plugins.len() {
            self.done(plugin, self.plugins[plugin].root);
            self.obey();
        }
    }
}

/// Calls of plugins, and time.
impl Proxy {
    /// Calls the plugin that has made a call, unless the call has ended.
    fn deliver(&mut self, call: Call, deliver: impl FnOnce(&mut Scope<'_>) -> Result<(), GuestError>) {
        let Some(vm) = self.vms.iter().position(|vm| vm.guest.id() == call.guest) else { return };
        let Some(open) = self.vms[vm].guest.open_callout(call.id) else { return };
        let caller = |plugin: &Plugin| (plugin.vm, plugin.root) == (vm, open.root);
        if let Some(plugin) = self.plugins.iter().position(caller) {
            self.call(plugin, deliver);
            self.obey();
        }
    }

    fn http_response(&mut self, call: Option<Call>, response: HttpCallResponse<'static>) {
        let Some(call) = call else { return };
        self.deliver(call, |scope| scope.on_http_call_response(call.context, call.id, response));
    }

    fn grpc_closed(&mut self, call: Call, code: u32, message: &str) {
        let status = GrpcStatus::new(code, message);
        self.deliver(call, |scope| scope.on_grpc_close(call.context, call.id, status));
    }

    fn grpc_event(&mut self, call: Option<Call>, kind: &str, step: &Value) {
        let Some(call) = call else { return };
        let pairs = fields(&step["metadata"]).pairs();
        let metadata = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        match kind {
            "grpc_initial_metadata" => {
                self.deliver(call, |scope| scope.on_grpc_receive_initial_metadata(call.context, call.id, metadata))
            }
            "grpc_message" => {
                let message = bytes(&step["message"]);
                self.deliver(call, |scope| scope.on_grpc_receive(call.context, call.id, message.into()));
            }
            "grpc_close" => {
                self.deliver(call, |scope| scope.on_grpc_receive_trailing_metadata(call.context, call.id, metadata));
                let code = step["status"].as_u64().unwrap_or_default() as u32;
                self.grpc_closed(call, code, step["message"].as_str().unwrap_or_default());
            }
            _ => self.grpc_closed(call, UNAVAILABLE, "reset"),
        }
    }

    /// Lets time pass: what falls due happens at its time, timers before timeouts.
    fn advance(&mut self, milliseconds: u64) {
        let until = self.services.uptime() + milliseconds * 1_000_000;
        loop {
            let tick = |plugin: &Plugin| plugin.tick.map(|(_, due)| due);
            let ticks = self.plugins.iter().filter_map(tick).min();
            let desk = self.services.desk();
            let calls = desk.http_calls.iter().chain(&desk.grpc_calls).filter_map(|call| call.due).min();
            drop(desk);
            let Some(due) = ticks.into_iter().chain(calls).min().filter(|due| *due <= until) else { break };
            self.services.set_uptime(due);
            for plugin in 0..self.plugins.len() {
                let Plugin { tick: Some((period, at)), root, .. } = self.plugins[plugin] else { continue };
                if at <= due {
                    self.plugins[plugin].tick = Some((period, due + period));
                    self.call(plugin, |scope| scope.on_tick(root));
                    self.settle();
                }
            }
            self.time_out(due);
        }
        self.services.set_uptime(until);
    }

    /// Ends the calls whose time is over.
    fn time_out(&mut self, now: u64) {
        let take = |calls: &mut Vec<Call>| -> Vec<Call> {
            let late = calls.iter_mut().filter(|call| call.due.is_some_and(|due| due <= now));
            late.map(|call| {
                call.due = None;
                *call
            })
            .collect()
        };
        let mut desk = self.services.desk();
        let (http, grpc) = (take(&mut desk.http_calls), take(&mut desk.grpc_calls));
        drop(desk);
        for call in http {
            self.http_response(Some(call), HttpCallResponse::failed());
            self.settle();
        }
        for call in grpc {
            self.grpc_closed(call, DEADLINE_EXCEEDED, "the call timed out");
            self.settle();
        }
    }
}

impl Stream {
    /// The place of the `nth` plugin of a direction: requests move in the order of the chain, responses against it.
    fn place(&self, direction: usize, nth: usize) -> Option<usize> {
        (nth < self.filters.len()).then(|| self.nth(direction, nth))
    }

    fn nth(&self, direction: usize, place: usize) -> usize {
        if direction == REQUEST { place } else { self.filters.len() - 1 - place }
    }
}

impl Stage {
    /// Adds a piece to what is kept. The size, and whether the message ends with it, as the callback gets them.
    fn keep(&mut self, piece: Piece) -> (u32, bool) {
        self.resume = false;
        match piece {
            Piece::Headers(headers, end) => {
                let count = headers.pairs().len();
                self.phase = Phase::Headers;
                self.headers = Some((headers, end));
                (count as u32, end)
            }
            Piece::Body(more, end) => {
                self.phase = Phase::Body;
                let mut body = self.body.take().map(|(body, _)| body).unwrap_or_default();
                body.extend(more);
                let size = body.len();
                self.body = Some((body, end));
                (size as u32, end)
            }
            Piece::Trailers(trailers) => {
                let count = trailers.pairs().len();
                self.phase = Phase::Trailers;
                self.trailers = Some(trailers);
                (count as u32, true)
            }
        }
    }

    /// Takes what is kept. Trailers that the plugin has added end the message instead of its body.
    fn take(&mut self) -> impl Iterator<Item = Piece> + use<> {
        let trailers = self.trailers.take().filter(|trailers| self.phase == Phase::Trailers || !trailers.is_empty());
        let ends = trailers.is_none();
        let headers = self.headers.take().map(|(headers, end)| Piece::Headers(headers, end));
        let body = self.body.take().map(|(body, end)| Piece::Body(body, end && ends));
        headers.into_iter().chain(body).chain(trailers.map(Piece::Trailers))
    }
}

/// Whether a message can be sent with these headers: those of a request say what is asked for, those of a response have a status.
fn is_head(direction: usize, headers: &VecHeaderMap) -> bool {
    let has = |name: &[u8]| headers.get(name).is_some_and(|value| !value.is_empty());
    match direction {
        REQUEST => has(b":method") && has(b":path"),
        _ => headers.get(b":status").is_some_and(|status| status.len() == 3 && status.iter().all(u8::is_ascii_digit)),
    }
}

fn headers_part(headers: &VecHeaderMap, end_of_stream: bool) -> Value {
    json!({ "part": "headers", "headers": seen(headers), "end_of_stream": end_of_stream })
}

fn body_part(body: &[u8], end_of_stream: bool) -> Value {
    json!({ "part": "body", "body": data(body), "end_of_stream": end_of_stream })
}
