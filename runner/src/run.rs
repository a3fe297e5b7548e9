//! The command `run`.

use pw_harness::console::Console;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_harness::run::{self, Options};

use crate::cli::{RunArgs, verbosity};
use crate::connect::{connection, invocation};
use crate::variations::{self, Subject};

/// Runs cases on a host.
///
/// # Errors
///
/// As [`run::run`].
pub fn run(args: &RunArgs, console: &mut Console) -> Result<Exit, HarnessError> {
    let catalog = args.catalog.open()?;
    if args.beyond.is_asked_for() {
        let invocation = invocation(&args.host, &args.catalog);
        let (words, jobs) = (args.cases.as_slice(), args.jobs.map(usize::from));
        let subject = Subject { catalog: &catalog, words, abi: args.abi, jobs, invocation };
        return variations::run(&subject, &args.beyond, &args.host, console);
    }
    let options = Options {
        catalog,
        cases: args.cases.clone(),
        abi: args.abi,
        level: args.level,
        failed: args.failed.clone(),
        shard: args.shard,
        max_fail: args.max_fail,
        require_coverage: args.require_coverage,
        verbosity: verbosity(args.quiet, args.verbose),
        jobs: args.jobs.map(usize::from),
        report: args.report.clone(),
        junit: args.junit.clone(),
        draft_known: args.draft_known.clone(),
        known: args.host.known.clone(),
        host: args.host.host.clone(),
        invocation: invocation(&args.host, &args.catalog),
    };
    run::run(&options, || connection(&args.host), console)
}
