//! Kernel error numbers that helpers and maps return, negative as programs see them.

pub(crate) const EPERM: i64 = -1;
pub(crate) const ENOENT: i64 = -2;
pub(crate) const E2BIG: i64 = -7;
pub(crate) const EAGAIN: i64 = -11;
pub(crate) const ENOMEM: i64 = -12;
pub(crate) const EFAULT: i64 = -14;
pub(crate) const EBUSY: i64 = -16;
pub(crate) const EEXIST: i64 = -17;
pub(crate) const EINVAL: i64 = -22;
pub(crate) const ENOSPC: i64 = -28;
pub(crate) const ERANGE: i64 = -34;
pub(crate) const EDEADLK: i64 = -35;
pub(crate) const EOPNOTSUPP: i64 = -95;

/// The name of an error number that this machine returns.
pub(crate) fn name(errno: i64) -> &'static str {
    match errno {
        EPERM => "EPERM",
        ENOENT => "ENOENT",
        E2BIG => "E2BIG",
        EAGAIN => "EAGAIN",
        ENOMEM => "ENOMEM",
        EFAULT => "EFAULT",
        EBUSY => "EBUSY",
        EEXIST => "EEXIST",
        EINVAL => "EINVAL",
        ENOSPC => "ENOSPC",
        ERANGE => "ERANGE",
        EDEADLK => "EDEADLK",
        EOPNOTSUPP => "EOPNOTSUPP",
        _ => "error",
    }
}
