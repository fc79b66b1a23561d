//! The kernel's types as the language's declarations: what `btf dump --lisp` prints is evaluated, and must lie as the
//! kernel has it. Skipped, with the reason printed, where there is no BTF (`WHISTLER_REQUIRE_KERNEL=1` makes that a failure).

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use whistler_btf::{Btf, Kind, TracepointFormat, TypeId, TypeSource, TypeSourceError};
use whistler_compiler::Session;
use whistler_compiler::hir::{StructDef, Ty};
use whistler_diag::{Severity, SourceMap};
use whistler_isa::Target;
use whistler_lisp::{Interp, NoIo, Symbol};

struct Types(Arc<Btf>);

impl TypeSource for Types {
    fn btf(&self) -> Option<&Btf> {
        Some(&self.0)
    }

    fn btf_problem(&self) -> Option<String> {
        None
    }

    fn tracepoint(&self, category: &str, event: &str) -> Result<Arc<TracepointFormat>, TypeSourceError> {
        Err(TypeSourceError::Unavailable(format!("no {category}/{event} here")))
    }

    fn kernel_version(&self) -> Option<(u16, u16)> {
        None
    }
}

/// Types tried: as many as this, from all over the kernel.
const TYPES: usize = 400;

#[test]
fn what_is_dumped_as_lisp_lies_as_the_kernel_has_it() {
    let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
        assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "needs the kernel's BTF");
        eprintln!("skipped: this kernel has no BTF");
        return;
    };
    let btf = Arc::new(Btf::parse(bytes).expect("sound"));
    let mut named = Vec::new();
    for id in btf.own_ids().expect("sound") {
        let t = btf.ty(id).expect("sound");
        if matches!(t.get(), Kind::Struct(_) | Kind::Union(_) | Kind::Enum(_)) && !t.name.is_empty() {
            named.push(id);
        }
    }
    let wanted = std::env::var("WHISTLER_TYPES").ok().and_then(|n| n.parse().ok()).unwrap_or(TYPES);
    let (mut compared, mut not_said, mut bytes_only) = (0usize, Vec::new(), 0usize);
    for id in named.iter().step_by((named.len() / wanted).max(1)) {
        let t = btf.ty(*id).expect("sound");
        let text = btf.lisp_declarations(&[*id]).expect("written");
        bytes_only += text.matches("lie over each other").count();
        let (mut sources, mut interp) = (SourceMap::new(), Interp::new(Box::new(NoIo)));
        let mut session = Session::new(Target::default(), Rc::new(Types(btf.clone())));
        let file = sources.add("dumped.lisp", &*text);
        let diags = session.load_source(&mut interp, &sources, file);
        let errors: Vec<_> = diags.iter().filter(|d| d.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{text}\n{errors:?}");
        let name = Symbol::intern(t.name);
        if let Kind::Enum(e) = t.get() {
            let Some(ours) = session.env.enums.get(name) else {
                not_said.push(t.name);
                continue;
            };
            let theirs: Vec<i64> = e.values().map(|v| if e.signed { v.1 } else { v.1 & 0xffff_ffff }).collect();
            assert_eq!(ours.members.iter().map(|m| m.1).collect::<Vec<_>>(), theirs, "{text}");
        } else {
            let Some(ours) = session.env.structs.get(name) else {
                not_said.push(t.name);
                continue;
            };
            compared += same(&btf, ours, *id, &mut HashMap::new());
        }
    }
    eprintln!("{compared} fields compared; not declared: {not_said:?}; as bytes only: {bytes_only}");
    // What has not 4 bytes of the enums, what is the language's own, and what is larger than a megabyte.
    assert!(not_said.len() <= wanted.min(named.len()) / 20, "{not_said:?}");
    assert_eq!(bytes_only, 0);
    assert!(compared > 10 * wanted.min(named.len()) / 2, "{compared}");
}

/// Compares a declared struct with the kernel's, and those in it; how many fields were.
fn same(btf: &Btf, ours: &Rc<StructDef>, id: TypeId, seen: &mut HashMap<TypeId, ()>) -> usize {
    if seen.insert(id, ()).is_some() {
        return 0;
    }
    assert_eq!(ours.size, btf.size_of(id).expect("sound"), "size of {}", ours.name);
    let mut flat = Vec::new();
    flatten(ours, 0, &mut flat);
    let theirs = btf.flat_members(id).expect("sound");
    let names = |all: &[(String, u32, u8, Ty)]| all.iter().map(|f| f.0.clone()).collect::<Vec<_>>();
    assert_eq!(flat.len(), theirs.len(), "fields of {}: {:?} {theirs:?}", ours.name, names(&flat));
    let mut compared = 0;
    for ((name, bit, bits, ty), (kernels, place)) in flat.iter().zip(theirs) {
        let what = format!("{}.{kernels}", ours.name);
        assert_eq!(name.split("--").next(), Some(kernels), "{what}");
        assert_eq!((*bit, *bits), (place.bit_offset, place.bits), "{what}");
        compared += 1;
        if place.bits > 0 {
            continue;
        }
        let size = match btf.stripped(place.ty).expect("sound").get() {
            Kind::Array { len: 0, .. } => 0,
            _ => btf.size_of(place.ty).expect("sound"),
        };
        assert_eq!(ty.size(), size, "size of {what}");
        let (mut inner, mut theirs) = (ty.clone(), place.ty);
        while let (Ty::Array(elem, n), Kind::Array { elem: element, len }) =
            (inner.clone(), btf.stripped(theirs).expect("sound").get())
        {
            if n != len {
                break;
            }
            (inner, theirs) = ((*elem).clone(), element);
        }
        let theirs = btf.strip(theirs).expect("sound");
        if let (Ty::Struct(inner), Kind::Struct(_) | Kind::Union(_)) = (inner, btf.ty(theirs).expect("sound").get())
            && !inner.fields.iter().any(|f| &*f.name == "__opaque")
        {
            compared += same(btf, &inner, theirs, seen);
        }
    }
    compared
}

/// The fields with their places in bits, those behind members that have no name in the kernel lifted, without padding.
fn flatten(def: &StructDef, base: u32, out: &mut Vec<(String, u32, u8, Ty)>) {
    for f in &def.fields {
        let (shift, bits) = f.bits.unwrap_or((0, 0));
        let bit = base + f.offset * 8 + u32::from(shift);
        match &f.ty {
            Ty::Struct(inner) if f.name.starts_with("anon-") => flatten(inner, bit, out),
            _ if f.name.starts_with("pad-") || f.name.starts_with("-pad-") => {}
            ty => out.push((f.name.to_string(), bit, bits, ty.clone())),
        }
    }
}
