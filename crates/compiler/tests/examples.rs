//! The examples of the project, and the files of `tests/compile`, compile, without a word from the checker but the notes on host forms.

mod common;

use std::path::Path;
use std::rc::Rc;

use whistler_codegen::OptLevel;
use whistler_compiler::Session;
use whistler_diag::{Severity, SourceMap, Style, render};
use whistler_isa::Target;
use whistler_lisp::{Interp, NoIo};

#[test]
fn all_examples_compile() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    let dirs = ["../../examples", "tests/compile"].map(|d| root.join(d));
    for entry in dirs.iter().flat_map(|d| std::fs::read_dir(d).expect("the examples are there")).flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|e| e != "lisp") {
            continue;
        }
        seen += 1;
        for opt in [OptLevel::None, OptLevel::Full] {
            let mut sources = SourceMap::new();
            let file = sources.add(path.display().to_string(), std::fs::read_to_string(&path).expect("readable"));
            let mut interp = Interp::new(Box::new(NoIo));
            let mut session = Session::new(Target::default(), Rc::new(common::SmallKernel::new()));
            let start = std::time::Instant::now();
            let (compiled, diags) = session.compile_source(&mut interp, &sources, file, opt);
            let took = start.elapsed();
            let text: Vec<String> = diags
                .iter()
                .filter(|d| d.severity == Severity::Error)
                .map(|d| render(d, &sources, Style::Plain))
                .collect();
            assert!(text.is_empty(), "{}", text.join("\n"));
            let compiled = compiled.expect("no errors");
            assert!(!compiled.object.programs.is_empty());
            println!("{} {opt:?}: {:?} in {took:?}", path.display(), compiled.functions);
        }
    }
    assert!(seen >= 5);
}
