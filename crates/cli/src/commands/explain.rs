//! `whistler explain CODE`: what an error means, with a failing and a mended example.

use whistler_compiler::diagnostics;

use super::Outcome;

/// Prints the text of a code.
pub fn run(code: &str) -> Outcome {
    match diagnostics::explain(code) {
        Some(text) => {
            println!("{}", text.trim_end());
            Ok(true)
        }
        None => Err(format!("there is no error `{code}`; codes look like E0301")),
    }
}
