//! Iteration: `do`, `dolist`, `dotimes`, `while`, and `loop` with its common clauses.

use super::{MacroFn, Outcome, gensym, list_at, malformed, tmpl};
use crate::error::LispError;
use crate::interp::Interp;
use crate::{Form, FormKind, Symbol};

pub(super) const MACROS: &[(&str, MacroFn)] = &[
    ("do", |_, f, a| do_(f, a, false)),
    ("do*", |_, f, a| do_(f, a, true)),
    ("dolist", |_, f, a| match a {
        [spec, body @ ..] => {
            let (var, list, result) = match spec.as_list() {
                Some([v, l]) => (v, l, Form::nil(f.span)),
                Some([v, l, r]) => (v, l, r.clone()),
                _ => return Err(malformed(f, "(dolist (variable list [result]) body…)")),
            };
            let (l, top) = (gensym("list", f), gensym("next", f));
            let end = tmpl!("(let (($v nil)) $r)", f, v = var, r = &result);
            let end = if result.is_nil() { result } else { end };
            Ok(tmpl!(
                "(block nil (let (($l $x)) (tagbody $top (if $l (progn (let (($v (car $l))) (tagbody $@b)) (setq $l (cdr $l)) (go $top)) nil)) $e))",
                f, l = &l, x = list, top = &top, v = var, e = &end; b = body
            ))
        }
        _ => Err(malformed(f, "(dolist (variable list [result]) body…)")),
    }),
    ("dotimes", |_, f, a| match a {
        [spec, body @ ..] => {
            let (var, count, result) = match spec.as_list() {
                Some([v, n]) => (v, n, Form::nil(f.span)),
                Some([v, n, r]) => (v, n, r.clone()),
                _ => return Err(malformed(f, "(dotimes (variable count [result]) body…)")),
            };
            let (i, n, top) = (gensym("i", f), gensym("n", f), gensym("next", f));
            let end =
                if result.is_nil() { result } else { tmpl!("(let (($v $i)) $r)", f, v = var, i = &i, r = &result) };
            Ok(tmpl!(
                "(block nil (let (($n $x) ($i 0)) (tagbody $top (if (< $i $n) (progn (let (($v $i)) (tagbody $@b)) (setq $i (1+ $i)) (go $top)) nil)) $e))",
                f, n = &n, x = count, i = &i, top = &top, v = var, e = &end; b = body
            ))
        }
        _ => Err(malformed(f, "(dotimes (variable count [result]) body…)")),
    }),
    ("while", |_, f, a| match a {
        [test, body @ ..] => {
            let top = gensym("next", f);
            Ok(tmpl!("(block nil (tagbody $top (if $t (progn $@b (go $top)) nil)))", f, top = &top, t = test; b = body))
        }
        _ => Err(malformed(f, "(while test body…)")),
    }),
    ("until", |_, f, a| match a {
        [test, body @ ..] => Ok(tmpl!("(while (not $t) $@b)", f, t = test; b = body)),
        _ => Err(malformed(f, "(until test body…)")),
    }),
    ("loop", loop_),
];

fn do_(f: &Form, a: &[Form], star: bool) -> Outcome {
    let shape = "(do ((variable init step)…) (end-test result…) body…)";
    let [vars, end, body @ ..] = a else { return Err(malformed(f, shape)) };
    let (mut binds, mut steps) = (Vec::new(), Vec::new());
    for v in vars.as_list().ok_or_else(|| malformed(f, shape))? {
        match v.as_list() {
            Some([name, init, step]) => {
                binds.push(list_at(vec![name.clone(), init.clone()], v));
                steps.push(name.clone());
                steps.push(step.clone());
            }
            Some([_] | [_, _]) => binds.push(v.clone()),
            None if v.as_symbol().is_some() => binds.push(v.clone()),
            _ => return Err(malformed(f, shape)),
        }
    }
    let [test, result @ ..] = end.as_list().unwrap_or(&[]) else { return Err(malformed(f, shape)) };
    let top = gensym("next", f);
    Ok(if star {
        tmpl!(
            "(block nil (let* ($@v) (tagbody $top (if $t (return (progn $@r)) nil) (tagbody $@b) (setq $@s) (go $top))))",
            f, top = &top, t = test; v = &binds, r = result, b = body, s = &steps
        )
    } else {
        tmpl!(
            "(block nil (let ($@v) (tagbody $top (if $t (return (progn $@r)) nil) (tagbody $@b) (psetq $@s) (go $top))))",
            f, top = &top, t = test; v = &binds, r = result, b = body, s = &steps
        )
    })
}

/// What the clauses of a `loop` have added up to.
#[derive(Default)]
struct Plan {
    name: Option<Form>,
    bindings: Vec<Form>,
    /// Before the first round, in order.
    prologue: Vec<Form>,
    /// At the start of every round.
    head: Vec<Form>,
    body: Vec<Form>,
    /// At the end of every round.
    step: Vec<Form>,
    finally: Vec<Form>,
    result: Option<Form>,
    /// Accumulators by the name they go into.
    accumulators: Vec<(Option<Symbol>, Form, Kind, Form)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    List,
    Number,
    Best,
}

struct Clauses<'a> {
    items: &'a [Form],
    at: usize,
    form: &'a Form,
    end: Form,
}

fn word(f: &Form) -> Option<&'static str> {
    f.as_symbol().map(|s| s.fold().name())
}

impl<'a> Clauses<'a> {
    fn peek(&self) -> Option<&'static str> {
        self.items.get(self.at).and_then(word)
    }

    fn next(&mut self) -> Result<&'a Form, LispError> {
        let f = self.items.get(self.at).ok_or_else(|| {
            LispError::malformed(self.form.span, "this `loop` ends in the middle of a clause").at_form(self.form)
        })?;
        self.at += 1;
        Ok(f)
    }

    fn take(&mut self, words: &[&str]) -> Option<&'static str> {
        let w = self.peek().filter(|w| words.contains(w))?;
        self.at += 1;
        Some(w)
    }

    /// Forms up to the next clause word.
    fn forms(&mut self) -> Vec<Form> {
        let mut out = Vec::new();
        while let Some(f) = self.items.get(self.at).filter(|f| matches!(f.kind, FormKind::List(_)) && !f.is_nil()) {
            out.push(f.clone());
            self.at += 1;
        }
        out
    }
}

fn loop_(_: &mut Interp, f: &Form, a: &[Form]) -> Outcome {
    if a.iter().all(|x| matches!(x.kind, FormKind::List(_))) {
        let top = gensym("next", f);
        return Ok(tmpl!("(block nil (tagbody $top $@b (go $top)))", f, top = &top; b = a));
    }
    let mut c = Clauses { items: a, at: 0, form: f, end: gensym("end", f) };
    let mut p = Plan::default();
    while c.at < a.len() {
        clause(&mut c, &mut p)?;
    }
    let (top, end) = (gensym("next", f), c.end.clone());
    for (_, v, kind, _) in &p.accumulators {
        if *kind == Kind::List {
            p.finally.insert(0, tmpl!("(setq $v (nreverse $v))", f, v = v));
        }
    }
    // The accumulated value is the result unless it went into a variable of its own.
    let result = match (&p.result, p.accumulators.iter().find(|a| a.0.is_none())) {
        (Some(r), _) => r.clone(),
        (None, Some((_, v, ..))) => v.clone(),
        (None, None) => Form::nil(f.span),
    };
    let name = p.name.clone().unwrap_or_else(|| Form::nil(f.span));
    let mut out = tmpl!(
        "(progn (tagbody $@pro $top $@head $@body $@step (go $top) $end) $@fin $r)",
        f, top = &top, end = &end, r = &result; pro = &p.prologue, head = &p.head, body = &p.body, step = &p.step, fin = &p.finally
    );
    out = tmpl!("(let* ($@b) $o)", f, o = &out; b = &p.bindings);
    out = tmpl!("(block $n $o)", f, n = &name, o = &out);
    if !name.is_nil() {
        out = tmpl!("(block nil $o)", f, o = &out);
    }
    Ok(out)
}

fn clause(c: &mut Clauses<'_>, p: &mut Plan) -> Result<(), LispError> {
    let f = c.form;
    let at = c.next()?;
    match word(at).unwrap_or("") {
        "named" => p.name = Some(c.next()?.clone()),
        "for" | "as" => for_clause(c, p)?,
        "with" => loop {
            let var = c.next()?;
            let value = if c.take(&["="]).is_some() { c.next()?.clone() } else { Form::nil(f.span) };
            destructure(var, &value, f, &mut p.bindings);
            if c.take(&["and"]).is_none() {
                break;
            }
        },
        "repeat" => {
            let n = gensym("n", f);
            p.bindings.push(list_at(vec![n.clone(), c.next()?.clone()], f));
            p.head.push(tmpl!("(if (<= $n 0) (go $e) (setq $n (1- $n)))", f, n = &n, e = &c.end));
        }
        "initially" => p.prologue.extend(c.forms()),
        "finally" => {
            if c.take(&["return"]).is_some() {
                let value = c.next()?.clone();
                let name = p.name.clone().unwrap_or_else(|| Form::nil(f.span));
                p.finally.push(tmpl!("(return-from $n $v)", f, n = &name, v = &value));
            } else {
                c.take(&["do", "doing"]);
                p.finally.extend(c.forms());
            }
        }
        "while" => {
            let t = c.next()?;
            p.body.push(tmpl!("(if $t nil (go $e))", f, t = t, e = &c.end));
        }
        "until" => {
            let t = c.next()?;
            p.body.push(tmpl!("(if $t (go $e) nil)", f, t = t, e = &c.end));
        }
        "always" => {
            let t = c.next()?;
            p.result.get_or_insert_with(|| Form::symbol(Symbol::T, f.span));
            p.body.push(tmpl!("(if $t nil (return-from $n nil))", f, t = t, n = &block_name(p, f)));
        }
        "never" => {
            let t = c.next()?;
            p.result.get_or_insert_with(|| Form::symbol(Symbol::T, f.span));
            p.body.push(tmpl!("(if $t (return-from $n nil) nil)", f, t = t, n = &block_name(p, f)));
        }
        "thereis" => {
            let t = c.next()?;
            let v = gensym("v", f);
            p.body.push(tmpl!(
                "(let (($v $t)) (if $v (return-from $n $v) nil))",
                f,
                v = &v,
                t = t,
                n = &block_name(p, f)
            ));
        }
        _ => {
            c.at -= 1;
            let form = selectable(c, p)?;
            p.body.push(form);
        }
    }
    Ok(())
}

fn block_name(p: &Plan, f: &Form) -> Form {
    p.name.clone().unwrap_or_else(|| Form::nil(f.span))
}

/// A clause that can stand after `when`.
fn selectable(c: &mut Clauses<'_>, p: &mut Plan) -> Outcome {
    let f = c.form;
    let at = c.next()?;
    let w = word(at).unwrap_or("");
    Ok(match w {
        "do" | "doing" => {
            let forms = c.forms();
            tmpl!("(progn $@x)", f; x = &forms)
        }
        "return" => {
            let v = c.next()?.clone();
            tmpl!("(return-from $n $v)", f, n = &block_name(p, f), v = &v)
        }
        "when" | "if" | "unless" => {
            let test = c.next()?;
            let mut then = vec![selectable(c, p)?];
            while c.take(&["and"]).is_some() {
                then.push(selectable(c, p)?);
            }
            let mut other = Vec::new();
            if c.take(&["else"]).is_some() {
                other.push(selectable(c, p)?);
                while c.take(&["and"]).is_some() {
                    other.push(selectable(c, p)?);
                }
            }
            c.take(&["end"]);
            let (then, other) = if w == "unless" { (other, then) } else { (then, other) };
            let it = Form::symbol(Symbol::intern("it"), f.span);
            tmpl!("(let (($it $t)) (if $it (progn $@a) (progn $@b)))", f, it = &it, t = test; a = &then, b = &other)
        }
        "collect" | "collecting" | "append" | "appending" | "nconc" | "nconcing" | "sum" | "summing" | "count"
        | "counting" | "maximize" | "maximizing" | "minimize" | "minimizing" => {
            let value = c.next()?;
            let into = if c.take(&["into"]).is_some() { Some(c.next()?) } else { None };
            let kind = match w {
                "sum" | "summing" | "count" | "counting" => Kind::Number,
                "maximize" | "maximizing" | "minimize" | "minimizing" => Kind::Best,
                _ => Kind::List,
            };
            let v = accumulator(p, f, into, kind);
            match w {
                "collect" | "collecting" if into.is_some() => {
                    tmpl!("(setq $v (append $v (list $x)))", f, v = &v, x = value)
                }
                "append" | "appending" | "nconc" | "nconcing" if into.is_some() => {
                    tmpl!("(setq $v (append $v $x))", f, v = &v, x = value)
                }
                "collect" | "collecting" => tmpl!("(setq $v (cons $x $v))", f, v = &v, x = value),
                "append" | "appending" | "nconc" | "nconcing" => {
                    tmpl!("(setq $v (revappend $x $v))", f, v = &v, x = value)
                }
                "sum" | "summing" => tmpl!("(setq $v (+ $v $x))", f, v = &v, x = value),
                "count" | "counting" => tmpl!("(if $x (setq $v (1+ $v)) nil)", f, v = &v, x = value),
                "maximize" | "maximizing" => tmpl!("(setq $v (%best $v $x t))", f, v = &v, x = value),
                _ => tmpl!("(setq $v (%best $v $x nil))", f, v = &v, x = value),
            }
        }
        other => {
            let e = LispError::malformed(at.span, format!("`{}` is not a clause of `loop`", crate::compile::short(at)));
            let words = [
                "for",
                "collect",
                "append",
                "sum",
                "count",
                "maximize",
                "minimize",
                "do",
                "when",
                "unless",
                "while",
                "until",
                "repeat",
                "return",
                "finally",
                "initially",
                "with",
                "always",
                "never",
                "thereis",
            ];
            return Err(match crate::nearest::nearest(other, words) {
                Some(near) => e.help(format!("the nearest is `{near}`")),
                None => e,
            }
            .at_form(f));
        }
    })
}

fn accumulator(p: &mut Plan, f: &Form, into: Option<&Form>, kind: Kind) -> Form {
    let name = into.and_then(Form::as_symbol);
    if let Some((_, v, ..)) = p.accumulators.iter().find(|a| a.0 == name) {
        return v.clone();
    }
    let v = into.cloned().unwrap_or_else(|| gensym("acc", f));
    let init = if kind == Kind::Number { Form::int(0, f.span) } else { Form::nil(f.span) };
    p.bindings.push(list_at(vec![v.clone(), init.clone()], f));
    // A named list is kept in order, since the body may look at it.
    if into.is_none() || kind != Kind::List {
        p.accumulators.push((name, v.clone(), kind, init));
    } else {
        p.accumulators.push((name, v.clone(), Kind::Best, init));
    }
    v
}

/// Bindings of a variable or pattern to a value.
fn destructure(var: &Form, value: &Form, f: &Form, out: &mut Vec<Form>) {
    if var.as_symbol().is_some() {
        out.push(list_at(vec![var.clone(), value.clone()], f));
        return;
    }
    let v = gensym("part", f);
    out.push(list_at(vec![v.clone(), value.clone()], f));
    pattern_bindings(var, &v, f, out, false);
}

/// The parts of a pattern: as bindings, or as assignments.
fn pattern_bindings(var: &Form, v: &Form, f: &Form, out: &mut Vec<Form>, assign: bool) {
    let mut put = |name: &Form, value: Form| {
        if name.as_symbol().is_some_and(|s| s.fold() != Symbol::NIL) {
            out.push(if assign {
                tmpl!("(setq $n $v)", f, n = name, v = &value)
            } else {
                list_at(vec![name.clone(), value], f)
            });
        } else if !name.is_nil() {
            pattern_bindings(name, &value, f, out, assign);
        }
    };
    let (items, tail) = match &var.kind {
        FormKind::Dotted(items, tail) => (items.as_ref(), Some(tail.as_ref())),
        _ => (var.as_list().unwrap_or(&[]), None),
    };
    let mut rest = v.clone();
    let text = Form::str(crate::compile::short(var), f.span);
    for item in items {
        put(item, tmpl!("(%loop-part $r $p $v)", f, r = &rest, p = &text, v = v));
        rest = tmpl!("(cdr $r)", f, r = &rest);
    }
    if let Some(tail) = tail {
        put(tail, rest);
    }
}

/// Declares a loop's variable, and gives the form that sets it.
fn assign(p: &mut Plan, var: &Form, value: &Form, f: &Form) -> Form {
    if var.as_symbol().is_some() {
        p.bindings.push(list_at(vec![var.clone(), Form::nil(f.span)], f));
        return tmpl!("(setq $v $x)", f, v = var, x = value);
    }
    let t = gensym("part", f);
    p.bindings.push(list_at(vec![t.clone(), Form::nil(f.span)], f));
    let mut names = Vec::new();
    pattern_bindings(var, &Form::nil(f.span), f, &mut names, false);
    for n in names {
        if let Some([name, ..]) = n.as_list() {
            p.bindings.push(list_at(vec![name.clone(), Form::nil(f.span)], f));
        }
    }
    let mut sets = vec![tmpl!("(setq $t $x)", f, t = &t, x = value)];
    pattern_bindings(var, &t, f, &mut sets, true);
    tmpl!("(progn $@s)", f; s = &sets)
}

fn for_clause(c: &mut Clauses<'_>, p: &mut Plan) -> Result<(), LispError> {
    let f = c.form;
    let var = c.next()?;
    if c.peek().is_some_and(|w| matches!(w, "fixnum" | "float" | "integer" | "t")) {
        c.at += 1;
    }
    if c.take(&["of-type"]).is_some() {
        c.next()?;
    }
    let end = c.end.clone();
    let at = c.next()?;
    match word(at).unwrap_or("") {
        w @ ("in" | "on") => {
            let l = gensym("list", f);
            p.bindings.push(list_at(vec![l.clone(), c.next()?.clone()], f));
            let step = if c.take(&["by"]).is_some() {
                let by = c.next()?;
                tmpl!("(setq $l (funcall $b $l))", f, l = &l, b = by)
            } else {
                tmpl!("(setq $l (cdr $l))", f, l = &l)
            };
            let value = if w == "in" { tmpl!("(car $l)", f, l = &l) } else { l.clone() };
            let test = if w == "in" {
                tmpl!("(if $l nil (go $e))", f, l = &l, e = &end)
            } else {
                tmpl!("(if (consp $l) nil (go $e))", f, l = &l, e = &end)
            };
            let set = assign(p, var, &value, f);
            p.head.extend([test, set]);
            p.step.push(step);
        }
        "across" => {
            let (v, i) = (gensym("vector", f), gensym("i", f));
            p.bindings.push(list_at(vec![v.clone(), c.next()?.clone()], f));
            p.bindings.push(list_at(vec![i.clone(), Form::int(0, f.span)], f));
            let set = assign(p, var, &tmpl!("(elt $v $i)", f, v = &v, i = &i), f);
            p.head.push(tmpl!("(if (< $i (length $v)) nil (go $e))", f, i = &i, v = &v, e = &end));
            p.head.push(set);
            p.step.push(tmpl!("(setq $i (1+ $i))", f, i = &i));
        }
        "being" => {
            c.take(&["the", "each"]);
            let what = c.next()?;
            let keys = match word(what).unwrap_or("") {
                "hash-key" | "hash-keys" => true,
                "hash-value" | "hash-values" => false,
                _ => {
                    return Err(LispError::malformed(what.span, format!("`loop` can't walk `{what}`"))
                        .help("it knows `hash-keys` and `hash-values`"));
                }
            };
            c.take(&["of", "in"]);
            let table = c.next()?;
            let l = gensym("entries", f);
            p.bindings.push(list_at(vec![l.clone(), tmpl!("(%hash-entries $t)", f, t = table)], f));
            let value =
                |k: bool| if k { tmpl!("(car (car $l))", f, l = &l) } else { tmpl!("(cdr (car $l))", f, l = &l) };
            let set = assign(p, var, &value(keys), f);
            p.head.push(tmpl!("(if $l nil (go $e))", f, l = &l, e = &end));
            p.head.push(set);
            if c.take(&["using"]).is_some()
                && let Some([_, other]) = c.next()?.as_list()
            {
                let set = assign(p, other, &value(!keys), f);
                p.head.push(set);
            }
            p.step.push(tmpl!("(setq $l (cdr $l))", f, l = &l));
        }
        "=" => {
            let init = c.next()?;
            if c.take(&["then"]).is_some() {
                let step = c.next()?;
                let first = gensym("first", f);
                p.bindings.push(list_at(vec![first.clone(), Form::symbol(Symbol::T, f.span)], f));
                let start = assign(p, var, init, f);
                let mut throwaway = Plan::default();
                let again = assign(&mut throwaway, var, step, f);
                p.bindings.extend(throwaway.bindings.into_iter().filter(|b| {
                    b.as_list().and_then(|l| l.first()).and_then(Form::as_symbol).is_some_and(Symbol::is_uninterned)
                }));
                p.head.push(tmpl!("(if $f (progn (setq $f nil) $a) $b)", f, f = &first, a = &start, b = &again));
            } else {
                let set = assign(p, var, init, f);
                p.head.push(set);
            }
        }
        _ => {
            c.at -= 1;
            number_clause(c, p, var)?;
        }
    }
    if c.take(&["and"]).is_some() {
        for_clause(c, p)?;
    }
    Ok(())
}

fn number_clause(c: &mut Clauses<'_>, p: &mut Plan, var: &Form) -> Result<(), LispError> {
    let f = c.form;
    let (mut from, mut by, mut limit) = (None, None, None);
    let mut down = false;
    let words = ["from", "upfrom", "downfrom", "to", "upto", "downto", "below", "above", "by"];
    let start = c.at;
    while let Some(w) = c.take(&words) {
        let value = c.next()?.clone();
        match w {
            "from" | "upfrom" => from = Some(value),
            "downfrom" => {
                from = Some(value);
                down = true;
            }
            "by" => by = Some(value),
            "to" | "upto" => limit = Some((value, false)),
            "below" => limit = Some((value, true)),
            "downto" => {
                down = true;
                limit = Some((value, false));
            }
            _ => {
                down = true;
                limit = Some((value, true));
            }
        }
    }
    if c.at == start {
        let at = c.items.get(c.at).unwrap_or(f);
        return Err(LispError::malformed(
            at.span,
            format!("`loop` doesn't know `for {var} {}`", crate::compile::short(at)),
        )
        .help("it knows `in`, `on`, `across`, `=`, `from`, `to`, `below`, `downto`, `by`, `being`"));
    }
    let by = match by {
        Some(b) if matches!(b.kind, FormKind::Int(_)) => b,
        Some(b) => {
            let t = gensym("by", f);
            p.bindings.push(list_at(vec![t.clone(), b], f));
            t
        }
        None => Form::int(1, f.span),
    };
    let i = gensym("i", f);
    p.bindings.push(list_at(vec![i.clone(), from.unwrap_or_else(|| Form::int(0, f.span))], f));
    if let Some((value, strict)) = limit {
        let l = gensym("limit", f);
        p.bindings.push(list_at(vec![l.clone(), value], f));
        let test = match (down, strict) {
            (false, false) => tmpl!("(> $i $l)", f, i = &i, l = &l),
            (false, true) => tmpl!("(>= $i $l)", f, i = &i, l = &l),
            (true, false) => tmpl!("(< $i $l)", f, i = &i, l = &l),
            (true, true) => tmpl!("(<= $i $l)", f, i = &i, l = &l),
        };
        p.head.push(tmpl!("(if $t (go $e) nil)", f, t = &test, e = &c.end));
    }
    let set = assign(p, var, &i, f);
    p.head.push(set);
    p.step.push(if down {
        tmpl!("(setq $i (- $i $b))", f, i = &i, b = &by)
    } else {
        tmpl!("(setq $i (+ $i $b))", f, i = &i, b = &by)
    });
    Ok(())
}
