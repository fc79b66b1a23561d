//! Globals from the host.

use std::rc::Rc;

use whistler_compiler::hir::{GlobalDef, Ty};
use whistler_lisp::{Interp, LispError, LispResult, Symbol, Value};

use super::define;
use crate::args::Args;
use crate::codec::Codec;
use crate::handles::{GlobalRef, name_of};
use crate::image::Mode;
use crate::live::{Shared, symbol_name};

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(interp, shared, "global-ref", "global", "A global's value now. Setf-able where programs may write it.", get);
    define(
        interp,
        shared,
        "(setf global-ref)",
        "value global",
        "Gives a global a value; a parameter, where no program that reads it is loaded, or for the rest of a test.",
        set,
    );
    // `(setf port 81)` means the same.
    let shared = shared.clone();
    interp.set_assign(Rc::new(move |interp: &mut Interp, name, value| {
        let global = interp.constant(name).filter(|v| interp.heap.downcast::<GlobalRef>(*v).is_some());
        let Some(global) = global else { return Ok(false) };
        set(&shared, interp, &[value, global])?;
        Ok(true)
    }));
}

fn get(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [global] = Args::new("global-ref", args, &[])?.exactly()?;
    let (name, codec, init) = find(shared, interp, global)?;
    let bytes = match shared.options.mode {
        Mode::Vm => shared.with_vm(interp, |vm| Ok(vm.machine.global(&symbol_name(&name)).map(<[u8]>::to_vec)))?,
        Mode::Kernel if shared.live()?.parameters.contains_key(&symbol_name(&name)) => {
            shared.live()?.parameters.get(&symbol_name(&name)).cloned()
        }
        Mode::Kernel => match shared.live()?.globals.get(&symbol_name(&name)) {
            Some(g) => Some(g.read().map_err(|e| LispError::simple(format!("global `{name}`: {e}")))?),
            None => None,
        },
    };
    // One that no loaded program uses has its first value.
    Ok(codec.decode(&bytes.unwrap_or(init), &mut interp.heap))
}

fn set(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [value, global] = Args::new("(setf global-ref)", args, &[])?.exactly()?;
    let (name, codec, _) = find(shared, interp, global)?;
    let bytes = codec.encode(value, &interp.heap)?;
    in_range(shared, interp, &name, value)?;
    if shared.global_def(&name)?.is_some_and(|d| !d.writable) {
        if shared.live()?.running.is_some() {
            shared.set_parameter_in_test(interp, &symbol_name(&name), bytes)?;
        } else {
            set_parameter(shared, &name, bytes)?;
        }
        return Ok(value);
    }
    match shared.options.mode {
        Mode::Vm => shared.with_vm(interp, |vm| {
            let set = vm.machine.set_global(&symbol_name(&name), &bytes);
            set.map_err(|e| LispError::simple(format!("global `{name}`: {e}")))
        })?,
        Mode::Kernel => match shared.live()?.globals.get(&symbol_name(&name)) {
            Some(g) => g.write(&bytes).map_err(|e| LispError::simple(format!("global `{name}`: {e}")))?,
            None => {
                return Err(LispError::simple(format!(
                    "`{name}` is not live: no loaded program uses it, or it is read-only"
                )));
            }
        },
    }
    Ok(value)
}

/// A parameter has its value before a program that reads it is loaded: the kernel freezes it then, and the verifier has
/// counted on it.
fn set_parameter(shared: &Shared, name: &str, bytes: Vec<u8>) -> Result<(), LispError> {
    let symbol = symbol_name(name);
    let reads = |object: &whistler_object::Object| object.global(&symbol).is_some();
    let reader = {
        let live = shared.live()?;
        let mut readers: Vec<&String> =
            live.programs.iter().filter(|(_, p)| reads(&p.compiled.object)).map(|(n, _)| n).collect();
        readers.sort();
        readers.first().map(|n| (*n).clone())
    };
    if let Some(reader) = reader {
        let program = shared.spelled(&reader)?.unwrap_or(reader);
        let e = LispError::simple(format!("`{name}` is a parameter, and `{program}`, which reads it, is loaded"));
        return Err(e
            .help(format!("declare it again, and its programs are made anew: (defparam {name} TYPE value)"))
            .help("what is set while programs run is a global: (defglobal name TYPE value)"));
    }
    let globals = &mut shared.session()?.env.globals;
    if let Some(def) = globals.get(Symbol::intern(name)).cloned() {
        let spelled = globals.spelled(Symbol::intern(name)).unwrap_or_else(|| Symbol::intern(name));
        globals.insert(spelled, Rc::new(GlobalDef { init: bytes, ..(*def).clone() }));
    }
    Ok(())
}

/// A number that the global's type has. (Other values the codec looks at.)
fn in_range(shared: &Shared, interp: &Interp, name: &str, value: Value) -> Result<(), LispError> {
    let Some(def) = shared.global_def(name)? else { return Ok(()) };
    let (Some(n), Ty::Int(int)) = (interp.heap.as_i128(value), &def.ty) else { return Ok(()) };
    let bits = u32::from(int.size) * 8;
    let (lo, hi) =
        if int.signed { (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1) } else { (0, (1i128 << bits) - 1) };
    if (lo..=hi).contains(&n) {
        return Ok(());
    }
    Err(LispError::simple(format!("{n} does not fit `{name}`, which is {}: {lo} to {hi}", def.ty)))
}

fn find(shared: &Shared, interp: &Interp, value: Value) -> Result<(String, Codec, Vec<u8>), LispError> {
    let name = name_of(interp, value).ok_or_else(|| LispError::wrong_type(&interp.show(value), "a global"))?;
    match shared.global_def(&name)? {
        Some(def) => Ok((name, Codec::new(&def.ty, interp), def.init.clone())),
        None => Err(LispError::simple(format!("there is no global `{name}`"))),
    }
}
