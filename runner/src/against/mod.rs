//! The command `fuzz` on another host: scenarios streamed into it as fast as it reads them, each compared with what the
//! reference host does. What is new is run again in a new host, made small, and kept.

mod campaign;
mod examine;
mod tally;
mod worker;

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pw_cases::protocol::Feature;

use self::campaign::Campaign;
use self::examine::Examiner;
use self::worker::Worker;
use crate::cli::FuzzArgs;
use crate::connect::connection;
use crate::fuzz::finds;
use pw_harness::console::Console;
use pw_harness::embedded::Catalog;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_harness::interrupt::Interrupt;
use pw_harness::run::expected_failures;

/// The time between two lines of progress.
const PROGRESS_PERIOD: Duration = Duration::from_secs(1);

/// Runs a campaign; exit code 1 if there are differences that nothing explains.
///
/// # Errors
///
/// The flags contradict each other, or an adapter, a file or the harness failed.
pub fn run(args: &FuzzArgs, console: &mut Console) -> Result<Exit, HarnessError> {
    let given = [("--inputs", args.inputs.is_some()), ("--corpus", args.corpus.is_some()), ("--planted", args.planted)];
    if let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) {
        return Err(HarnessError::new(format!("{flag} cannot be used with --host")));
    }
    finds::open(&args.out)?;
    let interrupt = Interrupt::listen()?;
    let connection = connection(&args.host)?;
    let host = connection.open()?.host().clone();
    if !host.features.contains(&Feature::Keep) {
        return Err(HarnessError::new(format!("{}: {}", host.name, Feature::Keep.lack())));
    }
    let jobs = usize::from(args.jobs);
    let begun = Instant::now();
    let campaign = Arc::new(Campaign {
        failures: expected_failures(args.host.known.as_deref(), &host, &Catalog::Embedded)?,
        connection,
        host: host.name.clone(),
        version: args.abi,
        seed: args.seed,
        until: begun + args.time,
        interrupt: interrupt.clone(),
        tally: Mutex::default(),
    });
    let (suspects, incoming) = channel();
    let examiner = Examiner::new(campaign.clone(), incoming, args.out.clone());
    let examiner = thread::spawn(move || examiner.run());
    let workers: Vec<_> = (0..jobs as u64)
        .map(|job| {
            let (campaign, suspects) = (campaign.clone(), suspects.clone());
            thread::spawn(move || Worker::new(campaign, suspects, job, jobs as u64).run())
        })
        .collect();
    drop(suspects);
    while !workers.iter().all(thread::JoinHandle::is_finished) {
        thread::sleep(PROGRESS_PERIOD);
        console.status(&campaign.tally().progress(begun.elapsed()));
    }
    let took = begun.elapsed().min(args.time);
    for worker in workers {
        worker.join().map_err(|_| HarnessError::new("a thread of the campaign panicked"))??;
    }
    if !examiner.is_finished() {
        console.status("running again what is new");
    }
    examiner.join().map_err(|_| HarnessError::new("the thread that runs differences again panicked"))??;
    let tally = campaign.tally();
    console.print(&tally.summary(&host, took));
    finds::close(&args.out);
    Ok(match tally.is_clean() {
        _ if interrupt.came() => Exit::Interrupted,
        true => Exit::Passed,
        false => Exit::Failed,
    })
}
