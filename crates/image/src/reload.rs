//! Programs and maps into the kernel, and again when something they are made from changed.
//!
//! Invariant: what is attached goes on running until its successor is accepted.

use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use whistler_compiler::Compiled;
use whistler_diag::Diagnostic;
use whistler_isa::MapType;
use whistler_lisp::{Interp, LispError, Symbol};
use whistler_loader::{LoadOptions, Loader, Map, Put, RingConsumer};
use whistler_object::{Function, Object};
use whistler_sys::SysError;

use crate::failure::load_error;
use crate::image::Mode;
use crate::live::{LiveProgram, Shared, symbol_name};

impl Shared {
    /// Compiles every program again; those that come out different, or use a map of `remade`, are exchanged. What
    /// to say of these, and why others could not be made again (once, until they can).
    pub fn refresh(&self, interp: &mut Interp, remade: &[String]) -> Result<(Vec<String>, Vec<LispError>), LispError> {
        let mut programs: Vec<(String, Rc<Compiled>)> =
            self.live()?.programs.iter().map(|(n, p)| (n.clone(), p.compiled.clone())).collect();
        programs.sort_by(|a, b| a.0.cmp(&b.0));
        let (mut said, mut failures) = (Vec::new(), Vec::new());
        for (symbol, old) in programs {
            let Some(name) = self.spelled(&symbol)? else { continue };
            let start = Instant::now();
            let made = self.compile_program(interp, &name).and_then(|compiled| {
                let uses_remade = compiled.object.maps.iter().any(|m| remade.contains(&m.name));
                if !uses_remade && same_code(&old.object, &compiled.object) {
                    return Ok(None);
                }
                self.put(&symbol, compiled, start).map(Some)
            });
            let stale = made.is_err();
            let was_stale = match self.live()?.programs.get_mut(&symbol) {
                Some(p) => std::mem::replace(&mut p.stale, stale),
                None => false,
            };
            match made {
                Ok(Some(text)) => said.push(format!("{name} · {text}")),
                Ok(None) => {}
                Err(_) if was_stale => {}
                Err(e) => {
                    let d = e.to_diagnostic().note(format!("`{name}` goes on as it was before this definition"));
                    failures.push(LispError::from_diagnostic(d));
                }
            }
        }
        Ok((said, failures))
    }

    /// A program's name as declared.
    pub fn spelled(&self, symbol: &str) -> Result<Option<String>, LispError> {
        let session = self.session()?;
        Ok(session.env.programs.names().find(|n| symbol_name(n.name()) == symbol).map(|n| n.name().to_string()))
    }

    /// A map that was declared anew with another shape is made anew; with the same shape it keeps its entries.
    /// Whether it is another map now.
    pub fn forget_other_shape(&self, name: &str) -> Result<bool, LispError> {
        let symbol = symbol_name(name);
        let Some(def) = self.map_def(name)? else { return Ok(false) };
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
        Ok(!same)
    }

    /// Compiles a program and puts it where programs run, also under what it is attached to; what to say of it.
    pub fn compile_and_load(&self, interp: &mut Interp, name: &str) -> Result<String, LispError> {
        let start = Instant::now();
        let compiled = self.compile_program(interp, name)?;
        self.put(&symbol_name(name), compiled, start)
    }

    fn compile_program(&self, interp: &mut Interp, name: &str) -> Result<Rc<Compiled>, LispError> {
        let (compiled, diagnostics) = {
            let sources = self.options.sources.clone();
            let sources = sources.borrow();
            self.session()?.compile(interp, &sources, Some(&[Symbol::intern(name)]), Default::default())
        };
        self.report(diagnostics)?;
        compiled.map(Rc::new).ok_or_else(|| LispError::simple(format!("`{name}` was not compiled")))
    }

    fn put(&self, symbol: &str, compiled: Rc<Compiled>, start: Instant) -> Result<String, LispError> {
        let took = start.elapsed();
        let slots: usize = compiled.object.program(symbol).map_or(0, |p| p.function.insns.len());
        let mut said = format!("{slots} instructions · {} µs", took.as_micros());
        if self.options.mode == Mode::Vm {
            let mut live = self.live()?;
            live.emits.learn(&compiled.object);
            live.programs.insert(symbol.to_string(), LiveProgram { compiled, program: None, stale: false });
            live.vm = None;
            return Ok(said);
        }
        let program = self.load(&compiled.object, symbol)?;
        let section = compiled.object.program(symbol).map(|p| p.section.clone()).unwrap_or_default();
        let exchanged = self.exchange(symbol, &program, &section)?;
        let loaded = LiveProgram { compiled, program: Some(program), stale: false };
        self.live()?.programs.insert(symbol.to_string(), loaded);
        if exchanged.is_empty() {
            said.push_str(" · accepted by this kernel");
        }
        for how in exchanged {
            said.push_str(&format!(" · {how}"));
        }
        Ok(said)
    }

    fn load(&self, object: &Object, name: &str) -> Result<Arc<whistler_loader::Program>, LispError> {
        let mut live = self.live()?;
        let options =
            LoadOptions { reuse: live.maps.clone(), reuse_globals: live.globals.clone(), ..LoadOptions::default() };
        let loaded = Loader::with(&self.options.kernel, options)
            .load(object)
            .map_err(|e| load_error(object, &e, self.options.refusal))?;
        live.emits.learn(object);
        live.maps.extend(loaded.maps);
        live.globals.extend(loaded.globals.into_iter().filter(|(_, g)| g.is_writable()));
        loaded.programs.get(name).cloned().ok_or_else(|| LispError::simple(format!("`{name}` was not loaded")))
    }

    /// Gives all maps and globals in the kernel their first contents: emptied where that can be, else made anew with
    /// every program that uses them. What is attached stays as it is.
    pub fn renew_in_kernel(&self) -> Result<(), LispError> {
        let maps: Vec<Arc<Map>> = self.live()?.maps.values().cloned().collect();
        for map in &maps {
            // Those that hold globals are written below.
            if self.map_def(map.name())?.is_none() {
                continue;
            }
            let emptied = empty(map).map_err(|e| LispError::simple(format!("map `{}`: {e}", map.name())))?;
            if emptied == Emptied::No {
                return self.load_all_again();
            }
        }
        self.take_emitted(Duration::ZERO)?;
        let globals: Vec<String> = self.live()?.globals.keys().cloned().collect();
        for symbol in globals {
            let Some(def) = self.global_def(&symbol)? else { return self.load_all_again() };
            let written = match self.live()?.globals.get(&symbol) {
                Some(g) => g.write(&def.init),
                None => Ok(()),
            };
            written.map_err(|e| LispError::simple(format!("global `{symbol}`: {e}")))?;
        }
        Ok(())
    }

    fn load_all_again(&self) -> Result<(), LispError> {
        let programs: Vec<(String, Rc<Compiled>)> = {
            let mut live = self.live()?;
            live.maps.clear();
            live.globals.clear();
            live.emits.forget_ring();
            live.programs.iter().map(|(n, p)| (n.clone(), p.compiled.clone())).collect()
        };
        for (name, compiled) in programs {
            let program = self.load(&compiled.object, &name)?;
            if let Some(p) = self.live()?.programs.get_mut(&name) {
                p.program = Some(program);
            }
        }
        Ok(())
    }

    /// The map in the kernel, made now if no program needed it yet.
    pub fn live_map(&self, name: &str) -> Result<Arc<whistler_loader::Map>, LispError> {
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
            contents: Vec::new(),
            extra: 0,
            span: def.span,
        };
        let object = Object { maps: vec![map], ..Object::default() };
        let loaded = Loader::new(&self.options.kernel)
            .load(&object)
            .map_err(|e| load_error(&object, &e, self.options.refusal))?;
        let map = loaded.map(&symbol).cloned().ok_or_else(|| LispError::simple(format!("`{name}` was not made")))?;
        self.live()?.maps.insert(symbol, map.clone());
        Ok(map)
    }
}

/// Whether a map could be emptied.
#[derive(PartialEq, Eq)]
enum Emptied {
    Yes,
    No,
}

/// Removes what a map holds; programs and maps in it stay, they are no contents.
fn empty(map: &Arc<Map>) -> Result<Emptied, SysError> {
    use MapType::*;
    match map.map_type() {
        Some(Hash | LruHash | PercpuHash | LruPercpuHash | LpmTrie) => {
            let keys: Vec<Vec<u8>> = map.keys().collect::<Result<_, _>>()?;
            for key in keys {
                map.delete(&key)?;
            }
        }
        Some(Array | PercpuArray) => {
            for entry in map.entries() {
                let (key, values) = entry?;
                if values.iter().flatten().any(|b| *b != 0) {
                    map.update(&key, &vec![0; map.shape().value_size as usize], Put::Any)?;
                }
            }
        }
        Some(Ringbuf) => {
            let mut ring = RingConsumer::new()?;
            ring.add(map.clone(), None)?;
            ring.consume(|_, _| ControlFlow::Continue(()))?;
        }
        Some(ProgArray | ArrayOfMaps | HashOfMaps) => {}
        _ => return Ok(Emptied::No),
    }
    Ok(Emptied::Yes)
}

/// Whether two objects of a program do the same with the same things.
fn same_code(a: &Object, b: &Object) -> bool {
    let function = |a: &Function, b: &Function| {
        a.name == b.name && a.insns == b.insns && a.relocations == b.relocations && a.core == b.core
    };
    a.btf == b.btf
        && a.programs.len() == b.programs.len()
        && a.programs.iter().zip(&b.programs).all(|(a, b)| {
            function(&a.function, &b.function)
                && (&a.section, a.prog_type, a.attach_type, &a.attach_target, &a.license, a.sleepable)
                    == (&b.section, b.prog_type, b.attach_type, &b.attach_target, &b.license, b.sleepable)
        })
        && a.subprograms.len() == b.subprograms.len()
        && a.subprograms.iter().zip(&b.subprograms).all(|(a, b)| function(a, b))
        && a.maps.len() == b.maps.len()
        && a.maps.iter().zip(&b.maps).all(|(a, b)| {
            (&a.name, a.map_type, a.key_size, a.value_size, a.max_entries, a.flags)
                == (&b.name, b.map_type, b.key_size, b.value_size, b.max_entries, b.flags)
        })
        && a.globals.len() == b.globals.len()
        && a.globals
            .iter()
            .zip(&b.globals)
            .all(|(a, b)| (&a.name, &a.init, a.mutability, &a.section) == (&b.name, &b.init, b.mutability, &b.section))
}
