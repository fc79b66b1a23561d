//! Objects from the host.

use std::rc::Rc;

use whistler_lisp::{Interp, LispError, LispResult, Value};

use super::define;
use crate::args::{Args, text};
use crate::live::Shared;

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "compile-to-elf",
        "path",
        "Compiles all programs defined so far into an object file; its path.",
        compile_to_elf,
    );
}

fn compile_to_elf(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [path] = Args::new("compile-to-elf", values, &[])?.exactly()?;
    let file = text(interp, path, "compile-to-elf")?;
    let (compiled, diagnostics) = {
        let sources = shared.options.sources.clone();
        let sources = sources.borrow();
        shared.session()?.compile(interp, &sources, None, Default::default())
    };
    if let Some(d) = diagnostics.into_iter().find(|d| d.is_error()) {
        return Err(LispError::from_diagnostic(d));
    }
    let Some(compiled) = compiled else { return Err(LispError::simple("there is nothing to compile")) };
    let bytes = whistler_object::elf::write(&compiled.object).map_err(|e| LispError::simple(e.to_string()))?;
    std::fs::write(&file, bytes).map_err(|e| LispError::simple(format!("{file}: {e}")))?;
    shared.live()?.used = true;
    Ok(path)
}
