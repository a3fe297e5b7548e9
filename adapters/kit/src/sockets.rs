//! What the kernel knows of TCP connections: the sockets at their ends, and whether data is in transit.

/// The ends of a connection, as the host sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The host's port.
    pub local: u16,
    /// The adapter's port.
    pub remote: u16,
}

/// One end of a connection, as the kernel has it.
pub struct Socket {
    /// Its inode.
    pub inode: u64,
    /// Bytes, and one for the end of the stream, which the kernel of the other end has not acknowledged.
    pub unsent: u32,
}

/// The host's end of a connection; `None` if there is none, or this kernel does not tell.
pub fn find(ends: Ends) -> Option<Socket> {
    // In the table that the file has, a socket is found by reading all of it, which takes milliseconds.
    diagnose(ends).ok().flatten().or_else(|| listed(ends))
}

/// Whether data is in transit on a connection, in either direction.
pub fn is_in_transit(ends: Ends) -> bool {
    let other = Ends { local: ends.remote, remote: ends.local };
    [ends, other].into_iter().filter_map(find).any(|socket| socket.unsent > 0)
}

/// Asks the kernel for one socket (`sock_diag`).
#[cfg(target_os = "linux")]
fn diagnose(ends: Ends) -> std::io::Result<Option<Socket>> {
    use std::net::Ipv4Addr;

    use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
    use netlink_packet_sock_diag::SockDiagMessage;
    use netlink_packet_sock_diag::constants::{AF_INET, IPPROTO_TCP};
    use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
    use netlink_sys::{SocketAddr, protocols::NETLINK_SOCK_DIAG};

    let request = InetRequest {
        family: AF_INET,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id: SocketId {
            source_port: ends.local,
            destination_port: ends.remote,
            source_address: Ipv4Addr::LOCALHOST.into(),
            destination_address: Ipv4Addr::LOCALHOST.into(),
            interface_id: 0,
            // Whichever socket has these ends.
            cookie: [0xff; 8],
        },
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let mut socket = netlink_sys::Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&bytes, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<SockDiagMessage>::deserialize(&answer).map_err(std::io::Error::other)?;
    Ok(match answer.payload {
        NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(found)) => {
            Some(Socket { inode: found.header.inode.into(), unsent: found.header.send_queue })
        }
        _ => None,
    })
}

/// Reads the kernel's table, for kernels without `sock_diag`.
#[cfg(target_os = "linux")]
fn listed(ends: Ends) -> Option<Socket> {
    let entries = procfs::process::Process::myself().ok()?.tcp().ok()?;
    let is_it = |entry: &procfs::net::TcpNetEntry| {
        (entry.local_address.port(), entry.remote_address.port()) == (ends.local, ends.remote)
    };
    entries.into_iter().find(is_it).map(|entry| Socket { inode: entry.inode, unsent: entry.tx_queue })
}

/// Other kernels have neither.
#[cfg(not(target_os = "linux"))]
fn diagnose(_: Ends) -> std::io::Result<Option<Socket>> {
    Ok(None)
}

/// Other kernels have neither.
#[cfg(not(target_os = "linux"))]
fn listed(_: Ends) -> Option<Socket> {
    None
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
        let inode = |find: fn(Ends) -> Option<Socket>| find(ends).expect("it is there").inode;
        assert_eq!(inode(|ends| diagnose(ends).expect("Linux has sock_diag")), inode(listed));
        assert!(find(Ends { local: 1, remote: 1 }).is_none());
        // The kernel counts a segment as in transit until it has handled its acknowledgement, on a busy machine some time later.
        let settles = || (0..500).any(|_| !is_in_transit(ends) || pause());
        assert!(settles());
        // The server reads nothing, so the buffers of both ends fill up.
        client.set_nonblocking(true).expect("sockets can be");
        while client.write(&[0; 1 << 16]).is_ok() {}
        assert!(is_in_transit(ends));
        assert!(is_in_transit(Ends { local: ends.remote, remote: ends.local }));
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
