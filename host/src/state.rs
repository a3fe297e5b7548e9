//! The state of the host: contexts, streams, calls in flight, the clock, and what the running callback acts on.
//!
//! Plain data and plain methods; knows nothing of wasmtime.

pub(crate) mod account;
mod direction;
mod effects;
mod grpc;
mod plugins;
mod realm;
mod realms;
mod schedule;
mod shadow;
mod stream;
mod subject;
mod timers;
mod work;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use pw_abi::{Exit, Status};
use slab::Slab;

pub(crate) use self::account::{Account, Charge, Charges};
pub(crate) use self::direction::Direction;
pub use self::grpc::GrpcEvent;
pub(crate) use self::grpc::{GrpcCall, GrpcKind, GrpcSeen};
pub(crate) use self::plugins::{CallId, Context, Plugin, Plugins, Share};
pub(crate) use self::realm::{Metric, Queue, Realm};
pub(crate) use self::shadow::Shadow;
pub(crate) use self::stream::{
    Filter, LocalResponse, Message, Phase, Property, Protocol, Stage, Stream, Undo, piece_cost,
};
pub(crate) use self::subject::{HttpCallEnd, Subject};
pub(crate) use self::timers::{Timer, Timers};
pub(crate) use self::work::MIN_CAPACITY;
pub(crate) use self::work::{About, Agenda, Detach, Owner, Then, Work};
use crate::callbacks::On;
use crate::config::ProxyConfig;
use crate::fields::Fields;
use crate::ids::GrpcCallId;
use crate::ids::{HttpCallId, PluginId, StreamId};
use crate::limits::Limits;
use crate::observer::Observer;
use crate::planted::planted;
use crate::rules::Rules;
use crate::value::Value;

/// The monotonic clock at the start, in nanoseconds. Go's runtime treats 0 as a broken clock.
const START_UPTIME: u64 = 1;

/// The state of a proxy.
pub(crate) struct State {
    pub(crate) config: ProxyConfig,
    /// Nanoseconds since 1970.
    pub(crate) now: u64,
    /// Nanoseconds since the start.
    pub(crate) uptime: u64,
    pub(crate) random: fastrand::Rng,
    pub(crate) plugins: Plugins,
    /// What plugins of one VM id share, by number.
    pub(crate) realms: Slab<Realm>,
    pub(crate) realm_names: BTreeMap<String, usize>,
    pub(crate) vms: Slab<Vm>,
    pub(crate) streams: Slab<Stream>,
    /// Counts streams and their copies.
    pub(crate) next_serial: u64,
    /// Counts streams.
    pub(crate) next_stream: u64,
    pub(crate) http_calls: BTreeMap<HttpCallId, HttpCall>,
    pub(crate) grpc_calls: BTreeMap<GrpcCallId, GrpcCall>,
    /// Counts the HTTP and gRPC calls of all plugins.
    pub(crate) next_call: u64,
    pub(crate) next_cas: u32,
    pub(crate) queues: BTreeMap<u32, Queue>,
    /// The id of the last registered queue.
    pub(crate) next_queue: u32,
    /// The item that the running call has dequeued, to be put back if the call fails: the queue and the item.
    pub(crate) taken: Option<(u32, Bytes)>,
    pub(crate) metrics: BTreeMap<u32, Metric>,
    /// Ids for each type, by name.
    pub(crate) metric_names: [BTreeMap<Vec<u8>, u32>; 3],
    /// The id of the last defined metric.
    pub(crate) next_metric: u32,
    effects: VecDeque<effects::Queued>,
    /// The work list.
    pub(crate) agenda: Agenda,
    pub(crate) timers: Timers,
    /// Counts the events.
    pub(crate) event: u64,
    /// The plugins that have used up their budget for this event.
    pub(crate) spent: BTreeSet<PluginId>,
    pub(crate) active: Active,
    /// Bytes that the running call reads or writes besides its arguments and results.
    pub(crate) work: u64,
    /// A small value that a call is about to return.
    pub(crate) scratch: Vec<u8>,
    pub(crate) observer: Option<Box<dyn Observer>>,
}

/// A VM. Its ids count up, so that none of them stands for two things in its module.
pub(crate) struct Vm {
    /// The plugins in it; never empty.
    pub(crate) plugins: Vec<PluginId>,
    pub(crate) contexts: Ids,
    pub(crate) calls: Ids,
}

impl Vm {
    pub(crate) fn of(plugin: PluginId, large_ids: bool) -> Vm {
        let ids = || if large_ids { Ids { last: LARGE_IDS, ..Ids::default() } } else { Ids::default() };
        Vm { plugins: vec![plugin], contexts: ids(), calls: ids() }
    }
}

/// A plugin's HTTP call in flight.
pub(crate) struct HttpCall {
    pub(crate) plugin: PluginId,
    /// The id that was returned to the plugin.
    pub(crate) token: u32,
    /// Nanoseconds since the start.
    pub(crate) deadline: Option<u64>,
    pub(crate) _charge: Charge,
}

/// The running callback, and what it acts on.
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
    /// What the callback is about, if not a stream.
    pub(crate) subject: Option<Box<Subject>>,
    /// What the callback has changed in streams, if the plugin fails open.
    pub(crate) changes: Option<Box<Changes>>,
}

/// What a callback has changed in streams, and how to undo it.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) undo: Vec<Undo>,
    /// The parts of streams whose old values are kept already.
    pub(crate) parts: BTreeSet<(StreamId, usize, Direction, Phase)>,
    /// The properties whose old values are kept already.
    pub(crate) properties: BTreeSet<(StreamId, Vec<u8>)>,
}

impl State {
    pub(crate) fn new(config: ProxyConfig) -> State {
        State {
            now: config.start_time,
            uptime: START_UPTIME,
            random: fastrand::Rng::with_seed(config.seed),
            config,
            plugins: Plugins::default(),
            realms: Slab::new(),
            realm_names: BTreeMap::new(),
            vms: Slab::new(),
            streams: Slab::new(),
            next_serial: 0,
            next_stream: 0,
            http_calls: BTreeMap::new(),
            grpc_calls: BTreeMap::new(),
            next_call: 0,
            next_cas: 1,
            queues: BTreeMap::new(),
            next_queue: 0,
            taken: None,
            metrics: BTreeMap::new(),
            metric_names: Default::default(),
            next_metric: 0,
            effects: VecDeque::new(),
            agenda: Agenda::default(),
            timers: Timers::default(),
            event: 0,
            spent: BTreeSet::new(),
            active: Active::default(),
            work: 0,
            scratch: Vec::new(),
            observer: None,
        }
    }

    /// The active plugin.
    #[inline]
    pub(crate) fn plugin(&mut self) -> &mut Plugin {
        self.plugins.get_mut(self.active.plugin).expect("a running plugin is in the list")
    }

    #[inline]
    fn active_plugin(&self) -> &Plugin {
        self.plugins.get(self.active.plugin).expect("a running plugin is in the list")
    }

    /// An id for a new context in a plugin's VM; 0 if the plugin has no VM.
    pub(crate) fn new_context(&mut self, plugin: PluginId) -> u32 {
        let State { plugins, vms, .. } = self;
        let vm = plugins.get(plugin).and_then(|plugin| plugin.vm);
        let Some(vm) = vm.and_then(|vm| vms.get_mut(vm)) else { return 0 };
        let Vm { plugins: members, contexts, .. } = vm;
        let has = |member: &PluginId, id| plugins.get(*member).is_some_and(|found| found.contexts.contains_key(&id));
        contexts.next(|id| members.iter().any(|member| has(member, id)))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.active_plugin().limits
    }

    pub(crate) fn rules(&self) -> Rules {
        self.active_plugin().rules
    }

    /// Whether `bytes` more can be charged to the active plugin.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let plugin = self.active_plugin();
        plugin.account.has_room(bytes, plugin.limits.host_memory)
    }

    /// Keeps the old value of a part of a stream, if a crash of the active plugin undoes its changes.
    pub(crate) fn change(&mut self, undo: Undo) {
        if self.active_plugin().failure.open {
            self.active.changes.get_or_insert_default().undo.push(undo);
        }
    }

    /// Charges bytes to the active plugin.
    ///
    /// # Errors
    ///
    /// INTERNAL_FAILURE if that exceeds the plugin's limit.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<Charge, Status> {
        let plugin = self.plugin();
        plugin.account.charge(bytes, plugin.limits.host_memory).ok_or(Status::INTERNAL_FAILURE)
    }

    /// Removes a call in flight that is over.
    pub(crate) fn remove_call(&mut self, call: CallId) {
        let (plugin, token) = match call {
            CallId::Http(id) => {
                let Some(call) = self.http_calls.remove(&id) else { return };
                self.timers.unset(call.deadline, Timer::HttpCall(id, call.plugin));
                (call.plugin, call.token)
            }
            CallId::Grpc(id) => {
                let Some(call) = self.grpc_calls.remove(&id) else { return };
                self.timers.unset(call.deadline, Timer::GrpcCall(id, call.plugin));
                (call.plugin, call.token)
            }
        };
        if let Some(plugin) = self.plugins.get_mut(plugin) {
            plugin.calls.remove(&token);
        }
    }

    /// The stream of the effective context, and the plugin's place in its chain.
    pub(crate) fn stream(&mut self) -> Option<(&mut Stream, usize)> {
        let (stream, filter) = self.active.stream?;
        Some((self.streams.get_mut(stream)?, filter))
    }

    /// The same, if it is an HTTP stream.
    pub(crate) fn http_stream(&mut self) -> Option<(&mut Stream, usize)> {
        self.stream().filter(|(stream, _)| stream.protocol == Protocol::Http)
    }

    /// The stream of an id, if it is not removed.
    pub(crate) fn find(&mut self, stream: StreamId) -> Option<&mut Stream> {
        self.streams.get_mut(stream.index).filter(|found| found.id == stream)
    }
}

impl pw_abi::Values for State {
    type Bytes = Value;
    type Pairs = ReadFields;
}

/// A map as a plugin reads it.
pub(crate) struct ReadFields {
    pub(crate) fields: Arc<Fields>,
    /// If the map is empty, it is written as a NUL, and not as no bytes.
    pub(crate) empty_is_nul: bool,
}

impl ReadFields {
    /// The size of what is written, in bytes.
    pub(crate) fn size(&self) -> usize {
        if self.fields.is_empty() { usize::from(self.empty_is_nul) } else { self.fields.serialized_size() }
    }

    pub(crate) fn write(&self, place: &mut [u8]) {
        if self.fields.is_empty() {
            place.fill(0);
        } else {
            pw_abi::pairs::write(self.fields.iter(), place);
            planted!(DigitForNul => {
                let mut end = 4 + 8 * self.fields.len();
                for text in self.fields.iter().flat_map(|(name, value)| [name, value]) {
                    end += text.len();
                    place[end] = b'0';
                    end += 1;
                }
            });
        }
    }
}

/// What ids come after that are large, by choice.
const LARGE_IDS: u32 = u32::MAX - 0x1_0000;

/// Numbers from 1 on, which start again after the last, without those that are in use.
#[derive(Default)]
pub(crate) struct Ids {
    last: u32,
    /// Whether all numbers were returned once.
    used_up: bool,
}

impl Ids {
    pub(crate) fn next(&mut self, in_use: impl Fn(u32) -> bool) -> u32 {
        loop {
            self.last = self.last.checked_add(1).unwrap_or_else(|| {
                self.used_up = true;
                1
            });
            if !self.used_up || !in_use(self.last) {
                return self.last;
            }
        }
    }
}

/// Ignores the failure of a function that returns no status.
pub(crate) fn ignore(_: Result<(), Status>) -> Result<(), Exit> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_start_again_without_those_in_use() {
        let mut ids = Ids { last: u32::MAX - 1, used_up: false };
        let numbers = [0; 3].map(|_| ids.next(|number| number <= 2));
        assert_eq!(numbers, [u32::MAX, 3, 4]);
    }
}
