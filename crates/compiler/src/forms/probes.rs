//! What probe reads are given to read. Invariant: only what is certain is warned of; most addresses are plain numbers,
//! of which nothing is known.

use crate::check::{Checker, Val};
use crate::diagnostics as diag;
use crate::hir::{Space, Ty};
use crate::kernel;

/// Warns of an address that the helper can't read what is meant from: a process's for the kernel's memory, a struct
/// for text.
pub(super) fn source(c: &mut Checker<'_>, helper: &str, v: &Val) {
    if v.never() || v.at().origin.is_some() {
        return;
    }
    let of_kernel = matches!(helper, "probe_read_kernel" | "probe_read_kernel_str");
    if of_kernel && c.is_of_process(v) {
        let text = "this is an address of the process, and the kernel's memory is read here: the read fails";
        let user = if helper.ends_with("_str") { "probe-read-user-str" } else { "probe-read-user" };
        let d = diag::warning(&diag::WRONG_MEMORY, v.at(), text);
        c.report(d.help(format!("use `{user}`, or (user-load TYPE address) for one number")));
        return;
    }
    let Some(p) = v.ty().as_ptr() else { return };
    if !of_kernel && helper.starts_with("probe_read_user") && p.space == Space::Trusted {
        let text = "this is an object of the kernel's, and the process's memory is read here: the read fails";
        c.report(
            diag::warning(&diag::WRONG_MEMORY, v.at(), text).help("use `probe-read-kernel`, or a chain: (-> p field)"),
        );
        return;
    }
    let Some(Ty::Kernel(name)) = p.pointee.as_deref().filter(|_| helper.ends_with("_str")) else { return };
    let types = c.types.clone();
    let Some(btf) = types.btf().filter(|b| !name.is_empty() && !kernel::begins_with_text(b, name)) else { return };
    let fields = kernel::text_fields(btf, name);
    let text = format!("this is a struct {name}, and no text");
    let d = diag::warning(&diag::WRONG_MEMORY, v.at(), text);
    c.report(match fields.first() {
        Some(f) => d.help(format!("its text is the field `{f}`: (-> pointer {f})")),
        None => d.note("none of its fields is text"),
    });
}
