//! Does the suite catch mistakes? Plants each mistake of `xtask/mutants.txt` in a copy of the tree, alone, and runs
//! the suite on it until something fails: the programs kept from earlier failures and random ones, in reference,
//! VM and kernel, then the tests of the crate that the mistake is in.
//!
//! A mistake is three lines: `file PATH`, `from TEXT`, `to TEXT`; TEXT must stand exactly once in the file
//! (`\n` is a line break). A mistake that does not compile, or can't be planted, is an error of the list.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::root;

/// Random programs per mistake: few first, more when none of them failed.
const ROUNDS: [(&str, &str); 2] = [("40", "1"), ("80", "1001")];

/// A compiler or machine that came to no end is a failure, too.
const PATIENCE: Duration = Duration::from_secs(120);

struct Mutant {
    file: String,
    from: String,
    to: String,
}

/// What to run.
#[derive(Debug, Default)]
pub struct Options {
    rev: Option<String>,
    only: Option<String>,
}

impl Options {
    /// From the arguments after `mutants`.
    pub fn parse(args: &[String]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--rev" => options.rev = Some(args.next().ok_or("--rev needs a commit")?.clone()),
                flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
                part => options.only = Some(part.to_string()),
            }
        }
        Ok(options)
    }

    fn wants(&self, number: usize, m: &Mutant) -> bool {
        let Some(only) = &self.only else { return true };
        if only.bytes().all(|b| b.is_ascii_digit() || b == b',') {
            return only.split(',').any(|n| n.parse() == Ok(number));
        }
        m.file.contains(only.as_str())
    }
}

fn parse(text: &str) -> Result<Vec<Mutant>, String> {
    let mut out: Vec<Mutant> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.replace("\\n", "\n");
        match (word, out.last_mut()) {
            ("file", _) => out.push(Mutant { file: rest, from: String::new(), to: String::new() }),
            ("from", Some(m)) => m.from = rest,
            ("to", Some(m)) => m.to = rest,
            _ => return Err(format!("mutants.txt:{}: expected file, from or to", i + 1)),
        }
    }
    Ok(out)
}

/// Plants all, or those wanted, and prints what caught each. `true` when all were caught.
///
/// Programs are run on all first; tests, which take longer to build, are only for what those let through.
pub fn run(options: &Options) -> Result<bool, String> {
    let list = std::fs::read_to_string(root().join("xtask/mutants.txt")).map_err(|e| format!("mutants.txt: {e}"))?;
    let mutants = parse(&list)?;
    let tree = root().join("target/mutants/tree");
    copy_commit(options.rev.as_deref().unwrap_or("HEAD"), &tree)?;
    // What fails without a mistake catches nothing.
    if let Some(by) = programs(&tree, &ROUNDS[..1])? {
        return Err(format!("without any mistake, {by} already"));
    }
    let start = Instant::now();
    let wanted: Vec<_> = mutants.iter().enumerate().filter(|(i, m)| options.wants(i + 1, m)).collect();
    let total = wanted.len();
    let left = try_all(&tree, wanted, |_| programs(&tree, &ROUNDS))?;
    println!("{} of {total} caught by programs, {:.0} s", total - left.len(), start.elapsed().as_secs_f64());
    let left = try_all(&tree, left, |m| tests(&tree, m))?;
    println!("{} of {total} mistakes caught, {:.0} s", total - left.len(), start.elapsed().as_secs_f64());
    Ok(left.is_empty())
}

/// Plants each, asks the judge what catches it, and gives those that nothing did.
fn try_all<'m>(
    tree: &Path,
    mutants: Vec<(usize, &'m Mutant)>,
    judge: impl Fn(&Mutant) -> Result<Option<String>, String>,
) -> Result<Vec<(usize, &'m Mutant)>, String> {
    let mut left = Vec::new();
    for (i, m) in mutants {
        let path = tree.join(&m.file);
        let original = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", m.file))?;
        if original.matches(m.from.as_str()).count() != 1 {
            return Err(format!("{}: `{}` does not stand there exactly once", m.file, m.from));
        }
        let write = |text: &str| std::fs::write(&path, text).map_err(|e| format!("{}: {e}", m.file));
        let start = Instant::now();
        write(&original.replacen(m.from.as_str(), &m.to, 1))?;
        let verdict = judge(m);
        write(&original)?;
        let verdict = verdict.map_err(|e| format!("mistake {}, {}: {e}", i + 1, m.file))?;
        if verdict.is_none() {
            left.push((i, m));
        }
        let by = verdict.map_or("let through".to_string(), |by| format!("caught by {by}"));
        let (from, to) = (one_line(&m.from), one_line(&m.to));
        println!("{:>3}  {by} ({:.0} s): {}: {from} → {to}", i + 1, start.elapsed().as_secs_f64(), m.file);
    }
    Ok(left)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How programs fail on the tree, if they do: those kept from earlier failures, then random ones.
fn programs(tree: &Path, rounds: &[(&str, &str)]) -> Result<Option<String>, String> {
    let build = cargo(tree, &["build", "--quiet", "--bin", "difftest"])?;
    if !build.status.success() {
        return Err(format!("it does not compile\n{}", String::from_utf8_lossy(&build.stderr)));
    }
    if let Some(why) = difftest(tree, &["--kept", "crates/difftest/tests/kept"])? {
        return Ok(Some(format!("kept programs: {why}")));
    }
    for (count, first) in rounds {
        if let Some(why) = difftest(tree, &[count, first, "--first"])? {
            return Ok(Some(format!("random programs: {why}")));
        }
    }
    Ok(None)
}

/// The test of the mistake's own crate that fails, if one does.
fn tests(tree: &Path, m: &Mutant) -> Result<Option<String>, String> {
    let of = m.file.split('/').nth(1).unwrap_or_default();
    let out = cargo(tree, &["test", "--quiet", "--no-fail-fast", "-p", &format!("whistler-{of}")])?;
    if out.status.success() {
        return Ok(None);
    }
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    // Not to be mistaken for a test that fails.
    if !text.contains("test result: FAILED") {
        return Err(format!("the tests can't be run\n{text}"));
    }
    let names = text.lines().filter_map(|l| l.strip_prefix("---- ")).filter_map(|l| l.split(' ').next());
    let names = names.take(3).collect::<Vec<_>>().join(", ");
    Ok(Some(format!("tests of {of}: {names}")))
}

/// How the programs of a run fail, if they do.
fn difftest(tree: &Path, args: &[&str]) -> Result<Option<String>, String> {
    // Into a file: nobody reads a pipe while it runs, and a verifier's log fills one.
    let log = tree.with_file_name("difftest.log");
    let out = std::fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    let mut child = Command::new(tree.join("../build/debug/difftest"))
        .args(args)
        .current_dir(tree)
        .stdout(out)
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("difftest: {e}"))?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|e| format!("difftest: {e}"))? {
            break status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().and_then(|()| child.wait()).map_err(|e| format!("difftest: {e}"))?;
            return Ok(Some("no end".into()));
        }
        std::thread::sleep(Duration::from_millis(30));
    };
    if status.success() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    let kinds = ["rejected by the compiler", "rejected by the verifier", "fault", "mismatch"];
    let kind = kinds
        .into_iter()
        .find(|k| text.lines().any(|l| l.starts_with(&format!("{k}: 1")) || l.contains(&format!(": {k}: "))));
    Ok(Some(kind.unwrap_or("a panic").into()))
}

fn cargo(tree: &Path, args: &[&str]) -> Result<Output, String> {
    Command::new("cargo")
        .args(args)
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", tree.join("../build"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_TEST_DEBUG", "0")
        .output()
        .map_err(|e| format!("cargo: {e}"))
}

/// The files of a commit: the working tree may be in the middle of something.
fn copy_commit(rev: &str, to: &Path) -> Result<(), String> {
    let fresh = to.with_file_name("fresh");
    let _ = std::fs::remove_dir_all(&fresh);
    std::fs::create_dir_all(&fresh).map_err(|e| format!("{}: {e}", fresh.display()))?;
    let archive = Command::new("git")
        .args(["archive", "--format=tar", rev])
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("git: {e}"))?;
    let untar = Command::new("tar")
        .args(["-x", "-C"])
        .arg(&fresh)
        .stdin(archive.stdout.ok_or("git: no output")?)
        .status()
        .map_err(|e| format!("tar: {e}"))?;
    if !untar.success() {
        return Err(format!("`git archive {rev}` gives no tree"));
    }
    sync(&fresh, to).map_err(|e| format!("{}: {e}", to.display()))
}

/// Makes `to` as `from` is; what is alike keeps its time, so that little is built again.
fn sync(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for old in std::fs::read_dir(to)? {
        let old = old?.path();
        let gone = old.file_name().is_none_or(|n| !from.join(n).exists());
        match gone {
            true if old.is_dir() => std::fs::remove_dir_all(&old)?,
            true => std::fs::remove_file(&old)?,
            false => {}
        }
    }
    for new in std::fs::read_dir(from)? {
        let new: PathBuf = new?.path();
        let Some(target) = new.file_name().map(|n| to.join(n)) else { continue };
        if new.is_dir() {
            sync(&new, &target)?;
        } else {
            let bytes = std::fs::read(&new)?;
            if std::fs::read(&target).ok().as_ref() != Some(&bytes) {
                std::fs::write(&target, bytes)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_mistake_can_be_planted() {
        let list = std::fs::read_to_string(root().join("xtask/mutants.txt")).expect("the list is there");
        let mutants = parse(&list).expect("the list is well-formed");
        assert!(mutants.len() >= 30, "{} mistakes listed", mutants.len());
        for m in &mutants {
            let text = std::fs::read_to_string(root().join(&m.file)).expect("the file is there");
            assert_eq!(text.matches(m.from.as_str()).count(), 1, "{}: {}", m.file, m.from);
            assert_ne!(m.from, m.to);
        }
    }

    #[test]
    fn numbers_and_paths_choose() {
        let m = Mutant { file: "crates/vm/src/exec.rs".into(), from: "a".into(), to: "b".into() };
        let by = |only: &str| Options { rev: None, only: Some(only.into()) };
        assert!(by("3,7").wants(7, &m) && !by("3,7").wants(37, &m));
        assert!(by("crates/vm").wants(1, &m) && !by("codegen").wants(1, &m));
    }
}
