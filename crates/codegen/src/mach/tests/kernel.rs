//! The same functions in the running kernel, as syscall programs: its verifier must take them, and
//! they must leave the same context.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::OnceLock;

use whistler_isa::{Insn, IsaLevel};
use whistler_sys::MapFd;
use whistler_sys::bpf::{MapCreate, ProgLoad, TestRun};

use super::random::{self, Rng};
use super::{TARGETS, cases, context, expected, link, listing};
use crate::code::{Code, OptLevel};
use crate::ir::{BinOp, Cc, FunctionBuilder, Module, Size, Space, SymKind, Ty, Width};

/// BPF_PROG_TYPE_SYSCALL, which only runs sleepable.
const SYSCALL: u32 = 31;
const SLEEPABLE: u32 = 1 << 4;

/// A loaded program, or the verifier's words.
pub(super) fn load(code: &[Insn], prog_type: u32) -> Result<whistler_sys::bpf::Loaded, String> {
    let bytes = Insn::encode_all(code);
    let mut load = ProgLoad {
        prog_type,
        flags: if prog_type == SYSCALL { SLEEPABLE } else { 0 },
        insns: &bytes,
        license: c"GPL",
        name: "codegen",
        ..ProgLoad::default()
    };
    if let Ok(loaded) = load.load() {
        return Ok(loaded);
    }
    (load.log_level, load.log_size) = (1, 1 << 22);
    load.load().map_err(|e| format!("{:?}\n{}", e.error, e.log))
}

/// Whether programs can be loaded here; where they must be, that they can't is a failure.
pub(super) fn has_kernel() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let exit = [Insn::new(0xb7, 0, 0, 0, 0), Insn::new(0x95, 0, 0, 0, 0)];
        let loaded = load(&exit, SYSCALL);
        if let Err(e) = &loaded {
            assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "programs can't be loaded: {e}");
            println!("skipped: programs can't be loaded here ({})", e.lines().next().unwrap_or_default());
        }
        loaded.is_ok()
    })
}

/// Makes the module's maps (a global is an array of one entry) and loads its functions.
pub(super) fn load_module(module: &Module, codes: &[Code], prog_type: u32) -> Result<Vec<MapFd>, String> {
    let mut maps = Vec::new();
    for sym in &module.syms {
        let (map_type, key_size, value_size, max_entries) = match &sym.kind {
            SymKind::Map(m) => (m.map_type, m.key_size, m.value_size, m.max_entries),
            SymKind::Global { size, .. } => (2, 4, *size, 1),
            SymKind::Function | SymKind::Kfunc => continue,
        };
        let request = MapCreate { map_type, key_size, value_size, max_entries, ..MapCreate::default() };
        maps.push(MapFd::create(&request).map_err(|e| format!("{}: {e:?}", sym.name))?);
    }
    let [code] = codes else { return Err("one function at a time".into()) };
    let mut insns = code.insns.clone();
    for s in &code.syms {
        let at = s.insn as usize;
        insns[at].imm = maps[s.sym.index()].as_fd().as_raw_fd();
        insns[at + 1].imm = s.offset;
    }
    load(&insns, prog_type)?;
    Ok(maps)
}

fn in_kernel(code: &[Insn], contexts: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, String> {
    let loaded = load(code, SYSCALL)?;
    let run = |ctx: &Vec<u8>| {
        let run = TestRun {
            prog: loaded.fd.as_fd(),
            data_in: &[],
            data_out_len: 0,
            ctx_in: ctx,
            ctx_out_len: 0,
            repeat: 0,
            flags: 0,
            cpu: 0,
        };
        run.run().map(|out| out.ctx_out).map_err(|e| format!("{e:?}"))
    };
    contexts.iter().map(run).collect()
}

#[test]
fn the_kernel_takes_random_functions_and_runs_them_alike() {
    if !has_kernel() {
        return;
    }
    let mut too_complex = 0;
    for seed in 1..=cases(150) {
        for target in &TARGETS {
            for opt in [OptLevel::None, OptLevel::Full] {
                let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
                let original = random::module(&mut rng, target.isa >= IsaLevel::V3);
                let mut module = original.clone();
                let codes = crate::compile(&mut module, target, opt).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
                let code = link(&module, &codes);
                let contexts: Vec<_> = (0..3).map(|_| context(&mut rng)).collect();
                let wanted: Vec<_> = contexts.iter().map(|c| expected(&original, c).unwrap()).collect();
                let got = in_kernel(&code, &contexts);
                if got.as_ref().is_err_and(|e| e.contains("BPF program is too large")) {
                    too_complex += 1;
                    continue;
                }
                assert!(
                    got.as_ref() == Ok(&wanted),
                    "seed {seed}, {target:?}, {opt:?}:\n{}\n{}\ngot {got:?}\nnot {wanted:?}",
                    got.as_ref().err().map_or("", |e| e),
                    listing(&code),
                );
            }
        }
    }
    println!("{too_complex} were too complex for the verifier");
    assert!(too_complex < 20, "{too_complex}");
}

/// The far jump of level 4 is what the kernel takes it for.
#[test]
fn the_kernel_jumps_far() {
    if !has_kernel() {
        return;
    }
    let (mut b, p) = FunctionBuilder::new("far", &[Ty::Ptr(Space::Ctx)]);
    let (x, n) = (b.load(Size::B8, false, p[0], 0), b.iconst(5));
    let var = b.declare_var(Ty::Int, None);
    b.def_var(var, x);
    let (then, done) = (b.create_block(), b.create_block());
    let c = b.cmp(Cc::Ugt, x, n);
    b.branch(c, then, done);
    b.switch_to(then);
    let mut v = x;
    for n in 0..40_000 {
        let k = b.iconst(n | 1);
        v = b.bin(if n % 2 == 0 { BinOp::Mul } else { BinOp::Add }, Width::W64, v, k);
    }
    b.def_var(var, v);
    b.jump(done, &[]);
    b.seal(then);
    b.seal(done);
    b.switch_to(done);
    let r = b.use_var(var);
    b.store(Size::B8, p[0], 8, r);
    b.ret(r);
    let mut module = Module { functions: vec![b.finish()], syms: Vec::new() };
    let codes = crate::compile(&mut module, &TARGETS[4], OptLevel::Full).unwrap();
    assert!(codes[0].insns.iter().any(|i| i.code == 0x06), "no far jump in it");
    let context = |x: u64| [x.to_le_bytes(), [0; 8]].concat();
    let outs = in_kernel(&codes[0].insns, &[context(5), context(6)]).unwrap();
    let want = (0..40_000u64).fold(6u64, |v, n| if n % 2 == 0 { v.wrapping_mul(n | 1) } else { v.wrapping_add(n | 1) });
    assert_eq!(outs[0][8..], 5u64.to_le_bytes());
    assert_eq!(outs[1][8..], want.to_le_bytes());
}
