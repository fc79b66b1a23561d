//! Kernel functions: one table of what is simulated. Invariant: a function has one row, sorted by name, and gives what
//! the kernel's gives for the same arguments; what is not in the table is a fault.

mod cpumask;
mod iterate;
mod objects;
mod regions;
mod strings;

use crate::dynptr;
use crate::exec::Cpu;
use crate::fault::{FaultKind, Run};

pub(crate) use regions::{Regions, left_open};

type KfuncFn = fn(&mut Cpu<'_>, [u64; 5]) -> Run<u64>;

#[rustfmt::skip]
static KFUNCS: &[(&str, KfuncFn)] = &[
    ("bpf_cast_to_kern_ctx", argument),
    ("bpf_copy_from_user_dynptr", dynptr::read_user),
    ("bpf_copy_from_user_str", strings::copy_from_user),
    ("bpf_copy_from_user_str_dynptr", dynptr::read_user_str),
    ("bpf_cpumask_acquire", cpumask::acquire),
    ("bpf_cpumask_and", cpumask::and),
    ("bpf_cpumask_clear", cpumask::clear),
    ("bpf_cpumask_clear_cpu", cpumask::clear_cpu),
    ("bpf_cpumask_copy", cpumask::copy),
    ("bpf_cpumask_create", cpumask::create),
    ("bpf_cpumask_empty", cpumask::empty),
    ("bpf_cpumask_equal", cpumask::equal),
    ("bpf_cpumask_first", cpumask::first),
    ("bpf_cpumask_first_zero", cpumask::first_zero),
    ("bpf_cpumask_full", cpumask::full),
    ("bpf_cpumask_intersects", cpumask::intersects),
    ("bpf_cpumask_or", cpumask::or),
    ("bpf_cpumask_release", objects::release),
    ("bpf_cpumask_set_cpu", cpumask::set_cpu),
    ("bpf_cpumask_setall", cpumask::set_all),
    ("bpf_cpumask_subset", cpumask::subset),
    ("bpf_cpumask_test_and_clear_cpu", cpumask::test_and_clear_cpu),
    ("bpf_cpumask_test_and_set_cpu", cpumask::test_and_set_cpu),
    ("bpf_cpumask_test_cpu", cpumask::test_cpu),
    ("bpf_cpumask_weight", cpumask::weight),
    ("bpf_cpumask_xor", cpumask::xor),
    ("bpf_dynptr_adjust", dynptr::adjust),
    ("bpf_dynptr_clone", dynptr::clone),
    ("bpf_dynptr_copy", dynptr::copy),
    ("bpf_dynptr_from_skb", dynptr::from_packet),
    ("bpf_dynptr_from_xdp", dynptr::from_packet),
    ("bpf_dynptr_is_null", dynptr::is_null),
    ("bpf_dynptr_is_rdonly", dynptr::is_read_only),
    ("bpf_dynptr_memset", dynptr::memset),
    ("bpf_dynptr_size", dynptr::size),
    ("bpf_dynptr_slice", dynptr::slice),
    ("bpf_dynptr_slice_rdwr", dynptr::slice_rdwr),
    ("bpf_iter_bits_destroy", nothing),
    ("bpf_iter_bits_new", iterate::bits_new),
    ("bpf_iter_bits_next", iterate::bits_next),
    ("bpf_iter_num_destroy", nothing),
    ("bpf_iter_num_new", iterate::num_new),
    ("bpf_iter_num_next", iterate::num_next),
    ("bpf_iter_task_destroy", nothing),
    ("bpf_iter_task_new", iterate::task_new),
    ("bpf_iter_task_next", iterate::task_next),
    ("bpf_local_irq_restore", regions::irq_restore),
    ("bpf_local_irq_save", regions::irq_save),
    ("bpf_map_sum_elem_count", objects::map_count),
    ("bpf_preempt_disable", regions::preempt_disable),
    ("bpf_preempt_enable", regions::preempt_enable),
    ("bpf_probe_read_kernel_dynptr", dynptr::read_kernel),
    ("bpf_probe_read_kernel_str_dynptr", dynptr::read_kernel_str),
    ("bpf_probe_read_user_dynptr", dynptr::read_user),
    ("bpf_probe_read_user_str_dynptr", dynptr::read_user_str),
    ("bpf_rcu_read_lock", regions::rcu_lock),
    ("bpf_rcu_read_unlock", regions::rcu_unlock),
    ("bpf_rdonly_cast", argument),
    ("bpf_res_spin_lock", regions::res_lock),
    ("bpf_res_spin_lock_irqsave", regions::res_lock),
    ("bpf_res_spin_unlock", regions::res_unlock),
    ("bpf_res_spin_unlock_irqrestore", regions::res_unlock),
    ("bpf_strcasecmp", strings::strcasecmp),
    ("bpf_strchr", strings::strchr),
    ("bpf_strchrnul", strings::strchrnul),
    ("bpf_strcmp", strings::strcmp),
    ("bpf_strcspn", strings::strcspn),
    ("bpf_strlen", strings::strlen),
    ("bpf_strnchr", strings::strnchr),
    ("bpf_strnlen", strings::strnlen),
    ("bpf_strnstr", strings::strnstr),
    ("bpf_strrchr", strings::strrchr),
    ("bpf_strspn", strings::strspn),
    ("bpf_strstr", strings::strstr),
    ("bpf_task_acquire", objects::task_acquire),
    ("bpf_task_from_pid", objects::task_from_pid),
    ("bpf_task_from_vpid", objects::task_from_pid),
    ("bpf_task_release", objects::release),
    ("bpf_xdp_metadata_rx_hash", unsupported),
    ("bpf_xdp_metadata_rx_timestamp", unsupported),
    ("bpf_xdp_metadata_rx_vlan_tag", unsupported),
];

/// Runs the kernel function that the code knows under this number.
pub(crate) fn call(cpu: &mut Cpu<'_>, index: usize, args: [u64; 5]) -> Run<u64> {
    let name = cpu.code.kfuncs.get(index).map_or("", |n| n.as_str());
    match KFUNCS.binary_search_by_key(&name, |(n, _)| n).ok().and_then(|i| KFUNCS.get(i)) {
        Some((_, run)) => run(cpu, args),
        None => Err(FaultKind::Kfunc(name.to_string()).into()),
    }
}

/// The names of the kernel functions that the machine simulates.
pub fn simulated() -> impl Iterator<Item = &'static str> {
    KFUNCS.iter().map(|(n, _)| *n)
}

fn nothing(_: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(0)
}

fn argument(_: &mut Cpu<'_>, [value, ..]: [u64; 5]) -> Run<u64> {
    Ok(value)
}

/// What the kernel's stand-in says where no device offers it.
fn unsupported(_: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(crate::errno::EOPNOTSUPP as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_what_exists() {
        assert!(KFUNCS.is_sorted_by(|a, b| a.0 < b.0));
        for (name, _) in KFUNCS {
            assert!(whistler_isa::kfuncs::by_name(name).is_some(), "{name}");
        }
    }
}
