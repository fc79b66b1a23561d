//! Does the suite catch mistakes? Plants each mistake of `xtask/mutants.txt` in a copy of the tree, alone, and runs
//! the net on it: random programs in reference, VM and kernel, then the VM's conformance vectors.
//!
//! A mistake is three lines: `file PATH`, `from TEXT`, `to TEXT`; TEXT must stand exactly once in the file
//! (`\n` is a line break). A mistake that does not compile, or can't be planted, is an error of the list.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::root;

/// Random programs per mistake.
const PROGRAMS: &str = "250";

struct Mutant {
    file: String,
    from: String,
    to: String,
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

/// Plants all (or those whose file's path contains `only`) and prints what caught each. `true` when all were caught.
pub fn run(only: Option<&str>) -> Result<bool, String> {
    let list = std::fs::read_to_string(root().join("xtask/mutants.txt")).map_err(|e| format!("mutants.txt: {e}"))?;
    let mutants = parse(&list)?;
    let tree = root().join("target/mutants/tree");
    copy_tree(&tree)?;
    let (mut caught, mut total) = (0, 0);
    for (i, m) in mutants.iter().enumerate().filter(|(_, m)| only.is_none_or(|o| m.file.contains(o))) {
        total += 1;
        let path = tree.join(&m.file);
        let original = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", m.file))?;
        if original.matches(m.from.as_str()).count() != 1 {
            return Err(format!("{}: `{}` does not stand there exactly once", m.file, m.from));
        }
        let write = |text: &str| std::fs::write(&path, text).map_err(|e| format!("{}: {e}", m.file));
        write(&original.replacen(m.from.as_str(), &m.to, 1))?;
        let verdict = judge(&tree);
        write(&original)?;
        let verdict = verdict?;
        caught += usize::from(verdict.is_some());
        let by = verdict.map_or("SURVIVED".to_string(), |by| format!("caught by {by}"));
        println!("{:>3}  {by}: {}: {} → {}", i + 1, m.file, m.from.trim(), m.to.trim());
    }
    println!("{caught} of {total} mistakes caught");
    Ok(caught == total)
}

/// The part of the suite that fails on the tree; `None` when all of it passes.
fn judge(tree: &Path) -> Result<Option<&'static str>, String> {
    let build = cargo(tree, &["build", "--quiet", "--bin", "difftest"])?;
    if !build {
        return Err("the mistake does not compile".into());
    }
    let target = tree.join("../build");
    let difftest = Command::new(target.join("debug/difftest"))
        .arg(PROGRAMS)
        .current_dir(tree)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|e| format!("difftest: {e}"))?;
    if !difftest.success() {
        return Ok(Some("random programs"));
    }
    for (package, by) in [("whistler-vm", "the VM's tests"), ("whistler-codegen", "the code generator's tests")] {
        if !cargo(tree, &["test", "--quiet", "-p", package])? {
            return Ok(Some(by));
        }
    }
    Ok(None)
}

fn cargo(tree: &Path, args: &[&str]) -> Result<bool, String> {
    Command::new("cargo")
        .args(args)
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", tree.join("../build"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map(|s| s.success())
        .map_err(|e| format!("cargo: {e}"))
}

/// What git tracks, as it is in the working tree.
fn copy_tree(to: &Path) -> Result<(), String> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let listed = listed.map_err(|e| format!("git: {e}"))?.stdout;
    for name in String::from_utf8_lossy(&listed).split('\0').filter(|n| !n.is_empty()) {
        let (source, target) = (root().join(name), to.join(name));
        if let Some(dir) = target.parent() {
            std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        }
        let Ok(bytes) = std::fs::read(&source) else { continue };
        // Unchanged files keep their time, so that little is built again.
        if std::fs::read(&target).ok().as_ref() != Some(&bytes) {
            std::fs::write(&target, bytes).map_err(|e| format!("{}: {e}", target.display()))?;
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
}
