//! The IR as text. Invariant: what is printed here, [`parse`](super::parse()) reads back to the same
//! module; printing that again gives the same text.

use std::fmt::{self, Display, Formatter};

use super::{
    AtomicOp, BinOp, Callee, Cc, Function, InstData, Module, Op, Size, Space, SrcLoc, SymData, SymKind, Target,
    Terminator, Ty, UnOp, Value, Width,
};

/// The words of the text form, for printing and parsing alike.
pub(super) const BIN_OPS: [(BinOp, &str); 13] = [
    (BinOp::Add, "add"),
    (BinOp::Sub, "sub"),
    (BinOp::Mul, "mul"),
    (BinOp::UDiv, "udiv"),
    (BinOp::SDiv, "sdiv"),
    (BinOp::UMod, "umod"),
    (BinOp::SMod, "smod"),
    (BinOp::And, "and"),
    (BinOp::Or, "or"),
    (BinOp::Xor, "xor"),
    (BinOp::Shl, "shl"),
    (BinOp::LShr, "lshr"),
    (BinOp::AShr, "ashr"),
];

pub(super) const CCS: [(Cc, &str); 11] = [
    (Cc::Eq, "eq"),
    (Cc::Ne, "ne"),
    (Cc::Ult, "ult"),
    (Cc::Ule, "ule"),
    (Cc::Ugt, "ugt"),
    (Cc::Uge, "uge"),
    (Cc::Slt, "slt"),
    (Cc::Sle, "sle"),
    (Cc::Sgt, "sgt"),
    (Cc::Sge, "sge"),
    (Cc::Test, "test"),
];

pub(super) const ATOMIC_OPS: [(AtomicOp, &str); 7] = [
    (AtomicOp::Add, "add"),
    (AtomicOp::And, "and"),
    (AtomicOp::Or, "or"),
    (AtomicOp::Xor, "xor"),
    (AtomicOp::Xchg, "xchg"),
    (AtomicOp::LoadAcquire, "acquire"),
    (AtomicOp::StoreRelease, "release"),
];

pub(super) const SPACES: [(Space, &str); 10] = [
    (Space::Ctx, "ctx"),
    (Space::Stack, "stack"),
    (Space::MapValue, "map_value"),
    (Space::Packet, "packet"),
    (Space::PacketEnd, "packet_end"),
    (Space::Mem, "mem"),
    (Space::Global, "global"),
    (Space::Map, "map"),
    (Space::Btf, "btf"),
    (Space::Other, "other"),
];

/// The word for something in one of the tables above.
fn word<T: PartialEq>(table: &[(T, &'static str)], what: &T) -> &'static str {
    table.iter().find(|(t, _)| t == what).map_or("?", |(_, w)| w)
}

impl Display for Ty {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Ty::Int => f.write_str("int"),
            Ty::Ptr(s) => write!(f, "ptr({})", word(&SPACES, s)),
        }
    }
}

impl Display for BinOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(word(&BIN_OPS, self))
    }
}

impl Display for Cc {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(word(&CCS, self))
    }
}

impl Display for Width {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Width::W32 => "32",
            Width::W64 => "64",
        })
    }
}

/// A name, in quotes when it is no plain word.
struct Name<'a>(&'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
        if !self.0.is_empty() && self.0.chars().all(plain) {
            return f.write_str(self.0);
        }
        Quoted(self.0).fmt(f)
    }
}

/// A name in quotes.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

impl Display for Module {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (n, s) in self.syms.iter().enumerate() {
            writeln!(f, "sym{n} = {s}")?;
        }
        for (n, function) in self.functions.iter().enumerate() {
            if n > 0 || !self.syms.is_empty() {
                writeln!(f)?;
            }
            write!(f, "{function}")?;
        }
        Ok(())
    }
}

impl Display for SymData {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = Name(&self.name);
        match &self.kind {
            SymKind::Map(m) => {
                let (ty, key, value, entries) = (m.map_type, m.key_size, m.value_size, m.max_entries);
                write!(f, "map {name} type {ty} key {key} value {value} entries {entries}")
            }
            SymKind::Global { size, writable } => {
                write!(f, "global {name} size {size} {}", if *writable { "rw" } else { "ro" })
            }
            SymKind::Function => write!(f, "func {name}"),
            SymKind::Kfunc => write!(f, "kfunc {name}"),
        }
    }
}

impl Display for Function {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "func {} {{", Name(&self.name))?;
        for (n, s) in self.slots.iter().enumerate() {
            write!(f, "    slot{n} = {}", s.size)?;
            if let Some(name) = &s.name {
                write!(f, " {}", Quoted(name))?;
            }
            writeln!(f)?;
        }
        for (n, block) in self.blocks.iter().enumerate() {
            write!(f, "block{n}")?;
            for (n, p) in block.params.iter().enumerate() {
                write!(f, "{}{}", if n == 0 { "(" } else { ", " }, Def(self, *p))?;
            }
            writeln!(f, "{}:", if block.params.is_empty() { "" } else { ")" })?;
            for i in &block.insts {
                let inst = &self.insts[i.index()];
                writeln!(f, "    {}{}", InstText(self, inst), At(inst.loc))?;
            }
            writeln!(f, "    {}{}", block.term, At(block.term_loc))?;
        }
        writeln!(f, "}}")
    }
}

/// A value where it is defined: `v3:ptr(packet) "name"`.
struct Def<'a>(&'a Function, Value);

impl Display for Def<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let data = &self.0.values[self.1.index()];
        write!(f, "{}", self.1)?;
        if data.ty != Ty::Int {
            write!(f, ":{}", data.ty)?;
        }
        match &data.name {
            Some(name) => write!(f, " {}", Quoted(name)),
            None => Ok(()),
        }
    }
}

struct InstText<'a>(&'a Function, &'a InstData);

impl Display for InstText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(v) = self.1.result {
            write!(f, "{} = ", Def(self.0, v))?;
        }
        write!(f, "{}", self.1.op)
    }
}

struct At(SrcLoc);

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 == SrcLoc::NONE { Ok(()) } else { write!(f, " @{}", self.0.0) }
    }
}

/// An address: `v3+4`.
struct Addr(Value, i32);

impl Display for Addr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:+}", self.0, self.1)
    }
}

/// Values between commas.
struct List<'a>(&'a [Value]);

impl Display for List<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (n, v) in self.0.iter().enumerate() {
            write!(f, "{}{v}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn access(size: Size, signed: bool) -> String {
    format!("{}{}", if signed { 's' } else { 'u' }, size.bits())
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Op::Const(n) => write!(f, "const {n}"),
            Op::Bin(op, w, a, b) => write!(f, "{op}.{w} {a}, {b}"),
            Op::Un(UnOp::Neg, a) => write!(f, "neg {a}"),
            Op::Un(UnOp::Zext(s), a) => write!(f, "zext.{} {a}", s.bits()),
            Op::Un(UnOp::Sext(s), a) => write!(f, "sext.{} {a}", s.bits()),
            Op::Un(UnOp::Bswap(s), a) => write!(f, "bswap.{} {a}", s.bits()),
            Op::Cmp(cc, w, a, b) => write!(f, "cmp.{cc}.{w} {a}, {b}"),
            Op::InBounds { ptr, len, end } => write!(f, "inbounds {}, {end}", Addr(*ptr, *len)),
            Op::StackAddr(slot, off) => write!(f, "stackaddr {slot}{off:+}"),
            Op::SymAddr(sym, off) => write!(f, "symaddr {sym}{off:+}"),
            Op::Load { size, signed, base, off } => write!(f, "load.{} {}", access(*size, *signed), Addr(*base, *off)),
            Op::Store { size, base, off, value } => {
                write!(f, "store.{} {}, {value}", access(*size, false), Addr(*base, *off))
            }
            Op::Atomic { op, size, fetch, base, off, value } => {
                let fetch = if *fetch { ".fetch" } else { "" };
                let at = Addr(*base, *off);
                write!(f, "atomic.{}.{}{fetch} {at}, {value}", word(&ATOMIC_OPS, op), size.bits())
            }
            Op::CmpXchg { size, base, off, expected, new } => {
                write!(f, "cmpxchg.{} {}, {expected}, {new}", size.bits(), Addr(*base, *off))
            }
            Op::CoreLoad { core, size, base, off } => {
                write!(f, "coreload.{} {core} {}", access(*size, false), Addr(*base, *off))
            }
            Op::CoreStore { core, size, base, off, value } => {
                write!(f, "corestore.{} {core} {}, {value}", access(*size, false), Addr(*base, *off))
            }
            Op::MayGoto => write!(f, "maygoto"),
            Op::CoreValue { core, local, wide } => {
                write!(f, "corevalue.{} {core} {local}", if *wide { 64 } else { 32 })
            }
            Op::MapLookup { map, key } => write!(f, "lookup {map}, {key}"),
            Op::Call { callee, args } => match callee {
                Callee::Helper(n) => write!(f, "call helper{n}({})", List(args)),
                Callee::Function(s) => write!(f, "call {s}({})", List(args)),
                Callee::Kfunc(s) => write!(f, "call kfunc {s}({})", List(args)),
            },
        }
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.block)?;
        if self.args.is_empty() { Ok(()) } else { write!(f, "({})", List(&self.args)) }
    }
}

impl Display for Terminator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Terminator::Open => f.write_str("open"),
            Terminator::Jump(t) => write!(f, "jump {t}"),
            Terminator::Branch { cond, then, els } => write!(f, "br {cond}, {then}, {els}"),
            Terminator::Return(v) => write!(f, "ret {v}"),
        }
    }
}
