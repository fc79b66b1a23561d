//! Calling, values, conditions, definitions.

use std::rc::Rc;

use super::Entry::{F0, F1, F2, F3, Many};
use super::{ANY, Table, keys, list, text, wrong};
use crate::error::{Exit, LispError, LispResult};
use crate::heap::{Object, RecordLayout, Stream};
use crate::interp::{Catch, CatchKind, DocKind, Global, Handler, Interp, Macro, NativeDef, VarKind};
use crate::natives::NativeFn;
use crate::{Symbol, Value};

impl Interp {
    /// Makes these all the values of what a native function returns (the first of them).
    pub fn set_values(&mut self, values: &[Value]) {
        self.mv.clear();
        self.mv.extend_from_slice(values);
        self.mv_set = true;
    }

    /// Runs `f` with a stream that collects what is written.
    pub(crate) fn with_buffer(
        &mut self,
        f: impl FnOnce(&mut Interp, Value) -> Result<(), LispError>,
    ) -> Result<String, LispError> {
        let stream = self.heap.alloc(Object::Stream(Stream::Buffer(String::new())));
        self.stack.push(stream);
        let height = self.stack.len();
        let result = self.enter(|i| f(i, stream));
        self.stack.truncate(height - 1);
        result?;
        match self.heap.object_mut(stream) {
            Some(Object::Stream(Stream::Buffer(s))) => Ok(std::mem::take(s)),
            _ => Ok(String::new()),
        }
    }
}

fn symbol(i: &mut Interp, v: Value) -> Result<Symbol, LispError> {
    match v {
        Value::Symbol(s) => Ok(s),
        v => Err(wrong(i, v, "a symbol")),
    }
}

/// Calls `f` and keeps its values, whatever `then` does.
fn protect(i: &mut Interp, f: Value, cleanup: Value) -> LispResult {
    let state = i.entry_state();
    i.mv_set = false;
    let result = i.call(f, &[]);
    let (mv, set) = (i.mv.clone(), i.mv_set);
    mv.iter().for_each(|v| i.heap.keep_fresh(*v));
    if result.is_err() {
        i.restore(&state);
    }
    i.call(cleanup, &[])?;
    i.mv = mv;
    i.mv_set = set;
    result
}

fn handler_case(i: &mut Interp, f: Value, types: Value) -> LispResult {
    let types: Rc<[Value]> = list(i, types)?.into();
    let state = i.entry_state();
    let id = i.new_catch_id();
    i.catches.push(Catch {
        id,
        kind: CatchKind::Native,
        frames: i.frames.len(),
        height: i.stack.len(),
        target: 0,
        specials: i.specials.len(),
    });
    i.handlers.push(Handler::Case(types, id));
    i.mv_set = false;
    let result = i.call(f, &[]);
    i.restore(&state);
    match result {
        Ok(v) => {
            let values = if i.mv_set { std::mem::take(&mut i.mv) } else { vec![v] };
            let all = i.heap.list(&values);
            i.set_values(&[Value::NIL, all]);
            Ok(Value::NIL)
        }
        Err(e) => match &e.exit {
            Exit::Unwind { target, value } if *target == id => {
                let choice = value.get();
                i.heap.keep_fresh(choice);
                let (which, condition) = i.heap.cons_parts(choice).unwrap_or((Value::NIL, Value::NIL));
                i.set_values(&[which, condition]);
                Ok(which)
            }
            _ => Err(e),
        },
    }
}

fn handler_bind(i: &mut Interp, a: &[Value]) -> LispResult {
    let height = i.handlers.len();
    for pair in a[1..].chunks_exact(2).rev() {
        i.handlers.push(Handler::Bind(pair[0], pair[1]));
    }
    i.mv_set = false;
    let result = i.call(a[0], &[]);
    i.handlers.truncate(height);
    result
}

fn throw(i: &mut Interp, tag: Value, v: Value) -> LispResult {
    let found = i.catches.iter().rev().find(|c| matches!(&c.kind, CatchKind::Throw(t) if *t == tag)).map(|c| c.id);
    match found {
        Some(id) => {
            let root = i.heap.root(v);
            Err(LispError::unwind(id, root))
        }
        None => {
            let shown = i.show(tag);
            Err(LispError::new(
                "control-error",
                crate::error::HOST_ERROR,
                format!("there is no `catch` for {shown} here"),
            ))
        }
    }
}

fn warn(i: &mut Interp, a: &[Value]) -> LispResult {
    let c = i.coerce_condition(a[0], &a[1..], "simple-warning")?;
    let id = i.new_catch_id();
    i.catches.push(Catch {
        id,
        kind: CatchKind::Throw(Value::Symbol(Symbol::keyword("muffle-warning"))),
        frames: 0,
        height: 0,
        target: 0,
        specials: 0,
    });
    let state = i.entry_state();
    let result = i.signal(c);
    i.restore(&state);
    i.catches.pop();
    match result {
        Ok(()) => {
            let text = i.condition_message(c)?;
            i.io.write_err(&format!("warning: {text}\n"));
            Ok(Value::NIL)
        }
        Err(e) => match &e.exit {
            Exit::Unwind { target, .. } if *target == id => Ok(Value::NIL),
            _ => Err(e),
        },
    }
}

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
    fn define_doc(&mut self, name: Symbol, kind: DocKind, doc: Value) {
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

    fn add_native(&mut self, name: &str, lambda: &'static str, f: NativeFn) {
        let s = Symbol::intern(name);
        self.install_native(s, NativeDef { name: s.name(), lambda, doc: "", f });
    }
}

/// `(%defstruct name include prefix maker copier predicate slots default…)`
fn defstruct(i: &mut Interp, a: &[Value]) -> LispResult {
    let name = symbol(i, a[0])?;
    let parent = match a[1] {
        Value::Symbol(Symbol::NIL) => None,
        v => {
            let p = symbol(i, v)?;
            Some(
                i.layouts
                    .get(&p)
                    .cloned()
                    .ok_or_else(|| LispError::simple(format!("there is no structure `{p}` to include")))?,
            )
        }
    };
    let own: Vec<Symbol> = list(i, a[6])?.into_iter().filter_map(Value::as_symbol).collect();
    let mut slots: Vec<Symbol> = parent.iter().flat_map(|p| p.slots.clone()).collect();
    slots.extend(own.iter().copied());
    let layout = Rc::new(RecordLayout { name, slots, parent: parent.clone(), condition: false });
    i.layouts.insert(name, layout.clone());
    let defaults: Vec<(Symbol, Value)> = own.iter().copied().zip(a[7..].iter().copied()).collect();
    i.slot_defaults.insert(name, defaults);
    let prefix = text(i, a[2])?;
    for (n, slot) in layout.slots.iter().enumerate() {
        let reader = format!("{prefix}{}", slot.name());
        i.define_accessor(&reader, &layout, n);
        let setter = i.setf_name(Symbol::intern(&reader));
        let of = layout.clone();
        let set = NativeFn::Dyn(2, 2, Rc::new(move |i, a| i.set_slot(a[1], &of, n, a[0])));
        i.add_native(setter.name(), "value record", set);
        i.definitions.insert((Symbol::intern(&reader), DocKind::Function), Default::default());
    }
    if let Some(maker) = i.heap.str(a[3]).map(str::to_string) {
        let of = layout.clone();
        let make = NativeFn::Dyn(0, ANY, Rc::new(move |i, a| i.make_struct(&of, a)));
        i.add_native(&maker, "&key", make);
    }
    if let Some(copier) = i.heap.str(a[4]).map(str::to_string) {
        let of = layout.clone();
        let copy = NativeFn::Dyn(
            1,
            1,
            Rc::new(move |i, a| match i.heap.record(a[0]) {
                Some(r) if r.layout.is_a(&of) => {
                    let (layout, fields) = (r.layout.clone(), r.fields.clone());
                    Ok(i.heap.make_record(&layout, &fields))
                }
                _ => Err(wrong(i, a[0], &format!("a `{}`", of.name))),
            }),
        );
        i.add_native(&copier, "record", copy);
    }
    if let Some(predicate) = i.heap.str(a[5]).map(str::to_string) {
        let of = layout;
        let is = NativeFn::Dyn(
            1,
            1,
            Rc::new(move |i, a| Ok(i.heap.record(a[0]).is_some_and(|r| r.layout.is_a(&of)).into())),
        );
        i.add_native(&predicate, "value", is);
    }
    Ok(Value::Symbol(name))
}

impl Interp {
    fn set_slot(&mut self, v: Value, layout: &Rc<RecordLayout>, slot: usize, new: Value) -> LispResult {
        if let Some(Object::Record(r)) = self.heap.object_mut(v)
            && r.layout.is_a(layout)
            && let Some(place) = r.fields.get_mut(slot)
        {
            *place = new;
            return Ok(new);
        }
        Err(wrong(self, v, &format!("a `{}`", layout.name)))
    }

    fn make_struct(&mut self, layout: &Rc<RecordLayout>, args: &[Value]) -> LispResult {
        let mut fields = vec![Value::Unbound; layout.slots.len()];
        for pair in args.chunks(2) {
            let slot =
                pair[0].as_symbol().filter(|s| s.is_keyword()).and_then(|s| layout.slot(Symbol::intern(s.name())));
            match (slot, pair.get(1)) {
                (Some(n), Some(v)) => fields[n] = *v,
                _ => {
                    let shown = self.show(pair[0]);
                    return Err(LispError::simple(format!("a `{}` has no slot {shown}", layout.name)));
                }
            }
        }
        let mut at = Some(layout);
        while let Some(l) = at {
            for (slot, f) in self.slot_defaults.get(&l.name).cloned().unwrap_or_default() {
                if let Some(n) = layout.slot(slot).filter(|n| fields[*n] == Value::Unbound) {
                    fields[n] = self.call(f, &[])?;
                }
            }
            at = l.parent.as_ref();
        }
        for f in &mut fields {
            if *f == Value::Unbound {
                *f = Value::NIL;
            }
        }
        Ok(self.heap.make_record(layout, &fields))
    }
}

/// `(%define-condition name parents report (slot readers initform)…)`
fn define_condition(i: &mut Interp, a: &[Value]) -> LispResult {
    let name = symbol(i, a[0])?;
    let parents = list(i, a[1])?;
    let parent = parents.first().and_then(|p| p.as_symbol()).unwrap_or(Symbol::CONDITION);
    let parent = i
        .condition_layout(parent)
        .ok_or_else(|| LispError::simple(format!("there is no condition type `{parent}`")))?;
    let mut slots = parent.slots.clone();
    let mut readers = Vec::new();
    let mut defaults = Vec::new();
    for spec in &a[3..] {
        let spec = list(i, *spec)?;
        let [slot, names, init] = spec.as_slice() else { continue };
        let slot = symbol(i, *slot)?;
        if !slots.contains(&slot) {
            slots.push(slot);
        }
        for r in list(i, *names)? {
            readers.push((symbol(i, r)?, slot));
        }
        if init.is_true() {
            defaults.push((slot, *init));
        }
    }
    let layout = Rc::new(RecordLayout { name, slots, parent: Some(parent), condition: true });
    i.layouts.insert(name, layout.clone());
    i.slot_defaults.insert(name, defaults);
    if a[2].is_true() {
        i.reports.insert(name, a[2]);
    }
    for (reader, slot) in readers {
        if let Some(n) = layout.slot(slot) {
            i.define_accessor(reader.name(), &layout, n);
        }
    }
    Ok(Value::Symbol(name))
}

fn slot_of(i: &mut Interp, v: Value, slot: Value) -> Result<(Rc<RecordLayout>, usize), LispError> {
    let name = symbol(i, slot)?;
    let Some(r) = i.heap.record(v) else { return Err(wrong(i, v, "a record")) };
    let layout = r.layout.clone();
    match layout.slot(name) {
        Some(n) => Ok((layout, n)),
        None => Err(LispError::simple(format!("a `{}` has no slot `{name}`", layout.name))),
    }
}

fn invoke_restart(i: &mut Interp, a: &[Value]) -> LispResult {
    let name = symbol(i, a[0])?;
    if name.is("muffle-warning") {
        return throw(i, Value::Symbol(Symbol::keyword("muffle-warning")), Value::NIL);
    }
    Err(LispError::new("control-error", crate::error::HOST_ERROR, format!("there is no restart `{name}` here")))
}

fn error(i: &mut Interp, a: &[Value]) -> LispResult {
    let c = i.coerce_condition(a[0], &a[1..], "simple-error")?;
    Err(i.error_of(c))
}

pub(super) const TABLE: Table = &[
    ("funcall", "function &rest arguments", Many(1, ANY, |i, a| i.call(a[0], &a[1..]))),
    (
        "apply",
        "function &rest arguments",
        Many(2, ANY, |i, a| {
            let (last, first) = a[1..].split_last().unwrap_or((&Value::NIL, &[]));
            let mut args = first.to_vec();
            args.extend(list(i, *last)?);
            i.call(a[0], &args)
        }),
    ),
    (
        "values",
        "&rest values",
        Many(0, ANY, |i, a| {
            i.set_values(a);
            Ok(a.first().copied().unwrap_or(Value::NIL))
        }),
    ),
    (
        "values-list",
        "list",
        F1(|i, l| {
            let a = list(i, l)?;
            i.set_values(&a);
            Ok(a.first().copied().unwrap_or(Value::NIL))
        }),
    ),
    ("identity", "value", F1(|_, v| Ok(v))),
    (
        "constantly",
        "value",
        F1(|i, v| {
            let root = i.heap.root(v);
            let f = NativeFn::Dyn(0, ANY, Rc::new(move |_, _| Ok(root.get())));
            i.natives.push(NativeDef { name: "constantly", lambda: "&rest arguments", doc: "", f });
            Ok(Value::Native(i.natives.len() as u32 - 1))
        }),
    ),
    (
        "complement",
        "function",
        F1(|i, f| {
            let root = i.heap.root(f);
            let f = NativeFn::Dyn(0, ANY, Rc::new(move |i, a| Ok(i.call(root.get(), a)?.is_nil().into())));
            i.natives.push(NativeDef { name: "complement", lambda: "&rest arguments", doc: "", f });
            Ok(Value::Native(i.natives.len() as u32 - 1))
        }),
    ),
    ("%unwind-protect", "function cleanup", F2(protect)),
    ("%handler-case", "function types", F2(handler_case)),
    ("%handler-bind", "function &rest handlers", Many(1, ANY, handler_bind)),
    ("throw", "tag value", F2(throw)),
    ("error", "message-or-type &rest arguments", Many(1, ANY, error)),
    ("cerror", "continue message-or-type &rest arguments", Many(2, ANY, |i, a| error(i, &a[1..]))),
    ("warn", "message-or-type &rest arguments", Many(1, ANY, warn)),
    (
        "signal",
        "message-or-type &rest arguments",
        Many(1, ANY, |i, a| {
            let c = i.coerce_condition(a[0], &a[1..], "simple-condition")?;
            i.signal(c)?;
            Ok(Value::NIL)
        }),
    ),
    (
        "make-condition",
        "type &rest slots",
        Many(1, ANY, |i, a| {
            let s = symbol(i, a[0])?;
            i.make_instance(s, &a[1..])
        }),
    ),
    ("invoke-restart", "name &rest arguments", Many(1, ANY, invoke_restart)),
    (
        "muffle-warning",
        "&optional condition",
        Many(0, 1, |i, _| throw(i, Value::Symbol(Symbol::keyword("muffle-warning")), Value::NIL)),
    ),
    (
        "%wrong-type",
        "value type",
        F2(|i, v, t| {
            let t = i.show(t);
            Err(wrong(i, v, &format!("of type {t}")))
        }),
    ),
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
    ("%defstruct", "name include prefix maker copier predicate slots &rest defaults", Many(7, ANY, defstruct)),
    ("%define-condition", "name parents report &rest slots", Many(3, ANY, define_condition)),
    ("%package", "name", F1(|_, v| Ok(v))),
    (
        "slot-value",
        "record slot",
        F2(|i, v, s| {
            let (_, n) = slot_of(i, v, s)?;
            Ok(i.heap.record(v).and_then(|r| r.fields.get(n).copied()).unwrap_or(Value::NIL))
        }),
    ),
    (
        "%set-slot",
        "record slot value",
        F3(|i, v, s, new| {
            let (layout, n) = slot_of(i, v, s)?;
            i.set_slot(v, &layout, n, new)
        }),
    ),
    (
        "simple-condition-format-control",
        "condition",
        F1(|i, c| {
            let s = Value::Symbol(Symbol::intern("format-control"));
            let (_, n) = slot_of(i, c, s)?;
            Ok(i.heap.record(c).map_or(Value::NIL, |r| r.fields[n]))
        }),
    ),
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
    ("make-string-output-stream", "", F0(|i| Ok(i.heap.alloc(Object::Stream(Stream::Buffer(String::new())))))),
    (
        "make-string-input-stream",
        "string",
        F1(|i, v| {
            let s = text(i, v)?;
            Ok(i.heap.alloc(Object::Stream(Stream::Input(s, 0))))
        }),
    ),
    (
        "get-output-stream-string",
        "stream",
        F1(|i, v| {
            let s = match i.heap.object_mut(v) {
                Some(Object::Stream(Stream::Buffer(s))) => std::mem::take(s),
                _ => return Err(wrong(i, v, "a string output stream")),
            };
            Ok(i.heap.string(s))
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
    (
        "eval",
        "form",
        F1(|i, v| {
            let form = i.value_to_form(v, Default::default())?;
            i.environments.push(Default::default());
            let r = i.eval_inner(&form);
            i.environments.pop();
            r
        }),
    ),
    (
        "macroexpand-1",
        "form &optional environment",
        Many(1, 2, |i, a| {
            let form = i.value_to_form(a[0], Default::default())?;
            let e = crate::compile::Cx::new(i).expand_once(&form)?;
            let done = e.is_some();
            let v = i.form_to_value(&e.unwrap_or(form))?;
            i.set_values(&[v, done.into()]);
            Ok(v)
        }),
    ),
    (
        "macroexpand",
        "form &optional environment",
        Many(1, 2, |i, a| {
            let mut form = i.value_to_form(a[0], Default::default())?;
            let mut n = 0;
            while let Some(f) = crate::compile::Cx::new(i).expand_once(&form)? {
                form = f;
                n += 1;
                if n > 1000 {
                    return Err(LispError::simple("the expansion has no end"));
                }
            }
            let v = i.form_to_value(&form)?;
            i.set_values(&[v, (n > 0).into()]);
            Ok(v)
        }),
    ),
    (
        "%time",
        "function",
        F1(|i, f| {
            let start = i.now()?;
            let v = i.call(f, &[])?;
            let end = i.now()?;
            let line = format!("{:.3} ms\n", end.saturating_sub(start).as_secs_f64() * 1000.0);
            i.io.write_err(&line);
            Ok(v)
        }),
    ),
    (
        "make-instance",
        "type &rest slots",
        Many(1, ANY, |i, a| {
            let [..] = keys(i, &[], [])?;
            let s = symbol(i, a[0])?;
            i.make_instance(s, &a[1..])
        }),
    ),
];

fn fdefinition(i: &mut Interp, s: Value) -> LispResult {
    let s = symbol(i, s)?;
    i.find_function(s).ok_or_else(|| i.undefined_function(s))
}
