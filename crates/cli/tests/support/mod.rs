//! What the tests of the binary share: running it under a time limit, skipping with a reason, and
//! taking away again what a test put into the machine, also when it fails.
#![allow(dead_code, reason = "every test file takes what it needs")]

pub mod place;

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// More than any test takes on a busy machine; past it a process hangs.
pub const LONG: Duration = Duration::from_secs(60);

/// The binary under test.
pub const WHISTLER: &str = env!("CARGO_BIN_EXE_whistler");

/// The workspace.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("crates/cli lies two below the workspace").to_path_buf()
}

/// A file of `examples/`.
pub fn example(name: &str) -> PathBuf {
    root().join("examples").join(name)
}

/// The binary with arguments, in the workspace and without colours or a history of its user's.
pub fn whistler<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(args: I) -> Command {
    let mut command = Command::new(WHISTLER);
    command.args(args).current_dir(root()).env("NO_COLOR", "1").env("XDG_STATE_HOME", scratch_root());
    command
}

/// What a process said and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// This run, asserted to have ended well.
    #[track_caller]
    pub fn ok(self) -> Ran {
        assert!(self.status.success(), "{}\n--- out\n{}\n--- err\n{}", self.status, self.out, self.err);
        self
    }

    /// This run, asserted to have ended with this status.
    #[track_caller]
    pub fn exits(self, code: i32) -> Ran {
        assert_eq!(self.status.code(), Some(code), "{}\n--- out\n{}\n--- err\n{}", self.status, self.out, self.err);
        self
    }

    /// Both outputs, for messages and for looking in either.
    pub fn all(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }
}

/// A process whose outputs are collected while it runs; killed when dropped.
pub struct Running {
    pub child: Child,
    out: Collected,
    err: Collected,
}

struct Collected {
    text: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Collected {
    fn new(mut from: impl Read + Send + 'static) -> Collected {
        let text = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let to = text.clone();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                if let Ok(mut to) = to.lock() {
                    to.extend_from_slice(&buffer[..n]);
                }
            }
        });
        Collected { text, thread: Some(thread) }
    }

    fn so_far(&self) -> String {
        self.text.lock().map(|t| String::from_utf8_lossy(&t).into_owned()).unwrap_or_default()
    }

    fn end(&mut self) -> String {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.so_far()
    }
}

impl Running {
    /// Starts a command; its standard input is empty unless one was set.
    #[track_caller]
    pub fn start(command: &mut Command) -> Running {
        Running::start_with(command.stdin(Stdio::null()))
    }

    /// Starts a command with the standard input it has.
    #[track_caller]
    pub fn start_with(command: &mut Command) -> Running {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{:?}: {e}", command.get_program()));
        let out = Collected::new(child.stdout.take().expect("piped"));
        let err = Collected::new(child.stderr.take().expect("piped"));
        Running { child, out, err }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Both outputs so far.
    pub fn so_far(&self) -> String {
        format!("{}{}", self.out.so_far(), self.err.so_far())
    }

    /// Waits until an output has this text.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(&format!("`{text}`"), |all| all.contains(text));
    }

    /// Waits until the outputs so far are as wished.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, mut there: impl FnMut(&str) -> bool) {
        let end = Instant::now() + LONG;
        loop {
            let all = self.so_far();
            if there(&all) {
                return;
            }
            let ended = self.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none() || there(&self.so_far()), "ended ({ended:?}) before {what} came:\n{all}");
            assert!(Instant::now() < end, "{what} did not come:\n{all}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal by name.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(sent.is_ok_and(|s| s.success()), "signal {name}");
    }

    /// Waits for the end.
    #[track_caller]
    pub fn finish(mut self) -> Ran {
        let end = Instant::now() + LONG;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if Instant::now() > end {
                let _ = self.child.kill();
                panic!("still running after {LONG:?}:\n{}", self.so_far());
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        Ran { status, out: self.out.end(), err: self.err.end() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Runs a command to its end.
#[track_caller]
pub fn run(command: &mut Command) -> Ran {
    Running::start(command).finish()
}

/// Runs a command to its end with a text on its standard input.
#[track_caller]
pub fn run_with_input(command: &mut Command, input: &str) -> Ran {
    let mut running = Running::start_with(command.stdin(Stdio::piped()));
    if let Some(mut stdin) = running.child.stdin.take() {
        // One that does not read all of it says why itself.
        let _ = stdin.write_all(input.as_bytes());
    }
    running.finish()
}

/// Runs a tool that must work, for setting things up.
#[track_caller]
pub fn tool(line: &str) -> String {
    let mut words = line.split_whitespace();
    let program = words.next().expect("a program");
    run(Command::new(program).args(words).env("PATH", path())).ok().out
}

/// Like [`tool`], for taking things down: what it says is not wanted.
pub fn quietly(line: &str) {
    let mut words = line.split_whitespace();
    if let Some(program) = words.next() {
        let mut command = Command::new(program);
        let _ = command.args(words).env("PATH", path()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// The search path with the administrator's tools on it.
pub fn path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

/// Whether a tool is there.
pub fn have(program: &str) -> bool {
    path().split(':').any(|d| Path::new(d).join(program).exists())
}

fn scratch_root() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A directory of one test's own, removed with all in it.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = scratch_root().join(format!("cli-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a scratch directory");
        Scratch(dir)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it with this text.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a scratch file");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Why kernel tests can't run here.
pub fn kernel_missing() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|l| l.strip_prefix("CapEff:"));
    let effective = effective.and_then(|v| u64::from_str_radix(v.trim(), 16).ok()).unwrap_or(0);
    let needed = [(12, "cap_net_admin"), (21, "cap_sys_admin"), (38, "cap_perfmon"), (39, "cap_bpf")];
    let missing: Vec<&str> = needed.iter().filter(|(n, _)| effective & (1 << n) == 0).map(|(_, name)| *name).collect();
    (!missing.is_empty()).then(|| format!("needs {}", missing.join(", ")))
}

/// Whether the kernel and these tools can be used; says why not, and fails instead where they have to be.
#[track_caller]
pub fn can_use_kernel(tools: &[&str]) -> bool {
    let mut missing: Vec<String> = kernel_missing().into_iter().collect();
    missing.extend(tools.iter().filter(|t| !have(t)).map(|t| format!("`{t}` is not installed")));
    if missing.is_empty() {
        return true;
    }
    let reason = missing.join("; ");
    assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none_or(|v| v != "1"), "{reason}");
    eprintln!("skipped: {reason}");
    false
}

/// The number of BPF programs of this name in the kernel, whoever loaded them. Names are cut to 15 bytes.
pub fn programs_named(name: &str) -> usize {
    let name = &name[..name.len().min(15)];
    let list = tool("bpftool prog list");
    list.lines().filter(|l| l.split_whitespace().any(|w| w == name)).count()
}

/// Waits until something is so; the kernel frees programs a moment after their last reference went.
#[track_caller]
pub fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !so() {
        assert!(Instant::now() < end, "{what}: still not so");
        std::thread::sleep(Duration::from_millis(50));
    }
}
