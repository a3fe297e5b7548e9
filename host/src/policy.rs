//! What a proxy does about a plugin that has crashed. Plain numbers; knows nothing of wasmtime and of streams.

use std::time::Duration;

use crate::ids::PluginId;
use crate::planted::planted;

/// What happens to the streams of a plugin that has crashed, and whether the plugin is restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailurePolicy {
    /// If true, streams continue without the plugin, as if it were not in their chain. If false, they fail: HTTP is answered
    /// with status 503, or reset if part of a response was sent, and TCP is closed.
    pub open: bool,
    /// When the plugin is restarted, in a new VM; `None`: never.
    pub reload: Option<Reload>,
}

/// How a plugin is tested on a share of another's streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Canary {
    /// The percentage of streams. They are chosen pseudo-randomly from the proxy's seed and the stream's serial number.
    pub share: u8,
    /// The maximum number of crashes, in percent of its streams; after one more it is rolled back.
    pub faults: u8,
}

/// A running canary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rollout {
    pub(crate) to: PluginId,
    pub(crate) canary: Canary,
    streams: u64,
    crashes: u64,
}

impl Rollout {
    pub(crate) fn new(to: PluginId, canary: Canary) -> Rollout {
        Rollout { to, canary, streams: 0, crashes: 0 }
    }

    /// Whether the canary gets a stream.
    pub(crate) fn gets(&mut self, seed: u64, stream: u64) -> bool {
        let mut random = fastrand::Rng::with_seed(seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let gets = random.u8(0..100) < self.canary.share;
        self.streams += u64::from(gets);
        planted!(RateOfAllStreams => self.streams += u64::from(!gets));
        gets
    }

    /// The canary has crashed. True if it is to be rolled back.
    pub(crate) fn crashed(&mut self) -> bool {
        self.crashes += 1;
        self.crashes * 100 > u64::from(self.canary.faults) * self.streams.max(1)
    }
}

/// When a plugin is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// The delay after the first crash. Each further crash doubles it.
    pub base: Duration,
    /// The maximum delay. After a plugin has run for that long, the delay starts from `base` again.
    pub max: Duration,
    /// The maximum number of restarts in a row; after one more crash the plugin is not restarted.
    pub limit: u32,
}

impl Default for Reload {
    /// One second at first, as in Envoy; a minute at most; ten times in a row.
    fn default() -> Reload {
        Reload { base: Duration::from_secs(1), max: Duration::from_secs(60), limit: 10 }
    }
}

/// The crashes and restarts of a plugin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Revival {
    /// Crashes in a row.
    crashes: u32,
    /// When it was started last; nanoseconds since the start.
    started: u64,
    /// When it is to be started again; nanoseconds since the start.
    pub(crate) due: Option<u64>,
}

impl Revival {
    pub(crate) fn started(&mut self, now: u64) {
        self.started = now;
        self.due = None;
        planted!(BackoffForgotten => self.crashes = 0);
    }

    /// The plugin has crashed, or did not start. Half of the delay depends on `draw`, from 0 to 1, so that plugins that crash together are
    /// not restarted together, unless they share a VM.
    ///
    /// If the plugin did not start, `ran` is false: the crash counts however long it ran before, and it is not restarted at once.
    pub(crate) fn crashed(&mut self, reload: Reload, now: u64, draw: f64, ran: bool) {
        /// Minimum delay after a failed start, in nanoseconds.
        const MIN_DELAY: u64 = 1_000_000;
        let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let max = nanoseconds(reload.max);
        let uptime = now.saturating_sub(self.started);
        if ran && uptime >= max.max(MIN_DELAY) {
            self.crashes = 0;
        }
        self.due = None;
        if self.crashes < reload.limit {
            let doubled = nanoseconds(reload.base).saturating_mul(1_u64.checked_shl(self.crashes).unwrap_or(u64::MAX));
            let delay = doubled.min(max);
            let drawn = ((delay - delay / 2) as f64 * draw) as u64;
            let min = if ran { 0 } else { MIN_DELAY };
            self.due = now.checked_add((delay / 2 + drawn).max(min));
        }
        self.crashes = self.crashes.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_the_delay_up_to_the_maximum_and_gives_up() {
        let second = 1_000_000_000;
        let reload = Reload { base: Duration::from_secs(1), max: Duration::from_secs(5), limit: 4 };
        let mut revival = Revival::default();
        for (max, draw) in [(1, 0.0), (2, 0.5), (4, 1.0), (5, 0.0)] {
            revival.started(0);
            revival.crashed(reload, 0, draw, true);
            let expected = (max as f64 * (0.5 + draw / 2.0) * second as f64) as u64;
            assert_eq!(revival.due, Some(expected), "of at most {max} s");
        }
        revival.started(0);
        revival.crashed(reload, 0, 0.5, true);
        assert_eq!(revival.due, None);
        revival.crashed(reload, 5 * second, 1.0, true);
        assert_eq!(revival.due, Some(6 * second), "after it has run for long, the delay is the first again");
    }

    #[test]
    fn gives_up_on_a_plugin_that_does_not_start() {
        for (base, max) in [(0, 0), (0, 60), (1, 0), (1, 60)] {
            let reload = Reload { base: Duration::from_secs(base), max: Duration::from_secs(max), limit: 3 };
            let mut revival = Revival::default();
            revival.started(0);
            let (mut now, mut starts) = (3_600_000_000_000, 0);
            revival.crashed(reload, now, 1.0, true);
            while let Some(due) = revival.due {
                assert!(due > now || starts == 0, "{base} {max}: it is restarted twice at once");
                (now, starts) = (due, starts + 1);
                revival.crashed(reload, now, 1.0, false);
            }
            assert_eq!(starts, 3, "{base} {max}");
        }
    }
}
