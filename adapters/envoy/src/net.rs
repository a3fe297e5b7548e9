//! Sockets on loopback, and the one inbox that everything arrives in.
//!
//! Knows bytes and ports, no frames.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
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
    /// The other end sends no more.
    Ended {
        /// Whose.
        connection: u64,
    },
    /// A connection was cut off.
    Closed {
        /// Which.
        connection: u64,
    },
    /// Standard error was written to.
    Logged,
    /// The process ended, and how.
    Exited(String),
    /// Standard error was closed; no line follows.
    LogEnded,
}

/// A port that nobody else gets as long as this is kept. Envoy, of the same user, may listen on it, because both ask
/// for the port to be shared, or for the address to be used again; until it does, connections are refused.
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
        socket.set_reuseaddr(true)?;
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

/// A connection. What arrives on it comes through the inbox; it is closed when this is dropped.
pub struct Socket {
    writer: OwnedWriteHalf,
    reader: Reader,
}

/// Reads until it is dropped.
struct Reader(JoinHandle<()>);

impl Socket {
    /// Starts to read a connection.
    pub fn new(connection: u64, stream: TcpStream, inbox: &UnboundedSender<Incoming>) -> io::Result<Socket> {
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let reader = Reader(tokio::spawn(read(connection, reader, inbox.clone())));
        Ok(Socket { writer, reader })
    }

    /// Writes all, or fails when nobody takes it.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(PATIENCE, self.writer.write_all(bytes)).await?
    }

    /// Writes all and says that it was the last, both at once: the other end sees no last bytes without the end.
    pub async fn write_last(&mut self, bytes: &[u8]) -> io::Result<()> {
        hold_back(self.writer.as_ref())?;
        self.write(bytes).await?;
        self.writer.shutdown().await
    }

    /// Cuts the connection off. What was written and not yet taken is lost.
    pub async fn reset(mut self) -> io::Result<()> {
        self.writer.as_ref().set_zero_linger()?;
        // Dropped, it would say first that nothing follows.
        self.writer.forget();
        self.reader.0.abort();
        // The connection is open until the reader is gone; that it was aborted is no error.
        let _ = (&mut self.reader.0).await;
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Has the kernel hold the last bytes back until the end is there, too.
#[cfg(target_os = "linux")]
fn hold_back(stream: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_tcp_cork(stream, true)?)
}

/// Elsewhere the end may come after the last bytes.
#[cfg(not(target_os = "linux"))]
fn hold_back(_stream: &TcpStream) -> io::Result<()> {
    Ok(())
}

async fn read(connection: u64, mut reader: OwnedReadHalf, inbox: UnboundedSender<Incoming>) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = tokio::select! {
            () = inbox.closed() => return,
            read = reader.read(&mut buffer) => read,
        };
        let message = match read {
            Ok(0) => Incoming::Ended { connection },
            Ok(length) => Incoming::Bytes { connection, bytes: buffer[..length].to_vec() },
            Err(_) => Incoming::Closed { connection },
        };
        let (ended, closed) = (matches!(message, Incoming::Ended { .. }), matches!(message, Incoming::Closed { .. }));
        if inbox.send(message).is_err() || closed {
            return;
        }
        if ended {
            // What sends no more can still be cut off.
            let _ = reader.ready(Interest::ERROR).await;
            let _ = inbox.send(Incoming::Closed { connection });
            return;
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
