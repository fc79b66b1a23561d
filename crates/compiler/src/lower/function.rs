//! One function: locals, and the dispatch over expressions.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use whistler_codegen::ir::{
    self, Block, Callee, CoreId, FunctionBuilder, Op, Size, Slot, SymKind, UnOp, Value, Variable,
};

use super::Shared;
use super::memory::on_stack;
use crate::hir::{Expr, ExprKind, Function, LabelId, LocalId, LocalKind, MapOp, Space, Ty, Unit};

/// Where a local lives in the IR.
#[derive(Clone, Copy)]
enum Storage {
    Var(Variable),
    Slot(Slot),
}

/// A place that `Break` goes to.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub block: Block,
    /// Whether the block takes the broken-with value as its parameter.
    pub takes_value: bool,
    /// How many iterators are open there.
    pub iterators: usize,
}

/// State while one function is lowered.
pub(super) struct Lower<'a> {
    pub unit: &'a Unit,
    pub func: &'a Function,
    pub shared: &'a mut Shared,
    pub b: FunctionBuilder,
    pub frames: FxHashMap<LabelId, Frame>,
    /// The iterators of the loops around.
    pub iterators: Vec<Slot>,
    locals: Vec<Storage>,
    ctx: Option<Value>,
}

pub(super) fn lower(unit: &Unit, func: &Function, shared: &mut Shared) -> ir::Function {
    let mut params: SmallVec<[ir::Ty; 5]> = SmallVec::new();
    let hidden_ctx = func.program.is_some() || func.uses_ctx;
    if hidden_ctx {
        params.push(ir::Ty::Ptr(ir::Space::Ctx));
    }
    params.extend(func.params.iter().map(|p| ir_ty(&func.locals[p.0 as usize].ty)));
    let (mut b, values) = FunctionBuilder::new(super::symbol_name(&func.name), &params);
    let locals = func
        .locals
        .iter()
        .map(|l| {
            let name = (!l.name.is_empty()).then(|| l.name.clone());
            match l.kind {
                LocalKind::Value => Storage::Var(b.declare_var(ir_ty(&l.ty), name)),
                LocalKind::Memory => Storage::Slot(b.slot(l.ty.size(), name)),
            }
        })
        .collect();
    let ctx = hidden_ctx.then(|| values[0]);
    let mut lower = Lower { unit, func, shared, b, frames: FxHashMap::default(), iterators: Vec::new(), locals, ctx };
    let compared = super::entry::compares_rounds(unit, func);
    for (id, value) in func.params.iter().zip(&values[usize::from(hidden_ctx)..]) {
        let ty = &func.locals[id.0 as usize].ty;
        let value = if compared { lower.entering(*value, ty) } else { *value };
        lower.assign(*id, value);
    }
    let result = lower.expr(&func.body);
    lower.b.ret(result);
    let mut f = lower.b.finish();
    f.keep = func.global;
    f
}

/// The IR's view of a type. What is no memory the verifier knows is a number.
pub(super) fn ir_ty(ty: &Ty) -> ir::Ty {
    let Ty::Ptr(p) = ty else { return ir::Ty::Int };
    ir::Ty::Ptr(match p.space {
        Space::Ctx => ir::Space::Ctx,
        Space::Stack => ir::Space::Stack,
        Space::MapValue | Space::MapConst => ir::Space::MapValue,
        Space::Packet => ir::Space::Packet,
        Space::PacketEnd => ir::Space::PacketEnd,
        Space::Ring | Space::Mem => ir::Space::Mem,
        Space::Global | Space::Rodata => ir::Space::Global,
        Space::Trusted => ir::Space::Btf,
        Space::Map => ir::Space::Map,
        Space::Kernel | Space::User | Space::Unknown => return ir::Ty::Int,
    })
}

/// Access size and sign of a scalar in memory.
pub(super) fn access(ty: &Ty) -> (Size, bool) {
    match ty.as_int() {
        Some(i) => (Size::from_bytes(u32::from(i.size)).unwrap_or(Size::B8), i.signed),
        None => (Size::B8, false),
    }
}

impl Lower<'_> {
    /// Lowers an expression; its value (0 for those that yield nothing).
    pub(super) fn expr(&mut self, e: &Expr) -> Value {
        let loc = self.shared.loc(&e.at);
        let outer = self.b.set_loc(loc);
        let v = self.expr_here(e);
        self.b.set_loc(outer);
        v
    }

    fn expr_here(&mut self, e: &Expr) -> Value {
        match &e.kind {
            ExprKind::Const(n) => self.b.ins(Op::Const(*n), ir_ty(&e.ty)),
            ExprKind::Local(id) => self.read(*id),
            ExprKind::Set(id, value) => {
                let v = self.typed(value, &self.func.locals[id.0 as usize].ty);
                self.assign(*id, v);
                v
            }
            ExprKind::AddrOf(id) => self.address(*id),
            ExprKind::Seq(es) => {
                let mut last = None;
                for (i, e) in es.iter().enumerate() {
                    let v = self.expr(e);
                    last = (i + 1 == es.len()).then_some(v);
                }
                last.unwrap_or_else(|| self.b.iconst(0))
            }
            ExprKind::If(c, t, f) => self.if_value(c, t, f, &e.ty),
            ExprKind::Bin(op, x, y) => self.bin(*op, x, y),
            ExprKind::Un(op, x) => self.un(*op, x),
            ExprKind::Cmp(op, x, y) => {
                let (x, y) = (self.expr(x), self.expr(y));
                self.b.cmp(super::arith::cc(*op), x, y)
            }
            ExprKind::Cast(x) => self.cast(x, &e.ty),
            ExprKind::Bswap(n, x) => {
                let x = self.expr(x);
                let size = Size::from_bytes(u32::from(*n)).unwrap_or(Size::B8);
                self.b.un(UnOp::Bswap(size), x)
            }
            ExprKind::Load { ptr, off } => self.load(&e.ty, ptr, *off),
            ExprKind::Store { mem, ptr, off, value } => self.store(mem, ptr, *off, value),
            ExprKind::Copy { dst, src, len } => self.copy(dst, src, *len),
            ExprKind::Fill { dst, value, len } => self.fill(dst, value, *len),
            ExprKind::Differ { a, b, len } => self.differ(a, b, *len),
            ExprKind::Atomic { op, mem, fetch, ptr, off, value } => {
                if on_stack(ptr) {
                    return self.plain_update(*op, *mem, ptr, *off, value);
                }
                let (ptr, value) = (self.expr(ptr), self.expr(value));
                let (size, _) = access(&Ty::Int(*mem));
                match self.b.atomic(super::arith::atomic(*op), size, *fetch, ptr, *off, value) {
                    Some(old) => self.extend(old, *mem),
                    None => self.b.iconst(0),
                }
            }
            ExprKind::CmpXchg { mem, ptr, off, expected, new } => {
                if on_stack(ptr) {
                    return self.plain_exchange(*mem, ptr, *off, expected, new);
                }
                let (ptr, expected, new) = (self.expr(ptr), self.expr(expected), self.expr(new));
                let (size, _) = access(&Ty::Int(*mem));
                let op = Op::CmpXchg { size, base: ptr, off: *off, expected, new };
                let old = self.b.ins(op, ir::Ty::Int);
                self.extend(old, *mem)
            }
            ExprKind::Ctx => self.context(),
            ExprKind::Map(id) => self.map(*id),
            ExprKind::Global(id) => {
                let sym = self.shared.globals[id.0 as usize];
                self.b.sym_addr(sym, 0, ir::Ty::Ptr(ir::Space::Global))
            }
            ExprKind::Bytes(bytes) => {
                let sym = self.shared.string(bytes);
                self.b.sym_addr(sym, 0, ir::Ty::Ptr(ir::Space::Global))
            }
            ExprKind::MapOp { op, map, args } => self.map_op(*op, *map, args, &e.ty),
            ExprKind::Helper { id, args } => {
                let args = self.exprs(args);
                let r = self.b.call(Callee::Helper(*id), &args, ir_ty(&e.ty));
                self.narrow_result(r, &e.ty)
            }
            ExprKind::Kfunc { kfunc, args } => {
                let args = self.exprs(args);
                let sym = self.shared.kfunc(kfunc);
                let r = self.b.call(Callee::Kfunc(sym), &args, ir_ty(&e.ty));
                self.narrow_result(r, &e.ty)
            }
            ExprKind::Call { function, args } => {
                let callee = &self.unit.functions[function.0 as usize];
                let mut values = SmallVec::<[Value; 5]>::new();
                if callee.uses_ctx {
                    values.push(self.context());
                }
                for (arg, param) in args.iter().zip(&callee.params) {
                    values.push(self.typed(arg, &callee.locals[param.0 as usize].ty));
                }
                let sym = self.shared.functions[function.0 as usize];
                let r = self.b.call(Callee::Function(sym), &values, ir_ty(&e.ty));
                self.narrow_result(r, &e.ty)
            }
            ExprKind::InBounds { ptr, len, end } => {
                let (ptr, end) = (self.expr(ptr), self.expr(end));
                self.b.ins(Op::InBounds { ptr, len: *len as i32, end }, ir::Ty::Int)
            }
            ExprKind::While { label, next, test, body, max, plan } => {
                self.while_loop(*label, *next, test, body, *max, *plan)
            }
            ExprKind::For { label, next, var, count, max, body, plan } => {
                self.for_loop(*label, *next, *var, count, *max, body, *plan)
            }
            ExprKind::FnAddr(id) => {
                let sym = self.shared.functions[id.0 as usize];
                self.b.sym_addr(sym, 0, ir::Ty::Ptr(ir::Space::Other))
            }
            // Outlining leaves none.
            ExprKind::WithCallback { .. } => self.b.iconst(0),
            ExprKind::Block { label, body } => self.block(*label, body, &e.ty),
            ExprKind::Break(label, value) => self.break_to(*label, value),
            ExprKind::Return(value) => {
                let v = self.typed(value, &self.func.ret);
                self.destroy_down_to(0);
                self.b.ret(v);
                self.b.iconst(0)
            }
            ExprKind::OnLeaving { release, .. } => self.expr(release),
            ExprKind::CoreValue { core, local } => {
                let op = Op::CoreValue { core: CoreId(core.0), local: *local, wide: i32::try_from(*local).is_err() };
                self.b.ins(op, ir::Ty::Int)
            }
            ExprKind::CoreStore { core, mem, ptr, off, value } => {
                self.core_store(CoreId(core.0), mem, ptr, *off, value)
            }
            ExprKind::CoreLoad { core, ptr, off } => {
                let ptr = self.expr(ptr);
                let (size, _) = access(&e.ty);
                let v = self.b.core_load(ir_ty(&e.ty), CoreId(core.0), size, ptr, *off);
                // The load may turn out wider or narrower than ours: only an extension makes it ours.
                match e.ty.as_int() {
                    Some(i) if i.size < 8 => self.extend(v, i),
                    _ => v,
                }
            }
        }
    }

    /// The program's context: a parameter, or, in callbacks, what was shared with them.
    fn context(&mut self) -> Value {
        match (self.ctx, self.func.ctx_local) {
            (Some(v), _) => v,
            (None, Some(l)) => self.read(l),
            (None, None) => self.b.iconst(0),
        }
    }

    pub(super) fn exprs(&mut self, es: &[Expr]) -> SmallVec<[Value; 5]> {
        es.iter().map(|e| self.expr(e)).collect()
    }

    /// Lowers an expression for a place of type `ty`: a constant becomes one of that type.
    pub(super) fn typed(&mut self, e: &Expr, ty: &Ty) -> Value {
        match e.as_const() {
            Some(n) if ir_ty(ty) != ir_ty(&e.ty) => self.b.ins(Op::Const(n), ir_ty(ty)),
            _ => self.expr(e),
        }
    }

    pub(super) fn read(&mut self, id: LocalId) -> Value {
        match self.locals[id.0 as usize] {
            Storage::Var(v) => self.b.use_var(v),
            Storage::Slot(slot) => {
                let ty = &self.func.locals[id.0 as usize].ty;
                let (size, signed) = access(ty);
                let base = self.b.stack_addr(slot, 0);
                self.b.load_as(ir_ty(ty), size, signed, base, 0)
            }
        }
    }

    pub(super) fn assign(&mut self, id: LocalId, value: Value) {
        match self.locals[id.0 as usize] {
            Storage::Var(v) => self.b.def_var(v, value),
            Storage::Slot(slot) => {
                let (size, _) = access(&self.func.locals[id.0 as usize].ty);
                let base = self.b.stack_addr(slot, 0);
                self.b.store(size, base, 0, value);
            }
        }
    }

    fn address(&mut self, id: LocalId) -> Value {
        match self.locals[id.0 as usize] {
            Storage::Slot(slot) => self.b.stack_addr(slot, 0),
            // The checker marks every variable whose address is taken as memory.
            Storage::Var(v) => self.b.use_var(v),
        }
    }

    fn map(&mut self, id: crate::hir::MapId) -> Value {
        let sym = self.shared.maps[id.0 as usize];
        debug_assert!(matches!(self.shared.module.syms[sym.index()].kind, SymKind::Map(_)));
        self.b.sym_addr(sym, 0, ir::Ty::Ptr(ir::Space::Map))
    }

    fn map_op(&mut self, op: MapOp, map: crate::hir::MapId, args: &[Expr], ty: &Ty) -> Value {
        match op {
            MapOp::Lookup => {
                let key = match args {
                    [key, ..] => self.expr(key),
                    [] => self.b.iconst(0),
                };
                let map = self.shared.maps[map.0 as usize];
                return self.b.ins(Op::MapLookup { map, key }, ir_ty(ty));
            }
            MapOp::Update | MapOp::Delete => {}
        }
        let mut values = SmallVec::<[Value; 5]>::new();
        let rest = self.exprs(args);
        values.push(self.map(map));
        values.extend(rest);
        self.b.call(Callee::Helper(op.helper()), &values, ir::Ty::Int)
    }

    /// The kernel gives all of r0; a narrow result type means its low bytes.
    fn narrow_result(&mut self, r: Value, ty: &Ty) -> Value {
        match ty.as_int() {
            Some(i) if i.size < 8 => self.extend(r, i),
            _ => r,
        }
    }
}
