//! Memory: every address a program can hold, and what lies there.
//!
//! An address is bit 63, a region number in bits 40–62 and an offset in bits
//! 0–39, so that arithmetic on a pointer stays in its region for any distance a
//! program can get by accident, and neighbours are never adjacent. Bit 63 makes
//! them compare like kernel addresses; simulated user memory keeps its own
//! addresses, which have that bit clear. Invariant: no byte is handed out that
//! the region's owner has not got, and nothing is handed out after it is freed.

use crate::fault::{Access, FaultKind, Run};
use crate::maps::Map;

/// Frames that calls can nest to: `MAX_CALL_FRAMES` in linux/bpf_verifier.h.
pub(crate) const MAX_FRAMES: usize = 8;
/// Bytes of stack per frame: `MAX_BPF_STACK` in linux/filter.h.
pub(crate) const STACK_SIZE: usize = 512;
/// Room in front of a packet: `XDP_PACKET_HEADROOM` in linux/bpf.h.
pub(crate) const HEADROOM: usize = 256;
/// What headroom, packet and tailroom have together: a page without the kernel's `skb_shared_info`.
const FRAME_ROOM: usize = 4096 - 320;

const NO_POINTER: &str = "this is no pointer of the program's";

const REGION_SHIFT: u32 = 40;
const OFFSET_MASK: u64 = (1 << REGION_SHIFT) - 1;
const TOP: u64 = 1 << 63;

/// Region numbers. Fixed ones first, then a span of numbers for each kind that has many.
mod region {
    pub const STACK: u32 = 1;
    pub const CONTEXT: u32 = 2;
    pub const PACKET: u32 = 3;
    pub const FUNCTION: u32 = 4;
    pub const MAP_HANDLE: u32 = 5;
    pub const GLOBALS: u32 = 0x1_0000;
    pub const MAPS: u32 = 0x2_0000;
    pub const KERNEL: u32 = 0x4_0000;
    pub const RECORDS: u32 = 0x10_0000;
    pub const END: u32 = 0x80_0000;
}

/// Frames are this far apart, so that running off one does not reach the next.
const FRAME_SHIFT: u32 = 16;

const fn address(region: u32, offset: u64) -> u64 {
    TOP | ((region as u64) << REGION_SHIFT) | (offset & OFFSET_MASK)
}

fn split(addr: u64) -> Option<(u32, u64)> {
    (addr & TOP != 0).then_some((((addr & !TOP) >> REGION_SHIFT) as u32, addr & OFFSET_MASK))
}

/// The packet and the room around it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packet {
    pub buf: Vec<u8>,
    /// Offsets into `buf`, in this order.
    pub meta: usize,
    pub data: usize,
    pub end: usize,
    /// Offset of the link-layer header; not always part of what the program may see.
    pub mac: usize,
}

impl Packet {
    pub fn new(bytes: &[u8]) -> Packet {
        let mut buf = vec![0; HEADROOM];
        buf.extend_from_slice(bytes);
        buf.resize(buf.len().max(FRAME_ROOM), 0);
        Packet { buf, meta: HEADROOM, data: HEADROOM, end: HEADROOM + bytes.len(), mac: HEADROOM }
    }

    pub fn bytes(&self) -> &[u8] {
        self.buf.get(self.data..self.end).unwrap_or(&[])
    }
}

/// A global variable's bytes.
#[derive(Clone, Debug)]
pub(crate) struct GlobalMemory {
    pub name: String,
    pub bytes: Vec<u8>,
    pub read_only: bool,
}

/// Something that only the kernel has: a `task_struct`, a socket, a kernel variable.
#[derive(Clone, Debug)]
pub struct KernelObject {
    /// What it is, for messages.
    pub name: String,
    /// Its bytes; pointers in them are addresses of other objects.
    pub bytes: Vec<u8>,
    /// Whether programs may write it directly.
    pub writable: bool,
}

/// A ring-buffer record between reserve and submit.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub map: usize,
    /// Number of the record in its ring.
    pub ticket: u64,
    pub bytes: Vec<u8>,
    pub live: bool,
}

/// A context field that is a pointer in the kernel: a load of the (4-byte) field yields the address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PacketPointer {
    Data,
    DataEnd,
    DataMeta,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    pub bytes: Vec<u8>,
    /// Offset and meaning of the packet pointers in it.
    pub pointers: Vec<(u32, PacketPointer)>,
    /// What it is called in messages.
    pub name: &'static str,
}

/// All memory of a machine.
#[derive(Debug)]
pub(crate) struct Memory {
    stack: Vec<u8>,
    /// One flag per stack byte, kept only when uninitialised reads are reported.
    written: Vec<bool>,
    /// Frames in use.
    pub depth: usize,
    pub context: Context,
    pub packet: Packet,
    pub packet_writable: bool,
    pub globals: Vec<GlobalMemory>,
    pub maps: Vec<Map>,
    pub kernel: Vec<KernelObject>,
    pub records: Vec<Record>,
    /// User memory: start address and bytes.
    pub user: Vec<(u64, Vec<u8>)>,
}

impl Memory {
    pub fn new(track_stack: bool) -> Memory {
        Memory {
            stack: vec![0; MAX_FRAMES * STACK_SIZE],
            written: if track_stack { vec![false; MAX_FRAMES * STACK_SIZE] } else { Vec::new() },
            depth: 1,
            context: Context::default(),
            packet: Packet::default(),
            packet_writable: true,
            globals: Vec::new(),
            maps: Vec::new(),
            kernel: Vec::new(),
            records: Vec::new(),
            user: Vec::new(),
        }
    }

    /// Opens the frame with this number; its bytes are unwritten (and read as 0).
    pub fn enter_frame(&mut self, frame: usize) {
        self.depth = frame + 1;
        let range = frame * STACK_SIZE..(frame + 1) * STACK_SIZE;
        if let Some(s) = self.stack.get_mut(range.clone()) {
            s.fill(0);
        }
        if let Some(w) = self.written.get_mut(range) {
            w.fill(false);
        }
    }

    /// r10 of a frame.
    pub fn frame_pointer(frame: usize) -> u64 {
        address(region::STACK, ((frame as u64) << FRAME_SHIFT) + STACK_SIZE as u64)
    }

    pub fn context_address() -> u64 {
        address(region::CONTEXT, 0)
    }

    pub fn packet_address(offset: usize) -> u64 {
        address(region::PACKET, offset as u64)
    }

    pub fn function_address(start: usize) -> u64 {
        address(region::FUNCTION, start as u64)
    }

    /// Where the function of such an address starts.
    pub fn as_function(addr: u64) -> Option<usize> {
        match split(addr)? {
            (region::FUNCTION, start) => Some(start as usize),
            _ => None,
        }
    }

    /// The number that stands for a map in a program.
    pub fn map_handle(map: usize) -> u64 {
        address(region::MAP_HANDLE, (map as u64) << 12)
    }

    /// The map that such a number stands for.
    pub fn as_map(addr: u64) -> Option<usize> {
        match split(addr)? {
            (region::MAP_HANDLE, off) if off & 0xfff == 0 => Some((off >> 12) as usize),
            _ => None,
        }
    }

    pub fn global_address(global: usize, offset: u64) -> u64 {
        address(region::GLOBALS + global as u32, offset)
    }

    pub fn value_address(map: usize, offset: u64) -> u64 {
        address(region::MAPS + map as u32, offset)
    }

    pub fn kernel_address(object: usize) -> u64 {
        address(region::KERNEL + object as u32, 0)
    }

    /// Adds an object of the kernel and returns its address.
    pub fn add_kernel_object(&mut self, object: KernelObject) -> Result<u64, String> {
        if self.kernel.len() >= (region::RECORDS - region::KERNEL) as usize {
            return Err("too many kernel objects".into());
        }
        self.kernel.push(object);
        Ok(Memory::kernel_address(self.kernel.len() - 1))
    }

    /// Replaces the bytes of a kernel object; nothing happens when there is none at the address.
    pub fn set_kernel_object(&mut self, addr: u64, bytes: &[u8]) {
        if let Some((r @ region::KERNEL..region::RECORDS, 0)) = split(addr)
            && let Some(object) = self.kernel.get_mut((r - region::KERNEL) as usize)
        {
            object.bytes = bytes.to_vec();
        }
    }

    /// Opens a record of a ring buffer and returns its address.
    pub fn add_record(&mut self, record: Record) -> Option<u64> {
        let number = region::RECORDS as usize + self.records.len();
        if number >= region::END as usize {
            return None;
        }
        self.records.push(record);
        Some(address(number as u32, 0))
    }

    /// The record that starts at an address.
    pub fn record_at(&mut self, addr: u64) -> Option<&mut Record> {
        match split(addr)? {
            (r, 0) if r >= region::RECORDS => self.records.get_mut((r - region::RECORDS) as usize),
            _ => None,
        }
    }

    /// The bytes of a stack access, when it is one; the path that has to be short.
    #[inline]
    fn stack_range(&self, addr: u64, len: usize) -> Option<usize> {
        const BASE: u64 = address(region::STACK, 0);
        let off = addr.wrapping_sub(BASE);
        let (frame, within) = ((off >> FRAME_SHIFT) as usize, (off & ((1 << FRAME_SHIFT) - 1)) as usize);
        (frame < self.depth && within <= STACK_SIZE && len <= STACK_SIZE - within)
            .then_some(frame * STACK_SIZE + within)
    }

    /// A load of `N` bytes.
    #[inline]
    pub fn load<const N: usize>(&self, addr: u64) -> Run<[u8; N]> {
        if let Some(at) = self.stack_range(addr, N)
            && self.written.is_empty()
            && let Some(b) = self.stack.get(at..at + N)
            && let Ok(b) = b.try_into()
        {
            return Ok(b);
        }
        let bytes = self.bytes(addr, N)?;
        bytes.try_into().map_err(|_| self.refuse(addr, N, Access::Read))
    }

    /// A store of `N` bytes.
    #[inline]
    pub fn store<const N: usize>(&mut self, addr: u64, value: [u8; N]) -> Run<()> {
        if let Some(at) = self.stack_range(addr, N)
            && self.written.is_empty()
            && let Some(b) = self.stack.get_mut(at..at + N)
        {
            b.copy_from_slice(&value);
            return Ok(());
        }
        self.bytes_mut(addr, N)?.copy_from_slice(&value);
        Ok(())
    }

    /// A 4-byte load, which is where contexts give out packet pointers.
    #[inline]
    pub fn load_word(&self, addr: u64) -> Run<u64> {
        if addr >> REGION_SHIFT == Memory::context_address() >> REGION_SHIFT {
            let off = (addr & OFFSET_MASK) as u32;
            if let Some((_, pointer)) = self.context.pointers.iter().find(|(o, _)| *o == off) {
                return Ok(Memory::packet_address(match pointer {
                    PacketPointer::Data => self.packet.data,
                    PacketPointer::DataEnd => self.packet.end,
                    PacketPointer::DataMeta => self.packet.meta,
                }));
            }
        }
        Ok(u64::from(u32::from_le_bytes(self.load::<4>(addr)?)))
    }

    /// Whether an address is one that this machine gave out, of whatever there is or was.
    pub fn is_pointer(addr: u64) -> bool {
        split(addr).is_some()
    }

    /// Readable bytes at an address; an empty range is fine anywhere.
    pub fn bytes(&self, addr: u64, len: usize) -> Run<&[u8]> {
        if len == 0 {
            return Ok(&[]);
        }
        self.find(addr, len).ok_or_else(|| self.refuse(addr, len, Access::Read))
    }

    /// Readable bytes of the kernel, or nothing: what probe reads ask.
    pub fn kernel_bytes(&self, addr: u64, len: usize) -> Option<&[u8]> {
        self.find(addr, len)
    }

    fn find(&self, addr: u64, len: usize) -> Option<&[u8]> {
        let (r, off) = split(addr)?;
        let off = usize::try_from(off).ok()?;
        let end = off.checked_add(len)?;
        match r {
            region::STACK => {
                let at = self.stack_range(addr, len)?;
                if !self.written.is_empty() && !self.written.get(at..at + len)?.iter().all(|w| *w) {
                    return None;
                }
                self.stack.get(at..at + len)
            }
            region::CONTEXT => self.context.bytes.get(off..end),
            region::PACKET if off >= self.packet.meta && end <= self.packet.end => self.packet.buf.get(off..end),
            region::GLOBALS..region::MAPS => self.globals.get((r - region::GLOBALS) as usize)?.bytes.get(off..end),
            region::MAPS..region::KERNEL => self.maps.get((r - region::MAPS) as usize)?.values.get(off, len),
            region::KERNEL..region::RECORDS => self.kernel.get((r - region::KERNEL) as usize)?.bytes.get(off..end),
            region::RECORDS..region::END => {
                let record = self.records.get((r - region::RECORDS) as usize)?;
                record.live.then(|| record.bytes.get(off..end)).flatten()
            }
            _ => None,
        }
    }

    /// Writable bytes at an address; an empty range is fine anywhere.
    pub fn bytes_mut(&mut self, addr: u64, len: usize) -> Run<&mut [u8]> {
        if len == 0 {
            return Ok(&mut []);
        }
        // Asked twice because a borrow that is returned on one path only lasts on all of them.
        if self.find_mut(addr, len).is_none() {
            return Err(self.refuse(addr, len, Access::Write));
        }
        self.find_mut(addr, len).ok_or_else(|| unreachable_access(addr, len))
    }

    fn find_mut(&mut self, addr: u64, len: usize) -> Option<&mut [u8]> {
        let (r, off) = split(addr)?;
        let off = usize::try_from(off).ok()?;
        let end = off.checked_add(len)?;
        match r {
            region::STACK => {
                let at = self.stack_range(addr, len)?;
                if let Some(w) = self.written.get_mut(at..at + len) {
                    w.fill(true);
                }
                self.stack.get_mut(at..at + len)
            }
            region::CONTEXT => {
                let pointer = |(o, _): &(u32, PacketPointer)| (*o as usize) < end && off < *o as usize + 4;
                if self.context.pointers.iter().any(pointer) {
                    return None;
                }
                self.context.bytes.get_mut(off..end)
            }
            region::PACKET if off >= self.packet.meta && end <= self.packet.end && self.packet_writable => {
                self.packet.buf.get_mut(off..end)
            }
            region::GLOBALS..region::MAPS => {
                let g = self.globals.get_mut((r - region::GLOBALS) as usize)?;
                (!g.read_only).then(|| g.bytes.get_mut(off..end)).flatten()
            }
            region::MAPS..region::KERNEL => {
                let m = self.maps.get_mut((r - region::MAPS) as usize)?;
                if m.program_may_write() { m.values.get_mut(off, len) } else { None }
            }
            region::KERNEL..region::RECORDS => {
                let k = self.kernel.get_mut((r - region::KERNEL) as usize)?;
                k.writable.then(|| k.bytes.get_mut(off..end)).flatten()
            }
            region::RECORDS..region::END => {
                let record = self.records.get_mut((r - region::RECORDS) as usize)?;
                record.live.then(|| record.bytes.get_mut(off..end)).flatten()
            }
            _ => None,
        }
    }

    /// Readable simulated user memory.
    pub fn user_bytes(&self, addr: u64, len: usize) -> Option<&[u8]> {
        self.user.iter().find_map(|(start, bytes)| {
            let off = usize::try_from(addr.checked_sub(*start)?).ok()?;
            bytes.get(off..off.checked_add(len)?)
        })
    }

    /// Writable simulated user memory.
    pub fn user_bytes_mut(&mut self, addr: u64, len: usize) -> Option<&mut [u8]> {
        self.user.iter_mut().find_map(|(start, bytes)| {
            let off = usize::try_from(addr.checked_sub(*start)?).ok()?;
            bytes.get_mut(off..off.checked_add(len)?)
        })
    }

    /// Forgets what belonged to the run before.
    pub fn reset_run(&mut self) {
        self.records.clear();
        self.enter_frame(0);
    }

    #[cold]
    fn refuse(&self, addr: u64, len: usize, access: Access) -> Box<crate::fault::Trap> {
        FaultKind::BadAccess { addr, len, access, reason: self.describe(addr, len, access) }.into()
    }

    /// What an address is and why such an access to it is refused, in words.
    fn describe(&self, addr: u64, len: usize, access: Access) -> String {
        let Some((r, off)) = split(addr) else {
            if addr < 4096 {
                return "this is a null pointer".into();
            }
            if self.user.iter().any(|(s, b)| (*s..s + b.len() as u64).contains(&addr)) {
                return "this is user memory; read it with a probe_read_user helper".into();
            }
            return NO_POINTER.into();
        };
        let sized = |what: String, size: usize| {
            format!("this is byte {off} of {what}, which has {size} byte{}", if size == 1 { "" } else { "s" })
        };
        match r {
            // One below the first frame borrows from the region number.
            0 | region::STACK => self.describe_stack(addr, len),
            region::CONTEXT
                if access == Access::Write && (off as usize).saturating_add(len) <= self.context.bytes.len() =>
            {
                "this context field can't be written".into()
            }
            region::CONTEXT => sized(format!("the context ({})", self.context.name), self.context.bytes.len()),
            region::PACKET => {
                let p = &self.packet;
                let at = off as i64 - p.data as i64;
                if access == Access::Write && at >= 0 && (off as usize).saturating_add(len) <= p.end {
                    return "this program type can't write its packet".into();
                }
                format!("this is byte {at} of the packet, which has {} bytes", p.end - p.data)
            }
            region::FUNCTION => "this is the address of a function".into(),
            region::MAP_HANDLE => "this is a map, not a value of it".into(),
            region::GLOBALS..region::MAPS => match self.globals.get((r - region::GLOBALS) as usize) {
                Some(g)
                    if g.read_only
                        && access == Access::Write
                        && (off as usize).saturating_add(len) <= g.bytes.len() =>
                {
                    format!("`{}` is read-only", g.name)
                }
                Some(g) => sized(format!("`{}`", g.name), g.bytes.len()),
                None => NO_POINTER.into(),
            },
            region::MAPS..region::KERNEL => match self.maps.get((r - region::MAPS) as usize) {
                Some(m) => m.describe_value(off, access),
                None => NO_POINTER.into(),
            },
            region::KERNEL..region::RECORDS => match self.kernel.get((r - region::KERNEL) as usize) {
                Some(k)
                    if access == Access::Write
                        && !k.writable
                        && (off as usize).saturating_add(len) <= k.bytes.len() =>
                {
                    format!("the kernel object `{}` is read-only", k.name)
                }
                Some(k) => sized(format!("the kernel object `{}`", k.name), k.bytes.len()),
                None => NO_POINTER.into(),
            },
            region::RECORDS..region::END => match self.records.get((r - region::RECORDS) as usize) {
                Some(d) if !d.live => "this ring-buffer record was submitted or discarded before".into(),
                Some(d) => sized("a ring-buffer record".into(), d.bytes.len()),
                None => NO_POINTER.into(),
            },
            _ => NO_POINTER.into(),
        }
    }

    fn describe_stack(&self, addr: u64, len: usize) -> String {
        if self.stack_range(addr, len).is_some() {
            return "these bytes of the stack were never written".into();
        }
        // Of the live frames, take the one whose r10 is nearest.
        let distance = |frame: usize| addr.wrapping_sub(Memory::frame_pointer(frame)) as i64;
        let nearest = (0..MAX_FRAMES).min_by_key(|f| distance(*f).unsigned_abs()).unwrap_or(0);
        if nearest >= self.depth {
            return "this is the stack of a function that has returned".into();
        }
        format!("this is r10{:+}, and a stack frame reaches from r10-{STACK_SIZE} to r10-1", distance(nearest))
    }
}

#[cold]
fn unreachable_access(addr: u64, len: usize) -> Box<crate::fault::Trap> {
    FaultKind::BadAccess { addr, len, access: Access::Write, reason: "this memory went away".into() }.into()
}
