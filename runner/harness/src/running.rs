//! A run in progress: what is shown of it, counted and written, up to its end.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::console::Console;
use crate::draft::draft;
use crate::error::HarnessError;
use crate::junit::{self, Evidence};
use crate::record::{Case, Counts, CutShort, Header, Record};
use crate::recorder::{Output, Recorder};
use crate::summary::Summary;
use crate::verdict::Verdict;

/// How many failures are shown in full as they happen, and how many errors, each with another cause; and how many more are shown at the end. If there are
/// more than that, only their number is.
const MAX_SHOWN: (usize, usize) = (2, 8);

/// How much of a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// The counts.
    Quiet,
    /// Some failures, and a summary of the others.
    Usual,
    /// Each case.
    Verbose,
}

/// A run in progress.
pub struct Running<'a> {
    /// Where it is shown.
    pub console: &'a mut Console,
    /// How much of it.
    pub verbosity: Verbosity,
    /// What is run.
    pub header: Header,
    /// Keeps the record.
    pub recorder: Recorder,
    /// The JUnit report.
    pub junit: Option<Output>,
    /// The draft of expected failures.
    pub draft: Option<Output>,
    /// After how many failures it ends.
    pub max_fail: Option<usize>,
    /// The results so far.
    pub summary: Summary,
    /// Why it ended early.
    pub cut_short: Option<CutShort>,
    cases: Vec<Case>,
    evidence: Vec<Evidence>,
    /// Failures and errors.
    shown: [usize; 2],
    hidden: usize,
    /// Failures that were not shown, of which one more is kept than is shown at the end.
    unshown: Vec<Case>,
    failed: Result<(), HarnessError>,
}

impl<'a> Running<'a> {
    /// A run that begins.
    pub fn new(console: &'a mut Console, verbosity: Verbosity, header: Header, recorder: Recorder) -> Running<'a> {
        Running {
            console,
            verbosity,
            header,
            recorder,
            junit: None,
            draft: None,
            max_fail: None,
            summary: Summary::default(),
            cut_short: None,
            cases: Vec::new(),
            evidence: Vec::new(),
            shown: [0, 0],
            hidden: 0,
            unshown: Vec::new(),
            failed: Ok(()),
        }
    }

    /// Adds the result of a case.
    pub fn add(&mut self, case: Case, evidence: Evidence) -> ControlFlow<()> {
        let host = format!("{} {}", self.header.host.name, self.header.host.version);
        let is_new = self.summary.add(&case, &host);
        self.show(&case, is_new);
        self.evidence.push(evidence);
        self.cases.push(case.clone());
        let progress = match self.summary.bad {
            0 => case.id.clone(),
            bad => format!("{bad} failed  {}", case.id),
        };
        self.console.progress(self.cases.len(), self.header.planned, &progress);
        if let Err(error) = self.recorder.add(case) {
            self.failed = Err(error);
            return ControlFlow::Break(());
        }
        if self.max_fail.is_some_and(|max| self.summary.bad >= max) && !self.is_done() {
            self.cut_short = Some(CutShort::MaxFail);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Whether all that was planned was run.
    pub fn is_done(&self) -> bool {
        self.cases.len() == self.header.planned
    }

    fn show(&mut self, case: &Case, is_new: bool) {
        match self.verbosity {
            Verbosity::Quiet => {}
            Verbosity::Verbose => self.console.each(case),
            Verbosity::Usual if !case.verdict.is_bad() => {}
            Verbosity::Usual => {
                let shown = &mut self.shown[usize::from(case.verdict == Verdict::Error)];
                let is_shown = is_new && *shown < MAX_SHOWN.0;
                if self.console.case(case, is_shown) {
                    *shown += usize::from(is_shown);
                    return;
                }
                self.hidden += 1;
                if self.unshown.len() <= MAX_SHOWN.1 {
                    self.unshown.push(case.clone());
                }
            }
        }
    }

    /// Ends the run, whose cases may not all have been run: shows the results and writes the files.
    pub fn end(&mut self, took: Duration) {
        if self.hidden <= MAX_SHOWN.1 {
            for case in std::mem::take(&mut self.unshown) {
                self.console.case(&case, true);
            }
            self.hidden = 0;
        }
        let counts = Counts::of(&self.cases);
        let (run, planned) = (self.cases.len(), self.header.planned);
        let details = if self.verbosity == Verbosity::Quiet { None } else { Some(&self.summary) };
        self.console.summary(&self.header, details, counts, took);
        if self.hidden > 0 {
            let hidden = self.hidden;
            self.console.status(&format!("{hidden} more failures are not shown: -v shows each, --report keeps them"));
        }
        match (self.failed.is_ok(), self.cut_short) {
            (false, _) | (true, None) => {}
            (true, Some(CutShort::Interrupted)) => {
                self.console.status(&format!("interrupted: {run} of {planned} cases were run"));
            }
            (true, Some(CutShort::MaxFail)) => {
                let max = self.max_fail.unwrap_or_default();
                self.console.status(&format!("ended by --max-fail {max}: {run} of {planned} cases were run"));
            }
        }
        if self.failed.is_ok() {
            self.failed = self.write();
        }
    }

    fn write(&mut self) -> Result<(), HarnessError> {
        let footer = self.recorder.end(self.cut_short)?;
        if let Some(file) = &mut self.draft {
            file.write(&draft(&self.header.host.name, &self.cases))?;
        }
        let Some(file) = &mut self.junit else { return Ok(()) };
        let record = Record { header: self.header.clone(), cases: std::mem::take(&mut self.cases), footer };
        let text = junit::render(&record, &self.evidence)?;
        self.cases = record.cases;
        file.write(&text)
    }

    /// The counts, unless something could not be written.
    pub fn counts(self) -> Result<Counts, HarnessError> {
        self.failed.map(|()| Counts::of(&self.cases))
    }
}
