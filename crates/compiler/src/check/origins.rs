//! Where numbers come from, beyond their types: whether their bytes are still in the network's order, whether they are
//! addresses of the traced process. Invariant: what is said here is so on every path; of an assigned variable, or one
//! whose address is taken, nothing is said.

use whistler_diag::Span;
use whistler_isa::{ContextKind, ProgType, places};

use super::{Checker, PacketStart, Val};
use crate::hir::{Expr, ExprKind, Space};

/// What is known of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Its bytes are in the network's order; the form that puts them into the host's, and what it counts.
    Network(&'static str, Holds),
    /// Two bytes of the packet as they lie there, and how far from its first one, where that is known.
    Wire(Option<i64>),
    /// An address of the traced process.
    User,
    /// A word of eight bytes that holds a signed number of four.
    NarrowWord,
}

/// What a number in the network's order is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holds {
    /// An IPv4 address: programs keep and show those as they lie in packets.
    Address,
    /// A port, an ethertype, a length …
    Number,
}

impl Holds {
    /// By the name that the kernel gives it.
    fn named(field: &str) -> Holds {
        let address = ["addr", "ip4", "_ip", "gateway", "gw4"].iter().any(|part| field.contains(part));
        if address { Holds::Address } else { Holds::Number }
    }
}

impl Checker<'_> {
    /// Where a number comes from, if that is known.
    pub(crate) fn origin(&self, e: &Expr) -> Option<Origin> {
        if e.at.origin.is_none()
            && let Some((_, form, holds)) = self.f.network.iter().find(|(span, ..)| *span == e.at.span)
        {
            return Some(Origin::Network(form, *holds));
        }
        match &e.kind {
            ExprKind::Local(l) => {
                let var = &self.f.vars[l.0 as usize];
                var.origin.filter(|_| !var.addressed)
            }
            ExprKind::Seq(parts) => self.origin(parts.last()?),
            // The two bytes of a port stay what they are without those behind them.
            ExprKind::Cast(inner) if e.ty.size() == 2 => match self.origin(inner) {
                Some(Origin::Network("ntohs", holds)) => Some(Origin::Network("ntohs", holds)),
                other => other.filter(|_| inner.ty.size() <= 2),
            },
            // As many bytes, or more: what is cut off may be what says it.
            ExprKind::Cast(inner) if inner.ty.size() <= e.ty.size() => self.origin(inner),
            ExprKind::Load { ptr, off } => match ptr.ty.as_ptr()?.space {
                Space::Ctx if matches!(ptr.kind, ExprKind::Ctx) => self.of_context(*off, e.ty.size()),
                Space::Packet if e.ty.size() == 2 && e.ty.as_int().is_some() => {
                    let place = self.packet_base(ptr).filter(|(root, _)| {
                        let var = &self.f.vars[root.0 as usize];
                        !var.assigned && var.start == Some(PacketStart::Data)
                    });
                    Some(Origin::Wire(place.map(|(_, base)| base + i64::from(*off))))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn of_context(&self, off: i32, size: u32) -> Option<Origin> {
        let prog = self.prog_type()?;
        let off = u32::try_from(off).ok()?;
        match prog.info().ctx {
            ContextKind::Record => {
                let decl = self.f.tracepoint.and_then(|t| self.env.tracepoints.get(t))?;
                let field = decl.format.fields.iter().find(|f| f.offset == off && f.size == size)?;
                let of_call = decl.name.name().starts_with("syscalls/sys_enter");
                if of_call && field.c_type.contains('*') {
                    return Some(Origin::User);
                }
                let narrow = ["int", "pid_t", "key_serial_t", "timer_t", "const clockid_t", "clockid_t"];
                (size == 8 && !field.signed && narrow.contains(&field.c_type.trim())).then_some(Origin::NarrowWord)
            }
            ContextKind::Args => self.user_argument(off / 8),
            ContextKind::Struct("pt_regs") => {
                let registers = self.target.arch.registers().parameters;
                let number = registers.iter().position(|p| u32::try_from(*p) == Ok(off))?;
                self.user_argument(number as u32)
            }
            ContextKind::Struct(name) => {
                let field = whistler_isa::ctx::of(prog)?.fields.iter().find(|f| f.offset == off && f.size == size)?;
                places::network_order(name, field.name).map(|form| Origin::Network(form, Holds::named(field.name)))
            }
            ContextKind::Bytes | ContextKind::Target => None,
        }
    }

    /// Whether a number is a port that the kernel holds in the host's byte order, where it lies next to others in the
    /// network's.
    pub(crate) fn is_host_port(&self, e: &Expr) -> bool {
        if e.at.origin.is_none() && self.f.host_ports.contains(&e.at.span) {
            return true;
        }
        let ExprKind::Load { ptr, off } = &e.kind else { return false };
        let (Some(prog), Ok(off), true) = (self.prog_type(), u32::try_from(*off), matches!(ptr.kind, ExprKind::Ctx))
        else {
            return false;
        };
        let size = e.ty.size();
        match prog.info().ctx {
            ContextKind::Struct(name) => {
                let fields = whistler_isa::ctx::of(prog).map_or(&[][..], |c| c.fields);
                let field = fields.iter().find(|f| f.offset == off && f.size == size);
                field.is_some_and(|f| places::host_order(name, f.name))
            }
            ContextKind::Record => {
                let Some(decl) = self.f.tracepoint.and_then(|t| self.env.tracepoints.get(t)) else { return false };
                let field = decl.format.fields.iter().find(|f| f.offset == off && f.size == size);
                field.is_some_and(|f| places::host_order_of_event(decl.name.name(), &f.name))
            }
            ContextKind::Args | ContextKind::Bytes | ContextKind::Target => false,
        }
    }

    /// Notes that what stands at `span` reads such a port of one of the kernel's own structs.
    pub(crate) fn note_host_port(&mut self, span: Span) {
        if !self.f.host_ports.contains(&span) {
            self.f.host_ports.push(span);
        }
    }

    /// Whether a number is read from memory, as wide as it lies there: it can be any of its type.
    pub(crate) fn as_read(&self, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Load { ptr, .. } => ptr.ty.as_ptr().is_some_and(|p| p.space == Space::Packet),
            ExprKind::Bswap(_, inner) => self.as_read(inner),
            ExprKind::Cast(inner) => e.ty.size() == inner.ty.size() && self.as_read(inner),
            ExprKind::Seq(parts) => parts.last().is_some_and(|e| self.as_read(e)),
            ExprKind::Local(l) => self.f.vars[l.0 as usize].as_read,
            _ => false,
        }
    }

    /// Whether an argument of the function that the program is called at is an address of the process.
    fn user_argument(&self, number: u32) -> Option<Origin> {
        let program = self.f.program.as_ref()?;
        let (head, target) = program.section.split_once('/')?;
        let entered = matches!(program.prog_type, ProgType::Tracing | ProgType::Kprobe)
            && matches!(head, "kprobe" | "fentry" | "fentry.s" | "fexit" | "fexit.s" | "kprobe.multi");
        let function = target.split('+').next()?;
        (entered && places::is_user_argument(function, number)).then_some(Origin::User)
    }

    /// Whether a value is an address of the traced process.
    pub(crate) fn is_of_process(&self, v: &Val) -> bool {
        v.ty().as_ptr().is_some_and(|p| p.space == Space::User) || self.origin(&v.e) == Some(Origin::User)
    }

    /// Notes that what stands at `span` reads a number that the kernel holds in the network's order.
    pub(crate) fn note_network_order(&mut self, span: Span, bytes: u32, field: &str) {
        let form = match bytes {
            2 => "ntohs",
            4 => "ntohl",
            8 => "ntohll",
            _ => return,
        };
        if !self.f.network.iter().any(|(s, ..)| *s == span) {
            self.f.network.push((span, form, Holds::named(field)));
        }
    }
}
