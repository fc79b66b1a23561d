//! Globals from the host.

use std::rc::Rc;

use whistler_lisp::{Interp, LispError, LispResult, Value};

use super::define;
use crate::args::Args;
use crate::codec::Codec;
use crate::handles::name_of;
use crate::image::Mode;
use crate::live::{Shared, symbol_name};

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(interp, shared, "global-ref", "global", "A global's value now. Setf-able where programs may write it.", get);
    define(interp, shared, "(setf global-ref)", "value global", "Gives a global a value.", set);
}

fn get(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [global] = Args::new("global-ref", args, &[])?.exactly()?;
    let (name, codec, init) = find(shared, interp, global)?;
    let bytes = match shared.options.mode {
        Mode::Vm => shared.with_vm(interp, |vm| Ok(vm.machine.global(&symbol_name(&name)).map(<[u8]>::to_vec)))?,
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

fn find(shared: &Shared, interp: &Interp, value: Value) -> Result<(String, Codec, Vec<u8>), LispError> {
    let name = name_of(interp, value).ok_or_else(|| LispError::wrong_type(&interp.show(value), "a global"))?;
    match shared.global_def(&name)? {
        Some(def) => Ok((name, Codec::new(&def.ty, interp), def.init.clone())),
        None => Err(LispError::simple(format!("there is no global `{name}`"))),
    }
}
