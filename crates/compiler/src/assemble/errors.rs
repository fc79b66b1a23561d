//! What code generation can't do, in the source's terms.

use whistler_codegen::CodegenError;
use whistler_codegen::ir::SrcLoc;
use whistler_diag::{Code, Diagnostic, Span};

use crate::hir::{At, LocalKind, Unit};
use crate::lower::{Lowered, symbol_name};

/// More stack than the kernel gives.
const STACK: Code = Code("E0701");
/// More code, or longer jumps, than fit.
const TOO_LARGE: Code = Code("E0702");
/// More calls in a chain than there are frames.
const DEPTH: Code = Code("E0704");
/// Something the target lacks.
const NEEDS_TARGET: Code = Code("E0703");
/// Our own mistake.
const INTERNAL: Code = Code("E0799");

pub(super) fn diagnostic(e: &CodegenError, unit: &Unit, lowered: &Lowered) -> Diagnostic {
    let span = |name: &str| unit.functions.iter().find(|f| symbol_name(&f.name) == name).map_or(Span::NONE, |f| f.span);
    match e {
        CodegenError::StackOverflow { function, needed, limit, users } => {
            let mut d = Diagnostic::error(
                STACK,
                span(function),
                format!("`{function}` needs {needed} bytes of stack; there are {limit}"),
            )
            .help(
                "keep large structs in a map with one entry instead: \
                 (defmap scratch :type :percpu-array :key u32 :value STRUCT :max-entries 1) and \
                 (when-let ((v (map-lookup scratch 0))) …)",
            );
            let mut nameless = 0;
            for (name, bytes) in users.iter().take(5) {
                // Code of other functions may have been put into this one.
                let own = unit.functions.iter().filter(|f| symbol_name(&f.name) == *function);
                let others = unit.functions.iter().filter(|f| symbol_name(&f.name) != *function);
                let local = own
                    .chain(others)
                    .flat_map(|f| &f.locals)
                    .find(|l| l.kind == LocalKind::Memory && *l.name == **name && !l.span.is_none());
                match local {
                    Some(l) => d = d.also(l.span, format!("`{name}`: {bytes} bytes")),
                    None if name.strip_prefix("slot").is_some_and(|n| n.parse::<u32>().is_ok()) => nameless += bytes,
                    None => d = d.note(format!("{bytes} bytes: {name}")),
                }
            }
            if nameless > 0 {
                d = d.note(format!("{nameless} bytes: objects without a name, such as keys and values of maps"));
            }
            d
        }
        CodegenError::TailCallStack { function, needed, limit, users } => {
            let text = format!(
                "the functions around the tail call in `{function}` have {needed} bytes of stack; {limit} are allowed"
            );
            let mut d = Diagnostic::error(STACK, span(function), text)
                .help("make the tail call in the program itself, or keep large structs in a per-CPU array map");
            for (name, bytes) in users {
                d = d.note(format!("{bytes} bytes: {name}"));
            }
            d
        }
        CodegenError::CallDepth { chain, limit } => {
            let text = format!("calls go {} functions deep here; the kernel has {limit} frames", chain.len());
            let top = chain.first().map_or("", |n| n.as_str());
            let mut d = Diagnostic::error(DEPTH, span(top), text)
                .help("let one function do what two do, or make one a macro (`defmacro`)");
            for (caller, callee) in chain.iter().zip(&chain[1..]) {
                d = match span(callee) {
                    s if s.is_none() => d.note(format!("`{caller}` calls `{callee}`")),
                    s => d.also(s, format!("called by `{caller}`")),
                };
            }
            d
        }
        CodegenError::TooLarge { function, what } => {
            Diagnostic::error(TOO_LARGE, span(function), format!("`{function}` is too large: {what}"))
                .help("make repeated code a loop (dotimes, while) or a subprogram (defsubprog)")
        }
        CodegenError::NeedsTarget { what, needs, loc } => {
            Diagnostic::error(NEEDS_TARGET, place(lowered, *loc), format!("{what} needs {needs}"))
                .help(format!("compile with `--target` {needs} or later, where that is what will run it"))
        }
        CodegenError::Invalid { function, stage, what } => Diagnostic::error(
            INTERNAL,
            span(function),
            format!("Whistler made invalid code of `{function}` (after {stage}): {what}"),
        )
        .help("this is a bug of ours; please report it with the source"),
    }
}

fn place(lowered: &Lowered, loc: SrcLoc) -> Span {
    let Some(At { span, origin }) = lowered.locs.get(loc.index()) else { return Span::NONE };
    // The user's own form, not the macro's text.
    let mut at = *span;
    let mut expansion = origin.as_ref();
    while let Some(e) = expansion {
        at = e.call_span.or(at);
        expansion = e.parent.as_ref();
    }
    at
}
