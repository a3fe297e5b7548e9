//! Counts of one side of the comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::histogram::Histogram;
use crate::kinds::KINDS;

/// Counts since they were cleared last.
pub(super) struct Tally {
    /// Requests through healthy plugins that have ended, in whatever way.
    pub(super) requests: u64,
    pub(super) lost: u64,
    pub(super) altered: u64,
    /// Maps of fields that came out, and that HTTP cannot carry.
    pub(super) smuggled: u64,
    /// Modules that the host takes and should not.
    pub(super) loaded: BTreeSet<&'static str>,
    /// From the request to the end of the response, by the clock.
    pub(super) latency: Histogram,
    /// How much CPU time slices took.
    pub(super) time: Duration,
    /// Faults of plugins that are to have none.
    pub(super) healthy_faults: u64,
    /// By [`KINDS`].
    pub(super) kinds: Vec<KindTally>,
    /// Steps of clients, servers and the operator.
    pub(super) clients: Steps,
    pub(super) servers: Steps,
    pub(super) actions: Steps,
    /// CPU time of requests that use up the time that they may take.
    pub(super) burnt: Histogram,
    pub(super) burnt_time: Duration,
    /// CPU time of what plugins that misbehave, clients, servers and the operator do, and of letting time pass.
    pub(super) aside_time: Duration,
    pub(super) events: Events,
    /// Bytes that healthy plugins are charged with, and those that misbehave.
    pub(super) charged: [Histogram; 2],
    /// How often a plugin was charged with more than it may hold.
    pub(super) overdrawn: u64,
}

/// How often each of some steps was taken, by its name.
#[derive(Clone, Default)]
pub(super) struct Steps(BTreeMap<&'static str, u64>);

impl Steps {
    /// Counts one more.
    pub(super) fn add(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }

    pub(super) fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Of all steps.
    pub(super) fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// What was counted of events: calls of the proxy's methods.
#[derive(Default)]
pub(super) struct Events {
    /// Callbacks of an event, of all plugins; and of one plugin that the event called.
    pub(super) callbacks: Histogram,
    pub(super) by_one: Histogram,
    /// By the clock.
    pub(super) longest: Duration,
    /// Number of events after which work was left.
    pub(super) parked: u64,
    /// How often a plugin had all callbacks that an event may run of it, and how often more.
    pub(super) used_up: u64,
    pub(super) excesses: u64,
    /// How often time was advanced without passing until nothing was due, or until that was given up.
    pub(super) rounds: Histogram,
}

/// What was counted of a way to misbehave.
#[derive(Clone, Copy, Default)]
pub(super) struct KindTally {
    pub(super) requests: u64,
    pub(super) callbacks: u64,
    pub(super) calls: u64,
    pub(super) faults: u64,
    pub(super) reloads: u64,
    /// It did not start when the operator wanted that.
    pub(super) refused: u64,
    /// CPU time of its requests, without its starts and ticks.
    pub(super) time: Duration,
    /// Bytes that such a plugin was charged with at most.
    pub(super) charged: usize,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            requests: 0,
            lost: 0,
            altered: 0,
            smuggled: 0,
            loaded: BTreeSet::new(),
            latency: Histogram::default(),
            time: Duration::ZERO,
            healthy_faults: 0,
            kinds: vec![KindTally::default(); KINDS.len()],
            clients: Steps::default(),
            servers: Steps::default(),
            actions: Steps::default(),
            burnt: Histogram::default(),
            burnt_time: Duration::ZERO,
            aside_time: Duration::ZERO,
            events: Events::default(),
            charged: Default::default(),
            overdrawn: 0,
        }
    }
}

impl Tally {
    /// Another one, in which only what must not happen at any time stays.
    pub(super) fn cleared(self) -> Tally {
        let Tally { lost, altered, smuggled, loaded, healthy_faults, overdrawn, events, .. } = self;
        let events = Events { excesses: events.excesses, ..Events::default() };
        Tally { lost, altered, smuggled, loaded, healthy_faults, overdrawn, events, ..Tally::default() }
    }

    /// Records how many bytes a plugin is charged with. `kind` is its way to misbehave; a healthy plugin has none.
    pub(super) fn weigh(&mut self, kind: Option<usize>, charged: usize, limit: usize) {
        self.charged[usize::from(kind.is_some())].add(charged as u64);
        self.overdrawn += u64::from(charged > limit);
        if let Some(kind) = kind {
            self.kinds[kind].charged = self.kinds[kind].charged.max(charged);
        }
    }

    pub(super) fn faults(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.faults).sum()
    }

    pub(super) fn reloads(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.reloads).sum()
    }
}
