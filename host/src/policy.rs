//! What a proxy does about a plugin that has faulted. Plain numbers; knows nothing of wasmtime and of streams.

use std::time::Duration;

use crate::PluginId;

/// What becomes of streams without their plugin, and whether the plugin comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailurePolicy {
    /// Streams go on without the plugin, as if it were not in their chain; else they fail: HTTP is answered 503, or cut
    /// off if part of a response is out, and TCP is cut off.
    pub open: bool,
    /// The plugin is started again, in a VM of its own; none leaves it away for good.
    pub reload: Option<Reload>,
}

/// How a plugin is tried on a share of another's streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Canary {
    /// Of how many streams in a hundred; which ones hangs on the proxy's seed and on how many there were before.
    pub share: u8,
    /// In how many of its streams in a hundred it may fault before it is rolled back.
    pub faults: u8,
}

/// A canary at work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rollout {
    pub(crate) to: PluginId,
    pub(crate) canary: Canary,
    streams: u64,
    faults: u64,
}

impl Rollout {
    pub(crate) fn new(to: PluginId, canary: Canary) -> Rollout {
        Rollout { to, canary, streams: 0, faults: 0 }
    }

    /// Whether a stream is the canary's.
    pub(crate) fn takes(&mut self, seed: u64, stream: u64) -> bool {
        let mut random = fastrand::Rng::with_seed(seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let takes = random.u8(0..100) < self.canary.share;
        self.streams += u64::from(takes);
        takes
    }

    /// The canary has faulted; whether that was once too often.
    pub(crate) fn faulted(&mut self) -> bool {
        self.faults += 1;
        self.faults * 100 > u64::from(self.canary.faults) * self.streams.max(1)
    }
}

/// When a plugin is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// How long to wait after the first fault. Each further one doubles that.
    pub base: Duration,
    /// How long to wait at most; a plugin that has lived for so long begins anew with the first.
    pub max: Duration,
    /// How often in a row the plugin is started again; when it faults once more it stays away.
    pub limit: u32,
}

impl Default for Reload {
    /// One second at first, as Envoy has it; a minute at most, and ten times in a row.
    fn default() -> Reload {
        Reload { base: Duration::from_secs(1), max: Duration::from_secs(60), limit: 10 }
    }
}

/// Where a plugin is between its faults.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Revival {
    /// Faults in a row.
    faults: u32,
    /// When it was started last; nanoseconds since the start.
    started: u64,
    /// When it is to be started again; nanoseconds since the start.
    pub(crate) due: Option<u64>,
}

impl Revival {
    pub(crate) fn started(&mut self, now: u64) {
        self.started = now;
        self.due = None;
    }

    /// The plugin has faulted, or did not start. Half of the wait hangs on `draw`, from 0 to 1, so that plugins that fall together do not
    /// rise together, unless they share a VM.
    ///
    /// Only a plugin that ran has lived: one that did not start is counted whatever it lived before, and is not tried again
    /// at once.
    pub(crate) fn faulted(&mut self, reload: Reload, now: u64, draw: f64, ran: bool) {
        /// After a start that failed there is at least this wait, in nanoseconds.
        const PAUSE: u64 = 1_000_000;
        let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let max = nanoseconds(reload.max);
        let lived = now.saturating_sub(self.started);
        if ran && lived >= max.max(PAUSE) {
            self.faults = 0;
        }
        self.due = None;
        if self.faults < reload.limit {
            let doubled = nanoseconds(reload.base).saturating_mul(1_u64.checked_shl(self.faults).unwrap_or(u64::MAX));
            let wait = doubled.min(max);
            let drawn = ((wait - wait / 2) as f64 * draw) as u64;
            let least = if ran { 0 } else { PAUSE };
            self.due = now.checked_add((wait / 2 + drawn).max(least));
        }
        self.faults = self.faults.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_end() {
        let second = 1_000_000_000;
        let reload = Reload { base: Duration::from_secs(1), max: Duration::from_secs(5), limit: 4 };
        let mut revival = Revival::default();
        for (most, draw) in [(1, 0.0), (2, 0.5), (4, 1.0), (5, 0.0)] {
            revival.started(0);
            revival.faulted(reload, 0, draw, true);
            let expected = (most as f64 * (0.5 + draw / 2.0) * second as f64) as u64;
            assert_eq!(revival.due, Some(expected), "of at most {most} s");
        }
        revival.started(0);
        revival.faulted(reload, 0, 0.5, true);
        assert_eq!(revival.due, None);
        revival.faulted(reload, 5 * second, 1.0, true);
        assert_eq!(revival.due, Some(6 * second), "it lived for long, so it starts from the first wait");
    }

    #[test]
    fn a_plugin_that_does_not_start_is_given_up() {
        for (base, max) in [(0, 0), (0, 60), (1, 0), (1, 60)] {
            let reload = Reload { base: Duration::from_secs(base), max: Duration::from_secs(max), limit: 3 };
            let mut revival = Revival::default();
            revival.started(0);
            let (mut now, mut starts) = (3_600_000_000_000, 0);
            revival.faulted(reload, now, 1.0, true);
            while let Some(due) = revival.due {
                assert!(due > now || starts == 0, "{base} {max}: it is not tried twice at once");
                (now, starts) = (due, starts + 1);
                revival.faulted(reload, now, 1.0, false);
            }
            assert_eq!(starts, 3, "{base} {max}");
        }
    }
}
