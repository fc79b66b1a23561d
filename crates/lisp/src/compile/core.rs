//! The special operators of the language: what everything else expands into.

use std::rc::Rc;

use super::lambda::{LambdaList, declared_special, split_body};
use super::node::{Binding, Exit, Node, NodeKind, TagItem, Var};
use super::scope::{Cx, Entry, VarRef};
use super::{CoreOperator, short};
use crate::error::LispError;
use crate::interp::Macro;
use crate::{Form, FormKind, Symbol, Value};

type Outcome = Result<Node, LispError>;

/// Every special operator with what resolves it.
pub(crate) const CORE: &[(&str, CoreOperator)] = &[
    ("quote", quote),
    ("function", function),
    ("lambda", lambda),
    ("%named-lambda", named_lambda),
    ("if", if_),
    ("progn", progn),
    ("locally", locally),
    ("and", and),
    ("or", or),
    ("let", let_),
    ("let*", let_star),
    ("setq", setq),
    ("block", block),
    ("return-from", return_from),
    ("return", return_),
    ("tagbody", tagbody),
    ("go", go),
    ("catch", catch),
    ("flet", flet),
    ("labels", labels),
    ("macrolet", macrolet),
    ("symbol-macrolet", symbol_macrolet),
    ("multiple-value-list", values_list),
    ("multiple-value-bind", values_bind),
    ("the", the),
    ("declare", declare),
    ("declaim", nothing),
    ("proclaim", nothing),
];

fn wrong(form: &Form, shape: &str) -> LispError {
    LispError::malformed(form.span, format!("malformed `{}`", form.head().map_or("form", Symbol::name)))
        .help(format!("it is written `{shape}`"))
}

fn name_of(form: &Form, what: &str) -> Result<Symbol, LispError> {
    form.as_symbol().ok_or_else(|| LispError::malformed(form.span, format!("`{}` can't be {what}", short(form))))
}

fn quote(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    match args {
        [x] => cx.constant(x),
        _ => Err(wrong(form, "(quote datum)")),
    }
}

fn function(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let [f] = args else { return Err(wrong(form, "(function name)")) };
    if let Some(s) = f.as_symbol() {
        if let Some(v) = cx.local_function(s) {
            return Ok(Node::new(NodeKind::Var(v), form));
        }
        return Ok(Node::new(NodeKind::Function(s), form));
    }
    match f.as_list() {
        Some([setf, name]) if setf.as_symbol().is_some_and(|s| s.is("setf")) => {
            let name = name_of(name, "a function's name")?;
            Ok(Node::new(NodeKind::Function(cx.i.setf_name(name)), form))
        }
        _ if f.is_call("lambda") => cx.form(f),
        _ => Err(wrong(form, "(function name) or (function (lambda …))")),
    }
}

fn lambda(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let Some((list, body)) = args.split_first() else { return Err(wrong(form, "(lambda (parameter…) body…)")) };
    cx.lambda(String::new(), list, body, form, None)
}

/// `(%named-lambda name block-name lambda-list body…)`
fn named_lambda(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let [name, block, list, body @ ..] = args else {
        return Err(wrong(form, "(%named-lambda name block (parameter…) body…)"));
    };
    let name = name.as_str().map_or_else(|| name.to_string(), str::to_string);
    cx.lambda(name, list, body, form, block.as_symbol().filter(|b| b.fold() != Symbol::NIL))
}

fn if_(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let (test, then, other) = match args {
        [test, then] => (test, then, None),
        [test, then, other] => (test, then, Some(other)),
        _ => return Err(wrong(form, "(if test then [else])")),
    };
    let test = cx.form(test)?;
    let then = cx.form(then)?;
    let other = match other {
        Some(f) => cx.form(f)?,
        None => Node::new(NodeKind::Const(Value::NIL), form),
    };
    Ok(Node::new(NodeKind::If(Box::new([test, then, other])), form))
}

fn progn(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    cx.body(args, form)
}

fn locally(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let (declarations, _, rest) = split_body(args, false);
    let scope = cx.env.len();
    cx.env.extend(declared_special(&declarations).into_iter().map(Entry::Special));
    let body = cx.body(rest, form);
    cx.env.truncate(scope);
    body
}

fn and(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    match args {
        [] => Ok(Node::new(NodeKind::Const(Value::T), form)),
        [one] => cx.form(one),
        _ => Ok(Node::new(NodeKind::And(cx.arguments(args)?), form)),
    }
}

fn or(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    match args {
        [] => Ok(Node::new(NodeKind::Const(Value::NIL), form)),
        [one] => cx.form(one),
        _ => Ok(Node::new(NodeKind::Or(cx.arguments(args)?), form)),
    }
}

/// A binding of `let`: the name and what it is bound to.
fn binding(form: &Form) -> Result<(&Form, Symbol, Option<&Form>), LispError> {
    match form.as_list() {
        Some([name]) => Ok((name, name_of(name, "a variable")?, None)),
        Some([name, init]) => Ok((name, name_of(name, "a variable")?, Some(init))),
        _ => match form.as_symbol() {
            Some(s) => Ok((form, s, None)),
            None => Err(LispError::malformed(form.span, format!("`{}` is not a binding", short(form)))
                .help("a binding is written `(name value)`")),
        },
    }
}

fn bindings<'f>(form: &Form, args: &'f [Form]) -> Result<(&'f [Form], &'f [Form]), LispError> {
    let shape = "(let ((name value)…) body…)";
    let (list, body) = args.split_first().ok_or_else(|| wrong(form, shape))?;
    Ok((list.as_list().ok_or_else(|| wrong(form, shape).at_form(list))?, body))
}

fn init(cx: &mut Cx<'_>, form: Option<&Form>, at: &Form) -> Outcome {
    match form {
        Some(f) => cx.form(f),
        None => Ok(Node::new(NodeKind::Const(Value::NIL), at)),
    }
}

fn let_(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let (list, body) = bindings(form, args)?;
    let (declarations, _, rest) = split_body(body, false);
    let special = declared_special(&declarations);
    let scope = cx.env.len();
    let mut nodes = Vec::new();
    let mut names = Vec::new();
    for b in list {
        let (at, name, value) = binding(b)?;
        nodes.push(init(cx, value, b)?);
        names.push((at, name));
    }
    let mut bound = Vec::new();
    for ((at, name), node) in names.into_iter().zip(nodes) {
        bound.push((cx.bind(name, at, &special)?, node));
    }
    cx.env.extend(special.into_iter().map(Entry::Special));
    let body = cx.body(rest, form);
    cx.env.truncate(scope);
    Ok(Node::new(NodeKind::Let(bound, Box::new(body?)), form))
}

fn let_star(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let (list, body) = bindings(form, args)?;
    let (declarations, _, rest) = split_body(body, false);
    let special = declared_special(&declarations);
    let scope = cx.env.len();
    let result = (|| {
        let mut bound = Vec::new();
        for b in list {
            let (at, name, value) = binding(b)?;
            let node = init(cx, value, b)?;
            bound.push((cx.bind(name, at, &special)?, node));
        }
        cx.env.extend(special.iter().copied().map(Entry::Special));
        Ok((bound, cx.body(rest, form)?))
    })();
    cx.env.truncate(scope);
    let (bound, body) = result?;
    Ok(Node::new(NodeKind::LetStar(bound, Box::new(body)), form))
}

fn setq(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let mut nodes = Vec::new();
    if !args.len().is_multiple_of(2) {
        return Err(wrong(form, "(setq name value …)"));
    }
    for pair in args.chunks_exact(2) {
        let name = name_of(&pair[0], "assigned by `setq`")?;
        if name.is_keyword() || matches!(name.fold(), Symbol::NIL) {
            return Err(LispError::malformed(pair[0].span, format!("`{name}` is a constant and can't be assigned")));
        }
        let kind = match cx.variable(name) {
            Some(VarRef::Lexical(v)) => {
                let value = cx.form(&pair[1])?;
                v.assigned.set(true);
                NodeKind::SetVar(v, Box::new(value))
            }
            Some(VarRef::Special(s)) => NodeKind::SetGlobal(s, Box::new(cx.form(&pair[1])?)),
            Some(VarRef::Macro(place)) => {
                let setf =
                    Form::list(vec![Form::symbol(Symbol::cl("setf"), form.span), place, pair[1].clone()], form.span);
                nodes.push(cx.form(&setf)?);
                continue;
            }
            None => NodeKind::SetGlobal(name.unqualified(), Box::new(cx.form(&pair[1])?)),
        };
        nodes.push(Node::new(kind, form));
    }
    Ok(match nodes.len() {
        0 => Node::new(NodeKind::Const(Value::NIL), form),
        1 => nodes.remove(0),
        _ => Node::new(NodeKind::Progn(nodes), form),
    })
}

fn block(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let Some((name, body)) = args.split_first() else { return Err(wrong(form, "(block name body…)")) };
    let name = name_of(name, "a block's name")?;
    let name = if name.fold() == Symbol::NIL { Symbol::NIL } else { name };
    let exit = Exit::new(cx.level);
    cx.env.push(Entry::Block(name, exit.clone()));
    let body = cx.body(body, form);
    cx.env.pop();
    Ok(Node::new(NodeKind::Block(exit, Box::new(body?)), form))
}

fn leave(cx: &mut Cx<'_>, form: &Form, name: Symbol, value: Option<&Form>) -> Outcome {
    let name = if name.fold() == Symbol::NIL { Symbol::NIL } else { name };
    let Some(exit) = cx.block(name) else {
        return Err(LispError::malformed(form.span, format!("there is no block `{name}` around this form")).help(
            "`return` leaves `dolist`, `dotimes`, `do`, `loop` or `(block nil …)`; `return-from` a block by its name; in a form that a macro gives back, it stands behind a backquote",
        ));
    };
    let value = init(cx, value, form)?;
    Ok(Node::new(NodeKind::ReturnFrom(exit, Box::new(value)), form))
}

fn return_from(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    match args {
        [name] => leave(cx, form, name_of(name, "a block's name")?, None),
        [name, value] => leave(cx, form, name_of(name, "a block's name")?, Some(value)),
        _ => Err(wrong(form, "(return-from name [value])")),
    }
}

fn return_(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    match args {
        [] => leave(cx, form, Symbol::NIL, None),
        [value] => leave(cx, form, Symbol::NIL, Some(value)),
        _ => Err(wrong(form, "(return [value])")),
    }
}

fn tag_value(form: &Form) -> Option<Value> {
    match form.kind {
        FormKind::Symbol(s) => Some(Value::Symbol(s)),
        FormKind::Int(i) => Some(Value::Int(i)),
        _ => None,
    }
}

fn tagbody(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let exit = Exit::new(cx.level);
    let scope = cx.env.len();
    let mut count = 0;
    for tag in args.iter().filter_map(tag_value) {
        cx.env.push(Entry::Tag(tag, exit.clone(), count));
        count += 1;
    }
    let mut items = Vec::new();
    let mut next = 0;
    for arg in args {
        if tag_value(arg).is_some() {
            items.push(TagItem::Tag(next));
            next += 1;
        } else {
            match cx.form(arg) {
                Ok(node) => items.push(TagItem::Form(node)),
                Err(e) => {
                    cx.env.truncate(scope);
                    return Err(e);
                }
            }
        }
    }
    cx.env.truncate(scope);
    Ok(Node::new(NodeKind::Tagbody(exit, count, items), form))
}

fn go(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let tag = match args {
        [tag] => tag_value(tag),
        _ => None,
    };
    let tag = tag.ok_or_else(|| wrong(form, "(go tag)"))?;
    match cx.tag(tag) {
        Some((exit, i)) => Ok(Node::new(NodeKind::Go(exit, i), form)),
        None => Err(LispError::malformed(form.span, format!("there is no tag `{}` around this form", args[0]))),
    }
}

fn catch(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let Some((tag, body)) = args.split_first() else { return Err(wrong(form, "(catch tag body…)")) };
    let tag = cx.form(tag)?;
    let body = cx.body(body, form)?;
    Ok(Node::new(NodeKind::Catch(Box::new(tag), Box::new(body)), form))
}

/// The name, parameters and body of a local function.
fn local_definition(form: &Form) -> Result<(Symbol, &Form, &[Form]), LispError> {
    match form.as_list() {
        Some([name, list, body @ ..]) => Ok((name_of(name, "a function's name")?, list, body)),
        _ => Err(LispError::malformed(form.span, format!("`{}` is not a definition", short(form)))
            .help("a local function is written `(name (parameter…) body…)`")),
    }
}

fn flet(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let (list, body) = bindings(form, args)?;
    let mut bound = Vec::new();
    for f in list {
        let (name, params, fbody) = local_definition(f)?;
        let node = cx.lambda(name.name().to_string(), params, fbody, f, Some(name))?;
        bound.push((name, node));
    }
    let scope = cx.env.len();
    let mut nodes = Vec::new();
    for (name, node) in bound {
        let var = Var::new(cx.level);
        cx.env.push(Entry::Function(name, var.clone()));
        nodes.push((Binding::Lexical(var), node));
    }
    let body = locally(cx, form, body);
    cx.env.truncate(scope);
    Ok(Node::new(NodeKind::Let(nodes, Box::new(body?)), form))
}

fn labels(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let (list, body) = bindings(form, args)?;
    let scope = cx.env.len();
    let mut vars = Vec::new();
    for f in list {
        let (name, _, _) = local_definition(f)?;
        let var = Var::new(cx.level);
        // The closures are made after the variables, which they may refer to.
        var.assigned.set(true);
        cx.env.push(Entry::Function(name, var.clone()));
        vars.push(var);
    }
    let result = (|| {
        let mut nodes = Vec::new();
        for (f, var) in list.iter().zip(&vars) {
            let (name, params, fbody) = local_definition(f)?;
            let node = cx.lambda(name.name().to_string(), params, fbody, f, Some(name))?;
            nodes.push(Node::new(NodeKind::SetVar(var.clone(), Box::new(node)), f));
        }
        nodes.push(locally(cx, form, body)?);
        Ok(nodes)
    })();
    cx.env.truncate(scope);
    let nodes = result?;
    let empty = vars.into_iter().map(|v| (Binding::Lexical(v), Node::new(NodeKind::Const(Value::NIL), form))).collect();
    let body = Node::new(NodeKind::Progn(nodes), form);
    Ok(Node::new(NodeKind::Let(empty, Box::new(body)), form))
}

fn macrolet(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let (list, body) = bindings(form, args)?;
    let scope = cx.env.len();
    let result = (|| {
        for f in list {
            let (name, params, fbody) = local_definition(f)?;
            let expander = crate::macros::macro_lambda(name, params, fbody, f)?;
            // Its body runs at compile time, so it sees the global environment only.
            let function = cx.i.eval_inner(&expander)?;
            let root = cx.i.heap.root(function);
            cx.env.push(Entry::Macro(name, Rc::new(Macro { name, expander: root, library: false })));
        }
        locally(cx, form, body)
    })();
    cx.env.truncate(scope);
    result
}

fn symbol_macrolet(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let (list, body) = bindings(form, args)?;
    let scope = cx.env.len();
    for b in list {
        let (_, name, value) = binding(b)?;
        let value = value.cloned().unwrap_or_else(|| Form::nil(b.span));
        cx.env.push(Entry::SymbolMacro(name, value));
    }
    let body = locally(cx, form, body);
    cx.env.truncate(scope);
    body
}

fn values_list(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let [x] = args else { return Err(wrong(form, "(multiple-value-list form)")) };
    let x = cx.form(x)?;
    Ok(Node::new(NodeKind::ValuesList(Box::new(x)), form))
}

fn values_bind(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    let [names, values, body @ ..] = args else {
        return Err(wrong(form, "(multiple-value-bind (name…) form body…)"));
    };
    let values = cx.form(values)?;
    let names = LambdaList::parse(names, false)?;
    let scope = cx.env.len();
    let mut vars = Vec::new();
    let mut special = Vec::new();
    for f in &names.required {
        let name = name_of(f, "a variable")?;
        let var = Var::new(cx.level);
        if cx.is_special(name) {
            cx.env.push(Entry::Special(name));
            special.push((Binding::Special(name), Node::new(NodeKind::Var(var.clone()), f)));
        } else {
            cx.env.push(Entry::Var(name, var.clone()));
        }
        vars.push(var);
    }
    let body = locally(cx, form, body);
    cx.env.truncate(scope);
    let mut body = body?;
    if !special.is_empty() {
        body = Node::new(NodeKind::Let(special, Box::new(body)), form);
    }
    Ok(Node::new(NodeKind::ValuesBind(vars, Box::new(values), Box::new(body)), form))
}

fn the(cx: &mut Cx<'_>, form: &Form, args: &[Form]) -> Outcome {
    match args {
        [_, x] => cx.form(x),
        _ => Err(wrong(form, "(the type form)")),
    }
}

fn declare(_: &mut Cx<'_>, form: &Form, _: &[Form]) -> Outcome {
    Err(LispError::malformed(form.span, "a declaration can't stand here")
        .help("it stands first in a body, before any form"))
}

fn nothing(_: &mut Cx<'_>, form: &Form, _: &[Form]) -> Outcome {
    Ok(Node::new(NodeKind::Const(Value::NIL), form))
}
