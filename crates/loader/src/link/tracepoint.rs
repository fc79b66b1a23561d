//! Tracepoints: the record that tracefs describes.

use whistler_btf::TypeSourceError;
use whistler_isa::ProgType;
use whistler_kernel::Kernel;
use whistler_sys::{Cap, PerfEvent, PerfKind};

use super::{perf, perf_denied};
use crate::attach::{Made, Why, expect_type};
use crate::program::Program;

pub(crate) fn attach(kernel: &Kernel, program: &Program, category: &str, name: &str, cookie: u64) -> Made {
    expect_type(program, &[ProgType::Tracepoint])?;
    let id = kernel.tracepoint_id(category, name).map_err(|e| match e {
        TypeSourceError::NoTracepoint { near, .. } => {
            Why::new(format!("this kernel has no tracepoint `{category}/{name}`")).near(near)
        }
        other => Why::new(other.to_string()),
    })?;
    // One processor is enough to name: tracepoint programs run on all of them.
    let event = PerfEvent { kind: PerfKind::Tracepoint { id: id.into() }, pid: -1, cpu: 0 };
    let needed = [Cap::Bpf, Cap::Perfmon];
    let event = event.open().map_err(|e| perf_denied(kernel, e, &needed))?;
    perf::attach_one(kernel, program, event, cookie, |e| perf_denied(kernel, e, &needed))
}
