//! Type predicates, `typep`, `coerce`, equality.

use super::Entry::{F1, F2, Many};
use super::{Table, wrong};
use crate::equality::{self, Test};
use crate::error::{LispError, LispResult};
use crate::heap::{Object, RecordLayout};
use crate::interp::Interp;
use crate::number::Number;
use crate::{Symbol, Value, arith};

/// How deep type specifiers nest and type definitions expand.
const TYPE_DEPTH: usize = 100;

macro_rules! is {
    ($name:literal, $type:literal) => {
        ($name, "value", F1(|i, v| Ok(i.is_type(v, $type).unwrap_or(false).into())))
    };
}

impl Interp {
    /// Whether a value is of a type without parameters; `None` for an unknown type.
    fn is_type(&self, v: Value, name: &str) -> Option<bool> {
        let o = self.heap.object(v);
        Some(match name {
            "t" => true,
            "nil" => false,
            "null" => v.is_nil(),
            "symbol" => matches!(v, Value::Symbol(_)),
            "keyword" => v.as_symbol().is_some_and(Symbol::is_keyword),
            "boolean" => matches!(v, Value::NIL | Value::T),
            "cons" => matches!(v, Value::Cons(_)),
            "list" => matches!(v, Value::Cons(_)) || v.is_nil(),
            "atom" => !matches!(v, Value::Cons(_)),
            "fixnum" => matches!(v, Value::Int(_)),
            "integer" => matches!(v, Value::Int(_)) || matches!(o, Some(Object::Big(_))),
            "bignum" => matches!(o, Some(Object::Big(_))),
            "ratio" => matches!(o, Some(Object::Ratio(_))),
            "rational" => matches!(v, Value::Int(_)) || matches!(o, Some(Object::Big(_) | Object::Ratio(_))),
            "float" | "double-float" | "single-float" => matches!(v, Value::Float(_)),
            "number" | "real" => arith::is_number(&self.heap, v),
            "bit" => matches!(v, Value::Int(0 | 1)),
            "unsigned-byte" => {
                arith::compare(&self.heap, v, Value::Int(0)).is_some_and(|o| o != std::cmp::Ordering::Less)
                    && !matches!(v, Value::Float(_))
            }
            "signed-byte" => self.is_type(v, "integer")?,
            "character" | "base-char" | "standard-char" => matches!(v, Value::Char(_)),
            "string" | "simple-string" => matches!(o, Some(Object::Str(_))),
            "vector" | "array" | "simple-array" => {
                matches!(o, Some(Object::Vector(_) | Object::Bytes(_) | Object::Str(_)))
            }
            "simple-vector" => matches!(o, Some(Object::Vector(_))),
            "sequence" => self.is_type(v, "list")? || self.is_type(v, "vector")?,
            "function" | "compiled-function" => matches!(v, Value::Native(_)) || matches!(o, Some(Object::Closure(_))),
            "hash-table" => matches!(o, Some(Object::Table(_))),
            "stream" => matches!(o, Some(Object::Stream(_))),
            "structure-object" => matches!(o, Some(Object::Record(r)) if !r.layout.condition),
            _ => return None,
        })
    }

    /// `typep`
    pub fn typep(&mut self, v: Value, t: Value) -> Result<bool, LispError> {
        self.typep_inner(v, t, 0)
    }

    fn typep_inner(&mut self, v: Value, t: Value, depth: usize) -> Result<bool, LispError> {
        if depth > TYPE_DEPTH {
            return Err(LispError::simple("this type is nested too deeply"));
        }
        if let Some(s) = t.as_symbol() {
            return self.is_named_type(v, s, &[], depth);
        }
        let parts = super::list(self, t)?;
        let Some((head, args)) = parts.split_first() else { return Ok(false) };
        let name = head.as_symbol().map_or("", |s| s.fold().name());
        Ok(match name {
            "or" => {
                for a in args {
                    if self.typep_inner(v, *a, depth + 1)? {
                        return Ok(true);
                    }
                }
                false
            }
            "and" => {
                for a in args {
                    if !self.typep_inner(v, *a, depth + 1)? {
                        return Ok(false);
                    }
                }
                true
            }
            "not" => !self.typep_inner(v, args.first().copied().unwrap_or(Value::NIL), depth + 1)?,
            "eql" => args.first().is_some_and(|a| equality::eql(&self.heap, *a, v)),
            "member" => args.iter().any(|a| equality::eql(&self.heap, *a, v)),
            "satisfies" => self.call(args.first().copied().unwrap_or(Value::NIL), &[v])?.is_true(),
            "unsigned-byte" | "signed-byte" => {
                let Some(n) = self.heap.as_bigint(v) else { return Ok(false) };
                let bits = args.first().and_then(|a| a.as_i64()).unwrap_or(i64::MAX);
                let negative = n < 0.into();
                let size = if negative { (-n - 1i32).bits() } else { n.bits() } as i64;
                if name == "unsigned-byte" { !negative && size <= bits } else { size < bits }
            }
            "integer" | "float" | "real" | "rational" | "number" | "mod" | "double-float" => {
                let (low, high) = if name == "mod" {
                    (Some(Value::Int(0)), args.first().copied())
                } else {
                    (args.first().copied(), args.get(1).copied())
                };
                let kind = if name == "mod" { "integer" } else { name };
                let inside = |i: &Interp, bound: Option<Value>, ok: fn(std::cmp::Ordering) -> bool| match bound {
                    Some(b) if arith::is_number(&i.heap, b) => arith::compare(&i.heap, v, b).is_some_and(ok),
                    _ => true,
                };
                self.is_type(v, kind).unwrap_or(false)
                    && inside(self, low, |o| o != std::cmp::Ordering::Less)
                    && if name == "mod" {
                        inside(self, high, |o| o == std::cmp::Ordering::Less)
                    } else {
                        inside(self, high, |o| o != std::cmp::Ordering::Greater)
                    }
            }
            _ => match head.as_symbol() {
                Some(s) => self.is_named_type(v, s, args, depth)?,
                None => false,
            },
        })
    }

    fn is_named_type(&mut self, v: Value, s: Symbol, args: &[Value], depth: usize) -> Result<bool, LispError> {
        if let Some(r) = self.is_type(v, s.fold().name()) {
            return Ok(r);
        }
        let s = s.unqualified();
        if let Some(f) = self.types.get(&s).copied() {
            let t = self.call(f, args)?;
            return self.typep_inner(v, t, depth + 1);
        }
        if let Some(r) = self.heap.record(v)
            && r.layout.is_named(s)
        {
            return Ok(true);
        }
        if let Some(f) = self.heap.as_foreign(v)
            && s.is(f.type_name())
        {
            return Ok(true);
        }
        if self.layouts.contains_key(&s) || self.condition_layout(s).is_some() {
            return Ok(false);
        }
        // A type nobody defined: no value is of it; kernel types of the user's are such.
        Ok(false)
    }

    /// The name of a value's type.
    pub(crate) fn type_name(&self, v: Value) -> String {
        match v {
            Value::NIL => "null".into(),
            Value::T => "boolean".into(),
            Value::Symbol(s) if s.is_keyword() => "keyword".into(),
            Value::Symbol(_) => "symbol".into(),
            Value::Int(_) => "fixnum".into(),
            Value::Float(_) => "double-float".into(),
            Value::Char(_) => "character".into(),
            Value::Cons(_) => "cons".into(),
            Value::Native(_) => "function".into(),
            Value::Unbound => "nothing".into(),
            Value::Object(_) => match self.heap.object(v) {
                Some(Object::Str(_)) => "string".into(),
                Some(Object::Vector(_)) => "vector".into(),
                Some(Object::Bytes(_)) => "byte-vector".into(),
                Some(Object::Big(_)) => "bignum".into(),
                Some(Object::Ratio(_)) => "ratio".into(),
                Some(Object::Table(_)) => "hash-table".into(),
                Some(Object::Closure(_)) => "function".into(),
                Some(Object::Record(r)) => r.layout.name.name().into(),
                Some(Object::Foreign(f)) => f.type_name().into(),
                Some(Object::Stream(_)) => "stream".into(),
                Some(Object::Variable(_) | Object::Free) | None => "nothing".into(),
            },
        }
    }
}

fn coerce(i: &mut Interp, v: Value, t: Value) -> LispResult {
    let name = t.as_symbol().map_or("", |s| s.fold().name());
    match name {
        "float" | "double-float" | "single-float" => Ok(Value::Float(arith::to_f64(&arith::number(i, v)?))),
        "integer" => match arith::number(i, v)? {
            Number::Int(_) | Number::Big(_) => Ok(v),
            _ => Err(wrong(i, v, "an integer")),
        },
        "character" => match (v, i.heap.designator(v)) {
            (Value::Char(_), _) => Ok(v),
            (_, Some(s)) if s.chars().count() == 1 => Ok(Value::Char(s.chars().next().unwrap_or(' '))),
            _ => Err(wrong(i, v, "a character")),
        },
        "function" => match v {
            Value::Symbol(s) => i.find_function(s).ok_or_else(|| i.undefined_function(s)),
            _ => Ok(v),
        },
        "t" => Ok(v),
        _ => {
            if i.typep(v, t)? {
                return Ok(v);
            }
            let f = Value::Symbol(Symbol::intern("%coerce-sequence"));
            i.call(f, &[v, t])
        }
    }
}

pub(super) const TABLE: Table = &[
    is!("null", "null"),
    is!("symbolp", "symbol"),
    is!("keywordp", "keyword"),
    is!("consp", "cons"),
    is!("listp", "list"),
    is!("atom", "atom"),
    is!("integerp", "integer"),
    is!("rationalp", "rational"),
    is!("floatp", "float"),
    is!("numberp", "number"),
    is!("realp", "real"),
    is!("characterp", "character"),
    is!("stringp", "string"),
    is!("vectorp", "vector"),
    is!("arrayp", "array"),
    is!("simple-vector-p", "simple-vector"),
    is!("functionp", "function"),
    is!("streamp", "stream"),
    ("not", "value", F1(|_, v| Ok(v.is_nil().into()))),
    (
        "endp",
        "list",
        F1(|i, v| match v {
            Value::Cons(_) => Ok(Value::NIL),
            Value::NIL => Ok(Value::T),
            v => Err(wrong(i, v, "a list")),
        }),
    ),
    ("eq", "value value", F2(|i, a, b| Ok(equality::same(&i.heap, Test::Eq, a, b).into()))),
    ("eql", "value value", F2(|i, a, b| Ok(equality::same(&i.heap, Test::Eql, a, b).into()))),
    ("equal", "value value", F2(|i, a, b| Ok(equality::same(&i.heap, Test::Equal, a, b).into()))),
    ("equalp", "value value", F2(|i, a, b| Ok(equality::same(&i.heap, Test::Equalp, a, b).into()))),
    ("typep", "value type &optional environment", Many(2, 3, |i, a| Ok(i.typep(a[0], a[1])?.into()))),
    ("type-of", "value", F1(|i, v| Ok(Value::Symbol(Symbol::intern(&i.type_name(v)))))),
    ("coerce", "value type", F2(coerce)),
    (
        "subtypep",
        "type type",
        F2(|i, a, b| {
            let layouts: Option<(std::rc::Rc<RecordLayout>, Symbol)> = match (a.as_symbol(), b.as_symbol()) {
                (Some(a), Some(b)) => i.layouts.get(&a).cloned().or_else(|| i.condition_layout(a)).map(|l| (l, b)),
                _ => None,
            };
            let r = a == b || b == Value::T || layouts.is_some_and(|(l, b)| l.is_named(b));
            i.set_values(&[r.into(), Value::T]);
            Ok(r.into())
        }),
    ),
];
