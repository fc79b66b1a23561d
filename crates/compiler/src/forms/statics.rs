//! What the library in Lisp asks while a program is compiled: facts of maps and of the program's type. Invariant: of
//! a `static-if` only the arm that is chosen is checked, so the other may be wrong for this map or program.

use whistler_isa::{MapType, ProgType};
use whistler_lisp::Form;

use super::maps::{map_arg, value_type};
use super::{FormDef, form};
use crate::check::{Call, Checker, Val, at};
use crate::diagnostics as diag;
use crate::hir::{Expr, ExprKind, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form(
        "static-if",
        (2, 3),
        static_if,
        "(static-if (FACT …) then [else])",
        "One of two, chosen by a fact known when the program is compiled.",
    ),
    form("map-value-size", (1, 1), value_size, "(map-value-size map)", "Bytes of a map's values."),
    form("map-entries-max", (1, 1), entries_max, "(map-entries-max map)", "How many entries a map has room for."),
    form(
        "map-zero",
        (1, 1),
        map_zero,
        "(map-zero map)",
        "A value of the map that is all zeros: a number, or a pointer to read-only memory.",
    ),
    form(
        "compile-error",
        (1, 1),
        compile_error,
        "(compile-error \"text\")",
        "Ends compilation with this error; for macros.",
    ),
];

/// The facts by name, for messages.
const FACTS: &str =
    "(:per-cpu map), (:array map), (:signed map), (:value-size map bytes), (:packets-from-ip), (:packet-writable)";

fn static_if(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some(holds) = fact(c, &call.args[0]) else { return Val::error(call.at()) };
    match (holds, call.args.get(2)) {
        (true, _) => c.expr(&call.args[1], call.want),
        (false, Some(f)) => c.expr(f, call.want),
        (false, None) => Val::literal(0, call.at()),
    }
}

fn fact(c: &mut Checker<'_>, test: &Form) -> Option<bool> {
    let unknown = |c: &mut Checker<'_>| {
        c.malformed(test, format!("a fact is one of {FACTS}"));
        None
    };
    let [head, args @ ..] = test.as_list()? else { return unknown(c) };
    let Some(name) = head.as_keyword() else { return unknown(c) };
    match (name.name().trim_start_matches(':'), args) {
        ("per-cpu", [map]) => Some(map_arg(c, map)?.1.map_type.info().per_cpu),
        ("array", [map]) => Some(matches!(map_arg(c, map)?.1.map_type, MapType::Array | MapType::PercpuArray)),
        ("signed", [map]) => Some(number_type(&value_type(&map_arg(c, map)?.1)).is_some_and(|i| i.signed)),
        ("value-size", [map, n]) => {
            let size = map_arg(c, map)?.1.value_size;
            Some(c.const_value(n, "a number of bytes")? == i128::from(size))
        }
        ("packets-from-ip", []) => Some(sees_packets_from_ip(c.prog_type())),
        ("packet-writable", []) => Some(c.why_read_only(Space::Packet).is_none()),
        _ => unknown(c),
    }
}

/// Whether programs of a type see packets from the network header on.
pub(super) fn sees_packets_from_ip(prog: Option<ProgType>) -> bool {
    use ProgType::*;
    matches!(prog, Some(CgroupSkb | LwtIn | LwtOut | LwtXmit | LwtSeg6local | Netfilter))
}

fn value_size(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    match map_arg(c, &call.args[0]) {
        Some((_, def)) => Val::literal(i128::from(def.value_size), call.at()),
        None => Val::error(call.at()),
    }
}

fn entries_max(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    match map_arg(c, &call.args[0]) {
        Some((_, def)) => Val::literal(i128::from(def.max_entries), call.at()),
        None => Val::error(call.at()),
    }
}

fn map_zero(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some((_, def)) = map_arg(c, &call.args[0]) else { return Val::error(call.at()) };
    if value_type(&def).as_int().is_some() {
        return Val::literal(0, call.at());
    }
    let bytes = vec![0; def.value_size as usize];
    Val::of(Expr::new(ExprKind::Bytes(bytes.into()), Ty::ptr(Space::Rodata, Some(value_type(&def))), call.at()))
}

fn compile_error(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let text = call.args[0].as_str().unwrap_or("this can't be compiled").to_string();
    c.fail(diag::error(&diag::NOT_HERE, &at(call.form), text))
}

/// The number that a value is, or is made of.
fn number_type(ty: &Ty) -> Option<crate::hir::IntTy> {
    match ty {
        Ty::Array(elem, _) => elem.as_int(),
        t => t.as_int(),
    }
}
