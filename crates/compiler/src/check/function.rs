//! Programs and subprograms as wholes. Invariant: a subprogram is checked once for each kind of
//! pointers its callers give it, and never while it is being checked.

use std::rc::Rc;

use whistler_diag::Diagnostic;
use whistler_isa::{AttachType, ProgType};
use whistler_lisp::Symbol;

use super::scope::{FnState, Lessons};
use super::{Binding, Checker, Fit, Val, Want, at};
use crate::diagnostics as diag;
use crate::env::{ProgDecl, SubprogDecl};
use crate::hir::{
    At, Expr, ExprKind, Function, FunctionId, GlobalDef, GlobalId, LocalId, LocalKind, MapId, ProgramInfo, Ty,
};

/// How often a function is checked again because of what was learnt.
const ROUNDS: usize = 8;

/// What an instance of a subprogram is made for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FnKey {
    name: Symbol,
    /// The parameters' types, as text.
    types: String,
    ctx: Option<ProgType>,
    license: String,
    sleepable: bool,
    member: Option<crate::hir::OpsMember>,
}

impl Checker<'_> {
    /// Checks a program.
    pub fn program(&mut self, decl: &Rc<ProgDecl>) {
        self.uses.clear();
        let member = self.member_of(decl);
        self.struct_ops_program(decl, member.as_ref());
        let yields = self.member_yields(member.as_ref());
        let info = info(decl, member.clone());
        let body = decl.body.clone();
        let forms = &body[decl.skip..];
        let here = at(&decl.form);
        let out = self.rounds(|c| {
            c.f.name = Some(decl.name);
            c.f.license = decl.license.clone();
            c.f.sleepable = decl.sleepable;
            c.f.program = Some(info.clone());
            c.f.member.clone_from(&member);
            c.f.yields.clone_from(&yields);
            c.f.ctx_type = Some(decl.prog_type);
            c.f.tracepoint = decl.tracepoint;
            let v = c.body(forms, Want::Value, here.clone());
            let open = c.f.flow.live.clone();
            if !v.never() {
                for l in open {
                    crate::forms::ring::not_released(c, l, &v.at().clone());
                }
            }
            let body = c.last_result(v, decl);
            c.f.with_asm_registers(body)
        });
        let Some(body) = out else { return };
        super::regions::check(self, &body);
        self.check_returns(&body, decl);
        self.meanings(&body);
        self.pseudo_headers();
        if !self.diags.iter().any(Diagnostic::is_error) {
            self.verdict_written(forms, &body, decl);
        }
        let f = std::mem::take(&mut self.f);
        self.unit.functions.push(Function {
            name: decl.name.name().into(),
            program: Some(info),
            params: Vec::new(),
            ret: Ty::U64,
            locals: f.locals,
            body,
            uses_ctx: f.uses_ctx,
            ctx_type: Some(decl.prog_type),
            gpl: crate::forms::calls::gpl_compatible(&decl.license),
            ctx_local: None,
            global: false,
            span: decl.form.span,
        });
        let uses = std::mem::take(&mut self.uses);
        self.env.uses.insert(decl.name, uses);
    }

    /// Warns of numbers that are not what the places that they get to take them for.
    fn meanings(&mut self, body: &Expr) {
        // What is wrong may be what another form would have cut or swapped.
        if self.diags.iter().any(Diagnostic::is_error) {
            return;
        }
        let seen = super::seen::Seen::of(body);
        self.halves(&seen, body);
        self.kept_order(&seen, body);
        self.kept_sign(body);
        self.clocks(&seen, body);
        self.current_at_event(body);
        self.registers_taken(&seen, body);
    }

    /// Reports a program whose hook neither the kernel's types nor those of its modules have: a warning, since a module
    /// or another kernel may have it; an error where it is most likely misspelt, and where only the kernel can have it.
    pub fn attach_target(&mut self, decl: &ProgDecl) {
        let member = self.member_of(decl);
        let info = info(decl, member);
        let types = self.types.clone();
        let (why, near) = if let Some((category, event)) = crate::hook::record(&info) {
            match types.tracepoint(category, event) {
                Err(e @ whistler_btf::TypeSourceError::NoTracepoint { .. }) => {
                    let text = e.to_string();
                    let whistler_btf::TypeSourceError::NoTracepoint { near, .. } = e else { return };
                    (text, near.into_iter().next())
                }
                _ => return,
            }
        } else {
            let plain = crate::hook::is_plain_function(&info);
            // Asked for the kernel's types only where they are needed: reading them takes time.
            if !plain && !crate::hook::is_named_in_btf(&info) {
                return;
            }
            let Some(btf) = types.btf() else { return };
            let Err(why) = crate::hook::Hook::of(btf, &info) else { return };
            if crate::hook::is_of_module(&*types, &info) {
                return;
            }
            let near = crate::hook::nearest_hook(btf, &info);
            // Functions that BTF doesn't describe can be probed, too: one that is nearly another is a slip.
            if plain && near.is_none() {
                return;
            }
            (why, near)
        };
        let options = decl.form.as_list().and_then(|l| l.get(2)?.as_list()).unwrap_or(&[]);
        let section = options.windows(2).find(|w| w[0].as_keyword().is_some_and(|k| k.is("section"))).map(|w| &w[1]);
        let here = at(section.unwrap_or(&decl.form));
        let wrong = match info.prog_type {
            ProgType::Lsm => true,
            ProgType::Tracing => near.is_some() && info.attach_type != Some(AttachType::TraceRawTp),
            _ => false,
        };
        let d = if wrong {
            diag::error(&diag::UNKNOWN_NAME, &here, why)
        } else {
            diag::warning(&diag::UNKNOWN_TARGET, &here, why)
        };
        let d = match near {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None if wrong => d,
            None => d.note("unless a module has it"),
        };
        self.report(if wrong && info.prog_type == ProgType::Tracing {
            d.note(
                "a function of a module that is not loaded here is written with its module: \"fentry/MODULE:FUNCTION\"",
            )
        } else {
            d
        });
    }

    /// Checks a function until nothing new is learnt about its variables.
    fn rounds(&mut self, check: impl Fn(&mut Self) -> Expr) -> Option<Expr> {
        let before = self.diags.len();
        let functions = self.unit.functions.len();
        let mut lessons = Lessons::default();
        for round in 0..ROUNDS {
            self.f = FnState { lessons: std::mem::take(&mut lessons), ..FnState::default() };
            let body = check(self);
            let cut = self.f.expansions > super::EXPANSION_COUNT;
            if !self.f.again || cut || round + 1 == ROUNDS {
                self.forget_unused(before);
                return Some(body);
            }
            lessons = std::mem::take(&mut self.f.lessons);
            // What was reported, or made, rested on wrong assumptions.
            self.diags.truncate(before);
            self.forget_functions(functions);
        }
        None
    }

    /// Drops warnings of what is unused, ignored or never reached since there were `before` reports,
    /// if an error is among them: what would use the variable, or go on, may be what is wrong.
    fn forget_unused(&mut self, before: usize) {
        const FOLLOW: [&diag::CodeDoc; 3] = [&diag::UNUSED_VARIABLE, &diag::UNREACHABLE, &diag::RESULT_IGNORED];
        if self.diags.iter().skip(before).any(Diagnostic::is_error) {
            let mut at = 0;
            self.diags.retain(|d| {
                at += 1;
                at <= before || FOLLOW.iter().all(|f| d.code != f.code)
            });
        }
    }

    /// Drops the functions made since there were `count`.
    pub(crate) fn forget_functions(&mut self, count: usize) {
        if self.unit.functions.len() > count {
            self.unit.functions.truncate(count);
        }
        self.functions.retain(|_, id| id.is_some_and(|id| (id.0 as usize) < count));
    }

    /// A function's result as its return type.
    fn result(&mut self, v: Val) -> Expr {
        if v.never() {
            return v.e;
        }
        match self.f.ret.clone() {
            Some(Ty::Void) => {
                let here = v.e.at.clone();
                let nothing = Expr::new(ExprKind::Seq(Vec::new()), Ty::Void, here.clone());
                Expr::new(ExprKind::Seq(vec![v.e, nothing]), Ty::Void, here)
            }
            Some(t) => self.fit(v, &t, Fit::Place),
            None if self.f.yields.is_some() => {
                let yields = self.f.yields.clone().unwrap_or(Ty::Void);
                self.member_result(v, &yields)
            }
            None if self.not_its_content(&v, "a program's result is a number") => Val::error(v.e.at.clone()).e,
            None => self.fit(v, &Ty::U64, Fit::Bits),
        }
    }

    /// A program's last value as its result: where the kernel makes nothing of it, an address there is no result.
    fn last_result(&mut self, v: Val, decl: &ProgDecl) -> Expr {
        let unread = decl.prog_type.return_rule(decl.attach_type) == whistler_isa::ReturnRule::Any;
        if self.f.yields.is_some() || !unread || super::address::mistaken(v.ty()).is_none() {
            return self.result(v);
        }
        let here = v.e.at.clone();
        let zero = Expr::new(ExprKind::Const(0), Ty::U64, here.clone());
        Expr::new(ExprKind::Seq(vec![v.e, zero]), Ty::U64, here)
    }

    /// `return`: leaves the function from wherever it stands.
    pub fn leave_function(&mut self, v: Val, here: At) -> Val {
        if v.never() {
            return v;
        }
        let e = self.result(v);
        let (parts, e) = crate::forms::ring::leave(self, 0, e);
        let open: Vec<_> = self.f.flow.live.iter().copied().filter(|l| !self.f.is_borrowed(*l)).collect();
        for l in open {
            crate::forms::ring::not_released(self, l, &here);
        }
        self.f.ends();
        let e = if e.ty == Ty::Void {
            let zero = Expr::new(ExprKind::Const(0), Ty::U64, here.clone());
            match e.kind {
                ExprKind::Seq(es) if es.is_empty() => zero,
                _ => self.seq(vec![e], Val::of(zero)).e,
            }
        } else {
            e
        };
        let out = Val::new(ExprKind::Return(Box::new(e)), Ty::Never, here);
        let mut v = self.seq(parts, out);
        v.e.ty = Ty::Never;
        v
    }

    /// The instance of a subprogram for arguments of these types.
    ///
    /// `covered` says of packet pointers how many bytes behind them the caller has compared with the packet's end.
    pub fn instance(
        &mut self,
        name: Symbol,
        decl: &Rc<SubprogDecl>,
        types: Vec<Ty>,
        covered: &[u32],
        here: &At,
    ) -> Option<FunctionId> {
        let bytes = |n: usize| covered.get(n).copied().unwrap_or(0);
        let text: Vec<String> = types
            .iter()
            .enumerate()
            .map(|(n, t)| match t {
                Ty::Ptr(p) => format!("{t}@{:?}+{}", p.space, bytes(n)),
                t => t.to_string(),
            })
            .collect();
        let key = FnKey {
            name,
            types: text.join(" "),
            ctx: self.f.ctx_type,
            license: self.f.license.clone(),
            sleepable: self.f.sleepable,
            member: self.f.member.clone(),
        };
        if self.calling.contains(&name) {
            self.report(
                diag::error(&diag::RECURSION, here, format!("`{name}` calls itself"))
                    .also(decl.form.span, "defined here")
                    .help("the kernel has no recursion; write a loop"),
            );
            return None;
        }
        if let Some(id) = self.functions.get(&key) {
            let id = *id;
            if let Some(uses) = self.env.uses.get(&name) {
                self.uses.extend(uses.iter().copied());
            }
            return id;
        }
        let caller_uses = std::mem::take(&mut self.uses);
        let caller = std::mem::take(&mut self.f);
        self.calling.push(name);
        let (ctx_type, license, tracepoint) = (caller.ctx_type, caller.license.clone(), caller.tracepoint);
        let (sleepable, member) = (caller.sleepable, caller.member.clone());
        let body_forms = decl.body.clone();
        let forms = &body_forms[decl.skip..];
        let errors = self.diags.iter().filter(|d| d.is_error()).count();
        let depth = self.depth;
        let params: Vec<_> = (0..decl.params.len() as u32).map(crate::hir::LocalId).collect();
        let body = self.rounds(|c| {
            c.f.name = Some(name);
            c.f.license.clone_from(&license);
            c.f.sleepable = sleepable;
            c.f.member.clone_from(&member);
            c.f.ctx_type = ctx_type;
            c.f.tracepoint = tracepoint;
            c.f.ret = Some(decl.ret.clone());
            for (n, (p, ty)) in decl.params.iter().zip(&types).enumerate() {
                let id = c.parameter(p.name, ty.clone(), p.span);
                if bytes(n) > 0 {
                    c.f.flow.covers.push((id, bytes(n)));
                }
                if crate::forms::refs::may_be_held(ty) {
                    c.f.flow.live.push(id);
                }
            }
            c.f.borrowed = types.len() as u32;
            let v = c.with_hint(Some(&decl.ret), |c| c.body(forms, Want::Value, at(&decl.form)));
            if !v.never() {
                let out = c.root_of(&v.e);
                let left = |l: &LocalId| !c.f.is_borrowed(*l) && Some(*l) != out;
                let open: Vec<_> = c.f.flow.live.iter().copied().filter(left).collect();
                for l in open {
                    crate::forms::ring::not_released(c, l, &v.at().clone());
                }
                c.f.ends();
            }
            c.unbind(0);
            let body = c.result(v);
            c.f.with_asm_registers(body)
        });
        self.depth = depth;
        self.calling.pop();
        // What a subprogram mentions, its callers depend on, too.
        let uses = std::mem::replace(&mut self.uses, caller_uses);
        self.uses.extend(uses.iter().copied());
        self.env.uses.insert(name, uses);
        if let Some(body) = &body {
            super::regions::check(self, body);
            self.meanings(body);
            self.pseudo_headers();
        }
        let f = std::mem::replace(&mut self.f, caller);
        let ok = self.diags.iter().filter(|d| d.is_error()).count() == errors;
        let same =
            self.unit.functions.iter().filter(|g| g.program.is_none() && own_name(&g.name) == name.name()).count();
        let shown = if same == 0 { name.name().to_string() } else { format!("{}__{}", name.name(), same + 1) };
        let id = FunctionId(self.unit.functions.len() as u32);
        let (Some(body), true) = (body, ok) else {
            self.functions.insert(key, None);
            return None;
        };
        self.unit.functions.push(Function {
            name: shown.into(),
            program: None,
            params,
            ret: decl.ret.clone(),
            locals: f.locals,
            body,
            uses_ctx: f.uses_ctx,
            ctx_type,
            gpl: crate::forms::calls::gpl_compatible(&license),
            ctx_local: None,
            global: decl.global,
            span: decl.form.span,
        });
        let given_back = f.given_back.unwrap_or_default();
        self.releases.insert(id, given_back.into_iter().map(|l| l.0 as usize).collect());
        self.functions.insert(key, Some(id));
        Some(id)
    }

    /// Whether a program called the subprogram.
    pub fn was_instanced(&self, name: Symbol) -> bool {
        self.functions.keys().any(|k| k.name == name)
    }

    fn parameter(&mut self, name: Symbol, ty: Ty, span: whistler_diag::Span) -> LocalId {
        let ordinal = self.f.ordinals;
        self.f.ordinals += 1;
        let id = self.f.local(name.name(), ty, LocalKind::Value, span);
        let assigned = self.f.lessons.assigned.contains(&ordinal);
        let var = self.f.var(id);
        var.ordinal = ordinal;
        var.written = true;
        var.assigned = assigned;
        self.f.scope.push(Binding { name, local: id, used: false, span, made: false });
        id
    }

    /// The id of a map in this unit.
    pub fn map_id(&mut self, name: Symbol) -> Option<MapId> {
        let spelled = self.env.maps.spelled(name)?;
        self.use_name(spelled);
        if let Some(id) = self.map_ids.get(&spelled) {
            return Some(*id);
        }
        let def = self.env.maps.get(spelled)?.clone();
        let id = MapId(self.unit.maps.len() as u32);
        self.unit.maps.push((*def).clone());
        self.map_ids.insert(spelled, id);
        if def.map_type.info().holds == whistler_isa::MapValueKind::Map {
            for (_, inside) in &def.contents {
                self.map_id(Symbol::intern(inside));
            }
        }
        Some(id)
    }

    /// The id of a global in this unit.
    pub fn global_id(&mut self, name: Symbol, def: &GlobalDef) -> GlobalId {
        self.use_name(name);
        if let Some(id) = self.global_ids.get(&name) {
            return *id;
        }
        let id = GlobalId(self.unit.globals.len() as u32);
        self.unit.globals.push(def.clone());
        self.global_ids.insert(name, id);
        id
    }
}

fn own_name(name: &str) -> &str {
    name.split("__").next().unwrap_or(name)
}

/// What the rest of the compiler knows of a program.
fn info(decl: &ProgDecl, member: Option<crate::hir::OpsMember>) -> ProgramInfo {
    // A section that names no member gets it from the struct that names the program.
    let section = match &member {
        Some(m) if !decl.section.contains('/') => format!("{}/{}", decl.section, m.name),
        _ => decl.section.clone(),
    };
    let attach_target = match &member {
        Some(m) => Some(format!("{}/{}", m.of, m.name)),
        None => decl.attach_target.clone(),
    };
    ProgramInfo {
        member,
        prog_type: decl.prog_type,
        attach_type: decl.attach_type,
        attach_target,
        section,
        license: decl.license.clone(),
        sleepable: decl.sleepable,
    }
}
