//! What programs' verdicts are called, type by type. Invariant: a number's name here is the one that the kernel's
//! user-space interface has for programs of that type; names of two families may have the same number and mean the
//! opposite.

use crate::ProgType;

/// What becomes of what a program judges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It goes on.
    Passes,
    /// It ends here.
    Ends,
    /// It goes elsewhere, as a helper has prepared.
    Moves,
    /// Something that other types of programs have no like of.
    Other,
}

/// The verdicts of one kind of programs.
#[derive(Debug)]
pub struct Verdicts {
    /// Whose they are, in words.
    pub of: &'static str,
    /// The program types that return them.
    pub programs: &'static [ProgType],
    /// Name, number and fate; the first of a fate is the usual one.
    pub names: &'static [(&'static str, i64, Fate)],
}

use Fate::{Ends, Moves, Other, Passes};
use ProgType as P;

/// All families (`linux/bpf.h`, `linux/pkt_cls.h`, `linux/netfilter.h`).
pub static VERDICTS: &[Verdicts] = &[
    Verdicts {
        of: "XDP programs",
        programs: &[P::Xdp],
        names: &[
            ("XDP_PASS", 2, Passes),
            ("XDP_DROP", 1, Ends),
            ("XDP_REDIRECT", 4, Moves),
            ("XDP_ABORTED", 0, Ends),
            ("XDP_TX", 3, Other),
        ],
    },
    Verdicts {
        of: "tc programs",
        programs: &[P::SchedCls, P::SchedAct],
        names: &[
            ("TC_ACT_OK", 0, Passes),
            ("TC_ACT_SHOT", 2, Ends),
            ("TC_ACT_REDIRECT", 7, Moves),
            ("TC_ACT_UNSPEC", -1, Other),
            ("TC_ACT_RECLASSIFY", 1, Other),
            ("TC_ACT_PIPE", 3, Other),
            ("TC_ACT_STOLEN", 4, Ends),
            ("TC_ACT_QUEUED", 5, Ends),
            ("TC_ACT_REPEAT", 6, Other),
            ("TC_ACT_TRAP", 8, Other),
        ],
    },
    Verdicts {
        of: "tcx programs",
        programs: &[P::SchedCls, P::SchedAct],
        names: &[("TCX_PASS", 0, Passes), ("TCX_DROP", 2, Ends), ("TCX_REDIRECT", 7, Moves), ("TCX_NEXT", -1, Other)],
    },
    Verdicts {
        of: "netfilter programs",
        programs: &[P::Netfilter],
        names: &[("NF_ACCEPT", 1, Passes), ("NF_DROP", 0, Ends), ("NF_STOLEN", 2, Other), ("NF_QUEUE", 3, Other)],
    },
    Verdicts {
        of: "socket programs",
        programs: &[P::SkSkb, P::SkMsg, P::SkLookup, P::SkReuseport],
        names: &[("SK_PASS", 1, Passes), ("SK_DROP", 0, Ends)],
    },
];

/// Programs that return 1 for what may go on and 0 for what may not, without names for it.
pub static ALLOW_OR_REFUSE: &[ProgType] =
    &[P::CgroupSkb, P::CgroupSock, P::CgroupDevice, P::CgroupSockAddr, P::CgroupSysctl, P::CgroupSockopt];

/// The family and fate of a verdict by its name.
pub fn by_name(name: &str) -> Option<(&'static Verdicts, Fate)> {
    VERDICTS.iter().find_map(|v| {
        let (_, _, fate) = v.names.iter().find(|(n, ..)| crate::same_name(n, name))?;
        Some((v, *fate))
    })
}

/// The families whose verdicts programs of a type return.
pub fn of_program(prog: ProgType) -> impl Iterator<Item = &'static Verdicts> {
    VERDICTS.iter().filter(move |v| v.programs.contains(&prog))
}

/// LSM hooks that answer a question: 0 or 1 (`bool_lsm_hooks` in the kernel's kernel/bpf/bpf_lsm.c). The others
/// that yield something yield 0 or a negative error.
pub static LSM_QUESTIONS: &[&str] = &["xfrm_state_pol_flow_match", "audit_rule_known", "inode_xattr_skipcap"];

/// The first kernel whose verifier holds LSM programs to what their hook may return (`bpf_lsm_get_retval_range`).
pub const LSM_RANGES: crate::KernelVersion = crate::KernelVersion::new(6, 12);

/// The greatest number of an error (`MAX_ERRNO`).
pub const MAX_ERRNO: i32 = 4095;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_interfaces() {
        for v in VERDICTS {
            assert!(v.names.iter().any(|n| n.2 == Fate::Passes) && v.names.iter().any(|n| n.2 == Fate::Ends));
            for (name, number, _) in v.names {
                assert_eq!(crate::constants::by_name(name), Some(*number), "{name}");
            }
        }
        assert_eq!(by_name("XDP-PASS").map(|(v, f)| (v.of, f)), Some(("XDP programs", Fate::Passes)));
        assert!(by_name("BPF_OK").is_none() && of_program(ProgType::Kprobe).next().is_none());
    }
}
