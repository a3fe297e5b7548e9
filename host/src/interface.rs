//! What a module imports and exports, read without compiling it, and for which of that the host rejects the module.

use std::fmt;
use std::sync::Arc;

use pw_abi::beyond::{self, STATUS_IN_SDKS};
use pw_abi::{Callback, Lane, Version};
use wasmparser::{CompositeInnerType, ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};

use crate::module::error::{ModuleError, invalid_binary as invalid, is_component};
use crate::module::limits::{Counted, ModuleLimits};

/// What a module imports and exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// The imports, in the module's order.
    pub imports: Vec<Import>,
    /// The exports, in the module's order.
    pub exports: Vec<Export>,
    /// Whether the module has a start section: a function that is called while it is instantiated.
    pub start_section: bool,
}

/// Something that a module imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The module that it is imported from.
    pub module: String,
    /// The name that it is imported by.
    pub name: String,
    /// What it is.
    pub item: Item,
}

/// Something that a module exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The name that it is exported by.
    pub name: String,
    /// What it is.
    pub item: Item,
}

/// What crosses a module's boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the WebAssembly specification")]
pub enum Item {
    Function(Signature),
    Table,
    Memory,
    Global,
    Tag,
}

/// A function's type; shown as `(i32, i64) -> i32`. Functions of one type share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature(Arc<FuncType>);

impl Interface {
    /// Reads a module that is within the default limits. The code of its functions is skipped:
    /// [`Engine::validate`](crate::Engine::validate) checks it.
    ///
    /// # Errors
    ///
    /// If the module is malformed, or exceeds a limit.
    pub fn read(wasm: &[u8]) -> Result<Interface, ModuleError> {
        Interface::within(wasm, &ModuleLimits::default())
    }

    /// The same for a module that is within other limits.
    ///
    /// # Errors
    ///
    /// If the module is malformed, or exceeds a limit.
    pub fn within(wasm: &[u8], limits: &ModuleLimits) -> Result<Interface, ModuleError> {
        if is_component(wasm) {
            return Err(ModuleError::Component);
        }
        Counted::module(limits, wasm)?;
        let mut reader = Reader::default();
        for payload in Parser::new(0).parse_all(wasm) {
            reader.payload(payload.map_err(invalid)?)?;
        }
        Ok(reader.interface)
    }

    /// The versions that the module's markers name, in the order of its exports.
    pub fn markers(&self) -> Vec<Version> {
        let functions = self.exports.iter().filter(|export| matches!(export.item, Item::Function(_)));
        functions.filter_map(|export| Version::ALL.into_iter().find(|it| it.marker() == export.name)).collect()
    }

    /// The version of the ABI that the module is for.
    ///
    /// # Errors
    ///
    /// If the module has no marker, or several.
    pub fn version(&self) -> Result<Version, ModuleError> {
        match self.markers().as_mut_slice() {
            [] => Err(ModuleError::NoMarker),
            [version] => Ok(*version),
            versions => {
                versions.sort();
                Err(ModuleError::SeveralMarkers(versions.to_vec()))
            }
        }
    }

    /// Everything else for which the host rejects the module, as a module for `version`.
    pub fn refusals(&self, version: Version) -> Vec<ModuleError> {
        let memory = matches!(self.export("memory"), Some(Item::Memory));
        let mut allocators = pw_abi::section("memory_management").into_iter().flat_map(|section| section.guest);
        let allocator = allocators.any(|row| matches!(self.export(row.name), Some(Item::Function(_))));
        let exports = pw_abi::callbacks(version).filter_map(|row| self.wrong_export(row, version));
        let imports = self.imports.iter().filter_map(|import| import.refusal(version));
        let memory = (!memory).then_some(ModuleError::NoMemory);
        let allocator = (!allocator).then_some(ModuleError::NoAllocator);
        memory.into_iter().chain(allocator).chain(exports).chain(imports).collect()
    }

    /// What is exported as `name`.
    pub fn export(&self, name: &str) -> Option<&Item> {
        self.exports.iter().find(|export| export.name == name).map(|export| &export.item)
    }

    fn wrong_export(&self, row: &Callback, version: Version) -> Option<ModuleError> {
        let params: Vec<Lane> = row.params(version).map(|param| param.kind.lane()).collect();
        let result = row.result.map(|kind| kind.lane());
        let item = self.export(row.name)?;
        (!item.is_function(&params, result)).then(|| {
            let (expected, actual) = (type_text(&params, result), item.to_string());
            ModuleError::ExportType { export: row.name.to_owned(), expected, actual }
        })
    }
}

impl Import {
    /// The name with the module in front.
    pub fn qualified(&self) -> String {
        format!("{}.{}", self.module, self.name)
    }

    fn refusal(&self, version: Version) -> Option<ModuleError> {
        let import = self.qualified();
        let Some(types) = types(&self.module, &self.name, version) else {
            return Some(ModuleError::UnknownImport { version, import });
        };
        let (params, result) = &types[0];
        let links = types.iter().any(|(params, result)| self.item.is_function(params, *result));
        (!links).then(|| ModuleError::ImportType {
            import,
            expected: type_text(params, *result),
            actual: self.item.to_string(),
        })
    }
}

impl Item {
    /// Whether this is a function of that type.
    pub fn is_function(&self, params: &[Lane], result: Option<Lane>) -> bool {
        let Item::Function(Signature(ty)) = self else { return false };
        let same = |(actual, lane): (&ValType, &Lane)| match lane {
            Lane::I32 => *actual == ValType::I32,
            Lane::I64 => *actual == ValType::I64,
        };
        ty.params().len() == params.len()
            && ty.params().iter().zip(params).all(same)
            && ty.results().len() == usize::from(result.is_some())
            && ty.results().iter().zip(&result).all(same)
    }
}

/// The state of reading a module.
#[derive(Default)]
struct Reader {
    /// By index; `None` for types that are not of functions.
    types: Vec<Option<Arc<FuncType>>>,
    /// The index of each function's type.
    functions: Vec<u32>,
    interface: Interface,
}

impl Reader {
    fn payload(&mut self, payload: Payload<'_>) -> Result<(), ModuleError> {
        match payload {
            Payload::TypeSection(types) => {
                for group in types {
                    let group = group.map_err(invalid)?;
                    self.types.extend(group.types().map(|ty| match &ty.composite_type.inner {
                        CompositeInnerType::Func(ty) => Some(Arc::new(ty.clone())),
                        _ => None,
                    }));
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let wasmparser::Import { module, name, ty } = import.map_err(invalid)?;
                    let item = self.imported(ty)?;
                    self.interface.imports.push(Import { module: module.to_owned(), name: name.to_owned(), item });
                }
            }
            Payload::FunctionSection(functions) => {
                for ty in functions {
                    self.functions.push(ty.map_err(invalid)?);
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export.map_err(invalid)?;
                    let item = self.exported(export.kind, export.index)?;
                    self.interface.exports.push(Export { name: export.name.to_owned(), item });
                }
            }
            Payload::StartSection { .. } => self.interface.start_section = true,
            _ => {}
        }
        Ok(())
    }

    fn imported(&mut self, ty: TypeRef) -> Result<Item, ModuleError> {
        Ok(match ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                self.functions.push(ty);
                Item::Function(self.signature(ty)?)
            }
            TypeRef::Table(_) => Item::Table,
            TypeRef::Memory(_) => Item::Memory,
            TypeRef::Global(_) => Item::Global,
            TypeRef::Tag(_) => Item::Tag,
        })
    }

    fn exported(&self, kind: ExternalKind, index: u32) -> Result<Item, ModuleError> {
        Ok(match kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                let ty = self.functions.get(index as usize);
                let missing = || ModuleError::Invalid(format!("function {index} is exported, but does not exist"));
                Item::Function(self.signature(*ty.ok_or_else(missing)?)?)
            }
            ExternalKind::Table => Item::Table,
            ExternalKind::Memory => Item::Memory,
            ExternalKind::Global => Item::Global,
            ExternalKind::Tag => Item::Tag,
        })
    }

    fn signature(&self, ty: u32) -> Result<Signature, ModuleError> {
        let found = self.types.get(ty as usize).cloned().flatten();
        found.map(Signature).ok_or_else(|| ModuleError::Invalid(format!("type {ty} is not a function's")))
    }
}

fn type_text(params: &[Lane], result: Option<Lane>) -> String {
    let params: Vec<&str> = params.iter().map(|lane| lane.name()).collect();
    format!("({}) -> {}", params.join(", "), result.map_or("()", |lane| lane.name()))
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Function(signature) => signature.fmt(f),
            Item::Table => f.write_str("a table"),
            Item::Memory => f.write_str("a memory"),
            Item::Global => f.write_str("a global"),
            Item::Tag => f.write_str("a tag"),
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let results = list(self.0.results());
        write!(f, "({}) -> {}", list(self.0.params()), if results.is_empty() { "()" } else { &results })
    }
}

/// The types that an import may have, with parameters and result, the specification's first; `None` if there is no such function.
fn types(module: &str, name: &str, version: Version) -> Option<Vec<(Vec<Lane>, Option<Lane>)>> {
    let module = beyond::canonical(module);
    let own = pw_abi::host_functions(version).find(|row| row.module == module && row.name == name);
    if let Some(row) = own {
        let mut types = vec![(row.lanes().map(|(_, lane)| lane).collect(), row.result())];
        if STATUS_IN_SDKS.contains(&name) {
            types.push((Vec::new(), Some(Lane::I32)));
        }
        return Some(types);
    }
    let row = beyond::beyond(module, name)?;
    Some(vec![(row.params.to_vec(), row.result)])
}
