//! `whistler run FILE`: a file as a script.

use std::time::Duration;

use super::Outcome;
use crate::args::{ImageArgs, RunArgs};
use crate::session::{self, Limits, Way};

/// Runs the file's forms, then its `main` if it has one.
pub fn run(args: &RunArgs, image: &ImageArgs) -> Outcome {
    let name = args.file.display().to_string();
    let text = std::fs::read_to_string(&args.file).map_err(|e| format!("{name}: {e}"))?;
    let mut image = ImageArgs { target: args.target, ..image.clone() };
    let missing = whistler_image::missing_for_live(&whistler_kernel::Kernel::running());
    if !image.vm
        && let Some(missing) = missing
    {
        complain!("{missing}");
        image.vm = true;
    }
    let time = match args.seconds.map(Duration::try_from_secs_f64) {
        None => None,
        Some(Ok(t)) => Some(t),
        Some(Err(e)) => return Err(format!("--seconds: {e}")),
    };
    let recorded = if image.vm { recorded_events(args)? } else { None };
    let mut session = session::start(&image, &Limits { count: args.count, time, recorded }, Way::Batch)?;
    let mut all = vec!["whistler".to_string()];
    all.extend_from_slice(&args.args);
    session.image.borrow_mut().set_arguments(&all);
    let fine = session.eval(&name, &text);
    // A file that looks at its arguments itself needs no `main` to take them.
    let own_arguments = text.contains("*posix-argv*") && !session.image.borrow_mut().has_main();
    let fine = fine && (own_arguments || session.main(&args.args)) && session.follow_emitted();
    if let (true, Some(hint)) = (fine, session.image.borrow().idle()) {
        complain!("{name}: {hint}");
    }
    Ok(fine)
}

/// The events recorded for an example lie beside it: `exec-snoop.events`.
fn recorded_events(args: &RunArgs) -> Result<Option<(String, String)>, String> {
    let path = args.file.with_extension("events");
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(Some((path.display().to_string(), text)))
}
