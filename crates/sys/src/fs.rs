//! Opening files and directories, and a tracefs that is mounted nowhere.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::call::{Call, expect_reply};
use crate::{Errno, Reply, SysError};

/// A directory held open; paths are relative to it.
#[derive(Debug)]
pub struct Dir(OwnedFd);

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn c_path(path: &str) -> Result<CString, SysError> {
    CString::new(path).map_err(|_| SysError { call: "open", errno: Errno::EINVAL })
}

impl Dir {
    /// A directory of the machine.
    pub fn open(path: &Path) -> Result<Dir, SysError> {
        let path = CString::new(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()))
            .map_err(|_| SysError { call: "open", errno: Errno::EINVAL })?;
        expect_reply!(Call::Open { path: &path, directory: true }, Reply::Fd(fd) => Dir(fd))
    }

    /// A detached mount of tracefs (needs CAP_SYS_ADMIN; fsopen is there since 5.2).
    pub fn tracefs() -> Result<Dir, SysError> {
        expect_reply!(Call::MountTracefs, Reply::Fd(fd) => Dir(fd))
    }

    /// A file below.
    pub fn file(&self, path: &str) -> Result<File, SysError> {
        let path = c_path(path)?;
        let call = Call::OpenAt { dir: self.0.as_fd(), path: &path, directory: false };
        expect_reply!(call, Reply::Fd(fd) => File::from(fd))
    }

    /// A whole file below, as text (what is not UTF-8 replaced).
    pub fn read(&self, path: &str) -> Result<String, SysError> {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut self.file(path)?, &mut bytes)
            .map_err(|e| SysError { call: "read", errno: e.into() })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The names of the directories in the directory below (`.` for this one), sorted.
    pub fn directories(&self, path: &str) -> Result<Vec<String>, SysError> {
        let c = c_path(path)?;
        let call = Call::OpenAt { dir: self.0.as_fd(), path: &c, directory: true };
        let fd = expect_reply!(call, Reply::Fd(fd) => fd)?;
        let failed = |e: rustix::io::Errno| SysError { call: "getdents64", errno: e.into() };
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let (true, Ok(name)) = (entry.file_type().is_dir(), entry.file_name().to_str())
                && name != "."
                && name != ".."
            {
                names.push(name.to_string());
            }
        }
        names.sort();
        Ok(names)
    }
}

/// The index of the network device with this name, in the calling thread's network namespace.
pub fn ifindex(name: &CStr) -> Result<u32, SysError> {
    expect_reply!(Call::IfIndex { name }, Reply::Number(n) => n as u32)
}
