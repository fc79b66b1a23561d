//! The book's examples: every block of `docs/*.md` marked `lisp` passes `check` without a complaint, every one
//! marked `lisp,wrong` is refused; the tests in them pass in the virtual machine.

mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use support::{Scratch, run, whistler};

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let mut files: Vec<PathBuf> = std::fs::read_dir(support::root().join("docs"))
        .expect("docs is there")
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "md"))
        .collect();
    files.push(support::root().join("README.md"));
    files.sort();
    let trials = files
        .iter()
        .flat_map(|f| blocks(f))
        .map(|b| Trial::test(format!("{} line {}", b.file, b.line), move || b.check()));
    libtest_mimic::run(&args, trials.collect()).exit_code()
}

struct Block {
    file: String,
    line: usize,
    text: String,
    wrong: bool,
}

fn blocks(file: &Path) -> Vec<Block> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(file).expect("a page");
    let mut out: Vec<Block> = Vec::new();
    let mut inside = None;
    for (i, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut inside) {
            (Some(_), Some(())) => inside = None,
            (Some(kind @ ("lisp" | "lisp,wrong")), None) => {
                inside = Some(());
                out.push(Block { file: name.clone(), line: i + 1, text: String::new(), wrong: kind != "lisp" });
            }
            (None, Some(())) => {
                if let Some(b) = out.last_mut() {
                    b.text.push_str(line);
                    b.text.push('\n');
                }
            }
            _ => {}
        }
    }
    out
}

impl Block {
    fn check(&self) -> Result<(), Failed> {
        let scratch = Scratch::new();
        // What a page shows for a later kernel than the usual one says so in its first line.
        let target = self.text.lines().next().and_then(|l| l.strip_prefix("; target: ")).unwrap_or("6.1/v3");
        let file = scratch.file("example.lisp", &self.text);
        let ran = run(whistler(["check", "--json", "--target", target]).arg(&file));
        let json: serde_json::Value = serde_json::from_str(&ran.out).map_err(|e| format!("{e}\n{}", ran.all()))?;
        let complaints = |key: &str| json[key].as_array().map_or(0, Vec::len);
        if self.wrong {
            return if complaints("errors") > 0 { Ok(()) } else { Err(format!("it passed:\n{}", self.text).into()) };
        }
        if complaints("errors") + complaints("warnings") > 0 {
            return Err(format!("{}\n{}", self.text, ran.out).into());
        }
        if self.text.contains("(deftest ") {
            let ran = run(whistler(["test"]).arg(&file));
            if !ran.status.success() {
                return Err(format!("{}\n{}", self.text, ran.all()).into());
            }
        }
        Ok(())
    }
}
