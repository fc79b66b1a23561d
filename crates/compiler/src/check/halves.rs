//! Two numbers in one: what `get-current-pid-tgid` and `get-current-uid-gid` yield, and which half goes where. Invariant: a
//! half that a cast, a shift or a mask takes is meant, unless the name that it gets says the other.

use whistler_isa::helpers;

use super::Checker;
use super::seen::{Seen, each, field_written, has_word, implied};
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, CmpOp, Expr, ExprKind};

/// Bits of a half.
const HALF: i64 = 32;
const LOW_BITS: i64 = 0xffff_ffff;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    High,
    Low,
}

/// A helper that yields two numbers.
#[derive(PartialEq, Eq)]
struct Pair {
    helper: &'static str,
    shown: &'static str,
    high: Number,
    low: Number,
}

/// One of them: what it is, and names that say that it is.
#[derive(PartialEq, Eq)]
struct Number {
    is: &'static str,
    names: &'static [&'static str],
}

/// The kernel's words for a task and a process are not those of its users: what `ps` calls PID is the thread group.
/// So nothing is told from the name `pid`.
static PAIRS: &[Pair] = &[
    Pair {
        helper: "get_current_pid_tgid",
        shown: "(get-current-pid-tgid)",
        high: Number { is: "the process's id", names: &["tgid"] },
        low: Number { is: "the thread's id", names: &["tid", "thread"] },
    },
    Pair {
        helper: "get_current_uid_gid",
        shown: "(get-current-uid-gid)",
        high: Number { is: "the group's id", names: &["gid", "group"] },
        low: Number { is: "the user's id", names: &["uid", "user"] },
    },
];

/// Which part of which pair a value is.
fn part<'e>(seen: &Seen<'e>, e: &'e Expr) -> Option<(&'static Pair, Part)> {
    let e = seen.value(e);
    match &e.kind {
        ExprKind::Helper { id, .. } => {
            let name = helpers::by_id(*id)?.name;
            PAIRS.iter().find(|p| p.helper == name).map(|p| (p, Part::Whole))
        }
        ExprKind::Cast(inner) => {
            let (pair, is) = part(seen, inner)?;
            Some((pair, if is == Part::Whole && e.ty.size() == 4 { Part::Low } else { is }))
        }
        ExprKind::Bin(op, a, n) => {
            let ((pair, Part::Whole), Some(n)) = (part(seen, a)?, n.as_const()) else { return None };
            match (op, n) {
                (BinOp::ShrU | BinOp::ShrS, HALF) | (BinOp::AshU | BinOp::AshS, -32) => Some((pair, Part::High)),
                (BinOp::And, LOW_BITS) => Some((pair, Part::Low)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a number certainly has no more than 32 bits, and is not 0.
fn narrow(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Const(n) => (1..=LOW_BITS).contains(n),
        ExprKind::Cast(inner) if e.ty.size() == 8 => inner.ty.as_int().is_some() && inner.ty.size() <= 4,
        _ => e.ty.as_int().is_some() && e.ty.size() <= 4,
    }
}

impl Checker<'_> {
    /// Warns of pairs that are cut or compared as if they were one number, and of halves under the other's name.
    pub(super) fn halves(&mut self, seen: &Seen<'_>, body: &Expr) {
        let mut found: Vec<(At, &'static Pair, Part, Option<String>)> = Vec::new();
        let locals = &self.f.locals;
        each(body, &mut |e| {
            let (name, value) = match &e.kind {
                ExprKind::Set(l, value) => (locals[l.0 as usize].name.to_string(), &**value),
                ExprKind::Store { ptr, off, value, .. } => {
                    (field_written(ptr, *off).map_or_else(String::new, |(_, f)| f.name.to_string()), &**value)
                }
                ExprKind::Cmp(CmpOp::Eq | CmpOp::Ne, a, b) => {
                    for (x, y) in [(a, b), (b, a)] {
                        if let Some((pair, Part::Whole)) = part(seen, x)
                            && narrow(y)
                        {
                            found.push((x.at.clone(), pair, Part::Whole, None));
                        }
                    }
                    return;
                }
                _ => return,
            };
            let Some((pair, is)) = part(seen, value) else { return };
            // What a variable holds was looked at where it got it.
            let mut copied = value;
            while let (true, ExprKind::Cast(inner)) = (implied(copied), &copied.kind) {
                copied = inner;
            }
            let of_whole = part(seen, copied).is_some_and(|(_, p)| p == Part::Whole);
            let cut = implied(value) && is == Part::Low && of_whole;
            let (own, other) = if is == Part::High { (&pair.high, &pair.low) } else { (&pair.low, &pair.high) };
            if has_word(&name, own.names) {
                return;
            }
            let misnamed = is != Part::Whole && has_word(&name, other.names);
            if misnamed && (cut || !matches!(copied.kind, ExprKind::Local(_))) {
                found.push((value.at.clone(), pair, is, Some(name)));
            } else if cut && pair.helper == "get_current_pid_tgid" {
                found.push((value.at.clone(), pair, is, None));
            }
        });
        for (here, pair, is, name) in found {
            if here.origin.is_some() {
                continue;
            }
            let shown = pair.shown;
            let text = match (is, &name) {
                (Part::Whole, _) => {
                    format!("these are two numbers of 32 bits in one, compared with a number of 32: {}", which(pair))
                }
                (Part::High, Some(name)) => {
                    format!("`{name}` gets the upper half of {shown}, which is {}", pair.high.is)
                }
                (_, Some(name)) => format!("`{name}` gets the lower half of {shown}, which is {}", pair.low.is),
                (_, None) => {
                    format!("the lower half of {shown} is kept here, which is {}, not the process's", pair.low.is)
                }
            };
            let (high, low) = (format!("(>> {shown} {HALF})"), format!("(cast u32 {shown})"));
            let help = match (is, &name) {
                (Part::Whole, _) => format!("compare one of them: {high} or {low}"),
                (Part::High, Some(_)) => format!("{} is the lower half: {low}", pair.low.is),
                (_, Some(_)) => format!("{} is the upper half: {high}", pair.high.is),
                (_, None) => format!("{} is {high}; if the thread's is meant: {low}", pair.high.is),
            };
            self.report(diag::warning(&diag::HALF_OF_TWO, &here, text).help(help));
        }
    }
}

fn which(pair: &Pair) -> String {
    format!("{} in the upper half, {} in the lower", pair.high.is, pair.low.is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_helpers() {
        for p in PAIRS {
            assert!(helpers::by_name(p.helper).is_some(), "{}", p.helper);
            assert_eq!(p.shown, format!("({})", p.helper.replace('_', "-")));
        }
    }
}
