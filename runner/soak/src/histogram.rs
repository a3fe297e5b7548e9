//! Numbers, spans of time among them, in a fixed room, so that counting them takes no memory that would be taken for a leak.

use std::time::Duration;

/// Buckets per doubling: a number is reported to about 3 %.
const FINE: u32 = 5;

/// How many numbers of each size there were. Spans of time are numbers of nanoseconds.
pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    largest: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: vec![0; (u64::BITS << FINE) as usize], count: 0, largest: 0 }
    }
}

impl Histogram {
    pub(super) fn add_span(&mut self, span: Duration) {
        self.add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn add(&mut self, number: u64) {
        self.buckets[bucket(number)] += 1;
        self.count += 1;
        self.largest = self.largest.max(number);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn largest(&self) -> u64 {
        self.largest
    }

    pub(super) fn longest(&self) -> Duration {
        Duration::from_nanos(self.largest)
    }

    pub(super) fn percentile_span(&self, percent: u64) -> Duration {
        Duration::from_nanos(self.percentile(percent))
    }

    /// The percentile: `percent` of all values are at most this large. 0 if there are no values.
    pub(super) fn percentile(&self, percent: u64) -> u64 {
        let wanted = (self.count * percent).div_ceil(100);
        let mut seen = 0;
        let found = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted && seen > 0
        });
        found.map_or(0, |index| most(index).min(self.largest))
    }
}

fn bucket(number: u64) -> usize {
    let magnitude = number.max(1).ilog2();
    if magnitude <= FINE {
        return number as usize;
    }
    let shift = magnitude - FINE;
    ((u64::from(shift + 1) << FINE) + ((number >> shift) - (1 << FINE))) as usize
}

/// The largest number of a bucket.
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
    fn a_number_is_in_the_bucket_that_ends_after_it() {
        for number in [0, 1, 31, 32, 33, 63, 64, 65, 100, 1000, 123_456, 10_000_000_000, 1 << 40] {
            let end = most(bucket(number));
            assert!((number..=number + number / 32).contains(&end), "{number} in {end}");
        }
        assert!((0..100_000).all(|n| bucket(n) <= bucket(n + 1)));
        assert!(bucket(u64::MAX) < Histogram::default().buckets.len());
    }

    #[test]
    fn percentiles_are_of_what_was_added() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(50), 0);
        (1..=100).for_each(|n| histogram.add(n));
        assert_eq!(histogram.percentile(50), 50);
        assert_eq!((histogram.percentile(100), histogram.largest()), (100, 100));
    }
}
