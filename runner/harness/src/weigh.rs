//! From an attempt to a line of the record: the outcome is compared with the expected failures of the host. Pure.

use pw_cases::case::Level;
use pw_cases::judge::Finding;
use pw_cases::known::{ExpectedFailures, Known};

use crate::attempt::Attempt;
use crate::invocation::Invocation;
use crate::plan::Job;
use crate::record;
use crate::verdict::Verdict;

/// The line of the record about a job.
pub fn weigh(job: Job<'_>, attempt: &Attempt, failures: &ExpectedFailures, invocation: &Invocation) -> record::Case {
    let case = job.case;
    let known = expected_failure(job, attempt, failures);
    let mut line = record::Case {
        id: case.id.clone(),
        abi: job.version.name().to_owned(),
        level: case.level.to_string(),
        title: case.title.clone(),
        statement: case.statements.iter().map(|id| (*id).to_owned()).collect(),
        clause: case.clauses.clone(),
        file: case.file.clone(),
        why: None,
        verdict: Verdict::Pass,
        reason: None,
        link: None,
        question: case.question.clone(),
        answer: None,
        findings: Vec::new(),
        reproduce: None,
    };
    match attempt {
        Attempt::Skipped(reason) => (line.verdict, line.reason) = (Verdict::Skip, Some(reason.clone())),
        Attempt::Failed(error) | Attempt::Panicked(error) => {
            (line.verdict, line.reason) = (Verdict::Error, Some(error.to_string()));
        }
        Attempt::Judged(..) | Attempt::Lacks(_) => {
            (line.answer, line.findings) = outcome(attempt);
            match (line.findings.is_empty(), known) {
                (true, Some(known)) => {
                    line.verdict = Verdict::Stale;
                    let place = format!("{}:{}", failures.file(), known.line);
                    line.reason = Some(format!("it passes now: remove or narrow the entry at {place}"));
                }
                (true, None) if case.level == Level::Unspecified => line.verdict = Verdict::Unspecified,
                (true, None) => {}
                (false, Some(known)) => {
                    line.verdict = Verdict::Known;
                    line.reason = Some(format!("{} ({})", known.does, known.why));
                    line.link = known.link.clone();
                }
                (false, None) => match failures.fault(&case.id, job.version) {
                    Some(fault) => {
                        line.findings.clear();
                        (line.verdict, line.reason) = (Verdict::Skip, Some(format!("{} ({})", fault.does, fault.why)));
                    }
                    None => (line.verdict, line.why) = (Verdict::Fail, case.why.clone()),
                },
            }
        }
    }
    if line.verdict.is_bad() {
        line.reproduce = Some(invocation.explain(job.target, job.version));
    }
    line
}

/// The entry about the job: about functions that the host lacks if that is its outcome, else about the case.
pub fn expected_failure<'a>(job: Job<'_>, attempt: &Attempt, failures: &'a ExpectedFailures) -> Option<&'a Known> {
    let lacking = match attempt {
        Attempt::Lacks(functions) => failures.lacking(functions, job.version),
        _ => None,
    };
    lacking.or_else(|| failures.find(&job.case.id, job.version))
}

/// The answers that a host chose, and what was not as expected.
fn outcome(attempt: &Attempt) -> (Option<String>, Vec<Finding>) {
    match attempt {
        Attempt::Judged(_, judgement) => {
            let answer = (!judgement.answers.is_empty()).then(|| judgement.answers.join("; "));
            (answer, judgement.findings.clone())
        }
        Attempt::Lacks(functions) => {
            let lacks = |function: &&str| Finding {
                line: 0,
                place: None,
                subject: (*function).to_owned(),
                call: None,
                expected: "a function that plugins can import".to_owned(),
                actual: format!("lacks {function}"),
            };
            (None, functions.iter().map(lacks).collect())
        }
        Attempt::Skipped(_) | Attempt::Failed(_) | Attempt::Panicked(_) => (None, Vec::new()),
    }
}
