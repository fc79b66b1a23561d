/* Functions and variables of the kernel. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

extern struct task_struct *bpf_task_from_pid(int p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern const int bpf_prog_active __ksym;
extern const void schedule __ksym;
unsigned long long at;

SEC("tp_btf/sched_process_exec")
int uses(void *ctx)
{
	struct task_struct *t = bpf_task_from_pid(1);

	if (t)
		bpf_task_release(t);
	at = (long)&schedule;
	return 0;
}

SEC("tp_btf/sched_process_exec")
int typed(void *ctx)
{
	at = (long)&bpf_prog_active;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
