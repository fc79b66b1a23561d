//! BTF on its way into and out of a file. Invariant: ids of the object's own
//! types never change; what is added comes after them.

use whistler_btf::{Btf, BtfBuilder, Linkage, TypeId, TypeKind, int_encoding};

use crate::ObjectError;

/// The object's own types as they were, and a builder that goes on with them.
pub(super) struct Types {
    pub(super) own: Btf,
    pub(super) builder: BtfBuilder,
}

impl Types {
    /// From the bytes of an object's BTF, which may be none.
    pub(super) fn new(bytes: &[u8]) -> Result<Types, ObjectError> {
        let own = if bytes.is_empty() { BtfBuilder::new().to_bytes() } else { bytes.to_vec() };
        let own = Btf::parse(own).map_err(ObjectError::btf)?;
        let builder = BtfBuilder::from_btf(&own).map_err(ObjectError::btf)?;
        Ok(Types { own, builder })
    }

    /// Bytes of a type.
    pub(super) fn size_of(&self, id: TypeId) -> Option<u32> {
        self.own.size_of(id).ok()
    }

    /// A type that stands for so many bytes.
    pub(super) fn bytes(&mut self, n: u32) -> TypeId {
        let byte = self.builder.int("unsigned char", 1, 0);
        self.builder.array(byte, n)
    }

    pub(super) fn int(&mut self) -> TypeId {
        self.builder.int("int", 4, int_encoding::SIGNED)
    }

    /// The `FUNC` that a function's `type_id` names.
    pub(super) fn is_func(&self, id: u32) -> bool {
        matches!(self.own.ty(TypeId(id)).map(|t| t.kind()), Ok(TypeKind::Func))
    }

    /// A `FUNC` for a program that came without.
    pub(super) fn program_func(&mut self, name: &str) -> TypeId {
        let ctx = self.builder.ptr(TypeId::VOID);
        let int = self.int();
        let proto = self.builder.func_proto(int, &[("ctx", ctx)]);
        self.builder.func(name, proto, Linkage::Global)
    }

    /// A `FUNC` for a subprogram that came without: what it takes is not known.
    pub(super) fn subprogram_func(&mut self, name: &str, linkage: Linkage) -> TypeId {
        let long = self.builder.int("unsigned long long", 8, 0);
        let proto = self.builder.func_proto(long, &[]);
        self.builder.func(name, proto, linkage)
    }

    /// The object's own type of this kind and name.
    pub(super) fn find(&self, name: &str, kind: TypeKind) -> Option<TypeId> {
        self.own.find(name, kind).ok().flatten()
    }
}

/// Whether the kernel takes this as the name of a function or variable.
pub(super) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
}
