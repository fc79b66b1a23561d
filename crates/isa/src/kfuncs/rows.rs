//! All kernel functions that 6.18 offers to programs, one row each. Invariant: sorted by name.
//!
//! Where the facts come from (made once by script, on 6.18.44 x86-64): names and prototypes from the `bpf_kfunc` tags
//! in that kernel's BTF, kinds of arguments from the suffixes of their names (Documentation/bpf/kfuncs.rst); program
//! types by loading a two-instruction program for each (function, type) and reading the verifier's answer; what that
//! kernel loads no programs of (tracing, LSM, struct_ops) follows the sets that the sources register. Flags are those of
//! `BTF_ID_FLAGS` in kernel/bpf/helpers.c, cpumask.c, crypto.c, fs/bpf_fs_kfuncs.c, net/core/filter.c and
//! net/netfilter/nf_conntrack_bpf.c; first kernels those in which the function joined its set by this name. From 6.10 on
//! they are those of ebpf-docs (data/feature-versions.yaml, data/feature-versions-new.yaml, docs/linux/kfuncs/NAME.md,
//! which name the commit) where it has the function; of functions without a page of their own the version is inferred
//! from the page of another of their family. Flags were compared with its data/kfuncs.yaml; those that came after that
//! table was made were not looked up. Functions ending in
//! `_impl` that came with 6.17 and 6.18 got that name by a change in 6.18. Test functions
//! (`bpf_modify_return_test` …) and `__bpf_trap` are left out. `freplace` programs have every bit.

use super::{Kfunc, KfuncFlags as F};
use crate::KernelVersion;
use crate::helpers::Access::{Read, ReadWrite};
use crate::helpers::ArgKind::{
    AllocSize, Anything, Btf, ConstMap, ConstStr, Constant, Ctx, Dynptr, DynptrOut, Field, Func, Ignored, Implicit,
    IrqFlags, Iter, IterOut, Mem, Owned, ResSpinLock, SizeOrZero,
};
use crate::helpers::MemSize::{Fixed, Next};
use crate::helpers::{Arg, ProgSet, Ret, arg};

const NONE: F = F::empty();
const ACQUIRES: F = F::ACQUIRES;
const RELEASES: F = F::RELEASES;
const MAY_RETURN_NULL: F = F::MAY_RETURN_NULL;
const MAY_SLEEP: F = F::MAY_SLEEP;
const RCU: F = F::RCU;
const TRUSTED: F = F::TRUSTED;
const RCU_PROTECTED: F = F::RCU_PROTECTED;
const ITER_NEW: F = F::ITER_NEW;
const ITER_NEXT: F = F::ITER_NEXT;
const ITER_DESTROY: F = F::ITER_DESTROY;

const fn flags(list: &[F]) -> F {
    let mut bits = 0;
    let mut i = 0;
    while i < list.len() {
        bits |= list[i].bits();
        i += 1;
    }
    F::from_bits_truncate(bits)
}

const fn row(
    name: &'static str,
    args: &'static [Arg],
    ret: Ret,
    ret_type: &'static str,
    flags: F,
    since: (u16, u16),
    progs: u64,
) -> Kfunc {
    Kfunc { name, args, ret, ret_type, flags, since: KernelVersion::new(since.0, since.1), progs: ProgSet(progs) }
}

/// All kernel functions, by name.
#[rustfmt::skip]
pub static KFUNCS: &[Kfunc] = &[
    row("bbr_cwnd_event", &[arg("sk", "struct sock *", Btf("sock")), arg("event", "enum tcp_ca_event", Anything)], Ret::Void, "void", NONE, (5, 13), 0x18000000),
    row("bbr_init", &[arg("sk", "struct sock *", Btf("sock"))], Ret::Void, "void", NONE, (5, 13), 0x18000000),
    row("bbr_main", &[arg("sk", "struct sock *", Btf("sock")), arg("ack", "u32", Anything), arg("flag", "int", Anything), arg("rs", "const struct rate_sample *", Btf("rate_sample"))], Ret::Void, "void", NONE, (5, 13), 0x18000000),
    row("bbr_min_tso_segs", &[arg("sk", "struct sock *", Btf("sock"))], Ret::Int, "u32", NONE, (5, 13), 0x18000000),
    row("bbr_set_state", &[arg("sk", "struct sock *", Btf("sock")), arg("new_state", "u8", Anything)], Ret::Void, "void", NONE, (5, 13), 0x18000000),
    row("bbr_sndbuf_expand", &[arg("sk", "struct sock *", Btf("sock"))], Ret::Int, "u32", NONE, (5, 13), 0x18000000),
    row("bbr_ssthresh", &[arg("sk", "struct sock *", Btf("sock"))], Ret::Int, "u32", NONE, (5, 13), 0x18000000),
    row("bbr_undo_cwnd", &[arg("sk", "struct sock *", Btf("sock"))], Ret::Int, "u32", NONE, (5, 13), 0x18000000),
    row("bpf_arena_alloc_pages", &[arg("p", "void *", ConstMap), arg("addr", "void *", Ignored), arg("page_cnt", "u32", Anything), arg("node_id", "int", Anything), arg("flags", "u64", Anything)], Ret::Mem, "void *", flags(&[MAY_SLEEP, TRUSTED]), (6, 9), 0x1ffeffffe),
    row("bpf_arena_free_pages", &[arg("p", "void *", ConstMap), arg("ptr", "void *", Ignored), arg("page_cnt", "u32", Anything)], Ret::Void, "void", flags(&[MAY_SLEEP, TRUSTED]), (6, 9), 0x1ffeffffe),
    row("bpf_arena_reserve_pages", &[arg("p", "void *", ConstMap), arg("ptr", "void *", Ignored), arg("page_cnt", "u32", Anything)], Ret::Int, "int", flags(&[MAY_SLEEP, TRUSTED]), (6, 17), 0x1ffeffffe),
    row("bpf_cast_to_kern_ctx", &[arg("obj", "void *", Ctx)], Ret::Btf(""), "void *", NONE, (6, 2), 0x1ffeffffe),
    row("bpf_cgroup_acquire", &[arg("cgrp", "struct cgroup *", Btf("cgroup"))], Ret::TrustedBtf("cgroup"), "struct cgroup *", flags(&[ACQUIRES, MAY_RETURN_NULL, RCU]), (6, 2), 0xbe84a3e8),
    row("bpf_cgroup_ancestor", &[arg("cgrp", "struct cgroup *", Btf("cgroup")), arg("level", "int", Anything)], Ret::TrustedBtf("cgroup"), "struct cgroup *", flags(&[ACQUIRES, MAY_RETURN_NULL, RCU]), (6, 2), 0xbe84a3e8),
    row("bpf_cgroup_from_id", &[arg("cgid", "u64", Anything)], Ret::TrustedBtf("cgroup"), "struct cgroup *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (6, 4), 0xbe84a3e8),
    row("bpf_cgroup_read_xattr", &[arg("cgroup", "struct cgroup *", Btf("cgroup")), arg("name", "const char *", ConstStr), arg("value_p", "struct bpf_dynptr *", Dynptr)], Ret::Int, "int", RCU, (6, 17), 0x1ffeffffe),
    row("bpf_cgroup_release", &[arg("cgrp", "struct cgroup *", Btf("cgroup")).released()], Ret::Void, "void", RELEASES, (6, 2), 0xbe84a3e8),
    row("bpf_copy_from_user_dynptr", &[arg("dptr", "struct bpf_dynptr *", Dynptr), arg("off", "u32", Anything), arg("size", "u32", Anything), arg("unsafe_ptr", "const void *", Ignored)], Ret::Int, "int", MAY_SLEEP, (6, 16), 0x1ffeffffe),
    row("bpf_copy_from_user_str", &[arg("dst", "void *", Mem(ReadWrite, Next)), arg("dst_size", "u32", SizeOrZero), arg("unsafe_ptr", "const void *", Ignored), arg("flags", "u64", Anything)], Ret::Int, "int", MAY_SLEEP, (6, 12), 0x1ffeffffe),
    row("bpf_copy_from_user_str_dynptr", &[arg("dptr", "struct bpf_dynptr *", Dynptr), arg("off", "u32", Anything), arg("size", "u32", Anything), arg("unsafe_ptr", "const void *", Ignored)], Ret::Int, "int", MAY_SLEEP, (6, 16), 0x1ffeffffe),
    row("bpf_copy_from_user_task_dynptr", &[arg("dptr", "struct bpf_dynptr *", Dynptr), arg("off", "u32", Anything), arg("size", "u32", Anything), arg("unsafe_ptr", "const void *", Ignored), arg("tsk", "struct task_struct *", Btf("task_struct"))], Ret::Int, "int", flags(&[MAY_SLEEP, TRUSTED]), (6, 16), 0x1ffeffffe),
    row("bpf_copy_from_user_task_str", &[arg("dst", "void *", Mem(ReadWrite, Next)), arg("dst_size", "u32", SizeOrZero), arg("unsafe_ptr", "const void *", Ignored), arg("tsk", "struct task_struct *", Btf("task_struct")), arg("flags", "u64", Anything)], Ret::Int, "int", flags(&[MAY_SLEEP, TRUSTED]), (6, 15), 0x1ffeffffe),
    row("bpf_copy_from_user_task_str_dynptr", &[arg("dptr", "struct bpf_dynptr *", Dynptr), arg("off", "u32", Anything), arg("size", "u32", Anything), arg("unsafe_ptr", "const void *", Ignored), arg("tsk", "struct task_struct *", Btf("task_struct"))], Ret::Int, "int", flags(&[MAY_SLEEP, TRUSTED]), (6, 16), 0x1ffeffffe),
    row("bpf_cpumask_acquire", &[arg("cpumask", "struct bpf_cpumask *", Btf("bpf_cpumask"))], Ret::TrustedBtf("bpf_cpumask"), "struct bpf_cpumask *", flags(&[ACQUIRES, TRUSTED]), (6, 3), 0xbc0000a0),
    row("bpf_cpumask_and", &[arg("dst", "struct bpf_cpumask *", Btf("bpf_cpumask")), arg("src1", "const struct cpumask *", Btf("cpumask")), arg("src2", "const struct cpumask *", Btf("cpumask"))], Ret::Int, "bool", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_any_and_distribute", &[arg("src1", "const struct cpumask *", Btf("cpumask")), arg("src2", "const struct cpumask *", Btf("cpumask"))], Ret::Int, "u32", RCU, (6, 5), 0xbc0000a0),
    row("bpf_cpumask_any_distribute", &[arg("cpumask", "const struct cpumask *", Btf("cpumask"))], Ret::Int, "u32", RCU, (6, 5), 0xbc0000a0),
    row("bpf_cpumask_clear", &[arg("cpumask", "struct bpf_cpumask *", Btf("bpf_cpumask"))], Ret::Void, "void", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_clear_cpu", &[arg("cpu", "u32", Anything), arg("cpumask", "struct bpf_cpumask *", Btf("bpf_cpumask"))], Ret::Void, "void", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_copy", &[arg("dst", "struct bpf_cpumask *", Btf("bpf_cpumask")), arg("src", "const struct cpumask *", Btf("cpumask"))], Ret::Void, "void", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_create", &[], Ret::TrustedBtf("bpf_cpumask"), "struct bpf_cpumask *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (6, 3), 0xbc0000a0),
    row("bpf_cpumask_empty", &[arg("cpumask", "const struct cpumask *", Btf("cpumask"))], Ret::Int, "bool", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_equal", &[arg("src1", "const struct cpumask *", Btf("cpumask")), arg("src2", "const struct cpumask *", Btf("cpumask"))], Ret::Int, "bool", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_first", &[arg("cpumask", "const struct cpumask *", Btf("cpumask"))], Ret::Int, "u32", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_first_and", &[arg("src1", "const struct cpumask *", Btf("cpumask")), arg("src2", "const struct cpumask *", Btf("cpumask"))], Ret::Int, "u32", RCU, (6, 5), 0xbc0000a0),
    row("bpf_cpumask_first_zero", &[arg("cpumask", "const struct cpumask *", Btf("cpumask"))], Ret::Int, "u32", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_full", &[arg("cpumask", "const struct cpumask *", Btf("cpumask"))], Ret::Int, "bool", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_intersects", &[arg("src1", "const struct cpumask *", Btf("cpumask")), arg("src2", "const struct cpumask *", Btf("cpumask"))], Ret::Int, "bool", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_or", &[arg("dst", "struct bpf_cpumask *", Btf("bpf_cpumask")), arg("src1", "const struct cpumask *", Btf("cpumask")), arg("src2", "const struct cpumask *", Btf("cpumask"))], Ret::Void, "void", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_populate", &[arg("cpumask", "struct cpumask *", Btf("cpumask")), arg("src", "void *", Mem(ReadWrite, Next)), arg("src_size", "size_t", SizeOrZero)], Ret::Int, "int", RCU, (6, 15), 0xbc0000a0),
    row("bpf_cpumask_release", &[arg("cpumask", "struct bpf_cpumask *", Btf("bpf_cpumask")).released()], Ret::Void, "void", RELEASES, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_set_cpu", &[arg("cpu", "u32", Anything), arg("cpumask", "struct bpf_cpumask *", Btf("bpf_cpumask"))], Ret::Void, "void", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_setall", &[arg("cpumask", "struct bpf_cpumask *", Btf("bpf_cpumask"))], Ret::Void, "void", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_subset", &[arg("src1", "const struct cpumask *", Btf("cpumask")), arg("src2", "const struct cpumask *", Btf("cpumask"))], Ret::Int, "bool", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_test_and_clear_cpu", &[arg("cpu", "u32", Anything), arg("cpumask", "struct bpf_cpumask *", Btf("bpf_cpumask"))], Ret::Int, "bool", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_test_and_set_cpu", &[arg("cpu", "u32", Anything), arg("cpumask", "struct bpf_cpumask *", Btf("bpf_cpumask"))], Ret::Int, "bool", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_test_cpu", &[arg("cpu", "u32", Anything), arg("cpumask", "const struct cpumask *", Btf("cpumask"))], Ret::Int, "bool", RCU, (6, 3), 0xbc0000a0),
    row("bpf_cpumask_weight", &[arg("cpumask", "const struct cpumask *", Btf("cpumask"))], Ret::Int, "u32", RCU, (6, 8), 0xbc0000a0),
    row("bpf_cpumask_xor", &[arg("dst", "struct bpf_cpumask *", Btf("bpf_cpumask")), arg("src1", "const struct cpumask *", Btf("cpumask")), arg("src2", "const struct cpumask *", Btf("cpumask"))], Ret::Void, "void", RCU, (6, 3), 0xbc0000a0),
    row("bpf_crypto_ctx_acquire", &[arg("ctx", "struct bpf_crypto_ctx *", Btf("bpf_crypto_ctx"))], Ret::TrustedBtf("bpf_crypto_ctx"), "struct bpf_crypto_ctx *", flags(&[ACQUIRES, MAY_RETURN_NULL, RCU]), (6, 10), 0x98000000),
    row("bpf_crypto_ctx_create", &[arg("params", "const struct bpf_crypto_params *", Mem(Read, Next)), arg("params_size", "u32", SizeOrZero), arg("err", "int *", Mem(ReadWrite, Fixed(4)))], Ret::TrustedBtf("bpf_crypto_ctx"), "struct bpf_crypto_ctx *", flags(&[ACQUIRES, MAY_RETURN_NULL, MAY_SLEEP]), (6, 10), 0x98000000),
    row("bpf_crypto_ctx_release", &[arg("ctx", "struct bpf_crypto_ctx *", Btf("bpf_crypto_ctx")).released()], Ret::Void, "void", RELEASES, (6, 10), 0x98000000),
    row("bpf_crypto_decrypt", &[arg("ctx", "struct bpf_crypto_ctx *", Btf("bpf_crypto_ctx")), arg("src", "const struct bpf_dynptr *", Dynptr), arg("dst", "const struct bpf_dynptr *", Dynptr), arg("siv", "const struct bpf_dynptr *", Dynptr).nullable()], Ret::Int, "int", RCU, (6, 10), 0x10000058),
    row("bpf_crypto_encrypt", &[arg("ctx", "struct bpf_crypto_ctx *", Btf("bpf_crypto_ctx")), arg("src", "const struct bpf_dynptr *", Dynptr), arg("dst", "const struct bpf_dynptr *", Dynptr), arg("siv", "const struct bpf_dynptr *", Dynptr).nullable()], Ret::Int, "int", RCU, (6, 10), 0x10000058),
    row("bpf_ct_change_status", &[arg("nfct", "struct nf_conn *", Btf("nf_conn")), arg("status", "u32", Anything)], Ret::Int, "int", TRUSTED, (6, 0), 0x10000048),
    row("bpf_ct_change_timeout", &[arg("nfct", "struct nf_conn *", Btf("nf_conn")), arg("timeout", "u32", Anything)], Ret::Int, "int", TRUSTED, (6, 0), 0x10000048),
    row("bpf_ct_insert_entry", &[arg("nfct_i", "struct nf_conn___init *", Btf("nf_conn___init")).released()], Ret::TrustedBtf("nf_conn"), "struct nf_conn *", flags(&[ACQUIRES, MAY_RETURN_NULL, RELEASES]), (6, 0), 0x10000048),
    row("bpf_ct_release", &[arg("nfct", "struct nf_conn *", Btf("nf_conn")).released()], Ret::Void, "void", RELEASES, (5, 18), 0x10000048),
    row("bpf_ct_set_nat_info", &[arg("nfct", "struct nf_conn___init *", Btf("nf_conn___init")), arg("addr", "union nf_inet_addr *", Mem(ReadWrite, Fixed(16))), arg("port", "int", Anything), arg("manip", "enum nf_nat_manip_type", Anything)], Ret::Int, "int", TRUSTED, (6, 1), 0x10000048),
    row("bpf_ct_set_status", &[arg("nfct", "const struct nf_conn___init *", Btf("nf_conn___init")), arg("status", "u32", Anything)], Ret::Int, "int", TRUSTED, (6, 0), 0x10000048),
    row("bpf_ct_set_timeout", &[arg("nfct", "struct nf_conn___init *", Btf("nf_conn___init")), arg("timeout", "u32", Anything)], Ret::Void, "void", TRUSTED, (6, 0), 0x10000048),
    row("bpf_dynptr_adjust", &[arg("p", "const struct bpf_dynptr *", Dynptr), arg("start", "u32", Anything), arg("end", "u32", Anything)], Ret::Int, "int", NONE, (6, 5), 0x1ffeffffe),
    row("bpf_dynptr_clone", &[arg("p", "const struct bpf_dynptr *", Dynptr), arg("clone", "struct bpf_dynptr *", DynptrOut)], Ret::Int, "int", NONE, (6, 5), 0x1ffeffffe),
    row("bpf_dynptr_copy", &[arg("dst_ptr", "struct bpf_dynptr *", Dynptr), arg("dst_off", "u32", Anything), arg("src_ptr", "struct bpf_dynptr *", Dynptr), arg("src_off", "u32", Anything), arg("size", "u32", Anything)], Ret::Int, "int", NONE, (6, 15), 0x1ffeffffe),
    row("bpf_dynptr_from_skb", &[arg("s", "struct __sk_buff *", Ctx), arg("flags", "u64", Anything), arg("ptr", "struct bpf_dynptr *", DynptrOut)], Ret::Int, "int", TRUSTED, (6, 4), 0x1368cffba),
    row("bpf_dynptr_from_skb_meta", &[arg("skb_", "struct __sk_buff *", Ctx), arg("flags", "u64", Anything), arg("ptr", "struct bpf_dynptr *", DynptrOut)], Ret::Int, "int", TRUSTED, (6, 18), 0x10000018),
    row("bpf_dynptr_from_xdp", &[arg("x", "struct xdp_md *", Ctx), arg("flags", "u64", Anything), arg("ptr", "struct bpf_dynptr *", DynptrOut)], Ret::Int, "int", NONE, (6, 4), 0x10000040),
    row("bpf_dynptr_is_null", &[arg("p", "const struct bpf_dynptr *", Dynptr)], Ret::Int, "bool", NONE, (6, 5), 0x1ffeffffe),
    row("bpf_dynptr_is_rdonly", &[arg("p", "const struct bpf_dynptr *", Dynptr)], Ret::Int, "bool", NONE, (6, 5), 0x1ffeffffe),
    row("bpf_dynptr_memset", &[arg("p", "struct bpf_dynptr *", Dynptr), arg("offset", "u32", Anything), arg("size", "u32", Anything), arg("val", "u8", Anything)], Ret::Int, "int", NONE, (6, 17), 0x1ffeffffe),
    row("bpf_dynptr_size", &[arg("p", "const struct bpf_dynptr *", Dynptr)], Ret::Int, "__u32", NONE, (6, 5), 0x1ffeffffe),
    row("bpf_dynptr_slice", &[arg("p", "const struct bpf_dynptr *", Dynptr), arg("offset", "u32", Anything), arg("buffer", "void *", Mem(ReadWrite, Next)).nullable(), arg("buffer_size", "u32", AllocSize)], Ret::Mem, "void *", MAY_RETURN_NULL, (6, 4), 0x1ffeffffe),
    row("bpf_dynptr_slice_rdwr", &[arg("p", "const struct bpf_dynptr *", Dynptr), arg("offset", "u32", Anything), arg("buffer", "void *", Mem(ReadWrite, Next)).nullable(), arg("buffer_size", "u32", AllocSize)], Ret::Mem, "void *", MAY_RETURN_NULL, (6, 4), 0x1ffeffffe),
    row("bpf_get_dentry_xattr", &[arg("dentry", "struct dentry *", Btf("dentry")), arg("name", "const char *", ConstStr), arg("value_p", "struct bpf_dynptr *", Dynptr)], Ret::Int, "int", flags(&[MAY_SLEEP, TRUSTED]), (6, 12), 0x30000000),
    row("bpf_get_file_xattr", &[arg("file", "struct file *", Btf("file")), arg("name", "const char *", ConstStr), arg("value_p", "struct bpf_dynptr *", Dynptr)], Ret::Int, "int", flags(&[MAY_SLEEP, TRUSTED]), (6, 8), 0x30000000),
    row("bpf_get_kmem_cache", &[arg("addr", "u64", Anything)], Ret::Btf("kmem_cache"), "struct kmem_cache *", NONE, (6, 13), 0x1ffeffffe),
    row("bpf_get_task_exe_file", &[arg("task", "struct task_struct *", Btf("task_struct"))], Ret::TrustedBtf("file"), "struct file *", flags(&[ACQUIRES, MAY_RETURN_NULL, TRUSTED]), (6, 12), 0x30000000),
    row("bpf_iter_bits_destroy", &[arg("it", "struct bpf_iter_bits *", Iter("bpf_iter_bits"))], Ret::Void, "void", ITER_DESTROY, (6, 11), 0x1ffeffffe),
    row("bpf_iter_bits_new", &[arg("it", "struct bpf_iter_bits *", IterOut("bpf_iter_bits")), arg("unsafe_ptr", "const u64 *", Ignored), arg("nr_words", "u32", Anything)], Ret::Int, "int", ITER_NEW, (6, 11), 0x1ffeffffe),
    row("bpf_iter_bits_next", &[arg("it", "struct bpf_iter_bits *", Iter("bpf_iter_bits"))], Ret::Mem, "int *", flags(&[MAY_RETURN_NULL, ITER_NEXT]), (6, 11), 0x1ffeffffe),
    row("bpf_iter_css_destroy", &[arg("it", "struct bpf_iter_css *", Iter("bpf_iter_css"))], Ret::Void, "void", ITER_DESTROY, (6, 7), 0x1ffeffffe),
    row("bpf_iter_css_new", &[arg("it", "struct bpf_iter_css *", IterOut("bpf_iter_css")), arg("start", "struct cgroup_subsys_state *", Btf("cgroup_subsys_state")), arg("flags", "unsigned int", Anything)], Ret::Int, "int", flags(&[TRUSTED, ITER_NEW, RCU_PROTECTED]), (6, 7), 0x1ffeffffe),
    row("bpf_iter_css_next", &[arg("it", "struct bpf_iter_css *", Iter("bpf_iter_css"))], Ret::TrustedBtf("cgroup_subsys_state"), "struct cgroup_subsys_state *", flags(&[MAY_RETURN_NULL, ITER_NEXT]), (6, 7), 0x1ffeffffe),
    row("bpf_iter_css_task_destroy", &[arg("it", "struct bpf_iter_css_task *", Iter("bpf_iter_css_task"))], Ret::Void, "void", ITER_DESTROY, (6, 7), 0x1ffeffffe),
    row("bpf_iter_css_task_new", &[arg("it", "struct bpf_iter_css_task *", IterOut("bpf_iter_css_task")), arg("css", "struct cgroup_subsys_state *", Btf("cgroup_subsys_state")), arg("flags", "unsigned int", Anything)], Ret::Int, "int", flags(&[TRUSTED, ITER_NEW]), (6, 7), 0x1ffeffffe),
    row("bpf_iter_css_task_next", &[arg("it", "struct bpf_iter_css_task *", Iter("bpf_iter_css_task"))], Ret::TrustedBtf("task_struct"), "struct task_struct *", flags(&[MAY_RETURN_NULL, ITER_NEXT]), (6, 7), 0x1ffeffffe),
    row("bpf_iter_dmabuf_destroy", &[arg("it", "struct bpf_iter_dmabuf *", Iter("bpf_iter_dmabuf"))], Ret::Void, "void", flags(&[ITER_DESTROY, MAY_SLEEP]), (6, 16), 0x1ffeffffe),
    row("bpf_iter_dmabuf_new", &[arg("it", "struct bpf_iter_dmabuf *", IterOut("bpf_iter_dmabuf"))], Ret::Int, "int", flags(&[ITER_NEW, MAY_SLEEP]), (6, 16), 0x1ffeffffe),
    row("bpf_iter_dmabuf_next", &[arg("it", "struct bpf_iter_dmabuf *", Iter("bpf_iter_dmabuf"))], Ret::TrustedBtf("dma_buf"), "struct dma_buf *", flags(&[MAY_RETURN_NULL, ITER_NEXT, MAY_SLEEP]), (6, 16), 0x1ffeffffe),
    row("bpf_iter_kmem_cache_destroy", &[arg("it", "struct bpf_iter_kmem_cache *", Iter("bpf_iter_kmem_cache"))], Ret::Void, "void", flags(&[ITER_DESTROY, MAY_SLEEP]), (6, 13), 0x1ffeffffe),
    row("bpf_iter_kmem_cache_new", &[arg("it", "struct bpf_iter_kmem_cache *", IterOut("bpf_iter_kmem_cache"))], Ret::Int, "int", flags(&[ITER_NEW, MAY_SLEEP]), (6, 13), 0x1ffeffffe),
    row("bpf_iter_kmem_cache_next", &[arg("it", "struct bpf_iter_kmem_cache *", Iter("bpf_iter_kmem_cache"))], Ret::TrustedBtf("kmem_cache"), "struct kmem_cache *", flags(&[MAY_RETURN_NULL, ITER_NEXT, MAY_SLEEP]), (6, 13), 0x1ffeffffe),
    row("bpf_iter_num_destroy", &[arg("it", "struct bpf_iter_num *", Iter("bpf_iter_num"))], Ret::Void, "void", ITER_DESTROY, (6, 4), 0x1ffeffffe),
    row("bpf_iter_num_new", &[arg("it", "struct bpf_iter_num *", IterOut("bpf_iter_num")), arg("start", "int", Anything), arg("end", "int", Anything)], Ret::Int, "int", ITER_NEW, (6, 4), 0x1ffeffffe),
    row("bpf_iter_num_next", &[arg("it", "struct bpf_iter_num *", Iter("bpf_iter_num"))], Ret::Mem, "int *", flags(&[MAY_RETURN_NULL, ITER_NEXT]), (6, 4), 0x1ffeffffe),
    row("bpf_iter_task_destroy", &[arg("it", "struct bpf_iter_task *", Iter("bpf_iter_task"))], Ret::Void, "void", ITER_DESTROY, (6, 7), 0x1ffeffffe),
    row("bpf_iter_task_new", &[arg("it", "struct bpf_iter_task *", IterOut("bpf_iter_task")), arg("task", "struct task_struct *", Btf("task_struct")).nullable(), arg("flags", "unsigned int", Anything)], Ret::Int, "int", flags(&[TRUSTED, ITER_NEW, RCU_PROTECTED]), (6, 7), 0x1ffeffffe),
    row("bpf_iter_task_next", &[arg("it", "struct bpf_iter_task *", Iter("bpf_iter_task"))], Ret::TrustedBtf("task_struct"), "struct task_struct *", flags(&[MAY_RETURN_NULL, ITER_NEXT]), (6, 7), 0x1ffeffffe),
    row("bpf_iter_task_vma_destroy", &[arg("it", "struct bpf_iter_task_vma *", Iter("bpf_iter_task_vma"))], Ret::Void, "void", ITER_DESTROY, (6, 7), 0x1ffeffffe),
    row("bpf_iter_task_vma_new", &[arg("it", "struct bpf_iter_task_vma *", IterOut("bpf_iter_task_vma")), arg("task", "struct task_struct *", Btf("task_struct")), arg("addr", "u64", Anything)], Ret::Int, "int", flags(&[RCU, ITER_NEW]), (6, 7), 0x1ffeffffe),
    row("bpf_iter_task_vma_next", &[arg("it", "struct bpf_iter_task_vma *", Iter("bpf_iter_task_vma"))], Ret::TrustedBtf("vm_area_struct"), "struct vm_area_struct *", flags(&[MAY_RETURN_NULL, ITER_NEXT]), (6, 7), 0x1ffeffffe),
    row("bpf_key_put", &[arg("bkey", "struct bpf_key *", Btf("bpf_key")).released()], Ret::Void, "void", RELEASES, (6, 1), 0xbe84a3e8),
    row("bpf_kfunc_call_memb_release", &[arg("p", "struct prog_test_member *", Btf("prog_test_member")).released()], Ret::Void, "void", RELEASES, (5, 18), 0xbc0000a8),
    row("bpf_kfunc_call_test_release", &[arg("p", "struct prog_test_ref_kfunc *", Btf("prog_test_ref_kfunc")).released()], Ret::Void, "void", RELEASES, (5, 18), 0xbc0000a8),
    row("bpf_list_back", &[arg("head", "struct bpf_list_head *", Field("bpf_list_head"))], Ret::Btf("bpf_list_node"), "struct bpf_list_node *", MAY_RETURN_NULL, (6, 16), 0xbe84a3e8),
    row("bpf_list_front", &[arg("head", "struct bpf_list_head *", Field("bpf_list_head"))], Ret::Btf("bpf_list_node"), "struct bpf_list_node *", MAY_RETURN_NULL, (6, 16), 0xbe84a3e8),
    row("bpf_list_pop_back", &[arg("head", "struct bpf_list_head *", Field("bpf_list_head"))], Ret::Btf("bpf_list_node"), "struct bpf_list_node *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (6, 2), 0xbe84a3e8),
    row("bpf_list_pop_front", &[arg("head", "struct bpf_list_head *", Field("bpf_list_head"))], Ret::Btf("bpf_list_node"), "struct bpf_list_node *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (6, 2), 0xbe84a3e8),
    row("bpf_list_push_back_impl", &[arg("head", "struct bpf_list_head *", Field("bpf_list_head")), arg("node", "struct bpf_list_node *", Field("bpf_list_node")), arg("meta", "void *", Implicit), arg("off", "u64", Anything)], Ret::Int, "int", NONE, (6, 4), 0xbe84a3e8),
    row("bpf_list_push_front_impl", &[arg("head", "struct bpf_list_head *", Field("bpf_list_head")), arg("node", "struct bpf_list_node *", Field("bpf_list_node")), arg("meta", "void *", Implicit), arg("off", "u64", Anything)], Ret::Int, "int", NONE, (6, 4), 0xbe84a3e8),
    row("bpf_local_irq_restore", &[arg("flags", "long unsigned int *", IrqFlags)], Ret::Void, "void", NONE, (6, 14), 0x1ffeffffe),
    row("bpf_local_irq_save", &[arg("flags", "long unsigned int *", IrqFlags)], Ret::Void, "void", NONE, (6, 14), 0x1ffeffffe),
    row("bpf_lookup_system_key", &[arg("id", "u64", Anything)], Ret::TrustedBtf("bpf_key"), "struct bpf_key *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (6, 1), 0xbe84a3e8),
    row("bpf_lookup_user_key", &[arg("serial", "s32", Anything), arg("flags", "u64", Anything)], Ret::TrustedBtf("bpf_key"), "struct bpf_key *", flags(&[ACQUIRES, MAY_RETURN_NULL, MAY_SLEEP]), (6, 1), 0xbe84a3e8),
    row("bpf_map_sum_elem_count", &[arg("map", "const struct bpf_map *", ConstMap)], Ret::Int, "s64", TRUSTED, (6, 6), 0x1ffeffffe),
    row("bpf_obj_drop_impl", &[arg("p", "void *", Owned).released(), arg("meta", "void *", Implicit)], Ret::Void, "void", RELEASES, (6, 2), 0xbe84a3e8),
    row("bpf_obj_new_impl", &[arg("local_type_id", "u64", Constant), arg("meta", "void *", Implicit)], Ret::Btf(""), "void *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (6, 2), 0xbe84a3e8),
    row("bpf_path_d_path", &[arg("path", "const struct path *", Btf("path")), arg("buf", "char *", Mem(ReadWrite, Next)), arg("buf_size", "size_t", SizeOrZero)], Ret::Int, "int", TRUSTED, (6, 12), 0x30000000),
    row("bpf_percpu_obj_drop_impl", &[arg("p", "void *", Owned).released(), arg("meta", "void *", Implicit)], Ret::Void, "void", RELEASES, (6, 7), 0xbe84a3e8),
    row("bpf_percpu_obj_new_impl", &[arg("local_type_id", "u64", Constant), arg("meta", "void *", Implicit)], Ret::Btf(""), "void *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (6, 7), 0xbe84a3e8),
    row("bpf_preempt_disable", &[], Ret::Void, "void", NONE, (6, 10), 0x1ffeffffe),
    row("bpf_preempt_enable", &[], Ret::Void, "void", NONE, (6, 10), 0x1ffeffffe),
    row("bpf_probe_read_kernel_dynptr", &[arg("dptr", "struct bpf_dynptr *", Dynptr), arg("off", "u32", Anything), arg("size", "u32", Anything), arg("unsafe_ptr", "const void *", Ignored)], Ret::Int, "int", NONE, (6, 16), 0x1ffeffffe),
    row("bpf_probe_read_kernel_str_dynptr", &[arg("dptr", "struct bpf_dynptr *", Dynptr), arg("off", "u32", Anything), arg("size", "u32", Anything), arg("unsafe_ptr", "const void *", Ignored)], Ret::Int, "int", NONE, (6, 16), 0x1ffeffffe),
    row("bpf_probe_read_user_dynptr", &[arg("dptr", "struct bpf_dynptr *", Dynptr), arg("off", "u32", Anything), arg("size", "u32", Anything), arg("unsafe_ptr", "const void *", Ignored)], Ret::Int, "int", NONE, (6, 16), 0x1ffeffffe),
    row("bpf_probe_read_user_str_dynptr", &[arg("dptr", "struct bpf_dynptr *", Dynptr), arg("off", "u32", Anything), arg("size", "u32", Anything), arg("unsafe_ptr", "const void *", Ignored)], Ret::Int, "int", NONE, (6, 16), 0x1ffeffffe),
    row("bpf_put_file", &[arg("file", "struct file *", Btf("file")).released()], Ret::Void, "void", RELEASES, (6, 12), 0x30000000),
    row("bpf_rbtree_add_impl", &[arg("root", "struct bpf_rb_root *", Field("bpf_rb_root")), arg("node", "struct bpf_rb_node *", Field("bpf_rb_node")), arg("less", "fn *", Func), arg("meta", "void *", Implicit), arg("off", "u64", Anything)], Ret::Int, "int", NONE, (6, 4), 0xbe84a3e8),
    row("bpf_rbtree_first", &[arg("root", "struct bpf_rb_root *", Field("bpf_rb_root"))], Ret::Btf("bpf_rb_node"), "struct bpf_rb_node *", MAY_RETURN_NULL, (6, 3), 0xbe84a3e8),
    row("bpf_rbtree_left", &[arg("root", "struct bpf_rb_root *", Field("bpf_rb_root")), arg("node", "struct bpf_rb_node *", Field("bpf_rb_node"))], Ret::Btf("bpf_rb_node"), "struct bpf_rb_node *", MAY_RETURN_NULL, (6, 16), 0xbe84a3e8),
    row("bpf_rbtree_remove", &[arg("root", "struct bpf_rb_root *", Field("bpf_rb_root")), arg("node", "struct bpf_rb_node *", Field("bpf_rb_node"))], Ret::Btf("bpf_rb_node"), "struct bpf_rb_node *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (6, 3), 0xbe84a3e8),
    row("bpf_rbtree_right", &[arg("root", "struct bpf_rb_root *", Field("bpf_rb_root")), arg("node", "struct bpf_rb_node *", Field("bpf_rb_node"))], Ret::Btf("bpf_rb_node"), "struct bpf_rb_node *", MAY_RETURN_NULL, (6, 16), 0xbe84a3e8),
    row("bpf_rbtree_root", &[arg("root", "struct bpf_rb_root *", Field("bpf_rb_root"))], Ret::Btf("bpf_rb_node"), "struct bpf_rb_node *", MAY_RETURN_NULL, (6, 16), 0xbe84a3e8),
    row("bpf_rcu_read_lock", &[], Ret::Void, "void", NONE, (6, 2), 0x1ffeffffe),
    row("bpf_rcu_read_unlock", &[], Ret::Void, "void", NONE, (6, 2), 0x1ffeffffe),
    row("bpf_rdonly_cast", &[arg("obj", "const void *", Ignored), arg("btf_id", "u32", Constant)], Ret::Btf(""), "void *", NONE, (6, 2), 0x1ffeffffe),
    row("bpf_refcount_acquire_impl", &[arg("p", "void *", Owned), arg("meta", "void *", Implicit)], Ret::Btf(""), "void *", flags(&[ACQUIRES, MAY_RETURN_NULL, RCU]), (6, 4), 0xbe84a3e8),
    row("bpf_remove_dentry_xattr", &[arg("dentry", "struct dentry *", Btf("dentry")), arg("name", "const char *", ConstStr)], Ret::Int, "int", flags(&[MAY_SLEEP, TRUSTED]), (6, 15), 0x30000000),
    row("bpf_res_spin_lock", &[arg("lock", "struct bpf_res_spin_lock *", ResSpinLock)], Ret::Int, "int", NONE, (6, 15), 0x1ffeffffe),
    row("bpf_res_spin_lock_irqsave", &[arg("lock", "struct bpf_res_spin_lock *", ResSpinLock), arg("flags", "long unsigned int *", IrqFlags)], Ret::Int, "int", NONE, (6, 15), 0x1ffeffffe),
    row("bpf_res_spin_unlock", &[arg("lock", "struct bpf_res_spin_lock *", ResSpinLock)], Ret::Void, "void", NONE, (6, 15), 0x1ffeffffe),
    row("bpf_res_spin_unlock_irqrestore", &[arg("lock", "struct bpf_res_spin_lock *", ResSpinLock), arg("flags", "long unsigned int *", IrqFlags)], Ret::Void, "void", NONE, (6, 15), 0x1ffeffffe),
    row("bpf_send_signal_task", &[arg("task", "struct task_struct *", Btf("task_struct")), arg("sig", "int", Anything), arg("type", "enum pid_type", Anything), arg("value", "u64", Anything)], Ret::Int, "int", TRUSTED, (6, 13), 0xbe84a3e8),
    row("bpf_session_cookie", &[], Ret::Mem, "__u64 *", NONE, (6, 10), 0x10000004),
    row("bpf_session_is_return", &[], Ret::Int, "bool", NONE, (6, 10), 0x10000004),
    row("bpf_set_dentry_xattr", &[arg("dentry", "struct dentry *", Btf("dentry")), arg("name", "const char *", ConstStr), arg("value_p", "const struct bpf_dynptr *", Dynptr), arg("flags", "int", Anything)], Ret::Int, "int", flags(&[MAY_SLEEP, TRUSTED]), (6, 15), 0x30000000),
    row("bpf_sk_assign_tcp_reqsk", &[arg("s", "struct __sk_buff *", Ctx), arg("sk", "struct sock *", Btf("sock")), arg("attrs", "struct bpf_tcp_req_attrs *", Mem(ReadWrite, Next)), arg("attrs_size", "int", SizeOrZero)], Ret::Int, "int", TRUSTED, (6, 9), 0x10000008),
    row("bpf_skb_ct_alloc", &[arg("skb_ctx", "struct __sk_buff *", Ctx), arg("bpf_tuple", "struct bpf_sock_tuple *", Mem(ReadWrite, Next)), arg("tuple_size", "u32", SizeOrZero), arg("opts", "struct bpf_ct_opts *", Mem(ReadWrite, Next)), arg("opts_size", "u32", SizeOrZero)], Ret::TrustedBtf("nf_conn___init"), "struct nf_conn___init *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (6, 0), 0x10000048),
    row("bpf_skb_ct_lookup", &[arg("skb_ctx", "struct __sk_buff *", Ctx), arg("bpf_tuple", "struct bpf_sock_tuple *", Mem(ReadWrite, Next)), arg("tuple_size", "u32", SizeOrZero), arg("opts", "struct bpf_ct_opts *", Mem(ReadWrite, Next)), arg("opts_size", "u32", SizeOrZero)], Ret::TrustedBtf("nf_conn"), "struct nf_conn *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (5, 18), 0x10000048),
    row("bpf_sock_addr_set_sun_path", &[arg("sa_kern", "struct bpf_sock_addr_kern *", Btf("bpf_sock_addr_kern")), arg("sun_path", "const u8 *", Mem(Read, Next)), arg("sun_path_size", "u32", SizeOrZero)], Ret::Int, "int", NONE, (6, 7), 0x1284a300),
    row("bpf_sock_destroy", &[arg("sock", "struct sock_common *", Btf("sock_common"))], Ret::Int, "int", TRUSTED, (6, 5), 0x14000000),
    row("bpf_sock_ops_enable_tx_tstamp", &[arg("skops", "struct bpf_sock_ops_kern *", Btf("bpf_sock_ops_kern")), arg("flags", "u64", Anything)], Ret::Int, "int", TRUSTED, (6, 15), 0x1284a300),
    row("bpf_strcasecmp", &[arg("s1", "const char *", Ignored), arg("s2", "const char *", Ignored)], Ret::Int, "int", NONE, (6, 18), 0x1ffeffffe),
    row("bpf_strchr", &[arg("s", "const char *", Ignored), arg("c", "char", Anything)], Ret::Int, "int", NONE, (6, 17), 0x1ffeffffe),
    row("bpf_strchrnul", &[arg("s", "const char *", Ignored), arg("c", "char", Anything)], Ret::Int, "int", NONE, (6, 17), 0x1ffeffffe),
    row("bpf_strcmp", &[arg("s1", "const char *", Ignored), arg("s2", "const char *", Ignored)], Ret::Int, "int", NONE, (6, 17), 0x1ffeffffe),
    row("bpf_strcspn", &[arg("s", "const char *", Ignored), arg("reject", "const char *", Ignored)], Ret::Int, "int", NONE, (6, 17), 0x1ffeffffe),
    row("bpf_stream_vprintk_impl", &[arg("stream_id", "int", Anything), arg("fmt", "const char *", ConstStr), arg("args", "const void *", Mem(Read, Next)), arg("len_size", "u32", SizeOrZero), arg("aux", "void *", Implicit)], Ret::Int, "int", TRUSTED, (6, 18), 0x1ffeffffe),
    row("bpf_strlen", &[arg("s", "const char *", Ignored)], Ret::Int, "int", NONE, (6, 17), 0x1ffeffffe),
    row("bpf_strnchr", &[arg("s", "const char *", Ignored), arg("count", "size_t", Anything), arg("c", "char", Anything)], Ret::Int, "int", NONE, (6, 17), 0x1ffeffffe),
    row("bpf_strnlen", &[arg("s", "const char *", Ignored), arg("count", "size_t", Anything)], Ret::Int, "int", NONE, (6, 17), 0x1ffeffffe),
    row("bpf_strnstr", &[arg("s1", "const char *", Ignored), arg("s2", "const char *", Ignored), arg("len", "size_t", Anything)], Ret::Int, "int", NONE, (6, 17), 0x1ffeffffe),
    row("bpf_strrchr", &[arg("s", "const char *", Ignored), arg("c", "int", Anything)], Ret::Int, "int", NONE, (6, 17), 0x1ffeffffe),
    row("bpf_strspn", &[arg("s", "const char *", Ignored), arg("accept", "const char *", Ignored)], Ret::Int, "int", NONE, (6, 17), 0x1ffeffffe),
    row("bpf_strstr", &[arg("s1", "const char *", Ignored), arg("s2", "const char *", Ignored)], Ret::Int, "int", NONE, (6, 17), 0x1ffeffffe),
    row("bpf_task_acquire", &[arg("p", "struct task_struct *", Btf("task_struct"))], Ret::TrustedBtf("task_struct"), "struct task_struct *", flags(&[ACQUIRES, MAY_RETURN_NULL, RCU]), (6, 2), 0xbe84a3e8),
    row("bpf_task_from_pid", &[arg("pid", "s32", Anything)], Ret::TrustedBtf("task_struct"), "struct task_struct *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (6, 2), 0xbe84a3e8),
    row("bpf_task_from_vpid", &[arg("vpid", "s32", Anything)], Ret::TrustedBtf("task_struct"), "struct task_struct *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (6, 13), 0xbe84a3e8),
    row("bpf_task_get_cgroup1", &[arg("task", "struct task_struct *", Btf("task_struct")), arg("hierarchy_id", "int", Anything)], Ret::TrustedBtf("cgroup"), "struct cgroup *", flags(&[ACQUIRES, MAY_RETURN_NULL, RCU]), (6, 8), 0xbe84a3e8),
    row("bpf_task_release", &[arg("p", "struct task_struct *", Btf("task_struct")).released()], Ret::Void, "void", RELEASES, (6, 2), 0xbe84a3e8),
    row("bpf_task_under_cgroup", &[arg("task", "struct task_struct *", Btf("task_struct")), arg("ancestor", "struct cgroup *", Btf("cgroup"))], Ret::Int, "long int", RCU, (6, 5), 0xbe84a3e8),
    row("bpf_task_work_schedule_resume_impl", &[arg("task", "struct task_struct *", Btf("task_struct")), arg("tw", "struct bpf_task_work *", Field("bpf_task_work")), arg("map", "void *", ConstMap), arg("callback", "bpf_task_work_callback_t", Func), arg("aux", "void *", Implicit)], Ret::Int, "int", TRUSTED, (6, 18), 0x1ffeffffe),
    row("bpf_task_work_schedule_signal_impl", &[arg("task", "struct task_struct *", Btf("task_struct")), arg("tw", "struct bpf_task_work *", Field("bpf_task_work")), arg("map", "void *", ConstMap), arg("callback", "bpf_task_work_callback_t", Func), arg("aux", "void *", Implicit)], Ret::Int, "int", TRUSTED, (6, 18), 0x1ffeffffe),
    row("bpf_throw", &[arg("cookie", "u64", Anything)], Ret::Void, "void", NONE, (6, 7), 0xbe84a3e8),
    row("bpf_wq_init", &[arg("wq", "struct bpf_wq *", Field("bpf_wq")), arg("p", "void *", ConstMap), arg("flags", "unsigned int", Anything)], Ret::Int, "int", NONE, (6, 10), 0x1ffeffffe),
    row("bpf_wq_set_callback_impl", &[arg("wq", "struct bpf_wq *", Field("bpf_wq")), arg("callback_fn", "fn *", Func), arg("flags", "unsigned int", Anything), arg("aux", "void *", Implicit)], Ret::Int, "int", NONE, (6, 10), 0x1ffeffffe),
    row("bpf_wq_start", &[arg("wq", "struct bpf_wq *", Field("bpf_wq")), arg("flags", "unsigned int", Anything)], Ret::Int, "int", NONE, (6, 10), 0x1ffeffffe),
    row("bpf_xdp_ct_alloc", &[arg("xdp_ctx", "struct xdp_md *", Ctx), arg("bpf_tuple", "struct bpf_sock_tuple *", Mem(ReadWrite, Next)), arg("tuple_size", "u32", SizeOrZero), arg("opts", "struct bpf_ct_opts *", Mem(ReadWrite, Next)), arg("opts_size", "u32", SizeOrZero)], Ret::TrustedBtf("nf_conn___init"), "struct nf_conn___init *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (6, 0), 0x10000048),
    row("bpf_xdp_ct_lookup", &[arg("xdp_ctx", "struct xdp_md *", Ctx), arg("bpf_tuple", "struct bpf_sock_tuple *", Mem(ReadWrite, Next)), arg("tuple_size", "u32", SizeOrZero), arg("opts", "struct bpf_ct_opts *", Mem(ReadWrite, Next)), arg("opts_size", "u32", SizeOrZero)], Ret::TrustedBtf("nf_conn"), "struct nf_conn *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (5, 18), 0x10000048),
    row("bpf_xdp_get_xfrm_state", &[arg("ctx", "struct xdp_md *", Ctx), arg("opts", "struct bpf_xfrm_state_opts *", Mem(ReadWrite, Next)), arg("opts_size", "u32", SizeOrZero)], Ret::TrustedBtf("xfrm_state"), "struct xfrm_state *", flags(&[ACQUIRES, MAY_RETURN_NULL]), (6, 8), 0x10000040),
    row("bpf_xdp_metadata_rx_hash", &[arg("ctx", "const struct xdp_md *", Ctx), arg("hash", "u32 *", Mem(ReadWrite, Fixed(4))), arg("rss_type", "enum xdp_rss_hash_type *", Mem(ReadWrite, Fixed(4)))], Ret::Int, "int", TRUSTED, (6, 3), 0x10000040),
    row("bpf_xdp_metadata_rx_timestamp", &[arg("ctx", "const struct xdp_md *", Ctx), arg("timestamp", "u64 *", Mem(ReadWrite, Fixed(8)))], Ret::Int, "int", TRUSTED, (6, 3), 0x10000040),
    row("bpf_xdp_metadata_rx_vlan_tag", &[arg("ctx", "const struct xdp_md *", Ctx), arg("vlan_proto", "__be16 *", Mem(ReadWrite, Fixed(2))), arg("vlan_tci", "u16 *", Mem(ReadWrite, Fixed(2)))], Ret::Int, "int", TRUSTED, (6, 8), 0x10000040),
    row("bpf_xdp_pull_data", &[arg("x", "struct xdp_md *", Ctx), arg("len", "u32", Anything)], Ret::Int, "int", NONE, (6, 18), 0x10000040),
    row("bpf_xdp_xfrm_state_release", &[arg("x", "struct xfrm_state *", Btf("xfrm_state")).released()], Ret::Void, "void", RELEASES, (6, 8), 0x10000040),
    row("css_rstat_flush", &[arg("css", "struct cgroup_subsys_state *", Btf("cgroup_subsys_state"))], Ret::Void, "void", MAY_SLEEP, (6, 16), 0x340000a0),
    row("css_rstat_updated", &[arg("css", "struct cgroup_subsys_state *", Btf("cgroup_subsys_state")), arg("cpu", "int", Anything)], Ret::Void, "void", NONE, (6, 16), 0x340000a0),
    row("cubictcp_acked", &[arg("sk", "struct sock *", Btf("sock")), arg("sample", "const struct ack_sample *", Btf("ack_sample"))], Ret::Void, "void", NONE, (5, 13), 0x18000000),
    row("cubictcp_cong_avoid", &[arg("sk", "struct sock *", Btf("sock")), arg("ack", "u32", Anything), arg("acked", "u32", Anything)], Ret::Void, "void", NONE, (5, 13), 0x18000000),
    row("cubictcp_cwnd_event", &[arg("sk", "struct sock *", Btf("sock")), arg("event", "enum tcp_ca_event", Anything)], Ret::Void, "void", NONE, (5, 13), 0x18000000),
    row("cubictcp_init", &[arg("sk", "struct sock *", Btf("sock"))], Ret::Void, "void", NONE, (5, 13), 0x18000000),
    row("cubictcp_recalc_ssthresh", &[arg("sk", "struct sock *", Btf("sock"))], Ret::Int, "u32", NONE, (5, 13), 0x18000000),
    row("cubictcp_state", &[arg("sk", "struct sock *", Btf("sock")), arg("new_state", "u8", Anything)], Ret::Void, "void", NONE, (5, 13), 0x18000000),
    row("tcp_cong_avoid_ai", &[arg("tp", "struct tcp_sock *", Btf("tcp_sock")), arg("w", "u32", Anything), arg("acked", "u32", Anything)], Ret::Void, "void", NONE, (5, 13), 0x18000000),
    row("tcp_reno_cong_avoid", &[arg("sk", "struct sock *", Btf("sock")), arg("ack", "u32", Anything), arg("acked", "u32", Anything)], Ret::Void, "void", NONE, (5, 13), 0x18000000),
    row("tcp_reno_ssthresh", &[arg("sk", "struct sock *", Btf("sock"))], Ret::Int, "u32", NONE, (5, 13), 0x18000000),
    row("tcp_reno_undo_cwnd", &[arg("sk", "struct sock *", Btf("sock"))], Ret::Int, "u32", NONE, (5, 13), 0x18000000),
    row("tcp_slow_start", &[arg("tp", "struct tcp_sock *", Btf("tcp_sock")), arg("acked", "u32", Anything)], Ret::Int, "u32", NONE, (5, 13), 0x18000000),
];
