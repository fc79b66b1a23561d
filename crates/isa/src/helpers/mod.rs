//! Helpers: what a program may call by number. Invariants: [`HELPERS`] is in
//! the order of the ids without a gap, and its index by name is sorted; both are static, so
//! a lookup costs no preparation.

mod map_types;
mod rows;

use crate::table::compare_names;
use crate::{KernelVersion, ProgType};
pub use rows::HELPERS;

/// Whether a helper reads or writes the memory it is given.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// Reads: every byte must have been written before.
    Read,
    /// Writes: the bytes need not have been written before.
    Write,
    /// Reads and writes.
    ReadWrite,
}

/// How many bytes a helper takes from the memory it is given.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MemSize {
    /// As many as the next argument says.
    Next,
    /// Always so many.
    Fixed(u32),
}

/// What a helper expects as one of its arguments.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ArgKind {
    /// Any initialised value.
    Anything,
    /// A map.
    ConstMap,
    /// A pointer to a key of the map among the arguments.
    MapKey,
    /// A pointer to a value of the map among the arguments, read.
    MapValue,
    /// A pointer to space for a value of that map, written.
    MapValueOut,
    /// A pointer to memory.
    Mem(Access, MemSize),
    /// A number of bytes of the memory before it, at least 1; its range must be known.
    Size,
    /// The same, and may be 0.
    SizeOrZero,
    /// A constant number of bytes to be handed out.
    AllocSize,
    /// The program's context.
    Ctx,
    /// A pointer to a `bpf_spin_lock` in a map value.
    SpinLock,
    /// A pointer to a `bpf_timer` in a map value.
    Timer,
    /// A socket of any state (`sock_common`), or one that contains it.
    SockCommon,
    /// A socket, by our struct or by the kernel's own type.
    BtfSockCommon,
    /// A pointer to this kernel struct; empty: to the one the other argument says.
    Btf(&'static str),
    /// A pointer to a per-CPU variable of the kernel.
    PercpuBtf,
    /// Bytes reserved in a ring buffer.
    RingbufMem,
    /// A function of the program, as a callback.
    Func,
    /// A pointer to the stack, handed on to a callback.
    Stack,
    /// A constant string in a read-only map, ending in NUL.
    ConstStr,
    /// A pointer to a field of a map value that holds a kernel pointer.
    KptrDest,
    /// An initialised dynptr.
    Dynptr,
    /// Space for a dynptr, initialised by the call.
    DynptrOut,
    /// A number that is known when the program is loaded.
    Constant,
    /// Anything at all: the callee looks itself.
    Ignored,
    /// What the kernel puts in: the program gives 0.
    Implicit,
    /// Eight bytes on the stack for the state of interrupts.
    IrqFlags,
    /// A pointer to a `bpf_res_spin_lock` in a map value.
    ResSpinLock,
    /// An iterator of this struct, started.
    Iter(&'static str),
    /// Space for an iterator of this struct.
    IterOut(&'static str),
    /// A pointer to a field of this special type in a map value or an object of the program's.
    Field(&'static str),
    /// An object of the program's own.
    Owned,
}

/// One parameter of a helper.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arg {
    /// Its name in the kernel's documentation.
    pub name: &'static str,
    /// Its type in C.
    pub c_type: &'static str,
    /// What the verifier demands.
    pub kind: ArgKind,
    /// Whether a null pointer will do.
    pub nullable: bool,
    /// Whether the call takes the object away from the program.
    pub released: bool,
}

pub(crate) const fn arg(name: &'static str, c_type: &'static str, kind: ArgKind) -> Arg {
    Arg { name, c_type, kind, nullable: false, released: false }
}

impl Arg {
    pub(crate) const fn nullable(mut self) -> Arg {
        self.nullable = true;
        self
    }
    pub(crate) const fn released(mut self) -> Arg {
        self.released = true;
        self
    }
}

/// What a helper returns; [`HelperFlags::MAY_RETURN_NULL`] says whether a pointer may be null.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ret {
    /// A number.
    Int,
    /// Nothing.
    Void,
    /// A pointer to a value of the map (of a map of maps: a map; of a socket map: a socket).
    MapValue,
    /// A full socket (`bpf_sock`).
    Socket,
    /// A TCP socket (`bpf_tcp_sock`).
    TcpSock,
    /// A socket of any state.
    SockCommon,
    /// Memory of the size the arguments say.
    Mem,
    /// Bytes reserved in a ring buffer.
    RingbufMem,
    /// A per-CPU variable: memory or a kernel struct, as its type says.
    MemOrBtf,
    /// A pointer to this kernel struct; empty: of the type of the pointer exchanged.
    Btf(&'static str),
    /// The same, trusted by the verifier.
    TrustedBtf(&'static str),
}

bitflags::bitflags! {
    /// What else is known of a helper.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct HelperFlags: u8 {
        /// Only for programs under a licence that is compatible with the GPL.
        const GPL_ONLY = 1;
        /// May sleep: only in sleepable programs.
        const MAY_SLEEP = 1 << 1;
        /// Moves the packet: pointers into it are void afterwards.
        const MOVES_PACKET = 1 << 2;
        /// Its result (or dynptr) must be released.
        const ACQUIRES = 1 << 3;
        /// The pointer it returns may be null.
        const MAY_RETURN_NULL = 1 << 4;
        /// Takes further numbers after the named parameters.
        const VARIADIC = 1 << 5;
    }
}

/// A set of program types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ProgSet(pub u64);

impl ProgSet {
    /// Whether the type is in the set.
    pub const fn contains(self, prog: ProgType) -> bool {
        self.0 >> (prog as u32) & 1 == 1
    }

    /// The types in the set, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = ProgType> {
        ProgType::ALL.iter().copied().filter(move |p| self.contains(*p))
    }
}

/// One helper.
#[derive(Debug)]
pub struct Helper {
    /// The number it is called by.
    pub id: u32,
    /// Its name without `bpf_`.
    pub name: &'static str,
    /// Its parameters.
    pub args: &'static [Arg],
    /// What it returns.
    pub ret: Ret,
    /// What it returns, in C.
    pub ret_type: &'static str,
    /// What else is known.
    pub flags: HelperFlags,
    /// The first kernel that has it, for some program type.
    pub since: KernelVersion,
    /// The program types that may call it on 6.18, attached in some way.
    pub progs: ProgSet,
    /// The same on each of [`MEASURED`]; the last is `progs`.
    pub progs_on: [ProgSet; 3],
}

/// The kernels whose answers stand in [`Helper::progs_on`], oldest first.
pub const MEASURED: [KernelVersion; 3] =
    [KernelVersion::new(6, 1), KernelVersion::new(6, 12), KernelVersion::new(6, 18)];

impl Helper {
    /// The first kernel on which programs of the type may call it, as far as is known: where an older kernel than
    /// the oldest of [`MEASURED`] first had both, that one; between two of those, the later. `None`: never.
    pub fn allowed_since(&self, prog: ProgType) -> Option<KernelVersion> {
        let at = self.progs_on.iter().position(|set| set.contains(prog))?;
        let both = self.since.max(prog.info().since);
        Some(if at == 0 { both } else { both.max(MEASURED[at]) })
    }

    /// Whether programs of the type may call it on this kernel.
    pub fn allowed(&self, prog: ProgType, kernel: KernelVersion) -> bool {
        self.allowed_since(prog).is_some_and(|since| since <= kernel)
    }

    /// Whether calling it needs a licence compatible with the GPL.
    pub const fn gpl_only(&self) -> bool {
        self.flags.contains(HelperFlags::GPL_ONLY)
    }

    /// Whether it may sleep.
    pub const fn may_sleep(&self) -> bool {
        self.flags.contains(HelperFlags::MAY_SLEEP)
    }

    /// Whether pointers into the packet are void after it.
    pub const fn moves_packet(&self) -> bool {
        self.flags.contains(HelperFlags::MOVES_PACKET)
    }

    /// Whether what it hands out must be released.
    pub const fn acquires(&self) -> bool {
        self.flags.contains(HelperFlags::ACQUIRES)
    }

    /// The argument it releases, if any.
    pub fn releases(&self) -> Option<usize> {
        self.args.iter().position(|a| a.released)
    }

    /// Whether its result may be null.
    pub const fn may_return_null(&self) -> bool {
        self.flags.contains(HelperFlags::MAY_RETURN_NULL)
    }
}

/// The helper with this number.
pub fn by_id(id: u32) -> Option<&'static Helper> {
    HELPERS.get(id.checked_sub(1)? as usize)
}

/// The helper with this name, with or without `bpf_`; `-` and `_` are the same letter.
pub fn by_name(name: &str) -> Option<&'static Helper> {
    let name = name.strip_prefix("bpf_").or_else(|| name.strip_prefix("bpf-")).unwrap_or(name);
    let at = rows::BY_NAME
        .binary_search_by(|i| compare_names(HELPERS.get(usize::from(*i)).map_or("", |h| h.name), name))
        .ok()?;
    HELPERS.get(usize::from(*rows::BY_NAME.get(at)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_helper_is_found_by_number_and_by_name() {
        assert_eq!(HELPERS.len(), 211);
        for (i, h) in HELPERS.iter().enumerate() {
            assert_eq!(h.id as usize, i + 1);
            assert!(std::ptr::eq(by_id(h.id).unwrap(), h));
            assert!(std::ptr::eq(by_name(h.name).unwrap(), h), "{}", h.name);
            assert!(std::ptr::eq(by_name(&format!("bpf-{}", h.name.replace('_', "-"))).unwrap(), h), "{}", h.name);
            assert!(h.args.len() <= 5 && h.progs.0 != 0);
        }
        for name in ["", "bpf_", "map_lookup", "map_lookup_elem_", "zzz"] {
            assert!(by_name(name).is_none(), "{name}");
        }
        assert!(by_id(0).is_none() && by_id(212).is_none());
    }

    #[test]
    fn arguments_fit_together() {
        for h in HELPERS {
            for (i, a) in h.args.iter().enumerate() {
                let next = h.args.get(i + 1).map(|n| n.kind);
                if let ArgKind::Mem(_, MemSize::Next) = a.kind {
                    assert!(
                        matches!(next, Some(ArgKind::Size | ArgKind::SizeOrZero | ArgKind::AllocSize)),
                        "{}: {}",
                        h.name,
                        a.name
                    );
                }
                if matches!(a.kind, ArgKind::MapKey | ArgKind::MapValue | ArgKind::MapValueOut) {
                    assert!(h.args.iter().any(|m| m.kind == ArgKind::ConstMap), "{}", h.name);
                }
            }
        }
    }

    #[test]
    fn well_known_facts() {
        let h = by_name("ringbuf-submit").unwrap();
        assert_eq!((h.id, h.releases(), h.ret), (132, Some(0), Ret::Void));
        let h = by_name("map_lookup_elem").unwrap();
        assert!(h.may_return_null() && h.ret == Ret::MapValue && !h.gpl_only());
        let h = by_name("probe_read_kernel").unwrap();
        assert!(h.gpl_only());
        assert_eq!(h.args[0].kind, ArgKind::Mem(Access::Write, MemSize::Next));
        assert_eq!(h.args[1].kind, ArgKind::SizeOrZero);
        let h = by_name("xdp_adjust_head").unwrap();
        assert!(h.moves_packet() && h.progs.contains(ProgType::Xdp) && !h.progs.contains(ProgType::SchedCls));
        let h = by_name("get_current_task_btf").unwrap();
        assert_eq!(h.ret, Ret::TrustedBtf("task_struct"));
        assert!(by_name("copy_from_user").unwrap().may_sleep());
    }

    #[test]
    fn who_may_call_depends_on_the_kernel() {
        let v = KernelVersion::new;
        let pid = by_name("get_current_pid_tgid").unwrap();
        assert!(pid.allowed(ProgType::Kprobe, v(4, 2)) && !pid.allowed(ProgType::Kprobe, v(4, 1)));
        assert!(!pid.allowed(ProgType::Xdp, v(6, 1)) && pid.allowed(ProgType::Xdp, v(6, 12)));
        let get = by_name("cgrp_storage_get").unwrap();
        assert!(!get.allowed(ProgType::Kprobe, v(6, 1)));
        assert_eq!(by_name("xdp_adjust_head").unwrap().allowed_since(ProgType::Kprobe), None);
        for h in HELPERS {
            // What a kernel allows, later ones allow too.
            assert!(h.progs_on.windows(2).all(|w| w[0].0 & !w[1].0 == 0), "{}", h.name);
            assert!(h.since > MEASURED[0] || h.progs_on[0].0 != 0 || h.progs_on[1].0 == 0, "{}", h.name);
        }
    }
}
