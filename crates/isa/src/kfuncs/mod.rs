//! Kernel functions: what a program may call by name. Invariant: [`KFUNCS`] is sorted by name; the
//! kernel's BTF has the prototypes, and a test compares them, but the flags are in no BTF.

mod rows;

use crate::helpers::{Arg, ProgSet, Ret};
use crate::table::compare_names;
use crate::{KernelVersion, ProgType};
pub use rows::KFUNCS;

bitflags::bitflags! {
    /// What else is known of a kernel function (`KF_*` in linux/btf.h).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct KfuncFlags: u16 {
        /// What it returns must be released.
        const ACQUIRES = 1;
        /// It takes its first argument away from the program.
        const RELEASES = 1 << 1;
        /// The pointer it returns may be null.
        const MAY_RETURN_NULL = 1 << 2;
        /// May sleep: only in sleepable programs.
        const MAY_SLEEP = 1 << 3;
        /// Takes pointers that are trusted, or protected by RCU.
        const RCU = 1 << 4;
        /// Takes only trusted pointers.
        const TRUSTED = 1 << 5;
        /// Needs `bpf_rcu_read_lock` in sleepable programs.
        const RCU_PROTECTED = 1 << 6;
        /// Starts an iteration.
        const ITER_NEW = 1 << 7;
        /// Gives the next element.
        const ITER_NEXT = 1 << 8;
        /// Ends an iteration.
        const ITER_DESTROY = 1 << 9;
    }
}

/// One kernel function.
#[derive(Debug)]
pub struct Kfunc {
    /// Its name in the kernel's BTF.
    pub name: &'static str,
    /// Its parameters.
    pub args: &'static [Arg],
    /// What it returns.
    pub ret: Ret,
    /// What it returns, in C.
    pub ret_type: &'static str,
    /// What else is known.
    pub flags: KfuncFlags,
    /// The first kernel that offers it.
    pub since: KernelVersion,
    /// The program types that may call it on 6.18.
    pub progs: ProgSet,
}

impl Kfunc {
    /// Whether what it hands out must be released.
    pub const fn acquires(&self) -> bool {
        self.flags.contains(KfuncFlags::ACQUIRES)
    }

    /// The argument it releases, if any.
    pub fn releases(&self) -> Option<usize> {
        self.args.iter().position(|a| a.released)
    }

    /// Whether its result may be null.
    pub const fn may_return_null(&self) -> bool {
        self.flags.contains(KfuncFlags::MAY_RETURN_NULL)
    }

    /// Whether it may sleep.
    pub const fn may_sleep(&self) -> bool {
        self.flags.contains(KfuncFlags::MAY_SLEEP)
    }

    /// The name as programs write it: without `bpf_`, in `-` form.
    pub fn spelled(&self) -> String {
        self.name.strip_prefix("bpf_").unwrap_or(self.name).replace('_', "-")
    }
}

/// The function with this name, with or without `bpf_`; `-` and `_` are the same letter.
pub fn by_name(name: &str) -> Option<&'static Kfunc> {
    let find = |n: &str| KFUNCS.binary_search_by(|k| compare_names(k.name, n)).ok().and_then(|i| KFUNCS.get(i));
    find(name).or_else(|| find(&format!("bpf_{name}")))
}

/// The function that gives an object of this kernel struct back.
pub fn release_of(object: &str) -> Option<&'static Kfunc> {
    KFUNCS
        .iter()
        .filter(|k| !k.acquires())
        .find(|k| k.args.first().is_some_and(|a| a.released && matches!(a.kind, crate::ArgKind::Btf(n) if n == object)))
}

/// What `bpf_cast_to_kern_ctx` makes of the context of this type of program (`struct bpf_ctx_convert`).
pub fn kernel_context(prog: ProgType) -> Option<&'static str> {
    Some(match prog {
        ProgType::SocketFilter
        | ProgType::SchedCls
        | ProgType::SchedAct
        | ProgType::CgroupSkb
        | ProgType::LwtIn
        | ProgType::LwtOut
        | ProgType::LwtXmit
        | ProgType::LwtSeg6local
        | ProgType::SkSkb => "sk_buff",
        ProgType::Xdp => "xdp_buff",
        ProgType::CgroupSock => "sock",
        ProgType::CgroupSockAddr => "bpf_sock_addr_kern",
        ProgType::SockOps => "bpf_sock_ops_kern",
        ProgType::SkMsg => "sk_msg",
        ProgType::FlowDissector => "bpf_flow_dissector",
        ProgType::PerfEvent => "bpf_perf_event_data_kern",
        ProgType::CgroupDevice => "bpf_cgroup_dev_ctx",
        ProgType::CgroupSysctl => "bpf_sysctl_kern",
        ProgType::CgroupSockopt => "bpf_sockopt_kern",
        ProgType::SkReuseport => "sk_reuseport_kern",
        ProgType::SkLookup => "bpf_sk_lookup_kern",
        ProgType::Netfilter => "bpf_nf_ctx",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ArgKind;

    #[test]
    fn every_function_is_found_by_name() {
        assert!(KFUNCS.len() >= 190, "{}", KFUNCS.len());
        assert!(KFUNCS.is_sorted_by(|a, b| compare_names(a.name, b.name).is_lt()));
        for k in KFUNCS {
            assert!(std::ptr::eq(by_name(k.name).unwrap(), k), "{}", k.name);
            assert!(k.args.len() <= 5 && k.progs.0 != 0, "{}", k.name);
            if crate::helpers::by_name(k.name).is_none() {
                assert!(std::ptr::eq(by_name(&k.spelled()).unwrap(), k), "{}", k.name);
            }
        }
        assert!(by_name("task_from").is_none() && by_name("").is_none());
    }

    #[test]
    fn flags_and_arguments_agree() {
        for k in KFUNCS {
            assert_eq!(k.flags.contains(KfuncFlags::RELEASES), k.releases().is_some(), "{}", k.name);
            if k.may_return_null() || k.acquires() {
                assert!(!matches!(k.ret, Ret::Int | Ret::Void), "{}", k.name);
            }
            let iterates = k.flags.intersects(KfuncFlags::ITER_NEXT | KfuncFlags::ITER_DESTROY);
            assert_eq!(iterates, matches!(k.args.first().map(|a| a.kind), Some(ArgKind::Iter(_))), "{}", k.name);
            let starts = k.flags.contains(KfuncFlags::ITER_NEW);
            assert_eq!(starts, matches!(k.args.first().map(|a| a.kind), Some(ArgKind::IterOut(_))), "{}", k.name);
        }
    }

    #[test]
    fn what_is_acquired_can_be_released() {
        for k in KFUNCS.iter().filter(|k| k.acquires()) {
            let object = match k.ret {
                Ret::TrustedBtf(n) if !n.ends_with("___init") => n,
                _ => continue,
            };
            assert!(release_of(object).is_some(), "{}: {object}", k.name);
        }
        assert_eq!(release_of("task_struct").unwrap().name, "bpf_task_release");
        assert_eq!(release_of("bpf_key").unwrap().name, "bpf_key_put");
    }
}
