//! Leaving early: functions and blocks. Invariant: what is known after a block is what every way out of it leaves.

use super::{FormDef, MANY, form};
use crate::check::{BlockFrame, Call, Checker, Val, Want};
use crate::diagnostics as diag;
use crate::hir::{ExprKind, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form("return", (0, 1), return_, "(return [value])", "Leaves the program or subprogram."),
    form("block", (1, MANY), block, "(block name form…)", "Forms that `return-from` can leave."),
    form("return-from", (1, 2), return_from, "(return-from name [value])", "Leaves a block with a value."),
];

fn return_(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let v = match call.args.first() {
        Some(f) => {
            let ret = c.f.ret.clone();
            c.value_for(f, ret.as_ref())
        }
        None => Val::literal(0, call.at()),
    };
    c.leave_function(v, call.at())
}

fn block(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some(name) = call.args[0].as_symbol() else {
        return c.malformed(&call.args[0], "a block's name is a symbol");
    };
    let number = c.f.block_count;
    c.f.block_count += 1;
    let ty = c.f.lessons.blocks.get(&number).cloned();
    let label = c.label();
    let cleanups = c.f.cleanups.len();
    c.f.blocks.push(BlockFrame {
        name: Some(name),
        label,
        values: Vec::new(),
        flows: Vec::new(),
        ty: ty.clone(),
        cleanups,
    });
    let v = c.body(&call.args[1..], call.want, call.at());
    let Some(frame) = c.f.blocks.pop() else { return v };
    if frame.values.is_empty() {
        return v;
    }
    let mut out = if call.want == Want::Effect { Ty::Void } else { v.ty().clone() };
    if call.want != Want::Effect {
        let mut so_far = v.clone();
        for t in &frame.values {
            let other = Val::new(ExprKind::Local(crate::hir::LocalId(0)), t.clone(), call.at());
            out = c.meet(&so_far, &other);
            so_far = Val::new(ExprKind::Local(crate::hir::LocalId(0)), out.clone(), call.at());
        }
    }
    let mut flow = (!v.never()).then(|| c.f.flow.clone());
    for f in frame.flows {
        flow = Some(flow.map_or(f.clone(), |g| g.meet(&f)));
    }
    c.f.flow = flow.unwrap_or_default();
    if ty.as_ref() != Some(&out) && frame.values.iter().any(|t| *t != out) {
        c.f.lessons.blocks.insert(number, out.clone());
        c.f.again = true;
    }
    let body = c.join_arm(v, &out);
    Val::new(ExprKind::Block { label, body: Box::new(body) }, out, call.at())
}

fn return_from(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some(name) = call.args[0].as_symbol() else {
        return c.malformed(&call.args[0], "a block's name is a symbol");
    };
    let v = match call.args.get(1) {
        Some(f) => c.value(f),
        None => Val::literal(0, call.at()),
    };
    let found = c.f.blocks.iter().rposition(|b| b.name.is_some_and(|n| n == name || n.same_folded(name)));
    let Some(i) = found else {
        if c.f.name.is_some_and(|n| n.same_folded(name)) {
            return c.leave_function(v, call.at());
        }
        return c.fail(diag::error(&diag::BAD_EXIT, &call.at(), format!("there is no block `{name}` around this")));
    };
    let (label, ty, cleanups) = (c.f.blocks[i].label, c.f.blocks[i].ty.clone(), c.f.blocks[i].cleanups);
    let e = match &ty {
        Some(t) => c.join_arm(v, t),
        None => v.e,
    };
    let (parts, e) = super::ring::leave(c, cleanups, e);
    let flow = c.f.flow.clone();
    let frame = &mut c.f.blocks[i];
    frame.values.push(e.ty.clone());
    frame.flows.push(flow);
    let out = Val::new(ExprKind::Break(label, Box::new(e)), Ty::Never, call.at());
    c.seq(parts, out)
}
