//! The command `adapter`: the adapters that are in this program, each on standard input and output.

use std::io::{stdin, stdout};

use pw_cases::serve::serve;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_reference::InProcess;

use crate::cli::AdapterCommand;

/// Drives a host until the harness ends it.
///
/// # Errors
///
/// The host cannot be started, or standard input or output failed.
pub fn run(command: &AdapterCommand) -> Result<Exit, HarnessError> {
    match command {
        AdapterCommand::Reference { choices } => {
            let mut adapter = InProcess::with_choices(choices.choices()?)?;
            serve(&mut adapter, stdin().lock(), stdout())
                .map_err(|error| HarnessError::io("serve", "the reference host", &error))?;
            Ok(Exit::Passed)
        }
        AdapterCommand::Envoy { envoy } => run_envoy(envoy.clone()),
        AdapterCommand::Sidecar { serve: Some(config) } => serve_sidecar(config),
        AdapterCommand::Sidecar { serve: None } => run_sidecar(),
    }
}

fn run_envoy(envoy: Option<std::path::PathBuf>) -> Result<Exit, HarnessError> {
    pw_adapter_envoy::program::run(envoy).map(|()| Exit::Passed).map_err(HarnessError::new)
}

fn run_sidecar() -> Result<Exit, HarnessError> {
    let program = std::env::current_exe().map_err(|error| HarnessError::io("find", "this program", &error))?;
    let command = [program.into(), "adapter".into(), "sidecar".into(), "--serve".into()].to_vec();
    let target = pw_adapter_sidecar::target::Sidecar::new(command, env!("CARGO_PKG_VERSION"));
    pw_adapter_kit::program::run(Box::new(target)).map(|()| Exit::Passed).map_err(HarnessError::new)
}

fn serve_sidecar(config: &std::path::Path) -> Result<Exit, HarnessError> {
    pw_sidecar::serve::run_file(config).map(|()| Exit::Passed).map_err(HarnessError::new)
}
