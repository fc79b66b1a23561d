//! What embedding programs call.

use std::rc::Rc;

use whistler_diag::{FileId, Span};

use crate::compile::LambdaList;
use crate::error::{LispError, LispResult, MALFORMED, UNBOUND_VARIABLE};
use crate::heap::{Object, RecordLayout, Root};
use crate::interp::{
    Environment, Global, HostMacroFn, Interp, NativeClosure, NativeDef, Operator, OuterConstants, SpecialFn, VarKind,
};
use crate::natives::NativeFn;
use crate::{Form, Package, Symbol, Value};

/// What a documentation string or definition belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DocKind {
    /// A function, macro or special form.
    Function,
    /// A variable or constant.
    Variable,
    /// A type.
    Type,
}

impl Interp {
    /// Evaluates a top-level form. The value lives until the next outermost call, unless [`Interp::root`] keeps it.
    ///
    /// Inside a registered special form, the form sees the lexical variables around that.
    pub fn eval(&mut self, form: &Form) -> LispResult {
        if self.is_outermost() {
            self.heap.release_fresh(0);
            self.expansions = 0;
        }
        let entry = self.entry_state();
        let result = self.enter(|i| match i.eval_inner(form) {
            Err(e) => i.signal_if_new(e.at_form(form)).and(Ok(Value::NIL)),
            ok => ok,
        });
        if result.is_err() {
            self.restore(&entry);
        }
        let v = result?;
        self.heap.keep_fresh(v);
        Ok(v)
    }

    /// The same, inside of running code.
    pub(crate) fn eval_inner(&mut self, form: &Form) -> LispResult {
        self.check_stack().map_err(|e| e.at_form(form))?;
        // The parts of a top-level `progn` are top-level forms: a macro defined by one is there for the next.
        if let Some(items) = form.as_list()
            && let Some(head) = items.first().and_then(Form::as_symbol)
            && head.is("progn")
            && !head.is_keyword()
        {
            let mut last = Value::NIL;
            for f in &items[1..] {
                last = self.eval_inner(f)?;
                self.heap.keep_fresh(last);
            }
            return Ok(last);
        }
        let environment = self.environments.last().cloned().unwrap_or_else(Environment::default);
        let f = self.compile_form(form, &environment)?;
        // What runs inside must not see these variables through a special form of another function.
        self.environments.push(Environment::default());
        let result = self.call(f, &[]);
        self.environments.pop();
        result
    }

    /// Reads and evaluates every form of a text; the value of the last.
    pub fn eval_str(&mut self, text: &str) -> LispResult {
        self.eval_text(Span::NONE.file, text)
    }

    /// The same for a text that is in a source map.
    pub fn eval_text(&mut self, file: FileId, text: &str) -> LispResult {
        let (forms, diagnostics) = crate::read_text(file, text);
        if let Some(d) = diagnostics.into_iter().next() {
            return Err(LispError::from_diagnostic(d));
        }
        let mut last = Value::NIL;
        for f in &forms {
            last = self.eval(f)?;
        }
        Ok(last)
    }

    /// Takes a form apart as for evaluation and goes no further: macros are expanded, names resolved.
    ///
    /// # Errors
    /// The form is malformed, or an expansion fails.
    pub fn look_at(&mut self, form: &Form) -> Result<(), LispError> {
        self.enter(|i| {
            i.compile_form(form, &Environment::default()).map_err(|e| e.at_form(form))?;
            Ok(Value::NIL)
        })
        .map(|_| ())
    }

    /// From now on calls of functions that don't exist are kept for [`Interp::unknown_calls`].
    pub fn watch_calls(&mut self) {
        self.open_calls.get_or_insert_default();
    }

    /// The calls compiled since the last call of this whose functions don't exist now either, as the errors that
    /// running them would give; without those of which the caller knows better.
    pub fn unknown_calls(&mut self, is_known: impl Fn(Symbol) -> bool) -> Vec<LispError> {
        let calls = match &mut self.open_calls {
            Some(calls) => std::mem::take(calls),
            None => Vec::new(),
        };
        // To make an error takes looking through all names.
        let open = calls.into_iter().filter(|(name, _)| !is_known(*name) && !self.is_defined(*name));
        let open = open.collect::<Vec<_>>();
        open.into_iter().map(|(name, form)| self.undefined_function(name).at_form(&form)).collect()
    }

    /// Says what assignments to variables that hold the embedding program's own values do.
    pub fn set_assign(&mut self, assign: super::AssignFn) {
        self.assign = Some(assign);
    }

    /// Says what is told of functions that don't exist, by their name; `None` where nothing is known.
    pub fn set_instead(&mut self, instead: super::InsteadFn) {
        self.instead = Some(instead);
    }

    /// Keeps a value from collection while the returned root lives.
    pub fn root(&mut self, v: Value) -> Root {
        self.heap.root(v)
    }

    /// Runs `f` with every value it gets or makes kept until it ends, as inside a native function.
    pub fn scope<T>(&mut self, f: impl FnOnce(&mut Interp) -> Result<T, LispError>) -> Result<T, LispError> {
        let mark = self.heap.fresh_mark();
        let result = self.enter(f);
        self.heap.release_fresh(mark);
        result
    }

    /// Where the code of a function in Lisp was written.
    pub fn function_span(&self, f: Value) -> Option<whistler_diag::Span> {
        match self.heap.object(f) {
            Some(Object::Closure(c)) if !c.code.span.is_none() => Some(c.code.span),
            _ => None,
        }
    }

    /// Defines a function. `lambda_list` is for checking the number of arguments and for messages: `"map key &optional flags"`.
    pub fn define_native(&mut self, name: &str, lambda_list: &str, doc: &str, f: NativeClosure) {
        let (min, max) = arity(lambda_list);
        let symbol = Symbol::parse(name);
        let def = NativeDef {
            name: symbol.name(),
            lambda: Symbol::intern(lambda_list).name(),
            doc: "",
            f: NativeFn::Dyn(min, max, f),
        };
        self.install_native(symbol, def);
        self.set_documentation(symbol, DocKind::Function, doc);
    }

    pub(crate) fn install_native(&mut self, symbol: Symbol, def: NativeDef) {
        self.natives.push(def);
        self.set_function(symbol, Value::Native(self.natives.len() as u32 - 1));
    }

    /// Defines a form that takes its arguments unevaluated, with spans. It may evaluate subforms with [`Interp::eval`],
    /// which see the lexical variables where the form stands.
    pub fn define_special(&mut self, name: &str, f: SpecialFn) {
        let symbol = Symbol::parse(name);
        self.special_forms.push((symbol, f));
        self.set_operator(symbol, Operator::Special(self.special_forms.len() as u32 - 1));
    }

    /// Defines a macro of the host (never of the kernel) that is written in Rust.
    pub fn define_host_macro(&mut self, name: &str, f: HostMacroFn) {
        self.set_operator(Symbol::parse(name), Operator::HostMacro(f));
    }

    /// Defines the reading functions of a record type, and its type for `typep`: `prefix` and the slot's name make each name.
    pub fn define_record(&mut self, layout: &Rc<RecordLayout>, prefix: &str) {
        self.layouts.insert(layout.name, layout.clone());
        for (i, slot) in layout.slots.iter().enumerate() {
            self.define_accessor(&format!("{prefix}{}", slot.name()), layout, i);
        }
    }

    /// Makes a record type known to `typep` under one more name.
    pub fn alias_record(&mut self, name: Symbol, layout: &Rc<RecordLayout>) {
        self.layouts.insert(name, layout.clone());
    }

    /// The least and greatest number of arguments a function takes; `None` for what is no function.
    pub fn arity(&mut self, f: Value) -> Option<(usize, usize)> {
        let f = match f.as_symbol() {
            Some(name) => self.find_function(name)?,
            None => f,
        };
        if let Value::Native(i) = f {
            return self.natives.get(i as usize).map(|d| d.f.arity());
        }
        let Some(Object::Closure(c)) = self.heap.object(f) else { return None };
        let p = &c.code.params;
        let least = p.required as usize;
        let most = if p.rest || p.keys.is_some() { usize::MAX } else { least + p.optional as usize };
        Some((least, most))
    }

    /// The value of a variable now, with the bindings of running code.
    pub fn symbol_value(&self, name: Symbol) -> Option<Value> {
        let s = self.resolve_variable(name.unqualified())?;
        Some(self.global(s).value).filter(|v| *v != Value::Unbound)
    }

    /// The record type of a name, as defined last.
    pub fn record_layout(&self, name: Symbol) -> Option<&Rc<RecordLayout>> {
        self.layouts.get(&name)
    }

    /// Defines one reading function of a record type.
    pub fn define_accessor(&mut self, name: &str, layout: &Rc<RecordLayout>, slot: usize) {
        let symbol = Symbol::intern(name);
        let def =
            NativeDef { name: symbol.name(), lambda: "record", doc: "", f: NativeFn::Accessor(layout.clone(), slot) };
        self.install_native(symbol, def);
    }

    /// Defines a constant.
    pub fn define_constant(&mut self, name: &str, v: Value) {
        self.set_global(Symbol::parse(name), Global { value: v, kind: VarKind::Constant });
    }

    /// Defines or sets a special variable.
    pub fn define_variable(&mut self, name: &str, v: Value) {
        self.set_global(Symbol::parse(name), Global { value: v, kind: VarKind::Special });
    }

    /// Names that mean numbers where nothing else has given them a value (a kernel's constants, say).
    pub fn set_outer_constants(&mut self, constants: OuterConstants) {
        self.outer_constants = Some(constants);
    }

    /// Whether a name is that of a function, and of no macro or special form.
    pub fn is_plain_function(&mut self, name: Symbol) -> bool {
        self.find_operator(name).is_none()
            && self.host_visible_macro(name).is_none()
            && self.find_function(name).is_some()
    }

    /// The value of a constant or global variable.
    pub fn constant(&mut self, name: Symbol) -> Option<Value> {
        let plain = name.unqualified();
        if let Some(s) = self.resolve_variable(plain) {
            return Some(self.global(s).value).filter(|v| *v != Value::Unbound);
        }
        self.load_library_item(plain);
        Some(self.global(plain).value).filter(|v| *v != Value::Unbound)
    }

    /// Whether a name is a constant (rather than a variable).
    pub fn is_constant(&self, name: Symbol) -> bool {
        self.resolve_variable(name.unqualified()).is_some_and(|s| self.global(s).kind == VarKind::Constant)
    }

    /// The function a name stands for.
    pub fn function(&mut self, name: Symbol) -> Option<Value> {
        self.find_function(name)
    }

    /// Whether the host has an operator, function or macro of this name.
    pub fn is_defined(&mut self, name: Symbol) -> bool {
        self.find_operator(name).is_some() || self.knows_function(name) || self.user_macro(name).is_some()
    }

    /// Whether this name is a macro or a function written in Lisp, and not the library's.
    pub fn is_users(&mut self, name: Symbol) -> bool {
        if self.is_in_library(name.unqualified(), "defun") {
            return false;
        }
        let written =
            self.user_macro(name).is_some() || self.find_function(name).is_some_and(|f| !matches!(f, Value::Native(_)));
        // To find it took it out of the library, if it was there.
        written && name.resolve(|s| self.of_library.contains(&s)).is_none()
    }

    /// Every name that means something, for completion.
    pub fn all_names(&self) -> Vec<Symbol> {
        let mut names: Vec<Symbol> = self.user_macros.keys().chain(self.library.keys()).copied().collect();
        names.extend(crate::natives::all_static_names().map(Symbol::intern_static));
        let known: Vec<Symbol> = self.definitions.keys().map(|(s, _)| *s).collect();
        names.extend(known);
        names.extend(self.docs.keys().map(|(s, _)| *s));
        names.extend(self.special_forms.iter().map(|(s, _)| *s));
        names.extend(self.natives.iter().map(|d| Symbol::intern_static(d.name)));
        names.retain(|s| !s.name().starts_with('%'));
        names.sort_by_key(|s| s.name());
        names.dedup();
        names
    }

    pub(crate) fn nearest_operator(&self, name: &str) -> Option<&'static str> {
        let functions = self.all_names().into_iter().filter(|s| {
            !matches!(self.operator(*s), Operator::None)
                || self.function_cell(*s) != Value::Unbound
                || self.user_macros.contains_key(s)
        });
        let names: Vec<&'static str> = functions.map(Symbol::name).collect();
        // What only goes on behind the name is nearer than what is spelled alike.
        let longer = |n: &&&'static str| {
            n.len() > name.len() + 1
                && n.is_char_boundary(name.len())
                && n[..name.len()].eq_ignore_ascii_case(name)
                && n[name.len()..].starts_with('-')
        };
        let mut begin = names.iter().filter(longer);
        match (begin.next(), begin.next()) {
            (Some(only), None) if name.contains('-') => Some(only),
            _ => crate::nearest::nearest(name, names.iter().copied()),
        }
    }

    pub(crate) fn unbound_variable(&self, s: Symbol) -> LispError {
        let e =
            LispError::new("unbound-variable", UNBOUND_VARIABLE, format!("the variable `{s}` has no value")).about(s);
        let names = self.all_names();
        let near = crate::nearest::nearest(
            s.name(),
            names.into_iter().filter(|s| self.global(*s).value != Value::Unbound).map(Symbol::name),
        );
        match near {
            Some(near) => e.help(format!("the nearest name is `{near}`")),
            None => e,
        }
    }

    /// What is documented of a name.
    pub fn documentation(&self, name: Symbol, kind: DocKind) -> Option<String> {
        if let Some(doc) = self.docs.get(&(name.unqualified(), kind)) {
            return Some(doc.to_string());
        }
        match (kind, self.resolve_function(name).map(|s| self.function_cell(s))) {
            (DocKind::Function, Some(Value::Native(i))) => {
                self.natives.get(i as usize).map(|d| d.doc).filter(|d| !d.is_empty()).map(str::to_string)
            }
            _ => None,
        }
    }

    /// Documents a name.
    pub fn set_documentation(&mut self, name: Symbol, kind: DocKind, doc: &str) {
        if !doc.is_empty() {
            self.docs.insert((name, kind), doc.into());
        }
    }

    /// Where a name was defined.
    pub fn definition(&self, name: Symbol, kind: DocKind) -> Option<Span> {
        self.definitions.get(&(name.unqualified(), kind)).copied()
    }

    /// Macros, constants and variables that were defined, and functions that were defined anew, since the last
    /// call of this: code that was expanded or computed with them may have another meaning now.
    pub fn take_redefined(&mut self) -> Vec<Symbol> {
        std::mem::take(&mut self.redefined)
    }

    /// Warnings since the last call of this.
    pub fn take_warnings(&mut self) -> Vec<whistler_diag::Diagnostic> {
        std::mem::take(&mut self.warnings)
    }

    /// Removes a function, macro or variable (for undo).
    pub fn undefine(&mut self, name: Symbol) {
        self.set_function(name, Value::Unbound);
        self.user_macros.remove(&name);
        self.set_global(name, Global { value: Value::Unbound, kind: VarKind::Plain });
    }

    /// The symbol that names the function `(setf name)`.
    pub(crate) fn setf_name(&mut self, name: Symbol) -> Symbol {
        let name = name.unqualified();
        *self
            .setf_functions
            .entry(name)
            .or_insert_with(|| Symbol::intern_in(Package::None, &format!("(setf {})", name.name())))
    }

    /// Names of the language can't be defined anew.
    pub(crate) fn check_redefinition(&self, name: Symbol, what: &str) -> Result<(), LispError> {
        let native = match self.function_cell(name) {
            Value::Native(i) => (i as usize) < crate::natives::static_count(),
            _ => false,
        };
        let core = matches!(self.operator(name), Operator::Core(_) | Operator::Macro(_))
            && !crate::macros::may_be_redefined(name);
        if native || core {
            return Err(LispError::new(
                "program-error",
                MALFORMED,
                format!("`{name}` belongs to the language and can't be defined as a {what}"),
            )
            .help("choose another name"));
        }
        Ok(())
    }
}

/// The least and greatest number of arguments of a lambda list's text.
fn arity(text: &str) -> (u8, u8) {
    let (forms, _) = crate::read_text(Span::NONE.file, &format!("({text})"));
    match forms.first().map(|f| LambdaList::parse(f, true)) {
        Some(Ok(l)) => {
            let min = l.required.len().min(254) as u8;
            let max =
                if l.rest.is_some() || l.has_keys { 255 } else { (l.required.len() + l.optional.len()).min(254) as u8 };
            (min, max)
        }
        _ => (0, 255),
    }
}
