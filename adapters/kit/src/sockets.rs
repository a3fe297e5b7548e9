//! The kernel's table of TCP connections: the sockets at their ends, and whether data is in transit.

/// The ends of a connection, as the host sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The host's port.
    pub local: u16,
    /// The adapter's port.
    pub remote: u16,
}

/// The connections in the network of a process. If both ends are on loopback, both are in the table.
pub struct Table(Vec<Row>);

struct Row {
    ends: Ends,
    /// Bytes, and one for the end of the stream, which the kernel of the other end has not acknowledged.
    unsent: u32,
    inode: u64,
}

impl Table {
    /// Reads the table of the process with this id; `None` if the kernel has none that can be read.
    #[cfg(target_os = "linux")]
    pub fn read(process: u32) -> Option<Table> {
        let entries = procfs::process::Process::new(process.try_into().ok()?).ok()?.tcp().ok()?;
        let row = |entry: procfs::net::TcpNetEntry| Row {
            ends: Ends { local: entry.local_address.port(), remote: entry.remote_address.port() },
            unsent: entry.tx_queue,
            inode: entry.inode,
        };
        Some(Table(entries.into_iter().map(row).collect()))
    }

    /// Other kernels have no such table.
    #[cfg(not(target_os = "linux"))]
    pub fn read(_: u32) -> Option<Table> {
        None
    }

    /// The inode of the socket at the local end of a connection.
    pub fn inode(&self, ends: Ends) -> Option<u64> {
        self.0.iter().find(|row| row.ends == ends).map(|row| row.inode)
    }

    /// Whether data is in transit on a connection, in either direction.
    pub fn is_in_transit(&self, ends: Ends) -> bool {
        let other = Ends { local: ends.remote, remote: ends.local };
        self.0.iter().any(|row| row.unsent > 0 && (row.ends == ends || row.ends == other))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn finds_the_ends_of_a_connection_and_what_is_in_transit() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let mut client = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let (mut server, _) = listener.accept().expect("a client connects");
        let port = |address: std::io::Result<std::net::SocketAddr>| address.expect("it is connected").port();
        let ends = Ends { local: port(client.local_addr()), remote: port(client.peer_addr()) };
        let table = || Table::read(std::process::id()).expect("Linux has a table");
        assert!(table().inode(ends).is_some());
        assert_eq!(table().inode(Ends { local: 1, remote: 1 }), None);
        // The kernel counts a segment as in transit until it has handled its acknowledgement, on a busy machine some time later.
        let settles = || (0..500).any(|_| !table().is_in_transit(ends) || pause());
        assert!(settles());
        // The server reads nothing, so the buffers of both ends fill up.
        client.set_nonblocking(true).expect("sockets can be");
        while client.write(&[0; 1 << 16]).is_ok() {}
        assert!(table().is_in_transit(ends));
        assert!(table().is_in_transit(Ends { local: ends.remote, remote: ends.local }));
        drop(client);
        server.read_to_end(&mut Vec::new()).expect("the client has ended");
        assert!(settles());
    }

    /// Waits a little. It never says that something has settled.
    fn pause() -> bool {
        std::thread::sleep(std::time::Duration::from_millis(10));
        false
    }
}
