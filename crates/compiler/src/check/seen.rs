//! What variables of a checked body hold, for warnings that look at it as a whole. Invariant: a variable has a known value
//! only where it is set once and nothing else can write it.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::hir::{Expr, ExprKind, LocalId, StructDef, Ty};

/// Variables go through variables this far.
const MOST_STEPS: u32 = 16;

/// The values that a body's variables have.
pub(crate) struct Seen<'e> {
    values: FxHashMap<LocalId, Option<&'e Expr>>,
    /// What is written to the start of variables in memory: keys and values of maps.
    stored: FxHashMap<LocalId, Option<&'e Expr>>,
}

impl<'e> Seen<'e> {
    /// Of a whole function.
    pub(crate) fn of(body: &'e Expr) -> Seen<'e> {
        let mut seen = Seen { values: FxHashMap::default(), stored: FxHashMap::default() };
        let mut addressed: FxHashSet<LocalId> = FxHashSet::default();
        fn once<'e>(known: &mut FxHashMap<LocalId, Option<&'e Expr>>, l: LocalId, value: &'e Expr) {
            known.entry(l).and_modify(|v| *v = None).or_insert(Some(value));
        }
        each(body, &mut |e| match &e.kind {
            ExprKind::Set(l, value) => once(&mut seen.values, *l, value),
            ExprKind::Store { ptr, off: 0, value, .. } => {
                if let ExprKind::AddrOf(l) = ptr.kind {
                    once(&mut seen.stored, l, value);
                }
            }
            ExprKind::AddrOf(l) => drop(addressed.insert(*l)),
            _ => {}
        });
        for l in addressed {
            seen.values.remove(&l);
        }
        seen.drop_cycles();
        seen
    }

    /// Forgets the variables that are computed from themselves (parameters that are set, what a loop steps), and what
    /// comes of these, so that whoever follows values comes to an end.
    fn drop_cycles(&mut self) {
        let mut waits: FxHashMap<LocalId, usize> = FxHashMap::default();
        let mut users: FxHashMap<LocalId, Vec<LocalId>> = FxHashMap::default();
        for (l, value) in &self.values {
            let Some(value) = value else { continue };
            waits.entry(*l).or_insert(0);
            each(value, &mut |e| match &e.kind {
                ExprKind::Local(of) if matches!(self.values.get(of), Some(Some(_))) => {
                    *waits.entry(*l).or_insert(0) += 1;
                    users.entry(*of).or_default().push(*l);
                }
                _ => {}
            });
        }
        let mut ready: Vec<LocalId> = waits.iter().filter(|(_, n)| **n == 0).map(|(l, _)| *l).collect();
        while let Some(l) = ready.pop() {
            waits.remove(&l);
            for user in users.remove(&l).into_iter().flatten() {
                if let Some(n) = waits.get_mut(&user) {
                    *n -= 1;
                    if *n == 0 {
                        ready.push(user);
                    }
                }
            }
        }
        for l in waits.keys() {
            self.values.remove(l);
        }
    }

    /// What a value is, behind variables.
    pub(crate) fn value(&self, mut e: &'e Expr) -> &'e Expr {
        for _ in 0..MOST_STEPS {
            e = match &e.kind {
                ExprKind::Local(l) => match self.values.get(l) {
                    Some(Some(value)) => value,
                    _ => return e,
                },
                ExprKind::Set(_, value) => value,
                ExprKind::Seq(parts) => match parts.last() {
                    Some(last) => last,
                    None => return e,
                },
                _ => return e,
            };
        }
        e
    }

    /// The number that a key or value of a map is, which is given by its address.
    pub(crate) fn behind(&self, pointer: &'e Expr) -> Option<&'e Expr> {
        match &pointer.kind {
            ExprKind::AddrOf(l) => self.stored.get(l).copied().flatten(),
            _ => None,
        }
    }
}

/// Calls `f` with an expression and all of its parts.
pub(crate) fn each<'e>(e: &'e Expr, f: &mut dyn FnMut(&'e Expr)) {
    f(e);
    e.each_child(&mut |c| each(c, f));
}

/// Whether a cast was not written, but made for the place that takes the value.
pub(crate) fn implied(e: &Expr) -> bool {
    matches!(&e.kind, ExprKind::Cast(inner) if inner.at.span == e.at.span)
}

/// The struct and field that a write at this place goes to.
pub(crate) fn field_written(ptr: &Expr, off: i32) -> Option<(&StructDef, &crate::hir::Field)> {
    let Ty::Struct(def) = ptr.ty.as_ptr()?.pointee.as_deref()? else { return None };
    let off = u32::try_from(off).ok()?;
    let field = def.fields.iter().find(|f| f.offset == off && !def.union)?;
    Some((def, field))
}

/// Whether one of the words that a name is made of is among these.
pub(crate) fn has_word(name: &str, words: &[&str]) -> bool {
    name.split(['-', '_']).any(|part| words.iter().any(|w| part.eq_ignore_ascii_case(w)))
}
