//! The house rules that no compiler checks. Invariant: the tables below say the
//! same as ARCHITECTURE.md; a crate that is in no table is a problem.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each crate may depend on, of our own: ARCHITECTURE's floors.
const ALLOWED: &[(&str, &[&str])] = &[
    ("diag", &[]),
    ("isa", &[]),
    ("btf", &[]),
    ("sys", &[]),
    ("lisp", &["diag"]),
    ("object", &["isa", "btf", "diag"]),
    ("codegen", &["isa", "diag"]),
    ("compiler", &["lisp", "codegen", "object", "isa", "btf", "diag"]),
    ("kernel", &["btf", "sys", "isa"]),
    ("verifier", &["object", "isa", "btf", "diag"]),
    ("vm", &["object", "isa", "btf", "diag"]),
    ("loader", &["object", "kernel", "sys", "isa", "btf", "diag"]),
    ("bindgen", &["object", "isa", "btf", "diag"]),
    ("ide", &["compiler", "lisp", "diag"]),
    ("whistler", &["loader", "macros", "object"]),
    ("macros", &["compiler", "bindgen", "kernel", "object", "lisp", "diag"]),
    // `sys` for the errors and handles that the loader passes on.
    ("image", &["lisp", "compiler", "codegen", "kernel", "loader", "vm", "object", "isa", "btf", "sys", "diag"]),
    (
        "cli",
        &[
            "image", "compiler", "codegen", "lisp", "kernel", "loader", "vm", "object", "isa", "btf", "sys", "diag",
            "verifier", "bindgen", "ide",
        ],
    ),
    // The net under the others: random programs through every layer.
    ("difftest", &["codegen", "compiler", "diag", "btf", "isa", "kernel", "lisp", "loader", "object", "sys", "vm"]),
];

/// Foreign crates that belong to one crate only.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("clap", &["cli"]),
    ("rustyline", &["cli"]),
    ("serde_json", &["cli"]),
    ("serde", &["cli"]),
    ("lsp-server", &["cli"]),
    ("gen-lsp-types", &["cli"]),
    ("regalloc2", &["codegen"]),
    ("annotate-snippets", &["diag"]),
    ("rustix", &["sys", "xtask"]),
    ("libc", &["sys"]),
];

/// The one crate that may hold `unsafe`.
const UNSAFE_IN: &str = "sys";

/// Files longer than this are noted: a room should be seen from its door.
const LONG_FILE: usize = 700;

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// Broken rules.
    pub problems: Vec<String>,
    /// What is allowed but worth a look.
    pub notes: Vec<String>,
}

/// Checks the workspace at `root`.
///
/// # Errors
/// When a file can't be read.
pub fn check(root: &Path) -> io::Result<Report> {
    let mut report = Report::default();
    for (name, dir) in crates(root)? {
        let manifest = fs::read_to_string(dir.join("Cargo.toml"))?;
        report.problems.extend(dependency_problems(&name, &manifest));
        for file in ["src/lib.rs", "src/main.rs"].map(|f| dir.join(f)).into_iter().filter(|f| f.exists()) {
            report.problems.extend(crate_root_problems(&name, &shown(root, &file), &fs::read_to_string(&file)?));
        }
    }
    for file in tracked(root)? {
        // Not every file is text.
        let Ok(text) = fs::read_to_string(root.join(&file)) else { continue };
        report.problems.extend(text_problems(&file, &text));
        let lines = text.lines().count();
        if file.ends_with(".rs") && lines > LONG_FILE {
            report.notes.push(format!("{file}: {lines} lines"));
        }
    }
    Ok(report)
}

fn shown(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

/// The crates of the workspace, by name, with their directories.
fn crates(root: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut out = BTreeMap::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let dir = entry?.path();
        // A directory that someone is just making is no crate yet.
        if dir.join("Cargo.toml").exists()
            && let Some(name) = dir.file_name()
        {
            out.insert(name.to_string_lossy().into_owned(), dir);
        }
    }
    out.insert("xtask".into(), root.join("xtask"));
    Ok(out)
}

/// The files git knows; without git, the source files that are there.
fn tracked(root: &Path) -> io::Result<Vec<String>> {
    let out = Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]).output();
    if let Ok(out) = out
        && out.status.success()
    {
        let names = String::from_utf8_lossy(&out.stdout).into_owned();
        // What was deleted but is not yet committed is no longer there.
        return Ok(names.split('\0').filter(|f| !f.is_empty() && root.join(f).exists()).map(str::to_string).collect());
    }
    let (mut files, mut dirs) = (Vec::new(), vec![root.join("crates"), root.join("xtask")]);
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                files.push(shown(root, &path));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Names of the `[dependencies]` of a manifest (what only tests and build scripts need is free).
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut inside = false;
    let mut out = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let table =
                section.rsplit_once("dependencies.").filter(|(before, _)| before.is_empty() || before.ends_with('.'));
            inside =
                section == "dependencies" || (section.starts_with("target.") && section.ends_with(".dependencies"));
            out.extend(table.map(|(_, name)| name));
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let end = line.find(['.', '=', ' ']).unwrap_or(line.len());
            out.push(&line[..end]);
        }
    }
    out
}

fn dependency_problems(name: &str, manifest: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let deps = dependencies(manifest);
    if name != "xtask" {
        match ALLOWED.iter().find(|(n, _)| *n == name) {
            None => problems.push(format!("crate `{name}` is not in ARCHITECTURE's table (xtask/src/tidy.rs)")),
            Some((_, allowed)) => {
                for dep in deps.iter().filter_map(|d| d.strip_prefix("whistler-")) {
                    if !allowed.contains(&dep) {
                        problems.push(format!("`{name}` must not depend on `{dep}`"));
                    }
                }
            }
        }
    }
    for dep in deps {
        if let Some((_, homes)) = ONLY_IN.iter().find(|(d, _)| *d == dep)
            && !homes.contains(&name)
        {
            problems.push(format!("`{name}` must not depend on `{dep}`, which belongs to {}", homes.join(", ")));
        }
    }
    problems
}

fn crate_root_problems(name: &str, file: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if name != UNSAFE_IN && !text.contains("#![forbid(unsafe_code)]") {
        problems.push(format!("{file}: lacks #![forbid(unsafe_code)]"));
    }
    if !text.starts_with("//!") {
        problems.push(format!("{file}: does not open with the crate's charter"));
    }
    problems
}

/// Words that say that something is not finished. Spelled in halves, or this file would hold them.
fn leftovers() -> [String; 4] {
    [["TO", "DO"], ["FIX", "ME"], ["to", "do!"], ["unimpl", "emented!"]].map(|h| h.concat())
}

/// Directories of one machine. In halves for the same reason.
fn machine_paths() -> [String; 4] {
    [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["/Us", "ers/"]].map(|h| h.concat())
}

fn text_problems(file: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let source = file.ends_with(".rs") || file.ends_with(".lisp") || file.ends_with(".toml");
    for (i, line) in text.lines().enumerate() {
        if source {
            for word in leftovers().iter().filter(|w| has_word(line, w)) {
                problems.push(format!("{file}:{}: {word}", i + 1));
            }
        }
        // What a lock file, a licence or a recorded input says is not ours to say.
        let ours = source || file.ends_with(".md") || file.ends_with(".sh");
        for path in machine_paths().iter().filter(|p| ours && has_path(line, p)) {
            problems.push(format!("{file}:{}: the path {path} is one machine's own", i + 1));
        }
    }
    problems
}

/// Whether `word` stands in the line and is no part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joins(before) && (word.ends_with('!') || !joins(after))
    })
}

/// Whether an absolute path starts with `prefix` here (`target/work/` does not).
fn has_path(line: &str, prefix: &str) -> bool {
    line.match_indices(prefix).any(|(at, _)| {
        !line[..at]
            .chars()
            .next_back()
            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '}' | ')' | '~'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let report = check(&crate::root()).unwrap();
        assert!(report.problems.is_empty(), "\n{}", report.problems.join("\n"));
    }

    #[test]
    fn a_forbidden_dependency_is_found() {
        let manifest =
            "[dependencies]\nwhistler-isa.workspace = true\n[dev-dependencies]\nwhistler-vm.workspace = true\n";
        assert_eq!(dependency_problems("lisp", manifest), ["`lisp` must not depend on `isa`"]);
        let manifest =
            "[dependencies]\nwhistler-lisp = { path = \"../lisp\" }\n\n[dependencies.clap]\nversion = \"4\"\n";
        assert_eq!(dependency_problems("codegen", manifest).len(), 2);
        for reader in ["loader", "vm", "verifier"] {
            assert!(!dependency_problems(reader, "[dependencies]\nwhistler-compiler.workspace = true\n").is_empty());
        }
        assert!(!dependency_problems("macros", "[dependencies]\nwhistler-loader.workspace = true\n").is_empty());
        assert!(!dependency_problems("stranger", "").is_empty());
        assert!(dependency_problems("compiler", "[dependencies]\nwhistler-lisp.workspace = true\n").is_empty());
        let target = "[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n[target.'cfg(unix)'.dependencies.rustix]\nversion = \"1\"\n";
        assert_eq!(dependency_problems("vm", target).len(), 2);
    }

    #[test]
    fn a_crate_root_says_what_it_must() {
        assert_eq!(crate_root_problems("vm", "f", "mod a;").len(), 2);
        assert!(crate_root_problems("vm", "f", "//! Runs.\n#![forbid(unsafe_code)]\n").is_empty());
        assert!(crate_root_problems("sys", "f", "//! Calls.\n").is_empty());
    }

    #[test]
    fn leftovers_and_machine_paths_are_found() {
        let [word, _, macro_call, _] = leftovers();
        assert_eq!(text_problems("a.rs", &format!("// {word}: later\n")), [format!("a.rs:1: {word}")]);
        assert_eq!(text_problems("a.rs", &format!("fn f() {{ {macro_call}() }}")).len(), 1);
        assert!(text_problems("a.rs", &format!("a{word}b")).is_empty());
        let [place, ..] = machine_paths();
        assert_eq!(text_problems("a.rs", &format!("open(\"{place}x\")")).len(), 1);
        assert!(text_problems("a.rs", &format!("target{place}x")).is_empty());
    }
}
