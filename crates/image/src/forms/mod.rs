//! The host forms for eBPF, by what they are about. Each file installs its own.

mod attach;
mod compile;
mod context;
mod describe;
mod globals;
mod iterator;
pub(crate) mod leftovers;
pub(crate) mod loader;
mod look;
mod maps;
mod rings;
mod test_run;

pub(crate) use test_run::{no_test_run, with_link};

use std::rc::Rc;

use whistler_lisp::{Interp, LispResult, Value};

use crate::live::Shared;

/// Installs everything.
pub(crate) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    for name in whistler_compiler::session::DECLARATIONS {
        let shared = shared.clone();
        interp.define_special(name, Rc::new(move |interp, form| shared.define(interp, form)));
    }
    attach::install(interp, shared);
    compile::install(interp, shared);
    context::install(interp, shared);
    describe::install(interp, shared);
    globals::install(interp, shared);
    iterator::install(interp, shared);
    leftovers::install(interp, shared);
    loader::install(interp, shared);
    look::install(interp, shared);
    maps::install(interp, shared);
    rings::install(interp, shared);
    test_run::install(interp, shared);
    crate::tests::install(interp, shared);
    if shared.options.purpose == crate::image::Purpose::Tests {
        crate::tests::pass_over(interp);
    }
}

/// Defines one host function that sees the live state.
fn define(
    interp: &mut Interp,
    shared: &Rc<Shared>,
    name: &'static str,
    lambda: &'static str,
    doc: &'static str,
    f: fn(&Shared, &mut Interp, &[Value]) -> LispResult,
) {
    let shared = shared.clone();
    interp.define_native(name, lambda, doc, Rc::new(move |interp, args| f(&shared, interp, args)));
}
