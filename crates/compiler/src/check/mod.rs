//! From forms to the typed program. Invariant: an expression that was reported as wrong has the
//! type `Never`, which fits everywhere, so that one mistake is one report.

pub(crate) mod address;
mod bits;
mod capture;
mod carried;
mod convert;
mod exprs;
pub mod flow;
mod function;
mod halves;
mod kept;
pub(crate) mod leaks;
mod moved;
pub(crate) mod network;
mod ops;
pub(crate) mod origins;
mod place;
mod readable;
mod records;
mod regions;
mod returns;
mod scope;
pub(crate) mod seen;
pub(crate) mod tasks;
mod unknown;
pub mod val;
mod verdicts;
mod warn;

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use whistler_btf::TypeSource;
use whistler_diag::Diagnostic;
use whistler_isa::{ProgType, Target};
use whistler_lisp::{Form, FormKind, Symbol};

pub use convert::{Fit, Mix, describe};
pub use exprs::{bin, cmp, konst, offset};
pub use function::FnKey;
pub use place::{MapRef, MemPlace, Place};
pub use scope::{Binding, BlockFrame, Cleanup, FnState, PacketStart, Release, Var};
pub use val::{Fact, Facts, Val};
pub(crate) use warn::once_per_name;

use crate::diagnostics as diag;
use crate::env::Env;
use crate::forms::{self, FormDef};
use crate::hir::{At, EnumDef, Expr, ExprKind, FunctionId, GlobalId, LabelId, LocalId, MapId, Ty, Unit};
use crate::host::Interp;
use crate::names::{nearest, norm};

/// How deep expressions may nest.
pub const DEPTH_LIMIT: usize = 160;
/// How many expansions may lead to one form.
const EXPANSION_LIMIT: usize = 100;
/// How many expansions one function may be made of: a macro with two calls of itself doubles what it makes.
pub(crate) const EXPANSION_COUNT: usize = 20_000;

/// Whether a form's value is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// It is.
    Value,
    /// Only whether it is true matters.
    Test,
    /// Only what it does matters.
    Effect,
}

/// A call under check.
#[derive(Clone, Copy)]
pub struct Call<'f> {
    /// The whole form.
    pub form: &'f Form,
    /// The operator as written.
    pub name: Symbol,
    /// The arguments.
    pub args: &'f [Form],
    /// Whether the value is used.
    pub want: Want,
}

impl Call<'_> {
    /// Where it stands.
    pub fn at(&self) -> At {
        at(self.form)
    }
}

/// Where a form stands.
pub fn at(form: &Form) -> At {
    At { span: form.span, origin: form.origin.clone() }
}

/// The checker of one unit.
pub struct Checker<'a> {
    /// Declarations.
    pub env: &'a mut Env,
    /// The host Lisp: macros and constants.
    pub host: &'a mut Interp,
    /// What is compiled for.
    pub target: Target,
    /// The kernel's types.
    pub types: Rc<dyn TypeSource>,
    /// What has been made so far.
    pub unit: Unit,
    /// What has been found wrong.
    pub diags: Vec<Diagnostic>,
    /// The function under check.
    pub f: FnState,
    pub(crate) map_ids: FxHashMap<Symbol, MapId>,
    pub(crate) global_ids: FxHashMap<Symbol, GlobalId>,
    pub(crate) functions: FxHashMap<FnKey, Option<FunctionId>>,
    /// The parameters of a subprogram, by position, whose objects it has released wherever it ends.
    pub(crate) releases: FxHashMap<FunctionId, Vec<usize>>,
    pub(crate) calling: Vec<Symbol>,
    pub(crate) depth: usize,
    /// The variables around a function that runs later, when they are gone.
    pub(crate) around: Vec<Symbol>,
    pub(crate) uses: FxHashSet<Symbol>,
    /// A subprogram that nothing calls is under check: what its place in a program would tell is not known.
    pub(crate) caller_unknown: bool,
    /// The enum whose members keywords are here: that of the place they are for.
    hint: Option<Rc<EnumDef>>,
    pub(crate) kernel: crate::views::KernelViews,
}

/// What a head symbol means.
enum Head {
    Form(&'static FormDef),
    Macro(Rc<crate::host::Macro>),
    Accessor(crate::env::Accessor, Symbol),
    Subprogram(Symbol),
    Helper(&'static whistler_isa::Helper),
    Kfunc(&'static whistler_isa::Kfunc),
    Unknown,
}

impl<'a> Checker<'a> {
    /// A checker with nothing checked yet.
    pub fn new(env: &'a mut Env, host: &'a mut Interp, target: Target, types: Rc<dyn TypeSource>) -> Checker<'a> {
        Checker {
            env,
            host,
            target,
            types,
            unit: Unit::default(),
            diags: Vec::new(),
            f: FnState::default(),
            map_ids: FxHashMap::default(),
            global_ids: FxHashMap::default(),
            functions: FxHashMap::default(),
            releases: FxHashMap::default(),
            calling: Vec::new(),
            depth: 0,
            around: Vec::new(),
            uses: FxHashSet::default(),
            caller_unknown: false,
            hint: None,
            kernel: Default::default(),
        }
    }

    /// Reports.
    pub fn report(&mut self, d: Diagnostic) {
        if self.caller_unknown && d.code == diag::NOT_HERE.code {
            return;
        }
        if !self.diags.contains(&d) {
            self.diags.push(d);
        }
    }

    /// Reports, and yields what stands for the wrong expression.
    pub fn fail(&mut self, d: Diagnostic) -> Val {
        self.report(d);
        Val::error(At::default())
    }

    /// Reports a form that isn't as its operator wants it.
    pub fn malformed(&mut self, form: &Form, message: impl Into<String>) -> Val {
        self.fail(diag::error(&diag::MALFORMED, &at(form), message))
    }

    /// Notes that the function under check depends on a name.
    pub fn use_name(&mut self, name: Symbol) {
        self.uses.insert(name);
    }

    /// Checks an expression.
    pub fn expr(&mut self, form: &Form, want: Want) -> Val {
        if self.depth >= DEPTH_LIMIT {
            if form.origin.is_some() {
                self.f.expansions = EXPANSION_COUNT + 1;
            }
            let text = format!("forms are nested more than {DEPTH_LIMIT} deep here");
            let d = diag::error(&diag::TOO_DEEP, &at(form), text);
            return self.fail(match form.origin {
                None => d.help("name a part with `let`, or move one into a `defsubprog`"),
                Some(_) => d,
            });
        }
        self.depth += 1;
        let v = self.expr_here(form, want);
        self.depth -= 1;
        v
    }

    /// Checks an expression whose value is used.
    pub fn value(&mut self, form: &Form) -> Val {
        self.expr(form, Want::Value)
    }

    /// Checks an expression for a place of this type: keywords in it are members of its enum.
    pub fn value_for(&mut self, form: &Form, ty: Option<&Ty>) -> Val {
        self.with_hint(ty, |c| c.value(form))
    }

    /// Checks something whose value is for a place of this type.
    pub fn with_hint<T>(&mut self, ty: Option<&Ty>, f: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.hint, ty.and_then(Ty::as_enum).cloned());
        let out = f(self);
        self.hint = outer;
        out
    }

    /// A keyword: a member of the enum that is meant here, or of the only one that has it.
    fn keyword(&mut self, s: Symbol, form: &Form) -> Val {
        let known = self.env.keywords.get(&norm(s)).cloned().unwrap_or_default();
        let found = match &self.hint {
            Some(e) => e.value(s.name()).map(|n| (n, e.clone())),
            None => {
                let mut values = known.iter().filter_map(|e| Some((e.value(s.name())?, e.clone())));
                values.next().filter(|(n, _)| values.all(|(m, _)| m == *n))
            }
        };
        if let Some((n, e)) = found {
            self.uses.insert(Symbol::intern(&e.name));
            let mut v = Val::literal(i128::from(n), at(form));
            if self.hint.is_some() || known.len() == 1 {
                v.e.ty = Ty::Enum(e);
            }
            return v;
        }
        let d = match &self.hint {
            Some(e) => {
                let d = diag::error(&diag::UNKNOWN_NAME, &at(form), format!("`{s}` is no member of {}", e.name))
                    .about(&format!(":{}", s.name()));
                match nearest(s.name(), e.members.iter().map(|m| &*m.0)) {
                    Some(near) => d.help(format!("did you mean `:{near}`?")),
                    None => {
                        let all: Vec<_> = e.members.iter().take(8).map(|m| format!(":{}", m.0)).collect();
                        d.help(format!("its members are {}", all.join(" ")))
                    }
                }
            }
            None if known.is_empty() => {
                let all = self.env.keywords.keys().map(|k| k.name());
                let near = nearest(s.name(), all).map(|n| format!("did you mean `:{n}`?"));
                let d = diag::error(&diag::UNKNOWN_NAME, &at(form), format!("`{s}` is no member of a declared enum"))
                    .about(&format!(":{}", s.name()));
                near.into_iter().fold(d, Diagnostic::help)
            }
            None => {
                let all: Vec<_> = known.iter().map(|e| format!("+{}-{}+", e.name, s.name())).collect();
                diag::error(&diag::MALFORMED, &at(form), format!("`{s}` is a member of several enums"))
                    .help(format!("write its constant: {}", all.join(" or ")))
            }
        };
        self.fail(d)
    }

    fn expr_here(&mut self, form: &Form, want: Want) -> Val {
        match &form.kind {
            FormKind::Int(n) => Val::literal(i128::from(*n), at(form)),
            FormKind::Big(_) => self.big(form),
            FormKind::Char(c) => {
                let n = u32::from(*c);
                if n > 255 {
                    return self.fail(diag::error(
                        &diag::ARGUMENT_TYPE,
                        &at(form),
                        "only characters of one byte can be used in a program",
                    ));
                }
                Val::literal(i128::from(n), at(form))
            }
            FormKind::Str(s) => crate::forms::bytes::string(s, form),
            FormKind::Symbol(s) => {
                if want == Want::Effect {
                    self.verdict_used(*s, form);
                }
                self.symbol(*s, form)
            }
            FormKind::List(items) => match items.first() {
                None => Val::literal(0, at(form)),
                Some(head) => match head.as_symbol() {
                    Some(name) => self.call(&Call { form, name, args: &items[1..], want }),
                    None => {
                        let text = "the first element of a call must be a name";
                        let d = diag::error(&diag::MALFORMED, &at(form), text);
                        let made = form.origin.as_ref().map(|o| o.macro_name).filter(|_| head.as_list().is_some());
                        self.fail(match made {
                            Some(name) => d.help(format!(
                                "if forms are put into the template of `{name}`: `,@body` puts them in one by one, `,body` as a list"
                            )),
                            None => d,
                        })
                    }
                },
            },
            FormKind::Vector(_) | FormKind::Dotted(..) => self.malformed(form, "this is no expression of a program"),
            FormKind::Float(_) | FormKind::Ratio(_) => self.fail(
                diag::error(&diag::ARGUMENT_TYPE, &at(form), "programs in the kernel have no fractions")
                    .help("use integers, scaled if need be"),
            ),
            FormKind::Foreign(root) => match root.get().as_i64() {
                Some(n) => Val::literal(i128::from(n), at(form)),
                None => self.malformed(form, "a value of the host that is no number can't be used in a program"),
            },
        }
    }

    fn big(&mut self, form: &Form) -> Val {
        match form.as_int() {
            Some(n) if (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&n) => Val::literal(n, at(form)),
            _ => self.fail(diag::error(&diag::ARGUMENT_TYPE, &at(form), "the number does not fit in 64 bits")),
        }
    }

    fn symbol(&mut self, s: Symbol, form: &Form) -> Val {
        if s.is_keyword() {
            return self.keyword(s, form);
        }
        if let Some(v) = self.variable(s, form) {
            return v;
        }
        if s.fold() == Symbol::NIL {
            return Val::literal(0, at(form));
        }
        if s.fold() == Symbol::T {
            return Val::literal(1, at(form));
        }
        if let Some(place) = self.global_place(s, form) {
            return self.read_global(place);
        }
        if let Some((of, name)) = self.env.enumerators.get(&norm(s)).cloned() {
            self.use_name(s);
            return forms::core_ask::kernel_enumerator(self, &of, &name, at(form));
        }
        if let Some(n) = self.constant(s) {
            if !(i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&n) {
                let text = format!("`{s}` is {n}, which does not fit in 64 bits");
                return self.fail(diag::error(&diag::ARGUMENT_TYPE, &at(form), text));
            }
            if form.origin.is_none() && whistler_isa::verdicts::by_name(s.name()).is_some() {
                self.f.verdicts.push((form.span, s));
            }
            return Val::literal(n, at(form));
        }
        if self.env.maps.get(s).is_some() {
            return match self.map_id(s) {
                Some(id) => Val::new(ExprKind::Map(id), Ty::ptr(crate::hir::Space::Map, None), at(form)),
                None => Val::error(at(form)),
            };
        }
        self.unknown_variable(s, form)
    }

    /// The constant of this name: the program's own, a declaration's, the kernel's, the library's.
    pub fn constant(&mut self, s: Symbol) -> Option<i128> {
        let key = norm(s);
        if let Some(n) = self.env.constants.get(&key) {
            let n = *n;
            self.use_name(s);
            return Some(n);
        }
        if let Some(n) = crate::host::constant(self.host, s) {
            self.use_name(s);
            return Some(n);
        }
        // The kernel's names are in capitals; no two differ in that alone.
        let arch = self.target.arch;
        let kernel = whistler_isa::constants::of(s.name(), arch)
            .or_else(|| whistler_isa::constants::by_name(&s.name().to_ascii_uppercase()));
        if let Some(n) = kernel {
            return Some(i128::from(n));
        }
        // C's name for it, which the kernel's headers define, too.
        if s.name() == "NULL" {
            return Some(0);
        }
        if crate::library::load_for(self.env, self.host, key, &mut self.diags) {
            return self.env.constants.get(&key).copied().or_else(|| crate::host::constant(self.host, s));
        }
        None
    }

    pub(crate) fn operator_exists(&mut self, s: Symbol) -> bool {
        !matches!(self.head(s), Head::Unknown)
    }

    fn head(&mut self, name: Symbol) -> Head {
        if name.package_kind() == whistler_lisp::Package::Cl {
            return Head::Unknown;
        }
        let key = norm(name);
        if let Some(def) = forms::lookup(key) {
            return Head::Form(def);
        }
        for round in 0..2 {
            if let Some(m) = crate::host::user_macro(self.host, name) {
                return Head::Macro(m);
            }
            if let Some((a, owner)) = self.env.accessors.get(&key) {
                return Head::Accessor(a.clone(), *owner);
            }
            if let Some(s) = self.env.subprograms.spelled(name) {
                return Head::Subprogram(s);
            }
            if round == 0 {
                if let Some(h) = whistler_isa::helpers::by_name(key.name()) {
                    return Head::Helper(h);
                }
                if let Some(k) = whistler_isa::kfuncs::by_name(key.name()) {
                    return Head::Kfunc(k);
                }
                if let Some(t) = key.name().strip_prefix("make-").and_then(|n| crate::builtin::named(Symbol::intern(n)))
                {
                    return Head::Accessor(crate::env::Accessor::Make(t), key);
                }
                if !crate::library::load_for(self.env, self.host, key, &mut self.diags) {
                    break;
                }
            }
        }
        Head::Unknown
    }

    fn call(&mut self, call: &Call<'_>) -> Val {
        match self.head(call.name) {
            Head::Form(def) => {
                let n = call.args.len();
                if n < def.min || n > def.max {
                    return self.count_error(call, def);
                }
                let v = (def.check)(self, call);
                self.flags_taken(call, &v);
                if def.name.starts_with("map-") {
                    self.result_used(call, &v);
                }
                v
            }
            Head::Macro(m) => {
                self.use_name(m.name);
                match self.expand(&m, call.form) {
                    Some(form) => {
                        self.captured(&m, call.form, &form);
                        self.expr(&form, call.want)
                    }
                    None => Val::error(call.at()),
                }
            }
            Head::Accessor(accessor, owner) => {
                self.use_name(owner);
                forms::structs::accessor(self, call, accessor)
            }
            Head::Subprogram(name) => {
                let v = forms::calls::subprogram(self, call, name);
                if self.calls_a_mover(&v.e) {
                    self.f.lessons.mover = Some(call.at());
                    self.packet_moved();
                }
                v
            }
            Head::Helper(helper) => {
                if helper.moves_packet() {
                    self.f.lessons.mover = Some(call.at());
                }
                let v = forms::calls::helper(self, call, helper);
                self.flags_taken(call, &v);
                self.result_used(call, &v);
                self.network_call(call, &v);
                v
            }
            Head::Kfunc(kfunc) => forms::kfuncs::kfunc(self, call, kfunc),
            Head::Unknown => self.unknown_operator(call),
        }
    }

    /// Expands a macro call once.
    pub fn expand(&mut self, m: &crate::host::Macro, form: &Form) -> Option<Form> {
        if self.f.expansions > EXPANSION_COUNT {
            return None;
        }
        self.f.expansions += 1;
        let depth = form.origin.iter().flat_map(|o| o.chain()).take(EXPANSION_LIMIT).count();
        if depth >= EXPANSION_LIMIT {
            let text = format!("`{}` expands without end", m.name);
            self.report(diag::error(&diag::EXPANSION, &at(form), text));
            // One is enough: what holds two calls of itself would be followed a second time for each.
            self.f.expansions = EXPANSION_COUNT + 1;
            return None;
        }
        if self.f.expansions > EXPANSION_COUNT {
            let text = format!("`{}` makes more than {EXPANSION_COUNT} expansions of one function", m.name);
            let d = diag::error(&diag::EXPANSION, &at(form), text);
            self.report(d.help("a macro that holds two calls of itself doubles with each step; write a loop instead"));
            return None;
        }
        match crate::host::expand(self.host, m, form) {
            Ok(f) => Some(f),
            Err(d) => {
                self.report(*d);
                None
            }
        }
    }

    fn count_error(&mut self, call: &Call<'_>, def: &FormDef) -> Val {
        let takes = match (def.min, def.max) {
            (a, b) if a == b => format!("{a}"),
            (a, usize::MAX) => format!("at least {a}"),
            (a, b) => format!("{a} to {b}"),
        };
        let d = diag::error(
            &diag::ARGUMENT_COUNT,
            &call.at(),
            format!(
                "`{}` takes {takes} argument{}, not {}",
                call.name,
                if takes.ends_with(" 1") || takes == "1" { "" } else { "s" },
                call.args.len()
            ),
        )
        .help(format!("written as {}", def.usage));
        // A place and a number: the form for places is meant.
        let of_place = def.name == "atomic-add" && call.args.len() == 2 && call.args[0].head().is_some();
        self.fail(match call.args.first() {
            Some(place) if of_place => d.help(format!("a field is counted up with (atomic-incf {place} n)")),
            _ => d,
        })
    }

    /// Checks forms in order; the value is the last one's.
    pub fn body(&mut self, forms: &[Form], want: Want, at_: At) -> Val {
        let Some((last, before)) = forms.split_last() else { return Val::literal(0, at_) };
        if before.is_empty() {
            return self.expr(last, want);
        }
        let mut parts = Vec::with_capacity(forms.len());
        let mut never = false;
        // Of what is never reached, no more is said than that.
        let wanted = |f: &Form, want, never| if never && f.as_symbol().is_some() { Want::Value } else { want };
        for (i, f) in before.iter().enumerate() {
            let v = self.expr(f, wanted(f, Want::Effect, never));
            if v.never() && !never && !matches!(v.e.kind, ExprKind::Const(_)) {
                // What a macro leaves by is not seen, and code behind it is how its users write.
                let by_macro = f.head().is_some_and(|h| matches!(self.head(h), Head::Macro(_)));
                if !by_macro {
                    self.unreachable(&forms[i + 1], f);
                }
            }
            never |= v.never();
            parts.push(v.e);
        }
        let v = self.expr(last, wanted(last, want, never));
        let mut out = self.seq(parts, v);
        if never {
            out.e.ty = Ty::Never;
        }
        out
    }

    /// Some expressions for their effect, then a value.
    pub fn seq(&mut self, mut before: Vec<Expr>, mut v: Val) -> Val {
        before.retain(|e| !matches!(e.kind, ExprKind::Const(_) | ExprKind::Local(_)) || e.ty == Ty::Never);
        if before.is_empty() {
            return v;
        }
        if v.lit {
            // Folding a literal away would take with it what is done before it. As a narrow unsigned number it
            // goes with every other one, as a literal does.
            v.lit = false;
            if (0..=i128::from(u32::MAX)).contains(&v.lo) && v.e.ty == Ty::U64 {
                v.e.ty = Ty::U32;
            }
        }
        let (ty, place) = (v.e.ty.clone(), v.e.at.clone());
        let inner = std::mem::replace(&mut v.e.kind, ExprKind::Const(0));
        before.push(Expr::new(inner, ty.clone(), place.clone()));
        v.e = Expr::new(ExprKind::Seq(before), ty, place);
        v
    }

    /// A new label.
    pub fn label(&mut self) -> LabelId {
        self.f.labels += 1;
        LabelId(self.f.labels - 1)
    }

    /// The number a constant expression has, if it is one; reports otherwise.
    pub fn const_value(&mut self, form: &Form, what: &str) -> Option<i128> {
        self.const_value_for(form, None, what)
    }

    /// A constant that is compared with, or put into, a place of this type.
    pub fn const_value_for(&mut self, form: &Form, ty: Option<&Ty>, what: &str) -> Option<i128> {
        let v = self.value_for(form, ty);
        if v.never() {
            return None;
        }
        if v.e.ty == Ty::Void {
            return Some(0);
        }
        match v.as_lit() {
            Some(n) => Some(n),
            None => {
                self.report(
                    diag::error(&diag::NOT_CONSTANT, &at(form), format!("{what} must be a constant"))
                        .label("known only at run time"),
                );
                None
            }
        }
    }

    /// The type of program whose context is seen here.
    pub fn prog_type(&self) -> Option<ProgType> {
        self.f.ctx_type
    }

    /// A type as written.
    pub fn type_of(&mut self, form: &Form) -> Option<Ty> {
        match crate::types::parse(self.env, self.host, form) {
            Ok(t) => {
                if let Ty::Struct(s) = &t {
                    self.uses.insert(Symbol::intern(&s.name));
                }
                Some(t)
            }
            Err(d) => {
                self.report(*d);
                None
            }
        }
    }

    /// The id of a local that lives in no source.
    pub fn temp(&mut self, ty: Ty, kind: crate::hir::LocalKind) -> LocalId {
        self.f.local("", ty, kind, whistler_diag::Span::NONE)
    }
}
