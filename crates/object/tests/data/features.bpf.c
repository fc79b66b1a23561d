/* Everything that clang puts into objects and that we read, in few bytes. See README.md for how it is built. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct task_struct {
	int tgid;
	struct task_struct *real_parent;
} __attribute__((preserve_access_index));

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, struct inner);
} outer SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

const volatile int limit = 10;
volatile __u64 counter;
volatile int start = 5;
static volatile int hidden;
static const char table[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
__u64 seen[8];
volatile int kept SEC(".data.kept") = 3;

static __noinline int twice(int x) { hidden += x; return x * 2 + start; }
static __noinline int thrice(int x) { return twice(x) + x; }
__noinline int open_to_all(int x) { counter += x; return thrice(x); }
__attribute__((visibility("hidden"))) __noinline int own(int x) { return x + limit; }
static long step(__u32 i, void *ctx) { *(int *)ctx += i; return 0; }

SEC("tp_btf/sched_process_exec")
int parent(__u64 *ctx)
{
	struct task_struct *t = (void *)ctx[0];

	return BPF_CORE_READ(t, real_parent, tgid) & 0;
}

SEC("raw_tp/sys_enter")
int one(void *ctx)
{
	int x = 3;
	__u32 k = 1;
	__u64 *v, zero = 0;
	void *in;

	bpf_loop(4, step, &x, 0);
	v = bpf_map_lookup_elem(&hash, &k);
	if (v)
		seen[*v & 7] += table[*v & 7];
	in = bpf_map_lookup_elem(&outer, &k);
	if (in)
		bpf_map_update_elem(in, &k, &zero, 0);
	bpf_printk("n %d %d", x, kept);
	const char s[] = "abcdefghijklmnopqr";
	bpf_ringbuf_output(&ring, (void *)s, sizeof(s), 0);
	return open_to_all(x) + twice(2) + own(3);
}

SEC("raw_tp/sys_enter")
int two(void *ctx) { return thrice(1); }

SEC("fentry.s/bpf_fentry_test1")
int sleeps(void *ctx) { return 0; }

SEC("xdp")
int pass(struct xdp_md *c) { return XDP_PASS; }

char LICENSE[] SEC("license") = "Dual BSD/GPL";
