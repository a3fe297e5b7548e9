//! The Envoy process: started, watched, killed.
//!
//! Knows nothing of what Envoy does; hands on its log line by line, and its end.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use crate::net::Incoming;
use crate::{guard, log};

/// A running Envoy. It is killed when this is dropped.
pub struct Process {
    /// Its process id, which is that of its main thread.
    pub id: u32,
    kill: Option<oneshot::Sender<()>>,
}

impl Process {
    /// Starts Envoy. What it does not need any more it drains for so many seconds, and then cuts off. Its log lines, its
    /// end and the end of its log come through `inbox`.
    pub fn start(
        adapter: &Path,
        program: &Path,
        bootstrap: &Value,
        drain: u32,
        inbox: &UnboundedSender<Incoming>,
    ) -> std::io::Result<Process> {
        let mut command = Command::from(guard::command(adapter, program));
        command.arg("--config-yaml").arg(bootstrap.to_string());
        command.args(["--concurrency", "1", "--disable-hot-restart"]);
        command.args(["--drain-time-s", &drain.to_string(), "--drain-strategy", "immediate"]);
        command.args(["--log-level", "warning", "--component-log-level", "wasm:trace"]);
        command.args(["--log-format", log::FORMAT, "--log-format-escaped"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let id = child.id().ok_or_else(|| std::io::Error::other("it has no process id"))?;
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(read_log(BufReader::with_capacity(1 << 16, stderr), inbox.clone()));
        }
        let (kill, killed) = oneshot::channel();
        tokio::spawn(watch(child, killed, inbox.clone()));
        Ok(Process { id, kill: Some(kill) })
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

async fn read_log(mut stderr: impl AsyncBufReadExt + Unpin, inbox: UnboundedSender<Incoming>) {
    let mut line = Vec::new();
    while let Ok(1..) = stderr.read_until(b'\n', &mut line).await {
        let text = line.strip_suffix(b"\n").unwrap_or(&line).to_vec();
        line.clear();
        if inbox.send(Incoming::Line(text)).is_err() {
            return;
        }
    }
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
