//! Structs as other kernels have them, declared by a program with their fields' types: `task_struct___old`. Invariant:
//! they stand behind the kernel's own types as a split BTF would, so that everything that asks for a kernel type finds
//! them; the part of a name from `___` on is what loaders leave out.

use std::rc::Rc;
use std::sync::Arc;

use whistler_btf::{Btf, BtfBuilder, MemberDef, TracepointFormat, TypeId, TypeSource, TypeSourceError, int_encoding};

use crate::hir::{IntTy, Ty};
use crate::kernel;

/// A struct that a program declares for kernels that have it.
#[derive(Clone, Debug)]
pub struct Flavour {
    /// Its name, `___x` included.
    pub name: Rc<str>,
    /// Its fields in the order they were written.
    pub fields: Vec<FlavourField>,
}

/// A field of one.
#[derive(Clone, Debug)]
pub struct FlavourField {
    /// Its name in the kernel.
    pub name: String,
    /// Its type.
    pub ty: Ty,
    /// Width of a bit-field; 0 otherwise.
    pub bits: u8,
}

/// The kernel's types and those that a program declares.
struct WithFlavours {
    source: Rc<dyn TypeSource>,
    btf: Btf,
}

/// The source with these structs, and with these modules' types, too.
pub fn with_flavours(source: &Rc<dyn TypeSource>, flavours: &[Flavour], modules: &[Rc<str>]) -> Rc<dyn TypeSource> {
    if flavours.is_empty() && modules.is_empty() {
        return source.clone();
    }
    let Some(base) = source.btf() else { return source.clone() };
    // What can't be continued has said so when it was asked for a type.
    let Ok((types, strings)) = base.extent() else { return source.clone() };
    let mut out = BtfBuilder::split(types, strings);
    for module in modules.iter().filter_map(|m| source.module_btf(m)) {
        // What makes no sense was refused when the module was searched.
        let _ = out.append_split(&module);
    }
    // First all names: their fields may point to one another.
    let own: Vec<(Rc<str>, TypeId)> = flavours.iter().map(|f| (f.name.clone(), out.reserve_struct(&f.name))).collect();
    for (f, (_, id)) in flavours.iter().zip(&own) {
        declare(base, &own, &mut out, f, *id);
    }
    match Btf::parse_split(out.to_bytes(), Arc::new(base.clone())) {
        Ok(btf) => Rc::new(WithFlavours { source: source.clone(), btf }),
        Err(_) => source.clone(),
    }
}

fn declare(base: &Btf, own: &[(Rc<str>, TypeId)], out: &mut BtfBuilder, flavour: &Flavour, id: TypeId) {
    let mut members = Vec::new();
    let mut at = 0u32;
    for f in &flavour.fields {
        let ty = local_type(base, own, out, &f.ty);
        // Where it lies is asked of the running kernel; here nothing may overlap.
        let bytes = base_size(base, &f.ty).max(1);
        at = at.next_multiple_of(8);
        members.push(MemberDef { name: &f.name, ty, bit_offset: at.saturating_mul(8), bits: f.bits });
        at = at.saturating_add(bytes);
    }
    out.define(id, at.next_multiple_of(8), &members);
}

fn base_size(base: &Btf, ty: &Ty) -> u32 {
    match ty {
        Ty::Kernel(name) => kernel::find(base, name).map_or(0, |id| kernel::size_of(base, id)),
        Ty::Array(elem, n) => base_size(base, elem).saturating_mul(*n),
        other => other.size(),
    }
}

fn local_type(base: &Btf, own: &[(Rc<str>, TypeId)], out: &mut BtfBuilder, ty: &Ty) -> TypeId {
    match ty {
        Ty::Int(IntTy { size, signed }) => {
            let name = format!("{}{}", if *signed { "__s" } else { "__u" }, u32::from(*size) * 8);
            let encoding = if *signed { int_encoding::SIGNED } else { int_encoding::NONE };
            out.int(&name, u32::from(*size), encoding)
        }
        Ty::Bool => out.int("_Bool", 1, int_encoding::BOOL),
        Ty::Char => out.int("char", 1, int_encoding::SIGNED),
        Ty::Ptr(p) => {
            let to = p.pointee.as_ref().map_or(TypeId::VOID, |to| local_type(base, own, out, to));
            out.ptr(to)
        }
        Ty::Array(elem, n) => {
            let elem = local_type(base, own, out, elem);
            out.array(elem, *n)
        }
        Ty::Kernel(name) => match own.iter().find(|(n, _)| n == name) {
            Some((_, id)) => *id,
            None => kernel::find(base, name).unwrap_or(TypeId::VOID),
        },
        _ => TypeId::VOID,
    }
}

/// Whether a field may be declared with this type; else what is wrong with it.
pub fn problem(ty: &Ty) -> Option<String> {
    match ty {
        Ty::Int(_) | Ty::Bool | Ty::Char | Ty::Kernel(_) => None,
        Ty::Ptr(p) => match p.pointee.as_deref() {
            None | Some(Ty::Void) => None,
            Some(to) => problem(to),
        },
        Ty::Array(elem, _) => problem(elem),
        other => Some(format!("{other} is no type of the kernel's")),
    }
}

impl TypeSource for WithFlavours {
    fn btf(&self) -> Option<&Btf> {
        Some(&self.btf)
    }

    fn btf_problem(&self) -> Option<String> {
        None
    }

    fn tracepoint(&self, category: &str, event: &str) -> Result<Arc<TracepointFormat>, TypeSourceError> {
        self.source.tracepoint(category, event)
    }

    fn modules(&self) -> Vec<String> {
        self.source.modules()
    }

    fn module_btf(&self, module: &str) -> Option<Arc<Btf>> {
        self.source.module_btf(module)
    }

    fn kernel_version(&self) -> Option<(u16, u16)> {
        self.source.kernel_version()
    }
}
