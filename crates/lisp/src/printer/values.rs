//! Values as text. Invariant: it ends on circular and very deep data, with an error.

use super::{abbreviation, char_text, string_text, symbol_text};
use crate::error::LispError;
use crate::heap::{Object, Stream};
use crate::interp::Interp;
use crate::{Symbol, Value, number};

/// How deep printed data may nest.
const DEPTH: usize = 1000;

/// How long printed text may get; circular lists reach it.
const LENGTH: usize = 16 << 20;

impl Interp {
    /// As the reader takes it.
    pub fn prin1(&mut self, v: Value) -> Result<String, LispError> {
        let mut out = String::new();
        self.write_value(v, true, &mut out, 0)?;
        Ok(out)
    }

    /// For people: strings and characters as they are.
    pub fn princ(&mut self, v: Value) -> Result<String, LispError> {
        if let Some(s) = self.heap.str(v) {
            return Ok(s.to_string());
        }
        if self.heap.record(v).is_some_and(|r| r.layout.condition) {
            return self.condition_message(v);
        }
        let mut out = String::new();
        self.write_value(v, false, &mut out, 0)?;
        Ok(out)
    }

    /// A short text for messages; never fails.
    pub fn show(&self, v: Value) -> String {
        let mut out = String::new();
        match self.write_value(v, true, &mut out, DEPTH - 8) {
            Ok(()) => super::cut(out),
            Err(_) => super::cut(out + "…"),
        }
    }

    fn write_value(&self, v: Value, escape: bool, out: &mut String, depth: usize) -> Result<(), LispError> {
        if depth >= DEPTH || out.len() > LENGTH {
            return Err(LispError::new(
                "control-stack-exhausted",
                crate::error::STACK_EXHAUSTED,
                "this value is too deep, too long or circular: it can't be printed",
            ));
        }
        if depth.is_multiple_of(16) {
            self.check_stack()?;
        }
        match v {
            Value::Symbol(s) if escape => out.push_str(&symbol_text(s)),
            Value::Symbol(s) => out.push_str(s.name()),
            Value::Int(i) => out.push_str(&i.to_string()),
            Value::Float(f) => out.push_str(&number::float_text(f)),
            Value::Char(c) if escape => out.push_str(&char_text(c)),
            Value::Char(c) => out.push(c),
            Value::Native(n) => {
                let name = self.natives.get(n as usize).map_or("", |d| d.name);
                out.push_str(&format!("#<function {name}>"));
            }
            Value::Unbound => out.push_str("#<unbound>"),
            Value::Cons(_) => self.write_list(v, escape, out, depth)?,
            Value::Object(_) => self.write_object(v, escape, out, depth)?,
        }
        Ok(())
    }

    fn write_list(&self, v: Value, escape: bool, out: &mut String, depth: usize) -> Result<(), LispError> {
        let (car, cdr) = self.heap.cons_parts(v).unwrap_or((Value::NIL, Value::NIL));
        if let (Value::Symbol(head), Some((arg, Value::NIL))) = (car, self.heap.cons_parts(cdr))
            && let Some(prefix) = abbreviation(head)
        {
            out.push_str(prefix);
            if prefix == "," && matches!(arg, Value::Symbol(s) if s.name().starts_with('@')) {
                out.push(' ');
            }
            return self.write_value(arg, escape, out, depth + 1);
        }
        out.push('(');
        let mut at = v;
        let mut first = true;
        while let Some((car, cdr)) = self.heap.cons_parts(at) {
            if !first {
                out.push(' ');
            }
            first = false;
            self.write_value(car, escape, out, depth + 1)?;
            at = cdr;
        }
        if !at.is_nil() {
            out.push_str(" . ");
            self.write_value(at, escape, out, depth + 1)?;
        }
        out.push(')');
        Ok(())
    }

    fn write_items(&self, items: &[Value], escape: bool, out: &mut String, depth: usize) -> Result<(), LispError> {
        for (n, item) in items.iter().enumerate() {
            if n > 0 {
                out.push(' ');
            }
            self.write_value(*item, escape, out, depth + 1)?;
        }
        Ok(())
    }

    fn write_object(&self, v: Value, escape: bool, out: &mut String, depth: usize) -> Result<(), LispError> {
        match self.heap.object(v) {
            Some(Object::Str(s)) if escape => out.push_str(&string_text(s)),
            Some(Object::Str(s)) => out.push_str(s),
            Some(Object::Big(b)) => out.push_str(&b.to_string()),
            Some(Object::Ratio(r)) => out.push_str(&format!("{}/{}", r.0, r.1)),
            Some(Object::Vector(x)) => {
                out.push_str("#(");
                self.write_items(&x.items, escape, out, depth)?;
                out.push(')');
            }
            Some(Object::Bytes(b)) => {
                let items: Vec<String> = b.iter().map(u8::to_string).collect();
                out.push_str(&format!("#({})", items.join(" ")));
            }
            Some(Object::Table(t)) => out.push_str(&format!("#<hash-table of {}>", t.len())),
            Some(Object::Closure(c)) if c.code.name.is_empty() => out.push_str("#<function>"),
            Some(Object::Closure(c)) => out.push_str(&format!("#<function {}>", c.code.name)),
            Some(Object::Record(r)) if r.layout.condition => out.push_str(&format!("#<condition {}>", r.layout.name)),
            Some(Object::Record(r)) => {
                out.push_str(&format!("#S({}", r.layout.name));
                for (slot, field) in r.layout.slots.iter().zip(&r.fields) {
                    out.push_str(&format!(" {} ", Symbol::keyword(slot.name())));
                    self.write_value(*field, escape, out, depth + 1)?;
                }
                out.push(')');
            }
            Some(Object::Foreign(f)) => out.push_str(&f.print()),
            Some(Object::Stream(Stream::Out)) => out.push_str("#<standard output>"),
            Some(Object::Stream(Stream::Err)) => out.push_str("#<standard error>"),
            Some(Object::Stream(_)) => out.push_str("#<string stream>"),
            Some(Object::Variable(_) | Object::Free) | None => out.push_str("#<nothing>"),
        }
        Ok(())
    }
}
