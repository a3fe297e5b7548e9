//! A campaign on its own thread, and its progress.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pw_cases::scenario::Scenario;
use pw_fuzz::campaign::{Campaign, Current, Find};

use pw_harness::error::HarnessError;
use pw_harness::interrupt::Interrupt;

/// The number of different finds that ends a campaign: what is broken so thoroughly needs no more of them.
const MAX_FINDS: usize = 20;
/// The number of inputs after which the progress is brought up to date.
const PROGRESS_INPUTS: u64 = 512;

/// How a campaign ended, or why the harness failed.
type Ended = Result<(Campaign, Vec<Find>), String>;

/// A campaign that runs.
pub(super) struct Worker {
    thread: JoinHandle<Ended>,
    current: Current,
    progress: Arc<Mutex<Progress>>,
    fresh: Receiver<Find>,
    /// The last sign of life that was seen.
    heard: Instant,
    stalled: Duration,
}

/// The progress of a campaign.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) runs: u64,
    pub(super) triples: usize,
    pub(super) promises: Vec<bool>,
    pub(super) finds: usize,
    /// Its last sign of life.
    beat: Instant,
}

impl Worker {
    /// Starts a campaign that ends at a time, or after `max` inputs, and not before all that were given were run; or when
    /// the program is interrupted.
    pub(super) fn start(mut campaign: Campaign, until: Instant, max: Option<u64>, interrupt: Interrupt) -> Worker {
        let beat = Instant::now();
        let progress = Progress { runs: 0, triples: 0, promises: Vec::new(), finds: 0, beat };
        let progress = Arc::new(Mutex::new(progress));
        let (current, shared) = (campaign.current(), progress.clone());
        let (report, fresh) = channel();
        let work = move || {
            let mut finds: Vec<Find> = Vec::new();
            let is_due = |campaign: &Campaign| {
                campaign.has_given() || Instant::now() < until && max.is_none_or(|max| campaign.runs < max)
            };
            while is_due(&campaign) && finds.len() < MAX_FINDS && !interrupt.came() {
                if let Some(find) = campaign.advance()?
                    && finds.iter().all(|known| known.finding.about != find.finding.about)
                {
                    // Nobody listens any more when the program ends for another reason.
                    let _ = report.send(find.clone());
                    finds.push(find);
                }
                let progress = &mut *shared.lock().unwrap_or_else(PoisonError::into_inner);
                progress.beat = Instant::now();
                if campaign.runs.is_multiple_of(PROGRESS_INPUTS) {
                    (progress.runs, progress.finds) = (campaign.runs, finds.len());
                    progress.triples = campaign.reached().triples();
                    progress.promises = campaign.reached().promises().into_iter().map(|(_, reached)| reached).collect();
                }
            }
            Ok((campaign, finds))
        };
        Worker { thread: std::thread::spawn(work), current, progress, fresh, heard: beat, stalled: Duration::ZERO }
    }

    pub(super) fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The finds since it was last asked.
    pub(super) fn fresh(&self) -> Vec<Find> {
        self.fresh.try_iter().collect()
    }

    /// The caller has waited for `nap`. Its naps are counted, not the clock: on a machine that sleeps no input hangs.
    pub(super) fn waited(&mut self, nap: Duration) {
        let beat = self.progress().beat;
        let moves = self.is_done() || beat != self.heard;
        self.stalled = if moves { Duration::ZERO } else { self.stalled + nap };
        self.heard = beat;
    }

    /// For how long the same input has been under way.
    pub(super) fn stalled(&self) -> Duration {
        self.stalled
    }

    /// The input that is being run.
    pub(super) fn current(&self) -> Option<Arc<Scenario>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn join(self) -> Result<(Campaign, Vec<Find>), HarnessError> {
        let ended = self.thread.join().map_err(|panic| {
            let words = pw_fuzz::oracle::words(&*panic);
            HarnessError::new(format!("a campaign ended early, by a fault of the fuzzer and not of a host: {words}"))
        })?;
        ended.map_err(HarnessError::new)
    }
}
