//! Types of an object's BTF as the language's own, for objects that were read from files.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use whistler_btf::{Btf, Kind, TypeId};
use whistler_compiler::hir::{Field, IntTy, Space, StructDef, Ty};
use whistler_diag::Span;
use whistler_object::Object;

use crate::unit::MapTypes;

/// How deep types may nest; real ones do not, broken BTF may.
const DEPTH: u32 = 64;

/// The types of an object's maps. Maps whose BTF can't be read have none.
pub(crate) fn map_types(object: &Object) -> FxHashMap<String, MapTypes> {
    let Ok(btf) = Btf::parse(object.btf.clone()) else { return FxHashMap::default() };
    let of = |id: Option<u32>, size: u32| id.and_then(|id| ty(&btf, TypeId(id), 0)).filter(|t| t.size() == size);
    object
        .maps
        .iter()
        .map(|m| {
            let types = MapTypes { key: of(m.key_type, m.key_size), value: of(m.value_type, m.value_size) };
            (m.name.clone(), types)
        })
        .collect()
}

/// A type; `None` for what a value in memory can't be.
fn ty(btf: &Btf, id: TypeId, depth: u32) -> Option<Ty> {
    if depth > DEPTH {
        return None;
    }
    let stripped = btf.stripped(id).ok()?;
    let int =
        |size: u32, signed: bool| matches!(size, 1 | 2 | 4 | 8).then_some(Ty::Int(IntTy { size: size as u8, signed }));
    match stripped.get() {
        Kind::Int(i) if i.bool && i.size == 1 => Some(Ty::Bool),
        Kind::Int(i) if i.size == 1 && (i.char || stripped.name == "char") => Some(Ty::Char),
        Kind::Int(i) => int(i.size, i.signed),
        Kind::Enum(e) => int(e.size, e.signed),
        Kind::Ptr(_) => Some(Ty::ptr(Space::Unknown, None)),
        Kind::Array { elem, len, .. } => Some(Ty::Array(Rc::new(ty(btf, elem, depth + 1)?), len)),
        Kind::Struct(c) | Kind::Union(c) => {
            let mut fields = Vec::new();
            for m in c.members() {
                let mut of = ty(btf, m.ty, depth + 1)?;
                let byte = m.bit_offset / 8;
                let bits = (m.bits > 0).then_some(((m.bit_offset % 8) as u8, m.bits));
                let big_endian = big_endian(btf, m.ty);
                if bits.is_some() {
                    // What it reads as; where it lies is said by the bits.
                    of = Ty::U64;
                }
                fields.push(Field { name: m.name.into(), ty: of, offset: byte, bits, big_endian, span: Span::NONE });
            }
            let union = matches!(stripped.get(), Kind::Union(_));
            let (size, align) = (btf.size_of(id).ok()?, btf.align_of(id).ok()?);
            let name: Rc<str> = stripped.name.into();
            Some(Ty::Struct(Rc::new(StructDef { name, fields, size, align, union, span: Span::NONE })))
        }
        _ => None,
    }
}

/// Whether a typedef on the way says that memory holds it big-endian (`__be16`).
fn big_endian(btf: &Btf, mut id: TypeId) -> bool {
    for _ in 0..DEPTH {
        let Ok(t) = btf.ty(id) else { return false };
        match t.get() {
            Kind::Typedef(_) if t.name.starts_with("__be") => return true,
            Kind::Typedef(to) | Kind::Const(to) | Kind::Volatile(to) => id = to,
            _ => return false,
        }
    }
    false
}
