//! `whistler check FILE`: errors and warnings, for people or as JSON.

use serde_json::{Value, json};
use whistler_diag::{Diagnostic, Severity, SourceMap};

use super::Outcome;
use crate::args::CheckArgs;
use crate::io::{report_folded, tally};
use crate::unit::Unit;

/// Checks files; `false` when there are errors.
pub fn run(args: &CheckArgs) -> Outcome {
    let mut fine = true;
    let mut all = Found::default();
    for file in &args.files {
        let mut unit = Unit::read(file, &args.target)?;
        let diagnostics = unit.check();
        fine &= !diagnostics.iter().any(Diagnostic::is_error);
        let sources = unit.sources.borrow();
        if args.json {
            all.add(&diagnostics, &sources);
            continue;
        }
        report_folded(&diagnostics, &sources);
        if let Some(tally) = tally(&diagnostics) {
            complain!("{}: {tally}", file.display());
        }
    }
    if args.json {
        say!("{}", all.to_json());
    }
    Ok(fine)
}

/// What was found in all files, as JSON.
#[derive(Default)]
struct Found {
    errors: Vec<Value>,
    warnings: Vec<Value>,
    notes: Vec<Value>,
}

impl Found {
    fn add(&mut self, diagnostics: &[Diagnostic], sources: &SourceMap) {
        for d in diagnostics {
            let list = match d.severity {
                Severity::Error => &mut self.errors,
                Severity::Warning => &mut self.warnings,
                Severity::Note => &mut self.notes,
            };
            list.push(one(d, sources));
        }
    }

    /// `{"errors":[…],"warnings":[…],"notes":[…]}` with 1-based positions.
    fn to_json(&self) -> Value {
        json!({ "errors": self.errors, "warnings": self.warnings, "notes": self.notes })
    }
}

fn one(d: &Diagnostic, sources: &SourceMap) -> Value {
    let file = sources.file(d.primary.span.file);
    let start = file.map(|f| f.line_col(d.primary.span.lo));
    let end = file.map(|f| f.line_col(d.primary.span.hi));
    let place = |l: &whistler_diag::Label| {
        let at = sources.line_col(l.span);
        json!({
            "message": l.text,
            "file": sources.file(l.span.file).map(|f| f.name()),
            "line": at.map(|a| a.line),
            "col": at.map(|a| a.col),
        })
    };
    json!({
        "code": d.code.0,
        "message": d.message,
        "label": d.primary.text,
        "file": file.map(|f| f.name()),
        "line": start.map(|a| a.line),
        "col": start.map(|a| a.col),
        "end_line": end.map(|a| a.line),
        "end_col": end.map(|a| a.col),
        "help": d.help,
        "notes": d.notes,
        "also": d.secondary.iter().map(place).collect::<Vec<_>>(),
        "expansion": d.expansion.iter().map(place).collect::<Vec<_>>(),
    })
}
