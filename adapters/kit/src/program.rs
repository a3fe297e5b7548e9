//! The adapter as a program: its standard input and output, and its end.

use crate::adapter::Adapter;
use crate::serve::serve;
use crate::target::Target;

/// Reads requests of the adapter protocol from standard input, a line each, and writes responses to standard output, until
/// there are no more. [`crate::guard::become_guarded`] has to be called first, on the main thread, as has this.
///
/// # Errors
///
/// Standard input or output failed.
pub fn run(target: Box<dyn Target>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.and_then(|runtime| {
        let adapter = Adapter::new(std::env::current_exe()?, target);
        let served = runtime.block_on(serve(adapter, tokio::io::stdin(), tokio::io::stdout()));
        // Returns without waiting for the end of standard input.
        runtime.shutdown_background();
        served
    });
    served.map_err(|error| format!("failed to serve: {error}"))
}
