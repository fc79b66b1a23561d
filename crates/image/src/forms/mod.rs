//! The host forms for eBPF, by what they are about. Each file installs its own.

mod attach;
mod compile;
mod context;
mod describe;
mod globals;
mod iterator;
mod kernel_object;
pub(crate) mod leftovers;
pub(crate) mod loader;
mod look;
mod maps;
mod rings;
mod slots;
mod stacks;
pub(crate) mod struct_ops;
mod test_run;

pub(crate) use slots::{Slot, fill};
pub(crate) use test_run::{no_test_run, with_link};

use std::rc::Rc;

use whistler_lisp::{Interp, LispResult, Value};

use crate::live::Shared;

/// Installs everything.
pub(crate) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    for name in whistler_compiler::session::DECLARATIONS {
        let shared = shared.clone();
        interp.define_special(name, Rc::new(move |interp, form| shared.define(interp, form)));
    }
    attach::install(interp, shared);
    compile::install(interp, shared);
    context::install(interp, shared);
    describe::install(interp, shared);
    globals::install(interp, shared);
    iterator::install(interp, shared);
    kernel_object::install(interp, shared);
    leftovers::install(interp, shared);
    loader::install(interp, shared);
    look::install(interp, shared);
    maps::install(interp, shared);
    rings::install(interp, shared);
    stacks::install(interp, shared);
    test_run::install(interp, shared);
    crate::tests::install(interp, shared);
    if shared.options.purpose == crate::image::Purpose::Tests {
        crate::tests::pass_over(interp);
    }
}

/// Defines one host function that sees the live state.
fn define(
    interp: &mut Interp,
    shared: &Rc<Shared>,
    name: &'static str,
    lambda: &'static str,
    doc: &'static str,
    f: fn(&Shared, &mut Interp, &[Value]) -> LispResult,
) {
    let shared = shared.clone();
    interp.define_native(name, lambda, doc, Rc::new(move |interp, args| f(&shared, interp, args)));
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use whistler_compiler::Session;
    use whistler_compiler::session::{DECLARATIONS, LIVE_FORMS, LIVE_MACROS};
    use whistler_isa::Target;
    use whistler_kernel::Kernel;
    use whistler_lisp::{NoIo, Symbol};

    use super::*;
    use crate::image::{Mode, Options};
    use crate::live::Live;

    fn defined(interp: &mut Interp) -> BTreeSet<String> {
        let names = interp.all_names();
        let defined = names.into_iter().filter(|n| interp.is_defined(*n) || interp.function(*n).is_some());
        defined.map(|n| n.name().to_string()).filter(|n| !n.contains('%')).collect()
    }

    /// The book's chapter lists all of them. `UPDATE=1` writes it anew.
    fn in_the_book(interp: &mut Interp, lisp: &BTreeSet<String>) {
        const MARK: &str = "<!-- made from what an image defines -->\n";
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/host-forms.md");
        let text = std::fs::read_to_string(&page).expect("the chapter is there");
        let (before, found) = text.split_once(MARK).expect("the mark is there");
        let mut made = String::from("\n## For eBPF\n\n| form | |\n| --- | --- |\n");
        for name in defined(interp).iter().filter(|n| !lisp.contains(*n) && !DECLARATIONS.contains(&&***n)) {
            let doc = interp.documentation(Symbol::intern(name), whistler_lisp::DocKind::Function).unwrap_or_default();
            made.push_str(&format!("| `{name}` | {} |\n", doc.replace('|', "\\|").replace('\n', " ")));
        }
        made.push_str("\n## Of Common Lisp\n\n");
        let mut line = String::new();
        for name in lisp {
            let word = format!("`{name}`");
            if line.len() + word.len() > 118 {
                made.push_str(line.trim_end());
                made.push('\n');
                line.clear();
            }
            line.push_str(&word);
            line.push(' ');
        }
        made.push_str(line.trim_end());
        made.push('\n');
        if made == found {
            return;
        }
        assert!(
            std::env::var_os("UPDATE").is_some_and(|v| v == "1"),
            "docs/host-forms.md is old; UPDATE=1 makes it anew"
        );
        std::fs::write(&page, format!("{before}{MARK}{made}")).expect("the chapter can be written");
    }

    /// A compiler without an image passes over what only an image has: it must know all of that, and nothing else.
    #[test]
    fn the_compiler_knows_what_an_image_has() {
        let mut interp = Interp::new(Box::new(NoIo));
        let bare = defined(&mut interp);
        let kernel = Rc::new(Kernel::running());
        let options = Options {
            mode: Mode::Vm,
            purpose: Default::default(),
            kernel: kernel.clone(),
            target: None,
            sources: Default::default(),
            interrupt: Default::default(),
            exchangeable: false,
            follow_count: None,
            follow_time: None,
            recorded: None,
            refusal: Default::default(),
        };
        let session = RefCell::new(Session::new(Target::default(), kernel));
        let shared = Rc::new(Shared { session, live: RefCell::new(Live::default()), options });
        install(&mut interp, &shared);
        in_the_book(&mut interp, &bare);
        let plain = |name: &&str| !name.starts_with('(');
        let known: BTreeSet<&str> = LIVE_FORMS.iter().chain(LIVE_MACROS).copied().filter(plain).collect();
        let own: Vec<String> = defined(&mut interp)
            .into_iter()
            // Which the compiler does itself.
            .filter(|n| n != "compile-to-elf")
            .filter(|n| !bare.contains(n) && !DECLARATIONS.contains(&&**n) && plain(&&**n))
            .collect();
        let unknown: Vec<_> = own.iter().filter(|n| !known.contains(&***n)).collect();
        assert!(unknown.is_empty(), "to LIVE_FORMS: {unknown:?}");
        let gone: Vec<_> = known.iter().filter(|n| !interp.is_defined(Symbol::intern(n))).collect();
        assert!(gone.is_empty(), "no image has {gone:?}");
    }
}
