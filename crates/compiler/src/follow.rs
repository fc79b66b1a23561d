//! Reports that only follow from others. Invariant: a name is said to be missing only where nothing in the
//! file tried to declare it, and whatever was refused has a report that is shown: its own, or the one it follows from.

use rustc_hash::FxHashSet;
use whistler_diag::Diagnostic;
use whistler_lisp::Form;

use crate::names::norm_str;

/// The names whose declarations were refused while a file was read.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    names: FxHashSet<String>,
    declarations: Vec<Declaration>,
    /// Members of a refused enum, by keyword, could be any.
    keywords: bool,
    /// Some of the text could not be read: what it declares isn't known.
    unread: bool,
}

/// A declaration that was refused.
#[derive(Debug)]
struct Declaration {
    name: String,
    /// What was reported of it.
    reports: Vec<Diagnostic>,
    /// Whether a report that is shown says why.
    explained: bool,
}

impl Refused {
    /// Whether everything that the file declares is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.unread
    }

    /// A file whose text could not all be read.
    pub(crate) fn unread(&mut self) {
        self.unread = true;
    }

    /// A form that was to declare something and was refused, with what was reported of it.
    pub(crate) fn note(&mut self, form: &Form, reports: &[Diagnostic]) {
        let Some([head, named, ..]) = form.as_list() else { return };
        let Some(head) = head.as_symbol().map(|h| norm_str(h.name())) else { return };
        if !(head.starts_with("def") || head.starts_with("import-")) {
            return;
        }
        let name = named.as_symbol().or_else(|| named.as_list()?.first()?.as_symbol());
        if let Some(name) = name.map(|n| norm_str(n.name())) {
            self.names.insert(name.clone());
            let reports = reports.iter().filter(|d| d.is_error()).cloned().collect();
            self.declarations.push(Declaration { name, reports, explained: false });
        }
        match head.as_str() {
            "deftracepoint" => drop(self.names.insert("tp".into())),
            "defenum" => self.keywords = true,
            _ => {}
        }
    }

    /// Takes out of a file's reports those that only follow from others. Declarations that need each other follow
    /// from nothing else: there the report of the first one stays.
    pub(crate) fn settle(&mut self, diags: &mut Vec<Diagnostic>) {
        let mut circles = Vec::new();
        loop {
            while self.explain_more() {}
            let Some(i) = self.declarations.iter().position(|d| !d.explained) else { break };
            self.declarations[i].explained = true;
            circles.extend(self.declarations[i].reports.first().cloned().map(|d| (i, d)));
        }
        diags.retain_mut(|d| {
            if let Some((i, _)) = circles.iter().find(|(_, kept)| kept == d) {
                let name = &self.declarations[*i].name;
                let itself = d.about.as_ref().is_some_and(|a| norm_str(a) == *name);
                d.help = vec![if itself {
                    "a declaration can't need itself; what points to another of its kind is held as a u64".into()
                } else {
                    "what is needed here needs this one itself: one of the two must stand without the other".into()
                }];
                return true;
            }
            !self.explains(d)
        });
    }

    /// Marks declarations whose refusal has a reason by now; yields whether there were any.
    fn explain_more(&mut self) -> bool {
        let mut found = Vec::new();
        for (i, d) in self.declarations.iter().enumerate().filter(|(_, d)| !d.explained) {
            let own = d.reports.is_empty() || d.reports.iter().any(|r| !self.explains(r));
            let follows = || {
                let mut explained = self.declarations.iter().filter(|e| e.explained);
                explained.any(|e| d.reports.iter().any(|r| r.about.as_ref().is_some_and(|a| brings(&e.name, a))))
            };
            if own || self.unread || follows() {
                found.push(i);
            }
        }
        for i in &found {
            self.declarations[*i].explained = true;
        }
        !found.is_empty()
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
        self.names.iter().any(|n| brings(n, about))
    }
}

/// Whether what a declaration of that name brings is what a report is about: the name, or one made from it.
fn brings(declared: &str, about: &str) -> bool {
    let name = norm_str(about);
    let bare = name.trim_matches('+');
    let bare = bare.strip_prefix("make-").or_else(|| bare.strip_prefix("as-")).unwrap_or(bare);
    name == declared || bare == declared || bare.strip_prefix(declared).is_some_and(|r| r.starts_with('-'))
}
