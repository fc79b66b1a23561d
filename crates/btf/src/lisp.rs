//! Types as declarations of the Lisp dialect. Invariant: the text can be read back as data, and is bounded whatever the
//! BTF says; what is anonymous is written out where it stands, what is named is only named.

use crate::error::BtfError;
use crate::raw::TypeId;
use crate::read::{Btf, Composite, Kind, MAX_DEPTH};

/// Longest text made for one type.
const MAX_TEXT: usize = 1 << 20;

impl Btf {
    /// The definition of a type as the language writes its own: `(defstruct x (a u32) …)`, each field on a line with its
    /// offset behind it. Anonymous members stand as `(struct …)` and `(union …)` without a name.
    pub fn lisp_definition(&self, id: TypeId) -> Result<String, BtfError> {
        let mut out = String::new();
        let t = self.ty(id)?;
        match t.get() {
            Kind::Struct(c) => {
                out.push_str(&format!("(defstruct {}", t.name));
                self.lisp_fields(c, 0, 1, &mut out)?;
                out.push(')');
            }
            Kind::Union(c) => {
                out.push_str(&format!("(defunion {}", t.name));
                self.lisp_fields(c, 0, 1, &mut out)?;
                out.push(')');
            }
            Kind::Enum(e) => {
                out.push_str(&format!("(defenum {}", if t.name.is_empty() { "anonymous" } else { t.name }));
                for (name, value) in e.values() {
                    let value = if e.signed { value.to_string() } else { (value as u64).to_string() };
                    grow(&mut out, &format!("\n  (:{name} {value})"), id)?;
                }
                out.push(')');
            }
            Kind::Func { proto, .. } => {
                let Kind::FuncProto(f) = self.ty(proto)?.get() else {
                    return Err(BtfError::WrongKind { id: proto, wanted: "prototype" });
                };
                let mut params = Vec::new();
                for p in f.params() {
                    params.push(format!("({} {})", p.name, self.lisp_type(p.ty)?));
                }
                out.push_str(&format!("(function {} ({}) {})", t.name, params.join(" "), self.lisp_type(f.ret)?));
            }
            Kind::Typedef(of) => out.push_str(&format!("(deftype {} {})", t.name, self.lisp_type(of)?)),
            _ => out.push_str(&self.lisp_type(id)?),
        }
        Ok(out)
    }

    fn lisp_fields(&self, c: Composite<'_>, base: u32, depth: usize, out: &mut String) -> Result<(), BtfError> {
        if depth > MAX_DEPTH {
            return Err(BtfError::TooDeep(TypeId::VOID));
        }
        for m in c.members() {
            let bit = base.saturating_add(m.bit_offset);
            let indent = "  ".repeat(depth);
            let inner = self.stripped(m.ty)?;
            let line = match (m.name, inner.get()) {
                ("", Kind::Struct(c) | Kind::Union(c)) => {
                    grow(out, &format!("\n{indent}({}", inner.kind().word()), m.ty)?;
                    self.lisp_fields(c, bit, depth + 1, out)?;
                    ")".to_string()
                }
                (name, _) if m.bits > 0 => {
                    let ty = self.lisp_type(m.ty)?;
                    format!("\n{indent}({name} (bits {ty} {}))  ; +{}.{}", m.bits, bit / 8, bit % 8)
                }
                (name, Kind::Struct(c) | Kind::Union(c)) if inner.name.is_empty() => {
                    grow(out, &format!("\n{indent}({name} ({}", inner.kind().word()), m.ty)?;
                    self.lisp_fields(c, bit, depth + 2, out)?;
                    format!("))  ; +{}", bit / 8)
                }
                (name, _) => format!("\n{indent}({name} {})  ; +{}", self.lisp_type(m.ty)?, bit / 8),
            };
            grow(out, &line, m.ty)?;
        }
        // A closing parenthesis must not fall into the last line's comment.
        if out.lines().next_back().is_some_and(|l| l.contains(';')) {
            out.push('\n');
            out.push_str(&"  ".repeat(depth - 1));
        }
        Ok(())
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

fn grow(out: &mut String, text: &str, id: TypeId) -> Result<(), BtfError> {
    if out.len() + text.len() > MAX_TEXT {
        return Err(BtfError::TooDeep(id));
    }
    out.push_str(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{Btf, BtfBuilder, MemberDef, int_encoding};

    #[test]
    fn a_struct_with_everything() {
        let mut b = BtfBuilder::new();
        let int = b.int("int", 4, int_encoding::SIGNED);
        let chr = b.int("char", 1, 0);
        let comm = b.array(chr, 16);
        let s = b.reserve_struct("task");
        let ptr = b.ptr(s);
        let pointers = b.array(ptr, 2);
        let inner = b.union("", 4, &[MemberDef::at("a", int, 0), MemberDef::at("b", chr, 0)]);
        b.define(
            s,
            64,
            &[
                MemberDef::at("comm", comm, 0),
                MemberDef::at("parents", pointers, 16),
                MemberDef::at("", inner, 32),
                MemberDef { name: "flag", ty: int, bit_offset: 36 * 8 + 3, bits: 2 },
                MemberDef::at("both", inner, 40),
            ],
        );
        let btf = Btf::parse(b.to_bytes()).unwrap();
        let want = "(defstruct task
  (comm (array char 16))  ; +0
  (parents (array (ptr task) 2))  ; +16
  (union
    (a i32)  ; +32
    (b char)  ; +32
  )
  (flag (bits i32 2))  ; +36.3
  (both (union
      (a i32)  ; +40
      (b char)  ; +40
    ))  ; +40
)";
        assert_eq!(btf.lisp_definition(s).unwrap(), want);
    }
}
