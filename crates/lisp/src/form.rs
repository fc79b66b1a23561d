//! Source code as data: what the reader yields and the compilers consume.
//! Invariant: a tree is at most [`NESTING_LIMIT`] lists deep when it comes from
//! the reader or a macro, so recursion over it (dropping it, too) is safe.

use std::rc::Rc;

use num_bigint::BigInt;
use num_traits::ToPrimitive;
use whistler_diag::Span;

use crate::heap::Root;
use crate::{Symbol, Value};

/// How deep lists may nest in source text and in macro expansions.
pub const NESTING_LIMIT: usize = 500;

/// A datum with where it was written.
#[derive(Clone, Debug)]
pub struct Form {
    /// What it is.
    pub kind: FormKind,
    /// Where it was written; for what a macro made, the user's call.
    pub span: Span,
    /// The macro calls it came through, innermost first; `None` for what was written as it stands.
    pub origin: Option<Rc<Expansion>>,
}

/// The kinds of datum.
#[derive(Clone, Debug)]
pub enum FormKind {
    /// A symbol, keywords included.
    Symbol(Symbol),
    /// An integer of machine size.
    Int(i64),
    /// Any other integer.
    Big(Rc<BigInt>),
    /// A ratio in lowest terms, positive denominator.
    Ratio(Rc<(BigInt, BigInt)>),
    /// A float.
    Float(f64),
    /// A string.
    Str(Rc<str>),
    /// A character.
    Char(char),
    /// A proper list; the empty one is `nil`.
    List(Rc<[Form]>),
    /// `(a b . c)`; at least one element before the dot.
    Dotted(Rc<[Form]>, Rc<Form>),
    /// `#(…)`
    Vector(Rc<[Form]>),
    /// A live value that a macro put into code; kept from collection.
    Foreign(Root),
}

/// One macro call that led to a form.
#[derive(Debug)]
pub struct Expansion {
    /// The macro.
    pub macro_name: Symbol,
    /// The user's form that was expanded.
    pub call_span: Span,
    /// The call that made this call.
    pub parent: Option<Rc<Expansion>>,
}

impl Expansion {
    /// This call and those around it, innermost first.
    pub fn chain(self: &Rc<Expansion>) -> impl Iterator<Item = Rc<Expansion>> + use<> {
        std::iter::successors(Some(self.clone()), |e| e.parent.clone())
    }
}

impl Form {
    /// A form that was written at `span`.
    pub fn new(kind: FormKind, span: Span) -> Form {
        Form { kind, span, origin: None }
    }

    /// A symbol.
    pub fn symbol(symbol: Symbol, span: Span) -> Form {
        Form::new(FormKind::Symbol(symbol), span)
    }

    /// A list.
    pub fn list(items: impl Into<Rc<[Form]>>, span: Span) -> Form {
        Form::new(FormKind::List(items.into()), span)
    }

    /// An integer.
    pub fn int(value: i64, span: Span) -> Form {
        Form::new(FormKind::Int(value), span)
    }

    /// A string.
    pub fn str(text: impl Into<Rc<str>>, span: Span) -> Form {
        Form::new(FormKind::Str(text.into()), span)
    }

    /// `nil`.
    pub fn nil(span: Span) -> Form {
        Form::symbol(Symbol::NIL, span)
    }

    /// The same form with another origin.
    pub fn with_origin(mut self, origin: Option<Rc<Expansion>>) -> Form {
        self.origin = origin;
        self
    }

    /// The symbol it is.
    pub fn as_symbol(&self) -> Option<Symbol> {
        match self.kind {
            FormKind::Symbol(s) => Some(s),
            _ => None,
        }
    }

    /// The keyword it is.
    pub fn as_keyword(&self) -> Option<Symbol> {
        self.as_symbol().filter(|s| s.is_keyword())
    }

    /// The elements of the proper list it is (`nil` written as a symbol has none).
    pub fn as_list(&self) -> Option<&[Form]> {
        match &self.kind {
            FormKind::List(items) => Some(items),
            FormKind::Symbol(s) if s.fold() == Symbol::NIL => Some(&[]),
            _ => None,
        }
    }

    /// The integer it is, if it has at most 128 bits.
    pub fn as_int(&self) -> Option<i128> {
        match &self.kind {
            FormKind::Int(i) => Some(i128::from(*i)),
            FormKind::Big(b) => b.to_i128(),
            _ => None,
        }
    }

    /// The string it is.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            FormKind::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The live value it is.
    pub fn as_foreign(&self) -> Option<Value> {
        match &self.kind {
            FormKind::Foreign(root) => Some(root.get()),
            _ => None,
        }
    }

    /// The symbol at the head of a list.
    pub fn head(&self) -> Option<Symbol> {
        match &self.kind {
            FormKind::List(items) => items.first()?.as_symbol(),
            _ => None,
        }
    }

    /// Whether it is a list whose head is the plain symbol `name`, without regard to case.
    pub fn is_call(&self, name: &str) -> bool {
        self.head().is_some_and(|s| s.is(name))
    }

    /// Whether it is `nil` or `()`.
    pub fn is_nil(&self) -> bool {
        matches!(self.as_list(), Some([]))
    }
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::printer::form_text(self))
    }
}

/// Equality of what is written, not of where.
impl PartialEq for Form {
    fn eq(&self, other: &Form) -> bool {
        use FormKind::*;
        match (&self.kind, &other.kind) {
            (Symbol(a), Symbol(b)) => a == b,
            (Int(a), Int(b)) => a == b,
            (Big(a), Big(b)) => a == b,
            (Ratio(a), Ratio(b)) => a == b,
            (Float(a), Float(b)) => a.to_bits() == b.to_bits(),
            (Str(a), Str(b)) => a == b,
            (Char(a), Char(b)) => a == b,
            (List(a), List(b)) | (Vector(a), Vector(b)) => a == b,
            (Dotted(a, x), Dotted(b, y)) => a == b && x == y,
            (Foreign(a), Foreign(b)) => a.get() == b.get(),
            _ => false,
        }
    }
}
