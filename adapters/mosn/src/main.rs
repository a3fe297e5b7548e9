//! Runs scenarios on MOSN: what [`pw_adapter_kit`] has to know of it.
//!
//! [`target`] is the server with its configuration, [`driver`] one process of it and its log. Each scenario has its own process:
//! MOSN has one set of shared data and queues for all plugins.

mod driver;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;

use pw_adapter_kit::{guard, program};

use target::Mosn;

fn main() -> ExitCode {
    if let Some(code) = guard::become_guarded() {
        return code;
    }
    let server = std::env::current_exe().map(|adapter| adapter.with_file_name("mosn"));
    let run = |server: PathBuf| program::run(Box::new(Mosn::new(server)));
    match server.map_err(|error| error.to_string()).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
