//! `attach`, `detach`, `links`.

use std::path::PathBuf;
use std::rc::Rc;

use whistler_diag::{Code, Diagnostic, Span};
use whistler_isa::ProgType;
use whistler_lisp::{Interp, LispError, LispResult, Value};
use whistler_loader::{
    AttachSpec, Counter, Device, Direction, Period, UprobePlace, When, XdpMode, find_file, from_section,
};

use super::define;
use crate::args::{Args, text};
use crate::failure::refused;
use crate::handles::{self, LinkHandle};
use crate::image::Mode;
use crate::live::{LiveLink, Shared};
use crate::unit::{ProgramRef, UnitStructOps};

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

pub(super) fn attach(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [program, rest @ ..] = values else {
        return Err(LispError::simple("`attach` takes a program: (attach on-exec)"));
    };
    if let Some(ops) = super::struct_ops::named(shared, interp, *program)? {
        Args::new("attach", rest, &[])?.exactly::<0>()?;
        return super::struct_ops::attach(shared, interp, ops);
    }
    if let Some(ops) = interp.heap.downcast::<UnitStructOps>(*program) {
        Args::new("attach", rest, &[])?.exactly::<0>()?;
        let (unit, name) = (ops.unit.clone(), ops.name.clone());
        return super::struct_ops::attach_of_unit(shared, interp, &unit, name);
    }
    let program = shared.program_ref(interp, *program)?;
    let (section, prog_type) = program.section(shared)?;
    let spec = spec(interp, rest, &section, prog_type)?;
    attach_to(shared, interp, &program, spec, rest.is_empty())
}

/// Attaches a program; the link as a value.
pub(super) fn attach_to(
    shared: &Shared,
    interp: &mut Interp,
    program: &ProgramRef,
    spec: AttachSpec,
    by_section: bool,
) -> LispResult {
    let (link, slot) = match shared.options.mode {
        Mode::Vm => (None, None),
        Mode::Kernel => {
            let loaded = program.loaded(shared)?;
            let (link, slot) = match &program.unit {
                // What a unit attaches is never exchanged, so it needs no stub.
                Some(_) => (shared.plain_link(&loaded, &spec)?, None),
                None => shared.make_link(&loaded, &spec)?,
            };
            (Some(link), slot)
        }
    };
    let shown = match &program.unit {
        Some(unit) => format!("{} of {}", program.name, unit.name),
        None => declared_name(shared, &program.name, &spec)?,
    };
    let what = format!("{shown} → {spec}");
    let mut live = shared.live()?;
    let unit_id = program.unit.as_ref().map(|u| u.id);
    if let Some(first) = live.links.iter().find(|l| l.program == program.name && l.unit == unit_id && l.spec == spec) {
        let text = format!("`{shown}` is attached there already, by link {}: it runs twice for each event", first.id);
        let d = Diagnostic::warning(Code("W0902"), Span::NONE, text);
        let help =
            format!("a link is taken off with (detach {}); a new `defprog` is exchanged without a new link", first.id);
        live.reports.push(d.help(help));
    }
    live.last_link += 1;
    let id = live.last_link;
    let unit = program.unit.as_ref().map(|u| u.id);
    live.links.push(LiveLink { id, program: program.name.clone(), unit, spec, by_section, link, ops: None, slot });
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
    let head = section.split('/').next().unwrap_or(section);
    match args.plain.as_slice() {
        [] | [_] => {}
        [_, function] if head.starts_with('u') => symbol = Some(text(interp, *function, "attach")?),
        _ => return Err(LispError::simple("`attach` takes one target besides the program")),
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
    let uprobe = args.text(interp, "uprobe")?.or_else(|| head.starts_with("u").then(|| target.clone()).flatten());
    if let (Some(file), Some(symbol)) = (&uprobe, &symbol) {
        let offset = args.number(interp, "offset")?.unwrap_or(0);
        let file = find_file(std::path::Path::new(file)).unwrap_or_else(|| PathBuf::from(file));
        let place = UprobePlace::Symbol(symbol.clone(), offset);
        return Ok(AttachSpec::Uprobe { file, place, when: returns, pid, cookie });
    }
    let by_name = args.text(interp, "tracepoint")?;
    if let Some(name) = by_name.or_else(|| target.clone().filter(|_| prog_type == ProgType::Tracepoint)) {
        return tracepoint(&name, cookie);
    }
    let device = || -> Result<Device, LispError> {
        let name = args.text(interp, "interface")?.or_else(|| target.clone());
        name.map(Device::Name).ok_or_else(|| {
            LispError::simple("`attach` needs an interface for this program").help("write (attach prog \"eth0\")")
        })
    };
    match prog_type {
        ProgType::Xdp => {
            let mode = xdp_mode(args.text(interp, "mode")?.as_deref())?;
            Ok(AttachSpec::Xdp { device: device()?, mode })
        }
        ProgType::SchedCls | ProgType::SchedAct => {
            let direction = direction(args.text(interp, "direction")?.as_deref(), section)?;
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

/// A tracepoint by `category/event`, with or without `tracepoint/` in front.
pub(super) fn tracepoint(name: &str, cookie: u64) -> Result<AttachSpec, LispError> {
    let plain = name.strip_prefix("tracepoint/").or_else(|| name.strip_prefix("tp/")).unwrap_or(name);
    match plain.split_once('/') {
        Some((category, event)) => {
            Ok(AttachSpec::Tracepoint { category: kernel_name(category), name: kernel_name(event), cookie })
        }
        None => Err(LispError::simple(format!("`{name}` is no tracepoint; write it as sched/sched_switch"))),
    }
}

/// How XDP runs, by our names or iproute2's.
pub(super) fn xdp_mode(name: Option<&str>) -> Result<XdpMode, LispError> {
    match name {
        None | Some("auto" | "xdp") => Ok(XdpMode::Auto),
        Some("driver" | "native" | "xdpdrv") => Ok(XdpMode::Driver),
        Some("generic" | "skb" | "xdpgeneric") => Ok(XdpMode::Generic),
        Some("offload" | "hw" | "xdpoffload") => Ok(XdpMode::Offload),
        Some(other) => Err(LispError::simple(format!("there is no XDP mode `{other}`"))
            .help("there are auto, driver, generic and offload (or xdp, xdpdrv, xdpgeneric and xdpoffload)")),
    }
}

/// A direction of traffic; `None`: what the section says, else ingress.
pub(super) fn direction(name: Option<&str>, section: &str) -> Result<Direction, LispError> {
    match name {
        Some("egress") => Ok(Direction::Egress),
        Some("ingress") => Ok(Direction::Ingress),
        None if section.contains("egress") => Ok(Direction::Egress),
        None => Ok(Direction::Ingress),
        Some(other) => Err(LispError::simple(format!("`{other}` is no direction; there are ingress and egress"))),
    }
}

/// What the section names.
fn own_target(section: &str) -> Result<AttachSpec, LispError> {
    from_section(section).map_err(|e| LispError::simple(e.to_string()))
}

pub(super) fn kernel_name(name: &str) -> String {
    name.replace('-', "_")
}

fn detach(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [what] = Args::new("detach", values, &[])?.exactly()?;
    let id = match interp.heap.downcast::<LinkHandle>(what) {
        Some(link) => Some(link.id),
        None => what.as_i64().and_then(|n| u32::try_from(n).ok()),
    };
    let ops = if id.is_none() { super::struct_ops::named(shared, interp, what)? } else { None };
    let program = if id.is_none() && ops.is_none() { Some(shared.program_ref(interp, what)?) } else { None };
    let of_program = |l: &LiveLink| {
        l.ops.is_none()
            && program.as_ref().is_some_and(|p| l.program == p.name && l.unit == p.unit.as_ref().map(|u| u.id))
    };
    let of_ops = |l: &LiveLink| l.ops.is_some() && ops.is_some_and(|o| l.program == crate::live::symbol_name(o.name()));
    let mut live = shared.live()?;
    let before = live.links.len();
    let mut failed = None;
    let (gone, kept) = std::mem::take(&mut live.links)
        .into_iter()
        .partition::<Vec<_>, _>(|l| Some(l.id) == id || of_program(l) || of_ops(l));
    live.links = kept;
    for link in gone {
        if let Some(link) = link.link
            && let Err(e) = link.detach()
        {
            failed = Some(e);
        }
    }
    match failed {
        Some(e) => Err(refused("detaching", &e)),
        None => Ok(Value::Int((before - live.links.len()) as i64)),
    }
}

fn links(shared: &Shared, interp: &mut Interp, _: &[Value]) -> LispResult {
    let all: Vec<(u32, String, bool, AttachSpec)> = {
        let live = shared.live()?;
        live.links.iter().map(|l| (l.id, l.program.clone(), l.unit.is_some(), l.spec.clone())).collect()
    };
    let mut values = Vec::new();
    for (id, program, of_unit, spec) in all {
        let shown = if of_unit { program } else { declared_name(shared, &program, &spec)? };
        let what = format!("{shown} → {spec}");
        values.push(handles::value(interp, Rc::new(LinkHandle { id, what })));
    }
    Ok(interp.heap.list(&values))
}

/// The name of a program or struct of operations as it was declared.
fn declared_name(shared: &Shared, symbol: &str, spec: &AttachSpec) -> Result<String, LispError> {
    if matches!(spec, AttachSpec::StructOps { .. }) {
        let found = shared.session()?.env.struct_ops.spelled(whistler_lisp::Symbol::intern(symbol));
        return Ok(found.map_or_else(|| symbol.to_string(), |n| n.name().to_string()));
    }
    Ok(shared.spelled(symbol)?.unwrap_or_else(|| symbol.to_string()))
}
