//! Wrong programs: every file of `wrong/` is checked by the binary; what it says must be what stands beside it
//! in `NAME.stderr`. Files of `warned/` get warnings only, and status 0. `UPDATE=1` writes the `.stderr` files
//! anew, to be read before they are committed.
//!
//! To add one: write `wrong/NAME.lisp`, small and of the kind that people write, with lines of this form at its top:
//!
//! ```text
//! ;; class: packet-bounds          a class of LANGUAGE §7, see CLASSES
//! ;; flags: --target 5.4           of `whistler check`, where needed
//! ;; codes: E0302 E0302            where the file is to get other than one error
//! ```
//!
//! then `UPDATE=1 cargo test -p whistler-cli --test wrong -- NAME`, and read what it says: could someone who
//! never saw the manual mend the program from it? A class with fewer than three files fails the test `classes`.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use support::{run, whistler};

/// How far a class is caught before the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Caught {
    /// Wherever the kernel would refuse it.
    Whole,
    /// In its plain forms; what takes a judgement over all paths is left to the verifier.
    Plain,
}

/// The classes of errors that LANGUAGE §7 lists, in its order.
const CLASSES: &[(&str, Caught, &str)] = &[
    ("unknown-name", Caught::Whole, "unknown name (with the nearest)"),
    ("arguments", Caught::Whole, "wrong argument count or type"),
    ("map-key-value", Caught::Whole, "wrong map key or value type or size"),
    ("constant-index", Caught::Whole, "constant index out of range"),
    ("variable-index", Caught::Plain, "variable index not bounded"),
    ("null", Caught::Plain, "read through a possibly-null pointer"),
    ("packet-bounds", Caught::Plain, "packet access not covered by a bounds check"),
    ("packet-moved", Caught::Whole, "packet pointer used after a helper that moves the packet"),
    ("object-bounds", Caught::Whole, "more bytes given to a helper or map than the object has, or stack never written"),
    ("stack-size", Caught::Whole, "stack over 512 bytes (with the biggest users)"),
    ("context-field", Caught::Whole, "context field unknown, wrong width or read-only"),
    (
        "not-allowed",
        Caught::Whole,
        "helper, kfunc or map type not allowed in this program type, or newer than the target kernel",
    ),
    ("gpl", Caught::Whole, "GPL-only helper under another licence"),
    ("return-range", Caught::Whole, "return value out of the type's range"),
    ("reference", Caught::Plain, "reference not released, released twice or used after release"),
    ("lock", Caught::Plain, "lock misuse"),
    ("sleep", Caught::Whole, "sleeping call where it can't sleep"),
    ("loop", Caught::Plain, "unbounded loop"),
    ("recursion", Caught::Whole, "recursion"),
    ("call-depth", Caught::Whole, "call depth"),
    ("program-size", Caught::Whole, "program too large"),
    ("signedness", Caught::Whole, "mixed signedness"),
    ("read-only", Caught::Whole, "write to read-only memory"),
    ("map-rules", Caught::Whole, "map declared against its type's rules"),
    ("duplicate", Caught::Whole, "duplicate definition"),
    ("malformed", Caught::Whole, "malformed form"),
    ("constant-operand", Caught::Whole, "zero divisor or shift of 64 as a constant"),
    ("address-leak", Caught::Whole, "kernel address leaked to a map (with `--unprivileged`)"),
];

/// The note lists these by name: a remainder of each is left to a judgement over all paths.
const PLAIN: &[&str] = &["variable-index", "null", "packet-bounds", "reference", "lock", "loop"];

/// How many wrong programs a class has at least.
const LEAST: usize = 3;

struct Case {
    file: PathBuf,
    text: String,
    status: i32,
}

impl Case {
    /// What stands behind `;; KEY:` at the top.
    fn header(&self, key: &str) -> Option<&str> {
        let lines = self.text.lines().take_while(|l| l.starts_with(';'));
        lines.filter_map(|l| l.strip_prefix(";; ")?.strip_prefix(key)?.strip_prefix(':')).map(str::trim).next()
    }

    fn check(&self) -> Result<(), Failed> {
        let dir = self.file.parent().ok_or("the file has a directory")?;
        let name = self.file.file_name().ok_or("the file has a name")?;
        let mut command = whistler(["check"]);
        command.args(self.header("flags").unwrap_or_default().split_whitespace()).arg(name).current_dir(dir);
        let ran = run(&mut command);
        if ran.status.code() != Some(self.status) {
            return Err(format!("{} instead of status {}\n{}", ran.status, self.status, ran.all()).into());
        }
        if !ran.out.is_empty() {
            return Err(format!("reports belong on standard error:\n{}", ran.out).into());
        }
        let heads = |kind: &str| -> Vec<String> {
            let lines = ran.err.lines().filter_map(|l| l.strip_prefix(kind)?.strip_prefix('[')?.split(']').next());
            lines.map(str::to_string).collect()
        };
        let (errors, warnings) = (heads("error"), heads("warning"));
        match self.header("codes") {
            Some(codes) => {
                let got = errors.iter().chain(&warnings).map(String::as_str).collect::<Vec<_>>().join(" ");
                if got != codes {
                    return Err(format!("{codes} expected, {got} came\n{}", ran.err).into());
                }
            }
            None if self.status == 1 && errors.len() != 1 => {
                let text = "one mistake is one error; a file with others says so in `;; codes:`";
                return Err(format!("{text}: {errors:?}\n{}", ran.err).into());
            }
            None => {}
        }
        let beside = self.file.with_extension("stderr");
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if std::env::var_os("UPDATE").is_some_and(|v| v == "1") {
            return std::fs::write(&beside, &ran.err).map_err(|e| e.to_string().into());
        }
        if ran.err != expected {
            return Err(format!("--- expected\n{expected}\n--- said\n{}", ran.err).into());
        }
        Ok(())
    }
}

fn cases(dir: &str, status: i32) -> Vec<Case> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(dir);
    let mut files: Vec<_> = std::fs::read_dir(&dir)
        .expect("the cases are there")
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "lisp"))
        .collect();
    files.sort();
    let text = |f: &Path| std::fs::read_to_string(f).expect("a case can be read");
    files.into_iter().map(|file| Case { text: text(&file), file, status }).collect()
}

/// Every class of the language's contract has its programs, and every program its class.
fn classes(files: &[(String, Option<String>)]) -> Result<(), Failed> {
    let mut count: BTreeMap<&str, usize> = CLASSES.iter().map(|(name, ..)| (*name, 0)).collect();
    let mut wrong = Vec::new();
    for (file, class) in files {
        match class.as_deref() {
            Some("other") => {}
            Some(class) => match count.get_mut(class) {
                Some(n) => *n += 1,
                None => wrong.push(format!("{file}: there is no class `{class}`")),
            },
            None => wrong.push(format!("{file}: begin it with a line `;; class: NAME` (or `other`)")),
        }
    }
    for (name, caught, what) in CLASSES {
        let n = count[name];
        if n < LEAST {
            wrong.push(format!("{name} ({what}): {n} wrong programs, not {LEAST}"));
        }
        if (*caught == Caught::Plain) != PLAIN.contains(name) {
            wrong.push(format!("{name}: caught whole or in its plain forms?"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let (wrong, warned) = (cases("wrong", 1), cases("warned", 0));
    let of_class: Vec<_> = wrong
        .iter()
        .map(|c| {
            let name = c.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, c.header("class").map(str::to_string))
        })
        .collect();
    let mut trials = vec![Trial::test("classes", move || classes(&of_class))];
    for case in wrong.into_iter().chain(warned) {
        let name = case.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = if case.status == 0 { format!("warned/{name}") } else { name };
        trials.push(Trial::test(name, move || case.check()));
    }
    libtest_mimic::run(&args, trials).exit_code()
}
