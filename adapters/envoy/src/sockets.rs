//! The kernel's table of connections: whose they are, and what is under way on them.

use std::fs;

/// The ends of a connection as Envoy sees them: its own port, and ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Envoy's port.
    pub local: u16,
    /// Our port.
    pub remote: u16,
}

/// The connections of the network that a process is in. Both ends are in it if both are on loopback.
pub struct Table(Vec<Row>);

struct Row {
    ends: Ends,
    /// Bytes, and the end, that the other end's kernel does not have yet.
    unsent: u32,
    inode: u64,
}

impl Table {
    /// Reads the table; `None` if the kernel has none to read.
    pub fn read(process: u32) -> Option<Table> {
        Some(Table::parse(&fs::read_to_string(format!("/proc/{process}/net/tcp")).ok()?))
    }

    fn parse(text: &str) -> Table {
        let hexadecimal = |text: &str| u32::from_str_radix(text, 16).ok();
        let port = |address: &str| u16::from_str_radix(address.split_once(':')?.1, 16).ok();
        let rows = text.lines().skip(1).filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let ends = Ends { local: port(words.get(1)?)?, remote: port(words.get(2)?)? };
            let unsent = hexadecimal(words.get(4)?.split_once(':')?.0)?;
            Some(Row { ends, unsent, inode: words.get(9)?.parse().ok()? })
        });
        Table(rows.collect())
    }

    /// The inode of a connection's end.
    pub fn inode(&self, ends: Ends) -> Option<u64> {
        self.0.iter().find(|row| row.ends == ends).map(|row| row.inode)
    }

    /// Whether something is under way on a connection, in either direction.
    pub fn is_under_way(&self, ends: Ends) -> bool {
        let other = Ends { local: ends.remote, remote: ends.local };
        self.0.iter().any(|row| row.unsent > 0 && (row.ends == ends || row.ends == other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
        0: 0100007F:2710 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0\n   \
        1: 0100007F:2711 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 20 4 30 10 -1\n   \
        2: 0100007F:2712 0100007F:C351 01 0000000A:00000000 00:00000000 00000000     0        0 333 1 0 20 4 30 10 -1\n";

    #[test]
    fn inodes() {
        let table = Table::parse(TABLE);
        assert_eq!(table.inode(Ends { local: 10001, remote: 50000 }), Some(222));
        assert_eq!(table.inode(Ends { local: 50000, remote: 10001 }), None);
    }

    #[test]
    fn what_is_under_way() {
        let table = Table::parse(TABLE);
        assert!(!table.is_under_way(Ends { local: 10001, remote: 50000 }));
        assert!(table.is_under_way(Ends { local: 10002, remote: 50001 }));
        assert!(table.is_under_way(Ends { local: 50001, remote: 10002 }));
    }
}
