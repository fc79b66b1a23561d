//! Compatibility with the original: `compat/lines.txt` lists what its sources may use, and beside each the files that
//! show it working. Every line must have one, every file must belong to a line, and every file is run: those of
//! `host/` here, those of `kernel/` (as all of `cases/`) by the `cases` test.
//!
//! A host case's head has lines `;;; key: value`: `out` one line of standard output (all of them, in order) ·
//! `err` a part of standard error · `exit` the status (0) · `ways` where it is run, of `kernel`, `vm` and `check`
//! (both machines unless said; `check`: it passes `whistler check`) · `events` a file of recorded events beside it ·
//! `traffic: yes` while it runs, datagrams go to port 9 of 127.0.0.1, from the cgroup. It runs in a network namespace
//! of its own whose `lo` is up, with the path of an own cgroup in `TEST_CGROUP` and a directory in `TEST_DIR`.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use support::place::Place;
use support::{kernel_missing, run};

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat")
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let required = std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_some_and(|v| v == "1");
    let missing = kernel_missing().filter(|_| !required);
    if let Some(missing) = &missing {
        eprintln!("skipped: what runs in the kernel {missing}");
    }
    let mut trials = vec![
        Trial::test("every line has its files", lines),
        Trial::test("the book has the lines", book),
        Trial::test("every name is used", names),
    ];
    for file in files("host") {
        let case = Case::read(&file);
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for way in case.ways.clone() {
            let (file, skip) = (file.clone(), missing.is_some() && way == "kernel");
            let trial = Trial::test(format!("{name} ({way})"), move || Case::read(&file).check(&file, &way));
            trials.push(trial.with_ignored_flag(skip));
        }
    }
    libtest_mimic::run(&args, trials).exit_code()
}

fn files(below: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir().join(below))
        .expect("the directory is there")
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "lisp"))
        .collect();
    files.sort();
    files
}

/// A line of the list: a heading, or what is promised with its files.
enum Line<'a> {
    Heading(&'a str),
    Promise { text: &'a str, files: Vec<&'a str> },
}

/// `## heading`, or a line of text with a line of file names, indented, below it.
fn parse(text: &str) -> Result<Vec<Line<'_>>, String> {
    let mut out = Vec::new();
    let mut rest = text.lines().filter(|l| !l.trim().is_empty()).peekable();
    while let Some(line) = rest.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            out.push(Line::Heading(heading));
            continue;
        }
        let mut files: Vec<&str> = Vec::new();
        while let Some(names) = rest.next_if(|l| l.starts_with(' ')) {
            files.extend(names.split_whitespace());
        }
        if files.is_empty() {
            return Err(format!("no file shows this: {line}"));
        }
        out.push(Line::Promise { text: line, files });
    }
    Ok(out)
}

fn list() -> String {
    std::fs::read_to_string(dir().join("lines.txt")).expect("the list is there")
}

fn lines() -> Result<(), Failed> {
    let text = list();
    let mut named = BTreeSet::new();
    for line in parse(&text)? {
        let Line::Promise { text, files } = line else { continue };
        for file in files {
            let path = dir().join(file);
            if !path.is_file() {
                return Err(format!("{file} is not there, which shows: {text}").into());
            }
            named.insert(path);
        }
    }
    let all = ["host", "kernel"].into_iter().flat_map(files);
    let strays: Vec<_> = all.filter(|f| !named.contains(f)).map(|f| f.display().to_string()).collect();
    if strays.is_empty() { Ok(()) } else { Err(format!("belongs to no line: {}", strays.join(" ")).into()) }
}

/// The chapter's table is made of the list. `UPDATE=1` makes it anew.
fn book() -> Result<(), Failed> {
    const BEGIN: &str = "<!-- lines: made from crates/cli/tests/compat/lines.txt -->\n";
    const END: &str = "<!-- end of lines -->";
    let page = support::root().join("docs/compatibility.md");
    let text = std::fs::read_to_string(&page).map_err(|e| format!("{}: {e}", page.display()))?;
    let (before, rest) = text.split_once(BEGIN).ok_or("the mark of the table's begin is gone")?;
    let (found, after) = rest.split_once(END).ok_or("the mark of the table's end is gone")?;
    let list = list();
    let mut table = String::new();
    for line in parse(&list)? {
        match line {
            Line::Heading(h) => {
                table.push_str(&format!("\n### {h}\n\n| works as in the original | shown by |\n| --- | --- |\n"))
            }
            Line::Promise { text, files } => {
                let files: Vec<String> = files.iter().map(|f| format!("`{f}`")).collect();
                table.push_str(&format!("| {} | {} |\n", text.replace('|', "\\|"), files.join(" ")));
            }
        }
    }
    table.push('\n');
    if table == found {
        return Ok(());
    }
    if std::env::var_os("UPDATE").is_some_and(|v| v == "1") {
        return std::fs::write(&page, format!("{before}{BEGIN}{table}{END}{after}")).map_err(|e| e.to_string().into());
    }
    Err("docs/compatibility.md is not what the list says; UPDATE=1 makes it anew".into())
}

/// The names that the chapter lists all stand in some file, outside of its comments.
fn names() -> Result<(), Failed> {
    let text = std::fs::read_to_string(support::root().join("docs/compatibility.md")).map_err(|e| e.to_string())?;
    let list = text.split_once("<!-- names -->").and_then(|(_, rest)| rest.split_once("<!-- end of names -->"));
    let (list, _) = list.ok_or("the marks around the chapter's names are gone")?;
    let breaks = |c: char| c.is_whitespace() || "()'`,\"#".contains(c);
    let mut used: BTreeSet<String> = BTreeSet::new();
    for file in ["host", "kernel"].into_iter().flat_map(files) {
        let text = std::fs::read_to_string(&file).map_err(|e| e.to_string())?;
        for line in text.lines().filter_map(|l| l.split(';').next()) {
            let words = line.split(breaks).filter(|w| !w.is_empty()).map(str::to_lowercase);
            used.extend(words.flat_map(|w| [w.rsplit(':').next().unwrap_or(&w).to_string(), w]));
        }
    }
    // What is between the parts is the source's own.
    let stands = |name: &str| {
        let parts: Vec<&str> = name.split('…').collect();
        let [first, middle @ .., last] = &parts[..] else { return used.contains(name) };
        used.iter().any(|w| {
            let Some(rest) = w.strip_prefix(first).and_then(|r| r.strip_suffix(last)) else { return false };
            let inside = middle.iter().try_fold(rest, |rest, part| rest.split_once(part).map(|(_, after)| after));
            inside.is_some_and(|rest| !rest.is_empty())
        })
    };
    let spans = list.split('`').skip(1).step_by(2).map(str::to_lowercase);
    let (mut count, mut missing) = (0, Vec::new());
    for name in spans {
        count += 1;
        if !stands(&name) {
            missing.push(name);
        }
    }
    match (count, missing.is_empty()) {
        (0, _) => Err("there are no names".into()),
        (_, true) => Ok(()),
        (_, false) => Err(format!("no file under compat uses {}", missing.join(" ")).into()),
    }
}

#[derive(Default)]
struct Case {
    out: Vec<String>,
    err: Vec<String>,
    exit: i32,
    ways: Vec<String>,
    traffic: bool,
    wrong: Option<String>,
}

impl Case {
    fn read(file: &Path) -> Case {
        let text = std::fs::read_to_string(file).expect("a case");
        let mut case = Case::default();
        for line in text.lines().map_while(|l| l.strip_prefix(";;;")) {
            let line = line.strip_prefix(' ').unwrap_or(line);
            let Some((key, value)) = line.split_once(':').filter(|(k, _)| k.bytes().all(|b| b.is_ascii_lowercase()))
            else {
                continue;
            };
            let value = value.strip_prefix(' ').unwrap_or(value);
            match key {
                "out" => case.out.push(value.to_string()),
                "err" => case.err.push(value.to_string()),
                "exit" => case.exit = value.parse().unwrap_or(-1),
                "ways" => case.ways = value.split_whitespace().map(str::to_string).collect(),
                "traffic" => case.traffic = true,
                _ => case.wrong = Some(key.to_string()),
            }
        }
        if case.ways.is_empty() {
            case.ways = vec!["kernel".into(), "vm".into()];
        }
        case
    }

    fn check(&self, file: &Path, way: &str) -> Result<(), Failed> {
        if let Some(key) = &self.wrong {
            return Err(format!("what is `{key}`?").into());
        }
        let place = if way == "kernel" { Place::own()? } else { Place::none() };
        let file = file.display().to_string();
        let (args, out) = match way {
            "kernel" => (vec!["run", &file], self.out.as_slice()),
            "vm" => (vec!["run", "--vm", &file], self.out.as_slice()),
            "check" => (vec!["check", &file], &[][..]),
            other => return Err(format!("there is no way `{other}`").into()),
        };
        let traffic = self.traffic.then(|| place.traffic());
        let ran = run(&mut place.whistler(&args));
        drop(traffic);
        let said = || format!("{}\n--- out\n{}\n--- err\n{}", ran.status, ran.out, ran.err);
        if ran.status.code() != Some(self.exit) {
            return Err(said().into());
        }
        let found: Vec<&str> = ran.out.lines().collect();
        if found != out {
            return Err(format!("standard output is not\n{}\n{}", out.join("\n"), said()).into());
        }
        match self.err.iter().find(|e| !ran.err.contains(*e)) {
            Some(e) => Err(format!("standard error has no\n{e}\n{}", said()).into()),
            None => Ok(()),
        }
    }
}
