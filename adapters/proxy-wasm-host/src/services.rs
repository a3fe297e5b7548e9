//! What the library asks its embedder for besides streams: a log, a clock, the servers of calls, and shared data. All plugins of a
//! scenario have the same one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proxy_wasm_host::abi::v0_2_1::types::{LogLevel, MetricType, Status};
use proxy_wasm_host::abi::v0_2_1::{
    CalloutId, Callouts, Clock, ContextId, GrpcCall, GrpcOpenRefusal, GrpcStream, GuestId, HttpCall, HttpCallRefusal,
    InMemoryStore, Invocation, LogContext, LogSink, MetricId, QueueId, SharedServices, SharedValue,
};
use serde_json::{Value, json};

use crate::data::{data, pairs};

/// When a scenario begins, in nanoseconds since 1970: 2020-01-01.
pub const START: u64 = 1_577_836_800_000_000_000;

/// The upstreams that answer when a step says so.
const SERVERS: [&[u8]; 3] = [b"upstream", b"auth", b"callout"];

/// The upstream that refuses connections.
const DEAD: &[u8] = b"dead";

/// The services of a scenario.
pub struct Services {
    /// Nanoseconds since the beginning.
    uptime: AtomicU64,
    store: InMemoryStore,
    desk: Mutex<Desk>,
}

/// What the services have collected.
pub struct Desk {
    events: Vec<Value>,
    /// Whether events are written at once.
    trace: bool,
    /// The plugin that runs. The library does not know the names of plugins that are not configured yet.
    pub running: String,
    /// HTTP calls by their number.
    pub http_calls: Vec<Call>,
    /// gRPC calls and streams by their number.
    pub grpc_calls: Vec<Call>,
    /// Calls to the server that refuses connections; true if it is a gRPC call.
    pub dead: Vec<(Call, bool)>,
    /// Queues that got an item, once for each.
    pub queues: Vec<QueueId>,
    metrics: BTreeMap<MetricId, Vec<u8>>,
}

/// A call of a plugin, which may have ended since.
#[derive(Clone, Copy)]
pub struct Call {
    pub guest: GuestId,
    pub context: ContextId,
    pub id: CalloutId,
    /// When it times out, if it does, in nanoseconds since the beginning.
    pub due: Option<u64>,
}

impl Desk {
    /// Reports an event.
    pub fn event(&mut self, event: Value) {
        if self.trace {
            println!("{}", json!({ "type": "event", "event": event }));
        }
        self.events.push(event);
    }

    /// Takes the events so far.
    pub fn take_events(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.events)
    }

    /// Ends calls of a guest that nobody waits for any more; a server notices that only of gRPC.
    pub fn abandon(&mut self, guest: GuestId, calls: impl Iterator<Item = CalloutId>) {
        calls.for_each(|id| self.grpc(guest, id, json!({ "part": "reset" })));
    }

    fn grpc(&mut self, guest: GuestId, id: CalloutId, part: Value) {
        let number = self.grpc_calls.iter().position(|known| (known.guest, known.id) == (guest, id));
        if let Some(number) = number {
            self.event(json!({ "event": "grpc", "call": number, "part": part }));
        }
    }
}

impl Services {
    /// The services of a scenario that begins.
    pub fn new(trace: bool) -> Services {
        let desk = Desk {
            events: Vec::new(),
            trace,
            running: String::new(),
            http_calls: Vec::new(),
            grpc_calls: Vec::new(),
            dead: Vec::new(),
            queues: Vec::new(),
            metrics: BTreeMap::new(),
        };
        Services { uptime: AtomicU64::new(0), store: InMemoryStore::new(), desk: Mutex::new(desk) }
    }

    /// What was collected. It must not be held while a plugin runs.
    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nanoseconds since the beginning.
    pub fn uptime(&self) -> u64 {
        self.uptime.load(Ordering::Relaxed)
    }

    /// Sets the time, in nanoseconds since the beginning.
    pub fn set_uptime(&self, uptime: u64) {
        self.uptime.store(uptime, Ordering::Relaxed);
    }

    /// Reports all metrics that have a single value.
    pub fn report_metrics(&self) {
        let Ok(context) = ContextId::try_from(1) else { return };
        let call = Invocation::new(GuestId::next(), context);
        let metrics = self.desk().metrics.clone();
        for (metric, name) in metrics {
            if let Ok(value) = self.store.get_metric(call, metric) {
                let name = String::from_utf8_lossy(&name);
                self.desk().event(json!({ "event": "metric", "name": name, "value": value }));
            }
        }
    }

    fn call(&self, call: Invocation, id: CalloutId, timeout: Option<Duration>) -> Call {
        // The ABI gives a timeout of zero no meaning: the plugin waits until there is an answer.
        let timeout = timeout.filter(|timeout| !timeout.is_zero());
        let due = timeout.map(|timeout| self.uptime().saturating_add(timeout.as_nanos() as u64));
        Call { guest: call.guest, context: call.context, id, due }
    }

    fn open(&self, call: Call, upstream: &[u8], opened: Value) -> Result<(), GrpcOpenRefusal> {
        let mut desk = self.desk();
        if upstream == DEAD {
            desk.dead.push((call, true));
        } else if SERVERS.contains(&upstream) {
            desk.grpc_calls.push(call);
            let number = desk.grpc_calls.len() - 1;
            desk.event(json!({ "event": "grpc", "call": number, "part": opened }));
        } else {
            return Err(GrpcOpenRefusal::UnknownUpstream);
        }
        Ok(())
    }
}

impl LogSink for Services {
    fn log(&self, _: LogContext<'_>, level: LogLevel, message: &[u8]) {
        let level = match level {
            LogLevel::Trace => "TRACE",
            LogLevel::Debug => "DEBUG",
            LogLevel::Info => "INFO",
            LogLevel::Warn => "WARN",
            LogLevel::Error => "ERROR",
            LogLevel::Critical => "CRITICAL",
        };
        let mut desk = self.desk();
        let event = json!({ "event": "log", "plugin": desk.running, "level": level, "message": data(message) });
        desk.event(event);
    }
}

impl Clock for Services {
    fn realtime_nanos(&self) -> u64 {
        START.saturating_add(self.uptime())
    }

    fn monotonic_nanos(&self) -> u64 {
        self.uptime()
    }
}

impl Callouts for Services {
    fn http_call(&self, call: Invocation, id: CalloutId, request: HttpCall<'_>) -> Result<(), HttpCallRefusal> {
        let call = self.call(call, id, Some(request.timeout));
        let mut desk = self.desk();
        if *request.upstream == *DEAD {
            desk.dead.push((call, false));
        } else if SERVERS.contains(&&*request.upstream) {
            desk.http_calls.push(call);
            // A client knows the length of what it sends, and does not take a plugin's word for it.
            let mut headers = request.headers;
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case(b"content-length"));
            let event = json!({
                "event": "http_call",
                "call": desk.http_calls.len() - 1,
                "upstream": data(&request.upstream),
                "headers": pairs(&headers),
                "body": data(&request.body),
                "trailers": pairs(&request.trailers),
            });
            desk.event(event);
        } else {
            return Err(HttpCallRefusal::UnknownUpstream);
        }
        Ok(())
    }

    fn grpc_call(&self, call: Invocation, id: CalloutId, request: GrpcCall<'_>) -> Result<(), GrpcOpenRefusal> {
        let opened = opened(&request.upstream, &request.service, &request.method, pairs(&request.initial_metadata));
        self.open(self.call(call, id, Some(request.timeout)), &request.upstream, opened)?;
        let mut desk = self.desk();
        desk.grpc(call.guest, id, json!({ "part": "message", "message": data(&request.message) }));
        desk.grpc(call.guest, id, json!({ "part": "end" }));
        Ok(())
    }

    fn grpc_stream(&self, call: Invocation, id: CalloutId, request: GrpcStream<'_>) -> Result<(), GrpcOpenRefusal> {
        let opened = opened(&request.upstream, &request.service, &request.method, pairs(&request.initial_metadata));
        self.open(self.call(call, id, None), &request.upstream, opened)
    }

    fn grpc_send(&self, call: Invocation, id: CalloutId, message: &[u8], end_of_stream: bool) -> Result<(), Status> {
        let mut desk = self.desk();
        desk.grpc(call.guest, id, json!({ "part": "message", "message": data(message) }));
        if end_of_stream {
            desk.grpc(call.guest, id, json!({ "part": "end" }));
        }
        Ok(())
    }

    fn grpc_cancel(&self, call: Invocation, id: CalloutId) {
        self.desk().grpc(call.guest, id, json!({ "part": "reset" }));
    }

    fn grpc_close(&self, call: Invocation, id: CalloutId) {
        self.desk().grpc(call.guest, id, json!({ "part": "end" }));
    }
}

fn opened(upstream: &[u8], service: &[u8], method: &[u8], metadata: Value) -> Value {
    let text = String::from_utf8_lossy;
    json!({
        "part": "opened",
        "upstream": text(upstream),
        "service": text(service),
        "method": text(method),
        "metadata": metadata,
    })
}

/// The library's store, which cannot list its metrics; and it is noted which queue got an item.
impl SharedServices for Services {
    fn get_shared_data(&self, call: Invocation, vm_id: &[u8], key: &[u8]) -> Result<SharedValue, Status> {
        self.store.get_shared_data(call, vm_id, key)
    }

    fn set_shared_data(
        &self,
        call: Invocation,
        vm_id: &[u8],
        key: &[u8],
        value: &[u8],
        cas: Option<u32>,
    ) -> Result<(), Status> {
        self.store.set_shared_data(call, vm_id, key, value, cas)
    }

    fn register_shared_queue(&self, call: Invocation, vm_id: &[u8], name: &[u8]) -> Result<QueueId, Status> {
        self.store.register_shared_queue(call, vm_id, name)
    }

    fn resolve_shared_queue(&self, call: Invocation, vm_id: &[u8], name: &[u8]) -> Result<QueueId, Status> {
        self.store.resolve_shared_queue(call, vm_id, name)
    }

    fn enqueue_shared_queue(&self, call: Invocation, queue: QueueId, value: &[u8]) -> Result<(), Status> {
        self.store.enqueue_shared_queue(call, queue, value)?;
        self.desk().queues.push(queue);
        Ok(())
    }

    fn dequeue_shared_queue(&self, call: Invocation, queue: QueueId) -> Result<Vec<u8>, Status> {
        self.store.dequeue_shared_queue(call, queue)
    }

    fn define_metric(&self, call: Invocation, vm_id: &[u8], kind: MetricType, name: &[u8]) -> Result<MetricId, Status> {
        let metric = self.store.define_metric(call, vm_id, kind, name)?;
        self.desk().metrics.insert(metric, name.to_vec());
        Ok(metric)
    }

    fn record_metric(&self, call: Invocation, metric: MetricId, value: u64) -> Result<(), Status> {
        self.store.record_metric(call, metric, value)
    }

    fn increment_metric(&self, call: Invocation, metric: MetricId, delta: i64) -> Result<(), Status> {
        self.store.increment_metric(call, metric, delta)
    }

    fn get_metric(&self, call: Invocation, metric: MetricId) -> Result<u64, Status> {
        self.store.get_metric(call, metric)
    }
}
