//! Places: what can be read, assigned, counted up. Invariant: a place's pointer is evaluated once,
//! however often the place is read and written.

use std::rc::Rc;

use super::exprs::{konst, offset};
use super::{Checker, Fit, Val, Want, at};
use crate::diagnostics as diag;
use crate::hir::{
    At, BinOp, BitPlace, Expr, ExprKind, GlobalDef, IntTy, LocalId, LocalKind, MapDef, MapId, PtrTy, Space, Ty,
};
use whistler_lisp::{Form, FormKind, Symbol};

/// A place.
#[derive(Clone, Debug)]
pub enum Place {
    /// A variable.
    Local(LocalId),
    /// Bytes behind a pointer.
    Memory(MemPlace),
    /// The value of a map under a key.
    Map {
        /// The map.
        map: MapRef,
        /// Pointer to the key.
        key: Box<Expr>,
        /// What sets the key up, before it is used.
        setup: Vec<Expr>,
    },
}

/// The map that a form works on.
#[derive(Clone, Debug)]
pub enum MapRef {
    /// One that is declared.
    Own(MapId),
    /// One that lies in another: the pointer that a lookup gave, and its shape.
    Inner(Box<Expr>, Rc<MapDef>),
}

impl MapRef {
    /// Its declaration.
    pub fn def<'c>(&'c self, c: &'c Checker<'_>) -> &'c MapDef {
        match self {
            MapRef::Own(id) => &c.unit.maps[id.0 as usize],
            MapRef::Inner(_, def) => def,
        }
    }
}

/// Bytes behind a pointer.
#[derive(Clone, Debug)]
pub struct MemPlace {
    /// The pointer (checked: it may be read through).
    pub ptr: Expr,
    /// Constant offset.
    pub off: i32,
    /// Type in memory.
    pub ty: Ty,
    /// Whether memory holds it big-endian.
    pub big_endian: bool,
    /// Where its bits are, for a bit-field.
    pub bits: Option<BitPlace>,
    /// Why it may not be written, if so.
    pub read_only: Option<String>,
    /// The record by which the running kernel tells the offset, for a field of one of its objects.
    pub core: Option<crate::hir::CoreId>,
    /// What must happen before (an index checked).
    pub before: Vec<Expr>,
    /// Where the form stands.
    pub at: At,
}

impl Checker<'_> {
    /// The place that a form names.
    pub fn place(&mut self, form: &Form) -> Option<Place> {
        match &form.kind {
            FormKind::Symbol(s) => {
                if let Some(i) = self.binding(*s) {
                    let local = self.f.scope[i].local;
                    if self.f.var(local).in_place {
                        self.report(diag::error(
                            &diag::NOT_A_PLACE,
                            &at(form),
                            format!("`{s}` is a whole object; set its fields or elements"),
                        ));
                        return None;
                    }
                    return Some(Place::Local(local));
                }
                if let Some(p) = self.global_place(*s, form) {
                    return Some(Place::Memory(p));
                }
                self.value(form);
                if self.constant(*s).is_some() {
                    self.report(diag::error(&diag::NOT_A_PLACE, &at(form), format!("`{s}` is a constant")));
                }
                None
            }
            FormKind::List(items) => {
                let name = items.first().and_then(Form::as_symbol)?;
                let call = super::Call { form, name, args: &items[1..], want: Want::Value };
                self.call_place(&call)
            }
            _ => {
                self.report(diag::error(&diag::NOT_A_PLACE, &at(form), "this is no place"));
                None
            }
        }
    }

    fn call_place(&mut self, call: &super::Call<'_>) -> Option<Place> {
        match self.head(call.name) {
            super::Head::Form(def) => match def.place {
                Some(place) => {
                    if call.args.len() < def.min || call.args.len() > def.max {
                        self.count_error(call, def);
                        return None;
                    }
                    place(self, call)
                }
                None => {
                    let text = format!("({} …) can't be assigned", call.name);
                    let d = diag::error(&diag::NOT_A_PLACE, &call.at(), text);
                    self.report(match (def.name, call.args) {
                        ("map-lookup" | "map-lookup-ptr", [map, key]) => {
                            d.help(format!("an entry is set as (setf (getmap {map} {key}) value)"))
                        }
                        _ => d,
                    });
                    None
                }
            },
            super::Head::Macro(m) => {
                self.use_name(m.name);
                let form = self.expand(&m, call.form)?;
                self.place(&form)
            }
            super::Head::Accessor(a, owner) => {
                self.use_name(owner);
                crate::forms::structs::accessor_place(self, call, a).map(Place::Memory)
            }
            super::Head::Unknown => {
                self.unknown_operator(call);
                None
            }
            super::Head::Subprogram(_) | super::Head::Helper(_) | super::Head::Kfunc(_) => {
                self.report(diag::error(
                    &diag::NOT_A_PLACE,
                    &call.at(),
                    format!("the result of `{}` can't be assigned", call.name),
                ));
                None
            }
        }
    }

    /// The place of a global, if the name is one's.
    pub fn global_place(&mut self, s: Symbol, form: &Form) -> Option<MemPlace> {
        let def: std::rc::Rc<GlobalDef> = self.env.globals.get(s)?.clone();
        let name = self.env.globals.spelled(s)?;
        let id = self.global_id(name, &def);
        let space = if def.writable { Space::Global } else { Space::Rodata };
        Some(MemPlace {
            ptr: Expr::new(ExprKind::Global(id), Ty::ptr(space, Some(def.ty.clone())), at(form)),
            off: 0,
            ty: def.ty.clone(),
            big_endian: false,
            bits: None,
            read_only: (!def.writable)
                .then(|| format!("`{s}` is a parameter: the loader sets it before the program runs")),
            core: None,
            before: Vec::new(),
            at: at(form),
        })
    }

    /// A global's value; of an array or struct, its address.
    pub fn read_global(&mut self, p: MemPlace) -> Val {
        match p.ty {
            Ty::Array(..) | Ty::Struct(_) => Val::of(p.ptr),
            _ => self.read(Place::Memory(p)),
        }
    }

    /// Reads a place.
    pub fn read(&mut self, p: Place) -> Val {
        match p {
            Place::Local(l) => self.read_local(l, At::default()),
            Place::Memory(m) => self.read_memory(m),
            Place::Map { map, key, setup } => {
                let at = key.at.clone();
                crate::forms::maps::read_entry(self, map, *key, setup, at)
            }
        }
    }

    fn read_memory(&mut self, m: MemPlace) -> Val {
        let here = m.at.clone();
        match &m.ty {
            Ty::Struct(_) | Ty::Array(..) => {
                let v = self.address(m);
                return v;
            }
            _ => {}
        }
        if let Some(bits) = m.bits {
            return super::bits::read(self, m, bits, here);
        }
        let raw = match (&m.ty, m.big_endian) {
            (t, true) if t.size() > 1 => Ty::Int(IntTy { size: t.size() as u8, signed: false }),
            (t, _) => t.clone(),
        };
        let kind = match m.core {
            Some(core) => ExprKind::CoreLoad { core, ptr: Box::new(m.ptr), off: m.off },
            None => ExprKind::Load { ptr: Box::new(m.ptr), off: m.off },
        };
        let mut e = Expr::new(kind, raw, here.clone());
        if m.big_endian && m.ty.size() > 1 {
            let unsigned = e.ty.clone();
            e = Expr::new(ExprKind::Bswap(m.ty.size() as u8, Box::new(e)), unsigned, here.clone());
            if e.ty != m.ty {
                e = Expr::new(ExprKind::Cast(Box::new(e)), m.ty.clone(), here);
            }
        }
        let v = Val::of(e);
        self.seq(m.before, v)
    }

    /// The address of bytes, typed.
    pub fn address(&mut self, m: MemPlace) -> Val {
        let (space, nullable) = m.ptr.ty.as_ptr().map_or((Space::Unknown, false), |p| (p.space, p.nullable));
        let mut ty = Ty::ptr(space, Some(m.ty.clone()));
        if let Ty::Ptr(p) = &mut ty {
            p.nullable = nullable;
        }
        let base = self.packet_base(&m.ptr).map(|(l, n)| (l, n + i64::from(m.off)));
        let e = offset(m.ptr, i64::from(m.off), ty, &m.at);
        let mut v = Val::of(e);
        v.base = base;
        self.seq(m.before, v)
    }

    /// Where a pointer expression stands among packet pointers.
    pub fn packet_base(&self, e: &Expr) -> Option<(LocalId, i64)> {
        match &e.kind {
            ExprKind::Local(l) => {
                if e.ty.as_ptr().is_none_or(|p| p.space != Space::Packet) {
                    return None;
                }
                Some(self.f.vars[l.0 as usize].base.unwrap_or((*l, 0)))
            }
            ExprKind::Cast(e) => self.packet_base(e),
            ExprKind::Bin(BinOp::Add, p, n) => {
                let n = n.as_const()?;
                let (l, m) = self.packet_base(p)?;
                Some((l, m.checked_add(n)?))
            }
            _ => None,
        }
    }

    /// Writes a place; the value is what it then holds.
    pub fn write(&mut self, p: Place, v: Val, want: Want, here: At) -> Val {
        if v.never() {
            return v;
        }
        match p {
            Place::Local(l) => self.assign(l, v, here),
            Place::Memory(m) => self.write_memory(m, v, want, here),
            Place::Map { map, key, setup } => crate::forms::maps::write_entry(self, map, *key, setup, v, want, here),
        }
    }

    /// Assigns a variable.
    pub fn assign(&mut self, l: LocalId, v: Val, here: At) -> Val {
        let var = self.f.var(l).clone();
        if !var.assigned && var.ordinal != u32::MAX {
            // Its uses so far were checked as if it kept its first value.
            if self.f.lessons.assigned.insert(var.ordinal) {
                self.f.again = true;
            }
        }
        if let (Ty::Int(i), Ty::Ptr(p)) = (&var.ty, v.ty())
            && i.size == 8
            && var.ordinal != u32::MAX
            && p.space != Space::Map
        {
            let ty = Ty::Ptr(PtrTy { nullable: true, ..p.clone() });
            if self.f.lessons.types.insert(var.ordinal, ty.clone()) != Some(ty) {
                self.f.again = true;
            }
        }
        if let (Ty::Ptr(p), Ty::Ptr(q)) = (&var.ty, v.ty())
            && !var.written
            && p.space == q.space
            && p.pointee != q.pointee
            && p.pointee.is_some()
            && q.pointee.is_some()
            && matches!((p.pointee.as_deref(), q.pointee.as_deref()), (Some(Ty::Struct(_)), Some(Ty::Struct(_))))
        {
            // Reported by the conversion below.
        }
        if !var.ty.is_number() {
            let name = self.f.locals[l.0 as usize].name.clone();
            if self.number_for_pointer(&name, &var.ty, &v, &here) {
                return Val::error(here);
            }
        }
        if self.moves_the_pointer(l, &v) {
            return Val::error(here);
        }
        let known = !matches!(v.ty(), Ty::Ptr(p) if p.nullable) && !v.is_zero();
        let acquired = crate::forms::refs::acquires(&self.unit, &v.e);
        if self.f.flow.live.contains(&l) && var.root == l {
            crate::forms::refs::not_released(self, l, &here);
            self.f.flow.live.retain(|x| *x != l);
        }
        let e = self.fit(v, &var.ty, Fit::Place);
        self.forget(l);
        let mut facts = Vec::new();
        if matches!(var.ty, Ty::Ptr(_)) {
            if known {
                self.f.flow.learn(&[super::Fact::NonNull(l)]);
            }
            if acquired {
                self.f.flow.live.push(l);
                self.f.flow.released.retain(|r| *r != l);
            }
            facts.push(super::Fact::NonNull(l));
        }
        let mut ty = var.ty;
        let set = ExprKind::Set(l, Box::new(Expr { ty: ty.clone(), ..e }));
        if let (Ty::Ptr(p), true) = (&mut ty, known) {
            p.nullable = false;
        }
        Val::new(set, ty, here).telling(facts, vec![super::Fact::Null(l)])
    }

    /// Drops what is known of a variable and of what was derived from it.
    pub fn forget(&mut self, l: LocalId) {
        self.f.flow.forget(l);
        for (moved, sum) in &self.f.moved {
            if super::moved::mentions(sum, l) {
                self.f.flow.forget(*moved);
            }
        }
        for var in &mut self.f.vars {
            if let Some(f) = &mut var.facts {
                let about = |x: &super::Fact| !matches!(x, super::Fact::NonNull(p) | super::Fact::Null(p) | super::Fact::Covers(p, _) | super::Fact::AtMost(p, _) if *p == l);
                f.yes.retain(about);
                f.no.retain(about);
            }
        }
    }

    fn write_memory(&mut self, m: MemPlace, v: Val, want: Want, here: At) -> Val {
        if let Some(why) = &m.read_only {
            let in_context = m.ptr.ty.as_ptr().is_some_and(|p| p.space == Space::Ctx);
            let code = if in_context { &diag::CONTEXT_READ_ONLY } else { &diag::READ_ONLY };
            let d = diag::error(code, &here, why.clone());
            let parameter = match (&m.ptr.kind, m.ptr.ty.as_ptr().map(|p| p.space)) {
                (ExprKind::Global(id), Some(Space::Rodata)) => self.unit.globals.get(id.0 as usize),
                _ => None,
            };
            let own = m.ptr.ty.as_ptr().is_some_and(|p| matches!(p.space, Space::Trusted | Space::Kernel));
            let d = match self.what_may_be_written().filter(|_| own) {
                Some(what) => d.help(what),
                None => d,
            };
            return self.fail(match parameter {
                Some(g) => d.help(format!("what programs write is a global: (defglobal {} {} 0)", g.name, g.ty)),
                None => d,
            });
        }
        if matches!(m.ty, Ty::Struct(_) | Ty::Array(..)) {
            return self.copy_object(m, v, here);
        }
        if let (Some(bits), Some(n)) = (m.bits, v.as_lit()) {
            let most = i128::from(bits.mask());
            let signed = m.ty.as_int().is_some_and(|i| i.signed);
            let (lo, hi) = if signed { (-(most / 2) - 1, most / 2) } else { (-(most / 2) - 1, most) };
            if !(lo..=hi).contains(&n) {
                let text = format!("{n} does not fit a bit-field of {} bits", bits.width);
                self.report(diag::warning(&diag::CONSTANT_CUT, v.at(), text));
            }
        }
        let fitted = self.fit(v, &m.ty, Fit::Place);
        let fitted = Val::of(fitted);
        if let Some(bits) = m.bits {
            return super::bits::write(self, m, fitted, bits, here);
        }
        if m.big_endian && m.ty.size() > 1 {
            let mem = Ty::Int(IntTy { size: m.ty.size() as u8, signed: false });
            let (setup, value) = if want == Want::Value { self.once(fitted) } else { (None, fitted) };
            let swapped =
                Expr::new(ExprKind::Bswap(m.ty.size() as u8, Box::new(value.e.clone())), mem.clone(), here.clone());
            let store = Expr::new(
                ExprKind::Store { mem: mem.clone(), ptr: Box::new(m.ptr), off: m.off, value: Box::new(swapped) },
                mem,
                here.clone(),
            );
            let mut parts = m.before;
            parts.extend(setup);
            if want == Want::Effect {
                let v = Val::of(store);
                return self.seq(parts, v);
            }
            parts.push(store);
            return self.seq(parts, value);
        }
        let (mem, ptr, off, value) = (m.ty.clone(), Box::new(m.ptr), m.off, Box::new(fitted.e));
        let kind = match m.core {
            Some(core) => ExprKind::CoreStore { core, mem, ptr, off, value },
            None => ExprKind::Store { mem, ptr, off, value },
        };
        let store = Val::new(kind, m.ty, here);
        self.seq(m.before, store)
    }

    fn copy_object(&mut self, m: MemPlace, v: Val, here: At) -> Val {
        let len = m.ty.size();
        if v.is_zero() {
            let dst = self.address(m);
            let zero = konst(0, &here);
            return Val::new(ExprKind::Fill { dst: Box::new(dst.e), value: Box::new(zero), len }, Ty::Void, here);
        }
        if v.int().is_some() {
            let text = format!("this is a number, and a {} is set here", m.ty);
            let mut d = diag::error(&diag::ARGUMENT_TYPE, v.at(), text);
            if let Ty::Struct(s) = &m.ty {
                d = d.help(format!("give a pointer to one, such as (make-{} …), or 0 to clear it", s.name));
            }
            return self.fail(d);
        }
        if let Some(PtrTy { pointee: Some(t), .. }) = v.ty().as_ptr()
            && !self.copies(&m.ty, &t.clone(), &here)
        {
            return Val::error(here);
        }
        let src = self.readable(v, 0, Some(len), &here).and_then(|v| self.plain_memory(v, 0, len, &here));
        let Some(src) = src else { return Val::error(here) };
        let dst = self.address(m);
        Val::new(ExprKind::Copy { dst: Box::new(dst.e), src: Box::new(src.e), len }, Ty::Void, here)
    }

    /// Whether an object may be copied from what a pointer to `from` points to. Reports otherwise.
    fn copies(&mut self, to: &Ty, from: &Ty, here: &At) -> bool {
        let other = matches!((to, from), (Ty::Struct(a), Ty::Struct(b)) if a.name != b.name);
        let short = matches!(from, Ty::Struct(_) | Ty::Array(..)) && from.size() < to.size();
        if !other && !short {
            return true;
        }
        let text = format!("`{to}` ({} bytes) can't be set to a `{from}` ({} bytes)", to.size(), from.size());
        let code = if short { &diag::OBJECT_BOUNDS } else { &diag::ARGUMENT_TYPE };
        let mut d = diag::error(code, here, text);
        if other && !short {
            d = d.help(format!("if the bytes are meant: (memcpy … {}), or (as-{to} …)", to.size()));
        }
        self.report(d);
        false
    }

    /// The type that is written into a place.
    pub fn place_type(&self, p: &Place) -> Option<Ty> {
        match p {
            Place::Local(l) => Some(self.f.locals[l.0 as usize].ty.clone()),
            Place::Memory(m) => Some(m.ty.clone()),
            Place::Map { map, .. } => map.def(self).value.clone(),
        }
    }

    /// An expression that may be used several times, and what computes it first.
    pub fn once(&mut self, v: Val) -> (Option<Expr>, Val) {
        let simple = match &v.e.kind {
            ExprKind::Const(_) | ExprKind::AddrOf(_) | ExprKind::Global(_) | ExprKind::Ctx | ExprKind::Map(_) => true,
            ExprKind::Local(l) => !self.f.vars[l.0 as usize].assigned && !self.f.vars[l.0 as usize].addressed,
            _ => false,
        };
        if simple || v.never() || v.e.ty == Ty::Void {
            return (None, v);
        }
        let here = v.e.at.clone();
        let ty = v.e.ty.clone();
        let id = self.temp(ty.clone(), LocalKind::Value);
        self.f.var(id).base = v.base.or_else(|| self.packet_base(&v.e));
        let set = Expr::new(ExprKind::Set(id, Box::new(v.e)), ty.clone(), here.clone());
        let mut again = Val::new(ExprKind::Local(id), ty, here);
        (again.lo, again.hi, again.base) = (v.lo, v.hi, v.base);
        (Some(set), again)
    }

    /// Prepares a place for being read and then written: yields what computes its pointer.
    pub fn twice(&mut self, p: Place) -> (Vec<Expr>, Place) {
        match p {
            Place::Memory(mut m) => {
                let mut before = std::mem::take(&mut m.before);
                let (setup, ptr) = self.once(Val::of(m.ptr));
                before.extend(setup);
                m.ptr = ptr.e;
                (before, Place::Memory(m))
            }
            Place::Local(_) | Place::Map { .. } => (Vec::new(), p),
        }
    }
}
