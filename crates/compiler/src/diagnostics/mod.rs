//! The compiler's error codes. Invariant: every code stands in [`CODES`] once, with a text, a
//! wrong and a mended example; the tests check both examples.

use whistler_diag::{Code, Diagnostic};

use crate::hir::At;

mod contract;
mod explain;
mod flow;
mod host;
mod kernel;
mod maps;
mod names;
mod numbers;
mod pointers;
mod size;
mod syntax;
#[cfg(test)]
mod tests;

pub use contract::*;
pub use explain::{explain, list, manual};
pub use flow::*;
pub use maps::*;
pub use names::*;
pub use numbers::*;
pub use pointers::*;
pub use syntax::NO_ESCAPES;

/// What `whistler explain` and the manual say about a code.
#[derive(Debug)]
pub struct CodeDoc {
    /// The code.
    pub code: Code,
    /// In a few words.
    pub title: &'static str,
    /// What it means and why it is one.
    pub text: &'static str,
    /// A file that gets it and nothing else; empty where it takes more than a file ([`WITHOUT_EXAMPLE`]).
    pub wrong: &'static str,
    /// The same, mended.
    pub right: &'static str,
    /// Flags of `check` that the example needs.
    pub flags: &'static str,
}

/// Declares a code with its documentation.
macro_rules! code {
    (
        $(#[doc = $text:literal])+
        $name:ident, $code:literal, $title:literal, $wrong:literal, $right:literal $(, $flags:literal)?
    ) => {
        $(#[doc = $text])+
        pub static $name: crate::diagnostics::CodeDoc = crate::diagnostics::CodeDoc {
            code: whistler_diag::Code($code),
            title: $title,
            text: concat!($($text, "\n"),+),
            wrong: $wrong,
            right: $right,
            flags: concat!($($flags)?),
        };
    };
}
pub(crate) use code;

/// All codes, in order of families.
pub fn codes() -> impl Iterator<Item = &'static CodeDoc> {
    let own = [names::ALL, syntax::ALL, host::ALL, numbers::ALL, maps::ALL, pointers::ALL];
    own.into_iter().chain([contract::ALL, flow::ALL, size::ALL, kernel::ALL]).flatten().copied()
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
