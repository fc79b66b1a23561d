//! Objects held in the kernel by one loader or another until they have been looked at. Invariant: what was loaded,
//! attached or pinned goes when the value does.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use whistler_isa::{AttachType, MapType};
use whistler_kernel::Kernel;
use whistler_loader::{AttachSpec, Link, Loaded, Map, Put, RingConsumer, from_section};
use whistler_object::Object;

use super::support::{have, path};

/// The map that says whose doings are looked at.
const WANT: &str = "want";

/// Keys with their values.
type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// What was seen of an object.
#[derive(Debug, Default)]
pub struct Seen {
    /// Entries of each map: key, value.
    pub entries: BTreeMap<String, Entries>,
    /// Records of rings, in order.
    pub records: Vec<Vec<u8>>,
    /// What each iterator wrote.
    pub texts: BTreeMap<String, String>,
}

impl Seen {
    /// A 64-bit value of an array.
    pub fn word(&self, map: &str, index: u32) -> Result<i64, String> {
        let entries = self.entries.get(map).ok_or_else(|| format!("no map `{map}`"))?;
        let value = entries.iter().find(|(k, _)| k[..] == index.to_ne_bytes()).map(|(_, v)| v.clone());
        let value = value.and_then(|v| v.try_into().ok()).ok_or_else(|| format!("no {map}[{index}]"))?;
        Ok(i64::from_ne_bytes(value))
    }
}

/// Who loads.
#[derive(Clone, Debug)]
pub enum Loader {
    Ours,
    /// `hold.c`, compiled.
    Libbpf(PathBuf),
    /// It loads and says whether that worked; attaching by itself is more than older ones can.
    Bpftool,
}

/// Those that there are here; says why when one is missing, and fails where that must not be.
pub fn loaders(scratch: &Path) -> Vec<Loader> {
    let mut all = vec![Loader::Ours];
    let required = std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_some_and(|v| v == "1");
    for more in [libbpf(scratch), bpftool()] {
        match more {
            Ok(loader) => all.push(loader),
            Err(why) if required => panic!("{why}"),
            Err(why) => eprintln!("skipped: {why}"),
        }
    }
    all
}

fn libbpf(scratch: &Path) -> Result<Loader, String> {
    if let Some(made) = std::env::var_os("WHISTLER_HOLD") {
        return Ok(Loader::Libbpf(made.into()));
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels/hold.c");
    let program = scratch.join("hold");
    let made =
        Command::new("cc").args(["-O1", "-Wall", "-Werror", "-o"]).arg(&program).arg(source).arg("-lbpf").output();
    match made {
        Ok(out) if out.status.success() => Ok(Loader::Libbpf(program)),
        Ok(out) => Err(format!("libbpf's loader can't be built: {}", String::from_utf8_lossy(&out.stderr))),
        Err(e) => Err(format!("cc: {e}")),
    }
}

/// bpftool pins what it loads, in a BPF file system that only it sees where that can be had.
fn bpftool() -> Result<Loader, String> {
    if !have("bpftool") {
        return Err("bpftool is not installed".into());
    }
    Ok(Loader::Bpftool)
}

impl Loader {
    pub fn name(&self) -> &'static str {
        match self {
            Loader::Ours => "whistler",
            Loader::Libbpf(_) => "libbpf",
            Loader::Bpftool => "bpftool",
        }
    }

    /// The object in the kernel, attached; `None` where it was only loaded, and is gone.
    pub fn hold(&self, object: &Path) -> Result<Option<Held>, String> {
        match self {
            Loader::Ours => Held::ours(object).map(Some),
            Loader::Libbpf(program) => Held::libbpf(program, object).map(Some),
            Loader::Bpftool => load_with_bpftool(object).map(|()| None),
        }
    }
}

fn load_with_bpftool(object: &Path) -> Result<(), String> {
    let name = object.file_stem().unwrap_or_default().to_string_lossy();
    let pins = Pins(Path::new("/sys/fs/bpf").join(format!("wh-{}-{name}", std::process::id())));
    // In a mount namespace of its own it mounts the file system if there is none.
    let mut command = Command::new(if have("unshare") { "unshare" } else { "bpftool" });
    if have("unshare") {
        command.args(["--mount", "--propagation", "private", "bpftool"]);
    }
    let out = command.args(["prog", "loadall"]).arg(object).arg(&pins.0).env("PATH", path()).output();
    let out = out.map_err(|e| format!("bpftool: {e}"))?;
    if out.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&out.stderr).into_owned()) }
}

pub enum Held {
    Ours { loaded: Loaded, links: Vec<(String, Link)> },
    Libbpf { child: Child, stdin: ChildStdin, lines: std::io::Lines<BufReader<std::process::ChildStdout>> },
}

/// A directory of pins, removed with all in it.
struct Pins(PathBuf);

impl Drop for Pins {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn own_number() -> [u8; 8] {
    u64::from(std::process::id()).to_ne_bytes()
}

impl Held {
    pub fn ours(object: &Path) -> Result<Held, String> {
        let object = read(object)?;
        let kernel = Kernel::running();
        let loader = whistler_loader::Loader::new(&kernel);
        let loaded = loader.load(&object).map_err(|e| format!("{e} {e:?}"))?;
        // All of the kernels here take all the types that we write.
        if let Some(note) = loaded.notes.first() {
            return Err(note.clone());
        }
        if let Some(want) = loaded.map(WANT) {
            want.update(&[0; 4], &own_number(), Put::Any).map_err(|e| e.to_string())?;
        }
        let mut links = Vec::new();
        for (name, program) in &loaded.programs {
            let spec: AttachSpec = from_section(program.section()).map_err(|e| e.to_string())?;
            let link = loader.attach(program, &spec).map_err(|e| format!("{e} {:?}", e.mend))?;
            links.push((name.clone(), link));
        }
        Ok(Held::Ours { loaded, links })
    }

    fn libbpf(program: &Path, object: &Path) -> Result<Held, String> {
        let mut command = Command::new(program);
        command.arg(object).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("{}: {e}", program.display()))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("no pipes".into());
        };
        let mut lines = BufReader::new(stdout).lines();
        match lines.next() {
            Some(Ok(line)) if line == "ready" => Ok(Held::Libbpf { child, stdin, lines }),
            _ => {
                let mut why = String::new();
                if let Some(mut stderr) = child.stderr.take() {
                    let _ = stderr.read_to_string(&mut why);
                }
                let _ = child.wait();
                Err(format!("libbpf: {why}"))
            }
        }
    }

    /// What it has; the object is gone afterwards.
    pub fn look(self) -> Result<Seen, String> {
        match self {
            Held::Ours { loaded, links } => {
                let mut seen = Seen::default();
                for (name, link) in &links {
                    if loaded.program(name).is_some_and(|p| p.attach_type() == Some(AttachType::TraceIter)) {
                        let text = link.read_iterator().map_err(|e| format!("{name}: {e}"))?;
                        seen.texts.insert(name.clone(), String::from_utf8_lossy(&text).into_owned());
                    }
                }
                for map in loaded.maps.values() {
                    if map.map_type() == Some(MapType::Ringbuf) {
                        seen.records.extend(records(map).map_err(|e| e.to_string())?);
                    } else {
                        seen.entries.insert(map.name().to_string(), entries(map)?);
                    }
                }
                Ok(seen)
            }
            Held::Libbpf { mut child, mut stdin, lines } => {
                stdin.write_all(b"look\n").map_err(|e| e.to_string())?;
                let mut seen = Seen::default();
                let mut done = false;
                for line in lines {
                    let line = line.map_err(|e| e.to_string())?;
                    done |= line == "done";
                    if !done {
                        told(&mut seen, &line).ok_or_else(|| format!("libbpf's loader said `{line}`"))?;
                    }
                }
                let status = child.wait().map_err(|e| e.to_string())?;
                if done && status.success() { Ok(seen) } else { Err(format!("libbpf's loader: {status}")) }
            }
        }
    }
}

fn read(object: &Path) -> Result<Object, String> {
    let bytes = std::fs::read(object).map_err(|e| format!("{}: {e}", object.display()))?;
    whistler_object::elf::read(&bytes).map_err(|e| format!("{}: {e}", object.display()))
}

fn records(map: &Arc<Map>) -> Result<Vec<Vec<u8>>, whistler_sys::SysError> {
    let mut ring = RingConsumer::new()?;
    ring.add(map.clone(), None)?;
    let mut records = Vec::new();
    ring.consume(|_, record| {
        records.push(record.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(records)
}

fn entries(map: &Map) -> Result<Entries, String> {
    let mut out = Vec::new();
    for entry in map.entries() {
        let (key, mut values) = entry.map_err(|e| format!("{}: {e}", map.name()))?;
        out.extend(values.pop().map(|v| (key, v)));
    }
    Ok(out)
}

/// A line of `hold.c`.
fn told(seen: &mut Seen, line: &str) -> Option<()> {
    let mut words = line.split(' ');
    match words.next()? {
        "entry" => {
            let (map, key, value) = (words.next()?, bytes(words.next()?)?, bytes(words.next()?)?);
            seen.entries.entry(map.to_string()).or_default().push((key, value));
        }
        "record" => seen.records.push((words.next()?, bytes(words.next()?)?).1),
        "text" => {
            let (program, text) = (words.next()?, bytes(words.next()?)?);
            seen.texts.insert(program.to_string(), String::from_utf8_lossy(&text).into_owned());
        }
        _ => return None,
    }
    Some(())
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 16).ok()).collect()
}
