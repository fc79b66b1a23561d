//! A small assembler for test files. It shares no code with the machine's decoder: opcodes stand
//! here as the numbers of RFC 9669, table 1 to 6.

#![allow(dead_code)]

use std::collections::HashMap;

use whistler_isa::{Insn, MapType, ProgType};
use whistler_object::{Function, Map, Program, Relocation, Symbol};

/// Assembles lines of `op operands`; `name:` is a label, `#` starts a comment.
pub fn assemble(text: &str) -> Result<Vec<u8>, String> {
    let lines: Vec<&str> =
        text.lines().map(|l| l.split('#').next().unwrap_or("").trim()).filter(|l| !l.is_empty()).collect();
    let mut labels = HashMap::new();
    let mut at = 0i64;
    for line in &lines {
        match line.strip_suffix(':') {
            Some(label) => {
                labels.insert(label, at);
            }
            None => at += if line.starts_with("lddw") { 2 } else { 1 },
        }
    }
    let mut out = Vec::new();
    for line in lines.iter().filter(|l| !l.ends_with(':')) {
        let here = out.len() as i64 / 8;
        let slots = instruction(line, here, &labels).map_err(|e| format!("`{line}`: {e}"))?;
        out.extend(slots);
    }
    Ok(out)
}

fn slot(code: u8, dst: u8, src: u8, off: i64, imm: i64) -> Result<Vec<u8>, String> {
    let off = i16::try_from(off).map_err(|_| format!("offset {off}"))?;
    let imm = i32::try_from(imm).or_else(|_| u32::try_from(imm).map(|u| u as i32)).map_err(|_| format!("imm {imm}"))?;
    let mut bytes = vec![code, (src << 4) | dst];
    bytes.extend(off.to_le_bytes());
    bytes.extend(imm.to_le_bytes());
    Ok(bytes)
}

fn reg(text: &str) -> Result<u8, String> {
    text.strip_prefix('r').and_then(|n| n.parse().ok()).filter(|n| *n < 16).ok_or(format!("`{text}` is no register"))
}

pub fn number(text: &str) -> Result<i64, String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let value = value.map_err(|_| format!("`{text}` is no number"))? as i64;
    Ok(if negative { value.wrapping_neg() } else { value })
}

/// `[rN+off]`
fn place(text: &str) -> Result<(u8, i64), String> {
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).ok_or(format!("`{text}` is no place"))?;
    match inner.find(['+', '-']) {
        Some(i) => Ok((reg(&inner[..i])?, number(&inner[i..])?)),
        None => Ok((reg(inner)?, 0)),
    }
}

const ALU: &[(&str, u8, i64)] = &[
    ("add", 0x00, 0),
    ("sub", 0x10, 0),
    ("mul", 0x20, 0),
    ("div", 0x30, 0),
    ("sdiv", 0x30, 1),
    ("or", 0x40, 0),
    ("and", 0x50, 0),
    ("lsh", 0x60, 0),
    ("rsh", 0x70, 0),
    ("mod", 0x90, 0),
    ("smod", 0x90, 1),
    ("xor", 0xa0, 0),
    ("mov", 0xb0, 0),
    ("arsh", 0xc0, 0),
    ("movsx8", 0xb0, 8),
    ("movsx16", 0xb0, 16),
    ("movsx32", 0xb0, 32),
];
const JUMPS: &[(&str, u8)] = &[
    ("jeq", 0x10),
    ("jgt", 0x20),
    ("jge", 0x30),
    ("jset", 0x40),
    ("jne", 0x50),
    ("jsgt", 0x60),
    ("jsge", 0x70),
    ("jlt", 0xa0),
    ("jle", 0xb0),
    ("jslt", 0xc0),
    ("jsle", 0xd0),
];
const SIZES: &[(&str, u8)] = &[("w", 0x00), ("h", 0x08), ("b", 0x10), ("dw", 0x18)];
const ATOMICS: &[(&str, i64)] = &[
    ("add", 0x00),
    ("or", 0x40),
    ("and", 0x50),
    ("xor", 0xa0),
    ("fetch_add", 0x01),
    ("fetch_or", 0x41),
    ("fetch_and", 0x51),
    ("fetch_xor", 0xa1),
    ("xchg", 0xe1),
    ("cmpxchg", 0xf1),
];

fn find<'t, T>(table: &'t [(&str, T)], name: &str) -> Option<&'t T> {
    table.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
}

fn instruction(line: &str, here: i64, labels: &HashMap<&str, i64>) -> Result<Vec<u8>, String> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let ops: Vec<&str> = rest.split(',').map(str::trim).filter(|o| !o.is_empty()).collect();
    let op = |i: usize| ops.get(i).copied().ok_or("an operand is missing".to_string());
    let target = |text: &str| match labels.get(text) {
        Some(to) => Ok(to - here - 1),
        None => number(text),
    };
    // `raw` gives the fields themselves, for what no assembler would make.
    if name == "raw" {
        let f = ops.iter().map(|o| number(o)).collect::<Result<Vec<_>, _>>()?;
        let [code, dst, src, off, imm] = f[..] else { return Err("raw takes five fields".into()) };
        return slot(code as u8, dst as u8, src as u8, off, imm);
    }
    let (base, narrow) = match name.strip_suffix("32") {
        // `movsx832` and `movsx1632` are 32-bit moves, `movsx32` is a 64-bit one.
        Some(base) if !["be", "le", "bswap", "movsx"].contains(&base) => (base, true),
        _ => (name, false),
    };
    if let Some((_, code, off)) = ALU.iter().find(|(n, ..)| *n == base) {
        let class = if narrow { 0x04 } else { 0x07 };
        return match reg(op(1)?) {
            Ok(src) => slot(class | 0x08 | code, reg(op(0)?)?, src, *off, 0),
            Err(_) => slot(class | code, reg(op(0)?)?, 0, *off, number(op(1)?)?),
        };
    }
    if let Some(code) = find(JUMPS, base) {
        let class = if narrow { 0x06 } else { 0x05 };
        return match reg(op(1)?) {
            Ok(src) => slot(class | 0x08 | code, reg(op(0)?)?, src, target(op(2)?)?, 0),
            Err(_) => slot(class | code, reg(op(0)?)?, 0, target(op(2)?)?, number(op(1)?)?),
        };
    }
    for (prefix, class, mode) in [("ldxs", 0x01, 0x80), ("ldx", 0x01, 0x60)] {
        if let Some(size) = name.strip_prefix(prefix).and_then(|s| find(SIZES, s)) {
            let (src, off) = place(op(1)?)?;
            return slot(class | mode | size, reg(op(0)?)?, src, off, 0);
        }
    }
    if let Some(size) = name.strip_prefix("stx").and_then(|s| find(SIZES, s)) {
        let (dst, off) = place(op(0)?)?;
        return slot(0x63 | size, dst, reg(op(1)?)?, off, 0);
    }
    if let Some(size) = name.strip_prefix("st").and_then(|s| find(SIZES, s)) {
        let (dst, off) = place(op(0)?)?;
        return slot(0x62 | size, dst, 0, off, number(op(1)?)?);
    }
    for (prefix, imm) in [("ldacq", 0x100), ("strel", 0x110)] {
        let Some(size) = name.strip_prefix(prefix).and_then(|s| find(SIZES, s)) else { continue };
        let (dst, (src, off)) = (reg(op(usize::from(imm == 0x110))?)?, place(op(usize::from(imm == 0x100))?)?);
        let (dst, src) = if imm == 0x100 { (dst, src) } else { (src, dst) };
        return slot(0xc3 | size, dst, src, off, imm);
    }
    if let Some(imm) = name.strip_prefix("lock_").and_then(|n| find(ATOMICS, n.strip_suffix("32").unwrap_or(n))) {
        let (dst, off) = place(op(0)?)?;
        return slot(if narrow { 0xc3 } else { 0xdb }, dst, reg(op(1)?)?, off, *imm);
    }
    for (prefix, mode) in [("ldabs", 0x20), ("ldind", 0x40)] {
        if let Some(size) = name.strip_prefix(prefix).and_then(|s| find(SIZES, s)) {
            let src = if mode == 0x40 { reg(op(0)?)? } else { 0 };
            return slot(mode | size, 0, src, 0, number(op(usize::from(mode == 0x40))?)?);
        }
    }
    match name {
        "exit" => slot(0x95, 0, 0, 0, 0),
        "neg" => slot(0x87, reg(op(0)?)?, 0, 0, 0),
        "neg32" => slot(0x84, reg(op(0)?)?, 0, 0, 0),
        "le16" | "le32" | "le64" => slot(0xd4, reg(op(0)?)?, 0, 0, number(&name[2..])?),
        "be16" | "be32" | "be64" => slot(0xdc, reg(op(0)?)?, 0, 0, number(&name[2..])?),
        "bswap16" | "bswap32" | "bswap64" => slot(0xd7, reg(op(0)?)?, 0, 0, number(&name[5..])?),
        "ja" => slot(0x05, 0, 0, target(op(0)?)?, 0),
        "gotol" => slot(0x06, 0, 0, 0, target(op(0)?)?),
        "may_goto" => slot(0xe5, 0, 0, target(op(0)?)?, 0),
        "call" => match op(0)?.strip_prefix("local ") {
            Some(to) => slot(0x85, 0, 1, 0, target(to.trim())?),
            None => slot(0x85, 0, 0, 0, number(op(0)?)?),
        },
        "callx" => slot(0x8d, reg(op(0)?)?, 0, 0, 0),
        "lddw" => {
            let dst = reg(op(0)?)?;
            // `lddw r1, &label` loads a function's address.
            let (src, value) = match op(1)?.strip_prefix('&') {
                Some(label) => (4, target(label)?),
                None => (0, number(op(1)?)?),
            };
            let high = if src == 4 { 0 } else { value >> 32 };
            Ok([slot(0x18, dst, src, 0, i64::from(value as i32))?, slot(0, 0, 0, 0, i64::from(high as i32))?].concat())
        }
        _ => Err("unknown instruction".into()),
    }
}

/// A function with relocations: `lddw rN, @map NAME`, `lddw rN, @global NAME+OFF`,
/// `lddw rN, @function NAME`, `call @NAME`, `call @kfunc NAME`.
pub fn function(name: &str, text: &str) -> Function {
    let mut relocations = Vec::new();
    let mut plain = String::new();
    let mut at = 0;
    for line in text.lines().map(|l| l.split('#').next().unwrap_or("").trim()).filter(|l| !l.is_empty()) {
        let mut line = line.to_string();
        if let Some((head, symbol)) = line.split_once('@').map(|(h, s)| (h.to_string(), s.to_string())) {
            let (kind, name) = symbol.split_once(' ').unwrap_or(("", &symbol));
            let symbol = match kind {
                "map" => Symbol::Map(name.into()),
                "global" => {
                    let (name, offset) = name.split_once('+').unwrap_or((name, "0"));
                    Symbol::Global { name: name.into(), offset: offset.parse().unwrap() }
                }
                "kfunc" => Symbol::Kfunc(name.into()),
                _ => Symbol::Subprogram(name.into()),
            };
            relocations.push(Relocation { insn: at, symbol });
            line = format!("{head}{}", if head.starts_with("call") { "local 0" } else { "0" });
        }
        if !line.ends_with(':') {
            at += if line.starts_with("lddw") { 2 } else { 1 };
        }
        plain += &format!("{line}\n");
    }
    // A call's distance is not used when it has a relocation; 0 always assembles.
    let bytes = assemble(&plain).unwrap_or_else(|e| panic!("{name}: {e}"));
    Function { name: name.into(), insns: Insn::decode_all(&bytes).unwrap(), relocations, ..Function::default() }
}

pub fn program(name: &str, prog_type: ProgType, text: &str) -> Program {
    Program {
        function: function(name, text),
        section: prog_type.info().section.into(),
        prog_type,
        attach_type: None,
        attach_target: None,
        license: "GPL".into(),
        sleepable: false,
    }
}

pub fn map(name: &str, map_type: MapType, key_size: u32, value_size: u32, max_entries: u32) -> Map {
    Map {
        name: name.into(),
        map_type,
        key_size,
        value_size,
        max_entries,
        flags: 0,
        key_type: None,
        value_type: None,
        inner: None,
        pin: None,
        contents: Vec::new(),
        extra: 0,
        span: Default::default(),
    }
}
