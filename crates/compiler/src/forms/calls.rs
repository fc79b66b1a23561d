//! Helpers, subprograms, tail calls.

use std::rc::Rc;

use whistler_isa::{Access, ArgKind, Helper, HelperFlags, MemSize, Ret, helpers};
use whistler_lisp::Symbol;

use super::{FormDef, form};
use crate::check::{Call, Checker, Fit, Val, at};
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, Expr, ExprKind, IntTy, PtrTy, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form(
        "tail-call",
        (2, 2),
        tail_call,
        "(tail-call map index)",
        "Goes on in another program; comes back only if there is none.",
    ),
    form("asm", (0, 5), asm, "(asm opcode dst src off imm)", "One raw instruction."),
];

fn asm(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    c.fail(
        diag::error(&diag::NOT_HERE, &call.at(), "raw instructions are not possible in this version")
            .help("every instruction has a form of its own: atomic-…, load, store, cast, the arithmetic forms"),
    )
}

fn tail_call(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let map = super::maps::map_arg(c, &call.args[0]);
    let index = c.value(&call.args[1]);
    let index = c.number(index, "tail-call");
    let (Some((id, def)), false) = (map, index.never()) else { return Val::error(call.at()) };
    if def.map_type != whistler_isa::MapType::ProgArray {
        let text = format!("`{}` is no program array but a map of type :{}", def.name, def.map_type.keyword());
        return c.fail(diag::error(&diag::MAP_OPERATION, &at(&call.args[0]), text).also(def.span, "declared here"));
    }
    let ctx = super::ctx::ctx(c, call.at());
    let map = Expr::new(ExprKind::Map(id), Ty::ptr(Space::Map, None), at(&call.args[0]));
    let index = c.fit(index, &Ty::U32, Fit::Bits);
    match call_helper(c, "tail_call", vec![ctx, map, index], Ty::Void, call.at()) {
        Some(e) => Val::of(e),
        None => Val::error(call.at()),
    }
}

/// Whether the program may call the helper; reports otherwise.
fn allowed(c: &mut Checker<'_>, h: &Helper, here: &At) -> bool {
    let shown = h.name.replace('_', "-");
    if let Some(p) = c.prog_type()
        && !h.progs.contains(p)
    {
        let text = format!("`{shown}` can't be called by programs of type :{}", p.keyword());
        let some: Vec<_> = h.progs.iter().take(8).map(|p| format!(":{}", p.keyword())).collect();
        c.report(diag::error(&diag::HELPER_PROGRAM, here, text).note(format!("it can be by {} …", some.join(" "))));
        return false;
    }
    if !c.target.has(h.since) {
        let text = format!("`{shown}` came with kernel {}, and the target is {}", h.since, c.target.kernel);
        c.report(
            diag::error(&diag::HELPER_TARGET, here, text)
                .help(format!("compile for a later kernel: --target {}", h.since)),
        );
        return false;
    }
    if h.gpl_only() && !gpl_compatible(&c.f.license) {
        let text = format!("`{shown}` is only for GPL programs, and this one is under \"{}\"", c.f.license);
        c.report(diag::error(&diag::HELPER_LICENSE, here, text));
        return false;
    }
    true
}

/// The kernel's own list (include/linux/license.h).
fn gpl_compatible(license: &str) -> bool {
    matches!(
        license,
        "" | "GPL" | "GPL v2" | "GPL and additional rights" | "Dual BSD/GPL" | "Dual MIT/GPL" | "Dual MPL/GPL"
    )
}

/// A call of a helper whose arguments are right by construction.
pub(super) fn call_helper(c: &mut Checker<'_>, name: &str, args: Vec<Expr>, ty: Ty, here: At) -> Option<Expr> {
    let h = helpers::by_name(name)?;
    if !allowed(c, h, &here) || args.iter().any(|a| a.ty == Ty::Never) {
        return None;
    }
    if h.moves_packet() {
        c.packet_moved();
    }
    Some(Expr::new(ExprKind::Helper { id: h.id, args }, ty, here))
}

/// A call of a helper by its name.
pub fn helper(c: &mut Checker<'_>, call: &Call<'_>, h: &'static Helper) -> Val {
    let mut args: Vec<Val> = Vec::with_capacity(call.args.len() + 1);
    if call.args.len() + 1 == h.args.len() && h.args.first().is_some_and(|a| a.kind == ArgKind::Ctx) {
        // The context passes by itself.
        args.push(Val::of(super::ctx::ctx(c, call.at())));
    }
    for f in call.args {
        args.push(c.value(f));
    }
    let most = if h.flags.contains(HelperFlags::VARIADIC) { 5 } else { h.args.len() };
    if args.len() < h.args.len() || args.len() > most {
        let params: Vec<_> = h.args.iter().map(|a| a.name.replace('_', "-")).collect();
        return c.fail(
            diag::error(
                &diag::ARGUMENT_COUNT,
                &call.at(),
                format!(
                    "`{}` takes {} argument{}, not {}",
                    call.name,
                    h.args.len(),
                    if h.args.len() == 1 { "" } else { "s" },
                    args.len()
                ),
            )
            .help(format!("written as ({} {})", h.name.replace('_', "-"), params.join(" "))),
        );
    }
    checked(c, h, args, call.at())
}

/// A call of a helper, arguments checked.
pub(super) fn checked_helper(c: &mut Checker<'_>, name: &str, args: Vec<Val>, here: At) -> Val {
    match helpers::by_name(name) {
        Some(h) => checked(c, h, args, here),
        None => Val::error(here),
    }
}

fn checked(c: &mut Checker<'_>, h: &'static Helper, args: Vec<Val>, here: At) -> Val {
    if !allowed(c, h, &here) || args.iter().any(Val::never) {
        return Val::error(here);
    }
    let map = args.iter().find_map(|a| match a.e.kind {
        ExprKind::Map(id) => Some(id),
        _ => None,
    });
    let sizes: Vec<Option<i128>> = args.iter().map(|a| (a.lo == a.hi).then_some(a.lo)).collect();
    let size_arg = h.args.iter().position(|a| a.kind == ArgKind::AllocSize);
    let mut out = Vec::with_capacity(args.len());
    let mut released = None;
    for (i, v) in args.into_iter().enumerate() {
        let Some(spec) = h.args.get(i) else {
            out.push(c.fit(v, &Ty::U64, Fit::Bits));
            continue;
        };
        if spec.released {
            released = c.root_of(&v.e);
        }
        let next = sizes.get(i + 1).copied().flatten();
        match argument(c, h, i, v, next, map) {
            Some(e) => out.push(e),
            None => return Val::error(here),
        }
    }
    if let Some(r) = released {
        c.f.flow.live.retain(|l| *l != r);
        c.f.flow.released.push(r);
    }
    if h.moves_packet() {
        c.packet_moved();
    }
    let size = size_arg.and_then(|i| sizes.get(i).copied().flatten());
    let ty = result(c, h, map, size);
    Val::new(ExprKind::Helper { id: h.id, args: out }, ty, here)
}

/// One argument as the verifier wants it.
fn argument(
    c: &mut Checker<'_>,
    h: &Helper,
    i: usize,
    v: Val,
    next: Option<i128>,
    map: Option<crate::hir::MapId>,
) -> Option<Expr> {
    let spec = h.args.get(i)?;
    let here = v.at().clone();
    let name = spec.name.replace('_', "-");
    let helper = h.name.replace('_', "-");
    if spec.nullable && v.is_zero() {
        return Some(Expr::new(ExprKind::Const(0), Ty::nullable_ptr(Space::Unknown, None), here));
    }
    let map_def = map.map(|m| c.unit.maps[m.0 as usize].clone());
    let (len, write) = match spec.kind {
        ArgKind::Anything => {
            return Some(match v.ty() {
                Ty::Ptr(_) => v.e,
                _ => {
                    let v = c.number(v, &helper);
                    c.fit(v, &Ty::U64, Fit::Bits)
                }
            });
        }
        ArgKind::Size | ArgKind::SizeOrZero | ArgKind::AllocSize => {
            let v = c.number(v, &helper);
            return Some(c.fit(v, &Ty::U64, Fit::Bits));
        }
        ArgKind::ConstMap => {
            if v.ty().as_ptr().is_none_or(|p| p.space != Space::Map) {
                c.report(diag::error(&diag::ARGUMENT_TYPE, &here, format!("`{name}` of `{helper}` is a map")));
                return None;
            }
            return Some(v.e);
        }
        ArgKind::Ctx => {
            if v.ty().as_ptr().is_none_or(|p| p.space != Space::Ctx) {
                let d = diag::error(&diag::ARGUMENT_TYPE, &here, format!("`{name}` of `{helper}` is the context"));
                c.report(d.help("give (ctx-ptr)"));
                return None;
            }
            return Some(v.e);
        }
        ArgKind::MapKey => (map_def.map(|m| m.key_size), false),
        ArgKind::MapValue => (map_def.map(|m| m.value_size), false),
        ArgKind::MapValueOut => (map_def.map(|m| m.value_size), true),
        ArgKind::Mem(access, size) => {
            let len = match size {
                MemSize::Fixed(n) => Some(n),
                MemSize::Next => next.and_then(|n| u32::try_from(n).ok()),
            };
            (len, access != Access::Read)
        }
        _ => {
            // Kernel objects and special memory: a pointer that is not null.
            if !matches!(v.ty(), Ty::Ptr(_)) {
                let text = format!("`{name}` of `{helper}` is a pointer, and this is a number");
                c.report(diag::error(&diag::ARGUMENT_TYPE, &here, text));
                return None;
            }
            if v.ty().as_ptr().is_some_and(|p| p.nullable) && !spec.nullable {
                return c.readable(v, 0, None, &here).map(|v| v.e);
            }
            return Some(v.e);
        }
    };
    memory(c, v, len, write, &helper, &name)
}

/// Memory that a helper reads or writes.
fn memory(c: &mut Checker<'_>, v: Val, len: Option<u32>, write: bool, helper: &str, name: &str) -> Option<Expr> {
    let here = v.at().clone();
    if !matches!(v.ty(), Ty::Ptr(_)) {
        let text = format!("`{name}` of `{helper}` is a pointer to memory, and this is a number");
        c.report(diag::error(&diag::ARGUMENT_TYPE, &here, text).help("a variable's address is (stack-addr v)"));
        return None;
    }
    if let (Some(len), Some(PtrTy { pointee: Some(t), space, .. }), Some(have)) =
        (len, v.ty().as_ptr().cloned(), room(&v.e))
        && len > have
        && matches!(
            space,
            Space::Stack | Space::MapValue | Space::MapConst | Space::Ring | Space::Global | Space::Rodata
        )
        && !(space == Space::Rodata && matches!(v.e.kind, ExprKind::Bytes(_)))
        && matches!(*t, Ty::Int(_) | Ty::Enum(_) | Ty::Struct(_) | Ty::Array(..))
    {
        let text = if have == t.size() {
            format!("`{helper}` gets {len} bytes of a {t}, which has {have}")
        } else {
            format!("`{helper}` gets {len} bytes, and from here on there are {have}")
        };
        c.report(diag::error(&diag::OBJECT_BOUNDS, &here, text));
        return None;
    }
    let checked_len = match v.ty().as_ptr().map(|p| p.space) {
        Some(Space::Packet) => len,
        _ => Some(0),
    };
    let v = c.readable(v, 0, checked_len, &here)?;
    if write && let Some(why) = v.ty().as_ptr().and_then(|p| c.why_read_only(p.space)) {
        c.report(diag::error(&diag::READ_ONLY, &here, why));
        return None;
    }
    Some(v.e)
}

/// How many bytes there are from a pointer on, as far as the types say.
fn room(e: &Expr) -> Option<u32> {
    let own = || e.ty.as_ptr()?.pointee.as_deref().map(Ty::size).filter(|n| *n > 0);
    match &e.kind {
        // A field's address: the object it is in goes on behind it.
        ExprKind::Cast(object) if object.ty.as_ptr().is_some() => room(object).or_else(own),
        ExprKind::Bin(BinOp::Add, object, n) => match n.as_const().map(u32::try_from) {
            Some(Ok(n)) => room(object)?.checked_sub(n),
            _ => None,
        },
        _ => own(),
    }
}

/// What a helper yields, as a type.
fn result(c: &Checker<'_>, h: &Helper, map: Option<crate::hir::MapId>, size: Option<i128>) -> Ty {
    let null = h.may_return_null();
    let ptr = |space: Space, t: Option<Ty>| if null { Ty::nullable_ptr(space, t) } else { Ty::ptr(space, t) };
    let kernel = |name: &str| Some(Ty::Kernel(name.into()));
    match h.ret {
        Ret::Int if h.name == "get_current_task" => Ty::ptr(Space::Kernel, kernel("task_struct")),
        Ret::Int => match h.ret_type {
            "__u64" | "u64" => Ty::U64,
            "__u32" | "u32" => Ty::U32,
            _ => Ty::I64,
        },
        Ret::Void => Ty::Void,
        Ret::MapValue => {
            map.map_or_else(|| ptr(Space::MapValue, None), |m| super::maps::lookup_type(&c.unit.maps[m.0 as usize]))
        }
        Ret::Socket | Ret::SockCommon => ptr(Space::Trusted, kernel("bpf_sock")),
        Ret::TcpSock => ptr(Space::Trusted, kernel("bpf_tcp_sock")),
        Ret::Mem | Ret::MemOrBtf => ptr(Space::Mem, None),
        Ret::RingbufMem => {
            let bytes = size.and_then(|n| u32::try_from(n).ok());
            ptr(Space::Ring, bytes.map(|n| Ty::Array(Rc::new(Ty::Int(IntTy::U8)), n)))
        }
        Ret::Btf("") => ptr(Space::Trusted, None),
        Ret::Btf(name) | Ret::TrustedBtf(name) => ptr(Space::Trusted, kernel(name)),
    }
}

/// A call of a subprogram.
pub fn subprogram(c: &mut Checker<'_>, call: &Call<'_>, name: Symbol) -> Val {
    c.use_name(name);
    let Some(decl) = c.env.subprograms.get(name).cloned() else { return Val::error(call.at()) };
    let shift = call.args.len().saturating_sub(decl.params.len());
    let mut values: Vec<Val> = Vec::with_capacity(call.args.len());
    for (i, f) in call.args.iter().enumerate() {
        let param = i.checked_sub(shift).and_then(|i| decl.params.get(i));
        values.push(c.value_for(f, param.map(|p| &p.ty)));
    }
    if values.len() == decl.params.len() + 1
        && values[0].ty().as_ptr().is_some_and(|p| p.space == Space::Ctx)
        && matches!(values[0].e.kind, ExprKind::Ctx)
    {
        // The context passes by itself; giving it is harmless.
        values.remove(0);
    }
    if values.len() != decl.params.len() {
        let params: Vec<_> = decl.params.iter().map(|p| p.name.to_string()).collect();
        return c.fail(
            diag::error(
                &diag::ARGUMENT_COUNT,
                &call.at(),
                format!(
                    "`{name}` takes {} argument{}, not {}",
                    decl.params.len(),
                    if decl.params.len() == 1 { "" } else { "s" },
                    values.len()
                ),
            )
            .also(decl.form.span, "defined here")
            .help(format!("written as ({name} {})", params.join(" "))),
        );
    }
    if values.iter().any(Val::never) {
        return Val::error(call.at());
    }
    let mut types = Vec::with_capacity(values.len());
    let mut args = Vec::with_capacity(values.len());
    for (v, p) in values.into_iter().zip(&decl.params) {
        let ty = match (&p.ty, v.ty()) {
            (Ty::Struct(_) | Ty::Kernel(_) | Ty::Array(..), Ty::Ptr(q)) => {
                Ty::Ptr(PtrTy { pointee: Some(Rc::new(p.ty.clone())), ..q.clone() })
            }
            (Ty::Int(i), Ty::Ptr(q)) if i.size == 8 => Ty::Ptr(q.clone()),
            _ => c.settle_pointer(&p.ty, &v),
        };
        args.push(c.fit(v, &ty, Fit::Place));
        types.push(ty);
    }
    let Some(id) = c.instance(name, &decl, types, &call.at()) else { return Val::error(call.at()) };
    let function = &c.unit.functions[id.0 as usize];
    let (ret, uses_ctx) = (function.ret.clone(), function.uses_ctx);
    if uses_ctx {
        c.f.uses_ctx = true;
        if args.len() > 4 {
            return c.fail(
                diag::error(
                    &diag::ARGUMENT_COUNT,
                    &call.at(),
                    format!("`{name}` reads the context, which counts among the five arguments"),
                )
                .also(decl.form.span, "defined here"),
            );
        }
    }
    Val::new(ExprKind::Call { function: id, args }, ret, call.at())
}
