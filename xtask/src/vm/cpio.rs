//! An initramfs: a cpio archive of the format `newc` (kernel: early-userspace/buffer-format.rst).
//! Invariant: every header and every file starts at a multiple of 4 bytes.

use std::collections::BTreeSet;

/// An archive in the making.
#[derive(Default)]
pub struct Cpio {
    bytes: Vec<u8>,
    dirs: BTreeSet<String>,
    inode: u32,
}

const DIR: u32 = 0o040_755;
const EXECUTABLE: u32 = 0o100_755;
const DEVICE: u32 = 0o020_600;

impl Cpio {
    /// An empty archive.
    pub fn new() -> Cpio {
        Cpio::default()
    }

    /// A directory, with those above it.
    pub fn dir(&mut self, path: &str) {
        let path = path.trim_matches('/');
        let mut upto = String::new();
        for part in path.split('/').filter(|p| !p.is_empty()) {
            if !upto.is_empty() {
                upto.push('/');
            }
            upto.push_str(part);
            if self.dirs.insert(upto.clone()) {
                self.entry(&upto, DIR, (0, 0), &[]);
            }
        }
    }

    /// A file that may be executed, with the directories above it.
    pub fn file(&mut self, path: &str, bytes: &[u8]) {
        let path = path.trim_matches('/');
        if let Some((dir, _)) = path.rsplit_once('/') {
            self.dir(dir);
        }
        self.entry(path, EXECUTABLE, (0, 0), bytes);
    }

    /// A character device.
    pub fn device(&mut self, path: &str, major: u32, minor: u32) {
        let path = path.trim_matches('/');
        if let Some((dir, _)) = path.rsplit_once('/') {
            self.dir(dir);
        }
        self.entry(path, DEVICE, (major, minor), &[]);
    }

    fn entry(&mut self, name: &str, mode: u32, device: (u32, u32), bytes: &[u8]) {
        self.inode += 1;
        let size = bytes.len() as u32;
        let fields = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name.len() as u32 + 1, 0];
        self.bytes.extend(b"070701");
        for f in fields {
            self.bytes.extend(format!("{f:08x}").into_bytes());
        }
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(bytes);
        self.pad();
    }

    fn pad(&mut self) {
        let len = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(len, 0);
    }

    /// The archive's bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn headers_and_files_are_aligned() {
        let mut c = Cpio::new();
        c.file("/a/bc", b"12345");
        c.device("/dev/console", 5, 1);
        let bytes = c.finish();
        assert_eq!(bytes.len() % 4, 0);
        let headers = bytes.windows(6).enumerate().filter(|(_, w)| *w == b"070701").map(|(i, _)| i).collect::<Vec<_>>();
        assert_eq!(headers.len(), 5);
        assert!(headers.iter().all(|h| h % 4 == 0), "{headers:?}");
    }

    #[test]
    fn cpio_reads_it() {
        let mut c = Cpio::new();
        c.file("/a/b/c", b"hello");
        c.file("/a/d", b"");
        let Ok(mut child) =
            Command::new("cpio").args(["-t", "--quiet"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
        else {
            eprintln!("skipped: there is no cpio here");
            return;
        };
        child.stdin.take().unwrap().write_all(&c.finish()).unwrap();
        let out = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stdout), "a\na/b\na/b/c\na/d\n");
    }
}
