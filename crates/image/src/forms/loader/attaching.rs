//! Attaching by kind: `attach-kprobe` and its like. They take a program or the number of its descriptor.

use std::path::PathBuf;
use std::rc::Rc;

use whistler_isa::{AttachType, ProgType};
use whistler_lisp::{Interp, LispError, LispResult, Value};
use whistler_loader::{AttachSpec, Device, UprobePlace, When, find_file};

use crate::args::{Args, text};
use crate::forms::attach::{attach_to, direction, kernel_name, tracepoint, xdp_mode};
use crate::live::Shared;

/// Makes the target of one kind of attachment from the arguments behind the program.
type Target = fn(&Interp, &Args<'_>, &str) -> Result<AttachSpec, LispError>;

/// Name, lambda list, documentation, keywords, and what it makes.
const KINDS: &[(&str, &str, &str, &[&str], Target)] = &[
    (
        "attach-kprobe",
        "program function &key retprobe",
        "Attaches to the entry of a kernel function, or with RETPROBE to its return.",
        &["retprobe", "cookie"],
        |interp, args, form| kprobe(interp, args, vec![kernel_name(&one(interp, args, form, "a kernel function")?)]),
    ),
    (
        "attach-kprobe-multi",
        "program functions &key retprobe",
        "Attaches to the entries (or returns) of several kernel functions at once: a list of names, or one.",
        &["retprobe", "cookie"],
        |interp, args, form| {
            let names = match args.plain.get(1).and_then(|v| interp.heap.list_items(*v)).filter(|l| !l.is_empty()) {
                Some(items) => items.iter().map(|v| text(interp, *v, form)).collect::<Result<Vec<_>, _>>()?,
                None => vec![one(interp, args, form, "kernel functions")?],
            };
            kprobe(interp, args, names.iter().map(|n| kernel_name(n)).collect())
        },
    ),
    (
        "attach-uprobe",
        "program path symbol &key retprobe pid",
        "Attaches to a function of a program or library, in every process or in PID.",
        &["retprobe", "pid", "offset", "cookie"],
        |interp, args, form| {
            let file = one(interp, args, form, "a file")?;
            let symbol = args.plain.get(2).map(|v| text(interp, *v, form)).transpose()?;
            let symbol = symbol.ok_or_else(|| LispError::simple(format!("`{form}` needs a function's name")))?;
            let offset = args.number(interp, "offset")?.unwrap_or(0);
            Ok(AttachSpec::Uprobe {
                file: find_file(std::path::Path::new(&file)).unwrap_or_else(|| PathBuf::from(&file)),
                place: UprobePlace::Symbol(symbol, offset),
                when: when(args),
                pid: args.number(interp, "pid")?.and_then(|n| u32::try_from(n).ok()),
                cookie: args.number(interp, "cookie")?.unwrap_or(0),
            })
        },
    ),
    (
        "attach-tracepoint",
        "program name",
        "Attaches to a tracepoint, category/event (tracepoint/ may stand before it).",
        &["cookie"],
        |interp, args, form| {
            let name = one(interp, args, form, "a tracepoint")?;
            tracepoint(&name, args.number(interp, "cookie")?.unwrap_or(0))
        },
    ),
    (
        "attach-xdp",
        "program interface &key mode",
        "Attaches to a network interface; MODE is xdp, xdpdrv, xdpgeneric or xdpoffload.",
        &["mode"],
        |interp, args, form| {
            let device = device(interp, args, form)?;
            Ok(AttachSpec::Xdp { device, mode: xdp_mode(args.text(interp, "mode")?.as_deref())? })
        },
    ),
    (
        "attach-tc",
        "program interface &key direction",
        "Attaches to a network interface's traffic, ingress unless DIRECTION says egress.",
        &["direction"],
        |interp, args, form| {
            let device = device(interp, args, form)?;
            Ok(AttachSpec::Tc { device, direction: direction(args.text(interp, "direction")?.as_deref(), "")? })
        },
    ),
    (
        "attach-cgroup",
        "program path type &key flags",
        "Attaches to a cgroup2 directory as one of the +bpf-cgroup-…+ types.",
        &["flags"],
        |interp, args, form| {
            let path = PathBuf::from(one(interp, args, form, "a cgroup's directory")?);
            // A link always lets others in beside it, which is what 2 (BPF_F_ALLOW_MULTI) asks for.
            match args.number(interp, "flags")?.unwrap_or(2) {
                0 | 2 => {}
                n => {
                    return Err(LispError::simple(format!("`{form}` can't take the flags {n}"))
                        .help("2 (BPF_F_ALLOW_MULTI) is how it always attaches; leave :flags out"));
                }
            }
            let Some(v) = args.plain.get(2) else { return Ok(AttachSpec::Cgroup { path, attach_type: None }) };
            let number = v.as_i64().and_then(|n| u32::try_from(n).ok());
            match number.and_then(AttachType::from_number) {
                Some(t) => Ok(AttachSpec::Cgroup { path, attach_type: Some(t) }),
                None => Err(LispError::wrong_type(&interp.show(*v), "a type of attachment")
                    .help("such as +bpf-cgroup-inet-egress+")),
            }
        },
    ),
    ("attach-lsm", "program", "Attaches to the LSM hook that the program's section names.", &[], |_, _, _| {
        Ok(AttachSpec::OwnTarget)
    }),
    (
        "attach-fentry",
        "program",
        "Attaches to the kernel function that the program's section names (fentry, fexit, fmod_ret).",
        &[],
        |_, _, _| Ok(AttachSpec::OwnTarget),
    ),
    (
        "attach-sk-lookup",
        "program &optional netns",
        "Attaches to a network namespace: a path such as /run/netns/NAME, or the present one.",
        &[],
        |interp, args, form| {
            let path = args.plain.get(1).filter(|v| v.is_true()).map(|v| text(interp, *v, form)).transpose()?;
            Ok(AttachSpec::NetNs { path: path.map(PathBuf::from) })
        },
    ),
];

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    for (name, lambda, doc, keywords, target) in KINDS {
        let shared = shared.clone();
        let call =
            move |interp: &mut Interp, values: &[Value]| attach(&shared, interp, name, keywords, *target, values);
        interp.define_native(name, lambda, doc, Rc::new(call));
    }
}

fn attach(
    shared: &Shared,
    interp: &mut Interp,
    form: &'static str,
    keywords: &[&'static str],
    target: Target,
    values: &[Value],
) -> LispResult {
    let args = Args::new(form, values, keywords)?;
    let Some(program) = args.plain.first() else {
        return Err(LispError::simple(format!("`{form}` takes a program or its descriptor")));
    };
    let program = shared.program_ref(interp, *program)?;
    let spec = target(interp, &args, form)?;
    let (_, prog_type) = program.section(shared)?;
    if matches!(spec, AttachSpec::NetNs { .. }) && prog_type != ProgType::SkLookup {
        return Err(LispError::simple(format!(
            "`{form}` takes a program of type :sk-lookup, not :{}",
            prog_type.keyword()
        )));
    }
    attach_to(shared, interp, &program, spec, false)
}

/// The argument behind the program.
fn one(interp: &Interp, args: &Args<'_>, form: &str, what: &str) -> Result<String, LispError> {
    match args.plain.get(1) {
        Some(v) => text(interp, *v, form),
        None => Err(LispError::simple(format!("`{form}` needs {what} behind the program"))),
    }
}

fn device(interp: &Interp, args: &Args<'_>, form: &str) -> Result<Device, LispError> {
    match args.plain.get(1).and_then(|v| v.as_i64()).and_then(|n| u32::try_from(n).ok()) {
        Some(index) => Ok(Device::Index(index)),
        None => Ok(Device::Name(one(interp, args, form, "an interface")?)),
    }
}

fn when(args: &Args<'_>) -> When {
    if args.get("retprobe").is_some() { When::Return } else { When::Entry }
}

fn kprobe(interp: &Interp, args: &Args<'_>, functions: Vec<String>) -> Result<AttachSpec, LispError> {
    let cookie = args.number(interp, "cookie")?.unwrap_or(0);
    Ok(AttachSpec::Kprobe { functions, offset: 0, when: when(args), cookie })
}
