//! The tables of `whistler-isa` against this kernel's BTF: numbers, layouts, names. A kernel older than the
//! tables lacks their last rows; what it has must agree.

use std::collections::HashMap;
use whistler_btf::{Btf, Kind, TypeKind};
use whistler_isa::{AttachType, HELPERS, KFUNCS, MapType, ProgType, constants, ctx};

fn vmlinux() -> Option<Btf> {
    match std::fs::read("/sys/kernel/btf/vmlinux") {
        Ok(bytes) => Some(Btf::parse(bytes).unwrap()),
        Err(e) => {
            assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "no BTF: {e}");
            eprintln!("skipped: no BTF: {e}");
            None
        }
    }
}

fn enumerators(btf: &Btf, name: &str) -> HashMap<String, i64> {
    let id = btf.find_any(name, &[TypeKind::Enum, TypeKind::Enum64]).unwrap().unwrap_or_else(|| panic!("enum {name}"));
    let Kind::Enum(e) = btf.ty(id).unwrap().get() else { unreachable!() };
    e.values().map(|(n, v)| (n.to_owned(), v)).collect()
}

/// Compares a table with an enum: every row the kernel has agrees, and the kernel has nothing before its end that we lack.
fn same(kernel: &HashMap<String, i64>, ours: &[(&str, u32)], end: &str) {
    let end = kernel[end];
    let mut seen = 0;
    for (name, number) in ours {
        match kernel.get(*name) {
            Some(n) => {
                assert_eq!(*n, i64::from(*number), "{name}");
                seen += 1;
            }
            None => assert!(i64::from(*number) >= end, "the kernel has no {name}"),
        }
    }
    assert!(seen as i64 == end.min(ours.len() as i64), "{seen} of {end}");
}

#[test]
fn type_numbers_are_the_kernels() {
    let Some(btf) = vmlinux() else { return };
    let rows: Vec<_> = ProgType::ALL.iter().map(|p| (p.kernel_name(), p.number())).collect();
    same(&enumerators(&btf, "bpf_prog_type"), &rows, "__MAX_BPF_PROG_TYPE");
    let rows: Vec<_> = MapType::ALL.iter().map(|p| (p.kernel_name(), p.number())).collect();
    same(&enumerators(&btf, "bpf_map_type"), &rows, "__MAX_BPF_MAP_TYPE");
    let rows: Vec<_> = AttachType::ALL.iter().map(|p| (p.kernel_name(), p.number())).collect();
    same(&enumerators(&btf, "bpf_attach_type"), &rows, "__MAX_BPF_ATTACH_TYPE");
    let names: Vec<String> = HELPERS.iter().map(|h| format!("BPF_FUNC_{}", h.name)).collect();
    let mut rows: Vec<_> = HELPERS.iter().zip(&names).map(|(h, n)| (n.as_str(), h.id)).collect();
    rows.push(("BPF_FUNC_unspec", 0));
    same(&enumerators(&btf, "bpf_func_id"), &rows, "__BPF_FUNC_MAX_ID");
}

#[test]
fn constants_are_the_kernels() {
    let Some(btf) = vmlinux() else { return };
    let mut checked = 0;
    for name in [
        "xdp_action",
        "sk_action",
        "bpf_cmd",
        "bpf_link_type",
        "bpf_ret_code",
        "bpf_adj_room_mode",
        "bpf_hdr_start_off",
    ] {
        for (n, v) in enumerators(&btf, name) {
            if !n.starts_with("__") && n != "BPF_PROG_RUN" && !n.starts_with("MAX_") {
                assert_eq!(constants::by_name(&n), Some(v), "{n}");
                checked += 1;
            }
        }
    }
    // The flags stand in enums without a name.
    for id in btf.own_ids().unwrap() {
        let t = btf.ty(id).unwrap();
        let Kind::Enum(e) = t.get() else { continue };
        for (n, v) in e.values() {
            if let Some(ours) = constants::by_name(n).filter(|_| n.starts_with("BPF_") || n.starts_with("XDP_")) {
                assert_eq!(ours, v, "{n}");
                checked += 1;
            }
        }
    }
    assert!(checked > 300, "{checked}");
}

#[test]
fn contexts_are_laid_out_as_the_kernels() {
    let Some(btf) = vmlinux() else { return };
    for c in ctx::CONTEXTS {
        // Lirc's context is one number; perf's and pt_regs are this machine's.
        if c.name == "lirc_mode2"
            || (cfg!(not(target_arch = "x86_64")) && matches!(c.name, "pt_regs" | "bpf_perf_event_data"))
        {
            continue;
        }
        let id = btf.find(c.name, TypeKind::Struct).unwrap().unwrap_or_else(|| panic!("struct {}", c.name));
        assert_eq!(btf.size_of(id).unwrap(), c.size, "{}", c.name);
        let flat = btf.flat_members(id).unwrap();
        for f in c.fields {
            let found = flat.iter().find(|(n, _)| *n == f.name);
            let (_, m) = found.unwrap_or_else(|| panic!("{}.{}", c.name, f.name));
            assert_eq!(m.byte_offset(), f.offset, "{}.{}", c.name, f.name);
            let size = btf.size_of(m.ty).unwrap();
            // `args[]` of raw tracepoints has no length of its own; `cs` and `ss` lie in slots of 8 bytes.
            assert!(
                size == f.size || size == 0 || (c.name == "pt_regs" && size < f.size),
                "{}.{}: {size}",
                c.name,
                f.name
            );
        }
        // Nothing the kernel has is missing, but padding and what the kernel added since.
        for (n, m) in &flat {
            if c.size != 0 && c.name != "pt_regs" && c.name != "bpf_perf_event_data" {
                assert!(c.field(n).is_some(), "{}.{n} at {}", c.name, m.byte_offset());
            }
        }
    }
}

#[test]
fn kernel_structs_that_helpers_name_exist() {
    let Some(btf) = vmlinux() else { return };
    for h in HELPERS {
        let from_args = h.args.iter().filter_map(|a| match a.kind {
            whistler_isa::ArgKind::Btf(n) => Some(n),
            _ => None,
        });
        let from_ret = match h.ret {
            whistler_isa::Ret::Btf(n) | whistler_isa::Ret::TrustedBtf(n) => Some(n),
            _ => None,
        };
        for name in from_args.chain(from_ret).filter(|n| !n.is_empty()) {
            assert!(btf.find(name, TypeKind::Struct).unwrap().is_some(), "{}: struct {name}", h.name);
        }
    }
}

/// A type as the tables write it.
fn c_type(btf: &Btf, id: whistler_btf::TypeId) -> String {
    if id.0 == 0 {
        return "void".into();
    }
    let t = btf.ty(id).unwrap();
    match t.get() {
        Kind::Ptr(to) => {
            let to = c_type(btf, to);
            if to == "function" { to } else { format!("{to} *").replace("* *", "**") }
        }
        Kind::Const(to) => format!("const {}", c_type(btf, to)),
        Kind::Volatile(to) | Kind::Restrict(to) | Kind::TypeTag(to) => c_type(btf, to),
        Kind::Struct(_) => format!("struct {}", t.name),
        Kind::Union(_) => format!("union {}", t.name),
        Kind::Enum(_) => format!("enum {}", t.name),
        Kind::FuncProto { .. } => "function".into(),
        _ => t.name.to_string(),
    }
}

#[test]
fn kernel_functions_are_the_kernels() {
    let Some(btf) = vmlinux() else { return };
    let mut tagged = std::collections::BTreeSet::new();
    for id in btf.own_ids().unwrap() {
        let t = btf.ty(id).unwrap();
        if let (Kind::DeclTag { of, .. }, "bpf_kfunc") = (t.get(), t.name) {
            tagged.insert(btf.ty(of).unwrap().name.to_string());
        }
    }
    let mut seen = 0;
    for k in KFUNCS {
        // Configuration decides what a kernel has.
        if !tagged.remove(k.name) {
            continue;
        }
        seen += 1;
        let func = btf.ty(btf.find_func(k.name).unwrap().unwrap()).unwrap();
        let Kind::Func { proto, .. } = func.get() else { unreachable!() };
        let Kind::FuncProto(proto) = btf.ty(proto).unwrap().get() else { unreachable!() };
        assert_eq!(c_type(&btf, proto.ret), k.ret_type, "{} returns", k.name);
        let params: Vec<_> = proto.params().map(|p| (p.name.to_string(), c_type(&btf, p.ty))).collect();
        assert_eq!(params.len(), k.args.len(), "{}", k.name);
        for (a, (name, ty)) in k.args.iter().zip(&params) {
            let of_function = ty == "function" || ty.ends_with("_callback_t");
            assert!(of_function || *ty == a.c_type, "{}: {name} is {ty}, not {}", k.name, a.c_type);
            assert!(name.starts_with(a.name.split("_size").next().unwrap()), "{}: {name}, not {}", k.name, a.name);
            use whistler_isa::ArgKind as A;
            for (suffix, fits) in [
                ("__sz", a.kind == A::SizeOrZero),
                ("__szk", a.kind == A::AllocSize),
                ("__k", a.kind == A::Constant),
                ("__str", a.kind == A::ConstStr),
                ("__uninit", a.kind == A::DynptrOut),
                ("__irq_flag", a.kind == A::IrqFlags),
                ("__prog", a.kind == A::Implicit),
                ("__nullable", a.nullable),
                ("__opt", a.nullable),
            ] {
                assert!(!name.ends_with(suffix) || fits, "{}: {name} is {:?}", k.name, a.kind);
            }
        }
    }
    assert!(seen > 150, "{seen}");
    let ours = ["bpf_modify_return_test", "bpf_fentry_test1", "__bpf_trap"];
    let unknown: Vec<_> = tagged.iter().filter(|n| !ours.iter().any(|o| n.starts_with(o))).collect();
    assert!(unknown.is_empty() || btf_is_newer(&btf), "the table lacks {unknown:?}");
}

/// Whether the kernel has helpers or program types that came after the tables.
fn btf_is_newer(btf: &Btf) -> bool {
    enumerators(btf, "bpf_attach_type")["__MAX_BPF_ATTACH_TYPE"] > AttachType::ALL.len() as i64
}
