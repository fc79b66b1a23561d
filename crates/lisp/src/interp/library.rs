//! Definitions written in Lisp that are read only when they are used, so that
//! a large library costs nothing at start.

use std::sync::Arc;

use whistler_diag::FileId;

use crate::interp::Interp;
use crate::{Form, Symbol};

/// A top-level form of library source, not read yet.
#[derive(Clone, Debug)]
pub struct LibraryItem {
    /// The defining operator.
    pub head: String,
    /// What it defines.
    pub name: Symbol,
    pub(crate) text: usize,
    pub(crate) lo: usize,
    pub(crate) hi: usize,
}

/// The operators whose definitions are the host's.
const HOST_DEFINERS: &[&str] = &["defmacro", "defun", "defconstant", "defparameter", "defvar"];

impl Interp {
    /// Makes a library's definitions known without reading them. Every top-level form must begin at the start of a
    /// line. Macros, functions and constants are defined when first looked up; all forms are given back, in order.
    pub fn define_library_source(&mut self, file: FileId, text: impl Into<Arc<str>>) -> Vec<LibraryItem> {
        let text: Arc<str> = text.into();
        let index = self.library_texts.len();
        let mut starts: Vec<usize> = text.match_indices("\n(").map(|(i, _)| i + 1).collect();
        if text.starts_with('(') {
            starts.insert(0, 0);
        }
        let mut items = Vec::with_capacity(starts.len());
        for (i, lo) in starts.iter().enumerate() {
            let hi = starts.get(i + 1).copied().unwrap_or(text.len());
            let body = text.get(lo + 1..hi).unwrap_or("");
            let mut words = body.split(|c: char| c.is_whitespace() || c == '(' || c == ')').filter(|w| !w.is_empty());
            let (Some(head), Some(name)) = (words.next(), words.next()) else { continue };
            let item = LibraryItem { head: head.to_string(), name: Symbol::intern(name), text: index, lo: *lo, hi };
            if HOST_DEFINERS.contains(&head) {
                self.library.insert(item.name, item.clone());
            }
            items.push(item);
        }
        self.library_texts.push((file, text));
        items
    }

    /// Reads a library form, with spans in the library's own text.
    pub fn library_form(&self, item: &LibraryItem) -> Option<Form> {
        let (file, text) = self.library_texts.get(item.text)?;
        // Blanks in place of what comes before keep the offsets those of the whole text.
        let part = text.get(item.lo..item.hi)?;
        let (mut forms, _) = crate::read_text(*file, part);
        if forms.is_empty() { None } else { Some(shift(&forms.remove(0), item.lo as u32)) }
    }

    /// Defines a library item under this name, if there is one and it isn't yet.
    pub(crate) fn load_library_item(&mut self, name: Symbol) {
        let Some(found) = name.resolve(|s| self.library.contains_key(&s)) else { return };
        let Some(item) = self.library.remove(&found) else { return };
        let Some(form) = self.library_form(&item) else { return };
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

fn shift(form: &Form, by: u32) -> Form {
    use crate::FormKind::*;
    let all = |items: &[Form]| items.iter().map(|f| shift(f, by)).collect::<Vec<_>>();
    let kind = match &form.kind {
        List(items) => List(all(items).into()),
        Vector(items) => Vector(all(items).into()),
        Dotted(items, tail) => Dotted(all(items).into(), shift(tail, by).into()),
        other => other.clone(),
    };
    let mut span = form.span;
    span.lo += by;
    span.hi += by;
    Form::new(kind, span)
}
