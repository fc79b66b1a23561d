//! Structs as C lays them out: random ones are written in both languages, compiled by clang and by us, and their sizes
//! and the bit offsets of all members, as the objects' BTF tells them, must agree.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use support::{Scratch, can_use_kernel, run, tool, whistler};
use whistler_btf::{Btf, Kind, TypeKind};

/// Structs that are compared.
const COUNT: usize = 400;

/// Names here, in C, bits; `true` where bit-fields may be of it.
const SCALARS: [(&str, &str, u32, bool); 10] = [
    ("u8", "unsigned char", 8, true),
    ("u16", "unsigned short", 16, true),
    ("u32", "unsigned int", 32, true),
    ("u64", "unsigned long long", 64, true),
    ("i8", "signed char", 8, true),
    ("i16", "short", 16, true),
    ("i32", "int", 32, true),
    ("i64", "long long", 64, true),
    ("bool", "_Bool", 8, false),
    ("colour", "enum colour", 32, true),
];

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % below
    }
}

/// The structs in Lisp and in C.
fn sources() -> (String, String) {
    let mut dice = Dice(7);
    let mut lisp = String::from("(defenum colour :red :green (:blue 9))\n");
    let mut c = String::from("enum colour { COLOUR_RED, COLOUR_GREEN, COLOUR_BLUE = 9 };\n");
    for n in 0..COUNT {
        let (packed, align) = (dice.roll(4) == 0, [0, 0, 0, 4, 8, 16][dice.roll(6) as usize]);
        let union = dice.roll(6) == 0;
        let (mut ours, mut theirs) = (String::new(), String::new());
        for f in 0..=dice.roll(9) {
            let (name, of, bits, fields) = SCALARS[dice.roll(10) as usize];
            let (a, b) = match dice.roll(8) {
                0..=3 if fields => {
                    let width = 1 + dice.roll(bits);
                    (format!("(bits {name} {width})"), format!("{of} f{f} : {width}"))
                }
                4 => {
                    let len = 1 + dice.roll(5);
                    (format!("(array {name} {len})"), format!("{of} f{f}[{len}]"))
                }
                5 if n > 0 => {
                    let inner = dice.roll(n as u32);
                    let kind = if lisp.contains(&format!("(defunion rec{inner} ")) { "union" } else { "struct" };
                    (format!("rec{inner}"), format!("{kind} rec{inner} f{f}"))
                }
                _ => (name.to_string(), format!("{of} f{f}")),
            };
            let _ = write!(ours, " (f{f} {a})");
            let _ = write!(theirs, " {b};");
        }
        if union {
            let _ = writeln!(lisp, "(defunion rec{n}{ours})");
            let _ = writeln!(c, "union rec{n} {{{theirs} }} v{n};");
            continue;
        }
        let (mut options, mut attributes) = (String::new(), String::new());
        if packed {
            options.push_str(" :packed");
            attributes.push_str(" __attribute__((packed))");
        }
        if align > 0 {
            let _ = write!(options, " :align {align}");
            let _ = write!(attributes, " __attribute__((aligned({align})))");
        }
        let _ = writeln!(lisp, "(defstruct (rec{n}{options}){ours})");
        let _ = writeln!(c, "struct rec{n} {{{theirs} }}{attributes}; struct rec{n} v{n};");
    }
    for n in 0..COUNT {
        let _ = writeln!(lisp, "(defmap m{n} :type :hash :key u32 :value rec{n} :max-entries 1)");
    }
    lisp.push_str("(defprog main (:type :xdp) XDP_PASS)\n");
    (lisp, c)
}

type Layout = (u32, Vec<(String, u32, u32)>);

/// Size, and name, bit offset and width in bits (of bit-fields) of the members, of every struct and union `recN`.
fn layouts(what: &str, object: &Path) -> BTreeMap<String, Layout> {
    let object = whistler_object::elf::read(&std::fs::read(object).expect("an object")).expect("an object");
    let btf = Btf::parse(object.btf).expect("types");
    let mut out = BTreeMap::new();
    for n in 0..COUNT {
        let name = format!("rec{n}");
        let id = btf.find(&name, TypeKind::Struct).ok().flatten().or(btf.find(&name, TypeKind::Union).ok().flatten());
        let id = id.unwrap_or_else(|| panic!("no {name} in {what}"));
        let ty = btf.ty(id).expect("a type");
        let (Kind::Struct(s) | Kind::Union(s)) = ty.get() else { panic!("{name} is no struct") };
        let members = s.members().map(|m| (m.name.to_string(), m.bit_offset, u32::from(m.bits))).collect();
        out.insert(name, (btf.size_of(id).expect("a size"), members));
    }
    out
}

#[test]
fn structs_lie_as_clang_lays_them_out() {
    if !can_use_kernel(&["clang-22"]) {
        return;
    }
    let scratch = Scratch::new();
    let (lisp, c) = sources();
    let (ours, theirs) = (scratch.path().join("ours.o"), scratch.path().join("theirs.o"));
    let file = scratch.file("structs.lisp", &lisp);
    run(&mut whistler(["compile", text(&file), "-o", text(&ours)])).ok();
    let file = scratch.file("structs.c", &c);
    tool(&format!("clang-22 -g -O2 -target bpf -c {} -o {}", text(&file), text(&theirs)));
    let (ours, theirs) = (layouts("ours", &ours), layouts("clang", &theirs));
    let line =
        |n: &str| lisp.lines().find(|l| l.contains(&format!(" ({n}")) || l.contains(&format!(" {n} "))).unwrap_or("");
    let differ: Vec<String> = theirs
        .iter()
        .filter(|(name, layout)| ours.get(*name) != Some(layout))
        .map(|(name, layout)| format!("{}\n  clang {layout:?}\n  ours  {:?}", line(name), ours[name]))
        .collect();
    assert!(differ.is_empty(), "{} of {COUNT}:\n{}", differ.len(), differ[..differ.len().min(8)].join("\n"));
}

fn text(p: &Path) -> &str {
    p.to_str().expect("a name of ours")
}
