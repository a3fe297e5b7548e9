//! Estimates what a function costs its compiler, in one pass over its operators.
//!
//! Most operators cost the same. These cost more, as measured with Cranelift: calls, by their values; divisions; blocks,
//! branches and operators that are compiled to some, targets of branch tables and loops, more than linearly; and each local
//! for each block that it is live through, because the compiler searches all of them for its value. Winch, which is linear
//! in all of them, takes a fraction.

use wasmparser::{BlockType, Operator};

use crate::module::error::ModuleError;
use crate::module::limits::{ModuleLimits, bound};

/// Units of work in addition to the one for an operator. A unit stands for up to 1 KiB of memory.
const FUNCTION: usize = 8;
const CALL: usize = 9;
const DIVISION: usize = 3;
const BLOCK: usize = 4;
const BRANCH: usize = 2;
/// A part of the code costs one more unit per this number of parts before it.
const PARTS_PER_UNIT: usize = 256;
/// Parts of the code that a local is live through, for a unit of work.
const LIVE_PARTS_PER_UNIT: usize = 4;
/// A loop costs one more unit per this number of loops before it.
const LOOPS_PER_UNIT: usize = 8;
/// A target of a branch table, except for the first table, costs one more unit per this number of targets before it.
const TARGETS_PER_UNIT: usize = 100;
/// A branch back to a loop costs one more unit per this number of such branches before it.
const BACK_PER_UNIT: usize = 200;
/// A local that is live through a loop costs one more unit per this square of the number of loops around that loop.
const OUTER_LOOPS_PER_UNIT: usize = 180;

/// The numbers of parameters and results of a function.
#[derive(Clone, Copy, Default)]
pub(crate) struct Arity {
    pub(crate) params: usize,
    pub(crate) results: usize,
}

/// The arities of a module's types, and the types of its functions.
#[derive(Default)]
pub(crate) struct Signatures {
    pub(crate) types: Vec<Arity>,
    pub(crate) functions: Vec<u32>,
}

impl Signatures {
    fn ty(&self, index: u32) -> Arity {
        self.types.get(index as usize).copied().unwrap_or_default()
    }

    pub(crate) fn function(&self, index: u32) -> Arity {
        self.functions.get(index as usize).map(|ty| self.ty(*ty)).unwrap_or_default()
    }

    fn block(&self, ty: BlockType) -> Arity {
        match ty {
            BlockType::Empty => Arity::default(),
            BlockType::Type(_) => Arity { params: 0, results: 1 },
            BlockType::FuncType(index) => self.ty(index),
        }
    }
}

/// The state of estimating a function.
pub(crate) struct Work<'a> {
    signatures: &'a Signatures,
    limits: &'a ModuleLimits,
    units: usize,
    /// Parts of the code that locals are live through, together.
    live: usize,
    /// The number of parts of the code so far: between two of them control enters or leaves.
    parts: usize,
    frames: Vec<Frame>,
    /// The number of the latest frame; each has another.
    frame: usize,
    /// The loops around the current operator, and the number of all loops so far.
    loops: Vec<Loop>,
    all_loops: usize,
    /// Branches back to loops.
    back: usize,
    tables: usize,
    targets: usize,
    block_values: usize,
    locals: Vec<Local>,
}

struct Frame {
    number: usize,
    arity: Arity,
    is_loop: bool,
}

/// A loop: the part in which it begins, and the locals whose values were written before it, with the part of the write.
struct Loop {
    begin: usize,
    carried: Vec<(usize, usize)>,
}

/// A local: how long its value has been live, as far as is known.
#[derive(Clone, Copy, Default)]
struct Local {
    /// The part of the last read or write.
    last: usize,
    /// The write of its value: the part, and the depth and the number of the frame.
    source: usize,
    depth: usize,
    number: usize,
    /// Parts through which it is also live if the last write is not always executed before the next read.
    maybe_live: usize,
}

impl<'a> Work<'a> {
    pub(crate) fn new(signatures: &'a Signatures, limits: &'a ModuleLimits, arity: Arity, locals: usize) -> Work<'a> {
        let frames = vec![Frame { number: 0, arity, is_loop: false }];
        let locals = vec![Local::default(); locals];
        let units = FUNCTION + locals.len();
        Work {
            signatures,
            limits,
            units,
            live: 0,
            parts: 0,
            frames,
            frame: 0,
            loops: Vec::new(),
            all_loops: 0,
            back: 0,
            tables: 0,
            targets: 0,
            block_values: arity.results.saturating_sub(1),
            locals,
        }
    }

    /// Counts an operator of a function that is valid so far.
    ///
    /// # Errors
    ///
    /// If the function exceeds a limit.
    pub(crate) fn operator(&mut self, operator: &Operator<'_>) -> Result<(), ModuleError> {
        self.units += 1;
        match operator {
            Operator::Block { blockty } | Operator::If { blockty } => self.open(*blockty, false)?,
            Operator::Loop { blockty } => {
                self.open(*blockty, true)?;
                self.loops.push(Loop { begin: self.parts, carried: Vec::new() });
                bound("nested loops in a function", "loop_nesting", self.limits.loop_nesting, self.loops.len())?;
                self.all_loops += 1;
                self.units += self.all_loops / LOOPS_PER_UNIT;
            }
            Operator::Else => {
                self.part();
                self.frame += 1;
                let number = self.frame;
                if let Some(frame) = self.frames.last_mut() {
                    frame.number = number;
                }
            }
            Operator::End => self.close(),
            Operator::Br { relative_depth } => self.branch(*relative_depth)?,
            Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth } => self.branch(*relative_depth)?,
            Operator::BrTable { targets } => {
                for depth in targets.targets().chain([Ok(targets.default())]).flatten() {
                    self.targets += 1;
                    bound(
                        "targets of branch tables in a function",
                        "branch_targets",
                        self.limits.branch_targets,
                        self.targets,
                    )?;
                    if self.tables > 0 {
                        self.units += self.targets / TARGETS_PER_UNIT;
                    }
                    self.target(depth)?;
                }
                self.tables += 1;
            }
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                self.call(self.signatures.function(*function_index));
            }
            Operator::CallIndirect { type_index, .. }
            | Operator::ReturnCallIndirect { type_index, .. }
            | Operator::CallRef { type_index }
            | Operator::ReturnCallRef { type_index } => {
                self.inner();
                self.inner();
                self.call(self.signatures.ty(*type_index));
            }
            Operator::TableGet { .. } | Operator::TableSet { .. } => self.inner(),
            Operator::MemoryFill { .. }
            | Operator::MemoryCopy { .. }
            | Operator::MemoryInit { .. }
            | Operator::MemoryGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::TableGrow { .. } => {
                self.inner();
                self.inner();
                self.call(Arity { params: 3, results: 0 });
            }
            Operator::I32DivS
            | Operator::I32DivU
            | Operator::I32RemS
            | Operator::I32RemU
            | Operator::I64DivS
            | Operator::I64DivU
            | Operator::I64RemS
            | Operator::I64RemU => self.units += DIVISION,
            Operator::LocalGet { local_index } => self.read(*local_index as usize),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                self.write(*local_index as usize);
            }
            _ => {}
        }
        bound("units of work for a function", "function_work", self.limits.function_work, self.work())
    }

    /// The units so far.
    pub(crate) fn work(&self) -> usize {
        self.units + self.live / LIVE_PARTS_PER_UNIT
    }

    fn part(&mut self) {
        self.parts += 1;
        self.units += BLOCK + self.parts / PARTS_PER_UNIT;
    }

    /// A condition within an operator, for which the compiler emits blocks.
    fn inner(&mut self) {
        self.part();
        self.part();
    }

    fn values(&mut self, values: usize) -> Result<(), ModuleError> {
        self.block_values += values.saturating_sub(1);
        bound("values of blocks in a function", "block_values", self.limits.block_values, self.block_values)
    }

    fn open(&mut self, ty: BlockType, is_loop: bool) -> Result<(), ModuleError> {
        let arity = self.signatures.block(ty);
        self.part();
        self.frame += 1;
        self.frames.push(Frame { number: self.frame, arity, is_loop });
        bound("nested blocks in a function", "nesting", self.limits.nesting, self.frames.len() - 1)?;
        self.values(arity.params + arity.results)
    }

    fn close(&mut self) {
        self.part();
        let is_loop = self.frames.pop().is_some_and(|frame| frame.is_loop);
        let Some(ended) = is_loop.then(|| self.loops.pop()).flatten() else { return };
        for (index, _) in &ended.carried {
            // It is live until the loop branches back.
            let local = &mut self.locals[*index];
            self.live += self.parts - local.last;
            local.last = self.parts;
        }
        self.units += ended.carried.len() * (1 + self.loops.len().pow(2) / OUTER_LOOPS_PER_UNIT);
        if let Some(outer) = self.loops.last_mut() {
            outer.carried.extend(ended.carried.into_iter().filter(|(_, source)| *source < outer.begin));
        }
    }

    fn branch(&mut self, depth: u32) -> Result<(), ModuleError> {
        self.units += self.parts / PARTS_PER_UNIT;
        self.target(depth)
    }

    fn target(&mut self, depth: u32) -> Result<(), ModuleError> {
        self.parts += 1;
        self.units += BRANCH;
        let target = self.frames.iter().rev().nth(depth as usize);
        let (is_loop, arity) = target.map_or((false, Arity::default()), |frame| (frame.is_loop, frame.arity));
        if is_loop {
            self.back += 1;
            self.units += self.back / BACK_PER_UNIT;
        }
        let values = if is_loop { arity.params } else { arity.results };
        self.values(values)
    }

    fn call(&mut self, arity: Arity) {
        self.units += CALL + arity.params + arity.results;
    }

    fn read(&mut self, index: usize) {
        let Some(local) = self.locals.get_mut(index) else { return };
        self.live += self.parts - local.last;
        let certain = self.frames.get(local.depth).is_some_and(|frame| frame.number == local.number);
        if !certain {
            self.live += local.maybe_live;
            local.source = 0;
            (local.depth, local.number) = (0, 0);
        }
        local.maybe_live = 0;
        local.last = self.parts;
        let source = local.source;
        if let Some(inner) = self.loops.last_mut()
            && source < inner.begin
            && inner.carried.last().is_none_or(|(last, _)| *last != index)
        {
            inner.carried.push((index, source));
        }
    }

    fn write(&mut self, index: usize) {
        let depth = self.frames.len().saturating_sub(1);
        let number = self.frames.last().map_or(0, |frame| frame.number);
        let Some(local) = self.locals.get_mut(index) else { return };
        local.maybe_live += self.parts - local.last;
        (local.last, local.source, local.depth, local.number) = (self.parts, self.parts, depth, number);
    }
}
