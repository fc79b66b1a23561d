//! Declarations as they are evaluated: declared, compiled, loaded, exchanged, and all that depends on them again.

use std::rc::Rc;
use std::time::Instant;

use whistler_compiler::env::DeclKind;
use whistler_compiler::{Declared, Mode as Redefinition};
use whistler_diag::Diagnostic;
use whistler_lisp::{Form, Interp, LispError, LispResult, Symbol, Value};
use whistler_loader::{LoadError, LoadOptions, Loader};

use crate::handles::{self, GlobalRef, MapHandle, ProgramHandle, TypeHandle};
use crate::image::Mode;
use crate::live::{LiveProgram, Shared, symbol_name};

impl Shared {
    /// Evaluates a declaration.
    pub fn define(&self, interp: &mut Interp, form: &Form) -> LispResult {
        let (declared, diagnostics) = self.session()?.declare(interp, form, Redefinition::Prompt);
        self.report(diagnostics)?;
        let Some(declared) = declared else { return Ok(Value::NIL) };
        let name = declared.name.name();
        let mut said = declared.summary.clone();
        match declared.kind {
            DeclKind::Program => said = format!("{name} · {}", self.compile_and_load(interp, name)?),
            DeclKind::Map => self.forget_other_shape(name)?,
            _ => {}
        }
        // What was made from the old definition is made again.
        for name in self.live_dependants(&declared)? {
            let text = self.compile_and_load(interp, &name)?;
            said.push_str(&format!("\n  {name} · {text}"));
        }
        self.live()?.said = Some(said);
        Ok(self.bind(interp, &declared))
    }

    /// Splits diagnostics: the first error ends the form, the rest are shown with it.
    fn report(&self, mut diagnostics: Vec<Diagnostic>) -> Result<(), LispError> {
        let first = diagnostics.iter().position(Diagnostic::is_error).map(|i| diagnostics.remove(i));
        self.live()?.reports.extend(diagnostics);
        first.map_or(Ok(()), |d| Err(LispError::from_diagnostic(d)))
    }

    /// Makes the name a variable of the host, so that `(attach NAME)` finds it.
    fn bind(&self, interp: &mut Interp, declared: &Declared) -> Value {
        let name = declared.name.name().to_string();
        let handle: Rc<dyn whistler_lisp::Foreign> = match declared.kind {
            DeclKind::Map => Rc::new(MapHandle { name }),
            DeclKind::Program => Rc::new(ProgramHandle { name }),
            DeclKind::Global | DeclKind::Param => Rc::new(GlobalRef { name }),
            DeclKind::Struct | DeclKind::Union | DeclKind::Enum => Rc::new(TypeHandle { name }),
            DeclKind::Subprogram
            | DeclKind::Tracepoint
            | DeclKind::KernelStruct
            | DeclKind::Header
            | DeclKind::Constant => return Value::Symbol(declared.name),
        };
        let value = handles::value(interp, handle);
        interp.define_variable(declared.name.name(), value);
        value
    }

    fn live_dependants(&self, declared: &Declared) -> Result<Vec<String>, LispError> {
        let live = self.live()?;
        let session = self.session()?;
        Ok(session
            .dependants(declared.name)
            .into_iter()
            .filter(|n| *n != declared.name)
            .map(|n| n.name().to_string())
            .filter(|n| live.programs.contains_key(&symbol_name(n)))
            .collect())
    }

    /// A map that was declared anew with another shape is made anew; with the same shape it keeps its entries.
    fn forget_other_shape(&self, name: &str) -> Result<(), LispError> {
        let symbol = symbol_name(name);
        let Some(def) = self.map_def(name)? else { return Ok(()) };
        let mut live = self.live()?;
        let same = live.maps.get(&symbol).is_none_or(|m| {
            let s = m.shape();
            (s.map_type, s.key_size, s.value_size, s.max_entries)
                == (def.map_type.number(), def.key_size, def.value_size, def.max_entries)
        });
        if !same {
            live.maps.remove(&symbol);
            let note = format!("`{name}` has another shape now: it is made anew, its entries are gone");
            live.reports.push(Diagnostic::warning(whistler_diag::Code("W0901"), def.span, note));
        }
        Ok(())
    }

    /// Compiles a program and puts it where programs run, also under what it is attached to; what to say of it.
    pub fn compile_and_load(&self, interp: &mut Interp, name: &str) -> Result<String, LispError> {
        let start = Instant::now();
        let (compiled, diagnostics) = {
            let sources = self.options.sources.clone();
            let sources = sources.borrow();
            self.session()?.compile(interp, &sources, Some(&[Symbol::intern(name)]), Default::default())
        };
        let took = start.elapsed();
        self.report(diagnostics)?;
        let Some(compiled) = compiled.map(Rc::new) else {
            return Err(LispError::simple(format!("`{name}` was not compiled")));
        };
        let symbol = symbol_name(name);
        let slots: usize = compiled.object.program(&symbol).map_or(0, |p| p.function.insns.len());
        let mut said = format!("{slots} instructions · {} µs", took.as_micros());
        if self.options.mode == Mode::Vm {
            let mut live = self.live()?;
            live.programs.insert(symbol, LiveProgram { compiled, program: None });
            live.vm = None;
            return Ok(said);
        }
        let program = self.load(&compiled.object, &symbol)?;
        self.live()?.programs.insert(symbol.clone(), LiveProgram { compiled, program: Some(program.clone()) });
        let exchanged = self.exchange(&symbol, &program)?;
        if exchanged.is_empty() {
            said.push_str(" · accepted by this kernel");
        }
        for how in exchanged {
            said.push_str(&format!(" · {how}"));
        }
        Ok(said)
    }

    fn load(
        &self,
        object: &whistler_object::Object,
        name: &str,
    ) -> Result<std::sync::Arc<whistler_loader::Program>, LispError> {
        let mut live = self.live()?;
        let options =
            LoadOptions { reuse: live.maps.clone(), reuse_globals: live.globals.clone(), ..LoadOptions::default() };
        let loaded = Loader::with(&self.options.kernel, options).load(object).map_err(|e| load_error(object, &e))?;
        live.maps.extend(loaded.maps);
        live.globals.extend(loaded.globals.into_iter().filter(|(_, g)| g.is_writable()));
        loaded.programs.get(name).cloned().ok_or_else(|| LispError::simple(format!("`{name}` was not loaded")))
    }

    /// The map in the kernel, made now if no program needed it yet.
    pub fn live_map(&self, name: &str) -> Result<std::sync::Arc<whistler_loader::Map>, LispError> {
        let symbol = symbol_name(name);
        if let Some(map) = self.live()?.maps.get(&symbol) {
            return Ok(map.clone());
        }
        let Some(def) = self.map_def(name)? else {
            return Err(LispError::simple(format!("there is no map `{name}`")));
        };
        let map = whistler_object::Map {
            name: symbol.clone(),
            map_type: def.map_type,
            key_size: def.key_size,
            value_size: def.value_size,
            max_entries: def.max_entries,
            flags: def.flags,
            key_type: None,
            value_type: None,
            inner: None,
            pin: def.pin.clone(),
            extra: 0,
            span: def.span,
        };
        let object = whistler_object::Object { maps: vec![map], ..whistler_object::Object::default() };
        let loaded = Loader::new(&self.options.kernel).load(&object).map_err(|e| load_error(&object, &e))?;
        let map = loaded.map(&symbol).cloned().ok_or_else(|| LispError::simple(format!("`{name}` was not made")))?;
        self.live()?.maps.insert(symbol, map.clone());
        Ok(map)
    }
}

/// What the kernel said, at the source line.
pub(crate) fn load_error(object: &whistler_object::Object, e: &LoadError) -> LispError {
    use whistler_diag::Code;
    let LoadError::Verifier(v) = e else {
        let mut error = LispError::simple(e.to_string());
        if let LoadError::Denied { mend: Some(mend), .. } = e {
            error = error.help(mend.clone());
        }
        return error;
    };
    let mut d = Diagnostic::error(Code("E0801"), v.span, format!("the kernel does not accept `{}`", v.program))
        .label(v.message.clone());
    if let Some(program) = object.program(&v.program) {
        for (span, text) in whistler_loader::explain(object, program, &v.log).into_iter().skip(1) {
            d = d.also(span, text);
        }
    }
    let tail: Vec<&str> = v.log.lines().rev().filter(|l| !l.trim().is_empty()).take(6).collect();
    for line in tail.iter().rev() {
        d = d.note(line.trim());
    }
    LispError::from_diagnostic(d)
}
