//! Types as C declarations. Invariant: the text is bounded, whatever the BTF says;
//! what is anonymous is written out where it stands, what is named is only named.

use crate::error::BtfError;
use crate::raw::TypeId;
use crate::read::{Btf, Composite, Enum, Kind, MAX_DEPTH};

/// Longest text made for one type.
const MAX_TEXT: usize = 1 << 20;

impl Btf {
    /// The definition of a type in C, as it would stand in a header: `struct x { … };`.
    pub fn c_definition(&self, id: TypeId) -> Result<String, BtfError> {
        let mut p = Printer { btf: self, out: String::new(), root: id };
        let t = self.ty(id)?;
        match t.get() {
            Kind::Struct(_) | Kind::Union(_) | Kind::Enum(_) => p.body(id, 0)?,
            Kind::Typedef(of) => {
                p.push("typedef ")?;
                p.declare(of, t.name, 0)?;
            }
            Kind::Func { proto, .. } => p.declare(proto, t.name, 0)?,
            Kind::Var { ty, .. } => p.declare(ty, t.name, 0)?,
            Kind::Datasec(d) => {
                p.push(&format!("/* section {}, {} bytes */", t.name, d.size))?;
                for v in d.vars() {
                    p.push("\n")?;
                    let var = self.ty(v.var)?;
                    let Kind::Var { ty, .. } = var.get() else { continue };
                    p.declare(ty, var.name, 0)?;
                    p.push(&format!("; /* {:+} */", v.offset))?;
                }
                return Ok(p.out);
            }
            _ => p.declare(id, "", 0)?,
        }
        p.push(";")?;
        Ok(p.out)
    }

    /// The type's name as C would write it in a declaration without a variable: `const struct x *`.
    pub fn c_type(&self, id: TypeId) -> Result<String, BtfError> {
        self.c_declaration(id, "")
    }

    /// A declaration of a variable of the type: `int (*f)(void)`.
    pub fn c_declaration(&self, id: TypeId, name: &str) -> Result<String, BtfError> {
        let mut p = Printer { btf: self, out: String::new(), root: id };
        p.declare(id, name, 0)?;
        Ok(p.out)
    }
}

struct Printer<'a> {
    btf: &'a Btf,
    out: String,
    root: TypeId,
}

impl<'a> Printer<'a> {
    fn push(&mut self, s: &str) -> Result<(), BtfError> {
        if self.out.len() + s.len() > MAX_TEXT {
            return Err(BtfError::TooDeep(self.root));
        }
        self.out.push_str(s);
        Ok(())
    }

    fn line(&mut self, depth: usize) -> Result<(), BtfError> {
        self.push("\n")?;
        self.push(&"\t".repeat(depth))
    }

    /// The inside-out way of C: the declarator grows around the name until the base type is reached.
    fn declare(&mut self, id: TypeId, name: &str, depth: usize) -> Result<(), BtfError> {
        let mut declarator = name.to_owned();
        let mut at = id;
        let mut qualifiers = String::new();
        let mut after_pointer = false;
        for _ in 0..MAX_DEPTH {
            if declarator.len() > MAX_TEXT {
                return Err(BtfError::TooDeep(self.root));
            }
            let t = self.btf.ty(at)?;
            match t.get() {
                Kind::Ptr(to) => {
                    declarator = format!("*{}{declarator}", pointer_qualifiers(&qualifiers, &declarator));
                    qualifiers.clear();
                    after_pointer = true;
                    at = to;
                }
                Kind::Array { elem, len } => {
                    let inner = if after_pointer { format!("({declarator})") } else { declarator };
                    declarator = if len == 0 { format!("{inner}[]") } else { format!("{inner}[{len}]") };
                    after_pointer = false;
                    at = elem;
                }
                Kind::FuncProto(f) => {
                    let inner = if after_pointer { format!("({declarator})") } else { declarator };
                    let mut params = vec![];
                    for p in f.params() {
                        if p.ty == TypeId::VOID && p.name.is_empty() {
                            params.push("...".to_owned());
                            continue;
                        }
                        if depth > MAX_DEPTH {
                            return Err(BtfError::TooDeep(self.root));
                        }
                        let mut inner = Printer { btf: self.btf, out: String::new(), root: self.root };
                        inner.declare(p.ty, p.name, depth + 1)?;
                        params.push(inner.out);
                        if self.out.len() + params.iter().map(String::len).sum::<usize>() > MAX_TEXT {
                            return Err(BtfError::TooDeep(self.root));
                        }
                    }
                    let params = if params.is_empty() { "void".to_owned() } else { params.join(", ") };
                    declarator = format!("{inner}({params})");
                    after_pointer = false;
                    at = f.ret;
                }
                Kind::Const(of) => {
                    // An array of `const` whose elements are `const` as well.
                    if !qualifiers.contains("const ") {
                        qualifiers.insert_str(0, "const ");
                    }
                    at = of;
                }
                Kind::Volatile(of) => {
                    qualifiers.insert_str(0, "volatile ");
                    at = of;
                }
                Kind::Restrict(of) => {
                    qualifiers.insert_str(0, "restrict ");
                    at = of;
                }
                Kind::TypeTag(of) => at = of,
                _ => {
                    self.push(&qualifiers)?;
                    self.base(at, depth)?;
                    if !declarator.is_empty() {
                        self.push(" ")?;
                        self.push(&declarator)?;
                    }
                    return Ok(());
                }
            }
        }
        Err(BtfError::TooDeep(self.root))
    }

    fn base(&mut self, id: TypeId, depth: usize) -> Result<(), BtfError> {
        let t = self.btf.ty(id)?;
        match t.get() {
            Kind::Void => self.push("void"),
            Kind::Struct(_) | Kind::Union(_) | Kind::Enum(_) if t.name.is_empty() => self.body(id, depth),
            Kind::Struct(_) | Kind::Union(_) | Kind::Enum(_) => {
                self.push(t.kind().word())?;
                self.push(" ")?;
                self.push(t.name)
            }
            Kind::Fwd { union } => {
                self.push(if union { "union " } else { "struct " })?;
                self.push(t.name)
            }
            Kind::Func { .. } | Kind::Var { .. } | Kind::Datasec(_) | Kind::DeclTag { .. } => {
                Err(BtfError::WrongKind { id, wanted: "type of a value" })
            }
            _ => self.push(t.name),
        }
    }

    fn body(&mut self, id: TypeId, depth: usize) -> Result<(), BtfError> {
        if depth > MAX_DEPTH {
            return Err(BtfError::TooDeep(self.root));
        }
        let t = self.btf.ty(id)?;
        self.push(t.kind().word())?;
        if !t.name.is_empty() {
            self.push(" ")?;
            self.push(t.name)?;
        }
        self.push(" {")?;
        match t.get() {
            Kind::Struct(c) | Kind::Union(c) => self.members(c, depth)?,
            Kind::Enum(e) => self.enumerators(e, depth)?,
            _ => {}
        }
        self.line(depth)?;
        self.push("}")
    }

    fn members(&mut self, c: Composite<'a>, depth: usize) -> Result<(), BtfError> {
        for m in c.members() {
            self.line(depth + 1)?;
            self.declare(m.ty, m.name, depth + 1)?;
            if m.bits > 0 {
                self.push(&format!(" : {}", m.bits))?;
            }
            self.push(";")?;
        }
        Ok(())
    }

    fn enumerators(&mut self, e: Enum<'a>, depth: usize) -> Result<(), BtfError> {
        for (name, value) in e.values() {
            self.line(depth + 1)?;
            let value = if e.signed { value.to_string() } else { (value as u64).to_string() };
            self.push(&format!("{name} = {value},"))?;
        }
        Ok(())
    }
}

/// Qualifiers between `*` and the name: `* const p`, `*const` when there is no name.
fn pointer_qualifiers(qualifiers: &str, declarator: &str) -> String {
    if qualifiers.is_empty() {
        return String::new();
    }
    let space = if declarator.is_empty() { qualifiers.trim_end() } else { qualifiers };
    format!(" {space}")
}
