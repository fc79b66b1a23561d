//! `kernel-object`: a structure of the simulated kernel, for programs that follow the kernel's pointers. Invariant: fields
//! lie where the types that programs are compiled for have them, and all that is not given is zero.

use std::rc::Rc;

use whistler_btf::{Btf, BtfError, FieldPath, Kind, TypeId, TypeSource};
use whistler_lisp::{Interp, LispError, LispResult, Value};
use whistler_vm::KernelObject;

use super::context::{pairs, put};
use super::define;
use super::test_run::bytes;
use crate::image::Mode;
use crate::live::Shared;

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "kernel-object",
        "type &rest fields",
        "The address of a new struct of the simulated kernel, zero but for FIELDS: (kernel-object 'task_struct :pid 7 :comm \"sh\"), with :a.b for a field within a field; or of a string or bytes there.",
        kernel_object,
    );
}

fn kernel_object(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [what, fields @ ..] = values else {
        return Err(LispError::simple(
            "`kernel-object` takes a struct of the kernel, as 'task_struct, or a string or bytes",
        ));
    };
    if shared.options.mode == Mode::Kernel {
        return Err(shared.skip("a test run in the kernel can't be given structs of the kernel".to_string()));
    }
    let (name, content) = match (interp.heap.str(*what), what.as_symbol()) {
        (Some(text), _) => ("a string of the kernel".to_string(), text.bytes().chain([0]).collect()),
        (None, Some(symbol)) if !what.is_nil() => {
            let name = symbol.name().trim_start_matches(':').to_lowercase();
            let content = structure(shared, interp, &name, fields)?;
            (name, content)
        }
        _ => ("bytes of the kernel".to_string(), bytes(interp, *what)?),
    };
    if !fields.is_empty() && what.as_symbol().is_none() {
        return Err(LispError::simple("only a struct has fields"));
    }
    let writable = whistler_isa::struct_ops::is_written(&name.replace('-', "_"));
    let object = KernelObject { name, bytes: content, writable };
    let address = shared.with_vm(interp, |vm| {
        vm.machine.add_kernel_object(object).map_err(|e| LispError::simple(format!("`kernel-object`: {e}")))
    })?;
    Ok(interp.heap.integer(address.into()))
}

fn unreadable(e: BtfError) -> LispError {
    LispError::simple(format!("the kernel's types: {e}"))
}

fn structure(shared: &Shared, interp: &Interp, name: &str, fields: &[Value]) -> Result<Vec<u8>, LispError> {
    let types = &shared.options.kernel;
    let Some(btf) = types.btf() else {
        let why = types.btf_problem().unwrap_or_default();
        return Err(LispError::simple(format!("there are no types of the kernel: {why}")));
    };
    let find = |name: &str| btf.find_composite(name).map_err(unreadable);
    let Some(id) = find(name)?.map_or_else(|| find(&name.replace('-', "_")), |id| Ok(Some(id)))? else {
        return Err(LispError::simple(format!("the kernel has no struct `{name}`")));
    };
    let mut out = vec![0; btf.size_of(id).map_err(unreadable)? as usize];
    for (path, value) in pairs(interp, "kernel-object", fields)? {
        let Some(at) = field(btf, id, &path).map_err(unreadable)? else {
            let e = LispError::simple(format!("`{name}` has no field :{path}"));
            return Err(e.help(format!("`whistler btf {name}` shows its fields")));
        };
        fill(btf, interp, &mut out, &path, &at, value)?;
    }
    Ok(out)
}

/// Where a field lies that is named as `a.b`.
fn field(btf: &Btf, id: TypeId, path: &str) -> Result<Option<FieldPath>, BtfError> {
    let fold = |c: u8| if c == b'-' { b'_' } else { c.to_ascii_lowercase() };
    let mut at = FieldPath { indices: Vec::new(), bit_offset: 0, bits: 0, ty: id };
    for name in path.split('.') {
        if btf.stripped(at.ty)?.composite().is_none() {
            return Ok(None);
        }
        let Some(next) = btf.find_member_by(at.ty, |n| n.bytes().map(fold).eq(name.bytes().map(fold)))? else {
            return Ok(None);
        };
        at = FieldPath { bit_offset: at.bit_offset + next.bit_offset, ..next };
    }
    Ok(Some(at))
}

fn fill(
    btf: &Btf,
    interp: &Interp,
    out: &mut [u8],
    name: &str,
    field: &FieldPath,
    value: Value,
) -> Result<(), LispError> {
    let outside = || LispError::simple(format!("`{name}` lies outside of its struct"));
    let at = field.byte_offset() as usize;
    if field.bits > 0 {
        let mut word = [0; 8];
        put(interp, &mut word, name, value)?;
        let n = u64::from_le_bytes(word);
        if field.bits < 64 && n >> field.bits != 0 {
            return Err(LispError::simple(format!("{n} does not fit into the {} bits of {name}", field.bits)));
        }
        for i in 0..u32::from(field.bits) {
            let bit = field.bit_offset + i;
            let place = out.get_mut(bit as usize / 8).ok_or_else(outside)?;
            *place = *place & !(1 << (bit % 8)) | ((n >> i & 1) as u8) << (bit % 8);
        }
        return Ok(());
    }
    let size = btf.size_of(field.ty).map_err(unreadable)? as usize;
    let place = out.get_mut(at..at + size).ok_or_else(outside)?;
    let kind = btf.stripped(field.ty).map_err(unreadable)?;
    let text = interp.heap.str(value);
    match (kind.get(), text) {
        (Kind::Array { .. }, Some(text)) => {
            let text = text.as_bytes();
            let to = place.get_mut(..text.len());
            let to =
                to.ok_or_else(|| LispError::simple(format!("a string is longer than the {size} bytes of {name}")))?;
            to.copy_from_slice(text);
        }
        (Kind::Array { elem, len }, None) => {
            let elem = btf.size_of(elem).map_err(unreadable)? as usize;
            let items = interp.heap.list_items(value).or_else(|| interp.heap.items(value).map(<[Value]>::to_vec));
            let items =
                items.ok_or_else(|| LispError::wrong_type(&interp.show(value), &format!("the elements of {name}")))?;
            if items.len() > len as usize {
                return Err(LispError::simple(format!("`{name}` has {len} elements, not {}", items.len())));
            }
            for (place, v) in place.chunks_mut(elem.max(1)).zip(items) {
                put(interp, place, name, v)?;
            }
        }
        (Kind::Struct(_) | Kind::Union(_), _) => {
            return Err(LispError::simple(format!("`{name}` is a struct: give its fields, as :{name}.field value")));
        }
        _ => put(interp, place, name, value)?,
    }
    Ok(())
}
