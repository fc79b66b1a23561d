//! The handle to everything the host Lisp computes with. Invariant: a [`Value`]
//! is plain data of 16 bytes; what lies behind a handle is the heap's business.

use crate::Symbol;

/// A Lisp value: immediate, or a handle into the heap of one interpreter.
///
/// A handle stays valid while something the collector knows reaches it; see [`crate::Heap`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value {
    /// A symbol; `nil` and `t` among them.
    Symbol(Symbol),
    /// An integer of machine size.
    Int(i64),
    /// A float.
    Float(f64),
    /// A character.
    Char(char),
    /// A cons cell.
    Cons(ConsRef),
    /// Anything else on the heap.
    Object(ObjRef),
    /// A function built into the host, by its number.
    Native(u32),
    /// No value: an unbound variable, an argument not given. Never seen by Lisp code.
    Unbound,
}

/// Handle of a cons cell.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConsRef(pub(crate) u32);

/// Handle of another object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ObjRef(pub(crate) u32);

impl Value {
    /// `nil`
    pub const NIL: Value = Value::Symbol(Symbol::NIL);
    /// `t`
    pub const T: Value = Value::Symbol(Symbol::T);

    /// Whether it is `nil`.
    #[inline]
    pub fn is_nil(self) -> bool {
        matches!(self, Value::Symbol(Symbol::NIL))
    }

    /// Whether it counts as true.
    #[inline]
    pub fn is_true(self) -> bool {
        !self.is_nil()
    }

    /// The symbol it is.
    pub fn as_symbol(self) -> Option<Symbol> {
        match self {
            Value::Symbol(s) => Some(s),
            _ => None,
        }
    }

    /// The small integer it is.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Value::Int(i) => Some(i),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        if b { Value::T } else { Value::NIL }
    }
}

impl From<i64> for Value {
    fn from(i: i64) -> Value {
        Value::Int(i)
    }
}

impl From<Symbol> for Value {
    fn from(s: Symbol) -> Value {
        Value::Symbol(s)
    }
}

impl From<f64> for Value {
    fn from(f: f64) -> Value {
        Value::Float(f)
    }
}

impl From<char> for Value {
    fn from(c: char) -> Value {
        Value::Char(c)
    }
}
