//! The plugins of a proxy, by id. An id is never reused; a removed plugin keeps a slot of a few bytes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::account::{Account, Charge};
use crate::ids::{GrpcCallId, HttpCallId, PluginId};
use crate::limits::Limits;
use crate::policy::{FailurePolicy, Revival, Rollout};
use crate::rules::Rules;

/// A plugin.
pub(crate) struct Plugin {
    /// Its VM; `None` if it has crashed or ended.
    pub(crate) vm: Option<usize>,
    /// Whether its start was ever successful.
    pub(crate) started: bool,
    /// Counts its starts.
    pub(crate) incarnation: u64,
    /// The id of its own context.
    pub(crate) root: u32,
    pub(crate) name: String,
    pub(crate) root_id: String,
    pub(crate) vm_id: String,
    /// The number of its VM id's realm.
    pub(crate) realm: usize,
    pub(crate) configuration: Bytes,
    pub(crate) vm_configuration: Bytes,
    /// `NAME=value` and a NUL each.
    pub(crate) environment: Vec<Vec<u8>>,
    pub(crate) limits: Limits,
    pub(crate) failure: FailurePolicy,
    pub(crate) rules: Rules,
    pub(crate) contexts: BTreeMap<u32, Context>,
    /// The number of its copies that have outlived their streams.
    pub(crate) alone: usize,
    /// The number of contexts whose end it delays.
    pub(crate) pending: usize,
    /// Its crashes and restarts.
    pub(crate) revival: Revival,
    /// Whether it ends after its last stream.
    pub(crate) retired: bool,
    /// Whether it is to end, and gets no streams.
    pub(crate) removed: bool,
    /// Whether its module and configuration were dropped: it is not started again.
    pub(crate) source_dropped: bool,
    pub(crate) log_only: bool,
    /// The plugin that gets some or all of its new streams.
    pub(crate) rollout: Option<Rollout>,
    /// Whether `proxy_on_done` was called for its own context.
    pub(crate) asked: bool,
    /// Whether it waits in `Plugins::leaving` until nothing is charged to it.
    pub(crate) leaving: bool,
    /// Whether it is a canary, which shares its VM with no other plugin.
    pub(crate) own_vm: bool,
    /// The plugin of whose streams it gets a share.
    pub(crate) canary_of: Option<PluginId>,
    /// Period and next due time, in nanoseconds; the latter since the start.
    pub(crate) tick: Option<(u64, u64)>,
    /// Its calls in flight, by the ids that were returned to it.
    pub(crate) calls: BTreeMap<u32, CallId>,
    /// The queues whose items it is notified of.
    pub(crate) queues: BTreeSet<u32>,
    /// Whether it gets the callback for that.
    pub(crate) gets_notices: bool,
    /// The number of metrics that it was the first to define.
    pub(crate) metrics: usize,
    /// The number of its places in chains of streams.
    pub(crate) places: usize,
    /// Bytes of the host's memory that exist because of it.
    pub(crate) account: Account,
    /// What it did in the last event in which it ran.
    pub(crate) share: Share,
}

impl Plugin {
    /// Whether it does not run and will not be started again.
    pub(crate) fn has_ended(&self) -> bool {
        self.vm.is_none() && self.source_dropped
    }
}

impl Plugin {
    /// Whether the operator does not use it any more, or it never started.
    pub(crate) fn is_released(&self) -> bool {
        self.retired || self.removed || !self.started
    }
}

/// What a plugin did in an event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Share {
    /// The number of the event.
    pub(crate) event: u64,
    pub(crate) callbacks: usize,
    /// Fuel, or ticks of the engine.
    pub(crate) time: u64,
}

/// A plugin's call in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallId {
    Http(HttpCallId),
    Grpc(GrpcCallId),
}

/// A context of a plugin.
#[derive(Debug)]
pub(crate) struct Context {
    /// The stream and the place in its chain; `None` for the plugin's own context.
    pub(crate) stream: Option<(usize, usize)>,
    /// If `proxy_on_done` has delayed its end, the charge for what it holds after its stream has ended.
    pub(crate) pending: Option<Charge>,
}

/// All plugins.
#[derive(Default)]
pub(crate) struct Plugins {
    slots: Vec<Slot>,
    /// Removed plugins to which something is still charged.
    leaving: VecDeque<PluginId>,
}

enum Slot {
    Present(Box<Plugin>),
    Removed {
        /// The plugin that has replaced it.
        successor: Option<PluginId>,
        /// Streams continue without it, as its policy said.
        open: bool,
        /// The operator has retired it: new streams do not run through it.
        retired: bool,
    },
}

impl Plugins {
    pub(crate) fn insert(&mut self, plugin: Plugin) -> PluginId {
        self.slots.push(Slot::Present(Box::new(plugin)));
        PluginId(self.slots.len() - 1)
    }

    #[inline]
    pub(crate) fn get(&self, id: PluginId) -> Option<&Plugin> {
        match self.slots.get(id.0) {
            Some(Slot::Present(plugin)) => Some(plugin),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: PluginId) -> Option<&mut Plugin> {
        match self.slots.get_mut(id.0) {
            Some(Slot::Present(plugin)) => Some(plugin),
            _ => None,
        }
    }

    /// Whether an id belongs to this proxy.
    pub(crate) fn knows(&self, id: PluginId) -> bool {
        id.0 < self.slots.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Plugin> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Present(plugin) => Some(&**plugin),
            Slot::Removed { .. } => None,
        })
    }

    /// Whether streams continue without a plugin that does not run.
    pub(crate) fn fails_open(&self, id: PluginId) -> bool {
        match self.slots.get(id.0) {
            Some(Slot::Present(plugin)) => plugin.failure.open,
            Some(Slot::Removed { open, .. }) => *open,
            None => false,
        }
    }

    /// Whether new streams do not run through a plugin.
    pub(crate) fn is_retired(&self, id: PluginId) -> bool {
        match self.slots.get(id.0) {
            Some(Slot::Present(plugin)) => plugin.retired,
            Some(Slot::Removed { retired, .. }) => *retired,
            None => false,
        }
    }

    /// The plugin that has replaced another.
    fn successor(&self, id: PluginId) -> Option<PluginId> {
        match self.slots.get(id.0)? {
            Slot::Present(plugin) => plugin.rollout.filter(|_| plugin.retired).map(|rollout| rollout.to),
            Slot::Removed { successor, .. } => *successor,
        }
    }

    /// The plugin that has replaced a plugin by now, through any number of replacements. Shortens the path, so that the next lookup
    /// takes one step.
    pub(crate) fn current(&mut self, id: PluginId) -> PluginId {
        let mut last = id;
        while let Some(next) = self.successor(last) {
            last = next;
        }
        let mut at = id;
        while let Some(next) = self.successor(at).filter(|_| at != last) {
            match &mut self.slots[at.0] {
                Slot::Removed { successor, .. } => *successor = Some(last),
                Slot::Present(plugin) => {
                    if let Some(rollout) = &mut plugin.rollout {
                        rollout.to = last;
                    }
                }
            }
            at = next;
        }
        last
    }

    /// Sets the successor of a removed plugin.
    pub(crate) fn succeed(&mut self, id: PluginId, new: PluginId) {
        if let Some(Slot::Removed { successor, .. }) = self.slots.get_mut(id.0) {
            *successor = Some(new);
        }
    }

    /// Frees some of the plugins to which something was still charged when they were removed.
    pub(crate) fn free_leaving(&mut self) {
        /// Plugins to try at a time, as this runs after each event.
        const MAX_TRIES: usize = 16;
        for _ in 0..self.leaving.len().min(MAX_TRIES) {
            let Some(id) = self.leaving.pop_front() else { return };
            if let Some(plugin) = self.get_mut(id) {
                plugin.leaving = false;
            }
            self.free(id);
        }
    }

    /// Frees the memory of a plugin that was removed and has no place in a stream; later, if something is still charged to it, such
    /// as effects that are not drained.
    pub(crate) fn free(&mut self, id: PluginId) {
        // A plugin that has crashed stays until the operator removes or replaces it.
        let is_free = |plugin: &&Plugin| plugin.has_ended() && plugin.places == 0 && plugin.is_released();
        if let Some(plugin) = self.get(id).filter(is_free) {
            if plugin.account.used() > 0 {
                if let Some(plugin) = self.get_mut(id).filter(|plugin| !plugin.leaving) {
                    plugin.leaving = true;
                    self.leaving.push_back(id);
                }
                return;
            }
            let (open, retired, successor) = (plugin.failure.open, plugin.retired, self.successor(id));
            self.slots[id.0] = Slot::Removed { successor, open, retired };
        }
    }
}
