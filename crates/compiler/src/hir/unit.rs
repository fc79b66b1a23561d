//! A unit: what the checker hands on. Invariant: ids index the vectors here.

use std::rc::Rc;

use whistler_btf::CoreReloc;
use whistler_diag::Span;
use whistler_isa::{AttachType, MapType, ProgType};
use whistler_lisp::Expansion;

use super::{Expr, Ty};

/// A position with the macro calls that led there.
#[derive(Clone, Debug, Default)]
pub struct At {
    /// The source text.
    pub span: Span,
    /// The expansion, when a macro made the code.
    pub origin: Option<Rc<Expansion>>,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(pub u32);
    };
}
id!(
    /// An index into [`Unit::maps`].
    MapId
);
id!(
    /// An index into [`Unit::globals`].
    GlobalId
);
id!(
    /// An index into [`Unit::functions`].
    FunctionId
);
id!(
    /// An index into [`Unit::core`].
    CoreId
);

/// Everything that one `Object` is made from.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Maps that are used.
    pub maps: Vec<MapDef>,
    /// Globals that are used.
    pub globals: Vec<GlobalDef>,
    /// Programs and subprograms.
    pub functions: Vec<Function>,
    /// Our own BTF so far: the local views of kernel types that `core` refers to.
    pub btf: whistler_btf::BtfBuilder,
    /// CO-RE records, in terms of `btf`.
    pub core: Vec<CoreReloc>,
    /// Structs of operations.
    pub struct_ops: Vec<OpsDef>,
    /// Where programs emit lines.
    pub emits: Vec<whistler_object::emit::Site>,
    /// What user space is told besides the maps.
    pub exports: Exports,
}

/// What a file declares for user space.
#[derive(Clone, Debug, Default)]
pub struct Exports {
    /// Structs and unions.
    pub structs: Vec<Rc<super::StructDef>>,
    /// Enums.
    pub enums: Vec<Rc<super::EnumDef>>,
    /// Constants.
    pub constants: Vec<(String, i128)>,
}

impl Default for Unit {
    fn default() -> Unit {
        Unit {
            maps: Vec::new(),
            globals: Vec::new(),
            functions: Vec::new(),
            btf: whistler_btf::BtfBuilder::new(),
            core: Vec::new(),
            struct_ops: Vec::new(),
            emits: Vec::new(),
            exports: Exports::default(),
        }
    }
}

/// A map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapDef {
    /// Name as written.
    pub name: Rc<str>,
    /// Map type.
    pub map_type: MapType,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// The key's type, when declared.
    pub key: Option<Ty>,
    /// The value's type, when declared.
    pub value: Option<Ty>,
    /// Entries (ring buffers: bytes).
    pub max_entries: u32,
    /// Creation flags.
    pub flags: u32,
    /// What the maps in a map of maps look like.
    pub inner: Option<Rc<MapDef>>,
    /// What lies in it from the start: maps, or programs, by name.
    pub contents: Vec<(u32, Rc<str>)>,
    /// Bits that its type understands beyond the flags (hash functions of a bloom filter).
    pub extra: u64,
    /// Path to pin at.
    pub pin: Option<String>,
    /// Where it is declared.
    pub span: Span,
}

impl MapDef {
    /// Whether its values hold a type of the kernel's, as `bpf_spin_lock`.
    pub fn holds(&self, name: &str) -> bool {
        self.value.as_ref().is_some_and(|v| crate::builtin::lies_in(v, name, 0, v.size()))
    }
}

impl MapDef {
    /// How many entries it can hold, in words.
    pub fn entries(&self) -> String {
        match self.max_entries {
            1 => "1 entry".to_string(),
            n => format!("{n} entries"),
        }
    }
}

/// A global or parameter.
#[derive(Clone, Debug)]
pub struct GlobalDef {
    /// Name as written.
    pub name: Rc<str>,
    /// Type.
    pub ty: Ty,
    /// Initial bytes.
    pub init: Vec<u8>,
    /// Whether programs may write it.
    pub writable: bool,
    /// Where it is declared.
    pub span: Span,
}

/// A struct of operations that the kernel calls, as far as it is set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpsDef {
    /// Name as written.
    pub name: Rc<str>,
    /// The kernel's struct.
    pub of: Rc<str>,
    /// What is in it, in the kernel's order.
    pub fields: Vec<OpsField>,
    /// How it is registered.
    pub registration: whistler_object::Registration,
    /// Where it is declared.
    pub span: Span,
}

/// A member that is set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpsField {
    /// The kernel's name of it.
    pub name: Rc<str>,
    /// What is in it.
    pub value: OpsValue,
    /// Where it is set.
    pub span: Span,
}

/// What is in a member of a struct of operations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpsValue {
    /// A program, by its name as written.
    Program(whistler_lisp::Symbol),
    /// Bytes of this type; `of_enum` is the kernel's name of an enum.
    #[allow(missing_docs)]
    Data { ty: Ty, of_enum: Option<Rc<str>>, bytes: Vec<u8> },
}

/// A member that a program implements.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OpsMember {
    /// The kernel's struct of operations.
    pub of: Rc<str>,
    /// The member.
    pub name: Rc<str>,
}

/// A program or subprogram.
#[derive(Clone, Debug)]
pub struct Function {
    /// Name as written.
    pub name: Rc<str>,
    /// What makes it a program; `None` for a subprogram.
    pub program: Option<ProgramInfo>,
    /// The locals that are parameters. A program has none (its context is [`super::ExprKind::Ctx`]).
    pub params: Vec<super::LocalId>,
    /// What it yields.
    pub ret: Ty,
    /// All locals.
    pub locals: Vec<Local>,
    /// The body; its value is the result.
    pub body: Expr,
    /// Whether the body reads the context (a hidden first parameter of subprograms).
    pub uses_ctx: bool,
    /// The program type whose context it sees (a subprogram's callers agree on it).
    pub ctx_type: Option<ProgType>,
    /// For a callback: the variable that holds the context of the program it belongs to.
    pub ctx_local: Option<super::LocalId>,
    /// Whether it runs under a licence compatible with the GPL (its callers agree on it).
    pub gpl: bool,
    /// Whether the kernel verifies it on its own.
    pub global: bool,
    /// Where it is defined.
    pub span: Span,
}

impl Function {
    /// Whether it may go on in another program.
    pub fn tail_calls(&self) -> bool {
        /// `bpf_tail_call`.
        const TAIL_CALL: u32 = 12;
        fn inside(e: &Expr) -> bool {
            let mut found = matches!(e.kind, super::ExprKind::Helper { id: TAIL_CALL, .. });
            e.each_child(&mut |c| found = found || inside(c));
            found
        }
        inside(&self.body)
    }
}

/// What a program is loaded as.
#[derive(Clone, Debug)]
pub struct ProgramInfo {
    /// Program type.
    pub prog_type: ProgType,
    /// Expected attach type.
    pub attach_type: Option<AttachType>,
    /// BTF attach target.
    pub attach_target: Option<String>,
    /// The member of a struct of operations that it implements.
    pub member: Option<OpsMember>,
    /// Section name as libbpf takes it.
    pub section: String,
    /// Licence.
    pub license: String,
    /// Whether it may sleep.
    pub sleepable: bool,
}

/// A local variable.
#[derive(Clone, Debug)]
pub struct Local {
    /// Name as written; empty for the checker's own.
    pub name: Rc<str>,
    /// Type.
    pub ty: Ty,
    /// Where it lives.
    pub kind: LocalKind,
    /// Where it is bound.
    pub span: Span,
}

/// Where a variable lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LocalKind {
    /// In registers: only its value is ever used.
    Value,
    /// In stack memory, 8-byte aligned: structs, arrays, and scalars whose address is taken.
    Memory,
}
