//! The table as text.

use std::fmt::Write;

use pw_abi::{SECTIONS, Version};

use crate::table::{callback_lanes, lanes, signature};

/// What `version` has, by section.
pub fn text(version: Version) -> String {
    let mut text = format!("Proxy-Wasm ABI v{version}\n");
    for section in SECTIONS {
        let host: Vec<_> = section.host.iter().filter(|row| row.versions.contains(version)).collect();
        let guest: Vec<_> = section.guest.iter().filter(|row| row.versions.contains(version)).collect();
        if host.is_empty() && guest.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{} ({})", section.title, section.slug);
        for row in host {
            let statuses: Vec<&str> = row.promises(version).map(|promise| promise.name).collect();
            let statuses = if statuses.is_empty() { String::new() } else { format!("\n    {}", statuses.join(", ")) };
            let signature = signature(&row.qualified(), &lanes(row), row.result());
            let _ = writeln!(text, "  host  {signature}\n    {}{statuses}", row.doc);
        }
        for row in guest {
            let result = row.result.map(|kind| kind.lane());
            let signature = signature(row.name, &callback_lanes(row, version), result);
            let _ = writeln!(text, "  guest {signature}\n    {}", row.doc);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_what_is_its_own() {
        let has = |version, line: &str| text(version).lines().any(|known| known == line);
        assert!(has(Version::V0_2_1, "HTTP fields (http_fields)"));
        assert!(has(Version::V0_2_1, "  host  wasi_snapshot_preview1.proc_exit(exit_code: i32)"));
        assert!(has(Version::V0_2_0, "  guest proxy_abi_version_0_2_0()"));
        assert!(!has(Version::V0_2_1, "  guest proxy_abi_version_0_2_0()"));
    }
}
