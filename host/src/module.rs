//! A compiled module, checked against the table before anything of it runs.

use std::fmt;
use std::sync::Arc;

use pw_abi::{Lane, Version};
use wasmtime::{ExternType, FuncType, InstancePre, ValType};

use crate::Engine;
use crate::guest::Data;
use crate::linker;

/// A compiled module that the host takes. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    pub(crate) pre: InstancePre<Data>,
    pub(crate) version: Version,
    pub(crate) engine: Engine,
    pub(crate) data: Option<(u32, Arc<[u8]>)>,
}

/// Why the host does not take a module.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModuleError {
    /// The bytes are no WebAssembly module; wasmtime's words.
    Invalid(String),
    /// The bytes are a component, and plugins are core modules.
    Component,
    /// No export says which version of the ABI the module is for.
    NoMarker,
    /// Several do.
    SeveralMarkers(Vec<Version>),
    /// The module does not export its memory as `memory`.
    NoMemory,
    /// The module exports neither `proxy_on_memory_allocate` nor `malloc`.
    NoAllocator,
    /// The module imports something that the version does not have.
    UnknownImport {
        /// The version that the module is for.
        version: Version,
        /// Module and name.
        import: String,
    },
    /// The module imports a function with another type than it has.
    ImportType {
        /// Module and name.
        import: String,
        /// The type that it has.
        expected: String,
        /// The type that the module gives.
        actual: String,
    },
    /// The module exports a callback with another type than it has.
    ExportType {
        /// The callback's name.
        export: String,
        /// The type that it has.
        expected: String,
        /// The type that the module gives.
        actual: String,
    },
}

impl Module {
    /// Compiles a module, from bytes, and checks its imports and exports.
    pub fn new(engine: &Engine, wasm: &[u8]) -> Result<Module, ModuleError> {
        if wasm.get(..8) == Some(b"\0asm\x0d\0\x01\0") {
            return Err(ModuleError::Component);
        }
        let invalid = |error: wasmtime::Error| ModuleError::Invalid(one_line(&format!("{error:#}")));
        let module = wasmtime::Module::new(&engine.wasm, wasm).map_err(invalid)?;
        let version = version(&module)?;
        check_exports(&module, version)?;
        check_imports(&module, version)?;
        let linker = linker::linker(engine, &module, version).map_err(invalid)?;
        let pre = linker.instantiate_pre(&module).map_err(invalid)?;
        Ok(Module { pre, version, engine: engine.clone(), data: None })
    }

    /// The same module with `bytes` at `address` in its memory, as if by one more data segment: many variants of a
    /// module then need one compilation. What does not fit makes the instantiation fail.
    pub fn with_data(&self, address: u32, bytes: &[u8]) -> Module {
        Module { data: Some((address, bytes.into())), ..self.clone() }
    }

    /// The version that the module is for.
    pub fn version(&self) -> Version {
        self.version
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Module(ABI v{})", self.version)
    }
}

fn version(module: &wasmtime::Module) -> Result<Version, ModuleError> {
    let function = |name| matches!(module.get_export(name), Some(ExternType::Func(_)));
    let versions: Vec<Version> = Version::ALL.into_iter().filter(|version| function(version.marker())).collect();
    match versions.as_slice() {
        [] => Err(ModuleError::NoMarker),
        [version] => Ok(*version),
        _ => Err(ModuleError::SeveralMarkers(versions)),
    }
}

fn check_exports(module: &wasmtime::Module, version: Version) -> Result<(), ModuleError> {
    if !matches!(module.get_export("memory"), Some(ExternType::Memory(_))) {
        return Err(ModuleError::NoMemory);
    }
    let mut allocators = pw_abi::section("memory_management").into_iter().flat_map(|section| section.guest);
    if !allocators.any(|row| module.get_export(row.name).is_some()) {
        return Err(ModuleError::NoAllocator);
    }
    for row in pw_abi::callbacks(version) {
        let Some(export) = module.get_export(row.name) else { continue };
        let params: Vec<Lane> = row.params(version).map(|param| param.kind.lane()).collect();
        let result = row.result.map(|kind| kind.lane());
        match export {
            ExternType::Func(actual) if has_type(&actual, &params, result) => {}
            other => {
                let (expected, actual) = (type_text(&params, result), extern_text(&other));
                return Err(ModuleError::ExportType { export: row.name.to_owned(), expected, actual });
            }
        }
    }
    Ok(())
}

fn check_imports(module: &wasmtime::Module, version: Version) -> Result<(), ModuleError> {
    for import in module.imports() {
        let name = format!("{}.{}", import.module(), import.name());
        let Some(types) = linker::types(import.module(), import.name(), version) else {
            return Err(ModuleError::UnknownImport { version, import: name });
        };
        let (params, result) = &types[0];
        match import.ty() {
            ExternType::Func(actual) if types.iter().any(|(params, result)| has_type(&actual, params, *result)) => {}
            other => {
                let (expected, actual) = (type_text(params, *result), extern_text(&other));
                return Err(ModuleError::ImportType { import: name, expected, actual });
            }
        }
    }
    Ok(())
}

pub(crate) fn has_type(actual: &FuncType, params: &[Lane], result: Option<Lane>) -> bool {
    let same = |actual: ValType, lane: &Lane| match lane {
        Lane::I32 => actual.is_i32(),
        Lane::I64 => actual.is_i64(),
    };
    actual.params().len() == params.len()
        && actual.params().zip(params).all(|(actual, lane)| same(actual, lane))
        && actual.results().len() == usize::from(result.is_some())
        && actual.results().zip(&result).all(|(actual, lane)| same(actual, lane))
}

fn type_text(params: &[Lane], result: Option<Lane>) -> String {
    let params: Vec<&str> = params.iter().map(|lane| lane.name()).collect();
    format!("({}) -> {}", params.join(", "), result.map_or("()", |lane| lane.name()))
}

fn extern_text(actual: &ExternType) -> String {
    let ExternType::Func(actual) = actual else { return "no function".to_owned() };
    let params: Vec<String> = actual.params().map(|param| param.to_string()).collect();
    let results: Vec<String> = actual.results().map(|result| result.to_string()).collect();
    let results = if results.is_empty() { "()".to_owned() } else { results.join(", ") };
    format!("({}) -> {results}", params.join(", "))
}

pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModuleError::Invalid(error) => write!(f, "not a valid WebAssembly module: {error}"),
            ModuleError::Component => {
                write!(f, "a WebAssembly component, but plugins are core modules: build for wasm32-wasip1")
            }
            ModuleError::NoMarker => {
                let markers: Vec<&str> = Version::ALL.into_iter().map(Version::marker).collect();
                write!(f, "the module exports no function that says its ABI version ({})", markers.join(", "))
            }
            ModuleError::SeveralMarkers(versions) => {
                let versions: Vec<&str> = versions.iter().map(|version| version.name()).collect();
                write!(f, "the module claims several ABI versions: {}", versions.join(", "))
            }
            ModuleError::NoMemory => write!(f, "the module does not export a memory called `memory`"),
            ModuleError::NoAllocator => {
                write!(f, "the module exports no allocator, neither `proxy_on_memory_allocate` nor `malloc`")
            }
            ModuleError::UnknownImport { version, import } => {
                write!(f, "the module imports `{import}`, which ABI v{version} does not have")
            }
            ModuleError::ImportType { import, expected, actual } => {
                write!(f, "the module imports `{import}` as {actual}, but it is {expected}")
            }
            ModuleError::ExportType { export, expected, actual } => {
                write!(f, "the module exports `{export}` as {actual}, but it is {expected}")
            }
        }
    }
}

impl std::error::Error for ModuleError {}
