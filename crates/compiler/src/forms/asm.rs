//! `(asm opcode dst src off imm)`: one instruction by its number, as an operation on a variable. Invariant: the
//! operands are variables and expressions, never the machine's registers, so that the instruction does what RFC 9669
//! says it does wherever its operands live. Where the destination is a number, as the original had it, both numbers name
//! registers that belong to the `asm` forms of a function alone: each keeps what these forms put into it. What jumps or
//! loads an address has forms of its own.

use whistler_isa::helpers::{self, Arg, ArgKind};
use whistler_isa::op;
use whistler_lisp::Form;

use super::{FormDef, form};
use crate::check::{Call, Checker, Fit, Place, Val, Want, konst};
use crate::diagnostics as diag;
use crate::hir::{At, AtomicOp, BinOp, Expr, ExprKind, IntTy, Ty, UnOp};

pub(super) static FORMS: &[FormDef] = &[form(
    "asm",
    (5, 5),
    asm,
    "(asm opcode dst src off imm)",
    "One instruction: dst is the variable it changes or the address it writes to, src what it reads; 0 where unused. \
     With a number as dst, both are numbers of registers that the function's asm forms have to themselves.",
)];

/// What the fields hold.
struct Fields<'f> {
    code: u8,
    dst: &'f Form,
    src: &'f Form,
    off: i16,
    imm: i32,
    /// Whether the operands are numbers of registers.
    numbered: bool,
}

fn asm(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let here = call.at();
    let number = |c: &mut Checker<'_>, n: usize, what: &str, lo: i128, hi: i128| {
        let v = c.const_value(&call.args[n], what)?;
        if (lo..=hi).contains(&v) {
            return Some(v);
        }
        c.malformed(&call.args[n], format!("{what} is a number from {lo} to {hi}"));
        None
    };
    let code = number(c, 0, "the opcode", 0, 255);
    let off = number(c, 3, "the offset", i16::MIN.into(), i16::MAX.into());
    let imm = number(c, 4, "the immediate", i32::MIN.into(), u32::MAX.into());
    let (Some(code), Some(off), Some(imm)) = (code, off, imm) else { return Val::error(here) };
    let (dst, src) = (&call.args[1], &call.args[2]);
    let numbered = dst.as_int().is_some();
    let f = Fields { code: code as u8, dst, src, off: off as i16, imm: imm as i32, numbered };
    match f.code & 7 {
        op::LDX | op::ST | op::STX if numbered => {
            unfit(c, &f, &here, "these registers hold numbers; the pointer's variable stands in its place")
        }
        op::JMP if numbered && f.code == op::JMP | op::CALL => helper(c, &f, here),
        op::ALU | op::ALU64 => alu(c, &f, here),
        op::LDX => load(c, &f, here),
        op::ST | op::STX => store(c, &f, here),
        _ => unfit(c, &f, &here, "it is a jump, a call or a load of an address: these have forms of their own"),
    }
}

fn unfit(c: &mut Checker<'_>, f: &Fields<'_>, here: &At, why: &str) -> Val {
    let text = format!("opcode {:#04x} with offset {} and immediate {} can't stand here: {why}", f.code, f.off, f.imm);
    c.fail(diag::error(&diag::MALFORMED, here, text))
}

/// The register that a form numbers.
fn register(c: &mut Checker<'_>, form: &Form) -> Option<Place> {
    let found = form.as_int().and_then(|n| u8::try_from(n).ok()).and_then(|n| c.f.asm_register(n));
    if found.is_none() {
        let what = match form.as_int() {
            Some(10) => "register 10 is the stack's, and not for writing; memory on the stack is (stack-addr variable)",
            _ => "a register is numbered from 0 to 9",
        };
        c.malformed(form, what);
    }
    found.map(Place::Local)
}

/// What an instruction changes.
fn destination(c: &mut Checker<'_>, f: &Fields<'_>, what: &str) -> Option<Place> {
    if f.numbered {
        return register(c, f.dst);
    }
    match c.place(f.dst)? {
        p @ Place::Local(_) => Some(p),
        _ => {
            c.malformed(f.dst, format!("the destination of {what} is a variable"));
            None
        }
    }
}

fn operand(c: &mut Checker<'_>, f: &Fields<'_>, form: &Form) -> Option<Expr> {
    let v = match f.numbered && form.as_int().is_some() {
        true => register(c, form).map(|p| c.read(p))?,
        false => c.value(form),
    };
    let v = c.number(v, "asm");
    (!v.never()).then(|| c.fit(v, &Ty::U64, Fit::Bits))
}

fn bin(op: BinOp, a: Expr, b: Expr, ty: Ty) -> Expr {
    let at = a.at.clone();
    Expr::new(ExprKind::Bin(op, Box::new(a), Box::new(b)), ty, at)
}

fn cast(e: Expr, ty: Ty, here: &At) -> Expr {
    Expr::new(ExprKind::Cast(Box::new(e)), ty, here.clone())
}

/// Arithmetic: the variable becomes the result.
fn alu(c: &mut Checker<'_>, f: &Fields<'_>, here: At) -> Val {
    let Some(place) = destination(c, f, "arithmetic") else { return Val::error(here) };
    let by_register = f.code & op::X != 0;
    let operation = f.code & 0xf0;
    let ends = operation == op::END;
    let src = if by_register && !ends && operation != op::NEG {
        operand(c, f, f.src)
    } else {
        Some(konst(f.imm.into(), &here))
    };
    let (Some(dst), Some(src)) = (operand(c, f, f.dst), src) else { return Val::error(here) };
    let wide = f.code & 7 == op::ALU64;
    match result(f, dst, src, wide, by_register, &here) {
        Some(e) => c.write(place, Val::of(e), Want::Value, here),
        None => unfit(c, f, &here, "there is no such instruction"),
    }
}

fn result(f: &Fields<'_>, dst: Expr, src: Expr, wide: bool, by_register: bool, here: &At) -> Option<Expr> {
    let (unsigned, signed) = if wide { (Ty::U64, Ty::I64) } else { (Ty::U32, Ty::Int(IntTy::I32)) };
    let cut = |e: Expr, ty: &Ty| if wide { Expr { ty: ty.clone(), ..e } } else { cast(e, ty.clone(), here) };
    let two = |op: BinOp, ty: &Ty, a: Expr, b: Expr| cast(bin(op, cut(a, ty), cut(b, ty), ty.clone()), Ty::U64, here);
    let low = |e: Expr| if wide { e } else { cast(cast(e, Ty::U32, here), Ty::U64, here) };
    let count = |e: Expr| bin(BinOp::And, e, konst(if wide { 63 } else { 31 }, here), Ty::U64);
    let plain = |op: BinOp| Some(low(two(op, &unsigned, dst.clone(), src.clone())));
    let sized = |size: u8, signed: bool| Ty::Int(IntTy { size, signed });
    if f.off != 0 && !matches!(f.code & 0xf0, op::DIV | op::MOD | op::MOV) {
        return None;
    }
    match (f.code & 0xf0, f.off) {
        (op::ADD, _) => plain(BinOp::Add),
        (op::SUB, _) => plain(BinOp::Sub),
        (op::MUL, _) => plain(BinOp::Mul),
        (op::OR, _) => plain(BinOp::Or),
        (op::AND, _) => plain(BinOp::And),
        (op::XOR, _) => plain(BinOp::Xor),
        (op::DIV, 0) => plain(BinOp::DivU),
        (op::MOD, 0) => plain(BinOp::RemU),
        (op::DIV, 1) => Some(low(two(BinOp::DivS, &signed, dst, src))),
        (op::MOD, 1) => Some(low(two(BinOp::RemS, &signed, dst, src))),
        (op::LSH, _) => Some(low(bin(BinOp::Shl, cut(dst, &unsigned), count(src), Ty::U64))),
        (op::RSH, _) => Some(low(bin(BinOp::ShrU, cut(dst, &unsigned), count(src), Ty::U64))),
        (op::ARSH, _) => Some(low(bin(BinOp::ShrS, cut(dst, &signed), count(src), Ty::U64))),
        (op::NEG, _) if !by_register => {
            Some(low(Expr::new(ExprKind::Un(UnOp::Neg, Box::new(dst)), Ty::U64, here.clone())))
        }
        (op::MOV, 0) => Some(low(src)),
        (op::MOV, 8 | 16) if by_register => {
            Some(low(cast(cast(src, sized(f.off as u8 / 8, true), here), Ty::U64, here)))
        }
        (op::MOV, 32) if by_register && wide => Some(cast(cast(src, sized(4, true), here), Ty::U64, here)),
        (op::END, _) if matches!(f.imm, 16 | 32 | 64) => {
            let size = f.imm as u8 / 8;
            let swap = wide || by_register;
            let kind = if swap { ExprKind::Bswap(size, Box::new(dst)) } else { ExprKind::Cast(Box::new(dst)) };
            // ALU64 has only the swap without a direction.
            (!(wide && by_register)).then(|| cast(Expr::new(kind, sized(size, false), here.clone()), Ty::U64, here))
        }
        _ => None,
    }
}

/// A call of a helper by its number: registers 1 to 5 are its arguments, register 0 becomes its result.
fn helper(c: &mut Checker<'_>, f: &Fields<'_>, here: At) -> Val {
    let found = u32::try_from(f.imm).ok().and_then(helpers::by_id);
    let Some(h) = found.filter(|_| f.src.as_int() == Some(0)) else {
        return unfit(c, f, &here, "there is no helper of this number");
    };
    let number = |a: &Arg| matches!(a.kind, ArgKind::Anything | ArgKind::Size | ArgKind::SizeOrZero);
    if !h.args.iter().all(number) {
        let name = h.name.replace('_', "-");
        let why = format!("`{name}` takes more than numbers, which is checked where it is called by its name");
        return unfit(c, f, &here, &why);
    }
    let mut args = Vec::new();
    for n in 1..=h.args.len() as u8 {
        let Some(r) = c.f.asm_register(n) else { return Val::error(here) };
        args.push(c.read(Place::Local(r)));
    }
    let v = super::calls::checked_helper(c, h.name, args, here.clone());
    let (false, Some(result)) = (v.never(), c.f.asm_register(0)) else { return v };
    let v = Val::of(c.fit(v, &Ty::U64, Fit::Bits));
    c.write(Place::Local(result), v, Want::Value, here)
}

fn size(code: u8) -> u8 {
    match code & 0x18 {
        op::B => 1,
        op::H => 2,
        op::W => 4,
        _ => 8,
    }
}

/// A load: the variable becomes what stands at `src + off`.
fn load(c: &mut Checker<'_>, f: &Fields<'_>, here: At) -> Val {
    let signed = match f.code & 0xe0 {
        op::MEM => false,
        op::MEMSX if size(f.code) < 8 => true,
        _ => return unfit(c, f, &here, "there is no such instruction"),
    };
    let Some(place) = destination(c, f, "a load") else { return Val::error(here) };
    let p = c.value(f.src);
    let ty = Ty::Int(IntTy { size: size(f.code), signed });
    let Some(m) = super::memory::memory(c, p, f.off.into(), ty, here.clone()) else { return Val::error(here) };
    let v = c.read(Place::Memory(m));
    let v = Val::of(c.fit(v, &Ty::U64, Fit::Bits));
    c.write(place, v, Want::Value, here)
}

/// A store to `dst + off`, atomic or not.
fn store(c: &mut Checker<'_>, f: &Fields<'_>, here: At) -> Val {
    let by_register = f.code & 7 == op::STX;
    let atomic = match f.code & 0xe0 {
        op::MEM => None,
        op::ATOMIC if by_register => match atomic(f.imm) {
            Some(a) => Some(a),
            None => {
                return unfit(
                    c,
                    f,
                    &here,
                    "the immediate names no atomic operation (compare-and-exchange is atomic-cmpxchg)",
                );
            }
        },
        _ => return unfit(c, f, &here, "there is no such instruction"),
    };
    let int = IntTy { size: size(f.code), signed: false };
    if let Some((AtomicOp::LoadAcquire, _)) = atomic {
        return unfit(c, f, &here, "a load with acquire ordering is written (load-acquire TYPE pointer offset)");
    }
    let p = c.value(f.dst);
    let v = if by_register { operand(c, f, f.src) } else { Some(konst(f.imm.into(), &here)) };
    let Some(v) = v else { return Val::error(here) };
    match atomic {
        None => match super::memory::memory(c, p, f.off.into(), Ty::Int(int), here.clone()) {
            Some(m) => c.write(Place::Memory(m), Val::of(v), Want::Effect, here),
            None => Val::error(here),
        },
        Some((op, fetch)) => {
            let Some(ptr) = super::atomic::writable(c, p, f.off.into(), int, op, &here) else {
                return Val::error(here);
            };
            let value = Box::new(cast(v, Ty::Int(int), &here));
            let kind = ExprKind::Atomic { op, mem: int, fetch, ptr: Box::new(ptr), off: f.off.into(), value };
            if !fetch {
                return Val::new(kind, Ty::Void, here);
            }
            // The old content goes where the operand came from.
            let old = Val::new(kind, Ty::Int(int), here.clone());
            match c.place(f.src) {
                Some(p @ Place::Local(_)) => c.write(p, old, Want::Value, here),
                _ => c.malformed(f.src, "what a fetching operation reads is a variable: it becomes the old content"),
            }
        }
    }
}

fn atomic(imm: i32) -> Option<(AtomicOp, bool)> {
    let fetch = imm & op::FETCH != 0;
    Some(match imm & !op::FETCH {
        n if n == i32::from(op::ADD) => (AtomicOp::Add, fetch),
        n if n == i32::from(op::AND) => (AtomicOp::And, fetch),
        n if n == i32::from(op::OR) => (AtomicOp::Or, fetch),
        n if n == i32::from(op::XOR) => (AtomicOp::Xor, fetch),
        _ if imm == op::XCHG => (AtomicOp::Xchg, true),
        _ if imm == op::LOAD_ACQ => (AtomicOp::LoadAcquire, true),
        _ if imm == op::STORE_REL => (AtomicOp::StoreRelease, false),
        _ => return None,
    })
}
