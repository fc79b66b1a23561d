//! One instruction slot and its fields (RFC 9669 §3). Invariant: an [`Insn`]
//! is exactly the 8 bytes of a slot; a 64-bit immediate load is two of them.

/// A register number: r0 the result, r1–r5 arguments, r6–r9 kept over calls, r10 the frame pointer.
pub type Reg = u8;

/// One 8-byte slot of a program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Insn {
    /// Operation code.
    pub code: u8,
    /// Destination register, 0–10.
    pub dst: Reg,
    /// Source register, 0–10, or a pseudo value (`op::PSEUDO_*`).
    pub src: Reg,
    /// Signed offset.
    pub off: i16,
    /// Signed immediate.
    pub imm: i32,
}

/// Parts of operation codes (RFC 9669 §3–§5).
#[allow(missing_docs)]
pub mod op {
    // classes
    pub const LD: u8 = 0x00;
    pub const LDX: u8 = 0x01;
    pub const ST: u8 = 0x02;
    pub const STX: u8 = 0x03;
    pub const ALU: u8 = 0x04;
    pub const JMP: u8 = 0x05;
    pub const JMP32: u8 = 0x06;
    pub const ALU64: u8 = 0x07;
    // source operand
    pub const K: u8 = 0x00;
    pub const X: u8 = 0x08;
    // sizes of memory accesses
    pub const W: u8 = 0x00;
    pub const H: u8 = 0x08;
    pub const B: u8 = 0x10;
    pub const DW: u8 = 0x18;
    // modes of memory accesses
    pub const IMM: u8 = 0x00;
    pub const ABS: u8 = 0x20;
    pub const IND: u8 = 0x40;
    pub const MEM: u8 = 0x60;
    pub const MEMSX: u8 = 0x80;
    pub const ATOMIC: u8 = 0xc0;
    // arithmetic
    pub const ADD: u8 = 0x00;
    pub const SUB: u8 = 0x10;
    pub const MUL: u8 = 0x20;
    pub const DIV: u8 = 0x30;
    pub const OR: u8 = 0x40;
    pub const AND: u8 = 0x50;
    pub const LSH: u8 = 0x60;
    pub const RSH: u8 = 0x70;
    pub const NEG: u8 = 0x80;
    pub const MOD: u8 = 0x90;
    pub const XOR: u8 = 0xa0;
    pub const MOV: u8 = 0xb0;
    pub const ARSH: u8 = 0xc0;
    pub const END: u8 = 0xd0;
    // jumps
    pub const JA: u8 = 0x00;
    pub const JEQ: u8 = 0x10;
    pub const JGT: u8 = 0x20;
    pub const JGE: u8 = 0x30;
    pub const JSET: u8 = 0x40;
    pub const JNE: u8 = 0x50;
    pub const JSGT: u8 = 0x60;
    pub const JSGE: u8 = 0x70;
    pub const CALL: u8 = 0x80;
    pub const EXIT: u8 = 0x90;
    pub const JLT: u8 = 0xa0;
    pub const JLE: u8 = 0xb0;
    pub const JSLT: u8 = 0xc0;
    pub const JSLE: u8 = 0xd0;
    pub const JCOND: u8 = 0xe0;
    // immediates of atomic operations
    pub const FETCH: i32 = 0x01;
    pub const XCHG: i32 = 0xe0 | FETCH;
    pub const CMPXCHG: i32 = 0xf0 | FETCH;
    pub const LOAD_ACQ: i32 = 0x100;
    pub const STORE_REL: i32 = 0x110;
    // `src` of a 64-bit immediate load
    pub const PSEUDO_MAP_FD: u8 = 1;
    pub const PSEUDO_MAP_VALUE: u8 = 2;
    pub const PSEUDO_BTF_ID: u8 = 3;
    pub const PSEUDO_FUNC: u8 = 4;
    pub const PSEUDO_MAP_IDX: u8 = 5;
    pub const PSEUDO_MAP_IDX_VALUE: u8 = 6;
    // `src` of a call
    pub const PSEUDO_CALL: u8 = 1;
    pub const PSEUDO_KFUNC_CALL: u8 = 2;
    /// The code of the first slot of a 64-bit immediate load.
    pub const LD_IMM64: u8 = LD | IMM | DW;
}

impl Insn {
    /// A slot from its fields.
    pub const fn new(code: u8, dst: Reg, src: Reg, off: i16, imm: i32) -> Insn {
        Insn { code, dst, src, off, imm }
    }

    /// The two slots that load a 64-bit immediate; `src` is 0 or `op::PSEUDO_*`.
    pub const fn ld_imm64(dst: Reg, src: Reg, imm: u64) -> [Insn; 2] {
        [Insn::new(op::LD_IMM64, dst, src, 0, imm as u32 as i32), Insn::new(0, 0, 0, 0, (imm >> 32) as u32 as i32)]
    }

    /// Instruction class, one of `op::LD` … `op::ALU64`.
    pub const fn class(self) -> u8 {
        self.code & 0x07
    }

    /// Whether this is the first slot of a 64-bit immediate load.
    pub const fn is_wide(self) -> bool {
        self.code == op::LD_IMM64
    }

    /// The slot as it lies in memory of a little-endian machine.
    pub fn to_bytes(self) -> [u8; 8] {
        let [o0, o1] = self.off.to_le_bytes();
        let [i0, i1, i2, i3] = self.imm.to_le_bytes();
        [self.code, (self.src << 4) | (self.dst & 0x0f), o0, o1, i0, i1, i2, i3]
    }

    /// The slot that these bytes of a little-endian program hold.
    pub fn from_bytes(b: [u8; 8]) -> Insn {
        Insn {
            code: b[0],
            dst: b[1] & 0x0f,
            src: b[1] >> 4,
            off: i16::from_le_bytes([b[2], b[3]]),
            imm: i32::from_le_bytes([b[4], b[5], b[6], b[7]]),
        }
    }

    /// A whole program from bytes; `None` when the length is no multiple of 8.
    pub fn decode_all(bytes: &[u8]) -> Option<Vec<Insn>> {
        let (slots, rest) = bytes.as_chunks::<8>();
        rest.is_empty().then(|| slots.iter().map(|s| Insn::from_bytes(*s)).collect())
    }

    /// The bytes of a whole program.
    pub fn encode_all(insns: &[Insn]) -> Vec<u8> {
        insns.iter().flat_map(|i| i.to_bytes()).collect()
    }
}

impl std::fmt::Debug for Insn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02x} r{} r{} {:+} {:#x}", self.code, self.dst, self.src, self.off, self.imm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip() {
        let i = Insn::new(op::STX | op::MEM | op::DW, 10, 3, -8, -1);
        assert_eq!(i.to_bytes(), [0x7b, 0x3a, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(Insn::from_bytes(i.to_bytes()), i);
        assert_eq!(Insn::decode_all(&[0; 9]), None);
        let [a, b] = Insn::ld_imm64(1, 0, 0x1122_3344_5566_7788);
        assert_eq!((a.imm as u32, b.imm as u32), (0x5566_7788, 0x1122_3344));
    }
}
