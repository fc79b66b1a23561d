//! Which maps a helper takes. Invariant: a row names every type with which the kernel takes the helper; a helper that
//! takes a map and has no row takes every type.
//!
//! The rules are those of `check_map_func_compatibility` in the kernel's kernel/bpf/verifier.c; the test of the crate
//! `kernel` asks the running kernel for each pair.

use super::Helper;
use crate::MapType::{self, *};

/// Those with `map_for_each_callback`.
const WALKED: &[MapType] = &[Hash, Array, PercpuHash, PercpuArray, LruHash, LruPercpuHash];
/// Those whose values may hold a timer (`map_check_btf`).
const WITH_TIMERS: &[MapType] = &[Hash, Array, LruHash];
const PERF: &[MapType] = &[PerfEventArray];
const RING: &[MapType] = &[Ringbuf];
const CGROUPS: &[MapType] = &[CgroupArray];

/// The helpers that don't take every map, in the order of their numbers.
static LIMITED: &[(u32, &str, &[MapType])] = &[
    (
        1,
        "map_lookup_elem",
        &[
            Hash,
            Array,
            PercpuHash,
            PercpuArray,
            LruHash,
            LruPercpuHash,
            LpmTrie,
            ArrayOfMaps,
            HashOfMaps,
            Devmap,
            Sockmap,
            Xskmap,
            Sockhash,
            DevmapHash,
            StructOps,
        ],
    ),
    (
        2,
        "map_update_elem",
        &[Hash, Array, PercpuHash, PercpuArray, LruHash, LruPercpuHash, LpmTrie, Sockmap, Sockhash, StructOps],
    ),
    (
        3,
        "map_delete_elem",
        &[Hash, Array, PercpuHash, PercpuArray, LruHash, LruPercpuHash, LpmTrie, Sockmap, Sockhash, StructOps],
    ),
    (12, "tail_call", &[ProgArray]),
    (22, "perf_event_read", PERF),
    (25, "perf_event_output", PERF),
    (27, "get_stackid", &[StackTrace]),
    (33, "skb_under_cgroup", CGROUPS),
    (37, "current_task_under_cgroup", CGROUPS),
    (51, "redirect_map", &[Devmap, DevmapHash, Cpumap, Xskmap]),
    (52, "sk_redirect_map", &[Sockmap]),
    (53, "sock_map_update", &[Sockmap]),
    (55, "perf_event_read_value", PERF),
    (60, "msg_redirect_map", &[Sockmap]),
    (70, "sock_hash_update", &[Sockhash]),
    (71, "msg_redirect_hash", &[Sockhash]),
    (72, "sk_redirect_hash", &[Sockhash]),
    (81, "get_local_storage", &[CgroupStorage, PercpuCgroupStorage]),
    (82, "sk_select_reuseport", &[ReuseportSockarray, Sockmap, Sockhash]),
    (87, "map_push_elem", &[Queue, Stack, BloomFilter]),
    (88, "map_pop_elem", &[Queue, Stack]),
    (89, "map_peek_elem", &[Queue, Stack, BloomFilter]),
    (107, "sk_storage_get", &[SkStorage]),
    (108, "sk_storage_delete", &[SkStorage]),
    (111, "skb_output", PERF),
    (121, "xdp_output", PERF),
    (130, "ringbuf_output", RING),
    (131, "ringbuf_reserve", RING),
    (134, "ringbuf_query", RING),
    (145, "inode_storage_get", &[InodeStorage]),
    (146, "inode_storage_delete", &[InodeStorage]),
    (156, "task_storage_get", &[TaskStorage]),
    (157, "task_storage_delete", &[TaskStorage]),
    (164, "for_each_map_elem", WALKED),
    (169, "timer_init", WITH_TIMERS),
    (195, "map_lookup_percpu_elem", &[PercpuHash, PercpuArray, LruPercpuHash]),
    (198, "ringbuf_reserve_dynptr", RING),
    (209, "user_ringbuf_drain", &[UserRingbuf]),
    (210, "cgrp_storage_get", &[CgrpStorage]),
    (211, "cgrp_storage_delete", &[CgrpStorage]),
];

impl Helper {
    /// The types of map that the kernel takes with it; `None`: all, or it takes no map.
    pub fn map_types(&self) -> Option<&'static [MapType]> {
        let at = LIMITED.binary_search_by_key(&self.id, |(id, ..)| *id).ok()?;
        LIMITED.get(at).map(|(_, _, types)| *types)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ArgKind, HELPERS};

    #[test]
    fn rows_are_of_helpers_that_take_maps() {
        assert!(LIMITED.is_sorted_by(|a, b| a.0 < b.0));
        for h in HELPERS {
            let takes = h.args.iter().any(|a| a.kind == ArgKind::ConstMap);
            assert_eq!(h.map_types().is_some(), takes, "{}", h.name);
        }
        for (id, name, types) in LIMITED {
            assert_eq!(crate::helpers::by_id(*id).map(|h| h.name), Some(*name));
            assert!(!types.is_empty());
        }
    }
}
