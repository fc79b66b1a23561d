//! `whistler test-run FILE PROG`: a program once, on bytes given, in the kernel or the virtual machine.

use std::time::Duration;

use whistler_kernel::Kernel;
use whistler_loader::{LoadOptions, Loaded, Loader, RingConsumer, TestRun};
use whistler_object::{Object, emit};
use whistler_vm::{Machine, MachineOptions, RunInput};

use super::Outcome;
use crate::args::{ImageArgs, TestRunArgs};
use crate::io::{hex, report, to_hex};
use crate::unit;

/// What a run gave.
struct Ran {
    ret: u32,
    packet: Option<Vec<u8>>,
    where_: &'static str,
    detail: String,
}

/// Runs the program and prints its result, the packet and the maps' contents.
pub fn run(args: &TestRunArgs, image: &ImageArgs) -> Outcome {
    let packet = args.packet.as_deref().map(hex).transpose().map_err(|e| format!("--packet: {e}"))?;
    let ctx = args.ctx.as_deref().map(hex).transpose().map_err(|e| format!("--ctx: {e}"))?;
    let Some((object, sources)) = unit::object(&args.file, &args.target)? else { return Ok(false) };
    let name = whistler_compiler::names::symbol_name(&args.program);
    if object.program(&name).is_none() {
        let names: Vec<&str> = object.programs.iter().map(|p| p.function.name.as_str()).collect();
        return Err(format!("there is no program `{}`; there is {}", args.program, names.join(", ")));
    }
    let kernel = Kernel::running();
    let in_kernel = args.kernel || (!args.vm && kernel.missing(&[whistler_sys::Cap::Bpf]).is_empty());
    let ran = if in_kernel {
        let options = LoadOptions { only: vec![name.clone()], ..LoadOptions::default() };
        match Loader::with(&kernel, options).load(&object) {
            Ok(loaded) => run_in_kernel(&loaded, &object, &name, packet.as_deref(), ctx.as_deref(), args.wait)?,
            Err(e) => {
                let refused = whistler_image::load_report(&object, &e, image.refusal());
                report(&[refused], &sources.borrow());
                return Ok(false);
            }
        }
    } else {
        {
            let given = Kernel::chosen(args.target.btf.clone(), args.target.tracefs.clone());
            run_in_vm(&object, &given, &name, packet.clone(), ctx, args.wait)?
        }
    };
    say!("{} in {}: {} ({:#x}) · {}", args.program, ran.where_, ran.ret as i32, ran.ret, ran.detail);
    if let Some(after) = ran.packet
        && packet.as_ref() != Some(&after)
    {
        say!("packet: {}", to_hex(&after));
    }
    Ok(true)
}

fn run_in_kernel(
    loaded: &Loaded,
    object: &Object,
    name: &str,
    packet: Option<&[u8]>,
    ctx: Option<&[u8]>,
    wait: u64,
) -> Result<Ran, String> {
    let program = loaded.program(name).ok_or_else(|| format!("`{name}` was not loaded"))?;
    if let Some(why) = packet.and_then(|p| whistler_image::too_short(p.len())) {
        return Err(format!("`{name}`: {why}; with --vm it runs"));
    }
    let run = TestRun { data_in: packet.unwrap_or(&[]), ctx_in: ctx.unwrap_or(&[]), ..TestRun::default() };
    let out = program.test_run(&run).map_err(|e| match (packet, ctx) {
        (None, None) => format!("`{name}` can't be run without what it runs on: --packet HEX or --ctx HEX ({e})"),
        _ => format!("`{name}` can't be run so: {e}"),
    })?;
    std::thread::sleep(Duration::from_millis(wait));
    for m in &object.maps {
        let Some(map) = loaded.map(&m.name) else { continue };
        for entry in map.entries() {
            // Rings and program arrays have no entries to read.
            let Ok((key, values)) = entry else { break };
            show_entry(&m.name, &key, &values);
        }
    }
    if let Some(ring) = loaded.map(emit::RING) {
        let mut consumer = RingConsumer::new().map_err(|e| e.to_string())?;
        consumer.add(ring.clone(), None).map_err(|e| e.to_string())?;
        let sites = emit::sites(object);
        let taken = consumer.consume(|_, record| {
            say!("emitted: {}", emit::render(&sites, record));
            std::ops::ControlFlow::Continue(())
        });
        taken.map_err(|e| e.to_string())?;
    }
    let packet = packet.map(|_| out.data_out.clone());
    Ok(Ran { ret: out.retval, packet, where_: "the kernel", detail: format!("{} ns", out.duration_ns) })
}

fn run_in_vm(
    object: &Object,
    types: &Kernel,
    name: &str,
    packet: Option<Vec<u8>>,
    ctx: Option<Vec<u8>>,
    wait: u64,
) -> Result<Ran, String> {
    let mut machine = Machine::with_types(object, MachineOptions::default(), types).map_err(|e| e.to_string())?;
    let packet_given = packet.is_some();
    let input = RunInput { packet, ctx, ..RunInput::default() };
    let out = machine.run(name, input).map_err(|e| e.to_string())?;
    machine.advance(wait.saturating_mul(1_000_000)).map_err(|e| e.to_string())?;
    for m in &object.maps {
        for key in machine.keys(&m.name).unwrap_or_default() {
            if let Ok(Some(values)) = machine.lookup_per_cpu(&m.name, &key) {
                show_entry(&m.name, &key, &values);
            }
        }
    }
    if object.map(emit::RING).is_some() {
        let sites = emit::sites(object);
        for record in machine.drain_ring(emit::RING).map_err(|e| e.to_string())? {
            say!("emitted: {}", emit::render(&sites, &record));
        }
    }
    Ok(Ran {
        ret: out.ret as u32,
        packet: packet_given.then_some(out.packet),
        where_: "the virtual machine",
        detail: format!("{} instructions", out.steps),
    })
}

/// An entry that is not all zeros.
fn show_entry(map: &str, key: &[u8], values: &[Vec<u8>]) {
    if values.iter().flatten().any(|b| *b != 0) {
        let values: Vec<String> = values.iter().map(|v| to_hex(v)).collect();
        say!("{map}[{}] = {}", to_hex(key), values.join(" "));
    }
}
