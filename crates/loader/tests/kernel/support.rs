//! What the tests share: requirements, objects made by hand, network namespaces, children.

use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use whistler_diag::{FileId, Span};
use whistler_isa::{AttachType, Insn, KernelVersion, MapType, ProgType, Reg, op};
use whistler_kernel::{Feature, Kernel};
use whistler_loader::{Loaded, Loader};
use whistler_object::{Function, Global, Location, Map, Mutability, Object, Program, Relocation, Symbol};
use whistler_sys::Cap;

/// Says what a test needs; without it the test is skipped with a printed reason, and fails under
/// `WHISTLER_REQUIRE_KERNEL=1` if it is the capabilities that are missing or anything but a property of
/// this kernel (its version, what it was built with).
macro_rules! requires {
    ($($need:tt)*) => {
        if !$crate::support::met(stringify!($($need)*)) {
            return;
        }
    };
}
pub(crate) use requires;

pub fn kernel() -> &'static Kernel {
    static KERNEL: OnceLock<Kernel> = OnceLock::new();
    KERNEL.get_or_init(Kernel::running)
}

enum Unmet {
    /// The kernel is another one than the test is for.
    NotThisKernel(String),
    /// The environment lacks something.
    Missing(String),
}

pub fn met(needs: &str) -> bool {
    for need in needs.split(',').map(str::trim) {
        match check(need) {
            Ok(()) => {}
            Err(Unmet::NotThisKernel(why)) => {
                // On a line of its own, also after libtest has begun one.
                eprintln!("\nskipped: {why}");
                return false;
            }
            Err(Unmet::Missing(why)) => {
                let strict = std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_some_and(|v| v == "1");
                assert!(!strict, "needs {needs}: {why}");
                // On a line of its own, also after libtest has begun one.
                eprintln!("\nskipped: {why}");
                return false;
            }
        }
    }
    true
}

fn check(need: &str) -> Result<(), Unmet> {
    let missing = |why: String| Err(Unmet::Missing(why));
    if let Some(version) = need.strip_prefix("kernel >=") {
        let wanted: KernelVersion = version.trim().parse().expect("a version in the test's source");
        return match kernel().version() {
            Some(v) if v >= wanted => Ok(()),
            Some(v) => Err(Unmet::NotThisKernel(format!("kernel {v} is older than {wanted}"))),
            None => missing("the kernel's version is not known".to_string()),
        };
    }
    if let Some(feature) = need.strip_prefix("feature ") {
        let feature = Feature::ALL.into_iter().find(|f| format!("{f:?}") == feature).expect("a feature");
        return if kernel().has(feature) {
            Ok(())
        } else {
            Err(Unmet::NotThisKernel(format!("this kernel has no {}", feature.name())))
        };
    }
    match need {
        "tracefs" => kernel().tracefs().map(|_| ()).or_else(|e| missing(format!("no tracefs: {e}"))),
        "cgroup2" => match cgroup2() {
            Some(_) => Ok(()),
            None => missing("cgroup2 is mounted nowhere".to_string()),
        },
        "netns" => match in_netns(|| whistler_sys::netlink::veth_add("va", "vb", None).is_ok()) {
            true => Ok(()),
            false => missing("no network namespace with a veth pair can be made".to_string()),
        },
        name => {
            let cap = Cap::ALL.into_iter().find(|c| c.name().eq_ignore_ascii_case(name)).expect("a requirement");
            if kernel().capabilities().has(cap) { Ok(()) } else { missing(format!("{name} is missing")) }
        }
    }
}

pub fn cgroup2() -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|l| {
        let words: Vec<&str> = l.split(' ').collect();
        (words.get(2) == Some(&"cgroup2")).then(|| words[1].to_string())
    })
}

/// Runs a test in a network namespace of its own, on a thread of its own.
pub fn in_netns<R: Send>(body: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|s| {
        let run = s.spawn(|| {
            whistler_sys::unshare_network().expect("a network namespace");
            body()
        });
        match run.join() {
            Ok(r) => r,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// A veth pair that is up: numbers of both ends.
pub fn veth() -> (u32, u32) {
    use whistler_sys::{ifindex, netlink};
    netlink::veth_add("va", "vb", None).expect("veth");
    let (a, b) = (ifindex(c"va").expect("va"), ifindex(c"vb").expect("vb"));
    netlink::link_up(a).expect("up");
    netlink::link_up(b).expect("up");
    netlink::address_add(a, [10, 77, 0, 1].into(), 24).expect("address");
    (a, b)
}

/// This test program again, as a child that does what `task` says (see `child.rs`).
pub struct Helper(pub Child);

impl Helper {
    pub fn start(task: &str) -> Helper {
        let exe = std::env::current_exe().expect("ourselves");
        let child = Command::new(exe)
            .args(["--exact", "child::helper", "--nocapture", "--test-threads=1"])
            .env("WHISTLER_TEST_CHILD", task)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        Helper(child)
    }

    /// The rest of the next line that starts with `mark`.
    pub fn line(&mut self, mark: &str) -> Option<String> {
        use std::io::Read;
        let out = self.0.stdout.as_mut()?;
        loop {
            let mut line = Vec::new();
            let mut byte = [0];
            while out.read(&mut byte).ok()? == 1 && byte[0] != b'\n' {
                line.push(byte[0]);
            }
            if line.is_empty() && byte[0] != b'\n' {
                return None;
            }
            let line = String::from_utf8_lossy(&line).into_owned();
            // libtest may have begun the line with the test's name.
            if let Some((_, rest)) = line.split_once(mark) {
                return Some(rest.trim().to_string());
            }
        }
    }

    pub fn tell(&mut self, text: &str) {
        use std::io::Write;
        let input = self.0.stdin.as_mut().expect("piped");
        input.write_all(text.as_bytes()).and_then(|()| input.flush()).expect("the child listens");
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// ---- objects by hand ----

pub fn mov(dst: Reg, imm: i32) -> Insn {
    Insn::new(op::ALU64 | op::MOV | op::K, dst, 0, 0, imm)
}

pub fn copy(dst: Reg, src: Reg) -> Insn {
    Insn::new(op::ALU64 | op::MOV | op::X, dst, src, 0, 0)
}

pub fn add(dst: Reg, imm: i32) -> Insn {
    Insn::new(op::ALU64 | op::ADD | op::K, dst, 0, 0, imm)
}

pub fn call(helper: i32) -> Insn {
    Insn::new(op::JMP | op::CALL, 0, 0, 0, helper)
}

pub fn exit() -> Insn {
    Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0)
}

/// `lock *(u64 *)(dst + off) += src`.
pub fn atomic_add(dst: Reg, src: Reg, off: i16) -> Insn {
    Insn::new(op::STX | op::ATOMIC | op::DW, dst, src, off, 0)
}

/// Code with names: `Named` stands for the two slots of a load.
pub enum Code {
    I(Insn),
    Load(Reg, Symbol),
    Call(&'static str),
}

pub fn function(name: &str, code: Vec<Code>) -> Function {
    let mut f = Function { name: name.to_string(), ..Function::default() };
    for c in code {
        let at = f.insns.len() as u32;
        match c {
            Code::I(i) => f.insns.push(i),
            Code::Load(reg, symbol) => {
                f.insns.extend(Insn::ld_imm64(reg, 0, 0));
                f.relocations.push(Relocation { insn: at, symbol });
            }
            Code::Call(name) => {
                f.insns.push(Insn::new(op::JMP | op::CALL, 0, 0, 0, -1));
                f.relocations.push(Relocation { insn: at, symbol: Symbol::Subprogram(name.to_string()) });
            }
        }
    }
    // One source line per slot, so that a complaint's place can be told.
    for i in 0..f.insns.len() {
        f.locs.push(i as u32);
        f.locations.push(Location {
            span: Span::new(FileId(0), i as u32 * 10, i as u32 * 10 + 5),
            file: "test.lisp".into(),
            line: i as u32 + 1,
            col: 1,
            text: format!("(slot {i} of {name})").into(),
            expansion: Vec::new(),
        });
    }
    f
}

pub fn program(prog_type: ProgType, attach_type: Option<AttachType>, section: &str, f: Function) -> Program {
    Program {
        function: f,
        section: section.to_string(),
        prog_type,
        attach_type,
        attach_target: None,
        license: "GPL".to_string(),
        sleepable: false,
    }
}

/// A program that adds one to the global `hits` and returns `ret`.
pub fn counting(name: &str, prog_type: ProgType, section: &str, ret: i32) -> Object {
    counting_with(name, prog_type, None, section, ret)
}

pub fn counting_with(name: &str, t: ProgType, attach: Option<AttachType>, section: &str, ret: i32) -> Object {
    use Code::{I, Load};
    let hits = Symbol::Global { name: "hits".to_string(), offset: 0 };
    let code = vec![Load(1, hits), I(mov(2, 1)), I(atomic_add(1, 2, 0)), I(mov(0, ret)), I(exit())];
    Object {
        programs: vec![program(t, attach, section, function(name, code))],
        globals: vec![global("hits", &[0; 8], Mutability::ReadWrite)],
        ..Object::default()
    }
}

pub fn global(name: &str, init: &[u8], mutability: Mutability) -> Global {
    Global {
        name: name.to_string(),
        init: init.to_vec(),
        align: 8,
        mutability,
        section: None,
        type_id: None,
        span: Span::NONE,
    }
}

pub fn map(name: &str, map_type: MapType, key: u32, value: u32, entries: u32) -> Map {
    Map {
        name: name.to_string(),
        map_type,
        key_size: key,
        value_size: value,
        max_entries: entries,
        flags: 0,
        key_type: None,
        value_type: None,
        inner: None,
        pin: None,
        contents: Vec::new(),
        extra: 0,
        span: Span::NONE,
    }
}

pub fn load(object: &Object) -> Loaded {
    Loader::new(kernel()).load(object).unwrap_or_else(|e| panic!("{e}\n{e:?}"))
}

pub fn hits(loaded: &Loaded) -> u64 {
    let bytes = loaded.global("hits").expect("counting").read().expect("readable");
    u64::from_ne_bytes(bytes.try_into().expect("8 bytes"))
}

/// Waits until `done`, for at most two seconds.
pub fn eventually(mut done: impl FnMut() -> bool) -> bool {
    for _ in 0..200 {
        if done() {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    false
}
