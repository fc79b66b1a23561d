//! The calling thread: its capabilities and namespaces, and the kernel it runs on.

use crate::call::{Call, expect_reply};
use crate::{Reply, SysError};

/// A capability, by its number (include/uapi/linux/capability.h).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum Cap {
    DacReadSearch = 2,
    NetAdmin = 12,
    SysAdmin = 21,
    SysResource = 24,
    Syslog = 34,
    Perfmon = 38,
    Bpf = 39,
}

impl Cap {
    /// All that this project asks about.
    pub const ALL: [Cap; 7] =
        [Cap::Bpf, Cap::Perfmon, Cap::NetAdmin, Cap::SysAdmin, Cap::DacReadSearch, Cap::Syslog, Cap::SysResource];

    /// As `setcap` and the manual have it: `cap_bpf`.
    pub const fn name(self) -> &'static str {
        match self {
            Cap::DacReadSearch => "cap_dac_read_search",
            Cap::NetAdmin => "cap_net_admin",
            Cap::SysAdmin => "cap_sys_admin",
            Cap::SysResource => "cap_sys_resource",
            Cap::Syslog => "cap_syslog",
            Cap::Perfmon => "cap_perfmon",
            Cap::Bpf => "cap_bpf",
        }
    }
}

/// Sets of capabilities, as bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capabilities {
    /// Those that count.
    pub effective: u64,
    /// Those that may be made effective.
    pub permitted: u64,
}

impl Capabilities {
    /// Whether a capability is effective. CAP_SYS_ADMIN stands in for BPF and PERFMON, as in the kernel.
    pub fn has(&self, cap: Cap) -> bool {
        let bit = |c: Cap| self.effective & (1 << c as u8) != 0;
        bit(cap) || (matches!(cap, Cap::Bpf | Cap::Perfmon) && bit(Cap::SysAdmin))
    }
}

/// The calling thread's capabilities.
pub fn capabilities() -> Result<Capabilities, SysError> {
    let sets = expect_reply!(Call::Capabilities, Reply::Numbers(n) => n)?;
    let set = |i: usize| sets.get(i).copied().unwrap_or(0);
    Ok(Capabilities { effective: set(0), permitted: set(1) })
}

/// The kernel's release, such as `6.18.44-fc`.
pub fn kernel_release() -> Result<String, SysError> {
    expect_reply!(Call::Uname, Reply::Bytes(b) => String::from_utf8_lossy(&b).into_owned())
}

/// Puts the calling thread into a new network namespace of its own.
pub fn unshare_network() -> Result<(), SysError> {
    expect_reply!(Call::Unshare { flags: libc::CLONE_NEWNET }, Reply::Done => ())
}

/// The calling process's group, as commands that open something to it need it.
pub fn group_id() -> u32 {
    rustix::process::getgid().as_raw()
}
