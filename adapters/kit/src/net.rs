//! Sockets on loopback, and the one inbox that everything arrives in.
//!
//! Knows bytes and ports, not frames.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long it may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the other end may take to read what is written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How much is read from a connection at once.
const READ_BYTES: usize = 1 << 16;

/// Something that came from outside of the adapter.
pub enum Incoming {
    /// The host connected to a server of the adapter.
    Accepted {
        /// The server's port.
        server: u16,
        /// The connection.
        stream: TcpStream,
    },
    /// Bytes on a connection.
    Bytes {
        /// The connection's number.
        connection: u64,
        /// At least one.
        bytes: Vec<u8>,
    },
    /// The other end sends nothing more.
    Ended {
        /// The connection's number.
        connection: u64,
    },
    /// A connection was reset, or is closed in both directions.
    Closed {
        /// The connection's number.
        connection: u64,
    },
    /// The host has written to its log.
    Logged,
    /// The process has exited; the text says how.
    Exited(String),
    /// The log was closed; no line follows.
    LogEnded,
}

/// A port that no other program gets while this exists. The host, which runs as the same user, can listen on it if it sets
/// `SO_REUSEPORT` or `SO_REUSEADDR`, as this does; until it listens, connections are refused.
pub struct Reserved {
    /// The port.
    pub port: u16,
    _socket: TcpSocket,
}

impl Reserved {
    /// Reserves a free port.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn new() -> io::Result<Reserved> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.set_reuseaddr(true)?;
        socket.bind(loopback(0))?;
        Ok(Reserved { port: socket.local_addr()?.port(), _socket: socket })
    }
}

/// Accepts connections on a free port, which is returned, as long as the inbox exists.
///
/// # Errors
///
/// There is no free port.
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
///
/// # Errors
///
/// Nothing listens on it, or nothing accepts the connection in time.
pub async fn connect(port: u16) -> io::Result<TcpStream> {
    timeout(CONNECT_TIMEOUT, TcpStream::connect(loopback(port))).await?
}

/// A connection. What arrives on it is sent to the inbox; it is closed when this is dropped.
pub struct Socket {
    writer: OwnedWriteHalf,
    reader: Reader,
}

/// The task that reads; it ends when this is dropped.
struct Reader(JoinHandle<()>);

impl Socket {
    /// Starts to read a connection, which has this number in the inbox.
    ///
    /// # Errors
    ///
    /// The kernel refuses the connection's options.
    pub fn new(connection: u64, stream: TcpStream, inbox: &UnboundedSender<Incoming>) -> io::Result<Socket> {
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let reader = Reader(tokio::spawn(read(connection, reader, inbox.clone())));
        Ok(Socket { writer, reader })
    }

    /// Writes all bytes.
    ///
    /// # Errors
    ///
    /// The connection is closed, or the other end does not read (`TimedOut`).
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(WRITE_TIMEOUT, self.writer.write_all(bytes)).await?
    }

    /// Writes all bytes and the end together: the other end never sees the last bytes without the end.
    ///
    /// # Errors
    ///
    /// As [`Socket::write`].
    pub async fn write_last(&mut self, bytes: &[u8]) -> io::Result<()> {
        cork(self.writer.as_ref())?;
        self.write(bytes).await?;
        self.writer.shutdown().await
    }

    /// Resets the connection. What was written and not yet read is lost.
    ///
    /// # Errors
    ///
    /// The kernel refuses the connection's options.
    pub async fn reset(mut self) -> io::Result<()> {
        self.writer.as_ref().set_zero_linger()?;
        // If it were dropped, it would first send that nothing follows.
        self.writer.forget();
        self.reader.0.abort();
        // The connection is open until the reader has ended. That it was aborted is not an error.
        let _ = (&mut self.reader.0).await;
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Makes the kernel keep the last bytes until the end is written, too.
#[cfg(target_os = "linux")]
fn cork(stream: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_tcp_cork(stream, true)?)
}

/// With other kernels the end may come after the last bytes.
#[cfg(not(target_os = "linux"))]
fn cork(_stream: &TcpStream) -> io::Result<()> {
    Ok(())
}

async fn read(connection: u64, mut reader: OwnedReadHalf, inbox: UnboundedSender<Incoming>) {
    let mut buffer = vec![0; READ_BYTES];
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
            // An end that sends nothing more can still reset the connection.
            let _ = reader.ready(Interest::ERROR).await;
            let _ = inbox.send(Incoming::Closed { connection });
            return;
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
