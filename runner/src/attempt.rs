//! One case for one version through an adapter: lowered, run, read back, judged.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pw_cases::judge::{Judgement, judge};
use pw_cases::needs::needs;
use pw_cases::protocol::Host;
use pw_cases::report::decode;
use pw_cases::transcript::Transcript;

use crate::adapter::{Adapter, Outcome};
use crate::error::HarnessError;
use crate::plan::Job;

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum Attempt {
    /// The case was run, and its transcript judged.
    Judged(Transcript, Judgement),
    /// The case cannot be run on this host, for this reason.
    Skipped(String),
    /// The harness failed.
    Failed(HarnessError),
    /// The harness failed, and the adapter with it: it must not be used again.
    Panicked(HarnessError),
}

/// Attempts a job.
pub fn attempt(job: Job<'_>, adapter: &mut dyn Adapter) -> Attempt {
    let lowered = match job.case.lower(job.version) {
        Ok(lowered) => lowered,
        Err(complaint) => {
            let (file, line) = (&job.case.file, complaint.line);
            return Attempt::Failed(HarnessError::new(format!("{file}:{line}: {}", complaint.message)));
        }
    };
    if let Some(reason) = lacking(job, &lowered.scenario, adapter.host()) {
        return Attempt::Skipped(reason);
    }
    let run = || adapter.run(&job.case.id, job.version, &lowered.scenario);
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(Outcome::Ran(transcript))) => {
            let transcript = decode(transcript, &lowered.scenario);
            let judgement = judge(job.case, &lowered, &transcript);
            Attempt::Judged(transcript, judgement)
        }
        Ok(Ok(Outcome::Skipped(reason))) => Attempt::Skipped(reason),
        Ok(Err(error)) => Attempt::Failed(error),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Attempt::Panicked(HarnessError::new(format!("{} panicked: {text}", adapter.host().name)))
        }
    }
}

/// What the case needs and the host has not.
fn lacking(job: Job<'_>, scenario: &pw_cases::scenario::Scenario, host: &Host) -> Option<String> {
    let name = format!("{} {}", host.name, host.version);
    if !host.abi.iter().any(|version| version == job.version.name()) {
        return Some(format!("{name} does not implement ABI v{}", job.version));
    }
    let needs = needs(job.case, scenario);
    let lacks = needs.into_iter().filter(|need| !host.capabilities.contains(need)).map(|need| need.describe().1);
    let lacks: Vec<&str> = lacks.collect();
    (!lacks.is_empty()).then(|| format!("{name} {}", lacks.join(", and ")))
}
