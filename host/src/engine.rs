//! Owns wasmtime's configuration: what compiles modules, where VMs live, and how time is measured. Touches no state.

mod cache;
mod compiler;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use wasmtime::{Config, Engine as WasmEngine, Strategy, WasmFeatures};

pub use self::cache::Cache;
use self::cache::Opened;
pub use self::compiler::Compiler;
use crate::module::{ModuleError, ModuleLimits, validate};
use crate::{Pool, module};

/// The proposals that are on; all others are off. They are listed in the documentation of [`Engine`].
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::RELAXED_SIMD)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::FUNCTION_REFERENCES)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::MEMORY64);

/// Bytes of stack that a call into a plugin may use before it faults: wasmtime's own choice, which the threads of most
/// proxies can spare.
const STACK: usize = 512 << 10;

/// Compiles modules; shared by all plugins of a process. Cheap to clone.
///
/// These are the proposals of WebAssembly that modules may use, and no others:
///
/// | proposal | |
/// | --- | --- |
/// | mutable globals, non-trapping conversions from floats, sign extension | part of WebAssembly 2.0 |
/// | multi-value, bulk memory, SIMD | part of WebAssembly 2.0 |
/// | reference types | `funcref` only: there is no garbage collector, so `externref` is off |
/// | relaxed SIMD, tail calls, extended constants | part of WebAssembly 3.0 |
/// | typed function references | part of WebAssembly 3.0 |
/// | 64-bit memories and tables | part of WebAssembly 3.0; pointers of the ABI stay 32 bits wide |
/// | several memories | part of WebAssembly 3.0; a plugin is valid with them, but may have one, and is not started with more |
///
/// Off are threads and shared memories, exceptions (both forms), garbage collection, custom page sizes, wide arithmetic,
/// stack switching, memory control, custom descriptors, compact imports, and components.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Winch, made when it is needed first; none where it cannot be used.
    winch: Arc<OnceLock<Option<WasmEngine>>>,
    cranelift: WasmEngine,
    config: Arc<EngineConfig>,
    cache: Option<Opened>,
    pub(crate) metering: Metering,
    /// VMs have their places in a pool.
    pub(crate) pooled: bool,
    /// Counts the ticks.
    pub(crate) ticks: Arc<AtomicU64>,
}

/// How the time of calls into plugins is bounded. See [`Limits`](crate::Limits) for how much of it there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metering {
    /// Not at all, which is fastest: for plugins that are trusted.
    #[default]
    None,
    /// By counting instructions: a run takes the same course every time.
    Fuel,
    /// By the clock: somebody calls [`Engine::tick`] at an interval, from another thread. For a proxy at work.
    Epochs,
}

/// How an engine is set up. The default is what a proxy at work wants, except that nothing bounds the time of its plugins.
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
    /// What compiles modules.
    pub compiler: Compiler,
    /// Each module is compiled by as many threads as there are cores, of a pool that the process has for that.
    pub parallel: bool,
    /// The pool in which VMs have their places; without one there is room for as many as the machine has. Where there are
    /// two compilers, each has a pool of that size for the VMs of its modules.
    pub pool: Option<Pool>,
    /// Where compiled modules are kept on disk.
    pub cache: Option<Cache>,
}

impl Engine {
    /// An engine that bounds the time of calls into plugins in some way, and has room for as many VMs as the machine.
    ///
    /// Fails where wasmtime does not support the machine.
    pub fn new(metering: Metering) -> Result<Engine, wasmtime::Error> {
        Engine::with_config(&EngineConfig { metering, ..EngineConfig::default() })
    }

    /// An engine whose VMs have their places in a pool: they start and end faster, and are so many at most.
    ///
    /// Fails where wasmtime does not support the machine, and where the operating system does not give so much address
    /// space.
    pub fn with_pool(metering: Metering, pool: Pool) -> Result<Engine, wasmtime::Error> {
        Engine::with_config(&EngineConfig { metering, pool: Some(pool), ..EngineConfig::default() })
    }

    /// An engine that is set up in some way. A cache that cannot be used is done without.
    ///
    /// Fails where wasmtime does not support the machine, and where the operating system does not give so much address
    /// space as a pool takes.
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

    /// Machine code of a valid module: by Winch if it is the engine's choice or the module is too `large` for Cranelift, else by
    /// Cranelift. None if the module is too large for Cranelift and Winch, which is there, cannot compile it.
    pub(crate) fn compile(&self, wasm: &[u8], large: bool) -> Result<Option<wasmtime::Module>, wasmtime::Error> {
        let winch = if large || self.config.compiler == Compiler::Winch { self.winch() } else { None };
        let compile = || match winch.map(|winch| wasmtime::Module::from_binary(winch, wasm)) {
            Some(Ok(module)) => Ok(Some(module)),
            Some(Err(_)) if large => Ok(None),
            _ => wasmtime::Module::from_binary(&self.cranelift, wasm).map(Some),
        };
        match &self.cache {
            Some(cache) => cache.around(wasm, compile),
            None => compile(),
        }
    }

    fn winch(&self) -> Option<&WasmEngine> {
        let make = || wasmtime_engine(&self.config, self.cache.as_ref(), Strategy::Winch).ok();
        self.winch.get_or_init(|| if compiler::winch_knows_the_machine() { make() } else { None }).as_ref()
    }

    /// Lets one tick of [`Metering::Epochs`] pass. May be called from any thread, while plugins run.
    pub fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        self.cranelift.increment_epoch();
        self.winch.get().into_iter().flatten().for_each(WasmEngine::increment_epoch);
    }

    /// Checks that a module is valid WebAssembly and within the default limits, its code too, without compiling it.
    pub fn validate(&self, wasm: &[u8]) -> Result<(), ModuleError> {
        self.validate_within(wasm, &ModuleLimits::default())
    }

    /// The same with other limits.
    pub fn validate_within(&self, wasm: &[u8], limits: &ModuleLimits) -> Result<(), ModuleError> {
        if module::is_component(wasm) {
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
    // Of a backtrace only the functions are shown.
    wasm.generate_address_map(false);
    if strategy == Strategy::Winch {
        compiler::hasten(&mut wasm);
    }
    wasm.consume_fuel(config.metering == Metering::Fuel);
    wasm.epoch_interruption(config.metering == Metering::Epochs);
    wasm.max_wasm_stack(STACK);
    wasm.parallel_compilation(config.parallel);
    wasm.wasm_features(WasmFeatures::all(), false);
    wasm.wasm_features(compiler::features(strategy), true);
    if let Some(pool) = &config.pool {
        pool.configure(&mut wasm);
    }
    wasm
}
