//! Types as written.

use std::rc::Rc;

use whistler_diag::Diagnostic;
use whistler_lisp::{Form, Symbol};

use crate::check::at;
use crate::diagnostics as diag;
use crate::env::Env;
use crate::hir::{IntTy, PtrTy, Space, Ty};
use crate::host::Interp;
use crate::names::{nearest, norm};

/// The scalar types by name.
const SCALARS: &[(&str, Ty)] = &[
    ("u8", Ty::Int(IntTy::U8)),
    ("u16", Ty::Int(IntTy::U16)),
    ("u32", Ty::Int(IntTy::U32)),
    ("u64", Ty::Int(IntTy::U64)),
    ("i8", Ty::Int(IntTy::I8)),
    ("i16", Ty::Int(IntTy::I16)),
    ("i32", Ty::Int(IntTy::I32)),
    ("i64", Ty::Int(IntTy::I64)),
    ("s8", Ty::Int(IntTy::I8)),
    ("s16", Ty::Int(IntTy::I16)),
    ("s32", Ty::Int(IntTy::I32)),
    ("s64", Ty::Int(IntTy::I64)),
    ("bool", Ty::Bool),
    ("char", Ty::Char),
    ("void", Ty::Void),
];

/// What C and others call them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("int", "i32"),
    ("unsigned", "u32"),
    ("uint", "u32"),
    ("short", "i16"),
    ("long", "i64"),
    ("size-t", "u64"),
    ("size_t", "u64"),
    ("int8", "i8"),
    ("int16", "i16"),
    ("int32", "i32"),
    ("int64", "i64"),
    ("uint8", "u8"),
    ("uint16", "u16"),
    ("uint32", "u32"),
    ("uint64", "u64"),
    ("int8_t", "i8"),
    ("int16_t", "i16"),
    ("int32_t", "i32"),
    ("int64_t", "i64"),
    ("uint8_t", "u8"),
    ("uint16_t", "u16"),
    ("uint32_t", "u32"),
    ("uint64_t", "u64"),
    ("__u8", "u8"),
    ("__u16", "u16"),
    ("__u32", "u32"),
    ("__u64", "u64"),
    ("__be16", "(be u16)"),
    ("__be32", "(be u32)"),
    ("byte", "u8"),
    ("string", "(array char n)"),
    ("fixnum", "i64"),
    ("integer", "i64"),
    ("unsigned-byte", "u64"),
];

thread_local! {
    static SCALAR_SYMBOLS: Vec<(Symbol, Ty)> =
        SCALARS.iter().map(|(n, t)| (Symbol::intern_static(n), t.clone())).collect();
}

/// The scalar type of a name.
pub fn scalar(name: Symbol) -> Option<Ty> {
    let key = norm(name);
    SCALAR_SYMBOLS.with(|s| s.iter().find(|(n, _)| *n == key).map(|(_, t)| t.clone()))
}

/// Whether a form is a type as written.
pub fn is_type(env: &Env, form: &Form) -> bool {
    match form.as_symbol() {
        Some(s) => !s.is_keyword() && named(env, s).is_some(),
        None => ["array", "ptr", "nullable", "be"].iter().any(|h| form.is_call(h)),
    }
}

/// The type of a name.
pub fn named(env: &Env, s: Symbol) -> Option<Ty> {
    if let Some(t) = scalar(s) {
        return Some(t);
    }
    if let Some(d) = env.structs.get(s) {
        return Some(Ty::Struct(d.clone()));
    }
    if let Some(e) = env.enums.get(s) {
        return Some(Ty::Enum(e.clone()));
    }
    if let Some(d) = crate::builtin::named(s) {
        return Some(Ty::Struct(d));
    }
    env.kernel_structs.get(&norm(s)).map(|n| Ty::Kernel(n.clone()))
}

/// The type that a form says.
pub fn parse(env: &mut Env, host: &mut Interp, form: &Form) -> Result<Ty, Box<Diagnostic>> {
    if let Some(s) = form.as_symbol() {
        if let Some(t) = named(env, s) {
            return Ok(t);
        }
        // A struct of the kernel may be named without being imported; whether it is there shows on use.
        if env.kernel_names.as_ref().is_some_and(|k| k(s.name())) {
            let name: Rc<str> = s.name().replace('-', "_").into();
            env.kernel_structs.insert(norm(s), name.clone());
            return Ok(Ty::Kernel(name));
        }
        let near = {
            let own = env.structs.names().chain(env.enums.names()).map(Symbol::name);
            nearest(s.name(), SCALARS.iter().map(|(n, _)| *n).chain(own)).map(str::to_string)
        };
        let mut d = diag::error(&diag::UNKNOWN_TYPE, &at(form), format!("there is no type `{s}`")).about(s.name());
        if let Some((_, ours)) = ELSEWHERE.iter().find(|(theirs, _)| s.is(theirs)) {
            d = d.help(format!("here it is `{ours}`"));
        } else if let Some(near) = near {
            d = d.help(format!("did you mean `{near}`?"));
        }
        return Err(Box::new(d));
    }
    let bad = |text: &str| Err(Box::new(diag::error(&diag::UNKNOWN_TYPE, &at(form), text.to_string())));
    let Some([head, rest @ ..]) = form.as_list() else { return bad("this is no type") };
    let Some(head) = head.as_symbol() else { return bad("this is no type") };
    if head.is("array") {
        let [elem, n] = rest else { return bad("an array type is written (array TYPE n)") };
        let elem = parse(env, host, elem)?;
        return array(host, elem, form, n);
    }
    if head.is("ptr") {
        let [to] = rest else { return bad("a pointer type is written (ptr TYPE)") };
        let to = match parse(env, host, to)? {
            Ty::Void => None,
            t => Some(t),
        };
        return Ok(Ty::ptr(Space::Unknown, to));
    }
    if head.is("nullable") {
        let [of] = rest else { return bad("written as (nullable (ptr TYPE))") };
        return match parse(env, host, of)? {
            Ty::Ptr(p) => Ok(Ty::Ptr(PtrTy { nullable: true, ..p })),
            _ => bad("only a pointer can be nullable"),
        };
    }
    if head.is("struct") || head.is("union") {
        let [name] = rest else { return bad("written as (struct NAME)") };
        return parse(env, host, name);
    }
    const HEADS: [&str; 6] = ["array", "ptr", "nullable", "struct", "union", "be"];
    if let Some(near) = nearest(head.name(), HEADS.into_iter()).filter(|n| !head.is(n)) {
        let text = format!("there is no type `({head} …)`");
        return Err(Box::new(
            diag::error(&diag::UNKNOWN_TYPE, &at(form), text).help(format!("did you mean `{near}`?")),
        ));
    }
    bad("this is no type: there are (array TYPE n), (ptr TYPE) and (nullable (ptr TYPE))")
}

/// The array of as many elements as `n` says.
pub fn array(host: &mut Interp, elem: Ty, form: &Form, n: &Form) -> Result<Ty, Box<Diagnostic>> {
    let bad = |text: &str| Err(Box::new(diag::error(&diag::UNKNOWN_TYPE, &at(form), text.to_string())));
    if elem.size() == 0 {
        return bad("an array needs elements of a known size");
    }
    let count = crate::host::eval_number(host, n)?;
    match count.and_then(|n| u32::try_from(n).ok()) {
        Some(n) if u64::from(n) * u64::from(elem.size()) < 1 << 31 => Ok(Ty::Array(Rc::new(elem), n)),
        _ => bad("the length of an array is a number from 0 to 2³¹ bytes"),
    }
}
