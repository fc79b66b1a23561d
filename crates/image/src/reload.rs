//! Programs and maps into the kernel, and again when something they are made from changed.
//!
//! Invariant: what is attached goes on running until its successor is accepted.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use whistler_compiler::Compiled;
use whistler_diag::Diagnostic;
use whistler_isa::{Insn, MapType, op};
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
        self.hint_at_trace_buffer(symbol, &compiled.object)?;
        let loaded = LiveProgram { compiled, program: Some(program), stale: false };
        self.live()?.programs.insert(symbol.to_string(), loaded);
        self.fill_again(Some(symbol))?;
        if exchanged.is_empty() {
            said.push_str(" · accepted by this kernel");
        }
        for how in exchanged {
            said.push_str(&format!(" · {how}"));
        }
        Ok(said)
    }

    /// Tells once that nothing of what programs write by `printk` will be seen.
    fn hint_at_trace_buffer(&self, symbol: &str, object: &Object) -> Result<(), LispError> {
        const PRINTK: [&str; 2] = ["trace_printk", "trace_vprintk"];
        let numbers = PRINTK.map(|n| whistler_isa::helpers::by_name(n).map(|h| h.id as i32));
        let call = |i: &Insn| i.code == op::JMP | op::CALL && i.src == 0 && numbers.contains(&Some(i.imm));
        let functions = object.programs.iter().map(|p| &p.function).chain(&object.subprograms);
        if self.live()?.told_of_trace_buffer || !functions.flat_map(|f| &f.insns).any(call) {
            return Ok(());
        }
        let off = self.options.kernel.tracefs().ok().and_then(|t| t.tracing_on()) == Some(false);
        let place = self.session()?.env.programs.get(Symbol::intern(symbol)).map(|p| p.form.span).unwrap_or_default();
        let mut live = self.live()?;
        live.told_of_trace_buffer = true;
        if off {
            let text = "nothing of what `printk` writes will be seen: the trace buffer is off (tracing_on is 0)";
            let d = Diagnostic::warning(whistler_diag::Code("W0903"), place, text);
            live.reports.push(d.help("echo 1 | sudo tee /sys/kernel/tracing/tracing_on"));
        }
        Ok(())
    }

    fn load(&self, object: &Object, name: &str) -> Result<Arc<whistler_loader::Program>, LispError> {
        let mut live = self.live()?;
        let object = &*with_parameters(object, &live.parameters);
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
        if self.forget_slots_of_test()? {
            self.live()?.parameters.clear();
            return self.load_all_again();
        }
        let parameters: Vec<String> = self.live()?.parameters.drain().map(|(n, _)| n).collect();
        self.load_readers_again(&parameters)?;
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
        self.fill_again(None)
    }

    /// Gives a parameter a value for the test that runs: programs that read it are loaded anew with it, on the same
    /// maps.
    pub fn set_parameter_in_test(&self, interp: &mut Interp, symbol: &str, value: Vec<u8>) -> Result<(), LispError> {
        self.live()?.parameters.insert(symbol.to_string(), value.clone());
        if self.options.mode == Mode::Kernel {
            return self.load_readers_again(&[symbol.to_string()]);
        }
        self.with_vm(interp, |vm| {
            // One that no program reads is not there.
            if vm.machine.global(symbol).is_some() {
                let set = vm.machine.set_global(symbol, &value);
                set.map_err(|e| LispError::simple(format!("parameter `{symbol}`: {e}")))?;
            }
            Ok(())
        })
    }

    fn load_readers_again(&self, parameters: &[String]) -> Result<(), LispError> {
        let readers: Vec<(String, Rc<Compiled>)> = {
            let live = self.live()?;
            let reads = |o: &Object| o.globals.iter().any(|g| parameters.contains(&g.name));
            let all = live.programs.iter().filter(|(_, p)| reads(&p.compiled.object));
            all.map(|(n, p)| (n.clone(), p.compiled.clone())).collect()
        };
        for (name, compiled) in readers {
            let program = self.load(&compiled.object, &name)?;
            if let Some(p) = self.live()?.programs.get_mut(&name) {
                p.program = Some(program);
            }
            self.fill_again(Some(&name))?;
        }
        Ok(())
    }

    /// An error when host variables that a program was compiled with have other values now.
    pub fn compiled_with_present_values(&self, interp: &mut Interp, symbol: &str) -> Result<(), LispError> {
        let Some(name) = self.spelled(symbol)? else { return Ok(()) };
        let Some(old) = self.live()?.programs.get(symbol).map(|p| p.compiled.clone()) else { return Ok(()) };
        let used: Vec<Symbol> =
            self.session()?.env.uses.get(&Symbol::intern(&name)).into_iter().flatten().copied().collect();
        let number = |i: &mut Interp, s: Symbol| i.constant(s).is_some_and(|v| i.heap.as_i128(v).is_some());
        let mut variables: Vec<Symbol> =
            used.into_iter().filter(|s| number(interp, *s) && !interp.is_constant(*s)).collect();
        variables.sort();
        let Some(first) = variables.first() else { return Ok(()) };
        let new = self.compile_program(interp, &name)?;
        if same_code(&old.object, &new.object) {
            return Ok(());
        }
        let text = format!("`{first}` was changed, and `{name}` was compiled with the value that it had before");
        let mend = "what a test may set before a run is a parameter, as (defparam port u16 80), or a global";
        Err(LispError::simple(text).help(mend))
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
        let object = Object { maps: vec![whistler_compiler::assemble::bare_map(&def)], ..Object::default() };
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

/// The object with other first values of its parameters.
fn with_parameters<'o>(object: &'o Object, values: &FxHashMap<String, Vec<u8>>) -> Cow<'o, Object> {
    let given = |g: &whistler_object::Global| values.get(&g.name).filter(|v| v.len() == g.init.len());
    if !object.globals.iter().any(|g| given(g).is_some()) {
        return Cow::Borrowed(object);
    }
    let mut object = object.clone();
    for g in &mut object.globals {
        if let Some(value) = given(g) {
            g.init.clone_from(value);
        }
    }
    Cow::Owned(object)
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
