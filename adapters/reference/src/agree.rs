//! On the reference host there are two views of a run, and they must agree: what probes report, and what the host saw.

use pw_cases::transcript::{Event, Returned, Transcript};

/// Compares what the probes report with what the host saw, call by call; the reports themselves are left out.
///
/// # Errors
///
/// The first difference.
pub(crate) fn agree(reported: &Transcript, recorded: &[Event]) -> Result<(), String> {
    let is_report = |event: &Event| match event {
        Event::Call { function, args, .. } => {
            function == "proxy_log" && args.last().is_some_and(|message| message.starts_with("\"pw "))
        }
        _ => false,
    };
    let mut reported = reported.events.iter().filter(|event| in_trace(event)).peekable();
    let reporting: Vec<&String> = reported.clone().map(plugin_of).collect();
    let recorded = recorded.iter().filter(|event| !is_report(event) && reporting.contains(&plugin_of(event)));
    for seen in recorded {
        let Some(report) = reported.next() else {
            // A guest that traps cannot report what it was doing.
            return Ok(());
        };
        if !same(report, seen) {
            return Err(format!("the probe reports `{report}`, but the host saw `{seen}`"));
        }
    }
    match reported.next() {
        None => Ok(()),
        Some(report) => Err(format!("the probe reports `{report}`, which the host did not see")),
    }
}

/// Whether both views have such events; start functions and allocators only the probe reports.
fn in_trace(event: &Event) -> bool {
    match event {
        Event::Callback { name, .. } | Event::Returned { name, .. } => {
            !["_initialize", "proxy_on_memory_allocate", "malloc"].contains(&name.as_str())
        }
        Event::Call { .. } => true,
        _ => false,
    }
}

fn plugin_of(event: &Event) -> &String {
    static NONE: String = String::new();
    match event {
        Event::Callback { plugin, .. } | Event::Returned { plugin, .. } | Event::Call { plugin, .. } => plugin,
        _ => &NONE,
    }
}

fn same(reported: &Event, seen: &Event) -> bool {
    match (reported, seen) {
        (
            Event::Call { function, status, returned, .. },
            Event::Call { function: seen_function, status: seen_status, returned: seen_returned, .. },
        ) => {
            let differs = |(name, value): &(String, Returned)| {
                seen_returned.iter().any(|(seen_name, seen_value)| {
                    seen_name == name && seen_value != value && !all_ones(value, seen_value)
                })
            };
            function == seen_function && status == seen_status && !returned.iter().any(differs)
        }
        (reported, seen) => reported == seen,
    }
}

/// To the probe a number of nothing but ones looks like a place to which nothing was written.
fn all_ones(reported: &Returned, seen: &Returned) -> bool {
    *reported == Returned::Untouched && matches!(seen, Returned::Number(u64::MAX | 0xFFFF_FFFF))
}
