//! The kernel forms: one table, in rooms. Invariant: a form has one row here, with everything that
//! is known of it; adding a form is adding a row.

pub mod args;
pub mod arith;
mod asm;
pub mod atomic;
pub mod binding;
mod bitfield;
pub mod bytes;
mod callback;
pub mod callee;
pub mod calls;
pub mod chain;
pub mod compare;
pub mod control;
pub mod core_ask;
pub mod ctx;
pub mod dynptr;
mod exits;
pub mod kfuncs;
pub mod locks;
mod loops;
pub mod maps;
pub mod memory;
mod probes;
pub mod refs;
pub mod ring;
pub mod statics;
pub mod structs;
pub mod text;
mod timer;

use rustc_hash::FxHashMap;
use whistler_lisp::Symbol;

use crate::check::{Call, Checker, Place, Val};

/// Checks a call of a form.
pub type Check = fn(&mut Checker<'_>, &Call<'_>) -> Val;
/// Finds the place that a call of a form names.
pub type PlaceOf = fn(&mut Checker<'_>, &Call<'_>) -> Option<Place>;

/// A kernel form.
#[derive(Debug)]
pub struct FormDef {
    /// Its name.
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it does, in one line.
    pub doc: &'static str,
    /// Fewest arguments.
    pub min: usize,
    /// Most arguments.
    pub max: usize,
    /// Checks a call.
    pub check: Check,
    /// Its place, if it can be assigned.
    pub place: Option<PlaceOf>,
}

/// Any number of arguments.
pub(crate) const MANY: usize = usize::MAX;

/// A form that yields a value.
pub(crate) const fn form(
    name: &'static str,
    (min, max): (usize, usize),
    check: Check,
    usage: &'static str,
    doc: &'static str,
) -> FormDef {
    FormDef { name, usage, doc, min, max, check, place: None }
}

/// A form that names a place.
pub(crate) const fn place(
    name: &'static str,
    (min, max): (usize, usize),
    place: PlaceOf,
    usage: &'static str,
    doc: &'static str,
) -> FormDef {
    FormDef { name, usage, doc, min, max, check: read_place, place: Some(place) }
}

fn read_place(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let found = lookup(crate::names::norm(call.name)).and_then(|d| d.place).and_then(|p| p(c, call));
    match found {
        Some(p) => c.read(p),
        None => Val::error(call.at()),
    }
}

/// The rooms.
static ROOMS: &[&[FormDef]] = &[
    binding::FORMS,
    control::FORMS,
    exits::FORMS,
    loops::FORMS,
    arith::FORMS,
    compare::FORMS,
    memory::FORMS,
    structs::FORMS,
    ctx::FORMS,
    maps::FORMS,
    ring::FORMS,
    refs::FORMS,
    kfuncs::FORMS,
    locks::FORMS,
    dynptr::FORMS,
    atomic::FORMS,
    calls::FORMS,
    callback::FORMS,
    asm::FORMS,
    timer::FORMS,
    bytes::FORMS,
    statics::FORMS,
    text::FORMS,
    chain::FORMS,
    args::FORMS,
    core_ask::FORMS,
];

thread_local! {
    /// By name; symbols belong to their thread.
    static TABLE: FxHashMap<Symbol, &'static FormDef> =
        all().map(|d| (Symbol::intern_static(d.name), d)).collect();
}

/// All forms.
pub fn all() -> impl Iterator<Item = &'static FormDef> {
    ROOMS.iter().flat_map(|r| r.iter())
}

/// The names of all forms.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|d| d.name)
}

/// The form of this (normal) name.
pub fn lookup(name: Symbol) -> Option<&'static FormDef> {
    TABLE.with(|t| t.get(&name).copied())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_has_one_row() {
        let mut seen = std::collections::BTreeSet::new();
        for d in super::all() {
            assert!(seen.insert(d.name), "{} twice", d.name);
            assert!(d.min <= d.max && !d.doc.is_empty(), "{}", d.name);
            assert!(d.usage.starts_with(&format!("({}", d.name)), "{}: {}", d.name, d.usage);
        }
    }
}
