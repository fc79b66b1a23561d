//! Maps from the host: entries with keys and values of the declared types.

use std::rc::Rc;

use whistler_compiler::hir::{MapDef, Ty};
use whistler_isa::MapType;
use whistler_lisp::{Form, Interp, LispError, LispResult, Symbol, Value};
use whistler_loader::Put;

use super::define;
use crate::args::Args;
use crate::codec::Codec;
use crate::handles::name_of;
use crate::image::Mode;
use crate::live::{Shared, symbol_name};

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "map-ref",
        "map key &optional default",
        "The value under a key, decoded by its type; DEFAULT (nil) when there is none. A per-CPU map gives a vector. Setf-able.",
        map_ref,
    );
    define(
        interp,
        shared,
        "(setf map-ref)",
        "value map key &optional default",
        "Puts a value under a key.",
        set_map_ref,
    );
    define(interp, shared, "map-delete", "map key", "Removes an entry; whether there was one.", map_delete);
    define(interp, shared, "map-keys", "map", "The keys, as a list.", map_keys);
    define(interp, shared, "map-entries", "map", "The entries, as a list of (key . value).", map_entries);
    define(interp, shared, "map-count", "map", "The number of entries.", map_count);
    interp.define_host_macro("do-map-entries", Rc::new(|_, form| do_map_entries(form)));
    define(
        interp,
        shared,
        "map-clear",
        "map",
        "Removes all entries (array maps: sets them to 0); how many.",
        map_clear,
    );
}

/// A map with how its bytes are read.
pub(super) struct Typed {
    pub name: String,
    pub def: Rc<MapDef>,
    pub key: Codec,
    pub value: Codec,
}

impl Typed {
    /// The map that a value means.
    pub fn new(shared: &Shared, interp: &Interp, value: Value) -> Result<Typed, LispError> {
        let name = name_of(interp, value).ok_or_else(|| LispError::wrong_type(&interp.show(value), "a map"))?;
        let Some(def) = shared.map_def(&name)? else {
            return Err(LispError::simple(format!("there is no map `{name}`")));
        };
        let codec =
            |ty: &Option<Ty>, size| ty.as_ref().map_or_else(|| Codec::untyped(size), |ty| Codec::new(ty, interp));
        let (key, value) = (codec(&def.key, def.key_size), codec(&def.value, def.value_size));
        Ok(Typed { name, def, key, value })
    }

    pub fn is_array(&self) -> bool {
        matches!(self.def.map_type, MapType::Array | MapType::PercpuArray)
    }

    /// The values under a key: one, or one per CPU.
    pub fn read(&self, shared: &Shared, interp: &mut Interp, key: &[u8]) -> Result<Option<Vec<Vec<u8>>>, LispError> {
        match shared.options.mode {
            Mode::Kernel => shared.live_map(&self.name)?.values(key).map_err(|e| self.failed(e)),
            Mode::Vm => shared.with_vm(interp, |vm| {
                vm.machine.lookup_per_cpu(&symbol_name(&self.name), key).map_err(|e| self.failed(e))
            }),
        }
    }

    fn write(&self, shared: &Shared, interp: &mut Interp, key: &[u8], value: &[u8]) -> Result<(), LispError> {
        match shared.options.mode {
            Mode::Kernel => shared.live_map(&self.name)?.update(key, value, Put::Any).map_err(|e| self.failed(e)),
            Mode::Vm => shared.with_vm(interp, |vm| {
                let flags = whistler_vm::UpdateFlags::Any;
                vm.machine.update(&symbol_name(&self.name), key, value, flags).map_err(|e| self.failed(e))
            }),
        }
    }

    fn remove(&self, shared: &Shared, interp: &mut Interp, key: &[u8]) -> Result<bool, LispError> {
        match shared.options.mode {
            Mode::Kernel => shared.live_map(&self.name)?.delete(key).map_err(|e| self.failed(e)),
            Mode::Vm => shared.with_vm(interp, |vm| Ok(vm.machine.delete(&symbol_name(&self.name), key).is_ok())),
        }
    }

    /// All keys, in the map's own order.
    pub fn keys(&self, shared: &Shared, interp: &mut Interp) -> Result<Vec<Vec<u8>>, LispError> {
        match shared.options.mode {
            Mode::Kernel => {
                let map = shared.live_map(&self.name)?;
                map.keys().collect::<Result<_, _>>().map_err(|e| self.failed(e))
            }
            Mode::Vm => {
                shared.with_vm(interp, |vm| vm.machine.keys(&symbol_name(&self.name)).map_err(|e| self.failed(e)))
            }
        }
    }

    fn failed(&self, e: impl std::fmt::Display) -> LispError {
        LispError::simple(format!("map `{}`: {e}", self.name))
    }

    /// One value, or a vector of one per CPU, decoded.
    pub fn decode(&self, interp: &mut Interp, values: &[Vec<u8>]) -> Value {
        let per_cpu = matches!(self.def.map_type, MapType::PercpuArray | MapType::PercpuHash | MapType::LruPercpuHash);
        match values {
            [one] if !per_cpu => self.value.decode(one, &mut interp.heap),
            all => {
                let items = all.iter().map(|v| self.value.decode(v, &mut interp.heap)).collect();
                interp.heap.vector(items)
            }
        }
    }
}

fn map_ref(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let (map, key, default) = match args {
        [map, key] => (*map, *key, Value::NIL),
        [map, key, default] => (*map, *key, *default),
        _ => return Err(LispError::simple("`map-ref` takes a map and a key")),
    };
    let typed = Typed::new(shared, interp, map)?;
    let key = typed.key.encode(key, &interp.heap)?;
    match typed.read(shared, interp, &key)? {
        Some(values) => Ok(typed.decode(interp, &values)),
        None => Ok(default),
    }
}

fn set_map_ref(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [value, map, key, ..] = args else {
        return Err(LispError::simple("`(setf map-ref)` takes a value, a map and a key"));
    };
    let typed = Typed::new(shared, interp, *map)?;
    let key = typed.key.encode(*key, &interp.heap)?;
    let bytes = typed.value.encode(*value, &interp.heap)?;
    typed.write(shared, interp, &key, &bytes)?;
    Ok(*value)
}

fn map_delete(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [map, key] = Args::new("map-delete", args, &[])?.exactly()?;
    let typed = Typed::new(shared, interp, map)?;
    let key = typed.key.encode(key, &interp.heap)?;
    Ok(Value::from(typed.remove(shared, interp, &key)?))
}

fn map_keys(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [map] = Args::new("map-keys", args, &[])?.exactly()?;
    let typed = Typed::new(shared, interp, map)?;
    let keys = typed.keys(shared, interp)?;
    let values: Vec<Value> = keys.iter().map(|k| typed.key.decode(k, &mut interp.heap)).collect();
    Ok(interp.heap.list(&values))
}

fn map_entries(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [map] = Args::new("map-entries", args, &[])?.exactly()?;
    let typed = Typed::new(shared, interp, map)?;
    let mut out = Vec::new();
    for key in typed.keys(shared, interp)? {
        // One that vanished meanwhile is left out.
        let Some(values) = typed.read(shared, interp, &key)? else { continue };
        let k = typed.key.decode(&key, &mut interp.heap);
        let v = typed.decode(interp, &values);
        out.push(interp.heap.cons(k, v));
    }
    Ok(interp.heap.list(&out))
}

/// `(do-map-entries (k v map) body…)`: the entries as they were when it began.
fn do_map_entries(form: &Form) -> Result<Form, LispError> {
    let wrong = || LispError::malformed(form.span, "it is written (do-map-entries (key value map) form…)");
    let [_, head, body @ ..] = form.as_list().unwrap_or(&[]) else { return Err(wrong()) };
    let [key, value, map] = head.as_list().unwrap_or(&[]) else { return Err(wrong()) };
    if key.as_symbol().is_none() || value.as_symbol().is_none() {
        return Err(wrong());
    }
    let word = |name: &'static str| Form::symbol(Symbol::cl(name), head.span);
    let list = |items: Vec<Form>| Form::list(items, form.span);
    let entry = Form::symbol(Symbol::gensym("entry"), head.span);
    let part = |of: &Form, name| list(vec![of.clone(), list(vec![word(name), entry.clone()])]);
    let entries = Form::symbol(Symbol::intern("map-entries"), head.span);
    let mut inner = vec![word("let"), list(vec![part(key, "car"), part(value, "cdr")])];
    inner.extend_from_slice(body);
    let each = list(vec![entry.clone(), list(vec![entries, map.clone()])]);
    Ok(list(vec![word("dolist"), each, list(inner)]))
}

fn map_count(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [map] = Args::new("map-count", args, &[])?.exactly()?;
    let typed = Typed::new(shared, interp, map)?;
    Ok(Value::Int(typed.keys(shared, interp)?.len() as i64))
}

fn map_clear(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [map] = Args::new("map-clear", args, &[])?.exactly()?;
    let typed = Typed::new(shared, interp, map)?;
    let keys = typed.keys(shared, interp)?;
    for key in &keys {
        if typed.is_array() {
            typed.write(shared, interp, key, &vec![0; typed.value.size()])?;
        } else {
            typed.remove(shared, interp, key)?;
        }
    }
    Ok(Value::Int(keys.len() as i64))
}
