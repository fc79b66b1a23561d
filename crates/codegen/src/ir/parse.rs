//! Reading the text form of the IR. Invariant: never panics; what it accepts has every index in
//! range of its vector (the rest is the validator's business), and costs memory in proportion to
//! the text.

use std::rc::Rc;

use smallvec::SmallVec;

use super::text::{ATOMIC_OPS, BIN_OPS, CCS, SPACES};
use super::{
    Block, BlockData, Callee, CoreId, Function, Inst, InstData, MapFacts, Module, Op, Size, Slot, SlotData, SrcLoc,
    Sym, SymKind, Target, Terminator, Ty, UnOp, Value, ValueData, ValueDef, Width,
};

/// What is wrong with a text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {msg}")]
pub struct ParseError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub msg: String,
}

/// Reads a module.
///
/// # Errors
/// The first line that is not understood.
pub fn parse(text: &str) -> Result<Module, ParseError> {
    // A value's number is its index: the text bounds how many there can be.
    let mut p = Parser { module: Module::default(), func: None, max_value: text.len() };
    let mut last = 0;
    for (n, line) in text.lines().enumerate() {
        last = n + 1;
        p.line(line).map_err(|msg| ParseError { line: n + 1, msg })?;
    }
    match p.func {
        None => Ok(p.module),
        Some(_) => Err(ParseError { line: last, msg: "the function has no `}`".into() }),
    }
}

type Res<T> = Result<T, String>;

struct Parser {
    module: Module,
    func: Option<Function>,
    max_value: usize,
}

impl Parser {
    fn line(&mut self, line: &str) -> Res<()> {
        let mut s = Scan::new(line);
        if s.at_end() {
            return Ok(());
        }
        match self.func.take() {
            None => self.top(&mut s)?,
            Some(f) => {
                if s.eat("}") {
                    if f.blocks.last().is_some_and(|b| b.term_loc == UNFINISHED) {
                        return Err("the block before has no end".into());
                    }
                    self.module.functions.push(f);
                } else {
                    let mut f = FuncParser { f, syms: self.module.syms.len(), max_value: self.max_value };
                    f.line(&mut s)?;
                    self.func = Some(f.f);
                }
            }
        }
        s.end()
    }

    fn top(&mut self, s: &mut Scan<'_>) -> Res<()> {
        let word = s.word();
        if word == "func" {
            self.func = Some(Function::new(s.name()?));
            return s.expect("{");
        }
        if word != format!("sym{}", self.module.syms.len()) {
            return Err(format!("expected `func` or `sym{}`, not `{word}`", self.module.syms.len()));
        }
        s.expect("=")?;
        let (kind, name) = (s.word(), s.name()?);
        let mut field = |name: &str| {
            s.expect(name)?;
            s.u32()
        };
        let kind = match kind {
            "map" => SymKind::Map(MapFacts {
                map_type: field("type")?,
                key_size: field("key")?,
                value_size: field("value")?,
                max_entries: field("entries")?,
            }),
            "global" => {
                let size = field("size")?;
                let writable = match s.word() {
                    "rw" => true,
                    "ro" => false,
                    other => return Err(format!("expected `rw` or `ro`, not `{other}`")),
                };
                SymKind::Global { size, writable }
            }
            "func" => SymKind::Function,
            "kfunc" => SymKind::Kfunc,
            other => return Err(format!("`{other}` is no kind of symbol")),
        };
        self.module.add_sym(name, kind);
        Ok(())
    }
}

struct FuncParser {
    f: Function,
    syms: usize,
    max_value: usize,
}

impl FuncParser {
    fn line(&mut self, s: &mut Scan<'_>) -> Res<()> {
        let start = s.rest;
        let word = s.word();
        if self.f.blocks.is_empty() && word == format!("slot{}", self.f.slots.len()) {
            s.expect("=")?;
            let size = s.u32()?;
            let name = s.quoted()?;
            self.f.slots.push(SlotData { size, name });
            return Ok(());
        }
        if word.starts_with("block") {
            return self.block_head(word, s);
        }
        let Some(block) = self.f.blocks.len().checked_sub(1) else {
            return Err(format!("expected a slot or a block, not `{word}`"));
        };
        if self.f.blocks[block].term_loc != UNFINISHED {
            return Err("the block has ended".into());
        }
        if let Some(term) = self.terminator(word, s)? {
            self.f.blocks[block].term_loc = s.loc()?;
            self.f.blocks[block].term = term;
            return Ok(());
        }
        let inst = Inst(self.f.insts.len() as u32);
        let (result, word) = if is_value(word) {
            s.rest = start;
            let v = self.def(s, ValueDef::Inst(inst))?;
            s.expect("=")?;
            (Some(v), s.word())
        } else {
            (None, word)
        };
        let op = self.op(word, s)?;
        let loc = s.loc()?;
        self.f.insts.push(InstData { op, result, loc });
        self.f.blocks[block].insts.push(inst);
        Ok(())
    }

    fn block_head(&mut self, word: &str, s: &mut Scan<'_>) -> Res<()> {
        let n = self.f.blocks.len();
        if word != format!("block{n}") {
            return Err(format!("expected block{n}, not `{word}`"));
        }
        if self.f.blocks.last().is_some_and(|b| b.term_loc == UNFINISHED) {
            return Err("the block before has no end".into());
        }
        let mut params = Vec::new();
        if s.eat("(") {
            loop {
                let def = ValueDef::Param(Block(n as u32), params.len() as u32);
                params.push(self.def(s, def)?);
                if !s.eat(",") {
                    break;
                }
            }
            s.expect(")")?;
        }
        s.expect(":")?;
        self.f.blocks.push(BlockData { params, insts: Vec::new(), term: Terminator::Open, term_loc: UNFINISHED });
        Ok(())
    }

    /// Makes room for a value and returns it.
    fn reserve(&mut self, n: u32) -> Res<Value> {
        if n as usize >= self.max_value {
            return Err(format!("v{n} is too large a number for a text of this size"));
        }
        while self.f.values.len() <= n as usize {
            self.f.values.push(ValueData { ty: Ty::Int, def: ValueDef::Gone, name: None });
        }
        Ok(Value(n))
    }

    fn def(&mut self, s: &mut Scan<'_>, def: ValueDef) -> Res<Value> {
        let v = self.value(s)?;
        let ty = if s.eat(":") { s.ty()? } else { Ty::Int };
        let name = s.quoted()?;
        let data = &mut self.f.values[v.index()];
        if data.def != ValueDef::Gone {
            return Err(format!("{v} is defined twice"));
        }
        *data = ValueData { ty, def, name };
        Ok(v)
    }

    fn value(&mut self, s: &mut Scan<'_>) -> Res<Value> {
        let n = s.index("v")?;
        self.reserve(n)
    }

    fn comma_value(&mut self, s: &mut Scan<'_>) -> Res<Value> {
        s.expect(",")?;
        self.value(s)
    }

    fn addr(&mut self, s: &mut Scan<'_>) -> Res<(Value, i32)> {
        Ok((self.value(s)?, s.offset()?))
    }

    fn sym(&self, s: &mut Scan<'_>) -> Res<Sym> {
        let n = s.index("sym")?;
        if (n as usize) < self.syms { Ok(Sym(n)) } else { Err(format!("sym{n} is not declared")) }
    }

    fn values(&mut self, s: &mut Scan<'_>) -> Res<Vec<Value>> {
        let mut all = Vec::new();
        s.expect("(")?;
        if s.eat(")") {
            return Ok(all);
        }
        loop {
            all.push(self.value(s)?);
            if !s.eat(",") {
                s.expect(")")?;
                return Ok(all);
            }
        }
    }

    fn target(&mut self, s: &mut Scan<'_>) -> Res<Target> {
        let block = Block(s.index("block")?);
        let args = if s.peek('(') { self.values(s)? } else { Vec::new() };
        Ok(Target { block, args: args.into() })
    }

    fn terminator(&mut self, word: &str, s: &mut Scan<'_>) -> Res<Option<Terminator>> {
        Ok(Some(match word {
            "open" => Terminator::Open,
            "ret" => Terminator::Return(self.value(s)?),
            "jump" => Terminator::Jump(self.target(s)?),
            "br" => {
                let cond = self.value(s)?;
                s.expect(",")?;
                let then = self.target(s)?;
                s.expect(",")?;
                Terminator::Branch { cond, then, els: self.target(s)? }
            }
            _ => return Ok(None),
        }))
    }

    fn op(&mut self, word: &str, s: &mut Scan<'_>) -> Res<Op> {
        let mut parts = word.split('.');
        let name = parts.next().unwrap_or_default();
        let parts: SmallVec<[&str; 3]> = parts.collect();
        let what = |p: usize| parts.get(p).copied().unwrap_or_default();
        let arity = |n: usize| if parts.len() == n { Ok(()) } else { Err(format!("`{word}` is not understood")) };
        if let Some((op, _)) = BIN_OPS.iter().find(|(_, w)| *w == name) {
            arity(1)?;
            return Ok(Op::Bin(*op, width(what(0))?, self.value(s)?, self.comma_value(s)?));
        }
        let un = match name {
            "neg" => Some(UnOp::Neg),
            "zext" => Some(UnOp::Zext(bits(what(0))?)),
            "sext" => Some(UnOp::Sext(bits(what(0))?)),
            "bswap" => Some(UnOp::Bswap(bits(what(0))?)),
            _ => None,
        };
        if let Some(un) = un {
            arity(usize::from(un != UnOp::Neg))?;
            return Ok(Op::Un(un, self.value(s)?));
        }
        Ok(match name {
            "const" => {
                arity(0)?;
                Op::Const(s.i64()?)
            }
            "cmp" => {
                arity(2)?;
                let cc =
                    CCS.iter().find(|(_, w)| *w == what(0)).ok_or_else(|| format!("`{word}` is not understood"))?;
                Op::Cmp(cc.0, width(what(1))?, self.value(s)?, self.comma_value(s)?)
            }
            "inbounds" => {
                arity(0)?;
                let (ptr, len) = self.addr(s)?;
                Op::InBounds { ptr, len, end: self.comma_value(s)? }
            }
            "stackaddr" => {
                arity(0)?;
                let n = s.index("slot")?;
                if n as usize >= self.f.slots.len() {
                    return Err(format!("slot{n} is not declared"));
                }
                Op::StackAddr(Slot(n), s.offset()?)
            }
            "symaddr" => {
                arity(0)?;
                Op::SymAddr(self.sym(s)?, s.offset()?)
            }
            "load" => {
                arity(1)?;
                let (size, signed) = access(what(0))?;
                let (base, off) = self.addr(s)?;
                Op::Load { size, signed, base, off }
            }
            "store" => {
                arity(1)?;
                let size = unsigned(what(0))?;
                let (base, off) = self.addr(s)?;
                Op::Store { size, base, off, value: self.comma_value(s)? }
            }
            "atomic" => {
                let fetch = match parts.get(2) {
                    None => false,
                    Some(&"fetch") => true,
                    Some(other) => return Err(format!("`{other}` is not understood")),
                };
                arity(if fetch { 3 } else { 2 })?;
                let op = ATOMIC_OPS.iter().find(|(_, w)| *w == what(0));
                let op = op.ok_or_else(|| format!("`{word}` is not understood"))?.0;
                let size = bits(what(1))?;
                let (base, off) = self.addr(s)?;
                Op::Atomic { op, size, fetch, base, off, value: self.comma_value(s)? }
            }
            "cmpxchg" => {
                arity(1)?;
                let size = bits(what(0))?;
                let (base, off) = self.addr(s)?;
                Op::CmpXchg { size, base, off, expected: self.comma_value(s)?, new: self.comma_value(s)? }
            }
            "coreload" => {
                arity(1)?;
                let (size, core) = (unsigned(what(0))?, CoreId(s.index("core")?));
                let (base, off) = self.addr(s)?;
                Op::CoreLoad { core, size, base, off }
            }
            "corestore" => {
                arity(1)?;
                let (size, core) = (unsigned(what(0))?, CoreId(s.index("core")?));
                let (base, off) = self.addr(s)?;
                Op::CoreStore { core, size, base, off, value: self.comma_value(s)? }
            }
            "corevalue" => {
                arity(1)?;
                let wide = width(what(0))? == Width::W64;
                Op::CoreValue { core: CoreId(s.index("core")?), local: s.i64()?, wide }
            }
            "maygoto" => {
                arity(0)?;
                Op::MayGoto
            }
            "lookup" => {
                arity(0)?;
                Op::MapLookup { map: self.sym(s)?, key: self.comma_value(s)? }
            }
            "call" => {
                arity(0)?;
                let callee = if s.eat("kfunc") {
                    Callee::Kfunc(self.sym(s)?)
                } else if s.rest.starts_with("helper") {
                    Callee::Helper(s.index("helper")?)
                } else {
                    Callee::Function(self.sym(s)?)
                };
                Op::Call { callee, args: self.values(s)?.into() }
            }
            _ => return Err(format!("`{word}` is no operation")),
        })
    }
}

/// Marks a block whose terminator has not been read; no text can say it.
const UNFINISHED: SrcLoc = SrcLoc(u32::MAX - 1);

fn is_value(word: &str) -> bool {
    word.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn width(word: &str) -> Res<Width> {
    match word {
        "32" => Ok(Width::W32),
        "64" => Ok(Width::W64),
        _ => Err(format!("`{word}` is no width")),
    }
}

fn bits(word: &str) -> Res<Size> {
    match word {
        "8" => Ok(Size::B1),
        "16" => Ok(Size::B2),
        "32" => Ok(Size::B4),
        "64" => Ok(Size::B8),
        _ => Err(format!("`{word}` is no size")),
    }
}

fn access(word: &str) -> Res<(Size, bool)> {
    match (word.strip_prefix('u'), word.strip_prefix('s')) {
        (Some(n), _) => Ok((bits(n)?, false)),
        (_, Some(n)) => Ok((bits(n)?, true)),
        _ => Err(format!("`{word}` is no access size")),
    }
}

fn unsigned(word: &str) -> Res<Size> {
    match access(word)? {
        (size, false) => Ok(size),
        (_, true) => Err(format!("`{word}`: only a load can extend by the sign")),
    }
}

/// What is left of a line.
struct Scan<'a> {
    rest: &'a str,
}

impl<'a> Scan<'a> {
    fn new(line: &'a str) -> Scan<'a> {
        let mut s = Scan { rest: line };
        s.skip();
        s
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with(';') {
            self.rest = "";
        }
    }

    fn take(&mut self, n: usize) -> &'a str {
        let (head, rest) = self.rest.split_at_checked(n).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.skip();
        head
    }

    fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn end(&self) -> Res<()> {
        if self.at_end() { Ok(()) } else { Err(format!("`{}` is too much", self.rest.trim_end())) }
    }

    fn peek(&self, c: char) -> bool {
        self.rest.starts_with(c)
    }

    /// Letters, digits, `_`, `.`, `$`.
    fn word(&mut self) -> &'a str {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
        let n = self.rest.find(|c| !plain(c)).unwrap_or(self.rest.len());
        self.take(n)
    }

    fn eat(&mut self, what: &str) -> bool {
        let found = self.rest.starts_with(what);
        if found {
            self.take(what.len());
        }
        found
    }

    fn expect(&mut self, what: &str) -> Res<()> {
        if self.eat(what) {
            return Ok(());
        }
        let found = self.rest.split_whitespace().next().unwrap_or("the end of the line");
        Err(format!("expected `{what}`, not `{found}`"))
    }

    fn number(&mut self) -> &'a str {
        let sign = usize::from(self.rest.starts_with(['-', '+']));
        let digits = self.rest.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
        self.take(sign + digits)
    }

    fn i64(&mut self) -> Res<i64> {
        let n = self.number();
        n.parse().map_err(|_| format!("`{n}` is no number"))
    }

    fn u32(&mut self) -> Res<u32> {
        let n = self.number();
        n.parse().map_err(|_| format!("`{n}` is no number"))
    }

    fn offset(&mut self) -> Res<i32> {
        if !self.rest.starts_with(['+', '-']) {
            return Ok(0);
        }
        let n = self.number();
        n.parse().map_err(|_| format!("`{n}` is no offset"))
    }

    /// `prefix12`.
    fn index(&mut self, prefix: &str) -> Res<u32> {
        let word = self.word();
        let n = word.strip_prefix(prefix).and_then(|n| n.parse().ok());
        n.ok_or_else(|| format!("expected `{prefix}` with a number, not `{word}`"))
    }

    fn ty(&mut self) -> Res<Ty> {
        match self.word() {
            "int" => Ok(Ty::Int),
            "ptr" => {
                self.expect("(")?;
                let word = self.word();
                let space = SPACES.iter().find(|(_, w)| *w == word).ok_or_else(|| format!("`{word}` is no space"))?;
                self.expect(")")?;
                Ok(Ty::Ptr(space.0))
            }
            other => Err(format!("`{other}` is no type")),
        }
    }

    fn name(&mut self) -> Res<String> {
        match self.quoted()? {
            Some(name) => Ok(name.as_ref().into()),
            None => match self.word() {
                "" => Err("expected a name".into()),
                word => Ok(word.into()),
            },
        }
    }

    fn quoted(&mut self) -> Res<Option<Rc<str>>> {
        let Some(inside) = self.rest.strip_prefix('"') else { return Ok(None) };
        let mut name = String::new();
        let mut chars = inside.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &inside[at + 1..];
                    self.skip();
                    return Ok(Some(name.into()));
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => name.push('\n'),
                    Some((_, c)) => name.push(c),
                    None => break,
                },
                c => name.push(c),
            }
        }
        Err("a name without its closing quote".into())
    }

    /// A source location at the end of the line, if any.
    fn loc(&mut self) -> Res<SrcLoc> {
        if !self.eat("@") {
            return Ok(SrcLoc::NONE);
        }
        match self.u32()? {
            n if n >= UNFINISHED.0 => Err(format!("@{n} is no source location")),
            n => Ok(SrcLoc(n)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"sym0 = map counts type 1 key 4 value 8 entries 1024
sym1 = global "a \"b\"" size 8 rw
sym2 = func main
sym3 = kfunc bpf_foo

func main {
    slot0 = 16 "key"
    slot1 = 8
block0(v0:ptr(ctx) "ctx", v1):
    v2 = const -5 @3
    v3 = add.64 v1, v2
    v4:ptr(packet) = load.u32 v0+0 @4
    v5:ptr(packet_end) = load.u32 v0+4
    v6 = inbounds v4+14, v5
    v7 = load.s16 v4-2
    store.u32 v0+4, v7
    v8:ptr(stack) "k" = stackaddr slot0+8
    v9:ptr(map) = symaddr sym0+0
    v10 = atomic.add.64.fetch v8+0, v2
    atomic.xor.32 v8+4, v2
    v11 = cmpxchg.64 v8+0, v1, v2
    v12 = coreload.u32 core3 v0+16
    corestore.u8 core4 v0+16, v12
    v13 = corevalue.32 core5 12
    v14:ptr(map_value) = lookup sym0, v8
    v15 = call helper14()
    v16 = call sym2(v0, v2)
    call kfunc sym3(v16)
    v17 = cmp.test.32 v2, v3
    v18 = neg v2
    v20 = zext.8 v2
    v21 = bswap.16 v20
    br v17, block1(v3), block2 @9
block1(v22 "x y"):
    jump block1(v22)
block2:
    ret v2
block3:
    open
}
"#;

    #[test]
    fn what_is_printed_is_read_back() {
        let m = parse(SAMPLE).unwrap();
        assert_eq!(m.to_string(), SAMPLE);
        assert_eq!(m.functions[0].values[4].ty, Ty::Ptr(super::super::Space::Packet));
        assert_eq!(m.functions[0].values[19].def, ValueDef::Gone);
    }

    #[test]
    fn errors_name_the_line() {
        let cases = [
            ("func f {\nblock0:\n    v1 = frob v1\n}", 3, "`frob` is no operation"),
            ("func f {\nblock0:\n    ret v900\n}", 3, "v900 is too large a number for a text of this size"),
            ("func f {\nblock1:\n", 2, "expected block0, not `block1`"),
            ("func f {\nblock0:\nblock1:\n", 3, "the block before has no end"),
            ("func f {\nblock0:\n ret v1\n ret v1\n", 4, "the block has ended"),
            ("func f {\nblock0(v1):\n v1 = const 1\n", 3, "v1 is defined twice"),
            ("func f {\n", 1, "the function has no `}`"),
            ("func f {\nblock0:\n v1 = symaddr sym0+0", 3, "sym0 is not declared"),
            ("func f {\nblock0:\n v1 = const 1 2", 3, "`2` is too much"),
            ("func f {\nblock0:\n v1 = const 99999999999999999999", 3, "`99999999999999999999` is no number"),
            ("sym0 = thing x", 1, "`thing` is no kind of symbol"),
        ];
        for (text, line, msg) in cases {
            assert_eq!(parse(text).unwrap_err(), ParseError { line, msg: msg.into() }, "{text}");
        }
    }

    #[test]
    fn no_text_makes_it_panic() {
        let mut state = 1u64;
        let mut next = |n: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % n
        };
        let alphabet: Vec<char> = "v0123456789.,():@+-=\"\\;{}blocksymretjupé \n".chars().collect();
        for _ in 0..3000 {
            let mut text: Vec<char> = SAMPLE.chars().collect();
            for _ in 0..1 + next(8) {
                let at = next(text.len());
                match next(3) {
                    0 => text[at] = alphabet[next(alphabet.len())],
                    1 => text.insert(at, alphabet[next(alphabet.len())]),
                    _ => drop(text.drain(at..(at + 1 + next(20)).min(text.len()))),
                }
                if text.is_empty() {
                    break;
                }
            }
            let text: String = text.into_iter().collect();
            if let Ok(m) = parse(&text) {
                let again = m.to_string();
                assert_eq!(parse(&again).unwrap().to_string(), again);
                for f in &m.functions {
                    let _ = super::super::validate(f, &m);
                }
            }
        }
    }
}
