//! Owns wasmtime's configuration: what compiles modules, and what bounds a plugin. Touches no state.

use wasmtime::{Config, Engine as WasmEngine};

use crate::module::{ModuleError, invalid};

/// Compiles modules; shared by all plugins of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) wasm: WasmEngine,
    pub(crate) limits: Limits,
}

/// What bounds a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many units of wasmtime's fuel, about one per instruction, each call into the plugin may burn. None does not
    /// count, which is faster.
    pub fuel: Option<u64>,
    /// How many bytes its memory may grow to; it has no more than one.
    pub memory: usize,
}

impl Default for Limits {
    /// No fuel is counted; memory is bounded by the 1 GiB that Envoy grants too.
    fn default() -> Limits {
        Limits { fuel: None, memory: 1 << 30 }
    }
}

impl Engine {
    /// An engine whose plugins have these limits.
    ///
    /// Fails where wasmtime does not support the machine.
    pub fn new(limits: Limits) -> Result<Engine, wasmtime::Error> {
        let mut config = Config::new();
        config.consume_fuel(limits.fuel.is_some());
        Ok(Engine { wasm: WasmEngine::new(&config)?, limits })
    }

    /// Checks that a module is valid WebAssembly, its code too, without compiling it.
    pub fn validate(&self, wasm: &[u8]) -> Result<(), ModuleError> {
        wasmtime::Module::validate(&self.wasm, wasm).map_err(invalid)
    }
}
