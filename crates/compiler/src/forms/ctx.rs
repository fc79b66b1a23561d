//! The context: what the program was called with.

use whistler_btf::TracepointFieldKind as Kind;
use whistler_isa::ctx::{self as table, Field, FieldKind};
use whistler_isa::{Arch, ContextKind, ProgType};
use whistler_lisp::{Form, Symbol};

use super::{FormDef, form, place};
use crate::check::{Call, Checker, MemPlace, Place, Val, at};
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, Expr, ExprKind, IntTy, Space, Ty};
use crate::names::nearest;

pub(super) static FORMS: &[FormDef] = &[
    place("ctx", (1, 2), ctx_place, "(ctx FIELD [index])", "A field of the context, or (ctx TYPE offset)."),
    place("ctx-load", (2, 2), ctx_raw, "(ctx-load TYPE offset)", "The context's bytes at an offset."),
    form("ctx-ptr", (0, 0), ctx_ptr, "(ctx-ptr)", "The context."),
    form("xdp-data", (0, 0), |c, k| packet(c, k, "data"), "(xdp-data)", "The packet's first byte."),
    form("xdp-data-end", (0, 0), |c, k| packet(c, k, "data_end"), "(xdp-data-end)", "The packet's end."),
    form("tc-data", (0, 0), |c, k| packet(c, k, "data"), "(tc-data)", "The packet's first byte."),
    form("tc-data-end", (0, 0), |c, k| packet(c, k, "data_end"), "(tc-data-end)", "The packet's end."),
    form("packet-data", (0, 0), |c, k| packet(c, k, "data"), "(packet-data)", "The packet's first byte."),
    form("packet-data-end", (0, 0), |c, k| packet(c, k, "data_end"), "(packet-data-end)", "The packet's end."),
    form("packet-pass", (0, 0), pass, "(packet-pass)", "What lets a packet pass in this type of program."),
    form(
        "packet-link-length",
        (0, 0),
        |c, k| Val::literal(if super::statics::sees_packets_from_ip(c.prog_type()) { 0 } else { 14 }, k.at()),
        "(packet-link-length)",
        "Bytes of the link header at the packet's start: 14, or 0 where programs see packets from the network header on.",
    ),
    form(
        "in-bounds",
        (3, 3),
        in_bounds,
        "(in-bounds pointer n end)",
        "1 if n bytes at a packet pointer lie before the end.",
    ),
    form("pt-regs-parm1", (0, 0), |c, k| parameter(c, k, 0), "(pt-regs-parm1)", "The function's first argument."),
    form("pt-regs-parm2", (0, 0), |c, k| parameter(c, k, 1), "(pt-regs-parm2)", "The function's second argument."),
    form("pt-regs-parm3", (0, 0), |c, k| parameter(c, k, 2), "(pt-regs-parm3)", "The function's third argument."),
    form("pt-regs-parm4", (0, 0), |c, k| parameter(c, k, 3), "(pt-regs-parm4)", "The function's fourth argument."),
    form("pt-regs-parm5", (0, 0), |c, k| parameter(c, k, 4), "(pt-regs-parm5)", "The function's fifth argument."),
    form("pt-regs-parm6", (0, 0), |c, k| parameter(c, k, 5), "(pt-regs-parm6)", "The function's sixth argument."),
    form("pt-regs-parm7", (0, 0), |c, k| parameter(c, k, 6), "(pt-regs-parm7)", "The function's seventh argument."),
    form("pt-regs-parm8", (0, 0), |c, k| parameter(c, k, 7), "(pt-regs-parm8)", "The function's eighth argument."),
    form("pt-regs-ret", (0, 0), result, "(pt-regs-ret)", "The function's result, in a return probe."),
    form(
        "pt-regs-ip",
        (0, 0),
        |c, k| register(c, k, c.target.arch.registers().ip),
        "(pt-regs-ip)",
        "The instruction pointer.",
    ),
    form(
        "pt-regs-sp",
        (0, 0),
        |c, k| register(c, k, c.target.arch.registers().sp),
        "(pt-regs-sp)",
        "The stack pointer.",
    ),
];

/// The context as an expression.
pub(super) fn ctx(c: &mut Checker<'_>, here: At) -> Expr {
    c.f.uses_ctx = true;
    Expr::new(ExprKind::Ctx, Ty::ptr(Space::Ctx, None), here)
}

fn ctx_ptr(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    Val::of(ctx(c, call.at()))
}

/// The type that a field of the context reads as.
fn field_type(f: &Field) -> Ty {
    let nullable = |name: &str| Ty::nullable_ptr(Space::Trusted, Some(Ty::Kernel(name.into())));
    match f.kind {
        FieldKind::Int => Ty::Int(IntTy { size: f.size.min(8) as u8, signed: false }),
        FieldKind::Signed => Ty::Int(IntTy { size: f.size.min(8) as u8, signed: true }),
        FieldKind::Array(elem, n) => {
            Ty::Array(std::rc::Rc::new(Ty::Int(IntTy { size: elem.min(8) as u8, signed: false })), n)
        }
        FieldKind::PacketStart | FieldKind::PacketMeta => Ty::ptr(Space::Packet, None),
        FieldKind::PacketEnd => Ty::ptr(Space::PacketEnd, None),
        FieldKind::Socket | FieldKind::SockCommon => nullable("bpf_sock"),
        FieldKind::FlowKeys => Ty::ptr(Space::Trusted, Some(Ty::Kernel("bpf_flow_keys".into()))),
        FieldKind::Btf(name) => Ty::ptr(Space::Trusted, Some(Ty::Kernel(name.into()))),
    }
}

fn ctx_place(c: &mut Checker<'_>, call: &Call<'_>) -> Option<Place> {
    // `(ctx TYPE offset)` and `(ctx FIELD [index])` share a head.
    if call.args.len() == 2 && crate::types::is_type(c.env, &call.args[0]) && field_of(c, &call.args[0]).is_none() {
        return ctx_raw(c, call);
    }
    let Some(name) = call.args[0].as_symbol() else {
        let d = diag::error(&diag::MALFORMED, &at(&call.args[0]), "a field of the context is named by a symbol");
        c.report(match numbered(c.prog_type()) {
            Some(help) => d.help(help),
            None => d,
        });
        return None;
    };
    let Some(prog) = c.prog_type() else {
        c.report(diag::error(&diag::NOT_HERE, &call.at(), "there is no context here"));
        return None;
    };
    let Some(f) = field_of(c, &call.args[0]) else {
        if prog == ProgType::Tracepoint && c.f.tracepoint.is_some() {
            let v = tracepoint_memory(c, name, &call.at());
            return v.map(Place::Memory);
        }
        return unknown(c, prog, name, &at(&call.args[0]));
    };
    if !f.read.contains(prog) {
        return unknown(c, prog, name, &at(&call.args[0]));
    }
    let attach = attach_type(c);
    if !f.reads(prog, attach, f.elem_size(), 0) {
        let kinds: Vec<String> = f.only.iter().filter_map(|a| section_of(prog, *a)).collect();
        let text =
            format!("`{}` of {} can't be read or written by programs attached in this way", f.name, known_as(prog));
        let d = diag::error(&diag::CONTEXT_FIELD, &at(&call.args[0]), text);
        let d = match (prog, f.name) {
            (ProgType::CgroupSockopt, "retval") => d.help(
                "returning 0 lets the call fail with EPERM; for another error, before it: (set-retval (- EINVAL))",
            ),
            _ => d,
        };
        c.report(d.note(format!("those that can: {}", kinds.join(" "))));
        return None;
    }
    if matches!(prog, ProgType::Kprobe) && c.target.arch != Arch::X86_64 {
        let text = format!("`{}` is a register of x86-64, and this is compiled for {}", f.name, c.target.arch);
        let d = diag::error(&diag::CONTEXT_FIELD, &at(&call.args[0]), text);
        c.report(d.help("(pt-regs-parm1), (pt-regs-ret) and so on are right everywhere"));
        return None;
    }
    if !c.target.has(f.since) {
        let text = format!("field `{}` came with kernel {}, and the target is {}", f.name, f.since, c.target.kernel);
        c.report(diag::error(&diag::CONTEXT_FIELD, &at(&call.args[0]), text));
        return None;
    }
    let read_only = (!f.writes(prog, attach, f.elem_size(), 0))
        .then(|| format!("`{}` of the context can only be read in this type of program", f.name));
    let ptr = ctx(c, call.at());
    let mut off = f.offset as i32;
    let mut ty = field_type(f);
    if let Ty::Array(elem, n) = &ty {
        let (elem, n) = ((**elem).clone(), *n);
        let Some(index) = call.args.get(1) else {
            c.malformed(call.form, format!("`{}` is an array of {n}: (ctx {} index)", f.name, f.name));
            return None;
        };
        let i = c.const_value(index, "an index into the context")?;
        if !(0..i128::from(n)).contains(&i) {
            c.report(super::memory::outside(i, n, &at(index)));
            return None;
        }
        off += i as i32 * elem.size() as i32;
        ty = elem;
    } else if let Some(extra) = call.args.get(1) {
        c.malformed(extra, format!("`{}` is no array", f.name));
        return None;
    }
    Some(Place::Memory(raw(ptr, off, ty, read_only, call.at())))
}

/// How the program under check is attached; not known in a subprogram.
fn attach_type(c: &Checker<'_>) -> Option<whistler_isa::AttachType> {
    c.f.program.as_ref()?.attach_type
}

/// The section of programs attached so.
fn section_of(prog: ProgType, attach: whistler_isa::AttachType) -> Option<String> {
    whistler_isa::sections::name_for(prog, Some(attach), false, None).map(|s| format!("\"{s}\""))
}

fn known_as(prog: ProgType) -> &'static str {
    match prog.info().ctx {
        ContextKind::Struct(s) => s,
        _ => "the context",
    }
}

fn raw(ptr: Expr, off: i32, ty: Ty, read_only: Option<String>, at: At) -> MemPlace {
    MemPlace { ptr, off, ty, big_endian: false, bits: None, read_only, core: None, before: Vec::new(), at }
}

fn field_of(c: &Checker<'_>, form: &Form) -> Option<&'static Field> {
    let name = form.as_symbol()?;
    let ctx = table::of(c.prog_type()?)?;
    ctx.field(name.name()).or_else(|| ctx.field(&crate::names::norm_str(name.name())))
}

/// What other types of program read in their context, and where it is in programs of this one.
const ELSEWHERE: &[(ProgType, &str, &str)] = &[
    (ProgType::Xdp, "protocol", "the packet itself says it: (with-eth (data end) … (eth-type data) …)"),
    (ProgType::Xdp, "ifindex", "here it is (ctx ingress-ifindex)"),
    (ProgType::Xdp, "len", "the bytes from `data` to `data_end`: (- (xdp-data-end) (xdp-data))"),
    (ProgType::Xdp, "vlan_tci", "the packet itself says it: (with-vlan …)"),
    (ProgType::Xdp, "queue_mapping", "here it is (ctx rx-queue-index)"),
];

/// What C and other tools put before a field of the context.
const BEFORE_FIELDS: &[&str] =
    &["__sk_buff", "sk_buff", "skb", "xdp_md", "xdp_buff", "xdp", "context", "ctx", "md", "tc"];

/// How near to a field's name what is written has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// It is the name.
    Exact,
    /// It may be misspelt.
    Near,
}

/// The form for a field of this program's context that a name of C's kind means: `skb->len`, `skb-len`, `ctx.len`.
pub(crate) fn field_by_other_name(c: &Checker<'_>, name: &str, how: Spelling) -> Option<String> {
    let prog = c.prog_type()?;
    let same = |a: &str, b: &str| whistler_isa::same_name(a, b);
    let field = BEFORE_FIELDS.iter().find_map(|b| {
        let (head, rest) = name.split_at_checked(b.len())?;
        let rest = rest.strip_prefix("->").or_else(|| rest.strip_prefix(['-', '_', '.']))?;
        (same(head, b) && !rest.is_empty()).then_some(rest)
    })?;
    if let Some((_, _, mend)) = ELSEWHERE.iter().find(|(p, n, _)| *p == prog && same(n, field)) {
        return Some((*mend).to_string());
    }
    meant_field(c, prog, field, how)
}

/// How the field of this name, or the one nearest to it, is read.
fn meant_field(c: &Checker<'_>, prog: ProgType, name: &str, how: Spelling) -> Option<String> {
    let attach = attach_type(c);
    let fields = || table::of(prog).into_iter().flat_map(|x| x.fields.iter());
    let readable = || fields().filter(|f| f.reads(prog, attach, f.elem_size(), 0));
    let exact = readable().find(|f| whistler_isa::same_name(f.name, name));
    let found = match exact {
        Some(f) => f,
        None if how == Spelling::Exact => return None,
        None => {
            let near = nearest(name, readable().map(|f| f.name))?;
            readable().find(|f| f.name == near)?
        }
    };
    let index = if matches!(found.kind, FieldKind::Array(..)) { " index" } else { "" };
    let shown = found.name.replace('_', "-");
    Some(format!("the context's field is read as (ctx {shown}{index})"))
}

/// How programs read what comes without names: arguments of functions and events.
fn numbered(prog: Option<ProgType>) -> Option<&'static str> {
    match prog? {
        ProgType::Kprobe => {
            Some("an argument of the function is read by its name, (arg NAME), or by its place: (pt-regs-parm1)")
        }
        ProgType::Tracing | ProgType::Lsm | ProgType::StructOps => {
            Some("an argument of the hook is read by its name: (arg NAME)")
        }
        ProgType::RawTracepoint | ProgType::RawTracepointWritable => {
            Some("an argument of the event is read by its name, (arg NAME), or by its place: (ctx args 0)")
        }
        _ => None,
    }
}

fn unknown(c: &mut Checker<'_>, prog: ProgType, name: Symbol, here: &At) -> Option<Place> {
    let ctx = table::of(prog);
    let what = known_as(prog);
    let attach = attach_type(c);
    let readable = |f: &&Field| f.reads(prog, attach, f.elem_size(), 0);
    let known = ctx.into_iter().flat_map(|x| x.fields.iter()).filter(readable).map(|f| f.name);
    let mut d = diag::error(
        &diag::CONTEXT_FIELD,
        here,
        format!("{what} has no field `{name}` that programs of type :{} can read", prog.keyword()),
    );
    if let Some((_, _, mend)) = ELSEWHERE.iter().find(|(p, n, _)| *p == prog && whistler_isa::same_name(n, name.name()))
    {
        d = d.help(*mend);
    } else if let Some(near) = nearest(name.name(), known.clone()) {
        d = d.help(format!("did you mean `{near}`?"));
    } else {
        let event = c.f.program.as_ref().and_then(|p| Some(p.section.split_once('/')?.1.to_string()));
        if prog == ProgType::Tracepoint {
            let event = event.unwrap_or_else(|| "category/event".to_string());
            let field = name.name().replace('_', "-");
            d = d.help(format!("declare the event: (deftracepoint {event} {name}), and read its field: (tp-{field})"));
        } else if let Some(help) = numbered(Some(prog)) {
            d = d.help(help);
        }
        let having: Vec<String> = ProgType::ALL
            .iter()
            .filter(|p| {
                let field = table::of(**p).and_then(|t| t.field(name.name()));
                field.is_some_and(|f| f.read.contains(**p))
            })
            .take(4)
            .map(|p| format!(":{}", p.keyword()))
            .collect();
        if !having.is_empty() {
            d = d.note(format!("programs that have it: {} …", having.join(" ")));
        }
        let all: Vec<_> = known.take(24).collect();
        if !all.is_empty() {
            d = d.note(format!("its fields: {}", all.join(" ")));
        }
    }
    c.report(d);
    None
}

fn ctx_raw(c: &mut Checker<'_>, call: &Call<'_>) -> Option<Place> {
    let ty = c.type_of(&call.args[0])?;
    let off = c.const_value(&call.args[1], "an offset into the context")?;
    let Ok(off) = i32::try_from(off) else {
        c.malformed(&call.args[1], format!("an offset of {off} bytes"));
        return None;
    };
    let prog = c.prog_type();
    let ptr = ctx(c, call.at());
    let mut ty = ty;
    let mut read_only = None;
    match prog.map(|p| p.info().ctx) {
        Some(ContextKind::Record) => {
            record_word(c, off, ty.size(), call)?;
            read_only = Some("the record of a tracepoint can't be written".to_string());
        }
        Some(ContextKind::Args) => {
            argument_word(c, off, ty.size(), call)?;
            read_only = Some("the arguments of what is traced can't be written".to_string());
        }
        Some(ContextKind::Struct(_) | ContextKind::Bytes | ContextKind::Target) | None => {}
    }
    if let (Some(prog), Some(known)) = (prog, prog.and_then(table::of)) {
        let attach = attach_type(c);
        let (offset, size) = (u32::try_from(off).unwrap_or(u32::MAX), ty.size());
        let Some(first) = known.fields_at(offset).find(|f| f.read.contains(prog)) else {
            let text = format!(
                "{} has nothing at offset {off} that programs of type :{} can read",
                known.name,
                prog.keyword()
            );
            c.report(diag::error(&diag::CONTEXT_FIELD, &at(&call.args[1]), text));
            return None;
        };
        let Some(f) = known.fields_at(offset).find(|f| f.reads(prog, attach, size, offset - f.offset)) else {
            let elem = first.elem_size();
            let text = format!(
                "`{}` is {elem} bytes wide at offset {}, and can't be read as {size} at {off}",
                first.name, first.offset
            );
            c.report(
                diag::error(&diag::CONTEXT_WIDTH, &call.at(), text).help(format!("read it as (ctx {})", first.name)),
            );
            return None;
        };
        if f.is_pointer() {
            ty = field_type(f);
        }
        if !known.fields_at(offset).any(|f| f.writes(prog, attach, size, offset - f.offset)) {
            read_only = Some(if f.writes(prog, attach, f.elem_size(), 0) {
                format!("`{}` of the context can only be written whole: (setf (ctx {}) …)", f.name, f.name)
            } else {
                format!("`{}` of the context can only be read in this type of program", f.name)
            });
        }
    }
    Some(Place::Memory(raw(ptr, off, ty, read_only, call.at())))
}

/// The most bytes of a tracepoint's record (`PERF_MAX_TRACE_SIZE`).
const MAX_RECORD: u32 = 8192;
/// Bytes at a record's start that are the kernel's own.
const RECORD_OWN: u32 = 8;

/// Whether a tracepoint's record may be read there (`tp_prog_is_valid_access`); reports otherwise.
fn record_word(c: &mut Checker<'_>, off: i32, size: u32, call: &Call<'_>) -> Option<()> {
    let decl = c.f.tracepoint.and_then(|t| c.env.tracepoints.get(t)).cloned();
    let end = decl.as_ref().and_then(|d| d.format.fields.iter().map(|f| f.offset + f.size).max());
    let text = match u32::try_from(off) {
        Ok(n) if n >= RECORD_OWN && end.is_some_and(|end| n + size > end) => {
            let name = decl.map_or_else(String::new, |d| d.name.to_string());
            format!("the record of {name} has {} bytes", end.unwrap_or_default())
        }
        Ok(n) if n >= RECORD_OWN && n + size <= MAX_RECORD => {
            if n.is_multiple_of(size.max(1)) {
                return Some(());
            }
            let text = format!("{size} bytes of a record are read at a multiple of {size}, and {n} is none");
            c.report(
                diag::error(&diag::CONTEXT_WIDTH, &at(&call.args[1]), text).help("read its bytes, or a narrower type"),
            );
            return None;
        }
        _ => format!("a record's fields lie from byte {RECORD_OWN} on, up to {MAX_RECORD}"),
    };
    let d = diag::error(&diag::CONTEXT_FIELD, &at(&call.args[1]), text);
    c.report(d.help("(deftracepoint category/event) knows the fields by name: (tp-FIELD)"));
    None
}

/// Whether an argument of what is traced lies there (`btf_ctx_access`); reports otherwise.
fn argument_word(c: &mut Checker<'_>, off: i32, size: u32, call: &Call<'_>) -> Option<()> {
    if off < 0 || off % 8 != 0 || size > 8 {
        let text = format!("arguments are words of 8 bytes, and there is none of {size} bytes at {off}");
        c.report(diag::error(&diag::CONTEXT_WIDTH, &call.at(), text).help("read them by name: (arg NAME)"));
        return None;
    }
    let (types, program) = (c.types.clone(), c.f.program.clone());
    let hook = types.btf().zip(program.as_ref()).and_then(|(btf, p)| crate::hook::Hook::of(btf, p).ok());
    let Some(hook) = hook.filter(|h| h.way == crate::hook::Way::Typed) else { return Some(()) };
    // Behind them lies the result, for programs that run when there is one.
    let words = hook.slots + u32::from(hook.result);
    if (off as u32) / 8 < words {
        return Some(());
    }
    let text = format!("{} has {} words of arguments, and this is the one at {off}", hook.name, hook.slots);
    let names: Vec<&str> = hook.args.iter().map(|a| a.name.as_str()).collect();
    let d = diag::error(&diag::CONTEXT_FIELD, &at(&call.args[1]), text);
    c.report(d.help(format!("read them by name, (arg NAME): {}", names.join(" "))));
    None
}

fn packet(c: &mut Checker<'_>, call: &Call<'_>, field: &str) -> Val {
    let known = c.prog_type().and_then(table::of);
    let Some(f) = known
        .and_then(|k| k.field(field))
        .filter(|f| c.prog_type().is_some_and(|p| f.read.contains(p)) && f.is_pointer())
    else {
        return c.fail(diag::error(&diag::NOT_HERE, &call.at(), "this type of program can't read the packet directly"));
    };
    let ptr = ctx(c, call.at());
    Val::new(ExprKind::Load { ptr: Box::new(ptr), off: f.offset as i32 }, field_type(f), call.at())
}

fn pass(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let n = match c.prog_type() {
        Some(ProgType::Xdp) => 2,
        Some(ProgType::CgroupSkb | ProgType::SkSkb | ProgType::SkMsg | ProgType::SkReuseport | ProgType::Netfilter) => {
            1
        }
        Some(ProgType::SocketFilter) => -1,
        _ => 0,
    };
    Val::literal(n, call.at())
}

fn in_bounds(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let p = c.value(&call.args[0]);
    let n = c.const_value(&call.args[1], "the number of bytes");
    let end = c.value(&call.args[2]);
    let (Some(n), false, false) = (n, p.never(), end.never()) else { return Val::error(call.at()) };
    let n = Val::literal(n, at(&call.args[1]));
    let moved = super::arith::arith(c, super::arith::Op::Add, p, n, call.at());
    super::compare::not_above(c, moved, end, call.at())
}

/// A register at the probed place, by its offset in `struct pt_regs`.
pub(super) fn register(c: &mut Checker<'_>, call: &Call<'_>, off: i32) -> Val {
    if !matches!(c.prog_type(), Some(ProgType::Kprobe | ProgType::PerfEvent)) {
        return c.fail(diag::error(&diag::NOT_HERE, &call.at(), "only probes (kprobe, uprobe …) see registers"));
    }
    let ptr = ctx(c, call.at());
    Val::new(ExprKind::Load { ptr: Box::new(ptr), off }, Ty::U64, call.at())
}

/// When a probe's program runs, as far as its section says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Entry,
    Return,
}

fn moment(c: &Checker<'_>) -> Option<Moment> {
    let program = c.f.program.as_ref().filter(|p| p.prog_type == ProgType::Kprobe)?;
    let head = program.section.split(['/', '.']).next()?;
    match head {
        _ if program.section.contains(".session") => None,
        "kretprobe" | "uretprobe" | "kretsyscall" => Some(Moment::Return),
        // A place inside of a function is neither.
        "kprobe" | "uprobe" if program.section.rsplit('/').next().is_some_and(|t| t.contains('+')) => None,
        "kprobe" | "uprobe" | "ksyscall" => Some(Moment::Entry),
        _ => None,
    }
}

/// The function's result, which is there only behind it.
fn result(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    if call.form.origin.is_none() && moment(c) == Some(Moment::Entry) {
        let text = "the program runs where the function is entered, and there is no result yet";
        let d = diag::warning(&diag::OTHER_MOMENT, &call.at(), text);
        let section = c.f.program.as_ref().map_or(String::new(), |p| p.section.clone());
        let other = section.replacen("kprobe", "kretprobe", 1).replacen("uprobe", "uretprobe", 1);
        c.report(d.help(format!("hang it on the function's end: :section \"{other}\"")));
    }
    register(c, call, c.target.arch.registers().result)
}

/// A function's argument by its number from 0: in a register, or on the stack at the function's entry.
fn parameter(c: &mut Checker<'_>, call: &Call<'_>, number: usize) -> Val {
    if call.form.origin.is_none() && moment(c) == Some(Moment::Return) {
        let text = "the function has returned, and its arguments are gone from the registers";
        let d = diag::warning(&diag::OTHER_MOMENT, &call.at(), text);
        let of_user = c.f.program.as_ref().is_some_and(|p| p.section.starts_with('u'));
        let keep = "keep it in a map when the function is entered, under (get-current-pid-tgid)";
        c.report(match of_user {
            true => d.help(keep),
            false => d.help(format!("{keep}, or use fexit, which has both: (arg NAME) and (retval)")),
        });
    }
    super::probes::argument_there(c, call, number);
    let registers = c.target.arch.registers();
    if let Some(off) = registers.parameters.get(number) {
        return register(c, call, *off);
    }
    let sp = register(c, call, registers.sp);
    if sp.never() {
        return sp;
    }
    let off = registers.stack_parameters + 8 * (number - registers.parameters.len()) as i64;
    let address = Val::of(crate::check::bin(BinOp::Add, sp.e, off, &call.at()));
    // The stack is the probed function's: a user program's where that is probed.
    let of_user = c.f.program.as_ref().is_some_and(|p| p.section.starts_with('u'));
    let helper = if of_user { "probe_read_user" } else { "probe_read_kernel" };
    super::memory::probe_read(c, helper, Ty::U64, address, call.at())
}

// ---- tracepoints ----

fn tracepoint_memory(c: &mut Checker<'_>, field: Symbol, here: &At) -> Option<MemPlace> {
    let decl = c.f.tracepoint.and_then(|t| c.env.tracepoints.get(t)).cloned();
    let Some(decl) = decl.filter(|_| c.prog_type() == Some(ProgType::Tracepoint)) else {
        c.report(
            diag::error(&diag::NOT_HERE, here, "this isn't a program on a declared tracepoint")
                .help("declare it with (deftracepoint category/event), and give the program :type :tracepoint"),
        );
        return None;
    };
    let hung = c.f.program.as_ref().and_then(crate::hook::record).map(|(c, e)| format!("{c}/{e}"));
    if let Some(hung) = hung.filter(|h| !whistler_isa::same_name(h, decl.name.name())) {
        let text = format!("`{field}` is a field of {}, and the program hangs on {hung}", decl.name);
        let d = diag::error(&diag::NOT_HERE, here, text);
        c.report(d.help(format!("declare the event that it hangs on: (deftracepoint {hung} {field})")));
        return None;
    }
    let Some(f) = decl.format.field(field.name()) else {
        let near = nearest(field.name(), decl.format.fields.iter().map(|f| f.name.as_str())).map(str::to_string);
        let mut d = diag::error(&diag::CONTEXT_FIELD, here, format!("{} has no field `{field}`", decl.name));
        if let Some(near) = near {
            d = d.help(format!("did you mean `{near}`?"));
        }
        c.report(d);
        return None;
    };
    let int = |size: u32| Ty::Int(IntTy { size: size.clamp(1, 8) as u8, signed: f.signed });
    let ty = match f.kind {
        Kind::Scalar => int(f.size),
        Kind::Array { len, elem_size: 1 } if f.c_type.contains("char") => Ty::Array(std::rc::Rc::new(Ty::Char), len),
        Kind::Array { len, elem_size } => Ty::Array(std::rc::Rc::new(int(elem_size)), len),
        Kind::DataLoc | Kind::RelLoc => Ty::U32,
    };
    let ptr = ctx(c, here.clone());
    let read_only = Some("the record of a tracepoint can't be written".to_string());
    Some(raw(ptr, f.offset as i32, ty, read_only, here.clone()))
}

/// What of a tracepoint's field an accessor gives.
pub(super) enum Part {
    Value,
    Address,
    Text,
    Length,
}

/// The endings of accessors, `tp-F-ptr` and so on.
const ENDINGS: [(&str, Part); 3] = [("-ptr", Part::Address), ("-str", Part::Text), ("-len", Part::Length)];

/// What an accessor means at the tracepoint of the program under check: `tp-x-len` is its field `x_len`, or else the
/// length of its field `x`. Another tracepoint of the file may have it the other way.
fn meant(c: &Checker<'_>, name: Symbol) -> Option<(Symbol, Part)> {
    let decl = c.f.tracepoint.and_then(|t| c.env.tracepoints.get(t))?;
    let name = crate::names::norm_str(name.name());
    let name = name.strip_prefix("tp-")?;
    let field = |name: &str| decl.format.field(name).map(|f| Symbol::intern(&f.name));
    if let Some(field) = field(name) {
        return Some((field, Part::Value));
    }
    ENDINGS.into_iter().find_map(|(ending, part)| Some((field(name.strip_suffix(ending)?)?, part)))
}

/// An accessor of a tracepoint's field.
pub(super) fn tracepoint(c: &mut Checker<'_>, call: &Call<'_>, field: Symbol, part: Part) -> Val {
    let (field, part) = meant(c, call.name).unwrap_or((field, part));
    match part {
        Part::Value => tracepoint_field(c, call, field),
        Part::Address => tracepoint_pointer(c, call, field),
        Part::Text => tracepoint_string(c, call, field),
        Part::Length => tracepoint_length(c, call, field),
    }
}

/// What a field of variable size counts its offset from: the record's start, or the end of its own word.
fn located(c: &Checker<'_>, field: Symbol) -> Option<u32> {
    let decl = c.f.tracepoint.and_then(|t| c.env.tracepoints.get(t))?;
    let f = decl.format.field(field.name())?;
    match f.kind {
        Kind::DataLoc => Some(0),
        Kind::RelLoc => Some(f.offset + f.size),
        Kind::Scalar | Kind::Array { .. } => None,
    }
}

/// `(tp-F [i])`: a number, an element, or for a field of variable size its address.
fn tracepoint_field(c: &mut Checker<'_>, call: &Call<'_>, field: Symbol) -> Val {
    let Some(m) = tracepoint_memory(c, field, &call.at()) else { return Val::error(call.at()) };
    if let Some(base) = located(c, field) {
        return data_address(c, m, base, call.at());
    }
    if let (Ty::Array(elem, n), Some(index)) = (&m.ty, call.args.first()) {
        let base = Val::of(m.ptr.clone());
        return match super::memory::element(c, base, m.off, &elem.clone(), Some(*n), index, call.at()) {
            Some(m) => c.read(Place::Memory(m)),
            None => Val::error(call.at()),
        };
    }
    c.read(Place::Memory(m))
}

/// The address of data of variable size: the low half of their word counts from `base` in the record.
/// The verifier doesn't let the context be read at a computed offset, so the string is read by a probe.
fn data_address(c: &mut Checker<'_>, m: MemPlace, base: u32, here: At) -> Val {
    let word = c.read(Place::Memory(m));
    let off = crate::check::bin(BinOp::And, word.e, 0xffff, &here);
    let off = if base == 0 { off } else { crate::check::bin(BinOp::Add, off, i64::from(base), &here) };
    let base = ctx(c, here.clone());
    let base = Expr::new(ExprKind::Cast(Box::new(base)), Ty::U64, here.clone());
    let sum = Expr::new(ExprKind::Bin(BinOp::Add, Box::new(base), Box::new(off)), Ty::U64, here.clone());
    Val::new(ExprKind::Cast(Box::new(sum)), Ty::ptr(Space::Kernel, Some(Ty::Char)), here)
}

/// `(tp-F-ptr)`: the address of an array in the record, or of data of variable size.
fn tracepoint_pointer(c: &mut Checker<'_>, call: &Call<'_>, field: Symbol) -> Val {
    let Some(m) = tracepoint_memory(c, field, &call.at()) else { return Val::error(call.at()) };
    match located(c, field) {
        Some(base) => data_address(c, m, base, call.at()),
        None => c.address(m),
    }
}

/// `(tp-F-len)`: the bytes of data of variable size, a string's final 0 included: the high half of their word.
fn tracepoint_length(c: &mut Checker<'_>, call: &Call<'_>, field: Symbol) -> Val {
    let Some(m) = tracepoint_memory(c, field, &call.at()) else { return Val::error(call.at()) };
    let word = c.read(Place::Memory(m));
    Val::of(crate::check::bin(BinOp::ShrU, word.e, 16, &call.at()))
}

/// `(tp-F-str dst size)`: copies a string of the record into memory; yields its length with the final 0.
fn tracepoint_string(c: &mut Checker<'_>, call: &Call<'_>, field: Symbol) -> Val {
    let [dst, size] = call.args else {
        return c.malformed(call.form, format!("written as ({} pointer size)", call.name));
    };
    let Some(m) = tracepoint_memory(c, field, &call.at()) else { return Val::error(call.at()) };
    let src = match located(c, field) {
        Some(base) => data_address(c, m, base, call.at()),
        None => c.address(m),
    };
    let dst = c.value(dst);
    let size = c.value(size);
    super::calls::checked_helper(c, "probe_read_kernel_str", vec![dst, size, src], call.at())
}
