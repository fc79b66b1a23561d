//! From the typed program to the IR. Invariant: lowering decides nothing about
//! the language; every rule about types and values was made explicit by the
//! checker, and what the machine does to each operator stands in `arith`.

mod arith;
mod control;
mod entry;
mod function;
mod memory;

use std::rc::Rc;

use rustc_hash::FxHashMap;
use whistler_codegen::ir::{MapFacts, Module, SrcLoc, Sym, SymKind};
use whistler_isa::Kfunc;

use crate::hir::{At, Unit};

/// The IR of a unit, with what its opaque numbers mean.
pub(crate) struct Lowered {
    /// One IR function per function of the unit, in the same order.
    pub module: Module,
    /// What each [`SrcLoc`] stands for.
    pub locs: Vec<At>,
    /// Constant bytes, by the names of their symbols.
    pub strings: Vec<(String, Rc<[u8]>)>,
    /// The kernel functions that are called.
    pub kfuncs: Vec<&'static Kfunc>,
}

/// The unit in IR. CO-RE ids are those of the unit.
pub(crate) fn lower(unit: &Unit) -> Lowered {
    let mut shared = Shared::new(unit);
    for f in &unit.functions {
        let ir = function::lower(unit, f, &mut shared);
        shared.module.functions.push(ir);
    }
    let kfuncs = shared.kfuncs.iter().map(|(k, _)| *k).collect();
    Lowered { module: shared.module, locs: shared.locs, strings: shared.strings, kfuncs }
}

pub(crate) use crate::names::symbol_name;

/// What all functions of the unit share.
struct Shared {
    module: Module,
    locs: Vec<At>,
    strings: Vec<(String, Rc<[u8]>)>,
    string_syms: FxHashMap<Rc<[u8]>, Sym>,
    kfuncs: Vec<(&'static Kfunc, Sym)>,
    maps: Vec<Sym>,
    globals: Vec<Sym>,
    functions: Vec<Sym>,
}

impl Shared {
    fn new(unit: &Unit) -> Shared {
        let mut module = Module::default();
        let maps = unit
            .maps
            .iter()
            .map(|m| {
                let facts = MapFacts {
                    map_type: m.map_type.number(),
                    key_size: m.key_size,
                    value_size: m.value_size,
                    max_entries: m.max_entries,
                };
                module.add_sym(symbol_name(&m.name), SymKind::Map(facts))
            })
            .collect();
        let globals = unit
            .globals
            .iter()
            .map(|g| {
                let kind = SymKind::Global { size: g.ty.size(), writable: g.writable };
                module.add_sym(symbol_name(&g.name), kind)
            })
            .collect();
        let functions =
            unit.functions.iter().map(|f| module.add_sym(symbol_name(&f.name), SymKind::Function)).collect();
        Shared {
            module,
            locs: Vec::new(),
            strings: Vec::new(),
            string_syms: FxHashMap::default(),
            kfuncs: Vec::new(),
            maps,
            globals,
            functions,
        }
    }

    fn string(&mut self, bytes: &Rc<[u8]>) -> Sym {
        if let Some(&sym) = self.string_syms.get(bytes) {
            return sym;
        }
        let name = format!("__str_{}", self.strings.len());
        let kind = SymKind::Global { size: bytes.len() as u32, writable: false };
        let sym = self.module.add_sym(name.clone(), kind);
        self.strings.push((name, bytes.clone()));
        self.string_syms.insert(bytes.clone(), sym);
        sym
    }

    fn kfunc(&mut self, kfunc: &'static Kfunc) -> Sym {
        if let Some((_, sym)) = self.kfuncs.iter().find(|(k, _)| std::ptr::eq(*k, kfunc)) {
            return *sym;
        }
        let sym = self.module.add_sym(kfunc.name.to_string(), SymKind::Kfunc);
        self.kfuncs.push((kfunc, sym));
        sym
    }

    fn loc(&mut self, at: &At) -> SrcLoc {
        let same = |other: &At| {
            other.span == at.span
                && match (&other.origin, &at.origin) {
                    (None, None) => true,
                    (Some(a), Some(b)) => Rc::ptr_eq(a, b),
                    (None, Some(_)) | (Some(_), None) => false,
                }
        };
        if at.span.is_none() {
            return SrcLoc::NONE;
        }
        if !self.locs.last().is_some_and(same) {
            self.locs.push(at.clone());
        }
        SrcLoc(self.locs.len() as u32 - 1)
    }
}

/// Bytes of the context field of that program type at that offset.
fn ctx_field_size(prog_type: whistler_isa::ProgType, off: u32) -> Option<u32> {
    whistler_isa::ctx::of(prog_type)?.field_at(off).map(|f| f.size)
}
