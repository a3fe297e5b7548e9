//! The ABI table, printed: as text, as JSON, as Markdown. Pure.

mod json;
mod markdown;
mod text;

pub use json::json;
pub use markdown::markdown;
pub use text::text;

use pw_abi::{Callback, EnumTable, Function, Kind, Lane, Version, Versions};

/// The lanes of a function's parameters, with the specification's names.
fn lanes(row: &Function) -> Vec<(&'static str, Lane)> {
    row.lanes().collect()
}

/// The lanes of a callback's parameters in a version.
fn callback_lanes(row: &Callback, version: Version) -> Vec<(&'static str, Lane)> {
    row.params(version).map(|param| (param.name, param.kind.lane())).collect()
}

/// `name(a: i32, b: i64) -> i32`.
fn signature(name: &str, lanes: &[(&'static str, Lane)], result: Option<Lane>) -> String {
    let params: Vec<String> = lanes.iter().map(|(name, lane)| format!("{name}: {}", lane.name())).collect();
    let result = result.map_or(String::new(), |lane| format!(" -> {}", lane.name()));
    format!("{name}({}){result}", params.join(", "))
}

/// `all`, `0.1.0`, `0.2.0 on`.
fn range(versions: Versions) -> String {
    let Versions { since, until } = versions;
    match (since, until) {
        (Version::V0_1_0, Version::VNext) => "all".to_owned(),
        (since, until) if since == until => since.to_string(),
        (since, Version::VNext) => format!("{since} on"),
        (since, until) => format!("{since} to {until}"),
    }
}

/// What a parameter is.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::U32 => "u32",
        Kind::U64 => "u64",
        Kind::I64 => "i64",
        Kind::Bool => "bool",
        Kind::Size => "size",
        Kind::Enum(EnumTable { name, .. }) => name,
        Kind::Bytes => "bytes",
        Kind::Pairs => "pairs",
        Kind::Path => "path",
        Kind::Iovecs => "iovecs",
        Kind::Address => "address",
        Kind::Writes => "memory",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_short() {
        let rows = [
            (Version::V0_1_0, Version::VNext, "all"),
            (Version::V0_1_0, Version::V0_1_0, "0.1.0"),
            (Version::V0_2_0, Version::VNext, "0.2.0 on"),
            (Version::VNext, Version::VNext, "next"),
            (Version::V0_1_0, Version::V0_2_0, "0.1.0 to 0.2.0"),
        ];
        for (since, until, expected) in rows {
            assert_eq!(range(Versions { since, until }), expected);
        }
    }
}
