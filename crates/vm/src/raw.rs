//! Raw mode: bare instruction bytes on bare memory, as suites that test
//! implementations of RFC 9669 drive a machine. The same interpreter, no object.

use whistler_isa::{Insn, ProgType};
use whistler_object::{Function, Symbol};

use crate::code::{Code, Resolve};
use crate::exec::Registers;
use crate::fault::{Fault, FaultKind};
use crate::machine::{MachineOptions, State, execute};
use crate::memory::{Memory, Packet};

/// What a raw run gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawOutput {
    /// r0 at exit.
    pub ret: u64,
    /// The memory afterwards.
    pub mem: Vec<u8>,
    /// Instructions run.
    pub steps: u64,
}

/// Runs the instructions with r1 and r2 the address and length of `mem` (both 0 when it is empty); gives r0.
pub fn run(bytes: &[u8], mem: &[u8]) -> Result<u64, Fault> {
    run_full(bytes, mem, &MachineOptions::default()).map(|out| out.ret)
}

/// The same with options, giving all there is to know.
pub fn run_full(bytes: &[u8], mem: &[u8], options: &MachineOptions) -> Result<RawOutput, Fault> {
    const NAME: &str = "raw";
    let Some(insns) = Insn::decode_all(bytes) else {
        return Err(Fault {
            kind: FaultKind::BadInstruction(format!("({} bytes are no whole number of 8-byte slots)", bytes.len())),
            function: NAME.into(),
            insn: bytes.len() / 8,
            location: None,
            callers: Vec::new(),
        });
    };
    let mut code = Code::default();
    code.add(&Function { name: NAME.into(), insns, ..Function::default() }, &NoNames);
    let mut state = State::new(options);
    state.begin(ProgType::Unspec);
    // The memory is the packet, so that packet loads work on it too.
    state.mem.packet = Packet { buf: mem.to_vec(), end: mem.len(), ..Packet::default() };
    let mut r: Registers = [0; 16];
    if !mem.is_empty() {
        r[1] = Memory::packet_address(0);
        r[2] = mem.len() as u64;
    }
    let ret = execute(&code, &mut state, 0, r)?;
    Ok(RawOutput { ret, mem: state.mem.packet.buf, steps: state.budget - state.left })
}

/// Bare instructions name nothing.
struct NoNames;

impl Resolve for NoNames {
    fn address(&self, _: &Symbol) -> Result<u64, String> {
        Err("raw instructions name nothing".into())
    }

    fn function(&self, _: &str) -> Option<usize> {
        None
    }

    fn function_address(&self, start: usize) -> u64 {
        Memory::function_address(start)
    }
}
