//! The cases that are about plugins, and doing something for each of them, several at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use pw_abi::Version;
use pw_cases::scenario::Scenario;
use pw_harness::error::HarnessError;
use pw_harness::interrupt::Interrupt;
use pw_harness::plan::plan;
use pw_harness::select::Selected;

/// A case for a version, with what happens in it.
pub(super) struct Tried<'a> {
    pub(super) selected: &'a Selected,
    pub(super) version: Version,
    pub(super) scenario: Scenario,
}

impl<'a> Tried<'a> {
    /// Those whose plugins all have modules of their own, for each of their versions.
    pub(super) fn all(cases: &'a [Selected], abi: Option<Version>) -> Result<Vec<Tried<'a>>, HarnessError> {
        let jobs = plan(cases, abi).into_iter().filter(|job| job.case.has_modules_only());
        let tried = jobs.filter_map(|job| {
            let selected = cases.iter().find(|selected| selected.target == job.target)?;
            let lowered = job.case.lower(job.version).map_err(|complaint| {
                HarnessError::new(format!("{}:{}: {}", job.case.file, complaint.line, complaint.message))
            });
            Some(lowered.map(|lowered| Tried { selected, version: job.version, scenario: lowered.scenario }))
        });
        tried.collect()
    }

    /// What the plugin of that name is made of.
    pub(super) fn made_of(&self, plugin: &str) -> String {
        self.selected.case.made_of(plugin).to_owned()
    }

    /// What the first plugin on the chain is made of.
    pub(super) fn first(&self) -> String {
        let on_streams = self.scenario.plugins.iter().find(|plugin| !plugin.settings.background);
        on_streams.map(|plugin| self.made_of(&plugin.settings.name)).unwrap_or_default()
    }
}

/// Does something for each case, several at a time; what comes of it is in the order of the cases, and missing after an interrupt. An error ends it.
pub(super) fn side_by_side<T: Send>(
    tried: &[Tried<'_>],
    jobs: usize,
    interrupt: &Interrupt,
    each: impl Fn(usize, &Tried<'_>) -> Result<T, String> + Sync,
    mut progress: impl FnMut(usize, &Tried<'_>),
) -> Result<Vec<Option<T>>, HarnessError> {
    let (next, mut results) = (AtomicUsize::new(0), (0..tried.len()).map(|_| None).collect::<Vec<_>>());
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..jobs.min(tried.len()) {
            let (sender, next, each) = (sender.clone(), &next, &each);
            scope.spawn(move || {
                while !interrupt.came() {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = tried.get(index) else { break };
                    // Nobody listens any more after an error.
                    if sender.send((index, each(index, one))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (done, (index, result)) in receiver.iter().enumerate() {
            results[index] = Some(result.map_err(HarnessError::new)?);
            progress(done + 1, &tried[index]);
        }
        Ok(results)
    })
}
