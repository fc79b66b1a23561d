//! Captured packets through a program: what became of each, and the packets that went on. Invariant: the order and the
//! time stamps of the capture stay.

use std::collections::BTreeMap;

use whistler_isa::ProgType;
use whistler_kernel::Kernel;
use whistler_loader::{LoadError, LoadOptions, Loader, Program, TestRun};
use whistler_object::Object;
use whistler_vm::pcap::{Capture, Captured, LINK_ETHERNET};
use whistler_vm::{Machine, MachineOptions, RunInput};

use crate::image::Mode;

/// What a capture came to.
#[derive(Debug)]
pub struct Replayed {
    /// How many packets each verdict was given to, by its name.
    pub verdicts: Vec<(String, usize)>,
    /// The packets that went on, as the program left them.
    pub passed: Capture,
    /// How many of them the program changed.
    pub changed: usize,
}

/// Whether a packet goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passes,
    Ends,
}

/// What a program type's result means for the packet.
fn verdict(prog: ProgType, ret: u32) -> (String, Fate) {
    use ProgType::*;
    let named = |names: &[(&str, Fate)]| {
        names
            .get(ret as usize)
            .map(|(n, f)| (n.to_string(), *f))
            .unwrap_or_else(|| (format!("{}", ret as i32), Fate::Ends))
    };
    use Fate::{Ends, Passes};
    match prog {
        Xdp => named(&[
            ("XDP_ABORTED", Ends),
            ("XDP_DROP", Ends),
            ("XDP_PASS", Passes),
            ("XDP_TX", Passes),
            ("XDP_REDIRECT", Passes),
        ]),
        SchedCls | SchedAct if ret == u32::MAX => ("TC_ACT_UNSPEC".into(), Passes),
        SchedCls | SchedAct => named(&[
            ("TC_ACT_OK", Passes),
            ("TC_ACT_RECLASSIFY", Passes),
            ("TC_ACT_SHOT", Ends),
            ("TC_ACT_PIPE", Passes),
            ("TC_ACT_STOLEN", Ends),
            ("TC_ACT_QUEUED", Ends),
            ("TC_ACT_REPEAT", Ends),
            ("TC_ACT_REDIRECT", Passes),
            ("TC_ACT_TRAP", Ends),
        ]),
        SocketFilter if ret == 0 => ("dropped".into(), Ends),
        SocketFilter => ("kept".into(), Passes),
        CgroupSkb if ret & 1 == 1 => ("allowed".into(), Passes),
        CgroupSkb => ("denied".into(), Ends),
        _ if ret == 0 => ("0".into(), Ends),
        _ => (format!("{}", ret as i32), Passes),
    }
}

/// Where the program runs.
enum Place {
    Vm(Box<Machine>),
    Kernel(std::sync::Arc<Program>),
}

/// Why there was no replay.
#[derive(Debug)]
pub enum ReplayError {
    /// In a sentence.
    Said(String),
    /// The kernel did not take the object.
    Refused(Box<LoadError>),
}

impl From<String> for ReplayError {
    fn from(text: String) -> ReplayError {
        ReplayError::Said(text)
    }
}

/// The kernel's test run takes no frame without a whole Ethernet header (`ETH_HLEN`).
const SHORTEST: usize = 14;

/// Why a packet of so many bytes can't be given to a program in the kernel, if it is too short for that.
pub fn too_short(len: usize) -> Option<String> {
    let text = || {
        format!(
            "the kernel's test run takes no packet of under {SHORTEST} bytes (an Ethernet header), and this one has {len}"
        )
    };
    (len < SHORTEST).then(text)
}

/// Sends every packet of a capture through the object's program.
///
/// # Errors
/// The program is no such program, the kernel refuses it, or a run fails.
pub fn replay(
    object: &Object,
    name: &str,
    capture: &Capture,
    mode: Mode,
    kernel: &Kernel,
) -> Result<Replayed, ReplayError> {
    let Some(program) = object.program(name) else {
        let names: Vec<&str> = object.programs.iter().map(|p| p.function.name.as_str()).collect();
        return Err(format!("there is no program `{name}`; there is {}", names.join(", ")).into());
    };
    let prog = program.prog_type;
    if capture.link != LINK_ETHERNET && !capture.packets.is_empty() {
        let link = capture.link;
        return Err(format!("the capture's link type is {link}; programs take Ethernet frames (link type 1)").into());
    }
    let sees_packets = crate::forms::no_test_run(prog).is_none()
        && !matches!(
            prog,
            ProgType::RawTracepoint | ProgType::RawTracepointWritable | ProgType::Syscall | ProgType::SkLookup
        );
    if !sees_packets {
        return Err(format!("`{name}` is a program of type :{}, which sees no packets", prog.keyword()).into());
    }
    let mut place = match mode {
        Mode::Vm => Place::Vm(Box::new(
            Machine::with_types(object, MachineOptions::default(), kernel).map_err(|e| e.to_string())?,
        )),
        Mode::Kernel => {
            let options = LoadOptions { only: vec![name.to_string()], ..LoadOptions::default() };
            let loaded = Loader::with(kernel, options).load(object).map_err(|e| ReplayError::Refused(Box::new(e)))?;
            let program = loaded.program(name).ok_or_else(|| format!("`{name}` was not loaded"))?;
            Place::Kernel(program.clone())
        }
    };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut out =
        Replayed { verdicts: Vec::new(), passed: Capture { packets: Vec::new(), ..capture.clone() }, changed: 0 };
    for (i, packet) in capture.packets.iter().enumerate() {
        let failed = |e: &dyn std::fmt::Display| format!("packet {}: `{name}`: {e}", i + 1);
        let (ret, bytes) = match &mut place {
            Place::Vm(machine) => {
                machine.world_mut().clock.monotonic_ns = packet.time_ns;
                let ran = machine.run(name, RunInput::packet(packet.bytes.clone())).map_err(|e| failed(&e))?;
                (ran.ret as u32, ran.packet)
            }
            Place::Kernel(_) if packet.bytes.len() < SHORTEST => {
                *counts.entry(format!("not run (under {SHORTEST} bytes)")).or_default() += 1;
                continue;
            }
            Place::Kernel(program) => {
                let run = TestRun { data_in: &packet.bytes, ..TestRun::default() };
                let ran = program.test_run(&run).map_err(|e| failed(&e))?;
                (ran.retval, crate::forms::with_link(prog, &packet.bytes, ran.data_out))
            }
        };
        let (word, fate) = verdict(prog, ret);
        *counts.entry(word).or_default() += 1;
        if fate == Fate::Ends {
            continue;
        }
        out.changed += usize::from(bytes != packet.bytes);
        // A packet that was captured short keeps what it is short of.
        let cut = (packet.wire_len as usize).saturating_sub(packet.bytes.len());
        let wire_len = (bytes.len() + cut) as u32;
        out.passed.packets.push(Captured { time_ns: packet.time_ns, wire_len, bytes });
    }
    out.verdicts = counts.into_iter().collect();
    Ok(out)
}
