//! What a helper process does: this test program again, with a task in its environment.

use std::io::{BufRead, Read, Write};

use crate::support::*;
use whistler_isa::ProgType;
use whistler_loader::{AttachSpec, Counter, Device, Direction, Loader, Period, XdpMode};
use whistler_sys::{Errno, Reply};

/// Not a test: returns at once unless it is run as a helper.
#[test]
fn helper() {
    let Ok(task) = std::env::var("WHISTLER_TEST_CHILD") else { return };
    match task.as_str() {
        "links" => attach_all_and_wait(),
        "filter" => attach_filter_and_wait(),
        "socket" => make_sockets_when_told(),
        "exec" => {}
        other => panic!("no task {other}"),
    }
    std::process::exit(0);
}

fn say(line: &str) {
    println!("\n{line}");
    std::io::stdout().flush().expect("piped");
}

fn wait_for_end() -> ! {
    let mut rest = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut rest);
    std::process::exit(0)
}

/// Everything whose end is to be the kernel's business when we are killed.
fn attach_all_and_wait() -> ! {
    whistler_sys::unshare_network().expect("a network namespace");
    let (a, _) = veth();
    let loader = Loader::new(kernel());
    let mut specs = vec![
        ("raw", ProgType::RawTracepoint, AttachSpec::RawTracepoint { name: "sys_enter".into(), cookie: 0 }),
        ("xdp", ProgType::Xdp, AttachSpec::Xdp { device: Device::Index(a), mode: XdpMode::Generic }),
        (
            "sample",
            ProgType::PerfEvent,
            AttachSpec::PerfEvent { counter: Counter::CpuClock, period: Period::Frequency(10), pid: None },
        ),
    ];
    if kernel().tracefs().is_ok() {
        let spec = AttachSpec::Tracepoint { category: "sched".into(), name: "sched_switch".into(), cookie: 0 };
        specs.push(("tp", ProgType::Tracepoint, spec));
    }
    if kernel().has(whistler_kernel::Feature::Tcx) {
        let spec = AttachSpec::Tc { device: Device::Index(a), direction: Direction::Ingress };
        specs.push(("tcx", ProgType::SchedCls, spec));
    }
    let mut held = Vec::new();
    for (name, prog_type, spec) in specs {
        let loaded = load(&counting(name, prog_type, name, 0));
        let program = loaded.program(name).expect("loaded").clone();
        let link = loader.attach(&program, &spec).unwrap_or_else(|e| panic!("{e}"));
        say(&format!("PROG {}", program.id().expect("known")));
        if let Some(id) = link.id() {
            say(&format!("LINK {id}"));
        }
        held.push((loaded, program, link));
    }
    say("READY all");
    wait_for_end()
}

/// A clsact filter on `va` of the network namespace that we were started in.
fn attach_filter_and_wait() -> ! {
    let no_tcx = |call: &whistler_sys::Call<'_>| match call {
        whistler_sys::Call::LinkCreate(r) if matches!(r.attach_type, 46 | 47) => Some(Err::<Reply, _>(Errno::EINVAL)),
        _ => None,
    };
    whistler_sys::with_fake(std::rc::Rc::new(no_tcx), || {
        let old = whistler_kernel::Kernel::running();
        let loaded = load(&counting("left", ProgType::SchedCls, "tc", -1));
        let spec = AttachSpec::Tc { device: Device::Name("va".into()), direction: Direction::Ingress };
        let link = whistler_loader::attach(&old, loaded.program("left").expect("loaded"), &spec);
        let link = link.unwrap_or_else(|e| panic!("{e}"));
        say(&format!("READY {}", link.method()));
        wait_for_end()
    })
}

fn make_sockets_when_told() {
    say("READY sockets");
    let mut line = String::new();
    while std::io::stdin().lock().read_line(&mut line).unwrap_or(0) > 0 {
        let made = std::net::UdpSocket::bind("127.0.0.1:0").is_ok();
        say(&format!("SOCKET {made}"));
        line.clear();
    }
}
