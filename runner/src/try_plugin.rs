//! The command `try`: one request through a plugin on the reference host.

use crate::cli::TryArgs;
use crate::error::HarnessError;

/// Sends the request, and tells what the upstream saw, what the client got, what was logged, and what was called.
pub fn run(args: &TryArgs) -> Result<String, HarnessError> {
    Err(HarnessError::new(format!("failed to try {}: this is not yet here", args.plugin.display())))
}
