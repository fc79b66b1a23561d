//! `whistler btf` and `describe` on the running kernel's types.

mod support;

use support::{Scratch, run, whistler};

/// Whether this kernel has BTF; printed when not.
fn has_btf() -> bool {
    let there = std::path::Path::new("/sys/kernel/btf/vmlinux").exists();
    assert!(there || std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "needs the kernel's BTF");
    if !there {
        eprintln!("skipped: this kernel has no BTF");
    }
    there
}

#[test]
fn find_lists_the_exact_name_first() {
    if !has_btf() {
        return;
    }
    let ran = run(&mut whistler(["btf", "find", "task_struct"])).ok();
    let first = ran.out.lines().next().unwrap_or_default();
    assert!(first.starts_with("struct   task_struct  ") && first.ends_with(" bytes"), "{first}");
    assert!(ran.out.lines().count() > 1, "{}", ran.out);
    let none = run(&mut whistler(["btf", "find", "no_such_type_anywhere"])).exits(1);
    assert!(none.err.contains("no type's name contains `no_such_type_anywhere`"), "{}", none.err);
}

#[test]
fn dump_as_c_and_as_lisp() {
    if !has_btf() {
        return;
    }
    let c = run(&mut whistler(["btf", "dump", "list_head"])).ok();
    assert_eq!(c.out, "struct list_head {\n\tstruct list_head *next;\n\tstruct list_head *prev;\n};\n");
    let header = run(&mut whistler(["btf", "dump", "--header", "hlist_head"])).ok();
    let both = "struct hlist_node;\nstruct hlist_head {\n\tstruct hlist_node *first;\n};\n\n\n";
    assert_eq!(header.out, both);
    let lisp = run(&mut whistler(["btf", "dump", "--lisp", "struct list-head"])).ok();
    assert_eq!(lisp.out, "(defstruct list_head\n  (next (ptr list_head))  ; +0\n  (prev (ptr list_head))  ; +8\n)\n");
    let none = run(&mut whistler(["btf", "dump", "list_heads"])).exits(1);
    assert!(none.err.contains("whistler btf find list_heads"), "{}", none.err);
    let module = run(&mut whistler(["btf", "dump", "list_head", "--module", "no_such_module"])).exits(1);
    assert!(module.err.contains("no BTF of a module `no_such_module`"), "{}", module.err);
}

/// The largest struct there is, which anonymous members nest in, can be read back as data.
#[test]
fn what_is_dumped_as_lisp_is_lisp() {
    if !has_btf() {
        return;
    }
    let ran = run(&mut whistler(["btf", "dump", "--lisp", "task_struct"])).ok();
    let form = format!("(length '({}))", ran.out);
    let forms = run(&mut whistler(["-e", &form])).ok();
    assert!(forms.out.trim().parse::<u32>().is_ok_and(|n| n > 30), "{}", forms.out);
    let scratch = Scratch::new();
    let program = "(defprog p (:type :xdp) (if (= (sizeof task_struct) (offsetof task_struct pid)) 1 2))";
    let file = scratch.file("task.lisp", &format!("{}\n{program}\n", ran.out));
    run(whistler(["check"]).arg(file)).ok();
}

#[test]
fn describe_shows_a_type_of_the_kernel() {
    if !has_btf() {
        return;
    }
    let ran = run(&mut whistler(["--vm", "-e", "(describe 'list_head)"])).ok();
    assert!(ran.out.starts_with("list_head · the kernel's struct, 16 bytes\n  (defstruct list_head\n"), "{}", ran.out);
}

/// `--btf` takes what has BTF in it: an object that we compiled, and the kernel's own types in an ELF file.
#[test]
fn types_from_elf_files() {
    let scratch = Scratch::new();
    let source = scratch.file(
        "own.lisp",
        "(defstruct point (x i32) (y i16))
         (defmap points :type :hash :key u32 :value point :max-entries 4)
         (defprog p (:type :xdp) (if-let (v (map-lookup points 1)) (point-x v) 0))",
    );
    let object = scratch.path().join("own.bpf.o");
    run(whistler(["compile"]).arg(&source).arg("-o").arg(&object)).ok();
    let found = run(whistler(["btf", "find", "point", "--btf"]).arg(&object)).ok();
    assert!(found.out.starts_with("struct   point  8 bytes\n"), "{}", found.out);
    let dumped = run(whistler(["btf", "dump", "point", "--lisp", "--btf"]).arg(&object)).ok();
    assert_eq!(dumped.out, "(defstruct point\n  (x i32)  ; +0\n  (y i16)  ; +4\n)\n");
    // Compiled for a kernel whose types are in such a file, too.
    let asks = scratch.file(
        "asks.lisp",
        "(import-kernel-struct point y)
         (defprog p (:type :kprobe :section \"kprobe/x\" :license \"GPL\") (point-y (as-point (get-current-task))))",
    );
    let made = scratch.path().join("asks.bpf.o");
    run(whistler(["compile"]).arg(&asks).arg("-o").arg(&made).arg("--btf").arg(&object)).ok();
    let packed = scratch.path().join("driver.ko.xz");
    std::fs::write(&packed, b"\xfd7zXZ\0\0").expect("written");
    for (file, want) in [(&packed, "it is packed with xz: `unxz` makes"), (&source, "makes no sense")] {
        let refused = run(whistler(["btf", "dump", "point", "--btf"]).arg(file)).exits(1);
        assert!(refused.err.contains(want), "{}", refused.err);
        let refused = run(whistler(["compile"]).arg(&asks).arg("-o").arg(&made).arg("--btf").arg(file)).exits(1);
        assert!(refused.err.contains(want), "{}", refused.err);
    }
}

/// What we emit has no type twice: deduplicating it as linkers do takes nothing away. For every example, every program
/// of the benchmark and every case.
#[test]
fn objects_have_no_type_twice() {
    if !has_btf() {
        return;
    }
    let scratch = Scratch::new();
    let root = support::root();
    let mut sources = Vec::new();
    for dir in ["examples", "bench/programs", "crates/cli/tests/cases"] {
        let entries = std::fs::read_dir(root.join(dir)).expect("it is there");
        sources.extend(entries.map(|e| e.expect("read").path()).filter(|p| p.extension().is_some_and(|e| e == "lisp")));
    }
    sources.sort();
    let object = scratch.path().join("it.bpf.o");
    let (mut looked, mut types, mut left) = (0, 0, Vec::new());
    for source in sources {
        let text = std::fs::read_to_string(&source).expect("read");
        let target = text.lines().find_map(|l| l.strip_prefix(";;; target: ")).unwrap_or("6.1").trim().to_string();
        let ran = run(whistler(["compile", "--target", &target]).arg(&source).arg("-o").arg(&object));
        if !ran.status.success() {
            // What only runs, or has no program, has no object.
            continue;
        }
        let kernel = whistler_kernel::Kernel::saved(&object, None);
        let Some(btf) = kernel.shared_btf() else { continue };
        let mut all = whistler_btf::BtfBuilder::new();
        all.append(&btf).expect("sound");
        let (once, _) = all.dedup().expect("sound");
        looked += 1;
        types += all.type_count();
        if once.type_count() != all.type_count() {
            let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
            left.push(format!("{name}: {} of {}", all.type_count() - once.type_count(), all.type_count()));
        }
    }
    eprintln!("{looked} objects, {types} types");
    assert!(looked > 100, "{looked}");
    assert!(left.is_empty(), "types that are there twice: {left:#?}");
}
