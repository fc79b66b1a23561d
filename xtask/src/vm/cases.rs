//! The same objects on this kernel and on others: the cases of `whistler-cli`'s test `kernels`, compiled once here, and
//! a table of how each ended where. Invariant: what the table calls passed ran; a kernel that said nothing of a case
//! has a dash there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::{Guest, LIBRARIES, Options, Report, TARGET, boot, build, kernels, need_qemu};

/// Scripts of the test `live` that want no tools: they are compiled in the machines, for the kernel there. The test
/// finds them, and the binary, under the paths that they have here.
const LIVE: &[&str] = &["arguments", "iterator", "kernel-bit-fields", "kernel-questions"];

/// What bpftool wants besides [`LIBRARIES`].
const BPFTOOL: &[&str] =
    &["/lib/x86_64-linux-gnu/libelf.so.1", "/lib/x86_64-linux-gnu/libz.so.1", "/lib/x86_64-linux-gnu/libcap.so.2"];

/// The kernel at hand, as a column of the table.
const HERE: &str = "here";

/// How a test ended, by kernel.
type Table = BTreeMap<String, BTreeMap<String, Ended>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Passed,
    Failed,
    Ignored,
}

/// Runs them; whether all that ran passed.
pub fn run(options: &Options, root: &Path, target: &Path, init: &Path) -> Result<bool, String> {
    need_qemu()?;
    let made = build(root, &["test", "-p", "whistler-cli", "--test", "kernels", "--test", "live", "--no-run"])?;
    let called = |name: &str| {
        let is = |p: &&PathBuf| {
            let file = p.file_name().unwrap_or_default().to_string_lossy();
            file.rsplit_once('-').is_some_and(|(stem, _)| stem == name)
        };
        made.iter().find(is).ok_or_else(|| format!("cargo made no `{name}`"))
    };
    // Where the tests were told that it is.
    let whistler = target.join(TARGET).join("debug/whistler");
    let tests = called("kernels")?;
    let work = target.join("kernels").join(format!("cases-{}", std::process::id()));
    let work = Work(work);
    let objects = work.0.join("objects");
    fs::create_dir_all(&objects).map_err(|e| format!("{}: {e}", objects.display()))?;
    kernels::run(Command::new(tests).env("WHISTLER_COMPILE_TO", &objects))?;
    let hold = work.0.join("hold");
    let source = root.join("crates/cli/tests/kernels/hold.c");
    kernels::run(
        Command::new("cc").args(["-O1", "-static", "-o"]).arg(&hold).arg(source).args(["-lbpf", "-lelf", "-lz"]),
    )?;

    let mut table = Table::new();
    let mut good = true;
    let start = Instant::now();
    let here = Command::new(tests).env("WHISTLER_OBJECTS", &objects).env("WHISTLER_REQUIRE_KERNEL", "1").output();
    let here = here.map_err(|e| format!("{}: {e}", tests.display()))?;
    let mut report = Report::default();
    for line in String::from_utf8_lossy(&here.stdout).lines() {
        println!("[{HERE}] {line}");
        report.line(line);
    }
    good &= here.status.success();
    add(&mut table, HERE, &report);
    println!("[{HERE}] {} s", start.elapsed().as_secs());

    let mut guest = Guest::new(init)?;
    let plain = ["--color=never".to_string()];
    for library in LIBRARIES.iter().chain(BPFTOOL).filter(|l| Path::new(l).exists()) {
        guest.put(Path::new(library), library)?;
    }
    for place in ["/usr/sbin/bpftool", "/sbin/bpftool"] {
        if Path::new(place).exists() {
            guest.put(Path::new(place), "/bin/bpftool")?;
        }
    }
    guest.put(&hold, "/bin/hold")?;
    guest.put(&objects, "/objects")?;
    guest.put(&root.join("crates/cli/tests/kernels"), "/cases")?;
    guest.environment(
        "WHISTLER_OBJECTS=/objects\nWHISTLER_CASES=/cases\nWHISTLER_HOLD=/bin/hold\nWHISTLER_EVERY_CASE=1\n",
    );
    guest.environment("WHISTLER_REQUIRE_KERNEL=1\n");
    let mut list = guest.program(tests, &plain)?;
    guest.put(&whistler, &whistler.to_string_lossy())?;
    for name in LIVE {
        let file = root.join("crates/cli/tests/live").join(name).with_extension("lisp");
        guest.put(&file, &file.to_string_lossy())?;
    }
    list += &guest.program(called("live")?, &plain)?;
    guest.files.insert("/run-list".into(), list.into_bytes());
    let mut summary = Vec::new();
    for spec in &options.kernels {
        let report = boot(spec, &guest, target, options.timeout)?;
        good &= report.good();
        add(&mut table, spec.name, &report);
        summary.push(format!("kernel {}: {report}", spec.name));
    }
    let columns: Vec<&str> = std::iter::once(HERE).chain(options.kernels.iter().map(|k| k.name)).collect();
    print!("{}", show(&table, &columns));
    summary.iter().for_each(|line| println!("{line}"));
    Ok(good && !table.is_empty())
}

/// Removed with all in it.
struct Work(PathBuf);

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn add(table: &mut Table, kernel: &str, report: &Report) {
    for (test, ended) in &report.ended.list {
        table.entry(test.clone()).or_default().insert(kernel.to_string(), *ended);
    }
}

/// The table as text.
fn show(table: &Table, columns: &[&str]) -> String {
    let width = table.keys().map(String::len).max().unwrap_or(0).max(4);
    let mut out = format!("{:width$}", "case");
    columns.iter().for_each(|c| out += &format!("  {c:>6}"));
    out.push('\n');
    for (test, row) in table {
        out += &format!("{test:width$}");
        for column in columns {
            let word = match row.get(*column) {
                Some(Ended::Passed) => "PASS",
                Some(Ended::Failed) => "FAIL",
                Some(Ended::Ignored) | None => "-",
            };
            out += &format!("  {word:>6}");
        }
        out.push('\n');
    }
    out
}

/// Reads what test harnesses say, line by line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Endings {
    pub list: Vec<(String, Ended)>,
    /// A test that printed something of its own before it ended.
    begun: Option<String>,
}

impl Endings {
    pub fn line(&mut self, line: &str) {
        let how = |word: &str| match word {
            "ok" => Some(Ended::Passed),
            "FAILED" => Some(Ended::Failed),
            "ignored" => Some(Ended::Ignored),
            _ => None,
        };
        let (test, word) = match line.strip_prefix("test ").and_then(|l| l.split_once(" ... ")) {
            Some((test, word)) => (Some(test.trim_end().to_string()), word),
            None => (self.begun.clone(), line),
        };
        match (&test, how(word)) {
            (Some(test), Some(ended)) => {
                self.list.push((test.clone(), ended));
                self.begun = None;
            }
            _ => self.begun = test,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_dash_where_nothing_ran() {
        let mut table = Table::new();
        let mut report = Report::default();
        for line in
            ["test a/x     ... ok", "test b ... ignored", "test c ... FAILED", "test d ... said", "more", "ok", "ok"]
        {
            report.line(line);
        }
        add(&mut table, "6.1", &report);
        let text = show(&table, &["here", "6.1"]);
        let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(
            rows[1..],
            [vec!["a/x", "-", "PASS"], vec!["b", "-", "-"], vec!["c", "-", "FAIL"], vec!["d", "-", "PASS"]]
        );
    }
}
