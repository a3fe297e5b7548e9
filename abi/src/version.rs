//! The versions of the ABI.

use std::fmt;

/// A version of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Version {
    V0_1_0,
    V0_2_0,
    V0_2_1,
    /// The work in progress after v0.2.1; so far only its marker differs.
    VNext,
}

impl Version {
    /// The final versions, oldest first.
    pub const FINAL: [Version; 3] = [Version::V0_1_0, Version::V0_2_0, Version::V0_2_1];

    /// All versions, oldest first.
    pub const ALL: [Version; 4] = [Version::V0_1_0, Version::V0_2_0, Version::V0_2_1, Version::VNext];

    /// The version as people write it: `0.2.1`, `next`.
    pub fn name(self) -> &'static str {
        match self {
            Version::V0_1_0 => "0.1.0",
            Version::V0_2_0 => "0.2.0",
            Version::V0_2_1 => "0.2.1",
            Version::VNext => "next",
        }
    }

    /// The export that marks a module as one for this version.
    pub fn marker(self) -> &'static str {
        match self {
            Version::V0_1_0 => "proxy_abi_version_0_1_0",
            Version::V0_2_0 => "proxy_abi_version_0_2_0",
            Version::V0_2_1 => "proxy_abi_version_0_2_1",
            Version::VNext => "proxy_abi_version_0_x_x",
        }
    }

    /// The version with this name, with or without a `v` in front.
    pub fn parse(name: &str) -> Option<Version> {
        let name = name.strip_prefix('v').unwrap_or(name);
        Version::ALL.into_iter().find(|version| version.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The versions that have a row, first to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The first version that has it.
    pub since: Version,
    /// The last version that has it.
    pub until: Version,
}

impl Versions {
    /// The last final version that has it.
    pub fn last_final(self) -> Version {
        self.until.min(Version::V0_2_1)
    }

    /// Whether `version` has it.
    pub const fn contains(self, version: Version) -> bool {
        self.since as u8 <= version as u8 && version as u8 <= self.until as u8
    }
}
