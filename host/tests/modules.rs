//! Modules that strangers send: validated before anything is made of them, and refused where they would cost too much.

use std::fmt::Write;

use peak_alloc::PeakAlloc;
use pw_host::{
    Compiler, Engine, EngineConfig, Interface, Metering, Module, ModuleError, ModuleLimits, PluginConfig, Pool, Proxy,
    ProxyConfig,
};
use wasm_encoder as encode;
use wasm_encoder::{BlockType, Function, ValType};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Tests that look at the allocator's counts do so one at a time, and all others do too.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn engine() -> Engine {
    Engine::new(Metering::Fuel).expect("wasmtime runs here")
}

/// The bytes that are allocated at a time while something runs, besides those before it.
fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let result = run();
    (result, ALLOCATOR.peak_usage().saturating_sub(before))
}

/// A plugin with a function of this type and body besides its marker and allocator; the type may be a block's.
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

/// A plain module loads, so that what is refused below is refused for what was added.
#[test]
fn loads_what_the_others_are_made_of() {
    let _alone = alone();
    assert!(Module::new(&engine(), &plugin(&[], &[])).is_ok());
    assert_eq!(limit_of(&plugin(&[], &[function(0, |_| {})])), None);
}

#[test]
fn refuses_shapes_for_which_the_compiler_is_super_linear() {
    let _alone = alone();
    let empty = BlockType::Empty;
    let nested = |count: u32, looped: bool| {
        function(0, |code| {
            for _ in 0..count {
                if looped {
                    code.loop_(empty)
                } else {
                    code.block(empty)
                };
            }
            (0..count).for_each(|_| {
                code.end();
            });
        })
    };
    let tables = |blocks: u32, count: u32| {
        function(0, |code| {
            (0..blocks).for_each(|_| {
                code.block(empty);
            });
            for _ in 0..count {
                code.block(empty).local_get(0).br_table((0..blocks).collect::<Vec<_>>(), 0).end();
            }
            (0..blocks).for_each(|_| {
                code.end();
            });
        })
    };
    // Each local gets a value, conditions follow, and each local is read.
    let conditions = |locals: u32, count: u32| {
        function(locals, |code| {
            (1..=locals).for_each(|local| {
                code.i32_const(5).local_set(local);
            });
            (0..count).for_each(|_| {
                code.local_get(0).if_(empty).nop().end();
            });
            (1..=locals).for_each(|local| {
                code.local_get(local).drop();
            });
        })
    };
    // The same, but the last value comes under a condition, which does not end the life of the first.
    let conditional = |locals: u32, count: u32| {
        function(locals, |code| {
            (1..=locals).for_each(|local| {
                code.i32_const(5).local_set(local);
            });
            (0..count).for_each(|_| {
                code.local_get(0).if_(empty).nop().end();
            });
            for local in 1..=locals {
                code.local_get(0).if_(empty).i32_const(7).local_set(local).end().local_get(local).drop();
            }
        })
    };
    let carried = |loops: u32, locals: u32| {
        function(locals, |code| {
            (0..loops).for_each(|_| {
                code.loop_(empty);
            });
            for local in 1..=locals {
                code.local_get(local).i32_const(1).i32_add().local_set(local);
            }
            (0..loops).for_each(|_| {
                code.local_get(0).br_if(0).end();
            });
        })
    };
    let in_sequence = |loops: u32| {
        function(0, |code| {
            (0..loops).for_each(|_| {
                code.loop_(empty).local_get(0).br_if(0).end();
            })
        })
    };
    let values = |blocks: u32, count: u32| {
        function(0, |code| {
            (0..count).for_each(|_| {
                code.local_get(0);
            });
            (0..blocks).for_each(|_| {
                code.block(BlockType::FunctionType(2)).local_get(0).br_if(0).end();
            });
            (0..count).for_each(|_| {
                code.drop();
            });
        })
    };
    let stack = |count: u32| {
        function(0, |code| {
            (0..count).for_each(|_| {
                code.local_get(0);
            });
            (0..count).for_each(|_| {
                code.drop();
            });
        })
    };
    let repeated = |count: u32, operator: fn(&mut encode::InstructionSink<'_>)| {
        function(0, |code| (0..count).for_each(|_| operator(code)))
    };
    let fill = |code: &mut encode::InstructionSink<'_>| {
        code.local_get(0).local_get(0).local_get(0).memory_fill(0);
    };
    let condition = |code: &mut encode::InstructionSink<'_>| {
        code.local_get(0).if_(BlockType::Empty).nop().end();
    };
    let calls = |count: u32| {
        function(0, |code| {
            (0..count).for_each(|_| {
                code.call(0);
            })
        })
    };
    /// What it is, types besides the two that there are, the function, and the limit that refuses it.
    type Row = (&'static str, Vec<(usize, usize)>, (u32, Function), Option<&'static str>);
    let rows: [Row; 24] = [
        ("nested loops", vec![], nested(501, true), Some("loop_nesting")),
        ("nested loops, as many as may be", vec![], nested(500, true), None),
        ("nested blocks", vec![], nested(20_001, false), Some("nesting")),
        ("nested blocks, as many as may be", vec![], nested(20_000, false), None),
        ("loops one after the other", vec![], in_sequence(50_000), Some("function_work")),
        ("some loops one after the other", vec![], in_sequence(3_000), None),
        ("targets of branch tables", vec![], tables(1_000, 100), Some("branch_targets")),
        ("a branch table", vec![], tables(5_000, 1), None),
        ("locals that live through conditions", vec![], conditions(5_000, 5_000), Some("function_work")),
        ("some locals that live through conditions", vec![], conditions(500, 5_000), None),
        ("locals that live on under a condition", vec![], conditional(5_000, 5_000), Some("function_work")),
        ("locals that live through nested loops", vec![], carried(400, 1_000), Some("function_work")),
        ("some locals that live through nested loops", vec![], carried(50, 500), None),
        ("locals", vec![], function(20_000, |_| {}), Some("locals")),
        ("values of blocks", vec![(20, 20)], values(1_000, 20), Some("block_values")),
        ("some values of blocks", vec![(20, 20)], values(100, 20), None),
        ("operands", vec![], stack(10_001), Some("operands")),
        ("calls", vec![], calls(800_000), Some("function_work")),
        ("conditions one after the other", vec![], repeated(40_000, condition), Some("function_work")),
        ("some conditions one after the other", vec![], repeated(10_000, condition), None),
        ("operators that have conditions within them", vec![], repeated(40_000, fill), Some("function_work")),
        ("some operators that have conditions within them", vec![], repeated(5_000, fill), None),
        ("locals that live through the most loops", vec![], carried(400, 350), Some("function_work")),
        (
            "code of a function",
            vec![],
            function(0, |code| {
                (0..2 << 20).for_each(|_| {
                    code.nop();
                })
            }),
            Some("function_size"),
        ),
    ];
    for (what, types, function, expected) in rows {
        let wasm = plugin(&types, &[function]);
        let (actual, peak) = peak(|| limit_of(&wasm));
        assert_eq!(actual, expected, "{what}");
        assert!(peak < 64 * wasm.len() + (16 << 20), "{what}: {peak} bytes for a module of {}", wasm.len());
        if expected.is_some() {
            let refused = Module::new(&engine(), &wasm);
            assert!(matches!(refused, Err(ModuleError::Limit { .. })), "{what}: {refused:?}");
        }
    }
}

/// Cranelift takes about 160 MB for this one, and more than a second; Winch compiles it, as the limits have it.
#[test]
#[cfg(target_arch = "x86_64")]
fn memory_for_compiling_the_largest_functions_is_bounded() {
    const CALLS: u32 = 60_000;
    let _alone = alone();
    let calls = function(0, |code| {
        (0..CALLS).for_each(|_| {
            code.call(0);
        });
    });
    let wasm = plugin(&[], &[calls]);
    let limits = ModuleLimits::default();
    assert!(CALLS as usize * 10 > limits.cranelift_work, "Cranelift compiles it");
    let (module, peak) = peak(|| Module::new(&engine(), &wasm));
    assert!(module.is_ok(), "{module:?}");
    assert!(peak < 80 << 20, "{} MB", peak >> 20);
}

/// Row 43: each of many exports had a copy of a type of 1000 parameters and results.
#[test]
fn memory_for_exports_and_imports_is_in_proportion_to_the_module() {
    let _alone = alone();
    let mut large = encode::TypeSection::new();
    large.ty().function(vec![ValType::I32; 1000], vec![ValType::I32; 1000]);
    let mut functions = encode::FunctionSection::new();
    functions.function(0);
    let mut exports = encode::ExportSection::new();
    (0..100_000).for_each(|number| {
        exports.export(&number.to_string(), encode::ExportKind::Func, 0);
    });
    let mut many = encode::ImportSection::new();
    (0..100_000).for_each(|_| {
        many.import("", "", encode::EntityType::Function(0));
    });
    let mut module = encode::Module::new();
    let mut code = encode::CodeSection::new();
    let mut body = Function::new([]);
    body.instructions().unreachable().end();
    code.function(&body);
    module.section(&large).section(&functions).section(&exports).section(&code);
    let exporting = module.finish();
    let importing = encode::Module::new().section(&large).section(&many).clone().finish();
    let none =
        ModuleLimits { exports: 1 << 20, imports: 1 << 20, params: 1000, results: 1000, ..ModuleLimits::default() };
    for (wasm, limit) in [(exporting, "params"), (importing, "params")] {
        let (refused, bytes) = peak(|| Interface::read(&wasm));
        assert!(matches!(refused, Err(ModuleError::Limit { limit: actual, .. }) if actual == limit), "{refused:?}");
        assert!(bytes < 64 * wasm.len(), "{bytes} bytes for a module of {}", wasm.len());
        // Without the limits, too.
        let (read, bytes) = peak(|| Interface::within(&wasm, &none));
        let read = read.expect("its parts can be read");
        assert_eq!(read.imports.len() + read.exports.len(), 100_000);
        assert!(bytes < 256 * wasm.len(), "{bytes} bytes for a module of {}", wasm.len());
    }
}

/// What is at fault in the code of the last function is found before anything is compiled, or the table is asked.
#[test]
fn validates_before_anything_else() {
    let _alone = alone();
    let mut broken = Function::new([]);
    broken.instructions().i32_add().end();
    let wasm = plugin(&[], &[(0, broken)]);
    assert!(matches!(Module::new(&engine(), &wasm), Err(ModuleError::Invalid(_))));
    for cut in [0, 4, 20, wasm.len() - 1] {
        assert!(matches!(Module::new(&engine(), &wasm[..cut]), Err(ModuleError::Invalid(_))), "{cut}");
    }
    let pooled = Engine::with_pool(Metering::None, Pool { instances: 1, ..Pool::default() }).expect("a pool of one");
    assert!(matches!(Module::new(&pooled, &wasm), Err(ModuleError::Invalid(_))));
}

#[test]
fn each_limit_holds() {
    let _alone = alone();
    let wat = |text: &str| wat::parse_str(format!("(module {text})")).expect("the text is a module");
    let none = ModuleLimits::default();
    let rows: [(&str, ModuleLimits, Vec<u8>); 13] = [
        ("size", ModuleLimits { size: 7, ..none }, wat("")),
        ("types", ModuleLimits { types: 1, ..none }, wat("(type (func)) (type (func (param i32)))")),
        ("results", ModuleLimits { results: 0, ..none }, wat("(type (func (result i32)))")),
        ("imports", ModuleLimits { imports: 0, ..none }, wat("(import \"a\" \"b\" (func))")),
        ("functions", ModuleLimits { functions: 0, ..none }, wat("(func)")),
        ("globals", ModuleLimits { globals: 0, ..none }, wat("(global i32 (i32.const 0))")),
        ("tables", ModuleLimits { tables: 0, ..none }, wat("(table 1 funcref)")),
        ("exports", ModuleLimits { exports: 0, ..none }, wat("(func (export \"a\"))")),
        ("name", ModuleLimits { name: 0, ..none }, wat("(func (export \"a\"))")),
        ("element_segments", ModuleLimits { element_segments: 0, ..none }, wat("(func $a) (elem func $a)")),
        ("elements", ModuleLimits { elements: 1, ..none }, wat("(func $a) (elem func $a $a)")),
        ("data_segments", ModuleLimits { data_segments: 0, ..none }, wat("(memory 1) (data \"a\")")),
        ("constants", ModuleLimits { constants: 0, ..none }, wat("(memory 1) (data (i32.const 0) \"a\")")),
    ];
    for (name, limits, wasm) in rows {
        assert!(engine().validate(&wasm).is_ok(), "{name}");
        let refused = engine().validate_within(&wasm, &limits);
        assert!(matches!(refused, Err(ModuleError::Limit { limit, .. }) if limit == name), "{name}: {refused:?}");
        assert!(Interface::within(&wasm, &limits).is_err(), "{name}: sections are looked at, too");
    }
    let custom = ModuleLimits { custom_sections: 0, ..none };
    let wasm = wat("(@custom \"a\" \"b\")");
    assert!(matches!(
        engine().validate_within(&wasm, &custom),
        Err(ModuleError::Limit { limit: "custom_sections", .. })
    ));
    let shown = engine().validate_within(&wasm, &custom).err().map(|error| error.to_string());
    let expected = "the module has 1 custom sections, and may have 0 (the limit `custom_sections`)";
    assert_eq!(shown.as_deref(), Some(expected));
}

/// What compilers make of large programs: tens of thousands of functions, one of a megabyte, branch tables of thousands,
/// thousands of locals; some 25 MB in all, most of it data, as in Go. It is validated, not compiled, which takes a minute.
#[test]
fn a_module_of_the_largest_plugins_is_within_the_limits() {
    let _alone = alone();
    let arithmetic = |code: &mut encode::InstructionSink<'_>, locals: u32, count: u32| {
        for number in 0..count {
            code.local_get(number % locals).i32_const(8).i32_sub().local_tee(number * 7 % locals);
            code.if_(BlockType::Empty).local_get(number % locals).call(1).local_set((number + 3) % locals).end();
        }
    };
    let small = function(16, |code| arithmetic(code, 16, 10));
    // As Go does: a loop, a branch table to where it goes on after each call, blocks one in another.
    let resumed = |count: u32| {
        function(32, |code| {
            code.loop_(BlockType::Empty);
            (0..=count).for_each(|_| {
                code.block(BlockType::Empty);
            });
            code.local_get(0).br_table((0..count).collect::<Vec<_>>(), count);
            for number in 0..count {
                code.end().local_get(number % 32).i32_const(8).i32_sub().local_set(number % 32);
                code.local_get(1).call(1).if_(BlockType::Empty).i32_const(1).local_set(0).br(count + 1 - number).end();
            }
            code.end().end();
        })
    };
    // Most of them live for a short time.
    let many_locals = function(3_000, |code| {
        for number in 0..3_000 {
            code.local_get(0).local_set(number).local_get(number).if_(BlockType::Empty).nop().end();
        }
    });
    let megabyte = function(50, |code| {
        for number in 0..100_000 {
            code.local_get(number % 50).i32_const(number as i32).i32_store(encode::MemArg {
                offset: 0,
                align: 2,
                memory_index: 0,
            });
        }
    });
    let mut functions = vec![small; 60_000];
    functions.extend([resumed(4_000), many_locals, megabyte]);
    let wasm = plugin(&[], &functions);
    assert!(wasm.len() > 10 << 20, "{}", wasm.len());
    let (valid, bytes) = peak(|| engine().validate(&wasm));
    assert_eq!(valid, Ok(()));
    assert!(bytes < 4 * wasm.len(), "{bytes} bytes to validate a module of {}", wasm.len());
}

/// What a module costs grows in proportion to it, or it is refused.
#[test]
fn memory_to_compile_grows_linearly() {
    let _alone = alone();
    let module = |functions: usize| {
        let conditions = function(20, |code| {
            for number in 0..100 {
                code.local_get(number % 20).if_(BlockType::Empty).i32_const(3).local_set(number * 3 % 20).end();
            }
        });
        plugin(&[], &vec![conditions; functions])
    };
    let cost = |wasm: &[u8]| peak(|| Module::new(&engine(), wasm).expect("it is a plugin")).1;
    cost(&module(10));
    let (small, large) = (cost(&module(100)), cost(&module(400)));
    assert!(large < 6 * small, "{small} bytes, and {large} for four times as much");
}

/// The documentation of `Engine` lists what is on and off; this is that list.
#[test]
fn proposals_are_on_as_documented() {
    let _alone = alone();
    let on = [
        ("mutable globals", "(global (export \"a\") (mut i32) (i32.const 0))"),
        ("conversions", "(func (param f32) (result i32) local.get 0 i32.trunc_sat_f32_s)"),
        ("sign extension", "(func (param i32) (result i32) local.get 0 i32.extend8_s)"),
        ("multi-value", "(func (result i32 i32) i32.const 1 i32.const 2)"),
        ("bulk memory", "(memory 1) (func i32.const 0 i32.const 0 i32.const 0 memory.fill)"),
        ("reference types", "(table 1 funcref) (func (result funcref) i32.const 0 table.get 0)"),
        ("SIMD", "(func (result v128) v128.const i64x2 0 0)"),
        ("relaxed SIMD", "(func (param v128) (result v128) local.get 0 local.get 0 i8x16.relaxed_swizzle)"),
        ("tail calls", "(func $a return_call $a)"),
        ("extended constants", "(global i32 (i32.add (i32.const 1) (i32.const 2)))"),
        ("function references", "(type $t (func)) (func (param (ref $t)) local.get 0 call_ref $t)"),
        ("several memories", "(memory 1) (memory 1)"),
        ("64-bit memories", "(memory i64 1)"),
        ("64-bit tables", "(table i64 1 funcref)"),
    ];
    let off = [
        ("threads", "(memory 1 1 shared)"),
        ("atomics", "(memory 1) (func i32.const 0 i32.atomic.load drop)"),
        ("exceptions", "(tag)"),
        ("legacy exceptions", "(tag $t) (func try catch $t end)"),
        ("externref", "(func (param externref))"),
        ("garbage collection", "(type (struct))"),
        ("arrays", "(type (array i8))"),
        ("i31", "(func (param i31ref))"),
        ("custom page sizes", "(memory 1 (pagesize 1))"),
        ("wide arithmetic", "(func (param i64 i64) (result i64 i64) local.get 0 local.get 1 i64.mul_wide_u)"),
        ("stack switching", "(type $f (func)) (type (cont $f))"),
    ];
    let engine = engine();
    let winch = EngineConfig { compiler: Compiler::Winch, ..EngineConfig::default() };
    // What Winch lacks, Cranelift compiles.
    let winch = Engine::with_config(&winch).expect("wasmtime runs here");
    for (expected, rows) in [(true, &on[..]), (false, &off[..])] {
        for (what, text) in rows {
            let wasm = wat::parse_str(format!("(module {text})")).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(engine.validate(&wasm).is_ok(), expected, "{what}: {:?}", engine.validate(&wasm));
            // The engine that compiles has the same ones.
            let marked = format!(
                "(module {text} (memory $m (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\")) \
                 (func (export \"malloc\") (param i32) (result i32) i32.const 8))"
            );
            let marked = wat::parse_str(marked).unwrap_or_else(|error| panic!("{what}: {error}"));
            for engine in [&engine, &winch] {
                let module = Module::new(engine, &marked);
                assert_eq!(module.is_ok(), expected, "{what}: {module:?}");
            }
        }
    }
}

/// A module is made on one thread and used on another.
#[test]
fn modules_cross_threads() {
    fn sent<T: Send + Sync + 'static>(value: T) -> T {
        value
    }
    let _alone = alone();
    let engine = engine();
    let made = std::thread::spawn(move || sent(Module::new(&engine, &plugin(&[], &[])))).join();
    let module = made.expect("it does not panic").expect("it is a plugin");
    let mut proxy = Proxy::new(ProxyConfig::default());
    assert!(proxy.add_plugin(&module, PluginConfig::default()).is_ok());
}

/// Row 37: names of functions come from the module, and may be long and have anything in them.
#[test]
fn reasons_of_traps_are_short_lines() {
    let _alone = alone();
    let name = "x\u{1b}[2J\n\0é".repeat(10_000);
    let mut text = String::new();
    let body = "(func $start (call $f)) (start $start)";
    let _ = write!(text, "(module (memory (export \"memory\") 1) (func $f (@name \"NAME\") unreachable) {body}");
    text.push_str(
        "(func (export \"proxy_abi_version_0_2_1\")) (func (export \"malloc\") (param i32) (result i32) i32.const 8))",
    );
    let escaped: String = name.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let wasm = wat::parse_str(text.replace("NAME", &escaped)).expect("the text is a module");
    let module = Module::new(&engine(), &wasm).expect("it is a plugin");
    let started = Proxy::new(ProxyConfig::default()).add_plugin(&module, PluginConfig::default());
    let reason = started.expect_err("it traps").to_string();
    assert!(reason.len() <= 1 << 10 && !reason.contains(char::is_control), "{} bytes: {reason:?}", reason.len());
    assert!(reason.contains(", at x\\u{1b}[2J\\n\\u{0}é") && reason.contains("… < "), "{reason}");
}
