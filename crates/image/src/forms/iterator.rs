//! `read-iterator`: a walk over the kernel's objects, by a program that is called for each.

use std::rc::Rc;

use whistler_isa::AttachType;
use whistler_lisp::{Interp, LispError, LispResult, Value};
use whistler_loader::{AttachSpec, Loader};

use super::define;
use crate::args::Args;
use crate::handles::program_name;
use crate::image::Mode;
use crate::live::Shared;

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "read-iterator",
        "program",
        "Calls an iterator program (:type :iter) for every object of its kind; the text it wrote with seq-print.",
        read,
    );
}

fn read(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [program] = Args::new("read-iterator", values, &[])?.exactly()?;
    let name = program_name(interp, program)?;
    if shared.options.mode == Mode::Vm {
        return Err(LispError::simple("the virtual machine has no kernel objects to walk over"));
    }
    shared.live()?.used = true;
    let found = shared.live()?.programs.get(&name).and_then(|p| p.program.clone());
    let found = found.ok_or_else(|| LispError::simple(format!("there is no program `{name}`")))?;
    if found.attach_type() != Some(AttachType::TraceIter) {
        return Err(LispError::simple(format!("`{name}` is no iterator"))
            .help("declare it with (:type :iter :section \"iter/task\")"));
    }
    let loader = Loader::new(&shared.options.kernel);
    let link = loader.attach(&found, &AttachSpec::OwnTarget).map_err(|e| LispError::simple(e.to_string()))?;
    let text = link.read_iterator().map_err(|e| LispError::simple(format!("`{name}` can't be read: {e}")))?;
    Ok(interp.heap.string(String::from_utf8_lossy(&text).into_owned()))
}
