//! Other kernels, in QEMU's plain emulation: an initramfs of static binaries and
//! a small first process, one boot per kernel.
//!
//! Invariant: a machine that was started is gone when its function returns, after a deadline if need be.

mod cases;
mod cpio;
mod demo;
mod kernels;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use cpio::Cpio;
pub use kernels::{KERNELS, KernelSpec, Unpacked};

/// Static binaries need the target named, or proc-macro crates fail to build.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Ample: a boot takes two seconds.
const DEFAULT_TIMEOUT: u64 = 600;

/// What programs of the host find in the machine as well, where the host has it: enough for dynamic ones, and
/// for uprobes in the C library.
const LIBRARIES: &[&str] = &[
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/x86_64-linux-gnu/libm.so.6",
    "/lib/x86_64-linux-gnu/libgcc_s.so.1",
];

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    kernels: Vec<&'static KernelSpec>,
    shell: bool,
    demo: bool,
    cases: bool,
    bin: Option<PathBuf>,
    put: Vec<(PathBuf, String)>,
    timeout: Duration,
    command: Vec<String>,
}

impl Options {
    /// From the words after `vm`.
    pub fn parse(args: &[String]) -> Result<Options, String> {
        let mut o = Options {
            kernels: KERNELS.iter().collect(),
            shell: false,
            demo: false,
            cases: false,
            bin: None,
            put: Vec::new(),
            timeout: Duration::from_secs(DEFAULT_TIMEOUT),
            command: Vec::new(),
        };
        let mut named = false;
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--kernel" => {
                    named = true;
                    let name = value()?;
                    if name != "all" {
                        let known = KERNELS.iter().find(|k| k.name == name);
                        o.kernels =
                            vec![known.ok_or_else(|| format!("no kernel `{name}`; there are 6.1, 6.12 and all"))?];
                    }
                }
                "--shell" => o.shell = true,
                "--demo" => (o.shell, o.demo) = (true, true),
                "--cases" => o.cases = true,
                "--bin" => o.bin = Some(value()?.into()),
                "--put" => {
                    let pair = value()?;
                    let (from, to) =
                        pair.split_once(':').ok_or_else(|| format!("--put wants FILE:GUEST_PATH, not `{pair}`"))?;
                    o.put.push((from.into(), to.to_string()));
                }
                "--timeout" => {
                    let seconds = value()?;
                    let seconds = seconds.parse().map_err(|_| format!("--timeout wants seconds, not `{seconds}`"))?;
                    o.timeout = Duration::from_secs(seconds);
                }
                "--" => o.command.extend(args.by_ref().cloned()),
                flag if flag.starts_with('-') && o.command.is_empty() => return Err(format!("unknown option {flag}")),
                word => {
                    o.command.push(word.to_string());
                    o.command.extend(args.by_ref().cloned());
                }
            }
        }
        if o.shell && !named {
            o.kernels = KERNELS.iter().rev().take(1).collect();
        }
        if o.shell && o.kernels.len() != 1 {
            return Err("--shell wants one kernel".into());
        }
        Ok(o)
    }
}

/// Does it. `Ok(false)` when something that ran in a machine failed.
pub fn run(options: &Options) -> Result<bool, String> {
    let root = crate::root();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    need_qemu()?;
    let init = build(&root, &["build", "--release", "-p", "xtask", "--bin", "vm-init"])?;
    let init = init.into_iter().next_back().ok_or("vm-init was not built")?;
    if options.cases {
        return cases::run(options, &root, &target, &init);
    }
    let mut guest = Guest::new(&init)?;
    for library in LIBRARIES.iter().filter(|l| Path::new(l).exists()) {
        guest.put(Path::new(library), library)?;
    }
    for (from, to) in &options.put {
        guest.put(from, to)?;
    }
    if options.shell {
        let bin = match &options.bin {
            Some(bin) => bin.clone(),
            None => build(&root, &["build", "--release", "-p", "whistler-cli", "--bin", "whistler"])?
                .pop()
                .ok_or("whistler was not built")?,
        };
        guest.put(&bin, "/bin/whistler")?;
        if root.join("examples").is_dir() {
            guest.put(&root.join("examples"), "/examples")?;
        }
        let mut words = vec!["/bin/whistler".to_string()];
        words.extend(options.command.iter().cloned());
        guest.files.insert("/shell".into(), words.join("\0").into_bytes());
        if options.demo {
            guest.files.insert("/tick.lisp".into(), demo::TICK.into());
            let mut beside = ["/bin/whistler", "-e", demo::BESIDE].join("\0");
            if demo::with_libc() {
                for program in demo::SHELL {
                    guest.put(Path::new(program), program)?;
                }
                beside += &format!("\n{}\0-c\0{}", demo::SHELL[0], demo::SHELL_LOOP);
            }
            guest.files.insert("/beside".into(), beside.into_bytes());
            return demonstrate(options.kernels[0], &guest, &target);
        }
        return shell(options.kernels[0], &guest, &target);
    }
    let mut list = String::new();
    if let Some((bin, args)) = options.command.split_first() {
        list = guest.program(Path::new(bin), args)?;
    } else {
        eprintln!("vm: building the loader's tests statically");
        let tests = build(&root, &["test", "-p", "whistler-loader", "--lib", "--tests", "--no-run"])?;
        if tests.is_empty() {
            return Err("the loader has no test binaries".into());
        }
        for bin in tests {
            list.push_str(&guest.program(&bin, &["--test-threads=1".into(), "--show-output".into()])?);
        }
    }
    guest.files.insert("/run-list".into(), list.into_bytes());
    let mut good = true;
    let mut summary = Vec::new();
    for spec in &options.kernels {
        let report = boot(spec, &guest, &target, options.timeout)?;
        good &= report.good();
        summary.push(format!("kernel {}: {report}", spec.name));
    }
    for line in summary {
        println!("{line}");
    }
    Ok(good)
}

/// QEMU, installed where it is missing.
fn need_qemu() -> Result<(), String> {
    let there =
        Command::new("qemu-system-x86_64").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if there.is_ok() {
        return Ok(());
    }
    eprintln!("vm: installing qemu-system-x86 (apt-get install; removes qemu-utils 10 where that is preinstalled)");
    kernels::run(Command::new("apt-get").args(["install", "-y", "-qq", "--no-install-recommends", "qemu-system-x86"]))
}

/// Builds statically; the executables that cargo names.
fn build(root: &Path, args: &[&str]) -> Result<Vec<PathBuf>, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).args(["--target", TARGET, "--message-format=json-render-diagnostics", "--quiet"]);
    command.current_dir(root).env("RUSTFLAGS", "-C target-feature=+crt-static").stdout(Stdio::piped());
    let out = command.spawn().and_then(Child::wait_with_output).map_err(|e| format!("cargo: {e}"))?;
    if !out.status.success() {
        return Err(format!("cargo {} failed", args.join(" ")));
    }
    Ok(executables(&String::from_utf8_lossy(&out.stdout)))
}

/// The executables in cargo's messages, one JSON object a line.
fn executables(messages: &str) -> Vec<PathBuf> {
    messages
        .lines()
        .filter_map(|l| {
            let rest = l.split_once(r#""executable":""#)?.1;
            Some(PathBuf::from(rest.split_once('"')?.0))
        })
        .collect()
}

/// What a machine finds in its initramfs.
struct Guest {
    files: BTreeMap<String, Vec<u8>>,
}

impl Guest {
    fn new(init: &Path) -> Result<Guest, String> {
        let mut guest = Guest { files: BTreeMap::new() };
        guest.put(init, "/init")?;
        let mut environment: String = std::env::vars()
            .filter(|(name, value)| name.starts_with("WHISTLER_") && !value.contains('\n'))
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        environment +=
            &format!("TERM={}\nRUST_BACKTRACE=1\n", std::env::var("TERM").unwrap_or_else(|_| "vt100".into()));
        environment += &format!("VM_TERMINAL={}\n", terminal_size());
        guest.files.insert("/environment".into(), environment.into_bytes());
        Ok(guest)
    }

    /// More variables, one `NAME=VALUE` a line.
    fn environment(&mut self, lines: &str) {
        self.files.entry("/environment".into()).or_default().extend(lines.as_bytes());
    }

    /// A file of the host, or a directory with everything in it.
    fn put(&mut self, from: &Path, to: &str) -> Result<(), String> {
        let failed = |e: std::io::Error| format!("{}: {e}", from.display());
        if from.is_dir() {
            for entry in fs::read_dir(from).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                self.put(
                    &entry.path(),
                    &format!("{}/{}", to.trim_end_matches('/'), entry.file_name().to_string_lossy()),
                )?;
            }
            return Ok(());
        }
        self.files.insert(to.to_string(), fs::read(from).map_err(failed)?);
        Ok(())
    }

    /// A program to run; its line of the list.
    fn program(&mut self, bin: &Path, args: &[String]) -> Result<String, String> {
        let name = bin.file_name().ok_or_else(|| format!("{} is no file", bin.display()))?.to_string_lossy();
        let to = format!("/bin/{name}");
        self.put(bin, &to)?;
        let mut words = vec![to];
        words.extend(args.iter().cloned());
        if words.iter().any(|w| w.contains(['\n', '\0'])) {
            return Err("an argument can't hold a line break".into());
        }
        Ok(words.join("\0") + "\n")
    }

    fn archive(&self, kernel: &Unpacked) -> Result<Vec<u8>, String> {
        let mut cpio = Cpio::new();
        for dir in ["proc", "sys", "dev", "tmp", "run", "root"] {
            cpio.dir(dir);
        }
        // Before /dev is mounted, the first process speaks through this one.
        cpio.device("dev/console", 5, 1);
        let mut order = String::new();
        for module in &kernel.modules {
            let name = module.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = fs::read(module).map_err(|e| format!("{}: {e}", module.display()))?;
            cpio.file(&format!("modules/{name}"), &bytes);
            order += &format!("{name}\n");
        }
        cpio.file("modules/order", order.as_bytes());
        for (path, bytes) in &self.files {
            cpio.file(path, bytes);
        }
        Ok(cpio.finish())
    }
}

fn terminal_size() -> String {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => format!("{}x{}", size.ws_row, size.ws_col),
        _ => "24x80".into(),
    }
}

/// The command that boots a kernel with a guest; the serial line is its standard input and output.
fn qemu(spec: &KernelSpec, guest: &Guest, target: &Path) -> Result<Command, String> {
    let kernels = target.join("kernels");
    let kernel = kernels::fetch(spec, &kernels)?;
    let initrd = kernels.join(format!("initramfs-{}-{}", spec.name, std::process::id()));
    fs::write(&initrd, guest.archive(&kernel)?).map_err(|e| format!("{}: {e}", initrd.display()))?;
    let mut qemu = Command::new("qemu-system-x86_64");
    // One CPU: with two, attaching races the patching of kernel text under emulation.
    qemu.args([
        "-accel",
        "tcg",
        "-cpu",
        "max",
        "-m",
        "1024",
        "-smp",
        "1",
        "-nodefaults",
        "-no-reboot",
        "-display",
        "none",
    ]);
    qemu.args(["-chardev", "stdio,id=tty,signal=off", "-serial", "chardev:tty"]);
    qemu.arg("-kernel").arg(&kernel.image).arg("-initrd").arg(&initrd);
    qemu.args(["-append", "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off"]);
    Ok(qemu)
}

fn remove_initramfs(spec: &KernelSpec, target: &Path) {
    let _ = fs::remove_file(target.join("kernels").join(format!("initramfs-{}-{}", spec.name, std::process::id())));
}

/// What came of a boot.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    seconds: u64,
    /// Programs with how they ended.
    exits: Vec<(String, String)>,
    /// What the test harness counted, added up: passed, failed, ignored.
    tests: [u64; 3],
    /// Each test, with how it ended.
    ended: cases::Endings,
    /// Tests that said that this kernel lacks something, with the reason.
    skipped: Vec<String>,
    errors: Vec<String>,
    done: bool,
}

impl Report {
    fn good(&self) -> bool {
        self.done && !self.exits.is_empty() && self.exits.iter().all(|(_, code)| code == "0")
    }

    fn line(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            for (slot, word) in self.tests.iter_mut().zip([" passed", " failed", " ignored"]) {
                let count = counts
                    .split(';')
                    .find_map(|p| p.trim().strip_suffix(word)?.rsplit(' ').next()?.parse::<u64>().ok());
                *slot += count.unwrap_or(0);
            }
        }
        self.ended.line(line);
        if let Some(why) = line.strip_prefix("skipped: ") {
            self.skipped.push(why.to_string());
        }
        let Some(rest) = line.strip_prefix("@@vm ") else { return };
        if rest == "done" {
            self.done = true;
        } else if let Some((program, code)) = rest.strip_prefix("exit ").and_then(|r| r.split_once(' ')) {
            self.exits.push((program.trim_start_matches("/bin/").to_string(), code.to_string()));
        } else if let Some(error) = rest.strip_prefix("error ") {
            self.errors.push(error.to_string());
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [passed, failed, ignored] = self.tests;
        write!(f, "{} programs in {} s", self.exits.len(), self.seconds)?;
        if passed + failed + ignored > 0 {
            let skipped = self.skipped.len();
            write!(f, "; tests: {passed} passed ({skipped} of them skipped), {failed} failed, {ignored} ignored")?;
        }
        for why in &self.skipped {
            write!(f, "\n  skipped: {why}")?;
        }
        for (program, code) in self.exits.iter().filter(|(_, code)| code != "0") {
            write!(f, "\n  {program}: exit {code}")?;
        }
        for e in &self.errors {
            write!(f, "\n  {e}")?;
        }
        if !self.done {
            write!(f, "\n  the machine ended before everything had run")?;
        }
        Ok(())
    }
}

/// Boots a kernel, runs the list, shows what it prints.
fn boot(spec: &KernelSpec, guest: &Guest, target: &Path, timeout: Duration) -> Result<Report, String> {
    let mut command = qemu(spec, guest, target)?;
    let start = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|e| format!("qemu-system-x86_64: {e}"))?;
    let output = child.stdout.take().ok_or("QEMU has no output")?;
    let child = Arc::new(Mutex::new(child));
    let deadline = {
        let child = child.clone();
        std::thread::spawn(move || watch(&child, start + timeout))
    };
    let mut report = Report::default();
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.by_ref().take(1 << 20).read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        report.line(text);
        println!("[{}] {text}", spec.name);
        line.clear();
    }
    let in_time = deadline.join().unwrap_or(false);
    report.seconds = start.elapsed().as_secs();
    if !in_time {
        report.errors.push(format!("stopped after {} s", timeout.as_secs()));
    }
    remove_initramfs(spec, target);
    Ok(report)
}

/// Waits for the machine until the deadline, then ends it; whether it ended by itself.
fn watch(child: &Mutex<Child>, deadline: Instant) -> bool {
    loop {
        let Ok(mut child) = child.lock() else { return false };
        match child.try_wait() {
            Ok(Some(_)) => return true,
            Ok(None) if Instant::now() < deadline => {}
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
        drop(child);
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Boots a kernel with our terminal on its serial line.
fn shell(spec: &KernelSpec, guest: &Guest, target: &Path) -> Result<bool, String> {
    if !std::io::stdin().is_terminal() {
        eprintln!("vm: standard input is no terminal; the guest reads it all the same");
    }
    let status = qemu(spec, guest, target)?.status().map_err(|e| format!("qemu-system-x86_64: {e}"));
    remove_initramfs(spec, target);
    Ok(status?.success())
}

/// Boots a kernel with somebody at its terminal who types a scene.
fn demonstrate(spec: &KernelSpec, guest: &Guest, target: &Path) -> Result<bool, String> {
    let mut command = qemu(spec, guest, target)?;
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|e| format!("qemu-system-x86_64: {e}"))?;
    let played = match (child.stdin.take(), child.stdout.take()) {
        (Some(stdin), Some(stdout)) => demo::play(stdin, stdout),
        _ => Err("QEMU has no terminal".into()),
    };
    if played.is_err() {
        let _ = child.kill();
    }
    let child = Mutex::new(child);
    let in_time = watch(&child, Instant::now() + Duration::from_secs(30));
    remove_initramfs(spec, target);
    played?;
    if in_time { Ok(true) } else { Err("the machine did not power off".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(s: &str) -> Vec<String> {
        s.split_whitespace().map(str::to_string).collect()
    }

    #[test]
    fn options() {
        let o = Options::parse(&words("--kernel 6.12 --put a:/b -- /x --flag")).unwrap();
        assert_eq!(o.kernels.iter().map(|k| k.name).collect::<Vec<_>>(), ["6.12"]);
        assert_eq!(o.command, ["/x", "--flag"]);
        assert_eq!(o.put, [(PathBuf::from("a"), "/b".to_string())]);
        assert_eq!(Options::parse(&words("bin --kernel")).unwrap().command, ["bin", "--kernel"]);
        assert_eq!(Options::parse(&words("--shell")).unwrap().kernels[0].name, "6.12");
        assert!(Options::parse(&words("--demo")).unwrap().demo);
        assert!(Options::parse(&words("--kernel 5.4")).unwrap_err().contains("6.12"));
        assert!(Options::parse(&words("--kernel all --shell")).is_err());
        assert!(Options::parse(&words("--kernel")).is_err());
    }

    #[test]
    fn a_report_counts_tests_and_exits() {
        let mut r = Report::default();
        for l in [
            "@@vm start /bin/a",
            "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out",
            "@@vm exit /bin/a 101",
        ] {
            r.line(l);
        }
        assert_eq!((r.tests, r.good()), ([3, 1, 2], false));
        let mut r = Report::default();
        r.line("@@vm exit /bin/a 0");
        assert!(!r.good(), "a machine that died early is no success");
        r.line("@@vm done");
        assert!(r.good());
    }

    #[test]
    fn executables_are_found_in_cargos_messages() {
        let text = "{\"reason\":\"x\",\"executable\":null}\n{\"executable\":\"/t/a-1\",\"fresh\":true}\n";
        assert_eq!(executables(text), [PathBuf::from("/t/a-1")]);
    }
}
