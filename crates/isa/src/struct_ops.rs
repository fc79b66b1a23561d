//! Structs of operations that programs may implement, as far as BTF does not tell: what their programs may write, call
//! and leave out. Invariant: the members themselves stand in the kernel's BTF and nowhere here; a struct without a row
//! has no such exceptions that we know of.

use crate::KernelVersion;
use crate::table::same_name;

/// Before the name of the kernel's struct that holds the operations of a type, and in its BTF.
pub const VALUE_PREFIX: &str = "bpf_struct_ops_";

/// The first kernel whose links hold such structs (`BPF_F_LINK`).
pub const LINKS_SINCE: KernelVersion = KernelVersion::new(6, 4);

/// A field of a kernel object that the programs may write.
#[derive(Debug, PartialEq, Eq)]
pub struct Writable {
    /// The struct in which it stands by this path.
    pub of: &'static str,
    /// Its name, with `.` for a field within a field.
    pub path: &'static str,
    /// The first kernel that allows it.
    pub since: KernelVersion,
}

/// What is known of a struct of operations.
#[derive(Debug)]
pub struct StructOps {
    /// The kernel's name of it.
    pub name: &'static str,
    /// What programs may write.
    pub writable: &'static [Writable],
    /// Members without which the kernel refuses it; one of each list.
    pub required: &'static [&'static [&'static str]],
    /// Members that programs can't implement.
    pub closed: &'static [&'static str],
    /// Helpers that the programs of a member can't call, though those of others can: the member, the helpers.
    pub barred: &'static [(&'static str, &'static [&'static str])],
    /// The parameters of its functions, which BTF gives types and no names: one row for each number of them.
    pub params: &'static [(&'static str, &'static [&'static str])],
    /// Numbers that the kernel's headers name and its BTF does not.
    pub constants: &'static [(&'static str, i64)],
}

const fn field(of: &'static str, path: &'static str, since: (u16, u16)) -> Writable {
    Writable { of, path, since: KernelVersion::new(since.0, since.1) }
}

/// One row a struct. The second is what the kernel's own test run calls (net/bpf/bpf_dummy_struct_ops.c). TCP's: net/ipv4/bpf_tcp_ca.c (`bpf_tcp_ca_btf_struct_access`, `bpf_tcp_ca_get_func_proto`),
/// net/ipv4/tcp_cong.c (`tcp_validate_congestion_control`), include/net/tcp.h.
pub static STRUCT_OPS: &[StructOps] = &[
    StructOps {
        name: "tcp_congestion_ops",
        writable: &[
            field("tcp_sock", "snd_cwnd", (5, 6)),
            field("tcp_sock", "snd_cwnd_cnt", (5, 6)),
            field("tcp_sock", "snd_cwnd_stamp", (6, 10)),
            field("tcp_sock", "snd_ssthresh", (5, 6)),
            field("tcp_sock", "ecn_flags", (5, 6)),
            field("tcp_sock", "app_limited", (6, 4)),
            field("inet_connection_sock", "icsk_ca_priv", (5, 6)),
            field("inet_connection_sock", "icsk_ack.pending", (5, 6)),
            field("sock", "sk_pacing_rate", (6, 0)),
            field("sock", "sk_pacing_status", (6, 0)),
        ],
        required: &[&["name"], &["ssthresh"], &["undo_cwnd"], &["cong_avoid", "cong_control"]],
        closed: &["get_info"],
        barred: &[("release", &["setsockopt", "getsockopt"])],
        params: &[
            ("ssthresh", &["sk"]),
            ("cong_avoid", &["sk", "ack", "acked"]),
            ("set_state", &["sk", "new_state"]),
            ("cwnd_event", &["sk", "ev"]),
            ("in_ack_event", &["sk", "flags"]),
            ("pkts_acked", &["sk", "sample"]),
            ("min_tso_segs", &["sk"]),
            ("tso_segs", &["sk", "mss_now"]),
            ("cong_control", &["sk", "ack", "flag", "rs"]),
            ("cong_control", &["sk", "rs"]),
            ("undo_cwnd", &["sk"]),
            ("sndbuf_expand", &["sk"]),
            ("init", &["sk"]),
            ("release", &["sk"]),
        ],
        constants: &[("TCP_CONG_NON_RESTRICTED", 1), ("TCP_CONG_NEEDS_ECN", 2)],
    },
    StructOps {
        name: "bpf_dummy_ops",
        writable: &[field("bpf_dummy_ops_state", "val", (5, 16))],
        required: &[],
        closed: &[],
        barred: &[],
        params: &[("test_2", &["state", "a1", "a2", "a3", "a4"])],
        constants: &[],
    },
];

/// The row of a struct; `-` and `_` are the same letter.
pub fn by_name(name: &str) -> Option<&'static StructOps> {
    STRUCT_OPS.iter().find(|s| same_name(s.name, name))
}

/// Whether programs of some struct of operations may write to an object of this kernel struct, or to one that begins with it.
pub fn is_written(object: &str) -> bool {
    STRUCT_OPS.iter().any(|s| s.writable.iter().any(|w| w.of == object))
}

impl StructOps {
    /// Whether the programs of a member can't call a helper.
    pub fn bars(&self, member: &str, helper: &str) -> bool {
        let bare = helper.strip_prefix("bpf_").unwrap_or(helper);
        self.barred.iter().any(|(m, helpers)| same_name(m, member) && helpers.iter().any(|h| same_name(h, bare)))
    }

    /// The row of a field: the struct that holds the first of `path`, the path.
    pub fn writes(&self, of: &str, path: &str) -> Option<&'static Writable> {
        self.writable.iter().find(|w| w.of == of && w.path == path)
    }

    /// The names of a member's parameters, if it has so many.
    pub fn params_of(&self, member: &str, count: usize) -> Option<&'static [&'static str]> {
        self.params.iter().find(|(m, names)| *m == member && names.len() == count).map(|(_, names)| *names)
    }

    /// The number of a name.
    pub fn constant(&self, name: &str) -> Option<i64> {
        self.constants.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_either_spelling() {
        let tcp = by_name("tcp-congestion-ops").expect("there is a row");
        assert!(tcp.bars("release", "bpf_setsockopt") && !tcp.bars("init", "setsockopt"));
        assert!(tcp.writes("tcp_sock", "snd_cwnd").is_some() && tcp.writes("tcp_sock", "snd_nxt").is_none());
        assert_eq!(tcp.params_of("cong_control", 2), Some(&["sk", "rs"][..]));
        assert_eq!(tcp.constant("TCP_CONG_NEEDS_ECN"), Some(2));
        assert!(by_name("sched_ext_ops").is_none());
    }
}
