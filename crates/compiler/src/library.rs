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

#[cfg(test)]
mod tests {
    use whistler_diag::SourceMap;
    use whistler_lisp::{Form, FormKind};

    use super::TEXTS;

    /// Names that templates bind by the forms of programs, other than by an unquoted name.
    fn bound_in_templates(form: &Form, template: bool, out: &mut Vec<String>) {
        let (FormKind::List(items) | FormKind::Vector(items)) = &form.kind else { return };
        let inside = template || form.is_call("quasiquote");
        let binds = ["let", "let*", "when-let", "when-let*", "if-let", "dotimes", "do-map", "with-ringbuf"];
        let with = form.head().is_some_and(|h| h.name().starts_with("with-"));
        if template && (with || binds.iter().any(|b| form.is_call(b))) {
            let clauses = items.get(1).and_then(Form::as_list).unwrap_or(&[]);
            let many = match form.head().map(|h| h.name()) {
                Some("dotimes") => 1,
                Some("do-map") => 2,
                _ if with => 1,
                _ => usize::MAX,
            };
            let names =
                clauses.iter().take(many).filter_map(|c| c.as_symbol().or_else(|| c.as_list()?.first()?.as_symbol()));
            out.extend(names.map(|s| s.name().to_string()).filter(|n| !n.contains("unquote")));
        }
        let plain = form.is_call("unquote") || form.is_call("unquote-splicing");
        items.iter().for_each(|f| bound_in_templates(f, inside && !plain, out));
    }

    #[test]
    fn its_macros_bind_no_names_that_callers_may_have() {
        let mut seen = 0;
        for (file, text) in TEXTS {
            let mut sources = SourceMap::new();
            let id = sources.add(*file, *text);
            let (forms, diags) = whistler_lisp::read(&sources, id);
            assert!(diags.is_empty(), "{file}: {diags:?}");
            for form in forms.iter().filter(|f| f.is_call("defmacro") || f.is_call("defun")) {
                let mut names = Vec::new();
                bound_in_templates(form, false, &mut names);
                assert!(names.is_empty(), "{file}: `{}` binds {names:?}", form.as_list().expect("a list")[1]);
                seen += usize::from(form.is_call("defmacro"));
            }
        }
        assert!(seen > 50, "{seen}");
        let mut sources = SourceMap::new();
        let id = sources.add("x", "(defmacro m (x) `(let ((old 1) (,x 2)) (dotimes (i 3) ,@x)))");
        let mut names = Vec::new();
        bound_in_templates(&whistler_lisp::read(&sources, id).0[0], false, &mut names);
        assert_eq!(names, ["old", "i"]);
    }
}
