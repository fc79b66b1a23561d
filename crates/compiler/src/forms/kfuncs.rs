//! Kernel functions: calls by name, the casts that only they can do, and iteration over the kernel's objects.
//! Invariant: the prototype of what is called stands in the table, so no BTF is needed to compile.

use whistler_btf::CoreKind;
use whistler_isa::{ArgKind, Kfunc, KfuncFlags, LoopWay, Ret, kfuncs};
use whistler_lisp::{Form, Symbol};

use super::callee::{self, Callee};
use super::{FormDef, MANY, form};
use crate::assemble::btf::c_int;
use crate::builtin;
use crate::check::{Call, Checker, Fact, Val, Want, at};
use crate::diagnostics as diag;
use crate::hir::{At, CmpOp, Expr, ExprKind, IntTy, LocalKind, LoopPlan, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form("kernel-ctx", (0, 0), kernel_ctx, "(kernel-ctx)", "The context as the kernel's own struct, read directly."),
    form(
        "rdonly-cast",
        (2, 2),
        rdonly_cast,
        "(rdonly-cast pointer STRUCT)",
        "An address as a pointer to a kernel struct that is read directly.",
    ),
    form(
        "do-kernel",
        (1, MANY),
        do_kernel,
        "(do-kernel (v kind argument…) form…)",
        "Forms with each object that a kernel iterator gives: task, css, css-task, task-vma, bits, kmem-cache, dmabuf.",
    ),
];

/// Whether the program may call the function; reports otherwise.
fn allowed(c: &mut Checker<'_>, k: &Kfunc, here: &At) -> bool {
    let shown = k.spelled();
    super::calls::may_be_called(c, &shown, k.progs, k.since, here)
        && super::calls::under_gpl(c, &shown, here)
        && super::calls::may_sleep_here(c, &shown, k.may_sleep(), here)
}

/// A call of a kernel function whose arguments are right by construction.
pub(super) fn call_kfunc(
    c: &mut Checker<'_>,
    kfunc: &'static Kfunc,
    args: Vec<Expr>,
    ty: Ty,
    here: At,
) -> Option<Expr> {
    if !allowed(c, kfunc, &here) || args.iter().any(|a| a.ty == Ty::Never) {
        return None;
    }
    Some(Expr::new(ExprKind::Kfunc { kfunc, args }, ty, here))
}

/// The same, by name.
pub(super) fn call_named(c: &mut Checker<'_>, name: &str, args: Vec<Expr>, ty: Ty, here: At) -> Option<Expr> {
    call_kfunc(c, kfuncs::by_name(name)?, args, ty, here)
}

/// A call of a kernel function by its name.
pub fn kfunc(c: &mut Checker<'_>, call: &Call<'_>, k: &'static Kfunc) -> Val {
    if let Some(text) = not_by_name(k) {
        return c
            .fail(diag::error(&diag::NOT_HERE, &call.at(), format!("`{}` can't be called so", call.name)).help(text));
    }
    match super::calls::arguments(c, call, k.args, k.args.len()) {
        Some(args) => checked(c, k, args, call.at()),
        None => Val::error(call.at()),
    }
}

/// What stands for a function that takes what only the compiler can make.
fn not_by_name(k: &Kfunc) -> Option<&'static str> {
    Some(match k.name {
        "bpf_rdonly_cast" => "use (rdonly-cast pointer STRUCT)",
        "bpf_obj_new_impl"
        | "bpf_percpu_obj_new_impl"
        | "bpf_obj_drop_impl"
        | "bpf_percpu_obj_drop_impl"
        | "bpf_refcount_acquire_impl"
        | "bpf_list_push_front_impl"
        | "bpf_list_push_back_impl"
        | "bpf_rbtree_add_impl" => {
            "objects that programs allocate for lists and trees are not in this version; keep them in maps"
        }
        _ => return None,
    })
}

/// A call of a kernel function, arguments checked.
pub(super) fn checked(c: &mut Checker<'_>, k: &'static Kfunc, args: Vec<Val>, here: At) -> Val {
    if !allowed(c, k, &here) || args.iter().any(Val::never) {
        return Val::error(here);
    }
    let callee = Callee::new(k.spelled(), k.args, &args);
    let mut out = Vec::with_capacity(args.len());
    for (i, v) in args.into_iter().enumerate() {
        match callee::argument(c, &callee, i, v) {
            Some(e) => out.push(e),
            None => return Val::error(here),
        }
    }
    if let Some(i) = k.releases()
        && let Some(e) = out.get(i)
    {
        super::refs::released(c, e);
    }
    let room = k.args.iter().position(|a| a.kind == ArgKind::AllocSize);
    let room = room.and_then(|i| callee.known.get(i).copied().flatten()).and_then(|n| u32::try_from(n).ok());
    let ty = result(c, k, room);
    Val::new(ExprKind::Kfunc { kfunc: k, args: out }, ty, here)
}

/// What a function yields, as a type.
fn result(c: &Checker<'_>, k: &Kfunc, room: Option<u32>) -> Ty {
    let null = k.may_return_null();
    let ptr = |space: Space, t: Option<Ty>| if null { Ty::nullable_ptr(space, t) } else { Ty::ptr(space, t) };
    match k.ret {
        Ret::Void => Ty::Void,
        Ret::Int => match k.ret_type {
            "bool" => Ty::Bool,
            t => match c_int(t) {
                Some(i) => Ty::Int(i),
                None => Ty::I64,
            },
        },
        Ret::Btf("") if k.name == "bpf_cast_to_kern_ctx" => {
            let name = c.prog_type().and_then(kfuncs::kernel_context);
            ptr(Space::Trusted, name.map(|n| Ty::Kernel(n.into())))
        }
        Ret::Btf(name) | Ret::TrustedBtf(name) => {
            ptr(Space::Trusted, (!name.is_empty()).then(|| Ty::Kernel(name.into())))
        }
        _ => {
            let bytes = |n| Ty::Array(std::rc::Rc::new(Ty::Int(IntTy::U8)), n);
            let pointee = match k.ret_type.trim_end_matches(" *") {
                "void" => room.map(bytes),
                t => c_int(t).map(Ty::Int),
            };
            ptr(Space::Mem, pointee)
        }
    }
}

fn kernel_ctx(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let ctx = super::ctx::ctx(c, call.at());
    match kfuncs::by_name("bpf_cast_to_kern_ctx") {
        Some(k) if c.prog_type().is_none_or(|p| kfuncs::kernel_context(p).is_some()) => {
            checked(c, k, vec![Val::of(ctx)], call.at())
        }
        _ => {
            c.fail(diag::error(&diag::NOT_HERE, &call.at(), "the context of this type of program is the kernel's own"))
        }
    }
}

fn rdonly_cast(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let p = c.value(&call.args[0]);
    let Some(name) = call.args[1].as_symbol() else {
        return c.malformed(&call.args[1], "the type is the name of a kernel struct");
    };
    if p.never() {
        return p;
    }
    let types = c.types.clone();
    let Some(btf) = types.btf() else {
        let why = types.btf_problem().unwrap_or_default();
        let text = format!("the kernel's types are needed for `{name}`: {why}");
        return c.fail(diag::error(&diag::UNKNOWN_TYPE, &at(&call.args[1]), text));
    };
    let Some(root) = crate::kernel::find(btf, name.name()) else {
        let text = format!("the kernel has no struct `{name}`");
        return c.fail(diag::error(&diag::UNKNOWN_TYPE, &at(&call.args[1]), text));
    };
    let kernel_name = btf.ty(root).map(|t| t.name.to_string()).unwrap_or_default();
    let core = c.kernel.record(btf, &mut c.unit, root, &[], CoreKind::TypeIdTarget);
    let id = Expr::new(ExprKind::CoreValue { core, local: i64::from(root.0) }, Ty::U64, at(&call.args[1]));
    let p = match p.ty() {
        Ty::Ptr(_) => p.e,
        _ => {
            let p = c.number(p, "rdonly-cast");
            c.fit(p, &Ty::U64, crate::check::Fit::Bits)
        }
    };
    let ty = Ty::ptr(Space::Trusted, Some(Ty::Kernel(kernel_name.as_str().into())));
    match call_named(c, "bpf_rdonly_cast", vec![p, id], ty, call.at()) {
        Some(e) => Val::of(e),
        None => Val::error(call.at()),
    }
}

/// `(do-kernel (v kind argument…) form…)`
fn do_kernel(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some([var, kind, arguments @ ..]) = call.args[0].as_list() else {
        return c.malformed(&call.args[0], "written as (do-kernel (variable kind argument…) form…)");
    };
    let (Some(name), Some(kind_name)) = (var.as_symbol(), kind.as_symbol()) else {
        return c.malformed(&call.args[0], "the variable and the kind are symbols");
    };
    let base = format!("bpf_iter_{}", crate::names::norm(kind_name).name().replace('-', "_"));
    let find = |what: &str| kfuncs::by_name(&format!("{base}_{what}"));
    let (Some(new), Some(next), Some(destroy), Some(ty)) =
        (find("new"), find("next"), find("destroy"), builtin::of(&base))
    else {
        let kinds: Vec<_> = whistler_isa::KFUNCS
            .iter()
            .filter(|k| k.flags.contains(KfuncFlags::ITER_NEW))
            .map(|k| k.spelled().trim_start_matches("iter-").trim_end_matches("-new").to_string())
            .collect();
        let text = format!("there is no kernel iterator `{kind_name}`");
        return c
            .fail(diag::error(&diag::UNKNOWN_NAME, &at(kind), text).help(format!("there are {}", kinds.join(", "))));
    };
    let here = call.at();
    let iter = c.temp(ty.clone(), LocalKind::Memory);
    let address = Expr::new(ExprKind::AddrOf(iter), Ty::ptr(Space::Stack, Some(ty)), here.clone());
    let mut values = vec![Val::of(address.clone())];
    for f in arguments {
        values.push(c.value(f));
    }
    while values.len() < new.args.len() && new.args.get(values.len()).is_some_and(|a| a.name == "flags" || a.nullable) {
        values.push(Val::literal(0, here.clone()));
    }
    if values.len() != new.args.len() {
        let names: Vec<_> = new.args.iter().skip(1).map(|a| a.name.replace('_', "-")).collect();
        let text = format!("an iteration over `{kind_name}` takes {} arguments, not {}", names.len(), arguments.len());
        let shown = format!("(do-kernel ({name} {kind_name} {}) …)", names.join(" "));
        return c
            .fail(diag::error(&diag::ARGUMENT_COUNT, &at(&call.args[0]), text).help(format!("written as {shown}")));
    }
    let begin = checked(c, new, values, here.clone());
    if begin.never() {
        return begin;
    }
    let end = call_kfunc(c, destroy, vec![address.clone()], Ty::Void, here.clone());
    let element = result(c, next, None);
    let step = call_kfunc(c, next, vec![address], element, here.clone());
    let (Some(end), Some(step)) = (end, step) else { return Val::error(here) };
    let before = c.f.cleanups.len();
    let (begun, cleanup) = super::refs::ends_with(c, end.clone());
    c.f.cleanups.push(cleanup);
    let body = each(c, name, var, step, &call.args[1..], &here);
    c.f.cleanups.truncate(before);
    let nothing = if call.want == Want::Effect { Val::void(here.clone()) } else { Val::literal(0, here) };
    c.seq(vec![begin.e, begun, body, end], nothing)
}

/// What such a loop costs the verifier, in rounds.
const AS_IF_ROUNDS: u64 = 8;

/// Forms with `name` as what `step` yields, until that is null. The verifier follows such a loop until its state
/// repeats, so it needs no bound.
fn each(c: &mut Checker<'_>, name: Symbol, var: &Form, step: Expr, forms: &[Form], here: &At) -> Expr {
    let ty = step.ty.clone();
    let element = c.temp(ty.clone(), LocalKind::Value);
    let (label, next) = (c.label(), c.label());
    let mark = c.f.scope.len();
    let (test, body, entry) = super::loops::round(c, |c| {
        let set = Expr::new(ExprKind::Set(element, Box::new(step)), ty.clone(), here.clone());
        let null = Expr::new(ExprKind::Const(0), ty.clone(), here.clone());
        let test = crate::check::cmp(CmpOp::Ne, set, null, here);
        c.f.flow.learn(&[Fact::NonNull(element)]);
        let v = c.read_local(element, at(var));
        let (_, set) = c.bind(name, None, v, var, &[forms]);
        let v = c.body(forms, Want::Effect, here.clone());
        (test, c.seq(vec![set], v).e)
    });
    c.unbind(mark);
    c.f.flow = entry;
    // A jump as it is: the verifier knows by the iterator that it ends.
    let plan = LoopPlan { way: LoopWay::Jump, ..LoopPlan::new(AS_IF_ROUNDS) };
    let kind = ExprKind::While { label, next, test: Box::new(test), body: Box::new(body), max: None, plan };
    Expr::new(kind, Ty::Void, here.clone())
}
