//! Forms into code for the stack machine: first into a tree in which every name
//! is resolved and it is known which variables closures share ([`node`]), then
//! into instructions ([`emit`]). Invariant: recursion is guarded by the stack budget.

mod core;
mod emit;
mod lambda;
mod node;
mod scope;

use std::rc::Rc;

pub(crate) use self::core::CORE;
pub(crate) use lambda::{LambdaList, split_body};
pub(crate) use node::{Node, NodeKind};
pub(crate) use scope::{Cx, Visible};

use crate::error::LispError;
use crate::heap::{Closure, Object};
use crate::interp::{Environment, Interp, Operator};
use crate::{Form, FormKind, Symbol, Value};

/// A special operator of the language itself.
pub(crate) type CoreOperator = fn(&mut Cx<'_>, &Form, &[Form]) -> Result<Node, LispError>;

/// Expansions of one form in a row.
const EXPANSIONS_IN_A_ROW: u32 = 1000;
/// Nested expansions from which on a used up stack is blamed on them.
const EXPANSIONS_THAT_EXHAUST: u32 = 40;
/// Expansions in one top-level form.
const EXPANSIONS_IN_ALL: u32 = 200_000;

impl Interp {
    /// A form as a function of no arguments, in the lexical environment of a special form.
    pub(crate) fn compile_form(&mut self, form: &Form, environment: &Environment) -> Result<Value, LispError> {
        let mut cx = Cx::new(self);
        let outer = cx.open_environment(environment);
        let lambda = cx.thunk(form)?;
        let (code, captures) = emit::emit_lambda(&mut cx, &lambda);
        let captured: Option<Vec<Value>> = captures
            .iter()
            .map(|v| outer.iter().position(|o| Rc::ptr_eq(o, v)).map(|i| environment.values[i].get()))
            .collect();
        let Some(captured) = captured else {
            return Err(LispError::malformed(form.span, "this form refers to something outside of itself"));
        };
        Ok(self.heap.alloc(Object::Closure(Closure { code, captured: captured.into() })))
    }
}

impl Cx<'_> {
    /// Resolves a form.
    pub(crate) fn form(&mut self, form: &Form) -> Result<Node, LispError> {
        self.i.check_stack().map_err(|e| e.at_form(form))?;
        match &form.kind {
            FormKind::Symbol(s) => self.symbol(*s, form),
            FormKind::List(items) => match items.split_first() {
                None => Ok(Node::new(NodeKind::Const(Value::NIL), form)),
                Some((head, args)) => self.list(form, head, args),
            },
            FormKind::Dotted(..) => {
                Err(LispError::malformed(form.span, "a form to evaluate can't end in a dotted pair").at_form(form))
            }
            _ => self.constant(form),
        }
    }

    /// Several forms in a row, with the value of the last.
    pub(crate) fn body(&mut self, forms: &[Form], at: &Form) -> Result<Node, LispError> {
        match forms {
            [] => Ok(Node::new(NodeKind::Const(Value::NIL), at)),
            [one] => self.form(one),
            _ => {
                let nodes = forms.iter().map(|f| self.form(f)).collect::<Result<Vec<_>, _>>()?;
                Ok(Node::new(NodeKind::Progn(nodes), at))
            }
        }
    }

    /// What evaluates to the datum itself.
    pub(crate) fn constant(&mut self, form: &Form) -> Result<Node, LispError> {
        let v = self.i.form_to_value(form)?;
        let kind = match v {
            Value::Cons(_) | Value::Object(_) => NodeKind::Root(self.i.heap.root(v)),
            v => NodeKind::Const(v),
        };
        Ok(Node::new(kind, form))
    }

    fn list(&mut self, form: &Form, head: &Form, args: &[Form]) -> Result<Node, LispError> {
        let Some(name) = head.as_symbol() else {
            if head.is_call("lambda") {
                let f = self.form(head)?;
                let args = self.arguments(args)?;
                return Ok(Node::new(NodeKind::CallValue(Box::new(f), args), form));
            }
            let e = LispError::malformed(head.span, format!("`{}` is not the name of an operator", short(head)));
            return Err(e.at_form(head).help("a list that is data is written with a quote"));
        };
        if let Some(f) = self.local_function(name) {
            let f = Node::new(NodeKind::Var(f), head);
            let args = self.arguments(args)?;
            return Ok(Node::new(NodeKind::CallValue(Box::new(f), args), form));
        }
        if let Some(mut current) = self.expand_once(form)? {
            let mut rounds = 1;
            while let Some(expanded) = self.expand_once(&current)? {
                current = expanded;
                rounds += 1;
                if rounds > EXPANSIONS_IN_A_ROW {
                    return Err(expansion_limit(name).at_form(form));
                }
            }
            self.expanding += 1;
            let node = if self.expanding > EXPANSIONS_IN_A_ROW {
                Err(expansion_limit(name).at_form(form))
            } else {
                self.form(&current).map_err(|e| {
                    let deep = self.expanding > EXPANSIONS_THAT_EXHAUST && e.code == crate::error::STACK_EXHAUSTED;
                    if deep { expansion_limit(name).at_form(form) } else { e }
                })
            };
            self.expanding -= 1;
            return node;
        }
        let plain = name.unqualified();
        match self.i.find_operator(plain) {
            Some(Operator::Core(f)) => return f(self, form, args).map_err(|e| e.at_form(form)),
            Some(Operator::Special(index)) => return Ok(self.special(index, form)),
            _ => {}
        }
        self.call(form, name, args)
    }

    /// One macro expansion of a form, if its operator is a macro here.
    pub(crate) fn expand_once(&mut self, form: &Form) -> Result<Option<Form>, LispError> {
        let FormKind::List(items) = &form.kind else { return Ok(None) };
        let Some((head, args)) = items.split_first() else { return Ok(None) };
        let Some(name) = head.as_symbol() else { return Ok(None) };
        if self.local_function(name).is_some() {
            return Ok(None);
        }
        let found = match self.local_macro(name) {
            Some(m) => Some(m),
            None => self.i.host_visible_macro(name),
        };
        if found.is_some() {
            self.i.expansions += 1;
            if self.i.expansions > EXPANSIONS_IN_ALL {
                return Err(expansion_limit(name).at_form(form));
            }
        }
        if let Some(m) = found {
            return self.i.expand_macro(&m, form).map(Some);
        }
        match self.i.find_operator(name) {
            Some(Operator::Macro(f)) => f(self.i, form, args).map(Some).map_err(|e| e.at_form(form)),
            Some(Operator::HostMacro(f)) => f(self.i, form).map(Some).map_err(|e| e.at_form(form)),
            _ => Ok(None),
        }
    }

    pub(crate) fn arguments(&mut self, args: &[Form]) -> Result<Vec<Node>, LispError> {
        args.iter().map(|a| self.form(a)).collect()
    }

    fn call(&mut self, form: &Form, name: Symbol, args: &[Form]) -> Result<Node, LispError> {
        if let Some(node) = self.inline(form, name, args)? {
            return Ok(node);
        }
        let args = self.arguments(args)?;
        let plain = if name.package().is_some() && self.i.function_cell(name) == Value::Unbound {
            name.unqualified()
        } else {
            name
        };
        let target = self.i.resolve_function(plain).unwrap_or(plain);
        if self.i.open_calls.is_some() && !self.i.knows_function(plain) {
            let head = form.as_list().and_then(|l| l.first()).unwrap_or(form);
            self.i.open_calls.get_or_insert_default().push((plain, head.clone()));
        }
        Ok(Node::new(NodeKind::Call(target, args), form))
    }

    /// Operators that have an instruction of their own.
    fn inline(&mut self, form: &Form, name: Symbol, args: &[Form]) -> Result<Option<Node>, LispError> {
        use crate::code::Op;
        let op = match (name.fold().name(), args.len()) {
            ("+", 2) => Op::Add,
            ("-", 2) => Op::Sub,
            ("1+", 1) => Op::AddInt(1),
            ("1-", 1) => Op::AddInt(-1),
            ("<", 2) => Op::Lt,
            (">", 2) => Op::Gt,
            ("<=", 2) => Op::Le,
            (">=", 2) => Op::Ge,
            ("=", 2) => Op::NumEq,
            ("eq" | "eql", 2) => Op::Eq,
            ("not" | "null", 1) => Op::Not,
            ("car" | "first", 1) => Op::Car,
            ("cdr" | "rest", 1) => Op::Cdr,
            _ => return Ok(None),
        };
        if let (Op::Add | Op::Sub, Some(FormKind::Int(n))) = (op, args.get(1).map(|a| &a.kind))
            && let Ok(n) = i32::try_from(*n)
            && n != i32::MIN
        {
            let first = self.form(&args[0])?;
            let n = if op == Op::Add { n } else { -n };
            return Ok(Some(Node::new(NodeKind::Inline(Op::AddInt(n), vec![first]), form)));
        }
        let args = self.arguments(args)?;
        Ok(Some(Node::new(NodeKind::Inline(op, args), form)))
    }
}

fn expansion_limit(name: Symbol) -> LispError {
    LispError::new("program-error", crate::error::EXPANSION_LIMIT, format!("the expansion of `{name}` has no end"))
        .help("a macro that expands into itself needs a case where it stops")
}

/// A form's text, cut to a length fit for messages.
pub(crate) fn short(form: &Form) -> String {
    crate::printer::cut(form.to_string())
}
