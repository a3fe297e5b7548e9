//! A scenario in a process of the host: its state, and how to wait.
//!
//! After each step the host is left alone until it is idle ([`Stage::quiesce`]): it has answered several pings in a row, between
//! which nothing was seen, and does nothing that pings do not wait for. So a step is over when nothing is left to happen, however
//! slow the machine is. A scenario to which more steps may be added has less time ([`Stage::quiesce_fast`]): each of its
//! connections is pinged until nothing was seen between two answers.

use std::time::Duration;

use crate::job::Run;
use pw_cases::scenario::Step;
use pw_cases::transcript::Event;
use tokio::time::Instant;

use crate::instance::{HostError, Instance, Seen};
use crate::link::Peer;
use crate::plugins::Plugins;
use crate::scenario;
use crate::traffic::Traffic;
use crate::window::Window;

/// How long a scenario may take, besides the time that its steps let pass.
const SCENARIO_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the answer to a ping, or to a request for metrics, may take.
pub const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the answer to a ping may take on the connection of a stream or a call.
const STREAM_PING_TIMEOUT: Duration = Duration::from_millis(200);
/// How long the host may take to accept or reject a chain; it compiles modules before.
const CHAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// The number of pings in a row that have to be answered with nothing seen between them.
const QUIET_PINGS: u32 = 5;
/// The least time before every second ping.
const PING_INTERVAL: Duration = Duration::from_micros(300);
/// The longest time before every second ping.
const MAX_PING_INTERVAL: Duration = Duration::from_millis(20);
/// The maximum number of pings after a step, for plugins that are never idle.
const MAX_PINGS: u32 = 150;
/// How long VMs may take to go once their chain is removed.
const VM_TEARDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// A scenario in a process.
pub struct Stage {
    /// The process.
    pub instance: Instance,
    /// The scenario, with the latest configurations of its plugins.
    pub run: Run,
    /// The plugins that new streams pass through, by their places in the scenario.
    pub chain: Vec<usize>,
    /// What was reported.
    pub events: Vec<Event>,
    /// What was seen since.
    pub window: Window,
    /// Streams and calls.
    pub traffic: Traffic,
    /// Plugins, as the log shows them.
    pub plugins: Plugins,
    /// The metrics of plugins, when they have arrived.
    pub metrics: Option<Vec<(String, u64)>>,
    /// The connection that clients use one after the other.
    pub reused: Option<Reused>,
    /// When the steps must be done.
    deadline: Instant,
    /// How many things were seen.
    seen: u64,
}

/// A connection for one stream after the other.
pub struct Reused {
    /// The connection.
    pub link: u64,
    /// Its port.
    pub port: u16,
    /// The number of streams on it so far.
    pub streams: u32,
}

impl Stage {
    /// Starts a scenario. Nothing is given to the host yet.
    pub fn new(mut instance: Instance, run: Run) -> Stage {
        let chain = scenario::chain(&run);
        let process = instance.process();
        instance.driver().begin(process, &run, &chain);
        Stage {
            plugins: Plugins::new(&run.plugins),
            deadline: Instant::now(),
            instance,
            run,
            chain,
            events: Vec::new(),
            window: Window::default(),
            traffic: Traffic::default(),
            metrics: None,
            reused: None,
            seen: 0,
        }
    }

    /// Gives these steps their time, from now on.
    pub fn set_deadline(&mut self, steps: &[Step]) {
        let waits = steps.iter().map(|step| match step {
            Step::Advance { milliseconds } => Duration::from_millis(*milliseconds),
            _ => Duration::ZERO,
        });
        self.deadline = Instant::now() + SCENARIO_TIMEOUT + waits.sum();
    }

    /// Reports what was seen since the last window.
    pub fn end_window(&mut self) {
        self.events.extend(self.window.take());
    }
}

/// What is seen.
impl Stage {
    /// Takes a thing that was seen.
    pub fn see(&mut self, seen: Seen) {
        let Self { instance, plugins, traffic, window, .. } = self;
        match seen {
            Seen::Pong(_) => return,
            Seen::Line(line) => {
                if let Some(found) = instance.driver().read(&line) {
                    plugins.see(found, window);
                }
            }
            Seen::Frame { link, peer: Peer::Http, frame } => traffic.see_response(link, Some(frame), window),
            Seen::Closed { link, peer: Peer::Http } => traffic.see_response(link, None, window),
            Seen::Frame { link, peer, frame } => {
                let is_reported = || plugins.has_background() || instance.serves_streams(link);
                traffic.see_request(link, peer, frame, is_reported, window);
            }
            Seen::Opened { link, client } => traffic.pipes.see_upstream(link, client, window),
            Seen::Bytes { link, bytes } => traffic.pipes.see_bytes(link, bytes, window),
            Seen::Ended { link } => traffic.pipes.see_bytes(link, Vec::new(), window),
            Seen::Closed { link, peer: Peer::Tcp | Peer::TcpUpstream(_) } => traffic.pipes.see_reset(link, window),
            Seen::Closed { link, .. } => traffic.see_end(link, window),
            Seen::Metrics(metrics) => self.metrics = Some(metrics),
        }
        self.seen += 1;
    }
}

/// Waiting. Each of these fails if the process has exited or hangs, or the adapter fails.
impl Stage {
    /// Waits for the host's verdict on a chain that it was `given`: whether it accepted the chain.
    ///
    /// # Errors
    ///
    /// As all of waiting; or it could not be given.
    pub async fn await_verdict(&mut self, given: std::io::Result<()>) -> Result<bool, HostError> {
        given.map_err(|error| HostError::Adapter(format!("failed to configure the host: {error}")))?;
        let deadline = Instant::now() + CHAIN_TIMEOUT;
        loop {
            if let Some(verdict) = self.instance.driver().verdict() {
                return Ok(verdict);
            }
            self.watch_next(deadline).await?;
        }
    }

    /// Waits until no VMs are left, or that takes too long: a plugin may hold its VM back.
    ///
    /// # Errors
    ///
    /// As all of waiting.
    pub async fn await_vm_teardown(&mut self) -> Result<(), HostError> {
        let deadline = Instant::now() + VM_TEARDOWN_TIMEOUT;
        while self.plugins.has_vms() && Instant::now() < deadline {
            let end = deadline.min(Instant::now() + PING_INTERVAL);
            self.watch_until(end).await?;
        }
        Ok(())
    }

    /// Waits until the host is idle.
    ///
    /// # Errors
    ///
    /// As all of waiting.
    pub async fn quiesce(&mut self) -> Result<(), HostError> {
        let (mut quiet, mut took) = (0, PING_INTERVAL);
        for _ in 0..MAX_PINGS {
            let before = self.seen;
            if quiet % 2 == 0 {
                // As long as the last answer took, which is long on a busy machine. Timers of the runtime take two milliseconds at least.
                // What arrives meanwhile is seen before the next answer.
                std::thread::sleep(took.clamp(PING_INTERVAL, MAX_PING_INTERVAL));
            }
            let start = Instant::now();
            let ping = self.instance.ping().await?;
            while self.watch_next(start + PING_TIMEOUT).await? != Some(ping) {}
            took = start.elapsed();
            self.check_deadline()?;
            quiet = if self.seen == before { quiet + 1 } else { 0 };
            // To ask the kernel takes longer than a ping, so it is asked at both ends of a quiet time only.
            if matches!(quiet, 1 | QUIET_PINGS) && self.instance.is_busy() {
                quiet = 0;
            }
            if quiet == QUIET_PINGS {
                break;
            }
        }
        Ok(())
    }

    /// Waits until no frame is in transit on any connection, and the thread that serves streams is idle.
    ///
    /// # Errors
    ///
    /// As all of waiting.
    pub async fn quiesce_fast(&mut self) -> Result<(), HostError> {
        for round in 0..MAX_PINGS {
            let before = self.seen;
            let ping = self.instance.ping_all().await?;
            self.await_pong(ping).await?;
            if self.seen == before && round > 0 {
                break;
            }
        }
        Ok(())
    }

    /// Waits until a ping is answered. Connections may have other reasons to be silent; the thread that serves streams has
    /// none.
    async fn await_pong(&mut self, ping: u64) -> Result<(), HostError> {
        let (stream_deadline, deadline) = (Instant::now() + STREAM_PING_TIMEOUT, Instant::now() + PING_TIMEOUT);
        loop {
            match self.instance.next(stream_deadline).await? {
                Some(Seen::Pong(number)) if number == ping => return Ok(()),
                Some(seen) => self.see(seen),
                None if self.instance.stop_waiting() => return Ok(()),
                None => {
                    while self.watch_next(deadline).await? != Some(ping) {}
                    return Ok(());
                }
            }
        }
    }

    /// Takes what is seen until a moment.
    ///
    /// # Errors
    ///
    /// As all of waiting.
    pub async fn watch_until(&mut self, end: Instant) -> Result<(), HostError> {
        while let Some(seen) = self.instance.next(end).await? {
            self.see(seen);
        }
        self.check_deadline()
    }

    /// Fails if the scenario has taken too long.
    fn check_deadline(&self) -> Result<(), HostError> {
        if Instant::now() > self.deadline {
            let context = format!("the scenario did not end within {} s", SCENARIO_TIMEOUT.as_secs());
            return Err(HostError::Adapter(context));
        }
        Ok(())
    }

    /// Takes the next thing that is seen, which must come before the deadline. Returns the number of the ping that was answered,
    /// if it is that.
    ///
    /// # Errors
    ///
    /// As all of waiting.
    pub async fn watch_next(&mut self, deadline: Instant) -> Result<Option<u64>, HostError> {
        let seen = self.instance.next(deadline).await?.ok_or(HostError::Hung)?;
        let pong = if let Seen::Pong(number) = seen { Some(number) } else { None };
        self.see(seen);
        Ok(pong)
    }
}
