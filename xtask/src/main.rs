//! `cargo xtask tidy`, `cargo xtask vm`, `cargo xtask mutants`, `cargo xtask core`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask tidy
    checks dependency rules, `unsafe`, paths, file lengths and leftovers

cargo xtask vm [--kernel 6.1|6.12|all] [--put FILE:GUEST_PATH]… [--timeout SECONDS] [--] [BIN ARGS…]
    boots the kernels, each once, and runs a static binary there; without BIN the
    loader's own tests, built statically

cargo xtask vm --cases [--kernel 6.1|6.12|all]
    compiles the cases of crates/cli/tests/kernels once, and runs the objects on this kernel and in
    the booted ones, through our loader, libbpf and bpftool; a table says what passed where

cargo xtask vm [--kernel 6.12] --shell [--bin WHISTLER] [--put FILE:GUEST_PATH]… [-- ARGS…]
    boots a kernel with `whistler` on the terminal, the examples in /examples

cargo xtask vm [--kernel 6.12] --demo [--bin WHISTLER]
    boots a kernel and types at the prompt on its terminal: programs are attached, changed
    and typed again while they count; shows what the terminal shows, and checks it

cargo xtask mutants [--rev COMMIT] [PATH-PART | NUMBERS]
    plants each mistake of xtask/mutants.txt in a copy of the commit (HEAD), alone, and
    says which part of the suite catches it; only those of files whose path has that
    part, or those numbered (`3,7,12`)

cargo xtask core
    compiles crates/loader/tests/core with clang, lets libbpf 1.7 relocate it for every target there,
    and writes what the loader's tests compare with; then lets it merge and deduplicate the BTF of
    crates/btf/tests/dedup and bench/clang, for the tests of crate btf; says what changed
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.first().map(String::as_str) {
        Some("tidy") if args.len() == 1 => tidy(),
        Some("vm") => xtask::vm::Options::parse(&args[1..]).and_then(|o| xtask::vm::run(&o)),
        Some("mutants") => xtask::mutants::Options::parse(&args[1..]).and_then(|o| xtask::mutants::run(&o)),
        Some("core") if args.len() == 1 => xtask::core_oracle::run(&xtask::root()),
        _ => Err(format!("usage:\n{USAGE}")),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::from(2)
        }
    }
}

fn tidy() -> Result<bool, String> {
    let report = xtask::tidy::check(&xtask::root()).map_err(|e| format!("tidy: {e}"))?;
    for note in &report.notes {
        println!("note: {note}");
    }
    for problem in &report.problems {
        println!("error: {problem}");
    }
    println!("tidy: {} problems, {} notes", report.problems.len(), report.notes.len());
    Ok(report.problems.is_empty())
}
