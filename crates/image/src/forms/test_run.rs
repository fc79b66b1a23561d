//! `run-prog`: a program once, on a packet or context given.

use std::rc::Rc;

use whistler_lisp::{Interp, LispError, LispResult, Value};
use whistler_loader::TestRun;
use whistler_vm::RunInput;

use super::define;
use crate::args::Args;
use crate::handles::program_name;
use crate::image::Mode;
use crate::live::Shared;

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "run-prog",
        "program &optional packet &key ctx",
        "Runs a program once on PACKET or CTX (vectors or lists of bytes) and returns what it returns.",
        run_prog,
    );
}

fn run_prog(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let args = Args::new("run-prog", values, &["ctx"])?;
    let [program, rest @ ..] = args.plain.as_slice() else {
        return Err(LispError::simple("`run-prog` takes a program and a packet"));
    };
    let name = program_name(interp, *program)?;
    let packet = rest.first().map(|v| bytes(interp, *v)).transpose()?;
    let ctx = args.get("ctx").map(|v| bytes(interp, v)).transpose()?;
    let ret = match shared.options.mode {
        Mode::Vm => shared.with_vm(interp, |vm| {
            let input = RunInput { packet, ctx, ..RunInput::default() };
            let out = vm.machine.run(&name, input);
            out.map(|o| i64::from(o.ret as u32)).map_err(|e| LispError::simple(format!("`{name}`: {e}")))
        })?,
        Mode::Kernel => {
            let found = shared.live()?.programs.get(&name).and_then(|p| p.program.clone());
            let found = found.ok_or_else(|| LispError::simple(format!("there is no program `{name}`")))?;
            let run = TestRun {
                data_in: packet.as_deref().unwrap_or(&[]),
                ctx_in: ctx.as_deref().unwrap_or(&[]),
                ..TestRun::default()
            };
            let out = found.test_run(&run).map_err(|e| LispError::simple(format!("`{name}` can't be run so: {e}")))?;
            i64::from(out.retval)
        }
    };
    Ok(Value::Int(ret))
}

fn bytes(interp: &Interp, v: Value) -> Result<Vec<u8>, LispError> {
    if let Some(b) = interp.heap.byte_slice(v) {
        return Ok(b.to_vec());
    }
    let items = interp.heap.items(v).map(<[Value]>::to_vec).or_else(|| interp.heap.list_items(v));
    let items = items.ok_or_else(|| LispError::wrong_type(&interp.show(v), "bytes"))?;
    let byte = |v: &Value| v.as_i64().and_then(|n| u8::try_from(n).ok());
    items.iter().map(|v| byte(v).ok_or_else(|| LispError::wrong_type(&interp.show(*v), "a byte"))).collect()
}
