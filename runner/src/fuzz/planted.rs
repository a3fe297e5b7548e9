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

/// What is found no later than this is found.
const PATIENCE: Duration = Duration::from_secs(600);

/// The page `reports/fuzzing.md`; fails if a bug is missed.
pub(super) fn run(args: &FuzzArgs, host: &Reference, console: &mut Console) -> Result<Exit, HarnessError> {
    let seeds = args.seeds;
    let mut page = format!(
        "# How fast fuzzing finds bugs\n\nEach is a bug that a real host has or had, planted into the reference host \
         alone. `cargo run --release -p pw-conform --features planted -- fuzz --planted --seeds {seeds}` prints this page: inputs and seconds until the first \
         find, the median and the most of {seeds} seeds, on one core; what was found, and whether its case file fails with the bug and \
         passes without.\n\n| bug | who has or had it | inputs | at most | seconds | at most | found as | case |\n\
         | --- | --- | ---: | ---: | ---: | ---: | --- | --- |\n"
    );
    let mut missed = 0;
    for bug in Planted::ALL.iter().filter(|bug| !NOT_SHOWN.contains(bug)) {
        let mut rows = Vec::new();
        for seed in 1..=seeds {
            plant(Some(*bug));
            let first = first_find(host, seed);
            plant(None);
            match first? {
                Some(found) => rows.push(found),
                None => missed += 1,
            }
        }
        let (does, who) = bug.describe();
        let line = row(args, host, *bug, &mut rows)?.unwrap_or("| missed | | | | | |".to_owned());
        let _ = writeln!(page, "| {does} | {who} {line}");
        console.status(&format!("{bug:?} {line}"));
    }
    console.print(&page);
    Ok(if missed == 0 { Exit::Passed } else { Exit::Failed })
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

/// The second half of a bug's line; none if it was found by no seed.
fn row(
    args: &FuzzArgs,
    host: &Reference,
    bug: Planted,
    rows: &mut [(Find, Duration)],
) -> Result<Option<String>, HarnessError> {
    rows.sort_by_key(|(find, _)| find.run);
    let (Some((find, _)), Some((last, _))) = (rows.get(rows.len() / 2), rows.last()) else { return Ok(None) };
    let mut times: Vec<f64> = rows.iter().map(|(_, took)| took.as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
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
        "| {} | {} | {:.2} | {:.2} | {} | {case} |",
        find.run,
        last.run,
        times[times.len() / 2],
        times[times.len() - 1],
        kept.find.finding.about.replace('|', "/"),
    )))
}
