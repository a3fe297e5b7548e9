//! Versions of the ABI and places in its text, as case files name them.

use pw_abi::Version;

use crate::node::{Node, Read, meant};

/// A version, or a range of them.
pub(crate) fn versions(node: &Node) -> Read<Vec<Version>> {
    let one = |name: &str| match Version::parse(name) {
        Some(version) => Ok(version),
        None => {
            let meant = meant(name, Version::ALL.iter().map(|v| v.name()));
            node.complain(format!("unknown version `{name}`{meant}; a range is written `0.2.0..` or `..0.2.0`"))
        }
    };
    let text = node.text()?;
    let (since, until) = match text.split_once("..") {
        None => (one(text)?, one(text)?),
        Some((since, until)) => (
            if since.is_empty() { Version::V0_1_0 } else { one(since)? },
            if until.is_empty() { Version::V0_2_1 } else { one(until)? },
        ),
    };
    if since > until {
        return node.complain("the range is empty");
    }
    Ok(Version::ALL.into_iter().filter(|version| (since..=until).contains(version)).collect())
}

/// Headings of the specification that are not sections of the table.
const HEADINGS: [&str; 12] = [
    "callbacks-and-functions",
    "callbacks-exposed-by-the-wasm-module",
    "functions-exposed-by-the-host",
    "well-known-properties",
    "proxy-wasm-properties",
    "serialization",
    "maps-with-http-fields-andor-grpc-metadata",
    "security-considerations",
    "external-resources",
    "memory-and-cpu-limits",
    "plugin-crashes",
    "effective-context-changes",
];

/// A clause that one of the versions has.
pub(crate) fn clause(node: &Node, versions: &[Version]) -> Read<String> {
    let text = node.text()?;
    let (name, status) = text.split_once('/').map_or((text, None), |(name, status)| (name, Some(status)));
    let known = versions.iter().any(|version| match status {
        Some(status) => pw_abi::host_function(*version, name)
            .is_some_and(|row| row.promises(*version).any(|promise| promise.name == status)),
        None => pw_abi::callback(*version, name).is_some() || pw_abi::host_function(*version, name).is_some(),
    });
    if known || heading(text) {
        return Ok(text.to_owned());
    }
    node.complain(format!(
        "unknown clause `{text}` in the versions of this case: write `<function>/<STATUS>`, `<callback>` or `#<heading>` \
         as `pw-conform abi` and the specification have them"
    ))
}

fn heading(text: &str) -> bool {
    let Some(anchor) = text.strip_prefix('#') else { return false };
    let slug = |title: &str| title.to_lowercase().replace(['(', ')'], "").replace(' ', "-");
    HEADINGS.contains(&anchor)
        || pw_abi::SECTIONS.iter().any(|section| section.slug == anchor || slug(section.title) == anchor)
        || pw_abi::ENUMS.iter().any(|table| table.name == anchor)
}
