//! What other hosts than the reference host are known to do with a module, as data: read in their sources, and seen
//! when they ran modules of that kind. The reference host is not here, since its own code is asked.

use pw_abi::Version;

use crate::check::finding::Kind;

/// A host, and when it loads a module.
#[derive(Debug)]
pub struct Host {
    /// Its name, as in records.
    pub name: &'static str,
    /// The version of it that all this is known of.
    pub version: &'static str,
    /// The versions of the ABI that it knows. Of several markers the first export counts.
    pub abi: &'static [Version],
    /// A module whose functions it also has under the name of another.
    pub alias: (&'static str, &'static str),
    /// Functions that it has besides the specification's and those of `pw_abi::beyond`, or with another type than theirs.
    /// Each with its module, its name and its type.
    pub imports: &'static [(&'static str, &'static str, &'static str)],
    /// Functions of `pw_abi::beyond` that it does not have, by their names.
    pub lacks: &'static [&'static str],
    /// Exports that it looks for besides the specification's, each with its name and its type.
    pub exports: &'static [(&'static str, &'static str)],
    /// What it makes of findings; nothing of those that are not here.
    pub rules: &'static [Rule],
}

/// What a host makes of a finding.
#[derive(Debug)]
pub struct Rule {
    /// The finding.
    pub kind: Kind,
    /// What the host does with such a module.
    pub does: Does,
    /// The case of the catalog that shows it; empty if there is none.
    pub case: &'static str,
    /// How that comes.
    pub why: &'static str,
}

/// What a host does with a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It does not load it.
    Refuses,
    /// It loads it, and may fail or die of it later; or what it does depends on more than is seen here.
    Hazard,
}

use Does::{Hazard, Refuses};

const fn rule(kind: Kind, does: Does, case: &'static str, why: &'static str) -> Rule {
    Rule { kind, does, case, why }
}

const P1: &str = "wasi_snapshot_preview1";

/// The hosts.
pub const HOSTS: [Host; 1] = [Host {
    name: "envoy",
    version: "1.40",
    abi: &Version::FINAL,
    alias: ("wasi_unstable", P1),
    imports: &[
        ("env", "envoy_resolve_dns", "(i32, i32, i32) -> i32"),
        // WASI gives these two a parameter more, with which they are refused.
        (P1, "path_link", "(i32, i32, i32, i32, i32, i32) -> i32"),
        (P1, "path_symlink", "(i32, i32, i32, i32) -> i32"),
    ],
    lacks: &["proc_raise"],
    exports: &[
        ("proxy_on_request_metadata", "(i32, i32) -> i32"),
        ("proxy_on_response_metadata", "(i32, i32) -> i32"),
        ("proxy_validate_configuration", "(i32, i32) -> i32"),
        ("envoy_on_resolve_dns", "(i32, i32, i32) -> ()"),
        ("envoy_on_stats_update", "(i32, i32) -> ()"),
    ],
    rules: &[
        rule(
            Kind::Invalid,
            Hazard,
            "",
            "V8 has its own set of WebAssembly features, such as exceptions and garbage collection",
        ),
        rule(Kind::NoMarker, Refuses, "integration/no_marker", "the version is missing or unknown to it"),
        rule(Kind::NextMarker, Refuses, "integration/vnext_marker", "the version is missing or unknown to it"),
        rule(
            Kind::NoMemory,
            Hazard,
            "memory_management/no_memory",
            "it crashes with SIGSEGV with the first pointer that it follows",
        ),
        rule(
            Kind::NoAllocator,
            Refuses,
            "memory_management/no_allocator",
            "it looks for `malloc`, then for `proxy_on_memory_allocate`, and needs one of them",
        ),
        rule(
            Kind::StartSection,
            Hazard,
            "integration/host_call_in_start_section",
            "it crashes with SIGSEGV if the start section passes the host a pointer",
        ),
        rule(Kind::ImportUnknown, Refuses, "integration/unknown_import", "it links functions of its own list only"),
        rule(
            Kind::ImportOfOtherVersion,
            Refuses,
            "integration/import_of_later_version",
            "it links functions of the module's version only",
        ),
        rule(Kind::ImportType, Refuses, "integration/import_of_wrong_type", "it links functions by their exact type"),
        rule(Kind::ImportWithoutStatus, Refuses, "integration/statusless_functions", "its own function has a status"),
        rule(Kind::ImportOfGlobal, Refuses, "", "it links no globals"),
        rule(Kind::ImportOfTag, Refuses, "", "it crashes with SIGTRAP when it links the module"),
        rule(
            Kind::ExportType,
            Refuses,
            "integration/callback_of_wrong_type",
            "it wants the exact type of every export that it looks for",
        ),
    ],
}];
