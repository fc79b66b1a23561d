//! What is checked only where everything is there: programs in program arrays, subprograms that nobody calls.

use whistler_lisp::Symbol;

use crate::check::{Checker, at};
use crate::diagnostics as diag;
use crate::hir::{At, Space, Ty};

impl Checker<'_> {
    /// Checks that the programs that lie in program arrays from the start are there, and of one type for each.
    pub(super) fn contents(&mut self) {
        let arrays: Vec<_> =
            self.unit.maps.iter().filter(|m| m.map_type == whistler_isa::MapType::ProgArray).cloned().collect();
        for map in arrays {
            let here = At { span: map.span, origin: None };
            let mut first: Option<(Symbol, whistler_isa::ProgType)> = None;
            for (_, name) in &map.contents {
                let name = Symbol::intern(name);
                let Some(decl) = self.env.programs.get(name).cloned() else {
                    let mut d = diag::error(
                        &diag::UNKNOWN_NAME,
                        &here,
                        format!("there is no program `{name}` to put into `{}`", map.name),
                    );
                    if let Some(near) = crate::names::nearest(name.name(), self.env.programs.names().map(Symbol::name))
                    {
                        d = d.help(format!("did you mean `{near}`?"));
                    }
                    self.report(d);
                    continue;
                };
                match first {
                    Some((other, ty)) if ty != decl.prog_type => {
                        let text = format!(
                            "the programs in `{}` are of one type, and `{other}` is :{}, `{name}` :{}",
                            map.name,
                            ty.keyword(),
                            decl.prog_type.keyword()
                        );
                        self.report(diag::error(&diag::MAP_RULE, &here, text).also(decl.form.span, "declared here"));
                    }
                    Some(_) => {}
                    None => first = Some((name, decl.prog_type)),
                }
            }
        }
    }

    /// Checks a subprogram that no program calls, for its mistakes alone.
    pub(super) fn uncalled(&mut self, name: Symbol) {
        if self.was_instanced(name) {
            return;
        }
        let Some(decl) = self.env.subprograms.get(name).cloned() else { return };
        let types = decl
            .params
            .iter()
            .map(|p| match &p.ty {
                t if decl.global && crate::forms::calls::global_parameter(t).is_some() => {
                    crate::forms::calls::global_parameter(t).unwrap_or(Ty::U64)
                }
                Ty::Ptr(t) => Ty::ptr(Space::Mem, t.pointee.as_deref().cloned()),
                Ty::Struct(_) | Ty::Array(..) => Ty::ptr(Space::Mem, Some(p.ty.clone())),
                Ty::Kernel(_) => Ty::ptr(Space::Kernel, Some(p.ty.clone())),
                t => t.clone(),
            })
            .collect();
        let before = self.unit.functions.len();
        self.f = Default::default();
        self.caller_unknown = true;
        self.instance(name, &decl, types, &[], &at(&decl.form));
        self.caller_unknown = false;
        self.forget_functions(before);
    }
}
