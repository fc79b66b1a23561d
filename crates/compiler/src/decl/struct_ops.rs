//! `defstruct-ops`: a struct of operations that the kernel calls, with programs for its functions. Invariant: what is
//! declared has members that the kernel's struct has, of the kernel's types; what is not set is null or 0.

use std::rc::Rc;

use whistler_btf::{Btf, Kind, TypeId, TypeKind, TypeSource};
use whistler_diag::Diagnostic;
use whistler_isa::{Target, same_name, struct_ops};
use whistler_lisp::{Form, Symbol};
use whistler_object::Registration;

use super::{Declared, Mode, duplicate, name_of, options, value_of};
use crate::check::at;
use crate::diagnostics as diag;
use crate::env::{DeclKind, Env};
use crate::hir::{OpsDef, OpsField, OpsValue, Space, Ty};
use crate::host::Interp;
use crate::kernel::{field_ty, size_of, strip};
use crate::names::nearest;

/// `(defstruct-ops name (:type STRUCT [:link nil]) (member value)…)`
pub fn declare(
    env: &mut Env,
    interp: &mut Interp,
    (target, types): (&Target, &dyn TypeSource),
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    mode: Mode,
) -> Option<Declared> {
    let name = name_of(diags, form)?;
    if duplicate(env, diags, name, DeclKind::StructOps, form, mode) {
        return None;
    }
    let items = form.as_list()?;
    let Some(opts) = items.get(2).and_then(Form::as_list) else {
        let d = diag::error(&diag::MALFORMED, &at(form), "the options of a struct of operations are missing");
        diags.push(d.help(format!("written as (defstruct-ops {name} (:type tcp_congestion_ops) (member program)…)")));
        return None;
    };
    let (of, registration) = header(target, diags, form, opts)?;
    let Some(btf) = types.btf() else {
        let why = types.btf_problem().unwrap_or_else(|| "there is no BTF".to_string());
        let text = format!("the kernel's types are needed for the members of `{of}`");
        diags.push(diag::error(&diag::NO_TYPES, &at(form), text).note(why));
        return None;
    };
    let of_name = of.to_string().replace('-', "_");
    let Some(kernel) = kernel_struct(btf, &of_name) else {
        let known = implementable(btf);
        let text = format!("this kernel has no struct of operations `{of_name}` that programs may implement");
        let d = diag::error(&diag::STRUCT_OPS, &at(of), text);
        diags.push(match nearest(&of_name, known.iter().map(String::as_str)) {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => d.note("it has none at all"),
            None => d.note(format!("it has {}", known.join(", "))),
        });
        return None;
    };
    let before = diags.len();
    let mut fields: Vec<(u32, OpsField)> = Vec::new();
    for item in &items[3..] {
        let Some((offset, field)) = member(env, interp, diags, btf, (&of_name, kernel), item) else { continue };
        if let Some((_, earlier)) = fields.iter().find(|(_, f)| f.name == field.name) {
            let text = format!("`{}` of `{name}` is set twice", field.name);
            diags.push(diag::error(&diag::DUPLICATE, &at(item), text).also(earlier.span, "set here first"));
            continue;
        }
        fields.push((offset, field));
    }
    fields.sort_by_key(|(offset, _)| *offset);
    let fields: Vec<OpsField> = fields.into_iter().map(|(_, f)| f).collect();
    if diags[before..].iter().all(|d| !d.is_error()) {
        missing(diags, &of_name, &fields, form);
    }
    if diags[before..].iter().any(Diagnostic::is_error) {
        return None;
    }
    let summary = format!("{name} · {of_name}, {} members set", fields.len());
    let def = OpsDef {
        name: name.name().into(),
        of: of_name.as_str().into(),
        fields,
        registration: registration.unwrap_or(match target.has(struct_ops::LINKS_SINCE) {
            true => Registration::Link,
            false => Registration::Update,
        }),
        span: form.span,
    };
    env.struct_ops.insert(name, Rc::new(def));
    env.note(name, DeclKind::StructOps, form.span);
    Some(Declared { name, kind: DeclKind::StructOps, summary })
}

/// The kernel's struct, and how it is registered where that is said.
fn header<'f>(
    target: &Target,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    opts: &'f [Form],
) -> Option<(&'f Form, Option<Registration>)> {
    let (mut of, mut registration) = (None, None);
    for (k, v) in options(diags, opts) {
        if k.is("type") && v.as_symbol().is_some() {
            of = Some(v);
        } else if k.is("type") {
            diags.push(diag::error(&diag::MALFORMED, &at(v), "`:type` is the name of a struct of the kernel"));
            return None;
        } else if k.is("link") {
            registration = Some(if v.is_nil() { Registration::Update } else { Registration::Link });
            if !v.is_nil() && !target.has(struct_ops::LINKS_SINCE) {
                let since = struct_ops::LINKS_SINCE;
                let text = format!(
                    "links to structs of operations came with kernel {since}, and the target is {}",
                    target.kernel
                );
                let help = format!("leave `:link` out, or compile for a later kernel: --target {since}");
                diags.push(diag::error(&diag::STRUCT_OPS, &at(v), text).help(help));
                return None;
            }
        } else {
            diags.push(super::no_option("defstruct-ops", opts, v, k, &["type", "link"]));
            return None;
        }
    }
    match of {
        Some(of) => Some((of, registration)),
        None => {
            let d = diag::error(&diag::MALFORMED, &at(form), "the struct of the kernel's is missing");
            diags.push(d.help("name it: (:type tcp_congestion_ops)"));
            None
        }
    }
}

/// The struct of operations of that name, if programs may implement it.
pub(crate) fn kernel_struct(btf: &Btf, name: &str) -> Option<TypeId> {
    let value = btf.find(&format!("{}{name}", struct_ops::VALUE_PREFIX), TypeKind::Struct).ok()??;
    let members = btf.ty(value).ok()?.composite()?;
    let id = members.members().find(|m| m.name == "data").map(|m| strip(btf, m.ty))?;
    btf.ty(id).ok().filter(|t| t.name == name).map(|_| id)
}

/// The names of all of them.
pub(crate) fn implementable(btf: &Btf) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let _ = btf.for_each_name(|_, n, k| {
        let name = n.strip_prefix(struct_ops::VALUE_PREFIX).filter(|_| k == TypeKind::Struct);
        out.extend(name.filter(|n| kernel_struct(btf, n).is_some()).map(str::to_string));
    });
    out.sort();
    out
}

/// Whether a member is a function, and which.
pub(crate) fn function(btf: &Btf, member: TypeId) -> Option<TypeId> {
    let Ok(Kind::Ptr(to)) = btf.ty(strip(btf, member)).map(|t| t.get()) else { return None };
    let to = strip(btf, to);
    matches!(btf.ty(to).map(|t| t.get()), Ok(Kind::FuncProto(_))).then_some(to)
}

/// `(member value)`: where it lies in the kernel's struct, and what is in it. `nil` sets nothing.
fn member(
    env: &mut Env,
    interp: &mut Interp,
    diags: &mut Vec<Diagnostic>,
    btf: &Btf,
    (of, kernel): (&str, TypeId),
    item: &Form,
) -> Option<(u32, OpsField)> {
    let Some([named, value]) = item.as_list() else {
        diags.push(diag::error(&diag::MALFORMED, &at(item), "a member is set as (member value)"));
        return None;
    };
    let Some(member) = named.as_symbol() else {
        diags.push(diag::error(&diag::MALFORMED, &at(named), "a member is named by a symbol"));
        return None;
    };
    let members = || btf.ty(kernel).ok().and_then(|t| t.composite()).into_iter().flat_map(|c| c.members());
    let Some(m) = members().find(|m| same_name(m.name, member.name())) else {
        let d = diag::error(&diag::UNKNOWN_NAME, &at(named), format!("{of} has no member `{member}` in this kernel"));
        diags.push(match nearest(member.name(), members().map(|m| m.name)) {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None => d.note(format!("its members: {}", members().map(|m| m.name).collect::<Vec<_>>().join(" "))),
        });
        return None;
    };
    let row = struct_ops::by_name(of);
    if row.is_some_and(|r| r.closed.contains(&m.name)) {
        let text = format!("`{}` of {of} can't be implemented by programs", m.name);
        diags.push(diag::error(&diag::STRUCT_OPS, &at(named), text));
        return None;
    }
    let set = |value: OpsValue| Some((m.bit_offset, OpsField { name: m.name.into(), value, span: item.span }));
    if function(btf, m.ty).is_some() {
        if value.is_nil() {
            return None;
        }
        return match value.as_symbol().filter(|s| !s.is_keyword()) {
            Some(program) => set(OpsValue::Program(program)),
            None => {
                let text = format!("`{}` of {of} is a function, and this names no program", m.name);
                diags.push(diag::error(&diag::STRUCT_OPS, &at(value), text).help("give the name of a `defprog`"));
                None
            }
        };
    }
    let of_enum = match btf.ty(strip(btf, m.ty)).map(|t| (t.name, t.get())) {
        Ok((name, Kind::Enum(_))) => Some(name.into()),
        _ => None,
    };
    let ty = field_ty(btf, m.ty, Space::Kernel);
    let ty = ty.filter(|t| !matches!(t, Ty::Ptr(_) | Ty::Kernel(_)) && m.bits == 0 && size_of(btf, m.ty) == t.size());
    let Some(ty) = ty else {
        let text = format!("`{}` of {of} is the kernel's own, and can't be set", m.name);
        diags.push(diag::error(&diag::STRUCT_OPS, &at(named), text));
        return None;
    };
    let bytes = data(env, interp, diags, btf, (of, m.name, m.ty), &ty, value)?;
    set(OpsValue::Data { ty, of_enum, bytes })
}

/// The bytes of a member that is no function.
fn data(
    env: &mut Env,
    interp: &mut Interp,
    diags: &mut Vec<Diagnostic>,
    btf: &Btf,
    (of, name, id): (&str, &str, TypeId),
    ty: &Ty,
    value: &Form,
) -> Option<Vec<u8>> {
    if let Ty::Array(elem, n) = ty {
        let text = value.as_str().filter(|_| elem.size() == 1);
        let Some(text) = text else {
            let d = diag::error(&diag::STRUCT_OPS, &at(value), format!("`{name}` of {of} is text, and this is none"));
            diags.push(d.help("give a string: \"…\""));
            return None;
        };
        // The kernel wants the 0 that ends it.
        if text.len() >= *n as usize || text.is_empty() || text.contains('\0') {
            let text = format!("`{name}` of {of} holds 1 to {} characters, and this has {}", n - 1, text.len());
            diags.push(diag::error(&diag::STRUCT_OPS, &at(value), text));
            return None;
        }
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(*n as usize, 0);
        return Some(bytes);
    }
    let n = match named_number(btf, of, id, value) {
        Some(n) => n,
        None if value.is_nil() => 0,
        None => match value_of(env, interp, value) {
            Ok(Some(n)) => n,
            Ok(None) => {
                let text = format!("`{name}` of {of} is {ty}, and this is no number");
                diags.push(diag::error(&diag::STRUCT_OPS, &at(value), text));
                return None;
            }
            Err(d) => {
                diags.push(*d);
                return None;
            }
        },
    };
    let bits = ty.size() * 8;
    if !(-(1i128 << (bits - 1))..(1i128 << bits)).contains(&n) {
        diags.push(diag::error(
            &diag::STRUCT_OPS,
            &at(value),
            format!("{n} does not fit `{name}` of {of}, which is {ty}"),
        ));
        return None;
    }
    Some((n as i64).to_le_bytes()[..ty.size() as usize].to_vec())
}

/// A number by its name: of the member's own enum, or one that only the kernel's headers have, also where several are
/// joined by `logior`.
fn named_number(btf: &Btf, of: &str, id: TypeId, value: &Form) -> Option<i128> {
    if let (Some(head), Some(items)) = (value.head(), value.as_list())
        && head.is("logior")
    {
        return items[1..].iter().try_fold(0, |all, f| Some(all | named_number(btf, of, id, f)?));
    }
    let name: Symbol = value.as_symbol()?;
    let own = match btf.ty(strip(btf, id)).map(|t| t.get()) {
        Ok(Kind::Enum(e)) => {
            e.values().find(|(n, _)| same_name(n, name.name().trim_start_matches(':'))).map(|(_, v)| v)
        }
        _ => None,
    };
    own.or_else(|| struct_ops::by_name(of)?.constant(name.name())).map(i128::from)
}

/// Reports members without which the kernel would refuse the struct.
fn missing(diags: &mut Vec<Diagnostic>, of: &str, fields: &[OpsField], form: &Form) {
    let required = struct_ops::by_name(of).map_or(&[][..], |r| r.required);
    let lacking = required.iter().filter(|any| !fields.iter().any(|f| any.contains(&&*f.name)));
    let lacking: Vec<String> = lacking.map(|any| format!("`{}`", any.join("` or `"))).collect();
    if !lacking.is_empty() {
        let text = format!("the kernel takes no {of} without {}", lacking.join(", "));
        diags.push(diag::error(&diag::STRUCT_OPS, &at(form), text));
    }
}
