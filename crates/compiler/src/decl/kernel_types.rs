//! `deftracepoint` and `import-kernel-struct`: what the kernel says of itself.

use std::rc::Rc;

use whistler_btf::{Btf, Kind, TracepointField, TracepointFieldKind, TypeId, TypeSource, TypeSourceError};
use whistler_diag::Diagnostic;
use whistler_lisp::{Form, Interp, Symbol};

use super::{Declared, name_of};
use crate::check::at;
use crate::diagnostics as diag;
use crate::env::{Accessor, DeclKind, Env, TracepointDecl};
use crate::flavours::{Flavour, FlavourField};
use crate::forms;
use crate::hir::{Space, Ty};
use crate::kernel;
use crate::names::{nearest, norm};

/// `(deftracepoint category/event [field…])`
pub fn tracepoint(env: &mut Env, types: &dyn TypeSource, diags: &mut Vec<Diagnostic>, form: &Form) -> Option<Declared> {
    let name = name_of(diags, form)?;
    let items = form.as_list()?;
    let Some((category, event)) = name.name().split_once('/') else {
        diags.push(diag::error(&diag::MALFORMED, &at(&items[1]), "a tracepoint is written category/event"));
        return None;
    };
    let event_name = event.replace('-', "_");
    let found = types
        .tracepoint(category, event)
        .or_else(|e| if event_name == event { Err(e) } else { types.tracepoint(category, &event_name) })
        .or_else(|e| {
            if category.contains('-') { types.tracepoint(&category.replace('-', "_"), &event_name) } else { Err(e) }
        });
    let format = match found {
        Ok(f) => f,
        Err(e) => {
            let mut d = match &e {
                TypeSourceError::NoTracepoint { .. } => diag::error(&diag::UNKNOWN_NAME, &at(&items[1]), e.to_string()),
                _ => diag::error(&diag::NO_TYPES, &at(&items[1]), format!("the format of {name} can't be read"))
                    .note(e.to_string()),
            };
            if let TypeSourceError::NoTracepoint { near, .. } = &e
                && let Some(n) = near.first()
            {
                d = d.help(format!("did you mean `{n}`?"));
            }
            diags.push(d);
            return None;
        }
    };
    if let Some(why) = &format.from_types {
        let text = format!("the record of {name} is taken from the kernel's types");
        diags.push(diag::warning(&diag::FROM_TYPES, &at(&items[1]), text).note(why.clone()));
    }
    let wanted: Vec<Symbol> = items[2..].iter().filter_map(|f| f.as_symbol()).collect();
    env.forget_accessors(name);
    for (f, form) in wanted.iter().zip(&items[2..]) {
        if format.field(f.name()).is_none() {
            let mut d = diag::error(&diag::UNKNOWN_NAME, &at(form), format!("{name} has no field `{f}`"));
            if let Some(near) = nearest(f.name(), format.fields.iter().map(|f| f.name.as_str())) {
                d = d.help(format!("did you mean `{near}`?"));
            } else if format.from_types.is_some() && format.field("args").is_some() {
                d = d.help("only tracefs has the arguments' names; here they are (tp-args 0), (tp-args 1) …");
            }
            diags.push(d);
        }
    }
    let accessor = |f: &TracepointField| format!("tp-{}", f.name.replace('_', "-"));
    let visible = |f: &&TracepointField| match wanted.is_empty() {
        true => !f.name.starts_with("common_"),
        false => wanted.iter().any(|w| norm(*w) == norm(Symbol::intern(&f.name))),
    };
    // First what is derived from a field: another field may have that very name.
    for f in format.fields.iter().filter(visible) {
        let (symbol, accessor) = (Symbol::intern(&f.name), accessor(f));
        env.accessor(&format!("{accessor}-ptr"), Accessor::TpPtr(symbol), name);
        env.accessor(&format!("{accessor}-str"), Accessor::TpStr(symbol), name);
        if f.kind.is_located() {
            env.accessor(&format!("{accessor}-len"), Accessor::TpLen(symbol), name);
        }
    }
    let mut shown = Vec::new();
    for f in format.fields.iter().filter(visible) {
        let symbol = Symbol::intern(&f.name);
        let accessor = accessor(f);
        let kind = match f.kind {
            TracepointFieldKind::DataLoc | TracepointFieldKind::RelLoc => "(data-loc string)".to_string(),
            TracepointFieldKind::Array { len, elem_size } => {
                format!("(array {} {len})", if elem_size == 1 { "char" } else { "u64" })
            }
            TracepointFieldKind::Scalar => format!("{}{}", if f.signed { 'i' } else { 'u' }, f.size * 8),
        };
        shown.push(format!("{accessor} {kind}"));
        env.accessor(&accessor, Accessor::Tp(symbol), name);
    }
    env.tracepoints.insert(name, Rc::new(TracepointDecl { name, format }));
    env.tracepoint = Some(name);
    env.note(name, DeclKind::Tracepoint, form.span);
    Some(Declared { name, kind: DeclKind::Tracepoint, summary: shown.join(" · ") })
}

/// The kernel's types, which a form needs.
fn kernels<'t>(types: &'t dyn TypeSource, diags: &mut Vec<Diagnostic>, form: &Form) -> Option<&'t Btf> {
    let btf = types.btf();
    if btf.is_none() {
        let why = types.btf_problem().unwrap_or_default();
        diags.push(diag::error(&diag::NO_TYPES, &at(form), "the kernel's types are needed here").note(why));
    }
    btf
}

/// `(import-kernel-struct name [field…] [:module NAME])`; with `(field type)` among them, a struct as another kernel has it.
pub fn kernel_struct(
    env: &mut Env,
    interp: &mut Interp,
    types: &dyn TypeSource,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
) -> Option<Declared> {
    let name = name_of(diags, form)?;
    let items = form.as_list()?;
    let btf = kernels(types, diags, form)?;
    let (items, module) = match without_module(types, items) {
        Ok(split) => split,
        Err(d) => {
            diags.push(*d);
            return None;
        }
    };
    if items[2..].iter().any(|f| f.as_symbol().is_none()) {
        return flavour(env, interp, btf, diags, form, name);
    }
    let kernels = kernel::find(btf, name.name()).filter(|id| btf.base().is_none_or(|b| b.ty(*id).is_ok()));
    let home = match (kernels, &module) {
        (Some(_), None) => None,
        _ => of_module(types, name.name(), module.as_deref()),
    };
    if let (Some(_), Some((module, _))) = (kernels, &home) {
        let text = format!("the kernel itself has a struct `{name}`, which comes before that of module `{module}`");
        let d = diag::error(&diag::UNKNOWN_TYPE, &at(items[1]), text)
            .note("a loader that resolves CO-RE looks into modules only for what the kernel has not, as libbpf does")
            .help(format!("without :module it is the kernel's: (import-kernel-struct {name} …)"));
        diags.push(d);
        return None;
    }
    if home.is_none() && module.is_some() {
        let text = format!("the module `{}` has no struct `{name}`", module.unwrap_or_default());
        diags.push(diag::error(&diag::UNKNOWN_TYPE, &at(items[1]), text));
        return None;
    }
    let btf = home.as_ref().map_or(btf, |(_, module)| module);
    let Some(id) = kernel::find(btf, name.name()) else {
        let d = kernel::no_struct(btf, name.name(), &at(items[1]));
        diags.push(match types.modules().len() {
            0 => d,
            n => d.note(format!("{n} of its modules have types of their own, and none has it either")),
        });
        return None;
    };
    let of = home.as_ref().map_or_else(String::new, |(m, _)| format!(" of module {m}"));
    if let Some((module, _)) = &home
        && !env.kernel_modules.contains(module)
    {
        env.kernel_modules.push(module.clone());
    }
    let kernel_name: Rc<str> = btf.ty(id).map_or(name.name(), |t| t.name).into();
    let mut all = Vec::new();
    kernel::field_names(btf, id, &mut all);
    let wanted: Vec<String> = if items.len() > 2 {
        items[2..].iter().filter_map(|f| f.as_symbol()).map(|s| s.name().to_string()).collect()
    } else {
        all.clone()
    };
    env.forget_accessors(name);
    let s = name.name();
    for (i, f) in wanted.iter().enumerate() {
        if kernel::field(btf, id, f).is_none() {
            let form = items.get(i + 2).copied().unwrap_or(form);
            let mut d =
                diag::error(&diag::UNKNOWN_NAME, &at(form), format!("{kernel_name} has no field `{f}` in this kernel"));
            if let Some(near) = nearest(f, all.iter().map(String::as_str)) {
                d = d.help(format!("did you mean `{near}`?"));
            }
            diags.push(d);
            continue;
        }
        let symbol = Symbol::intern(f);
        env.accessor(&format!("{s}-{f}"), Accessor::Kernel(kernel_name.clone(), symbol), name);
        env.accessor(&format!("{s}-{f}-ptr"), Accessor::KernelPtr(kernel_name.clone(), symbol), name);
    }
    let size = kernel::size_of(btf, id);
    env.flavours.retain(|f| norm(Symbol::intern(&f.name)) != norm(name));
    env.accessor(&format!("as-{s}"), Accessor::As(crate::hir::Ty::Kernel(kernel_name.clone())), name);
    env.constant(&format!("+{s}-size+"), i128::from(size));
    env.kernel_structs.insert(norm(name), kernel_name.clone());
    env.note(name, DeclKind::KernelStruct, form.span);
    Some(Declared {
        name,
        kind: DeclKind::KernelStruct,
        summary: format!("{kernel_name}{of} · {size} bytes here, {}", fields(wanted.len())),
    })
}

/// A form's parts, and the module that it names.
type Parts<'a> = (Vec<&'a Form>, Option<Rc<str>>);

/// The form's parts without `:module NAME`, and that name.
fn without_module<'a>(types: &dyn TypeSource, items: &'a [Form]) -> Result<Parts<'a>, Box<Diagnostic>> {
    let Some(place) = items.iter().position(|f| f.as_keyword().is_some_and(|k| k.name() == "module")) else {
        return Ok((items.iter().collect(), None));
    };
    let written = items.get(place + 1).and_then(|f| f.as_symbol().filter(|s| !s.is_keyword()));
    let Some(name) = written else {
        let text = ":module is followed by the name of a module of the kernel";
        return Err(Box::new(diag::error(&diag::MALFORMED, &at(&items[place]), text)));
    };
    let modules = types.modules();
    let found = modules.iter().find(|m| whistler_isa::same_name(m, name.name()));
    let Some(found) = found else {
        let text = format!("the kernel has no types of a module `{name}`");
        let d = diag::error(&diag::UNKNOWN_NAME, &at(&items[place + 1]), text);
        return Err(Box::new(match nearest(name.name(), modules.iter().map(String::as_str)) {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None => d.note("no module that is loaded, or saved beside the kernel's types, has that name"),
        }));
    };
    let rest = items[..place].iter().chain(&items[place + 2..]);
    Ok((rest.collect(), Some(found.as_str().into())))
}

/// The module that has a struct of this name of its own: the one asked for, or else the first.
fn of_module(types: &dyn TypeSource, name: &str, asked: Option<&str>) -> Option<(Rc<str>, std::sync::Arc<Btf>)> {
    let candidates = asked.map_or_else(|| types.modules(), |m| vec![m.to_string()]);
    candidates.into_iter().find_map(|m| {
        let btf = types.module_btf(&m)?;
        kernel::is_in_module(&btf, name).then(|| (m.as_str().into(), btf))
    })
}

fn fields(n: usize) -> String {
    if n == 1 { "1 field".to_string() } else { format!("{n} fields") }
}

/// A struct as another kernel has it: its fields with their types, or by name as this kernel has them.
fn flavour(
    env: &mut Env,
    interp: &mut Interp,
    btf: &Btf,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    name: Symbol,
) -> Option<Declared> {
    let items = form.as_list()?;
    let written: Rc<str> = name.name().replace('-', "_").into();
    let essential = whistler_btf::essential_name(&written);
    let here = kernel::find(btf, essential);
    if here.is_some() && essential == &*written {
        let d = diag::error(
            &diag::MALFORMED,
            &at(&items[1]),
            format!("the kernel has a struct `{essential}`, whose fields have their types from there"),
        );
        let help =
            format!("fields of other kernels stand in a flavour of it: (import-kernel-struct {essential}___old …)");
        diags.push(d.help(help));
        return None;
    }
    // A field may point to another of the same.
    let before = env.kernel_structs.insert(norm(name), written.clone());
    let mut declared = Vec::new();
    for f in &items[2..] {
        let field = match f.as_symbol() {
            Some(s) => known_field(btf, here, essential, s, f),
            None => typed_field(env, interp, f),
        };
        let field = field.and_then(|field| match &field.ty {
            crate::hir::Ty::Kernel(of) if *of == written => {
                let text = format!("a {written} can't lie within itself; a pointer to one is (ptr {written})");
                Err(Box::new(diag::error(&diag::UNKNOWN_TYPE, &at(f), text)))
            }
            _ => Ok(field),
        });
        match field {
            Ok(field) => declared.push(field),
            Err(d) => diags.push(*d),
        }
    }
    if declared.len() + 2 < items.len() {
        match before {
            Some(before) => env.kernel_structs.insert(norm(name), before),
            None => env.kernel_structs.remove(&norm(name)),
        };
        return None;
    }
    env.forget_accessors(name);
    let s = name.name();
    for f in &declared {
        let symbol = Symbol::intern(&f.name);
        env.accessor(&format!("{s}-{}", f.name), Accessor::Kernel(written.clone(), symbol), name);
        env.accessor(&format!("{s}-{}-ptr", f.name), Accessor::KernelPtr(written.clone(), symbol), name);
    }
    env.accessor(&format!("as-{s}"), Accessor::As(crate::hir::Ty::Kernel(written.clone())), name);
    let summary = format!("{written} · {}, as another kernel has them", fields(declared.len()));
    env.flavours.retain(|f| f.name != written);
    env.flavours.push(Flavour { name: written, fields: declared });
    env.note(name, DeclKind::KernelStruct, form.span);
    Some(Declared { name, kind: DeclKind::KernelStruct, summary })
}

/// A field of the kernel at hand, by name.
fn known_field(
    btf: &Btf,
    here: Option<TypeId>,
    of: &str,
    name: Symbol,
    form: &Form,
) -> Result<FlavourField, Box<Diagnostic>> {
    let lacks = || {
        let text = format!("{of} has no field `{name}` in this kernel, so its type must be written");
        Box::new(diag::error(&diag::UNKNOWN_NAME, &at(form), text).help(format!("write ({name} TYPE)")))
    };
    let field = here.and_then(|id| kernel::field(btf, id, name.name())).ok_or_else(lacks)?;
    let ty = kernel::field_ty(btf, field.ty, Space::Kernel).ok_or_else(lacks)?;
    Ok(FlavourField { name: field.name, ty, bits: field.bits })
}

/// `(name type)` or `(name (bits type n))`.
fn typed_field(env: &mut Env, interp: &mut Interp, form: &Form) -> Result<FlavourField, Box<Diagnostic>> {
    let malformed = || Box::new(diag::error(&diag::MALFORMED, &at(form), "a field is written (name type)".to_string()));
    let Some([name, ty]) = form.as_list() else { return Err(malformed()) };
    let name = name.as_symbol().ok_or_else(malformed)?.name().replace('-', "_");
    let (ty, bits) = match ty.as_list() {
        Some([head, of, n]) if head.as_symbol().is_some_and(|h| h.is("bits")) => {
            (of, n.as_int().ok_or_else(malformed)?)
        }
        _ => (ty, 0),
    };
    let parsed = crate::types::parse(env, interp, ty)?;
    let wrong = |text| Box::new(diag::error(&diag::ARGUMENT_TYPE, &at(ty), text));
    if let Some(text) = crate::flavours::problem(&parsed) {
        return Err(wrong(text));
    }
    if bits != 0 && !(matches!(parsed, Ty::Int(_)) && (1..=i128::from(parsed.size()) * 8).contains(&bits)) {
        return Err(wrong(format!("{bits} bits of a {parsed}")));
    }
    Ok(FlavourField { name, ty: parsed, bits: bits as u8 })
}

/// `(import-kernel-enum name [enumerator…])`: the enumerators stand by their names for their values in the running
/// kernel.
pub fn kernel_enum(
    env: &mut Env,
    types: &dyn TypeSource,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
) -> Option<Declared> {
    let name = name_of(diags, form)?;
    let items = form.as_list()?;
    let btf = kernels(types, diags, form)?;
    let Some(id) = forms::core_ask::kernel_enum(btf, name.name()) else {
        diags.push(forms::core_ask::no_enum(btf, name.name(), &at(&items[1])));
        return None;
    };
    let t = btf.ty(id).ok()?;
    let Kind::Enum(e) = t.get() else { return None };
    let all: Vec<&str> = e.values().map(|(n, _)| n).collect();
    let mut wanted = Vec::new();
    for f in &items[2..] {
        let written = f.to_string();
        match all.iter().find(|n| f.as_symbol().is_some_and(|s| whistler_isa::same_name(n, s.name()))) {
            Some(n) => wanted.push(*n),
            None => {
                let near = nearest(&written, all.iter().copied());
                diags.push(forms::core_ask::no_enumerator(t.name, &written, near, &at(f)));
            }
        }
    }
    if items.len() == 2 {
        wanted = all;
    }
    env.enumerators.retain(|_, (of, _)| **of != *t.name);
    let of: Rc<str> = t.name.into();
    for n in &wanted {
        env.enumerators.insert(norm(Symbol::intern(n)), (of.clone(), Rc::from(*n)));
    }
    env.note(name, DeclKind::KernelEnum, form.span);
    let summary = format!("{of} · {} enumerators", wanted.len());
    Some(Declared { name, kind: DeclKind::KernelEnum, summary })
}
