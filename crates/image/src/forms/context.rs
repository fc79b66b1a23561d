//! `context`: what a program is called with, built field by field for `run-prog`.

use std::rc::Rc;

use whistler_btf::{TracepointFieldKind, TypeSource};
use whistler_isa::ctx::{self, FieldKind};
use whistler_isa::{Arch, ContextKind, ProgType};
use whistler_lisp::{Interp, LispError, LispResult, Value};

use super::define;
use crate::live::Shared;

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "context",
        "type &rest fields",
        "The bytes of a context for `run-prog`: (context :xdp :ingress-ifindex 3), (context :tracepoint \"category/event\" :field value …), (context :raw-tracepoint arg …), (context :kprobe :parm1 1 …).",
        context,
    );
}

/// Where a register lies that `pt-regs-*` names.
fn register(name: &str) -> Option<usize> {
    let r = Arch::HERE.registers();
    let at = match name {
        "ret" => r.result,
        "ip" => r.ip,
        "sp" => r.sp,
        _ => {
            let number: usize = name.strip_prefix("parm")?.parse().ok()?;
            *r.parameters.get(number.checked_sub(1)?)?
        }
    };
    usize::try_from(at).ok()
}

fn context(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [kind, fields @ ..] = values else {
        return Err(LispError::simple("`context` takes the type of a program, as (context :xdp :ingress-ifindex 3)"));
    };
    let named = kind.as_symbol().filter(|s| s.is_keyword());
    let keyword = named.map(|s| s.name().trim_start_matches(':').to_lowercase()).unwrap_or_default();
    let Some((prog, _)) = ProgType::by_keyword(&keyword) else {
        return Err(LispError::simple(format!("{} is no type of program", interp.show(*kind))));
    };
    let bytes = match prog.info().ctx {
        _ if prog == ProgType::Tracepoint => tracepoint(shared, interp, fields)?,
        _ if matches!(prog, ProgType::RawTracepoint | ProgType::RawTracepointWritable) => {
            arguments(interp, &keyword, fields)?
        }
        ContextKind::Args => arguments(interp, &keyword, fields)?,
        _ if matches!(prog, ProgType::Kprobe) => registers(interp, fields)?,
        _ => structure(interp, prog, fields)?,
    };
    let mut live = shared.live()?;
    if live.made_contexts.len() >= MOST_CONTEXTS {
        live.made_contexts.clear();
    }
    live.made_contexts.entry(bytes.clone()).or_default().push(prog);
    drop(live);
    Ok(interp.heap.bytes(bytes))
}

/// More made contexts than this are not remembered.
const MOST_CONTEXTS: usize = 1024;

/// Whether programs of the one type are called with what those of the other are.
fn alike(a: ProgType, b: ProgType) -> bool {
    let arguments = |p: ProgType| match p.info().ctx {
        ContextKind::Args => true,
        _ => matches!(p, ProgType::RawTracepoint | ProgType::RawTracepointWritable),
    };
    a.info().ctx == b.info().ctx || (arguments(a) && arguments(b))
}

/// The error where a program is given a context that was made for programs of other types.
pub(super) fn of_another(shared: &Shared, name: &str, prog: ProgType, ctx: &[u8]) -> Result<(), LispError> {
    if matches!(prog.info().ctx, ContextKind::Target | ContextKind::Bytes) {
        return Ok(());
    }
    let live = shared.live()?;
    let Some(made) = live.made_contexts.get(ctx) else { return Ok(()) };
    let Some(other) = made.last().filter(|_| !made.iter().any(|m| alike(*m, prog))) else { return Ok(()) };
    let (own, other) = (prog.keyword(), other.keyword());
    let text = format!("`{name}` is a program of type :{own}, and this is the context of one of type :{other}");
    let right = match prog.info().ctx {
        _ if matches!(prog, ProgType::RawTracepoint | ProgType::RawTracepointWritable) => {
            format!("the arguments of the event: (context :{own} argument …)")
        }
        ContextKind::Args => format!("the arguments of the function: (context :{own} argument …)"),
        ContextKind::Record => {
            "the fields of the event: (context :tracepoint \"category/event\" :field value …)".to_string()
        }
        ContextKind::Struct("pt_regs") => format!("the registers: (context :{own} :parm1 value …)"),
        _ => format!("its fields: (context :{own} :field value …)"),
    };
    Err(LispError::simple(text).help(format!("it is called with {right}")))
}

/// Keywords with their values.
pub(super) fn pairs(interp: &Interp, form: &str, fields: &[Value]) -> Result<Vec<(String, Value)>, LispError> {
    let mut out = Vec::new();
    for pair in fields.chunks(2) {
        let [key, value] = pair else {
            return Err(LispError::simple(format!("`{form}`: there is no value behind {}", interp.show(pair[0]))));
        };
        let Some(name) = key.as_symbol().filter(|s| s.is_keyword()) else {
            return Err(LispError::wrong_type(&interp.show(*key), "the name of a field, as :ifindex"));
        };
        out.push((name.name().trim_start_matches(':').to_lowercase(), *value));
    }
    Ok(out)
}

/// A number as the low bytes of a field; what does not fit is an error.
pub(super) fn put(interp: &Interp, to: &mut [u8], name: &str, value: Value) -> Result<(), LispError> {
    let bits = 8 * to.len() as u32;
    let n = match interp.heap.as_i128(value) {
        Some(n) => n,
        None if value.is_nil() => 0,
        None if value == Value::T => 1,
        None => return Err(LispError::wrong_type(&interp.show(value), &format!("a number for {name}"))),
    };
    let fits = if bits >= 64 {
        (i64::MIN.into()..=u64::MAX.into()).contains(&n)
    } else {
        (-(1i128 << (bits - 1))..1i128 << bits).contains(&n)
    };
    if !fits {
        return Err(LispError::simple(format!("{n} does not fit into the {} bytes of {name}", to.len())));
    }
    for (i, b) in to.iter_mut().enumerate() {
        *b = (n >> (8 * i.min(15))) as u8;
    }
    Ok(())
}

fn quoted(interp: &Interp, v: Value) -> String {
    interp.heap.str(v).map_or_else(|| interp.show(v), |text| format!("{text:?}"))
}

fn arguments(interp: &Interp, kind: &str, fields: &[Value]) -> Result<Vec<u8>, LispError> {
    let mut out = vec![0; 8 * fields.len()];
    for (i, v) in fields.iter().enumerate() {
        if interp.heap.str(*v).is_some() || v.as_symbol().is_some_and(|s| s.is_keyword()) {
            let text = format!("the context of :{kind} is made of the hook's arguments, as numbers of 64 bits");
            return Err(LispError::simple(format!("{text}: {} is none", quoted(interp, *v)))
                .help(format!("(context :{kind} 1 2), in the order in which `(arg name)` has them"))
                .help(
                    "a struct, or a string, of the kernel: (kernel-object 'file :f_flags 2), (kernel-object \"text\")",
                ));
        }
        put(interp, &mut out[8 * i..8 * i + 8], "an argument", *v)?;
    }
    Ok(out)
}

fn registers(interp: &Interp, fields: &[Value]) -> Result<Vec<u8>, LispError> {
    let mut out = vec![0; Arch::HERE.registers().size as usize];
    for (name, value) in pairs(interp, "context", fields)? {
        let Some(at) = register(&name) else {
            let e = LispError::simple(format!("a probe's context has no :{name}"));
            let last = Arch::HERE.registers().parameters.len();
            return Err(e.help(format!("it has :parm1 to :parm{last}, :ret, :ip and :sp")));
        };
        put(interp, &mut out[at..at + 8], &name, value)?;
    }
    Ok(out)
}

fn structure(interp: &Interp, prog: ProgType, fields: &[Value]) -> Result<Vec<u8>, LispError> {
    let Some(known) = ctx::of(prog) else {
        return Err(LispError::simple(format!("the context of :{} is not made of fields", prog.keyword())));
    };
    let mut out = vec![0; known.size as usize];
    for (name, value) in pairs(interp, "context", fields)? {
        let Some(f) = known.field(&name) else {
            let all: Vec<String> = known.fields.iter().map(|f| format!(":{}", f.name.replace('_', "-"))).collect();
            return Err(LispError::simple(format!("{} has no field :{name}", known.name))
                .help(format!("it has {}", all.join(" "))));
        };
        if f.is_pointer() {
            return Err(LispError::simple(format!("`{}` is a pointer that the run itself makes", f.name)));
        }
        let at = f.offset as usize;
        let to = &mut out[at..at + f.size as usize];
        if let FieldKind::Array(elem, n) = f.kind {
            let items = interp.heap.list_items(value).or_else(|| interp.heap.items(value).map(<[Value]>::to_vec));
            let items = items.unwrap_or_else(|| vec![value]);
            if items.len() > n as usize {
                return Err(LispError::simple(format!("`{}` has {n} elements, not {}", f.name, items.len())));
            }
            for (place, v) in to.chunks_mut(elem as usize).zip(items) {
                put(interp, place, f.name, v)?;
            }
            continue;
        }
        put(interp, to, f.name, value)?;
    }
    Ok(out)
}

fn tracepoint(shared: &Shared, interp: &Interp, fields: &[Value]) -> Result<Vec<u8>, LispError> {
    let [event, fields @ ..] = fields else {
        return Err(LispError::simple("it is written (context :tracepoint \"category/event\" :field value …)"));
    };
    let name = crate::args::text(interp, *event, "context")?;
    let Some((category, event)) = name.split_once('/') else {
        return Err(LispError::simple(format!("`{name}` is no tracepoint: write \"category/event\"")));
    };
    let format = shared
        .options
        .kernel
        .tracepoint(category, event)
        .map_err(|e| LispError::simple(format!("tracepoint {name}: {e}")))?;
    let size = format.fields.iter().map(|f| (f.offset + f.size) as usize).max().unwrap_or(8);
    let mut out = vec![0; size];
    for (key, value) in pairs(interp, "context", fields)? {
        let spelled = key.replace('-', "_");
        let Some(f) = format.field(&key).or_else(|| format.field(&spelled)) else {
            let all: Vec<String> = format.fields.iter().map(|f| format!(":{}", f.name.replace('_', "-"))).collect();
            return Err(
                LispError::simple(format!("{name} has no field :{key}")).help(format!("it has {}", all.join(" ")))
            );
        };
        let (at, len) = (f.offset as usize, f.size as usize);
        if f.kind.is_located() {
            let text = crate::args::text(interp, value, "context")?;
            // The low half of the word says where the text begins, the high half how long it is with its end.
            let base = if f.kind == TracepointFieldKind::RelLoc { at + len } else { 0 };
            let word = (out.len() - base) as u32 | (text.len() as u32 + 1) << 16;
            out[at..at + 4].copy_from_slice(&word.to_le_bytes());
            out.extend_from_slice(text.as_bytes());
            out.push(0);
            continue;
        }
        match (interp.heap.str(value), f.kind) {
            (Some(text), TracepointFieldKind::Array { .. }) => {
                let bytes = text.as_bytes();
                if bytes.len() > len {
                    return Err(LispError::simple(format!("{text:?} does not fit into the {len} bytes of {}", f.name)));
                }
                out[at..at + bytes.len()].copy_from_slice(bytes);
            }
            (_, TracepointFieldKind::Array { elem_size, .. }) => {
                let items = interp.heap.list_items(value).unwrap_or_else(|| vec![value]);
                for (i, v) in items.into_iter().enumerate().take(len / elem_size.max(1) as usize) {
                    let from = at + i * elem_size as usize;
                    put(interp, &mut out[from..from + elem_size as usize], &f.name, v)?;
                }
            }
            _ => put(interp, &mut out[at..at + len], &f.name, value)?,
        }
    }
    Ok(out)
}
