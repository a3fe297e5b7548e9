//! The adapter as a program: its standard input and output, and its end.

use std::io::{stdin, stdout};
use std::path::PathBuf;

use pw_cases::serve::serve;

use crate::adapter::Envoy;
use crate::find;

/// Reads requests of the adapter protocol from standard input, a line each, and writes responses to standard output. `envoy`
/// is the Envoy to run, if one is named.
///
/// # Errors
///
/// There is no Envoy that can be run, or standard input or output failed.
pub fn run(envoy: Option<PathBuf>) -> Result<(), String> {
    let program = find::find(envoy).map_err(|missing| missing.to_string())?;
    let adapter = std::env::current_exe().and_then(|own| Envoy::new(own, program));
    let mut adapter = adapter.map_err(|error| format!("failed to start: {error}"))?;
    serve(&mut adapter, stdin().lock(), stdout()).map_err(|error| format!("failed to serve: {error}"))
}
