//! Callbacks as functions. What a callback shares with the function around it travels in an array of 8-byte fields on
//! the stack, whose address the helper hands on: values are copied in and, where the callback assigns them, out again
//! after every call; variables in memory go by their address. Invariant: a variable that only the callback mentions
//! moves into it whole, since each call sets it before it reads it.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::hir::{
    At, Callback, CmpOp, Expr, ExprKind, Function, FunctionId, LabelId, Local, LocalId, LocalKind, Space, Ty, Unit,
};

/// Makes functions of the callbacks that stand directly in a function.
pub(super) fn convert(unit: &mut Unit, index: usize) {
    let f = &mut unit.functions[index];
    if !super::any(&f.body, &mut |e| matches!(e.kind, ExprKind::WithCallback { .. })) {
        return;
    }
    let nothing = Expr::new(ExprKind::Seq(Vec::new()), Ty::Void, At::default());
    let mut body = std::mem::replace(&mut f.body, nothing);
    let mut mentions = FxHashMap::default();
    count(&body, &mut mentions);
    for p in f.params.iter().chain(&f.ctx_local) {
        *mentions.entry(*p).or_insert(0) += 1;
    }
    let mut types = FxHashMap::default();
    block_types(&body, &mut types);
    let mut c = Convert { unit, index, mentions, types };
    c.visit(&mut body);
    c.unit.functions[index].body = body;
}

/// How often each variable is mentioned.
pub(super) fn count(e: &Expr, out: &mut FxHashMap<LocalId, u32>) {
    let mut one = |l: LocalId| *out.entry(l).or_insert(0) += 1;
    match &e.kind {
        ExprKind::Local(l) | ExprKind::Set(l, _) | ExprKind::AddrOf(l) => one(*l),
        ExprKind::For { var, plan, .. } => {
            one(*var);
            plan.zero.into_iter().chain(plan.more).for_each(one);
        }
        ExprKind::While { plan, .. } => plan.zero.into_iter().chain(plan.more).for_each(one),
        ExprKind::WithCallback { callback, .. } => callback.params.iter().for_each(|p| one(*p)),
        _ => {}
    }
    e.each_child(&mut |c| count(c, out));
}

/// What each block yields.
fn block_types(e: &Expr, out: &mut FxHashMap<LabelId, Ty>) {
    if let ExprKind::Block { label, .. } = &e.kind {
        out.insert(*label, e.ty.clone());
    }
    e.each_child(&mut |c| block_types(c, out));
}

struct Convert<'u> {
    unit: &'u mut Unit,
    index: usize,
    mentions: FxHashMap<LocalId, u32>,
    types: FxHashMap<LabelId, Ty>,
}

/// Where a callback goes that leaves what is around it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Return,
    Break(LabelId),
}

/// One of the ways in which a callback leaves.
#[derive(Debug)]
struct Exit {
    way: Way,
    /// What of what began outside ends on this way: where it was taken, and what ends it.
    ended: Vec<(LocalId, Expr)>,
}

impl Exit {
    fn is(&self, way: Way, ended: &[LocalId]) -> bool {
        self.way == way && self.ended.iter().map(|(l, _)| l).eq(ended)
    }
}

/// A variable that both see.
struct Shared {
    outer: LocalId,
    /// In the callback: the copy, or the variable that holds the address.
    inner: LocalId,
    field: u32,
    by_address: bool,
    assigned: bool,
}

/// What the fields hold besides variables, by position.
const EXIT: u32 = 0;
const VALUE: u32 = 1;

impl Convert<'_> {
    fn local(&mut self, name: &str, ty: Ty, kind: LocalKind) -> LocalId {
        let locals = &mut self.unit.functions[self.index].locals;
        locals.push(Local { name: name.into(), ty, kind, span: whistler_diag::Span::NONE });
        LocalId(locals.len() as u32 - 1)
    }

    fn visit(&mut self, e: &mut Expr) {
        let ExprKind::WithCallback { helper, before, callback, after } = &mut e.kind else {
            return e.each_child_mut(&mut |c| self.visit(c));
        };
        before.iter_mut().chain(after.iter_mut()).for_each(|a| self.visit(a));
        let (helper, before, after) = (*helper, std::mem::take(before), std::mem::take(after));
        let place = e.at.clone();
        let callback = std::mem::replace(
            callback,
            Box::new(Callback {
                params: Vec::new(),
                label: LabelId(u32::MAX),
                body: Expr::new(ExprKind::Const(0), Ty::U64, place.clone()),
            }),
        );
        let (ty, here) = (e.ty.clone(), place);
        *e = self.call(helper, before, *callback, after, ty, here);
    }

    /// The call of the helper, with what goes into the shared fields before and comes out of them behind.
    fn call(
        &mut self,
        helper: u32,
        before: Vec<Expr>,
        mut callback: Callback,
        after: Vec<Expr>,
        ty: Ty,
        here: At,
    ) -> Expr {
        let mut assigned = FxHashSet::default();
        find_assigned(&callback.body, &mut assigned);
        let mut exits = Vec::new();
        let mut inside = FxHashSet::from_iter([callback.label]);
        find_exits(&mut callback.body, &mut inside, &assigned, &mut exits);
        let mut mine = FxHashMap::default();
        count(&callback.body, &mut mine);
        for p in &callback.params {
            *mine.entry(*p).or_insert(0) += 1;
        }
        let mut known: Vec<LocalId> = mine.keys().copied().collect();
        known.sort_unstable();
        let (own, outer): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|l| mine.get(l) == self.mentions.get(l) || callback.params.contains(l));
        let wants_ctx = self.wants_ctx(&callback.body);

        let function = &self.unit.functions[self.index];
        let mut inner = Inner { locals: Vec::new(), map: FxHashMap::default() };
        let params: Vec<LocalId> = callback.params.iter().map(|p| inner.moved(function, *p)).collect();
        for l in own.iter().filter(|l| !callback.params.contains(l)) {
            inner.moved(function, *l);
        }
        let mut field = if exits.is_empty() { 0 } else { 2 };
        let mut shared = Vec::new();
        for l in outer {
            let local = &function.locals[l.0 as usize];
            let by_address = local.kind == LocalKind::Memory;
            let ty = if by_address { Ty::ptr(Space::Stack, Some(local.ty.clone())) } else { local.ty.clone() };
            let id = inner.add(Local { name: local.name.clone(), ty, kind: LocalKind::Value, span: local.span });
            if !by_address {
                inner.map.insert(l, id);
            }
            shared.push(Shared { outer: l, inner: id, field, by_address, assigned: assigned.contains(&l) });
            field += 1;
        }
        let ctx_local = wants_ctx.then(|| {
            let ty = Ty::ptr(Space::Ctx, None);
            let id = inner.add(Local { name: "ctx".into(), ty, kind: LocalKind::Value, span: function.span });
            field += 1;
            (id, field - 1)
        });
        let fields = Ty::Array(Rc::new(Ty::U64), field);
        let fields_ptr = Ty::ptr(Space::Stack, Some(fields.clone()));
        let base = inner.add(Local {
            name: "".into(),
            ty: fields_ptr.clone(),
            kind: LocalKind::Value,
            span: whistler_diag::Span::NONE,
        });

        let body = self.inner_body(callback, &mut inner, &shared, &exits, ctx_local, base, &here);
        let function = &self.unit.functions[self.index];
        let (name, ctx_type, span) = (self.fresh_name(&function.name), function.ctx_type, here.span);
        let gpl = function.gpl;
        let ctx_type = function.program.as_ref().map(|p| p.prog_type).or(ctx_type);
        let id = FunctionId(self.unit.functions.len() as u32);
        self.unit.functions.push(Function {
            name,
            program: None,
            params: params.into_iter().chain([base]).collect(),
            ret: Ty::U64,
            locals: inner.locals,
            body,
            uses_ctx: false,
            ctx_type,
            gpl,
            ctx_local: ctx_local.map(|c| c.0),
            global: false,
            span,
        });

        // Around the call: arguments first, since they may change what is shared.
        let mut parts = Vec::new();
        let ready = |c: &mut Self, e: Expr, parts: &mut Vec<Expr>| {
            if matches!(e.kind, ExprKind::Const(_) | ExprKind::Map(_) | ExprKind::Global(_)) {
                return e;
            }
            let (ty, at) = (e.ty.clone(), e.at.clone());
            let id = c.local("", ty.clone(), LocalKind::Value);
            parts.push(Expr::new(ExprKind::Set(id, Box::new(e)), ty.clone(), at.clone()));
            Expr::new(ExprKind::Local(id), ty, at)
        };
        let mut args: Vec<Expr> = before.into_iter().map(|e| ready(self, e, &mut parts)).collect();
        let after: Vec<Expr> = after.into_iter().map(|e| ready(self, e, &mut parts)).collect();
        args.push(Expr::new(ExprKind::FnAddr(id), Ty::ptr(Space::Mem, None), here.clone()));
        if field == 0 {
            args.push(Expr::new(ExprKind::Const(0), Ty::U64, here.clone()));
            args.extend(after);
            parts.push(Expr::new(ExprKind::Helper { id: helper, args }, ty.clone(), here.clone()));
            return Expr::new(ExprKind::Seq(parts), ty, here);
        }
        let memory = self.local("(shared with the callback)", fields, LocalKind::Memory);
        let place = Fields { base: Expr::new(ExprKind::AddrOf(memory), fields_ptr, here.clone()) };
        let locals = |c: &Self, l: LocalId| c.unit.functions[c.index].locals[l.0 as usize].ty.clone();
        for s in &shared {
            let ty = locals(self, s.outer);
            let (kind, ty) = if s.by_address {
                (ExprKind::AddrOf(s.outer), Ty::ptr(Space::Stack, Some(ty)))
            } else {
                (ExprKind::Local(s.outer), ty)
            };
            parts.push(place.set(s.field, Expr::new(kind, ty, here.clone())));
        }
        if let Some((_, n)) = ctx_local {
            parts.push(place.set(n, Expr::new(ExprKind::Ctx, Ty::ptr(Space::Ctx, None), here.clone())));
        }
        if !exits.is_empty() {
            parts.push(place.set(EXIT, Expr::new(ExprKind::Const(0), Ty::U64, here.clone())));
        }
        args.push(place.base.clone());
        args.extend(after);
        let result = self.local("", if ty == Ty::Void { Ty::I64 } else { ty.clone() }, LocalKind::Value);
        let call = Expr::new(ExprKind::Helper { id: helper, args }, ty.clone(), here.clone());
        parts.push(Expr::new(ExprKind::Set(result, Box::new(call)), ty.clone(), here.clone()));
        for s in shared.iter().filter(|s| s.assigned && !s.by_address) {
            let ty = locals(self, s.outer);
            let value = place.get(s.field, ty.clone());
            parts.push(Expr::new(ExprKind::Set(s.outer, Box::new(value)), ty, here.clone()));
        }
        if !exits.is_empty() {
            parts.push(self.leaving(&exits, &place, &here));
        }
        parts.push(Expr::new(ExprKind::Local(result), ty.clone(), here.clone()));
        Expr::new(ExprKind::Seq(parts), ty, here)
    }

    /// Behind the call: ends what the callback could not end, and goes where it wanted to.
    fn leaving(&mut self, exits: &[Exit], place: &Fields, here: &At) -> Expr {
        let nothing = Expr::new(ExprKind::Seq(Vec::new()), Ty::Void, here.clone());
        exits.iter().enumerate().rev().fold(nothing, |rest, (n, exit)| {
            let ty = self.exit_type(exit.way);
            let mut parts = Vec::new();
            let mut value = match &ty {
                Ty::Void | Ty::Never => Expr::new(ExprKind::Const(0), Ty::U64, here.clone()),
                ty => place.get(VALUE, ty.clone()),
            };
            if !exit.ended.is_empty() {
                let (ty, at) = (value.ty.clone(), here.clone());
                let kept = self.local("", ty.clone(), LocalKind::Value);
                parts.push(Expr::new(ExprKind::Set(kept, Box::new(value)), ty.clone(), at.clone()));
                parts.extend(exit.ended.iter().map(|(_, release)| release.clone()));
                value = Expr::new(ExprKind::Local(kept), ty, at);
            }
            let kind = match exit.way {
                Way::Return => ExprKind::Return(Box::new(value)),
                Way::Break(l) => ExprKind::Break(l, Box::new(value)),
            };
            parts.push(Expr::new(kind, Ty::Never, here.clone()));
            let leave = Expr::new(ExprKind::Seq(parts), Ty::Never, here.clone());
            let code = Expr::new(ExprKind::Const(n as i64 + 1), Ty::U64, here.clone());
            let same = ExprKind::Cmp(CmpOp::Eq, Box::new(place.get(EXIT, Ty::U64)), Box::new(code));
            let test = Expr::new(same, Ty::Bool, here.clone());
            Expr::new(ExprKind::If(Box::new(test), Box::new(leave), Box::new(rest)), Ty::Void, here.clone())
        })
    }

    fn exit_type(&self, way: Way) -> Ty {
        match way {
            Way::Return => self.unit.functions[self.index].ret.clone(),
            Way::Break(l) => self.types.get(&l).cloned().unwrap_or(Ty::Void),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn inner_body(
        &self,
        callback: Callback,
        inner: &mut Inner,
        shared: &[Shared],
        exits: &[Exit],
        ctx_local: Option<(LocalId, u32)>,
        base: LocalId,
        here: &At,
    ) -> Expr {
        let ty = inner.locals[base.0 as usize].ty.clone();
        let place = Fields { base: Expr::new(ExprKind::Local(base), ty, here.clone()) };
        let fetched = shared.iter().map(|s| (s.inner, s.field)).chain(ctx_local);
        let mut parts: Vec<Expr> = fetched
            .map(|(l, field)| {
                let ty = inner.locals[l.0 as usize].ty.clone();
                Expr::new(ExprKind::Set(l, Box::new(place.get(field, ty.clone()))), ty, here.clone())
            })
            .collect();
        let back: Vec<Expr> = (shared.iter().filter(|s| s.assigned && !s.by_address))
            .map(|s| {
                let ty = inner.locals[s.inner.0 as usize].ty.clone();
                place.set(s.field, Expr::new(ExprKind::Local(s.inner), ty, here.clone()))
            })
            .collect();
        let mut body = callback.body;
        let mut rewrite = Rewrite { outer: self, inner: &*inner, shared, exits, place: &place, back: &back };
        rewrite.expr(&mut body);
        let result =
            inner.add(Local { name: "".into(), ty: Ty::U64, kind: LocalKind::Value, span: whistler_diag::Span::NONE });
        let at = body.at.clone();
        let block = ExprKind::Block { label: callback.label, body: Box::new(body) };
        let block = Expr::new(block, Ty::U64, at.clone());
        parts.push(Expr::new(ExprKind::Set(result, Box::new(block)), Ty::U64, at.clone()));
        parts.extend(back);
        parts.push(Expr::new(ExprKind::Local(result), Ty::U64, at.clone()));
        Expr::new(ExprKind::Seq(parts), Ty::U64, at)
    }

    fn wants_ctx(&self, body: &Expr) -> bool {
        super::any(body, &mut |e| match &e.kind {
            ExprKind::Ctx => true,
            ExprKind::Call { function, .. } => self.unit.functions[function.0 as usize].uses_ctx,
            _ => false,
        })
    }

    fn fresh_name(&self, owner: &str) -> Rc<str> {
        let taken = |n: &str| self.unit.functions.iter().any(|f| &*f.name == n);
        let mut n = 1;
        loop {
            let name = format!("{owner}__cb{n}");
            if !taken(&name) {
                return name.into();
            }
            n += 1;
        }
    }
}

/// The variables of a callback.
struct Inner {
    locals: Vec<Local>,
    /// Those of the function around it that are other ones here.
    map: FxHashMap<LocalId, LocalId>,
}

impl Inner {
    fn add(&mut self, local: Local) -> LocalId {
        self.locals.push(local);
        LocalId(self.locals.len() as u32 - 1)
    }

    fn moved(&mut self, from: &Function, l: LocalId) -> LocalId {
        let id = self.add(from.locals[l.0 as usize].clone());
        self.map.insert(l, id);
        id
    }
}

/// The shared fields, from one side.
struct Fields {
    base: Expr,
}

impl Fields {
    fn get(&self, field: u32, ty: Ty) -> Expr {
        let kind = ExprKind::Load { ptr: Box::new(self.base.clone()), off: 8 * field as i32 };
        Expr::new(kind, ty, self.base.at.clone())
    }

    fn set(&self, field: u32, value: Expr) -> Expr {
        let (ty, at) = (value.ty.clone(), value.at.clone());
        let ptr = Box::new(self.base.clone());
        let kind = ExprKind::Store { mem: ty.clone(), ptr, off: 8 * field as i32, value: Box::new(value) };
        Expr::new(kind, ty, at)
    }
}

/// How the callback is left, and what is ended then that it did not begin: that is taken out of it, and
/// [`ExprKind::OnLeaving`] stays as a mark without anything to do.
fn find_exits(e: &mut Expr, inside: &mut FxHashSet<LabelId>, own: &FxHashSet<LocalId>, out: &mut Vec<Exit>) {
    match &mut e.kind {
        ExprKind::Block { label, .. } => {
            inside.insert(*label);
        }
        ExprKind::While { label, next, .. } | ExprKind::For { label, next, .. } => {
            inside.extend([*label, *next]);
        }
        ExprKind::WithCallback { callback, .. } => {
            inside.insert(callback.label);
        }
        ExprKind::Break(l, value) if !inside.contains(l) => add_exit(Way::Break(*l), value, own, out),
        ExprKind::Return(value) => add_exit(Way::Return, value, own, out),
        _ => {}
    }
    e.each_child_mut(&mut |c| find_exits(c, inside, own, out));
}

fn add_exit(way: Way, value: &mut Expr, own: &FxHashSet<LocalId>, out: &mut Vec<Exit>) {
    let mut ended = Vec::new();
    if let ExprKind::Seq(parts) = &mut value.kind {
        for p in parts {
            if let ExprKind::OnLeaving { taken, release } = &mut p.kind
                && !own.contains(taken)
            {
                let nothing = Expr::new(ExprKind::Seq(Vec::new()), Ty::Void, release.at.clone());
                ended.push((*taken, std::mem::replace(&mut **release, nothing)));
            }
        }
    }
    let taken: Vec<LocalId> = ended.iter().map(|(l, _)| *l).collect();
    if !out.iter().any(|x| x.is(way, &taken)) {
        out.push(Exit { way, ended });
    }
}

/// Where what another function ends was taken, if this only marks that.
fn marked(e: &Expr) -> Option<LocalId> {
    match &e.kind {
        ExprKind::OnLeaving { taken, release } => match &release.kind {
            ExprKind::Seq(parts) if parts.is_empty() => Some(*taken),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn find_assigned(e: &Expr, out: &mut FxHashSet<LocalId>) {
    match &e.kind {
        ExprKind::Set(l, _) | ExprKind::For { var: l, .. } => {
            out.insert(*l);
        }
        _ => {}
    }
    e.each_child(&mut |c| find_assigned(c, out));
}

/// Makes the body of a callback speak of its own variables.
struct Rewrite<'r, 'u> {
    outer: &'r Convert<'u>,
    inner: &'r Inner,
    shared: &'r [Shared],
    exits: &'r [Exit],
    place: &'r Fields,
    back: &'r [Expr],
}

impl Rewrite<'_, '_> {
    /// The variable that holds the address of one that lives in the outer function's memory.
    fn address(&self, l: LocalId, at: &At) -> Option<Expr> {
        let s = self.shared.iter().find(|s| s.outer == l && s.by_address)?;
        let ty = self.inner.locals[s.inner.0 as usize].ty.clone();
        Some(Expr::new(ExprKind::Local(s.inner), ty, at.clone()))
    }

    fn expr(&mut self, e: &mut Expr) {
        e.each_child_mut(&mut |c| self.expr(c));
        if marked(e).is_some() {
            return;
        }
        let at = e.at.clone();
        let own = |l: &LocalId| self.inner.map.get(l).copied().unwrap_or(*l);
        match &mut e.kind {
            ExprKind::Local(l) => match self.address(*l, &at) {
                Some(ptr) => e.kind = ExprKind::Load { ptr: Box::new(ptr), off: 0 },
                None => *l = own(l),
            },
            ExprKind::AddrOf(l) => match self.address(*l, &at) {
                Some(ptr) => e.kind = ptr.kind,
                None => *l = own(l),
            },
            ExprKind::Set(l, value) => match self.address(*l, &at) {
                Some(ptr) => {
                    let mem = self.outer.unit.functions[self.outer.index].locals[l.0 as usize].ty.clone();
                    let value = std::mem::replace(value, Box::new(Expr::new(ExprKind::Const(0), Ty::U64, at.clone())));
                    e.kind = ExprKind::Store { mem, ptr: Box::new(ptr), off: 0, value };
                }
                None => *l = own(l),
            },
            ExprKind::For { var, plan, .. } => {
                *var = own(var);
                (plan.zero, plan.more) = (plan.zero.as_ref().map(own), plan.more.as_ref().map(own));
            }
            ExprKind::While { plan, .. } => {
                (plan.zero, plan.more) = (plan.zero.as_ref().map(own), plan.more.as_ref().map(own));
            }
            ExprKind::OnLeaving { taken, .. } => *taken = own(taken),
            ExprKind::WithCallback { callback, .. } => {
                callback.params.iter_mut().for_each(|p| *p = own(p));
            }
            ExprKind::Return(_) => self.leave(e, Way::Return),
            ExprKind::Break(l, _) => {
                let way = Way::Break(*l);
                self.leave(e, way);
            }
            _ => {}
        }
    }

    /// Notes where to go and the value to go with, and ends the visits. What began in this callback or one inside of it
    /// ends with the value that the visits end with, where the same is done for those.
    fn leave(&self, e: &mut Expr, way: Way) {
        let (ExprKind::Return(value) | ExprKind::Break(_, value)) = &mut e.kind else { return };
        let ended: Vec<LocalId> = match &value.kind {
            ExprKind::Seq(parts) => parts.iter().filter_map(marked).collect(),
            _ => Vec::new(),
        };
        let Some(code) = self.exits.iter().position(|x| x.is(way, &ended)) else { return };
        let mut own = super::releases(value);
        own.retain(|r| marked(r).is_none());
        let at = e.at.clone();
        let nothing = Expr::new(ExprKind::Const(0), Ty::U64, at.clone());
        let value = std::mem::replace(&mut **value, nothing);
        let mut parts = match self.outer.exit_type(way) {
            Ty::Void | Ty::Never => vec![value],
            ty => {
                let mut set = self.place.set(VALUE, value);
                if let ExprKind::Store { mem, .. } = &mut set.kind {
                    *mem = ty;
                }
                vec![set]
            }
        };
        parts.push(self.place.set(EXIT, Expr::new(ExprKind::Const(code as i64 + 1), Ty::U64, at.clone())));
        parts.extend(self.back.iter().cloned());
        let mut stop = Expr::new(ExprKind::Const(1), Ty::U64, at.clone());
        if !own.is_empty() {
            own.push(stop);
            stop = Expr::new(ExprKind::Seq(own), Ty::U64, at.clone());
        }
        parts.push(Expr::new(ExprKind::Return(Box::new(stop)), Ty::Never, at.clone()));
        *e = Expr::new(ExprKind::Seq(parts), Ty::Never, at);
    }
}
