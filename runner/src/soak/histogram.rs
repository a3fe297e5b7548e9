//! Spans of time in a fixed room, so that counting them takes no memory that would be taken for a leak.

use std::time::Duration;

/// Buckets per doubling: a span is told to about 3 %.
const FINE: u32 = 5;

/// How many spans of each length there were.
pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    longest: Duration,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: vec![0; (u64::BITS << FINE) as usize], count: 0, longest: Duration::ZERO }
    }
}

impl Histogram {
    pub(super) fn add(&mut self, span: Duration) {
        self.buckets[bucket(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))] += 1;
        self.count += 1;
        self.longest = self.longest.max(span);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// The span than which so many percent are not longer; none is no time.
    pub(super) fn percentile(&self, percent: u64) -> Duration {
        let wanted = (self.count * percent).div_ceil(100);
        let mut seen = 0;
        let found = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted && seen > 0
        });
        found.map_or(Duration::ZERO, |index| Duration::from_nanos(most(index)).min(self.longest))
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let magnitude = nanoseconds.max(1).ilog2();
    if magnitude <= FINE {
        return nanoseconds as usize;
    }
    let shift = magnitude - FINE;
    ((u64::from(shift + 1) << FINE) + ((nanoseconds >> shift) - (1 << FINE))) as usize
}

/// The longest span of a bucket.
fn most(bucket: usize) -> u64 {
    let (row, column) = ((bucket >> FINE) as u32, (bucket & ((1 << FINE) - 1)) as u64);
    match row.checked_sub(1) {
        None => column,
        Some(shift) => (((1 << FINE) + column + 1) << shift) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_in_the_bucket_that_ends_behind_it() {
        for nanoseconds in [0, 1, 31, 32, 33, 63, 64, 65, 100, 1000, 123_456, 10_000_000_000, 1 << 40] {
            let end = most(bucket(nanoseconds));
            assert!((nanoseconds..=nanoseconds + nanoseconds / 32).contains(&end), "{nanoseconds} in {end}");
        }
        assert!((0..100_000).all(|n| bucket(n) <= bucket(n + 1)));
        assert!(bucket(u64::MAX) < Histogram::default().buckets.len());
    }

    #[test]
    fn percentiles_are_of_what_was_added() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(50), Duration::ZERO);
        (1..=100).for_each(|n| histogram.add(Duration::from_nanos(n)));
        assert_eq!(histogram.percentile(50), Duration::from_nanos(50));
        assert_eq!(histogram.percentile(100), Duration::from_nanos(100));
    }
}
