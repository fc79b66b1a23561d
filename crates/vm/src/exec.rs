//! The interpreter loop. Invariant: it gives exactly the results RFC 9669
//! defines (§4.1 division by zero and overflow, masked shift counts, zeroed
//! upper halves after 32-bit operations), and every path consumes budget.

use whistler_isa::op;

use crate::code::{Code, Kind, PROBED};
use crate::fault::{FaultKind, Run, Trap, misuse};
use crate::helpers;
use crate::kfuncs;
use crate::machine::State;
use crate::memory::{MAX_FRAMES, Memory};

/// Register contents, padded so that a masked index is always inside.
pub(crate) type Registers = [u64; 16];

/// What r1–r5 hold after a call, and registers that were never set: nothing anybody should use.
pub(crate) const POISON: u64 = 0x5aa5_dead_0000_0bad;
/// What a `may_goto` counts down from: `BPF_MAX_LOOPS` in linux/bpf.h.
const MAY_GOTO_LOOPS: u32 = 8 * 1024 * 1024;

/// A function that is running.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// Where its caller goes on.
    return_to: usize,
    /// The caller's r6–r9.
    saved: [u64; 4],
    /// Iterations left to `may_goto`.
    loops: u32,
}

impl Frame {
    pub const OUTERMOST: Frame = Frame { return_to: usize::MAX, saved: [0; 4], loops: MAY_GOTO_LOOPS };
}

/// The machine while it runs: code that stays, state that changes.
pub(crate) struct Cpu<'m> {
    pub code: &'m Code,
    pub state: &'m mut State,
}

impl Cpu<'_> {
    /// Calls a function from a helper (a callback) and gives its r0.
    pub fn call(&mut self, start: usize, args: [u64; 5]) -> Run<u64> {
        self.push_frame(usize::MAX, [0; 4])?;
        let mut r: Registers = [POISON; 16];
        if let Some(to) = r.get_mut(1..6) {
            to.copy_from_slice(&args);
        }
        r[10] = Memory::frame_pointer(self.state.frames.len() - 1);
        let result = self.run(start, &mut r)?;
        self.pop_frame();
        Ok(result)
    }

    fn push_frame(&mut self, return_to: usize, saved: [u64; 4]) -> Run<()> {
        let depth = self.state.frames.len();
        if depth >= MAX_FRAMES {
            return Err(FaultKind::CallDepth(MAX_FRAMES).into());
        }
        self.state.frames.push(Frame { return_to, saved, loops: MAY_GOTO_LOOPS });
        self.state.mem.enter_frame(depth);
        Ok(())
    }

    fn pop_frame(&mut self) -> Option<Frame> {
        let frame = self.state.frames.pop();
        self.state.mem.depth = self.state.frames.len();
        frame
    }

    /// Runs from `start` until the present frame exits; gives r0.
    pub fn run(&mut self, start: usize, r: &mut Registers) -> Run<u64> {
        let mut pc = start;
        self.steps(&mut pc, r).map_err(|mut trap| {
            if trap.pc.is_none() {
                trap.pc = Some(pc.saturating_sub(1));
                trap.callers = self.state.frames.iter().rev().map(|f| f.return_to).collect();
            }
            trap
        })
    }

    // One line per operation: a table to be read across.
    #[rustfmt::skip]
    fn steps(&mut self, at: &mut usize, r: &mut Registers) -> Run<u64> {
        let base = self.state.frames.len();
        let code = self.code;
        let mut pc = *at;
        // Kept in a register; written back wherever somebody else may look at it.
        let mut left = self.state.left;
        macro_rules! tried {
            ($e:expr) => {
                match $e {
                    Ok(value) => value,
                    Err(trap) => {
                        *at = pc;
                        self.state.left = left;
                        return Err(trap);
                    }
                }
            };
        }
        // A field of the kernel's types: where nothing is, the kernel's handler of such loads puts a 0.
        macro_rules! read {
            ($i:expr, $a:expr, $e:expr) => {
                match $e {
                    Err(_) if $i.imm == PROBED && !Memory::is_pointer($a) => Default::default(),
                    result => tried!(result),
                }
            };
        }
        loop {
            let Some(i) = code.ops.get(pc) else {
                *at = pc + 1;
                return Err(FaultKind::BadJump("it runs past the last instruction".into()).into());
            };
            if left == 0 {
                *at = pc + 1;
                self.state.left = 0;
                return Err(FaultKind::Budget(self.state.budget).into());
            }
            left -= 1;
            pc += 1;
            macro_rules! d {
                () => {
                    r[(i.dst & 15) as usize]
                };
            }
            macro_rules! s {
                () => {
                    r[(i.src & 15) as usize]
                };
            }
            macro_rules! to {
                () => {
                    d!().wrapping_add(i.off as i64 as u64)
                };
            }
            macro_rules! from {
                () => {
                    s!().wrapping_add(i.off as i64 as u64)
                };
            }
            match i.kind {
                Kind::Add64K => { let (a, b) = (d!(), i.imm as u64); d!() = a.wrapping_add(b); }
                Kind::Add64X => { let (a, b) = (d!(), s!()); d!() = a.wrapping_add(b); }
                Kind::Sub64K => { let (a, b) = (d!(), i.imm as u64); d!() = a.wrapping_sub(b); }
                Kind::Sub64X => { let (a, b) = (d!(), s!()); d!() = a.wrapping_sub(b); }
                Kind::Mul64K => { let (a, b) = (d!(), i.imm as u64); d!() = a.wrapping_mul(b); }
                Kind::Mul64X => { let (a, b) = (d!(), s!()); d!() = a.wrapping_mul(b); }
                Kind::Div64K => { let (a, b) = (d!(), i.imm as u64); d!() = a.checked_div(b).unwrap_or(0); }
                Kind::Div64X => { let (a, b) = (d!(), s!()); d!() = a.checked_div(b).unwrap_or(0); }
                Kind::SDiv64K => { let (a, b) = (d!(), i.imm as u64); d!() = if b == 0 { 0 } else { (a as i64).wrapping_div(b as i64) as u64 }; }
                Kind::SDiv64X => { let (a, b) = (d!(), s!()); d!() = if b == 0 { 0 } else { (a as i64).wrapping_div(b as i64) as u64 }; }
                Kind::Mod64K => { let (a, b) = (d!(), i.imm as u64); d!() = a.checked_rem(b).unwrap_or(a); }
                Kind::Mod64X => { let (a, b) = (d!(), s!()); d!() = a.checked_rem(b).unwrap_or(a); }
                Kind::SMod64K => { let (a, b) = (d!(), i.imm as u64); d!() = if b == 0 { a } else { (a as i64).wrapping_rem(b as i64) as u64 }; }
                Kind::SMod64X => { let (a, b) = (d!(), s!()); d!() = if b == 0 { a } else { (a as i64).wrapping_rem(b as i64) as u64 }; }
                Kind::Or64K => { let (a, b) = (d!(), i.imm as u64); d!() = a | b; }
                Kind::Or64X => { let (a, b) = (d!(), s!()); d!() = a | b; }
                Kind::And64K => { let (a, b) = (d!(), i.imm as u64); d!() = a & b; }
                Kind::And64X => { let (a, b) = (d!(), s!()); d!() = a & b; }
                Kind::Xor64K => { let (a, b) = (d!(), i.imm as u64); d!() = a ^ b; }
                Kind::Xor64X => { let (a, b) = (d!(), s!()); d!() = a ^ b; }
                Kind::Lsh64K => { let (a, b) = (d!(), i.imm as u64); d!() = a.wrapping_shl(b as u32); }
                Kind::Lsh64X => { let (a, b) = (d!(), s!()); d!() = a.wrapping_shl(b as u32); }
                Kind::Rsh64K => { let (a, b) = (d!(), i.imm as u64); d!() = a.wrapping_shr(b as u32); }
                Kind::Rsh64X => { let (a, b) = (d!(), s!()); d!() = a.wrapping_shr(b as u32); }
                Kind::Arsh64K => { let (a, b) = (d!(), i.imm as u64); d!() = (a as i64).wrapping_shr(b as u32) as u64; }
                Kind::Arsh64X => { let (a, b) = (d!(), s!()); d!() = (a as i64).wrapping_shr(b as u32) as u64; }
                Kind::Add32K => { let (a, b) = (d!() as u32, i.imm as u32); d!() = u64::from(a.wrapping_add(b)); }
                Kind::Add32X => { let (a, b) = (d!() as u32, s!() as u32); d!() = u64::from(a.wrapping_add(b)); }
                Kind::Sub32K => { let (a, b) = (d!() as u32, i.imm as u32); d!() = u64::from(a.wrapping_sub(b)); }
                Kind::Sub32X => { let (a, b) = (d!() as u32, s!() as u32); d!() = u64::from(a.wrapping_sub(b)); }
                Kind::Mul32K => { let (a, b) = (d!() as u32, i.imm as u32); d!() = u64::from(a.wrapping_mul(b)); }
                Kind::Mul32X => { let (a, b) = (d!() as u32, s!() as u32); d!() = u64::from(a.wrapping_mul(b)); }
                Kind::Div32K => { let (a, b) = (d!() as u32, i.imm as u32); d!() = u64::from(a.checked_div(b).unwrap_or(0)); }
                Kind::Div32X => { let (a, b) = (d!() as u32, s!() as u32); d!() = u64::from(a.checked_div(b).unwrap_or(0)); }
                Kind::SDiv32K => { let (a, b) = (d!() as u32, i.imm as u32); d!() = u64::from(if b == 0 { 0 } else { (a as i32).wrapping_div(b as i32) as u32 }); }
                Kind::SDiv32X => { let (a, b) = (d!() as u32, s!() as u32); d!() = u64::from(if b == 0 { 0 } else { (a as i32).wrapping_div(b as i32) as u32 }); }
                Kind::Mod32K => { let (a, b) = (d!() as u32, i.imm as u32); d!() = u64::from(a.checked_rem(b).unwrap_or(a)); }
                Kind::Mod32X => { let (a, b) = (d!() as u32, s!() as u32); d!() = u64::from(a.checked_rem(b).unwrap_or(a)); }
                Kind::SMod32K => { let (a, b) = (d!() as u32, i.imm as u32); d!() = u64::from(if b == 0 { a } else { (a as i32).wrapping_rem(b as i32) as u32 }); }
                Kind::SMod32X => { let (a, b) = (d!() as u32, s!() as u32); d!() = u64::from(if b == 0 { a } else { (a as i32).wrapping_rem(b as i32) as u32 }); }
                Kind::Or32K => { let (a, b) = (d!() as u32, i.imm as u32); d!() = u64::from(a | b); }
                Kind::Or32X => { let (a, b) = (d!() as u32, s!() as u32); d!() = u64::from(a | b); }
                Kind::And32K => { let (a, b) = (d!() as u32, i.imm as u32); d!() = u64::from(a & b); }
                Kind::And32X => { let (a, b) = (d!() as u32, s!() as u32); d!() = u64::from(a & b); }
                Kind::Xor32K => { let (a, b) = (d!() as u32, i.imm as u32); d!() = u64::from(a ^ b); }
                Kind::Xor32X => { let (a, b) = (d!() as u32, s!() as u32); d!() = u64::from(a ^ b); }
                Kind::Lsh32K => { let (a, b) = (d!() as u32, i.imm as u32); d!() = u64::from(a.wrapping_shl(b)); }
                Kind::Lsh32X => { let (a, b) = (d!() as u32, s!() as u32); d!() = u64::from(a.wrapping_shl(b)); }
                Kind::Rsh32K => { let (a, b) = (d!() as u32, i.imm as u32); d!() = u64::from(a.wrapping_shr(b)); }
                Kind::Rsh32X => { let (a, b) = (d!() as u32, s!() as u32); d!() = u64::from(a.wrapping_shr(b)); }
                Kind::Arsh32K => { let (a, b) = (d!() as u32, i.imm as u32); d!() = u64::from((a as i32).wrapping_shr(b) as u32); }
                Kind::Arsh32X => { let (a, b) = (d!() as u32, s!() as u32); d!() = u64::from((a as i32).wrapping_shr(b) as u32); }
                Kind::Mov64K => d!() = i.imm as u64,
                Kind::Mov64X => d!() = s!(),
                Kind::Mov32K => d!() = u64::from(i.imm as u32),
                Kind::Mov32X => d!() = u64::from(s!() as u32),
                Kind::Neg64 => d!() = d!().wrapping_neg(),
                Kind::Neg32 => d!() = u64::from((d!() as u32).wrapping_neg()),
                Kind::MovSx8 => d!() = i64::from(s!() as i8) as u64,
                Kind::MovSx16 => d!() = i64::from(s!() as i16) as u64,
                Kind::MovSx32 => d!() = i64::from(s!() as i32) as u64,
                Kind::MovSx8To32 => d!() = u64::from(i32::from(s!() as i8) as u32),
                Kind::MovSx16To32 => d!() = u64::from(i32::from(s!() as i16) as u32),
                Kind::Le16 => d!() = u64::from(d!() as u16),
                Kind::Le32 => d!() = u64::from(d!() as u32),
                Kind::Nop => {}
                Kind::Be16 => d!() = u64::from((d!() as u16).swap_bytes()),
                Kind::Be32 => d!() = u64::from((d!() as u32).swap_bytes()),
                Kind::Be64 => d!() = d!().swap_bytes(),
                Kind::LdImm64 => { d!() = i.imm as u64; pc += 1; }
                Kind::LdxB => { let a = from!(); d!() = u64::from(u8::from_le_bytes(read!(i, a, self.state.mem.load::<1>(a)))); }
                Kind::LdxH => { let a = from!(); d!() = u64::from(u16::from_le_bytes(read!(i, a, self.state.mem.load::<2>(a)))); }
                Kind::LdxW => { let a = from!(); d!() = read!(i, a, self.state.mem.load_word(a)); }
                Kind::LdxDw => { let a = from!(); d!() = u64::from_le_bytes(read!(i, a, self.state.mem.load::<8>(a))); }
                Kind::LdxSxB => { let a = from!(); d!() = i64::from(i8::from_le_bytes(read!(i, a, self.state.mem.load::<1>(a)))) as u64; }
                Kind::LdxSxH => { let a = from!(); d!() = i64::from(i16::from_le_bytes(read!(i, a, self.state.mem.load::<2>(a)))) as u64; }
                Kind::LdxSxW => { let a = from!(); d!() = i64::from(i32::from_le_bytes(read!(i, a, self.state.mem.load::<4>(a)))) as u64; }
                Kind::StB => { let a = to!(); tried!(self.state.mem.store(a, (i.imm as u8).to_le_bytes())); }
                Kind::StH => { let a = to!(); tried!(self.state.mem.store(a, (i.imm as u16).to_le_bytes())); }
                Kind::StW => { let a = to!(); tried!(self.state.mem.store(a, (i.imm as u32).to_le_bytes())); }
                Kind::StDw => { let a = to!(); tried!(self.state.mem.store(a, i.imm.to_le_bytes())); }
                Kind::StxB => { let a = to!(); tried!(self.state.mem.store(a, (s!() as u8).to_le_bytes())); }
                Kind::StxH => { let a = to!(); tried!(self.state.mem.store(a, (s!() as u16).to_le_bytes())); }
                Kind::StxW => { let a = to!(); tried!(self.state.mem.store(a, (s!() as u32).to_le_bytes())); }
                Kind::StxDw => { let a = to!(); tried!(self.state.mem.store(a, s!().to_le_bytes())); }
                Kind::Atomic64 => {
                    let (a, operand) = (to!(), s!());
                    let old = u64::from_le_bytes(tried!(aligned(a, 8).and_then(|()| self.state.mem.load::<8>(a))));
                    let new = if i.imm as i32 == op::CMPXCHG { if old == r[0] { operand } else { old } } else { atomic(i.imm as i32, old, operand) };
                    tried!(self.state.mem.store(a, new.to_le_bytes()));
                    fetch(r, i.imm as i32, i.src, old);
                }
                Kind::Atomic32 => {
                    let (a, operand) = (to!(), u64::from(s!() as u32));
                    let old = u64::from(u32::from_le_bytes(tried!(aligned(a, 4).and_then(|()| self.state.mem.load::<4>(a)))));
                    let new = if i.imm as i32 == op::CMPXCHG { if old == u64::from(r[0] as u32) { operand } else { old } } else { atomic(i.imm as i32, old, operand) };
                    tried!(self.state.mem.store(a, (new as u32).to_le_bytes()));
                    fetch(r, i.imm as i32, i.src, old);
                }
                Kind::LoadAcq => {
                    let a = from!();
                    tried!(aligned(a, i.imm as u64));
                    d!() = match i.imm {
                        1 => u64::from(u8::from_le_bytes(tried!(self.state.mem.load::<1>(a)))),
                        2 => u64::from(u16::from_le_bytes(tried!(self.state.mem.load::<2>(a)))),
                        4 => u64::from(u32::from_le_bytes(tried!(self.state.mem.load::<4>(a)))),
                        _ => u64::from_le_bytes(tried!(self.state.mem.load::<8>(a))),
                    };
                }
                Kind::StoreRel => {
                    let a = to!();
                    tried!(aligned(a, i.imm as u64));
                    match i.imm {
                        1 => tried!(self.state.mem.store(a, (s!() as u8).to_le_bytes())),
                        2 => tried!(self.state.mem.store(a, (s!() as u16).to_le_bytes())),
                        4 => tried!(self.state.mem.store(a, (s!() as u32).to_le_bytes())),
                        _ => tried!(self.state.mem.store(a, s!().to_le_bytes())),
                    }
                }
                Kind::LdAbs | Kind::LdInd => {
                    let index = if i.kind == Kind::LdInd { i64::from(s!() as u32 as i32) } else { 0 };
                    let value = helpers::packet_word(self.state, i.imm.wrapping_add(index), i.off as usize);
                    poison(r);
                    match value {
                        Some(value) => r[0] = value,
                        // The program ends with 0 (RFC 9669 §5.5 leaves it to the runtime; Linux does this).
                        None => {
                            r[0] = 0;
                            if self.state.frames.len() == base {
                                self.state.left = left;
                                return Ok(0);
                            }
                            self.leave(&mut pc, r);
                        }
                    }
                }
                Kind::Ja => pc = i.off as usize,
                Kind::MayGoto => {
                    match self.state.frames.last_mut() {
                        Some(f) if f.loops > 0 => f.loops -= 1,
                        _ => pc = i.off as usize,
                    }
                }
                Kind::Jeq64K => { let (a, b) = (d!(), i.imm as u64); if a == b { pc = i.off as usize; } }
                Kind::Jeq64X => { let (a, b) = (d!(), s!()); if a == b { pc = i.off as usize; } }
                Kind::Jne64K => { let (a, b) = (d!(), i.imm as u64); if a != b { pc = i.off as usize; } }
                Kind::Jne64X => { let (a, b) = (d!(), s!()); if a != b { pc = i.off as usize; } }
                Kind::Jgt64K => { let (a, b) = (d!(), i.imm as u64); if a > b { pc = i.off as usize; } }
                Kind::Jgt64X => { let (a, b) = (d!(), s!()); if a > b { pc = i.off as usize; } }
                Kind::Jge64K => { let (a, b) = (d!(), i.imm as u64); if a >= b { pc = i.off as usize; } }
                Kind::Jge64X => { let (a, b) = (d!(), s!()); if a >= b { pc = i.off as usize; } }
                Kind::Jlt64K => { let (a, b) = (d!(), i.imm as u64); if a < b { pc = i.off as usize; } }
                Kind::Jlt64X => { let (a, b) = (d!(), s!()); if a < b { pc = i.off as usize; } }
                Kind::Jle64K => { let (a, b) = (d!(), i.imm as u64); if a <= b { pc = i.off as usize; } }
                Kind::Jle64X => { let (a, b) = (d!(), s!()); if a <= b { pc = i.off as usize; } }
                Kind::Jsgt64K => { let (a, b) = (d!() as i64, i.imm); if a > b { pc = i.off as usize; } }
                Kind::Jsgt64X => { let (a, b) = (d!() as i64, s!() as i64); if a > b { pc = i.off as usize; } }
                Kind::Jsge64K => { let (a, b) = (d!() as i64, i.imm); if a >= b { pc = i.off as usize; } }
                Kind::Jsge64X => { let (a, b) = (d!() as i64, s!() as i64); if a >= b { pc = i.off as usize; } }
                Kind::Jslt64K => { let (a, b) = (d!() as i64, i.imm); if a < b { pc = i.off as usize; } }
                Kind::Jslt64X => { let (a, b) = (d!() as i64, s!() as i64); if a < b { pc = i.off as usize; } }
                Kind::Jsle64K => { let (a, b) = (d!() as i64, i.imm); if a <= b { pc = i.off as usize; } }
                Kind::Jsle64X => { let (a, b) = (d!() as i64, s!() as i64); if a <= b { pc = i.off as usize; } }
                Kind::Jset64K => { let (a, b) = (d!(), i.imm as u64); if a & b != 0 { pc = i.off as usize; } }
                Kind::Jset64X => { let (a, b) = (d!(), s!()); if a & b != 0 { pc = i.off as usize; } }
                Kind::Jeq32K => { let (a, b) = (d!() as u32, i.imm as u32); if a == b { pc = i.off as usize; } }
                Kind::Jeq32X => { let (a, b) = (d!() as u32, s!() as u32); if a == b { pc = i.off as usize; } }
                Kind::Jne32K => { let (a, b) = (d!() as u32, i.imm as u32); if a != b { pc = i.off as usize; } }
                Kind::Jne32X => { let (a, b) = (d!() as u32, s!() as u32); if a != b { pc = i.off as usize; } }
                Kind::Jgt32K => { let (a, b) = (d!() as u32, i.imm as u32); if a > b { pc = i.off as usize; } }
                Kind::Jgt32X => { let (a, b) = (d!() as u32, s!() as u32); if a > b { pc = i.off as usize; } }
                Kind::Jge32K => { let (a, b) = (d!() as u32, i.imm as u32); if a >= b { pc = i.off as usize; } }
                Kind::Jge32X => { let (a, b) = (d!() as u32, s!() as u32); if a >= b { pc = i.off as usize; } }
                Kind::Jlt32K => { let (a, b) = (d!() as u32, i.imm as u32); if a < b { pc = i.off as usize; } }
                Kind::Jlt32X => { let (a, b) = (d!() as u32, s!() as u32); if a < b { pc = i.off as usize; } }
                Kind::Jle32K => { let (a, b) = (d!() as u32, i.imm as u32); if a <= b { pc = i.off as usize; } }
                Kind::Jle32X => { let (a, b) = (d!() as u32, s!() as u32); if a <= b { pc = i.off as usize; } }
                Kind::Jsgt32K => { let (a, b) = (d!() as i32, i.imm as i32); if a > b { pc = i.off as usize; } }
                Kind::Jsgt32X => { let (a, b) = (d!() as i32, s!() as i32); if a > b { pc = i.off as usize; } }
                Kind::Jsge32K => { let (a, b) = (d!() as i32, i.imm as i32); if a >= b { pc = i.off as usize; } }
                Kind::Jsge32X => { let (a, b) = (d!() as i32, s!() as i32); if a >= b { pc = i.off as usize; } }
                Kind::Jslt32K => { let (a, b) = (d!() as i32, i.imm as i32); if a < b { pc = i.off as usize; } }
                Kind::Jslt32X => { let (a, b) = (d!() as i32, s!() as i32); if a < b { pc = i.off as usize; } }
                Kind::Jsle32K => { let (a, b) = (d!() as i32, i.imm as i32); if a <= b { pc = i.off as usize; } }
                Kind::Jsle32X => { let (a, b) = (d!() as i32, s!() as i32); if a <= b { pc = i.off as usize; } }
                Kind::Jset32K => { let (a, b) = (d!() as u32, i.imm as u32); if a & b != 0 { pc = i.off as usize; } }
                Kind::Jset32X => { let (a, b) = (d!() as u32, s!() as u32); if a & b != 0 { pc = i.off as usize; } }
                Kind::CallHelper => {
                    self.state.left = left;
                    let result = helpers::call(self, i.off as usize, [r[1], r[2], r[3], r[4], r[5]]);
                    left = self.state.left;
                    r[0] = tried!(result);
                    poison(r);
                }
                Kind::CallKfunc => {
                    self.state.left = left;
                    let result = kfuncs::call(self, i.off as usize, [r[1], r[2], r[3], r[4], r[5]]);
                    left = self.state.left;
                    r[0] = tried!(result);
                    poison(r);
                }
                Kind::TailCall => {
                    match tried!(helpers::tail_call(self.state, r[2], r[3])) {
                        Some(start) => {
                            pc = start;
                            let context = r[1];
                            *r = [POISON; 16];
                            r[1] = context;
                            let frame = self.state.frames.len() - 1;
                            r[10] = Memory::frame_pointer(frame);
                            self.state.mem.enter_frame(frame);
                        }
                        None => { r[0] = (-1i64) as u64; poison(r); }
                    }
                }
                Kind::CallLocal => {
                    tried!(self.push_frame(pc, [r[6], r[7], r[8], r[9]]));
                    r[10] = Memory::frame_pointer(self.state.frames.len() - 1);
                    pc = i.off as usize;
                }
                Kind::CallReg => {
                    let target = d!();
                    match Memory::as_function(target) {
                        Some(start) => {
                            tried!(self.push_frame(pc, [r[6], r[7], r[8], r[9]]));
                            r[10] = Memory::frame_pointer(self.state.frames.len() - 1);
                            pc = start;
                        }
                        None => {
                            let helper = i32::try_from(target).ok().and_then(helpers::find);
                            let helper = tried!(helper.ok_or_else(|| misuse(format!("{target:#x} is neither the address of a function nor a helper of this machine"))));
                            self.state.left = left;
                            let result = helpers::call(self, helper, [r[1], r[2], r[3], r[4], r[5]]);
                            left = self.state.left;
                            r[0] = tried!(result);
                            poison(r);
                        }
                    }
                }
                Kind::Exit => {
                    if self.state.frames.len() == base {
                        self.state.left = left;
                        return Ok(r[0]);
                    }
                    self.leave(&mut pc, r);
                }
                Kind::Bad => {
                    let fault = code.faults.get(i.off as usize).cloned();
                    tried!(Err(fault.unwrap_or(FaultKind::BadInstruction("unknown".into())).into()))
                }
            }
        }
    }

    /// Goes back to the caller's frame.
    fn leave(&mut self, pc: &mut usize, r: &mut Registers) {
        if let Some(frame) = self.pop_frame() {
            *pc = frame.return_to;
            [r[6], r[7], r[8], r[9]] = frame.saved;
            r[10] = Memory::frame_pointer(self.state.frames.len().saturating_sub(1));
        }
    }
}

fn poison(r: &mut Registers) {
    for x in &mut r[1..6] {
        *x = POISON;
    }
}

/// The verifier takes atomics on natural boundaries only.
fn aligned(addr: u64, size: u64) -> Run<()> {
    if addr.is_multiple_of(size) {
        return Ok(());
    }
    #[cold]
    fn refuse(addr: u64, size: u64) -> Box<Trap> {
        misuse(format!("an atomic access of {size} bytes at {addr:#x}, which is no multiple of {size}"))
    }
    Err(refuse(addr, size))
}

/// What an atomic operation leaves in memory; the caller cuts it to width.
fn atomic(operation: i32, old: u64, operand: u64) -> u64 {
    match (operation & !op::FETCH) as u8 {
        op::ADD => old.wrapping_add(operand),
        op::OR => old | operand,
        op::AND => old & operand,
        op::XOR => old ^ operand,
        _ => operand,
    }
}

/// Where the old value goes.
fn fetch(r: &mut Registers, operation: i32, src: u8, old: u64) {
    if operation == op::CMPXCHG {
        r[0] = old;
    } else if operation & op::FETCH != 0 {
        r[(src & 15) as usize] = old;
    }
}
