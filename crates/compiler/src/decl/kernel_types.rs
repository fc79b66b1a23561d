//! `deftracepoint` and `import-kernel-struct`: what the kernel says of itself.

use std::rc::Rc;

use whistler_btf::{TracepointFieldKind, TypeSource, TypeSourceError};
use whistler_diag::Diagnostic;
use whistler_lisp::{Form, Symbol};

use super::{Declared, name_of};
use crate::check::at;
use crate::diagnostics as diag;
use crate::env::{Accessor, DeclKind, Env, TracepointDecl};
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
    let wanted: Vec<Symbol> = items[2..].iter().filter_map(Form::as_symbol).collect();
    env.forget_accessors(name);
    for (f, form) in wanted.iter().zip(&items[2..]) {
        if format.field(f.name()).is_none() {
            let mut d = diag::error(&diag::UNKNOWN_NAME, &at(form), format!("{name} has no field `{f}`"));
            if let Some(near) = nearest(f.name(), format.fields.iter().map(|f| f.name.as_str())) {
                d = d.help(format!("did you mean `{near}`?"));
            }
            diags.push(d);
        }
    }
    let mut shown = Vec::new();
    for f in &format.fields {
        let symbol = Symbol::intern(&f.name);
        let listed = wanted.iter().any(|w| norm(*w) == norm(symbol));
        if !wanted.is_empty() && !listed {
            continue;
        }
        if wanted.is_empty() && f.name.starts_with("common_") {
            continue;
        }
        let accessor = format!("tp-{}", f.name.replace('_', "-"));
        let kind = match f.kind {
            TracepointFieldKind::DataLoc => "(data-loc string)".to_string(),
            TracepointFieldKind::Array { len, elem_size } => {
                format!("(array {} {len})", if elem_size == 1 { "char" } else { "u64" })
            }
            TracepointFieldKind::Scalar => format!("{}{}", if f.signed { 'i' } else { 'u' }, f.size * 8),
        };
        shown.push(format!("{accessor} {kind}"));
        env.accessor(&accessor, Accessor::Tp(symbol), name);
        env.accessor(&format!("{accessor}-ptr"), Accessor::TpPtr(symbol), name);
        env.accessor(&format!("{accessor}-str"), Accessor::TpStr(symbol), name);
    }
    env.tracepoints.insert(name, Rc::new(TracepointDecl { name, format }));
    env.tracepoint = Some(name);
    env.note(name, DeclKind::Tracepoint, form.span);
    Some(Declared { name, kind: DeclKind::Tracepoint, summary: shown.join(" · ") })
}

/// `(import-kernel-struct name [field…])`
pub fn kernel_struct(
    env: &mut Env,
    types: &dyn TypeSource,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
) -> Option<Declared> {
    let name = name_of(diags, form)?;
    let items = form.as_list()?;
    let Some(btf) = types.btf() else {
        let why = types.btf_problem().unwrap_or_default();
        diags.push(diag::error(&diag::NO_TYPES, &at(form), "the kernel's types are needed here").note(why));
        return None;
    };
    let Some(id) = kernel::find(btf, name.name()) else {
        diags.push(kernel::no_struct(btf, name.name(), &at(&items[1])));
        return None;
    };
    let kernel_name: Rc<str> = btf.ty(id).map_or(name.name(), |t| t.name).into();
    let mut all = Vec::new();
    kernel::field_names(btf, id, &mut all);
    let wanted: Vec<String> = if items.len() > 2 {
        items[2..].iter().filter_map(Form::as_symbol).map(|s| s.name().to_string()).collect()
    } else {
        all.clone()
    };
    env.forget_accessors(name);
    let s = name.name();
    for (i, f) in wanted.iter().enumerate() {
        if kernel::field(btf, id, f).is_none() {
            let form = items.get(i + 2).unwrap_or(form);
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
    env.accessor(&format!("as-{s}"), Accessor::As(crate::hir::Ty::Kernel(kernel_name.clone())), name);
    env.constant(&format!("+{s}-size+"), i128::from(size));
    env.kernel_structs.insert(norm(name), kernel_name.clone());
    env.note(name, DeclKind::KernelStruct, form.span);
    Some(Declared {
        name,
        kind: DeclKind::KernelStruct,
        summary: format!("{kernel_name} · {size} bytes here, {} fields", wanted.len()),
    })
}
