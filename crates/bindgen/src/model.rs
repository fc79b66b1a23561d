//! What the outputs are made from. Invariant: a composite stands behind those that it contains.

use whistler_btf::{Btf, BtfError, Kind, TypeId};
use whistler_isa::MapType;
use whistler_object::{ExportedType, Mutability, Object};

/// How deep types may nest.
const DEPTH: u32 = 64;

/// Why there are no bindings.
#[derive(Debug, thiserror::Error)]
pub enum BindgenError {
    /// The object's types are broken.
    #[error("the object's types can't be read: {0}")]
    Btf(#[from] BtfError),
    /// A type that memory shared with user space can't hold.
    #[error("`{name}` can't be shared with other languages: {why}")]
    Type {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
}

/// A number in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scalar {
    /// 1, 2, 4 or 8 bytes.
    pub size: u32,
    /// Whether it has negative values.
    pub signed: bool,
    /// Whether memory holds it big-endian.
    pub big_endian: bool,
    /// The enum whose value it is: an index into [`Model::enums`].
    pub of: Option<usize>,
}

impl Scalar {
    /// A number in the order of the machine.
    pub fn plain(size: u32, signed: bool) -> Scalar {
        Scalar { size, signed, big_endian: false, of: None }
    }
}

/// A type of a value in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Type {
    /// A number; pointers are numbers of 8 bytes.
    Scalar(Scalar),
    /// 0 or 1.
    Bool,
    /// One character.
    Char,
    /// Elements in a row.
    Array(Box<Type>, u32),
    /// An index into [`Model::composites`].
    Composite(usize),
    /// Bytes of no known type.
    Bytes(u32),
}

impl Type {
    /// The same, a number where it is the value of an enum.
    pub fn plain(&self) -> Type {
        match self {
            Type::Scalar(s) => Type::Scalar(Scalar { of: None, ..*s }),
            other => other.clone(),
        }
    }
}

/// The enum whose value a number is.
pub(crate) fn enumeration<'m>(model: &'m Model, s: &Scalar) -> Option<&'m Enumeration> {
    model.enums.get(s.of?)
}

/// A member.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name (lower case, `_`).
    pub name: String,
    /// Its type; of a bit-field, what it reads as.
    pub ty: Type,
    /// Where it starts, in bits.
    pub bit_offset: u32,
    /// Bits of a bit-field; 0 for others.
    pub bits: u32,
}

impl GlobalInfo {
    /// `param` or `global`, for names.
    pub fn kind(&self) -> &'static str {
        if self.parameter { "param" } else { "global" }
    }

    /// What it is, in a few words.
    pub fn what(&self) -> &'static str {
        if self.parameter { "parameter, set before load" } else { "global" }
    }
}

impl Field {
    /// Where it starts, in bytes.
    pub fn offset(&self) -> u32 {
        self.bit_offset / 8
    }
}

/// A struct or union.
#[derive(Clone, Debug)]
pub struct Composite {
    /// Its name (lower case, `_`).
    pub name: String,
    /// Whether its members share their bytes.
    pub union: bool,
    /// Bytes.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
    /// In the order of the source.
    pub fields: Vec<Field>,
}

/// An enum.
#[derive(Clone, Debug)]
pub struct Enumeration {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u32,
    /// Whether a value is negative.
    pub signed: bool,
    /// Names with values.
    pub values: Vec<(String, i64)>,
}

/// A map.
#[derive(Clone, Debug)]
pub struct MapInfo {
    /// Its name in the object.
    pub name: String,
    /// Its type.
    pub map_type: MapType,
    /// `None` for maps without keys.
    pub key: Option<Type>,
    /// `None` for maps without values of their own (rings).
    pub value: Option<Type>,
    /// Entries, or bytes of a ring.
    pub max_entries: u32,
}

/// A global or parameter.
#[derive(Clone, Debug)]
pub struct GlobalInfo {
    /// Its name in the object, by which loaders set and read it.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Whether it is set before load and constant from then on.
    pub parameter: bool,
}

/// Everything that is shared.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Structs and unions.
    pub composites: Vec<Composite>,
    /// Enums.
    pub enums: Vec<Enumeration>,
    /// Constants.
    pub constants: Vec<(String, i128)>,
    /// Maps.
    pub maps: Vec<MapInfo>,
    /// Globals and parameters.
    pub globals: Vec<GlobalInfo>,
}

struct Reader<'a> {
    btf: &'a Btf,
    model: Model,
    known: Vec<(TypeId, usize)>,
    /// The types of the model's enums, in its order.
    enums: Vec<TypeId>,
    exports: &'a [ExportedType],
}

impl Model {
    /// The model of an object.
    pub fn new(object: &Object) -> Result<Model, BindgenError> {
        let mut model = Model { constants: object.exports.constants.clone(), ..Model::default() };
        let plain = |size: u32| match size {
            0 => None,
            1 | 2 | 4 | 8 => Some(Type::Scalar(Scalar::plain(size, false))),
            n => Some(Type::Bytes(n)),
        };
        if object.btf.is_empty() {
            model.maps.extend(object.maps.iter().map(|m| MapInfo {
                name: m.name.clone(),
                map_type: m.map_type,
                key: plain(m.key_size),
                value: plain(m.value_size),
                max_entries: m.max_entries,
            }));
            return Ok(model);
        }
        let btf = Btf::parse(object.btf.clone())?;
        let mut reader =
            Reader { btf: &btf, model, known: Vec::new(), enums: Vec::new(), exports: &object.exports.types };
        // Fields are of enums that may be declared behind them.
        let is_enum = |id: u32| btf.ty(TypeId(id)).is_ok_and(|t| matches!(t.get(), Kind::Enum(_)));
        let (enums, others): (Vec<&ExportedType>, Vec<&ExportedType>) =
            object.exports.types.iter().partition(|t| is_enum(t.id));
        for t in enums.into_iter().chain(others) {
            reader.export(TypeId(t.id))?;
        }
        for m in &object.maps {
            let key = m.key_type.map(|id| reader.ty(TypeId(id), 0)).transpose()?;
            let value = m.value_type.map(|id| reader.ty(TypeId(id), 0)).transpose()?;
            reader.model.maps.push(MapInfo {
                name: m.name.clone(),
                map_type: m.map_type,
                key: key.or_else(|| plain(m.key_size)),
                value: value.or_else(|| plain(m.value_size)),
                max_entries: m.max_entries,
            });
        }
        for g in object.globals.iter().filter(|g| g.section.is_none()) {
            // What has no type is not the user's: constant strings.
            let Some(id) = g.type_id else { continue };
            let ty = reader.ty(TypeId(id), 0)?;
            let parameter = g.mutability == Mutability::ReadOnly;
            reader.model.globals.push(GlobalInfo { name: g.name.clone(), ty, parameter });
        }
        Ok(reader.model)
    }

    /// Bytes of a type.
    pub fn size(&self, ty: &Type) -> u32 {
        match ty {
            Type::Scalar(s) => s.size,
            Type::Bool | Type::Char => 1,
            Type::Array(elem, n) => self.size(elem) * n,
            Type::Composite(i) => self.composites.get(*i).map_or(0, |c| c.size),
            Type::Bytes(n) => *n,
        }
    }

    /// The alignment of a type.
    pub fn align(&self, ty: &Type) -> u32 {
        match ty {
            Type::Scalar(s) => s.size,
            Type::Bool | Type::Char | Type::Bytes(_) => 1,
            Type::Array(elem, _) => self.align(elem),
            Type::Composite(i) => self.composites.get(*i).map_or(1, |c| c.align),
        }
    }
}

impl Reader<'_> {
    fn export(&mut self, id: TypeId) -> Result<(), BindgenError> {
        let t = self.btf.ty(id)?;
        if let Kind::Enum(e) = t.get() {
            let values = e.values().map(|(n, v)| (n.to_string(), v)).collect();
            let (name, size, signed) = (t.name.to_string(), e.size, e.signed);
            self.enums.push(id);
            self.model.enums.push(Enumeration { name, size, signed, values });
            return Ok(());
        }
        self.ty(id, 0).map(|_| ())
    }

    /// What BTF does not say: the alignment that the members lead to, if they lie as it wants.
    fn natural_align(&self, fields: &[Field], size: u32) -> u32 {
        let plain = fields.iter().filter(|f| f.bits == 0);
        let most = plain.clone().map(|f| self.model.align(&f.ty)).max().unwrap_or(1).max(1);
        let fits = plain.clone().all(|f| f.offset().is_multiple_of(self.model.align(&f.ty).max(1)));
        if fits && size.is_multiple_of(most) { most } else { 1 }
    }

    fn ty(&mut self, id: TypeId, depth: u32) -> Result<Type, BindgenError> {
        let t = self.btf.ty(id)?;
        let no = |why: &str| BindgenError::Type { name: t.name.to_string(), why: why.to_string() };
        if depth > DEPTH {
            return Err(no("it nests too deeply"));
        }
        let scalar = |size: u32, signed: bool| match size {
            1 | 2 | 4 | 8 => Ok(Type::Scalar(Scalar::plain(size, signed))),
            n => Err(BindgenError::Type { name: t.name.to_string(), why: format!("it is a number of {n} bytes") }),
        };
        match t.get() {
            Kind::Int(i) if i.bool && i.size == 1 => Ok(Type::Bool),
            Kind::Int(i) if i.size == 1 && (i.char || t.name == "char") => Ok(Type::Char),
            Kind::Int(i) => scalar(i.size, i.signed),
            Kind::Enum(e) => Ok(match (scalar(e.size, e.signed)?, self.enums.iter().position(|known| *known == id)) {
                (Type::Scalar(s), of) => Type::Scalar(Scalar { of, ..s }),
                (other, _) => other,
            }),
            Kind::Ptr(_) => scalar(8, false),
            Kind::Typedef(of) => Ok(match (self.ty(of, depth + 1)?, t.name.starts_with("__be")) {
                (Type::Scalar(s), true) => Type::Scalar(Scalar { big_endian: true, of: None, ..s }),
                (other, _) => other,
            }),
            Kind::Const(of) | Kind::Volatile(of) | Kind::Restrict(of) | Kind::TypeTag(of) => self.ty(of, depth + 1),
            Kind::Array { elem, len } => Ok(Type::Array(Box::new(self.ty(elem, depth + 1)?), len)),
            Kind::Struct(c) | Kind::Union(c) => {
                if let Some((_, i)) = self.known.iter().find(|(known, _)| *known == id) {
                    return Ok(Type::Composite(*i));
                }
                let union = matches!(t.get(), Kind::Union(_));
                let mut fields = Vec::new();
                for m in c.members() {
                    let ty = self.ty(m.ty, depth + 1)?;
                    let name = if m.name.is_empty() { format!("anon{}", fields.len()) } else { m.name.to_string() };
                    fields.push(Field { name, ty, bit_offset: m.bit_offset, bits: u32::from(m.bits) });
                }
                let name = match t.name {
                    "" => format!("anonymous_{}", id.0),
                    name => name.to_string(),
                };
                if self.model.composites.iter().any(|c| c.name == name) {
                    return Err(no("another struct has that name in the object"));
                }
                let stated = self.exports.iter().find(|t| t.id == id.0).map(|t| t.align);
                let align = stated.unwrap_or_else(|| self.natural_align(&fields, c.size));
                self.model.composites.push(Composite { name, union, size: c.size, align, fields });
                let i = self.model.composites.len() - 1;
                self.known.push((id, i));
                Ok(Type::Composite(i))
            }
            Kind::Float { .. } => Err(no("it is a floating-point number")),
            Kind::Void
            | Kind::Fwd { .. }
            | Kind::Func { .. }
            | Kind::FuncProto(_)
            | Kind::Var { .. }
            | Kind::Datasec(_)
            | Kind::DeclTag { .. } => Err(no("it is no type of a value")),
        }
    }
}
