//! Before and after: each `tests/passes/*.ir` names a pass (or several, or `all`) in its first line
//! (`; pass: gvn`), gives a module, and after a line `; ---` what the pass makes of it.
//! `UPDATE_EXPECT=1` rewrites the expectations.

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use whistler_codegen::OptLevel;
use whistler_codegen::ir::parse;
use whistler_codegen::passes::{by_name, run_pipeline};
use whistler_isa::Target;

const MARK: &str = "; ---\n";

fn case(path: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(path)?;
    let (before, wanted) = text.split_once(MARK).unwrap_or((&text, ""));
    let header = before.lines().next().and_then(|l| l.strip_prefix("; pass:")).ok_or("the first line names no pass")?;
    let target = match before.lines().find_map(|l| l.strip_prefix("; target:")) {
        Some(t) => t.trim().parse()?,
        None => Target::default(),
    };
    let mut module = parse(before).map_err(|e| e.to_string())?;
    for f in &module.functions {
        whistler_codegen::ir::validate(f, &module).map_err(|all| format!("before: {all:?}"))?;
    }
    for name in header.split_whitespace() {
        if name == "all" {
            run_pipeline(&mut module, &target, OptLevel::Full)?;
        } else {
            by_name(name).ok_or_else(|| format!("there is no pass `{name}`"))?.run_on(&mut module, &target)?;
        }
    }
    // The numbers a pass happens to give are not the point.
    by_name("compact").ok_or("no compact")?.run_on(&mut module, &target)?;
    let got = module.to_string();
    if got == wanted {
        return Ok(());
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let before = before.trim_end();
        std::fs::write(path, format!("{before}\n{MARK}{got}"))?;
        return Ok(());
    }
    Err(format!("wanted:\n{wanted}\ngot:\n{got}\n(UPDATE_EXPECT=1 rewrites the file)").into())
}

fn main() -> std::io::Result<()> {
    let args = Arguments::from_args();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/passes");
    let mut tests = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "ir") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            tests.push(Trial::test(name, move || case(&path)));
        }
    }
    tests.sort_by(|a, b| a.name().cmp(b.name()));
    libtest_mimic::run(&args, tests).exit();
}
