//! A tracepoint's record from BTF, for who may not read tracefs: every event declared on its own (and not
//! through a class of events) has a struct `trace_event_raw_NAME`, and system calls share two. Invariant: offsets and
//! sizes are those of the `format` file; there is no id in BTF, so it is 0.

use crate::format::scalar;
use whistler_btf::{Btf, BtfError, Kind, Member, TracepointField, TracepointFieldKind, TracepointFormat, TypeKind};

/// What every record begins with; the `format` file shows its members as `common_…`.
const HEAD: &str = "ent";
/// The variable part behind the fields.
const TAIL: &str = "__data";
const DATA_LOC: &str = "__data_loc_";
const REL_LOC: &str = "__rel_loc_";

/// The category of system calls, and how their events begin.
const SYSCALLS: &str = "syscalls";
const ENTER: &str = "sys_enter_";
const EXIT: &str = "sys_exit_";
/// What the kernel's functions of a system call are called before its name (SYSCALL_DEFINE); the first kind has the
/// arguments' names, and is in BTF only where the compiler has kept it.
const DO_SYS: &str = "__do_sys_";
const WRAPPERS: [&str; 3] = ["__x64_sys_", "__arm64_sys_", "__se_sys_"];
/// A system call has this many arguments at most, each in a word of the record.
const SYSCALL_ARGS: usize = 6;

/// The format of `category/event`, if the kernel's types have it.
pub(crate) fn format_from_btf(btf: &Btf, category: &str, event: &str) -> Option<TracepointFormat> {
    let fields = match category {
        SYSCALLS => syscall(btf, event).ok()??,
        _ => fields(btf, &format!("trace_event_raw_{event}")).ok()??,
    };
    Some(TracepointFormat { category: category.to_string(), name: event.to_string(), id: 0, fields, from_types: None })
}

/// The record of a system call's entry or end: the two structs have a place for arguments or result, and the call's
/// own function their names.
fn syscall(btf: &Btf, event: &str) -> Result<Option<Vec<TracepointField>>, BtfError> {
    let (record, call) = match (event.strip_prefix(ENTER), event.strip_prefix(EXIT)) {
        (Some(call), _) => ("syscall_trace_enter", call),
        (_, Some(call)) => ("syscall_trace_exit", call),
        _ => return Ok(None),
    };
    let function = |prefix: &str| btf.find(&format!("{prefix}{call}"), TypeKind::Func);
    let named = function(DO_SYS)?;
    let mut known = named.is_some();
    for prefix in WRAPPERS {
        known |= function(prefix)?.is_some();
    }
    let Some(mut fields) = fields(btf, record)?.filter(|_| known) else { return Ok(None) };
    if let Some(nr) = fields.iter_mut().find(|f| f.name == "nr") {
        nr.name = "__syscall_nr".to_string();
    }
    let Some(args) = fields.iter().position(|f| f.name == "args") else { return Ok(Some(fields)) };
    let args = fields.remove(args);
    let word = |i: usize, name: &str, c_type: String| TracepointField {
        name: name.to_string(),
        c_type,
        offset: args.offset + 8 * i as u32,
        size: 8,
        signed: false,
        kind: TracepointFieldKind::Scalar,
    };
    match named.map(|id| btf.ty(id)).transpose()?.map(|t| t.get()) {
        Some(Kind::Func { proto, .. }) => {
            let Kind::FuncProto(proto) = btf.ty(proto)?.get() else { return Ok(None) };
            // Calls without arguments are given the registers, and say so.
            let params = proto.params().filter(|p| p.name != "__unused");
            for (i, p) in params.take(SYSCALL_ARGS).enumerate() {
                fields.push(word(i, p.name, c_type(btf, p.ty)?));
            }
        }
        _ => fields.push(TracepointField {
            size: 8 * SYSCALL_ARGS as u32,
            kind: TracepointFieldKind::Array { len: SYSCALL_ARGS as u32, elem_size: 8 },
            ..args
        }),
    }
    Ok(Some(fields))
}

fn fields(btf: &Btf, record: &str) -> Result<Option<Vec<TracepointField>>, BtfError> {
    let Some(id) = btf.find(record, TypeKind::Struct)? else { return Ok(None) };
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
    let located = [(DATA_LOC, TracepointFieldKind::DataLoc), (REL_LOC, TracepointFieldKind::RelLoc)];
    if let Some((name, kind)) = located.into_iter().find_map(|(p, kind)| Some((name.strip_prefix(p)?, kind))) {
        return Ok(TracepointField {
            name: name.to_string(),
            c_type: "char".to_string(),
            offset,
            size: 4,
            signed: false,
            kind,
        });
    }
    let size = btf.size_of(m.ty)?;
    let (element, kind) = match btf.stripped(m.ty)?.get() {
        Kind::Array { elem, len } => {
            let kind = match btf.size_of(elem)? {
                elem_size @ (1 | 2 | 4 | 8) => TracepointFieldKind::Array { len, elem_size },
                _ => scalar(size),
            };
            (elem, kind)
        }
        _ => (m.ty, scalar(size)),
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
        let (mut compared, mut calls) = (0, 0);
        for category in tracefs.categories().expect("listed") {
            let category = category.as_str();
            for name in tracefs.names(category).unwrap_or_default() {
                let Some(ours) = format_from_btf(btf, category, &name) else { continue };
                let text = tracefs.format_text(category, &name).expect("it is listed");
                let theirs = parse_format(category, &text).expect("a format");
                // `common_type` … and the event's own, each with its place.
                let places = |f: &TracepointFormat| -> Vec<(String, u32, u32, TracepointFieldKind)> {
                    f.fields.iter().map(|f| (f.name.clone(), f.offset, f.size, f.kind)).collect()
                };
                if let Some(args) = ours.field("args").filter(|_| category == SYSCALLS) {
                    // Without names: the format's arguments are the first words of the array.
                    let named = &places(&theirs)[places(&ours).len() - 1..];
                    for (i, (name, offset, size, _)) in named.iter().enumerate() {
                        assert_eq!((*offset, *size), (args.offset + 8 * i as u32, 8), "{name}");
                    }
                    calls += 1;
                    continue;
                }
                assert_eq!(places(&ours), places(&theirs), "{category}/{name}");
                compared += 1;
            }
        }
        println!("{compared} events are alike in both; {calls} system calls without names");
        assert!(compared > 500 && calls > 100, "{compared} events, {calls} system calls");
    }
}
