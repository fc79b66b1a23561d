//! The places where a program is run: the reference, the machine, the kernel. Invariant: each starts from the same
//! input and gives everything that the program may have changed.

use std::ops::ControlFlow;
use std::os::fd::AsFd;

use whistler_compiler::hir::{MapId, Unit};
use whistler_compiler::refeval::{self, World};
use whistler_isa::{MapType, ProgType};
use whistler_kernel::Kernel;
use whistler_loader::{LoadError, Loader, Map, RingConsumer, TestRun};
use whistler_object::Object;
use whistler_sys::Errno;
use whistler_vm::{Machine, MachineOptions, RunInput};

use super::{After, Problem};

/// What a program is run on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Input {
    /// The packet.
    pub packet: Vec<u8>,
    /// What a socket buffer holds beside it.
    pub buffer: Buffer,
}

/// Fields of a socket buffer that a test run takes and gives back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct Buffer {
    pub mark: u32,
    pub priority: u32,
    pub cb: [u32; 5],
    pub tstamp: u64,
}

/// `sizeof(struct __sk_buff)`, and where its fields are (linux/bpf.h).
const SK_BUFF_LEN: usize = 192;
const LEN: usize = 0;
const MARK: usize = 8;
const PRIORITY: usize = 32;
const IFINDEX: usize = 40;
const CB: usize = 48;
const TSTAMP: usize = 152;
const WIRE_LEN: usize = 160;

/// `sizeof(struct xdp_md)`, and where its fields are.
const XDP_LEN: usize = 24;
const INGRESS_IFINDEX: usize = 12;

/// The interface that a test run pretends a packet came from: loopback.
const LOOPBACK: u32 = 1;

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

impl Buffer {
    /// The context as it is given to a test run.
    fn given(&self) -> Vec<u8> {
        let mut bytes = vec![0; SK_BUFF_LEN];
        put(&mut bytes, MARK, &self.mark.to_le_bytes());
        put(&mut bytes, PRIORITY, &self.priority.to_le_bytes());
        for (i, n) in self.cb.iter().enumerate() {
            put(&mut bytes, CB + 4 * i, &n.to_le_bytes());
        }
        put(&mut bytes, TSTAMP, &self.tstamp.to_le_bytes());
        bytes
    }
}

impl Input {
    /// The context as programs of the type see it.
    fn seen(&self, prog: Option<ProgType>) -> Vec<u8> {
        if !is_buffer(prog) {
            let mut bytes = vec![0; XDP_LEN];
            put(&mut bytes, INGRESS_IFINDEX, &LOOPBACK.to_le_bytes());
            return bytes;
        }
        let mut bytes = self.buffer.given();
        let len = (self.packet.len() as u32).to_le_bytes();
        put(&mut bytes, LEN, &len);
        put(&mut bytes, WIRE_LEN, &len);
        put(&mut bytes, IFINDEX, &LOOPBACK.to_le_bytes());
        bytes
    }
}

fn is_buffer(prog: Option<ProgType>) -> bool {
    prog == Some(ProgType::SchedCls)
}

/// What a test run gives back of the context.
fn written(prog: Option<ProgType>, ctx: &[u8]) -> Vec<u8> {
    if !is_buffer(prog) || ctx.len() < SK_BUFF_LEN {
        return Vec::new();
    }
    let parts = [(MARK, 4), (PRIORITY, 4), (CB, 20), (TSTAMP, 8)];
    parts.iter().flat_map(|(at, len)| ctx[*at..at + len].to_vec()).collect()
}

fn not_zero(value: &[u8]) -> bool {
    value.iter().any(|b| *b != 0)
}

/// The type of the program `p`.
fn prog_type(object: &Object) -> Option<ProgType> {
    object.programs.iter().find(|p| p.function.name == "p").map(|p| p.prog_type)
}

/// The programs that `(tail-call jumps n)` finds: `tail-n`.
fn tails(object: &Object) -> impl Iterator<Item = (u32, &str)> {
    object.programs.iter().filter_map(|p| {
        let name = p.function.name.as_str();
        Some((name.strip_prefix("tail_")?.parse().ok()?, name))
    })
}

/// The map of those programs.
const JUMPS: &str = "jumps";

/// Whether a map's entries can be listed and compared.
fn has_entries(kind: MapType) -> bool {
    use MapType as T;
    matches!(kind, T::Hash | T::Array | T::LruHash | T::PercpuHash | T::PercpuArray | T::LruPercpuHash | T::LpmTrie)
}

fn is_line(kind: MapType) -> bool {
    matches!(kind, MapType::Queue | MapType::Stack)
}

fn is_ring(kind: MapType) -> bool {
    kind == MapType::Ringbuf
}

/// Whether an object's maps have values per processor.
pub(super) fn has_per_cpu(object: &Object) -> bool {
    use MapType as T;
    object.maps.iter().any(|m| matches!(m.map_type, T::PercpuHash | T::PercpuArray | T::LruPercpuHash))
}

pub(super) fn reference(unit: &Unit, inputs: &[Input]) -> Result<After, Problem> {
    let mut world = World::new(unit);
    for (i, m) in unit.maps.iter().enumerate().filter(|(_, m)| &*m.name == JUMPS) {
        for f in unit.functions.iter().filter(|f| f.program.is_some()) {
            let number = f.name.strip_prefix("tail-").and_then(|n| n.parse::<u32>().ok());
            if let Some(n) = number.filter(|n| *n < m.max_entries) {
                world.set_program(MapId(i as u32), n, &f.name);
            }
        }
    }
    let prog = unit.functions.iter().find(|f| &*f.name == "p").and_then(|f| f.program.as_ref()).map(|p| p.prog_type);
    let steps = world.steps;
    let mut runs = Vec::new();
    for input in inputs {
        world.steps = steps;
        world.set_packet(&input.packet);
        world.set_ctx(&input.seen(prog));
        let out = refeval::run(unit, "p", &mut world).map_err(|f| Problem::Fault(format!("reference: {}", f.0)))?;
        runs.push((out.ret as u32, world.packet().to_vec(), written(prog, world.ctx())));
    }
    let mut after = After { runs, ..After::default() };
    for (i, m) in unit.maps.iter().enumerate() {
        let (id, name) = (MapId(i as u32), m.name.replace('-', "_"));
        after.records.extend(world.records(id).iter().map(|r| (name.clone(), r.clone())));
        if is_line(m.map_type) {
            after.lines.insert(name.clone(), world.line(id));
        }
        if has_entries(m.map_type) {
            let entries = world.entries(id).into_iter().filter(|(_, value)| not_zero(value));
            after.entries.extend(entries.map(|(key, value)| ((name.clone(), key), value)));
        }
    }
    let globals = unit.globals.iter().enumerate().filter(|(_, g)| g.writable);
    after.globals = globals.map(|(i, g)| (g.name.replace('-', "_"), world.global(i).to_vec())).collect();
    Ok(after)
}

pub(super) fn in_vm(object: &Object, inputs: &[Input]) -> Result<After, Problem> {
    let fault = |e: &dyn std::fmt::Display| Problem::Fault(format!("VM: {e}"));
    let mut machine = Machine::new(object, MachineOptions::default()).map_err(|e| fault(&e))?;
    for (n, program) in tails(object) {
        machine.set_program(JUMPS, n, Some(program)).map_err(|e| fault(&e))?;
    }
    let prog = prog_type(object);
    let mut after = After::default();
    for input in inputs {
        let ctx = is_buffer(prog).then(|| input.buffer.given());
        let given = RunInput { packet: Some(input.packet.clone()), ctx, ..RunInput::default() };
        let out = machine.run("p", given).map_err(|e| fault(&e))?;
        after.runs.push((out.ret as u32, out.packet, written(prog, &out.ctx)));
    }
    for m in &object.maps {
        if is_ring(m.map_type) {
            let drained = machine.drain_ring(&m.name).map_err(|e| fault(&e))?;
            after.records.extend(drained.into_iter().map(|r| (m.name.clone(), r)));
        }
        if is_line(m.map_type) {
            let mut line = Vec::new();
            while let Some(value) = machine.pop(&m.name).map_err(|e| fault(&e))? {
                line.push(value);
            }
            after.lines.insert(m.name.clone(), line);
        }
        if has_entries(m.map_type) {
            for key in machine.keys(&m.name).map_err(|e| fault(&e))? {
                let values = machine.lookup_per_cpu(&m.name, &key).map_err(|e| fault(&e))?.unwrap_or_default();
                let value = values.first().cloned().unwrap_or_default();
                if not_zero(&value) {
                    after.entries.insert((m.name.clone(), key), value);
                }
            }
        }
    }
    for g in &object.globals {
        after.globals.insert(g.name.clone(), machine.global(&g.name).unwrap_or_default().to_vec());
    }
    Ok(after)
}

pub(super) fn in_kernel(kernel: &Kernel, object: &Object, inputs: &[Input]) -> Result<After, Problem> {
    let loaded = Loader::new(kernel).load(object).map_err(|e| match &e {
        LoadError::Verifier(v) => Problem::Verifier(format!("{e}\n{}", v.log)),
        _ => Problem::Verifier(e.to_string()),
    })?;
    let fault = |e: &dyn std::fmt::Display| Problem::Fault(format!("kernel: {e}"));
    let program = loaded.program("p").ok_or_else(|| fault(&"the program is not there"))?;
    for (n, name) in tails(object) {
        let (Some(map), Some(to)) = (loaded.map(JUMPS), loaded.program(name)) else { continue };
        map.update_fd(&n.to_le_bytes(), to.as_fd()).map_err(|e| fault(&e))?;
    }
    let prog = prog_type(object);
    let mut after = After::default();
    for input in inputs {
        let ctx_in = if is_buffer(prog) { input.buffer.given() } else { Vec::new() };
        let run = TestRun { data_in: &input.packet, ctx_in: &ctx_in, ..TestRun::default() };
        let out = program.test_run(&run).map_err(|e| fault(&e))?;
        after.runs.push((out.retval, out.data_out, written(prog, &out.ctx_out)));
    }
    for m in &object.maps {
        let Some(map) = loaded.map(&m.name) else { continue };
        if is_ring(m.map_type) {
            let mut ring = RingConsumer::new().map_err(|e| fault(&e))?;
            ring.add(map.clone(), None).map_err(|e| fault(&e))?;
            let keep = |_, record: &[u8]| {
                after.records.push((m.name.clone(), record.to_vec()));
                ControlFlow::Continue(())
            };
            ring.consume(keep).map_err(|e| fault(&e))?;
        }
        if is_line(m.map_type) {
            after.lines.insert(m.name.clone(), taken_out(map).map_err(|e| fault(&e))?);
        }
        if has_entries(m.map_type) {
            for entry in map.entries() {
                let (key, values) = entry.map_err(|e| fault(&e))?;
                // The program ran on one processor: the others' values are zeros.
                let value = values.iter().find(|v| not_zero(v)).cloned().unwrap_or_default();
                if not_zero(&value) {
                    after.entries.insert((m.name.clone(), key), value);
                }
            }
        }
    }
    for g in &object.globals {
        let Some(handle) = loaded.global(&g.name) else { continue };
        after.globals.insert(g.name.clone(), handle.read().map_err(|e| fault(&e))?);
    }
    Ok(after)
}

/// All values of a queue or stack.
fn taken_out(map: &Map) -> Result<Vec<Vec<u8>>, whistler_sys::SysError> {
    let mut line = Vec::new();
    loop {
        match map.fd().lookup_and_delete(&[]) {
            Ok(Some(value)) => line.push(value),
            Ok(None) => return Ok(line),
            Err(e) if e.errno == Errno::ENOENT => return Ok(line),
            Err(e) => return Err(e),
        }
    }
}
