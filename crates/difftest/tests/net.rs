//! The net itself: thousands of random programs, and those that once failed.

use whistler_codegen::OptLevel;
use whistler_difftest::campaign::{Campaign, keep, targets};
use whistler_kernel::Kernel;
use whistler_sys::Cap;

/// Programs per run, unless `WHISTLER_DIFFTEST_COUNT` says otherwise.
const COUNT: u64 = 600;

fn kernel() -> Option<Kernel> {
    let kernel = Kernel::running();
    if kernel.missing(&[Cap::Bpf, Cap::NetAdmin]).is_empty() {
        return Some(kernel);
    }
    assert!(
        std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(),
        "the kernel is required, but capabilities are missing"
    );
    println!("without the kernel: CAP_BPF or CAP_NET_ADMIN is missing");
    None
}

/// The compiler descends with its input: what is nested deeply needs the stack that the program gives it.
const STACK: usize = 64 << 20;

#[test]
fn random_programs_run_alike_everywhere() {
    let large = std::thread::Builder::new().stack_size(STACK);
    let run = large.spawn(random_programs).expect("a thread");
    if let Err(why) = run.join() {
        std::panic::resume_unwind(why);
    }
}

fn random_programs() {
    let kernel = kernel();
    let count = std::env::var("WHISTLER_DIFFTEST_COUNT").ok().and_then(|n| n.parse().ok()).unwrap_or(COUNT);
    // A new place every day, the same all day; the seed stands in the output.
    let day = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs() / 86_400);
    let first = std::env::var("WHISTLER_DIFFTEST_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(day * 1_000_000);
    println!("seeds {first} to {}", first + count - 1);
    let campaign = Campaign {
        first,
        count,
        kernel: kernel.as_ref(),
        targets: targets(kernel.as_ref()),
        levels: vec![OptLevel::None, OptLevel::Full],
        tries: 600,
        stop_at_first: false,
    };
    let (failures, coverage) = campaign.run(|seed, failure| {
        if let Some(f) = failure {
            println!("seed {seed} {:?}: {}", f.target, f.problem.kind());
        }
    });
    println!("{coverage}");
    let limits = coverage.limits.len() as u64;
    assert!(limits * 50 <= count, "{limits} of {count} programs are too much for the verifier");
    let shown: Vec<String> = failures
        .iter()
        .take(3)
        .map(|f| format!("seed {} {:?} {:?}\n{}\n{}", f.seed, f.target, f.level, f.problem, f.text))
        .collect();
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), shown.join("\n\n"));
}

/// Programs that failed once: `tests/kept/*.lisp`, with one program `p` each.
#[test]
fn kept_programs_run_alike_everywhere() {
    let kernel = kernel();
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept");
    if let Err(why) = keep(&dir, kernel.as_ref()) {
        panic!("{why}");
    }
}
