//! Conditionals, sequencing, multiple values, handlers.

use super::{MacroFn, Outcome, gensym, lang, list_at, malformed, tmpl};
use crate::interp::Interp;
use crate::{Form, Symbol};

pub(super) const MACROS: &[(&str, MacroFn)] = &[
    ("when", |_, f, a| match a {
        [test, body @ ..] => Ok(tmpl!("(if $test (progn $@body) nil)", f, test = test; body = body)),
        _ => Err(malformed(f, "(when test body…)")),
    }),
    ("unless", |_, f, a| match a {
        [test, body @ ..] => Ok(tmpl!("(if $test nil (progn $@body))", f, test = test; body = body)),
        _ => Err(malformed(f, "(unless test body…)")),
    }),
    ("cond", cond),
    ("case", |i, f, a| case(i, f, a, Miss::Nil)),
    ("ecase", |i, f, a| case(i, f, a, Miss::Error)),
    ("ccase", |i, f, a| case(i, f, a, Miss::Error)),
    ("typecase", |i, f, a| typecase(i, f, a, Miss::Nil)),
    ("etypecase", |i, f, a| typecase(i, f, a, Miss::Error)),
    ("prog1", |_, f, a| match a {
        [first, body @ ..] => {
            let v = gensym("v", f);
            Ok(tmpl!("(let (($v $first)) $@body $v)", f, v = &v, first = first; body = body))
        }
        _ => Err(malformed(f, "(prog1 form form…)")),
    }),
    ("prog2", |_, f, a| match a {
        [first, second, body @ ..] => Ok(tmpl!("(progn $a (prog1 $b $@body))", f, a = first, b = second; body = body)),
        _ => Err(malformed(f, "(prog2 form form form…)")),
    }),
    ("prog", |_, f, a| match a {
        [bindings, body @ ..] => Ok(tmpl!("(block nil (let $b (tagbody $@body)))", f, b = bindings; body = body)),
        _ => Err(malformed(f, "(prog (binding…) tag-or-form…)")),
    }),
    ("prog*", |_, f, a| match a {
        [bindings, body @ ..] => Ok(tmpl!("(block nil (let* $b (tagbody $@body)))", f, b = bindings; body = body)),
        _ => Err(malformed(f, "(prog* (binding…) tag-or-form…)")),
    }),
    ("multiple-value-call", |_, f, a| match a {
        [fun, forms @ ..] => {
            let lists: Vec<Form> = forms.iter().map(|x| tmpl!("(multiple-value-list $x)", f, x = x)).collect();
            Ok(tmpl!("(apply $f (append $@l))", f, f = fun; l = &lists))
        }
        _ => Err(malformed(f, "(multiple-value-call function form…)")),
    }),
    ("multiple-value-prog1", |_, f, a| match a {
        [first, body @ ..] => {
            let v = gensym("v", f);
            Ok(
                tmpl!("(let (($v (multiple-value-list $first))) $@body (values-list $v))", f, v = &v, first = first; body = body),
            )
        }
        _ => Err(malformed(f, "(multiple-value-prog1 form form…)")),
    }),
    ("multiple-value-setq", |_, f, a| match a {
        [names, form] => {
            let names = names.as_list().unwrap_or(&[]);
            let temps: Vec<Form> = names.iter().map(|n| gensym("v", n)).collect();
            let sets: Vec<Form> =
                names.iter().zip(&temps).map(|(n, t)| tmpl!("(setf $n $t)", f, n = n, t = t)).collect();
            let first = temps.first().cloned().unwrap_or_else(|| Form::nil(f.span));
            let list = list_at(temps, f);
            Ok(tmpl!("(multiple-value-bind $l $x $@s $first)", f, l = &list, x = form, first = &first; s = &sets))
        }
        _ => Err(malformed(f, "(multiple-value-setq (name…) form)")),
    }),
    ("nth-value", |_, f, a| match a {
        [n, form] => Ok(tmpl!("(nth $n (multiple-value-list $x))", f, n = n, x = form)),
        _ => Err(malformed(f, "(nth-value n form)")),
    }),
    ("unwind-protect", |_, f, a| match a {
        [form, cleanup @ ..] => Ok(tmpl!("(%unwind-protect (lambda () $x) (lambda () $@c))", f, x = form; c = cleanup)),
        _ => Err(malformed(f, "(unwind-protect form cleanup…)")),
    }),
    ("ignore-errors", |_, f, a| {
        let c = gensym("c", f);
        Ok(tmpl!("(handler-case (progn $@b) (error ($c) (values nil $c)))", f, c = &c; b = a))
    }),
    ("handler-case", handler_case),
    ("handler-bind", |_, f, a| match a {
        [bindings, body @ ..] => {
            let list = bindings.as_list().ok_or_else(|| malformed(f, "(handler-bind ((type function)…) body…)"))?;
            let mut items = Vec::new();
            for b in list {
                match b.as_list() {
                    Some([t, fun]) => {
                        items.push(tmpl!("(quote $t)", f, t = t));
                        items.push(fun.clone());
                    }
                    _ => return Err(malformed(f, "(handler-bind ((type function)…) body…)")),
                }
            }
            Ok(tmpl!("(%handler-bind (lambda () $@b) $@h)", f; b = body, h = &items))
        }
        _ => Err(malformed(f, "(handler-bind ((type function)…) body…)")),
    }),
    ("restart-case", |_, f, a| match a {
        [form, ..] => Ok(form.clone()),
        _ => Err(malformed(f, "(restart-case form clause…)")),
    }),
    ("eval-when", |_, f, a| Ok(tmpl!("(progn $@b)", f; b = a.get(1..).unwrap_or(&[])))),
    ("load-time-value", |_, f, a| a.first().cloned().ok_or_else(|| malformed(f, "(load-time-value form)"))),
    ("with-output-to-string", |_, f, a| match a {
        [spec, body @ ..] => {
            let name = spec
                .as_list()
                .and_then(|l| l.first())
                .cloned()
                .unwrap_or_else(|| Form::symbol(Symbol::intern("*standard-output*"), f.span));
            Ok(
                tmpl!("(let (($n (make-string-output-stream))) $@b (get-output-stream-string $n))", f, n = &name; b = body),
            )
        }
        _ => Err(malformed(f, "(with-output-to-string (stream) body…)")),
    }),
    ("with-input-from-string", |_, f, a| match a {
        [spec, body @ ..] => match spec.as_list() {
            Some([name, text, ..]) => {
                Ok(tmpl!("(let (($n (make-string-input-stream $t))) $@b)", f, n = name, t = text; b = body))
            }
            _ => Err(malformed(f, "(with-input-from-string (stream string) body…)")),
        },
        _ => Err(malformed(f, "(with-input-from-string (stream string) body…)")),
    }),
    ("assert", |_, f, a| match a {
        [test] | [test, _] => {
            let text = Form::str(crate::compile::short(test), test.span);
            Ok(tmpl!("(if $t nil (error \"the assertion ~a failed\" $s))", f, t = test, s = &text))
        }
        [test, _, rest @ ..] => Ok(tmpl!("(if $t nil (error $@r))", f, t = test; r = rest)),
        _ => Err(malformed(f, "(assert test [(place…) [message argument…]])")),
    }),
    ("check-type", |_, f, a| match a {
        [place, t, ..] => Ok(tmpl!("(if (typep $p (quote $t)) nil (%wrong-type $p (quote $t)))", f, p = place, t = t)),
        _ => Err(malformed(f, "(check-type place type)")),
    }),
    ("time", |_, f, a| match a {
        [form] => Ok(tmpl!("(%time (lambda () $x))", f, x = form)),
        _ => Err(malformed(f, "(time form)")),
    }),
    ("when-let", |i, f, a| when_let(i, f, a)),
    ("when-let*", |i, f, a| when_let(i, f, a)),
    ("if-let", |_, f, a| match a {
        [bindings, then] | [bindings, then, _] => {
            let other = a.get(2).cloned().unwrap_or_else(|| Form::nil(f.span));
            let (list, names) = let_names(f, bindings)?;
            Ok(tmpl!("(let $b (if (and $@n) $t $e))", f, b = &list, t = then, e = &other; n = &names))
        }
        _ => Err(malformed(f, "(if-let ((name value)…) then [else])")),
    }),
    ("with-slots", |_, f, a| match a {
        [slots, object, body @ ..] => {
            let o = gensym("o", f);
            let binds: Vec<Form> = slots
                .as_list()
                .unwrap_or(&[])
                .iter()
                .map(|s| {
                    let (v, slot) = match s.as_list() {
                        Some([v, slot]) => (v, slot),
                        _ => (s, s),
                    };
                    tmpl!("($v (slot-value $o (quote $s)))", f, v = v, o = &o, s = slot)
                })
                .collect();
            Ok(tmpl!("(let (($o $x)) (symbol-macrolet ($@b) $@body))", f, o = &o, x = object; b = &binds, body = body))
        }
        _ => Err(malformed(f, "(with-slots (slot…) object body…)")),
    }),
];

enum Miss {
    Nil,
    Error,
}

fn let_names(f: &Form, bindings: &Form) -> Result<(Form, Vec<Form>), crate::LispError> {
    let list = bindings.as_list().ok_or_else(|| malformed(f, "((name value)…)"))?;
    // One binding may stand without the outer list.
    let single = list.first().is_some_and(|x| x.as_symbol().is_some());
    let list = if single { std::slice::from_ref(bindings) } else { list };
    let mut names = Vec::new();
    let mut bound = Vec::new();
    for b in list {
        match b.as_list() {
            Some([name, value]) | Some([name, _, value]) => {
                names.push(name.clone());
                bound.push(list_at(vec![name.clone(), value.clone()], b));
            }
            _ => return Err(malformed(f, "((name value)…)")),
        }
    }
    Ok((list_at(bound, bindings), names))
}

fn when_let(_: &mut Interp, f: &Form, a: &[Form]) -> Outcome {
    let [bindings, body @ ..] = a else { return Err(malformed(f, "(when-let ((name value)…) body…)")) };
    let (list, names) = let_names(f, bindings)?;
    let mut out = tmpl!("(progn $@b)", f; b = body);
    for (b, n) in list.as_list().unwrap_or(&[]).iter().zip(&names).rev() {
        out = tmpl!("(let ($b) (if $n $o nil))", f, b = b, n = n, o = &out);
    }
    Ok(out)
}

fn cond(_: &mut Interp, f: &Form, a: &[Form]) -> Outcome {
    let mut out = Form::nil(f.span);
    for clause in a.iter().rev() {
        out = match clause.as_list() {
            Some([test]) => tmpl!("(or $t $o)", f, t = test, o = &out),
            Some([test, body @ ..]) => {
                let mut node = tmpl!("(if $t (progn $@b) $o)", f, t = test, o = &out; b = body);
                node.span = f.span;
                node
            }
            _ => return Err(malformed(clause, "(test form…)")),
        };
    }
    Ok(out)
}

fn is_otherwise(f: &Form) -> bool {
    f.as_symbol().is_some_and(|s| !s.is_keyword() && (s.is("t") || s.is("otherwise")))
}

fn case(_: &mut Interp, f: &Form, a: &[Form], miss: Miss) -> Outcome {
    let [key, clauses @ ..] = a else { return Err(malformed(f, "(case key (keys form…)…)")) };
    let v = gensym("key", f);
    let mut out = match miss {
        Miss::Nil => Form::nil(f.span),
        Miss::Error => tmpl!("(error \"~s is none of the cases\" $v)", f, v = &v),
    };
    for clause in clauses.iter().rev() {
        let Some([keys, body @ ..]) = clause.as_list() else {
            return Err(malformed(f, "(case key (keys form…)…)"));
        };
        if is_otherwise(keys) && matches!(miss, Miss::Nil) {
            out = tmpl!("(progn $@b)", f; b = body);
            continue;
        }
        let tests: Vec<Form> = match keys.as_list() {
            Some(list) => list.iter().map(|k| tmpl!("(eql $v (quote $k))", f, v = &v, k = k)).collect(),
            None => vec![tmpl!("(eql $v (quote $k))", f, v = &v, k = keys)],
        };
        out = tmpl!("(if (or $@t) (progn $@b) $o)", f, o = &out; t = &tests, b = body);
    }
    Ok(tmpl!("(let (($v $k)) $o)", f, v = &v, k = key, o = &out))
}

fn typecase(_: &mut Interp, f: &Form, a: &[Form], miss: Miss) -> Outcome {
    let [key, clauses @ ..] = a else { return Err(malformed(f, "(typecase key (type form…)…)")) };
    let v = gensym("key", f);
    let mut out = match miss {
        Miss::Nil => Form::nil(f.span),
        Miss::Error => tmpl!("(error \"~s is of none of the types\" $v)", f, v = &v),
    };
    for clause in clauses.iter().rev() {
        let Some([t, body @ ..]) = clause.as_list() else {
            return Err(malformed(f, "(typecase key (type form…)…)"));
        };
        out = if is_otherwise(t) {
            tmpl!("(progn $@b)", f; b = body)
        } else {
            tmpl!("(if (typep $v (quote $t)) (progn $@b) $o)", f, v = &v, t = t, o = &out; b = body)
        };
    }
    Ok(tmpl!("(let (($v $k)) $o)", f, v = &v, k = key, o = &out))
}

fn handler_case(_: &mut Interp, f: &Form, a: &[Form]) -> Outcome {
    let shape = "(handler-case form (type ([variable]) body…)…)";
    let [form, clauses @ ..] = a else { return Err(malformed(f, shape)) };
    let (which, c) = (gensym("which", f), gensym("c", f));
    let (mut types, mut arms) = (Vec::new(), Vec::new());
    let mut no_error = None;
    for clause in clauses {
        let Some([t, params, body @ ..]) = clause.as_list() else { return Err(malformed(f, shape)) };
        if t.as_symbol().is_some_and(|s| s.is("no-error") && s.is_keyword()) {
            no_error = Some(list_at([&[lang("lambda", f), params.clone()], body].concat(), f));
            continue;
        }
        let n = Form::int(types.len() as i64, f.span);
        types.push(t.clone());
        let body = match params.as_list() {
            Some([var]) => tmpl!("(let (($v $c)) $@b)", f, v = var, c = &c; b = body),
            _ => tmpl!("(locally $@b)", f; b = body),
        };
        arms.push(tmpl!("((eql $w $n) $b)", f, w = &which, n = &n, b = &body));
    }
    let normal = match no_error {
        Some(fun) => tmpl!("(apply $f $c)", f, f = &fun, c = &c),
        None => tmpl!("(values-list $c)", f, c = &c),
    };
    let types = list_at(types, f);
    Ok(tmpl!(
        "(multiple-value-bind ($w $c) (%handler-case (lambda () $x) (quote $t)) (cond $@arms (t $n)))",
        f, w = &which, c = &c, x = form, t = &types, n = &normal; arms = &arms
    ))
}
