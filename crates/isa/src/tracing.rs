//! Facts about what tracing programs see: which clock a time is of, whom an event is about, where paths may be asked
//! for. Invariant: a row is a fact of the kernel's sources; what is not here is not known to be otherwise.

use crate::same_name;

/// A clock of the kernel's. Times of two of them have no difference that means something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`: stands still while the machine is suspended.
    Monotonic,
    /// `CLOCK_BOOTTIME`: goes on while it is.
    Boot,
    /// `CLOCK_TAI`: counts from 1970.
    Tai,
    /// The scheduler's clock of one CPU (`rq_clock`).
    Scheduler,
    /// Ticks of the timer, `CONFIG_HZ` a second.
    Jiffies,
}

impl Clock {
    /// What it is called.
    pub fn shown(self) -> &'static str {
        match self {
            Clock::Monotonic => "CLOCK_MONOTONIC",
            Clock::Boot => "CLOCK_BOOTTIME, which goes on while the machine sleeps",
            Clock::Tai => "CLOCK_TAI, which counts from 1970",
            Clock::Scheduler => "the scheduler's clock of a CPU",
            Clock::Jiffies => "jiffies, which are ticks and no nanoseconds",
        }
    }

    /// The form that tells the time by it, if there is one.
    pub fn helper(self) -> Option<&'static str> {
        match self {
            Clock::Monotonic => Some("(ktime-get-ns)"),
            Clock::Boot => Some("(ktime-get-boot-ns)"),
            Clock::Tai => Some("(ktime-get-tai-ns)"),
            Clock::Jiffies => Some("(jiffies64)"),
            Clock::Scheduler => None,
        }
    }
}

/// The clock that a helper tells the time by (kernel/bpf/helpers.c).
pub fn clock_of_helper(name: &str) -> Option<Clock> {
    match name {
        "ktime_get_ns" | "ktime_get_coarse_ns" => Some(Clock::Monotonic),
        "ktime_get_boot_ns" => Some(Clock::Boot),
        "ktime_get_tai_ns" => Some(Clock::Tai),
        "jiffies64" => Some(Clock::Jiffies),
        _ => None,
    }
}

/// Fields that hold a point in time: struct, field, clock. From `copy_process` (kernel/fork.c), `bpf_prog_load`
/// (kernel/bpf/syscall.c), block/blk-mq.c, kernel/sched/{fair.c,stats.h}, `check_hung_task` (kernel/hung_task.c),
/// `__mark_inode_dirty` (fs/fs-writeback.c).
pub static TIMES: &[(&str, &str, Clock)] = &[
    ("task_struct", "start_time", Clock::Monotonic),
    ("task_struct", "start_boottime", Clock::Boot),
    ("task_struct", "real_start_time", Clock::Boot),
    ("task_struct", "last_switch_time", Clock::Jiffies),
    ("sched_entity", "exec_start", Clock::Scheduler),
    ("sched_info", "last_queued", Clock::Scheduler),
    ("sched_info", "last_arrival", Clock::Scheduler),
    ("request", "start_time_ns", Clock::Monotonic),
    ("request", "io_start_time_ns", Clock::Monotonic),
    ("request", "alloc_time_ns", Clock::Monotonic),
    ("bpf_prog_aux", "load_time", Clock::Boot),
    ("inode", "dirtied_when", Clock::Jiffies),
];

/// The clock of a field of the kernel's.
pub fn clock_of_field(of: &str, field: &str) -> Option<Clock> {
    TIMES.iter().find(|(s, f, _)| *s == of && same_name(f, field)).map(|(.., clock)| *clock)
}

/// An event during which another task runs than the one it is about.
#[derive(Debug)]
pub struct EventOfOther {
    /// The event's name.
    pub event: &'static str,
    /// The field of its record that says whom it is about.
    pub field: &'static str,
    /// What becomes of that task, as a participle.
    pub done: &'static str,
    /// Who is running.
    pub current: &'static str,
    /// Words in names by which a program says that it means the one who is running.
    pub words: &'static [&'static str],
}

/// Such events (`include/trace/events/sched.h`, and where kernel/sched/core.c and kernel/exit.c call them).
pub static EVENTS_OF_OTHERS: &[EventOfOther] = &[
    EventOfOther {
        event: "sched_wakeup",
        field: "pid",
        done: "woken",
        current: "the one that wakes, or was interrupted",
        words: &["waker", "wakers", "by"],
    },
    EventOfOther {
        event: "sched_wakeup_new",
        field: "pid",
        done: "woken",
        current: "the one that made it",
        words: &["waker", "parent", "by"],
    },
    EventOfOther {
        event: "sched_waking",
        field: "pid",
        done: "woken",
        current: "the one that wakes, or was interrupted",
        words: &["waker", "wakers", "by"],
    },
    EventOfOther {
        event: "sched_migrate_task",
        field: "pid",
        done: "moved",
        current: "the one that moves it",
        words: &["mover", "by"],
    },
    EventOfOther {
        event: "sched_process_free",
        field: "pid",
        done: "freed",
        current: "any that runs on this CPU by then",
        words: &["by"],
    },
];

/// The row of an event.
pub fn event_of_other(event: &str) -> Option<&'static EventOfOther> {
    EVENTS_OF_OTHERS.iter().find(|e| same_name(e.event, event))
}

/// Functions whose fentry, fexit and fmod_ret programs may call `bpf_d_path`: `btf_allowlist_d_path` in
/// kernel/trace/bpf_trace.c, the same from 5.10 to 6.18.
pub static D_PATH_FUNCTIONS: &[&str] = &[
    "security_file_permission",
    "security_inode_getattr",
    "security_file_open",
    "security_path_truncate",
    "vfs_truncate",
    "vfs_fallocate",
    "dentry_open",
    "vfs_getattr",
    "filp_close",
];

/// LSM hooks that may sleep, in which `bpf_d_path` may be called: `sleepable_lsm_hooks` in kernel/bpf/bpf_lsm.c. Only
/// those that somebody who asks for a path would take; hooks come and go between kernels.
pub static D_PATH_HOOKS: &[&str] = &[
    "bprm_check_security",
    "bprm_committed_creds",
    "bprm_committing_creds",
    "bprm_creds_for_exec",
    "bprm_creds_from_file",
    "file_ioctl",
    "file_lock",
    "file_open",
    "file_post_open",
    "file_receive",
    "inode_getattr",
    "kernel_read_file",
    "mmap_file",
    "path_chmod",
    "path_chown",
    "path_link",
    "path_mkdir",
    "path_notify",
    "path_rename",
    "path_rmdir",
    "path_symlink",
    "path_truncate",
    "path_unlink",
    "sb_mount",
    "sb_umount",
];

/// LSM hooks that are given a path or file and are not among those that may sleep.
pub static NO_D_PATH_HOOKS: &[&str] = &[
    "file_permission",
    "file_alloc_security",
    "file_free_security",
    "file_mprotect",
    "file_fcntl",
    "file_set_fowner",
    "file_send_sigiotask",
    "path_mknod",
    "path_chroot",
];

/// Prefixes of the functions by which architectures enter system calls with a `struct pt_regs *` as their only argument
/// (`arch/*/include/asm/syscall_wrapper.h`). Behind them, `__se_sys_…` gets the call's own, as longs.
pub static SYSCALL_ENTRIES: &[&str] = &["__x64_sys_", "__ia32_sys_", "__arm64_sys_", "__riscv_sys_", "__s390x_sys_"];

/// The system call that a function is the entry of.
pub fn system_call(function: &str) -> Option<&str> {
    SYSCALL_ENTRIES.iter().find_map(|p| function.strip_prefix(p)).filter(|n| !n.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found() {
        assert_eq!(clock_of_field("task_struct", "start-boottime"), Some(Clock::Boot));
        assert_eq!(clock_of_field("task_struct", "utime"), None);
        for name in ["ktime_get_ns", "ktime_get_boot_ns", "ktime_get_tai_ns", "jiffies64", "ktime_get_coarse_ns"] {
            assert!(crate::helpers::by_name(name).is_some() && clock_of_helper(name).is_some(), "{name}");
        }
        assert_eq!(system_call("__x64_sys_openat"), Some("openat"));
        assert_eq!(system_call("do_sys_openat2"), None);
        assert!(event_of_other("sched-wakeup").is_some() && event_of_other("sched_switch").is_none());
        assert!(D_PATH_HOOKS.iter().all(|h| !NO_D_PATH_HOOKS.contains(h)));
    }
}
