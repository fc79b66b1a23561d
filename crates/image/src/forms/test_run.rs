//! `run-prog`: a program once, on a packet or context given. Invariant: what can't be done where programs run is an
//! error that a test runner takes as a reason to skip the test, never a guess.

use std::rc::Rc;
use std::time::Duration;

use whistler_isa::{AttachType, ProgType, ReturnRule};
use whistler_lisp::{Interp, LispError, LispResult, Value};
use whistler_loader::{Program, TestRun};
use whistler_sys::Errno;
use whistler_vm::{RunInput, Task};

use super::define;
use crate::args::Args;
use crate::failure::as_bpf_error;
use crate::image::Mode;
use crate::live::Shared;
use crate::recorded::VmState;
use crate::tests::Run;
use crate::unit::ProgramRef;

/// What only the virtual machine can pretend.
const WORLD: &[&str] = &["pid", "tgid", "uid", "gid", "comm", "ppid", "clock", "cpu", "user"];

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "run-prog",
        "program &optional packet &key ctx pid tgid uid gid comm ppid clock cpu user",
        "Runs a program once on PACKET or CTX (vectors or lists of bytes). Values: what it returns, the packet and the context afterwards. The rest is the process it runs in, in the virtual machine.",
        run_prog,
    );
    define(
        interp,
        shared,
        "ring-records",
        "ring &key as",
        "The records that a ring buffer holds, taken out: as structs of the type AS, else as vectors of bytes.",
        super::rings::records,
    );
    define(
        interp,
        shared,
        "emitted-lines",
        "",
        "The lines that programs have emitted since the last look, as a list of strings.",
        emitted_lines,
    );
    define(
        interp,
        shared,
        "read-pcap",
        "file",
        "The packets of a capture (pcap, pcapng), as vectors of bytes.",
        read_pcap,
    );
    define(
        interp,
        shared,
        "write-pcap",
        "file packets",
        "Writes packets (vectors or lists of bytes) as a capture; how many.",
        write_pcap,
    );
}

/// What a run came to.
struct Ran {
    ret: u32,
    packet: Option<Vec<u8>>,
    ctx: Option<Vec<u8>>,
}

fn run_prog(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let known: Vec<&'static str> = std::iter::once("ctx").chain(WORLD.iter().copied()).collect();
    let args = Args::new("run-prog", values, &known)?;
    let [program, rest @ ..] = args.plain.as_slice() else {
        return Err(LispError::simple("`run-prog` takes a program and a packet"));
    };
    let found = shared.program_ref(interp, *program)?;
    let name = found.name.clone();
    if found.unit.is_none() && shared.live()?.running.is_some() {
        shared.compiled_with_present_values(interp, &name)?;
    }
    let packet = rest.first().filter(|v| v.is_true()).map(|v| bytes(interp, *v)).transpose()?;
    let ctx = args.get("ctx").map(|v| bytes(interp, v)).transpose()?;
    if let Some(ctx) = &ctx {
        let (_, prog) = found.section(shared)?;
        super::context::of_another(shared, &name, prog, ctx)?;
    }
    if packet.as_deref().is_some_and(begins_with_ip) {
        shared.note_no_link_header()?;
    }
    let ran = match shared.options.mode {
        Mode::Vm => in_vm(shared, interp, &args, &found, packet, ctx)?,
        Mode::Kernel => {
            if let Some(key) = WORLD.iter().find(|k| args.get(k).is_some()) {
                return Err(shared.skip(format!("a test run in the kernel can't pretend another :{key}")));
            }
            found.section(shared)?;
            let loaded = found.loaded(shared)?;
            in_kernel(shared, &loaded, &name, packet, ctx)?
        }
    };
    let first = match signed_result(shared, &found)? {
        true => Value::Int((ran.ret as i32).into()),
        false => Value::Int(ran.ret.into()),
    };
    shared.note_run(Run { program: name, result: ran.ret, packet: ran.packet.clone() })?;
    let mut all = vec![first];
    for part in [ran.packet, ran.ctx] {
        all.push(part.map_or(Value::NIL, |b| interp.heap.bytes(b)));
    }
    interp.set_values(&all);
    Ok(first)
}

/// Whether what a program returns is a signed number: an error's, or one among verdicts.
fn signed_result(shared: &Shared, program: &ProgramRef) -> Result<bool, LispError> {
    let (section, prog) = program.section(shared)?;
    let attach = match &program.unit {
        Some(unit) => unit.object.program(&program.name).and_then(|p| p.attach_type),
        None => {
            let live = shared.live()?;
            live.programs.get(&program.name).and_then(|p| p.compiled.object.program(&program.name)?.attach_type)
        }
    };
    let of_function = attach == Some(AttachType::ModifyReturn) || section.starts_with("fmod_ret");
    Ok(match prog.return_rule(attach) {
        ReturnRule::Hook => true,
        ReturnRule::Usual(least, _) | ReturnRule::Enforced(least, _) => least < 0 || of_function,
        ReturnRule::Any => of_function,
    })
}

fn in_vm(
    shared: &Shared,
    interp: &mut Interp,
    args: &Args<'_>,
    program: &ProgramRef,
    packet: Option<Vec<u8>>,
    ctx: Option<Vec<u8>>,
) -> Result<Ran, LispError> {
    let name = program.name.as_str();
    let number = |key: &str| args.number(interp, key);
    let small = |key: &str| -> Result<Option<u32>, LispError> {
        let n = number(key)?;
        n.map(|n| u32::try_from(n).map_err(|_| LispError::simple(format!(":{key} {n} is too large")))).transpose()
    };
    let (pid, tgid, uid, gid, ppid, cpu) =
        (small("pid")?, small("tgid")?, small("uid")?, small("gid")?, small("ppid")?, small("cpu")?);
    let clock = number("clock")?;
    let comm = args.text(interp, "comm")?;
    let user = args.get("user").map(|v| user_memory(interp, v)).transpose()?;
    let go = |vm: &mut VmState| {
        let world = vm.machine.world_mut();
        let old = world.task.clone();
        let task = &mut world.task;
        *task = Task {
            pid: pid.or(tgid).unwrap_or(old.pid),
            tgid: tgid.or(pid).unwrap_or(old.tgid),
            uid: uid.unwrap_or(old.uid),
            gid: gid.unwrap_or(old.gid),
            ppid: ppid.unwrap_or(old.ppid),
            comm: comm.unwrap_or(old.comm.clone()),
            ..old.clone()
        };
        if let Some(now) = clock {
            world.clock.monotonic_ns = now;
        }
        if let Some(cpu) = cpu {
            world.cpu = cpu;
        }
        if let Some(user) = user {
            vm.machine.set_user_memory(&user);
        }
        let given = packet.is_some();
        let input = RunInput { packet, ctx: ctx.clone(), ..RunInput::default() };
        let out = vm.machine.run(name, input);
        vm.machine.world_mut().task = old;
        let out = out.map_err(|e| LispError::simple(format!("`{name}`: {e}")))?;
        Ok(Ran { ret: out.ret as u32, packet: given.then_some(out.packet), ctx: ctx.map(|_| out.ctx) })
    };
    match &program.unit {
        Some(unit) => unit.with_vm(go),
        None => shared.with_vm(interp, go),
    }
}

/// `((address . bytes-or-string) …)`
fn user_memory(interp: &Interp, v: Value) -> Result<Vec<(u64, Vec<u8>)>, LispError> {
    let wrong = || LispError::wrong_type(&interp.show(v), "memory as ((address . bytes) …)");
    let items = interp.heap.list_items(v).ok_or_else(wrong)?;
    items
        .into_iter()
        .map(|item| {
            let (address, content) = interp.heap.cons_parts(item).ok_or_else(wrong)?;
            let address = interp.heap.as_i128(address).and_then(|n| u64::try_from(n).ok()).ok_or_else(wrong)?;
            let content = match interp.heap.str(content) {
                Some(text) => text.bytes().chain([0]).collect(),
                None => bytes(interp, content)?,
            };
            Ok((address, content))
        })
        .collect()
}

/// Why the kernel's test run can't take a type of program; `None` when it can.
pub(crate) fn no_test_run(prog: ProgType) -> Option<&'static str> {
    use ProgType::*;
    match prog {
        Xdp | SchedCls | SchedAct | SocketFilter | CgroupSkb | LwtIn | LwtOut | LwtXmit | RawTracepoint | SkLookup
        | FlowDissector | Syscall | Netfilter => None,
        Tracing => Some("the kernel's test run of tracing programs calls functions of its own, not this program alone"),
        _ => Some("the kernel has no test run for programs of this type"),
    }
}

/// What a test run gave back, with the link header that it was given.
pub(crate) fn with_link(prog: ProgType, before: &[u8], mut after: Vec<u8>) -> Vec<u8> {
    if prog == ProgType::FlowDissector {
        // What comes back are the keys that it filled in; the packet is as it was.
        return before.to_vec();
    }
    if without_link(prog)
        && let (Some(to), Some(from)) = (after.get_mut(..14), before.get(..14))
    {
        to.copy_from_slice(from);
    }
    after
}

/// Whether a type of program sees packets from the network header on; a test run then makes the link header anew.
fn without_link(prog: ProgType) -> bool {
    use ProgType::*;
    matches!(prog, SocketFilter | CgroupSkb | LwtIn | LwtOut | LwtXmit | LwtSeg6local | SkSkb | Netfilter)
}

/// Whether a packet is an IP header with just what that says is behind it.
fn begins_with_ip(packet: &[u8]) -> bool {
    let word = |at: usize| packet.get(at..at + 2).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])));
    match packet.first() {
        Some(0x45..=0x4f) => word(2) == Some(packet.len()),
        Some(0x60..=0x6f) => packet.len().checked_sub(40).is_some_and(|n| word(4) == Some(n)),
        _ => false,
    }
}

/// Whether a packet for a socket buffer ends within its network header, which newer kernels refuse.
fn cut_short(prog: ProgType, packet: &[u8]) -> bool {
    let header = match packet.get(12..14) {
        Some([0x08, 0x00]) => 20,
        Some([0x86, 0xdd]) => 40,
        _ => return false,
    };
    prog != ProgType::Xdp && packet.len() < 14 + header
}

fn in_kernel(
    shared: &Shared,
    program: &Program,
    name: &str,
    packet: Option<Vec<u8>>,
    ctx: Option<Vec<u8>>,
) -> Result<Ran, LispError> {
    let prog = program.prog_type();
    let redirected = matches!(program.attach_type(), Some(AttachType::XdpDevmap | AttachType::XdpCpumap));
    let redirected = redirected.then_some("the kernel's test run takes no program that runs behind a redirection");
    if let Some(why) = no_test_run(prog).or(redirected) {
        return Err(shared.skip(format!("`{name}` (:{}): {why}", prog.keyword())));
    }
    let mut ctx = ctx;
    if let (ProgType::Xdp, Some(c), Some(p)) = (prog, &mut ctx, &packet) {
        // The kernel wants to hear the packet's length once more.
        if let Some(end) = c.get_mut(4..8).filter(|end| end.iter().all(|b| *b == 0)) {
            end.copy_from_slice(&(p.len() as u32).to_le_bytes());
        }
    }
    let run = TestRun {
        data_in: packet.as_deref().unwrap_or(&[]),
        ctx_in: ctx.as_deref().unwrap_or(&[]),
        ..TestRun::default()
    };
    if let Some(why) = packet.as_ref().and_then(|p| crate::replay::too_short(p.len())) {
        return Err(shared.skip(format!("`{name}`: {why}")));
    }
    let cut = packet.as_ref().is_some_and(|p| cut_short(prog, p));
    let out = program.test_run(&run).map_err(|e| {
        if cut && e.errno == Errno::EINVAL {
            return shared
                .skip(format!("`{name}`: the kernel's test run takes no packet that ends within its IP header"));
        }
        let refused = matches!(e.errno, Errno::EINVAL | Errno::ENODEV | Errno::EOPNOTSUPP | Errno(524));
        let text = format!("`{name}` can't be run so: {e}");
        match (refused, &ctx) {
            // A context that the kernel will not pretend, as an interface that is not there.
            (true, Some(_)) => shared.skip(format!("the kernel's test run does not take this context: {text}")),
            _ => as_bpf_error(LispError::simple(text), Some(&e)),
        }
    })?;
    let packet = packet.map(|before| with_link(prog, &before, out.data_out));
    Ok(Ran { ret: out.retval, packet, ctx: ctx.map(|given| if out.ctx_out.is_empty() { given } else { out.ctx_out }) })
}

fn emitted_lines(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    Args::new("emitted-lines", values, &[])?.exactly::<0>()?;
    let lines = shared.take_emitted(Duration::ZERO)?;
    let lines: Vec<Value> = lines.into_iter().map(|l| interp.heap.string(l)).collect();
    Ok(interp.heap.list(&lines))
}

fn read_pcap(_: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [file] = Args::new("read-pcap", values, &[])?.exactly()?;
    let name = crate::args::text(interp, file, "read-pcap")?;
    let read = interp.io.read_bytes(&name).ok_or_else(|| LispError::needs_host("read-pcap"))?;
    let read = read.map_err(|e| LispError::simple(format!("{name}: {e}")))?;
    let capture = whistler_vm::pcap::read(&read).map_err(|e| LispError::simple(format!("{name}: {e}")))?;
    let packets: Vec<Value> = capture.packets.into_iter().map(|p| interp.heap.bytes(p.bytes)).collect();
    Ok(interp.heap.list(&packets))
}

fn write_pcap(_: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    use whistler_vm::pcap::{Capture, Captured, LINK_ETHERNET, Unit};
    let [file, packets] = Args::new("write-pcap", values, &[])?.exactly()?;
    let name = crate::args::text(interp, file, "write-pcap")?;
    let items = interp
        .heap
        .list_items(packets)
        .ok_or_else(|| LispError::wrong_type(&interp.show(packets), "a list of packets"))?;
    let packets = items
        .into_iter()
        .map(|p| bytes(interp, p).map(|bytes| Captured { time_ns: 0, wire_len: bytes.len() as u32, bytes }))
        .collect::<Result<Vec<_>, _>>()?;
    let count = packets.len() as i64;
    let all = whistler_vm::pcap::write(&Capture { link: LINK_ETHERNET, unit: Unit::Micro, packets });
    let written = interp.io.write_bytes(&name, &all).ok_or_else(|| LispError::needs_host("write-pcap"))?;
    written.map_err(|e| LispError::simple(format!("{name}: {e}")))?;
    Ok(Value::Int(count))
}

pub(super) fn bytes(interp: &Interp, v: Value) -> Result<Vec<u8>, LispError> {
    if let Some(b) = interp.heap.byte_slice(v) {
        return Ok(b.to_vec());
    }
    let items = interp.heap.items(v).map(<[Value]>::to_vec).or_else(|| interp.heap.list_items(v));
    let items = items.ok_or_else(|| LispError::wrong_type(&interp.show(v), "bytes"))?;
    let byte = |v: &Value| v.as_i64().and_then(|n| u8::try_from(n).ok());
    items.iter().map(|v| byte(v).ok_or_else(|| LispError::wrong_type(&interp.show(*v), "a byte"))).collect()
}
