//! The machine with objects: maps, helpers, contexts, calls, and what ends a program.

mod common;

use common::{function, map, program};
use whistler_btf::{BtfBuilder, MemberDef, TypeId};
use whistler_isa::{MapType, ProgType, map_flags};
use whistler_object::{Function, Global, Location, Mutability, Object};
use whistler_vm::replay::Replay;
use whistler_vm::{FaultKind, Machine, MachineOptions, PacketFields, RunInput, Task, Uninit, UpdateFlags};

const XDP: ProgType = ProgType::Xdp;
const SYSCALL: ProgType = ProgType::Syscall;

fn object(prog_type: ProgType, text: &str) -> Object {
    Object { programs: vec![program("p", prog_type, text)], ..Object::default() }
}

fn machine(object: &Object) -> Machine {
    Machine::new(object, MachineOptions::default()).unwrap()
}

/// r0 of program `p` without input.
fn ret(object: &Object) -> i64 {
    machine(object).run("p", RunInput::none()).unwrap_or_else(|f| panic!("{f}")).ret as i64
}

/// What stops program `p`.
fn fault(object: &Object, input: RunInput) -> String {
    machine(object).run("p", input).map(|o| o.ret).expect_err("the program should be stopped").to_string()
}

fn with_maps(maps: impl Into<Vec<whistler_object::Map>>, text: &str) -> Object {
    Object { maps: maps.into(), ..object(SYSCALL, text) }
}

/// Calls a helper on map `m` with key 7 at r10-8 and the value at r10-16.
fn map_call(m: whistler_object::Map, calls: &[&str]) -> i64 {
    let mut text = String::from("stdw [r10-8], 7\nstdw [r10-16], 70\n");
    for call in calls {
        text += &format!("lddw r1, @map m\nmov r2, r10\nadd r2, -8\nmov r3, r10\nadd r3, -16\n{call}\n");
    }
    ret(&with_maps([m], &(text + "exit")))
}

#[test]
fn update_and_delete_give_the_kernels_errors() {
    let hash = |max| map("m", MapType::Hash, 8, 8, max);
    let any = "mov r4, 0\ncall 2";
    let fresh = "mov r4, 1\ncall 2";
    let replace = "mov r4, 2\ncall 2";
    let other = "stdw [r10-8], 8";
    assert_eq!(map_call(hash(1), &[any]), 0);
    assert_eq!(map_call(hash(1), &[any, any]), 0);
    assert_eq!(map_call(hash(1), &[any, fresh]), -17, "EEXIST");
    assert_eq!(map_call(hash(1), &[replace]), -2, "ENOENT");
    assert_eq!(map_call(hash(1), &[any, other, any]), -7, "E2BIG");
    assert_eq!(map_call(map("m", MapType::LruHash, 8, 8, 1), &[any, other, any]), 0);
    assert_eq!(map_call(hash(1), &["mov r4, 3\ncall 2"]), -22, "EINVAL");
    assert_eq!(map_call(hash(1), &["call 3"]), -2);
    assert_eq!(map_call(hash(1), &[any, "call 3"]), 0);
    let array = |max| map("m", MapType::Array, 4, 8, max);
    assert_eq!(map_call(array(8), &[any]), 0);
    assert_eq!(map_call(array(7), &[any]), -7, "index 7 is outside");
    assert_eq!(map_call(array(8), &[fresh]), -17);
    assert_eq!(map_call(array(8), &["call 3"]), -22);
    assert_eq!(map_call(array(7), &["call 1"]), 0, "null");
    let queue = |t| map("m", t, 0, 8, 1);
    let push = "mov r2, r3\nmov r3, 0\ncall 87";
    let take = "mov r2, r3\ncall 88\nldxdw r4, [r10-16]\nadd r0, r4";
    assert_eq!(map_call(queue(MapType::Queue), &[push, take]), 70);
    assert_eq!(map_call(queue(MapType::Queue), &[push, push]), -7);
    assert_eq!(map_call(queue(MapType::Stack), &[take]), -2, "and the value is zeroed");
}

#[test]
fn values_are_reached_through_pointers() {
    let text = "
        stw [r10-4], 2
        lddw r1, @map m
        mov r2, r10
        add r2, -4
        call 1
        jeq r0, 0, none
        mov r1, 5
        lock_add [r0], r1
        ldxdw r0, [r0]
        exit
        none:
        mov r0, -1
        exit";
    let o = with_maps([map("m", MapType::Array, 4, 8, 3)], text);
    let mut m = machine(&o);
    m.update("m", &2u32.to_le_bytes(), &10u64.to_le_bytes(), UpdateFlags::Any).unwrap();
    assert_eq!(m.run("p", RunInput::none()).unwrap().ret, 15);
    assert_eq!(m.run("p", RunInput::none()).unwrap().ret, 20, "maps keep what runs leave");
    assert_eq!(m.lookup("m", &2u32.to_le_bytes()).unwrap(), Some(20u64.to_le_bytes().to_vec()));
    assert_eq!(m.keys("m").unwrap().len(), 3);
    let outside = text.replace("lock_add [r0], r1", "stxdw [r0+1], r1");
    let f = fault(&with_maps([map("m", MapType::Array, 4, 8, 3)], &outside), RunInput::none());
    assert!(f.contains("this is byte 1 of a value of map `m`, which has 8 bytes"), "{f}");
    let before = text.replace("lock_add [r0], r1", "stxdw [r0-8], r1");
    let f = fault(&with_maps([map("m", MapType::Array, 4, 8, 3)], &before), RunInput::none());
    assert!(f.contains("8 bytes before a value of map `m`"), "{f}");
    let mut frozen = map("m", MapType::Array, 4, 8, 3);
    frozen.flags = map_flags::RDONLY_PROG;
    let f = fault(&with_maps([frozen], text), RunInput::none());
    assert!(f.contains("programs can't write the values of map `m`"), "{f}");
}

#[test]
fn per_cpu_values_are_apart() {
    let text = "
        stw [r10-4], 0
        lddw r1, @map m
        mov r2, r10
        add r2, -4
        call 1
        ldxdw r1, [r0]
        add r1, 1
        stxdw [r0], r1
        mov r0, 0
        exit";
    let o = with_maps([map("m", MapType::PercpuArray, 4, 8, 1)], text);
    let mut m = Machine::new(&o, MachineOptions { cpus: 3, ..MachineOptions::default() }).unwrap();
    for cpu in [0, 2, 2] {
        m.world_mut().cpu = cpu;
        m.run("p", RunInput::none()).unwrap();
    }
    let values = m.lookup_per_cpu("m", &[0; 4]).unwrap().unwrap();
    assert_eq!(values, [1u64, 0, 2].map(|v| v.to_le_bytes().to_vec()));
}

const RESERVE: &str = "
    lddw r1, @map ring
    mov r2, 8
    mov r3, 0
    call 131
    jeq r0, 0, out
    mov r6, r0
    stdw [r6], 42
    mov r1, r6
    mov r2, 0
    call 132
    ";

#[test]
fn ring_buffer_records() {
    let o = with_maps([map("ring", MapType::Ringbuf, 0, 0, 4096)], &format!("{RESERVE}\nmov r0, 0\nout:\nexit"));
    let mut m = machine(&o);
    for _ in 0..3 {
        m.run("p", RunInput::none()).unwrap();
    }
    assert_eq!(m.drain_ring("ring").unwrap(), vec![42u64.to_le_bytes().to_vec(); 3]);
    assert!(m.drain_ring("ring").unwrap().is_empty());
    let lost: u64 = (0..300).map(|_| m.run("p", RunInput::none()).unwrap().lost).sum();
    assert_eq!(lost, 300 - 255, "16 bytes each, and the last 16 of 4096 are never used");
    let stopped = |text: &str| fault(&with_maps([map("ring", MapType::Ringbuf, 0, 0, 4096)], text), RunInput::none());
    let f = stopped(&format!("{RESERVE}\nldxdw r0, [r6]\nout:\nexit"));
    assert!(f.contains("was submitted or discarded before"), "{f}");
    let f = stopped(&RESERVE.replace("call 132", "mov r0, 0\nout:\nexit"));
    assert!(f.contains("neither submitted nor discarded"), "{f}");
    let f = stopped(&RESERVE.replace("stdw [r6], 42", "stdw [r6+8], 42\nout:\n"));
    assert!(f.contains("byte 8 of a ring-buffer record, which has 8 bytes"), "{f}");
}

/// An Ethernet frame of 60 bytes with an IPv4 type.
fn frame() -> Vec<u8> {
    let mut f = vec![0; 60];
    f[12..14].copy_from_slice(&[0x08, 0x00]);
    f[14] = 0x45;
    f
}

#[test]
fn xdp_packets() {
    let text = "
        mov r6, r1
        ldxw r2, [r1]
        ldxw r3, [r1+4]
        mov r4, r2
        add r4, 14
        jgt r4, r3, short
        stb [r2], 0xaa
        mov r1, r6
        mov r2, 14
        call 44
        jne r0, 0, short
        ldxw r2, [r6]
        ldxw r3, [r6+4]
        ldxb r7, [r2]
        mov r0, r3
        sub r0, r2
        lsh r0, 8
        or r0, r7
        exit
        short:
        mov r0, 0
        exit";
    let o = object(XDP, text);
    let out = machine(&o).run("p", RunInput::packet(frame())).unwrap();
    assert_eq!(out.ret, (46 << 8) | 0x45);
    assert_eq!(out.packet, &frame()[14..]);
    assert_eq!(machine(&o).run("p", RunInput::packet([0; 13])).unwrap().ret, 0);
    let f = fault(&object(XDP, "ldxw r2, [r1]\nldxb r0, [r2+60]\nexit"), RunInput::packet(frame()));
    assert!(f.contains("this is byte 60 of the packet, which has 60 bytes"), "{f}");
    let fields = PacketFields { ingress_ifindex: Some(9), rx_queue_index: 3, ..PacketFields::default() };
    let text = "ldxw r0, [r1+12]\nldxw r2, [r1+16]\nlsh r0, 4\nor r0, r2\nexit";
    let out = machine(&object(XDP, text)).run("p", RunInput::packet(frame()).with_fields(fields)).unwrap();
    assert_eq!(out.ret, 0x93);
}

#[test]
fn socket_buffers() {
    let fields = PacketFields { mark: 5, ..PacketFields::default() };
    let text = "
        ldxw r0, [r1]       # len
        lsh r0, 16
        ldxw r2, [r1+16]    # protocol
        or r0, r2
        ldxw r2, [r1+8]     # mark
        add r2, 1
        stxw [r1+8], r2
        exit";
    let tc = object(ProgType::SchedCls, text);
    let out = machine(&tc).run("p", RunInput::packet(frame()).with_fields(fields)).unwrap();
    assert_eq!(out.ret, (60 << 16) | 0x0008, "the protocol is in network order");
    assert_eq!(out.ctx[8..12], [6, 0, 0, 0]);
    let socket = object(ProgType::SocketFilter, "mov r6, r1\nldabsb 0\nexit");
    let out = machine(&socket).run("p", RunInput::packet(frame())).unwrap();
    assert_eq!(out.ret, 0x45, "socket filters start behind the Ethernet header, as in a test run");
    assert_eq!(out.packet, frame());
    let f = fault(&object(ProgType::SocketFilter, "stw [r1+76], 0\nexit"), RunInput::packet(frame()));
    assert!(f.contains("this context field can't be written"), "{f}");
}

#[test]
fn globals() {
    let global = |name: &str, mutability| Global {
        name: name.into(),
        init: vec![1, 2, 3, 4, 5, 6, 7, 8],
        align: 8,
        mutability,
        section: None,
        type_id: None,
        span: Default::default(),
    };
    let mut o = object(SYSCALL, "lddw r1, @global n+4\nldxw r0, [r1]\nstw [r1], 9\nexit");
    o.globals = vec![global("n", Mutability::ReadWrite)];
    let mut m = machine(&o);
    assert_eq!(m.run("p", RunInput::none()).unwrap().ret, 0x08070605);
    assert_eq!(m.global("n"), Some(&[1, 2, 3, 4, 9, 0, 0, 0][..]));
    m.set_global("n", &[7; 8]).unwrap();
    assert_eq!(m.run("p", RunInput::none()).unwrap().ret, 0x07070707);
    o.globals = vec![global("n", Mutability::ReadOnly)];
    let f = fault(&o, RunInput::none());
    assert!(f.contains("`n` is read-only"), "{f}");
}

#[test]
fn calls_and_callbacks() {
    let mut o = object(SYSCALL, "mov r1, 20\ncall @twice\nadd r0, 2\nexit");
    o.subprograms = vec![function("twice", "mov r0, r1\nadd r0, r1\nexit")];
    assert_eq!(ret(&o), 42);
    // bpf_loop adds up its indices in the caller's stack, and stops at the callback's 1.
    let text = "
        stdw [r10-8], 0
        mov r1, 10
        lddw r2, @function each
        mov r3, r10
        add r3, -8
        mov r4, 0
        call 181
        lsh r0, 8
        ldxdw r1, [r10-8]
        or r0, r1
        exit";
    let mut o = object(SYSCALL, text);
    o.subprograms = vec![function(
        "each",
        "ldxdw r3, [r2]\nadd r3, r1\nstxdw [r2], r3\nmov r0, 0\njne r1, 5, on\nmov r0, 1\non:\nexit",
    )];
    assert_eq!(ret(&o), (6 << 8) | 15);
    // bpf_for_each_map_elem: the sum of keys and values.
    let text = "
        stdw [r10-8], 0
        lddw r1, @map m
        lddw r2, @function each
        mov r3, r10
        add r3, -8
        mov r4, 0
        call 164
        ldxdw r1, [r10-8]
        lsh r0, 32
        or r0, r1
        exit";
    let mut o = with_maps([map("m", MapType::Hash, 4, 8, 8)], text);
    o.subprograms = vec![function(
        "each",
        "ldxw r1, [r2]\nldxdw r2, [r3]\nadd r1, r2\nldxdw r2, [r4]\nadd r1, r2\nstxdw [r4], r1\nmov r0, 0\nexit",
    )];
    let mut m = machine(&o);
    for k in 1..=3u32 {
        m.update("m", &k.to_le_bytes(), &u64::from(k * 100).to_le_bytes(), UpdateFlags::Any).unwrap();
    }
    assert_eq!(m.run("p", RunInput::none()).unwrap().ret, (3 << 32) | 606);
}

#[test]
fn tail_calls_end_at_33() {
    let text = "
        lddw r2, @global n
        ldxdw r3, [r2]
        add r3, 1
        stxdw [r2], r3
        lddw r2, @map jumps
        mov r3, 0
        call 12
        mov r0, 7
        exit";
    let mut o = with_maps([map("jumps", MapType::ProgArray, 4, 4, 1)], text);
    o.globals = vec![Global {
        name: "n".into(),
        init: vec![0; 8],
        align: 8,
        mutability: Mutability::ReadWrite,
        section: None,
        type_id: None,
        span: Default::default(),
    }];
    let mut m = machine(&o);
    assert_eq!(m.run("p", RunInput::none()).unwrap().ret, 7);
    assert_eq!(m.global("n"), Some(&1u64.to_le_bytes()[..]), "an empty slot lets the program go on");
    m.set_program("jumps", 0, Some("p")).unwrap();
    assert_eq!(m.run("p", RunInput::none()).unwrap().ret, 7);
    assert_eq!(m.global("n"), Some(&(1u64 + 34).to_le_bytes()[..]));
}

#[test]
fn open_coded_iterators() {
    let text = "
        mov r1, r10
        add r1, -8
        mov r2, 3
        mov r3, 7
        call @kfunc bpf_iter_num_new
        mov r6, 0
        again:
        mov r1, r10
        add r1, -8
        call @kfunc bpf_iter_num_next
        jeq r0, 0, out
        ldxw r1, [r0]
        add r6, r1
        ja again
        out:
        mov r1, r10
        add r1, -8
        call @kfunc bpf_iter_num_destroy
        mov r0, r6
        exit";
    assert_eq!(ret(&object(SYSCALL, text)), 3 + 4 + 5 + 6);
    let f = fault(&object(SYSCALL, "call @kfunc bpf_key_put\nexit"), RunInput::none());
    assert!(f.contains("kernel function `bpf_key_put` is not simulated"), "{f}");
}

/// `struct task_struct` as an object that uses three fields of it has it, at other offsets than any kernel's.
fn task_btf() -> Vec<u8> {
    let mut b = BtfBuilder::new();
    let int = b.int("int", 4, 0);
    let char_ = b.int("char", 1, 0);
    let comm = b.array(char_, 16);
    let task = b.reserve_struct("task_struct");
    let ptr = b.ptr(task);
    let anonymous = b.structure("", 4, &[MemberDef::at("tgid", int, 0)]);
    let members: &[(&str, TypeId, u32)] = &[("real_parent", ptr, 8), ("", anonymous, 24), ("comm", comm, 32)];
    let members: Vec<MemberDef> = members.iter().map(|(n, t, o)| MemberDef::at(n, *t, *o)).collect();
    b.define(task, 48, &members);
    b.to_bytes()
}

#[test]
fn the_current_process() {
    let text = "
        call 14                  # pid and tgid
        mov r6, r0
        call 35                  # task
        mov r3, r0
        add r3, 8
        mov r1, r10
        add r1, -8
        mov r2, 8
        call 113                 # its real_parent
        jne r0, 0, out
        ldxdw r3, [r10-8]
        ldxw r0, [r3+24]         # its tgid, read directly
        lsh r0, 32
        rsh r6, 32
        or r0, r6
        out:
        exit";
    let mut o = object(ProgType::Kprobe, text);
    o.btf = task_btf();
    let mut m = machine(&o);
    m.world_mut().task = Task { pid: 11, tgid: 10, ppid: 3, ..Task::default() };
    assert_eq!(m.run("p", RunInput::none()).unwrap().ret, (3 << 32) | 10);
    m.world_mut().task.ppid = 4;
    assert_eq!(m.run("p", RunInput::none()).unwrap().ret, (4 << 32) | 10);
    let comm = "mov r1, r10\nadd r1, -8\nmov r2, 8\ncall 16\nldxdw r0, [r10-8]\nexit";
    let mut m = machine(&object(ProgType::Kprobe, comm));
    m.world_mut().task.comm = "a-long-name".into();
    assert_eq!(m.run("p", RunInput::none()).unwrap().ret.to_le_bytes(), *b"a-long-\0");
}

#[test]
fn probe_reads_fail_softly() {
    let text = "
        stdw [r10-8], -1
        mov r1, r10
        add r1, -8
        mov r2, 8
        lddw r3, 0x7f0000001000
        call HELPER
        ldxdw r1, [r10-8]
        jne r1, 0, data
        exit
        data:
        mov r0, r1
        exit";
    let read = |helper: &str, there: bool| {
        let mut m = machine(&object(ProgType::Kprobe, &text.replace("HELPER", helper)));
        if there {
            m.add_user_memory(0x7f00_0000_1000, *b"/bin/ls\0");
        }
        m.run("p", RunInput::none()).unwrap().ret
    };
    assert_eq!(read("112", true).to_le_bytes(), *b"/bin/ls\0");
    assert_eq!(read("112", false) as i64, -14, "and the destination is zeroed");
    assert_eq!(read("113", true) as i64, -14, "user memory is not the kernel's");
    assert_eq!(read("4", true).to_le_bytes(), *b"/bin/ls\0");
    assert_eq!(read("114", true).to_le_bytes(), *b"/bin/ls\0");
}

#[test]
fn printing() {
    let text = "
        lddw r1, 0x6925203d206925
        stxdw [r10-8], r1
        mov r1, r10
        add r1, -8
        mov r2, 8
        mov r3, -5
        mov r4, 7
        mov r5, 0
        call 6
        exit";
    let out = machine(&object(SYSCALL, text)).run("p", RunInput::none()).unwrap();
    assert_eq!((out.ret, &out.printk[..]), (6, &["-5 = 7".to_string()][..]));
}

#[test]
fn faults_say_where() {
    let f = function("inner", "mov r0, 0\nldxb r0, [r0]\nexit");
    let location = Location { file: "a.lisp".into(), line: 3, col: 5, ..Location::default() };
    let inner = Function { locations: vec![location], locs: vec![u32::MAX, 0, u32::MAX], ..f };
    let mut o = object(SYSCALL, "mov r1, 1\ncall @inner\nexit");
    o.subprograms = vec![inner];
    let f = machine(&o).run("p", RunInput::none()).unwrap_err();
    assert_eq!(
        f.to_string(),
        "can't read 1 byte at 0x0: this is a null pointer, at instruction 1 of `inner` (a.lisp:3:5)"
    );
    assert_eq!(f.callers.iter().map(|c| (c.function.as_str(), c.insn)).collect::<Vec<_>>(), [("p", 1)]);
}

#[test]
fn what_is_missing_is_named() {
    let f = fault(&object(SYSCALL, "call 166\nexit"), RunInput::none());
    assert!(f.contains("helper `sys_bpf` is not simulated in the VM"), "{f}");
    let f = machine(&object(SYSCALL, "exit")).run("q", RunInput::none()).unwrap_err();
    assert_eq!(f.kind, FaultKind::Unresolved("there is no program `q`".into()));
    let f = fault(&object(SYSCALL, "lddw r1, @map nowhere\nexit"), RunInput::none());
    assert!(f.contains("there is no map `nowhere`"), "{f}");
}

#[test]
fn unwritten_stack_is_reported_on_request() {
    let o = object(SYSCALL, "stw [r10-8], 1\nldxdw r0, [r10-8]\nexit");
    assert_eq!(ret(&o), 1);
    let strict = MachineOptions { uninit: Uninit::Fault, ..MachineOptions::default() };
    let f = Machine::new(&o, strict.clone()).unwrap().run("p", RunInput::none()).unwrap_err();
    assert!(f.to_string().contains("these bytes of the stack were never written"), "{f}");
    let o = object(SYSCALL, "stdw [r10-8], 1\nldxdw r0, [r10-8]\nexit");
    assert_eq!(Machine::new(&o, strict).unwrap().run("p", RunInput::none()).unwrap().ret, 1);
}

#[test]
fn locks_are_checked() {
    let lock = "stw [r10-4], 0\nmov r1, r10\nadd r1, -4\ncall 93\nmov r1, r10\nadd r1, -4\n";
    assert_eq!(ret(&object(SYSCALL, &format!("{lock}call 94\nmov r0, 0\nexit"))), 0);
    let f = fault(&object(SYSCALL, &format!("{lock}mov r0, 0\nexit")), RunInput::none());
    assert!(f.contains("while it holds a spin lock"), "{f}");
    let f = fault(&object(SYSCALL, &format!("{lock}call 93\nexit")), RunInput::none());
    assert!(f.contains("while another is held"), "{f}");
}

#[test]
fn recorded_events_are_played() {
    let text = "ldxw r6, [r1+8]\ncall 14\nrsh r0, 32\nlsh r0, 32\nor r0, r6\nexit";
    let mut m = machine(&object(ProgType::Tracepoint, text));
    let recording = "whistler-replay 1\nevent sched/x\ntask pid=5 tgid=4\nctx 0000000000000000 2a000000\n";
    let replay = Replay::parse(recording).unwrap();
    assert_eq!(m.play("p", &replay.events[0]).unwrap().ret, (4 << 32) | 42);
}

#[test]
fn maps_of_maps() {
    let text = "
        stw [r10-4], 1
        lddw r1, @map outer
        mov r2, r10
        add r2, -4
        call 1
        jeq r0, 0, none
        mov r1, r0
        stw [r10-4], 0
        mov r2, r10
        add r2, -4
        call 1
        ldxdw r0, [r0]
        exit
        none:
        mov r0, -1
        exit";
    let maps = [map("outer", MapType::ArrayOfMaps, 4, 4, 2), map("inner", MapType::Array, 4, 8, 1)];
    let mut m = machine(&with_maps(maps, text));
    assert_eq!(m.run("p", RunInput::none()).unwrap().ret as i64, -1);
    m.set_inner_map("outer", &1u32.to_le_bytes(), Some("inner")).unwrap();
    m.update("inner", &[0; 4], &77u64.to_le_bytes(), UpdateFlags::Any).unwrap();
    assert_eq!(m.run("p", RunInput::none()).unwrap().ret, 77);
}

#[test]
fn perf_records_carry_their_cpu() {
    let text = "
        stdw [r10-8], 9
        lddw r2, @map events
        mov32 r3, -1             # the present CPU
        mov r4, r10
        add r4, -8
        mov r5, 8
        call 25
        exit";
    let o = with_maps([map("events", MapType::PerfEventArray, 4, 4, 0)], text);
    let mut m = Machine::new(&o, MachineOptions { cpus: 2, ..MachineOptions::default() }).unwrap();
    m.world_mut().cpu = 1;
    assert_eq!(m.run("p", RunInput::none()).unwrap().ret, 0);
    let records = m.drain_perf("events").unwrap();
    assert_eq!(records.iter().map(|r| (r.cpu, r.bytes[0])).collect::<Vec<_>>(), [(1, 9)]);
}

#[test]
fn the_host_is_told_what_it_did_wrong() {
    let o = with_maps([map("m", MapType::Hash, 4, 8, 1), map("ring", MapType::Ringbuf, 0, 0, 4096)], "exit");
    let mut m = machine(&o);
    let said = |r: Result<(), whistler_vm::MapError>| r.unwrap_err().to_string();
    assert_eq!(said(m.delete("m", &[0; 4])), "map `m`: ENOENT (-2)");
    assert_eq!(said(m.delete("n", &[0; 4])), "there is no map `n`");
    assert_eq!(said(m.update("m", &[0; 3], &[0; 8], UpdateFlags::Any)), "map `m` has keys of 4 bytes, not 3");
    assert_eq!(said(m.update("m", &[0; 4], &[0; 9], UpdateFlags::Any)), "map `m` has values of 8 bytes, not 9");
    assert_eq!(said(m.delete("ring", &[])), "map `ring` (BPF_MAP_TYPE_RINGBUF) has no delete");
}
