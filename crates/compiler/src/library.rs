//! The language's own library: Lisp texts, read only when something in them is used.

use whistler_diag::{Diagnostic, FileId};
use whistler_lisp::Symbol;

use crate::env::Env;
use crate::host::Interp;

/// The texts, by the names errors mention.
pub static TEXTS: &[(&str, &str)] = &[
    ("lib/protocols.lisp", include_str!("../lib/protocols.lisp")),
    ("lib/packets.lisp", include_str!("../lib/packets.lisp")),
    ("lib/addresses.lisp", include_str!("../lib/addresses.lisp")),
    ("lib/checksums.lisp", include_str!("../lib/checksums.lisp")),
    ("lib/aggregations.lisp", include_str!("../lib/aggregations.lisp")),
    ("lib/packet-builders.lisp", include_str!("../lib/packet-builders.lisp")),
    ("lib/maps.lisp", include_str!("../lib/maps.lisp")),
    ("lib/congestion.lisp", include_str!("../lib/congestion.lisp")),
    ("lib/tracing.lisp", include_str!("../lib/tracing.lisp")),
];

/// Makes the library's definitions known to the host; nothing is read yet.
pub fn register(env: &mut Env, host: &mut Interp) {
    if std::mem::replace(&mut env.library_known, true) {
        return;
    }
    for (i, (_, text)) in TEXTS.iter().enumerate() {
        // Spans in the library lie in no source of the user's.
        let items = host.define_library_source(FileId(u32::MAX - 1 - i as u32), text);
        env.library.extend(items.into_iter().filter(|i| i.head == "defheader"));
    }
}

/// Declares the library's headers, if a name may be one of their accessors. Whether anything is new.
pub fn load_for(env: &mut Env, host: &mut Interp, name: Symbol, diags: &mut Vec<Diagnostic>) -> bool {
    let wanted = env.library.iter().position(|i| belongs(name.name(), i.name.name()));
    let Some(i) = wanted else { return false };
    let item = env.library.swap_remove(i);
    let Some(form) = item.form() else { return false };
    env.in_library = true;
    crate::decl::header::declare(env, host, diags, &form);
    env.in_library = false;
    true
}

/// Whether `name` can be an accessor of the header: `H-…`.
fn belongs(name: &str, header: &str) -> bool {
    name.strip_prefix(header).is_some_and(|r| r.starts_with('-'))
}

/// The names that the library defines.
pub fn names() -> impl Iterator<Item = &'static str> {
    TEXTS.iter().flat_map(|(_, text)| {
        text.lines().filter_map(|l| l.strip_prefix("(defmacro ")?.split(|c: char| c.is_whitespace() || c == '(').next())
    })
}
