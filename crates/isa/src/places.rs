//! Where numbers of the network's byte order and addresses of processes come from, as far as the kernel's interface
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
    ("bpf_sock", "src_ip4", "ntohl"),
    ("bpf_sock", "dst_ip4", "ntohl"),
    ("bpf_sock", "dst_port", "ntohs"),
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
        assert_eq!(network_order("bpf_sock_addr", "user_port"), Some("ntohs"));
        assert_eq!(network_order("bpf_sock_ops", "local_port"), None);
        assert!(is_user_argument("vfs_read", 1) && !is_user_argument("vfs_read", 0));
    }
}
