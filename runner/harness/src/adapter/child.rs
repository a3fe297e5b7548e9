//! A child process that is spoken to in lines: never waits for longer than its timeout, and keeps the last lines of the child's standard error.
//!
//! Knows nothing of what the lines say.

use std::io::{BufReader, Read, Write};
use std::process::{Child as Process, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How much of the standard error is kept.
const STDERR_TAIL_BYTES: usize = 4096;
/// How long a line may be, in MiB. No transcript comes near it.
pub(super) const MAX_LINE_MIB: usize = 64;
/// The number of lines that are read ahead.
const MAX_LINES_AHEAD: usize = 4;
/// What a child that lived on is said to have done.
pub(super) const KILLED: &str = "did not end, and was killed";
/// How long a child that failed us gets to end once its standard input is closed.
pub(super) const END_TIMEOUT: Duration = Duration::from_secs(3);

/// A running child.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    input: Option<Sender<Vec<u8>>>,
    lines: Receiver<Vec<u8>>,
    unfinished: Shared,
    errors: Shared,
    errors_read: thread::JoinHandle<()>,
}

/// Bytes that a thread gathers and others look at.
type Shared = Arc<Mutex<Vec<u8>>>;

/// Why there is no line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReadError {
    /// None came in time; this much of one was there.
    Timeout(Vec<u8>),
    /// The standard output ended; this much of a line was there.
    Eof(Vec<u8>),
    /// The line was longer than [`MAX_LINE_MIB`].
    LineTooLong,
}

impl Child {
    /// Starts the program that the first word names, with the others as its arguments.
    pub(super) fn start(words: &[String]) -> std::io::Result<Child> {
        let (program, args) = words.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Its own process group, so that what the program starts can be killed with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.spawn()?;
        let unfinished = Shared::default();
        let errors = Shared::default();
        let (input, to_write) = channel();
        let (lines_read, lines) = sync_channel(MAX_LINES_AHEAD);
        if let Some(pipe) = process.stdin.take() {
            thread::spawn(move || write(pipe, &to_write));
        }
        if let Some(pipe) = process.stdout.take() {
            let unfinished = unfinished.clone();
            thread::spawn(move || read_lines(pipe, &unfinished, &lines_read));
        }
        let pipe = process.stderr.take();
        let kept = errors.clone();
        let errors_read = thread::spawn(move || pipe.into_iter().for_each(|pipe| keep_tail(pipe, &kept)));
        Ok(Child { process, input: Some(input), lines, unfinished, errors, errors_read })
    }

    /// Sends a line; a child that reads none notices nothing.
    pub(super) fn send(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        // A child that is gone is noticed when its answer is awaited.
        let _ = self.input.as_ref().map(|input| input.send(line));
    }

    /// The next line, without its end.
    pub(super) fn line(&self, timeout: Duration) -> Result<Vec<u8>, ReadError> {
        let unfinished = || locked(&self.unfinished).clone();
        self.lines.recv_timeout(timeout).map_err(|error| match error {
            RecvTimeoutError::Disconnected if locked(&self.unfinished).len() > MAX_LINE_MIB << 20 => {
                ReadError::LineTooLong
            }
            RecvTimeoutError::Timeout => ReadError::Timeout(unfinished()),
            RecvTimeoutError::Disconnected => ReadError::Eof(unfinished()),
        })
    }

    /// A line that is there already.
    pub(super) fn waiting_line(&self) -> Option<Vec<u8>> {
        self.lines.try_recv().ok()
    }

    /// Closes the standard input, waits that long for the child to end, kills it if it does not, and says how it ended.
    pub(super) fn end(&mut self, grace: Duration) -> String {
        self.input = None;
        let ended = self.wait(grace).map_or_else(|| self.kill(), how);
        let until = Instant::now() + END_TIMEOUT / 4;
        while !self.errors_read.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        ended
    }

    /// Kills the child, and what it has started.
    pub(super) fn kill(&mut self) -> String {
        kill_group(&self.process);
        // Both fail only for a child that is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
        KILLED.to_owned()
    }

    /// The last lines of its standard error.
    pub(super) fn last_words(&self) -> String {
        let errors = locked(&self.errors);
        let text = String::from_utf8_lossy(&errors);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + timeout;
        loop {
            match self.process.try_wait() {
                Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(5)),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(Some(_))) {
            self.end(END_TIMEOUT);
        }
    }
}

#[cfg(unix)]
fn kill_group(process: &Process) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(process.id()).ok().and_then(Pid::from_raw) {
        // It fails if nothing of the group is left.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill_group(_: &Process) {}

fn locked(shared: &Shared) -> MutexGuard<'_, Vec<u8>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(mut pipe: ChildStdin, lines: &Receiver<Vec<u8>>) {
    for line in lines {
        if pipe.write_all(&line).and_then(|()| pipe.flush()).is_err() {
            return;
        }
    }
}

/// Stops at a line that is too long; what a child writes beyond the lines that are read ahead waits in its pipe.
fn read_lines(pipe: impl Read, unfinished: &Shared, lines: &SyncSender<Vec<u8>>) {
    let mut pipe = BufReader::new(pipe);
    let mut piece = vec![0; 0x1_0000];
    while let Ok(size @ 1..) = pipe.read(&mut piece) {
        let mut rest = &piece[..size];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let mut line = std::mem::take(&mut *locked(unfinished));
            line.extend(&rest[..end]);
            rest = &rest[end + 1..];
            if lines.send(line).is_err() {
                return;
            }
        }
        let mut unfinished = locked(unfinished);
        unfinished.extend(rest);
        if unfinished.len() > MAX_LINE_MIB << 20 {
            return;
        }
    }
}

fn keep_tail(mut pipe: impl Read, kept: &Shared) {
    let mut piece = vec![0; STDERR_TAIL_BYTES];
    while let Ok(size @ 1..) = pipe.read(&mut piece) {
        let mut kept = locked(kept);
        kept.extend(&piece[..size]);
        let over = kept.len().saturating_sub(STDERR_TAIL_BYTES);
        kept.drain(..over);
    }
}

/// How a process ended: `exit status 1`, `SIGSEGV`.
fn how(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        const NAMES: [(i32, &str); 10] = [
            (1, "SIGHUP"),
            (2, "SIGINT"),
            (3, "SIGQUIT"),
            (4, "SIGILL"),
            (6, "SIGABRT"),
            (8, "SIGFPE"),
            (9, "SIGKILL"),
            (11, "SIGSEGV"),
            (13, "SIGPIPE"),
            (15, "SIGTERM"),
        ];
        let name = NAMES.iter().find(|(number, _)| *number == signal);
        return name.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned());
    }
    status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"))
}
