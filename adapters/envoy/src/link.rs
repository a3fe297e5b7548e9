//! One connection: what is at its other end, and what is spoken on it.

use std::io;

use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;

use crate::config::UPSTREAM;
use crate::http2::Connection;
use crate::net::{Incoming, Socket};
use crate::sockets::Ends;

/// What is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The listener of a scenario with HTTP.
    Listener,
    /// The listener of a scenario with TCP.
    TcpListener,
    /// The barrier's listener.
    Barrier,
    /// What Envoy tells its operator.
    Admin,
    /// The poll for listeners.
    Lds,
    /// Envoy as the client of the upstream, on behalf of a client with this port, if it is on behalf of one.
    Upstream(Option<u16>),
    /// Envoy as the client of the upstream, on behalf of a TCP client with this port.
    TcpUpstream(u16),
    /// Envoy as the client of a server of calls.
    Callee(&'static str),
}

/// A connection.
pub struct Link {
    /// What is at its other end.
    pub peer: Peer,
    /// Its ends.
    pub ends: Ends,
    /// It does not answer pings.
    pub mute: bool,
    socket: Socket,
    /// What is spoken; `None` for bytes without a meaning.
    http2: Option<Connection>,
    /// The line before everything else, as far as it has come; `None` if there is none to come.
    opening: Option<Vec<u8>>,
}

impl Link {
    /// Starts to read a connection, by this number.
    pub fn new(number: u64, stream: TcpStream, peer: Peer, inbox: &UnboundedSender<Incoming>) -> io::Result<Link> {
        let ends = Ends { local: stream.peer_addr()?.port(), remote: stream.local_addr()?.port() };
        let http2 = match peer {
            Peer::TcpListener | Peer::TcpUpstream(_) => None,
            Peer::Listener | Peer::Barrier | Peer::Admin => Some(Connection::client()),
            Peer::Lds | Peer::Upstream(_) | Peer::Callee(_) => Some(Connection::server()),
        };
        let opening = matches!(peer, Peer::Upstream(_)).then(Vec::new);
        Ok(Link { peer, ends, mute: false, socket: Socket::new(number, stream, inbox)?, http2, opening })
    }

    /// Whether it is a TCP connection of a scenario.
    pub fn is_tcp(&self) -> bool {
        matches!(self.peer, Peer::TcpListener | Peer::TcpUpstream(_))
    }

    /// What is spoken, if it is HTTP/2.
    pub fn http2(&mut self) -> Option<&mut Connection> {
        self.http2.as_mut()
    }

    /// Writes what HTTP/2 has to say.
    pub async fn flush(&mut self) -> io::Result<()> {
        match &mut self.http2 {
            Some(http2) => self.socket.write(&http2.take_output()).await,
            None => Ok(()),
        }
    }

    /// Writes bytes as they are; perhaps they are the last.
    pub async fn send(&mut self, bytes: &[u8], last: bool) -> io::Result<()> {
        if last { self.socket.write_last(bytes).await } else { self.socket.write(bytes).await }
    }

    /// Cuts the connection off.
    pub async fn reset(self) -> io::Result<()> {
        self.socket.reset().await
    }

    /// Whether the line before everything else is yet to come.
    pub fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    /// Reads `PROXY TCP4 127.0.0.1 127.0.0.1 <client's port> <listener's port>`, which tells by whether it is the
    /// listener for `tcp` what is spoken then; returns what follows the line, if it is complete.
    pub fn open(&mut self, bytes: &[u8], tcp: u16) -> Option<Vec<u8>> {
        let line = self.opening.as_mut()?;
        line.extend_from_slice(bytes);
        let end = line.windows(2).position(|pair| pair == b"\r\n")?;
        let bytes = self.opening.take()?;
        let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut ports = line.split(' ').skip(4).map(|port| port.parse().ok());
        let (client, listener) = (ports.next().flatten(), ports.next().flatten());
        self.peer = Peer::Upstream(client);
        if let Some(client) = client.filter(|_| listener == Some(tcp)) {
            self.peer = Peer::TcpUpstream(client);
            self.http2 = None;
        }
        Some(bytes[end + 2..].to_vec())
    }
}

impl Peer {
    /// The name of the upstream that a call on such a connection is for.
    pub fn upstream(self) -> Option<&'static str> {
        match self {
            Peer::Callee(name) => Some(name),
            Peer::Upstream(_) => Some(UPSTREAM),
            _ => None,
        }
    }
}
