//! Where numbers of the network's byte order and addresses of processes come from and go, as far as the kernel's interface
//! tells. Invariant: a row is a fact of the kernel's sources; what is not here is not known to be otherwise.
//!
//! Contexts: the comments in `linux/bpf.h` and the `*_convert_ctx_access` functions of net/core/filter.c. Functions:
//! their `__user` parameters, from include/linux/fs.h, include/linux/syscalls.h and fs/open.c.

/// How a field of a context that holds a number in the network's byte order is put into the host's: the form for a
/// number of its width. Ports of sockets lie in the first two of four bytes, or in the last two.
pub static NETWORK_ORDER: &[(&str, &str, &str)] = &[
    ("__sk_buff", "protocol", "ntohs"),
    ("__sk_buff", "vlan_proto", "ntohs"),
    ("__sk_buff", "remote_ip4", "ntohl"),
    ("__sk_buff", "local_ip4", "ntohl"),
    ("__sk_buff", "remote_port", "ntohl"),
    ("bpf_sock_addr", "user_ip4", "ntohl"),
    ("bpf_sock_addr", "user_port", "ntohs"),
    ("bpf_sock_addr", "msg_src_ip4", "ntohl"),
    ("bpf_sock_ops", "remote_ip4", "ntohl"),
    ("bpf_sock_ops", "local_ip4", "ntohl"),
    ("bpf_sock_ops", "remote_port", "ntohl"),
    ("sk_msg_md", "remote_ip4", "ntohl"),
    ("sk_msg_md", "local_ip4", "ntohl"),
    ("sk_msg_md", "remote_port", "ntohl"),
    ("bpf_sk_lookup", "remote_ip4", "ntohl"),
    ("bpf_sk_lookup", "local_ip4", "ntohl"),
    ("bpf_sk_lookup", "remote_port", "ntohs"),
    ("sk_reuseport_md", "eth_protocol", "ntohs"),
    ("bpf_sock", "src_ip4", "ntohl"),
    ("bpf_sock", "dst_ip4", "ntohl"),
    ("bpf_sock", "dst_port", "ntohs"),
];

/// Ports that the kernel holds in the host's order, next to others in the network's.
pub static HOST_ORDER: &[(&str, &str)] = &[
    ("__sk_buff", "local_port"),
    ("bpf_sock_ops", "local_port"),
    ("sk_msg_md", "local_port"),
    ("bpf_sk_lookup", "local_port"),
    ("bpf_sock", "src_port"),
];

/// Members of the kernel's own sockets that hold such a port (include/net/sock.h, inet_sock.h).
pub static HOST_ORDER_MEMBERS: &[&str] = &["skc_num", "inet_num"];

/// Whether a context's field is a port in the host's order.
pub fn host_order(context: &str, field: &str) -> bool {
    HOST_ORDER.contains(&(context, field))
}

/// Whether the record of a tracepoint holds this port in the host's order, as `TP_fast_assign` of include/trace/events/tcp.h
/// and sock.h puts it there.
pub fn host_order_of_event(event: &str, field: &str) -> bool {
    (event.starts_with("tcp/") || event.starts_with("sock/inet_")) && matches!(field, "sport" | "dport")
}

/// An argument of a helper that the kernel takes in the network's order.
#[derive(Debug)]
pub struct NetworkArgument {
    /// The helper.
    pub helper: &'static str,
    /// Which of its arguments, from 0.
    pub argument: usize,
    /// What it may be, in the host's order, and its names.
    pub takes: &'static [(u16, &'static str)],
    /// What the kernel does with any other number.
    pub otherwise: &'static str,
}

/// All of them (`bpf_skb_vlan_push` and `bpf_skb_change_proto` in net/core/filter.c).
pub static NETWORK_ARGUMENTS: &[NetworkArgument] = &[
    NetworkArgument {
        helper: "skb_vlan_push",
        argument: 1,
        takes: &[(0x8100, "ETH_P_8021Q"), (0x88a8, "ETH_P_8021AD")],
        otherwise: "the kernel takes any other number for 802.1Q, 0x8100",
    },
    NetworkArgument {
        helper: "skb_change_proto",
        argument: 1,
        takes: &[(0x0800, "ETH_P_IP"), (0x86dd, "ETH_P_IPV6")],
        otherwise: "with any other number the helper fails (ENOTSUPP)",
    },
];

/// Helpers with an index of a perf event array in the low half of their flags, and which argument the flags are: they take
/// the event at that index, or the one of the CPU at hand (`BPF_F_CURRENT_CPU`).
pub static EVENT_INDEX: &[(&str, usize)] = &[
    ("perf_event_output", 2),
    ("skb_output", 2),
    ("xdp_output", 2),
    ("perf_event_read", 1),
    ("perf_event_read_value", 1),
];

/// How a context's field is put into the host's order, if it is in the network's.
pub fn network_order(context: &str, field: &str) -> Option<&'static str> {
    NETWORK_ORDER.iter().find(|(c, f, _)| *c == context && *f == field).map(|(.., form)| *form)
}

/// Functions of the kernel and which of their arguments, from 0, is an address of the process.
pub static USER_ARGUMENTS: &[(&str, u32)] = &[
    ("do_sys_openat2", 1),
    ("do_sys_open", 1),
    ("getname", 0),
    ("getname_flags", 0),
    ("vfs_read", 1),
    ("vfs_write", 1),
    ("ksys_read", 1),
    ("ksys_write", 1),
    ("ksys_pread64", 1),
    ("ksys_pwrite64", 1),
    ("move_addr_to_kernel", 0),
    ("__sys_connect", 1),
    ("__sys_bind", 1),
    ("__sys_sendto", 1),
    ("__sys_recvfrom", 1),
    ("user_path_at", 1),
    ("strncpy_from_user", 1),
    ("strnlen_user", 0),
];

/// Whether an argument of a function is an address of the process.
pub fn is_user_argument(function: &str, argument: u32) -> bool {
    USER_ARGUMENTS.contains(&(function, argument))
}

/// Ethernet's numbers for what follows the header, as packets most often have them.
pub static ETHERTYPES: &[u16] = &[0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_exist() {
        for (context, field, form) in NETWORK_ORDER {
            let c = crate::ctx::CONTEXTS.iter().find(|c| c.name == *context).expect("a context");
            let f = c.field(field).expect("a field");
            assert!(f.size >= if *form == "ntohs" { 2 } else { 4 }, "{context} {field}");
        }
        for (context, field) in HOST_ORDER {
            let c = crate::ctx::CONTEXTS.iter().find(|c| c.name == *context).expect("a context");
            assert!(c.field(field).is_some() && network_order(context, field).is_none(), "{context} {field}");
        }
        for a in NETWORK_ARGUMENTS {
            let h = crate::helpers::by_name(a.helper).expect("a helper");
            assert_eq!(h.args[a.argument].c_type, "__be16");
            for (n, name) in a.takes {
                assert_eq!(crate::constants::by_name(name), Some(i64::from(*n)));
            }
        }
        for (name, flags) in EVENT_INDEX {
            assert_eq!(crate::helpers::by_name(name).expect("a helper").args[*flags].name, "flags");
        }
        assert_eq!(network_order("bpf_sock_addr", "user_port"), Some("ntohs"));
        assert_eq!(network_order("bpf_sock_ops", "local_port"), None);
        assert!(is_user_argument("vfs_read", 1) && !is_user_argument("vfs_read", 0));
    }
}
