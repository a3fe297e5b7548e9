//! The adapter for Envoy as a program.

use std::path::PathBuf;

use crate::find;
use crate::target::Envoy;

/// Reads requests of the adapter protocol from standard input, a line each, and writes responses to standard output. `envoy`
/// is the path of the Envoy to run; without one it is looked for as [`find::find`] says.
///
/// # Errors
///
/// There is no Envoy that can be run, or standard input or output failed.
pub fn run(envoy: Option<PathBuf>) -> Result<(), String> {
    let program = find::find(envoy).map_err(|missing| missing.to_string())?;
    pw_adapter_kit::program::run(Box::new(Envoy::new(program)))
}
