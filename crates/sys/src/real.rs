//! The real kernel: each [`Call`] as the system call it is. Invariants: every pointer handed over
//! comes from a slice or vector that lives until the call returns, with that slice's length; every
//! descriptor the kernel returns is owned exactly once.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::attr::*;
use crate::bpf::{AttachBtf, BtfLoad, LinkCreate, LinkExtra, LinkTarget, MapCreate, ProgLoad, TestRun, TestRunOut};
use crate::call::{Call, IdKind, Reply};
use crate::mem::Mapping;
use crate::perf::{PerfEvent, PerfKind, Period};
use crate::{Errno, netlink};

/// Commands of bpf(2) (enum bpf_cmd).
mod cmd {
    pub const MAP_CREATE: u32 = 0;
    pub const MAP_LOOKUP_ELEM: u32 = 1;
    pub const MAP_UPDATE_ELEM: u32 = 2;
    pub const MAP_DELETE_ELEM: u32 = 3;
    pub const MAP_GET_NEXT_KEY: u32 = 4;
    pub const PROG_LOAD: u32 = 5;
    pub const OBJ_PIN: u32 = 6;
    pub const OBJ_GET: u32 = 7;
    pub const PROG_ATTACH: u32 = 8;
    pub const PROG_DETACH: u32 = 9;
    pub const PROG_TEST_RUN: u32 = 10;
    pub const PROG_GET_NEXT_ID: u32 = 11;
    pub const MAP_GET_NEXT_ID: u32 = 12;
    pub const PROG_GET_FD_BY_ID: u32 = 13;
    pub const MAP_GET_FD_BY_ID: u32 = 14;
    pub const OBJ_GET_INFO_BY_FD: u32 = 15;
    pub const PROG_QUERY: u32 = 16;
    pub const RAW_TRACEPOINT_OPEN: u32 = 17;
    pub const BTF_LOAD: u32 = 18;
    pub const BTF_GET_FD_BY_ID: u32 = 19;
    pub const MAP_LOOKUP_AND_DELETE_ELEM: u32 = 21;
    pub const MAP_FREEZE: u32 = 22;
    pub const BTF_GET_NEXT_ID: u32 = 23;
    pub const LINK_CREATE: u32 = 28;
    pub const LINK_UPDATE: u32 = 29;
    pub const LINK_GET_FD_BY_ID: u32 = 30;
    pub const LINK_GET_NEXT_ID: u32 = 31;
    pub const ENABLE_STATS: u32 = 32;
    pub const ITER_CREATE: u32 = 33;
    pub const LINK_DETACH: u32 = 34;
    pub const PROG_BIND_MAP: u32 = 35;
}

const BPF_F_REPLACE: u32 = 4;

/// bpf(2).
///
/// # Safety
/// Every address in `attr` must be of memory that the command may read (or, where it writes, write)
/// for the length that `attr` says or the map's sizes imply.
unsafe fn bpf<T: Attr>(command: u32, attr: &mut T) -> Result<u32, Errno> {
    loop {
        // SAFETY: `attr` is exclusively borrowed and as long as we say; the rest is the caller's promise.
        let r = unsafe {
            libc::syscall(libc::SYS_bpf, libc::c_long::from(command), std::ptr::from_mut(attr), size_of::<T>())
        };
        if r >= 0 {
            return Ok(r as u32);
        }
        let errno = Errno::last();
        // A load gives up with EAGAIN when a signal comes while the verifier works.
        if errno != Errno::EINTR && !(command == cmd::PROG_LOAD && errno == Errno::EAGAIN) {
            return Err(errno);
        }
    }
}

fn fd_of(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd() as u32
}

/// The address of a slice for an attribute; 0 for an empty one, as the kernel wants "none".
fn addr<T>(slice: &[T]) -> u64 {
    if slice.is_empty() { 0 } else { slice.as_ptr() as u64 }
}

fn addr_mut<T>(slice: &mut [T]) -> u64 {
    if slice.is_empty() { 0 } else { slice.as_mut_ptr() as u64 }
}

fn cstr(s: &CStr) -> u64 {
    s.as_ptr() as u64
}

/// A fresh descriptor number as an owned descriptor.
///
/// # Safety
/// `fd` must have been returned by the kernel just now and be owned by nobody else.
unsafe fn own(fd: u32) -> Reply {
    // SAFETY: the caller's promise.
    Reply::Fd(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// The struct that these bytes hold; what is missing at the end is zero.
pub(crate) fn from_bytes<T: Attr>(bytes: &[u8]) -> T {
    let mut value = T::default();
    let len = bytes.len().min(size_of::<T>());
    // SAFETY: an `Attr` takes every bit pattern; the length is within both; they can't overlap.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), std::ptr::from_mut(&mut value).cast(), len) };
    value
}

pub(crate) fn perform(call: &Call<'_>) -> Result<Reply, Errno> {
    match *call {
        Call::MapCreate(r) => map_create(r),
        Call::MapLookup { map, key, value_len, flags } => map_read(cmd::MAP_LOOKUP_ELEM, map, key, value_len, flags),
        Call::MapLookupAndDelete { map, key, value_len } => {
            map_read(cmd::MAP_LOOKUP_AND_DELETE_ELEM, map, key, value_len, 0)
        }
        Call::MapUpdate { map, key, value, flags } => {
            let mut a =
                MapElemAttr { map_fd: fd_of(map), key: addr(key), value: addr(value), flags, ..Default::default() };
            // SAFETY: `MapFd` checked both lengths against the map's sizes; the kernel only reads.
            unsafe { bpf(cmd::MAP_UPDATE_ELEM, &mut a) }.map(|_| Reply::Done)
        }
        Call::MapDelete { map, key } => {
            let mut a = MapElemAttr { map_fd: fd_of(map), key: addr(key), ..Default::default() };
            // SAFETY: as for the update.
            unsafe { bpf(cmd::MAP_DELETE_ELEM, &mut a) }.map(|_| Reply::Done)
        }
        Call::MapNextKey { map, key, key_len } => {
            let mut next = vec![0; key_len];
            let key = key.map_or(0, addr);
            let mut a = MapElemAttr { map_fd: fd_of(map), key, value: addr_mut(&mut next), ..Default::default() };
            // SAFETY: key and `next` have the map's key size.
            unsafe { bpf(cmd::MAP_GET_NEXT_KEY, &mut a) }.map(|_| Reply::Bytes(next))
        }
        Call::MapFreeze { map } => {
            let mut a = MapElemAttr { map_fd: fd_of(map), ..Default::default() };
            // SAFETY: no addresses.
            unsafe { bpf(cmd::MAP_FREEZE, &mut a) }.map(|_| Reply::Done)
        }
        Call::ProgLoad(r) => Ok(prog_load(r)),
        Call::BtfLoad(r) => Ok(btf_load(r)),
        Call::ObjPin { fd, path } => {
            let mut a = ObjAttr { pathname: cstr(path), bpf_fd: fd_of(fd), file_flags: 0 };
            // SAFETY: the path ends in a zero and is only read.
            unsafe { bpf(cmd::OBJ_PIN, &mut a) }.map(|_| Reply::Done)
        }
        Call::ObjGet { path } => {
            let mut a = ObjAttr { pathname: cstr(path), ..Default::default() };
            // SAFETY: as above; the result is a new descriptor.
            unsafe { bpf(cmd::OBJ_GET, &mut a).map(|fd| own(fd)) }
        }
        Call::ProgAttach { target, prog, attach_type, flags } => {
            let mut a = ProgAttachAttr {
                target_fd: fd_of(target),
                attach_bpf_fd: fd_of(prog),
                attach_type,
                attach_flags: flags,
                replace_bpf_fd: 0,
            };
            // SAFETY: no addresses.
            unsafe { bpf(cmd::PROG_ATTACH, &mut a) }.map(|_| Reply::Done)
        }
        Call::ProgDetach { target, prog, attach_type } => {
            let mut a = ProgAttachAttr {
                target_fd: fd_of(target),
                attach_bpf_fd: fd_of(prog),
                attach_type,
                ..Default::default()
            };
            // SAFETY: no addresses.
            unsafe { bpf(cmd::PROG_DETACH, &mut a) }.map(|_| Reply::Done)
        }
        Call::ProgQuery { target, attach_type, max } => {
            let mut ids = vec![0u32; max];
            let (prog_ids, prog_cnt) = (addr_mut(&mut ids), max as u32);
            let mut a = QueryAttr { target, attach_type, prog_ids, prog_cnt, ..Default::default() };
            // SAFETY: the kernel writes at most `prog_cnt` numbers.
            unsafe { bpf(cmd::PROG_QUERY, &mut a) }?;
            Ok(numbers(&ids, a.prog_cnt))
        }
        Call::TestRun(r) => test_run(r),
        Call::NextId { kind, after } => {
            let command = match kind {
                IdKind::Prog => cmd::PROG_GET_NEXT_ID,
                IdKind::Map => cmd::MAP_GET_NEXT_ID,
                IdKind::Btf => cmd::BTF_GET_NEXT_ID,
                IdKind::Link => cmd::LINK_GET_NEXT_ID,
            };
            let mut a = IdAttr { start_or_id: after, ..Default::default() };
            // SAFETY: no addresses.
            unsafe { bpf(command, &mut a) }?;
            Ok(Reply::Number(a.next_id.into()))
        }
        Call::FdById { kind, id } => {
            let command = match kind {
                IdKind::Prog => cmd::PROG_GET_FD_BY_ID,
                IdKind::Map => cmd::MAP_GET_FD_BY_ID,
                IdKind::Btf => cmd::BTF_GET_FD_BY_ID,
                IdKind::Link => cmd::LINK_GET_FD_BY_ID,
            };
            let mut a = IdAttr { start_or_id: id, ..Default::default() };
            // SAFETY: no addresses; the result is a new descriptor.
            unsafe { bpf(command, &mut a).map(|fd| own(fd)) }
        }
        Call::Info { fd, len } => {
            let mut bytes = vec![0u64; len.div_ceil(8)];
            let mut a = InfoAttr { bpf_fd: fd_of(fd), info_len: len as u32, info: addr_mut(&mut bytes) };
            // SAFETY: the kernel writes at most `info_len` bytes; the struct is zero, so it holds no
            // addresses that the kernel would fill.
            unsafe { bpf(cmd::OBJ_GET_INFO_BY_FD, &mut a) }?;
            Ok(Reply::Bytes(bytes.iter().flat_map(|w| w.to_ne_bytes()).take(a.info_len as usize).collect()))
        }
        Call::ProgMapIds { fd, max } => {
            let mut ids = vec![0u32; max];
            let mut info = ProgInfoRaw { nr_map_ids: max as u32, map_ids: addr_mut(&mut ids), ..Default::default() };
            let (info_len, info_addr) = (size_of::<ProgInfoRaw>() as u32, std::ptr::from_mut(&mut info) as u64);
            let mut a = InfoAttr { bpf_fd: fd_of(fd), info_len, info: info_addr };
            // SAFETY: `info` is as long as said, and `ids` holds `nr_map_ids` numbers.
            unsafe { bpf(cmd::OBJ_GET_INFO_BY_FD, &mut a) }?;
            Ok(numbers(&ids, info.nr_map_ids))
        }
        Call::BtfData { fd, data_len, name_len } => {
            let (mut data, mut name) = (vec![0u8; data_len], vec![0u8; name_len]);
            let mut info = BtfInfoRaw {
                btf: addr_mut(&mut data),
                btf_size: data_len as u32,
                name: addr_mut(&mut name),
                name_len: name_len as u32,
                ..Default::default()
            };
            let (info_len, info_addr) = (size_of::<BtfInfoRaw>() as u32, std::ptr::from_mut(&mut info) as u64);
            let mut a = InfoAttr { bpf_fd: fd_of(fd), info_len, info: info_addr };
            // SAFETY: `info` is as long as said, and so are both buffers it names.
            unsafe { bpf(cmd::OBJ_GET_INFO_BY_FD, &mut a) }?;
            data.extend_from_slice(&name);
            Ok(Reply::Bytes(data))
        }
        Call::RawTracepointOpen { prog, name, cookie } => {
            let name = name.map_or(0, cstr);
            let mut a = RawTracepointAttr { name, prog_fd: fd_of(prog), pad: 0, cookie };
            // SAFETY: the name ends in a zero and is only read; the result is a new descriptor.
            unsafe { bpf(cmd::RAW_TRACEPOINT_OPEN, &mut a).map(|fd| own(fd)) }
        }
        Call::LinkCreate(r) => link_create(r),
        Call::LinkUpdate { link, new, old } => {
            let mut a = LinkUpdateAttr { link_fd: fd_of(link), new_prog_fd: fd_of(new), flags: 0, old_prog_fd: 0 };
            if let Some(old) = old {
                (a.flags, a.old_prog_fd) = (BPF_F_REPLACE, fd_of(old));
            }
            // SAFETY: no addresses.
            unsafe { bpf(cmd::LINK_UPDATE, &mut a) }.map(|_| Reply::Done)
        }
        Call::LinkDetach { link } => {
            // SAFETY: no addresses.
            unsafe { bpf(cmd::LINK_DETACH, &mut LinkDetachAttr { link_fd: fd_of(link) }) }.map(|_| Reply::Done)
        }
        Call::EnableStats { kind } => {
            // SAFETY: no addresses; the result is a new descriptor.
            unsafe { bpf(cmd::ENABLE_STATS, &mut EnableStatsAttr { kind }).map(|fd| own(fd)) }
        }
        Call::IterCreate { link } => {
            // SAFETY: no addresses; the result is a new descriptor.
            unsafe { bpf(cmd::ITER_CREATE, &mut IterCreateAttr { link_fd: fd_of(link), flags: 0 }).map(|fd| own(fd)) }
        }
        Call::ProgBindMap { prog, map } => {
            let mut a = ProgBindMapAttr { prog_fd: fd_of(prog), map_fd: fd_of(map), flags: 0 };
            // SAFETY: no addresses.
            unsafe { bpf(cmd::PROG_BIND_MAP, &mut a) }.map(|_| Reply::Done)
        }
        Call::PerfEventOpen(e) => perf_event_open(e),
        Call::PerfSetBpf { event, prog } => ioctl(event, 0x4004_2408, prog.as_raw_fd().into()),
        Call::PerfEnable { event } => ioctl(event, 0x2400, 0),
        Call::PerfDisable { event } => ioctl(event, 0x2401, 0),
        Call::PerfQuery { event, max } => {
            // struct perf_event_query_bpf { u32 ids_len; u32 prog_cnt; u32 ids[]; }
            let mut query = vec![0u32; max + 2];
            query[0] = max as u32;
            const PERF_EVENT_IOC_QUERY_BPF: u64 = 0xc008_240a;
            // SAFETY: the kernel writes the second word and at most `max` ids after it.
            let r = unsafe { libc::ioctl(event.as_raw_fd(), PERF_EVENT_IOC_QUERY_BPF, query.as_mut_ptr()) };
            if r < 0 { Err(Errno::last()) } else { Ok(numbers(&query[2..], query[1])) }
        }
        Call::Mmap { fd, len, offset, writable } => Mapping::perform(fd, len, offset, writable).map(Reply::Mapping),
        Call::EpollCreate => Ok(Reply::Fd(rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC)?)),
        Call::EpollAdd { epoll, fd, data } => {
            use rustix::event::epoll::{EventData, EventFlags, add};
            add(epoll, fd, EventData::new_u64(data), EventFlags::IN)?;
            Ok(Reply::Done)
        }
        Call::EpollWait { epoll, max, timeout_ms } => epoll_wait(epoll, max, timeout_ms),
        Call::Netlink { request } => netlink::transact(request).map(Reply::Messages),
        Call::IfIndex { name } => {
            // SAFETY: the name ends in a zero and is only read.
            match unsafe { libc::if_nametoindex(name.as_ptr()) } {
                0 => Err(Errno::last()),
                index => Ok(Reply::Number(index.into())),
            }
        }
        Call::MountTracefs => mount_tracefs(),
        Call::OpenAt { dir, path, directory } => open(dir, path, directory),
        Call::Open { path, directory } => open(rustix::fs::CWD, path, directory),
        Call::Capabilities => {
            let sets = rustix::thread::capabilities(None)?;
            Ok(Reply::Numbers(vec![sets.effective.bits(), sets.permitted.bits(), sets.inheritable.bits()]))
        }
        Call::Uname => Ok(Reply::Bytes(rustix::system::uname().release().to_bytes().to_vec())),
        Call::Unshare { flags } => {
            // SAFETY: only for this thread, and `task` lets only namespaces be named: no memory or
            // descriptor table is unshared.
            if unsafe { libc::unshare(flags) } < 0 { Err(Errno::last()) } else { Ok(Reply::Done) }
        }
    }
}

fn numbers(all: &[u32], count: u32) -> Reply {
    Reply::Numbers(all.iter().take(count as usize).map(|n| u64::from(*n)).collect())
}

fn map_create(r: &MapCreate<'_>) -> Result<Reply, Errno> {
    let mut a = MapCreateAttr {
        map_type: r.map_type,
        key_size: r.key_size,
        value_size: r.value_size,
        max_entries: r.max_entries,
        map_flags: r.flags,
        inner_map_fd: r.inner.map_or(0, fd_of),
        map_name: object_name(r.name),
        btf_fd: r.btf.map_or(0, |b| fd_of(b.btf)),
        btf_key_type_id: r.btf.map_or(0, |b| b.key),
        btf_value_type_id: r.btf.map_or(0, |b| b.value),
        btf_vmlinux_value_type_id: r.kernel_value.map_or(0, |v| v.id),
        value_type_btf_obj_fd: r.kernel_value.and_then(|v| v.module).map_or(0, fd_of),
        map_extra: r.extra,
        ..Default::default()
    };
    // SAFETY: no addresses; the result is a new descriptor.
    unsafe { bpf(cmd::MAP_CREATE, &mut a).map(|fd| own(fd)) }
}

fn map_read(command: u32, map: BorrowedFd<'_>, key: &[u8], value_len: usize, flags: u64) -> Result<Reply, Errno> {
    let mut value = vec![0; value_len];
    let (key, to) = (addr(key), addr_mut(&mut value));
    let mut a = MapElemAttr { map_fd: fd_of(map), key, value: to, flags, ..Default::default() };
    // SAFETY: `MapFd` checked the key's length, and `value_len` is what this map's lookup writes.
    unsafe { bpf(command, &mut a) }.map(|_| Reply::Bytes(value))
}

/// The log up to its zero.
fn trimmed(mut log: Vec<u8>) -> Vec<u8> {
    let end = log.iter().position(|b| *b == 0).unwrap_or(log.len());
    log.truncate(end);
    log
}

fn prog_load(r: &ProgLoad<'_>) -> Reply {
    let mut log = vec![0; if r.log_level == 0 { 0 } else { r.log_size as usize }];
    let (attach_prog_fd, attach_btf_id) = match r.attach_btf {
        AttachBtf::None => (0, 0),
        AttachBtf::Vmlinux(id) => (0, id),
        AttachBtf::Module(fd, id) | AttachBtf::Prog(fd, id) => (fd_of(fd), id),
    };
    /// `struct bpf_func_info` and `struct bpf_line_info`.
    const FUNC_INFO: usize = 8;
    const LINE_INFO: usize = 16;
    let fds: Vec<i32> = r.fd_array.iter().map(|f| f.as_raw_fd()).collect();
    let mut a = ProgLoadAttr {
        prog_type: r.prog_type,
        insn_cnt: (r.insns.len() / 8) as u32,
        insns: addr(r.insns),
        license: cstr(r.license),
        log_level: r.log_level,
        log_size: log.len() as u32,
        log_buf: addr_mut(&mut log),
        prog_flags: r.flags,
        prog_name: object_name(r.name),
        prog_ifindex: r.ifindex,
        expected_attach_type: r.expected_attach_type,
        prog_btf_fd: r.btf.map_or(0, fd_of),
        func_info_rec_size: if r.func_info.is_empty() { 0 } else { FUNC_INFO as u32 },
        func_info: addr(r.func_info),
        func_info_cnt: (r.func_info.len() / FUNC_INFO) as u32,
        line_info_rec_size: if r.line_info.is_empty() { 0 } else { LINE_INFO as u32 },
        line_info: addr(r.line_info),
        line_info_cnt: (r.line_info.len() / LINE_INFO) as u32,
        attach_btf_id,
        attach_prog_fd,
        fd_array: addr(&fds),
        ..Default::default()
    };
    // SAFETY: all slices live on, with the counts given; the log is `log_size` bytes. The kernel
    // reads of `fds` the indices that the instructions name: one past its end is a read of our own
    // memory that the kernel takes for a descriptor number and refuses or not, never a write.
    let result = unsafe { bpf(cmd::PROG_LOAD, &mut a) };
    // SAFETY: the kernel returned this descriptor just now.
    let result = result.map(|fd| unsafe { OwnedFd::from_raw_fd(fd as i32) });
    Reply::Loaded { result, log: trimmed(log), log_true_size: a.log_true_size }
}

fn btf_load(r: &BtfLoad<'_>) -> Reply {
    let mut log = vec![0; if r.log_level == 0 { 0 } else { r.log_size as usize }];
    let mut a = BtfLoadAttr {
        btf: addr(r.data),
        log_buf: addr_mut(&mut log),
        btf_size: r.data.len() as u32,
        log_size: log.len() as u32,
        log_level: r.log_level,
        log_true_size: 0,
    };
    // SAFETY: both buffers live on and are as long as said.
    let result = unsafe { bpf(cmd::BTF_LOAD, &mut a) };
    // SAFETY: the kernel returned this descriptor just now.
    let result = result.map(|fd| unsafe { OwnedFd::from_raw_fd(fd as i32) });
    Reply::Loaded { result, log: trimmed(log), log_true_size: a.log_true_size }
}

fn test_run(r: &TestRun<'_>) -> Result<Reply, Errno> {
    let mut data_out = vec![0; r.data_out_len as usize];
    let mut ctx_out = vec![0; r.ctx_out_len as usize];
    // A syscall program's context is written in place, so it must be memory that may be written.
    let mut ctx_in = r.ctx_in.to_vec();
    let mut a = TestRunAttr {
        prog_fd: fd_of(r.prog),
        data_size_in: r.data_in.len() as u32,
        data_size_out: data_out.len() as u32,
        data_in: addr(r.data_in),
        data_out: addr_mut(&mut data_out),
        repeat: r.repeat,
        ctx_size_in: r.ctx_in.len() as u32,
        ctx_size_out: ctx_out.len() as u32,
        ctx_in: addr_mut(&mut ctx_in),
        ctx_out: addr_mut(&mut ctx_out),
        flags: r.flags,
        cpu: r.cpu,
        ..Default::default()
    };
    // SAFETY: all four buffers live on and are as long as said.
    unsafe { bpf(cmd::PROG_TEST_RUN, &mut a) }?;
    data_out.truncate(a.data_size_out as usize);
    ctx_out.truncate(a.ctx_size_out as usize);
    if r.ctx_out_len == 0 {
        ctx_out = ctx_in;
    }
    Ok(Reply::TestRun(TestRunOut { retval: a.retval, duration_ns: a.duration, data_out, ctx_out }))
}

/// Two 32-bit fields as the word that lies in memory like them.
fn pair(first: u32, second: u32) -> u64 {
    let ([a, b, c, d], [e, f, g, h]) = (first.to_ne_bytes(), second.to_ne_bytes());
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

fn link_create(r: &LinkCreate<'_>) -> Result<Reply, Errno> {
    let mut a = LinkCreateAttr {
        prog_fd: fd_of(r.prog),
        target: match r.target {
            LinkTarget::None => 0,
            LinkTarget::Fd(fd) => fd_of(fd),
            LinkTarget::Ifindex(index) => index,
        },
        attach_type: r.attach_type,
        flags: r.flags,
        extra: [0; 6],
    };
    let mut symbol_addrs: Vec<u64> = Vec::new();
    match r.extra {
        LinkExtra::None => {}
        LinkExtra::PerfEvent { cookie } => a.extra[0] = cookie,
        LinkExtra::KprobeMulti { flags, symbols, cookies } => {
            if !cookies.is_empty() && cookies.len() != symbols.len() {
                return Err(Errno::EINVAL);
            }
            symbol_addrs.extend(symbols.iter().map(|s| cstr(s)));
            a.extra = [pair(flags, symbols.len() as u32), addr(&symbol_addrs), 0, addr(cookies), 0, 0];
        }
        LinkExtra::Tracing { target_btf_id, cookie } => a.extra[..2].copy_from_slice(&[pair(target_btf_id, 0), cookie]),
        LinkExtra::Netfilter { pf, hook, priority, flags } => {
            a.extra[..2].copy_from_slice(&[pair(pf, hook), pair(priority as u32, flags)]);
        }
        LinkExtra::UprobeMulti { path, offsets, ref_ctr_offsets, cookies, flags, pid } => {
            for list in [ref_ctr_offsets, cookies] {
                if !list.is_empty() && list.len() != offsets.len() {
                    return Err(Errno::EINVAL);
                }
            }
            let count = offsets.len() as u32;
            let (refs, cookies) = (addr(ref_ctr_offsets), addr(cookies));
            a.extra = [cstr(path), addr(offsets), refs, cookies, pair(count, flags), pair(pid, 0)];
        }
    }
    // SAFETY: strings end in zeros, lists are as long as the count (just checked), all live on and
    // are only read; the result is a new descriptor.
    unsafe { bpf(cmd::LINK_CREATE, &mut a).map(|fd| own(fd)) }
}

fn perf_event_open(e: &PerfEvent<'_>) -> Result<Reply, Errno> {
    const PERF_TYPE_SOFTWARE: u32 = 1;
    const PERF_TYPE_TRACEPOINT: u32 = 2;
    const PERF_COUNT_SW_BPF_OUTPUT: u64 = 10;
    const FLAG_FREQ: u64 = 1 << 10;
    const PERF_SAMPLE_RAW: u64 = 1 << 10;
    const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
    let mut a = PerfAttr { size: size_of::<PerfAttr>() as u32, ..Default::default() };
    match e.kind {
        PerfKind::Tracepoint { id } => {
            (a.kind, a.config) = (PERF_TYPE_TRACEPOINT, id);
            (a.sample_period, a.sample_type, a.wakeup_events) = (1, PERF_SAMPLE_RAW, 1);
        }
        PerfKind::Kprobe { pmu, config, symbol, offset } => {
            (a.kind, a.config, a.config1, a.config2) = (pmu, config, cstr(symbol), offset);
        }
        PerfKind::Uprobe { pmu, config, path, offset } => {
            (a.kind, a.config, a.config1, a.config2) = (pmu, config, cstr(path), offset);
        }
        PerfKind::Output => {
            (a.kind, a.config) = (PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT);
            (a.sample_period, a.sample_type, a.wakeup_events) = (1, PERF_SAMPLE_RAW, 1);
        }
        PerfKind::Sample { kind, config, period } => {
            (a.kind, a.config) = (kind, config);
            match period {
                Period::Every(n) => a.sample_period = n,
                Period::Frequency(n) => (a.sample_period, a.flags) = (n, FLAG_FREQ),
            }
        }
    }
    // SAFETY: the attribute is as long as it says; names end in zeros and are only read.
    let r = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            std::ptr::from_mut(&mut a),
            libc::c_long::from(e.pid),
            libc::c_long::from(e.cpu),
            -1 as libc::c_long,
            PERF_FLAG_FD_CLOEXEC,
        )
    };
    if r < 0 {
        return Err(Errno::last());
    }
    // SAFETY: the kernel returned this descriptor just now.
    Ok(unsafe { own(r as u32) })
}

fn ioctl(fd: BorrowedFd<'_>, request: u64, arg: i64) -> Result<Reply, Errno> {
    // SAFETY: only called with perf requests whose argument is a number, not an address.
    if unsafe { libc::ioctl(fd.as_raw_fd(), request, arg) } < 0 { Err(Errno::last()) } else { Ok(Reply::Done) }
}

fn epoll_wait(epoll: BorrowedFd<'_>, max: usize, timeout_ms: Option<u32>) -> Result<Reply, Errno> {
    use rustix::event::Timespec;
    use rustix::event::epoll::{Event, wait};
    let mut events: Vec<Event> = Vec::with_capacity(max.max(1));
    let timeout =
        timeout_ms.map(|ms| Timespec { tv_sec: i64::from(ms / 1000), tv_nsec: i64::from(ms % 1000) * 1_000_000 });
    wait(epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref())?;
    Ok(Reply::Events(events.iter().map(|&Event { flags, data }| (data.u64(), flags.bits())).collect()))
}

fn mount_tracefs() -> Result<Reply, Errno> {
    use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
    let fs = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&fs)?;
    Ok(Reply::Fd(fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)?))
}

fn open(dir: BorrowedFd<'_>, path: &CStr, directory: bool) -> Result<Reply, Errno> {
    use rustix::fs::{Mode, OFlags};
    let kind = if directory { OFlags::DIRECTORY } else { OFlags::empty() };
    Ok(Reply::Fd(rustix::fs::openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC | kind, Mode::empty())?))
}
