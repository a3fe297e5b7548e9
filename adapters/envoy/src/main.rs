//! The program: its arguments and its end. All else is in the library.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pw_adapter_envoy::serve::Server;
use pw_adapter_envoy::{find, guard};

/// Runs conformance scenarios on a real Envoy.
///
/// Reads requests of the adapter protocol from standard input, a line each, and writes responses to standard output.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The Envoy program [default: $PW_CONFORM_ENVOY, else `envoy` on the PATH]
    #[arg(long, value_name = "PATH")]
    envoy: Option<PathBuf>,
}

fn main() -> ExitCode {
    if let Some(code) = guard::become_guarded() {
        return code;
    }
    let program = match find::find(Arguments::parse().envoy) {
        Ok(program) => program,
        Err(missing) => {
            eprintln!("{missing}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.and_then(|runtime| {
        let server = Server::new(std::env::current_exe()?, program);
        let served = runtime.block_on(server.serve(tokio::io::stdin(), tokio::io::stdout()));
        // Whoever still writes to standard input is not waited for.
        runtime.shutdown_background();
        served
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed to serve: {error}");
            ExitCode::FAILURE
        }
    }
}
