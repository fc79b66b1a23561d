//! What is done while an object is attached, and what is known of it: files opened, children started and ended.
//! Invariant: everything is done by this process or its children, so that a program can tell it from the rest.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Numbers, by name.
#[derive(Debug, Default)]
pub struct Facts {
    numbers: BTreeMap<&'static str, i64>,
    /// The path under which the children were started; their name is its last part.
    pub child_path: String,
    /// How long it all took.
    pub took: Duration,
}

impl Facts {
    pub fn number(&self, name: &str) -> Result<i64, String> {
        self.numbers.get(name).copied().ok_or_else(|| format!("no fact `{name}`"))
    }
}

/// A file that is not there.
const MISSING: &str = "/wh-missing";
/// A file that some programs refuse to have opened.
const DENIED: &str = "wh-denied";
/// The name of the children.
const CHILD: &str = "wh-child";
/// How one child ends by itself.
pub const CHILD_EXIT: u8 = 7;

const O_NOCTTY: i32 = 0o400;
const O_RDWR: i64 = 2;
const O_CLOEXEC: i64 = 0o2_000_000;
/// Added by the kernel to every `open` of a 64-bit process.
const O_LARGEFILE: i64 = 0o100_000;

/// In a child: ends as it is told. `None` in the test itself.
pub fn child() -> Option<ExitCode> {
    let mut args = std::env::args();
    let name = args.next()?;
    if !name.ends_with(CHILD) {
        return None;
    }
    if args.next().as_deref() == Some("wait") {
        std::thread::sleep(Duration::from_secs(30));
    }
    Some(ExitCode::from(CHILD_EXIT))
}

struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Does everything once, then sleeps and wakes for the time given.
pub fn run(long: Duration) -> Result<Facts, String> {
    let start = Instant::now();
    let dir = Dir(std::env::temp_dir().join(format!("wh-{}", std::process::id())));
    let failed = |e: std::io::Error| format!("{}: {e}", dir.0.display());
    std::fs::create_dir_all(&dir.0).map_err(failed)?;
    let denied = dir.0.join(DENIED);
    std::fs::write(&denied, "not for everybody").or_else(|e| refusal(&e).map(|_| ()).ok_or(e)).map_err(failed)?;
    let link = dir.0.join(CHILD);
    std::os::unix::fs::symlink(std::env::current_exe().map_err(failed)?, &link).map_err(failed)?;

    let mut facts = Facts { child_path: link.to_string_lossy().into_owned(), ..Facts::default() };
    let mut know = |name, n: i64| {
        facts.numbers.insert(name, n);
    };
    know("pid", i64::from(std::process::id()));
    know("ppid", i64::from(std::os::unix::process::parent_id()));
    let opened = OpenOptions::new().read(true).write(true).custom_flags(O_NOCTTY).open(MISSING);
    know("open-missing", result(opened));
    let flags = O_RDWR | O_CLOEXEC | i64::from(O_NOCTTY);
    know("open-user-flags", flags);
    know("open-flags", flags | O_LARGEFILE);
    know("denied-inode", denied.metadata().map_err(failed)?.ino() as i64);
    know("open-denied", result(std::fs::File::open(&denied)));
    let (child, killed) = children(&link)?;
    know("child", child);
    know("killed", killed);
    know("children", child + killed);
    loop {
        std::thread::sleep(Duration::from_millis(2));
        if start.elapsed() >= long {
            break;
        }
        // Two that run at once make each other wait.
        std::thread::scope(|s| (0..3).for_each(|_| drop(s.spawn(busy))));
    }
    facts.took = start.elapsed();
    Ok(facts)
}

fn busy() {
    let end = Instant::now() + Duration::from_millis(3);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

fn refusal(e: &std::io::Error) -> Option<i32> {
    e.raw_os_error().filter(|n| matches!(n, 1 | 13))
}

/// 0, or the error as the kernel gives it.
fn result<T>(r: std::io::Result<T>) -> i64 {
    match r {
        Ok(_) => 0,
        Err(e) => -i64::from(e.raw_os_error().unwrap_or(0)),
    }
}

/// One child that ends by itself, and one that is killed: their numbers.
fn children(link: &Path) -> Result<(i64, i64), String> {
    let start = |arg: &str| Command::new(link).arg(arg).spawn().map_err(|e| format!("{}: {e}", link.display()));
    let mut killed = start("wait")?;
    let mut child = start("end")?;
    let ended = child.wait().map_err(|e| e.to_string())?;
    if ended.code() != Some(i32::from(CHILD_EXIT)) {
        return Err(format!("the child: {ended}"));
    }
    std::thread::sleep(Duration::from_millis(20));
    killed.kill().and_then(|()| killed.wait()).map_err(|e| e.to_string())?;
    Ok((i64::from(child.id()), i64::from(killed.id())))
}
