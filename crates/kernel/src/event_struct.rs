//! A tracepoint's record from BTF, for who may not read tracefs: every event declared on its own (and not
//! through a class of events) has a struct `trace_event_raw_NAME`. Invariant: offsets and sizes are those of the
//! `format` file; there is no id in BTF, so it is 0.

use whistler_btf::{Btf, BtfError, Kind, Member, TracepointField, TracepointFieldKind, TracepointFormat, TypeKind};

/// What every record begins with; the `format` file shows its members as `common_…`.
const HEAD: &str = "ent";
/// The variable part behind the fields.
const TAIL: &str = "__data";
const DATA_LOC: &str = "__data_loc_";

/// The format of `category/event`, if the kernel's types have it.
pub(crate) fn format_from_btf(btf: &Btf, category: &str, event: &str) -> Option<TracepointFormat> {
    let fields = fields(btf, event).ok()??;
    Some(TracepointFormat { category: category.to_string(), name: event.to_string(), id: 0, fields })
}

fn fields(btf: &Btf, event: &str) -> Result<Option<Vec<TracepointField>>, BtfError> {
    let Some(id) = btf.find(&format!("trace_event_raw_{event}"), TypeKind::Struct)? else { return Ok(None) };
    let Some(record) = btf.ty(id)?.composite() else { return Ok(None) };
    let mut out = Vec::new();
    for m in record.members() {
        if m.name == HEAD {
            if let Some(head) = btf.stripped(m.ty)?.composite() {
                for common in head.members() {
                    out.push(field(btf, &common, &format!("common_{}", common.name))?);
                }
            }
        } else if m.name != TAIL {
            out.push(field(btf, &m, m.name)?);
        }
    }
    Ok(Some(out))
}

fn field(btf: &Btf, m: &Member<'_>, name: &str) -> Result<TracepointField, BtfError> {
    let offset = m.bit_offset / 8;
    if let Some(name) = name.strip_prefix(DATA_LOC) {
        return Ok(TracepointField {
            name: name.to_string(),
            c_type: "char".to_string(),
            offset,
            size: 4,
            signed: false,
            kind: TracepointFieldKind::DataLoc,
        });
    }
    let size = btf.size_of(m.ty)?;
    let (element, kind) = match btf.stripped(m.ty)?.get() {
        Kind::Array { elem, len } if len > 0 => (elem, TracepointFieldKind::Array { len, elem_size: size / len }),
        _ => (m.ty, TracepointFieldKind::Scalar),
    };
    Ok(TracepointField {
        name: name.to_string(),
        c_type: c_type(btf, element)?,
        offset,
        size,
        signed: btf.is_signed(element)?.unwrap_or(false),
        kind,
    })
}

fn c_type(btf: &Btf, id: whistler_btf::TypeId) -> Result<String, BtfError> {
    let ty = btf.ty(id)?;
    Ok(match ty.get() {
        Kind::Ptr(_) => "void *".to_string(),
        Kind::Const(of) | Kind::Volatile(of) if ty.name.is_empty() => btf.ty(of)?.name.to_string(),
        _ => ty.name.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kernel, parse_format};
    use whistler_btf::TypeSource;

    /// Both descriptions of a record agree, for every event of this kernel that has both.
    #[test]
    fn as_in_the_format_files() {
        let kernel = Kernel::running();
        let (Ok(tracefs), Some(btf)) = (kernel.tracefs(), kernel.btf()) else {
            assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "needs tracefs and BTF");
            eprintln!("skipped: needs tracefs and BTF");
            return;
        };
        let mut compared = 0;
        for category in ["sched", "irq", "timer", "signal", "skb"] {
            for name in tracefs.names(category).unwrap_or_default() {
                let Some(ours) = format_from_btf(btf, category, &name) else { continue };
                let text = tracefs.format_text(category, &name).expect("it is listed");
                let theirs = parse_format(category, &text).expect("a format");
                // `common_type` … and the event's own, each with its place.
                let places = |f: &TracepointFormat| -> Vec<(String, u32, u32, bool)> {
                    let data_loc = |k| matches!(k, TracepointFieldKind::DataLoc);
                    f.fields.iter().map(|f| (f.name.clone(), f.offset, f.size, data_loc(f.kind))).collect()
                };
                assert_eq!(places(&ours), places(&theirs), "{category}/{name}");
                compared += 1;
            }
        }
        assert!(compared > 20, "{compared} events");
    }
}
