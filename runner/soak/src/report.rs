//! The result of a soak: figures, and whether the promises hold. Pure.

use std::time::Duration;

use pw_host::Usage;
use serde::Serialize;

use crate::clients::CLIENTS;
use crate::fleet::{BAD_CALLBACKS, BAD_HOST_MEMORY};
use crate::histogram::Histogram;
use crate::kinds::KINDS;
use crate::operator::ACTIONS;
use crate::options::Options;
use crate::servers::SERVERS;
use crate::tally::{KindTally, Steps, Tally};

/// What is held at a moment.
pub(super) struct Held {
    /// Bytes of this process in RAM.
    pub(super) resident: Option<u64>,
    /// What the proxy with the bad plugins holds.
    pub(super) usage: Usage,
    /// Bytes of this process in RAM a while after the bad plugins were ended.
    pub(super) settled: Option<u64>,
    /// What that proxy holds then; charged to others than healthy plugins.
    pub(super) left: Usage,
}

/// The whole report.
#[derive(Serialize)]
pub struct Report {
    pub(super) plugins: u16,
    pub(super) bad: u16,
    pub(super) seconds: f64,
    pub(super) seed: u64,
    pub(super) without: Side,
    pub(super) with: Side,
    /// CPU time of a healthy request without bad plugins to that with them, what the bad ones, clients, servers and the
    /// operator take themselves set aside, and what passing time leads to.
    pub(super) ratio: f64,
    /// The same with all that: throughput with to throughput without.
    pub(super) ratio_of_all: f64,
    /// CPU time that was set aside.
    pub(super) aside_cpu_seconds: f64,
    pub(super) burnt: Burnt,
    pub(super) faults: u64,
    pub(super) reloads: u64,
    pub(super) kinds: Vec<Kind>,
    pub(super) clients: Vec<Count>,
    pub(super) servers: Vec<Count>,
    pub(super) operator: Vec<Count>,
    pub(super) memory: [Memory; 2],
    pub(super) memory_per_plugin: PerPlugin,
    pub(super) work_per_event: PerEvent,
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

/// Requests to bad plugins that use up the time that they may take.
#[derive(Serialize)]
pub(super) struct Burnt {
    pub(super) requests: u64,
    pub(super) cpu_seconds: f64,
    pub(super) longest_microseconds: f64,
}

/// How often something was done.
#[derive(Serialize)]
pub(super) struct Count {
    pub(super) name: &'static str,
    pub(super) times: u64,
}

/// Bytes of the host's memory, for each plugin.
#[derive(Serialize)]
pub(super) struct PerPlugin {
    pub(super) healthy: Charged,
    pub(super) bad: Charged,
    /// How often a plugin was charged with more than its limit.
    pub(super) over_the_limit: u64,
    /// By how much the process has grown since no plugin was started, and since the warm-up, for each plugin of both sides.
    pub(super) resident_bytes: Option<i64>,
    pub(super) resident_growth_bytes: Option<i64>,
}

/// What plugins are charged with, see `Limits::host_memory`.
#[derive(Serialize)]
pub(super) struct Charged {
    pub(super) p50_bytes: u64,
    pub(super) max_bytes: u64,
    pub(super) limit_bytes: usize,
}

/// What one event, a call of a method of the proxy, leads to.
#[derive(Serialize)]
pub(super) struct PerEvent {
    pub(super) events: u64,
    pub(super) p50_callbacks: u64,
    pub(super) p99_callbacks: u64,
    pub(super) max_callbacks: u64,
    /// The same of one plugin, and what an event may run of a bad one.
    pub(super) max_callbacks_of_a_plugin: u64,
    pub(super) callbacks_limit: usize,
    /// How often a bad plugin ran all the callbacks that it may, and how often more.
    pub(super) limit_reached: u64,
    pub(super) over_the_limit: u64,
    /// How often work was left after an event.
    pub(super) work_left: u64,
    /// Rounds of `advance` until nothing was due, each time that time passed; a few rounds are the maximum.
    pub(super) p50_rounds: u64,
    pub(super) p99_rounds: u64,
    pub(super) max_rounds: u64,
    pub(super) longest_microseconds: f64,
}

#[derive(Serialize)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) requests: u64,
    pub(super) callbacks: u64,
    pub(super) calls: u64,
    pub(super) faults: u64,
    pub(super) reloads: u64,
    /// How often it did not start when the operator wanted that.
    pub(super) refused: u64,
    /// Bytes of the host's memory that such a plugin had at most.
    pub(super) max_charged_bytes: usize,
    /// What its requests took, without its starts and ticks.
    pub(super) cpu_seconds: f64,
}

#[derive(Serialize)]
pub(super) struct Memory {
    /// After the warm-up, and at the end.
    pub(super) at: &'static str,
    pub(super) resident_bytes: Option<u64>,
    /// The same when the bad plugins are gone, and how many streams and bytes the proxy holds for them then.
    pub(super) settled_bytes: Option<u64>,
    pub(super) streams_left: usize,
    pub(super) charged_left_bytes: usize,
    pub(super) vms: usize,
    pub(super) contexts: usize,
    pub(super) streams: usize,
    pub(super) calls: usize,
    pub(super) shared_data_bytes: usize,
    pub(super) queues: usize,
    pub(super) queued_bytes: usize,
    pub(super) metrics: usize,
    pub(super) effects: usize,
    /// Bytes of the host's memory that plugins and VM ids are charged with.
    pub(super) charged_bytes: usize,
}

/// Something that has to hold, and what was seen of it.
#[derive(Serialize)]
pub(super) struct Promise {
    pub(super) promise: &'static str,
    /// None if it is not known on this system.
    pub(super) holds: Option<bool>,
    pub(super) says: String,
    /// It depends on what else the machine does.
    pub(super) timed: bool,
}

impl Report {
    /// The figures, without promises: `held` is what was held before and after, the tallies are without bad plugins and with
    /// them. `empty` is what this process took without plugins.
    pub(super) fn new(args: Options, empty: Option<u64>, held: [Held; 2], [calm, rough]: [&Tally; 2]) -> Report {
        let is_seen = |tally: &KindTally| tally.requests + tally.faults + tally.callbacks + tally.refused > 0;
        let kinds = KINDS.iter().zip(&rough.kinds).filter(|(_, tally)| is_seen(tally));
        Report {
            plugins: args.plugins,
            bad: args.bad,
            seconds: args.time.as_secs_f64(),
            seed: args.seed,
            without: Side::of(calm),
            with: Side::of(rough),
            ratio: ratio(calm, rough, |tally| tally.time.saturating_sub(tally.aside_time)),
            ratio_of_all: ratio(calm, rough, |tally| tally.time),
            aside_cpu_seconds: rough.aside_time.as_secs_f64(),
            burnt: Burnt {
                requests: rough.burnt.count(),
                cpu_seconds: rough.burnt_time.as_secs_f64(),
                longest_microseconds: microseconds(rough.burnt.longest()),
            },
            faults: rough.faults(),
            reloads: rough.reloads(),
            kinds: kinds
                .map(|(kind, tally)| Kind {
                    name: kind.name,
                    requests: tally.requests,
                    callbacks: tally.callbacks,
                    calls: tally.calls,
                    faults: tally.faults,
                    reloads: tally.reloads,
                    refused: tally.refused,
                    max_charged_bytes: tally.charged,
                    cpu_seconds: tally.time.as_secs_f64(),
                })
                .collect(),
            clients: counts(CLIENTS.iter().map(|client| client.name), &rough.clients),
            servers: counts(SERVERS.iter().map(|server| server.name), &rough.servers),
            operator: counts(ACTIONS.iter().map(|action| action.name), &rough.actions),
            memory_per_plugin: PerPlugin::of(args, empty, &held, rough),
            work_per_event: PerEvent::of(rough),
            memory: [Memory::of("after the warm-up", &held[0]), Memory::of("at the end", &held[1])],
            promises: Vec::new(),
        }
    }

    /// Whether a promise does not hold that has to.
    pub fn is_bad(&self, timed_too: bool) -> bool {
        self.promises.iter().any(|promise| promise.holds == Some(false) && (timed_too || !promise.timed))
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
            p50_microseconds: microseconds(tally.latency.percentile_span(50)),
            p99_microseconds: microseconds(tally.latency.percentile_span(99)),
            longest_microseconds: microseconds(tally.latency.longest()),
        }
    }
}

impl PerPlugin {
    fn of(args: Options, empty: Option<u64>, held: &[Held; 2], rough: &Tally) -> PerPlugin {
        let [healthy, bad] = &rough.charged;
        // The healthy ones are there twice.
        let plugins = i64::from(args.plugins) * 2 - i64::from(args.bad);
        let grown = |from: Option<u64>, to: Option<u64>| Some((to? as i64 - from? as i64) / plugins.max(1));
        PerPlugin {
            healthy: Charged::of(healthy, pw_host::Limits::default().host_memory),
            bad: Charged::of(bad, BAD_HOST_MEMORY),
            over_the_limit: rough.overdrawn,
            resident_bytes: grown(empty, held[1].resident),
            resident_growth_bytes: grown(held[0].resident, held[1].resident),
        }
    }
}

impl Charged {
    fn of(charged: &Histogram, limit: usize) -> Charged {
        Charged { p50_bytes: charged.percentile(50), max_bytes: charged.largest(), limit_bytes: limit }
    }
}

impl PerEvent {
    fn of(rough: &Tally) -> PerEvent {
        let events = &rough.events;
        PerEvent {
            events: events.callbacks.count(),
            p50_callbacks: events.callbacks.percentile(50),
            p99_callbacks: events.callbacks.percentile(99),
            max_callbacks: events.callbacks.largest(),
            max_callbacks_of_a_plugin: events.by_one.largest(),
            callbacks_limit: BAD_CALLBACKS,
            limit_reached: events.used_up,
            over_the_limit: events.excesses,
            work_left: events.parked,
            p50_rounds: events.rounds.percentile(50),
            p99_rounds: events.rounds.percentile(99),
            max_rounds: events.rounds.largest(),
            longest_microseconds: microseconds(events.longest),
        }
    }
}

fn counts(names: impl Iterator<Item = &'static str>, steps: &Steps) -> Vec<Count> {
    names.map(|name| Count { name, times: steps.of(name) }).collect()
}

impl Memory {
    fn of(at: &'static str, held: &Held) -> Memory {
        let usage = held.usage;
        Memory {
            at,
            resident_bytes: held.resident,
            settled_bytes: held.settled,
            streams_left: held.left.streams,
            charged_left_bytes: held.left.charged,
            vms: usage.vms,
            contexts: usage.contexts,
            streams: usage.streams,
            calls: usage.calls,
            shared_data_bytes: usage.shared_data,
            queues: usage.queues,
            queued_bytes: usage.queued,
            metrics: usage.metrics,
            effects: usage.effects,
            charged_bytes: usage.charged,
        }
    }
}

fn microseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// CPU time of a request without bad plugins to that with them, of what is counted as such.
fn ratio(calm: &Tally, rough: &Tally, time: fn(&Tally) -> Duration) -> f64 {
    let per_request = |tally: &Tally| time(tally).as_secs_f64() / tally.requests.max(1) as f64;
    per_request(calm) / per_request(rough).max(f64::EPSILON)
}
