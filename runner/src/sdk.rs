//! The command `sdk`.

use pw_harness::console::Console;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_harness::run::{self, Options};
use pw_harness::running::Verbosity;

use crate::cli::{CatalogArgs, SdkArgs};
use crate::connect::{connection, invocation};

/// Runs the SDK kit's cases with the plugins of an SDK.
///
/// # Errors
///
/// The manifest is wrong, or as [`run::run`].
pub fn run(args: &SdkArgs, console: &mut Console) -> Result<Exit, HarnessError> {
    let catalog = CatalogArgs { catalog: args.kit.clone(), sdk: Some(args.sdk.clone()) };
    let options = Options {
        catalog: catalog.open()?,
        cases: args.cases.clone(),
        abi: None,
        level: None,
        failed: args.failed.clone(),
        shard: None,
        max_fail: None,
        require_coverage: None,
        verbosity: match (args.quiet, args.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Usual,
        },
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
