//! Modules from strangers: they are validated before anything else, and rejected if they would cost too much.

mod code;
mod loading;
mod parts;

use peak_alloc::PeakAlloc;
use pw_host::{Engine, Metering, ModuleError};
use wasm_encoder as encode;
use wasm_encoder::{Function, ValType};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// All tests run one at a time, as some of them read the allocator's counts.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn engine() -> Engine {
    Engine::new(Metering::Fuel).expect("wasmtime runs here")
}

/// The result of something, and the peak of the bytes that are allocated while it runs, without those before.
fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let result = run();
    (result, ALLOCATOR.peak_usage().saturating_sub(before))
}

/// A plugin with more types, of functions or blocks, and more functions, besides its marker and allocator.
fn plugin(types: &[(usize, usize)], functions: &[(u32, Function)]) -> Vec<u8> {
    let mut section = encode::TypeSection::new();
    section.ty().function([], []);
    section.ty().function([ValType::I32], [ValType::I32]);
    for (params, results) in types {
        section.ty().function(vec![ValType::I32; *params], vec![ValType::I32; *results]);
    }
    let mut declared = encode::FunctionSection::new();
    let mut code = encode::CodeSection::new();
    let mut marker = Function::new([]);
    marker.instructions().end();
    let mut allocator = Function::new([]);
    allocator.instructions().i32_const(16).end();
    for (ty, body) in [(0, marker), (1, allocator)].iter().chain(functions) {
        declared.function(*ty);
        code.function(body);
    }
    let mut memories = encode::MemorySection::new();
    let (minimum, maximum) = (1, None);
    memories.memory(encode::MemoryType { minimum, maximum, memory64: false, shared: false, page_size_log2: None });
    let mut exports = encode::ExportSection::new();
    exports.export("memory", encode::ExportKind::Memory, 0);
    exports.export("proxy_abi_version_0_2_1", encode::ExportKind::Func, 0);
    exports.export("malloc", encode::ExportKind::Func, 1);
    let mut module = encode::Module::new();
    module.section(&section).section(&declared).section(&memories).section(&exports).section(&code);
    module.finish()
}

/// A function from a number to a number.
fn function(locals: u32, body: impl FnOnce(&mut encode::InstructionSink<'_>)) -> (u32, Function) {
    let mut function = Function::new((locals > 0).then_some((locals, ValType::I32)));
    let mut sink = function.instructions();
    body(&mut sink);
    sink.i32_const(1).end();
    (1, function)
}

#[track_caller]
fn limit_of(wasm: &[u8]) -> Option<&'static str> {
    match engine().validate(wasm) {
        Ok(()) => None,
        Err(ModuleError::Limit { limit, .. }) => Some(limit),
        Err(error) => panic!("{error}"),
    }
}
