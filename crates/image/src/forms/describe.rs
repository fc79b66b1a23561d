//! Looking names up: `describe`, `apropos`, `documentation` know what is declared and what the language has for
//! programs, beside what the host Lisp knows.

use std::rc::Rc;

use whistler_btf::TypeKind;
use whistler_compiler::hir::OpsValue;
use whistler_compiler::names::{nearest, norm, norm_str};
use whistler_compiler::session::DECLARATION_USES;
use whistler_isa::helpers::{self, Helper, HelperFlags};
use whistler_lisp::{Interp, LispError, LispResult, Symbol, Value};

use crate::args::{Args, text};
use crate::handles::name_of;
use crate::live::{Shared, symbol_name};

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    for (name, lambda, doc, own) in [
        ("describe", "thing &optional stream", "Prints what a name or value is.", describe as Own),
        (
            "documentation",
            "name &optional kind",
            "What a name is for, as a string; nil when nothing is known.",
            documentation,
        ),
    ] {
        let host = interp.function(Symbol::intern(name));
        let shared = shared.clone();
        let look = move |interp: &mut Interp, args: &[Value]| match (own(&shared, interp, args)?, host) {
            (Some(v), _) => Ok(v),
            (None, Some(host)) => interp.call(host, args),
            (None, None) => Ok(Value::NIL),
        };
        interp.define_native(name, lambda, doc, Rc::new(look));
    }
    super::define(
        interp,
        shared,
        "apropos",
        "text",
        "Prints the names that contain a text, with what they are.",
        apropos,
    );
}

/// `None`: ask the host.
type Own = fn(&Shared, &mut Interp, &[Value]) -> Result<Option<Value>, LispError>;

/// What a name stands for, each in a few words, with more lines below.
struct Entry {
    what: String,
    more: Vec<String>,
}

fn describe(shared: &Shared, interp: &mut Interp, args: &[Value]) -> Result<Option<Value>, LispError> {
    let Some(name) = args.first().and_then(|v| name_of(interp, *v)) else { return Ok(None) };
    let mut entries = declared(shared, &name)?;
    entries.extend(built_in(&name));
    // What every declaration brings for the host is no news.
    if entries.iter().all(|e| e.what.starts_with("kernel form") || e.what.starts_with("helper")) {
        entries.extend(of_host(interp, &name));
    }
    entries.extend(of_kernel(shared, &name));
    if entries.is_empty() {
        let symbol = Symbol::intern(&name);
        let of_host =
            interp.is_defined(symbol) || interp.function(symbol).is_some() || interp.constant(symbol).is_some();
        if of_host {
            return Ok(None);
        }
        let known = known_names(shared, interp);
        let near = nearest(&name, known.iter().map(String::as_str)).map(|n| format!("; did you mean `{n}`?"));
        interp.print(&format!("{name} is not defined{}\n", near.unwrap_or_default()))?;
        return Ok(Some(Value::NIL));
    }
    for e in entries {
        interp.print(&format!("{name} · {}\n", e.what))?;
        for line in e.more {
            interp.print(&format!("  {line}\n"))?;
        }
    }
    Ok(Some(Value::NIL))
}

/// The host's function of a name.
fn of_host(interp: &mut Interp, name: &str) -> Option<Entry> {
    let symbol = Symbol::intern(name);
    let parameters = interp.parameters_of(symbol)?;
    let doc = interp.documentation(symbol, whistler_lisp::DocKind::Function);
    let call = match parameters.trim_matches(['(', ')']) {
        "" => format!("({name})"),
        parameters => format!("({name} {parameters})"),
    };
    Some(Entry { what: format!("host function · {call}"), more: doc.into_iter().collect() })
}

/// Everything that may be asked about.
fn known_names(shared: &Shared, interp: &Interp) -> Vec<String> {
    let own = shared.declared_names();
    let forms = whistler_compiler::forms::names().map(str::to_string);
    let helpers = helpers::HELPERS.iter().map(|h| norm_str(h.name));
    let host = interp.all_names().into_iter().map(|s| s.name().to_string());
    own.into_iter().chain(forms).chain(helpers).chain(host).collect()
}

fn documentation(_: &Shared, interp: &mut Interp, args: &[Value]) -> Result<Option<Value>, LispError> {
    let Some(name) = args.first().and_then(|v| name_of(interp, *v)) else { return Ok(None) };
    if let Some((usage, doc)) = declaration(&name) {
        return Ok(Some(interp.heap.string(format!("{usage} — {doc}"))));
    }
    let Some(form) = whistler_compiler::forms::lookup(norm(Symbol::intern(&name))) else { return Ok(None) };
    Ok(Some(interp.heap.string(format!("{} — {}", form.usage, form.doc))))
}

fn apropos(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [part] = Args::new("apropos", args, &[])?.exactly()?;
    let part = norm_str(&text(interp, part, "apropos")?);
    let mut lines: Vec<(String, String)> = Vec::new();
    for (name, kind, _) in &shared.session()?.env.order {
        lines.push((name.name().to_string(), kind.word().to_string()));
    }
    lines.extend(
        whistler_compiler::forms::all().map(|f| (f.name.to_string(), format!("kernel form: {} — {}", f.usage, f.doc))),
    );
    // Those that a form of the language stands for are written as the form is.
    let bare = helpers::HELPERS.iter().filter(|h| form_of(h).is_none());
    lines.extend(bare.map(|h| (norm_str(h.name), format!("helper: {}", signature(h)))));
    lines.extend(
        DECLARATION_USES.iter().map(|(n, usage, doc)| (n.to_string(), format!("declaration: {usage} — {doc}"))),
    );
    for s in interp.all_names() {
        let doc = interp.documentation(s, whistler_lisp::DocKind::Function);
        lines.push((s.name().to_string(), doc.map_or(String::new(), |d| format!("host: {d}"))));
    }
    lines.retain(|(n, _)| norm_str(n).contains(&part));
    lines.sort();
    // What is said of a name in several ways is all of interest, but not that it is just a name.
    for i in (0..lines.len()).rev() {
        let alone = lines.iter().filter(|l| l.0 == lines[i].0).count() == 1;
        if lines[i].1.is_empty() && !alone {
            lines.remove(i);
        }
    }
    lines.dedup();
    for (name, what) in lines {
        let line = if what.is_empty() { format!("{name}\n") } else { format!("{name} · {what}\n") };
        interp.print(&line)?;
    }
    Ok(Value::NIL)
}

/// What the user declared under a name.
fn declared(shared: &Shared, name: &str) -> Result<Vec<Entry>, LispError> {
    let mut out = Vec::new();
    let symbol = Symbol::intern(name);
    let (session, live) = (shared.session()?, shared.live()?);
    let env = &session.env;
    if let Some(m) = env.maps.get(symbol) {
        let ty = |t: &Option<whistler_compiler::hir::Ty>, size| {
            t.as_ref().map_or(format!("{size} bytes"), |t| t.to_string())
        };
        let what = format!("map · {}, {}", m.map_type.keyword(), m.entries());
        let mut more = Vec::new();
        if m.key_size > 0 || m.value_size > 0 {
            more.push(format!("key {}, value {}", ty(&m.key, m.key_size), ty(&m.value, m.value_size)));
        }
        let users: Vec<String> = session.dependants(symbol).iter().map(|s| s.name().to_string()).collect();
        if !users.is_empty() {
            more.push(format!("used by {}", users.join(", ")));
        }
        out.push(Entry { what, more });
    }
    if let Some(p) = env.programs.get(symbol) {
        let mut more = Vec::new();
        let key = symbol_name(name);
        if let Some(loaded) = live.programs.get(&key) {
            let slots = loaded.compiled.object.program(&key).map_or(0, |p| p.function.insns.len());
            more.push(format!(
                "{slots} instructions{}",
                if loaded.stale { ", from before something it uses changed" } else { "" }
            ));
            if loaded.stale {
                more.extend(still_used(env, &loaded.compiled.object));
            }
        }
        more.extend(
            live.links
                .iter()
                .filter(|l| l.program == key && l.ops.is_none())
                .map(|l| format!("attached by link {} to {}", l.id, l.spec)),
        );
        out.push(Entry { what: format!("program · {} · {}", p.prog_type.keyword(), p.section), more });
    }
    if let Some(o) = env.struct_ops.get(symbol) {
        let key = symbol_name(name);
        let member = |f: &whistler_compiler::hir::OpsField| match &f.value {
            OpsValue::Program(p) => format!("{} {p}", f.name),
            OpsValue::Data { ty, .. } => format!("{} ({ty})", f.name),
        };
        let mut more: Vec<String> = o.fields.iter().map(member).collect();
        let registered = live.links.iter().filter(|l| l.ops.is_some() && l.program == key);
        more.extend(registered.map(|l| format!("registered by link {}", l.id)));
        out.push(Entry { what: format!("struct of operations · {}", o.of), more });
    }
    if let Some(s) = env.structs.get(symbol) {
        let what = format!("{} · {} bytes, align {}", if s.union { "union" } else { "struct" }, s.size, s.align);
        let field = |f: &whistler_compiler::hir::Field| {
            let bits = f.bits.map_or(String::new(), |(at, width)| format!(", bits {at}…{}", at + width - 1));
            format!("{:>4}  {} {}{bits}", f.offset, f.name, f.ty)
        };
        out.push(Entry { what, more: s.fields.iter().map(field).collect() });
    }
    if let Some(e) = env.enums.get(symbol) {
        let more = e.members.iter().map(|(n, v)| format!("{n} = {v}")).collect();
        out.push(Entry { what: format!("enum · {}", whistler_compiler::hir::Ty::Int(e.int)), more });
    }
    if let Some(g) = env.globals.get(symbol) {
        let what = format!("{} · {}", if g.writable { "global" } else { "parameter" }, g.ty);
        out.push(Entry { what, more: Vec::new() });
    }
    if let Some(s) = env.subprograms.get(symbol) {
        let params: Vec<String> = s.params.iter().map(|p| format!("({} {})", p.name, p.ty)).collect();
        out.push(Entry { what: format!("subprogram · ({}) → {}", params.join(" "), s.ret), more: Vec::new() });
    }
    Ok(out)
}

/// The maps and globals that a loaded program has as they were, where the declarations say otherwise now.
fn still_used(env: &whistler_compiler::env::Env, object: &whistler_object::Object) -> Vec<String> {
    let mut out = Vec::new();
    for m in &object.maps {
        let now = env.maps.values().find(|d| symbol_name(&d.name) == m.name);
        let same = now.is_some_and(|d| {
            (d.map_type, d.key_size, d.value_size, d.max_entries)
                == (m.map_type, m.key_size, m.value_size, m.max_entries)
        });
        if !same {
            out.push(format!(
                "still uses the map {} as it was: {}, key {} bytes, value {} bytes, {} entries",
                now.map_or(&*m.name, |d| &*d.name),
                m.map_type.keyword(),
                m.key_size,
                m.value_size,
                m.max_entries
            ));
        }
    }
    for g in object.globals.iter().filter(|g| g.section.is_none()) {
        let now = env.globals.values().find(|d| symbol_name(&d.name) == g.name);
        if let Some(now) = now.filter(|d| d.ty.size() as usize != g.init.len()) {
            out.push(format!("still uses {} as it was, of {} bytes", now.name, g.init.len()));
        }
    }
    if out.is_empty() {
        out.push("still runs with the code it had".to_string());
    }
    out
}

/// The form of the language that stands for a helper.
fn form_of(h: &Helper) -> Option<&'static whistler_compiler::forms::FormDef> {
    whistler_compiler::forms::lookup(norm(Symbol::intern(&norm_str(h.name))))
}

fn declaration(name: &str) -> Option<(&'static str, &'static str)> {
    let name = norm_str(name);
    DECLARATION_USES.iter().find(|d| d.0 == name).map(|d| (d.1, d.2))
}

/// What the language itself has for programs under a name.
fn built_in(name: &str) -> Vec<Entry> {
    let mut out = Vec::new();
    if let Some((usage, doc)) = declaration(name) {
        out.push(Entry { what: format!("declaration · {usage}"), more: vec![doc.to_string()] });
    }
    if let Some(form) = whistler_compiler::forms::lookup(norm(Symbol::intern(name))) {
        let what = format!("kernel form · {}", form.usage);
        out.push(Entry { what, more: vec![form.doc.to_string()] });
    }
    let plain = norm_str(name).replace('-', "_");
    if let Some(h) = helpers::by_name(plain.trim_start_matches("bpf_")) {
        let mut more = vec![format!("since kernel {}", h.since)];
        if h.flags.contains(HelperFlags::GPL_ONLY) {
            more.push("only under a licence that is compatible with the GPL".to_string());
        }
        if h.flags.contains(HelperFlags::MAY_SLEEP) {
            more.push("may sleep: only in sleepable programs".to_string());
        }
        let call = if form_of(h).is_some() { format!("bpf_{}", h.name) } else { signature(h) };
        out.push(Entry { what: format!("helper · {call}"), more });
    }
    out
}

/// What the kernel's types have under a name. Long definitions are cut: `whistler btf dump` shows them whole.
fn of_kernel(shared: &Shared, name: &str) -> Vec<Entry> {
    const LINES: usize = 60;
    let Some(btf) = shared.options.kernel.shared_btf() else { return Vec::new() };
    let mut ids = btf.find_all(name).unwrap_or_default();
    if ids.is_empty() && name.contains('-') {
        ids = btf.find_all(&name.replace('-', "_")).unwrap_or_default();
    }
    let mut out = Vec::new();
    for id in ids {
        let (Ok(t), Ok(text)) = (btf.ty(id), btf.lisp_definition(id)) else { continue };
        if matches!(t.kind(), TypeKind::Fwd | TypeKind::DeclTag | TypeKind::TypeTag) {
            continue;
        }
        let size = btf.size_of(id).map_or(String::new(), |n| format!(", {n} bytes"));
        let mut more: Vec<String> = text.lines().take(LINES).map(str::to_string).collect();
        let left = text.lines().count().saturating_sub(LINES);
        if left > 0 {
            more.push(format!("… {left} more lines: whistler btf dump --lisp {}", t.name));
        }
        out.push(Entry { what: format!("the kernel's {}{size}", t.kind().word()), more });
    }
    out
}

/// A helper's call and result.
fn signature(h: &Helper) -> String {
    let args: String = h.args.iter().map(|a| format!(" {}", norm_str(a.name))).collect();
    format!("({}{args}) → {}", norm_str(h.name), h.ret_type)
}
