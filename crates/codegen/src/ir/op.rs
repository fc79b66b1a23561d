//! What instructions can say.

use smallvec::SmallVec;

use super::{Block, CoreId, Slot, Sym, Value};

/// What a value is, as far as code generation must know.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ty {
    /// A number.
    Int,
    /// A pointer into that space. Only 64-bit additions and subtractions, comparisons,
    /// loads, stores and calls may touch it.
    Ptr(Space),
}

/// Where a pointer points.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Space {
    /// The program's context: constant offsets from the base only, never folded into another register.
    Ctx,
    /// The stack frame.
    Stack,
    /// A map's value (possibly null before a test).
    MapValue,
    /// Packet data.
    Packet,
    /// The end of packet data: comparisons only.
    PacketEnd,
    /// A ring-buffer record or other memory a helper handed out.
    Mem,
    /// A global variable.
    Global,
    /// The map itself, as helpers take it.
    Map,
    /// A kernel object of known BTF type: may be read directly.
    Btf,
    /// Anything else: a number that is passed as an address.
    Other,
}

/// Operation width.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Width {
    /// Low halves; the result is zero-extended.
    W32,
    /// Whole registers.
    W64,
}

/// Size of a memory access.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Size {
    /// 1 byte.
    B1,
    /// 2 bytes.
    B2,
    /// 4 bytes.
    B4,
    /// 8 bytes.
    B8,
}

impl Size {
    /// In bytes.
    pub const fn bytes(self) -> u32 {
        match self {
            Size::B1 => 1,
            Size::B2 => 2,
            Size::B4 => 4,
            Size::B8 => 8,
        }
    }

    /// In bits.
    pub const fn bits(self) -> u32 {
        self.bytes() * 8
    }

    /// From bytes; `None` when no access has that size.
    pub const fn from_bytes(n: u32) -> Option<Size> {
        match n {
            1 => Some(Size::B1),
            2 => Some(Size::B2),
            4 => Some(Size::B4),
            8 => Some(Size::B8),
            _ => None,
        }
    }
}

/// Two-operand arithmetic, with the machine's semantics.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BinOp {
    /// Wrapping addition; pointer + number.
    Add,
    /// Wrapping subtraction; pointer − number; pointer − pointer.
    Sub,
    /// Wrapping multiplication.
    Mul,
    /// Unsigned division; by zero gives 0.
    UDiv,
    /// Signed division towards zero; by zero gives 0; the smallest number by −1 gives itself.
    SDiv,
    /// Unsigned remainder; by zero gives the dividend.
    UMod,
    /// Signed remainder with the dividend's sign; by zero gives the dividend; by −1 gives 0.
    SMod,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Shift left; the count's low 6 (5) bits count.
    Shl,
    /// Logical shift right; the count's low 6 (5) bits count.
    LShr,
    /// Arithmetic shift right; the count's low 6 (5) bits count.
    AShr,
}

/// One-operand arithmetic.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UnOp {
    /// Two's complement negation, 64 bits.
    Neg,
    /// Keeps the low bits (8, 16, 32), clears the others.
    Zext(Size),
    /// Repeats the sign bit of the low bits (8, 16, 32) above them.
    Sext(Size),
    /// Reverses the bytes of the low 2, 4 or 8 bytes, clears the others.
    Bswap(Size),
}

/// Comparison; the result is 0 or 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Cc {
    Eq,
    Ne,
    Ult,
    Ule,
    Ugt,
    Uge,
    Slt,
    Sle,
    Sgt,
    Sge,
    /// Whether the operands have a one bit in common.
    Test,
}

/// Read-modify-write operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum AtomicOp {
    Add,
    And,
    Or,
    Xor,
    /// Always fetches.
    Xchg,
    /// Reads; what comes behind in the program is not read or written before. Always fetches, and takes no operand
    /// but 0. On 1 to 8 bytes.
    LoadAcquire,
    /// Writes; what stands before in the program has been read and written by then. Never fetches. On 1 to 8 bytes.
    StoreRelease,
}

/// What a call calls.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Callee {
    /// A helper, by number; its effects stand in `whistler_isa`'s table.
    Helper(u32),
    /// A function of this module.
    Function(Sym),
    /// A kernel function.
    Kfunc(Sym),
}

/// An instruction's operation and operands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// A number.
    Const(i64),
    /// Arithmetic.
    Bin(BinOp, Width, Value, Value),
    /// Arithmetic on one operand.
    Un(UnOp, Value),
    /// 0 or 1.
    Cmp(Cc, Width, Value, Value),
    /// 1 when `ptr + len <= end` in the packet, else 0. `ptr` and `end` are of the packet.
    InBounds {
        /// A packet pointer.
        ptr: Value,
        /// Bytes that must be there.
        len: i32,
        /// The packet's end.
        end: Value,
    },
    /// Address of a byte of a stack slot.
    StackAddr(Slot, i32),
    /// Address of a map (no offset), a global's byte, or a function (a callback).
    SymAddr(Sym, i32),
    /// Memory read; extended to 64 bits by its sign or with zeros.
    Load {
        /// Access size.
        size: Size,
        /// Whether to sign-extend.
        signed: bool,
        /// Pointer.
        base: Value,
        /// Constant offset in bytes.
        off: i32,
    },
    /// Memory write of the low bytes.
    Store {
        /// Access size.
        size: Size,
        /// Pointer.
        base: Value,
        /// Constant offset in bytes.
        off: i32,
        /// What is written.
        value: Value,
    },
    /// Atomic read-modify-write on 4 or 8 bytes. Has a result (the old content) when `fetch`.
    Atomic {
        /// The operation.
        op: AtomicOp,
        /// 4 or 8 bytes.
        size: Size,
        /// Whether the old content is wanted.
        fetch: bool,
        /// Pointer.
        base: Value,
        /// Constant offset in bytes.
        off: i32,
        /// Operand.
        value: Value,
    },
    /// Atomic compare-and-exchange on 4 or 8 bytes; the result is the old content.
    CmpXchg {
        /// 4 or 8 bytes.
        size: Size,
        /// Pointer.
        base: Value,
        /// Constant offset in bytes.
        off: i32,
        /// Written when the old content equals this.
        expected: Value,
        /// What is written.
        new: Value,
    },
    /// Load whose offset and size are known only when loaded: never folded, widened or merged.
    /// The bits above the local size are *not* known to be zero.
    CoreLoad {
        /// Its relocation.
        core: CoreId,
        /// The local size.
        size: Size,
        /// Pointer to the start of the relocated object.
        base: Value,
        /// The local offset, written into the instruction.
        off: i32,
    },
    /// Store whose offset and size are known only when loaded.
    CoreStore {
        /// Its relocation.
        core: CoreId,
        /// The local size.
        size: Size,
        /// Pointer to the start of the relocated object.
        base: Value,
        /// The local offset, written into the instruction.
        off: i32,
        /// What is written.
        value: Value,
    },
    /// A number known only when loaded (field offset, size, existence, enum value, type id …).
    CoreValue {
        /// Its relocation.
        core: CoreId,
        /// The local value, written into the instruction.
        local: i64,
        /// Whether it may need 64 bits (enum values): loaded with `ld_imm64`.
        wide: bool,
    },
    /// 1, or 0 once the kernel has had enough of the loop (after millions of rounds). Only the branch that ends its
    /// block may use it; the way of 0 must leave the loop.
    MayGoto,
    /// Lookup in a map: a pointer to the value, or null.
    MapLookup {
        /// The map.
        map: Sym,
        /// Pointer to the key's bytes.
        key: Value,
    },
    /// A call; the result is r0.
    Call {
        /// What is called.
        callee: Callee,
        /// Up to five arguments.
        args: SmallVec<[Value; 5]>,
    },
}

/// A jump target with the arguments for the block's parameters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// Where to.
    pub block: Block,
    /// One value per parameter.
    pub args: SmallVec<[Value; 4]>,
}

/// How a block ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Terminator {
    /// Not there yet: only while a function is being built.
    Open,
    /// Goes on elsewhere.
    Jump(Target),
    /// Goes on at `then` when the value is not zero, else at `els`.
    Branch {
        /// The condition.
        cond: Value,
        /// Not zero.
        then: Target,
        /// Zero.
        els: Target,
    },
    /// Leaves the function with r0.
    Return(Value),
}
