//! One program, everywhere: the reference, the machine and the kernel must agree on the result, the packet and
//! every map. Invariant: what one of them can't do is a [`Problem`], never a silent pass.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::rc::Rc;

use whistler_codegen::OptLevel;
use whistler_compiler::Session;
use whistler_compiler::hir::{MapId, Unit};
use whistler_compiler::refeval::{self, World};
use whistler_diag::{Diagnostic, SourceMap, Style, render_all};
use whistler_isa::{MapType, Target};
use whistler_kernel::Kernel;
use whistler_lisp::{Interp, NoIo};
use whistler_loader::{LoadError, Loader, RingConsumer, TestRun};
use whistler_object::Object;
use whistler_vm::{Machine, MachineOptions, RunInput};

/// What went wrong with a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Problem {
    /// The compiler refused it.
    Rejected(String),
    /// The verifier refused it.
    Verifier(String),
    /// A run ended in a fault.
    Fault(String),
    /// Two disagreed.
    Mismatch(String),
}

impl Problem {
    /// The kind, so that a smaller program is only taken when it fails in the same way.
    pub fn kind(&self) -> &'static str {
        match self {
            Problem::Rejected(_) => "rejected by the compiler",
            Problem::Verifier(_) => "rejected by the verifier",
            Problem::Fault(_) => "fault",
            Problem::Mismatch(_) => "mismatch",
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Problem::Rejected(s) | Problem::Verifier(s) | Problem::Fault(s) | Problem::Mismatch(s)) = self;
        write!(f, "{}: {s}", self.kind())
    }
}

/// What a run left behind.
#[derive(Clone, PartialEq, Eq, Debug)]
struct After {
    ret: u32,
    packet: Vec<u8>,
    /// Map, key, value; entries of only zeros are left out, so that a made and an absent array entry are alike.
    entries: BTreeMap<(String, Vec<u8>), Vec<u8>>,
    /// Records of ring buffers, in order.
    records: Vec<(String, Vec<u8>)>,
    /// Globals that may be written.
    globals: BTreeMap<String, Vec<u8>>,
}

impl After {
    fn difference(&self, other: &After) -> Option<String> {
        if self.ret != other.ret {
            return Some(format!("result {:#x} / {:#x}", self.ret, other.ret));
        }
        if self.packet != other.packet {
            return Some(format!("packet {:02x?} / {:02x?}", self.packet, other.packet));
        }
        for key in self.entries.keys().chain(other.entries.keys()) {
            let (a, b) = (self.entries.get(key), other.entries.get(key));
            if a != b {
                return Some(format!("{}[{:02x?}] {a:02x?} / {b:02x?}", key.0, key.1));
            }
        }
        if self.records != other.records {
            return Some(format!("records {:02x?} / {:02x?}", self.records, other.records));
        }
        for (name, value) in &self.globals {
            let theirs = other.globals.get(name);
            // What is never used need not be there.
            if theirs.is_some_and(|t| t != value) {
                return Some(format!("global {name} {value:02x?} / {theirs:02x?}"));
            }
        }
        None
    }
}

/// The places where programs are run besides the reference.
pub struct Bench<'k> {
    /// The kernel, when it is to be asked.
    pub kernel: Option<&'k Kernel>,
    /// What is compiled for.
    pub target: Target,
    /// How well.
    pub opt: OptLevel,
}

/// A compiled program.
pub struct Compiled {
    unit: Unit,
    object: Object,
}

impl Bench<'_> {
    /// Compiles a source with the one program `p`.
    pub fn compile(&self, text: &str) -> Result<Compiled, Problem> {
        let sources = Rc::new(RefCell::new(SourceMap::new()));
        let file = sources.borrow_mut().add("random.lisp", text);
        let types = || Rc::new(whistler_btf::NoTypes::new("random programs use no kernel types"));
        let rejected = |ds: &[Diagnostic]| {
            let errors: Vec<Diagnostic> = ds.iter().filter(|d| d.is_error()).cloned().collect();
            Problem::Rejected(render_all(&errors, &sources.borrow(), Style::Plain))
        };
        let mut interp = Interp::new(Box::new(NoIo));
        let mut session = Session::new(self.target, types());
        let mut ds = session.load_source(&mut interp, &sources.borrow(), file);
        let (unit, more) = session.check(&mut interp, None);
        ds.extend(more);
        if ds.iter().any(Diagnostic::is_error) {
            return Err(rejected(&ds));
        }
        let object = whistler_compiler::assemble::assemble(&unit, &sources.borrow(), &self.target, self.opt);
        let object = object.map_err(|ds| rejected(&ds))?;
        Ok(Compiled { unit, object })
    }

    /// Runs a compiled program on every input, in every place.
    pub fn run(&self, compiled: &Compiled, inputs: &[Vec<u8>]) -> Result<(), Problem> {
        for input in inputs {
            let wanted = reference(compiled, input)?;
            let vm = in_vm(compiled, input)?;
            if let Some(d) = wanted.difference(&vm) {
                return Err(Problem::Mismatch(format!("reference / VM on {input:02x?}: {d}")));
            }
            if let Some(kernel) = self.kernel {
                let real = in_kernel(kernel, compiled, input)?;
                if let Some(d) = wanted.difference(&real) {
                    return Err(Problem::Mismatch(format!("reference / kernel on {input:02x?}: {d}")));
                }
            }
        }
        Ok(())
    }

    /// Compiles and runs.
    pub fn judge(&self, text: &str, inputs: &[Vec<u8>]) -> Result<(), Problem> {
        self.run(&self.compile(text)?, inputs)
    }
}

fn not_zero(value: &[u8]) -> bool {
    value.iter().any(|b| *b != 0)
}

/// The programs that `(tail-call jumps n)` finds: `tail-n`.
fn tails(c: &Compiled) -> impl Iterator<Item = (u32, &str)> {
    c.object.programs.iter().filter_map(|p| {
        let name = p.function.name.as_str();
        Some((name.strip_prefix("tail_")?.parse().ok()?, name))
    })
}

/// The map of those programs.
const JUMPS: &str = "jumps";

/// Whether a map's entries can be listed and compared.
fn has_entries(m: &whistler_object::Map) -> bool {
    use MapType as T;
    matches!(
        m.map_type,
        T::Hash | T::Array | T::LruHash | T::PercpuHash | T::PercpuArray | T::LruPercpuHash | T::LpmTrie
    )
}

fn is_ring(m: &whistler_object::Map) -> bool {
    m.map_type == MapType::Ringbuf
}

fn reference(c: &Compiled, packet: &[u8]) -> Result<After, Problem> {
    let mut world = World::new(&c.unit);
    world.set_packet(packet);
    for (i, m) in c.unit.maps.iter().enumerate().filter(|(_, m)| &*m.name == JUMPS) {
        for f in c.unit.functions.iter().filter(|f| f.program.is_some()) {
            let number = f.name.strip_prefix("tail-").and_then(|n| n.parse::<u32>().ok());
            if let Some(n) = number.filter(|n| *n < m.max_entries) {
                world.set_program(MapId(i as u32), n, &f.name);
            }
        }
    }
    let out = refeval::run(&c.unit, "p", &mut world).map_err(|f| Problem::Fault(format!("reference: {}", f.0)))?;
    let mut entries = BTreeMap::new();
    let mut records = Vec::new();
    for (i, m) in c.unit.maps.iter().enumerate() {
        records.extend(world.records(MapId(i as u32)).iter().map(|r| (m.name.replace('-', "_"), r.clone())));
        for (key, value) in world.entries(MapId(i as u32)) {
            if not_zero(&value) {
                entries.insert((m.name.replace('-', "_"), key), value);
            }
        }
    }
    let globals = c.unit.globals.iter().enumerate().filter(|(_, g)| g.writable);
    let globals = globals.map(|(i, g)| (g.name.replace('-', "_"), world.global(i).to_vec())).collect();
    Ok(After { ret: out.ret as u32, packet: world.packet().to_vec(), entries, records, globals })
}

fn in_vm(c: &Compiled, packet: &[u8]) -> Result<After, Problem> {
    let fault = |e: &dyn std::fmt::Display| Problem::Fault(format!("VM: {e}"));
    let mut machine = Machine::new(&c.object, MachineOptions::default()).map_err(|e| fault(&e))?;
    for (n, program) in tails(c) {
        machine.set_program(JUMPS, n, Some(program)).map_err(|e| fault(&e))?;
    }
    let input = RunInput { packet: Some(packet.to_vec()), ..RunInput::default() };
    let out = machine.run("p", input).map_err(|e| fault(&e))?;
    let mut entries = BTreeMap::new();
    let mut records = Vec::new();
    for m in &c.object.maps {
        if is_ring(m) {
            let drained = machine.drain_ring(&m.name).map_err(|e| fault(&e))?;
            records.extend(drained.into_iter().map(|r| (m.name.clone(), r)));
            continue;
        }
        if !has_entries(m) {
            continue;
        }
        for key in machine.keys(&m.name).map_err(|e| fault(&e))? {
            let values = machine.lookup_per_cpu(&m.name, &key).map_err(|e| fault(&e))?.unwrap_or_default();
            let value = values.first().cloned().unwrap_or_default();
            if not_zero(&value) {
                entries.insert((m.name.clone(), key), value);
            }
        }
    }
    let mut globals = BTreeMap::new();
    for g in &c.object.globals {
        globals.insert(g.name.clone(), machine.global(&g.name).unwrap_or_default().to_vec());
    }
    Ok(After { ret: out.ret as u32, packet: out.packet, entries, records, globals })
}

fn in_kernel(kernel: &Kernel, c: &Compiled, packet: &[u8]) -> Result<After, Problem> {
    let loaded = Loader::new(kernel).load(&c.object).map_err(|e| match &e {
        LoadError::Verifier(v) => Problem::Verifier(format!("{e}\n{}", v.log)),
        _ => Problem::Verifier(e.to_string()),
    })?;
    let fault = |e: &dyn std::fmt::Display| Problem::Fault(format!("kernel: {e}"));
    let program = loaded.program("p").ok_or_else(|| fault(&"the program is not there"))?;
    for (n, name) in tails(c) {
        let (Some(map), Some(to)) = (loaded.map(JUMPS), loaded.program(name)) else { continue };
        map.update_fd(&n.to_le_bytes(), to.as_fd()).map_err(|e| fault(&e))?;
    }
    let out = program.test_run(&TestRun { data_in: packet, ..TestRun::default() }).map_err(|e| fault(&e))?;
    let mut entries = BTreeMap::new();
    let mut records = Vec::new();
    for m in &c.object.maps {
        let Some(map) = loaded.map(&m.name) else { continue };
        if is_ring(m) {
            let mut ring = RingConsumer::new().map_err(|e| fault(&e))?;
            ring.add(map.clone(), None).map_err(|e| fault(&e))?;
            let keep = |_, record: &[u8]| {
                records.push((m.name.clone(), record.to_vec()));
                ControlFlow::Continue(())
            };
            ring.consume(keep).map_err(|e| fault(&e))?;
            continue;
        }
        if !has_entries(m) {
            continue;
        }
        for entry in map.entries() {
            let (key, values) = entry.map_err(|e| fault(&e))?;
            // The program ran on one processor: the others' values are zeros.
            let value = values.iter().find(|v| not_zero(v)).cloned().unwrap_or_default();
            if not_zero(&value) {
                entries.insert((m.name.clone(), key), value);
            }
        }
    }
    let mut globals = BTreeMap::new();
    for g in &c.object.globals {
        let Some(handle) = loaded.global(&g.name) else { continue };
        globals.insert(g.name.clone(), handle.read().map_err(|e| fault(&e))?);
    }
    Ok(After { ret: out.retval, packet: out.data_out, entries, records, globals })
}
