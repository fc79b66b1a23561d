//! The vocabulary of this crate: every call it can make, as a value, and the one place through
//! which they all go. A test replaces the kernel for its own thread with [`with_fake`].
//!
//! Invariants: only this crate hands a [`Call`] to the kernel, so its lengths are those that the kernel
//! will read and write (a fake sees calls and may let them pass, but not change or make them);
//! outputs travel in the [`Reply`], so a fake has no pointer to write through.

use std::cell::RefCell;
use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;

use crate::bpf::{BtfLoad, LinkCreate, MapCreate, ProgLoad, TestRun, TestRunOut};
use crate::mem::Mapping;
use crate::perf::PerfEvent;
use crate::{Errno, SysError};

/// One call of the kernel.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Call<'a> {
    MapCreate(&'a MapCreate<'a>),
    MapLookup {
        map: BorrowedFd<'a>,
        key: &'a [u8],
        value_len: usize,
        flags: u64,
    },
    MapLookupAndDelete {
        map: BorrowedFd<'a>,
        key: &'a [u8],
        value_len: usize,
    },
    MapUpdate {
        map: BorrowedFd<'a>,
        key: &'a [u8],
        value: &'a [u8],
        flags: u64,
    },
    MapDelete {
        map: BorrowedFd<'a>,
        key: &'a [u8],
    },
    MapNextKey {
        map: BorrowedFd<'a>,
        key: Option<&'a [u8]>,
        key_len: usize,
    },
    MapFreeze {
        map: BorrowedFd<'a>,
    },
    ProgLoad(&'a ProgLoad<'a>),
    BtfLoad(&'a BtfLoad<'a>),
    ObjPin {
        fd: BorrowedFd<'a>,
        path: &'a CStr,
    },
    ObjGet {
        path: &'a CStr,
    },
    ProgAttach {
        target: BorrowedFd<'a>,
        prog: BorrowedFd<'a>,
        attach_type: u32,
        flags: u32,
    },
    ProgDetach {
        target: BorrowedFd<'a>,
        prog: BorrowedFd<'a>,
        attach_type: u32,
    },
    ProgQuery {
        target: u32,
        attach_type: u32,
        max: usize,
    },
    TestRun(&'a TestRun<'a>),
    NextId {
        kind: IdKind,
        after: u32,
    },
    FdById {
        kind: IdKind,
        id: u32,
    },
    Info {
        fd: BorrowedFd<'a>,
        len: usize,
    },
    ProgMapIds {
        fd: BorrowedFd<'a>,
        max: usize,
    },
    BtfData {
        fd: BorrowedFd<'a>,
        data_len: usize,
        name_len: usize,
    },
    RawTracepointOpen {
        prog: BorrowedFd<'a>,
        name: Option<&'a CStr>,
        cookie: u64,
    },
    LinkCreate(&'a LinkCreate<'a>),
    LinkUpdate {
        link: BorrowedFd<'a>,
        new: BorrowedFd<'a>,
        old: Option<BorrowedFd<'a>>,
    },
    LinkDetach {
        link: BorrowedFd<'a>,
    },
    EnableStats {
        kind: u32,
    },
    IterCreate {
        link: BorrowedFd<'a>,
    },
    ProgBindMap {
        prog: BorrowedFd<'a>,
        map: BorrowedFd<'a>,
    },

    PerfEventOpen(&'a PerfEvent<'a>),
    PerfSetBpf {
        event: BorrowedFd<'a>,
        prog: BorrowedFd<'a>,
    },
    PerfEnable {
        event: BorrowedFd<'a>,
    },
    PerfDisable {
        event: BorrowedFd<'a>,
    },
    PerfQuery {
        event: BorrowedFd<'a>,
        max: usize,
    },

    Mmap {
        fd: BorrowedFd<'a>,
        len: usize,
        offset: u64,
        writable: bool,
    },
    EpollCreate,
    EpollAdd {
        epoll: BorrowedFd<'a>,
        fd: BorrowedFd<'a>,
        data: u64,
    },
    EpollWait {
        epoll: BorrowedFd<'a>,
        max: usize,
        timeout_ms: Option<u32>,
    },
    /// A request on a fresh route netlink socket, and all answers until the acknowledgement.
    Netlink {
        request: &'a [u8],
    },
    IfIndex {
        name: &'a CStr,
    },
    /// A detached mount of tracefs.
    MountTracefs,
    OpenAt {
        dir: BorrowedFd<'a>,
        path: &'a CStr,
        directory: bool,
    },
    Open {
        path: &'a CStr,
        directory: bool,
    },
    Capabilities,
    Uname,
    Unshare {
        flags: i32,
    },
}

/// What ids are given to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum IdKind {
    Prog,
    Map,
    Btf,
    Link,
}

/// What a call brought back.
#[derive(Debug)]
pub enum Reply {
    /// Nothing but success.
    Done,
    /// A number.
    Number(u64),
    /// Several numbers.
    Numbers(Vec<u64>),
    /// A new descriptor.
    Fd(OwnedFd),
    /// Bytes: a value, a key, an info struct, …
    Bytes(Vec<u8>),
    /// Several messages.
    Messages(Vec<Vec<u8>>),
    /// The outcome of loading a program or BTF, with the log that comes also with a failure.
    Loaded {
        /// The descriptor, or why not.
        result: Result<OwnedFd, Errno>,
        /// What the kernel wrote, without the final zero.
        log: Vec<u8>,
        /// The log's whole size where the kernel says it (6.4 on), else 0.
        log_true_size: u32,
    },
    /// The outcome of a test run.
    TestRun(TestRunOut),
    /// A memory mapping.
    Mapping(Mapping),
    /// `(data, event bits)` of epoll.
    Events(Vec<(u64, u32)>),
}

impl Call<'_> {
    /// The name for error messages, as the manual has it.
    pub fn name(&self) -> &'static str {
        match self {
            Call::MapCreate(_) => "bpf(BPF_MAP_CREATE)",
            Call::MapLookup { .. } => "bpf(BPF_MAP_LOOKUP_ELEM)",
            Call::MapLookupAndDelete { .. } => "bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM)",
            Call::MapUpdate { .. } => "bpf(BPF_MAP_UPDATE_ELEM)",
            Call::MapDelete { .. } => "bpf(BPF_MAP_DELETE_ELEM)",
            Call::MapNextKey { .. } => "bpf(BPF_MAP_GET_NEXT_KEY)",
            Call::MapFreeze { .. } => "bpf(BPF_MAP_FREEZE)",
            Call::ProgLoad(_) => "bpf(BPF_PROG_LOAD)",
            Call::BtfLoad(_) => "bpf(BPF_BTF_LOAD)",
            Call::ObjPin { .. } => "bpf(BPF_OBJ_PIN)",
            Call::ObjGet { .. } => "bpf(BPF_OBJ_GET)",
            Call::ProgAttach { .. } => "bpf(BPF_PROG_ATTACH)",
            Call::ProgDetach { .. } => "bpf(BPF_PROG_DETACH)",
            Call::ProgQuery { .. } => "bpf(BPF_PROG_QUERY)",
            Call::TestRun(_) => "bpf(BPF_PROG_TEST_RUN)",
            Call::NextId { .. } => "bpf(BPF_*_GET_NEXT_ID)",
            Call::FdById { .. } => "bpf(BPF_*_GET_FD_BY_ID)",
            Call::Info { .. } | Call::ProgMapIds { .. } | Call::BtfData { .. } => "bpf(BPF_OBJ_GET_INFO_BY_FD)",
            Call::RawTracepointOpen { .. } => "bpf(BPF_RAW_TRACEPOINT_OPEN)",
            Call::LinkCreate(_) => "bpf(BPF_LINK_CREATE)",
            Call::LinkUpdate { .. } => "bpf(BPF_LINK_UPDATE)",
            Call::LinkDetach { .. } => "bpf(BPF_LINK_DETACH)",
            Call::EnableStats { .. } => "bpf(BPF_ENABLE_STATS)",
            Call::IterCreate { .. } => "bpf(BPF_ITER_CREATE)",
            Call::ProgBindMap { .. } => "bpf(BPF_PROG_BIND_MAP)",
            Call::PerfEventOpen(_) => "perf_event_open",
            Call::PerfSetBpf { .. } => "ioctl(PERF_EVENT_IOC_SET_BPF)",
            Call::PerfEnable { .. } => "ioctl(PERF_EVENT_IOC_ENABLE)",
            Call::PerfDisable { .. } => "ioctl(PERF_EVENT_IOC_DISABLE)",
            Call::PerfQuery { .. } => "ioctl(PERF_EVENT_IOC_QUERY_BPF)",
            Call::Mmap { .. } => "mmap",
            Call::EpollCreate => "epoll_create1",
            Call::EpollAdd { .. } => "epoll_ctl(EPOLL_CTL_ADD)",
            Call::EpollWait { .. } => "epoll_wait",
            Call::Netlink { .. } => "netlink",
            Call::IfIndex { .. } => "if_nametoindex",
            Call::MountTracefs => "fsmount(tracefs)",
            Call::OpenAt { .. } => "openat",
            Call::Open { .. } => "open",
            Call::Capabilities => "capget",
            Call::Uname => "uname",
            Call::Unshare { .. } => "unshare",
        }
    }
}

/// Something that answers calls in the kernel's place.
pub trait Syscaller {
    /// The answer, or `None` to let the kernel answer.
    fn call(&self, call: &Call<'_>) -> Option<Result<Reply, Errno>>;
}

impl<F: Fn(&Call<'_>) -> Option<Result<Reply, Errno>>> Syscaller for F {
    fn call(&self, call: &Call<'_>) -> Option<Result<Reply, Errno>> {
        self(call)
    }
}

thread_local! {
    static FAKE: RefCell<Option<Rc<dyn Syscaller>>> = const { RefCell::new(None) };
}

/// Runs `body` with `fake` asked first for every call of this thread; for tests.
pub fn with_fake<R>(fake: Rc<dyn Syscaller>, body: impl FnOnce() -> R) -> R {
    /// Puts the former one back, also when `body` panics.
    struct Restore(Option<Rc<dyn Syscaller>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            FAKE.set(self.0.take());
        }
    }
    let _restore = Restore(FAKE.replace(Some(fake)));
    body()
}

/// Makes a call: the single way from this crate to the kernel.
pub(crate) fn call(call: Call<'_>) -> Result<Reply, SysError> {
    let fake = FAKE.with_borrow(|f| f.clone());
    let answer = fake.and_then(|f| f.call(&call)).unwrap_or_else(|| crate::real::perform(&call));
    answer.map_err(|errno| SysError { call: call.name(), errno })
}

/// Takes the expected kind of reply; another kind (a fake's mistake) is EPROTO.
macro_rules! expect_reply {
    ($call:expr, $pattern:pat => $value:expr) => {{
        let call = $call;
        let name = call.name();
        match $crate::call::call(call) {
            Ok($pattern) => Ok($value),
            Ok(_) => Err($crate::SysError { call: name, errno: $crate::Errno::EPROTO }),
            Err(e) => Err(e),
        }
    }};
}
pub(crate) use expect_reply;
