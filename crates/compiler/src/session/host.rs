//! What the host's own code knows of programs: the kernel's constants, the sizes of declared types.

use std::cell::RefCell;
use std::rc::Rc;

use whistler_lisp::{Form, LispError, Value};

use crate::env::Env;
use crate::hir::Ty;
use crate::host::Interp;

/// What programs return and what helpers take, for host code by the kernel's own names.
pub(super) fn kernel_constants(interp: &mut Interp) {
    const NAMES: &[&str] = &["XDP_", "TC_ACT_", "SK_", "BPF_ANY", "BPF_NOEXIST", "BPF_EXIST", "BPF_F_"];
    for (name, number) in NAMES.iter().flat_map(|n| whistler_isa::constants::with_prefix(n)) {
        interp.define_constant(name, Value::Int(*number));
    }
    interp.set_outer_constants(Rc::new(|name| whistler_isa::constants::of(name, whistler_isa::Arch::HERE)));
}

/// `(sizeof TYPE)` and `(offsetof STRUCT field)` in the host.
pub(super) fn host_sizes(interp: &mut Interp, known: &Rc<RefCell<Env>>) {
    let types = known.clone();
    interp.define_special(
        "sizeof",
        Rc::new(move |interp: &mut Interp, form: &Form| match form.as_list() {
            Some([_, ty]) => {
                let mut env = types.borrow().clone();
                let ty = crate::types::parse(&mut env, interp, ty).map_err(|d| LispError::from_diagnostic(*d))?;
                Ok(Value::Int(i64::from(ty.size())))
            }
            _ => Err(LispError::malformed(form.span, "it is written (sizeof TYPE)")),
        }),
    );
    let types = known.clone();
    interp.define_special(
        "offsetof",
        Rc::new(move |interp: &mut Interp, form: &Form| {
            let [_, of, field] = form.as_list().unwrap_or(&[]) else {
                return Err(LispError::malformed(form.span, "it is written (offsetof STRUCT field)"));
            };
            let mut env = types.borrow().clone();
            let ty = crate::types::parse(&mut env, interp, of).map_err(|d| LispError::from_diagnostic(*d))?;
            let Ty::Struct(def) = &ty else {
                return Err(LispError::malformed(of.span, format!("`{of}` is no struct")));
            };
            match field.as_symbol().and_then(|f| def.field(f.name())) {
                Some(f) => Ok(Value::Int(i64::from(f.offset))),
                None => Err(LispError::malformed(field.span, format!("`{of}` has no field `{field}`"))),
            }
        }),
    );
}
