//! What a proxy does about a plugin that has faulted. Plain numbers; knows nothing of wasmtime and of streams.

use std::time::Duration;

/// What becomes of streams without their plugin, and whether the plugin comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailurePolicy {
    /// Streams go on without the plugin, as if it were not in their chain; else they fail: HTTP is answered 503, or cut
    /// off if part of a response is out, and TCP is cut off.
    pub open: bool,
    /// The plugin is started again, in a VM of its own; none leaves it away for good.
    pub reload: Option<Reload>,
}

/// When a plugin is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// How long to wait after the first fault. Each further one doubles that.
    pub base: Duration,
    /// How long to wait at most; a plugin that has lived for so long begins anew with the first.
    pub max: Duration,
    /// After so many faults in a row the plugin stays away.
    pub limit: u32,
}

impl Default for Reload {
    /// One second at first, as Envoy has it; a minute at most, and away after ten.
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

    /// The plugin has faulted. Half of the wait is drawn, so that plugins that fall together do not rise together.
    pub(crate) fn faulted(&mut self, reload: Reload, now: u64, random: &mut fastrand::Rng) {
        let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let max = nanoseconds(reload.max);
        if now.saturating_sub(self.started) >= max {
            self.faults = 0;
        }
        if self.faults < reload.limit {
            let doubled = nanoseconds(reload.base).saturating_mul(1_u64.checked_shl(self.faults).unwrap_or(u64::MAX));
            let wait = doubled.min(max);
            self.due = Some(now.saturating_add(wait / 2 + random.u64(0..=wait - wait / 2)));
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
        let mut random = fastrand::Rng::with_seed(7);
        let mut revival = Revival::default();
        for most in [1, 2, 4, 5] {
            revival.started(0);
            revival.faulted(reload, 0, &mut random);
            let due = revival.due.unwrap_or(0);
            assert!((most * second / 2..=most * second).contains(&due), "{due} of {most} s");
        }
        revival.started(0);
        revival.faulted(reload, 0, &mut random);
        assert_eq!(revival.due, None);
        revival.faulted(reload, 5 * second, &mut random);
        assert!(revival.due.is_some_and(|due| due <= 6 * second), "it lived for long, so it begins anew");
    }
}
