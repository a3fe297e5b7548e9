//! Progress and summary of campaigns. Pure.

use std::fmt::Write;
use std::time::Duration;

use pw_fuzz::campaign::Campaign;
use pw_fuzz::coverage::Reached;
use pw_fuzz::keep::Kept;

use super::worker::Worker;

/// One line: the progress of all campaigns.
pub(super) fn progress(workers: &[Worker], elapsed: Duration) -> String {
    let all: Vec<_> = workers.iter().map(Worker::progress).collect();
    let runs: u64 = all.iter().map(|progress| progress.runs).sum();
    let of = all.iter().map(|progress| progress.promises.len()).max().unwrap_or(0);
    let covered = (0..of).filter(|place| all.iter().any(|progress| progress.promises.get(*place) == Some(&true)));
    let triples = all.iter().map(|progress| progress.triples).max().unwrap_or(0);
    let finds: usize = all.iter().map(|progress| progress.finds).sum();
    format!(
        "{:>4} s  {:>6.0} inputs/s  {runs} inputs  {}/{of} promises reached  {triples} combinations  {finds} finds",
        elapsed.as_secs(),
        runs as f64 / elapsed.as_secs_f64(),
        covered.count(),
    )
}

/// The outcome.
pub(super) fn summary(campaigns: &[Campaign], took: Duration, compiled: Duration, kept: &[(Kept, String)]) -> String {
    let sum = |count: fn(&Campaign) -> u64| campaigns.iter().map(count).sum::<u64>();
    let (runs, full, calls) = (sum(|c| c.runs), sum(|c| c.full), sum(|c| c.calls));
    let mut reached = Reached::default();
    campaigns.iter().for_each(|campaign| reached.join(campaign.reached()));
    let promises = reached.promises();
    let missing: Vec<&str> = promises.iter().filter(|(_, known)| !known).map(|(clause, _)| clause.as_str()).collect();
    let seconds = took.as_secs_f64();
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{runs} inputs in {seconds:.1} s: {:.0} a second, {:.0} of which make 8 calls or more; {:.1} calls each",
        runs as f64 / seconds,
        full as f64 / seconds,
        calls as f64 / runs.max(1) as f64,
    );
    let _ = writeln!(out, "compiled one by one: {:.0} a second", 1.0 / compiled.as_secs_f64());
    let _ = writeln!(
        out,
        "promises of v0.2.1: {} of {}{}",
        promises.len() - missing.len(),
        promises.len(),
        if missing.is_empty() { String::new() } else { format!("; not reached: {}", missing.join(", ")) }
    );
    let _ = writeln!(out, "combinations of function, status and callback: {}", reached.triples());
    for (Kept { find, reproduces, .. }, file) in kept {
        let note = if *reproduces { "" } else { " (the input only: no expectation of a case can show it)" };
        let _ = writeln!(out, "find: {}\n  {file}{note}", find.finding.message);
    }
    let _ =
        writeln!(out, "{}", if kept.is_empty() { "nothing found".to_owned() } else { format!("{} finds", kept.len()) });
    out
}
