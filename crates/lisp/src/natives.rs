//! The functions built into the host Lisp, as tables. Invariant: [`install`]
//! only copies static tables; nothing is parsed or compiled at start.

mod control;
mod definitions;
mod format;
pub use format::is_of_c;
mod hash;
mod lists;
mod mapping;
mod numbers;
mod records;
mod searching;
mod seqs;
mod sets;
mod strings;
mod system;
mod types;

use std::rc::Rc;

use crate::compile::CORE;
use crate::error::{LispError, LispResult};
use crate::heap::RecordLayout;
use crate::interp::{Global, Interp, NativeDef, Operator, VarKind};
use crate::{Symbol, Value};

/// A function in Rust, by how many arguments it takes.
pub(crate) enum NativeFn {
    F0(fn(&mut Interp) -> LispResult),
    F1(fn(&mut Interp, Value) -> LispResult),
    F2(fn(&mut Interp, Value, Value) -> LispResult),
    F3(fn(&mut Interp, Value, Value, Value) -> LispResult),
    /// At least, at most (255: any number).
    Many(u8, u8, fn(&mut Interp, &[Value]) -> LispResult),
    /// The embedding program's.
    Dyn(u8, u8, crate::interp::NativeClosure),
    /// Reads a slot of a record.
    Accessor(Rc<RecordLayout>, usize),
}

impl NativeFn {
    pub(crate) fn arity(&self) -> (usize, usize) {
        match self {
            NativeFn::F0(_) => (0, 0),
            NativeFn::F1(_) | NativeFn::Accessor(..) => (1, 1),
            NativeFn::F2(_) => (2, 2),
            NativeFn::F3(_) => (3, 3),
            NativeFn::Many(a, b, _) | NativeFn::Dyn(a, b, _) => (usize::from(*a), usize::from(*b)),
        }
    }
}

/// Any number of arguments.
pub(crate) const ANY: u8 = 255;

pub(crate) type Table = &'static [(&'static str, &'static str, Entry)];

/// A table's function: like [`NativeFn`], but constant.
#[derive(Clone, Copy)]
pub(crate) enum Entry {
    F0(fn(&mut Interp) -> LispResult),
    F1(fn(&mut Interp, Value) -> LispResult),
    F2(fn(&mut Interp, Value, Value) -> LispResult),
    F3(fn(&mut Interp, Value, Value, Value) -> LispResult),
    Many(u8, u8, fn(&mut Interp, &[Value]) -> LispResult),
}

const TABLES: &[Table] = &[
    numbers::TABLE,
    lists::TABLE,
    seqs::TABLE,
    mapping::TABLE,
    searching::TABLE,
    sets::TABLE,
    strings::TABLE,
    hash::TABLE,
    control::TABLE,
    definitions::TABLE,
    records::TABLE,
    types::TABLE,
    system::TABLE,
    format::TABLE,
];

/// How many natives are the language's own.
pub(crate) fn static_count() -> usize {
    TABLES.iter().map(|t| t.len()).sum()
}

/// The names of everything in the language: functions, special operators, macros.
pub(crate) fn all_static_names() -> impl Iterator<Item = &'static str> {
    let functions = TABLES.iter().flat_map(|t| t.iter().map(|(n, ..)| *n));
    let core = CORE.iter().map(|(n, _)| *n);
    let macros = crate::macros::TABLES.iter().flat_map(|t| t.iter().map(|(n, _)| *n));
    functions.chain(core).chain(macros)
}

pub(crate) fn install(i: &mut Interp) {
    for (name, lambda, entry) in TABLES.iter().flat_map(|t| t.iter()) {
        let f = match *entry {
            Entry::F0(f) => NativeFn::F0(f),
            Entry::F1(f) => NativeFn::F1(f),
            Entry::F2(f) => NativeFn::F2(f),
            Entry::F3(f) => NativeFn::F3(f),
            Entry::Many(a, b, f) => NativeFn::Many(a, b, f),
        };
        i.install_native(Symbol::intern_static(name), NativeDef { name, lambda, doc: "", f });
    }
    for (name, f) in CORE {
        i.set_operator(Symbol::intern_static(name), Operator::Core(*f));
    }
    for (name, f) in crate::macros::TABLES.iter().flat_map(|t| t.iter()) {
        i.set_operator(Symbol::intern_static(name), Operator::Macro(*f));
    }
    for (name, v) in [("nil", Value::NIL), ("t", Value::T), ("pi", Value::Float(std::f64::consts::PI))] {
        i.set_global(Symbol::intern_static(name), Global { value: v, kind: VarKind::Constant });
    }
    for (name, n) in [
        ("most-positive-fixnum", i64::MAX),
        ("most-negative-fixnum", i64::MIN),
        ("internal-time-units-per-second", 1_000_000),
    ] {
        i.set_global(Symbol::intern_static(name), Global { value: Value::Int(n), kind: VarKind::Constant });
    }
    let out = i.heap.alloc(crate::heap::Object::Stream(crate::heap::Stream::Out));
    let err = i.heap.alloc(crate::heap::Object::Stream(crate::heap::Stream::Err));
    for (name, v) in [
        ("*standard-output*", out),
        ("*error-output*", err),
        ("*debug-io*", out),
        ("*terminal-io*", out),
        ("*trace-output*", err),
        ("*standard-input*", Value::NIL),
        ("*package*", Value::NIL),
        ("*print-base*", Value::Int(10)),
        ("*features*", Value::NIL),
        ("*random-state*", Value::NIL),
        ("*load-truename*", Value::NIL),
        ("*load-pathname*", Value::NIL),
        ("*posix-argv*", Value::NIL),
    ] {
        i.set_global(Symbol::intern_static(name), Global { value: v, kind: VarKind::Special });
    }
    i.heap.release_fresh(0);
}

/// The error for a value of the wrong type.
pub(crate) fn wrong(i: &mut Interp, v: Value, expected: &str) -> LispError {
    let shown = i.show(v);
    let mut e = LispError::wrong_type(&shown, expected);
    let c = i.make_condition(Symbol::intern("type-error"), &e.message.clone());
    if let Some(crate::heap::Object::Record(r)) = i.heap.object_mut(c)
        && let Some(datum) = r.fields.first_mut()
    {
        *datum = v;
    }
    e.condition = Some(i.heap.root(c));
    e
}

/// A non-negative machine integer: an index or a count.
pub(crate) fn index(i: &mut Interp, v: Value) -> Result<usize, LispError> {
    match v {
        Value::Int(n) if n >= 0 => Ok(n as usize),
        _ => Err(wrong(i, v, "a non-negative integer")),
    }
}

/// The text of a string, symbol or character.
pub(crate) fn text(i: &mut Interp, v: Value) -> Result<String, LispError> {
    match i.heap.designator(v) {
        Some(s) => Ok(s),
        None => Err(wrong(i, v, "a string")),
    }
}

/// The elements of a proper list.
pub(crate) fn list(i: &mut Interp, v: Value) -> Result<Vec<Value>, LispError> {
    match i.heap.list_items(v) {
        Some(l) => Ok(l),
        None => Err(wrong(i, v, "a list")),
    }
}

/// Keyword arguments: the values of `names`, in order.
pub(crate) fn keys<const N: usize>(
    i: &mut Interp,
    args: &[Value],
    names: [&str; N],
) -> Result<[Option<Value>; N], LispError> {
    let mut out = [None; N];
    for pair in args.chunks(2) {
        let key = pair[0].as_symbol().filter(|s| s.is_keyword());
        let at = key.and_then(|s| names.iter().position(|n| s.is(n)));
        match (at, pair.get(1)) {
            (Some(at), Some(v)) => {
                out[at].get_or_insert(*v);
            }
            (None, Some(_)) if key.is_some_and(|s| s.is("allow-other-keys")) => {}
            _ => {
                let shown = i.show(pair[0]);
                let e = LispError::new(
                    "program-error",
                    crate::error::ARGUMENT_COUNT,
                    format!("there is no keyword argument {shown} here"),
                );
                return Err(e.help(format!("the keywords are {}", names.map(|n| format!("`:{n}`")).join(", "))));
            }
        }
    }
    Ok(out)
}
