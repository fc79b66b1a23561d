//! Names in scope while a form is resolved.

use std::rc::Rc;

use super::node::{Exit, Lambda, Node, NodeKind, Var};
use crate::error::LispError;
use crate::interp::{Environment, Interp, Macro, VarKind};
use crate::{Form, Symbol, Value};

pub(crate) enum Entry {
    Var(Symbol, Rc<Var>),
    Special(Symbol),
    SymbolMacro(Symbol, Form),
    Function(Symbol, Rc<Var>),
    Macro(Symbol, Rc<Macro>),
    Block(Symbol, Rc<Exit>),
    Tag(Value, Rc<Exit>, u32),
}

/// A name that a registered special form can see.
#[derive(Clone, Debug)]
pub(crate) enum Visible {
    Var(Symbol),
    Function(Symbol),
    Block(Symbol),
    Special(Symbol),
    SymbolMacro(Symbol, Form),
    Macro(Symbol, Rc<Macro>),
}

/// The state of resolving one top-level form.
pub(crate) struct Cx<'a> {
    pub(crate) i: &'a mut Interp,
    pub(crate) env: Vec<Entry>,
    pub(crate) level: u32,
    pub(crate) expanding: u32,
}

impl<'a> Cx<'a> {
    pub(crate) fn new(i: &'a mut Interp) -> Cx<'a> {
        Cx { i, env: Vec::new(), level: 0, expanding: 0 }
    }

    /// Brings an environment's names into scope; its variables, as to be captured.
    pub(crate) fn open_environment(&mut self, environment: &Environment) -> Vec<Rc<Var>> {
        let mut outer = Vec::new();
        for visible in &environment.visible {
            let mut variable = || {
                let var = Var::new(0);
                var.captured.set(true);
                outer.push(var.clone());
                var
            };
            let entry = match visible {
                Visible::Var(s) => {
                    let var = variable();
                    var.assigned.set(true);
                    Entry::Var(*s, var)
                }
                Visible::Function(s) => {
                    let var = variable();
                    var.assigned.set(true);
                    Entry::Function(*s, var)
                }
                Visible::Block(s) => {
                    let var = variable();
                    let mut exit = Exit::new(0);
                    if let Some(e) = Rc::get_mut(&mut exit) {
                        e.var = var;
                    }
                    exit.captured.set(true);
                    Entry::Block(*s, exit)
                }
                Visible::Special(s) => Entry::Special(*s),
                Visible::SymbolMacro(s, f) => Entry::SymbolMacro(*s, f.clone()),
                Visible::Macro(s, m) => Entry::Macro(*s, m.clone()),
            };
            self.env.push(entry);
        }
        outer
    }

    /// A form as the body of a function without parameters.
    pub(crate) fn thunk(&mut self, form: &Form) -> Result<Lambda, LispError> {
        self.level += 1;
        let body = self.form(form);
        self.level -= 1;
        Ok(Lambda {
            name: String::new(),
            lambda_list: "()".to_string(),
            level: self.level + 1,
            params: Default::default(),
            vars: Vec::new(),
            defaults: Vec::new(),
            specials: Vec::new(),
            body: body?,
            span: form.span,
        })
    }

    /// The innermost entry that `pick` takes: by exact name, else the only other name that differs in case.
    fn lookup<T>(&self, name: Symbol, pick: impl Fn(&Entry) -> Option<(Symbol, T)>) -> Option<T> {
        let mut folded: Option<(Symbol, T)> = None;
        let mut ambiguous = false;
        for entry in self.env.iter().rev() {
            let Some((s, found)) = pick(entry) else { continue };
            if s == name {
                return Some(found);
            }
            if s.same_folded(name) {
                match &folded {
                    None => folded = Some((s, found)),
                    Some((other, _)) => ambiguous |= *other != s,
                }
            }
        }
        folded.filter(|_| !ambiguous).map(|(_, found)| found)
    }

    pub(crate) fn local_function(&self, name: Symbol) -> Option<Rc<Var>> {
        if name.package().is_some() {
            return None;
        }
        let found = self.lookup(name, |e| match e {
            Entry::Function(s, v) => Some((*s, Some(v.clone()))),
            Entry::Macro(s, _) => Some((*s, None)),
            _ => None,
        })??;
        self.note_use(&found);
        Some(found)
    }

    pub(crate) fn local_macro(&self, name: Symbol) -> Option<Rc<Macro>> {
        if name.package().is_some() {
            return None;
        }
        self.lookup(name, |e| match e {
            Entry::Function(s, _) => Some((*s, None)),
            Entry::Macro(s, m) => Some((*s, Some(m.clone()))),
            _ => None,
        })?
    }

    pub(crate) fn block(&self, name: Symbol) -> Option<Rc<Exit>> {
        let exit = self.lookup(name.unqualified(), |e| match e {
            Entry::Block(s, x) => Some((*s, x.clone())),
            _ => None,
        })?;
        self.note_exit(&exit);
        Some(exit)
    }

    pub(crate) fn tag(&self, tag: Value) -> Option<(Rc<Exit>, u32)> {
        let found = self.env.iter().rev().find_map(|e| match e {
            Entry::Tag(t, x, i) if *t == tag => Some((x.clone(), *i)),
            _ => None,
        })?;
        self.note_exit(&found.0);
        Some(found)
    }

    fn note_exit(&self, exit: &Exit) {
        if exit.level != self.level {
            exit.captured.set(true);
            exit.var.captured.set(true);
        }
    }

    fn note_use(&self, var: &Var) {
        if var.level != self.level {
            var.captured.set(true);
        }
    }

    pub(crate) fn variable(&self, name: Symbol) -> Option<VarRef> {
        if name.package().is_some() {
            return None;
        }
        let found = self.lookup(name, |e| match e {
            Entry::Var(s, v) => Some((*s, VarRef::Lexical(v.clone()))),
            Entry::Special(s) => Some((*s, VarRef::Special(*s))),
            Entry::SymbolMacro(s, f) => Some((*s, VarRef::Macro(f.clone()))),
            _ => None,
        })?;
        if let VarRef::Lexical(v) = &found {
            self.note_use(v);
        }
        Some(found)
    }

    /// Whether binding this name binds a special variable.
    pub(crate) fn is_special(&self, name: Symbol) -> bool {
        self.i.global(name).kind == VarKind::Special
            || self.i.resolve_variable(name).is_some_and(|s| self.i.global(s).kind == VarKind::Special)
    }

    pub(crate) fn symbol(&mut self, s: Symbol, form: &Form) -> Result<Node, LispError> {
        if s.is_keyword() {
            return Ok(Node::new(NodeKind::Const(Value::Symbol(s)), form));
        }
        match s.fold() {
            Symbol::NIL => return Ok(Node::new(NodeKind::Const(Value::NIL), form)),
            Symbol::T if s == Symbol::T || self.variable(s).is_none() => {
                return Ok(Node::new(NodeKind::Const(Value::T), form));
            }
            _ => {}
        }
        match self.variable(s) {
            Some(VarRef::Lexical(v)) => Ok(Node::new(NodeKind::Var(v), form)),
            Some(VarRef::Special(s)) => Ok(Node::new(NodeKind::Global(s), form)),
            Some(VarRef::Macro(f)) => self.form(&f),
            None => {
                let s = s.unqualified();
                Ok(Node::new(NodeKind::Global(self.i.resolve_variable(s).unwrap_or(s)), form))
            }
        }
    }

    /// A registered special form: it sees every name in scope, through variable objects.
    pub(crate) fn special(&mut self, index: u32, form: &Form) -> Node {
        let mut values = Vec::new();
        let mut rest = Vec::new();
        for entry in &self.env {
            match entry {
                Entry::Var(s, v) => {
                    v.captured.set(true);
                    v.assigned.set(true);
                    values.push((Visible::Var(*s), v.clone()));
                }
                Entry::Function(s, v) => {
                    v.captured.set(true);
                    v.assigned.set(true);
                    values.push((Visible::Function(*s), v.clone()));
                }
                Entry::Block(s, x) => {
                    x.captured.set(true);
                    x.var.captured.set(true);
                    values.push((Visible::Block(*s), x.var.clone()));
                }
                Entry::Special(s) => rest.push(Visible::Special(*s)),
                Entry::SymbolMacro(s, f) => rest.push(Visible::SymbolMacro(*s, f.clone())),
                Entry::Macro(s, m) => rest.push(Visible::Macro(*s, m.clone())),
                Entry::Tag(..) => {}
            }
        }
        Node::new(NodeKind::Special(index, form.clone(), values, rest), form)
    }
}

pub(crate) enum VarRef {
    Lexical(Rc<Var>),
    Special(Symbol),
    Macro(Form),
}
