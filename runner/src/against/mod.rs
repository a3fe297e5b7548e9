//! The command `fuzz` on another host: scenarios streamed into it as fast as it takes them, each compared with what the
//! reference host does. What is new is run again in a host of its own, made small, and kept.

mod examine;
mod tally;
mod worker;

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pw_abi::Version;
use pw_cases::known::Ledger;
use pw_cases::protocol::Feature;
use pw_fuzz::{against, generate};

use self::examine::Examiner;
use self::tally::Tally;
use self::worker::Worker;
use crate::cli::FuzzArgs;
use crate::connect::connection;
use pw_harness::connection::Connection;
use pw_harness::console::Console;
use pw_harness::embedded::Catalog;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_harness::run::ledger;

/// How often progress is told.
const PERIOD: Duration = Duration::from_secs(1);
/// How long new differences may be looked into after the campaign.
const AFTERWARDS: Duration = Duration::from_secs(90);

/// What all threads of a campaign share.
pub(crate) struct Campaign {
    pub(crate) connection: Connection,
    pub(crate) host: String,
    pub(crate) ledger: Ledger,
    pub(crate) version: Version,
    pub(crate) seed: u64,
    pub(crate) until: Instant,
    tally: Mutex<Tally>,
}

/// Runs a campaign; exit code 1 if there are differences that nothing explains.
pub fn run(args: &FuzzArgs, console: &mut Console) -> Result<Exit, HarnessError> {
    let given = [("--inputs", args.inputs.is_some()), ("--corpus", args.corpus.is_some()), ("--planted", args.planted)];
    if let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) {
        return Err(HarnessError::new(format!("{flag} is for the reference host alone; leave out it or --host")));
    }
    let connection = connection(&args.host)?;
    let host = connection.open()?.host().clone();
    if !host.features.contains(&Feature::Keep) {
        return Err(HarnessError::new(format!("{}: {}", host.name, Feature::Keep.lack())));
    }
    let jobs = usize::from(args.jobs);
    let begun = Instant::now();
    let campaign = Arc::new(Campaign {
        ledger: ledger(args.host.known.as_deref(), &host, &Catalog::Embedded)?,
        connection,
        host: host.name.clone(),
        version: args.abi,
        seed: args.seed,
        until: begun + args.time,
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
        thread::sleep(PERIOD);
        console.status(&campaign.tally().progress(begun.elapsed()));
    }
    let took = begun.elapsed().min(args.time);
    for worker in workers {
        worker.join().map_err(|_| HarnessError::new("a thread of the campaign panicked"))??;
    }
    if !examiner.is_finished() {
        console.status("looking into what is new");
    }
    examiner.join().map_err(|_| HarnessError::new("the thread that looks into differences panicked"))??;
    let tally = campaign.tally();
    console.print(&tally.summary(&host, took));
    Ok(if tally.is_clean() { Exit::Passed } else { Exit::Failed })
}

impl Campaign {
    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The scenario of a number, if it is one that can be streamed.
    pub(crate) fn scenario(&self, number: u64) -> Option<pw_cases::scenario::Scenario> {
        let mut random = fastrand::Rng::with_seed(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number);
        let mut bytes = vec![0; random.usize(150..700)];
        random.fill(&mut bytes);
        against::fit(generate::of_version(self.version, &bytes), &self.host, number)
    }
}
