//! The command `fuzz`: campaigns side by side, each on a thread; progress; finds. The campaigns themselves know neither
//! the clock nor the disk.

mod corpus;
pub(crate) mod finds;
#[cfg(feature = "planted")]
mod planted;
mod report;
mod worker;

use std::thread;
use std::time::{Duration, Instant};

use pw_fuzz::campaign::{Campaign, Find, Input, compiled};
use pw_fuzz::{drive, generate};
use pw_reference::Reference;

use self::worker::Worker;
use crate::against;
use crate::cli::FuzzArgs;
use pw_harness::console::Console;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_harness::interrupt::Interrupt;

/// The time between two lines of progress.
const PROGRESS_PERIOD: Duration = Duration::from_secs(1);
/// The time between two looks at the campaigns.
const POLL: Duration = Duration::from_millis(5);
/// An input that takes longer hangs.
const HANG_TIMEOUT: Duration = Duration::from_secs(20);
/// The number of inputs that are compiled one by one, for the comparison.
const COMPILED_INPUTS: u64 = 20;

/// Runs a campaign; finds are written and printed. On another host it is one that compares.
pub fn run(args: &FuzzArgs, console: &mut Console) -> Result<Exit, HarnessError> {
    if args.host.host != "reference" {
        return against::run(args, console);
    }
    if !args.host.choices.is_empty() {
        return Err(HarnessError::new(
            "--choice and --choices are for `run`, `explain` and `try`: the model of `fuzz` knows the usual answers only",
        ));
    }
    let host = Reference::pooled()?;
    if args.planted {
        return planted(args, &host, console);
    }
    quiet();
    let interrupt = Interrupt::listen()?;
    finds::open(&args.out)?;
    let per_compiled = compile_each(&host, args.seed)?;
    let known = args.corpus.as_deref().map_or_else(|| Ok(Vec::new()), corpus::read)?;
    let mut given = known.clone();
    for folder in &args.merge {
        given.extend(corpus::existing(folder)?);
    }
    let begun = Instant::now();
    let until = if args.merge.is_empty() { begun + args.time } else { begun };
    let start = |job| {
        let mut campaign = Campaign::new(host.clone(), args.seed.wrapping_add(job));
        campaign.give(given.iter().cloned());
        Worker::start(campaign, until, args.inputs, interrupt.clone())
    };
    let mut workers: Vec<Worker> = (0..u64::from(args.jobs)).map(start).collect();
    let mut shown = begun;
    while !workers.iter().all(Worker::is_done) {
        let nap = POLL.min(args.time);
        thread::sleep(nap);
        workers.iter_mut().for_each(|worker| worker.waited(nap));
        if let Some(worker) = workers.iter().find(|worker| worker.stalled() > HANG_TIMEOUT) {
            return hung(args, worker, console);
        }
        for find in workers.iter().flat_map(Worker::fresh) {
            finds::write_raw(&args.out, &find)?;
        }
        if shown.elapsed() >= PROGRESS_PERIOD {
            shown = Instant::now();
            console.status(&report::progress(&workers, begun.elapsed()));
        }
    }
    let took = begun.elapsed();
    let mut campaigns = Vec::new();
    let mut found: Vec<Find> = Vec::new();
    for worker in workers {
        let (campaign, finds) = worker.join()?;
        campaigns.push(campaign);
        let new = finds.into_iter().filter(|find| found.iter().all(|known| known.finding.about != find.finding.about));
        let new: Vec<Find> = new.collect();
        found.extend(new);
    }
    if interrupt.came() {
        console.status("interrupted: what was found until now is being made small; once more to end at once");
    }
    let kept = finds::keep(&host, &found, &args.out)?;
    finds::close(&args.out);
    console.print(&report::summary(&campaigns, took, per_compiled, &kept));
    if let Some(folder) = &args.corpus {
        let inputs: Vec<&Input> = campaigns.iter().flat_map(Campaign::kept).collect();
        let added = corpus::add(folder, &known, &inputs)?;
        console.print(&format!("{}: {} inputs, {added} of them new\n", folder.display(), known.len() + added));
    }
    Ok(match kept.is_empty() {
        _ if interrupt.came() => Exit::Interrupted,
        true => Exit::Passed,
        false => Exit::Failed,
    })
}

/// A panic of the host is a find like any other, and reported as such.
fn quiet() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// How long an input takes where each plugin is compiled, on the same machine at the same time.
fn compile_each(host: &Reference, seed: u64) -> Result<Duration, HarnessError> {
    let mut random = fastrand::Rng::with_seed(seed);
    let begun = Instant::now();
    for _ in 0..COMPILED_INPUTS {
        let mut bytes = vec![0; 400];
        random.fill(&mut bytes);
        let scenario = compiled(&generate::scenario(&bytes))?;
        drive::run(host, &scenario.into())?;
    }
    Ok(begun.elapsed() / COMPILED_INPUTS as u32)
}

/// Writes the input as it is: one that hangs cannot be made smaller.
fn hung(args: &FuzzArgs, worker: &Worker, console: &Console) -> Result<Exit, HarnessError> {
    let text = worker.current().map(|scenario| pw_fuzz::print::any(&scenario)).unwrap_or_default();
    let file = finds::write(&args.out, "hang", &text)?;
    console.print(&format!("find: an input has not come to its end after {} s\n  {file}\n", HANG_TIMEOUT.as_secs()));
    Ok(Exit::Failed)
}

#[cfg(feature = "planted")]
fn planted(args: &FuzzArgs, host: &Reference, console: &mut Console) -> Result<Exit, HarnessError> {
    quiet();
    planted::run(args, host, console)
}

#[cfg(not(feature = "planted"))]
fn planted(_: &FuzzArgs, _: &Reference, _: &mut Console) -> Result<Exit, HarnessError> {
    let how = "cargo run --release -p pw-conform --features planted -- fuzz --planted";
    Err(HarnessError::new(format!("no bugs can be planted in this build: {how}")))
}
