//! What a heap slot can hold.

use std::any::Any;
use std::rc::Rc;

use num_bigint::BigInt;

use crate::code::Code;
use crate::hash::HashTable;
use crate::{Symbol, Value};

/// An opaque value of the embedding program: a map, a link, a stream.
pub trait Foreign: Any {
    /// The name of its type, for `type-of` and messages.
    fn type_name(&self) -> &str;
    /// How it prints.
    fn print(&self) -> String {
        format!("#<{}>", self.type_name())
    }
    /// Passes the Lisp values it holds to the collector.
    fn trace(&self, _visit: &mut dyn FnMut(Value)) {}
}

impl std::fmt::Debug for dyn Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.print())
    }
}

/// The shape of a kind of record or condition.
#[derive(Debug)]
pub struct RecordLayout {
    /// The type's name.
    pub name: Symbol,
    /// Its slots, those of the parents first.
    pub slots: Vec<Symbol>,
    /// What it includes.
    pub parent: Option<Rc<RecordLayout>>,
    /// Whether it is a condition.
    pub condition: bool,
}

impl RecordLayout {
    /// A plain record type.
    pub fn new(name: Symbol, slots: Vec<Symbol>) -> Rc<RecordLayout> {
        Rc::new(RecordLayout { name, slots, parent: None, condition: false })
    }

    /// The place of a slot.
    pub fn slot(&self, name: Symbol) -> Option<usize> {
        self.slots.iter().position(|s| *s == name).or_else(|| {
            let fold = name.name();
            self.slots.iter().position(|s| s.is(fold))
        })
    }

    /// Whether this is `other` or includes it.
    pub fn is_a(self: &Rc<RecordLayout>, other: &Rc<RecordLayout>) -> bool {
        std::iter::successors(Some(self), |l| l.parent.as_ref()).any(|l| Rc::ptr_eq(l, other))
    }

    /// Whether this or something it includes has the name.
    pub fn is_named(&self, name: Symbol) -> bool {
        std::iter::successors(Some(self), |l| l.parent.as_deref()).any(|l| l.name.same_folded(name))
    }
}

/// A record or condition.
#[derive(Debug)]
pub struct Record {
    /// Its type.
    pub layout: Rc<RecordLayout>,
    /// Its fields, in the layout's order (a condition may have a message after them).
    pub fields: Vec<Value>,
}

/// A general vector.
#[derive(Debug)]
pub struct Vector {
    pub(crate) items: Vec<Value>,
    pub(crate) resizable: bool,
}

/// A function with the variables it closes over.
#[derive(Debug)]
pub struct Closure {
    pub(crate) code: Rc<Code>,
    pub(crate) captured: Box<[Value]>,
}

/// What is on the heap besides cons cells.
#[derive(Debug)]
pub enum Object {
    /// A place to reuse.
    Free,
    /// A string.
    Str(String),
    /// A vector of anything.
    Vector(Vector),
    /// A vector of `(unsigned-byte 8)`.
    Bytes(Vec<u8>),
    /// An integer over 64 bits.
    Big(BigInt),
    /// A ratio in lowest terms.
    Ratio(Box<(BigInt, BigInt)>),
    /// A hash table.
    Table(Box<HashTable>),
    /// A Lisp function.
    Closure(Closure),
    /// A variable that is both closed over and assigned.
    Variable(Value),
    /// A record or condition.
    Record(Record),
    /// A value of the embedding program.
    Foreign(Rc<dyn Foreign>),
    /// A text stream.
    Stream(Stream),
}

/// A text stream.
#[derive(Debug)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// Collects what is written (`with-output-to-string`).
    Buffer(String),
    /// Text to read from, and how far it was read.
    Input(String, usize),
}

impl Object {
    /// Passes every value in it to `visit`.
    pub(crate) fn trace(&self, visit: &mut dyn FnMut(Value)) {
        match self {
            Object::Free
            | Object::Str(_)
            | Object::Bytes(_)
            | Object::Big(_)
            | Object::Ratio(_)
            | Object::Stream(_) => {}
            Object::Vector(v) => v.items.iter().for_each(|v| visit(*v)),
            Object::Table(t) => t.trace(visit),
            Object::Closure(c) => c.captured.iter().for_each(|v| visit(*v)),
            Object::Variable(v) => visit(*v),
            Object::Record(r) => r.fields.iter().for_each(|v| visit(*v)),
            Object::Foreign(f) => f.trace(visit),
        }
    }

    /// How much it counts towards the next collection, beyond its slot.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Object::Str(s) => s.len() / 32,
            Object::Bytes(b) => b.len() / 32,
            Object::Vector(v) => v.items.len() / 2,
            Object::Record(r) => r.fields.len() / 2,
            _ => 0,
        }
    }
}
