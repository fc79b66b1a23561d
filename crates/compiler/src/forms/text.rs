//! Text to the trace pipe.

use super::{FormDef, MANY, form};
use crate::check::{Call, Checker, Fit, Val, at};
use crate::diagnostics as diag;
use crate::hir::{Expr, ExprKind, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form("printk", (1, MANY), printk, "(printk \"format\" x…)", "Writes a line to the kernel's trace pipe."),
    form(
        "trace-printk",
        (1, MANY),
        printk,
        "(trace-printk \"format\" x…)",
        "Writes a line to the kernel's trace pipe.",
    ),
];

fn printk(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some(text) = call.args[0].as_str() else {
        return c.malformed(&call.args[0], "the format is a literal string");
    };
    if let Some(bad) = unknown_conversion(text) {
        return c.fail(
            diag::error(&diag::MALFORMED, &at(&call.args[0]), format!("the kernel prints no `{bad}`"))
                .help("it has %d %i %u %x %X (also with l or ll), %c %s %p and %%"),
        );
    }
    let wanted = conversions(text);
    if wanted != call.args.len() - 1 {
        let text = format!("the format has {wanted} conversions, and {} values are given", call.args.len() - 1);
        c.report(diag::error(&diag::ARGUMENT_COUNT, &at(&call.args[0]), text));
    }
    if call.args.len() > 4 {
        return c.fail(
            diag::error(&diag::ARGUMENT_COUNT, &call.at(), "printk takes three values at most")
                .help("write two lines, or send a record through a ring buffer"),
        );
    }
    let format = super::bytes::string(text, &call.args[0]);
    let size = Expr::new(ExprKind::Const(text.len() as i64 + 1), Ty::U64, call.at());
    let mut args = vec![format.e, size];
    for f in &call.args[1..] {
        let v = c.value(f);
        if v.never() {
            return v;
        }
        args.push(match v.ty() {
            Ty::Ptr(_) => v.e,
            _ => {
                let v = c.number(v, "printk");
                c.fit(v, &Ty::U64, Fit::Bits)
            }
        });
    }
    match super::calls::call_helper(c, "trace_printk", args, Ty::I64, call.at()) {
        Some(e) => Val::of(e),
        None => Val::error(call.at()),
    }
}

/// The first conversion that the kernel's formatter does not know.
fn unknown_conversion(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let body = after.trim_start_matches(['#', '+', '-', ' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
        let long = body.strip_prefix("ll").or_else(|| body.strip_prefix('l'));
        let known = match long {
            Some(b) => b.starts_with(['d', 'i', 'u', 'x', 'X']),
            None => body.starts_with(['d', 'i', 'u', 'x', 'X', 'c', 's', 'p', '%']),
        };
        let length = after.len() - long.unwrap_or(body).len();
        let end = after[length..].chars().next().map_or(length, |c| length + c.len_utf8());
        if !known {
            return Some(format!("%{}", &after[..end]));
        }
        rest = &after[end..];
    }
    None
}

/// How many values a format takes.
fn conversions(text: &str) -> usize {
    text.replace("%%", "").matches('%').count()
}
