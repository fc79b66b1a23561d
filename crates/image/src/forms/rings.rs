//! Ring buffers: following them on the screen, and consumers with a function of one's own.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Duration, Instant};

use whistler_isa::MapType;
use whistler_lisp::{Foreign, Interp, LispError, LispResult, Root, Value};
use whistler_loader::{PerfConsumer, RingConsumer};
use whistler_sys::SysError;

use super::define;
use super::maps::Typed;
use crate::args::Args;
use crate::codec::Codec;
use crate::failure::refused;
use crate::handles::{self, name_of};
use crate::image::Mode;
use crate::live::{Shared, symbol_name};
use crate::print::Table;
use crate::recorded::VmState;
use crate::unit::BpfUnit;

/// How long one wait may take before an interrupt is noticed.
const SLICE: Duration = Duration::from_millis(100);

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "follow",
        "ring &key as count seconds",
        "Prints a ring buffer's records as they come, as structs of the type AS, until Ctrl-C, COUNT records or SECONDS.",
        follow,
    );
    define(
        interp,
        shared,
        "open-ring-consumer",
        "ring function &key as",
        "A consumer that calls FUNCTION with every record: as a struct of the type AS, else as a vector of bytes.",
        open,
    );
    define(
        interp,
        shared,
        "ring-poll",
        "consumer &key timeout-ms",
        "Handles what is there, waiting up to TIMEOUT-MS milliseconds for something; the number of records.",
        poll,
    );
    define(
        interp,
        shared,
        "ring-consume",
        "consumer",
        "Handles what is there without waiting; the number of records.",
        consume,
    );
    define(
        interp,
        shared,
        "follow-emitted",
        "&key count seconds",
        "Prints the lines that attached programs emit, until Ctrl-C, COUNT lines or SECONDS; the number of lines.",
        follow_emitted,
    );
    define(interp, shared, "close-ring-consumer", "consumer", "Ends a consumer.", close);
}

fn follow_emitted(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let args = Args::new("follow-emitted", values, &["count", "seconds"])?;
    args.exactly::<0>()?;
    let count = args.number(interp, "count")?.or(shared.options.follow_count);
    let time = args.number(interp, "seconds")?.map(Duration::from_secs).or(shared.options.follow_time);
    shared.live()?.emits.watched = true;
    let n = shared.follow_emitted(interp, count, time)?;
    Ok(Value::Int(i64::try_from(n).unwrap_or(i64::MAX)))
}

/// A consumer as a Lisp value.
struct Consumer {
    ring: RefCell<Option<Source>>,
    function: Root,
    /// Whether the function takes the length as a second argument, as the original's do.
    with_length: bool,
    codec: Option<Codec>,
    map: String,
}

/// What is done with a record, and whether to go on.
type Each<'a> = dyn FnMut(&mut Interp, &[u8]) -> Result<ControlFlow<()>, LispError> + 'a;

enum Source {
    Kernel(RingConsumer),
    Perf(PerfConsumer),
    /// A virtual machine's ring, drained by name: the image's machine, or that of a unit.
    Vm(Option<Rc<BpfUnit>>),
}

impl Foreign for Consumer {
    fn type_name(&self) -> &str {
        "ring-consumer"
    }
    fn print(&self) -> String {
        format!("#<ring-consumer {}>", self.map)
    }
}

fn ring(shared: &Shared, interp: &Interp, map: Value) -> Result<Typed, LispError> {
    let typed = Typed::new(shared, interp, map)?;
    if !matches!(typed.def.map_type, MapType::Ringbuf | MapType::PerfEventArray) {
        return Err(LispError::simple(format!(
            "`{}` is no ring buffer or perf event array but a map of type {}",
            typed.name,
            typed.def.map_type.keyword()
        )));
    }
    Ok(typed)
}

/// The codec of the type that `:as` names.
fn record_codec(shared: &Shared, interp: &Interp, args: &Args<'_>) -> Result<Option<Codec>, LispError> {
    let Some(v) = args.get("as") else { return Ok(None) };
    let name = name_of(interp, v).ok_or_else(|| LispError::wrong_type(&interp.show(v), "a struct"))?;
    match shared.ty(&name)? {
        Some(ty) => Ok(Some(Codec::new(&ty, interp))),
        None => Err(LispError::simple(format!("there is no struct `{name}`"))),
    }
}

fn source(shared: &Shared, ring: &Typed) -> Result<Source, LispError> {
    if shared.options.mode == Mode::Vm {
        return Ok(Source::Vm(ring.unit.clone()));
    }
    let failed = |e: SysError| refused(format!("ring buffer `{}`", ring.name), &e);
    let map = ring.in_kernel(shared)?;
    if ring.def.map_type == MapType::PerfEventArray {
        return PerfConsumer::new(map).map(Source::Perf).map_err(failed);
    }
    let mut consumer = RingConsumer::new().map_err(failed)?;
    consumer.add(map, None).map_err(failed)?;
    Ok(Source::Kernel(consumer))
}

impl Source {
    /// Hands every record that is there to `each`, waiting up to `wait` for one. `None`: there will never be more.
    fn take(
        &mut self,
        shared: &Shared,
        interp: &mut Interp,
        name: &str,
        wait: Duration,
        each: &mut Each<'_>,
    ) -> Result<Option<usize>, LispError> {
        match self {
            Source::Kernel(ring) => {
                let mut error = None;
                let count = ring.poll(Some(wait), |_, record| match each(interp, record) {
                    Ok(flow) => flow,
                    Err(e) => {
                        error = Some(e);
                        ControlFlow::Break(())
                    }
                });
                match (error, count) {
                    (Some(e), _) => Err(e),
                    (None, Ok(n)) => Ok(Some(n)),
                    (None, Err(e)) => Err(refused(format!("ring buffer `{name}`"), &e)),
                }
            }
            Source::Perf(buffers) => {
                let mut error = None;
                let count = buffers.poll(wait, |_, record| match each(interp, record) {
                    Ok(flow) => flow,
                    Err(e) => {
                        error = Some(e);
                        ControlFlow::Break(())
                    }
                });
                match (error, count) {
                    (Some(e), _) => Err(e),
                    (None, Ok(n)) => Ok(Some(n)),
                    (None, Err(e)) => Err(refused(format!("perf buffer `{name}`"), &e)),
                }
            }
            Source::Vm(unit) => {
                let drain = |vm: &mut VmState| {
                    let symbol = symbol_name(name);
                    let drained = match vm.machine.drain_perf(&symbol) {
                        Ok(records) => Ok(records.into_iter().map(|r| r.bytes).collect()),
                        Err(_) => vm.machine.drain_ring(&symbol),
                    };
                    drained.map_err(|e| LispError::simple(format!("ring buffer `{name}`: {e}")))
                };
                let (more, records) = match unit {
                    None => (shared.play_next(interp)?, shared.with_vm(interp, drain)?),
                    Some(unit) => (unit.play_next(shared)?, unit.with_vm(drain)?),
                };
                for record in &records {
                    if each(interp, record)?.is_break() {
                        break;
                    }
                }
                Ok((more || !records.is_empty()).then_some(records.len()))
            }
        }
    }
}

fn follow(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let args = Args::new("follow", values, &["as", "count", "seconds"])?;
    let [map] = args.exactly()?;
    let typed = ring(shared, interp, map)?;
    let codec = record_codec(shared, interp, &args)?;
    let limit = args.number(interp, "count")?.or(shared.options.follow_count);
    let time = args.number(interp, "seconds")?.map(Duration::from_secs).or(shared.options.follow_time);
    let end = time.map(|t| Instant::now() + t);
    let mut source = source(shared, &typed)?;
    shared.live()?.emits.watched = true;
    let mut seen = 0u64;
    let mut table = None;
    loop {
        let left = end.map_or(SLICE, |e| e.saturating_duration_since(Instant::now()).min(SLICE));
        let got = source.take(shared, interp, &typed.name, left, &mut |interp, record| {
            let mark = interp.heap.fresh_mark();
            let shown = show(interp, codec.as_ref(), record, &mut table);
            interp.heap.release_fresh(mark);
            shown?;
            seen += 1;
            Ok(if limit.is_some_and(|l| seen >= l) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        shared.print_emitted(interp, Duration::ZERO)?;
        interp.io.flush();
        let over = end.is_some_and(|e| Instant::now() >= e);
        if got.is_none() || over || limit.is_some_and(|l| seen >= l) || shared.interrupted() {
            break;
        }
    }
    interp.io.write_err(&format!("{seen} event{}\n", if seen == 1 { "" } else { "s" }));
    Ok(Value::NIL)
}

/// Prints one record; the head line before the first.
fn show(interp: &mut Interp, codec: Option<&Codec>, record: &[u8], table: &mut Option<Table>) -> Result<(), LispError> {
    let value = match codec {
        Some(codec) => codec.decode(record, &mut interp.heap),
        None => interp.heap.bytes(record.to_vec()),
    };
    let fields = interp.heap.record(value).map(|r| r.fields.clone());
    let (Some(fields), Some(codec)) = (fields, codec) else {
        let line = format!("{}\n", interp.show(value));
        return interp.print(&line);
    };
    let mut cells = Vec::with_capacity(fields.len());
    for v in &fields {
        cells.push(cell(interp, *v)?);
    }
    if table.is_none() {
        let numeric: Vec<bool> = fields.iter().map(|v| interp.heap.as_i128(*v).is_some()).collect();
        let (made, head) = Table::new(&codec.field_names().unwrap_or_default(), &cells, &numeric);
        interp.print(&format!("{head}\n"))?;
        *table = Some(made);
    }
    if let Some(table) = table {
        let line = format!("{}\n", table.row(&cells));
        interp.print(&line)?;
    }
    Ok(())
}

fn cell(interp: &mut Interp, v: Value) -> Result<String, LispError> {
    match interp.heap.str(v) {
        // What comes out of a kernel buffer must not drive the terminal.
        Some(s) => Ok(s.chars().map(|c| if c.is_control() { '·' } else { c }).collect()),
        // What is read by a program is whole.
        None if !interp.io.out_is_terminal() => interp.prin1(v),
        None => Ok(interp.show(v)),
    }
}

/// `(ring-records ring :as S)`: what the ring holds now.
pub(super) fn records(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let args = Args::new("ring-records", values, &["as"])?;
    let [map] = args.exactly()?;
    let typed = ring(shared, interp, map)?;
    let codec = record_codec(shared, interp, &args)?;
    let mut records: Vec<Vec<u8>> = Vec::new();
    match (shared.options.mode, typed.def.map_type) {
        (Mode::Kernel, MapType::PerfEventArray) => {
            return Err(shared.skip(format!(
                "`{}`: the kernel hands records of a perf event array only to who has opened it before",
                typed.name
            )));
        }
        (Mode::Vm, map_type) => {
            let symbol = symbol_name(&typed.name);
            records = shared.with_vm(interp, |vm| {
                let drained = match map_type {
                    MapType::PerfEventArray => {
                        vm.machine.drain_perf(&symbol).map(|all| all.into_iter().map(|r| r.bytes).collect())
                    }
                    _ => vm.machine.drain_ring(&symbol),
                };
                drained.map_err(|e| LispError::simple(format!("ring buffer `{}`: {e}", typed.name)))
            })?;
        }
        (Mode::Kernel, _) => {
            source(shared, &typed)?.take(shared, interp, &typed.name, Duration::ZERO, &mut |_, record| {
                records.push(record.to_vec());
                Ok(ControlFlow::Continue(()))
            })?;
        }
    }
    let values: Vec<Value> = records
        .into_iter()
        .map(|r| match &codec {
            Some(codec) => codec.decode(&r, &mut interp.heap),
            None => interp.heap.bytes(r),
        })
        .collect();
    Ok(interp.heap.list(&values))
}

fn open(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let args = Args::new("open-ring-consumer", values, &["as"])?;
    let [map, function] = args.exactly()?;
    let typed = ring(shared, interp, map)?;
    let codec = record_codec(shared, interp, &args)?;
    let source = source(shared, &typed)?;
    shared.live()?.emits.watched = true;
    let with_length = codec.is_none() && interp.arity(function).is_some_and(|(least, _)| least == 2);
    let function = interp.heap.root(function);
    let consumer = Consumer { ring: RefCell::new(Some(source)), function, with_length, codec, map: typed.name };
    Ok(handles::value(interp, Rc::new(consumer)))
}

fn consumer(interp: &Interp, v: Value) -> Result<Rc<Consumer>, LispError> {
    let found = interp.heap.downcast::<Consumer>(v);
    found.ok_or_else(|| LispError::wrong_type(&interp.show(v), "a ring consumer"))
}

fn poll(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let args = Args::new("ring-poll", values, &["timeout-ms"])?;
    let [c] = args.exactly()?;
    let wait = Duration::from_millis(args.number(interp, "timeout-ms")?.unwrap_or(100));
    handle(shared, interp, c, wait)
}

fn consume(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [c] = Args::new("ring-consume", values, &[])?.exactly()?;
    handle(shared, interp, c, Duration::ZERO)
}

fn handle(shared: &Shared, interp: &mut Interp, c: Value, wait: Duration) -> LispResult {
    let consumer = consumer(interp, c)?;
    let Ok(mut ring) = consumer.ring.try_borrow_mut() else {
        return Err(LispError::simple("a consumer's function can't poll its own consumer"));
    };
    let Some(source) = ring.as_mut() else { return Err(LispError::simple("the consumer is closed")) };
    let end = Instant::now() + wait;
    let mut count = 0i64;
    loop {
        let left = end.saturating_duration_since(Instant::now()).min(SLICE);
        let got = source.take(shared, interp, &consumer.map, left, &mut |interp, record| {
            let mark = interp.heap.fresh_mark();
            let v = match &consumer.codec {
                Some(codec) => codec.decode(record, &mut interp.heap),
                None => interp.heap.bytes(record.to_vec()),
            };
            let result = match consumer.with_length {
                true => interp.call(consumer.function.get(), &[v, Value::Int(record.len() as i64)]),
                false => interp.call(consumer.function.get(), &[v]),
            };
            interp.heap.release_fresh(mark);
            count += 1;
            result.map(|_| ControlFlow::Continue(()))
        })?;
        interp.check_interrupt()?;
        if got.is_none() || count > 0 || Instant::now() >= end {
            return Ok(Value::Int(count));
        }
    }
}

fn close(_: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [c] = Args::new("close-ring-consumer", values, &[])?.exactly()?;
    let consumer = consumer(interp, c)?;
    match consumer.ring.try_borrow_mut() {
        Ok(mut ring) => Ok(Value::from(ring.take().is_some())),
        Err(_) => Err(LispError::simple("a consumer's function can't close its own consumer")),
    }
}
