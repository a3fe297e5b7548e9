//! A compiled module, checked against the table before anything of it runs.

use std::fmt;
use std::sync::Arc;

use pw_abi::Version;
use wasmtime::{ExternType, InstancePre};

use crate::guest::{Data, On};
use crate::linker;
use crate::{Engine, Interface};

/// A compiled module that the host takes. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    pub(crate) pre: InstancePre<Data>,
    pub(crate) version: Version,
    pub(crate) engine: Engine,
    pub(crate) data: Option<(u32, Arc<[u8]>)>,
    /// By callback: how many arguments the module's takes, and whether it has a result.
    pub(crate) callbacks: Arc<[Option<(usize, bool)>]>,
    /// Which compilation it is of.
    compiled: Arc<()>,
}

/// Why the host does not take a module.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModuleError {
    /// The bytes are no WebAssembly module; wasmtime's words.
    Invalid(String),
    /// The module wants more than a VM of the engine's [`Pool`](crate::Pool) has; wasmtime's words.
    Pool(String),
    /// The bytes are a component, and plugins are core modules.
    Component,
    /// No export says which version of the ABI the module is for.
    NoMarker,
    /// Several do.
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
    /// The module imports a function with another type than it has.
    ImportType {
        /// Module and name.
        import: String,
        /// The type that it has.
        expected: String,
        /// The type that the module gives.
        actual: String,
    },
    /// The module exports a callback with another type than it has.
    ExportType {
        /// The callback's name.
        export: String,
        /// The type that it has.
        expected: String,
        /// The type that the module gives.
        actual: String,
    },
}

impl Module {
    /// Checks the imports and exports of a module, from bytes, and compiles it.
    pub fn new(engine: &Engine, wasm: &[u8]) -> Result<Module, ModuleError> {
        let interface = Interface::read(wasm)?;
        let version = interface.version()?;
        if let Some(refusal) = interface.refusals(version).into_iter().next() {
            return Err(refusal);
        }
        let module = wasmtime::Module::new(&engine.wasm, wasm).map_err(|error| match engine.validate(wasm) {
            Ok(()) if engine.pooled => ModuleError::Pool(one_line(&format!("{error:#}"))),
            _ => invalid(error),
        })?;
        let linker = linker::linker(engine, &interface, version).map_err(invalid)?;
        let pre = linker.instantiate_pre(&module).map_err(invalid)?;
        let shape = |on: &On| match module.get_export(on.name()) {
            Some(ExternType::Func(ty)) => Some((ty.params().len(), ty.results().len() > 0)),
            _ => None,
        };
        let callbacks = On::ALL.iter().map(shape).collect();
        Ok(Module { pre, version, engine: engine.clone(), data: None, callbacks, compiled: Arc::default() })
    }

    /// The same module with `bytes` at `address` in its memory, as if by one more data segment: many variants of a
    /// module then need one compilation. What does not fit makes the instantiation fail.
    pub fn with_data(&self, address: u32, bytes: &[u8]) -> Module {
        Module { data: Some((address, bytes.into())), ..self.clone() }
    }

    /// Whether it is the same module, compiled once, with the same bytes put into its memory.
    pub(crate) fn is(&self, other: &Module) -> bool {
        Arc::ptr_eq(&self.compiled, &other.compiled) && self.data == other.data
    }

    /// The version that the module is for.
    pub fn version(&self) -> Version {
        self.version
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Module(ABI v{})", self.version)
    }
}

pub(crate) fn invalid(error: wasmtime::Error) -> ModuleError {
    ModuleError::Invalid(one_line(&format!("{error:#}")))
}

pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModuleError::Invalid(error) => write!(f, "not a valid WebAssembly module: {error}"),
            ModuleError::Pool(error) => write!(f, "the module has no room in the engine's pool: {error}"),
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
                write!(f, "the module imports `{import}`, which ABI v{version} does not have")
            }
            ModuleError::ImportType { import, expected, actual } => {
                write!(f, "the module imports `{import}` as {actual}, but it is {expected}")
            }
            ModuleError::ExportType { export, expected, actual } => {
                write!(f, "the module exports `{export}` as {actual}, but it is {expected}")
            }
        }
    }
}

impl std::error::Error for ModuleError {}
