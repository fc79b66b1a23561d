//! The `whistler` binary: flags, terminal, prompt. Thin: what it does is in the crates below.
//! It must *not* hold knowledge of the language or of eBPF.
#![forbid(unsafe_code)]

#[macro_use]
mod io;

mod args;
mod commands;
mod session;
mod terminal;
mod unit;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// Exit status of a run that found errors in what the user wrote.
const FAILED: u8 = 1;
/// What Rust's own main ends with after a panic.
const PANICKED: u8 = 101;

/// Deep recursion in the language is recursion here too, and the main thread's stack is what the shell allows.
/// Only what is used of it costs memory.
pub(crate) const STACK: usize = 64 << 20;

/// What the heap grows by: enough for compiling a usual file.
const HEAP_STEP: usize = 1 << 20;

fn main() -> ExitCode {
    whistler_sys::one_heap(HEAP_STEP);
    let args = Args::try_parse().unwrap_or_else(|e| {
        let first = std::env::args().nth(1).filter(|a| std::path::Path::new(a).is_file());
        if let (clap::error::ErrorKind::InvalidSubcommand, Some(file)) = (e.kind(), first) {
            complain!("whistler: `{file}` is a file; to run it: whistler run {file}");
            std::process::exit(2);
        }
        e.exit()
    });
    let large = std::thread::Builder::new().stack_size(STACK);
    match large.spawn(move || run(args)).map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        // The panic has been reported.
        Ok(Err(_)) => ExitCode::from(PANICKED),
        Err(e) => {
            complain!("whistler: no thread can be started: {e}");
            ExitCode::from(FAILED)
        }
    }
}

fn run(args: Args) -> ExitCode {
    let result = match args.command {
        None if !args.eval.is_empty() => commands::eval::run(&args.eval, &args.image),
        None => commands::repl::run(&args.image),
        Some(Command::Run(a)) => commands::run::run(&a, &args.image),
        Some(Command::Repl) => commands::repl::run(&args.image),
        Some(Command::Compile(a)) => commands::compile::run(&a),
        Some(Command::Check(a)) => commands::check::run(&a),
        Some(Command::Disasm(a)) => commands::disasm::run(&a),
        Some(Command::Btf { command }) => commands::btf::run(&command, &args.image),
        Some(Command::Doctor) => commands::doctor::run(),
        Some(Command::Test(a)) => commands::test::run(&a, &args.image),
        Some(Command::Replay(a)) => commands::replay::run(&a, &args.image),
        Some(Command::TestRun(a)) => commands::test_run::run(&a, &args.image),
        Some(Command::VmRun(a)) => commands::vm_run::run(&a),
        Some(Command::Explain { code }) => commands::explain::run(code.as_deref()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(message) => {
            complain!("whistler: {message}");
            ExitCode::from(FAILED)
        }
    }
}
