//! Numbers in places that take them for others: the network's order kept as a plain number, negative ones without a sign.
//! Invariant: only writes and keys that the user wrote are judged, and a name or a cast that says what is meant silences.

use super::Checker;
use super::origins::{Holds, Origin};
use super::seen::{Seen, each, field_written, has_word};
use crate::diagnostics as diag;
use crate::hir::{At, CmpOp, Expr, ExprKind, MapOp, Space, StructDef, Ty};
use whistler_isa::helpers;

/// Words in names of places that hold numbers in the network's order.
const NETWORK_WORDS: &[&str] = &["be", "net", "network", "nbo", "raw", "wire"];
/// Parts of the names of helpers that read structs whose numbers are in the network's order.
const READERS: &[&str] = &["lookup", "tunnel", "bind", "csum", "store_bytes", "sendmsg"];

/// A place that a number in the network's order gets to.
enum Place {
    /// What is written is taken for host order, and swapped.
    BigEndian(String),
    Field(String),
    Key(String),
}

impl Checker<'_> {
    /// Warns of numbers in the network's order that are kept, or looked up, as plain ones.
    pub(super) fn kept_order(&mut self, seen: &Seen<'_>, body: &Expr) {
        let read_by_helpers = structs_read(body);
        let mut found: Vec<(At, &'static str, Place)> = Vec::new();
        each(body, &mut |e| match &e.kind {
            ExprKind::Store { ptr, off, value, .. } => {
                let Some((def, field)) = field_written(ptr, *off) else { return };
                let by_write = matches!(&value.kind, ExprKind::Bswap(..)) && value.at.span == e.at.span;
                let given = match &value.kind {
                    ExprKind::Bswap(_, inner) if by_write => inner,
                    _ => value,
                };
                let Some(Origin::Network(form, holds)) = self.origin(given) else { return };
                if by_write {
                    found.push((given.at.clone(), form, Place::BigEndian(field.name.to_string())));
                    return;
                }
                let plain = holds == Holds::Number && field.ty.as_int().is_some() && field.ty.size() > 1;
                let said = has_word(&field.name, NETWORK_WORDS) || has_word(&def.name, NETWORK_WORDS);
                let known = crate::builtin::named(whistler_lisp::Symbol::intern(&def.name)).is_some();
                let own = ptr.ty.as_ptr().is_some_and(|p| !matches!(p.space, Space::Packet | Space::Ctx));
                if plain && own && !said && !known && !read_by_helpers.iter().any(|s| std::ptr::eq(*s, def)) {
                    found.push((given.at.clone(), form, Place::Field(field.name.to_string())));
                }
            }
            ExprKind::MapOp { op: MapOp::Lookup | MapOp::Update, map, args } => {
                let Some(key) = args.first().and_then(|k| seen.behind(k)) else { return };
                let Some(Origin::Network(form, Holds::Number)) = self.origin(key) else { return };
                let def = &self.unit.maps[map.0 as usize];
                if !has_word(&def.name, NETWORK_WORDS) {
                    found.push((key.at.clone(), form, Place::Key(def.name.to_string())));
                }
            }
            _ => {}
        });
        for (here, form, place) in found {
            if here.origin.is_some() {
                continue;
            }
            let (text, help) = match place {
                Place::BigEndian(field) => (
                    format!(
                        "the bytes of this number are in the network's order, and `{field}` takes the host's: the write swaps them"
                    ),
                    format!("put it into the host's order first: ({form} …)"),
                ),
                Place::Field(field) => (
                    format!(
                        "the bytes of this number are in the network's order, and `{field}` keeps them so: 443 is read there as 47873"
                    ),
                    format!("write ({form} …); if network order is meant, let the name say so: `{field}-be`"),
                ),
                Place::Key(map) => (
                    format!("the bytes of this key are in the network's order: 443 is found in `{map}` under 47873"),
                    format!("write ({form} …); if network order is meant, let the map's name say so: `{map}-be`"),
                ),
            };
            let mut d = diag::warning(&diag::NETWORK_ORDER, &here, text);
            if form != "ntohs" {
                d.message = d.message.split(": 443").next().unwrap_or_default().to_string();
            }
            self.report(d.help(help));
        }
    }

    /// Warns of numbers that are negative where they are written to a field without a sign.
    pub(super) fn kept_sign(&mut self, body: &Expr) {
        let mut found: Vec<Lost> = Vec::new();
        negatives(body, &mut Vec::new(), &mut found);
        for Lost { here, test, field, ty } in found {
            if here.origin.is_some() {
                continue;
            }
            let signed = ty.to_string().replacen('u', "i", 1);
            let (place, mend) = match field {
                Some(f) => (format!("`{f}` is {ty}"), format!("declare the field as ({f} {signed})")),
                None => (format!("the map holds {ty}"), format!("declare the map for {signed}")),
            };
            let text = format!("this is negative here, and {place}, which has no sign");
            let d = diag::warning(&diag::SIGN_LOST, &here, text).also(test.span, "it is below 0 behind this");
            self.report(d.help(format!("{mend}; if its bits are meant: (cast {ty} …); the errno itself is (- …)")));
        }
    }
}

/// The structs whose addresses a body gives to helpers that read network order, and those that are keys: in what order
/// the numbers in such a key are, who fills the map says.
fn structs_read(body: &Expr) -> Vec<&StructDef> {
    let mut out = Vec::new();
    each(body, &mut |e| {
        let given = match &e.kind {
            ExprKind::Helper { id, args } => {
                let reads = helpers::by_id(*id).is_some_and(|h| READERS.iter().any(|r| h.name.contains(r)));
                if reads { args.as_slice() } else { &[] }
            }
            ExprKind::MapOp { args, .. } => args.get(..1).unwrap_or(&[]),
            _ => &[],
        };
        for a in given {
            if let Some(Ty::Struct(s)) = a.ty.as_ptr().and_then(|p| p.pointee.as_deref()) {
                out.push(&**s);
            }
        }
    });
    out
}

/// A negative number in a place without a sign.
struct Lost {
    here: At,
    test: At,
    /// The field that takes it, if it is no key or value of a map.
    field: Option<String>,
    ty: Ty,
}

/// A value, and where it was seen to be negative.
type Negative<'e> = (&'e Expr, &'e At);

/// Walks with what is known to be negative.
fn negatives<'e>(e: &'e Expr, known: &mut Vec<Negative<'e>>, out: &mut Vec<Lost>) {
    let before = known.len();
    match &e.kind {
        ExprKind::If(test, yes, no) => {
            negatives(test, known, out);
            told(test, Truth::Yes, known);
            negatives(yes, known, out);
            known.truncate(before);
            told(test, Truth::No, known);
            negatives(no, known, out);
            known.truncate(before);
        }
        ExprKind::Seq(parts) => {
            for p in parts {
                negatives(p, known, out);
                // Where the one way leaves, what follows is the other.
                if let ExprKind::If(test, yes, no) = &p.kind {
                    match (yes.never(), no.never()) {
                        (true, false) => told(test, Truth::No, known),
                        (false, true) => told(test, Truth::Yes, known),
                        _ => {}
                    }
                }
            }
            known.truncate(before);
        }
        ExprKind::Set(l, value) => {
            negatives(value, known, out);
            known.retain(|(v, _)| !matches!(v.kind, ExprKind::Local(k) if k == *l));
        }
        // What is known before the first round need not be in the others.
        ExprKind::While { .. } | ExprKind::For { .. } | ExprKind::WithCallback { .. } => {
            e.each_child(&mut |c| negatives(c, &mut Vec::new(), out));
        }
        ExprKind::Store { mem, ptr, off, value } => {
            negatives(value, known, out);
            let Some(int) = mem.as_int().filter(|i| !i.signed && matches!(mem, Ty::Int(_)) && i.size > 1) else {
                return;
            };
            let field = field_written(ptr, *off).map(|(_, f)| f.name.to_string());
            // What has no field is the key or value of a map, in a variable that nobody named.
            if said_unsigned(value, int.size) || (field.is_none() && !matches!(ptr.kind, ExprKind::AddrOf(_))) {
                return;
            }
            if let Some((_, test)) = known.iter().find(|(v, _)| same(v, value)) {
                out.push(Lost { here: value.at.clone(), test: (*test).clone(), field, ty: mem.clone() });
            }
        }
        _ => e.each_child(&mut |c| negatives(c, known, out)),
    }
}

/// Whether a cast to a number without a sign, of that size or less, is written around a value.
fn said_unsigned(e: &Expr, size: u8) -> bool {
    match &e.kind {
        ExprKind::Cast(inner) if super::seen::implied(e) => said_unsigned(inner, size),
        ExprKind::Cast(_) => e.ty.as_int().is_some_and(|i| !i.signed && i.size <= size),
        _ => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Truth {
    Yes,
    No,
}

/// Notes what a test with this outcome says to be negative.
fn told<'e>(test: &'e Expr, truth: Truth, known: &mut Vec<Negative<'e>>) {
    match (&test.kind, truth) {
        (ExprKind::Cmp(op, a, b), _) => {
            let negative = match (op, truth, a.as_const(), b.as_const()) {
                (CmpOp::LtS, Truth::Yes, None, Some(n)) | (CmpOp::GeS, Truth::No, None, Some(n)) if n <= 0 => a,
                (CmpOp::LeS, Truth::Yes, None, Some(n)) | (CmpOp::GtS, Truth::No, None, Some(n)) if n < 0 => a,
                (CmpOp::GtS, Truth::Yes, Some(n), None) | (CmpOp::LeS, Truth::No, Some(n), None) if n <= 0 => b,
                (CmpOp::GeS, Truth::Yes, Some(n), None) | (CmpOp::LtS, Truth::No, Some(n), None) if n < 0 => b,
                (CmpOp::Eq, Truth::Yes, None, Some(n)) | (CmpOp::Ne, Truth::No, None, Some(n)) if n < 0 => a,
                _ => return,
            };
            known.push((negative, &test.at));
        }
        // (and a b) and (or a b), by what they are made of.
        (ExprKind::If(a, b, c), Truth::Yes) if c.as_const() == Some(0) => {
            told(a, Truth::Yes, known);
            told(b, Truth::Yes, known);
        }
        (ExprKind::If(a, b, c), Truth::No) if b.as_const().is_some_and(|n| n != 0) => {
            told(a, Truth::No, known);
            told(c, Truth::No, known);
        }
        (ExprKind::Seq(parts), _) => {
            if let Some(last) = parts.last() {
                told(last, truth, known);
            }
        }
        (ExprKind::Cast(inner), _) => told(inner, truth, known),
        _ => {}
    }
}

/// Whether two expressions read the same number, however it is extended.
fn same(a: &Expr, b: &Expr) -> bool {
    match (&a.kind, &b.kind) {
        (ExprKind::Cast(a), _) => same(a, b),
        (_, ExprKind::Cast(b)) => same(a, b),
        (ExprKind::Local(a), ExprKind::Local(b)) => a == b,
        (ExprKind::Load { ptr: p, off: x }, ExprKind::Load { ptr: q, off: y }) => {
            x == y && a.ty.size() == b.ty.size() && matches!((&p.kind, &q.kind), (ExprKind::Ctx, ExprKind::Ctx))
        }
        _ => false,
    }
}
