//! Which of a host's threads a connection belongs to.
//!
//! A host may run a plugin in several threads, all of which make HTTP calls. These look alike on the wire, but each
//! thread waits for its own sockets in its own event set (epoll), and the kernel shows which socket is in which set.

use crate::sockets::{self, Ends};

/// Whether one thread of a process waits for both connections; `None` if the kernel does not show it.
#[cfg(target_os = "linux")]
pub fn same_thread(process: u32, one: Ends, other: Ends) -> Option<bool> {
    use procfs::process::{FDTarget, Process};

    let (one, other) = (sockets::find(one)?.inode, sockets::find(other)?.inode);
    let process_files = Process::new(process.try_into().ok()?).ok()?.fd().ok()?;
    let files: Vec<_> = process_files.flatten().collect();
    let find = |inode: u64| {
        files.iter().find(|file| matches!(file.target, FDTarget::Socket(found) if found == inode)).map(|file| file.fd)
    };
    let (one, other) = (find(one)?, find(other)?);
    let mut sets = files
        .iter()
        .filter(|file| matches!(&file.target, FDTarget::AnonInode(kind) if kind.contains("eventpoll")))
        .filter_map(|file| std::fs::read_to_string(format!("/proc/{process}/fdinfo/{}", file.fd)).ok())
        .map(|info| members(&info));
    sets.find(|members| members.contains(&one)).map(|members| members.contains(&other))
}

/// Other kernels do not show it.
#[cfg(not(target_os = "linux"))]
pub fn same_thread(_: u32, _: Ends, _: Ends) -> Option<bool> {
    None
}

/// The files that an event set waits for.
#[cfg(target_os = "linux")]
fn members(info: &str) -> std::collections::BTreeSet<i32> {
    let member = |line: &str| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok();
    info.lines().filter_map(member).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn reads_the_members_of_an_event_set() {
        let info =
            "pos:\t0\nflags:\t02\ntfd:        9 events:       19 data: 9  pos:0 ino:1 sdev:8\ntfd:       12 events: 1";
        assert_eq!(members(info), BTreeSet::from([9, 12]));
    }

    #[test]
    fn tells_the_sockets_of_one_runtime_from_those_of_another() {
        let connect = |runtime: &tokio::runtime::Runtime| {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
                let address = listener.local_addr().expect("it is bound");
                let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
                let ends = Ends { local: stream.local_addr().expect("it is connected").port(), remote: address.port() };
                (listener, stream, ends)
            })
        };
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_io().build().expect("it can be built");
        let (one, other) = (runtime(), runtime());
        let (a, b, c) = (connect(&one), connect(&one), connect(&other));
        assert_eq!(same_thread(std::process::id(), a.2, b.2), Some(true));
        assert_eq!(same_thread(std::process::id(), a.2, c.2), Some(false));
    }
}
