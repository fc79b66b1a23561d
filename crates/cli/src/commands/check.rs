//! `whistler check FILE`: errors and warnings, for people or as JSON.

use serde_json::{Value, json};
use whistler_diag::{Diagnostic, Severity, SourceMap};

use super::Outcome;
use crate::args::CheckArgs;
use crate::io::{report, tally};
use crate::unit::Unit;

/// Checks a file; `false` when there are errors.
pub fn run(args: &CheckArgs) -> Outcome {
    let mut unit = Unit::read(&args.file, &args.target)?;
    let diagnostics = unit.check();
    let sources = unit.sources.borrow();
    if args.json {
        say!("{}", to_json(&diagnostics, &sources));
    } else {
        report(&diagnostics, &sources);
        if let Some(tally) = tally(&diagnostics) {
            complain!("{}: {tally}", args.file.display());
        }
    }
    Ok(!diagnostics.iter().any(Diagnostic::is_error))
}

/// `{"errors":[…],"warnings":[…],"notes":[…]}` with 1-based positions.
fn to_json(diagnostics: &[Diagnostic], sources: &SourceMap) -> Value {
    let list = |severity: Severity| -> Vec<Value> {
        diagnostics.iter().filter(|d| d.severity == severity).map(|d| one(d, sources)).collect()
    };
    json!({
        "errors": list(Severity::Error),
        "warnings": list(Severity::Warning),
        "notes": list(Severity::Note),
    })
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
