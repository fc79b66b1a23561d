//! Typed indices that print themselves (`v3`, `block2`). Invariant: an index is only
//! meaningful in the [`Function`](super::Function) or [`Module`](super::Module) that made it.

macro_rules! entity {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index into the vector that holds the entity's data.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}

entity!(
    /// An SSA value.
    Value,
    "v"
);
entity!(
    /// A basic block.
    Block,
    "block"
);
entity!(
    /// An instruction of a function.
    Inst,
    "inst"
);
entity!(
    /// A piece of stack memory.
    Slot,
    "slot"
);
entity!(
    /// Something outside the function that instructions name: a map, a global, a function.
    Sym,
    "sym"
);
entity!(
    /// A CO-RE relocation, opaque here: the compiler keeps the table.
    CoreId,
    "core"
);
entity!(
    /// A source location, opaque here: the compiler keeps the table.
    SrcLoc,
    "@"
);

impl SrcLoc {
    /// No source location.
    pub const NONE: SrcLoc = SrcLoc(u32::MAX);
}
