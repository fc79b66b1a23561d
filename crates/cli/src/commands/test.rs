//! `whistler test FILE…`: the tests of files, in the virtual machine, or there and in the kernel.

use std::path::Path;
use std::time::Duration;

use whistler_diag::{Diagnostic, SourceMap, Style, render};
use whistler_image::{TestReport, Verdict, disagreements};
use whistler_kernel::Kernel;

use super::Outcome;
use crate::args::{ImageArgs, TestArgs};
use crate::io::style;
use crate::session::{self, Limits, Session, Way};

/// A test with what there is to say of it.
struct Tested {
    name: String,
    verdict: Verdict,
    checks: usize,
    time: Duration,
    /// The reports as text, for the file.
    text: String,
}

/// Runs the tests and says what came of them; whether all that ran passed.
pub fn run(args: &TestArgs, image: &ImageArgs) -> Outcome {
    if args.kernel {
        let missing = whistler_image::missing_for_live(&Kernel::running());
        if let Some(missing) = missing {
            return Err(format!("--kernel: {missing}"));
        }
    }
    let mut suites = Vec::new();
    let mut fine = true;
    for file in &args.files {
        let name = file.display().to_string();
        say!("{name}");
        match run_file(file, args, image)? {
            Some(tests) => suites.push((name, tests)),
            None => fine = false,
        }
    }
    let all = || suites.iter().flat_map(|(_, tests)| tests);
    let count = |f: fn(&Verdict) -> bool| all().filter(|t| f(&t.verdict)).count();
    let passed = count(|v| matches!(v, Verdict::Passed));
    let failed = count(|v| matches!(v, Verdict::Failed));
    let skipped = count(|v| matches!(v, Verdict::Skipped(_)));
    let mut line = format!("{passed} passed, {failed} failed");
    let unchecked = all().filter(|t| t.verdict == Verdict::Passed && t.checks == 0).count();
    if unchecked > 0 {
        line.push_str(&format!(", {unchecked} without checks"));
    }
    if skipped > 0 {
        line.push_str(&format!(", {skipped} skipped"));
    }
    say!("{line}");
    if let Some(path) = &args.junit {
        std::fs::write(path, junit(&suites)).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    if passed + failed + skipped == 0 && fine {
        return Err(match &args.filter {
            Some(filter) => format!("no test's name has `{filter}` in it"),
            None => "there are no tests: (deftest name …) defines one".to_string(),
        });
    }
    Ok(fine && failed == 0)
}

/// An image with the file's definitions. `None` when they have errors, which were reported.
///
/// The virtual machine's comes first, and has shown the file's warnings when the kernel's is made.
fn loaded(name: &str, text: &str, image: &ImageArgs) -> Result<Option<Session>, String> {
    let mut session = session::start(image, &Limits::default(), Way::Tests)?;
    let fine = if image.vm { session.eval(name, text) } else { session.eval_again(name, text) };
    Ok(fine.then_some(session))
}

fn run_file(file: &Path, args: &TestArgs, image: &ImageArgs) -> Result<Option<Vec<Tested>>, String> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|e| format!("{name}: {e}"))?;
    let image = &ImageArgs { target: args.target, ..image.clone() };
    let Some(vm) = loaded(&name, &text, &ImageArgs { vm: true, ..image.clone() })? else { return Ok(None) };
    let kernel = if args.kernel {
        match loaded(&name, &text, &ImageArgs { vm: false, ..image.clone() })? {
            Some(session) => Some(session),
            None => return Ok(None),
        }
    } else {
        None
    };
    let names = vm.image.borrow().test_names();
    let wanted = names.into_iter().filter(|n| args.filter.as_ref().is_none_or(|f| n.contains(f.as_str())));
    let mut tests = Vec::new();
    for test in wanted {
        let Some(in_vm) = vm.image.borrow_mut().run_test(&test) else { continue };
        let in_kernel = match &kernel {
            Some(k) if in_vm.verdict == Verdict::Passed => k.image.borrow_mut().run_test(&test),
            _ => None,
        };
        tests.push(shown(&in_vm, in_kernel.as_ref(), &vm.sources().borrow()));
    }
    Ok(Some(tests))
}

/// What a test came to, said on the screen.
fn shown(vm: &TestReport, kernel: Option<&TestReport>, sources: &SourceMap) -> Tested {
    let last = kernel.unwrap_or(vm);
    let mut verdict = last.verdict.clone();
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    if let Some(kernel) = kernel
        && !matches!(verdict, Verdict::Skipped(_))
    {
        diagnostics.extend(disagreements(vm, kernel));
        if !diagnostics.is_empty() {
            verdict = Verdict::Failed;
        }
    }
    diagnostics.extend(last.diagnostics.iter().cloned());
    let checks = last.checks.len();
    let place = if kernel.is_some() { " in the kernel" } else { "" };
    match &verdict {
        Verdict::Passed => {
            let counted = match checks {
                0 => "no checks".to_string(),
                1 => "1 check".to_string(),
                n => format!("{n} checks"),
            };
            say!("  ok    {} ({counted})", vm.name);
        }
        Verdict::Failed => say!("  FAIL  {}{place}", vm.name),
        Verdict::Skipped(why) => say!("  skip  {}: {why}", vm.name),
    }
    let text: Vec<String> = diagnostics.iter().map(|d| render(d, sources, Style::Plain)).collect();
    for d in &diagnostics {
        say!("{}", render(d, sources, style()));
    }
    let time = vm.time + kernel.map_or(Duration::ZERO, |k| k.time);
    Tested { name: vm.name.clone(), verdict, checks, time, text: text.join("\n") }
}

/// The results as JUnit's XML, which continuous integration reads.
fn junit(suites: &[(String, Vec<Tested>)]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (file, tests) in suites {
        let count = |f: fn(&Verdict) -> bool| tests.iter().filter(|t| f(&t.verdict)).count();
        let time: Duration = tests.iter().map(|t| t.time).sum();
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.6}\">\n",
            escaped(file),
            tests.len(),
            count(|v| matches!(v, Verdict::Failed)),
            count(|v| matches!(v, Verdict::Skipped(_))),
            time.as_secs_f64()
        ));
        for t in tests {
            out.push_str(&format!(
                "    <testcase name=\"{}\" classname=\"{}\" assertions=\"{}\" time=\"{:.6}\"",
                escaped(&t.name),
                escaped(file),
                t.checks,
                t.time.as_secs_f64()
            ));
            match &t.verdict {
                Verdict::Passed => out.push_str("/>\n"),
                Verdict::Failed => {
                    let first = t.text.lines().next().unwrap_or("failed");
                    out.push_str(&format!(
                        ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                        escaped(first),
                        escaped(&t.text)
                    ));
                }
                Verdict::Skipped(why) => {
                    out.push_str(&format!(">\n      <skipped message=\"{}\"/>\n    </testcase>\n", escaped(why)));
                }
            }
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text as XML holds it; characters that XML has no way to write are left out.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_is_escaped() {
        assert_eq!(escaped("a<b & \"c\"\u{1b}[0m>"), "a&lt;b &amp; &quot;c&quot;[0m&gt;");
    }

    #[test]
    fn every_verdict_is_written() {
        let test = |name: &str, verdict| Tested {
            name: name.into(),
            verdict,
            checks: 1,
            time: Duration::from_millis(2),
            text: "error: x < y\n more".into(),
        };
        let suites = [(
            "a.lisp".to_string(),
            vec![test("p", Verdict::Passed), test("f", Verdict::Failed), test("s", Verdict::Skipped("why".into()))],
        )];
        let xml = junit(&suites);
        assert!(xml.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""), "{xml}");
        assert!(xml.contains("<failure message=\"error: x &lt; y\">error: x &lt; y\n more</failure>"), "{xml}");
        assert!(xml.contains("<skipped message=\"why\"/>"), "{xml}");
    }
}
