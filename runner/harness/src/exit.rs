//! How the program ends.

use crate::record::Counts;

/// Exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing failed.
    Passed = 0,
    /// A case failed, or an expected failure passes; a module has errors; a promise of the soak does not hold.
    Failed = 1,
    /// The harness or its input failed.
    Broken = 2,
    /// Interrupted by Ctrl-C; shells use this code for it.
    Interrupted = 130,
}

impl Exit {
    /// The exit that these counts mean.
    pub fn of(counts: Counts, input_is_bad: bool) -> Exit {
        match counts {
            _ if input_is_bad || counts.error > 0 => Exit::Broken,
            _ if counts.fail + counts.stale > 0 => Exit::Failed,
            _ => Exit::Passed,
        }
    }
}
