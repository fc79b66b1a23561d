//! The `format` files of tracefs (Documentation/trace/events.rst). Invariant: what is returned has a
//! name and an id, and every field has a name, lies within [`MAX_RECORD`] and is a number of 1, 2, 4 or 8 bytes, an array
//! that fills its bytes, or the 4-byte word of data of variable size; a line that is not understood is left out.

use whistler_btf::{TracepointField, TracepointFieldKind, TracepointFormat};

/// A record is shorter: the kernel keeps them in pages and gives 16 bits to offsets in them (`struct
/// trace_event_fields`, `__data_loc`).
pub const MAX_RECORD: u32 = 1 << 16;

/// Reads a `format` file. `None` when it has no name or id. The fields that all tracepoints have
/// (`common_type`, …) come first.
///
/// A field line is `field:TYPE NAME[LEN];  offset:O;  size:S;  signed:G;`.
pub fn parse_format(category: &str, text: &str) -> Option<TracepointFormat> {
    let (mut name, mut id, mut fields) = (None, None, Vec::new());
    for line in text.lines() {
        let line = line.trim();
        if let Some(n) = line.strip_prefix("name:") {
            name = Some(n.trim().to_string()).filter(|n| !n.is_empty());
        } else if let Some(n) = line.strip_prefix("ID:") {
            id = n.trim().parse().ok();
        } else if line.starts_with("field:") {
            fields.extend(parse_field(line));
        } else if line.starts_with("print fmt:") {
            // Free text follows, which may look like anything.
            break;
        }
    }
    Some(TracepointFormat { category: category.to_string(), name: name?, id: id?, fields, from_types: None })
}

fn parse_field(line: &str) -> Option<TracepointField> {
    let mut declaration = None;
    let (mut offset, mut size, mut signed) = (None, None, false);
    for part in line.split(';') {
        let Some((key, value)) = part.trim().split_once(':') else { continue };
        let value = value.trim();
        match key {
            "field" => declaration = Some(value),
            "offset" => offset = value.parse().ok(),
            "size" => size = value.parse::<u32>().ok(),
            "signed" => signed = value == "1",
            _ => {}
        }
    }
    let (declaration, offset, size) = (declaration?, offset?, size?);
    if size > MAX_RECORD || offset > MAX_RECORD - size {
        return None;
    }
    let located = [("__data_loc ", TracepointFieldKind::DataLoc), ("__rel_loc ", TracepointFieldKind::RelLoc)];
    let located = located.into_iter().find_map(|(word, kind)| Some((declaration.strip_prefix(word)?, kind)));
    let (c_type, name, kind) = match located {
        Some((rest, kind)) if size == 4 => {
            let (c_type, name) = split_name(rest)?;
            let c_type = c_type.strip_suffix("[]").unwrap_or(&c_type).trim_end().to_string();
            (c_type, name, kind)
        }
        Some(_) => return None,
        None => match declaration.strip_suffix(']').and_then(|d| d.rsplit_once('[')) {
            Some((rest, len)) => {
                let (c_type, name) = split_name(rest)?;
                // The length may be a macro's name; then the element's size decides.
                let len = len.trim().parse::<u32>().ok().filter(|l| *l > 0 && size.is_multiple_of(*l));
                let by_type = || element_size(&c_type).filter(|e| size.is_multiple_of(*e)).map(|e| size / e);
                let fills = |l: &u32| size.checked_div(*l).is_some_and(number);
                let len = len.or_else(by_type).filter(fills).unwrap_or(size);
                (c_type, name, TracepointFieldKind::Array { len, elem_size: size.checked_div(len).unwrap_or(1) })
            }
            None => {
                let (c_type, name) = split_name(declaration)?;
                (c_type, name, scalar(size))
            }
        },
    };
    Some(TracepointField { name, c_type, offset, size, signed, kind })
}

fn number(size: u32) -> bool {
    matches!(size, 1 | 2 | 4 | 8)
}

/// What a field without bounds is: a struct by value is only its bytes.
pub(crate) fn scalar(size: u32) -> TracepointFieldKind {
    if number(size) { TracepointFieldKind::Scalar } else { TracepointFieldKind::Array { len: size, elem_size: 1 } }
}

/// `TYPE NAME`, where the name may stick to a `*`.
fn split_name(declaration: &str) -> Option<(String, String)> {
    let declaration = declaration.trim_end();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let start =
        declaration.rfind(|c| !word(c)).map_or(0, |i| i + declaration[i..].chars().next().map_or(1, char::len_utf8));
    let (c_type, name) = (declaration.get(..start)?, declaration.get(start..)?);
    if name.is_empty() {
        return None;
    }
    Some((c_type.trim_end().to_string(), name.to_string()))
}

/// Bytes of the C types that arrays of unknown length are made of.
fn element_size(c_type: &str) -> Option<u32> {
    Some(match c_type.trim_start_matches("const ") {
        "char" | "unsigned char" | "signed char" | "u8" | "__u8" | "s8" | "__s8" | "uint8_t" | "bool" => 1,
        "short" | "unsigned short" | "u16" | "__u16" | "s16" | "__le16" | "__be16" => 2,
        "int" | "unsigned int" | "u32" | "__u32" | "s32" | "__le32" | "__be32" => 4,
        "long" | "unsigned long" | "u64" | "__u64" | "s64" | "long long" | "unsigned long long" => 8,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXEC: &str = "name: sched_process_exec
ID: 310
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;
\tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;
\tfield:char comm[16];\toffset:16;\tsize:16;\tsigned:0;
\tfield:const char *const *argv;\toffset:32;\tsize:8;\tsigned:0;
\tfield:unsigned long args[6];\toffset:40;\tsize:48;\tsigned:0;
\tfield:char name[IFNAMSIZ];\toffset:88;\tsize:16;\tsigned:0;
\tfield:__rel_loc u8[] data;\toffset:104;\tsize:4;\tsigned:0;
\tfield:struct pair both;\toffset:108;\tsize:16;\tsigned:0;
\tfield:unsigned long tail[];\toffset:128;\tsize:0;\tsigned:0;

print fmt: \"filename=%s field:int no; offset:1; size:1;\", __get_str(filename)
";

    #[test]
    fn fields_of_every_kind() {
        let f = parse_format("sched", EXEC).expect("a format");
        assert_eq!((f.category.as_str(), f.name.as_str(), f.id), ("sched", "sched_process_exec", 310));
        let shown: Vec<String> = f
            .fields
            .iter()
            .map(|f| format!("{} | {} @{}+{} {:?}", f.name, f.c_type, f.offset, f.size, f.kind))
            .collect();
        expect_test::expect![[r#"
            common_type | unsigned short @0+2 Scalar
            common_pid | int @4+4 Scalar
            filename | char @8+4 DataLoc
            pid | pid_t @12+4 Scalar
            comm | char @16+16 Array { len: 16, elem_size: 1 }
            argv | const char *const * @32+8 Scalar
            args | unsigned long @40+48 Array { len: 6, elem_size: 8 }
            name | char @88+16 Array { len: 16, elem_size: 1 }
            data | u8 @104+4 RelLoc
            both | struct pair @108+16 Array { len: 16, elem_size: 1 }
            tail | unsigned long @128+0 Array { len: 0, elem_size: 1 }"#]]
        .assert_eq(&shown.join("\n"));
        assert!(f.fields[1].signed && !f.fields[0].signed);
    }

    fn sound(f: &TracepointField) -> bool {
        let fits = f.size <= MAX_RECORD && f.offset <= MAX_RECORD - f.size;
        let shaped = match f.kind {
            TracepointFieldKind::Scalar => number(f.size),
            TracepointFieldKind::DataLoc | TracepointFieldKind::RelLoc => f.size == 4,
            TracepointFieldKind::Array { len, elem_size } => number(elem_size) && len * elem_size == f.size,
        };
        !f.name.is_empty() && fits && shaped
    }

    /// Random damage to the text, by a small generator of our own: an answer or none, never a panic.
    #[test]
    fn damaged_formats_do_not_panic() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move |n: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % n as u64) as usize
        };
        let alphabet = b";:[]* \t\n09azA_\xff\xc3\xa9-";
        let mut understood = 0;
        for _ in 0..20_000 {
            let mut bytes = EXEC.as_bytes().to_vec();
            for _ in 0..=random(12) {
                if bytes.len() < 2 {
                    break;
                }
                let at = random(bytes.len());
                match random(4) {
                    0 => drop(bytes.remove(at)),
                    1 => bytes.insert(at, alphabet[random(alphabet.len())]),
                    2 => bytes[at] = alphabet[random(alphabet.len())],
                    _ => bytes.truncate(at.max(1)),
                }
            }
            if let Some(f) = parse_format("sched", &String::from_utf8_lossy(&bytes)) {
                understood += 1;
                for field in &f.fields {
                    assert!(sound(field), "{field:?}");
                }
            }
        }
        assert!(understood > 1000, "most damage leaves something readable: {understood}");
    }
}
