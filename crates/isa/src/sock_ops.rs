//! Which calls of sockops programs a socket makes only when it was asked to. Invariant: a row is a fact of the comments in
//! `linux/bpf.h`, and of where the kernel tests the flags.

/// Operations, and the flags of `bpf_sock_ops_cb_flags_set` any of which makes the kernel call programs with them.
pub static OPT_IN: &[(&str, &[&str])] = &[
    ("BPF_SOCK_OPS_RTO_CB", &["BPF_SOCK_OPS_RTO_CB_FLAG"]),
    ("BPF_SOCK_OPS_RETRANS_CB", &["BPF_SOCK_OPS_RETRANS_CB_FLAG"]),
    ("BPF_SOCK_OPS_STATE_CB", &["BPF_SOCK_OPS_STATE_CB_FLAG"]),
    ("BPF_SOCK_OPS_RTT_CB", &["BPF_SOCK_OPS_RTT_CB_FLAG"]),
    (
        "BPF_SOCK_OPS_PARSE_HDR_OPT_CB",
        &["BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG", "BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG"],
    ),
    ("BPF_SOCK_OPS_HDR_OPT_LEN_CB", &["BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG"]),
    ("BPF_SOCK_OPS_WRITE_HDR_OPT_CB", &["BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG"]),
];

/// The flags one of which an operation needs; `None` for those that every socket makes.
pub fn flags_of(operation: &str) -> Option<&'static [&'static str]> {
    OPT_IN.iter().find(|(op, _)| crate::same_name(op, operation)).map(|(_, flags)| *flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_interfaces() {
        for (op, flags) in OPT_IN {
            assert!(crate::constants::by_name(op).is_some(), "{op}");
            for flag in *flags {
                let n = crate::constants::by_name(flag).expect("a flag");
                assert!(n.count_ones() == 1 && n < 128, "{flag}");
            }
        }
        assert!(flags_of("BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB").is_none());
        assert_eq!(flags_of("BPF_SOCK_OPS_RTT_CB"), Some(&["BPF_SOCK_OPS_RTT_CB_FLAG"][..]));
    }
}
