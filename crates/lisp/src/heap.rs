//! The arena that values live in, with mark and sweep. Invariants: allocation
//! never collects; a collection happens only when the evaluator asks for it at
//! a safepoint, with every live value reachable from what it passes as roots,
//! from a [`Root`], or from the list of fresh allocations that native code is
//! still working with (see [`Heap::fresh_mark`]).

mod object;

use std::cell::Cell;
use std::rc::Rc;

use num_bigint::BigInt;
use num_traits::ToPrimitive;
use whistler_diag::Span;

pub(crate) use object::{Closure, Vector};
pub use object::{Foreign, Object, Record, RecordLayout, Stream};

use crate::hash::HashTable;
use crate::number::Number;
use crate::value::{ConsRef, ObjRef};
use crate::{Symbol, Value};

/// Objects that are allocated before the first collection.
const FIRST_COLLECTION: usize = 200_000;

/// A value that is kept from collection while this (or a clone) lives.
#[derive(Clone, Debug)]
pub struct Root(Rc<Cell<Value>>);

impl Root {
    /// The value.
    pub fn get(&self) -> Value {
        self.0.get()
    }

    /// A root that no heap knows yet: it keeps nothing until [`Heap::adopt`] is called with it.
    pub(crate) fn detached(v: Value) -> Root {
        Root(Rc::new(Cell::new(v)))
    }

    /// Holds another value from now on.
    pub fn set(&self, v: Value) {
        self.0.set(v);
    }
}

/// Where a cons cell was written: the list that begins at it, and its first element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellSpans {
    /// The list that begins at the cell.
    pub list: Span,
    /// The element in it.
    pub car: Span,
}

#[derive(Clone, Copy)]
struct ConsCell {
    car: Value,
    cdr: Value,
    /// Index of its spans, 0 for none.
    spans: u32,
    marked: bool,
}

struct Slot {
    object: Object,
    marked: bool,
}

/// The heap of one interpreter.
pub struct Heap {
    cells: Vec<ConsCell>,
    free_cells: Vec<u32>,
    slots: Vec<Slot>,
    free_slots: Vec<u32>,
    spans: Vec<CellSpans>,
    free_spans: Vec<u32>,
    roots: Vec<Rc<Cell<Value>>>,
    fresh: Vec<Value>,
    allocated: usize,
    threshold: usize,
    stress: bool,
    collections: u64,
}

impl Default for Heap {
    fn default() -> Heap {
        Heap::new()
    }
}

impl Heap {
    /// An empty heap.
    pub fn new() -> Heap {
        Heap {
            cells: Vec::new(),
            free_cells: Vec::new(),
            slots: Vec::new(),
            free_slots: Vec::new(),
            spans: vec![CellSpans { list: Span::NONE, car: Span::NONE }],
            free_spans: Vec::new(),
            roots: Vec::new(),
            fresh: Vec::new(),
            allocated: 0,
            threshold: FIRST_COLLECTION,
            stress: false,
            collections: 0,
        }
    }

    /// Keeps a value until the returned root is dropped.
    pub fn root(&mut self, v: Value) -> Root {
        let cell = Rc::new(Cell::new(v));
        self.roots.push(cell.clone());
        Root(cell)
    }

    /// Makes a detached root keep its value.
    pub(crate) fn adopt(&mut self, root: &Root) {
        self.roots.push(root.0.clone());
    }

    /// Collect at every safepoint, and never reuse a freed place: for tests of the collector's roots.
    pub fn set_stress(&mut self, on: bool) {
        self.stress = on;
    }

    /// How many collections there were.
    pub fn collections(&self) -> u64 {
        self.collections
    }

    /// How many cells and objects are in use.
    pub fn live(&self) -> usize {
        self.cells.len() - self.free_cells.len() + self.slots.len() - self.free_slots.len()
    }

    /// The height of the list of fresh allocations. Everything allocated after it is kept
    /// until [`Heap::release_fresh`] is called with it: what native code holds in its own variables.
    pub fn fresh_mark(&self) -> usize {
        self.fresh.len()
    }

    /// Lets go what was allocated since the mark (it lives on if something else reaches it).
    #[inline]
    pub fn release_fresh(&mut self, mark: usize) {
        self.fresh.truncate(mark);
    }

    /// Keeps a value as if it were freshly allocated.
    pub fn keep_fresh(&mut self, v: Value) {
        if matches!(v, Value::Cons(_) | Value::Object(_)) {
            self.fresh.push(v);
        }
    }

    /// Whether a safepoint should collect.
    #[inline]
    pub(crate) fn wants_collection(&self) -> bool {
        self.allocated >= self.threshold || self.stress
    }

    // ---- allocation ----

    /// A new cons cell.
    pub fn cons(&mut self, car: Value, cdr: Value) -> Value {
        self.allocated += 1;
        let cell = ConsCell { car, cdr, spans: 0, marked: false };
        let index = match self.free_cells.pop() {
            Some(i) => {
                self.cells[i as usize] = cell;
                i
            }
            None => {
                self.cells.push(cell);
                self.cells.len() as u32 - 1
            }
        };
        let v = Value::Cons(ConsRef(index));
        self.fresh.push(v);
        v
    }

    /// A new cons cell that knows where it was written.
    pub fn cons_at(&mut self, car: Value, cdr: Value, spans: CellSpans) -> Value {
        let v = self.cons(car, cdr);
        if let Value::Cons(ConsRef(i)) = v {
            let id = match self.free_spans.pop() {
                Some(id) => {
                    self.spans[id as usize] = spans;
                    id
                }
                None => {
                    self.spans.push(spans);
                    self.spans.len() as u32 - 1
                }
            };
            self.cells[i as usize].spans = id;
        }
        v
    }

    /// Puts an object on the heap.
    pub fn alloc(&mut self, object: Object) -> Value {
        self.allocated += 1 + object.weight();
        let slot = Slot { object, marked: false };
        let index = match self.free_slots.pop() {
            Some(i) => {
                self.slots[i as usize] = slot;
                i
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        let v = Value::Object(ObjRef(index));
        self.fresh.push(v);
        v
    }

    /// A string.
    pub fn string(&mut self, s: impl Into<String>) -> Value {
        self.alloc(Object::Str(s.into()))
    }

    /// A vector.
    pub fn vector(&mut self, items: Vec<Value>) -> Value {
        self.alloc(Object::Vector(Vector { items, resizable: false }))
    }

    /// A vector of `(unsigned-byte 8)`.
    pub fn bytes(&mut self, bytes: Vec<u8>) -> Value {
        self.alloc(Object::Bytes(bytes))
    }

    /// A record. Missing fields are `nil`, surplus ones dropped.
    pub fn make_record(&mut self, layout: &Rc<RecordLayout>, fields: &[Value]) -> Value {
        let mut fields: Vec<Value> = fields.to_vec();
        fields.resize(layout.slots.len(), Value::NIL);
        self.alloc(Object::Record(Record { layout: layout.clone(), fields }))
    }

    /// An opaque value of the embedding program.
    pub fn foreign(&mut self, f: Rc<dyn Foreign>) -> Value {
        self.alloc(Object::Foreign(f))
    }

    /// An empty hash table.
    pub(crate) fn table(&mut self, table: HashTable) -> Value {
        self.alloc(Object::Table(Box::new(table)))
    }

    /// An integer of any size.
    pub fn integer(&mut self, b: BigInt) -> Value {
        match b.to_i64() {
            Some(i) => Value::Int(i),
            None => self.alloc(Object::Big(b)),
        }
    }

    /// An integer from an unsigned 64-bit number.
    pub fn unsigned(&mut self, u: u64) -> Value {
        match i64::try_from(u) {
            Ok(i) => Value::Int(i),
            Err(_) => self.alloc(Object::Big(BigInt::from(u))),
        }
    }

    /// A number.
    pub(crate) fn number(&mut self, n: Number) -> Value {
        match n {
            Number::Int(i) => Value::Int(i),
            Number::Float(f) => Value::Float(f),
            Number::Big(b) => self.integer(b),
            Number::Ratio(n, d) => self.alloc(Object::Ratio(Box::new((n, d)))),
        }
    }

    /// A proper list.
    pub fn list(&mut self, items: &[Value]) -> Value {
        self.list_with_tail(items, Value::NIL)
    }

    /// A list that ends in `tail`.
    pub fn list_with_tail(&mut self, items: &[Value], tail: Value) -> Value {
        items.iter().rev().fold(tail, |rest, item| self.cons(*item, rest))
    }

    // ---- access ----

    /// The object behind a value; `None` for immediates and cells.
    #[inline]
    pub fn object(&self, v: Value) -> Option<&Object> {
        match v {
            Value::Object(o) => self.slots.get(o.0 as usize).map(|s| &s.object),
            _ => None,
        }
    }

    /// The object behind a value, to change it.
    #[inline]
    pub fn object_mut(&mut self, v: Value) -> Option<&mut Object> {
        match v {
            Value::Object(o) => self.slots.get_mut(o.0 as usize).map(|s| &mut s.object),
            _ => None,
        }
    }

    /// Both halves of a cons.
    #[inline]
    pub fn cons_parts(&self, v: Value) -> Option<(Value, Value)> {
        match v {
            Value::Cons(c) => self.cells.get(c.0 as usize).map(|c| {
                debug_assert!(c.car != Value::Unbound, "a freed cell is reached");
                (c.car, c.cdr)
            }),
            _ => None,
        }
    }

    /// The first half of a cons, `nil` of `nil`; `None` for anything else.
    #[inline]
    pub fn car(&self, v: Value) -> Option<Value> {
        match self.cons_parts(v) {
            Some((car, _)) => Some(car),
            None => v.is_nil().then_some(Value::NIL),
        }
    }

    /// The second half of a cons, `nil` of `nil`; `None` for anything else.
    #[inline]
    pub fn cdr(&self, v: Value) -> Option<Value> {
        match self.cons_parts(v) {
            Some((_, cdr)) => Some(cdr),
            None => v.is_nil().then_some(Value::NIL),
        }
    }

    /// Changes the first half; whether it is a cons.
    pub fn set_car(&mut self, v: Value, car: Value) -> bool {
        let Value::Cons(c) = v else { return false };
        let Some(cell) = self.cells.get_mut(c.0 as usize) else { return false };
        cell.car = car;
        if cell.spans != 0 {
            self.spans[cell.spans as usize].car = Span::NONE;
        }
        true
    }

    /// Changes the second half; whether it is a cons.
    pub fn set_cdr(&mut self, v: Value, cdr: Value) -> bool {
        let Value::Cons(c) = v else { return false };
        let Some(cell) = self.cells.get_mut(c.0 as usize) else { return false };
        cell.cdr = cdr;
        true
    }

    /// Where a cell was written, if it was.
    pub fn spans_of(&self, v: Value) -> Option<CellSpans> {
        let Value::Cons(c) = v else { return None };
        let id = self.cells.get(c.0 as usize)?.spans;
        if id == 0 { None } else { self.spans.get(id as usize).copied() }
    }

    /// The text of a string.
    pub fn str(&self, v: Value) -> Option<&str> {
        match self.object(v) {
            Some(Object::Str(s)) => Some(s),
            _ => None,
        }
    }

    /// The bytes of a byte vector.
    pub fn byte_slice(&self, v: Value) -> Option<&[u8]> {
        match self.object(v) {
            Some(Object::Bytes(b)) => Some(b),
            _ => None,
        }
    }

    /// The elements of a general vector.
    pub fn items(&self, v: Value) -> Option<&[Value]> {
        match self.object(v) {
            Some(Object::Vector(x)) => Some(&x.items),
            _ => None,
        }
    }

    /// The record it is.
    #[inline]
    pub fn record(&self, v: Value) -> Option<&Record> {
        match self.object(v) {
            Some(Object::Record(r)) => Some(r),
            _ => None,
        }
    }

    /// The opaque value it is.
    pub fn as_foreign(&self, v: Value) -> Option<&Rc<dyn Foreign>> {
        match self.object(v) {
            Some(Object::Foreign(f)) => Some(f),
            _ => None,
        }
    }

    /// The opaque value it is, as the embedding program's own type.
    pub fn downcast<T: 'static>(&self, v: Value) -> Option<Rc<T>> {
        let f: Rc<dyn Foreign> = self.as_foreign(v)?.clone();
        let any: Rc<dyn std::any::Any> = f;
        any.downcast::<T>().ok()
    }

    /// The elements of a proper list; `None` if it isn't one (or is circular).
    pub fn list_items(&self, mut v: Value) -> Option<Vec<Value>> {
        let mut out = Vec::new();
        while let Some((car, cdr)) = self.cons_parts(v) {
            out.push(car);
            v = cdr;
            if out.len() > self.cells.len() {
                return None;
            }
        }
        v.is_nil().then_some(out)
    }

    /// The integer it is, of any size.
    pub fn as_bigint(&self, v: Value) -> Option<BigInt> {
        match v {
            Value::Int(i) => Some(BigInt::from(i)),
            _ => match self.object(v) {
                Some(Object::Big(b)) => Some(b.clone()),
                _ => None,
            },
        }
    }

    /// The integer it is, if it has at most 128 bits.
    pub fn as_i128(&self, v: Value) -> Option<i128> {
        match v {
            Value::Int(i) => Some(i128::from(i)),
            _ => match self.object(v) {
                Some(Object::Big(b)) => b.to_i128(),
                _ => None,
            },
        }
    }

    // ---- collection ----

    /// Frees what neither `roots` nor a [`Root`] nor a fresh allocation reaches.
    pub(crate) fn collect(&mut self, roots: impl FnOnce(&mut dyn FnMut(Value))) {
        self.collections += 1;
        let mut work: Vec<Value> = Vec::new();
        self.roots.retain(|r| Rc::strong_count(r) > 1);
        work.extend(self.roots.iter().map(|r| r.get()));
        work.extend_from_slice(&self.fresh);
        roots(&mut |v| work.push(v));
        while let Some(v) = work.pop() {
            match v {
                Value::Cons(c) => {
                    let Some(cell) = self.cells.get_mut(c.0 as usize) else { continue };
                    if !cell.marked {
                        cell.marked = true;
                        work.push(cell.car);
                        work.push(cell.cdr);
                    }
                }
                Value::Object(o) => {
                    let Some(slot) = self.slots.get_mut(o.0 as usize) else { continue };
                    if !slot.marked {
                        slot.marked = true;
                        slot.object.trace(&mut |v| work.push(v));
                    }
                }
                _ => {}
            }
        }
        self.sweep();
        self.allocated = 0;
        self.threshold = FIRST_COLLECTION.max(self.live());
    }

    fn sweep(&mut self) {
        let reuse = !self.stress;
        for (i, cell) in self.cells.iter_mut().enumerate() {
            if cell.marked {
                cell.marked = false;
            } else if cell.car != Value::Unbound {
                if cell.spans != 0 {
                    self.free_spans.push(cell.spans);
                }
                *cell = ConsCell { car: Value::Unbound, cdr: Value::Unbound, spans: 0, marked: false };
                if reuse {
                    self.free_cells.push(i as u32);
                }
            }
        }
        for (i, slot) in self.slots.iter_mut().enumerate() {
            if slot.marked {
                slot.marked = false;
            } else if !matches!(slot.object, Object::Free) {
                slot.object = Object::Free;
                if reuse {
                    self.free_slots.push(i as u32);
                }
            }
        }
    }

    /// Whether a value leads to a freed place: never, unless a root was forgotten.
    pub fn is_dangling(&self, v: Value) -> bool {
        match v {
            Value::Cons(c) => self.cells.get(c.0 as usize).is_none_or(|c| c.car == Value::Unbound),
            Value::Object(o) => self.slots.get(o.0 as usize).is_none_or(|s| matches!(s.object, Object::Free)),
            _ => false,
        }
    }

    /// The name of a symbol or the text of a string.
    pub fn designator(&self, v: Value) -> Option<String> {
        match v {
            Value::Symbol(s) => Some(s.name().to_string()),
            Value::Char(c) => Some(c.to_string()),
            _ => self.str(v).map(str::to_string),
        }
    }

    /// A symbol's value handle; a shorthand.
    pub fn symbol(&self, name: &str) -> Value {
        Value::Symbol(Symbol::intern(name))
    }
}
