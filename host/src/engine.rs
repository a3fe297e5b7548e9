//! Owns wasmtime's configuration: what compiles modules, where VMs live, and how time is measured. Touches no state.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::{Config, Engine as WasmEngine, WasmFeatures};

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
    pub(crate) wasm: WasmEngine,
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

impl Engine {
    /// An engine that bounds the time of calls into plugins in some way, and has room for as many VMs as the machine.
    ///
    /// Fails where wasmtime does not support the machine.
    pub fn new(metering: Metering) -> Result<Engine, wasmtime::Error> {
        Engine::of(metering, None)
    }

    /// An engine whose VMs have their places in a pool: they start and end faster, and are so many at most.
    ///
    /// Fails where wasmtime does not support the machine, and where the operating system does not give so much address
    /// space.
    pub fn with_pool(metering: Metering, pool: Pool) -> Result<Engine, wasmtime::Error> {
        Engine::of(metering, Some(pool))
    }

    fn of(metering: Metering, pool: Option<Pool>) -> Result<Engine, wasmtime::Error> {
        let mut config = Config::new();
        config.consume_fuel(metering == Metering::Fuel);
        config.epoch_interruption(metering == Metering::Epochs);
        config.max_wasm_stack(STACK);
        config.wasm_features(WasmFeatures::all(), false);
        config.wasm_features(FEATURES, true);
        if let Some(pool) = pool {
            pool.configure(&mut config);
        }
        Ok(Engine { wasm: WasmEngine::new(&config)?, metering, pooled: pool.is_some(), ticks: Arc::default() })
    }

    /// Lets one tick of [`Metering::Epochs`] pass. May be called from any thread, while plugins run.
    pub fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        self.wasm.increment_epoch();
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
        validate(wasm, limits)
    }
}
