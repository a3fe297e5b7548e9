//! One process of the host: started, watched, killed.
//!
//! Knows nothing of what the host does; reports its log line by line, and its end.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::unix::pipe::Receiver;
use tokio::process::Child;
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use crate::guard;
use crate::net::Incoming;

/// How much of the log is read at once.
const READ_BYTES: usize = 1 << 14;
/// Bytes of a line of the log; the rest of a longer line is dropped.
const MAX_LINE_BYTES: usize = 64 << 20;

/// A running process. It is killed when this is dropped, and when the adapter ends.
pub struct Process {
    /// Its process id.
    pub id: u32,
    kill: Option<oneshot::Sender<()>>,
    log: Arc<Log>,
}

/// What the process writes to its standard error.
struct Log {
    pipe: Receiver,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    whole: VecDeque<Vec<u8>>,
    /// A line that is not complete.
    part: Vec<u8>,
}

impl Process {
    /// Runs `command`. Its log, which is its standard error, and its end are reported through `inbox`. `adapter` is the path of
    /// the adapter's own program, as [`guard::guarded`] needs it.
    ///
    /// # Errors
    ///
    /// The program cannot be run.
    pub fn start(adapter: &Path, command: &Command, inbox: &UnboundedSender<Incoming>) -> io::Result<Process> {
        let mut command = tokio::process::Command::from(guard::guarded(adapter, command));
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

    /// The lines that it has written since the last call, without their ends.
    pub fn lines(&self) -> VecDeque<Vec<u8>> {
        // The end of the log and errors are found by the task that waits for more.
        let _ = self.log.read();
        std::mem::take(&mut self.log.lines().whole)
    }

    /// Kills it.
    pub fn kill(&mut self) {
        // If nothing listens, it has exited already.
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

    /// Reads what is there. Returns whether more may come.
    fn read(&self) -> bool {
        let mut piece = [0; READ_BYTES];
        loop {
            let read = match self.pipe.try_read(&mut piece) {
                Ok(0) => return false,
                Ok(read) => &piece[..read],
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            };
            self.lines().add(read, MAX_LINE_BYTES);
        }
    }
}

impl Lines {
    /// Adds bytes of the log. Of a line, at most `limit` bytes are kept.
    fn add(&mut self, read: &[u8], limit: usize) {
        for (at, piece) in read.split(|byte| *byte == b'\n').enumerate() {
            if at > 0 {
                self.whole.push_back(std::mem::take(&mut self.part));
            }
            let kept = piece.len().min(limit.saturating_sub(self.part.len()));
            self.part.extend_from_slice(&piece[..kept]);
        }
    }
}

async fn watch(mut child: Child, killed: oneshot::Receiver<()>, inbox: UnboundedSender<Incoming>) {
    let status = tokio::select! {
        status = child.wait() => status,
        _ = killed => {
            // This fails only if the child has exited, and then it is enough to wait.
            let _ = child.start_kill();
            child.wait().await
        }
    };
    let _ = inbox.send(Incoming::Exited(status.map_or_else(|error| error.to_string(), describe)));
}

/// Reads as long as there is something, so that the process never waits to write.
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
    fn joins_the_pieces_of_lines_and_limits_them() {
        let mut lines = Lines::default();
        for piece in ["on", "e\n\ntw", "o\nlonger than", " eight\nx"] {
            lines.add(piece.as_bytes(), 8);
        }
        assert_eq!(lines.whole, ["one", "", "two", "longer t"].map(|line| line.as_bytes().to_vec()));
        assert_eq!(lines.part, b"x");
    }

    #[test]
    fn names_the_signal_or_the_exit_status() {
        let rows = [(11, "SIGSEGV"), (9, "SIGKILL"), (6, "SIGABRT"), (40, "signal 40"), (256, "exit status 1")];
        for (raw, text) in rows {
            assert_eq!(describe(ExitStatus::from_raw(raw)), text);
        }
    }
}
