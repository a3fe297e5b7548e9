//! The table as text.

use std::fmt::Write;

use pw_abi::{ENUMS, Function, Kind, SECTIONS, Version};

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
            if !row.params.is_empty() {
                let _ = writeln!(text, "    in a case: {}", in_a_case(row));
            }
        }
        for row in guest {
            let result = row.result.map(|kind| kind.lane());
            let signature = signature(row.name, &callback_lanes(row, version), result);
            let _ = writeln!(text, "  guest {signature}\n    {}", row.doc);
        }
    }
    text += "\nEnums, whose names cases use\n";
    for table in ENUMS {
        let values = table.values.iter().filter(|value| value.versions.contains(version));
        let values: Vec<String> = values.map(|value| format!("{} = {}", value.name, value.value)).collect();
        if !values.is_empty() {
            let _ = writeln!(text, "  {}\n    {}", table.name, values.join(", "));
        }
    }
    text
}

/// What a case calls the arguments and the returned values of a function.
fn in_a_case(row: &Function) -> String {
    let names = |out| {
        let params = row.params.iter().filter(move |param| param.out == out);
        params.map(|param| match param.kind {
            Kind::Enum(table) => format!("{} ({})", param.name, table.name),
            _ => param.name.to_owned(),
        })
    };
    let (args, returned): (Vec<String>, Vec<String>) = (names(false).collect(), names(true).collect());
    let kinds = [("args", args), ("returned", returned)].into_iter().filter(|(_, names)| !names.is_empty());
    kinds.map(|(kind, names)| format!("{kind} {}", names.join(", "))).collect::<Vec<_>>().join("; ")
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
        assert!(has(Version::V0_2_1, "    in a case: args map_id (proxy_map_type_t), key; returned value"));
        assert!(has(Version::V0_2_1, "  proxy_action_t"));
        assert!(!has(Version::V0_2_1, "  guest proxy_abi_version_0_2_0()"));
    }
}
