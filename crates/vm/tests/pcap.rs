//! Captures that are cut off, mangled or made up are errors or packets, never a panic, and cost no more memory than
//! they have bytes.

use whistler_vm::pcap::{self, Capture, Captured, Unit};

/// A small generator (SplitMix64), so that a failure can be run again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

fn pcapng() -> Vec<u8> {
    let word = |n: u32| n.to_le_bytes();
    let block = |kind: u32, body: &[u8]| {
        let len = 12 + body.len() as u32;
        [&word(kind)[..], &word(len), body, &word(len)].concat()
    };
    let section = block(0x0a0d_0d0a, &[&word(0x1a2b_3c4d)[..], &word(1), &[0xff; 8]].concat());
    let interface = block(1, &[&word(1)[..], &word(0), &[9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]].concat());
    let packet = block(6, &[&word(0)[..], &word(1), &word(2), &word(4), &word(4), b"abcd"].concat());
    [section, interface, packet.clone(), packet].concat()
}

#[test]
fn mangled_captures_end_in_packets_or_errors() {
    let packets = (0..4).map(|n| Captured { time_ns: n, wire_len: 40, bytes: vec![n as u8; 40] }).collect();
    let whole = pcap::write(&Capture { link: 1, unit: Unit::Micro, packets });
    let seeds = [whole, pcapng()];
    assert_eq!(pcap::read(&seeds[1]).expect("pcapng").packets.len(), 2);
    let mut random = Random(7);
    let (mut fine, mut wrong) = (0, 0);
    for round in 0..200_000 {
        let mut bytes = seeds[round % 2].clone();
        match random.below(4) {
            0 => bytes.truncate(random.below(bytes.len())),
            1 => bytes = (0..random.below(80)).map(|_| random.next() as u8).collect(),
            _ => {
                for _ in 0..=random.below(4) {
                    let at = random.below(bytes.len());
                    bytes[at] = [0, 1, 0x7f, 0xff, random.next() as u8][random.below(5)];
                }
            }
        }
        match pcap::read(&bytes) {
            Ok(c) => {
                fine += 1;
                assert!(c.packets.iter().map(|p| p.bytes.len()).sum::<usize>() <= bytes.len());
                assert_eq!(pcap::read(&pcap::write(&c)).map(|d| d.packets.len()), Ok(c.packets.len()));
            }
            Err(e) => {
                wrong += 1;
                assert!(!e.to_string().is_empty());
            }
        }
    }
    assert!(fine > 1_000 && wrong > 1_000, "{fine} fine, {wrong} wrong");
}
