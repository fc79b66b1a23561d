//! Decoding: every function of an object becomes a stretch of one vector of
//! [`Op`]s, one per slot, so that a jump is an index and the slot number of an
//! op is its distance from the function's start. Invariant: whatever can't be
//! run is decoded to [`Kind::Bad`] and faults only when it is reached.

use rustc_hash::{FxHashMap, FxHashSet};
use whistler_btf::CoreKind;
use whistler_isa::{Insn, op};
use whistler_object::{Function, Location, Symbol};

use crate::fault::FaultKind;
use crate::helpers;

/// The immediate of a load of a field of the kernel's types. Through the kernel's own pointers it can't fault there.
pub(crate) const PROBED: i64 = 1;

/// One decoded slot: 16 bytes, so that four fit into a cache line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub kind: Kind,
    pub dst: u8,
    pub src: u8,
    /// Memory offset; for jumps the index of the target; for [`Kind::Bad`] an index into the faults;
    /// for packet loads the size of the access.
    pub off: i32,
    /// Immediate, sign-extended; for acquire and release the size of the access; for loads [`PROBED`] or 0.
    pub imm: i64,
}

/// What a slot does. `K` takes the immediate, `X` the source register; 64 and 32 are operand widths.
#[rustfmt::skip]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Add64K, Add64X, Sub64K, Sub64X, Mul64K, Mul64X, Div64K, Div64X, SDiv64K, SDiv64X, Mod64K, Mod64X, SMod64K, SMod64X,
    Or64K, Or64X, And64K, And64X, Xor64K, Xor64X, Lsh64K, Lsh64X, Rsh64K, Rsh64X, Arsh64K, Arsh64X, Mov64K, Mov64X, Neg64,
    Add32K, Add32X, Sub32K, Sub32X, Mul32K, Mul32X, Div32K, Div32X, SDiv32K, SDiv32X, Mod32K, Mod32X, SMod32K, SMod32X,
    Or32K, Or32X, And32K, And32X, Xor32K, Xor32X, Lsh32K, Lsh32X, Rsh32K, Rsh32X, Arsh32K, Arsh32X, Mov32K, Mov32X, Neg32,
    MovSx8, MovSx16, MovSx32, MovSx8To32, MovSx16To32,
    Le16, Le32, Nop, Be16, Be32, Be64,
    LdImm64,
    LdxB, LdxH, LdxW, LdxDw, LdxSxB, LdxSxH, LdxSxW,
    StB, StH, StW, StDw, StxB, StxH, StxW, StxDw,
    Atomic32, Atomic64, LoadAcq, StoreRel,
    LdAbs, LdInd,
    Ja, MayGoto,
    Jeq64K, Jeq64X, Jne64K, Jne64X, Jgt64K, Jgt64X, Jge64K, Jge64X, Jlt64K, Jlt64X, Jle64K, Jle64X,
    Jsgt64K, Jsgt64X, Jsge64K, Jsge64X, Jslt64K, Jslt64X, Jsle64K, Jsle64X, Jset64K, Jset64X,
    Jeq32K, Jeq32X, Jne32K, Jne32X, Jgt32K, Jgt32X, Jge32K, Jge32X, Jlt32K, Jlt32X, Jle32K, Jle32X,
    Jsgt32K, Jsgt32X, Jsge32K, Jsge32X, Jslt32K, Jslt32X, Jsle32K, Jsle32X, Jset32K, Jset32X,
    CallHelper, TailCall, CallLocal, CallReg, CallKfunc, Exit,
    Bad,
}

/// A function in the code.
#[derive(Debug)]
pub(crate) struct FunctionCode {
    pub name: String,
    pub start: usize,
    locations: Vec<Location>,
    locs: Vec<u32>,
}

/// All code of a machine.
#[derive(Debug, Default)]
pub(crate) struct Code {
    pub ops: Vec<Op>,
    pub functions: Vec<FunctionCode>,
    /// Why each [`Kind::Bad`] is bad.
    pub faults: Vec<FaultKind>,
    /// Names of the kernel functions that calls mention.
    pub kfuncs: Vec<String>,
}

/// What a name in a relocation stands for in this machine.
pub(crate) trait Resolve {
    /// The 64-bit value of an `ld_imm64` of this symbol, or why there is none.
    fn address(&self, symbol: &Symbol) -> Result<u64, String>;
    /// Where a subprogram starts.
    fn function(&self, name: &str) -> Option<usize>;
    /// The address that stands for the function which starts there.
    fn function_address(&self, start: usize) -> u64;
}

impl Code {
    /// Appends a function; `len` slots and one that catches falling off the end.
    pub fn add(&mut self, function: &Function, names: &dyn Resolve) {
        let start = self.ops.len();
        let relocations: FxHashMap<usize, &Symbol> =
            function.relocations.iter().map(|r| (r.insn as usize, &r.symbol)).collect();
        let fields: FxHashSet<usize> = function
            .core
            .iter()
            .filter(|c| c.reloc.kind == CoreKind::FieldByteOffset)
            .map(|c| c.insn as usize)
            .collect();
        let insns = &function.insns;
        let mut decoder = Decoder { code: self, insns, start, names };
        let mut i = 0;
        while let Some(insn) = insns.get(i) {
            let decoded = decoder.decode(i, *insn, relocations.get(&i).copied());
            let mut op = decoded.unwrap_or_else(|fault| decoder.bad(fault));
            if insn.class() == op::LDX && op.kind != Kind::Bad {
                op.imm = if fields.contains(&i) { PROBED } else { 0 };
            }
            decoder.code.ops.push(op);
            i += 1;
            if insn.is_wide() && i < insns.len() {
                let middle = decoder.bad(FaultKind::BadJump("into the middle of a 64-bit immediate".into()));
                decoder.code.ops.push(middle);
                i += 1;
            }
        }
        let end = decoder.bad(FaultKind::BadJump("it runs past the last instruction".into()));
        self.ops.push(end);
        self.functions.push(FunctionCode {
            name: function.name.clone(),
            start,
            locations: function.locations.clone(),
            locs: function.locs.clone(),
        });
    }

    /// The function and slot that an index belongs to.
    pub fn locate(&self, pc: usize) -> Option<(&FunctionCode, usize)> {
        let at = self.functions.partition_point(|f| f.start <= pc).checked_sub(1)?;
        let f = self.functions.get(at)?;
        Some((f, pc - f.start))
    }
}

impl FunctionCode {
    /// The source location of a slot.
    pub fn location(&self, insn: usize) -> Option<&Location> {
        self.locations.get(*self.locs.get(insn)? as usize)
    }
}

struct Decoder<'a> {
    code: &'a mut Code,
    insns: &'a [Insn],
    start: usize,
    names: &'a dyn Resolve,
}

impl Decoder<'_> {
    fn bad(&mut self, fault: FaultKind) -> Op {
        self.code.faults.push(fault);
        Op { kind: Kind::Bad, dst: 0, src: 0, off: (self.code.faults.len() - 1) as i32, imm: 0 }
    }

    fn decode(&mut self, at: usize, i: Insn, symbol: Option<&Symbol>) -> Result<Op, FaultKind> {
        let undefined = || FaultKind::BadInstruction(format!("{i:?}"));
        if i.dst > 10 || (i.src > 10 && i.class() != op::LD) {
            return Err(FaultKind::BadInstruction(format!("{i:?} (registers are r0 to r10)")));
        }
        let writes_dst = match i.class() {
            op::ALU | op::ALU64 | op::LDX => true,
            op::LD => i.is_wide(),
            op::STX => i.code & 0xe0 == op::ATOMIC && i.imm == op::LOAD_ACQ,
            _ => false,
        };
        let fetches = i.code & 0xe7 == (op::STX | op::ATOMIC) && i.imm & op::FETCH != 0 && i.imm != op::CMPXCHG;
        if (writes_dst && i.dst == 10) || (fetches && i.src == 10) {
            return Err(FaultKind::BadInstruction(format!("{i:?} (r10 can't be written)")));
        }
        let make = |kind| Op { kind, dst: i.dst, src: i.src, off: i32::from(i.off), imm: i64::from(i.imm) };
        match i.class() {
            op::ALU64 | op::ALU => alu(i).map(make).ok_or_else(undefined),
            op::LDX => ldx(i).map(make).ok_or_else(undefined),
            op::ST => st(i).map(make).ok_or_else(undefined),
            op::STX => {
                let o = stx(i).map(make).ok_or_else(undefined)?;
                let ordered = matches!(o.kind, Kind::LoadAcq | Kind::StoreRel);
                Ok(if ordered { Op { imm: size(i), ..o } } else { o })
            }
            op::LD if i.is_wide() => self.wide(at, i, symbol),
            op::LD => ld_packet(i).map(|kind| Op { off: size(i) as i32, ..make(kind) }).ok_or_else(undefined),
            _ => self.jump(at, i, symbol),
        }
    }

    /// `ld_imm64`: a constant, or the address of what a relocation names.
    fn wide(&mut self, at: usize, i: Insn, symbol: Option<&Symbol>) -> Result<Op, FaultKind> {
        let Some(second) = self.insns.get(at + 1) else {
            return Err(FaultKind::BadInstruction("a 64-bit immediate load lacks its second slot".into()));
        };
        let constant = (u64::from(second.imm as u32) << 32) | u64::from(i.imm as u32);
        let value = match (symbol, i.src) {
            (Some(symbol), _) => self.names.address(symbol).map_err(FaultKind::Unresolved)?,
            (None, 0) => constant,
            (None, op::PSEUDO_FUNC) => {
                let start = self.target(at, i64::from(i.imm), "a function address")?;
                self.names.function_address(start)
            }
            (None, src) => {
                let text = format!("a 64-bit immediate of kind {src} names nothing (no relocation for it)");
                return Err(FaultKind::Unresolved(text));
            }
        };
        Ok(Op { kind: Kind::LdImm64, dst: i.dst, src: 0, off: 0, imm: value as i64 })
    }

    /// The index that a distance from slot `at` leads to, within the function.
    fn target(&self, at: usize, distance: i64, what: &str) -> Result<usize, FaultKind> {
        let to = at as i64 + 1 + distance;
        if to < 0 || to >= self.insns.len() as i64 {
            return Err(FaultKind::BadJump(format!("{what} leads to instruction {to} of {}", self.insns.len())));
        }
        Ok(self.start + to as usize)
    }

    fn jump(&mut self, at: usize, i: Insn, symbol: Option<&Symbol>) -> Result<Op, FaultKind> {
        let undefined = || FaultKind::BadInstruction(format!("{i:?}"));
        let mut o = Op { kind: Kind::Ja, dst: i.dst, src: i.src, off: 0, imm: i64::from(i.imm) };
        let wide = i.class() == op::JMP;
        match (i.code & 0xf0, wide, i.code & op::X) {
            (op::EXIT, true, op::K) => o.kind = Kind::Exit,
            (op::CALL, true, op::K) => return self.call(at, i, symbol),
            (op::CALL, true, _) => {
                // Old clang wrote the register into the immediate, newer ones into dst.
                o.kind = Kind::CallReg;
                if i.dst == 0 && (1..=10).contains(&i.imm) {
                    o.dst = i.imm as u8;
                }
            }
            (op::JA, true, op::K) => o.off = self.target(at, i64::from(i.off), "a jump")? as i32,
            (op::JA, false, op::K) => o.off = self.target(at, i64::from(i.imm), "a jump")? as i32,
            (op::JCOND, true, op::K) if i.src == 0 => {
                o.kind = Kind::MayGoto;
                o.off = self.target(at, i64::from(i.off), "a jump")? as i32;
            }
            _ => {
                o.kind = conditional(i).ok_or_else(undefined)?;
                o.off = self.target(at, i64::from(i.off), "a jump")? as i32;
            }
        }
        Ok(o)
    }

    fn call(&mut self, at: usize, i: Insn, symbol: Option<&Symbol>) -> Result<Op, FaultKind> {
        let mut o = Op { kind: Kind::CallHelper, dst: 0, src: 0, off: 0, imm: i64::from(i.imm) };
        match (symbol, i.src) {
            (Some(Symbol::Subprogram(name)), _) => {
                let start = self.names.function(name);
                let start = start.ok_or_else(|| FaultKind::Unresolved(format!("no subprogram `{name}`")))?;
                (o.kind, o.off) = (Kind::CallLocal, start as i32);
            }
            (Some(Symbol::Kfunc(name)), _) => {
                let known = self.code.kfuncs.iter().position(|k| k == name);
                let index = known.unwrap_or_else(|| {
                    self.code.kfuncs.push(name.clone());
                    self.code.kfuncs.len() - 1
                });
                (o.kind, o.off) = (Kind::CallKfunc, index as i32);
            }
            (Some(other), _) => return Err(FaultKind::Unresolved(format!("a call can't name {other:?}"))),
            (None, 0) if i.imm == helpers::TAIL_CALL => o.kind = Kind::TailCall,
            (None, 0) => match helpers::find(i.imm) {
                Some(index) => o.off = index as i32,
                None => return Err(FaultKind::Helper(helpers::name_of(i.imm))),
            },
            (None, op::PSEUDO_CALL) => {
                (o.kind, o.off) = (Kind::CallLocal, self.target(at, i64::from(i.imm), "a call")? as i32);
            }
            (None, op::PSEUDO_KFUNC_CALL) => {
                return Err(FaultKind::Kfunc(format!("BTF id {}", i.imm)));
            }
            _ => return Err(FaultKind::BadInstruction(format!("{i:?}"))),
        }
        Ok(o)
    }
}

fn alu(i: Insn) -> Option<Kind> {
    use Kind::*;
    let x = i.code & op::X != 0;
    let wide = i.class() == op::ALU64;
    let pick = |k64k, k64x, k32k, k32x| match (wide, x) {
        (true, false) => k64k,
        (true, true) => k64x,
        (false, false) => k32k,
        (false, true) => k32x,
    };
    let operation = i.code & 0xf0;
    // Only division, remainder and register moves give a meaning to the offset (RFC 9669 §4.1).
    if i.off != 0 && !matches!(operation, op::DIV | op::MOD | op::MOV) {
        return None;
    }
    Some(match (operation, i.off) {
        (op::ADD, _) => pick(Add64K, Add64X, Add32K, Add32X),
        (op::SUB, _) => pick(Sub64K, Sub64X, Sub32K, Sub32X),
        (op::MUL, _) => pick(Mul64K, Mul64X, Mul32K, Mul32X),
        (op::DIV, 0) => pick(Div64K, Div64X, Div32K, Div32X),
        (op::DIV, 1) => pick(SDiv64K, SDiv64X, SDiv32K, SDiv32X),
        (op::MOD, 0) => pick(Mod64K, Mod64X, Mod32K, Mod32X),
        (op::MOD, 1) => pick(SMod64K, SMod64X, SMod32K, SMod32X),
        (op::OR, _) => pick(Or64K, Or64X, Or32K, Or32X),
        (op::AND, _) => pick(And64K, And64X, And32K, And32X),
        (op::XOR, _) => pick(Xor64K, Xor64X, Xor32K, Xor32X),
        (op::LSH, _) => pick(Lsh64K, Lsh64X, Lsh32K, Lsh32X),
        (op::RSH, _) => pick(Rsh64K, Rsh64X, Rsh32K, Rsh32X),
        (op::ARSH, _) => pick(Arsh64K, Arsh64X, Arsh32K, Arsh32X),
        (op::NEG, _) if !x => pick(Neg64, Neg64, Neg32, Neg32),
        (op::MOV, 0) => pick(Mov64K, Mov64X, Mov32K, Mov32X),
        (op::MOV, 8) if x => pick(MovSx8, MovSx8, MovSx8To32, MovSx8To32),
        (op::MOV, 16) if x => pick(MovSx16, MovSx16, MovSx16To32, MovSx16To32),
        (op::MOV, 32) if x && wide => MovSx32,
        (op::END, _) => match (wide, x, i.imm) {
            (false, false, 16) => Le16,
            (false, false, 32) => Le32,
            (false, false, 64) => Nop,
            // This machine is little-endian, so "to big-endian" and "swap" are the same.
            (true, false, 16) | (false, true, 16) => Be16,
            (true, false, 32) | (false, true, 32) => Be32,
            (true, false, 64) | (false, true, 64) => Be64,
            _ => return None,
        },
        _ => return None,
    })
}

fn ldx(i: Insn) -> Option<Kind> {
    use Kind::*;
    Some(match (i.code & 0xe0, i.code & 0x18) {
        (op::MEM, op::B) => LdxB,
        (op::MEM, op::H) => LdxH,
        (op::MEM, op::W) => LdxW,
        (op::MEM, op::DW) => LdxDw,
        (op::MEMSX, op::B) => LdxSxB,
        (op::MEMSX, op::H) => LdxSxH,
        (op::MEMSX, op::W) => LdxSxW,
        _ => return None,
    })
}

fn st(i: Insn) -> Option<Kind> {
    use Kind::*;
    Some(match (i.code & 0xe0, i.code & 0x18) {
        (op::MEM, op::B) => StB,
        (op::MEM, op::H) => StH,
        (op::MEM, op::W) => StW,
        (op::MEM, op::DW) => StDw,
        _ => return None,
    })
}

fn stx(i: Insn) -> Option<Kind> {
    use Kind::*;
    let size = i.code & 0x18;
    Some(match (i.code & 0xe0, size) {
        (op::MEM, op::B) => StxB,
        (op::MEM, op::H) => StxH,
        (op::MEM, op::W) => StxW,
        (op::MEM, op::DW) => StxDw,
        (op::ATOMIC, _) if i.imm == op::LOAD_ACQ => LoadAcq,
        (op::ATOMIC, _) if i.imm == op::STORE_REL => StoreRel,
        (op::ATOMIC, op::W) if is_atomic(i.imm) => Atomic32,
        (op::ATOMIC, op::DW) if is_atomic(i.imm) => Atomic64,
        _ => return None,
    })
}

/// The bytes that a memory access moves.
fn size(i: Insn) -> i64 {
    match i.code & 0x18 {
        op::B => 1,
        op::H => 2,
        op::W => 4,
        _ => 8,
    }
}

fn is_atomic(imm: i32) -> bool {
    let add_or_and_xor = matches!((imm & !op::FETCH) as u32, 0x00 | 0x40 | 0x50 | 0xa0);
    add_or_and_xor || imm == op::XCHG || imm == op::CMPXCHG
}

fn ld_packet(i: Insn) -> Option<Kind> {
    match (i.code & 0xe0, i.code & 0x18) {
        (_, op::DW) => None,
        (op::ABS, _) => Some(Kind::LdAbs),
        (op::IND, _) => Some(Kind::LdInd),
        _ => None,
    }
}

fn conditional(i: Insn) -> Option<Kind> {
    use Kind::*;
    let x = i.code & op::X != 0;
    let wide = i.class() == op::JMP;
    let pick = |k64k, k64x, k32k, k32x| match (wide, x) {
        (true, false) => k64k,
        (true, true) => k64x,
        (false, false) => k32k,
        (false, true) => k32x,
    };
    Some(match i.code & 0xf0 {
        op::JEQ => pick(Jeq64K, Jeq64X, Jeq32K, Jeq32X),
        op::JNE => pick(Jne64K, Jne64X, Jne32K, Jne32X),
        op::JGT => pick(Jgt64K, Jgt64X, Jgt32K, Jgt32X),
        op::JGE => pick(Jge64K, Jge64X, Jge32K, Jge32X),
        op::JLT => pick(Jlt64K, Jlt64X, Jlt32K, Jlt32X),
        op::JLE => pick(Jle64K, Jle64X, Jle32K, Jle32X),
        op::JSGT => pick(Jsgt64K, Jsgt64X, Jsgt32K, Jsgt32X),
        op::JSGE => pick(Jsge64K, Jsge64X, Jsge32K, Jsge32X),
        op::JSLT => pick(Jslt64K, Jslt64X, Jslt32K, Jslt32X),
        op::JSLE => pick(Jsle64K, Jsle64X, Jsle32K, Jsle32X),
        op::JSET => pick(Jset64K, Jset64X, Jset32K, Jset32X),
        _ => return None,
    })
}
