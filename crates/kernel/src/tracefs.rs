//! Tracepoints as tracefs describes them: where it is, what there is, and the text of each.
//!
//! Looked for where it is usually mounted, else mounted detached, which changes nothing that others
//! see; or a directory of saved copies (`CATEGORY/NAME/format`, with or without `events/` above).

use std::path::Path;

use whistler_sys::{Dir, Errno, SysError};

/// A place to read formats from.
#[derive(Debug)]
pub struct Tracefs {
    dir: Dir,
    prefix: &'static str,
    origin: Origin,
}

/// How tracefs was come by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// It was mounted at this place.
    Mounted(&'static str),
    /// A mount of our own that only we see.
    Detached,
    /// Saved copies.
    Saved,
}

/// Where it is mounted by convention; the second on machines that mount debugfs only.
const MOUNT_POINTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

impl Tracefs {
    /// The running kernel's.
    pub fn open() -> Result<Tracefs, SysError> {
        let mut denied = None;
        for place in MOUNT_POINTS {
            // An empty directory is the bare mount point.
            match Dir::open(Path::new(place)).and_then(|dir| dir.directories("events").map(|_| dir)) {
                Ok(dir) => return Ok(Tracefs { dir, prefix: "events/", origin: Origin::Mounted(place) }),
                Err(e) if e.errno == Errno::EACCES => denied = Some(e),
                Err(_) => {}
            }
        }
        match Dir::tracefs() {
            Ok(dir) => Ok(Tracefs { dir, prefix: "events/", origin: Origin::Detached }),
            // That it is there and closed to us says more than that we may not mount.
            Err(e) => Err(denied.unwrap_or(e)),
        }
    }

    /// A directory of saved copies.
    pub fn saved(path: &Path) -> Result<Tracefs, SysError> {
        let dir = Dir::open(path)?;
        let prefix = if dir.directories("events").is_ok() { "events/" } else { "" };
        Ok(Tracefs { dir, prefix, origin: Origin::Saved })
    }

    /// How it was come by.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The categories, sorted.
    pub fn categories(&self) -> Result<Vec<String>, SysError> {
        self.dir.directories(if self.prefix.is_empty() { "." } else { self.prefix })
    }

    /// The names of the tracepoints of a category, sorted.
    pub fn names(&self, category: &str) -> Result<Vec<String>, SysError> {
        check(category)?;
        self.dir.directories(&format!("{}{category}", self.prefix))
    }

    /// The functions that can be traced at their entry (those of modules too), in no order; some names
    /// stand for several functions.
    pub fn functions(&self) -> Result<Vec<String>, SysError> {
        let text = self.dir.read("available_filter_functions")?;
        Ok(text.lines().filter_map(|l| l.split([' ', '\t']).next()).map(str::to_string).collect())
    }

    /// Whether the trace buffer takes lines, `printk`'s among them; `None` when that can't be read.
    pub fn tracing_on(&self) -> Option<bool> {
        let text = self.dir.read("tracing_on").ok()?;
        Some(text.trim() != "0")
    }

    /// The text of a tracepoint's `format` file.
    pub fn format_text(&self, category: &str, name: &str) -> Result<String, SysError> {
        check(category)?;
        check(name)?;
        self.dir.read(&format!("{}{category}/{name}/format", self.prefix))
    }
}

/// A name that is one component of a path: nothing else may be reached through it.
fn check(name: &str) -> Result<(), SysError> {
    if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
        return Err(SysError { call: "openat", errno: Errno::ENOENT });
    }
    Ok(())
}
