//! What the host is measured against: wasmtime with a shim for each of four functions, written by hand for just them.
//!
//! It does the same work: pointers are checked, values are copied through the guest's allocator. It has no contexts, no
//! versions, no chain, no observer. Any other function answers NOT_FOUND.

use wasmtime::{
    AsContextMut, Caller, Config, Engine, ExternType, InstancePre, Linker, Memory, Module, Store, TypedFunc, Val,
};

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const INVALID_MEMORY_ACCESS: u32 = 6;

/// What the store holds.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    now: u64,
    memory: Option<Memory>,
    allocator: Option<TypedFunc<u32, u32>>,
}

/// A compiled module.
pub(crate) struct Bare {
    engine: Engine,
    pre: InstancePre<State>,
}

/// An instance of it.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    create: TypedFunc<(u32, u32), ()>,
    start: TypedFunc<(u32, u32), u32>,
    configure: TypedFunc<(u32, u32), u32>,
    headers: TypedFunc<(u32, u32, u32), u32>,
    done: TypedFunc<u32, u32>,
    log: TypedFunc<u32, ()>,
    delete: TypedFunc<u32, ()>,
}

impl Bare {
    pub(crate) fn new(wasm: &[u8], config: &Config) -> wasmtime::Result<Bare> {
        let engine = Engine::new(config)?;
        let module = Module::new(&engine, wasm)?;
        let mut linker = Linker::new(&engine);
        linker.func_wrap("env", "proxy_get_current_time_nanoseconds", time)?;
        linker.func_wrap("env", "proxy_get_header_map_value", get)?;
        linker.func_wrap("env", "proxy_replace_header_map_value", replace)?;
        linker.func_wrap("env", "proxy_get_header_map_pairs", pairs)?;
        for import in module.imports() {
            if let ExternType::Func(ty) = import.ty()
                && linker.get(Store::new(&engine, State::default()), import.module(), import.name()).is_err()
            {
                linker.func_new(import.module(), import.name(), ty, |_, _, results| {
                    results.iter_mut().for_each(|result| *result = Val::I32(NOT_FOUND as i32));
                    Ok(())
                })?;
            }
        }
        let pre = linker.instantiate_pre(&module)?;
        Ok(Bare { engine, pre })
    }

    /// Instantiates and starts the plugin, with `_initialize` if it has that; the size of its configuration says what it does.
    pub(crate) fn start(&self, what: u32) -> wasmtime::Result<Instance> {
        let mut store = Store::new(&self.engine, State::default());
        let instance = self.pre.instantiate(&mut store)?;
        store.data_mut().memory = instance.get_memory(&mut store, "memory");
        store.data_mut().allocator = Some(instance.get_typed_func(&mut store, "proxy_on_memory_allocate")?);
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
            initialize.call(&mut store, ())?;
        }
        let mut instance = Instance {
            create: instance.get_typed_func(&mut store, "proxy_on_context_create")?,
            start: instance.get_typed_func(&mut store, "proxy_on_vm_start")?,
            configure: instance.get_typed_func(&mut store, "proxy_on_configure")?,
            headers: instance.get_typed_func(&mut store, "proxy_on_request_headers")?,
            done: instance.get_typed_func(&mut store, "proxy_on_done")?,
            log: instance.get_typed_func(&mut store, "proxy_on_log")?,
            delete: instance.get_typed_func(&mut store, "proxy_on_delete")?,
            store,
        };
        instance.create.call(&mut instance.store, (1, 0))?;
        instance.start.call(&mut instance.store, (1, 0))?;
        instance.configure.call(&mut instance.store, (1, what))?;
        Ok(instance)
    }
}

impl Instance {
    /// All of a request's callbacks.
    pub(crate) fn request(
        &mut self,
        context: u32,
        headers: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> wasmtime::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let count = headers.len() as u32;
        self.store.data_mut().headers = headers;
        self.create.call(&mut self.store, (context, 1))?;
        self.headers.call(&mut self.store, (context, count, 1))?;
        self.done.call(&mut self.store, context)?;
        self.log.call(&mut self.store, context)?;
        self.delete.call(&mut self.store, context)?;
        Ok(std::mem::take(&mut self.store.data_mut().headers))
    }
}

fn range(memory: &[u8], address: u32, size: u32) -> Option<&[u8]> {
    memory.get(address as usize..)?.get(..size as usize)
}

fn time(mut caller: Caller<'_, State>, return_time: u32) -> u32 {
    let Some(memory) = caller.data().memory else { return INVALID_MEMORY_ACCESS };
    let now = caller.data().now;
    match memory.data_mut(&mut caller).get_mut(return_time as usize..).and_then(|rest| rest.get_mut(..8)) {
        Some(place) => {
            place.copy_from_slice(&now.to_le_bytes());
            OK
        }
        None => INVALID_MEMORY_ACCESS,
    }
}

fn get(
    mut caller: Caller<'_, State>,
    _map: u32,
    key: u32,
    key_size: u32,
    pointer: u32,
    size: u32,
) -> wasmtime::Result<u32> {
    let Some(memory) = caller.data().memory else { return Ok(INVALID_MEMORY_ACCESS) };
    let (bytes, state) = memory.data_and_store_mut(&mut caller);
    let Some(key) = range(bytes, key, key_size) else { return Ok(INVALID_MEMORY_ACCESS) };
    let Some((_, value)) = state.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)) else {
        return Ok(NOT_FOUND);
    };
    let value = value.clone();
    give(&mut caller, memory, &value, pointer, size)
}

fn replace(mut caller: Caller<'_, State>, _map: u32, key: u32, key_size: u32, value: u32, value_size: u32) -> u32 {
    let Some(memory) = caller.data().memory else { return INVALID_MEMORY_ACCESS };
    let (bytes, state) = memory.data_and_store_mut(&mut caller);
    let (Some(key), Some(value)) = (range(bytes, key, key_size), range(bytes, value, value_size)) else {
        return INVALID_MEMORY_ACCESS;
    };
    match state.headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
        Some((_, old)) => *old = value.to_vec(),
        None => state.headers.push((key.to_ascii_lowercase(), value.to_vec())),
    }
    OK
}

fn pairs(mut caller: Caller<'_, State>, _map: u32, pointer: u32, size: u32) -> wasmtime::Result<u32> {
    let Some(memory) = caller.data().memory else { return Ok(INVALID_MEMORY_ACCESS) };
    let headers = &caller.data().headers;
    let bytes = pw_abi::pairs::encode(headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
    give(&mut caller, memory, &bytes, pointer, size)
}

/// Copies a value into memory that the guest gives.
fn give(
    caller: &mut Caller<'_, State>,
    memory: Memory,
    value: &[u8],
    pointer: u32,
    size: u32,
) -> wasmtime::Result<u32> {
    let Some(allocator) = caller.data_mut().allocator.take() else { return Ok(INVALID_MEMORY_ACCESS) };
    let address = allocator.call(caller.as_context_mut(), value.len() as u32)?;
    caller.data_mut().allocator = Some(allocator);
    let bytes = memory.data_mut(caller);
    let mut put = |address: u32, value: &[u8]| {
        let place = bytes.get_mut(address as usize..).and_then(|rest| rest.get_mut(..value.len()));
        place.map(|place| place.copy_from_slice(value))
    };
    let written = put(address, value)
        .and_then(|()| put(pointer, &address.to_le_bytes()))
        .and_then(|()| put(size, &(value.len() as u32).to_le_bytes()));
    Ok(if written.is_some() { OK } else { INVALID_MEMORY_ACCESS })
}
