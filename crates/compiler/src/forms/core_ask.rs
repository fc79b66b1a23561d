//! What a program asks of the kernel that it will run on: whether a field, a type, an enumerator is there, how large
//! or where it is. The answers are numbers put in at load, so that the verifier drops what they rule out.

use whistler_btf::{Btf, CoreKind, Kind, MemberDef, TypeId, TypeKind, int_encoding};
use whistler_lisp::{Form, Symbol};

use super::chain::{Way, WayStep, kernel_type, no_btf, path, record};
use super::{FormDef, MANY, form};
use crate::check::{Call, Checker, Val, at};
use crate::diagnostics as diag;
use crate::hir::{At, Expr, ExprKind, Ty};
use crate::kernel::{self, FieldInfo};
use crate::names::nearest;
use crate::views::KernelViews;

pub(super) static FORMS: &[FormDef] = &[
    form(
        "field-exists?",
        (2, MANY),
        field_exists,
        "(field-exists? STRUCT field…)",
        "1 if the running kernel's struct has the field.",
    ),
    form("field-size", (2, MANY), field_size, "(field-size STRUCT field…)", "Bytes of a field in the running kernel."),
    form("type-exists?", (1, 1), type_exists, "(type-exists? TYPE)", "1 if the running kernel has the type."),
    form(
        "type-matches?",
        (2, MANY),
        type_matches,
        "(type-matches? STRUCT field…)",
        "1 if the running kernel's struct has these fields with the types they have here.",
    ),
    form("type-id", (1, 1), type_id, "(type-id TYPE)", "The number of a type in the running kernel's BTF."),
    form("type-id-local", (1, 1), type_id_local, "(type-id-local TYPE)", "The number of a type in the program's BTF."),
    form("enum-value", (2, 2), enum_value, "(enum-value ENUM NAME)", "An enumerator's value in the running kernel."),
    form(
        "enum-value-exists?",
        (2, 2),
        enum_value_exists,
        "(enum-value-exists? ENUM NAME)",
        "1 if the running kernel's enum has the enumerator.",
    ),
];

/// What an instruction that asks for existence holds before it is answered: loaders compare it (libbpf's
/// `bpf_core_patch_insn`), whether or not the kernel at hand has what is asked for.
const THERE: i64 = 1;

fn answer(core: crate::hir::CoreId, local: i64, here: &At) -> Val {
    Val::new(ExprKind::CoreValue { core, local }, Ty::U64, here.clone())
}

fn named(c: &mut Checker<'_>, f: &Form, what: &str) -> Option<Symbol> {
    let s = f.as_symbol();
    if s.is_none() {
        c.malformed(f, format!("{what} is named by a symbol"));
    }
    s
}

/// The steps in `forms`: fields by their names, elements by their numbers.
fn ways(c: &mut Checker<'_>, forms: &[Form]) -> Option<Vec<Way>> {
    let way = |f| {
        let way = Way::of(f);
        if way.is_none() {
            c.malformed(f, "a field is named by a symbol, an element by its number");
        }
        way
    };
    forms.iter().map(way).collect()
}

fn field_exists(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let here = call.at();
    let (Some(name), Some(names)) = (named(c, &call.args[0], "a struct"), ways(c, &call.args[1..])) else {
        return Val::error(here);
    };
    let Some(root) = kernel_type(c, name.name(), &here) else { return Val::error(here) };
    let types = c.types.clone();
    let Some(btf) = types.btf() else { return Val::error(here) };
    let mut found: Vec<FieldInfo> = Vec::new();
    let mut id = root;
    for way in names {
        let info = match way.step {
            WayStep::Field(f) => match kernel::field(btf, id, f.name()) {
                Some(info) => info,
                None => return unknown_field_exists(c, btf, (root, &found, id), f, &here),
            },
            WayStep::Element(i) => match kernel::element(btf, id, i) {
                Some(info) => info,
                None => {
                    return c.fail(diag::error(
                        &diag::MALFORMED,
                        &here,
                        format!("element {i} is asked of what is no array"),
                    ));
                }
            },
        };
        id = kernel::strip(btf, info.ty);
        found.push(info);
    }
    match record(c, root, &found, CoreKind::FieldExists) {
        Some(core) => answer(core, THERE, &here).within(0, 1),
        None => Val::error(here),
    }
}

/// Whether a field is there that the kernel at hand does not have. Its type is not known, and a field is found only
/// under a type of its own kind, so each kind is asked.
fn unknown_field_exists(
    c: &mut Checker<'_>,
    btf: &Btf,
    (root, before, parent): (TypeId, &[FieldInfo], TypeId),
    field: Symbol,
    here: &At,
) -> Val {
    let name = field.name().replace('-', "_");
    let Ok(Kind::Struct(_) | Kind::Union(_)) = btf.ty(parent).map(|t| t.get()) else {
        let d = diag::error(&diag::MALFORMED, here, format!("`{name}` is asked of what is no struct"));
        return c.fail(d);
    };
    let out = &mut c.unit.btf;
    let int = out.int("int", 4, int_encoding::SIGNED);
    let kinds =
        [int, out.ptr(TypeId(0)), out.structure("", 0, &[]), out.array(int, 1), out.enumeration("", 4, false, &[])];
    let union = matches!(btf.ty(parent).map(|t| t.kind()), Ok(TypeKind::Union));
    let parent_name = btf.ty(parent).map_or("", |t| t.name);
    let mut sum: Option<Expr> = None;
    for ty in kinds {
        let member = [MemberDef::at(&name, ty, 0)];
        let shape = match union {
            true => c.unit.btf.union(parent_name, 8, &member),
            false => c.unit.btf.structure(parent_name, 8, &member),
        };
        let core = KernelViews::ask_field(&mut c.unit, shape, CoreKind::FieldExists);
        let one = answer(core, THERE, here).e;
        sum = Some(match sum {
            None => one,
            Some(s) => {
                Expr::new(ExprKind::Bin(crate::hir::BinOp::Or, Box::new(s), Box::new(one)), Ty::U64, here.clone())
            }
        });
    }
    let Some(mut sum) = sum else { return Val::error(here.clone()) };
    if !before.is_empty() {
        let Some(core) = record(c, root, before, CoreKind::FieldExists) else { return Val::error(here.clone()) };
        let outer = answer(core, THERE, here).e;
        sum = Expr::new(ExprKind::Bin(crate::hir::BinOp::And, Box::new(outer), Box::new(sum)), Ty::U64, here.clone());
    }
    Val::of(sum).within(0, 1)
}

/// A struct of the kernel and a path of its fields.
fn struct_path(c: &mut Checker<'_>, call: &Call<'_>) -> Option<(TypeId, Vec<FieldInfo>)> {
    let name = named(c, &call.args[0], "a struct")?;
    let names = ways(c, &call.args[1..])?;
    let root = kernel_type(c, name.name(), &call.at())?;
    let path = path(c, root, name.name(), &names)?;
    if path.len() < names.len() {
        c.malformed(&call.args[path.len() + 1], "what stands before it is no struct and no array");
        return None;
    }
    Some((root, path))
}

fn field_size(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some((root, path)) = struct_path(c, call) else { return Val::error(call.at()) };
    let types = c.types.clone();
    let (Some(btf), Some(last)) = (types.btf(), path.last()) else { return Val::error(call.at()) };
    let local = kernel::size_of(btf, last.ty);
    match record(c, root, &path, CoreKind::FieldByteSize) {
        Some(core) => answer(core, local.into(), &call.at()),
        None => Val::error(call.at()),
    }
}

/// A type of the kernel by name: any kind that can be asked about. `None` also when this kernel has none.
fn any_type(btf: &Btf, name: &str) -> Option<TypeId> {
    const KINDS: [TypeKind; 6] =
        [TypeKind::Struct, TypeKind::Union, TypeKind::Enum, TypeKind::Enum64, TypeKind::Typedef, TypeKind::Int];
    kernel::find_kinds(btf, name, &KINDS)
}

fn ask_type(c: &mut Checker<'_>, call: &Call<'_>, kind: CoreKind) -> Option<(Option<TypeId>, Val)> {
    let name = named(c, &call.args[0], "a type")?;
    let types = c.types.clone();
    let Some(btf) = types.btf() else {
        no_btf(c, &call.at());
        return None;
    };
    let id = any_type(btf, name.name());
    let written = match id.map(|id| btf.ty(id)) {
        Some(Ok(t)) => t.name.to_string(),
        _ => name.name().replace('-', "_"),
    };
    let local = c.kernel.named(btf, &mut c.unit.btf, &written, id);
    let core = KernelViews::ask(&mut c.unit, local, kind);
    let value = match kind {
        CoreKind::TypeIdLocal => i64::from(local.0),
        CoreKind::TypeIdTarget => id.map_or(0, |id| i64::from(id.0)),
        _ => THERE,
    };
    Some((id, answer(core, value, &call.at())))
}

fn type_exists(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    match ask_type(c, call, CoreKind::TypeExists) {
        Some((_, v)) => v.within(0, 1),
        None => Val::error(call.at()),
    }
}

fn known_type(c: &mut Checker<'_>, call: &Call<'_>, kind: CoreKind) -> Val {
    match ask_type(c, call, kind) {
        Some((Some(_), v)) => v,
        Some((None, _)) => {
            let text = format!("the kernel has no type `{}`", call.args[0]);
            c.fail(diag::error(&diag::UNKNOWN_TYPE, &at(&call.args[0]), text))
        }
        None => Val::error(call.at()),
    }
}

fn type_id(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    known_type(c, call, CoreKind::TypeIdTarget)
}

fn type_id_local(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    known_type(c, call, CoreKind::TypeIdLocal)
}

fn type_matches(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let (Some(name), Some(names)) = (named(c, &call.args[0], "a struct"), ways(c, &call.args[1..])) else {
        return Val::error(call.at());
    };
    let Some(root) = kernel_type(c, name.name(), &call.at()) else { return Val::error(call.at()) };
    let mut infos = Vec::new();
    for f in names {
        let Some(found) = path(c, root, name.name(), &[f]) else { return Val::error(call.at()) };
        infos.extend(found);
    }
    let types = c.types.clone();
    let Some(btf) = types.btf() else { return Val::error(call.at()) };
    let shape = c.kernel.shape(btf, &mut c.unit.btf, root, &infos);
    let core = KernelViews::ask(&mut c.unit, shape, CoreKind::TypeMatches);
    answer(core, THERE, &call.at()).within(0, 1)
}

/// An enum of the kernel and one of its names; the value is `None` where this kernel does not have it.
struct Enumerator {
    core: crate::hir::CoreId,
    value: Option<i64>,
    signed: bool,
    near: Option<String>,
    enum_name: String,
}

/// What is asked about an enumerator: where its enum and it are named.
struct Asked<'a> {
    of: &'a str,
    of_at: At,
    name: &'a str,
    kind: CoreKind,
}

/// The kernel's enum of a name.
pub(crate) fn kernel_enum(btf: &Btf, name: &str) -> Option<TypeId> {
    kernel::find_kinds(btf, name, &[TypeKind::Enum, TypeKind::Enum64])
}

/// The report on an enum that the kernel doesn't have.
pub(crate) fn no_enum(btf: &Btf, name: &str, here: &At) -> whistler_diag::Diagnostic {
    let mut names = Vec::new();
    // Broken BTF has been reported when it was looked into.
    let _ = btf.for_each_name(|_, n, kind| {
        if matches!(kind, TypeKind::Enum | TypeKind::Enum64) {
            names.push(n);
        }
    });
    let d = diag::error(&diag::UNKNOWN_TYPE, here, format!("the kernel has no enum `{name}`"));
    match nearest(name, names.into_iter()) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d,
    }
}

fn enumerator(c: &mut Checker<'_>, asked: &Asked<'_>) -> Option<Enumerator> {
    let types = c.types.clone();
    let Some(btf) = types.btf() else {
        no_btf(c, &asked.of_at);
        return None;
    };
    let Some(id) = kernel_enum(btf, asked.of) else {
        c.report(no_enum(btf, asked.of, &asked.of_at));
        return None;
    };
    let Ok(Kind::Enum(e)) = btf.ty(id).map(|t| t.get()) else { return None };
    let enum_name = btf.ty(id).map_or_else(|_| String::new(), |t| t.name.to_string());
    let known = e.values().find(|(n, _)| whistler_isa::same_name(n, asked.name));
    let near = match known {
        Some(_) => None,
        None => nearest(asked.name, e.values().map(|(n, _)| n)).map(str::to_string),
    };
    let spelled = known.map_or_else(|| asked.name.replace('-', "_").to_ascii_uppercase(), |(n, _)| n.to_string());
    let value = known.map(|(_, v)| v);
    let members = [(spelled.as_str(), value.unwrap_or(0))];
    let local = c.unit.btf.enumeration(&enum_name, e.size, e.signed, &members);
    let core = KernelViews::ask(&mut c.unit, local, asked.kind);
    Some(Enumerator { core, value, signed: e.signed, near, enum_name })
}

fn asked(c: &mut Checker<'_>, call: &Call<'_>, kind: CoreKind) -> Option<Enumerator> {
    let (of, name) = (named(c, &call.args[0], "an enum")?, named(c, &call.args[1], "an enumerator")?);
    enumerator(c, &Asked { of: of.name(), of_at: at(&call.args[0]), name: name.name(), kind })
}

fn value_of(e: &Enumerator, value: i64, here: At) -> Val {
    let ty = if e.signed { Ty::I64 } else { Ty::U64 };
    Val::new(ExprKind::CoreValue { core: e.core, local: value }, ty, here)
}

fn enum_value(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some(e) = asked(c, call, CoreKind::EnumvalValue) else { return Val::error(call.at()) };
    let Some(value) = e.value else {
        return c.fail(no_enumerator(&e.enum_name, &call.args[1].to_string(), e.near.as_deref(), &at(&call.args[1])));
    };
    value_of(&e, value, call.at())
}

/// The report on an enumerator that the kernel's enum doesn't have.
pub(crate) fn no_enumerator(of: &str, name: &str, near: Option<&str>, here: &At) -> whistler_diag::Diagnostic {
    let d = diag::error(&diag::UNKNOWN_NAME, here, format!("enum {of} has no `{name}` in this kernel"));
    match near {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d,
    }
}

/// The value of an enumerator that was imported, in the running kernel.
pub(crate) fn kernel_enumerator(c: &mut Checker<'_>, of: &str, name: &str, here: At) -> Val {
    let asked = Asked { of, of_at: here.clone(), name, kind: CoreKind::EnumvalValue };
    match enumerator(c, &asked) {
        Some(e) => value_of(&e, e.value.unwrap_or(0), here),
        None => Val::error(here),
    }
}

fn enum_value_exists(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    match asked(c, call, CoreKind::EnumvalExists) {
        Some(e) => answer(e.core, THERE, &call.at()).within(0, 1),
        None => Val::error(call.at()),
    }
}

/// `(sizeof KERNEL-STRUCT)`: as the running kernel has it.
pub(super) fn size_of(c: &mut Checker<'_>, name: &str, here: At) -> Val {
    let Some(root) = kernel_type(c, name, &here) else { return Val::error(here) };
    let types = c.types.clone();
    let local = types.btf().map_or(0, |b| kernel::size_of(b, root));
    let Some(core) = record(c, root, &[], CoreKind::TypeSize) else { return Val::error(here) };
    answer(core, local.into(), &here)
}

/// `(offsetof KERNEL-STRUCT field)`.
pub(super) fn offset_of(c: &mut Checker<'_>, name: &str, field: Symbol, here: At) -> Val {
    let Some(root) = kernel_type(c, name, &here) else { return Val::error(here) };
    let Some(path) = path(c, root, name, &[Way::field(field, here.clone())]) else { return Val::error(here) };
    if path[0].bits != 0 {
        let text = format!("field `{field}` is of bits, which have no bytes of their own");
        return c.fail(diag::error(&diag::MALFORMED, &here, text));
    }
    let local = i64::from(path[0].bit_offset) / 8;
    let Some(core) = record(c, root, &path, CoreKind::FieldByteOffset) else { return Val::error(here) };
    answer(core, local, &here)
}
