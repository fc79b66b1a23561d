//! Kernel addresses that get out: what the verifier refuses of programs loaded without `CAP_PERFMON`.
//! Invariant: looks at finished functions only and changes nothing.
//!
//! After `check_mem_access`, `check_atomic`, `check_cond_jmp_op` and the end of the main program in the kernel's
//! verifier.c, all under `!allow_ptr_leaks`.

use rustc_hash::FxHashMap;
use whistler_isa::{ArgKind, helpers};

use super::Checker;
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, Expr, ExprKind, Function, LocalId, MapOp, Space, Ty};

/// Reports every address that a checked function lets out.
pub(crate) fn check(c: &mut Checker<'_>) {
    let mut found = Vec::new();
    for f in &c.unit.functions {
        let mut leaks = Leaks { found: &mut found, held: FxHashMap::default(), names: FxHashMap::default() };
        leaks.look(&f.body);
        leaks.result(f);
    }
    for (at, text, from) in found {
        let mut d = diag::error(&diag::ADDRESS_LEAK, &at, text)
            .note("programs loaded without CAP_PERFMON may not let addresses of the kernel out");
        if from.span != at.span {
            d = d.also(from.span, "an address");
        }
        c.report(d.help("store what it points to: (load TYPE pointer), or a field"));
    }
}

struct Leaks<'a> {
    found: &'a mut Vec<(At, String, At)>,
    /// Objects on the stack that hold an address.
    held: FxHashMap<LocalId, At>,
    /// Variables that point to an object on the stack.
    names: FxHashMap<LocalId, LocalId>,
}

impl Leaks<'_> {
    fn look(&mut self, e: &Expr) {
        e.each_child(&mut |c| self.look(c));
        match &e.kind {
            ExprKind::Set(l, value) => {
                if let Some(o) = self.object(value) {
                    self.names.insert(*l, o);
                }
            }
            ExprKind::Store { ptr, value, .. } | ExprKind::CoreStore { ptr, value, .. } => {
                let Some(from) = address(value) else { return };
                match space(ptr) {
                    Some(Space::Stack) => {
                        if let Some(l) = self.object(ptr) {
                            self.held.insert(l, from.clone());
                        }
                    }
                    Some(s) => self.leak(e, format!("an address of the kernel gets into {}", name(s)), from),
                    None => {}
                }
            }
            ExprKind::Atomic { ptr, value, .. } | ExprKind::CmpXchg { ptr, new: value, .. } => {
                if let (Some(from), Some(s)) = (address(value), space(ptr)) {
                    self.leak(e, format!("an address of the kernel gets into {}", name(s)), from);
                }
            }
            ExprKind::Copy { dst, src, .. } => {
                let from = self.object(src).and_then(|l| self.held.get(&l)).cloned();
                if let (Some(from), Some(s)) = (from, space(dst).filter(|s| *s != Space::Stack)) {
                    self.leak(
                        e,
                        format!("an object with an address of the kernel in it is copied into {}", name(s)),
                        &from,
                    );
                }
            }
            ExprKind::MapOp { op: MapOp::Update, args, .. } => self.given(e, args, "a map"),
            ExprKind::Helper { id, args } => {
                let Some(h) = helpers::by_id(*id) else { return };
                for (spec, a) in h.args.iter().zip(args) {
                    if let (ArgKind::Anything, Some(from)) = (spec.kind, address(a)) {
                        self.leak(
                            e,
                            format!("an address of the kernel is given to `{}`", h.name.replace('_', "-")),
                            from,
                        );
                    }
                }
                self.given(e, args, "what the helper makes of it");
            }
            ExprKind::Cmp(_, a, b) => {
                let (x, y) = (address(a), address(b));
                let null = a.as_const() == Some(0) || b.as_const() == Some(0);
                let packet = |e: &Expr| matches!(space(e), Some(Space::Packet | Space::PacketEnd));
                if let (Some(from), false) = (x.or(y), null || (packet(a) && packet(b))) {
                    self.leak(e, "an address of the kernel is compared with a number or another address".into(), from);
                }
            }
            _ => {}
        }
    }

    fn given(&mut self, e: &Expr, args: &[Expr], to: &str) {
        for a in args {
            if let Some(from) = self.object(a).and_then(|l| self.held.get(&l)).cloned() {
                self.leak(e, format!("an address of the kernel gets into {to}"), &from);
            }
        }
    }

    fn result(&mut self, f: &Function) {
        if f.program.is_none() {
            return;
        }
        let mut look = |v: &Expr| {
            if let Some(from) = address(v) {
                self.found.push((
                    v.at.clone(),
                    "the program's result is an address of the kernel".into(),
                    from.clone(),
                ));
            }
        };
        look(&f.body);
        returned(&f.body, &mut look);
    }

    /// The object on the stack that an address is in.
    fn object(&self, e: &Expr) -> Option<LocalId> {
        match &e.kind {
            ExprKind::AddrOf(l) => Some(*l),
            ExprKind::Local(l) => self.names.get(l).copied(),
            ExprKind::Cast(e) => self.object(e),
            ExprKind::Seq(es) => self.object(es.last()?),
            ExprKind::Bin(BinOp::Add | BinOp::Sub, p, _) => self.object(p),
            _ => None,
        }
    }

    fn leak(&mut self, e: &Expr, text: String, from: &At) {
        self.found.push((e.at.clone(), text, from.clone()));
    }
}

fn returned(e: &Expr, look: &mut dyn FnMut(&Expr)) {
    e.each_child(&mut |c| returned(c, look));
    if let ExprKind::Return(v) = &e.kind {
        look(v);
    }
}

/// Where an address comes from, if the verifier takes the value for one.
fn address(e: &Expr) -> Option<&At> {
    match &e.kind {
        ExprKind::Const(_) => None,
        ExprKind::Cast(inner) | ExprKind::Set(_, inner) => address(inner),
        ExprKind::Seq(es) => address(es.last()?),
        ExprKind::If(_, a, b) => address(a).or_else(|| address(b)),
        ExprKind::Block { body, .. } => address(body),
        ExprKind::Bin(BinOp::Add, a, b) => address(a).or_else(|| address(b)),
        ExprKind::Bin(BinOp::Sub, a, b) if address(b).is_none() => address(a),
        _ => match &e.ty {
            Ty::Ptr(p) if !p.space.is_number() && p.space != Space::Map => Some(&e.at),
            _ => None,
        },
    }
}

fn space(e: &Expr) -> Option<Space> {
    e.ty.as_ptr().map(|p| p.space)
}

fn name(space: Space) -> &'static str {
    match space {
        Space::MapValue => "a map",
        Space::Ring => "a record for user space",
        Space::Packet => "the packet",
        Space::Ctx => "the context",
        Space::Global => "a global",
        _ => "memory that user space sees",
    }
}
