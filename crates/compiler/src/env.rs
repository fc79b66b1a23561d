//! What is declared. Invariant: a declaration is complete when it stands here; accessors and
//! constants that it brings stand in their own tables, with the declaration as their owner.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use whistler_diag::Span;
use whistler_isa::{AttachType, ProgType};
use whistler_lisp::{Form, Symbol};

use crate::hir::{BitPlace, EnumDef, GlobalDef, MapDef, OpsDef, StructDef, Ty};
use crate::names::{Names, norm};

/// What kind of thing a name is declared as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum DeclKind {
    Struct,
    Union,
    Enum,
    Map,
    Global,
    Param,
    Subprogram,
    Program,
    Tracepoint,
    KernelStruct,
    /// `import-kernel-enum`.
    KernelEnum,
    Header,
    Constant,
    /// `defstruct-ops`.
    StructOps,
}

impl DeclKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            DeclKind::Struct => "struct",
            DeclKind::Union => "union",
            DeclKind::Enum => "enum",
            DeclKind::Map => "map",
            DeclKind::Global => "global",
            DeclKind::Param => "parameter",
            DeclKind::Subprogram => "subprogram",
            DeclKind::Program => "program",
            DeclKind::Tracepoint => "tracepoint",
            DeclKind::KernelStruct => "kernel struct",
            DeclKind::KernelEnum => "kernel enum",
            DeclKind::Header => "header",
            DeclKind::Constant => "constant",
            DeclKind::StructOps => "struct of operations",
        }
    }
}

/// A program as declared; its body is checked later.
#[derive(Debug)]
pub struct ProgDecl {
    /// Name as written.
    pub name: Symbol,
    /// Program type.
    pub prog_type: ProgType,
    /// Expected attach type.
    pub attach_type: Option<AttachType>,
    /// BTF attach target.
    pub attach_target: Option<String>,
    /// Section.
    pub section: String,
    /// Licence.
    pub license: String,
    /// Whether it may sleep.
    pub sleepable: bool,
    /// The body.
    pub body: Rc<[Form]>,
    /// Where the body starts in `body`.
    pub skip: usize,
    /// The whole form.
    pub form: Form,
    /// The tracepoint that was declared last when the program was: what `(tp-F)` means in it.
    pub tracepoint: Option<Symbol>,
}

/// A parameter of a subprogram.
#[derive(Clone, Debug)]
pub struct ParamDecl {
    /// Name.
    pub name: Symbol,
    /// Type; a pointer's kind comes from the callers.
    pub ty: Ty,
    /// Where it stands.
    pub span: Span,
}

/// A subprogram as declared; its body is checked where it is called.
#[derive(Debug)]
pub struct SubprogDecl {
    /// Name as written.
    pub name: Symbol,
    /// Parameters.
    pub params: Vec<ParamDecl>,
    /// What it yields.
    pub ret: Ty,
    /// The body.
    pub body: Rc<[Form]>,
    /// Where the body starts in `body`.
    pub skip: usize,
    /// The whole form.
    pub form: Form,
    /// Whether the kernel verifies it on its own.
    pub global: bool,
}

/// A field at a fixed offset in raw bytes (`defheader`), or in a tracepoint's record.
#[derive(Clone, Debug)]
pub struct RawField {
    /// Offset.
    pub offset: i32,
    /// Type in memory.
    pub ty: Ty,
    /// Whether memory holds it big-endian.
    pub big_endian: bool,
    /// Which bits of it, if not all.
    pub bits: Option<BitPlace>,
}

/// What an accessor's name does.
#[derive(Clone, Debug)]
pub enum Accessor {
    /// `(S-F p [i])`
    Field(Rc<StructDef>, usize),
    /// `(S-F-ptr p)`
    FieldPtr(Rc<StructDef>, usize),
    /// `(make-S)`
    Make(Rc<StructDef>),
    /// `(as-S x)`
    As(Ty),
    /// `(H-F p)` of a `defheader`
    Header(RawField),
    /// `(H-F-ptr p)` of a `defheader`
    HeaderPtr(RawField),
    /// `(tp-F)`: in the record of the tracepoint.
    Tp(Symbol),
    /// `(tp-F-ptr)`
    TpPtr(Symbol),
    /// `(tp-F-str dst size)` of a `__data_loc` string.
    TpStr(Symbol),
    /// The bytes of a tracepoint's field of variable size.
    TpLen(Symbol),
    /// `(s-F p)` of an imported kernel struct: type and field.
    Kernel(Rc<str>, Symbol),
    /// `(s-F-ptr p)`
    KernelPtr(Rc<str>, Symbol),
}

/// A tracepoint's record: fields by name.
#[derive(Debug)]
pub struct TracepointDecl {
    /// `category/event`
    pub name: Symbol,
    /// Its format.
    pub format: std::sync::Arc<whistler_btf::TracepointFormat>,
}

/// Whether something has a name.
pub type NameTest = Rc<dyn Fn(&str) -> bool>;

/// All declarations of a session.
#[derive(Clone, Default)]
pub struct Env {
    /// Every declaration in order: name, kind, position.
    pub order: Vec<(Symbol, DeclKind, Span)>,
    /// Structs and unions.
    pub structs: Names<Rc<StructDef>>,
    /// Enums.
    pub enums: Names<Rc<EnumDef>>,
    /// Maps.
    pub maps: Names<Rc<MapDef>>,
    /// Globals and parameters.
    pub globals: Names<Rc<GlobalDef>>,
    /// Subprograms.
    pub subprograms: Names<Rc<SubprogDecl>>,
    /// Programs.
    pub programs: Names<Rc<ProgDecl>>,
    /// Structs of operations.
    pub struct_ops: Names<Rc<OpsDef>>,
    /// Tracepoints.
    pub tracepoints: Names<Rc<TracepointDecl>>,
    /// The tracepoint declared last.
    pub tracepoint: Option<Symbol>,
    /// Kernel structs that were imported, by the kernel's name.
    pub kernel_structs: FxHashMap<Symbol, Rc<str>>,
    /// Structs of other kernels that were declared with their fields' types.
    pub flavours: Vec<crate::flavours::Flavour>,
    /// Modules of the kernel from which structs were imported.
    pub kernel_modules: Vec<Rc<str>>,
    /// Enumerators of the kernel that were imported, by normal name: their enum's name and their own.
    pub enumerators: FxHashMap<Symbol, (Rc<str>, Rc<str>)>,
    /// Accessors by normal name, with the declaration they belong to.
    pub accessors: FxHashMap<Symbol, (Accessor, Symbol)>,
    /// Constants that declarations bring (`+S-size+`, enum members), by normal name.
    pub constants: FxHashMap<Symbol, i128>,
    /// The enums that have a member of this (normal) name.
    pub keywords: FxHashMap<Symbol, Vec<Rc<EnumDef>>>,
    /// What each checked program or subprogram mentions.
    pub uses: FxHashMap<Symbol, FxHashSet<Symbol>>,
    /// Whether the kernel has a struct of a name.
    pub kernel_names: Option<NameTest>,
    /// Forms of the library that declare something, and whether they have been.
    pub library: Vec<whistler_lisp::LibraryItem>,
    /// Whether the library is known to the host.
    pub library_known: bool,
    /// While a library file is loaded: its declarations are not the user's.
    pub in_library: bool,
}

impl Env {
    /// Where and as what a name was declared before.
    pub fn declared(&self, name: Symbol, kind: DeclKind) -> Option<Span> {
        let key = norm(name);
        self.order.iter().find(|(n, k, _)| space(*k) == space(kind) && (*n == name || norm(*n) == key)).map(|d| d.2)
    }

    /// Notes a declaration, in the place of an earlier one of that name.
    pub fn note(&mut self, name: Symbol, kind: DeclKind, span: Span) {
        if self.in_library {
            return;
        }
        match self.order.iter_mut().find(|(n, k, _)| *n == name && space(*k) == space(kind)) {
            Some(old) => *old = (name, kind, span),
            None => self.order.push((name, kind, span)),
        }
    }

    /// Adds an accessor.
    pub fn accessor(&mut self, name: &str, accessor: Accessor, owner: Symbol) {
        self.accessors.insert(Symbol::intern(&crate::names::norm_str(name)), (accessor, owner));
    }

    /// Adds a constant.
    pub fn constant(&mut self, name: &str, value: i128) {
        self.constants.insert(Symbol::intern(&crate::names::norm_str(name)), value);
    }

    /// Forgets the accessors of a declaration, before it is redefined.
    pub fn forget_accessors(&mut self, owner: Symbol) {
        self.accessors.retain(|_, (_, o)| *o != owner);
    }
}

/// Declarations of different spaces may share a name.
fn space(kind: DeclKind) -> u8 {
    match kind {
        DeclKind::Struct | DeclKind::Union | DeclKind::Enum | DeclKind::KernelStruct | DeclKind::KernelEnum => 0,
        DeclKind::Map => 1,
        DeclKind::Global | DeclKind::Param => 2,
        DeclKind::Subprogram => 3,
        DeclKind::Program => 4,
        DeclKind::Tracepoint => 5,
        DeclKind::Header => 6,
        DeclKind::Constant => 7,
        DeclKind::StructOps => 8,
    }
}
