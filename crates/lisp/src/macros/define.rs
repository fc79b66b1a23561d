//! Definitions.

use super::{MacroFn, Outcome, destructure, gensym, list_at, malformed, tmpl};
use crate::compile::LambdaList;
use crate::error::LispError;
use crate::interp::Interp;
use crate::{Form, FormKind, Symbol};

pub(super) const MACROS: &[(&str, MacroFn)] = &[
    ("defun", defun),
    ("defmacro", defmacro),
    ("defvar", |_, f, a| variable(f, a, "defvar")),
    ("defparameter", |_, f, a| variable(f, a, "defparameter")),
    ("defglobal", |_, f, a| variable(f, a, "defparameter")),
    ("defconstant", |_, f, a| variable(f, a, "defconstant")),
    ("deftype", |_, f, a| match a {
        [name, list, body @ ..] => Ok(tmpl!("(%deftype (quote $n) (lambda $l $@b))", f, n = name, l = list; b = body)),
        _ => Err(malformed(f, "(deftype name (parameter…) body…)")),
    }),
    ("defstruct", defstruct),
    ("define-condition", define_condition),
    ("defsetf", |_, f, a| match a {
        [name, writer] | [name, writer, _] if writer.as_symbol().is_some() => {
            Ok(tmpl!("(%defsetf (quote $n) (quote $w))", f, n = name, w = writer))
        }
        _ => Err(malformed(f, "(defsetf reader writer)")),
    }),
    ("in-package", accepted),
    ("defpackage", accepted),
    ("use-package", accepted),
];

fn accepted(_: &mut Interp, f: &Form, a: &[Form]) -> Outcome {
    match a.first() {
        Some(x) => {
            let name = match &x.kind {
                FormKind::Symbol(s) => Form::str(s.name(), x.span),
                _ => x.clone(),
            };
            Ok(tmpl!("(%package $n)", f, n = &name))
        }
        None => Err(malformed(f, "(in-package name)")),
    }
}

fn doc_and_name(f: &Form, a: &[Form]) -> Result<(Form, Form), LispError> {
    let (_, doc, _) = crate::compile_split(a, true);
    Ok((doc.cloned().unwrap_or_else(|| Form::nil(f.span)), f.clone()))
}

fn defun(_: &mut Interp, f: &Form, a: &[Form]) -> Outcome {
    let shape = "(defun name (parameter…) body…)";
    let [name, list, body @ ..] = a else { return Err(malformed(f, shape)) };
    if list.as_list().is_none() {
        return Err(malformed(f, shape));
    }
    let (doc, _) = doc_and_name(f, body)?;
    let (text, block) = match (name.as_symbol(), name.as_list()) {
        (Some(s), _) if !s.is_keyword() && s.fold() != Symbol::NIL => (s.name().to_string(), name.clone()),
        (_, Some([setf, of])) if setf.as_symbol().is_some_and(|s| s.is("setf")) && of.as_symbol().is_some() => {
            (format!("(setf {of})"), of.clone())
        }
        _ => return Err(malformed(f, shape)),
    };
    let text = Form::str(text, name.span);
    Ok(tmpl!(
        "(%defun (quote $n) (%named-lambda $t $block $l $@b) $d)",
        f, n = name, t = &text, block = &block, l = list, d = &doc; b = body
    ))
}

/// The function of the whole form that a macro definition stands for.
pub(crate) fn macro_lambda(name: Symbol, list: &Form, body: &[Form], f: &Form) -> Outcome {
    let whole = gensym("whole", f);
    let args = gensym("args", f);
    let what = Form::str(format!("the call of `{name}`"), f.span);
    let mut pattern = list.clone();
    let mut bindings = Vec::new();
    // `&whole` of a macro is the whole form, with the operator.
    if let Some([w, var, rest @ ..]) = list.as_list()
        && w.as_symbol().is_some_and(|s| s.fold() == Symbol::AND_WHOLE)
    {
        bindings.push(list_at(vec![var.clone(), whole.clone()], f));
        pattern = list_at(rest.to_vec(), list);
    }
    LambdaList::parse(&pattern, true)?;
    bindings.push(tmpl!("($a (cdr $w))", f, a = &args, w = &whole));
    if pattern.is_nil() {
        let t = gensym("check", f);
        let text = Form::str("()", f.span);
        bindings.push(tmpl!("($t (%no-more $v $w $p $v))", f, t = &t, v = &args, w = &what, p = &text));
    } else {
        destructure::bind(&pattern, &args, &what, &mut bindings, 0)?;
    }
    let text = Form::str(name.name(), f.span);
    let block = Form::symbol(name, f.span);
    let (declarations, _, forms) = crate::compile_split(body, true);
    let declarations: Vec<Form> = declarations.into_iter().cloned().collect();
    Ok(tmpl!(
        "(%named-lambda $t nil ($whole) (let* ($@b) $@d (block $n $@forms)))",
        f, t = &text, n = &block, whole = &whole; b = &bindings, d = &declarations, forms = forms
    ))
}

fn defmacro(_: &mut Interp, f: &Form, a: &[Form]) -> Outcome {
    let shape = "(defmacro name (parameter…) body…)";
    let [name, list, body @ ..] = a else { return Err(malformed(f, shape)) };
    let symbol = name.as_symbol().filter(|s| !s.is_keyword()).ok_or_else(|| malformed(f, shape))?;
    let (doc, _) = doc_and_name(f, body)?;
    let function = macro_lambda(symbol, list, body, f)?;
    Ok(tmpl!("(%defmacro (quote $n) $f $d)", f, n = name, f = &function, d = &doc))
}

fn variable(f: &Form, a: &[Form], kind: &str) -> Outcome {
    let must_have_value = kind != "defvar";
    let shape = if must_have_value {
        format!("({kind} name value [documentation])")
    } else {
        format!("({kind} name [value [documentation]])")
    };
    let [name, rest @ ..] = a else { return Err(malformed(f, &shape)) };
    if name.as_symbol().is_none_or(|s| s.is_keyword()) || rest.len() > 2 || (must_have_value && rest.is_empty()) {
        return Err(malformed(f, &shape));
    }
    let kind = Form::symbol(Symbol::keyword(kind), f.span);
    let doc = rest.get(1).cloned().unwrap_or_else(|| Form::nil(f.span));
    Ok(match rest.first() {
        Some(v) => tmpl!("(%defvar (quote $n) $k (lambda () $v) $d)", f, n = name, k = &kind, v = v, d = &doc),
        None => tmpl!("(%defvar (quote $n) $k nil $d)", f, n = name, k = &kind, d = &doc),
    })
}

fn defstruct(_: &mut Interp, f: &Form, a: &[Form]) -> Outcome {
    let shape = "(defstruct name slot…)";
    let [head, slots @ ..] = a else { return Err(malformed(f, shape)) };
    let name = head.as_symbol().or_else(|| head.head()).ok_or_else(|| malformed(f, shape))?;
    let options = if head.as_symbol().is_some() { &[] } else { head.as_list().and_then(|l| l.get(1..)).unwrap_or(&[]) };
    let slots = if slots.first().is_some_and(|s| s.as_str().is_some()) { &slots[1..] } else { slots };
    let at = |s: Symbol| Form::symbol(s, f.span);
    let (mut prefix, mut maker, mut include) = (format!("{name}-"), Some(format!("make-{name}")), Form::nil(f.span));
    let mut copier = Some(format!("copy-{name}"));
    let mut predicate = Some(format!("{name}-p"));
    for o in options {
        let (key, arg) = match o.as_list() {
            Some([k, rest @ ..]) => (k.as_symbol(), rest.first()),
            _ => (o.as_symbol(), None),
        };
        let text = arg
            .and_then(Form::as_symbol)
            .map(|s| if s.fold() == Symbol::NIL { String::new() } else { s.name().to_string() });
        let set = |t: &Option<String>| t.clone().filter(|t| !t.is_empty());
        match key.map(Symbol::name) {
            Some("conc-name") => prefix = text.unwrap_or_default(),
            Some("constructor") if text.is_some() => maker = set(&text),
            Some("copier") if text.is_some() => copier = set(&text),
            Some("predicate") if text.is_some() => predicate = set(&text),
            Some("include") => include = arg.cloned().unwrap_or_else(|| Form::nil(f.span)),
            _ => {}
        }
    }
    let mut names = Vec::new();
    let mut defaults = Vec::new();
    for s in slots {
        let (slot, default) = match s.as_list() {
            Some([slot, default, ..]) => (slot, default.clone()),
            Some([slot]) => (slot, Form::nil(s.span)),
            _ => (s, Form::nil(s.span)),
        };
        slot.as_symbol().ok_or_else(|| malformed(f, shape))?;
        names.push(slot.clone());
        defaults.push(tmpl!("(lambda () $d)", f, d = &default));
    }
    let text = |t: &Option<String>| t.as_ref().map_or_else(|| Form::nil(f.span), |t| Form::str(t.as_str(), f.span));
    let prefix = Form::str(prefix, f.span);
    Ok(tmpl!(
        "(%defstruct (quote $n) (quote $i) $p $m $c $q (quote ($@s)) $@d)",
        f, n = &at(name), i = &include, p = &prefix, m = &text(&maker), c = &text(&copier), q = &text(&predicate); s = &names, d = &defaults
    ))
}

fn define_condition(_: &mut Interp, f: &Form, a: &[Form]) -> Outcome {
    let shape = "(define-condition name (parent…) (slot…) option…)";
    let [name, parents, slots, options @ ..] = a else { return Err(malformed(f, shape)) };
    name.as_symbol().ok_or_else(|| malformed(f, shape))?;
    let mut specs = Vec::new();
    for s in slots.as_list().ok_or_else(|| malformed(f, shape))? {
        let (slot, props) = match s.as_list() {
            Some([slot, props @ ..]) => (slot, props),
            _ => (s, &[][..]),
        };
        let mut readers = Vec::new();
        let mut initform = Form::nil(f.span);
        for pair in props.chunks(2) {
            let [k, v] = pair else { continue };
            match k.as_symbol().map(Symbol::name) {
                Some("reader" | "accessor") => readers.push(v.clone()),
                Some("initform") => initform = tmpl!("(lambda () $v)", f, v = v),
                _ => {}
            }
        }
        specs.push(tmpl!("(list (quote $s) (quote ($@r)) $i)", f, s = slot, i = &initform; r = &readers));
    }
    let report = options.iter().find(|o| o.is_call("report")).and_then(|o| o.as_list().and_then(|l| l.get(1)).cloned());
    let report = match report {
        Some(r) if r.as_symbol().is_some() => tmpl!("(function $r)", f, r = &r),
        Some(r) => r,
        None => Form::nil(f.span),
    };
    Ok(tmpl!("(%define-condition (quote $n) (quote $p) $r $@s)", f, n = name, p = parents, r = &report; s = &specs))
}
