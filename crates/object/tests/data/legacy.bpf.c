/* A map of the old style: refused. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_map_def {
	unsigned int type, key_size, value_size, max_entries, map_flags;
};

struct bpf_map_def SEC("maps") old = { BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0 };

SEC("xdp")
int f(void *ctx)
{
	__u32 k = 0;

	return bpf_map_lookup_elem(&old, &k) ? XDP_PASS : XDP_DROP;
}
