//! The first process of a virtual machine: mounts what tests expect, inserts
//! modules, runs what it was given, reports, powers off.
//!
//! Invariant: it always ends in a power-off, so the host never waits for nothing.
#![forbid(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, finit_module, reboot};

/// Where things are mounted: type, place.
const MOUNTS: &[(&str, &str)] = &[
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("devpts", "/dev/pts"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
    ("tracefs", "/sys/kernel/tracing"),
    ("debugfs", "/sys/kernel/debug"),
    ("bpf", "/sys/fs/bpf"),
    ("cgroup2", "/sys/fs/cgroup"),
];

/// `MODULE_INIT_COMPRESSED_FILE`: the kernel unpacks the module itself.
const COMPRESSED: i32 = 4;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).map(String::as_str) == Some("--terminal") {
        terminal(&args[2..]);
    }
    setup();
    if Path::new("/shell").exists() {
        shell();
    } else {
        run_all();
    }
    let _ = std::io::Write::flush(&mut std::io::stdout());
    rustix::fs::sync();
    if let Err(e) = reboot(RebootCommand::PowerOff) {
        println!("@@vm error power-off: {e}");
    }
}

fn setup() {
    for (kind, place) in MOUNTS {
        let _ = fs::create_dir_all(place);
        if let Err(e) = mount(*kind, *place, *kind, MountFlags::empty(), None) {
            println!("@@vm error mount {place}: {e}");
        }
    }
    let _ = fs::create_dir_all("/root");
    let Ok(list) = fs::read_to_string("/modules/order") else { return };
    for name in list.lines() {
        let flags = if name.ends_with(".ko") { 0 } else { COMPRESSED };
        let inserted = File::open(format!("/modules/{name}"))
            .map_err(|e| e.to_string())
            .and_then(|f| finit_module(f, c"", flags).map_err(|e| e.to_string()));
        if let Err(e) = inserted {
            println!("@@vm error module {name}: {e}");
        }
    }
}

/// Variables of the host that are passed on, one `NAME=VALUE` a line.
fn environment(command: &mut Command) {
    command.env_clear().env("PATH", "/bin").env("HOME", "/root").current_dir("/");
    for line in fs::read_to_string("/environment").unwrap_or_default().lines() {
        if let Some((name, value)) = line.split_once('=') {
            command.env(name, value);
        }
    }
}

/// Runs each line of `/run-list` (words separated by NUL) and reports its exit.
fn run_all() {
    let list = fs::read_to_string("/run-list").unwrap_or_default();
    for line in list.lines() {
        let mut words = line.split('\0');
        let program = words.next().unwrap_or_default();
        println!("@@vm start {program}");
        let mut command = Command::new(program);
        environment(&mut command);
        command.args(words);
        match command.status() {
            Ok(status) => match status.code() {
                Some(code) => println!("@@vm exit {program} {code}"),
                None => println!("@@vm exit {program} {status}"),
            },
            Err(e) => println!("@@vm exit {program} {e}"),
        }
    }
    println!("@@vm done");
}

/// Puts the binary named in `/shell` on the serial terminal.
fn shell() {
    let beside = beside();
    let list = fs::read_to_string("/shell").unwrap_or_default();
    let mut command = Command::new("/init");
    environment(&mut command);
    command.arg("--terminal").args(list.trim_end_matches('\n').split('\0'));
    if let Err(e) = command.status() {
        println!("@@vm error shell: {e}");
    }
    for mut child in beside {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// What runs in the background meanwhile: the commands in `/beside`, one a line, words separated by NUL.
fn beside() -> Vec<std::process::Child> {
    let list = fs::read_to_string("/beside").unwrap_or_default();
    let start = |line: &str| {
        let mut words = line.split('\0');
        let mut command = Command::new(words.next()?);
        environment(&mut command);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().inspect_err(|e| println!("@@vm error {line}: {e}")).ok()
    };
    list.lines().filter_map(start).collect()
}

/// In a child: a session of its own with the serial line as its terminal, then the binary.
fn terminal(command: &[String]) {
    let open = || -> std::io::Result<()> {
        rustix::process::setsid()?;
        let tty = OpenOptions::new().read(true).write(true).open("/dev/ttyS0")?;
        rustix::process::ioctl_tiocsctty(&tty)?;
        let size = std::env::var("VM_TERMINAL").unwrap_or_default();
        if let Some((rows, cols)) = size.split_once('x')
            && let (Ok(ws_row), Ok(ws_col)) = (rows.parse(), cols.parse())
        {
            let size = rustix::termios::Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
            rustix::termios::tcsetwinsize(&tty, size)?;
        }
        rustix::stdio::dup2_stdin(&tty)?;
        rustix::stdio::dup2_stdout(&tty)?;
        rustix::stdio::dup2_stderr(&tty)?;
        Ok(())
    };
    if let Err(e) = open() {
        println!("@@vm error terminal: {e}");
    }
    if let Some((program, args)) = command.split_first() {
        let e = Command::new(program).args(args).exec();
        println!("@@vm error {program}: {e}");
    }
    std::process::exit(127);
}
