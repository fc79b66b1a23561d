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
    /// Whether another one is of the same sort: the same kind and, where the compiler refused, the same error.
    pub fn is_like(&self, other: &Problem) -> bool {
        let code = |p: &Problem| match p {
            Problem::Rejected(why) => why.split_once(']').map(|(code, _)| code.to_string()),
            _ => None,
        };
        self.kind() == other.kind() && code(self) == code(other)
    }

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

/// What the runs of a program, one after the other, left behind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct After {
    /// Results and packets.
    runs: Vec<(u32, Vec<u8>)>,
    /// Map, key, value; entries of only zeros are left out, so that a made and an absent array entry are alike.
    entries: BTreeMap<(String, Vec<u8>), Vec<u8>>,
    /// Records of ring buffers, in order.
    records: Vec<(String, Vec<u8>)>,
    /// Globals that may be written.
    globals: BTreeMap<String, Vec<u8>>,
}

impl After {
    fn difference(&self, other: &After) -> Option<String> {
        for (i, ((ret, packet), (their_ret, their_packet))) in self.runs.iter().zip(&other.runs).enumerate() {
            if ret != their_ret {
                return Some(format!("run {i}: result {ret:#x} / {their_ret:#x}"));
            }
            if packet != their_packet {
                return Some(format!("run {i}: packet {packet:02x?} / {their_packet:02x?}"));
            }
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

/// A program that the compiler has checked, for a target.
pub struct Checked {
    unit: Unit,
    sources: Rc<RefCell<SourceMap>>,
    target: Target,
}

/// Checks a source with the one program `p`.
///
/// # Errors
/// [`Problem::Rejected`].
pub fn check(text: &str, target: Target) -> Result<Checked, Problem> {
    let sources = Rc::new(RefCell::new(SourceMap::new()));
    let file = sources.borrow_mut().add("random.lisp", text);
    let types = Rc::new(whistler_btf::NoTypes::new("random programs use no kernel types"));
    let mut interp = Interp::new(Box::new(NoIo));
    let mut session = Session::new(target, types);
    let mut ds = session.load_source(&mut interp, &sources.borrow(), file);
    let (unit, more) = session.check(&mut interp, None);
    ds.extend(more);
    let checked = Checked { unit, sources, target };
    if ds.iter().any(Diagnostic::is_error) { Err(checked.rejected(&ds)) } else { Ok(checked) }
}

impl Checked {
    fn rejected(&self, ds: &[Diagnostic]) -> Problem {
        let errors: Vec<Diagnostic> = ds.iter().filter(|d| d.is_error()).cloned().collect();
        Problem::Rejected(render_all(&errors, &self.sources.borrow(), Style::Plain))
    }

    /// What the reference says of runs on these packets.
    ///
    /// # Errors
    /// [`Problem::Fault`].
    pub fn reference(&self, inputs: &[Vec<u8>]) -> Result<After, Problem> {
        reference(&self.unit, inputs)
    }
}

impl Bench<'_> {
    /// Runs a checked program in every place; `wanted` is what the reference said.
    ///
    /// # Errors
    /// What went wrong.
    pub fn run(&self, checked: &Checked, wanted: &After, inputs: &[Vec<u8>]) -> Result<(), Problem> {
        let object =
            whistler_compiler::assemble::assemble(&checked.unit, &checked.sources.borrow(), &checked.target, self.opt);
        let object = object.map_err(|ds| checked.rejected(&ds))?;
        let vm = in_vm(&object, inputs)?;
        if let Some(d) = wanted.difference(&vm) {
            return Err(Problem::Mismatch(format!("reference / VM on {inputs:02x?}: {d}")));
        }
        if let Some(kernel) = self.kernel {
            let real = in_kernel(kernel, &object, inputs)?;
            if let Some(d) = wanted.difference(&real) {
                return Err(Problem::Mismatch(format!("reference / kernel on {inputs:02x?}: {d}")));
            }
        }
        Ok(())
    }

    /// Compiles and runs.
    ///
    /// # Errors
    /// What went wrong.
    pub fn judge(&self, text: &str, inputs: &[Vec<u8>]) -> Result<(), Problem> {
        let checked = check(text, self.target)?;
        self.run(&checked, &checked.reference(inputs)?, inputs)
    }
}

/// The fields of a socket buffer that programs read, as a test run makes them: its length, and zeros.
fn context(packet: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; SK_BUFF_LEN];
    bytes[..4].copy_from_slice(&(packet.len() as u32).to_le_bytes());
    bytes
}

/// `sizeof(struct __sk_buff)`.
const SK_BUFF_LEN: usize = 192;

fn not_zero(value: &[u8]) -> bool {
    value.iter().any(|b| *b != 0)
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

fn reference(unit: &Unit, inputs: &[Vec<u8>]) -> Result<After, Problem> {
    let mut world = World::new(unit);
    for (i, m) in unit.maps.iter().enumerate().filter(|(_, m)| &*m.name == JUMPS) {
        for f in unit.functions.iter().filter(|f| f.program.is_some()) {
            let number = f.name.strip_prefix("tail-").and_then(|n| n.parse::<u32>().ok());
            if let Some(n) = number.filter(|n| *n < m.max_entries) {
                world.set_program(MapId(i as u32), n, &f.name);
            }
        }
    }
    let steps = world.steps;
    let mut runs = Vec::new();
    for packet in inputs {
        world.steps = steps;
        world.set_packet(packet);
        world.set_ctx(&context(packet));
        let out = refeval::run(unit, "p", &mut world).map_err(|f| Problem::Fault(format!("reference: {}", f.0)))?;
        runs.push((out.ret as u32, world.packet().to_vec()));
    }
    let mut entries = BTreeMap::new();
    let mut records = Vec::new();
    for (i, m) in unit.maps.iter().enumerate() {
        records.extend(world.records(MapId(i as u32)).iter().map(|r| (m.name.replace('-', "_"), r.clone())));
        for (key, value) in world.entries(MapId(i as u32)) {
            if not_zero(&value) {
                entries.insert((m.name.replace('-', "_"), key), value);
            }
        }
    }
    let globals = unit.globals.iter().enumerate().filter(|(_, g)| g.writable);
    let globals = globals.map(|(i, g)| (g.name.replace('-', "_"), world.global(i).to_vec())).collect();
    Ok(After { runs, entries, records, globals })
}

fn in_vm(object: &Object, inputs: &[Vec<u8>]) -> Result<After, Problem> {
    let fault = |e: &dyn std::fmt::Display| Problem::Fault(format!("VM: {e}"));
    let mut machine = Machine::new(object, MachineOptions::default()).map_err(|e| fault(&e))?;
    for (n, program) in tails(object) {
        machine.set_program(JUMPS, n, Some(program)).map_err(|e| fault(&e))?;
    }
    let mut runs = Vec::new();
    for packet in inputs {
        let input = RunInput { packet: Some(packet.clone()), ..RunInput::default() };
        let out = machine.run("p", input).map_err(|e| fault(&e))?;
        runs.push((out.ret as u32, out.packet));
    }
    let mut entries = BTreeMap::new();
    let mut records = Vec::new();
    for m in &object.maps {
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
    for g in &object.globals {
        globals.insert(g.name.clone(), machine.global(&g.name).unwrap_or_default().to_vec());
    }
    Ok(After { runs, entries, records, globals })
}

fn in_kernel(kernel: &Kernel, object: &Object, inputs: &[Vec<u8>]) -> Result<After, Problem> {
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
    let mut runs = Vec::new();
    for packet in inputs {
        let out = program.test_run(&TestRun { data_in: packet, ..TestRun::default() }).map_err(|e| fault(&e))?;
        runs.push((out.retval, out.data_out));
    }
    let mut entries = BTreeMap::new();
    let mut records = Vec::new();
    for m in &object.maps {
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
    for g in &object.globals {
        let Some(handle) = loaded.global(&g.name) else { continue };
        globals.insert(g.name.clone(), handle.read().map_err(|e| fault(&e))?);
    }
    Ok(After { runs, entries, records, globals })
}
