//! Objects from files: opened, loaded, closed; what they have in them.

use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;

use whistler_lisp::{Interp, LispError, LispResult, Value};

use super::define;
use crate::args::{Args, text};
use crate::btf_types::map_types;
use crate::failure::as_bpf_error;
use crate::forms::maps::Typed;
use crate::handles;
use crate::image::Mode;
use crate::live::Shared;
use crate::unit::{BpfUnit, UnitMap, UnitProgram, UnitStructOps, name_in_object};

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(interp, shared, "open-bpf-object", "path", "Reads an object file; nothing is loaded yet.", open);
    define(
        interp,
        shared,
        "load-bpf-object",
        "object",
        "Makes an object's maps and loads its programs; the object.",
        load,
    );
    define(
        interp,
        shared,
        "close-bpf-object",
        "object",
        "Detaches an object's programs and gives up its programs and maps; whether it was open.",
        close,
    );
    define(interp, shared, "load-object", "path", "Reads and loads an object file.", |shared, interp, args| {
        let object = open(shared, interp, args)?;
        load(shared, interp, &[object])
    });
    define(
        interp,
        shared,
        "bpf-object-map",
        "object name",
        "The map of that name in an object; nil when there is none.",
        object_map,
    );
    define(
        interp,
        shared,
        "bpf-object-prog",
        "object name",
        "The program of that name in an object; nil when there is none.",
        object_prog,
    );
    define(
        interp,
        shared,
        "bpf-object-struct-ops",
        "object name",
        "The struct of operations of that name in an object, for `attach`; nil when there is none.",
        object_struct_ops,
    );
    define(interp, shared, "prog-info-fd", "program", "The descriptor of a loaded program.", prog_fd);
    define(interp, shared, "prog-info-name", "program", "A program's name in its object.", |shared, interp, args| {
        let [p] = Args::new("prog-info-name", args, &[])?.exactly()?;
        let name = shared.program_ref(interp, p)?.name;
        Ok(interp.heap.string(name))
    });
    define(interp, shared, "map-info-fd", "map", "The descriptor of a map.", |shared, interp, args| {
        let [m] = Args::new("map-info-fd", args, &[])?.exactly()?;
        let typed = Typed::new(shared, interp, m)?;
        Ok(Value::Int(i64::from(typed.in_kernel(shared)?.as_fd().as_raw_fd())))
    });
    define(interp, shared, "map-info-name", "map", "A map's name in its object.", |shared, interp, args| {
        let [m] = Args::new("map-info-name", args, &[])?.exactly()?;
        let name = crate::live::symbol_name(&Typed::new(shared, interp, m)?.name);
        Ok(interp.heap.string(name))
    });
    define(interp, shared, "map-info-type", "map", "A map's type, by the kernel's number.", |shared, interp, args| {
        number(shared, interp, args, |t| t.def.map_type.number())
    });
    define(interp, shared, "map-info-key-size", "map", "Bytes of a map's key.", |shared, interp, args| {
        number(shared, interp, args, |t| t.def.key_size)
    });
    define(interp, shared, "map-info-value-size", "map", "Bytes of a map's value.", |shared, interp, args| {
        number(shared, interp, args, |t| t.def.value_size)
    });
    define(
        interp,
        shared,
        "map-info-max-entries",
        "map",
        "Entries that a map has room for.",
        |shared, interp, args| number(shared, interp, args, |t| t.def.max_entries),
    );
}

fn number(shared: &Shared, interp: &mut Interp, args: &[Value], what: fn(&Typed) -> u32) -> LispResult {
    let [m] = Args::new("map-info", args, &[])?.exactly()?;
    Ok(Value::Int(i64::from(what(&Typed::new(shared, interp, m)?))))
}

/// The object that a value is.
pub(super) fn unit(interp: &Interp, v: Value) -> Result<Rc<BpfUnit>, LispError> {
    interp.heap.downcast::<BpfUnit>(v).ok_or_else(|| LispError::wrong_type(&interp.show(v), "a bpf-object"))
}

fn open(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [path] = Args::new("open-bpf-object", args, &[])?.exactly()?;
    let path = text(interp, path, "open-bpf-object")?;
    let bytes = std::fs::read(&path).map_err(|e| LispError::simple(format!("{path}: {e}")).of_type("file-error"))?;
    let object = whistler_object::elf::read(&bytes)
        .map_err(|e| as_bpf_error(LispError::simple(format!("{path}: {e}")), None))?;
    let types = map_types(&object);
    let unit = shared.open_unit(path, Rc::new(object), types)?;
    Ok(handles::value(interp, unit))
}

fn load(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [object] = Args::new("load-bpf-object", args, &[])?.exactly()?;
    unit(interp, object)?.load(shared, None)?;
    Ok(object)
}

fn close(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [object] = Args::new("close-bpf-object", args, &[])?.exactly()?;
    let unit = unit(interp, object)?;
    Ok(Value::from(shared.close_unit(&unit)?))
}

fn object_map(_: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [object, name] = Args::new("bpf-object-map", args, &[])?.exactly()?;
    let unit = unit(interp, object)?;
    let name = name_in_object(interp, name, "bpf-object-map")?;
    if unit.object.map(&name).is_none() {
        return Ok(Value::NIL);
    }
    Ok(handles::value(interp, Rc::new(UnitMap { unit, name })))
}

fn object_prog(_: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [object, name] = Args::new("bpf-object-prog", args, &[])?.exactly()?;
    let unit = unit(interp, object)?;
    let name = name_in_object(interp, name, "bpf-object-prog")?;
    if unit.object.program(&name).is_none() {
        return Ok(Value::NIL);
    }
    Ok(handles::value(interp, Rc::new(UnitProgram { unit, name })))
}

fn object_struct_ops(_: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [object, name] = Args::new("bpf-object-struct-ops", args, &[])?.exactly()?;
    let unit = unit(interp, object)?;
    let name = name_in_object(interp, name, "bpf-object-struct-ops")?;
    if unit.object.struct_ops(&name).is_none() {
        return Ok(Value::NIL);
    }
    Ok(handles::value(interp, Rc::new(UnitStructOps { unit, name })))
}

fn prog_fd(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [program] = Args::new("prog-info-fd", args, &[])?.exactly()?;
    let found = shared.program_ref(interp, program)?;
    if shared.options.mode == Mode::Vm {
        // There are no descriptors; what takes one takes the program, too.
        found.section(shared)?;
        return Ok(program);
    }
    Ok(Value::Int(i64::from(found.loaded(shared)?.as_fd().as_raw_fd())))
}
