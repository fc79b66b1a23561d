//! What the bench's two tracing programs must have seen; the layouts are those that their C counterparts declare.

use super::hold::Seen;
use super::stimulus::{CHILD_EXIT, Facts};

pub type Check = fn(&Facts, &Seen) -> Result<(), String>;

/// The check of this name.
pub fn named(name: &str) -> Option<Check> {
    match name {
        "life" => Some(life),
        "runqlat" => Some(runqlat),
        _ => None,
    }
}

/// A record of `trace_proc_life`.
#[derive(Debug)]
struct Event {
    kind: u32,
    pid: u32,
    ppid: u32,
    exit_code: u8,
    signal: u8,
    now: u64,
    duration: u64,
    comm: String,
    file: String,
}

const EXEC: u32 = 1;
const EXIT: u32 = 2;
const SIGKILL: u8 = 9;

impl Event {
    fn read(record: &[u8]) -> Option<Event> {
        let word = |at: usize| Some(u32::from_ne_bytes(record.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_ne_bytes(record.get(at..at + 8)?.try_into().ok()?));
        let text = |at: usize, n: usize| {
            let bytes = record.get(at..at + n)?;
            Some(String::from_utf8_lossy(bytes.split(|b| *b == 0).next()?).into_owned())
        };
        Some(Event {
            kind: word(0)?,
            pid: word(4)?,
            ppid: word(8)?,
            exit_code: *record.get(12)?,
            signal: *record.get(13)?,
            now: long(16)?,
            duration: long(24)?,
            comm: text(32, 16)?,
            file: text(48, 64)?,
        })
    }
}

fn life(facts: &Facts, seen: &Seen) -> Result<(), String> {
    let events: Vec<Event> = seen.records.iter().filter_map(|r| Event::read(r)).collect();
    if events.len() != seen.records.len() {
        return Err("a record is too short".into());
    }
    let parent = facts.number("pid")?;
    let name = facts.child_path.rsplit('/').next().unwrap_or_default();
    for (who, code, signal) in [("child", CHILD_EXIT, 0), ("killed", 0, SIGKILL)] {
        let pid = facts.number(who)?;
        let of = |kind| events.iter().find(|e| e.kind == kind && i64::from(e.pid) == pid);
        let (Some(exec), Some(exit)) = (of(EXEC), of(EXIT)) else {
            return Err(format!("no exec or no exit of {who} {pid} among {} events", events.len()));
        };
        let all_right = i64::from(exec.ppid) == parent
            && i64::from(exit.ppid) == parent
            && exec.comm == name
            && exec.file == facts.child_path
            && exit.comm == name
            && exit.file.is_empty()
            && (exec.exit_code, exec.signal, exec.duration) == (0, 0, 0)
            && (exit.exit_code, exit.signal) == (code, signal)
            && exit.duration == exit.now - exec.now
            && exit.duration > 0
            && u128::from(exit.duration) < facts.took.as_nanos();
        if !all_right {
            return Err(format!("of {who}, a child of {parent}:\n{exec:?}\n{exit:?}"));
        }
    }
    if seen.records.windows(2).count() < 3 {
        return Err("too few records".into());
    }
    Ok(())
}

fn runqlat(facts: &Facts, seen: &Seen) -> Result<(), String> {
    let slots: Vec<i64> = (0..26).map(|i| seen.word("slots", i)).collect::<Result<_, _>>()?;
    let worst = seen.entries.get("worst").and_then(|e| e.first()).ok_or("no worst case")?;
    let worst = u64::from_ne_bytes(worst.1.get(..8).and_then(|b| b.try_into().ok()).ok_or("no worst case")?);
    let count: i64 = slots.iter().sum();
    println!("runqlat: {count} waits in {:?}, worst {worst} µs, by power of two: {slots:?}", facts.took);
    // Each sleep of the stimulus ends in a wake-up and a wait.
    let least = (facts.took.as_millis() / 100).max(3) as i64;
    if count < least {
        return Err(format!("{count} waits"));
    }
    let highest = slots.iter().rposition(|n| *n > 0).unwrap_or(0);
    if worst.max(1).ilog2() as usize != highest.min(25) && highest < 25 {
        return Err(format!("the worst case took {worst} µs, and the highest slot in use is {highest}"));
    }
    if u128::from(worst) > facts.took.as_micros() + 1_000_000 {
        return Err(format!("a wait of {worst} µs within {:?}", facts.took));
    }
    let fast: i64 = slots[..15].iter().sum();
    if fast * 2 < count {
        return Err(format!("most waits took over 32 ms: {slots:?}"));
    }
    Ok(())
}
