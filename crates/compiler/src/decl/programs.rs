//! `defprog` and `defsubprog`.

use std::rc::Rc;

use whistler_diag::Diagnostic;
use whistler_isa::{ProgType, Target, sections};
use whistler_lisp::{Form, FormKind};

use super::{Declared, Mode, duplicate, name_of, options};
use crate::check::at;
use crate::diagnostics as diag;
use crate::env::{DeclKind, Env, ParamDecl, ProgDecl, SubprogDecl};
use crate::hir::{IntTy, Ty};
use crate::host::Interp;
use crate::names::nearest;

/// `(defprog name (:type T :section S :license L) body…)`
pub fn program(
    env: &mut Env,
    interp: &mut Interp,
    target: &Target,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    mode: Mode,
) -> Option<Declared> {
    let name = name_of(diags, form)?;
    if duplicate(env, diags, name, DeclKind::Program, form, mode) {
        return None;
    }
    let FormKind::List(items) = &form.kind else { return None };
    let Some(opts) = items.get(2).and_then(Form::as_list) else {
        diags.push(
            diag::error(&diag::MALFORMED, &at(form), "a program's options are missing")
                .help(format!("written as (defprog {name} (:type :xdp) body…)")),
        );
        return None;
    };
    let (mut ty, mut section, mut license, mut sleepable) = (None, None, "GPL".to_string(), false);
    for (k, v) in options(diags, opts) {
        if k.is("type") {
            ty = Some(v);
        } else if k.is("section") || k.is("license") {
            let Some(text) = text(interp, diags, v) else { continue };
            if k.is("section") {
                section = Some((text, v));
            } else {
                license = text;
            }
        } else if k.is("sleepable") {
            sleepable = !v.is_nil();
        } else {
            diags.push(super::no_option("defprog", opts, v, k, &["type", "section", "license", "sleepable"]));
        }
    }
    let typed = match ty {
        Some(f) => match f.as_symbol().and_then(|s| ProgType::kind_by_keyword(s.name())) {
            Some(k) => Some((k, f)),
            None => {
                let mut d = diag::error(&diag::PROGRAM_TYPE, &at(f), format!("there is no program type `{f}`"));
                let known = ProgType::ALL
                    .iter()
                    .map(|p| p.keyword())
                    .chain(whistler_isa::PROGRAM_KINDS.iter().map(|k| k.keyword));
                if let Some(near) = nearest(f.as_symbol().map_or("", |s| s.name()), known) {
                    d = d.help(format!("did you mean `:{near}`?"));
                }
                diags.push(d);
                return None;
            }
        },
        None => None,
    };
    let parsed = section.as_ref().and_then(|(s, _)| sections::parse_lenient(s));
    let (prog_type, mut attach_type, default_section) = match (&typed, &parsed) {
        (Some((k, _)), _) => *k,
        (None, Some(p)) => (p.prog(), p.attach(), ""),
        (None, None) => (ProgType::Xdp, None, "xdp"),
    };
    let mut prog_type = prog_type;
    let mut attach_target = None;
    let mut section_name = default_section.to_string();
    if let Some((written, section_form)) = &section {
        match &parsed {
            Some(p) => {
                if p.prog() != prog_type {
                    // The original's programs name sock-ops so.
                    if prog_type == ProgType::CgroupSock && p.prog() == ProgType::SockOps {
                        prog_type = ProgType::SockOps;
                    } else {
                        let text = format!(
                            "`{written}` is a section of programs of type :{}, not :{}",
                            p.prog().keyword(),
                            prog_type.keyword()
                        );
                        let mut d = diag::error(&diag::SECTION, &at(section_form), text);
                        if let Some((_, f)) = &typed {
                            d = d.also(f.span, "the type is given here");
                        }
                        diags.push(d);
                        return None;
                    }
                }
                attach_type = p.attach().or(attach_type);
                sleepable |= p.sleepable();
                attach_target = p.target.map(str::to_string);
                section_name = match p.target {
                    Some(t) => format!("{}/{t}", p.def.name),
                    None => p.def.name.to_string(),
                };
            }
            None => {
                let kind = prog_type.keyword();
                diags.push(
                    diag::error(
                        &diag::SECTION,
                        &at(section_form),
                        format!("`{written}` is no section name that libbpf knows"),
                    )
                    .help(format!("for programs of type :{kind}: \"{}\"", prog_type.info().section)),
                );
                return None;
            }
        }
    } else if let Some(p) = sections::parse_lenient(&section_name) {
        attach_type = attach_type.or(p.attach());
    }
    if sleepable && matches!(prog_type, ProgType::Tracing | ProgType::Lsm | ProgType::StructOps) {
        // Other loaders know by the section's name alone that it may sleep.
        let target = section_name.split_once('/').map(|(_, t)| t.to_string());
        let sleeping = sections::name_for(prog_type, attach_type, true, target.as_deref());
        section_name = sleeping.unwrap_or(section_name);
    }
    if !target.has(prog_type.info().since) {
        let text = format!(
            "programs of type :{} came with kernel {}, and the target is {}",
            prog_type.keyword(),
            prog_type.info().since,
            target.kernel
        );
        let help = format!("compile for a later kernel: --target {}", prog_type.info().since);
        diags.push(diag::error(&diag::PROGRAM_TYPE, &at(ty.unwrap_or(form)), text).help(help));
        return None;
    }
    if let Some(attach) = attach_type.filter(|a| !target.has(a.info().since) && !optional_attach(&section_name)) {
        let text =
            format!("\"{section_name}\" came with kernel {}, and the target is {}", attach.info().since, target.kernel);
        let place = section.as_ref().map(|(_, f)| *f).or(ty).unwrap_or(form);
        let help = format!("compile for a later kernel: --target {}", attach.info().since);
        diags.push(diag::error(&diag::PROGRAM_TYPE, &at(place), text).help(help));
        return None;
    }
    let mut skip = 3;
    // A documentation string before the body.
    if items.len() > 4 && items[3].as_str().is_some() {
        skip = 4;
    }
    if items.len() <= skip {
        diags.push(
            diag::error(&diag::MALFORMED, &at(form), format!("the program `{name}` has no form"))
                .help(format!("its last form's value is what it returns: (defprog {name} (…) 0)")),
        );
        return None;
    }
    let btf_target = matches!(prog_type, ProgType::Tracing | ProgType::Lsm | ProgType::StructOps | ProgType::Ext);
    let decl = ProgDecl {
        name,
        prog_type,
        attach_type,
        attach_target: attach_target.filter(|_| btf_target),
        section: section_name.clone(),
        license,
        // The kernel runs these only where they may sleep.
        sleepable: sleepable || prog_type == ProgType::Syscall,
        body: items.clone(),
        skip,
        form: form.clone(),
        tracepoint: tracepoint_of(env, prog_type, &section_name),
    };
    env.programs.insert(name, Rc::new(decl));
    env.note(name, DeclKind::Program, form.span);
    Some(Declared { name, kind: DeclKind::Program, summary: format!("{name} · {}", section_name) })
}

/// Whether loaders leave the section's attach type out where the kernel doesn't know it, or the kernel doesn't look
/// at it: programs under `tc/ingress` are attached in the old way, too.
fn optional_attach(section: &str) -> bool {
    section.starts_with("tc/")
        || sections::parse_lenient(section)
            .is_some_and(|s| s.def.flags.contains(sections::SectionFlags::ATTACH_OPTIONAL))
}

/// The declared tracepoint that a program's section names, else the one declared last.
fn tracepoint_of(env: &Env, prog: ProgType, section: &str) -> Option<whistler_lisp::Symbol> {
    if prog != ProgType::Tracepoint {
        return None;
    }
    let target = section.split_once('/').map(|(_, t)| whistler_lisp::Symbol::intern(t));
    target.and_then(|t| env.tracepoints.spelled(t)).or(env.tracepoint)
}

/// A string, or an expression of the host that is one.
fn text(interp: &mut Interp, diags: &mut Vec<Diagnostic>, form: &Form) -> Option<String> {
    if let Some(s) = form.as_str() {
        return Some(s.to_string());
    }
    let v = interp.eval(form).and_then(|v| interp.value_to_form(v, form.span));
    match v {
        Ok(f) if f.as_str().is_some() => f.as_str().map(str::to_string),
        Ok(f) => {
            diags.push(diag::error(&diag::MALFORMED, &at(form), format!("a string is needed here, not {f}")));
            None
        }
        Err(e) => {
            diags.push(e.to_diagnostic());
            None
        }
    }
}

/// `(defsubprog name ((x TYPE)…) TYPE body…)`
pub fn subprogram(
    env: &mut Env,
    interp: &mut Interp,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    mode: Mode,
) -> Option<Declared> {
    let name = name_of(diags, form)?;
    if crate::forms::lookup(crate::names::norm(name)).is_some() {
        diags.push(
            diag::error(
                &diag::DUPLICATE,
                &at(form),
                format!("`{name}` is a form of the language, which would be meant"),
            )
            .help("give the subprogram another name"),
        );
        return None;
    }
    if duplicate(env, diags, name, DeclKind::Subprogram, form, mode) {
        return None;
    }
    let FormKind::List(items) = &form.kind else { return None };
    let Some(list) = items.get(2).and_then(Form::as_list) else {
        diags.push(
            diag::error(&diag::MALFORMED, &at(form), "the parameters are missing")
                .help(format!("written as (defsubprog {name} ((x u64)) u64 body…)")),
        );
        return None;
    };
    let mut params = Vec::new();
    for p in list {
        let (n, ty) = match p.as_list() {
            Some([n, t]) => (n.as_symbol(), Some(t)),
            _ => (p.as_symbol(), None),
        };
        let Some(n) = n else {
            diags.push(diag::error(&diag::MALFORMED, &at(p), "a parameter is written (name TYPE)"));
            return None;
        };
        let ty = match ty {
            Some(t) => crate::types::parse(env, interp, t).map_err(|d| diags.push(*d)).ok()?,
            None => Ty::U64,
        };
        params.push(ParamDecl { name: n, ty, span: p.span });
    }
    if params.len() > 5 {
        let text = format!("a subprogram has five parameters at most, not {}", params.len());
        diags.push(diag::error(&diag::ARGUMENT_COUNT, &at(&items[2]), text).help("pass a pointer to a struct"));
        return None;
    }
    let mut skip = 3;
    let mut ret = Ty::Int(IntTy::U64);
    if let Some(t) =
        items.get(3).filter(|t| crate::types::is_type(env, t) && (items.len() > 4 || t.as_symbol().is_some()))
    {
        ret = crate::types::parse(env, interp, t).map_err(|d| diags.push(*d)).ok()?;
        skip = 4;
        if matches!(ret, Ty::Struct(_) | Ty::Array(..)) {
            diags.push(diag::error(&diag::ARGUMENT_TYPE, &at(t), format!("a subprogram can't yield a whole {ret}")));
            return None;
        }
    }
    let mut global = false;
    while let [k, v, ..] = &items[skip..] {
        let Some(option) = k.as_keyword() else { break };
        if option.is("global") {
            global = !v.is_nil();
        } else {
            let text = format!("defsubprog has no option `:{}`", option.name());
            diags.push(diag::error(&diag::MALFORMED, &at(k), text).help("there is :global t"));
        }
        skip += 2;
    }
    let summary = {
        let shown: Vec<String> = params.iter().map(|p| format!("{} {}", p.name, p.ty)).collect();
        format!("{name} · ({}) → {ret}", shown.join(", "))
    };
    env.subprograms.insert(
        name,
        Rc::new(SubprogDecl {
            name,
            params,
            ret,
            body: items.clone(),
            skip: skip.min(items.len()),
            form: form.clone(),
            global,
        }),
    );
    env.note(name, DeclKind::Subprogram, form.span);
    Some(Declared { name, kind: DeclKind::Subprogram, summary })
}
