//! The compiler's error codes. Invariant: every code stands in [`CODES`] once, with a text, a
//! wrong and a mended example; the tests check both examples.

use whistler_diag::{Code, Diagnostic};

use crate::hir::At;

mod contract;
mod flow;
mod host;
mod maps;
mod names;
mod numbers;
mod pointers;
mod size;
mod syntax;
#[cfg(test)]
mod tests;

pub use contract::*;
pub use flow::*;
pub use maps::*;
pub use names::*;
pub use numbers::*;
pub use pointers::*;

/// What `whistler explain` and the manual say about a code.
#[derive(Debug)]
pub struct CodeDoc {
    /// The code.
    pub code: Code,
    /// In a few words.
    pub title: &'static str,
    /// What it means and why it is one.
    pub text: &'static str,
    /// A file that gets it; empty where it takes more than a file.
    pub wrong: &'static str,
    /// The same, mended.
    pub right: &'static str,
}

/// Declares a code with its documentation.
macro_rules! code {
    ($(#[doc = $text:literal])+ $name:ident, $code:literal, $title:literal, $wrong:literal, $right:literal) => {
        $(#[doc = $text])+
        pub static $name: crate::diagnostics::CodeDoc = crate::diagnostics::CodeDoc {
            code: whistler_diag::Code($code),
            title: $title,
            text: concat!($($text, "\n"),+),
            wrong: $wrong,
            right: $right,
        };
    };
}
pub(crate) use code;

/// All codes, in order of families.
pub fn codes() -> impl Iterator<Item = &'static CodeDoc> {
    let own = [names::ALL, numbers::ALL, maps::ALL, pointers::ALL, contract::ALL, flow::ALL];
    own.into_iter().chain([syntax::ALL, host::ALL, size::ALL]).flatten().copied()
}

/// The page on a code such as `E0301`, as text; `None` for a code that isn't the compiler's.
pub fn explain(code: &str) -> Option<String> {
    let doc = codes().find(|d| d.code.0.eq_ignore_ascii_case(code))?;
    let mut page = format!("{}: {}\n\n", doc.code, doc.title);
    for line in doc.text.lines() {
        page.push_str(line.trim_start());
        page.push('\n');
    }
    for (head, example) in [("Wrong", doc.wrong), ("Mended", doc.right)] {
        if !example.is_empty() {
            page.push_str(&format!("\n{head}:\n\n"));
            for line in example.lines() {
                page.push_str("    ");
                page.push_str(line);
                page.push('\n');
            }
        }
    }
    Some(page)
}

/// An error of that code at a place of the program.
pub fn error(doc: &'static CodeDoc, at: &At, message: impl Into<String>) -> Diagnostic {
    expanded(Diagnostic::error(doc.code, at.span, message), at)
}

/// A warning of that code at a place of the program.
pub fn warning(doc: &'static CodeDoc, at: &At, message: impl Into<String>) -> Diagnostic {
    expanded(Diagnostic::warning(doc.code, at.span, message), at)
}

/// Adds the macro calls that led to `at`.
pub fn expanded(mut d: Diagnostic, at: &At) -> Diagnostic {
    let mut last = None;
    for e in at.origin.iter().flat_map(|e| e.chain()) {
        // A macro that expands into itself says nothing new the second time.
        if last.replace((e.call_span, e.macro_name)) == Some((e.call_span, e.macro_name)) {
            continue;
        }
        d = d.expanded_from(e.call_span, format!("in this expansion of `{}`", e.macro_name));
    }
    d
}
