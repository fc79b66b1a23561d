//! Every form has a test that runs it: `tests/forms.list` names what the language has and, beside each name, the
//! file that runs it. A form, declaration or library macro that is not in the list has to stand in some case of
//! `crates/cli/tests/cases`, whose files run in the virtual machine and in the kernel. `UPDATE=1` writes those into
//! the list. `WHISTLER_SHOW=1` prints all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where every file is run in the virtual machine and in the kernel.
const CASES: &str = "crates/cli/tests/cases";

/// Tests of other kinds that a line may name: what can only run by being attached, what the host does, files of the
/// language's own tests.
const OTHER: [&str; 7] = [
    "crates/cli/tests/",
    "crates/image/tests/",
    "crates/lisp/tests/",
    "crates/loader/tests/",
    "examples/",
    "bench/programs/",
    "crates/compiler/tests/",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The words of a source, without its comments.
fn words(text: &str) -> BTreeSet<String> {
    let breaks = |c: char| c.is_whitespace() || "()'`,\"#;".contains(c);
    let lines = text.lines().filter(|l| !l.trim_start().starts_with(';'));
    lines.flat_map(|l| l.split(breaks)).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
}

struct Case {
    file: String,
    words: BTreeSet<String>,
    everywhere: bool,
}

fn cases() -> Vec<Case> {
    let dir = std::fs::read_dir(root().join(CASES)).expect("the cases are there");
    let mut files: Vec<PathBuf> = dir.filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    let case = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a case can be read");
        let file = format!("{CASES}/{}", path.file_name()?.to_str()?);
        Some(Case {
            file,
            words: words(&text),
            everywhere: !text.contains("\n;;; only:") && !text.starts_with(";;; only:"),
        })
    };
    files.into_iter().filter(|p| p.extension().is_some_and(|x| x == "lisp")).filter_map(case).collect()
}

/// Whether a source uses a name; one that ends in `-` or `…` stands for all that begin so.
fn uses(words: &BTreeSet<String>, name: &str) -> bool {
    match name.strip_suffix('…') {
        Some(start) => words.iter().any(|w| w.starts_with(start)),
        None => words.contains(name),
    }
}

/// What the compiler itself knows: kernel forms, declarations, the library's macros.
fn known() -> Vec<String> {
    let mut names: Vec<String> = whistler_compiler::forms::names().map(str::to_string).collect();
    names.extend(whistler_compiler::session::DECLARATIONS.iter().map(|d| d.to_string()));
    let lib = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("lib")).expect("the library is there");
    for file in lib.filter_map(|e| Some(e.ok()?.path())) {
        let text = std::fs::read_to_string(file).expect("a file of the library");
        let macros = text.lines().filter_map(|l| l.strip_prefix("(defmacro ")?.split_whitespace().next());
        // What begins with % is the library's own.
        names.extend(macros.filter(|m| !m.starts_with('%')).map(str::to_string));
    }
    names
}

fn list_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forms.list")
}

#[test]
fn every_form_is_run() {
    let text = std::fs::read_to_string(list_path()).expect("forms.list is there");
    let cases = cases();
    let mut listed: BTreeMap<&str, &str> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut section = "";
    let mut pending = Vec::new();
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with(';')) {
        if let Some(title) = line.strip_prefix("== ") {
            section = title;
            continue;
        }
        let (name, file) = line.split_once(' ').unwrap_or((line, ""));
        if section == "pending" {
            pending.push(name);
            continue;
        }
        if listed.insert(name, file).is_some() && section != "the rest" {
            wrong.push(format!("`{name}` stands twice"));
        }
        let found = match file.starts_with(CASES) {
            true => cases.iter().find(|c| c.file == file).map(|c| uses(&c.words, name)),
            false if OTHER.iter().any(|o| file.starts_with(o)) => {
                std::fs::read_to_string(root().join(file)).ok().map(|t| uses(&words(&t), name))
            }
            false => None,
        };
        match found {
            Some(true) => {}
            Some(false) => wrong.push(format!("`{name}` does not stand in {file}")),
            None => wrong.push(format!("`{name}`: there is no test `{file}`")),
        }
    }
    let mut more = Vec::new();
    for name in known() {
        if listed.contains_key(&*name) || pending.contains(&&*name) {
            continue;
        }
        match cases.iter().find(|c| c.everywhere && c.words.contains(&name)) {
            Some(case) => more.push(format!("{name} {}", case.file)),
            None => wrong.push(format!("no case in {CASES} runs `{name}`: add one, or a line to forms.list")),
        }
    }
    if std::env::var_os("UPDATE").is_some() && !more.is_empty() {
        more.sort();
        let text = format!("{}\n{}\n", text.trim_end(), more.join("\n"));
        std::fs::write(list_path(), text).expect("forms.list can be written");
    }
    if std::env::var_os("WHISTLER_SHOW").is_some() {
        listed.iter().for_each(|(name, file)| println!("{name:24} {file}"));
        more.iter().for_each(|m| println!("{m}"));
        println!("{} names of the list, {} more of the compiler, {} pending", listed.len(), more.len(), pending.len());
    }
    for name in &pending {
        if let Some(case) = cases.iter().find(|c| c.everywhere && uses(&c.words, name)) {
            println!("`{name}` is no longer pending: {}", case.file);
        }
    }
    assert!(wrong.is_empty(), "{} names:\n{}", wrong.len(), wrong.join("\n"));
}
