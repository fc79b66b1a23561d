//! Forms to values and back, and macros between them. Invariant: a datum keeps
//! its span if the user wrote it in the form that is expanded; all else has the call's.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use whistler_diag::Span;

use crate::error::LispError;
use crate::heap::{CellSpans, Object, Root};
use crate::interp::{Interp, Operator};
use crate::{Expansion, Form, FormKind, NESTING_LIMIT, Symbol, Value};

/// Expansions within expansions that are followed.
const EXPANSION_DEPTH: usize = 400;

/// A macro defined in Lisp.
#[derive(Clone, Debug)]
pub struct Macro {
    /// Its name.
    pub name: Symbol,
    /// Takes the whole form, gives its expansion.
    pub expander: Root,
    /// Whether it came with the kernel library rather than from the user.
    pub library: bool,
}

struct ToForm<'a> {
    interp: &'a Interp,
    /// The user's form; `NONE` keeps every span.
    root: Span,
    fallback: Span,
    expansion: Option<Rc<Expansion>>,
    outer: Option<Rc<Expansion>>,
    symbols: FxHashMap<Symbol, Span>,
    budget: usize,
}

fn too_deep() -> LispError {
    LispError::new(
        "control-stack-exhausted",
        crate::error::STACK_EXHAUSTED,
        format!("this data is nested more than {NESTING_LIMIT} deep, too deep for code"),
    )
}

impl ToForm<'_> {
    fn place(&self, span: Span) -> (Span, Option<Rc<Expansion>>) {
        if span.is_none() || !(self.root.is_none() || self.root.contains(span)) {
            (self.fallback, self.expansion.clone())
        } else if self.root.is_none() || span == self.root {
            (span, self.outer.clone())
        } else {
            // What a macro made has the span of the whole call; a part of the call is the user's own, through however
            // many macros it went.
            (span, None)
        }
    }

    fn atom_span(&self, v: Value, span: Span) -> Span {
        if !span.is_none() && (self.root.is_none() || self.root.contains(span)) {
            return span;
        }
        v.as_symbol().and_then(|s| self.symbols.get(&s).copied()).unwrap_or(span)
    }

    fn form(&mut self, v: Value, span: Span, depth: usize) -> Result<Form, LispError> {
        if depth >= NESTING_LIMIT {
            return Err(too_deep());
        }
        let heap = &self.interp.heap;
        let kind = match v {
            Value::Symbol(s) => FormKind::Symbol(s),
            Value::Int(i) => FormKind::Int(i),
            Value::Float(f) => FormKind::Float(f),
            Value::Char(c) => FormKind::Char(c),
            Value::Native(_) | Value::Unbound => FormKind::Foreign(Root::detached(v)),
            Value::Cons(_) => {
                let own = heap.spans_of(v).map_or(Span::NONE, |s| s.list);
                let (span, origin) = self.place(own.or(span));
                return Ok(Form { kind: self.list(v, depth)?, span, origin });
            }
            Value::Object(_) => match heap.object(v) {
                Some(Object::Str(s)) => FormKind::Str(s.as_str().into()),
                Some(Object::Big(b)) => FormKind::Big(b.clone().into()),
                Some(Object::Ratio(r)) => FormKind::Ratio((r.0.clone(), r.1.clone()).into()),
                Some(Object::Vector(x)) => {
                    let items = x.items.clone();
                    let forms = items
                        .into_iter()
                        .map(|v| self.form(v, Span::NONE, depth + 1))
                        .collect::<Result<Vec<_>, _>>()?;
                    FormKind::Vector(forms.into())
                }
                _ => FormKind::Foreign(Root::detached(v)),
            },
        };
        let (span, origin) = self.place(self.atom_span(v, span));
        Ok(Form { kind, span, origin })
    }

    fn list(&mut self, mut v: Value, depth: usize) -> Result<FormKind, LispError> {
        let mut items = Vec::new();
        while let Some((car, cdr)) = self.interp.heap.cons_parts(v) {
            let span = self.interp.heap.spans_of(v).map_or(Span::NONE, |s| s.car);
            items.push(self.form(car, span, depth + 1)?);
            v = cdr;
            self.budget = self.budget.saturating_sub(1);
            if self.budget == 0 {
                return Err(LispError::simple("this code is circular or too long"));
            }
        }
        if v.is_nil() {
            return Ok(FormKind::List(items.into()));
        }
        let tail = self.form(v, Span::NONE, depth + 1)?;
        Ok(FormKind::Dotted(items.into(), Rc::new(tail)))
    }
}

/// How much longer than the heap code may be: a macro may put one form into its expansion many times.
const SHARED: usize = 1_000_000;

/// Where each symbol first stands in a form, after its head.
fn symbols_of(form: &Form, out: &mut FxHashMap<Symbol, Span>) {
    match &form.kind {
        FormKind::Symbol(s) => {
            out.entry(*s).or_insert(form.span);
        }
        FormKind::List(items) | FormKind::Vector(items) => items.iter().for_each(|f| symbols_of(f, out)),
        FormKind::Dotted(items, tail) => {
            items.iter().for_each(|f| symbols_of(f, out));
            symbols_of(tail, out);
        }
        _ => {}
    }
}

impl Interp {
    /// A form as data; its cells know where they were written.
    pub fn form_to_value(&mut self, form: &Form) -> Result<Value, LispError> {
        self.datum(form, 0)
    }

    fn datum(&mut self, form: &Form, depth: usize) -> Result<Value, LispError> {
        if depth > NESTING_LIMIT {
            return Err(too_deep().at_form(form));
        }
        Ok(match &form.kind {
            FormKind::Symbol(s) => Value::Symbol(match s.fold() {
                Symbol::NIL => Symbol::NIL,
                Symbol::T if s.name() == "T" => Symbol::T,
                _ => *s,
            }),
            FormKind::Int(i) => Value::Int(*i),
            FormKind::Big(b) => self.heap.integer((**b).clone()),
            FormKind::Ratio(r) => self.heap.alloc(Object::Ratio(Box::new((r.0.clone(), r.1.clone())))),
            FormKind::Float(f) => Value::Float(*f),
            FormKind::Char(c) => Value::Char(*c),
            FormKind::Str(s) => self.heap.string(&**s),
            FormKind::Foreign(r) => r.get(),
            FormKind::Vector(items) => {
                let items = items.iter().map(|f| self.datum(f, depth + 1)).collect::<Result<Vec<_>, _>>()?;
                self.heap.vector(items)
            }
            FormKind::List(items) => self.cells(items, Value::NIL, form, depth)?,
            FormKind::Dotted(items, tail) => {
                let tail = self.datum(tail, depth + 1)?;
                self.cells(items, tail, form, depth)?
            }
        })
    }

    fn cells(&mut self, items: &[Form], tail: Value, form: &Form, depth: usize) -> Result<Value, LispError> {
        let mut rest = tail;
        for (i, item) in items.iter().enumerate().rev() {
            let car = self.datum(item, depth + 1)?;
            let list = if i == 0 { form.span } else { Span::NONE };
            rest = if item.span.is_none() && list.is_none() {
                self.heap.cons(car, rest)
            } else {
                self.heap.cons_at(car, rest, CellSpans { list, car: item.span })
            };
        }
        Ok(rest)
    }

    /// Data as a form, every span kept; what has none gets `span`.
    pub fn value_to_form(&mut self, v: Value, span: Span) -> Result<Form, LispError> {
        let budget = self.heap.live() + SHARED;
        let mut to = ToForm {
            interp: self,
            root: Span::NONE,
            fallback: span,
            expansion: None,
            outer: None,
            symbols: FxHashMap::default(),
            budget,
        };
        let form = to.form(v, Span::NONE, 0)?;
        Ok(self.root_foreign(form))
    }

    /// Registers the roots of live values in a form that was just made.
    fn root_foreign(&mut self, form: Form) -> Form {
        self.adopt(&form);
        form
    }

    fn adopt(&mut self, form: &Form) {
        match &form.kind {
            FormKind::Foreign(r) => self.heap.adopt(r),
            FormKind::List(items) | FormKind::Vector(items) => items.iter().for_each(|f| self.adopt(f)),
            FormKind::Dotted(items, tail) => {
                items.iter().for_each(|f| self.adopt(f));
                self.adopt(tail);
            }
            _ => {}
        }
    }

    /// A macro of the user or of the kernel library (never one of the host's own), by a name as written.
    pub fn user_macro(&mut self, name: Symbol) -> Option<Rc<Macro>> {
        if name.package() == Some("cl") {
            return None;
        }
        let plain = name.unqualified();
        if let Some(s) = plain.resolve(|s| self.user_macros.contains_key(&s)) {
            return self.user_macros.get(&s).cloned();
        }
        self.load_library_macro(plain);
        let s = plain.resolve(|s| self.user_macros.contains_key(&s))?;
        self.user_macros.get(&s).cloned()
    }

    /// The macro that a host form with this operator means: the user's first, the library's only where the host has nothing.
    pub(crate) fn host_visible_macro(&mut self, name: Symbol) -> Option<Rc<Macro>> {
        let own = name.package() == Some("bpf") && !matches!(self.operator(name), Operator::None);
        if own || name.package() == Some("cl") {
            return None;
        }
        let plain = name.unqualified();
        if let Some(s) = plain.resolve(|s| self.user_macros.contains_key(&s)) {
            let m = self.user_macros.get(&s).cloned()?;
            if !m.library {
                return Some(m);
            }
        }
        if self.find_operator(name).is_some() || self.resolve_function(plain).is_some() {
            return None;
        }
        self.user_macro(plain)
    }

    pub(crate) fn find_operator(&self, s: Symbol) -> Option<Operator> {
        let found = s.resolve(|s| !matches!(self.operator(s), Operator::None));
        match found {
            Some(s) => Some(self.operator(s).clone()),
            None if s.package().is_some() => self.find_operator(s.unqualified()),
            None => None,
        }
    }

    /// Expands a macro call once. Every datum of the result has the span it was written at in the
    /// user's form, else the call's; `origin` is the chain of expansions.
    pub fn expand_macro(&mut self, m: &Macro, form: &Form) -> Result<Form, LispError> {
        let depth = form.origin.iter().flat_map(Expansion::chain).take(EXPANSION_DEPTH + 1).count();
        if depth > EXPANSION_DEPTH {
            return Err(LispError::new(
                "program-error",
                crate::error::EXPANSION_LIMIT,
                format!("the expansion of `{}` has no end", m.name),
            )
            .help("a macro that expands into itself needs a case where it stops")
            .at_form(form));
        }
        let root = form.origin.iter().flat_map(Expansion::chain).last().map_or(form.span, |e| e.call_span);
        let expansion = Rc::new(Expansion { macro_name: m.name, call_span: form.span, parent: form.origin.clone() });
        let run = |i: &mut Interp| {
            let whole = i.form_to_value(form)?;
            i.call(m.expander.get(), &[whole])
        };
        let result = if self.is_outermost() { self.enter(run) } else { run(self) };
        let v = result.map_err(|mut e| {
            // The macro's own code failed: the user's call is where it happened, the place in the macro a detail.
            if matches!(e.exit, crate::error::Exit::Condition) && !form.span.is_none() {
                if !e.span.is_none() {
                    let span = e.span;
                    e.backtrace.insert(0, crate::error::Call { name: m.name.to_string(), span });
                }
                e.span = form.span;
                e.origin = Some(expansion.clone());
                e.diagnostic = None;
            }
            e
        })?;
        let mut symbols = FxHashMap::default();
        if let Some((_, args)) = form.as_list().and_then(<[Form]>::split_first) {
            args.iter().for_each(|f| symbols_of(f, &mut symbols));
        }
        symbols.retain(|_, span| root.contains(*span));
        let budget = self.heap.live() + SHARED;
        let mut to = ToForm {
            interp: self,
            root,
            fallback: form.span,
            expansion: Some(expansion),
            outer: form.origin.clone(),
            symbols,
            budget,
        };
        let expanded = to.form(v, Span::NONE, 0).map_err(|e| e.at_form(form))?;
        Ok(self.root_foreign(expanded))
    }
}
