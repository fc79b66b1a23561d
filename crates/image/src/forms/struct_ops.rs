//! Structs of operations: registered by `attach`, taken back by `detach`, exchanged when they or a program of theirs
//! are declared anew. Invariant: the programs of a registered struct are the live ones.

use std::rc::Rc;
use std::sync::Arc;

use whistler_compiler::hir::OpsValue;
use whistler_lisp::{Interp, LispError, LispResult, Symbol, Value};
use whistler_loader::{AttachSpec, Link, Program, StructOps, register};
use whistler_object::Object;

use crate::failure::{as_bpf_error, load_error};
use crate::handles::{self, LinkHandle, OpsHandle};
use crate::image::Mode;
use crate::live::{Live, LiveLink, Shared, symbol_name};
use crate::unit::BpfUnit;

/// The struct of operations that a value means, if it means one.
pub(super) fn named(shared: &Shared, interp: &Interp, value: Value) -> Result<Option<Symbol>, LispError> {
    let name = match interp.heap.downcast::<OpsHandle>(value) {
        Some(handle) => Symbol::intern(&handle.name),
        None => match value.as_symbol() {
            Some(name) => name,
            None => return Ok(None),
        },
    };
    Ok(shared.session()?.env.struct_ops.spelled(name))
}

/// Registers a struct of operations; the link as a value.
pub(super) fn attach(shared: &Shared, interp: &mut Interp, name: Symbol) -> LispResult {
    let object = shared.struct_ops_object(interp, name)?;
    let symbol = symbol_name(name.name());
    if let Some(missing) = lacks(&*shared.live()?, &object, |_| None) {
        return Err(LispError::simple(format!("`{missing}`, a member of `{name}`, is not loaded")));
    }
    let of = shared.session()?.env.struct_ops.get(name).map(|d| d.of.to_string()).unwrap_or_default();
    let link = match shared.options.mode {
        Mode::Vm => None,
        Mode::Kernel => {
            let ops = shared.make_struct_ops(&*shared.live()?, &object, &symbol, |_| None)?;
            Some(shared.registered(&ops)?)
        }
    };
    let mut live = shared.live()?;
    live.last_link += 1;
    let (id, spec) = (live.last_link, AttachSpec::StructOps { of });
    let what = format!("{name} → {spec}");
    live.links.push(LiveLink {
        id,
        program: symbol,
        unit: None,
        spec,
        by_section: false,
        link,
        ops: Some(object),
        slot: None,
    });
    drop(live);
    Ok(handles::value(interp, Rc::new(LinkHandle { id, what })))
}

/// Registers a struct of operations of an object that was opened beside the image's own definitions.
pub(super) fn attach_of_unit(shared: &Shared, interp: &mut Interp, unit: &BpfUnit, name: String) -> LispResult {
    let ops = unit.struct_ops(&name)?;
    let link = shared.registered(&ops)?;
    let mut live = shared.live()?;
    live.last_link += 1;
    let (id, spec) = (live.last_link, AttachSpec::StructOps { of: ops.of().to_string() });
    let what = format!("{name} of {} → {spec}", unit.name);
    let (unit, link) = (Some(unit.id), Some(link));
    live.links.push(LiveLink { id, program: name, unit, spec, by_section: false, link, ops: None, slot: None });
    drop(live);
    Ok(handles::value(interp, Rc::new(LinkHandle { id, what })))
}

/// A program that a struct of operations names and that is not loaded; `newer` has some that are not among the live
/// ones yet.
fn lacks(live: &Live, object: &Object, newer: impl Fn(&str) -> Option<Arc<Program>>) -> Option<String> {
    let mut named = object.struct_ops.iter().flat_map(|s| s.functions.iter().map(|(_, p)| p));
    named.find(|p| newer(p).is_none() && !live.programs.contains_key(*p)).cloned()
}

impl Shared {
    /// The struct of operations alone, compiled.
    fn struct_ops_object(&self, interp: &mut Interp, name: Symbol) -> Result<Rc<Object>, LispError> {
        let (compiled, diagnostics) = {
            let sources = self.options.sources.clone();
            let sources = sources.borrow();
            self.session()?.compile(interp, &sources, Some(&[name]), Default::default())
        };
        self.report(diagnostics)?;
        let compiled = compiled.ok_or_else(|| LispError::simple(format!("`{name}` was not compiled")))?;
        Ok(Rc::new(compiled.object))
    }

    /// Makes it in the kernel; `newer` has programs that are not among the live ones yet.
    fn make_struct_ops(
        &self,
        live: &Live,
        object: &Object,
        symbol: &str,
        newer: impl Fn(&str) -> Option<Arc<Program>>,
    ) -> Result<Arc<StructOps>, LispError> {
        let Some(def) = object.struct_ops(symbol) else {
            return Err(LispError::simple(format!("`{symbol}` is no struct of operations of the object")));
        };
        let program = |name: &str| newer(name).or_else(|| live.programs.get(name)?.program.clone());
        match StructOps::make(&self.options.kernel, object, def, program) {
            Ok(ops) => Ok(Arc::new(ops)),
            Err(e) => Err(load_error(object, &e, self.options.refusal)),
        }
    }

    fn registered(&self, ops: &Arc<StructOps>) -> Result<Link, LispError> {
        register(&self.options.kernel, ops).map_err(|e| {
            let error = as_bpf_error(LispError::simple(e.to_string()), e.cause.as_ref());
            match &e.mend {
                Some(mend) => error.help(mend.clone()),
                None => error,
            }
        })
    }

    /// Puts a struct of operations that was declared anew in the place of what is registered under its name; says how.
    pub(crate) fn exchange_struct_ops(&self, interp: &mut Interp, name: Symbol) -> Result<Vec<String>, LispError> {
        let symbol = symbol_name(name.name());
        let registered = self.live()?.links.iter().any(|l| l.ops.is_some() && l.program == symbol);
        if !registered {
            return Ok(Vec::new());
        }
        if let Some(missing) = self.undeclared(name)? {
            return Ok(vec![format!("as before, until `{missing}` is there")]);
        }
        let object = self.struct_ops_object(interp, name)?;
        let mut live = self.live()?;
        let mut links = std::mem::take(&mut live.links);
        let mut said = Vec::new();
        let mut failed = None;
        for link in links.iter_mut().filter(|l| l.ops.is_some() && l.program == symbol) {
            link.ops = Some(object.clone());
            match self.exchange_ops(&live, link, |_| None) {
                Ok(how) => said.push(format!("live on link {} ({how})", link.id)),
                Err(e) if link.link.is_some() => failed = Some(e.help("what was registered goes on as it was")),
                Err(e) => failed = Some(e.help("what was registered is gone: attach it anew")),
            }
        }
        live.links = links;
        failed.map_or(Ok(said), Err)
    }

    /// A program that a struct of operations names and that is not declared.
    fn undeclared(&self, name: Symbol) -> Result<Option<Symbol>, LispError> {
        let session = self.session()?;
        let fields = session.env.struct_ops.get(name).map_or(&[][..], |d| &d.fields[..]);
        Ok(fields.iter().find_map(|f| match f.value {
            OpsValue::Program(p) => session.env.programs.get(p).is_none().then_some(p),
            OpsValue::Data { .. } => None,
        }))
    }

    /// Exchanges registered structs of operations that waited for a program; says how.
    pub(crate) fn complete_struct_ops(&self, interp: &mut Interp, program: Symbol) -> Result<Vec<String>, LispError> {
        let symbol = symbol_name(program.name());
        let waiting: Vec<Symbol> = {
            let (session, live) = (self.session()?, self.live()?);
            let names_it = |name: &Symbol| {
                let fields = session.env.struct_ops.get(*name).map_or(&[][..], |d| &d.fields[..]);
                fields.iter().any(|f| matches!(f.value, OpsValue::Program(p) if symbol_name(p.name()) == symbol))
            };
            let has = |o: &Rc<Object>| o.struct_ops.iter().any(|s| s.functions.iter().any(|(_, p)| *p == symbol));
            let registered = |name: &Symbol| {
                let own = symbol_name(name.name());
                live.links.iter().any(|l| l.program == own && l.ops.as_ref().is_some_and(|o| !has(o)))
            };
            session.env.struct_ops.names().filter(|n| registered(n) && names_it(n)).collect()
        };
        let mut said = Vec::new();
        for name in waiting {
            said.extend(self.exchange_struct_ops(interp, name)?);
        }
        Ok(said)
    }

    fn exchange_ops(
        &self,
        live: &Live,
        link: &mut LiveLink,
        newer: impl Fn(&str) -> Option<Arc<Program>>,
    ) -> Result<String, LispError> {
        let Some(object) = link.ops.clone() else { return Ok("it holds none".to_string()) };
        // A program of it that comes later brings it here again.
        if let Some(missing) = lacks(live, &object, &newer) {
            return Ok(format!("as before, until `{missing}` is there"));
        }
        if self.options.mode == Mode::Vm {
            return Ok("in the virtual machine".to_string());
        }
        let ops = self.make_struct_ops(live, &object, &link.program, newer)?;
        if let Some(Ok(())) = link.link.as_mut().map(|l| l.update_struct_ops(&ops)) {
            return Ok("update: exchanged by the kernel at once".to_string());
        }
        // Without a link, or with another name in it, the old one has to go first.
        let new = match self.registered(&ops) {
            Ok(new) => new,
            Err(_) => {
                link.link = None;
                self.registered(&ops)?
            }
        };
        link.link = Some(new);
        Ok("registered anew".to_string())
    }
}

/// Exchanges every registered struct of operations that has a program of that name, now loaded anew. How, and what
/// could not be exchanged.
pub(crate) fn with_program(
    shared: &Shared,
    live: &mut Live,
    name: &str,
    program: &Arc<Program>,
) -> (Vec<String>, Vec<LispError>) {
    let (mut said, mut failed) = (Vec::new(), Vec::new());
    let mut links = std::mem::take(&mut live.links);
    for link in &mut links {
        let has = |o: &Rc<Object>| o.struct_ops.iter().any(|s| s.functions.iter().any(|(_, p)| p == name));
        if !link.ops.as_ref().is_some_and(has) {
            continue;
        }
        match shared.exchange_ops(live, link, |n| (n == name).then(|| program.clone())) {
            Ok(how) => said.push(format!("live on link {} ({how})", link.id)),
            Err(e) => failed.push(e),
        }
    }
    live.links = links;
    (said, failed)
}
