//! Whole programs as data: every file of `cases/`, `semantics/` (what bit the original, one file each) and `compat/kernel/` is run by the binary in the virtual machine and in the
//! kernel, optimised and not, for two targets; all must agree with what the file's head says.
//!
//! The head's lines are `;;; key: value`:
//! `packet` bytes, filled up with zeros to 64 (`packet-only`: as they are) · `ctx` bytes of the context ·
//! `prog` which program (`main`) · `result` its 32-bit result (for XDP 2 unless said) · `out` the values of the
//! map `out`, in order · `map: NAME[KEY] = VALUE` all entries that are not 0 of a map, in hex ·
//! `sum: NAME[KEY] = N` one entry, added up over CPUs · `after` the packet's first bytes afterwards ·
//! `emit` a line that is emitted, in order · `target` what it is compiled for, where that must be more than the usual ·
//! `loops: every way`: loops are also made in each way there is (`verified once`: where the verifier need not follow
//! each round) · `wait` milliseconds before the maps are looked at ·
//! `only: vm` or `only: kernel` with the reason behind it.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use support::{kernel_missing, run, whistler};

/// Bytes of a packet whose length does not matter.
const PACKET: usize = 64;

/// The ways every case is run: places and flags.
const WAYS: [(&str, &[&str]); 5] = [
    ("vm", &["--vm"]),
    ("vm, not optimised", &["--vm", "--no-opt"]),
    ("kernel", &["--kernel"]),
    ("kernel, not optimised", &["--kernel", "--no-opt"]),
    ("kernel, newest instructions", &["--kernel", "--target", "6.12/v4"]),
];

/// Below `tests`.
const DIRECTORIES: [&str; 3] = ["cases", "semantics", "compat/kernel"];

/// What bit the original, and the file of `semantics/` that shows it right.
const SEMANTICS: &[(&str, &str)] = &[
    ("eight or more values live over a call", "eight-values-live-over-calls"),
    ("a u8 stored into an 8-byte map value has zeros above", "u8-into-an-8-byte-map-value"),
    ("a u16 field written and the u32 around it read", "u16-field-and-the-u32-around-it"),
    ("narrow writes and their neighbours together", "narrow-writes"),
    ("(store u64 p 0 #xffffffff)", "store-u64-of-32-ones"),
    ("(return (when nil 7)) gives 0", "return-when-nothing"),
    ("(return (= x 3))", "return-comparison"),
    ("signed loads sign-extend", "signed-loads-sign-extend"),
    ("(> -1 0) the same folded and at run time", "minus-one-above-zero"),
    ("struct pointers as map values copy the bytes", "struct-pointers-as-values"),
    ("the same, by every form that writes a value", "struct-pointers-as-values-every-form"),
    ("macro hygiene with gensym", "macro-hygiene"),
];

/// The table and the directory are the same.
fn semantics() -> Result<(), Failed> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/semantics");
    let entries = std::fs::read_dir(&dir).map_err(|e| e.to_string())?;
    let mut there: Vec<String> =
        entries.filter_map(|e| Some(e.ok()?.path().file_stem()?.to_string_lossy().into_owned())).collect();
    let mut named: Vec<&str> = SEMANTICS.iter().map(|(_, file)| *file).collect();
    there.sort();
    named.sort();
    if there == named { Ok(()) } else { Err(format!("named {named:?}, there are {there:?}").into()) }
}

/// The ways in which loops can be made.
const LOOPS: [(&str, &[&str]); 10] = [
    ("vm, loops unrolled", &["--vm", "--target", "6.18/v4/loops=unroll"]),
    ("vm, loops as jumps", &["--vm", "--target", "6.18/v4/loops=jump"]),
    ("vm, loops by bpf_loop", &["--vm", "--target", "6.18/v4/loops=bpf_loop"]),
    ("vm, loops by iterator", &["--vm", "--target", "6.18/v4/loops=iterator"]),
    ("vm, loops by may_goto", &["--vm", "--target", "6.18/v4/loops=may_goto"]),
    ("kernel, loops unrolled", &["--kernel", "--target", "6.18/v4/loops=unroll"]),
    ("kernel, loops as jumps", &["--kernel", "--target", "6.18/v4/loops=jump"]),
    ("kernel, loops by bpf_loop", &["--kernel", "--target", "6.1/loops=bpf_loop"]),
    ("kernel, loops by iterator", &["--kernel", "--target", "6.18/v4/loops=iterator"]),
    ("kernel, loops by may_goto", &["--kernel", "--target", "6.18/v4/loops=may_goto"]),
];

#[derive(Default)]
struct Case {
    packet: Option<String>,
    ctx: Option<String>,
    prog: Option<String>,
    result: Option<u32>,
    out: Option<Vec<u64>>,
    maps: BTreeMap<String, Vec<(String, String)>>,
    sums: Vec<(String, String, u64)>,
    after: Option<String>,
    only: Option<String>,
    target: Option<String>,
    emits: Vec<String>,
    wait: Option<String>,
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut files: Vec<_> = DIRECTORIES
        .iter()
        .flat_map(|dir| std::fs::read_dir(tests.join(dir)).expect("the directory is there"))
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "lisp"))
        .collect();
    files.sort();
    let required = std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_some_and(|v| v == "1");
    let missing = kernel_missing().filter(|_| !required);
    if let Some(missing) = &missing {
        eprintln!("skipped: what runs in the kernel {missing}");
    }
    let mut trials = vec![Trial::test("what bit the original has its files", semantics)];
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let loops = text.lines().find_map(|l| l.strip_prefix(";;; loops: "));
        let loops = LOOPS.iter().copied().filter(|(way, _)| match loops {
            None => false,
            Some("verified once") => !way.starts_with("kernel, loops as jumps") && !way.contains("unrolled"),
            Some(_) => true,
        });
        for (way, flags) in WAYS.into_iter().chain(loops) {
            let file = file.clone();
            let skip = missing.is_some() && way.starts_with("kernel");
            trials
                .push(Trial::test(format!("{name} ({way})"), move || check(&file, way, flags)).with_ignored_flag(skip));
        }
    }
    libtest_mimic::run(&args, trials).exit_code()
}

fn check(file: &Path, way: &str, flags: &[&str]) -> Result<(), Failed> {
    let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    let case = Case::parse(&text)?;
    if case.only.as_ref().is_some_and(|only| !way.starts_with(only.split_whitespace().next().unwrap_or(""))) {
        return Ok(());
    }
    let mut args = vec!["test-run".to_string(), file.display().to_string()];
    args.push(case.prog.clone().unwrap_or_else(|| "main".to_string()));
    for (flag, value) in [("--packet", &case.packet), ("--ctx", &case.ctx), ("--wait", &case.wait)] {
        args.extend(value.iter().flat_map(|v| [flag.to_string(), v.clone()]));
    }
    args.extend(flags.iter().map(|f| f.to_string()));
    if let Some(target) = &case.target {
        match args.iter().position(|a| a == "--target") {
            // The way in which loops are made stays.
            Some(i) => {
                let loops = args[i + 1].find("/loops=").map_or("", |at| &args[i + 1][at..]);
                args[i + 1] = format!("{target}{loops}");
            }
            None => args.extend(["--target".to_string(), target.clone()]),
        }
    }
    let ran = run(&mut whistler(&args));
    if !ran.status.success() {
        return Err(format!("{}\n{}{}", ran.status, ran.out, ran.err).into());
    }
    let seen = Seen::parse(&ran.out)?;
    case.compare(&seen).map_err(|e| format!("{e}\n--- said\n{}{}", ran.out, ran.err).into())
}

impl Case {
    fn parse(text: &str) -> Result<Case, String> {
        let mut case = Case::default();
        for line in text.lines().map_while(|l| l.strip_prefix(";;;")) {
            let Some((key, value)) = line.trim().split_once(": ") else { continue };
            let value = value.trim();
            match key {
                "packet" => {
                    let mut hex = squeeze(value);
                    while hex.len() < 2 * PACKET {
                        hex.push('0');
                    }
                    case.packet = Some(hex);
                }
                "packet-only" => case.packet = Some(squeeze(value)),
                "ctx" => case.ctx = Some(squeeze(value)),
                "prog" => case.prog = Some(value.to_string()),
                "result" => case.result = Some(number(value)? as u32),
                "out" => case.out = Some(value.split_whitespace().map(number).collect::<Result<_, _>>()?),
                "map" => {
                    let (name, key, value) = entry(value)?;
                    case.maps.entry(name).or_default().push((key, value));
                }
                "sum" => {
                    let (name, key, value) = entry(value)?;
                    case.sums.push((name, key, number(&value)?));
                }
                "after" => case.after = Some(squeeze(value)),
                "emit" => case.emits.push(value.to_string()),
                "target" => case.target = Some(value.to_string()),
                "loops" if matches!(value, "every way" | "verified once") => {}
                "wait" => case.wait = Some(value.to_string()),
                "only" => case.only = Some(value.to_string()),
                // Prose may have a colon in it.
                _ if key.contains(' ') || key.starts_with(char::is_uppercase) => {}
                _ => return Err(format!("what is `{key}`?")),
            }
        }
        if case.result.is_none() && text.contains(":type :xdp") {
            case.result = Some(2);
        }
        Ok(case)
    }

    fn compare(&self, seen: &Seen) -> Result<(), String> {
        if let Some(result) = self.result
            && seen.result != result
        {
            return Err(format!("result {} instead of {}", seen.result as i32, result as i32));
        }
        if let Some(out) = &self.out {
            for (i, expected) in out.iter().enumerate() {
                let key = hex(&(i as u32).to_le_bytes());
                let value = seen.sum("out", &key);
                if value != *expected {
                    return Err(format!(
                        "out {i} is {} ({value:#x}) instead of {} ({expected:#x})",
                        value as i64, *expected as i64
                    ));
                }
            }
        }
        for (name, expected) in &self.maps {
            let mut expected = expected.clone();
            expected.sort();
            let mut found = seen.maps.get(name).cloned().unwrap_or_default();
            found.sort();
            if found != expected {
                return Err(format!("map {name} holds {found:?} instead of {expected:?}"));
            }
        }
        for (name, key, expected) in &self.sums {
            let sum = seen.sum(name, key);
            if sum != *expected {
                return Err(format!("{name}[{key}] is {sum} instead of {expected}"));
            }
        }
        if seen.emits != self.emits {
            return Err(format!("emitted {:?} instead of {:?}", seen.emits, self.emits));
        }
        match (&self.after, &seen.packet) {
            (Some(after), Some(packet)) if !packet.starts_with(after.as_str()) => {
                Err(format!("the packet is {packet} instead of {after}"))
            }
            (Some(_), None) => Err("the packet did not change".to_string()),
            _ => Ok(()),
        }
    }
}

/// What a run printed.
struct Seen {
    result: u32,
    maps: BTreeMap<String, Vec<(String, String)>>,
    packet: Option<String>,
    emits: Vec<String>,
}

impl Seen {
    fn parse(out: &str) -> Result<Seen, String> {
        let mut seen = Seen { result: 0, maps: BTreeMap::new(), packet: None, emits: Vec::new() };
        let mut result = None;
        for line in out.lines() {
            if let Some(packet) = line.strip_prefix("packet: ") {
                seen.packet = Some(packet.to_string());
            } else if let Some(line) = line.strip_prefix("emitted: ") {
                seen.emits.push(line.to_string());
            } else if line.contains(" in the ") {
                let number = line.split_once(" (0x").and_then(|(_, rest)| rest.split_once(')')).map(|(n, _)| n);
                result = number.and_then(|n| u32::from_str_radix(n, 16).ok());
            } else {
                let (name, key, value) = entry(line)?;
                seen.maps.entry(name).or_default().push((key, value));
            }
        }
        seen.result = result.ok_or("no result was printed")?;
        Ok(seen)
    }

    /// One entry's values, added up.
    fn sum(&self, map: &str, key: &str) -> u64 {
        let values = self.maps.get(map).into_iter().flatten().filter(|(k, _)| k == key);
        values
            .flat_map(|(_, v)| v.split_whitespace())
            .map(|v| {
                let byte = |i: usize| v.get(i..i + 2).and_then(|d| u64::from_str_radix(d, 16).ok()).unwrap_or(0);
                (0..v.len()).step_by(2).rev().fold(0u64, |n, i| (n << 8) | byte(i))
            })
            .fold(0, u64::wrapping_add)
    }
}

/// `NAME[KEY] = VALUE`.
fn entry(line: &str) -> Result<(String, String, String), String> {
    let parts = || {
        let (name, rest) = line.split_once('[')?;
        let (key, value) = rest.split_once("] = ")?;
        Some((name.to_string(), key.to_string(), value.to_string()))
    };
    parts().ok_or_else(|| format!("`{line}` is no entry of a map"))
}

fn number(text: &str) -> Result<u64, String> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |t| (true, t));
    let n = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let n = n.map_err(|e| format!("`{text}`: {e}"))?;
    Ok(if negative { n.wrapping_neg() } else { n })
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
