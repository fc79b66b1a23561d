//! Stacks of the kernel: what maps of type `:stack-trace` hold, and the names of the functions in them. Invariant: the
//! kernel's symbols are read when the first name is asked for, and once.

use std::rc::Rc;

use whistler_isa::MapType;
use whistler_lisp::{Foreign, Interp, LispError, LispResult, Value};

use super::define;
use super::maps::Typed;
use crate::args::Args;
use crate::live::Shared;

/// A stack: addresses, the innermost first.
pub(crate) struct Stack {
    frames: Vec<u64>,
}

impl Foreign for Stack {
    fn type_name(&self) -> &str {
        "stack"
    }

    fn print(&self) -> String {
        let frames: String = self.frames.iter().map(|a| format!(" {a:x}")).collect();
        format!("#<stack{frames}>")
    }
}

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "stack-frames",
        "stack",
        "The addresses of a stack that a map of type :stack-trace holds, as a list of numbers, the innermost first.",
        stack_frames,
    );
    define(
        interp,
        shared,
        "ksym",
        "address",
        "The name of the kernel's function at an address; the address in hexadecimal where the kernel shows none.",
        ksym,
    );
    define(
        interp,
        shared,
        "ksyms",
        "stack",
        "The frames of a stack of the kernel's (or of a list of addresses) as a list of strings \"function+0xoffset\", the innermost first.",
        ksyms,
    );
}

/// The value that a map of stacks holds; `None` of other maps, and where the value is no array of addresses.
pub(super) fn decode(interp: &mut Interp, typed: &Typed, bytes: &[u8]) -> Option<Value> {
    if typed.def.map_type != MapType::StackTrace || !bytes.len().is_multiple_of(8) {
        return None;
    }
    let all = bytes.as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b));
    // Behind the last frame the kernel leaves zeros.
    let frames = all.take_while(|a| *a != 0).collect();
    Some(interp.heap.foreign(Rc::new(Stack { frames })))
}

/// The addresses of a stack, or of a list or vector of numbers.
fn frames(interp: &Interp, value: Value) -> Result<Vec<u64>, LispError> {
    if let Some(stack) = interp.heap.downcast::<Stack>(value) {
        return Ok(stack.frames.clone());
    }
    let items = interp.heap.list_items(value).or_else(|| interp.heap.items(value).map(<[Value]>::to_vec));
    let numbers = items.and_then(|items| items.iter().map(|v| address(interp, *v)).collect());
    numbers.ok_or_else(|| LispError::wrong_type(&interp.show(value), "a stack, nor a list of addresses"))
}

fn address(interp: &Interp, value: Value) -> Option<u64> {
    interp.heap.as_i128(value).and_then(|n| u64::try_from(n).ok())
}

/// The function at an address, and how far into it that is.
fn symbol(shared: &Shared, address: u64) -> Option<(String, u64)> {
    let symbols = shared.options.kernel.symbols().ok()?;
    symbols.at(address).map(|(name, offset)| (name.to_string(), offset))
}

fn stack_frames(_: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [stack] = Args::new("stack-frames", values, &[])?.exactly()?;
    let frames: Vec<Value> = frames(interp, stack)?.into_iter().map(|a| interp.heap.unsigned(a)).collect();
    Ok(interp.heap.list(&frames))
}

fn ksym(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [value] = Args::new("ksym", values, &[])?.exactly()?;
    let at = address(interp, value).ok_or_else(|| LispError::wrong_type(&interp.show(value), "an address"))?;
    let name = symbol(shared, at).map_or_else(|| format!("{at:#x}"), |(name, _)| name);
    Ok(interp.heap.string(name))
}

fn ksyms(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [stack] = Args::new("ksyms", values, &[])?.exactly()?;
    let mut names = Vec::new();
    for at in frames(interp, stack)? {
        let name = symbol(shared, at).map_or_else(|| format!("{at:#x}"), |(name, off)| format!("{name}+{off:#x}"));
        names.push(interp.heap.string(name));
    }
    Ok(interp.heap.list(&names))
}
