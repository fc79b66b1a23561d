//! Errors of system calls. Invariant: an [`Errno`] always has a name to show.

use std::fmt;

/// An error number of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($($name:ident $number:literal $text:literal;)*) => {
        #[allow(missing_docs)]
        impl Errno {
            $(pub const $name: Errno = Errno($number);)*
        }
        /// Number, name and meaning (include/uapi/asm-generic/errno*.h; the last two are the
        /// kernel's own, which the bpf subsystem lets through).
        const TABLE: &[(i32, &str, &str)] = &[$(($number, stringify!($name), $text),)*];
    };
}

errnos! {
    EPERM 1 "operation not permitted";
    ENOENT 2 "no such file or entry";
    ESRCH 3 "no such process";
    EINTR 4 "interrupted";
    EIO 5 "input/output error";
    ENXIO 6 "no such device or address";
    E2BIG 7 "too big";
    EBADF 9 "bad file descriptor";
    ECHILD 10 "no child processes";
    EAGAIN 11 "try again";
    ENOMEM 12 "out of memory";
    EACCES 13 "permission denied";
    EFAULT 14 "bad address";
    EBUSY 16 "busy";
    EEXIST 17 "exists already";
    EXDEV 18 "crosses file systems";
    ENODEV 19 "no such device";
    ENOTDIR 20 "not a directory";
    EISDIR 21 "is a directory";
    EINVAL 22 "invalid argument";
    ENFILE 23 "too many open files on the machine";
    EMFILE 24 "too many open files";
    ENOTTY 25 "not for this kind of file";
    EFBIG 27 "file too large";
    ENOSPC 28 "no space left";
    ESPIPE 29 "can't seek";
    EROFS 30 "read-only";
    EPIPE 32 "broken pipe";
    EDOM 33 "argument out of domain";
    ERANGE 34 "out of range";
    EDEADLK 35 "deadlock";
    ENAMETOOLONG 36 "name too long";
    ENOSYS 38 "no such system call";
    ENOTEMPTY 39 "not empty";
    ELOOP 40 "too many levels";
    ENODATA 61 "no data";
    ENOLINK 67 "link is gone";
    EPROTO 71 "protocol error";
    EBADFD 77 "file descriptor in bad state";
    EILSEQ 84 "illegal byte sequence";
    EUSERS 87 "too many users";
    ENOTSOCK 88 "not a socket";
    EMSGSIZE 90 "message too long";
    EPROTONOSUPPORT 93 "protocol not supported";
    EOPNOTSUPP 95 "not supported";
    EAFNOSUPPORT 97 "address family not supported";
    EADDRINUSE 98 "address in use";
    EADDRNOTAVAIL 99 "address not available";
    ENETDOWN 100 "network is down";
    ENOBUFS 105 "no buffer space";
    ETIMEDOUT 110 "timed out";
    ESTALE 116 "stale";
    ECANCELED 125 "canceled";
    EKEYREJECTED 129 "key was rejected";
    ERESTARTSYS 512 "restarted";
    ENOTSUPP 524 "not supported by the kernel";
}

impl Errno {
    /// The kernel's name, such as `EPERM`; a number for one we have no name of.
    pub fn name(self) -> String {
        match self.entry() {
            Some((_, name, _)) => (*name).to_string(),
            None => format!("errno {}", self.0),
        }
    }

    /// What it means, in a few words.
    pub fn text(self) -> &'static str {
        self.entry().map_or("unknown error", |e| e.2)
    }

    fn entry(self) -> Option<&'static (i32, &'static str, &'static str)> {
        TABLE.iter().find(|e| e.0 == self.0)
    }

    /// The number the calling thread's last failed call left.
    pub(crate) fn last() -> Errno {
        Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.name())
    }
}

impl From<rustix::io::Errno> for Errno {
    fn from(e: rustix::io::Errno) -> Errno {
        Errno(e.raw_os_error())
    }
}

impl From<std::io::Error> for Errno {
    fn from(e: std::io::Error) -> Errno {
        Errno(e.raw_os_error().unwrap_or(Errno::EIO.0))
    }
}

/// A system call that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{call}: {errno}")]
pub struct SysError {
    /// What was called, as the manual names it: `bpf(BPF_MAP_CREATE)`.
    pub call: &'static str,
    /// Why it failed.
    pub errno: Errno,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_words_and_name() {
        let e = SysError { call: "bpf(BPF_PROG_LOAD)", errno: Errno::EPERM };
        assert_eq!(e.to_string(), "bpf(BPF_PROG_LOAD): operation not permitted (EPERM)");
        assert_eq!(Errno(4242).to_string(), "unknown error (errno 4242)");
    }

    /// The table is written by hand; libc's constants are the judge of a sample of it.
    #[test]
    fn numbers_agree_with_libc() {
        for (ours, theirs) in [
            (Errno::ENODATA, libc::ENODATA),
            (Errno::EOPNOTSUPP, libc::EOPNOTSUPP),
            (Errno::ETIMEDOUT, libc::ETIMEDOUT),
            (Errno::ENAMETOOLONG, libc::ENAMETOOLONG),
            (Errno::EBADFD, libc::EBADFD),
            (Errno::EKEYREJECTED, libc::EKEYREJECTED),
            (Errno::ENOTSOCK, libc::ENOTSOCK),
            (Errno::ELOOP, libc::ELOOP),
            (Errno::ENOLINK, libc::ENOLINK),
            (Errno::EUSERS, libc::EUSERS),
        ] {
            assert_eq!(ours.0, theirs);
        }
    }
}
