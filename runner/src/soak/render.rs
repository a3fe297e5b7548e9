//! A report as text and as JSON. Pure.

use std::fmt::Write;

use crate::soak::report::{Kind, Memory, Report, Side};

impl Report {
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
