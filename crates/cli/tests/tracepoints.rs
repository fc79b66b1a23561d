//! Tracepoints: every one of this kernel, saved formats, machines that keep tracefs to root, and damaged formats.

mod support;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;

use support::{Scratch, WHISTLER, can_use_kernel, run, whistler};
use whistler_btf::{Btf, TracepointFieldKind, TracepointFormat, TypeSource, TypeSourceError};
use whistler_kernel::{Kernel, parse_format};

/// A program that reads every field of an event in every way that there is.
fn reads_all(format: &TracepointFormat, number: usize) -> String {
    let event = format!("{}/{}", format.category, format.name);
    let mut text = format!(
        "(deftracepoint {event})\n(defprog p{number} (:type :tracepoint :section \"tracepoint/{event}\")\n  (let ((sum 0))\n"
    );
    for f in format.fields.iter().filter(|f| !f.name.starts_with("common_")) {
        let name = format!("tp-{}", f.name.replace('_', "-"));
        let _ = match f.kind {
            TracepointFieldKind::Scalar => writeln!(text, "    (incf sum ({name}))"),
            TracepointFieldKind::Array { len: 0, .. } => continue,
            TracepointFieldKind::Array { .. } => {
                writeln!(text, "    (incf sum ({name} 0))\n    (incf sum (load u8 ({name}-ptr)))")
            }
            TracepointFieldKind::DataLoc | TracepointFieldKind::RelLoc => {
                writeln!(text, "    (incf sum ({name}-len))\n    (incf sum (kernel-load u8 ({name})))")
            }
        };
    }
    text + "    (setf (getmap out 0) sum))\n  0)\n"
}

const OUT: &str = "(defmap out :type :array :key u32 :value u64 :max-entries 1)\n";

/// The programs of all events are compiled, and the kernel takes them.
#[test]
fn every_tracepoint_of_this_machine() {
    if !can_use_kernel(&[]) {
        return;
    }
    let kernel = Kernel::running();
    let tracefs = kernel.tracefs().expect("as root it can be mounted");
    let names = kernel.tracepoint_names(tracefs).expect("listed");
    let mut source = OUT.to_string();
    let (mut events, mut fields) = (0, 0);
    // ftrace's own records are no tracepoints.
    for name in names.iter().filter(|n| !n.starts_with("ftrace/")) {
        let (category, event) = name.split_once('/').expect("category/event");
        let format = kernel.tracepoint(category, event).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(format.id > 0 && format.from_types.is_none(), "{name}");
        source += &reads_all(&format, events);
        events += 1;
        fields += format.fields.len();
    }
    assert!(events > 500, "{events} events");
    let scratch = Scratch::new();
    let file = scratch.file("all.lisp", &source);
    let object = scratch.path().join("all.o");
    run(whistler(["compile".as_ref(), file.as_os_str()]).arg("-o").arg(&object)).ok();
    let object = whistler_object::elf::read(&std::fs::read(&object).expect("written")).expect("ours");
    assert_eq!(object.programs.len(), events);
    let loaded = whistler_loader::Loader::new(&kernel).load(&object).unwrap_or_else(|e| panic!("{e}"));
    println!("{events} tracepoints, {fields} fields: {} programs in the kernel", loaded.programs.len());
    assert_eq!(loaded.programs.len(), events);
}

/// A format as another machine might have it, with a string of each kind of variable size.
const FORMAT: &str = "name: handed_over
ID: 77
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:__rel_loc char[] who;\toffset:8;\tsize:4;\tsigned:0;
\tfield:__data_loc char[] whom;\toffset:12;\tsize:4;\tsigned:0;
\tfield:int delta;\toffset:16;\tsize:4;\tsigned:1;
\tfield:u16 parts[3];\toffset:20;\tsize:6;\tsigned:0;

print fmt: \"%s\", __get_rel_str(who)
";

fn saved(scratch: &Scratch) -> PathBuf {
    let dir = scratch.path().join("formats");
    std::fs::create_dir_all(dir.join("toys/handed_over")).expect("a directory");
    std::fs::write(dir.join("toys/handed_over/format"), FORMAT).expect("a file");
    dir
}

/// Without a kernel: the record is one that the virtual machine makes from the same format.
#[test]
fn saved_formats_and_strings_of_variable_size() {
    let scratch = Scratch::new();
    let formats = saved(&scratch);
    let file = scratch.file(
        "saved.lisp",
        r#"(deftracepoint toys/handed_over)
(defstruct text (bytes (array char 16)))
(defmap who :type :array :key u32 :value text :max-entries 2)
(defmap out :type :array :key u32 :value i64 :max-entries 8)
(defprog p (:type :tracepoint :section "tracepoint/toys/handed_over" :license "GPL")
  (when-let ((w (map-lookup who 0)))
    (setf (getmap out 0) (tp-who-str w 16)))
  (when-let ((w (map-lookup who 1)))
    (setf (getmap out 1) (tp-whom-str w 16)))
  (setf (getmap out 2) (tp-who-len)
        (getmap out 3) (tp-whom-len)
        (getmap out 4) (tp-delta)
        (getmap out 5) (tp-parts 2))
  0)
(deftest a-record
  (run-prog p nil :ctx (context :tracepoint "toys/handed_over" :who "Lise" :whom "Otto Hahn" :delta -5 :parts '(1 2 65535)))
  (is (equal (loop for i below 6 collect (map-ref out i)) '(5 10 5 10 -5 65535)))
  (is (equal (subseq (text-bytes (map-ref who 0)) 0 4) "Lise"))
  (is (equal (subseq (text-bytes (map-ref who 1)) 0 9) "Otto Hahn")))
"#,
    );
    let test = |formats: &Path| run(whistler(["test".as_ref(), file.as_os_str()]).arg("--tracefs").arg(formats));
    test(&formats).ok();
    // The directory above `events` is as good.
    let above = scratch.path().join("above");
    std::fs::create_dir_all(&above).expect("a directory");
    std::fs::rename(&formats, above.join("events")).expect("moved");
    test(&above).ok();
    let none = run(whistler(["check".as_ref(), file.as_os_str()]).arg("--tracefs").arg(scratch.path().join("none")));
    let none = none.exits(1);
    assert!(none.err.contains("the saved tracepoint formats can't be read"), "{}", none.err);
}

/// A place that every user may execute from, removed when dropped.
struct Open(PathBuf);

impl Open {
    fn new() -> Open {
        use std::os::unix::fs::PermissionsExt;
        let dir = std::env::temp_dir().join(format!("wh-tracepoints-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        std::fs::copy(WHISTLER, dir.join("whistler")).expect("a copy");
        for path in [&dir, &dir.join("whistler")] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("our own");
        }
        Open(dir)
    }

    /// The binary as a user who may do nothing.
    fn as_nobody(&self, words: &[&str], source: &str) -> support::Ran {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(self.0.join("whistler"));
        command.args(words).arg("-").current_dir("/").env("NO_COLOR", "1").env("PATH", support::path());
        support::run_with_input(&mut command, source)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn nobody_gets_the_record_from_the_kernels_types_and_is_told() {
    if !can_use_kernel(&["setpriv"]) {
        return;
    }
    let open = Open::new();
    let program = |event: &str, body: &str| {
        format!(
            "{OUT}(deftracepoint {event})\n(defprog p (:type :tracepoint :section \"tracepoint/{event}\") (setf (getmap out 0) {body}) 0)\n"
        )
    };
    let check = |event, body| open.as_nobody(&["check"], &program(event, body));

    let told = check("sched/sched_process_exec", "(tp-pid)").ok();
    for words in [
        "warning[W0311]: the record of sched/sched_process_exec is taken from the kernel's types",
        "tracepoint formats can't be read: tracefs is",
    ] {
        assert!(told.err.contains(words), "{}", told.err);
    }
    // What it made of them is what root gets from tracefs.
    let listing = |ran: support::Ran| ran.ok().out;
    let source = program("sched/sched_process_exec", "(tp-filename-len)");
    let theirs = listing(open.as_nobody(&["compile", "--emit", "asm"], &source));
    let ours = listing(support::run_with_input(&mut whistler(["compile", "--emit", "asm", "-"]), &source));
    assert_eq!(theirs, ours);

    // System calls share a layout; the names of some calls' arguments are known, of others not.
    check("syscalls/sys_enter_openat", "(tp-args 1)").ok();
    check("syscalls/sys_exit_openat", "(tp-ret)").ok();
    let unnamed = open.as_nobody(&["check"], "(deftracepoint syscalls/sys_enter_openat dfd)").exits(1);
    for words in ["syscalls/sys_enter_openat has no field `dfd`", "only tracefs has the arguments' names"] {
        assert!(unnamed.err.contains(words), "{}", unnamed.err);
    }
    let unknown = check("syscalls/sys_enter_opneat", "(tp-args 1)").exits(1);
    assert!(unknown.err.contains("E0307"), "{}", unknown.err);

    // An event of a class has no struct of its own.
    let neither = check("sched/sched_wakeup", "(tp-pid)").exits(1);
    for words in [
        "error[E0307]: the format of sched/sched_wakeup can't be read",
        "tracefs is",
        "and the kernel's types have no record of it",
    ] {
        assert!(neither.err.contains(words), "{}", neither.err);
    }
    // A saved copy mends it.
    let formats = open.0.join("formats");
    let kernel = Kernel::running();
    whistler_kernel::save_formats(&kernel, &[("sched", "sched_wakeup")], &formats).expect("root may");
    let formats = formats.to_string_lossy().into_owned();
    let mended = open.as_nobody(&["check", "--tracefs", &formats], &program("sched/sched_wakeup", "(tp-pid)")).ok();
    assert!(!mended.err.contains("W0311"), "{}", mended.err);
}

/// One format, whatever it was asked for.
#[derive(Debug)]
struct Only(Arc<TracepointFormat>);

impl TypeSource for Only {
    fn btf(&self) -> Option<&Btf> {
        None
    }
    fn btf_problem(&self) -> Option<String> {
        Some("none here".into())
    }
    fn tracepoint(&self, _: &str, _: &str) -> Result<Arc<TracepointFormat>, TypeSourceError> {
        Ok(self.0.clone())
    }
    fn kernel_version(&self) -> Option<(u16, u16)> {
        None
    }
}

/// Whatever a damaged format still says, programs that read all of it are compiled or refused in words, and what is
/// compiled is sound: our own reader takes the object.
#[test]
fn damaged_formats_are_compiled_or_refused() {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    let (mut compiled, mut refused) = (0, 0);
    let words = [
        "4294967295",
        "65535",
        "0",
        "-1",
        "3",
        "16",
        "__rel_loc ",
        "__data_loc ",
        "[",
        "]",
        ";",
        "field:",
        "_ptr",
        "\0",
    ];
    for _ in 0..400 {
        let mut text = FORMAT.as_bytes().to_vec();
        for _ in 0..=random(4) {
            let at = random(text.len());
            match random(3) {
                0 => drop(text.remove(at)),
                1 => drop(text.splice(at..at, words[random(words.len())].bytes())),
                _ => {
                    // A number, where there is one, becomes another.
                    let Some(from) = text[at..].iter().position(u8::is_ascii_digit).map(|i| at + i) else { continue };
                    let len = text[from..].iter().take_while(|c| c.is_ascii_digit()).count();
                    drop(text.splice(from..from + len, words[random(6)].bytes()));
                }
            }
        }
        let Some(format) = parse_format("toys", &String::from_utf8_lossy(&text)) else { continue };
        let readable = |n: &str| n.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        if !readable(&format.name) || !format.fields.iter().all(|f| readable(&f.name)) {
            continue;
        }
        let source = format!("{OUT}{}", reads_all(&format, 0));
        let mut sources = whistler_diag::SourceMap::new();
        let file = sources.add("damaged.lisp", source.as_str());
        let mut interp = whistler_lisp::Interp::new(Box::new(whistler_lisp::NoIo));
        let mut session =
            whistler_compiler::Session::new(whistler_isa::Target::default(), Rc::new(Only(Arc::new(format))));
        let (made, diagnostics) = session.compile_source(&mut interp, &sources, file, whistler_codegen::OptLevel::Full);
        match made {
            Some(made) => {
                let bytes = whistler_object::elf::write(&made.object).expect("written");
                assert_eq!(whistler_object::elf::read(&bytes).expect("read").programs.len(), 1);
                compiled += 1;
            }
            None => {
                assert!(!diagnostics.is_empty(), "{source}");
                assert!(diagnostics.iter().all(|d| d.code.0 != "E0799"), "{source}\n{diagnostics:?}");
                refused += 1;
            }
        }
    }
    println!("{compiled} compiled, {refused} refused");
    assert!(compiled > 150, "{compiled} compiled, {refused} refused");
}

/// What `printk` writes is seen only while the trace buffer is on: a program that calls it is told so, once.
#[test]
fn a_trace_buffer_that_is_off_is_told() {
    if !can_use_kernel(&[]) {
        return;
    }
    let scratch = Scratch::new();
    let program = |name: &str| format!("(defprog {name} (:type :xdp) (printk \"hello\") XDP_PASS)\n");
    let file = scratch.file("hello.lisp", &(program("one") + &program("two")));
    let quiet = scratch.file("quiet.lisp", "(defprog one (:type :xdp) XDP_PASS)\n");
    let formats = scratch.path().join("formats");
    std::fs::create_dir_all(formats.join("events")).expect("made");
    let ran = |file: &Path| run(whistler(["run".as_ref(), file.as_os_str()]).arg("--tracefs").arg(&formats)).ok().err;
    for (on, times) in [("0\n", 1), ("1\n", 0)] {
        std::fs::write(formats.join("tracing_on"), on).expect("written");
        let err = ran(&file);
        assert_eq!(err.matches("warning[W0903]").count(), times, "{err}");
        assert_eq!(err.matches("tee /sys/kernel/tracing/tracing_on").count(), times, "{err}");
        assert!(!ran(&quiet).contains("W0903"), "nothing is written there");
    }
}
