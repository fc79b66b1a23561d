//! `difftest [COUNT [FIRST-SEED]]`: random programs, run by reference, VM and kernel (`--no-kernel`: without it;
//! `--first`: up to the first failure, as it was generated; `--all`: every failure is shown; `--tries N`: edits
//! tried to make one small).
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Instant;

use whistler_codegen::OptLevel;
use whistler_difftest::campaign::{Campaign, keep, targets};
use whistler_difftest::generate::generate;
use whistler_kernel::Kernel;

/// Programs between two lines of progress.
const PROGRESS: u64 = 500;

fn main() -> ExitCode {
    let mut numbers = Vec::new();
    let mut kernel = Some(Kernel::running());
    let mut first_only = false;
    let mut kept = None;
    let (mut shown, mut tries) = (5, 2000);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.parse::<u64>() {
            Ok(n) => numbers.push(n),
            Err(_) if arg == "--no-kernel" => kernel = None,
            Err(_) if arg == "--first" => first_only = true,
            Err(_) if arg == "--all" => shown = usize::MAX,
            Err(_) if arg == "--tries" => tries = args.next().and_then(|n| n.parse().ok()).unwrap_or(tries),
            Err(_) if arg == "--kept" => kept = args.next(),
            Err(_) if arg == "--show" => {
                println!("{}", generate(numbers.last().copied().unwrap_or(0)).text());
                return ExitCode::SUCCESS;
            }
            Err(_) => {
                eprintln!(
                    "usage: difftest [COUNT [FIRST-SEED]] [--no-kernel] [--first] [--all] [--tries N]   or   difftest --kept DIR   or   difftest SEED --show"
                );
                return ExitCode::FAILURE;
            }
        }
    }
    if let Some(dir) = kept {
        return match keep(std::path::Path::new(&dir), kernel.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                println!("{why}");
                ExitCode::FAILURE
            }
        };
    }
    let count = numbers.first().copied().unwrap_or(1000);
    let first = numbers.get(1).copied().unwrap_or(1);
    let campaign = Campaign {
        first,
        count,
        kernel: kernel.as_ref(),
        targets: targets(kernel.as_ref()),
        levels: vec![OptLevel::None, OptLevel::Full],
        tries: if first_only { 0 } else { tries },
        stop_at_first: first_only,
    };
    let start = Instant::now();
    let mut told = 0;
    let (failures, coverage) = campaign.run(|seed, failure| {
        let Some(f) = failure else {
            let done = seed + 1 - first;
            if done % PROGRESS == 0 {
                eprintln!("{done} programs in {:.0} s", start.elapsed().as_secs_f64());
            }
            return;
        };
        told += 1;
        if told > shown {
            return;
        }
        println!("seed {} · {:?} · {:?}\n{}\n{}\n", f.seed, f.target, f.level, f.problem, f.text);
    });
    if !first_only {
        print!("{coverage}");
    }
    for kind in ["rejected by the compiler", "rejected by the verifier", "fault", "mismatch"] {
        let n = failures.iter().filter(|f| f.problem.kind() == kind).count();
        println!("{kind}: {n}");
    }
    println!(
        "{count} programs from seed {first}, {} targets, {} levels{}: {} failures in {:.1} s",
        campaign.targets.len(),
        campaign.levels.len(),
        if campaign.kernel.is_some() { "" } else { ", without the kernel" },
        failures.len(),
        start.elapsed().as_secs_f64()
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
