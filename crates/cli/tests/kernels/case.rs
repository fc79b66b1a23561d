//! A case: the head of a file of `kernels/`. Invariant: a head that is not understood fails, and so does one that
//! expects nothing.

use std::path::{Path, PathBuf};

use super::check::{self, Check};
use super::hold::Seen;
use super::stimulus::Facts;
use super::support::{root, run, whistler};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Programs at the entry and end of functions: fentry, fexit, `fmod_ret`, LSM.
    Trampolines,
    Kprobes,
}

#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    file: PathBuf,
    pub needs: Vec<Need>,
    pub seconds: u64,
    expects: Vec<(String, Op, String)>,
    texts: Vec<(String, String)>,
    check: Option<Check>,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Equal,
    Above,
}

/// Where the cases are: beside this file, or where a virtual machine has them.
fn dir() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels");
    std::env::var_os("WHISTLER_CASES").map_or(here, PathBuf::from)
}

/// All, in the order of their names.
pub fn all() -> Vec<Case> {
    let entries = std::fs::read_dir(dir()).expect("the cases are there");
    let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "lisp"));
    files.sort();
    files.into_iter().map(|f| Case::read(&f)).collect()
}

impl Case {
    fn read(file: &Path) -> Case {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut case = Case {
            name,
            file: file.to_path_buf(),
            needs: Vec::new(),
            seconds: 0,
            expects: Vec::new(),
            texts: Vec::new(),
            check: None,
        };
        let text = std::fs::read_to_string(file).expect("a case can be read");
        for line in text.lines().map_while(|l| l.strip_prefix(";;; ")) {
            case.head(line).unwrap_or_else(|| panic!("{}: `{line}`", file.display()));
        }
        assert!(
            !case.expects.is_empty() || !case.texts.is_empty() || case.check.is_some(),
            "{} expects nothing",
            file.display()
        );
        case
    }

    fn head(&mut self, line: &str) -> Option<()> {
        let (key, rest) = line.split_once(": ")?;
        match key {
            "needs" if rest == "trampolines" => self.needs.push(Need::Trampolines),
            "needs" if rest == "kprobes" => self.needs.push(Need::Kprobes),
            "program" => self.file = root().join(rest),
            "seconds" => self.seconds = rest.parse().ok()?,
            "check" => self.check = Some(check::named(rest)?),
            "text" => {
                let (program, words) = rest.split_once(" has ")?;
                self.texts.push((program.to_string(), words.to_string()));
            }
            "expect" => {
                let words: Vec<&str> = rest.split(' ').collect();
                let [left, op, right] = words[..] else { return None };
                let op = match op {
                    "=" => Op::Equal,
                    ">" => Op::Above,
                    _ => return None,
                };
                self.expects.push((left.to_string(), op, right.to_string()));
            }
            _ => return None,
        }
        Some(())
    }

    /// The object, compiled by the binary under test.
    pub fn compile(&self, to: &Path) -> Result<PathBuf, String> {
        let object = to.join(format!("{}.o", self.name));
        let ran = run(whistler(["compile".as_ref(), self.file.as_os_str()]).arg("-o").arg(&object));
        if ran.status.success() { Ok(object) } else { Err(ran.all()) }
    }

    /// Whether what was seen is what the head says.
    pub fn compare(&self, facts: &Facts, seen: &Seen) -> Result<(), String> {
        let mut wrong = Vec::new();
        for (left, op, right) in &self.expects {
            let (l, r) = (term(left, facts, seen)?, term(right, facts, seen)?);
            let holds = match op {
                Op::Equal => l == r,
                Op::Above => l > r,
            };
            if !holds {
                wrong.push(format!("{left} is {l}, and {right} is {r}"));
            }
        }
        for (program, words) in &self.texts {
            let text = seen.texts.get(program).ok_or_else(|| format!("no text of {program}"))?;
            let words = words.replace("{pid}", &facts.number("pid")?.to_string());
            if !text.lines().any(|l| l == words) {
                wrong.push(format!("no line `{words}` from {program}, which wrote:\n{text}"));
            }
        }
        if let Some(check) = self.check
            && let Err(e) = check(facts, seen)
        {
            wrong.push(e);
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }
}

fn term(text: &str, facts: &Facts, seen: &Seen) -> Result<i64, String> {
    if let Ok(n) = text.parse() {
        return Ok(n);
    }
    match text.strip_prefix("out[").and_then(|t| t.strip_suffix(']')) {
        Some(index) => {
            let index: u32 = index.parse().map_err(|_| format!("an index: {text}"))?;
            seen.word("out", index)
        }
        None => facts.number(text),
    }
}
