//! Random modules through every pass alone and through the pipeline: each must leave them valid,
//! and doing what they did. `WHISTLER_CASES` sets how many; a failure names its seed.

use whistler_codegen::OptLevel;
use whistler_codegen::ir::interp::Trap;
use whistler_codegen::ir::{Module, parse, validate};
use whistler_codegen::passes::{PIPELINE, by_name, run_pipeline};
use whistler_codegen::testgen::{module, run};
use whistler_isa::Target;

const RUNS: u64 = 4;

fn cases() -> u64 {
    std::env::var("WHISTLER_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1500)
}

fn check(what: &str, seed: u64, before: &Module, after: &Module) {
    for f in &after.functions {
        if let Err(all) = validate(f, after) {
            panic!("{what}, seed {seed}: {all:?}\nbefore:\n{before}\nafter:\n{after}");
        }
    }
    for n in 0..RUNS {
        let wanted = match run(before, seed * RUNS + n) {
            Err(Trap::Steps) => continue,
            other => other.unwrap_or_else(|e| panic!("seed {seed}, run {n}: {e}\n{before}")),
        };
        let got = run(after, seed * RUNS + n);
        assert!(
            got.as_ref() == Ok(&wanted),
            "{what}, seed {seed}, run {n}:\nbefore:\n{before}\nafter:\n{after}\nwanted {wanted:?}\ngot    {got:?}"
        );
    }
}

#[test]
fn the_text_form_keeps_random_modules() {
    for seed in 0..cases() {
        let m = module(seed);
        let text = m.to_string();
        let again = parse(&text).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{text}"));
        assert_eq!(again.to_string(), text);
        if seed % 8 == 0 {
            check("text", seed, &m, &again);
        }
    }
}

#[test]
fn every_pass_keeps_the_meaning() {
    let target = Target::default();
    let mut names: Vec<&str> = PIPELINE.iter().map(|p| p.name).collect();
    names.sort_unstable();
    names.dedup();
    let mut found = vec![0; names.len()];
    for seed in 0..cases() {
        let mut m = module(seed);
        // Only this one takes functions as the builder leaves them.
        by_name("compact").unwrap().run_on(&mut m, &target).unwrap();
        // Half of them after some others, where different things are to be found.
        if seed % 2 == 1 {
            let some = (seed as usize / 2) % PIPELINE.len();
            for p in &PIPELINE[..some] {
                p.run_on(&mut m, &target).unwrap();
            }
        }
        for (name, found) in names.iter().zip(&mut found) {
            let mut after = m.clone();
            let changed = by_name(name).unwrap().run_on(&mut after, &target);
            if changed.unwrap_or_else(|e| panic!("seed {seed}: {e}\n{m}")) {
                *found += 1;
                check(name, seed, &m, &after);
            } else {
                assert_eq!(m.to_string(), after.to_string(), "{name} says it changed nothing, seed {seed}");
            }
        }
    }
    // A pass that finds nothing to do has not been tested.
    println!("{:?}", names.iter().zip(&found).collect::<Vec<_>>());
    for (name, found) in names.iter().zip(&found) {
        assert!(cases() < 1000 || *found > 10, "{name} changed {found} modules");
    }
}

#[test]
fn the_pipeline_keeps_the_meaning() {
    for seed in 0..cases() {
        let before = module(seed);
        for level in [OptLevel::None, OptLevel::Full] {
            for target in ["v1", "v3", "6.12"] {
                let mut after = before.clone();
                let target = target.parse().unwrap();
                run_pipeline(&mut after, &target, level).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{before}"));
                check(&format!("{level:?} for {target:?}"), seed, &before, &after);
            }
        }
    }
}

/// Time per pass; run it in release mode.
#[test]
#[ignore = "measures"]
fn measure() {
    use std::time::{Duration, Instant};
    let target = Target::default();
    let modules: Vec<Module> = (0..2000).map(module).collect();
    let size = |m: &Module| m.functions.iter().flat_map(|f| &f.blocks).map(|b| b.insts.len() + 1).sum::<usize>();
    let (mut before, mut after, mut all) = (0, 0, Duration::ZERO);
    let mut passes: Vec<(&str, Duration)> = Vec::new();
    for m in &modules {
        let mut m = m.clone();
        before += size(&m);
        let start = Instant::now();
        for (name, took) in run_pipeline(&mut m, &target, OptLevel::Full).unwrap() {
            match passes.iter_mut().find(|(n, _)| *n == name) {
                Some((_, sum)) => *sum += took,
                None => passes.push((name, took)),
            }
        }
        all += start.elapsed();
        after += size(&m);
    }
    passes.sort_by_key(|(_, t)| std::cmp::Reverse(*t));
    for (name, took) in passes {
        println!("{name:10} {:6.2} us a module", took.as_secs_f64() * 1e6 / modules.len() as f64);
    }
    let per = all.as_secs_f64() * 1e6 / modules.len() as f64;
    let n = modules.len();
    println!("all {per:.1} us a module of {} instructions, {} afterwards", before / n, after / n);
}
