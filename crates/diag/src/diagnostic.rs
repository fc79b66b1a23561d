//! What is reported, as data. Invariant: a diagnostic carries no rendered
//! positions; it can be drawn, turned to JSON or mapped to an editor from its spans.

use crate::Span;

/// An error code such as `E0301`. Codes are stable and documented by `whistler explain`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Code(pub &'static str);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Nothing is produced.
    Error,
    /// Something is produced; it may not be what was meant.
    Warning,
    /// Only information.
    Note,
}

/// A span with what is to be said of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What, in a few words; may be empty.
    pub text: String,
}

/// One report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Its stable code.
    pub code: Code,
    /// A sentence in the source's terms.
    pub message: String,
    /// Where it is, and what about it.
    pub primary: Label,
    /// Places that explain it: where a value came from, an earlier definition.
    pub secondary: Vec<Label>,
    /// Macro calls that led here, innermost first.
    pub expansion: Vec<Label>,
    /// Further facts.
    pub notes: Vec<String>,
    /// How to mend it.
    pub help: Vec<String>,
    /// The name that is said to be missing. Where that name's own declaration was refused, this report only
    /// follows from that one.
    pub about: Option<Box<str>>,
}

impl Diagnostic {
    fn new(severity: Severity, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity,
            code,
            message: message.into(),
            primary: Label { span, text: String::new() },
            secondary: Vec::new(),
            expansion: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
            about: None,
        }
    }

    /// An error at `span`.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, code, span, message)
    }

    /// A warning at `span`.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, code, span, message)
    }

    /// Says what is wrong right at the primary span.
    pub fn label(mut self, text: impl Into<String>) -> Diagnostic {
        self.primary.text = text.into();
        self
    }

    /// Adds a second place. [`Span::NONE`] is left out.
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        if !span.is_none() {
            self.secondary.push(Label { span, text: text.into() });
        }
        self
    }

    /// Adds a fact.
    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }

    /// Adds a mend.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help.push(text.into());
        self
    }

    /// Says which name is missing.
    pub fn about(mut self, name: &str) -> Diagnostic {
        self.about = Some(name.into());
        self
    }

    /// Adds a macro call that led here (innermost first). A macro that expands into itself is said once.
    pub fn expanded_from(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        let label = Label { span, text: text.into() };
        if !span.is_none() && self.expansion.last() != Some(&label) {
            self.expansion.push(label);
        }
        self
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
