//! Types as declarations of the Lisp dialect. Invariant: what is printed is read back with the kernel's layout: every
//! member where it was and every type as large as it was, padding and packing said where the language's own rules
//! would place something elsewhere. What can't be said so is bytes of the same size, or a comment that says why.

use std::collections::{HashMap, HashSet};

use crate::error::BtfError;
use crate::raw::TypeId;
use crate::read::{Btf, Composite, Enum, Kind, MAX_DEPTH};

/// Longest text made for one call.
const MAX_TEXT: usize = 4 << 20;

/// Members looked at in one call, at most.
const MAX_MEMBERS: usize = 200_000;

/// The largest struct that the language takes, in bytes.
const MAX_STRUCT: u32 = 1 << 20;

/// Names that stand for something else in the language.
const TAKEN: &[&str] = &[
    "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "s8", "s16", "s32", "s64", "bool", "char", "void", "t", "nil",
];

/// Structs that the language has by itself, since the kernel means something by their names: size and alignment.
/// The compiler's test compares them with its own.
pub const OWN_STRUCTS: &[(&str, u32, u32)] = &[
    ("bpf_spin_lock", 4, 4),
    ("bpf_res_spin_lock", 4, 4),
    ("bpf_timer", 16, 8),
    ("bpf_wq", 16, 8),
    ("bpf_task_work", 8, 8),
    ("bpf_dynptr", 16, 8),
    ("bpf_list_head", 16, 8),
    ("bpf_list_node", 24, 8),
    ("bpf_rb_root", 16, 8),
    ("bpf_rb_node", 32, 8),
    ("bpf_refcount", 4, 4),
    ("bpf_iter_num", 8, 8),
    ("bpf_iter_bits", 16, 8),
    ("bpf_iter_task", 24, 8),
    ("bpf_iter_task_vma", 8, 8),
    ("bpf_iter_css", 24, 8),
    ("bpf_iter_css_task", 8, 8),
    ("bpf_iter_kmem_cache", 8, 8),
    ("bpf_iter_dmabuf", 8, 8),
];

impl Btf {
    /// The definition of a type as the language writes its own: `(defstruct x (a u32) …)`, each field on a line with its
    /// offset behind it. The types that it holds by value are only named; [`Btf::lisp_declarations`] has them too.
    pub fn lisp_definition(&self, id: TypeId) -> Result<String, BtfError> {
        let mut w = Writer::new(self, id);
        w.top(id)?;
        Ok(w.forms.pop().unwrap_or_default())
    }

    /// The definitions of some types and of all that they hold by value, each before it is needed. Types behind pointers
    /// are the kernel's and only named.
    pub fn lisp_declarations(&self, ids: &[TypeId]) -> Result<String, BtfError> {
        let mut w = Writer::new(self, ids.first().copied().unwrap_or(TypeId::VOID));
        for id in ids {
            w.top(*id)?;
        }
        Ok(w.forms.join("\n"))
    }

    /// A type as the language names it: `u32`, `(ptr task_struct)`, `(array char 16)`.
    pub fn lisp_type(&self, id: TypeId) -> Result<String, BtfError> {
        self.lisp_type_within(id, 0)
    }

    fn lisp_type_within(&self, id: TypeId, depth: usize) -> Result<String, BtfError> {
        if depth > MAX_DEPTH {
            return Err(BtfError::TooDeep(id));
        }
        let t = self.stripped(id)?;
        Ok(match t.get() {
            Kind::Int(i) if i.bool => "bool".to_string(),
            Kind::Int(i) if i.size == 1 && (i.char || t.name == "char") => "char".to_string(),
            Kind::Int(i) => format!("{}{}", if i.signed { 'i' } else { 'u' }, i.size.saturating_mul(8)),
            Kind::Enum(_) if !t.name.is_empty() => t.name.to_string(),
            Kind::Enum(e) => format!("{}{}", if e.signed { 'i' } else { 'u' }, e.size.saturating_mul(8)),
            Kind::Float { size } => format!("f{}", size.saturating_mul(8)),
            Kind::Ptr(to) => match self.stripped(to)?.get() {
                Kind::FuncProto(_) => "(ptr function)".to_string(),
                _ => format!("(ptr {})", self.lisp_type_within(to, depth + 1)?),
            },
            Kind::Array { elem, len } => format!("(array {} {len})", self.lisp_type_within(elem, depth + 1)?),
            Kind::Void => "void".to_string(),
            Kind::Struct(_) | Kind::Union(_) if t.name.is_empty() => t.kind().word().to_string(),
            _ => t.name.to_string(),
        })
    }
}

/// What a value of some type is in the language.
#[derive(Clone)]
struct Value {
    ty: String,
    size: u32,
    /// What the language aligns it to.
    align: u32,
    /// What the text does not say about the kernel's type.
    note: String,
}

impl Value {
    fn of(ty: impl Into<String>, size: u32, align: u32) -> Value {
        Value { ty: ty.into(), size, align, note: String::new() }
    }

    /// Bytes in place of what can't be said.
    fn bytes(size: u32, note: String) -> Value {
        Value { ty: format!("(array u8 {size})"), size, align: 1, note }
    }

    fn noted(self, note: String) -> Value {
        Value { note, ..self }
    }
}

/// A member on its way to be written.
struct Item {
    name: String,
    value: Value,
    bit: u32,
    /// Of a bit-field; else 0.
    bits: u8,
}

impl Item {
    /// The bit behind it.
    fn end(&self) -> u64 {
        let bits = if self.bits > 0 { u64::from(self.bits) } else { 8 * u64::from(self.value.size) };
        u64::from(self.bit) + bits
    }
}

/// How a struct's members are placed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Each at the next place that suits its type.
    Natural,
    /// Each at the next byte, and bit-fields at the next bit.
    Packed,
}

struct Writer<'a> {
    btf: &'a Btf,
    root: TypeId,
    forms: Vec<String>,
    length: usize,
    members: usize,
    /// What has been declared.
    done: HashMap<TypeId, Value>,
    /// Names in use, as the language compares them.
    names: HashSet<String>,
}

/// The spelling that all spellings of a name share in the language.
fn folded(name: &str) -> String {
    name.chars().map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// Whether the reader takes the name for a symbol as it stands.
fn is_plain(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn number(size: u32, signed: bool) -> Option<Value> {
    matches!(size, 1 | 2 | 4 | 8)
        .then(|| Value::of(format!("{}{}", if signed { 'i' } else { 'u' }, size * 8), size, size))
}

/// A name that none in the set is taken for.
fn free(names: &mut HashSet<String>, name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' }).collect();
    let plain = if plain.starts_with(|c: char| c.is_ascii_digit()) { format!("_{plain}") } else { plain };
    let mut candidate = plain.clone();
    let mut n = 1u32;
    while !names.insert(folded(&candidate)) {
        n += 1;
        candidate = format!("{plain}--{n}");
    }
    candidate
}

impl<'a> Writer<'a> {
    fn new(btf: &'a Btf, root: TypeId) -> Writer<'a> {
        let names = TAKEN.iter().map(|n| (*n).to_string()).collect();
        Writer { btf, root, forms: Vec::new(), length: 0, members: 0, done: HashMap::new(), names }
    }

    fn push(&mut self, text: String) -> Result<(), BtfError> {
        self.length += text.len() + 1;
        if self.length > MAX_TEXT {
            return Err(BtfError::TooDeep(self.root));
        }
        self.forms.push(text);
        Ok(())
    }

    /// What is asked for, as far as a declaration can say it.
    fn top(&mut self, id: TypeId) -> Result<(), BtfError> {
        let t = self.btf.ty(id)?;
        let before = self.forms.len();
        match t.get() {
            Kind::Struct(_) | Kind::Union(_) => {
                let v = self.value(id, t.name, 0)?;
                if !v.note.is_empty() {
                    self.push(format!("; {} can't be declared here: {}", t.name, v.note))?;
                } else if self.forms.len() == before && !self.done.contains_key(&self.btf.strip(id)?) {
                    self.push(format!("; {} is a type of the language's own, {} bytes", t.name, v.size))?;
                }
            }
            Kind::Enum(e) => {
                let v = self.value(id, t.name, 0)?;
                if self.forms.len() == before && !self.done.contains_key(&id) {
                    self.constants(t.name, &e, &v)?;
                }
            }
            Kind::Func { proto, .. } => {
                let Kind::FuncProto(f) = self.btf.ty(proto)?.get() else {
                    return Err(BtfError::WrongKind { id: proto, wanted: "prototype" });
                };
                let mut params = Vec::new();
                for p in f.params() {
                    params.push(format!("({} {})", p.name, self.btf.lisp_type(p.ty)?));
                }
                let ret = self.btf.lisp_type(f.ret)?;
                self.push(format!("; a function of the kernel's: ({} ({}) {ret})", t.name, params.join(" ")))?;
            }
            Kind::Typedef(of) => {
                let named = self.btf.stripped(of)?;
                match named.get() {
                    Kind::Struct(_) | Kind::Union(_) | Kind::Enum(_) if named.name.is_empty() => {
                        let v = self.value(id, t.name, 0)?;
                        if let Kind::Enum(e) = named.get()
                            && self.forms.len() == before
                            && !self.done.contains_key(&self.btf.strip(id)?)
                        {
                            self.constants(t.name, &e, &v)?;
                        } else if !v.note.is_empty() {
                            self.push(format!("; {} can't be declared here: {}", t.name, v.note))?;
                        }
                    }
                    Kind::Struct(_) | Kind::Union(_) | Kind::Enum(_) => {
                        self.top(self.btf.strip(of)?)?;
                        self.push(format!("; {} is another name of {}", t.name, named.name))?;
                    }
                    _ => {
                        let same = self.btf.lisp_type(of)?;
                        self.push(format!("; {} is another name of {same}", t.name))?;
                    }
                }
            }
            _ => {
                let same = self.btf.lisp_type(id)?;
                self.push(format!("; {same} is no type to declare"))?;
            }
        }
        Ok(())
    }

    /// An enum that has not the 4 bytes of the language's: its members as constants.
    fn constants(&mut self, name: &str, e: &Enum<'_>, v: &Value) -> Result<(), BtfError> {
        let mut out = format!("; {name} has {} bytes, and an enum here 4: a field of it is {}", e.size, v.ty);
        for (member, value) in e.values() {
            let value = if e.signed { value.to_string() } else { (value as u64).to_string() };
            out.push_str(&format!("\n(defconstant +{name}-{member}+ {value})"));
            if out.len() > MAX_TEXT {
                return Err(BtfError::TooDeep(self.root));
            }
        }
        self.push(out)
    }

    /// The type of a member, declared if it has to be. `path` names what has no name.
    fn value(&mut self, id: TypeId, path: &str, depth: usize) -> Result<Value, BtfError> {
        if depth > MAX_DEPTH {
            return Err(BtfError::TooDeep(self.root));
        }
        let bare = self.btf.strip(id)?;
        if let Some(v) = self.done.get(&bare) {
            return Ok(v.clone());
        }
        let t = self.btf.ty(bare)?;
        let c_type = || self.btf.c_type(id).map(|c| c.split_whitespace().collect::<Vec<_>>().join(" "));
        Ok(match t.get() {
            Kind::Int(i) if i.bool && i.size == 1 => Value::of("bool", 1, 1),
            Kind::Int(i) if i.size == 1 && (i.char || t.name == "char") => Value::of("char", 1, 1),
            Kind::Int(i) => match number(i.size, i.signed) {
                Some(v) => v,
                None if i.size % 8 == 0 => Value::of(format!("(array u64 {})", i.size / 8), i.size, 8).noted(c_type()?),
                None => Value::bytes(i.size, c_type()?),
            },
            Kind::Float { size } => match number(size, false) {
                Some(v) => v.noted(c_type()?),
                None => Value::bytes(size, c_type()?),
            },
            Kind::Enum(e) if e.size == 4 && e.values().next().is_some() => match self.name_of(id)? {
                Some(name) => self.enumeration(bare, name, &e)?,
                None => Value::of(if e.signed { "i32" } else { "u32" }, 4, 4),
            },
            Kind::Enum(e) => match number(e.size, e.signed) {
                Some(v) if t.name.is_empty() => v,
                Some(v) => v.noted(format!("enum {}", t.name)),
                None => Value::bytes(e.size, c_type()?),
            },
            Kind::Ptr(to) => {
                let to_text = self.pointee(to, 0)?;
                let hidden = to_text == "void" && self.btf.strip(to)? != TypeId::VOID;
                let note = if hidden { c_type()? } else { String::new() };
                Value::of(format!("(ptr {to_text})"), 8, 8).noted(if note.len() > 200 { String::new() } else { note })
            }
            Kind::Array { elem, len } => {
                let v = self.value(elem, path, depth + 1)?;
                let size = v.size.checked_mul(len).ok_or(BtfError::TooDeep(self.root))?;
                match v.size {
                    // Nothing, however often.
                    0 => Value::of("(array u8 0)", 0, 1),
                    _ => Value { ty: format!("(array {} {len})", v.ty), size, align: v.align, note: v.note },
                }
            }
            Kind::Struct(c) | Kind::Union(c) => {
                let own = OWN_STRUCTS.iter().find(|(n, size, _)| *n == t.name && *size == c.size);
                if let Some((name, size, align)) = own {
                    return Ok(Value::of(*name, *size, *align));
                }
                let name = self.name_of(id)?.unwrap_or(path).to_string();
                let is_union = matches!(t.get(), Kind::Union(_));
                self.composite(bare, &name, c, is_union, depth)?
            }
            _ => return Err(BtfError::WrongKind { id, wanted: "type of a value" }),
        })
    }

    /// The name that a type goes by: its own, else that of the innermost typedef of it.
    fn name_of(&self, id: TypeId) -> Result<Option<&'a str>, BtfError> {
        let mut at = id;
        let mut name = None;
        for _ in 0..MAX_DEPTH {
            let t = self.btf.ty(at)?;
            match t.get() {
                Kind::Typedef(to) => {
                    name = Some(t.name);
                    at = to;
                }
                Kind::Volatile(to) | Kind::Const(to) | Kind::Restrict(to) | Kind::TypeTag(to) => at = to,
                _ if !t.name.is_empty() => return Ok(Some(t.name)),
                _ => return Ok(name),
            }
        }
        Err(BtfError::TooDeep(id))
    }

    /// What a pointer points to, as far as it has a name in the language.
    fn pointee(&self, id: TypeId, depth: usize) -> Result<String, BtfError> {
        if depth > MAX_DEPTH {
            return Err(BtfError::TooDeep(self.root));
        }
        let bare = self.btf.strip(id)?;
        if let Some(v) = self.done.get(&bare) {
            return Ok(v.ty.clone());
        }
        let t = self.btf.ty(bare)?;
        Ok(match t.get() {
            Kind::Int(i) if i.bool && i.size == 1 => "bool".to_string(),
            Kind::Int(i) if i.size == 1 && (i.char || t.name == "char") => "char".to_string(),
            Kind::Int(i) => number(i.size, i.signed).map_or_else(|| "void".to_string(), |v| v.ty),
            Kind::Enum(e) => number(e.size, e.signed).map_or_else(|| "void".to_string(), |v| v.ty),
            Kind::Ptr(to) => format!("(ptr {})", self.pointee(to, depth + 1)?),
            Kind::Struct(_) | Kind::Union(_) if !t.name.is_empty() && is_plain(t.name) => t.name.to_string(),
            _ => "void".to_string(),
        })
    }

    fn enumeration(&mut self, id: TypeId, name: &str, e: &Enum<'_>) -> Result<Value, BtfError> {
        let name = free(&mut self.names, name);
        let mut out = format!("(defenum {name}");
        let mut members = HashSet::new();
        for (member, value) in e.values() {
            let value = if e.signed { value.to_string() } else { (value as u64).to_string() };
            out.push_str(&format!("\n  (:{} {value})", free(&mut members, member)));
            if out.len() > MAX_TEXT {
                return Err(BtfError::TooDeep(id));
            }
        }
        out.push(')');
        self.push(out)?;
        let v = Value::of(name, 4, 4);
        self.done.insert(id, v.clone());
        Ok(v)
    }

    /// Declares a struct or union; where that can't be, it is bytes, and the note says why.
    fn composite(
        &mut self,
        id: TypeId,
        name: &str,
        c: Composite<'a>,
        is_union: bool,
        depth: usize,
    ) -> Result<Value, BtfError> {
        if c.size > MAX_STRUCT {
            return Ok(Value::bytes(c.size, format!("it has {} bytes, more than a megabyte", c.size)));
        }
        // Before the members, so that what they hold gets other names.
        let name = free(&mut self.names, name);
        let mut names = HashSet::new();
        let mut items = Vec::new();
        self.items(c, &name, 0, is_union, depth, &mut names, &mut items)?;
        // What is damaged may say anything.
        let inside = items.iter().all(|i| i.end() <= 8 * u64::from(c.size));
        let written = match is_union {
            _ if !inside => None,
            true => self.union_text(&name, c.size, items),
            false => self.struct_text(&name, c.size, items),
        };
        let v = match written {
            Some((text, align)) => {
                self.push(text)?;
                Value::of(name, c.size, align)
            }
            None if !inside => Value::bytes(c.size, format!("members of {name} lie behind its end")),
            None => Value::bytes(c.size, format!("members of {name} lie over each other")),
        };
        self.done.insert(id, v.clone());
        Ok(v)
    }

    #[allow(clippy::too_many_arguments)]
    fn items(
        &mut self,
        c: Composite<'a>,
        owner: &str,
        base: u32,
        is_union: bool,
        depth: usize,
        names: &mut HashSet<String>,
        out: &mut Vec<Item>,
    ) -> Result<(), BtfError> {
        if depth > MAX_DEPTH {
            return Err(BtfError::TooDeep(self.root));
        }
        for m in c.members() {
            self.members += 1;
            if self.members > MAX_MEMBERS {
                return Err(BtfError::TooDeep(self.root));
            }
            let bit = base.checked_add(m.bit_offset).ok_or(BtfError::TooDeep(self.root))?;
            if m.name.is_empty()
                && !is_union
                && let Kind::Struct(inner) = self.btf.stripped(m.ty)?.get()
            {
                // Its members are found by their names as if they stood here, so here they stand.
                self.items(inner, owner, bit, false, depth + 1, names, out)?;
                continue;
            }
            let name = match m.name {
                "" => {
                    let mut n = 1u32;
                    while names.contains(&format!("anon-{n}")) {
                        n += 1;
                    }
                    free(names, &format!("anon-{n}"))
                }
                name => free(names, name),
            };
            let mut value = self.value(m.ty, &format!("{owner}--{name}"), depth + 1)?;
            if m.bits > 0 {
                let wide = (bit % 8 + u32::from(m.bits)).div_ceil(8);
                if wide > value.size {
                    value = Value::of("u64", 8, 8);
                }
            }
            if !m.name.is_empty() && name != m.name {
                value.note = format!("{} {}", m.name, value.note).trim_end().to_string();
            }
            out.push(Item { name, value, bit, bits: m.bits });
        }
        Ok(())
    }

    fn struct_text(&self, name: &str, size: u32, items: Vec<Item>) -> Option<(String, u32)> {
        let (lines, align, layout) = match placed(&items, size, Layout::Natural) {
            Some((lines, align)) => (lines, align, Layout::Natural),
            None => placed(&items, size, Layout::Packed).map(|(lines, align)| (lines, align, Layout::Packed))?,
        };
        let head = if layout == Layout::Packed { format!("({name} :packed)") } else { name.to_string() };
        Some((format!("(defstruct {head}{})", body(&lines)), align))
    }

    fn union_text(&self, name: &str, size: u32, items: Vec<Item>) -> Option<(String, u32)> {
        if items.iter().any(|i| i.bit != 0) {
            return None;
        }
        let align = items.iter().map(|i| i.value.align).max().unwrap_or(1);
        let most = items.iter().map(|i| i.value.size).max().unwrap_or(0);
        let natural = most.next_multiple_of(align);
        let exact = items.iter().map(|i| if i.bits > 0 { u32::from(i.bits).div_ceil(8) } else { i.value.size });
        let exact = exact.max().unwrap_or(0);
        let mut lines: Vec<String> = items.iter().map(line).collect();
        let (head, align, has) = match natural <= size && size.is_multiple_of(align) {
            true => (name.to_string(), align, natural),
            false if exact <= size => (format!("({name} :packed)"), 1, exact),
            false => return None,
        };
        if has < size || lines.is_empty() {
            lines.push(line(&padding(&items, 0, 0, 8 * size)));
        }
        Some((format!("(defunion {head}{})", body(&lines)), align))
    }
}

/// The lines of a struct and its alignment, if members placed in this way, with padding between, lie where they must.
fn placed(items: &[Item], size: u32, layout: Layout) -> Option<(Vec<String>, u32)> {
    let mut lines = Vec::new();
    let (mut bit, mut align, mut pads) = (0u32, 1u32, 0);
    let next = |bit: u32, i: &Item| {
        let (size, align) = (i.value.size * 8, if layout == Layout::Packed { 1 } else { i.value.align });
        match i.bits {
            0 => bit.div_ceil(8).next_multiple_of(align) * 8,
            n if layout == Layout::Natural && bit / size != (bit + u32::from(n) - 1) / size => {
                bit.next_multiple_of(size)
            }
            _ => bit,
        }
    };
    let mut fill = |lines: &mut Vec<String>, mut bit: u32, to: u32| {
        while bit < to {
            let n = match bit % 8 {
                0 if to - bit >= 8 => (to - bit) / 8 * 8,
                part => (8 - part).min(to - bit),
            };
            pads += 1;
            lines.push(line(&padding(items, pads, bit, n)));
            bit += n;
        }
    };
    for i in items {
        if next(bit, i) != i.bit {
            if bit > i.bit {
                return None;
            }
            fill(&mut lines, bit, i.bit);
            if next(i.bit, i) != i.bit {
                return None;
            }
        }
        bit = i.bit + if i.bits > 0 { u32::from(i.bits) } else { i.value.size * 8 };
        if layout == Layout::Natural {
            align = align.max(i.value.align);
        }
        lines.push(line(i));
    }
    let ends = bit.div_ceil(8).next_multiple_of(align);
    if ends != size || lines.is_empty() {
        if ends > size || !size.is_multiple_of(align) {
            return None;
        }
        if lines.is_empty() {
            lines.push(line(&padding(items, 1, 0, size * 8)));
        } else {
            fill(&mut lines, bit.next_multiple_of(8), size * 8);
        }
    }
    Some((lines, align))
}

/// A member that only takes room.
fn padding(items: &[Item], n: u32, bit: u32, bits: u32) -> Item {
    let mut name = format!("pad-{n}");
    while items.iter().any(|i| folded(&i.name) == name) {
        name.insert(0, '-');
    }
    match bits % 8 {
        0 => Item { name, value: Value::bytes(bits / 8, String::new()), bit, bits: 0 },
        // At most 7, within a byte.
        _ => Item { name, value: Value::of("u8", 1, 1), bit, bits: bits as u8 },
    }
}

fn line(i: &Item) -> String {
    let note = if i.value.note.is_empty() { String::new() } else { format!("  {}", i.value.note) };
    match i.bits {
        0 => format!("({} {})  ; +{}{note}", i.name, i.value.ty, i.bit / 8),
        n => format!("({} (bits {} {n}))  ; +{}.{}{note}", i.name, i.value.ty, i.bit / 8, i.bit % 8),
    }
}

/// The lines below a form's head, up to its closing parenthesis, which must not fall into a comment.
fn body(lines: &[String]) -> String {
    let mut out = String::new();
    for l in lines {
        out.push_str("\n  ");
        out.push_str(l);
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use crate::{Btf, BtfBuilder, MemberDef, int_encoding};

    /// What C lays out by rules that the language has not: anonymous members, a hole, a gap of bits, a packed struct and
    /// union, an enum of a byte, room at the end, names that differ in case only.
    #[test]
    fn a_struct_with_everything() {
        let mut b = BtfBuilder::new();
        let int = b.int("int", 4, int_encoding::SIGNED);
        let long = b.int("unsigned long", 8, 0);
        let chr = b.int("char", 1, 0);
        let comm = b.array(chr, 16);
        let s = b.reserve_struct("task");
        let ptr = b.ptr(s);
        let pointers = b.array(ptr, 2);
        let inner = b.union("", 4, &[MemberDef::at("a", int, 0), MemberDef::at("b", chr, 0)]);
        let lifted = b.structure("", 8, &[MemberDef::at("x", int, 0), MemberDef::at("X", int, 4)]);
        let tight = b.structure("tight", 5, &[MemberDef::at("c", chr, 0), MemberDef::at("n", int, 1)]);
        let odd = b.union("odd", 5, &[MemberDef::at("n", int, 0), MemberDef::at("t", tight, 0)]);
        let small = b.enumeration("small", 1, false, &[("ONE", 1)]);
        let state = b.enumeration("state", 4, true, &[("GONE", -1), ("HERE", 0)]);
        b.define(
            s,
            128,
            &[
                MemberDef::at("comm", comm, 0),
                MemberDef::at("parents", pointers, 16),
                MemberDef::at("", inner, 32),
                MemberDef { name: "flag", ty: int, bit_offset: 36 * 8 + 3, bits: 2 },
                MemberDef::at("both", inner, 40),
                MemberDef::at("", lifted, 44),
                MemberDef::at("odds", odd, 52),
                MemberDef::at("kind", small, 57),
                MemberDef::at("state", state, 60),
                MemberDef::at("last", long, 72),
            ],
        );
        let btf = Btf::parse(b.to_bytes()).unwrap();
        let want = "(defunion task--anon-1
  (a i32)  ; +0
  (b char)  ; +0
)
(defstruct (tight :packed)
  (c char)  ; +0
  (n i32)  ; +1
)
(defunion (odd :packed)
  (n i32)  ; +0
  (t tight)  ; +0
)
(defenum state
  (:GONE -1)
  (:HERE 0))
(defstruct task
  (comm (array char 16))  ; +0
  (parents (array (ptr task) 2))  ; +16
  (anon-1 task--anon-1)  ; +32
  (pad-1 (bits u8 3))  ; +36.0
  (flag (bits i32 2))  ; +36.3
  (both task--anon-1)  ; +40
  (x i32)  ; +44
  (X--2 i32)  ; +48  X
  (odds odd)  ; +52
  (kind u8)  ; +57  enum small
  (state state)  ; +60
  (pad-2 (array u8 8))  ; +64
  (last u64)  ; +72
  (pad-3 (array u8 48))  ; +80
)";
        assert_eq!(btf.lisp_declarations(&[s]).unwrap(), want);
        let last = btf.lisp_definition(s).unwrap();
        assert!(last.starts_with("(defstruct task\n") && want.ends_with(&last), "{last}");
    }

    /// What has no declaration is a comment, so that the text still can be read.
    #[test]
    fn what_can_not_be_declared() {
        let mut b = BtfBuilder::new();
        let int = b.int("int", 4, int_encoding::SIGNED);
        let over = b.structure("over", 8, &[MemberDef::at("a", int, 0), MemberDef::at("b", int, 2)]);
        let holds = b.structure("holds", 12, &[MemberDef::at("o", over, 0), MemberDef::at("n", int, 8)]);
        let wide = b.enumeration("wide", 8, false, &[("MOST", -1)]);
        let pid = b.typedef("pid_t", int);
        let none = b.structure("none", 0, &[]);
        let big = b.array(int, 1 << 20);
        let big = b.structure("big", 4 << 20, &[MemberDef::at("a", big, 0)]);
        let btf = Btf::parse(b.to_bytes()).unwrap();
        let said = |id| btf.lisp_declarations(&[id]).unwrap();
        assert_eq!(said(over), "; over can't be declared here: members of over lie over each other");
        let want =
            "(defstruct holds\n  (o (array u8 8))  ; +0  members of over lie over each other\n  (n i32)  ; +8\n)";
        assert_eq!(said(holds), want);
        let want = "; wide has 8 bytes, and an enum here 4: a field of it is u64\n(defconstant +wide-MOST+ 18446744073709551615)";
        assert_eq!(said(wide), want);
        assert_eq!(said(pid), "; pid_t is another name of i32");
        assert_eq!(said(none), "(defstruct none\n  (pad-1 (array u8 0))  ; +0\n)");
        assert_eq!(said(big), "; big can't be declared here: it has 4194304 bytes, more than a megabyte");
    }
}
