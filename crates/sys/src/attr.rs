//! The arguments of bpf(2) and perf_event_open(2) as the kernel reads them, one struct per command
//! (include/uapi/linux/bpf.h). Invariant: no struct has a byte that no field names, so what goes to
//! the kernel is never uninitialised, and what a kernel does not know is zero, which it accepts.

macro_rules! attr {
    ($($(#[$m:meta])* $name:ident { $($field:ident : $ty:ty),* $(,)? })*) => {$(
        $(#[$m])*
        #[repr(C)]
        #[derive(Default, Clone, Copy)]
        pub(crate) struct $name { $(pub $field: $ty),* }
        const _: () = assert!(size_of::<$name>() == 0 $(+ size_of::<$ty>())*, "implicit padding");
        // SAFETY: `repr(C)` of integers, and the assertion above shows that there is no padding.
        unsafe impl Attr for $name {}
    )*};
}

/// Plain integers without padding: every byte is initialised, every bit pattern is valid.
///
/// # Safety
/// Only for `repr(C)` structs of integers without padding.
pub(crate) unsafe trait Attr: Default + Copy {}

attr! {
    MapCreateAttr {
        map_type: u32, key_size: u32, value_size: u32, max_entries: u32, map_flags: u32, inner_map_fd: u32,
        numa_node: u32, map_name: [u8; 16], map_ifindex: u32, btf_fd: u32, btf_key_type_id: u32,
        btf_value_type_id: u32, btf_vmlinux_value_type_id: u32, map_extra: u64,
        value_type_btf_obj_fd: u32, map_token_fd: u32,
    }
    MapElemAttr { map_fd: u32, pad: u32, key: u64, value: u64, flags: u64 }
    ProgLoadAttr {
        prog_type: u32, insn_cnt: u32, insns: u64, license: u64, log_level: u32, log_size: u32, log_buf: u64,
        kern_version: u32, prog_flags: u32, prog_name: [u8; 16], prog_ifindex: u32, expected_attach_type: u32,
        prog_btf_fd: u32, func_info_rec_size: u32, func_info: u64, func_info_cnt: u32, line_info_rec_size: u32,
        line_info: u64, line_info_cnt: u32, attach_btf_id: u32, attach_prog_fd: u32, core_relo_cnt: u32,
        fd_array: u64, core_relos: u64, core_relo_rec_size: u32, log_true_size: u32,
    }
    ObjAttr { pathname: u64, bpf_fd: u32, file_flags: u32 }
    ProgAttachAttr { target_fd: u32, attach_bpf_fd: u32, attach_type: u32, attach_flags: u32, replace_bpf_fd: u32 }
    TestRunAttr {
        prog_fd: u32, retval: u32, data_size_in: u32, data_size_out: u32, data_in: u64, data_out: u64, repeat: u32,
        duration: u32, ctx_size_in: u32, ctx_size_out: u32, ctx_in: u64, ctx_out: u64, flags: u32, cpu: u32,
        batch_size: u32, pad: u32,
    }
    IdAttr { start_or_id: u32, next_id: u32, open_flags: u32 }
    InfoAttr { bpf_fd: u32, info_len: u32, info: u64 }
    QueryAttr {
        target: u32, attach_type: u32, query_flags: u32, attach_flags: u32, prog_ids: u64, prog_cnt: u32, pad: u32,
    }
    RawTracepointAttr { name: u64, prog_fd: u32, pad: u32, cookie: u64 }
    BtfLoadAttr { btf: u64, log_buf: u64, btf_size: u32, log_size: u32, log_level: u32, log_true_size: u32 }
    LinkCreateAttr { prog_fd: u32, target: u32, attach_type: u32, flags: u32, extra: [u64; 6] }
    LinkUpdateAttr { link_fd: u32, new_prog_fd: u32, flags: u32, old_prog_fd: u32 }
    LinkDetachAttr { link_fd: u32 }
    EnableStatsAttr { kind: u32 }
    IterCreateAttr { link_fd: u32, flags: u32 }
    ProgBindMapAttr { prog_fd: u32, map_fd: u32, flags: u32 }

    ProgInfoRaw {
        kind: u32, id: u32, tag: [u8; 8], jited_len: u32, xlated_len: u32, jited_insns: u64, xlated_insns: u64,
        load_time: u64, created_by_uid: u32, nr_map_ids: u32, map_ids: u64, name: [u8; 16], ifindex: u32,
        gpl_compatible: u32, netns_dev: u64, netns_ino: u64, nr_jited_ksyms: u32, nr_jited_func_lens: u32,
        jited_ksyms: u64, jited_func_lens: u64, btf_id: u32, func_info_rec_size: u32, func_info: u64,
        nr_func_info: u32, nr_line_info: u32, line_info: u64, jited_line_info: u64, nr_jited_line_info: u32,
        line_info_rec_size: u32, jited_line_info_rec_size: u32, nr_prog_tags: u32, prog_tags: u64,
        run_time_ns: u64, run_cnt: u64, recursion_misses: u64, verified_insns: u32, attach_btf_obj_id: u32,
        attach_btf_id: u32, pad: u32,
    }
    MapInfoRaw {
        kind: u32, id: u32, key_size: u32, value_size: u32, max_entries: u32, map_flags: u32, name: [u8; 16],
        ifindex: u32, btf_vmlinux_value_type_id: u32, netns_dev: u64, netns_ino: u64, btf_id: u32,
        btf_key_type_id: u32, btf_value_type_id: u32, btf_vmlinux_id: u32, map_extra: u64,
    }
    LinkInfoRaw { kind: u32, id: u32, prog_id: u32, pad: u32, rest: [u64; 8] }
    BtfInfoRaw { btf: u64, btf_size: u32, id: u32, name: u64, name_len: u32, kernel_btf: u32 }

    /// `struct perf_event_attr` up to PERF_ATTR_SIZE_VER5 (112 bytes, since 4.1).
    PerfAttr {
        kind: u32, size: u32, config: u64, sample_period: u64, sample_type: u64, read_format: u64, flags: u64,
        wakeup_events: u32, bp_type: u32, config1: u64, config2: u64, branch_sample_type: u64,
        sample_regs_user: u64, sample_stack_user: u32, clockid: u32, sample_regs_intr: u64, aux_watermark: u32,
        sample_max_stack: u16, reserved: u16,
    }
}

/// A name as the kernel keeps it: at most 15 bytes and a zero, of letters, digits, `_` and `.`.
pub(crate) fn object_name(name: &str) -> [u8; 16] {
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().take(15).zip(name.bytes()) {
        *to = if from.is_ascii_alphanumeric() || from == b'.' { from } else { b'_' };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes from the kernel's header: a struct that grew by mistake would reach into other fields.
    #[test]
    fn sizes_are_the_kernels() {
        assert_eq!(size_of::<MapCreateAttr>(), 80);
        assert_eq!(size_of::<ProgLoadAttr>(), 144);
        assert_eq!(size_of::<TestRunAttr>(), 80);
        assert_eq!(size_of::<ProgInfoRaw>(), 232);
        assert_eq!(size_of::<MapInfoRaw>(), 88);
        assert_eq!(size_of::<PerfAttr>(), 112);
    }

    #[test]
    fn names_are_cut_and_made_acceptable() {
        assert_eq!(&object_name("on-exec"), b"on_exec\0\0\0\0\0\0\0\0\0");
        assert_eq!(&object_name("a-very-long-name-indeed"), b"a_very_long_nam\0");
        assert_eq!(&object_name("λ"), b"__\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    }
}
