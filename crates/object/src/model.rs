//! The data type itself. Invariant: instruction indices count slots of the
//! function they belong to, and every name in a relocation is defined in the
//! same [`Object`] (or declared as existing elsewhere).

use std::sync::Arc;

use whistler_btf::CoreReloc;
use whistler_diag::Span;
use whistler_isa::{AttachType, Insn, MapType, ProgType};

/// A compiled unit.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// Programs that can be loaded and attached.
    pub programs: Vec<Program>,
    /// Functions that programs (and each other) call.
    pub subprograms: Vec<Function>,
    /// Maps that the code refers to.
    pub maps: Vec<Map>,
    /// Global variables and constant bytes.
    pub globals: Vec<Global>,
    /// Structs of operations that programs implement.
    pub struct_ops: Vec<StructOps>,
    /// The unit's own types as raw `.BTF` bytes; empty when there are none.
    /// All type ids in the object count in it.
    pub btf: Vec<u8>,
    /// What other languages may be told of it besides its maps.
    pub exports: Exports,
}

/// What the source declares for user space. A file keeps only the types that something else in it uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exports {
    /// Structs, unions and enums, in order.
    pub types: Vec<ExportedType>,
    /// Constants (lower case, `_`) with their values, in order.
    pub constants: Vec<(String, i128)>,
}

/// A declared type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportedType {
    /// Its id in the object's BTF.
    pub id: u32,
    /// Its alignment, which BTF does not say.
    pub align: u32,
}

/// A program: a function with what the kernel must be told to load it.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its code; `function.name` is the program's name.
    pub function: Function,
    /// Section name as libbpf documents it (`tracepoint/sched/sched_process_exec`).
    pub section: String,
    /// Program type.
    pub prog_type: ProgType,
    /// Expected attach type, where the program type needs one at load.
    pub attach_type: Option<AttachType>,
    /// The function or hook that BTF-based types attach to, by name; of struct_ops the member, with the struct and `/`
    /// before it where that is known.
    pub attach_target: Option<String>,
    /// Licence string (`GPL`).
    pub license: String,
    /// Whether it is loaded with `BPF_F_SLEEPABLE`.
    pub sleepable: bool,
}

/// Code with everything known about it.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Name, as it appears in symbols and BTF (lower case, `_`).
    pub name: String,
    /// The instruction slots.
    pub insns: Vec<Insn>,
    /// Instructions whose immediate names something.
    pub relocations: Vec<Relocation>,
    /// Instructions that depend on the running kernel's types.
    pub core: Vec<CoreRelocation>,
    /// Source locations used by `locs`.
    pub locations: Vec<Location>,
    /// For every slot, an index into `locations`; `u32::MAX` where there is none.
    pub locs: Vec<u32>,
    /// Which source variable lives where, and when.
    pub vars: Vec<VarRange>,
    /// Id of its BTF `FUNC`.
    pub type_id: Option<u32>,
    /// Whether the kernel verifies it on its own (BTF linkage global).
    pub global: bool,
    /// Where its definition stands.
    pub span: Span,
}

/// A source position as line info, messages and editors need it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Location {
    /// Byte span; [`Span::NONE`] in an object read from a file.
    pub span: Span,
    /// File name.
    pub file: Arc<str>,
    /// 1-based line.
    pub line: u32,
    /// 1-based column.
    pub col: u32,
    /// The text of that line.
    pub text: Arc<str>,
    /// Macro calls that produced the code, innermost first.
    pub expansion: Vec<Span>,
}

/// An instruction that names something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Index of the (first) slot.
    pub insn: u32,
    /// What it names.
    pub symbol: Symbol,
}

/// What an instruction can name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Symbol {
    /// `ld_imm64` of a map's address.
    Map(String),
    /// `ld_imm64` of the address of a byte of a global.
    Global {
        /// The global's name.
        name: String,
        /// Byte offset into it.
        offset: u32,
    },
    /// A call of a subprogram, or `ld_imm64` of its address (a callback).
    Subprogram(String),
    /// A call of a kernel function, by its BTF name.
    Kfunc(String),
    /// `ld_imm64` of a kernel variable's address, by its BTF name.
    Ksym(String),
}

/// An instruction that is patched to the running kernel's types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreRelocation {
    /// Index of the slot.
    pub insn: u32,
    /// What is asked, in terms of the object's own BTF.
    pub reloc: CoreReloc,
}

/// Where a variable lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a register.
    Reg(u8),
    /// On the stack, at this offset from r10.
    Stack(i32),
}

/// A variable's stay in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VarRange {
    /// The source's name for it.
    pub name: Arc<str>,
    /// First slot at which it is there.
    pub start: u32,
    /// One past the last slot.
    pub end: u32,
    /// Where.
    pub place: Place,
}

/// A map.
#[derive(Clone, Debug)]
pub struct Map {
    /// Name (lower case, `_`).
    pub name: String,
    /// Map type.
    pub map_type: MapType,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Number of entries (ring buffers: bytes).
    pub max_entries: u32,
    /// `BPF_F_*` flags of creation.
    pub flags: u32,
    /// BTF type of the key.
    pub key_type: Option<u32>,
    /// BTF type of the value.
    pub value_type: Option<u32>,
    /// The shape of the inner maps of a map of maps.
    pub inner: Option<Box<Map>>,
    /// What lies in it from the start: an index, and the name of a map (in a map of maps) or program.
    pub contents: Vec<(u32, String)>,
    /// Path to pin it at, or to take it from.
    pub pin: Option<String>,
    /// `map_extra` (bloom filter hashes, arena address).
    pub extra: u64,
    /// Where its definition stands.
    pub span: Span,
}

/// Whether a program may write a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// In `.rodata`: set before load, frozen after.
    ReadOnly,
    /// In `.data` or `.bss`.
    ReadWrite,
}

/// A global variable, or constant bytes.
#[derive(Clone, Debug)]
pub struct Global {
    /// Name (lower case, `_`).
    pub name: String,
    /// Initial bytes; its length is the size.
    pub init: Vec<u8>,
    /// Alignment in bytes, a power of two.
    pub align: u32,
    /// Whether programs may write it.
    pub mutability: Mutability,
    /// The section of a foreign object, where this is the whole section's bytes; `None` for single variables.
    pub section: Option<String>,
    /// Id of its BTF type (the type, not a `VAR`).
    pub type_id: Option<u32>,
    /// Where its definition stands.
    pub span: Span,
}

/// How a struct of operations becomes the kernel's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Registration {
    /// By a link: it ends with that (libbpf: section `.struct_ops.link`).
    Link,
    /// By being put into its map: it stays until it is taken out (`.struct_ops`).
    Update,
}

/// A struct of operations: functions that programs implement, and data.
#[derive(Clone, Debug)]
pub struct StructOps {
    /// Name (lower case, `_`).
    pub name: String,
    /// Id of its struct in the object's BTF; by its name and its members' names the kernel's is found.
    pub type_id: u32,
    /// Its bytes; functions are null.
    pub init: Vec<u8>,
    /// Programs, each with the offset of the member that it implements.
    pub functions: Vec<(u32, String)>,
    /// How it is registered.
    pub registration: Registration,
    /// Where its definition stands.
    pub span: Span,
}

impl Object {
    /// The struct of operations of that name.
    pub fn struct_ops(&self, name: &str) -> Option<&StructOps> {
        self.struct_ops.iter().find(|s| s.name == name)
    }

    /// The program of that name.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.programs.iter().find(|p| p.function.name == name)
    }

    /// The map of that name.
    pub fn map(&self, name: &str) -> Option<&Map> {
        self.maps.iter().find(|m| m.name == name)
    }

    /// The global of that name.
    pub fn global(&self, name: &str) -> Option<&Global> {
        self.globals.iter().find(|g| g.name == name)
    }

    /// The subprogram of that name.
    pub fn subprogram(&self, name: &str) -> Option<&Function> {
        self.subprograms.iter().find(|f| f.name == name)
    }

    /// The subprograms that `function` reaches, each once, in order of first call.
    pub fn reachable<'a>(&'a self, function: &'a Function) -> Vec<&'a Function> {
        let mut found: Vec<&Function> = Vec::new();
        let mut work = vec![function];
        while let Some(f) = work.pop() {
            for r in &f.relocations {
                let Symbol::Subprogram(name) = &r.symbol else { continue };
                let Some(callee) = self.subprogram(name) else { continue };
                if !found.iter().any(|g| g.name == callee.name) {
                    found.push(callee);
                    work.push(callee);
                }
            }
        }
        found
    }
}

impl Function {
    /// The source location of a slot.
    pub fn location(&self, insn: usize) -> Option<&Location> {
        self.locations.get(*self.locs.get(insn)? as usize)
    }
}
