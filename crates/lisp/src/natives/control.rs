//! Calling, values, conditions, evaluation.

use std::rc::Rc;

use super::Entry::{F0, F1, F2, Many};
use super::{ANY, Table, list, text, wrong};
use crate::error::{Exit, LispError, LispResult};
use crate::heap::{Object, Stream};
use crate::interp::{Catch, CatchKind, Handler, Interp, NativeDef};
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

pub(super) fn symbol(i: &mut Interp, v: Value) -> Result<Symbol, LispError> {
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
];
