//! `whistler test FILE…`: the tests of files, in the virtual machine, or there and in the kernel.

use std::path::Path;
use std::time::Duration;

use whistler_diag::{Diagnostic, SourceMap, Style, render};
use whistler_image::{Reached, TestReport, Verdict, disagreements};
use whistler_kernel::Kernel;

use super::Outcome;
use crate::args::{ImageArgs, TestArgs};
use crate::io::style;
use crate::session::{self, Limits, Way};

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
    for file in &args.files {
        let name = file.display().to_string();
        say!("{name}");
        suites.push((name, run_file(file, args, image)?));
    }
    let all = || suites.iter().flat_map(|(_, suite)| &suite.tests);
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
    let not_run: usize = suites.iter().map(|(_, s)| s.not_run.unwrap_or(0)).sum();
    if not_run > 0 {
        line.push_str(&format!(", {not_run} not run"));
    }
    say!("{line}");
    if let Some(path) = &args.junit {
        std::fs::write(path, junit(&suites)).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let fine = suites.iter().all(|(_, s)| s.fine);
    if passed + failed + skipped == 0 && fine {
        return Err(match &args.filter {
            Some(filter) => format!("no test's name has `{filter}` in it"),
            None => "there are no tests: (deftest name …) defines one".to_string(),
        });
    }
    Ok(fine && failed == 0)
}

/// What a file's tests came to.
struct Suite {
    tests: Vec<Tested>,
    /// Whether the file itself is without errors, everywhere.
    fine: bool,
    /// How many tests could not be tried because of the file's errors.
    not_run: Option<usize>,
}

fn run_file(file: &Path, args: &TestArgs, image: &ImageArgs) -> Result<Suite, String> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|e| format!("{name}: {e}"))?;
    let image = &ImageArgs { target: args.target, ..image.clone() };
    let mut vm = session::start(&ImageArgs { vm: true, ..image.clone() }, &Limits::default(), Way::Tests)?;
    let (mut fine, reached) = vm.eval_tests(&name, &text);
    if let Reached::Stopped { tests } = reached {
        say_not_run(tests, "the file has errors");
        return Ok(Suite { tests: Vec::new(), fine: false, not_run: Some(tests) });
    }
    let mut kernel = None;
    if args.kernel {
        // The virtual machine has shown the file's warnings.
        let mut session = session::start(&ImageArgs { vm: false, ..image.clone() }, &Limits::default(), Way::Tests)?;
        let (loaded, reached) = session.eval_tests_again(&name, &text);
        fine &= loaded;
        match reached {
            Reached::End => kernel = Some(session),
            Reached::Stopped { tests } => {
                say_not_run(tests, "in the kernel, where the file has errors; here they are in the virtual machine");
            }
        }
    }
    let names = vm.image.borrow().test_names();
    let wanted = names.into_iter().filter(|n| args.filter.as_ref().is_none_or(|f| n.contains(f.as_str())));
    let mut tests = Vec::new();
    for test in wanted {
        let Some(in_vm) = vm.image.borrow_mut().run_test(&test) else { continue };
        let in_kernel = kernel.as_ref().and_then(|k| k.image.borrow_mut().run_test(&test));
        tests.push(shown(&in_vm, in_kernel.as_ref(), &vm.sources().borrow()));
    }
    Ok(Suite { tests, fine, not_run: None })
}

fn say_not_run(tests: usize, why: &str) {
    let count = if tests == 1 { "1 test".to_string() } else { format!("{tests} tests") };
    say!("  not run: {count} ({why})");
}

/// What a test came to, said on the screen.
fn shown(vm: &TestReport, kernel: Option<&TestReport>, sources: &SourceMap) -> Tested {
    let verdict = together(vm, kernel);
    let failed = |r: &TestReport| r.verdict == Verdict::Failed;
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    if let Some(kernel) = kernel
        && ![vm, kernel].iter().any(|r| matches!(r.verdict, Verdict::Skipped(_)))
    {
        diagnostics.extend(disagreements(vm, kernel));
    }
    let verdict = if diagnostics.is_empty() { verdict } else { Verdict::Failed };
    // What is wrong in both is said once.
    let known: Vec<Diagnostic> = vm.diagnostics.clone();
    let more = kernel.iter().flat_map(|k| &k.diagnostics).filter(|d| !known.contains(d));
    let more: Vec<Diagnostic> = more.cloned().collect();
    match kernel {
        Some(kernel) if failed(kernel) && !failed(vm) => diagnostics.extend(kernel.diagnostics.iter().cloned()),
        _ => diagnostics.extend(known.into_iter().chain(more)),
    }
    let checks = kernel.map_or(0, |k| k.checks.len()).max(vm.checks.len());
    match &verdict {
        Verdict::Passed => {
            let counted = match checks {
                0 => "no checks".to_string(),
                1 => "1 check".to_string(),
                n => format!("{n} checks"),
            };
            say!("  ok    {} ({counted})", vm.name);
        }
        Verdict::Failed => {
            let place = match kernel {
                None => "",
                Some(k) if failed(vm) && failed(k) => " in the virtual machine and in the kernel",
                Some(k) if failed(vm) => match &k.verdict {
                    Verdict::Skipped(_) => " in the virtual machine (the kernel can't run it)",
                    _ => " in the virtual machine, not in the kernel",
                },
                Some(_) => " in the kernel",
            };
            say!("  FAIL  {}{place}", vm.name);
        }
        Verdict::Skipped(why) => say!("  skip  {}: {why}", vm.name),
    }
    let text: Vec<String> = diagnostics.iter().map(|d| render(d, sources, Style::Plain)).collect();
    for d in &diagnostics {
        say!("{}", render(d, sources, style()));
    }
    let time = vm.time + kernel.map_or(Duration::ZERO, |k| k.time);
    Tested { name: vm.name.clone(), verdict, checks, time, text: text.join("\n") }
}

/// A test failed if it failed anywhere; else the kernel's word counts.
fn together(vm: &TestReport, kernel: Option<&TestReport>) -> Verdict {
    match kernel {
        _ if vm.verdict == Verdict::Failed => Verdict::Failed,
        Some(kernel) => kernel.verdict.clone(),
        None => vm.verdict.clone(),
    }
}

/// The results as JUnit's XML, which continuous integration reads.
fn junit(suites: &[(String, Suite)]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (file, Suite { tests, not_run, .. }) in suites {
        let errors = usize::from(not_run.is_some());
        let count = |f: fn(&Verdict) -> bool| tests.iter().filter(|t| f(&t.verdict)).count();
        let time: Duration = tests.iter().map(|t| t.time).sum();
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\" skipped=\"{}\" time=\"{:.6}\">\n",
            escaped(file),
            tests.len() + errors,
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
        if let Some(n) = not_run {
            out.push_str(&format!(
                "    <testcase name=\"the file\" classname=\"{}\">\n      <error message=\"it has errors; tests not run: {n}\"/>\n    </testcase>\n",
                escaped(file)
            ));
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
            Suite {
                tests: vec![
                    test("p", Verdict::Passed),
                    test("f", Verdict::Failed),
                    test("s", Verdict::Skipped("why".into())),
                ],
                fine: true,
                not_run: None,
            },
        )];
        let xml = junit(&suites);
        assert!(xml.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""), "{xml}");
        assert!(xml.contains("<failure message=\"error: x &lt; y\">error: x &lt; y\n more</failure>"), "{xml}");
        assert!(xml.contains("<skipped message=\"why\"/>"), "{xml}");
    }
}
