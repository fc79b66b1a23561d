//! Resolving CO-RE relocations against another kernel's types, by the rules
//! libbpf follows. Invariants: both sides are walked with a bounded number of steps; several candidates must
//! agree or the relocation is refused; a missing field poisons, it never yields a number.

use crate::core::{CoreKind, CoreReloc};
use crate::error::BtfError;
use crate::raw::{TypeId, TypeKind};
use crate::read::{Btf, Kind, Type};
use crate::source::TypeSource;

/// Accesses are at most this deep (libbpf's `BPF_CORE_SPEC_MAX_LEN`).
const MAX_SPEC: usize = 64;
/// Nesting of types compared with each other.
const MAX_LEVEL: u32 = 32;
/// Comparisons of types in one resolution.
const MAX_STEPS: u32 = 1_000_000;

/// Why a relocation can't be resolved or applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// The BTF itself is broken.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// The access string does not fit the local type.
    #[error("the access `{0}` does not fit its type")]
    BadAccess(String),
    /// The type the access starts from has no name to look for.
    #[error("type {0} has no name to look for")]
    Anonymous(TypeId),
    /// Several types of the target match and do not agree.
    #[error("several types named `{0}` match and do not agree")]
    Ambiguous(String),
    /// A bit-field that no load of 8 bytes covers.
    #[error("the bit-field spans more than 8 bytes")]
    WideBitField,
    /// The kind of relocation can't be asked of an array element.
    #[error("`{0}` can't be asked of an array element")]
    Element(CoreKind),
    /// The instruction is of a kind that no relocation patches.
    #[error("the instruction at byte {at} can't be relocated: {why}")]
    Instruction {
        /// Where it is.
        at: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// The instruction does not hold what the relocation says it was compiled with.
    #[error("the instruction at byte {at} holds {found}, the relocation expects {expected}")]
    Unexpected {
        /// Where it is.
        at: usize,
        /// What it holds.
        found: i64,
        /// What the relocation says.
        expected: u64,
    },
}

/// Sizes of the field a load or store touches, at home and in the target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemAdjust {
    /// Bytes at home.
    pub local: u32,
    /// Bytes in the target.
    pub target: u32,
    /// Whether a load of the other size gives the same value: pointers and unsigned integers only.
    pub safe: bool,
}

/// What a relocation resolves to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolution {
    /// The value in the target; `None` poisons the instruction.
    pub value: Option<u64>,
    /// The value the program was compiled with.
    pub orig_value: u64,
    /// Whether the instruction must hold `orig_value` now.
    pub validate: bool,
    /// The field's sizes, for offsets of ordinary fields.
    pub mem: Option<MemAdjust>,
    /// The type of the target that matched.
    pub target: Option<TypeId>,
    /// Whether the target has types of that name and kind at all, whatever they hold.
    pub candidates: bool,
}

/// A name without its flavour (`task_struct___old` is `task_struct`).
pub fn essential_name(name: &str) -> &str {
    let b = name.as_bytes();
    for i in (0..b.len().saturating_sub(4)).rev() {
        if b[i] != b'_' && &b[i + 1..i + 4] == b"___" && b[i + 4] != b'_' {
            return &name[..=i];
        }
    }
    name
}

/// One step of an access with a meaning: a named member, or an element (of the root or an array).
#[derive(Clone, Copy)]
struct Accessor<'a> {
    /// The struct that has the member, or the type of the element.
    ty: TypeId,
    index: u32,
    name: Option<&'a str>,
}

#[derive(Clone)]
struct Spec<'a> {
    btf: &'a Btf,
    root: TypeId,
    accessors: Vec<Accessor<'a>>,
    bit_offset: u64,
    /// An enumerator's name and value.
    enumerator: Option<(&'a str, i64)>,
    /// Raw steps, anonymous levels counted.
    raw: usize,
}

fn enum_compatible(a: TypeKind, b: TypeKind) -> bool {
    let any = |k| matches!(k, TypeKind::Enum | TypeKind::Enum64);
    a == b || (any(a) && any(b))
}

impl<'a> Spec<'a> {
    fn new(btf: &'a Btf, root: TypeId) -> Spec<'a> {
        Spec { btf, root, accessors: vec![], bit_offset: 0, enumerator: None, raw: 0 }
    }

    fn parse(btf: &'a Btf, reloc: &CoreReloc) -> Result<Spec<'a>, CoreError> {
        let bad = || CoreError::BadAccess(reloc.access.clone());
        let mut spec = Spec::new(btf, reloc.type_id);
        let indices: Vec<u32> =
            reloc.access.split(':').map(|w| w.parse::<u32>().map_err(|_| bad())).collect::<Result<_, _>>()?;
        let (&first, rest) = indices.split_first().ok_or_else(bad)?;
        if indices.len() > MAX_SPEC {
            return Err(bad());
        }
        if !reloc.kind.is_field() && !reloc.kind.is_enumval() {
            return if indices == [0] { Ok(spec) } else { Err(bad()) };
        }
        let mut id = btf.strip(reloc.type_id)?;
        if reloc.kind.is_enumval() {
            let Kind::Enum(e) = btf.ty(id)?.get() else { return Err(bad()) };
            spec.enumerator = Some(e.values().nth(first as usize).filter(|_| rest.is_empty()).ok_or_else(bad)?);
            return Ok(spec);
        }
        spec.accessors.push(Accessor { ty: id, index: first, name: None });
        spec.bit_offset = u64::from(first) * u64::from(btf.size_of(id)?) * 8;
        for &index in rest {
            id = btf.strip(id)?;
            match btf.ty(id)?.get() {
                Kind::Struct(c) | Kind::Union(c) => {
                    let m = c.member(index as usize).ok_or_else(bad)?;
                    spec.bit_offset += u64::from(m.bit_offset);
                    if !m.name.is_empty() {
                        spec.accessors.push(Accessor { ty: id, index, name: Some(m.name) });
                    }
                    id = m.ty;
                }
                Kind::Array { elem, len } => {
                    if index >= len && !spec.ends_flexible(len)? {
                        return Err(bad());
                    }
                    id = btf.strip(elem)?;
                    spec.accessors.push(Accessor { ty: id, index, name: None });
                    spec.bit_offset += u64::from(index) * u64::from(btf.size_of(id)?) * 8;
                }
                _ => return Err(bad()),
            }
        }
        Ok(spec)
    }

    /// Whether the last step is the last member of its struct, an array without a length.
    fn ends_flexible(&self, len: u32) -> Result<bool, BtfError> {
        let Some(last) = self.accessors.last() else { return Ok(false) };
        if last.name.is_none() || len > 0 {
            return Ok(false);
        }
        let count = self.btf.ty(last.ty)?.composite().map_or(0, |c| c.len());
        Ok(last.index as usize + 1 == count)
    }
}

/// Compares types of two BTFs, with a budget.
struct Matcher<'a> {
    local: &'a Btf,
    target: &'a Btf,
    steps: u32,
}

impl<'a> Matcher<'a> {
    fn step(&mut self, id: TypeId) -> Result<(), BtfError> {
        self.steps = self.steps.checked_sub(1).ok_or(BtfError::TooDeep(id))?;
        Ok(())
    }

    /// The same access in a type of the target; `None` when it does not fit.
    fn find_spec(&mut self, local: &Spec<'a>, root: TypeId, kind: CoreKind) -> Result<Option<Spec<'a>>, CoreError> {
        let mut spec = Spec::new(self.target, root);
        if kind == CoreKind::TypeMatches {
            return Ok(self.matches(local.root, root, false, MAX_LEVEL)?.then_some(spec));
        }
        if let Some((name, _)) = local.enumerator {
            let Kind::Enum(e) = self.target.stripped(root)?.get() else { return Ok(None) };
            let wanted = essential_name(name);
            spec.enumerator = e.values().find(|(n, _)| essential_name(n) == wanted);
            return Ok(spec.enumerator.is_some().then_some(spec));
        }
        if !kind.is_field() {
            return Ok(self.compatible_roots(local.root, root)?.then_some(spec));
        }
        let mut id = root;
        for (i, acc) in local.accessors.iter().enumerate() {
            id = self.target.strip(id)?;
            if acc.name.is_some() {
                match self.find_member(acc, id, &mut spec)? {
                    Some(next) => id = next,
                    None => return Ok(None),
                }
                continue;
            }
            if i > 0 {
                let Kind::Array { elem, len } = self.target.ty(id)?.get() else { return Ok(None) };
                if acc.index >= len && !spec.ends_flexible(len)? {
                    return Ok(None);
                }
                id = self.target.strip(elem)?;
            }
            if spec.raw >= MAX_SPEC {
                return Err(BtfError::TooDeep(root).into());
            }
            spec.raw += 1;
            spec.accessors.push(Accessor { ty: id, index: acc.index, name: None });
            spec.bit_offset += u64::from(acc.index) * u64::from(self.target.size_of(id)?) * 8;
        }
        Ok(Some(spec))
    }

    /// The member of a target struct with the name of a local one, if their types fit; its type.
    fn find_member(
        &mut self,
        acc: &Accessor<'a>,
        id: TypeId,
        spec: &mut Spec<'a>,
    ) -> Result<Option<TypeId>, CoreError> {
        Ok(self.member_within(acc, id, spec)?.flatten())
    }

    /// `None`: no member of that name; `Some(None)`: there is one of another type.
    fn member_within(
        &mut self,
        acc: &Accessor<'a>,
        id: TypeId,
        spec: &mut Spec<'a>,
    ) -> Result<Option<Option<TypeId>>, CoreError> {
        self.step(id)?;
        let id = self.target.strip(id)?;
        let Some(composite) = self.target.ty(id)?.composite() else { return Ok(None) };
        if spec.raw >= MAX_SPEC {
            return Err(BtfError::TooDeep(id).into());
        }
        let local = self.local.ty(acc.ty)?.composite().and_then(|c| c.member(acc.index as usize));
        let Some(local) = local else { return Ok(None) };
        for (i, m) in composite.members().enumerate() {
            spec.bit_offset += u64::from(m.bit_offset);
            spec.raw += 1;
            if m.name.is_empty() {
                let found = self.member_within(acc, m.ty, spec)?;
                if found.is_some() {
                    return Ok(found);
                }
            } else if m.name == local.name {
                spec.accessors.push(Accessor { ty: id, index: i as u32, name: Some(m.name) });
                return Ok(Some(self.fields_compatible(local.ty, m.ty)?.then_some(m.ty)));
            }
            spec.bit_offset -= u64::from(m.bit_offset);
            spec.raw -= 1;
        }
        Ok(None)
    }

    /// Whether a field of one type can stand for one of the other.
    fn fields_compatible(&mut self, mut l: TypeId, mut t: TypeId) -> Result<bool, BtfError> {
        for _ in 0..MAX_LEVEL {
            let (a, b) = (self.local.stripped(l)?, self.target.stripped(t)?);
            if a.composite().is_some() && b.composite().is_some() {
                return Ok(true);
            }
            if !enum_compatible(a.kind(), b.kind()) {
                return Ok(false);
            }
            return Ok(match (a.get(), b.get()) {
                (Kind::Ptr(_) | Kind::Float { .. }, _) => true,
                (Kind::Fwd { .. } | Kind::Enum(_), _) => {
                    a.name.is_empty() || b.name.is_empty() || essential_name(a.name) == essential_name(b.name)
                }
                (Kind::Int(x), Kind::Int(y)) => x.bit_offset == 0 && y.bit_offset == 0,
                (Kind::Array { elem: x, .. }, Kind::Array { elem: y, .. }) => {
                    (l, t) = (x, y);
                    continue;
                }
                _ => false,
            });
        }
        Err(BtfError::TooDeep(l))
    }

    fn compatible_roots(&mut self, l: TypeId, t: TypeId) -> Result<bool, BtfError> {
        if !enum_compatible(self.local.ty(l)?.kind(), self.target.ty(t)?.kind()) {
            return Ok(false);
        }
        self.compatible(l, t, MAX_LEVEL)
    }

    /// Whether two types are of the same make, whatever is in them.
    fn compatible(&mut self, mut l: TypeId, mut t: TypeId, level: u32) -> Result<bool, BtfError> {
        for _ in 0..MAX_LEVEL {
            self.step(l)?;
            let (a, b) = (self.local.stripped(l)?, self.target.stripped(t)?);
            if !enum_compatible(a.kind(), b.kind()) {
                return Ok(false);
            }
            match (a.get(), b.get()) {
                (Kind::Void | Kind::Struct(_) | Kind::Union(_) | Kind::Enum(_) | Kind::Fwd { .. }, _) => {
                    return Ok(true);
                }
                (Kind::Int(x), Kind::Int(y)) => return Ok(x.bit_offset == 0 && y.bit_offset == 0),
                (Kind::Ptr(x), Kind::Ptr(y)) => (l, t) = (x, y),
                (Kind::Array { elem: x, .. }, Kind::Array { elem: y, .. }) => (l, t) = (x, y),
                (Kind::FuncProto(x), Kind::FuncProto(y)) => {
                    if x.params().count() != y.params().count() {
                        return Ok(false);
                    }
                    let below = level.checked_sub(1).ok_or(BtfError::TooDeep(l))?;
                    for (p, q) in x.params().zip(y.params()) {
                        let (p, q) = (self.local.strip(p.ty)?, self.target.strip(q.ty)?);
                        if !self.compatible(p, q, below)? {
                            return Ok(false);
                        }
                    }
                    (l, t) = (x.ret, y.ret);
                }
                _ => return Ok(false),
            }
        }
        Err(BtfError::TooDeep(l))
    }

    /// Whether the target's type has everything the local one has, member by member.
    fn matches(&mut self, mut l: TypeId, mut t: TypeId, mut behind_ptr: bool, level: u32) -> Result<bool, BtfError> {
        let below = level.checked_sub(1).ok_or(BtfError::TooDeep(l))?;
        for _ in 0..MAX_LEVEL {
            self.step(l)?;
            let (a, b) = (self.local.stripped(l)?, self.target.stripped(t)?);
            if !names_match(&a, &b) {
                return Ok(false);
            }
            let same = a.kind() == b.kind();
            match (a.get(), b.get()) {
                (Kind::Void, _) => return Ok(same),
                (Kind::Fwd { union: x }, Kind::Fwd { union: y }) => return Ok(x == y),
                (Kind::Fwd { union }, Kind::Struct(_)) => return Ok(behind_ptr && !union),
                (Kind::Fwd { union }, Kind::Union(_)) => return Ok(behind_ptr && union),
                (Kind::Enum(x), Kind::Enum(y)) => {
                    let has = |n: &str| y.values().any(|(m, _)| essential_name(n) == essential_name(m));
                    return Ok(x.size == y.size && x.values().all(|(n, _)| has(n)));
                }
                (Kind::Struct(_) | Kind::Union(_), Kind::Struct(_) | Kind::Union(_)) if behind_ptr => return Ok(same),
                (Kind::Struct(_), Kind::Fwd { union }) => return Ok(behind_ptr && !union),
                (Kind::Union(_), Kind::Fwd { union }) => return Ok(behind_ptr && union),
                (Kind::Struct(x), Kind::Struct(y)) | (Kind::Union(x), Kind::Union(y)) => {
                    if x.len() > y.len() {
                        return Ok(false);
                    }
                    for m in x.members() {
                        let mut found = false;
                        for n in y.members() {
                            self.step(l)?;
                            if essential_name(m.name) == essential_name(n.name)
                                && self.matches(m.ty, n.ty, behind_ptr, below)?
                            {
                                found = true;
                                break;
                            }
                        }
                        if !found {
                            return Ok(false);
                        }
                    }
                    return Ok(true);
                }
                (Kind::Int(x), Kind::Int(y)) => return Ok(x.size == y.size && x.signed == y.signed),
                (Kind::Ptr(x), Kind::Ptr(y)) => {
                    behind_ptr = true;
                    (l, t) = (x, y);
                }
                (Kind::Array { elem: x, len: n }, Kind::Array { elem: y, len: m }) => {
                    if n != m {
                        return Ok(false);
                    }
                    (l, t) = (x, y);
                }
                (Kind::FuncProto(x), Kind::FuncProto(y)) => {
                    if x.params().count() != y.params().count() {
                        return Ok(false);
                    }
                    for (p, q) in x.params().zip(y.params()) {
                        if !self.matches(p.ty, q.ty, behind_ptr, below)? {
                            return Ok(false);
                        }
                    }
                    (l, t) = (x.ret, y.ret);
                }
                _ => return Ok(false),
            }
        }
        Err(BtfError::TooDeep(l))
    }
}

fn names_match(a: &Type<'_>, b: &Type<'_>) -> bool {
    essential_name(a.name) == essential_name(b.name)
}

/// What an access is worth on one side.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Worth {
    value: Option<u64>,
    validate: bool,
    /// Size and type of an ordinary field whose offset was asked.
    field: Option<(u32, TypeId)>,
}

fn worth(kind: CoreKind, spec: Option<&Spec<'_>>) -> Result<Worth, CoreError> {
    let plain = |value: u64| Worth { value: Some(value), validate: true, field: None };
    let poison = Worth { value: None, validate: true, field: None };
    Ok(match (kind, spec) {
        (CoreKind::FieldExists | CoreKind::TypeExists | CoreKind::EnumvalExists | CoreKind::TypeMatches, _) => {
            plain(u64::from(spec.is_some()))
        }
        // A type that is missing has id and size 0 (libbpf: no poisoning for type relocations).
        (CoreKind::TypeIdLocal | CoreKind::TypeIdTarget, s) => {
            // Ids of types move when objects are linked: nothing to compare with.
            Worth { validate: false, ..plain(s.map_or(0, |s| u64::from(s.root.0))) }
        }
        (CoreKind::TypeSize, None) => plain(0),
        (CoreKind::TypeSize, Some(s)) => plain(u64::from(s.btf.size_of(s.root)?)),
        (_, None) => poison,
        (CoreKind::EnumvalValue, Some(s)) => plain(s.enumerator.map_or(0, |(_, v)| v as u64)),
        (_, Some(s)) => return field_worth(kind, s),
    })
}

fn field_worth(kind: CoreKind, spec: &Spec<'_>) -> Result<Worth, CoreError> {
    let btf = spec.btf;
    let Some(acc) = spec.accessors.last() else { return Err(CoreError::BadAccess(String::new())) };
    let plain = |value: u64| Worth { value: Some(value), validate: true, field: None };
    if acc.name.is_none() {
        return Ok(match kind {
            CoreKind::FieldByteOffset => {
                Worth { field: Some((element_size(btf, acc.ty)?, acc.ty)), ..plain(spec.bit_offset / 8) }
            }
            CoreKind::FieldByteSize => plain(u64::from(btf.size_of(acc.ty)?)),
            _ => return Err(CoreError::Element(kind)),
        });
    }
    let member = btf.ty(acc.ty)?.composite().and_then(|c| c.member(acc.index as usize));
    let Some(member) = member else { return Err(BtfError::NoType(acc.ty).into()) };
    let ty = btf.strip(member.ty)?;
    let bit_field = member.bits > 0;
    let mut byte_size = u64::from(btf.size_of(ty)?);
    let (byte_offset, bits);
    if bit_field {
        bits = u64::from(member.bits);
        if byte_size == 0 {
            return Err(BtfError::WrongKind { id: ty, wanted: "type of a bit-field" }.into());
        }
        let start = |size: u64| spec.bit_offset / 8 / size * size;
        while spec.bit_offset + bits - start(byte_size) * 8 > byte_size * 8 {
            if byte_size >= 8 {
                return Err(CoreError::WideBitField);
            }
            byte_size *= 2;
        }
        byte_offset = start(byte_size);
    } else {
        byte_offset = spec.bit_offset / 8;
        bits = byte_size * 8;
    }
    // What a compiler chose for a bit-field's load is its own business; only sign and width are fixed.
    let w = Worth { validate: !bit_field, ..plain(0) };
    Ok(match kind {
        CoreKind::FieldByteOffset => {
            let field = if bit_field { None } else { Some((element_size(btf, ty)?, ty)) };
            Worth { value: Some(byte_offset), field, ..w }
        }
        CoreKind::FieldByteSize => Worth { value: Some(byte_size), ..w },
        CoreKind::FieldSigned => plain(u64::from(btf.is_signed(ty)?.unwrap_or(false))),
        CoreKind::FieldLShiftU64 => {
            let used = spec.bit_offset + bits - byte_offset * 8;
            Worth { value: Some(64u64.wrapping_sub(used)), ..w }
        }
        CoreKind::FieldRShiftU64 => plain(64u64.wrapping_sub(bits)),
        _ => return Err(CoreError::Element(kind)),
    })
}

/// The size of what an array is finally made of.
fn element_size(btf: &Btf, id: TypeId) -> Result<u32, BtfError> {
    let mut at = btf.strip(id)?;
    for _ in 0..MAX_LEVEL {
        match btf.ty(at)?.get() {
            Kind::Array { elem, .. } => at = btf.strip(elem)?,
            _ => return btf.size_of(at),
        }
    }
    Err(BtfError::TooDeep(id))
}

/// Resolves a relocation of a program with the types `local` for a kernel with the types `target`.
pub fn resolve(local: &Btf, reloc: &CoreReloc, target: &Btf) -> Result<Resolution, CoreError> {
    let spec = Spec::parse(local, reloc)?;
    let kind = reloc.kind;
    if kind == CoreKind::TypeIdLocal {
        let id = u64::from(reloc.type_id.0);
        return Ok(Resolution {
            value: Some(id),
            orig_value: id,
            validate: false,
            mem: None,
            target: None,
            candidates: false,
        });
    }
    let root = local.ty(reloc.type_id)?;
    if root.name.is_empty() {
        return Err(CoreError::Anonymous(reloc.type_id));
    }
    let ours = worth(kind, Some(&spec))?;
    let name = essential_name(root.name);
    let mut candidates = false;
    let mut matcher = Matcher { local, target, steps: MAX_STEPS };
    let mut found: Option<(Spec<'_>, Worth)> = None;
    for id in target.find_flavours(name)? {
        if !enum_compatible(target.ty(id)?.kind(), root.kind()) {
            continue;
        }
        candidates = true;
        let Some(candidate) = matcher.find_spec(&spec, id, kind)? else { continue };
        let theirs = worth(kind, Some(&candidate))?;
        match &found {
            None => found = Some((candidate, theirs)),
            Some((s, w)) => {
                if s.bit_offset != candidate.bit_offset || w.value != theirs.value {
                    return Err(CoreError::Ambiguous(name.to_owned()));
                }
            }
        }
    }
    let (target_id, theirs) = match found {
        Some((s, w)) => (Some(s.root), w),
        None => (None, worth(kind, None)?),
    };
    let mem = match (ours.field, theirs.field) {
        (Some((l, lt)), Some((t, tt))) => {
            let (a, b) = (local.stripped(lt)?.get(), target.stripped(tt)?.get());
            let safe = match (a, b) {
                (Kind::Ptr(_), Kind::Ptr(_)) => true,
                (Kind::Int(x), Kind::Int(y)) => !x.signed && !y.signed,
                _ => false,
            };
            Some(MemAdjust { local: l, target: t, safe: safe || l == t })
        }
        _ => None,
    };
    Ok(Resolution {
        value: theirs.value,
        orig_value: ours.value.unwrap_or(0),
        validate: ours.validate,
        mem,
        target: target_id,
        candidates,
    })
}

/// Resolves for a kernel and its modules: in the kernel's own types, and in those of its modules where the kernel has none
/// of that name; what several modules have must agree. So does libbpf (`bpf_core_find_cands`, `bpf_core_calc_relo_insn`).
///
/// # Errors
/// A sentence: the types can't be had or make no sense, or what was found does not agree.
pub fn resolve_in(local: &Btf, reloc: &CoreReloc, kernel: &dyn TypeSource) -> Result<Resolution, String> {
    let Some(btf) = kernel.btf() else {
        return Err(kernel.btf_problem().unwrap_or_else(|| "this kernel has no BTF".to_string()));
    };
    let own = resolve(local, reloc, btf).map_err(|e| e.to_string())?;
    if own.candidates || reloc.kind == CoreKind::TypeIdLocal {
        return Ok(own);
    }
    let mut found: Option<(String, Resolution)> = None;
    for name in kernel.modules() {
        // A module whose types can't be read has none.
        let Some(types) = kernel.module_btf(&name) else { continue };
        let Some(r) = resolve(local, reloc, &types).ok().filter(|r| r.target.is_some()) else { continue };
        match &found {
            None => found = Some((name, r)),
            Some((other, known)) if known.value != r.value => {
                return Err(format!("the modules `{other}` and `{name}` have such types, which do not agree"));
            }
            Some(_) => {}
        }
    }
    Ok(found.map_or(own, |(_, r)| r))
}

/// The access in words, for messages: `struct task_struct.real_parent.tgid`.
pub fn describe(local: &Btf, reloc: &CoreReloc) -> String {
    let Ok(root) = local.ty(reloc.type_id) else { return format!("type {}", reloc.type_id) };
    let word = match root.kind() {
        TypeKind::Typedef => "",
        k => k.word(),
    };
    let mut text = format!("{word} {}", root.name).trim().to_owned();
    if let Ok(spec) = Spec::parse(local, reloc) {
        if let Some((name, _)) = spec.enumerator {
            text.push_str("::");
            text.push_str(name);
        }
        for (i, acc) in spec.accessors.iter().enumerate() {
            match acc.name {
                Some(n) => {
                    text.push('.');
                    text.push_str(n);
                }
                None if i == 0 && acc.index == 0 => {}
                None => text.push_str(&format!("[{}]", acc.index)),
            }
        }
    }
    text
}
