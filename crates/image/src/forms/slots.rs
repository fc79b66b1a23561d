//! Programs and maps as the values of maps: what a tail call goes to, what a map of maps holds. Invariant: what lies in
//! a slot outlives the making anew of its map or program, but what a test put there does not outlive the test.

use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;

use whistler_compiler::decl::maps::differs;
use whistler_isa::{MapValueKind, ProgType};
use whistler_lisp::{Interp, LispError, Value};
use whistler_loader::Put;
use whistler_sys::Errno;
use whistler_vm::{Machine, MapError};

use super::maps::Typed;
use crate::handles::{self, MapHandle, ProgramHandle, name_of};
use crate::image::Mode;
use crate::live::{Shared, symbol_name};
use crate::unit::{ProgramRef, UnitMap};

/// What lies in a slot, by its symbol name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Held {
    Program(String),
    Map(String),
}

/// A slot of one of the image's own maps that was filled from the host.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// The map's symbol name.
    pub map: String,
    pub key: Vec<u8>,
    pub held: Held,
    /// Whether the test that runs filled it.
    pub of_test: bool,
}

/// Whether a map's values are programs or maps.
pub(super) fn holds_objects(typed: &Typed) -> bool {
    matches!(typed.def.map_type.info().holds, MapValueKind::Program | MapValueKind::Map)
}

/// Puts a program or map under a key; `nil` takes out what is there.
pub(super) fn set(
    shared: &Shared,
    interp: &mut Interp,
    typed: &Typed,
    key: Vec<u8>,
    value: Value,
) -> Result<(), LispError> {
    let map = symbol_name(&typed.name);
    if value.is_nil() {
        typed.remove(shared, interp, &key)?;
        shared.live()?.slots.retain(|s| s.map != map || s.key != key);
        return Ok(());
    }
    let held = match typed.def.map_type.info().holds {
        MapValueKind::Map => inner_map(shared, interp, typed, value)?,
        _ => program(shared, interp, typed, &key, value)?,
    };
    let Some(held) = held else { return Ok(()) };
    put(shared, interp, typed, &key, &held)?;
    if typed.unit.is_none() {
        let mut live = shared.live()?;
        let of_test = live.running.is_some();
        live.slots.retain(|s| s.map != map || s.key != key);
        live.slots.push(Slot { map, key, held, of_test });
    }
    Ok(())
}

/// The program that a value means. `None`: it was a descriptor's number, which went to the kernel as it is.
fn program(
    shared: &Shared,
    interp: &mut Interp,
    typed: &Typed,
    key: &[u8],
    value: Value,
) -> Result<Option<Held>, LispError> {
    let way = format!(
        "give the program: (setf (map-ref {} key) program); or where the map is declared: :values (program …)",
        typed.name
    );
    let found = match shared.program_ref(interp, value) {
        Ok(found) => found,
        // A descriptor of a program that another loader made.
        Err(_) if value.as_i64().is_some() && shared.options.mode == Mode::Kernel => {
            let bytes = typed.value.encode(value, &interp.heap)?;
            let map = typed.in_kernel(shared)?;
            map.update(key, &bytes, Put::Any).map_err(|e| typed.refused(&e).help(way))?;
            return Ok(None);
        }
        Err(e) => return Err(e.help(way)),
    };
    let (_, own) = found.section(shared)?;
    if let Some((user, other)) = user_of_another_type(shared, typed, own)? {
        let text = format!(
            "`{}` is of type :{}, and `{user}`, which goes on in `{}`, is of type :{}",
            spelled(shared, &found.name)?,
            own.keyword(),
            typed.name,
            other.keyword()
        );
        return Err(LispError::simple(text).help("a tail call goes to a program of the caller's own type"));
    }
    if typed.unit.is_none() && found.unit.is_none() {
        return Ok(Some(Held::Program(found.name)));
    }
    // What belongs to an object that is open by itself lives and dies with it.
    put_program(shared, interp, typed, key, &found)?;
    Ok(None)
}

fn spelled(shared: &Shared, symbol: &str) -> Result<String, LispError> {
    Ok(shared.spelled(symbol)?.unwrap_or_else(|| symbol.to_string()))
}

/// A program of another type that uses the map: the kernel lets all programs around a program array be of one type.
fn user_of_another_type(
    shared: &Shared,
    typed: &Typed,
    own: ProgType,
) -> Result<Option<(String, ProgType)>, LispError> {
    let map = symbol_name(&typed.name);
    if typed.unit.is_some() {
        // A whole object does not tell which of its programs uses a map.
        return Ok(None);
    }
    let mut users: Vec<(String, ProgType)> = {
        let live = shared.live()?;
        let using = live.programs.iter().filter(|(_, p)| p.compiled.object.map(&map).is_some());
        using.filter_map(|(n, p)| Some((n.clone(), p.compiled.object.program(n)?.prog_type))).collect()
    };
    users.sort_by(|a, b| a.0.cmp(&b.0));
    match users.into_iter().find(|(_, t)| *t != own) {
        Some((symbol, t)) => Ok(Some((spelled(shared, &symbol)?, t))),
        None => Ok(None),
    }
}

fn inner_map(shared: &Shared, interp: &Interp, typed: &Typed, value: Value) -> Result<Option<Held>, LispError> {
    if interp.heap.downcast::<UnitMap>(value).is_some() || typed.unit.is_some() {
        return Err(LispError::simple("maps of an object that is open by itself are put into others by `:values`"));
    }
    let name = name_of(interp, value).filter(|_| value.as_i64().is_none());
    let name = name.ok_or_else(|| {
        LispError::wrong_type(&interp.show(value), "a map").help(format!("(setf (map-ref {} key) map)", typed.name))
    })?;
    let Some(def) = shared.map_def(&name)? else {
        return Err(LispError::simple(format!("there is no map `{name}`")));
    };
    let outer = shared.map_def(&typed.name)?;
    if let Some(inner) = outer.as_ref().and_then(|o| o.inner.as_ref())
        && let Some(why) = differs(&def, inner)
    {
        return Err(LispError::simple(format!("`{name}` is not like the maps in `{}`: {why}", typed.name)));
    }
    Ok(Some(Held::Map(symbol_name(&name))))
}

fn put(shared: &Shared, interp: &mut Interp, typed: &Typed, key: &[u8], held: &Held) -> Result<(), LispError> {
    match (held, shared.options.mode) {
        (Held::Program(name), _) => {
            let found = ProgramRef { name: name.clone(), unit: None };
            put_program(shared, interp, typed, key, &found)
        }
        (Held::Map(name), Mode::Vm) => typed.in_vm(shared, interp, |m, map| m.set_inner_map(map, key, Some(name))),
        (Held::Map(_), Mode::Kernel) => shared.put_in_kernel(&typed.name, key, held),
    }
}

fn put_program(
    shared: &Shared,
    interp: &mut Interp,
    typed: &Typed,
    key: &[u8],
    program: &ProgramRef,
) -> Result<(), LispError> {
    if shared.options.mode == Mode::Kernel {
        let loaded = program.loaded(shared)?;
        let bytes = loaded.as_fd().as_raw_fd().to_ne_bytes();
        return typed.in_kernel(shared)?.update(key, &bytes, Put::Any).map_err(|e| {
            let refused = typed.refused(&e);
            if e.errno == Errno::EINVAL { refused.help(SAME_KIND) } else { refused }
        });
    }
    let same = match (&program.unit, &typed.unit) {
        (None, None) => true,
        (Some(a), Some(b)) => Rc::ptr_eq(a, b),
        _ => false,
    };
    if !same {
        return Err(LispError::simple("in the virtual machine a tail call stays in its own object"));
    }
    let index = <[u8; 4]>::try_from(key).map(u32::from_ne_bytes).unwrap_or(u32::MAX);
    typed.in_vm(shared, interp, |m, map| m.set_program(map, index, Some(&program.name)))
}

const SAME_KIND: &str = "all programs around a program array are of one type, attached in one way";

/// The program or map in a slot as a value; `None` when the slot is empty.
pub(super) fn get(shared: &Shared, interp: &mut Interp, typed: &Typed, key: &[u8]) -> Result<Option<Value>, LispError> {
    let holds_maps = typed.def.map_type.info().holds == MapValueKind::Map;
    let symbol = match shared.options.mode {
        Mode::Vm => typed.in_vm(shared, interp, |m, map| m.slot(map, key))?,
        Mode::Kernel => {
            let found = typed.in_kernel(shared)?.lookup(key).map_err(|e| typed.refused(&e))?;
            let Some(id) = found.and_then(|b| <[u8; 4]>::try_from(b).ok()).map(u32::from_ne_bytes) else {
                return Ok(None);
            };
            let live = shared.live()?;
            let known = match holds_maps {
                true => live.maps.iter().find(|(_, m)| m.id().is_ok_and(|i| i == id)).map(|(n, _)| n.clone()),
                false => {
                    let has = |p: &crate::live::LiveProgram| {
                        p.program.as_ref().is_some_and(|p| p.id().is_ok_and(|i| i == id))
                    };
                    live.programs.iter().find(|(_, p)| has(p)).map(|(n, _)| n.clone())
                }
            };
            match known {
                Some(name) => Some(name),
                // The kernel's number of something that is not ours.
                None => return Ok(Some(Value::Int(id.into()))),
            }
        }
    };
    let Some(symbol) = symbol else { return Ok(None) };
    let handle: Rc<dyn whistler_lisp::Foreign> = match holds_maps {
        true => {
            let def = shared.map_def(&symbol)?;
            Rc::new(MapHandle { name: def.map_or(symbol, |d| d.name.to_string()) })
        }
        false => Rc::new(ProgramHandle { name: spelled(shared, &symbol)? }),
    };
    Ok(Some(handles::value(interp, handle)))
}

/// Fills the slots of a machine that was just made.
pub(crate) fn fill(machine: &mut Machine, slots: &[Slot]) -> Result<(), MapError> {
    for slot in slots {
        match &slot.held {
            Held::Program(name) => {
                let index = <[u8; 4]>::try_from(&*slot.key).map(u32::from_ne_bytes).unwrap_or(u32::MAX);
                machine.set_program(&slot.map, index, Some(name))?;
            }
            Held::Map(name) => machine.set_inner_map(&slot.map, &slot.key, Some(name))?,
        }
    }
    Ok(())
}

impl Shared {
    /// Forgets what the last test put into slots; whether there was something.
    pub fn forget_slots_of_test(&self) -> Result<bool, LispError> {
        let slots = &mut self.live()?.slots;
        let before = slots.len();
        slots.retain(|s| !s.of_test);
        Ok(slots.len() != before)
    }

    /// Fills slots in the kernel again whose map or content was made anew: those that hold the program of that symbol
    /// name, or all.
    pub fn fill_again(&self, program: Option<&str>) -> Result<(), LispError> {
        let slots = self.live()?.slots.clone();
        for slot in slots {
            if program.is_none_or(|p| matches!(&slot.held, Held::Program(name) if name == p)) {
                self.put_in_kernel(&slot.map, &slot.key, &slot.held)?;
            }
        }
        Ok(())
    }

    fn put_in_kernel(&self, map: &str, key: &[u8], held: &Held) -> Result<(), LispError> {
        let outer = self.live_map(map)?;
        let fd = match held {
            Held::Program(name) => {
                let found = ProgramRef { name: name.clone(), unit: None };
                found.loaded(self)?.as_fd().as_raw_fd()
            }
            Held::Map(name) => self.live_map(name)?.as_fd().as_raw_fd(),
        };
        outer.update(key, &fd.to_ne_bytes(), Put::Any).map_err(|e| {
            let refused = crate::failure::refused(format!("map `{map}`"), &e);
            match (held, e.errno) {
                (Held::Program(_), Errno::EINVAL) => refused.help(SAME_KIND),
                _ => refused,
            }
        })
    }
}
