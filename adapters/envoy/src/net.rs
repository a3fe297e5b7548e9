//! Sockets on loopback, and the one inbox that everything arrives in.
//!
//! Knows bytes and ports, no frames.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

/// How long a connection, or room in a socket's buffer, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Something that came from outside of the adapter.
pub enum Incoming {
    /// Envoy connected to one of our servers.
    Accepted {
        /// The server's port.
        server: u16,
        /// The connection.
        stream: TcpStream,
    },
    /// Bytes on a connection.
    Bytes {
        /// Whose.
        connection: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// A connection ended.
    Closed {
        /// Which.
        connection: u64,
    },
    /// A line of Envoy's standard error, without its end.
    Line(Vec<u8>),
    /// The process ended, and how.
    Exited(String),
    /// Standard error was closed; no line follows.
    LogEnded,
}

/// A port that nobody else gets as long as this is kept. Envoy, of the same user, may listen on it, because both ask
/// for the port to be shared; until it does, connections are refused.
pub struct Reserved {
    /// The port.
    pub port: u16,
    _socket: TcpSocket,
}

impl Reserved {
    /// Reserves a free port.
    pub fn new() -> io::Result<Reserved> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.bind(loopback(0))?;
        Ok(Reserved { port: socket.local_addr()?.port(), _socket: socket })
    }
}

/// Accepts connections on a free port, which is returned.
pub async fn serve(inbox: &UnboundedSender<Incoming>) -> io::Result<u16> {
    let listener = TcpListener::bind(loopback(0)).await?;
    let server = listener.local_addr()?.port();
    let inbox = inbox.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = inbox.closed() => return,
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    let _ = inbox.send(Incoming::Accepted { server, stream });
                }
            }
        }
    });
    Ok(server)
}

/// Connects to a port on loopback.
pub async fn connect(port: u16) -> io::Result<TcpStream> {
    timeout(PATIENCE, TcpStream::connect(loopback(port))).await?
}

/// Starts to read a connection; what arrives comes through the inbox. Its other half is for writing.
pub fn attach(connection: u64, stream: TcpStream, inbox: &UnboundedSender<Incoming>) -> io::Result<OwnedWriteHalf> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    tokio::spawn(read(connection, reader, inbox.clone()));
    Ok(writer)
}

/// Writes all, or fails when nobody takes it.
pub async fn write(writer: &mut OwnedWriteHalf, bytes: &[u8]) -> io::Result<()> {
    timeout(PATIENCE, writer.write_all(bytes)).await?
}

async fn read(connection: u64, mut reader: OwnedReadHalf, inbox: UnboundedSender<Incoming>) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = tokio::select! {
            () = inbox.closed() => return,
            read = reader.read(&mut buffer) => read,
        };
        let message = match read {
            Ok(length @ 1..) => Incoming::Bytes { connection, bytes: buffer[..length].to_vec() },
            Ok(0) | Err(_) => Incoming::Closed { connection },
        };
        let closed = matches!(message, Incoming::Closed { .. });
        if inbox.send(message).is_err() || closed {
            return;
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
