//! `attach`, `detach`, `links`.

use std::path::PathBuf;
use std::rc::Rc;

use whistler_isa::ProgType;
use whistler_lisp::{Interp, LispError, LispResult, Value};
use whistler_loader::{
    AttachSpec, Counter, Device, Direction, Period, UprobePlace, When, XdpMode, find_file, from_section,
};

use super::define;
use crate::args::{Args, text};
use crate::handles::{self, LinkHandle, program_name};
use crate::image::Mode;
use crate::live::{LiveLink, Shared};

const KEYWORDS: &[&str] = &[
    "interface",
    "mode",
    "direction",
    "cgroup",
    "uprobe",
    "symbol",
    "offset",
    "pid",
    "function",
    "retprobe",
    "frequency",
    "period",
    "cookie",
    "tracepoint",
];

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "attach",
        "program &rest target",
        "Attaches a program and returns the link. Where to: what its section says, or an interface (XDP, tc), a cgroup \
         path, a function name (kprobe), or :uprobe FILE SYMBOL [:pid N]. Keywords: :interface :mode :direction :cgroup \
         :uprobe :symbol :pid :function :retprobe :frequency :period :cookie :tracepoint.",
        attach,
    );
    define(
        interp,
        shared,
        "detach",
        "link-or-program",
        "Detaches a link, or every link of a program; how many.",
        detach,
    );
    define(interp, shared, "links", "", "The list of links.", links);
}

fn attach(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [program, rest @ ..] = values else {
        return Err(LispError::simple("`attach` takes a program: (attach on-exec)"));
    };
    let name = program_name(interp, *program)?;
    let (section, prog_type) = match shared.live()?.programs.get(&name) {
        Some(p) => match p.compiled.object.program(&name) {
            Some(p) => (p.section.clone(), p.prog_type),
            None => return Err(LispError::simple(format!("`{name}` is not in its own object"))),
        },
        None => {
            return Err(
                LispError::simple(format!("there is no program `{name}`")).help("define it with `defprog` first")
            );
        }
    };
    let spec = spec(interp, rest, &section, prog_type)?;
    let (link, slot) = match shared.options.mode {
        Mode::Vm => (None, None),
        Mode::Kernel => {
            let program = shared.live()?.programs.get(&name).and_then(|p| p.program.clone());
            let program = program.ok_or_else(|| LispError::simple(format!("`{name}` is not loaded")))?;
            let (link, slot) = shared.make_link(&program, &spec)?;
            (Some(link), slot)
        }
    };
    let id = {
        let mut live = shared.live()?;
        live.last_link += 1;
        live.last_link
    };
    let what = format!("{} → {spec}", declared_name(shared, &name)?);
    let mut live = shared.live()?;
    live.links.push(LiveLink { id, program: name, spec, by_section: rest.is_empty(), link, slot });
    drop(live);
    Ok(handles::value(interp, Rc::new(LinkHandle { id, what })))
}

/// Where to attach, from the form's arguments and the program's section.
fn spec(interp: &Interp, values: &[Value], section: &str, prog_type: ProgType) -> Result<AttachSpec, LispError> {
    // `:uprobe FILE SYMBOL` has two values behind its keyword.
    let mut values = values.to_vec();
    let mut symbol = None;
    let is = |v: &Value, name: &str| v.as_symbol().is_some_and(|s| s.is_keyword() && s.is(name));
    if let Some(at) = values.iter().position(|v| is(v, "uprobe")) {
        let next = values.get(at + 2).copied().filter(|v| interp.heap.str(*v).is_some());
        if let Some(next) = next {
            symbol = Some(text(interp, next, "attach")?);
            values.remove(at + 2);
        }
    }
    let args = Args::new("attach", &values, KEYWORDS)?;
    let target = args.plain.first().map(|v| text(interp, *v, "attach")).transpose()?;
    if args.plain.len() > 1 {
        return Err(LispError::simple("`attach` takes one target besides the program"));
    }
    let cookie = args.number(interp, "cookie")?.unwrap_or(0);
    let pid = args.number(interp, "pid")?.and_then(|n| u32::try_from(n).ok());
    let returns =
        if args.get("retprobe").is_some() || section.starts_with("uretprobe") || section.starts_with("kretprobe") {
            When::Return
        } else {
            When::Entry
        };
    let symbol = args.text(interp, "symbol")?.or(symbol);
    let head = section.split('/').next().unwrap_or(section);
    let uprobe = args.text(interp, "uprobe")?.or_else(|| head.starts_with("u").then(|| target.clone()).flatten());
    if let (Some(file), Some(symbol)) = (&uprobe, &symbol) {
        let offset = args.number(interp, "offset")?.unwrap_or(0);
        let file = find_file(std::path::Path::new(file)).unwrap_or_else(|| PathBuf::from(file));
        let place = UprobePlace::Symbol(symbol.clone(), offset);
        return Ok(AttachSpec::Uprobe { file, place, when: returns, pid, cookie });
    }
    if let Some(name) = args.text(interp, "tracepoint")? {
        let Some((category, event)) = name.split_once('/') else {
            return Err(LispError::simple(format!("`{name}` is no tracepoint; write it as sched/sched_switch")));
        };
        return Ok(AttachSpec::Tracepoint { category: kernel_name(category), name: kernel_name(event), cookie });
    }
    let device = || -> Result<Device, LispError> {
        let name = args.text(interp, "interface")?.or_else(|| target.clone());
        name.map(Device::Name).ok_or_else(|| {
            LispError::simple("`attach` needs an interface for this program").help("write (attach prog \"eth0\")")
        })
    };
    match prog_type {
        ProgType::Xdp => {
            let mode = match args.text(interp, "mode")?.as_deref() {
                None | Some("auto" | "xdp") => XdpMode::Auto,
                Some("driver" | "native" | "xdpdrv") => XdpMode::Driver,
                Some("generic" | "skb" | "xdpgeneric") => XdpMode::Generic,
                Some("offload" | "hw" | "xdpoffload") => XdpMode::Offload,
                Some(other) => {
                    return Err(LispError::simple(format!("there is no XDP mode `{other}`"))
                        .help("there are auto, driver, generic and offload"));
                }
            };
            Ok(AttachSpec::Xdp { device: device()?, mode })
        }
        ProgType::SchedCls | ProgType::SchedAct => {
            let direction = match args.text(interp, "direction")?.as_deref() {
                Some("egress") => Direction::Egress,
                Some("ingress") => Direction::Ingress,
                None if section.contains("egress") => Direction::Egress,
                None => Direction::Ingress,
                Some(other) => {
                    return Err(LispError::simple(format!("`{other}` is no direction; there are ingress and egress")));
                }
            };
            Ok(AttachSpec::Tc { device: device()?, direction })
        }
        ProgType::CgroupSkb
        | ProgType::CgroupSock
        | ProgType::CgroupSockAddr
        | ProgType::CgroupDevice
        | ProgType::CgroupSysctl
        | ProgType::CgroupSockopt
        | ProgType::SockOps => {
            let path = args.text(interp, "cgroup")?.or(target).ok_or_else(|| {
                LispError::simple("`attach` needs a cgroup for this program")
                    .help("write (attach prog \"/sys/fs/cgroup/…\"); the path is that of a cgroup2 directory")
            })?;
            Ok(AttachSpec::Cgroup { path: PathBuf::from(path), attach_type: None })
        }
        ProgType::PerfEvent => {
            let period = match (args.number(interp, "frequency")?, args.number(interp, "period")?) {
                (_, Some(p)) => Period::Every(p),
                (Some(f), None) => Period::Frequency(f),
                (None, None) => Period::Frequency(99),
            };
            Ok(AttachSpec::PerfEvent { counter: Counter::CpuClock, period, pid })
        }
        ProgType::Kprobe if !head.starts_with('u') => {
            let function = args.text(interp, "function")?.or(target);
            match function {
                Some(f) => {
                    Ok(AttachSpec::Kprobe { functions: vec![kernel_name(&f)], offset: 0, when: returns, cookie })
                }
                None => own_target(section),
            }
        }
        ProgType::RawTracepoint => match target {
            Some(name) => Ok(AttachSpec::RawTracepoint { name: kernel_name(&name), cookie }),
            None => own_target(section),
        },
        _ => own_target(section),
    }
}

/// What the section names.
fn own_target(section: &str) -> Result<AttachSpec, LispError> {
    from_section(section).map_err(|e| LispError::simple(e.to_string()))
}

fn kernel_name(name: &str) -> String {
    name.replace('-', "_")
}

fn detach(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [what] = Args::new("detach", values, &[])?.exactly()?;
    let id = match interp.heap.downcast::<LinkHandle>(what) {
        Some(link) => Some(link.id),
        None => what.as_i64().and_then(|n| u32::try_from(n).ok()),
    };
    let name = if id.is_none() { Some(program_name(interp, what)?) } else { None };
    let mut live = shared.live()?;
    let before = live.links.len();
    let mut failed = None;
    let (gone, kept) = std::mem::take(&mut live.links)
        .into_iter()
        .partition::<Vec<_>, _>(|l| Some(l.id) == id || Some(&l.program) == name.as_ref());
    live.links = kept;
    for link in gone {
        if let Some(link) = link.link
            && let Err(e) = link.detach()
        {
            failed = Some(e);
        }
    }
    match failed {
        Some(e) => Err(LispError::simple(format!("detaching: {e}"))),
        None => Ok(Value::Int((before - live.links.len()) as i64)),
    }
}

fn links(shared: &Shared, interp: &mut Interp, _: &[Value]) -> LispResult {
    let all: Vec<(u32, String, String)> =
        shared.live()?.links.iter().map(|l| (l.id, l.program.clone(), l.spec.to_string())).collect();
    let mut values = Vec::new();
    for (id, program, spec) in all {
        let what = format!("{} → {spec}", declared_name(shared, &program)?);
        values.push(handles::value(interp, Rc::new(LinkHandle { id, what })));
    }
    Ok(interp.heap.list(&values))
}

/// A program's name as it was declared.
fn declared_name(shared: &Shared, symbol: &str) -> Result<String, LispError> {
    Ok(shared.spelled(symbol)?.unwrap_or_else(|| symbol.to_string()))
}
