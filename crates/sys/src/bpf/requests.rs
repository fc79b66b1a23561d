//! The arguments of the commands that have many.

use std::ffi::{CStr, CString};
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::SysError;

/// BPF_MAP_CREATE.
#[derive(Clone, Copy, Debug, Default)]
pub struct MapCreate<'a> {
    /// BPF_MAP_TYPE_…
    pub map_type: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Entries.
    pub max_entries: u32,
    /// BPF_F_…
    pub flags: u32,
    /// The name; cut to 15 bytes, odd characters become `_`.
    pub name: &'a str,
    /// The inner map of a map of maps.
    pub inner: Option<BorrowedFd<'a>>,
    /// Types of key and value.
    pub btf: Option<MapBtf<'a>>,
    /// The kernel's own type of the value (a struct of operations); `btf` is then any BTF of ours.
    pub kernel_value: Option<KernelValue<'a>>,
    /// Extra of some types (hash functions of a bloom filter, …).
    pub extra: u64,
}

/// The types of a map's entries.
#[derive(Clone, Copy, Debug)]
pub struct MapBtf<'a> {
    /// The loaded BTF.
    pub btf: BorrowedFd<'a>,
    /// Type of the key, 0 for none.
    pub key: u32,
    /// Type of the value.
    pub value: u32,
}

/// A type of the kernel's that a map's value has.
#[derive(Clone, Copy, Debug)]
pub struct KernelValue<'a> {
    /// Its id.
    pub id: u32,
    /// The BTF of the module that has it; `None` for the kernel's own. The map's flags must say so, too.
    pub module: Option<BorrowedFd<'a>>,
}

/// BPF_PROG_LOAD.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgLoad<'a> {
    /// BPF_PROG_TYPE_…
    pub prog_type: u32,
    /// BPF_…; 0 where the type has none.
    pub expected_attach_type: u32,
    /// The slots, 8 bytes each, in the machine's byte order.
    pub insns: &'a [u8],
    /// The licence, `GPL` for most helpers.
    pub license: &'a CStr,
    /// The name; cut to 15 bytes, odd characters become `_`.
    pub name: &'a str,
    /// BPF_F_SLEEPABLE, …
    pub flags: u32,
    /// The loaded BTF that func and line info speak of.
    pub btf: Option<BorrowedFd<'a>>,
    /// Records `{u32 insn_off, u32 type_id}`.
    pub func_info: &'a [u8],
    /// Records `{u32 insn_off, file_name_off, line_off, line_col}`.
    pub line_info: &'a [u8],
    /// What the program attaches to, by type id.
    pub attach_btf: AttachBtf<'a>,
    /// Descriptors that instructions name by index (BTFs of modules).
    pub fd_array: &'a [BorrowedFd<'a>],
    /// 0 none, 1 short, 2 long, 4 statistics.
    pub log_level: u32,
    /// Bytes for the log.
    pub log_size: u32,
    /// The network device a program is loaded for (hardware offload, device-bound XDP).
    pub ifindex: u32,
}

/// What a tracing program is loaded for.
#[derive(Clone, Copy, Debug, Default)]
pub enum AttachBtf<'a> {
    /// Nothing.
    #[default]
    None,
    /// A type of the kernel itself.
    Vmlinux(u32),
    /// A type of a module's BTF.
    Module(BorrowedFd<'a>, u32),
    /// A type of another program's BTF.
    Prog(BorrowedFd<'a>, u32),
}

/// BPF_BTF_LOAD.
#[derive(Clone, Copy, Debug, Default)]
pub struct BtfLoad<'a> {
    /// The bytes.
    pub data: &'a [u8],
    /// As in [`ProgLoad`].
    pub log_level: u32,
    /// As in [`ProgLoad`].
    pub log_size: u32,
}

/// A loaded program or BTF.
#[derive(Debug)]
pub struct Loaded {
    /// Its descriptor.
    pub fd: OwnedFd,
    /// The log, when one was asked for.
    pub log: String,
    /// Bytes that the whole log takes, where the kernel says it.
    pub log_true_size: u32,
}

/// A load that failed.
#[derive(Debug)]
pub struct LoadFailure {
    /// Why.
    pub error: SysError,
    /// The log, perhaps cut.
    pub log: String,
    /// Bytes that the whole log takes, where the kernel says it (6.4 on), else 0.
    pub log_true_size: u32,
}

/// BPF_PROG_TEST_RUN.
#[derive(Clone, Copy, Debug)]
pub struct TestRun<'a> {
    /// The program.
    pub prog: BorrowedFd<'a>,
    /// The packet.
    pub data_in: &'a [u8],
    /// Room for the packet after the run.
    pub data_out_len: u32,
    /// The context.
    pub ctx_in: &'a [u8],
    /// Room for the context after the run; with 0, the context is what the kernel left in place.
    pub ctx_out_len: u32,
    /// Runs; 0 counts as 1.
    pub repeat: u32,
    /// BPF_F_TEST_RUN_ON_CPU, …
    pub flags: u32,
    /// The processor, with that flag.
    pub cpu: u32,
}

/// What a test run gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestRunOut {
    /// r0.
    pub retval: u32,
    /// Mean nanoseconds of a run.
    pub duration_ns: u32,
    /// The packet afterwards.
    pub data_out: Vec<u8>,
    /// The context afterwards.
    pub ctx_out: Vec<u8>,
}

/// BPF_LINK_CREATE.
#[derive(Clone, Debug)]
pub struct LinkCreate<'a> {
    /// The program.
    pub prog: BorrowedFd<'a>,
    /// Where to.
    pub target: LinkTarget<'a>,
    /// BPF_…
    pub attach_type: u32,
    /// Flags of the kind (XDP modes, …).
    pub flags: u32,
    /// What the kind adds.
    pub extra: LinkExtra<'a>,
}

/// The object that a link hangs on.
#[derive(Clone, Copy, Debug)]
pub enum LinkTarget<'a> {
    /// None, or it is in the extra.
    None,
    /// A descriptor: perf event, cgroup, network namespace.
    Fd(BorrowedFd<'a>),
    /// A network device.
    Ifindex(u32),
}

/// What each kind of link adds.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum LinkExtra<'a> {
    None,
    PerfEvent {
        cookie: u64,
    },
    KprobeMulti {
        flags: u32,
        symbols: &'a [CString],
        cookies: &'a [u64],
    },
    Tracing {
        target_btf_id: u32,
        cookie: u64,
    },
    Netfilter {
        pf: u32,
        hook: u32,
        priority: i32,
        flags: u32,
    },
    UprobeMulti {
        path: &'a CStr,
        offsets: &'a [u64],
        /// Offsets of USDT semaphores; empty for none.
        ref_ctr_offsets: &'a [u64],
        /// Empty for none.
        cookies: &'a [u64],
        flags: u32,
        /// 0 for every process.
        pid: u32,
    },
}
