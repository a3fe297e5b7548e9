//! Which of Envoy's threads a connection belongs to.
//!
//! Envoy runs a plugin on its main thread as well as on its worker, and both make HTTP calls. On the wire they look
//! alike, but each thread waits for its own sockets, and the kernel tells which socket is in whose set.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::sockets::{Ends, Table};

/// Whether two connections of a process are waited for by the same thread; `None` if the kernel does not say.
pub fn same_thread(process: u32, one: Ends, other: Ends) -> Option<bool> {
    let table = Table::read(process)?;
    let (one, other) = (table.inode(one)?, table.inode(other)?);
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

/// The files that an event set waits for.
fn members(info: &str) -> BTreeSet<u32> {
    let member = |line: &str| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok();
    info.lines().filter_map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_sets() {
        let info =
            "pos:\t0\nflags:\t02\ntfd:        9 events:       19 data: 9  pos:0 ino:1 sdev:8\ntfd:       12 events: 1";
        assert_eq!(members(info), BTreeSet::from([9, 12]));
    }
}
