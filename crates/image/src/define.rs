//! Declarations as they are evaluated: declared, and all that is made from them made again.
//!
//! Invariant: a declaration that fails leaves what runs as it was.

use std::rc::Rc;

use whistler_compiler::env::{DeclKind, ProgDecl};
use whistler_compiler::names::norm;
use whistler_compiler::{Declared, Mode as Redefinition};
use whistler_diag::Diagnostic;
use whistler_lisp::{Form, FormKind, Interp, LispError, LispResult, Symbol, Value};

use crate::codec::Codec;
use crate::forms::loader::define_record;
use crate::handles::{self, GlobalRef, MapHandle, OpsHandle, ProgramHandle, TypeHandle};
use crate::live::{Shared, symbol_name};

/// Declarations that hold what others are: sizes, types, numbers. Those of programs are checked at every compilation.
const MADE_FROM_OTHERS: &[&str] =
    &["defstruct", "defunion", "defenum", "defmap", "defglobal", "defparam", "defsubprog"];

impl Shared {
    /// Evaluates a declaration.
    pub fn define(&self, interp: &mut Interp, form: &Form) -> LispResult {
        let named = form.as_list().and_then(|l| l.get(1)?.as_symbol());
        let before = named.and_then(|n| self.session().ok()?.env.programs.get(n).cloned());
        let (declared, diagnostics) = self.session()?.declare(interp, form, Redefinition::Prompt);
        self.report(diagnostics)?;
        let Some(declared) = declared else { return Ok(Value::NIL) };
        let name = declared.name.name();
        if declared.kind == DeclKind::Program {
            let made = self.compile_and_load(interp, name);
            if made.is_err() {
                self.put_back(declared.name, before)?;
            }
            let mut said = made?;
            for how in self.complete_struct_ops(interp, declared.name)? {
                said.push_str(&format!(" · {how}"));
            }
            self.live()?.said = Some(format!("{name} · {said}"));
            return Ok(self.bind(interp, &declared));
        }
        let mut said = declared.summary.clone();
        if declared.kind == DeclKind::StructOps {
            for how in self.exchange_struct_ops(interp, declared.name)? {
                said.push_str(&format!(" · {how}"));
            }
        }
        self.live()?.said = Some(said);
        let value = self.bind(interp, &declared);
        let remade = declared.kind == DeclKind::Map && self.forget_other_shape(name)?;
        if self.remember(&declared, form)? {
            let remade = if remade { vec![symbol_name(name)] } else { Vec::new() };
            self.changed(interp, vec![declared.name], remade)?;
        }
        Ok(value)
    }

    /// Makes everything again that was made from the old meaning of these names. `remade` are maps (by symbol name)
    /// that are other maps now. An error says what could not be made again; that goes on as it was.
    pub fn changed(
        &self,
        interp: &mut Interp,
        mut names: Vec<Symbol>,
        mut remade: Vec<String>,
    ) -> Result<(), LispError> {
        if names.is_empty() {
            return Ok(());
        }
        let mut failures = Vec::new();
        let forms: Vec<Form> = self.live()?.declarations.values().cloned().collect();
        for form in forms.iter().filter(|f| f.head().is_some_and(|h| MADE_FROM_OTHERS.iter().any(|m| h.is(m)))) {
            let Some((own, rest)) = form.as_list().and_then(|l| Some((l.get(1)?, l.get(2..)?))) else { continue };
            if !rest.iter().any(|f| mentions(f, &names)) {
                continue;
            }
            let (declared, diagnostics) = self.session()?.declare(interp, form, Redefinition::Prompt);
            failures.extend(self.report(diagnostics).err());
            let Some(declared) = declared else { continue };
            if declared.kind == DeclKind::Map && self.forget_other_shape(declared.name.name())? {
                remade.push(symbol_name(declared.name.name()));
            }
            names.extend(own.as_symbol());
        }
        let (said, more) = self.refresh(interp, &remade)?;
        failures.extend(more);
        let mut live = self.live()?;
        if !said.is_empty() {
            let text = live.said.get_or_insert_default();
            for line in said {
                if !text.is_empty() {
                    text.push_str("\n  ");
                }
                text.push_str(&line);
            }
        }
        let mut failures = failures.into_iter();
        let first = failures.next();
        live.reports.extend(failures.map(|e| e.to_diagnostic()));
        first.map_or(Ok(()), Err)
    }

    /// The same for names that were defined in the host; the form's own value is shown in any case.
    pub fn changed_by_host(&self, interp: &mut Interp, names: Vec<Symbol>) -> Result<(), LispError> {
        let first = names.first().copied();
        self.changed(interp, names, Vec::new())?;
        let mut live = self.live()?;
        if let (Some(first), Some(said)) = (first, &mut live.said) {
            *said = format!("{first}\n  {said}");
        }
        Ok(())
    }

    /// Keeps a declaration's text, to declare it again when what it is made from changes. Whether there was one.
    fn remember(&self, declared: &Declared, form: &Form) -> Result<bool, LispError> {
        let head = form.head().map_or("", Symbol::name);
        let key = (declared.kind.word(), norm(declared.name));
        let mut live = self.live()?;
        // What another declaration brought under that name (a kernel struct, say) is shadowed by a first one.
        let shadows = head != "defmap" && !live.programs.is_empty();
        Ok(live.declarations.insert(key, form.clone()).is_some() || shadows)
    }

    /// The program's declaration as it was before one that failed.
    fn put_back(&self, name: Symbol, before: Option<Rc<ProgDecl>>) -> Result<(), LispError> {
        let env = &mut self.session()?.env;
        match before {
            Some(before) => env.programs.insert(name, before),
            None => {
                env.programs.remove(name);
                env.order.retain(|d| d.0 != name || d.1 != DeclKind::Program);
            }
        }
        Ok(())
    }

    /// Splits diagnostics: the first error ends the form, the rest are shown with it.
    pub(crate) fn report(&self, mut diagnostics: Vec<Diagnostic>) -> Result<(), LispError> {
        let first = diagnostics.iter().position(Diagnostic::is_error).map(|i| diagnostics.remove(i));
        self.live()?.reports.extend(diagnostics);
        first.map_or(Ok(()), |d| Err(LispError::from_diagnostic(d)))
    }

    /// Defines the host's `S-FIELD` functions, which read what was decoded as the struct S.
    fn define_readers(&self, interp: &mut Interp, name: Symbol) {
        let Ok(Some(ty)) = self.ty(name.name()) else { return };
        let codec = Codec::new(&ty, interp);
        if let Some(layout) = codec.layout().cloned() {
            define_record(interp, &codec, &layout);
        }
    }

    /// Makes the name a variable of the host, so that `(attach NAME)` finds it.
    fn bind(&self, interp: &mut Interp, declared: &Declared) -> Value {
        let name = declared.name.name().to_string();
        let handle: Rc<dyn whistler_lisp::Foreign> = match declared.kind {
            DeclKind::Map => Rc::new(MapHandle { name }),
            DeclKind::Program => Rc::new(ProgramHandle { name }),
            DeclKind::StructOps => Rc::new(OpsHandle { name }),
            DeclKind::Global | DeclKind::Param => Rc::new(GlobalRef { name }),
            DeclKind::Struct | DeclKind::Union | DeclKind::Enum => Rc::new(TypeHandle { name }),
            DeclKind::Subprogram
            | DeclKind::Tracepoint
            | DeclKind::KernelStruct
            | DeclKind::KernelEnum
            | DeclKind::Header
            | DeclKind::Constant => return Value::Symbol(declared.name),
        };
        if matches!(declared.kind, DeclKind::Struct | DeclKind::Union) {
            self.define_readers(interp, declared.name);
        }
        let value = handles::value(interp, handle);
        interp.define_variable(declared.name.name(), value);
        value
    }
}

/// Whether a form contains one of these names, or one that a declaration of it brings: an accessor, `+S-size+`.
fn mentions(form: &Form, names: &[Symbol]) -> bool {
    match &form.kind {
        FormKind::Symbol(s) => {
            let key = norm(*s);
            names.iter().any(|n| {
                let n = norm(*n);
                n == key || key.name().strip_prefix('+').is_some_and(|k| k.starts_with(n.name()))
            })
        }
        FormKind::List(items) | FormKind::Vector(items) => items.iter().any(|f| mentions(f, names)),
        FormKind::Dotted(items, tail) => items.iter().any(|f| mentions(f, names)) || mentions(tail, names),
        _ => false,
    }
}
