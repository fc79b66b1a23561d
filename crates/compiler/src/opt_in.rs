//! Sockops programs that wait for calls which no socket was asked to make. Invariant: what any form of the file sets, or
//! may set in a way that isn't followed, counts for all of its programs.

use whistler_diag::Diagnostic;
use whistler_isa::{same_name, sock_ops};
use whistler_lisp::{Form, Symbol};

use crate::check::at;
use crate::diagnostics as diag;

/// Warnings for operations that programs of a file look for, and none of it asks for.
pub(crate) fn not_asked_for(forms: &[Form]) -> Vec<Diagnostic> {
    let mut asked = Asked::default();
    forms.iter().for_each(|f| asked.form(f));
    if asked.unknown {
        return Vec::new();
    }
    let mut out: Vec<Diagnostic> = Vec::new();
    let mut said: Vec<&Form> = Vec::new();
    for program in forms.iter().filter(|f| f.is_call("defprog")) {
        let mut named = Vec::new();
        operations(program, &mut named);
        for form in named {
            let Some((name, flags)) = form.as_symbol().and_then(|s| Some((s, sock_ops::flags_of(s.name())?))) else {
                continue;
            };
            let set = flags.iter().any(|f| asked.flags.iter().any(|a| same_name(a.name(), f)));
            if set || said.iter().any(|f| f.as_symbol() == Some(name)) {
                continue;
            }
            said.push(form);
            let missing = if asked.calls { format!("sets {}", flags.join(" or ")) } else { "asks for it".to_string() };
            let text = format!("a socket makes this call only when it was asked to, and nothing here {missing}");
            let flag = flags[0];
            out.push(diag::warning(&diag::NOT_ASKED_FOR, &at(form), text).help(format!(
                "in the clause of BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB and BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB: (sock-ops-cb-flags-set {flag})"
            )));
        }
    }
    out
}

/// What the forms of a file ask sockets for.
#[derive(Default)]
struct Asked {
    /// The constants that stand in flags.
    flags: Vec<Symbol>,
    /// Whether any are set.
    calls: bool,
    /// Whether some are computed, or set in another way.
    unknown: bool,
}

impl Asked {
    fn form(&mut self, form: &Form) {
        let Some(items) = form.as_list() else { return };
        if let [head, arguments @ ..] = items
            && let Some(name) = head.as_symbol()
        {
            // TCP_BPF_SOCK_OPS_CB_FLAGS sets them, too.
            self.unknown |= same_name(name.name(), "setsockopt");
            if same_name(name.name(), "sock_ops_cb_flags_set") {
                self.calls = true;
                arguments.iter().for_each(|a| self.argument(a));
            }
        }
        items.iter().for_each(|f| self.form(f));
    }

    fn argument(&mut self, form: &Form) {
        match (form.as_symbol(), form.as_list()) {
            (Some(s), _) if whistler_isa::constants::by_name(s.name()).is_some() => self.flags.push(s),
            (_, Some([head, rest @ ..])) if head.as_symbol().is_some_and(|h| h.is("logior")) => {
                rest.iter().for_each(|f| self.argument(f));
            }
            // What is set already stays set.
            (_, Some([head, ..])) if head.as_symbol().is_some_and(|h| h.is("ctx") || h.is("ctx-ptr")) => {}
            _ => self.unknown = true,
        }
    }
}

/// The operations that a form compares with, or has clauses for.
fn operations<'f>(form: &'f Form, out: &mut Vec<&'f Form>) {
    let Some(items) = form.as_list() else { return };
    let head = form.head().map(Symbol::name).unwrap_or_default();
    let operation = |f: &&Form| f.as_symbol().is_some_and(|s| sock_ops::flags_of(s.name()).is_some());
    match head {
        "=" | "eql" | "eq" => out.extend(items.iter().filter(operation)),
        "case" | "ecase" => {
            let keys = items.iter().skip(2).filter_map(|c| c.as_list()?.first());
            for key in keys {
                match key.as_list() {
                    Some(list) => out.extend(list.iter().filter(operation)),
                    None => out.extend(Some(key).filter(|k| operation(k))),
                }
            }
        }
        _ => {}
    }
    items.iter().for_each(|f| operations(f, out));
}
