//! What our own BTF says of the kernel's types. Invariant: it gets a view of a kernel struct that holds just the fields
//! that are used, with the kernel's names; the running kernel tells the rest.

use rustc_hash::FxHashMap;
use whistler_btf::{
    Btf, BtfBuilder, CoreKind, CoreReloc, Kind, MemberDef, TypeId, TypeKind, access_string, int_encoding,
};

use crate::hir::{CoreId, Unit};
use crate::kernel::{FieldInfo, size_of, strip};

/// The views made so far.
#[derive(Default)]
pub struct KernelViews {
    /// By the kernel's type id.
    views: FxHashMap<TypeId, usize>,
    list: Vec<View>,
    records: FxHashMap<(TypeId, String, u8), CoreId>,
    /// What each record goes through.
    paths: Vec<(CoreId, Vec<Through>)>,
}

/// A step of a record's way: the view and the member's place in it when the record was made, or an element's number.
enum Through {
    Member { view: usize, member: usize },
    Element(u32),
}

struct View {
    local: TypeId,
    size: u32,
    members: Vec<ViewMember>,
}

struct ViewMember {
    name: String,
    ty: TypeId,
    bit_offset: u32,
    bits: u8,
}

impl KernelViews {
    /// The view of a kernel struct.
    fn view(&mut self, btf: &Btf, out: &mut BtfBuilder, id: TypeId) -> usize {
        if let Some(v) = self.views.get(&id) {
            return *v;
        }
        let (name, size, union) = match btf.ty(id) {
            Ok(t) => match t.get() {
                Kind::Union(c) => (t.name, c.size, true),
                Kind::Struct(c) => (t.name, c.size, false),
                _ => (t.name, 0, false),
            },
            Err(_) => ("", 0, false),
        };
        let local = if union { out.reserve_union(name) } else { out.reserve_struct(name) };
        self.list.push(View { local, size, members: Vec::new() });
        self.views.insert(id, self.list.len() - 1);
        self.list.len() - 1
    }

    /// The local type of a member, of the kernel's kind.
    fn local_type(&mut self, btf: &Btf, out: &mut BtfBuilder, id: TypeId) -> TypeId {
        let id = strip(btf, id);
        let Ok(t) = btf.ty(id) else { return TypeId(0) };
        match t.get() {
            Kind::Int(i) => {
                let mut encoding = 0;
                if i.signed {
                    encoding |= int_encoding::SIGNED;
                }
                if i.bool {
                    encoding |= int_encoding::BOOL;
                }
                out.int(t.name, i.size, encoding)
            }
            Kind::Enum(e) => out.enumeration(t.name, e.size, e.signed, &[]),
            Kind::Ptr(_) => out.ptr(TypeId(0)),
            Kind::Array { elem, len } => {
                let elem = self.local_type(btf, out, elem);
                out.array(elem, len)
            }
            Kind::Struct(_) | Kind::Union(_) => {
                let v = self.view(btf, out, id);
                self.list[v].local
            }
            _ => TypeId(0),
        }
    }

    /// The record that asks something about a path of fields from a kernel struct on.
    pub fn record(&mut self, btf: &Btf, unit: &mut Unit, root: TypeId, path: &[FieldInfo], kind: CoreKind) -> CoreId {
        let root_view = self.view(btf, &mut unit.btf, root);
        let mut indices = vec![0];
        let mut through = Vec::with_capacity(path.len());
        let mut at = root_view;
        for f in path {
            if let Some(i) = f.element {
                indices.push(i);
                through.push(Through::Element(i));
                if let Some(v) = self.view_behind(btf, &mut unit.btf, f.ty) {
                    at = v;
                }
                continue;
            }
            let found = self.list[at].members.iter().position(|m| m.name == f.name);
            let i = match found {
                Some(i) => i,
                None => {
                    let ty = self.local_type(btf, &mut unit.btf, f.ty);
                    self.list[at].members.push(ViewMember {
                        name: f.name.clone(),
                        ty,
                        bit_offset: f.bit_offset,
                        bits: f.bits,
                    });
                    self.list[at].members.len() - 1
                }
            };
            indices.push(i as u32);
            through.push(Through::Member { view: at, member: i });
            if let Some(v) = self.view_behind(btf, &mut unit.btf, f.ty) {
                at = v;
            }
        }
        let type_id = self.list[root_view].local;
        let access = access_string(&indices);
        let key = (type_id, access.clone(), kind as u8);
        if let Some(id) = self.records.get(&key) {
            return *id;
        }
        let id = CoreId(unit.core.len() as u32);
        unit.core.push(CoreReloc { insn_off: 0, type_id, access, kind });
        self.records.insert(key, id);
        self.paths.push((id, through));
        id
    }

    /// The view of a type that is a struct or union.
    fn view_behind(&mut self, btf: &Btf, out: &mut BtfBuilder, ty: TypeId) -> Option<usize> {
        let inner = strip(btf, ty);
        let is = matches!(btf.ty(inner).map(|t| t.kind()), Ok(TypeKind::Struct | TypeKind::Union));
        is.then(|| self.view(btf, out, inner))
    }

    /// The record that asks something about a whole type, or about the only enumerator of an enum: `type_id` is of our
    /// own BTF.
    pub fn ask(unit: &mut Unit, type_id: TypeId, kind: CoreKind) -> CoreId {
        Self::ask_at(unit, type_id, "0", kind)
    }

    /// The record that asks something about the only member of a struct of our own BTF.
    pub fn ask_field(unit: &mut Unit, type_id: TypeId, kind: CoreKind) -> CoreId {
        Self::ask_at(unit, type_id, "0:0", kind)
    }

    fn ask_at(unit: &mut Unit, type_id: TypeId, access: &str, kind: CoreKind) -> CoreId {
        let found = unit.core.iter().position(|r| r.type_id == type_id && r.kind == kind && r.access == access);
        let id = found.unwrap_or(unit.core.len());
        if found.is_none() {
            unit.core.push(CoreReloc { insn_off: 0, type_id, access: access.to_string(), kind });
        }
        CoreId(id as u32)
    }

    /// A type of our own BTF that stands for one of the kernel's by kind and name. What the kernel at hand does not
    /// have is taken for a struct.
    pub fn named(&mut self, btf: &Btf, out: &mut BtfBuilder, name: &str, id: Option<TypeId>) -> TypeId {
        let Some(id) = id else { return out.structure(name, 0, &[]) };
        match btf.ty(id).map(|t| t.get()) {
            Ok(Kind::Struct(_) | Kind::Union(_)) => {
                let v = self.view(btf, out, id);
                self.list[v].local
            }
            Ok(Kind::Typedef(of)) => {
                let of = self.local_type(btf, out, of);
                out.typedef(name, of)
            }
            _ => self.local_type(btf, out, id),
        }
    }

    /// A struct of our own BTF with just these fields of the kernel's, to be compared with the running kernel's.
    pub fn shape(&mut self, btf: &Btf, out: &mut BtfBuilder, id: TypeId, fields: &[FieldInfo]) -> TypeId {
        let types: Vec<TypeId> = fields.iter().map(|f| outline(btf, out, f.ty, OUTLINE_DEPTH)).collect();
        let mut members: Vec<MemberDef<'_>> = fields
            .iter()
            .zip(types)
            .map(|(f, ty)| MemberDef { name: &f.name, ty, bit_offset: f.bit_offset, bits: f.bits })
            .collect();
        members.sort_by_key(|m| m.bit_offset);
        let name = btf.ty(id).map_or("", |t| t.name);
        if matches!(btf.ty(id).map(|t| t.kind()), Ok(TypeKind::Union)) {
            out.union(name, size_of(btf, id), &members)
        } else {
            out.structure(name, size_of(btf, id), &members)
        }
    }

    /// Gives the views their members, and the records the members' places; after this no more are added. The kernel
    /// takes only structs whose members stand in the order of their offsets.
    pub fn finish(&mut self, unit: &mut Unit) {
        let mut places = Vec::with_capacity(self.list.len());
        for v in &self.list {
            let mut order: Vec<usize> = (0..v.members.len()).collect();
            order.sort_by_key(|i| v.members[*i].bit_offset);
            let members: Vec<MemberDef<'_>> = order
                .iter()
                .map(|i| &v.members[*i])
                .map(|m| MemberDef { name: &m.name, ty: m.ty, bit_offset: m.bit_offset, bits: m.bits })
                .collect();
            unit.btf.define(v.local, v.size, &members);
            let mut place = vec![0; order.len()];
            order.iter().enumerate().for_each(|(at, i)| place[*i] = at as u32);
            places.push(place);
        }
        for (id, path) in &self.paths {
            let indices = path.iter().map(|through| match through {
                Through::Member { view, member } => places[*view][*member],
                Through::Element(i) => *i,
            });
            unit.core[id.0 as usize].access = access_string(&std::iter::once(0).chain(indices).collect::<Vec<_>>());
        }
    }
}

/// How deep a type is copied for comparison; below it stand names only.
const OUTLINE_DEPTH: u32 = 3;

/// A copy of a kernel type as far as types are compared: structs behind pointers by their names.
fn outline(btf: &Btf, out: &mut BtfBuilder, id: TypeId, depth: u32) -> TypeId {
    let id = strip(btf, id);
    let Ok(t) = btf.ty(id) else { return TypeId(0) };
    match t.get() {
        Kind::Int(i) => {
            let signed = if i.signed { int_encoding::SIGNED } else { 0 };
            let boolean = if i.bool { int_encoding::BOOL } else { 0 };
            out.int(t.name, i.size, signed | boolean)
        }
        Kind::Enum(e) => out.enumeration(t.name, e.size, e.signed, &[]),
        Kind::Float { size } => out.float(t.name, size),
        Kind::Array { elem, len } if depth > 0 => {
            let elem = outline(btf, out, elem, depth - 1);
            out.array(elem, len)
        }
        Kind::Ptr(to) => match btf.ty(strip(btf, to)).map(|t| (t.name, t.get())) {
            Ok((name, Kind::Struct(_) | Kind::Fwd { union: false })) if !name.is_empty() => {
                let to = out.fwd(name, false);
                out.ptr(to)
            }
            Ok((name, Kind::Union(_) | Kind::Fwd { union: true })) if !name.is_empty() => {
                let to = out.fwd(name, true);
                out.ptr(to)
            }
            Ok((_, Kind::Int(_) | Kind::Ptr(_) | Kind::Enum(_))) if depth > 0 => {
                let to = outline(btf, out, to, depth - 1);
                out.ptr(to)
            }
            _ => out.ptr(TypeId(0)),
        },
        Kind::Struct(c) => out.structure(t.name, c.size, &[]),
        Kind::Union(c) => out.union(t.name, c.size, &[]),
        _ => TypeId(0),
    }
}
