//! The resolved tree.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use whistler_diag::Span;

use crate::code::{Op, Params};
use crate::compile::Visible;
use crate::heap::Root;
use crate::{Expansion, Form, Symbol, Value};

/// A lexical variable.
#[derive(Debug)]
pub(crate) struct Var {
    /// The function it belongs to, by nesting depth.
    pub(crate) level: u32,
    /// Whether an inner function uses it.
    pub(crate) captured: Cell<bool>,
    /// Whether it is assigned after it was bound.
    pub(crate) assigned: Cell<bool>,
    pub(crate) slot: Cell<u32>,
}

impl Var {
    pub(crate) fn new(level: u32) -> Rc<Var> {
        Rc::new(Var { level, captured: Cell::new(false), assigned: Cell::new(false), slot: Cell::new(u32::MAX) })
    }

    /// Whether it lives in a variable object of its own.
    pub(crate) fn boxed(&self) -> bool {
        self.captured.get() && self.assigned.get()
    }
}

/// A `block` or `tagbody`.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) level: u32,
    /// Whether an inner function leaves through it.
    pub(crate) captured: Cell<bool>,
    /// Holds the number of the exit point at run time.
    pub(crate) var: Rc<Var>,
    pub(crate) height: Cell<u32>,
    pub(crate) dynamic: Cell<usize>,
    pub(crate) multiple: Cell<bool>,
    /// Jumps to be aimed: instruction and tag.
    pub(crate) jumps: RefCell<Vec<(usize, u32)>>,
}

impl Exit {
    pub(crate) fn new(level: u32) -> Rc<Exit> {
        Rc::new(Exit {
            level,
            captured: Cell::new(false),
            var: Var::new(level),
            height: Cell::new(0),
            dynamic: Cell::new(0),
            multiple: Cell::new(false),
            jumps: RefCell::new(Vec::new()),
        })
    }
}

/// What a binding binds.
#[derive(Debug)]
pub(crate) enum Binding {
    Lexical(Rc<Var>),
    Special(Symbol),
}

/// A parameter that may be missing.
#[derive(Debug)]
pub(crate) struct Default {
    pub(crate) var: Rc<Var>,
    pub(crate) value: Node,
    pub(crate) supplied: Option<Rc<Var>>,
}

#[derive(Debug)]
pub(crate) struct Lambda {
    pub(crate) name: String,
    pub(crate) lambda_list: String,
    pub(crate) level: u32,
    pub(crate) params: Params,
    /// By slot.
    pub(crate) vars: Vec<Rc<Var>>,
    pub(crate) defaults: Vec<Default>,
    /// Parameters that bind special variables.
    pub(crate) specials: Vec<(Rc<Var>, Symbol)>,
    pub(crate) body: Node,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum TagItem {
    Tag(u32),
    Form(Node),
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) span: Span,
    pub(crate) origin: Option<Rc<Expansion>>,
}

#[derive(Debug)]
pub(crate) enum NodeKind {
    /// An immediate value.
    Const(Value),
    /// A value on the heap.
    Root(Root),
    Var(Rc<Var>),
    SetVar(Rc<Var>, Box<Node>),
    Global(Symbol),
    SetGlobal(Symbol, Box<Node>),
    Function(Symbol),
    Lambda(Rc<Lambda>),
    If(Box<[Node; 3]>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Progn(Vec<Node>),
    /// All values first, then all bindings.
    Let(Vec<(Binding, Node)>, Box<Node>),
    /// One after the other.
    LetStar(Vec<(Binding, Node)>, Box<Node>),
    Call(Symbol, Vec<Node>),
    CallValue(Box<Node>, Vec<Node>),
    Inline(Op, Vec<Node>),
    Block(Rc<Exit>, Box<Node>),
    ReturnFrom(Rc<Exit>, Box<Node>),
    Tagbody(Rc<Exit>, u32, Vec<TagItem>),
    Go(Rc<Exit>, u32),
    Catch(Box<Node>, Box<Node>),
    ValuesList(Box<Node>),
    ValuesBind(Vec<Rc<Var>>, Box<Node>, Box<Node>),
    Special(u32, Form, Vec<(Visible, Rc<Var>)>, Vec<Visible>),
}

impl Node {
    pub(crate) fn new(kind: NodeKind, form: &Form) -> Node {
        Node { kind, span: form.span, origin: form.origin.clone() }
    }
}
