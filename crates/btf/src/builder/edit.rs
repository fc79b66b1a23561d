//! Going on with BTF that exists already. Invariant: ids and string offsets of what was
//! there stay what they were.

use super::{BtfBuilder, Record, StrOff};
use crate::error::BtfError;
use crate::raw::{Info, Linkage, TYPE_LEN, TypeId, TypeKind};
use crate::read::{Btf, record_len, word};

/// The records of this part of a BTF (not the base's), whose names are checked to be there.
pub(super) fn records(btf: &Btf) -> Result<Vec<Record>, BtfError> {
    let types = btf.types_to(btf.type_len())?;
    let mut all = Vec::new();
    let mut at = 0;
    for id in btf.own_ids()? {
        // Asking for the type checks its names and parts.
        btf.ty(id)?;
        let cut = || BtfError::Truncated { what: "a type", offset: at };
        let w = |i: usize| word(types, at + 4 * i).ok_or_else(cut);
        let info = w(1)?;
        let len = record_len(Info(info)).map_err(|kind| BtfError::UnknownKind { id, kind })?;
        let rest: Vec<u32> = (TYPE_LEN / 4..len / 4).map(w).collect::<Result<_, _>>()?;
        all.push(Record { name: StrOff(w(0)?), info, size_or_type: w(2)?, rest });
        at += len;
    }
    Ok(all)
}

impl BtfBuilder {
    /// A builder that holds everything `btf` (not a split one) has, with the same ids, to be added to and changed.
    pub fn from_btf(btf: &Btf) -> Result<BtfBuilder, BtfError> {
        if btf.base().is_some() {
            return Err(BtfError::Header("split BTF can't be continued as a whole"));
        }
        let mut b = BtfBuilder { base_types: 1, strings: btf.string_bytes().to_vec(), ..BtfBuilder::default() };
        let mut at = 0usize;
        for text in btf.string_bytes().split_inclusive(|c| *c == 0) {
            let len = text.len();
            if let Ok(s) = std::str::from_utf8(&text[..len - 1])
                && !s.is_empty()
            {
                b.string_at.entry(s.into()).or_insert(StrOff(at as u32));
            }
            at += len;
        }
        for record in records(btf)? {
            let id = b.push(record.clone());
            if !matches!(record.kind(), TypeKind::Func | TypeKind::Var | TypeKind::Datasec) {
                b.known.entry(record).or_insert(id);
            }
        }
        Ok(b)
    }

    /// Puts `const void` where the type was: nothing of it remains but its number. Returns
    /// whether there is such a type.
    pub fn forget(&mut self, id: TypeId) -> bool {
        self.replace(
            id,
            Record { name: StrOff(0), info: Info::new(TypeKind::Const, 0, false).0, size_or_type: 0, rest: vec![] },
        )
    }

    fn replace(&mut self, id: TypeId, record: Record) -> bool {
        let Some(slot) = self.record_mut(id) else { return false };
        let old = std::mem::replace(slot, record);
        if self.known.get(&old) == Some(&id) {
            self.known.remove(&old);
        }
        true
    }

    /// Changes the linkage of a function or variable. Returns whether the id is one.
    pub fn set_linkage(&mut self, id: TypeId, linkage: Linkage) -> bool {
        let Some(record) = self.record_mut(id) else { return false };
        match TypeKind::from_number(Info(record.info).kind()) {
            Some(TypeKind::Func) => record.info = Info::new(TypeKind::Func, linkage as u32, false).0,
            Some(TypeKind::Var) => record.rest = vec![linkage as u32],
            _ => return false,
        }
        true
    }

    /// Gives every parameter of a function type that has no name this one, as the kernel wants of
    /// functions. Returns whether the id is a function type.
    pub fn name_params(&mut self, proto: TypeId, name: &str) -> bool {
        let name = self.string(name);
        let Some(record) = self.record(proto) else { return false };
        if Info(record.info).kind() != TypeKind::FuncProto as u8 {
            return false;
        }
        let mut record = record.clone();
        let count = record.rest.len() / 2;
        for (i, param) in record.rest.chunks_exact_mut(2).enumerate() {
            // `void` without a name at the end stands for `...`.
            if param[0] == 0 && !(param[1] == 0 && i + 1 == count) {
                param[0] = name.0;
            }
        }
        self.replace(proto, record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, SecVar};

    fn base() -> BtfBuilder {
        let mut b = BtfBuilder::new();
        let int = b.int("int", 4, 1);
        let proto = b.func_proto(int, &[("", int)]);
        b.func("f", proto, Linkage::Static);
        let var = b.var("v", int, Linkage::Global);
        b.datasec(".data", 4, &[SecVar { var, offset: 0, size: 4 }]);
        b
    }

    #[test]
    fn continuing_keeps_every_byte_and_knows_every_type() {
        let bytes = base().to_bytes();
        let mut b = BtfBuilder::from_btf(&Btf::parse(bytes.clone()).unwrap()).unwrap();
        assert_eq!(b.to_bytes(), bytes);
        assert_eq!(b.int("int", 4, 1), TypeId(1));
        assert_eq!(b.int("int", 4, 0), TypeId(6));
    }

    #[test]
    fn what_is_there_can_be_changed() {
        let mut b = BtfBuilder::from_btf(&Btf::parse(base().to_bytes()).unwrap()).unwrap();
        assert!(b.set_linkage(TypeId(3), Linkage::Extern));
        assert!(b.set_linkage(TypeId(4), Linkage::Extern));
        assert!(!b.set_linkage(TypeId(1), Linkage::Extern));
        assert!(b.name_params(TypeId(2), "arg"));
        assert!(b.forget(TypeId(5)));
        assert!(!b.forget(TypeId(77)));
        let btf = Btf::parse(b.to_bytes()).unwrap();
        assert!(matches!(btf.ty(TypeId(3)).unwrap().get(), Kind::Func { linkage: Linkage::Extern, .. }));
        assert!(matches!(btf.ty(TypeId(4)).unwrap().get(), Kind::Var { linkage: Linkage::Extern, .. }));
        assert!(matches!(btf.ty(TypeId(5)).unwrap().get(), Kind::Const(TypeId::VOID)));
        let Kind::FuncProto(p) = btf.ty(TypeId(2)).unwrap().get() else { panic!() };
        assert_eq!(p.params().next().unwrap().name, "arg");
    }
}
