//! Several adapters side by side; results in the order of the jobs, whatever is done first.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use pw_cases::adapter::Adapter;

use crate::attempt::{Attempt, attempt};
use crate::error::HarnessError;
use crate::interrupt::Interrupt;
use crate::plan::Job;
use crate::survey::Survey;

/// How to get another adapter in place of one that must not be used again.
pub type Open<'a> = &'a (dyn Fn() -> Result<Box<dyn Adapter>, HarnessError> + Sync);

/// The time between two looks whether the run was interrupted.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(50);

/// The progress of a run.
#[derive(Debug)]
pub enum Progress {
    /// The outcome of the job of that index, and the time that it took.
    Done(usize, Attempt, Duration),
    /// There are no more results, although some adapters may still be running.
    Over,
}

/// Attempts all jobs and passes the results to `each` in the order of the jobs, until it stops; then notifies it of the end.
pub fn run(
    jobs: &[Job<'_>],
    adapters: Vec<Box<dyn Adapter>>,
    open: Open<'_>,
    survey: &Survey,
    interrupt: &Interrupt,
    mut each: impl FnMut(Progress) -> ControlFlow<()>,
) {
    let next = AtomicUsize::new(0);
    let (done, results) = channel();
    thread::scope(|scope| {
        for adapter in adapters {
            let (done, next) = (done.clone(), &next);
            scope.spawn(move || work(jobs, next, adapter, (open, survey), &done));
        }
        drop(done);
        let mut early = BTreeMap::new();
        let mut due = 0;
        'results: while !interrupt.came() {
            match results.recv_timeout(INTERRUPT_INTERVAL) {
                Ok((index, attempt, took)) => drop(early.insert(index, (attempt, took))),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Some((attempt, took)) = early.remove(&due) {
                // Ctrl-C ends adapters, too; what comes of that says nothing of their hosts.
                if interrupt.came() || each(Progress::Done(due, attempt, took)).is_break() {
                    break 'results;
                }
                due += 1;
            }
        }
        next.store(jobs.len(), Ordering::Relaxed);
        let _ = each(Progress::Over);
    });
}

fn work(
    jobs: &[Job<'_>],
    next: &AtomicUsize,
    mut adapter: Box<dyn Adapter>,
    (open, survey): (Open<'_>, &Survey),
    done: &Sender<(usize, Attempt, Duration)>,
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(job) = jobs.get(index) else { return };
        let begun = Instant::now();
        let result = attempt(*job, adapter.as_mut(), survey);
        let took = begun.elapsed();
        if let Attempt::Panicked(_) = result
            && let Ok(fresh) = open()
        {
            adapter = fresh;
        }
        if done.send((index, result, took)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use pw_abi::Version;
    use pw_cases::case::Case;
    use pw_cases::protocol::Host;
    use pw_cases::scenario::Scenario;

    use super::*;
    use pw_cases::adapter::Outcome;

    /// Skips every case, the earlier ones later; panics at the third, and ever after.
    struct Moody(Host, bool);

    impl Adapter for Moody {
        fn host(&self) -> &Host {
            &self.0
        }

        fn run(&mut self, id: &str, _version: Version, _scenario: &Scenario) -> Result<Outcome, String> {
            self.1 |= id == "2";
            assert!(!self.1, "no more");
            thread::sleep(Duration::from_millis(if id == "0" { 30 } else { 0 }));
            Ok(Outcome::Skipped(id.to_owned()))
        }
    }

    fn moody() -> Result<Box<dyn Adapter>, HarnessError> {
        let (name, version) = ("moody".to_owned(), "1".to_owned());
        let host =
            Host { name, version, abi: vec!["0.2.1".to_owned()], features: Vec::new(), protocol: 2, in_process: true };
        Ok(Box::new(Moody(host, false)))
    }

    fn case(id: &str) -> Case {
        let source = "title = \"t\"\nclause = [\"proxy_log\"]\nlevel = \"required\"\nabi = \"0.2.1\"\n";
        pw_cases::format::parse(id, id, source, &|_| Err(String::new())).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn results_keep_their_order_and_a_panic_costs_one_case() {
        let cases: Vec<Case> = (0..6).map(|index| case(&index.to_string())).collect();
        let jobs: Vec<Job<'_>> =
            cases.iter().map(|case| Job { case, target: &case.id, version: Version::V0_2_1 }).collect();
        let adapters: Vec<_> = (0..2).filter_map(|_| moody().ok()).collect();
        let mut seen = Vec::new();
        run(&jobs, adapters, &moody, &Survey::default(), &Interrupt::default(), |progress| {
            seen.push(match &progress {
                Progress::Done(index, Attempt::Skipped(reason), _) => format!("{index} {reason}"),
                Progress::Done(index, Attempt::Panicked(error), _) => format!("{index} {error}"),
                Progress::Over => "over".to_owned(),
                other => panic!("{other:?}"),
            });
            if matches!(progress, Progress::Done(4, ..)) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(seen, ["0 0", "1 1", "2 moody panicked: no more", "3 3", "4 4", "over"]);
    }

    #[test]
    fn an_interrupted_run_ends_before_its_jobs() {
        let case = case("0");
        let jobs = [Job { case: &case, target: "0", version: Version::V0_2_1 }];
        let adapters: Vec<_> = moody().into_iter().collect();
        let mut seen = Vec::new();
        run(&jobs, adapters, &moody, &Survey::default(), &Interrupt::that_came(), |progress| {
            seen.push(matches!(progress, Progress::Over));
            ControlFlow::Continue(())
        });
        assert_eq!(seen, [true]);
    }
}
