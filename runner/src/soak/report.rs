//! What came of a soak: figures, and whether the promises hold. As text and as JSON; pure.

use std::fmt::Write;
use std::time::Duration;

use pw_host::Usage;
use serde::Serialize;

use crate::cli::SoakArgs;
use crate::soak::kinds::KINDS;
use crate::soak::tally::Tally;
use crate::soak::traffic::Traffic;

/// Throughput with the bad plugins to throughput without them, at the least.
const RATIO: f64 = 0.8;
/// By how many percent memory may be more at the end.
const GROWTH: f64 = 5.0;
/// Faults in a minute with twenty bad plugins, at the least.
const FAULTS: f64 = 10_000.0;

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
    plugins: u16,
    bad: u16,
    seconds: f64,
    seed: u64,
    without: Side,
    with: Side,
    /// Throughput with to throughput without, the time of hung calls set aside.
    ratio: f64,
    /// The same with that time.
    ratio_with_hung_calls: f64,
    hung: Hung,
    faults: u64,
    reloads: u64,
    kinds: Vec<Kind>,
    memory: [Memory; 2],
    promises: Vec<Promise>,
}

/// The healthy plugins on one side.
#[derive(Serialize)]
struct Side {
    requests: u64,
    lost: u64,
    altered: u64,
    cpu_seconds: f64,
    requests_per_cpu_second: f64,
    p50_microseconds: f64,
    p99_microseconds: f64,
    longest_microseconds: f64,
}

/// Calls that were stopped because they took too long.
#[derive(Serialize)]
struct Hung {
    calls: u64,
    cpu_seconds: f64,
    longest_microseconds: f64,
}

#[derive(Serialize)]
struct Kind {
    name: &'static str,
    requests: u64,
    faults: u64,
    reloads: u64,
    /// What its requests took, without its starts and ticks.
    cpu_seconds: f64,
}

#[derive(Serialize)]
struct Memory {
    /// After the warm-up, and at the end.
    at: &'static str,
    resident_bytes: Option<u64>,
    vms: usize,
    contexts: usize,
    streams: usize,
    calls: usize,
    shared_data_bytes: usize,
    queues: usize,
    queued_bytes: usize,
    metrics: usize,
    effects: usize,
}

#[derive(Serialize)]
struct Promise {
    promise: &'static str,
    /// None if it cannot be told here.
    holds: Option<bool>,
    says: String,
    /// It depends on what else the machine does.
    timed: bool,
}

impl Report {
    pub(super) fn new(args: &SoakArgs, held: [Held; 2], sides: [&Traffic; 2], miscounts: u64) -> Report {
        let [calm, rough] = sides.map(|traffic| &traffic.tally);
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

    fn promises(&self, miscounts: u64, faults: u64) -> Vec<Promise> {
        let (lost, altered) = (self.without.lost + self.with.lost, self.without.altered + self.with.altered);
        let requests = self.without.requests + self.with.requests;
        let wanted = FAULTS * self.seconds / 60.0 * f64::from(self.bad) / 20.0;
        let growth = match (self.memory[0].resident_bytes, self.memory[1].resident_bytes) {
            (Some(before), Some(after)) if before > 0 => Some((after as f64 / before as f64 - 1.0) * 100.0),
            _ => None,
        };
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
                "their throughput is at least 0.8 of that without bad ones, the time of hung calls set aside",
                Some(self.ratio >= RATIO),
                format!("{:.2}", self.ratio),
                true,
            ),
            promise(
                "memory at the end is within 5 % of that after the warm-up",
                growth.map(|growth| growth <= GROWTH),
                growth.map_or("not known here".to_owned(), |growth| format!("{growth:+.1} %")),
                true,
            ),
            promise(
                "10,000 faults a minute are contained, for 20 bad plugins",
                Some(self.faults as f64 >= wanted),
                format!("{} of {wanted:.0}", self.faults),
                true,
            ),
        ]
    }

    /// Whether a promise does not hold that has to.
    pub(super) fn is_bad(&self, timed_too: bool) -> bool {
        self.promises.iter().any(|promise| promise.holds == Some(false) && (timed_too || !promise.timed))
    }

    pub(super) fn json(&self) -> String {
        // Plain structs of numbers and strings can always be written.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    pub(super) fn text(&self) -> String {
        let Report { plugins, bad, seconds, seed, without, with, hung, .. } = self;
        let mut text = format!("{plugins} plugins of which {bad} misbehave, {seconds} s, seed {seed}\n\n");
        let mut row = |what: &str, of: &dyn Fn(&Side) -> String| {
            let _ = writeln!(text, "{what:24}{:>16}{:>16}", of(without), of(with));
        };
        row("healthy plugins", &|side| {
            if std::ptr::eq(side, without) { "without bad ones" } else { "with" }.to_owned()
        });
        row("requests", &|side| side.requests.to_string());
        row("CPU seconds", &|side| format!("{:.2}", side.cpu_seconds));
        row("requests per CPU second", &|side| format!("{:.0}", side.requests_per_cpu_second));
        row("half within, µs", &|side| format!("{:.0}", side.p50_microseconds));
        row("99 % within, µs", &|side| format!("{:.0}", side.p99_microseconds));
        row("all within, µs", &|side| format!("{:.0}", side.longest_microseconds));
        row("lost, altered", &|side| format!("{}, {}", side.lost, side.altered));
        let _ = writeln!(
            text,
            "\nthroughput {:.2} of that without; {:.2} without the {:.2} s that {} calls burnt until they were stopped \
             (the longest {:.1} ms)",
            self.ratio_with_hung_calls,
            self.ratio,
            hung.cpu_seconds,
            hung.calls,
            hung.longest_microseconds / 1000.0,
        );
        self.kinds_text(&mut text);
        self.memory_text(&mut text);
        for promise in &self.promises {
            let holds = match promise.holds {
                Some(true) => "holds",
                Some(false) => "FAILS",
                None => "?",
            };
            let _ = writeln!(text, "{holds:7}{}: {}", promise.promise, promise.says);
        }
        text
    }

    fn kinds_text(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n{:30}{:>10}{:>12}{:>10}{:>10}",
            "a bad plugin", "requests", "CPU seconds", "faults", "reloads"
        );
        for Kind { name, requests, cpu_seconds, faults, reloads } in &self.kinds {
            let _ = writeln!(text, "{name:30}{requests:>10}{cpu_seconds:>12.3}{faults:>10}{reloads:>10}");
        }
        let _ = writeln!(text, "{:52}{:>10}{:>10}", "all of them", self.faults, self.reloads);
    }

    fn memory_text(&self, text: &mut String) {
        let [before, after] = &self.memory;
        let _ = writeln!(text, "\n{:30}{:>20}{:>12}", "what is held", before.at, after.at);
        let mut row = |what: &str, of: &dyn Fn(&Memory) -> String| {
            let _ = writeln!(text, "{what:30}{:>20}{:>12}", of(before), of(after));
        };
        row("memory, MiB", &|memory| match memory.resident_bytes {
            Some(bytes) => format!("{:.1}", bytes as f64 / f64::from(1 << 20)),
            None => "?".to_owned(),
        });
        row("VMs", &|memory| memory.vms.to_string());
        row("contexts", &|memory| memory.contexts.to_string());
        row("streams", &|memory| memory.streams.to_string());
        row("calls in flight", &|memory| memory.calls.to_string());
        row("shared data, bytes", &|memory| memory.shared_data_bytes.to_string());
        row("queues, and bytes in them", &|memory| format!("{}, {}", memory.queues, memory.queued_bytes));
        row("metrics", &|memory| memory.metrics.to_string());
        row("effects not drained", &|memory| memory.effects.to_string());
        text.push('\n');
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
