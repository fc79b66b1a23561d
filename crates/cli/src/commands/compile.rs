//! `whistler compile FILE`: an object, or its instructions or IR as text.

use std::path::{Path, PathBuf};
use std::time::Duration;

use whistler_bindgen::Language;
use whistler_object::Object;

use super::Outcome;
use crate::args::{Bindings, CompileArgs, Emit};
use crate::io::{report_folded, tally, timed};
use crate::unit::Unit;

/// Compiles a file; `false` after errors in it.
pub fn run(args: &CompileArgs) -> Outcome {
    let mut unit = Unit::read(&args.file, &args.target)?;
    if args.emit == Emit::Ir {
        let (text, diagnostics) = unit.ir();
        report_folded(&diagnostics, &unit.sources.borrow());
        let Some(text) = text else { return Ok(false) };
        return write(args.output.as_deref().unwrap_or(Path::new("-")), text.as_bytes());
    }
    let (compiled, diagnostics) = unit.compile();
    report_folded(&diagnostics, &unit.sources.borrow());
    let Some(compiled) = compiled else {
        if let Some(tally) = tally(&diagnostics) {
            complain!("{}: {tally}", args.file.display());
        }
        return Ok(false);
    };
    if args.emit == Emit::Asm {
        let text = whistler_object::listing(&compiled.object, true);
        return write(args.output.as_deref().unwrap_or(Path::new("-")), text.as_bytes());
    }
    let wanted = unit.session.wanted_elf().map(PathBuf::from);
    let output = args.output.clone().or(wanted).unwrap_or_else(|| object_path(&args.file));
    bindings(args, &compiled.object, &output)?;
    if compiled.object.programs.is_empty() {
        if !args.bindings.is_empty() {
            return Ok(true);
        }
        return Err(format!("{}: there is no program in it (`defprog`)", args.file.display()));
    }
    let (bytes, writing) = timed(|| whistler_object::elf::write(&compiled.object));
    let bytes = bytes.map_err(|e| format!("{}: {e}", args.file.display()))?;
    write(&output, &bytes)?;
    if args.timings {
        let stages = compiled.times.iter().copied().chain([("writing", writing)]);
        let mut sum = Duration::ZERO;
        for (stage, took) in stages {
            sum += took;
            complain!("{:>8.1} µs  {stage}", took.as_secs_f64() * 1e6);
        }
        complain!("{:>8.1} µs  in all", sum.as_secs_f64() * 1e6);
    }
    if output != Path::new("-") {
        for p in &compiled.object.programs {
            say!("{}: {} · {} instructions", output.display(), p.function.name, p.function.insns.len());
        }
    }
    Ok(true)
}

/// Writes the bindings that are asked for, beside the object.
fn bindings(args: &CompileArgs, object: &Object, output: &Path) -> Result<(), String> {
    let all = args.bindings.contains(&Bindings::All);
    let chosen = Language::ALL.into_iter().filter(|l| all || args.bindings.contains(&flag(*l)));
    let base = if output == Path::new("-") { object_path(&args.file) } else { output.to_path_buf() };
    let name = base.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unit = name.trim_end_matches(".o").trim_end_matches(".bpf");
    for language in chosen {
        let text =
            whistler_bindgen::generate(object, language, unit).map_err(|e| format!("{}: {e}", args.file.display()))?;
        let path = base.with_file_name(format!("{unit}_bpf.{}", language.extension()));
        write(&path, text.as_bytes())?;
        if output != Path::new("-") {
            say!("{}", path.display());
        }
    }
    Ok(())
}

fn flag(language: Language) -> Bindings {
    match language {
        Language::C => Bindings::C,
        Language::Go => Bindings::Go,
        Language::Rust => Bindings::Rust,
        Language::Python => Bindings::Python,
        Language::Lisp => Bindings::Lisp,
    }
}

fn object_path(source: &Path) -> PathBuf {
    // In the current directory, as compilers do.
    PathBuf::from(source.file_name().unwrap_or(source.as_os_str())).with_extension("bpf.o")
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    if path == Path::new("-") {
        crate::io::write_bytes_out(bytes);
        return Ok(true);
    }
    std::fs::write(path, bytes).map(|()| true).map_err(|e| format!("{}: {e}", path.display()))
}
