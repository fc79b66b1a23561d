//! Slots as text, for expectations to be read.

use whistler_isa::{Insn, op};

/// One line per instruction, jump targets as line numbers of slots.
pub(super) fn asm(code: &[Insn]) -> String {
    let mut out = String::new();
    let mut n = 0;
    while n < code.len() {
        let i = code[n];
        out += &format!("{n}: {}\n", one(i, n, code.get(n + 1)));
        n += if i.is_wide() { 2 } else { 1 };
    }
    out
}

fn one(i: Insn, n: usize, next: Option<&Insn>) -> String {
    let (d, s, off, imm) = (i.dst, i.src, i.off, i.imm);
    let w = if matches!(i.class(), op::ALU | op::JMP32) { "w" } else { "r" };
    let src = if i.code & op::X != 0 { format!("{w}{s}") } else { imm.to_string() };
    let size = ["u32", "u16", "u8", "u64"][(i.code >> 3 & 3) as usize];
    let to = |off: i64| (n as i64 + 1 + off).to_string();
    match i.class() {
        op::LD => format!(
            "r{d} = {:#x} ll{}",
            u64::from(imm as u32) | u64::from(next.map_or(0, |i| i.imm as u32)) << 32,
            ["", " map", " global", "", " func"][s as usize]
        ),
        op::LDX => format!("r{d} = *({}{size} *)(r{s} {off:+})", if i.code & 0xe0 == op::MEMSX { "s:" } else { "" }),
        op::ST => format!("*({size} *)(r{d} {off:+}) = {imm}"),
        op::STX if i.code & 0xe0 == op::ATOMIC => format!("atomic {imm:#x} *({size} *)(r{d} {off:+}), r{s}"),
        op::STX => format!("*({size} *)(r{d} {off:+}) = r{s}"),
        op::ALU | op::ALU64 => {
            let sign = if off == 1 { "s" } else { "" };
            let name = match i.code & 0xf0 {
                op::MOV if off != 0 => return format!("{w}{d} = (s{off}){w}{s}"),
                op::MOV => return format!("{w}{d} = {src}"),
                op::NEG => return format!("{w}{d} = -{w}{d}"),
                op::END => return format!("r{d} = be{imm} r{d}"),
                op::ADD => "+",
                op::SUB => "-",
                op::MUL => "*",
                op::DIV => "/",
                op::OR => "|",
                op::AND => "&",
                op::LSH => "<<",
                op::RSH => ">>",
                op::MOD => "%",
                op::XOR => "^",
                _ => "s>>",
            };
            format!("{w}{d} {sign}{name}= {src}")
        }
        _ => match i.code & 0xf0 {
            op::CALL => format!("call {imm}"),
            op::EXIT => "exit".into(),
            op::JA => format!("goto {}", to(if i.class() == op::JMP { off.into() } else { imm.into() })),
            cc => {
                let name = match cc {
                    op::JEQ => "==",
                    op::JNE => "!=",
                    op::JGT => ">",
                    op::JGE => ">=",
                    op::JLT => "<",
                    op::JLE => "<=",
                    op::JSGT => "s>",
                    op::JSGE => "s>=",
                    op::JSLT => "s<",
                    op::JSLE => "s<=",
                    _ => "&",
                };
                format!("if {w}{d} {name} {src} goto {}", to(off.into()))
            }
        },
    }
}
