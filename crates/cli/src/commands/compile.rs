//! `whistler compile FILE`: an object, or its instructions or IR as text.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Outcome;
use crate::args::{CompileArgs, Emit};
use crate::io::{report, tally, timed};
use crate::unit::Unit;

/// Compiles a file; `false` after errors in it.
pub fn run(args: &CompileArgs) -> Outcome {
    let mut unit = Unit::read(&args.file, &args.target)?;
    if args.emit == Emit::Ir {
        let (text, diagnostics) = unit.ir();
        report(&diagnostics, &unit.sources.borrow());
        let Some(text) = text else { return Ok(false) };
        return write(args.output.as_deref().unwrap_or(Path::new("-")), text.as_bytes());
    }
    let (compiled, diagnostics) = unit.compile();
    report(&diagnostics, &unit.sources.borrow());
    let Some(compiled) = compiled else {
        if let Some(tally) = tally(&diagnostics) {
            eprintln!("{}: {tally}", args.file.display());
        }
        return Ok(false);
    };
    if args.emit == Emit::Asm {
        let text = whistler_object::listing(&compiled.object, true);
        return write(args.output.as_deref().unwrap_or(Path::new("-")), text.as_bytes());
    }
    if compiled.object.programs.is_empty() {
        return Err(format!("{}: there is no program in it (`defprog`)", args.file.display()));
    }
    let (bytes, writing) = timed(|| whistler_object::elf::write(&compiled.object));
    let bytes = bytes.map_err(|e| format!("{}: {e}", args.file.display()))?;
    let output = args.output.clone().unwrap_or_else(|| object_path(&args.file));
    write(&output, &bytes)?;
    if args.timings {
        let stages = compiled.times.iter().copied().chain([("writing", writing)]);
        let mut sum = Duration::ZERO;
        for (stage, took) in stages {
            sum += took;
            eprintln!("{:>8.1} µs  {stage}", took.as_secs_f64() * 1e6);
        }
        eprintln!("{:>8.1} µs  in all", sum.as_secs_f64() * 1e6);
    }
    if output != Path::new("-") {
        for p in &compiled.object.programs {
            println!("{}: {} · {} instructions", output.display(), p.function.name, p.function.insns.len());
        }
    }
    Ok(true)
}

fn object_path(source: &Path) -> PathBuf {
    // In the current directory, as compilers do.
    PathBuf::from(source.file_name().unwrap_or(source.as_os_str())).with_extension("bpf.o")
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    let result = if path == Path::new("-") { std::io::stdout().write_all(bytes) } else { std::fs::write(path, bytes) };
    result.map(|()| true).map_err(|e| format!("{}: {e}", path.display()))
}
