//! The unit's own types in BTF: what maps hold, what globals are, what functions take.

use rustc_hash::FxHashMap;
use whistler_btf::{BtfBuilder, CompositeKind, Linkage, MemberDef, TypeId, int_encoding};
use whistler_isa::{ContextKind, Kfunc};
use whistler_object::ExportedType;

use crate::hir::{Function, IntTy, MapDef, OpsDef, OpsValue, StructDef, Ty, Unit};
use crate::lower::{Lowered, symbol_name};

/// Ids of what the object refers to, each in the order of the unit's vectors.
pub(super) struct TypeIds {
    pub maps: Vec<MapTypes>,
    pub globals: Vec<u32>,
    pub strings: Vec<u32>,
    /// The description of the sites that emit.
    pub emits: u32,
    /// `FUNC`s.
    pub functions: Vec<u32>,
    pub exports: Vec<ExportedType>,
    pub struct_ops: Vec<OpsTypes>,
}

/// How a struct of operations lies in the object: only the members that are set.
pub(super) struct OpsTypes {
    pub id: u32,
    pub size: u32,
    /// Of its fields, in order.
    pub offsets: Vec<u32>,
}

/// The types of a map's keys and values.
pub(super) struct MapTypes {
    pub key: Option<u32>,
    pub value: Option<u32>,
    /// Of the maps inside.
    pub inner: Option<Box<MapTypes>>,
}

/// Completes the unit's BTF and gives its bytes; `emits` is how many bytes describe the sites that emit.
pub(super) fn build(unit: &Unit, lowered: &Lowered, emits: usize) -> (TypeIds, Vec<u8>) {
    let mut t = Types { btf: unit.btf.clone(), structs: FxHashMap::default(), opaque: FxHashMap::default() };
    // First what wants a struct of the kernel's as a struct: what needs only its name takes that, so that it is there once.
    lowered.kfuncs.iter().for_each(|k| t.kfunc(k));
    for f in unit.functions.iter().filter(|f| f.global && f.uses_ctx) {
        if let Some(ContextKind::Struct(name)) = f.ctx_type.map(|p| p.info().ctx) {
            t.opaque(name, CompositeKind::Struct);
        }
    }
    let struct_ops = unit.struct_ops.iter().map(|s| t.struct_ops(s)).collect();
    let maps = unit.maps.iter().map(|m| t.map(m)).collect();
    let globals = unit.globals.iter().map(|g| t.of(&g.ty).0).collect();
    let strings = lowered.strings.iter().map(|(_, bytes)| t.bytes(bytes.len() as u32).0).collect();
    let emits = if unit.emits.is_empty() { 0 } else { t.bytes(emits as u32).0 };
    let functions = unit.functions.iter().map(|f| t.function(f).0).collect();
    let mut exports: Vec<ExportedType> = Vec::new();
    for def in &unit.exports.structs {
        exports.push(ExportedType { id: t.composite(def).0, align: def.align });
    }
    for e in &unit.exports.enums {
        exports.push(ExportedType { id: t.of(&Ty::Enum(e.clone())).0, align: u32::from(e.int.size) });
    }
    (TypeIds { maps, globals, strings, emits, functions, exports, struct_ops }, t.btf.to_bytes())
}

struct Types {
    btf: BtfBuilder,
    /// Structs made so far, by address: a definition is one value, shared.
    structs: FxHashMap<*const StructDef, TypeId>,
    /// Structs of the kernel's in prototypes: a loader wants the same kind, and no members.
    opaque: FxHashMap<String, (CompositeKind, TypeId)>,
}

impl Types {
    fn map(&mut self, m: &MapDef) -> MapTypes {
        MapTypes {
            key: m.key.as_ref().map(|ty| self.of(ty).0),
            value: m.value.as_ref().map(|ty| self.of(ty).0),
            inner: m.inner.as_ref().map(|inner| Box::new(self.map(inner))),
        }
    }

    fn of(&mut self, ty: &Ty) -> TypeId {
        match ty {
            Ty::Void | Ty::Never | Ty::Map(_) => TypeId(0),
            Ty::Int(i) => {
                let encoding = if i.signed { int_encoding::SIGNED } else { 0 };
                let name = match (i.size, i.signed) {
                    (1, false) => "unsigned char",
                    (1, true) => "signed char",
                    (2, false) => "unsigned short",
                    (2, true) => "short",
                    (4, false) => "unsigned int",
                    (4, true) => "int",
                    (_, false) => "unsigned long long",
                    (_, true) => "long long",
                };
                self.btf.int(name, u32::from(i.size), encoding)
            }
            Ty::Enum(e) => {
                // As C names them, so that no two enums of a unit claim the same name.
                let names: Vec<String> = e
                    .members
                    .iter()
                    .map(|(n, _)| symbol_name(&format!("{}_{n}", e.name)).to_ascii_uppercase())
                    .collect();
                let values: Vec<(&str, i64)> =
                    names.iter().zip(&e.members).map(|(n, (_, v))| (n.as_str(), *v)).collect();
                self.btf.enumeration(&symbol_name(&e.name), u32::from(e.int.size), e.int.signed, &values)
            }
            Ty::Bool => self.btf.int("_Bool", 1, int_encoding::BOOL),
            Ty::Char => self.btf.int("char", 1, int_encoding::CHAR),
            Ty::Ptr(p) => {
                let to = match p.pointee.as_deref() {
                    Some(Ty::Kernel(name)) => self.named(name),
                    Some(to) => self.of(to),
                    None => TypeId(0),
                };
                self.btf.ptr(to)
            }
            Ty::Array(elem, n) => {
                let elem = self.of(elem);
                self.btf.array(elem, *n)
            }
            Ty::Kernel(name) => self.named(name),
            Ty::Struct(def) => self.composite(def),
        }
    }

    fn composite(&mut self, def: &std::rc::Rc<StructDef>) -> TypeId {
        let key = std::rc::Rc::as_ptr(def);
        if let Some(&id) = self.structs.get(&key) {
            return id;
        }
        let fields: Vec<(String, TypeId, u32, u8)> = def
            .fields
            .iter()
            .map(|f| {
                let (bit, width) = f.bits.unwrap_or((0, 0));
                let mut ty = self.of(&f.ty);
                if f.big_endian && f.ty.size() > 1 {
                    // As the kernel's own types say it.
                    ty = self.btf.typedef(&format!("__be{}", f.ty.size() * 8), ty);
                }
                (symbol_name(&f.name), ty, f.offset * 8 + u32::from(bit), width)
            })
            .collect();
        let members: Vec<MemberDef<'_>> = fields
            .iter()
            .map(|(name, ty, bit_offset, bits)| MemberDef { name, ty: *ty, bit_offset: *bit_offset, bits: *bits })
            .collect();
        let name = symbol_name(&def.name);
        let id = if def.union {
            self.btf.union(&name, def.size, &members)
        } else {
            self.btf.structure(&name, def.size, &members)
        };
        self.structs.insert(key, id);
        id
    }

    /// The kernel's struct by its name, with the members that are set, by theirs. Loaders put each where the running
    /// kernel has it.
    fn struct_ops(&mut self, def: &OpsDef) -> OpsTypes {
        let (mut end, mut offsets, mut members) = (0u32, Vec::new(), Vec::new());
        for f in &def.fields {
            let (ty, size, align) = match &f.value {
                OpsValue::Program(_) => {
                    let proto = self.btf.func_proto(TypeId(0), &[]);
                    (self.btf.ptr(proto), 8, 8)
                }
                OpsValue::Data { ty, of_enum: Some(name), .. } => {
                    let signed = ty.as_int().is_some_and(|i| i.signed);
                    (self.btf.enumeration(name, ty.size(), signed, &[]), ty.size(), ty.align())
                }
                OpsValue::Data { ty, .. } => (self.of(ty), ty.size(), ty.align()),
            };
            let at = end.next_multiple_of(align.max(1));
            end = at + size;
            offsets.push(at);
            members.push((f.name.clone(), ty, at));
        }
        let members: Vec<MemberDef<'_>> = members.iter().map(|(name, ty, at)| MemberDef::at(name, *ty, *at)).collect();
        let size = end.next_multiple_of(8).max(8);
        OpsTypes { id: self.btf.structure(&def.of, size, &members).0, size, offsets }
    }

    /// A struct or union of the kernel's, without members unless something asks about them.
    fn opaque(&mut self, name: &str, kind: CompositeKind) -> TypeId {
        if let Some((_, id)) = self.opaque.get(name).filter(|(k, _)| *k == kind) {
            return *id;
        }
        let id = match (self.btf.named_composite(name, kind), kind) {
            (Some(id), _) => id,
            (None, CompositeKind::Struct) => self.btf.structure(name, 0, &[]),
            (None, CompositeKind::Union) => self.btf.union(name, 0, &[]),
        };
        self.opaque.insert(name.to_string(), (kind, id));
        id
    }

    /// A struct of the kernel's of which only the name is needed: its layout is not ours.
    fn named(&mut self, name: &str) -> TypeId {
        match self.opaque.get(name) {
            Some((CompositeKind::Struct, id)) => *id,
            _ => match self.btf.named_composite(name, CompositeKind::Struct) {
                Some(id) => {
                    self.opaque.insert(name.to_string(), (CompositeKind::Struct, id));
                    id
                }
                None => self.btf.fwd(name, false),
            },
        }
    }

    fn bytes(&mut self, n: u32) -> TypeId {
        let char = self.of(&Ty::Char);
        self.btf.array(char, n)
    }

    /// The prototype by which loaders check that the kernel's function is the one meant.
    fn kfunc(&mut self, k: &Kfunc) {
        let params: Vec<(&str, TypeId)> = k.args.iter().map(|a| (a.name, self.c_type(a.c_type))).collect();
        let ret = self.c_type(k.ret_type);
        let proto = self.btf.func_proto(ret, &params);
        self.btf.func(k.name, proto, Linkage::Extern);
    }

    /// A type as the table of kernel functions writes it. Loaders compare kinds, not layouts: a struct has no members.
    fn c_type(&mut self, text: &str) -> TypeId {
        let text = text.trim();
        if let Some(to) = text.strip_suffix('*') {
            let to = self.c_type(to);
            return self.btf.ptr(to);
        }
        if let Some(of) = text.strip_prefix("const ") {
            let of = self.c_type(of);
            return self.btf.const_(of);
        }
        let composite = text.strip_prefix("struct ").map(|n| (n, false));
        if let Some((name, union)) = composite.or_else(|| text.strip_prefix("union ").map(|n| (n, true))) {
            return self.opaque(name, if union { CompositeKind::Union } else { CompositeKind::Struct });
        }
        if let Some(name) = text.strip_prefix("enum ") {
            return self.btf.enumeration(name, 4, false, &[]);
        }
        match text {
            "void" => TypeId(0),
            "bool" => self.of(&Ty::Bool),
            "char" => self.of(&Ty::Char),
            _ => match c_int(text) {
                Some(i) => self.of(&Ty::Int(i)),
                // A function: only its address is passed.
                None => {
                    let proto = self.btf.func_proto(TypeId(0), &[]);
                    self.btf.ptr(proto)
                }
            },
        }
    }

    fn function(&mut self, f: &Function) -> TypeId {
        let mut params: Vec<(String, TypeId)> = Vec::new();
        if f.program.is_some() || f.uses_ctx {
            let prog_type = f.program.as_ref().map(|p| p.prog_type).or(f.ctx_type);
            let to = match prog_type.map(|p| p.info().ctx) {
                // To recognise the context of a function it verifies on its own, the kernel wants a struct of that name.
                Some(ContextKind::Struct(name)) if f.global => self.opaque(name, CompositeKind::Struct),
                Some(ContextKind::Struct(name)) => self.named(name),
                _ => TypeId(0),
            };
            params.push(("ctx".to_string(), self.btf.ptr(to)));
        }
        for p in &f.params {
            let local = &f.locals[p.0 as usize];
            let ty = self.of(&local.ty);
            // The kernel wants every parameter of a function to have a name.
            let name = if local.name.is_empty() { format!("arg{}", params.len()) } else { symbol_name(&local.name) };
            params.push((name, ty));
        }
        let ret = match (&f.program, &f.ret) {
            // What the kernel calls returns an int.
            (Some(_), _) => self.btf.int("int", 4, int_encoding::SIGNED),
            // Nor does it verify what returns nothing, or let it go on in another program.
            (None, Ty::Void) if f.global || f.tail_calls() => self.btf.int("int", 4, int_encoding::SIGNED),
            (None, ret) => self.of(ret),
        };
        let params: Vec<(&str, TypeId)> = params.iter().map(|(n, t)| (n.as_str(), *t)).collect();
        let proto = self.btf.func_proto(ret, &params);
        self.btf.func(
            &symbol_name(&f.name),
            proto,
            if f.program.is_some() || f.global { Linkage::Global } else { Linkage::Static },
        )
    }
}

/// An integer type of the kernel's.
pub(crate) fn c_int(text: &str) -> Option<IntTy> {
    Some(match text {
        "u8" | "__u8" => IntTy::U8,
        "s8" => IntTy::I8,
        "u16" | "__u16" | "__be16" => IntTy::U16,
        "short int" => IntTy::I16,
        "u32" | "__u32" | "unsigned int" | "__be32" | "__wsum" => IntTy::U32,
        "s32" | "__s32" | "int" => IntTy::I32,
        "u64" | "__u64" | "size_t" | "long unsigned int" => IntTy::U64,
        "s64" | "__s64" | "long int" | "long" => IntTy::I64,
        _ => return None,
    })
}
