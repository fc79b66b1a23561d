//! `defheader`: fields at fixed offsets of raw bytes.

use whistler_diag::Diagnostic;
use whistler_lisp::Form;

use super::{Declared, name_of, options};
use crate::check::at;
use crate::diagnostics as diag;
use crate::env::{Accessor, DeclKind, Env, RawField};
use crate::host::{self, Interp};

/// `(defheader name (field :offset n :type T [:net-order t])…)`
pub fn declare(env: &mut Env, interp: &mut Interp, diags: &mut Vec<Diagnostic>, form: &Form) -> Option<Declared> {
    let name = name_of(diags, form)?;
    env.forget_accessors(name);
    let mut size = 0;
    for f in &form.as_list()?[2..] {
        let Some([field, opts @ ..]) = f.as_list() else {
            diags.push(diag::error(&diag::MALFORMED, &at(f), "a field is written (name :offset n :type TYPE)"));
            continue;
        };
        let field = field.as_symbol()?;
        let (mut offset, mut ty, mut big_endian) = (None, None, false);
        for (k, v) in options(diags, opts) {
            if k.is("offset") {
                offset = host::eval_number(interp, v).map_err(|d| diags.push(*d)).ok().flatten();
            } else if k.is("type") {
                ty = crate::types::parse(env, interp, v).map_err(|d| diags.push(*d)).ok();
            } else if k.is("net-order") {
                big_endian = !v.is_nil();
            }
        }
        let (Some(offset), Some(ty)) = (offset.and_then(|o| i32::try_from(o).ok()), ty) else {
            diags.push(diag::error(&diag::MALFORMED, &at(f), "a header's field needs :offset and :type"));
            continue;
        };
        size = size.max(offset as u32 + ty.size());
        let raw = RawField { offset, ty, big_endian };
        let full = format!("{}-{}", name.name(), field.name());
        env.accessor(&format!("{full}-ptr"), Accessor::HeaderPtr(raw.clone()), name);
        env.accessor(&full, Accessor::Header(raw), name);
    }
    env.note(name, DeclKind::Header, form.span);
    Some(Declared { name, kind: DeclKind::Header, summary: format!("{name} · {size} bytes") })
}
