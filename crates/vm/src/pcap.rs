//! Captured packets in files: pcap both ways (both byte orders, micro- and nanoseconds), pcapng read.
//! Invariant: whatever bytes are given, reading ends in packets or in an error that says where.
//!
//! Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.

/// Ethernet, as link types are numbered.
pub const LINK_ETHERNET: u32 = 1;

/// A packet as it was captured.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Captured {
    /// When, in nanoseconds since 1970.
    pub time_ns: u64,
    /// How long it was on the wire; what was captured may be less.
    pub wire_len: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The unit of time stamps in a pcap file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unit {
    /// Microseconds.
    #[default]
    Micro,
    /// Nanoseconds.
    Nano,
}

/// A file of packets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Capture {
    /// What the packets begin with ([`LINK_ETHERNET`] …).
    pub link: u32,
    /// How fine time stamps are written.
    pub unit: Unit,
    /// The packets, in order.
    pub packets: Vec<Captured>,
}

/// Why bytes are no capture.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PcapError {
    /// Neither pcap nor pcapng.
    #[error("this is no packet capture: it begins with neither the mark of pcap nor that of pcapng")]
    NotACapture,
    /// It ends too early.
    #[error("the capture ends in the middle of {what}, at byte {at}")]
    CutOff {
        /// In the middle of what.
        what: String,
        /// Where the part begins.
        at: usize,
    },
    /// Something that can't be.
    #[error("the capture is damaged at byte {at}: {why}")]
    Damaged {
        /// Where.
        at: usize,
        /// What is wrong.
        why: String,
    },
}

const MICRO: u32 = 0xa1b2_c3d4;
const NANO: u32 = 0xa1b2_3c4d;
/// The type of a section's header block, the same in both byte orders.
const SECTION: u32 = 0x0a0d_0d0a;
const SECTION_ORDER: u32 = 0x1a2b_3c4d;
/// What tools agree a packet never exceeds (MAXIMUM_SNAPLEN of libpcap).
const MAX_PACKET: usize = 262_144;
const PCAP_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;

/// Bytes with an order.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    all: &'a [u8],
    big: bool,
}

impl<'a> Bytes<'a> {
    fn slice(self, at: usize, len: usize, what: impl Fn() -> String) -> Result<&'a [u8], PcapError> {
        let end = at.checked_add(len);
        end.and_then(|end| self.all.get(at..end)).ok_or_else(|| PcapError::CutOff { what: what(), at })
    }

    fn u32(self, at: usize, what: impl Fn() -> String) -> Result<u32, PcapError> {
        let b = self.slice(at, 4, what)?.first_chunk().copied().unwrap_or_default();
        Ok(if self.big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) })
    }

    fn u16(self, at: usize, what: impl Fn() -> String) -> Result<u16, PcapError> {
        let b = self.slice(at, 2, what)?.first_chunk().copied().unwrap_or_default();
        Ok(if self.big { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) })
    }
}

/// Reads a capture, pcap or pcapng.
pub fn read(bytes: &[u8]) -> Result<Capture, PcapError> {
    let Some(first) = bytes.first_chunk() else { return Err(PcapError::NotACapture) };
    let (little, big) = (u32::from_le_bytes(*first), u32::from_be_bytes(*first));
    match (little, big) {
        (SECTION, _) => read_pcapng(bytes),
        (MICRO, _) => read_pcap(Bytes { all: bytes, big: false }, Unit::Micro),
        (NANO, _) => read_pcap(Bytes { all: bytes, big: false }, Unit::Nano),
        (_, MICRO) => read_pcap(Bytes { all: bytes, big: true }, Unit::Micro),
        (_, NANO) => read_pcap(Bytes { all: bytes, big: true }, Unit::Nano),
        _ => Err(PcapError::NotACapture),
    }
}

fn read_pcap(b: Bytes<'_>, unit: Unit) -> Result<Capture, PcapError> {
    let header = || "its header".to_string();
    b.slice(0, PCAP_HEADER, header)?;
    let version = (b.u16(4, header)?, b.u16(6, header)?);
    if version != (2, 4) {
        let why = format!("version {}.{} instead of 2.4", version.0, version.1);
        return Err(PcapError::Damaged { at: 4, why });
    }
    // The upper four bits tell of frame check sequences.
    let link = b.u32(20, header)? & 0x0fff_ffff;
    let scale = match unit {
        Unit::Micro => 1000,
        Unit::Nano => 1,
    };
    let mut packets = Vec::new();
    let mut at = PCAP_HEADER;
    while at < b.all.len() {
        let number = packets.len() + 1;
        let what = || format!("packet {number}");
        b.slice(at, PACKET_HEADER, what)?;
        let (seconds, fraction) = (u64::from(b.u32(at, what)?), u64::from(b.u32(at + 4, what)?));
        let (len, wire_len) = (b.u32(at + 8, what)? as usize, b.u32(at + 12, what)?);
        let bytes = packet_bytes(b, at + PACKET_HEADER, len, number)?;
        packets.push(Captured { time_ns: seconds * 1_000_000_000 + fraction * scale, wire_len, bytes });
        at += PACKET_HEADER + len;
    }
    Ok(Capture { link, unit, packets })
}

fn packet_bytes(b: Bytes<'_>, at: usize, len: usize, number: usize) -> Result<Vec<u8>, PcapError> {
    if len > MAX_PACKET {
        return Err(PcapError::Damaged { at, why: format!("packet {number} has {len} bytes") });
    }
    b.slice(at, len, || format!("packet {number}")).map(<[u8]>::to_vec)
}

/// An interface that packets of a section were captured on.
struct Interface {
    link: u32,
    /// Time stamps count in 10^-n seconds, or 2^-n.
    resolution: u8,
}

impl Interface {
    fn nanoseconds(&self, stamp: u64) -> u64 {
        let power = u32::from(self.resolution & 0x7f);
        let stamp = u128::from(stamp);
        let ns = if self.resolution & 0x80 != 0 {
            stamp.saturating_mul(1_000_000_000).checked_shr(power).unwrap_or(0)
        } else {
            match power.checked_sub(9) {
                None => stamp.saturating_mul(10u128.pow(9 - power)),
                Some(more) => 10u128.checked_pow(more).map_or(0, |d| stamp / d),
            }
        };
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}

fn read_pcapng(bytes: &[u8]) -> Result<Capture, PcapError> {
    let mut b = Bytes { all: bytes, big: false };
    let mut interfaces: Vec<Interface> = Vec::new();
    let mut out = Capture { unit: Unit::Nano, ..Capture::default() };
    let mut link = None;
    let mut at = 0;
    while at < bytes.len() {
        let what = || "a block".to_string();
        b.slice(at, 12, what)?;
        if b.u32(at, what)? == SECTION {
            interfaces.clear();
            b.big = false;
            if b.u32(at + 8, what)? != SECTION_ORDER {
                b.big = true;
            }
            if b.u32(at + 8, what)? != SECTION_ORDER {
                return Err(PcapError::Damaged { at: at + 8, why: "the byte order's mark is missing".into() });
            }
        }
        let len = b.u32(at + 4, what)? as usize;
        if len < 12 || !len.is_multiple_of(4) {
            return Err(PcapError::Damaged { at: at + 4, why: format!("a block of {len} bytes") });
        }
        let body = b.slice(at, len, what)?;
        let block = Bytes { all: body.get(..len - 4).unwrap_or(&[]), big: b.big };
        match b.u32(at, what)? {
            1 => interfaces.push(interface(block)?),
            kind @ (3 | 6) => {
                let (interface, packet) = packet_block(block, kind, &interfaces, out.packets.len() + 1, at)?;
                if *link.get_or_insert(interface) != interface {
                    let why = "its interfaces have links of different kinds".to_string();
                    return Err(PcapError::Damaged { at, why });
                }
                out.packets.push(packet);
            }
            _ => {}
        }
        at += len;
    }
    out.link = link.or_else(|| interfaces.first().map(|i| i.link)).unwrap_or(LINK_ETHERNET);
    Ok(out)
}

fn interface(block: Bytes<'_>) -> Result<Interface, PcapError> {
    const TIME_RESOLUTION: u16 = 9;
    let what = || "an interface's description".to_string();
    let link = u32::from(block.u16(8, what)?);
    let mut resolution = 6;
    let mut at = 16;
    while at + 4 <= block.all.len() {
        let (code, len) = (block.u16(at, what)?, usize::from(block.u16(at + 2, what)?));
        if code == 0 {
            break;
        }
        let value = block.slice(at + 4, len, what)?;
        if let (TIME_RESOLUTION, [r]) = (code, value) {
            resolution = *r;
        }
        at += 4 + len.next_multiple_of(4);
    }
    Ok(Interface { link, resolution })
}

/// A packet, and the link of its interface.
fn packet_block(
    block: Bytes<'_>,
    kind: u32,
    interfaces: &[Interface],
    number: usize,
    at: usize,
) -> Result<(u32, Captured), PcapError> {
    let what = || format!("packet {number}");
    const SIMPLE: u32 = 3;
    let index = if kind == SIMPLE { 0 } else { block.u32(8, what)? as usize };
    let Some(interface) = interfaces.get(index) else {
        return Err(PcapError::Damaged {
            at,
            why: format!("packet {number} is of an interface that is not described"),
        });
    };
    if kind == SIMPLE {
        let wire_len = block.u32(8, what)?;
        let room = block.all.len().saturating_sub(12);
        let bytes = packet_bytes(block, 12, room.min(wire_len as usize), number)?;
        return Ok((interface.link, Captured { time_ns: 0, wire_len, bytes }));
    }
    let stamp = u64::from(block.u32(12, what)?) << 32 | u64::from(block.u32(16, what)?);
    let (len, wire_len) = (block.u32(20, what)? as usize, block.u32(24, what)?);
    let bytes = packet_bytes(block, 28, len, number)?;
    Ok((interface.link, Captured { time_ns: interface.nanoseconds(stamp), wire_len, bytes }))
}

/// A capture as a pcap file, little-endian.
pub fn write(capture: &Capture) -> Vec<u8> {
    let (mark, scale) = match capture.unit {
        Unit::Micro => (MICRO, 1000),
        Unit::Nano => (NANO, 1),
    };
    let mut out = Vec::new();
    let mut put = |n: u32| out.extend_from_slice(&n.to_le_bytes());
    for n in [mark, 2 | 4 << 16, 0, 0, MAX_PACKET as u32, capture.link] {
        put(n);
    }
    for p in &capture.packets {
        let (seconds, rest) = (p.time_ns / 1_000_000_000, p.time_ns % 1_000_000_000);
        for n in [seconds as u32, (rest / scale) as u32, p.bytes.len() as u32, p.wire_len] {
            out.extend_from_slice(&n.to_le_bytes());
        }
        out.extend_from_slice(&p.bytes);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(unit: Unit) -> Capture {
        let packet =
            |time_ns, bytes: &[u8]| Captured { time_ns, wire_len: bytes.len() as u32 + 4, bytes: bytes.to_vec() };
        Capture {
            link: LINK_ETHERNET,
            unit,
            packets: vec![packet(1_700_000_000_123_456_000, b"abc"), packet(5_000, b"")],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for unit in [Unit::Micro, Unit::Nano] {
            assert_eq!(read(&write(&example(unit))), Ok(example(unit)));
        }
    }

    #[test]
    fn the_other_byte_order_is_read() {
        let mut bytes = write(&example(Unit::Micro));
        let data = 24 + 16;
        // All is words of four bytes but the version and the first packet's data.
        for range in [0..4, 8..12, 12..16, 16..20, 20..24, 24..28, 28..32, 32..36, 36..40] {
            bytes[range].reverse();
        }
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        for at in [data + 3, data + 7, data + 11, data + 15] {
            bytes[at..at + 4].reverse();
        }
        assert_eq!(read(&bytes), Ok(example(Unit::Micro)));
    }

    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let len = (12 + body.len().next_multiple_of(4)) as u32;
        let mut out = [kind.to_be_bytes(), len.to_be_bytes()].concat();
        out.extend_from_slice(body);
        out.resize(len as usize - 4, 0);
        out.extend_from_slice(&len.to_be_bytes());
        out
    }

    #[test]
    fn pcapng_is_read() {
        let word = |n: u32| n.to_be_bytes();
        let section = block(SECTION, &[&word(SECTION_ORDER)[..], &word(1 << 16), &[0xff; 8]].concat());
        // Ethernet, time stamps in milliseconds.
        let interface = block(1, &[&word(1 << 16)[..], &word(0), &[0, 9, 0, 1, 3, 0, 0, 0]].concat());
        let packet = block(6, &[&word(0)[..], &word(0), &word(1500), &word(3), &word(60), b"abc"].concat());
        let simple = block(3, &[&word(2)[..], b"xy"].concat());
        let unknown = block(0x0bad, b"?");
        let read = read(&[section, interface, unknown, packet, simple].concat()).expect("a capture");
        assert_eq!(read.link, LINK_ETHERNET);
        let expected = [
            Captured { time_ns: 1_500_000_000, wire_len: 60, bytes: b"abc".to_vec() },
            Captured { time_ns: 0, wire_len: 2, bytes: b"xy".to_vec() },
        ];
        assert_eq!(read.packets, expected);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let whole = write(&example(Unit::Micro));
        assert_eq!(read(b"no"), Err(PcapError::NotACapture));
        assert_eq!(read(b"not a capture"), Err(PcapError::NotACapture));
        let cut = read(&whole[..whole.len() - 17]).unwrap_err();
        assert_eq!(cut.to_string(), "the capture ends in the middle of packet 1, at byte 40");
        let mut long = whole;
        long[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
        let damaged = read(&long).unwrap_err();
        assert_eq!(damaged.to_string(), "the capture is damaged at byte 40: packet 1 has 4294967295 bytes");
    }
}
