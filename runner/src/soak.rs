//! The command `soak`.

use pw_harness::console::Console;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_soak::Options;

use crate::cli::SoakArgs;

/// Runs a soak and prints its report.
///
/// # Errors
///
/// The soak cannot be set up.
pub fn run(args: &SoakArgs, console: &mut Console) -> Result<Exit, HarnessError> {
    let SoakArgs { time, plugins, bad, seed, .. } = *args;
    let options = Options { time, plugins, bad, seed };
    let mut progress = |done: usize, all: usize, what: &str| console.progress(done, all, what);
    let report = pw_soak::run(options, &mut progress)?;
    console.clear();
    console.print(&if args.json { report.json() } else { report.text() });
    Ok(if report.is_bad(args.check) { Exit::Failed } else { Exit::Passed })
}
