//! The adapter as a program: its standard input and output, and its end.

use std::io::{stdin, stdout};

use pw_cases::serve::serve;

use crate::adapter::Adapter;
use crate::target::Target;

/// Reads requests of the adapter protocol from standard input, a line each, and writes responses to standard output, until
/// there are no more. [`crate::guard::become_guarded`] has to be called first, on the main thread, as has this.
///
/// # Errors
///
/// Standard input or output failed.
pub fn run(target: Box<dyn Target>) -> Result<(), String> {
    let adapter = std::env::current_exe().and_then(|program| Adapter::new(program, target));
    let mut adapter = adapter.map_err(|error| format!("failed to start: {error}"))?;
    serve(&mut adapter, stdin().lock(), stdout()).map_err(|error| format!("failed to serve: {error}"))
}
