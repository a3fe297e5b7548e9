//! The known bugs planted one by one: how many inputs, and how long, until fuzzing finds each.

use std::fmt::Write;
use std::time::{Duration, Instant};

use pw_fuzz::campaign::{Campaign, Find, NOT_SHOWN};
use pw_fuzz::keep;
use pw_host::{Planted, plant};
use pw_reference::Reference;

use super::finds;
use crate::cli::FuzzArgs;
use pw_harness::console::Console;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;

/// What is not found within this time is missed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The page `reports/fuzzing.md`; fails if a bug is missed by half of the seeds.
pub(super) fn run(args: &FuzzArgs, host: &Reference, console: &mut Console) -> Result<Exit, HarnessError> {
    let seeds = args.seeds;
    let mut page = format!(
        "# How fast fuzzing finds bugs\n\nEach is a bug that a real host has or had, planted into the reference host \
         alone. `cargo run --release -p pw-conform --features planted -- fuzz --planted --seeds {seeds}` prints this page: inputs and seconds until the first \
         find, the median and the most of {seeds} seeds, on one core; what was found, and whether its case file fails with the bug and \
         passes without. A seed that finds nothing within {} s has missed the bug.\n\n\
         | bug | who has or had it | inputs | at most | seconds | at most | found as | case |\n\
         | --- | --- | ---: | ---: | ---: | ---: | --- | --- |\n",
        PATIENCE.as_secs()
    );
    let mut missed = false;
    for bug in Planted::ALL.iter().filter(|bug| !NOT_SHOWN.contains(bug)) {
        let mut rows = Vec::new();
        for seed in 1..=seeds {
            plant(Some(*bug));
            let first = first_find(host, seed);
            plant(None);
            rows.extend(first?);
        }
        let (does, who) = bug.describe();
        let line = row(args, host, *bug, &mut rows)?;
        missed |= line.is_none();
        let line =
            line.unwrap_or_else(|| format!("| missed by {} of {seeds} | | | | | |", seeds as usize - rows.len()));
        let _ = writeln!(page, "| {does} | {who} {line}");
        console.status(&format!("{bug:?} {line}"));
    }
    for bug in NOT_SHOWN {
        let (does, who) = bug.describe();
        let _ = writeln!(page, "| {does} | {who} | not generated | | | | | |");
    }
    console.print(&page);
    Ok(if missed { Exit::Failed } else { Exit::Passed })
}

fn first_find(host: &Reference, seed: u64) -> Result<Option<(Find, Duration)>, HarnessError> {
    let begun = Instant::now();
    let mut campaign = Campaign::new(host.clone(), seed);
    while begun.elapsed() < PATIENCE {
        if let Some(find) = campaign.advance()? {
            return Ok(Some((find, begun.elapsed())));
        }
    }
    Ok(None)
}

/// The second half of a bug's line; none if half of the seeds have missed it.
fn row(
    args: &FuzzArgs,
    host: &Reference,
    bug: Planted,
    rows: &mut [(Find, Duration)],
) -> Result<Option<String>, HarnessError> {
    rows.sort_by_key(|(find, _)| find.run);
    let (middle, seeds) = (args.seeds as usize / 2, args.seeds as usize);
    let Some((find, _)) = rows.get(middle) else { return Ok(None) };
    let mut times: Vec<Duration> = rows.iter().map(|(_, took)| *took).collect();
    times.sort();
    let seconds = |took: Duration| format!("{:.2}", took.as_secs_f64());
    let missed = || format!("missed by {} of {seeds}", seeds - rows.len());
    let all = rows.len() == seeds;
    plant(Some(bug));
    let kept = keep::keep(host, find).map_err(HarnessError::new);
    plant(None);
    let kept = kept?;
    finds::write(&args.out.join("planted"), &format!("{bug:?}").to_lowercase(), &kept.text)?;
    let sound = !keep::fails(host, &kept.text)?;
    let case = match (kept.reproduces, sound) {
        (true, true) => "fails and passes",
        (true, false) => "fails either way",
        (false, _) => "cannot tell",
    };
    Ok(Some(format!(
        "| {} | {} | {} | {} | {} | {case} |",
        find.run,
        rows.last().filter(|_| all).map_or_else(missed, |(last, _)| last.run.to_string()),
        seconds(times[middle]),
        times.last().filter(|_| all).map_or_else(missed, |took| seconds(*took)),
        kept.find.finding.about.replace('|', "/"),
    )))
}
