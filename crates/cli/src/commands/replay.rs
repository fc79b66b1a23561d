//! `whistler replay FILE PROG --pcap IN`: a capture's packets through a program.

use whistler_image::{Mode, replay};
use whistler_kernel::Kernel;
use whistler_vm::pcap;

use super::Outcome;
use crate::args::ReplayArgs;
use crate::unit;

/// Prints how many packets got which verdict, and writes those that went on.
pub fn run(args: &ReplayArgs) -> Outcome {
    let name = args.pcap.display().to_string();
    let bytes = std::fs::read(&args.pcap).map_err(|e| format!("{name}: {e}"))?;
    let capture = pcap::read(&bytes).map_err(|e| format!("{name}: {e}"))?;
    let Some(object) = unit::object(&args.file, &args.target)? else { return Ok(false) };
    let program: String = args.program.to_lowercase().replace('-', "_");
    let mode = if args.kernel { Mode::Kernel } else { Mode::Vm };
    let came = replay(&object, &program, &capture, mode, &Kernel::running())?;
    for (verdict, count) in &came.verdicts {
        println!("{verdict:<18} {count}");
    }
    let (all, on) = (capture.packets.len(), came.passed.packets.len());
    println!("{all} packets, {on} went on, {} of them changed", came.changed);
    if let Some(out) = &args.out {
        std::fs::write(out, pcap::write(&came.passed)).map_err(|e| format!("{}: {e}", out.display()))?;
    }
    Ok(true)
}
