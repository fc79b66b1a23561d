//! Maps from the host: entries with keys and values of the declared types.

use std::rc::Rc;
use std::sync::Arc;

use whistler_compiler::hir::Ty;
use whistler_isa::MapType;
use whistler_lisp::{Form, Interp, LispError, LispResult, Symbol, Value};
use whistler_loader::{Map, Put};
use whistler_sys::SysError;
use whistler_vm::{Machine, MapError, UpdateFlags};

use super::{define, slots};
use crate::args::Args;
use crate::codec::Codec;
use crate::failure::{refused, refused_by_vm};
use crate::handles::name_of;
use crate::image::Mode;
use crate::live::{Shared, symbol_name};
use crate::recorded::VmState;
use crate::unit::{BpfUnit, UnitMap};

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "map-ref",
        "map key &optional default",
        "The value under a key, decoded by its type; DEFAULT (nil) when there is none. A per-CPU map gives a vector. Setf-able; a program array's values are programs, a map of maps' maps.",
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

/// What a map is, whatever it was declared by.
pub(super) struct Shape {
    pub map_type: MapType,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
}

/// A map with how its bytes are read.
pub(super) struct Typed {
    /// Its name as it was declared.
    pub name: String,
    pub def: Shape,
    pub key: Codec,
    pub value: Codec,
    /// Whose it is; `None` for the image's own.
    pub unit: Option<Rc<BpfUnit>>,
}

impl Typed {
    /// The map that a value means.
    pub fn new(shared: &Shared, interp: &Interp, value: Value) -> Result<Typed, LispError> {
        if let Some(map) = interp.heap.downcast::<UnitMap>(value) {
            return Typed::of_unit(interp, &map);
        }
        let name = name_of(interp, value).ok_or_else(|| LispError::wrong_type(&interp.show(value), "a map"))?;
        let Some(def) = shared.map_def(&name)? else {
            return Err(LispError::simple(format!("there is no map `{name}`")));
        };
        let (key, value) = (codec(interp, &def.key, def.key_size), codec(interp, &def.value, def.value_size));
        let def = Shape {
            map_type: def.map_type,
            key_size: def.key_size,
            value_size: def.value_size,
            max_entries: def.max_entries,
        };
        Ok(Typed { name, def, key, value, unit: None })
    }

    fn of_unit(interp: &Interp, map: &UnitMap) -> Result<Typed, LispError> {
        let Some(def) = map.unit.object.map(&map.name) else {
            return Err(LispError::simple(format!("`{}` has no map `{}`", map.unit.name, map.name)));
        };
        let types = map.unit.types.get(&map.name).cloned().unwrap_or_default();
        let (key, value) = (codec(interp, &types.key, def.key_size), codec(interp, &types.value, def.value_size));
        let def = Shape {
            map_type: def.map_type,
            key_size: def.key_size,
            value_size: def.value_size,
            max_entries: def.max_entries,
        };
        Ok(Typed { name: map.name.clone(), def, key, value, unit: Some(map.unit.clone()) })
    }

    pub fn is_array(&self) -> bool {
        matches!(self.def.map_type, MapType::Array | MapType::PercpuArray)
    }

    pub fn is_per_cpu(&self) -> bool {
        matches!(self.def.map_type, MapType::PercpuArray | MapType::PercpuHash | MapType::LruPercpuHash)
    }

    /// The map in the kernel.
    pub fn in_kernel(&self, shared: &Shared) -> Result<Arc<Map>, LispError> {
        match &self.unit {
            Some(unit) => unit.map(&symbol_name(&self.name)),
            None => shared.live_map(&self.name),
        }
    }

    /// Does something with the virtual machine that it lives in.
    pub fn in_vm<T>(
        &self,
        shared: &Shared,
        interp: &mut Interp,
        f: impl FnOnce(&mut Machine, &str) -> Result<T, MapError>,
    ) -> Result<T, LispError> {
        let symbol = symbol_name(&self.name);
        let f = |vm: &mut VmState| f(&mut vm.machine, &symbol).map_err(|e| refused_by_vm(&e));
        match &self.unit {
            Some(unit) => unit.with_vm(f),
            None => shared.with_vm(interp, f),
        }
    }

    /// The values under a key: one, or one per CPU.
    pub fn read(&self, shared: &Shared, interp: &mut Interp, key: &[u8]) -> Result<Option<Vec<Vec<u8>>>, LispError> {
        match shared.options.mode {
            Mode::Kernel => self.in_kernel(shared)?.values(key).map_err(|e| self.refused(&e)),
            Mode::Vm => self.in_vm(shared, interp, |m, name| m.lookup_per_cpu(name, key)),
        }
    }

    /// Puts a value under a key: one, or one per CPU.
    pub fn write(
        &self,
        shared: &Shared,
        interp: &mut Interp,
        key: &[u8],
        values: &[Vec<u8>],
        put: Put,
    ) -> Result<(), LispError> {
        self.written(shared, interp, key, values, put).map_err(|e| match self.cannot_be(key) {
            Some(why) => e.help(why),
            None => e,
        })
    }

    fn written(
        &self,
        shared: &Shared,
        interp: &mut Interp,
        key: &[u8],
        values: &[Vec<u8>],
        put: Put,
    ) -> Result<(), LispError> {
        match shared.options.mode {
            Mode::Kernel => {
                let map = self.in_kernel(shared)?;
                let done = match values {
                    [one] => map.update(key, one, put),
                    all => map.update_per_cpu(key, all, put),
                };
                done.map_err(|e| self.refused(&e))
            }
            Mode::Vm => self.in_vm(shared, interp, |m, name| {
                let flags = match put {
                    Put::Any => UpdateFlags::Any,
                    Put::New => UpdateFlags::NoExist,
                    Put::Existing => UpdateFlags::Exist,
                };
                let [first, rest @ ..] = values else { return Ok(()) };
                m.update(name, key, first, flags)?;
                for (cpu, value) in rest.iter().enumerate() {
                    m.update_cpu(name, key, cpu as u32 + 1, value)?;
                }
                Ok(())
            }),
        }
    }

    pub fn remove(&self, shared: &Shared, interp: &mut Interp, key: &[u8]) -> Result<bool, LispError> {
        match shared.options.mode {
            Mode::Kernel => self.in_kernel(shared)?.delete(key).map_err(|e| self.refused(&e)),
            Mode::Vm => self.in_vm(shared, interp, |m, name| Ok(m.delete(name, key).is_ok())),
        }
    }

    /// All keys, in the map's own order.
    pub fn keys(&self, shared: &Shared, interp: &mut Interp) -> Result<Vec<Vec<u8>>, LispError> {
        match shared.options.mode {
            Mode::Kernel => {
                let map = self.in_kernel(shared)?;
                map.keys().collect::<Result<_, _>>().map_err(|e| self.refused(&e))
            }
            Mode::Vm => self.in_vm(shared, interp, Machine::keys),
        }
    }

    /// How many values a per-CPU map has under a key.
    pub fn cpus(&self, shared: &Shared, interp: &mut Interp) -> Result<usize, LispError> {
        match shared.options.mode {
            Mode::Kernel => Ok(whistler_sys::possible_cpus()),
            Mode::Vm => self.in_vm(shared, interp, |m, _| Ok(m.cpus() as usize)),
        }
    }

    /// Why the map can't have an entry under a key, if it can't.
    fn cannot_be(&self, key: &[u8]) -> Option<String> {
        let first = u32::from_ne_bytes(*key.first_chunk()?);
        let (name, entries) = (&self.name, self.def.max_entries);
        match self.def.map_type {
            MapType::Array | MapType::PercpuArray if first >= entries => {
                Some(format!("`{name}` has {entries} entries, 0 to {}: there is no {first}", entries.saturating_sub(1)))
            }
            MapType::LpmTrie => {
                let most = 8 * (self.def.key_size.saturating_sub(4));
                let text = "the first 4 bytes of the key are the length of the prefix in bits";
                (first > most).then(|| format!("`{name}`: {text}, at most {most}, and here they are {first}"))
            }
            _ => None,
        }
    }

    pub fn refused(&self, e: &SysError) -> LispError {
        refused(format!("map `{}`", self.name), e)
    }

    /// One value, or a vector of one per CPU, decoded.
    pub fn decode(&self, interp: &mut Interp, values: &[Vec<u8>]) -> Value {
        match values {
            [one] if !self.is_per_cpu() => {
                let stack = super::stacks::decode(interp, self, one);
                stack.unwrap_or_else(|| self.value.decode(one, &mut interp.heap))
            }
            all => {
                let items = all.iter().map(|v| self.value.decode(v, &mut interp.heap)).collect();
                interp.heap.vector(items)
            }
        }
    }
}

fn codec(interp: &Interp, ty: &Option<Ty>, size: u32) -> Codec {
    ty.as_ref().map_or_else(|| Codec::untyped(size), |ty| Codec::new(ty, interp))
}

pub(super) fn map_ref(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let (map, key, default) = match args {
        [map, key] => (*map, *key, Value::NIL),
        [map, key, default] => (*map, *key, *default),
        _ => return Err(LispError::simple("`map-ref` takes a map and a key")),
    };
    let typed = Typed::new(shared, interp, map)?;
    let key = typed.key.encode(key, &interp.heap)?;
    if slots::holds_objects(&typed) {
        return Ok(slots::get(shared, interp, &typed, &key)?.unwrap_or(default));
    }
    if typed.is_per_cpu() {
        shared.live()?.per_cpu_read = Some(typed.name.clone());
    }
    let found = typed.read(shared, interp, &key)?;
    shared.live()?.beyond = if found.is_none() { typed.cannot_be(&key) } else { None };
    match found {
        Some(values) => Ok(typed.decode(interp, &values)),
        None => {
            if args.len() == 2 {
                let shown = interp.show(args[1]);
                shared.live()?.missed = Some(format!("(map-ref {} {shown})", typed.name));
            }
            Ok(default)
        }
    }
}

pub(super) fn set_map_ref(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [value, map, key, ..] = args else {
        return Err(LispError::simple("`(setf map-ref)` takes a value, a map and a key"));
    };
    let typed = Typed::new(shared, interp, *map)?;
    let key = typed.key.encode(*key, &interp.heap)?;
    if slots::holds_objects(&typed) && interp.heap.byte_slice(*value).is_none() {
        slots::set(shared, interp, &typed, key, *value)?;
        return Ok(*value);
    }
    let bytes = typed.value.encode(*value, &interp.heap)?;
    typed.write(shared, interp, &key, &[bytes], Put::Any)?;
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
        if slots::holds_objects(&typed) {
            if let Some(held) = slots::get(shared, interp, &typed, &key)? {
                let k = typed.key.decode(&key, &mut interp.heap);
                out.push(interp.heap.cons(k, held));
            }
            continue;
        }
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
            typed.write(shared, interp, key, &[vec![0; typed.value.size()]], Put::Any)?;
        } else {
            typed.remove(shared, interp, key)?;
        }
    }
    Ok(Value::Int(keys.len() as i64))
}
