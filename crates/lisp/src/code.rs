//! Compiled functions. Invariant: code is never changed once made; jump
//! targets, slots and constants in it are in range by construction.

use std::rc::Rc;

use whistler_diag::Span;

use crate::heap::Root;
use crate::{Expansion, Form, Symbol};

/// One instruction of the stack machine. Slots count from the frame's base.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    /// Push a constant.
    Const(u32),
    /// Push a small integer.
    Int(i32),
    /// Push `nil`.
    Nil,
    /// Push `t`.
    True,
    /// Push a slot.
    Local(u32),
    /// Store the top in a slot, leaving it on the stack.
    SetLocal(u32),
    /// Move the top into a slot.
    PopLocal(u32),
    /// Put the slot's value into a fresh variable object.
    MakeBox(u32),
    /// Push the value of the variable object in a slot.
    LocalBox(u32),
    /// Store the top in the variable object in a slot.
    SetLocalBox(u32),
    /// Push what the closure captured.
    Captured(u32),
    /// Push the value of a captured variable object.
    CapturedBox(u32),
    /// Store the top in a captured variable object.
    SetCapturedBox(u32),
    /// Push a global variable's value (by the constant that names it).
    Global(u32),
    /// Store the top in a global variable.
    SetGlobal(u32),
    /// Push a function by its name.
    Function(u32),
    /// Drop the top.
    Pop,
    /// Drop everything above the height, but keep the top.
    Slide(u32),
    /// Go on elsewhere.
    Jump(u32),
    /// The same, backwards: a safepoint.
    LoopJump(u32),
    /// Pop; go on elsewhere if it was `nil`.
    JumpIfNil(u32),
    /// Go on elsewhere if the top is `nil`, else pop.
    JumpIfNilKeep(u32),
    /// Go on elsewhere if the top isn't `nil`, else pop.
    JumpIfTrueKeep(u32),
    /// Go on elsewhere if the slot has a value.
    JumpIfBound(u16, u32),
    /// Push whether the slot has a value.
    IsBound(u32),
    /// Pop and go on elsewhere if the top is this integer.
    Dispatch(u16, u32),
    /// Call a global function with so many arguments from the stack.
    Call(u16, u32),
    /// Call the function below the arguments.
    CallValue(u32),
    /// Make a closure of a child over so many values from the stack.
    Closure(u16, u32),
    /// Leave the function with the top; the other values stand.
    Return,
    /// The top is a single value.
    OneValue,
    /// Bind a special variable to the top.
    BindSpecial(u32),
    /// Undo so many bindings.
    UnbindSpecials(u32),
    /// Open an exit point whose number goes into the slot; landing goes to the target.
    PushCatch(u16, u32),
    /// The same, but it stays open after landing (for tags).
    PushTagCatch(u16, u32),
    /// Pop a tag and open an exit point for `throw`.
    PushThrowCatch(u32),
    /// Close so many exit points.
    PopCatch(u32),
    /// Leave for the exit point numbered by the second value, with the top.
    Unwind,
    /// All values of the top as a list.
    ValuesList,
    /// Spread all values of the top into slots: first slot, count.
    ValuesTo(u16, u32),
    /// Run a registered special form: index of its site.
    Special(u32),
    // Inlined operators.
    Add,
    Sub,
    AddInt(i32),
    Lt,
    Gt,
    Le,
    Ge,
    NumEq,
    Eq,
    Not,
    Car,
    Cdr,
}

/// How a function takes its arguments.
#[derive(Debug, Default, Clone)]
pub(crate) struct Params {
    pub(crate) required: u32,
    pub(crate) optional: u32,
    pub(crate) rest: bool,
    pub(crate) keys: Option<Vec<Symbol>>,
    pub(crate) allow_other_keys: bool,
}

impl Params {
    /// Only required parameters.
    pub(crate) fn is_simple(&self) -> bool {
        self.optional == 0 && !self.rest && self.keys.is_none()
    }
}

/// A registered special form in code, with the variables it can see.
#[derive(Debug)]
pub(crate) struct SpecialSite {
    pub(crate) index: u32,
    pub(crate) form: Form,
    pub(crate) visible: Vec<crate::compile::Visible>,
    /// The values of `visible` are pushed in order before the call.
    pub(crate) count: u32,
}

/// A place in source that an instruction came from.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) from: u32,
    pub(crate) span: Span,
    pub(crate) origin: Option<Rc<Expansion>>,
}

/// A compiled function.
#[derive(Debug, Default)]
pub struct Code {
    pub(crate) name: String,
    pub(crate) params: Params,
    pub(crate) slots: u32,
    pub(crate) ops: Vec<Op>,
    pub(crate) consts: Vec<Root>,
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) children: Vec<Rc<Code>>,
    pub(crate) sites: Vec<Rc<SpecialSite>>,
    pub(crate) places: Vec<Place>,
    pub(crate) span: Span,
    /// The lambda list as written.
    pub(crate) lambda_list: String,
}

impl Code {
    /// Where the instruction before `pc` came from.
    pub(crate) fn place(&self, pc: usize) -> Option<&Place> {
        let pc = pc.saturating_sub(1) as u32;
        let i = self.places.partition_point(|p| p.from <= pc);
        i.checked_sub(1).and_then(|i| self.places.get(i))
    }
}
