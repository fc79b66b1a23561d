//! A type in C together with all that it needs, so that the text compiles by itself and has the kernel's layout.
//! Invariant: what C would lay out otherwise is written out, as padding or as a packed struct; every definition stands
//! once, behind those of its members.

use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::RefCell;

use crate::error::BtfError;
use crate::raw::{TypeId, TypeKind};
use crate::read::{Btf, Composite, Kind, MAX_DEPTH};

/// Longest text made for one type.
const MAX_TEXT: usize = 16 << 20;

impl Btf {
    /// The type's definition in C, behind the definitions and declarations that it needs.
    pub fn c_header(&self, id: TypeId) -> Result<String, BtfError> {
        let mut header = Header {
            btf: self,
            out: String::new(),
            done: FxHashSet::default(),
            named: FxHashSet::default(),
            aligns: RefCell::default(),
        };
        header.define(id, 0)?;
        Ok(header.out)
    }
}

struct Header<'a> {
    btf: &'a Btf,
    out: String,
    /// What is complete, or is being completed.
    done: FxHashSet<TypeId>,
    /// Tags that were declared, and typedefs.
    named: FxHashSet<(bool, &'a str)>,
    /// Alignments found out so far.
    aligns: RefCell<FxHashMap<TypeId, u32>>,
}

impl<'a> Header<'a> {
    /// The alignment that C gives the type as it is written here: packed structs have none.
    fn c_align(&self, id: TypeId, depth: usize) -> Result<u32, BtfError> {
        if depth > MAX_DEPTH {
            return Err(BtfError::TooDeep(id));
        }
        // Structs in structs in structs: each is asked about as often as all that hold it.
        if let Some(known) = self.aligns.borrow().get(&id) {
            return Ok(*known);
        }
        let t = self.btf.stripped(id)?;
        let align = match t.get() {
            Kind::Array { elem, .. } => self.c_align(elem, depth + 1)?,
            Kind::Struct(c) | Kind::Union(c) => match self.is_packed(c, depth)? {
                true => 1,
                false => self.members_align(c, depth)?,
            },
            // `long long` and `__int128` are as large as they are aligned.
            Kind::Int(i) => i.size.clamp(1, 16),
            _ => self.btf.align_of(id)?,
        };
        self.aligns.borrow_mut().insert(id, align);
        Ok(align)
    }

    fn members_align(&self, c: Composite<'_>, depth: usize) -> Result<u32, BtfError> {
        let mut align = 1;
        for m in c.members() {
            align = align.max(self.c_align(m.ty, depth + 1)?);
        }
        Ok(align)
    }

    /// Whether the members can lie where they do only without alignment.
    fn is_packed(&self, c: Composite<'_>, depth: usize) -> Result<bool, BtfError> {
        for m in c.members() {
            let align = self.c_align(m.ty, depth + 1)?;
            if m.bits == 0 && !m.bit_offset.is_multiple_of(align.saturating_mul(8)) {
                return Ok(true);
            }
            if m.bits != 0 {
                let unit = self.btf.size_of(m.ty)?.max(1).saturating_mul(8);
                if (m.bit_offset % unit).saturating_add(u32::from(m.bits)) > unit {
                    return Ok(true);
                }
            }
        }
        Ok(!c.size.is_multiple_of(self.members_align(c, depth)?))
    }

    fn push(&mut self, text: &str, id: TypeId) -> Result<(), BtfError> {
        if self.out.len() + text.len() > MAX_TEXT {
            return Err(BtfError::TooDeep(id));
        }
        self.out.push_str(text);
        Ok(())
    }

    /// Writes what a value of the type needs.
    fn define(&mut self, id: TypeId, depth: usize) -> Result<(), BtfError> {
        if depth > 8 * MAX_DEPTH {
            return Err(BtfError::TooDeep(id));
        }
        let t = self.btf.ty(id)?;
        match t.get() {
            Kind::Array { elem, .. } => self.define(elem, depth + 1),
            Kind::Const(of) | Kind::Volatile(of) | Kind::Restrict(of) | Kind::TypeTag(of) => self.define(of, depth + 1),
            Kind::Typedef(of) => {
                self.define(of, depth + 1)?;
                self.refer(id, depth + 1)
            }
            Kind::Struct(c) | Kind::Union(c) => {
                if !self.done.insert(id) {
                    return Ok(());
                }
                for m in c.members() {
                    self.define(m.ty, depth + 1)?;
                }
                if t.name.is_empty() {
                    return Ok(());
                }
                self.named.insert((true, t.name));
                let mut text = String::new();
                self.composite(id, 0, &mut text)?;
                self.push(&text, id)?;
                self.push(";\n\n", id)
            }
            _ => self.refer(id, depth + 1),
        }
    }

    /// Writes what a pointer to the type, or a function's mention of it, needs.
    fn refer(&mut self, id: TypeId, depth: usize) -> Result<(), BtfError> {
        if depth > 8 * MAX_DEPTH {
            return Err(BtfError::TooDeep(id));
        }
        let t = self.btf.ty(id)?;
        match t.get() {
            Kind::Struct(_) | Kind::Union(_) if t.name.is_empty() => self.define(id, depth + 1),
            Kind::Struct(_) | Kind::Union(_) | Kind::Fwd { .. } => {
                if self.named.insert((true, t.name)) {
                    let union = matches!(t.get(), Kind::Union(_) | Kind::Fwd { union: true });
                    self.push(&format!("{} {};\n", if union { "union" } else { "struct" }, t.name), id)?;
                }
                Ok(())
            }
            Kind::Enum(e) => {
                if !t.name.is_empty() && self.named.insert((true, t.name)) {
                    let text = self.btf.c_definition(id)?;
                    // C's own enums have four bytes at least.
                    let packed = if e.size < 4 { " __attribute__((packed))" } else { "" };
                    self.push(&format!("{}{packed};\n\n", text.trim_end_matches(';')), id)?;
                }
                Ok(())
            }
            Kind::Typedef(of) => {
                // What an array or a struct without a name is made of is written out where the typedef stands.
                match self.btf.stripped(of)?.get() {
                    Kind::Array { .. } => self.define(of, depth + 1)?,
                    _ => self.refer(of, depth + 1)?,
                }
                // The compiler knows this one by itself.
                if t.name != "__builtin_va_list" && self.named.insert((false, t.name)) {
                    let mut text = String::from("typedef ");
                    self.declaration(of, t.name, 0, &mut text)?;
                    self.push(&text, id)?;
                    self.push(";\n", id)?;
                }
                Ok(())
            }
            Kind::Array { elem, .. } => self.define(elem, depth + 1),
            Kind::Ptr(of) | Kind::Const(of) | Kind::Volatile(of) | Kind::Restrict(of) | Kind::TypeTag(of) => {
                self.refer(of, depth + 1)
            }
            Kind::FuncProto(f) => {
                self.refer(f.ret, depth + 1)?;
                for p in f.params() {
                    self.refer(p.ty, depth + 1)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A declaration; a struct without a name is written out with its layout.
    fn declaration(&self, id: TypeId, name: &str, depth: usize, out: &mut String) -> Result<(), BtfError> {
        let (mut at, mut arrays, mut qualifiers) = (id, String::new(), "");
        for _ in 0..MAX_DEPTH {
            let t = self.btf.ty(at)?;
            match t.get() {
                Kind::Struct(_) | Kind::Union(_) if t.name.is_empty() => {
                    out.push_str(qualifiers);
                    self.composite(at, depth, out)?;
                    if !name.is_empty() {
                        out.push_str(&format!(" {name}{arrays}"));
                    }
                    return Ok(());
                }
                // Its names may stand elsewhere as well.
                Kind::Enum(e) if t.name.is_empty() && depth > 0 => {
                    let int = match (e.size, e.signed) {
                        (8, false) => "unsigned long long",
                        (8, true) => "long long",
                        (_, false) => "unsigned int",
                        (_, true) => "int",
                    };
                    out.push_str(&format!("{qualifiers}{int} {name}{arrays}"));
                    return Ok(());
                }
                Kind::Array { elem, len } => {
                    arrays.push_str(&if len == 0 { "[0]".to_string() } else { format!("[{len}]") });
                    at = elem;
                }
                Kind::Const(of) => (qualifiers, at) = ("const ", of),
                Kind::TypeTag(of) => at = of,
                _ => break,
            }
        }
        let text = self.btf.c_declaration(id, name)?;
        // An array without a length may stand at the end only; one of no elements anywhere.
        out.push_str(&text.replace("[]", "[0]"));
        Ok(())
    }

    fn composite(&self, id: TypeId, depth: usize, out: &mut String) -> Result<(), BtfError> {
        if depth > MAX_DEPTH || out.len() > MAX_TEXT {
            return Err(BtfError::TooDeep(id));
        }
        let t = self.btf.ty(id)?;
        let (Kind::Struct(c) | Kind::Union(c)) = t.get() else { return Ok(()) };
        let union = t.kind() == TypeKind::Union;
        let packed = self.is_packed(c, 0)?;
        let tabs = "\t".repeat(depth + 1);
        out.push_str(&format!("{}{}{} {{\n", t.kind().word(), if t.name.is_empty() { "" } else { " " }, t.name));
        let (mut end, mut largest, mut pads) = (0u32, 0u32, 0u32);
        for m in c.members() {
            let align = if packed { 1 } else { self.c_align(m.ty, 0)? };
            let size = self.btf.size_of(m.ty)?;
            let unit = size.max(1).saturating_mul(8);
            let bits = u32::from(m.bits);
            let natural = match bits {
                0 => next_multiple(end, align.saturating_mul(8)),
                _ if packed || (end % unit).saturating_add(bits) <= unit => end,
                _ => next_multiple(end, unit),
            };
            if !union && natural < m.bit_offset {
                pads = pad(out, &tabs, end, m.bit_offset, bits != 0, pads);
            }
            out.push_str(&tabs);
            self.declaration(m.ty, m.name, depth + 1, out)?;
            if bits != 0 {
                out.push_str(&format!(" : {bits}"));
            }
            out.push_str(";\n");
            let width = if bits == 0 { size.saturating_mul(8) } else { bits };
            end = if union { 0 } else { m.bit_offset.saturating_add(width) };
            largest = largest.max(width.div_ceil(8));
        }
        let align = if packed { 1 } else { self.members_align(c, 0)? };
        let natural = next_multiple(if union { largest } else { end.div_ceil(8) }, align);
        if natural < c.size {
            if union {
                out.push_str(&format!("{tabs}char __size[{}];\n", c.size));
            } else {
                pad(out, &tabs, end, c.size.saturating_mul(8), false, pads);
            }
        }
        out.push_str(&"\t".repeat(depth));
        out.push_str(if packed { "} __attribute__((packed))" } else { "}" });
        Ok(())
    }
}

/// As far as it goes: sizes come from foreign bytes.
fn next_multiple(n: u32, of: u32) -> u32 {
    n.checked_next_multiple_of(of).unwrap_or(u32::MAX)
}

/// Writes members without a meaning from one bit to another; how many there are then.
fn pad(out: &mut String, tabs: &str, from: u32, to: u32, bit_field_next: bool, count: u32) -> u32 {
    let (first, last) = (from.div_ceil(8).saturating_mul(8), to / 8 * 8);
    let mut count = count;
    if bit_field_next && first > last {
        // Within one byte.
        out.push_str(&format!("{tabs}unsigned char : {};\n", to - from));
        return count;
    }
    if !from.is_multiple_of(8) && (bit_field_next || first < last) {
        out.push_str(&format!("{tabs}unsigned char : {};\n", first - from));
    }
    if first < last {
        out.push_str(&format!("{tabs}char __pad{count}[{}];\n", (last - first) / 8));
        count += 1;
    }
    if to > last && bit_field_next {
        out.push_str(&format!("{tabs}unsigned char : {};\n", to - last));
    }
    count
}
