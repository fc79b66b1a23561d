//! Maps by bytes: `map-lookup`, `map-update`, `map-get-next-key`, and numbers as bytes.

use std::rc::Rc;

use num_bigint::{BigInt, Sign};
use whistler_lisp::{Interp, LispError, LispResult, Value};
use whistler_loader::Put;

use super::define;
use crate::args::Args;
use crate::codec::Codec;
use crate::forms::maps::Typed;
use crate::image::Mode;
use crate::live::Shared;

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "map-lookup",
        "map key",
        "The bytes of the value under a key; nil when there is none. A per-CPU map gives a vector of them.",
        lookup,
    );
    define(
        interp,
        shared,
        "map-update",
        "map key value &key flags",
        "Puts a value under a key, both as bytes or as what the map's types encode. In a per-CPU map VALUE may be a \
         vector of one value per CPU, else all get the same. FLAGS is +bpf-any+, +bpf-noexist+ or +bpf-exist+.",
        update,
    );
    define(
        interp,
        shared,
        "map-get-next-key",
        "map key",
        "The bytes of the key after KEY, of the first one when KEY is nil; nil at the end.",
        next_key,
    );
    define(interp, shared, "encode-int-key", "number size", "A number as SIZE bytes, little end first.", encode_int);
    define(
        interp,
        shared,
        "decode-int-value",
        "bytes",
        "The number that bytes are, little end first; of a vector of those, a vector of numbers.",
        decode_int,
    );
}

/// Bytes that a value already is: a byte vector, or a vector or list of small numbers of that length.
pub(super) fn plain_bytes(interp: &Interp, v: Value, size: usize) -> Option<Vec<u8>> {
    if let Some(bytes) = interp.heap.byte_slice(v) {
        return Some(bytes.to_vec());
    }
    let items = match interp.heap.items(v) {
        Some(items) => items.to_vec(),
        None => interp.heap.list_items(v).filter(|l| !l.is_empty())?,
    };
    let bytes: Option<Vec<u8>> = items.iter().map(|v| v.as_i64().and_then(|n| u8::try_from(n).ok())).collect();
    bytes.filter(|b| b.len() == size)
}

fn encoded(interp: &Interp, codec: &Codec, v: Value, what: &str) -> Result<Vec<u8>, LispError> {
    let wrong = |n: usize| LispError::simple(format!("the map's {what} has {} bytes, not {n}", codec.size()));
    match plain_bytes(interp, v, codec.size()) {
        Some(bytes) if bytes.len() == codec.size() => Ok(bytes),
        Some(bytes) => Err(wrong(bytes.len())),
        None => codec.encode(v, &interp.heap),
    }
}

fn lookup(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [map, key] = Args::new("map-lookup", args, &[])?.exactly()?;
    let typed = Typed::new(shared, interp, map)?;
    let key = encoded(interp, &typed.key, key, "key")?;
    let Some(values) = typed.read(shared, interp, &key)? else { return Ok(Value::NIL) };
    let mut values: Vec<Value> = values.into_iter().map(|v| interp.heap.bytes(v)).collect();
    if typed.is_per_cpu() {
        return Ok(interp.heap.vector(values));
    }
    Ok(values.pop().unwrap_or(Value::NIL))
}

fn update(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let args = Args::new("map-update", args, &["flags"])?;
    // The original's loader takes flags by keyword, its kernel form by place.
    let (map, key, value, placed) = match args.plain.as_slice() {
        [map, key, value] => (*map, *key, *value, None),
        [map, key, value, flags] => (*map, *key, *value, flags.as_i64()),
        _ => return Err(LispError::simple("`map-update` takes a map, a key and a value")),
    };
    let flags = args.number(interp, "flags")?.map(|n| n as i64).or(placed).unwrap_or(0);
    let put = match flags {
        0 => Put::Any,
        1 => Put::New,
        2 => Put::Existing,
        n => {
            return Err(LispError::simple(format!("`map-update` does not know the flags {n}"))
                .help("there are +bpf-any+ (0), +bpf-noexist+ (1) and +bpf-exist+ (2)"));
        }
    };
    let typed = Typed::new(shared, interp, map)?;
    let key = encoded(interp, &typed.key, key, "key")?;
    let values = per_cpu(shared, interp, &typed, value)?;
    typed.write(shared, interp, &key, &values, put)?;
    Ok(value)
}

/// The values to write: one for all CPUs, or one for each.
fn per_cpu(shared: &Shared, interp: &mut Interp, typed: &Typed, value: Value) -> Result<Vec<Vec<u8>>, LispError> {
    let each = interp.heap.items(value).filter(|_| typed.is_per_cpu()).map(<[Value]>::to_vec);
    let each = each.filter(|_| plain_bytes(interp, value, typed.value.size()).is_none());
    let Some(each) = each else { return Ok(vec![encoded(interp, &typed.value, value, "value")?]) };
    let cpus = typed.cpus(shared, interp)?;
    if each.len() != cpus {
        return Err(LispError::simple(format!("{} values given for {cpus} CPUs", each.len())));
    }
    each.into_iter().map(|v| encoded(interp, &typed.value, v, "value")).collect()
}

fn next_key(shared: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [map, key] = Args::new("map-get-next-key", args, &[])?.exactly()?;
    let typed = Typed::new(shared, interp, map)?;
    let key = if key.is_true() { Some(encoded(interp, &typed.key, key, "key")?) } else { None };
    let next = match shared.options.mode {
        Mode::Kernel => typed.in_kernel(shared)?.next_key(key.as_deref()).map_err(|e| typed.refused(&e))?,
        Mode::Vm => {
            let keys = typed.keys(shared, interp)?;
            match key {
                None => keys.into_iter().next(),
                // As in the kernel: from a key that is gone, the walk starts again.
                Some(key) => match keys.iter().position(|k| *k == key) {
                    Some(at) => keys.into_iter().nth(at + 1),
                    None => keys.into_iter().next(),
                },
            }
        }
    };
    Ok(next.map_or(Value::NIL, |k| interp.heap.bytes(k)))
}

fn encode_int(_: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [number, size] = Args::new("encode-int-key", args, &[])?.exactly()?;
    let n = interp.heap.as_i128(number).ok_or_else(|| LispError::wrong_type(&interp.show(number), "an integer"))?;
    let size = size
        .as_i64()
        .filter(|s| (1..=16).contains(s))
        .ok_or_else(|| LispError::wrong_type(&interp.show(size), "a number of bytes from 1 to 16"))?
        as usize;
    let bits = 8 * size as u32;
    let fits = bits == 128 || (n < 1 << bits && n >= -(1 << (bits - 1)));
    if !fits {
        return Err(LispError::simple(format!("{n} does not fit in {size} bytes")));
    }
    Ok(interp.heap.bytes(n.to_le_bytes()[..size].to_vec()))
}

fn decode_int(_: &Shared, interp: &mut Interp, args: &[Value]) -> LispResult {
    let [bytes] = Args::new("decode-int-value", args, &[])?.exactly()?;
    decode(interp, bytes, 0)
}

fn decode(interp: &mut Interp, v: Value, depth: u32) -> LispResult {
    let size = interp.heap.items(v).map_or(0, <[Value]>::len);
    if let Some(bytes) = plain_bytes(interp, v, size) {
        if bytes.len() > 8 {
            return Ok(interp.heap.integer(BigInt::from_bytes_le(Sign::Plus, &bytes)));
        }
        return Ok(interp.heap.unsigned(bytes.iter().rev().fold(0, |n, b| (n << 8) | u64::from(*b))));
    }
    match interp.heap.items(v).map(<[Value]>::to_vec) {
        Some(items) if depth == 0 => {
            let values = items.into_iter().map(|v| decode(interp, v, 1)).collect::<Result<Vec<_>, _>>()?;
            Ok(interp.heap.vector(values))
        }
        _ => Err(LispError::wrong_type(&interp.show(v), "a vector of bytes")),
    }
}
