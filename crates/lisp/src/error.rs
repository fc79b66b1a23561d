//! What goes wrong in the host Lisp. Invariant: an error that leaves
//! [`crate::Interp::eval`] has the span of the user's own form that failed.

use std::rc::Rc;

use whistler_diag::{Code, Diagnostic, Span};

use crate::heap::Root;
use crate::{Expansion, Symbol, Value};

/// An error of the host Lisp that has no code of its own.
pub const HOST_ERROR: Code = Code("E0050");
/// An operator that doesn't exist.
pub const UNDEFINED_FUNCTION: Code = Code("E0051");
/// A variable that doesn't exist.
pub const UNBOUND_VARIABLE: Code = Code("E0052");
/// A wrong number of arguments.
pub const ARGUMENT_COUNT: Code = Code("E0053");
/// A value of the wrong type.
pub const WRONG_TYPE: Code = Code("E0054");
/// A form that isn't of the shape its operator wants.
pub const MALFORMED: Code = Code("E0055");
/// A macro that expands without end.
pub const EXPANSION_LIMIT: Code = Code("E0056");
/// A form that needs files, time or the like, where there are none.
pub const NEEDS_HOST: Code = Code("E0057");
/// Calls nested too deeply.
pub const STACK_EXHAUSTED: Code = Code("E0058");
/// Interrupted, or over the step limit.
pub const INTERRUPTED: Code = Code("E0059");

/// What a function without a name is called in a backtrace.
pub(crate) const NAMELESS: &str = "a lambda";

/// A call that was active when an error arose.
#[derive(Clone, Debug)]
pub struct Call {
    /// The function.
    pub name: String,
    /// Where in it.
    pub span: Span,
}

#[derive(Debug)]
pub(crate) enum Exit {
    /// An error, signalled or to be signalled.
    Condition,
    /// On the way to a block, tag, `catch` or `handler-case`.
    Unwind { target: u64, value: Root },
}

/// A value for a condition's slot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Slot {
    /// A number.
    Int(i64),
    /// A string.
    Text(String),
}

/// What an error says.
#[derive(Debug)]
pub struct ErrorData {
    pub(crate) exit: Exit,
    pub(crate) signalled: bool,
    /// The condition's type.
    pub condition_type: Symbol,
    /// The condition object, once it was signalled.
    pub condition: Option<Root>,
    /// The message.
    pub message: String,
    /// The error's code.
    pub code: Code,
    /// The user's form that failed.
    pub span: Span,
    /// The macro calls that led to the form, innermost first.
    pub origin: Option<Rc<Expansion>>,
    /// The calls that were active, innermost first.
    pub backtrace: Vec<Call>,
    /// How to mend it.
    pub help: Vec<String>,
    /// The name that means nothing.
    pub about: Option<Symbol>,
    /// Slots of the condition that will be made of it.
    pub slots: Vec<(&'static str, Slot)>,
    /// Whether the form failed only because there is no host ([`crate::NoIo`]).
    pub needs_host: bool,
    pub(crate) diagnostic: Option<Box<Diagnostic>>,
}

/// An error, or a jump on its way to its target.
#[derive(Debug)]
pub struct LispError(pub(crate) Box<ErrorData>);

impl std::ops::Deref for LispError {
    type Target = ErrorData;
    fn deref(&self) -> &ErrorData {
        &self.0
    }
}

impl std::ops::DerefMut for LispError {
    fn deref_mut(&mut self) -> &mut ErrorData {
        &mut self.0
    }
}

impl LispError {
    /// An error of a condition type.
    pub fn new(condition_type: &str, code: Code, message: impl Into<String>) -> LispError {
        LispError(Box::new(ErrorData {
            exit: Exit::Condition,
            signalled: false,
            condition_type: Symbol::intern(condition_type),
            condition: None,
            message: message.into(),
            code,
            span: Span::NONE,
            origin: None,
            backtrace: Vec::new(),
            help: Vec::new(),
            about: None,
            slots: Vec::new(),
            needs_host: false,
            diagnostic: None,
        }))
    }

    /// A `simple-error`.
    pub fn simple(message: impl Into<String>) -> LispError {
        LispError::new("simple-error", HOST_ERROR, message)
    }

    /// A `type-error`: a value isn't what it should be.
    pub fn wrong_type(shown: &str, expected: &str) -> LispError {
        LispError::new("type-error", WRONG_TYPE, format!("{shown} is not {expected}"))
    }

    /// A `program-error`: a form isn't of the right shape.
    pub fn malformed(span: Span, message: impl Into<String>) -> LispError {
        let mut e = LispError::new("program-error", MALFORMED, message);
        e.span = span;
        e
    }

    /// A form needs something of the machine that isn't there.
    pub fn needs_host(what: &str) -> LispError {
        let mut e = LispError::new("file-error", NEEDS_HOST, format!("{what} is not available here"));
        e.needs_host = true;
        e
    }

    /// A diagnostic as an error, keeping its code, places and help.
    pub fn from_diagnostic(d: Diagnostic) -> LispError {
        let mut e = LispError::new("program-error", d.code, d.message.clone());
        e.span = d.primary.span;
        e.help = d.help.clone();
        e.diagnostic = Some(Box::new(d));
        e
    }

    pub(crate) fn unwind(target: u64, value: Root) -> LispError {
        let mut e = LispError::new("control-error", HOST_ERROR, "a jump to a place that is no more");
        e.0.exit = Exit::Unwind { target, value };
        e
    }

    /// Sets where it happened, if that isn't known yet.
    pub fn at(mut self, span: Span) -> LispError {
        self.span = self.span.or(span);
        self
    }

    /// Sets where it happened and through which macros, if that isn't known yet.
    pub fn at_form(mut self, form: &crate::Form) -> LispError {
        if self.span.is_none() {
            self.span = form.span;
            self.origin = form.origin.clone();
        }
        self
    }

    /// Says which name means nothing.
    pub(crate) fn about(mut self, name: Symbol) -> LispError {
        self.about = Some(name);
        self
    }

    /// Adds a mend.
    pub fn help(mut self, text: impl Into<String>) -> LispError {
        self.help.push(text.into());
        self
    }

    /// The error as one of another condition type.
    pub fn of_type(mut self, condition_type: &str) -> LispError {
        self.condition_type = Symbol::intern(condition_type);
        self
    }

    /// Gives its condition's slot a value.
    pub fn slot(mut self, name: &'static str, value: Slot) -> LispError {
        self.slots.push((name, value));
        self
    }

    /// The condition object, if it was signalled.
    pub fn condition_value(&self) -> Option<Value> {
        self.condition.as_ref().map(Root::get)
    }

    /// Whether it is an interrupt by the user.
    pub fn is_interrupt(&self) -> bool {
        self.condition_type.is("interactive-interrupt")
    }

    /// The error as a report: the message at the user's form, the macro calls, the calls.
    pub fn to_diagnostic(&self) -> Diagnostic {
        let mut d = match &self.diagnostic {
            Some(d) => (**d).clone(),
            None => {
                let mut d = Diagnostic::error(self.code, self.span, self.message.clone());
                d.help.clone_from(&self.help);
                d.about = self.about.map(|s| s.name().into());
                d
            }
        };
        if d.primary.span.is_none() {
            d.primary.span = self.span;
        }
        if d.expansion.is_empty() {
            for e in self.origin.iter().flat_map(Expansion::chain) {
                d = d.expanded_from(e.call_span, format!("in this expansion of `{}`", e.macro_name));
            }
        }
        let primary = d.primary.span;
        let mut last = None;
        // Top-level forms run as functions without a name; the form is shown anyway.
        let named = self.backtrace.iter().filter(|c| c.span != primary && c.name != NAMELESS);
        for call in named.take(8) {
            if last.replace((&call.name, call.span)) == Some((&call.name, call.span)) {
                continue;
            }
            d = d.also(call.span, format!("called from `{}`", call.name));
        }
        d
    }
}

impl std::fmt::Display for LispError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LispError {}

/// What evaluation yields.
pub type LispResult = Result<Value, LispError>;
