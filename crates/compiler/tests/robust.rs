//! Wrong input never brings the checker down: sources with words exchanged, dropped or doubled are
//! checked, and whatever comes out, it comes out as reports.

mod common;

use std::path::Path;
use std::rc::Rc;

use whistler_codegen::OptLevel;
use whistler_compiler::Session;
use whistler_diag::SourceMap;
use whistler_isa::Target;
use whistler_lisp::{Interp, NoIo};

fn sources() -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = Vec::new();
    for sub in ["tests/check", "tests/run", "../../examples"] {
        for entry in std::fs::read_dir(dir.join(sub)).expect("there").flatten() {
            if entry.path().extension().is_some_and(|e| e == "lisp") {
                let text = std::fs::read_to_string(entry.path()).expect("readable");
                out.extend(text.split(";; # ").map(str::to_string));
            }
        }
    }
    out.sort();
    out
}

/// Words, with brackets as words of their own.
fn words(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in text.lines() {
        let code = line.split(';').next().unwrap_or("");
        for w in code.replace('(', " ( ").replace(')', " ) ").split_whitespace() {
            out.push(w.to_string());
        }
    }
    out
}

#[test]
fn mutated_sources_are_reported_and_nothing_falls_over() {
    let rounds: u64 = std::env::var("ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(6);
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % n.max(1) as u64) as usize
    };
    let all = sources();
    let vocabulary: Vec<String> = all.iter().flat_map(|s| words(s)).collect();
    let odd =
        ["nil", "0", "-1", "18446744073709551615", "-9223372036854775808", "'x", "\"s\"", "#(1)", "1.5", ":k", "t"];
    let mut checked = 0;
    for text in &all {
        for _ in 0..rounds {
            let mut w = words(text);
            for _ in 0..=next(3) {
                if w.is_empty() {
                    break;
                }
                let at = next(w.len());
                match next(4) {
                    0 => drop(w.remove(at)),
                    1 => w.insert(at, w[at].clone()),
                    2 => w[at] = vocabulary[next(vocabulary.len())].clone(),
                    _ => w[at] = odd[next(odd.len())].to_string(),
                }
            }
            let source = w.join(" ");
            let mut map = SourceMap::new();
            let file = map.add("mutant.lisp", source);
            let mut interp = Interp::new(Box::new(NoIo));
            interp.set_step_limit(Some(100_000));
            let mut session = Session::new(Target::default(), Rc::new(common::SmallKernel::new()));
            let (compiled, diags) = session.compile_source(&mut interp, &map, file, OptLevel::None);
            assert!(compiled.is_some() || !diags.is_empty());
            checked += 1;
        }
    }
    println!("{checked} sources");
}
