//! Several adapters side by side; results in the order of the jobs, whatever is done first.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::adapter::Adapter;
use crate::attempt::{Attempt, attempt};
use crate::error::HarnessError;
use crate::plan::Job;

/// How to get another adapter in place of one that must not be used again.
pub type Open<'a> = &'a (dyn Fn() -> Result<Box<dyn Adapter>, HarnessError> + Sync);

/// Attempts all jobs, and passes what came of them on in their order, until told to stop.
pub fn run(
    jobs: &[Job<'_>],
    adapters: Vec<Box<dyn Adapter>>,
    open: Open<'_>,
    mut each: impl FnMut(usize, Attempt) -> ControlFlow<()>,
) {
    let next = AtomicUsize::new(0);
    let (done, results) = channel();
    thread::scope(|scope| {
        for adapter in adapters {
            let (done, next) = (done.clone(), &next);
            scope.spawn(move || work(jobs, next, adapter, open, &done));
        }
        drop(done);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (index, result) in results {
            early.insert(index, result);
            while let Some(result) = early.remove(&due) {
                if each(due, result).is_break() {
                    next.store(jobs.len(), Ordering::Relaxed);
                    return;
                }
                due += 1;
            }
        }
    });
}

fn work(
    jobs: &[Job<'_>],
    next: &AtomicUsize,
    mut adapter: Box<dyn Adapter>,
    open: Open<'_>,
    done: &Sender<(usize, Attempt)>,
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(job) = jobs.get(index) else { return };
        let result = attempt(*job, adapter.as_mut());
        if let Attempt::Panicked(_) = result
            && let Ok(fresh) = open()
        {
            adapter = fresh;
        }
        if done.send((index, result)).is_err() {
            return;
        }
    }
}
