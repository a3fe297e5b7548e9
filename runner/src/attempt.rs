//! One case for one version through an adapter: lowered, run, read back, judged.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pw_cases::judge::{Judgement, judge};
use pw_cases::needs::needs;
use pw_cases::protocol::Host;
use pw_cases::report::decode;
use pw_cases::scenario::Scenario;
use pw_cases::transcript::{Event, Transcript};

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
            if let Some(untold) = untold(&lowered.scenario, &transcript) {
                return Attempt::Failed(HarnessError::new(format!("the adapter of {} {untold}", adapter.host().name)));
            }
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

/// What lacks of the steps, without which no expectation of a step's would be judged.
fn untold(scenario: &Scenario, transcript: &Transcript) -> Option<String> {
    let ends_early = |event: &Event| matches!(event, Event::Refused { .. } | Event::Died { .. });
    if transcript.events.iter().any(ends_early) {
        return None;
    }
    let told = transcript.events.iter().filter_map(|event| match event {
        Event::Step { index } => Some(*index),
        _ => None,
    });
    let told: Vec<u32> = told.collect();
    let count = scenario.steps.len();
    let is_whole = told.iter().map(|index| *index as usize).eq(0..count);
    (!is_whole).then(|| {
        format!("tells of steps {told:?}, but there are {count}: an event `step` comes before what is seen of each")
    })
}

/// What the case needs and the host has not.
fn lacking(job: Job<'_>, scenario: &Scenario, host: &Host) -> Option<String> {
    let name = format!("{} {}", host.name, host.version);
    if !host.abi.iter().any(|version| version == job.version.name()) {
        return Some(format!("{name} does not implement ABI v{}", job.version));
    }
    let needs = needs(job.case, scenario);
    let lacks = needs.into_iter().filter(|need| !host.capabilities.contains(need)).map(|need| need.describe().1);
    let lacks: Vec<&str> = lacks.collect();
    (!lacks.is_empty()).then(|| format!("{name} {}", lacks.join(", and ")))
}
