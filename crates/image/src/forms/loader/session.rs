//! `with-bpf-session`. Invariant: what it declares is compiled when the form is expanded (or the function around it
//! defined), so its mistakes are reported then; running it only loads.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use whistler_lisp::{Foreign, Form, FormKind, Interp, LispError, LispResult, Symbol, Value};
use whistler_object::Object;

use super::define;
use crate::args::Args;
use crate::handles;
use crate::image::Mode;
use crate::live::{Shared, symbol_name};
use crate::unit::{BpfUnit, MapTypes, UnitMap, UnitProgram, name_in_object};

/// The variable that holds the session that is open.
const SESSION: &str = "*bpf-session*";

/// What a session form was compiled to.
struct Compiled {
    object: Rc<Object>,
    types: FxHashMap<String, MapTypes>,
    /// The maps it declares itself; others are the image's.
    own: Vec<String>,
}

impl Foreign for Compiled {
    fn type_name(&self) -> &str {
        "compiled-session"
    }
}

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    interp.define_variable(SESSION, Value::NIL);
    let of = shared.clone();
    interp.define_host_macro("with-bpf-session", Rc::new(move |interp, form| expand(&of, interp, form)));
    for (name, function) in [("bpf:attach", "%session-attach"), ("bpf:map-ref", "%session-map-ref")] {
        interp.define_host_macro(name, Rc::new(move |_, form| quoted(form, function)));
    }
    for name in ["bpf:map", "bpf:prog"] {
        interp.define_host_macro(
            name,
            Rc::new(move |_, form| {
                let text = format!("`{name}` stands directly in `with-bpf-session`, not inside of another form");
                Err(LispError::malformed(form.span, text))
            }),
        );
    }
    define(interp, shared, "%open-bpf-session", "compiled", "", open);
    define(interp, shared, "%session-attach", "name &rest target", "", attach);
    define(interp, shared, "%session-map-ref", "name key", "", map_ref);
    define(interp, shared, "(setf %session-map-ref)", "value name key", "", set_map_ref);
    define(
        interp,
        shared,
        "bpf-session-map",
        "name &optional session",
        "The map of that name (a symbol or string) of the session that is open.",
        session_map,
    );
    define(
        interp,
        shared,
        "bpf-session-prog",
        "name &optional session",
        "The program of that name (a symbol or string) of the session that is open.",
        session_prog,
    );
    define(interp, shared, "bpf-session-maps", "session", "A session's maps, as a list of (name . map).", maps);
    define(
        interp,
        shared,
        "bpf-session-progs",
        "session",
        "A session's programs, as a list of (name . program).",
        progs,
    );
}

fn expand(shared: &Shared, interp: &mut Interp, form: &Form) -> Result<Form, LispError> {
    let (made, diagnostics) = {
        let sources = shared.options.sources.clone();
        let sources = sources.borrow();
        shared.session()?.bpf_session(interp, &sources, form, Default::default())
    };
    shared.report(diagnostics)?;
    let made = made.ok_or_else(|| LispError::malformed(form.span, "the session was not compiled"))?;
    let types =
        made.used.iter().map(|m| (symbol_name(&m.name), MapTypes { key: m.key.clone(), value: m.value.clone() }));
    let compiled = Compiled {
        types: types.collect(),
        own: made.maps.iter().map(|m| symbol_name(&m.name)).collect(),
        object: Rc::new(made.compiled.object),
    };
    let value = interp.heap.foreign(Rc::new(compiled));
    let literal = Form::new(FormKind::Foreign(interp.heap.root(value)), form.span);
    let list = |items: Vec<Form>| Form::list(items, form.span).with_origin(form.origin.clone());
    let word = |name: &'static str| Form::symbol(Symbol::intern_static(name), form.span);
    let host = |name: &'static str| Form::symbol(Symbol::cl(name), form.span);
    let quote = list(vec![host("quote"), literal]);
    let binding = list(vec![word(SESSION), list(vec![word("%open-bpf-session"), quote])]);
    let mut body = vec![host("progn")];
    body.extend(made.body);
    let close = list(vec![word("close-bpf-object"), word(SESSION)]);
    let protected = list(vec![host("unwind-protect"), list(body), close]);
    Ok(list(vec![host("let"), list(vec![binding]), protected]))
}

/// `(bpf:f name …)` with the name as it stands.
fn quoted(form: &Form, function: &'static str) -> Result<Form, LispError> {
    let [_, name, rest @ ..] = form.as_list().unwrap_or(&[]) else {
        return Err(LispError::malformed(form.span, "a name of the session's is missing here"));
    };
    let quoted = Form::list(vec![Form::symbol(Symbol::QUOTE, name.span), name.clone()], name.span);
    let mut call = vec![Form::symbol(Symbol::intern_static(function), form.span), quoted];
    call.extend_from_slice(rest);
    Ok(Form::list(call, form.span).with_origin(form.origin.clone()))
}

fn open(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [compiled] = Args::new("with-bpf-session", args, &[])?.exactly()?;
    let Some(compiled) = interp.heap.downcast::<Compiled>(compiled) else {
        return Err(LispError::wrong_type(&interp.show(compiled), "a compiled session"));
    };
    if shared.options.mode == Mode::Vm && compiled.object.maps.iter().any(|m| !compiled.own.contains(&m.name)) {
        return Err(LispError::simple("in the virtual machine a session can't share maps with the image")
            .help("declare the map in the session with bpf:map"));
    }
    let unit = shared.open_unit("session".into(), compiled.object.clone(), compiled.types.clone())?;
    unit.load(shared, Some(&compiled.own))?;
    Ok(handles::value(interp, unit))
}

/// The session that is open, or the one given.
fn session(interp: &mut Interp, given: Option<Value>) -> Result<Rc<BpfUnit>, LispError> {
    let value = match given.filter(|v| v.is_true()) {
        Some(v) => v,
        None => interp.symbol_value(Symbol::intern_static(SESSION)).unwrap_or(Value::NIL),
    };
    interp.heap.downcast::<BpfUnit>(value).ok_or_else(|| {
        LispError::simple("there is no session open here").help("this stands inside of with-bpf-session")
    })
}

fn map_value(interp: &mut Interp, unit: Rc<BpfUnit>, name: Value) -> LispResult {
    let name = name_in_object(interp, name, "bpf-session-map")?;
    if unit.object.map(&name).is_none() {
        let known: Vec<&str> = unit.object.maps.iter().map(|m| &*m.name).collect();
        return Err(
            LispError::simple(format!("the session has no map `{name}`")).help(format!("it has: {}", known.join(" ")))
        );
    }
    Ok(handles::value(interp, Rc::new(UnitMap { unit, name })))
}

fn prog_value(interp: &mut Interp, unit: Rc<BpfUnit>, name: Value) -> LispResult {
    let name = name_in_object(interp, name, "bpf-session-prog")?;
    if unit.object.program(&name).is_none() {
        let known: Vec<&str> = unit.object.programs.iter().map(|p| &*p.function.name).collect();
        return Err(LispError::simple(format!("the session has no program `{name}`"))
            .help(format!("it has: {}", known.join(" "))));
    }
    Ok(handles::value(interp, Rc::new(UnitProgram { unit, name })))
}

fn attach(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [name, target @ ..] = args else { return Err(LispError::simple("`bpf:attach` takes a program's name")) };
    let unit = session(interp, None)?;
    let program = prog_value(interp, unit, *name)?;
    let mut all = vec![program];
    all.extend_from_slice(target);
    super::super::attach::attach(shared, interp, &all)
}

fn map_ref(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [name, key] = Args::new("bpf:map-ref", args, &[])?.exactly()?;
    let unit = session(interp, None)?;
    let map = map_value(interp, unit, name)?;
    super::super::maps::map_ref(shared, interp, &[map, key])
}

fn set_map_ref(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [value, name, key] = Args::new("(setf bpf:map-ref)", args, &[])?.exactly()?;
    let unit = session(interp, None)?;
    let map = map_value(interp, unit, name)?;
    super::super::maps::set_map_ref(shared, interp, &[value, map, key])
}

fn session_map(_: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [name, given @ ..] = args else { return Err(LispError::simple("`bpf-session-map` takes a map's name")) };
    let unit = session(interp, given.first().copied())?;
    map_value(interp, unit, *name)
}

fn session_prog(_: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [name, given @ ..] = args else { return Err(LispError::simple("`bpf-session-prog` takes a program's name")) };
    let unit = session(interp, given.first().copied())?;
    prog_value(interp, unit, *name)
}

fn maps(_: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let unit = session(interp, args.first().copied())?;
    let names: Vec<String> = unit.object.maps.iter().map(|m| m.name.clone()).collect();
    let mut items = Vec::with_capacity(names.len());
    for name in names {
        let key = interp.heap.string(name.clone());
        let map = handles::value(interp, Rc::new(UnitMap { unit: unit.clone(), name }));
        items.push(interp.heap.cons(key, map));
    }
    Ok(interp.heap.list(&items))
}

fn progs(_: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let unit = session(interp, args.first().copied())?;
    let names: Vec<String> = unit.object.programs.iter().map(|p| p.function.name.clone()).collect();
    let mut items = Vec::with_capacity(names.len());
    for name in names {
        let key = interp.heap.string(name.clone());
        let program = handles::value(interp, Rc::new(UnitProgram { unit: unit.clone(), name }));
        items.push(interp.heap.cons(key, program));
    }
    Ok(interp.heap.list(&items))
}
