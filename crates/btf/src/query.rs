//! Questions about types: what lies behind a name, how large it is, where a
//! member lies. Invariant: every walk is bounded, so malformed BTF ends as an error.

use crate::error::BtfError;
use crate::raw::{TypeId, TypeKind};
use crate::read::{Btf, Kind, MAX_DEPTH, Type};

/// Members looked at in one search through anonymous structs, at most.
const MAX_MEMBERS: usize = 100_000;

/// Where a member lies, reached through anonymous structs and unions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldPath {
    /// The index of the member at each level, outermost first.
    pub indices: Vec<u32>,
    /// Where it starts, in bits from the start of the outermost struct.
    pub bit_offset: u32,
    /// Bits of a bit-field; 0 for an ordinary member.
    pub bits: u8,
    /// Its type.
    pub ty: TypeId,
}

impl FieldPath {
    /// Where it starts in whole bytes; for a bit-field, the byte its first bit is in.
    pub fn byte_offset(&self) -> u32 {
        self.bit_offset / 8
    }
}

/// One step of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step<'a> {
    /// A member of a struct or union.
    Member(&'a str),
    /// An element of an array.
    Index(u32),
}

impl Btf {
    /// The type behind typedefs, qualifiers and type tags.
    pub fn strip(&self, id: TypeId) -> Result<TypeId, BtfError> {
        let mut at = id;
        for _ in 0..MAX_DEPTH {
            match self.ty(at)?.get() {
                Kind::Typedef(to) | Kind::Volatile(to) | Kind::Const(to) | Kind::Restrict(to) | Kind::TypeTag(to) => {
                    at = to
                }
                _ => return Ok(at),
            }
        }
        Err(BtfError::TooDeep(id))
    }

    /// The same, as a type.
    pub fn stripped(&self, id: TypeId) -> Result<Type<'_>, BtfError> {
        self.ty(self.strip(id)?)
    }

    /// Size in bytes of a value of the type.
    pub fn size_of(&self, id: TypeId) -> Result<u32, BtfError> {
        let mut at = id;
        let mut count = 1u32;
        for _ in 0..MAX_DEPTH {
            let t = self.stripped(at)?;
            let size = match t.get() {
                Kind::Int(i) => i.size,
                Kind::Float { size } => size,
                Kind::Ptr(_) => 8,
                Kind::Struct(c) | Kind::Union(c) => c.size,
                Kind::Enum(e) => e.size,
                Kind::Datasec(d) => d.size,
                Kind::Array { elem, len } => {
                    count = count.checked_mul(len).ok_or(BtfError::TooDeep(id))?;
                    at = elem;
                    continue;
                }
                Kind::Var { ty, .. } => {
                    at = ty;
                    continue;
                }
                _ => return Err(BtfError::WrongKind { id, wanted: "type with a size" }),
            };
            return count.checked_mul(size).ok_or(BtfError::TooDeep(id));
        }
        Err(BtfError::TooDeep(id))
    }

    /// Alignment in bytes of a value of the type, as C lays it out (packed structs give what their members need).
    pub fn align_of(&self, id: TypeId) -> Result<u32, BtfError> {
        let mut budget = MAX_MEMBERS;
        self.align_within(id, 0, &mut budget)
    }

    fn align_within(&self, id: TypeId, depth: usize, budget: &mut usize) -> Result<u32, BtfError> {
        if depth > MAX_DEPTH {
            return Err(BtfError::TooDeep(id));
        }
        let t = self.stripped(id)?;
        Ok(match t.get() {
            Kind::Int(i) => i.size.clamp(1, 8),
            Kind::Float { size } => size.clamp(1, 8),
            Kind::Ptr(_) => 8,
            Kind::Enum(e) => e.size.clamp(1, 8),
            Kind::Array { elem, .. } => self.align_within(elem, depth + 1, budget)?,
            Kind::Var { ty, .. } => self.align_within(ty, depth + 1, budget)?,
            Kind::Struct(c) | Kind::Union(c) => {
                let mut align = 1;
                for m in c.members() {
                    *budget = budget.checked_sub(1).ok_or(BtfError::TooDeep(id))?;
                    align = align.max(self.align_within(m.ty, depth + 1, budget)?);
                }
                align
            }
            _ => 1,
        })
    }

    /// What a pointer points to; `None` for other types.
    pub fn pointee(&self, id: TypeId) -> Result<Option<TypeId>, BtfError> {
        Ok(match self.stripped(id)?.get() {
            Kind::Ptr(to) => Some(to),
            _ => None,
        })
    }

    /// How many pointers lie above what the type finally points to, and that type.
    pub fn pointer_depth(&self, id: TypeId) -> Result<(u32, TypeId), BtfError> {
        let mut at = self.strip(id)?;
        for depth in 0..MAX_DEPTH as u32 {
            match self.pointee(at)? {
                Some(to) => at = self.strip(to)?,
                None => return Ok((depth, at)),
            }
        }
        Err(BtfError::TooDeep(id))
    }

    /// Whether a value of the type is signed; `None` when it is no number.
    pub fn is_signed(&self, id: TypeId) -> Result<Option<bool>, BtfError> {
        Ok(match self.stripped(id)?.get() {
            Kind::Int(i) => Some(i.signed),
            Kind::Enum(e) => Some(e.signed),
            _ => None,
        })
    }

    /// The struct, union or a typedef of one with this name.
    pub fn find_composite(&self, name: &str) -> Result<Option<TypeId>, BtfError> {
        if let Some(id) = self.find_any(name, &[TypeKind::Struct, TypeKind::Union])? {
            return Ok(Some(id));
        }
        let Some(typedef) = self.find(name, TypeKind::Typedef)? else { return Ok(None) };
        let id = self.strip(typedef)?;
        Ok(self.ty(id)?.composite().map(|_| id))
    }

    /// The member with this name, looked for through anonymous structs and unions.
    pub fn find_member(&self, id: TypeId, name: &str) -> Result<Option<FieldPath>, BtfError> {
        self.find_member_by(id, |n| n == name)
    }

    /// The first member whose name passes the test (`-` for `_`, say).
    pub fn find_member_by(&self, id: TypeId, is: impl Fn(&str) -> bool) -> Result<Option<FieldPath>, BtfError> {
        let mut budget = MAX_MEMBERS;
        let mut indices = Vec::new();
        let found = self.member_within(id, &is, 0, &mut indices, &mut budget)?;
        Ok(found.map(|(bit_offset, bits, ty)| FieldPath { indices, bit_offset, bits, ty }))
    }

    fn member_within(
        &self,
        id: TypeId,
        is: &impl Fn(&str) -> bool,
        base: u32,
        indices: &mut Vec<u32>,
        budget: &mut usize,
    ) -> Result<Option<(u32, u8, TypeId)>, BtfError> {
        if indices.len() >= MAX_DEPTH {
            return Err(BtfError::TooDeep(id));
        }
        let Some(composite) = self.stripped(id)?.composite() else {
            return Err(BtfError::WrongKind { id, wanted: "struct or union" });
        };
        for (i, m) in composite.members().enumerate() {
            *budget = budget.checked_sub(1).ok_or(BtfError::TooDeep(id))?;
            let offset = base.checked_add(m.bit_offset).ok_or(BtfError::TooDeep(id))?;
            indices.push(i as u32);
            if is(m.name) && !m.name.is_empty() {
                return Ok(Some((offset, m.bits, m.ty)));
            }
            if m.name.is_empty() && self.stripped(m.ty)?.composite().is_some() {
                let found = self.member_within(m.ty, is, offset, indices, budget)?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            indices.pop();
        }
        Ok(None)
    }

    /// All members with their places, those of anonymous structs and unions lifted to this level.
    pub fn flat_members(&self, id: TypeId) -> Result<Vec<(&str, FieldPath)>, BtfError> {
        let mut all = Vec::new();
        // Anonymous levels still to be opened: their type, offset and way.
        let mut open = vec![(id, 0u32, Vec::<u32>::new())];
        while let Some((id, base, way)) = open.pop() {
            let Some(composite) = self.stripped(id)?.composite() else {
                return Err(BtfError::WrongKind { id, wanted: "struct or union" });
            };
            for (i, m) in composite.members().enumerate() {
                if all.len() + open.len() > MAX_MEMBERS || way.len() > MAX_DEPTH {
                    return Err(BtfError::TooDeep(id));
                }
                let bit_offset = base.checked_add(m.bit_offset).ok_or(BtfError::TooDeep(id))?;
                let mut indices = way.clone();
                indices.push(i as u32);
                if m.name.is_empty() {
                    if self.stripped(m.ty)?.composite().is_some() {
                        open.push((m.ty, bit_offset, indices));
                    }
                } else {
                    all.push((m.name, FieldPath { indices, bit_offset, bits: m.bits, ty: m.ty }));
                }
            }
        }
        // The order of the declaration is the order of the ways.
        all.sort_by(|a, b| a.1.indices.cmp(&b.1.indices));
        Ok(all)
    }

    /// Follows members and elements from a type. The path's indices start with the 0 of a CO-RE access
    /// string. `None` when a step does not exist.
    pub fn access(&self, root: TypeId, steps: &[Step<'_>]) -> Result<Option<FieldPath>, BtfError> {
        let mut at = FieldPath { indices: vec![0], bit_offset: 0, bits: 0, ty: root };
        for step in steps {
            let t = self.stripped(at.ty)?;
            match (*step, t.get()) {
                (Step::Member(name), Kind::Struct(_) | Kind::Union(_)) => {
                    let Some(m) = self.find_member(at.ty, name)? else { return Ok(None) };
                    at.indices.extend(&m.indices);
                    at.bit_offset = at.bit_offset.checked_add(m.bit_offset).ok_or(BtfError::TooDeep(root))?;
                    (at.bits, at.ty) = (m.bits, m.ty);
                }
                (Step::Index(i), Kind::Array { elem, len }) => {
                    // A flexible array has length 0 and any element.
                    if i >= len && len != 0 {
                        return Ok(None);
                    }
                    let bits = self.size_of(elem)?.checked_mul(i).and_then(|b| b.checked_mul(8));
                    let offset = bits.and_then(|b| b.checked_add(at.bit_offset));
                    at.bit_offset = offset.ok_or(BtfError::TooDeep(root))?;
                    at.indices.push(i);
                    (at.bits, at.ty) = (0, elem);
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// The prototype of a function of this name.
    pub fn find_func(&self, name: &str) -> Result<Option<TypeId>, BtfError> {
        self.find(name, TypeKind::Func)
    }
}
