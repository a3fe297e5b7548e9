//! When ticks, timeouts and restarts are due.

use std::collections::BTreeSet;

use crate::ids::GrpcCallId;
use crate::ids::HttpCallId;
use crate::ids::PluginId;

/// A timer. At the same time ticks come first, in the order of the plugins, then timeouts in the order of the calls, then
/// restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Tick(PluginId),
    HttpCall(HttpCallId, PluginId),
    GrpcCall(GrpcCallId, PluginId),
    Restart(PluginId),
}

/// All timers, by the time when they are due, in nanoseconds since the start.
#[derive(Default)]
pub(crate) struct Timers(BTreeSet<(u64, Timer)>);

impl Timers {
    pub(crate) fn set(&mut self, due: u64, timer: Timer) {
        self.0.insert((due, timer));
    }

    pub(crate) fn unset(&mut self, due: Option<u64>, timer: Timer) {
        if let Some(due) = due {
            self.0.remove(&(due, timer));
        }
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.0.first().map(|(due, _)| *due)
    }

    /// Removes and returns the timers that are due at a time, in order.
    pub(crate) fn take_due(&mut self, now: u64) -> Vec<Timer> {
        let mut due = Vec::new();
        while let Some((_, timer)) = self.0.first().filter(|(time, _)| *time <= now).copied() {
            self.0.pop_first();
            due.push(timer);
        }
        due
    }
}
