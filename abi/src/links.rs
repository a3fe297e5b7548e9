//! Links into the text of the specification, at one commit. Knows how GitHub names headings.

use crate::{Callback, Function, SECTIONS, Section, Version, callback, host_function};

/// The folder of the specification's versions, at the commit from which the table was made, with a `/` at the end.
macro_rules! specification {
    () => {
        "https://github.com/proxy-wasm/spec/blob/3a844b8d1a03e897a62e951d2f4ab97f1db98f8a/abi-versions/"
    };
}

/// The heading of a host function, as an anchor.
macro_rules! heading {
    (env $name:ident) => {
        stringify!($name)
    };
    ($module:ident $name:ident) => {
        concat!(stringify!($module), stringify!($name))
    };
}

/// The text of the last version that has a row.
macro_rules! last_text {
    () => {
        "v0.2.1/README.md#"
    };
    (V0_1_0) => {
        "v0.1.0/README.md#"
    };
    (V0_2_0) => {
        "v0.2.0/README.md#"
    };
}

pub(crate) use {heading, last_text, specification};

/// The specification of all versions, at the commit from which the table was made.
pub const SPECIFICATION: &str = specification!();

impl Version {
    /// The link to its text.
    pub fn url(self) -> String {
        let folder = if self == Version::VNext { "vNEXT".to_owned() } else { format!("v{self}") };
        format!("{SPECIFICATION}{folder}/README.md")
    }
}

impl Section {
    /// The link to it in the text of a version.
    pub fn url(&self, version: Version) -> String {
        at(version, self.title)
    }
}

impl Function {
    /// The link to it in the text of a version.
    pub fn url(&self, version: Version) -> String {
        at(version, &self.qualified())
    }
}

impl Callback {
    /// The link to it in the text of a version.
    pub fn url(&self, version: Version) -> String {
        at(version, self.name)
    }
}

/// The link to a clause in the text of a version: `proxy_log/OK`, `proxy_on_log`, `#http_fields`, `#serialization`.
pub fn clause_url(clause: &str, version: Version) -> String {
    let name = clause.split('/').next().unwrap_or_default();
    if let Some(heading) = clause.strip_prefix('#') {
        let section = SECTIONS.iter().find(|section| section.slug == heading);
        return at(version, section.map_or(heading, |section| section.title));
    }
    match (host_function(version, name), callback(version, name)) {
        (Some(row), _) => row.url(version),
        (None, Some(row)) => row.url(version),
        (None, None) => version.url(),
    }
}

fn at(version: Version, heading: &str) -> String {
    format!("{}#{}", version.url(), anchor(heading))
}

/// The anchor that GitHub gives a heading: lower case, `-` for spaces, no punctuation.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_clauses() {
        let rows = [
            ("proxy_log/OK", Version::V0_2_1, "v0.2.1/README.md#proxy_log"),
            ("random_get/INVAL", Version::V0_1_0, "v0.1.0/README.md#wasi_snapshot_preview1random_get"),
            ("proxy_on_tick", Version::V0_2_0, "v0.2.0/README.md#proxy_on_tick"),
            ("#http_fields", Version::V0_2_1, "v0.2.1/README.md#http-fields"),
            ("#foreign_function_interface", Version::V0_2_1, "v0.2.1/README.md#foreign-function-interface-ffi"),
            ("#shared_key_value_store", Version::V0_2_1, "v0.2.1/README.md#shared-key-value-store"),
            ("#plugin-crashes", Version::VNext, "vNEXT/README.md#plugin-crashes"),
            ("#proxy_action_t", Version::V0_2_1, "v0.2.1/README.md#proxy_action_t"),
            ("proxy_abi_version_0_1_0", Version::V0_1_0, "v0.1.0/README.md#proxy_abi_version_0_1_0"),
        ];
        for (clause, version, expected) in rows {
            assert_eq!(clause_url(clause, version), format!("{SPECIFICATION}{expected}"), "{clause}");
        }
    }
}
