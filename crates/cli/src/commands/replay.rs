//! `whistler replay FILE PROG --pcap IN`: a capture's packets through a program.

use whistler_image::{Mode, ReplayError, replay};
use whistler_kernel::Kernel;
use whistler_vm::pcap;

use super::Outcome;
use crate::args::{ImageArgs, ReplayArgs};
use crate::io::report;
use crate::unit;

/// Prints how many packets got which verdict, and writes those that went on.
pub fn run(args: &ReplayArgs, image: &ImageArgs) -> Outcome {
    let name = args.pcap.display().to_string();
    let bytes = std::fs::read(&args.pcap).map_err(|e| format!("{name}: {e}"))?;
    let capture = pcap::read(&bytes).map_err(|e| format!("{name}: {e}"))?;
    let Some((object, sources)) = unit::object(&args.file, &args.target)? else { return Ok(false) };
    let program = whistler_compiler::names::symbol_name(&args.program);
    let mode = if args.kernel { Mode::Kernel } else { Mode::Vm };
    let came = match replay(&object, &program, &capture, mode, &Kernel::running()) {
        Ok(came) => came,
        Err(ReplayError::Said(text)) => return Err(text),
        Err(ReplayError::Refused(e)) => {
            report(&[whistler_image::load_report(&object, &e, image.refusal())], &sources.borrow());
            return Ok(false);
        }
    };
    for (verdict, count) in &came.verdicts {
        say!("{verdict:<18} {count}");
    }
    let (all, on) = (capture.packets.len(), came.passed.packets.len());
    say!("{all} packets, {on} went on, {} of them changed", came.changed);
    if let Some(out) = &args.out {
        std::fs::write(out, pcap::write(&came.passed)).map_err(|e| format!("{}: {e}", out.display()))?;
    }
    Ok(true)
}
