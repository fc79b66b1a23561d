//! The machine against our own vectors for RFC 9669 (`tests/conformance/*.txt`), and the proof
//! that these vectors run every instruction there is.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{assemble, number};
use whistler_vm::{MachineOptions, raw};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// `op a b = r` lines as programs: the register form, and the immediate form where `b` is one.
fn table_programs(name: &str, program: fn(&str, &str, &str) -> String) -> Vec<(String, String, u64)> {
    let mut all = Vec::new();
    for line in read(name).lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [op, a, b, "=", r] = words[..] else { panic!("{name}: {line}") };
        let want = number(r).unwrap() as u64;
        if b == "-" {
            all.push((line.to_string(), program(op, a, ""), want));
            continue;
        }
        all.push((line.to_string(), program(op, a, &format!("lddw r2, {b}")), want));
        let value = number(b).unwrap();
        if i32::try_from(value).is_ok() && !op.starts_with("movsx") {
            all.push((format!("{line} (immediate)"), program(op, a, &value.to_string()), want));
        }
    }
    all
}

fn arithmetic() -> Vec<(String, String, u64)> {
    table_programs("alu.txt", |op, a, b| match b {
        "" => format!("lddw r0, {a}\n{op} r0\nexit"),
        load if load.starts_with("lddw") => format!("lddw r0, {a}\n{load}\n{op} r0, r2\nexit"),
        immediate => format!("lddw r0, {a}\n{op} r0, {immediate}\nexit"),
    })
}

fn jumps() -> Vec<(String, String, u64)> {
    table_programs("jumps.txt", |op, a, b| {
        let (load, source) = if b.starts_with("lddw") { (b, "r2") } else { ("", b) };
        format!("lddw r1, {a}\n{load}\n{op} r1, {source}, yes\nmov r0, 0\nexit\nyes:\nmov r0, 1\nexit")
    })
}

struct Case {
    name: String,
    asm: String,
    mem: Vec<u8>,
    after: Option<Vec<u8>>,
    result: Option<u64>,
    error: Option<String>,
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|p| (p[0] * 16 + p[1]) as u8).collect()
}

fn programs() -> Vec<Case> {
    let text = read("programs.txt");
    let mut cases = Vec::new();
    for block in text.split("\n== ").skip(1) {
        let (name, body) = block.split_once('\n').unwrap();
        let mut case =
            Case { name: name.into(), asm: String::new(), mem: vec![], after: None, result: None, error: None };
        for line in body.lines().map(str::trim) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "mem" => case.mem = hex(rest),
                "after" => case.after = Some(hex(rest)),
                "result" => case.result = Some(number(rest).unwrap() as u64),
                "error" => case.error = Some(rest.into()),
                _ => case.asm += &format!("{line}\n"),
            }
        }
        cases.push(case);
    }
    cases
}

#[test]
fn arithmetic_and_jumps() {
    let mut wrong = Vec::new();
    let all: Vec<_> = arithmetic().into_iter().chain(jumps()).collect();
    for (line, asm, want) in &all {
        let bytes = assemble(asm).unwrap_or_else(|e| panic!("{line}: {e}"));
        match raw::run(&bytes, &[]) {
            Ok(got) if got == *want => {}
            Ok(got) => wrong.push(format!("{line}: got {got:#x}")),
            Err(fault) => wrong.push(format!("{line}: {fault}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    assert!(all.len() > 700, "only {} vectors were found", all.len());
}

#[test]
fn whole_programs() {
    let mut wrong = Vec::new();
    for case in programs() {
        let bytes = assemble(&case.asm).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let outcome = raw::run_full(&bytes, &case.mem, &MachineOptions::default());
        let complaint = match (&outcome, case.result, &case.error) {
            (Ok(out), Some(want), None) if out.ret != want => Some(format!("got {:#x}", out.ret)),
            (Ok(out), Some(_), None) => {
                case.after.filter(|after| *after != out.mem).map(|_| format!("memory is {:02x?}", out.mem))
            }
            (Err(fault), None, Some(words)) if fault.to_string().contains(words.as_str()) => None,
            (Err(fault), ..) => Some(fault.to_string()),
            (Ok(out), ..) => Some(format!("ended well with {:#x}", out.ret)),
        };
        wrong.extend(complaint.map(|c| format!("{}: {c}", case.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What tells instructions apart: the code, and the field that chooses a variant of it.
fn identity(slot: &[u8]) -> (u8, i32) {
    let (code, src) = (slot[0], slot[1] >> 4);
    let off = i32::from(i16::from_le_bytes([slot[2], slot[3]]));
    let imm = i32::from_le_bytes([slot[4], slot[5], slot[6], slot[7]]);
    match (code & 7, code & 0xf0) {
        (4 | 7, 0x30 | 0x90 | 0xb0) => (code, off),
        (4 | 7, 0xd0) => (code, imm),
        (3, _) if code & 0xe0 == 0xc0 => (code, imm),
        (5, 0x80) | (0, _) => {
            (code, i32::from(src).min(if code == 0x18 { 15 } else { 0 }.max(i32::from(code == 0x85))))
        }
        _ => (code, 0),
    }
}

#[test]
fn every_instruction_is_run() {
    let mut seen = BTreeSet::new();
    let sources = arithmetic().into_iter().chain(jumps()).map(|(_, asm, _)| asm);
    for asm in sources.chain(programs().into_iter().filter(|c| c.error.is_none()).map(|c| c.asm)) {
        let bytes = assemble(&asm).unwrap();
        let mut slots = bytes.chunks(8);
        while let Some(slot) = slots.next() {
            seen.insert(identity(slot));
            if slot[0] == 0x18 {
                slots.next();
            }
        }
    }
    let mut all = BTreeSet::new();
    for class in [0x04, 0x07] {
        for x in [0x00, 0x08] {
            all.extend([0x00, 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xc0].map(|op| (class | x | op, 0)));
            all.extend([0x30, 0x90].into_iter().flat_map(|op| [(class | x | op, 0), (class | x | op, 1)]));
            all.insert((class | x | 0xb0, 0));
        }
        all.extend([(class | 0x80, 0), (class | 0xb8, 8), (class | 0xb8, 16)]);
    }
    all.insert((0xbf, 32));
    for width in [16, 32, 64] {
        all.extend([(0xd4, width), (0xdc, width), (0xd7, width)]);
    }
    for class in [0x05, 0x06] {
        for op in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0] {
            all.extend([(class | op, 0), (class | op | 0x08, 0)]);
        }
        all.insert((class, 0));
    }
    for size in [0x00, 0x08, 0x10, 0x18] {
        all.extend([(0x61 | size, 0), (0x62 | size, 0), (0x63 | size, 0)]);
        all.extend([(0xc3 | size, 0x100), (0xc3 | size, 0x110)]);
        if size != 0x18 {
            all.extend([(0x81 | size, 0), (0x20 | size, 0), (0x40 | size, 0)]);
        }
    }
    for code in [0xc3, 0xdb] {
        all.extend([0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1].map(|imm| (code, imm)));
    }
    // exit, helper and local calls, callx, may_goto, 64-bit immediates of both kinds.
    all.extend([(0x95, 0), (0x85, 0), (0x85, 1), (0x8d, 0), (0xe5, 0), (0x18, 0), (0x18, 4)]);
    let missing: Vec<_> = all.difference(&seen).map(|(code, variant)| format!("{code:#04x}/{variant}")).collect();
    assert!(missing.is_empty(), "no vector runs {}", missing.join(" "));
    let unknown: Vec<_> = seen.difference(&all).map(|(code, variant)| format!("{code:#04x}/{variant}")).collect();
    assert!(unknown.is_empty(), "not instructions: {}", unknown.join(" "));
}
