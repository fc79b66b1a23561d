//! The [`Machine`]: an object made runnable, and the host's side of it.
//! Invariant: whatever a run leaves behind (maps, globals, time) is there for
//! the next run; everything else starts afresh.

use rustc_hash::FxHashMap;
use whistler_btf::{Btf, CoreKind, TypeId, TypeSource, apply, resolve_in};
use whistler_isa::{Insn, MapType, ProgType};
use whistler_object::{Function, Global, Mutability, Object, Symbol};

use crate::code::{Code, Resolve};
use crate::context::{self, RunInput};
use crate::exec::{Cpu, Frame, POISON, Registers};
use crate::fault::{Fault, FaultKind, Run, TraceEntry, Trap};
use crate::maps::{Cpus, Kind, Map, MapError, UpdateFlags};
use crate::memory::{GlobalMemory, KernelObject, Memory};
use crate::task::{TaskLayout, holds_lock};
use crate::timers::{self, Timers};
use crate::world::World;

/// What a read of stack bytes does that were never written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Uninit {
    /// Gives zeros.
    #[default]
    Zero,
    /// Is a fault.
    Fault,
}

/// How a machine is made.
#[derive(Clone, Debug)]
pub struct MachineOptions {
    /// Number of CPUs: values per entry of per-CPU maps.
    pub cpus: u32,
    /// Instructions that one run may take.
    pub budget: u64,
    /// What reading unwritten stack does.
    pub uninit: Uninit,
    /// The world that helpers see.
    pub world: World,
}

impl Default for MachineOptions {
    fn default() -> MachineOptions {
        MachineOptions { cpus: 1, budget: 100_000_000, uninit: Uninit::Zero, world: World::default() }
    }
}

/// Why an object can't be made runnable.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MachineError {
    /// A map that can't be.
    #[error("map `{map}`: {reason}")]
    Map {
        /// The map.
        map: String,
        /// Why.
        reason: String,
    },
    /// Too much of something.
    #[error("{0}")]
    Limit(String),
}

/// A record of a perf event array.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PerfRecord {
    /// The CPU whose buffer it went to.
    pub cpu: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Where a packet was sent by a redirect helper.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Redirect {
    /// To an interface.
    Interface {
        /// Its index.
        ifindex: u32,
        /// Into its receive path.
        ingress: bool,
    },
    /// To what an entry of a map stands for.
    Map {
        /// The map.
        map: String,
        /// The key.
        key: u32,
    },
}

/// What a run gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunOutput {
    /// r0. Most hooks use the low 32 bits.
    pub ret: u64,
    /// The packet afterwards, from its Ethernet header on, with XDP metadata in front as a test run
    /// in the kernel gives it; empty when there was none.
    pub packet: Vec<u8>,
    /// The context's bytes afterwards.
    pub ctx: Vec<u8>,
    /// Instructions run.
    pub steps: u64,
    /// Lines printed with `bpf_trace_printk`.
    pub printk: Vec<String>,
    /// Bytes written to the sequence file of an iterator.
    pub seq: Vec<u8>,
    /// Ring-buffer records that found no room.
    pub lost: u64,
    /// The last redirect.
    pub redirect: Option<Redirect>,
}

/// A program of the object, as tail calls and runs find it.
#[derive(Clone, Debug)]
pub(crate) struct ProgramStart {
    pub name: String,
    pub start: usize,
    pub prog_type: ProgType,
}

/// Everything of a machine that changes.
#[derive(Debug)]
pub(crate) struct State {
    pub mem: Memory,
    pub world: World,
    pub cpus: u32,
    pub budget: u64,
    /// Instructions left of the budget.
    pub left: u64,
    pub frames: Vec<Frame>,
    pub tail_calls: u32,
    pub programs: Vec<ProgramStart>,
    pub prog: ProgType,
    pub printk: Vec<String>,
    pub seq: Vec<u8>,
    pub lost: u64,
    pub locked: Option<u64>,
    pub regions: crate::kfuncs::Regions,
    /// Objects of the kernel that the program holds references to.
    pub references: Vec<u64>,
    pub dynptrs: Vec<crate::dynptr::Dynptr>,
    pub redirect: Option<Redirect>,
    pub task_layout: TaskLayout,
    /// The simulated current task (its `task_struct`, its parent's, its `cred`), once a program asked for it.
    pub task: Option<(crate::world::Task, [u64; 3])>,
    pub timers: Timers,
    /// Addresses of the cells that show callbacks the key they are called with, one per call depth.
    pub key_cells: Vec<u64>,
}

impl State {
    pub fn new(options: &MachineOptions) -> State {
        State {
            mem: Memory::new(options.uninit == Uninit::Fault),
            world: options.world.clone(),
            cpus: options.cpus.max(1),
            budget: options.budget,
            left: 0,
            frames: Vec::new(),
            tail_calls: 0,
            programs: Vec::new(),
            prog: ProgType::Unspec,
            printk: Vec::new(),
            seq: Vec::new(),
            lost: 0,
            locked: None,
            regions: Default::default(),
            references: Vec::new(),
            dynptrs: Vec::new(),
            redirect: None,
            task_layout: TaskLayout::default(),
            task: None,
            timers: Timers::default(),
            key_cells: Vec::new(),
        }
    }

    /// The CPU that programs run on.
    pub fn cpu(&self) -> u32 {
        self.world.cpu % self.cpus
    }

    pub fn is_skb(&self) -> bool {
        context::has_skb(self.prog)
    }

    pub fn context_u32(&self, offset: u32) -> u32 {
        let at = offset as usize;
        let bytes = self.mem.context.bytes.get(at..at + 4).and_then(|b| b.first_chunk());
        bytes.map_or(0, |b| u32::from_le_bytes(*b))
    }

    pub fn set_context_u32(&mut self, offset: u32, value: u32) {
        let at = offset as usize;
        if let Some(place) = self.mem.context.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// The address at which a callback finds this key.
    pub fn key_cell(&mut self, key: &[u8]) -> u64 {
        let depth = self.frames.len();
        while self.key_cells.len() <= depth {
            let cell = KernelObject { name: "a map key".into(), bytes: Vec::new(), writable: false };
            self.key_cells.push(self.mem.add_kernel_object(cell).unwrap_or(0));
        }
        let address = self.key_cells.get(depth).copied().unwrap_or(0);
        self.mem.set_kernel_object(address, key);
        address
    }

    /// Starts a run: what belonged to the one before is gone.
    pub fn begin(&mut self, prog: ProgType) {
        self.mem.reset_run();
        self.frames = vec![Frame::OUTERMOST];
        self.left = self.budget;
        self.prog = prog;
        self.tail_calls = 0;
        self.printk.clear();
        self.seq.clear();
        self.lost = 0;
        self.locked = None;
        self.regions = Default::default();
        self.references.clear();
        self.dynptrs.clear();
        self.redirect = None;
    }
}

/// An object's programs, maps and globals, ready to run.
#[derive(Debug)]
pub struct Machine {
    code: Code,
    state: State,
    maps: FxHashMap<String, usize>,
    globals: FxHashMap<String, usize>,
}

/// The symbols of an object while its code is decoded.
struct Names<'a> {
    functions: &'a FxHashMap<&'a str, usize>,
    maps: &'a FxHashMap<String, usize>,
    globals: &'a FxHashMap<String, usize>,
}

impl Resolve for Names<'_> {
    fn address(&self, symbol: &Symbol) -> Result<u64, String> {
        match symbol {
            Symbol::Map(name) => match self.maps.get(name) {
                Some(map) => Ok(Memory::map_handle(*map)),
                None => Err(format!("there is no map `{name}`")),
            },
            Symbol::Global { name, offset } => match self.globals.get(name) {
                Some(global) => Ok(Memory::global_address(*global, u64::from(*offset))),
                None => Err(format!("there is no global `{name}`")),
            },
            Symbol::Subprogram(name) => match self.function(name) {
                Some(start) => Ok(Memory::function_address(start)),
                None => Err(format!("there is no subprogram `{name}`")),
            },
            Symbol::Ksym(name) => Err(format!("the kernel variable `{name}` is not simulated in the VM")),
            Symbol::Kfunc(name) => Err(format!("the address of kernel function `{name}` is not to be had in the VM")),
        }
    }

    fn function(&self, name: &str) -> Option<usize> {
        self.functions.get(name).copied()
    }

    fn function_address(&self, start: usize) -> u64 {
        Memory::function_address(start)
    }
}

/// A function whose questions of existence are answered, if it asks any that can be.
fn answered(f: &Function, own: &Btf, kernel: &dyn TypeSource) -> Option<Function> {
    let asks = |kind| {
        matches!(kind, CoreKind::FieldExists | CoreKind::TypeExists | CoreKind::EnumvalExists | CoreKind::TypeMatches)
    };
    if !f.core.iter().any(|c| asks(c.reloc.kind)) || kernel.btf().is_none() {
        return None;
    }
    let mut code = Insn::encode_all(&f.insns);
    for c in f.core.iter().filter(|c| asks(c.reloc.kind)) {
        // What can't be resolved keeps the answer that it was compiled with.
        if let Ok(resolution) = resolve_in(own, &c.reloc, kernel) {
            let _ = apply(&mut code, (c.insn as usize).saturating_mul(8), &resolution);
        }
    }
    let insns = code.as_chunks::<8>().0.iter().map(|slot| Insn::from_bytes(*slot)).collect();
    Some(Function { insns, ..f.clone() })
}

impl Machine {
    /// Makes an object runnable: maps empty, globals with their initial bytes.
    ///
    /// CO-RE records are left alone: the target's types are the object's own.
    pub fn new(object: &Object, options: MachineOptions) -> Result<Machine, MachineError> {
        Self::made(object, options, None)
    }

    /// The same for a kernel with these types: what a program asks for is there or not as it is in that kernel. Places
    /// of fields stay those of the object's own types, by which this machine lays out what it simulates.
    pub fn with_types(
        object: &Object,
        options: MachineOptions,
        kernel: &dyn TypeSource,
    ) -> Result<Machine, MachineError> {
        Self::made(object, options, Some(kernel))
    }

    fn made(
        object: &Object,
        options: MachineOptions,
        kernel: Option<&dyn TypeSource>,
    ) -> Result<Machine, MachineError> {
        let mut state = State::new(&options);
        state.task_layout = TaskLayout::of(&object.btf);
        let mut maps = FxHashMap::default();
        let btf = Btf::parse(object.btf.clone()).ok();
        for def in &object.maps {
            let mut map =
                Map::new(def, state.cpus).map_err(|reason| MachineError::Map { map: def.name.clone(), reason })?;
            map.locked = matches!((&btf, def.value_type), (Some(b), Some(t)) if holds_lock(b, TypeId(t), 0));
            maps.insert(def.name.clone(), state.mem.maps.len());
            state.mem.maps.push(map);
        }
        let mut globals = FxHashMap::default();
        for global in &object.globals {
            globals.insert(global.name.clone(), state.mem.globals.len());
            state.mem.globals.push(global_memory(global));
        }
        if state.mem.maps.len() > 0xffff || state.mem.globals.len() > 0xffff {
            return Err(MachineError::Limit("more than 65,535 maps or globals".into()));
        }
        // Starts are known before decoding, because calls go forward too. One op follows each function.
        let mut functions = FxHashMap::default();
        let mut next = 0;
        let all = || object.programs.iter().map(|p| &p.function).chain(&object.subprograms);
        for f in all() {
            functions.insert(f.name.as_str(), next);
            next += f.insns.len() + 1;
        }
        if next > i32::MAX as usize {
            return Err(MachineError::Limit("more code than this machine can address".into()));
        }
        let mut code = Code::default();
        let names = Names { functions: &functions, maps: &maps, globals: &globals };
        for f in all() {
            match kernel.zip(btf.as_ref()).and_then(|(kernel, own)| answered(f, own, kernel)) {
                Some(f) => code.add(&f, &names),
                None => code.add(f, &names),
            }
        }
        let mut start = 0;
        for p in &object.programs {
            let name = p.function.name.clone();
            state.programs.push(ProgramStart { name, start, prog_type: p.prog_type });
            start += p.function.insns.len() + 1;
        }
        let mut machine = Machine { code, state, maps, globals };
        for def in &object.maps {
            machine.fill(def).map_err(|e| MachineError::Map { map: def.name.clone(), reason: e.to_string() })?;
        }
        Ok(machine)
    }

    /// Puts in what a map of maps or programs holds from the start. Programs that are not in the object are left out.
    fn fill(&mut self, def: &whistler_object::Map) -> Result<(), MapError> {
        for (index, name) in &def.contents {
            match def.map_type {
                MapType::ProgArray if self.state.programs.iter().any(|p| p.name == *name) => {
                    self.set_program(&def.name, *index, Some(name))?;
                }
                MapType::ProgArray => {}
                _ => self.set_inner_map(&def.name, &index.to_le_bytes(), Some(name))?,
            }
        }
        Ok(())
    }

    /// Names of the programs, in the object's order.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.state.programs.iter().map(|p| p.name.as_str())
    }

    /// The world, to look at.
    pub fn world(&self) -> &World {
        &self.state.world
    }

    /// The world, to change between runs.
    pub fn world_mut(&mut self) -> &mut World {
        &mut self.state.world
    }

    /// Number of CPUs.
    pub fn cpus(&self) -> u32 {
        self.state.cpus
    }

    /// Gives the simulated kernel an object that programs can read by this address.
    pub fn add_kernel_object(&mut self, object: KernelObject) -> Result<u64, MachineError> {
        self.state.mem.add_kernel_object(object).map_err(MachineError::Limit)
    }

    /// Replaces the bytes of a kernel object.
    pub fn set_kernel_object(&mut self, address: u64, bytes: &[u8]) {
        self.state.mem.set_kernel_object(address, bytes);
    }

    /// Gives the simulated process memory at an address of its own.
    pub fn add_user_memory(&mut self, address: u64, bytes: impl Into<Vec<u8>>) {
        self.state.mem.user.push((address, bytes.into()));
    }

    /// Replaces all of the simulated process's memory.
    pub fn set_user_memory(&mut self, memory: &[(u64, Vec<u8>)]) {
        self.state.mem.user = memory.to_vec();
    }

    /// Simulated user memory, as programs left it.
    pub fn user_memory(&self, address: u64, len: usize) -> Option<&[u8]> {
        self.state.mem.user_bytes(address, len)
    }

    /// Runs a program.
    pub fn run(&mut self, program: &str, input: RunInput) -> Result<RunOutput, Fault> {
        let Some(p) = self.state.programs.iter().find(|p| p.name == program).cloned() else {
            return Err(Fault {
                kind: FaultKind::Unresolved(format!("there is no program `{program}`")),
                function: program.to_string(),
                insn: 0,
                location: None,
                callers: Vec::new(),
            });
        };
        self.state.begin(p.prog_type);
        context::enter(&mut self.state.mem, p.prog_type, &input);
        let mut r: Registers = [POISON; 16];
        r[1] = Memory::context_address();
        let ret = execute(&self.code, &mut self.state, p.start, r)?;
        let state = &mut self.state;
        let p = &state.mem.packet;
        let packet = p.buf.get(p.mac.min(p.meta)..p.end);
        Ok(RunOutput {
            ret,
            packet: packet.unwrap_or(&[]).to_vec(),
            ctx: state.mem.context.bytes.clone(),
            steps: state.budget - state.left,
            printk: std::mem::take(&mut state.printk),
            seq: std::mem::take(&mut state.seq),
            lost: state.lost,
            redirect: state.redirect.take(),
        })
    }

    /// Moves simulated time on, firing the timers that are due on the way in the order of their times; gives how
    /// many fired.
    ///
    /// # Errors
    /// The first fault of a timer's function.
    pub fn advance(&mut self, ns: u64) -> Result<usize, Fault> {
        timers::advance(&self.code, &mut self.state, ns)
    }

    /// Lines printed by the last run, also when it ended in a fault.
    pub fn printk(&self) -> &[String] {
        &self.state.printk
    }

    /// The bytes of a global.
    pub fn global(&self, name: &str) -> Option<&[u8]> {
        self.state.mem.globals.get(*self.globals.get(name)?).map(|g| &g.bytes[..])
    }

    /// Sets the bytes of a global (read-only ones too: the host does that before load).
    /// Fails when there is none of that name or the length differs.
    pub fn set_global(&mut self, name: &str, bytes: &[u8]) -> Result<(), MapError> {
        let index = self.globals.get(name).ok_or_else(|| MapError::NoMap(name.to_string()))?;
        let Some(g) = self.state.mem.globals.get_mut(*index) else { return Err(MapError::NoMap(name.to_string())) };
        if g.bytes.len() != bytes.len() {
            let (want, got) = (g.bytes.len(), bytes.len());
            return Err(MapError::Size { map: name.to_string(), what: "value", want, got });
        }
        g.bytes.copy_from_slice(bytes);
        Ok(())
    }

    fn map_mut(&mut self, name: &str) -> Result<&mut Map, MapError> {
        let index = self.maps.get(name).ok_or_else(|| MapError::NoMap(name.to_string()))?;
        self.state.mem.maps.get_mut(*index).ok_or_else(|| MapError::NoMap(name.to_string()))
    }

    fn keyed(&mut self, name: &str, key: &[u8], operation: &'static str) -> Result<&mut Map, MapError> {
        let m = self.map_mut(name)?;
        let storage = matches!(m.kind, Kind::Storage(_));
        if matches!(m.kind, Kind::Unsupported | Kind::Ring(_) | Kind::Perf(_) | Kind::Queue(_) | Kind::Stack(_)) {
            return Err(MapError::Unsupported { map: m.name.clone(), map_type: m.map_type, operation });
        }
        let want = if storage { 8 } else { m.key_size };
        if key.len() != want {
            return Err(MapError::Size { map: m.name.clone(), what: "key", want, got: key.len() });
        }
        Ok(m)
    }

    /// The value of a key; of per-CPU maps that of the present CPU.
    pub fn lookup(&mut self, map: &str, key: &[u8]) -> Result<Option<Vec<u8>>, MapError> {
        let cpu = self.state.cpu();
        Ok(self.keyed(map, key, "lookup")?.value(key, cpu).map(<[u8]>::to_vec))
    }

    /// The values of a key on every CPU (one for maps that are not per-CPU).
    pub fn lookup_per_cpu(&mut self, map: &str, key: &[u8]) -> Result<Option<Vec<Vec<u8>>>, MapError> {
        let m = self.keyed(map, key, "lookup")?;
        let copies = m.copies as u32;
        Ok((0..copies).map(|cpu| m.value(key, cpu).map(<[u8]>::to_vec)).collect())
    }

    /// Creates or replaces an entry; per-CPU maps get the value on every CPU.
    pub fn update(&mut self, map: &str, key: &[u8], value: &[u8], flags: UpdateFlags) -> Result<(), MapError> {
        let m = self.keyed(map, key, "update")?;
        if value.len() != m.value_size {
            let (want, got) = (m.value_size, value.len());
            return Err(MapError::Size { map: m.name.clone(), what: "value", want, got });
        }
        let done = m.update(key, value, flags.bits(), Cpus::All);
        done.map_err(|e| errno(map, e))
    }

    /// Sets the value of one CPU; a new entry is zero on the others.
    pub fn update_cpu(&mut self, map: &str, key: &[u8], cpu: u32, value: &[u8]) -> Result<(), MapError> {
        let m = self.keyed(map, key, "update")?;
        if value.len() != m.value_size {
            let (want, got) = (m.value_size, value.len());
            return Err(MapError::Size { map: m.name.clone(), what: "value", want, got });
        }
        m.update(key, value, 0, Cpus::One(cpu)).map_err(|e| errno(map, e))
    }

    /// Removes an entry.
    pub fn delete(&mut self, map: &str, key: &[u8]) -> Result<(), MapError> {
        self.keyed(map, key, "delete")?.delete(key).map_err(|e| errno(map, e))?;
        if let Some(index) = self.maps.get(map) {
            self.state.timers.forget(*index, key);
        }
        Ok(())
    }

    /// All keys, in a fixed order.
    pub fn keys(&mut self, map: &str) -> Result<Vec<Vec<u8>>, MapError> {
        Ok(self.map_mut(map)?.keys())
    }

    /// Appends to a queue or stack, or adds to a bloom filter.
    pub fn push(&mut self, map: &str, value: &[u8]) -> Result<(), MapError> {
        self.map_mut(map)?.push(value, 0).map_err(|e| errno(map, e))
    }

    /// Takes the next element of a queue or stack.
    pub fn pop(&mut self, map: &str) -> Result<Option<Vec<u8>>, MapError> {
        match self.map_mut(map)?.take(true) {
            Ok(value) => Ok(Some(value)),
            Err(crate::errno::ENOENT) => Ok(None),
            Err(e) => Err(errno(map, e)),
        }
    }

    /// Puts a program into a program array, or takes out what is there.
    pub fn set_program(&mut self, map: &str, index: u32, program: Option<&str>) -> Result<(), MapError> {
        let found = program.map(|name| {
            let at = self.state.programs.iter().position(|p| p.name == name);
            at.ok_or_else(|| MapError::NoMap(name.to_string()))
        });
        let found = found.transpose()?;
        let done = self.keyed(map, &index.to_le_bytes(), "programs")?.set_object(&index.to_le_bytes(), found);
        done.map_err(|e| errno(map, e))
    }

    /// Puts a map into a map of maps, or takes out what is there.
    pub fn set_inner_map(&mut self, map: &str, key: &[u8], inner: Option<&str>) -> Result<(), MapError> {
        let found = inner.map(|name| self.maps.get(name).copied().ok_or_else(|| MapError::NoMap(name.to_string())));
        let found = found.transpose()?;
        self.keyed(map, key, "inner maps")?.set_object(key, found).map_err(|e| errno(map, e))
    }

    /// The name of the program or map that lies under a key of a program array or a map of maps.
    pub fn slot(&mut self, map: &str, key: &[u8]) -> Result<Option<String>, MapError> {
        let m = self.keyed(map, key, "programs or maps")?;
        let of_programs = m.map_type == MapType::ProgArray;
        let Some(at) = m.object(key) else { return Ok(None) };
        Ok(match of_programs {
            true => self.state.programs.get(at).map(|p| p.name.to_string()),
            false => self.state.mem.maps.get(at).map(|m| m.name.clone()),
        })
    }

    /// Takes the records of a ring buffer that are ready, in order.
    pub fn drain_ring(&mut self, map: &str) -> Result<Vec<Vec<u8>>, MapError> {
        let m = self.map_mut(map)?;
        match &mut m.kind {
            Kind::Ring(ring) => Ok(std::iter::from_fn(|| ring.pop()).collect()),
            _ => Err(MapError::Unsupported { map: m.name.clone(), map_type: m.map_type, operation: "ring records" }),
        }
    }

    /// Takes the records of a perf event array, in order.
    pub fn drain_perf(&mut self, map: &str) -> Result<Vec<PerfRecord>, MapError> {
        let m = self.map_mut(map)?;
        match &mut m.kind {
            Kind::Perf(all) => Ok(all.drain(..).map(|(cpu, bytes)| PerfRecord { cpu, bytes }).collect()),
            _ => Err(MapError::Unsupported { map: m.name.clone(), map_type: m.map_type, operation: "perf records" }),
        }
    }
}

fn errno(map: &str, errno: i64) -> MapError {
    MapError::Errno { map: map.to_string(), errno: errno as i32 }
}

fn global_memory(g: &Global) -> GlobalMemory {
    let read_only = match g.mutability {
        Mutability::ReadOnly => true,
        Mutability::ReadWrite => false,
    };
    GlobalMemory { name: g.name.clone(), bytes: g.init.clone(), read_only }
}

/// Runs prepared code in prepared state; ends with r0 or a located fault.
pub(crate) fn execute(code: &Code, state: &mut State, start: usize, mut r: Registers) -> Result<u64, Fault> {
    r[10] = Memory::frame_pointer(0);
    let mut cpu = Cpu { code, state };
    let result = cpu.run(start, &mut r).and_then(|ret| leaves_clean(cpu.state).map(|()| ret));
    result.map_err(|trap| located(code, *trap, start))
}

/// What a program must not leave behind.
fn leaves_clean(state: &State) -> Run<()> {
    if state.locked.is_some() {
        return Err(FaultKind::Misuse("the program ended while it holds a spin lock".into()).into());
    }
    if let Some(what) = crate::kfuncs::left_open(&state.regions) {
        return Err(FaultKind::Misuse(format!("the program ended with {what} still open")).into());
    }
    if !state.references.is_empty() {
        let text = "the program ended with a reference to an object of the kernel that it did not release";
        return Err(FaultKind::Misuse(text.into()).into());
    }
    if state.mem.records.iter().any(|r| r.live) {
        let text = "the program ended with a ring-buffer record neither submitted nor discarded";
        return Err(FaultKind::Misuse(text.into()).into());
    }
    Ok(())
}

#[cold]
pub(crate) fn located(code: &Code, trap: Trap, start: usize) -> Fault {
    let entry = |pc: usize| {
        let (f, insn) = code.locate(pc)?;
        Some(TraceEntry { function: f.name.clone(), insn, location: f.location(insn).cloned().map(Box::new) })
    };
    // A return address stands one behind the call.
    let callers = trap.callers.iter().filter(|pc| **pc != usize::MAX).filter_map(|pc| entry(pc - 1)).collect();
    let at = entry(trap.pc.unwrap_or(start));
    let TraceEntry { function, insn, location } =
        at.unwrap_or(TraceEntry { function: String::new(), insn: 0, location: None });
    Fault { kind: trap.kind, function, insn, location, callers }
}
