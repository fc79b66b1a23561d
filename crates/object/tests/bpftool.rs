//! libbpf itself as the judge: `bpftool` loads what we write and shows its types.
//! Needs bpftool, root and bpf(2); skipped with a reason where they are missing, a failure
//! there under `WHISTLER_REQUIRE_KERNEL=1`.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use support::{function, pass, rich};
use whistler_object::{Object, elf};

/// Whether bpftool can load the empty program here.
fn required() -> bool {
    static PROBED: OnceLock<(bool, String)> = OnceLock::new();
    let (ok, text) = PROBED.get_or_init(|| Dir::new("probe").load(&pass(), "true"));
    if !*ok {
        let strict = std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_some_and(|v| v == "1");
        assert!(!strict, "bpftool can't load here: {text}");
        eprintln!("skipped: bpftool can't load here: {text}");
    }
    *ok
}

/// A directory of its own for one test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let dir = std::env::temp_dir().join(format!("whistler-object-{name}-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("fs")).unwrap();
        Dir(dir)
    }

    /// Loads an object in a mount namespace of its own and runs `then` there, `$FS` being the bpf file
    /// system with the programs pinned under `t`.
    fn load(&self, object: &Object, then: &str) -> (bool, String) {
        let file = self.0.join("o.bpf.o");
        std::fs::write(&file, elf::write(object).unwrap()).unwrap();
        self.load_file(&file, then)
    }

    fn load_file(&self, file: &Path, then: &str) -> (bool, String) {
        // Maps that are pinned by name go to /sys/fs/bpf: a fresh one covers the machine's.
        let script = format!(
            "set -e; FS=/sys/fs/bpf; mount -t bpf bpf $FS; bpftool prog loadall {} $FS/t; {then}",
            file.display()
        );
        let out = Command::new("unshare").args(["-m", "--propagation", "private", "sh", "-c", &script]).output();
        match out {
            Ok(out) => {
                let text = [out.stdout, out.stderr].map(|b| String::from_utf8_lossy(&b).into_owned()).concat();
                (out.status.success(), text)
            }
            Err(e) => (false, format!("unshare: {e}")),
        }
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn everything_loads() {
    if !required() {
        return;
    }
    let (ok, text) = Dir::new("rich").load(&rich(), "ls $FS/t $FS");
    assert!(ok, "{text}");
    for name in ["again", "count", "parent", "pinned"] {
        assert!(text.lines().any(|l| l == name), "no {name} in {text}");
    }
}

#[test]
fn clangs_objects_load_after_a_round_trip() {
    if !required() {
        return;
    }
    for name in ["features.o", "ksyms.o"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        let mut object = elf::read(&std::fs::read(&path).unwrap()).unwrap();
        // Not every kernel allows fentry (lockdown) or knows the addresses of its variables (KALLSYMS_ALL).
        object.programs.retain(|p| !matches!(p.function.name.as_str(), "sleeps" | "typed"));
        let (ok, text) = Dir::new(name).load(&object, "true");
        assert!(ok, "{name}: {text}");
    }
}

#[test]
fn maps_and_globals_are_typed() {
    if !required() {
        return;
    }
    let then = "
        bpftool map create $FS/x type array key 4 value 4 entries 1 name x 2>/dev/null
        id=$(bpftool -j prog show pinned $FS/t/count | sed 's/.*\"map_ids\":\\[\\([^]]*\\)\\].*/\\1/')
        for i in $(echo $id | tr , ' '); do
            case $(bpftool map show id $i) in
            *'name flows'*)
                bpftool map update id $i key 1 0 0 0 value 2 0 0 0 3 0 0 0 4 0 0 0 0 0 0 0
                bpftool map dump id $i;;
            *rodata*|*data*|*bss*) bpftool map dump id $i;;
            esac
        done";
    let (ok, text) = Dir::new("typed").load(&rich(), then);
    assert!(ok, "{text}");
    let packed: String = text.split_whitespace().collect();
    for part in [r#""key":1,"value":{"addr":2,"port":3,"bytes":4}"#, r#""limit":9"#, r#""total":0"#, r#""start":5"#] {
        assert!(packed.contains(part), "no {part} in {text}");
    }
}

#[test]
fn line_info_reaches_the_kernel() {
    if !required() {
        return;
    }
    let (ok, text) = Dir::new("lines").load(&rich(), "bpftool prog dump xlated pinned $FS/t/count linum");
    assert!(ok, "{text}");
    for n in [10, 11, 13, 40, 50, 60] {
        let line = format!("; (line {n}) [file:test.lisp line_num:{n} line_col:3]");
        assert!(text.contains(&line), "no `{line}` in {text}");
    }
}

#[test]
fn functions_without_lines_load_beside_those_with() {
    if !required() {
        return;
    }
    let mut o = rich();
    o.subprograms[0].locs.fill(u32::MAX);
    o.subprograms[1].locs.clear();
    let (ok, text) = Dir::new("some-lines").load(&o, "true");
    assert!(ok, "{text}");
}

#[test]
fn the_verifier_quotes_our_source() {
    if !required() {
        return;
    }
    let mut o = pass();
    o.programs[0].function = function("pass", "; 42\nr0 = *(u64 *)(r9 +0)\nexit");
    let (ok, text) = Dir::new("wrong").load(&o, "true");
    assert!(!ok);
    assert!(text.contains("; (line 42)"), "{text}");
}

#[test]
fn types_can_be_dumped_from_the_file() {
    if !required() {
        return;
    }
    let dir = Dir::new("btf");
    let file = dir.0.join("o.bpf.o");
    std::fs::write(&file, elf::write(&rich()).unwrap()).unwrap();
    let out = Command::new("bpftool").args(["btf", "dump", "file"]).arg(&file).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    for part in ["DATASEC '.maps'", "DATASEC '.rodata'", "VAR 'limit'", "FUNC 'count'", "STRUCT 'flow' size=16"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}
