//! `whistler -e FORM`: evaluates forms and prints their values.

use super::Outcome;
use crate::args::ImageArgs;
use crate::session;

/// Evaluates every form given; stops at the first that fails.
pub fn run(forms: &[String], args: &ImageArgs) -> Outcome {
    let mut session = session::start(args, &session::Limits::default(), session::Way::Interactive)?;
    Ok(forms.iter().all(|form| session.eval("<-e>", form)))
}
