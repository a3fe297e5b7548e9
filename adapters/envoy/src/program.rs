//! The adapter as a program: its standard input and output, and its end.

use std::path::PathBuf;

use crate::find;
use crate::serve::Server;

/// Reads requests of the adapter protocol from standard input, a line each, and writes responses to standard output. `envoy`
/// is the Envoy to run, if somebody named one.
///
/// # Errors
///
/// There is no Envoy that can be run, or standard input or output failed.
pub fn run(envoy: Option<PathBuf>) -> Result<(), String> {
    let program = find::find(envoy).map_err(|missing| missing.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.and_then(|runtime| {
        let server = Server::new(std::env::current_exe()?, program);
        let served = runtime.block_on(server.serve(tokio::io::stdin(), tokio::io::stdout()));
        // Returns without waiting for the end of standard input.
        runtime.shutdown_background();
        served
    });
    served.map_err(|error| format!("failed to serve: {error}"))
}
