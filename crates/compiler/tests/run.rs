//! Programs that are compiled and run in the machine, at every optimisation level.
//!
//! - `tests/run/*.lisp`: cases opened by `;; # title`, with `;; packet: HEX` or `;; ctx: HEX`; what
//!   comes out (results, maps, rings) stands behind them in lines that start with `;> `
//!   (`UPDATE=1` writes it).
//! - `tests/run/*.exprs`: `EXPRESSION => NUMBER`, one a line, after declarations; written by hand.

mod common;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use whistler_codegen::OptLevel;
use whistler_compiler::Session;
use whistler_diag::{Severity, SourceMap, Style, render};
use whistler_isa::{MapType, Target};
use whistler_lisp::{Interp, NoIo};
use whistler_object::Object;
use whistler_vm::{Machine, MachineOptions, RunInput};

const LEVELS: [OptLevel; 2] = [OptLevel::None, OptLevel::Full];

fn compile(source: &str, opt: OptLevel) -> Result<Object, String> {
    let mut sources = SourceMap::new();
    let file = sources.add("case.lisp", source);
    let mut interp = Interp::new(Box::new(NoIo));
    let mut session = Session::new(Target::default(), Rc::new(common::SmallKernel::new()));
    let (compiled, diags) = session.compile_source(&mut interp, &sources, file, opt);
    let errors: Vec<String> =
        diags.iter().filter(|d| d.severity == Severity::Error).map(|d| render(d, &sources, Style::Plain)).collect();
    compiled.map(|c| c.object).ok_or_else(|| errors.join("\n"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks_exact(2)
        .map(|p| u8::from_str_radix(std::str::from_utf8(p).expect("digits"), 16).expect("digits"))
        .collect()
}

fn input(source: &str) -> RunInput {
    let find = |key: &str| source.lines().find_map(|l| l.strip_prefix(key)).map(unhex);
    RunInput { packet: find(";; packet:"), ctx: find(";; ctx:"), ..RunInput::default() }
}

/// Runs every program once, in order, on one machine; shows results, then maps and rings.
fn run(source: &str, opt: OptLevel) -> String {
    let object = match compile(source, opt) {
        Ok(o) => o,
        Err(e) => return e,
    };
    let mut machine = match Machine::new(&object, MachineOptions::default()) {
        Ok(m) => m,
        Err(e) => return format!("machine: {e}\n"),
    };
    let mut out = String::new();
    for p in &object.programs {
        match machine.run(&p.function.name, input(source)) {
            Ok(r) => {
                let _ = writeln!(out, "{} r0={}", p.function.name, r.ret as i64);
                for line in r.printk {
                    let _ = writeln!(out, "  printk {line}");
                }
            }
            Err(f) => {
                let _ = writeln!(out, "{} fault: {f}", p.function.name);
            }
        }
    }
    for m in &object.maps {
        if m.map_type == MapType::Ringbuf {
            for r in machine.drain_ring(&m.name).unwrap_or_default() {
                let _ = writeln!(out, "{} record {}", m.name, hex(&r));
            }
            continue;
        }
        let mut keys = machine.keys(&m.name).unwrap_or_default();
        keys.sort();
        for k in keys {
            let v = machine.lookup_per_cpu(&m.name, &k).ok().flatten().map(|v| v.concat());
            let v = v.or_else(|| machine.lookup(&m.name, &k).ok().flatten()).unwrap_or_default();
            if v.iter().any(|b| *b != 0) || m.map_type == MapType::Hash {
                let _ = writeln!(out, "{} {} = {}", m.name, hex(&k), hex(&v));
            }
        }
    }
    out
}

fn files(extension: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .expect("the cases are there")
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}

#[test]
fn programs() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut failures = Vec::new();
    for path in files("lisp") {
        let text = std::fs::read_to_string(&path).expect("readable");
        let mut rewritten = String::new();
        for part in text.split(";; # ").skip(1) {
            let (title, body) = part.split_once('\n').unwrap_or((part, ""));
            let source: String =
                body.lines().filter(|l| !l.starts_with(";>") && !l.is_empty()).map(|l| format!("{l}\n")).collect();
            let expected: String =
                body.lines().filter_map(|l| l.strip_prefix(";> ")).map(|l| format!("{l}\n")).collect();
            let got: Vec<String> = LEVELS.iter().map(|o| run(&source, *o)).collect();
            if got[0] != got[1] {
                failures.push(format!("{title}: levels differ\nNone:\n{}\nFull:\n{}", got[0], got[1]));
            }
            if got[1] != expected && !update {
                failures.push(format!("{title}\nexpected:\n{expected}\ngot:\n{}", got[1]));
            }
            let _ = write!(rewritten, ";; # {title}\n{source}");
            for l in got[1].lines() {
                let _ = writeln!(rewritten, ";> {l}");
            }
            rewritten.push('\n');
        }
        if update {
            std::fs::write(&path, rewritten.trim_end().to_string() + "\n").expect("writable");
        }
    }
    assert!(failures.is_empty(), "{} cases:\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn expressions() {
    let mut failures = Vec::new();
    for path in files("exprs") {
        let text = std::fs::read_to_string(&path).expect("readable");
        let (mut prelude, mut cases) = (String::new(), Vec::new());
        for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with(';')) {
            match line.rsplit_once(" => ") {
                Some((e, n)) => cases.push((e.trim(), n.trim().parse::<i128>().expect("a number") as i64)),
                None => {
                    prelude.push_str(line);
                    prelude.push('\n');
                }
            }
        }
        for opt in LEVELS {
            for (e, expected) in &cases {
                let source = format!("{prelude}(defprog p (:type :raw-tracepoint)\n  {e})\n");
                let got = match compile(&source, opt) {
                    Err(e) => e,
                    Ok(object) => match Machine::new(&object, MachineOptions::default()) {
                        Err(e) => e.to_string(),
                        Ok(mut m) => match m.run("p", RunInput::args(&[7, 8])) {
                            Ok(r) => (r.ret as i64).to_string(),
                            Err(f) => f.to_string(),
                        },
                    },
                };
                if got != expected.to_string() {
                    failures.push(format!("{e}  at {opt:?}: expected {expected}, got {got}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} expressions:\n{}", failures.len(), failures.join("\n"));
}
