//! Expressions. Everything is one; statements yield what the language says (or 0).

use std::rc::Rc;

use whistler_isa::LoopWay;

use super::{At, CoreId, FunctionId, GlobalId, IntTy, MapId, Ty};

/// A local variable of a function.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LocalId(pub u32);

/// A place that [`ExprKind::Break`] leaves, unique in its function.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LabelId(pub u32);

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it does.
    pub kind: ExprKind,
    /// The type of what it yields.
    pub ty: Ty,
    /// Where it stands.
    pub at: At,
}

/// Two operands, 64 bits, wrapping.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum BinOp {
    Add,
    Sub,
    Mul,
    /// Unsigned quotient; 0 for a zero divisor.
    DivU,
    /// Signed quotient, truncated; 0 for a zero divisor; the smallest number by −1 is itself.
    DivS,
    /// Unsigned remainder; the dividend for a zero divisor.
    RemU,
    /// Signed remainder, truncated (sign of the dividend); the dividend for a zero divisor; 0 for −1.
    RemS,
    /// Signed modulus, floored (sign of the divisor); the dividend for a zero divisor; 0 for −1.
    ModS,
    And,
    Or,
    Xor,
    /// The count's low 6 bits count.
    Shl,
    /// Logical; the count's low 6 bits count.
    ShrU,
    /// Arithmetic; the count's low 6 bits count.
    ShrS,
    /// `ash` with a run-time signed count: left when positive, right when negative (arithmetic);
    /// counts beyond 63 either way give 0, or the sign.
    AshS,
    /// The same, right shifts logical.
    AshU,
    MinU,
    MinS,
    MaxU,
    MaxS,
}

/// Comparison of 64 bits; yields 0 or 1. Pointers compare unsigned.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum CmpOp {
    Eq,
    Ne,
    LtU,
    LeU,
    GtU,
    GeU,
    LtS,
    LeS,
    GtS,
    GeS,
}

/// One operand, 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UnOp {
    /// Wrapping negation.
    Neg,
    /// All bits flipped.
    Not,
    /// Signed absolute value; the smallest number is itself.
    Abs,
    /// Position of the highest one bit; 0 for 0.
    Log2,
}

/// Read-modify-write.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum AtomicOp {
    Add,
    And,
    Or,
    Xor,
    Xchg,
    /// Reads with acquire ordering; its operand is 0. On 1 to 8 bytes.
    LoadAcquire,
    /// Writes with release ordering. On 1 to 8 bytes.
    StoreRelease,
}

/// A map operation by the helper of that name. Keys and values are pointers to bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MapOp {
    /// `(key)`: pointer to the value or null.
    Lookup,
    /// `(key, value, flags)`: 0 or a negative error.
    Update,
    /// `(key)`: 0 or a negative error.
    Delete,
}

impl MapOp {
    /// The number of its helper in the kernel's `enum bpf_func_id`.
    pub const fn helper(self) -> u32 {
        match self {
            MapOp::Lookup => 1,
            MapOp::Update => 2,
            MapOp::Delete => 3,
        }
    }
}

/// What an expression does. "Yields" is its value.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A number, in canonical form.
    Const(i64),
    /// The content of a variable of a scalar type (wherever it lives).
    Local(LocalId),
    /// Assigns a variable of a scalar type; yields the value. The operand has the variable's type.
    Set(LocalId, Box<Expr>),
    /// Address of a variable that lives in memory ([`super::LocalKind::Memory`]).
    AddrOf(LocalId),
    /// One after the other; yields the last one's value (0 when empty).
    Seq(Vec<Expr>),
    /// Tests for not zero. Both arms have the expression's type, or `Never`.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// Arithmetic. On pointers: `Add`/`Sub` of a number (the pointer on the left), `Sub` of two pointers.
    Bin(BinOp, Box<Expr>, Box<Expr>),
    /// Arithmetic on one operand.
    Un(UnOp, Box<Expr>),
    /// Comparison.
    Cmp(CmpOp, Box<Expr>, Box<Expr>),
    /// Takes the low bytes and extends them. Also: pointer ↔ number, pointer ↔ pointer (no code) when `ty`
    /// or the operand's type is a pointer.
    Cast(Box<Expr>),
    /// Reverses the low 2, 4 or 8 bytes, clears the others.
    Bswap(u8, Box<Expr>),
    /// Reads memory at pointer + offset: the expression's type says size and sign.
    Load {
        /// The pointer.
        ptr: Box<Expr>,
        /// Constant offset in bytes.
        off: i32,
    },
    /// Writes the low bytes of `value` at pointer + offset; yields them in canonical form of `mem`.
    Store {
        /// The type in memory (integer, bool, char or pointer).
        mem: Ty,
        /// The pointer.
        ptr: Box<Expr>,
        /// Constant offset in bytes.
        off: i32,
        /// What is written.
        value: Box<Expr>,
    },
    /// Copies `len` bytes (constant; not overlapping).
    Copy {
        /// Where to.
        dst: Box<Expr>,
        /// Where from.
        src: Box<Expr>,
        /// Bytes.
        len: u32,
    },
    /// Fills `len` bytes with the low byte of `value`.
    Fill {
        /// Where.
        dst: Box<Expr>,
        /// The byte.
        value: Box<Expr>,
        /// Bytes.
        len: u32,
    },
    /// 0 when the `len` bytes are equal, else 1 (compare for equality only).
    Differ {
        /// One.
        a: Box<Expr>,
        /// Other.
        b: Box<Expr>,
        /// Bytes.
        len: u32,
    },
    /// Atomic read-modify-write on 4 or 8 bytes; yields the old content in canonical form when `fetch`, else nothing.
    Atomic {
        /// Operation.
        op: AtomicOp,
        /// `u32`, `i32`, `u64` or `i64`.
        mem: IntTy,
        /// Whether the old content is wanted.
        fetch: bool,
        /// The pointer.
        ptr: Box<Expr>,
        /// Constant offset in bytes.
        off: i32,
        /// Operand.
        value: Box<Expr>,
    },
    /// Atomic compare-and-exchange; yields the old content in canonical form.
    CmpXchg {
        /// `u32`, `i32`, `u64` or `i64`.
        mem: IntTy,
        /// The pointer.
        ptr: Box<Expr>,
        /// Constant offset in bytes.
        off: i32,
        /// Compared with.
        expected: Box<Expr>,
        /// Written when equal.
        new: Box<Expr>,
    },
    /// The program's context.
    Ctx,
    /// A map as helpers take it.
    Map(MapId),
    /// Address of a global.
    Global(GlobalId),
    /// Address of constant bytes (string literals).
    Bytes(Rc<[u8]>),
    /// A map operation.
    MapOp {
        /// Which.
        op: MapOp,
        /// The map.
        map: MapId,
        /// Pointers and flags, see [`MapOp`].
        args: Vec<Expr>,
    },
    /// A helper, by number; yields r0 in the expression's type.
    Helper {
        /// Its number.
        id: u32,
        /// Up to five.
        args: Vec<Expr>,
    },
    /// A kernel function; yields r0 in the expression's type.
    Kfunc {
        /// Which.
        kfunc: &'static whistler_isa::Kfunc,
        /// Up to five.
        args: Vec<Expr>,
    },
    /// A subprogram; its arguments have the parameters' types.
    Call {
        /// Which.
        function: FunctionId,
        /// Up to five.
        args: Vec<Expr>,
    },
    /// 1 when `ptr + len <= end`, else 0. `ptr` then covers `len` bytes.
    InBounds {
        /// A packet pointer.
        ptr: Box<Expr>,
        /// Bytes.
        len: u32,
        /// The end of the packet.
        end: Box<Expr>,
    },
    /// A helper that calls back, as often as it likes while it runs: its arguments before the function, the
    /// function, and those behind the context pointer. Yields r0 in the expression's type.
    WithCallback {
        /// The helper's number.
        helper: u32,
        /// Arguments before the function.
        before: Vec<Expr>,
        /// The function.
        callback: Box<Callback>,
        /// Arguments behind the function and its context pointer.
        after: Vec<Expr>,
    },
    /// The address of a function of the unit that sees nothing of what is around it: a callback that runs later.
    FnAddr(FunctionId),
    /// Runs `body` while `test` is not zero; `Break(label)` leaves it, `Break(next)` goes on to the next
    /// round. Yields nothing. With `max`, it also ends after that many rounds.
    While {
        /// Leaves the loop.
        label: LabelId,
        /// Ends this round.
        next: LabelId,
        /// Tested before every round.
        test: Box<Expr>,
        /// The round.
        body: Box<Expr>,
        /// Most rounds.
        max: Option<u64>,
        /// How it is made, and what is known of the rounds.
        plan: LoopPlan,
    },
    /// Runs `body` with `var` = 0, 1, … below `count` (evaluated once, unsigned). `var` may not be assigned.
    /// Yields nothing.
    For {
        /// Leaves the loop.
        label: LabelId,
        /// Ends this round.
        next: LabelId,
        /// The counter, a `u64`.
        var: LocalId,
        /// How often.
        count: Box<Expr>,
        /// Most rounds; needed unless `count` is a constant.
        max: Option<u64>,
        /// The round.
        body: Box<Expr>,
        /// How it is made, and what is known of the rounds.
        plan: LoopPlan,
    },
    /// Yields the body's value, or that of the `Break` that left it.
    Block {
        /// Its name.
        label: LabelId,
        /// The body.
        body: Box<Expr>,
    },
    /// Leaves the block or loop with a value (loops: `Const(0)`). Never yields.
    Break(LabelId, Box<Expr>),
    /// Leaves the function. Never yields.
    Return(Box<Expr>),
    /// In what a `Break` or `Return` yields: ends what began where `taken` is set, around a loop or callback that is
    /// left. Where the loop or callback is a function of its own, it is done behind the call, by the function that began it.
    OnLeaving {
        /// What holds the object that is released, or stands for the region that ends.
        taken: LocalId,
        /// What ends it.
        release: Box<Expr>,
    },
    /// A number that only the running kernel's types tell: a field's byte offset, a size, existence, an enum value.
    CoreValue {
        /// The record.
        core: CoreId,
        /// Its value by the types we compile with.
        local: i64,
    },
    /// Reads a field directly (a trusted pointer, or the context) at an offset the running kernel tells. The expression's type says
    /// the local size and sign.
    CoreLoad {
        /// The record (a field byte offset).
        core: CoreId,
        /// Pointer to the start of the struct.
        ptr: Box<Expr>,
        /// The local offset.
        off: i32,
    },
    /// Writes a field in the same way; yields what it then holds, in canonical form of `mem`.
    CoreStore {
        /// The record (a field byte offset).
        core: CoreId,
        /// The type in memory.
        mem: Ty,
        /// Pointer to the start of the struct.
        ptr: Box<Expr>,
        /// The local offset.
        off: i32,
        /// What is written.
        value: Box<Expr>,
    },
}

/// A function inside of another one: it reads and assigns the variables around it, and may leave what is around
/// it (`Break` to an outer label, `Return`); its helper then stops calling.
#[derive(Clone, Debug)]
pub struct Callback {
    /// What it is called with, before the context pointer.
    pub params: Vec<LocalId>,
    /// `Break` to it ends this call with that value.
    pub label: LabelId,
    /// 0 to go on, 1 to be called no more.
    pub body: Expr,
}

/// How a loop is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoopPlan {
    /// No more rounds than this, whatever happens.
    pub bound: u64,
    /// The way; [`LoopWay::Auto`] until it is chosen.
    pub way: LoopWay,
    /// A variable that holds 0, though the verifier does not know it: what a loop counts from, so that one round is
    /// to the verifier as any other.
    pub zero: Option<LocalId>,
    /// Another one, which each count adds besides 1. What the verifier learns of one in a round would else be known of the
    /// other.
    pub more: Option<LocalId>,
}

impl LoopPlan {
    /// A loop whose way is still to be chosen.
    pub fn new(bound: u64) -> LoopPlan {
        LoopPlan { bound, way: LoopWay::Auto, zero: None, more: None }
    }
}

impl Expr {
    /// An expression.
    pub fn new(kind: ExprKind, ty: Ty, at: At) -> Expr {
        Expr { kind, ty, at }
    }

    /// The number it is known to be.
    pub fn as_const(&self) -> Option<i64> {
        match self.kind {
            ExprKind::Const(n) => Some(n),
            _ => None,
        }
    }

    /// Whether control never goes on after it.
    pub fn never(&self) -> bool {
        self.ty == Ty::Never
    }
}
