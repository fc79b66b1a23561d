//! Helpers, subprograms, tail calls.

use std::rc::Rc;

use whistler_isa::{Arg, ArgKind, Helper, HelperFlags, KernelVersion, ProgSet, Ret, helpers};
use whistler_lisp::Symbol;

use super::callee::{self, Callee};
use super::{FormDef, form};
use crate::check::{Call, Checker, Fit, Val, at};
use crate::diagnostics as diag;
use crate::hir::{At, Expr, ExprKind, IntTy, PtrTy, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[form(
    "tail-call",
    (2, 2),
    tail_call,
    "(tail-call map index)",
    "Goes on in another program; comes back only if there is none.",
)];

fn tail_call(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let map = super::maps::map_arg(c, &call.args[0]);
    let index = c.value(&call.args[1]);
    let index = c.number(index, "tail-call");
    let (Some((id, def)), false) = (map, index.never()) else { return Val::error(call.at()) };
    if def.map_type != whistler_isa::MapType::ProgArray {
        let text = format!("`{}` is no program array but a map of type :{}", def.name, def.map_type.keyword());
        return c.fail(diag::error(&diag::MAP_OPERATION, &at(&call.args[0]), text).also(def.span, "declared here"));
    }
    if let Some(k) = index.as_lit()
        && !(0..i128::from(def.max_entries)).contains(&k)
    {
        let text = format!("index {k} of `{}`, which has {}", def.name, def.entries());
        return c.fail(diag::error(&diag::INDEX_RANGE, &at(&call.args[1]), text).also(def.span, "declared here"));
    }
    if let (Some(own), Some((name, other))) = (c.prog_type(), of_another_type(c, &def)) {
        let text = format!(
            "a program of type :{} can't go on in `{}`, which holds programs of type :{}",
            own.keyword(),
            def.name,
            other.prog_type.keyword()
        );
        let d = diag::error(&diag::MAP_OPERATION, &call.at(), text).also(other.form.span, format!("`{name}` is one"));
        return c.fail(d.also(def.span, "declared here"));
    }
    if c.f.callbacks > 0 {
        let text = "a function that a helper calls back can't go on in another program";
        return c.fail(diag::error(&diag::NOT_HERE, &call.at(), text));
    }
    let open: Vec<_> = c.f.flow.live.iter().copied().filter(|l| !c.f.is_borrowed(*l)).collect();
    for l in open {
        super::refs::held_at_tail_call(c, l, &call.at());
    }
    let ctx = super::ctx::ctx(c, call.at());
    let map = Expr::new(ExprKind::Map(id), Ty::ptr(Space::Map, None), at(&call.args[0]));
    let index = c.fit(index, &Ty::U32, Fit::Bits);
    match call_helper(c, "tail_call", vec![ctx, map, index], Ty::Void, call.at()) {
        Some(e) => Val::of(e),
        None => Val::error(call.at()),
    }
}

/// A helper's name as programs write it.
pub(super) fn shown(h: &Helper) -> String {
    // `loop` by itself is the language's own form.
    if h.name == "loop" { "bpf-loop".to_string() } else { h.name.replace('_', "-") }
}

/// A program that lies in a program array from the start and is of another type than the one under check.
fn of_another_type(c: &Checker<'_>, def: &crate::hir::MapDef) -> Option<(Symbol, Rc<crate::env::ProgDecl>)> {
    let own = c.prog_type()?;
    def.contents.iter().find_map(|(_, name)| {
        let name = Symbol::intern(name);
        c.env.programs.get(name).filter(|p| p.prog_type != own).map(|p| (name, p.clone()))
    })
}

/// Whether the program may call the helper; reports otherwise.
pub(super) fn allowed(c: &mut Checker<'_>, h: &Helper, here: &At) -> bool {
    let shown = shown(h);
    if !may_be_called(c, &shown, h.progs, h.since, here) || !c.member_may_call(&shown, here) {
        return false;
    }
    if h.gpl_only() && !under_gpl(c, &shown, here) {
        return false;
    }
    may_sleep_here(c, &shown, h.may_sleep(), here)
}

/// Whether programs of this type, on the target, have what is called; reports otherwise.
pub(super) fn may_be_called(c: &mut Checker<'_>, shown: &str, progs: ProgSet, since: KernelVersion, here: &At) -> bool {
    if let Some(p) = c.prog_type()
        && !progs.contains(p)
    {
        let text = format!("`{shown}` can't be called by programs of type :{}", p.keyword());
        let some: Vec<_> = progs.iter().take(8).map(|p| format!(":{}", p.keyword())).collect();
        c.report(diag::error(&diag::HELPER_PROGRAM, here, text).note(format!("it can be by {} …", some.join(" "))));
        return false;
    }
    if !c.target.has(since) {
        let text = format!("`{shown}` came with kernel {since}, and the target is {}", c.target.kernel);
        c.report(
            diag::error(&diag::HELPER_TARGET, here, text).help(format!("compile for a later kernel: --target {since}")),
        );
        return false;
    }
    true
}

/// Whether the program's licence lets it call what is only for GPL programs, as all kernel functions are; reports
/// otherwise.
pub(super) fn under_gpl(c: &mut Checker<'_>, shown: &str, here: &At) -> bool {
    if gpl_compatible(&c.f.license) {
        return true;
    }
    let text = format!("`{shown}` is only for GPL programs, and this one is under \"{}\"", c.f.license);
    let help = "where the program may be under the GPL, its licence says so: (:type … :license \"GPL\")";
    c.report(diag::error(&diag::HELPER_LICENSE, here, text).help(help));
    false
}

/// Whether the program may sleep where what is called does; reports otherwise.
pub(super) fn may_sleep_here(c: &mut Checker<'_>, shown: &str, sleeps: bool, here: &At) -> bool {
    if !sleeps || c.f.sleepable || c.caller_unknown {
        return true;
    }
    let text = format!("`{shown}` may sleep, and this program is not sleepable");
    let d = diag::error(&diag::SLEEPS, here, text);
    c.report(d.help("programs of some types can be declared so: (defprog name (… :sleepable t) …), loaded as \"….s\""));
    false
}

/// The kernel's own list (include/linux/license.h).
pub(crate) fn gpl_compatible(license: &str) -> bool {
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
    if super::callback::calls_back(h) {
        return super::callback::with_callback(c, call, h);
    }
    let most = if h.flags.contains(HelperFlags::VARIADIC) { 5 } else { h.args.len() };
    match arguments(c, call, h.args, most) {
        Some(args) => checked(c, h, args, call.at()),
        None => Val::error(call.at()),
    }
}

/// The values of a call's arguments: the context passes by itself, flags left out at the end are 0.
pub(super) fn arguments(c: &mut Checker<'_>, call: &Call<'_>, params: &'static [Arg], most: usize) -> Option<Vec<Val>> {
    let mut args: Vec<Val> = Vec::with_capacity(params.len() + 1);
    let implicit = params.iter().filter(|a| a.kind == ArgKind::Implicit).count();
    let wanted = params.len() - implicit;
    let flags = params.iter().rev().skip_while(|a| a.kind == ArgKind::Implicit);
    let optional = flags.take_while(|a| a.name.ends_with("flags") && a.kind == ArgKind::Anything).count();
    let given: Vec<Val> = call.args.iter().map(|f| c.value(f)).collect();
    let xdp = c.prog_type() == Some(whistler_isa::ProgType::Xdp);
    let takes_ctx = params.first().is_some_and(|a| match a.kind {
        ArgKind::Ctx => true,
        ArgKind::Btf("xdp_buff") => xdp,
        _ => false,
    });
    let gives_ctx = given.first().is_some_and(|v| v.ty().as_ptr().is_some_and(|p| p.space == Space::Ctx));
    if takes_ctx && !gives_ctx && given.len() < wanted {
        args.push(Val::of(super::ctx::ctx(c, call.at())));
    }
    args.extend(given);
    while args.len() < wanted && args.len() + optional >= wanted {
        args.push(Val::literal(0, call.at()));
    }
    if args.len() == wanted {
        for (i, a) in params.iter().enumerate().filter(|(_, a)| a.kind == ArgKind::Implicit) {
            debug_assert!(a.name != "ctx");
            args.insert(i.min(args.len()), Val::literal(0, call.at()));
        }
        return Some(args);
    }
    if args.len() > wanted && args.len() <= most {
        return Some(args);
    }
    let mut names: Vec<String> =
        params.iter().filter(|a| a.kind != ArgKind::Implicit).map(|a| a.name.replace('_', "-")).collect();
    for n in names.iter_mut().rev().take(optional) {
        *n = format!("[{n}]");
    }
    if takes_ctx && let Some(first) = names.first_mut() {
        *first = format!("[{first}]");
    }
    let least = wanted - optional - usize::from(takes_ctx);
    let takes = if least < wanted { format!("{least} to {wanted}") } else { format!("{wanted}") };
    let plural = if takes == "1" { "" } else { "s" };
    let text = format!("`{}` takes {takes} argument{plural}, not {}", call.name, call.args.len());
    let shown = format!("({} {})", call.name.name(), names.join(" "));
    c.report(
        diag::error(&diag::ARGUMENT_COUNT, &call.at(), text).help(format!("written as {}", shown.replace(" )", ")"))),
    );
    None
}

/// A call of a helper, arguments checked.
pub(super) fn checked_helper(c: &mut Checker<'_>, name: &str, args: Vec<Val>, here: At) -> Val {
    match helpers::by_name(name) {
        Some(h) => checked(c, h, args, here),
        None => Val::error(here),
    }
}

/// Whether a helper takes maps of this one's type; reports otherwise.
pub(super) fn takes_map(c: &mut Checker<'_>, h: &Helper, map: Option<crate::hir::MapId>, here: &At) -> bool {
    let (Some(map), Some(types)) = (map, h.map_types()) else { return true };
    let def = &c.unit.maps[map.0 as usize];
    if types.contains(&def.map_type) {
        return true;
    }
    let all: Vec<String> = types.iter().map(|t| format!(":{}", t.keyword())).collect();
    let (last, before) = all.split_last().map_or((String::new(), String::new()), |(l, b)| (l.clone(), b.join(", ")));
    let all = if before.is_empty() { last } else { format!("{before} or {last}") };
    let (name, keyword) = (&def.name, def.map_type.keyword());
    let text = match h.name {
        "for_each_map_elem" => format!("the entries of `{name}`, a map of type :{keyword}, can't be visited"),
        _ => format!("`{}` takes no map of type :{keyword}, as `{name}` is", shown(h)),
    };
    let d = diag::error(&diag::MAP_OPERATION, here, text).also(def.span, "declared here");
    c.report(d.help(format!("it takes maps of type {all}")));
    false
}

fn checked(c: &mut Checker<'_>, h: &'static Helper, args: Vec<Val>, here: At) -> Val {
    if !allowed(c, h, &here) || args.iter().any(Val::never) {
        return Val::error(here);
    }
    if h.name == "d_path" {
        super::probes::path_asked(c, &here);
    }
    let callee = Callee::new(shown(h), h.args, &args);
    if !takes_map(c, h, callee.map, &here) {
        return Val::error(here);
    }
    if let (Some(source), true) = (args.get(2), h.name.starts_with("probe_read")) {
        super::probes::source(c, h.name, source);
    }
    let size_arg = h.args.iter().position(|a| a.kind == ArgKind::AllocSize);
    let mut out = Vec::with_capacity(args.len());
    for (i, v) in args.into_iter().enumerate() {
        if h.args.get(i).is_none() {
            out.push(c.fit(v, &Ty::U64, Fit::Bits));
            continue;
        }
        match callee::argument(c, &callee, i, v) {
            Some(e) => out.push(e),
            None => return Val::error(here),
        }
    }
    if let Some(i) = h.releases()
        && let Some(e) = out.get(i)
    {
        super::refs::released(c, e);
    }
    if h.moves_packet() {
        c.packet_moved();
    }
    let size = size_arg.and_then(|i| callee.known.get(i).copied().flatten());
    let ty = result(c, h, callee.map, size);
    if h.acquires()
        && ty == Ty::I64
        && let Some(i) = h.args.iter().position(|a| a.kind == ArgKind::DynptrOut)
        && let Some(e) = out.get(i)
    {
        super::refs::holds(c, e);
    }
    Val::new(ExprKind::Helper { id: h.id, args: out }, ty, here)
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
            let Some(m) = map else { return ptr(Space::MapValue, None) };
            match super::maps::lookup_type(&c.unit.maps[m.0 as usize]) {
                // The storage of the cgroup that a program is attached to is always there.
                Ty::Ptr(p) if !null => Ty::Ptr(PtrTy { nullable: false, ..p }),
                t => t,
            }
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

/// What a global function gets for a declared pointer: memory of that type, or null.
pub(crate) fn global_parameter(declared: &Ty) -> Option<Ty> {
    match declared {
        Ty::Ptr(p) => p.pointee.as_deref().map(|t| Ty::nullable_ptr(Space::Mem, Some(t.clone()))),
        Ty::Struct(_) | Ty::Array(..) => Some(Ty::nullable_ptr(Space::Mem, Some(declared.clone()))),
        _ => None,
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
    let covered: Vec<u32> = values.iter().map(|v| c.covered(v)).collect();
    for (v, p) in values.into_iter().zip(&decl.params) {
        let ty = match (&p.ty, v.ty()) {
            // Verified on its own: the kernel knows no more of a pointer than what the declaration says.
            (t, Ty::Ptr(_)) if decl.global => match global_parameter(t) {
                Some(t) => t,
                None => {
                    let text = format!("`{name}` is global: a pointer can only go where a (ptr T) is declared");
                    return c.fail(diag::error(&diag::ARGUMENT_TYPE, v.at(), text).also(p.span, "declared here"));
                }
            },
            (t @ (Ty::Ptr(_) | Ty::Struct(_) | Ty::Array(..)), _) if decl.global => {
                global_parameter(t).unwrap_or_else(|| t.clone())
            }
            (Ty::Struct(_) | Ty::Kernel(_) | Ty::Array(..), Ty::Ptr(q)) => {
                Ty::Ptr(PtrTy { pointee: Some(Rc::new(p.ty.clone())), ..q.clone() })
            }
            (Ty::Int(i), Ty::Ptr(q)) if i.size == 8 => Ty::Ptr(q.clone()),
            _ => c.settle_pointer(&p.ty, &v),
        };
        args.push(c.fit(v, &ty, Fit::Place));
        types.push(ty);
    }
    let Some(id) = c.instance(name, &decl, types, &covered, &call.at()) else { return Val::error(call.at()) };
    for i in c.releases.get(&id).cloned().unwrap_or_default() {
        if let Some(e) = args.get(i) {
            super::refs::released(c, e);
        }
    }
    let function = &c.unit.functions[id.0 as usize];
    let (ret, uses_ctx) = (function.ret.clone(), function.uses_ctx);
    if uses_ctx && decl.global {
        let known = c.prog_type().is_some_and(|p| matches!(p.info().ctx, whistler_isa::ContextKind::Struct(_)));
        if !known {
            let text =
                format!("`{name}` is global and reads the context, which the kernel can't tell it in this program");
            return c.fail(diag::error(&diag::NOT_HERE, &call.at(), text).also(decl.form.span, "defined here"));
        }
    }
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
