//! A small machine for tests of code generation: runs slots as RFC 9669 says, and fails on what
//! the kernel's verifier would refuse at that point (reading a register nobody wrote, memory
//! nobody gave, a write to r10).

use whistler_isa::{Insn, op};

/// Memory and what calls do.
pub(crate) struct Vm<'a> {
    /// Pieces of memory by address.
    pub regions: Vec<(u64, Vec<u8>)>,
    /// A helper: its number and five arguments (those not written are 0).
    pub helper: &'a mut Helper<'a>,
    /// Instructions run.
    pub steps: usize,
    /// Is shown every slot before it runs: its number, the registers, the depth of calls and the
    /// first frame's stack.
    pub watch: Option<&'a mut Watch<'a>>,
}

/// What answers a call: the helper's number, its arguments, and all memory.
pub(crate) type Helper<'a> = dyn FnMut(i32, [u64; 5], &mut Vec<(u64, Vec<u8>)>) -> u64 + 'a;

/// What looks on.
pub(crate) type Watch<'a> = dyn FnMut(usize, &[Option<u64>; 11], u64, &[u8]) + 'a;

pub(crate) const STACK_TOP: u64 = 0x7000_0000_0000;
const MAX_STEPS: usize = 2_000_000;

impl Vm<'_> {
    /// Runs from a slot on, with a stack of its own.
    pub fn run(&mut self, code: &[Insn], start: usize, args: &[u64]) -> Result<u64, String> {
        self.call(code, start, args, 0)
    }

    fn call(&mut self, code: &[Insn], start: usize, args: &[u64], depth: u64) -> Result<u64, String> {
        if depth > 7 {
            return Err("too many frames".into());
        }
        let top = STACK_TOP - depth * 4096;
        self.regions.retain(|(at, _)| *at != top - 512);
        self.regions.push((top - 512, vec![0xa5; 512]));
        let mut regs: [Option<u64>; 11] = [None; 11];
        regs[10] = Some(top);
        for (n, a) in args.iter().enumerate() {
            regs[n + 1] = Some(*a);
        }
        let mut pc = start;
        loop {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err("does not end".into());
            }
            let at = pc;
            if let Some(watch) = &mut self.watch {
                let stack = self.regions.iter().find(|(at, _)| *at == STACK_TOP - 512).map_or(&[][..], |(_, b)| &b[..]);
                watch(at, &regs, depth, stack);
            }
            let i = *code.get(pc).ok_or_else(|| format!("{pc}: outside of the code"))?;
            pc += 1;
            let read = |r: u8| regs[r as usize].ok_or_else(|| format!("{at}: {i:?} reads r{r}, which nobody wrote"));
            let jump =
                |off: i64| usize::try_from(at as i64 + 1 + off).map_err(|_| format!("{at}: jumps before the code"));
            if i.dst == 10 && matches!(i.class(), op::ALU | op::ALU64 | op::LDX | op::LD) {
                return Err(format!("{at}: writes r10"));
            }
            match i.class() {
                op::LD if i.is_wide() => {
                    let high = code.get(pc).ok_or("a half immediate load")?;
                    pc += 1;
                    regs[i.dst as usize] = Some(u64::from(i.imm as u32) | u64::from(high.imm as u32) << 32);
                }
                op::ALU | op::ALU64 => {
                    let wide = i.class() == op::ALU64;
                    let code = i.code & 0xf0;
                    let src = if i.code & op::X != 0 && code != op::END && code != op::NEG {
                        read(i.src)?
                    } else {
                        i64::from(i.imm) as u64
                    };
                    let dst = if code == op::MOV { 0 } else { read(i.dst)? };
                    regs[i.dst as usize] = Some(alu(i, wide, dst, src).map_err(|e| format!("{at}: {e}"))?);
                }
                op::LDX => {
                    let n = size(i.code);
                    let raw =
                        self.load(read(i.src)?.wrapping_add(i.off as u64), n).map_err(|e| format!("{at}: {e}"))?;
                    let shift = 64 - 8 * n as u32;
                    regs[i.dst as usize] = Some(match i.code & 0xe0 {
                        op::MEM => raw,
                        op::MEMSX => ((raw << shift) as i64 >> shift) as u64,
                        _ => return Err(format!("{at}: {i:?}")),
                    });
                }
                op::ST => {
                    let n = size(i.code);
                    self.store(read(i.dst)?.wrapping_add(i.off as u64), n, i64::from(i.imm) as u64)
                        .map_err(|e| format!("{at}: {e}"))?;
                }
                op::STX => {
                    let (n, to, value) = (size(i.code), read(i.dst)?.wrapping_add(i.off as u64), read(i.src)?);
                    let fail = |e| format!("{at}: {e}");
                    if i.code & 0xe0 == op::MEM {
                        self.store(to, n, value).map_err(fail)?;
                        continue;
                    }
                    let old = self.load(to, n).map_err(fail)?;
                    let mask = if n == 4 { u64::from(u32::MAX) } else { u64::MAX };
                    let new = match i.imm & !op::FETCH {
                        0x00 => old.wrapping_add(value),
                        0x50 => old & value,
                        0x40 => old | value,
                        0xa0 => old ^ value,
                        0xe0 => value,
                        0xf0 if old == read(0)? & mask => value,
                        0xf0 => old,
                        _ => return Err(format!("{at}: {i:?}")),
                    };
                    self.store(to, n, new).map_err(fail)?;
                    if i.imm == op::CMPXCHG {
                        regs[0] = Some(old);
                    } else if i.imm & op::FETCH != 0 {
                        regs[i.src as usize] = Some(old);
                    }
                }
                op::JMP if i.code & 0xf0 == op::EXIT => return read(0),
                op::JMP if i.code & 0xf0 == op::CALL => {
                    let given: Vec<u64> = (1..6).map_while(|r| regs[r]).collect();
                    let result = if i.src == op::PSEUDO_CALL {
                        self.call(code, jump(i64::from(i.imm))?, &given, depth + 1)?
                    } else {
                        let mut args = [0; 5];
                        args[..given.len()].copy_from_slice(&given);
                        (self.helper)(i.imm, args, &mut self.regions)
                    };
                    regs[1..6].fill(None);
                    regs[0] = Some(result);
                }
                op::JMP if i.code == op::JMP | op::JA => pc = jump(i64::from(i.off))?,
                op::JMP32 if i.code == op::JMP32 | op::JA => pc = jump(i64::from(i.imm))?,
                op::JMP | op::JMP32 => {
                    let a = read(i.dst)?;
                    let b = if i.code & op::X != 0 { read(i.src)? } else { i64::from(i.imm) as u64 };
                    let (a, b) = if i.class() == op::JMP32 {
                        (i64::from(a as i32) as u64, i64::from(b as i32) as u64)
                    } else {
                        (a, b)
                    };
                    let (sa, sb) = (a as i64, b as i64);
                    let taken = match i.code & 0xf0 {
                        op::JEQ => a == b,
                        op::JNE => a != b,
                        op::JGT => a > b,
                        op::JGE => a >= b,
                        op::JLT => a < b,
                        op::JLE => a <= b,
                        op::JSGT => sa > sb,
                        op::JSGE => sa >= sb,
                        op::JSLT => sa < sb,
                        op::JSLE => sa <= sb,
                        op::JSET => a & b != 0,
                        _ => return Err(format!("{at}: {i:?}")),
                    };
                    if taken {
                        pc = jump(i64::from(i.off))?;
                    }
                }
                _ => return Err(format!("{at}: {i:?}")),
            }
        }
    }

    fn bytes(&mut self, at: u64, n: usize) -> Result<&mut [u8], String> {
        for (start, bytes) in &mut self.regions {
            if at >= *start && at - *start + n as u64 <= bytes.len() as u64 {
                let from = (at - *start) as usize;
                return Ok(&mut bytes[from..from + n]);
            }
        }
        Err(format!("{n} bytes at {at:#x} are nobody's"))
    }

    fn load(&mut self, at: u64, n: usize) -> Result<u64, String> {
        let mut buf = [0; 8];
        buf[..n].copy_from_slice(self.bytes(at, n)?);
        Ok(u64::from_le_bytes(buf))
    }

    fn store(&mut self, at: u64, n: usize, value: u64) -> Result<(), String> {
        self.bytes(at, n)?.copy_from_slice(&value.to_le_bytes()[..n]);
        Ok(())
    }
}

fn size(code: u8) -> usize {
    match code & 0x18 {
        op::B => 1,
        op::H => 2,
        op::W => 4,
        _ => 8,
    }
}

fn alu(i: Insn, wide: bool, a: u64, b: u64) -> Result<u64, String> {
    let signed = i.off == 1;
    let imm = i.code & op::X == 0;
    match i.code & 0xf0 {
        op::DIV | op::MOD if imm && i.imm == 0 => return Err("a division by the number 0".into()),
        op::LSH | op::RSH | op::ARSH if imm && !(0..if wide { 64 } else { 32 }).contains(&i.imm) => {
            return Err("a shift by too much".into());
        }
        op::END => {
            return Ok(match i.imm {
                16 => u64::from((a as u16).swap_bytes()),
                32 => u64::from((a as u32).swap_bytes()),
                _ => a.swap_bytes(),
            });
        }
        op::MOV if i.off != 0 => {
            let shift = 64 - i.off as u32;
            let v = ((b << shift) as i64 >> shift) as u64;
            return Ok(if wide { v } else { u64::from(v as u32) });
        }
        _ => {}
    }
    let code = i.code & 0xf0;
    if wide {
        let (sa, sb) = (a as i64, b as i64);
        return Ok(match code {
            op::ADD => a.wrapping_add(b),
            op::SUB => a.wrapping_sub(b),
            op::MUL => a.wrapping_mul(b),
            op::DIV if signed => {
                if sb == 0 {
                    0
                } else {
                    sa.wrapping_div(sb) as u64
                }
            }
            op::MOD if signed => {
                if sb == 0 {
                    a
                } else {
                    sa.wrapping_rem(sb) as u64
                }
            }
            op::DIV => a.checked_div(b).unwrap_or(0),
            op::MOD => a.checked_rem(b).unwrap_or(a),
            op::OR => a | b,
            op::AND => a & b,
            op::XOR => a ^ b,
            op::LSH => a << (b & 63),
            op::RSH => a >> (b & 63),
            op::ARSH => (sa >> (b & 63)) as u64,
            op::NEG => a.wrapping_neg(),
            op::MOV => b,
            _ => return Err(format!("{i:?}")),
        });
    }
    let (a, b) = (a as u32, b as u32);
    let (sa, sb) = (a as i32, b as i32);
    Ok(u64::from(match code {
        op::ADD => a.wrapping_add(b),
        op::SUB => a.wrapping_sub(b),
        op::MUL => a.wrapping_mul(b),
        op::DIV if signed => {
            if sb == 0 {
                0
            } else {
                sa.wrapping_div(sb) as u32
            }
        }
        op::MOD if signed => {
            if sb == 0 {
                a
            } else {
                sa.wrapping_rem(sb) as u32
            }
        }
        op::DIV => a.checked_div(b).unwrap_or(0),
        op::MOD => a.checked_rem(b).unwrap_or(a),
        op::OR => a | b,
        op::AND => a & b,
        op::XOR => a ^ b,
        op::LSH => a << (b & 31),
        op::RSH => a >> (b & 31),
        op::ARSH => (sa >> (b & 31)) as u32,
        op::NEG => a.wrapping_neg(),
        op::MOV => b,
        _ => return Err(format!("{i:?}")),
    }))
}
