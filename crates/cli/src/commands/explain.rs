//! `whistler explain [CODE]`: what an error means, with a failing and a mended example; or all codes.

use whistler_compiler::diagnostics;

use super::Outcome;

/// Prints the text of a code, or the list of all.
pub fn run(code: Option<&str>) -> Outcome {
    let text = match code {
        Some(code) => diagnostics::explain(code)?,
        None => diagnostics::list(),
    };
    say!("{}", text.trim_end());
    Ok(true)
}
