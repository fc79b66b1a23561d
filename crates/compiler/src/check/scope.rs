//! Variables of the function under check. Invariant: whether a variable is ever assigned is known
//! before its first use is checked; when that turns out wrong, the function is checked again.

use rustc_hash::{FxHashMap, FxHashSet};
use whistler_diag::Span;
use whistler_isa::ProgType;
use whistler_lisp::{Form, FormKind, Symbol};

use super::flow::Flow;
use super::val::{Fact, Facts, Val};
use super::{Checker, at};
use crate::diagnostics as diag;
use crate::hir::{Expr, ExprKind, LabelId, Local, LocalId, LocalKind, ProgramInfo, PtrTy, Space, Ty};
use crate::names::norm;

/// A name in scope.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The name.
    pub name: Symbol,
    /// Its variable.
    pub local: LocalId,
    /// Whether it was read.
    pub used: bool,
    /// Where it is bound.
    pub span: Span,
    /// Whether a macro bound it.
    pub made: bool,
}

/// What the checker knows of a variable beyond its `Local`.
#[derive(Clone, Debug)]
pub struct Var {
    /// Its type when read.
    pub ty: Ty,
    /// Whether the type was written.
    pub written: bool,
    /// Whether it is assigned after its binding.
    pub assigned: bool,
    /// Its number among the bindings of the function.
    pub ordinal: u32,
    /// Least and most, when never assigned.
    pub range: (i128, i128),
    /// What its value tells as a test, when never assigned.
    pub facts: Option<Box<Facts>>,
    /// The variable that facts about it are kept under.
    pub root: LocalId,
    /// Its place among packet pointers, when never assigned.
    pub base: Option<(LocalId, i64)>,
    /// For a number, when never assigned: what the verifier certainly takes it to be at most.
    pub most: Option<i128>,
    /// Whether it was compared with something: the verifier may know more of it from then on.
    pub compared: bool,
    /// For a packet pointer, when never assigned: how far a variable offset may have taken it, if that is certain.
    pub reach: Option<i128>,
    /// For a packet pointer, when never assigned: the field of the context that it was read from.
    pub start: Option<PacketStart>,
    /// Whether it is a field of network order, read, when never assigned.
    pub host_order: bool,
    /// Where its value comes from, when never assigned.
    pub origin: Option<super::origins::Origin>,
    /// Whether it is a number read from memory, as wide as it lies there, when never assigned.
    pub as_read: bool,
    /// Whether the address was taken.
    pub addressed: bool,
    /// Whether it is an array or struct in memory, read as its address.
    pub in_place: bool,
}

/// A field of the context that holds the start of packet bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PacketStart {
    /// `data`
    Data,
    /// `data_meta`: what programs put before the packet.
    Meta,
}

/// A named block around the code under check.
#[derive(Clone, Debug)]
pub struct BlockFrame {
    /// Its name; `None` for loops.
    pub name: Option<Symbol>,
    /// Its label.
    pub label: LabelId,
    /// The values it was left with.
    pub values: Vec<Ty>,
    /// What is known where it was left.
    pub flows: Vec<Flow>,
    /// The type the block yields, from an earlier round.
    pub ty: Option<Ty>,
    /// How many cleanups were open when it was entered.
    pub cleanups: usize,
}

/// What must be done before leaving.
#[derive(Clone, Debug)]
pub enum Cleanup {
    /// An object is released, if it still is the program's.
    Object {
        /// The variable that holds it.
        object: LocalId,
        /// How.
        by: Release,
    },
    /// A region ends.
    Always {
        /// What ends it.
        end: Expr,
        /// Set where the region begins, and stands for it.
        taken: LocalId,
    },
}

/// How an object is released.
#[derive(Clone, Debug)]
pub enum Release {
    /// A record of a ring buffer is submitted.
    Submit {
        /// Flags for the submission.
        flags: Expr,
    },
    /// A record behind a dynptr is submitted.
    SubmitDynptr,
    /// A helper takes it.
    Helper(&'static whistler_isa::Helper),
    /// A kernel function takes it.
    Kfunc(&'static whistler_isa::Kfunc),
}

/// State of the function under check.
#[derive(Default, Debug)]
pub struct FnState {
    /// Its name.
    pub name: Option<Symbol>,
    /// The licence.
    pub license: String,
    /// Whether it may sleep.
    pub sleepable: bool,
    /// What makes it a program.
    pub program: Option<ProgramInfo>,
    /// The member of a struct of operations that it implements, or its caller.
    pub member: Option<crate::hir::OpsMember>,
    /// What the member that a program implements yields.
    pub yields: Option<Ty>,
    /// The program type whose context it sees.
    pub ctx_type: Option<ProgType>,
    /// Its locals.
    pub locals: Vec<Local>,
    /// What is known of each local.
    pub vars: Vec<Var>,
    /// Names in scope.
    pub scope: Vec<Binding>,
    /// What is known here.
    pub flow: Flow,
    /// Packet pointers moved by a variable that were compared with the packet's end, and the sums that made them.
    pub moved: Vec<(LocalId, Expr)>,
    /// Packet pointers whose comparison with the packet's end tells the verifier nothing, and how far they may reach.
    pub too_far: Vec<(LocalId, i128)>,
    /// Places in the packet whose numbers were compared right where they were read; `None` for other memory.
    pub compared_memory: FxHashSet<Option<(LocalId, i64)>>,
    /// Places of the source that read numbers in the network's byte order, the forms that put those into the host's, and
    /// what the numbers are.
    pub network: Vec<(Span, &'static str, super::origins::Holds)>,
    /// Places of the source that read points in time, and by which clock those are.
    pub times: Vec<(Span, whistler_isa::tracing::Clock)>,
    /// Places of the source that read ports which the kernel holds in the host's byte order.
    pub host_ports: Vec<Span>,
    /// Calls that put a changed number into checksums.
    pub sums: Vec<super::network::Summed>,
    /// What was compared by order, as it is written: the program may have bounded it.
    pub ordered: Vec<String>,
    /// Where the kernel's names for verdicts stand.
    pub verdicts: Vec<(Span, Symbol)>,
    /// Labels given out.
    pub labels: u32,
    /// Blocks around.
    pub blocks: Vec<BlockFrame>,
    /// Records that leaving submits.
    pub cleanups: Vec<Cleanup>,
    /// For each loop and callback around the code under check, how many cleanups were open when it was entered.
    pub rounds: Vec<usize>,
    /// How many callbacks are around the code under check.
    pub callbacks: usize,
    /// Whether it reads the context.
    pub uses_ctx: bool,
    /// The declared result type of a subprogram.
    pub ret: Option<Ty>,
    /// The tracepoint whose record the context is.
    pub tracepoint: Option<Symbol>,
    /// What earlier rounds of checking learnt.
    pub lessons: Lessons,
    /// Whether a lesson was learnt in this round.
    pub again: bool,
    /// Bindings made.
    pub ordinals: u32,
    /// Names that macros bind for their callers to see.
    pub anaphora: FxHashSet<Symbol>,
    /// Names bound by the clauses of a `let` before the one whose value is under check.
    pub siblings: Vec<Symbol>,
    /// Macro calls expanded.
    pub expansions: usize,
    /// Loops entered.
    pub loops: u32,
    /// Blocks entered.
    pub block_count: u32,
    /// How many of the first locals are parameters that may be references: what the caller holds, and this may release.
    pub borrowed: u32,
    /// Those of them that are released at every end so far; `None` before the first.
    pub given_back: Option<Vec<LocalId>>,
    /// What stands for the numbered registers of `asm` forms; they hold numbers, and 0 at first.
    pub asm_registers: [Option<LocalId>; 10],
}

/// What one round of checking a function teaches the next.
#[derive(Default, Debug, Clone)]
pub struct Lessons {
    /// Bindings that are assigned.
    pub assigned: FxHashSet<u32>,
    /// Bindings with another type than their initialiser shows.
    pub types: FxHashMap<u32, Ty>,
    /// Bindings of whose bounds the head of a loop knows nothing.
    pub loop_forgets: FxHashMap<u32, FxHashSet<u32>>,
    /// Bindings that may be null at the head of a loop.
    pub loop_nulls: FxHashMap<u32, FxHashSet<u32>>,
    /// Bindings that a round of a loop leaves pointing into a packet that was moved.
    pub loop_stale: FxHashMap<u32, FxHashSet<u32>>,
    /// What moved the packet last.
    pub mover: Option<crate::hir::At>,
    /// Types that blocks yield.
    pub blocks: FxHashMap<u32, Ty>,
}

impl FnState {
    /// Whether a local is a parameter, whose object the caller holds.
    pub fn is_borrowed(&self, l: LocalId) -> bool {
        l.0 < self.borrowed
    }

    /// The function ends here: what it has released by now of its caller's.
    pub fn ends(&mut self) {
        let here = |l: &LocalId| self.flow.released.contains(l) && !self.flow.live.contains(l);
        let parameters = (0..self.borrowed).map(LocalId).filter(here);
        self.given_back = Some(match self.given_back.take() {
            None => parameters.collect(),
            Some(before) => parameters.filter(|l| before.contains(l)).collect(),
        });
    }

    /// What stands for a numbered register of `asm` forms.
    pub fn asm_register(&mut self, number: u8) -> Option<LocalId> {
        let known = *self.asm_registers.get(usize::from(number))?;
        let id = known.unwrap_or_else(|| {
            let ordinal = self.ordinals;
            self.ordinals += 1;
            let id = self.local(&format!("r{number}"), Ty::U64, LocalKind::Value, Span::NONE);
            let var = self.var(id);
            (var.ordinal, var.written, var.assigned) = (ordinal, true, true);
            id
        });
        self.asm_registers[usize::from(number)] = Some(id);
        Some(id)
    }

    /// A function's body behind what sets the registers of its `asm` forms to 0.
    pub fn with_asm_registers(&self, body: Expr) -> Expr {
        let here = body.at.clone();
        let zero = |l: &LocalId| {
            let zero = Expr::new(ExprKind::Const(0), Ty::U64, here.clone());
            Expr::new(ExprKind::Set(*l, Box::new(zero)), Ty::Void, here.clone())
        };
        let mut parts: Vec<Expr> = self.asm_registers.iter().flatten().map(zero).collect();
        if parts.is_empty() {
            return body;
        }
        let (ty, at) = (body.ty.clone(), body.at.clone());
        parts.push(body);
        Expr::new(ExprKind::Seq(parts), ty, at)
    }

    /// Adds a local.
    pub fn local(&mut self, name: &str, ty: Ty, kind: LocalKind, span: Span) -> LocalId {
        let id = LocalId(self.locals.len() as u32);
        self.locals.push(Local { name: name.into(), ty: ty.clone(), kind, span });
        let range = super::val::type_range(ty.as_int().unwrap_or(crate::hir::IntTy::U64));
        self.vars.push(Var {
            ty,
            written: false,
            assigned: false,
            ordinal: u32::MAX,
            range,
            facts: None,
            root: id,
            base: None,
            most: None,
            compared: false,
            reach: None,
            start: None,
            host_order: false,
            origin: None,
            as_read: false,
            addressed: false,
            in_place: false,
        });
        id
    }

    /// What is known of a local.
    pub fn var(&mut self, id: LocalId) -> &mut Var {
        &mut self.vars[id.0 as usize]
    }
}

impl Checker<'_> {
    /// The binding of a name.
    pub fn binding(&self, s: Symbol) -> Option<usize> {
        let scope = &self.f.scope;
        if let Some(i) = scope.iter().rposition(|b| b.name == s) {
            return Some(i);
        }
        if s.is_uninterned() || scope.is_empty() {
            return None;
        }
        let key = norm(s);
        scope.iter().rposition(|b| !b.name.is_uninterned() && norm(b.name) == key)
    }

    /// A variable's value.
    pub fn variable(&mut self, s: Symbol, form: &Form) -> Option<Val> {
        let i = self.binding(s)?;
        self.f.scope[i].used = true;
        let local = self.f.scope[i].local;
        Some(self.read_local(local, at(form)))
    }

    /// A local's value.
    pub fn read_local(&mut self, local: LocalId, here: crate::hir::At) -> Val {
        let var = &self.f.vars[local.0 as usize];
        if var.in_place {
            let ty = Ty::ptr(Space::Stack, Some(var.ty.clone()));
            return Val::new(ExprKind::AddrOf(local), ty, here);
        }
        if var.ty == Ty::Never {
            // What it was to hold was reported as wrong.
            return Val::error(here);
        }
        let mut ty = var.ty.clone();
        let root = var.root;
        let mut base = var.base;
        if let Ty::Ptr(p) = &mut ty {
            if self.f.flow.nonnull.contains(&root) {
                p.nullable = false;
            }
            if p.space == Space::Packet && base.is_none() {
                base = Some((local, 0));
            }
        }
        let mut v = Val::new(ExprKind::Local(local), ty, here);
        v.base = base;
        let var = &self.f.vars[local.0 as usize];
        if !var.assigned && !var.addressed {
            v = v.within(var.range.0, var.range.1);
        }
        if let Some((_, n)) = self.f.flow.at_most.iter().find(|(l, _)| *l == local) {
            v = v.within(0, i128::from(*n));
        }
        let mut facts = Facts::default();
        if let Some(f) = &var.facts {
            facts.yes.extend(f.yes.iter().copied());
            facts.no.extend(f.no.iter().copied());
        }
        if matches!(var.ty, Ty::Ptr(_)) {
            facts.yes.push(Fact::NonNull(root));
            facts.no.push(Fact::Null(root));
        }
        v.telling(facts.yes, facts.no)
    }

    /// Makes a variable with a value; yields its id and the expression that sets it.
    pub fn bind(
        &mut self,
        name: Symbol,
        written: Option<Ty>,
        init: Val,
        form: &Form,
        body: &[&[Form]],
    ) -> (LocalId, Expr) {
        let here = at(form);
        let ordinal = self.f.ordinals;
        self.f.ordinals += 1;
        let assigned = self.f.lessons.assigned.contains(&ordinal) || body.iter().any(|b| assigns(b, name));
        // A pointer in a place written as a number stays a pointer.
        let written = match (&written, init.ty()) {
            (Some(Ty::Int(i)), Ty::Ptr(_)) if i.size == 8 => None,
            _ => written,
        };
        let lesson = self.f.lessons.types.get(&ordinal).cloned();
        let ty = match (&written, lesson) {
            (Some(t), None) => t.clone(),
            (_, Some(t)) => t,
            (None, None) => inferred(init.ty(), assigned),
        };
        let value = match &written {
            Some(t) => {
                let fit = super::Fit::Place;
                let t = self.settle_pointer(t, &init);
                self.fit(init.clone(), &t, fit)
            }
            None => self.fit(init.clone(), &ty, super::Fit::Place),
        };
        let ty = if written.is_some() { self.settle_pointer(&ty, &init) } else { ty };
        let id = self.f.local(name.name(), ty.clone(), LocalKind::Value, form.span);
        let alias = match init.e.kind {
            ExprKind::Local(l) if matches!(ty, Ty::Ptr(_)) && !assigned && !self.f.var(l).assigned => {
                Some(self.f.var(l).root)
            }
            _ => None,
        };
        if let Some(object) = made_object(&init.e).filter(|_| !assigned) {
            // The object has no name of its own; reports about its size give it the variable's.
            let local = &mut self.f.locals[object.0 as usize];
            if local.name.is_empty() {
                (local.name, local.span) = (name.name().into(), form.span);
            }
        }
        let most = if assigned { None } else { self.most(&init.e).map(|n| n.min(init.hi)) };
        let reach = if assigned || init.base.is_some() { None } else { self.reach(&init.e) };
        let start = if assigned { None } else { self.packet_start(&init.e) };
        let host_order = !assigned && self.in_host_order(&init.e);
        let origin = if assigned { None } else { self.origin(&init.e) };
        let as_read = !assigned && self.as_read(&init.e);
        let refused = init.never() && matches!(init.e.kind, ExprKind::Const(_)) && written.is_none();
        let var = self.f.var(id);
        if refused {
            var.ty = Ty::Never;
        }
        var.written = written.is_some();
        var.assigned = assigned;
        var.ordinal = ordinal;
        (var.most, var.reach, var.start, var.host_order) = (most, reach, start, host_order);
        (var.origin, var.as_read) = (origin, as_read);
        if !assigned && value.ty == *init.ty() {
            var.range = (init.lo, init.hi);
        }
        if let Some(root) = alias {
            var.root = root;
        }
        if !assigned {
            var.facts = init.facts.clone();
            var.base = init.base;
        }
        if let Ty::Ptr(p) = &ty {
            if alias.is_none() && crate::forms::refs::acquires(&self.unit, &init.e) {
                self.f.flow.live.push(id);
            }
            if !matches!(init.ty(), Ty::Ptr(i) if i.nullable) && !init.is_zero() && p.nullable {
                self.f.flow.nonnull.push(id);
            }
        }
        self.f.scope.push(Binding { name, local: id, used: false, span: form.span, made: form.origin.is_some() });
        let set = Expr::new(ExprKind::Set(id, Box::new(value)), ty, here);
        (id, set)
    }

    /// A written pointer type says nothing about where it points; the initialiser does.
    pub fn settle_pointer(&mut self, ty: &Ty, init: &Val) -> Ty {
        match (ty, init.ty()) {
            (Ty::Ptr(t), Ty::Ptr(i)) if t.space == Space::Unknown => {
                Ty::Ptr(PtrTy { pointee: t.pointee.clone(), space: i.space, nullable: i.nullable, number: i.number })
            }
            (Ty::Ptr(t), _) if t.space == Space::Unknown => {
                Ty::Ptr(PtrTy { pointee: t.pointee.clone(), space: Space::Kernel, nullable: t.nullable, number: false })
            }
            _ => ty.clone(),
        }
    }

    /// Takes the names bound since `mark` out of scope, warning about those never used.
    pub fn unbind(&mut self, mark: usize) {
        while self.f.scope.len() > mark {
            let Some(b) = self.f.scope.pop() else { return };
            if !b.used && !b.made && !b.name.name().starts_with('_') && !b.name.is_uninterned() {
                self.report(
                    diag::warning(
                        &diag::UNUSED_VARIABLE,
                        &crate::hir::At { span: b.span, origin: None },
                        format!("`{}` is never used", b.name),
                    )
                    .help(format!("name it `_{}` if that is meant", b.name.name())),
                );
            }
        }
    }

    /// Declared types of a body: `(declare (type T v…))`. Yields them and the rest of the body.
    pub fn declarations<'f>(&mut self, mut body: &'f [Form]) -> (Vec<(Symbol, Ty)>, &'f [Form]) {
        let mut types = Vec::new();
        while let Some(first) = body.first() {
            if !first.is_call("declare") {
                break;
            }
            for spec in first.as_list().unwrap_or(&[]).iter().skip(1) {
                self.declaration(spec, &mut types);
            }
            body = &body[1..];
        }
        (types, body)
    }

    fn declaration(&mut self, spec: &Form, types: &mut Vec<(Symbol, Ty)>) {
        let Some(items) = spec.as_list() else { return };
        let Some(head) = items.first().and_then(Form::as_symbol) else { return };
        let (ty, vars) = if head.is("type") {
            (items.get(1), items.get(2..).unwrap_or(&[]))
        } else if head.is("ignore") || head.is("ignorable") {
            for v in items[1..].iter().filter_map(Form::as_symbol) {
                if let Some(i) = self.binding(v) {
                    self.f.scope[i].used = true;
                }
            }
            return;
        } else if head.is("optimize") || head.is("inline") || head.is("dynamic-extent") {
            return;
        } else {
            (items.first(), &items[1..])
        };
        let Some(ty) = ty else { return };
        if let Some(ty) = self.type_of(ty) {
            types.extend(vars.iter().filter_map(Form::as_symbol).map(|v| (v, ty.clone())));
        }
    }
}

/// The type a variable takes from its initialiser.
fn inferred(ty: &Ty, assigned: bool) -> Ty {
    match ty {
        Ty::Void | Ty::Never => Ty::U64,
        Ty::Ptr(p) if assigned => Ty::Ptr(PtrTy { nullable: true, ..p.clone() }),
        _ if assigned => match ty.as_int() {
            Some(i) if i.signed => Ty::I64,
            Some(_) => Ty::U64,
            None => ty.clone(),
        },
        _ => ty.clone(),
    }
}

/// The object on the stack whose address an expression is.
fn made_object(e: &Expr) -> Option<LocalId> {
    match &e.kind {
        ExprKind::AddrOf(l) => Some(*l),
        ExprKind::Seq(es) => made_object(es.last()?),
        ExprKind::Cast(e) => made_object(e),
        _ => None,
    }
}

/// Whether code, as far as it can be seen before macros expand, assigns the variable.
fn assigns(body: &[Form], name: Symbol) -> bool {
    body.iter().any(|f| {
        let FormKind::List(items) = &f.kind else { return false };
        let Some(head) = items.first() else { return false };
        if let Some(h) = head.as_symbol() {
            let places: &mut dyn Iterator<Item = &Form> = if h.is("setf") || h.is("setq") || h.is("psetf") {
                &mut items[1..].iter().step_by(2)
            } else if h.is("incf") || h.is("decf") {
                &mut items[1..].iter().take(1)
            } else {
                &mut std::iter::empty()
            };
            if places.filter_map(Form::as_symbol).any(|p| p.same_folded(name)) {
                return true;
            }
        }
        assigns(items, name)
    })
}
