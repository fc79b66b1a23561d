//! What runs of a program leave behind, and where two of them differ. Invariant: nothing that a program can change is
//! left out.

use std::collections::BTreeMap;

/// What the runs of a program, one after the other, left behind.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct After {
    /// Results, packets, and what may be written of the context.
    pub(super) runs: Vec<(u32, Vec<u8>, Vec<u8>)>,
    /// Map, key, value; entries of only zeros are left out, so that a made and an absent array entry are alike.
    pub(super) entries: BTreeMap<(String, Vec<u8>), Vec<u8>>,
    /// Records of ring buffers, in order.
    pub(super) records: Vec<(String, Vec<u8>)>,
    /// Values left in queues and stacks, in the order in which they come out.
    pub(super) lines: BTreeMap<String, Vec<Vec<u8>>>,
    /// Globals that may be written.
    pub(super) globals: BTreeMap<String, Vec<u8>>,
}

impl After {
    /// Where two are not alike.
    pub(super) fn difference(&self, other: &After) -> Option<String> {
        for (i, (run, theirs)) in self.runs.iter().zip(&other.runs).enumerate() {
            let ((ret, packet, ctx), (their_ret, their_packet, their_ctx)) = (run, theirs);
            if ret != their_ret {
                return Some(format!("run {i}: result {ret:#x} / {their_ret:#x}"));
            }
            if packet != their_packet {
                return Some(format!("run {i}: packet {packet:02x?} / {their_packet:02x?}"));
            }
            if ctx != their_ctx {
                return Some(format!("run {i}: context {ctx:02x?} / {their_ctx:02x?}"));
            }
        }
        for key in self.entries.keys().chain(other.entries.keys()) {
            let (a, b) = (self.entries.get(key), other.entries.get(key));
            if a != b {
                return Some(format!("{}[{:02x?}] {a:02x?} / {b:02x?}", key.0, key.1));
            }
        }
        if self.records != other.records {
            return Some(format!("records {:02x?} / {:02x?}", self.records, other.records));
        }
        for (name, values) in &self.lines {
            let theirs = other.lines.get(name);
            if theirs != Some(values) {
                return Some(format!("{name} {values:02x?} / {theirs:02x?}"));
            }
        }
        for (name, value) in &self.globals {
            let theirs = other.globals.get(name);
            // What is never used need not be there.
            if theirs.is_some_and(|t| t != value) {
                return Some(format!("global {name} {value:02x?} / {theirs:02x?}"));
            }
        }
        None
    }
}
