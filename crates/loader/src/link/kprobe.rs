//! Kernel functions: one by a perf event, or many by one link (kprobe.multi, for programs loaded so).

use std::ffi::CString;
use std::os::fd::AsFd;

use rustc_hash::FxHashMap;
use whistler_isa::{AttachType, ProgType};
use whistler_kernel::{Kernel, matches_glob};
use whistler_sys::bpf::{LinkCreate, LinkExtra, LinkTarget};
use whistler_sys::{Cap, Errno, PerfEvent, PerfKind, SysError};

use super::{c_name, perf, perf_denied};
use crate::attach::{Hold, Made, When, Why, expect_type};
use crate::program::Program;

const BPF_F_KPROBE_MULTI_RETURN: u32 = 1;

pub(crate) fn attach(
    kernel: &Kernel,
    program: &Program,
    functions: &[String],
    offset: u64,
    when: When,
    cookie: u64,
) -> Made {
    expect_type(program, &[ProgType::Kprobe])?;
    let expanded;
    let functions = if functions.iter().any(|f| f.contains(['*', '?'])) {
        expanded = expand(kernel, functions)?;
        &expanded
    } else {
        functions
    };
    let multi = program.attach_type() == Some(AttachType::TraceKprobeMulti);
    match functions {
        [] => Err(Why::new("no function is named")),
        _ if multi && offset == 0 => attach_multi(kernel, program, functions, when, cookie),
        _ if multi => Err(Why::new("a kprobe.multi program attaches to the start of functions only")),
        _ => attach_each(kernel, program, functions, offset, when, cookie),
    }
}

/// One program can't sensibly be put on more functions than this.
const MAX_FUNCTIONS: usize = 10_000;

/// The functions that patterns name, each once.
fn expand(kernel: &Kernel, patterns: &[String]) -> Result<Vec<String>, Why> {
    let listed = kernel.tracefs().and_then(|t| t.functions());
    let known = listed.map_err(|e| {
        Why::new(format!("a pattern needs the kernel's list of functions, which can't be read: {e}")).cause(e)
    })?;
    let mut found: Vec<String> = Vec::new();
    for pattern in patterns {
        let before = found.len();
        // Clones of the compiler (`f.cold`, `f.isra.0`) can't be named.
        found.extend(known.iter().filter(|f| !f.contains('.') && matches_glob(pattern, f)).cloned());
        if found.len() == before {
            return Err(Why::new(format!("no function of this kernel fits `{pattern}`")));
        }
    }
    found.sort();
    found.dedup();
    if found.len() > MAX_FUNCTIONS {
        return Err(Why::new(format!("{} functions fit, more than {MAX_FUNCTIONS}", found.len())));
    }
    // A name that several functions share can't be told apart: the kernel refuses it.
    let mut times: FxHashMap<&str, usize> = FxHashMap::default();
    for f in &known {
        *times.entry(f).or_default() += 1;
    }
    found.retain(|f| times.get(f.as_str()) == Some(&1));
    Ok(found)
}

fn attach_multi(kernel: &Kernel, program: &Program, functions: &[String], when: When, cookie: u64) -> Made {
    let symbols: Vec<CString> = functions.iter().map(|f| c_name(f)).collect::<Result<_, _>>()?;
    let cookies = if cookie == 0 { Vec::new() } else { vec![cookie; symbols.len()] };
    let flags = if when == When::Return { BPF_F_KPROBE_MULTI_RETURN } else { 0 };
    let link = LinkCreate {
        prog: program.as_fd(),
        target: LinkTarget::None,
        attach_type: AttachType::TraceKprobeMulti.number(),
        flags: 0,
        extra: LinkExtra::KprobeMulti { flags, symbols: &symbols, cookies: &cookies },
    };
    match link.create() {
        Ok(fd) => Ok((Hold::Link { fd, updates: false }, "kprobe.multi link")),
        Err(e) if matches!(e.errno, Errno::ENOENT | Errno::ESRCH) => {
            // The kernel does not say which of them it is.
            let missing = functions.iter().find(|f| !known(kernel, f)).or(functions.first());
            Err(no_function(kernel, missing.map_or("", String::as_str), e))
        }
        Err(e) if matches!(e.errno, Errno::EOPNOTSUPP | Errno::EINVAL) => {
            Err(Why::new("this kernel has no kprobe.multi links (CONFIG_FPROBE)").cause(e))
        }
        Err(e) => Err(Why::denied(kernel, e, &[Cap::Bpf, Cap::Perfmon])),
    }
}

/// A perf event for every function.
fn attach_each(kernel: &Kernel, program: &Program, functions: &[String], offset: u64, when: When, cookie: u64) -> Made {
    let Some(pmu) = whistler_kernel::pmu("kprobe") else {
        return Err(Why::new("this kernel is built without kprobes (CONFIG_KPROBE_EVENTS)")
            .mend("use a tracepoint or a raw tracepoint; `whistler doctor` lists what this kernel can do"));
    };
    perf::check_cookie(kernel, cookie)?;
    let config = if when == When::Return { 1 << pmu.return_bit } else { 0 };
    let mut held = Vec::new();
    for function in functions {
        let symbol = c_name(function)?;
        let kind = PerfKind::Kprobe { pmu: pmu.number, config, symbol: &symbol, offset };
        let event = PerfEvent { kind, pid: -1, cpu: 0 }.open();
        let hung = event.and_then(|event| perf::hang(kernel, program, event, cookie));
        held.push(hung.map_err(|e| refused(kernel, function, offset, e))?);
    }
    Ok(perf::held(held))
}

fn refused(kernel: &Kernel, function: &str, offset: u64, e: SysError) -> Why {
    match e.errno {
        Errno::ENOENT if !known(kernel, function) => no_function(kernel, function, e),
        Errno::ENOENT => Why::new(format!("`{function}` is there, but can't be found by this name")).cause(e),
        Errno::EADDRNOTAVAIL => {
            Why::new(format!("`{function}` has several places of that name in the kernel; use another function"))
                .cause(e)
        }
        Errno::EILSEQ | Errno::EINVAL if offset != 0 => {
            Why::new(format!("{offset:#x} is not the start of an instruction of `{function}`")).cause(e)
        }
        Errno::EINVAL | Errno::EOPNOTSUPP => {
            Why::new(format!("`{function}` is one of the functions that the kernel keeps free of probes")).cause(e)
        }
        _ => perf_denied(kernel, e, &[Cap::Bpf, Cap::Perfmon, Cap::SysAdmin]),
    }
}

fn known(kernel: &Kernel, function: &str) -> bool {
    kernel.symbols().is_ok_and(|s| s.address(function).is_some())
}

fn no_function(kernel: &Kernel, function: &str, e: SysError) -> Why {
    let near: Vec<String> = kernel
        .symbols()
        .map(|s| whistler_kernel::nearest(function, s.names(), 3).into_iter().map(str::to_string).collect())
        .unwrap_or_default();
    let why = match near.first() {
        Some(n) => format!("this kernel has no function `{function}`; nearest is `{n}`"),
        None => format!("this kernel has no function `{function}` (it may have been inlined away)"),
    };
    Why::new(why).near(near).cause(e)
}
