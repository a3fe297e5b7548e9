//! Limits on the other parts of a module: types, imports, exports, segments, names.

use pw_host::{Interface, ModuleError, ModuleLimits};
use wasm_encoder as encode;
use wasm_encoder::{Function, ValType};

use crate::{alone, engine, peak};

/// Each of many exports once had a copy of a type of 1000 parameters and results.
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
        let (rejected, bytes) = peak(|| Interface::read(&wasm));
        assert!(matches!(rejected, Err(ModuleError::Limit { limit: actual, .. }) if actual == limit), "{rejected:?}");
        assert!(bytes < 64 * wasm.len(), "{bytes} bytes for a module of {}", wasm.len());
        // Also with limits that permit it.
        let (read, bytes) = peak(|| Interface::within(&wasm, &none));
        let read = read.expect("its parts can be read");
        assert_eq!(read.imports.len() + read.exports.len(), 100_000);
        assert!(bytes < 256 * wasm.len(), "{bytes} bytes for a module of {}", wasm.len());
    }
}

#[test]
fn rejects_what_exceeds_each_limit() {
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
        let rejected = engine().validate_within(&wasm, &limits);
        assert!(matches!(rejected, Err(ModuleError::Limit { limit, .. }) if limit == name), "{name}: {rejected:?}");
        assert!(Interface::within(&wasm, &limits).is_err(), "{name}: `Interface` does not check it");
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
