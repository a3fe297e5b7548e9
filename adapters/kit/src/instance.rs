//! One process of the host with all its connections: the barriers, the clients, the upstream, the servers of calls.
//!
//! Turns bytes into what was seen, one thing after the other. Knows nothing of scenarios.

mod start;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use pw_cases::data::Fields;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, timeout_at};

use crate::fields::field;
use crate::frame::Frame;
use crate::http::Connection;
use crate::link::{Link, Peer};
use crate::net::{self, Incoming, Reserved};
use crate::process::Process;
use crate::sockets;
use crate::target::{CALLEES, ClientPort, Driver, Ports};

/// How long the rest of the log may take after the process has exited.
const LOG_TIMEOUT: Duration = Duration::from_millis(500);
/// How long it may take until the end of a process is known, after it refused a connection.
const EXIT_TIMEOUT: Duration = Duration::from_millis(50);
/// How many lines of the log are kept for messages.
const MAX_EXCERPT_LINES: usize = 20;
/// How much of each of them is kept.
const MAX_EXCERPT_CHARS: usize = 500;

/// A running process. It is killed when this is dropped.
pub struct Instance {
    process: Process,
    driver: Box<dyn Driver>,
    ports: Ports,
    client_port: ClientPort,
    inbox: UnboundedReceiver<Incoming>,
    sender: UnboundedSender<Incoming>,
    links: BTreeMap<u64, Link>,
    /// The number of connections so far.
    opened: u64,
    /// The connections that only answer pings, the one to the thread that serves streams first.
    barriers: Vec<u64>,
    /// The number of pings so far.
    pings: u64,
    /// What was seen and not returned yet.
    queue: VecDeque<Seen>,
    /// The latest lines of the log that may explain a failure.
    excerpt: VecDeque<String>,
    /// How the process has exited.
    exited: Option<String>,
    /// The signal that the host reports to have caught.
    caught: Option<&'static str>,
    log_ended: bool,
    /// How often something was written to the host, or a connection was opened or reset.
    writes: u64,
    /// The body of the response with metrics, as far as it has arrived.
    metrics: Vec<u8>,
    /// The connections on which the latest ping was not answered.
    awaited: BTreeSet<u64>,
    /// Whether the thread that serves streams has opened a connection, for those that were asked about.
    serving: BTreeMap<u64, bool>,
    /// What was seen while the process started.
    early: Vec<Seen>,
    /// The process did not serve in time.
    is_hung: bool,
    _reserved: Vec<Reserved>,
}

/// Something that was seen of the host.
#[derive(Debug)]
pub enum Seen {
    /// A line of its log.
    Line(Vec<u8>),
    /// A frame on a connection of a client, to the upstream or to a server of calls.
    Frame {
        /// The connection.
        link: u64,
        /// Its other end.
        peer: Peer,
        /// The frame.
        frame: Frame,
    },
    /// The host connected to the upstream on behalf of a TCP client.
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
        /// At least one.
        bytes: Vec<u8>,
    },
    /// The host sends nothing more on a TCP connection.
    Ended {
        /// The connection.
        link: u64,
    },
    /// A connection was closed; one of TCP was reset, or is closed in both directions.
    Closed {
        /// The connection.
        link: u64,
        /// Its other end.
        peer: Peer,
    },
    /// The ping of this number was answered on each connection.
    Pong(u64),
    /// The metrics of plugins, by name.
    Metrics(Vec<(String, u64)>),
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Bytes of a TCP stream.
    Tcp,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Why nothing more will be seen.
#[derive(Debug)]
pub enum HostError {
    /// The process has crashed or exited, and how.
    Crashed(String),
    /// The process runs, but does not react.
    Hung,
    /// The adapter failed, and at what.
    Adapter(String),
}

impl Instance {
    /// The process id.
    pub fn process(&self) -> u32 {
        self.process.id
    }

    /// What drives the process.
    pub fn driver(&mut self) -> &mut dyn Driver {
        self.driver.as_mut()
    }

    /// What was seen while the process started; it is removed from here.
    pub fn take_early(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.early)
    }

    /// Whether the thread that serves streams has opened a connection. If that is not known, it has.
    pub fn serves_streams(&mut self, link: u64) -> bool {
        if let Some(known) = self.serving.get(&link) {
            return *known;
        }
        let ends = |link: &u64| self.links.get(link).map(|link| link.ends);
        let (Some(barrier), Some(ends)) = (self.barriers.first().and_then(ends), ends(&link)) else { return true };
        let serves = self.driver.serves_streams(self.process.id, barrier, ends);
        self.serving.insert(link, serves);
        serves
    }

    /// The latest lines of the log that may explain a failure, one per line.
    pub fn excerpt(&self) -> String {
        self.excerpt.iter().map(|line| format!("\n  {line}")).collect()
    }

    /// Pings the barriers. [`Seen::Pong`] with the returned number is the answer.
    ///
    /// # Errors
    ///
    /// As [`Instance::write`].
    pub async fn ping(&mut self) -> Result<u64, HostError> {
        self.ping_on(self.barriers.iter().copied().collect()).await
    }

    /// Pings every connection of streams and calls, and the thread that serves streams. [`Seen::Pong`] with the returned number
    /// is the answer; it comes after all that the host had written on any of them.
    ///
    /// # Errors
    ///
    /// As [`Instance::write`].
    pub async fn ping_all(&mut self) -> Result<u64, HostError> {
        let is_pinged = |link: &Link| {
            !link.is_silent
                && link.answers_pings()
                && !link.expects_proxy_line()
                && matches!(link.peer, Peer::Http | Peer::Upstream(_) | Peer::Callee(_))
        };
        let links = self.links.iter().filter(|(_, link)| is_pinged(link)).map(|(number, _)| *number);
        self.ping_on(links.chain(self.barriers.first().copied()).collect()).await
    }

    async fn ping_on(&mut self, links: BTreeSet<u64>) -> Result<u64, HostError> {
        self.pings += 1;
        let number = self.pings;
        self.awaited.clone_from(&links);
        for link in links {
            self.write(link, |http| http.ping(number)).await?;
        }
        Ok(number)
    }

    /// Stops to wait for answers to the latest ping, and pings the connections that did not answer no more. Returns `false`, and
    /// does nothing, if the thread that serves streams did not answer either.
    pub fn stop_waiting(&mut self) -> bool {
        if self.barriers.first().is_some_and(|barrier| self.awaited.contains(barrier)) {
            return false;
        }
        for link in std::mem::take(&mut self.awaited) {
            self.links.entry(link).and_modify(|link| link.is_silent = true);
        }
        true
    }

    /// The latest ping was answered on a connection, or will not be.
    fn answered(&mut self, link: u64) {
        if self.awaited.remove(&link) && self.awaited.is_empty() {
            self.queue.push_back(Seen::Pong(self.pings));
        }
    }

    /// Asks for the metrics of plugins; [`Seen::Metrics`] is the answer.
    ///
    /// # Errors
    ///
    /// The host has none that can be read, or does not accept the connection.
    pub async fn ask_metrics(&mut self) -> Result<(), HostError> {
        let failed = |reason: &str| HostError::Adapter(format!("failed to ask for the metrics: {reason}"));
        let request = self.driver.metrics_request().ok_or_else(|| failed("this host has none"))?;
        let stream = net::connect(self.ports.admin).await.map_err(|error| failed(&error.to_string()))?;
        let (link, _) = self.attach(stream, Peer::Admin)?;
        let authority = format!("127.0.0.1:{}", self.ports.admin);
        let fields: Fields = vec![
            field(":method", "GET"),
            field(":scheme", "http"),
            field(":authority", &authority),
            field(":path", request.path),
        ];
        self.write(link, |http| {
            let stream = http.open();
            http.send_fields(stream, &fields, true);
        })
        .await?;
        Ok(())
    }

    /// Connects as a client of a scenario. Returns the connection and its port, by which the upstream's side of it is recognised;
    /// `None` if the host does not listen.
    ///
    /// # Errors
    ///
    /// The process has exited.
    pub async fn connect(&mut self, speaks: Speaks) -> Result<Option<(u64, u16)>, HostError> {
        let is_tcp = speaks == Speaks::Tcp;
        let (port, peer) = if is_tcp { (self.ports.tcp, Peer::Tcp) } else { (self.ports.http, Peer::Http) };
        match net::connect(port).await {
            Ok(stream) => {
                let (link, port) = self.attach(stream, peer)?;
                if speaks == Speaks::Http1 {
                    self.links.entry(link).and_modify(Link::speak_http1);
                }
                Ok(Some((link, port)))
            }
            // The reason may be that the process has exited.
            Err(_) => self.skip(EXIT_TIMEOUT).await.map(|()| None),
        }
    }

    /// Does something to a connection of HTTP and writes its output. Returns `None` if there is no such connection.
    ///
    /// # Errors
    ///
    /// The host does not read.
    pub async fn write<T>(
        &mut self,
        link: u64,
        act: impl FnOnce(&mut Connection) -> T,
    ) -> Result<Option<T>, HostError> {
        let Some(http) = self.links.get_mut(&link).and_then(Link::http) else { return Ok(None) };
        let result = act(http);
        self.flush(link).await?;
        Ok(Some(result))
    }

    /// Writes bytes to a TCP connection, and the end if they are the last. Does nothing if there is no such connection.
    ///
    /// # Errors
    ///
    /// The host does not read.
    pub async fn send(&mut self, link: u64, bytes: &[u8], last: bool) -> Result<(), HostError> {
        let Some(found) = self.links.get_mut(&link) else { return Ok(()) };
        self.writes += 1;
        match found.send(bytes, last).await {
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                Err(HostError::Adapter(format!("failed to send {} bytes: the host does not read them", bytes.len())))
            }
            // That a connection was reset is seen when it is read.
            _ => Ok(()),
        }
    }

    /// Resets a connection. Does nothing if there is no such connection.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub async fn reset(&mut self, link: u64) -> Result<(), HostError> {
        let Some(found) = self.links.remove(&link) else { return Ok(()) };
        self.writes += 1;
        found.reset().await.map_err(|error| HostError::Adapter(format!("failed to reset a connection: {error}")))
    }

    /// Whether the host does something that pings do not wait for: data is in transit on a connection of TCP or of HTTP/1.1, or
    /// the driver knows of something.
    pub fn is_busy(&self) -> bool {
        let is_in_transit = |link: &Link| !link.answers_pings() && sockets::is_in_transit(link.ends);
        self.links.values().any(is_in_transit) || self.driver.is_busy(self.process.id)
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
    pub fn close_one(&mut self, link: u64) {
        self.links.remove(&link);
        self.serving.remove(&link);
    }

    /// Whether the process still runs, after a time in which it was not watched.
    pub async fn is_alive(&mut self) -> bool {
        self.skip(Duration::ZERO).await.is_ok()
    }

    /// Waits for the next thing to be seen; `None` if there is none before the deadline.
    ///
    /// # Errors
    ///
    /// The process has exited or hangs, or what it wrote cannot be read.
    pub async fn next(&mut self, deadline: Instant) -> Result<Option<Seen>, HostError> {
        loop {
            if let Some(seen) = self.queue.pop_front() {
                return Ok(Some(seen));
            }
            if self.is_hung {
                return Err(HostError::Hung);
            }
            if let Some(how) = self.exited.clone().filter(|_| self.log_ended) {
                return Err(HostError::Crashed(how));
            }
            let end = if self.exited.is_some() { Instant::now() + LOG_TIMEOUT } else { deadline };
            // The timeout ends the wait only, never what is done with the thing that came.
            match (timeout_at(end, self.inbox.recv()).await, &self.exited) {
                (Ok(Some(incoming)), _) => {
                    // What caused it was logged before.
                    self.take_lines();
                    self.take(incoming).await?;
                }
                (_, Some(how)) => return Err(HostError::Crashed(how.clone())),
                (_, None) => return Ok(None),
            }
        }
    }

    async fn take(&mut self, incoming: Incoming) -> Result<(), HostError> {
        match incoming {
            Incoming::Logged => {}
            Incoming::Exited(how) => self.exited = Some(self.caught.map_or(how, str::to_owned)),
            Incoming::LogEnded => self.log_ended = true,
            Incoming::Accepted { server, stream } => {
                let callee = self.ports.callees.iter().position(|port| *port == server).map(|at| CALLEES[at]);
                let peer = match callee {
                    Some(name) => Peer::Callee(name),
                    None => Peer::Upstream(None),
                };
                // A connection that is closed before it can be read does not matter. Nothing is written before the
                // PROXY line, which says which protocol is spoken.
                if let Ok((link, _)) = self.attach(stream, peer)
                    && self.links.get(&link).is_some_and(|link| !link.expects_proxy_line())
                {
                    self.flush(link).await?;
                }
            }
            Incoming::Ended { connection } if self.is_tcp(connection) => {
                self.queue.push_back(Seen::Ended { link: connection });
            }
            Incoming::Ended { connection } | Incoming::Closed { connection } => {
                self.serving.remove(&connection);
                if let Some(mut link) = self.links.remove(&connection) {
                    if let Some(frame) = link.http().and_then(Connection::end) {
                        self.queue.push_back(Seen::Frame { link: connection, peer: link.peer, frame });
                    }
                    self.queue.push_back(Seen::Closed { link: connection, peer: link.peer });
                }
                self.answered(connection);
            }
            Incoming::Bytes { connection, bytes } => self.take_bytes(connection, bytes).await?,
        }
        Ok(())
    }

    fn take_lines(&mut self) {
        for line in self.process.lines() {
            self.take_line(line);
        }
    }

    fn take_line(&mut self, text: Vec<u8>) {
        let line = self.driver.classify(&text);
        if let Some(excerpt) = line.excerpt {
            self.excerpt.push_back(excerpt.chars().take(MAX_EXCERPT_CHARS).collect());
            self.excerpt.drain(..self.excerpt.len().saturating_sub(MAX_EXCERPT_LINES));
        }
        if let Some(signal) = line.signal {
            self.caught = Some(signal);
            self.process.kill();
        }
        self.queue.push_back(Seen::Line(text));
    }

    async fn take_bytes(&mut self, link: u64, bytes: Vec<u8>) -> Result<(), HostError> {
        let Some(found) = self.links.get_mut(&link) else { return Ok(()) };
        let bytes = if found.expects_proxy_line() {
            let Some(rest) = found.read_proxy_line(&bytes, self.ports.tcp) else { return Ok(()) };
            if let Peer::TcpUpstream(client) = found.peer {
                self.queue.push_back(Seen::Opened { link, client });
            }
            rest
        } else {
            bytes
        };
        let peer = found.peer;
        let Some(http) = found.http() else {
            if !bytes.is_empty() {
                self.queue.push_back(Seen::Bytes { link, bytes });
            }
            return Ok(());
        };
        let frames = http.receive(&bytes);
        let failed = |error| HostError::Adapter(format!("failed to read what the host sent to {peer:?}: {error}"));
        let frames = frames.map_err(failed)?;
        self.flush(link).await?;
        for frame in frames {
            match (peer, frame) {
                (_, Frame::Pong(number)) if number == self.pings => self.answered(link),
                (_, Frame::Pong(_)) | (Peer::Barrier, _) => {}
                (Peer::Admin, frame) => self.take_metrics(link, frame)?,
                (Peer::Upstream(_), Frame::Headers { stream, mut fields, end_of_stream }) => {
                    let peer = self.upstream(peer, &mut fields);
                    let frame = Frame::Headers { stream, fields, end_of_stream };
                    self.queue.push_back(Seen::Frame { link, peer, frame });
                }
                (_, frame) => self.queue.push_back(Seen::Frame { link, peer, frame }),
            }
        }
        Ok(())
    }

    /// Takes a part of the response with metrics.
    fn take_metrics(&mut self, link: u64, frame: Frame) -> Result<(), HostError> {
        let Frame::Data { bytes, end_of_stream, .. } = frame else { return Ok(()) };
        self.metrics.extend(bytes);
        if end_of_stream {
            self.links.remove(&link);
            let metrics = self.driver.metrics(&std::mem::take(&mut self.metrics));
            let failed = |error| HostError::Adapter(format!("failed to read the metrics: {error}"));
            self.queue.push_back(Seen::Metrics(metrics.map_err(failed)?));
        }
        Ok(())
    }

    /// The peer of a request to the upstream, whose client is named by a field if the host does that.
    fn upstream(&self, peer: Peer, fields: &mut Fields) -> Peer {
        let ClientPort::Field(name) = self.client_port else { return peer };
        let Some(at) = fields.iter().position(|(found, _)| found.as_str() == Some(name)) else { return peer };
        let (_, port) = fields.remove(at);
        Peer::Upstream(port.as_str().and_then(|port| port.parse().ok()))
    }

    fn is_tcp(&self, link: u64) -> bool {
        self.links.get(&link).is_some_and(Link::is_tcp)
    }

    fn attach(&mut self, stream: TcpStream, peer: Peer) -> Result<(u64, u16), HostError> {
        self.opened += 1;
        self.writes += 1;
        let link = self.opened;
        let failed = |error: std::io::Error| HostError::Adapter(format!("failed to use a connection: {error}"));
        let has_proxy_line = matches!(peer, Peer::Upstream(_)) && self.client_port == ClientPort::ProxyLine;
        let attached = Link::new(link, stream, peer, has_proxy_line, &self.sender).map_err(failed)?;
        let ours = attached.ends.remote;
        self.links.insert(link, attached);
        Ok((link, ours))
    }

    /// How often something was written to the host, or a connection was opened or reset.
    pub fn writes(&self) -> u64 {
        self.writes
    }

    async fn flush(&mut self, link: u64) -> Result<(), HostError> {
        self.writes += 1;
        let Some(found) = self.links.get_mut(&link) else { return Ok(()) };
        match found.flush().await {
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Err(HostError::Hung),
            _ if found.is_reset() => self.reset(link).await,
            // That a connection is closed is seen when it is read.
            _ => Ok(()),
        }
    }

    /// Ignores what is seen for a while.
    async fn skip(&mut self, time: Duration) -> Result<(), HostError> {
        let end = Instant::now() + time;
        while self.next(end).await?.is_some() {}
        Ok(())
    }
}
