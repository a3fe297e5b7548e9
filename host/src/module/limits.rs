//! The limits of a module, so that it costs memory and time in proportion to its size. Plain numbers.

use wasmparser::{CompositeInnerType, ConstExpr, ElementItems, Operator, Parser, Payload};

use crate::module::error::{ModuleError, invalid_binary};

/// The limits of a module. A module that exceeds one of them is rejected before it is compiled. By default the largest modules
/// that compilers emit for real programs are within them.
///
/// ```
/// use pw_host::{Engine, Metering, Module, ModuleError, ModuleLimits};
///
/// let engine = Engine::new(Metering::None)?;
/// let limits = ModuleLimits { size: 1 << 20, ..ModuleLimits::default() };
/// let rejected = Module::with_limits(&engine, &vec![0; 2 << 20], &limits);
/// assert!(matches!(rejected, Err(ModuleError::Limit { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleLimits {
    /// Bytes of the module. By default 64 MiB.
    pub size: usize,
    /// Function types. By default 20,000.
    pub types: usize,
    /// Parameters of a function type. By default 256.
    pub params: usize,
    /// Results of a function type. By default 64.
    pub results: usize,
    /// Imports. By default 2,000.
    pub imports: usize,
    /// Functions that the module defines. By default 200,000.
    pub functions: usize,
    /// Globals that the module defines. By default 100,000.
    pub globals: usize,
    /// Tables that the module defines. By default 16, as a plugin may have.
    pub tables: usize,
    /// Exports. By default 20,000.
    pub exports: usize,
    /// Bytes of the name of an import, its module, or an export. By default 4,000: C++ names are long.
    pub name: usize,
    /// Element segments. By default 10,000.
    pub element_segments: usize,
    /// Entries of all element segments together. By default a million.
    pub elements: usize,
    /// Data segments. By default 100,000.
    pub data_segments: usize,
    /// Operators of all constant expressions together (of globals, elements and data). By default two million.
    pub constants: usize,
    /// Custom sections. By default 1,000.
    pub custom_sections: usize,
    /// Bytes of the code of a function. By default 2 MiB.
    pub function_size: usize,
    /// Locals of a function, with its parameters. By default 20,000.
    pub locals: usize,
    /// Nested blocks, loops and conditionals in a function. By default 20,000: compilers emit one for each target of a branch
    /// table.
    pub nesting: usize,
    /// Nested loops in a function. By default 500.
    pub loop_nesting: usize,
    /// Values on the operand stack of a function at a time. By default 10,000.
    pub operands: usize,
    /// Targets of all branch tables of a function together. By default 20,000.
    pub branch_targets: usize,
    /// Parameters and results of the blocks of a function, and values of its branches, without the first of each, together. By
    /// default 10,000; compilers emit few.
    pub block_values: usize,
    /// Estimated work of the compiler for a function, in units of an operator: a call, a branch or a local variable that is live
    /// through many blocks costs more than one. By default 6.5 million: twice the largest function that was found in a plugin.
    /// For a million units Cranelift takes a second or two and some 250 MB, Winch a fraction of that.
    pub function_work: usize,
    /// Estimated work for the largest function of a module that Cranelift compiles. A module with a larger one is compiled by Winch,
    /// and rejected if it uses what Winch lacks (see [`Compiler`](crate::Compiler)); on a machine that Winch does not support
    /// Cranelift compiles it. By default half a million, for which Cranelift takes about a second and 150 MB.
    pub cranelift_work: usize,
    /// Estimated work for all functions together, per byte of the module, in addition to the limit for a function. By default 2.
    pub work_per_byte: usize,
}

impl Default for ModuleLimits {
    fn default() -> ModuleLimits {
        ModuleLimits {
            size: 64 << 20,
            types: 20_000,
            params: 256,
            results: 64,
            imports: 2_000,
            functions: 200_000,
            globals: 100_000,
            tables: 16,
            exports: 20_000,
            name: 4_000,
            element_segments: 10_000,
            elements: 1_000_000,
            data_segments: 100_000,
            constants: 2_000_000,
            custom_sections: 1_000,
            function_size: 2 << 20,
            locals: 20_000,
            nesting: 20_000,
            loop_nesting: 500,
            operands: 10_000,
            branch_targets: 20_000,
            block_values: 10_000,
            function_work: 6_500_000,
            cranelift_work: 500_000,
            work_per_byte: 2,
        }
    }
}

/// Counts a module's parts, except code, against its limits.
pub(crate) struct Counted<'a> {
    limits: &'a ModuleLimits,
    custom_sections: usize,
    elements: usize,
    constants: usize,
}

/// Fails if `actual` exceeds `max`; `limit` is the name of the field.
pub(crate) fn bound(what: &'static str, limit: &'static str, max: usize, actual: usize) -> Result<(), ModuleError> {
    if actual > max { Err(ModuleError::Limit { what, limit, max, actual }) } else { Ok(()) }
}

impl<'a> Counted<'a> {
    pub(crate) fn new(limits: &'a ModuleLimits, wasm: &[u8]) -> Result<Counted<'a>, ModuleError> {
        bound("bytes", "size", limits.size, wasm.len())?;
        Ok(Counted { limits, custom_sections: 0, elements: 0, constants: 0 })
    }

    /// Counts all sections of a module.
    pub(crate) fn module(limits: &ModuleLimits, wasm: &[u8]) -> Result<(), ModuleError> {
        let mut counted = Counted::new(limits, wasm)?;
        for payload in Parser::new(0).parse_all(wasm) {
            counted.section(&payload.map_err(invalid_binary)?)?;
        }
        Ok(())
    }

    pub(crate) fn section(&mut self, payload: &Payload<'_>) -> Result<(), ModuleError> {
        let limits = self.limits;
        match payload {
            Payload::TypeSection(types) => {
                bound("types", "types", limits.types, types.count() as usize)?;
                let mut count = 0;
                for group in types.clone() {
                    for ty in group.map_err(invalid_binary)?.types() {
                        count += 1;
                        if let CompositeInnerType::Func(ty) = &ty.composite_type.inner {
                            bound("parameters of a function", "params", limits.params, ty.params().len())?;
                            bound("results of a function", "results", limits.results, ty.results().len())?;
                        }
                    }
                    bound("types", "types", limits.types, count)?;
                }
            }
            Payload::ImportSection(imports) => {
                bound("imports", "imports", limits.imports, imports.count() as usize)?;
                for (count, import) in imports.clone().into_imports().enumerate() {
                    let import = import.map_err(invalid_binary)?;
                    bound("imports", "imports", limits.imports, count + 1)?;
                    self.name(import.module)?;
                    self.name(import.name)?;
                }
            }
            Payload::FunctionSection(functions) => {
                bound("functions", "functions", limits.functions, functions.count() as usize)?;
            }
            Payload::TableSection(tables) => bound("tables", "tables", limits.tables, tables.count() as usize)?,
            Payload::GlobalSection(globals) => {
                bound("globals", "globals", limits.globals, globals.count() as usize)?;
                for global in globals.clone() {
                    self.constant(&global.map_err(invalid_binary)?.init_expr)?;
                }
            }
            Payload::ExportSection(exports) => {
                bound("exports", "exports", limits.exports, exports.count() as usize)?;
                for export in exports.clone() {
                    self.name(export.map_err(invalid_binary)?.name)?;
                }
            }
            Payload::ElementSection(segments) => {
                bound("element segments", "element_segments", limits.element_segments, segments.count() as usize)?;
                for segment in segments.clone() {
                    self.elements(&segment.map_err(invalid_binary)?.items)?;
                }
            }
            Payload::DataSection(segments) => {
                bound("data segments", "data_segments", limits.data_segments, segments.count() as usize)?;
                for segment in segments.clone() {
                    if let wasmparser::DataKind::Active { offset_expr, .. } = segment.map_err(invalid_binary)?.kind {
                        self.constant(&offset_expr)?;
                    }
                }
            }
            Payload::CodeSectionStart { count, .. } => {
                bound("functions", "functions", limits.functions, *count as usize)?;
            }
            Payload::CustomSection(_) => {
                self.custom_sections += 1;
                bound("custom sections", "custom_sections", limits.custom_sections, self.custom_sections)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn name(&self, name: &str) -> Result<(), ModuleError> {
        bound("bytes in a name", "name", self.limits.name, name.len())
    }

    fn elements(&mut self, items: &ElementItems<'_>) -> Result<(), ModuleError> {
        let count = match items {
            ElementItems::Functions(items) => items.count(),
            ElementItems::Expressions(_, items) => {
                for item in items.clone() {
                    self.constant(&item.map_err(invalid_binary)?)?;
                }
                items.count()
            }
        };
        self.elements = self.elements.saturating_add(count as usize);
        bound("elements", "elements", self.limits.elements, self.elements)
    }

    fn constant(&mut self, expression: &ConstExpr<'_>) -> Result<(), ModuleError> {
        let mut operators = expression.get_operators_reader();
        while !operators.eof() {
            if let Operator::End = operators.read().map_err(invalid_binary)? {
                continue;
            }
            self.constants += 1;
            bound("operators in constants", "constants", self.limits.constants, self.constants)?;
        }
        Ok(())
    }
}
