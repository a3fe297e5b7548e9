//! The catalog as tests of `cargo test`, for hosts that are written in Rust.
//!
//! A file in `tests/`, for which `Cargo.toml` has `harness = false`, is all that a host needs besides its adapter:
//!
//! ```no_run
//! # use pw_cases::adapter::{Adapter, Outcome};
//! # use pw_cases::protocol::Host;
//! # struct MyAdapter(Host);
//! # impl MyAdapter { fn new() -> MyAdapter { unimplemented!() } }
//! # impl Adapter for MyAdapter {
//! #     fn host(&self) -> &Host { &self.0 }
//! #     fn run(&mut self, _: &str, _: pw_abi::Version, _: &pw_cases::scenario::Scenario) -> Result<Outcome, String> {
//! #         unimplemented!()
//! #     }
//! # }
//! fn main() -> std::process::ExitCode {
//!     pw_harness::suite::suite(MyAdapter::new)
//! }
//! ```
//!
//! Filters and flags are those of any test: `cargo test --test conformance -- http_fields`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use pw_cases::adapter::Adapter;
use pw_cases::case::{Case, Level};
use pw_cases::known::ExpectedFailures;

use crate::attempt::attempt;
use crate::embedded::Catalog;
use crate::error::HarnessError;
use crate::invocation::Invocation;
use crate::plan::Job;
use crate::record;
use crate::run::expected_failures;
use crate::survey::Survey;
use crate::verdict::Verdict;
use crate::weigh::weigh;

/// Runs the catalog on a host, a test per case, with the expected failures that the catalog has for a host of that name.
/// `adapter` makes an adapter; each of the threads gets its own.
pub fn suite<A: Adapter + 'static>(adapter: impl Fn() -> A + Send + Sync + 'static) -> ExitCode {
    run(adapter, None)
}

/// The same with the expected failures of a file.
pub fn suite_with_known<A: Adapter + 'static>(
    adapter: impl Fn() -> A + Send + Sync + 'static,
    known: impl AsRef<Path>,
) -> ExitCode {
    run(adapter, Some(known.as_ref().to_owned()))
}

fn run<A: Adapter + 'static>(make: impl Fn() -> A + Send + Sync + 'static, known: Option<PathBuf>) -> ExitCode {
    let args = Arguments::from_args();
    match Suite::new(make, known.as_deref()).and_then(Suite::trials) {
        Ok(trials) => libtest_mimic::run(&args, trials).exit_code(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

struct Suite<A> {
    make: Box<dyn Fn() -> A + Send + Sync>,
    /// Adapters that no test uses at the moment.
    idle: Mutex<Vec<A>>,
    survey: Survey,
    known: ExpectedFailures,
    invocation: Invocation,
}

impl<A: Adapter + 'static> Suite<A> {
    fn new(make: impl Fn() -> A + Send + Sync + 'static, known: Option<&Path>) -> Result<Suite<A>, HarnessError> {
        let mut adapter = make();
        let survey = Survey::of(&mut adapter, &pw_abi::Version::FINAL)?;
        let known = expected_failures(known, adapter.host(), &Catalog::Embedded)?;
        let invocation = Invocation::new(vec![("--host", adapter.host().name.clone())]);
        Ok(Suite { make: Box::new(make), idle: Mutex::new(vec![adapter]), survey, known, invocation })
    }

    fn trials(self) -> Result<Vec<Trial>, HarnessError> {
        let (cases, errors) = Catalog::Embedded.cases();
        if let Some(error) = errors.first() {
            return Err(HarnessError::new(error.to_string()));
        }
        let suite = Arc::new(self);
        let trial = |case: Case| {
            let suite = suite.clone();
            Trial::ignorable_test(case.id.clone(), move || suite.test(&case))
        };
        Ok(cases.into_iter().map(trial).collect())
    }

    /// A case in all of its versions. It is ignored if it can be run in none of them.
    fn test(&self, case: &Case) -> Result<Completion, Failed> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut adapter = idle.unwrap_or_else(&self.make);
        let lines: Vec<record::Case> = case
            .versions
            .iter()
            .map(|version| {
                let job = Job { case, target: &case.id, version: *version };
                weigh(job, &attempt(job, &mut adapter, &self.survey), &self.known, &self.invocation)
            })
            .collect();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(adapter);
        let bad: Vec<&record::Case> = lines.iter().filter(|line| line.verdict.is_bad()).collect();
        if !bad.is_empty() {
            return Err(Failed::from(message(case, &bad)));
        }
        if lines.iter().all(|line| line.verdict == Verdict::Skip) {
            let reason = lines.first().and_then(|line| line.reason.clone()).unwrap_or_default();
            return Ok(Completion::ignored_with(reason));
        }
        Ok(Completion::Completed)
    }
}

/// What failed in a case: per version each finding, and where the text of the specification is.
fn message(case: &Case, bad: &[&record::Case]) -> String {
    let mut text = format!("{} ({})\n", case.title, Level::to_string(&case.level));
    for line in bad {
        let reason = line.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        let _ = writeln!(text, "ABI v{}: {}{reason}", line.abi, line.verdict);
        for finding in &line.findings {
            let _ = writeln!(text, "  {}:{}: {}", line.file, finding.line, finding.subject);
            let _ = writeln!(text, "    expected {}\n    actual   {}", finding.expected, finding.actual);
        }
    }
    let latest = case.versions.last().copied().unwrap_or(pw_abi::Version::V0_2_1);
    for clause in &case.clauses {
        let _ = writeln!(text, "clause {clause}  {}", pw_abi::clause_url(clause, latest));
    }
    text
}
