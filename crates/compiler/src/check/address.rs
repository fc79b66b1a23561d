//! Addresses where their content is meant: a looked-up pointer given, stored, counted or compared as if it were the
//! number it points to. Invariant: what points to the kernel's objects is an identity, which tools store and compare;
//! it is never reported, nor is what `(cast u64 p)` says to be meant.

use super::{Checker, Val, describe};
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, Expr, ExprKind, PtrTy, Space, Ty};

/// The pointer type of a value that can't be meant as a number.
pub(crate) fn mistaken(ty: &Ty) -> Option<&PtrTy> {
    let p = ty.as_ptr()?;
    match p.space {
        Space::Trusted | Space::Kernel | Space::User | Space::Unknown => None,
        _ if p.number => None,
        Space::Ctx
        | Space::Stack
        | Space::MapValue
        | Space::MapConst
        | Space::Packet
        | Space::PacketEnd
        | Space::Ring
        | Space::Mem
        | Space::Global
        | Space::Rodata
        | Space::Map => Some(p),
    }
}

/// Whether what a pointer points to is one number: a variable of that type is easily taken for the number itself.
pub(crate) fn to_number(p: &PtrTy) -> bool {
    p.pointee.as_ref().is_some_and(|t| t.is_number())
}

/// Whether a pointer is to text or other plain bytes.
fn to_bytes(v: &Val) -> bool {
    let bytes = |t: &Ty| matches!(t, Ty::Array(elem, _) if elem.size() == 1);
    matches!(v.e.kind, ExprKind::Bytes(_)) || v.ty().as_ptr().and_then(|p| p.pointee.as_ref()).is_some_and(|t| bytes(t))
}

impl Checker<'_> {
    /// Reports a pointer that stands where a number is `needed` ("is stored", "is compared" …); yields whether it did.
    pub(crate) fn not_its_content(&mut self, v: &Val, needed: &str) -> bool {
        let Some(p) = mistaken(v.ty()) else { return false };
        let p = p.clone();
        let (name, shown) = self.named(&v.e);
        let subject = shown.map_or_else(|| "this".to_string(), |n| format!("`{n}`"));
        let text = format!("{subject} is {}, and {needed}", describe(v.ty()));
        let mut d = diag::error(&diag::ADDRESS_AS_NUMBER, v.at(), text);
        if let Some(at) = name.and_then(|l| self.bound_at(&l, v.at())) {
            d = d.also(at, "the pointer comes from here");
        }
        self.report(d.help(self.content_of(&v.e, &p)));
        true
    }

    /// Reports the address of a kernel struct that is a number by itself (`kuid_t`) where that number is `needed`;
    /// yields whether it did.
    pub(crate) fn not_its_number(&mut self, v: &Val, needed: &str) -> bool {
        let Some(help) = self.number_inside(v.ty()) else { return false };
        let text = format!("this is {}, and {needed}", describe(v.ty()));
        self.report(diag::error(&diag::ARGUMENT_TYPE, v.at(), text).help(help));
        true
    }

    /// Whether this is the address of a part of a kernel object: the kernel has pointers only to structs with names.
    pub(crate) fn lies_in_an_object(&self, ty: &Ty) -> bool {
        match ty.as_ptr().and_then(|p| p.pointee.as_deref()) {
            Some(Ty::Kernel(name)) => self.types.btf().is_some_and(|btf| crate::kernel::find(btf, name).is_none()),
            _ => false,
        }
    }

    /// How the number is read that is all a kernel struct holds.
    pub(crate) fn number_inside(&self, ty: &Ty) -> Option<String> {
        let Some(Ty::Kernel(name)) = ty.as_ptr()?.pointee.as_deref() else { return None };
        if name.is_empty() {
            return None;
        }
        let way = crate::kernel::only_number(self.types.btf()?, name)?;
        Some(format!("a {name} holds one number: let the chain go on to it, (-> … {way})"))
    }

    /// How the content of a pointer is read, and its address given on purpose.
    pub(crate) fn content_of(&self, e: &Expr, p: &PtrTy) -> String {
        if let Some(help) = super::convert::address_literal(e) {
            return help;
        }
        let name = self.named(e).1.unwrap_or_else(|| "pointer".into());
        let test = if p.nullable { ", once a test has shown it not null" } else { "" };
        let meant = format!("if the address itself is meant: (cast u64 {name})");
        match p.pointee.as_deref() {
            _ if p.space == Space::Map => "the map's entries are read by `map-lookup` or `getmap`".into(),
            _ if p.space == Space::Ctx => format!("its fields are read by (ctx …); {meant}"),
            _ if p.space == Space::PacketEnd => meant,
            Some(t) if t.is_number() => {
                format!("its value is (deref {name}), or (load {t} {name} 0){test}; {meant}")
            }
            Some(Ty::Struct(s)) => match s.fields.first() {
                Some(f) => format!("its fields are read as ({}-{} {name}){test}; {meant}", s.name, f.name),
                None => meant,
            },
            Some(Ty::Array(..)) => format!("its elements are read as (aref {name} i){test}; {meant}"),
            _ => format!("what it points to is read by (load TYPE {name} 0){test}; {meant}"),
        }
    }

    /// The variable that a pointer is, or is counted from.
    fn named(&self, e: &Expr) -> (Option<crate::hir::LocalId>, Option<String>) {
        match &e.kind {
            ExprKind::Local(l) => {
                let n = &self.f.locals[l.0 as usize].name;
                (Some(*l), (!n.is_empty()).then(|| n.to_string()))
            }
            ExprKind::Cast(inner) => self.named(inner),
            _ => (None, None),
        }
    }

    fn bound_at(&self, l: &crate::hir::LocalId, here: &At) -> Option<whistler_diag::Span> {
        let span = self.f.locals[l.0 as usize].span;
        (span != here.span && span != whistler_diag::Span::NONE).then_some(span)
    }

    /// Reports a variable that points to a number and is counted up or down itself; yields whether it did.
    pub(crate) fn counts_the_pointer(&mut self, old: &Val, op: &str) -> bool {
        let Some(p) = mistaken(old.ty()).filter(|p| to_number(p)).cloned() else { return false };
        // These have bytes behind them that a program may walk along.
        if matches!(p.space, Space::Packet | Space::Rodata | Space::Mem | Space::Stack) {
            return false;
        }
        let name = self.named(&old.e).1.unwrap_or_else(|| "pointer".into());
        let text = format!("`{name}` is {}: this moves the pointer and leaves the number", describe(old.ty()));
        let d = diag::error(&diag::ADDRESS_AS_NUMBER, old.at(), text);
        self.report(d.help(format!("what it points to is counted by ({op} (deref {name}) …)")));
        true
    }

    /// Reports a variable that points to a number and is set to itself, moved; yields whether it did.
    pub(crate) fn moves_the_pointer(&mut self, l: crate::hir::LocalId, v: &Val) -> bool {
        let (ExprKind::Bin(op @ (BinOp::Add | BinOp::Sub), p, _), true) = (&v.e.kind, v.at().origin.is_none()) else {
            return false;
        };
        let mut of = &**p;
        while let ExprKind::Cast(inner) = &of.kind {
            of = inner;
        }
        if !matches!(of.kind, ExprKind::Local(from) if from == l) {
            return false;
        }
        let op = if *op == BinOp::Add { "incf" } else { "decf" };
        let old = Val::new(ExprKind::Local(l), self.f.vars[l.0 as usize].ty.clone(), v.at().clone());
        self.counts_the_pointer(&old, op)
    }

    /// Reports a number assigned to a variable that holds a pointer; yields whether it did.
    pub(crate) fn number_for_pointer(&mut self, name: &str, var: &Ty, v: &Val, here: &At) -> bool {
        let Some(p) = mistaken(var).cloned() else { return false };
        if v.is_zero() || !v.ty().is_number() {
            return false;
        }
        let text = format!("`{name}` is {}, and a number is assigned to it", describe(var));
        let d = diag::error(&diag::ADDRESS_AS_NUMBER, here, text);
        self.report(match p.pointee.as_deref() {
            Some(t) if t.is_number() => {
                let test = if p.nullable { ", once a test has shown it not null" } else { "" };
                d.help(format!("what it points to is set by (setf (deref {name}) …){test}"))
            }
            _ => d.help("what it points to is set by (store TYPE pointer offset value), or through a field"),
        });
        true
    }

    /// Reports a comparison of two texts by where they lie; yields whether it did.
    pub(crate) fn compares_text(&mut self, a: &Val, b: &Val, here: &At) -> bool {
        let literal = |v: &Val| matches!(v.e.kind, ExprKind::Bytes(_));
        let far = |v: &Val| v.ty().as_ptr().is_some_and(|p| p.space.is_number());
        if (literal(a) && far(b)) || (literal(b) && far(a)) {
            let text = "this compares where the bytes lie, not the bytes";
            let d = diag::error(&diag::ADDRESS_AS_NUMBER, here, text);
            self.report(d.help(
                "copy the text into an (array char n) first, by a probe read, and compare that: (= (memcmp a b n) 0)",
            ));
            return true;
        }
        let (Some(_), Some(_)) = (mistaken(a.ty()), mistaken(b.ty())) else { return false };
        // No other pointer is ever the same as a literal's.
        if !(literal(a) || literal(b) || (to_bytes(a) && to_bytes(b))) {
            return false;
        }
        let bytes = |v: &Val| match &v.e.kind {
            ExprKind::Bytes(b) => Some(b.len() as u32),
            _ => None,
        };
        let shown = |v: &Val, otherwise: &str| match &v.e.kind {
            ExprKind::Bytes(b) => match std::str::from_utf8(b).map(|t| t.trim_end_matches('\0')) {
                Ok(t) if !t.contains(['"', '\\']) => format!("\"{t}\""),
                _ => otherwise.to_string(),
            },
            _ => self.named(&v.e).1.unwrap_or_else(|| otherwise.to_string()),
        };
        let (first, second) = (shown(a, "a"), shown(b, "b"));
        let size = |v: &Val| v.ty().as_ptr().and_then(|p| p.pointee.as_ref()).map(|t| t.size());
        let n = bytes(a).or(bytes(b)).or_else(|| Some(size(a)?.min(size(b)?))).unwrap_or(8);
        let text = "this compares where the bytes lie, not the bytes";
        let d = diag::error(&diag::ADDRESS_AS_NUMBER, here, text);
        self.report(d.also(a.at().span, "an address").also(b.at().span, "another").help(format!(
            "the bytes are equal when (= (memcmp {first} {second} {n}) 0), the final 0 of a text counted"
        )));
        true
    }
}
