//! Definitions: functions, macros, variables by name, and what is documented of them.

use std::rc::Rc;

use super::Entry::{F1, F2, F3, Many};
use super::control::symbol;
use super::{Table, text};
use crate::error::{LispError, LispResult};
use crate::interp::{DocKind, Global, Interp, Macro, NativeDef, VarKind};
use crate::natives::NativeFn;
use crate::{Symbol, Value};

fn define_variable(i: &mut Interp, a: &[Value]) -> LispResult {
    let name = symbol(i, a[0])?;
    let kind = a[1].as_symbol().map_or("", Symbol::name);
    let old = i.global(name);
    if old.kind == VarKind::Constant && kind != "defconstant" {
        return Err(LispError::simple(format!("`{name}` is a constant and can't be defined as a variable")));
    }
    let new_kind = if kind == "defconstant" { VarKind::Constant } else { VarKind::Special };
    let keep = kind == "defvar" && old.value != Value::Unbound || a[2].is_nil();
    let v = if keep { old.value } else { i.call(a[2], &[])? };
    i.set_global(name, Global { value: v, kind: new_kind });
    i.define_doc(name, DocKind::Variable, a[3]);
    Ok(Value::Symbol(name))
}

impl Interp {
    pub(super) fn define_doc(&mut self, name: Symbol, kind: DocKind, doc: Value) {
        if let Some(text) = self.heap.str(doc).map(str::to_string) {
            self.set_documentation(name, kind, &text);
        }
        let span = self.frames.last().and_then(|f| f.code.place(f.pc)).map(|p| p.span).unwrap_or_default();
        let again = self.definitions.insert((name, kind), span).is_some();
        // A first macro or constant may stand before one of the library or the kernel; a first function can't.
        let shadows = kind == DocKind::Variable || self.user_macros.contains_key(&name);
        if (again || shadows) && !self.redefined.contains(&name) {
            self.redefined.push(name);
        }
    }

    /// Whether there is a way to set places read by this operator.
    pub(crate) fn setf_known(&self, name: Symbol) -> bool {
        let name = name.unqualified();
        self.setf_expanders.contains_key(&name)
            || self.setf_functions.get(&name).is_some_and(|s| self.function_cell(*s) != Value::Unbound)
    }

    pub(super) fn add_native(&mut self, name: &str, lambda: &'static str, f: NativeFn) {
        let s = Symbol::intern(name);
        self.install_native(s, NativeDef { name: s.name(), lambda, doc: "", f });
    }
}

pub(super) const TABLE: Table = &[
    (
        "%defun",
        "name function doc",
        F3(|i, name, f, doc| {
            let s = match name {
                Value::Symbol(s) => {
                    i.check_redefinition(s, "function")?;
                    s
                }
                _ => {
                    let place = i.heap.cdr(name).and_then(|c| i.heap.car(c)).unwrap_or(Value::NIL);
                    let place = symbol(i, place)?;
                    i.setf_name(place)
                }
            };
            i.user_macros.remove(&s);
            i.set_function(s, f);
            i.define_doc(s, DocKind::Function, doc);
            Ok(name)
        }),
    ),
    (
        "%defmacro",
        "name function doc",
        F3(|i, name, f, doc| {
            let s = symbol(i, name)?;
            i.check_redefinition(s, "macro")?;
            let expander = i.heap.root(f);
            i.user_macros.insert(s, Rc::new(Macro { name: s, expander, library: false }));
            i.define_doc(s, DocKind::Function, doc);
            Ok(name)
        }),
    ),
    ("%defvar", "name kind function doc", Many(4, 4, define_variable)),
    (
        "%deftype",
        "name function",
        F2(|i, name, f| {
            let s = symbol(i, name)?;
            i.types.insert(s, f);
            Ok(name)
        }),
    ),
    (
        "%defsetf",
        "reader writer",
        F2(|i, name, w| {
            let (s, w) = (symbol(i, name)?, symbol(i, w)?);
            i.setf_expanders.insert(s, (w, true));
            Ok(name)
        }),
    ),
    ("%package", "name", F1(|_, v| Ok(v))),
    (
        "set",
        "symbol value",
        F2(|i, s, v| {
            let s = symbol(i, s)?;
            i.assign_global(s, v)?;
            Ok(v)
        }),
    ),
    (
        "symbol-value",
        "symbol",
        F1(|i, s| {
            let s = symbol(i, s)?;
            i.constant(s).ok_or_else(|| i.unbound_variable(s))
        }),
    ),
    ("symbol-function", "symbol", F1(fdefinition)),
    ("fdefinition", "symbol", F1(fdefinition)),
    (
        "%set-function",
        "symbol function",
        F2(|i, s, f| {
            let s = symbol(i, s)?;
            i.check_redefinition(s, "function")?;
            i.set_function(s, f);
            Ok(f)
        }),
    ),
    (
        "boundp",
        "symbol",
        F1(|i, s| {
            let s = symbol(i, s)?;
            Ok(i.constant(s).is_some().into())
        }),
    ),
    (
        "fboundp",
        "symbol",
        F1(|i, s| {
            let s = symbol(i, s)?;
            Ok(i.is_defined(s).into())
        }),
    ),
    (
        "fmakunbound",
        "symbol",
        F1(|i, v| {
            let s = symbol(i, v)?;
            i.check_redefinition(s, "function")?;
            i.undefine(s);
            Ok(v)
        }),
    ),
    (
        "makunbound",
        "symbol",
        F1(|i, v| {
            let s = symbol(i, v)?;
            *i.global_value_mut(s) = Value::Unbound;
            Ok(v)
        }),
    ),
    (
        "documentation",
        "name &optional kind",
        Many(1, 2, |i, a| {
            let s = symbol(i, a[0])?;
            let kinds = [DocKind::Function, DocKind::Variable, DocKind::Type];
            let doc = kinds.into_iter().find_map(|k| i.documentation(s, k));
            Ok(doc.map_or(Value::NIL, |d| i.heap.string(d)))
        }),
    ),
    (
        "%set-documentation",
        "name kind text",
        F3(|i, s, _, t| {
            let s = symbol(i, s)?;
            let t2 = text(i, t)?;
            i.set_documentation(s, DocKind::Function, &t2);
            Ok(t)
        }),
    ),
];

fn fdefinition(i: &mut Interp, s: Value) -> LispResult {
    let s = symbol(i, s)?;
    i.find_function(s).ok_or_else(|| i.undefined_function(s))
}
