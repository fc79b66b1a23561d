//! A prompt in a booted machine, typed at as a person would: `cargo xtask vm --demo`. A program that counts is
//! attached, changed and typed again while it counts, and what the prompt says is checked.
//!
//! Invariant: what is shown is what the machine's terminal showed, without its control sequences.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Runs beside the prompt and opens a file again and again, so that there is something to count.
pub const BESIDE: &str = r#"(loop (load "/tick.lisp") (sleep 1/20))"#;
/// Programs of the host that use the C library; where it has them, they run beside the prompt as well.
pub const SHELL: [&str; 2] = ["/bin/sh", "/bin/sleep"];
/// What they do.
pub const SHELL_LOOP: &str = "while :; do sleep 0.1; done";
/// The C library that they use, for a uprobe.
const LIBC: &str = "/lib/x86_64-linux-gnu/libc.so.6";
/// The file it opens.
pub const TICK: &str = "1\n";

/// Emulation is slow, and other work may be going on; a prompt that is silent for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// A terminal that says nothing for so long has shown what was typed.
const QUIET: Duration = Duration::from_millis(400);
/// What the prompt says when it listens.
const PROMPT: &str = "λ ";

/// Plays the scene; what went wrong is the error.
pub fn play(stdin: ChildStdin, stdout: ChildStdout) -> Result<(), String> {
    let mut p = Prompt::new(stdin, stdout);
    let banner = p.until_prompt(0)?;
    println!("{}", banner.trim());

    p.ask("(defmap counts :type :hash :key u32 :value u64 :max-entries 1024)", "counts")?;
    p.ask(
        r#"(defprog on-call (:type :kprobe :section "kprobe/do_sys_openat2") (incf (getmap counts 0)) 0)"#,
        "accepted by this kernel",
    )?;
    p.ask("(attach on-call)", "#<link 1 on-call")?;
    let (first, second) = (p.number("(map-ref counts 0)", 0)?, p.number("(progn (sleep 1) (map-ref counts 0))", 0)?);
    check(second > first, "the probe counts")?;

    p.ask(
        r#"(defprog on-call (:type :kprobe :section "kprobe/do_sys_openat2") (incf (getmap counts 1) 10) 0)"#,
        "live on link 1 (dispatch",
    )?;
    let kept = p.number("(map-ref counts 0)", 0)?;
    check(kept >= second, "the map was kept")?;
    let tens = p.number("(progn (sleep 1) (map-ref counts 1))", 1)?;
    check(tens > 0 && tens % 10 == 0, "the new program adds ten")?;
    check(p.number("(map-ref counts 0)", 0)? == kept, "the old one counts no more")?;

    p.ask(
        r#"(defprog on-call (:type :kprobe :section "kprobe/do_sys_openat2")
  (incf (getmap counts (ash (get-current-pid-tgid) -32)))
  0)"#,
        "live on link 1 (dispatch",
    )?;
    p.ask("(progn (sleep 1) (map-entries counts))", "(1 . ")?;

    p.ask(
        r#"(defprog on-call (:type :kprobe :section "kprobe/do_sys_openat2") (incf (getmap nothing 0)) 0)"#,
        "error",
    )?;
    p.ask("(links)", "#<link 1 on-call")?;

    let attach_malloc = format!("(attach on-malloc :uprobe \"{LIBC}\" \"malloc\")");
    for (name, head, key, attach) in [
        (
            "on-tracepoint",
            ":tracepoint :section \"tracepoint/syscalls/sys_enter_openat\"",
            100_001,
            "(attach on-tracepoint)",
        ),
        ("on-raw", ":raw-tracepoint :section \"raw_tp/sys_enter\"", 100_002, "(attach on-raw)"),
        ("on-many", ":kprobe :section \"kprobe.multi/vfs_read\"", 100_003, "(attach on-many)"),
        ("on-malloc", ":kprobe :section \"uprobe\"", 100_004, attach_malloc.as_str()),
    ] {
        let text = |step: u32| {
            format!("(defprog {name} (:type {head} :license \"GPL\") (incf (getmap counts {key}) {step}) 0)")
        };
        p.ask(&text(1), "accepted by this kernel")?;
        if name == "on-malloc" && !with_libc() {
            continue;
        }
        p.ask(attach, "#<link")?;
        let before = p.number(&format!("(progn (sleep 1) (map-ref counts {key}))"), 0)?;
        check(before > 0, "it counts")?;
        p.ask(&text(1_000_000), "live on link")?;
        let after = p.number(&format!("(progn (sleep 1) (map-ref counts {key}))"), 0)?;
        check(after > 1_000_000, "the new one counts by a million")?;
    }

    p.ask("(defun down (n) (+ 1 (down n)))", "down")?;
    p.ask("(down 1)", "error")?;
    p.ask("(defmacro again () '(again))", "again")?;
    p.ask("(again)", "error")?;
    p.interrupt("(loop)", "interrupted")?;
    let (one, two) = (p.number("(map-ref counts 100002)", 0)?, p.number("(map-ref counts 100002)", 0)?);
    check(two > one, "the probe went on counting")?;

    p.ask("(detach on-call)", "1")?;
    p.type_text(":quit\r")
}

/// Whether programs that use the C library run beside the prompt.
pub fn with_libc() -> bool {
    SHELL.iter().chain([&LIBC]).all(|f| Path::new(f).exists())
}

fn check(good: bool, what: &str) -> Result<(), String> {
    if good { Ok(()) } else { Err(format!("it is not so that {what}")) }
}

struct Prompt {
    stdin: ChildStdin,
    output: Receiver<Vec<u8>>,
    said: Vec<u8>,
}

impl Prompt {
    fn new(stdin: ChildStdin, mut stdout: ChildStdout) -> Prompt {
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut buffer) {
                if send.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Prompt { stdin, output, said: Vec::new() }
    }

    fn type_text(&mut self, text: &str) -> Result<(), String> {
        // A serial line has a small buffer, and nobody types faster.
        for piece in text.as_bytes().chunks(8) {
            self.stdin.write_all(piece).and_then(|()| self.stdin.flush()).map_err(|e| format!("the machine: {e}"))?;
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Types a text and waits until the terminal has shown it; where the reply will begin.
    fn type_line(&mut self, text: &str) -> Result<usize, String> {
        self.type_text(&text.replace('\n', "\r"))?;
        self.quiet()?;
        let at = self.said.len();
        self.type_text("\r")?;
        Ok(at)
    }

    /// Types a form and waits for the next prompt; the reply, which must contain `wanted`.
    fn ask(&mut self, form: &str, wanted: &str) -> Result<String, String> {
        let at = self.type_line(form)?;
        self.reply(at, form, wanted)
    }

    fn reply(&mut self, at: usize, form: &str, wanted: &str) -> Result<String, String> {
        let reply = self.until_prompt(at)?;
        println!("{PROMPT}{form}\n{}", reply.trim());
        if reply.contains(wanted) { Ok(reply) } else { Err(format!("`{wanted}` is not in the answer to {form}")) }
    }

    /// The number that a form yields; `none` for nil.
    fn number(&mut self, form: &str, none: u64) -> Result<u64, String> {
        let reply = self.ask(form, "")?;
        match reply.trim() {
            "nil" => Ok(none),
            n => n.parse().map_err(|_| format!("`{n}` is no number: {form}")),
        }
    }

    /// Types a form that does not end, then Ctrl-C.
    fn interrupt(&mut self, form: &str, wanted: &str) -> Result<String, String> {
        let at = self.type_line(form)?;
        std::thread::sleep(Duration::from_secs(1));
        self.type_text("\u{3}")?;
        self.reply(at, form, wanted)
    }

    /// Waits until the terminal says nothing more.
    fn quiet(&mut self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while self.more(QUIET)? {
            if Instant::now() > end {
                return Err("the terminal never becomes quiet".into());
            }
        }
        Ok(())
    }

    /// What was said from there up to the next prompt that stays the last thing said.
    fn until_prompt(&mut self, from: usize) -> Result<String, String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let quiet = !self.more(QUIET)?;
            let text = plain(self.said.get(from..).unwrap_or_default());
            if quiet && let Some(reply) = text.trim_end().strip_suffix(PROMPT.trim_end()) {
                return Ok(reply.to_string());
            }
            if Instant::now() > end {
                return Err(format!("no prompt came within {} s; the last was:\n{text}", PATIENCE.as_secs()));
            }
        }
    }

    /// Takes what comes within a time; whether something came.
    fn more(&mut self, time: Duration) -> Result<bool, String> {
        match self.output.recv_timeout(time) {
            Ok(bytes) => {
                self.said.extend(bytes);
                Ok(true)
            }
            Err(RecvTimeoutError::Timeout) => Ok(false),
            Err(RecvTimeoutError::Disconnected) => {
                Err(format!("the machine ended; its last words:\n{}", plain(&self.said)))
            }
        }
    }
}

/// Terminal output without control sequences.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                // A control sequence ends with a letter; others are one character long.
                if chars.next() == Some('[') {
                    chars.by_ref().find(|c| ('\u{40}'..='\u{7e}').contains(c));
                }
            }
            '\r' | '\u{7}' => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_are_left_out() {
        assert_eq!(plain("\u{1b}[?2004h\u{1b}[31mred\u{1b}[0m\r\nλ ".as_bytes()), "red\nλ ");
        assert_eq!(plain(b"\x1b[1;2"), "");
    }
}
