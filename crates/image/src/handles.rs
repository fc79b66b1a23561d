//! Maps, programs and links as Lisp values. They name what they stand for, so they stay good when it is redefined.

use std::rc::Rc;

use whistler_lisp::{Foreign, Interp, LispError, Value};

use crate::live::symbol_name;

/// A declared map.
pub(crate) struct MapHandle {
    /// Name as declared.
    pub name: String,
}

/// A declared program.
pub(crate) struct ProgramHandle {
    /// Name as declared.
    pub name: String,
}

/// A declared struct of operations.
pub(crate) struct OpsHandle {
    /// Name as declared.
    pub name: String,
}

/// A declared struct or enum.
pub(crate) struct TypeHandle {
    /// Name as declared.
    pub name: String,
}

/// A global or parameter.
pub(crate) struct GlobalRef {
    /// Name as declared.
    pub name: String,
}

/// An attachment.
pub(crate) struct LinkHandle {
    /// Its number in this image.
    pub id: u32,
    /// `on-exec → tracepoint …`.
    pub what: String,
}

macro_rules! foreign {
    ($type:ty, $name:literal, |$it:ident| $print:expr) => {
        impl Foreign for $type {
            fn type_name(&self) -> &str {
                $name
            }
            fn print(&self) -> String {
                let $it = self;
                $print
            }
        }
    };
}
foreign!(MapHandle, "map", |m| format!("#<map {}>", m.name));
foreign!(ProgramHandle, "program", |p| format!("#<program {}>", p.name));
foreign!(OpsHandle, "struct-ops", |o| format!("#<struct-ops {}>", o.name));
foreign!(TypeHandle, "type", |t| format!("#<type {}>", t.name));
foreign!(GlobalRef, "global", |g| format!("#<global {}>", g.name));
foreign!(LinkHandle, "link", |l| format!("#<link {} {}>", l.id, l.what));

/// The name that a value gives: a handle's, a symbol's, a string's.
pub(crate) fn name_of(interp: &Interp, value: Value) -> Option<String> {
    if let Some(s) = value.as_symbol() {
        return Some(s.name().to_string());
    }
    if let Some(s) = interp.heap.str(value) {
        return Some(s.to_string());
    }
    let heap = &interp.heap;
    None.or_else(|| heap.downcast::<MapHandle>(value).map(|h| h.name.clone()))
        .or_else(|| heap.downcast::<ProgramHandle>(value).map(|h| h.name.clone()))
        .or_else(|| heap.downcast::<OpsHandle>(value).map(|h| h.name.clone()))
        .or_else(|| heap.downcast::<TypeHandle>(value).map(|h| h.name.clone()))
        .or_else(|| heap.downcast::<GlobalRef>(value).map(|h| h.name.clone()))
}

/// The symbol name of the program that a value means.
pub(crate) fn program_name(interp: &Interp, value: Value) -> Result<String, LispError> {
    let name = name_of(interp, value).ok_or_else(|| LispError::wrong_type(&interp.show(value), "a program"))?;
    Ok(symbol_name(&name))
}

/// A handle as a value.
pub(crate) fn value(interp: &mut Interp, handle: Rc<dyn Foreign>) -> Value {
    interp.heap.foreign(handle)
}
