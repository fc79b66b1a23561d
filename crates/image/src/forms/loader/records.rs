//! Records for declared structs: `make-N-record`, `N-record-F`, `encode-N`, `decode-N`. Invariant: what `decode-N`
//! gives is the same kind of record that maps and rings give.

use std::rc::Rc;

use whistler_lisp::{Interp, LispError, LispResult, Object, RecordLayout, Symbol, Value};

use super::define;
use crate::args::Args;
use crate::codec::Codec;
use crate::handles::name_of;
use crate::live::Shared;

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(interp, shared, "%encode-struct", "name record", "", |shared, interp, args| {
        let [name, record] = Args::new("encode", args, &[])?.exactly()?;
        let codec = named(shared, interp, name)?;
        encode(interp, &codec, record)
    });
    define(interp, shared, "%decode-struct", "name bytes", "", |shared, interp, args| {
        let [name, bytes] = Args::new("decode", args, &[])?.exactly()?;
        let codec = named(shared, interp, name)?;
        decode(interp, &codec, bytes)
    });
    const DOC: &str =
        "A number in what a ring's consumer got, as the original's callbacks read it: bytes, byte offset.";
    define(interp, shared, "sap-ref-8", "bytes offset", DOC, |_, i, args| sap_ref::<1>(i, args));
    define(interp, shared, "sap-ref-16", "bytes offset", DOC, |_, i, args| sap_ref::<2>(i, args));
    define(interp, shared, "sap-ref-32", "bytes offset", DOC, |_, i, args| sap_ref::<4>(i, args));
    define(interp, shared, "sap-ref-64", "bytes offset", DOC, |_, i, args| sap_ref::<8>(i, args));
}

/// The unsigned number of `N` bytes at an offset, in this machine's order.
fn sap_ref<const N: usize>(interp: &mut Interp, args: &[Value]) -> LispResult {
    let [bytes, offset] = Args::new("sap-ref", args, &[])?.exactly()?;
    let at = offset.as_i64().and_then(|i| usize::try_from(i).ok());
    let found = at.and_then(|at| interp.heap.byte_slice(bytes)?.get(at..)?.get(..N));
    let mut word = [0; 8];
    match found {
        Some(found) => word[..N].copy_from_slice(found),
        None => {
            let (offset, bytes) = (interp.show(offset), interp.show(bytes));
            return Err(LispError::simple(format!("there are no {N} bytes at {offset} in {bytes}")));
        }
    }
    let number = u64::from_le_bytes(word);
    Ok(interp.heap.integer(number.into()))
}

fn named(shared: &Shared, interp: &Interp, name: Value) -> Result<Codec, LispError> {
    let text = name_of(interp, name).ok_or_else(|| LispError::wrong_type(&interp.show(name), "a struct's name"))?;
    match shared.ty(&text)? {
        Some(ty) => Ok(Codec::new(&ty, interp)),
        None => Err(LispError::simple(format!("there is no struct `{text}`"))),
    }
}

fn encode(interp: &mut Interp, codec: &Codec, record: Value) -> LispResult {
    let bytes = codec.encode(record, &interp.heap)?;
    Ok(interp.heap.bytes(bytes))
}

fn decode(interp: &mut Interp, codec: &Codec, bytes: Value) -> LispResult {
    let Some(raw) = super::bytes::plain_bytes(interp, bytes, interp.heap.items(bytes).map_or(0, <[Value]>::len)) else {
        return Err(LispError::wrong_type(&interp.show(bytes), "a vector of bytes"));
    };
    if raw.len() < codec.size() {
        let text = format!("{} bytes given, and the struct has {}", raw.len(), codec.size());
        return Err(LispError::simple(text));
    }
    Ok(codec.decode(&raw, &mut interp.heap))
}

/// Defines what the host has for a struct.
pub(crate) fn define_record(interp: &mut Interp, codec: &Codec, layout: &Rc<RecordLayout>) {
    let name = layout.name.name();
    interp.define_record(layout, &format!("{name}-"));
    interp.alias_record(Symbol::intern(&format!("{name}-record")), layout);
    for (i, slot) in layout.slots.iter().enumerate() {
        let reader = format!("{name}-record-{}", slot.name());
        interp.define_accessor(&reader, layout, i);
        for writer in [reader, format!("{name}-{}", slot.name())] {
            let layout = layout.clone();
            let set = move |interp: &mut Interp, args: &[Value]| set_field(interp, &layout, i, args);
            interp.define_native(&format!("(setf {writer})"), "value record", "", Rc::new(set));
        }
    }
    let of = layout.clone();
    let is = move |interp: &mut Interp, args: &[Value]| {
        Ok(Value::from(args.first().and_then(|v| interp.heap.record(*v)).is_some_and(|r| r.layout.is_a(&of))))
    };
    interp.define_native(&format!("{name}-record-p"), "value", "", Rc::new(is));
    let of = codec.clone();
    let make = Rc::new(move |interp: &mut Interp, args: &[Value]| make(interp, &of, args));
    for maker in [format!("make-{name}-record"), format!("make-{name}")] {
        // A function of the user's own under the program's name for it stays.
        if maker.ends_with("-record") || !interp.is_users(Symbol::intern(&maker)) {
            interp.define_native(&maker, "&rest fields", "", make.clone());
        }
    }
    let of = codec.clone();
    let enc = move |interp: &mut Interp, args: &[Value]| {
        let [record] = Args::new("encode", args, &[])?.exactly()?;
        encode(interp, &of, record)
    };
    interp.define_native(&format!("encode-{name}"), "record", "", Rc::new(enc));
    let of = codec.clone();
    let dec = move |interp: &mut Interp, args: &[Value]| {
        let [bytes] = Args::new("decode", args, &[])?.exactly()?;
        decode(interp, &of, bytes)
    };
    interp.define_native(&format!("decode-{name}"), "bytes", "", Rc::new(dec));
}

fn set_field(interp: &mut Interp, layout: &Rc<RecordLayout>, slot: usize, args: &[Value]) -> LispResult {
    let [value, record] = Args::new("setf", args, &[])?.exactly()?;
    if let Some(Object::Record(r)) = interp.heap.object_mut(record)
        && r.layout.is_a(layout)
        && let Some(field) = r.fields.get_mut(slot)
    {
        *field = value;
        return Ok(value);
    }
    Err(LispError::wrong_type(&interp.show(record), &format!("a {}", layout.name)))
}

/// A record whose fields are 0 (empty, nil) where they are not given.
fn make(interp: &mut Interp, codec: &Codec, args: &[Value]) -> LispResult {
    let record = codec.decode(&vec![0; codec.size()], &mut interp.heap);
    let Some(layout) = codec.layout() else { return Err(LispError::simple("this is no struct")) };
    for pair in args.chunks(2) {
        let [key, value] = pair else { return Err(LispError::simple("a field's value is missing at the end")) };
        let slot = key.as_symbol().filter(|k| k.is_keyword()).and_then(|k| layout.slot(Symbol::intern(k.name())));
        let Some(slot) = slot else {
            let known: Vec<String> = layout.slots.iter().map(|s| format!(":{s}")).collect();
            return Err(LispError::simple(format!("`{}` has no field {}", layout.name, interp.show(*key)))
                .help(format!("it has {}", known.join(" "))));
        };
        set_field(interp, layout, slot, &[*value, record])?;
    }
    Ok(record)
}
