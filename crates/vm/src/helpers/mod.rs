//! Helpers: one table of what is simulated. Invariant: a helper has one row,
//! sorted by its number, and gives what the kernel's gives for the same
//! arguments, error numbers included; what is not in the table is a fault.

mod checksum;
mod control;
mod info;
mod map;
mod packet;
mod probe;
mod ring;
mod text;
mod timer;
mod vlan;

use crate::dynptr;
use crate::exec::Cpu;
use crate::fault::Run;

pub(crate) use control::tail_call;
pub(crate) use info::COMM_LEN;
pub(crate) use map::map_argument;
pub(crate) use packet::packet_word;
pub(crate) use ring::{end as ring_end, open as ring_reserve};

/// `bpf_tail_call`, which the interpreter does itself because it never returns.
pub(crate) const TAIL_CALL: i32 = 12;

type HelperFn = fn(&mut Cpu<'_>, [u64; 5]) -> Run<u64>;

/// A row of the table.
struct Helper {
    id: i32,
    name: &'static str,
    run: HelperFn,
}

/// Makes the table from `number name function` rows.
macro_rules! table {
    ($($id:literal $name:ident $run:path;)*) => {
        &[$(Helper { id: $id, name: stringify!($name), run: $run },)*]
    };
}

#[rustfmt::skip]
static HELPERS: &[Helper] = table! {
    1 map_lookup_elem map::lookup;
    2 map_update_elem map::update;
    3 map_delete_elem map::delete;
    4 probe_read probe::either;
    5 ktime_get_ns info::ktime;
    6 trace_printk text::trace_printk;
    7 get_prandom_u32 info::random;
    8 get_smp_processor_id info::cpu;
    9 skb_store_bytes packet::store_bytes;
    10 l3_csum_replace checksum::l3_replace;
    11 l4_csum_replace checksum::l4_replace;
    14 get_current_pid_tgid info::pid_tgid;
    15 get_current_uid_gid info::uid_gid;
    16 get_current_comm info::comm;
    17 get_cgroup_classid info::zero;
    18 skb_vlan_push vlan::push;
    19 skb_vlan_pop vlan::pop;
    23 redirect packet::redirect;
    25 perf_event_output ring::perf_output;
    26 skb_load_bytes packet::load_bytes;
    27 get_stackid info::stack_id;
    28 csum_diff checksum::diff;
    32 skb_change_type packet::change_type;
    33 skb_under_cgroup map::skb_under_cgroup;
    34 get_hash_recalc packet::hash;
    35 get_current_task info::task;
    36 probe_write_user probe::write_user;
    37 current_task_under_cgroup map::current_under_cgroup;
    38 skb_change_tail packet::change_tail;
    39 skb_pull_data packet::pull_data;
    40 csum_update checksum::update;
    41 set_hash_invalid packet::hash_invalid;
    42 get_numa_node_id info::numa_node;
    43 skb_change_head packet::change_head;
    44 xdp_adjust_head packet::adjust_head;
    45 probe_read_str probe::either_str;
    46 get_socket_cookie info::socket_cookie;
    47 get_socket_uid info::socket_uid;
    48 set_hash packet::set_hash;
    51 redirect_map packet::redirect_map;
    54 xdp_adjust_meta packet::adjust_meta;
    65 xdp_adjust_tail packet::adjust_tail;
    67 get_stack info::stack;
    68 skb_load_bytes_relative packet::load_bytes_relative;
    69 fib_lookup info::fib_lookup;
    79 skb_cgroup_id info::cgroup_id;
    80 get_current_cgroup_id info::cgroup_id;
    81 get_local_storage map::local_storage;
    84 sk_lookup_tcp info::zero;
    85 sk_lookup_udp info::zero;
    87 map_push_elem map::push;
    88 map_pop_elem map::pop;
    89 map_peek_elem map::peek;
    93 spin_lock control::lock;
    94 spin_unlock control::unlock;
    99 skc_lookup_tcp info::zero;
    105 strtol text::strtol;
    106 strtoul text::strtoul;
    107 sk_storage_get map::storage_get;
    108 sk_storage_delete map::storage_delete;
    111 skb_output ring::perf_output;
    112 probe_read_user probe::user;
    113 probe_read_kernel probe::kernel;
    114 probe_read_user_str probe::user_str;
    115 probe_read_kernel_str probe::kernel_str;
    118 jiffies64 info::jiffies;
    120 get_ns_current_pid_tgid info::ns_pid_tgid;
    121 xdp_output ring::perf_output;
    122 get_netns_cookie info::netns_cookie;
    123 get_current_ancestor_cgroup_id info::cgroup_id;
    125 ktime_get_boot_ns info::ktime_boot;
    126 seq_printf text::seq_printf;
    127 seq_write text::seq_write;
    130 ringbuf_output ring::output;
    131 ringbuf_reserve ring::reserve;
    132 ringbuf_submit ring::submit;
    133 ringbuf_discard ring::discard;
    134 ringbuf_query ring::query;
    135 csum_level info::zero;
    145 inode_storage_get map::storage_get;
    146 inode_storage_delete map::storage_delete;
    148 copy_from_user probe::user;
    153 per_cpu_ptr probe::per_cpu_ptr;
    154 this_cpu_ptr probe::this_cpu_ptr;
    156 task_storage_get map::storage_get;
    157 task_storage_delete map::storage_delete;
    158 get_current_task_btf info::task;
    160 ktime_get_coarse_ns info::ktime;
    164 for_each_map_elem control::for_each;
    165 snprintf text::snprintf;
    169 timer_init timer::init;
    170 timer_set_callback timer::set_callback;
    171 timer_start timer::start;
    172 timer_cancel timer::cancel;
    173 get_func_ip info::func_ip;
    174 get_attach_cookie info::attach_cookie;
    177 trace_vprintk text::trace_vprintk;
    180 find_vma info::no_area;
    181 loop control::loop_;
    182 strncmp text::strncmp;
    183 get_func_arg info::func_arg;
    186 get_retval info::retval;
    187 set_retval info::set_retval;
    188 xdp_get_buff_len packet::buff_len;
    189 xdp_load_bytes packet::xdp_load_bytes;
    190 xdp_store_bytes packet::xdp_store_bytes;
    194 kptr_xchg probe::exchange;
    195 map_lookup_percpu_elem map::lookup_percpu;
    197 dynptr_from_mem dynptr::from_mem;
    198 ringbuf_reserve_dynptr dynptr::reserve;
    199 ringbuf_submit_dynptr dynptr::submit;
    200 ringbuf_discard_dynptr dynptr::discard;
    201 dynptr_read dynptr::read;
    202 dynptr_write dynptr::write;
    203 dynptr_data dynptr::data;
    208 ktime_get_tai_ns info::ktime_tai;
    209 user_ringbuf_drain ring::user_drain;
    210 cgrp_storage_get map::storage_get;
    211 cgrp_storage_delete map::storage_delete;
};

/// The table's index of a helper number.
pub(crate) fn find(id: i32) -> Option<usize> {
    HELPERS.binary_search_by_key(&id, |h| h.id).ok()
}

/// What to call a helper in a message.
pub(crate) fn name_of(id: i32) -> String {
    match u32::try_from(id).ok().and_then(whistler_isa::helpers::by_id) {
        Some(h) => format!("`{}`", h.name),
        None => format!("number {id}"),
    }
}

/// Runs the helper at a table index.
pub(crate) fn call(cpu: &mut Cpu<'_>, index: usize, args: [u64; 5]) -> Run<u64> {
    match HELPERS.get(index) {
        Some(h) => (h.run)(cpu, args),
        None => Err(crate::fault::misuse(format!("no helper at {index}"))),
    }
}

/// Whether the machine simulates the helper with this number.
pub fn is_simulated(id: u32) -> bool {
    i32::try_from(id).is_ok_and(|id| id == TAIL_CALL || find(id).is_some())
}

/// Numbers and names (without `bpf_`) of the helpers that the machine simulates.
pub fn simulated() -> impl Iterator<Item = (u32, &'static str)> {
    let tail_call = (TAIL_CALL as u32, "tail_call");
    HELPERS.iter().map(|h| (h.id as u32, h.name)).chain([tail_call])
}

/// A helper's result from a kernel-style one: the negative error number as the program sees it.
fn status(result: Result<(), i64>) -> u64 {
    result.err().unwrap_or(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(HELPERS.is_sorted_by(|a, b| a.id < b.id));
    }
}
