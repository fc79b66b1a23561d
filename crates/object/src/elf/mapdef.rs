//! Map definitions as BTF: each map a variable in `.maps` whose type is a struct that
//! says everything in its members' types (libbpf: `parse_btf_map_def`).
//!
//! Invariant: a number `n` is a pointer to an array of `n` ints; a key or value
//! with a type is a pointer to it, one without is a number of bytes.

use whistler_btf::{Btf, Kind, MemberDef, TypeId};
use whistler_diag::Span;
use whistler_isa::MapType;

use super::PIN_ROOT;
use super::types::Types;
use crate::{Map, ObjectError};

/// `LIBBPF_PIN_BY_NAME`.
const PIN_BY_NAME: u32 = 1;

/// The struct type that defines `map`, and the bytes that it takes in `.maps`.
pub(super) fn encode(types: &mut Types, map: &Map) -> Result<(TypeId, u32), ObjectError> {
    let mut members: Vec<(&str, TypeId)> = Vec::new();
    let number = |types: &mut Types, n: u32| {
        let int = types.int();
        let array = types.builder.array(int, n);
        types.builder.ptr(array)
    };
    members.push(("type", number(types, map.map_type.number())));
    for (what, name, size_name, size, ty) in [
        ("key", "key", "key_size", map.key_size, map.key_type),
        ("value", "value", "value_size", map.value_size, map.value_type),
    ] {
        match ty {
            Some(id) if size > 0 => {
                let found = types.size_of(TypeId(id));
                if found != Some(size) {
                    let found = found.map_or("no size".to_string(), |n| format!("{n} bytes"));
                    return Err(wrong(map, format!("its {what} has {size} bytes, but the {what}'s type {found}")));
                }
                members.push((name, types.builder.ptr(TypeId(id))));
            }
            _ if size > 0 => members.push((size_name, number(types, size))),
            _ => {}
        }
    }
    if map.max_entries != 0 {
        members.push(("max_entries", number(types, map.max_entries)));
    }
    if map.flags != 0 {
        members.push(("map_flags", number(types, map.flags)));
    }
    if map.extra != 0 {
        members.push(("map_extra", wide_number(types, map.extra)));
    }
    if let Some(path) = &map.pin {
        if path.rsplit('/').next() != Some(map.name.as_str()) {
            let what = format!(
                "it is pinned at `{path}`, but an ELF object can only say that a map is pinned under its own name"
            );
            return Err(wrong(map, what));
        }
        members.push(("pinning", number(types, PIN_BY_NAME)));
    }
    let mut size = 8 * members.len() as u32;
    if map.map_type == MapType::ProgArray && !map.contents.is_empty() {
        let proto = types.builder.func_proto(TypeId::VOID, &[]);
        let slot = types.builder.ptr(proto);
        members.push(("values", types.builder.array(slot, 0)));
    }
    if let Some(inner) = &map.inner {
        if inner.inner.is_some() || inner.pin.is_some() {
            return Err(wrong(map, "its inner map can't be pinned or be a map of maps itself"));
        }
        let (inner, _) = encode(types, inner)?;
        let slot = types.builder.ptr(inner);
        members.push(("values", types.builder.array(slot, 0)));
    }
    let members: Vec<MemberDef<'_>> =
        members.iter().enumerate().map(|(i, (name, ty))| MemberDef::at(name, *ty, 8 * i as u32)).collect();
    let ty = types.builder.structure("", size, &members);
    // Slots lie behind the definition, up to the last one that something is in.
    size += 8 * map.contents.iter().map(|(i, _)| i + 1).max().unwrap_or(0);
    Ok((ty, size))
}

/// A number that may take 64 bits: an enumerator's value when it does (libbpf's `__ulong`).
fn wide_number(types: &mut Types, n: u64) -> TypeId {
    match u32::try_from(n) {
        Ok(n) => {
            let int = types.int();
            let array = types.builder.array(int, n);
            types.builder.ptr(array)
        }
        Err(_) => types.builder.enumeration("", 8, false, &[("__map_extra", n as i64)]),
    }
}

fn wrong(map: &Map, what: impl Into<String>) -> ObjectError {
    ObjectError::definition("map", &map.name, what)
}

/// The map that a variable of type `ty` in `.maps` defines.
pub(super) fn decode(btf: &Btf, name: &str, ty: TypeId) -> Result<Map, ObjectError> {
    decode_struct(btf, name, ty, Level::Outer)
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Outer,
    Inner,
}

fn decode_struct(btf: &Btf, name: &str, ty: TypeId, level: Level) -> Result<Map, ObjectError> {
    let bad = |what: String| ObjectError::definition("map", name, what);
    let body = peeled(btf, ty)
        .and_then(|kind| match kind {
            Kind::Struct(c) => Some(c),
            _ => None,
        })
        .ok_or_else(|| bad(format!("its definition (BTF type {ty}) is no struct")))?;
    let mut map_type = None;
    let (mut key_size, mut value_size): (Option<u32>, Option<u32>) = (None, None);
    let mut map = Map {
        name: name.to_string(),
        map_type: MapType::Unspec,
        key_size: 0,
        value_size: 0,
        max_entries: 0,
        flags: 0,
        key_type: None,
        value_type: None,
        inner: None,
        pin: None,
        contents: Vec::new(),
        extra: 0,
        span: Span::NONE,
    };
    for m in body.members() {
        let number = || {
            let n = read_number(btf, m.ty).ok_or_else(|| bad(format!("`{}` is no number", m.name)))?;
            u32::try_from(n).map_err(|_| bad(format!("`{}` is too large: {n}", m.name)))
        };
        let sized = |now: &mut Option<u32>, size: u32| match now.replace(size) {
            Some(old) if old != size => Err(bad(format!("`{}` says {size} bytes, but {old} were said before", m.name))),
            _ => Ok(()),
        };
        match m.name {
            "type" => {
                let n = number()?;
                map_type = Some(MapType::from_number(n).ok_or_else(|| bad(format!("its map type {n} is not known")))?);
            }
            "max_entries" => map.max_entries = number()?,
            "map_flags" => map.flags = number()?,
            // Which node the map lies on says nothing about what it is.
            "numa_node" => {
                number()?;
            }
            "key_size" => sized(&mut key_size, number()?)?,
            "value_size" => sized(&mut value_size, number()?)?,
            "key" | "value" => {
                let (id, size) = pointee(btf, m.ty)
                    .and_then(|id| Some((id, btf.size_of(id).ok()?)))
                    .ok_or_else(|| bad(format!("`{}` is no pointer to a type with a size", m.name)))?;
                if m.name == "key" {
                    sized(&mut key_size, size)?;
                    map.key_type = Some(id.0);
                } else {
                    sized(&mut value_size, size)?;
                    map.value_type = Some(id.0);
                }
            }
            "values" => {
                let slot = match peeled(btf, m.ty) {
                    Some(Kind::Array { elem, .. }) => pointee(btf, elem),
                    _ => None,
                };
                let slot = slot.ok_or_else(|| bad("`values` is no array of pointers".to_string()))?;
                sized(&mut value_size, 4)?;
                let is_function = matches!(peeled(btf, slot), Some(Kind::FuncProto(_)));
                if !is_function {
                    if level == Level::Inner {
                        return Err(bad("maps of maps of maps do not exist".to_string()));
                    }
                    map.inner = Some(Box::new(decode_struct(btf, &format!("{name}.inner"), slot, Level::Inner)?));
                }
            }
            "pinning" => match number()? {
                0 => {}
                PIN_BY_NAME => map.pin = Some(format!("{PIN_ROOT}/{name}")),
                n => return Err(bad(format!("`pinning` is {n}; only 0 and 1 (by name) are known"))),
            },
            "map_extra" => {
                map.extra = read_number(btf, m.ty).ok_or_else(|| bad("`map_extra` is no number".to_string()))?;
            }
            other => return Err(bad(format!("its definition has an unknown member `{other}`"))),
        }
    }
    map.map_type = map_type.ok_or_else(|| bad("its definition says no `type`".to_string()))?;
    map.key_size = key_size.unwrap_or(0);
    map.value_size = value_size.unwrap_or(0);
    // libbpf: the key of a map of maps may go unsaid.
    if map.inner.is_some() && key_size.is_none() {
        map.key_size = 4;
    }
    Ok(map)
}

/// What a type is, behind typedefs and qualifiers.
fn peeled(btf: &Btf, ty: TypeId) -> Option<Kind<'_>> {
    Some(btf.stripped(ty).ok()?.get())
}

fn pointee(btf: &Btf, ty: TypeId) -> Option<TypeId> {
    match peeled(btf, ty)? {
        Kind::Ptr(to) => Some(to),
        _ => None,
    }
}

fn read_number(btf: &Btf, ty: TypeId) -> Option<u64> {
    match peeled(btf, ty)? {
        Kind::Ptr(to) => match peeled(btf, to)? {
            Kind::Array { len, .. } => Some(u64::from(len)),
            _ => None,
        },
        Kind::Enum(e) => {
            let mut values = e.values();
            let (_, value) = values.next()?;
            values.next().is_none().then_some(value as u64)
        }
        _ => None,
    }
}
