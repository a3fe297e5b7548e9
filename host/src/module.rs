//! A compiled module, checked against the table before it runs.

pub(crate) mod error;
pub(crate) mod limits;
pub(crate) mod validate;
mod work;

use std::fmt;
use std::sync::Arc;

use pw_abi::Version;
use wasmtime::InstancePre;

use crate::engine::Engine;
use crate::exports::Exports;
use crate::guest_data::Data;
use crate::interface::Interface;
use crate::linker;
use crate::module::error::{ModuleError, invalid, is_component};
use crate::module::limits::ModuleLimits;
use crate::module::validate::validate;
use crate::text::one_line;

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
