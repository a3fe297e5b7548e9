//! Loading: which modules are valid, and what happens to valid ones.

use std::fmt::Write;

use pw_host::{Compiler, Engine, EngineConfig, Metering, Module, ModuleError, PluginConfig, Pool, Proxy, ProxyConfig};
use wasm_encoder::Function;

use crate::{alone, engine, function, limit_of, plugin};

/// A plain module loads, so that the modules of the other tests are rejected for what was added.
#[test]
fn loads_a_plain_module() {
    let _alone = alone();
    assert!(Module::new(&engine(), &plugin(&[], &[])).is_ok());
    assert_eq!(limit_of(&plugin(&[], &[function(0, |_| {})])), None);
}

/// An error in the code of the last function is found before the module is compiled or compared with the table.
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
        ("custom descriptors", "(type $t (func)) (import \"a\" \"b\" (func (exact (type $t))))"),
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

/// A module is compiled on one thread and used on another.
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

/// Names of functions come from the module, and may be long and have any characters.
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
