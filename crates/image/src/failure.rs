//! What the kernel refuses, as conditions that host code can handle: `bpf-error` with the call's error number,
//! `bpf-verifier-error` with the verifier's log.

use whistler_diag::{Code, Diagnostic};
use whistler_lisp::{Interp, LispError, Slot};
use whistler_loader::LoadError;
use whistler_object::Object;
use whistler_sys::SysError;
use whistler_vm::MapError;

use crate::image::Refusal;

/// Any refusal by the kernel.
const BPF_ERROR: &str = "bpf-error";
/// A refusal by its verifier.
const VERIFIER_ERROR: &str = "bpf-verifier-error";

/// Makes the condition types and the functions that read them.
pub(crate) fn install(interp: &mut Interp) {
    let plain = interp.define_condition(BPF_ERROR, "error", &["errno"]);
    interp.define_accessor("bpf-error-errno", &plain, 0);
    let verifier = interp.define_condition(VERIFIER_ERROR, BPF_ERROR, &["log", "program"]);
    for (i, name) in ["bpf-verifier-error-log", "bpf-verifier-error-program"].into_iter().enumerate() {
        interp.define_accessor(name, &verifier, i + 1);
    }
}

/// A refused call. `what` says what was wanted.
pub(crate) fn refused(what: impl std::fmt::Display, cause: &SysError) -> LispError {
    as_bpf_error(LispError::simple(format!("{what}: {cause}")), Some(cause))
}

/// What the virtual machine's maps refuse, as the kernel's would.
pub(crate) fn refused_by_vm(e: &MapError) -> LispError {
    let error = as_bpf_error(LispError::simple(e.to_string()), None);
    match e {
        MapError::Errno { errno, .. } => error.slot("errno", Slot::Int(-i64::from(*errno))),
        MapError::NoMap(_) | MapError::Size { .. } | MapError::Unsupported { .. } => error,
    }
}

/// An error as a `bpf-error`.
pub(crate) fn as_bpf_error(error: LispError, cause: Option<&SysError>) -> LispError {
    let error = error.of_type(BPF_ERROR);
    match cause {
        Some(cause) => error.slot("errno", Slot::Int(i64::from(cause.errno.0))),
        None => error,
    }
}

/// What the kernel said of an object, at the source line, as a report.
pub fn load_report(object: &Object, e: &LoadError, refusal: Refusal) -> Diagnostic {
    load_error(object, e, refusal).to_diagnostic()
}

/// What the kernel said of an object, at the source line.
pub(crate) fn load_error(object: &Object, e: &LoadError, refusal: Refusal) -> LispError {
    let LoadError::Verifier(v) = e else {
        let mut error = LispError::simple(e.to_string());
        let cause = match e {
            LoadError::Map { cause, .. } | LoadError::Globals { cause, .. } | LoadError::Sys(cause) => Some(cause),
            LoadError::Denied { mend, cause, .. } => {
                if let Some(mend) = mend {
                    error = error.help(mend.clone());
                }
                Some(cause)
            }
            LoadError::StructOps { mend, cause, .. } => {
                if let Some(mend) = mend {
                    error = error.help(mend.clone());
                }
                cause.as_ref()
            }
            LoadError::MapShape { .. }
            | LoadError::Name { .. }
            | LoadError::Relocation { .. }
            | LoadError::Core { .. }
            | LoadError::Target { .. }
            | LoadError::Verifier(_) => None,
        };
        return as_bpf_error(error, cause);
    };
    let mut d = Diagnostic::error(Code("E0801"), v.span, format!("the kernel does not accept `{}`", v.program))
        .label(v.message.clone());
    if let Some(program) = object.program(&v.program) {
        for (span, text) in whistler_loader::explain(object, program, &v.log).into_iter().skip(1) {
            d = d.also(span, text);
        }
    }
    if let Some(program) = object.program(&v.program) {
        for sentence in whistler_loader::variables(object, program, &v.log) {
            d = d.note(sentence);
        }
    }
    match refusal {
        Refusal::AtTheSource => d = d.note("--verifier-log shows all that the verifier says"),
        Refusal::WholeLog => d = d.note(v.log.trim_end()),
    }
    LispError::from_diagnostic(d)
        .of_type(VERIFIER_ERROR)
        .slot("errno", Slot::Int(i64::from(v.cause.errno.0)))
        .slot("log", Slot::Text(v.log.clone()))
        .slot("program", Slot::Text(v.program.clone()))
}
