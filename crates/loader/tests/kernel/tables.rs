//! The tables of `whistler-isa` against what this kernel accepts: for every program type and way of attaching, an
//! empty program, every return value at the edges of its range, and every access to every field of its context in
//! every size; for every map type, maps that obey its rules and maps that don't. Each is really loaded or made, and
//! both sides must agree.

use std::os::fd::AsFd;

use crate::support::*;
use whistler_isa::ctx::{self, Field, FieldKind};
use whistler_isa::{AttachType, ContextKind, Insn, MapType, MapValueKind, ProgType, ReturnRule, op, sections};
use whistler_sys::MapFd;
use whistler_sys::bpf::{MapCreate, ProgLoad};

const BPF_F_SLEEPABLE: u32 = 1 << 4;
const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;

fn accepted(prog: ProgType, attach: Option<AttachType>, flags: u32, insns: &[Insn]) -> Result<(), String> {
    let load = ProgLoad {
        prog_type: prog.number(),
        expected_attach_type: attach.map_or(0, AttachType::number),
        insns: &Insn::encode_all(insns),
        license: c"GPL",
        name: "table",
        flags,
        ..ProgLoad::default()
    };
    load.load().map(drop).map_err(|e| e.error.to_string())
}

/// Program types with the ways of attaching that decide what they may do; those that need a function to attach to
/// can't be loaded alone.
fn kinds() -> Vec<(ProgType, Option<AttachType>)> {
    let mut out = Vec::new();
    for p in ProgType::ALL.iter().skip(1).copied() {
        if matches!(p, ProgType::Tracing | ProgType::StructOps | ProgType::Ext | ProgType::Lsm) {
            continue;
        }
        let own = AttachType::ALL.iter().copied().filter(|a| a.info().progs.contains(&p));
        let own: Vec<_> = own.map(Some).collect();
        let needs_one = matches!(p, ProgType::CgroupSock | ProgType::CgroupSockAddr | ProgType::CgroupSockopt)
            || matches!(p, ProgType::SkLookup | ProgType::Netfilter | ProgType::Syscall);
        if own.is_empty() || !needs_one {
            out.push((p, None));
        }
        out.extend(own.into_iter().map(|a| (p, a)));
    }
    // This kernel was built without infrared remotes.
    out.retain(|(p, _)| *p != ProgType::LircMode2);
    out
}

fn flags_of(prog: ProgType) -> u32 {
    if prog == ProgType::Syscall { BPF_F_SLEEPABLE } else { 0 }
}

/// A value that the program may return.
fn good(prog: ProgType, attach: Option<AttachType>) -> i32 {
    match prog.return_rule(attach) {
        ReturnRule::Enforced(lo, hi) | ReturnRule::Usual(lo, hi) => lo.max(0).min(hi),
        ReturnRule::Any | ReturnRule::Hook => 0,
    }
}

fn returning(n: i32) -> [Insn; 2] {
    [mov(0, n), exit()]
}

#[test]
fn every_type_and_way_of_attaching_loads() {
    requires!(kernel >= 6.18, CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN);
    let mut wrong = Vec::new();
    for (prog, attach) in kinds() {
        if let Err(e) = accepted(prog, attach, flags_of(prog), &returning(good(prog, attach))) {
            wrong.push(format!("{prog} {attach:?}: {e}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(kinds().len() > 70);
}

#[test]
fn attach_types_belong_to_the_program_types_of_the_table() {
    requires!(kernel >= 6.18, CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN);
    // The kernel looks at the attach type at load for these alone (bpf_prog_load_check_attach).
    let looked_at = [
        ProgType::CgroupSock,
        ProgType::CgroupSockAddr,
        ProgType::CgroupSkb,
        ProgType::CgroupSockopt,
        ProgType::SkLookup,
        ProgType::SkReuseport,
        ProgType::Netfilter,
    ];
    let mut wrong = Vec::new();
    for prog in looked_at {
        for a in AttachType::ALL.iter().copied() {
            let ours = a.info().progs.contains(&prog);
            // Number 0 also stands for a program that says nothing of its attaching, which old loaders leave out.
            if a.number() == 0 && !ours {
                continue;
            }
            let theirs = accepted(prog, Some(a), 0, &returning(1)).is_ok();
            if ours != theirs {
                wrong.push(format!("{prog} {a:?}: the table says {ours}, the kernel {theirs}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn return_values_are_refused_where_the_table_says() {
    requires!(kernel >= 6.18, CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN);
    let mut wrong = Vec::new();
    for (prog, attach) in kinds() {
        let rule = prog.return_rule(attach);
        let (tried, enforced) = match rule {
            ReturnRule::Enforced(lo, hi) => ([lo - 1, lo, hi, hi + 1], true),
            ReturnRule::Usual(lo, hi) => ([lo - 1, lo, hi, hi + 1], false),
            ReturnRule::Any | ReturnRule::Hook => ([-1, 0, 1, 77], false),
        };
        for n in tried {
            let ours = !enforced || rule.allows(n.into());
            let theirs = accepted(prog, attach, flags_of(prog), &returning(n));
            if ours != theirs.is_ok() {
                wrong.push(format!("{prog} {attach:?} returning {n}: the table says {ours}, the kernel {theirs:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn size_code(size: u32) -> u8 {
    match size {
        1 => op::B,
        2 => op::H,
        4 => op::W,
        _ => op::DW,
    }
}

/// What the table leaves out on purpose: the kernel takes these for old objects' sake, or refuses them by an accident
/// of how it makes a pointer out of them.
fn excepted(prog: ProgType, f: &Field, size: u32) -> bool {
    let twice_as_wide = f.size == 2 && size == 4;
    let writable_buffer = prog == ProgType::RawTracepointWritable && f.name == "args";
    // `args` and `replylong` share their bytes with `reply`, which may be written.
    let shared = prog == ProgType::SockOps && matches!(f.name, "args" | "replylong");
    twice_as_wide || writable_buffer || shared
}

#[test]
fn context_fields_are_accessed_as_the_table_says() {
    requires!(kernel >= 6.18, CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN);
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for (prog, attach) in kinds() {
        let ContextKind::Struct(name) = prog.info().ctx else { continue };
        let context = ctx::by_name(name).expect("checked in isa");
        let end = returning(good(prog, attach));
        // Without a way of attaching the kernel takes the type's first.
        let attach_seen = attach.or_else(|| first_attach(prog));
        for f in context.fields {
            for size in [1u32, 2, 4, 8] {
                if excepted(prog, f, size) {
                    continue;
                }
                for at in (0..f.size.max(size)).step_by(size as usize) {
                    let off = (f.offset + at) as i16;
                    let read = Insn::new(op::LDX | op::MEM | size_code(size), 0, 1, off, 0);
                    let write = Insn::new(op::STX | op::MEM | size_code(size), 1, 2, off, 0);
                    let reads = accepted(prog, attach, flags_of(prog), &[read, end[0], end[1]]).is_ok();
                    let writes = accepted(prog, attach, flags_of(prog), &[mov(2, 0), write, end[0], end[1]]).is_ok();
                    tried += 2;
                    // Another member of a union may allow what this one doesn't.
                    let others = || context.fields_at(f.offset + at);
                    let we_read = others().any(|g| g.reads(prog, attach_seen, size, f.offset + at - g.offset));
                    let we_write = others().any(|g| g.writes(prog, attach_seen, size, f.offset + at - g.offset));
                    if reads != we_read {
                        wrong.push(format!(
                            "{prog} {attach:?}: reading {size} bytes of {name}.{} at {at}: the table says {we_read}",
                            f.name
                        ));
                    }
                    if writes != we_write {
                        wrong.push(format!(
                            "{prog} {attach:?}: writing {size} bytes of {name}.{} at {at}: the table says {we_write}",
                            f.name
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {tried} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried > 10_000, "{tried}");
}

/// What the kernel takes a program for that says nothing of its attaching: number 0 is also the first attach type.
fn first_attach(prog: ProgType) -> Option<AttachType> {
    match prog {
        ProgType::Xdp => Some(AttachType::Xdp),
        _ => None,
    }
}

#[test]
fn packet_pointers_are_pointers() {
    requires!(kernel >= 6.18, CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN);
    for (prog, attach) in kinds() {
        let ContextKind::Struct(name) = prog.info().ctx else { continue };
        let context = ctx::by_name(name).expect("checked in isa");
        for start in context.fields.iter().filter(|f| f.kind == FieldKind::PacketStart && f.read.contains(prog)) {
            let end = context
                .fields
                .iter()
                .find(|f| f.kind == FieldKind::PacketEnd && f.name.starts_with(start.name))
                .expect("what starts ends");
            let (size, done) = (size_code(start.size), returning(good(prog, attach)));
            let load = |r, f: &Field| Insn::new(op::LDX | op::MEM | size, r, 1, f.offset as i16, 0);
            let program = [
                load(2, start),
                load(3, end),
                copy(4, 2),
                add(4, 8),
                Insn::new(op::JMP | op::JGT | op::X, 4, 3, 1, 0),
                Insn::new(op::LDX | op::MEM | op::DW, 0, 2, 0, 0),
                done[0],
                done[1],
            ];
            assert_eq!(accepted(prog, attach, flags_of(prog), &program), Ok(()), "{prog} {attach:?} {}", start.name);
        }
    }
}

#[test]
fn every_section_name_loads_as_the_type_it_stands_for() {
    requires!(kernel >= 6.18, CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN);
    let (mut wrong, mut tried) = (Vec::new(), 0);
    let alone = kinds();
    for s in sections::SECTIONS.iter().filter(|s| alone.iter().any(|(p, _)| *p == s.prog)) {
        let mut flags = 0;
        if s.flags.contains(sections::SectionFlags::SLEEPABLE) {
            flags |= BPF_F_SLEEPABLE;
        }
        if s.flags.contains(sections::SectionFlags::FRAGS) {
            flags |= BPF_F_XDP_HAS_FRAGS;
        }
        tried += 1;
        if let Err(e) = accepted(s.prog, s.attach, flags, &returning(good(s.prog, s.attach))) {
            wrong.push(format!("{}: {e}", s.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 80, "{tried}");
}

/// A map of a type that obeys its rules, as far as sizes and flags go.
fn plain(t: MapType) -> MapCreate<'static> {
    use whistler_isa::{EntriesRule, SizeRule};
    let info = t.info();
    let size = |r: SizeRule| match r {
        SizeRule::Zero => 0,
        SizeRule::Exactly(n) => n,
        SizeRule::OneOf(sizes) => sizes[0],
        SizeRule::Range(lo, hi) => 8.clamp(lo, hi),
        SizeRule::Multiple(n, _) => n,
    };
    MapCreate {
        map_type: t.number(),
        key_size: size(info.key),
        value_size: size(info.value),
        max_entries: match info.entries {
            EntriesRule::Positive | EntriesRule::One | EntriesRule::ZeroIsCpus | EntriesRule::Pages => 1,
            EntriesRule::Zero => 0,
            EntriesRule::RingBytes => 4096,
        },
        flags: info.required_flags,
        name: "table",
        ..MapCreate::default()
    }
}

#[test]
fn maps_are_made_by_the_rules_and_not_against_them() {
    requires!(kernel >= 6.18, CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN);
    let mut wrong = Vec::new();
    let inner = MapFd::create(&plain(MapType::Array)).expect("an array");
    for t in MapType::ALL.iter().skip(1).copied() {
        let info = t.info();
        // Those of local storage and functions need types, which the loader's own tests give them.
        if info.needs_btf {
            continue;
        }
        let with_inner = |m: MapCreate<'static>| -> Result<(), String> {
            let m = MapCreate { inner: (info.holds == MapValueKind::Map).then(|| inner.as_fd()), ..m };
            MapFd::create(&m).map(drop).map_err(|e| e.to_string())
        };
        let good = plain(t);
        if let Err(e) = with_inner(good) {
            wrong.push(format!("{t}: by the rules, and refused: {e}"));
        }
        let mut against: Vec<(&str, MapCreate<'static>)> = Vec::new();
        let sizes = [0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 20, 24, 512, 513];
        for n in sizes.into_iter().filter(|n| !info.key.allows(*n)) {
            against.push(("key size", MapCreate { key_size: n, ..good }));
        }
        for n in sizes.into_iter().filter(|n| !info.value_rule(good.flags).allows(*n)) {
            against.push(("value size", MapCreate { value_size: n, ..good }));
        }
        for n in [0, 1, 2, 1000, 4096, 5000].into_iter().filter(|n| !info.entries.allows(*n, 4096)) {
            against.push(("entries", MapCreate { max_entries: n, ..good }));
        }
        for bit in (0..19).map(|b| 1u32 << b) {
            if info.required_flags & bit != 0 {
                against.push(("required flag", MapCreate { flags: good.flags & !bit, ..good }));
            } else if info.allowed_flags & bit == 0 {
                against.push(("flag", MapCreate { flags: good.flags | bit, ..good }));
            }
        }
        for (what, m) in against {
            if with_inner(m).is_ok() {
                wrong.push(format!("{t}: {what} against the rules, and taken: {m:?}"));
            }
        }
        for n in sizes.into_iter().filter(|n| info.key.allows(*n)) {
            if let Err(e) = with_inner(MapCreate { key_size: n, ..good }) {
                wrong.push(format!("{t}: a key of {n} bytes by the rules, and refused: {e}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
