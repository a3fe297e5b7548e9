//! One connection: what is at its other end, and which protocol is spoken on it.

use std::io;

use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;

use crate::http::Connection;
use crate::net::{Incoming, Socket};
use crate::sockets::Ends;
use crate::target::UPSTREAM;

/// What is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The host, to a client with HTTP.
    Http,
    /// The host, to a client with TCP.
    Tcp,
    /// The host, which only answers pings.
    Barrier,
    /// The host, to its operator.
    Admin,
    /// The host as the client of the upstream, on behalf of the client with this port if it is on behalf of one.
    Upstream(Option<u16>),
    /// The host as the client of the upstream, on behalf of the TCP client with this port.
    TcpUpstream(u16),
    /// The host as the client of a server of calls, which has this name.
    Callee(&'static str),
}

/// A connection.
pub struct Link {
    /// What is at its other end.
    pub peer: Peer,
    /// Its ends.
    pub ends: Ends,
    /// A ping was not answered in time, and no other is sent.
    pub is_silent: bool,
    socket: Socket,
    /// `None` on a connection of TCP streams.
    http: Option<Connection>,
    /// The start of the PROXY line; `None` if there is none, or it was read.
    proxy_line: Option<Vec<u8>>,
}

impl Link {
    /// Starts to read a connection, which has this number in the inbox.
    ///
    /// # Errors
    ///
    /// The connection is closed already.
    pub fn new(
        number: u64,
        stream: TcpStream,
        peer: Peer,
        has_proxy_line: bool,
        inbox: &UnboundedSender<Incoming>,
    ) -> io::Result<Link> {
        let ends = Ends { local: stream.peer_addr()?.port(), remote: stream.local_addr()?.port() };
        let http = match peer {
            Peer::Tcp | Peer::TcpUpstream(_) => None,
            Peer::Http | Peer::Barrier | Peer::Admin => Some(Connection::client()),
            Peer::Upstream(_) | Peer::Callee(_) => Some(Connection::server()),
        };
        let proxy_line = has_proxy_line.then(Vec::new);
        Ok(Link { peer, ends, is_silent: false, socket: Socket::new(number, stream, inbox)?, http, proxy_line })
    }

    /// Whether it belongs to a TCP stream.
    pub fn is_tcp(&self) -> bool {
        matches!(self.peer, Peer::Tcp | Peer::TcpUpstream(_))
    }

    /// The state of HTTP, if that is spoken.
    pub fn http(&mut self) -> Option<&mut Connection> {
        self.http.as_mut()
    }

    /// Makes a client speak HTTP/1.1 before it has written anything.
    pub fn speak_http1(&mut self) {
        self.http = Some(Connection::http1_client());
    }

    /// Whether the other end answers pings.
    pub fn answers_pings(&self) -> bool {
        self.http.as_ref().is_some_and(Connection::answers_pings)
    }

    /// Whether the connection is to be reset when its output is written.
    pub fn is_reset(&self) -> bool {
        self.http.as_ref().is_some_and(Connection::is_reset)
    }

    /// Writes the output of HTTP.
    ///
    /// # Errors
    ///
    /// As [`Socket::write`].
    pub async fn flush(&mut self) -> io::Result<()> {
        match &mut self.http {
            Some(http) => self.socket.write(&http.take_output()).await,
            None => Ok(()),
        }
    }

    /// Writes bytes as they are, and the end if they are the last.
    ///
    /// # Errors
    ///
    /// As [`Socket::write`].
    pub async fn send(&mut self, bytes: &[u8], last: bool) -> io::Result<()> {
        if last { self.socket.write_last(bytes).await } else { self.socket.write(bytes).await }
    }

    /// Resets the connection.
    ///
    /// # Errors
    ///
    /// As [`Socket::reset`].
    pub async fn reset(self) -> io::Result<()> {
        self.socket.reset().await
    }

    /// Whether the PROXY line is not complete.
    pub fn expects_proxy_line(&self) -> bool {
        self.proxy_line.is_some()
    }

    /// Reads `PROXY TCP4 127.0.0.1 127.0.0.1 <client's port> <listener's port>`. The protocol that follows depends on whether
    /// `tcp` is the listener's port. Returns the bytes after the line once it is complete.
    pub fn read_proxy_line(&mut self, bytes: &[u8], tcp: u16) -> Option<Vec<u8>> {
        let line = self.proxy_line.as_mut()?;
        line.extend_from_slice(bytes);
        let end = line.windows(2).position(|pair| pair == b"\r\n")?;
        let bytes = self.proxy_line.take()?;
        let (client, listener) = ports(&bytes[..end]);
        self.peer = Peer::Upstream(client);
        if let Some(client) = client.filter(|_| listener == Some(tcp)) {
            self.peer = Peer::TcpUpstream(client);
            self.http = None;
        }
        Some(bytes[end + 2..].to_vec())
    }
}

/// The ports of the client and of the listener in a PROXY line.
fn ports(line: &[u8]) -> (Option<u16>, Option<u16>) {
    let line = String::from_utf8_lossy(line);
    let mut ports = line.split(' ').skip(4).map(|port| port.parse().ok());
    (ports.next().flatten(), ports.next().flatten())
}

impl Peer {
    /// The name of the upstream that a call on this connection is sent to.
    pub fn upstream(self) -> Option<&'static str> {
        match self {
            Peer::Callee(name) => Some(name),
            Peer::Upstream(_) => Some(UPSTREAM),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_ports_of_a_proxy_line() {
        let rows = [
            ("PROXY TCP4 127.0.0.1 127.0.0.1 50000 10000", (Some(50000), Some(10000))),
            ("PROXY UNKNOWN", (None, None)),
            ("PROXY TCP4 127.0.0.1 127.0.0.1 70000 1", (None, Some(1))),
        ];
        for (line, expected) in rows {
            assert_eq!(ports(line.as_bytes()), expected, "{line}");
        }
    }
}
