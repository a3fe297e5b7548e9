//! A child process that is spoken to in lines: never waits for longer than its timeout, and keeps the last lines of the child's standard error.
//!
//! Knows nothing of what the lines say.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How much of the standard error is kept.
const STDERR_TAIL_BYTES: usize = 4096;
/// How long a line may be, in MiB. No transcript comes near it.
pub(super) const MAX_LINE_MIB: usize = 64;
/// How much is read at a time: what a pipe holds.
const PIECE_BYTES: usize = 0x1_0000;
/// What a child that lived on is said to have done.
pub(super) const KILLED: &str = "did not end, and was killed";
/// How long a child that failed us gets to end once its standard input is closed.
pub(super) const END_TIMEOUT: Duration = Duration::from_secs(3);

/// A running child. One thread talks to it: what it does not read yet and what it writes are waited for at the same time.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    /// Lines that the child has not read, from its first byte on that is not written.
    unwritten: Vec<u8>,
    /// What the child wrote beyond the lines that were taken; there is no end of a line before `searched`.
    unread: Vec<u8>,
    searched: usize,
    piece: Vec<u8>,
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
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.spawn()?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let pipes = [input.as_ref().map(AsFd::as_fd), output.as_ref().map(AsFd::as_fd)];
        for pipe in pipes.into_iter().flatten() {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        let errors = Shared::default();
        let pipe = process.stderr.take();
        let kept = errors.clone();
        let errors_read = thread::spawn(move || pipe.into_iter().for_each(|pipe| keep_tail(pipe, &kept)));
        Ok(Child {
            process,
            input,
            output,
            unwritten: Vec::new(),
            unread: Vec::new(),
            searched: 0,
            piece: vec![0; PIECE_BYTES],
            errors,
            errors_read,
        })
    }

    /// Sends a line, as far as the child reads it now; [`Child::line`] sends the rest. A child that reads none notices nothing.
    pub(super) fn send(&mut self, line: &[u8]) {
        self.unwritten.extend(line);
        self.unwritten.push(b'\n');
        self.write();
    }

    /// The next line, without its end.
    pub(super) fn line(&mut self, timeout: Duration) -> Result<Vec<u8>, ReadError> {
        let until = Instant::now() + timeout;
        loop {
            if let Some(line) = self.taken_line() {
                return Ok(line);
            }
            if self.unread.len() > MAX_LINE_MIB << 20 {
                return Err(ReadError::LineTooLong);
            }
            let Some(output) = &self.output else { return Err(ReadError::Eof(self.unread.clone())) };
            let mut pipes = vec![PollFd::new(output, PollFlags::IN)];
            if let (Some(input), false) = (&self.input, self.unwritten.is_empty()) {
                pipes.push(PollFd::new(input, PollFlags::OUT));
            }
            let left = until.saturating_duration_since(Instant::now());
            // A signal ends the wait early, and a time that is too long for the system is as good as none.
            let ready = poll(&mut pipes, Timespec::try_from(left).ok().as_ref());
            if ready == Ok(0) && left.is_zero() {
                return Err(ReadError::Timeout(self.unread.clone()));
            }
            self.write();
            self.read();
        }
    }

    /// A line that is there already.
    pub(super) fn waiting_line(&mut self) -> Option<Vec<u8>> {
        self.read();
        self.taken_line()
    }

    fn taken_line(&mut self) -> Option<Vec<u8>> {
        let Some(end) = self.unread[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.unread.len();
            return None;
        };
        let rest = self.unread.split_off(self.searched + end + 1);
        let mut line = std::mem::replace(&mut self.unread, rest);
        line.pop();
        self.searched = 0;
        Some(line)
    }

    /// Writes what the child reads now. A child that is gone is noticed when its answer is awaited.
    fn write(&mut self) {
        while let (Some(input), false) = (&mut self.input, self.unwritten.is_empty()) {
            match input.write(&self.unwritten) {
                Ok(size @ 1..) => drop(self.unwritten.drain(..size)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => self.input = None,
            }
        }
    }

    /// Reads a piece of what the child has written.
    fn read(&mut self) {
        let Some(output) = &mut self.output else { return };
        match output.read(&mut self.piece) {
            Ok(size @ 1..) => self.unread.extend(&self.piece[..size]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Ok(0) | Err(_) => self.output = None,
        }
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

fn kill_group(process: &Process) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(process.id()).ok().and_then(Pid::from_raw) {
        // It fails if nothing of the group is left.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn locked(shared: &Shared) -> MutexGuard<'_, Vec<u8>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
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
