//! What probe reads are given to read, and which places of the kernel have what is asked for there. Invariant: only what is certain is warned of; most addresses are plain numbers,
//! of which nothing is known.

use whistler_btf::TypeId;
use whistler_diag::Diagnostic;
use whistler_isa::{AttachType, ProgType, helpers, tracing};

use crate::check::seen::{Seen, each};
use crate::check::{Call, Checker, Val};
use crate::diagnostics as diag;
use crate::hir::{At, Expr, ExprKind, Space, Ty};
use crate::hook::Hook;
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

/// Warns of a path that is asked for where the kernel lets no program do so (`bpf_d_path_allowed`).
pub(super) fn path_asked(c: &mut Checker<'_>, here: &At) {
    let Some(program) = c.f.program.as_ref() else { return };
    let target = program.section.split_once('/').map_or("", |(_, t)| t).to_string();
    let target = target.rsplit(':').next().unwrap_or_default();
    let text = match (program.prog_type, program.attach_type) {
        (ProgType::Tracing, Some(AttachType::TraceIter)) => return,
        (ProgType::Tracing, Some(AttachType::TraceRawTp)) => "the kernel takes no `d-path` at a tracepoint".to_string(),
        (ProgType::Tracing, _) if target.is_empty() || tracing::D_PATH_FUNCTIONS.contains(&target) => return,
        (ProgType::Tracing, _) => format!("the kernel takes `d-path` at some functions only, and {target} is none"),
        (ProgType::Lsm, _) if tracing::NO_D_PATH_HOOKS.contains(&target) => {
            format!("the kernel takes `d-path` at hooks that may sleep, and {target} may not")
        }
        _ => return,
    };
    let d = diag::warning(&diag::NO_PATH_HERE, here, text);
    let functions = format!("functions that it is taken at: {}", tracing::D_PATH_FUNCTIONS.join(", "));
    let hooks: Vec<&str> = tracing::D_PATH_HOOKS.iter().copied().filter(|h| h.starts_with("file_")).collect();
    c.report(d.note(functions).help(format!("and LSM hooks such as {}, and iterators", hooks.join(", "))));
}

/// What is said of a system call's argument that is looked for among those of its entry.
fn of_system_call(c: &Checker<'_>, function: &str, call_name: &str, number: usize, at: &At) -> Diagnostic {
    let event = format!("sys_enter_{call_name}");
    let text = format!("{function} has one argument, a pointer to the registers that the call was made with");
    let by_name = c.types.tracepoint("syscalls", &event).ok().and_then(|format| {
        let fields = format.fields.iter().filter(|f| !f.name.starts_with("common_") && f.name != "__syscall_nr");
        fields.map(|f| f.name.clone()).nth(number)
    });
    let field = by_name.unwrap_or_else(|| "FIELD".to_string());
    let d = diag::warning(&diag::NO_SUCH_ARGUMENT, at, text);
    let d = d.help(format!(
        "the call's tracepoint has its arguments by name: :section \"tracepoint/syscalls/{event}\", (deftracepoint syscalls/{event} {field}), (tp-{})",
        field.replace('_', "-")
    ));
    match c.target.arch.system_call_register(number) {
        Some(way) => d.help(format!("or read it from those registers: (-> (arg regs) {way})")),
        None => d,
    }
}

/// The function that a program probes at its entry, and the system call if that is the entry of one.
fn probed(c: &Checker<'_>) -> Option<(String, Option<String>)> {
    let program = c.f.program.as_ref().filter(|p| p.prog_type == ProgType::Kprobe)?;
    let function = program.section.strip_prefix("kprobe/").filter(|f| !f.contains('+'))?;
    Some((function.to_string(), tracing::system_call(function).map(str::to_string)))
}

/// Warns of an argument, counted from 0, that the probed function doesn't have: system calls are entered with their
/// registers as the only one.
pub(super) fn argument_there(c: &mut Checker<'_>, call: &Call<'_>, number: usize) {
    let Some((function, entry)) = probed(c).filter(|_| call.form.origin.is_none()) else { return };
    if let Some(entered) = entry {
        if number > 0 {
            let d = of_system_call(c, &function, &entered, number, &call.at());
            c.report(d);
        }
        return;
    }
    let types = c.types.clone();
    let hook = types.btf().zip(c.f.program.as_ref()).and_then(|(btf, p)| Hook::of(btf, p).ok());
    // What stands for more arguments in C has no type.
    let counted = |h: &Hook| h.slots as usize <= number && h.args.iter().all(|a| a.ty != TypeId(0));
    let Some(hook) = hook.filter(counted) else { return };
    let names: Vec<&str> = hook.args.iter().map(|a| a.name.as_str()).collect();
    let has = match names.len() {
        0 => "no arguments".to_string(),
        1 => format!("one argument, {}", names[0]),
        n => format!("{n} arguments: {}", names.join(", ")),
    };
    let text = format!("{function} has {has}; this register holds something else");
    let d = diag::warning(&diag::NO_SUCH_ARGUMENT, &call.at(), text);
    c.report(d.help("arguments have names: (arg NAME)"));
}

impl Checker<'_> {
    /// Warns of the registers at the entry of a system call that are taken for its first argument: cut to fewer bits, or
    /// read at as an address of the process.
    pub(crate) fn registers_taken(&mut self, seen: &Seen<'_>, body: &Expr) {
        let Some((function, Some(entered))) = probed(self) else { return };
        let Some(first) = self.target.arch.registers().parameters.first().copied() else { return };
        let registers = |e| {
            let e: &Expr = seen.value(e);
            matches!(&e.kind, ExprKind::Load { ptr, off } if *off == first && matches!(ptr.kind, ExprKind::Ctx))
        };
        let mut found: Vec<At> = Vec::new();
        each(body, &mut |e| match &e.kind {
            ExprKind::Cast(inner) if e.ty.as_int().is_some() && e.ty.size() < 8 && registers(inner) => {
                found.push(inner.at.clone());
            }
            ExprKind::Helper { id, args } => {
                let name = helpers::by_id(*id).map_or("", |h| h.name);
                if let Some(address) = args.get(2).filter(|a| name.starts_with("probe_read_user") && registers(a)) {
                    found.push(address.at.clone());
                }
            }
            _ => {}
        });
        for here in found.into_iter().filter(|a| a.origin.is_none()) {
            let d = of_system_call(self, &function, &entered, 0, &here);
            self.report(d);
        }
    }
}
