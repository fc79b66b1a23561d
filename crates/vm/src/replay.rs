//! Recorded events: what happened on a machine, as text, to feed programs where the kernel can't be used.
//!
//! ```text
//! whistler-replay 1
//! # a comment; empty lines are free
//! event tracepoint/sched/sched_process_exec
//! clock 81234567890
//! cpu 0
//! task pid=41233 tgid=41233 uid=1000 gid=1000 comm="ls" ppid=41200 parent-comm="bash"
//! user 0x7ffc00001000 2f62696e2f6c7300
//! ctx 0000000000000000 28000c00 11a10000
//! ctx 11a10000 2f62696e2f6c7300
//! ```
//!
//! The first line names the format and its version. `event` starts an event and names what it happens at:
//! a program's section name, or that without its first part (`sched/sched_process_exec`). The lines up to the
//! next `event` describe it, in any order: `ctx` the context's bytes (for a packet program `packet`, from the Ethernet header on), in hex with
//! spaces where wanted, continued by further `ctx` lines; `clock` the monotonic clock in nanoseconds; `cpu` the CPU;
//! `task` the current process, absent keys as in [`Task::default`] (`tgid` as `pid`); `user` bytes of its memory.
//! Names in quotes know `\"`, `\\` and `\xNN`. An event stands alone: nothing is inherited from the one before.

use std::fmt;

use crate::context::RunInput;
use crate::fault::Fault;
use crate::machine::{Machine, RunOutput};
use crate::world::Task;

const HEADER: &str = "whistler-replay 1";

/// A recording.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Replay {
    /// Its events, in the order they happened.
    pub events: Vec<Event>,
}

/// One recorded event.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Event {
    /// Section name, or its tail: what programs are matched by.
    pub hook: String,
    /// The context's bytes.
    pub ctx: Option<Vec<u8>>,
    /// The packet.
    pub packet: Option<Vec<u8>>,
    /// The process it happened in.
    pub task: Task,
    /// The monotonic clock at that time.
    pub clock_ns: Option<u64>,
    /// The CPU it happened on.
    pub cpu: u32,
    /// Memory of the process: addresses and bytes.
    pub user: Vec<(u64, Vec<u8>)>,
}

/// What is wrong with a recording.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ReplayError {
    /// 1-based line.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl Replay {
    /// Reads a recording.
    pub fn parse(text: &str) -> Result<Replay, ReplayError> {
        let mut events: Vec<Event> = Vec::new();
        let mut seen_header = false;
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |message: String| ReplayError { line: i + 1, message };
            if !seen_header {
                if line != HEADER {
                    return Err(at(format!("a recording starts with the line `{HEADER}`")));
                }
                seen_header = true;
                continue;
            }
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let rest = rest.trim();
            match (word, events.last_mut()) {
                ("event", _) if rest.is_empty() => {
                    return Err(at("`event` needs the name of what it happens at".into()));
                }
                ("event", _) => events.push(Event { hook: rest.to_string(), ..Event::default() }),
                (_, None) => return Err(at(format!("`{word}` stands before the first `event`"))),
                (_, Some(event)) => event.read(word, rest).map_err(at)?,
            }
        }
        if !seen_header {
            return Err(ReplayError { line: 1, message: format!("a recording starts with the line `{HEADER}`") });
        }
        Ok(Replay { events })
    }
}

impl Event {
    /// Whether a program of this section sees the event.
    pub fn is_for(&self, section: &str) -> bool {
        let tail = |s: &'_ str| s.split_once('/').map(|(_, tail)| tail.to_string());
        self.hook == section || tail(section).is_some_and(|t| t == self.hook || Some(t) == tail(&self.hook))
    }

    fn read(&mut self, word: &str, rest: &str) -> Result<(), String> {
        match word {
            "ctx" => self.ctx.get_or_insert_default().extend(hex(rest)?),
            "packet" => self.packet.get_or_insert_default().extend(hex(rest)?),
            "clock" => self.clock_ns = Some(number(rest)?),
            "cpu" => self.cpu = number(rest)?,
            "task" => self.task = task(rest)?,
            "user" => {
                let (address, bytes) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                self.user.push((number(address)?, hex(bytes)?));
            }
            _ => {
                return Err(format!("`{word}` is none of event, ctx, packet, clock, cpu, task, user"));
            }
        }
        Ok(())
    }
}

impl Machine {
    /// Runs a program on a recorded event, in the world it happened in.
    pub fn play(&mut self, program: &str, event: &Event) -> Result<RunOutput, Fault> {
        let world = self.world_mut();
        world.task = event.task.clone();
        world.cpu = event.cpu;
        if let Some(now) = event.clock_ns {
            world.clock.monotonic_ns = now;
        }
        self.set_user_memory(&event.user);
        self.run(program, RunInput { packet: event.packet.clone(), ctx: event.ctx.clone(), ..RunInput::default() })
    }
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for part in text.split_whitespace() {
        if !part.len().is_multiple_of(2) || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!("`{part}` is not a sequence of hexadecimal bytes"));
        }
        let digit = |b: u8| char::from(b).to_digit(16).unwrap_or(0) as u8;
        bytes.extend(part.as_bytes().as_chunks::<2>().0.iter().map(|[h, l]| (digit(*h) << 4) | digit(*l)));
    }
    Ok(bytes)
}

fn number<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    let value = parsed.map_err(|_| format!("`{text}` is not a number"))?;
    T::try_from(value).map_err(|_| format!("{text} is too large here"))
}

/// `key=value` pairs; values in quotes may hold spaces.
fn task(text: &str) -> Result<Task, String> {
    let mut task = Task::default();
    let mut tgid = None;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, tail) = rest.split_once('=').ok_or_else(|| format!("`{rest}` is not of the form key=value"))?;
        let (value, tail) = value(tail)?;
        match key.trim() {
            "pid" => task.pid = number(&value)?,
            "tgid" => tgid = Some(number(&value)?),
            "uid" => task.uid = number(&value)?,
            "gid" => task.gid = number(&value)?,
            "comm" => task.comm = value,
            "ppid" => task.ppid = number(&value)?,
            "parent-comm" => task.parent_comm = value,
            "start" => task.start_time_ns = number(&value)?,
            key => {
                return Err(format!(
                    "a task has no `{key}`; it has pid, tgid, uid, gid, comm, ppid, parent-comm, start"
                ));
            }
        }
        rest = tail.trim_start();
    }
    task.tgid = tgid.unwrap_or(task.pid);
    Ok(task)
}

/// The value in front, and what follows it.
fn value(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Ok((text[..end].to_string(), &text[end..]));
    };
    let mut out = String::new();
    let mut chars = quoted.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Ok((out, &quoted[i + 1..])),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some(c @ ('"' | '\\')) => out.push(c),
                Some('x') => {
                    let mut digit = || chars.next().and_then(|(_, c)| c.to_digit(16));
                    match (digit(), digit()) {
                        (Some(h), Some(l)) => out.push(char::from((h * 16 + l) as u8)),
                        _ => return Err("`\\x` needs two hexadecimal digits".into()),
                    }
                }
                _ => return Err("a backslash in a name is followed by `\"`, `\\` or `xNN`".into()),
            },
            c => out.push(c),
        }
    }
    Err("the closing quote is missing".into())
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        self.events.iter().try_for_each(|e| write!(f, "\n{e}"))
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        writeln!(f, "event {}", self.hook)?;
        if let Some(now) = self.clock_ns {
            writeln!(f, "clock {now}")?;
        }
        writeln!(f, "cpu {}", self.cpu)?;
        let t = &self.task;
        write!(f, "task pid={} tgid={} uid={} gid={} comm=", t.pid, t.tgid, t.uid, t.gid)?;
        quote(f, &t.comm)?;
        write!(f, " ppid={} parent-comm=", t.ppid)?;
        quote(f, &t.parent_comm)?;
        writeln!(f, " start={}", t.start_time_ns)?;
        for (address, bytes) in &self.user {
            writeln!(f, "user {address:#x} {}", hex(bytes))?;
        }
        for (word, bytes) in [("ctx", &self.ctx), ("packet", &self.packet)] {
            let Some(bytes) = bytes else { continue };
            if bytes.is_empty() {
                writeln!(f, "{word}")?;
            }
            bytes.chunks(32).try_for_each(|line| writeln!(f, "{word} {}", hex(line)))?;
        }
        Ok(())
    }
}

fn quote(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in name.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c.is_control() && (c as u32) < 0x100 => write!(f, "\\x{:02x}", c as u32)?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"
# made by hand
whistler-replay 1

event tracepoint/sched/sched_process_exec
clock 81234567890
task pid=41233 comm="a \"b\" \\ \x09c" ppid=0x10 uid=1000
user 0x7ffc00001000 2f6c7300
ctx 0000 0000
ctx ff
event xdp
packet 00
"#;

    #[test]
    fn reads_and_writes() {
        let r = Replay::parse(EXAMPLE).unwrap();
        let e = &r.events[0];
        assert_eq!((e.task.pid, e.task.tgid, e.task.ppid, e.task.uid), (41233, 41233, 16, 1000));
        assert_eq!(e.task.comm, "a \"b\" \\ \tc");
        assert_eq!(e.ctx.as_deref(), Some(&[0, 0, 0, 0, 0xff][..]));
        assert_eq!(e.user, [(0x7ffc_0000_1000, b"/ls\0".to_vec())]);
        assert_eq!(r.events[1].packet, Some(vec![0]));
        assert_eq!(Replay::parse(&r.to_string()), Ok(r));
    }

    #[test]
    fn matches_sections() {
        let e = Event { hook: "tracepoint/sched/sched_process_exec".into(), ..Event::default() };
        assert!(e.is_for("tracepoint/sched/sched_process_exec"));
        assert!(e.is_for("tp/sched/sched_process_exec"));
        assert!(!e.is_for("tracepoint/sched/sched_process_exit"));
        let e = Event { hook: "sched/sched_process_exec".into(), ..Event::default() };
        assert!(e.is_for("tracepoint/sched/sched_process_exec"));
        assert!(Event { hook: "xdp".into(), ..Event::default() }.is_for("xdp"));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (text, want) in [
            ("", "line 1: a recording starts with the line `whistler-replay 1`"),
            ("event x", "line 1: a recording starts with the line `whistler-replay 1`"),
            ("whistler-replay 1\nctx 00", "line 2: `ctx` stands before the first `event`"),
            ("whistler-replay 1\nevent", "line 2: `event` needs the name of what it happens at"),
            ("whistler-replay 1\nevent x\nctx 0g", "line 3: `0g` is not a sequence of hexadecimal bytes"),
            ("whistler-replay 1\nevent x\nctx 012", "line 3: `012` is not a sequence of hexadecimal bytes"),
            ("whistler-replay 1\nevent x\ntask pid=x", "line 3: `x` is not a number"),
            ("whistler-replay 1\nevent x\ntask pid=4294967296", "line 3: 4294967296 is too large here"),
            ("whistler-replay 1\nevent x\ntask comm=\"x", "line 3: the closing quote is missing"),
            (
                "whistler-replay 1\nevent x\ntask color=1",
                "line 3: a task has no `color`; it has pid, tgid, uid, gid, comm, ppid, parent-comm, start",
            ),
            (
                "whistler-replay 1\nevent x\ntime 1",
                "line 3: `time` is none of event, ctx, packet, clock, cpu, task, user",
            ),
        ] {
            assert_eq!(Replay::parse(text).unwrap_err().to_string(), want);
        }
    }
}
