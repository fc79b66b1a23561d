//! Arguments and results of the function or event that a program hangs on, by the kernel's own names and types.

use whistler_lisp::Symbol;

use super::{FormDef, form};
use crate::check::origins::Origin;
use crate::check::{Call, Checker, Val, at};
use crate::diagnostics as diag;
use crate::hir::{At, ExprKind, PtrTy, Space, Ty};
use crate::hook::{Hook, Way};
use crate::kernel;
use crate::names::nearest;

pub(super) static FORMS: &[FormDef] = &[
    form("arg", (1, 1), arg, "(arg NAME)", "An argument of the hook, by the kernel's name and type."),
    form("retval", (0, 0), retval, "(retval)", "The result of the function, where the program runs behind it."),
];

/// The hook of the program under check; reports when there is none.
fn hook(c: &mut Checker<'_>, here: &At) -> Option<Hook> {
    let types = c.types.clone();
    let Some(program) = c.f.program.clone() else {
        c.report(
            diag::error(&diag::NOT_HERE, here, "a subprogram has no hook of its own")
                .help("read it in the program, and pass it"),
        );
        return None;
    };
    let Some(btf) = types.btf() else {
        super::chain::no_btf(c, here);
        return None;
    };
    match Hook::of(btf, &program) {
        Ok(hook) => Some(hook),
        // Said once, at the program.
        Err(_) if program.prog_type == whistler_isa::ProgType::StructOps && program.member.is_none() => None,
        Err(why) => {
            let mut d = diag::error(&diag::NOT_HERE, here, why);
            // Of the others a warning at the section says it.
            let untold = !crate::hook::is_named_in_btf(&program)
                && !crate::hook::is_plain_function(&program)
                && !program.section.starts_with('u');
            if let Some(near) = crate::hook::nearest_hook(btf, &program).filter(|_| untold) {
                d = d.help(format!("did you mean `{near}`?"));
            } else if matches!(program.prog_type, whistler_isa::ProgType::Kprobe) {
                d = d.help("read the registers: (pt-regs-parm1) …, (pt-regs-ret)");
            }
            c.report(d);
            None
        }
    }
}

fn arg(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some(name) = call.args[0].as_symbol() else {
        return c.malformed(&call.args[0], "an argument is named by a symbol");
    };
    let Some(hook) = hook(c, &call.at()) else { return Val::error(call.at()) };
    let Some(found) = hook.arg(name.name()) else { return unknown(c, &hook, name, &at(&call.args[0])) };
    match hook.way {
        Way::Typed | Way::Words | Way::Members => word(c, call, (found.ty, found.slot, found.nullable), &hook),
        Way::Registers => {
            let Some(position) = c.target.arch.registers().parameters.get(found.slot as usize) else {
                let text = format!("`{name}` of {} does not come in a register", hook.name);
                return c.fail(diag::error(&diag::NOT_HERE, &call.at(), text).help("read the stack: (pt-regs-sp)"));
            };
            let v = super::ctx::register(c, call, *position);
            typed(c, v, found.ty, Space::Kernel, false, call.at())
        }
        Way::Gone => {
            let text = format!("{} has returned, and its arguments are gone from the registers", hook.name);
            let d = diag::error(&diag::NOT_HERE, &call.at(), text);
            c.fail(d.help("keep what is needed in a map when it is entered, or use fexit: :type :fexit"))
        }
    }
}

fn unknown(c: &mut Checker<'_>, hook: &Hook, name: Symbol, here: &At) -> Val {
    let names = || hook.args.iter().map(|a| a.name.as_str());
    let mut d = diag::error(&diag::UNKNOWN_NAME, here, format!("{} has no argument `{name}`", hook.name));
    match nearest(name.name(), names()) {
        Some(near) => d = d.help(format!("did you mean `{near}`?")),
        None if hook.args.is_empty() => d = d.note("it has none"),
        None => d = d.note(format!("its arguments: {}", names().collect::<Vec<_>>().join(" "))),
    }
    c.fail(d)
}

/// A 64-bit word of the context.
fn word(
    c: &mut Checker<'_>,
    call: &Call<'_>,
    (ty, slot, nullable): (whistler_btf::TypeId, u32, bool),
    hook: &Hook,
) -> Val {
    let ptr = super::ctx::ctx(c, call.at());
    let load = ExprKind::Load { ptr: Box::new(ptr), off: slot as i32 * 8 };
    let space = match hook.way {
        Way::Words | Way::Registers | Way::Gone => Space::Kernel,
        Way::Typed | Way::Members => Space::Trusted,
    };
    let word = Val::new(load, Ty::U64, call.at());
    typed(c, word, ty, space, nullable, call.at())
}

/// A 64-bit word as the kernel's type of it.
fn typed(c: &mut Checker<'_>, v: Val, ty: whistler_btf::TypeId, space: Space, nullable: bool, here: At) -> Val {
    if v.never() {
        return v;
    }
    let types = c.types.clone();
    let known = types.btf().and_then(|btf| kernel::field_ty(btf, ty, space));
    let Some(known) = known.filter(|t| !matches!(t, Ty::Kernel(_) | Ty::Array(..) | Ty::Struct(_))) else {
        return c.fail(
            diag::error(&diag::ARGUMENT_TYPE, &here, "this is passed by value, and does not fit a register")
                .help("read its words: (ctx args N)"),
        );
    };
    match known {
        Ty::Ptr(mut p) => {
            if !matches!(p.pointee.as_deref(), Some(Ty::Kernel(_))) && c.origin(&v.e) == Some(Origin::User) {
                p.space = Space::User;
            }
            // The verifier types the word itself: it must reach the variable as it was loaded.
            let p = PtrTy { nullable: nullable && p.space == Space::Trusted, ..p };
            Val::of(crate::hir::Expr { ty: Ty::Ptr(p), ..v.e })
        }
        Ty::Int(i) if i.size == 8 => Val::new(ExprKind::Cast(Box::new(v.e)), known, here),
        _ => Val::new(ExprKind::Cast(Box::new(v.e)), known, here),
    }
}

fn retval(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let user = c.f.program.as_ref().is_some_and(|p| p.section.starts_with("uretprobe"));
    if user {
        return super::ctx::register(c, call, c.target.arch.registers().result);
    }
    let Some(hook) = hook(c, &call.at()) else { return Val::error(call.at()) };
    let returned = hook.way == Way::Gone;
    if !returned && !hook.result {
        let text = format!("the program runs before {} has a result", hook.name);
        return c.fail(
            diag::error(&diag::NOT_HERE, &call.at(), text).help("hang it on the function's end: :fexit or kretprobe/…"),
        );
    }
    let Some(ret) = hook.ret else {
        let text = format!("{} yields nothing", hook.name);
        return c.fail(diag::error(&diag::ARGUMENT_TYPE, &call.at(), text));
    };
    if returned {
        let v = super::ctx::register(c, call, c.target.arch.registers().result);
        return typed(c, v, ret, Space::Kernel, false, call.at());
    }
    word(c, call, (ret, hook.slots, false), &hook)
}
