//! Functions and modules. Invariant (checked by the validator): every value is defined once,
//! its definition dominates its uses, and the vectors here are dense.

use std::rc::Rc;

use super::{Block, Inst, Op, Slot, SrcLoc, Sym, Target, Terminator, Ty, Value};

/// A unit of code generation: functions and what they name.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// The functions.
    pub functions: Vec<Function>,
    /// What instructions may name.
    pub syms: Vec<SymData>,
}

/// Something outside a function that instructions name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SymData {
    /// Its name, for the text form and messages.
    pub name: String,
    /// What it is.
    pub kind: SymKind,
}

/// What a symbol is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SymKind {
    /// A map, with what passes may use.
    Map(MapFacts),
    /// A global variable: its size, and whether programs may write it.
    Global {
        /// Bytes.
        size: u32,
        /// Whether it can change while programs run.
        writable: bool,
    },
    /// A function of the module, by name.
    Function,
    /// A kernel function.
    Kfunc,
}

/// What is known of a map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MapFacts {
    /// Number of its `BPF_MAP_TYPE_*`.
    pub map_type: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Entries.
    pub max_entries: u32,
}

/// A function in SSA form.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Its name; calls find it through a [`SymData`] of the same name.
    pub name: String,
    /// Blocks; `block0` is the entry, its parameters are the function's (up to five).
    pub blocks: Vec<BlockData>,
    /// Instructions, in no order; blocks list them.
    pub insts: Vec<InstData>,
    /// Values.
    pub values: Vec<ValueData>,
    /// Stack memory.
    pub slots: Vec<SlotData>,
    /// Whether it stays a function of its own: calls of it are not replaced by its body.
    pub keep: bool,
}

/// A basic block.
#[derive(Clone, Debug)]
pub struct BlockData {
    /// Parameters.
    pub params: Vec<Value>,
    /// Instructions in order.
    pub insts: Vec<Inst>,
    /// How it ends.
    pub term: Terminator,
    /// The terminator's source location.
    pub term_loc: SrcLoc,
}

/// An instruction.
#[derive(Clone, Debug)]
pub struct InstData {
    /// What it does.
    pub op: Op,
    /// What it yields.
    pub result: Option<Value>,
    /// Where it comes from.
    pub loc: SrcLoc,
}

/// A value.
#[derive(Clone, Debug)]
pub struct ValueData {
    /// What it is.
    pub ty: Ty,
    /// What makes it.
    pub def: ValueDef,
    /// The source variable it is the content of.
    pub name: Option<Rc<str>>,
}

/// What makes a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueDef {
    /// An instruction.
    Inst(Inst),
    /// The n-th parameter of a block.
    Param(Block, u32),
    /// Nothing any more (an alias replaced by a pass or the builder).
    Gone,
}

/// A piece of stack memory, at least 8-byte aligned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlotData {
    /// Bytes.
    pub size: u32,
    /// The source variable.
    pub name: Option<Rc<str>>,
}

impl Function {
    /// An empty function.
    pub fn new(name: impl Into<String>) -> Function {
        Function { name: name.into(), ..Function::default() }
    }

    /// Adds an empty block.
    pub fn add_block(&mut self) -> Block {
        self.blocks.push(BlockData {
            params: Vec::new(),
            insts: Vec::new(),
            term: Terminator::Open,
            term_loc: SrcLoc::NONE,
        });
        Block(self.blocks.len() as u32 - 1)
    }

    /// Adds a parameter to a block.
    pub fn add_param(&mut self, block: Block, ty: Ty) -> Value {
        let index = self.blocks[block.index()].params.len() as u32;
        let v = self.add_value(ty, ValueDef::Param(block, index));
        self.blocks[block.index()].params.push(v);
        v
    }

    /// Adds stack memory.
    pub fn add_slot(&mut self, size: u32, name: Option<Rc<str>>) -> Slot {
        self.slots.push(SlotData { size, name });
        Slot(self.slots.len() as u32 - 1)
    }

    /// Adds a value without a place.
    pub fn add_value(&mut self, ty: Ty, def: ValueDef) -> Value {
        self.values.push(ValueData { ty, def, name: None });
        Value(self.values.len() as u32 - 1)
    }

    /// Adds an instruction that no block lists yet; `ty` is its result's, if it has one.
    pub fn add_inst(&mut self, op: Op, ty: Option<Ty>, loc: SrcLoc) -> Inst {
        let inst = Inst(self.insts.len() as u32);
        let result = ty.map(|ty| self.add_value(ty, ValueDef::Inst(inst)));
        self.insts.push(InstData { op, result, loc });
        inst
    }

    /// A value's type.
    pub fn ty(&self, v: Value) -> Ty {
        self.values[v.index()].ty
    }

    /// The operation that makes a value, when an instruction does.
    pub fn def_op(&self, v: Value) -> Option<&Op> {
        match self.values[v.index()].def {
            ValueDef::Inst(i) => Some(&self.insts[i.index()].op),
            ValueDef::Param(..) | ValueDef::Gone => None,
        }
    }

    /// The number a value is known to be.
    pub fn as_const(&self, v: Value) -> Option<i64> {
        match self.def_op(v) {
            Some(Op::Const(n)) => Some(*n),
            _ => None,
        }
    }

    /// All blocks.
    pub fn block_ids(&self) -> impl Iterator<Item = Block> + use<> {
        (0..self.blocks.len() as u32).map(Block)
    }
}

impl Module {
    /// Adds a symbol.
    pub fn add_sym(&mut self, name: impl Into<String>, kind: SymKind) -> Sym {
        self.syms.push(SymData { name: name.into(), kind });
        Sym(self.syms.len() as u32 - 1)
    }

    /// The function that a symbol names.
    pub fn function(&self, sym: Sym) -> Option<&Function> {
        let name = &self.syms.get(sym.index())?.name;
        self.functions.iter().find(|f| &f.name == name)
    }
}

/// The one list of operands, for reading and for replacing.
macro_rules! operands {
    ($op:expr, $f:expr, $iter:ident) => {{
        let mut f = $f;
        match $op {
            Op::Const(_) | Op::StackAddr(..) | Op::SymAddr(..) | Op::CoreValue { .. } | Op::MayGoto => {}
            Op::Bin(_, _, a, b) | Op::Cmp(_, _, a, b) => {
                f(a);
                f(b);
            }
            Op::Un(_, a) => f(a),
            Op::InBounds { ptr, len: _, end } => {
                f(ptr);
                f(end);
            }
            Op::Load { base, .. } | Op::CoreLoad { base, .. } => f(base),
            Op::Store { base, value, .. } | Op::CoreStore { base, value, .. } | Op::Atomic { base, value, .. } => {
                f(base);
                f(value);
            }
            Op::CmpXchg { base, expected, new, .. } => {
                f(base);
                f(expected);
                f(new);
            }
            Op::MapLookup { map: _, key } => f(key),
            Op::Call { callee: _, args } => args.$iter().for_each(f),
        }
    }};
}

impl Op {
    /// Calls `f` on every operand.
    pub fn for_each_operand(&self, mut f: impl FnMut(Value)) {
        operands!(self, |v: &Value| f(*v), iter);
    }

    /// Calls `f` on every operand, to be replaced.
    pub fn for_each_operand_mut(&mut self, mut f: impl FnMut(&mut Value)) {
        operands!(self, |v: &mut Value| f(v), iter_mut);
    }
}

impl Terminator {
    /// The jump targets.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        let (a, b) = match self {
            Terminator::Open | Terminator::Return(_) => (None, None),
            Terminator::Jump(t) => (Some(t), None),
            Terminator::Branch { then, els, .. } => (Some(then), Some(els)),
        };
        a.into_iter().chain(b)
    }

    /// The jump targets, to be changed.
    pub fn targets_mut(&mut self) -> impl Iterator<Item = &mut Target> {
        let (a, b) = match self {
            Terminator::Open | Terminator::Return(_) => (None, None),
            Terminator::Jump(t) => (Some(t), None),
            Terminator::Branch { then, els, .. } => (Some(then), Some(els)),
        };
        a.into_iter().chain(b)
    }

    /// Calls `f` on every operand (condition, result, block arguments), to be replaced.
    pub fn for_each_operand_mut(&mut self, mut f: impl FnMut(&mut Value)) {
        match self {
            Terminator::Branch { cond, .. } => f(cond),
            Terminator::Return(v) => f(v),
            Terminator::Open | Terminator::Jump(_) => {}
        }
        for t in self.targets_mut() {
            t.args.iter_mut().for_each(&mut f);
        }
    }

    /// Calls `f` on every operand.
    pub fn for_each_operand(&self, mut f: impl FnMut(Value)) {
        match self {
            Terminator::Branch { cond, .. } => f(*cond),
            Terminator::Return(v) => f(*v),
            Terminator::Open | Terminator::Jump(_) => {}
        }
        for t in self.targets() {
            t.args.iter().for_each(|v| f(*v));
        }
    }
}
