//! Every form has a test that runs it, in the virtual machine and in the kernel: `tests/forms.list` names what the
//! language has and, beside each name, the files that run it. Where a file runs is what its harness does with it
//! (`HARNESSES`) and what its own head says (`;;; only: …`, `;;; ways: …`); a name whose files do not reach both places has
//! a reason behind ` -- `, and no other has one.
//!
//! A form, declaration, type of map or program, or macro of the library that is not in the list has to stand in some case
//! that runs in both. `UPDATE=1` writes those into the list; `WHISTLER_SHOW=1` prints all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use whistler_isa::{MapType, PROGRAM_KINDS, ProgType};

/// Where a file runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
enum Place {
    Vm,
    Kernel,
    /// In neither: the host's Lisp.
    Host,
}
use Place::{Host, Kernel, Vm};

/// What a harness does with the files below a path.
enum Runs {
    /// In both, but what has `;;; only: PLACE reason` in its head.
    Both,
    /// In both, but what has `;;; ways: …` in its head.
    Ways,
    /// Its tests in the virtual machine, itself live in the kernel: `examples.rs` and `library.rs`.
    Example,
    At(&'static [Place]),
}

/// The harnesses, by what they run.
const HARNESSES: &[(&str, Runs)] = &[
    ("crates/cli/tests/cases/", Runs::Both),
    ("crates/cli/tests/semantics/", Runs::Both),
    ("crates/cli/tests/compat/kernel/", Runs::Both),
    ("crates/cli/tests/library/", Runs::Both),
    ("crates/cli/tests/compat/host/", Runs::Ways),
    ("crates/cli/tests/live/", Runs::At(&[Kernel])),
    ("bench/programs/", Runs::At(&[Vm, Kernel])),
    ("examples/", Runs::Example),
    ("crates/lisp/tests/language.txt", Runs::At(&[Host])),
    // Tests in Rust, by what they do with the scripts in them.
    ("crates/cli/tests/maps.rs", Runs::At(&[Vm, Kernel])),
    ("crates/cli/tests/prompt.rs", Runs::At(&[Kernel])),
    ("crates/cli/tests/struct_ops.rs", Runs::At(&[Kernel])),
    ("crates/image/tests/emit.rs", Runs::At(&[Vm, Kernel])),
    ("crates/image/tests/live.rs", Runs::At(&[Kernel])),
    ("crates/compiler/tests/compile/kinds.lisp", Runs::At(&[])),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What stands behind `;;; KEY:` in the head of a file.
fn header<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().filter_map(|l| l.strip_prefix(";;; ")?.strip_prefix(key)?.strip_prefix(':')).map(str::trim).next()
}

/// Where a file of the list runs; an error says why it runs nowhere.
fn places(file: &str, text: &str) -> Result<BTreeSet<Place>, String> {
    let (_, runs) = HARNESSES.iter().find(|(path, _)| file.starts_with(path)).ok_or("no harness runs it")?;
    let words = |of: &str| -> BTreeSet<Place> {
        let place = |w: &str| match w.trim_end_matches(':') {
            "vm" => Some(Vm),
            "kernel" => Some(Kernel),
            _ => None,
        };
        of.split_whitespace().filter_map(place).collect()
    };
    let both = BTreeSet::from([Vm, Kernel]);
    Ok(match runs {
        Runs::Both => header(text, "only").map_or(both, |o| words(o.split_whitespace().next().unwrap_or(""))),
        Runs::Ways => header(text, "ways").map_or(both, words),
        Runs::Example if text.contains("\n(deftest ") => both,
        Runs::Example => return Err("the example has no deftest".to_string()),
        Runs::At(places) => places.iter().copied().collect(),
    })
}

/// The text of a source without its comments.
fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let (mut string, mut chars) = (false, text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                out.push(c);
                out.extend(chars.next());
                continue;
            }
            '"' => string = !string,
            ';' if !string => {
                while chars.next_if(|c| *c != '\n').is_some() {}
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

/// The words of a source, without its comments.
fn words(text: &str) -> BTreeSet<String> {
    let breaks = |c: char| c.is_whitespace() || "()'`,\"#;".contains(c);
    let text = without_comments(text).to_lowercase();
    let words = text.split(breaks).filter(|w| !w.is_empty());
    // A name may stand with its package.
    words.flat_map(|w| [w, w.rsplit(':').next().unwrap_or(w)]).map(str::to_string).collect()
}

/// Whether a source uses a name; `…` at its end or start stands for all that begin or end so.
fn uses(words: &BTreeSet<String>, name: &str) -> bool {
    match (name.strip_suffix('…'), name.strip_prefix('…')) {
        (Some(start), _) => words.iter().any(|w| w.starts_with(start) && w.len() > start.len()),
        (None, Some(end)) => words.iter().any(|w| w.ends_with(end) && w.len() > end.len()),
        (None, None) => words.contains(name),
    }
}

/// What the compiler itself knows: kernel forms, declarations, types of maps and programs, the library's macros.
fn known() -> Vec<String> {
    let mut names: Vec<String> = whistler_compiler::forms::names().map(str::to_string).collect();
    names.extend(whistler_compiler::session::DECLARATIONS.iter().map(|d| d.to_string()));
    names.extend(whistler_compiler::session::LIVE_FORMS.iter().filter(|l| !l.starts_with('(')).map(|l| l.to_string()));
    names.extend(whistler_compiler::session::LIVE_MACROS.iter().map(|l| l.to_string()));
    names.extend(MapType::ALL.iter().filter(|t| **t != MapType::Unspec).map(|t| format!(":{}", t.keyword())));
    names.extend(ProgType::ALL.iter().filter(|t| **t != ProgType::Unspec).map(|t| format!(":{}", t.keyword())));
    names.extend(PROGRAM_KINDS.iter().map(|k| format!(":{}", k.keyword)));
    let lib = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("lib")).expect("the library is there");
    for file in lib.filter_map(|e| Some(e.ok()?.path())) {
        let text = std::fs::read_to_string(file).expect("a file of the library");
        let macros = text.lines().filter_map(|l| l.strip_prefix("(defmacro ")?.split_whitespace().next());
        // What begins with % is the library's own.
        names.extend(macros.filter(|m| !m.starts_with('%')).map(str::to_string));
    }
    names.sort();
    names.dedup();
    names
}

struct Case {
    file: String,
    words: BTreeSet<String>,
    places: BTreeSet<Place>,
}

/// Reads files of the list once.
#[derive(Default)]
struct Files(BTreeMap<String, Option<Case>>);

impl Files {
    fn get(&mut self, file: &str) -> Result<&Case, String> {
        if !self.0.contains_key(file) {
            let text = std::fs::read_to_string(root().join(file)).map_err(|e| format!("{file}: {e}"))?;
            let places = places(file, &text).map_err(|why| format!("{file}: {why}"))?;
            let words = if file.ends_with(".rs") { words(&text.replace(';', " ")) } else { words(&text) };
            self.0.insert(file.to_string(), Some(Case { file: file.to_string(), words, places }));
        }
        self.0[file].as_ref().ok_or_else(|| format!("{file} can't be read"))
    }

    /// The first file that runs a name in both places.
    fn for_name(&mut self, name: &str) -> Option<String> {
        for (path, _) in HARNESSES.iter().filter(|(p, _)| p.ends_with('/')) {
            let mut files: Vec<PathBuf> =
                std::fs::read_dir(root().join(path)).ok()?.filter_map(|e| Some(e.ok()?.path())).collect();
            files.sort();
            for f in files.iter().filter(|f| f.extension().is_some_and(|x| x == "lisp")) {
                let file = format!("{path}{}", f.file_name()?.to_str()?);
                let Ok(case) = self.get(&file) else { continue };
                if case.places.is_superset(&BTreeSet::from([Vm, Kernel])) && uses(&case.words, name) {
                    return Some(case.file.clone());
                }
            }
        }
        None
    }
}

fn list_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forms.list")
}

/// One name of the list: the files that run it, and why not in both places.
fn line_is_right(files: &mut Files, section: &str, line: &str) -> Result<(), String> {
    let (line, reason) = line.split_once(" -- ").map_or((line, ""), |(l, r)| (l, r.trim()));
    let mut parts = line.split_whitespace();
    let name = parts.next().unwrap_or_default();
    let named: Vec<&str> = parts.collect();
    let mut reached = BTreeSet::new();
    for file in &named {
        let case = files.get(file).map_err(|e| format!("`{name}`: {e}"))?;
        if !uses(&case.words, name) {
            return Err(format!("`{name}` does not stand in {file}"));
        }
        reached.extend(case.places.iter().copied());
    }
    let both = reached.contains(&Vm) && reached.contains(&Kernel);
    // What only the host does needs no kernel; what is kept from it, by the head of a file, has a reason.
    let kept = reached == BTreeSet::from([Vm]);
    let enough = both || (section.contains("host") && !reached.is_empty() && !kept);
    match (enough, reason.is_empty()) {
        (true, true) | (false, false) => Ok(()),
        (true, false) => Err(format!("`{name}` runs in both places: the reason is not needed")),
        (false, true) if named.is_empty() => Err(format!("`{name}` has no file")),
        (false, true) => Err(format!("`{name}` runs in {reached:?} only, and no reason is given")),
    }
}

#[test]
fn every_form_is_run() {
    let text = std::fs::read_to_string(list_path()).expect("forms.list is there");
    let mut files = Files::default();
    let mut listed = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut section = "";
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with("; ")) {
        if let Some(title) = line.strip_prefix("== ") {
            section = title;
            continue;
        }
        let name = line.split_whitespace().next().unwrap_or_default();
        // A map and a program may be of one name: the cgroup array and a type of programs.
        if !listed.insert((section, name)) {
            wrong.push(format!("`{name}` stands twice"));
        }
        wrong.extend(line_is_right(&mut files, section, line).err());
    }
    let mut more = Vec::new();
    for name in known() {
        if listed.iter().any(|(_, n)| *n == name) {
            continue;
        }
        match files.for_name(&name) {
            Some(file) => more.push(format!("{name} {file}")),
            None => wrong.push(format!("nothing runs `{name}` in both places: add a case, or a line to forms.list")),
        }
    }
    if std::env::var_os("WHISTLER_SHOW").is_some() {
        text.lines().chain(more.iter().map(String::as_str)).for_each(|l| println!("{l}"));
        println!("{} names, {} of them not listed yet", listed.len() + more.len(), more.len());
    }
    if !more.is_empty() {
        if std::env::var_os("UPDATE").is_some() {
            let text = format!("{}\n{}\n", text.trim_end(), more.join("\n"));
            std::fs::write(list_path(), text).expect("forms.list can be written");
        } else {
            wrong.push(format!("not in forms.list (UPDATE=1 adds them): {}", more.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "{} names:\n{}", wrong.len(), wrong.join("\n"));
}
