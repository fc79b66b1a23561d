//! Text: to the kernel's trace pipe, to user space as typed records, into memory, to an iterator's reader. Formats are
//! literals, so what each conversion takes is checked here.

use whistler_isa::{KernelVersion, MapType};
use whistler_lisp::{Form, Symbol};
use whistler_object::emit::{self, Conversion, Layout, Piece, Site};

use super::{FormDef, MANY, form};
use crate::check::address::{mistaken, to_number};
use crate::check::{Call, Checker, Fit, Val, at, cmp, describe, konst, offset};
use crate::diagnostics as diag;
use crate::hir::{At, CmpOp, Expr, ExprKind, IntTy, LocalKind, MapDef, MapId, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form("printk", (1, MANY), printk, "(printk \"format\" x…)", "Writes a line to the kernel's trace pipe."),
    form(
        "trace-printk",
        (1, MANY),
        printk,
        "(trace-printk \"format\" x…)",
        "Writes a line to the kernel's trace pipe.",
    ),
    form("emit", (1, MANY), emit_line, "(emit \"format\" x…)", "Sends a record to user space, where it is printed."),
    form(
        "print-into",
        (3, MANY),
        print_into,
        "(print-into pointer n \"format\" x…)",
        "Text into n bytes of memory; its length with the final 0.",
    ),
    form("seq-print", (2, MANY), seq_print, "(seq-print seq \"format\" x…)", "Text to the reader of an iterator."),
];

/// Values that one line of the trace pipe takes before kernels have `bpf_trace_vprintk`.
const PRINTK_VALUES: usize = 3;
/// The first kernel with `bpf_trace_vprintk`.
const VPRINTK: KernelVersion = KernelVersion::new(5, 16);
/// The most values of the kernel's formatter (`MAX_BPRINTF_VARARGS`).
const MOST_VALUES: usize = 12;
/// Bytes of text that `emit` takes from an address that says nothing of its length.
const TEXT: u32 = 64;

/// The conversions of a literal format that there is a value for each.
fn format<'f>(c: &mut Checker<'_>, form: &'f Form, values: usize, known: &str) -> Option<(&'f str, Vec<Conversion>)> {
    let Some(text) = form.as_str() else {
        c.malformed(form, "the format is a literal string");
        return None;
    };
    let pieces = match emit::pieces(text) {
        Ok(p) => p,
        Err(_) if text.contains('~') => {
            let d = diag::error(&diag::MALFORMED, &at(form), "this is a format of the host's `format`");
            c.report(d.help("formats of programs are C's: %d for a number, %s for text"));
            return None;
        }
        Err(bad) => {
            c.report(unknown(form, &bad, known));
            return None;
        }
    };
    escaped_letter(c, form, text);
    let conversions: Vec<Conversion> = pieces
        .into_iter()
        .filter_map(|p| match p {
            Piece::Conversion(c) => Some(c),
            Piece::Text(_) => None,
        })
        .collect();
    if let Some(odd) = conversions.iter().find(|c| !known.contains(c.kind)) {
        c.report(unknown(form, &format!("%{}", odd.kind), known));
        return None;
    }
    if known == KERNEL && conversions.iter().any(|c| c.precision.is_some()) {
        c.report(unknown(form, "precision", known));
        return None;
    }
    if conversions.len() != values {
        let text = format!("the format has {} conversions, and {values} values are given", conversions.len());
        c.report(diag::error(&diag::ARGUMENT_COUNT, &at(form), text));
        return None;
    }
    Some((text, conversions))
}

/// Warns of a newline written as in C: in a literal, a backslash stands only for the character behind it.
fn escaped_letter(c: &mut Checker<'_>, form: &Form, text: &str) {
    let written = (form.span.hi - form.span.lo) as usize;
    // As long as the text says: the quotes, and a backslash at the end that is no part of it.
    let backslashes = written.saturating_sub(text.len() + 2);
    let plain = !text.contains(['"', '\\']);
    if form.origin.is_some() || !plain || backslashes == 0 || !text.ends_with('n') {
        return;
    }
    let text = "a string of Lisp has no `\\n`: this ends in the letter n";
    let d = diag::warning(&diag::NO_ESCAPES, &at(form), text);
    c.report(d.help("leave it out, lines end by themselves; elsewhere a line is broken inside of the string"));
}

fn unknown(form: &Form, bad: &str, known: &str) -> whistler_diag::Diagnostic {
    let list: Vec<String> = known.chars().map(|k| format!("%{k}")).collect();
    diag::error(&diag::MALFORMED, &at(form), format!("a format has no `{bad}` here"))
        .help(format!("there are {} and %%", list.join(" ")))
}

/// What the kernel's own formatter knows.
const KERNEL: &str = "diuxXcsp";

/// Reports the address of a kernel struct that holds one number where a number is printed; yields whether it did.
fn number_missed(c: &mut Checker<'_>, v: &Val, conversion: &Conversion) -> bool {
    matches!(conversion.kind, 'd' | 'i' | 'u')
        && c.lies_in_an_object(v.ty())
        && c.not_its_number(v, &format!("%{} prints a number", conversion.kind))
}

/// The values of a format for the kernel's formatter.
fn values(c: &mut Checker<'_>, forms: &[Form], conversions: &[Conversion]) -> Option<Vec<Expr>> {
    let mut out = Vec::new();
    for (f, conversion) in forms.iter().zip(conversions) {
        let v = c.value(f);
        if v.never() {
            return None;
        }
        if conversion.kind != 's' && conversion.kind != 'p' {
            let text = format!("%{} prints a number", conversion.kind);
            let hex = matches!(conversion.kind, 'x' | 'X');
            let plain = mistaken(v.ty()).is_some_and(|p| !hex || to_number(p));
            if (plain && c.not_its_content(&v, &text)) || number_missed(c, &v, conversion) {
                return None;
            }
        }
        out.push(match v.ty() {
            Ty::Ptr(_) => v.e,
            _ if conversion.kind == 's' => {
                not_text(c, &v, f);
                return None;
            }
            _ => {
                let v = c.number(v, "a format");
                c.fit(v, &Ty::U64, Fit::Bits)
            }
        });
    }
    Some(out)
}

fn not_text(c: &mut Checker<'_>, v: &Val, form: &Form) {
    let text = format!("%s takes a pointer to text, and this is {}", describe(v.ty()));
    c.report(diag::error(&diag::ARGUMENT_TYPE, &at(form), text).help("a number is printed by %d, %u or %x"));
}

fn printk(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let (format_form, rest) = (&call.args[0], &call.args[1..]);
    let Some((text, conversions)) = format(c, format_form, rest.len(), KERNEL) else { return Val::error(call.at()) };
    let many = rest.len() > PRINTK_VALUES;
    if rest.len() > MOST_VALUES || (many && !c.target.has(VPRINTK)) {
        let most = if c.target.has(VPRINTK) { MOST_VALUES } else { PRINTK_VALUES };
        let text = format!("a line of the trace pipe takes {most} values at most");
        return c.fail(
            diag::error(&diag::ARGUMENT_COUNT, &call.at(), text)
                .help("write two lines, or send a record by (emit \"format\" x…)"),
        );
    }
    let Some(list) = values(c, rest, &conversions) else { return Val::error(call.at()) };
    let literal = super::bytes::string(text, format_form);
    let size = konst(text.len() as i64 + 1, &call.at());
    let (helper, setup, args) = if many {
        let (setup, data, len) = array(c, list, &call.at());
        ("trace_vprintk", setup, vec![literal.e, size, data, len])
    } else {
        ("trace_printk", Vec::new(), [vec![literal.e, size], list].concat())
    };
    match super::calls::call_helper(c, helper, args, Ty::I64, call.at()) {
        Some(e) => c.seq(setup, Val::of(e)),
        None => Val::error(call.at()),
    }
}

/// Values as an array on the stack: what fills it, its address, its length.
fn array(c: &mut Checker<'_>, list: Vec<Expr>, here: &At) -> (Vec<Expr>, Expr, Expr) {
    if list.is_empty() {
        let null = Expr::new(ExprKind::Const(0), Ty::nullable_ptr(Space::Unknown, None), here.clone());
        return (Vec::new(), null, konst(0, here));
    }
    let ty = Ty::Array(std::rc::Rc::new(Ty::U64), list.len() as u32);
    let id = c.temp(ty.clone(), LocalKind::Memory);
    let address = Expr::new(ExprKind::AddrOf(id), Ty::ptr(Space::Stack, Some(ty.clone())), here.clone());
    let len = konst(i64::from(ty.size()), here);
    let stores = list.into_iter().enumerate().map(|(i, value)| {
        let mem = if matches!(value.ty, Ty::Ptr(_)) { value.ty.clone() } else { Ty::U64 };
        let kind = ExprKind::Store {
            mem: mem.clone(),
            ptr: Box::new(address.clone()),
            off: 8 * i as i32,
            value: Box::new(value),
        };
        Expr::new(kind, mem, here.clone())
    });
    (stores.collect(), address, len)
}

fn print_into(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let (format_form, rest) = (&call.args[2], &call.args[3..]);
    let p = c.value(&call.args[0]);
    let n = c.value(&call.args[1]);
    let Some((_, conversions)) = format(c, format_form, rest.len(), KERNEL) else { return Val::error(call.at()) };
    let Some(list) = values(c, rest, &conversions) else { return Val::error(call.at()) };
    let literal = c.value(format_form);
    let (setup, data, len) = array(c, list, &call.at());
    let args = vec![p, n, literal, null_or(data), Val::of(len)];
    let v = super::calls::checked_helper(c, "snprintf", args, call.at());
    c.seq(setup, v)
}

/// A null constant as the literal that argument checks take for one.
fn null_or(e: Expr) -> Val {
    match e.as_const() {
        Some(0) => Val::literal(0, e.at),
        _ => Val::of(e),
    }
}

fn seq_print(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let (format_form, rest) = (&call.args[1], &call.args[2..]);
    let seq = c.value(&call.args[0]);
    if let Some(d) = super::callee::inside_of(c, &seq, "seq_file", "the first argument of `seq-print`", &call.args[0]) {
        return c.fail(d);
    }
    let Some((text, conversions)) = format(c, format_form, rest.len(), KERNEL) else { return Val::error(call.at()) };
    let Some(list) = values(c, rest, &conversions) else { return Val::error(call.at()) };
    let literal = c.value(format_form);
    let size = Val::literal(text.len() as i128 + 1, call.at());
    let (setup, data, len) = array(c, list, &call.at());
    let len = if data.as_const() == Some(0) { Val::literal(0, call.at()) } else { Val::of(len) };
    let args = vec![seq, literal, size, null_or(data), len];
    let v = super::calls::checked_helper(c, "seq_printf", args, call.at());
    c.seq(setup, v)
}

/// What `emit` puts into the record for a conversion.
enum Part {
    Number(Expr),
    Copy(Expr, u32),
    Probe(&'static str, Expr, u32),
}

fn emit_line(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let rest = &call.args[1..];
    let Some((text, conversions)) = format(c, &call.args[0], rest.len(), "diuxXocsp") else {
        return Val::error(call.at());
    };
    let (mut setup, mut parts, mut layouts) = (Vec::new(), Vec::new(), Vec::new());
    for (f, conversion) in rest.iter().zip(&conversions) {
        let v = c.value(f);
        if v.never() {
            return v;
        }
        // A literal's length shows only in itself.
        let (set, v) = if matches!(v.e.kind, ExprKind::Bytes(_)) { (None, v) } else { c.once(v) };
        setup.extend(set);
        let Some((part, layout)) = part(c, v, conversion, f) else { return Val::error(call.at()) };
        parts.push(part);
        layouts.push(layout);
    }
    let site = Site::new(text, layouts);
    let size = site.record_size();
    if !c.unit.emits.contains(&site) {
        c.unit.emits.push(site.clone());
    }
    let here = call.at();
    let map = Expr::new(ExprKind::Map(ring(c)), Ty::ptr(Space::Map, None), here.clone());
    let bytes = Ty::Array(std::rc::Rc::new(Ty::Int(IntTy::U8)), size);
    let nullable = Ty::nullable_ptr(Space::Ring, Some(bytes.clone()));
    let args = vec![map, konst(i64::from(size), &here), konst(0, &here)];
    let reserved = super::calls::call_helper(c, "ringbuf_reserve", args, nullable.clone(), here.clone());
    let Some(reserved) = reserved else { return Val::error(here) };
    let record = c.temp(nullable.clone(), LocalKind::Value);
    setup.push(Expr::new(ExprKind::Set(record, Box::new(reserved)), nullable.clone(), here.clone()));
    let pointer = Expr::new(ExprKind::Local(record), Ty::ptr(Space::Ring, Some(bytes)), here.clone());
    let store = |off: u32, value: Expr| {
        let kind =
            ExprKind::Store { mem: Ty::U64, ptr: Box::new(pointer.clone()), off: off as i32, value: Box::new(value) };
        Expr::new(kind, Ty::U64, here.clone())
    };
    let mut done = vec![store(0, konst(i64::from(site.id), &here))];
    let mut off = emit::HEADER;
    for (p, layout) in parts.into_iter().zip(&site.layouts) {
        let to = offset(pointer.clone(), i64::from(off), Ty::ptr(Space::Ring, None), &here);
        done.push(match p {
            Part::Number(e) => store(off, e),
            Part::Copy(src, len) => {
                Expr::new(ExprKind::Copy { dst: Box::new(to), src: Box::new(src), len }, Ty::Void, here.clone())
            }
            Part::Probe(helper, src, len) => {
                let args = vec![to, konst(i64::from(len), &here), src];
                match super::calls::call_helper(c, helper, args, Ty::I64, here.clone()) {
                    Some(e) => e,
                    None => return Val::error(here),
                }
            }
        });
        off += layout.room();
    }
    let submit = vec![pointer.clone(), konst(0, &here)];
    match super::calls::call_helper(c, "ringbuf_submit", submit, Ty::Void, here.clone()) {
        Some(e) => done.push(e),
        None => return Val::error(here),
    }
    let nothing = || Expr::new(ExprKind::Seq(Vec::new()), Ty::Void, here.clone());
    done.push(nothing());
    let sent = Expr::new(ExprKind::Seq(done), Ty::Void, here.clone());
    let null = Expr::new(ExprKind::Const(0), nullable.clone(), here.clone());
    let got = cmp(CmpOp::Ne, Expr::new(ExprKind::Local(record), nullable, here.clone()), null, &here);
    let kind = ExprKind::If(Box::new(got), Box::new(sent), Box::new(nothing()));
    c.seq(setup, Val::new(kind, Ty::Void, here))
}

/// The ring buffer that all emit to, made with the first.
fn ring(c: &mut Checker<'_>) -> MapId {
    let name = Symbol::intern("whistler-emit");
    if let Some(id) = c.map_ids.get(&name) {
        return *id;
    }
    let id = MapId(c.unit.maps.len() as u32);
    c.unit.maps.push(MapDef {
        name: emit::RING.into(),
        map_type: MapType::Ringbuf,
        key_size: 0,
        value_size: 0,
        key: None,
        value: None,
        max_entries: emit::RING_SIZE,
        flags: 0,
        inner: None,
        contents: Vec::new(),
        extra: 0,
        pin: None,
        span: whistler_diag::Span::NONE,
    });
    c.map_ids.insert(name, id);
    id
}

/// What goes into the record for one value.
fn part(c: &mut Checker<'_>, v: Val, conversion: &Conversion, form: &Form) -> Option<(Part, Layout)> {
    if conversion.kind == 's' {
        return text_part(c, v, conversion, form);
    }
    if let Ty::Ptr(p) = v.ty() {
        let plain = matches!(conversion.kind, 'x' | 'X') && mistaken(v.ty()).is_some_and(to_number);
        if plain && c.not_its_content(&v, &format!("%{} prints a number", conversion.kind)) {
            return None;
        }
        if number_missed(c, &v, conversion) {
            return None;
        }
        if !matches!(conversion.kind, 'p' | 'x' | 'X') && !p.space.is_number() && !p.number {
            let text = format!("%{} takes a number, and this is {}", conversion.kind, describe(v.ty()));
            let help = "an address is printed by %p, text by %s";
            c.report(diag::error(&diag::ARGUMENT_TYPE, &at(form), text).help(help));
            return None;
        }
        let here = v.at().clone();
        let number = Expr::new(ExprKind::Cast(Box::new(v.e)), Ty::U64, here);
        return Some((Part::Number(number), Layout::Number { size: 8, signed: false }));
    }
    let v = c.number(v, "emit");
    if v.never() {
        return None;
    }
    let ty = v.int().unwrap_or(IntTy::U64);
    let layout = Layout::Number { size: ty.size, signed: ty.signed };
    let wide = if ty.signed { Ty::I64 } else { Ty::U64 };
    Some((Part::Number(c.fit(v, &wide, Fit::Bits)), layout))
}

fn text_part(c: &mut Checker<'_>, v: Val, conversion: &Conversion, form: &Form) -> Option<(Part, Layout)> {
    let Ty::Ptr(p) = v.ty().clone() else {
        not_text(c, &v, form);
        return None;
    };
    let own = match (&v.e.kind, p.pointee.as_deref()) {
        (ExprKind::Bytes(b), _) => Some(b.len() as u32),
        (_, Some(t @ Ty::Array(elem, _))) if elem.size() == 1 => Some(t.size()),
        _ => None,
    };
    let len = match (own, conversion.precision) {
        (Some(n), Some(m)) => Some(n.min(m)),
        (n, m) => n.or(m),
    };
    let probe = match p.space {
        Space::Kernel | Space::Unknown | Space::Trusted => Some("probe_read_kernel_str"),
        Space::User => Some("probe_read_user_str"),
        _ => None,
    };
    if let Some(helper) = probe {
        let len = len.unwrap_or(TEXT).max(1);
        return Some((Part::Probe(helper, v.e, len), Layout::Text(len)));
    }
    let Some(len) = len.filter(|n| *n > 0) else {
        let text = "it isn't known how long this text may be";
        let help = "say how many bytes to take: %.16s, or give a pointer to an (array char n)";
        c.report(diag::error(&diag::ARGUMENT_TYPE, &at(form), text).help(help));
        return None;
    };
    let v = c.readable(v, 0, Some(len), &at(form))?;
    Some((Part::Copy(v.e, len), Layout::Text(len)))
}
