/* Structs of operations: members in another order than the kernel's, and one that no kernel has. */
typedef unsigned int u32;
#define SEC(name) __attribute__((section(name), used))
struct sock;
struct tcp_sock { u32 snd_cwnd; } __attribute__((preserve_access_index));
struct tcp_congestion_ops {
    char name[16];
    void (*cong_avoid)(struct sock *sk, u32 ack, u32 acked);
    u32 of_no_kernel;
    u32 (*undo_cwnd)(struct sock *sk);
    u32 (*ssthresh)(struct sock *sk);
};
extern void tcp_reno_cong_avoid(struct sock *sk, u32 ack, u32 acked) SEC(".ksyms");
SEC("struct_ops/grow") void grow(unsigned long long *ctx)
{ tcp_reno_cong_avoid((struct sock *)ctx[0], ctx[1], ctx[2]); }
SEC("struct_ops/halve") u32 halve(unsigned long long *ctx)
{ return ((struct tcp_sock *)ctx[0])->snd_cwnd >> 1 | 2; }
SEC("struct_ops/undo") u32 undo(unsigned long long *ctx) { return ((struct tcp_sock *)ctx[0])->snd_cwnd; }
SEC(".struct_ops") struct tcp_congestion_ops plain =
    { .name = "wh_clang", .cong_avoid = (void *)grow, .ssthresh = (void *)halve, .undo_cwnd = (void *)undo };
SEC(".struct_ops.link") struct tcp_congestion_ops linked =
    { .name = "wh_clang_l", .cong_avoid = (void *)grow, .ssthresh = (void *)halve, .undo_cwnd = (void *)undo };
char _license[] SEC("license") = "GPL";
