//! A child that dies with its parent, whatever way the parent goes.
//!
//! The adapter starts itself once more, as a guard: that asks the kernel to be killed when the adapter ends, and then
//! becomes Envoy, which keeps its process id and that request.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, getppid};

/// The first argument of a guard. Then follow the parent's process id, the program, and its arguments.
const FLAG: &str = "--become-guarded";

/// A command that runs `program` and does not outlive this process. `adapter` is the adapter's own program.
pub fn command(adapter: &Path, program: &Path) -> Command {
    let mut command = Command::new(adapter);
    command.arg(FLAG).arg(std::process::id().to_string()).arg(program);
    command
}

/// If this process was started as a guard, becomes the program; returns only if it is none, or fails. The first thing that
/// the adapter's program does.
pub fn become_guarded() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != FLAG {
        return None;
    }
    let parent = arguments.next().and_then(|parent| parent.to_str()?.parse().ok()).and_then(Pid::from_raw);
    let error = match (die_with_parent(), arguments.next()) {
        (Err(error), _) => error,
        // The parent may have died before the request was made.
        (Ok(()), _) if parent.is_none() || getppid() != parent => return Some(ExitCode::FAILURE),
        (Ok(()), None) => std::io::ErrorKind::InvalidInput.into(),
        (Ok(()), Some(program)) => Command::new(program).args(arguments).exec(),
    };
    eprintln!("failed to start: {error}");
    Some(ExitCode::FAILURE)
}

#[cfg(target_os = "linux")]
fn die_with_parent() -> std::io::Result<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// Elsewhere the adapter kills the child when it ends in peace, and nobody does when it is killed.
#[cfg(not(target_os = "linux"))]
fn die_with_parent() -> std::io::Result<()> {
    Ok(())
}
