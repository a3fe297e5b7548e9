//! What was counted on one side of the comparison.

use std::time::Duration;

use crate::soak::histogram::Histogram;
use crate::soak::kinds::KINDS;

/// Counts since they were cleared last.
pub(super) struct Tally {
    /// Requests through healthy plugins that have ended, in whatever way.
    pub(super) requests: u64,
    pub(super) lost: u64,
    pub(super) altered: u64,
    /// From the request to the end of the response, by the clock.
    pub(super) latency: Histogram,
    /// How much CPU time slices took.
    pub(super) time: Duration,
    /// Faults of plugins that are to have none.
    pub(super) healthy_faults: u64,
    /// By [`KINDS`].
    pub(super) kinds: Vec<KindTally>,
    /// CPU time of calls that were stopped.
    pub(super) hung: Histogram,
    pub(super) hung_time: Duration,
}

/// What was counted of a way to misbehave.
#[derive(Clone, Copy, Default)]
pub(super) struct KindTally {
    pub(super) requests: u64,
    pub(super) faults: u64,
    pub(super) reloads: u64,
    /// CPU time of its requests, without its starts and ticks.
    pub(super) time: Duration,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            requests: 0,
            lost: 0,
            altered: 0,
            latency: Histogram::default(),
            time: Duration::ZERO,
            healthy_faults: 0,
            kinds: vec![KindTally::default(); KINDS.len()],
            hung: Histogram::default(),
            hung_time: Duration::ZERO,
        }
    }
}

impl Tally {
    pub(super) fn faults(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.faults).sum()
    }

    pub(super) fn reloads(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.reloads).sum()
    }
}
