//! Which words of a record are names and which are types. Invariant: everything that moves strings or types goes
//! through here, so that no reference is left behind.

use super::{Record, StrOff};
use crate::raw::{Info, TypeKind};

/// Where each entry behind a record's head has its name and its type.
struct Entries {
    words: usize,
    name: Option<usize>,
    types: &'static [usize],
}

impl Record {
    pub(super) fn kind(&self) -> TypeKind {
        TypeKind::from_number(Info(self.info).kind()).unwrap_or(TypeKind::Void)
    }

    fn entries(&self) -> Option<Entries> {
        Some(match self.kind() {
            TypeKind::Struct | TypeKind::Union => Entries { words: 3, name: Some(0), types: &[1] },
            TypeKind::FuncProto => Entries { words: 2, name: Some(0), types: &[1] },
            TypeKind::Enum => Entries { words: 2, name: Some(0), types: &[] },
            TypeKind::Enum64 => Entries { words: 3, name: Some(0), types: &[] },
            TypeKind::Datasec => Entries { words: 3, name: None, types: &[0] },
            TypeKind::Array => Entries { words: 3, name: None, types: &[0, 1] },
            _ => return None,
        })
    }

    /// Whether the word that others use for their size names a type.
    fn refers(&self) -> bool {
        match self.kind() {
            TypeKind::Ptr
            | TypeKind::Typedef
            | TypeKind::Volatile
            | TypeKind::Const
            | TypeKind::Restrict
            | TypeKind::Func
            | TypeKind::FuncProto
            | TypeKind::Var
            | TypeKind::DeclTag
            | TypeKind::TypeTag => true,
            TypeKind::Void
            | TypeKind::Int
            | TypeKind::Array
            | TypeKind::Struct
            | TypeKind::Union
            | TypeKind::Enum
            | TypeKind::Fwd
            | TypeKind::Datasec
            | TypeKind::Float
            | TypeKind::Enum64 => false,
        }
    }

    /// Changes every type that it refers to.
    pub(super) fn map_types(&mut self, mut f: impl FnMut(u32) -> u32) {
        if self.refers() {
            self.size_or_type = f(self.size_or_type);
        }
        if let Some(e) = self.entries() {
            for entry in self.rest.chunks_exact_mut(e.words) {
                for at in e.types {
                    entry[*at] = f(entry[*at]);
                }
            }
        }
    }

    /// Changes every name.
    pub(super) fn map_names(&mut self, mut f: impl FnMut(StrOff) -> StrOff) {
        self.name = f(self.name);
        if let Some(Entries { words, name: Some(at), .. }) = self.entries() {
            for entry in self.rest.chunks_exact_mut(words) {
                entry[at] = f(StrOff(entry[at])).0;
            }
        }
    }

    /// Every name, in the order of the record.
    pub(super) fn names(&self) -> Vec<StrOff> {
        let mut all = Vec::new();
        self.clone().map_names(|at| {
            all.push(at);
            at
        });
        all
    }

    /// Every type that it refers to, in the order of the record.
    pub(super) fn types(&self) -> Vec<u32> {
        let mut all = Vec::new();
        if self.refers() {
            all.push(self.size_or_type);
        }
        if let Some(e) = self.entries() {
            all.extend(self.rest.chunks_exact(e.words).flat_map(|entry| e.types.iter().map(|at| entry[*at])));
        }
        all
    }

    /// The record with `void` for all that it refers to: what two records share that may be the same type.
    pub(super) fn shallow(&self) -> Record {
        let mut r = self.clone();
        r.map_types(|_| 0);
        r
    }
}
