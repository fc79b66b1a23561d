//! Reports that only follow from others. Invariant: a name is said to be missing only where nothing in the
//! file tried to declare it.

use rustc_hash::FxHashSet;
use whistler_diag::Diagnostic;
use whistler_lisp::Form;

use crate::names::norm_str;

/// The names whose declarations were refused while a file was read.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    names: FxHashSet<String>,
    /// Members of a refused enum, by keyword, could be any.
    keywords: bool,
    /// Some of the text could not be read: what it declares isn't known.
    unread: bool,
}

impl Refused {
    /// A file whose text could not all be read.
    pub(crate) fn unread(&mut self) {
        self.unread = true;
    }

    /// A form that was to declare something and was refused.
    pub(crate) fn note(&mut self, form: &Form) {
        let Some([head, named, ..]) = form.as_list() else { return };
        let Some(head) = head.as_symbol().map(|h| norm_str(h.name())) else { return };
        if !(head.starts_with("def") || head.starts_with("import-")) {
            return;
        }
        let name = named.as_symbol().or_else(|| named.as_list()?.first()?.as_symbol());
        self.names.extend(name.map(|n| norm_str(n.name())));
        match head.as_str() {
            "deftracepoint" => drop(self.names.insert("tp".into())),
            "defenum" => self.keywords = true,
            _ => {}
        }
    }

    /// Whether a report says that something is missing which a refused declaration would have brought.
    pub(crate) fn explains(&self, d: &Diagnostic) -> bool {
        let Some(about) = &d.about else { return false };
        if self.unread {
            return true;
        }
        if about.starts_with(':') {
            return self.keywords;
        }
        let name = norm_str(about);
        let bare = name.trim_matches('+');
        let bare = bare.strip_prefix("make-").or_else(|| bare.strip_prefix("as-")).unwrap_or(bare);
        self.names.contains(&name)
            || self.names.contains(bare)
            || self.names.iter().any(|n| bare.strip_prefix(n.as_str()).is_some_and(|r| r.starts_with('-')))
    }
}
