//! Modules that an operator should not be able to load: each is large in one way, or is none.

use pw_host::{Engine, Module};
use wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, MemorySection, MemoryType,
    Module as Wasm, TypeSection, ValType,
};

/// Something to load.
pub(super) struct Bomb {
    name: &'static str,
    wasm: Vec<u8>,
}

impl Bomb {
    pub(super) fn all() -> Vec<Bomb> {
        let bomb = |name, wasm| Bomb { name, wasm };
        let mut cut = Plugin::default().wasm();
        cut.pop();
        vec![
            bomb("100,000 blocks in each other", Plugin { blocks: 100_000, ..Plugin::default() }.wasm()),
            bomb("100,000 exports", Plugin { exports: 100_000, ..Plugin::default() }.wasm()),
            bomb("a function of 1,000 parameters", Plugin { params: 1_000, ..Plugin::default() }.wasm()),
            bomb("a million local variables", Plugin { locals: 1_000_000, ..Plugin::default() }.wasm()),
            bomb("a branch table of 100,000 targets", Plugin { targets: 100_000, ..Plugin::default() }.wasm()),
            bomb("a memory of more than 4 GiB", Plugin { pages: 65_537, ..Plugin::default() }.wasm()),
            bomb("a 64-bit memory of 1 TiB", Plugin { pages: 1 << 24, memory64: true, ..Plugin::default() }.wasm()),
            bomb("one that ends early", cut),
            bomb("text", b"(module)".repeat(1_000)),
            bomb("nothing", Vec::new()),
        ]
    }

    /// Its name if the host takes it.
    pub(super) fn load(&self, engine: &Engine) -> Option<&'static str> {
        Module::new(engine, &self.wasm).ok().map(|_| self.name)
    }
}

/// A plugin that is of some size in each way.
struct Plugin {
    params: usize,
    locals: u32,
    /// Blocks in each other, in a function.
    blocks: usize,
    /// Targets of a branch table.
    targets: usize,
    /// Exports besides those that a plugin needs.
    exports: usize,
    /// Pages of its memory.
    pages: u64,
    memory64: bool,
}

impl Default for Plugin {
    fn default() -> Plugin {
        Plugin { params: 1, locals: 1, blocks: 1, targets: 1, exports: 1, pages: 1, memory64: false }
    }
}

impl Plugin {
    fn wasm(&self) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function(vec![ValType::I32; self.params], []);
        types.ty().function([ValType::I32], [ValType::I32]);
        types.ty().function([], []);
        let mut functions = FunctionSection::new();
        functions.function(0).function(1).function(2);
        let mut memories = MemorySection::new();
        let (minimum, memory64) = (self.pages, self.memory64);
        memories.memory(MemoryType { minimum, maximum: None, memory64, shared: false, page_size_log2: None });
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        exports.export("malloc", ExportKind::Func, 1);
        exports.export("proxy_abi_version_0_2_1", ExportKind::Func, 2);
        (0..self.exports).for_each(|number| _ = exports.export(&format!("export {number}"), ExportKind::Func, 2));
        let mut code = CodeSection::new();
        code.function(&self.body());
        let (mut allocator, mut marker) = (Function::new([]), Function::new([]));
        allocator.instructions().i32_const(4096).end();
        marker.instructions().end();
        code.function(&allocator).function(&marker);
        let mut module = Wasm::new();
        module.section(&types).section(&functions).section(&memories).section(&exports).section(&code);
        module.finish()
    }

    fn body(&self) -> Function {
        let mut function = Function::new([(self.locals, ValType::I32)]);
        let mut body = function.instructions();
        (0..self.blocks).for_each(|_| _ = body.block(BlockType::Empty));
        body.i32_const(0).br_table(vec![0; self.targets], 0);
        (0..=self.blocks).for_each(|_| _ = body.end());
        function
    }
}

#[cfg(test)]
mod tests {
    use pw_host::{Metering, Pool};

    use super::*;

    #[test]
    fn none_is_loaded_but_a_small_one_of_the_kind_is() {
        let pool = Pool { instances: 2, ..Pool::default() };
        let engine = Engine::with_pool(Metering::Epochs, pool).expect("wasmtime runs here");
        for bomb in Bomb::all() {
            assert_eq!(bomb.load(&engine), None);
        }
        Module::new(&engine, &Plugin::default().wasm()).expect("it is a plugin");
        let all = Plugin { params: 5, locals: 10, blocks: 10, targets: 10, exports: 10, pages: 2, memory64: true };
        Module::new(&engine, &all.wasm()).expect("it is a plugin");
    }
}
