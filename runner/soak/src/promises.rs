//! The promises of a soak, and whether they hold. Pure.

use crate::hostile::missing;
use crate::options::Options;
use crate::report::{Held, Promise, Report};
use crate::tally::Tally;

/// The minimum of the CPU time of a healthy request without bad plugins divided by that with them.
const RATIO: f64 = 0.8;
/// The maximum growth of memory during the soak, in percent.
const GROWTH: f64 = 5.0;
/// The minimum of faults in a minute with twenty bad plugins or more: more plugins do not get more of the thread.
const FAULTS: f64 = 10_000.0;

/// A report with its promises, as [`Report::new`] makes it. `miscounts` is the number of healthy plugins that count otherwise.
pub(super) fn judged(
    args: Options,
    empty: Option<u64>,
    held: [Held; 2],
    tallies: [&Tally; 2],
    miscounts: u64,
) -> Report {
    let mut report = Report::new(args, empty, held, tallies);
    let [calm, rough] = tallies;
    report.promises = report.promises(miscounts, calm.healthy_faults + rough.healthy_faults, rough);
    report
}

impl Report {
    fn promises(&self, miscounts: u64, faults: u64, rough: &Tally) -> Vec<Promise> {
        let (lost, altered) = (self.without.lost + self.with.lost, self.without.altered + self.with.altered);
        let requests = self.without.requests + self.with.requests;
        let wanted = FAULTS * self.seconds / 60.0 * f64::from(self.bad.min(20)) / 20.0;
        let [before, after] = &self.memory;
        let growth = match (before.settled_bytes, after.settled_bytes) {
            (Some(before), Some(after)) if before > 0 => Some((after as f64 - before as f64) * 100.0 / before as f64),
            _ => None,
        };
        let left = (before.streams_left + after.streams_left, before.charged_left_bytes + after.charged_left_bytes);
        let missing: Vec<&str> = if self.bad > 0 { missing(rough) } else { Vec::new() };
        let promise = |promise, holds, says, timed| Promise { promise, holds, says, timed };
        vec![
            promise(
                "no request through healthy plugins is lost or altered",
                Some(lost + altered == 0),
                format!("{lost} lost and {altered} altered of {requests}"),
                false,
            ),
            promise(
                "healthy plugins count each of their requests, and have no fault",
                Some(miscounts + faults == 0),
                format!("{miscounts} count otherwise, {faults} faults"),
                false,
            ),
            promise(
                "no plugin holds more of the host's memory than its limit",
                Some(self.memory_per_plugin.over_the_limit == 0),
                format!(
                    "at most {} of {} bytes; {} times more",
                    self.memory_per_plugin.bad.max_bytes,
                    self.memory_per_plugin.bad.limit_bytes,
                    self.memory_per_plugin.over_the_limit
                ),
                false,
            ),
            promise(
                "no event runs more callbacks of a plugin than its limit, and those of the entry of work that reaches it",
                Some(self.work_per_event.over_the_limit == 0),
                format!(
                    "at most {} of {}; {} times more",
                    self.work_per_event.max_callbacks_of_a_plugin,
                    self.work_per_event.callbacks_limit,
                    self.work_per_event.over_the_limit
                ),
                false,
            ),
            promise(
                "what leaves the host is HTTP",
                Some(rough.smuggled == 0),
                format!("{} maps of fields are not", rough.smuggled),
                false,
            ),
            promise(
                "no module is loaded that is invalid or too large",
                Some(rough.loaded.is_empty()),
                match rough.loaded.len() {
                    0 => "none is".to_owned(),
                    _ => rough.loaded.iter().copied().collect::<Vec<_>>().join(", "),
                },
                false,
            ),
            promise(
                "each way to misbehave, client and action had its turn",
                Some(missing.is_empty()),
                if missing.is_empty() { "none is left out".to_owned() } else { missing.join(", ") },
                true,
            ),
            promise(
                "bad plugins that are gone leave nothing in the proxy",
                Some(left == (0, 0)),
                format!("{} streams, {} bytes", left.0, left.1),
                false,
            ),
            promise(
                "the throughput of healthy plugins is at least 0.8 of that without bad ones, whose own time is set aside",
                Some(self.ratio >= RATIO),
                format!("{:.3}", self.ratio),
                true,
            ),
            promise(
                "memory at the end is within 5 % of that after the warm-up, each time when bad plugins are gone",
                growth.map(|growth| growth <= GROWTH),
                growth.map_or("not known here".to_owned(), |growth| format!("{growth:+.1} %")),
                true,
            ),
            promise(
                "10,000 faults a minute are contained, with 20 bad plugins or more",
                Some(self.faults as f64 >= wanted),
                format!("{} of {wanted:.0}", self.faults),
                true,
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pw_host::Usage;

    use super::*;
    use crate::clients::CLIENTS;
    use crate::operator::ACTIONS;
    use crate::tally::Steps;

    /// A minute in which everything is as promised, just so: a third of the time is that of bad plugins.
    fn good() -> [Tally; 2] {
        let calm = Tally { requests: 1000, time: Duration::from_secs(8), ..Tally::default() };
        let (time, aside_time) = (Duration::from_secs(15), Duration::from_secs(5));
        let mut rough = Tally { requests: 1000, time, aside_time, ..Tally::default() };
        rough.kinds.iter_mut().for_each(|kind| (kind.requests, kind.callbacks) = (8, 8));
        CLIENTS.iter().for_each(|client| rough.clients.add(client.name));
        ACTIONS.iter().for_each(|action| rough.actions.add(action.name));
        rough.kinds[0].faults = 10_000;
        [calm, rough]
    }

    /// The places of the promises that do not hold, and whether they make the soak fail without `--check`.
    fn broken([calm, rough]: &[Tally; 2], after: u64, miscounts: u64) -> (Vec<usize>, bool) {
        let left = Usage { charged: usize::from(after == 0), ..Usage::default() };
        let settled = [1 << 30, after].map(Some);
        let held = settled.map(|settled| Held { resident: None, usage: Usage::default(), settled, left });
        let report = judged(Options::default(), None, held, [calm, rough], miscounts);
        let places = report.promises.iter().enumerate().filter(|(_, promise)| promise.holds != Some(true));
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        assert_eq!(report.is_bad(true), !places.is_empty());
        (places, report.is_bad(false))
    }

    #[test]
    fn each_promise_can_be_broken() {
        assert_eq!(broken(&good(), (1 << 30) / 100 * 105, 0), (vec![], false));
        assert_eq!(broken(&good(), (1 << 30) / 100 * 106, 0), (vec![9], false));
        assert_eq!(broken(&good(), 0, 0), (vec![7], true));
        assert_eq!(broken(&good(), 1 << 30, 1), (vec![1], true));
        type Change = fn(&mut [Tally; 2]);
        let breaks: [(Change, usize, bool); 13] = [
            (|[calm, _]| calm.lost = 1, 0, true),
            (|[_, rough]| rough.lost = 1, 0, true),
            (|[_, rough]| rough.altered = 1, 0, true),
            (|[_, rough]| rough.healthy_faults = 1, 1, true),
            (|[_, rough]| rough.weigh(Some(0), 11, 10), 2, true),
            (|[_, rough]| rough.weigh(None, 11, 10), 2, true),
            (|[_, rough]| rough.events.excesses = 1, 3, true),
            (|[_, rough]| rough.smuggled = 1, 4, true),
            (|[_, rough]| rough.loaded.extend(["a bomb"]), 5, true),
            (|[_, rough]| rough.kinds[1].callbacks = 7, 6, false),
            (|[_, rough]| rough.actions = Steps::default(), 6, false),
            (|[_, rough]| rough.time += Duration::from_millis(10), 8, false),
            (|[_, rough]| rough.kinds[0].faults = 9_999, 10, false),
        ];
        for (place, (change, promise, always)) in breaks.into_iter().enumerate() {
            let mut tallies = good();
            change(&mut tallies);
            assert_eq!(broken(&tallies, 1 << 30, 0), (vec![promise], always), "change {place}");
        }
    }
}
