//! A campaign on a thread of its own, and how far it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pw_cases::scenario::Scenario;
use pw_fuzz::campaign::{Campaign, Current, Find};

use pw_harness::error::HarnessError;

/// How many different finds end a campaign: what is broken so thoroughly needs no more of them.
const FINDS: usize = 20;
/// After how many inputs it is told what was reached.
const EVERY: u64 = 512;

/// What came of a campaign, or why the harness failed.
type Ended = Result<(Campaign, Vec<Find>), String>;

/// A campaign that runs.
pub(super) struct Worker {
    thread: JoinHandle<Ended>,
    current: Current,
    progress: Arc<Mutex<Progress>>,
    /// When it was heard of when it was last looked at.
    heard: Instant,
    stalled: Duration,
}

/// How far a campaign is.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) runs: u64,
    pub(super) triples: usize,
    pub(super) promises: Vec<bool>,
    pub(super) finds: usize,
    /// When it was last heard of.
    beat: Instant,
}

impl Worker {
    /// Starts a campaign that ends at a time, or after so many inputs, and not before all that were given were run.
    pub(super) fn start(mut campaign: Campaign, until: Instant, most: Option<u64>) -> Worker {
        let beat = Instant::now();
        let progress = Progress { runs: 0, triples: 0, promises: Vec::new(), finds: 0, beat };
        let progress = Arc::new(Mutex::new(progress));
        let (current, shared) = (campaign.current(), progress.clone());
        let work = move || {
            let mut finds: Vec<Find> = Vec::new();
            let goes_on = |campaign: &Campaign| Instant::now() < until && most.is_none_or(|most| campaign.runs < most);
            while (campaign.has_given() || goes_on(&campaign)) && finds.len() < FINDS {
                if let Some(find) = campaign.advance()?
                    && finds.iter().all(|known| known.finding.about != find.finding.about)
                {
                    finds.push(find);
                }
                let progress = &mut *shared.lock().unwrap_or_else(PoisonError::into_inner);
                progress.beat = Instant::now();
                if campaign.runs.is_multiple_of(EVERY) {
                    (progress.runs, progress.finds) = (campaign.runs, finds.len());
                    progress.triples = campaign.reached().triples();
                    progress.promises = campaign.reached().promises().into_iter().map(|(_, reached)| reached).collect();
                }
            }
            Ok((campaign, finds))
        };
        Worker { thread: std::thread::spawn(work), current, progress, heard: beat, stalled: Duration::ZERO }
    }

    pub(super) fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// So much time has passed, by who looks after it: a machine that sleeps makes no input hang.
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
        let ended = self.thread.join().map_err(|_| HarnessError::new("a campaign's thread panicked"))?;
        ended.map_err(HarnessError::new)
    }
}
