//! The programs of `examples/` on the running kernel: what they promise is done to them from outside.

mod support;

use std::collections::HashMap;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::{Running, Scratch, can_use_kernel, eventually, example, programs_named, run, tool, whistler};

/// Two network namespaces joined by a pair of devices; both go away with it.
struct Net {
    client: String,
    server: String,
}

const SERVER_ADDRESS: &str = "10.91.7.2";

impl Net {
    fn new(name: &str) -> Net {
        let id = std::process::id();
        let net = Net { client: format!("wh-c-{name}-{id}"), server: format!("wh-s-{name}-{id}") };
        let (c, s) = (&net.client, &net.server);
        tool(&format!("ip netns add {c}"));
        tool(&format!("ip netns add {s}"));
        tool(&format!("ip -n {c} link add v0 type veth peer name v1 netns {s}"));
        tool(&format!("ip -n {c} addr add 10.91.7.1/24 dev v0"));
        tool(&format!("ip -n {s} addr add {SERVER_ADDRESS}/24 dev v1"));
        for (ns, dev) in [(c, "v0"), (s, "v1"), (s, "lo")] {
            tool(&format!("ip -n {ns} link set {dev} up"));
        }
        net
    }

    /// Does something on a thread that lives in the client's or server's namespace.
    fn within<T: Send + 'static>(ns: &str, what: impl FnOnce() -> T + Send + 'static) -> T {
        let path = Path::new("/run/netns").join(ns);
        let thread = std::thread::spawn(move || {
            let file = std::fs::File::open(&path).expect("the namespace has a name");
            let kind = rustix::thread::LinkNameSpaceType::Network;
            rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), Some(kind))
                .expect("root may enter it");
            what()
        });
        thread.join().expect("the thread ends")
    }

    fn listen(&self, port: u16) -> TcpListener {
        Net::within(&self.server, move || {
            TcpListener::bind(SocketAddr::new(SERVER_ADDRESS.parse().expect("an address"), port)).expect("a free port")
        })
    }

    /// Whether connections to the server's port come about, one after the other.
    fn connect(&self, port: u16, times: usize, wait: Duration) -> Vec<bool> {
        Net::within(&self.client, move || {
            let to = SocketAddr::new(SERVER_ADDRESS.parse().expect("an address"), port);
            (0..times).map(|_| TcpStream::connect_timeout(&to, wait).is_ok()).collect()
        })
    }

    /// The binary in the server's namespace.
    fn whistler(&self, args: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.server, support::WHISTLER]).args(args);
        command.current_dir(support::root()).env("PATH", support::path()).env("NO_COLOR", "1");
        command
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for ns in [&self.client, &self.server] {
            support::quietly(&format!("ip netns del {ns}"));
        }
    }
}

/// Tests that count what happens on the whole machine must not disturb each other.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    LOCK.lock().unwrap_or_else(|e| e.into_inner())
}

#[test]
fn exec_snoop_sees_real_execs() {
    if !can_use_kernel(&[]) {
        return;
    }
    let scratch = Scratch::new();
    // A name that nothing else on the machine has, so that others' programs don't matter.
    let program = scratch.path().join("wh-e2e-child");
    std::fs::copy("/bin/true", &program).expect("a copy of a program");
    let mut snoop = Running::start(&mut whistler(["run", "examples/exec-snoop.lisp"]));
    // Attached once it shows something.
    let mut started = Vec::new();
    snoop.wait_until("an exec", |all| {
        let mut child = Command::new(&program).spawn().expect("it runs");
        started.push(child.id());
        child.wait().expect("it ends");
        all.lines().filter(|l| l.contains("wh-e2e-child")).count() >= 3
    });
    snoop.signal("INT");
    let ran = snoop.finish().ok();
    let head: Vec<&str> = ran.out.lines().next().unwrap_or("").split_whitespace().collect();
    assert_eq!(head, ["PID", "PPID", "COMM", "FILE"], "{}", ran.out);
    let mut seen = 0;
    for line in ran.out.lines().filter(|l| l.contains("wh-e2e-child")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [pid, ppid, comm, file] = words[..] else { panic!("{line}") };
        assert!(started.contains(&pid.parse().expect("a number")), "{line}: not one of {started:?}");
        assert_eq!(ppid.parse(), Ok(std::process::id()), "{line}");
        assert_eq!(comm, "wh-e2e-child", "{line}");
        // The field holds 103 bytes of the name.
        let name = program.display().to_string();
        assert!(name.starts_with(file) && (file.len() == 103 || file == name), "{line}");
        seen += 1;
    }
    assert!(seen >= 3, "{}", ran.out);
}

#[test]
fn exec_snoop_ends_after_its_count() {
    if !can_use_kernel(&[]) {
        return;
    }
    let mut snoop = Running::start(&mut whistler(["run", "examples/exec-snoop.lisp", "--count", "3"]));
    for _ in 0..1000 {
        let _ = Command::new("/bin/true").status();
        if snoop.child.try_wait().expect("it can be asked").is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = snoop.finish().ok();
    assert_eq!(ran.out.lines().count(), 4, "a head and three lines:\n{}", ran.out);
}

#[test]
fn exec_snoop_plays_recorded_events() {
    let ran = run(&mut whistler(["run", "--vm", "examples/exec-snoop.lisp"])).ok();
    let expected = [
        "    PID     PPID  COMM          FILE",
        "  41233    41200  ls            /bin/ls",
        "  41234    41200  git           /usr/bin/git",
        "  41235        1  sh            /bin/sh",
        "  41240    41239  cc1           /usr/lib/gcc/x86_64-linux-gnu/12/cc1",
        "  41251    41200  true          /usr/bin/true",
    ];
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), expected);
    assert_eq!(ran.err, "5 events\n");
}

#[test]
fn interrupt_ends_a_run_cleanly_and_a_kill_leaves_nothing() {
    if !can_use_kernel(&["bpftool"]) {
        return;
    }
    let _alone = alone();
    let scratch = Scratch::new();
    let text = std::fs::read_to_string(example("exec-snoop.lisp")).expect("the example");
    for (signal, name) in [("INT", "wh-e2e-int"), ("KILL", "wh-e2e-kill")] {
        let file = scratch.file(&format!("{name}.lisp"), &text.replace("on-exec", name));
        let mut snoop = Running::start(whistler(["run"]).arg(&file));
        snoop.wait_until("an exec", |all| {
            let _ = Command::new("/bin/true").status();
            all.lines().count() >= 2
        });
        let symbol = name.replace('-', "_");
        assert_eq!(programs_named(&symbol), 1, "{}", tool("bpftool prog list"));
        snoop.signal(signal);
        let ran = snoop.finish();
        if signal == "INT" {
            assert!(ran.status.success(), "{}\n{}", ran.status, ran.all());
            assert!(ran.err.contains("event"), "{}", ran.err);
        }
        eventually("its program is gone", || programs_named(&symbol) == 0);
    }
}

#[test]
fn port_block_blocks_one_port() {
    if !can_use_kernel(&["ip"]) {
        return;
    }
    let net = Net::new("pb");
    let (_blocked, _open) = (net.listen(9999), net.listen(8080));
    assert_eq!(net.connect(9999, 1, Duration::from_secs(5)), [true], "before it runs");
    let mut block = Running::start(&mut net.whistler(&["run", "examples/port-block.lisp", "v1"]));
    block.wait_for("dropping TCP packets to port 9999 on v1");
    assert_eq!(net.connect(9999, 2, Duration::from_millis(600)), [false, false]);
    assert_eq!(net.connect(8080, 3, Duration::from_secs(5)), [true; 3]);
    // Each failed connection sent one SYN, within its 600 ms before a first repetition after a second.
    block.wait_for("\n0  2\n");
    assert_eq!(net.connect(9999, 1, Duration::from_millis(600)), [false]);
    block.wait_for("\n0  3\n");
    block.signal("INT");
    block.finish().ok();
    assert_eq!(net.connect(9999, 1, Duration::from_secs(5)), [true], "after it ended");
}

/// A directory with a BPF file system of the test's own.
struct BpfFs(std::path::PathBuf);

impl BpfFs {
    fn new(scratch: &Scratch) -> BpfFs {
        let dir = scratch.path().join("bpffs");
        std::fs::create_dir_all(&dir).expect("a directory");
        tool(&format!("mount -t bpf bpf {}", dir.display()));
        BpfFs(dir)
    }
}

impl Drop for BpfFs {
    fn drop(&mut self) {
        support::quietly(&format!("umount {}", self.0.display()));
    }
}

#[test]
fn bpftool_loads_what_is_compiled_and_shows_typed_maps() {
    if !can_use_kernel(&["bpftool"]) {
        return;
    }
    let scratch = Scratch::new();
    let fs = BpfFs::new(&scratch);
    for (name, map, typed) in [("port-block", "drop_count", "\"value\""), ("syn-limit", "stats", "\"value\"")] {
        let object = scratch.path().join(format!("{name}.bpf.o"));
        run(whistler(["compile"]).arg(example(&format!("{name}.lisp"))).arg("-o").arg(&object)).ok();
        let pins = fs.0.join(name);
        tool(&format!("bpftool prog loadall {} {} pinmaps {}", object.display(), pins.display(), pins.display()));
        let dump = tool(&format!("bpftool map dump pinned {}", pins.join(map).display()));
        // Without BTF it would print bytes in hex.
        assert!(dump.contains("\"key\": 0") && dump.contains(typed), "{dump}");
    }
    // A struct's fields come by their names.
    let sources = fs.0.join("syn-limit").join("sources");
    tool(&format!(
        "bpftool map update pinned {} key 10 0 0 1 value hex 00 00 00 00 00 00 00 00 05 00 00 00 07 00 00 00",
        sources.display()
    ));
    let dump = tool(&format!("bpftool map dump pinned {}", sources.display()));
    for field in ["\"start\": 0", "\"count\": 5", "\"dropped\": 7"] {
        assert!(dump.contains(field), "{dump}");
    }
}

#[test]
fn bpftool_loads_calls_of_kernel_functions_and_emitted_lines() {
    if !can_use_kernel(&["bpftool"]) {
        return;
    }
    let scratch = Scratch::new();
    let fs = BpfFs::new(&scratch);
    for case in ["kfunc-task", "kfunc-strings", "dynptr-packet", "kernel-iterators", "emit", "spin-lock"] {
        let source = support::root().join(format!("crates/cli/tests/cases/{case}.lisp"));
        let object = scratch.path().join(format!("{case}.bpf.o"));
        run(whistler(["compile", "--target", "6.18"]).arg(source).arg("-o").arg(&object)).ok();
        let pins = fs.0.join(case.replace('-', "_"));
        tool(&format!("bpftool prog loadall {} {}", object.display(), pins.display()));
        assert!(pins.join("main").exists(), "{case}");
    }
}

#[test]
fn syn_limit_limits() {
    if !can_use_kernel(&["ip"]) {
        return;
    }
    let net = Net::new("sl");
    let listener = net.listen(8081);
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let mut limit = Running::start(&mut net.whistler(&["run", "examples/syn-limit.lisp", "v1"]));
    limit.wait_for("limiting new connections on v1");
    // A first connection opens the window; the next second starts a new one.
    let first = net.connect(8081, 1, Duration::from_secs(5));
    assert_eq!(first, [true]);
    std::thread::sleep(Duration::from_millis(1100));
    let results = net.connect(8081, 22, Duration::from_millis(150));
    let passed = results.iter().take_while(|ok| **ok).count();
    assert_eq!((passed, results[passed..].to_vec()), (20, vec![false, false]), "{results:?}");
    // After the window it is open again.
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(net.connect(8081, 1, Duration::from_secs(5)), [true]);
    limit.signal("INT");
    let ran = limit.finish().ok();
    assert!(ran.out.contains("limiting new connections on v1 to 20 a second"), "{}", ran.out);
    assert!(ran.out.contains("stats"), "{}", ran.out);
}

#[test]
fn syscall_latency_prints_a_histogram() {
    if !can_use_kernel(&[]) {
        return;
    }
    let ran = run(&mut whistler(["run", "examples/syscall-latency.lisp", "1"])).ok();
    let counts = bars(&ran.out, "µs");
    assert!(counts.values().sum::<u64>() > 100, "{}", ran.out);
}

/// A histogram's lower bounds and counts.
fn bars(out: &str, unit: &str) -> HashMap<u64, u64> {
    let mut lines = out.lines().skip_while(|l| !(l.contains(unit) && l.contains("count")));
    assert!(lines.next().is_some(), "no head:\n{out}");
    lines
        .map(|l| {
            let words: Vec<&str> = l.split_whitespace().collect();
            assert!(words.len() >= 4 && words[1] == "…", "{l}");
            (words[0].parse().expect("a number"), words[3].parse().expect("a number"))
        })
        .collect()
}

#[test]
fn uprobe_malloc_counts_a_real_process() {
    if !can_use_kernel(&["cc"]) {
        return;
    }
    let scratch = Scratch::new();
    let source = scratch.file(
        "asks.c",
        "#include <stdlib.h>\n#include <unistd.h>\nint main(void) {\n  volatile char *p;\n  for (;;) {\n\
         \x20   p = malloc(100000); *p = 1; free((void *)p);\n    usleep(2000);\n  }\n}\n",
    );
    let program = scratch.path().join("asks");
    tool(&format!("cc -O0 -o {} {}", program.display(), source.display()));
    let child = Running::start(&mut Command::new(&program));
    let ran = run(whistler(["run", "examples/uprobe-malloc.lisp"]).arg(child.pid().to_string()).arg("1")).ok();
    let counts = bars(&ran.out, "bytes");
    // 100000 lies between 2^16 and 2^17; nothing else asks for so much, and no other process is counted.
    assert!(counts.get(&65536).copied().unwrap_or(0) > 20, "{}", ran.out);
    assert_eq!(counts.len(), 1, "{}", ran.out);
}

#[test]
fn without_capabilities_the_recording_is_played_and_the_lack_named() {
    if !can_use_kernel(&["setpriv"]) {
        return;
    }
    let place = Public::new("nocaps");
    let binary = place.binary();
    let copy =
        place.file("exec-snoop.lisp", &std::fs::read_to_string(example("exec-snoop.lisp")).expect("the example"));
    place.file("exec-snoop.events", &std::fs::read_to_string(example("exec-snoop.events")).expect("its events"));
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&binary).arg("run").arg(&copy);
    let ran = run(command.env("NO_COLOR", "1").current_dir("/")).ok();
    assert!(ran.out.contains("/usr/bin/git"), "{}", ran.all());
    for word in ["cap_bpf", "cap_perfmon", "setcap"] {
        assert!(ran.err.contains(word), "{}", ran.err);
    }
}

/// A directory that every user can get to, with the binary in it.
struct Public(std::path::PathBuf);

impl Public {
    fn new(name: &str) -> Public {
        let dir = std::env::temp_dir().join(format!("wh-e2e-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        open(&dir);
        Public(dir)
    }

    fn binary(&self) -> std::path::PathBuf {
        let to = self.0.join("whistler");
        std::fs::copy(support::WHISTLER, &to).expect("a copy of the binary");
        open(&to);
        to
    }

    fn file(&self, name: &str, text: &str) -> std::path::PathBuf {
        let to = self.0.join(name);
        let mut file = std::fs::File::create(&to).expect("a file");
        file.write_all(text.as_bytes()).expect("it is written");
        open(&to);
        to
    }
}

fn open(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("our own file");
}

impl Drop for Public {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A user made for one test.
struct User(String);

impl Drop for User {
    fn drop(&mut self) {
        support::quietly(&format!("userdel {}", self.0));
    }
}

/// Connects to the server with the control of that name and sends: its name by the kernel, its window afterwards.
const SENDER: &str = "
import socket, struct, sys
s = socket.socket()
s.setsockopt(6, 13, b'capped_reno')
s.connect((sys.argv[1], 7))
for i in range(200): s.sendall(bytes(65536))
print(s.getsockopt(6, 13, 16).split(b'\\0')[0].decode(), struct.unpack_from('I', s.getsockopt(6, 11, 104), 80)[0])
";

#[test]
fn capped_reno_is_chosen_by_a_connection_and_caps_it() {
    if !can_use_kernel(&["ip", "python3"]) {
        return;
    }
    let available = || {
        let all = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").expect("TCP is there");
        all.split_whitespace().any(|n| n == "capped_reno")
    };
    let net = Net::new("cr");
    let listener = net.listen(7);
    let reader = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut from, _) = listener.accept().expect("a connection");
            std::io::copy(&mut from, &mut std::io::sink()).expect("it can be read");
        }
    });
    let scratch = Scratch::new();
    let sender = scratch.file("sender.py", SENDER);
    for signal in ["INT", "KILL"] {
        let mut control = Running::start(&mut whistler(["run", "examples/capped-reno.lisp"]));
        control.wait_for("capped_reno is there");
        let said = tool(&format!("ip netns exec {} python3 {} {SERVER_ADDRESS}", net.client, sender.display()));
        let words: Vec<&str> = said.split_whitespace().collect();
        let [name, window] = words[..] else { panic!("{said}") };
        let window: u32 = window.parse().expect("a number");
        assert!(name == "capped_reno" && (10..=64).contains(&window), "{said}");
        // Acknowledgements.
        control.wait_for("\n1  #(");
        control.signal(signal);
        let ran = control.finish();
        assert!(signal == "KILL" || ran.status.success(), "{}", ran.all());
        eventually("it is taken back", || !available());
    }
    reader.join().expect("both were read");
}

#[test]
fn the_readmes_recipe_lets_a_new_user_run_exec_snoop() {
    if !can_use_kernel(&["useradd", "setcap", "setpriv", "unshare"]) {
        return;
    }
    let readme = std::fs::read_to_string(support::root().join("README.md")).expect("the README");
    let recipe: Vec<&str> = readme
        .lines()
        .skip_while(|l| !l.starts_with("## Without root"))
        .filter_map(|l| l.strip_prefix("    "))
        .take_while(|l| !l.is_empty())
        .collect();
    let [mount, setcap] = recipe[..] else { panic!("{recipe:?}") };
    assert!(mount.starts_with("mount ") && setcap.starts_with("setcap "), "{recipe:?}");
    let place = Public::new("caps");
    let binary = place.binary();
    let setcap = setcap.replace("target/release/whistler", &binary.display().to_string());
    assert!(setcap.ends_with(&binary.display().to_string()), "{setcap}");
    let user = User(format!("wh{}", std::process::id()));
    tool(&format!("useradd --no-create-home --shell /bin/sh {}", user.0));
    let script =
        place.file("exec-snoop.lisp", &std::fs::read_to_string(example("exec-snoop.lisp")).expect("the example"));
    tool(&setcap);
    // In a mount namespace of its own, so that the machine stays as it was.
    let as_user = |args: &str| {
        let line = format!(
            "{mount} && exec setpriv --reuid={0} --regid={0} --clear-groups {1} {args}",
            user.0,
            binary.display()
        );
        let mut command = Command::new("unshare");
        command.args(["-m", "--propagation", "private", "sh", "-c", &line]).current_dir("/");
        command.env_remove("XDG_STATE_HOME").env_remove("HOME").env("NO_COLOR", "1");
        command
    };
    let mut snoop = Running::start(&mut as_user(&format!("run {} --count 3", script.display())));
    for _ in 0..1000 {
        let _ = Command::new("/bin/true").status();
        if snoop.child.try_wait().expect("it can be asked").is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = snoop.finish().ok();
    // In the kernel, not from a recording: there is none beside the copy.
    assert!(!ran.err.contains("missing"), "{}", ran.err);
    assert_eq!(ran.out.lines().count(), 4, "{}", ran.all());
    assert!(ran.out.contains("/bin/true"), "{}", ran.out);
    // And `doctor` as that user finds nothing missing that the examples need.
    let ran = run(&mut as_user("doctor")).ok();
    for what in ["BTF", "tracefs", "cap_bpf", "cap_perfmon", "cap_net_admin", "cap_dac_read_search"] {
        let line = ran.out.lines().find(|l| l.contains(what)).unwrap_or_else(|| panic!("{}", ran.all()));
        assert!(line.starts_with("ok"), "{line}");
    }
}
