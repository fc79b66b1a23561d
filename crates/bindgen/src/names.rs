//! Names as each language wants them. Invariant: a name that is a word of the language gets a `_` behind it.

/// `flow_key` as `FlowKey`.
pub(crate) fn camel(name: &str) -> String {
    let name = &plain(name);
    let mut out = String::new();
    for part in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|p| !p.is_empty()) {
        let mut chars = part.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    starting(&out, "X")
}

/// `flow_key` as `FLOW_KEY`.
pub(crate) fn upper(name: &str) -> String {
    starting(&plain(name).to_ascii_uppercase(), "_")
}

/// A name of letters, digits and `_` only, not a word of the language.
pub(crate) fn lower(name: &str, reserved: &[&str]) -> String {
    let name = starting(&plain(name), "_");
    if reserved.contains(&name.as_str()) { format!("{name}_") } else { name }
}

/// `flow_key` as `flow-key`.
pub(crate) fn lisp(name: &str) -> String {
    plain(name).replace('_', "-")
}

/// Letters beyond ASCII by their code points, as in objects: no name comes out empty, and no two alike.
fn plain(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => out.push(c),
            c if c.is_ascii() => out.push('_'),
            c => out.push_str(&format!("u{:04x}", u32::from(c))),
        }
    }
    out
}

/// No name starts with a digit.
fn starting(name: &str, with: &str) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
        format!("{with}{name}")
    } else {
        name.into()
    }
}
