//! Checks that a module, with its code, is valid and within its limits, before anything else reads it.

use wasmparser::{
    CompositeInnerType, FuncToValidate, FuncValidatorAllocations, FunctionBody, Parser, Payload, TypeRef, ValidPayload,
    Validator, ValidatorResources,
};

use crate::features::FEATURES;
use crate::module::error::{ModuleError, invalid_binary};
use crate::module::limits::{Counted, ModuleLimits, bound};
use crate::module::work::{Arity, Signatures, Work};

/// Checks that a module is valid, by the proposals of [`FEATURES`], and within limits. Returns the estimated work for its largest
/// function.
pub(crate) fn validate(wasm: &[u8], limits: &ModuleLimits) -> Result<usize, ModuleError> {
    let mut counted = Counted::new(limits, wasm)?;
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    let mut validator = Validator::new_with_features(FEATURES);
    let mut signatures = Signatures::default();
    let mut allocations = FuncValidatorAllocations::default();
    let (mut total, mut largest) = (0_usize, 0);
    let max = wasm.len().saturating_mul(limits.work_per_byte).saturating_add(limits.function_work);
    for payload in parser.parse_all(wasm) {
        let payload = payload.map_err(invalid_binary)?;
        counted.section(&payload)?;
        read(&payload, &mut signatures)?;
        if let ValidPayload::Func(function, body) = validator.payload(&payload).map_err(invalid_binary)? {
            let (work, used) = code(function, &body, &signatures, limits, allocations)?;
            allocations = used;
            total = total.saturating_add(work);
            largest = work.max(largest);
            bound("units of work", "work_per_byte", max, total)?;
        }
    }
    Ok(largest)
}

fn code(
    function: FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'_>,
    signatures: &Signatures,
    limits: &ModuleLimits,
    allocations: FuncValidatorAllocations,
) -> Result<(usize, FuncValidatorAllocations), ModuleError> {
    bound("bytes of code in a function", "function_size", limits.function_size, body.as_bytes().len())?;
    let own = signatures.function(function.index);
    let mut validator = function.into_validator(allocations);
    let mut reader = body.get_binary_reader();
    let mut locals = own.params;
    for declared in body.get_locals_reader().map_err(invalid_binary)? {
        locals = locals.saturating_add(declared.map_err(invalid_binary)?.0 as usize);
        bound("locals in a function", "locals", limits.locals, locals)?;
    }
    validator.read_locals(&mut reader).map_err(invalid_binary)?;
    reader.set_features(FEATURES);
    let mut work = Work::new(signatures, limits, own, locals);
    while !reader.eof() {
        let offset = reader.original_position();
        let operator = reader.peek_operator(&validator.visitor(offset)).map_err(invalid_binary)?;
        reader.visit_operator(&mut validator.visitor(offset)).map_err(invalid_binary)?.map_err(invalid_binary)?;
        let operands = validator.operand_stack_height() as usize;
        bound("operands in a function", "operands", limits.operands, operands)?;
        work.operator(&operator)?;
    }
    reader.finish_expression(&validator.visitor(reader.original_position())).map_err(invalid_binary)?;
    Ok((work.work(), validator.into_allocations()))
}

/// Keeps the numbers of parameters and results of types, and the types of functions.
fn read(payload: &Payload<'_>, signatures: &mut Signatures) -> Result<(), ModuleError> {
    match payload {
        Payload::TypeSection(types) => {
            for group in types.clone() {
                signatures.types.extend(group.map_err(invalid_binary)?.types().map(
                    |ty| match &ty.composite_type.inner {
                        CompositeInnerType::Func(ty) => {
                            Arity { params: ty.params().len(), results: ty.results().len() }
                        }
                        _ => Arity::default(),
                    },
                ));
            }
        }
        Payload::ImportSection(imports) => {
            for import in imports.clone().into_imports() {
                match import.map_err(invalid_binary)?.ty {
                    TypeRef::Func(ty) => signatures.functions.push(ty),
                    // The validator lets it pass.
                    TypeRef::FuncExact(_) => {
                        let what = "an import of an exact function type needs custom descriptors, which are off";
                        return Err(ModuleError::Invalid(what.to_owned()));
                    }
                    _ => {}
                }
            }
        }
        Payload::FunctionSection(functions) => {
            for ty in functions.clone() {
                signatures.functions.push(ty.map_err(invalid_binary)?);
            }
        }
        _ => {}
    }
    Ok(())
}
