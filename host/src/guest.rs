//! One instance of a module: its start, its callbacks, its allocator. Knows nothing of what calls and callbacks mean.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wasmtime::{AsContext, Extern, Instance, PoolConcurrencyLimitError, Store, StoreLimitsBuilder, TypedFunc};

use crate::callbacks::On;
use crate::config::PluginConfig;
use crate::exports::Exports;
use crate::guest_data::{Data, Meter};
use crate::limits::Limits;
use crate::metering::Metering;
use crate::module::Module;
use crate::planted::planted;
use crate::state::State;
use crate::text::{at_most, one_line, shown};

/// Maximum size of the reason of a trap, in bytes.
const MAX_REASON_BYTES: usize = 1 << 10;
/// Maximum number of the engine's ticks that a call may last, whatever its limit is, so that a deadline does not overflow.
const MAX_EPOCHS: u64 = u64::MAX / 2;

/// Maximum number of tables of a plugin: more than compilers emit.
const MAX_TABLES: usize = 16;

/// The bit of a callback in [`Guest::gets`].
const fn bit(on: On) -> u32 {
    1 << on as u32
}

/// An exported callback with its type.
enum Export {
    P1(TypedFunc<u32, ()>),
    P1R(TypedFunc<u32, u32>),
    P2(TypedFunc<(u32, u32), ()>),
    P2R(TypedFunc<(u32, u32), u32>),
    P3(TypedFunc<(u32, u32, u32), ()>),
    P3R(TypedFunc<(u32, u32, u32), u32>),
    P5(TypedFunc<(u32, u32, u32, u32, u32), ()>),
}

/// An instance.
pub(crate) struct Guest {
    store: Store<Data>,
    instance: Option<Instance>,
    exports: Arc<Exports>,
    /// The callbacks that it exports and gets, a bit for each.
    gets: u32,
    /// The callbacks that were called, by number; the others are not looked up yet.
    callbacks: [Option<Export>; On::ALL.len()],
    budget: (Metering, Limits),
    /// The engine's tick at which the last callback began.
    began: u64,
}

/// The guest crashed.
#[derive(Debug)]
pub(crate) struct Trap {
    /// One line: the function, the trap, the functions on the stack.
    pub(crate) reason: String,
    /// Whether the system has no memory for the guest, which is not its fault.
    pub(crate) no_memory: bool,
}

impl Guest {
    /// Instantiates a module and runs its start functions: `_initialize` and then `main`, or `_start`.
    pub(crate) fn start(module: &Module, config: &PluginConfig, state: &mut Option<Box<State>>) -> Result<Guest, Trap> {
        let limits = StoreLimitsBuilder::new()
            .memory_size(config.limits.memory)
            .memories(1)
            .tables(MAX_TABLES)
            .table_elements(config.limits.table_elements)
            .build();
        let capabilities = config.capabilities.clone();
        let has = |on: &&On| {
            module.exports.callback(**on).is_some()
                && (capabilities.as_ref().is_none_or(|names| names.contains(on.name()))
                    || crate::planted::has(crate::planted::Planted::CallbacksUnrestricted))
        };
        let gets = On::ALL.iter().filter(has).fold(0, |gets, on| gets | bit(*on));
        let engine = &module.engine;
        let meter = Meter { metering: engine.metering, pending: 0, ticks: engine.ticks.clone(), deadline: 0 };
        let data = Data { state: None, memory: None, allocator: None, allocating: false, capabilities, limits, meter };
        let mut store = Store::new(module.pre.module().engine(), data);
        store.limiter(|data| &mut data.limits);
        let budget = (module.engine.metering, config.limits.of_module(module.size));
        let callbacks = [const { None }; On::ALL.len()];
        let mut guest =
            Guest { store, instance: None, exports: module.exports.clone(), gets, callbacks, budget, began: 0 };
        let instance = guest.run("the start section", state, |guest| guest.instantiate(module))?;
        for (name, export) in &module.exports.start {
            if let Some(Extern::Func(function)) = instance.get_module_export(&mut guest.store, export) {
                guest.run(name, state, |guest| call_start(name, function, &mut guest.store))?;
            }
        }
        Ok(guest)
    }

    fn instantiate(&mut self, module: &Module) -> wasmtime::Result<Instance> {
        let instance = module.pre.instantiate(&mut self.store)?;
        let exports = &module.exports;
        let memory = exports.memory.and_then(|export| instance.get_module_export(&mut self.store, &export));
        let memory = memory.and_then(Extern::into_memory);
        if let (Some((address, bytes)), Some(memory)) = (&module.data, memory) {
            memory.write(&mut self.store, *address as usize, bytes)?;
        }
        let mut allocator = exports.allocators.first();
        planted!(MallocFirst => allocator = exports.allocators.last());
        let allocator = allocator.and_then(|export| instance.get_module_export(&mut self.store, export));
        let allocator =
            allocator.and_then(Extern::into_func).map(|function| function.typed(&self.store)).transpose()?;
        self.instance = Some(instance);
        let data = self.store.data_mut();
        data.memory = memory;
        data.allocator = allocator;
        Ok(instance)
    }

    /// The size of its memory, in bytes.
    pub(crate) fn memory_size(&self) -> usize {
        self.store.data().memory.map_or(0, |memory| memory.data_size(&self.store))
    }

    /// Whether the guest exports a callback and may get it.
    #[inline]
    pub(crate) fn has(&self, on: On) -> bool {
        self.gets & bit(on) != 0
    }

    /// Whether the guest imports the function that changes a body.
    pub(crate) fn sets_buffers(&self) -> bool {
        self.exports.sets_buffers
    }

    /// Looks a callback up when it is first called; most never are.
    #[cold]
    fn find(&mut self, on: On) {
        let Some((instance, callback)) = self.instance.zip(self.exports.callback(on)) else { return };
        if let Some(Extern::Func(function)) = instance.get_module_export(&mut self.store, &callback.export) {
            self.callbacks[on as usize] = export(function, callback.params, callback.result, &self.store);
        }
    }

    /// Calls a callback that the guest exports. Its result, if it has one.
    #[inline]
    pub(crate) fn call(&mut self, on: On, args: [u32; 5], state: &mut Option<Box<State>>) -> Result<Option<u32>, Trap> {
        self.run(on.name(), state, |guest| {
            if guest.callbacks[on as usize].is_none() {
                guest.find(on);
            }
            let Guest { store, callbacks, .. } = guest;
            let [a, b, c, d, e] = args;
            match &callbacks[on as usize] {
                None => Ok(None),
                Some(Export::P1(function)) => function.call(store, a).map(|()| None),
                Some(Export::P1R(function)) => function.call(store, a).map(Some),
                Some(Export::P2(function)) => function.call(store, (a, b)).map(|()| None),
                Some(Export::P2R(function)) => function.call(store, (a, b)).map(Some),
                Some(Export::P3(function)) => function.call(store, (a, b, c)).map(|()| None),
                Some(Export::P3R(function)) => function.call(store, (a, b, c)).map(Some),
                Some(Export::P5(function)) => function.call(store, (a, b, c, d, e)).map(|()| None),
            }
        })
    }

    /// The fuel or the ticks that the last callback has used, and the maximum.
    pub(crate) fn spent(&mut self) -> (u64, u64) {
        match self.budget {
            (Metering::None, _) => (0, u64::MAX),
            (Metering::Fuel, limits) => {
                let pending = std::mem::take(&mut self.store.data_mut().meter.pending);
                let left = self.store.get_fuel().unwrap_or(0);
                (limits.fuel.saturating_sub(left).saturating_add(pending), limits.fuel)
            }
            (Metering::Epochs, limits) => {
                let now = self.store.data().meter.ticks.load(Ordering::Relaxed);
                (now.saturating_sub(self.began), limits.epochs)
            }
        }
    }

    /// The number of parameters of a callback.
    pub(crate) fn arity(&self, on: On) -> usize {
        self.exports.callback(on).map_or(0, |callback| callback.params)
    }

    /// Moves the state into the store while the guest runs.
    #[inline]
    fn run<T>(
        &mut self,
        name: &str,
        state: &mut Option<Box<State>>,
        run: impl FnOnce(&mut Guest) -> wasmtime::Result<T>,
    ) -> Result<T, Trap> {
        match self.budget {
            (Metering::None, _) => {}
            (Metering::Fuel, limits) => drop(self.store.set_fuel(limits.fuel)),
            (Metering::Epochs, limits) => {
                let epochs = limits.epochs.min(MAX_EPOCHS);
                self.store.set_epoch_deadline(epochs);
                let meter = &mut self.store.data_mut().meter;
                self.began = meter.ticks.load(Ordering::Relaxed);
                meter.deadline = self.began.saturating_add(epochs);
            }
        }
        self.store.data_mut().state = state.take();
        let result = run(self);
        *state = self.store.data_mut().state.take();
        result.map_err(|error| Trap { reason: reason(name, &error), no_memory: is_no_memory(&error) })
    }
}

fn call_start(name: &str, function: wasmtime::Func, store: &mut Store<Data>) -> wasmtime::Result<()> {
    match name {
        "main" => function.typed::<(u32, u32), u32>(&*store)?.call(store, (0, 0)).map(drop),
        _ => function.typed::<(), ()>(&*store)?.call(store, ()),
    }
}

/// Whether the system gives no memory: wasmtime passes the system's error on.
#[cold]
fn is_no_memory(error: &wasmtime::Error) -> bool {
    let is_of_system = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::OutOfMemory)
            || cause.to_string().ends_with("(os error 12)")
    };
    error.chain().any(is_of_system)
}

#[cold]
fn reason(name: &str, error: &wasmtime::Error) -> String {
    if error.is::<PoolConcurrencyLimitError>() {
        return "the engine's pool has no room for another VM".to_owned();
    }
    let cause = error.chain().last().map_or_else(String::new, |cause| cause.to_string());
    let backtrace = error.downcast_ref::<wasmtime::WasmBacktrace>();
    let frames = backtrace.map_or(&[][..], |backtrace| backtrace.frames());
    let frames: Vec<String> = frames
        .iter()
        .take(8)
        .map(|frame| frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), shown))
        .collect();
    let at = if frames.is_empty() { String::new() } else { format!(", at {}", frames.join(" < ")) };
    at_most(one_line(&format!("{name} failed: {cause}{at}")), MAX_REASON_BYTES)
}

/// `None` for a type that no callback has: the module was loaded with the right types.
fn export(function: wasmtime::Func, params: usize, has_result: bool, store: impl AsContext) -> Option<Export> {
    match (params, has_result) {
        (1, false) => function.typed(store).ok().map(Export::P1),
        (1, true) => function.typed(store).ok().map(Export::P1R),
        (2, false) => function.typed(store).ok().map(Export::P2),
        (2, true) => function.typed(store).ok().map(Export::P2R),
        (3, false) => function.typed(store).ok().map(Export::P3),
        (3, true) => function.typed(store).ok().map(Export::P3R),
        (5, false) => function.typed(store).ok().map(Export::P5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use pw_abi::Version;
    use wasmtime::{Engine, Func, FuncType, Store, Val, ValType};

    use super::*;

    #[test]
    fn each_callback_has_a_type() {
        let engine = Engine::default();
        let mut store = Store::new(&engine, ());
        for (version, row) in
            Version::ALL.iter().flat_map(|version| pw_abi::callbacks(*version).map(move |row| (version, row)))
        {
            let params = row.params.iter().filter(|param| param.versions.contains(*version)).count();
            // Exports without parameters are markers and start functions.
            if params == 0 {
                continue;
            }
            let types = FuncType::new(&engine, vec![ValType::I32; params], row.result.map(|_| ValType::I32));
            let function = Func::new(&mut store, types, |_, _, results| {
                results.fill(Val::I32(0));
                Ok(())
            });
            assert!(export(function, params, row.result.is_some(), &store).is_some(), "{} in {version}", row.name);
        }
    }
}
