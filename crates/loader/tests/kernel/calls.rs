//! The tables of helpers and kernel functions against what this kernel lets programs of each type call: a program of
//! two instructions for every pair, and the verifier's answer.

use whistler_btf::TypeKind;
use whistler_isa::helpers::MEASURED;
use whistler_isa::{HELPERS, Insn, KFUNCS, ProgSet, ProgType, op};
use whistler_sys::bpf::ProgLoad;

use crate::support::{exit, kernel, requires};

/// Types that load here without anything to attach to, with an attach type where they need one.
const TYPES: &[(ProgType, u32)] = &[
    (ProgType::SocketFilter, 0),
    (ProgType::Kprobe, 0),
    (ProgType::SchedCls, 0),
    (ProgType::SchedAct, 0),
    (ProgType::Tracepoint, 0),
    (ProgType::Xdp, 0),
    (ProgType::PerfEvent, 0),
    (ProgType::CgroupSkb, 0),
    (ProgType::LwtIn, 0),
    (ProgType::LwtOut, 0),
    (ProgType::LwtXmit, 0),
    (ProgType::LwtSeg6local, 0),
    (ProgType::SockOps, 0),
    (ProgType::SkSkb, 0),
    (ProgType::CgroupDevice, 6),
    (ProgType::SkMsg, 0),
    (ProgType::RawTracepoint, 0),
    (ProgType::FlowDissector, 0),
    (ProgType::CgroupSysctl, 18),
    (ProgType::SkReuseport, 0),
    (ProgType::SkLookup, 36),
    (ProgType::Syscall, 0),
];
const BPF_F_SLEEPABLE: u32 = 1 << 4;

/// What the verifier says of a call; `None` when it accepts the program.
fn answer(prog: ProgType, attach: u32, call: Insn) -> Option<String> {
    let insns = Insn::encode_all(&[call, exit()]);
    let load = ProgLoad {
        prog_type: prog.number(),
        expected_attach_type: attach,
        insns: &insns,
        license: c"GPL",
        name: "probe",
        flags: if prog == ProgType::Syscall { BPF_F_SLEEPABLE } else { 0 },
        log_level: 1,
        log_size: 1 << 16,
        ..ProgLoad::default()
    };
    load.load().err().map(|f| f.log)
}

fn compare(name: &str, says: &dyn Fn(ProgType, u32) -> bool, table: ProgSet, wrong: &mut Vec<String>) {
    for (prog, attach) in TYPES {
        let allowed = says(*prog, *attach);
        if allowed != table.contains(*prog) {
            wrong.push(format!("{name} in :{}: the kernel says {allowed}", prog.keyword()));
        }
    }
}

#[test]
fn programs_may_call_the_helpers_that_the_table_says() {
    requires!(kernel >= 6.18, cap_bpf, cap_perfmon, cap_net_admin);
    if kernel().version() != Some(MEASURED[2]) {
        eprintln!("skipped: the table's last column is that of {}", MEASURED[2]);
        return;
    }
    let mut wrong = Vec::new();
    for h in HELPERS {
        // Lockdown and configuration take these away; infrared receivers are not built in.
        if matches!(h.name, "probe_write_user" | "override_return") {
            continue;
        }
        let says = |p, attach| {
            let log = answer(p, attach, Insn::new(op::JMP | op::CALL, 0, 0, 0, h.id as i32));
            let refusals = ["unknown func", "program of this type cannot use helper", "not supported for program type"];
            !log.is_some_and(|l| refusals.iter().any(|r| l.contains(r)))
        };
        compare(h.name, &says, h.progs, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} pairs:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn programs_may_call_the_kernel_functions_that_the_table_says() {
    requires!(kernel >= 6.18, cap_bpf, cap_perfmon, cap_net_admin);
    if kernel().version() != Some(MEASURED[2]) {
        eprintln!("skipped: the table is that of {}", MEASURED[2]);
        return;
    }
    let btf = kernel().shared_btf().expect("6.18 has BTF");
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for k in KFUNCS {
        let Some(id) = btf.find(k.name, TypeKind::Func).ok().flatten() else { continue };
        // The kernel asks for the device first, or for the attach type of sessions.
        if k.name.starts_with("bpf_xdp_metadata") || k.name.starts_with("bpf_session_") {
            continue;
        }
        seen += 1;
        let call = Insn::new(op::JMP | op::CALL, 0, op::PSEUDO_KFUNC_CALL, 0, id.0 as i32);
        let log = |p, attach| answer(p, attach, call).unwrap_or_default();
        compare(k.name, &|p, attach| !log(p, attach).contains("is not allowed"), k.progs, &mut wrong);
        let (prog, attach) =
            TYPES.iter().find(|(p, _)| k.progs.contains(*p) && *p != ProgType::Syscall).unwrap_or(&TYPES[0]);
        if k.progs.contains(*prog) {
            let sleeps = log(*prog, *attach).contains("must be sleepable");
            if sleeps != k.may_sleep() {
                wrong.push(format!("{}: the kernel says that it may sleep: {sleeps}", k.name));
            }
        }
    }
    assert!(wrong.is_empty() && seen > 150, "{seen}, wrong {}:\n{}", wrong.len(), wrong.join("\n"));
}
