//! Programs that are members of a struct of operations: which member, what it yields, what it may write. Invariant: a
//! program implements one member; all structs that name it agree on which.

use std::rc::Rc;

use whistler_diag::Diagnostic;
use whistler_isa::{ProgType, same_name, struct_ops};
use whistler_lisp::Symbol;

use super::val::type_range;
use super::{Checker, Fit, Val, at};
use crate::decl::struct_ops::{function, implementable, kernel_struct};
use crate::diagnostics as diag;
use crate::env::{Env, ProgDecl};
use crate::hir::{At, Expr, ExprKind, OpsDef, OpsMember, OpsValue, Space, Ty};
use crate::hook::Hook;
use crate::kernel::{FieldInfo, field_ty};

/// The members that structs of operations give a program, with the struct that does.
fn named_by(env: &Env, program: Symbol) -> Vec<(Rc<OpsDef>, OpsMember)> {
    let mut out = Vec::new();
    for def in env.struct_ops.values() {
        for f in &def.fields {
            let names_it = matches!(&f.value, OpsValue::Program(p) if env.programs.spelled(*p) == Some(program));
            if names_it {
                out.push((def.clone(), OpsMember { of: def.of.clone(), name: f.name.clone() }));
            }
        }
    }
    out
}

impl Checker<'_> {
    /// The member that a program implements: what a struct of operations says, else what its section names, if one
    /// struct of the kernel's alone has such a member.
    pub(super) fn member_of(&mut self, decl: &ProgDecl) -> Option<OpsMember> {
        if decl.prog_type != ProgType::StructOps {
            return None;
        }
        if let Some((_, member)) = named_by(self.env, decl.name).into_iter().next() {
            return Some(member);
        }
        let types = self.types.clone();
        let btf = types.btf()?;
        let wanted = decl.section.split_once('/')?.1;
        let mut found = implementable(btf).into_iter().filter_map(|of| {
            let members = btf.ty(kernel_struct(btf, &of)?).ok()?.composite()?;
            let m = members.members().find(|m| same_name(m.name, wanted) && function(btf, m.ty).is_some())?;
            Some(OpsMember { of: of.as_str().into(), name: m.name.into() })
        });
        found.next().filter(|_| found.next().is_none())
    }

    /// What a program's member yields; `None` where it is no member, or the types are not there.
    pub(super) fn member_yields(&mut self, member: Option<&OpsMember>) -> Option<Ty> {
        let member = member?;
        let types = self.types.clone();
        let btf = types.btf()?;
        let hook = Hook::member(btf, member).ok()?;
        match hook.ret {
            None => Some(Ty::Void),
            Some(ret) => field_ty(btf, ret, Space::Trusted),
        }
    }

    /// A program's value as what its member yields, in a whole register.
    pub(super) fn member_result(&mut self, v: Val, yields: &Ty) -> Expr {
        let here = v.e.at.clone();
        let member = self.f.member.clone();
        let shown = member.map_or_else(String::new, |m| format!("`{}` of {}", m.name, m.of));
        match yields {
            Ty::Void => {
                let zero = Expr::new(ExprKind::Const(0), Ty::U64, here.clone());
                Expr::new(ExprKind::Seq(vec![v.e, zero]), Ty::U64, here)
            }
            Ty::Ptr(p) if !v.is_zero() => {
                let same = v.ty().as_ptr().is_some_and(|q| q.pointee == p.pointee);
                if !same {
                    let text = format!("{shown} yields {yields}, and this is {}", super::describe(v.ty()));
                    return self.fail(diag::error(&diag::ARGUMENT_TYPE, &here, text)).e;
                }
                self.fit(v, &Ty::U64, Fit::Bits)
            }
            Ty::Ptr(_) => self.fit(v, &Ty::U64, Fit::Bits),
            _ => {
                if self.not_its_content(&v, &format!("{shown} yields {yields}")) {
                    return Val::error(here).e;
                }
                let constant = (v.lo == v.hi && v.int().is_some()).then_some(v.lo);
                if let (Some(n), Some(int)) = (constant, yields.as_int()) {
                    let (lo, hi) = type_range(int);
                    let limit = if *yields == Ty::Bool { 1 } else { hi };
                    if !(lo..=limit).contains(&n) {
                        let text = format!("{shown} yields {yields}, and {n} is none");
                        return self.fail(diag::error(&diag::RETURN_RANGE, &here, text)).e;
                    }
                }
                let narrow = self.fit(v, yields, Fit::Place);
                self.fit(Val::of(narrow), &Ty::U64, Fit::Bits)
            }
        }
    }

    /// Checks a struct of operations against the programs that it names, and takes it into the unit.
    pub(crate) fn struct_ops(&mut self, def: &Rc<OpsDef>) {
        let before = self.diags.len();
        for f in &def.fields {
            let OpsValue::Program(name) = f.value else { continue };
            let here = At { span: f.span, origin: None };
            let Some(decl) = self.env.programs.get(name).cloned() else {
                let mut d = diag::error(&diag::UNKNOWN_NAME, &here, format!("there is no program `{name}`"));
                if let Some(near) = crate::names::nearest(name.name(), self.env.programs.names().map(Symbol::name)) {
                    d = d.help(format!("did you mean `{near}`?"));
                }
                self.report(d.about(name.name()));
                continue;
            };
            if let Some(d) = self.unfit(def, &f.name, &decl, &here) {
                self.report(d);
            }
        }
        if self.diags[before..].iter().all(|d| !d.is_error()) {
            self.unit.struct_ops.push(OpsDef::clone(def));
        }
    }

    /// Why a program can't be this member.
    fn unfit(&self, def: &OpsDef, member: &str, decl: &ProgDecl, here: &At) -> Option<Diagnostic> {
        let name = decl.name;
        if decl.prog_type != ProgType::StructOps {
            let kind = decl.prog_type.shown(decl.attach_type);
            let text =
                format!("`{member}` of {} is a program of type :struct-ops, and `{name}` is one of :{kind}", def.of);
            let d = diag::error(&diag::STRUCT_OPS, here, text).also(decl.form.span, "declared here");
            return Some(d.help(format!("(defprog {name} (:type :struct-ops :section \"struct_ops/{member}\") …)")));
        }
        let said = decl.section.split_once('/').map(|(_, m)| m);
        let types = self.types.clone();
        let is_member = |m: &str| {
            let members = types.btf().and_then(|b| b.ty(kernel_struct(b, &def.of)?).ok()?.composite());
            members.is_some_and(|c| c.members().any(|x| same_name(x.name, m)))
        };
        if let Some(said) = said.filter(|s| !same_name(s, member) && is_member(s)) {
            let text = format!("`{name}` says by its section that it is `{said}`, and here it is `{member}`");
            let d = diag::error(&diag::STRUCT_OPS, here, text).also(decl.form.span, "declared here");
            return Some(d.help(format!("its section would be \"struct_ops/{member}\"")));
        }
        if said.is_some_and(|s| same_name(s, member)) {
            return None;
        }
        let mine = |m: &OpsMember| *m.of == *def.of && *m.name == *member;
        let (other, m) = named_by(self.env, name).into_iter().find(|(_, m)| !mine(m))?;
        let text = format!("`{name}` is `{member}` of {} here, and `{}` of {} elsewhere", def.of, m.name, m.of);
        let d = diag::error(&diag::STRUCT_OPS, here, text).also(other.span, "in this one");
        Some(d.help("a program implements one member: write a second one, with a subprogram for what they share"))
    }

    /// What the kernel lets programs of the struct write that the program under check is a member of.
    fn writable_here(&self) -> Option<(&'static struct_ops::StructOps, &OpsMember)> {
        let member = self.f.member.as_ref()?;
        Some((struct_ops::by_name(&member.of)?, member))
    }

    /// Whether a field of an object of the kernel's may be written here, by its struct and the way to it; else why not.
    pub(crate) fn may_write(&self, root: &str, path: &[FieldInfo]) -> Result<(), String> {
        let no = || "a kernel object can't be written".to_string();
        let Some((row, _)) = self.writable_here() else { return Err(no()) };
        let types = self.types.clone();
        let Some(btf) = types.btf() else { return Err(no()) };
        // The struct that holds each step: the first one, or what the step before it is.
        let holder = |i: usize| match i.checked_sub(1).and_then(|i| path.get(i)) {
            None => root.to_string(),
            Some(f) => btf.ty(crate::kernel::strip(btf, f.ty)).map(|t| t.name.to_string()).unwrap_or_default(),
        };
        let found = (0..path.len()).find_map(|i| {
            let rest: Vec<&str> = path[i..].iter().map(|f| f.name.as_str()).collect();
            row.writes(&holder(i), &rest.join("."))
        });
        match found {
            Some(w) if !self.target.has(w.since) => Err(format!(
                "`{}` of {} can be written from kernel {} on, and the target is {}",
                w.path, w.of, w.since, self.target.kernel
            )),
            Some(_) => Ok(()),
            None => {
                let field: Vec<&str> = path.iter().map(|f| f.name.as_str()).collect();
                Err(format!("`{}` of {root} can't be written by programs of {}", field.join(" "), row.name))
            }
        }
    }

    /// What may be written instead, in words.
    pub(crate) fn what_may_be_written(&self) -> Option<String> {
        let (row, _) = self.writable_here()?;
        let shown: Vec<&str> = row.writable.iter().filter(|w| self.target.has(w.since)).map(|w| w.path).collect();
        Some(format!("they may write {}", shown.join(", ")))
    }

    /// Reports a helper that programs of this member can't call. Whether they can.
    pub(crate) fn member_may_call(&mut self, helper: &str, here: &At) -> bool {
        let Some((row, member)) = self.writable_here() else { return true };
        if !row.bars(&member.name, helper) {
            return true;
        }
        let text = format!("`{helper}` can't be called by `{}` of {}", member.name, row.name);
        self.report(diag::error(&diag::HELPER_PROGRAM, here, text));
        false
    }

    /// Reports what makes a program unfit for any struct of operations.
    pub(super) fn struct_ops_program(&mut self, decl: &ProgDecl, member: Option<&OpsMember>) {
        if decl.prog_type != ProgType::StructOps {
            return;
        }
        if !crate::forms::calls::gpl_compatible(&decl.license) {
            let text = format!(
                "programs of type :struct-ops are only for the GPL, and `{}` is under \"{}\"",
                decl.name, decl.license
            );
            self.report(diag::error(&diag::HELPER_LICENSE, &at(&decl.form), text));
        }
        if member.is_none() && self.types.btf().is_some() {
            let text = format!("which member of which struct of operations `{}` is, nothing says", decl.name);
            let d = diag::error(&diag::STRUCT_OPS, &at(&decl.form), text);
            self.report(
                d.help(format!("name it in one: (defstruct-ops my-ops (:type STRUCT) (MEMBER {}) …)", decl.name)),
            );
        }
    }
}
