//! Fuzzes the reference host for a minute on one core, or as many seconds as the argument says, and ends with 1 at the first find: for
//! mutants of the host that the catalog does not notice.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use pw_fuzz::campaign::Campaign;
use pw_reference::Reference;

fn main() -> Result<ExitCode, String> {
    let seconds = std::env::args().nth(1).map_or(Ok(60), |seconds| seconds.parse::<u64>());
    let time = Duration::from_secs(seconds.map_err(|error| format!("expected a number of seconds: {error}"))?);
    let mut campaign = Campaign::new(Reference::pooled()?, 1);
    let begun = Instant::now();
    let mut inputs = 0;
    while begun.elapsed() < time {
        inputs += 1;
        if let Some(find) = campaign.advance()? {
            println!("input {inputs}: {}: {}", find.finding.about, find.finding.message);
            return Ok(ExitCode::FAILURE);
        }
    }
    println!("nothing in {inputs} inputs");
    Ok(ExitCode::SUCCESS)
}
