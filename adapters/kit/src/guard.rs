//! A child process that ends with its parent, even if the parent is killed.
//!
//! The adapter starts its own program again, as a *guard*: that asks the kernel for SIGKILL when the adapter ends, and then
//! executes the host's program, which keeps its process id and that request. Knows nothing of hosts.
//!
//! The request is not inherited by children of the host's process. A host that forks is to be configured so that it does not,
//! such as NGINX with `master_process off`.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, getppid};

/// The first argument of a guard. The parent's process id, the program and its arguments follow.
const FLAG: &str = "--become-guarded";

/// The command that does what `command` does, in a process that ends when this one does. `adapter` is the path of the
/// adapter's own program, whose main function calls [`become_guarded`]. The thread that starts it has to live as long as
/// the child is needed: the kernel counts the end of that thread as the parent's.
pub fn guarded(adapter: &Path, command: &Command) -> Command {
    let mut guard = Command::new(adapter);
    guard.arg(FLAG).arg(std::process::id().to_string()).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => guard.env(name, value),
            None => guard.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        guard.current_dir(folder);
    }
    guard
}

/// Executes the host's program in place of this one, if this process was started as a guard. Returns `None` if it was not,
/// and an exit code if that failed. The main function of an adapter calls it first.
pub fn become_guarded() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != FLAG {
        return None;
    }
    let parent = arguments.next().and_then(|parent| parent.to_str()?.parse().ok()).and_then(Pid::from_raw);
    let error = match (end_with_parent(), arguments.next()) {
        (Err(error), _) => error,
        // The parent may have ended before the request was made.
        (Ok(()), _) if parent.is_none() || getppid() != parent => return Some(ExitCode::FAILURE),
        (Ok(()), None) => std::io::ErrorKind::InvalidInput.into(),
        (Ok(()), Some(program)) => Command::new(program).args(arguments).exec(),
    };
    eprintln!("failed to start the host: {error}");
    Some(ExitCode::FAILURE)
}

#[cfg(target_os = "linux")]
fn end_with_parent() -> std::io::Result<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// Other kernels have no such request: the child is killed when the adapter ends in order, and stays when it is killed.
#[cfg(not(target_os = "linux"))]
fn end_with_parent() -> std::io::Result<()> {
    Ok(())
}
