//! From a section's name, which libbpf documents, to what a program is attached to.

use std::path::PathBuf;

use whistler_isa::ProgType;

use crate::attach::{AttachSpec, UprobePlace, When};

/// Why a section names no target.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SectionError {
    /// The kind needs something that a section can't say: a device, a cgroup.
    #[error("`{section}` does not say where: name {what}")]
    Needs {
        /// The section.
        section: String,
        /// What to name.
        what: &'static str,
    },
    /// The section is incomplete or nothing that can be attached.
    #[error("`{section}` names no target; write it as {form}")]
    Form {
        /// The section.
        section: String,
        /// How it is written.
        form: &'static str,
    },
}

/// What a program of this section is attached to.
pub fn from_section(section: &str) -> Result<AttachSpec, SectionError> {
    match whistler_isa::sections::parse_lenient(section) {
        Some(known) => of_type(section.strip_prefix('?').unwrap_or(section), known.prog()),
        None => Err(SectionError::Form { section: section.to_string(), form: "a section that libbpf knows" }),
    }
}

fn of_type(section: &str, prog_type: ProgType) -> Result<AttachSpec, SectionError> {
    let form = |form| SectionError::Form { section: section.to_string(), form };
    let needs = |what| SectionError::Needs { section: section.to_string(), what };
    let (head, rest) = section.split_once('/').unwrap_or((section, ""));
    let head = head.trim_end_matches(".s");
    let some = |text: &str, f| if text.is_empty() { Err(form(f)) } else { Ok(text.to_string()) };
    Ok(match prog_type {
        ProgType::Tracepoint => {
            let (category, name) = rest.split_once('/').ok_or_else(|| form("tracepoint/CATEGORY/NAME"))?;
            AttachSpec::Tracepoint {
                category: some(category, "tracepoint/CATEGORY/NAME")?,
                name: some(name, "tracepoint/CATEGORY/NAME")?,
                cookie: 0,
            }
        }
        ProgType::RawTracepoint | ProgType::RawTracepointWritable => {
            AttachSpec::RawTracepoint { name: some(rest, "raw_tp/NAME")?, cookie: 0 }
        }
        ProgType::Kprobe => {
            let when = if head.contains("ret") { When::Return } else { When::Entry };
            if head.starts_with('u') {
                let f = "uprobe/FILE:FUNCTION";
                let (file, place) = rest.rsplit_once(':').ok_or_else(|| form(f))?;
                let place = match number(place) {
                    Some(offset) => UprobePlace::Offset(offset),
                    None => {
                        let (name, offset) = with_offset(place);
                        UprobePlace::Symbol(some(name, f)?, offset)
                    }
                };
                AttachSpec::Uprobe { file: PathBuf::from(some(file, f)?), place, when, pid: None, cookie: 0 }
            } else {
                let (name, offset) = with_offset(rest);
                AttachSpec::Kprobe { functions: vec![some(name, "kprobe/FUNCTION")?], offset, when, cookie: 0 }
            }
        }
        ProgType::Tracing | ProgType::Lsm | ProgType::Ext => AttachSpec::OwnTarget,
        ProgType::SkLookup | ProgType::FlowDissector => AttachSpec::NetNs { path: None },
        ProgType::Xdp => return Err(needs("a network device")),
        ProgType::SchedCls => return Err(needs("a network device and `ingress` or `egress`")),
        ProgType::PerfEvent => return Err(needs("a counter and how often to sample it")),
        ProgType::StructOps => return Err(needs("the struct of operations that it is a member of")),
        t if t.keyword().starts_with("cgroup") || t == ProgType::SockOps => return Err(needs("a cgroup")),
        _ => return Err(form("a section of a kind that can be attached")),
    })
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// `NAME+OFFSET`.
fn with_offset(text: &str) -> (&str, u64) {
    match text.rsplit_once('+') {
        Some((name, offset)) => number(offset).map_or((text, 0), |o| (name, o)),
        None => (text, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_name_targets() {
        let show = |section: &str| match from_section(section) {
            Ok(spec) => spec.to_string(),
            Err(e) => format!("! {e}"),
        };
        for (section, want) in [
            ("tracepoint/sched/sched_switch", "tracepoint sched/sched_switch"),
            ("tp/sched/sched_switch", "tracepoint sched/sched_switch"),
            ("tracepoint", "! `tracepoint` names no target; write it as tracepoint/CATEGORY/NAME"),
            ("raw_tp/sys_enter", "raw tracepoint sys_enter"),
            ("kprobe/do_exit", "kernel function do_exit"),
            ("kretprobe/do_exit", "return of kernel function do_exit"),
            ("kprobe/do_exit+0x10", "kernel function do_exit+0x10"),
            ("uprobe//lib/libc.so.6:malloc", "/lib/libc.so.6:malloc"),
            ("uretprobe/libc.so.6:malloc+4", "return of libc.so.6:malloc+0x4"),
            ("uprobe/prog:0x400", "prog:0x400"),
            ("fentry/do_exit", "its own target"),
            ("xdp", "! `xdp` does not say where: name a network device"),
            ("cgroup_skb/egress", "! `cgroup_skb/egress` does not say where: name a cgroup"),
            (
                "struct_ops/init",
                "! `struct_ops/init` does not say where: name the struct of operations that it is a member of",
            ),
            ("socket", "! `socket` names no target; write it as a section of a kind that can be attached"),
        ] {
            assert_eq!(show(section), want);
        }
    }
}
