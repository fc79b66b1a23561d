//! Cases of the checker, as data: `tests/check/*.lisp`. A file holds cases, each opened by a line
//! `;; # title`; what is expected stands behind it in lines that start with `;> `: the reports, then,
//! when there is no error and the case has a line `;; hir`, the typed program.
//! `UPDATE=1 cargo test -p whistler-compiler --test check` writes what comes out.

use std::fmt::Write;
use std::path::Path;
use std::rc::Rc;

use whistler_btf::NoTypes;
use whistler_compiler::{Session, hir};
use whistler_diag::{Diagnostic, Severity, SourceMap};
use whistler_isa::Target;
use whistler_lisp::{Interp, NoIo};

fn report(d: &Diagnostic, sources: &SourceMap, out: &mut String) {
    let at = sources.line_col(d.primary.span);
    let at = at.map_or("?".to_string(), |p| format!("{}:{}", p.line, p.col));
    let severity = match d.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let _ = writeln!(out, "{severity} {} {at} {:?}: {}", d.code, sources.text(d.primary.span), d.message);
    for h in &d.help {
        let _ = writeln!(out, "  help: {h}");
    }
    for l in &d.expansion {
        let _ = writeln!(out, "  via: {}", l.text);
    }
}

fn run(source: &str, want_hir: bool) -> String {
    let mut sources = SourceMap::new();
    let file = sources.add("case.lisp", source);
    let mut interp = Interp::new(Box::new(NoIo));
    let mut session = Session::new(Target::default(), Rc::new(NoTypes::new("no BTF in tests")));
    let mut diags = session.load_source(&mut interp, &sources, file);
    let (unit, more) = session.check(&mut interp, None);
    diags.extend(more);
    let mut out = String::new();
    for d in &diags {
        report(d, &sources, &mut out);
    }
    if want_hir && !diags.iter().any(Diagnostic::is_error) {
        out.push_str(&hir::dump(&unit));
    }
    out
}

fn case_file(path: &Path, update: bool) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("a case file can be read");
    let mut failures = Vec::new();
    let mut out = String::new();
    for (i, part) in text.split("\n;; # ").enumerate() {
        let (head, body) = if i == 0 {
            match part.strip_prefix(";; # ") {
                Some(rest) => rest.split_once('\n').unwrap_or((rest, "")),
                None => {
                    out.push_str(part);
                    continue;
                }
            }
        } else {
            part.split_once('\n').unwrap_or((part, ""))
        };
        let mut source = String::new();
        let mut expected = String::new();
        for line in body.lines() {
            match line.strip_prefix(";> ") {
                Some(l) => {
                    expected.push_str(l);
                    expected.push('\n');
                }
                None if !line.is_empty() => {
                    source.push_str(line);
                    source.push('\n');
                }
                None => {}
            }
        }
        let got = run(&source, source.contains(";; hir"));
        if got != expected {
            failures.push(format!("{}: {head}\nexpected:\n{expected}\ngot:\n{got}", path.display()));
        }
        if !out.is_empty() && !out.ends_with("\n\n") {
            out.push('\n');
        }
        let _ = write!(out, ";; # {head}\n{source}");
        for l in got.lines() {
            let _ = writeln!(out, ";> {l}");
        }
    }
    if update {
        std::fs::write(path, out).expect("a case file can be written");
        failures.clear();
    }
    failures
}

#[test]
fn cases() {
    let update = std::env::var_os("UPDATE").is_some();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check");
    let mut files: Vec<_> =
        std::fs::read_dir(dir).expect("the cases are there").filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    let failures: Vec<String> = files.iter().flat_map(|f| case_file(f, update)).collect();
    assert!(failures.is_empty(), "{} cases differ:\n\n{}", failures.len(), failures.join("\n\n"));
}
