//! tc: by a tcx link (6.6) that ends with us, else by a filter at a clsact qdisc, which does not: it
//! carries our name, so that the next start can find and remove what a killed process left.

use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard};

use whistler_isa::{AttachType, ProgType};
use whistler_kernel::{Feature, Kernel};
use whistler_sys::bpf::{LinkCreate, LinkExtra, LinkTarget};
use whistler_sys::netlink::{self, Direction, FilterPlace, OnExisting, TcFilter};
use whistler_sys::{Cap, Errno, SysError};

use super::index_of;
use crate::attach::{Device, Hold, Made, Why, expect_type};
use crate::program::Program;

pub(crate) fn attach(kernel: &Kernel, program: &Program, device: &Device, direction: Direction) -> Made {
    expect_type(program, &[ProgType::SchedCls])?;
    let ifindex = index_of(device)?;
    if !kernel.has(Feature::Tcx) {
        return attach_filter(kernel, program, device, ifindex, direction);
    }
    let attach_type = match direction {
        Direction::Ingress => AttachType::TcxIngress,
        Direction::Egress => AttachType::TcxEgress,
    };
    let link = LinkCreate {
        prog: program.as_fd(),
        target: LinkTarget::Ifindex(ifindex),
        attach_type: attach_type.number(),
        flags: 0,
        extra: LinkExtra::None,
    };
    match link.create() {
        Ok(fd) => Ok((Hold::Link { fd, updates: true }, "tcx link")),
        Err(e) if e.errno == Errno::ENODEV => Err(Why::new(format!("{device} is gone")).cause(e)),
        Err(e) => Err(Why::denied(kernel, e, &[Cap::Bpf, Cap::NetAdmin])),
    }
}

/// A filter of ours. Invariant: it is there until [`Filter::remove`] or the drop.
#[derive(Debug)]
pub(crate) struct Filter {
    place: FilterPlace,
    name: String,
    gone: bool,
}

/// Filters of ours have this priority: behind what people number by hand from 1, before the
/// kernel's own numbering, which counts down from 49152.
const PRIORITY: u16 = 0x7768;
/// Begins the name of our filters: `whistler:PID:START:PROGRAM`.
const MARK: &str = "whistler";

pub(crate) fn attach_filter(
    kernel: &Kernel,
    program: &Program,
    device: &Device,
    ifindex: u32,
    direction: Direction,
) -> Made {
    let denied = |e: SysError| match e.errno {
        Errno::ENODEV => Why::new(format!("{device} is gone")).cause(e),
        Errno::ENOENT | Errno::EOPNOTSUPP => {
            Why::new("this kernel has no clsact qdisc or bpf filters (modules sch_ingress, cls_bpf)").cause(e)
        }
        _ => Why::denied(kernel, e, &[Cap::Bpf, Cap::NetAdmin]),
    };
    let name = format!("{MARK}:{}:{}:{}", std::process::id(), start_time("self").unwrap_or(0), program.name());
    let mut filter =
        Filter { place: FilterPlace { ifindex, direction, priority: PRIORITY, handle: 0 }, name, gone: true };
    if netlink::clsact_add(ifindex).map_err(denied)? {
        made_qdiscs().extend(here(ifindex));
    }
    let taken: Vec<u32> = netlink::filters(ifindex, direction)
        .map_err(denied)?
        .iter()
        .filter(|f| f.priority == PRIORITY)
        .map(|f| f.handle)
        .collect();
    // Another process may take a number at the same moment: then the next one.
    let free = (1..=u32::from(u16::MAX)).filter(|h| !taken.contains(h));
    for handle in free {
        filter.place.handle = handle;
        match netlink::filter_add(filter.place, program.as_fd(), &filter.name, OnExisting::Fail) {
            Ok(()) => {
                filter.gone = false;
                return Ok((Hold::Filter(filter), "clsact filter"));
            }
            Err(e) if e.errno == Errno::EEXIST => {}
            Err(e) => {
                filter.drop_qdisc();
                return Err(denied(e));
            }
        }
    }
    Err(Why::new(format!("{device} has no free filter number")))
}

impl Filter {
    /// Puts another program into the filter's place; no packet goes without one.
    pub(crate) fn replace(&self, program: &Program) -> Result<(), SysError> {
        netlink::filter_add(self.place, program.as_fd(), &self.name, OnExisting::Replace)
    }

    /// Takes the filter off, and the qdisc if we made it and nobody else uses it. To be called in the
    /// network namespace in which it was attached.
    pub(crate) fn remove(&mut self) -> Result<(), SysError> {
        if std::mem::replace(&mut self.gone, true) {
            return Ok(());
        }
        netlink::filter_remove(self.place)?;
        self.drop_qdisc();
        Ok(())
    }

    fn drop_qdisc(&self) {
        let Some(place) = here(self.place.ifindex) else { return };
        let mut made = made_qdiscs();
        if made.contains(&place) && remove_empty_qdisc(self.place.ifindex) {
            made.retain(|p| *p != place);
        }
    }
}

/// The qdiscs that this process made, by network namespace and device: the last filter of ours to go
/// takes one along. One that was there before us stays.
fn made_qdiscs() -> MutexGuard<'static, Vec<(u64, u32)>> {
    static MADE: Mutex<Vec<(u64, u32)>> = Mutex::new(Vec::new());
    // A poisoned lock only means that another thread panicked between two whole entries.
    MADE.lock().unwrap_or_else(|e| e.into_inner())
}

/// A device of the calling thread's network namespace.
fn here(ifindex: u32) -> Option<(u64, u32)> {
    let namespace = std::fs::metadata("/proc/thread-self/ns/net").ok()?;
    Some((std::os::unix::fs::MetadataExt::ino(&namespace), ifindex))
}

/// Removes the qdisc if no filter hangs on it; whether it did.
fn remove_empty_qdisc(ifindex: u32) -> bool {
    let empty = |d| netlink::filters(ifindex, d).is_ok_and(|f| f.is_empty());
    // That the device is gone meanwhile is no error: then the qdisc is too.
    empty(Direction::Ingress) && empty(Direction::Egress) && netlink::clsact_remove(ifindex).is_ok()
}

impl Drop for Filter {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

/// When a process started, in clock ticks since boot: with its number, its identity.
fn start_time(pid: &str) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything; the fields after it are plain.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// A filter of ours whose process is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leftover {
    /// The device, by name where it has one.
    pub device: String,
    /// The program's name.
    pub program: String,
    /// The process that made it.
    pub pid: u32,
    filter: TcFilter,
}

/// The clsact filters in the calling thread's network namespace that a process of ours left behind
/// when it was killed. (A process that lives in another PID namespace looks gone: ask before removing.)
pub fn find_leftovers() -> Result<Vec<Leftover>, SysError> {
    let mut found = Vec::new();
    for (ifindex, device) in netlink::links()? {
        for direction in [Direction::Ingress, Direction::Egress] {
            for filter in netlink::filters(ifindex, direction)? {
                let Some((pid, start, program)) = owner(&filter.name) else { continue };
                if start_time(&pid.to_string()) != Some(start) {
                    found.push(Leftover { device: device.clone(), program, pid, filter });
                }
            }
        }
    }
    Ok(found)
}

fn owner(name: &str) -> Option<(u32, u64, String)> {
    let mut parts = name.splitn(4, ':');
    (parts.next()? == MARK).then_some(())?;
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.to_string()))
}

/// Removes what [`find_leftovers`] found, and the qdisc when nothing else hangs on it.
pub fn remove_leftover(leftover: &Leftover) -> Result<(), SysError> {
    let TcFilter { ifindex, direction, priority, handle, .. } = leftover.filter;
    netlink::filter_remove(FilterPlace { ifindex, direction, priority, handle })?;
    remove_empty_qdisc(ifindex);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_filters_tell_their_owner() {
        assert_eq!(owner("whistler:12:345:on-exec"), Some((12, 345, "on-exec".to_string())));
        assert_eq!(owner("whistler:12:345:a:b"), Some((12, 345, "a:b".to_string())));
        assert_eq!(owner("other:12:345:x"), None);
        assert_eq!(owner("whistler:x"), None);
    }

    #[test]
    fn our_own_start_time_is_known() {
        assert_eq!(start_time("self"), start_time(&std::process::id().to_string()));
        assert!(start_time("self").is_some_and(|t| t > 0));
        assert_eq!(start_time("4294967295"), None);
    }
}
