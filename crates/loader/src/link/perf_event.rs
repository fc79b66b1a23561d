//! Samples: a program run every so many counts of a counter, on every processor.

use whistler_isa::ProgType;
use whistler_kernel::Kernel;
use whistler_sys::{Cap, Errno, PerfEvent, PerfKind, Period};

use super::{perf, perf_denied};
use crate::attach::{Counter, Made, Why, expect_type};
use crate::program::Program;

const PERF_TYPE_HARDWARE: u32 = 0;
const PERF_TYPE_SOFTWARE: u32 = 1;

pub(crate) fn attach(kernel: &Kernel, program: &Program, counter: Counter, period: Period, pid: Option<u32>) -> Made {
    expect_type(program, &[ProgType::PerfEvent])?;
    let (kind, config) = match counter {
        Counter::CpuClock => (PERF_TYPE_SOFTWARE, 0),
        Counter::PageFaults => (PERF_TYPE_SOFTWARE, 2),
        Counter::Cycles => (PERF_TYPE_HARDWARE, 0),
        Counter::Raw(kind, config) => (kind, config),
    };
    let kind = PerfKind::Sample { kind, config, period };
    let pid = pid.map_or(-1, |p| i32::try_from(p).unwrap_or(i32::MAX));
    let needed = [Cap::Bpf, Cap::Perfmon];
    let mut held = Vec::new();
    for cpu in online() {
        let event = PerfEvent { kind, pid, cpu }.open().map_err(|e| match e.errno {
            Errno::ENOENT | Errno::EOPNOTSUPP | Errno::ENODEV => {
                Why::new("this machine has no such counter").mend("sample the CPU clock instead").cause(e)
            }
            Errno::ESRCH => Why::new("there is no such process").cause(e),
            _ => perf_denied(kernel, e, &needed),
        })?;
        held.push(perf::hang(kernel, program, event, 0).map_err(|e| perf_denied(kernel, e, &needed))?);
    }
    Ok(perf::held(held))
}

/// The processors that are on.
pub(crate) fn online() -> Vec<i32> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (lo, hi) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(lo), Ok(hi)) = (lo.parse::<i32>(), hi.parse::<i32>())
            && hi < 65_536
        {
            cpus.extend(lo..=hi);
        }
    }
    if cpus.is_empty() { vec![0] } else { cpus }
}
