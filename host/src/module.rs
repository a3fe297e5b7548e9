//! A compiled module, checked against the table before it runs.

mod limits;
mod validate;
mod work;

use std::fmt;
use std::sync::Arc;

use pw_abi::Version;
use wasmtime::InstancePre;

use crate::exports::Exports;
use crate::guest::Data;
use crate::linker;
use crate::text::{one_line, shown};
use crate::{Engine, Interface};

pub(crate) use self::limits::Counted;
pub use self::limits::ModuleLimits;
pub(crate) use self::validate::validate;

/// A compiled module that the host accepts. Cheap to clone; can be compiled on one thread and used on others.
///
/// Compiling takes time and memory in proportion to the module's size; [`ModuleLimits`] reject what would take more. A proxy
/// that accepts modules from strangers compiles them on a thread of their own, with a timeout:
///
/// ```
/// use std::sync::mpsc;
/// use std::thread;
/// use std::time::Duration;
///
/// use pw_host::{Engine, Metering, Module, ModuleLimits};
///
/// let wasm = wat::parse_str(r#"(module (memory (export "memory") 1)
///     (func (export "proxy_abi_version_0_2_1"))
///     (func (export "malloc") (param i32) (result i32) (i32.const 8)))"#)?;
/// let engine = Engine::new(Metering::Epochs)?;
/// let (sender, receiver) = mpsc::channel();
/// let compiler = engine.clone();
/// thread::spawn(move || {
///     // The receiver may have timed out.
///     let _ = sender.send(Module::with_limits(&compiler, &wasm, &ModuleLimits::default()));
/// });
/// match receiver.recv_timeout(Duration::from_secs(60)) {
///     Ok(Ok(module)) => println!("a plugin for ABI v{}", module.version()),
///     Ok(Err(error)) => println!("rejected: {error}"),
///     Err(_) => println!("compiling takes too long"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The thread does not end before the module is compiled; the limits bound how long that takes.
#[derive(Clone)]
pub struct Module {
    pub(crate) pre: InstancePre<Data>,
    pub(crate) version: Version,
    pub(crate) engine: Engine,
    pub(crate) data: Option<(u32, Arc<[u8]>)>,
    pub(crate) exports: Arc<Exports>,
    /// Bytes of the module before it was compiled.
    pub(crate) size: usize,
}

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
        /// The field of [`ModuleLimits`].
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

impl Module {
    /// Validates the bytes of a module, with the default limits; checks its imports and exports, and compiles it.
    ///
    /// # Errors
    ///
    /// Why the host does not load the module.
    pub fn new(engine: &Engine, wasm: &[u8]) -> Result<Module, ModuleError> {
        Module::with_limits(engine, wasm, &ModuleLimits::default())
    }

    /// The same with other limits.
    ///
    /// # Errors
    ///
    /// Why the host does not load the module.
    pub fn with_limits(engine: &Engine, wasm: &[u8], limits: &ModuleLimits) -> Result<Module, ModuleError> {
        if is_component(wasm) {
            return Err(ModuleError::Component);
        }
        let work = validate(wasm, limits)?;
        let interface = Interface::within(wasm, limits)?;
        let version = interface.version()?;
        if let Some(refusal) = interface.refusals(version).into_iter().next() {
            return Err(refusal);
        }
        let rejected = |error| match engine.pooled {
            // The module is valid.
            true => ModuleError::Pool(one_line(&format!("{error:#}"))),
            false => invalid(error),
        };
        let (what, max) = ("units of work for a function that Winch cannot compile", limits.cranelift_work);
        let too_large = ModuleError::Limit { what, limit: "cranelift_work", max, actual: work };
        let module = engine.compile(wasm, work > max).map_err(rejected)?.ok_or(too_large)?;
        let linker = linker::linker(module.engine(), &interface, version).map_err(invalid)?;
        let pre = linker.instantiate_pre(&module).map_err(invalid)?;
        let exports = Arc::new(Exports::of(&module, version));
        Ok(Module { pre, version, engine: engine.clone(), data: None, exports, size: wasm.len() })
    }

    /// The same module with `bytes` at `address` in its memory, as if by one more data segment, so that many variants of a
    /// module need one compilation. A plugin is not started if they do not fit into its memory.
    pub fn with_data(&self, address: u32, bytes: &[u8]) -> Module {
        Module { data: Some((address, bytes.into())), ..self.clone() }
    }

    /// Whether it is the same compiled module with the same data.
    pub(crate) fn is(&self, other: &Module) -> bool {
        Arc::ptr_eq(&self.exports, &other.exports) && self.data == other.data
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
