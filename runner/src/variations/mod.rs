//! `--variations`: plugins on hosts that behave otherwise than usually, and are right. Such a host must not make a plugin trap or hang.

mod finds;
mod leaks;
mod tried;
mod vary;
mod watch;

use std::thread;

use pw_abi::Version;
use pw_cases::adapter::Adapter;
use pw_cases::scenario::Scenario;
use pw_harness::console::Console;
use pw_harness::embedded::Catalog;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_harness::interrupt::Interrupt;
use pw_harness::invocation::Invocation;
use pw_harness::run::expected_failures;
use pw_harness::select::select;
use pw_reference::{InProcess, Reference};

use self::finds::Finds;
use self::tried::{Tried, side_by_side};
use self::vary::Variation;
use self::watch::{Cause, Seen, watch};
use crate::cli::{BeyondArgs, HostArgs};
use crate::fuzz::finds as folder;

/// What is tried.
pub(crate) struct Subject<'a> {
    /// The cases are of it.
    pub(crate) catalog: &'a Catalog,
    /// Which of them.
    pub(crate) words: &'a [String],
    /// For this version only.
    pub(crate) abi: Option<Version>,
    /// How many cases are tried side by side; none means as many as there are cores.
    pub(crate) jobs: Option<usize>,
    /// How a case is explained.
    pub(crate) invocation: Invocation,
}

/// Tries plugins as the flags say.
///
/// # Errors
///
/// There is nothing to try, a file cannot be written, or the harness failed.
pub(crate) fn run(
    subject: &Subject<'_>,
    args: &BeyondArgs,
    host: &HostArgs,
    console: &mut Console,
) -> Result<Exit, HarnessError> {
    let flag = if args.leaks { "--leaks" } else { "--variations" };
    if host.host != "reference" {
        return Err(HarnessError::new(format!("{flag} runs on the reference host: leave --host out")));
    }
    let selection = select(subject.catalog, subject.words)?;
    selection.errors.iter().for_each(|error| console.error(&error.to_string()));
    let tried = Tried::all(&selection.cases, subject.abi)?;
    if tried.is_empty() {
        let message = format!("{flag} is about plugins: none of these cases has only plugins with a `module`");
        return Err(HarnessError::new(message));
    }
    let reference = Reference::new()?.with_choices(host.choices.choices()?);
    let jobs = subject.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let exit = match args.variations {
        Some(seeds) => {
            folder::open(&args.finds)?;
            let found = variations(subject, &tried, &reference, seeds, jobs, args, console);
            folder::close(&args.finds);
            found?
        }
        None => {
            let known = expected_failures(host.known.as_deref(), InProcess::new()?.host(), subject.catalog)?;
            leaks::run(&tried, &reference, &known, jobs, console)?
        }
    };
    Ok(if selection.errors.is_empty() { exit } else { Exit::Broken })
}

/// What was found in a case.
#[derive(Default)]
struct Found {
    /// Faults, with the variation and the scenario.
    faults: Vec<(usize, Scenario, Seen)>,
    /// What came as it was sent, though usually it does not.
    passed: Vec<(usize, watch::Piece)>,
    runs: usize,
}

fn variations(
    subject: &Subject<'_>,
    tried: &[Tried<'_>],
    reference: &Reference,
    seeds: u64,
    jobs: usize,
    args: &BeyondArgs,
    console: &mut Console,
) -> Result<Exit, HarnessError> {
    let interrupt = Interrupt::listen()?;
    let variations = Variation::all(seeds);
    // What is usual: a fault that a case shows as it is needs no find.
    let usual = side_by_side(tried, jobs, &interrupt, |_, one| watch(reference, &one.scenario), |_, _| {})?;
    let shown: Vec<Cause> = usual.iter().flatten().filter_map(|seen| Some(seen.fault.clone()?.cause)).collect();
    let planned = tried.len();
    let each = |index: usize, one: &Tried<'_>| match &usual[index] {
        Some(usual) => in_case(reference, one, usual, &variations),
        None => Ok(Found::default()),
    };
    let all = side_by_side(tried, jobs, &interrupt, each, |done, one| {
        console.progress(done, planned, &one.selected.case.id);
    })?;
    let mut finds = Finds::default();
    let mut runs = 0;
    for (found, one) in all.into_iter().zip(tried) {
        let Some(found) = found else { continue };
        runs += found.runs;
        for (variation, scenario, seen) in found.faults {
            let Some(fault) = seen.fault else { continue };
            let plugin = one.made_of(&fault.cause.plugin);
            let is_shown = shown.iter().any(|cause| cause.is_same(&fault.cause));
            let is_specified = variations[variation].is_specified();
            finds.add(is_shown, plugin, (variation, is_specified), one, scenario, fault);
        }
        for (variation, piece) in found.passed {
            finds.pass(one.first(), piece, variation, one);
        }
    }
    let kept = finds.keep(reference, &variations, &args.finds)?;
    let mut text = String::new();
    for find in &kept {
        text += &find.text(&subject.invocation);
    }
    text += &finds.notes(&variations);
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    text += &format!(
        "{}, {}, {}: {}{}\n",
        plural(planned, "case"),
        plural(variations.len(), "variation"),
        plural(runs, "run"),
        plural(kept.len(), "find"),
        match finds.shown() {
            0 => String::new(),
            count => format!("; {} that cases show as they are", plural(count, "fault")),
        }
    );
    console.clear();
    console.print(&text);
    if interrupt.came() {
        console.status("interrupted: not all cases were run");
        return Ok(Exit::Interrupted);
    }
    Ok(if kept.is_empty() { Exit::Passed } else { Exit::Failed })
}

/// A case under all variations.
fn in_case(host: &Reference, one: &Tried<'_>, usual: &Seen, variations: &[Variation]) -> Result<Found, String> {
    let mut found = Found::default();
    for (number, variation) in variations.iter().enumerate() {
        for scenario in variation.of(&one.scenario) {
            let seen = watch(host, &scenario)
                .map_err(|error| format!("{}: {}: {error}", one.selected.case.id, variation.name()))?;
            found.runs += 1;
            if seen.fault.is_some() {
                found.faults.push((number, scenario, seen));
            } else if variation.sends_the_same() && usual.fault.is_none() {
                let passed = seen.unchanged.iter().filter(|piece| usual.changed.contains(piece));
                found.passed.extend(passed.map(|piece| (number, *piece)));
            }
        }
    }
    Ok(found)
}
