//! `whistler doctor`: what this machine lets us do.

use whistler_kernel::{Kernel, doctor};

use super::Outcome;

/// Shows every fact, and how to mend what is missing.
pub fn run() -> Outcome {
    let kernel = Kernel::running();
    let program = std::env::current_exe().map_err(|e| format!("can't find the program's own file: {e}"))?;
    let facts = doctor::examine(&kernel, &program);
    let width = facts.iter().map(|f| f.what.chars().count()).max().unwrap_or(0);
    let mut fine = true;
    for f in &facts {
        let mark = match f.verdict {
            doctor::Verdict::Ok => "ok",
            doctor::Verdict::Limited => "--",
            doctor::Verdict::Missing => "NO",
            doctor::Verdict::Unknown => "??",
        };
        fine &= f.verdict != doctor::Verdict::Missing;
        say!("{mark}  {:width$}  {}", f.what, f.detail);
        if let Some(mend) = &f.mend {
            say!("    {:width$}  mend: {mend}", "");
        }
    }
    Ok(fine)
}
