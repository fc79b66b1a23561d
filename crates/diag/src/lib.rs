//! Sources, spans and diagnostics.
//!
//! The one place that knows how text positions and error reports look. It must
//! *not* know what a language, an instruction or a kernel is: the codes and
//! their texts belong to the crates that report them.
#![forbid(unsafe_code)]

mod diagnostic;
mod render;
mod source;

pub use diagnostic::{Code, Diagnostic, Label, Severity};
pub use render::{Style, render, render_all};
pub use source::{FileId, LineCol, SourceFile, SourceMap, Span};
