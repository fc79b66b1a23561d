//! Taking types over from another BTF, for CO-RE: the program's own picture of a
//! kernel type. Invariant: what lies behind a pointer is only named, so a picture stays small.

use crate::builder::{BtfBuilder, MemberDef};
use crate::error::BtfError;
use crate::raw::{TypeId, int_encoding};
use crate::read::{Btf, Int, Kind, MAX_DEPTH};
use rustc_hash::FxHashMap;

/// Types taken over for one picture, at most.
const MAX_TYPES: usize = 20_000;

impl BtfBuilder {
    /// A struct or union of the same name and size as the source's, with these of its members (found through
    /// anonymous structs too, and then direct members here), each with its type. Its members are what a
    /// relocation's access string counts: member `i` of the result is `fields[i]`. `Ok(None)` when one does not exist.
    pub fn picture(&mut self, source: &Btf, id: TypeId, fields: &[&str]) -> Result<Option<TypeId>, BtfError> {
        let id = source.strip(id)?;
        let root = source.ty(id)?;
        let (size, union) = match root.get() {
            Kind::Struct(c) => (c.size, false),
            Kind::Union(c) => (c.size, true),
            _ => return Err(BtfError::WrongKind { id, wanted: "struct or union" }),
        };
        let mut importer = Importer { source, known: FxHashMap::default() };
        let mut members = Vec::with_capacity(fields.len());
        for name in fields {
            let Some(path) = source.find_member(id, name)? else { return Ok(None) };
            let ty = importer.take(self, path.ty, 0)?;
            members.push(MemberDef { name, ty, bit_offset: path.bit_offset, bits: path.bits });
        }
        Ok(Some(if union { self.union(root.name, size, &members) } else { self.structure(root.name, size, &members) }))
    }

    /// A type of the source with everything it is made of; structs behind pointers are only declared.
    pub fn import(&mut self, source: &Btf, id: TypeId) -> Result<TypeId, BtfError> {
        Importer { source, known: FxHashMap::default() }.take(self, id, 0)
    }
}

struct Importer<'a> {
    source: &'a Btf,
    known: FxHashMap<TypeId, TypeId>,
}

impl Importer<'_> {
    fn take(&mut self, b: &mut BtfBuilder, id: TypeId, depth: usize) -> Result<TypeId, BtfError> {
        if let Some(done) = self.known.get(&id) {
            return Ok(*done);
        }
        if depth > MAX_DEPTH || self.known.len() > MAX_TYPES {
            return Err(BtfError::TooDeep(id));
        }
        let t = self.source.ty(id)?;
        let mut next = |b: &mut BtfBuilder, id| self.take(b, id, depth + 1);
        let new = match t.get() {
            Kind::Void => return Ok(TypeId::VOID),
            Kind::Int(i) => b.int(t.name, i.size, encoding(i)),
            Kind::Float { size } => b.float(t.name, size),
            Kind::Fwd { union } => b.fwd(t.name, union),
            Kind::Enum(e) => {
                let values: Vec<(&str, i64)> = e.values().collect();
                b.enumeration(t.name, e.size, e.signed, &values)
            }
            Kind::Ptr(to) => {
                let to = self.pointee(b, to, depth + 1)?;
                b.ptr(to)
            }
            Kind::Array { elem, len } => {
                let elem = next(b, elem)?;
                b.array(elem, len)
            }
            Kind::Typedef(of) => {
                let of = next(b, of)?;
                b.typedef(t.name, of)
            }
            Kind::Const(of) => {
                let of = next(b, of)?;
                b.const_(of)
            }
            Kind::Volatile(of) => {
                let of = next(b, of)?;
                b.volatile(of)
            }
            Kind::Restrict(of) => {
                let of = next(b, of)?;
                b.restrict(of)
            }
            Kind::TypeTag(of) => {
                let of = next(b, of)?;
                b.type_tag(t.name, of)
            }
            Kind::Struct(c) | Kind::Union(c) => {
                let mut members = Vec::with_capacity(c.len());
                for m in c.members() {
                    members.push(MemberDef {
                        name: m.name,
                        ty: next(b, m.ty)?,
                        bit_offset: m.bit_offset,
                        bits: m.bits,
                    });
                }
                if matches!(t.get(), Kind::Union(_)) {
                    b.union(t.name, c.size, &members)
                } else {
                    b.structure(t.name, c.size, &members)
                }
            }
            Kind::FuncProto(f) => {
                let mut params = vec![];
                for p in f.params() {
                    params.push((p.name, next(b, p.ty)?));
                }
                let ret = next(b, f.ret)?;
                b.func_proto(ret, &params)
            }
            Kind::Func { .. } | Kind::Var { .. } | Kind::Datasec(_) | Kind::DeclTag { .. } => {
                return Err(BtfError::WrongKind { id, wanted: "type of a value" });
            }
        };
        self.known.insert(id, new);
        Ok(new)
    }

    /// What a pointer points to: structs by name alone, functions as untyped.
    fn pointee(&mut self, b: &mut BtfBuilder, id: TypeId, depth: usize) -> Result<TypeId, BtfError> {
        let stripped = self.source.stripped(id)?;
        Ok(match stripped.get() {
            Kind::Struct(_) | Kind::Union(_) if stripped.name.is_empty() => TypeId::VOID,
            Kind::Struct(_) => b.fwd(stripped.name, false),
            Kind::Union(_) => b.fwd(stripped.name, true),
            Kind::FuncProto(_) => TypeId::VOID,
            _ => self.take(b, id, depth)?,
        })
    }
}

fn encoding(i: Int) -> u8 {
    let bit = |on: bool, bit| if on { bit } else { 0 };
    bit(i.signed, int_encoding::SIGNED) | bit(i.char, int_encoding::CHAR) | bit(i.bool, int_encoding::BOOL)
}
