//! The arguments of helpers and kernel functions, as the verifier wants them. Invariant: what is accepted here has
//! the pointer kind, the room and the range that the callee's row asks for; what only a path would show is let through.

use whistler_diag::Diagnostic;
use whistler_isa::{Access, Arg, ArgKind, MemSize};
use whistler_lisp::Form;

use crate::assemble::btf::c_int;
use crate::builtin;
use crate::check::val::type_range;
use crate::check::{Checker, Fit, Val, describe};
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, Expr, ExprKind, MapId, PtrTy, Space, Ty};
use crate::kernel;

/// The most bytes of memory that the verifier lets a size be (`BPF_MAX_VAR_SIZ`).
const MAX_SIZE: i128 = 1 << 29;
/// What the kernel keeps of a socket at its start: pointers to one do for the other.
const SOCKETS: &[&str] = &[
    "bpf_sock",
    "bpf_tcp_sock",
    "sock",
    "sock_common",
    "tcp_sock",
    "tcp6_sock",
    "tcp_timewait_sock",
    "tcp_request_sock",
    "udp6_sock",
    "unix_sock",
    "inet_connection_sock",
    "inet_sock",
    "request_sock",
    "socket",
];
/// Which kernel structs begin with another one that the verifier takes them for.
const BEGINS_WITH: &[(&str, &str)] = &[("bpf_cpumask", "cpumask")];

/// A callee while its arguments are checked.
pub(super) struct Callee {
    /// As programs write it.
    pub shown: String,
    /// Its parameters.
    pub args: &'static [Arg],
    /// The map among the arguments.
    pub map: Option<MapId>,
    /// What each argument is known to be.
    pub known: Vec<Option<i128>>,
}

impl Callee {
    pub(super) fn new(shown: String, args: &'static [Arg], values: &[Val]) -> Callee {
        let map = values.iter().find_map(|a| match a.e.kind {
            ExprKind::Map(id) => Some(id),
            _ => None,
        });
        let known = values.iter().map(|a| (a.lo == a.hi && a.int().is_some()).then_some(a.lo)).collect();
        Callee { shown, args, map, known }
    }
}

fn wrong(c: &mut Checker<'_>, here: &At, text: String, help: Option<&str>) -> Option<Expr> {
    let d = diag::error(&diag::ARGUMENT_TYPE, here, text);
    c.report(match help {
        Some(h) => d.help(h),
        None => d,
    });
    None
}

/// Argument `i`, checked; `None` when it is reported as wrong.
pub(super) fn argument(c: &mut Checker<'_>, callee: &Callee, i: usize, v: Val) -> Option<Expr> {
    let spec = callee.args.get(i)?;
    let here = v.at().clone();
    let name = spec.name.replace('_', "-");
    let what = format!("`{name}` of `{}`", callee.shown);
    if spec.nullable && v.is_zero() {
        return Some(Expr::new(ExprKind::Const(0), Ty::nullable_ptr(Space::Unknown, None), here));
    }
    let map = callee.map.map(|m| c.unit.maps[m.0 as usize].clone());
    match spec.kind {
        ArgKind::Anything => number(c, callee, spec, v),
        ArgKind::Ignored => Some(match v.ty() {
            Ty::Ptr(_) => v.e,
            _ => {
                let v = c.number(v, &callee.shown);
                c.fit(v, &Ty::U64, Fit::Bits)
            }
        }),
        ArgKind::Implicit => Some(Expr::new(ExprKind::Const(0), Ty::nullable_ptr(Space::Unknown, None), here)),
        ArgKind::Size | ArgKind::SizeOrZero => size(c, callee, i, v),
        ArgKind::AllocSize | ArgKind::Constant => {
            if v.lo != v.hi && !matches!(v.e.kind, ExprKind::CoreValue { .. }) {
                let d = diag::error(&diag::NOT_CONSTANT, &here, format!("{what} is known when the program is loaded"));
                c.report(d.help("give a literal, a `defconstant` name, or (sizeof T)"));
                return None;
            }
            let v = c.number(v, &callee.shown);
            Some(c.fit(v, &Ty::U64, Fit::Bits))
        }
        ArgKind::ConstMap => {
            if v.ty().as_ptr().is_none_or(|p| p.space != Space::Map) {
                let text = format!("{what} must be a map, and this is {}", describe(v.ty()));
                return wrong(c, &here, text, Some("give the name of a `defmap`"));
            }
            Some(v.e)
        }
        ArgKind::Ctx => {
            // Some take a socket of the kernel's in place of a context that is one.
            if v.ty().as_ptr().is_none_or(|p| !matches!(p.space, Space::Ctx | Space::Trusted)) {
                let text = format!("{what} must be the context, and this is {}", describe(v.ty()));
                return wrong(c, &here, text, Some("give (ctx-ptr)"));
            }
            not_null(c, v, spec).map(|v| v.e)
        }
        ArgKind::MapKey => memory(c, v, map.map(|m| m.key_size), Access::Read, &callee.shown, &name),
        ArgKind::MapValue => memory(c, v, map.map(|m| m.value_size), Access::Read, &callee.shown, &name),
        ArgKind::MapValueOut => memory(c, v, map.map(|m| m.value_size), Access::Write, &callee.shown, &name),
        ArgKind::Mem(access, len) => {
            let len = match len {
                MemSize::Fixed(n) => Some(n),
                MemSize::Next => callee.known.get(i + 1).copied().flatten().and_then(|n| u32::try_from(n).ok()),
            };
            memory(c, v, len, access, &callee.shown, &name)
        }
        ArgKind::SpinLock => in_value(c, v, "bpf_spin_lock", &what),
        ArgKind::ResSpinLock => in_value(c, v, "bpf_res_spin_lock", &what),
        ArgKind::Timer => in_value(c, v, "bpf_timer", &what),
        ArgKind::Field(t) => in_value(c, v, t, &what),
        ArgKind::Dynptr if given_dynptr(v.ty()) => Some(v.e),
        ArgKind::Dynptr => on_stack(c, v, "bpf_dynptr", &what, "bind one with (with-dynptr (d SOURCE) …)"),
        ArgKind::DynptrOut => on_stack(c, v, "bpf_dynptr", &what, "make one with (make-bpf-dynptr)"),
        ArgKind::Iter(t) | ArgKind::IterOut(t) => {
            let help = format!("make one with (make-{}), or use (do-kernel …)", t.replace('_', "-"));
            on_stack(c, v, t, &what, &help)
        }
        ArgKind::IrqFlags => {
            let v = memory(c, v, Some(8), Access::Write, &callee.shown, &name)?;
            if v.ty.as_ptr().is_some_and(|p| p.space == Space::Stack) {
                return Some(v);
            }
            wrong(c, &here, format!("{what} is 8 bytes on the stack"), Some("give (stack-addr v) of a u64 variable"))
        }
        ArgKind::ConstStr => {
            let rodata = v.ty().as_ptr().is_some_and(|p| p.space == Space::Rodata);
            if matches!(v.e.kind, ExprKind::Bytes(_)) || rodata {
                return Some(v.e);
            }
            wrong(c, &here, format!("{what} is a constant string"), Some("give a literal: \"…\""))
        }
        ArgKind::SockCommon | ArgKind::BtfSockCommon => object(c, v, "sock_common", spec, &what),
        ArgKind::Btf(t) => object(c, v, t, spec, &what),
        ArgKind::RingbufMem => {
            let v = not_null(c, v, spec)?;
            if v.ty().as_ptr().is_none_or(|p| p.space != Space::Ring) {
                let text = format!("{what} must be a record of a ring buffer, and this is {}", describe(v.ty()));
                return wrong(c, &here, text, Some("one comes from (ringbuf-reserve map size)"));
            }
            Some(v.e)
        }
        ArgKind::Stack if v.is_zero() => {
            Some(Expr::new(ExprKind::Const(0), Ty::nullable_ptr(Space::Unknown, None), here))
        }
        ArgKind::PercpuBtf | ArgKind::Func | ArgKind::Stack | ArgKind::KptrDest | ArgKind::Owned => {
            if !matches!(v.ty(), Ty::Ptr(_)) {
                return wrong(c, &here, format!("{what} is a pointer, and this is a number"), None);
            }
            not_null(c, v, spec).map(|v| v.e)
        }
    }
}

fn not_null(c: &mut Checker<'_>, v: Val, spec: &Arg) -> Option<Val> {
    let here = v.at().clone();
    let released = c.root_of(&v.e).is_some_and(|l| c.f.flow.released.contains(&l));
    let nullable = v.ty().as_ptr().is_some_and(|p| p.nullable) && !spec.nullable;
    if released || nullable { c.readable(v, 0, None, &here) } else { Some(v) }
}

/// A number; where the callee takes an address, a pointer too.
fn number(c: &mut Checker<'_>, callee: &Callee, spec: &Arg, v: Val) -> Option<Expr> {
    let here = v.at().clone();
    let int = c_int(spec.c_type);
    if let Ty::Ptr(p) = v.ty() {
        if let Some(int) = int
            && !p.space.is_number()
            && (int.size < 8 || p.space == Space::Map)
        {
            let name = spec.name.replace('_', "-");
            let text = format!("`{name}` of `{}` is a number, and this is a pointer", callee.shown);
            return wrong(c, &here, text, Some("give what it holds: (load TYPE pointer), or a field"));
        }
        return Some(v.e);
    }
    let v = c.number(v, &callee.shown);
    if let (Some(n), Some(int)) = (v.as_lit(), int) {
        let (lo, hi) = type_range(int);
        let bits = 8 * u32::from(int.size);
        if n > hi.max((1 << bits) - 1) || n < lo.min(-(1 << (bits - 1))) {
            let name = spec.name.replace('_', "-");
            let text = format!("{n} does not fit `{name}` of `{}`, which is {}", callee.shown, Ty::Int(int));
            return wrong(c, &here, text, None);
        }
    }
    Some(c.fit(v, &Ty::U64, Fit::Bits))
}

/// A number of bytes of the memory before it.
fn size(c: &mut Checker<'_>, callee: &Callee, i: usize, v: Val) -> Option<Expr> {
    let here = v.at().clone();
    if swapped(callee, i, &v) {
        let names: Vec<String> = callee.args.iter().map(|a| a.name.replace('_', "-")).collect();
        let text = format!("the size of `{}` stands before the source, and here it comes last", callee.shown);
        return wrong(c, &here, text, Some(&format!("the arguments are ({} {})", callee.shown, names.join(" "))));
    }
    let v = c.number(v, &callee.shown);
    if v.never() {
        return None;
    }
    let name = callee.args.get(i).map_or_else(String::new, |a| a.name.replace('_', "-"));
    let zero_ok = callee.args.get(i).is_some_and(|a| a.kind == ArgKind::SizeOrZero);
    if v.lo == v.hi && (v.lo < 0 || v.lo > MAX_SIZE || (v.lo == 0 && !zero_ok)) {
        let text = format!("`{name}` of `{}` can't be {} bytes", callee.shown, v.lo);
        c.report(diag::error(&diag::OBJECT_BOUNDS, &here, text));
        return None;
    }
    if v.lo != v.hi && unbounded(&v.e) && (v.hi > MAX_SIZE || v.lo < 0) {
        let text = format!("`{name}` of `{}` may be any {}", callee.shown, v.ty());
        let d = diag::error(&diag::OBJECT_BOUNDS, &here, text);
        c.report(d.help("bound it before: (min n LIMIT), or (logand n MASK)"));
        return None;
    }
    Some(c.fit(v, &Ty::U64, Fit::Bits))
}

/// Whether the size and the address behind it changed places, as in C's functions that copy.
fn swapped(callee: &Callee, i: usize, v: &Val) -> bool {
    /// No address is as small: the kernel keeps the first page free (`mmap_min_addr`).
    const FIRST_PAGE: i128 = 4096;
    let known_here = v.lo == v.hi && v.int().is_some();
    let is_address = callee.args.get(i + 1).is_some_and(|a| a.kind == ArgKind::Anything && a.c_type.contains('*'));
    let constant_behind = callee.known.get(i + 1).copied().flatten();
    is_address && !known_here && constant_behind.is_some_and(|n| (1..FIRST_PAGE).contains(&n))
}

/// Whether a number certainly is not bounded on any path: it is read or computed right here.
fn unbounded(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Load { .. } | ExprKind::CoreLoad { .. } | ExprKind::Helper { .. } => true,
        ExprKind::Cast(e) => unbounded(e),
        _ => false,
    }
}

/// Memory that is read or written.
pub(super) fn memory(
    c: &mut Checker<'_>,
    v: Val,
    len: Option<u32>,
    access: Access,
    callee: &str,
    name: &str,
) -> Option<Expr> {
    let here = v.at().clone();
    if !matches!(v.ty(), Ty::Ptr(_)) {
        let text = format!("`{name}` of `{callee}` is a pointer to memory, and this is a number");
        return wrong(c, &here, text, Some("a variable's address is (stack-addr v)"));
    }
    if let (Some(len), Some(PtrTy { pointee: Some(t), space, .. }), Some(have)) =
        (len, v.ty().as_ptr().cloned(), room(&v.e))
        && len > have
        && matches!(
            space,
            Space::Stack | Space::MapValue | Space::MapConst | Space::Ring | Space::Global | Space::Rodata
        )
        && !(space == Space::Rodata && matches!(v.e.kind, ExprKind::Bytes(_)))
        && matches!(*t, Ty::Int(_) | Ty::Enum(_) | Ty::Struct(_) | Ty::Array(..))
    {
        let text = if have == t.size() {
            format!("`{callee}` gets {len} bytes of a {t}, which has {have}")
        } else {
            format!("`{callee}` gets {len} bytes, and from here on there are {have}")
        };
        c.report(diag::error(&diag::OBJECT_BOUNDS, &here, text));
        return None;
    }
    if let (ExprKind::Bytes(bytes), Some(len)) = (&v.e.kind, len)
        && len as usize > bytes.len()
    {
        let text = format!("`{callee}` gets {len} bytes of a string, which has {} with its 0", bytes.len());
        c.report(diag::error(&diag::OBJECT_BOUNDS, &here, text));
        return None;
    }
    let checked_len = match v.ty().as_ptr().map(|p| p.space) {
        Some(Space::Packet) => len,
        _ => Some(0),
    };
    let v = c.readable(v, 0, checked_len, &here)?;
    if access != Access::Read
        && let Some(why) = v.ty().as_ptr().and_then(|p| c.why_read_only(p.space))
    {
        c.report(diag::error(&diag::READ_ONLY, &here, why));
        return None;
    }
    Some(v.e)
}

/// How many bytes there are from a pointer on, as far as the types say.
pub(super) fn room(e: &Expr) -> Option<u32> {
    let own = || e.ty.as_ptr()?.pointee.as_deref().map(Ty::size).filter(|n| *n > 0);
    match &e.kind {
        // A field's address: the object it is in goes on behind it.
        ExprKind::Cast(object) if object.ty.as_ptr().is_some() => room(object).or_else(own),
        ExprKind::Bin(BinOp::Add, object, n) => match n.as_const().map(u32::try_from) {
            Some(Ok(n)) => room(object)?.checked_sub(n),
            _ => None,
        },
        _ => own(),
    }
}

/// A special field of a map value.
/// Types that the kernel looks for only where a map's value is described to it; globals are not.
const MAP_ONLY: &[&str] = &["bpf_spin_lock", "bpf_res_spin_lock", "bpf_timer", "bpf_wq"];

fn in_value(c: &mut Checker<'_>, v: Val, wanted: &str, what: &str) -> Option<Expr> {
    let here = v.at().clone();
    let v = c.readable(v, 0, None, &here)?;
    let shown = wanted.replace('_', "-");
    let p = v.ty().as_ptr().cloned();
    let fits = p.as_ref().is_some_and(|p| p.pointee.as_deref().is_some_and(|t| builtin::is(t, wanted)));
    if !fits {
        let text = format!("{what} is a pointer to a field of type {shown}, and this is {}", describe(v.ty()));
        let help = format!("declare the field as (f {shown}) and give its address, (S-f-ptr p)");
        return wrong(c, &here, text, Some(&help));
    }
    // The kernel finds such fields by the value's type; on the stack or in a ring buffer they mean nothing.
    let in_global = p.as_ref().is_some_and(|p| p.space == Space::Global) && MAP_ONLY.contains(&wanted);
    if in_global
        || p.is_some_and(|p| matches!(p.space, Space::Stack | Space::Ring | Space::Packet | Space::Rodata | Space::Ctx))
    {
        let text = format!("a {shown} works only in the value of a map, and this one is elsewhere");
        return wrong(c, &here, text, None);
    }
    Some(v.e)
}

/// Whether this is the dynptr that a callback got from the kernel.
fn given_dynptr(ty: &Ty) -> bool {
    let dynptr = |t: &Ty| builtin::is(t, "bpf_dynptr");
    ty.as_ptr().is_some_and(|p| p.space == Space::Mem && p.pointee.as_deref().is_some_and(dynptr))
}

/// An object of the kernel's that programs keep on their stack.
fn on_stack(c: &mut Checker<'_>, v: Val, wanted: &str, what: &str, help: &str) -> Option<Expr> {
    let here = v.at().clone();
    let fits = v
        .ty()
        .as_ptr()
        .is_some_and(|p| p.space == Space::Stack && p.pointee.as_deref().is_some_and(|t| builtin::is(t, wanted)));
    if !fits {
        let text = format!("{what} is a {} on the stack, and this is {}", wanted.replace('_', "-"), describe(v.ty()));
        return wrong(c, &here, text, Some(help));
    }
    c.readable(v, 0, None, &here).map(|v| v.e)
}

/// An object of the kernel.
fn object(c: &mut Checker<'_>, v: Val, wanted: &'static str, spec: &Arg, what: &str) -> Option<Expr> {
    let here = v.at().clone();
    let Ty::Ptr(p) = v.ty().clone() else {
        return wrong(c, &here, format!("{what} is a pointer, and this is a number"), None);
    };
    let v = not_null(c, v, spec)?;
    let have = match p.pointee.as_deref() {
        Some(Ty::Kernel(n)) => Some(n.clone()),
        _ => None,
    };
    let same =
        |a: &str, b: &str| a == b || (SOCKETS.contains(&a) && SOCKETS.contains(&b)) || BEGINS_WITH.contains(&(a, b));
    if let Some(n) = &have
        && !wanted.is_empty()
        && !same(n, wanted)
    {
        let help = holding(c, n, wanted).map(|member| format!("it holds one: (-> … {member})"));
        return wrong(c, &here, format!("{what} is a pointer to {wanted}, and this is one to {n}"), help.as_deref());
    }
    match p.space {
        Space::Kernel | Space::User | Space::Unknown => {
            let text = format!(
                "{what} is an object that the verifier vouches for, and this is an address it knows nothing of"
            );
            wrong(c, &here, text, Some(vouched(wanted)))
        }
        Space::Stack | Space::Packet | Space::PacketEnd | Space::Ring | Space::Map | Space::Rodata | Space::Global => {
            let text = format!("{what} is an object of the kernel, and this is {}", describe(v.ty()));
            wrong(c, &here, text, Some(vouched(wanted)))
        }
        Space::Ctx | Space::MapValue | Space::MapConst | Space::Mem | Space::Trusted => Some(v.e),
    }
}

/// The member of a kernel struct that points to an object of another type, or is one.
fn holding(c: &Checker<'_>, of: &str, wanted: &str) -> Option<String> {
    let types = c.types.clone();
    let btf = types.btf()?;
    let of = kernel::find(btf, of)?;
    let mut names = Vec::new();
    kernel::field_names(btf, of, &mut names);
    let is = |t: &Ty| matches!(t, Ty::Kernel(n) if **n == *wanted);
    let mut found = names.into_iter().filter(|name| {
        let ty = kernel::field(btf, of, name).and_then(|f| kernel::field_ty(btf, f.ty, Space::Trusted));
        match ty {
            Some(Ty::Ptr(p)) => p.pointee.as_deref().is_some_and(is),
            Some(t) => is(&t),
            None => false,
        }
    });
    let member = found.next()?;
    found.next().is_none().then_some(member)
}

/// The report on an object of the kernel's where another one is needed, by a form's own names.
pub(super) fn inside_of(c: &Checker<'_>, v: &Val, wanted: &str, what: &str, form: &Form) -> Option<Diagnostic> {
    let have = match v.ty().as_ptr()?.pointee.as_deref()? {
        Ty::Kernel(n) if **n != *wanted => n.clone(),
        _ => return None,
    };
    let text = format!("{what} is a pointer to {wanted}, and this is one to {have}");
    let d = diag::error(&diag::ARGUMENT_TYPE, v.at(), text);
    Some(match holding(c, &have, wanted) {
        Some(member) => d.help(format!("it holds one: (-> {form} {member})")),
        None => d,
    })
}

/// Where objects of a type come from.
fn vouched(wanted: &str) -> &'static str {
    match wanted {
        "task_struct" => "one comes from (get-current-task-btf), (task-from-pid n), or a typed argument",
        "cgroup" => "one comes from (cgroup-from-id n) or (cgroup-ancestor cgroup level)",
        "path" => "one lies in a file that the program is given: (-> (arg file) f_path)",
        "sock_common" => "one comes from (ctx sk), (sk-lookup-tcp …), or a typed argument",
        _ => "one comes from a call that returns it, or a typed argument",
    }
}
