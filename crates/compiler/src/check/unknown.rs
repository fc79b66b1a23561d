//! Names that mean nothing: what is said of them, and which name may have been meant. Invariant: a report
//! names what is missing ([`Diagnostic::about`]), so that it goes when that thing's declaration was refused.

use whistler_diag::Diagnostic;
use whistler_lisp::{Form, FormKind, Symbol};

use super::{Call, Checker, Head, Val, at};
use crate::diagnostics as diag;
use crate::forms;
use crate::hir::At;
use crate::names::{nearest, spelled_like};

/// What other languages call our operators.
const ELSEWHERE: &[(&str, &str)] = &[
    ("==", "="),
    ("!=", "/="),
    ("<>", "/="),
    ("&&", "and"),
    ("||", "or"),
    ("!", "not"),
    ("%", "mod"),
    ("&", "logand"),
    ("^", "logxor"),
    ("~", "lognot"),
    ("++", "incf"),
    ("--", "decf"),
    ("+=", "incf"),
    ("-=", "decf"),
    ("begin", "progn"),
    ("for", "dotimes"),
    ("switch", "case"),
    ("set!", "setf"),
    ("set", "setf"),
    ("let1", "let"),
    ("print", "printk"),
    ("format", "printk"),
    ("println", "printk"),
    ("lsh", "<<"),
    ("rsh", ">>"),
    ("shl", "<<"),
    ("shr", ">>"),
    ("bit-and", "logand"),
    ("bit-or", "logior"),
    ("bit-xor", "logxor"),
    ("length", "sizeof"),
    ("map-ref", "getmap"),
    ("eq", "="),
    ("gethash", "getmap"),
    ("printf", "printk"),
    ("trace-printk", "printk"),
    ("bpf-printk", "printk"),
    ("lookup", "map-lookup"),
    ("update", "map-update"),
    ("map-get", "getmap"),
    ("remhash", "remmap"),
    ("map-set", "map-update"),
    ("xor", "logxor"),
    ("not-equal", "/="),
    ("pt-regs-rc", "pt-regs-ret"),
    ("pt-regs-return", "pt-regs-ret"),
    ("pt-regs-return-value", "pt-regs-ret"),
    ("pt-regs-retval", "pt-regs-ret"),
    ("regs-return-value", "pt-regs-ret"),
    ("pt-regs-pc", "pt-regs-ip"),
    ("pt-regs-stack", "pt-regs-sp"),
    ("regs-get-kernel-argument", "pt-regs-parm1"),
];

/// What bpftrace calls values that programs read by a call.
const OF_BPFTRACE: &[(&str, &str)] = &[
    ("comm", "the command's name is written into memory: (get-current-comm pointer 16)"),
    ("pid", "(>> (get-current-pid-tgid) 32) is the process's id"),
    ("tid", "(cast u32 (get-current-pid-tgid)) is the thread's id"),
    ("uid", "(cast u32 (get-current-uid-gid)) is the user's id"),
    ("gid", "(>> (get-current-uid-gid) 32) is the group's id"),
    ("nsecs", "(ktime-get-ns) is the time"),
    ("cpu", "(get-smp-processor-id) is the CPU's number"),
    ("curtask", "(get-current-task-btf) is the task"),
    ("cgroup", "(get-current-cgroup-id) is the cgroup's id"),
    ("retval", "(retval) is the function's result"),
    ("arg0", "(arg NAME) is an argument, or (pt-regs-parm1)"),
    ("arg1", "(arg NAME) is an argument, or (pt-regs-parm2)"),
];

/// A number of C's as it is written here, if the name is one: `0x1f`, `0b11`, `017`.
fn number_of_c(name: &str) -> Option<String> {
    let (radix, mark, digits) = match name.get(..2)? {
        "0x" | "0X" => (16, 'x', &name[2..]),
        "0b" | "0B" => (2, 'b', &name[2..]),
        _ => return None,
    };
    let digits = digits.trim_end_matches(['u', 'U', 'l', 'L']);
    u64::from_str_radix(digits, radix).ok()?;
    Some(format!("#{mark}{digits}"))
}

/// What other languages call true and false.
const TRUTHS: &[(&str, &str)] =
    &[("true", "`t`, which is 1"), ("false", "`nil`, which is 0"), ("none", "`nil`"), ("nullptr", "`nil`")];

/// Operators of Common Lisp that programs in the kernel have not, and what they have instead.
const AT_RUN_TIME: &[(&[&str], &str)] = &[
    (
        &[
            "list",
            "list*",
            "cons",
            "car",
            "cdr",
            "cadr",
            "cddr",
            "first",
            "second",
            "third",
            "fourth",
            "rest",
            "nth",
            "nthcdr",
            "append",
            "nconc",
            "push",
            "pop",
            "pushnew",
            "reverse",
            "nreverse",
            "last",
            "member",
            "assoc",
            "getf",
            "mapcar",
            "mapc",
            "mapcan",
            "maplist",
            "map",
            "reduce",
            "sort",
            "remove",
            "remove-if",
            "find",
            "find-if",
            "position",
            "count-if",
            "some",
            "every",
        ],
        "programs have no lists at run time: a struct (make-S …) holds what belongs together, a map what is kept",
    ),
    (
        &["vector", "make-array", "make-list", "make-hash-table", "svref", "vector-push", "array-dimension"],
        "nothing is allocated at run time: (let ((v (array u32 8))) …) is an array on the stack, read by (aref v i); \
         what is larger or is kept goes into a map",
    ),
    (
        &["string=", "string/=", "string-equal", "string<", "string>", "equal", "equalp"],
        "text is bytes in a program: (memcmp a b n) is 0 when n bytes are equal, and n is a constant",
    ),
    (
        &[
            "concatenate",
            "subseq",
            "string-upcase",
            "string-downcase",
            "string",
            "princ-to-string",
            "prin1",
            "princ",
            "write-line",
            "write-string",
            "write-to-string",
            "parse-integer",
            "search",
            "string-trim",
            "char",
            "schar",
        ],
        "no text is made at run time: (emit \"pid=%d\" pid) sends the values, and user space makes the text",
    ),
    (
        &["flet", "labels", "defun"],
        "a function of programs is declared at the top level: (defsubprog name ((x u64)) u64 form…); a macro does, too",
    ),
    (&["do", "do*"], "loops are (dotimes (i n) …), (while test :max 100 …) and (loop :max 100 …), left by (return …)"),
    (
        &["dolist", "do-symbols", "loop-finish"],
        "there are no lists to walk: (dotimes (i n) (aref table i)) walks a table, (do-map (k v map) …) a map",
    ),
    (&["funcall", "apply"], "functions are no values at run time: call a `defsubprog` by its name"),
    (
        &[
            "handler-case",
            "handler-bind",
            "unwind-protect",
            "ignore-errors",
            "error",
            "warn",
            "signal",
            "assert",
            "catch",
            "throw",
        ],
        "nothing is signalled at run time: what fails yields a negative number or null, which is tested",
    ),
    (
        &["values", "multiple-value-bind", "multiple-value-list", "destructuring-bind"],
        "a form yields one value: a pointer to a struct passes several",
    ),
];

impl Checker<'_> {
    /// Reports a variable or constant that isn't there.
    pub(super) fn unknown_variable(&mut self, s: Symbol, form: &Form) -> Val {
        let near = {
            let locals = self.f.scope.iter().map(|b| b.name.name());
            let consts = self.env.constants.keys().map(|k| k.name());
            let globals = self.env.globals.names().map(Symbol::name);
            let maps = self.env.maps.names().map(Symbol::name);
            let kernel = whistler_isa::constants::CONSTANTS.iter().map(|(n, _)| *n);
            let capital = s.name().bytes().any(|b| b.is_ascii_uppercase());
            let kernel = kernel.chain(whistler_isa::uapi::names().filter(move |_| capital));
            let own = locals.chain(consts).chain(globals).chain(maps);
            // Names of the kernel's are written in capitals; a word of one is no misspelt variable.
            let like_it = |n: &&str| capital || n.len().abs_diff(s.name().len()) <= 2;
            nearest(s.name(), own)
                .or_else(|| nearest(s.name(), kernel.filter(like_it)))
                .map(|n| spelled_like(s.name(), n))
        };
        let mut d = diag::error(&diag::UNKNOWN_NAME, &at(form), format!("there is no variable or constant `{s}`"))
            .about(s.name())
            .label("not found");
        // What the user has named is likelier meant than a macro of the library that happens to have the name.
        let of_library = near.is_some() && crate::library::names().any(|n| n == s.name());
        if self.f.siblings.iter().any(|n| n.same_folded(s)) {
            d = d.help(format!("`{s}` is bound by this same `let`, whose values don't see it; write `let*`"));
        } else if let Some(help) = forms::ctx::field_by_other_name(self, s.name(), forms::ctx::Spelling::Near) {
            d = d.help(help);
        } else if let Some(number) = number_of_c(s.name()) {
            d = d.help(format!("the number is written {number}"));
        } else if let Some((_, ours)) = OF_BPFTRACE.iter().find(|(theirs, _)| *theirs == s.name()) {
            d = d.help(*ours);
        } else if let Some((_, ours)) = TRUTHS.iter().find(|(theirs, _)| *theirs == s.name().to_ascii_lowercase()) {
            d = d.help(format!("here it is {ours}"));
        } else if self.around.iter().any(|a| a.same_folded(s)) {
            d = d.note("the function runs later, when the variables around it are gone");
            d = d.help("keep what it needs in the map's value, or in a global");
        } else if !of_library && self.operator_exists(s) {
            d = match s.name().bytes().any(|b| b.is_ascii_alphabetic()) {
                true => d.help(format!("`{s}` is an operator: call it as ({s} …)")),
                false => d.help(format!("an operator comes first in its parentheses: ({s} a b)")),
            };
        } else if let Some(near) = near {
            d = d.help(format!("did you mean `{near}`?"));
        } else if crate::types::named(self.env, s).is_some() {
            d = d.help(match crate::types::scalar(s) {
                Some(_) => format!("`{s}` is a type: a variable of it is written (x {s} 0), a cast (cast {s} …)"),
                None => format!("`{s}` is a type; a value comes from a variable, (make-{s}) or (as-{s} …)"),
            });
        }
        let made = form.origin.as_ref().map(|o| o.macro_name);
        if let Some(name) = made.filter(|m| crate::host::user_macro(self.host, *m).is_some_and(|m| !m.library)) {
            d = d.help(format!("if it is a parameter of `{name}`: write ,{s} in its template"));
        }
        self.fail(d)
    }

    /// Reports an operator that isn't there.
    pub(super) fn unknown_operator(&mut self, call: &Call<'_>) -> Val {
        let name = call.name;
        if crate::session::is_declaration_name(name) {
            return self.fail(
                diag::error(
                    &diag::NOT_HERE,
                    &call.at(),
                    format!("`{name}` declares something; it can't stand in a program"),
                )
                .help("move it to the top level"),
            );
        }
        let head_at = At {
            span: call.form.as_list().and_then(|l| l.first()).map_or(call.form.span, |h| h.span),
            origin: call.form.origin.clone(),
        };
        let mut d = diag::error(&diag::UNKNOWN_NAME, &head_at, format!("there is no operator `{name}` in programs"))
            .about(name.name())
            .label("not found");
        d = match self.entry_meant(call).or_else(|| self.quoted(call)).or_else(|| self.made_of_kernel(call)) {
            Some(help) => d.help(help),
            None => self.operator_mend(d, name),
        };
        // With its operator unknown, it isn't known either which of its parts are expressions: lists that can't be
        // calls show that they are not.
        if call.args.iter().all(|a| self.may_be_expression(a)) {
            for a in call.args {
                if matches!(a.kind, FormKind::List(_)) {
                    self.value(a);
                }
            }
        }
        self.fail(d)
    }

    /// What other Lisps and libraries call an entry of a map, as it is written here.
    fn entry_meant(&self, call: &Call<'_>) -> Option<String> {
        let [a, b] = call.args else { return None };
        let is_map = |f: &Form| f.as_symbol().is_some_and(|s| self.env.maps.get(s).is_some());
        let (map, key) = match crate::names::norm_str(call.name.name()).as_str() {
            "gethash" if is_map(b) => (b, a),
            "gethash" | "map-ref" | "map-get" | "lookup" | "aref-map" if is_map(a) => (a, b),
            _ => return None,
        };
        Some(format!("an entry is (getmap {map} {key}), and is set as (setf (getmap {map} {key}) value)"))
    }

    /// What is meant by a quoted symbol.
    fn quoted(&mut self, call: &Call<'_>) -> Option<String> {
        let name = call.args.first()?.as_symbol().filter(|_| call.name.is("quote"))?;
        let protocol = format!("IPPROTO_{}", name.name().to_ascii_uppercase());
        if whistler_isa::constants::by_name(&protocol).is_some() {
            return Some(format!("symbols are no values at run time; the protocol's number is {protocol}"));
        }
        Some(
            "symbols are no values at run time: a constant is named without a quote, a member of an enum by a keyword"
                .into(),
        )
    }

    /// How an object is declared that is laid out as one of the kernel's.
    fn made_of_kernel(&self, call: &Call<'_>) -> Option<String> {
        let name = crate::names::norm_str(call.name.name());
        let name = name.strip_prefix("make-")?;
        if name == "bpf-sock-tuple" {
            return Some(
                "declare one of your own, its fields in network order: \
                 (defstruct tuple4 (saddr u32) (daddr u32) (sport u16) (dport u16))"
                    .into(),
            );
        }
        crate::kernel::find(self.types.btf()?, name)?;
        Some(format!(
            "a struct of the kernel's is not made; declare one of your own that has its fields: (defstruct own-{name} (f u32) …)"
        ))
    }

    fn operator_mend(&mut self, d: Diagnostic, name: Symbol) -> Diagnostic {
        let written = crate::names::norm_str(name.name());
        let bare = written.strip_prefix("bpf-").filter(|b| whistler_isa::helpers::by_name(b).is_some());
        if let Some(bare) = bare {
            let shown = spelled_like(name.name(), bare);
            return d.help(format!("helpers are named without `bpf_`: ({shown} …)"));
        }
        if let Some((_, ours)) = ELSEWHERE.iter().find(|(theirs, _)| *theirs == written) {
            return d.help(format!("here it is `{ours}`"));
        }
        if let Some((_, instead)) = AT_RUN_TIME.iter().find(|(theirs, _)| theirs.contains(&&*written)) {
            return d.note(format!("`{name}` is of the host Lisp")).help(*instead);
        }
        // What is nearly a form's name is that form.
        let form = nearest(name.name(), forms::names()).is_some();
        let how = if form { forms::ctx::Spelling::Exact } else { forms::ctx::Spelling::Near };
        if let Some(help) = forms::ctx::field_by_other_name(self, name.name(), how) {
            return d.help(help);
        }
        if self.binding(name).is_some() || self.env.globals.get(name).is_some() {
            return d.help(format!("`{name}` is a variable; without parentheses it is its value"));
        }
        if self.env.maps.get(name).is_some() {
            return d.help(format!(
                "`{name}` is a map: (getmap {name} key) reads it, (map-lookup {name} key) finds an entry"
            ));
        }
        if crate::host::is_function(self.host, name) {
            let text = "this is a function of the host; a program can call subprograms (`defsubprog`) and macros";
            return d.help(text);
        }
        let near = {
            let own = forms::names();
            let accessors = self.env.accessors.keys().map(|k| k.name());
            let subs = self.env.subprograms.names().map(Symbol::name);
            let helpers = whistler_isa::HELPERS.iter().map(|h| h.name);
            let library = crate::library::names();
            let kfuncs = whistler_isa::KFUNCS.iter().map(|k| k.name.strip_prefix("bpf_").unwrap_or(k.name));
            nearest(name.name(), own.chain(accessors).chain(subs).chain(helpers).chain(kfuncs).chain(library))
                .map(|n| spelled_like(name.name(), n))
        };
        let near = near.or_else(|| crate::host::nearest_macro(self.host, name.name()));
        if let Some(near) = near {
            d.help(format!("did you mean `{near}`?"))
        } else {
            d.help("what a program calls is a kernel form, a helper, an accessor, a `defsubprog` or a macro")
        }
    }

    /// Whether a form can be an expression: it is no list, or one whose operator exists.
    fn may_be_expression(&mut self, form: &Form) -> bool {
        match &form.kind {
            FormKind::List(items) => match items.first() {
                None => true,
                Some(head) => head
                    .as_symbol()
                    .is_some_and(|s| self.binding(s).is_none() && !matches!(self.head(s), Head::Unknown)),
            },
            _ => true,
        }
    }
}
