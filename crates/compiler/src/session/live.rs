//! Forms that need a kernel or a loader, where there is none: they are known, and what comes to one is skipped.

use std::rc::Rc;

use whistler_diag::{Diagnostic, Severity};
use whistler_lisp::{Form, LispError, Symbol, Value};

use super::Session;
use crate::check::at;
use crate::diagnostics as diag;
use crate::host::Interp;

/// Host functions that need a kernel or a loader; without one a form that comes to them is skipped.
pub const LIVE_FORMS: &[&str] = &[
    "attach",
    "attach-cgroup",
    "attach-fentry",
    "attach-kprobe",
    "attach-kprobe-multi",
    "attach-lsm",
    "attach-obj-cgroup",
    "attach-obj-fentry",
    "attach-obj-kprobe",
    "attach-obj-kprobe-multi",
    "attach-obj-lsm",
    "attach-obj-sk-lookup",
    "attach-obj-tc",
    "attach-obj-tracepoint",
    "attach-obj-uprobe",
    "attach-obj-xdp",
    "attach-sk-lookup",
    "attach-tc",
    "attach-tracepoint",
    "attach-uprobe",
    "attach-xdp",
    "bpf-error-errno",
    "bpf-object-map",
    "bpf-object-prog",
    "bpf-object-struct-ops",
    "bpf-session-map",
    "bpf-session-maps",
    "bpf-session-prog",
    "bpf-session-progs",
    "bpf-verifier-error-log",
    "bpf-verifier-error-program",
    "close-bpf-object",
    "close-ring-consumer",
    "decode-int-value",
    "deftest",
    "detach",
    "disasm",
    "encode-int-key",
    "follow",
    "follow-emitted",
    "global-ref",
    "(setf global-ref)",
    "hist",
    "ksym",
    "ksyms",
    "leftovers",
    "links",
    "load-bpf-object",
    "load-object",
    "map-clear",
    "map-count",
    "map-delete",
    "map-delete-int",
    "map-delete-struct",
    "map-entries",
    "map-get-next-key",
    "map-get-next-key-int",
    "map-get-next-key-struct",
    "map-info-fd",
    "map-info-key-size",
    "map-info-max-entries",
    "map-info-name",
    "map-info-type",
    "map-info-value-size",
    "map-keys",
    "map-lookup",
    "map-lookup-int",
    "map-lookup-struct",
    "map-lookup-struct-int",
    "map-ref",
    "(setf map-ref)",
    "map-update",
    "map-update-int",
    "map-update-struct",
    "map-update-struct-int",
    "open-bpf-object",
    "open-decoding-ring-consumer",
    "open-ring-consumer",
    "prog-info-fd",
    "prog-info-name",
    "remove-leftover",
    "read-iterator",
    "ring-consume",
    "ring-poll",
    "run-prog",
    "sap-ref-16",
    "sap-ref-32",
    "sap-ref-64",
    "sap-ref-8",
    "stack-frames",
    "stats",
    "verifier-log",
    "ring-records",
    "emitted-lines",
    "context",
    "kernel-object",
    "read-pcap",
    "write-pcap",
    "watch",
];

/// The same that are macros: what stands in them is no call.
pub const LIVE_MACROS: &[&str] =
    &["do-map-entries", "with-bpf-object", "with-bpf-session", "with-decoding-ring-consumer"];

/// The form whose programs are checked even where nothing is live.
pub(super) const SESSION_FORM: &str = "with-bpf-session";

impl Session {
    /// Makes the live forms known where they stand inside of others: a form that comes to one is skipped.
    pub(super) fn stand_ins(&mut self, interp: &mut Interp) {
        if std::mem::replace(&mut self.looking, true) {
            return;
        }
        let elf = self.elf.clone();
        let note = move |interp: &mut Interp, args: &[Value]| match args {
            [path] if interp.heap.str(*path).is_some() => {
                *elf.borrow_mut() = interp.heap.str(*path).map(str::to_string);
                Ok(*path)
            }
            _ => Err(LispError::simple("`compile-to-elf` takes the name of a file, as a string")),
        };
        interp.define_native("compile-to-elf", "path", "", Rc::new(note));
        interp.define_native("is", "holds &optional text", "", Rc::new(|_, _| Err(LispError::needs_host("is"))));
        interp.watch_calls();
        for name in LIVE_MACROS.iter().copied() {
            let queue = self.queue.clone();
            let stop = format!("%no-{name}");
            let call = Symbol::intern(&stop);
            interp.define_native(&stop, "", "", Rc::new(move |_, _| Err(LispError::needs_host(name))));
            interp.define_host_macro(
                name,
                Rc::new(move |_, form| {
                    // Checked when the form it stands in is done.
                    if name == SESSION_FORM {
                        queue.borrow_mut().push(form.clone());
                    }
                    Ok(Form::list(vec![Form::symbol(call, form.span)], form.span))
                }),
            );
        }
        for name in LIVE_FORMS {
            if interp.function(Symbol::intern_static(name)).is_none() {
                interp.define_native(
                    name,
                    "&rest arguments",
                    "",
                    Rc::new(move |_, _| Err(LispError::needs_host(name))),
                );
            }
        }
    }

    /// The functions that a running session has for a struct.
    pub(super) fn record_stand_ins(&self, interp: &mut Interp, name: Symbol) {
        let Some(def) = self.env.structs.get(name) else { return };
        let mut names = vec![
            format!("make-{name}"),
            format!("make-{name}-record"),
            format!("{name}-record-p"),
            format!("encode-{name}"),
            format!("decode-{name}"),
        ];
        names.extend(def.fields.iter().map(|f| format!("{name}-record-{}", f.name)));
        for function in names {
            let what = function.clone();
            let stop = move |_: &mut Interp, _: &[Value]| Err(LispError::needs_host(&what));
            interp.define_native(&function, "&rest arguments", "", Rc::new(stop));
        }
    }
}

pub(super) fn skipped(form: &Form, diags: &mut Vec<Diagnostic>) {
    let head = form.head().map_or_else(String::new, |h| h.to_string());
    let mut d =
        diag::error(&diag::SKIPPED, &at(form), format!("`{head}` needs a running session; it is left out here"));
    d.severity = Severity::Note;
    diags.push(d);
}
