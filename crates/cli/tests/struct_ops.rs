//! Structs of operations between loaders: ours by bpftool and libbpf, clang's by ours; and what is said when the
//! kernel refuses them. That the kernel calls the programs shows `live/congestion.lisp`.
//!
//! What is registered is seen by the whole machine: every test has a name of its own.

mod support;

use std::path::Path;
use std::sync::Arc;

use support::{Scratch, can_use_kernel, run, tool, whistler};
use whistler_kernel::Kernel;
use whistler_loader::{Loaded, Loader, StructOps, register};
use whistler_object::{Object, Registration};

fn available(name: &str) -> bool {
    let all = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").expect("TCP is there");
    all.split_whitespace().any(|n| n == name)
}

/// A congestion control as Reno's, by that name.
fn reno(name: &str, options: &str) -> String {
    format!(
        "(defprog halve (:type :struct-ops :section \"struct_ops/ssthresh\") (tcp-reno-ssthresh (arg sk)))
(defprog grow (:type :struct-ops :section \"struct_ops/cong_avoid\")
  (tcp-reno-cong-avoid (arg sk) (arg ack) (arg acked)))
(defprog undo (:type :struct-ops :section \"struct_ops/undo_cwnd\") (tcp-reno-undo-cwnd (arg sk)))
(defstruct-ops {name} (:type tcp_congestion_ops{options})
  (ssthresh halve) (cong-avoid grow) (undo-cwnd undo) (flags TCP_CONG_NON_RESTRICTED) (name \"{name}\"))
"
    )
}

fn compiled(scratch: &Scratch, source: &str, flags: &[&str]) -> Vec<u8> {
    let (file, object) = (scratch.file("ops.lisp", source), scratch.path().join("ops.bpf.o"));
    run(whistler(["compile"]).args(flags).arg(file).arg("-o").arg(&object)).ok();
    std::fs::read(object).expect("an object")
}

fn load(object: &Object) -> Loaded {
    Loader::new(&Kernel::running()).load(object).unwrap_or_else(|e| panic!("{e}"))
}

fn ops(loaded: &Loaded, name: &str) -> Arc<StructOps> {
    loaded.struct_ops.get(name).cloned().unwrap_or_else(|| panic!("{name} is not among {:?}", loaded.struct_ops.keys()))
}

#[test]
fn bpftool_registers_ours() {
    if !can_use_kernel(&["bpftool"]) {
        return;
    }
    let scratch = Scratch::new();
    compiled(&scratch, &reno("wh_bpftool", " :link nil"), &[]);
    tool(&format!("bpftool struct_ops register {}", scratch.path().join("ops.bpf.o").display()));
    let there = available("wh_bpftool");
    tool("bpftool struct_ops unregister name wh_bpftool");
    assert!(there && !available("wh_bpftool"));
}

#[test]
fn a_file_says_what_the_source_says() {
    let scratch = Scratch::new();
    if Kernel::running().shared_btf().is_none() {
        eprintln!("skipped: this kernel has no BTF");
        return;
    }
    for (options, target, registration) in [
        ("", "6.1", Registration::Update),
        ("", "6.6", Registration::Link),
        (" :link nil", "6.6", Registration::Update),
        (" :link t", "6.4", Registration::Link),
    ] {
        let bytes = compiled(&scratch, &reno("wh_file", options), &["--target", target]);
        let object = whistler_object::elf::read(&bytes).expect("our object");
        let [s] = &object.struct_ops[..] else { panic!("one struct, not {}", object.struct_ops.len()) };
        let programs: Vec<&str> = s.functions.iter().map(|(_, p)| p.as_str()).collect();
        assert_eq!((s.name.as_str(), s.registration), ("wh_file", registration), "{options} {target}");
        // In the order of the kernel's struct, not of the source.
        assert_eq!(programs, ["halve", "grow", "undo"]);
        assert!(s.init.windows(8).any(|w| w == b"wh_file\0"), "{:?}", s.init);
        let by = if registration == Registration::Link { "a link" } else { "its map" };
        let line = format!(
            "struct_ops wh_file: tcp_congestion_ops, registered by {by}, ssthresh halve, cong_avoid grow, undo_cwnd undo\n"
        );
        assert!(whistler_object::listing(&object, false).contains(&line), "{line}");
        // What is read is written again as it was.
        let again = whistler_object::elf::read(&whistler_object::elf::write(&object).expect("it is sound"));
        let again = &again.expect("our object").struct_ops[0];
        assert_eq!((&again.init, &again.functions, again.registration), (&s.init, &s.functions, s.registration));
    }
}

const CLANG: &str = r#"
typedef unsigned int u32;
#define SEC(name) __attribute__((section(name), used))
struct sock;
struct tcp_sock { u32 snd_cwnd; } __attribute__((preserve_access_index));
/* Members in another order than the kernel's, and one that no kernel has. */
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
"#;

fn clangs(scratch: &Scratch, source: &str) -> Object {
    let (file, object) = (scratch.file("ops.c", source), scratch.path().join("clang.o"));
    tool(&format!(
        "clang-22 -O2 -g -Wno-incompatible-library-redeclaration -Wno-main-return-type -Wno-error -target bpf -c {} -o {}",
        file.display(),
        object.display()
    ));
    whistler_object::elf::read(&std::fs::read(Path::new(&object)).expect("an object")).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn ours_registers_clangs() {
    if !can_use_kernel(&["clang-22"]) {
        return;
    }
    let scratch = Scratch::new();
    let object = clangs(&scratch, CLANG);
    let loaded = load(&object);
    let kernel = Kernel::running();
    for (name, label, method) in [("plain", "wh_clang", "struct_ops map"), ("linked", "wh_clang_l", "struct_ops link")]
    {
        let made = ops(&loaded, name);
        assert_eq!((made.of(), made.programs().len()), ("tcp_congestion_ops", 3));
        assert!(!available(label), "{label} is there before it is registered");
        let link = register(&kernel, &made).unwrap_or_else(|e| panic!("{e}"));
        assert!(available(label));
        assert_eq!((link.method(), link.target()), (method, "tcp_congestion_ops"));
        // A second one of the same name.
        let second = load(&object);
        let e = register(&kernel, &ops(&second, name)).expect_err("the name is taken");
        assert!(e.to_string().contains(&format!("a `{label}` is registered already")), "{e}");
        drop(link);
        assert!(!available(label), "{label} is there after its link is gone");
    }
    // What no kernel has may be there as long as it is 0.
    let set = clangs(&scratch, &CLANG.replace(".name = \"wh_clang\",", ".name = \"wh_clang\", .of_no_kernel = 7,"));
    let e = Loader::new(&kernel).load(&set).expect_err("a member is unknown").to_string();
    assert!(e.contains("tcp_congestion_ops has no member `of_no_kernel` in this kernel, and it is set"), "{e}");
}

#[test]
fn host_code_registers_clangs() {
    if !can_use_kernel(&["clang-22"]) {
        return;
    }
    let scratch = Scratch::new();
    clangs(&scratch, &CLANG.replace("wh_clang", "wh_host"));
    let script = "
(defun there (name)
  (with-open-file (f \"/proc/sys/net/ipv4/tcp_available_congestion_control\")
    (and (search name (format nil \"~a \" (read-line f))) t)))
(defvar *object* (load-bpf-object (open-bpf-object \"OBJECT\")))
(format t \"~a ~a~%\" (bpf-object-struct-ops *object* \"none\") (bpf-object-struct-ops *object* \"linked\"))
(defvar *link* (attach (bpf-object-struct-ops *object* \"linked\")))
(defvar *other* (attach (bpf-object-struct-ops *object* \"plain\")))
(format t \"~a~%\" (list (there \"wh_host_l\") (there \"wh_host \") (length (links))))
(format t \"~a ~a~%\" (detach *other*) (there \"wh_host \"))
(format t \"~a ~a~%\" (close-bpf-object *object*) (there \"wh_host_l\"))";
    let object = scratch.path().join("clang.o").display().to_string();
    let ran = run(whistler(["run"]).arg(scratch.file("host.lisp", &script.replace("OBJECT", &object)))).ok();
    let shown = format!("NIL #<struct-ops linked of {object}>\n(T T 2)\n1 NIL\nT NIL\n");
    assert_eq!(ran.out.to_uppercase(), shown.to_uppercase(), "{}", ran.all());
    assert!(!available("wh_host") && !available("wh_host_l"));
}

#[test]
fn refusals_say_what_is_wrong() {
    if !can_use_kernel(&["clang-22"]) {
        return;
    }
    let scratch = Scratch::new();
    let kernel = Kernel::running();
    let lacking = CLANG.replace(".undo_cwnd = (void *)undo };\nSEC", "};\nSEC").replace("wh_clang", "wh_lacking");
    assert_ne!(lacking, CLANG);
    // Without a link the kernel looks when it is registered, with one when it is made.
    let loaded = load(&clangs(&scratch, &lacking));
    let e = register(&kernel, &ops(&loaded, "plain")).expect_err("a member is missing");
    assert!(e.why.contains("the kernel does not take what is in it"), "{e}");
    assert!(e.mend.as_deref().is_some_and(|m| m.contains("undo_cwnd")), "{:?}", e.mend);
    let other = clangs(&scratch, &CLANG.replace("tcp_congestion_ops", "tcp_congestion_opts"));
    let e = Loader::new(&kernel).load(&other).expect_err("no such struct").to_string();
    assert!(e.contains("no struct of operations `tcp_congestion_opts`") && e.contains("tcp_congestion_ops"), "{e}");
    // The verifier's refusal, at the source line: only the socket of the call may be written.
    let source = reno("wh_refused", "").replace(
        "(tcp-reno-cong-avoid (arg sk) (arg ack) (arg acked))",
        "\n  (setf (-> (tcp-sk (-> (arg sk) sk_socket sk)) snd_cwnd) 4)",
    );
    let ran = run(whistler(["run"]).arg(scratch.file("refused.lisp", &source))).exits(1);
    assert!(ran.err.contains("error[E0801]: the kernel does not accept `grow`"), "{}", ran.all());
    assert!(ran.err.contains("(setf (-> (tcp-sk (-> (arg sk) sk_socket sk)) snd_cwnd) 4)"), "{}", ran.all());
}

/// The same object on a kernel whose sockets have their fields elsewhere: what is read and what is written moves.
#[test]
fn fields_that_are_written_move_with_the_kernel() {
    use whistler_btf::{Btf, BtfBuilder, MemberDef, Patched, apply, resolve};
    use whistler_isa::Insn;
    if Kernel::running().shared_btf().is_none() {
        eprintln!("skipped: this kernel has no BTF");
        return;
    }
    let scratch = Scratch::new();
    let source = "(defstruct own (n u64))
(defprog grow (:type :struct-ops :section \"struct_ops/cong_avoid\")
  (setf (-> (tcp-sk (arg sk)) snd_cwnd) 4)
  (incf (-> (tcp-sk (arg sk)) snd_ssthresh))
  (setf (own-n (inet-csk-ca (arg sk) own)) 7))";
    let object = whistler_object::elf::read(&compiled(&scratch, source, &[])).expect("our object");
    let mut b = BtfBuilder::new();
    let (int, long) = (b.int("unsigned int", 4, 0), b.int("unsigned long long", 8, 0));
    let room = b.array(long, 13);
    b.structure("tcp_sock", 96, &[MemberDef::at("snd_ssthresh", int, 24), MemberDef::at("snd_cwnd", int, 80)]);
    b.structure("inet_connection_sock", 400, &[MemberDef::at("icsk_ca_priv", room, 264)]);
    let kernel = Btf::parse(b.to_bytes()).expect("sound");
    let local = Btf::parse(object.btf.clone()).expect("sound");
    let grow = &object.program("grow").expect("there").function;
    let mut code = Insn::encode_all(&grow.insns);
    for c in &grow.core {
        let found = resolve(&local, &c.reloc, &kernel).expect("resolved");
        assert!(matches!(apply(&mut code, c.insn as usize * 8, &found), Ok(Patched::Done)), "{:?}", c.reloc);
    }
    // Loads and stores say the offset; the address of the room is the socket's plus it.
    let at = |slot: u32| {
        let bytes = code.as_chunks::<8>().0[slot as usize];
        let i = Insn::from_bytes(bytes);
        (i.code, if i.off != 0 { i32::from(i.off) } else { i.imm })
    };
    let seen: Vec<(u8, i32)> = grow.core.iter().map(|c| at(c.insn)).collect();
    use whistler_isa::op;
    let (load, store) = (op::LDX | op::MEM, op::STX | op::MEM);
    assert!(seen.contains(&(store, 80)), "{seen:?}");
    assert!(seen.contains(&(load, 24)) && seen.contains(&(store, 24)), "{seen:?}");
    assert!(seen.iter().any(|(code, n)| *n == 264 && code & 7 == op::ALU64), "{seen:?}");
    assert_eq!(seen.len(), 4, "{seen:?}");
}

/// Programs for all members of TCP's, with every argument read.
#[test]
fn every_member_of_tcps_is_accepted() {
    if !can_use_kernel(&[]) {
        return;
    }
    let members = [
        ("ssthresh", "(-> (tcp-sk (arg sk)) snd_ssthresh)"),
        ("cong_avoid", "(setf (getmap seen 0) (+ (arg ack) (arg acked) (-> (arg sk) sk_rcvbuf)))"),
        ("set_state", "(setf (getmap seen 0) (arg new_state))"),
        ("cwnd_event", "(setf (getmap seen 0) (cast u32 (arg ev)))"),
        ("in_ack_event", "(setf (getmap seen 0) (arg flags) (-> (tcp-sk (arg sk)) snd_cwnd_stamp) 1)"),
        (
            "pkts_acked",
            "(setf (getmap seen 0) (-> (arg sample) pkts_acked) (getmap seen 1) (cast u32 (-> (arg sample) rtt_us)))",
        ),
        ("min_tso_segs", "2"),
        (
            "cong_control",
            "(setf (-> (arg sk) sk_pacing_rate) (* (-> (arg rs) delivered) (arg ack)) (-> (arg sk) sk_pacing_status) 1 (getmap seen 0) (cast u32 (arg flag)) (-> (tcp-sk (arg sk)) app_limited) 0)",
        ),
        (
            "undo_cwnd",
            "(let ((tp (tcp-sk (arg sk)))) (setf (-> tp snd_cwnd_cnt) 0 (-> tp ecn_flags) 0) (-> tp snd_cwnd))",
        ),
        ("sndbuf_expand", "(let ((n u32 1)) (setsockopt (arg sk) SOL_TCP TCP_NODELAY (stack-addr n) 4) 3)"),
        ("init", "(setf (-> (cast (ptr inet_connection_sock) (arg sk)) icsk_ack pending) 0)"),
        ("release", "(setf (getmap seen 0) (-> (cast (ptr inet_connection_sock) (arg sk)) icsk_ca_state))"),
    ];
    let mut source = String::from("(defmap seen :type :array :key u32 :value u64 :max-entries 2)\n");
    let mut set = String::new();
    for (member, body) in members {
        source += &format!("(defprog p_{member} (:type :struct-ops :section \"struct_ops/{member}\")\n  {body})\n");
        set += &format!(" ({member} p_{member})");
    }
    source += &format!("(defstruct-ops wh_every (:type tcp_congestion_ops){set} (name \"wh_every\"))");
    let scratch = Scratch::new();
    let object = whistler_object::elf::read(&compiled(&scratch, &source, &["--target", "6.18"])).expect("our object");
    let loaded = load(&object);
    assert_eq!(ops(&loaded, "wh_every").programs().len(), members.len());
    let link = register(&Kernel::running(), &ops(&loaded, "wh_every")).unwrap_or_else(|e| panic!("{e}"));
    assert!(available("wh_every"));
    assert_eq!(link.detach(), Ok(()));
    assert!(!available("wh_every"));
}

/// The one struct that the kernel's test run calls: arguments of all sizes, null and not, what is written, sleepable ones.
#[test]
fn the_kernels_test_run_calls_them() {
    use std::sync::atomic::{AtomicU32, Ordering};
    use whistler_loader::TestRun;
    if !can_use_kernel(&[]) {
        return;
    }
    let scratch = Scratch::new();
    // These programs can call no helpers, so no maps.
    let source = "
(defprog one (:type :struct-ops :section \"struct_ops/test_1\")
  (if-let (state (arg cb))
    (progn (incf (-> state val) 5) (-> state val))
    -7))
(defprog two (:type :struct-ops :section \"struct_ops/test_2\")
  (setf (-> (arg state) val) (+ (arg a2) (>> (arg a4) 60)))
  (+ (arg a1) (* 1000 (cast i8 (arg a3)))))
(defprog asleep (:type :struct-ops :section \"struct_ops/test_sleepable\" :sleepable t) 3)";
    let bytes = compiled(&scratch, source, &["--target", "6.18"]);
    let object = whistler_object::elf::read(&bytes).expect("our object");
    assert_eq!(object.program("asleep").map(|p| p.section.as_str()), Some("struct_ops.s/test_sleepable"));
    let loaded = load(&object);
    let state = AtomicU32::new(10);
    let run = |name: &str, args: &[u64]| {
        let ctx: Vec<u8> = args.iter().flat_map(|a| a.to_ne_bytes()).collect();
        let run = TestRun { ctx_in: &ctx, ..TestRun::default() };
        let ran = loaded.program(name).expect("loaded").test_run(&run);
        ran.unwrap_or_else(|e| panic!("{name}: {e}")).retval as i32
    };
    // The first argument is where the kernel copies the struct from, and back to.
    let address = state.as_ptr() as u64;
    assert_eq!((run("one", &[address]), state.load(Ordering::Relaxed)), (15, 15));
    assert_eq!(run("one", &[0]), -7);
    let args = [address, -3i64 as u64, 65535, -2i64 as u64, u64::MAX >> 2];
    assert_eq!((run("two", &args), state.load(Ordering::Relaxed)), (-2003, 65535 + 3));
    assert_eq!(run("asleep", &[address]), 3);
}
