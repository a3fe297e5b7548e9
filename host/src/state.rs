//! What the host knows: contexts, streams, calls in flight, the clock, and what the running callback may reach.
//!
//! Plain data and plain methods; knows nothing of wasmtime.

mod grpc;
mod shadow;
mod stream;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use pw_abi::{Exit, LogLevel, MetricType, Status};
use slab::Slab;

pub use self::grpc::GrpcEvent;
pub(crate) use self::grpc::{GrpcCall, GrpcKind};
pub(crate) use self::shadow::Shadow;
pub(crate) use self::stream::{Direction, Filter, LocalResponse, Message, Phase, Protocol, Stage, Stream};
use crate::effect::{Effect, GrpcCallId};
use crate::fields::Fields;
use crate::guest::On;
use crate::limits::Limits;
use crate::observer::Observer;
use crate::planted::planted;
use crate::policy::{FailurePolicy, Revival, Rollout};
use crate::rules::Rules;
use crate::value::Value;
use crate::{HttpCallId, PluginId, ProxyConfig, StreamId};

/// What the monotonic clock shows first, in nanoseconds. Go's runtime takes 0 for a broken clock.
const BOOT: u64 = 1;

/// All of it.
pub(crate) struct State {
    pub(crate) config: ProxyConfig,
    /// Nanoseconds since 1970.
    pub(crate) now: u64,
    /// Nanoseconds since the start.
    pub(crate) uptime: u64,
    pub(crate) random: fastrand::Rng,
    pub(crate) plugins: Vec<Plugin>,
    pub(crate) vms: Slab<Vm>,
    pub(crate) streams: Slab<Stream>,
    pub(crate) next_serial: u64,
    pub(crate) http_calls: BTreeMap<HttpCallId, HttpCall>,
    pub(crate) grpc_calls: BTreeMap<GrpcCallId, GrpcCall>,
    /// Counts the HTTP and gRPC calls of all plugins.
    pub(crate) next_call: u64,
    /// By VM id and key: values with their compare-and-swap values.
    pub(crate) shared_data: BTreeMap<String, SharedData>,
    pub(crate) next_cas: u32,
    /// By id, counted from 1.
    pub(crate) queues: Vec<Queue>,
    /// What the running call took from a queue, to be put back if the guest cannot take it.
    pub(crate) taken: Option<(u32, Bytes)>,
    /// By id, counted from 1.
    pub(crate) metrics: Vec<Metric>,
    pub(crate) effects: VecDeque<Effect>,
    /// What calls asked for that has to wait until the callback has returned.
    pub(crate) deferred: VecDeque<Deferred>,
    pub(crate) active: Active,
    /// What a call is just about to return, if it is small.
    pub(crate) scratch: Vec<u8>,
    pub(crate) observer: Option<Box<dyn Observer>>,
}

/// A queue of a VM id.
#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) vm_id: String,
    pub(crate) name: Vec<u8>,
    pub(crate) items: VecDeque<Bytes>,
    /// Bytes of all items.
    pub(crate) size: usize,
    /// Who is told of items.
    pub(crate) readers: Vec<PluginId>,
}

/// A metric of the proxy.
pub(crate) struct Metric {
    /// Who defined it first.
    pub(crate) definer: PluginId,
    pub(crate) metric_type: MetricType,
    pub(crate) name: Vec<u8>,
    pub(crate) value: u64,
}

/// What a VM id shares.
#[derive(Default)]
pub(crate) struct SharedData {
    /// Values with their compare-and-swap values.
    pub(crate) values: BTreeMap<Vec<u8>, (Bytes, u32)>,
    /// Bytes of keys and values.
    pub(crate) size: usize,
}

/// A VM, as far as plugins see it. Ids count up in it, so that none means two things to its module.
pub(crate) struct Vm {
    /// The plugins that live in it; never none.
    pub(crate) plugins: Vec<PluginId>,
    pub(crate) next_context: u32,
    pub(crate) next_call: u32,
}

impl Vm {
    pub(crate) fn of(plugin: PluginId) -> Vm {
        Vm { plugins: vec![plugin], next_context: 1, next_call: 1 }
    }
}

/// A plugin.
pub(crate) struct Plugin {
    /// Where it lives; nowhere when it has faulted or ended.
    pub(crate) vm: Option<usize>,
    /// The id of its own context.
    pub(crate) root: u32,
    pub(crate) name: String,
    pub(crate) root_id: String,
    pub(crate) vm_id: String,
    pub(crate) configuration: Bytes,
    pub(crate) vm_configuration: Bytes,
    /// `NAME=value` and a NUL each.
    pub(crate) environment: Vec<Vec<u8>>,
    pub(crate) limits: Limits,
    pub(crate) failure: FailurePolicy,
    pub(crate) rules: Rules,
    pub(crate) contexts: BTreeMap<u32, Context>,
    /// Where it is between its faults.
    pub(crate) revival: Revival,
    /// It ends when its last stream has.
    pub(crate) retired: bool,
    pub(crate) log_only: bool,
    /// Who gets some of its new streams, or all.
    pub(crate) rollout: Option<Rollout>,
    /// Period and next due time, in nanoseconds; the latter since the start.
    pub(crate) tick: Option<(u64, u64)>,
}

/// A context of a plugin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// The stream and the place in its chain; none for the plugin's own context.
    pub(crate) stream: Option<(usize, usize)>,
    /// `proxy_on_done` answered that the context is still in use.
    pub(crate) pending: bool,
}

/// A plugin's HTTP call in flight.
pub(crate) struct HttpCall {
    pub(crate) plugin: PluginId,
    /// The id that the plugin knows.
    pub(crate) token: u32,
    /// Nanoseconds since the start.
    pub(crate) deadline: Option<u64>,
}

/// How a plugin's HTTP call ended.
#[derive(Default)]
pub(crate) struct HttpCallEnd {
    pub(crate) headers: Arc<Fields>,
    pub(crate) body: Bytes,
    pub(crate) trailers: Arc<Fields>,
    pub(crate) status: (u32, &'static str),
}

/// What waits until a callback has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deferred {
    Continue { stream: StreamId, filter: usize, direction: Direction },
    Close { stream: StreamId },
    LocalResponse { stream: StreamId },
    Finalise { plugin: PluginId, context: u32 },
    QueueReady { plugin: PluginId, queue: u32 },
}

/// The callback that runs, and what it acts on.
#[derive(Default)]
pub(crate) struct Active {
    pub(crate) plugin: PluginId,
    pub(crate) callback: Option<On>,
    /// The effective context; 0 before there is one.
    pub(crate) context: u32,
    /// The stream of the effective context, and the place in its chain.
    pub(crate) stream: Option<(usize, usize)>,
    /// Lines and bytes that the callback has logged.
    pub(crate) logged: (usize, usize),
    /// What the callback is about, if it is not a stream.
    pub(crate) subject: Option<Subject>,
}

/// What a callback is about that is not about a stream.
pub(crate) enum Subject {
    HttpCall(HttpCallEnd),
    Grpc(GrpcEvent),
    /// The arguments of a call of the embedder's.
    ForeignFunction(Bytes),
}

impl State {
    pub(crate) fn new(config: ProxyConfig) -> State {
        State {
            now: config.start_time,
            uptime: BOOT,
            random: fastrand::Rng::with_seed(config.seed),
            config,
            plugins: Vec::new(),
            vms: Slab::new(),
            streams: Slab::new(),
            next_serial: 0,
            http_calls: BTreeMap::new(),
            grpc_calls: BTreeMap::new(),
            next_call: 0,
            shared_data: BTreeMap::new(),
            next_cas: 1,
            queues: Vec::new(),
            taken: None,
            metrics: Vec::new(),
            effects: VecDeque::new(),
            deferred: VecDeque::new(),
            active: Active::default(),
            scratch: Vec::new(),
            observer: None,
        }
    }

    /// The active plugin.
    pub(crate) fn plugin(&mut self) -> &mut Plugin {
        &mut self.plugins[self.active.plugin.0]
    }

    /// An id for a new context in a plugin's VM; 0 where there is none.
    pub(crate) fn new_context(&mut self, plugin: PluginId) -> u32 {
        let State { plugins, vms, .. } = self;
        let Some(vm) = plugins[plugin.0].vm.and_then(|vm| vms.get_mut(vm)) else { return 0 };
        let Vm { plugins: members, next_context, .. } = vm;
        unused(next_context, |id| members.iter().any(|member| plugins[member.0].contexts.contains_key(&id)))
    }

    /// The VM of the active plugin.
    pub(crate) fn vm(&mut self) -> Option<&mut Vm> {
        let vm = self.plugin().vm?;
        self.vms.get_mut(vm)
    }

    /// What the active plugin's VM id shares.
    pub(crate) fn shared_data(&mut self) -> &mut SharedData {
        let mut vm_id = self.plugin().vm_id.clone();
        planted!(VmIdIgnored => vm_id.clear());
        self.shared_data.entry(vm_id).or_default()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.plugins[self.active.plugin.0].limits
    }

    pub(crate) fn rules(&self) -> Rules {
        self.plugins[self.active.plugin.0].rules
    }

    /// The stream of the effective context, and the filter that acts there.
    pub(crate) fn stream(&mut self) -> Option<(&mut Stream, usize)> {
        let (stream, filter) = self.active.stream?;
        Some((self.streams.get_mut(stream)?, filter))
    }

    /// The same, if it is an HTTP stream.
    pub(crate) fn http_stream(&mut self) -> Option<(&mut Stream, usize)> {
        self.stream().filter(|(stream, _)| stream.protocol == Protocol::Http)
    }

    /// The stream's id, if it still is that stream.
    pub(crate) fn find(&mut self, stream: StreamId) -> Option<&mut Stream> {
        self.streams.get_mut(stream.index).filter(|found| found.id == stream)
    }

    /// Tells the embedder what to do about a stream; of a shadow, what would be done.
    pub(crate) fn emit(&mut self, stream: StreamId, effect: Effect) {
        if !stream.shadow {
            return self.effects.push_back(effect);
        }
        let Some((found, Some(plugin))) = self.find(stream).map(|found| {
            let plugin = found.shadow.as_ref().map(|shadow| (shadow.plugin, shadow.of));
            (found, plugin)
        }) else {
            return;
        };
        let (plugin, of) = plugin;
        let changes = found.would(effect);
        self.effects.extend(changes.into_iter().map(|what| Effect::Discarded { plugin, stream: of, what }));
    }

    pub(crate) fn log(&mut self, level: LogLevel, message: Bytes) {
        if level < self.config.log_level {
            return;
        }
        let plugin = self.active.plugin;
        let limits = self.plugins[plugin.0].limits;
        let (lines, bytes) = &mut self.active.logged;
        let most = *lines >= limits.log_lines || bytes.saturating_add(message.len()) > limits.log_bytes;
        if !most {
            *lines += 1;
            *bytes += message.len();
            self.effects.push_back(Effect::Log { plugin, level, message });
        } else if *lines != usize::MAX {
            *lines = usize::MAX;
            let message = Bytes::from_static(b"the callback logs more than it may: the rest is dropped");
            self.effects.push_back(Effect::Log { plugin, level: LogLevel::WARN, message });
        }
    }
}

impl pw_abi::Values for State {
    type Bytes = Value;
    type Pairs = Arc<Fields>;
}

/// The next number of a count that begins anew at 1 when it is used up, without those that are taken.
pub(crate) fn unused(next: &mut u32, taken: impl Fn(u32) -> bool) -> u32 {
    loop {
        let number = *next;
        *next = next.checked_add(1).unwrap_or(1);
        if !taken(number) {
            return number;
        }
    }
}

/// A function without a status cannot fail.
pub(crate) fn ignore(_: Result<(), Status>) -> Result<(), Exit> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_begin_anew_without_those_that_are_taken() {
        let mut next = u32::MAX;
        let numbers = [0; 3].map(|_| super::unused(&mut next, |number| number <= 2));
        assert_eq!(numbers, [u32::MAX, 3, 4]);
    }
}
