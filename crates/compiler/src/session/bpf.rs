//! `with-bpf-session`: the maps and programs that the form declares, compiled when it is expanded. Invariant: what it
//! declares is seen in it only; the session around it stays as it was.

use std::rc::Rc;

use whistler_codegen::OptLevel;
use whistler_diag::{Diagnostic, SourceMap};
use whistler_lisp::{Form, Package, Symbol};

use super::{Compiled, Extent, Session, Wanted};
use crate::check::at;
use crate::decl::Mode;
use crate::diagnostics as diag;
use crate::env::DeclKind;
use crate::hir::MapDef;
use crate::host::Interp;

/// A session form, taken apart.
#[derive(Debug)]
pub struct BpfSession {
    /// Its programs and maps.
    pub compiled: Compiled,
    /// The maps that it declares itself.
    pub maps: Vec<Rc<MapDef>>,
    /// All maps that its object has.
    pub used: Vec<Rc<MapDef>>,
    /// What is to be done while it is loaded.
    pub body: Vec<Form>,
}

/// What the clauses of a session come to.
struct Built {
    compiled: Compiled,
    own: Vec<Rc<MapDef>>,
    used: Vec<Rc<MapDef>>,
}

/// The declaring form that a clause stands for.
fn clause(form: &Form) -> Option<&'static str> {
    let head = form.head().filter(|h| h.package_kind() == Package::Bpf)?;
    [("map", "defmap"), ("prog", "defprog")].into_iter().find(|(n, _)| head.is(n)).map(|(_, d)| d)
}

impl Session {
    /// Compiles what `(with-bpf-session () (bpf:map …) (bpf:prog …) form…)` declares. All of its errors at once.
    pub fn bpf_session(
        &mut self,
        interp: &mut Interp,
        sources: &SourceMap,
        form: &Form,
        opt: OptLevel,
    ) -> (Option<BpfSession>, Vec<Diagnostic>) {
        self.register(interp);
        let mut diags = Vec::new();
        let Some([_, options, rest @ ..]) = form.as_list().filter(|l| l.get(1).is_some_and(|o| o.as_list().is_some()))
        else {
            let e =
                diag::error(&diag::MALFORMED, &at(form), "`with-bpf-session` has a list of options before its forms");
            return (None, vec![e.help("(with-bpf-session () (bpf:map …) (bpf:prog …) form…)")]);
        };
        if let Some(first) = options.as_list().and_then(<[Form]>::first) {
            diags.push(diag::error(&diag::MALFORMED, &at(first), "`with-bpf-session` takes no options"));
        }
        let outside = self.env.clone();
        let (mut programs, mut maps, mut body) = (Vec::new(), Vec::new(), Vec::new());
        for f in rest {
            let Some(definer) = clause(f) else {
                body.push(f.clone());
                continue;
            };
            let mut items = f.as_list().unwrap_or(&[]).to_vec();
            if let Some(head) = items.first_mut() {
                *head = Form::symbol(Symbol::intern_static(definer), head.span);
            }
            let declaration = Form::list(items, f.span).with_origin(f.origin.clone());
            let Some(declared) = self.declare_into(interp, &declaration, Mode::Prompt, &mut diags) else { continue };
            let known = if declared.kind == DeclKind::Map { &mut maps } else { &mut programs };
            if known.contains(&declared.name) {
                let text = format!("the session declares the {} `{}` twice", declared.kind.word(), declared.name);
                diags.push(diag::error(&diag::DUPLICATE, &at(f), text));
            }
            known.push(declared.name);
        }
        let result = self.compile_bpf_session(interp, sources, (&programs, &maps), opt, &mut diags);
        self.env = outside;
        (result.map(|b| BpfSession { compiled: b.compiled, maps: b.own, used: b.used, body }), diags)
    }

    fn compile_bpf_session(
        &mut self,
        interp: &mut Interp,
        sources: &SourceMap,
        (programs, maps): (&[Symbol], &[Symbol]),
        opt: OptLevel,
        diags: &mut Vec<Diagnostic>,
    ) -> Option<Built> {
        let start = std::time::Instant::now();
        let wanted = Wanted { programs: programs.to_vec(), maps: maps.to_vec(), ..Wanted::default() };
        let (unit, more) = self.check_all(interp, Extent::Whole, wanted);
        diags.extend(more);
        if diags.iter().any(Diagnostic::is_error) {
            return None;
        }
        let (compiled, more) = self.assemble(&unit, sources, opt, vec![("checking", start.elapsed())]);
        diags.extend(more);
        let own = maps.iter().filter_map(|n| self.env.maps.get(*n).cloned()).collect();
        Some(Built { compiled: compiled?, own, used: unit.maps.iter().cloned().map(Rc::new).collect() })
    }

    /// Checks a session form of a file that is only looked at; what it would do is left out.
    pub(super) fn look_at_bpf_session(&mut self, interp: &mut Interp, form: &Form, diags: &mut Vec<Diagnostic>) {
        // No code is kept, so no source lines are needed.
        let (_, found) = self.bpf_session(interp, &SourceMap::new(), form, OptLevel::None);
        diags.extend(found);
    }
}
