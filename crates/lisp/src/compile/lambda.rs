//! Lambda lists.

use super::node::{Binding, Default, Lambda, Node, NodeKind, Var};
use super::scope::{Cx, Entry};
use crate::code::Params;
use crate::error::LispError;
use crate::{Form, FormKind, Symbol, Value};

/// A parameter that may be missing.
#[derive(Debug)]
pub(crate) struct Optional {
    pub(crate) keyword: Option<Symbol>,
    pub(crate) pattern: Form,
    pub(crate) default: Option<Form>,
    pub(crate) supplied: Option<Form>,
}

/// A lambda list taken apart. Patterns are symbols, or lists for macros.
#[derive(Debug, Default)]
pub(crate) struct LambdaList {
    pub(crate) whole: Option<Form>,
    pub(crate) environment: Option<Form>,
    pub(crate) required: Vec<Form>,
    pub(crate) optional: Vec<Optional>,
    pub(crate) rest: Option<Form>,
    pub(crate) has_keys: bool,
    pub(crate) keys: Vec<Optional>,
    pub(crate) allow_other_keys: bool,
    pub(crate) aux: Vec<(Form, Option<Form>)>,
}

impl std::default::Default for Optional {
    fn default() -> Optional {
        Optional { keyword: None, pattern: Form::nil(whistler_diag::Span::NONE), default: None, supplied: None }
    }
}

fn bad(at: &Form, message: impl Into<String>) -> LispError {
    LispError::malformed(at.span, message).at_form(at)
}

fn optional(form: &Form, keys: bool) -> Result<Optional, LispError> {
    let keyword_of = |s: Symbol| Symbol::keyword(s.name());
    match form.as_list() {
        Some(parts) if form.as_symbol().is_none_or(|s| s.fold() != Symbol::NIL) => {
            let (first, rest) = parts.split_first().ok_or_else(|| bad(form, "an empty parameter"))?;
            let (keyword, pattern) = match first.as_list() {
                Some([key, var]) if keys => (key.as_symbol(), var.clone()),
                _ => (first.as_symbol().filter(|_| keys).map(keyword_of), first.clone()),
            };
            if keys && keyword.is_none() {
                return Err(bad(form, "a keyword parameter needs a name"));
            }
            if rest.len() > 2 {
                return Err(bad(form, "a parameter has at most a name, a default and a supplied-p variable"));
            }
            Ok(Optional { keyword, pattern, default: rest.first().cloned(), supplied: rest.get(1).cloned() })
        }
        _ => {
            let s = form.as_symbol().ok_or_else(|| bad(form, format!("`{form}` can't be a parameter")))?;
            Ok(Optional { keyword: keys.then(|| keyword_of(s)), pattern: form.clone(), default: None, supplied: None })
        }
    }
}

impl LambdaList {
    /// Takes a lambda list apart; `destructuring` allows lists as parameters, and a dotted end.
    pub(crate) fn parse(form: &Form, destructuring: bool) -> Result<LambdaList, LispError> {
        let (items, tail): (&[Form], Option<&Form>) = match &form.kind {
            FormKind::Dotted(items, tail) if destructuring => (items, Some(tail)),
            _ => (form.as_list().ok_or_else(|| bad(form, format!("`{form}` is not a list of parameters")))?, None),
        };
        let mut out = LambdaList::default();
        let mut mode = Symbol::NIL;
        let mut items = items.iter();
        while let Some(item) = items.next() {
            let symbol = item.as_symbol().map(|s| s.fold().unqualified());
            if let Some(s) = symbol.filter(|s| s.name().starts_with('&') && s.name().len() > 1) {
                match s {
                    Symbol::AND_WHOLE => {
                        out.whole = Some(items.next().ok_or_else(|| bad(item, "`&whole` needs a name"))?.clone())
                    }
                    Symbol::AND_ENVIRONMENT => {
                        out.environment =
                            Some(items.next().ok_or_else(|| bad(item, "`&environment` needs a name"))?.clone());
                    }
                    Symbol::AND_REST | Symbol::AND_BODY => {
                        out.rest = Some(items.next().ok_or_else(|| bad(item, format!("`{s}` needs a name")))?.clone());
                        mode = Symbol::AND_REST;
                    }
                    Symbol::AND_KEY => {
                        out.has_keys = true;
                        mode = s;
                    }
                    Symbol::AND_ALLOW => out.allow_other_keys = true,
                    Symbol::AND_OPTIONAL | Symbol::AND_AUX => mode = s,
                    _ => return Err(bad(item, format!("there is no `{s}` in a list of parameters"))),
                }
                continue;
            }
            match mode {
                Symbol::NIL => {
                    let ok = match &item.kind {
                        FormKind::Symbol(s) => !s.is_keyword(),
                        FormKind::List(_) | FormKind::Dotted(..) => destructuring,
                        _ => false,
                    };
                    if !ok {
                        return Err(bad(item, format!("`{item}` can't be a parameter")));
                    }
                    out.required.push(item.clone());
                }
                Symbol::AND_OPTIONAL => out.optional.push(optional(item, false)?),
                Symbol::AND_KEY => out.keys.push(optional(item, true)?),
                Symbol::AND_AUX => {
                    let o = optional(item, false)?;
                    out.aux.push((o.pattern, o.default));
                }
                _ => return Err(bad(item, format!("`{item}` can't stand after the rest parameter"))),
            }
        }
        if let Some(tail) = tail {
            out.rest = Some(tail.clone());
        }
        Ok(out)
    }
}

/// Splits a body into its declarations, documentation and forms.
pub(crate) fn split_body(body: &[Form], docs: bool) -> (Vec<&Form>, Option<&Form>, &[Form]) {
    let mut declarations = Vec::new();
    let mut doc = None;
    let mut rest = body;
    while let Some((first, after)) = rest.split_first() {
        if first.is_call("declare") {
            declarations.push(first);
        } else if docs && doc.is_none() && first.as_str().is_some() && !after.is_empty() {
            doc = Some(first);
        } else {
            break;
        }
        rest = after;
    }
    (declarations, doc, rest)
}

/// The names that declarations make special.
pub(crate) fn declared_special(declarations: &[&Form]) -> Vec<Symbol> {
    declarations
        .iter()
        .flat_map(|d| d.as_list().unwrap_or(&[]).iter().skip(1))
        .filter(|spec| spec.is_call("special"))
        .flat_map(|spec| spec.as_list().unwrap_or(&[]).iter().skip(1).filter_map(Form::as_symbol))
        .collect()
}

impl Cx<'_> {
    fn parameter(
        &mut self,
        form: &Form,
        vars: &mut Vec<std::rc::Rc<Var>>,
        specials: &mut Vec<(std::rc::Rc<Var>, Symbol)>,
    ) -> Result<std::rc::Rc<Var>, LispError> {
        let name = form.as_symbol().ok_or_else(|| bad(form, format!("`{form}` can't be a parameter of a function")))?;
        check_bindable(name, form)?;
        let var = Var::new(self.level);
        vars.push(var.clone());
        if self.is_special(name) {
            specials.push((var.clone(), name));
            self.env.push(Entry::Special(name));
        } else {
            self.env.push(Entry::Var(name, var.clone()));
        }
        Ok(var)
    }

    /// A function: `name` is for messages, `block` the name its body can be left by.
    pub(crate) fn lambda(
        &mut self,
        name: String,
        list: &Form,
        body: &[Form],
        at: &Form,
        block: Option<Symbol>,
    ) -> Result<Node, LispError> {
        let parsed = LambdaList::parse(list, false)?;
        let scope = self.env.len();
        self.level += 1;
        let result = self.lambda_inner(name, list, parsed, body, at, block);
        self.level -= 1;
        self.env.truncate(scope);
        result
    }

    fn lambda_inner(
        &mut self,
        name: String,
        list: &Form,
        parsed: LambdaList,
        body: &[Form],
        at: &Form,
        block: Option<Symbol>,
    ) -> Result<Node, LispError> {
        let (mut vars, mut specials, mut defaults) = (Vec::new(), Vec::new(), Vec::new());
        let mut params = Params {
            required: parsed.required.len() as u32,
            optional: parsed.optional.len() as u32,
            rest: parsed.rest.is_some(),
            keys: parsed.has_keys.then(|| parsed.keys.iter().filter_map(|k| k.keyword).collect()),
            allow_other_keys: parsed.allow_other_keys,
        };
        if params.keys.is_some() && parsed.keys.len() != params.keys.as_ref().map_or(0, Vec::len) {
            params.keys = Some(Vec::new());
        }
        for p in &parsed.required {
            self.parameter(p, &mut vars, &mut specials)?;
        }
        let mut missing: Vec<(&Optional, usize)> = Vec::new();
        // Slots are in the machine's order (required, optional, rest, keys); defaults are evaluated left to right.
        for o in &parsed.optional {
            self.optional_parameter(o, &mut vars, &mut specials, &mut defaults)?;
            missing.push((o, vars.len() - 1));
        }
        if let Some(rest) = &parsed.rest {
            self.parameter(rest, &mut vars, &mut specials)?;
        }
        for k in &parsed.keys {
            self.optional_parameter(k, &mut vars, &mut specials, &mut defaults)?;
        }
        let (declarations, _, forms) = split_body(body, true);
        for s in declared_special(&declarations) {
            self.env.push(Entry::Special(s));
        }
        let mut forms: Vec<Form> = forms.to_vec();
        if let Some(block) = block {
            let mut items = vec![Form::symbol(Symbol::cl("block"), at.span), Form::symbol(block, at.span)];
            items.append(&mut forms);
            forms = vec![Form::list(items, at.span).with_origin(at.origin.clone())];
        }
        if !parsed.aux.is_empty() {
            let bindings = parsed
                .aux
                .iter()
                .map(|(p, d)| Form::list(vec![p.clone(), d.clone().unwrap_or_else(|| Form::nil(p.span))], p.span))
                .collect::<Vec<_>>();
            let mut items = vec![Form::symbol(Symbol::cl("let*"), at.span), Form::list(bindings, list.span)];
            items.append(&mut forms);
            forms = vec![Form::list(items, at.span)];
        }
        let body = self.body(&forms, at)?;
        let lambda = Lambda {
            name,
            lambda_list: super::short(list).replace("nil", "()"),
            level: self.level,
            params,
            vars,
            defaults,
            specials,
            body,
            span: at.span,
        };
        Ok(Node::new(NodeKind::Lambda(lambda.into()), at))
    }

    fn optional_parameter(
        &mut self,
        o: &Optional,
        vars: &mut Vec<std::rc::Rc<Var>>,
        specials: &mut Vec<(std::rc::Rc<Var>, Symbol)>,
        defaults: &mut Vec<Default>,
    ) -> Result<(), LispError> {
        let value = match &o.default {
            Some(f) => self.form(f)?,
            None => Node::new(NodeKind::Const(Value::NIL), &o.pattern),
        };
        let var = self.parameter(&o.pattern, vars, specials)?;
        let supplied = match &o.supplied {
            Some(s) => {
                let name = s.as_symbol().ok_or_else(|| bad(s, "a supplied-p variable is a symbol"))?;
                let sup = Var::new(self.level);
                self.env.push(Entry::Var(name, sup.clone()));
                Some(sup)
            }
            None => None,
        };
        defaults.push(Default { var, value, supplied });
        Ok(())
    }

    /// A binding of a name by `let` and the like.
    pub(crate) fn bind(&mut self, name: Symbol, at: &Form, special: &[Symbol]) -> Result<Binding, LispError> {
        check_bindable(name, at)?;
        if special.contains(&name) || self.is_special(name) {
            let name = self.i.resolve_variable(name).unwrap_or(name);
            self.env.push(Entry::Special(name));
            return Ok(Binding::Special(name));
        }
        let var = Var::new(self.level);
        self.env.push(Entry::Var(name, var.clone()));
        Ok(Binding::Lexical(var))
    }
}

fn check_bindable(name: Symbol, at: &Form) -> Result<(), LispError> {
    if name.is_keyword() || matches!(name, Symbol::NIL | Symbol::T) {
        return Err(bad(at, format!("`{name}` is a constant and can't be bound")));
    }
    Ok(())
}
