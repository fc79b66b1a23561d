//! Assembler and disassembler against each other.

use super::*;
use crate::disasm;

/// Every instruction of RFC 9669 (and of the kernel since), with corner values in its fields.
fn all_valid() -> Vec<Vec<Insn>> {
    let mut all = Vec::new();
    let imms = [0, 1, -1, i32::MIN, i32::MAX, 0x1234];
    let offs = [0i16, 1, -1, i16::MIN, i16::MAX];
    let regs = [(0, 10), (10, 0), (3, 3)];
    for class in [op::ALU, op::ALU64] {
        for (code, _) in ALU_SIGNS {
            for (d, s) in regs {
                all.push(vec![Insn::new(class | code | op::X, d, s, 0, 0)]);
                all.extend(imms.map(|i| vec![Insn::new(class | code, d, 0, 0, i)]));
                if matches!(code, op::DIV | op::MOD) {
                    all.push(vec![Insn::new(class | code | op::X, d, s, 1, 0)]);
                    all.extend(imms.map(|i| vec![Insn::new(class | code, d, 0, 1, i)]));
                }
            }
        }
        for bits in [8, 16, 32] {
            all.push(vec![Insn::new(class | op::MOV | op::X, 1, 2, bits, 0)]);
        }
        all.push(vec![Insn::new(class | op::NEG, 4, 0, 0, 0)]);
    }
    all.push(vec![Insn::new(op::ALU64 | op::MOV | op::X, 1, 2, 1, 1 << 16)]);
    all.push(vec![Insn::new(op::ALU64 | op::MOV | op::X, 1, 2, 1, 1)]);
    for bits in [16, 32, 64] {
        for code in [op::ALU | op::END, op::ALU | op::END | op::X, op::ALU64 | op::END] {
            all.push(vec![Insn::new(code, 5, 0, 0, bits)]);
        }
    }
    for class in [op::JMP, op::JMP32] {
        for (code, _) in JMP_SIGNS {
            for off in offs {
                all.push(vec![Insn::new(class | code | op::X, 1, 2, off, 0)]);
                all.extend(imms.map(|i| vec![Insn::new(class | code, 1, 0, off, i)]));
            }
        }
    }
    for off in offs {
        all.push(vec![Insn::new(op::JMP | op::JA, 0, 0, off, 0)]);
        all.push(vec![Insn::new(op::JMP | op::JCOND, 0, 0, off, 0)]);
    }
    for imm in imms {
        all.push(vec![Insn::new(op::JMP32 | op::JA, 0, 0, 0, imm)]);
        for src in 0..3 {
            all.push(vec![Insn::new(op::JMP | op::CALL, 0, src, 0, imm)]);
        }
        for src in 0..7 {
            let high = u64::from(matches!(src, 0 | 2 | 3 | 6)) * 0x8765_4321;
            all.push(Insn::ld_imm64(7, src, u64::from(imm as u32) | (high << 32)).to_vec());
        }
        for w in [op::B, op::H, op::W] {
            all.push(vec![Insn::new(op::LD | op::ABS | w, 0, 0, 0, imm)]);
            all.push(vec![Insn::new(op::LD | op::IND | w, 0, 6, 0, imm)]);
        }
    }
    all.push(vec![Insn::new(op::JMP | op::CALL, 0, 2, 3, 77)]);
    all.extend(helpers::HELPERS.iter().map(|h| vec![Insn::new(op::JMP | op::CALL, 0, 0, 0, h.id as i32)]));
    all.push(vec![Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0)]);
    for (w, ..) in WIDTHS {
        for off in offs {
            all.push(vec![Insn::new(op::LDX | op::MEM | w, 1, 2, off, 0)]);
            all.push(vec![Insn::new(op::STX | op::MEM | w, 1, 2, off, 0)]);
            all.extend(imms.map(|i| vec![Insn::new(op::ST | op::MEM | w, 1, 0, off, i)]));
            if w != op::DW {
                all.push(vec![Insn::new(op::LDX | op::MEMSX | w, 1, 2, off, 0)]);
            }
            for imm in [op::LOAD_ACQ, op::STORE_REL] {
                all.push(vec![Insn::new(op::STX | op::ATOMIC | w, 1, 2, off, imm)]);
            }
        }
    }
    for w in [op::W, op::DW] {
        for (code, ..) in ATOMICS {
            for fetch in [0, op::FETCH] {
                all.push(vec![Insn::new(op::STX | op::ATOMIC | w, 1, 2, -8, i32::from(code) | fetch)]);
            }
        }
        for imm in [op::XCHG, op::CMPXCHG] {
            all.push(vec![Insn::new(op::STX | op::ATOMIC | w, 1, 2, -8, imm)]);
        }
    }
    all
}

#[test]
fn every_instruction_goes_there_and_back_as_itself() {
    for insns in all_valid() {
        let text = disasm::one(insns[0], insns.get(1).copied());
        assert!(!text.starts_with(".slot"), "{insns:?} has no text");
        assert_eq!(line(&text).as_deref(), Ok(&insns[..]), "{text}");
    }
}

#[test]
fn every_slot_goes_there_and_back() {
    // A fixed sequence of pseudo-random slots (splitmix64), most of them senseless.
    let mut x = 7u64;
    for _ in 0..200_000 {
        x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = x;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let slot = Insn::from_bytes((z ^ (z >> 31)).to_le_bytes());
        let text = disasm::one(slot, None);
        assert_eq!(line(&text).as_deref(), Ok(&[slot][..]), "{text}");
    }
}

#[test]
fn the_kernels_style() {
    let cases: &[(&str, &[Insn])] = &[
        ("r1 = *(u32 *)(r2 +16)", &[Insn::new(0x61, 1, 2, 16, 0)]),
        ("r0 = *(s8 *)(r10 -1)", &[Insn::new(0x91, 0, 10, -1, 0)]),
        ("if r1 > 0x8 goto +5", &[Insn::new(0x25, 1, 0, 5, 8)]),
        ("if w1 s<= w2 goto -3", &[Insn::new(0xde, 1, 2, -3, 0)]),
        ("w0 = 2", &[Insn::new(0xb4, 0, 0, 0, 2)]),
        ("r0 s/= r1", &[Insn::new(0x3f, 0, 1, 1, 0)]),
        ("r3 s>>= 7", &[Insn::new(0xc7, 3, 0, 0, 7)]),
        ("lock *(u64 *)(r1 +0) += r2", &[Insn::new(0xdb, 1, 2, 0, 0)]),
        ("r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)", &[Insn::new(0xdb, 1, 2, 0, 1)]),
        ("r0 = atomic_cmpxchg((u32 *)(r1 +4), r0, r2)", &[Insn::new(0xc3, 1, 2, 4, 0xf1)]),
        ("r1 = load_acquire((u8 *)(r2 +0))", &[Insn::new(0xd3, 1, 2, 0, 0x100)]),
        ("call bpf_map_lookup_elem#1", &[Insn::new(0x85, 0, 0, 0, 1)]),
        ("r1 = 0x1122334455667788 ll", &Insn::ld_imm64(1, 0, 0x1122_3344_5566_7788)),
        ("r1 = map[fd:3][0]+8", &Insn::ld_imm64(1, 2, (8 << 32) | 3)),
        ("r2 = be16 r2", &[Insn::new(0xdc, 2, 0, 0, 16)]),
        ("gotol +100000", &[Insn::new(0x06, 0, 0, 0, 100_000)]),
        ("exit", &[Insn::new(0x95, 0, 0, 0, 0)]),
    ];
    for (text, insns) in cases {
        assert_eq!(line(text).as_deref(), Ok(*insns), "{text}");
        assert_eq!(disasm::one(insns[0], insns.get(1).copied()), *text);
    }
}

#[test]
fn programs_with_labels() {
    let source = "
        r1 = 0x10 ll        ; two slots
        r0 = 0
    again:
        r0 += 1
        if r0 < r1 goto again
        call sub
        exit
    sub: r0 = 7 // its own
        exit";
    let insns = program(source).unwrap();
    assert_eq!(insns.len(), 9);
    assert_eq!((insns[4].off, insns[5].imm), (-2, 1));
    let text = disasm::program(&insns);
    assert!(text.contains("goto -2 <L3>\n") && text.contains("L7:\n"), "{text}");
    assert_eq!(program(&text).unwrap(), insns);
}

#[test]
fn errors_say_where_and_what() {
    for (text, message) in [
        ("r0 = 1\nr1 ?= 2", "line 2: expected an operation at `?= 2`"),
        ("goto nowhere", "line 1: the label `nowhere` is nowhere"),
        ("r0 = 0x1ffffffff", "line 1: 8589934591 does not fit into 32 bits; write `8589934591 ll`"),
        ("a:\na:\n", "line 2: the label `a` is here twice"),
        ("r1 = *(u24 *)(r2 +0)", "line 1: `u24` is no width of memory"),
        ("exit now", "line 1: expected the end of the line at `now`"),
    ] {
        assert_eq!(program(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn mangled_text_is_an_error_or_a_program() {
    let texts: Vec<String> = all_valid().iter().map(|i| disasm::one(i[0], i.get(1).copied())).collect();
    let mut x = 99u64;
    let mut random = |below: usize| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x >> 11) as usize % below
    };
    let marks: Vec<char> = "rw0189+-*()[]=<>s:;#,.xé\0 \n".chars().collect();
    for _ in 0..100_000 {
        let mut text: Vec<char> = texts[random(texts.len())].chars().collect();
        for _ in 0..=random(3) {
            let at = random(text.len());
            match random(3) {
                0 => text[at] = marks[random(marks.len())],
                1 => text.insert(at, marks[random(marks.len())]),
                _ if text.len() > 1 => drop(text.remove(at)),
                _ => {}
            }
        }
        let text: String = text.into_iter().collect();
        if let Ok(insns) = program(&text) {
            assert_eq!(program(&disasm::program(&insns)), Ok(insns), "{text}");
        }
    }
    assert_eq!(program("goto +18446744073709551615").unwrap_err().message, "18446744073709551615 is too far");
}
