//! `whistler vm-run`: raw instructions, as conformance suites drive a machine.

use std::io::Read;

use super::Outcome;
use crate::args::VmRunArgs;
use crate::io::hex;

/// Runs the instructions on standard input; prints r0.
pub fn run(args: &VmRunArgs) -> Outcome {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|e| format!("standard input: {e}"))?;
    let code = hex(&text).map_err(|e| format!("the program: {e}"))?;
    let memory = hex(args.memory.as_deref().unwrap_or("")).map_err(|e| format!("the memory: {e}"))?;
    match whistler_vm::raw::run(&code, &memory) {
        Ok(r0) => {
            say!("{r0:x}");
            Ok(true)
        }
        Err(fault) => Err(fault.to_string()),
    }
}
