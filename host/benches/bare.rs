//! The baseline: wasmtime with a hand-written shim for each function that is called here.
//!
//! A shim checks pointers and copies values through the guest's allocator, as the host does. It has no contexts, versions, chain,
//! limits, memory accounts, VM ids or observer. A function without a shim returns NOT_FOUND.

use std::collections::{HashMap, VecDeque};

use wasmtime::{
    AsContextMut, Caller, Config, Engine, ExternType, InstancePre, Linker, Memory, Module, Store, TypedFunc, Val,
};

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const INVALID_MEMORY_ACCESS: u32 = 6;
const EMPTY: u32 = 7;

/// The data in the store.
#[derive(Default)]
pub(crate) struct State {
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    now: u64,
    lines: Vec<Vec<u8>>,
    properties: HashMap<Vec<u8>, Vec<u8>>,
    shared_data: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    metrics: Vec<i64>,
    metric_names: HashMap<Vec<u8>, u32>,
    queues: Vec<VecDeque<Vec<u8>>>,
    queue_names: HashMap<Vec<u8>, u32>,
    memory: Option<Memory>,
    allocator: Option<TypedFunc<u32, u32>>,
}

/// A compiled module.
pub(crate) struct Bare {
    engine: Engine,
    pre: InstancePre<State>,
}

/// An instance of a module.
pub(crate) struct Instance {
    store: Store<State>,
    create: TypedFunc<(u32, u32), ()>,
    start: TypedFunc<(u32, u32), u32>,
    configure: TypedFunc<(u32, u32), u32>,
    headers: Option<TypedFunc<(u32, u32, u32), u32>>,
    body: Option<TypedFunc<(u32, u32, u32), u32>>,
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
        linker.func_wrap("env", "proxy_log", log)?;
        linker.func_wrap("env", "proxy_get_header_map_value", get_header)?;
        linker.func_wrap("env", "proxy_replace_header_map_value", replace_header)?;
        linker.func_wrap("env", "proxy_get_header_map_pairs", pairs)?;
        linker.func_wrap("env", "proxy_get_buffer_bytes", get_buffer)?;
        linker.func_wrap("env", "proxy_set_buffer_bytes", set_buffer)?;
        linker.func_wrap("env", "proxy_get_buffer_status", buffer_status)?;
        linker.func_wrap("env", "proxy_get_property", get_property)?;
        linker.func_wrap("env", "proxy_set_property", set_property)?;
        linker.func_wrap("env", "proxy_get_shared_data", get_data)?;
        linker.func_wrap("env", "proxy_set_shared_data", set_data)?;
        linker.func_wrap("env", "proxy_define_metric", define)?;
        linker.func_wrap("env", "proxy_increment_metric", increment)?;
        linker.func_wrap("env", "proxy_register_shared_queue", register)?;
        linker.func_wrap("env", "proxy_resolve_shared_queue", resolve)?;
        linker.func_wrap("env", "proxy_enqueue_shared_queue", enqueue)?;
        linker.func_wrap("env", "proxy_dequeue_shared_queue", dequeue)?;
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

    /// Instantiates and starts the plugin, with `_initialize` if it has that.
    pub(crate) fn start(&self) -> wasmtime::Result<Instance> {
        let mut store = Store::new(&self.engine, State::default());
        let instance = self.pre.instantiate(&mut store)?;
        store.data_mut().memory = instance.get_memory(&mut store, "memory");
        store.data_mut().allocator = Some(instance.get_typed_func(&mut store, "proxy_on_memory_allocate")?);
        store.data_mut().properties.insert(b"request\0protocol".to_vec(), b"HTTP/1.1".to_vec());
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
            initialize.call(&mut store, ())?;
        }
        let mut instance = Instance {
            create: instance.get_typed_func(&mut store, "proxy_on_context_create")?,
            start: instance.get_typed_func(&mut store, "proxy_on_vm_start")?,
            configure: instance.get_typed_func(&mut store, "proxy_on_configure")?,
            headers: instance.get_typed_func(&mut store, "proxy_on_request_headers").ok(),
            body: instance.get_typed_func(&mut store, "proxy_on_request_body").ok(),
            done: instance.get_typed_func(&mut store, "proxy_on_done")?,
            log: instance.get_typed_func(&mut store, "proxy_on_log")?,
            delete: instance.get_typed_func(&mut store, "proxy_on_delete")?,
            store,
        };
        instance.create.call(&mut instance.store, (1, 0))?;
        instance.start.call(&mut instance.store, (1, 0))?;
        instance.configure.call(&mut instance.store, (1, 0))?;
        Ok(instance)
    }
}

/// A request, by its fields and its body.
pub(crate) type Request = (Vec<(Vec<u8>, Vec<u8>)>, Vec<u8>);

impl Instance {
    /// All of a request's callbacks.
    pub(crate) fn request(&mut self, context: u32, (headers, body): Request) -> wasmtime::Result<Request> {
        let (count, size) = (headers.len() as u32, body.len() as u32);
        let state = self.store.data_mut();
        (state.headers, state.body) = (headers, body);
        state.lines.clear();
        self.create.call(&mut self.store, (context, 1))?;
        if let Some(headers) = &self.headers {
            headers.call(&mut self.store, (context, count, u32::from(size == 0)))?;
        }
        if let Some(body) = self.body.as_ref().filter(|_| size > 0) {
            body.call(&mut self.store, (context, size, 1))?;
        }
        self.done.call(&mut self.store, context)?;
        self.log.call(&mut self.store, context)?;
        self.delete.call(&mut self.store, context)?;
        let state = self.store.data_mut();
        Ok((std::mem::take(&mut state.headers), std::mem::take(&mut state.body)))
    }
}

fn range(memory: &[u8], address: u32, size: u32) -> Option<&[u8]> {
    memory.get(address as usize..)?.get(..size as usize)
}

fn put(memory: &mut [u8], address: u32, value: &[u8]) -> Option<()> {
    let place = memory.get_mut(address as usize..)?.get_mut(..value.len())?;
    place.copy_from_slice(value);
    Some(())
}

fn status(done: Option<()>) -> u32 {
    if done.is_some() { OK } else { INVALID_MEMORY_ACCESS }
}

/// The guest's memory and the state, in a call that needs no allocator.
macro_rules! parts {
    ($caller:ident) => {{
        let Some(memory) = $caller.data().memory else { return INVALID_MEMORY_ACCESS };
        memory.data_and_store_mut(&mut $caller)
    }};
}

/// Bytes in the guest's memory; an error ends the call.
macro_rules! bytes {
    ($memory:ident, $address:ident, $size:ident) => {
        match range($memory, $address, $size) {
            Some(bytes) => bytes,
            None => return INVALID_MEMORY_ACCESS.into(),
        }
    };
}

fn time(mut caller: Caller<'_, State>, return_time: u32) -> u32 {
    let (memory, state) = parts!(caller);
    status(put(memory, return_time, &state.now.to_le_bytes()))
}

fn log(mut caller: Caller<'_, State>, level: u32, message: u32, size: u32) -> u32 {
    let (memory, state) = parts!(caller);
    let message = bytes!(memory, message, size);
    if level >= 2 {
        state.lines.push(message.to_vec());
    }
    OK
}

/// Returns a value: copies it into memory from the guest's allocator.
fn give(
    mut caller: Caller<'_, State>,
    pointer: u32,
    size: u32,
    find: impl FnOnce(&[u8], &mut State) -> Result<(Vec<u8>, Option<(u32, u32)>), u32>,
) -> wasmtime::Result<u32> {
    let Some(memory) = caller.data().memory else { return Ok(INVALID_MEMORY_ACCESS) };
    let (bytes, state) = memory.data_and_store_mut(&mut caller);
    let (value, number) = match find(bytes, state) {
        Ok(found) => found,
        Err(status) => return Ok(status),
    };
    let Some(allocator) = caller.data_mut().allocator.take() else { return Ok(INVALID_MEMORY_ACCESS) };
    let address = allocator.call(caller.as_context_mut(), value.len() as u32)?;
    caller.data_mut().allocator = Some(allocator);
    let bytes = memory.data_mut(&mut caller);
    let written = put(bytes, address, &value)
        .and_then(|()| put(bytes, pointer, &address.to_le_bytes()))
        .and_then(|()| put(bytes, size, &(value.len() as u32).to_le_bytes()))
        .and_then(|()| number.map_or(Some(()), |(address, number)| put(bytes, address, &number.to_le_bytes())));
    Ok(status(written))
}

fn get_header(
    caller: Caller<'_, State>,
    _map: u32,
    key: u32,
    key_size: u32,
    pointer: u32,
    size: u32,
) -> wasmtime::Result<u32> {
    give(caller, pointer, size, |memory, state| {
        let key = range(memory, key, key_size).ok_or(INVALID_MEMORY_ACCESS)?;
        let found = state.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        found.map(|(_, value)| (value.clone(), None)).ok_or(NOT_FOUND)
    })
}

fn replace_header(
    mut caller: Caller<'_, State>,
    _map: u32,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
) -> u32 {
    let (memory, state) = parts!(caller);
    let (key, value) = (bytes!(memory, key, key_size), bytes!(memory, value, value_size));
    match state.headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
        Some((_, old)) => *old = value.to_vec(),
        None => state.headers.push((key.to_ascii_lowercase(), value.to_vec())),
    }
    OK
}

fn pairs(caller: Caller<'_, State>, _map: u32, pointer: u32, size: u32) -> wasmtime::Result<u32> {
    give(caller, pointer, size, |_, state| {
        let headers = state.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        Ok((pw_abi::pairs::encode(headers), None))
    })
}

fn get_buffer(
    caller: Caller<'_, State>,
    _buffer: u32,
    start: u32,
    most: u32,
    pointer: u32,
    size: u32,
) -> wasmtime::Result<u32> {
    // Directly into the guest's memory: the address is known before the bytes are read.
    let mut caller = caller;
    let Some(memory) = caller.data().memory else { return Ok(INVALID_MEMORY_ACCESS) };
    let length = caller.data().body.len();
    let start = length.min(start as usize);
    let end = length.min(start.saturating_add(most as usize));
    let Some(allocator) = caller.data_mut().allocator.take() else { return Ok(INVALID_MEMORY_ACCESS) };
    let address = allocator.call(caller.as_context_mut(), (end - start) as u32)?;
    caller.data_mut().allocator = Some(allocator);
    let (bytes, state) = memory.data_and_store_mut(&mut caller);
    let written = put(bytes, address, &state.body[start..end])
        .and_then(|()| put(bytes, pointer, &address.to_le_bytes()))
        .and_then(|()| put(bytes, size, &((end - start) as u32).to_le_bytes()));
    Ok(status(written))
}

fn set_buffer(mut caller: Caller<'_, State>, _buffer: u32, start: u32, size: u32, value: u32, value_size: u32) -> u32 {
    let (memory, state) = parts!(caller);
    let value = bytes!(memory, value, value_size);
    let start = state.body.len().min(start as usize);
    let end = state.body.len().min(start.saturating_add(size as usize));
    if end - start == value.len() {
        state.body[start..end].copy_from_slice(value);
    } else {
        state.body.splice(start..end, value.iter().copied());
    }
    OK
}

fn buffer_status(mut caller: Caller<'_, State>, _buffer: u32, size: u32, unused: u32) -> u32 {
    let (memory, state) = parts!(caller);
    let length = state.body.len() as u32;
    status(put(memory, size, &length.to_le_bytes()).and_then(|()| put(memory, unused, &[0; 4])))
}

fn get_property(
    caller: Caller<'_, State>,
    path: u32,
    path_size: u32,
    pointer: u32,
    size: u32,
) -> wasmtime::Result<u32> {
    give(caller, pointer, size, |memory, state| {
        let path = range(memory, path, path_size).ok_or(INVALID_MEMORY_ACCESS)?;
        state.properties.get(path).map(|value| (value.clone(), None)).ok_or(NOT_FOUND)
    })
}

fn set_property(mut caller: Caller<'_, State>, path: u32, path_size: u32, value: u32, value_size: u32) -> u32 {
    let (memory, state) = parts!(caller);
    let (path, value) = (bytes!(memory, path, path_size), bytes!(memory, value, value_size));
    state.properties.insert(path.to_vec(), value.to_vec());
    OK
}

fn get_data(
    caller: Caller<'_, State>,
    key: u32,
    key_size: u32,
    pointer: u32,
    size: u32,
    cas: u32,
) -> wasmtime::Result<u32> {
    give(caller, pointer, size, |memory, state| {
        let key = range(memory, key, key_size).ok_or(INVALID_MEMORY_ACCESS)?;
        state.shared_data.get(key).map(|(value, count)| (value.clone(), Some((cas, *count)))).ok_or(NOT_FOUND)
    })
}

fn set_data(mut caller: Caller<'_, State>, key: u32, key_size: u32, value: u32, value_size: u32, _cas: u32) -> u32 {
    let (memory, state) = parts!(caller);
    let (key, value) = (bytes!(memory, key, key_size), bytes!(memory, value, value_size));
    let count = state.shared_data.get(key).map_or(1, |(_, count)| count + 1);
    state.shared_data.insert(key.to_vec(), (value.to_vec(), count));
    OK
}

fn define(mut caller: Caller<'_, State>, _kind: u32, name: u32, name_size: u32, id: u32) -> u32 {
    let (memory, state) = parts!(caller);
    let name = bytes!(memory, name, name_size);
    let number = match state.metric_names.get(name) {
        Some(number) => *number,
        None => {
            state.metrics.push(0);
            let number = state.metrics.len() as u32;
            state.metric_names.insert(name.to_vec(), number);
            number
        }
    };
    status(put(memory, id, &number.to_le_bytes()))
}

fn increment(mut caller: Caller<'_, State>, metric: u32, by: i64) -> u32 {
    let (_, state) = parts!(caller);
    match state.metrics.get_mut((metric as usize).wrapping_sub(1)) {
        Some(value) => {
            *value += by;
            OK
        }
        None => NOT_FOUND,
    }
}

fn register(mut caller: Caller<'_, State>, name: u32, name_size: u32, id: u32) -> u32 {
    let (memory, state) = parts!(caller);
    let name = bytes!(memory, name, name_size);
    state.queues.push(VecDeque::new());
    let number = state.queues.len() as u32;
    state.queue_names.insert(name.to_vec(), number);
    status(put(memory, id, &number.to_le_bytes()))
}

fn resolve(mut caller: Caller<'_, State>, vm: u32, vm_size: u32, name: u32, name_size: u32, id: u32) -> u32 {
    let (memory, state) = parts!(caller);
    let (_, name) = (bytes!(memory, vm, vm_size), bytes!(memory, name, name_size));
    match state.queue_names.get(name).copied() {
        Some(number) => status(put(memory, id, &number.to_le_bytes())),
        None => NOT_FOUND,
    }
}

fn enqueue(mut caller: Caller<'_, State>, queue: u32, value: u32, value_size: u32) -> u32 {
    let (memory, state) = parts!(caller);
    let value = bytes!(memory, value, value_size);
    match state.queues.get_mut((queue as usize).wrapping_sub(1)) {
        Some(items) => {
            items.push_back(value.to_vec());
            OK
        }
        None => NOT_FOUND,
    }
}

fn dequeue(caller: Caller<'_, State>, queue: u32, pointer: u32, size: u32) -> wasmtime::Result<u32> {
    give(caller, pointer, size, |_, state| {
        let items = state.queues.get_mut((queue as usize).wrapping_sub(1)).ok_or(NOT_FOUND)?;
        items.pop_front().map(|value| (value, None)).ok_or(EMPTY)
    })
}
