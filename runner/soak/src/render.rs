//! A report as text and as JSON. Pure.

use std::fmt::Write;

use crate::report::{Charged, Kind, Memory, PerEvent, PerPlugin, Report, Side};

impl Report {
    /// The report as a JSON object.
    pub fn json(&self) -> String {
        // Plain structs of numbers and strings can always be written.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The report as text.
    pub fn text(&self) -> String {
        let Report { plugins, bad, seconds, seed, without, with, burnt, .. } = self;
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
            "\nCPU time of a healthy request without bad plugins: {:.2} of that with them; throughput {:.2}, which includes the\n\
             {:.2} s of bad plugins, clients, servers, the operator and passing time, of which {} requests to plugins that use\n\
             up all their time took {:.2} s (the longest {:.1} ms)",
            self.ratio,
            self.ratio_of_all,
            self.aside_cpu_seconds,
            burnt.requests,
            burnt.cpu_seconds,
            burnt.longest_microseconds / 1000.0,
        );
        self.kinds_text(&mut text);
        self.others_text(&mut text);
        self.memory_text(&mut text);
        self.per_plugin_text(&mut text);
        self.per_event_text(&mut text);
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
            "\n{:50}{:>10}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "a bad plugin", "requests", "CPU seconds", "callbacks", "calls", "faults", "reloads", "refused", "max KiB"
        );
        for kind in &self.kinds {
            let Kind { name, requests, cpu_seconds, callbacks, calls, faults, reloads, refused, max_charged_bytes } =
                kind;
            let _ = writeln!(
                text,
                "{name:50}{requests:>10}{cpu_seconds:>12.3}{callbacks:>10}{calls:>10}{faults:>10}{reloads:>10}\
                 {refused:>10}{:>10}",
                max_charged_bytes >> 10
            );
        }
        let _ = writeln!(text, "{:92}{:>10}{:>10}", "all of them", self.faults, self.reloads);
    }

    fn others_text(&self, text: &mut String) {
        let others = [("a client", &self.clients), ("a server", &self.servers), ("the operator", &self.operator)];
        for (who, counts) in others {
            let _ = writeln!(text, "\n{who:60}{:>10}", "times");
            for count in counts {
                let _ = writeln!(text, "{:60}{:>10}", count.name, count.times);
            }
        }
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
        row("when bad plugins are gone, MiB", &|memory| match memory.settled_bytes {
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
        row("charged to plugins, KiB", &|memory| (memory.charged_bytes >> 10).to_string());
        text.push('\n');
    }

    fn per_plugin_text(&self, text: &mut String) {
        let PerPlugin { healthy, bad, resident_bytes, resident_growth_bytes, .. } = &self.memory_per_plugin;
        let _ = writeln!(text, "{:40}{:>12}{:>12}{:>12}", "memory per plugin, KiB", "median", "maximum", "limit");
        for (what, Charged { p50_bytes, max_bytes, limit_bytes }) in [("healthy", healthy), ("bad", bad)] {
            let (p50, max, limit) = (p50_bytes >> 10, max_bytes >> 10, limit_bytes >> 10);
            let _ = writeln!(text, "{:40}{p50:>12}{max:>12}{limit:>12}", format!("charged to a {what} one"));
        }
        let growth = [("process, since it had none", resident_bytes), ("since the warm-up", resident_growth_bytes)];
        for (what, bytes) in growth {
            let bytes = bytes.map_or("?".to_owned(), |bytes| format!("{:.1}", bytes as f64 / 1024.0));
            let _ = writeln!(text, "{what:40}{bytes:>12}");
        }
        text.push('\n');
    }

    fn per_event_text(&self, text: &mut String) {
        let PerEvent { p50_callbacks, p99_callbacks, max_callbacks, p50_rounds, p99_rounds, max_rounds, .. } =
            self.work_per_event;
        let PerEvent { events, max_callbacks_of_a_plugin, limit_reached, callbacks_limit, work_left, .. } =
            self.work_per_event;
        let _ = writeln!(text, "{:40}{:>12}{:>12}{:>12}", "work per event", "median", "99 %", "maximum");
        let _ = writeln!(text, "{:40}{p50_callbacks:>12}{p99_callbacks:>12}{max_callbacks:>12}", "callbacks");
        let _ = writeln!(text, "{:64}{max_callbacks_of_a_plugin:>12}", "callbacks of one plugin");
        let _ = writeln!(text, "{:40}{p50_rounds:>12}{p99_rounds:>12}{max_rounds:>12}", "rounds of advance");
        let _ = writeln!(
            text,
            "{events} events; the longest took {:.1} ms",
            self.work_per_event.longest_microseconds / 1e3
        );
        let _ = writeln!(
            text,
            "{limit_reached} times a bad plugin had its {callbacks_limit} callbacks; {work_left} times work was left\n"
        );
    }
}
