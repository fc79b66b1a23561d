//! Bytes of the kernel's world as Lisp values, and back, by declared types.
//! Invariant: a codec is made once per type and then only follows its plan; what does not fit is an
//! error, never cut silently.

use std::rc::Rc;

use whistler_compiler::hir::{EnumDef, StructDef, Ty};
use whistler_lisp::{Heap, Interp, LispError, RecordLayout, Symbol, Value};

/// How a type's bytes are read and written.
#[derive(Clone, Debug)]
pub struct Codec {
    size: usize,
    plan: Plan,
}

#[derive(Clone, Debug)]
enum Plan {
    /// An integer.
    Int { signed: bool, big_endian: bool },
    /// A member's keyword, or the number where no member has it.
    Enum(Rc<EnumDef>),
    /// 0 is `nil`, all else `t`.
    Bool,
    /// One character.
    Char,
    /// Characters up to the first NUL.
    Text,
    /// Bytes as they are.
    Bytes,
    /// Elements, as a vector.
    Array(Rc<Codec>, usize),
    /// Fields, as a record.
    Record(Rc<RecordPlan>),
}

#[derive(Debug)]
struct RecordPlan {
    layout: Rc<RecordLayout>,
    fields: Vec<FieldPlan>,
}

#[derive(Debug)]
struct FieldPlan {
    name: Rc<str>,
    offset: usize,
    bits: Option<(u8, u8)>,
    codec: Codec,
}

impl Codec {
    /// The codec of a type. Pointers and kernel types are read as numbers and bytes, structs as records of the
    /// type that the host knows under their name, so that its functions take them.
    pub fn new(ty: &Ty, host: &Interp) -> Codec {
        let size = ty.size() as usize;
        let plan = match ty {
            Ty::Int(i) => Plan::Int { signed: i.signed, big_endian: false },
            Ty::Ptr(_) => Plan::Int { signed: false, big_endian: false },
            Ty::Enum(e) => Plan::Enum(e.clone()),
            Ty::Bool => Plan::Bool,
            Ty::Char => Plan::Char,
            Ty::Array(elem, n) => match &**elem {
                Ty::Char => Plan::Text,
                elem => Plan::Array(Rc::new(Codec::new(elem, host)), *n as usize),
            },
            Ty::Struct(def) => Plan::Record(Rc::new(record_plan(def, host))),
            Ty::Void | Ty::Never | Ty::Kernel(_) | Ty::Map(_) => Plan::Bytes,
        };
        Codec { size, plan }
    }

    /// Its numbers, or those of its elements, lie in memory big-endian.
    fn reverse_numbers(&mut self) {
        match &mut self.plan {
            Plan::Int { big_endian, .. } => *big_endian = true,
            Plan::Array(elem, _) => {
                let mut reversed = (**elem).clone();
                reversed.reverse_numbers();
                *elem = Rc::new(reversed);
            }
            _ => {}
        }
    }

    /// The codec of bytes without a type: a number up to eight of them, else a vector of bytes.
    pub fn untyped(size: u32) -> Codec {
        let size = size as usize;
        let plan = match size {
            1 | 2 | 4 | 8 => Plan::Int { signed: false, big_endian: false },
            _ => Plan::Bytes,
        };
        Codec { size, plan }
    }

    /// Bytes of one value.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The names of a record's fields.
    pub fn field_names(&self) -> Option<Vec<&str>> {
        match &self.plan {
            Plan::Record(r) => Some(r.fields.iter().map(|f| &*f.name).collect()),
            _ => None,
        }
    }

    /// The layout of the records it makes.
    pub fn layout(&self) -> Option<&Rc<RecordLayout>> {
        match &self.plan {
            Plan::Record(r) => Some(&r.layout),
            _ => None,
        }
    }

    /// A value from bytes; bytes that are missing at the end read as 0.
    pub fn decode(&self, bytes: &[u8], heap: &mut Heap) -> Value {
        let bytes = bytes.get(..self.size).unwrap_or(bytes);
        match &self.plan {
            Plan::Int { signed, big_endian } => {
                let n = number(bytes, *big_endian);
                if !signed {
                    return heap.unsigned(n);
                }
                let shift = 64 - 8 * (self.size as u32).clamp(1, 8);
                Value::Int(((n << shift) as i64) >> shift)
            }
            Plan::Enum(e) => member(e, e.int.canonical(number(bytes, false) as i64)),
            Plan::Bool => Value::from(bytes.iter().any(|b| *b != 0)),
            Plan::Char => Value::Char(char::from(bytes.first().copied().unwrap_or(0))),
            Plan::Text => {
                let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
                let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
                heap.string(text)
            }
            Plan::Bytes => heap.bytes(bytes.to_vec()),
            Plan::Array(elem, n) => {
                let items = (0..*n).map(|i| elem.decode(bytes.get(i * elem.size..).unwrap_or(&[]), heap)).collect();
                heap.vector(items)
            }
            Plan::Record(r) => {
                let mut fields = [Value::NIL; 16];
                if r.fields.len() <= fields.len() {
                    for (slot, f) in fields.iter_mut().zip(&r.fields) {
                        *slot = f.decode(bytes, heap);
                    }
                    return heap.make_record(&r.layout, &fields[..r.fields.len()]);
                }
                let fields: Vec<Value> = r.fields.iter().map(|f| f.decode(bytes, heap)).collect();
                heap.make_record(&r.layout, &fields)
            }
        }
    }

    /// The bytes of a value. Errors: not of the type, or too large for it.
    pub fn encode(&self, value: Value, heap: &Heap) -> Result<Vec<u8>, LispError> {
        let mut out = vec![0; self.size];
        self.encode_into(value, heap, &mut out)?;
        Ok(out)
    }

    fn encode_into(&self, value: Value, heap: &Heap, out: &mut [u8]) -> Result<(), LispError> {
        // Bytes that are already in the kernel's form are taken as they are.
        if let Some(bytes) = heap.byte_slice(value) {
            if bytes.len() != out.len() {
                return Err(LispError::simple(format!("{} bytes given where {} are needed", bytes.len(), out.len())));
            }
            out.copy_from_slice(bytes);
            return Ok(());
        }
        match &self.plan {
            Plan::Int { signed, big_endian } => {
                let n = match value {
                    Value::Char(c) => i128::from(u32::from(c)),
                    _ => heap.as_i128(value).ok_or_else(|| self.not_a(value, heap, "an integer"))?,
                };
                put(n, *signed, out)?;
                if *big_endian {
                    out.reverse();
                }
            }
            Plan::Enum(e) => {
                let n = match value {
                    Value::Symbol(s) if s.is_keyword() => e.value(s.name()).map(i128::from),
                    _ => heap.as_i128(value),
                };
                put(n.ok_or_else(|| self.not_a(value, heap, &format!("a member of {}", e.name)))?, e.int.signed, out)?;
            }
            Plan::Bool => out.fill(u8::from(value.is_true() && value != Value::Int(0))),
            Plan::Char => match value {
                Value::Char(c) if u32::from(c) < 256 => out.fill(c as u8),
                Value::Int(n @ 0..=255) => out.fill(n as u8),
                _ => return Err(self.not_a(value, heap, "a character of one byte")),
            },
            Plan::Text => {
                let text = heap.str(value).ok_or_else(|| self.not_a(value, heap, "a string"))?.as_bytes();
                let Some(to) = out.get_mut(..text.len()) else {
                    return Err(LispError::simple(format!(
                        "a string of {} bytes does not fit in {}",
                        text.len(),
                        self.size
                    )));
                };
                to.copy_from_slice(text);
            }
            Plan::Bytes => return Err(self.not_a(value, heap, &format!("a vector of {} bytes", self.size))),
            Plan::Array(elem, n) => {
                let items = match heap.items(value) {
                    Some(items) => items.to_vec(),
                    None => heap.list_items(value).ok_or_else(|| self.not_a(value, heap, "a vector or list"))?,
                };
                if items.len() > *n {
                    return Err(LispError::simple(format!("{} elements given where {n} fit", items.len())));
                }
                for (item, to) in items.iter().zip(out.chunks_mut(elem.size.max(1))) {
                    elem.encode_into(*item, heap, to)?;
                }
            }
            Plan::Record(r) => {
                let values: Vec<Value> = match heap.record(value) {
                    Some(record) if record.fields.len() >= r.fields.len() => record.fields.clone(),
                    _ => match heap.list_items(value) {
                        Some(items) if items.len() == r.fields.len() => items,
                        _ => {
                            return Err(self.not_a(
                                value,
                                heap,
                                &format!("a struct {0}: one is made by (make-{0} …)", r.layout.name.name()),
                            ));
                        }
                    },
                };
                for (f, v) in r.fields.iter().zip(values) {
                    f.encode(v, heap, out)?;
                }
            }
        }
        Ok(())
    }

    fn not_a(&self, value: Value, heap: &Heap, wanted: &str) -> LispError {
        let shown = match heap.str(value) {
            Some(s) => format!("{s:?}"),
            None => match (value, heap.as_i128(value)) {
                (Value::Symbol(s), _) => s.to_string(),
                (Value::Char(c), _) => format!("{c:?}"),
                (_, Some(n)) => n.to_string(),
                _ if heap.list_items(value).is_some() => "a list".to_string(),
                _ if heap.items(value).is_some() => "a vector".to_string(),
                _ => "this value".to_string(),
            },
        };
        LispError::wrong_type(&shown, wanted)
    }
}

impl FieldPlan {
    fn decode(&self, bytes: &[u8], heap: &mut Heap) -> Value {
        let at = bytes.get(self.offset..).unwrap_or(&[]);
        match self.bits {
            None => self.codec.decode(at, heap),
            Some((pos, width)) => {
                let bytes = at.iter().take(16).rev().fold(0u128, |n, b| (n << 8) | u128::from(*b));
                let n = (bytes >> pos) as u64 & mask(width);
                let shift = 64 - u32::from(width);
                let signed = ((n << shift) as i64) >> shift;
                match &self.codec.plan {
                    Plan::Int { signed: true, .. } => Value::Int(signed),
                    Plan::Enum(e) => member(e, if e.int.signed { signed } else { n as i64 }),
                    Plan::Bool => Value::from(n != 0),
                    _ => heap.unsigned(n),
                }
            }
        }
    }

    fn encode(&self, value: Value, heap: &Heap, out: &mut [u8]) -> Result<(), LispError> {
        let Some(to) = out.get_mut(self.offset..) else { return Ok(()) };
        let Some((pos, width)) = self.bits else {
            let len = self.codec.size.min(to.len());
            return self.codec.encode_into(value, heap, &mut to[..len]);
        };
        let most = i128::from(mask(width));
        let n = match (&self.codec.plan, value) {
            (Plan::Enum(e), Value::Symbol(s)) if s.is_keyword() => e.value(s.name()).map(i128::from),
            (Plan::Bool, v) => Some(i128::from(v.is_true() && v != Value::Int(0))),
            _ => heap.as_i128(value),
        };
        let n = n.filter(|n| (-(most / 2) - 1..=most).contains(n)).map(|n| n as u64 & mask(width));
        let n = n.ok_or_else(|| LispError::simple(format!("`{}` takes a number of {width} bits", self.name)))?;
        let bytes = (usize::from(pos) + usize::from(width)).div_ceil(8).min(to.len());
        for (i, b) in to[..bytes].iter_mut().enumerate() {
            let (m, v) = (u128::from(mask(width)) << pos, u128::from(n) << pos);
            *b = (*b & !((m >> (8 * i)) as u8)) | (v >> (8 * i)) as u8;
        }
        Ok(())
    }
}

/// A member's keyword; the number where there is none.
fn member(e: &EnumDef, n: i64) -> Value {
    e.member(n).map_or(Value::Int(n), |name| Value::Symbol(Symbol::keyword(name)))
}

/// Writes a number into as many bytes as there are. Errors: it does not fit.
fn put(n: i128, signed: bool, out: &mut [u8]) -> Result<(), LispError> {
    let bits = 8 * out.len() as u32;
    let (lo, hi) = if signed { (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1) } else { (0, (1i128 << bits) - 1) };
    // A negative number for an unsigned place means its bits, as in C.
    if n > hi || n < lo.min(-(1i128 << (bits - 1))) {
        return Err(LispError::simple(format!("{n} does not fit in {bits} bits")));
    }
    let len = out.len();
    out.copy_from_slice(&n.to_le_bytes()[..len]);
    Ok(())
}

fn mask(width: u8) -> u64 {
    if width >= 64 { u64::MAX } else { (1 << width) - 1 }
}

fn number(bytes: &[u8], big_endian: bool) -> u64 {
    let add = |n: u64, b: &u8| (n << 8) | u64::from(*b);
    if big_endian { bytes.iter().take(8).fold(0, add) } else { bytes.iter().take(8).rev().fold(0, add) }
}

fn record_plan(def: &StructDef, host: &Interp) -> RecordPlan {
    let fields: Vec<FieldPlan> = def
        .fields
        .iter()
        .map(|f| {
            let mut codec = Codec::new(&f.ty, host);
            if f.big_endian {
                codec.reverse_numbers();
            }
            FieldPlan { name: f.name.clone(), offset: f.offset as usize, bits: f.bits, codec }
        })
        .collect();
    let name = Symbol::intern(&def.name);
    let slots: Vec<Symbol> = fields.iter().map(|f| Symbol::intern(&f.name)).collect();
    let known = host.record_layout(name).filter(|l| l.slots == slots && l.parent.is_none() && !l.condition);
    let layout = known.cloned().unwrap_or_else(|| RecordLayout::new(name, slots));
    RecordPlan { layout, fields }
}

#[cfg(test)]
mod tests {
    use super::*;
    use whistler_compiler::hir::{Field, IntTy};
    use whistler_diag::Span;
    use whistler_lisp::NoIo;

    fn field(name: &str, ty: Ty, offset: u32) -> Field {
        Field { name: name.into(), ty, offset, bits: None, big_endian: false, span: Span::NONE }
    }

    fn event() -> Ty {
        let mut fields = vec![
            field("pid", Ty::U32, 0),
            field("delta", Ty::Int(IntTy::I16), 4),
            field("port", Ty::Int(IntTy::U16), 6),
            field("comm", Ty::Array(Rc::new(Ty::Char), 8), 8),
            field("total", Ty::U64, 16),
        ];
        fields[2].big_endian = true;
        Ty::Struct(Rc::new(StructDef {
            name: "event".into(),
            fields,
            size: 24,
            align: 8,
            union: false,
            span: Span::NONE,
        }))
    }

    #[test]
    fn a_record_goes_both_ways() {
        let mut heap = Heap::new();
        let codec = Codec::new(&event(), &Interp::new(Box::new(NoIo)));
        let mut bytes = vec![7, 0, 0, 0, 0xff, 0xff, 0x1f, 0x90];
        bytes.extend(b"sh\0garba");
        bytes.extend(u64::MAX.to_le_bytes());
        let v = codec.decode(&bytes, &mut heap);
        let r = heap.record(v).expect("a struct decodes to a record");
        let fields = r.fields.clone();
        assert_eq!(fields[0], Value::Int(7));
        assert_eq!(fields[1], Value::Int(-1));
        assert_eq!(fields[2], Value::Int(8080));
        assert_eq!(heap.str(fields[3]), Some("sh"));
        assert_eq!(heap.as_i128(fields[4]), Some(i128::from(u64::MAX)));
        let back = codec.encode(v, &heap).expect("what was decoded encodes");
        assert_eq!(&back[..8], &bytes[..8]);
        assert_eq!(&back[8..16], b"sh\0\0\0\0\0\0");
        assert_eq!(&back[16..], &bytes[16..]);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let mut heap = Heap::new();
        let host = Interp::new(Box::new(NoIo));
        let codec = Codec::new(&Ty::U32, &host);
        assert!(codec.encode(Value::Int(1 << 32), &heap).is_err());
        assert_eq!(codec.encode(Value::Int(-1), &heap).expect("bits"), [0xff; 4]);
        let s = heap.string("too long");
        assert!(Codec::new(&Ty::Array(Rc::new(Ty::Char), 4), &host).encode(s, &heap).is_err());
        assert!(codec.encode(s, &heap).is_err());
    }
}
