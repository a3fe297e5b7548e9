//! Owns wasmtime's configuration: the compilers, the pool of VMs, and how time is measured. Touches no state.

mod cache;
mod compiler;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use wasmtime::{Config, Engine as WasmEngine, Strategy, WasmFeatures};

pub use self::cache::Cache;
use self::cache::Opened;
pub use self::compiler::Compiler;
use crate::metering::Metering;
use crate::module::error::{ModuleError, is_component};
use crate::module::limits::ModuleLimits;
use crate::module::validate::validate;
use crate::pool::Pool;

/// Bytes of stack that a call into a plugin may use before it traps: wasmtime's default, which fits into the stacks of
/// most proxies' threads.
const MAX_STACK_BYTES: usize = 512 << 10;

/// Compiles modules; shared by all plugins of a process. Cheap to clone.
///
/// Modules may use these proposals of WebAssembly, and no others:
///
/// | proposal | |
/// | --- | --- |
/// | mutable globals, non-trapping conversions from floats, sign extension | part of WebAssembly 2.0 |
/// | multi-value, bulk memory, SIMD | part of WebAssembly 2.0 |
/// | reference types | `funcref` only: there is no garbage collector, so `externref` is off |
/// | relaxed SIMD, tail calls, extended constants | part of WebAssembly 3.0 |
/// | typed function references | part of WebAssembly 3.0 |
/// | 64-bit memories and tables | part of WebAssembly 3.0; pointers of the ABI stay 32 bits wide |
/// | several memories | part of WebAssembly 3.0; a module with several is valid, but a plugin with more than one is not started |
///
/// These are off: threads and shared memories, exceptions (both forms), garbage collection, custom page sizes, wide arithmetic,
/// stack switching, memory control, custom descriptors, compact imports, and components.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Winch's engine, created when it is first needed; `None` if Winch does not support the machine.
    winch: Arc<OnceLock<Option<WasmEngine>>>,
    cranelift: WasmEngine,
    config: Arc<EngineConfig>,
    cache: Option<Opened>,
    pub(crate) metering: Metering,
    /// VMs are allocated in a pool.
    pub(crate) pooled: bool,
    /// The number of ticks so far.
    pub(crate) ticks: Arc<AtomicU64>,
}

/// The configuration of an engine. The default suits a proxy in production, except that the time of plugins is not bounded.
///
/// ```
/// use pw_host::{Compiler, Engine, EngineConfig, Metering};
///
/// let config = EngineConfig { metering: Metering::Fuel, compiler: Compiler::Winch, ..EngineConfig::default() };
/// let engine = Engine::with_config(&config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineConfig {
    /// How the time of calls into plugins is bounded.
    pub metering: Metering,
    /// The compiler.
    pub compiler: Compiler,
    /// Whether each module is compiled by as many threads as there are cores, in a thread pool of the process.
    pub parallel: bool,
    /// The pool in which VMs are allocated; if `None`, only the machine's memory bounds their number. If both compilers are used,
    /// each has a pool of that size for the VMs of its modules.
    pub pool: Option<Pool>,
    /// The cache of compiled modules on disk.
    pub cache: Option<Cache>,
}

impl Engine {
    /// An engine with default configuration, except for metering.
    ///
    /// # Errors
    ///
    /// If wasmtime does not support the machine.
    pub fn new(metering: Metering) -> Result<Engine, wasmtime::Error> {
        Engine::with_config(&EngineConfig { metering, ..EngineConfig::default() })
    }

    /// An engine whose VMs are allocated in a pool: they start and end faster, and the pool bounds their number.
    ///
    /// # Errors
    ///
    /// If wasmtime does not support the machine, or if the operating system does not give enough address space for the pool.
    pub fn with_pool(metering: Metering, pool: Pool) -> Result<Engine, wasmtime::Error> {
        Engine::with_config(&EngineConfig { metering, pool: Some(pool), ..EngineConfig::default() })
    }

    /// An engine with this configuration. If the cache cannot be used, the engine works without it.
    ///
    /// # Errors
    ///
    /// If wasmtime does not support the machine, or if the operating system does not give enough address space for the pool.
    pub fn with_config(config: &EngineConfig) -> Result<Engine, wasmtime::Error> {
        let cache = config.cache.as_ref().and_then(Cache::open);
        Ok(Engine {
            winch: Arc::default(),
            cranelift: wasmtime_engine(config, cache.as_ref(), Strategy::Cranelift)?,
            config: Arc::new(config.clone()),
            metering: config.metering,
            pooled: config.pool.is_some(),
            cache,
            ticks: Arc::default(),
        })
    }

    /// Compiles a valid module: with Winch if the engine is configured for it or the module is too `large` for Cranelift, otherwise
    /// with Cranelift. `None` if the module is too large for Cranelift and Winch cannot compile it.
    pub(crate) fn compile(&self, wasm: &[u8], large: bool) -> Result<Option<wasmtime::Module>, wasmtime::Error> {
        let winch = if large || self.config.compiler == Compiler::Winch { self.winch() } else { None };
        let compile = || match winch.map(|winch| wasmtime::Module::from_binary(winch, wasm)) {
            Some(Ok(module)) => Ok(Some(module)),
            Some(Err(_)) if large => Ok(None),
            _ => wasmtime::Module::from_binary(&self.cranelift, wasm).map(Some),
        };
        match &self.cache {
            Some(cache) => cache.compile(wasm, compile),
            None => compile(),
        }
    }

    fn winch(&self) -> Option<&WasmEngine> {
        let make = || wasmtime_engine(&self.config, self.cache.as_ref(), Strategy::Winch).ok();
        self.winch.get_or_init(|| if compiler::winch_supports_the_machine() { make() } else { None }).as_ref()
    }

    /// Counts one tick of [`Metering::Epochs`]. May be called from any thread, while plugins run.
    pub fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        self.cranelift.increment_epoch();
        self.winch.get().into_iter().flatten().for_each(WasmEngine::increment_epoch);
    }

    /// Checks that a module, with its code, is valid WebAssembly and within the default limits, without compiling it.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub fn validate(&self, wasm: &[u8]) -> Result<(), ModuleError> {
        self.validate_within(wasm, &ModuleLimits::default())
    }

    /// The same with other limits.
    ///
    /// # Errors
    ///
    /// Why the module is not valid or not within the limits.
    pub fn validate_within(&self, wasm: &[u8], limits: &ModuleLimits) -> Result<(), ModuleError> {
        if is_component(wasm) {
            return Err(ModuleError::Component);
        }
        validate(wasm, limits).map(drop)
    }
}

fn wasmtime_engine(
    config: &EngineConfig,
    cache: Option<&Opened>,
    strategy: Strategy,
) -> Result<WasmEngine, wasmtime::Error> {
    let mut config = wasmtime_config(config, strategy);
    config.cache(cache.map(|cache| cache.wasmtime.clone()));
    WasmEngine::new(&config)
}

fn wasmtime_config(config: &EngineConfig, strategy: Strategy) -> Config {
    let mut wasm = Config::new();
    wasm.strategy(strategy);
    // A backtrace shows only the functions.
    wasm.generate_address_map(false);
    if strategy == Strategy::Winch {
        compiler::configure_for_speed(&mut wasm);
    }
    wasm.consume_fuel(config.metering == Metering::Fuel);
    wasm.epoch_interruption(config.metering == Metering::Epochs);
    wasm.max_wasm_stack(MAX_STACK_BYTES);
    wasm.parallel_compilation(config.parallel);
    wasm.wasm_features(WasmFeatures::all(), false);
    wasm.wasm_features(compiler::features(strategy), true);
    if let Some(pool) = &config.pool {
        pool.configure(&mut wasm);
    }
    wasm
}
