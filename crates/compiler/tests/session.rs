//! Declaring, redefining, reloading; who depends on what.

mod common;

use std::rc::Rc;
use std::sync::Arc;

use whistler_btf::{Btf, TracepointFormat, TypeSource, TypeSourceError};
use whistler_codegen::OptLevel;
use whistler_compiler::{Mode, Session};
use whistler_diag::SourceMap;
use whistler_isa::Target;
use whistler_lisp::{Interp, NoIo, Symbol};

const FILE: &str = "
(defconstant +limit+ 5)
(defmacro plus-limit (x) `(+ ,x +limit+))
(defstruct s (a u32))
(defmap m :type :hash :key u32 :value s :max-entries 8)
(defmap other :type :array :key u32 :value u64 :max-entries 1)
(defsubprog look ((k u32)) u64 (if-let (v (map-lookup m k)) (plus-limit (s-a v)) 0))
(defprog p (:type :xdp) (look 1))
(defprog q (:type :tc) (look 2))
(defprog r (:type :xdp) (incf (getmap other 0)) 2)
";

fn session() -> (SourceMap, Interp, Session) {
    let session = Session::new(Target::default(), Rc::new(common::SmallKernel::new()));
    (SourceMap::new(), Interp::new(Box::new(NoIo)), session)
}

fn dependants(s: &Session, name: &str) -> Vec<&'static str> {
    let mut names: Vec<_> = s.dependants(Symbol::intern(name)).into_iter().map(Symbol::name).collect();
    names.sort_unstable();
    names
}

#[test]
fn dependants_are_found_through_subprograms_and_macros() {
    let (mut sources, mut interp, mut s) = session();
    let file = sources.add("a.lisp", FILE);
    let (compiled, diags) = s.compile_source(&mut interp, &sources, file, OptLevel::Full);
    assert!(compiled.is_some() && diags.is_empty(), "{diags:?}");
    for name in ["m", "s", "plus-limit", "+limit+"] {
        assert_eq!(dependants(&s, name), ["look", "p", "q"], "{name}");
    }
    assert_eq!(dependants(&s, "look"), ["p", "q"]);
    assert_eq!(dependants(&s, "other"), ["r"]);
}

#[test]
fn a_file_loaded_again_redefines() {
    let (mut sources, mut interp, mut s) = session();
    for _ in 0..2 {
        let file = sources.add("a.lisp", FILE);
        let (compiled, diags) = s.compile_source(&mut interp, &sources, file, OptLevel::Full);
        assert!(diags.is_empty(), "{diags:?}");
        let object = compiled.expect("no errors").object;
        assert_eq!((object.programs.len(), object.maps.len()), (3, 2));
    }
}

#[test]
fn the_prompt_redefines_and_says_what_it_took() {
    let (mut sources, mut interp, mut s) = session();
    let mut declare = |text: &str| {
        let file = sources.add("<prompt>", text);
        let (forms, _) = whistler_lisp::read(&sources, file);
        let (declared, diags) = s.declare(&mut interp, &forms[0], Mode::Prompt);
        assert!(diags.is_empty(), "{diags:?}");
        declared.expect("declared").summary
    };
    assert_eq!(declare("(defstruct ev (pid u32) (uid u32) (comm (array char 16)))"), "ev · 24 bytes, align 4");
    assert_eq!(declare("(defstruct ev (pid u64))"), "ev · 8 bytes, align 8");
    assert_eq!(
        declare("(deftracepoint sched/sched-process-exec)"),
        "tp-filename (data-loc string) · tp-pid i32 · tp-old-pid i32"
    );
    declare("(defprog p (:type :xdp) 1)");
    declare("(defprog p (:type :xdp) 2)");
    let (unit, _) = s.check(&mut interp, Some(&[Symbol::intern("p")]));
    assert_eq!(unit.functions.len(), 1);
}

/// Types that nobody may ask for.
struct Untouched;

impl TypeSource for Untouched {
    fn btf(&self) -> Option<&Btf> {
        panic!("the kernel's types were asked for");
    }

    fn btf_problem(&self) -> Option<String> {
        panic!("the kernel's types were asked for");
    }

    fn tracepoint(&self, category: &str, event: &str) -> Result<Arc<TracepointFormat>, TypeSourceError> {
        panic!("{category}/{event} was asked for");
    }

    fn kernel_version(&self) -> Option<(u16, u16)> {
        None
    }
}

#[test]
fn programs_without_kernel_types_do_not_touch_them() {
    // To open the kernel's BTF takes as long as a tenth of compiling such a program.
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for name in ["syn-limit.lisp", "port-block.lisp"] {
        let path = examples.join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (mut sources, mut interp) = (SourceMap::new(), Interp::new(Box::new(NoIo)));
        let mut s = Session::new(Target::default(), Rc::new(Untouched));
        let file = sources.add(name, &*text);
        let (compiled, diags) = s.compile_source(&mut interp, &sources, file, OptLevel::Full);
        assert!(compiled.is_some(), "{diags:?}");
    }
}
