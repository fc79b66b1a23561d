//! The stack machine. Invariant: everything live is on the value stack, in a
//! frame or in a table when a safepoint is reached.

mod args;
mod unwind;

use std::rc::Rc;

use smallvec::SmallVec;

use crate::code::Op;
use crate::error::{LispError, LispResult, WRONG_TYPE};
use crate::heap::{Closure, Object, Root};
use crate::interp::{CALL_DEPTH_LIMIT, Catch, CatchKind, Environment, Frame, Interp, STACK_LIMIT, VarKind, exhausted};
use crate::natives::NativeFn;
use crate::{Symbol, Value, arith};

impl Interp {
    /// Calls a function (or the function a symbol names) with arguments.
    ///
    /// At the outermost level the result lives until the next outermost call, unless [`Interp::root`] keeps it.
    pub fn call(&mut self, f: Value, args: &[Value]) -> LispResult {
        if self.is_outermost() {
            let height = self.stack.len();
            self.stack.push(f);
            self.stack.extend_from_slice(args);
            self.heap.release_fresh(0);
            let result = self.enter(|i| i.call_inner(f, args.len()));
            self.stack.truncate(height);
            if let Ok(v) = result {
                self.heap.keep_fresh(v);
            }
            return result;
        }
        self.check_stack()?;
        let height = self.stack.len();
        self.stack.push(f);
        self.stack.extend_from_slice(args);
        let result = self.call_inner(f, args.len());
        self.stack.truncate(height);
        let v = result?;
        self.heap.keep_fresh(v);
        Ok(v)
    }

    /// Calls `f` with the topmost `n` values, which it takes away.
    fn call_inner(&mut self, f: Value, n: usize) -> LispResult {
        let depth = self.frames.len();
        let entry = self.entry_state();
        let started = self.start_call(f, n);
        let result = match started {
            Ok(false) => Ok(self.stack.pop().unwrap_or(Value::NIL)),
            Ok(true) => self.run(depth, entry.catches),
            Err(e) => self.signal_if_new(e).and(Ok(Value::NIL)),
        };
        if result.is_err() {
            self.restore(&entry);
        }
        result
    }

    /// Begins a call: natives are done at once and leave their result on the stack (false); Lisp functions get a frame (true).
    #[inline]
    fn start_call(&mut self, f: Value, n: usize) -> Result<bool, LispError> {
        match f {
            Value::Object(_) => {
                let Some(Object::Closure(Closure { code, .. })) = self.heap.object(f) else {
                    return Err(self.not_a_function(f));
                };
                let code = code.clone();
                self.push_frame(code, f, n)?;
                Ok(true)
            }
            Value::Native(i) => {
                self.call_native(i, n)?;
                Ok(false)
            }
            Value::Symbol(s) if !f.is_nil() => match self.find_function(s) {
                Some(f) => self.start_call(f, n),
                None => Err(self.undefined_function(s)),
            },
            _ => Err(self.not_a_function(f)),
        }
    }

    fn not_a_function(&mut self, f: Value) -> LispError {
        let shown = self.show(f);
        LispError::new("type-error", WRONG_TYPE, format!("{shown} is not a function"))
    }

    fn push_frame(&mut self, code: Rc<crate::code::Code>, closure: Value, n: usize) -> Result<(), LispError> {
        if self.frames.len() >= CALL_DEPTH_LIMIT || self.stack.len() >= STACK_LIMIT {
            return Err(exhausted());
        }
        let base = self.stack.len() - n;
        if code.params.is_simple() {
            if n != code.params.required as usize {
                return Err(args::count_error(&code, n));
            }
        } else {
            self.spread_arguments(&code, base, n)?;
        }
        self.stack.resize(base + code.slots as usize, Value::NIL);
        self.frames.push(Frame {
            code,
            pc: 0,
            base,
            closure,
            specials: self.specials.len(),
            catches: self.catches.len(),
        });
        self.safepoint()
    }

    /// Calls a native with the topmost `n` values and puts its result in their place.
    #[inline]
    fn call_native(&mut self, index: u32, n: usize) -> Result<(), LispError> {
        let base = self.stack.len() - n;
        let mark = self.heap.fresh_mark();
        self.mv_set = false;
        let Some(def) = self.natives.get(index as usize) else { return Err(self.not_a_function(Value::Native(index))) };
        let result = match (&def.f, n) {
            (NativeFn::F1(f), 1) => {
                let a = self.stack[base];
                f(self, a)
            }
            (NativeFn::F2(f), 2) => {
                let (a, b) = (self.stack[base], self.stack[base + 1]);
                f(self, a, b)
            }
            (NativeFn::Accessor(layout, slot), 1) => {
                let a = self.stack[base];
                match self.heap.record(a) {
                    Some(r) if Rc::ptr_eq(&r.layout, layout) => Ok(r.fields.get(*slot).copied().unwrap_or(Value::NIL)),
                    _ => {
                        let (layout, slot) = (layout.clone(), *slot);
                        self.slow_access(a, &layout, slot)
                    }
                }
            }
            (NativeFn::F0(f), 0) => f(self),
            (NativeFn::F3(f), 3) => {
                let (a, b, c) = (self.stack[base], self.stack[base + 1], self.stack[base + 2]);
                f(self, a, b, c)
            }
            (NativeFn::Many(min, max, f), _) if n >= usize::from(*min) && n <= usize::from(*max) => {
                let f = *f;
                let args: SmallVec<[Value; 8]> = SmallVec::from_slice(&self.stack[base..]);
                f(self, &args)
            }
            (NativeFn::Dyn(min, max, f), _) if n >= usize::from(*min) && n <= usize::from(*max) => {
                let f = f.clone();
                let args: SmallVec<[Value; 8]> = SmallVec::from_slice(&self.stack[base..]);
                f(self, &args)
            }
            _ => Err(args::native_count_error(def, n)),
        };
        self.heap.release_fresh(mark);
        let v = result?;
        self.stack.truncate(base);
        self.stack.push(v);
        Ok(())
    }

    fn slow_access(&mut self, v: Value, layout: &Rc<crate::heap::RecordLayout>, slot: usize) -> LispResult {
        match self.heap.record(v) {
            Some(r) if r.layout.is_a(layout) => Ok(r.fields.get(slot).copied().unwrap_or(Value::NIL)),
            _ => {
                let shown = self.show(v);
                Err(LispError::wrong_type(&shown, &format!("a `{}`", layout.name)))
            }
        }
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or(Value::NIL)
    }

    fn top(&self) -> Value {
        self.stack.last().copied().unwrap_or(Value::NIL)
    }

    fn set_top(&mut self, v: Value) {
        if let Some(top) = self.stack.last_mut() {
            *top = v;
        }
    }

    /// Runs until no more than `depth` frames are left.
    fn run(&mut self, depth: usize, catches: usize) -> LispResult {
        let mark = self.heap.fresh_mark();
        loop {
            match self.steps(depth, mark) {
                Ok(v) => return Ok(v),
                Err(e) => {
                    let e = match self.signal_if_new(e) {
                        Ok(()) => continue,
                        Err(e) => e,
                    };
                    self.land(e, depth, catches)?;
                    self.heap.release_fresh(mark);
                }
            }
        }
    }

    #[allow(clippy::too_many_lines)]
    fn steps(&mut self, depth: usize, mark: usize) -> LispResult {
        'frame: loop {
            let Some(frame) = self.frames.last() else { return Ok(self.pop()) };
            let code = frame.code.clone();
            let base = frame.base;
            let mut pc = frame.pc;
            let closure = frame.closure;
            macro_rules! save {
                () => {
                    if let Some(f) = self.frames.last_mut() {
                        f.pc = pc;
                    }
                };
            }
            macro_rules! tri {
                ($e:expr) => {
                    match $e {
                        Ok(v) => v,
                        Err(e) => {
                            save!();
                            return Err(e);
                        }
                    }
                };
            }
            macro_rules! compare {
                ($op:tt, $want:pat) => {{
                    let b = self.pop();
                    let a = self.top();
                    let r = match (a, b) {
                        (Value::Int(a), Value::Int(b)) => a $op b,
                        _ => matches!(tri!(arith::order(self, a, b)), Some($want)),
                    };
                    self.set_top(r.into());
                }};
            }
            loop {
                let op = code.ops[pc];
                pc += 1;
                match op {
                    Op::Const(i) => self.stack.push(code.consts[i as usize].get()),
                    Op::Int(i) => self.stack.push(Value::Int(i64::from(i))),
                    Op::Nil => self.stack.push(Value::NIL),
                    Op::True => self.stack.push(Value::T),
                    Op::Local(s) => {
                        let v = self.stack[base + s as usize];
                        self.stack.push(v);
                    }
                    Op::SetLocal(s) => {
                        let v = self.top();
                        self.stack[base + s as usize] = v;
                    }
                    Op::PopLocal(s) => {
                        let v = self.pop();
                        self.stack[base + s as usize] = v;
                    }
                    Op::MakeBox(s) => {
                        let v = self.stack[base + s as usize];
                        self.stack[base + s as usize] = self.heap.alloc(Object::Variable(v));
                    }
                    Op::LocalBox(s) => {
                        let v = self.variable(self.stack[base + s as usize]);
                        self.stack.push(v);
                    }
                    Op::SetLocalBox(s) => {
                        let v = self.top();
                        let place = self.stack[base + s as usize];
                        self.set_variable(place, v);
                    }
                    Op::Captured(i) => {
                        let v = self.captured(closure, i);
                        self.stack.push(v);
                    }
                    Op::CapturedBox(i) => {
                        let v = self.variable(self.captured(closure, i));
                        self.stack.push(v);
                    }
                    Op::SetCapturedBox(i) => {
                        let v = self.top();
                        let place = self.captured(closure, i);
                        self.set_variable(place, v);
                    }
                    Op::Global(i) => {
                        let s = code.symbols[i as usize];
                        let v = self.global(s).value;
                        if v == Value::Unbound {
                            let v = tri!(self.late_variable(s));
                            self.stack.push(v);
                        } else {
                            self.stack.push(v);
                        }
                    }
                    Op::SetGlobal(i) => {
                        let s = code.symbols[i as usize];
                        let v = self.top();
                        tri!(self.assign_global(s, v));
                    }
                    Op::Function(i) => {
                        let s = code.symbols[i as usize];
                        match self.find_function(s) {
                            Some(f) => self.stack.push(f),
                            None => {
                                save!();
                                return Err(self.undefined_function(s));
                            }
                        }
                    }
                    Op::Pop => {
                        self.stack.pop();
                    }
                    Op::Slide(height) => {
                        let v = self.top();
                        self.stack.truncate(base + height as usize);
                        self.stack.push(v);
                    }
                    Op::Jump(t) => pc = t as usize,
                    Op::LoopJump(t) => {
                        self.heap.release_fresh(mark);
                        tri!(self.safepoint());
                        pc = t as usize;
                    }
                    Op::JumpIfNil(t) => {
                        if self.pop().is_nil() {
                            pc = t as usize;
                        }
                    }
                    Op::JumpIfNilKeep(t) => {
                        if self.top().is_nil() {
                            pc = t as usize;
                        } else {
                            self.stack.pop();
                        }
                    }
                    Op::JumpIfTrueKeep(t) => {
                        if self.top().is_true() {
                            pc = t as usize;
                        } else {
                            self.stack.pop();
                        }
                    }
                    Op::JumpIfBound(s, t) => {
                        if self.stack[base + usize::from(s)] != Value::Unbound {
                            pc = t as usize;
                        }
                    }
                    Op::IsBound(s) => {
                        let b = self.stack[base + s as usize] != Value::Unbound;
                        self.stack.push(b.into());
                    }
                    Op::Dispatch(tag, t) => {
                        if self.top() == Value::Int(i64::from(tag)) {
                            self.stack.pop();
                            pc = t as usize;
                        }
                    }
                    Op::Call(n, i) => {
                        save!();
                        let s = code.symbols[i as usize];
                        let f = self.function_cell(s);
                        let f = if f == Value::Unbound { Value::Symbol(s) } else { f };
                        if self.start_call(f, usize::from(n))? {
                            self.heap.release_fresh(mark);
                            continue 'frame;
                        }
                    }
                    Op::CallValue(n) => {
                        save!();
                        let at = self.stack.len() - n as usize - 1;
                        let f = self.stack.remove(at);
                        self.heap.keep_fresh(f);
                        if self.start_call(f, n as usize)? {
                            self.heap.release_fresh(mark);
                            continue 'frame;
                        }
                        self.heap.release_fresh(mark);
                    }
                    Op::Closure(n, i) => {
                        let at = self.stack.len() - usize::from(n);
                        let captured: Box<[Value]> = self.stack[at..].into();
                        let child = code.children[i as usize].clone();
                        let f = self.heap.alloc(Object::Closure(Closure { code: child, captured }));
                        self.stack.truncate(at);
                        self.stack.push(f);
                    }
                    Op::Return => {
                        let v = self.pop();
                        self.stack.truncate(base);
                        if let Some(f) = self.frames.pop() {
                            if self.specials.len() > f.specials {
                                self.unbind_to(f.specials);
                            }
                            self.catches.truncate(f.catches);
                        }
                        if self.frames.len() <= depth {
                            self.heap.release_fresh(mark);
                            return Ok(v);
                        }
                        self.stack.push(v);
                        continue 'frame;
                    }
                    Op::OneValue => self.mv_set = false,
                    Op::BindSpecial(i) => {
                        let v = self.pop();
                        self.bind_special(code.symbols[i as usize], v);
                    }
                    Op::UnbindSpecials(n) => {
                        let to = self.specials.len().saturating_sub(n as usize);
                        self.unbind_to(to);
                    }
                    Op::PushCatch(s, t) | Op::PushTagCatch(s, t) => {
                        let kind = if matches!(op, Op::PushCatch(..)) { CatchKind::Block } else { CatchKind::Tags };
                        let id = self.open_catch(kind, t);
                        self.stack[base + usize::from(s)] = Value::Int(id as i64);
                    }
                    Op::PushThrowCatch(t) => {
                        let tag = self.pop();
                        self.open_catch(CatchKind::Throw(tag), t);
                    }
                    Op::PopCatch(n) => {
                        let to = self.catches.len().saturating_sub(n as usize);
                        self.catches.truncate(to);
                    }
                    Op::Unwind => {
                        save!();
                        let v = self.pop();
                        let id = self.pop().as_i64().unwrap_or(0);
                        let value = self.heap.root(v);
                        return Err(LispError::unwind(id as u64, value));
                    }
                    Op::ValuesList => {
                        let v = self.pop();
                        let list = if self.mv_set {
                            let values = std::mem::take(&mut self.mv);
                            self.mv_set = false;
                            let list = self.heap.list(&values);
                            self.mv = values;
                            list
                        } else {
                            self.heap.list(&[v])
                        };
                        self.stack.push(list);
                    }
                    Op::ValuesTo(first, n) => {
                        let v = self.pop();
                        for i in 0..n as usize {
                            let x = match (self.mv_set, i) {
                                (true, i) => self.mv.get(i).copied().unwrap_or(Value::NIL),
                                (false, 0) => v,
                                (false, _) => Value::NIL,
                            };
                            self.stack[base + usize::from(first) + i] = x;
                        }
                        self.mv_set = false;
                    }
                    Op::Special(i) => {
                        save!();
                        let site = code.sites[i as usize].clone();
                        let at = self.stack.len() - site.count as usize;
                        let values: Vec<Root> = self.stack[at..].iter().map(|v| self.heap.root(*v)).collect();
                        self.stack.truncate(at);
                        self.environments.push(Environment { visible: site.visible.clone(), values });
                        self.mv_set = false;
                        let f = self.special_forms.get(site.index as usize).map(|(_, f)| f.clone());
                        let fresh = self.heap.fresh_mark();
                        let result = match f {
                            Some(f) => f(self, &site.form).map_err(|e| e.at_form(&site.form)),
                            None => Ok(Value::NIL),
                        };
                        self.heap.release_fresh(fresh);
                        self.environments.pop();
                        self.stack.push(result?);
                    }
                    Op::Add => {
                        let b = self.pop();
                        let a = self.top();
                        let v = match (a, b) {
                            (Value::Int(x), Value::Int(y)) => match x.checked_add(y) {
                                Some(z) => Value::Int(z),
                                None => tri!(arith::add(self, a, b)),
                            },
                            _ => tri!(arith::add(self, a, b)),
                        };
                        self.set_top(v);
                    }
                    Op::Sub => {
                        let b = self.pop();
                        let a = self.top();
                        let v = match (a, b) {
                            (Value::Int(x), Value::Int(y)) => match x.checked_sub(y) {
                                Some(z) => Value::Int(z),
                                None => tri!(arith::sub(self, a, b)),
                            },
                            _ => tri!(arith::sub(self, a, b)),
                        };
                        self.set_top(v);
                    }
                    Op::AddInt(n) => {
                        let a = self.top();
                        let n = i64::from(n);
                        let v = match a {
                            Value::Int(x) if x.checked_add(n).is_some() => Value::Int(x + n),
                            _ => tri!(arith::add(self, a, Value::Int(n))),
                        };
                        self.set_top(v);
                    }
                    Op::Lt => compare!(<, std::cmp::Ordering::Less),
                    Op::Gt => compare!(>, std::cmp::Ordering::Greater),
                    Op::Le => compare!(<=, std::cmp::Ordering::Less | std::cmp::Ordering::Equal),
                    Op::Ge => compare!(>=, std::cmp::Ordering::Greater | std::cmp::Ordering::Equal),
                    Op::NumEq => {
                        let b = self.pop();
                        let a = self.top();
                        let r = match (a, b) {
                            (Value::Int(a), Value::Int(b)) => a == b,
                            _ => tri!(arith::order(self, a, b)) == Some(std::cmp::Ordering::Equal),
                        };
                        self.set_top(r.into());
                    }
                    Op::Eq => {
                        let b = self.pop();
                        let a = self.top();
                        let r = crate::equality::eql(&self.heap, a, b);
                        self.set_top(r.into());
                    }
                    Op::Not => {
                        let v = self.top().is_nil();
                        self.set_top(v.into());
                    }
                    Op::Car | Op::Cdr => {
                        let v = self.top();
                        let part = if op == Op::Car { self.heap.car(v) } else { self.heap.cdr(v) };
                        match part {
                            Some(p) => self.set_top(p),
                            None => {
                                save!();
                                let shown = self.show(v);
                                return Err(LispError::wrong_type(&shown, "a list"));
                            }
                        }
                    }
                }
            }
        }
    }

    fn captured(&self, closure: Value, i: u32) -> Value {
        match self.heap.object(closure) {
            Some(Object::Closure(c)) => c.captured.get(i as usize).copied().unwrap_or(Value::NIL),
            _ => Value::NIL,
        }
    }

    pub(crate) fn variable(&self, place: Value) -> Value {
        match self.heap.object(place) {
            Some(Object::Variable(v)) => *v,
            _ => place,
        }
    }

    pub(crate) fn set_variable(&mut self, place: Value, v: Value) {
        if let Some(Object::Variable(x)) = self.heap.object_mut(place) {
            *x = v;
        }
    }

    fn open_catch(&mut self, kind: CatchKind, target: u32) -> u64 {
        let id = self.new_catch_id();
        let catch = Catch {
            id,
            kind,
            frames: self.frames.len(),
            height: self.stack.len(),
            target,
            specials: self.specials.len(),
        };
        self.catches.push(catch);
        id
    }

    pub(crate) fn bind_special(&mut self, s: Symbol, v: Value) {
        let old = std::mem::replace(self.global_value_mut(s), v);
        self.specials.push((s, old));
    }

    pub(crate) fn unbind_to(&mut self, height: usize) {
        while self.specials.len() > height {
            if let Some((s, old)) = self.specials.pop() {
                *self.global_value_mut(s) = old;
            }
        }
    }

    /// A variable that had no value under its own spelling.
    fn late_variable(&mut self, s: Symbol) -> LispResult {
        let plain = s.unqualified();
        if let Some(found) = self.resolve_variable(plain) {
            let v = self.global(found).value;
            if v != Value::Unbound {
                return Ok(v);
            }
        }
        self.load_library_item(plain);
        match self.global(plain).value {
            Value::Unbound => match self.outer_constants.as_ref().and_then(|c| c(plain.name())) {
                Some(n) => Ok(Value::Int(n)),
                None => Err(self.unbound_variable(s)),
            },
            v => Ok(v),
        }
    }

    pub(crate) fn assign_global(&mut self, s: Symbol, v: Value) -> Result<(), LispError> {
        let s = self.resolve_variable(s).unwrap_or(s);
        if self.global(s).kind == VarKind::Constant {
            return Err(LispError::simple(format!("`{s}` is a constant and can't be changed")));
        }
        if self.heap.as_foreign(self.global(s).value).is_some()
            && let Some(assign) = self.assign.clone()
            && assign(self, s, v)?
        {
            return Ok(());
        }
        *self.global_value_mut(s) = v;
        Ok(())
    }
}
