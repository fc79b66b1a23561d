//! Bindings, each through its language's own compiler, for the structs of every example and of
//! `bindings/torture.lisp`. For the latter, `bindings/use.*` write the same values in each language: the bytes must be
//! those that the host Lisp's own records have.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use support::{Scratch, have, run, whistler};

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let mut files: Vec<PathBuf> = std::fs::read_dir(support::root().join("examples"))
        .expect("the examples are there")
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "lisp"))
        .collect();
    files.push(here().join("torture.lisp"));
    files.sort();
    let mut trials = Vec::new();
    for (language, tool, compile) in LANGUAGES {
        let required = std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_some_and(|v| v == "1");
        let skip = !have(tool) && !required;
        if skip {
            eprintln!("skipped: `{tool}` is not installed");
        }
        for file in files.clone() {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let trial = Trial::test(format!("{name} in {language}"), move || {
                let made = Made::new(&file, language)?;
                compile(&made)
            });
            trials.push(trial.with_ignored_flag(skip));
        }
    }
    trials.push(Trial::test("the same bytes in every language", same_bytes));
    trials.push(Trial::test("fields of enums", fields_of_enums));
    libtest_mimic::run(&args, trials).exit_code()
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bindings")
}

/// Bindings in a directory of their own.
struct Made {
    scratch: Scratch,
    unit: String,
}

type Compile = fn(&Made) -> Result<(), Failed>;

const LANGUAGES: [(&str, &str, Compile); 5] = [
    ("c", "gcc", |made| {
        let header = format!("{}_bpf.h", made.unit);
        made.scratch
            .file("a.c", &format!("#include \"{header}\"\n#include \"{header}\"\nint main(void) {{ return 0; }}\n"));
        for compiler in ["gcc", "clang", "g++"].into_iter().filter(|c| *c == "gcc" || have(c)) {
            let mut flags = vec!["-Wall", "-Wextra", "-Werror", "-pedantic-errors", "-fsyntax-only"];
            flags.push(if compiler == "g++" { "-std=c++17" } else { "-std=c11" });
            let language: &[&str] = if compiler == "g++" { &["-x", "c++"] } else { &[] };
            made.tool(compiler, &[&flags, language, &["a.c"]].concat())?;
        }
        Ok(())
    }),
    ("go", "go", |made| {
        made.scratch.file("go.mod", "module bindings\n\ngo 1.19\n");
        // What is written is as gofmt would write it.
        made.tool("sh", &["-c", "test -z \"$(gofmt -l *.go)\" || { gofmt -d *.go; exit 1; }"])?;
        made.tool("go", &["vet", "./..."])?;
        made.tool("go", &["build", "./..."])
    }),
    ("rust", "rustc", |made| {
        let file = format!("{}_bpf.rs", made.unit);
        let flags = ["--edition", "2021", "--crate-type", "lib", "--emit", "metadata", "-D", "warnings"];
        made.tool("rustc", &[&flags[..], &["--crate-name", "bindings", &file]].concat())
    }),
    ("python", "python3", |made| {
        let module = format!("{}_bpf", made.unit.replace('-', "_"));
        std::fs::rename(made.path(&format!("{}_bpf.py", made.unit)), made.path(&format!("{module}.py")))?;
        made.tool("python3", &["-W", "error", "-c", &format!("import {module}")])
    }),
    ("lisp", "sh", |made| {
        let file = format!("{}_bpf.lisp", made.unit);
        for args in [&["check", &file][..], &["run", "--vm", &file]] {
            let ran = run(whistler(args).current_dir(made.scratch.path()));
            if !ran.status.success() || !ran.err.is_empty() {
                return Err(format!("{args:?}: {}", ran.all()).into());
            }
        }
        Ok(())
    }),
];

impl Made {
    fn new(file: &Path, language: &str) -> Result<Made, Failed> {
        let unit = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let made = Made { scratch: Scratch::new(), unit };
        let object = made.path(&format!("{}.bpf.o", made.unit));
        let mut command = whistler(["compile"]);
        command.arg(file).arg("-o").arg(object).args(["--gen", language]);
        let ran = run(&mut command);
        if ran.status.success() { Ok(made) } else { Err(ran.all().into()) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn tool(&self, program: &str, args: &[&str]) -> Result<(), Failed> {
        self.output(program, args).map(|_| ())
    }

    fn output(&self, program: &str, args: &[&str]) -> Result<String, Failed> {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.scratch.path()).env("PATH", support::path());
        command.env("GOFLAGS", "-mod=mod").env("GOPROXY", "off").env("GOCACHE", self.path("cache"));
        let ran = run(&mut command);
        if !ran.status.success() {
            return Err(format!("{program} {args:?}: {}\n{}", ran.status, ran.all()).into());
        }
        Ok(ran.out)
    }
}

/// A field whose type is an enum has that type in each language that has such fields (Python's ctypes has none); that its
/// size is right, the compilers see above.
fn fields_of_enums() -> Result<(), Failed> {
    let made = Made::new(&here().join("torture.lisp"), "all")?;
    let wanted = [
        (
            "torture_bpf.h",
            &["\tenum verdict what;", "\tenum verdict all[3];", "sizeof(enum level) == 4", "typedef enum level"][..],
        ),
        (
            "torture_bpf.rs",
            &["pub what: Verdict,", "pub all: [Verdict; 3],", "size_of::<Level>() == 4", "JudgementsKey = Level;"],
        ),
        ("torture_bpf.go", &["What Verdict", "All  [3]Verdict", "unsafe.Sizeof(Level(0))-4", "JudgementsKey = Level"]),
        (
            "torture_bpf.lisp",
            &["(what verdict)", "(all (array verdict 3))", "(assert (= (sizeof level) 4))", ":key level"],
        ),
    ];
    for (file, lines) in wanted {
        let text = std::fs::read_to_string(made.path(file)).map_err(|e| format!("{file}: {e}"))?;
        if let Some(line) = lines.iter().find(|l| !text.contains(**l)) {
            return Err(format!("no `{line}` in {file}:\n{text}").into());
        }
    }
    Ok(())
}

fn same_bytes() -> Result<(), Failed> {
    let made = Made::new(&here().join("torture.lisp"), "all")?;
    for name in ["torture.lisp", "use.lisp", "use.c", "use.rs", "use.py"] {
        std::fs::copy(here().join(name), made.path(name))?;
    }
    let lisp = run(whistler(["run", "--vm", "use.lisp"]).current_dir(made.scratch.path()));
    if !lisp.status.success() || lisp.out.lines().count() != 5 {
        return Err(lisp.all().into());
    }
    let mut others = Vec::new();
    made.tool("gcc", &["-Wall", "-Werror", "-o", "use-c", "use.c"])?;
    others.push(("C", made.output("./use-c", &[])?));
    made.tool("rustc", &["--edition", "2021", "-o", "use-rust", "use.rs"])?;
    others.push(("Rust", made.output("./use-rust", &[])?));
    others.push(("Python", made.output("python3", &["use.py"])?));
    if have("go") {
        std::fs::create_dir(made.path("torture"))?;
        std::fs::rename(made.path("torture_bpf.go"), made.path("torture/torture.go"))?;
        std::fs::copy(here().join("use.go"), made.path("use.go"))?;
        std::fs::write(made.path("go.mod"), "module use\n\ngo 1.19\n")?;
        others.push(("Go", made.output("go", &["run", "use.go"])?));
    }
    for (language, out) in others {
        if out != lisp.out {
            return Err(format!("{language} wrote\n{out}and Lisp\n{}", lisp.out).into());
        }
    }
    Ok(())
}
