//! Verdicts: constants that mean something else to programs of this type, and what an LSM hook may yield. Invariant: a
//! number that was computed, or comes from a constant of the program's own, is not judged by its name.

use whistler_isa::verdicts::{self, Fate};
use whistler_isa::{ProgType, ReturnRule};

use super::Checker;
use crate::diagnostics as diag;
use crate::env::ProgDecl;
use crate::hir::At;
use crate::hook::Hook;
use crate::kernel;

impl Checker<'_> {
    /// Warns of a returned constant that is the verdict of another type of program.
    pub(super) fn verdict_of_another(&mut self, decl: &ProgDecl, n: i64, at: &At) {
        let named = self.f.verdicts.iter().find(|(span, _)| *span == at.span && at.origin.is_none());
        let Some((name, (theirs, fate))) = named.and_then(|(_, s)| Some((*s, verdicts::by_name(s.name())?))) else {
            return;
        };
        let prog = decl.prog_type;
        let refuses = verdicts::ALLOW_OR_REFUSE.contains(&prog);
        let judges = verdicts::of_program(prog).next().is_some();
        // Verdicts of sockets are the 1 and 0 of cgroups, and the same; other programs' results mean nothing.
        let same = theirs.programs.contains(&prog) || (refuses && theirs.programs.contains(&ProgType::SkLookup));
        if same || !(judges || refuses || prog == ProgType::SocketFilter) {
            return;
        }
        let kind = prog.shown(decl.attach_type);
        let here = match verdicts::of_program(prog).find_map(|v| v.names.iter().find(|m| m.1 == n)) {
            Some((ours, _, is)) if *is == fate && fate != Fate::Other => format!("{n} is {ours}, by chance"),
            Some((ours, ..)) => format!("{n} is {ours}"),
            None if refuses && n == 0 => "0 refuses".to_string(),
            None if refuses && n == 1 => "1 allows".to_string(),
            None if prog == ProgType::SocketFilter => format!("{n} is how many bytes are kept"),
            None => format!("{n} means nothing"),
        };
        let text = format!("`{name}` is a verdict of {}; to programs of type :{kind} {here}", theirs.of);
        let d = diag::warning(&diag::OTHER_VERDICT, at, text);
        let ours = verdicts::of_program(prog).find_map(|v| v.names.iter().find(|m| m.2 == fate)).map(|m| m.0);
        self.report(match (ours, fate) {
            (Some(ours), _) => d.help(format!("write {ours}")),
            (None, Fate::Passes) if refuses => d.help("write 1, which allows it"),
            (None, Fate::Ends) if refuses => d.help("write 0, which refuses it"),
            (None, _) if refuses => d.help("it is 1 that allows, and 0 that refuses"),
            (None, _) if prog == ProgType::SocketFilter => d.help("0 drops the packet, -1 keeps the whole of it"),
            (None, _) => d,
        });
    }

    /// What an LSM hook may yield, by its function's type: newer kernels refuse anything else.
    pub(super) fn hook_rule(&self, decl: &ProgDecl) -> ReturnRule {
        let types = self.types.clone();
        if decl.prog_type != ProgType::Lsm {
            return ReturnRule::Hook;
        }
        let Some((btf, info)) = types.btf().zip(self.f.program.as_ref()) else { return ReturnRule::Hook };
        let Ok(hook) = Hook::of(btf, info) else { return ReturnRule::Hook };
        let Some(ret) = hook.ret.filter(|r| kernel::size_of(btf, *r) > 0) else { return ReturnRule::Any };
        let question = verdicts::LSM_QUESTIONS.contains(&hook.name.as_str())
            || kernel::field_ty(btf, ret, crate::hir::Space::Kernel) == Some(crate::hir::Ty::Bool);
        let (lo, hi) = if question { (0, 1) } else { (-verdicts::MAX_ERRNO, 0) };
        match self.target.has(verdicts::LSM_RANGES) {
            true => ReturnRule::Enforced(lo, hi),
            false => ReturnRule::Usual(lo, hi),
        }
    }
}
