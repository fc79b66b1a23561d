//! Which maps a helper takes, asked of the running kernel: a program for each pair of helper and type of map.

use std::os::fd::{AsFd, AsRawFd};

use whistler_btf::BtfBuilder;
use whistler_isa::{ArgKind, HELPERS, Helper, Insn, MapType, MemSize, ProgType, SizeRule, op};
use whistler_sys::bpf::{BtfLoad, MapBtf, MapCreate, MapFd, ProgLoad};

/// Bytes of the stack that are zeroed for what helpers are given.
const BYTES: i32 = 64;

fn imm(code: u8, dst: u8, n: i32) -> Insn {
    Insn::new(code, dst, 0, 0, n)
}

/// A program that calls the helper with this map and else with what the verifier lets pass; `None` where that takes
/// more than constants.
fn program(h: &Helper, map: i32) -> Option<Vec<Insn>> {
    let mut insns = vec![Insn::new(op::ALU64 | op::MOV | op::X, 6, 1, 0, 0)];
    for at in (0..BYTES).step_by(8) {
        insns.push(Insn::new(op::ST | op::MEM | op::DW, 10, 0, (at - BYTES) as i16, 0));
    }
    for (i, a) in h.args.iter().enumerate() {
        let r = i as u8 + 1;
        match a.kind {
            _ if a.nullable => insns.push(imm(op::ALU64 | op::MOV | op::K, r, 0)),
            ArgKind::ConstMap => {
                // BPF_PSEUDO_MAP_FD
                insns.push(Insn::new(op::LD | op::IMM | op::DW, r, 1, 0, map));
                insns.push(Insn::new(0, 0, 0, 0, 0));
            }
            ArgKind::Ctx => insns.push(Insn::new(op::ALU64 | op::MOV | op::X, r, 6, 0, 0)),
            ArgKind::MapKey
            | ArgKind::MapValue
            | ArgKind::MapValueOut
            | ArgKind::Mem(_, MemSize::Next | MemSize::Fixed(_)) => {
                insns.push(Insn::new(op::ALU64 | op::MOV | op::X, r, 10, 0, 0));
                insns.push(imm(op::ALU64 | op::ADD | op::K, r, -BYTES));
            }
            ArgKind::Size | ArgKind::SizeOrZero => insns.push(imm(op::ALU64 | op::MOV | op::K, r, 24)),
            ArgKind::AllocSize => insns.push(imm(op::ALU64 | op::MOV | op::K, r, 8)),
            ArgKind::Anything => insns.push(imm(op::ALU64 | op::MOV | op::K, r, 0)),
            _ => return None,
        }
    }
    insns.push(imm(op::JMP | op::CALL, 0, h.id as i32));
    insns.push(imm(op::ALU64 | op::MOV | op::K, 0, 0));
    insns.push(Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0));
    Some(insns)
}

fn size(rule: SizeRule) -> u32 {
    match rule {
        SizeRule::Zero => 0,
        SizeRule::Exactly(n) => n,
        SizeRule::OneOf(sizes) => sizes.first().copied().unwrap_or(4),
        SizeRule::Range(lo, _) => lo.max(4),
        SizeRule::Multiple(of, _) => of,
    }
}

/// A map of a type; `None` for types that take more than sizes.
fn map(t: MapType, inner: &MapFd, btf: Option<MapBtf<'_>>) -> Option<MapFd> {
    let info = t.info();
    let max_entries = match t {
        MapType::Ringbuf | MapType::UserRingbuf => 4096,
        MapType::Unspec | MapType::StructOps | MapType::Arena => return None,
        _ if info.entries.allows(0, 4096) && !info.entries.allows(1, 4096) => 0,
        _ => 1,
    };
    let create = MapCreate {
        map_type: t.number(),
        key_size: size(info.key),
        value_size: size(info.value),
        max_entries,
        flags: info.required_flags,
        name: "pair",
        inner: matches!(t, MapType::ArrayOfMaps | MapType::HashOfMaps).then(|| inner.as_fd()),
        btf: btf.filter(|_| info.needs_btf),
        kernel_value: None,
        extra: 0,
    };
    MapFd::create(&create).ok()
}

#[test]
fn the_kernel_takes_the_pairs_of_the_table_and_no_other() {
    let plain =
        MapCreate { map_type: 2, key_size: 4, value_size: 4, max_entries: 1, name: "inner", ..MapCreate::default() };
    let inner = match MapFd::create(&plain) {
        Ok(m) => m,
        Err(e) if std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_some() => panic!("needs maps: {e}"),
        Err(e) => return eprintln!("skipped: needs maps: {e}"),
    };
    let mut types = BtfBuilder::new();
    let int = types.int("int", 4, 1).0;
    let btf = BtfLoad { data: &types.to_bytes(), ..BtfLoad::default() }.load().expect("an int is sound BTF");
    let btf = MapBtf { btf: btf.fd.as_fd(), key: int, value: int };
    let maps: Vec<(MapType, MapFd)> =
        MapType::ALL.iter().filter_map(|t| Some((*t, map(*t, &inner, Some(btf))?))).collect();
    assert!(maps.len() >= 25, "only {:?}", maps.iter().map(|(t, _)| t.keyword()).collect::<Vec<_>>());
    // Types of program that load without more than their instructions.
    let simple = [
        ProgType::SchedCls,
        ProgType::Xdp,
        ProgType::Kprobe,
        ProgType::SockOps,
        ProgType::SkSkb,
        ProgType::SkMsg,
        ProgType::SkReuseport,
        ProgType::CgroupSkb,
    ];
    let (mut pairs, mut helpers, mut wrong) = (0, 0, Vec::new());
    for h in HELPERS {
        let Some(taken) = h.map_types() else { continue };
        let Some(prog) = simple.into_iter().find(|p| h.progs.contains(*p)) else { continue };
        let mut asked = 0;
        for (t, fd) in &maps {
            let Some(insns) = program(h, fd.as_fd().as_raw_fd()) else { continue };
            let load = ProgLoad {
                prog_type: prog.number(),
                insns: &Insn::encode_all(&insns),
                license: c"GPL",
                name: "pair",
                log_level: 1,
                log_size: 1 << 16,
                ..ProgLoad::default()
            };
            let (loaded, log) = match load.load() {
                Ok(_) => (true, String::new()),
                Err(e) => (false, e.log),
            };
            let refused = log.contains("cannot pass map_type");
            if !loaded && !refused {
                // What the arguments lack is no answer.
                continue;
            }
            asked += 1;
            if taken.contains(t) == refused {
                wrong.push(format!(
                    "{} with :{} in :{}: {}",
                    h.name,
                    t.keyword(),
                    prog.keyword(),
                    if refused { "refused" } else { "taken" }
                ));
            }
        }
        pairs += asked;
        helpers += usize::from(asked > 0);
        eprintln!("{}: {asked} of {} types", h.name, maps.len());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(helpers >= 25 && pairs >= 600, "{helpers} helpers, {pairs} pairs");
}
