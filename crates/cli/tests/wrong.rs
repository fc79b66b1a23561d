//! Wrong programs: every file of `wrong/` is checked by the binary; what it says must be what stands beside it
//! in `NAME.stderr`. A first line `;;; args: …` gives further arguments. `UPDATE=1` writes those files anew, to be read before they are committed.

mod support;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use support::{run, whistler};

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrong");
    let mut files: Vec<_> = std::fs::read_dir(&dir)
        .expect("tests/wrong is there")
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "lisp"))
        .collect();
    files.sort();
    let trials = files.into_iter().map(|file| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name, move || check(&file))
    });
    libtest_mimic::run(&args, trials.collect()).exit_code()
}

fn check(file: &Path) -> Result<(), Failed> {
    let dir = file.parent().ok_or("the file has a directory")?;
    let name = file.file_name().ok_or("the file has a name")?;
    let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    let first = text.lines().next().and_then(|l| l.strip_prefix(";;; args: ")).unwrap_or("");
    let mut args = vec!["check".into(), name.to_os_string()];
    args.extend(first.split_whitespace().map(Into::into));
    let ran = run(whistler(&args).current_dir(dir));
    if ran.status.code() != Some(1) {
        return Err(format!("{} instead of status 1\n{}", ran.status, ran.all()).into());
    }
    if !ran.out.is_empty() {
        return Err(format!("errors belong on standard error:\n{}", ran.out).into());
    }
    let beside = file.with_extension("stderr");
    let expected = std::fs::read_to_string(&beside).unwrap_or_default();
    if std::env::var_os("UPDATE").is_some_and(|v| v == "1") {
        return std::fs::write(&beside, &ran.err).map_err(|e| e.to_string().into());
    }
    if ran.err != expected {
        return Err(format!("--- expected\n{expected}\n--- said\n{}", ran.err).into());
    }
    Ok(())
}
