//! Looking: histograms, watching a map, listings, statistics.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use whistler_lisp::{Interp, LispError, LispResult, Value};
use whistler_loader::{LoadOptions, Loader, Program};

use super::define;
use super::maps::Typed;
use crate::args::Args;
use crate::failure::load_error;
use crate::image::Mode;
use crate::live::Shared;
use crate::print::{Scale, histogram, other_scale};

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "hist",
        "map &key unit low high step",
        "Prints what `hist!` counted: a map that is a histogram, or one histogram per key (per-CPU counts are added up). With LOW, HIGH and STEP what `lhist!` counted with them.",
        hist,
    );
    define(
        interp,
        shared,
        "watch",
        "map &key every times",
        "Prints a map's entries again and again, every second (or EVERY seconds), until Ctrl-C or TIMES times.",
        watch,
    );
    define(interp, shared, "disasm", "program", "Prints a program's instructions with its source lines.", disasm);
    define(
        interp,
        shared,
        "stats",
        "program",
        "A program's number of instructions and, while statistics are on, of its runs: (instructions runs nanoseconds).",
        stats,
    );
    define(
        interp,
        shared,
        "verifier-log",
        "program",
        "What the kernel's verifier says of a program that it accepts, as a string; of one it refuses, the condition's \
         bpf-verifier-error-log has it.",
        verifier_log,
    );
}

fn hist(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let args = Args::new("hist", values, &["unit", "low", "high", "step"])?;
    let [map] = args.exactly()?;
    let unit = args.text(interp, "unit")?.unwrap_or_else(|| "value".to_string());
    let integer = |key: &str| args.get(key).map(|v| interp.heap.as_i128(v).unwrap_or(0));
    let scale = match (integer("low"), integer("high"), integer("step")) {
        (Some(low), Some(high), Some(step)) if step > 0 && high > low => Scale::Steps { low, high, step },
        (None, None, None) => Scale::PowersOfTwo,
        _ => {
            return Err(LispError::simple(
                "`hist` takes :low, :high and :step together, as they were given to `lhist!`",
            ));
        }
    };
    let typed = Typed::new(shared, interp, map)?;
    let size = typed.value.size();
    if size == 0 || !size.is_multiple_of(8) || (size == 8 && !typed.is_array()) {
        return Err(LispError::simple(format!(
            "`{}` holds no counts: it is a map for `hist!` if its values are (array u64 n), or an array of u64",
            typed.name
        )));
    }
    let counts = |values: Vec<Vec<u8>>| {
        let mut slots = vec![0u64; size / 8];
        for v in &values {
            for (slot, b) in slots.iter_mut().zip(v.as_chunks::<8>().0) {
                *slot = slot.wrapping_add(u64::from_le_bytes(*b));
            }
        }
        slots
    };
    let fits = |slots: &[u64]| match other_scale(slots, scale) {
        None => Ok(()),
        Some(slot) => Err(LispError::simple(format!(
            "`{}` has counts in slot {slot}, and :low, :high and :step make fewer: it was counted by other steps",
            typed.name
        ))
        .help("give `hist` the numbers that `lhist!` was given")),
    };
    let mut text = String::new();
    let keys = typed.keys(shared, interp)?;
    if size == 8 {
        let mut slots = Vec::new();
        for key in keys {
            slots.extend(counts(typed.read(shared, interp, &key)?.unwrap_or_default()));
        }
        fits(&slots)?;
        text = histogram(&slots, scale, &unit);
    } else {
        for key in keys {
            let Some(values) = typed.read(shared, interp, &key)? else { continue };
            let slots = counts(values);
            if slots.iter().all(|n| *n == 0) {
                continue;
            }
            fits(&slots)?;
            let k = typed.key.decode(&key, &mut interp.heap);
            text.push_str(&format!("[{}]\n{}", interp.show(k), histogram(&slots, scale, &unit)));
        }
        if text.is_empty() {
            text = histogram(&[], scale, &unit);
        }
    }
    interp.print(&text)?;
    Ok(Value::NIL)
}

fn watch(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let args = Args::new("watch", values, &["every", "times"])?;
    let [map] = args.exactly()?;
    let typed = Typed::new(shared, interp, map)?;
    let every = Duration::from_secs(args.number(interp, "every")?.unwrap_or(1).max(1));
    let times = args.number(interp, "times")?.or(shared.options.follow_count);
    let mut round = 0;
    let mut before = None;
    loop {
        let mut lines = String::new();
        for key in typed.keys(shared, interp)? {
            let Some(values) = typed.read(shared, interp, &key)? else { continue };
            if typed.is_array() && values.iter().flatten().all(|b| *b == 0) {
                continue;
            }
            let k = typed.key.decode(&key, &mut interp.heap);
            let v = typed.decode(interp, &values);
            lines.push_str(&format!("{}  {}\n", interp.prin1(k)?, interp.prin1(v)?));
        }
        // Only what changed is worth a line on the screen.
        if before.as_ref() != Some(&lines) {
            let shown = if lines.is_empty() { "(all 0)\n".to_string() } else { lines.clone() };
            interp.print(&format!("— {}\n{shown}", typed.name))?;
            interp.io.flush();
            before = Some(lines);
        }
        round += 1;
        if times.is_some_and(|t| round >= t) {
            return Ok(Value::NIL);
        }
        if !interp.io.sleep(every) {
            return Err(LispError::needs_host("watch"));
        }
        if shared.interrupted() {
            return Ok(Value::NIL);
        }
    }
}

fn disasm(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [program] = Args::new("disasm", values, &[])?.exactly()?;
    let found = shared.program_ref(interp, program)?;
    let text = match &found.unit {
        Some(unit) => whistler_object::listing(&unit.object, true),
        None => match shared.live()?.programs.get(&found.name) {
            Some(p) => whistler_object::listing(&p.compiled.object, true),
            None => return Err(LispError::simple(format!("there is no program `{}`", found.name))),
        },
    };
    interp.print(&text)?;
    Ok(Value::NIL)
}

fn stats(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [program] = Args::new("stats", values, &[])?.exactly()?;
    let program = in_kernel(shared, interp, program, "keeps no statistics")?;
    let name = program.name().to_string();
    let s = program.stats().map_err(|e| LispError::simple(format!("`{name}`: {e}")))?;
    let numbers =
        [Value::Int(program.insn_count() as i64), interp.heap.unsigned(s.runs), interp.heap.unsigned(s.nanoseconds)];
    Ok(interp.heap.list(&numbers))
}

/// The program in the kernel that a value means; the virtual machine has none.
fn in_kernel(shared: &Shared, interp: &Interp, program: Value, lacks: &str) -> Result<Arc<Program>, LispError> {
    let found = shared.program_ref(interp, program)?;
    found.section(shared)?;
    if shared.options.mode == Mode::Vm {
        return Err(LispError::simple(format!("the virtual machine {lacks}")));
    }
    found.loaded(shared)
}

fn verifier_log(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [program] = Args::new("verifier-log", values, &[])?.exactly()?;
    let found = shared.program_ref(interp, program)?;
    let program = in_kernel(shared, interp, program, "has no verifier")?;
    let object = match &found.unit {
        Some(unit) => unit.object.clone(),
        None => match shared.live()?.programs.get(&found.name) {
            Some(p) => Rc::new(p.compiled.object.clone()),
            None => return Err(LispError::simple(format!("there is no program `{}`", found.name))),
        },
    };
    // The kernel keeps no logs: it is asked for again, with the maps that are there.
    let mut options = LoadOptions { log_level: 2, only: vec![found.name.clone()], ..LoadOptions::default() };
    for m in &object.maps {
        let map = match &found.unit {
            Some(unit) => unit.map(&m.name)?,
            None => shared.live_map(&m.name)?,
        };
        options.reuse.insert(m.name.clone(), map);
    }
    let again = Loader::with(&shared.options.kernel, options)
        .load(&object)
        .map_err(|e| load_error(&object, &e, shared.options.refusal))?;
    let log = again.program(program.name()).map(|p| p.log().to_string()).unwrap_or_default();
    Ok(interp.heap.string(log))
}
