//! Files whose bytes are handed out as they are. Invariant: bytes that were handed out never change: the kernel's own in
//! sysfs are mapped, those of other files are read into memory of our own first.

use super::Mapping;
use crate::Errno;

/// Bytes of a file that is mapped where it never changes (the kernel's BTF in sysfs), else read in parts.
#[derive(Debug)]
pub struct ConstFile {
    how: How,
    len: usize,
}

#[derive(Debug)]
enum How {
    Mapped(ConstMemory),
    /// A file, and what it was like when it was opened.
    File(std::fs::File, Option<std::time::SystemTime>),
    /// What a pipe held.
    Read(ConstMemory),
}

/// Bytes that nobody changes any more: a mapped file of sysfs, or memory of our own that was read into.
#[derive(Debug)]
pub struct ConstMemory {
    mapping: Mapping,
    from: usize,
    len: usize,
}

/// Pages of x86-64 and of arm64 with pages of 4 KiB that take one fault instead of 512.
const HUGE_PAGE: usize = 2 << 20;

impl ConstFile {
    /// Opens the BTF of the kernel (`vmlinux`) or of a module: mapped where the kernel can
    /// (vmlinux, from about 6.16), else read.
    pub fn kernel_btf(name: &str) -> Result<ConstFile, Errno> {
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return Err(Errno::EINVAL);
        }
        let file = std::fs::File::open(format!("/sys/kernel/btf/{name}"))?;
        let len = file.metadata()?.len() as usize;
        // statfs: that it really is sysfs is what makes handing out `&[u8]` right.
        const SYSFS_MAGIC: u64 = 0x6265_6572;
        let on_sysfs = rustix::fs::fstatfs(&file).is_ok_and(|s| s.f_type as u64 == SYSFS_MAGIC);
        if on_sysfs && len > 0 {
            // The kernel takes only private mappings that can't be written (btf_sysfs_vmlinux_mmap).
            let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
            if let Ok(mapping) = Mapping::map(fd, libc::MAP_PRIVATE, len, 0, false) {
                return Ok(ConstFile { how: How::Mapped(ConstMemory { mapping, from: 0, len }), len });
            }
        }
        Ok(ConstFile { how: How::File(file, None), len })
    }

    /// Opens a file to be read, which may go away afterwards.
    pub fn open(path: &std::path::Path) -> Result<ConstFile, Errno> {
        let mut file = std::fs::File::open(path)?;
        let about = file.metadata()?;
        if about.is_file() {
            return Ok(ConstFile { how: How::File(file, about.modified().ok()), len: about.len() as usize });
        }
        // A pipe tells its length when it has ended.
        let mut data = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut data)?;
        Ok(ConstFile { len: data.len(), how: How::Read(ConstMemory::read(&data)?) })
    }

    /// Whether the kernel let it be mapped.
    pub fn is_mapped(&self) -> bool {
        matches!(self.how, How::Mapped(_))
    }

    /// Bytes that it had when it was opened.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its bytes, where they are all in memory; else itself, to be read in parts.
    pub fn in_memory(self) -> Result<ConstMemory, ConstFile> {
        match self.how {
            How::Mapped(memory) | How::Read(memory) => Ok(memory),
            How::File(..) => Err(self),
        }
    }

    /// Reads a part; fewer bytes where it ends before. `ESTALE` when the file was changed since it was opened.
    pub fn part(&self, range: std::ops::Range<usize>) -> Result<ConstMemory, Errno> {
        let (file, modified) = match &self.how {
            How::File(file, modified) => (file, modified),
            How::Mapped(memory) | How::Read(memory) => {
                return ConstMemory::read(memory.get(range).unwrap_or_default());
            }
        };
        let part = ConstMemory::filled(range.len(), |at, out| {
            std::os::unix::fs::FileExt::read_at(file, out, (range.start + at) as u64)
        })?;
        match modified {
            Some(then) if file.metadata()?.modified().ok() != Some(*then) => Err(Errno::ESTALE),
            _ => Ok(part),
        }
    }
}

impl ConstMemory {
    fn read(bytes: &[u8]) -> Result<ConstMemory, Errno> {
        ConstMemory::filled(bytes.len(), |at, mut out| std::io::Write::write(&mut out, &bytes[at..]))
    }

    /// `len` bytes at most, which `read` gives piece by piece: from where on, and where to.
    fn filled(
        len: usize,
        mut read: impl FnMut(usize, &mut [u8]) -> std::io::Result<usize>,
    ) -> Result<ConstMemory, Errno> {
        // Faults of small pages take as long as all the rest of reading; huge ones are for what fills them.
        let huge = len >= HUGE_PAGE;
        let room = match huge {
            true => len.checked_next_multiple_of(HUGE_PAGE).and_then(|l| l.checked_add(HUGE_PAGE)),
            false => Some(len.max(1)),
        };
        let room = room.ok_or(Errno::EINVAL)?;
        let mapping = Mapping::map(-1, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, room, 0, true)?;
        let from = if huge { mapping.ptr.as_ptr().align_offset(HUGE_PAGE).min(HUGE_PAGE) } else { 0 };
        // SAFETY: the range is within the mapping, `from` being at most what it is longer than the rest.
        let data = unsafe {
            let start = mapping.ptr.as_ptr().add(from);
            if huge {
                // Where there are no huge pages, nothing is lost.
                libc::madvise(start.cast(), room - HUGE_PAGE, libc::MADV_HUGEPAGE);
            }
            // SAFETY: nobody else knows this memory, which lies zeroed until written.
            std::slice::from_raw_parts_mut(start, len)
        };
        let mut filled = 0;
        while let Some(rest) = data.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match read(filled, rest) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(ConstMemory { mapping, from, len: filled })
    }
}

impl std::ops::Deref for ConstMemory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `from` and `len` are within the mapping, which is alive while self is. The kernel never writes its BTF
        // after boot and nobody else can; memory of our own has been written before.
        unsafe { std::slice::from_raw_parts(self.mapping.ptr.as_ptr().add(self.from), self.len) }
    }
}

impl AsRef<[u8]> for ConstMemory {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_btf_has_the_magic() {
        match ConstFile::kernel_btf("vmlinux") {
            Ok(btf) => assert_eq!(&btf.part(0..2).expect("it can be read")[..], &[0x9f, 0xeb]),
            Err(e) => eprintln!("skipped: no BTF here: {e}"),
        }
        assert_eq!(ConstFile::kernel_btf("../../../etc/passwd").err(), Some(Errno::EINVAL));
    }

    #[test]
    fn files_are_read_in_parts() {
        let path = std::env::temp_dir().join(format!("whistler-const-file-{}", std::process::id()));
        for len in [0, 1, 4096, HUGE_PAGE, HUGE_PAGE + 1, 2 * HUGE_PAGE + 77] {
            let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            std::fs::write(&path, &data).expect("a scratch file");
            let file = ConstFile::open(&path).expect("it can be opened");
            assert!(file.len() == len && !file.is_mapped());
            for range in [0..len, 0..len / 2, len / 3..len, len / 3..len / 3] {
                assert!(file.part(range.clone()).expect("a part")[..] == data[range.clone()], "{range:?} of {len}");
            }
            assert_eq!(file.part(len..len + 5).expect("nothing").len(), 0);
        }
        let file = ConstFile::open(&path).expect("it can be opened");
        std::fs::remove_file(&path).expect("the scratch file");
        assert_eq!(file.part(0..3).expect("the file is still open")[..], [0, 1, 2]);
        assert_eq!(ConstFile::open(&path).err(), Some(Errno::ENOENT));
    }

    #[test]
    fn a_file_that_was_written_anew_is_not_read_on() {
        let path = std::env::temp_dir().join(format!("whistler-changed-file-{}", std::process::id()));
        std::fs::write(&path, [1; 100]).expect("a scratch file");
        let file = ConstFile::open(&path).expect("it can be opened");
        assert_eq!(file.part(0..2).expect("a part")[..], [1, 1]);
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
        std::fs::write(&path, [2; 100]).expect("the scratch file");
        std::fs::File::options().write(true).open(&path).and_then(|f| f.set_modified(later)).expect("its time");
        assert_eq!(file.part(0..2).err(), Some(Errno::ESTALE));
        std::fs::remove_file(&path).expect("the scratch file");
    }
}
