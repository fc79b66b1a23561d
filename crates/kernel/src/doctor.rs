//! What this machine lets us do, as a list of facts, each with the command that mends it.
//!
//! Invariant: a `mend` is a whole command line that works as it stands when an administrator runs it.

use std::fmt::Write as _;
use std::path::Path;

use whistler_isa::KernelVersion;
use whistler_sys::{Cap, Errno};

use crate::{Feature, Kernel, Origin};

/// How a fact stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Some things won't work; the detail says which.
    Limited,
    /// Missing: most things won't work.
    Missing,
    /// Could not be found out.
    Unknown,
}

/// One fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// What it is about: `BTF`, `cap_bpf`, …
    pub what: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found, and what follows from it.
    pub detail: String,
    /// The command that mends it.
    pub mend: Option<String>,
}

fn fact(what: &'static str, verdict: Verdict, detail: impl Into<String>) -> Fact {
    Fact { what, verdict, detail: detail.into(), mend: None }
}

impl Fact {
    fn mend(mut self, command: impl Into<String>) -> Fact {
        self.mend = Some(command.into());
        self
    }
}

/// The oldest kernel that this project is tested on.
const TESTED_FROM: KernelVersion = KernelVersion::new(6, 1);

/// What a capability opens.
const fn purpose(cap: Cap) -> &'static str {
    match cap {
        Cap::Bpf => "make maps and load programs",
        Cap::Perfmon => "load tracing programs and attach them",
        Cap::NetAdmin => "load and attach network programs (XDP, tc, cgroup)",
        Cap::SysAdmin => "kprobes and uprobes through perf events, ids of others' programs, run statistics",
        Cap::DacReadSearch => "read tracepoint formats where only root may",
        Cap::Syslog => "see addresses of kernel symbols",
        Cap::SysResource => "raise limits",
    }
}

/// Those that a non-root user's copy of the program should have; CAP_SYS_ADMIN is for special things.
const WANTED: [Cap; 5] = [Cap::Bpf, Cap::Perfmon, Cap::NetAdmin, Cap::DacReadSearch, Cap::Syslog];

/// All facts. `program` is the file that capabilities would be given to.
pub fn examine(kernel: &Kernel, program: &Path) -> Vec<Fact> {
    let mut facts = vec![version(kernel), btf(kernel), tracefs(kernel)];
    facts.extend(trace_pipe(kernel));
    facts.extend(capabilities(kernel, program));
    facts.extend(no_new_privileges());
    facts.extend([memlock(kernel), unprivileged(kernel), paranoid(kernel), symbols(kernel), lockdown(), jit()]);
    facts.extend(features(kernel));
    facts
}

fn version(kernel: &Kernel) -> Fact {
    let Some(version) = kernel.version() else {
        return fact("kernel", Verdict::Unknown, "its release can't be read");
    };
    if version >= TESTED_FROM {
        return fact("kernel", Verdict::Ok, kernel.release());
    }
    let detail = format!("{} is older than {TESTED_FROM}, the oldest this is tested on", kernel.release());
    fact("kernel", Verdict::Limited, detail)
}

fn btf(kernel: &Kernel) -> Fact {
    match kernel.btf_error() {
        None => {
            let how = if kernel.btf_is_mapped() { "mapped" } else { "read" };
            fact("BTF", Verdict::Ok, format!("/sys/kernel/btf/vmlinux ({how})"))
        }
        Some(problem) if !Path::new("/sys/kernel").exists() => {
            fact("BTF", Verdict::Missing, problem).mend("sudo mount -t sysfs sysfs /sys")
        }
        Some(problem) => fact("BTF", Verdict::Missing, problem),
    }
}

fn tracefs(kernel: &Kernel) -> Fact {
    let tracefs = match kernel.tracefs() {
        Ok(t) => t,
        Err(e) if e.errno == Errno::EACCES => {
            let detail = "tracepoint formats can't be read: tracefs is closed to this user";
            return fact("tracefs", Verdict::Missing, detail)
                .mend(format!("sudo mount -o remount,mode=755,gid={} /sys/kernel/tracing", gid()));
        }
        Err(e) => {
            let detail = format!("tracepoint formats can't be read: tracefs is not mounted ({e})");
            return fact("tracefs", Verdict::Missing, detail)
                .mend(format!("sudo mount -t tracefs -o mode=755,gid={} tracefs /sys/kernel/tracing", gid()));
        }
    };
    let place = match tracefs.origin() {
        Origin::Mounted(place) => format!("mounted at {place}"),
        Origin::Detached => "not mounted; a mount of our own is used".to_string(),
        Origin::Saved => "saved copies".to_string(),
    };
    // Directories may be open and the files in them not.
    match tracefs.format_text("sched", "sched_process_exec") {
        Ok(_) => fact("tracefs", Verdict::Ok, place),
        Err(e) if e.errno == Errno::EACCES => {
            fact("tracefs", Verdict::Missing, format!("{place}, but formats are closed to this user"))
                .mend(format!("sudo mount -o remount,mode=755,gid={} /sys/kernel/tracing", gid()))
        }
        Err(e) => fact("tracefs", Verdict::Limited, format!("{place}, but sched/sched_process_exec: {e}")),
    }
}

/// Whether what `printk` writes can be seen.
fn trace_pipe(kernel: &Kernel) -> Option<Fact> {
    let tracefs = kernel.tracefs().ok()?;
    let (place, first) = match tracefs.origin() {
        Origin::Mounted(place) => (place, ""),
        Origin::Detached => ("/sys/kernel/tracing", "sudo mount -t tracefs tracefs /sys/kernel/tracing && "),
        Origin::Saved => return None,
    };
    Some(match tracefs.tracing_on()? {
        true => fact("trace pipe", Verdict::Ok, format!("`printk` writes to {place}/trace_pipe")),
        false => fact("trace pipe", Verdict::Limited, "off (tracing_on is 0): nothing of what `printk` writes is seen")
            .mend(format!("{first}echo 1 | sudo tee {place}/tracing_on")),
    })
}

fn gid() -> u32 {
    whistler_sys::group_id()
}

fn capabilities(kernel: &Kernel, program: &Path) -> Vec<Fact> {
    let held = kernel.capabilities();
    let listed = |c: &Cap| WANTED.contains(c) || held.permitted & (1 << *c as u8) != 0;
    let names: Vec<&str> = Cap::ALL.iter().filter(|c| listed(c)).map(|c| c.name()).collect();
    // setcap replaces all that a file has, so every fact's command names the whole set.
    let command = format!("sudo setcap {}=ep {}", names.join(","), quoted(program));
    let all = [Cap::Bpf, Cap::Perfmon, Cap::NetAdmin, Cap::DacReadSearch, Cap::Syslog, Cap::SysAdmin];
    all.into_iter()
        .map(|cap| {
            if held.has(cap) {
                return fact(cap.name(), Verdict::Ok, purpose(cap));
            }
            match cap {
                Cap::Bpf | Cap::Perfmon => fact(cap.name(), Verdict::Missing, format!("needed to {}", purpose(cap))),
                Cap::SysAdmin => {
                    // Not in the command: it is next to everything, and rarely needed.
                    let detail = format!("only for: {}", purpose(cap));
                    return fact(cap.name(), Verdict::Limited, detail);
                }
                _ => fact(cap.name(), Verdict::Limited, format!("needed to {}", purpose(cap))),
            }
            .mend(command.clone())
        })
        .collect()
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// File capabilities are without effect in a process that gave up gaining privileges.
fn no_new_privileges() -> Option<Fact> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let set = status.lines().any(|l| l.strip_prefix("NoNewPrivs:").is_some_and(|v| v.trim() == "1"));
    set.then(|| {
        let detail =
            "set: file capabilities and sudo have no effect in this session (a container's or service's setting)";
        fact("no_new_privs", Verdict::Limited, detail)
    })
}

fn memlock(kernel: &Kernel) -> Fact {
    if kernel.version().is_none_or(|v| v >= KernelVersion::new(5, 11)) {
        return fact("memlock", Verdict::Ok, "does not limit maps (they count as memory of the cgroup since 5.11)");
    }
    fact("memlock", Verdict::Limited, "maps count against RLIMIT_MEMLOCK on this kernel").mend("ulimit -l unlimited")
}

/// The number in a file of /proc/sys, or why not.
fn sysctl(path: &str) -> Result<i64, Errno> {
    let text = std::fs::read_to_string(format!("/proc/sys/{path}"))?;
    text.trim().parse().map_err(|_| Errno::EINVAL)
}

fn unprivileged(kernel: &Kernel) -> Fact {
    let what = "unprivileged_bpf_disabled";
    match sysctl("kernel/unprivileged_bpf_disabled") {
        Ok(0) => fact(what, Verdict::Ok, "0: everybody may load socket filters"),
        Ok(n) if kernel.capabilities().has(Cap::Bpf) => fact(what, Verdict::Ok, format!("{n}: no matter with cap_bpf")),
        Ok(n) => fact(what, Verdict::Ok, format!("{n}: bpf is for those with cap_bpf")),
        Err(e) => fact(what, Verdict::Unknown, e.to_string()),
    }
}

fn paranoid(kernel: &Kernel) -> Fact {
    let what = "perf_event_paranoid";
    let caps = kernel.capabilities();
    match sysctl("kernel/perf_event_paranoid") {
        Err(e) => fact(what, Verdict::Unknown, e.to_string()),
        Ok(n) if n <= 2 => fact(what, Verdict::Ok, format!("{n}: perf events are open to cap_perfmon")),
        Ok(n) if caps.has(Cap::SysAdmin) => fact(what, Verdict::Ok, format!("{n}: no matter with cap_sys_admin")),
        Ok(n) => {
            let detail = format!(
                "{n} (distributions' own level): tracepoint, kprobe and perf_event programs need cap_sys_admin; \
                 raw tracepoints and multi links do not"
            );
            fact(what, Verdict::Limited, detail).mend("sudo sysctl kernel.perf_event_paranoid=2")
        }
    }
}

fn symbols(kernel: &Kernel) -> Fact {
    let restrict = sysctl("kernel/kptr_restrict").unwrap_or(0);
    match kernel.symbols() {
        Ok(s) if s.has_addresses() => fact("kernel symbols", Verdict::Ok, "with addresses"),
        Ok(_) if restrict >= 2 => {
            let detail = "addresses are hidden from everybody (kptr_restrict is 2): stacks show numbers";
            fact("kernel symbols", Verdict::Limited, detail).mend("sudo sysctl kernel.kptr_restrict=1")
        }
        Ok(_) => {
            fact("kernel symbols", Verdict::Limited, "addresses are hidden without cap_syslog: stacks show numbers")
        }
        Err(e) => fact("kernel symbols", Verdict::Unknown, e.to_string()),
    }
}

fn lockdown() -> Fact {
    // Readable by all where securityfs is mounted: `[none] integrity confidentiality`.
    match std::fs::read_to_string("/sys/kernel/security/lockdown") {
        Ok(text) => {
            let mode = text.split('[').nth(1).and_then(|t| t.split(']').next()).unwrap_or("?").to_string();
            match mode.as_str() {
                "none" => fact("lockdown", Verdict::Ok, mode),
                "integrity" => {
                    fact("lockdown", Verdict::Limited, "integrity: writing user memory and kprobe overrides are closed")
                }
                _ => fact("lockdown", Verdict::Limited, format!("{mode}: programs may not read kernel memory")),
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let empty = std::fs::read_dir("/sys/kernel/security").is_ok_and(|mut d| d.next().is_none());
            let unknown = |detail: &str| fact("lockdown", Verdict::Unknown, detail);
            if empty {
                unknown("securityfs, which would tell, is not mounted")
                    .mend("sudo mount -t securityfs securityfs /sys/kernel/security")
            } else {
                unknown("the kernel has no lockdown to ask")
            }
        }
        Err(e) => fact("lockdown", Verdict::Unknown, Errno::from(e).to_string()),
    }
}

fn jit() -> Fact {
    match sysctl("net/core/bpf_jit_enable") {
        Ok(0) => {
            fact("JIT", Verdict::Limited, "off: programs are interpreted").mend("sudo sysctl net.core.bpf_jit_enable=1")
        }
        Ok(_) => fact("JIT", Verdict::Ok, "on"),
        Err(e) if e == Errno::EACCES => fact("JIT", Verdict::Unknown, "only root can see whether it is on"),
        Err(e) => fact("JIT", Verdict::Unknown, e.to_string()),
    }
}

fn features(kernel: &Kernel) -> Option<Fact> {
    if !kernel.capabilities().has(Cap::Bpf) {
        return None;
    }
    let (mut has, mut lacks) = (String::new(), String::new());
    for f in Feature::ALL {
        let list = if kernel.has(f) { &mut has } else { &mut lacks };
        let _ = write!(list, "{}{}", if list.is_empty() { "" } else { ", " }, f.name());
    }
    let detail = if lacks.is_empty() { has } else { format!("{has}; without {lacks}") };
    Some(fact("features", Verdict::Ok, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_the_shell() {
        assert_eq!(quoted(Path::new("/opt/bin/whistler")), "/opt/bin/whistler");
        assert_eq!(quoted(Path::new("/my dir/it's")), r"'/my dir/it'\''s'");
    }

    #[test]
    fn the_command_keeps_what_the_program_has() {
        let kernel = Kernel::running();
        let facts = examine(&kernel, Path::new("./whistler"));
        for f in &facts {
            assert!(!f.detail.is_empty(), "{}", f.what);
            if let Some(m) = &f.mend {
                assert_ne!(f.verdict, Verdict::Ok, "{}: {m}", f.what);
            }
        }
        assert!(facts.iter().any(|f| f.what == "cap_bpf"));
    }
}
