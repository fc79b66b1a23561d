//! Memory behind pointers: whether it may be read or written. Invariant: bytes of a packet are read only where a check
//! has shown them to be there.

use super::{Checker, Val};
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, Expr, ExprKind, LocalId, PtrTy, Space, Ty};
use whistler_lisp::Form;

impl Checker<'_> {
    /// How many bytes from a packet pointer on are known to be there.
    pub fn covered(&self, v: &Val) -> u32 {
        let Some((root, off)) = v.base.or_else(|| self.packet_base(&v.e)) else { return 0 };
        let have = self.f.flow.covers.iter().find(|c| c.0 == root).map_or(0, |c| i64::from(c.1));
        if off < 0 { 0 } else { u32::try_from(have - off).unwrap_or(0) }
    }

    /// Checks that memory behind a pointer may be read, `len` bytes at `off`. Reports otherwise.
    pub fn readable(&mut self, v: Val, off: i64, len: Option<u32>, here: &At) -> Option<Val> {
        if v.never() {
            return None;
        }
        let p = match v.ty() {
            Ty::Ptr(p) => p.clone(),
            _ if v.is_zero() => {
                self.report(diag::error(&diag::MAYBE_NULL, here, "this is always null"));
                return None;
            }
            t => {
                let text = format!("this is {}, not a pointer", describe_number(t));
                self.report(
                    diag::error(&diag::NOT_A_POINTER, v.at(), text)
                        .help("memory of the kernel at an address is read with (kernel-load TYPE address)"),
                );
                return None;
            }
        };
        if p.nullable {
            let name = self.pointer_name(&v.e);
            let mut d =
                diag::error(&diag::MAYBE_NULL, here, format!("{name} may be null here")).label("read through it");
            let mut help = "bind it with `when-let` or `if-let`, or test it first: (when-let ((p …)) …)".to_string();
            if let ExprKind::Local(l) = v.e.kind {
                let local = &self.f.locals[l.0 as usize];
                d = d.also(local.span, "it can be null from here on");
                if !local.name.is_empty() {
                    let n = &local.name;
                    help = format!("bind it with (when-let (({n} …)) …), or leave before: (unless {n} (return …))");
                }
            }
            self.report(d.help(help));
            // Said once, it need not be said of every further use.
            if let Some(root) = self.root_of(&v.e) {
                self.f.flow.learn(&[super::Fact::NonNull(root)]);
            }
            return None;
        }
        if let Some(l) = self.root_of(&v.e)
            && self.f.flow.released.contains(&l)
        {
            let name = self.pointer_name(&v.e);
            let how = crate::forms::refs::how_released(&self.f.locals[l.0 as usize].ty);
            self.report(diag::error(&diag::RELEASED_TWICE, here, format!("{name} has been {how}")));
            return None;
        }
        match p.space {
            Space::Kernel | Space::User => {
                let form = if p.space == Space::User { "probe-read-user" } else { "kernel-load" };
                self.report(
                    diag::error(
                        &diag::KERNEL_ADDRESS,
                        here,
                        "the verifier lets this address be read only by a probe read",
                    )
                    .help(format!("use `{form}`, or a chain of fields: (-> p field …)")),
                );
                return None;
            }
            Space::Unknown => {
                self.report(
                    diag::error(&diag::NOT_A_POINTER, here, "it isn't known where this pointer points")
                        .help("memory of the kernel at an address is read with (kernel-load TYPE address)"),
                );
                return None;
            }
            Space::PacketEnd | Space::Map => {
                let what = if p.space == Space::Map { "a map" } else { "the end of the packet" };
                self.report(diag::error(&diag::NOT_A_POINTER, here, format!("{what} can't be read through")));
                return None;
            }
            Space::Packet => {
                if self.stale(&v.e, here) {
                    return None;
                }
                if let (Some((root, base)), Some(len)) = (v.base.or_else(|| self.packet_base(&v.e)), len) {
                    let have = self.f.flow.covers.iter().find(|c| c.0 == root).map_or(0, |c| i64::from(c.1));
                    let need = base + off + i64::from(len);
                    let at_start =
                        self.f.vars[root.0 as usize].start.filter(|_| !self.f.vars[root.0 as usize].assigned);
                    if base + off < 0 && at_start.is_some() {
                        let name = self.f.locals[root.0 as usize].name.clone();
                        let text = format!("this is {} bytes before the packet's first one", -(base + off));
                        let d = diag::error(&diag::PACKET_BOUNDS, here, text);
                        let help = match at_start {
                            Some(super::PacketStart::Meta) => "the metadata begins here".to_string(),
                            _ => format!(
                                "`{name}` is where the packet begins; (ctx data_meta) is what was put before it"
                            ),
                        };
                        self.report(d.help(help));
                        return None;
                    }
                    if need > have
                        && let Some(d) = self.too_far(root, here)
                    {
                        self.report(d);
                        self.f.flow.learn(&[super::Fact::Covers(root, u32::MAX)]);
                        return None;
                    }
                    if need > have && self.checks_packet() {
                        let text = format!("byte {} of the packet may not be there", need - 1);
                        let mut d = diag::error(&diag::PACKET_BOUNDS, here, text);
                        d = if have > 0 {
                            d.note(format!(
                                "the checks so far cover {have} bytes from `{}`",
                                self.f.locals[root.0 as usize].name
                            ))
                        } else {
                            d.note("nothing has been compared with the packet's end here")
                        };
                        self.report(d.help(format!(
                            "test it first: (when (<= (+ {} {need}) data-end) …)",
                            self.f.locals[root.0 as usize].name
                        )));
                        let said = u32::try_from(need).unwrap_or(u32::MAX);
                        self.f.flow.learn(&[super::Fact::Covers(root, said)]);
                        return None;
                    }
                } else if let Some(len) = len {
                    return self.readable_moved(v, off, len, here);
                }
            }
            Space::Ctx
            | Space::Stack
            | Space::MapValue
            | Space::MapConst
            | Space::Ring
            | Space::Mem
            | Space::Global
            | Space::Rodata
            | Space::Trusted => {}
        }
        if let (Some(t), Some(len)) = (&p.pointee, len)
            && !matches!(**t, Ty::Kernel(_) | Ty::Void)
            && matches!(
                p.space,
                Space::MapValue | Space::MapConst | Space::Stack | Space::Global | Space::Rodata | Space::Ring
            )
            && matches!(v.e.kind, ExprKind::Local(_) | ExprKind::AddrOf(_) | ExprKind::Global(_))
            && (off < 0 || off + i64::from(len) > i64::from(t.size()))
        {
            let text = format!("{len} bytes at offset {off} are not all within the {} bytes of {t}", t.size());
            self.report(diag::error(&diag::OBJECT_BOUNDS, here, text));
            return None;
        }
        Some(v)
    }

    /// A better mend for a number that stands where a pointer is needed, by the form that gave it.
    pub fn mend_not_a_pointer(&mut self, form: &Form) {
        let Some(name) = form.head() else { return };
        let pointer = format!("{name}-ptr");
        let own = match self.head(name) {
            super::Head::Accessor(crate::env::Accessor::Field(..) | crate::env::Accessor::Kernel(..), _) => {
                let argument = form.as_list().and_then(|l| l.get(1)).map_or(String::new(), |a| format!(" {a}"));
                Some(format!("the field's address is ({pointer}{argument})"))
            }
            super::Head::Accessor(crate::env::Accessor::Tp(field), _) => {
                let decl = self.f.tracepoint.and_then(|t| self.env.tracepoints.get(t));
                let of_user = decl.is_some_and(|d| {
                    d.name.name().starts_with("syscalls/")
                        && d.format.field(field.name()).is_some_and(|f| f.c_type.contains('*'))
                });
                of_user.then(|| {
                    format!(
                        "it is an address of the process: (user-load TYPE {form}), or (probe-read-user-str to n {form}) for text"
                    )
                })
            }
            _ => None,
        };
        if let (Some(help), Some(d)) = (own, self.diags.last_mut())
            && d.code == diag::NOT_A_POINTER.code
            && d.primary.span == form.span
        {
            d.help = vec![help];
        }
    }

    /// Checks that no object of the kernel's, such as a lock, lies in bytes that are read or written as memory.
    /// Reports otherwise.
    pub(crate) fn plain_memory(&mut self, v: Val, off: i64, len: u32, here: &At) -> Option<Val> {
        let found = match v.ty().as_ptr() {
            Some(PtrTy { pointee: Some(t), space: Space::MapValue, .. }) => {
                crate::builtin::SPECIAL.iter().find(|s| crate::builtin::lies_in(t, s, off, len))
            }
            _ => None,
        };
        let Some(found) = found else { return Some(v) };
        let text = format!("these {len} bytes hold a {}, which is no memory to read or write", found.replace('_', "-"));
        let d = diag::error(&diag::REGION, here, text);
        self.report(d.help("use the fields beside it; a copy of the whole is taken field by field"));
        None
    }

    fn checks_packet(&self) -> bool {
        true
    }

    /// The variable that facts about a pointer are kept under.
    pub fn root_of(&self, e: &Expr) -> Option<LocalId> {
        match &e.kind {
            ExprKind::Local(l) => Some(self.f.vars[l.0 as usize].root),
            ExprKind::AddrOf(l) => Some(*l),
            ExprKind::Cast(e) => self.root_of(e),
            ExprKind::Bin(BinOp::Add | BinOp::Sub, p, _) => self.root_of(p),
            _ => None,
        }
    }

    fn pointer_name(&self, e: &Expr) -> String {
        match &e.kind {
            ExprKind::Local(l) if !self.f.locals[l.0 as usize].name.is_empty() => {
                format!("`{}`", self.f.locals[l.0 as usize].name)
            }
            _ => "this pointer".to_string(),
        }
    }

    /// Why memory behind a pointer of this kind can't be written here, if so.
    pub fn why_read_only(&self, space: Space) -> Option<String> {
        use whistler_isa::ProgType as P;
        match space {
            Space::Rodata => Some("parameters and constant bytes can only be read".to_string()),
            Space::MapConst => Some("programs only read this map (BPF_F_RDONLY_PROG)".to_string()),
            Space::Trusted | Space::Kernel => Some("a kernel object can't be written".to_string()),
            Space::User => Some("the memory of a process is written with `probe-write-user`".to_string()),
            Space::Packet => {
                let writable = matches!(
                    self.f.ctx_type,
                    None | Some(P::Xdp | P::SchedCls | P::SchedAct | P::LwtXmit | P::SkSkb | P::SkMsg)
                );
                (!writable).then(|| "programs of this type can only read the packet".to_string())
            }
            _ => None,
        }
    }
}

fn describe_number(t: &Ty) -> String {
    super::convert::describe(t)
}
