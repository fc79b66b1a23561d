//! Links of the network kinds, each in a network namespace or cgroup of the test's own.

use std::net::UdpSocket;

use crate::support::*;
use whistler_isa::{AttachType, ProgType};
use whistler_kernel::Kernel;
use whistler_loader::{
    AttachSpec, Device, Direction, Link, Loaded, Loader, XdpMode, attach, find_leftovers, remove_leftover,
};
use whistler_sys::{Call, Errno, Reply, netlink};

fn xdp(index: u32, mode: XdpMode) -> AttachSpec {
    AttachSpec::Xdp { device: Device::Index(index), mode }
}

fn on(loaded: &Loaded, spec: &AttachSpec) -> Link {
    let program = loaded.programs.values().next().expect("one program");
    Loader::new(kernel()).attach(program, spec).unwrap_or_else(|e| panic!("{e} {:?}", e.mend))
}

/// Sends packets out of `va`: they come in at `vb`.
fn send(count: usize) {
    let socket = UdpSocket::bind("10.77.0.1:0").expect("bound");
    socket.set_broadcast(true).expect("set");
    for _ in 0..count {
        socket.send_to(b"packet", "10.77.0.255:9").expect("sent");
    }
}

#[test]
fn xdp_counts_and_is_updated_in_place() {
    requires!(kernel >= 5.9, CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN, netns);
    in_netns(|| {
        let (_, b) = veth();
        for mode in [XdpMode::Auto, XdpMode::Generic, XdpMode::Driver] {
            let first = load(&counting("first", ProgType::Xdp, "xdp", 2));
            let link = on(&first, &xdp(b, mode));
            send(5);
            assert!(eventually(|| hits(&first) >= 5), "{mode:?}: {}", hits(&first));

            let second = load(&counting("second", ProgType::Xdp, "xdp", 2));
            link.update(second.program("second").expect("loaded")).expect("updated");
            let before = hits(&first);
            send(5);
            assert!(eventually(|| hits(&second) >= 5));
            assert_eq!(hits(&first), before);

            let e = Loader::new(kernel()).attach(first.program("first").expect("loaded"), &xdp(b, mode));
            let e = e.expect_err("the device is taken");
            assert!(e.why.contains("has an XDP program already"), "{e}");
            drop(link);
        }
        let loaded = load(&counting("none", ProgType::Xdp, "xdp", 2));
        let spec = AttachSpec::Xdp { device: Device::Name("vc".into()), mode: XdpMode::Auto };
        let e = Loader::new(kernel()).attach(loaded.program("none").expect("loaded"), &spec).expect_err("no device");
        assert_eq!(e.to_string(), "`none` can't be attached to xdp on vc: there is no network device `vc`");
        assert!(e.near.contains(&"va".to_string()), "{:?}", e.near);
    });
}

fn tc(direction: Direction) -> AttachSpec {
    AttachSpec::Tc { device: Device::Name("va".into()), direction }
}

fn tc_counts(kernel: &Kernel, method: &str) {
    let (a, _) = veth();
    let first = load(&counting("first", ProgType::SchedCls, "tc", -1));
    let link = attach(kernel, first.program("first").expect("loaded"), &tc(Direction::Egress))
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(link.method(), method);
    send(4);
    assert!(hits(&first) >= 4, "{}", hits(&first));
    let second = load(&counting("second", ProgType::SchedCls, "tc", -1));
    link.update(second.program("second").expect("loaded")).expect("updated");
    let before = hits(&first);
    send(4);
    assert!(hits(&second) >= 4);
    assert_eq!(hits(&first), before);
    // A second one beside it, and both gone at the end.
    let other = attach(kernel, first.program("first").expect("loaded"), &tc(Direction::Egress)).expect("room for two");
    drop((link, other));
    let before = (hits(&first), hits(&second));
    send(4);
    assert_eq!((hits(&first), hits(&second)), before);
    assert_eq!(netlink::filters(a, Direction::Egress), Ok(Vec::new()));
    assert_eq!(netlink::clsact_add(a), Ok(true), "no qdisc is left");
}

#[test]
fn tc_by_tcx_link() {
    requires!(kernel >= 6.6, CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN, netns, feature Tcx);
    in_netns(|| tc_counts(kernel(), "tcx link"));
}

/// A kernel of our own imagination without tcx: everything else is real.
fn without_tcx<R>(body: impl FnOnce(&Kernel) -> R) -> R {
    let fake = |call: &Call<'_>| match call {
        Call::LinkCreate(r) if matches!(r.attach_type, 46 | 47) => Some(Err::<Reply, _>(Errno::EINVAL)),
        _ => None,
    };
    whistler_sys::with_fake(std::rc::Rc::new(fake), || body(&Kernel::running()))
}

#[test]
fn tc_by_clsact_filter() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN, netns);
    in_netns(|| without_tcx(|kernel| tc_counts(kernel, "clsact filter")));
}

#[test]
fn a_filter_of_a_killed_process_is_found_and_removed() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN, netns);
    in_netns(|| {
        let (a, _) = veth();
        let mut helper = Helper::start("filter");
        assert_eq!(helper.line("READY").as_deref(), Some("clsact filter"));
        assert_eq!(netlink::filters(a, Direction::Ingress).map(|f| f.len()), Ok(1));
        assert_eq!(find_leftovers(), Ok(Vec::new()), "its owner lives");
        let pid = helper.0.id();
        helper.0.kill().expect("killed");
        helper.0.wait().expect("gone");
        let left = find_leftovers().expect("listed");
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!((left[0].device.as_str(), left[0].program.as_str(), left[0].pid), ("va", "left", pid));
        remove_leftover(&left[0]).expect("removed");
        assert_eq!(find_leftovers(), Ok(Vec::new()));
        assert_eq!(netlink::clsact_add(a), Ok(true), "the qdisc went with it");
        // A filter that is not ours is left alone.
        let loaded = load(&counting("other", ProgType::SchedCls, "tc", -1));
        let place = netlink::FilterPlace { ifindex: a, direction: Direction::Ingress, priority: 1, handle: 1 };
        let program = loaded.program("other").expect("loaded");
        let fd = std::os::fd::AsFd::as_fd(&**program);
        netlink::filter_add(place, fd, "somebody's", netlink::OnExisting::Fail).expect("added");
        assert_eq!(find_leftovers(), Ok(Vec::new()));
        assert_eq!(netlink::filters(a, Direction::Ingress).map(|f| f[0].name.clone()), Ok("somebody's".to_string()));
    });
}

/// A cgroup that is removed again.
struct Cgroup(std::path::PathBuf);

impl Cgroup {
    fn new(name: &str) -> Cgroup {
        let path =
            std::path::Path::new(&cgroup2().expect("required")).join(format!("whistler-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).expect("a cgroup");
        Cgroup(path)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Processes that were in it may take a moment to be gone.
        eventually(|| std::fs::remove_dir(&self.0).is_ok());
    }
}

#[test]
fn a_cgroup_program_decides_and_is_updated() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN, cgroup2);
    let cgroup = Cgroup::new("sock");
    let make = |name: &str, verdict| {
        let attach = Some(AttachType::CgroupInetSockCreate);
        load(&counting_with(name, ProgType::CgroupSock, attach, "cgroup/sock_create", verdict))
    };
    let deny = make("deny", 0);
    let spec = AttachSpec::Cgroup { path: cgroup.0.clone(), attach_type: None };
    let link = on(&deny, &spec);
    let mut helper = Helper::start("socket");
    assert!(helper.line("READY").is_some());
    std::fs::write(cgroup.0.join("cgroup.procs"), helper.0.id().to_string()).expect("moved");
    helper.tell("go\n");
    assert_eq!(helper.line("SOCKET").as_deref(), Some("false"));
    assert_eq!(hits(&deny), 1);
    let allow = make("allow", 1);
    link.update(allow.program("allow").expect("loaded")).expect("updated");
    helper.tell("go\n");
    assert_eq!(helper.line("SOCKET").as_deref(), Some("true"));
    assert_eq!((hits(&deny), hits(&allow)), (1, 1));
    drop(helper);

    let e = Loader::new(kernel())
        .attach(deny.program("deny").expect("loaded"), &AttachSpec::Cgroup { path: "/proc".into(), attach_type: None })
        .expect_err("no cgroup");
    assert!(e.why.contains("no directory of cgroup2") && e.mend.is_some(), "{e:?}");
}

#[test]
fn a_program_of_a_network_namespace() {
    requires!(kernel >= 5.9, CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN, netns);
    in_netns(|| {
        let object = counting_with("find", ProgType::SkLookup, Some(AttachType::SkLookup), "sk_lookup", 1);
        let loaded = load(&object);
        let link = on(&loaded, &AttachSpec::NetNs { path: None });
        assert!(link.can_update());
        link.update(loaded.program("find").expect("loaded")).expect("updated");
    });
}
