//! Which of Envoy's threads a connection belongs to.
//!
//! Envoy runs a plugin on its main thread as well as on its worker, and both make HTTP calls. On the wire they look
//! alike, but each thread waits for its own sockets, and the kernel tells which socket is in whose set.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The ends of a connection as Envoy sees them: its own port, and ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Envoy's port.
    pub local: u16,
    /// Our port.
    pub remote: u16,
}

/// Whether two connections of a process are waited for by the same thread; `None` if the kernel does not say.
pub fn same_thread(process: u32, one: Ends, other: Ends) -> Option<bool> {
    let table = fs::read_to_string(format!("/proc/{process}/net/tcp")).ok()?;
    let (one, other) = (inode(&table, one)?, inode(&table, other)?);
    let descriptors = descriptors(process)?;
    let find = |inode: u64| {
        let target = format!("socket:[{inode}]");
        descriptors.iter().find(|(_, link)| **link == target).map(|(descriptor, _)| *descriptor)
    };
    let (one, other) = (find(one)?, find(other)?);
    let mut sets = descriptors
        .iter()
        .filter(|(_, link)| *link == "anon_inode:[eventpoll]")
        .filter_map(|(set, _)| Some(members(&fs::read_to_string(format!("/proc/{process}/fdinfo/{set}")).ok()?)));
    sets.find(|members| members.contains(&one)).map(|members| members.contains(&other))
}

/// The open files of a process, and what they are.
fn descriptors(process: u32) -> Option<BTreeMap<u32, String>> {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let describe = |entry: fs::DirEntry| {
        let link = fs::read_link(entry.path()).ok()?;
        Some((entry.file_name().to_str()?.parse().ok()?, link.to_str()?.to_owned()))
    };
    Some(entries.flatten().filter_map(describe).collect())
}

/// The inode of a connection in the kernel's table.
fn inode(table: &str, ends: Ends) -> Option<u64> {
    let port = |address: &str| u16::from_str_radix(address.split_once(':')?.1, 16).ok();
    table.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let found = Ends { local: port(words.get(1)?)?, remote: port(words.get(2)?)? };
        (found == ends).then(|| words.get(9)?.parse().ok()).flatten()
    })
}

/// The files that an event set waits for.
fn members(info: &str) -> BTreeSet<u32> {
    let member = |line: &str| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok();
    info.lines().filter_map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
        0: 0100007F:2710 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0\n   \
        1: 0100007F:2711 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 20 4 30 10 -1\n";

    #[test]
    fn inodes() {
        assert_eq!(inode(TABLE, Ends { local: 10001, remote: 50000 }), Some(222));
        assert_eq!(inode(TABLE, Ends { local: 50000, remote: 10001 }), None);
    }

    #[test]
    fn event_sets() {
        let info =
            "pos:\t0\nflags:\t02\ntfd:        9 events:       19 data: 9  pos:0 ino:1 sdev:8\ntfd:       12 events: 1";
        assert_eq!(members(info), BTreeSet::from([9, 12]));
    }
}
