//! What came of a soak: figures, and whether the promises hold. Pure.

use std::time::Duration;

use pw_host::Usage;
use serde::Serialize;

use crate::cli::SoakArgs;
use crate::soak::kinds::KINDS;
use crate::soak::promises::Promise;
use crate::soak::tally::Tally;

/// What is held at a moment.
pub(super) struct Held {
    /// Bytes of this process in RAM.
    pub(super) resident: Option<u64>,
    /// What the proxy with the bad plugins holds.
    pub(super) usage: Usage,
}

/// All that is told.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) plugins: u16,
    pub(super) bad: u16,
    pub(super) seconds: f64,
    pub(super) seed: u64,
    pub(super) without: Side,
    pub(super) with: Side,
    /// Throughput with to throughput without, the time of hung calls set aside.
    pub(super) ratio: f64,
    /// The same with that time.
    pub(super) ratio_with_hung_calls: f64,
    pub(super) hung: Hung,
    pub(super) faults: u64,
    pub(super) reloads: u64,
    pub(super) kinds: Vec<Kind>,
    pub(super) memory: [Memory; 2],
    pub(super) promises: Vec<Promise>,
}

/// The healthy plugins on one side.
#[derive(Serialize)]
pub(super) struct Side {
    pub(super) requests: u64,
    pub(super) lost: u64,
    pub(super) altered: u64,
    pub(super) cpu_seconds: f64,
    pub(super) requests_per_cpu_second: f64,
    pub(super) p50_microseconds: f64,
    pub(super) p99_microseconds: f64,
    pub(super) longest_microseconds: f64,
}

/// Calls that were stopped because they took too long.
#[derive(Serialize)]
pub(super) struct Hung {
    pub(super) calls: u64,
    pub(super) cpu_seconds: f64,
    pub(super) longest_microseconds: f64,
}

#[derive(Serialize)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) requests: u64,
    pub(super) faults: u64,
    pub(super) reloads: u64,
    /// What its requests took, without its starts and ticks.
    pub(super) cpu_seconds: f64,
}

#[derive(Serialize)]
pub(super) struct Memory {
    /// After the warm-up, and at the end.
    pub(super) at: &'static str,
    pub(super) resident_bytes: Option<u64>,
    pub(super) vms: usize,
    pub(super) contexts: usize,
    pub(super) streams: usize,
    pub(super) calls: usize,
    pub(super) shared_data_bytes: usize,
    pub(super) queues: usize,
    pub(super) queued_bytes: usize,
    pub(super) metrics: usize,
    pub(super) effects: usize,
}

impl Report {
    /// Of what was held before and after, what was counted without bad plugins and with them, and plugins that count
    /// otherwise.
    pub(super) fn new(args: &SoakArgs, held: [Held; 2], [calm, rough]: [&Tally; 2], miscounts: u64) -> Report {
        let kinds = KINDS.iter().zip(&rough.kinds).filter(|(_, tally)| tally.requests + tally.faults > 0);
        let mut report = Report {
            plugins: args.plugins,
            bad: args.bad,
            seconds: args.time.as_secs_f64(),
            seed: args.seed,
            without: Side::of(calm),
            with: Side::of(rough),
            ratio: ratio(calm, rough, rough.hung_time),
            ratio_with_hung_calls: ratio(calm, rough, Duration::ZERO),
            hung: Hung {
                calls: rough.hung.count(),
                cpu_seconds: rough.hung_time.as_secs_f64(),
                longest_microseconds: microseconds(rough.hung.longest()),
            },
            faults: rough.faults(),
            reloads: rough.reloads(),
            kinds: kinds
                .map(|(kind, tally)| Kind {
                    name: kind.name,
                    requests: tally.requests,
                    faults: tally.faults,
                    reloads: tally.reloads,
                    cpu_seconds: tally.time.as_secs_f64(),
                })
                .collect(),
            memory: [Memory::of("after the warm-up", &held[0]), Memory::of("at the end", &held[1])],
            promises: Vec::new(),
        };
        report.promises = report.promises(miscounts, calm.healthy_faults + rough.healthy_faults);
        report
    }
}

impl Side {
    fn of(tally: &Tally) -> Side {
        Side {
            requests: tally.requests,
            lost: tally.lost,
            altered: tally.altered,
            cpu_seconds: tally.time.as_secs_f64(),
            requests_per_cpu_second: tally.requests as f64 / tally.time.as_secs_f64().max(f64::EPSILON),
            p50_microseconds: microseconds(tally.latency.percentile(50)),
            p99_microseconds: microseconds(tally.latency.percentile(99)),
            longest_microseconds: microseconds(tally.latency.longest()),
        }
    }
}

impl Memory {
    fn of(at: &'static str, held: &Held) -> Memory {
        let usage = held.usage;
        Memory {
            at,
            resident_bytes: held.resident,
            vms: usage.vms,
            contexts: usage.contexts,
            streams: usage.streams,
            calls: usage.calls,
            shared_data_bytes: usage.shared_data,
            queues: usage.queues,
            queued_bytes: usage.queued,
            metrics: usage.metrics,
            effects: usage.effects,
        }
    }
}

fn microseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// Requests per second with to those without, as many on both sides.
fn ratio(calm: &Tally, rough: &Tally, aside: Duration) -> f64 {
    let per_request = |tally: &Tally, time: Duration| time.as_secs_f64() / tally.requests.max(1) as f64;
    per_request(calm, calm.time) / per_request(rough, rough.time.saturating_sub(aside)).max(f64::EPSILON)
}
