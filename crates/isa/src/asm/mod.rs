//! Text to instructions: the language [`crate::disasm`] writes, and labels.
//! Invariant: no text panics; an error names its line and what was expected there.

use crate::disasm::{ALU_SIGNS, ATOMICS, JMP_SIGNS, WIDTHS};
use crate::helpers;
use crate::insn::{Insn, Reg, op};
use std::collections::HashMap;
use std::fmt;

/// Why a text is no program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AsmError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for AsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for AsmError {}

/// Where a jump goes.
enum Goal {
    Distance(i64),
    Label(String),
}

/// One line's instruction before its jump is known.
struct Parsed {
    insns: Vec<Insn>,
    goal: Option<Goal>,
}

/// One instruction without labels: one slot, or two for a 64-bit immediate.
pub fn line(text: &str) -> Result<Vec<Insn>, String> {
    let mut p = instruction(text)?;
    match p.goal.take() {
        None => {}
        Some(Goal::Distance(d)) => set_distance(&mut p.insns, d)?,
        Some(Goal::Label(l)) => return Err(format!("the label `{l}` is nowhere")),
    }
    Ok(p.insns)
}

/// A program: an instruction a line, `name:` for labels, `;` or `//` before comments; numbers that
/// [`crate::disasm::program`] puts before instructions are skipped.
pub fn program(text: &str) -> Result<Vec<Insn>, AsmError> {
    let mut insns = Vec::new();
    let mut labels: HashMap<&str, usize> = HashMap::new();
    let mut open: Vec<(usize, usize, String)> = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let fail = |message: String| AsmError { line: n + 1, message };
        let mut rest = line.split(';').next().unwrap_or("").split("//").next().unwrap_or("").trim();
        while let Some((head, tail)) = rest.split_once(':') {
            let head = head.trim();
            if head.is_empty() || !head.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.') {
                break;
            }
            if !head.bytes().all(|b| b.is_ascii_digit()) && labels.insert(head, insns.len()).is_some() {
                return Err(fail(format!("the label `{head}` is here twice")));
            }
            rest = tail.trim();
        }
        if rest.is_empty() {
            continue;
        }
        let mut p = instruction(rest).map_err(fail)?;
        match p.goal.take() {
            None => {}
            Some(Goal::Distance(d)) => set_distance(&mut p.insns, d).map_err(fail)?,
            Some(Goal::Label(l)) => open.push((n + 1, insns.len(), l)),
        }
        insns.extend(p.insns);
    }
    for (line, at, label) in open {
        let fail = |message: String| AsmError { line, message };
        let to = *labels.get(label.as_str()).ok_or_else(|| fail(format!("the label `{label}` is nowhere")))?;
        let wide = insns.get(at).is_some_and(|i: &Insn| i.is_wide());
        let end = if wide { at + 2 } else { at + 1 };
        if let Some(slots) = insns.get_mut(at..end) {
            set_distance(slots, to as i64 - at as i64 - 1).map_err(fail)?;
        }
    }
    Ok(insns)
}

fn set_distance(slots: &mut [Insn], distance: i64) -> Result<(), String> {
    let Some(i) = slots.first_mut() else { return Ok(()) };
    let far = || format!("{distance} is too far");
    let in_imm = i.is_wide() || i.code == op::JMP32 | op::JA || i.code == op::JMP | op::CALL;
    if in_imm {
        i.imm = i32::try_from(distance).map_err(|_| far())?;
    } else {
        i.off = i16::try_from(distance).map_err(|_| far())?;
    }
    Ok(())
}

struct Cursor<'a> {
    rest: &'a str,
}

type Res<T> = Result<T, String>;

impl<'a> Cursor<'a> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, word: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn need(&mut self, word: &str) -> Res<()> {
        if self.eat(word) { Ok(()) } else { Err(self.expected(&format!("`{word}`"))) }
    }

    fn expected(&self, what: &str) -> String {
        let found: String = self.rest.trim().chars().take(20).collect();
        if found.is_empty() { format!("expected {what} at the end") } else { format!("expected {what} at `{found}`") }
    }

    /// A word that is followed by no further letter.
    fn word(&mut self, word: &str) -> bool {
        let before = self.rest;
        if self.eat(word) && !self.rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            return true;
        }
        self.rest = before;
        false
    }

    fn ident(&mut self) -> Option<&'a str> {
        self.skip();
        let end =
            self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if word.is_empty() {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    /// A register and whether it is named as 64 bits (`r1`) or 32 (`w1`).
    fn reg_any(&mut self) -> Option<(Reg, bool)> {
        let before = self.rest;
        let found = self.ident().and_then(|w| {
            let wide = match w.as_bytes().first()? {
                b'r' => true,
                b'w' => false,
                _ => return None,
            };
            let digits = w.get(1..)?;
            let plain = digits == "0" || !digits.starts_with(['0', '+']);
            let n = digits.parse::<u8>().ok()?;
            (plain && n <= 15).then_some((n, wide))
        });
        if found.is_none() {
            self.rest = before;
        }
        found
    }

    fn reg(&mut self) -> Res<Reg> {
        match self.reg_any() {
            Some((r, true)) => Ok(r),
            _ => Err(self.expected("a register")),
        }
    }

    fn same_reg(&mut self, wide: bool) -> Option<Reg> {
        let before = self.rest;
        match self.reg_any() {
            Some((r, w)) if w == wide => Some(r),
            _ => {
                self.rest = before;
                None
            }
        }
    }

    fn int(&mut self) -> Res<i128> {
        self.skip();
        let fail = self.expected("a number");
        let negative = self.eat("-");
        if !negative {
            self.eat("+");
        }
        let word = self.ident().ok_or_else(|| fail.clone())?;
        let value = match word.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => word.parse::<u64>(),
        };
        let value = i128::from(value.map_err(|_| fail)?);
        Ok(if negative { -value } else { value })
    }

    /// A 32-bit immediate, signed or as bits.
    fn imm(&mut self) -> Res<i32> {
        let v = self.int()?;
        i32::try_from(v)
            .or_else(|_| u32::try_from(v).map(|u| u as i32))
            .map_err(|_| format!("{v} does not fit into 32 bits"))
    }

    fn u32(&mut self) -> Res<u32> {
        let v = self.int()?;
        u32::try_from(v).map_err(|_| format!("{v} does not fit into 32 bits"))
    }

    /// `(r1 +8)`.
    fn place(&mut self) -> Res<(Reg, i16)> {
        self.need("(")?;
        let r = self.reg()?;
        let off = if self.eat(")") {
            return Ok((r, 0));
        } else {
            self.int()?
        };
        self.need(")")?;
        Ok((r, i16::try_from(off).map_err(|_| format!("the offset {off} does not fit into 16 bits"))?))
    }

    /// `(u32 *)`: the width's code, and whether it is signed.
    fn width(&mut self) -> Res<(u8, bool)> {
        self.need("(")?;
        let word = self.ident().unwrap_or("");
        let found = WIDTHS.iter().find_map(|(c, u, s)| {
            let signed = *s == word;
            (signed || *u == word).then_some((*c, signed))
        });
        let found = found.ok_or_else(|| format!("`{word}` is no width of memory"))?;
        self.need("*")?;
        self.need(")")?;
        Ok(found)
    }

    fn unsigned_width(&mut self) -> Res<u8> {
        match self.width()? {
            (c, false) => Ok(c),
            _ => Err("a signed width stands only in loads".to_owned()),
        }
    }

    fn goal(&mut self) -> Res<Goal> {
        self.eat("pc");
        self.skip();
        let goal = if self.rest.starts_with(['+', '-']) {
            let d = self.int()?;
            Goal::Distance(i64::try_from(d).map_err(|_| format!("{d} is too far"))?)
        } else {
            match self.ident() {
                Some(l) => Goal::Label(l.to_owned()),
                None => return Err(self.expected("where to jump")),
            }
        };
        if self.eat("<") {
            self.rest = self.rest.split_once('>').ok_or("`<` without `>`")?.1;
        }
        Ok(goal)
    }
}

fn instruction(text: &str) -> Res<Parsed> {
    let mut c = Cursor { rest: text };
    let parsed = statement(&mut c)?;
    c.skip();
    if c.rest.is_empty() { Ok(parsed) } else { Err(c.expected("the end of the line")) }
}

fn done(i: Insn) -> Res<Parsed> {
    Ok(Parsed { insns: vec![i], goal: None })
}

fn statement(c: &mut Cursor<'_>) -> Res<Parsed> {
    if c.word("exit") {
        return done(Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0));
    }
    for (word, code) in [("gotol", op::JMP32 | op::JA), ("goto", op::JMP | op::JA), ("may_goto", op::JMP | op::JCOND)] {
        if c.word(word) {
            let goal = Some(c.goal()?);
            return Ok(Parsed { insns: vec![Insn::new(code, 0, 0, 0, 0)], goal });
        }
    }
    if c.word("if") {
        return condition(c);
    }
    if c.word("call") {
        return call(c);
    }
    if c.eat(".slot") {
        let bits = u64::try_from(c.int()?).map_err(|_| "a slot has 64 bits".to_owned())?;
        return done(Insn::from_bytes(bits.to_le_bytes()));
    }
    if c.word("lock") {
        c.need("*")?;
        let width = c.unsigned_width()?;
        let (dst, off) = c.place()?;
        let found = ATOMICS.iter().find(|(_, sign, _)| c.eat(sign));
        let (code, ..) = found.ok_or_else(|| c.expected("`+=`, `&=`, `|=` or `^=`"))?;
        let src = c.reg()?;
        return done(Insn::new(op::STX | op::ATOMIC | width, dst, src, off, i32::from(*code)));
    }
    if c.word("store_release") {
        c.need("(")?;
        let width = c.unsigned_width()?;
        let (dst, off) = c.place()?;
        c.need(",")?;
        let src = c.reg()?;
        c.need(")")?;
        return done(Insn::new(op::STX | op::ATOMIC | width, dst, src, off, op::STORE_REL));
    }
    if c.eat("*") {
        let width = c.unsigned_width()?;
        let (dst, off) = c.place()?;
        c.need("=")?;
        return done(match c.reg_any() {
            Some((src, _)) => Insn::new(op::STX | op::MEM | width, dst, src, off, 0),
            None => Insn::new(op::ST | op::MEM | width, dst, 0, off, c.imm()?),
        });
    }
    match c.reg_any() {
        Some((dst, wide)) => assignment(c, dst, wide),
        None => Err(c.expected("an instruction")),
    }
}

fn condition(c: &mut Cursor<'_>) -> Res<Parsed> {
    let (dst, wide) = c.reg_any().ok_or_else(|| c.expected("a register"))?;
    let class = if wide { op::JMP } else { op::JMP32 };
    // The longest sign that fits: `>=` before `>`.
    let best = JMP_SIGNS.iter().filter(|(_, s)| c.rest.trim_start().starts_with(s)).max_by_key(|(_, s)| s.len());
    let (code, sign) = best.ok_or_else(|| c.expected("a comparison"))?;
    c.need(sign)?;
    let insn = match c.same_reg(wide) {
        Some(src) => Insn::new(class | code | op::X, dst, src, 0, 0),
        None => Insn::new(class | code | op::K, dst, 0, 0, c.imm()?),
    };
    c.need("goto")?;
    Ok(Parsed { insns: vec![insn], goal: Some(c.goal()?) })
}

fn call(c: &mut Cursor<'_>) -> Res<Parsed> {
    const CALL: u8 = op::JMP | op::CALL;
    c.skip();
    if c.eat("kfunc#") {
        let id = c.imm()?;
        let off = if c.eat(":") { c.int()? } else { 0 };
        let off = i16::try_from(off).map_err(|_| "the module's number does not fit into 16 bits".to_owned())?;
        return done(Insn::new(CALL, 0, op::PSEUDO_KFUNC_CALL, off, id));
    }
    if !c.rest.starts_with(['+', '-']) {
        let before = c.rest;
        let name = c.ident().unwrap_or("");
        if c.eat("#") {
            return done(Insn::new(CALL, 0, 0, 0, c.imm()?));
        }
        if let Some(h) = helpers::by_name(name).filter(|_| !name.is_empty()) {
            return done(Insn::new(CALL, 0, 0, 0, h.id as i32));
        }
        c.rest = before;
    }
    let goal = Some(c.goal()?);
    Ok(Parsed { insns: vec![Insn::new(CALL, 0, op::PSEUDO_CALL, 0, 0)], goal })
}

fn assignment(c: &mut Cursor<'_>, dst: Reg, wide: bool) -> Res<Parsed> {
    let class = if wide { op::ALU64 } else { op::ALU };
    c.skip();
    if c.rest.starts_with('=') && !c.rest.starts_with("==") {
        c.need("=")?;
        return value(c, dst, wide, class);
    }
    // Longest first, as `s>>=` and `>>=` begin differently but `s/=` is `/=` with a sign.
    let signed = c.rest.starts_with("s/") || c.rest.starts_with("s%");
    if signed {
        c.need("s")?;
    }
    let best = ALU_SIGNS.iter().filter(|(_, s)| !s.is_empty() && c.rest.starts_with(s)).max_by_key(|(_, s)| s.len());
    let (code, sign) = best.ok_or_else(|| c.expected("an operation"))?;
    c.need(sign)?;
    c.need("=")?;
    let off = i16::from(signed);
    done(match c.same_reg(wide) {
        Some(src) => Insn::new(class | code | op::X, dst, src, off, 0),
        None => Insn::new(class | code | op::K, dst, 0, off, c.imm()?),
    })
}

fn value(c: &mut Cursor<'_>, dst: Reg, wide: bool, class: u8) -> Res<Parsed> {
    if let Some(src) = c.same_reg(wide) {
        return done(Insn::new(class | op::MOV | op::X, dst, src, 0, 0));
    }
    let before = c.rest;
    if c.eat("-") {
        if let Some(src) = c.same_reg(wide) {
            return if src == dst {
                done(Insn::new(class | op::NEG, dst, 0, 0, 0))
            } else {
                Err("a register can be negated only in place".to_owned())
            };
        }
        c.rest = before;
    }
    for (_, _, s) in WIDTHS {
        if c.eat(&format!("({s})")) {
            let src = c.same_reg(wide).ok_or_else(|| c.expected("a register of the same width"))?;
            let bits: i16 = s.get(1..).and_then(|b| b.parse().ok()).unwrap_or(0);
            return done(Insn::new(class | op::MOV | op::X, dst, src, bits, 0));
        }
    }
    if !wide {
        return done(Insn::new(class | op::MOV | op::K, dst, 0, 0, c.imm()?));
    }
    if c.eat("*") {
        let (width, signed) = c.width()?;
        if c.eat("skb[") {
            let reg = c.reg_any();
            if reg.is_some() {
                c.need("+")?;
            }
            let imm = c.imm()?;
            c.need("]")?;
            if dst != 0 || signed {
                return Err("packet loads go to r0, unsigned".to_owned());
            }
            return done(match reg {
                Some((src, _)) => Insn::new(op::LD | op::IND | width, 0, src, 0, imm),
                None => Insn::new(op::LD | op::ABS | width, 0, 0, 0, imm),
            });
        }
        let (src, off) = c.place()?;
        let mode = if signed { op::MEMSX } else { op::MEM };
        return done(Insn::new(op::LDX | mode | width, dst, src, off, 0));
    }
    for (word, code) in [("bswap", op::ALU64 | op::END), ("be", op::ALU | op::END | op::X), ("le", op::ALU | op::END)] {
        for bits in [16, 32, 64] {
            if c.word(&format!("{word}{bits}")) {
                let src = c.reg()?;
                return if src == dst {
                    done(Insn::new(code, dst, 0, 0, bits))
                } else {
                    Err("bytes can be swapped only in place".to_owned())
                };
            }
        }
    }
    if c.eat("addr_space_cast(") {
        let src = c.reg()?;
        c.need(",")?;
        let to = c.u32()?;
        c.need(",")?;
        let from = c.u32()?;
        c.need(")")?;
        if to > 0xffff || from > 0xffff {
            return Err("an address space has 16 bits".to_owned());
        }
        return done(Insn::new(class | op::MOV | op::X, dst, src, 1, ((to << 16) | from) as i32));
    }
    if c.word("load_acquire") {
        c.need("(")?;
        let width = c.unsigned_width()?;
        let (src, off) = c.place()?;
        c.need(")")?;
        return done(Insn::new(op::STX | op::ATOMIC | width, dst, src, off, op::LOAD_ACQ));
    }
    if c.eat("atomic") {
        return atomic(c, dst);
    }
    if let Some(i) = wide_value(c, dst)? {
        return Ok(Parsed { insns: i.to_vec(), goal: None });
    }
    let v = c.int()?;
    if c.word("ll") {
        let bits = u64::try_from(v).or_else(|_| i64::try_from(v).map(|s| s as u64));
        let bits = bits.map_err(|_| format!("{v} does not fit into 64 bits"))?;
        return Ok(Parsed { insns: Insn::ld_imm64(dst, 0, bits).to_vec(), goal: None });
    }
    let imm = i32::try_from(v).map_err(|_| format!("{v} does not fit into 32 bits; write `{v} ll`"))?;
    done(Insn::new(class | op::MOV | op::K, dst, 0, 0, imm))
}

fn atomic(c: &mut Cursor<'_>, dst: Reg) -> Res<Parsed> {
    let expected = if c.eat("64") { op::DW } else { op::W };
    c.need("_")?;
    let word = c.ident().unwrap_or("");
    let imm = match word {
        "xchg" => op::XCHG,
        "cmpxchg" => op::CMPXCHG,
        _ => {
            let found = ATOMICS.iter().find(|(_, _, w)| word.strip_prefix("fetch_") == Some(w));
            i32::from(found.ok_or_else(|| format!("there is no atomic `{word}`"))?.0) | op::FETCH
        }
    };
    c.need("(")?;
    let width = c.unsigned_width()?;
    let (base, off) = c.place()?;
    c.need(",")?;
    let src = if imm == op::CMPXCHG {
        c.need("r0")?;
        c.need(",")?;
        c.reg()?
    } else {
        c.reg()?
    };
    c.need(")")?;
    let result = if imm == op::CMPXCHG { 0 } else { src };
    if dst != result || width != expected {
        return Err("the result of an atomic goes where its operand was, in the same width".to_owned());
    }
    done(Insn::new(op::STX | op::ATOMIC | width, base, src, off, imm))
}

/// A 64-bit immediate with a meaning: a map, a BTF id, a subprogram.
fn wide_value(c: &mut Cursor<'_>, dst: Reg) -> Res<Option<[Insn; 2]>> {
    let pair = |src: u8, low: u32, high: u32| Some(Insn::ld_imm64(dst, src, u64::from(low) | (u64::from(high) << 32)));
    for (word, plain, with_value) in [
        ("map[fd:", op::PSEUDO_MAP_FD, op::PSEUDO_MAP_VALUE),
        ("map[idx:", op::PSEUDO_MAP_IDX, op::PSEUDO_MAP_IDX_VALUE),
    ] {
        if c.eat(word) {
            let low = c.u32()?;
            c.need("]")?;
            if !c.eat("[0]") {
                return Ok(pair(plain, low, 0));
            }
            return Ok(pair(with_value, low, c.u32()?));
        }
    }
    if c.eat("btf[id:") {
        let low = c.u32()?;
        c.need("fd:")?;
        let high = c.u32()?;
        c.need("]")?;
        return Ok(pair(op::PSEUDO_BTF_ID, low, high));
    }
    if c.eat("subprog[") {
        let distance = c.imm()?;
        c.need("]")?;
        return Ok(pair(op::PSEUDO_FUNC, distance as u32, 0));
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
