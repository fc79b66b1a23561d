//! Definitions written in Lisp that are read only when they are used, so that
//! a large library costs nothing at start.

use whistler_diag::FileId;

use crate::interp::Interp;
use crate::reader::read_part;
use crate::{Form, Symbol};

/// A top-level form of library source, not read yet.
#[derive(Clone, Debug)]
pub struct LibraryItem {
    /// The defining operator.
    pub head: &'static str,
    /// What it defines.
    pub name: Symbol,
    file: FileId,
    text: &'static str,
    lo: u32,
}

impl LibraryItem {
    /// Reads the form, with spans in the library's own text.
    pub fn form(&self) -> Option<Form> {
        let (mut forms, _) = read_part(self.file, self.text, self.lo);
        if forms.is_empty() { None } else { Some(forms.swap_remove(0)) }
    }
}

/// The operators whose definitions are the host's.
const HOST_DEFINERS: &[&str] = &["defmacro", "defun", "defconstant", "defparameter", "defvar"];

impl Interp {
    /// Makes a library's definitions known without reading them. Every top-level form must begin at the start of a
    /// line. Macros, functions and constants are defined when first looked up; all forms are given back, in order.
    pub fn define_library_source(&mut self, file: FileId, text: &'static str) -> Vec<LibraryItem> {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1));
        let starts: Vec<usize> = lines.filter(|i| text.as_bytes().get(*i) == Some(&b'(')).collect();
        let mut items = Vec::with_capacity(starts.len());
        for (i, lo) in starts.iter().enumerate() {
            let hi = starts.get(i + 1).copied().unwrap_or(text.len());
            let Some(text) = text.get(*lo..hi) else { continue };
            let mut words = text.split(|c: char| c.is_whitespace() || c == '(' || c == ')').filter(|w| !w.is_empty());
            let (Some(head), Some(name)) = (words.next(), words.next()) else { continue };
            let item = LibraryItem { head, name: Symbol::intern_static(name), file, text, lo: *lo as u32 };
            if HOST_DEFINERS.contains(&head) {
                self.library.insert(item.name, item.clone());
            }
            items.push(item);
        }
        items
    }

    /// Whether the library has a definition under this name that was not read yet, made by this operator.
    pub(crate) fn is_in_library(&self, name: Symbol, definer: &str) -> bool {
        let found = name.resolve(|s| self.library.contains_key(&s));
        found.and_then(|s| self.library.get(&s)).is_some_and(|item| item.head == definer)
    }

    /// Defines a library macro under this name. A function is read when it is called: code that merely mentions it
    /// has no use for its body.
    pub(crate) fn load_library_macro(&mut self, name: Symbol) {
        if self.is_in_library(name, "defmacro") {
            self.load_library_item(name);
        }
    }

    /// Defines a library item under this name, if there is one and it isn't yet.
    pub(crate) fn load_library_item(&mut self, name: Symbol) {
        let Some(found) = name.resolve(|s| self.library.contains_key(&s)) else { return };
        let Some(item) = self.library.remove(&found) else { return };
        let Some(form) = item.form() else { return };
        self.of_library.push(found);
        let before = self.user_macros.get(&item.name).is_some_and(|m| !m.library);
        if before {
            return;
        }
        let known = self.redefined.len();
        if let Err(e) = self.eval_inner(&form) {
            self.warnings.push(e.to_diagnostic());
        }
        // That the library is read only now changes nothing for anybody.
        self.redefined.truncate(known);
        if let Some(m) = self.user_macros.get_mut(&item.name) {
            std::rc::Rc::make_mut(m).library = true;
        }
    }
}
