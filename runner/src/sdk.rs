//! The command `sdk`.

use pw_harness::console::Console;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_harness::run::{self, Options};

use crate::cli::{CatalogArgs, SdkArgs, verbosity};
use crate::connect::{connection, invocation};
use crate::variations::{self, Subject};

/// Runs the SDK kit's cases with the plugins of an SDK.
///
/// # Errors
///
/// The manifest is wrong, or as [`run::run`].
pub fn run(args: &SdkArgs, console: &mut Console) -> Result<Exit, HarnessError> {
    let catalog = CatalogArgs { catalog: args.kit.clone(), sdk: Some(args.sdk.clone()) };
    let opened = catalog.open()?;
    if args.beyond.is_asked_for() {
        let invocation = invocation(&args.host, &catalog);
        let (words, jobs) = (args.cases.as_slice(), args.jobs.map(usize::from));
        let subject = Subject { catalog: &opened, words, abi: None, jobs, invocation };
        return variations::run(&subject, &args.beyond, &args.host, console);
    }
    let options = Options {
        catalog: opened,
        cases: args.cases.clone(),
        abi: None,
        level: None,
        failed: args.failed.clone(),
        shard: None,
        max_fail: None,
        require_coverage: None,
        verbosity: verbosity(args.quiet, args.verbose),
        jobs: args.jobs.map(usize::from),
        report: args.report.clone(),
        junit: args.junit.clone(),
        draft_known: args.draft_known.clone(),
        known: args.host.known.clone(),
        host: args.host.host.clone(),
        invocation: invocation(&args.host, &catalog),
    };
    run::run(&options, || connection(&args.host), console)
}
