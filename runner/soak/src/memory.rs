//! How much memory this process has.

/// Bytes of this process in RAM; known on Linux only.
pub(super) fn resident() -> Option<u64> {
    status(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// From a line such as `VmRSS: 12345 kB`.
fn status(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_line_is_found() {
        assert_eq!(super::status("Name:\tx\nVmRSS:\t    2048 kB\nVmSwap:\t 0 kB\n"), Some(2048 << 10));
        assert_eq!(super::status("Name:\tx\n"), None);
    }
}
