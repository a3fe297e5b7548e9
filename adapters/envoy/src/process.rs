//! The Envoy process: started, watched, killed.
//!
//! Knows nothing of what Envoy does; hands on its log line by line, and its end.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use crate::net::Incoming;
use crate::{guard, log};

/// A running Envoy. It is killed when this is dropped.
pub struct Process {
    /// Its process id, which is that of its main thread.
    pub id: u32,
    kill: Option<oneshot::Sender<()>>,
    log: Arc<Log>,
}

/// What Envoy writes to its standard error.
struct Log {
    pipe: Receiver,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    whole: VecDeque<Vec<u8>>,
    /// A line whose end has not come.
    part: Vec<u8>,
}

/// How much of what Envoy does it tells of in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Each call into a plugin and out of it, which is what tells the plugins of a chain apart.
    Calls,
    /// What plugins log, and what becomes of their VMs.
    Plugins,
}

impl Process {
    /// Starts Envoy. What it does not need any more it drains for so many seconds, and then cuts off. That it has logged,
    /// its end and the end of its log come through `inbox`.
    pub fn start(
        adapter: &Path,
        program: &Path,
        bootstrap: &Value,
        (drain, detail): (u32, Detail),
        inbox: &UnboundedSender<Incoming>,
    ) -> io::Result<Process> {
        let mut command = Command::from(guard::command(adapter, program));
        command.arg("--config-yaml").arg(bootstrap.to_string());
        command.args(["--concurrency", "1", "--disable-hot-restart"]);
        command.args(["--drain-time-s", &drain.to_string(), "--drain-strategy", "immediate"]);
        let level = if detail == Detail::Calls { "wasm:trace" } else { "wasm:debug" };
        command.args(["--log-level", "warning", "--component-log-level", level]);
        command.args(["--log-format", log::FORMAT, "--log-format-escaped"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let id = child.id().ok_or_else(|| std::io::Error::other("it has no process id"))?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("it has no standard error"))?;
        let pipe = Receiver::from_owned_fd(stderr.into_owned_fd()?)?;
        let log = Arc::new(Log { pipe, lines: Mutex::default() });
        tokio::spawn(read_log(log.clone(), inbox.clone()));
        let (kill, killed) = oneshot::channel();
        tokio::spawn(watch(child, killed, inbox.clone()));
        Ok(Process { id, kill: Some(kill), log })
    }

    /// The lines that it has written by now, without their ends; each is told once.
    pub fn lines(&self) -> VecDeque<Vec<u8>> {
        // Its end and its errors are seen by who waits for more.
        let _ = self.log.read();
        std::mem::take(&mut self.log.lines().whole)
    }

    /// Kills it.
    pub fn kill(&mut self) {
        // If nobody listens, it has ended already.
        let _ = self.kill.take().map(|kill| kill.send(()));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Log {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is there; whether more may come.
    fn read(&self) -> bool {
        let mut piece = [0; 1 << 14];
        loop {
            let read = match self.pipe.try_read(&mut piece) {
                Ok(0) => return false,
                Ok(read) => &piece[..read],
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            };
            let Lines { whole, part } = &mut *self.lines();
            let mut pieces = read.split(|byte| *byte == b'\n');
            part.extend(pieces.next().unwrap_or_default());
            for next in pieces {
                whole.push_back(std::mem::replace(part, next.to_vec()));
            }
        }
    }
}

async fn watch(mut child: Child, killed: oneshot::Receiver<()>, inbox: UnboundedSender<Incoming>) {
    let status = tokio::select! {
        status = child.wait() => status,
        _ = killed => {
            // It fails only if the child has ended, and then waiting is all that is left.
            let _ = child.start_kill();
            child.wait().await
        }
    };
    let _ = inbox.send(Incoming::Exited(status.map_or_else(|error| error.to_string(), describe)));
}

/// Reads as long as there is something, so that Envoy never waits to write.
async fn read_log(log: Arc<Log>, inbox: UnboundedSender<Incoming>) {
    while log.pipe.readable().await.is_ok() && log.read() {
        if inbox.send(Incoming::Logged).is_err() {
            return;
        }
    }
    let _ = inbox.send(Incoming::Logged);
    let _ = inbox.send(Incoming::LogEnded);
}

/// `SIGSEGV`, or `exit status 1`.
fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => signal_name(signal).map_or_else(|| format!("signal {signal}"), Into::into),
        (None, code) => format!("exit status {}", code.unwrap_or_default()),
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    use rustix::process::Signal;
    let names = [
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::ILL, "SIGILL"),
        (Signal::INT, "SIGINT"),
        (Signal::KILL, "SIGKILL"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::SYS, "SIGSYS"),
        (Signal::TERM, "SIGTERM"),
        (Signal::TRAP, "SIGTRAP"),
    ];
    names.into_iter().find(|(signal, _)| signal.as_raw() == number).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends() {
        let rows = [(11, "SIGSEGV"), (9, "SIGKILL"), (6, "SIGABRT"), (40, "signal 40"), (256, "exit status 1")];
        for (raw, text) in rows {
            assert_eq!(describe(ExitStatus::from_raw(raw)), text);
        }
    }
}
