//! Places in programs and libraries: by a uprobe.multi link (6.6, for programs loaded so, which needs
//! no CAP_SYS_ADMIN), else by a perf event.

use std::os::fd::AsFd;
use std::path::Path;

use whistler_isa::{AttachType, ProgType};
use whistler_kernel::Kernel;
use whistler_sys::bpf::{LinkCreate, LinkExtra, LinkTarget};
use whistler_sys::{Cap, Errno, PerfEvent, PerfKind, SysError};

use super::{perf, perf_denied};
use crate::attach::{Hold, Made, UprobePlace, When, Why, expect_type};
use crate::elf_symbols::{self, SymbolError};
use crate::program::Program;

const BPF_F_UPROBE_MULTI_RETURN: u32 = 1;

pub(crate) fn attach(
    kernel: &Kernel,
    program: &Program,
    file: &Path,
    place: &UprobePlace,
    when: When,
    pid: Option<u32>,
    cookie: u64,
) -> Made {
    expect_type(program, &[ProgType::Kprobe])?;
    let file =
        elf_symbols::find_file(file).ok_or_else(|| Why::new(format!("there is no file `{}`", file.display())))?;
    let offset = match place {
        UprobePlace::Offset(o) => *o,
        UprobePlace::Symbol(name, into) => {
            elf_symbols::file_offset(&file, name).map(|o| o + into).map_err(|e| match e {
                SymbolError::NoSymbol { near } => {
                    Why::new(format!("`{}` has no function `{name}`", file.display())).near(near)
                }
                other => Why::new(other.to_string()),
            })?
        }
    };
    let path = crate::c_path(&file).map_err(|e| Why::new(e.to_string()))?;
    if program.attach_type() == Some(AttachType::TraceUprobeMulti) {
        let cookies = [cookie];
        let link = LinkCreate {
            prog: program.as_fd(),
            target: LinkTarget::None,
            attach_type: AttachType::TraceUprobeMulti.number(),
            flags: 0,
            extra: LinkExtra::UprobeMulti {
                path: &path,
                offsets: &[offset],
                ref_ctr_offsets: &[],
                cookies: if cookie == 0 { &[] } else { &cookies },
                flags: if when == When::Return { BPF_F_UPROBE_MULTI_RETURN } else { 0 },
                pid: pid.unwrap_or(0),
            },
        };
        return match link.create() {
            Ok(fd) => Ok((Hold::Link { fd, updates: false }, "uprobe.multi link")),
            Err(e) => Err(refused(pid, e, |e| Why::denied(kernel, e, &[Cap::Bpf, Cap::Perfmon]))),
        };
    }
    let Some(pmu) = whistler_kernel::pmu("uprobe") else {
        return Err(Why::new("this kernel is built without uprobes (CONFIG_UPROBE_EVENTS)"));
    };
    let config = if when == When::Return { 1 << pmu.return_bit } else { 0 };
    let kind = PerfKind::Uprobe { pmu: pmu.number, config, path: &path, offset };
    // Either one process on any processor, or every process: then one processor is named.
    let (pid_arg, cpu) = pid.map_or((-1, 0), |p| (i32::try_from(p).unwrap_or(i32::MAX), -1));
    let denied = |e| refused(pid, e, |e| perf_denied(kernel, e, &[Cap::Bpf, Cap::Perfmon, Cap::SysAdmin]));
    let event = PerfEvent { kind, pid: pid_arg, cpu }.open().map_err(denied)?;
    perf::attach_one(kernel, program, event, cookie, denied)
}

fn refused(pid: Option<u32>, e: SysError, other: impl FnOnce(SysError) -> Why) -> Why {
    match (e.errno, pid) {
        (Errno::ESRCH, Some(pid)) => Why::new(format!("there is no process {pid}")).cause(e),
        (Errno::EINVAL, _) => Why::new("the place is not in the program's code").cause(e),
        _ => other(e),
    }
}
