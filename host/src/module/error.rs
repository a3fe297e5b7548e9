//! Why a module is not loaded.

use std::fmt;

use pw_abi::Version;

use crate::text::{one_line, shown};

/// Why the host does not load a module.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModuleError {
    /// The bytes are not a valid WebAssembly module; wasmtime's message.
    Invalid(String),
    /// The module needs more than a VM of the engine's [`Pool`](crate::Pool) has; wasmtime's message.
    Pool(String),
    /// The module exceeds one of its limits.
    Limit {
        /// What is counted, such as `functions`.
        what: &'static str,
        /// The field of [`ModuleLimits`](crate::ModuleLimits).
        limit: &'static str,
        /// The maximum.
        max: usize,
        /// The number in the module, as far as it was counted.
        actual: usize,
    },
    /// The bytes are a component, but plugins are core modules.
    Component,
    /// No export is the marker of a version of the ABI.
    NoMarker,
    /// Several exports are markers.
    SeveralMarkers(Vec<Version>),
    /// The module does not export its memory as `memory`.
    NoMemory,
    /// The module exports neither `proxy_on_memory_allocate` nor `malloc`.
    NoAllocator,
    /// The module imports something that the version does not have.
    UnknownImport {
        /// The version that the module is for.
        version: Version,
        /// Module and name.
        import: String,
    },
    /// The module imports a function with a wrong type.
    ImportType {
        /// Module and name.
        import: String,
        /// The type that the ABI gives it.
        expected: String,
        /// The type that the module gives it.
        actual: String,
    },
    /// The module exports a callback with a wrong type.
    ExportType {
        /// The callback's name.
        export: String,
        /// The type that the ABI gives it.
        expected: String,
        /// The type that the module gives it.
        actual: String,
    },
}

pub(crate) fn invalid(error: wasmtime::Error) -> ModuleError {
    ModuleError::Invalid(one_line(&format!("{error:#}")))
}

pub(crate) fn invalid_binary(error: wasmparser::BinaryReaderError) -> ModuleError {
    ModuleError::Invalid(one_line(&error.to_string()))
}

/// Whether the bytes are those of a component, which differs from a module in the two bytes after the version.
pub(crate) fn is_component(wasm: &[u8]) -> bool {
    wasm.starts_with(b"\0asm") && wasm.get(6..8) == Some(&[1, 0])
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModuleError::Invalid(error) => write!(f, "not a valid WebAssembly module: {error}"),
            ModuleError::Pool(error) => write!(f, "the module has no room in the engine's pool: {error}"),
            ModuleError::Limit { what, limit, max, actual } => {
                write!(f, "the module has {actual} {what}, and may have {max} (the limit `{limit}`)")
            }
            ModuleError::Component => {
                write!(f, "a WebAssembly component, but plugins are core modules: build for wasm32-wasip1")
            }
            ModuleError::NoMarker => {
                let markers: Vec<&str> = Version::ALL.into_iter().map(Version::marker).collect();
                write!(f, "the module exports no function that says its ABI version ({})", markers.join(", "))
            }
            ModuleError::SeveralMarkers(versions) => {
                let versions: Vec<&str> = versions.iter().map(|version| version.name()).collect();
                write!(f, "the module claims several ABI versions: {}", versions.join(", "))
            }
            ModuleError::NoMemory => write!(f, "the module does not export a memory called `memory`"),
            ModuleError::NoAllocator => {
                write!(f, "the module exports no allocator, neither `proxy_on_memory_allocate` nor `malloc`")
            }
            ModuleError::UnknownImport { version, import } => {
                let import = shown(import);
                write!(f, "the module imports `{import}`, which ABI v{version} does not have")
            }
            ModuleError::ImportType { import, expected, actual } => {
                let import = shown(import);
                write!(f, "the module imports `{import}` as {actual}, but it is {expected}")
            }
            ModuleError::ExportType { export, expected, actual } => {
                write!(f, "the module exports `{export}` as {actual}, but it is {expected}")
            }
        }
    }
}

impl std::error::Error for ModuleError {}
