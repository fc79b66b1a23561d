//! `defheader`: fields at fixed offsets of raw bytes. Invariant: a field's bits lie within its type, counted from the
//! lowest of the number as it is read.

use whistler_diag::Diagnostic;
use whistler_lisp::Form;

use super::{Declared, name_of, options};
use crate::check::at;
use crate::diagnostics as diag;
use crate::env::{Accessor, DeclKind, Env, RawField};
use crate::hir::{BitPlace, Ty};
use crate::host::{self, Interp};

/// `(defheader name (field :offset n :type T [:net-order t] [:bits (number lowest)])…)`
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
        let (mut offset, mut ty, mut big_endian, mut bits) = (None, None, false, None);
        for (k, v) in options(diags, opts) {
            if k.is("offset") {
                offset = host::eval_number(interp, v).map_err(|d| diags.push(*d)).ok().flatten();
            } else if k.is("type") {
                ty = crate::types::parse(env, interp, v).map_err(|d| diags.push(*d)).ok();
            } else if k.is("net-order") {
                big_endian = !v.is_nil();
            } else if k.is("bits") {
                bits = Some(v);
            }
        }
        let (Some(offset), Some(ty)) = (offset.and_then(|o| i32::try_from(o).ok()), ty) else {
            diags.push(diag::error(&diag::MALFORMED, &at(f), "a header's field needs :offset and :type"));
            continue;
        };
        let bits = match bits.map(|v| (v, bit_range(v, &ty))) {
            None => None,
            Some((_, Some(range))) => Some(range),
            Some((v, None)) => {
                let text = format!("a field's bits are (number lowest), within the {} of its type", 8 * ty.size());
                diags.push(diag::error(&diag::MALFORMED, &at(v), text));
                continue;
            }
        };
        size = size.max(offset as u32 + ty.size());
        let raw = RawField { offset, ty, big_endian, bits };
        let full = format!("{}-{}", name.name(), field.name());
        if bits.is_none() {
            env.accessor(&format!("{full}-ptr"), Accessor::HeaderPtr(raw.clone()), name);
        }
        env.accessor(&full, Accessor::Header(raw), name);
    }
    env.note(name, DeclKind::Header, form.span);
    Some(Declared { name, kind: DeclKind::Header, summary: format!("{name} · {size} bytes") })
}

/// `(number lowest)`: bits of the whole field.
fn bit_range(form: &Form, ty: &Ty) -> Option<BitPlace> {
    let [number, lowest] = form.as_list()? else { return None };
    let (number, lowest) = (u8::try_from(number.as_int()?).ok()?, u8::try_from(lowest.as_int()?).ok()?);
    let unit = ty.as_int()?.size;
    // 63 bits at most: more is the whole field.
    let fits = number > 0 && number < 64 && lowest.checked_add(number)? <= 8 * unit;
    fits.then_some(BitPlace { pos: lowest, width: number, back: 0, unit })
}
