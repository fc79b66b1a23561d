//! Map types and the rules their declarations obey. Invariant: the table is
//! indexed by the kernel's number; flags are the kernel's `BPF_F_*` bits.

use crate::KernelVersion;
use crate::table::{kernel_enum, same_name};

/// What a key's or value's size must be, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SizeRule {
    /// There is none: it must be 0.
    Zero,
    /// Exactly this.
    Exactly(u32),
    /// One of these.
    OneOf(&'static [u32]),
    /// From … to, both included.
    Range(u32, u32),
    /// A multiple of the first, at most the second.
    Multiple(u32, u32),
}

impl SizeRule {
    /// Whether a size obeys the rule.
    pub fn allows(self, size: u32) -> bool {
        match self {
            SizeRule::Zero => size == 0,
            SizeRule::Exactly(n) => size == n,
            SizeRule::OneOf(sizes) => sizes.contains(&size),
            SizeRule::Range(lo, hi) => (lo..=hi).contains(&size),
            SizeRule::Multiple(of, hi) => size > 0 && size.is_multiple_of(of) && size <= hi,
        }
    }

    /// The size to use when none is written, where the rule leaves no choice or names a usual one first.
    pub fn default_size(self) -> Option<u32> {
        match self {
            SizeRule::Zero => Some(0),
            SizeRule::Exactly(n) => Some(n),
            SizeRule::OneOf(sizes) => sizes.first().copied(),
            SizeRule::Range(..) | SizeRule::Multiple(..) => None,
        }
    }
}

impl std::fmt::Display for SizeRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SizeRule::Zero => write!(f, "0 bytes (there is none)"),
            SizeRule::Exactly(n) => write!(f, "{n} bytes"),
            SizeRule::OneOf(sizes) => {
                let all: Vec<String> = sizes.iter().map(u32::to_string).collect();
                write!(f, "{} bytes", all.join(" or "))
            }
            SizeRule::Range(lo, hi) => write!(f, "{lo} to {hi} bytes"),
            SizeRule::Multiple(of, hi) => write!(f, "a multiple of {of} bytes, at most {hi}"),
        }
    }
}

/// What `max_entries` must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntriesRule {
    /// At least one.
    Positive,
    /// Any; 0 stands for the number of CPUs, filled in by the loader.
    ZeroIsCpus,
    /// Must be 0: entries live in the objects they belong to.
    Zero,
    /// Exactly one.
    One,
    /// Bytes: a power of two and a multiple of the page size.
    RingBytes,
    /// Pages, at most 4 GiB together.
    Pages,
}

impl EntriesRule {
    /// Whether a number of entries obeys the rule, for this page size.
    pub fn allows(self, entries: u32, page_size: u32) -> bool {
        match self {
            EntriesRule::Positive => entries > 0,
            EntriesRule::ZeroIsCpus => true,
            EntriesRule::Zero => entries == 0,
            EntriesRule::One => entries == 1,
            EntriesRule::RingBytes => entries.is_power_of_two() && entries.checked_rem(page_size) == Some(0),
            EntriesRule::Pages => entries > 0 && u64::from(entries) * u64::from(page_size) <= 1 << 32,
        }
    }
}

/// What the values of a map are, as far as its type says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapValueKind {
    /// Bytes of the declared type.
    Data,
    /// File descriptors of programs.
    Program,
    /// File descriptors of maps, all made like one inner map.
    Map,
    /// File descriptors of perf events.
    PerfEvent,
    /// File descriptors of cgroups.
    Cgroup,
    /// File descriptors or cookies of sockets; a lookup gives a socket.
    Socket,
    /// Interface indices, with a program for the long form.
    Device,
    /// Queue lengths of CPUs, with a program for the long form.
    Cpu,
    /// Instruction addresses or build ids of a stack.
    Stack,
    /// None: records in a ring, or pages.
    None,
}

/// What a program can do to a map by key or by order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// Find the value, map or socket under a key.
    Lookup,
    /// Put a value under a key.
    Update,
    /// Take the entry under a key out.
    Delete,
    /// Put a value in.
    Push,
    /// Take the next value out.
    Pop,
    /// Look at the next value, or ask for one.
    Peek,
    /// Call a function for every entry.
    Walk,
}

/// The facts of one map type.
#[derive(Debug)]
pub struct MapTypeInfo {
    /// As in `linux/bpf.h`.
    pub kernel_name: &'static str,
    /// The keyword (without `:`) that names it in a source.
    pub keyword: &'static str,
    /// Sizes a key may have.
    pub key: SizeRule,
    /// Sizes a value may have.
    pub value: SizeRule,
    /// What `max_entries` may be.
    pub entries: EntriesRule,
    /// What lies in the values.
    pub holds: MapValueKind,
    /// Flags that must be given at creation.
    pub required_flags: u32,
    /// Flags that may be given at creation (the required ones among them).
    pub allowed_flags: u32,
    /// Whether there is one value for each CPU.
    pub per_cpu: bool,
    /// Whether the kernel demands BTF for keys and values.
    pub needs_btf: bool,
    /// The first kernel that has it.
    pub since: KernelVersion,
}

/// Bits of `map_flags` at creation.
#[allow(missing_docs)]
pub mod map_flags {
    pub const NO_PREALLOC: u32 = 1 << 0;
    pub const NO_COMMON_LRU: u32 = 1 << 1;
    pub const NUMA_NODE: u32 = 1 << 2;
    pub const RDONLY: u32 = 1 << 3;
    pub const WRONLY: u32 = 1 << 4;
    pub const STACK_BUILD_ID: u32 = 1 << 5;
    pub const ZERO_SEED: u32 = 1 << 6;
    pub const RDONLY_PROG: u32 = 1 << 7;
    pub const WRONLY_PROG: u32 = 1 << 8;
    pub const CLONE: u32 = 1 << 9;
    pub const MMAPABLE: u32 = 1 << 10;
    pub const PRESERVE_ELEMS: u32 = 1 << 11;
    pub const INNER_MAP: u32 = 1 << 12;
    pub const LINK: u32 = 1 << 13;
    pub const VTYPE_BTF_OBJ_FD: u32 = 1 << 15;
    pub const TOKEN_FD: u32 = 1 << 16;
    pub const SEGV_ON_FAULT: u32 = 1 << 17;
    pub const NO_USER_CONV: u32 = 1 << 18;
}
use map_flags::*;

/// Both kinds of access restriction, user's and program's.
const ACCESS: u32 = RDONLY | WRONLY | RDONLY_PROG | WRONLY_PROG;
/// The largest value an allocation of the kernel can hold, with room for its own header.
const BIG: u32 = 0x003f_ff00;
/// A per-CPU value: `PCPU_MIN_UNIT_SIZE`.
const PER_CPU_MAX: u32 = 32 << 10;
/// Local storage: `BPF_LOCAL_STORAGE_MAX_VALUE_SIZE` is bounded by 16 bits of element size.
const LOCAL_MAX: u32 = 65_408;
/// `sysctl_perf_event_max_stack` as kernels set it unless told otherwise.
const STACK_DEPTH: u32 = 127;

struct Rules {
    key: SizeRule,
    value: SizeRule,
    entries: EntriesRule,
    holds: MapValueKind,
    required: u32,
    optional: u32,
}

const fn rules(key: SizeRule, value: SizeRule, entries: EntriesRule) -> Rules {
    Rules { key, value, entries, holds: MapValueKind::Data, required: 0, optional: 0 }
}

impl Rules {
    const fn holds(mut self, holds: MapValueKind) -> Rules {
        self.holds = holds;
        self
    }
    const fn requires(mut self, flags: u32) -> Rules {
        self.required = flags;
        self
    }
    const fn takes(mut self, flags: u32) -> Rules {
        self.optional = flags;
        self
    }
}

const fn row(kernel_name: &'static str, keyword: &'static str, r: Rules, since: (u16, u16)) -> MapTypeInfo {
    MapTypeInfo {
        kernel_name,
        keyword,
        key: r.key,
        value: r.value,
        entries: r.entries,
        holds: r.holds,
        required_flags: r.required,
        allowed_flags: r.required | r.optional,
        per_cpu: false,
        needs_btf: false,
        since: KernelVersion::new(since.0, since.1),
    }
}

impl MapTypeInfo {
    const fn per_cpu(mut self) -> MapTypeInfo {
        self.per_cpu = true;
        self
    }
    const fn needs_btf(mut self) -> MapTypeInfo {
        self.needs_btf = true;
        self
    }
}

use EntriesRule as E;
use MapValueKind as H;
use SizeRule::{Exactly, Multiple, OneOf, Range, Zero};

const U32: SizeRule = Exactly(4);
const ANY: SizeRule = Range(1, BIG);
const FD_OR_LONG: SizeRule = OneOf(&[4, 8]);

// Rules: the `*_alloc_check` and `*_alloc` functions of the kernel's kernel/bpf and net/core maps; sizes, numbers of
// entries and flags were each tried once on 6.18. A CPU map takes no more entries than the kernel was built for CPUs.
kernel_enum! {
    /// The type of a map (`BPF_MAP_TYPE_*`).
    MapType, MapTypeInfo, MAP_TYPES;
    Unspec = 0, row("BPF_MAP_TYPE_UNSPEC", "unspec", rules(Zero, Zero, E::Zero).holds(H::None), (3, 18));
    Hash = 1, row("BPF_MAP_TYPE_HASH", "hash", rules(ANY, ANY, E::Positive).takes(NO_PREALLOC | NUMA_NODE | ACCESS | ZERO_SEED), (3, 19));
    Array = 2, row("BPF_MAP_TYPE_ARRAY", "array", rules(U32, Range(1, 0x7fff_ffff), E::Positive).takes(NUMA_NODE | MMAPABLE | ACCESS | INNER_MAP), (3, 19));
    ProgArray = 3, row("BPF_MAP_TYPE_PROG_ARRAY", "prog-array", rules(U32, U32, E::Positive).holds(H::Program).takes(NUMA_NODE | RDONLY | WRONLY), (4, 2));
    PerfEventArray = 4, row("BPF_MAP_TYPE_PERF_EVENT_ARRAY", "perf-event-array", rules(U32, U32, E::ZeroIsCpus).holds(H::PerfEvent).takes(NUMA_NODE | RDONLY | WRONLY | PRESERVE_ELEMS), (4, 3));
    PercpuHash = 5, row("BPF_MAP_TYPE_PERCPU_HASH", "percpu-hash", rules(ANY, Range(1, PER_CPU_MAX), E::Positive).takes(NO_PREALLOC | ACCESS | ZERO_SEED), (4, 6)).per_cpu();
    PercpuArray = 6, row("BPF_MAP_TYPE_PERCPU_ARRAY", "percpu-array", rules(U32, Range(1, PER_CPU_MAX), E::Positive).takes(ACCESS), (4, 6)).per_cpu();
    StackTrace = 7, row("BPF_MAP_TYPE_STACK_TRACE", "stack-trace", rules(U32, Multiple(8, STACK_DEPTH * 8), E::Positive).holds(H::Stack).takes(NUMA_NODE | RDONLY | WRONLY | STACK_BUILD_ID), (4, 6));
    CgroupArray = 8, row("BPF_MAP_TYPE_CGROUP_ARRAY", "cgroup-array", rules(U32, U32, E::Positive).holds(H::Cgroup).takes(NUMA_NODE | RDONLY | WRONLY), (4, 8));
    LruHash = 9, row("BPF_MAP_TYPE_LRU_HASH", "lru-hash", rules(ANY, ANY, E::Positive).takes(NO_COMMON_LRU | NUMA_NODE | ACCESS | ZERO_SEED), (4, 10));
    LruPercpuHash = 10, row("BPF_MAP_TYPE_LRU_PERCPU_HASH", "lru-percpu-hash", rules(ANY, Range(1, PER_CPU_MAX), E::Positive).takes(NO_COMMON_LRU | ACCESS | ZERO_SEED), (4, 10)).per_cpu();
    LpmTrie = 11, row("BPF_MAP_TYPE_LPM_TRIE", "lpm-trie", rules(Range(5, 260), ANY, E::Positive).requires(NO_PREALLOC).takes(NUMA_NODE | ACCESS), (4, 11));
    ArrayOfMaps = 12, row("BPF_MAP_TYPE_ARRAY_OF_MAPS", "array-of-maps", rules(U32, U32, E::Positive).holds(H::Map).takes(NUMA_NODE | RDONLY | WRONLY), (4, 12));
    HashOfMaps = 13, row("BPF_MAP_TYPE_HASH_OF_MAPS", "hash-of-maps", rules(ANY, U32, E::Positive).holds(H::Map).takes(NO_PREALLOC | NUMA_NODE | ACCESS | ZERO_SEED), (4, 12));
    Devmap = 14, row("BPF_MAP_TYPE_DEVMAP", "devmap", rules(U32, FD_OR_LONG, E::Positive).holds(H::Device).takes(NUMA_NODE | RDONLY | WRONLY), (4, 14));
    Sockmap = 15, row("BPF_MAP_TYPE_SOCKMAP", "sockmap", rules(U32, FD_OR_LONG, E::Positive).holds(H::Socket).takes(NUMA_NODE | RDONLY | WRONLY), (4, 14));
    Cpumap = 16, row("BPF_MAP_TYPE_CPUMAP", "cpumap", rules(U32, FD_OR_LONG, E::Positive).holds(H::Cpu).takes(NUMA_NODE), (4, 15));
    Xskmap = 17, row("BPF_MAP_TYPE_XSKMAP", "xskmap", rules(U32, U32, E::Positive).holds(H::Socket).takes(NUMA_NODE | RDONLY | WRONLY), (4, 18));
    Sockhash = 18, row("BPF_MAP_TYPE_SOCKHASH", "sockhash", rules(Range(1, 512), FD_OR_LONG, E::Positive).holds(H::Socket).takes(NUMA_NODE | RDONLY | WRONLY), (4, 18));
    CgroupStorage = 19, row("BPF_MAP_TYPE_CGROUP_STORAGE", "cgroup-storage", rules(OneOf(&[16, 8]), ANY, E::Zero).takes(NUMA_NODE | ACCESS), (4, 19));
    ReuseportSockarray = 20, row("BPF_MAP_TYPE_REUSEPORT_SOCKARRAY", "reuseport-sockarray", rules(U32, FD_OR_LONG, E::Positive).holds(H::Socket).takes(NUMA_NODE | ACCESS), (4, 19));
    PercpuCgroupStorage = 21, row("BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE", "percpu-cgroup-storage", rules(OneOf(&[16, 8]), Range(1, PER_CPU_MAX), E::Zero).takes(NUMA_NODE | ACCESS), (4, 20)).per_cpu();
    Queue = 22, row("BPF_MAP_TYPE_QUEUE", "queue", rules(Zero, ANY, E::Positive).takes(NUMA_NODE | ACCESS), (4, 20));
    Stack = 23, row("BPF_MAP_TYPE_STACK", "stack", rules(Zero, ANY, E::Positive).takes(NUMA_NODE | ACCESS), (4, 20));
    SkStorage = 24, row("BPF_MAP_TYPE_SK_STORAGE", "sk-storage", rules(U32, Range(1, LOCAL_MAX), E::Zero).requires(NO_PREALLOC).takes(CLONE), (5, 2)).needs_btf();
    DevmapHash = 25, row("BPF_MAP_TYPE_DEVMAP_HASH", "devmap-hash", rules(U32, FD_OR_LONG, E::Positive).holds(H::Device).takes(NUMA_NODE | RDONLY | WRONLY), (5, 4));
    StructOps = 26, row("BPF_MAP_TYPE_STRUCT_OPS", "struct-ops", rules(U32, ANY, E::One).takes(LINK | VTYPE_BTF_OBJ_FD), (5, 6)).needs_btf();
    Ringbuf = 27, row("BPF_MAP_TYPE_RINGBUF", "ringbuf", rules(Zero, Zero, E::RingBytes).holds(H::None).takes(NUMA_NODE), (5, 8));
    InodeStorage = 28, row("BPF_MAP_TYPE_INODE_STORAGE", "inode-storage", rules(U32, Range(1, LOCAL_MAX), E::Zero).requires(NO_PREALLOC).takes(CLONE), (5, 10)).needs_btf();
    TaskStorage = 29, row("BPF_MAP_TYPE_TASK_STORAGE", "task-storage", rules(U32, Range(1, LOCAL_MAX), E::Zero).requires(NO_PREALLOC).takes(CLONE), (5, 11)).needs_btf();
    BloomFilter = 30, row("BPF_MAP_TYPE_BLOOM_FILTER", "bloom-filter", rules(Zero, ANY, E::Positive).takes(NUMA_NODE | ZERO_SEED | ACCESS), (5, 16));
    UserRingbuf = 31, row("BPF_MAP_TYPE_USER_RINGBUF", "user-ringbuf", rules(Zero, Zero, E::RingBytes).holds(H::None).takes(NUMA_NODE), (6, 1));
    CgrpStorage = 32, row("BPF_MAP_TYPE_CGRP_STORAGE", "cgrp-storage", rules(U32, Range(1, LOCAL_MAX), E::Zero).requires(NO_PREALLOC).takes(CLONE), (6, 2)).needs_btf();
    Arena = 33, row("BPF_MAP_TYPE_ARENA", "arena", rules(Zero, Zero, E::Pages).holds(H::None).requires(MMAPABLE).takes(SEGV_ON_FAULT | NO_USER_CONV), (6, 9));
}

impl MapTypeInfo {
    /// The sizes a value may have in a map made with these flags.
    pub fn value_rule(&self, flags: u32) -> SizeRule {
        if self.holds == MapValueKind::Stack && flags & STACK_BUILD_ID != 0 {
            // `struct bpf_stack_build_id` for each frame instead of an address.
            return Multiple(32, STACK_DEPTH * 32);
        }
        self.value
    }
}

impl MapType {
    /// Whether programs have this operation on maps of the type. Rules: `check_map_func_compatibility` in the kernel's
    /// kernel/bpf/verifier.c, and for arrays that no entry of theirs can be deleted.
    pub const fn allows(self, op: Operation) -> bool {
        use MapType::*;
        use Operation::*;
        match self {
            Array | PercpuArray => matches!(op, Lookup | Update | Walk),
            Hash | LruHash | PercpuHash | LruPercpuHash => matches!(op, Lookup | Update | Delete | Walk),
            LpmTrie => matches!(op, Lookup | Update | Delete),
            ArrayOfMaps | HashOfMaps | Devmap | DevmapHash | Xskmap => matches!(op, Lookup),
            Sockmap | Sockhash => matches!(op, Lookup | Delete),
            Queue | Stack => matches!(op, Push | Pop | Peek),
            BloomFilter => matches!(op, Push | Peek),
            Unspec | ProgArray | PerfEventArray | StackTrace | CgroupArray | Cpumap | CgroupStorage
            | ReuseportSockarray | PercpuCgroupStorage | SkStorage | StructOps | Ringbuf | InodeStorage
            | TaskStorage | UserRingbuf | CgrpStorage | Arena => false,
        }
    }

    /// Types of maps whose values may hold an object that the kernel looks for by the name of its type; `None` for
    /// what it doesn't look for. Rules: `map_check_btf` in the kernel's kernel/bpf/syscall.c.
    pub fn that_may_hold(object: &str) -> Option<&'static [MapType]> {
        use MapType::*;
        Some(match object {
            "bpf_spin_lock" | "bpf_res_spin_lock" => {
                &[Hash, Array, CgroupStorage, SkStorage, InodeStorage, TaskStorage, CgrpStorage]
            }
            "bpf_timer" | "bpf_wq" | "bpf_task_work" | "bpf_list_head" | "bpf_rb_root" => &[Hash, LruHash, Array],
            _ => return None,
        })
    }

    /// The keyword (without `:`) of the type.
    pub fn keyword(self) -> &'static str {
        self.info().keyword
    }

    /// What a `:type` keyword (with or without `:`) names; `-` and `_` are the same.
    pub fn by_keyword(keyword: &str) -> Option<MapType> {
        let keyword = keyword.strip_prefix(':').unwrap_or(keyword);
        Self::ALL.iter().copied().skip(1).find(|m| same_name(m.keyword(), keyword))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_and_rules() {
        for m in MapType::ALL.iter().skip(1) {
            assert_eq!(MapType::by_keyword(m.keyword()), Some(*m));
            assert_eq!(MapType::by_keyword(&format!(":{}", m.keyword().replace('-', "_"))), Some(*m));
            assert_eq!(MapType::by_kernel_name(m.kernel_name()), Some(*m));
            assert_eq!(m.info().required_flags & !m.info().allowed_flags, 0);
        }
        assert_eq!(MapType::by_keyword("unspec"), None);
        let rule = |m: MapType| m.info();
        assert!(!rule(MapType::Array).key.allows(8) && rule(MapType::Hash).key.allows(8));
        assert_eq!(rule(MapType::LpmTrie).required_flags, map_flags::NO_PREALLOC);
        let ring = rule(MapType::Ringbuf).entries;
        assert!(
            ring.allows(4096, 4096) && !ring.allows(12_288, 4096) && !ring.allows(2048, 4096) && !ring.allows(0, 4096)
        );
        let stack = rule(MapType::StackTrace);
        assert!(stack.value_rule(0).allows(1016) && !stack.value_rule(0).allows(1024));
        assert!(stack.value_rule(map_flags::STACK_BUILD_ID).allows(4064));
        assert_eq!(rule(MapType::Sockmap).value.to_string(), "4 or 8 bytes");
    }
}
