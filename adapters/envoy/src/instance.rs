//! One Envoy with all that it talks to: the server of listeners, the upstream, the servers of calls, the barrier.
//!
//! Turns bytes into what was seen, one thing after the other. Knows nothing of scenarios.

mod start;

pub use start::is_streamed;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use pw_cases::data::{Data, Fields};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, timeout_at};

use crate::config::{CALLEES, Ports};
use crate::http2::{Connection, Frame};
use crate::lds::{Answer, Lds};
use crate::link::{Link, Peer};
use crate::log::{self, Line};
use crate::net::{self, Incoming, Reserved};
use crate::process::Process;
use crate::sockets::Table;
use crate::{stats, threads};

/// How long the last words of a dead process may take.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long the death of a process may stay unnoticed.
const GRACE: Duration = Duration::from_millis(50);
/// How many lines of the log are kept for messages, and how much of each.
const TAIL: usize = 20;
const TAIL_WIDTH: usize = 500;

/// A running Envoy. It is killed when this is dropped.
pub struct Instance {
    process: Process,
    ports: Ports,
    inbox: UnboundedReceiver<Incoming>,
    sender: UnboundedSender<Incoming>,
    links: BTreeMap<u64, Link>,
    opened: u64,
    lds: Lds,
    barrier: Option<u64>,
    pings: u64,
    ahead: VecDeque<Seen>,
    tail: VecDeque<String>,
    exited: Option<String>,
    /// The signal that Envoy said it has caught. It was killed then, as it tells of such an end at great length.
    caught: Option<&'static str>,
    /// How often something was written to it, or a connection opened.
    written: u64,
    log_ended: bool,
    /// What Envoy told of metrics, as far as it has come.
    metrics: Vec<u8>,
    /// The connection whose pings the main thread answers.
    main: Option<u64>,
    /// The connections on which the latest ping was not answered.
    awaited: BTreeSet<u64>,
    /// Whether connections belong to the worker thread, of those that were asked about.
    workers: BTreeMap<u64, bool>,
    /// What was seen while Envoy started.
    early: Vec<Seen>,
    /// It did not get so far as to serve.
    hung: bool,
    _reserved: Vec<Reserved>,
}

/// Something that was seen of Envoy.
pub enum Seen {
    /// A line of its log.
    Line(Line),
    /// A frame on a connection of a client, to the upstream or to a server of calls.
    Frame {
        /// The connection.
        link: u64,
        /// Its other end.
        peer: Peer,
        /// The frame.
        frame: Frame,
    },
    /// Envoy connected to the upstream on behalf of a TCP client.
    Opened {
        /// The connection.
        link: u64,
        /// The client's port.
        client: u16,
    },
    /// Bytes on a TCP connection.
    Bytes {
        /// The connection.
        link: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Envoy sends no more on a TCP connection.
    Ended {
        /// The connection.
        link: u64,
    },
    /// A connection ended, or, if it is one of TCP, was cut off.
    Closed {
        /// The connection.
        link: u64,
        /// Its other end.
        peer: Peer,
    },
    /// The worker and the main thread answered the ping of this number.
    Pong(u64),
    /// Envoy polled for listeners.
    Polled,
    /// Envoy told the metrics of plugins.
    Metrics(Vec<(String, u64)>),
}

/// Why nothing more will be seen.
#[derive(Debug)]
pub enum Gone {
    /// The process died, and how.
    Died(String),
    /// The process lives, but does nothing any more.
    Hung,
    /// The adapter failed.
    Broken(String),
}

impl Instance {
    /// The process id of Envoy, and the number of its main thread.
    pub fn process(&self) -> u32 {
        self.process.id
    }

    /// What was seen while Envoy started; it is forgotten here.
    pub fn take_early(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.early)
    }

    /// The ports that Envoy is told of.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Whether Envoy took the latest update of listeners; `None` until it says.
    pub fn verdict(&self) -> Option<bool> {
        self.lds.verdict()
    }

    /// Whether a connection belongs to Envoy's worker thread. When in doubt, it does.
    pub fn is_worker(&mut self, link: u64) -> bool {
        if let Some(known) = self.workers.get(&link) {
            return *known;
        }
        let ends = |link: u64| self.links.get(&link).map(|link| link.ends);
        let (Some(barrier), Some(ends)) = (self.barrier.and_then(ends), ends(link)) else { return true };
        let is_worker = threads::same_thread(self.process.id, barrier, ends).unwrap_or(true);
        self.workers.insert(link, is_worker);
        is_worker
    }

    /// The last lines of the log, each on a line of its own.
    pub fn last_words(&self) -> String {
        self.tail.iter().map(|line| format!("\n  {line}")).collect()
    }

    /// Tells Envoy which listeners to run. The verdict comes later.
    pub async fn update(&mut self, listeners: Vec<Value>) -> Result<(), Gone> {
        let answer = self.lds.update(listeners);
        self.answer(answer).await
    }

    /// Asks the worker and the main thread for a sign of life; [`Seen::Pong`] of the returned number is the answer.
    pub async fn ping(&mut self) -> Result<u64, Gone> {
        self.ping_on(self.barrier.into_iter().chain(self.main).collect()).await
    }

    /// Asks on every connection of streams and calls, and the worker on one of its own. The answer comes after all that
    /// Envoy had written on any of them.
    pub async fn ping_all(&mut self) -> Result<u64, Gone> {
        let asked =
            |link: &Link| !link.mute && matches!(link.peer, Peer::Listener | Peer::Upstream(Some(_)) | Peer::Callee(_));
        let links = self.links.iter().filter(|(_, link)| asked(link)).map(|(number, _)| *number);
        self.ping_on(links.chain(self.barrier).collect()).await
    }

    async fn ping_on(&mut self, links: BTreeSet<u64>) -> Result<u64, Gone> {
        self.pings += 1;
        let number = self.pings;
        self.awaited.clone_from(&links);
        for link in links {
            self.write(link, |http2| http2.ping(number)).await?;
        }
        Ok(number)
    }

    /// Gives up waiting for answers on all connections but the worker's own, and asks the silent ones no more; whether that is
    /// all that was missing.
    pub fn give_up(&mut self) -> bool {
        if self.barrier.is_some_and(|barrier| self.awaited.contains(&barrier)) {
            return false;
        }
        for link in std::mem::take(&mut self.awaited) {
            self.links.entry(link).and_modify(|link| link.mute = true);
        }
        true
    }

    /// A ping was answered on a connection, or will not be.
    fn answered(&mut self, link: u64) {
        if self.awaited.remove(&link) && self.awaited.is_empty() {
            self.ahead.push_back(Seen::Pong(self.pings));
        }
    }

    /// Asks for the metrics of plugins; [`Seen::Metrics`] is the answer.
    pub async fn ask_metrics(&mut self) -> Result<(), Gone> {
        let failed = |error| Gone::Broken(format!("failed to ask Envoy for its metrics: {error}"));
        let stream = net::connect(self.ports.admin).await.map_err(failed)?;
        let (link, _) = self.attach(stream, Peer::Admin)?;
        let field = |name: &str, value: &str| (Data::from(name), Data::from(value));
        let authority = format!("127.0.0.1:{}", self.ports.admin);
        let fields: Fields = vec![
            field(":method", "GET"),
            field(":scheme", "http"),
            field(":authority", &authority),
            field(":path", stats::PATH),
        ];
        self.write(link, |http2| {
            let stream = http2.open();
            http2.send_fields(stream, &fields, true);
        })
        .await?;
        Ok(())
    }

    /// Connects to the scenario's listener. Returns the connection and its port, by which the upstream's side of it
    /// can be told; `None` if nobody listens.
    pub async fn connect(&mut self, tcp: bool) -> Result<Option<(u64, u16)>, Gone> {
        let (port, peer) =
            if tcp { (self.ports.tcp, Peer::TcpListener) } else { (self.ports.listener, Peer::Listener) };
        match net::connect(port).await {
            Ok(stream) => self.attach(stream, peer).map(Some),
            // If the process is dead, then it is that.
            Err(_) => self.skip(GRACE).await.map(|()| None),
        }
    }

    /// Does something to a connection of HTTP/2 and writes what it has to say. One that is not there is left alone.
    pub async fn write<T>(&mut self, link: u64, act: impl FnOnce(&mut Connection) -> T) -> Result<Option<T>, Gone> {
        let Some(http2) = self.links.get_mut(&link).and_then(Link::http2) else { return Ok(None) };
        let result = act(http2);
        self.flush(link).await?;
        Ok(Some(result))
    }

    /// Writes bytes to a TCP connection; perhaps they are the last. One that is not there is left alone.
    pub async fn send(&mut self, link: u64, bytes: &[u8], last: bool) -> Result<(), Gone> {
        let Some(found) = self.links.get_mut(&link) else { return Ok(()) };
        self.written += 1;
        match found.send(bytes, last).await {
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                Err(Gone::Broken(format!("failed to send {} bytes: Envoy does not read so many", bytes.len())))
            }
            // A connection that was cut off is seen when it is read.
            _ => Ok(()),
        }
    }

    /// Cuts a TCP connection off. One that is not there is left alone.
    pub async fn reset(&mut self, link: u64) -> Result<(), Gone> {
        let Some(found) = self.links.remove(&link) else { return Ok(()) };
        self.written += 1;
        found.reset().await.map_err(|error| Gone::Broken(format!("failed to cut a connection off: {error}")))
    }

    /// Whether something is under way on a TCP connection. Where the kernel does not say, nothing is.
    pub fn is_under_way(&self) -> bool {
        let mut links = self.links.values().filter(|link| link.is_tcp()).peekable();
        if links.peek().is_none() {
            return false;
        }
        let Some(table) = Table::read(self.process.id) else { return false };
        links.any(|link| table.is_under_way(link.ends))
    }

    /// Closes the connections of these peers.
    pub fn close(&mut self, which: impl Fn(Peer) -> bool) {
        self.links.retain(|_, link| !which(link.peer));
    }

    /// Whether a connection is open.
    pub fn has(&self, link: u64) -> bool {
        self.links.contains_key(&link)
    }

    /// Closes one connection.
    pub fn hang_up(&mut self, link: u64) {
        self.links.remove(&link);
        self.workers.remove(&link);
    }

    /// Whether Envoy still runs, after a time in which nobody watched it.
    pub async fn is_alive(&mut self) -> bool {
        self.skip(Duration::ZERO).await.is_ok()
    }

    /// Waits for the next thing to be seen; `None` if there is none before the deadline.
    pub async fn next(&mut self, deadline: Instant) -> Result<Option<Seen>, Gone> {
        loop {
            if let Some(seen) = self.ahead.pop_front() {
                return Ok(Some(seen));
            }
            if self.hung {
                return Err(Gone::Hung);
            }
            if let Some(how) = self.exited.clone().filter(|_| self.log_ended) {
                return Err(Gone::Died(how));
            }
            let end = if self.exited.is_some() { Instant::now() + LAST_WORDS } else { deadline };
            // Only the wait is cut short, never what is done with the thing that came.
            match (timeout_at(end, self.inbox.recv()).await, &self.exited) {
                (Ok(Some(incoming)), _) => {
                    // What led to it was logged before.
                    self.take_lines();
                    self.take(incoming).await?;
                }
                (_, Some(how)) => return Err(Gone::Died(how.clone())),
                (_, None) => return Ok(None),
            }
        }
    }

    async fn take(&mut self, incoming: Incoming) -> Result<(), Gone> {
        match incoming {
            Incoming::Logged => {}
            Incoming::Exited(how) => self.exited = Some(self.caught.map_or(how, str::to_owned)),
            Incoming::LogEnded => self.log_ended = true,
            Incoming::Accepted { server, stream } => {
                let callee = self.ports.callees.iter().position(|port| *port == server).map(|at| CALLEES[at]);
                let peer = match callee {
                    Some(name) => Peer::Callee(name),
                    None if server == self.ports.lds => Peer::Lds,
                    None => Peer::Upstream(None),
                };
                // A connection that is gone before it can be read is of no interest.
                // Nothing is said to the upstream's client until it is known what is spoken.
                if let Ok((link, _)) = self.attach(stream, peer)
                    && peer != Peer::Upstream(None)
                {
                    self.flush(link).await?;
                }
            }
            Incoming::Ended { connection } if self.is_tcp(connection) => {
                self.ahead.push_back(Seen::Ended { link: connection });
            }
            Incoming::Ended { connection } | Incoming::Closed { connection } => {
                self.workers.remove(&connection);
                if let Some(link) = self.links.remove(&connection) {
                    self.ahead.push_back(Seen::Closed { link: connection, peer: link.peer });
                }
                self.answered(connection);
            }
            Incoming::Bytes { connection, bytes } => self.take_bytes(connection, bytes).await?,
        }
        Ok(())
    }

    fn take_lines(&mut self) {
        for line in self.process.lines() {
            self.take_line(&line);
        }
    }

    fn take_line(&mut self, text: &[u8]) {
        let line = Line::parse(text);
        if line.as_ref().is_none_or(|line| line.component != "wasm") {
            let text = line.as_ref().map_or_else(|| String::from_utf8_lossy(text).into_owned(), Line::text);
            self.tail.push_back(text.chars().take(TAIL_WIDTH).collect());
            self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        }
        if let Some(signal) = line.as_ref().and_then(log::caught) {
            self.caught = Some(signal);
            self.process.kill();
        }
        self.ahead.extend(line.map(Seen::Line));
    }

    async fn take_bytes(&mut self, link: u64, bytes: Vec<u8>) -> Result<(), Gone> {
        let Some(found) = self.links.get_mut(&link) else { return Ok(()) };
        let bytes = if found.is_opening() {
            let Some(rest) = found.open(&bytes, self.ports.tcp) else { return Ok(()) };
            if let Peer::TcpUpstream(client) = found.peer {
                self.ahead.push_back(Seen::Opened { link, client });
            }
            rest
        } else {
            bytes
        };
        let peer = found.peer;
        let Some(http2) = found.http2() else {
            if !bytes.is_empty() {
                self.ahead.push_back(Seen::Bytes { link, bytes });
            }
            return Ok(());
        };
        let frames = http2.receive(&bytes);
        let frames = frames.map_err(|error| Gone::Broken(format!("Envoy sent bad HTTP/2: {error}")))?;
        self.flush(link).await?;
        for frame in frames {
            match (peer, frame) {
                (Peer::Admin, Frame::Data { bytes, end_of_stream, .. }) => {
                    self.metrics.extend(bytes);
                    if end_of_stream {
                        self.links.remove(&link);
                        let metrics = stats::metrics(&std::mem::take(&mut self.metrics));
                        let failed = |error| Gone::Broken(format!("failed to read Envoy's metrics: {error}"));
                        self.ahead.push_back(Seen::Metrics(metrics.map_err(failed)?));
                    }
                }
                (Peer::Lds, frame) => {
                    let answer = self.lds.receive(link, frame);
                    self.answer(answer).await?;
                    self.ahead.push_back(Seen::Polled);
                }
                (_, Frame::Pong(number)) if number == self.pings => self.answered(link),
                (Peer::Barrier | Peer::Admin, _) | (_, Frame::Pong(_)) => {}
                (_, frame) => self.ahead.push_back(Seen::Frame { link, peer, frame }),
            }
        }
        Ok(())
    }

    async fn answer(&mut self, answer: Option<Answer>) -> Result<(), Gone> {
        let Some(Answer { connection, stream, body }) = answer else { return Ok(()) };
        let field = |name: &str, value: &str| (Data::from(name), Data::from(value));
        let fields: Fields = vec![field(":status", "200"), field("content-type", "application/json")];
        self.write(connection, |http2| {
            http2.send_fields(stream, &fields, false);
            http2.send_data(stream, body.as_bytes(), true);
        })
        .await?;
        Ok(())
    }

    fn is_tcp(&self, link: u64) -> bool {
        self.links.get(&link).is_some_and(Link::is_tcp)
    }

    fn attach(&mut self, stream: TcpStream, peer: Peer) -> Result<(u64, u16), Gone> {
        self.opened += 1;
        self.written += 1;
        let link = self.opened;
        let failed = |error: std::io::Error| Gone::Broken(format!("failed to use a connection: {error}"));
        let attached = Link::new(link, stream, peer, &self.sender).map_err(failed)?;
        let ours = attached.ends.remote;
        self.links.insert(link, attached);
        Ok((link, ours))
    }

    /// A number that grows with all that is done to Envoy.
    pub fn written(&self) -> u64 {
        self.written
    }

    async fn flush(&mut self, link: u64) -> Result<(), Gone> {
        self.written += 1;
        let Some(found) = self.links.get_mut(&link) else { return Ok(()) };
        match found.flush().await {
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Err(Gone::Hung),
            // A closed connection is seen when it is read.
            _ => Ok(()),
        }
    }

    /// Lets things pass unseen for a while.
    async fn skip(&mut self, time: Duration) -> Result<(), Gone> {
        let end = Instant::now() + time;
        while self.next(end).await?.is_some() {}
        Ok(())
    }
}
