//! The Proxy-Wasm ABI as data.
//!
//! One file per section of the specification in `sections/`, one row per function. For each row this crate defines a
//! constant (in [`SECTIONS`]) and a method of the section's trait; other crates pass the same rows to macros of
//! their own (see [`sections!`]). Everything but the meaning of calls follows from the rows.
//!
//! Owns the shape of the ABI in every version. Knows nothing of wasmtime, cases or files; has no dependencies.

pub mod beyond;
mod call;
mod enums;
mod kind;
mod links;
pub mod pairs;
mod row;
mod sections;
mod version;

pub use call::{Exit, IovecsIn, MemoryWrites, Values};
pub use enums::*;
pub use kind::*;
pub use links::{SPECIFICATION, clause_url};
pub use row::*;
pub use sections::*;
pub use version::{Version, Versions};

/// The section with the name `slug`, such as `http_fields`.
pub fn section(slug: &str) -> Option<&'static Section> {
    SECTIONS.iter().copied().find(|section| section.slug == slug)
}

/// Every host function of `version`, in the order of the specification.
pub fn host_functions(version: Version) -> impl Iterator<Item = &'static Function> {
    SECTIONS.iter().flat_map(|section| section.host).filter(move |row| row.versions.contains(version))
}

/// Every export that a plugin for `version` may have, in the order of the specification.
pub fn callbacks(version: Version) -> impl Iterator<Item = &'static Callback> {
    SECTIONS.iter().flat_map(|section| section.guest).filter(move |row| row.versions.contains(version))
}

/// The host function `name` of `version`; for WASI functions with or without their module, as in `wasi_snapshot_preview1.fd_write`.
pub fn host_function(version: Version, name: &str) -> Option<&'static Function> {
    host_functions(version).find(|row| row.is_called(name))
}

/// The export `name` of `version`.
pub fn callback(version: Version, name: &str) -> Option<&'static Callback> {
    callbacks(version).find(|row| row.name == name)
}
