//! The kernel's types as programs see them: lookups by name, and what a field is to a program.

use whistler_btf::{Btf, Kind, TypeId, TypeKind};

use crate::hir::{IntTy, Space, Ty};

/// A field found in the kernel's types.
#[derive(Clone, Debug)]
pub struct FieldInfo {
    /// The kernel's spelling.
    pub name: String,
    /// Which element it is, of an array; it has no name then.
    pub element: Option<u32>,
    /// Offset in its struct, anonymous members included, or in its array.
    pub bit_offset: u32,
    /// Width of a bit-field; 0 otherwise.
    pub bits: u8,
    /// The kernel's type of it.
    pub ty: TypeId,
}

/// The type behind names and qualifiers.
pub fn strip(btf: &Btf, mut id: TypeId) -> TypeId {
    for _ in 0..32 {
        let Ok(t) = btf.ty(id) else { return id };
        match t.get() {
            Kind::Typedef(of) | Kind::Volatile(of) | Kind::Const(of) | Kind::Restrict(of) | Kind::TypeTag(of) => {
                id = of
            }
            _ => return id,
        }
    }
    id
}

/// The last name that a type is given before its own.
fn typedef_name(btf: &Btf, mut id: TypeId) -> &str {
    let mut name = "";
    for _ in 0..32 {
        let Ok(t) = btf.ty(id) else { break };
        match t.get() {
            Kind::Typedef(of) => (name, id) = (t.name, of),
            Kind::Volatile(of) | Kind::Const(of) | Kind::Restrict(of) | Kind::TypeTag(of) => id = of,
            _ => break,
        }
    }
    name
}

/// Whether the kernel says of a number that its bytes are in the network's order.
pub fn in_network_order(btf: &Btf, mut id: TypeId) -> bool {
    for _ in 0..32 {
        let Ok(t) = btf.ty(id) else { break };
        match t.get() {
            Kind::Typedef(_) if matches!(t.name, "__be16" | "__be32" | "__be64") => return true,
            Kind::Typedef(of) | Kind::Volatile(of) | Kind::Const(of) | Kind::Restrict(of) | Kind::TypeTag(of) => {
                id = of
            }
            _ => break,
        }
    }
    false
}

/// Whether what a pointer points to is marked as memory of a process (`__user`).
fn of_process(btf: &Btf, mut id: TypeId) -> bool {
    for _ in 0..32 {
        let Ok(t) = btf.ty(id) else { break };
        match t.get() {
            Kind::TypeTag(_) if t.name == "user" => return true,
            Kind::Volatile(of) | Kind::Const(of) | Kind::Restrict(of) | Kind::TypeTag(of) => id = of,
            _ => break,
        }
    }
    false
}

/// The fields of a kernel struct that hold text: characters, or a pointer to some.
pub fn text_fields(btf: &Btf, name: &str) -> Vec<String> {
    let Some(members) = find(btf, name).and_then(|id| btf.ty(id).ok()).and_then(|t| t.composite()) else {
        return Vec::new();
    };
    let char_ty = |t: &Ty| *t == Ty::Char;
    let holds = |ty: TypeId| match field_ty(btf, ty, Space::Kernel) {
        Some(Ty::Ptr(p)) => p.pointee.as_deref().is_some_and(char_ty) && p.space == Space::Kernel,
        Some(Ty::Array(t, _)) => char_ty(&t),
        _ => false,
    };
    members.members().filter(|m| !m.name.is_empty() && holds(m.ty)).map(|m| m.name.to_string()).collect()
}

/// Whether a kernel struct begins with characters.
pub fn begins_with_text(btf: &Btf, name: &str) -> bool {
    let first = find(btf, name).and_then(|id| btf.ty(id).ok()?.composite()?.members().next().map(|m| m.ty));
    matches!(first.and_then(|ty| field_ty(btf, ty, Space::Kernel)), Some(Ty::Array(t, _)) if *t == Ty::Char)
}

/// The struct or union that has no name but this one of a `typedef`.
fn behind_typedef(btf: &Btf, name: &str) -> Option<TypeId> {
    let id = strip(btf, btf.find(name, TypeKind::Typedef).ok()??);
    btf.ty(id).ok()?.composite().map(|_| id)
}

/// The way to the number in a struct that holds nothing else, as `kuid_t` and `atomic_t` do.
pub fn only_number(btf: &Btf, name: &str) -> Option<String> {
    let mut id = find(btf, name).or_else(|| behind_typedef(btf, name))?;
    let mut way: Vec<&str> = Vec::new();
    for _ in 0..8 {
        let t = btf.ty(id).ok()?;
        match t.get() {
            Kind::Int(_) | Kind::Enum(_) if !way.is_empty() => return Some(way.join(" ")),
            Kind::Struct(c) => {
                let mut members = c.members();
                let m = members.next().filter(|m| !m.name.is_empty() && m.bits == 0)?;
                if members.next().is_some() {
                    return None;
                }
                way.push(m.name);
                id = strip(btf, m.ty);
            }
            _ => return None,
        }
    }
    None
}

/// The struct or union of this name; `-` and `_` are the same.
pub fn find(btf: &Btf, name: &str) -> Option<TypeId> {
    find_kinds(btf, name, &[TypeKind::Struct, TypeKind::Union])
}

/// The type of this name and one of these kinds; `-` and `_` are the same. The kernel's own comes before a module's, as
/// when CO-RE is resolved: loaders look into modules only for what the kernel has not.
pub fn find_kinds(btf: &Btf, name: &str, kinds: &[TypeKind]) -> Option<TypeId> {
    let exact = |n: &str| {
        let base = btf.base().and_then(|base| base.find_any(n, kinds).ok().flatten());
        base.or_else(|| btf.find_any(n, kinds).ok().flatten())
    };
    exact(name).or_else(|| if name.contains('-') { exact(&name.replace('-', "_")) } else { None })
}

/// Whether a module has a struct or union of this name of its own, also when the kernel itself has one.
pub fn is_in_module(module: &Btf, name: &str) -> bool {
    let own = |n: &str| {
        let found = module.find_any(n, &[TypeKind::Struct, TypeKind::Union]).ok().flatten();
        found.is_some_and(|id| id >= module.first_id())
    };
    own(name) || name.contains('-') && own(&name.replace('-', "_"))
}

/// The report on a struct that the kernel doesn't have, with the one that may be meant.
pub fn no_struct(btf: &Btf, name: &str, here: &crate::hir::At) -> whistler_diag::Diagnostic {
    if behind_typedef(btf, name).is_some() {
        let text = format!("`{name}` is a struct without a name of its own");
        let field = only_number(btf, name).unwrap_or_else(|| "field".to_string());
        return crate::diagnostics::error(&crate::diagnostics::UNKNOWN_TYPE, here, text)
            .help(format!("name its fields in the chain that leads to it: (-> pointer … {field})"));
    }
    let text = format!("the kernel has no struct `{name}`");
    let d = crate::diagnostics::error(&crate::diagnostics::UNKNOWN_TYPE, here, text);
    let structs = btf.own_ids().ok().into_iter().flatten().filter_map(|id| {
        let t = btf.ty(id).ok()?;
        matches!(t.get(), Kind::Struct(_) | Kind::Union(_)).then_some(t.name)
    });
    match crate::names::nearest(name, structs.filter(|n| !n.is_empty())) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d,
    }
}

/// A field of a struct, searched through anonymous members.
pub fn field(btf: &Btf, id: TypeId, name: &str) -> Option<FieldInfo> {
    search(btf, id, name, 0, 0)
}

fn search(btf: &Btf, id: TypeId, name: &str, base: u32, depth: u32) -> Option<FieldInfo> {
    if depth > 8 {
        return None;
    }
    let t = btf.ty(id).ok()?;
    let members = t.composite()?;
    for m in members.members() {
        if m.name.is_empty() {
            let inner = strip(btf, m.ty);
            if let Some(f) = search(btf, inner, name, base + m.bit_offset, depth + 1) {
                return Some(f);
            }
        } else if whistler_isa::same_name(m.name, name) {
            return Some(FieldInfo {
                name: m.name.to_string(),
                element: None,
                bit_offset: base + m.bit_offset,
                bits: m.bits,
                ty: m.ty,
            });
        }
    }
    None
}

/// Whether the verifier finds an object of type `wanted` so many bytes into a struct, by itself: it goes into the first
/// member that has bytes there, and from its start on into that one's first, whatever is around (`btf_struct_ids_match`).
pub fn object_at(btf: &Btf, of: TypeId, bytes: u32, wanted: TypeId) -> bool {
    let (mut id, mut off) = (of, bytes);
    for _ in 0..32 {
        let Some(members) = btf.ty(id).ok().and_then(|t| t.composite()) else { return false };
        let holds = |m: &whistler_btf::Member<'_>| {
            let start = m.bit_offset / 8;
            m.bits == 0 && (start..start.saturating_add(size_of(btf, m.ty))).contains(&off)
        };
        let Some(m) = members.members().find(holds) else { return false };
        id = strip(btf, m.ty);
        off -= m.bit_offset / 8;
        if off == 0 && id == wanted {
            return true;
        }
    }
    false
}

/// An element of an array.
pub fn element(btf: &Btf, array: TypeId, index: u32) -> Option<FieldInfo> {
    let Kind::Array { elem, .. } = btf.ty(strip(btf, array)).ok()?.get() else { return None };
    let bit_offset = size_of(btf, elem).checked_mul(index)?.checked_mul(8)?;
    Some(FieldInfo { name: String::new(), element: Some(index), bit_offset, bits: 0, ty: elem })
}

/// The names of a struct's fields, those of anonymous members included.
pub fn field_names(btf: &Btf, id: TypeId, out: &mut Vec<String>) {
    let Ok(t) = btf.ty(id) else { return };
    let Some(c) = t.composite() else { return };
    for m in c.members() {
        if out.len() > 2000 {
            return;
        }
        if m.name.is_empty() {
            field_names(btf, strip(btf, m.ty), out);
        } else {
            out.push(m.name.to_string());
        }
    }
}

/// What a field of a kernel type is to a program. `space` is where the struct lies.
pub fn field_ty(btf: &Btf, id: TypeId, space: Space) -> Option<Ty> {
    field_ty_within(btf, id, space, 0)
}

/// Pointers to pointers are followed this far; what lies behind more has no type for programs.
const MAX_POINTERS: u32 = 4;

fn field_ty_within(btf: &Btf, id: TypeId, space: Space, depth: u32) -> Option<Ty> {
    let shown = typedef_name(btf, id);
    let id = strip(btf, id);
    let t = btf.ty(id).ok()?;
    Some(match t.get() {
        Kind::Int(i) if i.bool => Ty::Bool,
        Kind::Int(i) if i.char && i.size == 1 => Ty::Char,
        // C's plain `char` has no mark of its own in BTF but its name.
        Kind::Int(i) if i.size == 1 && t.name == "char" => Ty::Char,
        Kind::Int(i) if matches!(i.size, 1 | 2 | 4 | 8) => Ty::Int(IntTy { size: i.size as u8, signed: i.signed }),
        Kind::Enum(e) => Ty::Int(IntTy { size: e.size.clamp(1, 8) as u8, signed: e.signed }),
        Kind::Ptr(to) => {
            let behind = btf.ty(strip(btf, to)).ok();
            let space = if of_process(btf, to) { Space::User } else { space };
            let far = if space == Space::User { Space::User } else { Space::Kernel };
            let pointee = match behind.map(|t| (t.name, t.get())) {
                Some((name, Kind::Struct(_) | Kind::Union(_))) if !name.is_empty() => Some(Ty::Kernel(name.into())),
                Some((_, Kind::Int(_) | Kind::Enum(_) | Kind::Ptr(_))) if depth < MAX_POINTERS => {
                    field_ty_within(btf, to, far, depth + 1)
                }
                _ => None,
            };
            let space = match (&pointee, space) {
                // Only pointers to objects are known to be good; the verifier takes others for numbers.
                (Some(Ty::Kernel(_)), Space::Trusted) => Space::Trusted,
                (_, Space::User) => Space::User,
                _ => Space::Kernel,
            };
            Ty::ptr(space, pointee)
        }
        Kind::Struct(_) | Kind::Union(_) if t.name.is_empty() => Ty::Kernel(shown.into()),
        Kind::Struct(_) | Kind::Union(_) => Ty::Kernel(t.name.into()),
        Kind::Array { elem, len } => Ty::Array(std::rc::Rc::new(field_ty_within(btf, elem, space, depth)?), len),
        _ => return None,
    })
}

/// Bytes of a kernel type.
pub fn size_of(btf: &Btf, id: TypeId) -> u32 {
    let Ok(t) = btf.ty(strip(btf, id)) else { return 0 };
    match t.get() {
        Kind::Int(i) => i.size,
        Kind::Enum(e) => e.size,
        Kind::Ptr(_) => 8,
        Kind::Struct(c) | Kind::Union(c) => c.size,
        Kind::Array { elem, len } => size_of(btf, elem).saturating_mul(len),
        Kind::Float { size } => size,
        _ => 0,
    }
}
