//! Maps beyond what a run of a program shows: every type is made in the kernel, bpftool sees the types of keys and
//! values, pinned maps are found again, and what lies in maps from the start goes through libbpf and comes from clang.

mod support;

use std::path::Path;

use support::{Scratch, can_use_kernel, run, tool, whistler};
use whistler_isa::MapType;

/// One map of every type that a file can declare.
const ALL: &str = "
(defstruct prefix (len u32) (addr u32))
(defstruct cgroup-key (id u64) (attach u32))
(defstruct stat (n u64) (flags (bits u8 3)))
(defmap m1 :type :hash :key u32 :value stat :max-entries 4)
(defmap m2 :type :array :key u32 :value stat :max-entries 4 :map-flags BPF_F_MMAPABLE)
(defmap m3 :type :prog-array :max-entries 4 :values (main))
(defmap m4 :type :perf-event-array)
(defmap m5 :type :percpu-hash :key u64 :value stat :max-entries 4)
(defmap m6 :type :percpu-array :key u32 :value stat :max-entries 4)
(defmap m7 :type :stack-trace :key u32 :value (array u64 64) :max-entries 16)
(defmap m8 :type :cgroup-array :max-entries 1)
(defmap m9 :type :lru-hash :key u32 :value u64 :max-entries 64 :map-flags BPF_F_NO_COMMON_LRU)
(defmap m10 :type :lru-percpu-hash :key u32 :value u64 :max-entries 64)
(defmap m11 :type :lpm-trie :key prefix :value u32 :max-entries 4)
(defmap m12 :type :array-of-maps :max-entries 4 :inner m1 :values (m1))
(defmap m13 :type :hash-of-maps :key u64 :max-entries 4 :inner (:type :ringbuf :max-entries 4096))
(defmap m14 :type :devmap :value u64 :max-entries 4)
(defmap m15 :type :sockmap :value u64 :max-entries 4)
(defmap m16 :type :cpumap :max-entries 2)
(defmap m17 :type :xskmap :max-entries 4)
(defmap m18 :type :sockhash :key u64 :value u32 :max-entries 4)
(defmap m19 :type :cgroup-storage :key cgroup-key :value u64)
(defmap m20 :type :reuseport-sockarray :value u64 :max-entries 4)
(defmap m21 :type :percpu-cgroup-storage :key cgroup-key :value u64)
(defmap m22 :type :queue :value stat :max-entries 4)
(defmap m23 :type :stack :value u32 :max-entries 4)
(defmap m24 :type :sk-storage :key u32 :value stat)
(defmap m25 :type :devmap-hash :value u32 :max-entries 4)
(defmap m27 :type :ringbuf :max-entries 8192)
(defmap m28 :type :inode-storage :key u32 :value u64)
(defmap m29 :type :task-storage :key u32 :value stat)
(defmap m30 :type :bloom-filter :value u64 :max-entries 64 :map-extra 3)
(defmap m31 :type :user-ringbuf :max-entries 4096)
(defmap m32 :type :cgrp-storage :key u32 :value u64)
(defmap m33 :type :arena :max-entries 2)
(defprog main (:type :xdp) XDP_PASS)
";

/// An XDP program needs a packet to be run on.
const PACKET: &str = "0200000000010200000000020800000000000000";

#[test]
fn every_map_type_is_made_in_the_kernel() {
    for t in MapType::ALL.iter().filter(|t| !matches!(t, MapType::Unspec | MapType::StructOps)) {
        assert!(
            ALL.contains(&format!(":type :{} ", t.keyword())) || ALL.contains(&format!(":type :{})", t.keyword())),
            "{t}"
        );
    }
    if !can_use_kernel(&[]) {
        return;
    }
    let scratch = Scratch::new();
    let file = scratch.file("all.lisp", ALL);
    let args =
        |way| ["test-run", path(&file), "main", "--packet", PACKET, way, "--target", "6.12/v4"].map(String::from);
    run(&mut whistler(args("--kernel"))).ok();
    run(&mut whistler(args("--vm"))).ok();
}

const PINNED: &str = "
(defenum verdict (:pass 0) (:drop 1))
(defstruct flow (src u32) (port (be u16)))
(defstruct stat (hits u64) (last verdict) (low (bits u8 3)) (high (bits u8 5)))
(defmap flows :type :hash :key flow :value stat :max-entries 8 :pin \"/sys/fs/bpf/flows\")
(defprog main (:type :xdp)
  (let ((k (make-flow :src 7 :port 443)))
    (if-let (s (map-lookup flows k))
        (incf (stat-hits s))
        (setf (getmap flows k) (make-stat :hits 1 :last :drop :low 5 :high 17))))
  XDP_PASS)
";

#[test]
fn bpftool_sees_types_and_a_pinned_map_is_found_again() {
    if !can_use_kernel(&["bpftool", "unshare"]) {
        return;
    }
    let scratch = Scratch::new();
    let file = scratch.file("pinned.lisp", PINNED);
    let run = format!("{} test-run {} main --kernel --packet {PACKET}", binary(), path(&file));
    let seen =
        with_fresh_bpffs(&scratch, &format!("{run}\n{run}\n{run}\nbpftool -j map dump pinned /sys/fs/bpf/flows"));
    let dump = seen.lines().last().unwrap_or_default();
    let formatted = dump.split("\"formatted\":").nth(1).unwrap_or_else(|| panic!("no types in {seen}"));
    assert_eq!(
        formatted.trim_end_matches("}]"),
        "{\"key\":{\"src\":7,\"port\":47873},\"value\":{\"hits\":3,\"last\":\"VERDICT_DROP\",\"low\":\"0x5\",\"high\":\"0x11\"}}",
        "{seen}"
    );
}

const CONTENTS: &str = "
(defmap one :type :hash :key u32 :value u64 :max-entries 8)
(defmap two :type :hash :key u32 :value u64 :max-entries 8)
(defmap outer :type :array-of-maps :max-entries 4 :inner one :values ((1 one) (3 two)))
(defmap next :type :prog-array :max-entries 4 :values (nil nil second))
(defmap out :type :array :key u32 :value u64 :max-entries 4)
(defprog main (:type :xdp)
  (when-let ((m (map-lookup outer 3)))
    (setf (getmap m 9) 4)
    (setf (getmap out 0) (getmap m 9)))
  (tail-call next 2)
  XDP_PASS)
(defprog second (:type :xdp) (setf (getmap out 1) (getmap two 9)) XDP_DROP)
";

#[test]
fn libbpf_puts_in_what_lies_in_maps_from_the_start() {
    if !can_use_kernel(&["bpftool", "unshare"]) {
        return;
    }
    let scratch = Scratch::new();
    let file = scratch.file("contents.lisp", CONTENTS);
    let object = scratch.path().join("contents.bpf.o");
    run(&mut whistler(["compile", path(&file), "-o", path(&object)])).ok();
    let script = format!(
        "bpftool prog loadall {} /sys/fs/bpf/t pinmaps /sys/fs/bpf/m\n\
         bpftool map dump pinned /sys/fs/bpf/m/outer\nbpftool map dump pinned /sys/fs/bpf/m/next",
        path(&object)
    );
    let seen = with_fresh_bpffs(&scratch, &script);
    let slots: Vec<&str> = seen.lines().filter(|l| l.contains("key: ") || l.contains("inner_map_id")).collect();
    for slot in ["key: 01 00 00 00", "key: 03 00 00 00", "key: 02 00 00 00"] {
        assert!(slots.iter().any(|l| l.contains(slot)), "no {slot} in {seen}");
    }
    // Our own reader finds them in the file, too.
    for way in ["--kernel", "--vm"] {
        let ran = run(&mut whistler(["test-run", path(&object), "main", "--packet", PACKET, way])).ok();
        assert!(ran.out.contains("out[00000000] = 0400000000000000"), "{}", ran.out);
        assert!(ran.out.contains("out[01000000] = 0400000000000000"), "{}", ran.out);
        assert!(ran.out.contains(": 1 (0x1)"), "{}", ran.out);
    }
}

const CLANG: &str = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct shape {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u64);
};
struct shape one SEC(".maps"), two SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 3);
    __type(key, __u32);
    __array(values, struct shape);
} outer SEC(".maps") = { .values = { [0] = &one, [2] = &two } };
int second(struct xdp_md *ctx);
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 2);
    __uint(key_size, 4);
    __array(values, int (struct xdp_md *));
} next SEC(".maps") = { .values = { [1] = &second } };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __type(key, __u32); __type(value, __u64); } out SEC(".maps");
SEC("xdp") int main_prog(struct xdp_md *ctx) {
    __u32 slot = 2, key = 5; __u64 value = 8;
    void *m = bpf_map_lookup_elem(&outer, &slot);
    if (m) bpf_map_update_elem(m, &key, &value, 0);
    bpf_tail_call(ctx, &next, 1);
    return 2;
}
SEC("xdp") int second(struct xdp_md *ctx) {
    __u32 key = 5, at = 1;
    __u64 *v = bpf_map_lookup_elem(&two, &key);
    if (v) bpf_map_update_elem(&out, &at, v, 0);
    return 1;
}
char _license[] SEC("license") = "GPL";
"#;

#[test]
fn what_clang_puts_into_maps_is_read() {
    if !can_use_kernel(&["clang-22"]) {
        return;
    }
    let scratch = Scratch::new();
    let source = scratch.file("contents.c", CLANG);
    let object = scratch.path().join("clang.o");
    let include = format!("-I/usr/include/{}-linux-gnu", std::env::consts::ARCH);
    tool(&format!("clang-22 -O2 -g -target bpf {include} -c {} -o {}", path(&source), path(&object)));
    for way in ["--kernel", "--vm"] {
        let ran = run(&mut whistler(["test-run", path(&object), "main_prog", "--packet", PACKET, way])).ok();
        assert!(ran.out.contains("out[01000000] = 0800000000000000"), "{}", ran.out);
        assert!(ran.out.contains(": 1 (0x1)"), "{}", ran.out);
    }
}

/// Runs lines of shell where a bpf file system of their own covers the machine's.
fn with_fresh_bpffs(scratch: &Scratch, lines: &str) -> String {
    let script = scratch.file("script.sh", &format!("set -e\nmount -t bpf bpf /sys/fs/bpf\n{lines}\n"));
    tool(&format!("unshare -m --propagation private sh {}", path(&script)))
}

const TENANTS: &str = "
(defmap counts :type :array :key u32 :value u64 :max-entries 2)
(defmap tenants :type :hash-of-maps :key u64 :max-entries 4 :inner counts)
(defprog main (:type :xdp)
  (if-let (m (map-lookup tenants 77))
      (progn
        (incf (getmap m 1) 5)
        (if (map-lookup tenants 78) 2 (cast u32 (getmap m 1))))
      0))
";

#[test]
fn maps_are_put_into_a_hash_of_maps_from_outside() {
    if !can_use_kernel(&[]) {
        return;
    }
    let scratch = Scratch::new();
    let (file, object) = (scratch.file("tenants.lisp", TENANTS), scratch.path().join("tenants.bpf.o"));
    run(&mut whistler(["compile", path(&file), "-o", path(&object)])).ok();
    let object = whistler_object::elf::read(&std::fs::read(object).expect("an object")).expect("an object");
    let packet = [0; 64];

    let kernel = whistler_kernel::Kernel::running();
    let loaded = whistler_loader::Loader::new(&kernel).load(&object).expect("it loads");
    let (counts, tenants) = (loaded.map("counts").expect("a map"), loaded.map("tenants").expect("a map"));
    let once = || {
        let run = whistler_loader::TestRun { data_in: &packet, ..Default::default() };
        loaded.program("main").expect("a program").test_run(&run).expect("it runs").retval
    };
    assert_eq!(once(), 0);
    tenants.update_fd(&77u64.to_ne_bytes(), std::os::fd::AsFd::as_fd(&**counts)).expect("it is like the maps inside");
    assert_eq!((once(), once()), (5, 10));
    assert_eq!(counts.lookup(&1u32.to_ne_bytes()).expect("a lookup"), Some(10u64.to_ne_bytes().to_vec()));

    let mut machine = whistler_vm::Machine::new(&object, Default::default()).expect("a machine");
    let once = |machine: &mut whistler_vm::Machine| {
        let input = whistler_vm::RunInput { packet: Some(packet.to_vec()), ..Default::default() };
        machine.run("main", input).expect("it runs").ret
    };
    assert_eq!(once(&mut machine), 0);
    machine.set_inner_map("tenants", &77u64.to_le_bytes(), Some("counts")).expect("there is such a map");
    assert_eq!((once(&mut machine), once(&mut machine)), (5, 10));
}

fn path(p: &Path) -> &str {
    p.to_str().expect("a name of ours")
}

fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_whistler")
}
