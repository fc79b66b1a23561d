//! Integer types. Invariant: what [`Ty::cut`] gives is a number of the type.

/// An integer type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Ty {
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
}

impl Ty {
    /// All of them.
    pub const ALL: [Ty; 8] = [Ty::U8, Ty::U16, Ty::U32, Ty::U64, Ty::I8, Ty::I16, Ty::I32, Ty::I64];

    /// As the language spells it.
    pub fn name(self) -> &'static str {
        match self {
            Ty::U8 => "u8",
            Ty::U16 => "u16",
            Ty::U32 => "u32",
            Ty::U64 => "u64",
            Ty::I8 => "i8",
            Ty::I16 => "i16",
            Ty::I32 => "i32",
            Ty::I64 => "i64",
        }
    }

    /// Whether it has negative numbers.
    pub fn signed(self) -> bool {
        matches!(self, Ty::I8 | Ty::I16 | Ty::I32 | Ty::I64)
    }

    /// The type of that name.
    pub fn of_name(name: &str) -> Option<Ty> {
        Ty::ALL.into_iter().find(|t| t.name() == name)
    }

    /// In bits.
    pub fn bits(self) -> u32 {
        match self {
            Ty::U8 | Ty::I8 => 8,
            Ty::U16 | Ty::I16 => 16,
            Ty::U32 | Ty::I32 => 32,
            Ty::U64 | Ty::I64 => 64,
        }
    }

    /// The 64-bit type of the same signedness: what arithmetic on it gives.
    pub fn wide(self) -> Ty {
        if self.signed() { Ty::I64 } else { Ty::U64 }
    }

    /// The nearest number of the type.
    pub fn cut(self, n: i64) -> i64 {
        let s = 64 - self.bits();
        if self.signed() { (n << s) >> s } else { (((n as u64) << s) >> s) as i64 }
    }
}
